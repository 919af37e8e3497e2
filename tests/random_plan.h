/* random_plan.h - random networks, and random valid plans of every mode for them.
 *
 * Which rows a ring must keep and how far an output may run into its input is
 * not computed but watched: rows are asked for in the executor's order, and
 * what was still needed when is written down. So it checks the planner's
 * formulas, which are not used here. A failing case prints net and plan. */
#ifndef RANDOM_PLAN_H
#define RANDOM_PLAN_H

#include "base/alloc.h"
#include "base/error.h"
#include "estimator/plan_inner.h"
#include "evaluator/host.h"
#include "tests/random_qmodel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int between(Rng *rng, int low, int high) /* both included */
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

static inline bool one_in(Rng *rng, int n)
{
    return rng_below(rng, (uint32_t)n) == 0;
}

/* ---- networks ---------------------------------------------------------------------------- */

static inline Layer shape_at(const Net *net, int at)
{
    return at == NET_IMAGE ? (Layer){.out_h = net->h, .out_w = net->w, .out_c = net->c}
                           : net->layer[at];
}

/* Some padding before, and behind it as much as a window that meets the image allows. */
static inline uint16_t random_slides(Rng *rng, int in, int k, int s, int pad)
{
    int least = in + pad < k ? 1 : (in + pad - k) / s + 1, most = (in + pad - 1) / s + 1;
    return (uint16_t)between(rng, least, most);
}

/* Gives a layer a window of its own; `same`: of stride 1, output as large as the input. */
static inline int with_window(Net *net, int i, bool same, Rng *rng)
{
    static const uint8_t kernel[] = {1, 2, 3, 3, 3, 4, 5, 7}, stride[] = {1, 1, 1, 2, 2, 3};
    Layer *l = &net->layer[i];
    l->kh = kernel[rng_below(rng, 8)];
    l->kw = kernel[rng_below(rng, 8)];
    l->sh = same ? 1 : stride[rng_below(rng, 6)];
    l->sw = same ? 1 : stride[rng_below(rng, 6)];
    l->pad_top = (uint8_t)(one_in(rng, 2) ? l->kh / 2 : between(rng, 0, l->kh - 1));
    l->pad_left = (uint8_t)(one_in(rng, 2) ? l->kw / 2 : between(rng, 0, l->kw - 1));
    l->out_h = same ? l->in_h : random_slides(rng, l->in_h, l->kh, l->sh, l->pad_top);
    l->out_w = same ? l->in_w : random_slides(rng, l->in_w, l->kw, l->sw, l->pad_left);
    return i;
}

static inline int random_depthwise(Net *net, int at, bool same, int multiplier, Rng *rng)
{
    at = net_depthwise(net, at, square(1), square(1), ACT_NONE);
    net->layer[at].out_c = (uint16_t)(net->layer[at].out_c * multiplier);
    return with_window(net, at, same, rng);
}

/* Expansion, depthwise, projection, mostly with a residual; sometimes gated in between. */
static inline int random_bottleneck(Net *net, int at, Rng *rng)
{
    bool residual = !one_in(rng, 3);
    int input = at, c = shape_at(net, at).out_c;
    at = net_pointwise(net, at, between(rng, 2, 20), ACT_NONE);
    at = random_depthwise(net, at, residual, 1, rng);
    if (one_in(rng, 8)) {
        int vector = net_mean(net, at, true, true);
        at = net_gate(net, at, net_lookup(net, net_pointwise(net, vector, net->layer[at].out_c,
                                                            ACT_NONE)));
    }
    at = net_pointwise(net, at, residual ? c : between(rng, 1, 12), ACT_NONE);
    if (!residual)
        return at;
    return one_in(rng, 2) ? net_add(net, at, input) : net_add(net, input, at);
}

/* A shortcut over any few layers that keep the shape. */
static inline int random_shortcut(Net *net, int at, Rng *rng)
{
    int input = at;
    for (int n = between(rng, 0, 3); n > 0; n--)
        at = one_in(rng, 3) ? net_lookup(net, at) : random_depthwise(net, at, true, 1, rng);
    return one_in(rng, 2) ? net_add(net, at, input) : net_add(net, input, at);
}

