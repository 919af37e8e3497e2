#include "estimator/plan.h"

#include "base/error.h"
#include "estimator/plan_inner.h"
#include "estimator/stream.h"
#include "runtime/scratch.h"

#include <assert.h>
#include <string.h>

_Static_assert(PACK_LAYERS >= NET_MAX_LAYERS, "every network can be packed");

/* How far row y of the output, written at its place, ends beyond the first
 * input row still needed then: (y + 1) * row_out - dead(y) * row_in. */
static int64_t ahead(const Layer *l, int y)
{
    int dead = y * l->sh - l->pad_top;
    if (dead < 0)
        dead = 0;
    if (dead > l->in_h)
        dead = l->in_h;
    return (int64_t)(y + 1) * l->out_w * l->out_c - (int64_t)dead * l->in_w * l->in_c;
}

/* Bytes the output must begin before the input when it is written over it row
 * by row: the largest ahead(). It rises while dead() is 0, then rises or falls
 * steadily, then rises again when the input has ended: three rows suffice. */
static uint32_t rows_ahead(const Layer *l)
{
    int last = l->out_h - 1, padded = l->pad_top / l->sh;
    int corner[] = {padded, padded + 1, last};
    int64_t most = 0;
    for (int i = 0; i < 3; i++) {
        int64_t a = ahead(l, corner[i] < last ? corner[i] : last);
        most = a > most ? a : most;
    }
    return plan_aligned((uint32_t)most);
}

uint32_t plan_overlap(const Layer *l, int kernel)
{
    if (kernel == STEP_DEPTHWISE_PLANES)
        return plan_may_cover(l) ? PACK_SAME : PACK_APART;
    switch ((Op)l->op) {
    case OP_DEPTHWISE:
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
    case OP_MEAN:
        return rows_ahead(l);
    case OP_ADD:
    case OP_GATE:
    case OP_LOOKUP:
    case OP_SOFTMAX:
        return PACK_SAME;
    case OP_CONV:
    case OP_POINTWISE: /* layer by layer it is one row of all pixels */
    case OP_DENSE:
    case N_OPS:
        break;
    }
    return PACK_APART;
}

/* A dense layer of one pixel, whose scratch is no more than its output. */
static bool is_point(const Layer *l)
{
    return l->op == OP_DENSE && l->in_h * l->in_w == 1 &&
           tb_pointwise_pairs_scratch(0, l->in_c) <= l->out_c;
}

/* Taps an output sums up in one go; the kernels of pairs count on no more (runtime/simd.h). Rows of
 * depthwise outputs that are shorter than a tile go faster tap by tap, without those outside:
 * 5x5 on 3x3 pixels takes 119k instructions of 144 channels, 156k on pairs; 7x7 on 3x3x320 272k, and
 * 350k on planes. */
enum { PAIRS_TAPS = 1 << 14, PAIRS_WIDTH = 4 };

int plan_kernel(const Layer *l, bool small)
{
    if (small)
        return l->op;
    if (l->op == OP_CONV && l->kh * l->kw * l->in_c <= PAIRS_TAPS)
        return STEP_CONV_PAIRS;
    if ((l->op == OP_POINTWISE || is_point(l)) && l->in_c <= PAIRS_TAPS)
        return STEP_POINTWISE_PAIRS;
    if (l->op == OP_DEPTHWISE && l->out_c == l->in_c && l->out_w >= PAIRS_WIDTH &&
        tb_depthwise_square(l->kh, l->kw, l->sw))
        return STEP_DEPTHWISE_PAIRS;
    return l->op;
}

/* An image that only the first layer reads can be pulled as that layer goes. */
static bool pulls_image(const Net *net, const PlanOptions *o)
{
    return o->image_outside && net_last_reader(net, NET_IMAGE) == 0;
}

static bool fits_planes(const Layer *l)
{
    return l->op == OP_DEPTHWISE && l->out_c == l->in_c && l->pad_top < l->kh &&
           (l->out_w >= PAIRS_WIDTH || l->kw == 3) &&
           tb_depthwise_in_planes(l->kh, l->kw, l->sh, l->sw, l->pad_left, l->out_w);
}

int plan_kernel_alone(const Layer *l, bool small)
{
    return fits_planes(l) && !small ? STEP_DEPTHWISE_PLANES : plan_kernel(l, small);
}

