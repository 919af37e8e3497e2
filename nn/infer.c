#include "nn/pass.h"

#include "base/alloc.h"
#include "nn/matmul.h"
#include "nn/vec.h"
#include "nn/workspace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* With running statistics a norm is a factor on the weights and a bias. Layers
 * whose tensors of a few images fit into the cache make a group, which runs
 * depth first: all its layers for the first images, then for the next. */

enum { BLOCK_IMAGES = 64 };

typedef struct {
    int first, end; /* layers */
    int images;     /* at once */
} Group;

typedef struct {
    Workspace *ws;
    const Model *model;
    const Net *net;
    int n; /* images of a block */
    int n_groups;
    Group group[NET_MAX_LAYERS];
    int group_of[NET_MAX_LAYERS];
    bool crosses[NET_MAX_LAYERS]; /* read by a later group, or the output */
    size_t plane[NET_MAX_LAYERS]; /* of its tensor */
    size_t value[NET_MAX_LAYERS], tables[NET_MAX_LAYERS], weights, scratch;
    size_t packed[NET_MAX_LAYERS];
    float *lo, *hi; /* ranges, or NULL */
} Inference;

/* Images of a layer whose input and output fill a piece. */
static int images_of(const Layer *l, int most)
{
    size_t floats = layer_floats(l) + (size_t)l->in_h * l->in_w * l->in_c;
    int n = (int)(CHUNK_FLOATS / floats);
    return n < 1 ? 1 : n > most ? most : n;
}

/* A wide tensor beside a depthwise layer had better stay in the cache. */
static bool may_begin(const Net *net, int i)
{
    const Layer *l = &net->layer[i];
    return l->op != OP_DEPTHWISE && (l->input < 0 || net->layer[l->input].op != OP_DEPTHWISE);
}

/* A layer that could take many more images at once than the group begins another. */
static void find_groups(Inference *f)
{
    for (int i = 0; i < f->net->n_layers; i++) {
        int images = images_of(&f->net->layer[i], f->n);
        if (i == 0 || (may_begin(f->net, i) && images >= 4 * f->group[f->n_groups - 1].images))
            f->group[f->n_groups++] = (Group){.first = i, .images = images};
        Group *g = &f->group[f->n_groups - 1];
        g->images = images < g->images ? images : g->images;
        g->end = i + 1;
        f->group_of[i] = f->n_groups - 1;
    }
}

/* Does layer i write what layer j reads a vector of channels at a time? */
static bool reads_planes(const Net *net, int i, int j)
{
    Op writer = (Op)net->layer[i].op, reader = (Op)net->layer[j].op;
    if (reader == OP_POINTWISE)
        return writer == OP_DEPTHWISE;
    return reader == OP_DEPTHWISE && op_has_weights(writer);
}

static bool lies_in_planes(const Inference *f, int i)
{
    if (!matmul_takes_planes() || f->lo || f->crosses[i] || f->net->layer[i].op == OP_DENSE)
        return false;
    for (int j = i + 1; j < f->net->n_layers; j++) {
        const Layer *l = &f->net->layer[j];
        if ((l->input == i || l->input2 == i) && !reads_planes(f->net, i, j))
            return false;
    }
    return true;
}

/* Floats of n images of what layer i makes. */
static size_t value_floats(Inference *f, int i, size_t images)
{
    const Layer *l = &f->net->layer[i];
    size_t planes = ((size_t)l->out_c + VEC_LANES - 1) / VEC_LANES;
    f->plane[i] = lies_in_planes(f, i) ? images * l->out_h * l->out_w * VEC_LANES : 0;
    return f->plane[i] ? planes * f->plane[i] : images * layer_floats(l);
}

/* What stays within a group is as large as the group's images and dies with its last reader. */
static void place_values(Inference *f)
{
    Span span[NET_MAX_LAYERS];
    int n = f->net->n_layers;
    for (int i = 0; i < n; i++) {
        int last = net_last_reader(f->net, i);
        const Group *own = &f->group[f->group_of[i]], *lasts = &f->group[f->group_of[last]];
        f->crosses[i] = own != lasts || i == n - 1;
        size_t images = (size_t)(f->crosses[i] ? f->n : own->images);
        span[i] = (Span){.floats = (value_floats(f, i, images) + 15) / 16 * 16,
                         .from = f->crosses[i] ? own->first : i,
                         .to = f->crosses[i] ? lasts->end - 1 : last};
    }
    size_t at = workspace_take(f->ws, spans_place(span, n));
    for (int i = 0; i < n; i++)
        f->value[i] = at + span[i].at;
}

/* Weights times gamma / sqrt(var + epsilon), and the bias that remains. */
static void fold(const Model *m, int i, float *w, float *bias)
{
    const Layer *l = &m->net.layer[i];
    const LayerParams *p = &m->layer[i];
    float *scale = bias + l->out_c;
    for (int c = 0; c < l->out_c; c++) {
        scale[c] = p->gamma ? p->gamma[c] / sqrtf(p->var[c] + NORM_EPSILON) : 1;
        bias[c] = p->gamma ? p->beta[c] - p->mean[c] * scale[c] : p->bias[c];
    }
    bool last = l->op == OP_DEPTHWISE; /* the channel counts fastest there, slowest elsewhere */
    size_t n = layer_weights(l), rows = last ? n / l->out_c : l->out_c, cols = n / rows;
    for (size_t r = 0; r < rows; r++)
#pragma omp simd
        for (size_t c = 0; c < cols; c++)
            w[r * cols + c] = p->w[r * cols + c] * (last ? scale[c] : scale[r]);
}

