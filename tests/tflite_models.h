/* tflite_models.h - random .tflite models of the kinds people train, and a slow and obvious
 * interpreter of them: every operator of the file in turn, every tensor whole, TFLite's
 * arithmetic written out. What tflite_load() folds has to come to the same bytes. */
#ifndef TFLITE_MODELS_H
#define TFLITE_MODELS_H

#include "base/rng.h"
#include "quant/lookup.h"
#include "tests/tflite_writer.h"

#include <math.h>

/* ---- random constants, which live as long as the model --------------------------------------- */

typedef struct {
    Wm m;
    Rng rng;
    uint32_t used;
    unsigned char pool[1 << 18];
} Maker;

static inline void *mk_room(Maker *k, size_t bytes)
{
    void *p = k->pool + k->used;
    k->used += (uint32_t)(bytes + 7) / 8 * 8;
    assert(k->used <= sizeof k->pool);
    return p;
}

static inline int mk_below(Maker *k, int n)
{
    return (int)rng_below(&k->rng, (uint32_t)n);
}

static inline int mk_bytes(Maker *k, int rank, const int *shape)
{
    int n = 1;
    for (int d = 0; d < rank; d++)
        n *= shape[d];
    int8_t *p = mk_room(k, (size_t)n);
    for (int i = 0; i < n; i++)
        p[i] = (int8_t)(mk_below(k, 255) - 127);
    int t = wm_constant(&k->m, TYPE_INT8, rank, shape, p);
    k->m.tensor[t].scale = 0.01f;
    return t;
}

static inline int mk_bias(Maker *k, int n)
{
    int32_t *p = mk_room(k, 4 * (size_t)n);
    for (int i = 0; i < n; i++)
        p[i] = mk_below(k, 4001) - 2000;
    return wm_integers(&k->m, n, p);
}

static inline int mk_integers(Maker *k, int n, const int32_t *v)
{
    int32_t *p = mk_room(k, 4 * (size_t)n);
    memcpy(p, v, 4 * (size_t)n);
    return wm_integers(&k->m, n, p);
}

static inline int mk_scalar(Maker *k, int value, float scale)
{
    int8_t *p = mk_room(k, 1);
    *p = (int8_t)value;
    int t = wm_constant(&k->m, TYPE_INT8, 0, NULL, p);
    k->m.tensor[t].scale = scale;
    return t;
}

/* ---- operators ------------------------------------------------------------------------------- */

static inline const int *mk_shape(const Maker *k, int t)
{
    return k->m.tensor[t].shape;
}

static inline int mk_like(Maker *k, int t, float scale, int zero)
{
    WmTensor *of = &k->m.tensor[t];
    int made = wm_tensor(&k->m, of->rank, of->shape);
    k->m.tensor[made].scale = scale;
    k->m.tensor[made].zero = zero;
    return made;
}

static inline int mk_image(Maker *k, int h, int w, int c)
{
    int t = wm_tensor(&k->m, 4, (int[]){1, h, w, c});
    k->m.tensor[t].scale = 0.04f + 0.02f * (float)rng_uniform(&k->rng);
    k->m.tensor[t].zero = mk_below(k, 61) - 30;
    return t;
}

/* About 40 steps of output for the sum of n products of random inputs and weights. */
static inline float mk_weight_scale(const Maker *k, int in, int out, int n)
{
    return k->m.tensor[out].scale * 40 / (k->m.tensor[in].scale * 75 * 75 * (float)sqrt(n));
}

/* One scale, or one a channel, a few of them negative. */
static inline void mk_scales(Maker *k, int weights, int channels, float scale)
{
    WmTensor *t = &k->m.tensor[weights];
    t->scale = scale;
    if (mk_below(k, 3) == 0)
        return;
    t->n_scales = channels;
    t->scales = mk_room(k, 4 * (size_t)channels);
    for (int c = 0; c < channels; c++) {
        float part = (float)(0.5 + rng_uniform(&k->rng));
        t->scales[c] = scale * (mk_below(k, 9) ? part : -part);
    }
}

