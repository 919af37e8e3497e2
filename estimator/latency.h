/* latency.h - how long a plan takes, from coefficients that were fitted.
 *
 * Linear in what a kernel does, one set of coefficients an operator and step:
 *     time = op * times it begins + row * calls of the kernel + pixel * output pixels
 *            + output * outputs + mac * MACs inside the image
 * fitted by least squares on plans that ran (under QEMU: the unit is executed
 * instructions; on a board: cycles). A MAC count alone is a poor proxy:
 * instructions a MAC span an order of magnitude between operators.
 *
 * Counted is what is executed, and a test watches the executor do it: what looks
 * at one pixel at a time is one call for a whole tensor, and one a row where rows
 * flow; tiles begin again and compute their halos again. Others use the same five
 * places for what they do:
 *
 *                   op           row           pixel         output        mac
 *     conv, dense,  as above     as above      rows of the   as above      of whole groups
 *     pointwise,                               window that                 of four outputs
 *     depthwise                                are walked                  (not depthwise)
 *     input, copy   -            calls         -             bytes         -
 *     sum_pool      -            calls         -             sums added to values added
 *     block         window rows  bytes moved   values of all taps of the   MACs of the
 *                   that slid    with them     three layers  depthwise     1x1 layers
 *
 * Four outputs are made together, and a row of their window is walked once for them. Kernels of
 * pairs work otherwise: latency_pairs.h. */
#ifndef LATENCY_H
#define LATENCY_H

#include "estimator/plan.h"

enum { FEATURE_CALL, FEATURE_ROW, FEATURE_PIXEL, FEATURE_OUTPUT, FEATURE_MAC, N_FEATURES };
/* The same places, as a block uses them. */
enum { BLOCK_SLIDE, BLOCK_MOVED, BLOCK_OUTPUT, BLOCK_TAP, BLOCK_MAC };

typedef struct {
    char unit[16];      /* "instructions", "cycles"; "" when there is no model */
    char source[160];   /* how it was measured: the emulated board, or a board and its log */
    char compiler[160]; /* of the kernels, and its flags */
    int runtime;        /* TB_VERSION of the kernels: no other's time is known */
    uint64_t clock_hz;  /* the board's while it was measured; 0: an emulated board has none */
    double error;       /* mean relative error on plans not used for the fit */
    double worst;       /* of one of them; 0: not known */
    double fixed;       /* once a network */
    double weight[N_STEPS][N_FEATURES];
    double cycles_per_instruction[N_STEPS]; /* estimated; 0: not known */
    char place[192];    /* where it was read, "file:line", for who has to complain */
} Latency;

/* Of a layer that runs alone, with its operator's kernel or the step of pairs. */
void layer_features(const Layer *l, int kernel, double features[N_FEATURES]);
/* Multiply-accumulates without the taps beyond the image; 0 of a layer without weights. */
double layer_macs_inside(const Layer *l);
double latency_layer(const Latency *latency, const Layer *l, int kernel);
/* All layers one after the other. */
double latency_net(const Latency *latency, const Net *net, const PlanOptions *options);

double latency_plan(const Latency *latency, const Net *net, const Plan *plan);
/* A layer's share of it, with the steps that are there for it: the rows of an image it pulls and
 * the moves before it; a block is its projection's. All layers and `fixed` are latency_plan(). */
double latency_in_plan(const Latency *latency, const Net *net, const Plan *plan, int layer);

/* Of a model that counts instructions, the cycles they are estimated to take; 0: of some kernel
 * that is not known. */
double latency_cycles(const Latency *latency, const Net *net, const Plan *plan);

/* What runs during one segment of a plan, and how long that took. */
typedef struct {
    double features[N_STEPS][N_FEATURES];
    double measured;
} LatencySample;

/* Fills in features. */
void latency_features(const Net *net, const Plan *plan, int segment, LatencySample *sample);

/* Least squares over the samples, relative errors weighted equally, coefficients
 * not negative. Operators and steps that occur in no sample keep theirs. */
void latency_fit(Latency *latency, const LatencySample *samples, int n);

#endif
