/* slow_kernels.h - the runtime's kernels once more, slow and obvious, and random
 * layers to compare them on. */
#ifndef SLOW_KERNELS_H
#define SLOW_KERNELS_H

#include "runtime/tb.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- a slow, obvious reference: gemmlowp's arithmetic as its papers say it ---- */

static inline int32_t slow_high_mul(int32_t a, int32_t b)
{
    int64_t product = (int64_t)a * b;
    int64_t nudge = product >= 0 ? 1LL << 30 : 1 - (1LL << 30);
    if (a == INT32_MIN && b == INT32_MIN)
        return INT32_MAX;
    return (int32_t)((product + nudge) / (1LL << 31));
}

static inline int32_t slow_round_shift(int32_t x, int n)
{
    int64_t size = 1LL << n, magnitude = x < 0 ? -(int64_t)x : x;
    int64_t rounded = (2 * magnitude + size) / (2 * size); /* halves up in magnitude */
    return (int32_t)(x < 0 ? -rounded : rounded);
}

static inline int32_t slow_scale(int32_t x, int32_t multiplier, int shift)
{
    int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    int32_t wide = (int32_t)(uint32_t)((uint64_t)(uint32_t)x * (1ULL << left));
    return slow_round_shift(slow_high_mul(wide, multiplier), right);
}

static inline int8_t slow_clamp(int64_t x, const TbOp *op)
{
    return (int8_t)(x < op->act_min ? op->act_min : x > op->act_max ? op->act_max : x);
}

static inline int8_t slow_output(const TbOp *op, int64_t sum, int c)
{
    int32_t scaled = slow_scale((int32_t)sum, op->multiplier[c], op->shift[c]);
    return slow_clamp((int64_t)scaled + op->out_zero, op);
}

/* One tap of a padded tensor; false in the padding. */
static inline bool tap(const TbOp *op, const int8_t *in, int oy, int ox, int ky, int kx, int c,
                       int *value)
{
    int y = oy * op->sh - op->pad_top + ky, x = ox * op->sw - op->pad_left + kx;
    if (y < 0 || y >= op->in_h || x < 0 || x >= op->in_w)
        return false;
    *value = in[((y * op->in_w) + x) * op->in_c + c];
    return true;
}

static inline int8_t slow_mac(const TbOp *op, const int8_t *in, int oy, int ox, int oc)
{
    bool apart = op->kernel == tb_depthwise_row;
    int multiplier = apart ? op->out_c / op->in_c : 1;
    int64_t sum = op->bias[oc];
    for (int ky = 0; ky < op->kh; ky++)
        for (int kx = 0; kx < op->kw; kx++)
            for (int ic = 0; ic < op->in_c; ic++) {
                int at = ((oc * op->kh + ky) * op->kw + kx) * op->in_c + ic, value;
                if (apart)
                    at = (ky * op->kw + kx) * op->out_c + oc;
                if ((!apart || ic == oc / multiplier) && tap(op, in, oy, ox, ky, kx, ic, &value))
                    sum += (value - op->in_zero) * op->weights[at];
            }
    return slow_output(op, sum, oc);
}

static inline int8_t slow_pool(const TbOp *op, const int8_t *in, int oy, int ox, int c)
{
    int sum = 0, count = 0, most = -128, value;
    for (int ky = 0; ky < op->kh; ky++)
        for (int kx = 0; kx < op->kw; kx++)
            if (tap(op, in, oy, ox, ky, kx, c, &value)) {
                sum += value;
                count++;
                most = value > most ? value : most;
            }
    if (op->kernel == tb_max_pool_row)
        return slow_clamp(most, op);
    if (count == 0)
        return slow_clamp(0, op);
    int magnitude = (2 * abs(sum) + count) / (2 * count);
    return slow_clamp(sum < 0 ? -magnitude : magnitude, op);
}

static inline int8_t slow_add(const TbOp *op, int a, int b)
{
    int32_t x = slow_scale((a - op->in_zero) * (1 << 20), op->multiplier[0], op->shift[0]);
    int32_t y = slow_scale((b - op->in2_zero) * (1 << 20), op->multiplier[1], op->shift[1]);
    int32_t sum = (int32_t)((uint32_t)x + (uint32_t)y);
    return slow_clamp((int64_t)slow_scale(sum, op->multiplier[2], op->shift[2]) + op->out_zero, op);
}

static inline int8_t slow_mean(const TbOp *op, const int8_t *in, int oy, int ox, int c)
{
    int64_t sum = 0;
    int value = 0;
    for (int ky = 0; ky < op->kh; ky++)
        for (int kx = 0; kx < op->kw; kx++) {
            ck_assert(tap(op, in, oy, ox, ky, kx, c, &value));
            sum += value - op->in_zero;
        }
    return slow_output(op, sum, 0);
}

