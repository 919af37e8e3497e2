/* plan_patch.c - MCUNetV2's schedule (arXiv 2110.15352), executed by our runtime.
 *
 * The first n layers run patch by patch on a p x p grid of their output, which
 * alone is kept whole; halos are computed again. Within a patch a layer at a
 * time, on tensors of the largest patch's size. The rest runs layer by layer,
 * in place. All (p, n) are tried; patches.h has the paper's own accounting. */
#include "estimator/patches.h"
#include "estimator/plan_inner.h"
#include "estimator/stream_inner.h"

#include <string.h>

enum { MOST_PATCHES = 4 }; /* a side */

typedef struct {
    int p, n; /* 0, 0: no patches */
    uint32_t tiles, output, rest, image;
    bool small;   /* kernels */
    Packing pack; /* of the tiles */
} Patching;

/* The largest patch of every tensor; [0] of the image. */
static void largest(const Net *net, int p, int n, uint16_t *h, uint16_t *w)
{
    PlanSegment s = {.first = 0, .n = (uint8_t)n, .rows = (uint8_t)p, .columns = (uint8_t)p};
    PlanRange range[NET_MAX_LAYERS + 1];
    memset(h, 0, (size_t)(n + 1) * sizeof *h);
    memset(w, 0, (size_t)(n + 1) * sizeof *w);
    for (int tile = 0; tile < p * p; tile++) {
        plan_ranges(net, &s, tile, range);
        for (int t = 0; t <= n; t++) {
            int rows = range[t].y1 - range[t].y0, columns = range[t].x1 - range[t].x0;
            h[t] = rows > h[t] ? (uint16_t)rows : h[t];
            w[t] = columns > w[t] ? (uint16_t)columns : w[t];
        }
    }
}

static uint32_t tile_scratch(const Net *net, const Patching *a, int layer)
{
    PlanSegment s = {.n = (uint8_t)a->n, .rows = (uint8_t)a->p, .columns = (uint8_t)a->p};
    return plan_scratch_of_tiles(net, &s, layer, plan_kernel(&net->layer[layer], a->small));
}

/* The stage's own output and a resident image have places of their own: for the packer, which
 * knows no empty tensors, they are of the least size. */