static inline int random_step(Net *net, int at, Rng *rng)
{
    Layer l = shape_at(net, at);
    int c = between(rng, 1, 12);
    switch (rng_below(rng, 12)) {
    case 0:
    case 1:
        return with_window(net, net_conv(net, at, c, square(1), square(1), ACT_NONE), false, rng);
    case 2:
    case 3:
        return random_depthwise(net, at, false, l.out_c < 8 ? between(rng, 1, 3) : 1, rng);
    case 4:
        return with_window(net, net_pool(net, one_in(rng, 2) ? OP_AVG_POOL : OP_MAX_POOL, at,
                                         square(1), square(1)), false, rng);
    case 5:
        return net_pointwise(net, at, c, ACT_NONE);
    case 6:
        return random_shortcut(net, at, rng);
    case 7:
        return one_in(rng, 3) ? net_mean(net, at, one_in(rng, 2), true) : net_lookup(net, at);
    default:
        return random_bottleneck(net, at, rng);
    }
}

static inline void random_end(Net *net, int at, Rng *rng)
{
    if (one_in(rng, 2))
        at = one_in(rng, 4) ? net_mean(net, at, true, true) : net_global_pool(net, at);
    if (one_in(rng, 2))
        at = net_dense(net, at, between(rng, 2, 10), ACT_NONE);
    if (net->n_layers == 0 || one_in(rng, 8))
        net_softmax(net, at);
}

/* Mostly a chain; in one of four a step in eight goes on from an earlier tensor, so that some
 * are never read. Some are large. */
static inline void random_chain(Net *net, Rng *rng)
{
    int most = one_in(rng, 3) ? 56 : 24, n = between(rng, 0, one_in(rng, 8) ? 14 : 6);
    bool chain = !one_in(rng, 4);
    do {
        int at = NET_IMAGE;
        net_begin(net, between(rng, 1, most), between(rng, 1, most), between(rng, 1, 4));
        for (int i = 0; i < n; i++) {
            if (!chain && net->n_layers > 0 && one_in(rng, 8))
                at = between(rng, NET_IMAGE, net->n_layers - 1);
            at = random_step(net, at, rng);
        }
        random_end(net, at, rng);
    } while (net_check(net) != 0); /* paddings let it grow too high for a pool */
}

/* ---- watching rows flow ------------------------------------------------------------------- */

enum { FLOW_ROWS = 128 };

/* Slots as in plan_ranges(): 0 the segment's input, 1 + i the output of its layer i. Rows are
 * those of the whole tensor. */
typedef struct {
    const Net *net;
    const Plan *plan;
    const PlanSegment *s;
    bool pulled; /* slot 0 is a ring that is filled on demand */
    PlanRange range[NET_MAX_LAYERS + 1];
    int made[NET_MAX_LAYERS + 1];  /* the next row */
    int kept[NET_MAX_LAYERS + 1];  /* rows back that were read, at most */
    int time;
    int last_read[FLOW_ROWS];      /* when a row of the input was read last */
    int written[FLOW_ROWS];        /* when a row of the output was written */
} Flow;

static inline int flow_slot(const Flow *f, int layer)
{
    int first = f->s->first;
    return layer >= first ? 1 + layer - first : layer == f->net->layer[first].input ? 0 : -1;
}

static inline void flow_make(Flow *f, int slot);

static inline void flow_have(Flow *f, int slot, int end)
{
    bool there = slot < 0 || (slot == 0 && !f->pulled);
    while (!there && f->made[slot] < end)
        flow_make(f, slot);
}

static inline void flow_read(Flow *f, int slot, int from, int to)
{
    from = from > 0 ? from : 0;
    if (slot < 0 || from >= to)
        return;
    int back = f->made[slot] - from;
    f->kept[slot] = back > f->kept[slot] ? back : f->kept[slot];
    for (int y = from; y < to && slot == 0; y++)
        f->last_read[y] = f->time;
}

