/* hypervolume.h - how much the front has conquered, as one number.
 *
 * A candidate is a point of gains: by how much it is better than a reference in
 * each objective. It conquers the box between the reference and itself; the
 * hypervolume is the volume of all boxes together (Zitzler and Thiele 1999). It
 * never falls while candidates are added, and it is largest exactly for the
 * true front. An objective that is not compared has a gain of 1.
 *
 * 3,100 points near a sphere in 5 objectives, of which 2,526 stay in the front, take 0.7 s; in 3
 * objectives 0.01 s. */
#ifndef HYPERVOLUME_H
#define HYPERVOLUME_H

#include "search/pareto.h"

typedef struct {
    double gain[PARETO_OBJECTIVES]; /* larger is better; at 0 or below it conquers nothing */
} Gains;

typedef struct {
    double volume;
    Gains *front; /* [n], of which none is inside another's box */
    int n, room;
} Hypervolume;

/* Begins as (Hypervolume){0}. True when the point conquered something. */
bool hypervolume_add(Hypervolume *h, const Gains *point);
void hypervolume_release(Hypervolume *h);

#endif