bool plan_may_cover(const Layer *l)
{
    return l->out_w <= l->in_w && l->out_h <= l->in_h && l->pad_top + 1 < l->kh;
}

int plan_kernel_of_layers(const Net *net, const PlanOptions *o, int layer)
{
    const Layer *l = &net->layer[layer];
    return layer == 0 && pulls_image(net, o) ? plan_kernel(l, o->small)
                                             : plan_kernel_alone(l, o->small);
}

uint32_t plan_scratch(const Layer *l, int kernel, int out_w)
{
    switch (kernel) {
    case STEP_CONV_PAIRS:
        return tb_conv_pairs_scratch(l->kh, l->kw, l->sw, l->in_c);
    case STEP_POINTWISE_PAIRS:
        return tb_pointwise_pairs_scratch(l->op == OP_DENSE ? 0 : 1, l->in_c);
    case STEP_DEPTHWISE_PAIRS:
        return tb_depthwise_pairs_scratch(l->kw, l->sw, (uint32_t)out_w);
    case STEP_DEPTHWISE_PLANES:
        return tb_depthwise_planes_scratch(l->kw, l->sh, l->sw, l->out_h, l->out_w);
    default:
        return 0;
    }
}

bool plan_packs_scales(int kernel)
{
    return kernel == STEP_CONV_PAIRS || kernel == STEP_POINTWISE_PAIRS;
}

uint32_t plan_weights(const Layer *l, int kernel)
{
    switch (kernel) {
    case STEP_CONV_PAIRS:
    case STEP_POINTWISE_PAIRS:
        return tb_pairs_weights((uint32_t)l->kh * l->kw * l->in_c, l->out_c);
    case STEP_DEPTHWISE_PAIRS:
        return plan_aligned(tb_depthwise_pairs_weights(l->kw, l->sw, l->in_c));
    case STEP_DEPTHWISE_PLANES:
        return tb_depthwise_planes_weights(l->kw, l->sw, l->in_c);
    default:
        return plan_aligned(layer_constants(l));
    }
}

static uint32_t scratch_of(const Net *net, const PlanOptions *o, int layer)
{
    const Layer *l = &net->layer[layer];
    return plan_scratch(l, plan_kernel_of_layers(net, o, layer), l->out_w);
}

static uint16_t image_rows(const Net *net, const PlanOptions *o)
{
    uint16_t kh = net->layer[0].kh;
    return pulls_image(net, o) && kh < net->h ? kh : net->h;
}

static uint32_t image_bytes(const Net *net, const PlanOptions *o)
{
    return (uint32_t)image_rows(net, o) * net->w * net->c;
}

uint32_t plan_block_scratch(int rows, int columns, int c)
{
    return tb_block_scratch((uint32_t)rows, (uint32_t)columns, (uint32_t)c);
}

static void describe(const Net *net, const PlanOptions *o, Policy policy, Packing *p)
{
    assert(net->n_layers > 0 && policy < N_POLICIES);
    p->n_layers = net->n_layers;
    p->align = PLAN_ALIGN;
    p->bytes[0] = plan_aligned(image_bytes(net, o));
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        int in = 1 + l->input, in2 = op_has_two_inputs((Op)l->op) ? 1 + l->input2 : in;
        p->layer[i] = (PackLayer){{(uint8_t)in, (uint8_t)(l->op == OP_ADD ? in2 : in)},
                                  policy == POLICY_INPLACE && !(i == 0 && pulls_image(net, o))
                                      ? plan_overlap(l, plan_kernel_of_layers(net, o, i))
                                      : PACK_APART,
                                  plan_aligned(scratch_of(net, o, i))};
        p->bytes[1 + i] = plan_aligned(net_tensor_bytes(net, i));
        p->last[1 + i] = p->last[in] = p->last[in2] = (uint8_t)i; /* later readers come later */
    }
}

static uint32_t end_of(const Net *net, const PlanOptions *o, const Packing *p)
{
    uint32_t arena = p->offset[0] + image_bytes(net, o);
    for (int i = 0; i < net->n_layers; i++) {
        uint32_t end = p->offset[1 + i] + net_tensor_bytes(net, i);
        uint32_t scratch = p->scratch_offset[i] + scratch_of(net, o, i);
        arena = end > arena ? end : arena;
        arena = scratch > arena ? scratch : arena;
    }
    return arena;
}

