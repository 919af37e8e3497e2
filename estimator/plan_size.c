/* What follows from a plan: tiles, work, table sizes, bytes alive. */
#include "estimator/plan_inner.h"

#include <assert.h>

uint32_t plan_offset(const Plan *plan, int tensor, int segment)
{
    const PlanTensor *t = &plan->tensor[tensor];
    return segment >= t->move ? t->moved : t->offset;
}

static int segment_of(const Plan *plan, int layer)
{
    int s = 0;
    while (layer >= plan->segment[s].first + plan->segment[s].n)
        s++;
    return s;
}

void plan_set_lives(const Net *net, Plan *plan)
{
    uint8_t segment[NET_MAX_LAYERS];
    for (int s = 0; s < plan->n_segments; s++)
        for (int m = 0; m < plan->segment[s].n; m++)
            segment[plan->segment[s].first + m] = (uint8_t)s;
    for (int l = 0; l < net->n_layers; l++)
        plan->tensor[1 + l].first = plan->tensor[1 + l].last = segment[l];
    for (int l = 0; l < net->n_layers; l++) { /* later readers come later */
        plan->tensor[1 + net->layer[l].input].last = segment[l];
        if (op_has_two_inputs((Op)net->layer[l].op))
            plan->tensor[1 + net->layer[l].input2].last = segment[l];
    }
}