static void pack_tiles(const Net *net, bool pulled, Patching *a)
{
    uint16_t h[NET_MAX_LAYERS + 1], w[NET_MAX_LAYERS + 1];
    Packing *k = &a->pack;
    largest(net, a->p, a->n, h, w);
    k->n_layers = a->n;
    k->align = PLAN_ALIGN;
    k->bytes[0] = pulled ? plan_aligned((uint32_t)h[0] * w[0] * net->c) : PLAN_ALIGN;
    for (int i = 0; i < a->n; i++) {
        const Layer *l = &net->layer[i];
        uint32_t bytes = (uint32_t)h[1 + i] * w[1 + i] * l->out_c;
        int in = 1 + l->input, in2 = op_has_two_inputs((Op)l->op) ? 1 + l->input2 : in;
        k->layer[i] = (PackLayer){{(uint8_t)in, (uint8_t)in2}, PACK_APART,
                                  plan_aligned(tile_scratch(net, a, i))};
        k->bytes[1 + i] = i + 1 < a->n && bytes ? plan_aligned(bytes) : PLAN_ALIGN;
        k->last[1 + i] = k->last[in] = k->last[in2] = (uint8_t)i;
    }
    pack_tensors(k);
    a->tiles = k->capacity;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t arena_of(const Patching *a)
{
    return larger(a->tiles + a->image + a->output, a->rest);
}

/* What nobody reads has no place in a patch. */
static bool all_read(const Net *net, int n)
{
    for (int i = 0; i + 1 < n; i++)
        if (net_last_reader(net, i) == i)
            return false;
    return true;
}

static bool try_patches(const Net *net, bool pulled, int p, int n, Patching *a)
{
    Packing rest;
    if (!patches_possible(net, n) || !all_read(net, n) || net->layer[n - 1].out_h < p || net->layer[n - 1].out_w < p)
        return false;
    a->p = p;
    a->n = n;
    a->image = pulled ? 0 : plan_aligned(net_tensor_bytes(net, NET_IMAGE));
    a->output = plan_aligned(net_tensor_bytes(net, n - 1));
    a->rest = stream_pack(net, n, net->n_layers, false, a->small, &rest);
    pack_tiles(net, pulled, a);
    return true;
}

/* ---- the plan ----------------------------------------------------------------------------- */

static void set_tiles(const Net *net, const Patching *a, Plan *plan)
{
    uint16_t h[NET_MAX_LAYERS + 1], w[NET_MAX_LAYERS + 1];
    largest(net, a->p, a->n, h, w);
    for (int t = plan->image_outside ? 0 : 1; t < a->n; t++) {
        int c = t ? net->layer[t - 1].out_c : net->c;
        uint32_t row = (uint32_t)w[t] * (uint32_t)c;
        plan->tensor[t] = (PlanTensor){.offset = a->pack.offset[t], .bytes = h[t] * row,
                                       .row_bytes = row, .rows = h[t], .move = PLAN_STAYS};
    }
    for (int i = 0; i < a->n; i++) {
        plan->scratch[i].offset = a->pack.scratch_offset[i];
        plan->scratch[i].bytes = tile_scratch(net, a, i);
    }
}

static PlanTensor whole(const Net *net, int t, uint32_t offset)
{
    uint16_t h = t ? net->layer[t - 1].out_h : net->h;
    uint32_t row = t ? (uint32_t)net->layer[t - 1].out_w * net->layer[t - 1].out_c
                     : (uint32_t)net->w * net->c;
    return (PlanTensor){.offset = offset, .bytes = h * row, .row_bytes = row, .rows = h,
                        .move = PLAN_STAYS};
}

static void set_rest(const Net *net, const Patching *a, Plan *plan)
{
    Packing k;
    stream_pack(net, a->n, net->n_layers, false, a->small, &k);
    uint32_t made = larger(a->tiles + a->image, k.offset[0]);
    if (made + a->output > plan->arena)
        made = a->tiles + a->image;
    plan->tensor[a->n] = whole(net, a->n, made);
    if (made != k.offset[0]) {
        plan->tensor[a->n].move = 1;
        plan->tensor[a->n].moved = k.offset[0];
    }
    for (int m = a->n; m < net->n_layers; m++) {
        plan->tensor[1 + m] = whole(net, 1 + m, k.offset[1 + m - a->n]);
        plan->scratch[m].offset = k.scratch_offset[m - a->n];
        plan->scratch[m].bytes = plan_scratch(&net->layer[m], plan->kernel[m],
                                              net->layer[m].out_w);
        plan->segment[plan->n_segments++] =
            (PlanSegment){.first = (uint8_t)m, .n = 1, .rows = 1, .columns = 1};
    }
}

static void set_plan(const Net *net, const Patching *a, Plan *plan)
{
    plan->arena = arena_of(a);
    plan->n_segments = 1;
    plan->segment[0] = (PlanSegment){.first = 0, .n = (uint8_t)a->n, .rows = (uint8_t)a->p,
                                     .columns = (uint8_t)a->p, .tiled = true};
    if (!plan->image_outside)
        plan->tensor[0] = whole(net, 0, a->tiles);
    set_tiles(net, a, plan);
    set_rest(net, a, plan);
    plan_set_lives(net, plan);
    plan->arena = plan_end(net, plan);
}

void plan_make_patches(const Net *net, const PlanOptions *o, Plan *plan)
{
    Patching a = {.small = o->small};
    Plan layers = *plan, made;
    plan_make_layers(net, o, &layers);
    uint32_t least = layers.arena;
    uint64_t work = o->sram && least <= o->sram ? net_macs(net) : UINT64_MAX;
    *plan = layers;
    for (int n = 1; n < net->n_layers; n++)
        for (int p = 2; p <= MOST_PATCHES && try_patches(net, plan->image_outside, p, n, &a); p++) {
            uint32_t arena = arena_of(&a);
            bool fits = o->sram && arena <= o->sram;
            if (!fits && (work != UINT64_MAX || arena >= least))
                continue;
            made = (Plan){.policy = plan->policy, .image_outside = plan->image_outside};
            plan_set_kernels(net, o->small, &made);
            set_plan(net, &a, &made);
            uint64_t macs = fits ? plan_macs(net, &made) : UINT64_MAX;
            if (fits && macs >= work)
                continue;
            least = arena;
            work = macs;
            *plan = made;
        }
    if (!o->small)
        plan_use_free(net, plan, o->sram);
}
