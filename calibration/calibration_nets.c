#include "calibration/calibration_nets.h"

#include <math.h>

/* ---- networks ---- */

/* Numbers are drawn one a statement: in a list of arguments every compiler has an order of its own,
 * and a board's log wants the same networks from all of them. */

static int between(Rng *rng, int low, int high) /* both included */
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

static bool one_in(Rng *rng, uint32_t n)
{
    return rng_below(rng, n) == 0;
}

static Size2 odd_kernel(Rng *rng, int least)
{
    Size2 k = square(least + 2 * between(rng, 0, 2));
    if (one_in(rng, 4))
        k.w = (uint8_t)(least + 2 * between(rng, 0, 2));
    return k;
}

static Size2 random_stride(const Layer *in, Rng *rng)
{
    return square(in->out_h >= 6 && in->out_w >= 6 && one_in(rng, 3) ? 2 : 1);
}

static int random_block(Net *net, int at, Rng *rng)
{
    const Layer *in = &net->layer[at];
    BlockShape shape = {.expands = !one_in(rng, 6)};
    shape.kernel = odd_kernel(rng, 3);
    shape.stride = random_stride(in, rng);
    shape.out_c = 8 * between(rng, 1, 8);
    shape.residual = shape.stride.h == 1 && one_in(rng, 2);
    shape.out_c = shape.residual ? in->out_c : shape.out_c;
    shape.mid = shape.expands ? in->out_c * between(rng, 2, 6) : in->out_c;
    return net_block(net, at, &shape);
}

/* A bottleneck with squeeze-and-excite, as MobileNetV3 and some of MCUNet's have it. */
static int random_excited(Net *net, int at, Rng *rng)
{
    int c = 8 * between(rng, 2, 8);
    at = net_pointwise(net, at, c, ACT_NONE);
    at = net_lookup(net, net_depthwise(net, at, odd_kernel(rng, 3), square(1), ACT_RELU6));
    int vector = net_pointwise(net, net_mean(net, at, true, true), c / 4, ACT_RELU6);
    vector = net_lookup(net, net_pointwise(net, vector, c, ACT_NONE));
    return net_pointwise(net, net_gate(net, at, vector), 8 * between(rng, 1, 6), ACT_NONE);
}

static int random_pool(Net *net, int at, Rng *rng)
{
    const Layer *in = &net->layer[at];
    if (in->out_h < 4 || in->out_w < 4)
        return at;
    Size2 kernel = square(between(rng, 2, 4));
    kernel.w = (uint8_t)between(rng, 2, 4);
    Op op = one_in(rng, 2) ? OP_AVG_POOL : OP_MAX_POOL;
    return net_pool(net, op, at, kernel, square(between(rng, 1, 2)));
}

static int random_conv(Net *net, int at, Rng *rng)
{
    int out_c = 8 * between(rng, 1, 6);
    Size2 kernel = odd_kernel(rng, 1);
    return net_conv(net, at, out_c, kernel, random_stride(&net->layer[at], rng), ACT_RELU6);
}

static int random_part(Net *net, int at, Rng *rng)
{
    switch (rng_below(rng, 10)) {
    case 0:
        return random_conv(net, at, rng);
    case 1:
        return random_excited(net, at, rng);
    case 2:
    case 3:
        return random_pool(net, at, rng);
    default:
        return random_block(net, at, rng);
    }
}

void calibration_net(Net *net, Rng *rng)
{
    int h = between(rng, 12, 56), w = one_in(rng, 4) ? between(rng, 12, 56) : h;
    net_begin(net, h, w, one_in(rng, 4) ? 1 : 3);
    int stem = 8 * between(rng, 1, 4);
    Size2 kernel = odd_kernel(rng, 1), stride = square(between(rng, h > 40 ? 2 : 1, 2));
    int at = net_conv(net, NET_IMAGE, stem, kernel, stride, ACT_RELU6);
    for (int parts = between(rng, 1, 7); parts > 0; parts--)
        at = random_part(net, at, rng);
    at = one_in(rng, 4) ? net_mean(net, at, true, true) : net_global_pool(net, at);
    at = net_dense(net, at, between(rng, 2, one_in(rng, 3) ? 200 : 20), ACT_NONE);
    if (one_in(rng, 2))
        net_softmax(net, at);
}

void calibration_chain(Net *net, Rng *rng)
{
    int r = between(rng, 16, 40);
    net_begin(net, r, r, one_in(rng, 4) ? 1 : 3);
    int stem = 4 * between(rng, 2, 6), stride = between(rng, 1, 2);
    int at = net_conv(net, NET_IMAGE, stem, square(3), square(stride), ACT_RELU6);
    for (int blocks = between(rng, 2, 4); blocks > 0; blocks--) {
        const Layer *in = &net->layer[at];
        BlockShape shape = {.expands = true, .kernel = odd_kernel(rng, 3)};
        shape.stride = random_stride(in, rng);
        shape.out_c = 4 * between(rng, 2, 10);
        shape.mid = in->out_c * between(rng, 3, 6);
        at = net_block(net, at, &shape);
    }
    net_dense(net, net_global_pool(net, at), between(rng, 2, 20), ACT_NONE);
}

