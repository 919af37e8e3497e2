/* tflite_tables.c - weights and multipliers of a .tflite file in our layout.
 *
 * Every scale is the one that the file gives the tensor which the operator
 * reads, in the precision in which TFLite computes with it: only then are the
 * multipliers the same to the bit. */
#include "quant/tflite_build.h"

#include "base/error.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Where a real value lies among the steps of q, as far as it matters to an int8. */
static int quantised_value(float real, QTensor q)
{
    return q.zero + (int)fminf(fmaxf(roundf(real / q.scale), -512), 512);
}

int fused_range(const Build *b, int code, QTensor out, int *act_min, int *act_max)
{
    enum { NONE, RELU, RELU_N1_TO_1, RELU6 };
    static const float from[] = {0, 0, -1, 0}, to[] = {0, 0, 1, 6};
    *act_min = INT8_MIN;
    *act_max = INT8_MAX;
    if (code > RELU6)
        return refuse(b, "has the fused activation %d, which is not supported", code);
    if (code != NONE && quantised_value(from[code], out) > *act_min)
        *act_min = quantised_value(from[code], out);
    if (code >= RELU_N1_TO_1 && quantised_value(to[code], out) < *act_max)
        *act_max = quantised_value(to[code], out);
    if (*act_min > *act_max)
        return refuse(b, "has an activation outside the range of its output");
    return 0;
}

static int32_t bias_at(const FileTensor *t, uint32_t i)
{
    uint32_t v = 0;
    for (uint32_t k = 0; k < 4; k++)
        v |= (uint32_t)t->data[4 * i + k] << (8 * k);
    return (int32_t)v;
}

static float weight_scale(const Build *b, const FileTensor *w, uint32_t channel)
{
    return w->scales.n == 1 ? w->scale : flat_float_at(&b->file.flat, w->scales, channel);
}

/* A fully connected layer with one scale multiplies in single precision. */
static double real_multiplier(const Build *b, const FileTensor *w, uint32_t channel)
{
    float in = input_of(b, 0)->scale, scale = weight_scale(b, w, channel);
    double out = (double)output_of(b)->scale;
    if (current(b)->code == TFLITE_FULLY_CONNECTED && w->scales.n == 1)
        return (double)(in * scale) / out;
    return (double)in * (double)scale / out;
}

/* A negative scale of weights is a positive one of their negatives: the runtime's multipliers
 * are not negative. */
static int negate_channel(const Build *b, QLayer *t, const Layer *l, uint32_t channel)
{
    uint32_t n = layer_weights(l) / l->out_c;
    bool apart = l->op == OP_DEPTHWISE;
    if (t->bias[channel] == INT32_MIN)
        return refuse(b, "has a bias of -2^31");
    t->bias[channel] = -t->bias[channel];
    for (uint32_t i = 0; i < n; i++) {
        int8_t *w = apart ? &t->weights[i * l->out_c + channel] : &t->weights[channel * n + i];
        if (*w == INT8_MIN)
            return refuse(b, "has a weight of -128 with a negative scale");
        *w = (int8_t)-*w;
    }
    return 0;
}

static int fill_weights(const Build *b, const Layer *l, QLayer *t)
{
    const FileTensor *w = input_of(b, 1), *bias = input_of(b, 2);
    assert(w->elements == layer_weights(l)); /* as the layer was made of them */
    memcpy(t->weights, w->data, w->elements);
    for (uint32_t c = 0; c < l->out_c; c++) {
        double real = real_multiplier(b, w, c);
        if (!isfinite(real))
            return refuse(b, "has the scale %g in channel %u", (double)weight_scale(b, w, c), c);
        if (bias)
            t->bias[c] = bias_at(bias, c);
        if (real < 0 && negate_channel(b, t, l, c) != 0)
            return -1;
        quantize_multiplier(fabs(real), &t->multiplier[c], &t->shift[c]);
    }
    return 0;
}

