/* given.h - one network that a run trains, instead of searching for it.
 *
 * It stands in the run's blob "network"; its name is the genotype of the run's
 * only candidate, number 0, so that all that looks at a search's winner looks
 * at it. Its input is what the data is scaled to, its classifier has the data's
 * classes. */
#ifndef GIVEN_H
#define GIVEN_H

#include "config/config.h"
#include "results/results.h"

typedef struct {
    Net net;
    char name[GENOTYPE_TEXT]; /* a file's without .yaml, or a genotype */
} Given;

/* A NET.yaml, a genotype of the job's space, or RUN:best or RUN:NUMBER of the database `db`.
 * r: of a NET.yaml, {0} for its own; raw data has its own anyway. -1 with errorf() when
 * there is no such network, or it is none that can be trained on the job's data. */
int given_load(Given *g, const char *what, const Job *job, Resolution r, const char *db);
/* A line of what it costs on stderr; -1 with errorf() when that is beyond the job's limits. */
int given_fits(const Given *g, const Job *job);

/* Into the database, as candidate 0 and winner of the run. */
int given_put(Results *r, int64_t run, const Given *g, const Job *job);
/* 0 found, 1 the run searches for its network, -1 error. */
int given_get(Results *r, int64_t run, Net *net);

#endif
