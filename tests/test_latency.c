#include "estimator/latency.h"

#include "estimator/estimator.h"
#include "exporter/lower.h"

#include "estimator/latency_pairs.h"
#include "tests/random_plan.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

/* One layer of every operator in turn, of random shape. */
static const PlanOptions small = {.small = true}, small_outside = {.small = true, .image_outside = true};

static Layer layer_of(int op, Rng *rng)
{
    Net net;
    Size2 kernel = {(uint8_t)between(rng, 1, 5), (uint8_t)between(rng, 1, 7)};
    Size2 stride = {(uint8_t)between(rng, 1, 2), (uint8_t)between(rng, 1, 3)};
    net_begin(&net, between(rng, 7, 30), between(rng, 7, 40), between(rng, 1, 50));
    switch ((Op)op) {
    case OP_CONV:
        net_conv(&net, NET_IMAGE, between(rng, 1, 60), kernel, stride, ACT_RELU6);
        break;
    case OP_DEPTHWISE:
        net_depthwise(&net, NET_IMAGE, kernel, stride, ACT_RELU6);
        break;
    case OP_POINTWISE:
        net_pointwise(&net, NET_IMAGE, between(rng, 1, 60), ACT_NONE);
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
        net_dense(&net, NET_IMAGE, between(rng, 1, 60), ACT_NONE);
        break;
    case OP_MEAN:
        net_mean(&net, NET_IMAGE, one_in(rng, 2), true);
        break;
    case OP_GATE:
        net_gate(&net, NET_IMAGE, net_global_pool(&net, NET_IMAGE));
        break;
    case OP_LOOKUP:
        net_lookup(&net, NET_IMAGE);
        break;
    case OP_SOFTMAX:
        net_softmax(&net, NET_IMAGE);
        break;
    case N_OPS:
        break;
    }
    return *net_output(&net);
}

/* As many outputs of a layer that mixes channels as there are in whole groups of four. */
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
    double channels = l->out_c / 4 * 4 + 2.5 * (l->out_c % 4 == 0 ? 0 : l->out_c % 4 == 3 ? 2 : 1);
    if (l->op == OP_DEPTHWISE) /* one is as slow as two of four, where several read one input all are */
        channels = (double)(l->out_c == l->in_c ? l->out_c + l->out_c % 4 : 2 * l->out_c) / l->in_c;
    return each_by_itself(l) ? 0 : taps * l->in_c * (mixes || l->op == OP_DEPTHWISE ? channels : 1);
}

TEST(features_are_counted_tap_by_tap)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 400; i++) {
        Layer l = layer_of(i % N_OPS, &rng);
        double f[N_FEATURES];
        layer_features(&l, l.op, f);
        bool mixes = l.op == OP_CONV || l.op == OP_POINTWISE || l.op == OP_DENSE;
        ck_assert(mixes || l.op == OP_DEPTHWISE || f[FEATURE_CALL] == 1);
        bool at_once = each_by_itself(&l) || l.op == OP_POINTWISE;
        ck_assert_double_eq(f[FEATURE_ROW], at_once ? 1 : l.out_h);
        ck_assert_double_eq(f[FEATURE_OUTPUT], l.out_h * l.out_w * l.out_c);
        ck_assert_double_eq_tol(f[FEATURE_MAC], slow_macs(&l), 1e-6);
    }
}
END

TEST(a_3x3_convolution_loses_the_taps_beyond_its_border)
{
    Net net;
    double f[N_FEATURES];
    net_begin(&net, 4, 4, 2);
    net_conv(&net, NET_IMAGE, 3, square(3), square(1), ACT_NONE);
    layer_features(&net.layer[0], OP_CONV, f);
    ck_assert_double_eq(layer_macs_inside(&net.layer[0]), 10 * 10 * 2 * 3); /* 2 + 3 + 3 + 2 taps */
    ck_assert_double_eq(f[FEATURE_MAC], 10 * 10 * 2 * 5); /* two channels and one, as slow as 2.5 */
    ck_assert_double_eq(f[FEATURE_PIXEL], 2 * 10 * 4); /* window rows in, for each column and group */
    ck_assert_double_eq(f[FEATURE_CALL], 2 * 10 * 4); /* 2 x 2 inputs inside are a word, 3 x 2 leave two */
}
END

