#include "nn/pass.h"

#include "base/alloc.h"
#include "network/net.h"

#include "tests/suite.h"

#include <math.h>
#include <string.h>

/* ---- a slow, obvious forward pass in double ---- */

typedef struct {
    const Net *net;
    int n;
    bool batch_stats;
    double *params, *stats; /* the model's, in its places; batch_stats writes stats */
    double *value[NET_MAX_LAYERS];
} Slow;

static size_t floats_of(const Layer *l)
{
    return (size_t)l->out_h * l->out_w * l->out_c;
}

static Slow slow_new(const Model *m, int n, bool batch_stats)
{
    Slow s = {.net = &m->net, .n = n, .batch_stats = batch_stats};
    s.params = xcalloc(m->n_params + 1, sizeof(double));
    s.stats = xcalloc(m->n_stats + 1, sizeof(double));
    for (size_t i = 0; i < m->n_params; i++)
        s.params[i] = (double)m->params[i];
    for (size_t i = 0; i < m->n_stats; i++)
        s.stats[i] = (double)m->stats[i];
    for (int i = 0; i < m->net.n_layers; i++)
        s.value[i] = xcalloc((size_t)n * floats_of(&m->net.layer[i]), sizeof(double));
    return s;
}

static void slow_free(Slow *s)
{
    for (int i = 0; i < s->net->n_layers; i++)
        free(s->value[i]);
    free(s->params);
    free(s->stats);
}

typedef struct {
    const float *images;
    const double *value;
    int h, w, c;
} Source; /* an image batch or an earlier layer */

static Source source_of(const Slow *s, const float *images, int layer)
{
    if (layer == NET_IMAGE)
        return (Source){images, NULL, s->net->h, s->net->w, s->net->c};
    const Layer *l = &s->net->layer[layer];
    return (Source){NULL, s->value[layer], l->out_h, l->out_w, l->out_c};
}

static double at(Source s, int i, int y, int x, int c)
{
    size_t k = (((size_t)i * (size_t)s.h + (size_t)y) * (size_t)s.w + (size_t)x) * (size_t)s.c +
               (size_t)c;
    return s.images ? (double)s.images[k] : s.value[k];
}

static double slow_output(const Layer *l, Source in, Source in2, const double *w, int i, int oy,
                          int ox, int o)
{
    double sum = 0, most = -INFINITY;
    int taps = 0;
    if (l->op == OP_ADD)
        return at(in, i, oy, ox, o) + at(in2, i, oy, ox, o);
    for (int ky = 0; ky < l->kh; ky++)
        for (int kx = 0; kx < l->kw; kx++) {
            int y = oy * l->sh - l->pad_top + ky, x = ox * l->sw - l->pad_left + kx;
            int tap = ky * l->kw + kx;
            if (y < 0 || y >= in.h || x < 0 || x >= in.w)
                continue;
            taps++;
            if (l->op == OP_DEPTHWISE) {
                sum += at(in, i, y, x, o) * w[tap * in.c + o];
            } else if (op_has_weights((Op)l->op)) {
                for (int c = 0; c < in.c; c++)
                    sum += at(in, i, y, x, c) * w[(o * l->kh * l->kw + tap) * in.c + c];
            } else {
                sum += at(in, i, y, x, o);
                most = fmax(most, at(in, i, y, x, o));
            }
        }
    return l->op == OP_MAX_POOL ? most : op_has_weights((Op)l->op) ? sum : sum / taps;
}

static void slow_norm(const Slow *s, const Model *m, int layer)
{
    const Layer *l = &s->net->layer[layer];
    const LayerParams *p = &m->layer[layer];
    double *value = s->value[layer];
    size_t c = l->out_c, n = (size_t)s->n * floats_of(l);
    for (size_t o = 0; o < c; o++) {
        double *mean = s->stats + (p->mean - m->stats) + o;
        double *var = s->stats + (p->var - m->stats) + o;
        double count = (double)(n / c), biased = *var;
        if (s->batch_stats) {
            *mean = biased = 0;
            for (size_t i = o; i < n; i += c)
                *mean += value[i] / count;
            for (size_t i = o; i < n; i += c)
                biased += (value[i] - *mean) * (value[i] - *mean) / count;
            *var = count > 1 ? biased * count / (count - 1) : biased;
        }
        double gamma = s->params[p->gamma - m->params + (ptrdiff_t)o];
        double beta = s->params[p->beta - m->params + (ptrdiff_t)o];
        for (size_t i = o; i < n; i += c)
            value[i] = (value[i] - *mean) / sqrt(biased + (double)NORM_EPSILON) * gamma + beta;
    }
}

