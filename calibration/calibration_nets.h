/* calibration_nets.h - random networks to time the runtime with.
 *
 * Between them they have every operator and shapes from wide to tiny; their
 * weights are such that outputs spread over int8, for what a kernel takes may
 * depend on its data (a softmax). */
#ifndef CALIBRATION_NETS_H
#define CALIBRATION_NETS_H

#include "base/rng.h"
#include "quant/qmodel.h"

void calibration_net(Net *net, Rng *rng);
/* Of nothing but expanding blocks: what a plan with a budget computes column by column. */
void calibration_chain(Net *net, Rng *rng);
/* The smallest that has this operator: nothing else, but for what a gate's vector takes. */
void calibration_operator(Net *net, Op op);

/* Random weights; qmodel_release() frees them. -1 with errorf() when the runtime could not
 * compute with them. */
int calibration_model(const Net *net, Rng *rng, QModel *q);

#endif
