#include "report/profile.h"

#include "base/alloc.h"
#include "estimator/stream.h"
#include "estimator/tflm.h"
#include "estimator/tinyengine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the plans */

PlanOptions profile_options(const Profile *p, Policy policy, ImagePlace image)
{
    bool outside = image == IMAGE_OUTSIDE;
    PlanOptions o = {.policy = (uint8_t)policy, .image_outside = outside,
                     .small = p->small, .sram = p->sram};
    if (p->recompute > 0 && policy == POLICY_STREAM)
        o.sram = stream_sram(&p->net, &o, p->recompute);
    return o;
}

void profile_make(Profile *p)
{
    if (p->graph.n_ops == 0)
        tensor_graph_of_net(&p->net, &p->graph);
    for (int i = 0; i < N_IMAGES; i++) {
        PlanOptions o = profile_options(p, (Policy)p->policy, (ImagePlace)i);
        plan_make(&p->net, &o, &p->plan[i]);
        p->cost[i] = cost_of_plan(&p->net, &p->target, &p->plan[i]);
    }
}

int profile_segment_of(const Plan *plan, int layer)
{
    int s = 0;
    while (layer >= plan->segment[s].first + plan->segment[s].n)
        s++;
    return s;
}

/* A block's rows are said by its last layer, the projection. */
static int block_of(const Plan *plan, int layer)
{
    for (int l = layer; l < layer + 3 && l < NET_MAX_LAYERS; l++)
        if (plan->block[l])
            return plan->block[l];
    return 0;
}

const char *profile_runs_as(const Plan *plan, int layer)
{
    static _Thread_local char text[4][48];
    static _Thread_local int turn;
    const PlanSegment *s = &plan->segment[profile_segment_of(plan, layer)];
    int block = block_of(plan, layer), n = 0;
    char *t = text[turn = (turn + 1) % 4];
    t[0] = 0;
    if (s->tiled)
        n = snprintf(t, sizeof text[0], "%dx%d patches", s->rows, s->columns);
    else if (s->columns > 1)
        n = snprintf(t, sizeof text[0], "%d strips", s->columns);
    else if (s->n > 1 && !block)
        n = snprintf(t, sizeof text[0], "rows");
    if (block)
        snprintf(t + n, sizeof text[0] - (size_t)n, "%sblock of %d", n ? ", " : "", block);
    return t;
}

static const char *const step_names[] = {
#define X(op, name) [OP_##op] = name,
    NET_OPS(X)
#undef X
#define X(step, name) [STEP_##step] = name,
    PLAN_STEPS(X)
#undef X
};

const char *profile_step_name(int step)
{
    assert(step >= 0 && step < N_STEPS);
    return step_names[step];
}

bool profile_is_peak(const Profile *p, int layer)
{
    const Plan *plan = &p->plan[p->image];
    return profile_segment_of(plan, layer) == plan->peak_segment;
}

uint64_t profile_macs_inside(const Net *net)
{
    double macs = 0;
    for (int i = 0; i < net->n_layers; i++)
        macs += layer_macs_inside(&net->layer[i]);
    return (uint64_t)macs;
}

bool profile_uses(const Profile *p, Op op)
{
    for (int i = 0; i < p->net.n_layers; i++)
        if (p->net.layer[i].op == op)
            return true;
    return false;
}

bool profile_has_latency(const Latency *latency, Op op)
{
    for (int f = 0; f < N_FEATURES; f++)
        if (latency->weight[op][f] > 0)
            return true;
    return false;
}

double profile_latency_of_layer(const Profile *p, int layer)
{
    const Layer *l = &p->net.layer[layer];
    if (!profile_has_latency(&p->target.latency, (Op)l->op))
        return -1;
    return latency_in_plan(&p->target.latency, &p->net, &p->plan[p->image], layer);
}

/* --- what is in the arena */

static const char *const part_names[] = {
#define X(part, name) [PART_##part] = name,
    PROFILE_PARTS(X)
#undef X
};

const char *part_name(PartKind kind)
{
    assert(kind < N_PARTS);
    return part_names[kind];
}

/* Is the tensor an operand of the segment, rather than what it adds to one or just keeps? */
static bool is_read(const Net *net, const PlanSegment *s, int tensor)
{
    for (int l = s->first; l < s->first + s->n; l++)
        if (net->layer[l].input == tensor ||
            (net->layer[l].op == OP_GATE && net->layer[l].input2 == tensor))
            return true;
    return false;
}

