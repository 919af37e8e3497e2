#include "base/hash.h"
#include "evaluator/host.h"
#include "tests/int8_nets.h"
#include "tests/suite.h"

#include <stddef.h>

/* What a layer on exact inputs may be off by: half an output step (a whole one
 * for pools and adds, which round more than once), and half a step of every weight. */
static double allowed_error(const QModel *q, const Model *m, int l, const double *input, int o)
{
    const Layer *layer = &q->net.layer[l];
    const LayerParams *p = &m->layer[l];
    double step = q->tensor[1 + l].scale, most = 0, x = 0;
    if (!op_has_weights((Op)layer->op))
        return 1.01 * step;
    size_t n_in = (size_t)layer->in_h * layer->in_w * layer->in_c;
    for (size_t i = 0; i < n_in; i++)
        x = fmax(x, fabs(input[i]));
    double gain = p->gamma ? p->gamma[o] / sqrt(p->var[o] + (double)NORM_EPSILON) : 1;
    for (int i = 0; i < layer->kh; i++)
        for (int j = 0; j < layer->kw; j++)
            for (int c = 0; c < n_channels(layer); c++)
                most = fmax(most, fabs(gain * p->w[at_weight(layer, o, i, j, c)]));
    int taps = layer->kh * layer->kw * n_channels(layer);
    return 0.501 * step + taps * x * most / 127 * 0.501;
}

static double mean_square_error(const QModel *q, int l, const int8_t *got, const double *expected)
{
    uint32_t n = net_tensor_bytes(&q->net, l);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        double real = (got[i] - q->tensor[1 + l].zero) * (double)q->tensor[1 + l].scale;
        sum += (real - expected[i]) * (real - expected[i]);
    }
    return sum / n;
}

/* Of a one-layer net on an exact image. An output beyond the calibrated range
 * by the nudging of the zero point may lose another half step. */
static void check_single_layer(const Net *net, Rng *rng)
{
    float lo[NET_MAX_LAYERS], hi[NET_MAX_LAYERS];
    Model m;
    QModel q;
    random_parameters(&m, net, rng);
    int8_t *image = random_image(net, rng);
    double **expected = calibrate(&m, image, lo, hi);
    ck_assert_msg(qmodel_make(&q, &m, lo, hi, IMAGE_SCALE, IMAGE_ZERO) == 0, "%s", error_text());
    int8_t **got = int8_run(&q, image);
    const Layer *l = &net->layer[0];
    for (int i = 0; i < l->out_h * l->out_w; i++)
        for (int o = 0; o < l->out_c; o++) {
            size_t at = (size_t)i * l->out_c + o;
            double real = (got[1][at] - q.tensor[1].zero) * (double)q.tensor[1].scale;
            double allowed = allowed_error(&q, &m, 0, expected[0], o) + 0.5 * q.tensor[1].scale;
            ck_assert_msg(fabs(real - expected[1][at]) <= allowed,
                          "%s: %g for %g, allowed error %g", op_name((Op)l->op), real,
                          expected[1][at], allowed);
        }
    int8_free(net, got);
    float_free(net, expected);
    qmodel_release(&q);
    model_release(&m);
    free(image);
}

TEST(one_layer_is_as_exact_as_its_steps_allow)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 2000; i++) {
        Net net;
        net_begin(&net, 1 + (int)rng_below(&rng, 7), 1 + (int)rng_below(&rng, 7),
                  1 + (int)rng_below(&rng, 5));
        switch (rng_below(&rng, 4)) {
        case 0:
            net_add(&net, NET_IMAGE, NET_IMAGE);
            break;
        case 1:
            net_dense(&net, NET_IMAGE, 5, (Act)rng_below(&rng, 3));
            break;
        default:
            random_layer(&net, NET_IMAGE, &rng);
        }
        check_single_layer(&net, &rng);
    }
}
END

