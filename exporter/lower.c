#include "exporter/lower.h"

#include "base/alloc.h"
#include "base/error.h"
#include "exporter/constants.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static TbKernel *const kernel_of[N_STEPS] = {
#define X(step, kernel) [step] = kernel,
    LOWER_KERNELS(X)
#undef X
};

_Static_assert(NET_MAX_ROWS == TB_MAX_ROWS, "what net_check() lets pass can be run");
_Static_assert(PLAN_ALIGN == TB_ALIGN && PLAN_MAX_BLOCK == TB_MAX_BLOCK, "said twice, once meant");

typedef struct {
    const QModel *q;
    const Plan *plan;
    Lowered *out;
    uint32_t n_ops, n_tensors, n_segments; /* entries so far */
    uint16_t place[NET_MAX_LAYERS + 1];    /* of a tensor in the table; changes when it moves */
} Lowering;

/* One pass over a segment's layers: all of it, or a tile. As in plan_ranges(), 0 is the
 * segment's input and 1 + i the output of its layer i. */
typedef struct {
    int segment, tile;
    const PlanSegment *of;
    PlanRange range[NET_MAX_LAYERS + 1];
    uint16_t view[NET_MAX_LAYERS + 1];  /* in the table of tensors */
    uint32_t maker[NET_MAX_LAYERS + 1]; /* the op that makes it; before the pass's: it is there */
} Pass;

/* ---- entries ------------------------------------------------------------------------------- */

static uint16_t add_tensor(Lowering *x, TbTensor tensor, LoweredTensor from)
{
    x->out->tensor[x->n_tensors] = tensor;
    x->out->tensor_from[x->n_tensors] = from;
    return (uint16_t)x->n_tensors++;
}

static void begin_segment(Lowering *x, int segment, int tile)
{
    x->out->segment[x->n_segments] = (TbSegment){.first = (uint16_t)x->n_ops};
    x->out->segment_from[x->n_segments++] = (LoweredSegment){(uint8_t)segment, (uint16_t)tile};
}

static uint32_t add_op(Lowering *x, TbOp op, int step, int layer)
{
    op.kernel = kernel_of[step];
    op.block = step == STEP_DEPTHWISE_PLANES ? TB_ALL_ROWS : op.block ? op.block : 1;
    x->out->op[x->n_ops] = op;
    x->out->op_from[x->n_ops] = (LoweredOp){(uint8_t)step, (int16_t)layer};
    x->out->segment[x->n_segments - 1].n++;
    return x->n_ops++;
}

/* ---- tensors ------------------------------------------------------------------------------- */

static PlanRange whole_of(const Net *net, int t)
{
    const Layer *l = t == 0 ? NULL : &net->layer[t - 1];
    return (PlanRange){0, l ? l->out_h : net->h, 0, l ? l->out_w : net->w};
}

static uint16_t channels_of(const Net *net, int t)
{
    return t == 0 ? net->c : net->layer[t - 1].out_c;
}

static void lower_tensor(Lowering *x, int t)
{
    const PlanTensor *p = &x->plan->tensor[t];
    PlanRange all = whole_of(&x->q->net, t);
    x->place[t] = add_tensor(x, (TbTensor){p->offset, p->row_bytes, p->rows, all.y1},
                             (LoweredTensor){TENSOR_OF_PLAN, (uint8_t)t, all.x1, all});
}

/* w * c is large, or h * c, or h * w: never all of them beyond 16 bits. */
static void set_copied(TbOp *op, PlanRange all, uint16_t c)
{
    uint32_t h = all.y1, w = all.x1;
    uint32_t pixels = h * w <= UINT16_MAX ? h * w : w * c <= UINT16_MAX ? w * c : h * c;
    op->in_w = op->out_w = (uint16_t)pixels;
    op->in_c = op->out_c = (uint16_t)(h * w * c / pixels);
    assert(pixels <= UINT16_MAX && (uint32_t)op->in_w * op->in_c == h * w * c);
}