static void bind(Inference *f, int i)
{
    const Layer *l = &f->net->layer[i];
    float *block = f->ws->block, *scratch = block + f->scratch;
    Tensor *t = workspace_tensor(f->ws, i);
    Step *s = &f->ws->step[i];
    tensor_init(t, l->out_c, (Act)l->act, false, NULL);
    t->plane = f->plane[i];
    *s = (Step){.layer = l, .in = {workspace_tensor(f->ws, l->input),
                                   workspace_tensor(f->ws, l->input2)},
                .out = t, .scratch = scratch};
    if (!op_has_weights((Op)l->op))
        return;
    float *w = block + f->weights + (f->model->layer[i].w - f->model->params);
    t->shift = block + f->tables[i];
    fold(f->model, i, w, scratch);
    tensor_spread(t, t->shift, scratch);
    s->w = w;
    if (op_packed(l)) {
        op_pack(l, w, block + f->packed[i]);
        s->packed = block + f->packed[i];
    }
}

static size_t most_channels(const Net *net)
{
    size_t most = 0;
    for (int i = 0; i < net->n_layers; i++)
        most = net->layer[i].out_c > most ? net->layer[i].out_c : most;
    return most;
}

static void lay_out(Inference *f)
{
    size_t scratch = net_scratch(f->net), pair = 2 * most_channels(f->net);
    find_groups(f);
    for (int i = 0; i < f->net->n_layers; i++) {
        f->tables[i] = workspace_take(f->ws, tensor_tables(f->net->layer[i].out_c, false));
        f->packed[i] = workspace_take(f->ws, op_packed(&f->net->layer[i]));
    }
    f->weights = workspace_take(f->ws, f->model->n_params);
    f->scratch = workspace_take(f->ws, scratch > pair ? scratch : pair);
    place_values(f);
}

static void begin(Inference *f)
{
    lay_out(f);
    workspace_reserve(f->ws);
    tensor_init(workspace_tensor(f->ws, NET_IMAGE), f->net->c, ACT_NONE, false, NULL);
    for (int i = 0; i < f->net->n_layers; i++)
        bind(f, i);
}

static void widen(float *lo, float *hi, const float *x, size_t n)
{
    float least = *lo, most = *hi;
    for (size_t i = 0; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    *lo = least;
    *hi = most;
}

/* Where the values of the image `first` of the block lie; those within a group begin anew. */
static void point(Inference *f, int layer, int first)
{
    size_t skip = f->crosses[layer] ? (size_t)first * layer_floats(&f->net->layer[layer]) : 0;
    workspace_tensor(f->ws, layer)->raw = f->ws->block + f->value[layer] + skip;
}

static void run_layer(Inference *f, int i, const float *images, int first, int n)
{
    Step *s = &f->ws->step[i];
    const Layer *l = s->layer;
    size_t image = (size_t)f->net->h * f->net->w * f->net->c;
    int reads[2] = {l->input, l->input2};
    for (int k = 0; k < 2; k++)
        if (reads[k] >= 0)
            point(f, reads[k], first);
        else if (reads[k] == NET_IMAGE)
            s->in[k]->raw = (float *)images + (size_t)first * image; /* only read */
    point(f, i, first);
    op_forward(s, n);
    if (f->lo)
        widen(&f->lo[i], &f->hi[i], s->out->raw, (size_t)n * layer_floats(l));
}

static void run_block(Inference *f, const float *images, int n)
{
    for (const Group *g = f->group; g < f->group + f->n_groups; g++)
        for (int first = 0; first < n; first += g->images)
            for (int i = g->first; i < g->end; i++)
                run_layer(f, i, images, first, n - first < g->images ? n - first : g->images);
}

static void infer(Inference *f, const float *images, int n, float *logits)
{
    size_t image = (size_t)f->net->h * f->net->w * f->net->c;
    size_t classes = layer_floats(net_output(f->net));
    f->n = n < BLOCK_IMAGES ? n : BLOCK_IMAGES;
    if (n < 1)
        return;
    begin(f);
    for (int i = 0; i < n; i += f->n) {
        int some = n - i < f->n ? n - i : f->n;
        run_block(f, images + (size_t)i * image, some);
        if (logits)
            memcpy(logits + (size_t)i * classes, f->ws->block + f->value[f->net->n_layers - 1],
                   (size_t)some * classes * sizeof(float));
    }
}

size_t nn_infer_bytes(const Net *net, int n)
{
    Model m;
    model_measure(&m, net);
    Workspace *counted = xcalloc(1, sizeof *counted);
    Inference f = {.ws = counted, .model = &m, .net = net, .n = n < BLOCK_IMAGES ? n : BLOCK_IMAGES};
    lay_out(&f);
    size_t bytes = workspace_room(counted->taken);
    free(counted);
    return bytes;
}

void nn_infer(const Model *m, Workspace *ws, const float *images, int n, float *logits)
{
    Inference f = {.ws = ws, .model = m, .net = &m->net};
    infer(&f, images, n, logits);
}

void nn_ranges(const Model *m, Workspace *ws, const float *images, int n, float *lo, float *hi)
{
    Inference f = {.ws = ws, .model = m, .net = &m->net, .lo = lo, .hi = hi};
    infer(&f, images, n, NULL);
}