/* MobileNet's kind of block: the error of every tensor stays a small share of its range. */
TEST(a_deep_network_stays_close_to_float)
{
    Rng rng = rng_make(2, 0);
    for (int i = 0; i < 20; i++) {
        Net net;
        net_begin(&net, 12, 12, 3);
        int at = net_conv(&net, NET_IMAGE, 8, square(3), square(1), ACT_RELU6);
        for (int b = 0; b < 3; b++) {
            BlockShape block = {.mid = 24, .out_c = 8, .kernel = square(b == 1 ? 5 : 3),
                                .stride = square(1), .residual = true, .expands = true};
            at = net_block(&net, at, &block);
        }
        net_dense(&net, net_global_pool(&net, at), 6, ACT_NONE);
        float lo[NET_MAX_LAYERS], hi[NET_MAX_LAYERS];
        Model m;
        QModel q;
        random_parameters(&m, &net, &rng);
        int8_t *image = random_image(&net, &rng);
        double **expected = calibrate(&m, image, lo, hi);
        ck_assert(qmodel_make(&q, &m, lo, hi, IMAGE_SCALE, IMAGE_ZERO) == 0);
        int8_t **got = int8_run(&q, image);
        for (int l = 0; l < net.n_layers; l++) {
            double range = fmax(hi[l], 0) - fmin(lo[l], 0);
            double error = sqrt(mean_square_error(&q, l, got[1 + l], expected[1 + l]));
            ck_assert_msg(error < 0.03 * range, "layer %d: %g of %g", l, error, range);
        }
        int8_free(&net, got);
        float_free(&net, expected);
        qmodel_release(&q);
        model_release(&m);
        free(image);
    }
}
END

TEST(multipliers_are_those_worked_out_by_hand)
{
    static const struct {
        double real;
        int32_t multiplier;
        int8_t shift;
    } known[] = {
        {0, 0, 0},
        {1, 1 << 30, 1},
        {0.5, 1 << 30, 0},
        {0.75, 3 << 29, 0},
        {3, 3 << 29, 2},
        {0.001, 1099511628, -9}, /* 0.001 * 2^9 = 0.512; times 2^31 */
        {1 - 0x1p-40, 1 << 30, 1}, /* rounds up to a power of two */
        {0x1p-32, 1 << 30, -31},
        {0x1p-33, 0, 0}, /* half of nothing */
        {0x1p31, INT32_MAX, 30},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int32_t multiplier;
        int8_t shift;
        quantize_multiplier(known[i].real, &multiplier, &shift);
        ck_assert_int_eq(multiplier, known[i].multiplier);
        ck_assert_int_eq(shift, known[i].shift);
    }
}
END

TEST(multipliers_have_31_bits)
{
    Rng rng = rng_make(3, 0);
    for (int i = 0; i < 100000; i++) {
        double real = ldexp(0.5 + rng_uniform(&rng) / 2, (int)rng_below(&rng, 60) - 30);
        int32_t multiplier;
        int8_t shift;
        quantize_multiplier(real, &multiplier, &shift);
        ck_assert_int_ge(multiplier, 1 << 30);
        ck_assert_double_le(fabs(ldexp(multiplier, shift - 31) / real - 1), 0x1p-31);
    }
}
END

/* One 1x1 layer, one channel in and out: y = w * x + b, so every number can be seen. */
static Model line(float w, float gamma, float beta, float mean, float var, Act act)
{
    Net net;
    Model m;
    net_begin(&net, 1, 1, 1);
    net_pointwise(&net, NET_IMAGE, 1, act);
    model_init(&m, &net);
    m.layer[0].w[0] = w;
    m.layer[0].gamma[0] = gamma;
    m.layer[0].beta[0] = beta;
    m.layer[0].mean[0] = mean;
    m.layer[0].var[0] = var;
    return m;
}

TEST(the_numbers_of_a_line_are_those_worked_out_by_hand)
{
    /* sqrt(4 - eps + eps) = 2: folded w = 3 / 2 * 2 = 3, b = 1 - 0.5 * 3 / 2 = 0.25 */
    Model m = line(2, 3, 1, 0.5f, 4 - NORM_EPSILON, ACT_NONE);
    float lo = -25.6f, hi = 25.4f;
    QModel q;
    ck_assert(qmodel_make(&q, &m, &lo, &hi, 0.5f, 10) == 0);
    ck_assert_int_eq(q.layer[0].weights[0], 127);
    ck_assert_int_eq(q.layer[0].bias[0], (int)lround(0.25 / (0.5 * 3 / 127)));
    ck_assert_float_eq_tol(q.tensor[1].scale, 0.2f, 1e-6f);
    ck_assert_int_eq(q.tensor[1].zero, 0);
    ck_assert_int_eq(q.layer[0].act_min, -128);
    ck_assert_int_eq(q.layer[0].act_max, 127);
    double real = ldexp(q.layer[0].multiplier[0], q.layer[0].shift[0] - 31);
    ck_assert_double_eq_tol(real, 0.5 * 3 / 127 / 0.2, 1e-6);
    qmodel_release(&q);
    model_release(&m);
}
END