/* It moves before the segment, and from then on it is elsewhere. */
static void lower_move(Lowering *x, int segment, int t)
{
    uint16_t old = x->place[t];
    TbTensor to = x->out->tensor[old];
    TbOp op = {.in_h = 1, .out_h = 1, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .input = old,
               .input2 = old};
    to.offset = x->plan->tensor[t].moved;
    set_copied(&op, whole_of(&x->q->net, t), channels_of(&x->q->net, t));
    LoweredTensor from = x->out->tensor_from[old];
    from.kind = TENSOR_MOVED;
    op.output = x->place[t] = add_tensor(x, to, from);
    begin_segment(x, segment, 0);
    add_op(x, op, STEP_COPY, t - 1);
}

/* ---- tiles --------------------------------------------------------------------------------- */

static bool pulls(const Lowering *x, const PlanSegment *s)
{
    return s->first == 0 && x->plan->image_outside;
}

static int tensor_at(const Lowering *x, const PlanSegment *s, int slot)
{
    return slot == 0 ? 1 + x->q->net.layer[s->first].input : s->first + slot;
}

/* Part of a whole tensor, or a ring as wide as the part. */
static uint16_t add_view(Lowering *x, const PlanSegment *s, int slot, PlanRange part)
{
    int t = tensor_at(x, s, slot);
    uint16_t c = channels_of(&x->q->net, t), h = (uint16_t)(part.y1 - part.y0);
    uint16_t w = (uint16_t)(part.x1 - part.x0);
    TbTensor v = x->out->tensor[x->place[t]];
    bool kept = slot == s->n || (slot == 0 && !pulls(x, s));
    if (kept)
        v.offset += part.y0 * v.row_bytes + (uint32_t)part.x0 * c;
    else
        v.row_bytes = (uint32_t)w * c;
    v.rows = v.rows < h ? v.rows : h;
    v.h = h;
    return add_tensor(x, v, (LoweredTensor){TENSOR_VIEW, (uint8_t)t, w, part});
}

static Pass pass_of(Lowering *x, int segment, int tile)
{
    const PlanSegment *s = &x->plan->segment[segment];
    bool tiles = s->rows * s->columns > 1;
    Pass p = {.segment = segment, .tile = tile, .of = s};
    if (tiles)
        plan_ranges(&x->q->net, s, tile, p.range);
    for (int slot = 0; slot <= s->n; slot++) {
        int t = tensor_at(x, s, slot);
        if (!tiles)
            p.range[slot] = whole_of(&x->q->net, t);
        bool placed = slot == 0 || x->plan->tensor[t].bytes > 0; /* not inside a block */
        p.view[slot] = tiles && placed ? add_view(x, s, slot, p.range[slot]) : x->place[t];
        p.maker[slot] = 0;
    }
    return p;
}

/* ---- what an op reads ---------------------------------------------------------------------- */

/* A layer's input as the op sees it: where, of what size, padded by how much. */
typedef struct {
    uint16_t tensor, h, w;
    uint8_t pad_top, pad_left, back;
    int8_t zero;
} Read;

static uint16_t later_view(Lowering *x, uint16_t view, int top, int left)
{
    TbTensor v = x->out->tensor[view];
    LoweredTensor from = x->out->tensor_from[view];
    v.offset += (uint32_t)top * v.row_bytes +
                (uint32_t)left * channels_of(&x->q->net, from.tensor);
    v.h = (uint16_t)(v.h - top);
    v.rows = v.rows < v.h ? v.rows : v.h;
    from.part.y0 = (uint16_t)(from.part.y0 + top);
    from.part.x0 = (uint16_t)(from.part.x0 + left);
    from.w = (uint16_t)(from.part.x1 - from.part.x0);
    return add_tensor(x, v, from);
}

/* Of a pass over everything a tensor may come from elsewhere: it is whole. */
static Read read_elsewhere(const Lowering *x, int t)
{
    PlanRange all = whole_of(&x->q->net, t);
    assert(x->plan->tensor[t].rows == all.y1);
    return (Read){.tensor = x->place[t], .h = all.y1, .w = all.x1, .zero = x->q->tensor[t].zero};
}