typedef struct {
    int kh, kw, s, channels; /* channels: of a depthwise, outputs of each channel */
    bool apart, same;
    int act;
} MkConv;

static inline int mk_conv(Maker *k, int in, MkConv c)
{
    const int *s = mk_shape(k, in), in_c = s[3];
    int out_c = c.apart ? in_c * c.channels : c.channels;
    int h = c.same ? (s[1] + c.s - 1) / c.s : (s[1] - c.kh) / c.s + 1;
    int w = c.same ? (s[2] + c.s - 1) / c.s : (s[2] - c.kw) / c.s + 1;
    int weights = c.apart ? mk_bytes(k, 4, (int[]){1, c.kh, c.kw, out_c})
                          : mk_bytes(k, 4, (int[]){out_c, c.kh, c.kw, in_c});
    int bias = mk_bias(k, out_c), out = mk_image(k, h, w, out_c);
    mk_scales(k, weights, out_c,
              mk_weight_scale(k, in, out, c.kh * c.kw * (c.apart ? 1 : in_c)));
    WmOp *op = wm_op(&k->m, c.apart ? TFLITE_DEPTHWISE_CONV_2D : TFLITE_CONV_2D, out, 3,
                     (int[]){in, weights, bias});
    wm_byte(op, 0, !c.same);
    wm_int(op, 1, c.s);
    wm_int(op, 2, c.s);
    wm_byte(op, c.apart ? 4 : 3, c.act);
    return out;
}

/* 1 x 1. */
static inline int mk_pixel(Maker *k, int in, int channels, int act)
{
    return mk_conv(k, in, (MkConv){.kh = 1, .kw = 1, .s = 1, .channels = channels, .act = act});
}

static inline int mk_pad(Maker *k, int in, int top, int bottom, int left, int right)
{
    const int *s = mk_shape(k, in);
    int pads = mk_integers(k, 8, (int32_t[]){0, 0, top, bottom, left, right, 0, 0});
    int out = wm_tensor(&k->m, 4, (int[]){1, s[1] + top + bottom, s[2] + left + right, s[3]});
    k->m.tensor[pads].rank = 2;
    k->m.tensor[pads].shape[0] = 4;
    k->m.tensor[pads].shape[1] = 2;
    k->m.tensor[out].scale = k->m.tensor[in].scale;
    k->m.tensor[out].zero = k->m.tensor[in].zero;
    wm_op(&k->m, TFLITE_PAD, out, 2, (int[]){in, pads});
    return out;
}

static inline int mk_binary(Maker *k, int code, int a, int b, float scale, int act)
{
    int out = mk_like(k, a, scale, mk_below(k, 41) - 20);
    wm_byte(wm_op(&k->m, code, out, 2, (int[]){a, b}), 0, act);
    return out;
}

static inline int mk_unary(Maker *k, int code, int in, float scale, int zero)
{
    int out = mk_like(k, in, scale, zero);
    wm_op(&k->m, code, out, 1, &in);
    return out;
}

static inline int mk_pool(Maker *k, int code, int in, int kh, int kw, int s, bool same)
{
    const int *d = mk_shape(k, in);
    int h = same ? (d[1] + s - 1) / s : (d[1] - kh) / s + 1;
    int w = same ? (d[2] + s - 1) / s : (d[2] - kw) / s + 1;
    int out = wm_tensor(&k->m, 4, (int[]){1, h, w, d[3]});
    k->m.tensor[out].scale = k->m.tensor[in].scale;
    k->m.tensor[out].zero = k->m.tensor[in].zero;
    WmOp *op = wm_op(&k->m, code, out, 1, &in);
    wm_byte(op, 0, !same);
    wm_int(op, 1, s);
    wm_int(op, 2, s);
    wm_int(op, 3, kw);
    wm_int(op, 4, kh);
    return out;
}

