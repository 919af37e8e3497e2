#include "search/evolve.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define CHILD_DRAWS 200     /* until a child is given up and a random network takes its place */
#define RANDOM_DRAWS 100000 /* in a row without a new fitting one: the space is exhausted */

typedef struct {
    const Space *space;
    const Target *target;
    const Limits *limits;
    const EvolveOptions *options;
    const EvolveHooks *hooks;
    Candidate *all; /* [total] by number */
    int n, total;
    int *slot;           /* [slots] hash table of numbers, -1 where free */
    unsigned slots;      /* a power of two, at least twice the total */
    int *elite, n_elite; /* numbers of the best so far, best first */
    int room;            /* for the elite: the parents, and at least the winner */
    Rng rng;
    int64_t drawn, fitting;
    bool exhausted; /* random draws find nothing new any more */
} Evolution;

/* ---- who was born already ---- */

static int *find_slot(const Evolution *e, const Genotype *g)
{
    unsigned i = (unsigned)genotype_hash(g) & (e->slots - 1);
    while (e->slot[i] >= 0 && !genotype_equal(&e->all[e->slot[i]].genotype, g))
        i = (i + 1) & (e->slots - 1);
    return &e->slot[i];
}

/* Takes the genotype in when it is new and its network fits. */
static bool admit(Evolution *e, const Genotype *g, Candidate c)
{
    int *slot = find_slot(e, g);
    e->drawn++;
    if (*slot >= 0) {
        e->fitting++;
        return false;
    }
    Net net;
    genotype_expand(e->space, g, e->options->n_classes, &net);
    c.cost = estimate(&net, e->target, &e->options->plan);
    if (!cost_fits(&c.cost, e->limits))
        return false;
    e->fitting++;
    c.genotype = *g;
    c.number = e->n;
    *slot = e->n;
    e->all[e->n++] = c;
    return true;
}

/* ---- how they are drawn ---- */

static bool bear_random(Evolution *e, int generation)
{
    const EvolveOptions *o = e->options;
    Candidate c = {.generation = generation, .parent = {-1, -1}};
    for (int i = 0; i < RANDOM_DRAWS && !e->exhausted; i++) {
        Genotype g = genotype_sample(e->space, o->width, o->resolution, &e->rng);
        if (admit(e, &g, c))
            return true;
    }
    e->exhausted = true;
    return false;
}

static int draw_parent(Evolution *e)
{
    return e->elite[rng_below(&e->rng, (uint32_t)e->n_elite)];
}

static bool bear_crossing(Evolution *e, int generation)
{
    for (int i = 0; i < CHILD_DRAWS && e->n_elite > 1; i++) {
        int a = draw_parent(e), b = draw_parent(e);
        if (a == b)
            continue;
        Genotype g = genotype_cross(e->space, &e->all[a].genotype, &e->all[b].genotype, &e->rng);
        if (admit(e, &g, (Candidate){.generation = generation, .parent = {a, b}}))
            return true;
    }
    return bear_random(e, generation);
}

static bool bear_mutant(Evolution *e, int generation)
{
    for (int i = 0; i < CHILD_DRAWS; i++) {
        int a = draw_parent(e);
        const Genotype *parent = &e->all[a].genotype;
        Genotype g = genotype_mutate(e->space, parent, e->options->mutation_rate, &e->rng);
        if (admit(e, &g, (Candidate){.generation = generation, .parent = {a, -1}}))
            return true;
    }
    return bear_random(e, generation);
}

static void bear_generation(Evolution *e, int generation)
{
    const EvolveOptions *o = e->options;
    int children = generation == 0 ? o->population : o->crossovers + o->mutations;
    bool random = generation == 0 || o->algorithm == ALGORITHM_RANDOM;
    e->rng = rng_make(o->seed, (uint64_t)generation);
    for (int i = 0; i < children; i++) {
        if (random)
            bear_random(e, generation);
        else if (i < o->crossovers)
            bear_crossing(e, generation);
        else
            bear_mutant(e, generation);
    }
}

/* ---- what they are worth ---- */

/* Larger fitness, of equals the one born first; a fitness that is no number is the worst. */
static bool better(const Candidate *a, const Candidate *b)
{
    double x = isnan(a->fitness) ? -INFINITY : a->fitness;
    double y = isnan(b->fitness) ? -INFINITY : b->fitness;
    return x > y || (x == y && a->number < b->number);
}

static void rank_elite(Evolution *e, int number)
{
    int i = e->n_elite;
    for (; i > 0 && better(&e->all[number], &e->all[e->elite[i - 1]]); i--)
        e->elite[i] = e->elite[i - 1];
    e->elite[i] = number;
    e->n_elite += e->n_elite < e->room;
}

static bool is_known(const Evolution *e, Candidate *c)
{
    const EvolveHooks *h = e->hooks;
    return h->known && h->known(h->ctx, c, &c->fitness);
}

/* Those not known go to the front of todo, in order of birth. */
static int list_unknown(const Evolution *e, int first, int *todo)
{
    const EvolveHooks *h = e->hooks;
    int n = 0;
    for (int i = first; i < e->n; i++)
        if (!is_known(e, &e->all[i]))
            todo[n++] = i;
    for (int i = 0; i < n && h->born; i++)
        h->born(h->ctx, &e->all[todo[i]]);
    return n;
}