static inline int8_t slow_gate(const TbOp *op, int a, int b)
{
    return slow_output(op, (a - op->in_zero) * (b - op->in2_zero), 0);
}

/* round(x * 2^bits): the constants of gemmlowp's polynomials, from what they mean */
static inline int32_t fixed(double x, int bits)
{
    return (int32_t)llround(ldexp(x, bits));
}

static inline int32_t saturated(int64_t x)
{
    return (int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
}

/* Q5.26 to Q0.31 */
static inline int32_t slow_exp(int32_t a)
{
    int32_t quarter = fixed(0.25, 26), part = a, times = 0;
    if (a == 0)
        return INT32_MAX;
    for (; part < -quarter; times++)
        part += quarter;
    int32_t x = saturated(32LL * part) + fixed(0.125, 31);
    int32_t x2 = slow_high_mul(x, x), x3 = slow_high_mul(x2, x), x4 = slow_high_mul(x2, x2);
    int32_t high = slow_high_mul(slow_round_shift(x4, 2) + x3, fixed(1.0 / 3, 31)) + x2;
    int32_t first = fixed(exp(-0.125), 31);
    int32_t e = first + slow_high_mul(first, x + slow_round_shift(high, 1));
    for (int bit = 0; bit < 7; bit++)
        if (times >> bit & 1)
            e = slow_high_mul(e, fixed(exp(-ldexp(1, bit - 2)), 31));
    return e;
}

/* 1 / (1 + x), Q0.31 */
static inline int32_t slow_reciprocal(int32_t x)
{
    int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2), one = fixed(1, 29);
    int32_t y = fixed(48.0 / 17, 29) + slow_high_mul(half, fixed(-32.0 / 17, 29));
    for (int i = 0; i < 3; i++)
        y += saturated(4LL * slow_high_mul(y, one - slow_high_mul(half, y)));
    return saturated(2LL * y);
}

static inline void slow_softmax(const TbOp *op, const int8_t *in, int8_t *out)
{
    int n = op->out_c, most = -128, zeros = 0;
    int32_t e[4096], sum = 0;
    int64_t least = (31LL << 26) / (1LL << op->shift[0]);
    for (int c = 0; c < n; c++)
        most = in[c] > most ? in[c] : most;
    for (int c = 0; c < n; c++) {
        int32_t scaled = slow_high_mul((int32_t)saturated((int64_t)(in[c] - most) *
                                                          (1LL << op->shift[0])),
                                       op->multiplier[0]);
        e[c] = in[c] - most < -least ? 0 : slow_exp(scaled);
        sum += slow_round_shift(e[c], 12);
    }
    while (sum < 1LL << (31 - zeros - 1))
        zeros++;
    zeros++; /* the sign */
    int32_t scale = slow_reciprocal((int32_t)(((int64_t)sum << (zeros - 1)) * 2 - (1LL << 31)));
    for (int c = 0; c < n; c++) {
        int32_t q = slow_round_shift(slow_high_mul(scale, e[c]), 12 - zeros + 31 - 8);
        out[c] = (int8_t)(q - 128 > 127 ? 127 : q - 128);
    }
}

static inline int8_t slow_value(const TbOp *op, const int8_t *in, const int8_t *in2, int y, int x,
                                int c)
{
    int at = (y * op->out_w + x) * op->out_c + c;
    if (op->kernel == tb_add_row)
        return slow_add(op, in[at], in2[at]);
    if (op->kernel == tb_gate_row)
        return slow_gate(op, in[at], in2[c]);
    if (op->kernel == tb_lookup_row)
        return op->weights[in[at] + 128];
    if (op->kernel == tb_mean_row)
        return slow_mean(op, in, y, x, c);
    if (op->kernel == tb_avg_pool_row || op->kernel == tb_max_pool_row)
        return slow_pool(op, in, y, x, c);
    return slow_mac(op, in, y, x, c);
}

static inline void slow_layer(const TbOp *op, const int8_t *in, const int8_t *in2, int8_t *out)
{
    for (int y = 0; y < op->out_h; y++)
        for (int x = 0; x < op->out_w; x++) {
            int at = (y * op->out_w + x) * op->out_c;
            if (op->kernel == tb_softmax_row)
                slow_softmax(op, in + at, out + at);
            else
                for (int c = 0; c < op->out_c; c++)
                    out[at + c] = slow_value(op, in, in2, y, x, c);
        }
}

/* ---- random layers ---- */

enum { MOST_C = 40 }; /* more than two blocks of channels */
enum { TABLE = 256 }; /* of a lookup */

