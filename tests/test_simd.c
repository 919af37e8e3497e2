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

TEST(bytes_are_added_to_pairs)
{
    const int8_t bytes[] = {-128, 127, 3, -4};
    TbPair zero = tb_pair(-100, 100);
    uint32_t w = tb_word(bytes);
    ck_assert_uint_eq(tb_add_even_bytes(zero, w), tb_pair(-228, 103));
    ck_assert_uint_eq(tb_add_odd_bytes(zero, w), tb_pair(27, 96));
}
END

TEST(words_are_compared_byte_by_byte)
{
    const int8_t a[] = {-128, 5, 0, 127}, b[] = {127, -5, -1, 126};
    const int8_t most[] = {127, 5, 0, 127}, least[] = {-128, -5, -1, 126};
    int8_t out[6] = {9, 0, 0, 0, 0, 9};
    tb_put_word(out + 1, tb_max_bytes(tb_word(a), tb_word(b)));
    ck_assert_mem_eq(out + 1, most, 4);
    tb_put_word(out + 1, tb_min_bytes(tb_word(a), tb_word(b)));
    ck_assert_mem_eq(out + 1, least, 4);
    ck_assert(out[0] == 9 && out[5] == 9);
    ck_assert_uint_eq(tb_four_bytes(-2), 0xfefefefeu);
}
END

TEST(words_of_four_channels_are_multiplied)
{
    Rng rng = rng_make(5, 0);
    for (int n = 4; n <= 40; n += 4) {
        int8_t x[40], w[4][40];
        int32_t expected[] = {1, -2, 3, -4}, zero = (int32_t)rng_below(&rng, 256) - 128;
        TbSums s = {1, -2, 3, -4};
        for (int i = 0; i < n; i++) {
            x[i] = (int8_t)((int)rng_below(&rng, 256) - 128);
            for (int c = 0; c < 4; c++) {
                w[c][i] = (int8_t)((int)rng_below(&rng, 256) - 128);
                expected[c] += (x[i] - zero) * w[c][i];
            }
        }
        tb_mac_words(&s, x, n, tb_pair(-zero, -zero), w[0], w[2], w[1] - w[0]);
        ck_assert(s.a == expected[0] && s.b == expected[1] && s.c == expected[2] &&
                  s.d == expected[3]);
    }
}
END

TEST(a_high_word_is_rounded_with_halves_up)
{
    ck_assert_int_eq(tb_high_mac(1 << 30, 2, 10), 11);
    ck_assert_int_eq(tb_high_mac(1 << 30, -2, 10), 10); /* -0.5 */
    ck_assert_int_eq(tb_high_mac(1 << 30, -3, 10), 9);
    ck_assert_int_eq(tb_high_mac(INT32_MAX, INT32_MAX, 0), (1 << 30) - 1);
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

TEST(all_channels_are_quick_or_none)
{
    int32_t bias[] = {0, 5, 0}, multiplier[] = {1 << 30, INT32_MAX, (1 << 30) - 1};
    const int8_t shift[] = {-1, -22, -3};
    TbOp op = {.bias = bias, .multiplier = multiplier, .shift = shift, .out_zero = 3,
               .act_min = -128, .act_max = 127};
    TbQuick q[3] = {{0, 0, 0}};
    ck_assert(tb_quick_channels(q, &op, TB_QUICK_TAPS, 0, 2));
    ck_assert(q[0].shift == 1 && q[1].shift == 22 && q[0].round == 7);
    ck_assert(tb_quick_channels(q, &op, 9, 1, 1) && q[0].shift == 22);
    ck_assert(!tb_quick_channels(q, &op, 9, 0, 3));
    ck_assert(!tb_quick_channels(q, &op, TB_QUICK_TAPS + 1, 0, 2));
    op.act_min = -127;
    ck_assert(!tb_quick_channels(q, &op, 9, 0, 2));
}
END

SUITE(simd, bytes_become_pairs_and_pairs_are_picked_apart, bytes_are_added_to_pairs,
      words_are_compared_byte_by_byte, words_of_four_channels_are_multiplied,
      a_high_word_is_rounded_with_halves_up, all_channels_are_quick_or_none,
      multiply_accumulates_take_the_halves_they_name,
      the_quick_requantisation_is_the_general_one,
      what_the_quick_form_cannot_do_it_does_not_claim)