/* Over rows and columns, to [1][1][1][c] or [1][c]. */
static inline int mk_mean(Maker *k, int in, bool keeps)
{
    int c = mk_shape(k, in)[3], axes = mk_integers(k, 2, (int32_t[]){1, 2});
    int out = keeps ? wm_tensor(&k->m, 4, (int[]){1, 1, 1, c}) : wm_tensor(&k->m, 2, (int[]){1, c});
    k->m.tensor[out].scale = 0.02f;
    k->m.tensor[out].zero = mk_below(k, 21) - 10;
    wm_byte(wm_op(&k->m, TFLITE_MEAN, out, 2, (int[]){in, axes}), 0, keeps);
    return out;
}

static inline int mk_dense(Maker *k, int in, int channels)
{
    int n = 1;
    for (int d = 0; d < k->m.tensor[in].rank; d++)
        n *= mk_shape(k, in)[d];
    int weights = mk_bytes(k, 2, (int[]){channels, n}), bias = mk_bias(k, channels);
    int out = wm_tensor(&k->m, 2, (int[]){1, channels});
    k->m.tensor[weights].scale = mk_weight_scale(k, in, out, n);
    wm_op(&k->m, TFLITE_FULLY_CONNECTED, out, 3, (int[]){in, weights, bias});
    return out;
}

/* relu6(x + 3) / 6, as Keras writes it: three operators of one value. */
static inline int mk_hard_sigmoid(Maker *k, int in)
{
    int plus = mk_binary(k, TFLITE_ADD, in, mk_scalar(k, 100, 0.03f), 0.05f, 3);
    return mk_binary(k, TFLITE_MUL, plus, mk_scalar(k, 127, 0.00131f), 1.0f / 256, 0);
}

/* Squeeze-and-excite: the image times a factor for each channel that a small net makes. */
static inline int mk_squeeze(Maker *k, int in)
{
    int c = mk_shape(k, in)[3];
    int at = mk_pixel(k, mk_pixel(k, mk_mean(k, in, true), 4, 1), c, 0);
    at = mk_below(k, 2) ? mk_hard_sigmoid(k, at)
                        : mk_unary(k, TFLITE_LOGISTIC, at, 1.0f / 256, -128);
    return mk_binary(k, TFLITE_MUL, in, at, 0.02f, 0);
}

/* A random one of what networks are made of; returns its output. Every draw is a statement of
 * its own: the same model from every compiler. */
static inline int mk_stage(Maker *k, int at)
{
    const int c = mk_shape(k, at)[3], kind = mk_below(k, 12), odd = 1 + 2 * mk_below(k, 3);
    const int coin = mk_below(k, 2), s = 1 + mk_below(k, 2), act = mk_below(k, 4);
    const int n = 1 + mk_below(k, 20), wide = 1 + mk_below(k, 2);
    switch (kind) {
    case 0:
        return mk_conv(k, at, (MkConv){odd, 3, s, 1 + n / 2, .same = true, .act = act});
    case 1: /* PyTorch's padding before a stride of 2 */
        return mk_conv(k, mk_pad(k, at, odd / 2, odd / 2, 1, s), (MkConv){odd, 3, 2, 4, .act = 3});
    case 2:
        return mk_conv(k, at, (MkConv){3, odd, s, c < 5 ? 1 + n % 3 : 1, .apart = true,
                                       .same = true, .act = 1});
    case 3:
        return mk_conv(k, mk_pad(k, at, 1, 1, odd / 2, odd / 2),
                       (MkConv){3, odd, 1, 1, .apart = true, .same = coin, .act = 3});
    case 4:
        return mk_pixel(k, at, n, act);
    case 5:
        return mk_binary(k, TFLITE_ADD, at, mk_pixel(k, at, c, 0), 0.06f, 1);
    case 6:
        return mk_squeeze(k, at);
    case 7:
        return mk_binary(k, TFLITE_MUL, at, mk_hard_sigmoid(k, at), 0.03f, 0);
    case 8:
        return mk_pool(k, coin ? TFLITE_MAX_POOL_2D : TFLITE_AVERAGE_POOL_2D, at, 2, wide, s, true);
    case 9:
        return mk_unary(k, coin ? TFLITE_HARD_SWISH : TFLITE_QUANTIZE, at, 0.05f, 7);
    case 10:
        return mk_unary(k, coin ? TFLITE_RELU : TFLITE_RELU_N1_TO_1, at, 0.05f, -99);
    }
    return mk_unary(k, TFLITE_TANH, at, 1.0f / 128, 0);
}

