/* host_kernels.h - the int8 kernels of host_isa.h, compiled once for every
 * instruction set by the files that include this (HOST_TABLE names the table).
 *
 * Inputs are bytes x = q + 128 with zero point z, so a sum of (x - z) * w is
 * one of x * w, less z times the sum of the weights, which is put into the
 * bias. Everything is modulo 2^32; the sum itself fits (qmodel_check()). */
#include "base/alloc.h"
#include "evaluator/host_isa.h"
#include "evaluator/host_simd.h"
#include "runtime/tb.h"

#include <stdlib.h>

/* ---- from sums to outputs ------------------------------------------------------------------ */

/* Of LANES channels. `plain` layers, nearly all, shift to the right by `right` and have the rest,
 * half of it and the zero point, in `more`. The others shift to the left, then to the right in
 * two, as tb_round_shift() does: `more` is the last one, 0 where nothing goes to the right. */
typedef struct {
    Sums bias, multiplier;
    Sums left, right, more;
} Finish;

typedef struct {
    Sums low, high, zero; /* low, high: before the zero point is added */
} Range;

ALWAYS_INLINE Range range_of(const HostLayer *l)
{
    const int zero = l->plain ? 0 : l->out_zero;
    return (Range){sums_all(l->low - zero), sums_all(l->high - zero), sums_all(zero)};
}

/* x * multiplier * 2^(shift - 31): tb_scale(). */
ALWAYS_INLINE Sums scaled(Sums x, const Finish *f)
{
    x = sums_high_mul(sums_left(x, f->left), f->multiplier);
    x = sums_right(sums_sub(x, sums_is_negative(x) & f->more), f->right);
    return sums_right(sums_add(x, f->more), f->more);
}

ALWAYS_INLINE Sums scaled_plain(Sums x, const Finish *f)
{
    x = sums_high_mul(x, f->multiplier);
    return sums_right(sums_add(sums_sub(x, sums_is_negative(x)), f->more), f->right);
}

/* The first n bytes, a multiple of 4. */
ALWAYS_INLINE void finish(uint8_t *out, Sums x, const Finish *f, const Range *r, int n, bool plain)
{
    x = plain ? scaled_plain(x, f) : scaled(x, f);
    x = sums_max(sums_min(x, r->high), r->low);
    sums_store(out, plain ? x : sums_add(x, r->zero), n);
}

static int vectors_of(int channels)
{
    return (channels + LANES - 1) / LANES;
}

static void finish_set(const HostLayer *l, Finish *f, int lane, int32_t bias, int32_t multiplier,
                       int shift)
{
    int right = -shift, last = shift < 0;
    int32_t word[] = {bias, multiplier, shift > 0 ? shift : 0, last ? right - 1 : 0, last};
    Sums *to[] = {&f->bias, &f->multiplier, &f->left, &f->right, &f->more};
    if (l->plain) {
        word[3] = right;
        word[4] = (1 << right >> 1) + (l->out_zero << right);
    }
    for (int i = 0; i < 5; i++)
        memcpy((char *)to[i] + 4 * lane, &word[i], 4);
}

/* ---- convolution, pointwise, dense: a window is rows of bytes in a row ---------------------- */

typedef struct {
    const uint8_t *in;  /* the first window */
    size_t right, down; /* bytes to the next window and to the one below */
    int out_h, out_w;
} Windows;

/* Vectors of channels summed together, of so many that are left; 4 are 2 and 2. */
static int panel_of(int left)
{
    return left <= TILE_VECTORS ? left : left == TILE_VECTORS + 1 && left == 4 ? 2 : TILE_VECTORS;
}

