/* rename.h - what is exported says model, unless it is given another name, so
 * that two networks fit into one firmware: MODEL_ARENA_BYTES, model_run() and
 * model.h become KWS_ARENA_BYTES, kws_run() and kws.h.
 *
 * It works on finished text: what prints it never hears of names. */
#ifndef RENAME_H
#define RENAME_H

/* -1 with errorf() unless it is a lower-case C identifier of at most 31 letters. */
int rename_check(const char *prefix);

/* The text with every word that begins with model_ or MODEL_, and every file model.x, renamed;
 * it is yours to free. What stands between quotes stays, but for the names of included files. */
char *rename_text(const char *text, const char *prefix);

#endif