TEST(a_network_takes_its_layers_and_what_is_fixed)
{
    Net net;
    Latency model = {.unit = "cycles", .fixed = 7};
    net_begin(&net, 2, 2, 3);
    net_pointwise(&net, NET_IMAGE, 8, ACT_NONE);
    net_add(&net, 0, 0);
    model.weight[OP_ADD][FEATURE_CALL] = 100;
    model.weight[OP_POINTWISE][FEATURE_ROW] = 3;
    model.weight[OP_POINTWISE][FEATURE_MAC] = 2;
    model.weight[OP_ADD][FEATURE_OUTPUT] = 0.5;
    model.weight[STEP_INPUT][FEATURE_ROW] = 11;
    ck_assert_double_eq(latency_layer(&model, &net.layer[0], net.layer[0].op), 3 + 2 * 96);
    ck_assert_double_eq(latency_net(&model, &net, &small), 7 + 195 + 116);
    ck_assert_double_eq(latency_net(&model, &net, &small_outside), 7 + 198 + 22 + 116); /* two rows come in */
    model.unit[0] = 0; /* there is no model */
    ck_assert_double_eq(latency_net(&model, &net, &small), 0);
}
END

/* ---- plans: what latency_features() derives, counted while the executor runs ---------------- */

/* Kernels have no context: what is counted, and for whom. */
static struct {
    const Lowered *lowered;
    const Net *net;
    double (*features)[N_FEATURES];
} counting;

static double columns_inside(const TbOp *op)
{
    double taps = 0;
    for (int x = 0; x < op->out_w; x++)
        for (int j = 0; j < op->kw; j++) {
            int c = x * op->sw - op->pad_left + j;
            taps += c >= 0 && c < op->in_w;
        }
    return taps;
}

/* Of a row's windows, inputs that fill no word. */
static double inputs_left(const TbOp *op)
{
    double left = 0;
    for (int x = 0; x < op->out_w; x++) {
        int taps = 0;
        for (int j = 0; j < op->kw; j++) {
            int c = x * op->sw - op->pad_left + j;
            taps += c >= 0 && c < op->in_w;
        }
        left += taps * op->in_c % 4;
    }
    return left;
}

static void count_row(const TbOp *op, const TbRows *rows, int step, double *f)
{
    bool mixes = step == OP_CONV || step == OP_POINTWISE || step == OP_DENSE;
    bool each = step == OP_ADD || step == OP_GATE || step == OP_LOOKUP || step == OP_SOFTMAX;
    int inside = 0, groups = op->out_c / 4 + (mixes ? (op->out_c % 4 + 1) / 2 : op->out_c % 4);
    int channels = step != OP_DEPTHWISE ? op->out_c
                   : op->out_c == op->in_c ? op->out_c + op->out_c % 4 : 2 * op->out_c;
    for (int k = 0; k < op->kh; k++)
        inside += rows->in[k] != NULL;
    double taps = inside * columns_inside(op);
    f[FEATURE_PIXEL] += op->out_w * (mixes || step == OP_DEPTHWISE ? inside * groups : 1);
    f[FEATURE_OUTPUT] += op->out_w * op->out_c;
    f[FEATURE_MAC] += each ? 0 : mixes ? taps * op->in_c * (op->out_c / 4 * 4 + 2.5 * ((op->out_c % 4 + 1) / 2)) : taps * channels;
    if (mixes)
        f[FEATURE_CALL] += inside * groups * inputs_left(op);
    else if (step == OP_DEPTHWISE)
        f[FEATURE_CALL] += groups;
    else
        f[FEATURE_CALL] += rows->y == 0;
}