/* What of the tile's pixels is beyond the last one reads that again. */
ALWAYS_INLINE void tile_as(const HostLayer *l, const Windows *w, const uint8_t *first, int n,
                           const Weights *weights, const Finish *f, uint8_t *out, int bytes,
                           int pixels, int vectors, bool plain)
{
    Sums sum[TILE_PIXELS][TILE_VECTORS];
    const uint8_t *x[TILE_PIXELS];
    UNROLLED
    for (int p = 0; p < pixels; p++) {
        x[p] = first + (size_t)(p < n ? p : n - 1) * w->right;
        UNROLLED
        for (int j = 0; j < vectors; j++)
            sum[p][j] = f[j].bias;
    }
    const int32_t *at = l->quad_at, *end = at + l->quads;
    do {
        Weights k[TILE_VECTORS];
        UNROLLED
        for (int j = 0; j < vectors; j++)
            k[j] = weights[j];
        UNROLLED
        for (int p = 0; p < pixels; p++) {
            Quads v = quads_all(x[p] + *at);
            UNROLLED
            for (int j = 0; j < vectors; j++)
                sum[p][j] = sums_dot(sum[p][j], v, k[j]);
        }
        weights += vectors;
    } while (++at < end);
    const Range r = range_of(l);
    const int step = l->out_step;
    UNROLLED
    for (int j = 0; j < vectors; j++) {
        const Finish g = f[j]; /* bytes that are written might be anything */
        UNROLLED
        for (int p = 0; p < pixels; p++)
            if (p < n)
                finish(out + p * step + j * LANES, sum[p][j], &g, &r,
                       j < vectors - 1 ? LANES : bytes, plain);
    }
}

/* All pixels of `vectors` vectors of channels; `bytes` of the last one are there. */
ALWAYS_INLINE void panel_as(const HostLayer *l, const Windows *w, const Weights *weights,
                            const Finish *f, uint8_t *out, int bytes, int vectors, bool plain)
{
    const size_t next = TILE_PIXELS * w->right;
    for (int y = 0; y < w->out_h; y++) {
        const uint8_t *x = w->in + (size_t)y * w->down;
        for (int left = w->out_w; left > 0; left -= TILE_PIXELS, x += next) {
            int n = left < TILE_PIXELS ? left : TILE_PIXELS;
            if (n == TILE_PIXELS)
                tile_as(l, w, x, TILE_PIXELS, weights, f, out, bytes, TILE_PIXELS, vectors, plain);
            else if (n > TILE_PIXELS / 2)
                tile_as(l, w, x, n, weights, f, out, bytes, TILE_PIXELS, vectors, plain);
            else
                tile_as(l, w, x, n, weights, f, out, bytes, TILE_PIXELS / 2, vectors, plain);
            out += n * l->out_step;
        }
    }
}

ALWAYS_INLINE void panel(const HostLayer *l, const Windows *w, const Weights *weights,
                         const Finish *f, uint8_t *out, int bytes, int vectors)
{
    if (l->plain && bytes == LANES)
        panel_as(l, w, weights, f, out, LANES, vectors, true);
    else if (l->plain)
        panel_as(l, w, weights, f, out, bytes, vectors, true);
    else
        panel_as(l, w, weights, f, out, bytes, vectors, false);
}

static void run_windows(const HostLayer *l, const Windows *w, uint8_t *out)
{
    const Weights *weights = l->weights;
    const Finish *f = l->finish;
    for (int left = vectors_of(l->out_step), n, bytes = l->out_step; left > 0; left -= n) {
        n = panel_of(left);
        int last = bytes - (n - 1) * LANES < LANES ? bytes - (n - 1) * LANES : LANES;
        if (TILE_VECTORS >= 3 && n == 3)
            panel(l, w, weights, f, out, last, 3);
        else if (TILE_VECTORS >= 2 && n == 2)
            panel(l, w, weights, f, out, last, 2);
        else
            panel(l, w, weights, f, out, last, 1);
        weights += l->quads * n;
        f += n;
        out += n * LANES;
        bytes -= n * LANES;
    }
}

static void pointwise(const HostLayer *l, const HostTensors *t)
{
    Windows w = {.in = t->in, .right = (size_t)l->in_step, .out_h = 1,
                 .out_w = l->shape.out_h * l->shape.out_w};
    run_windows(l, &w, t->out);
}

