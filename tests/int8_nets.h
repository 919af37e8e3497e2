/* int8_nets.h - random small networks, and slow and obvious versions of what
 * quant/, exporter/, runtime/ and evaluator/ do with them: every tensor whole
 * and apart, every sum written out. */
#ifndef INT8_NETS_H
#define INT8_NETS_H

#include "base/alloc.h"
#include "quant/qmodel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- networks ---------------------------------------------------------------------------- */

static inline int one_of(Rng *rng, int n, const int *v)
{
    return v[rng_below(rng, (uint32_t)n)];
}

static inline Size2 random_size(Rng *rng, int n, const int *v)
{
    Size2 s = {(uint8_t)one_of(rng, n, v), 1};
    s.w = (uint8_t)one_of(rng, n, v);
    return s;
}

/* An earlier tensor of layer l's shape other than l, or NET_NOTHING. */
static inline int same_shape_as(const Net *net, int l, Rng *rng)
{
    const Layer *a = &net->layer[l];
    int found = NET_NOTHING, n = 0;
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *b = &net->layer[i];
        bool same = a->out_h == b->out_h && a->out_w == b->out_w && a->out_c == b->out_c;
        if (i != l && same && rng_below(rng, (uint32_t)++n) == 0)
            found = i;
    }
    return found;
}

static inline int random_layer(Net *net, int at, Rng *rng)
{
    static const int kernel[] = {1, 2, 3, 3, 5, 7}, stride[] = {1, 1, 1, 2, 3}, pool[] = {1, 2, 3};
    int h = at == NET_IMAGE ? net->h : net->layer[at].out_h;
    int w = at == NET_IMAGE ? net->w : net->layer[at].out_w;
    Size2 k = random_size(rng, 6, kernel), s = random_size(rng, 5, stride);
    Act act = (Act)rng_below(rng, 3);
    int channels = 1 + (int)rng_below(rng, 20), other = at < 0 ? at : same_shape_as(net, at, rng);
    switch (rng_below(rng, 7)) {
    case 0:
        return net_conv(net, at, channels, k, s, act);
    case 1:
    case 2:
        return net_depthwise(net, at, k, s, act);
    case 3:
        k = random_size(rng, 3, pool);
        if (k.h <= h && k.w <= w)
            return net_pool(net, rng_below(rng, 2) ? OP_AVG_POOL : OP_MAX_POOL, at, k, s);
        return net_pointwise(net, at, channels, act);
    case 4:
        if (other >= 0)
            return net_add(net, at, other);
        return net_pointwise(net, at, channels, act);
    default:
        return net_pointwise(net, at, channels, act);
    }
}

/* 1 to 14 layers; most read the one before, some an earlier one; residual
 * blocks; half end in a pool and a classifier. */
static inline void random_net(Net *net, Rng *rng)
{
    net_begin(net, 1 + (int)rng_below(rng, 16), 1 + (int)rng_below(rng, 16),
              1 + (int)rng_below(rng, 4));
    int at = NET_IMAGE, n = 1 + (int)rng_below(rng, 9);
    while (net->n_layers < n) {
        if (net->n_layers > 0 && rng_below(rng, 10) == 0)
            at = (int)rng_below(rng, net->n_layers);
        at = random_layer(net, at, rng);
    }
    if (rng_below(rng, 2)) {
        BlockShape b = {.mid = 12, .out_c = net->layer[at].out_c, .kernel = {3, 5},
                        .stride = square(1), .residual = true, .expands = true};
        at = net_block(net, at, &b);
    }
    if (rng_below(rng, 2)) {
        if (rng_below(rng, 2))
            at = net_global_pool(net, at);
        at = net_dense(net, at, 2 + (int)rng_below(rng, 9), ACT_NONE);
    }
}

static inline void random_parameters(Model *m, const Net *net, Rng *rng)
{
    model_init(m, net);
    for (int l = 0; l < net->n_layers; l++) {
        const Layer *layer = &net->layer[l];
        LayerParams *p = &m->layer[l];
        uint32_t n = layer_weights(layer);
        for (uint32_t i = 0; i < n; i++)
            p->w[i] = (float)(rng_normal(rng) * sqrt(2.0 * layer->out_c / n));
        for (int c = 0; n > 0 && c < layer->out_c; c++) {
            if (p->bias)
                p->bias[c] = (float)rng_normal(rng);
            if (p->gamma) {
                p->gamma[c] = (float)(0.5 + rng_uniform(rng)) * (rng_below(rng, 8) ? 1 : -1);
                p->beta[c] = (float)rng_normal(rng);
                p->mean[c] = (float)rng_normal(rng);
                p->var[c] = (float)(0.2 + rng_uniform(rng));
            }
        }
    }
}

/* ---- where things are -------------------------------------------------------------------- */

static inline size_t at_input(const Layer *l, int y, int x, int c)
{
    return ((size_t)y * l->in_w + x) * l->in_c + c;
}

static inline size_t at_output(const Layer *l, int y, int x, int c)
{
    return ((size_t)y * l->out_w + x) * l->out_c + c;
}