/* A global pool that sums up rows as they come. */
static inline void flow_sum(Flow *f, int slot, int in)
{
    for (int y = 0; y < f->range[in].y1; y++) {
        flow_have(f, in, y + 1);
        f->time++;
        flow_read(f, in, y, y + 1);
    }
    f->written[0] = f->time;
    f->made[slot] = 1;
}

static inline void flow_make(Flow *f, int slot)
{
    int i = f->s->first + slot - 1, y = f->made[slot]++;
    if (slot == 0)
        return;
    int block = f->plan->block[i], rows = block ? block : 1, left = f->range[slot].y1 - y;
    const Layer *l = &f->net->layer[i], *window = block ? l - 1 : l;
    int in = flow_slot(f, block ? l[-2].input : l->input), top = y * window->sh - window->pad_top;
    if (plan_sums(f->net, f->plan, i)) {
        flow_sum(f, slot, in);
        return;
    }
    int end = top + (rows - 1) * window->sh + window->kh, h = in < 0 ? 0 : f->range[in].y1;
    flow_have(f, in, end < h ? end : h);
    bool two = op_has_two_inputs((Op)l->op);
    int in2 = two ? flow_slot(f, l->input2) : -1, y2 = l->op == OP_GATE ? 0 : y;
    flow_have(f, in2, y2 + 1);
    f->time++;
    rows = rows < left ? rows : left;
    end = top + (rows - 1) * window->sh + window->kh;
    flow_read(f, in, top, end < h ? end : h);
    flow_read(f, in2, y2, y2 + 1);
    f->made[slot] = y + rows;
    for (int r = y; r < y + rows && slot == f->s->n; r++)
        f->written[r] = f->time;
}

static inline void flow_run(Flow *f, const Net *net, const Plan *plan, int segment, int tile)
{
    const PlanSegment *s = &plan->segment[segment];
    *f = (Flow){.net = net, .plan = plan, .s = s, .pulled = s->first == 0 && plan->image_outside};
    if (s->rows * s->columns > 1)
        plan_ranges(net, s, tile, f->range);
    for (int slot = 0; slot <= s->n && s->rows * s->columns == 1; slot++) {
        Layer l = shape_at(net, slot ? s->first + slot - 1 : net->layer[s->first].input);
        f->range[slot] = (PlanRange){0, l.out_h, 0, l.out_w};
    }
    for (int slot = 0; slot <= s->n; slot++)
        f->made[slot] = f->range[slot].y0;
    for (int slot = 1; slot <= s->n && s->tiled; slot++)
        flow_have(f, slot, f->range[slot].y1);
    flow_have(f, s->n, f->range[s->n].y1);
}

/* Bytes the output must begin before the input, so that no row that is needed then or later
 * is written over. */
static inline uint32_t flow_overlap(const Flow *f, uint32_t out_row, uint32_t in_row)
{
    int64_t most = 0;
    for (int y = 0; y < f->range[f->s->n].y1; y++)
        for (int r = 0; r < f->range[0].y1; r++)
            if (f->last_read[r] >= f->written[y]) {
                int64_t d = (int64_t)(y + 1) * out_row - (int64_t)r * in_row;
                most = d > most ? d : most;
            }
    return (uint32_t)((most + 3) / 4 * 4);
}

/* ---- cuts, tiles, blocks ------------------------------------------------------------------ */

/* Does tensor t alone cross from before layer i to it and behind? */
static inline bool alone_crosses(const Net *net, int i, int t)
{
    for (int other = NET_IMAGE; other < i; other++)
        if (other != t && net_last_reader(net, other) >= i)
            return false;
    return i == net->n_layers || net_last_reader(net, t) >= i;
}

static inline bool dead_inside(const Net *net, int first, int end)
{
    for (int i = first; i < end && i < net->n_layers - 1; i++)
        if (net_last_reader(net, i) == i)
            return true;
    return false;
}

