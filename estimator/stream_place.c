/* stream_place.c - cuts become addresses.
 *
 * The arena is as large as its largest segment. A segment's input lies where
 * the segment before left it, its output so far before it as it must, and
 * rings and rows in what is free around them, largest first. Where that does
 * not fit, the input is first moved to the end of the arena: then it always
 * does, because that is how the bytes were counted. */
#include "estimator/plan_inner.h"
#include "estimator/stream_inner.h"

#include <assert.h>
#include <string.h>

/* Something that has a place of its own while a segment runs. */
typedef struct {
    uint32_t bytes, *offset;
} Item;

typedef struct {
    const Net *net;
    const Step *step;
    Plan *plan;
    uint32_t arena;
    uint32_t at;   /* where the input of the segment to come lies */
    int n;         /* its number */
    bool pulled, small;
} Place;

/* One segment: what has to be placed. */
typedef struct {
    int i, j;
    bool pulled;
    uint32_t input, output; /* bytes */
    uint32_t distance;      /* the output begins so far before the input; */
    bool apart;             /* or beside it: strips */
    int n;
    Item item[NET_MAX_LAYERS + 4];
    uint32_t shared, scratch, sums; /* offsets */
} Scene;

static void want(Scene *c, uint32_t bytes, uint32_t *offset)
{
    int at = c->n++;
    for (; at > 0 && c->item[at - 1].bytes < bytes; at--)
        c->item[at] = c->item[at - 1];
    c->item[at] = (Item){bytes, offset};
}

/* ---- sizes -------------------------------------------------------------------------------- */

static void set_tensor(Plan *plan, int tensor, uint32_t rows, uint32_t row_bytes)
{
    PlanTensor *t = &plan->tensor[tensor];
    t->rows = (uint16_t)rows;
    t->row_bytes = row_bytes;
    t->bytes = rows * row_bytes;
    t->move = PLAN_STAYS;
}

static void set_whole(Plan *plan, const Net *net, int layer)
{
    if (layer == NET_IMAGE)
        set_tensor(plan, 0, net->h, (uint32_t)net->w * net->c);
    else
        set_tensor(plan, 1 + layer, net->layer[layer].out_h,
                   (uint32_t)net->layer[layer].out_w * net->layer[layer].out_c);
}

/* Where a row that is read at once lies: not where the one before it or behind it does, and
 * not in the window of the block that makes it. */
static void set_shared(const Place *p, const Scene *c, const Label *l, const Ring *ring)
{
    bool end = true;
    for (int m = c->i; m < c->j - 1; m++) {
        if (!ring[m].at_once) {
            end = true; /* the next one may be a block's */
            continue;
        }
        uint32_t row = plan_aligned(ring[m].row_bytes);
        p->plan->tensor[1 + m].offset = c->shared + (end ? l->shared - row : 0);
        end = !end;
    }
}

static uint32_t kernel_scratch(const Place *p, int layer)
{
    const Layer *l = &p->net->layer[layer];
    return plan_scratch_in(p->net, p->plan, layer, plan_kernel(l, p->small));
}

static void set_small(const Place *p, int layer, int n)
{
    for (int m = layer; m < layer + n; m++) {
        p->plan->kernel[m] = p->net->layer[m].op;
        p->plan->scratch[m].bytes = 0;
    }
}

static void set_scratch(const Place *p, const Scene *c, const StreamCut *cut)
{
    for (int m = c->i; m < c->j; m++) {
        uint32_t bytes = kernel_scratch(p, m);
        p->plan->scratch[m].offset = bytes ? c->scratch : 0;
        p->plan->scratch[m].bytes = bytes;
    }
    for (int m = c->i; m + 2 < c->j; m++) {
        int rows = stream_block(cut->blocks, m);
        const Step *d = &p->step[m + 1];
        if (!rows)
            continue;
        p->plan->block[m + 2] = (uint8_t)rows;
        set_small(p, m, 3); /* a block is a kernel of its own, of their weights as they are */
        p->plan->scratch[m + 2].offset = c->shared;
        p->plan->scratch[m + 2].bytes =
            plan_block_scratch((rows - 1) * d->s + d->k, d->kw, p->step[m].out_c);
    }
    if (p->step[c->j - 1].sums && c->j > c->i + 1) {
        p->plan->scratch[c->j - 1].offset = c->sums;
        p->plan->scratch[c->j - 1].bytes = 4u * p->step[c->j - 1].in_c;
    }
}

