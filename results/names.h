/* names.h - what people call a network, a database, a run and a candidate. */
#ifndef NAMES_H
#define NAMES_H

#include "results/results.h"

#include <stdbool.h>

bool names_net_file(const char *what);   /* NET.yaml */
bool names_model_file(const char *what); /* MODEL.tflite */
bool names_run_net(const char *what);    /* RUN:best, RUN:NUMBER, and no file */

/* --db FILE, else THIMBLE_DB, else thimble.db */
const char *names_db(const char *option);
/* That database, to read; NULL with errorf(). */
Results *names_open(const char *option);

/* "3", or "last" for the newest: a run that is there. -1 with errorf(). */
int names_run(Results *r, const char *text, int64_t *run);

/* "3", "3:best", "last:17": a run and a candidate's number; a run alone is its
 * best. Finds the candidate's row (strings yours to free). -1 with errorf(). */
int names_candidate(Results *r, const char *text, int64_t *run, CandidateRow *row);

#endif