static inline bool may_be_segment(const Net *net, int first, int end)
{
    if (end == first + 1)
        return true;
    if (!alone_crosses(net, first, net->layer[first].input) || !alone_crosses(net, end, end - 1))
        return false;
    for (int i = first; i < end - 1; i++)
        if (net->layer[i].op == OP_GLOBAL_POOL)
            return false;
    return true;
}

static inline bool may_be_block(const Net *net, int i, int end)
{
    const Layer *l = &net->layer[i];
    return i + 3 <= end && l[0].op == OP_POINTWISE && l[1].op == OP_DEPTHWISE &&
           l[2].op == OP_POINTWISE && l[1].input == i && l[2].input == i + 1 &&
           l[1].in_c == l[1].out_c && net_last_reader(net, i) == i + 1 &&
           net_last_reader(net, i + 1) == i + 2;
}

static inline void random_blocks(const Net *net, Plan *plan, int first, int end, Rng *rng)
{
    for (int i = first; i < end; i++)
        if (may_be_block(net, i, end) && one_in(rng, 2)) {
            int most = net->layer[i + 2].out_h;
            most = most < PLAN_MAX_BLOCK ? most : PLAN_MAX_BLOCK;
            plan->block[i + 2] = (uint8_t)between(rng, 1, most);
            i += 2;
        }
}

static inline int random_tiles(Rng *rng, int size, int most)
{
    return between(rng, 1, size < most ? size : most);
}

static inline void random_segment(const Net *net, Plan *plan, int first, int end, Rng *rng)
{
    PlanSegment s = {.first = (uint8_t)first, .n = (uint8_t)(end - first), .rows = 1, .columns = 1};
    const Layer *last = &net->layer[end - 1];
    bool whole = dead_inside(net, first, end) || last->op == OP_GLOBAL_POOL ||
                 !alone_crosses(net, first, net->layer[first].input) ||
                 !alone_crosses(net, end, end - 1);
    int mode = whole ? 0 : between(rng, 0, 5);
    if (mode == 3 || mode == 4)
        s.columns = (uint8_t)random_tiles(rng, last->out_w, 4);
    if (mode == 5) {
        s.rows = (uint8_t)random_tiles(rng, last->out_h, 3);
        s.columns = (uint8_t)random_tiles(rng, last->out_w, 3);
        s.tiled = true;
    } else if (!dead_inside(net, first, end)) {
        random_blocks(net, plan, first, end, rng);
    }
    plan->segment[plan->n_segments++] = s;
}

static inline void random_cuts(const Net *net, Plan *plan, Rng *rng)
{
    for (int first = 0, end; first < net->n_layers; first = end) {
        int n = 0;
        end = first + 1;
        for (int e = first + 1; e <= net->n_layers && e <= first + 60; e++)
            if (may_be_segment(net, first, e) && one_in(rng, ++n))
                end = e;
        random_segment(net, plan, first, end, rng);
    }
}

/* ---- places ------------------------------------------------------------------------------- */

typedef struct {
    uint32_t begin, end;
} Spot;

typedef struct {
    Spot spot[4 * NET_MAX_LAYERS];
    int n;
} Taken;

static inline uint32_t up4(uint32_t n)
{
    return (n + 3) / 4 * 4;
}

static inline bool is_free(const Taken *t, uint32_t begin, uint32_t bytes)
{
    for (int i = 0; i < t->n; i++)
        if (begin < t->spot[i].end && t->spot[i].begin < begin + bytes)
            return false;
    return true;
}

static inline void take_spot(Taken *t, uint32_t begin, uint32_t bytes)
{
    t->spot[t->n++] = (Spot){begin, begin + bytes};
}

/* At the beginning or behind something that is there. */
static inline uint32_t random_place(const Taken *t, uint32_t bytes, Rng *rng)
{
    uint32_t place = 0;
    int n = is_free(t, 0, bytes);
    for (int i = 0; i < t->n; i++) {
        uint32_t at = up4(t->spot[i].end);
        if (is_free(t, at, bytes) && one_in(rng, ++n))
            place = at;
    }
    return place;
}

