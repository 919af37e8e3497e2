/* timed_plans.h - plans of the calibration's set with times that a known model gives them. */
#ifndef TIMED_PLANS_H
#define TIMED_PLANS_H

#include "base/alloc.h"
#include "calibration/calibration.h"

#include <math.h>

static inline Latency known_latency(Rng *rng)
{
    Latency l = {.unit = "cycles"};
    for (int step = 0; step < N_STEPS; step++)
        for (int f = 0; f < N_FEATURES; f++)
            l.weight[step][f] = 1 + 50 * rng_uniform(rng);
    return l;
}

/* Of a segment with several entries the first took everything but one for each other one. */
static inline void give_times(TimedPlan *t, const Latency *l, double factor)
{
    t->n_entries = 0;
    t->whole = 10; /* between the segments */
    for (int s = 0; s < t->plan.n_segments; s++) {
        LatencySample sample;
        double time = 0;
        latency_features(&t->net, &t->plan, s, &sample);
        for (int k = 0; k < N_STEPS * N_FEATURES; k++)
            time += factor * (&l->weight[0][0])[k] * (&sample.features[0][0])[k];
        int runs = plan_runs(&t->plan, s);
        for (int i = 0; i < runs; i++)
            t->entry[t->n_entries++] = i ? 1 : (uint64_t)llround(time) - (uint64_t)(runs - 1);
        t->whole += (uint64_t)llround(time);
    }
}

static inline TimedPlan *timed_plans(uint64_t seed, int n, const Latency *l)
{
    TimedPlan *t = xcalloc((size_t)n, sizeof *t);
    for (int i = 0; i < n; i++) {
        timed_plan_init(&t[i], seed, i);
        give_times(&t[i], l, 1);
    }
    return t;
}

#endif