TEST(activations_use_the_calibrated_range_up_to_their_end)
{
    Model m = line(1, 1, 0, 0, 1, ACT_RELU6);
    QModel q;
    float lo = 0, hi = 9; /* beyond 6 */
    ck_assert(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0) == 0);
    ck_assert_float_eq_tol(q.tensor[1].scale, 6.0f / 255, 1e-7f);
    ck_assert_int_eq(q.tensor[1].zero, -128);
    ck_assert_int_eq(q.layer[0].act_min, -128);
    ck_assert_int_eq(q.layer[0].act_max, 127);
    qmodel_release(&q);
    hi = 2.55f;
    ck_assert(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0) == 0);
    ck_assert_float_eq_tol(q.tensor[1].scale, 0.01f, 1e-7f);
    ck_assert_int_eq(q.layer[0].act_max, 127);
    qmodel_release(&q);
    model_release(&m);
    m = line(1, 1, 0, 0, 1, ACT_NONE);
    lo = 3; /* widened to 0 */
    hi = 51;
    ck_assert(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0) == 0);
    ck_assert_float_eq_tol(q.tensor[1].scale, 0.2f, 1e-6f);
    ck_assert_int_eq(q.tensor[1].zero, -128);
    qmodel_release(&q);
    model_release(&m);
}
END

/* The bytes that leave: bias alone, when the weights are nothing, tiny or enormous. */
TEST(a_channel_without_weights_gives_its_bias)
{
    static const float weight[] = {0, 1e-30f, 1e-12f, 1e-7f};
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++) {
        Model m = line(weight[i], 1, 3.25f, 0, 1, ACT_NONE);
        float lo = -5, hi = 5;
        QModel q;
        ck_assert(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0) == 0);
        for (int x = -128; x < 128; x++) {
            int8_t image = (int8_t)x, **t = int8_run(&q, &image);
            double real = (t[1][0] - q.tensor[1].zero) * (double)q.tensor[1].scale;
            ck_assert_double_le(fabs(real - 3.25), 0.51 * q.tensor[1].scale);
            int8_free(&q.net, t);
        }
        qmodel_release(&q);
        model_release(&m);
    }
}
END

/* A layer that is 0 on every calibration image, with any weights: no accumulator times
 * 2^shift leaves 32 bits. */
TEST(a_dead_layer_does_not_overflow)
{
    static const float weight[] = {0, 1e-20f, 1, 1e6f, 1e20f}, bias[] = {0, -1, -1e10f, 1e-20f};
    for (int i = 0; i < 20; i++) {
        Model m = line(weight[i / 4], 1, bias[i % 4], 0, 1, ACT_RELU);
        float lo = 0, hi = 0;
        QModel q;
        ck_assert_msg(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0) == 0, "%s", error_text());
        const QLayer *t = &q.layer[0];
        double most = fabs((double)t->bias[0]) + 255 * abs(t->weights[0]);
        ck_assert_double_lt(ldexp(most, t->shift[0] > 0 ? t->shift[0] : 0), 0x1p31);
        qmodel_release(&q);
        model_release(&m);
    }
}
END

TEST(what_is_not_finite_is_refused)
{
    QModel q;
    float lo = -1, hi = INFINITY;
    Model m = line(1, 1, 0, 0, 1, ACT_NONE);
    ck_assert_int_eq(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0), -1);
    hi = NAN;
    ck_assert_int_eq(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0), -1);
    hi = 1;
    ck_assert_int_eq(qmodel_make(&q, &m, &lo, &hi, 0, 0), -1);
    ck_assert_int_eq(qmodel_make(&q, &m, &lo, &hi, 0.1f, 128), -1);
    m.layer[0].w[0] = NAN;
    ck_assert_int_eq(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0), -1);
    m.layer[0].w[0] = 1;
    m.layer[0].var[0] = -2; /* no such variance */
    ck_assert_int_eq(qmodel_make(&q, &m, &lo, &hi, 0.1f, 0), -1);
    ck_assert_str_ne(error_text(), "");
    model_release(&m);
}
END

/* ---- bytes ----------------------------------------------------------------------------------- */