static inline uint32_t place_taken(Taken *t, uint32_t bytes, Rng *rng)
{
    uint32_t place = random_place(t, bytes, rng);
    take_spot(t, place, bytes);
    return place;
}

static inline int segment_at(const Plan *plan, int layer)
{
    int s = 0;
    while (layer >= plan->segment[s].first + plan->segment[s].n)
        s++;
    return s;
}

/* A tensor that is whole between segments: all but those inside one. */
static inline bool is_boundary(const Net *net, const Plan *plan, int t)
{
    int layer = t - 1, segment = t == 0 ? -1 : segment_at(plan, layer);
    if (t == 0)
        return !plan->image_outside;
    return layer == plan->segment[segment].first + plan->segment[segment].n - 1 ||
           segment_at(plan, net_last_reader(net, layer)) > segment;
}

static inline void set_tensor(PlanTensor *t, const Layer *shape, int rows, int columns)
{
    t->rows = (uint16_t)rows;
    t->row_bytes = (uint32_t)columns * shape->out_c;
    t->bytes = t->rows * t->row_bytes;
}

/* Rows and widths of what flows inside a segment, of all tiles the most. */
static inline void size_rings(const Net *net, Plan *plan, int segment, Flow *f)
{
    const PlanSegment *s = &plan->segment[segment];
    int rows[NET_MAX_LAYERS + 1] = {0}, columns[NET_MAX_LAYERS + 1] = {0};
    for (int tile = 0; tile < s->rows * s->columns; tile++) {
        flow_run(f, net, plan, segment, tile);
        for (int slot = 0; slot <= s->n; slot++) {
            PlanRange r = f->range[slot];
            int w = r.x1 - r.x0, h = r.y1 - r.y0;
            int kept = s->tiled && slot > 0 ? h : f->kept[slot];
            rows[slot] = kept > rows[slot] ? kept : rows[slot];
            columns[slot] = w > columns[slot] ? w : columns[slot];
        }
    }
    for (int slot = 0; slot < s->n; slot++) {
        int t = slot ? s->first + slot : 0;
        if (slot == 0 && !f->pulled)
            continue;
        Layer l = shape_at(net, t - 1);
        set_tensor(&plan->tensor[t], &l, rows[slot], columns[slot]);
        plan->tensor[t].first = plan->tensor[t].last = (uint8_t)segment;
    }
}

static inline void set_whole(const Net *net, Plan *plan, int t)
{
    Layer l = shape_at(net, t - 1);
    set_tensor(&plan->tensor[t], &l, l.out_h, l.out_w);
    plan->tensor[t].first = (uint8_t)(t ? segment_at(plan, t - 1) : 0);
    plan->tensor[t].last = (uint8_t)(t == net->n_layers ? plan->n_segments - 1
                                     : segment_at(plan, net_last_reader(net, t - 1) < 0
                                                            ? 0 : net_last_reader(net, t - 1)));
}

/* What is there when a segment begins, without tensor `but`. */
static inline Taken taken_at(const Net *net, const Plan *plan, int segment, int but)
{
    Taken taken = {.n = 0};
    for (int t = 0; t <= net->n_layers; t++) {
        const PlanTensor *p = &plan->tensor[t];
        bool there = is_boundary(net, plan, t) && (t == 0 || p->first < segment);
        if (there && t != but && segment <= p->last)
            take_spot(&taken, plan_offset(plan, t, segment), p->bytes);
    }
    return taken;
}

static inline void move_to(PlanTensor *t, int segment, uint32_t offset)
{
    t->move = (uint8_t)segment;
    t->moved = offset;
}

/* Something moves before the segment, for no reason. */
static inline void random_move(const Net *net, Plan *plan, int segment, Rng *rng)
{
    int t = between(rng, 0, net->n_layers);
    PlanTensor *p = &plan->tensor[t];
    if (!is_boundary(net, plan, t) || p->first >= segment || p->last < segment ||
        p->move != PLAN_STAYS)
        return;
    Taken taken = taken_at(net, plan, segment, t);
    move_to(p, segment, random_place(&taken, p->bytes, rng));
}

