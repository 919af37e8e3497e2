#include "quant/lookup.h"

#include <math.h>

enum { FIRST = INT8_MIN };

/* ---- gemmlowp's fixed point ------------------------------------------------------------------ */

/* round(a * b / 2^31), halves up; only (-2^31)^2 does not fit. */
static int32_t high_mul(int32_t a, int32_t b)
{
    int64_t high = ((int64_t)a * b + (1 << 30)) >> 31;
    return high > INT32_MAX ? INT32_MAX : (int32_t)high;
}

/* round(x / 2^n), halves away from zero. */
static int32_t round_shift(int32_t x, int n)
{
    int64_t half = n > 0 ? INT64_C(1) << (n - 1) : 0;
    return (int32_t)(x >= 0 ? (x + half) >> n : -((-(int64_t)x + half) >> n));
}

static int32_t saturated(int64_t x)
{
    return (int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
}

/* x * multiplier * 2^(shift - 31), TFLite's MultiplyByQuantizedMultiplier. Where that would not
 * fit it saturates, which TFLite leaves open. */
static int32_t scaled(int32_t x, int32_t multiplier, int shift)
{
    if (shift > 0)
        return high_mul(saturated((int64_t)x * (INT64_C(1) << shift)), multiplier);
    return round_shift(high_mul(x, multiplier), -shift);
}

static int8_t moved(int32_t x, int zero, int low, int high)
{
    int64_t v = (int64_t)x + zero;
    return (int8_t)(v < low ? low : v > high ? high : v);
}

/* In the names Qa has a integer bits and 31 - a behind the point. e^x, Q0, for x in
 * [-1/4, 0), Q0: Taylor's series around -1/8. */
static int32_t exp_of_part(int32_t x)
{
    const int32_t exp_eighth = 1895147668, third = 715827883; /* e^(-1/8), 1/3 */
    int32_t d = x + (1 << 28), d2 = high_mul(d, d), d3 = high_mul(d2, d), d4 = high_mul(d2, d2);
    int32_t tail = high_mul(round_shift(d4, 2) + d3, third) + d2; /* d^2 + d^3/3 + d^4/12 */
    return exp_eighth + high_mul(exp_eighth, d + round_shift(tail, 1));
}

/* e^x, Q0, for x <= 0 of int_bits integer bits. */
static int32_t exp_of(int32_t x, int int_bits)
{
    static const int32_t exp_bit[] = {/* e^(-1/4), e^(-1/2), e^-1 .. e^-16 */
                                      1672461947, 1302514674, 790015084, 290630308,
                                      39332535,   720401,     242};
    if (x == 0)
        return INT32_MAX;
    int32_t quarter = 1 << (29 - int_bits);
    int32_t part = (x & (quarter - 1)) - quarter, rest = part - x;
    int32_t e = exp_of_part(part * (1 << int_bits));
    for (int bit = 0; bit < int_bits + 2; bit++)
        if (rest & (quarter << bit))
            e = high_mul(e, exp_bit[bit]);
    return e;
}

/* 2 / (1 + x) - what, Q2, of x in [0, 1), Q0: three steps of Newton's division. */
static int32_t twice_reciprocal(int32_t x)
{
    const int32_t a = 1515870810, b = -1010580540; /* 48/17, -32/17, Q2 */
    int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t y = a + high_mul(half, b);
    for (int i = 0; i < 3; i++)
        y += saturated(4 * (int64_t)high_mul(y, (1 << 29) - high_mul(half, y)));
    return y;
}

/* 1 / (1 + e^-x), Q0, for x >= 0, Q4: y is Q2 of twice that, so one bit to the left. */
static int32_t logistic_of_positive(int32_t x)
{
    return saturated(2 * (int64_t)twice_reciprocal(exp_of(-x, 4)));
}

static int32_t logistic_of(int32_t x)
{
    if (x == 0)
        return 1 << 30;
    return x > 0 ? logistic_of_positive(x) : INT32_MAX - logistic_of_positive(-x);
}

/* (1 - e^-2x) / (1 + e^-2x) = 2 / (1 + e^-2x) - 1, Q0, for x, Q4: 2x is the same number in Q5. */
static int32_t tanh_of(int32_t x)
{
    if (x == 0)
        return 0;
    int32_t y = twice_reciprocal(exp_of(x > 0 ? -x : x, 5)) - (1 << 29);
    int32_t t = saturated(4 * (int64_t)y);
    return x > 0 ? t : -t;
}

/* ---- tables ---------------------------------------------------------------------------------- */

void lookup_identity(Lookup table)
{
    for (int i = 0; i < LOOKUP_SIZE; i++)
        table[i] = (int8_t)(FIRST + i);
}

void lookup_rescale(Lookup table, QTensor in, QTensor out, int act_min, int act_max)
{
    int32_t multiplier;
    int8_t shift;
    quantize_multiplier((double)in.scale / (double)out.scale, &multiplier, &shift);
    for (int i = 0; i < LOOKUP_SIZE; i++) {
        int32_t x = scaled(FIRST + i - in.zero, multiplier, shift);
        table[i] = moved(x, out.zero, act_min, act_max);
    }
}

void lookup_leaky_relu(Lookup table, QTensor in, QTensor out, float alpha)
{
    int32_t above, below;
    int8_t above_shift, below_shift;
    quantize_multiplier((double)(in.scale / out.scale), &above, &above_shift);
    quantize_multiplier((double)(in.scale * alpha / out.scale), &below, &below_shift);
    for (int i = 0; i < LOOKUP_SIZE; i++) {
        int32_t x = FIRST + i - in.zero;
        int32_t y = x >= 0 ? scaled(x, above, above_shift) : scaled(x, below, below_shift);
        table[i] = moved(y, out.zero, INT8_MIN, INT8_MAX);
    }
}

/* Both curves want Q4 and are flat beyond 15 / scale, where it overflows. */
static void curve(Lookup table, QTensor in, int32_t (*of)(int32_t), int right, int zero)
{
    const double real = ldexp((double)in.scale, 27);
    int32_t multiplier;
    int8_t shift;
    int exponent;
    frexp(real, &exponent);
    quantize_multiplier(real, &multiplier, &shift);
    const double radius = fmin(floor(ldexp(15, 27 - exponent)), 1024);
    for (int i = 0; i < LOOKUP_SIZE; i++) {
        int32_t x = FIRST + i - in.zero;
        if (x <= -radius || x >= radius)
            table[i] = x <= -radius ? INT8_MIN : INT8_MAX;
        else
            table[i] = moved(round_shift(of(scaled(x, multiplier, shift)), right), zero, INT8_MIN,
                             INT8_MAX);
    }
}

void lookup_logistic(Lookup table, QTensor in)
{
    curve(table, in, logistic_of, 23, -128);
}

void lookup_tanh(Lookup table, QTensor in)
{
    curve(table, in, tanh_of, 24, 0);
}

/* ---- hard swish, in 16 bits ------------------------------------------------------------------ */

static int16_t saturated16(int64_t x)
{
    return (int16_t)(x > INT16_MAX ? INT16_MAX : x < INT16_MIN ? INT16_MIN : x);
}

static int16_t high_mul16(int16_t a, int16_t b)
{
    return saturated16(((int32_t)a * b + (1 << 14)) >> 15);
}

/* The upper half of a Q31 multiplier, rounded. */
static int16_t multiplier16(int32_t multiplier)
{
    return saturated16(((int64_t)multiplier + (1 << 15)) >> 16);
}

/* (x + 3) / 6 between 0 and 1, Q15, of x on the fine scale: 3 is 2^15. Each left shift but the
 * last is done before the product, so that only the last can saturate what counts. */
static int16_t hard_sigmoid16(int16_t x, int32_t multiplier, int shift)
{
    int16_t y = shift > 1 ? saturated16((int64_t)x * (INT64_C(1) << (shift - 1))) : x;
    y = high_mul16(y, multiplier16(multiplier));
    if (shift > 0)
        y = saturated16(2 * (int64_t)y);
    if (shift < 0)
        y = (int16_t)round_shift(y, -shift);
    return (int16_t)((y + (1 << 15)) >> 1);
}

bool lookup_hard_swish(Lookup table, QTensor in, QTensor out)
{
    const float fine = in.scale / 128, three = 3.0f / 32768;
    int32_t to_out, to_three;
    int8_t out_shift, three_shift;
    quantize_multiplier((double)(fine / out.scale), &to_out, &out_shift);
    quantize_multiplier((double)(fine / three), &to_three, &three_shift);
    if (out_shift > 0)
        return false;
    for (int i = 0; i < LOOKUP_SIZE; i++) {
        int16_t x = (int16_t)((FIRST + i - in.zero) * 128);
        int16_t share = hard_sigmoid16(x, to_three, three_shift);
        int16_t y = high_mul16(x, multiplier16(to_out));
        int16_t product = (int16_t)((int32_t)share * y / (1 << 15)); /* towards 0 */
        table[i] = moved(round_shift(product, -out_shift), out.zero, INT8_MIN, INT8_MAX);
    }
    return true;
}

/* ---- two functions of one value -------------------------------------------------------------- */

bool add_scales(AddScales *s, float in, float in2, float out)
{
    double twice = 2 * (double)fmaxf(in, in2);
    double real[3] = {(double)in / twice, (double)in2 / twice,
                      twice / ((double)(1 << 20) * (double)out)};
    for (int i = 0; i < 3; i++) {
        quantize_multiplier(real[i], &s->multiplier[i], &s->shift[i]);
        if (real[i] >= 1 || s->shift[i] > 0)
            return false;
    }
    return true;
}

void lookup_add(Lookup table, const Lookup a, QTensor qa, const Lookup b, QTensor qb, QTensor out,
                const AddScales *s, int act_min, int act_max)
{
    for (int i = 0; i < LOOKUP_SIZE; i++) {
        int32_t x = scaled((a[i] - qa.zero) * (1 << 20), s->multiplier[0], s->shift[0]);
        int32_t y = scaled((b[i] - qb.zero) * (1 << 20), s->multiplier[1], s->shift[1]);
        int32_t sum = scaled(x + y, s->multiplier[2], s->shift[2]);
        table[i] = moved(sum, out.zero, act_min, act_max);
    }
}

void lookup_mul(Lookup table, const Lookup a, QTensor qa, const Lookup b, QTensor qb, QTensor out,
                int act_min, int act_max)
{
    int32_t multiplier;
    int8_t shift;
    quantize_multiplier((double)qa.scale * (double)qb.scale / (double)out.scale, &multiplier,
                        &shift);
    for (int i = 0; i < LOOKUP_SIZE; i++) {
        int32_t product = (a[i] - qa.zero) * (b[i] - qb.zero);
        table[i] = moved(scaled(product, multiplier, shift), out.zero, act_min, act_max);
    }
}
