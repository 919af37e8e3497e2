#include "nn/matmul.h"
#include "nn/op.h"
#include "nn/vec.h"

#include <string.h>

/* A convolution is a product over a matrix with one row an output pixel: the
 * kh*kw*in_c inputs under its kernel. In an image with its padding around it
 * they lie there in kh parts, so that forward reads them in place, an output
 * row at a time; backward, and OpenBLAS, want the matrix, a strip of rows. */

static MatmulShape shape_of(const Layer *l)
{
    return (MatmulShape){.k = l->kh * l->kw * l->in_c, .n = l->out_c};
}

static int strip_of(const Layer *l)
{
    MatmulShape m = shape_of(l);
    int rows = CHUNK_FLOATS / (l->out_w * (m.k + m.n));
    return rows < 1 ? 1 : rows > l->out_h ? l->out_h : rows;
}

/* The image with what the kernels meet around it. */
typedef struct {
    size_t rows, row; /* floats of a row */
} Padded;

static Padded padded_of(const Layer *l)
{
    size_t h = (size_t)(l->out_h - 1) * l->sh + l->kh, w = (size_t)(l->out_w - 1) * l->sw + l->kw;
    size_t rows = (size_t)l->pad_top + l->in_h, cols = (size_t)l->pad_left + l->in_w;
    return (Padded){.rows = rows > h ? rows : h, .row = (cols > w ? cols : w) * l->in_c};
}

size_t conv_scratch(const Layer *l)
{
    MatmulShape m = shape_of(l);
    Padded p = padded_of(l);
    size_t pixels = (size_t)strip_of(l) * l->out_w, matrix = pixels * (size_t)(m.k + m.n);
    return (size_t)l->in_h * l->in_w * l->in_c + 16 + 2 * matmul_packed(m) +
           (matrix > p.rows * p.row ? matrix : p.rows * p.row);
}

/* Where one kernel row of one output pixel lies in the image: taps [from, to)
 * of kw are inside, the first at `x`. None when the row is outside. */
typedef struct {
    int from, to;
    ptrdiff_t x; /* floats */
} Taps;

static inline Taps taps_at(const Layer *l, int oy, int ox, int ky)
{
    int y = oy * l->sh - l->pad_top + ky, left = ox * l->sw - l->pad_left;
    int from = left < 0 ? -left : 0, to = l->in_w - left < l->kw ? l->in_w - left : l->kw;
    if (y < 0 || y >= l->in_h || to <= from)
        return (Taps){0, 0, 0};
    return (Taps){from, to, ((ptrdiff_t)y * l->in_w + left + from) * l->in_c};
}

/* One kernel row of one output pixel; zeros outside. */
static void gather_edge(const Layer *l, const float *image, Taps t, float *to)
{
    int from = t.from * l->in_c, end = t.to * l->in_c, row = l->kw * l->in_c;
    for (int i = 0; i < from; i++)
        to[i] = 0;
    for (int i = from; i < end; i++)
        to[i] = image[t.x + i - from];
    for (int i = end; i < row; i++)
        to[i] = 0;
}

/* The same of n pixels that lie inside. A short row goes as one vector. */
static void gather_inside(const Layer *l, const float *from, int n, float *to)
{
    int row = l->kw * l->in_c;
    size_t step = (size_t)l->sw * l->in_c, pixel = (size_t)l->kh * (size_t)row;
    if (row <= VEC_LANES)
        for (int i = 0; i < n; i++, from += step, to += pixel)
            vec_store_part(to, vec_load_part(from, row), row);
    else
        for (int i = 0; i < n; i++, from += step, to += pixel)
            memcpy(to, from, (size_t)row * sizeof(float));
}

static void gather_row(const Layer *l, const float *image, int oy, int ky, float *to)
{
    size_t pixel = (size_t)(l->kh * l->kw) * l->in_c;
    int first = (l->pad_left + l->sw - 1) / l->sw, y = oy * l->sh - l->pad_top + ky;
    int end = l->in_w + l->pad_left < l->kw ? 0 : (l->in_w + l->pad_left - l->kw) / l->sw + 1;
    end = end > l->out_w ? l->out_w : end;
    bool inside = y >= 0 && y < l->in_h && first < end;
    for (int ox = 0; ox < l->out_w; ox++)
        if (inside && ox == first) {
            gather_inside(l, image + taps_at(l, oy, ox, ky).x, end - first, to + (size_t)first * pixel);
            ox = end - 1;
        } else {
            gather_edge(l, image, taps_at(l, oy, ox, ky), to + (size_t)ox * pixel);
        }
}

static void gather(const Layer *l, const float *image, int first, int rows, float *matrix)
{
    int row = l->kw * l->in_c;
    size_t line = (size_t)l->out_w * (size_t)(l->kh * row);
    for (int oy = first; oy < first + rows; oy++, matrix += line)
        for (int ky = 0; ky < l->kh; ky++)
            gather_row(l, image, oy, ky, matrix + ky * row);
}

static void scatter(const Layer *l, const float *matrix, int first, int rows, float *image)
{
    for (int oy = first; oy < first + rows; oy++)
        for (int ox = 0; ox < l->out_w; ox++)
            for (int ky = 0; ky < l->kh; ky++, matrix += l->kw * l->in_c) {
                Taps t = taps_at(l, oy, ox, ky);
                int n = (t.to - t.from) * l->in_c;
                const float *from = matrix + t.from * l->in_c;
                for (int i = 0; i < n; i++)
                    image[t.x + i] += from[i];
            }
}

