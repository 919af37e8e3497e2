#include "nn/op.h"
#include "nn/vec.h"

#include <string.h>

/* Channels go in blocks of one vector. A block of one image is copied into a
 * padded slab [height][width] of vectors that stays in L1; there a convolution
 * has no borders and no tails. The gradient of the input is a convolution of
 * the output's gradient, one for each phase of the stride. */

typedef struct {
    int h, w; /* padded */
    int top, left;
    Vec *at;
} Slab;

static int largest(int a, int b)
{
    return a > b ? a : b;
}

static int blocks_of(const Layer *l)
{
    return (l->in_c + VEC_LANES - 1) / VEC_LANES;
}

static int lanes_of(const Layer *l, int block)
{
    int left = l->in_c - block * VEC_LANES;
    return left < VEC_LANES ? left : VEC_LANES;
}

static Slab slab_of_input(const Layer *l)
{
    return (Slab){.h = largest((l->out_h - 1) * l->sh + l->kh, l->pad_top + l->in_h),
                  .w = largest((l->out_w - 1) * l->sw + l->kw, l->pad_left + l->in_w),
                  .top = l->pad_top, .left = l->pad_left};
}

/* An input row y takes from output rows (y + pad) / stride - t, t < taps. */
static int taps_of(int k, int stride)
{
    return (k + stride - 1) / stride;
}

static Slab slab_of_gradient(const Layer *l)
{
    Slab s = {.top = taps_of(l->kh, l->sh) - 1, .left = taps_of(l->kw, l->sw) - 1};
    s.h = s.top + largest(l->out_h, (l->in_h - 1 + l->pad_top) / l->sh + 1);
    s.w = s.left + largest(l->out_w, (l->in_w - 1 + l->pad_left) / l->sw + 1);
    return s;
}

typedef struct {
    Slab x, dy;
    Vec *weights; /* [block][kh * kw] */
    Vec *dw;      /* the same */
    Vec *part;    /* [kh * kw] the weights of one phase */
} Depthwise;

size_t depthwise_scratch(const Layer *l)
{
    Slab x = slab_of_input(l), dy = slab_of_gradient(l);
    size_t k = (size_t)l->kh * l->kw, blocks = (size_t)blocks_of(l);
    return ((size_t)x.h * (size_t)x.w + (size_t)dy.h * (size_t)dy.w + (2 * blocks + 1) * k) *
           VEC_LANES;
}

static Depthwise depthwise_of(const Step *s)
{
    const Layer *l = s->layer;
    size_t k = (size_t)l->kh * l->kw, blocks = (size_t)blocks_of(l);
    Depthwise d = {.x = slab_of_input(l), .dy = slab_of_gradient(l)};
    d.x.at = (Vec *)(void *)s->scratch;
    d.dy.at = d.x.at + d.x.h * d.x.w;
    d.weights = d.dy.at + d.dy.h * d.dy.w;
    d.dw = d.weights + blocks * k;
    d.part = d.dw + blocks * k;
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < k; i++)
            d.weights[b * k + i] = vec_load_part(s->w + i * l->in_c + b * VEC_LANES,
                                                 lanes_of(l, (int)b));
    return d;
}

/* Borders are zeroed once: every image writes the same inside. */
static void clear_slab(const Slab *s)
{
    memset(s->at, 0, (size_t)s->h * (size_t)s->w * sizeof(Vec));
}

typedef struct {
    const float *at; /* first lane of the first pixel */
    size_t pixel;    /* floats to the next */
    int h, w, lanes;
} Picture;

ALWAYS_INLINE void fill_values(const Slab *s, Picture p, const Tensor *t, int channel, int lanes)
{
    Vec scale = vec_all(1), shift = vec_all(0);
    float lo = t->lo, hi = t->hi;
    if (t->normed) {
        scale = vec_load_part(t->scale + channel, lanes);
        shift = vec_load_part(t->shift + channel, lanes);
    }
    for (int y = 0; y < p.h; y++) {
        Vec *row = s->at + (s->top + y) * s->w + s->left;
        for (int x = 0; x < p.w; x++, p.at += p.pixel) {
            Vec v = vec_load_part(p.at, lanes);
            row[x] = t->normed ? vec_clamp(v * scale + shift, lo, hi) : v;
        }
    }
}

/* Whole blocks compile without the tail's copies. */
static void fill_input(const Slab *s, const Layer *l, const Tensor *t, size_t image, int block)
{
    int channel = block * VEC_LANES, lanes = lanes_of(l, block);
    Picture p = {.at = t->raw + image * l->in_h * l->in_w * l->in_c + channel, .pixel = l->in_c,
                 .h = l->in_h, .w = l->in_w};
    if (lanes == VEC_LANES)
        fill_values(s, p, t, channel, VEC_LANES);
    else
        fill_values(s, p, t, channel, lanes);
}