static PartKind kind_of(const Net *net, const Plan *plan, int segment, int tensor)
{
    const PlanSegment *s = &plan->segment[segment];
    const PlanTensor *t = &plan->tensor[1 + tensor];
    int last = s->first + s->n - 1;
    if (tensor == NET_IMAGE && plan->image_outside)
        return PART_RING;
    if (tensor == last)
        return PART_OUTPUT;
    if (tensor < s->first)
        return is_read(net, s, tensor) ? PART_INPUT : PART_SKIP;
    return t->last > segment ? PART_SKIP : s->tiled ? PART_TILE : PART_RING;
}

int profile_parts(const Net *net, const Plan *plan, int segment, Part part[PROFILE_MAX_PARTS])
{
    const PlanSegment *s = &plan->segment[segment];
    int n = 0;
    for (int kind = 0; kind < PART_SCRATCH; kind++) {
        for (int l = NET_IMAGE; l < net->n_layers; l++) {
            const PlanTensor *t = &plan->tensor[1 + l];
            if (t->bytes && t->first <= segment && segment <= t->last &&
                (int)kind_of(net, plan, segment, l) == kind)
                part[n++] = (Part){(uint8_t)kind, (int16_t)l, plan_offset(plan, 1 + l, segment),
                                   t->bytes};
        }
    }
    for (int l = s->first; l < s->first + s->n; l++)
        if (plan->scratch[l].bytes)
            part[n++] = (Part){PART_SCRATCH, (int16_t)l, plan->scratch[l].offset,
                               plan->scratch[l].bytes};
    return n;
}

/* --- side by side */

static Way way_of(const Profile *p, const PlanOptions *outside, const PlanOptions *resident)
{
    const PlanOptions *options[N_IMAGES] = {outside, resident};
    Plan *plan = xmalloc(sizeof *plan);
    Way way = {.name = ""};
    for (int i = 0; i < N_IMAGES; i++) {
        plan_make(&p->net, options[i], plan);
        way.arena[i] = plan->arena;
        if (i != p->image)
            continue;
        Cost cost = cost_of_plan(&p->net, &p->target, plan);
        way.flash = cost.flash;
        way.macs = cost.macs;
        way.latency = cost.latency;
    }
    free(plan);
    return way;
}

/* Stream with `share` more work. */
static Way streamed(const Profile *p, double share)
{
    PlanOptions o[N_IMAGES];
    for (int i = 0; i < N_IMAGES; i++) {
        bool outside = i == IMAGE_OUTSIDE;
        o[i] = (PlanOptions){.policy = POLICY_STREAM, .image_outside = outside,
                             .small = p->small};
        if (share > 0)
            o[i].sram = stream_sram(&p->net, &o[i], share);
    }
    Way way = way_of(p, &o[IMAGE_OUTSIDE], &o[IMAGE_RESIDENT]);
    if (share > 0)
        snprintf(way.name, sizeof way.name, "stream, recompute %.0f %%", 100 * share);
    else
        snprintf(way.name, sizeof way.name, "stream");
    return way;
}

/* The profile's own schedule, when it has a budget: not one of those every network gets. */
static Way within_budget(const Profile *p)
{
    PlanOptions o[N_IMAGES];
    for (int i = 0; i < N_IMAGES; i++)
        o[i] = profile_options(p, POLICY_STREAM, (ImagePlace)i);
    Way way = way_of(p, &o[IMAGE_OUTSIDE], &o[IMAGE_RESIDENT]);
    if (p->recompute > 0)
        snprintf(way.name, sizeof way.name, "stream, recompute %g %%", 100 * p->recompute);
    else
        snprintf(way.name, sizeof way.name, "stream in %u B", (unsigned)p->sram);
    return way;
}

int profile_ways(const Profile *p, Way way[PROFILE_MAX_WAYS])
{
    static const double shares[] = {0, 0.05, 0.1, 0.25};
    int n = 0;
    for (int policy = 0; policy < POLICY_STREAM; policy++) {
        PlanOptions outside = profile_options(p, (Policy)policy, IMAGE_OUTSIDE);
        PlanOptions resident = profile_options(p, (Policy)policy, IMAGE_RESIDENT);
        way[n] = way_of(p, &outside, &resident);
        snprintf(way[n++].name, sizeof way->name, "%s", policy_name((Policy)policy));
    }
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        way[n++] = streamed(p, shares[i]);
    if (p->sram || p->recompute > 0)
        way[n++] = within_budget(p);
    way[n++] = (Way){.name = "TFLite Micro", .arena = {0, tflm_arena(&p->graph)},
                     .macs = net_macs(&p->net)};
    way[n++] = (Way){.name = "TinyEngine", .arena = {0, tinyengine_peak(&p->net)},
                     .flash = tinyengine_flash(&p->net), .macs = net_macs(&p->net)};
    return n;
}
