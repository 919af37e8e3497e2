/* qmodel.h - a network in int8, with TFLite's arithmetic.
 *
 * Weights are symmetric per output channel, activations asymmetric per tensor:
 * real = (q - zero) * scale. Norms are folded into weights and biases. The
 * tables are those the runtime reads, so host, device and exporter use the
 * same numbers. */
#ifndef QMODEL_H
#define QMODEL_H

#include "nn/model.h"

typedef struct {
    float scale;
    int8_t zero;
} QTensor;

typedef struct {
    int8_t *weights;     /* layout of runtime/tb.h, a lookup's [256]; NULL for the others */
    int32_t *bias;       /* [out_c] */
    int32_t *multiplier; /* [out_c]; add: [3]; mean, gate, softmax: [1] */
    int8_t *shift;       /* as multiplier */
    int8_t act_min, act_max;
} QLayer;

typedef struct {
    Net net;
    QTensor tensor[NET_MAX_LAYERS + 1]; /* [0] the image, [1 + l] the output of layer l */
    QLayer layer[NET_MAX_LAYERS];
    void *block; /* owns everything above */
} QModel;

/* Empty tables for a net that passes net_check(), for whoever fills them: weights,
 * biases and shifts 0, scales 1, no activation. One block; qmodel_release() frees it. */
void qmodel_init(QModel *q, const Net *net);
/* Entries of a layer's multiplier and shift, as said above; else 0. */
int qmodel_multipliers(const Layer *l);

/* Folds and quantises. lo, hi: each layer's output range, as nn_ranges() found
 * it on calibration images. The input is int8 = pixel - 128, that is scale
 * `in_scale` and zero `in_zero` (dataset's zero - 128). -1 with errorf() when
 * a range is not finite. */
int qmodel_make(QModel *q, const Model *m, const float *lo, const float *hi, float in_scale,
                int in_zero);
void qmodel_release(QModel *q);

/* Whether the runtime can compute with the tables of a net that passes net_check(): no sum
 * leaves 32 bits, scales and shifts are those of tb.h. -1 with errorf(). */
int qmodel_check(const QModel *q);
#define QMODEL_MAX_SOFTMAX 4095 /* channels: their sum has 12 bits before the point */

/* To bytes and back, for results/: portable, versioned. save returns a block
 * that is yours to free. load: -1 with errorf() when the bytes are not a model. */
void *qmodel_save(const QModel *q, size_t *size);
int qmodel_load(QModel *q, const void *data, size_t size);

/* round(real) of TFLite's QuantizeMultiplier: real = multiplier * 2^(shift - 31). */
void quantize_multiplier(double real, int32_t *multiplier, int8_t *shift);

#endif