/* Products of one weight for each of c outputs: four of one output that is made alone. */
static int fours_and_ones(int c)
{
    return c / 4 * 4 + c % 4 * 4;
}

/* Slides the window as tb_block.c does. */
static void count_block(const TbOp *op, const TbRows *rows, double *f)
{
    const TbOp *expand = op - 3, *depthwise = op - 2;
    int c = expand->out_c, kept = op->kw > op->sw ? op->kw - op->sw : 0, made = 0;
    while (made < op->block && rows->out[made])
        made++;
    int height = (made - 1) * op->sh + depthwise->kh;
    for (int x = 0; x < op->out_w; x++) {
        f[BLOCK_SLIDE] += height;
        f[BLOCK_MOVED] += height * kept * c * (c % 4 ? 4 : 1);
        f[BLOCK_OUTPUT] += made * (c + op->out_c);
        f[BLOCK_TAP] += made * c * depthwise->kh * depthwise->kw;
        f[BLOCK_MAC] += made * c * fours_and_ones(op->out_c);
        for (int i = 0; i < height; i++)
            for (int j = x > 0 ? kept : 0; j < op->kw; j++) {
                int k = x * op->sw - op->pad_left + j;
                bool inside = rows->in[i] && k >= 0 && k < op->in_w;
                f[BLOCK_OUTPUT] += inside ? c : 0;
                f[BLOCK_MAC] += inside ? fours_and_ones(c) * expand->in_c : 0;
            }
    }
}

/* What one call does is latency_pairs.c's to say; when it is called, and how wide, is seen here. */
static void count_pairs(const TbOp *op, int step, double *f)
{
    const Layer *l = &counting.net->layer[counting.lowered->op_from[op - counting.lowered->op].layer];
    PairsRow row = {0};
    double call[N_FEATURES];
    if (step == STEP_DEPTHWISE_PLANES) {
        planes_features(l, call);
    } else {
        pairs_row_add(&row, l, step, op->out_w);
        pairs_features(l, step, 1, &row, call);
    }
    for (int i = 0; i < N_FEATURES; i++)
        f[i] += call[i];
}

static void count_kernel(const TbOp *op, const TbRows *rows, void *scratch)
{
    int step = counting.lowered->op_from[op - counting.lowered->op].step;
    double *f = counting.features[step];
    (void)scratch;
    if (step == STEP_BLOCK) {
        count_block(op, rows, f);
        return;
    }
    if (step > STEP_BLOCK) {
        count_pairs(op, step, f);
        return;
    }
    f[FEATURE_ROW]++;
    if (step == STEP_COPY) {
        f[FEATURE_OUTPUT] += op->in_w * op->in_c;
    } else if (step == STEP_INPUT) {
        f[FEATURE_OUTPUT] += op->out_w * op->out_c;
    } else if (step == STEP_SUM_POOL) {
        f[FEATURE_OUTPUT] += op->in_c;
        f[FEATURE_MAC] += op->in_w * op->in_c;
    } else {
        count_row(op, rows, step, f);
    }
}

static void count_segment(const Lowered *x, int segment, LatencySample *sum)
{
    int8_t *arena = xcalloc(1, x->model.arena_bytes + 1);
    memset(sum, 0, sizeof *sum);
    counting.lowered = x;
    counting.features = sum->features;
    for (int s = 0; s < x->model.n_segments; s++)
        if (x->segment_from[s].segment == segment)
            tb_run_segment(&x->model, s, arena, NULL);
    free(arena);
}

