/* gemm.h - a product of matrices that are in the cache already.
 *
 * c[rows][cols] = sum over p of a[row][p] b[p][col]. A tile of c stays in
 * registers while p runs; a is read a number at a time, from wherever it lies,
 * b a few vectors at a time. So forward, the gradient of the input and that of
 * the weights are the same product, and a convolution is one too, that reads
 * its image in place. BLAS copies both operands and writes c twice, which costs
 * as much as the product itself when depth is 16. */
#ifndef GEMM_H
#define GEMM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    int rows, cols, depth;
    const float *a;
    size_t a_row, a_step; /* a[row][p] at row * a_row + p * a_step, */
    int a_part;           /* or p goes in parts of so many, */
    size_t a_jump;        /* the next one so many floats behind; a_part 0: one part */
    const float *b;
    size_t b_step;        /* b[p][col] at p * b_step + col; 0: as gemm_pack() left it */
    float *c;             /* c[row][col] at row * cols + col; */
    size_t c_plane;       /* or, if b is packed, in planes of gemm_lanes() columns, a plane of so
                           * many floats; the spare lanes of the last one are written too */
    const float *plus;    /* laid out as c, added to it, and may be c; NULL: nothing is */
    bool finishes;        /* c = clamp(c + shift[col], lo, hi) */
    const float *shift;   /* [cols], whole vectors when c is in planes */
    float lo, hi;
} Gemm;

int gemm_lanes(void); /* of the machine's vectors */
void gemm(const Gemm *g);

/* b[p][col] at p * step + col * col_step, copied in the order of use. */
size_t gemm_packed(int depth, int cols); /* floats */
void gemm_pack(float *packed, const float *b, int depth, int cols, size_t step, size_t col_step);

#endif