static inline bool each_by_itself(const Layer *l)
{
    return l->op == OP_ADD || l->op == OP_GATE || l->op == OP_LOOKUP || l->op == OP_SOFTMAX;
}

/* The output over the input that dies in this segment: exactly on it, or so far before it as
 * the flow allows; the input may have to move for that. False when it is apart. */
static inline bool place_over(const Net *net, Plan *plan, int segment, const Flow *f, Rng *rng)
{
    const PlanSegment *s = &plan->segment[segment];
    int in = 1 + net->layer[s->first].input, out = s->first + s->n;
    PlanTensor *i = &plan->tensor[in], *o = &plan->tensor[out];
    bool once = s->rows * s->columns == 1 && !s->tiled, moved = i->move == segment;
    if (!once || !is_boundary(net, plan, in) || i->last != segment || one_in(rng, 4))
        return false;
    Taken taken = taken_at(net, plan, segment, in);
    uint32_t d = flow_overlap(f, o->row_bytes, i->row_bytes), at = plan_offset(plan, in, segment);
    bool planes = plan->kernel[s->first] == STEP_DEPTHWISE_PLANES;
    if (planes && !plan_may_cover(&net->layer[s->first]))
        return false;
    if (planes || (s->n == 1 && each_by_itself(&net->layer[s->first]) && one_in(rng, 2)))
        d = 0;
    d += !planes && one_in(rng, 4) ? 4 * rng_below(rng, 8) : 0;
    if (at >= d && is_free(&taken, at - d, o->bytes)) {
        o->offset = at - d;
        return true;
    }
    if (segment == 0 || moved || i->move != PLAN_STAYS)
        return false;
    for (int t = 0; t <= net->n_layers; t++) /* one at a time */
        if (plan->tensor[t].move == segment)
            return false;
    uint32_t both = i->bytes + d > o->bytes ? i->bytes + d : o->bytes;
    o->offset = random_place(&taken, both, rng);
    move_to(i, segment, o->offset + d);
    return true;
}

static inline uint32_t scratch_wanted(const Net *net, const Plan *plan, int i)
{
    const Layer *l = &net->layer[i];
    if (plan_sums(net, plan, i))
        return 4u * l->in_c;
    if (!plan->block[i])
        return plan->tensor[1 + i].rows == 0 /* nobody asks for them: it never runs */
                   ? 0 : plan_scratch_in(net, plan, i, plan->kernel[i]);
    int rows = (plan->block[i] - 1) * l[-1].sh + l[-1].kh;
    return (uint32_t)(rows * l[-1].kw + 1) * l[-1].in_c;
}

static inline void place_segment(const Net *net, Plan *plan, int segment, Rng *rng)
{
    const PlanSegment *s = &plan->segment[segment];
    int out = s->first + s->n;
    Flow *f = xmalloc(sizeof *f);
    size_rings(net, plan, segment, f);
    if (segment > 0 && one_in(rng, 4))
        random_move(net, plan, segment, rng);
    bool over = place_over(net, plan, segment, f, rng);
    Taken taken = taken_at(net, plan, segment, -1);
    if (over)
        take_spot(&taken, plan->tensor[out].offset, plan->tensor[out].bytes);
    else
        plan->tensor[out].offset = place_taken(&taken, plan->tensor[out].bytes, rng);
    for (int t = s->first; t < out; t++) {
        PlanTensor *p = &plan->tensor[t];
        bool inside = t > s->first || (t == 0 && f->pulled);
        bool in_block = t > 0 && (plan->block[t] || (t < out && plan->block[t + 1]));
        if (inside && in_block)
            p->bytes = p->rows = 0;
        else if (inside)
            p->offset = place_taken(&taken, p->bytes, rng);
    }
    for (int i = s->first; i < out; i++) {
        plan->scratch[i].bytes = scratch_wanted(net, plan, i);
        plan->scratch[i].offset = place_taken(&taken, plan->scratch[i].bytes, rng);
    }
    free(f);
}

