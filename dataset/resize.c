#include "dataset/picture.h"

#include "base/alloc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One output pixel along one axis is a weighted sum of neighbouring source pixels. */
typedef struct {
    int first, n;
    float *weight; /* [n], their sum is 1 */
} Taps;

typedef struct {
    Taps *taps; /* [n] */
    float *weights;
} Axis;

/* The source interval that covers output pixel i, each pixel by its share in it. */
static void area_taps(Taps *t, double from, double to, int size)
{
    t->first = (int)from;
    int last = (int)ceil(to) - 1;
    if (last > size - 1)
        last = size - 1;
    t->n = last - t->first + 1;
    for (int k = 0; k < t->n; k++) {
        double left = fmax(from, t->first + k), right = fmin(to, t->first + k + 1);
        t->weight[k] = (float)((right - left) / (to - from));
    }
}

/* The two source pixels around a position, pixel centres at halves. */
static void linear_taps(Taps *t, double position, int size)
{
    double x = fmin(fmax(position - 0.5, 0), size - 1);
    t->first = (int)x;
    t->n = t->first + 1 < size ? 2 : 1;
    t->weight[0] = t->n == 2 ? (float)(1 - (x - t->first)) : 1;
    if (t->n == 2)
        t->weight[1] = (float)(x - t->first);
}

/* n output pixels, each `step` source pixels wide, from the middle of `size`. */
static Axis axis_make(int size, int n, double step)
{
    double start = fmax((size - n * step) / 2, 0);
    if (step == 1)
        start = floor(start); /* a crop alone must not blur */
    int most = (int)ceil(step) + 2;
    Axis axis = {xmalloc((size_t)n * sizeof *axis.taps),
                 xcalloc((size_t)n * (size_t)most, sizeof *axis.weights)};
    for (int i = 0; i < n; i++) {
        Taps *t = &axis.taps[i];
        t->weight = axis.weights + (size_t)i * (size_t)most;
        if (step >= 1)
            area_taps(t, start + i * step, start + (i + 1) * step, size);
        else
            linear_taps(t, start + (i + 0.5) * step, size);
        assert(t->n >= 1 && t->n <= most && t->first + t->n <= size);
    }
    return axis;
}

static void axis_release(Axis *axis)
{
    free(axis->taps);
    free(axis->weights);
}

/* [source w][c] to [w][c]; c is 1 or 3, given as a constant. */
static inline void across_body(const uint8_t *in, const Taps *taps, int w, int c, float *out)
{
    for (int x = 0; x < w; x++) {
        const uint8_t *p = in + taps[x].first * c;
        float sum[3] = {0};
        for (int k = 0; k < taps[x].n; k++)
            for (int j = 0; j < c; j++)
                sum[j] += taps[x].weight[k] * p[k * c + j];
        for (int j = 0; j < c; j++)
            out[x * c + j] = sum[j];
    }
}

static void across(const uint8_t *in, const Taps *taps, int w, int c, float *out)
{
    if (c == 1)
        across_body(in, taps, w, 1, out);
    else
        across_body(in, taps, w, 3, out);
}

static void down(const float *rows, size_t row, const Taps *t, float *sum, uint8_t *out)
{
    memset(sum, 0, row * sizeof *sum);
    for (int k = 0; k < t->n; k++)
        for (size_t i = 0; i < row; i++)
            sum[i] += t->weight[k] * rows[(size_t)k * row + i];
    for (size_t i = 0; i < row; i++) {
        float v = sum[i] + 0.5f; /* at most 255.5 but for rounding */
        out[i] = (uint8_t)(v > 255 ? 255 : v);
    }
}

static void resize(const Picture *p, int h, int w, uint8_t *out)
{
    double step = fmin((double)p->h / h, (double)p->w / w);
    Axis x = axis_make(p->w, w, step), y = axis_make(p->h, h, step);
    size_t row = (size_t)w * (size_t)p->c;
    int top = y.taps[0].first, bottom = y.taps[h - 1].first + y.taps[h - 1].n;
    float *rows = xmalloc(((size_t)(bottom - top) + 1) * row * sizeof *rows);
    float *sum = rows + (size_t)(bottom - top) * row;
    for (int i = top; i < bottom; i++)
        across(p->pixel + (size_t)i * (size_t)p->w * (size_t)p->c, x.taps, w, p->c,
               rows + (size_t)(i - top) * row);
    for (int i = 0; i < h; i++)
        down(rows + (size_t)(y.taps[i].first - top) * row, row, &y.taps[i], sum,
             out + (size_t)i * row);
    free(rows);
    axis_release(&x);
    axis_release(&y);
}