/* One window. */
static void dense(const HostLayer *l, const HostTensors *t)
{
    Windows w = {.in = t->in, .out_h = 1, .out_w = 1};
    run_windows(l, &w, t->out);
}

/* Rows and columns that all windows of a layer cover. */
static int rows_seen(const Layer *s)
{
    return (s->out_h - 1) * s->sh + s->kh;
}

static int columns_seen(const Layer *s)
{
    return (s->out_w - 1) * s->sw + s->kw;
}

/* What the windows see, with its padding. */
static void pad(const HostLayer *l, const uint8_t *in, uint8_t *to)
{
    const Layer *s = &l->shape;
    int columns = columns_seen(s), step = l->in_step, right = columns - s->pad_left;
    int inside = right < s->in_w ? right : s->in_w;
    memset(to, l->in_zero, (size_t)rows_seen(s) * (size_t)columns * (size_t)step);
    for (int y = 0; y < s->in_h && y < rows_seen(s) - s->pad_top && inside > 0; y++)
        memcpy(to + ((y + s->pad_top) * columns + s->pad_left) * step, in + y * s->in_w * step,
               (size_t)(inside * step));
}

static void conv(const HostLayer *l, const HostTensors *t)
{
    const Layer *s = &l->shape;
    size_t right = (size_t)(s->sw * l->in_step);
    Windows w = {.in = t->scratch, .right = right, .out_h = s->out_h, .out_w = s->out_w,
                 .down = (size_t)(s->sh * columns_seen(s) * l->in_step)};
    pad(l, t->in, t->scratch);
    run_windows(l, &w, t->out);
}

/* ---- depthwise: a quad is four rows of a column --------------------------------------------- */

enum { QUADS = 4 * LANES }; /* bytes */

static int groups_of(const Layer *s)
{
    return (s->kh + 3) / 4;
}

/* [columns][groups] quads of one output row, of LANES channels from `in` on. */
ALWAYS_INLINE void gather_columns(const HostLayer *l, const uint8_t *in, int y, uint8_t *quads,
                                  int groups)
{
    const Layer *s = &l->shape;
    int columns = columns_seen(s) - s->pad_left, top = y * s->sh - s->pad_top;
    uint8_t zeros[LANES];
    memset(zeros, l->in_zero, sizeof zeros);
    columns = columns < s->in_w ? columns : s->in_w;
    quads += s->pad_left * groups * QUADS;
    for (int g = 0; g < groups; g++) {
        const uint8_t *row[4];
        int step[4];
        for (int i = 0; i < 4; i++) {
            int at = top + 4 * g + i;
            bool there = 4 * g + i < s->kh && at >= 0 && at < s->in_h;
            row[i] = there ? in + at * s->in_w * l->out_step : zeros;
            step[i] = there ? l->out_step : 0;
        }
        for (int x = 0; x < columns; x++) {
            quads_gather(quads + (x * groups + g) * QUADS, row);
            for (int i = 0; i < 4; i++)
                row[i] += step[i];
        }
    }
}

enum { MOST_KEPT = 14 }; /* vectors of weights that stay in registers; how many is a constant then */

/* One output row of LANES channels. */
ALWAYS_INLINE void depthwise_row(const HostLayer *l, const uint8_t *quads, const Weights *weights,
                                 const Finish *f, uint8_t *out, int bytes, int taps, bool kept,
                                 bool plain)
{
    const Range r = range_of(l);
    const Finish g = *f;
    const int next = l->shape.sw * groups_of(&l->shape) * QUADS, step = l->out_step;
    Weights k[MOST_KEPT];
    for (int i = 0; i < MOST_KEPT; i++)
        k[i] = weights[kept && i < taps ? i : 0];
    for (int x = l->shape.out_w; x > 0; x--, quads += next, out += step) {
        Sums sum = g.bias;
        if (kept)
            UNROLLED
            for (int i = 0; i < MOST_KEPT; i++)
                sum = i < taps ? sums_dot(sum, quads_load(quads + i * QUADS), k[i]) : sum;
        else
            for (int i = 0; i < taps; i++)
                sum = sums_dot(sum, quads_load(quads + i * QUADS), weights[i]);
        finish(out, sum, &g, &r, bytes, plain);
    }
}

