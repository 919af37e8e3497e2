#define _GNU_SOURCE
#include "tests/pairs_rows.h"

#include "runtime/tb_depthwise_tile.h"
#include "tests/suite.h"

TEST(any_square_equals_the_reference)
{
    Rng rng = rng_make(71, 0);
    for (int i = 0; i < 3000; i++) {
        Sample s;
        draw_depthwise(&s, &rng, is_for_pairs);
        pairs_are_exact(&s.op, &rng, i);
        free(s.weights);
    }
}
END

/* Multipliers from the least on, and sums about ties, where rounding could go wrong. */
TEST(doubled_sums_are_requantised_as_the_reference_does)
{
    Rng rng = rng_make(72, 0);
    for (int i = 0; i < 1000000; i++) {
        int32_t multiplier = (1 << 30) + (i % 4 ? (int32_t)rng_below(&rng, 1u << 30) : i / 4 % 3);
        int8_t shift = (int8_t)between(&rng, -22, -1);
        TbOp op = {.multiplier = &multiplier, .shift = &shift, .out_zero = any_int8(&rng),
                   .act_min = -128, .act_max = 127};
        double step = ldexp(1, 31 - shift) / multiplier;
        double tie = (between(&rng, -256, 255) + 0.5) * step, most = 1 << 29;
        int32_t sum = i % 2 ? (int32_t)fmax(-most, fmin(tie, most)) + between(&rng, -2, 2)
                            : between(&rng, -3, 3);
        TbQuick q = tb_quick(multiplier, shift, op.out_zero);
        TbPut put = {multiplier, q.round, q.shift, 1};
        ck_assert_msg(tb_put_one(2 * sum, &put) == slow_output(&op, sum, 0), "%d * %d >> %d", sum,
                      multiplier, -shift);
    }
}
END

TEST(scratch_is_small)
{
    for (uint32_t k = 3; k <= 7; k += 2)
        for (uint32_t stride = 1; stride <= 2; stride++)
            for (uint32_t w = 1; w <= 256; w++)
                ck_assert_uint_le(tb_depthwise_pairs_scratch(k, stride, w), 1632);
}
END

/* Worked out by hand: rows 1 2 3, 4 5 6, 7 8 9. */
TEST(a_3x3_window_packs_columns_of_two_rows_and_then_the_last_row)
{
    const int8_t natural[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const int8_t expected[] = {1, 2, 4, 5, 3, 7, 6, 8, 8, 0, 9, 0};
    const int8_t by_two[] = {1, 3, 4, 6, 2, 7, 5, 8, 9, 0, 0, 0};
    const LayerConstants constants = {.weights = natural};
    int8_t packed[12];
    Layer l = {.op = OP_DEPTHWISE, .in_c = 1, .out_c = 1};
    l.kh = l.kw = 3, l.sh = l.sw = 1;
    constants_pack(&l, STEP_DEPTHWISE_PAIRS, &constants, packed);
    ck_assert_mem_eq(packed, expected, 12);
    l.sw = 2;
    constants_pack(&l, STEP_DEPTHWISE_PAIRS, &constants, packed);
    ck_assert_mem_eq(packed, by_two, 12);
}
END

SUITE(depthwise_pairs, any_square_equals_the_reference,
      doubled_sums_are_requantised_as_the_reference_does, scratch_is_small,
      a_3x3_window_packs_columns_of_two_rows_and_then_the_last_row)
