#include "nn/op.h"

#include <math.h>
#include <string.h>

/* The part of a pool's window that lies inside the image. */
typedef struct {
    int y0, y1, x0, x1;
} Window;

static Window window_at(const Layer *l, int oy, int ox)
{
    int y = oy * l->sh - l->pad_top, x = ox * l->sw - l->pad_left;
    return (Window){.y0 = y < 0 ? 0 : y, .y1 = y + l->kh < l->in_h ? y + l->kh : l->in_h,
                    .x0 = x < 0 ? 0 : x, .x1 = x + l->kw < l->in_w ? x + l->kw : l->in_w};
}

size_t pool_scratch(const Layer *l)
{
    return (size_t)l->in_h * l->in_w * l->in_c;
}

static void mean_of(const Layer *l, Window w, const float *image, float *out)
{
    float share = 1 / (float)((w.y1 - w.y0) * (w.x1 - w.x0));
    memset(out, 0, l->out_c * sizeof(float));
    for (int y = w.y0; y < w.y1; y++)
        for (int x = w.x0; x < w.x1; x++) {
            const float *in = image + ((size_t)y * l->in_w + (size_t)x) * l->in_c;
#pragma omp simd
            for (int c = 0; c < l->out_c; c++)
                out[c] += in[c];
        }
    for (int c = 0; c < l->out_c; c++)
        out[c] *= share;
}

static void largest_of(const Layer *l, Window w, const float *image, float *out)
{
    for (int c = 0; c < l->out_c; c++)
        out[c] = -INFINITY;
    for (int y = w.y0; y < w.y1; y++)
        for (int x = w.x0; x < w.x1; x++) {
            const float *in = image + ((size_t)y * l->in_w + (size_t)x) * l->in_c;
#pragma omp simd
            for (int c = 0; c < l->out_c; c++)
                out[c] = in[c] > out[c] ? in[c] : out[c];
        }
}

void pool_forward(const Step *s, int images)
{
    const Layer *l = s->layer;
    size_t in_pixels = (size_t)l->in_h * l->in_w, out_pixels = (size_t)l->out_h * l->out_w;
    for (size_t i = 0; i < (size_t)images; i++) {
        const float *image = tensor_read(s->in[0], i * in_pixels, in_pixels, s->scratch);
        float *out = s->out->raw + i * out_pixels * l->out_c;
        for (int oy = 0; oy < l->out_h; oy++)
            for (int ox = 0; ox < l->out_w; ox++, out += l->out_c)
                (l->op == OP_MAX_POOL ? largest_of : mean_of)(l, window_at(l, oy, ox), image, out);
        tensor_written(s->out, i * out_pixels, out_pixels);
    }
}

static void spread_mean(const Layer *l, Window w, const float *dy, float *dx)
{
    float share = 1 / (float)((w.y1 - w.y0) * (w.x1 - w.x0));
    for (int y = w.y0; y < w.y1; y++)
        for (int x = w.x0; x < w.x1; x++) {
            float *to = dx + ((size_t)y * l->in_w + (size_t)x) * l->in_c;
#pragma omp simd
            for (int c = 0; c < l->in_c; c++)
                to[c] += dy[c] * share;
        }
}

/* To the first of the largest. */
static void spread_largest(const Layer *l, Window w, const float *image, const float *dy, float *dx)
{
    for (size_t c = 0; c < l->in_c; c++) {
        size_t best = ((size_t)w.y0 * l->in_w + (size_t)w.x0) * l->in_c + c;
        for (int y = w.y0; y < w.y1; y++)
            for (int x = w.x0; x < w.x1; x++) {
                size_t at = ((size_t)y * l->in_w + (size_t)x) * l->in_c + c;
                best = image[at] > image[best] ? at : best;
            }
        dx[best] += dy[c];
    }
}

void pool_backward(const Step *s, int images)
{
    const Layer *l = s->layer;
    size_t in_pixels = (size_t)l->in_h * l->in_w, out_pixels = (size_t)l->out_h * l->out_w;
    if (!s->share[0].wanted)
        return;
    for (size_t i = 0; i < (size_t)images; i++) {
        const float *image = tensor_read(s->in[0], i * in_pixels, in_pixels, s->scratch);
        const float *dy = s->out->grad + i * out_pixels * l->out_c;
        float *dx = s->in[0]->grad + i * in_pixels * l->in_c;
        if (!s->share[0].adds)
            memset(dx, 0, in_pixels * l->in_c * sizeof(float));
        for (int oy = 0; oy < l->out_h; oy++)
            for (int ox = 0; ox < l->out_w; ox++, dy += l->out_c) {
                Window w = window_at(l, oy, ox);
                if (l->op == OP_MAX_POOL)
                    spread_largest(l, w, image, dy, dx);
                else
                    spread_mean(l, w, dy, dx);
            }
        op_give(s, 0, i * in_pixels, in_pixels);
    }
}
