/* latency_cycles.c - cycles from instructions, kernel by kernel. */
#include "estimator/latency.h"

static double instructions_of(const Latency *latency, const LatencySample *sample, int step)
{
    double n = 0;
    for (int f = 0; f < N_FEATURES; f++)
        n += latency->weight[step][f] * sample->features[step][f];
    return n;
}

double latency_cycles(const Latency *latency, const Net *net, const Plan *plan)
{
    double cycles = latency->fixed;
    for (int s = 0; s < plan->n_segments; s++) {
        LatencySample sample;
        latency_features(net, plan, s, &sample);
        for (int step = 0; step < N_STEPS; step++) {
            double n = instructions_of(latency, &sample, step);
            if (n > 0 && latency->cycles_per_instruction[step] <= 0)
                return 0;
            cycles += n * latency->cycles_per_instruction[step];
        }
    }
    return cycles;
}
