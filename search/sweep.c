#include "search/sweep.h"

#include "base/alloc.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* What no plan can change: these need not be planned, which takes longest. */
static bool is_too_large(const Net *net, const Limits *limits)
{
    return (limits->flash && net_weights(net) > limits->flash) ||
           (limits->macs && net_macs(net) > limits->macs);
}

/* MACs of the fitting networks, ascending; returns how many. Every sample has
 * its own random numbers, from the seed, the space and its number alone. */
static int sample_space(const Space *space, const Target *target, const Limits *limits,
                        const SweepOptions *o, const SweepRow *row, uint64_t *macs)
{
    int pair = row->width * SPACE_MAX_RESOLUTIONS + row->resolution;
    uint64_t seed = rng_stream(o->seed, (uint64_t)pair);
    int n = 0;
    for (int i = 0; i < o->samples; i++) {
        Net net;
        Rng rng = rng_make(seed, (uint64_t)i);
        Genotype g = genotype_sample(space, row->width, row->resolution, &rng);
        genotype_expand(space, &g, o->n_classes, &net);
        if (is_too_large(&net, limits))
            continue;
        Cost cost = estimate(&net, target, &o->plan);
        if (cost_fits(&cost, limits))
            macs[n++] = net_macs(&net); /* not cost.macs, which counts what is computed twice */
    }
    qsort(macs, (size_t)n, sizeof *macs, ascending);
    return n;
}

static void summarize(const uint64_t *macs, int n, SweepRow *row)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)macs[i];
    row->feasible = n;
    row->mean_macs = n ? sum / n : 0;
    for (int i = 0; i < SWEEP_CDF; i++) /* the nearest sample to each quantile */
        row->cdf[i] = n ? (double)macs[((n - 1) * i + (SWEEP_CDF - 1) / 2) / (SWEEP_CDF - 1)] : 0;
}

/* The first of equals: the narrower network, then the smaller image. */
static int best_row(const Sweep *sweep, int min_feasible)
{
    int best = -1;
    for (int i = 0; i < sweep->n; i++) {
        const SweepRow *row = &sweep->row[i];
        if (row->feasible == 0 || row->feasible < min_feasible)
            continue;
        if (best < 0 || row->mean_macs > sweep->row[best].mean_macs)
            best = i;
    }
    return best;
}

static Choices near_best(const Space *space, const SweepOptions *o, const Sweep *sweep)
{
    const SweepRow *best = &sweep->row[sweep->best];
    unsigned open = 0;
    for (int i = 0; i < sweep->n; i++) {
        const SweepRow *row = &sweep->row[i];
        if (row->width == best->width && row->feasible > 0 && row->feasible >= o->min_feasible)
            open |= 1U << row->resolution;
    }
    return space_near(space, best->resolution, o->resolutions > 0 ? o->resolutions : 1, open);
}

bool sweep_chose(const Sweep *sweep, const SweepRow *row)
{
    bool among = false;
    for (int i = 0; i < sweep->resolutions.n; i++)
        among |= sweep->resolutions.value[i] == row->resolution;
    return among && row->width == sweep->row[sweep->best].width;
}

void sweep_run(const Space *space, const Target *target, const Limits *limits,
               const SweepOptions *options, Sweep *sweep)
{
    int threads = options->threads > 0 ? options->threads : omp_get_max_threads();
    int done = 0;
    assert(options->samples > 0);
    *sweep = (Sweep){.n = space->n_widths * space->n_resolutions};
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int i = 0; i < sweep->n; i++) {
        SweepRow row = {.width = i / space->n_resolutions,
                        .resolution = i % space->n_resolutions,
                        .samples = options->samples};
        uint64_t *macs = xmalloc((size_t)options->samples * sizeof *macs);
        int n = sample_space(space, target, limits, options, &row, macs);
        summarize(macs, n, &row);
        free(macs);
        sweep->row[i] = row;
        if (options->progress) {
#pragma omp critical(sweep_progress)
            options->progress(options->ctx, ++done);
        }
    }
    sweep->best = best_row(sweep, options->min_feasible);
    if (sweep->best >= 0)
        sweep->resolutions = near_best(space, options, sweep);
}