/* --- stretching: in integers, so that others' results are met to the bit */

enum { WEIGHT_BITS = 22 };

typedef struct {
    int first, n;
    int32_t *weight; /* [n], their sum is about 1 << WEIGHT_BITS */
} Triangle;

/* `share` is room for the weights before they add up to 1. */
static void triangle_make(Triangle *t, double middle, double half, int size, double *share)
{
    double sum = 0;
    int end = (int)fmin(middle + half + 0.5, size);
    t->first = (int)fmax(middle - half + 0.5, 0);
    t->n = end - t->first;
    for (int k = 0; k < t->n; k++) {
        share[k] = fmax(1 - fabs(t->first + k + 0.5 - middle) / half, 0);
        sum += share[k];
    }
    for (int k = 0; k < t->n; k++)
        t->weight[k] = (int32_t)(share[k] / sum * (1 << WEIGHT_BITS) + 0.5);
}

/* n triangles over `size` pixels, with their weights in one block: free() the first's. */
static Triangle *triangles(int size, int n)
{
    double step = (double)size / n, half = fmax(step, 1);
    size_t most = (size_t)ceil(2 * half) + 2;
    Triangle *t = xmalloc((size_t)n * sizeof *t);
    int32_t *weight = xmalloc((size_t)n * most * sizeof *weight);
    double *share = xmalloc(most * sizeof *share);
    for (int i = 0; i < n; i++) {
        t[i].weight = weight + (size_t)i * most;
        triangle_make(&t[i], (i + 0.5) * step, half, size, share);
        assert(t[i].n >= 1 && (size_t)t[i].n <= most && t[i].first + t[i].n <= size);
    }
    free(share);
    return t;
}

static void triangles_free(Triangle *t)
{
    free(t[0].weight);
    free(t);
}

/* The pixels under a triangle, `apart` bytes between them. The weights' sum may pass 1 by half a
 * unit each: less than a level, but 255 must not become 256. */
static uint8_t under(const Triangle *t, const uint8_t *in, size_t apart)
{
    int64_t sum = 1 << (WEIGHT_BITS - 1);
    for (int k = 0; k < t->n; k++)
        sum += (int64_t)t->weight[k] * in[(size_t)(t->first + k) * apart];
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

static void stretch(const Picture *p, int h, int w, uint8_t *out)
{
    size_t c = (size_t)p->c, row = (size_t)w * c;
    Triangle *x = triangles(p->w, w), *y = triangles(p->h, h);
    uint8_t *rows = xmalloc((size_t)p->h * row);
    const uint8_t *in = p->pixel;
    for (size_t i = 0; i < (size_t)p->h; i++, in += (size_t)p->w * c)
        for (size_t j = 0; j < row; j++)
            rows[i * row + j] = under(&x[j / c], in + j % c, c);
    for (size_t i = 0; i < (size_t)h; i++)
        for (size_t j = 0; j < row; j++)
            out[i * row + j] = under(&y[i], rows + j, row);
    free(rows);
    triangles_free(x);
    triangles_free(y);
}

static void recolour(const uint8_t *in, int in_c, size_t n, int c, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = in + i * (size_t)in_c;
        if (c == 1)
            out[i] = (uint8_t)((77 * p[0] + 150 * p[1] + 29 * p[2] + 128) >> 8);
        else
            memset(out + 3 * i, p[0], 3);
    }
}

static void fit(const Picture *p, int h, int w, int c, uint8_t *out,
                void (*resized)(const Picture *p, int h, int w, uint8_t *out))
{
    assert((p->c == 1 || p->c == 3) && (c == 1 || c == 3) && h > 0 && w > 0);
    size_t n = (size_t)h * (size_t)w;
    uint8_t *fitted = p->c == c ? out : xmalloc(n * (size_t)p->c);
    if (p->h == h && p->w == w)
        memcpy(fitted, p->pixel, n * (size_t)p->c);
    else
        resized(p, h, w, fitted);
    if (p->c == c)
        return;
    recolour(fitted, p->c, n, c, out);
    free(fitted);
}

void picture_fit(const Picture *p, int h, int w, int c, uint8_t *out)
{
    fit(p, h, w, c, out, resize);
}

void picture_stretch(const Picture *p, int h, int w, int c, uint8_t *out)
{
    fit(p, h, w, c, out, stretch);
}