static void slow_layer(const Slow *s, const Model *m, const float *images, int layer)
{
    const Layer *l = &s->net->layer[layer];
    const LayerParams *p = &m->layer[layer];
    Source in = source_of(s, images, l->input), in2 = {0};
    const double *w = p->w ? s->params + (p->w - m->params) : NULL;
    double *out = s->value[layer];
    if (l->op == OP_ADD)
        in2 = source_of(s, images, l->input2);
    for (int i = 0; i < s->n; i++)
        for (int oy = 0; oy < l->out_h; oy++)
            for (int ox = 0; ox < l->out_w; ox++)
                for (int o = 0; o < l->out_c; o++)
                    *out++ = slow_output(l, in, in2, w, i, oy, ox, o) +
                             (p->bias ? s->params[p->bias - m->params + o] : 0);
    if (p->gamma)
        slow_norm(s, m, layer);
    for (double *v = s->value[layer]; v < out; v++)
        *v = l->act == ACT_NONE ? *v : fmin(fmax(*v, 0), l->act == ACT_RELU ? INFINITY : 6);
}

static const double *slow_forward(const Slow *s, const Model *m, const float *images)
{
    for (int i = 0; i < s->net->n_layers; i++)
        slow_layer(s, m, images, i);
    return s->value[s->net->n_layers - 1];
}

static double slow_loss(const Slow *s, const Model *m, const Lesson *lesson)
{
    const double *logits = slow_forward(s, m, lesson->images);
    int classes = net_output(s->net)->out_c;
    double loss = 0;
    for (int i = 0; i < s->n; i++, logits += classes) {
        double sum = 0;
        for (int j = 0; j < classes; j++)
            sum += exp(logits[j]);
        for (int j = 0; j < classes; j++) {
            double smoothing = lesson->label_smoothing, target = smoothing / classes;
            target += j == lesson->labels[i] ? 1 - smoothing : 0;
            if (lesson->teacher)
                target = (double)lesson->teacher[i * classes + j];
            loss -= target * (logits[j] - log(sum)) / s->n;
        }
    }
    return loss;
}

/* ---- a network with a batch ---- */

enum { CLASSES = 5 };

typedef struct {
    Model model, grad;
    Workspace *ws;
    float *images;
    int *labels, n;
    Rng rng;
} Case;

static size_t image_floats(const Net *net)
{
    return (size_t)net->h * net->w * net->c;
}

/* Norms far from the identity, so that both ends of a RELU6 are met. */
static void disturb(Model *m, Rng *rng)
{
    for (int i = 0; i < m->net.n_layers; i++) {
        LayerParams *p = &m->layer[i];
        uint32_t n = layer_weights(&m->net.layer[i]);
        for (int o = 0; o < m->net.layer[i].out_c; o++) {
            if (p->gamma) {
                p->gamma[o] = (float)(0.5 + 3 * rng_uniform(rng));
                p->beta[o] = (float)(1 + 2 * rng_normal(rng));
                p->mean[o] = (float)rng_normal(rng);
                p->var[o] = (float)(0.2 + 2 * rng_uniform(rng));
            }
            if (p->bias)
                p->bias[o] = (float)rng_normal(rng);
        }
        if (p->bias)
            for (uint32_t j = 0; j < n; j++)
                p->w[j] = (float)(rng_normal(rng) / sqrt(n / m->net.layer[i].out_c));
    }
}

static void case_init(Case *c, const Net *net, int n, uint64_t seed)
{
    ck_assert_msg(net_check(net) == 0, "%s", error_text());
    *c = (Case){.ws = workspace_new(), .n = n, .rng = rng_make(seed, 7)};
    model_init(&c->model, net);
    model_init(&c->grad, net);
    model_randomise(&c->model, &c->rng);
    disturb(&c->model, &c->rng);
    c->images = xmalloc((size_t)n * image_floats(net) * sizeof(float));
    c->labels = xmalloc((size_t)n * sizeof(int));
    for (size_t i = 0; i < (size_t)n * image_floats(net); i++)
        c->images[i] = (float)rng_normal(&c->rng);
    for (int i = 0; i < n; i++)
        c->labels[i] = (int)rng_below(&c->rng, net_output(net)->out_c);
}

static Lesson lesson_of(const Case *c, double smoothing)
{
    return (Lesson){
        .images = c->images, .labels = c->labels, .n = c->n, .label_smoothing = smoothing};
}

static void case_release(Case *c)
{
    model_release(&c->model);
    model_release(&c->grad);
    workspace_free(c->ws);
    free(c->images);
    free(c->labels);
}

/* Largest gradient of a layer: what an error in it is measured by. */
static double largest_of(const Model *grad, size_t param)
{
    double most = 0;
    for (int i = 0; i < grad->net.n_layers; i++) {
        const float *w = grad->layer[i].w;
        if (!w || param < (size_t)(w - grad->params))
            continue;
        size_t n = layer_weights(&grad->net.layer[i]) +
                   (grad->layer[i].bias ? 1u : 2u) * grad->net.layer[i].out_c;
        most = 0;
        for (size_t j = 0; j < n; j++)
            most = fmax(most, fabs((double)w[j]));
    }
    return most;
}

/* Central differences of the slow loss by one parameter. */
static double difference(Case *c, const Slow *s, size_t param, const Lesson *lesson, double h)
{
    double kept = s->params[param];
    s->params[param] = kept + h;
    double more = slow_loss(s, &c->model, lesson);
    s->params[param] = kept - h;
    double less = slow_loss(s, &c->model, lesson);
    s->params[param] = kept;
    return (more - less) / (2 * h);
}