static void evaluate_from(Evolution *e, int first)
{
    const EvolveHooks *h = e->hooks;
    int threads = e->options->threads > 0 ? e->options->threads : omp_get_max_threads();
    int *todo = xmalloc((size_t)(e->n - first + 1) * sizeof *todo);
    int n = list_unknown(e, first, todo);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int i = 0; i < n; i++) {
        Candidate *c = &e->all[todo[i]];
        c->fitness = h->fitness(h->ctx, c);
        if (h->evaluated) {
#pragma omp critical(evolve_evaluated)
            h->evaluated(h->ctx, c);
        }
    }
    free(todo);
    for (int i = first; i < e->n; i++)
        rank_elite(e, i);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static double median_from(const Evolution *e, int first)
{
    int n = e->n - first;
    double *fitness = xmalloc((size_t)n * sizeof *fitness);
    for (int i = 0; i < n; i++)
        fitness[i] = isnan(e->all[first + i].fitness) ? -INFINITY : e->all[first + i].fitness;
    qsort(fitness, (size_t)n, sizeof *fitness, descending);
    double median = n % 2 ? fitness[n / 2] : (fitness[n / 2 - 1] + fitness[n / 2]) / 2;
    free(fitness);
    return median;
}

static void report(const Evolution *e, int generation, int first, bool ends)
{
    const Candidate *winner = &e->all[e->elite[0]];
    EvolveReport r = {.generation = generation,
                      .generations = e->options->generations,
                      .evaluated = e->n,
                      .total = ends ? e->n : e->total,
                      .drawn = e->drawn,
                      .fitting = e->fitting,
                      .best = winner->fitness,
                      .median = median_from(e, first),
                      .winner = winner};
    if (e->hooks->generation)
        e->hooks->generation(e->hooks->ctx, &r);
}

/* ---- the whole ---- */

static Evolution begin(const EvolveOptions *o)
{
    Evolution e = {.options = o, .slots = 64, .room = o->parents > 1 ? o->parents : 1};
    assert(o->population > 0 && o->crossovers >= 0 && o->mutations >= 0 && o->generations >= 0);
    e.total = o->population + o->generations * (o->crossovers + o->mutations);
    while (e.slots < 2 * (unsigned)e.total)
        e.slots *= 2;
    e.all = xcalloc((size_t)e.total, sizeof *e.all);
    e.slot = xmalloc(e.slots * sizeof *e.slot);
    e.elite = xmalloc((size_t)(e.room + 1) * sizeof *e.elite);
    for (unsigned i = 0; i < e.slots; i++)
        e.slot[i] = -1;
    return e;
}

static void release(Evolution *e)
{
    free(e->all);
    free(e->slot);
    free(e->elite);
}

static int nothing_fits(const Evolution *e)
{
    const EvolveOptions *o = e->options;
    Net net;
    Genotype g = genotype_smallest(e->space, o->width, o->resolution);
    genotype_expand(e->space, &g, o->n_classes, &net);
    Cost c = estimate(&net, e->target, &o->plan);
    Resolution r = e->space->resolution[o->resolution];
    return errorf("none of %d random networks of the space '%s' fits at width %g, resolution "
                  "%dx%d: the smallest takes %u bytes of SRAM, %u of flash and %llu MACs",
                  RANDOM_DRAWS, e->space->name, e->space->width[o->width], r.h, r.w, c.sram,
                  c.flash, (unsigned long long)c.macs);
}

/* Stops early when a generation bears nothing: no network is left that fits and is new. */
static void run(Evolution *e)
{
    for (int generation = 0, first = 0, last = 0; generation <= e->options->generations;
         generation++) {
        first = e->n;
        bear_generation(e, generation);
        if (e->n == first) {
            if (e->n > 0)
                report(e, generation - 1, last, true);
            return;
        }
        evaluate_from(e, first);
        report(e, generation, first, false);
        last = first;
    }
}

int evolve(const Space *space, const Target *target, const Limits *limits,
           const EvolveOptions *options, const EvolveHooks *hooks, Candidate *winner)
{
    Evolution e = begin(options);
    int status = 0;
    e.space = space;
    e.target = target;
    e.limits = limits;
    e.hooks = hooks;
    run(&e);
    if (e.n > 0)
        *winner = e.all[e.elite[0]];
    else
        status = nothing_fits(&e);
    release(&e);
    return status;
}

static const char *const names[] = {
#define X(algorithm, name) [ALGORITHM_##algorithm] = name,
    ALGORITHMS(X)
#undef X
};

const char *algorithm_name(Algorithm algorithm)
{
    assert(algorithm < N_ALGORITHMS);
    return names[algorithm];
}

int algorithm_parse(const char *name, Algorithm *algorithm)
{
    for (int i = 0; i < N_ALGORITHMS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *algorithm = (Algorithm)i;
            return 0;
        }
    }
    return errorf("unknown algorithm '%s': it is evolution or random", name);
}