typedef struct {
    TbOp op;
    int32_t bias[MOST_C], multiplier[MOST_C];
    int8_t shift[MOST_C];
    int8_t *weights;
} Sample;

static inline int between(Rng *rng, int low, int high)
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

static inline int8_t any_int8(Rng *rng)
{
    return (int8_t)between(rng, -128, 127);
}

/* An add as TFLite makes it: each input's share of twice the larger scale. */
static inline void draw_shares(Sample *s, Rng *rng)
{
    int larger = between(rng, 0, 1), bits = between(rng, 0, 6);
    s->multiplier[larger] = 1 << 30;
    s->shift[larger] = 0;
    s->shift[1 - larger] = (int8_t)-bits;
    if (bits == 0)
        s->multiplier[1 - larger] = 1 << 30; /* scales are equal */
    s->shift[2] = (int8_t)between(rng, -20, -16);
}

/* Mostly what quantisation makes, now and then anything tb.h allows. */
static inline void draw_requant(Sample *s, Rng *rng, int n)
{
    bool wild = rng_below(rng, 4) == 0, add = s->op.kernel == tb_add_row;
    for (int i = 0; i < n; i++) {
        s->multiplier[i] = between(rng, 1 << 30, INT32_MAX);
        s->shift[i] = (int8_t)between(rng, -11, -1);
        s->bias[i] = between(rng, -20000, 20000);
        if (wild) {
            s->multiplier[i] = rng_below(rng, 5) ? (int32_t)(rng_next(rng) >> 33) : 0;
            s->shift[i] = (int8_t)between(rng, -31, add ? 0 : 30);
            s->bias[i] = (int32_t)(rng_next(rng) >> 32) / 2;
        }
    }
    if (add && rng_below(rng, 2))
        draw_shares(s, rng);
    if (s->op.kernel == tb_softmax_row) /* scales from 2^-10 to 1 */
        s->shift[0] = (int8_t)between(rng, 17, 26);
}

/* Of a window: strides, padding, and what comes out. */
static inline void draw_strides(TbOp *op, Rng *rng)
{
    op->sh = (uint8_t)between(rng, 1, 3);
    op->sw = (uint8_t)between(rng, 1, 3);
    op->pad_top = (uint8_t)between(rng, 0, op->kh - 1);
    op->pad_left = (uint8_t)between(rng, 0, op->kw - 1);
    int bottom = between(rng, 0, op->kh - 1), right = between(rng, 0, op->kw - 1);
    int h = op->in_h + op->pad_top + bottom - op->kh, w = op->in_w + op->pad_left + right - op->kw;
    op->out_h = (uint16_t)(h < 0 ? 1 : h / op->sh + 1);
    op->out_w = (uint16_t)(w < 0 ? 1 : w / op->sw + 1);
}

static inline void draw_window(TbOp *op, Rng *rng, int most)
{
    op->kh = (uint8_t)between(rng, 1, most);
    op->kw = (uint8_t)between(rng, 1, most);
    draw_strides(op, rng);
}

static inline bool has_window(const TbOp *op)
{
    return op->kernel == tb_conv_row || op->kernel == tb_depthwise_row ||
           op->kernel == tb_avg_pool_row || op->kernel == tb_max_pool_row;
}

/* Over rows, columns, both or (a change of scale) neither. */
static inline void draw_mean(TbOp *op, Rng *rng)
{
    if (rng_below(rng, 3)) {
        op->kh = (uint8_t)op->in_h;
        op->out_h = 1;
    }
    if (rng_below(rng, 3)) {
        op->kw = (uint8_t)op->in_w;
        op->out_w = 1;
    }
}

static inline void draw_shape(TbOp *op, Rng *rng)
{
    op->in_h = (uint16_t)between(rng, 1, 9);
    op->in_w = (uint16_t)between(rng, 1, 11);
    op->in_c = (uint16_t)between(rng, 1, MOST_C);
    op->out_c = op->in_c;
    op->out_h = op->in_h;
    op->out_w = op->in_w;
    op->kh = op->kw = op->sh = op->sw = op->block = 1;
    if (op->kernel == tb_dense_row) {
        op->kh = (uint8_t)op->in_h;
        op->kw = (uint8_t)op->in_w;
        op->out_h = op->out_w = 1;
    } else if (op->kernel == tb_mean_row) {
        draw_mean(op, rng);
    } else if (has_window(op)) {
        draw_window(op, rng, 7);
    }
    if (op->kernel == tb_dense_row || op->kernel == tb_pointwise_row || op->kernel == tb_conv_row)
        op->out_c = (uint16_t)between(rng, 1, MOST_C);
}

