/* matmul.h - the three products of a layer y = x w^T, by OpenBLAS.
 *
 * x is [rows][k], w [n][k], y [rows][n], all dense and row-major. */
#ifndef MATMUL_H
#define MATMUL_H

#include <stdbool.h>

typedef struct {
    int rows, k, n;
} MatmulShape;

void matmul_begin(void);                                                        /* one thread */
void matmul(MatmulShape s, const float *x, const float *w, float *y);           /* y = x w^T */
void matmul_dw(MatmulShape s, const float *dy, const float *x, float *dw);      /* dw += dy^T x */
void matmul_dx(MatmulShape s, const float *dy, const float *w, float *dx, bool adds); /* dy w */

#endif
