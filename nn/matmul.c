#include "nn/matmul.h"

#include "nn/op.h"

#include <cblas.h>

void matmul_begin(void)
{
    openblas_set_num_threads(1);
}

void matmul(MatmulShape s, const float *x, const float *w, float *y)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, s.rows, s.n, s.k, 1, x, s.k, w, s.k, 0, y,
                s.n);
}

void matmul_dw(MatmulShape s, const float *dy, const float *x, float *dw)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s.n, s.k, s.rows, 1, dy, s.n, x, s.k, 1,
                dw, s.k);
}

void matmul_dx(MatmulShape s, const float *dy, const float *w, float *dx, bool adds)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s.rows, s.k, s.n, 1, dy, s.n, w, s.k,
                adds ? 1 : 0, dx, s.k);
}

/* A pointwise layer is a product with a row a pixel, a dense one with a row an image. */
typedef struct {
    size_t rows;       /* of the batch */
    size_t in_pixels;  /* of the input in one row */
    size_t piece;      /* rows */
    MatmulShape shape; /* of a piece */
} Rows;

static Rows rows_of(const Layer *l, int images)
{
    size_t in_pixels = l->op == OP_DENSE ? (size_t)l->in_h * l->in_w : 1;
    size_t k = in_pixels * l->in_c, piece = CHUNK_FLOATS / (k + l->out_c);
    piece = piece < 64 ? 64 : piece / 64 * 64;
    return (Rows){.rows = (size_t)images * l->out_h * l->out_w, .in_pixels = in_pixels,
                  .piece = piece, .shape = {.k = (int)k, .n = l->out_c}};
}

static MatmulShape piece_at(const Rows *r, size_t first)
{
    MatmulShape s = r->shape;
    size_t left = r->rows - first;
    s.rows = (int)(left < r->piece ? left : r->piece);
    return s;
}

size_t matmul_scratch(const Layer *l)
{
    Rows r = rows_of(l, 1);
    return r.piece * (size_t)(r.shape.k + r.shape.n);
}

void matmul_forward(const Step *s, int images)
{
    Rows r = rows_of(s->layer, images);
    for (size_t at = 0; at < r.rows; at += r.piece) {
        MatmulShape m = piece_at(&r, at);
        size_t n = (size_t)m.rows;
        const float *x = tensor_read(s->in[0], at * r.in_pixels, n * r.in_pixels, s->scratch);
        matmul(m, x, s->w, s->out->raw + at * (size_t)m.n);
        tensor_written(s->out, at, n);
    }
}

static void add_columns(float *sum, const float *x, MatmulShape m)
{
    for (int i = 0; i < m.rows; i++)
#pragma omp simd
        for (int j = 0; j < m.n; j++)
            sum[j] += x[(size_t)i * (size_t)m.n + (size_t)j];
}

void matmul_backward(const Step *s, int images)
{
    Rows r = rows_of(s->layer, images);
    float *x_scratch = s->scratch, *dy_scratch = x_scratch + r.piece * (size_t)r.shape.k;
    for (size_t at = 0; at < r.rows; at += r.piece) {
        MatmulShape m = piece_at(&r, at);
        size_t n = (size_t)m.rows, first = at * r.in_pixels, pixels = n * r.in_pixels;
        const float *x = tensor_read(s->in[0], first, pixels, x_scratch);
        const float *dy = tensor_grad(s->out, at, n, dy_scratch);
        matmul_dw(m, dy, x, s->dw);
        if (s->d_bias)
            add_columns(s->d_bias, dy, m);
        if (s->share[0].wanted) {
            matmul_dx(m, dy, s->w, s->in[0]->grad + at * (size_t)m.k, s->share[0].adds);
            op_give(s, 0, first, pixels);
        }
    }
}
