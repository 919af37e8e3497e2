/* timing.h - what benches say of their rounds. */
#ifndef TIMING_H
#define TIMING_H

#include "base/log.h"

#include <stdlib.h>

static inline int timing_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double median(double *value, int n)
{
    qsort(value, (size_t)n, sizeof *value, timing_order);
    return value[n / 2];
}

#endif
