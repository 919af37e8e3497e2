/* How well the algorithms search, on a table of 6,561 trained networks (tests/nbmacro.h), each with
 * its own sizes and 50 seeds: the share of the true front's hypervolume after some evaluations, and
 * how many points of accuracy the best network under a bound of FLOPs falls short of the optimum.
 * The table is ../shared/bench/nbmacro.csv, that of THIMBLE_SHARED, or the first argument. */
#define _GNU_SOURCE
#include "tests/nbmacro.h"
#include "tests/suite.h"

#include <math.h>

enum { SEEDS = 50 };

typedef struct {
    double mean, error; /* of the mean: the standard deviation over the root of the seeds */
} Figure;

static Figure figure_of(const double *value)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < SEEDS; i++)
        sum += value[i];
    double mean = sum / SEEDS;
    for (int i = 0; i < SEEDS; i++)
        squares += (value[i] - mean) * (value[i] - mean);
    return (Figure){mean, sqrt(squares / (SEEDS - 1) / SEEDS)};
}

/* On as many threads as there are: every search is a task of its own, with one thread. */
static void run(const NbMacro *nb, EvolveOptions o, uint64_t most_flops, Figure *hypervolume,
                Figure *regret)
{
    double volume[SEEDS], short_of[SEEDS];
    double optimum = nb_optimum(nb, most_flops > 0 ? (double)most_flops : INFINITY);
    o.threads = 1;
    evolve_defaults(&o);
#pragma omp parallel for firstprivate(o)
    for (int seed = 0; seed < SEEDS; seed++) {
        Candidate winner = {.fitness = 0};
        o.seed = (uint64_t)seed + 1;
        if (nb_search(nb, &o, most_flops, &winner, &volume[seed]) != 0)
            abort();
        short_of[seed] = optimum - winner.fitness;
    }
    *hypervolume = figure_of(volume);
    *regret = figure_of(short_of);
}

static void bench_front(const NbMacro *nb)
{
    static const Algorithm algorithms[] = {ALGORITHM_NSGA2, ALGORITHM_AGING, ALGORITHM_RANDOM};
    static const int evaluations[] = {100, 300, 1000};
    for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++)
        for (size_t n = 0; n < sizeof evaluations / sizeof *evaluations; n++) {
            Figure hypervolume, regret;
            EvolveOptions o = {.algorithm = algorithms[a], .evaluations = evaluations[n],
                               .costs = PARETO_MACS};
            run(nb, o, 0, &hypervolume, &regret);
            printf("%s %d hypervolume %.4f +- %.4f\n", algorithm_name(algorithms[a]),
                   evaluations[n], hypervolume.mean, hypervolume.error);
        }
}

static void bench_best(const NbMacro *nb)
{
    static const Algorithm algorithms[] = {ALGORITHM_EVOLUTION, ALGORITHM_AGING, ALGORITHM_RANDOM};
    static const int millions[] = {40, 50, 60};
    for (size_t a = 0; a < sizeof algorithms / sizeof *algorithms; a++)
        for (size_t m = 0; m < sizeof millions / sizeof *millions; m++) {
            Figure hypervolume, regret;
            uint64_t bound = (uint64_t)millions[m] * 1000000;
            EvolveOptions o = {.algorithm = algorithms[a], .evaluations = 400};
            run(nb, o, bound, &hypervolume, &regret);
            printf("%s %dM regret %.4f +- %.4f\n", algorithm_name(algorithms[a]), millions[m],
                   regret.mean, regret.error);
        }
}

int main(int argc, char **argv)
{
    static NbMacro nb;
    const char *path = argc > 1 ? argv[1] : shared_file("bench/nbmacro.csv");
    if (nb_read(&nb, path) != 0) {
        printf("bench_search needs NAS-Bench-Macro's table: %s is not there, or not it\n", path);
        return argc > 1;
    }
    bench_front(&nb);
    bench_best(&nb);
    return 0;
}
