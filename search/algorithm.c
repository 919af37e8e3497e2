#include "search/births.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- who are parents ---- */

/* Larger fitness, of equals the one born first; a fitness that is no number is the worst. */
static int by_fitness(const void *a, const void *b)
{
    const Candidate *p = *(const Candidate *const *)a, *q = *(const Candidate *const *)b;
    double x = isnan(p->fitness) ? -INFINITY : p->fitness;
    double y = isnan(q->fitness) ? -INFINITY : q->fitness;
    return x != y ? (x < y) - (x > y) : (p->number > q->number) - (p->number < q->number);
}

static void become_parents(Births *b, const Candidate **pool, int n)
{
    b->n_parents = n < b->room ? n : b->room;
    for (int i = 0; i < b->n_parents; i++)
        b->parent[i] = pool[i]->number;
}

static void select_best(Births *b, const Candidate **pool, int n)
{
    qsort(pool, (size_t)n, sizeof *pool, by_fitness);
    become_parents(b, pool, n);
}

/* The youngest stand at the end of the order of birth. */
static void select_youngest(Births *b, const Candidate **pool, int n)
{
    n = b->n < b->room ? b->n : b->room;
    for (int i = 0; i < n; i++)
        pool[i] = &b->all[b->n - n + i];
    select_best(b, pool, n);
}

static void select_front(Births *b, const Candidate **pool, int n)
{
    ParetoPlace *place = xmalloc((size_t)n * sizeof *place);
    pareto_sort(pool, n, b->options->costs, place);
    const Candidate **sorted = xmalloc((size_t)n * sizeof *sorted);
    for (int i = 0; i < n; i++)
        sorted[i] = pool[place[i].index];
    become_parents(b, sorted, n);
    free(sorted);
    free(place);
}

static void select_none(Births *b, const Candidate **pool, int n)
{
    (void)b, (void)pool, (void)n;
}

/* ---- how they have children ---- */

/* Parents first, then strays as far as there is room: all in one order, best first. */
static int places(const Births *b)
{
    int n = b->n_parents + b->n_strays;
    return n < b->room ? n : b->room;
}

/* The best of some drawn places. */
static int draw_place(Births *b, int draws)
{
    uint32_t n = (uint32_t)places(b), best = n;
    for (int i = 0; i < draws; i++) {
        uint32_t place = rng_below(&b->rng, n);
        best = place < best ? place : best;
    }
    return (int)best;
}

static const Genotype *take(const Births *b, int place, int *number)
{
    bool fits = place < b->n_parents;
    *number = fits ? b->parent[place] : -1;
    return fits ? &b->all[*number].genotype : &b->stray[place - b->n_parents].genotype;
}

static Genotype mutant_of(Births *b, const Genotype *g)
{
    const EvolveOptions *o = b->options;
    return genotype_mutate(b->space, &o->resolutions, g, o->mutation_rate, &b->rng);
}

static void mutate(Births *b, int place, Candidate *c)
{
    const Genotype *g = take(b, place, &c->parent[0]);
    c->genotype = mutant_of(b, g);
}

static bool draw_crossing(Births *b, int tournament, Candidate *c)
{
    int i = draw_place(b, tournament), j = draw_place(b, tournament);
    if (i == j)
        return false;
    const Genotype *p = take(b, i, &c->parent[0]), *q = take(b, j, &c->parent[1]);
    c->genotype = genotype_cross(b->space, p, q, &b->rng);
    return true;
}

/* MCUNet's children. */
static bool draw_either(Births *b, int i, Candidate *c)
{
    if (i < b->options->crossovers)
        return draw_crossing(b, 1, c);
    mutate(b, draw_place(b, 1), c);
    return true;
}

/* NSGA-II's, and mutants beside what is crossed and mutated: in bench_search's table hypervolume
 * 0.9844 at 300 evaluations and 0.9992 at 1,000 against 0.9826 and 0.9985 without them. */
static bool draw_crossed_mutant(Births *b, int i, Candidate *c)
{
    if (i >= b->options->crossovers)
        mutate(b, draw_place(b, 2), c);
    else if (!draw_crossing(b, 2, c))
        return false;
    else
        c->genotype = mutant_of(b, &c->genotype);
    return true;
}

/* ---- aging over several objectives ---- */

/* Where to: the objective that counts is the one that is worst after weighting. A new aim for every
 * parent goes to every part of the front in turn (as in uNAS, Liberis et al. 2021). */
typedef struct {
    double weight[PARETO_OBJECTIVES], least[PARETO_OBJECTIVES];
} Aim;

static Aim draw_aim(Births *b)
{
    Aim aim;
    for (int k = 0; k < PARETO_OBJECTIVES; k++) {
        double least = INFINITY, most = -INFINITY;
        for (int i = 0; i < b->n_parents; i++) {
            double v = pareto_point(&b->all[b->parent[i]], b->options->costs).value[k];
            least = fmin(least, v);
            most = fmax(most, v);
        }
        double share = rng_uniform(&b->rng);
        aim.weight[k] = most > least ? share / (most - least) : 0;
        aim.least[k] = least;
    }
    return aim;
}