/* A chain of overlapping outputs may want more room than it saves: then apart is better. */
static void pack_net(const Net *net, const PlanOptions *o, Packing *p)
{
    describe(net, o, (Policy)o->policy, p);
    pack_tensors(p);
    if (o->policy == POLICY_INPLACE && p->capacity > p->least) {
        Packing apart;
        describe(net, o, POLICY_LAYERWISE, &apart);
        pack_tensors(&apart);
        if (end_of(net, o, &apart) < end_of(net, o, p))
            *p = apart;
    }
}

static PlanTensor tensor_of(const Net *net, const Packing *p, int layer)
{
    const Layer *l = layer == NET_IMAGE ? NULL : &net->layer[layer];
    return (PlanTensor){.offset = p->offset[1 + layer],
                        .bytes = net_tensor_bytes(net, layer),
                        .row_bytes = l ? (uint32_t)l->out_w * l->out_c : (uint32_t)net->w * net->c,
                        .rows = l ? l->out_h : net->h,
                        .first = (uint8_t)(l ? layer : 0),
                        .last = p->last[1 + layer],
                        .move = PLAN_STAYS};
}

void plan_make_layers(const Net *net, const PlanOptions *o, Plan *plan)
{
    Packing p;
    pack_net(net, o, &p);
    plan->n_segments = (uint8_t)net->n_layers;
    plan->arena = end_of(net, o, &p);
    plan->tensor[0] = tensor_of(net, &p, NET_IMAGE);
    plan->tensor[0].rows = image_rows(net, o);
    plan->tensor[0].bytes = image_bytes(net, o);
    for (int i = 0; i < net->n_layers; i++) {
        plan->segment[i] = (PlanSegment){.first = (uint8_t)i, .n = 1, .rows = 1, .columns = 1};
        plan->tensor[1 + i] = tensor_of(net, &p, i);
        plan->kernel[i] = (uint8_t)plan_kernel_of_layers(net, o, i);
        plan->scratch[i].offset = p.scratch_offset[i];
        plan->scratch[i].bytes = scratch_of(net, o, i);
    }
}

uint32_t plan_arena(const Net *net, const PlanOptions *o)
{
    assert(o->policy < N_POLICIES);
    if (o->policy == POLICY_LAYERWISE || o->policy == POLICY_INPLACE) {
        Packing p;
        pack_net(net, o, &p);
        return end_of(net, o, &p);
    }
    Plan plan;
    plan_make(net, o, &plan);
    return plan.arena;
}

void plan_set_kernels(const Net *net, bool small, Plan *plan)
{
    for (int i = 0; i < net->n_layers; i++)
        plan->kernel[i] = (uint8_t)plan_kernel(&net->layer[i], small);
}

void plan_make(const Net *net, const PlanOptions *o, Plan *plan)
{
    memset(plan, 0, sizeof *plan);
    assert(o->policy < N_POLICIES);
    plan->policy = o->policy;
    plan->image_outside = pulls_image(net, o);
    plan_set_kernels(net, o->small, plan);
    switch ((Policy)o->policy) {
    case POLICY_LAYERWISE:
    case POLICY_INPLACE:
        plan_make_layers(net, o, plan);
        break;
    case POLICY_STREAM:
        stream_make(net, o, plan);
        break;
    case POLICY_PATCH:
        plan_make_patches(net, o, plan);
        break;
    case N_POLICIES:
        break;
    }
    for (int i = 0, most = -1; i < plan->n_segments; i++) {
        int live = (int)plan_live(plan, net, i);
        plan->peak_segment = live > most ? (uint8_t)i : plan->peak_segment;
        most = live > most ? live : most;
    }
}

static const char *const names[] = {
#define X(policy, name) [POLICY_##policy] = name,
    PLAN_POLICIES(X)
#undef X
};

const char *policy_name(Policy policy)
{
    assert(policy <= POLICY_TINYENGINE);
    return policy == POLICY_TINYENGINE ? "tinyengine" : names[policy];
}

int policy_parse(const char *name, Policy *policy)
{
    for (int i = 0; i < N_POLICIES; i++) {
        if (strcmp(name, names[i]) == 0) {
            *policy = (Policy)i;
            return 0;
        }
    }
    return errorf("unknown policy '%s': it is layerwise, inplace, patch or stream", name);
}
