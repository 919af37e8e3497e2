/* matmul.h - the three products of a layer y = x w^T.
 *
 * x is [rows][k], w [n][k], y [rows][n], all dense and row-major; where
 * matmul_takes_planes(), x and y may lie in parts or planes as gemm.h has them.
 * The weights
 * are packed once for many pieces of x; what that means depends on who
 * computes: gemm.h where the machine has wide vectors, else OpenBLAS. */
#ifndef MATMUL_H
#define MATMUL_H

#include "nn/tensor.h"

#include <stdbool.h>

typedef struct {
    int rows, k, n;
    /* Of matmul() alone, where matmul_takes_planes(); 0: dense. */
    size_t x_row, x_jump; /* floats from a row, from a part of k to the next */
    int x_part;
    size_t y_plane;
} MatmulShape;

void matmul_begin(void); /* one thread */
bool matmul_takes_planes(void);

size_t matmul_packed(MatmulShape s); /* floats, for any of the three */
void matmul_pack(MatmulShape s, const float *w, float *packed);
void matmul_pack_dx(MatmulShape s, const float *w, float *packed);

/* y = x w^T; with `finish`, its bias and activation too. */
void matmul(MatmulShape s, const float *x, const float *packed, float *y, const Tensor *finish);
/* dx = dy w, or added to it. */
void matmul_dx(MatmulShape s, const float *dy, const float *packed, float *dx, bool adds);
/* sum += dy^T x in an order of its own; at the end, dw += sum. */
void matmul_dw(MatmulShape s, const float *dy, const float *x, float *sum);
void matmul_dw_end(MatmulShape s, const float *sum, float *dw);

#endif
