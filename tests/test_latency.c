#include "estimator/latency.h"

#include "tests/mcunet_space.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

/* One layer of every operator in turn, of random shape. */
static Layer random_layer(int op, Rng *rng)
{
    Net net;
    Size2 kernel = {(uint8_t)draw(rng, 1, 5), (uint8_t)draw(rng, 1, 7)};
    Size2 stride = {(uint8_t)draw(rng, 1, 2), (uint8_t)draw(rng, 1, 3)};
    net_begin(&net, draw(rng, 7, 30), draw(rng, 7, 40), draw(rng, 1, 50));
    switch ((Op)op) {
    case OP_CONV:
        net_conv(&net, NET_IMAGE, draw(rng, 1, 60), kernel, stride, ACT_RELU6);
        break;
    case OP_DEPTHWISE:
        net_depthwise(&net, NET_IMAGE, kernel, stride, ACT_RELU6);
        break;
    case OP_POINTWISE:
        net_pointwise(&net, NET_IMAGE, draw(rng, 1, 60), ACT_NONE);
        break;
    case OP_ADD:
        net_add(&net, NET_IMAGE, NET_IMAGE);
        break;
    case OP_AVG_POOL:
    case OP_MAX_POOL:
        net_pool(&net, (Op)op, NET_IMAGE, kernel, stride);
        break;
    case OP_GLOBAL_POOL:
        net_global_pool(&net, NET_IMAGE);
        break;
    case OP_DENSE:
        net_dense(&net, NET_IMAGE, draw(rng, 1, 60), ACT_NONE);
        break;
    case N_OPS:
        break;
    }
    return net.layer[0];
}

static double slow_macs(const Layer *l)
{
    double taps = 0;
    for (int y = 0; y < l->out_h; y++)
        for (int x = 0; x < l->out_w; x++)
            for (int i = 0; i < l->kh; i++)
                for (int j = 0; j < l->kw; j++) {
                    int r = y * l->sh - l->pad_top + i, c = x * l->sw - l->pad_left + j;
                    taps += r >= 0 && r < l->in_h && c >= 0 && c < l->in_w;
                }
    bool mixes = l->op == OP_CONV || l->op == OP_POINTWISE || l->op == OP_DENSE;
    return l->op == OP_ADD ? 0 : taps * l->in_c * (mixes ? l->out_c : 1);
}

TEST(features_are_counted_tap_by_tap)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 400; i++) {
        Layer l = random_layer(i % N_OPS, &rng);
        double f[N_FEATURES];
        layer_features(&l, f);
        ck_assert_double_eq(f[FEATURE_CALL], 1);
        ck_assert_double_eq(f[FEATURE_ROW], l.out_h);
        ck_assert_double_eq(f[FEATURE_PIXEL], l.out_h * l.out_w);
        ck_assert_double_eq(f[FEATURE_OUTPUT], l.out_h * l.out_w * l.out_c);
        ck_assert_double_eq(f[FEATURE_MAC], slow_macs(&l));
    }
}
END

TEST(a_3x3_convolution_loses_the_taps_beyond_its_border)
{
    Net net;
    double f[N_FEATURES];
    net_begin(&net, 4, 4, 2);
    net_conv(&net, NET_IMAGE, 3, square(3), square(1), ACT_NONE);
    layer_features(&net.layer[0], f);
    ck_assert_double_eq(f[FEATURE_MAC], 10 * 10 * 2 * 3); /* 2 + 3 + 3 + 2 taps an axis */
}
END

TEST(a_network_takes_its_layers_and_what_is_fixed)
{
    Net net;
    Latency model = {.unit = "cycles", .fixed = 7};
    net_begin(&net, 2, 2, 3);
    net_pointwise(&net, NET_IMAGE, 5, ACT_NONE);
    net_add(&net, 0, 0);
    model.weight[OP_POINTWISE][FEATURE_CALL] = 100;
    model.weight[OP_POINTWISE][FEATURE_MAC] = 2;
    model.weight[OP_ADD][FEATURE_OUTPUT] = 0.5;
    ck_assert_double_eq(latency_layer(&model, &net.layer[0]), 100 + 2 * 60);
    ck_assert_double_eq(latency_net(&model, &net), 7 + 220 + 10);
    model.unit[0] = 0; /* there is no model */
    ck_assert_double_eq(latency_net(&model, &net), 0);
}
END

enum { SAMPLES = 400 };

static double truth(const Layer *l, const double w[N_FEATURES])
{
    double f[N_FEATURES], t = 0;
    layer_features(l, f);
    for (int i = 0; i < N_FEATURES; i++)
        t += w[i] * f[i];
    return t;
}