/* There is a byte of padding between the small fields and the shapes. */
static bool same_net(const Net *a, const Net *b)
{
    const size_t shapes = offsetof(Layer, in_h);
    bool same = a->h == b->h && a->w == b->w && a->c == b->c && a->n_layers == b->n_layers;
    for (int l = 0; same && l < a->n_layers; l++)
        same = memcmp(&a->layer[l], &b->layer[l], offsetof(Layer, pad_left) + 1) == 0 &&
               memcmp(&a->layer[l].in_h, &b->layer[l].in_h, sizeof(Layer) - shapes) == 0;
    return same;
}

static bool same_tables(const QModel *a, const QModel *b)
{
    bool same = same_net(&a->net, &b->net);
    for (int t = 0; same && t <= a->net.n_layers; t++)
        same = a->tensor[t].scale == b->tensor[t].scale && a->tensor[t].zero == b->tensor[t].zero;
    for (int l = 0; same && l < a->net.n_layers; l++) {
        const Layer *layer = &a->net.layer[l];
        const QLayer *x = &a->layer[l], *y = &b->layer[l];
        size_t n = (size_t)qmodel_multipliers(layer), c = x->bias ? layer->out_c : 0;
        same = x->act_min == y->act_min && x->act_max == y->act_max && !x->bias == !y->bias &&
               (c == 0 || memcmp(x->bias, y->bias, 4 * c) == 0) && !x->weights == !y->weights &&
               (!x->weights || memcmp(x->weights, y->weights, layer_constants(layer)) == 0) &&
               (n == 0 || (memcmp(x->multiplier, y->multiplier, 4 * n) == 0 &&
                           memcmp(x->shift, y->shift, n) == 0));
    }
    return same;
}

/* The operators that only imported models have: a depthwise of two outputs a channel and
 * squeeze-and-excite, then a mean and a softmax. */
static void imported(QModel *q, Rng *rng)
{
    Net net;
    net_begin(&net, 1 + (int)rng_below(rng, 6), 1 + (int)rng_below(rng, 6), 3);
    int at = net_depthwise(&net, NET_IMAGE, square(3), square(1), ACT_RELU);
    net.layer[at].out_c = 6;
    int gate = net_lookup(&net, net_pointwise(&net, net_mean(&net, at, true, true), 6, ACT_NONE));
    at = net_softmax(&net, net_mean(&net, net_gate(&net, at, gate), true, rng_below(rng, 2)));
    qmodel_init(q, &net);
    for (int l = 0; l < net.n_layers; l++) {
        const Layer *layer = &net.layer[l];
        bool softmax = layer->op == OP_SOFTMAX;
        for (uint32_t i = 0; i < layer_constants(layer); i++)
            q->layer[l].weights[i] = (int8_t)((int)rng_below(rng, 256) - 128);
        for (int i = 0; i < qmodel_multipliers(layer); i++)
            quantize_multiplier(softmax ? 1 << 21 : rng_uniform(rng), &q->layer[l].multiplier[i],
                                &q->layer[l].shift[i]);
        q->tensor[1 + l].zero = (int8_t)((int)rng_below(rng, 256) - 128);
    }
}

static void random_saved(QModel *q, uint64_t seed)
{
    Rng rng = rng_make(seed, 7);
    Net net;
    if (seed % 3 == 1) {
        imported(q, &rng);
        return;
    }
    random_net(&net, &rng);
    int8_t *image = random_image(&net, &rng);
    ck_assert_msg(random_qmodel(q, &net, image, &rng) == 0, "%s", error_text());
    free(image);
}

TEST(what_is_saved_is_loaded)
{
    for (uint64_t i = 0; i < 200; i++) {
        QModel q, back;
        size_t size;
        random_saved(&q, i);
        void *bytes = qmodel_save(&q, &size);
        ck_assert_msg(qmodel_load(&back, bytes, size) == 0, "%s", error_text());
        ck_assert(same_tables(&q, &back));
        free(bytes);
        qmodel_release(&q);
        qmodel_release(&back);
    }
}
END

/* The format is the same on every machine: these are its first bytes. */
TEST(the_bytes_are_little_endian)
{
    QModel q;
    size_t size;
    Model m = line(1, 1, 0, 0, 1, ACT_NONE);
    float lo = -1, hi = 1;
    ck_assert(qmodel_make(&q, &m, &lo, &hi, 0.5f, 3) == 0);
    unsigned char *b = qmodel_save(&q, &size);
    ck_assert_uint_eq(size, 24 + 8 + 27 + 2 * 5 + 2 + 4 + 4 + 1 + 1);
    ck_assert(memcmp(b, "thimbleQ\1\0\0\0", 12) == 0);
    ck_assert_uint_eq(b[12], size - 24);
    ck_assert(memcmp(b + 24, "\1\0\1\0\1\0\1\0", 8) == 0);
    ck_assert(memcmp(b + 24 + 8 + 27, "\0\0\0\x3f\3", 5) == 0); /* 0.5f, zero 3 */
    free(b);
    qmodel_release(&q);
    model_release(&m);
}
END