/* One to four stages, half of them with a pool and a classifier behind. */
static inline void mk_random(Maker *k, uint64_t seed)
{
    memset(k, 0, sizeof *k);
    k->rng = rng_make(seed, 31);
    int h = 3 + mk_below(k, 6), w = 3 + mk_below(k, 6), c = 1 + mk_below(k, 4);
    wm_begin(&k->m, h, w, c);
    k->m.tensor[k->m.input].scale = 0.05f;
    k->m.tensor[k->m.input].zero = mk_below(k, 256) - 128;
    int at = k->m.input;
    for (int n = 1 + mk_below(k, 3); n > 0; n--)
        at = mk_stage(k, at);
    if (mk_below(k, 2))
        at = mk_below(k, 2) ? mk_mean(k, at, false)
                            : mk_pool(k, TFLITE_AVERAGE_POOL_2D, at, mk_shape(k, at)[1],
                                      mk_shape(k, at)[2], 1, false);
    mk_dense(k, at, 3);
}

/* ---- the interpreter ------------------------------------------------------------------------- */

static inline int slow_elements(const WmTensor *t)
{
    int n = 1;
    for (int d = 0; d < t->rank; d++)
        n *= t->shape[d];
    return n;
}

/* gemmlowp: high half of twice the product, ties up; then a right shift, ties away from 0. */
static inline int32_t slow_scaled(int64_t value, int64_t multiplier, int shift)
{
    int64_t up = value * (INT64_C(1) << (shift > 0 ? shift : 0)) * multiplier + (1 << 30);
    int64_t whole = INT64_C(1) << 31;
    double high = (double)(up / whole - (up % whole < 0)); /* rounded down */
    return (int32_t)(shift < 0 ? round(ldexp(high, shift)) : high);
}

static inline int32_t slow_multiply(int64_t value, double real)
{
    int32_t multiplier;
    int8_t shift;
    quantize_multiplier(fabs(real), &multiplier, &shift);
    return slow_scaled(value, real < 0 ? -multiplier : multiplier, shift);
}

static inline int8_t slow_fused(double v, const WmTensor *out, int act)
{
    static const double low[] = {-INFINITY, 0, -1, 0}, high[] = {INFINITY, INFINITY, 1, 6};
    double from = out->zero + (act ? round(low[act] / (double)out->scale) : -INFINITY);
    double to = out->zero + (act > 1 ? round(high[act] / (double)out->scale) : INFINITY);
    return (int8_t)fmin(fmax(v + (double)out->zero, fmax(from, -128)), fmin(to, 127));
}

static inline double slow_weight_scale(const WmTensor *w, int channel)
{
    return (double)(w->scales ? w->scales[channel] : w->scale);
}

/* What SAME puts in front. */
static inline int slow_before(bool same, int in, int out, int k, int s)
{
    int all = (out - 1) * s + k - in;
    return same && all > 0 ? all / 2 : 0;
}

typedef struct {
    const Wm *m;
    int8_t **value; /* of every tensor */
} Slow;

static inline int slow_at(const WmTensor *t, const int8_t *v, int y, int x, int c)
{
    return v[(y * t->shape[2] + x) * t->shape[3] + c];
}

