#include "search/births.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHILD_DRAWS 200     /* until a child is given up and a random network takes its place */
#define RANDOM_DRAWS 100000 /* in a row without a new fitting one: the space is exhausted */

void births_init(Births *b, const EvolveOptions *o)
{
    assert(o->population > 0 && o->parents > 0 && o->generations >= 0);
    assert(o->crossovers >= 0 && o->mutations >= 0);
    *b = (Births){.options = o, .slots = 64, .total = evolve_total(o), .room = algorithm_room(o)};
    while (b->slots < 2 * (unsigned)b->total)
        b->slots *= 2;
    b->all = xcalloc((size_t)b->total, sizeof *b->all);
    b->slot = xmalloc(b->slots * sizeof *b->slot);
    b->parent = xmalloc((size_t)(b->room + 1) * sizeof *b->parent);
    b->stray = xmalloc((size_t)(b->room + 1) * sizeof *b->stray);
    for (unsigned i = 0; i < b->slots; i++)
        b->slot[i] = -1;
}

void births_release(Births *b)
{
    free(b->all);
    free(b->slot);
    free(b->parent);
    free(b->stray);
}

/* ---- what does not fit ---- */

static double excess(double cost, double limit)
{
    return limit > 0 && cost > limit ? cost / limit - 1 : 0;
}

static double excess_of(const Cost *c, const Limits *l)
{
    return excess(c->sram, (double)l->sram) + excess(c->flash, (double)l->flash) +
           excess((double)c->macs, (double)l->macs) + excess(c->latency, l->latency) +
           excess(c->energy, l->energy);
}

/* Keeps the `room` that exceed least, no genotype twice, of equal ones the first. */
static void stray(Births *b, const Genotype *g, const Cost *cost)
{
    Stray s = {*g, excess_of(cost, b->limits)};
    int at = b->n_strays;
    for (int i = 0; i < b->n_strays; i++)
        if (genotype_equal(&b->stray[i].genotype, g))
            return;
    while (at > 0 && b->stray[at - 1].excess > s.excess)
        at--;
    if (at == b->room)
        return;
    b->n_strays += b->n_strays < b->room;
    memmove(&b->stray[at + 1], &b->stray[at], (size_t)(b->n_strays - 1 - at) * sizeof s);
    b->stray[at] = s;
}

/* ---- who was born already ---- */

Cost births_cost(const Births *b, const Genotype *g)
{
    if (b->hooks->cost)
        return b->hooks->cost(b->hooks->ctx, g);
    Net net;
    genotype_expand(b->space, g, b->options->n_classes, &net);
    return estimate(&net, b->target, &b->options->plan);
}

static int *find_slot(const Births *b, const Genotype *g)
{
    unsigned i = (unsigned)genotype_hash(g) & (b->slots - 1);
    while (b->slot[i] >= 0 && !genotype_equal(&b->all[b->slot[i]].genotype, g))
        i = (i + 1) & (b->slots - 1);
    return &b->slot[i];
}

/* Takes the candidate in when its genotype is new and its network fits. */
static bool admit(Births *b, Candidate *c)
{
    int *slot = find_slot(b, &c->genotype);
    b->drawn++;
    if (*slot >= 0) {
        b->fitting++;
        return false;
    }
    c->cost = births_cost(b, &c->genotype);
    if (!cost_fits(&c->cost, b->limits)) {
        if (b->n < b->room)
            stray(b, &c->genotype, &c->cost);
        return false;
    }
    b->fitting++;
    c->number = b->n;
    *slot = b->n;
    b->all[b->n++] = *c;
    return true;
}

/* ---- how they are drawn ---- */

static int draw_resolution(Births *b)
{
    const Choices *c = &b->options->resolutions;
    return c->n > 1 ? c->value[rng_below(&b->rng, c->n)] : c->value[0];
}

static bool bear_random(Births *b, int generation)
{
    const EvolveOptions *o = b->options;
    for (int i = 0; i < RANDOM_DRAWS && !b->exhausted; i++) {
        Candidate c = {.generation = generation, .parent = {-1, -1}};
        int resolution = draw_resolution(b);
        c.genotype = genotype_sample(b->space, o->width, resolution, &b->rng);
        if (admit(b, &c))
            return true;
    }
    b->exhausted = true;
    return false;
}

static bool bear_child(Births *b, int generation, int i)
{
    for (int draw = 0; draw < CHILD_DRAWS; draw++) {
        Candidate c = {.generation = generation, .parent = {-1, -1}};
        if (algorithm_draw(b, i, &c) && admit(b, &c))
            return true;
    }
    return bear_random(b, generation);
}

void births_generation(Births *b, int generation)
{
    const EvolveOptions *o = b->options;
    int n = generation == 0 ? o->population : o->crossovers + o->mutations;
    if (n > b->total - b->n)
        n = b->total - b->n;
    b->rng = rng_make(o->seed, (uint64_t)generation);
    for (int i = 0; i < n; i++) {
        if (generation == 0 || b->room == 0)
            bear_random(b, generation);
        else
            bear_child(b, generation, i);
    }
}
