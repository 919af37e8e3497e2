#include "nn/op.h"
#include "nn/vec.h"

#include <string.h>

/* Channels go in blocks of one vector. A block of one image is a plane [h][w] of
 * vectors; in training it is copied out of the tensor, with norm and activation,
 * and stays in L1, in inference tensors lie in planes already. A kernel's taps
 * beyond the plane are left out: of 7x7 taps on 4x4 pixels two in three. So the
 * columns go in strips, compiled for where the edges of the plane are. The
 * gradient of the input is a correlation of the output's gradient, one for each
 * phase of the stride. */

typedef struct {
    int h, w;
    Vec *at;
} Plane;

static int blocks_of(const Layer *l)
{
    return (l->in_c + VEC_LANES - 1) / VEC_LANES;
}

static int lanes_of(const Layer *l, int block)
{
    int left = l->in_c - block * VEC_LANES;
    return left < VEC_LANES ? left : VEC_LANES;
}

typedef struct {
    Plane x, dy;
    Vec *weights; /* [block][kh * kw] */
    Vec *dw;      /* the same */
    Vec *part;    /* [kh * kw] the weights of one phase */
} Depthwise;

size_t depthwise_scratch(const Layer *l)
{
    size_t k = (size_t)l->kh * l->kw, blocks = (size_t)blocks_of(l);
    size_t in = (size_t)l->in_h * l->in_w, out = (size_t)l->out_h * l->out_w;
    return (in + out + (2 * blocks + 1) * k) * VEC_LANES;
}