/* Convolutions and pools are one walk over windows. */
static inline void slow_window(const Slow *s, const WmOp *op)
{
    const WmTensor *in = &s->m->tensor[op->input[0]], *out = &s->m->tensor[op->output];
    const bool apart = op->code == TFLITE_DEPTHWISE_CONV_2D, conv = op->code == TFLITE_CONV_2D;
    const bool weighs = apart || conv, same = op->option[0].value == 0;
    const WmTensor *w = weighs ? &s->m->tensor[op->input[1]] : NULL;
    const int8_t *x = s->value[op->input[0]];
    const int32_t *bias = weighs ? s->m->tensor[op->input[2]].data : NULL;
    int kh = weighs ? w->shape[1] : op->option[4].value, sh = op->option[2].value;
    int kw = weighs ? w->shape[2] : op->option[3].value, sw = op->option[1].value;
    int act = op->option[apart ? 4 : conv ? 3 : 5].value;
    int out_c = out->shape[3], in_c = in->shape[3];
    int top = slow_before(same, in->shape[1], out->shape[1], kh, sh);
    int left = slow_before(same, in->shape[2], out->shape[2], kw, sw);
    int8_t *to = s->value[op->output];
    for (int y = 0; y < out->shape[1]; y++)
        for (int p = 0; p < out->shape[2]; p++)
            for (int o = 0; o < out_c; o++) {
                int64_t sum = bias ? bias[o] : 0, most = -128, taps = 0;
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        int iy = y * sh - top + i, ix = p * sw - left + j;
                        if (iy < 0 || iy >= in->shape[1] || ix < 0 || ix >= in->shape[2])
                            continue;
                        taps++;
                        for (int c = 0; c < (conv ? in_c : 1); c++) {
                            int from = conv ? c : apart ? o / (out_c / in_c) : o;
                            int v = slow_at(in, x, iy, ix, from);
                            const int8_t *k = w ? w->data : NULL;
                            int64_t weight = conv ? k[((o * kh + i) * kw + j) * in_c + c]
                                             : apart ? k[(i * kw + j) * out_c + o]
                                                     : 1;
                            sum += weighs ? (v - in->zero) * weight : v;
                            most = v > most ? v : most;
                        }
                    }
                double real = weighs ? (double)in->scale * slow_weight_scale(w, o) /
                                           (double)out->scale
                                     : 0;
                double mean = sum > 0 ? (double)((sum + taps / 2) / taps)
                                      : (double)((sum - taps / 2) / taps);
                double v = weighs ? slow_multiply(sum, real)
                           : op->code == TFLITE_MAX_POOL_2D ? (double)(most - out->zero)
                                                            : mean - (double)out->zero;
                *to++ = slow_fused(v, out, act);
            }
}

static inline void slow_dense(const Slow *s, const WmOp *op)
{
    const WmTensor *in = &s->m->tensor[op->input[0]], *w = &s->m->tensor[op->input[1]];
    const WmTensor *out = &s->m->tensor[op->output];
    const int8_t *x = s->value[op->input[0]], *k = w->data;
    const int32_t *bias = s->m->tensor[op->input[2]].data;
    int n = w->shape[1];
    double real = (double)(in->scale * w->scale) / (double)out->scale;
    for (int o = 0; o < w->shape[0]; o++) {
        int64_t sum = bias[o];
        for (int i = 0; i < n; i++)
            sum += (x[i] - in->zero) * k[o * n + i];
        s->value[op->output][o] = slow_fused(slow_multiply(sum, real), out, 0);
    }
}

/* The second operand of n values, repeated. */
static inline void slow_binary(const Slow *s, const WmOp *op)
{
    const WmTensor *a = &s->m->tensor[op->input[0]], *b = &s->m->tensor[op->input[1]];
    const WmTensor *out = &s->m->tensor[op->output];
    double twice = 2 * fmax((double)a->scale, (double)b->scale);
    for (int i = 0; i < slow_elements(out); i++) {
        int64_t x = s->value[op->input[0]][i] - a->zero;
        int64_t y = s->value[op->input[1]][i % slow_elements(b)] - b->zero, v;
        if (op->code == TFLITE_MUL)
            v = slow_multiply(x * y, (double)a->scale * (double)b->scale / (double)out->scale);
        else
            v = slow_multiply((int64_t)slow_multiply(x * (1 << 20), (double)a->scale / twice) +
                                  slow_multiply(y * (1 << 20), (double)b->scale / twice),
                              twice / ((1 << 20) * (double)out->scale));
        s->value[op->output][i] = slow_fused((double)v, out, op->option[0].value);
    }
}

