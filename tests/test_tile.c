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

/* What the quick way can do, up to the largest sums: of every other channel they are 2^23. Unless the
 * weights alone come close to that. */
static bool make_quick(Sample *s, Rng *rng)
{
    const int taps = s->op.kh * s->op.kw * s->op.in_c;
    int8_t *w = s->weights;
    bool quick = true;
    for (int c = 0; c < s->op.out_c; c++) {
        int sum = 0, most = 0;
        for (int k = 0; k < taps; k++, w++) {
            *w = *w == -128 ? 127 : *w;
            sum += *w, most += 128 * abs(*w);
        }
        const int room = (1 << (c % 2 ? 23 : 29)) - 1 - most;
        quick = quick && room > 20000;
        const int folded = rng_below(rng, 3) ? between(rng, -20000, 20000)
                                             : between(rng, -1, 1) * room;
        s->bias[c] = folded + s->op.in_zero * sum;
        s->multiplier[c] = between(rng, 1 << 30, INT32_MAX);
        s->shift[c] = (int8_t)-between(rng, 3, 17);
    }
    return quick;
}

/* Few and many taps, wide rows, zero points that cut all negatives off, all kinds of scales. Are
 * all channels quick? */
static bool draw_tiles(Sample *s, Rng *rng, TbKernel *kernel)
{
    draw_op(s, rng, kernel);
    TbOp *op = &s->op;
    free(s->weights);
    const int most = kernel == tb_pointwise_row ? 300 : 40;
    op->in_c = (uint16_t)between(rng, 1, rng_below(rng, 3) ? 8 : most);
    if (rng_below(rng, 3) == 0)
        op->in_w = (uint16_t)between(rng, 1, 40);
    op->out_w = op->in_w;
    if (kernel == tb_pointwise_row && rng_below(rng, 8) == 0) /* a dense layer */
        op->in_h = op->in_w = op->out_h = op->out_w = 1, op->sw = 0;
    if (kernel == tb_conv_row)
        draw_window(op, rng, 5);
    if (rng_below(rng, 2))
        op->out_zero = -128;
    if (rng_below(rng, 4) == 0)
        make_one_general(s, rng);
    s->weights = draw_tensor(rng, (size_t)op->kh * op->kw * op->in_c * op->out_c);
    op->weights = s->weights;
    if (rng_below(rng, 2))
        return make_quick(s, rng);
    if (rng_below(rng, 4) == 0)
        make_sums_large(s, rng);
    return false;
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

/* Two channels of three bits to the right and no bias. */
static LayerConstants plain(const int8_t *weights)
{
    static const int32_t bias[2], multiplier[] = {1 << 30, (1 << 30) + 5};
    static const int8_t shift[] = {-3, -17};
    return (LayerConstants){weights, bias, multiplier, shift, 0};
}

static int word_at(const int8_t *packed, int at)
{
    int32_t word;
    memcpy(&word, packed + at, 4);
    return word;
}

static int half_at(const int8_t *packed, int at)
{
    int16_t half;
    memcpy(&half, packed + at, 2);
    return half;
}

/* Worked out by hand: two rows of five taps, 1 to 5 and 6 to 10; the other channel has -1 to -10. */
TEST(fours_of_all_rows_come_first_with_their_middle_taps_exchanged)
{
    const int order[] = {1, 3, 2, 4, 6, 8, 7, 9, 5, 10};
    int8_t natural[20], packed[64];
    Layer l = {.op = OP_CONV, .in_c = 1, .out_c = 2};
    l.kh = 2, l.kw = 5;
    for (int k = 0; k < 10; k++)
        natural[k] = (int8_t)(k + 1), natural[10 + k] = (int8_t)(-k - 1);
    const LayerConstants constants = plain(natural);
    constants_pack(&l, STEP_CONV_PAIRS, &constants, packed);
    for (int k = 0; k < 10; k++)
        ck_assert_int_eq(half_at(packed, 12 + 2 * k), order[k] - 256 * order[k]);
}
END

TEST(an_odd_tap_and_an_odd_channel_are_completed_by_zeros)
{
    const int8_t natural[] = {1, -2, 3};
    int8_t packed[32];
    Layer l = {.op = OP_POINTWISE, .in_c = 3, .out_c = 1};
    l.kh = l.kw = 1;
    const LayerConstants constants = plain(natural);
    constants_pack(&l, STEP_POINTWISE_PAIRS, &constants, packed);
    const int expected[] = {1, -2, 3, 0};
    for (int k = 0; k < 4; k++)
        ck_assert_int_eq(half_at(packed, 12 + 2 * k), expected[k]);
}
END

/* Biases 1000 and -7 less 5 times the sums of the weights, 1 + 2 and 3 + 4. */
TEST(biases_and_scales_stand_around_the_weights_of_two_channels)
{
    const int8_t natural[] = {1, 2, 3, 4};
    const int32_t bias[] = {1000, -7};
    int8_t packed[28];
    Layer l = {.op = OP_POINTWISE, .in_c = 2, .out_c = 2};
    l.kh = l.kw = 1;
    LayerConstants constants = plain(natural);
    constants.bias = bias, constants.zero = 5;
    constants_pack(&l, STEP_POINTWISE_PAIRS, &constants, packed);
    ck_assert_int_eq(word_at(packed, 0), 1); /* all are quick */
    ck_assert_int_eq(word_at(packed, 4), 985);
    ck_assert_int_eq(word_at(packed, 8), 256 * -42 + 985);
    ck_assert_int_eq(half_at(packed, 12), 256 * 3 + 1);
    ck_assert_int_eq(half_at(packed, 14), 256 * 4 + 2);
    ck_assert_int_eq(word_at(packed, 16), INT32_MIN); /* 2^31 */
    ck_assert_int_eq(word_at(packed, 20), INT32_MIN + 10);
    ck_assert_int_eq(half_at(packed, 24), 1 << 14);
    ck_assert_int_eq(half_at(packed, 26), 1);
}
END

/* Each for one reason: the first word says whether all channels are, the shifts say which. */
TEST(what_the_quick_way_cannot_do_is_marked)
{
    const int8_t natural[] = {-1, 2, 3, -128}, others[] = {1, 2, 3, -128};
    const int32_t small[] = {1 << 30, (1 << 30) - 1}, large[] = {0, 1 << 23};
    const int8_t left[] = {-2, -5}, far[] = {-18, -30};
    Layer l = {.op = OP_POINTWISE, .in_c = 2, .out_c = 2};
    l.kh = l.kw = 1;
    LayerConstants quick = plain(others), c[6] = {quick, quick, quick, quick, quick, quick};
    c[0].weights = natural; /* tap 1 of b is -128 where a's is positive; tap 0 is not */
    int8_t crossing[] = {-1, 2, -128, 3};
    c[1].weights = crossing;
    c[2].multiplier = small;
    c[3].shift = left;
    c[4].bias = large;
    c[5].shift = far;
    const int expected[] = {1, 0, 0, 0, 0, 1};
    for (int i = 0; i < 6; i++) {
        int8_t packed[28];
        constants_pack(&l, STEP_POINTWISE_PAIRS, &c[i], packed);
        ck_assert_msg(word_at(packed, 0) == expected[i], "case %d", i);
        ck_assert_msg((half_at(packed, 24) > 0) == expected[i], "case %d", i);
        if (!expected[i])
            ck_assert_int_eq(half_at(packed, 24), c[i].shift[0] - TB_TILE_SHIFT);
    }
}
END

/* ---- on the boards, where the loop is in assembly ---- */

enum { BOARD_LAYERS = 300 };

static void add_layer(KernelCases *cases, Rng *rng, TbKernel *kernel)
{
    Sample s;
    int32_t folded[MOST_C];
    int8_t *packed;
    const bool quick = draw_tiles(&s, rng, kernel);
    int8_t *in = draw_tensor(rng, (size_t)s.op.in_h * s.op.in_w * s.op.in_c);
    int8_t *expected = xmalloc((size_t)s.op.out_h * s.op.out_w * s.op.out_c);
    slow_layer(&s.op, in, NULL, expected);
    TbOp op = pairs_op(&s.op, &packed, folded);
    ck_assert(!quick || word_at(packed, 0) == 1);
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
      an_odd_tap_and_an_odd_channel_are_completed_by_zeros,
      biases_and_scales_stand_around_the_weights_of_two_channels,
      what_the_quick_way_cannot_do_is_marked, a_cortex_m4_is_exact,
      a_cortex_m7_is_exact)