/* Between canaries, and under UBSan every sum and shift is watched. */
static void can_run(const QModel *q)
{
    Rng rng = rng_make(8, 0);
    int8_t *image = random_image(&q->net, &rng);
    int8_t *output = xmalloc(net_tensor_bytes(&q->net, q->net.n_layers - 1));
    Plan plan;
    uint32_t touched;
    plan_make(&q->net, &(PlanOptions){.policy = POLICY_INPLACE}, &plan);
    ck_assert_msg(host_run(q, &plan, image, output, &touched) == 0, "%s", error_text());
    free(image);
    free(output);
}

/* Loads from a block of exactly `size` bytes, so that ASan sees a read beyond it;
 * what is accepted is run. */
static int load_exactly(const unsigned char *bytes, size_t size)
{
    QModel q;
    unsigned char *block = malloc(size ? size : 1);
    memcpy(block, bytes, size);
    int status = qmodel_load(&q, block, size);
    free(block);
    if (status == 0) {
        can_run(&q);
        qmodel_release(&q);
    }
    return status;
}

TEST(a_truncated_or_altered_model_is_refused)
{
    Rng rng = rng_make(9, 0);
    QModel q;
    size_t size;
    random_saved(&q, 3);
    unsigned char *bytes = qmodel_save(&q, &size);
    for (size_t n = 0; n < size; n += 1 + n / 40)
        ck_assert_int_eq(load_exactly(bytes, n), -1);
    for (int i = 0; i < 3000; i++) {
        size_t at = rng_below(&rng, (uint32_t)size);
        unsigned char flip = (unsigned char)(1u << rng_below(&rng, 8));
        bytes[at] ^= flip;
        ck_assert_int_eq(load_exactly(bytes, size), -1);
        bytes[at] ^= flip;
    }
    ck_assert_int_eq(load_exactly(bytes, size), 0);
    free(bytes);
    qmodel_release(&q);
}
END

/* Length and checksum made right again: now only the checks of the contents stand. */
static void seal(unsigned char *bytes, size_t size)
{
    uint64_t body = size - 24, hash = hash_bytes(HASH_START, bytes + 24, body);
    for (int i = 0; i < 4; i++)
        bytes[12 + i] = (unsigned char)(body >> (8 * i));
    for (int i = 0; i < 8; i++)
        bytes[16 + i] = (unsigned char)(hash >> (8 * i));
}

TEST(hostile_bytes_with_a_right_checksum_do_no_harm)
{
    Rng rng = rng_make(10, 0);
    int accepted = 0;
    for (int i = 0; i < 20000; i++) {
        QModel q;
        size_t size;
        if (i % 100 == 0)
            random_saved(&q, (uint64_t)i);
        unsigned char *bytes = qmodel_save(&q, &size);
        size_t head = 24 + 8 + 27 * (size_t)q.net.n_layers;
        for (int k = 1 + (int)rng_below(&rng, 4); k > 0; k--) { /* mostly where shapes are */
            size_t end = rng_below(&rng, 4) ? head : size;
            bytes[24 + rng_below(&rng, (uint32_t)(end - 24))] = (unsigned char)rng_next(&rng);
        }
        size_t n = rng_below(&rng, 3) ? size : 24 + rng_below(&rng, (uint32_t)(size - 24));
        seal(bytes, n);
        accepted += load_exactly(bytes, n) == 0;
        free(bytes);
        if (i % 100 == 99)
            qmodel_release(&q);
    }
    ck_assert_int_lt(accepted, 20000); /* a changed weight is still a model */
    ck_assert_int_gt(accepted, 0);
}
END