static void check_one_gradient(Case *c, const Slow *s, size_t param, const Lesson *lesson)
{
    double found = (double)c->grad.params[param];
    double tolerance = 1e-3 * largest_of(&c->grad, param) + 2e-6;
    double wanted = difference(c, s, param, lesson, 1e-6);
    if (fabs(found - wanted) > tolerance) /* a kink within 1e-6? not within 1e-8 as well */
        wanted = difference(c, s, param, lesson, 1e-8);
    ck_assert_msg(fabs(found - wanted) <= tolerance, "parameter %zu of %zu: %g, differences say %g",
                  param, c->model.n_params, found, wanted);
}

/* Loss and statistics against the slow pass, then gradients of `some` parameters (or all). */
static void check_lesson(Case *c, size_t some, const Lesson *lesson)
{
    Slow s = slow_new(&c->model, c->n, true);
    double loss = nn_train_pass(&c->model, c->ws, lesson, &c->grad, NULL);
    double wanted = slow_loss(&s, &c->model, lesson);
    ck_assert_msg(fabs(loss - wanted) <= 1e-4 * (1 + fabs(wanted)), "loss %g, slow %g", loss,
                  wanted);
    for (size_t i = 0; i < c->model.n_stats; i++)
        ck_assert_msg(fabs((double)c->grad.stats[i] - s.stats[i]) <= 1e-3 * (1 + fabs(s.stats[i])),
                      "statistic %zu: %g, slow %g", i, (double)c->grad.stats[i], s.stats[i]);
    for (size_t i = 0; i < (some < c->model.n_params ? some : c->model.n_params); i++) {
        size_t param = some < c->model.n_params
                           ? rng_below(&c->rng, (uint32_t)c->model.n_params)
                           : i;
        check_one_gradient(c, &s, param, lesson);
    }
    slow_free(&s);
}

static void check_gradients(Case *c, size_t some, double smoothing)
{
    Lesson lesson = lesson_of(c, smoothing);
    check_lesson(c, some, &lesson);
}

static void gradients_of(const Net *net, int n, size_t some, uint64_t seed)
{
    Case c;
    case_init(&c, net, n, seed);
    check_gradients(&c, some, 0.1);
    case_release(&c);
}

static Size2 size(int h, int w)
{
    return (Size2){(uint8_t)h, (uint8_t)w};
}

static void finish(Net *net, int at)
{
    net_dense(net, net_global_pool(net, at), CLASSES, ACT_NONE);
}

/* ---- gradients ---- */

TEST(gradients_of_a_plain_convolution_agree_with_differences)
{
    Net net;
    net_begin(&net, 7, 6, 3);
    int a = net_conv(&net, NET_IMAGE, 5, size(3, 5), size(2, 1), ACT_RELU);
    finish(&net, net_conv(&net, a, 9, size(2, 3), size(1, 2), ACT_RELU6));
    gradients_of(&net, 3, 10000, 1);
}
END

TEST(gradients_of_inverted_bottlenecks_agree_with_differences)
{
    Net net;
    net_begin(&net, 9, 8, 3);
    int a = net_conv(&net, NET_IMAGE, 8, square(3), square(2), ACT_RELU6);
    a = net_block(&net, a, &(BlockShape){.mid = 24, .out_c = 8, .kernel = square(5),
                                         .stride = square(1), .residual = true, .expands = true});
    a = net_block(&net, a, &(BlockShape){.mid = 8, .out_c = 8, .kernel = square(3),
                                         .stride = square(1), .residual = true});
    a = net_block(&net, a, &(BlockShape){.mid = 17, .out_c = 6, .kernel = square(7),
                                         .stride = square(2), .expands = true});
    finish(&net, a);
    gradients_of(&net, 3, 400, 2);
}
END

TEST(gradients_of_depthwise_agree_for_every_kernel_and_stride)
{
    int kernels[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {2, 4}, {3, 1}, {1, 5}, {10, 4}};
    int strides[][2] = {{1, 1}, {2, 2}, {1, 2}, {3, 1}, {3, 3}};
    int channels[] = {16, 32, 5, 24};
    for (int k = 0; k < 8; k++)
        for (int s = 0; s < 5; s++) {
            Net net;
            net_begin(&net, 13, 12, 2);
            int a = net_pointwise(&net, NET_IMAGE, channels[(k + s) % 4], ACT_RELU);
            a = net_depthwise(&net, a, size(kernels[k][0], kernels[k][1]),
                              size(strides[s][0], strides[s][1]), ACT_RELU6);
            finish(&net, a);
            gradients_of(&net, 2, 30, (uint64_t)(10 * k + s));
        }
}
END

