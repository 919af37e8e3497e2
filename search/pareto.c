#include "search/pareto.h"

#include "base/alloc.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* A candidate among others. */
typedef struct {
    ParetoPoint at;
    int number;
    ParetoPlace place;
} Point;

ParetoPoint pareto_point(const Candidate *c, unsigned costs)
{
    ParetoPoint p = {{-c->fitness}};
#define X(flag, word, field)                                                                       \
    p.value[1 + PARETO_INDEX_##flag] = costs & PARETO_##flag ? (double)c->cost.field : 0;
    PARETO_COSTS(X)
#undef X
    return p;
}

static Point point_of(const Candidate *c, int index, unsigned costs)
{
    return (Point){.at = pareto_point(c, costs), .number = c->number, .place = {.index = index}};
}

static int ascending(const void *a, const void *b)
{
    const Point *p = a, *q = b;
    for (int i = 0; i < PARETO_OBJECTIVES; i++)
        if (p->at.value[i] != q->at.value[i])
            return p->at.value[i] < q->at.value[i] ? -1 : 1;
    return (p->number > q->number) - (p->number < q->number);
}

static bool nowhere_worse(const Point *p, const Point *q)
{
    for (int i = 0; i < PARETO_OBJECTIVES; i++)
        if (p->at.value[i] > q->at.value[i])
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
        front[k] = points[k].place.index;
    free(points);
    return kept;
}

/* ---- fronts behind the front ---- */

/* A rank is the length of the longest chain of points of which each beats the next. */
static void rank(Point *points, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            if (points[k].place.rank >= points[i].place.rank &&
                nowhere_worse(&points[k], &points[i]))
                points[i].place.rank = points[k].place.rank + 1;
}

typedef struct {
    double value;
    Point *point;
} Step;

static int along(const void *a, const void *b)
{
    const Step *s = a, *t = b;
    if (s->value != t->value)
        return s->value < t->value ? -1 : 1;
    return (s->point->number > t->point->number) - (s->point->number < t->point->number);
}

/* Distance between a point's two neighbours along one objective, the whole length being 1. */
static void add_crowding(Step *step, int n)
{
    double length = step[n - 1].value - step[0].value;
    if (!(length > 0))
        return; /* all equal: it tells nothing */
    step[0].point->place.crowding = step[n - 1].point->place.crowding = INFINITY;
    for (int i = 1; i < n - 1; i++)
        step[i].point->place.crowding += (step[i + 1].value - step[i - 1].value) / length;
}

static void crowd(Point *points, int n, Step *step)
{
    for (int k = 0; k < PARETO_OBJECTIVES; k++) {
        for (int i = 0; i < n; i++)
            step[i] = (Step){points[i].at.value[k], &points[i]};
        qsort(step, (size_t)n, sizeof *step, along);
        add_crowding(step, n);
    }
}

static int by_rank(const void *a, const void *b)
{
    const Point *p = a, *q = b;
    if (p->place.rank != q->place.rank)
        return p->place.rank < q->place.rank ? -1 : 1;
    if (p->place.crowding != q->place.crowding)
        return p->place.crowding > q->place.crowding ? -1 : 1;
    return (p->number > q->number) - (p->number < q->number);
}

static void crowd_fronts(Point *points, int n)
{
    Step *step = xmalloc((size_t)(n + 1) * sizeof *step);
    for (int first = 0, end; first < n; first = end) {
        for (end = first; end < n && points[end].place.rank == points[first].place.rank;)
            end++;
        crowd(points + first, end - first, step);
    }
    free(step);
}

void pareto_sort(const Candidate *const *candidates, int n, unsigned costs, ParetoPlace *places)
{
    Point *points = xmalloc((size_t)(n + 1) * sizeof *points);
    int good = 0, bad = n;
    for (int i = 0; i < n; i++) {
        Point p = point_of(candidates[i], i, costs);
        p.place.rank = isnan(candidates[i]->fitness) ? INT_MAX : 0;
        points[p.place.rank ? --bad : good++] = p;
    }
    qsort(points, (size_t)good, sizeof *points, ascending);
    rank(points, good);
    qsort(points, (size_t)good, sizeof *points, by_rank);
    crowd_fronts(points, good);
    qsort(points, (size_t)n, sizeof *points, by_rank);
    for (int i = 0; i < n; i++)
        places[i] = points[i].place;
    free(points);
}