ALWAYS_INLINE void depthwise_as(const HostLayer *l, const uint8_t *in, uint8_t *quads, uint8_t *out,
                                int kw, int groups, bool kept)
{
    const Layer *s = &l->shape;
    const Weights *weights = l->weights;
    const Finish *f = l->finish;
    const int taps = kw * groups;
    memset(quads, l->in_zero, (size_t)(columns_seen(s) * groups * QUADS));
    for (int c = 0; c < l->out_step; c += LANES, weights += taps, f++) {
        int bytes = l->out_step - c < LANES ? l->out_step - c : LANES;
        for (int y = 0; y < s->out_h; y++) {
            uint8_t *to = out + y * s->out_w * l->out_step + c;
            gather_columns(l, in + c, y, quads, groups);
            if (l->plain && bytes == LANES)
                depthwise_row(l, quads, weights, f, to, LANES, taps, kept, true);
            else if (l->plain)
                depthwise_row(l, quads, weights, f, to, bytes, taps, kept, true);
            else
                depthwise_row(l, quads, weights, f, to, bytes, taps, kept, false);
        }
    }
}

/* A channel as often as outputs read it. */
static void repeat_channels(const HostLayer *l, const uint8_t *in, uint8_t *to)
{
    const Layer *s = &l->shape;
    int times = s->out_c / s->in_c;
    for (int i = 0; i < s->in_h * s->in_w; i++)
        for (int c = 0; c < s->out_c; c++)
            to[i * l->out_step + c] = in[i * l->in_step + c / times];
}

static void depthwise(const HostLayer *l, const HostTensors *t)
{
    const Layer *s = &l->shape;
    const uint8_t *in = t->in;
    if (s->in_c != s->out_c) {
        uint8_t *repeated = t->scratch + columns_seen(s) * groups_of(s) * QUADS;
        repeat_channels(l, in, repeated);
        in = repeated;
    }
    if (s->kw == 3 && s->kh == 3)
        depthwise_as(l, in, t->scratch, t->out, 3, 1, true);
    else if (s->kw == 5 && s->kh == 5)
        depthwise_as(l, in, t->scratch, t->out, 5, 2, true);
    else if (s->kw == 7 && s->kh == 7)
        depthwise_as(l, in, t->scratch, t->out, 7, 2, true);
    else
        depthwise_as(l, in, t->scratch, t->out, s->kw, groups_of(s), false);
}

/* ---- pools and means: channels apart -------------------------------------------------------- */

/* Of LANES channels, the sum or the largest of the taps inside the image; how many there are. */
ALWAYS_INLINE int window_of(const HostLayer *l, const uint8_t *in, int y, int x, Sums *sum,
                            bool largest)
{
    const Layer *s = &l->shape;
    int count = 0;
    *sum = sums_all(0);
    for (int i = 0; i < s->kh; i++)
        for (int j = 0; j < s->kw; j++) {
            int row = y * s->sh - s->pad_top + i, column = x * s->sw - s->pad_left + j;
            if (row < 0 || row >= s->in_h || column < 0 || column >= s->in_w)
                continue;
            Sums tap = sums_of_bytes(in + (row * s->in_w + column) * l->in_step);
            *sum = largest ? sums_max(*sum, tap) : sums_add(*sum, tap);
            count++;
        }
    return count;
}