/* Over rows and columns. */
static inline void slow_mean(const Slow *s, const WmOp *op)
{
    const WmTensor *in = &s->m->tensor[op->input[0]], *out = &s->m->tensor[op->output];
    int n = in->shape[1] * in->shape[2], channels = in->shape[3], k = (int)floor(log2(n));
    int32_t multiplier;
    int8_t shift;
    quantize_multiplier((double)in->scale / (double)out->scale, &multiplier, &shift);
    for (int c = 0; c < channels; c++) {
        int64_t sum = 0;
        for (int i = 0; i < n; i++)
            sum += s->value[op->input[0]][i * channels + c] - in->zero;
        int32_t mean = slow_scaled(sum, ((int64_t)multiplier << k) / n, shift - k);
        s->value[op->output][c] = slow_fused(mean, out, 0);
    }
}

static inline void slow_pad(const Slow *s, const WmOp *op)
{
    const WmTensor *in = &s->m->tensor[op->input[0]], *out = &s->m->tensor[op->output];
    const int32_t *pads = s->m->tensor[op->input[1]].data;
    int8_t *to = s->value[op->output];
    for (int y = 0; y < out->shape[1]; y++)
        for (int x = 0; x < out->shape[2]; x++)
            for (int c = 0; c < out->shape[3]; c++) {
                int iy = y - pads[2], ix = x - pads[4];
                bool inside = iy >= 0 && iy < in->shape[1] && ix >= 0 && ix < in->shape[2];
                *to++ = (int8_t)(inside ? slow_at(in, s->value[op->input[0]], iy, ix, c)
                                        : in->zero);
            }
}

/* The curves are quant/lookup.c's, which has its own tests. */
static inline void slow_unary(const Slow *s, const WmOp *op)
{
    const WmTensor *in = &s->m->tensor[op->input[0]], *out = &s->m->tensor[op->output];
    QTensor from = {in->scale, (int8_t)in->zero}, to = {out->scale, (int8_t)out->zero};
    Lookup table;
    int act = op->code == TFLITE_RELU ? 1 : op->code == TFLITE_RELU_N1_TO_1 ? 2 : 0;
    if (op->code == TFLITE_LOGISTIC)
        lookup_logistic(table, from);
    if (op->code == TFLITE_TANH)
        lookup_tanh(table, from);
    if (op->code == TFLITE_HARD_SWISH)
        lookup_hard_swish(table, from, to);
    for (int i = 0; i < slow_elements(in); i++) {
        int v = s->value[op->input[0]][i];
        double scaled = slow_multiply(v - in->zero, (double)in->scale / (double)out->scale);
        bool curve = op->code == TFLITE_LOGISTIC || op->code == TFLITE_TANH ||
                     op->code == TFLITE_HARD_SWISH;
        s->value[op->output][i] = curve ? table[v + 128] : slow_fused(scaled, out, act);
    }
}

/* The values of the model's output; yours to free. */
static inline int8_t *slow_run(const Wm *m, const int8_t *image)
{
    Slow s = {m, xcalloc((size_t)m->n_tensors, sizeof *s.value)};
    for (int t = 0; t < m->n_tensors; t++) {
        const WmTensor *of = &m->tensor[t];
        s.value[t] = xcalloc((size_t)slow_elements(of), 4);
        if (of->data || t == m->input)
            memcpy(s.value[t], of->data ? of->data : image,
                   of->data ? of->bytes : (size_t)slow_elements(of));
    }
    for (const WmOp *op = m->op; op < m->op + m->n_ops; op++) {
        if (op->code == TFLITE_FULLY_CONNECTED)
            slow_dense(&s, op);
        else if (op->code == TFLITE_ADD || op->code == TFLITE_MUL)
            slow_binary(&s, op);
        else if (op->code == TFLITE_MEAN)
            slow_mean(&s, op);
        else if (op->code == TFLITE_PAD)
            slow_pad(&s, op);
        else if (op->n_inputs == 3 || op->option[4].kind)
            slow_window(&s, op);
        else
            slow_unary(&s, op);
    }
    int8_t *result = s.value[m->output];
    for (int t = 0; t < m->n_tensors; t++)
        if (t != m->output)
            free(s.value[t]);
    free(s.value);
    return result;
}

#endif
