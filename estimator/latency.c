#include "estimator/latency.h"

#include "estimator/latency_pairs.h"

#include <assert.h>
#include <string.h>

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* ---- what one kernel does ---------------------------------------------------------------- */

/* Of a layer along one axis: outputs, and taps of their windows that are inside the image; of columns
 * the inputs of a window's row that fill no word, of all windows. */
typedef struct {
    double made, taps, left;
} Axis;

/* Outputs [from, to): only windows at the borders lose taps. */
static Axis axis_of(int in, int k, int s, int pad, int from, int to)
{
    int64_t taps = (int64_t)(to - from) * k;
    for (int o = from; o < to && o * s < pad; o++)
        taps -= pad - o * s < k ? pad - o * s : k;
    for (int o = to - 1; o >= from && o * s - pad + k > in; o--)
        taps -= o * s - pad < in ? o * s - pad + k - in : k;
    return (Axis){to - from, (double)taps, 0};
}

static int taps_inside(const Layer *l, int x)
{
    int first = x * l->sw - l->pad_left, end = at_most(first + l->kw, l->in_w);
    first = first > 0 ? first : 0;
    return end > first ? end - first : 0;
}

static Axis rows_of(const Layer *l, int from, int to)
{
    return axis_of(l->in_h, l->kh, l->sh, l->pad_top, from, to);
}

static Axis columns_of(const Layer *l, int from, int to)
{
    Axis a = axis_of(l->in_w, l->kw, l->sw, l->pad_left, from, to);
    for (int x = from; x < to; x++)
        a.left += taps_inside(l, x) * l->in_c % 4;
    return a;
}

/* What an output follows from: everything in its window, its channel of it, or one value. */
typedef enum { FROM_ALL, FROM_CHANNEL, FROM_VALUE } Kind;

static Kind kind_of(const Layer *l)
{
    switch ((Op)l->op) {
    case OP_CONV:
    case OP_POINTWISE:
    case OP_DENSE:
        return FROM_ALL;
    case OP_DEPTHWISE:
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
    case OP_MEAN:
        return FROM_CHANNEL;
    case OP_ADD:
    case OP_GATE:
    case OP_LOOKUP:
    case OP_SOFTMAX: /* of a pixel: none of a window either */
    case N_OPS:
        break;
    }
    return FROM_VALUE;
}

/* Four outputs are made together, and what is left of them one by one. */
static int fours_and_ones(int c)
{
    return c / 4 + c % 4;
}

/* With all channels up to three are left, as two and one, each as slow as 2.5 channels
 * (runtime/tb_window.h; tb_channels.h). */
#define SHORT_GROUP 2.5

static int groups_of(const Layer *l)
{
    return kind_of(l) == FROM_ALL ? l->out_c / 4 + (l->out_c % 4 + 1) / 2 : fours_and_ones(l->out_c);
}

/* Channels of a depthwise layer: what is left of its fours goes without words, twice as slowly, and
 * so do all when several read one input. */
static int slow_channels(const Layer *l)
{
    return l->out_c == l->in_c ? l->out_c + l->out_c % 4 : 2 * l->out_c;
}

/* Multiply-accumulates the kernel really does: of a pool, values it looks at. */
static double macs_of(const Layer *l, double taps)
{
    switch (kind_of(l)) {
    case FROM_ALL:
        return taps * l->in_c * (l->out_c / 4 * 4 + SHORT_GROUP * ((l->out_c % 4 + 1) / 2));
    case FROM_CHANNEL:
        return taps * (l->op == OP_DEPTHWISE ? slow_channels(l) : l->out_c);
    case FROM_VALUE:
        break;
    }
    return 0;
}

double layer_macs_inside(const Layer *l)
{
    double taps = rows_of(l, 0, l->out_h).taps * columns_of(l, 0, l->out_w).taps;
    return op_has_weights((Op)l->op) ? taps * l->out_c * (kind_of(l) == FROM_ALL ? l->in_c : 1) : 0;
}

