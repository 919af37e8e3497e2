#include "nn/matmul.h"

#include "nn/gemm.h"
#include "nn/op.h"
#include "nn/vec.h"

#include <cblas.h>
#include <string.h>

/* Measured on Zen 5, one core, pieces of a layer in L2: gemm.h 240-250 GFLOP/s, OpenBLAS 160-230,
 * down to 60 where k or n is 8. Four lanes were not measured. */
enum { OWN = VEC_LANES > 4 };

bool matmul_takes_planes(void)
{
    return OWN;
}

void matmul_begin(void)
{
    openblas_set_num_threads(1);
}

size_t matmul_packed(MatmulShape s)
{
    size_t forward = gemm_packed(s.k, s.n), back = gemm_packed(s.n, s.k);
    return ((forward > back ? forward : back) + 15) / 16 * 16;
}

void matmul_pack(MatmulShape s, const float *w, float *packed)
{
    if (OWN)
        gemm_pack(packed, w, s.k, s.n, 1, (size_t)s.k);
    else
        memcpy(packed, w, (size_t)s.n * (size_t)s.k * sizeof(float));
}

void matmul_pack_dx(MatmulShape s, const float *w, float *packed)
{
    if (OWN)
        gemm_pack(packed, w, s.n, s.k, (size_t)s.k, 1);
    else
        memcpy(packed, w, (size_t)s.n * (size_t)s.k * sizeof(float));
}

void matmul(MatmulShape s, const float *x, const float *packed, float *y, const Tensor *finish)
{
    Gemm g = {.rows = s.rows, .cols = s.n, .depth = s.k, .a = x, .a_row = (size_t)s.k,
              .a_step = 1, .b = packed, .c = y, .c_plane = s.y_plane};
    if (s.x_row) {
        g.a_row = s.x_row;
        g.a_part = s.x_part;
        g.a_jump = s.x_jump;
    }
    if (finish) {
        g.finishes = true;
        g.shift = finish->shift;
        g.lo = finish->lo;
        g.hi = finish->hi;
    }
    if (OWN) {
        gemm(&g);
        return;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, s.rows, s.n, s.k, 1, x, s.k, packed, s.k,
                0, y, s.n);
    if (finish)
        tensor_finish(finish, y, (size_t)s.rows);
}

void matmul_dx(MatmulShape s, const float *dy, const float *packed, float *dx, bool adds)
{
    if (OWN)
        gemm(&(Gemm){.rows = s.rows, .cols = s.k, .depth = s.n, .a = dy, .a_row = (size_t)s.n,
                     .a_step = 1, .b = packed, .c = dx, .plus = adds ? dx : NULL});
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s.rows, s.k, s.n, 1, dy, s.n,
                    packed, s.k, adds ? 1 : 0, dx, s.k);
}

/* The longer side lies along the vectors. */
static bool turned(MatmulShape s)
{
    return OWN && s.n > s.k;
}

void matmul_dw(MatmulShape s, const float *dy, const float *x, float *sum)
{
    Gemm g = {.rows = s.n, .cols = s.k, .depth = s.rows, .a = dy, .a_row = 1,
              .a_step = (size_t)s.n, .b = x, .b_step = (size_t)s.k, .c = sum, .plus = sum};
    if (turned(s)) {
        g.rows = s.k, g.cols = s.n;
        g.a = x, g.a_step = (size_t)s.k;
        g.b = dy, g.b_step = (size_t)s.n;
    }
    if (OWN)
        gemm(&g);
    else
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s.n, s.k, s.rows, 1, dy, s.n, x, s.k,
                    1, sum, s.k);
}

void matmul_dw_end(MatmulShape s, const float *sum, float *dw)
{
    size_t n = (size_t)s.n, k = (size_t)s.k, row = turned(s) ? 1 : k, col = turned(s) ? n : 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            dw[i * k + j] += sum[i * row + j * col];
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
    return r.piece * (size_t)(r.shape.k + r.shape.n) + 2 * matmul_packed(r.shape);
}

void matmul_forward(const Step *s, int images)
{
    Rows r = rows_of(s->layer, images);
    const float *packed = s->packed;
    float *scratch = s->scratch + matmul_packed(r.shape);
    if (!packed)
        matmul_pack(r.shape, s->w, s->scratch), packed = s->scratch;
    for (size_t at = 0; at < r.rows; at += r.piece) {
        MatmulShape m = piece_at(&r, at);
        size_t n = (size_t)m.rows;
        const float *x = tensor_read(s->in[0], at * r.in_pixels, n * r.in_pixels, scratch);
        m.y_plane = s->out->plane;
        if (s->in[0]->plane) {
            m.x_row = VEC_LANES;
            m.x_part = VEC_LANES;
            m.x_jump = s->in[0]->plane;
        }
        matmul(m, x, packed, s->out->raw + at * tensor_pixel(s->out),
               s->out->normed ? NULL : s->out);
        if (s->out->normed)
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
    size_t w_floats = matmul_packed(r.shape);
    float *packed = s->scratch, *dw = packed + w_floats, *x_scratch = dw + w_floats;
    float *dy_scratch = x_scratch + r.piece * (size_t)r.shape.k;
    memset(dw, 0, w_floats * sizeof(float));
    matmul_pack_dx(r.shape, s->w, packed);
    for (size_t at = 0; at < r.rows; at += r.piece) {
        MatmulShape m = piece_at(&r, at);
        size_t n = (size_t)m.rows, first = at * r.in_pixels, pixels = n * r.in_pixels;
        const float *x = tensor_read(s->in[0], first, pixels, x_scratch);
        const float *dy = tensor_grad(s->out, at, n, dy_scratch);
        matmul_dw(m, dy, x, dw);
        if (s->d_bias)
            add_columns(s->d_bias, dy, m);
        if (s->share[0].wanted) {
            matmul_dx(m, dy, packed, s->in[0]->grad + at * (size_t)m.k, s->share[0].adds);
            op_give(s, 0, first, pixels);
        }
    }
    matmul_dw_end(r.shape, dw, s->dw);
}