static inline void draw_op(Sample *s, Rng *rng, TbKernel *kernel)
{
    memset(s, 0, sizeof *s);
    TbOp *op = &s->op;
    op->kernel = kernel;
    draw_shape(op, rng);
    op->in_zero = any_int8(rng);
    op->in2_zero = any_int8(rng);
    op->out_zero = any_int8(rng);
    op->act_min = rng_below(rng, 2) ? -128 : any_int8(rng);
    op->act_max = (int8_t)(rng_below(rng, 2) ? 127 : between(rng, op->act_min, 127));
    int n = op->out_c * op->kh * op->kw * op->in_c + (kernel == tb_lookup_row ? TABLE : 0);
    s->weights = xmalloc((size_t)n);
    for (int i = 0; i < n; i++)
        s->weights[i] = any_int8(rng);
    draw_requant(s, rng, op->out_c < 3 ? 3 : op->out_c);
    op->weights = s->weights;
    op->bias = s->bias;
    op->multiplier = s->multiplier;
    op->shift = s->shift;
}

static inline int8_t *draw_tensor(Rng *rng, size_t n)
{
    int8_t *t = xmalloc(n); /* exactly n, so that a sanitizer sees a step aside */
    for (size_t i = 0; i < n; i++)
        t[i] = any_int8(rng);
    return t;
}

/* expansion, depthwise, projection, and the op that does all three */
typedef struct {
    Sample sample[3];
    TbOp op[4];
} Bottleneck;

/* What the layers are when they are executed one by one. */
static inline void draw_layers(Bottleneck *b, Rng *rng)
{
    static TbKernel *const kernel[] = {tb_pointwise_row, tb_depthwise_row, tb_pointwise_row};
    int k = 2 * between(rng, 1, 3) + 1, s = between(rng, 1, 2), wide = between(rng, 1, MOST_C);
    int h = between(rng, k, 14), w = between(rng, k, 12), c = between(rng, 1, 12);
    int top = between(rng, 0, k - 1), left = between(rng, 0, 1) * between(rng, 0, k - 1);
    int bottom = between(rng, 0, k - 1), right = between(rng, 0, k - 1);
    for (int i = 0; i < 3; i++) {
        draw_op(&b->sample[i], rng, kernel[i]);
        b->op[i] = b->sample[i].op;
        TbOp *op = &b->op[i];
        op->in_h = op->out_h = (uint16_t)h, op->in_w = op->out_w = (uint16_t)w;
        op->in_c = (uint16_t)(i == 0 ? c : wide), op->out_c = (uint16_t)(i < 2 ? wide : op->out_c);
        op->kh = op->kw = op->sh = op->sw = 1, op->pad_top = op->pad_left = 0;
        if (i == 1) {
            op->kh = op->kw = (uint8_t)k, op->sh = op->sw = (uint8_t)s;
            op->pad_top = (uint8_t)top, op->pad_left = (uint8_t)left;
            op->out_h = (uint16_t)(h = (h + top + bottom - k) / s + 1);
            op->out_w = (uint16_t)(w = (w + left + right - k) / s + 1);
        }
        free(b->sample[i].weights);
        op->weights = b->sample[i].weights =
            draw_tensor(rng, (size_t)op->out_c * (i == 1 ? k * k : op->in_c));
        op->bias = b->sample[i].bias, op->multiplier = b->sample[i].multiplier;
        op->shift = b->sample[i].shift;
    }
    b->op[1].in_zero = b->op[0].out_zero;
}

/* The fourth op, and what it wants of the three. */
static inline void make_block(Bottleneck *b, int block)
{
    TbOp *expand = &b->op[0], *depthwise = &b->op[1], *project = &b->op[2], *op = &b->op[3];
    *op = (TbOp){.kernel = tb_block_rows, .in_h = expand->in_h, .in_w = expand->in_w,
                 .in_c = expand->in_c, .out_h = project->out_h, .out_w = project->out_w,
                 .out_c = project->out_c, .kw = depthwise->kw, .sh = depthwise->sh,
                 .sw = depthwise->sw, .pad_top = depthwise->pad_top,
                 .pad_left = depthwise->pad_left, .block = (uint8_t)block};
    op->kh = (uint8_t)((block - 1) * depthwise->sh + depthwise->kh);
    expand->in_h = expand->in_w = expand->out_h = expand->out_w = 1;
    project->in_h = project->in_w = project->out_h = project->out_w = 1;
    depthwise->in_h = depthwise->kh, depthwise->in_w = depthwise->kw;
    depthwise->out_h = depthwise->out_w = 1, depthwise->pad_top = depthwise->pad_left = 0;
}

#endif
