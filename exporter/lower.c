#include "exporter/lower.h"

#include "base/error.h"

#include <assert.h>
#include <string.h>

static TbKernel *const kernel_of[N_OPS] = {
#define X(op, kernel) [OP_##op] = kernel,
    LOWER_KERNELS(X)
#undef X
};

_Static_assert(NET_MAX_ROWS == TB_MAX_ROWS, "what net_check() lets pass can be run");

static bool whole(const Plan *plan, int t, int h)
{
    return plan->tensor[t].rows == h;
}

/* The output lies beside the input or, for an add, exactly on it. */
static bool may_write(const PlanTensor *out, const PlanTensor *in, bool is_add)
{
    bool apart = out->offset + out->bytes <= in->offset || in->offset + in->bytes <= out->offset;
    return apart || (is_add && out->offset == in->offset);
}

/* A 1x1 layer or an add, alone in its segment and on tensors that keep all
 * their rows, is one row of h * w pixels: one call of the kernel. The tables
 * of tensors stay as they are, because row 0 of a tensor is where it begins. */
static bool is_one_row(const Layer *l, const Plan *plan, int i, int in_segment)
{
    const PlanTensor *out = &plan->tensor[1 + i];
    bool is_add = l->op == OP_ADD;
    if ((l->op != OP_POINTWISE && !is_add) || in_segment != 1)
        return false;
    if ((uint32_t)l->in_h * l->in_w > UINT16_MAX || !whole(plan, 1 + i, l->out_h))
        return false;
    if (!whole(plan, 1 + l->input, l->in_h) ||
        !may_write(out, &plan->tensor[1 + l->input], is_add))
        return false;
    return !is_add || (whole(plan, 1 + l->input2, l->in_h) &&
                       may_write(out, &plan->tensor[1 + l->input2], is_add));
}

static TbOp lower_op(const QModel *q, const Plan *plan, int i, int first, int in_segment)
{
    const Layer *l = &q->net.layer[i];
    const QLayer *t = &q->layer[i];
    int input2 = op_has_two_inputs((Op)l->op) ? l->input2 : l->input;
    TbOp op = {
        .kernel = kernel_of[l->op],
        .weights = t->weights,
        .bias = t->bias,
        .multiplier = t->multiplier,
        .shift = t->shift,
        .scratch = plan->scratch[i].offset,
        .in_h = l->in_h, .in_w = l->in_w, .in_c = l->in_c,
        .out_h = l->out_h, .out_w = l->out_w, .out_c = l->out_c,
        .kh = l->kh, .kw = l->kw, .sh = l->sh, .sw = l->sw,
        .pad_top = l->pad_top, .pad_left = l->pad_left,
        .in_zero = q->tensor[1 + l->input].zero,
        .in2_zero = q->tensor[1 + input2].zero,
        .out_zero = q->tensor[1 + i].zero,
        .act_min = t->act_min, .act_max = t->act_max,
        .input = (uint16_t)(1 + l->input),
        .input2 = (uint16_t)(1 + input2),
        .output = (uint16_t)(1 + i),
        .back = (uint8_t)(l->input >= first ? i - l->input : 0),
        .back2 = (uint8_t)(input2 >= first ? i - input2 : 0),
        .block = 1,
    };
    if (is_one_row(l, plan, i, in_segment)) {
        op.in_w = op.out_w = (uint16_t)(l->in_h * l->in_w);
        op.in_h = op.out_h = 1;
    }
    return op;
}

static TbTensor lower_tensor(const QModel *q, const Plan *plan, int t)
{
    const PlanTensor *p = &plan->tensor[t];
    uint16_t h = t == 0 ? q->net.h : q->net.layer[t - 1].out_h;
    return (TbTensor){.offset = p->offset, .row_bytes = p->row_bytes, .rows = p->rows, .h = h};
}

static int lower_segment(const QModel *q, const Plan *plan, int s, Lowered *out)
{
    PlanSegment segment = plan->segment[s];
    if (segment.n > TB_MAX_SEGMENT)
        return errorf("segment %d has %d layers, the runtime streams at most %d", s, segment.n,
                      TB_MAX_SEGMENT);
    out->segment[s] = (TbSegment){.first = segment.first, .n = segment.n};
    for (int i = segment.first; i < segment.first + segment.n; i++)
        out->op[i] = lower_op(q, plan, i, segment.first, segment.n);
    return 0;
}

int lower(const QModel *q, const Plan *plan, Lowered *out)
{
    int n = q->net.n_layers;
    if (net_check(&q->net) != 0)
        return -1;
    assert(plan->n_segments > 0);
    memset(out, 0, sizeof *out);
    for (int t = 0; t <= n; t++)
        out->tensor[t] = lower_tensor(q, plan, t);
    for (int s = 0; s < plan->n_segments; s++)
        if (lower_segment(q, plan, s, out) != 0)
            return -1;
    out->model = (TbModel){.op = out->op,
                           .tensor = out->tensor,
                           .segment = out->segment,
                           .n_ops = (uint16_t)n,
                           .n_tensors = (uint16_t)(n + 1),
                           .n_segments = plan->n_segments,
                           .arena_bytes = plan->arena};
    return 0;
}
