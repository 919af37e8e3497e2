/* job_args.h - the options that several commands share, as argp children.
 *
 * A command lists the child among its own and, in ARGP_KEY_INIT, points
 * state->child_inputs[0] at its JobArgs or NetArgs. */
#ifndef JOB_ARGS_H
#define JOB_ARGS_H

#include <argp.h>

/* --set, --seed, --threads: what changes a job. */
typedef struct {
    char *set[64]; /* key=value; yours to release */
    int n_sets;
    int threads;   /* 0: as the job says */
} JobArgs;

extern const struct argp job_args;
void job_args_add(JobArgs *a, const char *key, const char *value, struct argp_state *state);
void job_args_release(JobArgs *a);

/* One network of a run: RUN:best or RUN:NUMBER, --db, --schedule. */
typedef struct {
    const char *what, *db, *schedule;
} NetArgs;

extern const struct argp net_args;

#endif