static Depthwise depthwise_of(const Step *s)
{
    const Layer *l = s->layer;
    size_t k = (size_t)l->kh * l->kw, blocks = (size_t)blocks_of(l);
    Depthwise d = {.x = {.h = l->in_h, .w = l->in_w}, .dy = {.h = l->out_h, .w = l->out_w}};
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

ALWAYS_INLINE void fill_values(const Plane *to, const float *x, const Tensor *t, int channel,
                               int lanes)
{
    Vec scale = vec_all(1), shift = vec_all(0);
    float lo = t->lo, hi = t->hi;
    if (t->normed) {
        scale = vec_load_part(t->scale + channel, lanes);
        shift = vec_load_part(t->shift + channel, lanes);
    }
    for (int i = 0; i < to->h * to->w; i++, x += t->c) {
        Vec v = vec_load_part(x, lanes);
        to->at[i] = t->normed ? vec_clamp(v * scale + shift, lo, hi) : v;
    }
}

/* Whole blocks compile without the tail's copies. */
static void fill_input(const Plane *to, const Layer *l, const Tensor *t, size_t image, int block)
{
    int channel = block * VEC_LANES, lanes = lanes_of(l, block);
    const float *x = t->raw + image * l->in_h * l->in_w * l->in_c + channel;
    if (lanes == VEC_LANES)
        fill_values(to, x, t, channel, VEC_LANES);
    else
        fill_values(to, x, t, channel, lanes);
}

ALWAYS_INLINE void fill_gradients(const Plane *to, size_t first, const Tensor *t, int channel,
                                  int lanes)
{
    size_t at = first * (size_t)t->c + (size_t)channel;
    const float *g = t->grad + at, *raw = t->raw + at;
    Vec scale = vec_load_part(t->scale + channel, lanes),
        mean = vec_load_part(t->mean + channel, lanes),
        slope = vec_load_part(t->slope + channel, lanes),
        offset = vec_load_part(t->offset + channel, lanes);
    for (int i = 0; i < to->h * to->w; i++, g += t->c, raw += t->c)
        to->at[i] = scale * vec_load_part(g, lanes) +
                    (slope * (vec_load_part(raw, lanes) - mean) + offset);
}

static void fill_output_gradient(const Plane *to, const Layer *l, const Tensor *t, size_t image,
                                 int block)
{
    int channel = block * VEC_LANES, lanes = lanes_of(l, block);
    size_t first = image * l->out_h * l->out_w;
    if (lanes == VEC_LANES)
        fill_gradients(to, first, t, channel, VEC_LANES);
    else
        fill_gradients(to, first, t, channel, lanes);
}

/* ---- a kernel slides over a plane ---- */

/* out[y][x] (+)= bias + sum of in[y * step_y + i - top][x * step_x + j - left] * w[i][j],
 * or, with dw, the gradient of the weights: dw[i][j] += sum of dy[y][x] * in[the same]. */
typedef struct {
    const Vec *in;
    int in_h, in_w, top, left;
    int step_y, step_x, kh, kw;
    int rows, cols; /* of the output */
    const Vec *w;
    float *out;
    size_t out_row, out_pixel; /* floats */
    int lanes;
    Vec bias;
    float lo, hi;
    bool adds, finishes;
    const Vec *dy;
    Vec *dw;
} Slide;

/* n columns of the output. They read the columns first..end - 1 of the (n - 1) * step_x + kw under
 * their kernels, the others are beyond the plane. */
typedef struct {
    int x, n, first, end;
    int base; /* the input's column under the first */
} Strip;

enum { STRIP = 8, NARROW = 4, MOST_COLUMNS = (STRIP - 1) * 2 + 7 };

/* Where a strip with a padding of kw / 2 meets the plane's edges. What the compiler knows to be
 * beyond is never asked for; with ANY, each column is looked up. */
typedef enum { INSIDE, LEFT, RIGHT, BOTH, ANY } Edge;

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

static int largest(int a, int b)
{
    return a > b ? a : b;
}

static int columns_of(int n, int step, int kw)
{
    return (n - 1) * step + kw;
}

static Strip strip_at(const Slide *c, int x)
{
    Strip s = {.x = x, .n = least_of(c->cols - x, STRIP), .base = x * c->step_x - c->left};
    s.first = largest(0, -s.base);
    s.end = least_of(columns_of(s.n, c->step_x, c->kw), c->in_w - s.base);
    return s;
}

static Edge edge_of(const Slide *c, const Strip *s)
{
    int all = columns_of(s->n, c->step_x, c->kw), out = c->kw / 2;
    bool left = s->first == out, right = s->end == all - out;
    if (s->n != STRIP && s->n != NARROW)
        return ANY;
    if (s->first == 0 && s->end == all)
        return INSIDE;
    if (c->step_x > 1 || c->kw < 3 || c->kw % 2 == 0)
        return ANY;
    if (left && right)
        return BOTH;
    return left && s->end == all ? LEFT : right && s->first == 0 ? RIGHT : ANY;
}

ALWAYS_INLINE bool beyond(Edge edge, int j, int all, int kw)
{
    return ((edge == LEFT || edge == BOTH) && j < kw / 2) ||
           ((edge == RIGHT || edge == BOTH) && j >= all - kw / 2);
}

/* Column j, zero when it is beyond. */
ALWAYS_INLINE Vec column(const Vec *in, ptrdiff_t at, int j, Edge edge, const bool *inside)
{
    const float *x = (const float *)in + (at + j) * VEC_LANES;
    return edge == ANY ? vec_load_if(x, inside[j]) : vec_load(x);
}

/* Kernel rows that meet the plane at output row y. */
typedef struct {
    int from, to;
} Range;

static inline Range taps_at(const Slide *c, int y)
{
    int top = y * c->step_y - c->top;
    return (Range){largest(0, -top), least_of(c->kh, c->in_h - top)};
}

/* Output rows at which kernel row ky meets the plane. */
static inline Range rows_at(const Slide *c, int ky)
{
    int before = c->top - ky, until = c->in_h + before;
    return (Range){before > 0 ? (before + c->step_y - 1) / c->step_y : 0,
                   until > 0 ? least_of(c->rows, (until - 1) / c->step_y + 1) : 0};
}

static inline ptrdiff_t input_at(const Slide *c, const Strip *s, int y, int ky)
{
    return (ptrdiff_t)(y * c->step_y + ky - c->top) * c->in_w + s->base;
}

/* What a slide does with its sums, in registers while it stores. */
ALWAYS_INLINE void store_row(const Slide *c, const Strip *s, int y, Vec *sum, int n, Edge edge)
{
    float *out = c->out + (size_t)y * c->out_row + (size_t)s->x * c->out_pixel;
    size_t pixel = c->out_pixel;
    int lanes = c->lanes, some = edge == ANY ? s->n : n;
    if (c->adds)
        UNROLLED
        for (int i = 0; i < n; i++)
            sum[i] += i >= some ? vec_all(0) : vec_load_part(out + (size_t)i * pixel, lanes);
    if (c->finishes) {
        float lo = c->lo, hi = c->hi;
        UNROLLED
        for (int i = 0; i < n; i++)
            sum[i] = vec_clamp(sum[i], lo, hi);
    }
    if (lanes == VEC_LANES && some == n) {
        UNROLLED
        for (int i = 0; i < n; i++)
            vec_store(out + (size_t)i * pixel, sum[i]);
        return;
    }
    UNROLLED
    for (int i = 0; i < n; i++)
        if (i < some)
            vec_store_part(out + (size_t)i * pixel, sum[i], lanes);
}

/* A kernel row at n neighbours: sums in registers, a column of the input loaded once for all. With
 * sets 0, n sums of the weights w times their inputs; else w are the gradients of the n outputs and
 * the sums those of the weights, several of each where one would not fill the pipeline. */
ALWAYS_INLINE void slide_row(const Slide *c, const Strip *s, int y, int ky, const Vec *w, Vec *sum,
                             int sets, int kw, int step, int n, Edge edge, const bool *inside)
{
    int all = columns_of(n, step, kw);
    ptrdiff_t at = input_at(c, s, y, ky);
    UNROLLED
    for (int j = 0; j < all; j++) {
        if (beyond(edge, j, all, kw))
            continue;
        Vec x = column(c->in, at, j, edge, inside);
        UNROLLED
        for (int i = 0; i < n; i++) {
            int tap = j - i * step;
            if (tap >= 0 && tap < kw)
                sum[sets ? i % sets * kw + tap : i] += w[sets ? i : tap] * x;
        }
    }
}

ALWAYS_INLINE void load_gradients(const Slide *c, const Strip *s, int y, Vec *g, int n, Edge edge,
                                  const bool *inside)
{
    UNROLLED
    for (int i = 0; i < n; i++)
        g[i] = column(c->dy, y * c->cols + s->x, i, edge, inside + MOST_COLUMNS);
}

enum { SMALL = 3 }; /* a kernel so high and wide has its weights, or their sums, in registers */

ALWAYS_INLINE void correlate_strip(const Slide *c, const Strip *s, int kh, int kw, int step, int n,
                                   Edge edge, const bool *inside)
{
    Vec kept[SMALL * SMALL];
    if (kh)
        UNROLLED
        for (int i = 0; i < SMALL * SMALL; i++)
            kept[i] = c->w[i];
    for (int y = 0; y < c->rows; y++) {
        Vec sum[STRIP];
        UNROLLED
        for (int i = 0; i < n; i++)
            sum[i] = c->bias;
        Range taps = taps_at(c, y);
        if (kh)
            UNROLLED
            for (int ky = 0; ky < SMALL; ky++) {
                if (ky >= taps.from && ky < taps.to)
                    slide_row(c, s, y, ky, kept + ky * SMALL, sum, 0, kw, step, n, edge, inside);
            }
        else
            for (int ky = taps.from; ky < taps.to; ky++)
                slide_row(c, s, y, ky, c->w + ky * kw, sum, 0, kw, step, n, edge, inside);
        store_row(c, s, y, sum, n, edge);
    }
}

ALWAYS_INLINE void weigh_small(const Slide *c, const Strip *s, int step, int n, Edge edge,
                               const bool *inside)
{
    Vec sum[SMALL * SMALL];
    UNROLLED
    for (int i = 0; i < SMALL * SMALL; i++)
        sum[i] = c->dw[i];
    for (int y = 0; y < c->rows; y++) {
        Vec g[STRIP];
        Range taps = taps_at(c, y);
        load_gradients(c, s, y, g, n, edge, inside);
        UNROLLED
        for (int ky = 0; ky < SMALL; ky++) {
            if (ky >= taps.from && ky < taps.to)
                slide_row(c, s, y, ky, g, sum + ky * SMALL, 1, SMALL, step, n, edge, inside);
        }
    }
    UNROLLED
    for (int i = 0; i < SMALL * SMALL; i++)
        c->dw[i] = sum[i];
}

ALWAYS_INLINE void weigh_strip(const Slide *c, const Strip *s, int kw, int step, int n, Edge edge,
                               const bool *inside)
{
    int sets = (STRIP + kw - 1) / kw;
    for (int ky = 0; ky < c->kh; ky++) {
        Vec sum[2 * STRIP];
        UNROLLED
        for (int i = 0; i < sets * kw; i++)
            sum[i] = vec_all(0);
        Range rows = rows_at(c, ky);
        for (int y = rows.from; y < rows.to; y++) {
            Vec g[STRIP];
            load_gradients(c, s, y, g, n, edge, inside);
            slide_row(c, s, y, ky, g, sum, sets, kw, step, n, edge, inside);
        }
        UNROLLED
        for (int i = 0; i < sets * kw; i++)
            c->dw[ky * kw + i % kw] += sum[i];
    }
}

/* kh: SMALL, or 0 for a number of kernel rows the compiler does not know. */
ALWAYS_INLINE void strip_as(const Slide *c, const Strip *s, int kh, int kw, int step, int n,
                            Edge edge)
{
    bool inside[MOST_COLUMNS + STRIP]; /* of the input, then of the output */
    if (edge == ANY) {
        for (int j = 0; j < MOST_COLUMNS; j++)
            inside[j] = j >= s->first && j < s->end;
        for (int j = 0; j < STRIP; j++)
            inside[MOST_COLUMNS + j] = j < s->n;
    }
    if (!c->dw)
        correlate_strip(c, s, kh, kw, step, n, edge, inside);
    else if (kh)
        weigh_small(c, s, step, n, edge, inside);
    else
        weigh_strip(c, s, kw, step, n, edge, inside);
}

ALWAYS_INLINE void strip_of(const Slide *c, const Strip *s, int kh, int kw, int step)
{
    Edge edge = edge_of(c, s);
    bool narrow = s->n <= NARROW, skips = step == 1 && kw > 2 && kw % 2;
    if (!narrow && edge == INSIDE)
        strip_as(c, s, kh, kw, step, STRIP, INSIDE);
    else if (skips && narrow && edge == BOTH)
        strip_as(c, s, kh, kw, step, NARROW, BOTH);
    else if (skips && !narrow && edge == BOTH)
        strip_as(c, s, kh, kw, step, STRIP, BOTH);
    else if (skips && !narrow && edge == LEFT)
        strip_as(c, s, kh, kw, step, STRIP, LEFT);
    else if (skips && !narrow && edge == RIGHT)
        strip_as(c, s, kh, kw, step, STRIP, RIGHT);
    else if (narrow)
        strip_as(c, s, kh, kw, step, NARROW, ANY);
    else
        strip_as(c, s, kh, kw, step, STRIP, ANY);
}

/* One output after the other, for kernels of any shape. */
static void strip_slowly(const Slide *c, const Strip *s)
{
    for (int y = 0; y < c->rows; y++)
        for (int x = s->x; x < s->x + s->n; x++) {
            Strip one = {.x = x, .n = 1, .base = x * c->step_x - c->left};
            Range taps = taps_at(c, y);
            int from = largest(0, -one.base), to = least_of(c->kw, c->in_w - one.base);
            Vec sum = c->bias;
            for (int ky = taps.from; ky < taps.to; ky++)
                for (int kx = from; kx < to; kx++) {
                    Vec v = c->in[input_at(c, &one, y, ky) + kx];
                    if (c->dw)
                        c->dw[ky * c->kw + kx] += c->dy[y * c->cols + x] * v;
                    else
                        sum += c->w[ky * c->kw + kx] * v;
                }
            if (!c->dw)
                store_row(c, &one, y, &sum, 1, INSIDE);
        }
}

static void strip_of_any(const Slide *c, const Strip *s)
{
    bool one = c->step_x == 1, two = c->step_x == 2, weighs = c->dw != NULL;
    if (one && c->kw == 3 && c->kh == 3)
        strip_of(c, s, SMALL, 3, 1);
    else if (two && c->kw == 3 && c->kh == 3)
        strip_of(c, s, SMALL, 3, 2);
    else if (one && c->kw == 5)
        strip_of(c, s, 0, 5, 1);
    else if (one && c->kw == 7)
        strip_of(c, s, 0, 7, 1);
    else if (two && c->kw == 5)
        strip_of(c, s, 0, 5, 2);
    else if (two && c->kw == 7)
        strip_of(c, s, 0, 7, 2);
    else if (one && c->kw == 1 && !weighs) /* from here on phases of a stride */
        strip_of(c, s, 0, 1, 1);
    else if (one && c->kw == 2 && !weighs)
        strip_of(c, s, 0, 2, 1);
    else if (one && c->kw == 3 && !weighs)
        strip_of(c, s, 0, 3, 1);
    else if (one && c->kw == 4 && !weighs)
        strip_of(c, s, 0, 4, 1);
    else
        strip_slowly(c, s);
}

static void slide(const Slide *c)
{
    for (int x = 0; x < c->cols; x += STRIP) {
        Strip s = strip_at(c, x);
        strip_of_any(c, &s);
    }
}

/* ---- forward ---- */

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

/* A block of an image that lies in planes already, or NULL. */
static float *plane_of(const Tensor *t, size_t image, size_t pixels, int block)
{
    if (!t->plane)
        return NULL;
    return t->raw + (size_t)block * t->plane + image * pixels * VEC_LANES;
}

static const Vec *input_plane(const Step *s, const Depthwise *d, size_t image, int block)
{
    const Layer *l = s->layer;
    const float *there = plane_of(s->in[0], image, (size_t)l->in_h * l->in_w, block);
    if (there)
        return (const Vec *)(const void *)there;
    fill_input(&d->x, l, s->in[0], image, block);
    return d->x.at;
}

static void write_to(Slide *c, const Step *s, size_t image, int block)
{
    const Layer *l = s->layer;
    const Tensor *t = s->out;
    size_t pixels = (size_t)l->out_h * l->out_w;
    c->out = plane_of(t, image, pixels, block);
    c->out_pixel = c->out ? VEC_LANES : l->out_c;
    c->lanes = c->out ? VEC_LANES : lanes_of(l, block);
    if (!c->out)
        c->out = t->raw + image * pixels * l->out_c + (size_t)block * VEC_LANES;
    c->out_row = (size_t)l->out_w * c->out_pixel;
    c->bias = t->normed ? vec_all(0) : vec_load(t->shift + block * VEC_LANES);
}

void depthwise_forward(const Step *s, int images)
{
    const Layer *l = s->layer;
    Depthwise d = depthwise_of(s);
    size_t pixels = (size_t)l->out_h * l->out_w, in_floats = (size_t)l->in_h * l->in_w * l->in_c;
    Slide c = {.in_h = l->in_h, .in_w = l->in_w, .top = l->pad_top, .left = l->pad_left,
               .step_y = l->sh, .step_x = l->sw, .kh = l->kh, .kw = l->kw, .rows = l->out_h,
               .cols = l->out_w, .lo = s->out->lo, .hi = s->out->hi, .finishes = !s->out->normed};
    for (size_t i = 0; i < (size_t)images; i++) {
        for (int b = 0; b < blocks_of(l); b++) {
            c.in = input_plane(s, &d, i, b);
            if (i + 1 < (size_t)images && s->out->normed) {
                foresee(s->in[0]->raw, i, in_floats, b, blocks_of(l));
                foresee(s->out->raw, i, pixels * l->out_c, b, blocks_of(l));
            }
            c.w = d.weights + b * l->kh * l->kw;
            write_to(&c, s, i, b);
            slide(&c);
        }
        if (s->out->normed)
            tensor_written(s->out, i * pixels, pixels);
    }
}

/* ---- backward ---- */

static void weigh(const Layer *l, const Depthwise *d, Vec *dw)
{
    slide(&(Slide){.in = d->x.at, .in_h = l->in_h, .in_w = l->in_w, .top = l->pad_top,
                   .left = l->pad_left, .step_y = l->sh, .step_x = l->sw, .kh = l->kh,
                   .kw = l->kw, .rows = l->out_h, .cols = l->out_w, .dy = d->dy.at, .dw = dw});
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
    Phase y = phase_of(phase_y, l->kh, l->sh, l->pad_top, l->in_h);
    Phase x = phase_of(phase_x, l->kw, l->sw, l->pad_left, l->in_w);
    bool none = y.taps == 0 || x.taps == 0; /* a stride beyond the kernel: zeros */
    size_t pixel = (image * l->in_h + (size_t)y.start) * l->in_w + (size_t)x.start;
    pack_phase(l, d->weights + block * l->kh * l->kw, d->part, phase_y, phase_x);
    slide(&(Slide){.in = d->dy.at, .in_h = l->out_h, .in_w = l->out_w,
                   .top = y.taps - 1 - y.first, .left = x.taps - 1 - x.first,
                   .step_y = 1, .step_x = 1, .w = d->part,
                   .kh = none ? 0 : y.taps, .kw = none ? 0 : x.taps,
                   .rows = y.count, .cols = x.count, .lanes = lanes_of(l, block),
                   .out = s->in[0]->grad + pixel * l->in_c + (size_t)block * VEC_LANES,
                   .out_row = (size_t)l->sh * l->in_w * l->in_c,
                   .out_pixel = (size_t)l->sw * l->in_c, .adds = s->share[0].adds});
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