/* What `l`, or a block that looks through the window of l, reads of tensor t for `out` of its
 * output. Where other readers need more of the tile's part, its first column is not the
 * window's: the window is padded by what lies outside the image, or the view begins later. */
static Read read_of(Lowering *x, const Pass *p, const Layer *l, int t, PlanRange out)
{
    int first = p->of->first, slot = t > first ? t - first : 0;
    if (slot == 0 && t != tensor_at(x, p->of, 0)) {
        assert(p->of->rows * p->of->columns == 1);
        Read r = read_elsewhere(x, t);
        r.pad_top = l->pad_top;
        r.pad_left = l->pad_left;
        return r;
    }
    PlanRange in = p->range[slot];
    int top = out.y0 * l->sh - l->pad_top - in.y0, left = out.x0 * l->sw - l->pad_left - in.x0;
    uint32_t begin = x->out->segment[x->n_segments - 1].first, made = p->maker[slot];
    Read r = {.tensor = p->view[slot], .zero = x->q->tensor[t].zero};
    r.pad_top = (uint8_t)(top < 0 ? -top : 0);
    r.pad_left = (uint8_t)(left < 0 ? -left : 0);
    top = top < 0 ? 0 : top;
    left = left < 0 ? 0 : left;
    if (plan_reads_later(l, in, out))
        r.tensor = later_view(x, r.tensor, top, left);
    r.h = (uint16_t)(in.y1 - in.y0 - top);
    r.w = (uint16_t)(in.x1 - in.x0 - left);
    r.back = (uint8_t)(made > begin ? x->n_ops - (made - 1) : 0);
    return r;
}

static void set_input(TbOp *op, const Read *in, const Read *in2)
{
    op->in_h = in->h;
    op->in_w = in->w;
    op->pad_top = in->pad_top;
    op->pad_left = in->pad_left;
    op->input = in->tensor;
    op->input2 = in2->tensor;
    op->in_zero = in->zero;
    op->in2_zero = in2->zero;
    op->back = in->back;
    op->back2 = in2->back;
}

static void set_output(TbOp *op, const Lowering *x, const Pass *p, int i)
{
    int slot = 1 + i - p->of->first;
    PlanRange out = p->range[slot];
    op->out_h = (uint16_t)(out.y1 - out.y0);
    op->out_w = (uint16_t)(out.x1 - out.x0);
    op->output = p->view[slot];
    op->out_zero = x->q->tensor[1 + i].zero;
}

/* ---- ops ----------------------------------------------------------------------------------- */

/* What does not depend on where it is executed. */
static TbOp op_of(const Lowering *x, int i)
{
    const Layer *l = &x->q->net.layer[i];
    const QLayer *t = &x->q->layer[i];
    return (TbOp){.weights = x->out->constants[i].weights, .bias = x->out->constants[i].bias,
                  .multiplier = t->multiplier,
                  .shift = t->shift, .scratch = x->plan->scratch[i].offset,
                  .in_c = l->in_c, .out_c = l->out_c,
                  .kh = l->kh, .kw = l->kw, .sh = l->sh, .sw = l->sw,
                  .act_min = t->act_min, .act_max = t->act_max};
}

/* Row after row without a gap. */
static bool is_dense(const TbTensor *t, int w, int c)
{
    return t->rows == t->h && (t->h == 1 || t->row_bytes == (uint32_t)w * (uint32_t)c);
}

/* The output lies beside the input or, when each value follows from one, exactly on it. */
static bool may_write(const TbTensor *out, const TbTensor *in, bool each)
{
    uint32_t end = out->offset + out->rows * out->row_bytes;
    bool apart = end <= in->offset || in->offset + in->rows * in->row_bytes <= out->offset;
    return apart || (each && out->offset == in->offset);
}

/* What looks at one pixel at a time, alone in its segment, on tensors that keep all their
 * rows, is one row of h * w pixels: one call of the kernel. The tables of tensors stay as
 * they are, because row 0 of a tensor is where it begins. */