TEST(gradients_go_through_pools_dense_layers_and_adds_with_an_activation)
{
    Net net;
    net_begin(&net, 10, 9, 2);
    int a = net_conv(&net, NET_IMAGE, 6, square(3), square(1), ACT_NONE);
    int b = net_pointwise(&net, a, 6, ACT_NONE);
    int add = net_add(&net, b, a);
    net.layer[add].act = ACT_RELU;
    int most = net_pool(&net, OP_MAX_POOL, add, square(3), square(2));
    int mean = net_pool(&net, OP_AVG_POOL, add, square(3), square(2));
    int sum = net_add(&net, most, mean);
    int hidden = net_dense(&net, sum, 7, ACT_RELU);
    net_dense(&net, hidden, CLASSES, ACT_NONE);
    gradients_of(&net, 4, 10000, 3);
}
END

TEST(gradients_of_all_readers_are_summed)
{
    Net net;
    net_begin(&net, 6, 6, 3);
    int a = net_conv(&net, NET_IMAGE, 8, square(3), square(1), ACT_NONE);
    int b = net_depthwise(&net, a, square(3), square(1), ACT_RELU6);
    int c = net_pointwise(&net, a, 8, ACT_NONE);
    int d = net_add(&net, a, c); /* c reads a: their gradients must not share a place */
    int e = net_add(&net, b, d);
    net_pointwise(&net, e, 4, ACT_RELU); /* nobody reads it */
    int f = net_add(&net, e, e);
    int g = net_pointwise(&net, f, 8, ACT_NONE);
    int h = net_add(&net, a, g);
    finish(&net, net_add(&net, h, e));
    gradients_of(&net, 3, 10000, 4);
}
END

static int any_layer(const Net *net, Rng *rng)
{
    int last = net->n_layers - 1;
    return rng_below(rng, 3) ? last : (int)rng_below(rng, (uint32_t)last + 1);
}

/* Another layer of the same shape as `a`, or -1. */
static int alike(const Net *net, int a, Rng *rng)
{
    for (int tries = 0; tries < 20; tries++) {
        int b = (int)rng_below(rng, net->n_layers);
        const Layer *x = &net->layer[a], *y = &net->layer[b];
        if (x->out_h == y->out_h && x->out_w == y->out_w && x->out_c == y->out_c)
            return b;
    }
    return -1;
}

static int any_of(Rng *rng, int least, int most)
{
    return least + (int)rng_below(rng, (uint32_t)(most - least + 1));
}

static void append_any(Net *net, Rng *rng)
{
    int from = any_layer(net, rng);
    const Layer *l = &net->layer[from];
    Act act = (Act)rng_below(rng, 3);
    Size2 k = size(any_of(rng, 1, 5), any_of(rng, 1, 5)), s = size(any_of(rng, 1, 2), 1);
    int twin = alike(net, from, rng);
    switch (rng_below(rng, 6)) {
    case 0:
        net_conv(net, from, any_of(rng, 1, 9), k, s, act);
        break;
    case 1:
        net_depthwise(net, from, rng_below(rng, 2) ? square(3) : k, s, act);
        break;
    case 2:
        net_pointwise(net, from, rng_below(rng, 2) ? l->out_c : any_of(rng, 1, 20), act);
        break;
    case 3:
        if (l->out_h >= k.h && l->out_w >= k.w)
            net_pool(net, rng_below(rng, 2) ? OP_AVG_POOL : OP_MAX_POOL, from, k, s);
        break;
    default:
        if (twin >= 0)
            net->layer[net_add(net, from, twin)].act = rng_below(rng, 2) ? (uint8_t)act : 0;
    }
}

static void any_net(Net *net, Rng *rng)
{
    net_begin(net, any_of(rng, 5, 9), any_of(rng, 5, 9), any_of(rng, 1, 3));
    net_conv(net, NET_IMAGE, any_of(rng, 3, 20), square(3), square(1), ACT_NONE);
    for (int i = any_of(rng, 2, 14); i > 0; i--)
        append_any(net, rng);
    finish(net, any_layer(net, rng));
}

TEST(gradients_of_random_networks_agree_with_differences)
{
    Rng rng = rng_make(5, 0);
    for (int i = 0; i < 150; i++) {
        Net net;
        any_net(&net, &rng);
        gradients_of(&net, any_of(&rng, 2, 4), 12, (uint64_t)i);
    }
}
END

TEST(gradients_agree_when_a_layer_takes_many_pieces)
{
    Net net;
    net_begin(&net, 72, 70, 3);
    int a = net_conv(&net, NET_IMAGE, 24, square(3), square(1), ACT_RELU6);
    a = net_block(&net, a, &(BlockShape){.mid = 40, .out_c = 24, .kernel = square(3),
                                         .stride = square(1), .residual = true, .expands = true});
    a = net_conv(&net, a, 8, square(3), square(2), ACT_RELU);
    finish(&net, a);
    gradients_of(&net, 2, 8, 6);
}
END

TEST(a_convolution_beside_its_own_shortcut_reads_its_gradient_before_it_changes)
{
    Net net;
    net_begin(&net, 40, 40, 2);
    int a = net_pointwise(&net, NET_IMAGE, 8, ACT_NONE);
    int b = net_conv(&net, a, 8, square(3), square(1), ACT_NONE); /* takes several strips */
    finish(&net, net_pointwise(&net, net_add(&net, b, a), 6, ACT_RELU));
    gradients_of(&net, 2, 60, 9);
}
END

