#include "estimator/patches.h"

#include "estimator/tensor_graph.h"

#include <assert.h>

/* Rows (or columns) [begin, end) of a tensor; not clipped, they may lie outside. */
typedef struct {
    int begin, end;
} Range;

typedef struct {
    const Net *net;
    int n;
    bool columns; /* along w rather than h */
} Axis;

static bool is_local(Op op)
{
    return op == OP_CONV || op == OP_DEPTHWISE || op == OP_POINTWISE || op == OP_ADD ||
           op == OP_AVG_POOL || op == OP_MAX_POOL;
}

bool patches_possible(const Net *net, int n)
{
    if (n < 1 || n >= net->n_layers)
        return false;
    for (int i = 0; i < n; i++)
        if (!is_local((Op)net->layer[i].op))
            return false;
    for (int i = n; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        if (l->input < n - 1 || (l->input2 != NET_NOTHING && l->input2 < n - 1))
            return false;
    }
    return true;
}

static int extent(const Axis *a, int tensor) /* as everywhere here: 0 the image, 1 + l layer l's */
{
    if (tensor == 0)
        return a->columns ? a->net->w : a->net->h;
    const Layer *l = &a->net->layer[tensor - 1];
    return a->columns ? l->out_w : l->out_h;
}

static int per_patch(const Axis *a, int p)
{
    return (extent(a, a->n) + p - 1) / p;
}

static void include(Range *r, int begin, int end)
{
    if (r->begin == r->end)
        *r = (Range){begin, end};
    r->begin = begin < r->begin ? begin : r->begin;
    r->end = end > r->end ? end : r->end;
}

static void clip_to(Range *r, int size)
{
    r->begin = r->begin < 0 ? 0 : r->begin;
    r->end = r->end > size ? size : r->end;
    r->end = r->end < r->begin ? r->begin : r->end;
}

/* What is needed of each tensor for rows [begin, end) of the stage's output. */
static void find_ranges(const Axis *a, Range output, bool clip, Range *range)
{
    for (int t = 0; t < a->n; t++)
        range[t] = (Range){0, 0};
    range[a->n] = output;
    for (int i = a->n - 1; i >= 0; i--) {
        const Layer *l = &a->net->layer[i];
        int k = a->columns ? l->kw : l->kh, s = a->columns ? l->sw : l->sh;
        int pad = a->columns ? l->pad_left : l->pad_top;
        Range *r = &range[1 + i];
        if (clip)
            clip_to(r, extent(a, 1 + i));
        if (r->begin == r->end)
            continue;
        include(&range[1 + l->input], r->begin * s - pad, (r->end - 1) * s - pad + k);
        if (l->input2 != NET_NOTHING)
            include(&range[1 + l->input2], r->begin, r->end);
    }
    if (clip)
        clip_to(&range[0], extent(a, 0));
}

static void full_sides(const Axis *a, int p, uint32_t *side)
{
    Range range[NET_MAX_LAYERS + 1];
    find_ranges(a, (Range){0, per_patch(a, p)}, false, range);
    for (int t = 0; t <= a->n; t++)
        side[t] = (uint32_t)(range[t].end - range[t].begin);
}

void patches_sides(const Net *net, int p, int n, PatchSide side[NET_MAX_LAYERS + 1])
{
    uint32_t h[NET_MAX_LAYERS + 1], w[NET_MAX_LAYERS + 1];
    assert(p >= 1 && patches_possible(net, n));
    full_sides(&(Axis){net, n, false}, p, h);
    full_sides(&(Axis){net, n, true}, p, w);
    for (int t = 0; t <= n; t++)
        side[t] = (PatchSide){h[t], w[t]};
}

/* Rows of each tensor that all patches along an axis compute together. As
 * patches form a grid, pixels computed are rows times columns. */
static void sum_ranges(const Axis *a, int p, bool clip, uint32_t *sum)
{
    int size = extent(a, a->n), step = per_patch(a, p);
    Range range[NET_MAX_LAYERS + 1];
    for (int t = 0; t <= a->n; t++)
        sum[t] = 0;
    for (int begin = 0; begin < size; begin += step) {
        find_ranges(a, (Range){begin, begin + step}, clip, range);
        for (int t = 0; t <= a->n; t++)
            sum[t] += (uint32_t)(range[t].end - range[t].begin);
    }
}

static uint64_t macs_in_patches(const Net *net, int p, int n, bool clip)
{
    uint32_t rows[NET_MAX_LAYERS + 1], columns[NET_MAX_LAYERS + 1];
    uint64_t macs = 0;
    sum_ranges(&(Axis){net, n, false}, p, clip, rows);
    sum_ranges(&(Axis){net, n, true}, p, clip, columns);
    for (int i = 0; i < n; i++)
        macs += (uint64_t)layer_weights(&net->layer[i]) * rows[1 + i] * columns[1 + i];
    return macs;
}

/* The most that one operator's inputs and output take; a depthwise and an add in place. */
static uint32_t most_paired(const TensorGraph *g)
{
    uint32_t most = 0;
    for (int i = 0; i < g->n_ops; i++) {
        const GraphOp *op = &g->op[i];
        uint32_t out = g->tensor[op->output].bytes, in = 0;
        for (int k = 0; k < op->n_inputs; k++)
            in += g->tensor[op->input[k]].bytes;
        uint32_t both = op->kind == GRAPH_OTHER ? in + out : in > out ? in : out;
        most = both > most ? both : most;
    }
    return most;
}

static uint32_t channels_of(const Net *net, int tensor)
{
    return tensor == 0 ? net->c : net->layer[tensor - 1].out_c;
}

/* Only a patch's tiles have bytes: the stage's output lies in its own buffer. */
static void keep_tiles(const Net *net, int p, int n, TensorGraph *g)
{
    PatchSide side[NET_MAX_LAYERS + 1];
    patches_sides(net, p, n, side);
    for (int t = 0; t < g->n_tensors; t++)
        g->tensor[t].bytes = t < n ? side[t].h * side[t].w * channels_of(net, t) : 0;
}

static void keep_rest(int n, TensorGraph *g)
{
    for (int t = 0; t < n; t++)
        g->tensor[t].bytes = 0;
}

static PatchMemory memory(uint32_t patch, uint32_t rest, uint32_t output)
{
    return (PatchMemory){patch, rest, patch + output > rest ? patch + output : rest};
}

Patches patches_count(const Net *net, int p, int n)
{
    TensorGraph tiles, rest;
    Patches c = {.output = net_tensor_bytes(net, n - 1),
                 .unclipped = macs_in_patches(net, p, n, false),
                 .clipped = macs_in_patches(net, p, n, true)};
    assert(p >= 1 && patches_possible(net, n));
    for (int i = 0; i < n; i++)
        c.macs += layer_macs(&net->layer[i]);
    tensor_graph_of_net(net, &tiles);
    rest = tiles;
    keep_tiles(net, p, n, &tiles);
    keep_rest(n, &rest);
    c.paired = memory(most_paired(&tiles), most_paired(&rest), c.output);
    c.live = memory(tensor_graph_live(&tiles, SHARE_DEPTHWISE_AND_ADD),
                    tensor_graph_live(&rest, SHARE_DEPTHWISE_AND_ADD), c.output);
    return c;
}