/* Of output channel o, tap (i, j), input channel c. */
static inline size_t at_weight(const Layer *l, int o, int i, int j, int c)
{
    if (l->op == OP_DEPTHWISE)
        return ((size_t)i * l->kw + j) * l->out_c + o;
    return (((size_t)o * l->kh + i) * l->kw + j) * l->in_c + c;
}

static inline bool is_inside(const Layer *l, int y, int x)
{
    return y >= 0 && y < l->in_h && x >= 0 && x < l->in_w;
}

/* The input channels that output channel o reads: [first, first + n). */
static inline int first_channel(const Layer *l, int o)
{
    bool mixes = l->op == OP_CONV || l->op == OP_POINTWISE || l->op == OP_DENSE;
    return mixes ? 0 : o;
}

static inline int n_channels(const Layer *l)
{
    bool mixes = l->op == OP_CONV || l->op == OP_POINTWISE || l->op == OP_DENSE;
    return mixes ? l->in_c : 1;
}

/* ---- float: layer l from inputs a and b ---------------------------------------------------- */

static inline double float_value(const Layer *l, const LayerParams *p, const double *a, int y,
                                 int x, int o)
{
    double sum = 0, most = -INFINITY;
    int taps = 0;
    for (int i = 0; i < l->kh; i++)
        for (int j = 0; j < l->kw; j++) {
            int iy = y * l->sh - l->pad_top + i, ix = x * l->sw - l->pad_left + j;
            if (!is_inside(l, iy, ix))
                continue;
            taps++;
            for (int c = 0; c < n_channels(l); c++) {
                double v = a[at_input(l, iy, ix, first_channel(l, o) + c)];
                sum += op_has_weights((Op)l->op) ? v * p->w[at_weight(l, o, i, j, c)] : v;
                most = fmax(most, v);
            }
        }
    if (!op_has_weights((Op)l->op))
        return l->op == OP_MAX_POOL ? most : sum / taps;
    sum += p->bias ? p->bias[o] : 0;
    if (p->gamma) {
        double deviation = sqrt(p->var[o] + (double)NORM_EPSILON);
        sum = (sum - p->mean[o]) / deviation * p->gamma[o] + p->beta[o];
    }
    return sum;
}

static inline void float_layer(const Model *m, int index, const double *a, const double *b,
                               double *out)
{
    const Layer *l = &m->net.layer[index];
    for (int y = 0; y < l->out_h; y++)
        for (int x = 0; x < l->out_w; x++)
            for (int o = 0; o < l->out_c; o++) {
                size_t at = at_output(l, y, x, o);
                double v = l->op == OP_ADD ? a[at] + b[at]
                                           : float_value(l, &m->layer[index], a, y, x, o);
                if (l->act != ACT_NONE)
                    v = fmax(v, 0);
                out[at] = l->act == ACT_RELU6 ? fmin(v, 6) : v;
            }
}

/* Every tensor, [0] the image; free with float_free(). */
static inline double **float_run(const Model *m, const double *image)
{
    const Net *net = &m->net;
    double **t = xcalloc((size_t)net->n_layers + 1, sizeof *t);
    t[0] = xcalloc(net_tensor_bytes(net, NET_IMAGE), sizeof(double));
    memcpy(t[0], image, net_tensor_bytes(net, NET_IMAGE) * sizeof(double));
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        t[1 + i] = xcalloc(net_tensor_bytes(net, i), sizeof(double));
        float_layer(m, i, t[1 + l->input], l->op == OP_ADD ? t[1 + l->input2] : NULL, t[1 + i]);
    }
    return t;
}

static inline void float_free(const Net *net, double **t)
{
    for (int i = 0; i <= net->n_layers; i++)
        free(t[i]);
    free(t);
}

/* ---- int8: TFLite's arithmetic -------------------------------------------------------------- */

/* gemmlowp: high half of twice the product, ties up; then a right shift, ties away from 0. */
static inline int32_t slow_scale(int32_t value, int32_t multiplier, int shift)
{
    int64_t product = (int64_t)value * (INT64_C(1) << (shift > 0 ? shift : 0)) * multiplier;
    int64_t high = (product + (product >= 0 ? 1 << 30 : 1 - (1 << 30))) / (INT64_C(1) << 31);
    int64_t divisor = INT64_C(1) << (shift < 0 ? -shift : 0);
    int64_t half = divisor / 2;
    return (int32_t)(high >= 0 ? (high + half) / divisor : -((-high + half) / divisor));
}

static inline int8_t slow_clamp(int64_t v, const QLayer *t)
{
    return (int8_t)(v < t->act_min ? t->act_min : v > t->act_max ? t->act_max : v);
}