/* Begun `passes` times, so many calls of the kernel in all. */
static void set_features(const Layer *l, double passes, double calls, Axis y, Axis x, double *f)
{
    bool walks = kind_of(l) == FROM_ALL || l->op == OP_DEPTHWISE;
    f[FEATURE_CALL] = kind_of(l) == FROM_ALL ? y.taps * x.left * groups_of(l)
                      : l->op == OP_DEPTHWISE ? calls * groups_of(l) : passes;
    f[FEATURE_ROW] = calls;
    f[FEATURE_PIXEL] = walks ? y.taps * x.made * groups_of(l) : y.made * x.made;
    f[FEATURE_OUTPUT] = y.made * x.made * l->out_c;
    f[FEATURE_MAC] = macs_of(l, y.taps * x.taps);
}

/* Looks at one pixel at a time: alone, and where tensors are whole, it is called once. */
static bool is_pixelwise(const Layer *l)
{
    return (kind_of(l) == FROM_VALUE || l->op == OP_POINTWISE) &&
           (uint32_t)l->in_h * l->in_w <= UINT16_MAX;
}

/* One call for all pixels, or one a row. */
static void alone_features(const Layer *l, int kernel, bool one_call, double *f)
{
    PairsRow row = {0};
    if (kernel == STEP_DEPTHWISE_PLANES) {
        planes_features(l, f);
        return;
    }
    if (kernel < N_OPS) {
        set_features(l, 1, one_call ? 1 : l->out_h, rows_of(l, 0, l->out_h),
                     columns_of(l, 0, l->out_w), f);
        return;
    }
    pairs_row_add(&row, l, kernel, one_call ? l->out_h * l->out_w : l->out_w);
    pairs_features(l, kernel, one_call ? 1 : l->out_h, &row, f);
}

void layer_features(const Layer *l, int kernel, double features[N_FEATURES])
{
    alone_features(l, kernel, is_pixelwise(l), features);
}

static void input_features(double rows, double bytes, double *f)
{
    memset(f, 0, sizeof *f * N_FEATURES);
    f[FEATURE_ROW] = rows;
    f[FEATURE_OUTPUT] = bytes;
}

static void copy_features(double bytes, double *f)
{
    memset(f, 0, sizeof *f * N_FEATURES);
    f[FEATURE_ROW] = 1;
    f[FEATURE_OUTPUT] = bytes;
}

static void sum_pool_features(const Layer *l, double *f)
{
    memset(f, 0, sizeof *f * N_FEATURES);
    f[FEATURE_ROW] = l->in_h;
    f[FEATURE_OUTPUT] = (double)l->in_h * l->in_c;
    f[FEATURE_MAC] = (double)l->in_h * l->in_w * l->in_c;
}

/* ---- what a segment does ----------------------------------------------------------------- */

/* All tiles together, which are rows times columns: so are their features. */
typedef struct {
    const Net *net;
    const Plan *plan;
    const PlanSegment *s;
    bool pulled;
    double tiles;
    double rows, columns; /* of an image that is pulled */
    Axis y[NET_MAX_LAYERS], x[NET_MAX_LAYERS]; /* of the segment's layers */
    PairsRow row[NET_MAX_LAYERS];
} Passes;

/* A tensor's rows that somebody asks for; tensors are numbered as in plan_ranges(). */
static void ask(const Passes *p, int *rows, int layer, int n)
{
    int first = p->s->first, tensor = layer >= first ? 1 + layer - first : 0;
    if (layer >= first || layer == p->net->layer[first].input)
        rows[tensor] = rows[tensor] > n ? rows[tensor] : n;
}

/* Strides and pools may leave some of the last rows, so nobody makes them; a block asks for all
 * that a call of it could use. */
static void rows_asked(const Passes *p, int *rows)
{
    memset(rows, 0, sizeof *rows * (p->s->n + 1u));
    rows[p->s->n] = p->net->layer[p->s->first + p->s->n - 1].out_h;
    for (int i = p->s->n - 1; i >= 0; i--) {
        const Layer *l = &p->net->layer[p->s->first + i];
        int block = p->plan->block[p->s->first + i], made = rows[1 + i];
        const Layer *window = block ? l - 1 : l, *reads = block ? l - 2 : l;
        if (made == 0)
            continue;
        if (l->op == OP_ADD || l->op == OP_GATE)
            ask(p, rows, l->input2, l->op == OP_ADD ? made : 1);
        if (block) {
            made = (made + block - 1) / block * block;
            rows[1 + i] = at_most(made, l->out_h);
            i -= 2;
        }
        ask(p, rows, reads->input,
            at_most((made - 1) * window->sh - window->pad_top + window->kh, window->in_h));
    }
}

