#define _GNU_SOURCE
#include "tests/pairs_rows.h"

#include "evaluator/device.h"
#include "tests/suite.h"

/* ---- layers ---- */

/* The general scale, a left shift or a small multiplier, amid channels that have the quick one. */
static void make_one_general(Sample *s, Rng *rng)
{
    const int c = between(rng, 0, s->op.out_c - 1);
    if (rng_below(rng, 2))
        s->shift[c] = (int8_t)between(rng, 0, 3);
    else
        s->multiplier[c] = between(rng, 0, (1 << 30) - 1);
}

/* Biases at the ends of 32 bits, and scales that leave them there. */
static void make_sums_large(Sample *s, Rng *rng)
{
    for (int c = 0; c < s->op.out_c; c++) {
        s->bias[c] = rng_below(rng, 2) ? INT32_MAX : -INT32_MAX;
        s->shift[c] = (int8_t)-between(rng, 1, 3);
        s->multiplier[c] = INT32_MAX - between(rng, 0, 9);
    }
    memset(s->weights, 0, (size_t)s->op.kh * s->op.kw * s->op.in_c * s->op.out_c);
}

/* Few and many taps, wide rows, zero points that cut all negatives off, all kinds of scales. */
static void draw_tiles(Sample *s, Rng *rng, TbKernel *kernel)
{
    draw_op(s, rng, kernel);
    TbOp *op = &s->op;
    free(s->weights);
    const int most = kernel == tb_pointwise_row ? 300 : 40;
    op->in_c = (uint16_t)between(rng, 1, rng_below(rng, 3) ? 8 : most);
    if (rng_below(rng, 3) == 0)
        op->in_w = (uint16_t)between(rng, 1, 40);
    op->out_w = op->in_w;
    if (kernel == tb_conv_row)
        draw_window(op, rng, 5);
    if (rng_below(rng, 2))
        op->out_zero = -128;
    if (rng_below(rng, 4) == 0)
        make_one_general(s, rng);
    s->weights = draw_tensor(rng, (size_t)op->kh * op->kw * op->in_c * op->out_c);
    op->weights = s->weights;
    if (rng_below(rng, 8) == 0)
        make_sums_large(s, rng);
}

static void layers_are_exact(TbKernel *kernel, int times)
{
    Rng rng = rng_make(72, 0);
    for (int i = 0; i < times; i++) {
        Sample s;
        draw_tiles(&s, &rng, kernel);
        pairs_are_exact(&s.op, &rng, i);
        free(s.weights);
    }
}

TEST(any_convolution_equals_the_reference)
{
    layers_are_exact(tb_conv_row, 1000);
}
END

TEST(any_pointwise_equals_the_reference)
{
    layers_are_exact(tb_pointwise_row, 1000);
}
END

/* ---- weights ---- */

/* Worked out by hand: two rows of five taps, 1 to 5 and 6 to 10; the other channel has -1 to -10. */
TEST(fours_of_all_rows_come_first_with_their_middle_taps_exchanged)
{
    const int8_t order[] = {1, 3, 2, 4, 6, 8, 7, 9, 5, 10};
    int8_t natural[20], packed[20];
    Layer l = {.op = OP_CONV, .in_c = 1, .out_c = 2};
    l.kh = 2, l.kw = 5;
    for (int k = 0; k < 10; k++)
        natural[k] = (int8_t)(k + 1), natural[10 + k] = (int8_t)(-k - 1);
    constants_pack(&l, STEP_CONV_PAIRS, natural, packed);
    for (int k = 0; k < 10; k++) {
        ck_assert_int_eq(packed[k / 2 * 4 + k % 2 * 2], order[k]);
        ck_assert_int_eq(packed[k / 2 * 4 + k % 2 * 2 + 1], -order[k]);
    }
}
END

TEST(an_odd_tap_and_an_odd_channel_are_completed_by_zeros)
{
    const int8_t natural[] = {1, 2, 3}, expected[] = {1, 0, 2, 0, 3, 0, 0, 0};
    int8_t packed[8];
    Layer l = {.op = OP_POINTWISE, .in_c = 3, .out_c = 1};
    l.kh = l.kw = 1;
    constants_pack(&l, STEP_POINTWISE_PAIRS, natural, packed);
    ck_assert_mem_eq(packed, expected, 8);
}
END

/* ---- on the boards, where the loop is in assembly ---- */

enum { BOARD_LAYERS = 300 };

static void add_layer(KernelCases *cases, Rng *rng, TbKernel *kernel)
{
    Sample s;
    int32_t folded[MOST_C];
    int8_t *packed;
    draw_tiles(&s, rng, kernel);
    int8_t *in = draw_tensor(rng, (size_t)s.op.in_h * s.op.in_w * s.op.in_c);
    int8_t *expected = xmalloc((size_t)s.op.out_h * s.op.out_w * s.op.out_c);
    slow_layer(&s.op, in, NULL, expected);
    TbOp op = pairs_op(&s.op, &packed, folded);
    kernel_cases_add(cases, &op, in, NULL, expected);
    free(in), free(expected), free(packed), free(s.weights);
}

static void board_is_exact(const char *core, const char *machine)
{
    const char *missing = device_missing();
    if (missing) {
        printf("SKIPPED %s: %s is not installed\n", core, missing);
        return;
    }
    Rng rng = rng_make(73, 0);
    KernelCases cases = kernel_cases_new();
    for (int i = 0; i < 2 * BOARD_LAYERS; i++)
        add_layer(&cases, &rng, i % 2 ? tb_conv_row : tb_pointwise_row);
    KernelRun *runs = kernel_cases_run(&cases, core, machine);
    for (int i = 0; i < cases.n; i++) {
        ck_assert_msg(runs[i].wrong == -1, "layer %d: byte %d is wrong", i, runs[i].wrong);
        ck_assert_msg(runs[i].beside == 0, "layer %d writes beside its output", i);
        ck_assert_uint_lt(runs[i].stack, 400);
    }
    free(runs);
    kernel_cases_free(&cases);
}

TEST(a_cortex_m4_is_exact)
{
    board_is_exact("cortex-m4", "mps2-an386");
}
END

TEST(a_cortex_m7_is_exact)
{
    board_is_exact("cortex-m7", "mps2-an500");
}
END

SUITE(tile, any_convolution_equals_the_reference, any_pointwise_equals_the_reference,
      fours_of_all_rows_come_first_with_their_middle_taps_exchanged,
      an_odd_tap_and_an_odd_channel_are_completed_by_zeros, a_cortex_m4_is_exact,
      a_cortex_m7_is_exact)
