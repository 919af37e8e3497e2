/* evolve.h - TinyNAS stage 2: the best networks of a space that fit.
 *
 * Four algorithms, one loop: random fitting networks first; then, generation
 * by generation, children of those that are parents now.
 *
 *   evolution  as in MCUNet App. D-E: the best are parents, half of the children
 *              are crossed, half are mutants. The parents stay in the population
 *              beside their children, so they are the best of all so far and the
 *              winner is never lost (the paper does not say).
 *   nsga2      NSGA-II (Deb et al. 2002): for several objectives at once, large
 *              fitness and small costs. The population is what pareto_sort() puts
 *              first of the last one and its children; a parent is the better of
 *              two drawn from it; children are crossed and mutated, or mutants.
 *   aging      regularised evolution (Real et al. 2019): the population are the
 *              youngest, a parent is the fittest of some drawn from it (with costs:
 *              the best under random weights), children are mutants. A generation
 *              of one child is the original.
 *   random     the baseline at the same number of evaluations.
 *
 * Only networks that fit are evaluated, no genotype twice: a child that does
 * not fit or was there before is drawn again, and after many draws in vain a
 * random one takes its place. While fewer fit than may be parents, those that
 * exceed the limits least are parents too, behind all that fit (Deb's constraint
 * domination); to know that, no fitness is needed. Of equal fitnesses the one
 * born first is better.
 *
 * The search does not know how accuracy is found: it is given a fitness, which
 * it calls from several threads at once. It is deterministic: which genotypes
 * are evaluated depends on the seed and the fitnesses alone, never on threads
 * or time. So a killed search resumes by running again with a `known` that
 * remembers: it takes the same path, and jumps to where it was. Only a budget of
 * seconds does not repeat: it decides after which generation the path ends, and
 * whoever resumes gives what is left of it. */
#ifndef EVOLVE_H
#define EVOLVE_H

#include "search/pareto.h"

#define ALGORITHMS(X)                                                                              \
    X(EVOLUTION, "evolution") X(RANDOM, "random") X(NSGA2, "nsga2") X(AGING, "aging")
typedef enum {
#define X(algorithm, name) ALGORITHM_##algorithm,
    ALGORITHMS(X)
#undef X
    N_ALGORITHMS
} Algorithm;

/* In brackets what the paper's evolution has; evolve_defaults() knows each algorithm's own. */
typedef struct {
    Algorithm algorithm;
    unsigned costs;       /* objectives besides fitness, PARETO_*: of nsga2, aging, hypervolume */
    int population;       /* of generation 0, and nsga2's and aging's of each [100] */
    int parents;          /* evolution: how many; aging: drawn for one [20] */
    int crossovers;       /* children a generation by crossover [50] */
    int mutations;        /* and by mutation; aging makes mutants of all [50] */
    double mutation_rate; /* a gene [0.1] */
    int generations;      /* at most, after the initial population [30] */
    int evaluations;      /* at most, all in all; 0: those of the generations */
    double seconds;       /* the generation in which they pass is the last; 0: no bound */
    int threads;
    uint64_t seed;
    int width;             /* the space stage 1 chose, as indices */
    Choices resolutions;   /* fewest pixels first; of several each genotype has its own */
    int n_classes;
    PlanOptions plan;
} EvolveOptions;

typedef struct {
    int generation, generations;
    int evaluated, total;      /* evaluations so far, known ones too, and planned */
    int64_t drawn, fitting;    /* genotypes drawn, again and again too, and those that fit */
    double best, median;       /* fitness: best so far, median of this generation */
    int front;                 /* candidates so far that no other beats in the objectives */
    double hypervolume;        /* fitness x unused share of each cost that is an objective, whole
                                * being its limit, or the largest network's where there is none */
    const Candidate *winner;   /* best fitness so far */
} EvolveReport;

/* All callbacks get ctx. fitness is called from several threads at once; the
 * others from one thread at a time. */
typedef struct {
    void *ctx;
    double (*fitness)(void *ctx, const Candidate *candidate);
    /* true and *fitness when it was evaluated before, in a run that was killed; may be NULL */
    bool (*known)(void *ctx, const Candidate *candidate, double *fitness);
    /* Before the candidates of a generation are evaluated, where any is not known: who is worse
     * than `bar` will be neither a parent nor the winner, so that it is enough to know as much.
     * NULL: every fitness counts. May be NULL. */
    void (*bar)(void *ctx, const Candidate *bar);
    /* a candidate is about to be evaluated (all of a generation, in order of birth, before any
     * of them is), and has been (in any order); not called for a known one; may be NULL */
    void (*born)(void *ctx, const Candidate *candidate);
    void (*evaluated)(void *ctx, const Candidate *candidate);
    /* After each generation. A search that ends early, because no new network fits, reports
     * its last generation once more, with total == evaluated. May be NULL. */
    void (*generation)(void *ctx, const EvolveReport *report);
    /* what a network costs, where that is known without a Net; NULL: estimate() */
    Cost (*cost)(void *ctx, const Genotype *genotype);
} EvolveHooks;

/* What is 0 becomes the algorithm's own: population, parents, crossovers and mutations,
 * their rate, costs, generations (or, where evaluations are given, as many as they take). */
void evolve_defaults(EvolveOptions *options);

/* Writes the candidate with the best fitness. -1 with errorf() when no network fits after many
 * draws. */
int evolve(const Space *space, const Target *target, const Limits *limits,
           const EvolveOptions *options, const EvolveHooks *hooks, Candidate *winner);

/* What a generation of evolve() does: fills in the fitness of n candidates, with all hooks but
 * `generation` and `cost`. bar: what the hook is told. */
void evolve_evaluate(const EvolveHooks *hooks, const Candidate *bar, Candidate *candidates, int n,
                     int threads);

int evolve_total(const EvolveOptions *options); /* evaluations at most: numbers are below it */

const char *algorithm_name(Algorithm algorithm);
int algorithm_parse(const char *name, Algorithm *algorithm);

#endif