uint32_t plan_end(const Net *net, const Plan *plan)
{
    uint32_t end = 0;
    for (int t = 0; t <= net->n_layers; t++) {
        const PlanTensor *p = &plan->tensor[t];
        uint32_t offset = p->move == PLAN_STAYS || p->offset > p->moved ? p->offset : p->moved;
        end = p->bytes && offset + p->bytes > end ? offset + p->bytes : end;
    }
    for (int l = 0; l < net->n_layers; l++) {
        uint32_t e = plan->scratch[l].offset + plan->scratch[l].bytes;
        end = plan->scratch[l].bytes && e > end ? e : end;
    }
    return end;
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

/* All that is alive during a segment, by offset. */
typedef struct {
    int n;
    Bytes bytes[2 * NET_MAX_LAYERS + 1];
} Alive;

static void list_alive(const Plan *plan, const Net *net, int segment, Alive *a)
{
    const PlanSegment *s = &plan->segment[segment];
    a->n = 0;
    for (int t = 0; t <= net->n_layers; t++)
        if (plan->tensor[t].first <= segment && segment <= plan->tensor[t].last)
            insert_bytes(a->bytes, &a->n, plan_offset(plan, t, segment), plan->tensor[t].bytes);
    for (int l = s->first; l < s->first + s->n; l++)
        insert_bytes(a->bytes, &a->n, plan->scratch[l].offset, plan->scratch[l].bytes);
}

/* A union: where an output lies over its input, those bytes count once. */
uint32_t plan_live(const Plan *plan, const Net *net, int segment)
{
    Alive a;
    uint32_t live = 0, end = 0;
    list_alive(plan, net, segment, &a);
    for (int i = 0; i < a.n; i++) {
        uint32_t begin = a.bytes[i].begin > end ? a.bytes[i].begin : end;
        live += a.bytes[i].end > begin ? a.bytes[i].end - begin : 0;
        end = a.bytes[i].end > end ? a.bytes[i].end : end;
    }
    return live;
}

/* ---- kernels where bytes are free --------------------------------------------------------- */

/* The longest stretch of an arena that nothing alive lies in. */
static Bytes longest_gap(const Alive *a, uint32_t arena)
{
    Bytes longest = {0, 0};
    uint32_t end = 0;
    for (int i = 0; i <= a->n; i++) {
        uint32_t next = i < a->n ? a->bytes[i].begin : arena;
        if (next > end && next - end > longest.end - longest.begin)
            longest = (Bytes){end, next};
        if (i < a->n)
            end = plan_aligned(a->bytes[i].end) > end ? plan_aligned(a->bytes[i].end) : end;
    }
    return longest;
}

static bool in_block(const Plan *plan, const PlanSegment *s, int layer)
{
    int end = s->first + s->n;
    for (int project = layer; project < layer + 3 && project < end; project++)
        if (plan->block[project])
            return true;
    return false;
}

uint32_t plan_scratch_of_tiles(const Net *net, const PlanSegment *s, int layer, int kernel)
{
    const Layer *l = &net->layer[layer];
    uint32_t most = 0;
    if (s->columns == 1)
        return plan_scratch(l, kernel, l->out_w);
    for (int column = 0; column < s->columns; column++) {
        PlanRange range[NET_MAX_LAYERS + 1], *r = &range[1 + layer - s->first];
        plan_ranges(net, s, column, range);
        uint32_t bytes = r->x1 > r->x0 ? plan_scratch(l, kernel, r->x1 - r->x0) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

uint32_t plan_scratch_in(const Net *net, const Plan *plan, int layer, int kernel)
{
    return plan_scratch_of_tiles(net, &plan->segment[segment_of(plan, layer)], layer, kernel);
}

/* Is it alone, on whole tensors that allow a kernel which makes all rows at once? */
static bool is_alone(const Net *net, const Plan *plan, int segment)
{
    const PlanSegment *s = &plan->segment[segment];
    const Layer *l = &net->layer[s->first];
    uint32_t in = plan_offset(plan, 1 + l->input, segment);
    uint32_t out = plan_offset(plan, 1 + s->first, segment);
    if (s->n > 1 || s->rows * s->columns > 1 || (s->first == 0 && plan->image_outside))
        return false;
    return out + plan->tensor[1 + s->first].bytes <= in ||
           in + plan->tensor[1 + l->input].bytes <= out || (in == out && plan_may_cover(l));
}

/* Whether the layer has the kernel now, with its scratch in the longest gap; what it had is free. */
static bool use_kernel(const Net *net, Plan *plan, int segment, int layer, int kernel, uint32_t arena)
{
    Alive a;
    uint32_t had = plan->scratch[layer].bytes, bytes = plan_scratch_in(net, plan, layer, kernel);
    plan->scratch[layer].bytes = 0;
    list_alive(plan, net, segment, &a);
    Bytes gap = longest_gap(&a, arena);
    plan->scratch[layer].bytes = had;
    if (bytes > gap.end - gap.begin)
        return false;
    plan->kernel[layer] = (uint8_t)kernel;
    plan->scratch[layer].offset = gap.begin;
    plan->scratch[layer].bytes = bytes;
    return true;
}

void plan_use_free(const Net *net, Plan *plan, uint32_t arena)
{
    arena = arena > plan->arena ? arena : plan->arena;
    for (int s = 0; s < plan->n_segments; s++)
        for (int i = plan->segment[s].first; i < plan->segment[s].first + plan->segment[s].n; i++) {
            const Layer *l = &net->layer[i];
            int kernel = plan_kernel(l, false), alone = plan_kernel_alone(l, false);
            if (in_block(plan, &plan->segment[s], i))
                continue;
            if (alone != kernel && is_alone(net, plan, s) &&
                use_kernel(net, plan, s, i, alone, arena))
                continue;
            if (kernel != plan->kernel[i])
                use_kernel(net, plan, s, i, kernel, arena);
        }
    plan->arena = plan_end(net, plan);
}

/* ---- tiles ------------------------------------------------------------------------------- */

uint16_t plan_cut(int size, int parts, int i)
{
    return (uint16_t)((i * size + parts - 1) / parts);
}

static PlanRange both(PlanRange a, PlanRange b)
{
    if (a.y1 == 0)
        return b;
    return (PlanRange){a.y0 < b.y0 ? a.y0 : b.y0, a.y1 > b.y1 ? a.y1 : b.y1,
                       a.x0 < b.x0 ? a.x0 : b.x0, a.x1 > b.x1 ? a.x1 : b.x1};
}

static void window(int from, int to, int k, int s, int pad, int size, uint16_t *a, uint16_t *b)
{
    int first = from * s - pad, end = (to - 1) * s - pad + k;
    *a = (uint16_t)(first > 0 ? first : 0);
    *b = (uint16_t)(end < size ? end : size);
}

/* Of its input, what a layer needs to compute `out` of its output. */
static PlanRange needed(const Layer *l, PlanRange out)
{
    PlanRange in;
    window(out.y0, out.y1, l->kh, l->sh, l->pad_top, l->in_h, &in.y0, &in.y1);
    window(out.x0, out.x1, l->kw, l->sw, l->pad_left, l->in_w, &in.x0, &in.x1);
    return in;
}

void plan_ranges(const Net *net, const PlanSegment *s, int tile, PlanRange *range)
{
    const Layer *last = &net->layer[s->first + s->n - 1];
    int input = net->layer[s->first].input, row = tile / s->columns, column = tile % s->columns;
    for (int i = 0; i < s->n; i++)
        range[i] = (PlanRange){0, 0, 0, 0};
    range[s->n] = (PlanRange){plan_cut(last->out_h, s->rows, row),
                              plan_cut(last->out_h, s->rows, row + 1),
                              plan_cut(last->out_w, s->columns, column),
                              plan_cut(last->out_w, s->columns, column + 1)};
    for (int i = s->n - 1; i >= 0; i--) {
        const Layer *l = &net->layer[s->first + i];
        if (range[1 + i].y1 == 0) /* nobody reads it */
            continue;
        int from = l->input == input ? 0 : 1 + l->input - s->first;
        if (from >= 0 && from <= i)
            range[from] = both(range[from], needed(l, range[1 + i]));
        from = l->input2 == input ? 0 : 1 + l->input2 - s->first;
        if (l->op == OP_ADD && from >= 0 && from <= i)
            range[from] = both(range[from], range[1 + i]);
        if (l->op == OP_GATE && from >= 0 && from <= i)
            range[from] = both(range[from], (PlanRange){0, 1, 0, 1});
    }
}

bool plan_reads_later(const Layer *l, PlanRange in, PlanRange out)
{
    return out.y0 * l->sh - l->pad_top > in.y0 || out.x0 * l->sw - l->pad_left > in.x0;
}

/* ---- work -------------------------------------------------------------------------------- */

int plan_block_rows(int in_h, int out_h, int k, int s, int pad, int block)
{
    int rows = 0;
    for (int y = 0; y < out_h; y += block) {
        int from = y * s - pad, to = from + (block - 1) * s + k;
        rows += (to < in_h ? to : in_h) - (from > 0 ? from : 0);
    }
    return rows;
}

/* Rows of the expanded tensor that a block computes, over the rows there are. */
static double expanded_again(const Net *net, const Plan *plan, int layer)
{
    int project = layer + 2;
    if (project >= net->n_layers || !plan->block[project])
        return 1;
    const Layer *d = &net->layer[layer + 1];
    return (double)plan_block_rows(d->in_h, d->out_h, d->kh, d->sh, d->pad_top,
                                   plan->block[project]) / d->in_h;
}

double plan_work(const Net *net, const Plan *plan, int layer)
{
    const PlanSegment *s = &plan->segment[segment_of(plan, layer)];
    const Layer *l = &net->layer[layer];
    double again = expanded_again(net, plan, layer);
    if (s->rows * s->columns == 1)
        return again;
    uint64_t pixels = 0;
    for (int tile = 0; tile < s->rows * s->columns; tile++) {
        PlanRange range[NET_MAX_LAYERS + 1], *r = &range[1 + layer - s->first];
        plan_ranges(net, s, tile, range);
        pixels += (uint64_t)(r->y1 - r->y0) * (uint64_t)(r->x1 - r->x0);
    }
    return again * (double)pixels / ((double)l->out_h * l->out_w);
}

uint64_t plan_macs(const Net *net, const Plan *plan)
{
    double macs = 0;
    for (int i = 0; i < net->n_layers; i++)
        macs += (double)layer_macs(&net->layer[i]) * plan_work(net, plan, i);
    return (uint64_t)(macs + 0.5);
}

/* ---- sizes ------------------------------------------------------------------------------- */

bool plan_sums(const Net *net, const Plan *plan, int layer)
{
    return net->layer[layer].op == OP_GLOBAL_POOL &&
           plan->segment[segment_of(plan, layer)].n > 1;
}

static uint32_t step_of(int kernel)
{
    return 1u << (kernel == OP_GLOBAL_POOL ? OP_AVG_POOL : kernel); /* one kernel */
}

static void add_constants(PlanSize *size, const Layer *l, int kernel)
{
    size->weights += plan_weights(l, kernel);
    size->scaled += plan_packs_scales(kernel) ? l->out_c : 0;
}

PlanSize plan_size_of_layers(const Net *net, const PlanOptions *o)
{
    uint32_t n = net->n_layers, pulls = o->image_outside && net_last_reader(net, NET_IMAGE) == 0;
    PlanSize size = {n + pulls, n + 1, n, pulls << STEP_INPUT, 0, 0};
    for (uint32_t i = 0; i < n; i++) {
        int kernel = plan_kernel_of_layers(net, o, (int)i);
        size.steps |= step_of(kernel);
        add_constants(&size, &net->layer[i], kernel);
    }
    return size;
}

int plan_runs(const Plan *plan, int segment)
{
    const PlanSegment *s = &plan->segment[segment], *last = &plan->segment[plan->n_segments - 1];
    int runs = s->rows * s->columns * (s->tiled ? s->n : 1);
    for (int t = 0; t <= last->first + last->n; t++)
        runs += plan->tensor[t].move == segment;
    return runs;
}

/* One for each tensor that has a place, and one for each read that begins later. */
static uint32_t views_of_tile(const Net *net, const Plan *plan, const PlanSegment *s, int tile)
{
    PlanRange range[NET_MAX_LAYERS + 1];
    uint32_t n = 1;
    plan_ranges(net, s, tile, range);
    for (int i = 0; i < s->n; i++) {
        const Layer *l = &net->layer[s->first + i];
        int from = l->input < s->first ? 0 : 1 + l->input - s->first;
        int from2 = l->input2 < s->first ? 0 : 1 + l->input2 - s->first;
        n += plan->tensor[1 + s->first + i].bytes > 0;
        n += plan_reads_later(l, range[from], range[1 + i]);
        n += l->op == OP_ADD && plan_reads_later(l, range[from2], range[1 + i]);
    }
    return n;
}

static void add_segment(const Net *net, const Plan *plan, int segment, PlanSize *size)
{
    const PlanSegment *s = &plan->segment[segment];
    uint32_t tiles = (uint32_t)s->rows * s->columns, ops = s->n;
    if (s->first == 0 && plan->image_outside) {
        ops++;
        size->steps |= 1u << STEP_INPUT;
    }
    for (int i = s->first; i < s->first + s->n; i++) {
        ops += plan->block[i] > 0;
        size->steps |= plan->block[i] ? 1u << STEP_BLOCK : 0;
        size->steps |= plan_sums(net, plan, i) ? 1u << STEP_SUM_POOL : step_of(plan->kernel[i]);
        add_constants(size, &net->layer[i], plan->kernel[i]);
    }
    size->n_ops += tiles * ops;
    for (uint32_t tile = 0; tiles > 1 && tile < tiles; tile++)
        size->n_tensors += views_of_tile(net, plan, s, (int)tile);
    size->n_segments += (uint32_t)plan_runs(plan, segment);
}

PlanSize plan_size(const Net *net, const Plan *plan)
{
    PlanSize size = {.n_tensors = net->n_layers + 1u};
    for (int s = 0; s < plan->n_segments; s++)
        add_segment(net, plan, s, &size);
    for (int t = 0; t <= net->n_layers; t++) {
        if (plan->tensor[t].move == PLAN_STAYS)
            continue;
        size.n_ops++;
        size.n_tensors++;
        size.steps |= 1u << STEP_COPY;
    }
    return size;
}
