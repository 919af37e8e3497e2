#include "nn/gemm.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "nn/matmul.h"

#include "tests/suite.h"

#include <math.h>
#include <string.h>

/* Small whole numbers: every sum is exact, in whatever order. */
static float *numbers(Rng *rng, size_t n)
{
    float *x = xaligned((n + 1) * sizeof(float));
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((int)rng_below(rng, 15) - 7);
    return x;
}

/* c[row][col] of the definition, c as it was before. */
static float slow(const Gemm *g, const float *b, size_t step, size_t col_step, float was, int row,
                  int col)
{
    float sum = g->plus ? was : 0;
    for (int p = 0; p < g->depth; p++)
        sum += g->a[(size_t)row * g->a_row + (size_t)p * g->a_step] *
               b[(size_t)p * step + (size_t)col * col_step];
    if (!g->finishes)
        return sum;
    return fminf(fmaxf(sum + g->shift[col], g->lo), g->hi);
}

typedef struct {
    bool packed, turned_a, turned_b, adds, finishes;
} How;

static void check_product(Rng *rng, How how)
{
    int rows = 1 + (int)rng_below(rng, 40), cols = 1 + (int)rng_below(rng, 170);
    int depth = 1 + (int)rng_below(rng, 60);
    size_t m = (size_t)rows, n = (size_t)cols, k = (size_t)depth;
    float *a = numbers(rng, m * k), *b = numbers(rng, k * n), *c = numbers(rng, m * n);
    float *was = xaligned(m * n * sizeof(float)), *shift = numbers(rng, n);
    float *packed = xaligned(gemm_packed(depth, cols) * sizeof(float));
    memcpy(was, c, m * n * sizeof(float));
    size_t step = how.turned_b ? 1 : n, col_step = how.turned_b ? k : 1;
    gemm_pack(packed, b, depth, cols, step, col_step);
    Gemm g = {.rows = rows, .cols = cols, .depth = depth, .a = a,
              .a_row = how.turned_a ? 1 : k, .a_step = how.turned_a ? m : 1,
              .b = how.packed ? packed : b, .b_step = how.packed ? 0 : n, .c = c,
              .plus = how.adds ? c : NULL, .finishes = how.finishes, .shift = shift, .lo = 0, .hi = 6};
    gemm(&g);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
            size_t at = (size_t)i * n + (size_t)j;
            ck_assert_float_eq(c[at], slow(&g, b, step, col_step, was[at], i, j));
        }
    free(a);
    free(b);
    free(c);
    free(was);
    free(shift);
    free(packed);
}

TEST(products_of_any_shape_are_the_definitions)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 400; i++)
        check_product(&rng, (How){.packed = i & 1, .turned_a = i & 2, .adds = i & 4});
}
END

TEST(packing_reads_a_matrix_either_way)
{
    Rng rng = rng_make(2, 0);
    for (int i = 0; i < 200; i++)
        check_product(&rng, (How){.packed = true, .turned_b = i & 1, .turned_a = i & 2});
}
END

TEST(bias_and_activation_come_with_the_product)
{
    Rng rng = rng_make(3, 0);
    for (int i = 0; i < 200; i++)
        check_product(&rng, (How){.packed = true, .finishes = true, .adds = i & 1});
}
END

/* Pieces added up, whichever of the two sides is longer. */
TEST(weight_gradients_add_up_over_pieces)
{
    Rng rng = rng_make(4, 0);
    for (int turn = 0; turn < 50; turn++) {
        MatmulShape s = {.rows = 1 + (int)rng_below(&rng, 20), .k = 1 + (int)rng_below(&rng, 60),
                         .n = 1 + (int)rng_below(&rng, 60)};
        size_t k = (size_t)s.k, n = (size_t)s.n, rows = (size_t)s.rows;
        float *x = numbers(&rng, 2 * rows * k), *dy = numbers(&rng, 2 * rows * n);
        float *sum = xcalloc(matmul_packed(s), sizeof(float)), *dw = xcalloc(n * k, sizeof(float));
        matmul_dw(s, dy, x, sum);
        matmul_dw(s, dy + rows * n, x + rows * k, sum);
        matmul_dw_end(s, sum, dw);
        for (size_t i = 0; i < n * k; i++) {
            float expected = 0;
            for (size_t r = 0; r < 2 * rows; r++)
                expected += dy[r * n + i / k] * x[r * k + i % k];
            ck_assert_float_eq(dw[i], expected);
        }
        free(x);
        free(dy);
        free(sum);
        free(dw);
    }
}
END

SUITE(gemm, products_of_any_shape_are_the_definitions, packing_reads_a_matrix_either_way,
      bias_and_activation_come_with_the_product, weight_gradients_add_up_over_pieces)
