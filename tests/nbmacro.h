/* nbmacro.h - a table in place of training: NAS-Bench-Macro's 6,561 trained networks.
 *
 * Eight blocks of three choices each (../shared/bench/nbmacro.csv: accuracy in
 * percent, FLOPs). To the search it is a space of eight stages of one block with
 * three kernels, so genotypes and rows of the table are in bijection; what a
 * network costs and how good it is stands in the table. */
#ifndef NBMACRO_H
#define NBMACRO_H

#include "search/evolve.h"
#include "search/hypervolume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NB_GENES = 8, NB_NETS = 6561 };

typedef struct {
    Space space;
    double accuracy[NB_NETS], flops[NB_NETS]; /* by the genes as a number of base 3 */
    double worst_error, most_flops;           /* the reference of the hypervolume */
    double volume;                            /* of the true front */
} NbMacro;

static inline int nb_row(const Genotype *g)
{
    int row = 0;
    for (int i = 0; i < NB_GENES; i++)
        row = 3 * row + (g->kernel[i][0] - 3) / 2;
    return row;
}

static inline Space nb_space(void)
{
    Space s = {.name = "nbmacro", .in_c = 3, .divisor = 8, .n_widths = 1, .n_resolutions = 1,
               .width = {1}, .resolution = {{32, 32}}, .n_stages = NB_GENES};
    for (int i = 0; i < NB_GENES; i++)
        s.stage[i] = (Stage){.channels = 8, .stride = square(1), .kernel = {3, {3, 5, 7}},
                             .expansion = {1, {3}}, .depth = {1, {1}}};
    return s;
}

static inline int nb_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* As numpy and the prototype of the facts count percentiles: linear between ranks. */
static inline double nb_percentile(const double *value, int n, double share)
{
    double *sorted = malloc((size_t)n * sizeof *sorted), at = share * (n - 1);
    memcpy(sorted, value, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, nb_ascending);
    int i = (int)at;
    double p = sorted[i] + (at - i) * (sorted[i + 1 < n ? i + 1 : i] - sorted[i]);
    free(sorted);
    return p;
}

/* Objectives error and FLOPs, the reference being (95th percentile of error, largest FLOPs). */
static inline Gains nb_gains(const NbMacro *nb, int row)
{
    return (Gains){{nb->worst_error - (100 - nb->accuracy[row]),
                    nb->most_flops - nb->flops[row], 1, 1, 1}};
}

static inline void nb_measure(NbMacro *nb)
{
    double *error = malloc(sizeof nb->accuracy);
    Hypervolume h = {0};
    for (int i = 0; i < NB_NETS; i++) {
        error[i] = 100 - nb->accuracy[i];
        nb->most_flops = nb->flops[i] > nb->most_flops ? nb->flops[i] : nb->most_flops;
    }
    nb->worst_error = nb_percentile(error, NB_NETS, 0.95);
    for (int i = 0; i < NB_NETS; i++) {
        Gains g = nb_gains(nb, i);
        hypervolume_add(&h, &g);
    }
    nb->volume = h.volume;
    hypervolume_release(&h);
    free(error);
}

/* -1 when the file is not there or not the table. */
static inline int nb_read(NbMacro *nb, const char *path)
{
    char line[256], genes[16];
    int n = 0;
    FILE *file = fopen(path, "r");
    *nb = (NbMacro){.space = nb_space()};
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        double accuracy, deviation, flops;
        if (sscanf(line, "%8[012],%lf,%lf,%lf", genes, &accuracy, &deviation, &flops) != 4)
            continue; /* the heading */
        int row = (int)strtol(genes, NULL, 3);
        nb->accuracy[row] = accuracy;
        nb->flops[row] = flops;
        n++;
    }
    fclose(file);
    if (n == NB_NETS)
        nb_measure(nb);
    return n == NB_NETS ? 0 : -1;
}

/* Of all that cost at most so many FLOPs; the largest accuracy. */
static inline double nb_optimum(const NbMacro *nb, double flops)
{
    double best = 0;
    for (int i = 0; i < NB_NETS; i++)
        if (nb->flops[i] <= flops && nb->accuracy[i] > best)
            best = nb->accuracy[i];
    return best;
}

/* ---- a search in it ---- */

typedef struct {
    const NbMacro *nb;
    Hypervolume front;
} NbSearch;

static inline double nb_fitness(void *ctx, const Candidate *c)
{
    const NbSearch *s = ctx;
    return s->nb->accuracy[nb_row(&c->genotype)];
}

static inline Cost nb_cost(void *ctx, const Genotype *g)
{
    const NbSearch *s = ctx;
    return (Cost){.macs = (uint64_t)s->nb->flops[nb_row(g)]};
}

static inline void nb_evaluated(void *ctx, const Candidate *c)
{
    NbSearch *s = ctx;
    Gains g = nb_gains(s->nb, nb_row(&c->genotype));
    hypervolume_add(&s->front, &g);
}

/* The winner, and how much of the true front's hypervolume was found. */
static inline int nb_search(const NbMacro *nb, const EvolveOptions *options, uint64_t most_flops,
                            Candidate *winner, double *hypervolume)
{
    NbSearch search = {.nb = nb};
    Target target = {.name = "none"};
    Limits limits = {.macs = most_flops};
    EvolveHooks hooks = {.ctx = &search, .fitness = nb_fitness, .cost = nb_cost,
                         .evaluated = nb_evaluated};
    int status = evolve(&nb->space, &target, &limits, options, &hooks, winner);
    *hypervolume = search.front.volume / nb->volume;
    hypervolume_release(&search.front);
    return status;
}

#endif