ALWAYS_INLINE void fill_gradients(const Slab *s, const Layer *l, const Tensor *t, size_t image,
                                  int channel, int lanes)
{
    size_t at = image * l->out_h * l->out_w * l->out_c + (size_t)channel;
    const float *g = t->grad + at, *raw = t->raw + at;
    Vec scale = vec_load_part(t->scale + channel, lanes),
        mean = vec_load_part(t->mean + channel, lanes),
        slope = vec_load_part(t->slope + channel, lanes),
        offset = vec_load_part(t->offset + channel, lanes);
    for (int y = 0; y < l->out_h; y++) {
        Vec *row = s->at + (s->top + y) * s->w + s->left;
        for (int x = 0; x < l->out_w; x++, g += l->out_c, raw += l->out_c)
            row[x] = scale * vec_load_part(g, lanes) +
                     (slope * (vec_load_part(raw, lanes) - mean) + offset);
    }
}

static void fill_output_gradient(const Slab *s, const Layer *l, const Tensor *t, size_t image,
                                 int block)
{
    int channel = block * VEC_LANES, lanes = lanes_of(l, block);
    if (lanes == VEC_LANES)
        fill_gradients(s, l, t, image, channel, VEC_LANES);
    else
        fill_gradients(s, l, t, image, channel, lanes);
}

/* out[y][x] (+)= sum of in[y * step_y + i][x * step_x + j] * w[i][j] */
typedef struct {
    const Vec *in, *w;
    int in_row; /* vectors */
    int step_y, step_x, kh, kw;
    float *out;
    size_t out_row, out_pixel; /* floats */
    int rows, cols, lanes;
    bool adds;
} Correlation;

/* n neighbours at once: n sums in registers, each weight loaded once for all. */
ALWAYS_INLINE void neighbours(const Correlation *c, const Vec *in, float *out, int kh, int kw,
                              int step, int lanes, int n)
{
    Vec sum[8];
    for (int i = 0; i < n; i++)
        sum[i] = c->adds ? vec_load_part(out + (size_t)i * c->out_pixel, lanes) : vec_all(0);
    for (int ky = 0; ky < kh; ky++)
        for (int kx = 0; kx < kw; kx++) {
            Vec w = c->w[ky * kw + kx];
            const Vec *x = in + ky * c->in_row + kx;
            for (int i = 0; i < n; i++)
                sum[i] += w * x[i * step];
        }
    for (int i = 0; i < n; i++)
        vec_store_part(out + (size_t)i * c->out_pixel, sum[i], lanes);
}

ALWAYS_INLINE void correlate_as(const Correlation *c, int kh, int kw, int step, int lanes)
{
    for (int y = 0; y < c->rows; y++) {
        const Vec *in = c->in + y * c->step_y * c->in_row;
        float *out = c->out + (size_t)y * c->out_row;
        int x = 0;
        for (; x + 8 <= c->cols; x += 8)
            neighbours(c, in + x * step, out + (size_t)x * c->out_pixel, kh, kw, step, lanes, 8);
        for (; x + 4 <= c->cols; x += 4)
            neighbours(c, in + x * step, out + (size_t)x * c->out_pixel, kh, kw, step, lanes, 4);
        for (; x < c->cols; x++)
            neighbours(c, in + x * step, out + (size_t)x * c->out_pixel, kh, kw, step, lanes, 1);
    }
}

static void correlate(const Correlation *c)
{
    int k = c->kh == c->kw && c->lanes == VEC_LANES ? c->kh : 0, step = c->step_x;
    if (k == 3 && step == 1)
        correlate_as(c, 3, 3, 1, VEC_LANES);
    else if (k == 5 && step == 1)
        correlate_as(c, 5, 5, 1, VEC_LANES);
    else if (k == 7 && step == 1)
        correlate_as(c, 7, 7, 1, VEC_LANES);
    else if (k == 3 && step == 2)
        correlate_as(c, 3, 3, 2, VEC_LANES);
    else if (k == 5 && step == 2)
        correlate_as(c, 5, 5, 2, VEC_LANES);
    else if (k == 7 && step == 2)
        correlate_as(c, 7, 7, 2, VEC_LANES);
    else if (c->lanes == VEC_LANES)
        correlate_as(c, c->kh, c->kw, step, VEC_LANES);
    else
        correlate_as(c, c->kh, c->kw, step, c->lanes);
}

/* A block touches one line a pixel, a stride the machine does not foresee: while the blocks of
 * one image are at work, each calls in its part of the next image. */
