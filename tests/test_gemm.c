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

/* Rows of a in parts that overlap and are out of order, as an image under a kernel; planes likewise. */
static void check_parts(Rng *rng, bool planes)
{
    size_t lanes = (size_t)gemm_lanes();
    int part = planes ? (int)lanes : 1 + (int)rng_below(rng, 12), rows = 1 + (int)rng_below(rng, 40);
    int depth = 1 + (int)rng_below(rng, 3 * (uint32_t)part), cols = 1 + (int)rng_below(rng, 100);
    size_t row = planes ? lanes : 1 + rng_below(rng, 20), n = (size_t)cols;
    size_t jump = planes ? (size_t)rows * row : 1 + rng_below(rng, 50);
    size_t plane = ((size_t)rows + 3) * lanes, vecs = (n + lanes - 1) / lanes;
    float *a = numbers(rng, (size_t)rows * row + 3 * jump + (size_t)part);
    float *b = numbers(rng, (size_t)depth * n), *packed = numbers(rng, gemm_packed(depth, cols));
    float *c = numbers(rng, vecs * plane), *shift = numbers(rng, vecs * lanes);
    gemm_pack(packed, b, depth, cols, n, 1);
    gemm(&(Gemm){.rows = rows, .cols = cols, .depth = depth, .a = a, .a_row = row, .a_step = 1,
                 .a_part = part, .a_jump = jump, .b = packed, .c = c, .c_plane = plane,
                 .finishes = true, .shift = shift, .lo = -50, .hi = 50});
    for (size_t i = 0; i < (size_t)rows; i++)
        for (size_t j = 0; j < n; j++) {
            float sum = shift[j];
            for (int p = 0; p < depth; p++)
                sum += a[i * row + (size_t)(p / part) * jump + (size_t)(p % part)] *
                       b[(size_t)p * n + j];
            ck_assert_float_eq(c[j / lanes * plane + i * lanes + j % lanes],
                               fminf(fmaxf(sum, -50), 50));
        }
    free(a);
    free(b);
    free(packed);
    free(c);
    free(shift);
}

TEST(operands_may_lie_in_parts_and_the_product_in_planes)
{
    Rng rng = rng_make(5, 0);
    for (int i = 0; i < 400; i++)
        check_parts(&rng, i & 1);
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
      bias_and_activation_come_with_the_product,
      operands_may_lie_in_parts_and_the_product_in_planes, weight_gradients_add_up_over_pieces)
