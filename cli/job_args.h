/* job_args.h - the options that several commands share, as argp children.
 *
 * A command lists the children among its own and, in ARGP_KEY_INIT, points
 * state->child_inputs[] at its JobArgs, ResumeArgs or NetArgs. */
#ifndef JOB_ARGS_H
#define JOB_ARGS_H

#include "estimator/estimator.h"

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

/* --db, --resume, --quiet: of a command whose runs may be killed. */
typedef struct {
    const char *db; /* NULL: as names_db() finds it */
    bool resume;
} ResumeArgs;

extern const struct argp resume_args;

/* One network, RUN:best, RUN:NUMBER or MODEL.tflite, and how it is planned: --schedule, --image,
 * --kernels, --sram, --recompute; --db. */
typedef struct {
    const char *what, *db;
    const char *schedule; /* NULL: its own */
    const char *image;    /* "outside", "resident"; NULL: its own */
    const char *kernels;  /* "pairs", "small"; NULL: the target's */
    uint32_t sram;        /* 0: its own */
    int recompute;        /* percent; 0: its own */
} NetArgs;

extern const struct argp net_args;
/* These options over a plan's own; target: NULL for none. -1 with errorf() when the network then
 * does not fit into --sram. */
int net_args_plan(const NetArgs *a, const Net *net, const Target *target, PlanOptions *plan);

#endif