TEST(the_fit_finds_the_coefficients_that_made_the_samples)
{
    static LatencySample sample[SAMPLES];
    const double w[N_FEATURES] = {150, 40, 12, 6.5, 1.75};
    Rng rng = rng_make(2, 0);
    Latency model = {.unit = "cycles"};
    for (int i = 0; i < SAMPLES; i++) {
        sample[i].layer = random_layer(i % 2 ? OP_CONV : OP_DEPTHWISE, &rng);
        sample[i].measured = truth(&sample[i].layer, w) * (i % 2 ? 1 : 3);
    }
    latency_fit(&model, sample, SAMPLES);
    for (int f = 0; f < N_FEATURES; f++) {
        ck_assert_double_eq_tol(model.weight[OP_CONV][f], w[f], 0.01 * w[f]);
        ck_assert_double_eq_tol(model.weight[OP_DEPTHWISE][f], 3 * w[f], 0.03 * w[f]);
    }
}
END

/* With a true coefficient below zero and noise, plain least squares goes below
 * zero; ours must not, and no small step may make it better: that is the
 * condition of the optimum (Karush, Kuhn, Tucker). */
static double relative_squares(const LatencySample *s, int n, const double w[N_FEATURES])
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double e = truth(&s[i].layer, w) / s[i].measured - 1;
        sum += e * e;
    }
    return sum;
}

TEST(coefficients_are_not_negative_and_no_step_is_better)
{
    static LatencySample sample[SAMPLES];
    Rng rng = rng_make(3, 0);
    for (int round = 0; round < 20; round++) {
        Latency model = {.unit = "cycles"};
        double w[N_FEATURES] = {500, -20, 30, round % 2 ? -0.4 : 3, 2};
        for (int i = 0; i < SAMPLES; i++) {
            sample[i].layer = random_layer(OP_CONV, &rng);
            double t = truth(&sample[i].layer, w) * (1 + 0.1 * rng_normal(&rng));
            sample[i].measured = t > 1 ? t : 1;
        }
        latency_fit(&model, sample, SAMPLES);
        double *fitted = model.weight[OP_CONV];
        double best = relative_squares(sample, SAMPLES, fitted);
        for (int f = 0; f < N_FEATURES; f++) {
            double was = fitted[f], step = was > 0 ? 1e-3 * was : 1e-3;
            ck_assert_double_ge(was, 0);
            for (int sign = -1; sign <= 1; sign += 2) {
                fitted[f] = was + sign * step;
                if (fitted[f] >= 0)
                    ck_assert_double_ge(relative_squares(sample, SAMPLES, fitted), best - 1e-9);
                fitted[f] = was;
            }
        }
    }
}
END

TEST(an_operator_without_samples_keeps_its_coefficients)
{
    Rng rng = rng_make(4, 0);
    Latency model = {.unit = "cycles", .weight = {[OP_ADD] = {1, 2, 3, 4, 5}}}, before = model;
    LatencySample sample[9];
    for (int i = 0; i < 9; i++)
        sample[i] = (LatencySample){random_layer(OP_DENSE, &rng), 1000 + 100 * i};
    latency_fit(&model, sample, 9);
    ck_assert_mem_eq(model.weight[OP_ADD], before.weight[OP_ADD], sizeof model.weight[OP_ADD]);
    ck_assert_mem_eq(model.weight[OP_CONV], before.weight[OP_CONV], sizeof model.weight[OP_CONV]);
    ck_assert_double_gt(latency_layer(&model, &sample[0].layer), 0);
}
END

/* A dense layer has one row and one pixel: call, row and pixel cannot be told
 * apart, and one sample fixes one number. The prediction is right all the same. */
TEST(features_that_cannot_be_told_apart_do_no_harm)
{
    Rng rng = rng_make(5, 0);
    static LatencySample sample[SAMPLES];
    const double w[N_FEATURES] = {100, 10, 10, 5, 2};
    for (int n = 1; n <= SAMPLES; n *= 4) {
        Latency model = {.unit = "cycles"};
        for (int i = 0; i < n; i++) {
            sample[i].layer = random_layer(OP_DENSE, &rng);
            sample[i].measured = truth(&sample[i].layer, w);
        }
        latency_fit(&model, sample, n);
        for (int i = 0; i < n; i++)
            ck_assert_double_eq_tol(latency_layer(&model, &sample[i].layer) / sample[i].measured, 1,
                                    1e-3);
    }
}
END

SUITE(latency, features_are_counted_tap_by_tap, a_3x3_convolution_loses_the_taps_beyond_its_border,
      a_network_takes_its_layers_and_what_is_fixed,
      the_fit_finds_the_coefficients_that_made_the_samples,
      coefficients_are_not_negative_and_no_step_is_better,
      an_operator_without_samples_keeps_its_coefficients,
      features_that_cannot_be_told_apart_do_no_harm)
