/* latency.h - how long a layer takes, from coefficients that were fitted.
 *
 * Linear in physical features, one set of coefficients an operator:
 *     time = call + row * rows + pixel * output pixels + output * outputs
 *            + mac * MACs inside the image
 * fitted by least squares on layers that ran (under QEMU: the unit is executed
 * instructions; on a board: cycles). A MAC count alone is a poor proxy:
 * instructions a MAC span an order of magnitude between operators. */
#ifndef LATENCY_H
#define LATENCY_H

#include "estimator/plan.h"

enum { FEATURE_CALL, FEATURE_ROW, FEATURE_PIXEL, FEATURE_OUTPUT, FEATURE_MAC, N_FEATURES };

typedef struct {
    char unit[16];     /* "instructions", "cycles"; "" when there is no model */
    char source[96];   /* how it was measured */
    double error;      /* mean relative error on networks not used for the fit */
    double fixed;      /* once a network */
    double weight[N_OPS][N_FEATURES];
} Latency;

void layer_features(const Layer *l, double features[N_FEATURES]);
double latency_layer(const Latency *latency, const Layer *l);
double latency_net(const Latency *latency, const Net *net);
/* With what the plan computes twice. */
double latency_plan(const Latency *latency, const Net *net, const Plan *plan);

/* One measured layer. */
typedef struct {
    Layer layer;
    double measured;
} LatencySample;

/* Least squares per operator over the samples, relative errors weighted
 * equally, coefficients not negative. Operators without samples keep theirs. */
void latency_fit(Latency *latency, const LatencySample *samples, int n);

#endif