static void check_plan(const PlanCase *c, const Plan *plan, double seen[N_STEPS])
{
    Lowered x;
    ck_assert_msg(lower(&c->q, plan, &x) == 0, "%s", error_text());
    for (int i = 0; i < x.model.n_ops; i++)
        x.op[i].kernel = count_kernel;
    for (int s = 0; s < plan->n_segments; s++) {
        LatencySample counted, derived;
        counting.net = &c->net;
        count_segment(&x, s, &counted);
        latency_features(&c->net, plan, s, &derived);
        for (int step = 0; step < N_STEPS; step++)
            for (int f = 0; f < N_FEATURES; f++) {
                double a = derived.features[step][f], b = counted.features[step][f];
                if (fabs(a - b) > 1e-9 * b) {
                    print_net(&c->net);
                    print_plan(&c->net, plan);
                    fflush(stdout); /* a test may end without */
                }
                ck_assert_msg(fabs(a - b) <= 1e-9 * b, "segment %d, step %d, feature %d: %g, counted %g", s, step, f,
                              a, b);
                seen[step] += b;
            }
    }
    lowered_release(&x);
}

TEST(pairs_work_in_tiles_of_four)
{
    Net net;
    double f[N_FEATURES];
    net_begin(&net, 5, 5, 6);
    net_pointwise(&net, net_depthwise(&net, NET_IMAGE, square(3), square(1), ACT_NONE), 8, ACT_NONE);
    layer_features(&net.layer[1], STEP_POINTWISE_PAIRS, f);
    ck_assert_double_eq(f[FEATURE_ROW], 1);
    ck_assert_double_eq(f[FEATURE_CALL], 7 * 2);
    ck_assert_double_eq_tol(f[FEATURE_PIXEL], (6 + 9.0 / 21) * 6, 1e-9); /* 25: the last has one */
    ck_assert_double_eq_tol(f[FEATURE_OUTPUT], (6 + 24.0 / 59) * 4, 1e-9);
    ck_assert_double_eq_tol(f[FEATURE_MAC], (6 + 3.75 / 12.2) * 4 * 3, 1e-9);
    layer_features(&net.layer[0], STEP_DEPTHWISE_PAIRS, f);
    ck_assert_double_eq(f[FEATURE_CALL], 5 * 6);
    ck_assert_double_eq(f[FEATURE_ROW], 5 * 6 * (3 + 2)); /* upright pairs, and two across */
    ck_assert_double_eq(f[FEATURE_OUTPUT], 5 * 2 * 6);
    ck_assert_double_eq(f[FEATURE_MAC], 5 * 2 * 6 * 4 * 5);
}
END

TEST(features_of_any_plan_are_what_the_executor_does)
{
    double seen[N_STEPS] = {0};
    for (int i = 0; i < 600; i++) {
        Rng rng = rng_make(11, (uint64_t)i);
        PlanCase c;
        Plan plan;
        ck_assert_msg(plan_case_init(&c, &rng) == 0, "%s", error_text());
        if (i % 2)
            made_plan(&c.net, &plan, &rng);
        else
            random_plan(&c.net, &plan, &rng);
        check_plan(&c, &plan, seen);
        plan_case_release(&c);
    }
    for (int step = 0; step < N_STEPS; step++)
        ck_assert_double_gt(seen[step], 0);
}
END

static Latency random_latency(Rng *rng)
{
    Latency l = {.unit = "cycles", .fixed = 100 * rng_uniform(rng)};
    for (int step = 0; step < N_STEPS; step++)
        for (int f = 0; f < N_FEATURES; f++)
            l.weight[step][f] = rng_uniform(rng);
    return l;
}

/* The three ways to ask: features and coefficients, layer by layer, the whole. */
TEST(a_plan_takes_what_its_segments_and_what_its_layers_take)
{
    for (int i = 0; i < 300; i++) {
        Rng rng = rng_make(12, (uint64_t)i);
        Latency model = random_latency(&rng);
        Net net;
        Plan plan;
        double segments = model.fixed, layers = model.fixed;
        random_chain(&net, &rng);
        random_plan(&net, &plan, &rng);
        for (int s = 0; s < plan.n_segments; s++) {
            LatencySample sample;
            latency_features(&net, &plan, s, &sample);
            for (int k = 0; k < N_STEPS * N_FEATURES; k++)
                segments += (&model.weight[0][0])[k] * (&sample.features[0][0])[k];
        }
        for (int l = 0; l < net.n_layers; l++)
            layers += latency_in_plan(&model, &net, &plan, l);
        double whole = latency_plan(&model, &net, &plan);
        ck_assert_double_eq_tol(segments / whole, 1, 1e-12);
        ck_assert_double_eq_tol(layers / whole, 1, 1e-12);
    }
}
END