typedef struct {
    const Layer *layer;
    MatmulShape shape;
    size_t in_pixels, out_pixels; /* of an image */
    int strip;                    /* output rows of a piece */
    float *packed, *dw;           /* scratch, as all below */
    float *image, *matrix, *dy;
} Conv;

static Conv conv_of(const Step *s)
{
    const Layer *l = s->layer;
    Conv c = {.layer = l, .shape = shape_of(l), .in_pixels = (size_t)l->in_h * l->in_w,
              .out_pixels = (size_t)l->out_h * l->out_w, .strip = strip_of(l),
              .packed = s->scratch};
    c.dw = c.packed + matmul_packed(c.shape);
    c.image = c.dw + matmul_packed(c.shape);
    c.matrix = c.image + (c.in_pixels * l->in_c + 15) / 16 * 16;
    c.dy = c.matrix + (size_t)c.strip * l->out_w * (size_t)c.shape.k;
    return c;
}

static int rows_at(const Conv *c, int oy)
{
    int left = c->layer->out_h - oy;
    return left < c->strip ? left : c->strip;
}

static void forward_by_matrix(const Step *s, Conv *c, const float *packed, const float *x,
                              size_t first)
{
    const Layer *l = s->layer;
    for (int oy = 0; oy < l->out_h; oy += c->strip) {
        int rows = rows_at(c, oy);
        size_t at = first + (size_t)oy * l->out_w;
        c->shape.rows = rows * l->out_w;
        gather(l, x, oy, rows, c->matrix);
        matmul(c->shape, c->matrix, packed, s->out->raw + at * l->out_c,
               s->out->normed ? NULL : s->out);
    }
}

/* Every image of a call writes the same inside: zeros around it are written once. */
static void forward_in_place(const Step *s, Conv *c, const float *packed, const float *x,
                             size_t first)
{
    const Layer *l = s->layer;
    Padded p = padded_of(l);
    size_t row = (size_t)l->in_w * l->in_c;
    float *inside = c->matrix + l->pad_top * p.row + (size_t)l->pad_left * l->in_c;
    for (size_t y = 0; y < l->in_h; y++)
        memcpy(inside + y * p.row, x + y * row, row * sizeof(float));
    c->shape.rows = l->out_w;
    c->shape.x_row = (size_t)l->sw * l->in_c;
    c->shape.x_part = l->kw * l->in_c;
    c->shape.x_jump = p.row;
    c->shape.y_plane = s->out->plane;
    for (size_t oy = 0; oy < l->out_h; oy++)
        matmul(c->shape, c->matrix + oy * l->sh * p.row, packed,
               s->out->raw + (first + oy * l->out_w) * tensor_pixel(s->out),
               s->out->normed ? NULL : s->out);
}

void conv_forward(const Step *s, int images)
{
    Conv c = conv_of(s);
    Padded p = padded_of(s->layer);
    const float *packed = s->packed ? s->packed : c.packed;
    if (!s->packed)
        matmul_pack(c.shape, s->w, c.packed);
    memset(c.matrix, 0, p.rows * p.row * sizeof(float));
    for (int i = 0; i < images; i++) {
        size_t first = (size_t)i * c.out_pixels;
        const float *x = tensor_read(s->in[0], (size_t)i * c.in_pixels, c.in_pixels, c.image);
        (matmul_takes_planes() ? forward_in_place : forward_by_matrix)(s, &c, packed, x, first);
        if (s->out->normed)
            tensor_written(s->out, first, c.out_pixels);
    }
}

static void backward_image(const Step *s, Conv *c, const float *x, size_t first, float *dx)
{
    const Layer *l = s->layer;
    for (int oy = 0; oy < l->out_h; oy += c->strip) {
        int rows = rows_at(c, oy);
        c->shape.rows = rows * l->out_w;
        gather(l, x, oy, rows, c->matrix);
        const float *dy = tensor_grad(s->out, first + (size_t)oy * l->out_w, (size_t)c->shape.rows,
                                      c->dy);
        matmul_dw(c->shape, dy, c->matrix, c->dw);
        if (!dx)
            continue;
        matmul_dx(c->shape, dy, c->packed, c->matrix, false);
        scatter(l, c->matrix, oy, rows, dx);
    }
}

void conv_backward(const Step *s, int images)
{
    Conv c = conv_of(s);
    size_t floats = c.in_pixels * s->layer->in_c;
    memset(c.dw, 0, matmul_packed(c.shape) * sizeof(float));
    matmul_pack_dx(c.shape, s->w, c.packed);
    for (int i = 0; i < images; i++) {
        size_t first = (size_t)i * c.in_pixels;
        const float *x = tensor_read(s->in[0], first, c.in_pixels, c.image);
        float *dx = s->share[0].wanted ? s->in[0]->grad + (size_t)i * floats : NULL;
        if (dx && !s->share[0].adds)
            memset(dx, 0, floats * sizeof(float));
        backward_image(s, &c, x, (size_t)i * c.out_pixels, dx);
        if (dx)
            op_give(s, 0, first, c.in_pixels);
    }
    matmul_dw_end(c.shape, c.dw, s->dw);
}