static void shift_images(Case *c, float by)
{
    for (size_t i = 0; i < (size_t)c->n * image_floats(&c->model.net); i++)
        c->images[i] = c->images[i] * 0.5f + by;
}

TEST(statistics_and_gradients_hold_with_means_far_from_zero)
{
    Net net;
    Case c;
    net_begin(&net, 8, 8, 3);
    int a = net_pointwise(&net, NET_IMAGE, 16, ACT_RELU6);
    finish(&net, net_depthwise(&net, a, square(3), square(1), ACT_RELU6));
    case_init(&c, &net, 4, 8);
    shift_images(&c, 10);
    check_gradients(&c, 200, 0);
    shift_images(&c, 500); /* a variance of 0.1 beside a square of 250,000 */
    Slow s = slow_new(&c.model, 4, true);
    slow_forward(&s, &c.model, c.images);
    Lesson lesson = lesson_of(&c, 0);
    nn_train_pass(&c.model, c.ws, &lesson, &c.grad, NULL);
    for (int i = 0; i < 16; i++) {
        double var = s.stats[c.model.layer[0].var - c.model.stats + i];
        ck_assert_double_eq_tol((double)c.grad.layer[0].var[i], var, 1e-3 * var);
    }
    slow_free(&s);
    case_release(&c);
}
END

/* ---- forward ---- */

static void check_inference(const Net *net, int n, uint64_t seed)
{
    Case c;
    case_init(&c, net, n, seed);
    size_t total = (size_t)n * floats_of(net_output(net));
    float *logits = xmalloc(total * sizeof(float));
    Slow s = slow_new(&c.model, n, false);
    const double *wanted = slow_forward(&s, &c.model, c.images);
    nn_infer(&c.model, c.ws, c.images, n, logits);
    for (size_t i = 0; i < total; i++)
        ck_assert_msg(fabs((double)logits[i] - wanted[i]) <= 2e-4 * (1 + fabs(wanted[i])),
                      "logit %zu: %g, slow %g", i, (double)logits[i], wanted[i]);
    slow_free(&s);
    free(logits);
    case_release(&c);
}

TEST(inference_of_random_networks_equals_the_slow_one)
{
    Rng rng = rng_make(11, 0);
    for (int i = 0; i < 200; i++) {
        Net net;
        any_net(&net, &rng);
        check_inference(&net, any_of(&rng, 1, 5), (uint64_t)i);
    }
}
END

/* Depthwise layers between products, of planes of `w` columns and a vector's channels and a few. */
static void planes(Net *net, int w, int k, int stride)
{
    net_begin(net, 6, (uint16_t)w, 3);
    int a = net_conv(net, NET_IMAGE, 19, square(3), square(1), ACT_RELU6);
    a = net_depthwise(net, a, square((uint8_t)k), square((uint8_t)stride), ACT_RELU6);
    a = net_pointwise(net, a, 37, ACT_RELU6);
    a = net_depthwise(net, a, size(3, k), square(1), ACT_NONE);
    a = net_depthwise(net, a, square(3), square(1), ACT_RELU);
    finish(net, net_pointwise(net, a, 9, ACT_NONE));
}

TEST(inference_equals_the_slow_one_wherever_a_kernel_meets_an_edge)
{
    for (int w = 3; w <= 26; w++)
        for (int k = 3; k <= 7; k += 2)
            for (int stride = 1; stride <= 2; stride++) {
                Net net;
                planes(&net, w, k, stride);
                check_inference(&net, 2, (uint64_t)(w * k + stride));
            }
}
END

TEST(gradients_agree_wherever_a_kernel_meets_an_edge)
{
    int widths[] = {4, 5, 8, 9, 16, 17, 24};
    for (int i = 0; i < 7; i++)
        for (int k = 3; k <= 7; k += 2)
            for (int stride = 1; stride <= 2; stride++) {
                Net net;
                planes(&net, widths[i], k, stride);
                gradients_of(&net, 2, 12, (uint64_t)(100 * i + k + stride));
            }
}
END

static void tower(Net *net)
{
    net_begin(net, 32, 32, 3);
    int a = net_conv(net, NET_IMAGE, 16, square(3), square(2), ACT_RELU6);
    for (int i = 0; i < 4; i++) {
        int in_c = net->layer[a].out_c, out_c = i % 2 ? in_c : in_c + 8;
        a = net_block(net, a, &(BlockShape){.mid = 3 * in_c, .out_c = out_c, .kernel = square(3),
                                            .stride = square(i % 2 ? 1 : 2), .residual = i % 2,
                                            .expands = true});
    }
    finish(net, a);
}

TEST(inference_in_blocks_and_groups_equals_the_slow_one)
{
    Net net;
    tower(&net);
    check_inference(&net, 67, 12); /* more than one block, the last of 3 images */
}
END

