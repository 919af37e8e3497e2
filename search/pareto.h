/* pareto.h - the candidates that no other candidate beats, and the order behind them.
 *
 * One beats another when it is nowhere worse and somewhere better: fitness
 * larger, costs smaller. Of candidates that are equal in everything compared
 * the one born first beats the others. */
#ifndef PARETO_H
#define PARETO_H

#include "search/candidate.h"

/* The costs to compare, added up; fitness is always compared. Flag, word, field of Cost. */
#define PARETO_COSTS(X)                                                                            \
    X(SRAM, "sram", sram) X(FLASH, "flash", flash) X(MACS, "macs", macs)                           \
    X(LATENCY, "latency", latency)
enum {
#define X(flag, word, field) PARETO_INDEX_##flag,
    PARETO_COSTS(X)
#undef X
    N_PARETO_COSTS
};
enum {
#define X(flag, word, field) PARETO_##flag = 1 << PARETO_INDEX_##flag,
    PARETO_COSTS(X)
#undef X
    PARETO_ALL = (1 << N_PARETO_COSTS) - 1
};

enum { PARETO_OBJECTIVES = 1 + N_PARETO_COSTS };

/* The numbers that are compared, all to be made small: -fitness, then the costs
 * in the list's order; those not compared are 0. */
typedef struct {
    double value[PARETO_OBJECTIVES];
} ParetoPoint;
ParetoPoint pareto_point(const Candidate *c, unsigned costs);

/* Writes the indices of the front into front[n], largest fitness first, and
 * returns how many. A candidate whose fitness is no number is never in it. */
int pareto_front(const Candidate *candidates, int n, unsigned costs, int *front);

/* NSGA-II's order (Deb et al. 2002, section III): first the front, then the
 * front of the others, and so on; within one the lonelier first, then the one
 * born first. */
typedef struct {
    int index;       /* into candidates */
    int rank;        /* 0: in the front; INT_MAX: its fitness is no number */
    double crowding; /* INFINITY at the ends of a front; not of rank INT_MAX: 0 */
} ParetoPlace;
void pareto_sort(const Candidate *const *candidates, int n, unsigned costs, ParetoPlace *places);

#endif
