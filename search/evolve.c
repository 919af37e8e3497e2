#include "search/evolve.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "search/births.h"
#include "search/hypervolume.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

typedef struct {
    Births births;
    int winner;               /* number of the best so far */
    double whole[PARETO_OBJECTIVES]; /* of each objective, what a gain is a share of */
    Hypervolume front;
    double start;             /* clock_seconds() */
} Evolution;

/* ---- what they are worth ---- */

static bool is_known(const EvolveHooks *h, Candidate *c)
{
    return h->known && h->known(h->ctx, c, &c->fitness);
}

/* Those not known go to the front of todo, in order of birth. */
static int list_unknown(const EvolveHooks *h, Candidate *all, int n_all, Candidate **todo)
{
    int n = 0;
    for (int i = 0; i < n_all; i++)
        if (!is_known(h, &all[i]))
            todo[n++] = &all[i];
    for (int i = 0; i < n && h->born; i++)
        h->born(h->ctx, todo[i]);
    return n;
}

void evolve_evaluate(const EvolveHooks *h, const Candidate *bar, Candidate *all, int n_all,
                     int threads)
{
    Candidate **todo = xmalloc((size_t)(n_all + 1) * sizeof *todo);
    int n = list_unknown(h, all, n_all, todo);
    if (threads < 1)
        threads = omp_get_max_threads();
    if (n > 0 && h->bar)
        h->bar(h->ctx, bar);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int i = 0; i < n; i++) {
        todo[i]->fitness = h->fitness(h->ctx, todo[i]);
        if (h->evaluated) {
#pragma omp critical(evolve_evaluated)
            h->evaluated(h->ctx, todo[i]);
        }
    }
    free(todo);
}

/* ---- what is told of a generation ---- */

/* The whole of a cost is its limit, or what the largest network takes; of fitness, 1. */
static void measure_whole(Evolution *e)
{
    const Births *b = &e->births;
    const EvolveOptions *o = b->options;
    const Limits *l = b->limits;
    Genotype g = genotype_largest(b->space, o->width, choices_largest(&o->resolutions));
    Candidate largest = {.cost = births_cost(b, &g)};
    ParetoPoint p = pareto_point(&largest, o->costs);
    for (int k = 0; k < PARETO_OBJECTIVES; k++)
        e->whole[k] = p.value[k];
#define X(flag, word, field)                                                                       \
    if (l->field > 0 && o->costs & PARETO_##flag)                                                  \
        e->whole[1 + PARETO_INDEX_##flag] = (double)l->field;
    PARETO_COSTS(X)
#undef X
}

static void conquer(Evolution *e, const Candidate *c)
{
    ParetoPoint p = pareto_point(c, e->births.options->costs);
    Gains gains = {{c->fitness}};
    for (int k = 1; k < PARETO_OBJECTIVES; k++)
        gains.gain[k] = e->whole[k] > 0 ? 1 - p.value[k] / e->whole[k] : 1;
    hypervolume_add(&e->front, &gains);
}

static double worth(const Candidate *c)
{
    return isnan(c->fitness) ? -INFINITY : c->fitness;
}

static void take_in(Evolution *e, int first)
{
    const Candidate *all = e->births.all;
    for (int i = first; i < e->births.n; i++) {
        if (worth(&all[i]) > worth(&all[e->winner]))
            e->winner = i;
        conquer(e, &all[i]);
    }
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static double median_from(const Births *b, int first)
{
    int n = b->n - first;
    double *fitness = xmalloc((size_t)n * sizeof *fitness);
    for (int i = 0; i < n; i++)
        fitness[i] = worth(&b->all[first + i]);
    qsort(fitness, (size_t)n, sizeof *fitness, descending);
    double median = n % 2 ? fitness[n / 2] : (fitness[n / 2 - 1] + fitness[n / 2]) / 2;
    free(fitness);
    return median;
}

static void report(const Evolution *e, int generation, int first, bool ends)
{
    const Births *b = &e->births;
    const Candidate *winner = &b->all[e->winner];
    EvolveReport r = {.generation = generation,
                      .generations = b->options->generations,
                      .evaluated = b->n,
                      .total = ends ? b->n : b->total,
                      .drawn = b->drawn,
                      .fitting = b->fitting,
                      .best = winner->fitness,
                      .median = median_from(b, first),
                      .front = e->front.n,
                      .hypervolume = e->front.volume,
                      .winner = winner};
    if (b->hooks->generation)
        b->hooks->generation(b->hooks->ctx, &r);
}

/* ---- the whole ---- */

static int nothing_fits(const Births *b)
{
    const EvolveOptions *o = b->options;
    Genotype g = genotype_smallest(b->space, o->width, o->resolutions.value[0]);
    Cost c = births_cost(b, &g);
    Resolution r = b->space->resolution[g.resolution];
    return errorf("none of %lld networks of the space '%s' fits at width %g, resolution "
                  "%dx%d%s: the smallest takes %u bytes of SRAM, %u of flash and %llu MACs",
                  (long long)b->drawn, b->space->name, b->space->width[o->width], r.h, r.w,
                  o->resolutions.n > 1 ? " or more" : "", c.sram, c.flash,
                  (unsigned long long)c.macs);
}

static bool time_is_up(const Evolution *e)
{
    double seconds = e->births.options->seconds;
    return seconds > 0 && clock_seconds() - e->start >= seconds;
}

/* Of the network nearest to fitting, while too few fit. */
static double nearest(const Births *b)
{
    return b->n_strays > 0 ? b->stray[0].excess : INFINITY;
}

/* A generation that bears nothing is the last: no network is left that fits and is new. Unless
 * too few fit so far, and the strays came nearer to it. */
static void run(Evolution *e)
{
    Births *b = &e->births;
    int told = -1, told_from = 0; /* the last generation that bore something */
    for (int g = 0; g <= b->options->generations && b->n < b->total; g++) {
        int first = b->n;
        double before = nearest(b);
        births_generation(b, g);
        if (b->n == first && nearest(b) < before)
            continue;
        if (b->n == first)
            break;
        evolve_evaluate(b->hooks, algorithm_bar(b), b->all + first, b->n - first,
                        b->options->threads);
        algorithm_select(b, first);
        take_in(e, first);
        bool ends = time_is_up(e);
        report(e, g, first, ends);
        if (ends)
            return;
        told = g;
        told_from = first;
    }
    if (told >= 0 && told < b->options->generations && b->n < b->total)
        report(e, told, told_from, true);
}

int evolve(const Space *space, const Target *target, const Limits *limits,
           const EvolveOptions *options, const EvolveHooks *hooks, Candidate *winner)
{
    Evolution e = {.start = clock_seconds()};
    int status = 0;
    births_init(&e.births, options);
    e.births.space = space;
    e.births.target = target;
    e.births.limits = limits;
    e.births.hooks = hooks;
    measure_whole(&e);
    run(&e);
    if (e.births.n > 0)
        *winner = e.births.all[e.winner];
    else
        status = nothing_fits(&e.births);
    births_release(&e.births);
    hypervolume_release(&e.front);
    return status;
}

int evolve_total(const EvolveOptions *o)
{
    int64_t n = o->population + (int64_t)o->generations * (o->crossovers + o->mutations);
    assert(n > 0 && n < INT32_MAX);
    return o->evaluations > 0 && o->evaluations < n ? o->evaluations : (int)n;
}