TEST(a_batch_is_its_images_one_by_one)
{
    Net net;
    Case c;
    float together[70][CLASSES], alone[CLASSES];
    tower(&net);
    case_init(&c, &net, 70, 13);
    nn_infer(&c.model, c.ws, c.images, 70, together[0]);
    for (int i = 0; i < 70; i++) {
        nn_infer(&c.model, c.ws, c.images + (size_t)i * image_floats(&net), 1, alone);
        for (int j = 0; j < CLASSES; j++)
            ck_assert_float_eq_tol(together[i][j], alone[j], 1e-4f);
    }
    case_release(&c);
}
END

TEST(recalibration_averages_the_batches_statistics)
{
    Net net;
    Case c;
    tower(&net);
    case_init(&c, &net, 12, 14);
    double *mean = xcalloc(c.model.n_stats, sizeof(double));
    for (int k = 0; k < 3; k++) {
        const float *batch = c.images + 4 * (size_t)k * image_floats(&net);
        Slow s = slow_new(&c.model, 4, true);
        slow_forward(&s, &c.model, batch);
        nn_recalibrate(&c.model, c.ws, batch, 4, k);
        for (size_t i = 0; i < c.model.n_stats; i++) {
            mean[i] += (s.stats[i] - mean[i]) / (k + 1);
            ck_assert_double_eq_tol((double)c.model.stats[i], mean[i], 1e-4 * (1 + fabs(mean[i])));
        }
        slow_free(&s);
    }
    free(mean);
    case_release(&c);
}
END

TEST(ranges_are_the_extremes_of_every_layer)
{
    Net net;
    Case c;
    float lo[NET_MAX_LAYERS], hi[NET_MAX_LAYERS];
    tower(&net);
    case_init(&c, &net, 66, 15);
    for (int i = 0; i < net.n_layers; i++) {
        lo[i] = INFINITY;
        hi[i] = -INFINITY;
    }
    hi[3] = 1000; /* ranges widen, never shrink */
    nn_ranges(&c.model, c.ws, c.images, 66, lo, hi);
    Slow s = slow_new(&c.model, 66, false);
    slow_forward(&s, &c.model, c.images);
    for (int i = 0; i < net.n_layers; i++) {
        double least = INFINITY, most = i == 3 ? 1000 : -INFINITY;
        for (size_t j = 0; j < 66 * floats_of(&net.layer[i]); j++) {
            least = fmin(least, s.value[i][j]);
            most = fmax(most, s.value[i][j]);
        }
        ck_assert_double_eq_tol((double)lo[i], least, 1e-3 * (1 + fabs(least)));
        ck_assert_double_eq_tol((double)hi[i], most, 1e-3 * (1 + fabs(most)));
    }
    slow_free(&s);
    case_release(&c);
}
END

static void takes(Workspace *ws, size_t predicted)
{
    ck_assert_uint_eq(workspace_bytes(ws), predicted);
    workspace_free(ws);
}

TEST(a_pass_takes_the_memory_that_was_predicted_for_it)
{
    Net net;
    Case c;
    tower(&net);
    case_init(&c, &net, 80, 18);
    float *logits = xmalloc(80 * (size_t)net_output(&net)->out_c * sizeof *logits);
    for (int n = 1; n <= 80; n += 79) {
        Workspace *ws[3] = {workspace_new(), workspace_new(), workspace_new()};
        c.n = n;
        Lesson lesson = lesson_of(&c, 0);
        nn_train_pass(&c.model, ws[0], &lesson, &c.grad, NULL);
        nn_recalibrate(&c.model, ws[1], c.images, n, 0);
        nn_infer(&c.model, ws[2], c.images, n, logits);
        takes(ws[0], nn_train_bytes(&net, n));
        takes(ws[1], nn_recalibrate_bytes(&net, n));
        takes(ws[2], nn_infer_bytes(&net, n));
    }
    free(logits);
    case_release(&c);
}
END

TEST(the_same_call_gives_the_same_bits_on_any_workspace)
{
    Net net, other;
    Case c;
    tower(&net);
    case_init(&c, &net, 8, 16);
    int correct = -1, again = -1;
    Lesson lesson = lesson_of(&c, 0.1);
    double loss = nn_train_pass(&c.model, c.ws, &lesson, &c.grad, &correct);
    uint64_t first = model_hash(&c.grad);
    net_begin(&other, 64, 64, 3); /* the workspace meets a larger net between the two */
    finish(&other, net_conv(&other, NET_IMAGE, 24, square(3), square(1), ACT_RELU));
    Case larger;
    case_init(&larger, &other, 8, 17);
    Lesson other_lesson = lesson_of(&larger, 0);
    nn_train_pass(&larger.model, c.ws, &other_lesson, &larger.grad, NULL);
    ck_assert(nn_train_pass(&c.model, c.ws, &lesson, &c.grad, &again) == loss);
    ck_assert(model_hash(&c.grad) == first);
    Workspace *fresh = workspace_new();
    ck_assert(nn_train_pass(&c.model, fresh, &lesson, &c.grad, NULL) == loss);
    ck_assert(model_hash(&c.grad) == first);
    ck_assert_int_eq(correct, again);
    workspace_free(fresh);
    case_release(&larger);
    case_release(&c);
}
END

/* ---- loss, optimiser, parameters ---- */