/* One wrong field each, saved as they are: net_check() has a sentence for each. */
TEST(a_layer_of_an_impossible_shape_is_refused)
{
    static const char *const said[] = {"through a window of 2 x 1", "an output of 1 x 1",
                                       "unknown activation", "stride 3 x 2", "stride 1 x 2",
                                       "through a window of 3 x 2"};
    for (int i = 0; i < 7; i++) {
        Net net;
        QModel q;
        size_t size;
        net_begin(&net, 6, 6, 2);
        int pool = net_pool(&net, OP_AVG_POOL, NET_IMAGE, square(2), square(2));
        int add = net_add(&net, net_pointwise(&net, pool, 2, ACT_NONE), pool);
        int last = net_dense(&net, net_global_pool(&net, add), 3, ACT_NONE);
        Layer *l = net.layer;
        if (i == 0)
            l[last].kh = 2;
        else if (i == 1)
            l[last].out_w = 2;
        else if (i == 2)
            l[last].act = 3;
        else if (i == 3) /* a third row of windows begins below the image */
            l[pool].sh = 3;
        else if (i == 4)
            l[add].sw = 2;
        else if (i == 5)
            l[last - 1].kw = 2;
        qmodel_init(&q, &net);
        unsigned char *bytes = qmodel_save(&q, &size);
        ck_assert_int_eq(load_exactly(bytes, size), i == 6 ? 0 : -1);
        if (i < 6)
            ck_assert_msg(strstr(error_text(), said[i]) != NULL, "%s", error_text());
        free(bytes);
        qmodel_release(&q);
    }
}
END

/* A dense layer of 2 x 2 x 4, whose weights are all 127: 255 * 16 * 127 and the bias. */
TEST(sums_beyond_32_bits_are_refused)
{
    const int32_t most = 255 * 16 * 127;
    for (int i = 0; i < 4; i++) {
        Net net;
        QModel q;
        size_t size;
        net_begin(&net, 2, 2, 4);
        net_add(&net, NET_IMAGE, NET_IMAGE);
        net_dense(&net, 0, 3, ACT_NONE);
        qmodel_init(&q, &net);
        memset(q.layer[1].weights, i % 2 ? -127 : 127, 3 * 16);
        q.layer[1].bias[2] = i == 0 ? INT32_MAX - most : i == 1 ? most - INT32_MAX : INT32_MIN;
        q.layer[1].shift[2] = 30;
        q.layer[1].multiplier[2] = INT32_MAX;
        q.layer[0].shift[1] = i == 3;
        unsigned char *bytes = qmodel_save(&q, &size);
        ck_assert_int_eq(load_exactly(bytes, size), i < 2 ? 0 : -1);
        if (i >= 2)
            ck_assert_ptr_nonnull(strstr(error_text(), i == 2 ? "channel 2" : "wrong multiplier"));
        free(bytes);
        qmodel_release(&q);
    }
}
END

/* A softmax shifts to the left by up to 31 and counts 4095 channels. */
TEST(a_softmax_beyond_its_fixed_point_is_refused)
{
    static const struct {
        int channels, shift;
        const char *said;
    } wrong[] = {{4095, 31, NULL}, {4096, 0, "at most 4095"}, {9, -1, "multiplier"},
                 {9, 32, "multiplier"}};
    for (int i = 0; i < 4; i++) {
        Net net;
        QModel q;
        size_t size;
        net_begin(&net, 1, 1, wrong[i].channels);
        net_softmax(&net, NET_IMAGE);
        qmodel_init(&q, &net);
        q.layer[0].multiplier[0] = 1 << 30;
        q.layer[0].shift[0] = (int8_t)wrong[i].shift;
        unsigned char *bytes = qmodel_save(&q, &size);
        ck_assert_int_eq(load_exactly(bytes, size), wrong[i].said ? -1 : 0);
        if (wrong[i].said)
            ck_assert_msg(strstr(error_text(), wrong[i].said) != NULL, "%s", error_text());
        free(bytes);
        qmodel_release(&q);
    }
}
END

SUITE(qmodel, one_layer_is_as_exact_as_its_steps_allow, a_deep_network_stays_close_to_float,
      multipliers_are_those_worked_out_by_hand, multipliers_have_31_bits,
      the_numbers_of_a_line_are_those_worked_out_by_hand,
      activations_use_the_calibrated_range_up_to_their_end,
      a_channel_without_weights_gives_its_bias, a_dead_layer_does_not_overflow,
      what_is_not_finite_is_refused, what_is_saved_is_loaded, the_bytes_are_little_endian,
      a_truncated_or_altered_model_is_refused, hostile_bytes_with_a_right_checksum_do_no_harm,
      a_layer_of_an_impossible_shape_is_refused, sums_beyond_32_bits_are_refused,
      a_softmax_beyond_its_fixed_point_is_refused)