/* ---- places ------------------------------------------------------------------------------- */

/* First fit into what input and output leave of the arena. */
static bool fits(const Place *p, Scene *c, uint32_t in, uint32_t out)
{
    uint32_t low = in < out ? in : out, high = in + c->input;
    uint32_t out_end = out + c->output, gap[3][2];
    bool touching = c->input == 0 || (out < high && in < out_end) || out_end == in || high == out;
    if (c->input == 0)
        low = out, high = out_end;
    if (touching) {
        gap[0][0] = 0, gap[0][1] = low;
        gap[1][0] = gap[1][1] = 0;
    } else {
        gap[0][0] = 0, gap[0][1] = low;
        gap[1][0] = in < out ? high : out_end, gap[1][1] = in < out ? out : in;
    }
    gap[2][0] = high > out_end ? high : out_end;
    gap[2][1] = p->arena;
    if (gap[2][0] > p->arena)
        return false;
    for (int k = 0; k < c->n; k++) {
        int g = 0;
        while (g < 3 && gap[g][1] - gap[g][0] < c->item[k].bytes)
            g++;
        if (g == 3)
            return false;
        *c->item[k].offset = gap[g][0];
        gap[g][0] += c->item[k].bytes;
    }
    return true;
}

static bool beside(const Scene *c, uint32_t in, uint32_t out)
{
    return out + c->output <= in || in + c->input <= out;
}

/* A 1x1 layer beside its input is one call for all rows. */
static bool try_apart(const Place *p, Scene *c, uint32_t in, uint32_t *out)
{
    uint32_t place[] = {p->arena - c->output, 0, in + c->input,
                        in >= c->output ? in - c->output : 0};
    for (int k = 0; k < 4; k++)
        if (place[k] + c->output <= p->arena && beside(c, in, place[k]) &&
            fits(p, c, in, *out = place[k]))
            return true;
    return false;
}

static bool try_over(const Place *p, Scene *c, uint32_t in, uint32_t *out)
{
    if (c->apart || in < c->distance)
        return false;
    *out = in - c->distance;
    return fits(p, c, in, *out);
}

static uint32_t at_the_end(const Place *p, const Scene *c)
{
    uint32_t both = c->distance + c->input > c->output ? c->distance + c->input : c->output;
    return c->apart ? p->arena - c->input : p->arena - both + c->distance;
}

/* Returns where the output lies, with all the rest placed. */
static uint32_t settle(Place *p, Scene *c)
{
    PlanTensor *input = &p->plan->tensor[1 + p->net->layer[c->i].input];
    uint32_t out = p->arena - c->output;
    bool single = c->j == c->i + 1 && p->net->layer[c->i].op == OP_POINTWISE, done;
    if (c->pulled) {
        done = fits(p, c, 0, out);
        assert(done);
        return out;
    }
    if (c->i == 0)
        input->offset = p->at = at_the_end(p, c);
    done = (single && try_apart(p, c, p->at, &out)) || try_over(p, c, p->at, &out) ||
           try_apart(p, c, p->at, &out);
    if (!done) {
        uint32_t in = at_the_end(p, c);
        assert(c->i > 0);
        input->move = (uint8_t)p->n;
        input->moved = in;
        out = c->apart ? in - c->output : in - c->distance;
        done = fits(p, c, in, out);
    }
    assert(done);
    (void)done;
    return out;
}

/* ---- segments ----------------------------------------------------------------------------- */

