#include "nn/tensor.h"

#include "nn/vec.h"

#include <math.h>
#include <string.h>

enum { MIN_PERIOD = 128, COLUMNS = 4 }; /* vectors summed side by side, in registers */

static int period_of(int c)
{
    int period = c;
    while (period % VEC_LANES)
        period += c;
    while (period < MIN_PERIOD)
        period *= 2;
    return period;
}

static size_t rounded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

size_t tensor_pixel(const Tensor *t)
{
    return t->plane ? VEC_LANES : (size_t)t->c;
}

size_t tensor_tables(int c, bool normed)
{
    size_t period = rounded((size_t)period_of(c));
    return normed ? 7 * period + rounded(6 * (size_t)c) : period;
}

void tensor_init(Tensor *t, int c, Act act, bool normed, float *tables)
{
    *t = (Tensor){.c = c, .period = period_of(c), .normed = normed,
                  .lo = act == ACT_NONE ? -INFINITY : 0, .hi = act == ACT_RELU6 ? 6 : INFINITY};
    if (!normed)
        return;
    size_t period = rounded((size_t)t->period);
    float **table[] = {&t->shift, &t->scale, &t->mean, &t->slope, &t->offset, &t->part[0],
                       &t->part[1]};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++, tables += period)
        *table[i] = tables;
    t->sum[0] = (double *)(void *)tables;
    t->sum[1] = t->sum[0] + c;
    t->inverse = t->sum[1] + c;
}

/* From the first c floats of a table to all of it. */
static void repeat(const Tensor *t, float *table)
{
    for (int j = t->c; j < t->period; j++)
        table[j] = table[j - t->c];
}