/* Every kernel's instructions take two cycles, but an add's three. */
TEST(estimated_cycles_are_each_kernels_instructions_times_its_cycles)
{
    Net net;
    Plan plan;
    PlanOptions o = {.policy = POLICY_LAYERWISE, .small = true};
    Latency model = {.unit = "instructions", .fixed = 7};
    net_begin(&net, 2, 2, 3);
    net_pointwise(&net, NET_IMAGE, 8, ACT_NONE);
    net_add(&net, 0, 0);
    plan_make(&net, &o, &plan);
    model.weight[OP_POINTWISE][FEATURE_MAC] = 2;
    model.weight[OP_ADD][FEATURE_OUTPUT] = 0.5;
    model.cycles_per_instruction[OP_POINTWISE] = 2;
    ck_assert_double_eq(latency_cycles(&model, &net, &plan), 0); /* of adds nothing is known */
    model.cycles_per_instruction[OP_ADD] = 3;
    ck_assert_double_eq(latency_cycles(&model, &net, &plan), 7 + 2 * 192 + 3 * 16);
    ck_assert_double_eq(latency_plan(&model, &net, &plan), 7 + 192 + 16);
}
END

/* So the search, which makes no plan for them, asks for less. */
TEST(layer_by_layer_the_layers_alone_say_it)
{
    for (int i = 0; i < 400; i++) {
        Rng rng = rng_make(13, (uint64_t)i);
        Latency model = random_latency(&rng);
        Net net;
        Plan plan;
        PlanOptions o = {.policy = i % 2 ? POLICY_LAYERWISE : POLICY_INPLACE,
                         .image_outside = i / 2 % 2};
        random_chain(&net, &rng);
        plan_make(&net, &o, &plan);
        ck_assert_double_eq_tol(latency_net(&model, &net, &o) /
                                    latency_plan(&model, &net, &plan), 1, 1e-12);
    }
}
END

/* Nothing is computed twice, but a pointwise layer that streams is called for every row. */
TEST(streaming_costs_a_call_a_row)
{
    Net net;
    Plan stream;
    PlanOptions o = {.policy = POLICY_STREAM, .small = true};
    Latency model = {.unit = "cycles"};
    net_begin(&net, 20, 20, 3);
    int at = net_conv(&net, NET_IMAGE, 8, square(3), square(1), ACT_RELU6);
    at = net_pointwise(&net, at, 16, ACT_RELU6);
    net_pointwise(&net, net_depthwise(&net, at, square(3), square(2), ACT_RELU6), 8, ACT_NONE);
    plan_make(&net, &o, &stream);
    ck_assert_int_eq(stream.n_segments, 1);
    model.weight[OP_POINTWISE][FEATURE_MAC] = 2;
    ck_assert_double_eq(latency_plan(&model, &net, &stream), latency_net(&model, &net, &small));
    model.weight[OP_POINTWISE][FEATURE_ROW] = 50;
    ck_assert_double_eq(latency_plan(&model, &net, &stream),
                        latency_net(&model, &net, &small) + 50 * (19 + 9));
}
END

/* ---- the fit ------------------------------------------------------------------------------ */

enum { SAMPLES = 400 };

static LatencySample sample_of(const Layer *l)
{
    LatencySample s;
    memset(&s, 0, sizeof s);
    layer_features(l, l->op, s.features[l->op]);
    return s;
}

static double truth(const LatencySample *s, int op, const double w[N_FEATURES])
{
    double t = 0;
    for (int i = 0; i < N_FEATURES; i++)
        t += w[i] * s->features[op][i];
    return t;
}