/* How far from the aim; a stray, and a fitness that is no number, infinitely. */
static double miss(const Births *b, int place, const Aim *aim)
{
    double worst = 0;
    if (place >= b->n_parents || isnan(b->all[b->parent[place]].fitness))
        return INFINITY;
    ParetoPoint p = pareto_point(&b->all[b->parent[place]], b->options->costs);
    for (int k = 0; k < PARETO_OBJECTIVES; k++)
        worst = fmax(worst, aim->weight[k] * (p.value[k] - aim->least[k]));
    return worst;
}

static int draw_nearest(Births *b, int draws)
{
    Aim aim = draw_aim(b);
    int best = draw_place(b, 1);
    for (int i = 1; i < draws; i++) {
        int place = draw_place(b, 1);
        if (miss(b, place, &aim) < miss(b, best, &aim))
            best = place;
    }
    return best;
}

static bool draw_of_sample(Births *b, int i, Candidate *c)
{
    int draws = b->options->parents;
    (void)i;
    mutate(b, b->options->costs ? draw_nearest(b, draws) : draw_place(b, draws), c);
    return true;
}

/* ---- the table ---- */

static int no_room(const EvolveOptions *o)
{
    (void)o;
    return 0;
}

static int room_of_parents(const EvolveOptions *o)
{
    return o->parents;
}

static int room_of_population(const EvolveOptions *o)
{
    return o->population;
}

/* Of each: room for parents, how they are selected, how children are drawn; and the sizes for
 * whoever names none, 3,100 evaluations each. The paper's for evolution and random; those of Real
 * et al. for aging, but ten children at a time, which cost it nothing in bench_search's table and
 * keep ten threads busy; for nsga2 what was among the best of 140 settings in that table, and with
 * half the paper's mutation rate, which is better there and in MCUNet's space with a planted
 * network. */
#define METHOD_EVOLUTION                                                                           \
    room_of_parents, select_best, draw_either,                                                     \
        {.population = 100, .parents = 20, .crossovers = 50, .mutations = 50,                      \
         .mutation_rate = 0.1, .generations = 30}
#define METHOD_RANDOM                                                                              \
    no_room, select_none, NULL,                                                                    \
        {.population = 100, .parents = 1, .crossovers = 50, .mutations = 50,                       \
         .mutation_rate = 0.1, .generations = 30}
#define METHOD_NSGA2                                                                               \
    room_of_population, select_front, draw_crossed_mutant,                                         \
        {.population = 20, .parents = 20, .crossovers = 10, .mutations = 10,                       \
         .mutation_rate = 0.05, .generations = 154, .costs = PARETO_MACS}
#define METHOD_AGING                                                                               \
    room_of_population, select_youngest, draw_of_sample,                                           \
        {.population = 100, .parents = 25, .crossovers = 0, .mutations = 10,                       \
         .mutation_rate = 0.1, .generations = 300}

static const struct {
    const char *name;
    int (*room)(const EvolveOptions *);
    void (*select)(Births *, const Candidate **pool, int n);
    bool (*draw)(Births *, int i, Candidate *child);
    EvolveOptions own;
} algorithms[] = {
#define X(algorithm, name) [ALGORITHM_##algorithm] = {name, METHOD_##algorithm},
    ALGORITHMS(X)
#undef X
};

void evolve_defaults(EvolveOptions *o)
{
    const EvolveOptions *own = &algorithms[o->algorithm].own;
    if (o->population == 0)
        o->population = own->population;
    if (o->parents == 0)
        o->parents = own->parents < o->population ? own->parents : o->population;
    if (o->crossovers + o->mutations == 0) {
        o->crossovers = own->crossovers;
        o->mutations = own->mutations;
    }
    if (o->mutation_rate == 0)
        o->mutation_rate = own->mutation_rate;
    if (o->costs == 0)
        o->costs = own->costs;
    if (o->generations == 0)
        o->generations = o->evaluations > 0 ? o->evaluations : own->generations;
}

int algorithm_room(const EvolveOptions *o)
{
    return algorithms[o->algorithm].room(o);
}

void algorithm_select(Births *b, int first)
{
    const Candidate **pool = xmalloc((size_t)(b->room + b->n - first + 1) * sizeof *pool);
    int n = 0;
    for (int i = 0; i < b->n_parents; i++)
        pool[n++] = &b->all[b->parent[i]];
    for (int i = first; i < b->n; i++)
        pool[n++] = &b->all[i];
    algorithms[b->options->algorithm].select(b, pool, n);
    free(pool);
}

const Candidate *algorithm_bar(const Births *b)
{
    bool the_best = algorithms[b->options->algorithm].select == select_best;
    return the_best && b->n_parents == b->room ? &b->all[b->parent[b->room - 1]] : NULL;
}

bool algorithm_draw(Births *b, int i, Candidate *child)
{
    return places(b) > 0 && algorithms[b->options->algorithm].draw(b, i, child);
}

const char *algorithm_name(Algorithm algorithm)
{
    assert(algorithm < N_ALGORITHMS);
    return algorithms[algorithm].name;
}

int algorithm_parse(const char *name, Algorithm *algorithm)
{
    for (int i = 0; i < N_ALGORITHMS; i++) {
        if (strcmp(name, algorithms[i].name) == 0) {
            *algorithm = (Algorithm)i;
            return 0;
        }
    }
    return errorf("unknown algorithm '%s': it is evolution, random, nsga2 or aging", name);
}