void tensor_spread(const Tensor *t, float *table, const float *channel)
{
    memcpy(table, channel, (size_t)t->c * sizeof(float));
    repeat(t, table);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline float clamped(float v, float lo, float hi)
{
    v = v < lo ? lo : v;
    return v > hi ? hi : v;
}

const float *tensor_read(const Tensor *t, size_t first, size_t pixels, float *scratch)
{
    const float *x = t->raw + first * tensor_pixel(t);
    if (!t->normed)
        return x;
    size_t total = pixels * (size_t)t->c, period = (size_t)t->period;
    const float *scale = t->scale, *shift = t->shift;
    float lo = t->lo, hi = t->hi;
    for (size_t at = 0; at < total; at += period) {
        size_t n = least(period, total - at);
#pragma omp simd
        for (size_t j = 0; j < n; j++)
            scratch[at + j] = clamped(x[at + j] * scale[j] + shift[j], lo, hi);
    }
    return scratch;
}

/* Sums of x - pivot and of its square, of columns that stay in registers. */
ALWAYS_INLINE void sum_columns(const Tensor *t, const float *x, size_t rows, int at, int n)
{
    Vec sum[COLUMNS], square[COLUMNS], pivot[COLUMNS];
    size_t period = (size_t)t->period;
    for (int i = 0; i < n; i++) {
        sum[i] = square[i] = vec_all(0);
        pivot[i] = vec_load(t->mean + at + i * VEC_LANES);
    }
    x += at;
    for (size_t r = 0; r < rows; r++, x += period)
        for (int i = 0; i < n; i++) {
            Vec d = vec_load(x + i * VEC_LANES) - pivot[i];
            sum[i] += d;
            square[i] += d * d;
        }
    for (int i = 0; i < n; i++) {
        vec_store(t->part[0] + at + i * VEC_LANES, sum[i]);
        vec_store(t->part[1] + at + i * VEC_LANES, square[i]);
    }
}

static void clear_sums(Tensor *t)
{
    memset(t->sum[0], 0, (size_t)t->c * sizeof(double));
    memset(t->sum[1], 0, (size_t)t->c * sizeof(double));
}

/* The piece's sums, in float, go to the batch's, in double. */
static void fold_parts(Tensor *t)
{
    for (int j = 0; j < t->period; j += t->c)
        for (int i = 0; i < t->c; i++) {
            t->sum[0][i] += (double)t->part[0][j + i];
            t->sum[1][i] += (double)t->part[1][j + i];
        }
}

static void sum_piece(Tensor *t, const float *x, size_t total)
{
    size_t period = (size_t)t->period, rows = total / period;
    int at = 0;
    for (; at + COLUMNS * VEC_LANES <= t->period; at += COLUMNS * VEC_LANES)
        sum_columns(t, x, rows, at, COLUMNS);
    for (; at < t->period; at += VEC_LANES)
        sum_columns(t, x, rows, at, 1);
    x += rows * period;
    for (size_t j = 0; j < total - rows * period; j++) {
        float d = x[j] - t->mean[j];
        t->part[0][j] += d;
        t->part[1][j] += d * d;
    }
    fold_parts(t);
}

/* Squares are summed around the first piece's mean: without it, a mean far
 * from zero would eat the variance's digits. */
static void choose_pivot(Tensor *t, size_t pixels)
{
    memset(t->mean, 0, (size_t)t->period * sizeof(float));
    clear_sums(t);
    sum_piece(t, t->raw, pixels * (size_t)t->c);
    for (int j = 0; j < t->period; j++)
        t->mean[j] = (float)(t->sum[0][j % t->c] / (double)pixels);
    clear_sums(t);
}

void tensor_finish(const Tensor *t, float *x, size_t pixels)
{
    size_t total = pixels * (size_t)t->c;
    size_t period = (size_t)t->period;
    float lo = t->lo, hi = t->hi;
    const float *shift = t->shift;
    if (!shift && lo < 0)
        return;
    for (size_t at = 0; at < total; at += period) {
        size_t n = least(period, total - at);
        if (shift)
#pragma omp simd
            for (size_t j = 0; j < n; j++)
                x[at + j] = clamped(x[at + j] + shift[j], lo, hi);
        else
#pragma omp simd
            for (size_t j = 0; j < n; j++)
                x[at + j] = clamped(x[at + j], lo, hi);
    }
}

void tensor_written(Tensor *t, size_t first, size_t pixels)
{
    float *x = t->raw + first * (size_t)t->c;
    if (!t->normed) {
        tensor_finish(t, x, pixels);
        return;
    }
    if (first == 0)
        choose_pivot(t, pixels);
    sum_piece(t, x, pixels * (size_t)t->c);
}

void tensor_close(Tensor *t, size_t pixels, const float *gamma, const float *beta, float *mean,
                  float *var)
{
    double n = (double)pixels;
    for (int i = 0; i < t->c; i++) {
        double d = t->sum[0][i] / n, v = t->sum[1][i] / n - d * d;
        v = v < 0 ? 0 : v;
        double centre = (double)t->mean[i] + d;
        mean[i] = t->mean[i] = (float)centre;
        var[i] = (float)(n > 1 ? v * n / (n - 1) : v);
        t->inverse[i] = 1 / sqrt(v + (double)NORM_EPSILON);
        double scale = (double)gamma[i] * t->inverse[i];
        t->scale[i] = (float)scale;
        t->shift[i] = (float)((double)beta[i] - centre * scale);
    }
    repeat(t, t->mean);
    repeat(t, t->scale);
    repeat(t, t->shift);
}

/* Masks the gradient by the activation, and sums it and its product with the
 * distance from the mean. */
ALWAYS_INLINE void mask_columns(const Tensor *t, const float *x, float *g, size_t rows, int at,
                                int n, bool masked)
{
    Vec sum[COLUMNS], product[COLUMNS], scale[COLUMNS], shift[COLUMNS], mean[COLUMNS];
    Vec lo = vec_all(t->lo), hi = vec_all(t->hi);
    size_t period = (size_t)t->period;
    for (int i = 0; i < n; i++) {
        sum[i] = product[i] = vec_all(0);
        scale[i] = vec_load(t->scale + at + i * VEC_LANES);
        shift[i] = vec_load(t->shift + at + i * VEC_LANES);
        mean[i] = vec_load(t->mean + at + i * VEC_LANES);
    }
    x += at;
    g += at;
    for (size_t r = 0; r < rows; r++, x += period, g += period)
        for (int i = 0; i < n; i++) {
            Vec v = vec_load(x + i * VEC_LANES), d = vec_load(g + i * VEC_LANES);
            if (masked) {
                Vec z = v * scale[i] + shift[i];
                d = vec_keep((z > lo) & (z < hi), d);
                vec_store(g + i * VEC_LANES, d);
            }
            sum[i] += d;
            product[i] += d * (v - mean[i]);
        }
    for (int i = 0; i < n; i++) {
        vec_store(t->part[0] + at + i * VEC_LANES, sum[i]);
        vec_store(t->part[1] + at + i * VEC_LANES, product[i]);
    }
}

ALWAYS_INLINE void mask_rows(const Tensor *t, const float *x, float *g, size_t rows, bool masked)
{
    int at = 0;
    for (; at + COLUMNS * VEC_LANES <= t->period; at += COLUMNS * VEC_LANES)
        mask_columns(t, x, g, rows, at, COLUMNS, masked);
    for (; at < t->period; at += VEC_LANES)
        mask_columns(t, x, g, rows, at, 1, masked);
}

static void mask_normed(Tensor *t, const float *x, float *g, size_t total)
{
    size_t period = (size_t)t->period, rows = total / period;
    bool masked = t->lo == 0;
    if (masked)
        mask_rows(t, x, g, rows, true);
    else
        mask_rows(t, x, g, rows, false);
    x += rows * period;
    g += rows * period;
    for (size_t j = 0; j < total - rows * period; j++) {
        float z = x[j] * t->scale[j] + t->shift[j];
        if (masked && !(z > t->lo && z < t->hi))
            g[j] = 0;
        t->part[0][j] += g[j];
        t->part[1][j] += g[j] * (x[j] - t->mean[j]);
    }
    fold_parts(t);
}

void tensor_grad_written(Tensor *t, size_t first, size_t pixels)
{
    size_t total = pixels * (size_t)t->c;
    const float *x = t->raw + first * (size_t)t->c;
    float *g = t->grad + first * (size_t)t->c, lo = t->lo, hi = t->hi;
    if (t->normed) {
        if (first == 0)
            clear_sums(t);
        mask_normed(t, x, g, total);
    } else if (lo == 0) {
#pragma omp simd
        for (size_t j = 0; j < total; j++)
            g[j] = x[j] > lo && x[j] < hi ? g[j] : 0;
    }
}

/* With z = (raw - mean) * inverse and the gradient g of gamma * z + beta, that of raw is
 * gamma * inverse * (g - mean(g) - z * mean(g * z)); Ioffe and Szegedy 2015. */
void tensor_grad_close(Tensor *t, size_t pixels, float *d_gamma, float *d_beta)
{
    double n = (double)pixels;
    for (int i = 0; i < t->c; i++) {
        double sum = t->sum[0][i], product = t->sum[1][i] * t->inverse[i];
        double scale = (double)t->scale[i];
        d_gamma[i] = (float)product;
        d_beta[i] = (float)sum;
        t->slope[i] = (float)(-scale * product / n * t->inverse[i]);
        t->offset[i] = (float)(-scale * sum / n);
    }
    repeat(t, t->slope);
    repeat(t, t->offset);
}

const float *tensor_grad(const Tensor *t, size_t first, size_t pixels, float *scratch)
{
    const float *g = t->grad + first * (size_t)t->c, *x = t->raw + first * (size_t)t->c;
    if (!t->normed)
        return g;
    size_t total = pixels * (size_t)t->c, period = (size_t)t->period;
    const float *scale = t->scale, *slope = t->slope, *offset = t->offset, *mean = t->mean;
    for (size_t at = 0; at < total; at += period) {
        size_t n = least(period, total - at);
#pragma omp simd
        for (size_t j = 0; j < n; j++)
            scratch[at + j] = scale[j] * g[at + j] + slope[j] * (x[at + j] - mean[j]) + offset[j];
    }
    return scratch;
}
