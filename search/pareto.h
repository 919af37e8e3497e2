/* pareto.h - the candidates that no other candidate beats.
 *
 * One beats another when it is nowhere worse and somewhere better: fitness
 * larger, costs smaller. Of candidates that are equal in everything compared
 * only the one born first is in the front. */
#ifndef PARETO_H
#define PARETO_H

#include "search/evolve.h"

/* The costs to compare, added up; fitness is always compared. */
enum {
    PARETO_SRAM = 1,
    PARETO_FLASH = 2,
    PARETO_MACS = 4,
    PARETO_LATENCY = 8,
    PARETO_ALL = 15
};

/* Writes the indices of the front into front[n], largest fitness first, and
 * returns how many. A candidate whose fitness is no number is never in it. */
int pareto_front(const Candidate *candidates, int n, unsigned costs, int *front);

#endif
