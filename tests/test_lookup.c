#include "tests/suite.h"
#include "tests/tflite_models.h"

static QTensor random_tensor(Rng *rng)
{
    double scale = exp(log(0.002) + rng_uniform(rng) * log(100)); /* 0.002 to 0.2 */
    return (QTensor){(float)scale, (int8_t)((int)rng_below(rng, 256) - 128)};
}

/* table[q] against the real function in steps of out: the nearest byte, except within `doubt`
 * of the middle between two, where fixed point may fall on the other side. */
static void check_curve(const Lookup table, QTensor in, QTensor out, double (*of)(double),
                        double doubt)
{
    for (int q = -128; q < 128; q++) {
        double real = of((q - in.zero) * (double)in.scale) / (double)out.scale + out.zero;
        double off = fabs(table[q + 128] - fmin(fmax(real, -128), 127));
        ck_assert_msg(off <= 0.5 + doubt, "scale %g, zero %d: %d becomes %d, which is %g",
                      (double)in.scale, in.zero, q, table[q + 128], real);
    }
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double hard_swish(double x)
{
    return x * fmin(fmax(x + 3, 0), 6) / 6;
}

TEST(logistic_and_tanh_are_rounded_to_the_nearest_step)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 500; i++) {
        Lookup table;
        QTensor in = random_tensor(&rng);
        lookup_logistic(table, in);
        check_curve(table, in, (QTensor){1.0f / 256, -128}, logistic, 1e-4);
        ck_assert_int_eq(table[in.zero + 128], 0); /* a half */
        lookup_tanh(table, in);
        check_curve(table, in, (QTensor){1.0f / 128, 0}, tanh, 1e-4);
        ck_assert_int_eq(table[in.zero + 128], 0);
    }
}
END

/* Every step of the input is beyond where the curves are flat, or all of it is nothing. */
TEST(curves_of_extreme_scales_saturate)
{
    static const float scale[] = {1e-30f, 1e-9f, 7, 15, 16, 17, 1e9f, 1e30f};
    for (size_t i = 0; i < sizeof scale / sizeof *scale; i++) {
        Lookup table;
        lookup_logistic(table, (QTensor){scale[i], 3});
        ck_assert_int_eq(table[0], scale[i] < 1 ? 0 : -128);
        ck_assert_int_eq(table[255], scale[i] < 1 ? 0 : 127);
        lookup_tanh(table, (QTensor){scale[i], 3});
        ck_assert_int_eq(table[0], scale[i] < 1 ? 0 : -128);
        ck_assert_int_eq(table[255], scale[i] < 1 ? 0 : 127);
    }
}
END

/* 16 bits inside: within two steps, and exactly 0 where the curve is. */
TEST(hard_swish_is_close_and_0_where_it_ends)
{
    Rng rng = rng_make(2, 0);
    int made = 0;
    for (int i = 0; i < 500; i++) {
        Lookup table;
        QTensor in = random_tensor(&rng), out = random_tensor(&rng);
        bool fits = lookup_hard_swish(table, in, out);
        ck_assert_int_eq(fits, in.scale / 128 / out.scale < 1);
        if (!fits || out.scale < in.scale / 8)
            continue;
        made++;
        check_curve(table, in, out, hard_swish, 1 + 0.01 / (double)out.scale);
        for (int q = -128; (q - in.zero) * (double)in.scale < -3.05 && q < 128; q++)
            ck_assert_int_eq(table[q + 128], out.zero);
    }
    ck_assert_int_gt(made, 150);
}
END

/* Rounded twice, so up to three quarters of a step off; and to the bit what the slow version,
 * tests/tflite_models.h, gives. */
TEST(rescaling_rounds_twice_and_clamps)
{
    Rng rng = rng_make(3, 0);
    for (int i = 0; i < 500; i++) {
        Lookup table;
        QTensor in = random_tensor(&rng), out = random_tensor(&rng);
        int low = (int)rng_below(&rng, 128) - 128, high = low + (int)rng_below(&rng, 127);
        float alpha = (float)rng_uniform(&rng) - 0.2f;
        lookup_rescale(table, in, out, low, high);
        for (int q = -128; q < 128; q++) {
            double ratio = (double)in.scale / (double)out.scale;
            double real = fmin(fmax((q - in.zero) * ratio + out.zero, low), high);
            int slow = slow_multiply(q - in.zero, ratio) + out.zero;
            ck_assert_double_le(fabs(table[q + 128] - real), 0.75 + 1e-5);
            ck_assert_int_eq(table[q + 128], slow < low ? low : slow > high ? high : slow);
        }
        lookup_leaky_relu(table, in, out, alpha);
        for (int q = -128; q < 128; q++) {
            double x = (q - in.zero) * (double)in.scale, y = x >= 0 ? x : x * (double)alpha;
            double real = fmin(fmax(y / (double)out.scale + out.zero, -128), 127);
            ck_assert_double_le(fabs(table[q + 128] - real), 0.75 + 1e-4);
        }
    }
}
END

TEST(the_same_scale_is_the_identity)
{
    Lookup table, same;
    lookup_identity(same);
    ck_assert(same[0] == -128 && same[128] == 0 && same[255] == 127);
    lookup_rescale(table, (QTensor){0.3f, -5}, (QTensor){0.3f, -5}, -128, 127);
    ck_assert(memcmp(table, same, sizeof same) == 0);
    lookup_rescale(table, (QTensor){0.5f, 0}, (QTensor){0.25f, -7}, -128, 127); /* 2 q - 7 */
    ck_assert(table[128 + 3] == -1 && table[128 - 3] == -13 && table[0] == -128);
}
END

/* f(x) + g(x) and f(x) * g(x) of random tables, against real numbers. */
TEST(sums_and_products_are_those_of_real_numbers)
{
    Rng rng = rng_make(4, 0);
    for (int i = 0; i < 200; i++) {
        Lookup a, b, sum, product;
        AddScales s;
        QTensor qa = random_tensor(&rng), qb = random_tensor(&rng), out = random_tensor(&rng);
        for (int q = 0; q < LOOKUP_SIZE; q++) {
            a[q] = (int8_t)((int)rng_below(&rng, 256) - 128);
            b[q] = (int8_t)((int)rng_below(&rng, 256) - 128);
        }
        ck_assert(add_scales(&s, qa.scale, qb.scale, out.scale));
        lookup_add(sum, a, qa, b, qb, out, &s, -128, 127);
        lookup_mul(product, a, qa, b, qb, out, -100, 100);
        for (int q = 0; q < LOOKUP_SIZE; q++) {
            double x = (a[q] - qa.zero) * (double)qa.scale, y = (b[q] - qb.zero) * (double)qb.scale;
            double plus = fmin(fmax((x + y) / (double)out.scale + out.zero, -128), 127);
            double times = fmin(fmax(x * y / (double)out.scale + out.zero, -100), 100);
            ck_assert_double_le(fabs(sum[q] - plus), 0.51);
            ck_assert_double_le(fabs(product[q] - times), 0.75 + 1e-4);
        }
    }
    AddScales s;
    ck_assert(!add_scales(&s, 1, 1, 1e-6f)); /* twice 1 is 2^20 steps of it and more */
}
END

SUITE(lookup, logistic_and_tanh_are_rounded_to_the_nearest_step, curves_of_extreme_scales_saturate,
      hard_swish_is_close_and_0_where_it_ends, rescaling_rounds_twice_and_clamps,
      the_same_scale_is_the_identity, sums_and_products_are_those_of_real_numbers)