static inline void reach(Plan *plan, uint32_t offset, uint32_t bytes)
{
    if (bytes > 0 && offset + bytes > plan->arena)
        plan->arena = offset + bytes;
}

static inline void measure_arena(const Net *net, Plan *plan)
{
    for (int t = 0; t <= net->n_layers; t++) {
        const PlanTensor *p = &plan->tensor[t];
        reach(plan, p->offset, p->bytes);
        reach(plan, p->moved, p->bytes);
    }
    for (int i = 0; i < net->n_layers; i++)
        reach(plan, plan->scratch[i].offset, plan->scratch[i].bytes);
}

static inline void random_planes(const Net *net, Plan *plan, Rng *rng)
{
    for (int s = 0; s < plan->n_segments; s++) {
        const PlanSegment *p = &plan->segment[s];
        bool pulled = p->first == 0 && plan->image_outside;
        if (p->n == 1 && p->rows * p->columns == 1 && !pulled && one_in(rng, 2))
            plan->kernel[p->first] = (uint8_t)plan_kernel_alone(&net->layer[p->first], false);
    }
}

/* Layers of a block have the kernels of the natural weights. */
static inline void random_kernels(const Net *net, Plan *plan, Rng *rng)
{
    for (int i = 0; i < net->n_layers; i++) {
        int last = i + 2 < net->n_layers ? i + 2 : net->n_layers - 1;
        bool in_block = false;
        for (int project = i; project <= last; project++)
            in_block = in_block || plan->block[project];
        plan->kernel[i] = (uint8_t)plan_kernel(&net->layer[i], in_block || one_in(rng, 2));
    }
}

static inline void random_plan(const Net *net, Plan *plan, Rng *rng)
{
    memset(plan, 0, sizeof *plan);
    plan->policy = POLICY_STREAM;
    plan->image_outside = one_in(rng, 2) && net_last_reader(net, NET_IMAGE) == 0;
    random_cuts(net, plan, rng);
    random_kernels(net, plan, rng);
    random_planes(net, plan, rng);
    for (int t = 0; t <= net->n_layers; t++) {
        plan->tensor[t].move = PLAN_STAYS;
        set_whole(net, plan, t);
    }
    if (!plan->image_outside)
        plan->tensor[0].offset = 4 * rng_below(rng, 16);
    for (int s = 0; s < plan->n_segments; s++)
        place_segment(net, plan, s, rng);
    measure_arena(net, plan);
}

/* ---- a case in words ---------------------------------------------------------------------- */

static inline void print_net(const Net *net)
{
    printf("image %d x %d x %d\n", net->h, net->w, net->c);
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        printf("%3d  %-10s reads %d", i, op_name((Op)l->op), l->input);
        if (op_has_two_inputs((Op)l->op))
            printf(" and %d", l->input2);
        printf("  %dx%d stride %dx%d pad %dx%d  %d x %d x %d -> %d x %d x %d\n", l->kh, l->kw,
               l->sh, l->sw, l->pad_top, l->pad_left, l->in_h, l->in_w, l->in_c, l->out_h,
               l->out_w, l->out_c);
    }
}

static inline void print_plan(const Net *net, const Plan *plan)
{
    printf("plan %s, image %s, arena %u\n", policy_name((Policy)plan->policy),
           plan->image_outside ? "outside" : "inside", plan->arena);
    for (int s = 0; s < plan->n_segments; s++) {
        const PlanSegment *p = &plan->segment[s];
        printf("segment %d: layers %d to %d, %d x %d tiles%s\n", s, p->first, p->first + p->n - 1,
               p->rows, p->columns, p->tiled ? ", tiled" : "");
    }
    for (int t = 0; t <= net->n_layers; t++) {
        const PlanTensor *p = &plan->tensor[t];
        printf("tensor %3d: [%u, %u)  %d rows of %u, segments %d to %d", t - 1, p->offset,
               p->offset + p->bytes, p->rows, p->row_bytes, p->first, p->last);
        if (p->move != PLAN_STAYS)
            printf(", moves before %d to %u", p->move, p->moved);
        if (t > 0 && plan->block[t - 1])
            printf(", a block of %d rows", plan->block[t - 1]);
        if (t > 0 && plan->scratch[t - 1].bytes)
            printf(", scratch [%u, %u)", plan->scratch[t - 1].offset,
                   plan->scratch[t - 1].offset + plan->scratch[t - 1].bytes);
        printf("\n");
    }
}