/* Of a layer with a kernel of pairs, a call for so many pixels of its row. */
static void add_row(Passes *p, int i, int w)
{
    int layer = p->s->first + i, kernel = p->plan->kernel[layer];
    if (kernel >= N_OPS && kernel != STEP_DEPTHWISE_PLANES)
        pairs_row_add(&p->row[i], &p->net->layer[layer], kernel, w);
}

static void whole_passes(Passes *p)
{
    bool streams = !p->s->tiled && (p->s->n > 1 || p->pulled);
    int rows[NET_MAX_LAYERS + 1];
    if (streams)
        rows_asked(p, rows);
    for (int i = 0; i < p->s->n; i++) {
        const Layer *l = &p->net->layer[p->s->first + i];
        p->y[i] = rows_of(l, 0, streams ? rows[1 + i] : l->out_h);
        p->x[i] = columns_of(l, 0, l->out_w);
        add_row(p, i, l->out_w);
    }
    p->rows = streams ? rows[0] : p->net->h;
    p->columns = p->net->w;
}

static void add_axis(Axis *sum, Axis a)
{
    sum->made += a.made;
    sum->taps += a.taps;
    sum->left += a.left;
}

static void tiled_passes(Passes *p)
{
    const PlanSegment *s = p->s;
    PlanRange r[NET_MAX_LAYERS + 1];
    memset(p->y, 0, sizeof(Axis) * s->n);
    memset(p->x, 0, sizeof(Axis) * s->n);
    p->rows = p->columns = 0;
    for (int row = 0; row < s->rows; row++) {
        plan_ranges(p->net, s, row * s->columns, r);
        p->rows += r[0].y1 - r[0].y0;
        for (int i = 0; i < s->n; i++)
            add_axis(&p->y[i], rows_of(&p->net->layer[s->first + i], r[1 + i].y0, r[1 + i].y1));
    }
    for (int column = 0; column < s->columns; column++) {
        plan_ranges(p->net, s, column, r);
        p->columns += r[0].x1 - r[0].x0;
        for (int i = 0; i < s->n; i++)
            add_axis(&p->x[i], columns_of(&p->net->layer[s->first + i], r[1 + i].x0, r[1 + i].x1));
        for (int i = 0; i < s->n; i++)
            add_row(p, i, r[1 + i].x1 - r[1 + i].x0);
    }
}

static void look_at_segment(Passes *p, const Net *net, const Plan *plan, int segment)
{
    p->net = net;
    p->plan = plan;
    p->s = &plan->segment[segment];
    p->pulled = p->s->first == 0 && plan->image_outside;
    p->tiles = p->s->rows * p->s->columns;
    memset(p->row, 0, sizeof *p->row * p->s->n);
    if (p->tiles > 1)
        tiled_passes(p);
    else
        whole_passes(p);
}

/* Does the output lie beside the input or, when each value follows from one, exactly on it? */
static bool may_write(const Passes *p, int out, int in, bool each)
{
    int segment = (int)(p->s - p->plan->segment);
    uint32_t a = plan_offset(p->plan, out, segment), b = plan_offset(p->plan, in, segment);
    return a + p->plan->tensor[out].bytes <= b || b + p->plan->tensor[in].bytes <= a ||
           (each && a == b);
}

/* A call a tile instead of one a row: as exporter/lower.c decides it, whose tables the tests
 * compare with this. */
static bool is_one_call(const Passes *p, const Layer *l)
{
    int in = 1 + l->input, in2 = 1 + l->input2, out = 1 + p->s->first;
    bool each = l->op != OP_POINTWISE;
    if (p->s->n > 1 || p->s->columns > 1 || p->pulled || !is_pixelwise(l) ||
        !may_write(p, out, in, each))
        return false;
    return !op_has_two_inputs((Op)l->op) || may_write(p, out, in2, l->op == OP_ADD);
}

/* The only layer of a segment, a call a tile. */
static void pairs_at_once(const Passes *p, double *f)
{
    const Layer *l = &p->net->layer[p->s->first];
    int kernel = p->plan->kernel[p->s->first];
    PairsRow row = {0};
    for (int tile = 0; tile < p->s->rows; tile++) {
        PlanRange r[2];
        plan_ranges(p->net, p->s, tile, r);
        pairs_row_add(&row, l, kernel, (r[1].y1 - r[1].y0) * l->out_w);
    }
    pairs_features(l, kernel, 1, &row, f);
}

