#include "estimator/plan.h"

#include "base/error.h"
#include "estimator/pack.h"
#include "runtime/scratch.h"

#include <assert.h>
#include <string.h>

_Static_assert(PACK_LAYERS >= NET_MAX_LAYERS, "every network can be packed");

static uint32_t aligned(uint32_t bytes)
{
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

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
    return aligned((uint32_t)most);
}

static uint32_t overlap_of(const Layer *l)
{
    switch ((Op)l->op) {
    case OP_DEPTHWISE:
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
        return rows_ahead(l);
    case OP_ADD:
        return PACK_SAME;
    case OP_CONV:
    case OP_POINTWISE: /* layer by layer it is one row of all pixels */
    case OP_DENSE:
    case N_OPS:
        break;
    }
    return PACK_APART;
}

static uint32_t scratch_of(const Layer *l)
{
    switch ((Op)l->op) {
    case OP_CONV:
        return tb_conv_scratch(l->kh, l->kw, l->in_c);
    case OP_DEPTHWISE:
        return tb_depthwise_scratch(l->kh, l->kw, l->in_c);
    case OP_POINTWISE:
        return tb_pointwise_scratch(l->in_c, l->out_c);
    case OP_ADD:
        return tb_add_scratch((uint32_t)l->in_w * l->in_c);
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
        return tb_pool_scratch(l->kh, l->kw, l->in_c);
    case OP_DENSE:
        return tb_dense_scratch((uint32_t)l->in_h * l->in_w * l->in_c, l->out_c);
    case N_OPS:
        break;
    }
    return 0;
}

static void describe(const Net *net, Policy policy, Packing *p)
{
    assert(net->n_layers > 0 && policy < N_POLICIES);
    p->n_layers = net->n_layers;
    p->align = PLAN_ALIGN;
    p->bytes[0] = aligned(net_tensor_bytes(net, NET_IMAGE));
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        int in = 1 + l->input, in2 = l->op == OP_ADD ? 1 + l->input2 : in;
        p->layer[i] = (PackLayer){{(uint8_t)in, (uint8_t)in2},
                                  policy == POLICY_INPLACE ? overlap_of(l) : PACK_APART,
                                  aligned(scratch_of(l))};
        p->bytes[1 + i] = aligned(net_tensor_bytes(net, i));
        p->last[1 + i] = p->last[in] = p->last[in2] = (uint8_t)i; /* later readers come later */
    }
}

static uint32_t end_of(const Net *net, const Packing *p)
{
    uint32_t arena = p->offset[0] + net_tensor_bytes(net, NET_IMAGE);
    for (int i = 0; i < net->n_layers; i++) {
        uint32_t end = p->offset[1 + i] + net_tensor_bytes(net, i);
        uint32_t scratch = p->scratch_offset[i] + scratch_of(&net->layer[i]);
        arena = end > arena ? end : arena;
        arena = scratch > arena ? scratch : arena;
    }
    return arena;
}

/* A chain of overlapping outputs may want more room than it saves: then apart is better. */
static void pack_net(const Net *net, Policy policy, Packing *p)
{
    describe(net, policy, p);
    pack_tensors(p);
    if (policy == POLICY_INPLACE && p->capacity > p->least) {
        Packing apart;
        describe(net, POLICY_LAYERWISE, &apart);
        pack_tensors(&apart);
        if (end_of(net, &apart) < end_of(net, p))
            *p = apart;
    }
}

uint32_t plan_arena(const Net *net, Policy policy)
{
    Packing p;
    pack_net(net, policy, &p);
    return end_of(net, &p);
}

static PlanTensor tensor_of(const Net *net, const Packing *p, int layer)
{
    const Layer *l = layer == NET_IMAGE ? NULL : &net->layer[layer];
    return (PlanTensor){.offset = p->offset[1 + layer],
                        .bytes = net_tensor_bytes(net, layer),
                        .row_bytes = l ? (uint32_t)l->out_w * l->out_c : (uint32_t)net->w * net->c,
                        .rows = l ? l->out_h : net->h,
                        .first = (uint8_t)(l ? layer : 0),
                        .last = p->last[1 + layer]};
}

void plan_make(const Net *net, Policy policy, Plan *plan)
{
    Packing p;
    pack_net(net, policy, &p);
    memset(plan, 0, sizeof *plan);
    plan->policy = (uint8_t)policy;
    plan->n_segments = (uint8_t)net->n_layers;
    plan->arena = end_of(net, &p);
    plan->tensor[0] = tensor_of(net, &p, NET_IMAGE);
    for (int i = 0; i < net->n_layers; i++) {
        plan->segment[i] = (PlanSegment){(uint8_t)i, 1};
        plan->tensor[1 + i] = tensor_of(net, &p, i);
        plan->scratch[i].offset = p.scratch_offset[i];
        plan->scratch[i].bytes = scratch_of(&net->layer[i]);
    }
    for (int i = 0, most = -1; i < plan->n_segments; i++) {
        int live = (int)plan_live(plan, net, i);
        plan->peak_segment = live > most ? (uint8_t)i : plan->peak_segment;
        most = live > most ? live : most;
    }
}

typedef struct {
    uint32_t begin, end;
} Bytes;

static void insert_bytes(Bytes *list, int *n, uint32_t offset, uint32_t bytes)
{
    int i = (*n)++;
    for (; i > 0 && list[i - 1].begin > offset; i--)
        list[i] = list[i - 1];
    list[i] = (Bytes){offset, offset + bytes};
}

/* A union: where an output lies over its input, those bytes count once. */
uint32_t plan_live(const Plan *plan, const Net *net, int segment)
{
    Bytes list[2 * NET_MAX_LAYERS + 1];
    const PlanSegment *s = &plan->segment[segment];
    int n = 0;
    for (int t = 0; t <= net->n_layers; t++)
        if (plan->tensor[t].first <= segment && segment <= plan->tensor[t].last)
            insert_bytes(list, &n, plan->tensor[t].offset, plan->tensor[t].bytes);
    for (int l = s->first; l < s->first + s->n; l++)
        insert_bytes(list, &n, plan->scratch[l].offset, plan->scratch[l].bytes);
    uint32_t live = 0, end = 0;
    for (int i = 0; i < n; i++) {
        uint32_t begin = list[i].begin > end ? list[i].begin : end;
        live += list[i].end > begin ? list[i].end - begin : 0;
        end = list[i].end > end ? list[i].end : end;
    }
    return live;
}

static const char *const names[] = {
#define X(policy, name) [POLICY_##policy] = name,
    PLAN_POLICIES(X)
#undef X
};

const char *policy_name(Policy policy)
{
    assert(policy < N_POLICIES);
    return names[policy];
}

int policy_parse(const char *name, Policy *policy)
{
    for (int i = 0; i < N_POLICIES; i++) {
        if (strcmp(name, names[i]) == 0) {
            *policy = (Policy)i;
            return 0;
        }
    }
    return errorf("unknown policy '%s': it is layerwise or inplace", name);
}