/* ---- one case ----------------------------------------------------------------------------- */

/* An image, and what the network makes of it layer by layer. */
typedef struct {
    Net net;
    QModel q;
    int8_t *image, *expected, *output;
    uint32_t bytes; /* of the output */
} PlanCase;

/* -1 with errorf() when not even that runs. */
static inline int plan_case_init(PlanCase *c, Rng *rng)
{
    const PlanOptions layers = {.policy = POLICY_LAYERWISE};
    Plan plan;
    uint32_t touched;
    random_chain(&c->net, rng);
    random_qmodel(&c->q, &c->net, rng);
    uint32_t image = net_tensor_bytes(&c->net, NET_IMAGE);
    c->bytes = net_tensor_bytes(&c->net, c->net.n_layers - 1);
    c->image = xmalloc(image);
    c->expected = xmalloc(c->bytes);
    c->output = xmalloc(c->bytes);
    for (uint32_t i = 0; i < image; i++)
        c->image[i] = random_int8(rng);
    plan_make(&c->net, &layers, &plan);
    return host_run(&c->q, &plan, c->image, c->expected, &touched);
}

static inline void plan_case_release(PlanCase *c)
{
    qmodel_release(&c->q);
    free(c->image);
    free(c->expected);
    free(c->output);
}

/* -1 with errorf() when the plan does not give the same bytes in exactly its arena. */
static inline int plan_case_run(PlanCase *c, const Plan *plan)
{
    uint32_t touched;
    if (host_run(&c->q, plan, c->image, c->output, &touched) != 0)
        return -1;
    for (uint32_t i = 0; i < c->bytes; i++)
        if (c->output[i] != c->expected[i])
            return errorf("byte %u of the output is %d, layer by layer it is %d", i, c->output[i],
                          c->expected[i]);
    if (touched != plan->arena)
        return errorf("%u bytes of the arena are touched, the plan says %u", touched, plan->arena);
    return 0;
}

/* Any policy with any budget. */
static inline void made_plan(const Net *net, Plan *plan, Rng *rng)
{
    PlanOptions o = {.policy = (uint8_t)rng_below(rng, N_POLICIES + 4),
                     .image_outside = one_in(rng, 2), .small = one_in(rng, 4)};
    if (o.policy >= N_POLICIES) /* the one with the most to go wrong */
        o.policy = POLICY_STREAM;
    if (o.policy == POLICY_STREAM && !one_in(rng, 3)) {
        uint32_t least = plan_arena(net, &o);
        o.sram = 1 + least / 8 + rng_below(rng, least);
    }
    plan_make(net, &o, plan);
}

/* Case `seed`: a network and a plan, random or made. Prints them when they fail; true when not. */
static inline bool plan_case(uint64_t seed, bool made)
{
    Rng rng = rng_make(seed, 17);
    PlanCase *c = xcalloc(1, sizeof *c);
    Plan plan;
    int status = plan_case_init(c, &rng);
    if (status == 0) {
        if (made)
            made_plan(&c->net, &plan, &rng);
        else
            random_plan(&c->net, &plan, &rng);
        status = plan_case_run(c, &plan);
    }
    if (status != 0) {
        printf("seed %llu, a %s plan: %s\n", (unsigned long long)seed, made ? "made" : "random",
               error_text());
        print_net(&c->net);
        if (c->output)
            print_plan(&c->net, &plan);
        fflush(stdout); /* a test may end without */
    }
    plan_case_release(c);
    free(c);
    return status == 0;
}

#endif
