#include "quant/qmodel.h"

#include "base/alloc.h"
#include "base/error.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int qmodel_multipliers(const Layer *l)
{
    bool scales = l->op == OP_MEAN || l->op == OP_GATE || l->op == OP_SOFTMAX;
    return op_has_weights((Op)l->op) ? l->out_c : l->op == OP_ADD ? 3 : scales ? 1 : 0;
}

/* First everything of four bytes, then everything of one. */
void qmodel_init(QModel *q, const Net *net)
{
    memset(q, 0, sizeof *q);
    q->net = *net;
    size_t words = net_channels(net), bytes = 0;
    for (int l = 0; l < net->n_layers; l++) {
        bytes += layer_constants(&net->layer[l]);
        words += (size_t)qmodel_multipliers(&net->layer[l]);
        bytes += (size_t)qmodel_multipliers(&net->layer[l]);
    }
    q->block = xcalloc(1, words * sizeof(int32_t) + bytes + 1);
    int32_t *word = q->block;
    int8_t *byte = (int8_t *)(word + words);
    for (int l = 0; l < net->n_layers; l++) {
        const Layer *layer = &net->layer[l];
        int n = qmodel_multipliers(layer);
        QLayer *t = &q->layer[l];
        *t = (QLayer){.act_min = INT8_MIN, .act_max = INT8_MAX};
        if (op_has_weights((Op)layer->op)) {
            t->bias = word;
            word += layer->out_c;
        }
        if (layer_constants(layer) > 0) {
            t->weights = byte;
            byte += layer_constants(layer);
        }
        if (n > 0) {
            t->multiplier = word;
            t->shift = byte;
            word += n;
            byte += n;
        }
    }
    for (int t = 0; t <= net->n_layers; t++)
        q->tensor[t].scale = 1;
}

void qmodel_release(QModel *q)
{
    free(q->block);
    q->block = NULL;
}

void quantize_multiplier(double real, int32_t *multiplier, int8_t *shift)
{
    int exponent = 0;
    int64_t fixed = llround(frexp(real, &exponent) * (double)(INT64_C(1) << 31));
    if (fixed == INT64_C(1) << 31) { /* 0.99999... rounded up */
        fixed /= 2;
        exponent++;
    }
    if (exponent < -31) { /* less than half of the smallest step */
        fixed = 0;
        exponent = 0;
    }
    if (exponent > 30) {
        fixed = INT32_MAX;
        exponent = 30;
    }
    *multiplier = (int32_t)fixed;
    *shift = (int8_t)exponent;
}

static int8_t clamp_int8(double q)
{
    return (int8_t)fmin(fmax(q, INT8_MIN), INT8_MAX);
}

/* TFLite's ChooseQuantizationParams: 0 is inside the range and exactly one of
 * the 256 steps, nudged to it from the end where that costs less. */
static QTensor tensor_of_range(double lo, double hi, double least_scale)
{
    lo = fmin(lo, 0);
    hi = fmax(hi, 0);
    double scale = fmax((hi - lo) / 255, least_scale);
    if (scale < FLT_MIN) /* a tensor that is always 0 */
        scale = 1;
    double from_lo = INT8_MIN - lo / scale, from_hi = INT8_MAX - hi / scale;
    bool lo_is_nearer = 128 + fabs(lo / scale) < 127 + fabs(hi / scale);
    return (QTensor){(float)scale, clamp_int8(round(lo_is_nearer ? from_lo : from_hi))};
}

static QTensor output_tensor(const Layer *l, double lo, double hi, double least_scale)
{
    if (l->act != ACT_NONE)
        lo = 0;
    if (l->act == ACT_RELU6)
        hi = fmin(hi, 6);
    return tensor_of_range(lo, hi, least_scale);
}

static void set_activation(const Layer *l, QTensor out, QLayer *t)
{
    if (l->act != ACT_NONE)
        t->act_min = out.zero;
    if (l->act == ACT_RELU6)
        t->act_max = clamp_int8(out.zero + round(6 / (double)out.scale));
}

/* One output channel with its norm folded: weight i is gain * w[start + i * step]. */
typedef struct {
    const float *w;
    size_t start, step, n;
    double gain, bias;
    double largest, sum; /* of the folded weights, absolute */
} Channel;

static Channel folded_channel(const Layer *l, const LayerParams *p, size_t c)
{
    bool depthwise = l->op == OP_DEPTHWISE;
    size_t taps = (size_t)l->kh * l->kw, n = depthwise ? taps : taps * l->in_c;
    Channel ch = {.w = p->w, .n = n, .start = depthwise ? c : c * n,
                  .step = depthwise ? l->out_c : 1, .gain = 1, .bias = p->bias ? p->bias[c] : 0};
    if (p->gamma) {
        ch.gain = p->gamma[c] / sqrt((double)p->var[c] + NORM_EPSILON);
        ch.bias = (ch.bias - p->mean[c]) * ch.gain + p->beta[c];
    }
    for (size_t i = 0; i < n; i++) {
        double w = fabs(ch.gain * ch.w[ch.start + i * ch.step]);
        ch.sum += w;
        if (!(w <= ch.largest)) /* a NaN stays */
            ch.largest = w;
    }
    return ch;
}

/* The scale of a channel's weights is their largest over 127, but large enough
 * that bias and products sum up to 30 bits and the multiplier does not vanish:
 * a channel without weights still gives its bias. */