/* Halves away from zero, of what the bytes stand for. */
ALWAYS_INLINE Sums mean_of(Sums sum, int count)
{
    int32_t of[LANES];
    memcpy(of, &sum, sizeof of);
    for (int i = 0; i < LANES; i++) {
        int32_t value = of[i] - 128 * count, half = value < 0 ? -(count / 2) : count / 2;
        of[i] = (count > 0 ? (value + half) / count : 0) + 128;
    }
    memcpy(&sum, of, sizeof of);
    return sum;
}

ALWAYS_INLINE void pool_as(const HostLayer *l, const HostTensors *t, Op op)
{
    const Layer *s = &l->shape;
    const Sums low = sums_all(l->low), high = sums_all(l->high);
    const Range r = range_of(l);
    uint8_t *out = t->out;
    for (int i = 0; i < s->out_h * s->out_w; i++, out += l->out_step)
        for (int c = 0; c < l->out_step; c += LANES) {
            Sums sum;
            int bytes = l->out_step - c < LANES ? l->out_step - c : LANES;
            int count = window_of(l, t->in + c, i / s->out_w, i % s->out_w, &sum,
                                  op == OP_MAX_POOL);
            if (op == OP_MEAN) {
                sum = sums_sub(sum, sums_all(count * l->in_zero));
                finish(out + c, sum, l->finish, &r, bytes, false);
                continue;
            }
            if (op == OP_AVG_POOL)
                sum = mean_of(sum, count);
            sums_store(out + c, sums_max(sums_min(sum, high), low), bytes);
        }
}

static void avg_pool(const HostLayer *l, const HostTensors *t)
{
    pool_as(l, t, OP_AVG_POOL);
}

static void max_pool(const HostLayer *l, const HostTensors *t)
{
    pool_as(l, t, OP_MAX_POOL);
}

static void mean(const HostLayer *l, const HostTensors *t)
{
    pool_as(l, t, OP_MEAN);
}

/* ---- value by value ------------------------------------------------------------------------- */

/* TFLite gives the sum of two int8 a headroom of 20 bits. */
static void add(const HostLayer *l, const HostTensors *t)
{
    const Finish *f = l->finish; /* of both inputs and of their sum */
    const Range r = range_of(l);
    const Sums zero = sums_all(l->in_zero), zero2 = sums_all(l->in2_zero), headroom = sums_all(20);
    const int n = l->shape.out_h * l->shape.out_w * l->out_step;
    for (int i = 0; i < n; i += LANES) {
        Sums a = sums_left(sums_sub(sums_of_bytes(t->in + i), zero), headroom);
        Sums b = sums_left(sums_sub(sums_of_bytes(t->in2 + i), zero2), headroom);
        Sums sum = sums_add(scaled(a, &f[0]), scaled(b, &f[1]));
        finish(t->out + i, sum, &f[2], &r, n - i < LANES ? n - i : LANES, false);
    }
}

static void gate(const HostLayer *l, const HostTensors *t)
{
    const Range r = range_of(l);
    const Sums zero = sums_all(l->in_zero), zero2 = sums_all(l->in2_zero);
    const int pixels = l->shape.out_h * l->shape.out_w, step = l->out_step;
    for (int c = 0; c < step; c += LANES) {
        const Sums by = sums_sub(sums_of_bytes(t->in2 + c), zero2);
        for (int i = 0; i < pixels; i++) {
            Sums x = sums_sub(sums_of_bytes(t->in + i * step + c), zero);
            finish(t->out + i * step + c, sums_mul(x, by), l->finish, &r,
                   step - c < LANES ? step - c : LANES, false);
        }
    }
}

static void lookup(const HostLayer *l, const HostTensors *t)
{
    const uint8_t *table = l->weights;
    const int n = l->shape.out_h * l->shape.out_w * l->out_step;
    for (int i = 0; i < n; i++)
        t->out[i] = table[t->in[i]];
}