static void foresee(const float *data, size_t image, size_t floats, int part, int parts)
{
    const float *next = data + (image + 1) * floats;
    size_t from = floats * (size_t)part / (size_t)parts;
    size_t to = floats * (size_t)(part + 1) / (size_t)parts;
    for (size_t i = from; i < to; i += 16)
        __builtin_prefetch(next + i);
}

void depthwise_forward(const Step *s, int images)
{
    const Layer *l = s->layer;
    Depthwise d = depthwise_of(s);
    size_t pixels = (size_t)l->out_h * l->out_w, in_floats = (size_t)l->in_h * l->in_w * l->in_c;
    Correlation c = {.in = d.x.at, .in_row = d.x.w, .step_y = l->sh, .step_x = l->sw, .kh = l->kh,
                     .kw = l->kw, .out_row = (size_t)l->out_w * l->out_c, .out_pixel = l->out_c,
                     .rows = l->out_h, .cols = l->out_w};
    clear_slab(&d.x);
    for (size_t i = 0; i < (size_t)images; i++) {
        for (int b = 0; b < blocks_of(l); b++) {
            fill_input(&d.x, l, s->in[0], i, b);
            if (i + 1 < (size_t)images) {
                foresee(s->in[0]->raw, i, in_floats, b, blocks_of(l));
                foresee(s->out->raw, i, pixels * l->out_c, b, blocks_of(l));
            }
            c.w = d.weights + b * l->kh * l->kw;
            c.lanes = lanes_of(l, b);
            c.out = s->out->raw + i * pixels * l->out_c + (size_t)b * VEC_LANES;
            correlate(&c);
        }
        tensor_written(s->out, i * pixels, pixels);
    }
}

/* dw[i][j] += sum of dy[y][x] * in[y * step + i][x * step + j], `rows` kernel rows at once. */
ALWAYS_INLINE void weigh_rows(const Layer *l, const Depthwise *d, Vec *dw, int ky, int rows, int kw,
                              int step)
{
    Vec sum[15];
    const Slab *xs = &d->x, *gs = &d->dy;
    for (int i = 0; i < rows * kw; i++)
        sum[i] = dw[ky * kw + i];
    for (int y = 0; y < l->out_h; y++) {
        const Vec *x = xs->at + (y * l->sh + ky) * xs->w;
        const Vec *g = gs->at + (gs->top + y) * gs->w + gs->left;
        for (int ox = 0; ox < l->out_w; ox++)
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < kw; j++)
                    sum[i * kw + j] += g[ox] * x[i * xs->w + ox * step + j];
    }
    for (int i = 0; i < rows * kw; i++)
        dw[ky * kw + i] = sum[i];
}

/* One weight at a time, for kernels of any shape. */
static void weigh_tap(const Layer *l, const Depthwise *d, Vec *dw, int ky, int kx)
{
    Vec sum = vec_all(0), other = vec_all(0);
    const Slab *xs = &d->x, *gs = &d->dy;
    for (int y = 0; y < l->out_h; y++) {
        const Vec *x = xs->at + (y * l->sh + ky) * xs->w + kx;
        const Vec *g = gs->at + (gs->top + y) * gs->w + gs->left;
        int ox = 0;
        for (; ox + 2 <= l->out_w; ox += 2) {
            sum += g[ox] * x[ox * l->sw];
            other += g[ox + 1] * x[(ox + 1) * l->sw];
        }
        for (; ox < l->out_w; ox++)
            sum += g[ox] * x[ox * l->sw];
    }
    dw[ky * l->kw + kx] += sum + other;
}

/* A row's 3 to 7 sums do not fill the pipeline, 25 do not fit into the registers beside what gcc
 * loads ahead: 9 to 15 at once do both. */
ALWAYS_INLINE void weigh_as(const Layer *l, const Depthwise *d, Vec *dw, int k, int rows, int step)
{
    int ky = 0;
    for (; ky + rows <= k; ky += rows)
        weigh_rows(l, d, dw, ky, rows, k, step);
    if (ky < k)
        weigh_rows(l, d, dw, ky, k % rows, k, step);
}

static void weigh(const Layer *l, const Depthwise *d, Vec *dw)
{
    int k = l->kh == l->kw ? l->kh : 0, step = l->sw;
    if (k == 3 && step == 1)
        weigh_as(l, d, dw, 3, 3, 1);
    else if (k == 5 && step == 1)
        weigh_as(l, d, dw, 5, 3, 1);
    else if (k == 7 && step == 1)
        weigh_as(l, d, dw, 7, 2, 1);
    else if (k == 3 && step == 2)
        weigh_as(l, d, dw, 3, 3, 2);
    else if (k == 5 && step == 2)
        weigh_as(l, d, dw, 5, 3, 2);
    else if (k == 7 && step == 2)
        weigh_as(l, d, dw, 7, 2, 2);
    else
        for (int ky = 0; ky < l->kh; ky++)
            for (int kx = 0; kx < l->kw; kx++)
                weigh_tap(l, d, dw, ky, kx);
}