static double weight_scale(const Channel *ch, double in_scale, double out_scale)
{
    const double bits30 = 1 << 30;
    double fits = (255 * ch->sum + fabs(ch->bias) / in_scale) / bits30;
    double seen = out_scale / (in_scale * bits30);
    return fmax(ch->largest / 127, fmax(fits, seen));
}

static void quantise_channel(QLayer *t, const Channel *ch, size_t c, double in_scale,
                             double out_scale)
{
    double scale = weight_scale(ch, in_scale, out_scale);
    for (size_t i = 0; i < ch->n; i++) {
        size_t at = ch->start + i * ch->step;
        t->weights[at] = (int8_t)lround(ch->gain * ch->w[at] / scale);
    }
    t->bias[c] = (int32_t)lround(ch->bias / (in_scale * scale));
    quantize_multiplier(in_scale * scale / out_scale, &t->multiplier[c], &t->shift[c]);
}

/* The output's step is at least 2^-28 of what the layer could reach at all:
 * then no accumulator overflows where a multiplier shifts it left. Only a
 * layer that is dead on the calibration images comes near. */
static int quantise_weights(QModel *q, const Model *m, int l, double lo, double hi)
{
    const Layer *layer = &q->net.layer[l];
    const LayerParams *p = &m->layer[l];
    QLayer *t = &q->layer[l];
    double in_scale = q->tensor[1 + layer->input].scale, reach = 0;
    for (size_t c = 0; c < layer->out_c; c++) {
        Channel ch = folded_channel(layer, p, c);
        if (!isfinite(ch.sum) || !isfinite(ch.bias))
            return errorf("layer %d (%s): channel %zu has a weight that is not finite", l,
                          op_name((Op)layer->op), c);
        reach = fmax(reach, 255 * in_scale * ch.sum + fabs(ch.bias));
    }
    QTensor out = output_tensor(layer, lo, hi, ldexp(reach, -28));
    if (!isfinite(out.scale))
        return errorf("layer %d (%s): its weights are too large to be quantised", l,
                      op_name((Op)layer->op));
    for (size_t c = 0; c < layer->out_c; c++) {
        Channel ch = folded_channel(layer, p, c);
        quantise_channel(t, &ch, c, in_scale, out.scale);
    }
    q->tensor[1 + l] = out;
    set_activation(layer, out, t);
    return 0;
}

/* TFLite's add: both inputs, shifted left by 20, come to twice the larger
 * scale, and the sum to the output's. 2^-18 of it keeps the last step below 1. */
static void quantise_add(QModel *q, int l, double lo, double hi)
{
    const Layer *layer = &q->net.layer[l];
    QLayer *t = &q->layer[l];
    double a = q->tensor[1 + layer->input].scale, b = q->tensor[1 + layer->input2].scale;
    double twice = 2 * fmax(a, b);
    QTensor out = output_tensor(layer, lo, hi, ldexp(twice, -18));
    quantize_multiplier(a / twice, &t->multiplier[0], &t->shift[0]);
    quantize_multiplier(b / twice, &t->multiplier[1], &t->shift[1]);
    quantize_multiplier(ldexp(twice, -20) / out.scale, &t->multiplier[2], &t->shift[2]);
    q->tensor[1 + l] = out;
    set_activation(layer, out, t);
}

static int quantise_layer(QModel *q, const Model *m, int l, double lo, double hi)
{
    const Layer *layer = &q->net.layer[l];
    switch ((Op)layer->op) {
    case OP_CONV:
    case OP_DEPTHWISE:
    case OP_POINTWISE:
    case OP_DENSE:
        return quantise_weights(q, m, l, lo, hi);
    case OP_ADD:
        quantise_add(q, l, lo, hi);
        return 0;
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL: /* the runtime's pools do not requantise */
        q->tensor[1 + l] = q->tensor[1 + layer->input];
        set_activation(layer, q->tensor[1 + l], &q->layer[l]);
        return 0;
    case OP_MEAN:
    case OP_GATE:
    case OP_LOOKUP:
    case OP_SOFTMAX:
    case N_OPS:
        break;
    }
    return errorf("layer %d (%s) is not one that is trained in float", l, op_name((Op)layer->op));
}

static int check_ranges(const Net *net, const float *lo, const float *hi)
{
    for (int l = 0; l < net->n_layers; l++)
        if (!isfinite(lo[l]) || !isfinite(hi[l]) || lo[l] > hi[l])
            return errorf("layer %d (%s): its outputs range from %g to %g, which cannot be "
                          "quantised", l, op_name((Op)net->layer[l].op), lo[l], hi[l]);
    return 0;
}

int qmodel_make(QModel *q, const Model *m, const float *lo, const float *hi, float in_scale,
                int in_zero)
{
    if (!(in_scale >= FLT_MIN) || !isfinite(in_scale) || in_zero < INT8_MIN || in_zero > INT8_MAX)
        return errorf("the image's scale %g and zero %d are not those of an int8 tensor", in_scale,
                      in_zero);
    if (check_ranges(&m->net, lo, hi) != 0)
        return -1;
    qmodel_init(q, &m->net);
    q->tensor[0] = (QTensor){in_scale, (int8_t)in_zero};
    for (int l = 0; l < q->net.n_layers; l++)
        if (quantise_layer(q, m, l, lo[l], hi[l]) != 0) {
            qmodel_release(q);
            return -1;
        }
    return 0;
}
