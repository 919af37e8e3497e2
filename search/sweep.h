/* sweep.h - TinyNAS stage 1: which (width, resolution) to search in.
 *
 * MCUNet (arXiv 2007.10319) 3.1: for every pair sample m networks, keep those
 * that fit the device, and take the pair whose fitting networks have the
 * largest mean FLOPs - more computation, more capacity. No training. The
 * paper's FLOPs are multiply-accumulates, MACs here: those of the network, so
 * that a plan which computes rows twice to fit gains nothing by it.
 *
 * The paper leaves the least share of fitting networks open; a mean over a
 * handful is noise, so a pair counts only from min_feasible networks on.
 *
 * A run may search several resolutions of the best width at once: the best one
 * and those nearest to it, of all that count. */
#ifndef SWEEP_H
#define SWEEP_H

#include "estimator/estimator.h"
#include "network/genotype.h"

#define SWEEP_MAX (SPACE_MAX_WIDTHS * SPACE_MAX_RESOLUTIONS)
#define SWEEP_CDF 21 /* quantiles recorded: 0, 5, ... 100 % */

typedef struct {
    int samples;      /* networks a space [1000] */
    int min_feasible; /* fewer fitting networks than this and the space does not count [50] */
    int resolutions;  /* to search, at most; SPACE_MAX_CHOICES at most, 0 is 1 [1] */
    int n_classes;
    int threads;
    uint64_t seed;
    PlanOptions plan;
    /* Told after each space how many are done, by one thread at a time; may be NULL. */
    void (*progress)(void *ctx, int done);
    void *ctx;
} SweepOptions;

typedef struct {
    int width, resolution; /* indices into the space */
    int samples, feasible;
    double mean_macs;      /* of the fitting networks; 0 when none fits */
    double cdf[SWEEP_CDF]; /* MACs at quantile i * 5 % of the fitting networks */
} SweepRow;

typedef struct {
    int n, best; /* best: index of the chosen row, -1 when no space counts */
    Choices resolutions; /* to search at its width, with its own; fewest pixels first */
    SweepRow row[SWEEP_MAX];
} Sweep;

/* The same result for any number of threads. Never fails; look at best. */
void sweep_run(const Space *space, const Target *target, const Limits *limits,
               const SweepOptions *options, Sweep *sweep);
/* Whether the row's space is searched. */
bool sweep_chose(const Sweep *sweep, const SweepRow *row);

#endif
