/* tb_softmax.c - TFLite's int8 softmax over the channels of each pixel, to the bit.
 *
 * exp(x - max) and 1 / sum are polynomials in gemmlowp's fixed point: Qa.b is
 * an int32 with a integer and b = 31 - a fractional bits, and the product of Qa
 * and Qb, tb_high_mul(), is a Q(a + b). With beta and the input's scale,
 *
 *     multiplier[0] * 2^(shift[0] - 31) = min(beta * in_scale * 2^26, 2^31 - 1)
 *
 * turns differences into Q5.26; shift[0] is not negative. The output has scale
 * 1/256 and zero point -128. At most 4095 channels: sums are Q12.19. */
#include "tb_inner.h"

enum { DIFF_BITS = 26, SUM_BITS = 19, QUARTER = 1 << (DIFF_BITS - 2) };

/* e^x, Q0.31, for -1/4 <= x < 0, Q0.31: Taylor's series around -1/8, to x^4. */
static int32_t exp_of_part(int32_t x)
{
    const int32_t exp_eighth = 1895147668, third = 715827883; /* e^(-1/8), 1/3 */
    const int32_t d = x + (1 << 28), d2 = tb_high_mul(d, d);
    const int32_t d3 = tb_high_mul(d2, d), d4 = tb_high_mul(d2, d2);
    const int32_t tail = tb_high_mul(tb_round_shift(d4, 2) + d3, third) + d2;
    return exp_eighth + tb_high_mul(exp_eighth, d + tb_round_shift(tail, 1));
}

/* e^x, Q0.31, for x <= 0, Q5.26: of the part below a quarter, times a constant
 * for each bit of what is left. */
static int32_t exp_of(int32_t x)
{
    static const int32_t exp_bit[] = {/* e^(-1/4), e^(-1/2), e^-1 .. e^-16 */
                                      1672461947, 1302514674, 790015084, 290630308,
                                      39332535,   720401,     242};
    const int32_t part = (x & (QUARTER - 1)) - QUARTER, rest = part - x;
    int32_t e = exp_of_part(part * (1 << (31 - DIFF_BITS)));
    for (int bit = 0; bit < 7; bit++)
        if (rest & (QUARTER << bit))
            e = tb_high_mul(e, exp_bit[bit]);
    return x == 0 ? INT32_MAX : e;
}

/* 1 / (1 + x), Q0.31, of x in [0, 1), Q0.31: three steps of Newton's division
 * of 1/2 by the half of it, Q2.29 inside. */
static int32_t reciprocal(int32_t x)
{
    const int32_t a = 1515870810, b = -1010580540; /* 48/17, -32/17 */
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t y = a + tb_high_mul(half, b);
    for (int i = 0; i < 3; i++)
        y += 4 * tb_high_mul(y, (1 << 29) - tb_high_mul(half, y));
    return y < 1 << 30 ? 2 * y : INT32_MAX;
}

typedef struct {
    int32_t max, least; /* of the pixel; the least difference that counts */
    int32_t multiplier, shift;
} Diffs;

/* e^(x - max), Q0.31; 0 where it is far below. */
static int32_t exp_of_value(const Diffs *d, int x)
{
    const int32_t diff = x - d->max;
    if (diff < d->least)
        return 0;
    return exp_of(tb_high_mul((int32_t)((uint32_t)diff << d->shift), d->multiplier));
}

static void softmax_pixel(const TbOp *op, const int8_t *x, int8_t *out)
{
    const int n = op->out_c, shift = op->shift[0];
    Diffs d = {INT8_MIN, -(((int32_t)31 << DIFF_BITS) >> shift), op->multiplier[0], shift};
    uint32_t sum = 0;
    int right = 35; /* what brings Q0.31, with sum's leading zeros, to 1/256 */

    for (int c = 0; c < n; c++)
        d.max = x[c] > d.max ? x[c] : d.max;
    for (int c = 0; c < n; c++)
        sum += (uint32_t)tb_round_shift(exp_of_value(&d, x[c]), 31 - SUM_BITS);
    for (; !(sum >> 31); sum <<= 1)
        right--;
    const int32_t scale = reciprocal((int32_t)(sum - (1u << 31)));
    for (int c = 0; c < n; c++) {
        const int32_t p = tb_high_mul(scale, exp_of_value(&d, x[c]));
        const int32_t q = right > 31 ? 0 : tb_round_shift(p, right);
        out[c] = tb_clamp(q - 128, -128, 127);
    }
}

/* out may be the row. */
void tb_softmax_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int channels = op->out_c;
    (void)scratch;
    for (int i = 0; i < op->out_w; i++)
        softmax_pixel(op, rows->in[0] + i * channels, rows->out[0] + i * channels);
}
