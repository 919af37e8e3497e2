#include "tests/suite.h"

#include "base/rng.h"
#include "runtime/simd.h"

/* The functions are here in plain C; the same ones as instructions run with every kernel on the board. */

TEST(bytes_become_pairs_and_pairs_are_picked_apart)
{
    const int8_t bytes[] = {9, -1, 2, -128, 127, 5};
    uint32_t w = tb_word(bytes + 1);
    ck_assert_int_eq(tb_low(tb_even_bytes(w)), -1);
    ck_assert_int_eq(tb_high(tb_even_bytes(w)), -128);
    ck_assert_int_eq(tb_low(tb_odd_bytes(w)), 2);
    ck_assert_int_eq(tb_high(tb_odd_bytes(w)), 127);
    TbPair a = tb_pair(-3, 1000), b = tb_pair(30000, -7);
    ck_assert_uint_eq(tb_pair_lows(a, b), tb_pair(-3, 30000));
    ck_assert_uint_eq(tb_pair_highs(a, b), tb_pair(1000, -7));
}
END

TEST(multiply_accumulates_take_the_halves_they_name)
{
    TbPair x = tb_pair(-3, 5), w = tb_pair(7, -11);
    ck_assert_int_eq(tb_mac_pairs(x, w, 100), 100 - 21 - 55);
    ck_assert_int_eq(tb_mac_low_low(x, w, 100), 100 - 21);
    ck_assert_int_eq(tb_mac_low_high(x, w, 100), 100 + 33);
    ck_assert_int_eq(tb_mac_high_low(x, w, 100), 100 + 35);
    ck_assert_int_eq(tb_mac_high_high(x, w, 100), 100 - 55);
}
END

static int8_t general(int32_t sum, int32_t multiplier, int8_t shift, int32_t zero)
{
    TbRequant r = {NULL, &multiplier, &shift, zero, -128 - zero, 127 - zero};
    return tb_output(&r, sum, 0);
}

/* A sum whose product is about a tie: where rounding can go wrong. */
static int32_t near_a_tie(Rng *rng, int32_t multiplier, int shift)
{
    double step = 2147483648.0 / multiplier * (double)(1 << -shift);
    double sum = ((double)rng_below(rng, 512) - 256 + 0.5) * step;
    sum = sum > 1e9 ? 1e9 : sum < -1e9 ? -1e9 : sum;
    return (int32_t)sum + (int32_t)rng_below(rng, 5) - 2;
}

TEST(the_quick_requantisation_is_the_general_one)
{
    Rng rng = rng_make(4, 0);
    for (int i = 0; i < 2000000; i++) {
        int32_t multiplier = (1 << 30) + (int32_t)rng_below(&rng, 1u << 30);
        int shift = -1 - (int)rng_below(&rng, 22);
        int32_t zero = (int32_t)rng_below(&rng, 256) - 128;
        int32_t sum = i % 2 ? near_a_tie(&rng, multiplier, shift)
                            : (int32_t)(rng_below(&rng, 1u << 31)) - (1 << 30);
        ck_assert(tb_is_quick(0, multiplier, shift));
        TbQuick q = tb_quick(multiplier, shift, zero);
        int32_t quick = tb_quick_output(&q, sum);
        ck_assert_msg(quick == general(sum, multiplier, (int8_t)shift, zero),
                      "sum %d multiplier %d shift %d zero %d: %d", sum, multiplier, shift, zero, quick);
    }
}
END

TEST(what_the_quick_form_cannot_do_it_does_not_claim)
{
    const int32_t half = 1 << 30, bias = 1 << 29;
    ck_assert(tb_is_quick(bias - 1, half, -22) && tb_is_quick(1 - bias, INT32_MAX, -1));
    ck_assert(!tb_is_quick(0, half - 1, -1) && !tb_is_quick(0, half, 0) &&
              !tb_is_quick(0, half, -23) && !tb_is_quick(bias, half, -5) &&
              !tb_is_quick(-bias, half, -5));
}
END

SUITE(simd, bytes_become_pairs_and_pairs_are_picked_apart,
      multiply_accumulates_take_the_halves_they_name,
      the_quick_requantisation_is_the_general_one,
      what_the_quick_form_cannot_do_it_does_not_claim)
