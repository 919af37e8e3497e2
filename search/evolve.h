/* evolve.h - TinyNAS stage 2: the best network of a space that fits.
 *
 * Evolution as in MCUNet App. D-E: random fitting networks first; each
 * generation keeps the best as parents and makes the next by crossover and
 * mutation. The parents stay in the population beside their children, so they
 * are the best of all so far and the winner is never lost (the paper does not
 * say). Only networks that fit are evaluated, no genotype twice: a child that
 * does not fit or was there before is drawn again, and after many draws in vain
 * a random one takes its place. Random search is the baseline at the same
 * number of evaluations. Of equal fitnesses the one born first is better.
 *
 * The search does not know how accuracy is found: it is given a fitness, which
 * it calls from several threads at once. It is deterministic: which genotypes
 * are evaluated depends on the seed and the fitnesses alone, never on threads
 * or time. So a killed search resumes by running again with a `known` that
 * remembers: it takes the same path, and jumps to where it was. */
#ifndef EVOLVE_H
#define EVOLVE_H

#include "estimator/estimator.h"
#include "network/genotype.h"

#define ALGORITHMS(X) X(EVOLUTION, "evolution") X(RANDOM, "random")
typedef enum {
#define X(algorithm, name) ALGORITHM_##algorithm,
    ALGORITHMS(X)
#undef X
    N_ALGORITHMS
} Algorithm;

typedef struct {
    Algorithm algorithm;
    int population;       /* [100] */
    int parents;          /* [20] */
    int crossovers;       /* children a generation by crossover [50] */
    int mutations;        /* and by mutation [50] */
    double mutation_rate; /* a gene [0.1] */
    int generations;      /* after the initial population [30] */
    int threads;
    uint64_t seed;
    int width, resolution; /* the space stage 1 chose */
    int n_classes;
    PlanOptions plan;
} EvolveOptions;

typedef struct {
    Genotype genotype;
    Cost cost;
    double fitness;        /* larger is better */
    int number;            /* order of birth, from 0 */
    int generation;        /* 0: the initial population */
    int parent[2];         /* numbers, -1 where none */
} Candidate;

typedef struct {
    int generation, generations;
    int evaluated, total;      /* evaluations so far, known ones too, and planned */
    int64_t drawn, fitting;    /* genotypes drawn, again and again too, and those that fit */
    double best, median;       /* fitness: best so far, median of this generation */
    const Candidate *winner;   /* best so far */
} EvolveReport;

/* All callbacks get ctx. fitness is called from several threads at once; the
 * others from one thread at a time. */
typedef struct {
    void *ctx;
    double (*fitness)(void *ctx, const Candidate *candidate);
    /* true and *fitness when it was evaluated before, in a run that was killed; may be NULL */
    bool (*known)(void *ctx, const Candidate *candidate, double *fitness);
    /* a candidate is about to be evaluated (all of a generation, in order of birth, before any
     * of them is), and has been (in any order); not called for a known one; may be NULL */
    void (*born)(void *ctx, const Candidate *candidate);
    void (*evaluated)(void *ctx, const Candidate *candidate);
    /* After each generation. A search that ends early, because no new network fits, reports
     * its last generation once more, with total == evaluated. May be NULL. */
    void (*generation)(void *ctx, const EvolveReport *report);
} EvolveHooks;

/* Writes the best candidate. -1 with errorf() when no network fits after many draws. */
int evolve(const Space *space, const Target *target, const Limits *limits,
           const EvolveOptions *options, const EvolveHooks *hooks, Candidate *winner);

const char *algorithm_name(Algorithm algorithm);
int algorithm_parse(const char *name, Algorithm *algorithm);

#endif
