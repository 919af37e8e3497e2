/* tensor.h - what a layer made, with its norm and activation still to do.
 *
 * A tensor that is normed holds the raw output of the convolution; its value
 * is clamp(raw * scale + shift), recomputed by whoever reads it, in pieces that
 * stay in the cache. Any other tensor holds its value. All functions work on a
 * range of pixels, counted through the batch, so that norm, activation,
 * statistics and masks touch a piece while it is still in L2.
 *
 * Forward: the layer writes raw[], calls tensor_written() piece by piece, then
 * tensor_close() once; readers call tensor_read(). Backward: the readers write
 * grad[] and the last of them calls tensor_grad_written() piece by piece, then
 * comes tensor_grad_close(); the layer itself asks for tensor_grad().
 *
 * Per-channel numbers lie in tables of `period` floats, the channels repeated
 * until whole vectors are full: a row of 8 channels costs what a row of 128 does. */
#ifndef TENSOR_H
#define TENSOR_H

#include "nn/model.h"

#include <stddef.h>

/* A piece: about 300 KB, in floats. An image of 32x32 with 72 channels. */
enum { CHUNK_FLOATS = 75000 };

typedef struct {
    float *raw;       /* [pixels][c] */
    float *grad;      /* [pixels][c] of the value, then of raw * scale + shift */
    int c, period;
    size_t plane;     /* floats from VEC_LANES channels of all pixels to the next, where raw lies in
                       * such planes; 0: as above. Only of values that products and depthwise
                       * layers hand each other */
    float lo, hi;     /* the activation clamps to these */
    bool normed;      /* by the statistics of the batch */
    float *shift;     /* [period] of the norm, or the bias; NULL: none */
    float *scale;     /* [period] with `normed`, as all below */
    float *mean;      /* [period] while sums are taken forward: a pivot near the mean */
    float *slope;     /* [period] gradient of raw: scale * grad + slope * (raw - mean) + offset */
    float *offset;    /* [period] */
    float *part[2];   /* [period] sums of one piece */
    double *sum[2];   /* [c] sums of all pieces */
    double *inverse;  /* [c] 1 / sqrt(variance + NORM_EPSILON) */
} Tensor;

/* Floats from a pixel to the next. */
size_t tensor_pixel(const Tensor *t);
/* Floats of tables a tensor of c channels wants. */
size_t tensor_tables(int c, bool normed);
/* Prepares a tensor of c channels; raw and grad are the caller's. tables: aligned to 64 bytes. */
void tensor_init(Tensor *t, int c, Act act, bool normed, float *tables);
/* Sets a table from one number a channel. */
void tensor_spread(const Tensor *t, float *table, const float *channel);

/* Values of `pixels` pixels from `first`; in `scratch` unless they are there already. */
const float *tensor_read(const Tensor *t, size_t first, size_t pixels, float *scratch);
/* Statistics of a normed tensor; bias and activation, in place, of any other. */
void tensor_written(Tensor *t, size_t first, size_t pixels);
/* Adds the bias, if any, and clamps; tensor_written() does that to raw[]. */
void tensor_finish(const Tensor *t, float *x, size_t pixels);
/* mean, var: the batch's, [c]; the variance unbiased, as running statistics want it. */
void tensor_close(Tensor *t, size_t pixels, const float *gamma, const float *beta, float *mean,
                  float *var);

/* grad[] is complete: masks it by the activation, and sums for the norm. */
void tensor_grad_written(Tensor *t, size_t first, size_t pixels);
void tensor_grad_close(Tensor *t, size_t pixels, float *d_gamma, float *d_beta);
/* Gradient of raw; in `scratch` unless it is there already. */
const float *tensor_grad(const Tensor *t, size_t first, size_t pixels, float *scratch);

#endif