/* TFLite divides by the number of taps in the multiplier. */
static void fill_mean(const Build *b, const Layer *l, QLayer *t)
{
    int taps = l->kh * l->kw, k = 0, room;
    quantize_multiplier((double)input_of(b, 0)->scale / (double)output_of(b)->scale,
                        t->multiplier, t->shift);
    room = 31 + t->shift[0];
    while (taps >> (k + 1))
        k++;
    k = k < room ? k : room;
    t->multiplier[0] = (int32_t)(((int64_t)t->multiplier[0] << k) / taps);
    t->shift[0] = (int8_t)(t->shift[0] - k);
}

/* Differences in Q5.26, at least 1 and at most what 31 bits hold. */
static int fill_softmax(Build *b, QLayer *t)
{
    enum { BETA = 0 };
    double beta = (double)flat_float(&b->file.flat, current(b)->options, BETA, 0);
    double real = fmin(beta * (double)input_of(b, 0)->scale * (1 << 26), 0x1p31 - 1);
    int exponent;
    if (!(real > 1))
        return refuse(b, "has a beta of %g for a scale of %g", beta, (double)input_of(b, 0)->scale);
    t->multiplier[0] = (int32_t)fmin(round(frexp(real, &exponent) * 0x1p31), INT32_MAX);
    t->shift[0] = (int8_t)exponent;
    return 0;
}

static void fill_add(const Build *b, QLayer *t)
{
    AddScales s;
    bool fits = add_scales(&s, input_of(b, 0)->scale, input_of(b, 1)->scale, output_of(b)->scale);
    assert(fits); /* the layer was made because they do */
    (void)fits;
    memcpy(t->multiplier, s.multiplier, sizeof s.multiplier);
    memcpy(t->shift, s.shift, sizeof s.shift);
}

static void fill_gate(const Build *b, QLayer *t)
{
    quantize_multiplier((double)input_of(b, 0)->scale * (double)input_of(b, 1)->scale /
                            (double)output_of(b)->scale,
                        t->multiplier, t->shift);
}

static int fill_operator(Build *b, const Layer *l, QLayer *t)
{
    switch ((Op)l->op) {
    case OP_CONV:
    case OP_DEPTHWISE:
    case OP_POINTWISE:
    case OP_DENSE:
        return fill_weights(b, l, t);
    case OP_ADD:
        fill_add(b, t);
        return 0;
    case OP_GATE:
        fill_gate(b, t);
        return 0;
    case OP_MEAN:
        fill_mean(b, l, t);
        return 0;
    case OP_SOFTMAX:
        return fill_softmax(b, t);
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
    case OP_LOOKUP:
    case N_OPS:
        break;
    }
    return 0;
}

static int fill_layer(Build *b, QModel *q, int l)
{
    const Layer *layer = &q->net.layer[l];
    QLayer *t = &q->layer[l];
    int act_min, act_max;
    b->op = b->op_of_layer[l];
    if (layer->op == OP_LOOKUP) {
        memcpy(t->weights, b->table[b->table_of_layer[l]], LOOKUP_SIZE);
        return 0;
    }
    if (layer->op != OP_MEAN && layer->op != OP_SOFTMAX) {
        if (fused_range(b, fused_code(b), quantised(output_of(b)), &act_min, &act_max) != 0)
            return -1;
        t->act_min = (int8_t)act_min;
        t->act_max = (int8_t)act_max;
    }
    return fill_operator(b, layer, t);
}

/* Operators may share constants, but not so often that a small file becomes a large model. */
static int check_size(const Build *b)
{
    uint64_t weights = 0;
    for (int l = 0; l < b->net.n_layers; l++)
        weights += layer_weights(&b->net.layer[l]);
    if (weights > 4 * (uint64_t)b->file.flat.size)
        return errorf("a file of %zu bytes with weights of %llu is not supported",
                      b->file.flat.size, (unsigned long long)weights);
    return 0;
}

int build_tables(Build *b, QModel *q)
{
    if (check_size(b) != 0)
        return -1;
    qmodel_init(q, &b->net);
    memcpy(q->tensor, b->tensor, sizeof q->tensor);
    int status = 0;
    for (int l = 0; l < q->net.n_layers && status == 0; l++)
        status = fill_layer(b, q, l);
    if (status == 0)
        status = qmodel_check(q);
    if (status != 0)
        qmodel_release(q);
    return status;
}