TEST(the_fit_finds_the_coefficients_that_made_the_samples)
{
    static LatencySample sample[SAMPLES];
    const double w[N_FEATURES] = {150, 40, 12, 6.5, 1.75};
    Rng rng = rng_make(2, 0);
    Latency model = {.unit = "cycles"};
    for (int i = 0; i < SAMPLES; i++) {
        Layer l = layer_of(i % 2 ? OP_CONV : OP_DEPTHWISE, &rng);
        sample[i] = sample_of(&l);
        sample[i].measured = truth(&sample[i], l.op, w) * (i % 2 ? 1 : 3);
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
        double e = truth(&s[i], OP_CONV, w) / s[i].measured - 1;
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
            Layer l = layer_of(OP_CONV, &rng);
            sample[i] = sample_of(&l);
            double t = truth(&sample[i], OP_CONV, w) * (1 + 0.1 * rng_normal(&rng));
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
    Layer l = layer_of(OP_DENSE, &rng);
    double sum = 0, squares = 0; /* of 1 / measured: the one prediction x with least (x/m - 1)^2 */
    for (int i = 0; i < 9; i++) {
        sample[i] = sample_of(&l);
        sample[i].measured = 1000 + 100 * i;
        sum += 1 / sample[i].measured;
        squares += 1 / (sample[i].measured * sample[i].measured);
    }
    latency_fit(&model, sample, 9);
    ck_assert_mem_eq(model.weight[OP_ADD], before.weight[OP_ADD], sizeof model.weight[OP_ADD]);
    ck_assert_mem_eq(model.weight[OP_CONV], before.weight[OP_CONV], sizeof model.weight[OP_CONV]);
    ck_assert_double_eq_tol(latency_layer(&model, &l, l.op), sum / squares, 1e-6);
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
            Layer l = layer_of(OP_DENSE, &rng);
            sample[i] = sample_of(&l);
            sample[i].measured = truth(&sample[i], OP_DENSE, w);
        }
        latency_fit(&model, sample, n);
        for (int i = 0; i < n; i++)
            ck_assert_double_eq_tol(truth(&sample[i], OP_DENSE, model.weight[OP_DENSE]) /
                                        sample[i].measured, 1, 1e-3);
    }
}
END

/* Segments of several operators: each sample is a sum, and only together they tell. */
TEST(the_fit_takes_segments_apart)
{
    static LatencySample sample[SAMPLES];
    Rng rng = rng_make(6, 0);
    Latency real = random_latency(&rng), model = {.unit = "cycles"};
    for (int i = 0; i < SAMPLES; i++) {
        memset(&sample[i], 0, sizeof sample[i]);
        for (int n = 0; n < 4; n++) {
            int step = (int)rng_below(&rng, N_STEPS);
            for (int f = 0; f < N_FEATURES; f++) {
                double feature = exp(6 * rng_uniform(&rng));
                sample[i].features[step][f] += feature;
                sample[i].measured += real.weight[step][f] * feature;
            }
        }
    }
    latency_fit(&model, sample, SAMPLES);
    for (int step = 0; step < N_STEPS; step++)
        for (int f = 0; f < N_FEATURES; f++)
            ck_assert_double_eq_tol(model.weight[step][f], real.weight[step][f], 1e-6);
}
END

SUITE(latency, features_are_counted_tap_by_tap, a_3x3_convolution_loses_the_taps_beyond_its_border,
      a_network_takes_its_layers_and_what_is_fixed, pairs_work_in_tiles_of_four,
      features_of_any_plan_are_what_the_executor_does,
      a_plan_takes_what_its_segments_and_what_its_layers_take,
      estimated_cycles_are_each_kernels_instructions_times_its_cycles,
      layer_by_layer_the_layers_alone_say_it, streaming_costs_a_call_a_row,
      the_fit_finds_the_coefficients_that_made_the_samples,
      coefficients_are_not_negative_and_no_step_is_better,
      an_operator_without_samples_keeps_its_coefficients,
      features_that_cannot_be_told_apart_do_no_harm, the_fit_takes_segments_apart)