/* Rows of probabilities from nowhere in particular. */
static void draw_probabilities(float *p, int n, Rng *rng)
{
    for (int i = 0; i < n; i++, p += CLASSES) {
        double sum = 0, e[CLASSES];
        for (int j = 0; j < CLASSES; j++)
            sum += e[j] = exp(2 * rng_normal(rng));
        for (int j = 0; j < CLASSES; j++)
            p[j] = (float)(e[j] / sum);
    }
}

TEST(gradients_towards_a_teachers_answers_agree_with_differences)
{
    Net net;
    Case c;
    float teacher[8 * CLASSES];
    net_begin(&net, 8, 8, 3);
    finish(&net, net_conv(&net, NET_IMAGE, 8, square(3), square(1), ACT_RELU6));
    case_init(&c, &net, 8, 23);
    draw_probabilities(teacher, 8, &c.rng);
    Lesson lesson = lesson_of(&c, 0.1); /* the smoothing is the labels' and plays no part */
    lesson.teacher = teacher;
    check_lesson(&c, 200, &lesson);
    case_release(&c);
}
END

TEST(a_pass_tells_its_answers_and_they_teach_it_nothing_new)
{
    Net net;
    Case c;
    float answers[8 * CLASSES];
    int correct, again;
    tower(&net);
    case_init(&c, &net, 8, 24);
    Lesson lesson = lesson_of(&c, 0);
    lesson.answers = answers;
    double loss = nn_train_pass(&c.model, c.ws, &lesson, &c.grad, &correct), label = 0;
    for (int i = 0; i < 8; i++) {
        double sum = 0;
        for (int j = 0; j < CLASSES; j++)
            sum += (double)answers[i * CLASSES + j];
        ck_assert_double_eq_tol(sum, 1, 1e-6);
        label -= log((double)answers[i * CLASSES + c.labels[i]]) / 8;
    }
    ck_assert_double_eq_tol(label, loss, 1e-6 * (1 + loss));
    lesson = lesson_of(&c, 0);
    lesson.teacher = answers;
    nn_train_pass(&c.model, c.ws, &lesson, &c.grad, &again);
    ck_assert_int_eq(again, correct); /* counted against the labels */
    for (size_t i = 0; i < c.model.n_params; i++)
        ck_assert_float_eq_tol(c.grad.params[i], 0, 1e-5f);
    case_release(&c);
}
END

TEST(score_is_cross_entropy_and_counts_right_answers)
{
    float logits[] = {0, 0, 0, 1, 3, 2};
    int labels[] = {0, 1}, correct = 0;
    /* log 3, and log(e^-2 + 1 + e^-1) */
    double wanted = (1.0986122886681098 + 0.40760596444438) / 2;
    ck_assert_double_eq_tol(nn_score(logits, labels, 2, 3, &correct), wanted, 1e-9);
    ck_assert_int_eq(correct, 2);
    labels[1] = 2;
    ck_assert_double_eq_tol(nn_score(logits, labels, 2, 3, &correct), wanted + 0.5, 1e-9);
    ck_assert_int_eq(correct, 1);
}
END

TEST(sgd_follows_nesterov_and_decays_weights_alone)
{
    Net net;
    Model m, grad;
    net_begin(&net, 1, 1, 1);
    net_dense(&net, net_pointwise(&net, NET_IMAGE, 1, ACT_NONE), 1, ACT_NONE);
    model_init(&m, &net);
    model_init(&grad, &net);
    float velocity[5] = {0};
    ck_assert_uint_eq(m.n_params, 5); /* w gamma beta, w bias */
    for (int i = 0; i < 5; i++) {
        m.params[i] = 2;
        grad.params[i] = 1;
    }
    sgd_step(&m, velocity, &grad, 0.1, 0.5, 0.25);
    /* weights: g = 1 + 0.25 * 2 = 1.5, v = 1.5, step 0.1 (1.5 + 0.75); others: 0.1 (1 + 0.5) */
    float first[5] = {1.775f, 1.85f, 1.85f, 1.775f, 1.85f};
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq_tol(m.params[i], first[i], 1e-6f);
    sgd_step(&m, velocity, &grad, 0.1, 0.5, 0.25);
    /* g = 1 + 0.44375, v = 0.75 + 1.44375 = 2.19375; others: v = 1.5 */
    float second[5] = {1.5209375f, 1.675f, 1.675f, 1.5209375f, 1.675f};
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq_tol(m.params[i], second[i], 1e-6f);
    model_release(&m);
    model_release(&grad);
}
END

TEST(running_statistics_move_by_their_share)
{
    Net net;
    Model m, grad;
    net_begin(&net, 1, 1, 1);
    net_pointwise(&net, NET_IMAGE, 1, ACT_NONE);
    model_init(&m, &net);
    model_init(&grad, &net);
    grad.layer[0].mean[0] = 4;
    grad.layer[0].var[0] = 3;
    model_track_stats(&m, &grad, 0.25);
    ck_assert_float_eq_tol(m.layer[0].mean[0], 1, 1e-6f);
    ck_assert_float_eq_tol(m.layer[0].var[0], 1.5f, 1e-6f);
    model_release(&m);
    model_release(&grad);
}
END

