/* model.h - the parameters of a network in float, and nothing else.
 *
 * A Model is a Net with one block of trainable parameters and one of running
 * statistics; the LayerParams point into them. Everything that trains,
 * evaluates, fine-tunes or quantises takes a Model, wherever it came from. A
 * gradient is a Model too: same net, same places, and in `stats` the batch's
 * statistics. Convolutions have a batch norm and no bias; dense has a bias. */
#ifndef MODEL_H
#define MODEL_H

#include "base/rng.h"
#include "network/net.h"

#include <stddef.h>

typedef struct {
    float *w;            /* conv, dense [out_c][kh][kw][in_c]; pointwise [out_c][in_c];
                          * depthwise [kh][kw][c] */
    float *bias;         /* dense [out_c]; NULL elsewhere */
    float *gamma, *beta; /* norm [out_c]; NULL for dense */
    float *mean, *var;   /* running statistics [out_c]; NULL for dense */
} LayerParams;

typedef struct {
    Net net;
    size_t n_params, n_stats; /* floats */
    float *params, *stats;    /* one block each; params owns both */
    LayerParams layer[NET_MAX_LAYERS];
} Model;

#define NORM_EPSILON 1e-3f

void model_measure(Model *m, const Net *net); /* n_params and n_stats alone, no arrays */
void model_init(Model *m, const Net *net); /* zeroed; var is 1, gamma is 1 */
void model_release(Model *m);
/* He et al. 2015: normal, variance 2 / (kh kw in_c), for depthwise 2 / (kh kw); dense small;
 * gamma 1, beta 0. Running statistics stay. */
void model_randomise(Model *m, Rng *rng);
void model_copy(Model *to, const Model *from); /* of the same net */
uint64_t model_hash(const Model *m);      /* over parameters and statistics */

#endif