static inline int8_t int8_value(const QModel *q, int index, const int8_t *a, int y, int x, int o)
{
    const Layer *l = &q->net.layer[index];
    const QLayer *t = &q->layer[index];
    bool weighs = op_has_weights((Op)l->op);
    int zero = weighs ? q->tensor[1 + l->input].zero : 0, taps = 0, most = INT8_MIN;
    int64_t sum = weighs ? t->bias[o] : 0;
    for (int i = 0; i < l->kh; i++)
        for (int j = 0; j < l->kw; j++) {
            int iy = y * l->sh - l->pad_top + i, ix = x * l->sw - l->pad_left + j;
            if (!is_inside(l, iy, ix))
                continue;
            taps++;
            for (int c = 0; c < n_channels(l); c++) {
                int v = a[at_input(l, iy, ix, first_channel(l, o) + c)];
                sum += (v - zero) * (weighs ? t->weights[at_weight(l, o, i, j, c)] : 1);
                most = v > most ? v : most;
            }
        }
    if (weighs)
        return slow_clamp((int64_t)slow_scale((int32_t)sum, t->multiplier[o], t->shift[o]) +
                              q->tensor[1 + index].zero, t);
    if (l->op == OP_MAX_POOL)
        return slow_clamp(most, t);
    return slow_clamp(sum > 0 ? (sum + taps / 2) / taps : (sum - taps / 2) / taps, t);
}

static inline int8_t int8_sum(const QModel *q, int index, int8_t a, int8_t b)
{
    const Layer *l = &q->net.layer[index];
    const QLayer *t = &q->layer[index];
    int32_t x = (a - q->tensor[1 + l->input].zero) * (1 << 20);
    int32_t y = (b - q->tensor[1 + l->input2].zero) * (1 << 20);
    int32_t sum = slow_scale(x, t->multiplier[0], t->shift[0]) +
                  slow_scale(y, t->multiplier[1], t->shift[1]);
    return slow_clamp((int64_t)slow_scale(sum, t->multiplier[2], t->shift[2]) +
                          q->tensor[1 + index].zero, t);
}

static inline void int8_layer(const QModel *q, int index, const int8_t *a, const int8_t *b,
                              int8_t *out)
{
    const Layer *l = &q->net.layer[index];
    for (int y = 0; y < l->out_h; y++)
        for (int x = 0; x < l->out_w; x++)
            for (int o = 0; o < l->out_c; o++) {
                size_t at = at_output(l, y, x, o);
                out[at] = l->op == OP_ADD ? int8_sum(q, index, a[at], b[at])
                                          : int8_value(q, index, a, y, x, o);
            }
}

/* Every tensor, [0] the image; free with int8_free(). */
static inline int8_t **int8_run(const QModel *q, const int8_t *image)
{
    const Net *net = &q->net;
    int8_t **t = xcalloc((size_t)net->n_layers + 1, sizeof *t);
    t[0] = xmalloc(net_tensor_bytes(net, NET_IMAGE));
    memcpy(t[0], image, net_tensor_bytes(net, NET_IMAGE));
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        t[1 + i] = xmalloc(net_tensor_bytes(net, i));
        int8_layer(q, i, t[1 + l->input], l->op == OP_ADD ? t[1 + l->input2] : NULL, t[1 + i]);
    }
    return t;
}

static inline void int8_free(const Net *net, int8_t **t)
{
    for (int i = 0; i <= net->n_layers; i++)
        free(t[i]);
    free(t);
}

/* ---- float to int8 ------------------------------------------------------------------------- */

#define IMAGE_SCALE 0.02f
#define IMAGE_ZERO (-9)

static inline int8_t *random_image(const Net *net, Rng *rng)
{
    uint32_t n = net_tensor_bytes(net, NET_IMAGE);
    int8_t *image = xmalloc(n);
    for (uint32_t i = 0; i < n; i++)
        image[i] = (int8_t)((int)rng_below(rng, 256) - 128);
    return image;
}

/* The float tensors of an int8 image, and each layer's range. */
static inline double **calibrate(const Model *m, const int8_t *image, float *lo, float *hi)
{
    const Net *net = &m->net;
    uint32_t n = net_tensor_bytes(net, NET_IMAGE);
    double *real = xcalloc(n, sizeof *real);
    for (uint32_t i = 0; i < n; i++)
        real[i] = (image[i] - IMAGE_ZERO) * (double)IMAGE_SCALE;
    double **t = float_run(m, real);
    free(real);
    for (int l = 0; l < net->n_layers; l++) {
        lo[l] = hi[l] = (float)t[1 + l][0];
        for (uint32_t i = 0; i < net_tensor_bytes(net, l); i++) {
            lo[l] = fminf(lo[l], (float)t[1 + l][i]);
            hi[l] = fmaxf(hi[l], (float)t[1 + l][i]);
        }
    }
    return t;
}

/* Random weights, calibrated on the image. */
static inline int random_qmodel(QModel *q, const Net *net, const int8_t *image, Rng *rng)
{
    float lo[NET_MAX_LAYERS], hi[NET_MAX_LAYERS];
    Model m;
    random_parameters(&m, net, rng);
    float_free(net, calibrate(&m, image, lo, hi));
    int status = qmodel_make(q, &m, lo, hi, IMAGE_SCALE, IMAGE_ZERO);
    model_release(&m);
    return status;
}

#endif