TEST(the_rate_warms_up_and_falls_as_a_cosine)
{
    ck_assert_double_eq_tol(cosine_rate(0.4, 0, 110, 10), 0.04, 1e-12);
    ck_assert_double_eq_tol(cosine_rate(0.4, 9, 110, 10), 0.4, 1e-12);
    ck_assert_double_eq_tol(cosine_rate(0.4, 10, 110, 10), 0.4, 1e-12);
    ck_assert_double_eq_tol(cosine_rate(0.4, 60, 110, 10), 0.2, 1e-12);
    ck_assert_double_eq_tol(cosine_rate(0.4, 35, 110, 10), 0.34142135623730951, 1e-12);
    ck_assert_double_eq_tol(cosine_rate(0.4, 110, 110, 10), 0, 1e-12);
    ck_assert_double_eq_tol(cosine_rate(0.4, 0, 10, 0), 0.4, 1e-12);
}
END

TEST(the_hash_knows_every_parameter_and_statistic)
{
    Net net;
    Case c;
    net_begin(&net, 4, 4, 2);
    finish(&net, net_depthwise(&net, net_pointwise(&net, NET_IMAGE, 3, ACT_RELU), square(3),
                               square(1), ACT_NONE));
    case_init(&c, &net, 1, 18);
    uint64_t hash = model_hash(&c.model);
    for (size_t i = 0; i < c.model.n_params + c.model.n_stats; i++) {
        float *p = i < c.model.n_params ? &c.model.params[i] : &c.model.stats[i - c.model.n_params];
        float kept = *p;
        *p += 1;
        ck_assert(model_hash(&c.model) != hash);
        *p = kept;
        ck_assert(model_hash(&c.model) == hash);
    }
    model_copy(&c.grad, &c.model);
    ck_assert(model_hash(&c.grad) == hash);
    case_release(&c);
}
END

TEST(a_tiny_network_learns_64_random_images_by_heart)
{
    Net net;
    Case c;
    net_begin(&net, 8, 8, 3);
    int a = net_conv(&net, NET_IMAGE, 16, square(3), square(1), ACT_RELU6);
    a = net_block(&net, a, &(BlockShape){.mid = 48, .out_c = 16, .kernel = square(3),
                                         .stride = square(1), .residual = true, .expands = true});
    a = net_block(&net, a, &(BlockShape){.mid = 48, .out_c = 24, .kernel = square(5),
                                         .stride = square(2), .expands = true});
    finish(&net, a);
    case_init(&c, &net, 64, 19);
    model_randomise(&c.model, &c.rng);
    float *velocity = xcalloc(c.model.n_params, sizeof(float));
    int correct = 0;
    Lesson lesson = lesson_of(&c, 0.05);
    for (int i = 0; i < 150; i++) {
        nn_train_pass(&c.model, c.ws, &lesson, &c.grad, &correct);
        sgd_step(&c.model, velocity, &c.grad, cosine_rate(0.1, i, 150, 5), 0.9, 1e-4);
    }
    ck_assert_int_eq(correct, 64);
    float logits[64][CLASSES];
    nn_recalibrate(&c.model, c.ws, c.images, 64, 0);
    nn_infer(&c.model, c.ws, c.images, 64, logits[0]);
    nn_score(logits[0], c.labels, 64, CLASSES, &correct);
    ck_assert_int_eq(correct, 64);
    free(velocity);
    case_release(&c);
}
END

SUITE(pass, gradients_of_a_plain_convolution_agree_with_differences,
      gradients_of_inverted_bottlenecks_agree_with_differences,
      gradients_of_depthwise_agree_for_every_kernel_and_stride,
      gradients_go_through_pools_dense_layers_and_adds_with_an_activation,
      gradients_of_all_readers_are_summed, gradients_of_random_networks_agree_with_differences,
      gradients_agree_when_a_layer_takes_many_pieces,
      a_convolution_beside_its_own_shortcut_reads_its_gradient_before_it_changes,
      statistics_and_gradients_hold_with_means_far_from_zero,
      inference_of_random_networks_equals_the_slow_one,
      inference_equals_the_slow_one_wherever_a_kernel_meets_an_edge,
      gradients_agree_wherever_a_kernel_meets_an_edge,
      inference_in_blocks_and_groups_equals_the_slow_one, a_batch_is_its_images_one_by_one,
      recalibration_averages_the_batches_statistics, ranges_are_the_extremes_of_every_layer,
      a_pass_takes_the_memory_that_was_predicted_for_it,
      the_same_call_gives_the_same_bits_on_any_workspace,
      gradients_towards_a_teachers_answers_agree_with_differences,
      a_pass_tells_its_answers_and_they_teach_it_nothing_new,
      score_is_cross_entropy_and_counts_right_answers,
      sgd_follows_nesterov_and_decays_weights_alone,
      running_statistics_move_by_their_share, the_rate_warms_up_and_falls_as_a_cosine,
      the_hash_knows_every_parameter_and_statistic,
      a_tiny_network_learns_64_random_images_by_heart)