void calibration_operator(Net *net, Op op)
{
    net_begin(net, 8, 8, 8);
    switch (op) { /* a last channel alone goes the longest way */
    case OP_CONV:
        net_conv(net, NET_IMAGE, 9, square(3), square(1), ACT_NONE);
        break;
    case OP_DEPTHWISE:
        net_depthwise(net, NET_IMAGE, square(3), square(1), ACT_NONE);
        break;
    case OP_POINTWISE:
        net_pointwise(net, NET_IMAGE, 9, ACT_NONE);
        break;
    case OP_ADD:
        net_add(net, NET_IMAGE, NET_IMAGE);
        break;
    case OP_AVG_POOL:
    case OP_MAX_POOL:
        net_pool(net, op, NET_IMAGE, square(2), square(2));
        break;
    case OP_GLOBAL_POOL:
        net_global_pool(net, NET_IMAGE);
        break;
    case OP_DENSE:
        net_dense(net, NET_IMAGE, 8, ACT_NONE);
        break;
    case OP_MEAN:
        net_mean(net, NET_IMAGE, true, true);
        break;
    case OP_GATE: /* by a vector, which something has to make */
        net_gate(net, NET_IMAGE, net_global_pool(net, NET_IMAGE));
        break;
    case OP_LOOKUP:
        net_lookup(net, NET_IMAGE);
        break;
    case OP_SOFTMAX:
        net_softmax(net, NET_IMAGE);
        break;
    case N_OPS:
        break;
    }
}

/* ---- weights ---- */

/* The input with the larger scale, the first, has 1/2 as in TFLite. */
static double random_add_scale(int i, Rng *rng)
{
    double part = rng_uniform(rng);
    return i == 0 ? 0.5 : i == 1 ? 0.25 + 0.25 * part
                                 : (0.75 + 0.5 * part) / (1 << 19); /* the sum has 20 bits more */
}

static double random_scale(const Layer *l, int i, Rng *rng)
{
    double around = 1;
    switch ((Op)l->op) {
    case OP_ADD:
        return random_add_scale(i, rng);
    case OP_MEAN:
        around = 1.0 / (l->kh * l->kw);
        break;
    case OP_GATE:
        around = 1.0 / 128;
        break;
    case OP_SOFTMAX:
        around = 1 << 22; /* of values 1/16 apart, 26 bits behind the point */
        break;
    case OP_CONV:
    case OP_DEPTHWISE:
    case OP_POINTWISE:
    case OP_DENSE: /* deviations: 37 of weights, 74 of inputs, 64 of outputs */
        around = 64 / (37 * 74 * sqrt((double)layer_weights(l) / l->out_c));
        break;
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
    case OP_LOOKUP:
    case N_OPS:
        break;
    }
    return around * (0.75 + 0.5 * rng_uniform(rng));
}

/* Most are small, as trained ones are, so that the sums of large layers stay where the quick
 * requantisation takes them. Who quantises weights, leaves -128 out. */
static int8_t random_weight(Rng *rng)
{
    int sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (int8_t)rng_next(rng);
    return (int8_t)(sum / 4 == INT8_MIN ? -127 : sum / 4);
}

static void random_constants(QLayer *t, const Layer *l, Rng *rng)
{
    const bool weighs = op_has_weights((Op)l->op);
    for (uint32_t i = 0; i < layer_constants(l); i++)
        t->weights[i] = weighs ? random_weight(rng) : (int8_t)rng_next(rng);
    for (int i = 0; i < l->out_c && weighs; i++)
        t->bias[i] = between(rng, -1000, 1000);
    for (int i = 0; i < qmodel_multipliers(l); i++)
        quantize_multiplier(random_scale(l, i, rng), &t->multiplier[i], &t->shift[i]);
}

int calibration_model(const Net *net, Rng *rng, QModel *q)
{
    qmodel_init(q, net);
    for (int i = 0; i <= net->n_layers; i++) {
        const Layer *l = i > 0 ? &net->layer[i - 1] : NULL;
        bool keeps = l && (l->op == OP_AVG_POOL || l->op == OP_MAX_POOL || l->op == OP_GLOBAL_POOL);
        int8_t zero = (int8_t)between(rng, -40, 40);
        q->tensor[i].zero = keeps ? q->tensor[1 + l->input].zero
                            : l && l->act != ACT_NONE ? INT8_MIN : zero; /* cut off at zero */
        if (l)
            random_constants(&q->layer[i - 1], l, rng);
    }
    if (qmodel_check(q) == 0)
        return 0;
    qmodel_release(q);
    return -1;
}
