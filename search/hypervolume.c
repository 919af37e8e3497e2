#include "search/hypervolume.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

static double box(const Gains *p)
{
    double volume = 1;
    for (int k = 0; k < PARETO_OBJECTIVES; k++)
        volume *= p->gain[k];
    return volume;
}

static bool inside(const Gains *p, const Gains *of)
{
    for (int k = 0; k < PARETO_OBJECTIVES; k++)
        if (p->gain[k] > of->gain[k])
            return false;
    return true;
}

static Gains common(const Gains *p, const Gains *q)
{
    Gains c;
    for (int k = 0; k < PARETO_OBJECTIVES; k++)
        c.gain[k] = fmin(p->gain[k], q->gain[k]);
    return c;
}

/* Adds a point to those of which none is inside another; false when it is inside one. */
static bool keep(Gains *front, int *n, const Gains *p)
{
    int kept = 0;
    for (int i = 0; i < *n; i++)
        if (inside(p, &front[i]))
            return false;
    for (int i = 0; i < *n; i++)
        if (!inside(&front[i], p))
            front[kept++] = front[i];
    front[kept++] = *p;
    *n = kept;
    return true;
}

/* What p has alone: its box less what the others have of it (While, Bradstreet
 * and Barone 2012). What two boxes have in common is a box too, so the others'
 * share is a hypervolume again, of fewer and smaller boxes. */
static double alone(const Gains *p, const Gains *others, int n)
{
    Gains *shared = xmalloc((size_t)(n + 1) * sizeof *shared);
    int kept = 0;
    double volume = box(p);
    for (int i = 0; i < n; i++) {
        Gains c = common(p, &others[i]);
        keep(shared, &kept, &c);
    }
    for (int i = 0; i < kept; i++)
        volume -= alone(&shared[i], shared, i);
    free(shared);
    return volume;
}

bool hypervolume_add(Hypervolume *h, const Gains *point)
{
    for (int k = 0; k < PARETO_OBJECTIVES; k++)
        if (!(point->gain[k] > 0))
            return false;
    if (h->n == h->room) {
        h->room = h->room ? 2 * h->room : 64;
        h->front = xrealloc(h->front, (size_t)h->room * sizeof *h->front);
    }
    for (int i = 0; i < h->n; i++)
        if (inside(point, &h->front[i]))
            return false;
    h->volume += alone(point, h->front, h->n);
    return keep(h->front, &h->n, point);
}

void hypervolume_release(Hypervolume *h)
{
    free(h->front);
}
