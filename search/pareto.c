#include "search/pareto.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

enum { OBJECTIVES = 5 };

/* All to be made small; what is not compared is 0. */
typedef struct {
    double value[OBJECTIVES];
    int number, index;
} Point;

static Point point_of(const Candidate *c, int index, unsigned costs)
{
    return (Point){.value = {-c->fitness, costs & PARETO_SRAM ? c->cost.sram : 0,
                             costs & PARETO_FLASH ? c->cost.flash : 0,
                             costs & PARETO_MACS ? (double)c->cost.macs : 0,
                             costs & PARETO_LATENCY ? c->cost.latency : 0},
                   .number = c->number,
                   .index = index};
}

static int ascending(const void *a, const void *b)
{
    const Point *p = a, *q = b;
    for (int i = 0; i < OBJECTIVES; i++)
        if (p->value[i] != q->value[i])
            return p->value[i] < q->value[i] ? -1 : 1;
    return (p->number > q->number) - (p->number < q->number);
}

static bool nowhere_worse(const Point *p, const Point *q)
{
    for (int i = 0; i < OBJECTIVES; i++)
        if (p->value[i] > q->value[i])
            return false;
    return true;
}

/* In ascending order only an earlier point can beat a later one, and when one
 * does, so does one of the front: kept points are all we compare with. */
int pareto_front(const Candidate *candidates, int n, unsigned costs, int *front)
{
    Point *points = xmalloc((size_t)(n + 1) * sizeof *points);
    int n_points = 0, kept = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(candidates[i].fitness))
            points[n_points++] = point_of(&candidates[i], i, costs);
    qsort(points, (size_t)n_points, sizeof *points, ascending);
    for (int i = 0; i < n_points; i++) {
        bool beaten = false;
        for (int k = 0; k < kept && !beaten; k++)
            beaten = nowhere_worse(&points[k], &points[i]);
        if (!beaten)
            points[kept++] = points[i];
    }
    for (int k = 0; k < kept; k++)
        front[k] = points[k].index;
    free(points);
    return kept;
}