static void place_stream(Place *p, const StreamCut *cut, int j)
{
    int i = cut->from, input = p->net->layer[i].input;
    const Step *head = &p->step[i], *last = &p->step[j - 1];
    Ring ring[NET_MAX_LAYERS];
    Strips columns;
    Scene c = {.i = i, .j = j, .pulled = i == 0 && p->pulled, .apart = cut->columns > 1};
    memset(ring, 0, sizeof ring);
    Label l = label_replay(p->step, cut, j, ring, &columns);
    uint32_t bytes = label_bytes(&l, head, last, input, c.pulled, &columns, &c.distance);
    assert(bytes == cut->bytes);
    (void)bytes;
    c.input = c.pulled ? 0 : head->in_tensor;
    c.output = last->tensor;
    if (c.pulled) {
        uint32_t rows = label_image_rows(&l, head);
        set_tensor(p->plan, 0, rows, columns.widest * head->in_c);
        want(&c, plan_aligned(p->plan->tensor[0].bytes), &p->plan->tensor[0].offset);
    } else if (i == 0) {
        set_whole(p->plan, p->net, NET_IMAGE);
    }
    for (int m = i; m < j - 1; m++) {
        set_tensor(p->plan, 1 + m, ring[m].rows, ring[m].row_bytes);
        if (ring[m].rows && !ring[m].at_once)
            want(&c, plan_aligned(p->plan->tensor[1 + m].bytes), &p->plan->tensor[1 + m].offset);
    }
    set_whole(p->plan, p->net, j - 1);
    want(&c, l.shared, &c.shared);
    want(&c, l.scratch, &c.scratch);
    want(&c, last->sums && j > i + 1 ? plan_aligned(4u * last->in_c) : 0, &c.sums);
    p->at = p->plan->tensor[j].offset = settle(p, &c);
    set_shared(p, &c, &l, ring);
    p->plan->segment[p->n++] = (PlanSegment){.first = (uint8_t)i, .n = (uint8_t)(j - i), .rows = 1,
                                             .columns = cut->columns};
    set_scratch(p, &c, cut);
}

/* Layer by layer, where the packer wants it. */
static void place_group(Place *p, int i, int j)
{
    int input = p->net->layer[i].input;
    PlanTensor *in = &p->plan->tensor[1 + input];
    bool pulled = i == 0 && p->pulled;
    Packing pack;
    stream_pack(p->net, i, j, pulled, p->small, &pack);
    if (i == 0) {
        const Layer *l = &p->net->layer[0];
        set_whole(p->plan, p->net, NET_IMAGE);
        if (pulled)
            set_tensor(p->plan, 0, l->kh < l->in_h ? l->kh : l->in_h, in->row_bytes);
        in->offset = pack.offset[0];
    } else if (p->at != pack.offset[0]) {
        in->move = (uint8_t)p->n;
        in->moved = pack.offset[0];
    }
    for (int m = i; m < j; m++) {
        set_whole(p->plan, p->net, m);
        p->plan->tensor[1 + m].offset = pack.offset[1 + m - i];
        p->plan->segment[p->n++] = (PlanSegment){.first = (uint8_t)m, .n = 1, .rows = 1,
                                                 .columns = 1};
        p->plan->scratch[m].offset = pack.scratch_offset[m - i];
        p->plan->scratch[m].bytes = kernel_scratch(p, m);
    }
    p->at = p->plan->tensor[j].offset;
}

void stream_place(const Net *net, const Step *step, bool pulled, bool small, const StreamCut *cut,
                  Plan *plan)
{
    Place p = {.net = net, .step = step, .plan = plan, .pulled = pulled, .small = small};
    uint8_t end[NET_MAX_LAYERS + 1];
    int n = 0;
    for (int j = net->n_layers; j > 0; j = cut[j].from) {
        end[n++] = (uint8_t)j;
        p.arena = cut[j].bytes > p.arena ? cut[j].bytes : p.arena;
    }
    while (n-- > 0)
        if (cut[end[n]].group)
            place_group(&p, cut[end[n]].from, end[n]);
        else
            place_stream(&p, &cut[end[n]], end[n]);
    plan->n_segments = (uint8_t)p.n;
    plan_set_lives(net, plan);
    plan->arena = plan_end(net, plan);
}