static bool is_one_row(const Lowering *x, const Layer *l, const TbOp *op)
{
    const TbTensor *tensor = x->out->tensor, *in = &tensor[op->input], *out = &tensor[op->output];
    const TbTensor *in2 = &tensor[op->input2];
    bool each = l->op == OP_ADD || l->op == OP_GATE || l->op == OP_LOOKUP || l->op == OP_SOFTMAX;
    if ((l->op != OP_POINTWISE && !each) || op->back || op->back2 ||
        (uint32_t)op->in_h * op->in_w > UINT16_MAX)
        return false;
    if (!is_dense(in, op->in_w, op->in_c) || !is_dense(out, op->out_w, op->out_c) ||
        !may_write(out, in, each))
        return false;
    if (l->op == OP_GATE)
        return may_write(out, in2, false);
    return is_dense(in2, op->in_w, op->in_c) && may_write(out, in2, each);
}

/* All rows at once: on tensors without gaps, apart or of which each byte comes after the ones it
 * follows from. */
static bool may_make_all(const Lowering *x, const Layer *l, const TbOp *op)
{
    const TbTensor *in = &x->out->tensor[op->input], *out = &x->out->tensor[op->output];
    return is_dense(in, op->in_w, op->in_c) && is_dense(out, op->out_w, op->out_c) && !op->back &&
           may_write(out, in, plan_may_cover(l));
}

static uint32_t lower_layer(Lowering *x, const Pass *p, int i)
{
    const Net *net = &x->q->net;
    const Layer *l = &net->layer[i];
    PlanRange out = p->range[1 + i - p->of->first];
    TbOp op = op_of(x, i);
    Read in = read_of(x, p, l, 1 + l->input, out), in2 = in;
    if (op_has_two_inputs((Op)l->op))
        in2 = read_of(x, p, l, 1 + l->input2, l->op == OP_GATE ? (PlanRange){0, 1, 0, 1} : out);
    set_input(&op, &in, &in2);
    set_output(&op, x, p, i);
    if (plan_sums(net, x->plan, i)) { /* a call for each row it sees */
        assert(i == p->of->first + p->of->n - 1);
        op.kh = 1;
        op.out_h = op.in_h;
        return add_op(x, op, STEP_SUM_POOL, i);
    }
    if (p->of->n == 1 && is_one_row(x, l, &op)) {
        op.in_w = op.out_w = (uint16_t)(op.in_h * op.in_w);
        op.in_h = op.out_h = 1;
    }
    if (l->op == OP_DENSE && x->plan->kernel[i] == STEP_POINTWISE_PAIRS)
        op.sw = 0;
    assert(x->plan->kernel[i] != STEP_DEPTHWISE_PLANES || may_make_all(x, l, &op));
    return add_op(x, op, x->plan->kernel[i], i);
}

/* A part of a block carries the layer's constants; its shape is that of one pixel. */
static void lower_part(Lowering *x, const Pass *p, int i)
{
    const Layer *l = &x->q->net.layer[i];
    int slot = 1 + i - p->of->first;
    TbOp op = op_of(x, i);
    op.in_h = l->kh;
    op.in_w = l->kw;
    op.out_h = op.out_w = 1;
    op.in_zero = op.in2_zero = x->q->tensor[1 + l->input].zero;
    op.out_zero = x->q->tensor[1 + i].zero;
    op.input = op.input2 = p->view[slot - 1];
    op.output = p->view[slot];
    add_op(x, op, l->op, i);
}

/* Layers i to i + 2. It looks at the input of the first through the window of the second. */
static uint32_t lower_block(Lowering *x, const Pass *p, int i)
{
    const Layer *l = &x->q->net.layer[i], *depthwise = l + 1, *project = l + 2;
    PlanRange out = p->range[3 + i - p->of->first];
    int rows = x->plan->block[i + 2];
    Read in = read_of(x, p, depthwise, 1 + l->input, out);
    for (int part = i; part < i + 3; part++)
        lower_part(x, p, part);
    in.back = (uint8_t)(in.back ? in.back + 3 : 0);
    TbOp op = {.in_c = l->in_c, .out_c = project->out_c,
               .kh = (uint8_t)((rows - 1) * depthwise->sh + depthwise->kh), .kw = depthwise->kw,
               .sh = depthwise->sh, .sw = depthwise->sw, .block = (uint8_t)rows,
               .act_min = INT8_MIN, .act_max = INT8_MAX,
               .scratch = x->plan->scratch[i + 2].offset};
    set_input(&op, &in, &in);
    set_output(&op, x, p, i + 2);
    assert(op.kh <= TB_MAX_ROWS && rows <= TB_MAX_BLOCK);
    return add_op(x, op, STEP_BLOCK, i + 2);
}