static void pairs_in_segment(const Passes *p, int i, double *f)
{
    const Layer *l = &p->net->layer[p->s->first + i];
    if (is_one_call(p, l))
        pairs_at_once(p, f);
    else
        pairs_features(l, p->plan->kernel[p->s->first + i], p->y[i].made, &p->row[i], f);
}

static void layer_in_segment(const Passes *p, int i, double *f)
{
    const Layer *l = &p->net->layer[p->s->first + i];
    int kernel = p->plan->kernel[p->s->first + i];
    if (kernel == STEP_DEPTHWISE_PLANES) {
        planes_features(l, f);
        return;
    }
    if (kernel >= N_OPS) {
        pairs_in_segment(p, i, f);
        return;
    }
    double calls = is_one_call(p, l) ? p->tiles : p->y[i].made * p->s->columns;
    set_features(l, calls > 0 ? p->tiles : 0, calls, p->y[i], p->x[i], f);
}

/* Rows of its input that a block expands for rows [0, end) of its output, so many a call. */
static double expanded_rows(const Layer *depthwise, int block, int end)
{
    int rows = 0;
    for (int y = 0; y < end; y += block) {
        int from = y * depthwise->sh - depthwise->pad_top;
        int to = from + (at_most(end - y, block) - 1) * depthwise->sh + depthwise->kh;
        rows += at_most(to, depthwise->in_h) - (from > 0 ? from : 0);
    }
    return rows;
}

/* Columns likewise: a window that slides keeps what it shares with the next one. */
static double expanded_columns(const Passes *p, int expand)
{
    const Layer *d = &p->net->layer[p->s->first + expand + 1];
    int end = (d->out_w - 1) * d->sw - d->pad_left + d->kw;
    if (d->kw <= d->sw)
        return p->x[expand + 1].taps;
    if (p->tiles > 1)
        return p->x[expand].made;
    return at_most(end, d->in_w);
}

/* i: the projection; the two layers before it are its expansion and depthwise. A window of the
 * depthwise is whole, also at the image's border, but pixels beyond it are not expanded. Channels
 * that are no multiple of four move byte by byte, and one output takes as long as four. */
static void block_features(const Passes *p, int i, double *f)
{
    const Layer *project = &p->net->layer[p->s->first + i], *depthwise = project - 1;
    int rows = p->plan->block[p->s->first + i], kept = depthwise->kw - depthwise->sw;
    int made = (int)p->y[i].made, calls = (made + rows - 1) / rows;
    double slides = ((made - calls) * depthwise->sh + calls * depthwise->kh) * p->x[i].made;
    double expanded = expanded_rows(depthwise, rows, made) * expanded_columns(p, i - 2);
    double pixels = made * p->x[i].made, c = depthwise->in_c;
    double to_c = 4 * fours_and_ones(depthwise->in_c), to_out = 4 * fours_and_ones(project->out_c);
    f[BLOCK_SLIDE] = slides;
    f[BLOCK_MOVED] = kept > 0 ? slides * kept * c * (depthwise->in_c % 4 ? 4 : 1) : 0;
    f[BLOCK_OUTPUT] = expanded * c + pixels * (c + project->out_c);
    f[BLOCK_TAP] = pixels * c * depthwise->kh * depthwise->kw;
    f[BLOCK_MAC] = expanded * project[-2].in_c * to_c + pixels * c * to_out;
}

enum { PULL = -1, NO_KERNEL = -1 };

/* Which kernel layer i of the segment, or PULL, uses and what it does there. NO_KERNEL: nothing
 * is pulled, or the layer is a part of a block, whose projection it is counted with. */
static int kernel_in_segment(const Passes *p, int i, double *f)
{
    int layer = p->s->first + i, end = p->s->first + p->s->n;
    const uint8_t *block = p->plan->block;
    if (i == PULL) {
        input_features(p->rows * p->s->columns, p->rows * p->columns * p->net->c, f);
        return p->pulled ? STEP_INPUT : NO_KERNEL;
    }
    if ((layer + 1 < end && block[layer + 1]) || (layer + 2 < end && block[layer + 2]))
        return NO_KERNEL;
    if (block[layer]) {
        block_features(p, i, f);
        return STEP_BLOCK;
    }
    if (plan_sums(p->net, p->plan, layer)) {
        sum_pool_features(&p->net->layer[layer], f);
        return STEP_SUM_POOL;
    }
    layer_in_segment(p, i, f);
    return p->plan->kernel[layer];
}