/* Mostly one pixel, the last: the device's kernel will do. */
static void softmax(const HostLayer *l, const HostTensors *t)
{
    const int c = l->shape.out_c, pixels = l->shape.out_h * l->shape.out_w;
    const TbOp op = {.multiplier = l->q->multiplier, .shift = l->q->shift, .out_w = 1,
                     .out_c = l->shape.out_c, .act_min = INT8_MIN, .act_max = INT8_MAX};
    int8_t *x = (int8_t *)t->scratch;
    const TbRows rows = {.in = {x}, .out = {x}};
    for (int i = 0; i < pixels; i++) {
        host_narrow(x, t->in + i * l->in_step, 1, c);
        tb_softmax_row(&op, &rows, NULL);
        host_widen(t->out + i * l->out_step, x, 1, c);
    }
}

/* ---- preparing ------------------------------------------------------------------------------ */

/* Of output channel c, or 0 beside the last: the weight of row y and of byte k of a window. */
static int8_t window_weight(const HostLayer *l, const QLayer *q, int c, int y, int k)
{
    const Layer *s = &l->shape;
    int x = k / l->in_step, in = k % l->in_step;
    if (c >= s->out_c || in >= s->in_c)
        return 0;
    return q->weights[((c * s->kh + y) * s->kw + x) * s->in_c + in];
}

/* [panel][quads][vectors of the panel] */
static void pack_windows(const HostLayer *l, const QLayer *q, Weights *to)
{
    int vectors = vectors_of(l->out_step), row = l->quads / l->shape.kh;
    for (int first = 0, n; first < vectors; first += n) {
        n = panel_of(vectors - first);
        for (int i = 0; i < l->quads; i++)
            for (int lane = 0; lane < n * LANES; lane++)
                for (int k = 0; k < 4; k++)
                    weights_put(to + i * n + lane / LANES, lane % LANES, k,
                                window_weight(l, q, first * LANES + lane, i / row, i % row * 4 + k));
        to += l->quads * n;
    }
}

/* Where the quads of a window are: a convolution's rows are apart. */
static void place_quads(const HostLayer *l, int32_t *at)
{
    const Layer *s = &l->shape;
    int row = l->quads / s->kh, columns = s->op == OP_CONV ? columns_seen(s) : s->kw;
    for (int i = 0; i < l->quads; i++)
        at[i] = i / row * columns * l->in_step + i % row * 4;
}

/* [vector][kw][group] */
static void pack_columns(const HostLayer *l, const QLayer *q, Weights *to)
{
    const Layer *s = &l->shape;
    int groups = groups_of(s);
    for (int c = 0; c < s->out_c; c++)
        for (int x = 0; x < s->kw; x++)
            for (int y = 0; y < s->kh; y++)
                weights_put(to + (c / LANES * s->kw + x) * groups + y / 4, c % LANES, y % 4,
                            q->weights[(y * s->kw + x) * s->out_c + c]);
}

static void make_table(const QLayer *q, uint8_t *table)
{
    for (int i = 0; i < 256; i++)
        table[i] = (uint8_t)(q->weights[i] + 128);
}

/* The bias without what the input's zero point adds to every sum. */
static int32_t bias_of(const HostLayer *l, const QLayer *q, int c)
{
    const Layer *s = &l->shape;
    int apart = s->op == OP_DEPTHWISE, n = s->kh * s->kw * (apart ? 1 : s->in_c);
    uint32_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += (uint32_t)(int32_t)q->weights[apart ? i * s->out_c + c : c * n + i];
    return (int32_t)((uint32_t)q->bias[c] - sum * (uint32_t)l->in_zero);
}

/* Whether every channel's sum, of which a positive shift leaves less, and all that is added to
 * it stay in 31 bits. */
static bool is_plain(const HostLayer *l, const QLayer *q)
{
    const Layer *s = &l->shape;
    int apart = s->op == OP_DEPTHWISE, n = s->kh * s->kw * (apart ? 1 : s->in_c);
    for (int c = 0; c < s->out_c; c++) {
        int64_t most = llabs((int64_t)q->bias[c]);
        for (int i = 0; i < n; i++)
            most += 255 * abs(q->weights[apart ? i * s->out_c + c : c * n + i]);
        if (q->shift[c] > -1 || q->shift[c] < -20 || most > 1 << 30)
            return false;
    }
    return true;
}