/* Rows [y0, y1), columns [x0, x1) of an image that is outside. */
static uint32_t lower_input(Lowering *x, const Pass *p)
{
    PlanRange r = p->range[0];
    uint16_t h = (uint16_t)(r.y1 - r.y0), w = (uint16_t)(r.x1 - r.x0), c = x->q->net.c;
    TbOp op = {.in_h = r.y0, .in_w = r.x0, .in_c = c, .out_h = h, .out_w = w, .out_c = c,
               .kh = 1, .kw = 1, .sh = 1, .sw = 1,
               .input = p->view[0], .input2 = p->view[0], .output = p->view[0]};
    return add_op(x, op, STEP_INPUT, NET_IMAGE);
}

static void lower_pass(Lowering *x, int segment, int tile)
{
    Pass p = pass_of(x, segment, tile);
    int first = p.of->first, end = first + p.of->n;
    begin_segment(x, segment, tile);
    if (pulls(x, p.of))
        p.maker[0] = 1 + lower_input(x, &p);
    for (int i = first; i < end;) {
        bool block = i + 2 < end && x->plan->block[i + 2];
        if (p.of->tiled && i > first)
            begin_segment(x, segment, tile);
        assert(!block || !p.of->tiled);
        uint32_t op = block ? lower_block(x, &p, i) : lower_layer(x, &p, i);
        i += block ? 3 : 1;
        p.maker[i - first] = 1 + op;
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int check_segment(const Lowering *x, int segment)
{
    const PlanSegment *s = &x->plan->segment[segment];
    int n = s->n + pulls(x, s);
    for (int i = s->first; i < s->first + s->n; i++)
        n += x->plan->block[i] > 0;
    if (n > TB_MAX_SEGMENT)
        return errorf("segment %d has %d steps, the runtime streams at most %d", segment, n,
                      TB_MAX_SEGMENT);
    return 0;
}

static void *take(uint8_t **at, size_t n, size_t bytes)
{
    void *here = *at;
    *at += (n * bytes + 15) / 16 * 16;
    return here;
}

static void allocate(const PlanSize *n, Lowered *out)
{
    size_t op = sizeof(TbOp) + sizeof(LoweredOp), tensor = sizeof(TbTensor) + sizeof(LoweredTensor);
    size_t segment = sizeof(TbSegment) + sizeof(LoweredSegment);
    uint8_t *at = xcalloc(1, n->n_ops * op + n->n_tensors * tensor + n->n_segments * segment + 96);
    out->block = at;
    out->op = take(&at, n->n_ops, sizeof *out->op);
    out->tensor = take(&at, n->n_tensors, sizeof *out->tensor);
    out->segment = take(&at, n->n_segments, sizeof *out->segment);
    out->op_from = take(&at, n->n_ops, sizeof *out->op_from);
    out->tensor_from = take(&at, n->n_tensors, sizeof *out->tensor_from);
    out->segment_from = take(&at, n->n_segments, sizeof *out->segment_from);
}

/* ---- constants ----------------------------------------------------------------------------- */

static size_t packed_bytes(const Lowering *x, int i)
{
    const Layer *l = &x->q->net.layer[i];
    bool pairs = x->plan->kernel[i] >= N_OPS;
    size_t biases = plan_packs_scales(x->plan->kernel[i]) ? 0 : l->out_c * sizeof(int32_t);
    return pairs ? plan_weights(l, x->plan->kernel[i]) + biases : 0;
}

static uint8_t *pack_constants(Lowering *x, int i, uint8_t *at)
{
    const Layer *l = &x->q->net.layer[i];
    const QLayer *t = &x->q->layer[i];
    int kernel = x->plan->kernel[i];
    int32_t *bias = (int32_t *)(void *)(at + plan_weights(l, kernel));
    const LayerConstants natural = {t->weights, t->bias, t->multiplier, t->shift,
                                    x->q->tensor[1 + l->input].zero};
    constants_pack(l, kernel, &natural, (int8_t *)at);
    x->out->constants[i].weights = (int8_t *)at;
    x->out->constants[i].bias = NULL;
    if (!plan_packs_scales(kernel)) {
        constants_fold(l, &natural, bias);
        x->out->constants[i].bias = bias;
    }
    return at + packed_bytes(x, i);
}

static void lower_constants(Lowering *x)
{
    size_t bytes = 0;
    for (int i = 0; i < x->q->net.n_layers; i++)
        bytes += packed_bytes(x, i);
    uint8_t *at = x->out->packed = xcalloc(bytes + 1, 1);
    for (int i = 0; i < x->q->net.n_layers; i++) {
        x->out->constants[i].weights = x->q->layer[i].weights;
        x->out->constants[i].bias = x->q->layer[i].bias;
        if (packed_bytes(x, i))
            at = pack_constants(x, i, at);
    }
}

static void lower_segment(Lowering *x, int segment)
{
    const PlanSegment *s = &x->plan->segment[segment];
    for (int t = 0; t <= x->q->net.n_layers; t++)
        if (x->plan->tensor[t].move == segment)
            lower_move(x, segment, t);
    for (int tile = 0; tile < s->rows * s->columns; tile++)
        lower_pass(x, segment, tile);
}

int lower(const QModel *q, const Plan *plan, Lowered *out)
{
    Lowering x = {.q = q, .plan = plan, .out = out};
    memset(out, 0, sizeof *out);
    if (net_check(&q->net) != 0)
        return -1;
    assert(plan->n_segments > 0);
    for (int s = 0; s < plan->n_segments; s++)
        if (check_segment(&x, s) != 0)
            return -1;
    PlanSize size = plan_size(&q->net, plan);
    allocate(&size, out);
    lower_constants(&x);
    for (int t = 0; t <= q->net.n_layers; t++)
        lower_tensor(&x, t);
    for (int s = 0; s < plan->n_segments; s++)
        lower_segment(&x, s);
    assert(x.n_ops == size.n_ops && x.n_tensors == size.n_tensors &&
           x.n_segments == size.n_segments);
    assert(x.n_ops <= UINT16_MAX && x.n_tensors <= UINT16_MAX);
    out->image_outside = plan->image_outside;
    out->output = x.place[q->net.n_layers];
    out->model = (TbModel){.op = out->op,
                           .tensor = out->tensor,
                           .segment = out->segment,
                           .n_ops = (uint16_t)x.n_ops,
                           .n_tensors = (uint16_t)x.n_tensors,
                           .n_segments = (uint16_t)x.n_segments,
                           .arena_bytes = plan->arena};
    return 0;
}

void lowered_release(Lowered *lowered)
{
    free(lowered->block);
    free(lowered->packed);
    lowered->block = lowered->packed = NULL;
}

/* ---- running ------------------------------------------------------------------------------- */

typedef struct {
    const Net *net;
    const int8_t *image;
} Outside;

static void give_row(void *context, int y, int x0, int x1, int8_t *to)
{
    const Outside *o = context;
    size_t at = ((size_t)y * o->net->w + (size_t)x0) * o->net->c;
    memcpy(to, o->image + at, (size_t)(x1 - x0) * o->net->c);
}

const int8_t *lowered_run(const Lowered *lowered, const Net *net, const int8_t *image,
                          int8_t *arena)
{
    Outside outside = {net, image};
    TbInput input = {give_row, &outside};
    if (!lowered->image_outside)
        memcpy(arena + lowered->tensor[0].offset, image, net_tensor_bytes(net, NET_IMAGE));
    tb_run(&lowered->model, arena, lowered->image_outside ? &input : NULL);
    return arena + lowered->tensor[lowered->output].offset;
}