/* The input's places in one direction that a phase writes: phase + stride * q - pad. */
typedef struct {
    int taps, first, count, start; /* of q: the first inside, how many; start = input place of it */
} Phase;

static Phase phase_of(int phase, int k, int stride, int pad, int in)
{
    Phase p = {.taps = phase < k ? (k - phase + stride - 1) / stride : 0};
    p.first = phase < pad ? (pad - phase + stride - 1) / stride : 0;
    p.start = phase + stride * p.first - pad;
    p.count = p.start < in ? (in - 1 - p.start) / stride + 1 : 0;
    return p;
}

static void pack_phase(const Layer *l, const Vec *w, Vec *part, int phase_y, int phase_x)
{
    Phase y = phase_of(phase_y, l->kh, l->sh, 0, 1), x = phase_of(phase_x, l->kw, l->sw, 0, 1);
    for (int i = y.taps - 1; i >= 0; i--)
        for (int j = x.taps - 1; j >= 0; j--)
            *part++ = w[(phase_y + i * l->sh) * l->kw + phase_x + j * l->sw];
}

static void give_phase(const Step *s, const Depthwise *d, size_t image, int block, int phase_y,
                       int phase_x)
{
    const Layer *l = s->layer;
    const Slab *g = &d->dy;
    Phase y = phase_of(phase_y, l->kh, l->sh, l->pad_top, l->in_h);
    Phase x = phase_of(phase_x, l->kw, l->sw, l->pad_left, l->in_w);
    bool none = y.taps == 0 || x.taps == 0; /* a stride beyond the kernel: zeros */
    size_t pixel = (image * l->in_h + (size_t)y.start) * l->in_w + (size_t)x.start;
    pack_phase(l, d->weights + block * l->kh * l->kw, d->part, phase_y, phase_x);
    Correlation c = {.in_row = g->w, .step_y = 1, .step_x = 1, .w = d->part,
                     .kh = none ? 0 : y.taps, .kw = none ? 0 : x.taps,
                     .rows = y.count, .cols = x.count, .lanes = lanes_of(l, block),
                     .out = s->in[0]->grad + pixel * l->in_c + (size_t)block * VEC_LANES,
                     .out_row = (size_t)l->sh * l->in_w * l->in_c,
                     .out_pixel = (size_t)l->sw * l->in_c, .adds = s->share[0].adds};
    c.in = g->at;
    if (!none)
        c.in += (g->top + y.first - y.taps + 1) * g->w + g->left + x.first - x.taps + 1;
    if (y.count > 0 && x.count > 0)
        correlate(&c);
}

static void give_input(const Step *s, const Depthwise *d, size_t image, int block)
{
    for (int py = 0; py < s->layer->sh; py++)
        for (int px = 0; px < s->layer->sw; px++)
            give_phase(s, d, image, block, py, px);
}

static void add_weights(const Step *s, const Depthwise *d)
{
    const Layer *l = s->layer;
    int k = l->kh * l->kw;
    for (int b = 0; b < blocks_of(l); b++)
        for (int i = 0; i < k; i++) {
            float *dw = s->dw + i * l->in_c + b * VEC_LANES;
            int lanes = lanes_of(l, b);
            vec_store_part(dw, vec_load_part(dw, lanes) + d->dw[b * k + i], lanes);
        }
}

void depthwise_backward(const Step *s, int images)
{
    const Layer *l = s->layer;
    Depthwise d = depthwise_of(s);
    int k = l->kh * l->kw;
    size_t pixels = (size_t)l->in_h * l->in_w, out_floats = (size_t)l->out_h * l->out_w * l->out_c;
    clear_slab(&d.x);
    clear_slab(&d.dy);
    memset(d.dw, 0, (size_t)(blocks_of(l) * k) * sizeof(Vec));
    for (size_t i = 0; i < (size_t)images; i++) {
        for (int b = 0; b < blocks_of(l); b++) {
            fill_input(&d.x, l, s->in[0], i, b);
            fill_output_gradient(&d.dy, l, s->out, i, b);
            if (i + 1 < (size_t)images) {
                foresee(s->in[0]->raw, i, pixels * l->in_c, b, blocks_of(l));
                foresee(s->out->raw, i, out_floats, b, blocks_of(l));
                foresee(s->out->grad, i, out_floats, b, blocks_of(l));
            }
            weigh(l, &d, d.dw + b * k);
            if (s->share[0].wanted)
                give_input(s, &d, i, b);
        }
        if (s->share[0].wanted)
            op_give(s, 0, i * pixels, pixels);
    }
    add_weights(s, &d);
}
