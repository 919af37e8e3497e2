/* error.h - one sentence about what went wrong, on its way to the user.
 *
 * A function that fails because of the world (a file, a config, a database)
 * calls errorf() once, where the reason is known, and returns its -1; callers
 * pass the -1 up, and only cli/ prints error_text() and exits. The text is
 * kept per thread. */
#ifndef ERROR_H
#define ERROR_H

/* Remembers the sentence; always returns -1. */
int errorf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The last sentence of this thread, "" when there is none. */
const char *error_text(void);

#endif