/* A vector of them a scale; of layers with weights, a lane. */
static void make_finish(const HostLayer *l, const QLayer *q, Finish *f)
{
    int n = qmodel_multipliers(&l->shape);
    bool weighs = op_has_weights((Op)l->shape.op);
    for (int i = 0; i < n && weighs; i++)
        finish_set(l, &f[i / LANES], i % LANES, bias_of(l, q, i), q->multiplier[i], q->shift[i]);
    for (int i = 0; i < n * LANES && !weighs && l->shape.op != OP_SOFTMAX; i++)
        finish_set(l, &f[i / LANES], i % LANES, 0, q->multiplier[i / LANES], q->shift[i / LANES]);
}

static size_t weight_vectors(const HostLayer *l)
{
    const Layer *s = &l->shape;
    size_t vectors = (size_t)vectors_of(l->out_step);
    if (s->op == OP_LOOKUP)
        return 256 / sizeof(Weights);
    return vectors * (s->op == OP_DEPTHWISE ? s->kw * (size_t)groups_of(s) : (size_t)l->quads);
}

static size_t finish_vectors(const HostLayer *l)
{
    bool weighs = op_has_weights((Op)l->shape.op);
    return (size_t)(weighs ? vectors_of(l->out_step) : qmodel_multipliers(&l->shape));
}

static size_t scratch_of(const HostLayer *l)
{
    const Layer *s = &l->shape;
    size_t columns = (size_t)columns_seen(s);
    if (s->op == OP_CONV)
        return (size_t)rows_seen(s) * columns * (size_t)l->in_step;
    if (s->op == OP_DEPTHWISE)
        return columns * (size_t)(groups_of(s) * QUADS) +
               (s->in_c == s->out_c ? 0 : (size_t)(s->in_h * s->in_w * l->out_step));
    return s->op == OP_SOFTMAX ? s->out_c : 0;
}

static void prepare(HostLayer *l, const QLayer *q)
{
    const Layer *s = &l->shape;
    bool weighs = op_has_weights((Op)s->op), columns = s->op == OP_DEPTHWISE;
    l->quads = weighs && !columns ? s->kh * s->kw * l->in_step / 4 : 0;
    l->plain = weighs && is_plain(l, q);
    l->scratch = scratch_of(l);
    size_t weights = weight_vectors(l) * sizeof(Weights);
    size_t finish = finish_vectors(l) * sizeof(Finish);
    uint8_t *block = xaligned(weights + finish + (size_t)l->quads * 4 + 1);
    l->weights = l->block = block;
    l->finish = block + weights;
    l->quad_at = (int32_t *)(block + weights + finish);
    make_finish(l, q, (Finish *)(block + weights));
    place_quads(l, (int32_t *)(block + weights + finish));
    if (columns)
        pack_columns(l, q, (Weights *)block);
    else if (weighs)
        pack_windows(l, q, (Weights *)block);
    else if (s->op == OP_LOOKUP)
        make_table(q, block);
}

const HostIsa HOST_TABLE = {.name = HOST_NAME,
                            .prepare = prepare,
                            .kernel = {[OP_CONV] = conv,
                                       [OP_DEPTHWISE] = depthwise,
                                       [OP_POINTWISE] = pointwise,
                                       [OP_ADD] = add,
                                       [OP_AVG_POOL] = avg_pool,
                                       [OP_MAX_POOL] = max_pool,
                                       [OP_GLOBAL_POOL] = avg_pool,
                                       [OP_DENSE] = dense,
                                       [OP_MEAN] = mean,
                                       [OP_GATE] = gate,
                                       [OP_LOOKUP] = lookup,
                                       [OP_SOFTMAX] = softmax}};