static bool copy_before(const Net *net, const Plan *plan, int segment, int tensor, double *f)
{
    if (plan->tensor[tensor].move != segment)
        return false;
    copy_features(net_tensor_bytes(net, tensor - 1), f);
    return true;
}

static void add_features(LatencySample *sample, int step, const double *f)
{
    for (int k = 0; k < N_FEATURES; k++)
        sample->features[step][k] += f[k];
}

void latency_features(const Net *net, const Plan *plan, int segment, LatencySample *sample)
{
    Passes p;
    double f[N_FEATURES];
    look_at_segment(&p, net, plan, segment);
    memset(sample->features, 0, sizeof sample->features);
    for (int i = PULL; i < p.s->n; i++) {
        int step = kernel_in_segment(&p, i, f);
        if (step != NO_KERNEL)
            add_features(sample, step, f);
    }
    for (int t = 0; t <= net->n_layers; t++)
        if (copy_before(net, plan, segment, t, f))
            add_features(sample, STEP_COPY, f);
}

/* ---- how long that takes ----------------------------------------------------------------- */

static double time_of(const Latency *latency, int step, const double *f)
{
    double time = 0;
    for (int k = 0; k < N_FEATURES; k++)
        time += latency->weight[step][k] * f[k];
    return time;
}

double latency_layer(const Latency *latency, const Layer *l, int kernel)
{
    double f[N_FEATURES];
    layer_features(l, kernel, f);
    return time_of(latency, kernel, f);
}

static double time_in_segment(const Latency *latency, const Passes *p, int i)
{
    double f[N_FEATURES];
    int step = kernel_in_segment(p, i, f);
    return step == NO_KERNEL ? 0 : time_of(latency, step, f);
}

static double time_of_copy(const Latency *latency, const Net *net, const Plan *plan, int segment,
                           int tensor)
{
    double f[N_FEATURES];
    return copy_before(net, plan, segment, tensor, f) ? time_of(latency, STEP_COPY, f) : 0;
}

double latency_in_plan(const Latency *latency, const Net *net, const Plan *plan, int layer)
{
    Passes p;
    int segment = 0;
    while (layer >= plan->segment[segment].first + plan->segment[segment].n)
        segment++;
    look_at_segment(&p, net, plan, segment);
    double time = time_in_segment(latency, &p, layer - p.s->first);
    if (layer > p.s->first)
        return time;
    for (int t = 0; t <= net->n_layers; t++)
        time += time_of_copy(latency, net, plan, segment, t);
    return time + time_in_segment(latency, &p, PULL);
}

double latency_plan(const Latency *latency, const Net *net, const Plan *plan)
{
    Passes p;
    if (!latency->unit[0])
        return 0;
    double time = latency->fixed;
    for (int s = 0; s < plan->n_segments; s++) {
        look_at_segment(&p, net, plan, s);
        for (int i = PULL; i < p.s->n; i++)
            time += time_in_segment(latency, &p, i);
    }
    for (int t = 0; t <= net->n_layers; t++)
        if (plan->tensor[t].move != PLAN_STAYS)
            time += time_of_copy(latency, net, plan, plan->tensor[t].move, t);
    return time;
}

/* An image that is pulled comes row by row, as far as the first layer needs it, which is never one
 * call then. */
double latency_net(const Latency *latency, const Net *net, const PlanOptions *o)
{
    double time = latency->fixed, f[N_FEATURES];
    const Layer *first = &net->layer[0];
    if (!latency->unit[0])
        return 0;
    for (int i = 0; i < net->n_layers; i++)
        time += latency_layer(latency, &net->layer[i], plan_kernel_of_layers(net, o, i));
    if (o->image_outside && net_last_reader(net, NET_IMAGE) == 0) {
        int rows = at_most((first->out_h - 1) * first->sh - first->pad_top + first->kh, net->h);
        input_features(rows, (double)rows * net->w * net->c, f);
        time += time_of(latency, STEP_INPUT, f);
        int kernel = plan_kernel(first, o->small);
        alone_features(first, kernel, false, f);
        time += time_of(latency, kernel, f) - latency_layer(latency, first, kernel);
    }
    return time;
}
