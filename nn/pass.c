#include "nn/pass.h"

#include "base/alloc.h"
#include "nn/loss.h"
#include "nn/workspace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A training pass keeps every layer's raw output; gradients live from their
 * first writer to their layer and share memory when they never meet. */

typedef struct {
    Workspace *ws;
    const Model *model;
    const Net *net;
    int n;        /* images */
    Model *grad;  /* gradients, and the batch's statistics */
    bool backward;
    bool wanted[NET_MAX_LAYERS];      /* the loss depends on it */
    int owner[NET_MAX_LAYERS];        /* the layer in whose gradient's place this one's lies */
    size_t raw[NET_MAX_LAYERS], grads[NET_MAX_LAYERS], tables[NET_MAX_LAYERS], scratch;
} Pass;

static size_t pixels_of(const Pass *p, int layer)
{
    const Layer *l = &p->net->layer[layer];
    return (size_t)p->n * l->out_h * l->out_w;
}

static bool normed(const Pass *p, int layer)
{
    Op op = (Op)p->net->layer[layer].op;
    return op_has_weights(op) && op != OP_DENSE;
}

static void find_wanted(Pass *p)
{
    int last = p->net->n_layers - 1;
    p->wanted[last] = true;
    for (int i = last; i >= 0; i--) {
        const Layer *l = &p->net->layer[i];
        if (p->wanted[i] && l->input >= 0)
            p->wanted[l->input] = true;
        if (p->wanted[i] && l->input2 >= 0)
            p->wanted[l->input2] = true;
    }
}

/* Readers come backwards: the first overwrites, the others add, the last closes. */
static void find_shares(Pass *p)
{
    Share *latest[NET_MAX_LAYERS] = {0};
    for (int i = p->net->n_layers - 1; i >= 0; i--) {
        int input[2] = {p->net->layer[i].input, p->net->layer[i].input2};
        for (int k = 0; k < 2; k++) {
            Share *share = &p->ws->step[i].share[k];
            *share = (Share){.wanted = p->wanted[i] && input[k] >= 0};
            if (!share->wanted)
                continue;
            share->adds = latest[input[k]] != NULL;
            latest[input[k]] = share;
        }
    }
    for (int i = 0; i < p->net->n_layers; i++)
        if (latest[i])
            latest[i]->closes = true;
}

/* May the gradient of this input of an add be the add's own? Not when a mask would change it. */
static bool shareable(const Pass *p, int add, int which)
{
    const Layer *l = &p->net->layer[add];
    const Share *share = &p->ws->step[add].share[which];
    int input = which ? l->input2 : l->input;
    return l->input != l->input2 && share->wanted && !share->adds &&
           p->net->layer[input].act == ACT_NONE;
}

/* An add hands its gradient to both inputs unchanged. The nearer one, right before it, has read
 * it when earlier readers of the farther one add to it, so that all three lie in one place. */
static void find_owners(Pass *p)
{
    for (int i = 0; i < p->net->n_layers; i++)
        p->owner[i] = i;
    for (int i = p->net->n_layers - 1; i >= 0; i--) {
        const Layer *l = &p->net->layer[i];
        if (l->op != OP_ADD || !p->wanted[i])
            continue;
        int near = l->input2 == i - 1, far = 1 - near;
        int input[2] = {l->input, l->input2};
        const Layer *nearest = input[near] >= 0 ? &p->net->layer[input[near]] : NULL;
        bool first = nearest && input[near] == i - 1 && nearest->op != OP_ADD &&
                     shareable(p, i, near) && p->ws->step[i].share[near].closes;
        if (first)
            p->owner[input[near]] = p->owner[i];
        if (shareable(p, i, far) && (!first || nearest->input != input[far]))
            p->owner[input[far]] = p->owner[i];
    }
}

static int first_writer(const Pass *p, int layer)
{
    int last = net_last_reader(p->net, layer);
    while (last > layer && !p->wanted[last])
        last--;
    return last;
}

static void place_gradients(Pass *p)
{
    Span span[NET_MAX_LAYERS];
    int n = p->net->n_layers;
    for (int i = n - 1; i >= 0; i--) {
        span[i] = (Span){.floats = 0, .from = i, .to = first_writer(p, i)};
        if (p->owner[i] != i)
            span[p->owner[i]].from = i;
        else if (p->wanted[i])
            span[i].floats = (pixels_of(p, i) * p->net->layer[i].out_c + 15) / 16 * 16;
    }
    size_t at = workspace_take(p->ws, spans_place(span, n));
    for (int i = 0; i < n; i++)
        p->grads[i] = at + span[p->owner[i]].at;
}

static void lay_out(Pass *p)
{
    for (int i = 0; i < p->net->n_layers; i++) {
        const Layer *l = &p->net->layer[i];
        p->tables[i] = workspace_take(p->ws, tensor_tables(l->out_c, normed(p, i)));
        p->raw[i] = workspace_take(p->ws, pixels_of(p, i) * l->out_c);
    }
    p->scratch = workspace_take(p->ws, net_scratch(p->net));
    if (p->backward) {
        find_wanted(p);
        find_shares(p);
        find_owners(p);
        place_gradients(p);
    }
}

/* Of a pass that is laid out, but not run; before it come `floats`. */
static size_t bytes_of(const Net *net, int n, bool backward, size_t floats)
{
    Workspace *counted = xcalloc(1, sizeof *counted);
    Pass p = {.ws = counted, .net = net, .n = n, .backward = backward};
    workspace_take(counted, floats);
    lay_out(&p);
    size_t bytes = workspace_room(counted->taken);
    free(counted);
    return bytes;
}

size_t nn_train_bytes(const Net *net, int n)
{
    return bytes_of(net, n, true, 0);
}

size_t nn_recalibrate_bytes(const Net *net, int n)
{
    Model m;
    model_measure(&m, net);
    return bytes_of(net, n, false, m.n_stats);
}

static void bind_tensor(Pass *p, int i)
{
    const Layer *l = &p->net->layer[i];
    float *block = p->ws->block, *tables = block + p->tables[i];
    Tensor *t = workspace_tensor(p->ws, i);
    tensor_init(t, l->out_c, (Act)l->act, normed(p, i), tables);
    t->raw = block + p->raw[i];
    t->grad = block + p->grads[i];
    if (p->model->layer[i].bias) {
        t->shift = tables;
        tensor_spread(t, t->shift, p->model->layer[i].bias);
    }
}

static void bind_step(Pass *p, int i)
{
    const Layer *l = &p->net->layer[i];
    Step *s = &p->ws->step[i];
    const LayerParams *g = &p->grad->layer[i];
    s->layer = &p->net->layer[i];
    s->in[0] = workspace_tensor(p->ws, l->input);
    s->in[1] = workspace_tensor(p->ws, l->input2);
    s->out = workspace_tensor(p->ws, i);
    s->w = p->model->layer[i].w;
    s->packed = NULL;
    s->dw = g->w;
    s->d_bias = g->bias;
    s->scratch = p->ws->block + p->scratch;
}

static void begin(Pass *p, const float *images)
{
    p->net = &p->model->net;
    lay_out(p);
    workspace_reserve(p->ws);
    Tensor *image = workspace_tensor(p->ws, NET_IMAGE);
    tensor_init(image, p->net->c, ACT_NONE, false, NULL);
    image->raw = (float *)images; /* only read */
    for (int i = 0; i < p->net->n_layers; i++) {
        bind_tensor(p, i);
        bind_step(p, i);
    }
}

/* The batch's statistics go to the layers of `stats`. */
static void forward(Pass *p, const LayerParams *stats)
{
    for (int i = 0; i < p->net->n_layers; i++) {
        const LayerParams *from = &p->model->layer[i], *to = &stats[i];
        op_forward(&p->ws->step[i], p->n);
        if (normed(p, i))
            tensor_close(p->ws->step[i].out, pixels_of(p, i), from->gamma, from->beta, to->mean,
                         to->var);
    }
}

static void backward(Pass *p)
{
    for (int i = p->net->n_layers - 1; i >= 0; i--) {
        LayerParams *g = &p->grad->layer[i];
        if (!p->wanted[i])
            continue;
        if (normed(p, i))
            tensor_grad_close(p->ws->step[i].out, pixels_of(p, i), g->gamma, g->beta);
        op_backward(&p->ws->step[i], p->n);
    }
}

bool nn_trains(Op op)
{
    return op_trains(op);
}

double nn_train_pass(const Model *m, Workspace *ws, const Lesson *lesson, Model *grad,
                     int *correct)
{
    Pass p = {.ws = ws, .model = m, .n = lesson->n, .grad = grad, .backward = true};
    int last = m->net.n_layers - 1, classes = (int)layer_floats(net_output(&m->net));
    assert(lesson->n > 0 && grad->n_params == m->n_params);
    begin(&p, lesson->images);
    forward(&p, grad->layer);
    memset(grad->params, 0, grad->n_params * sizeof(float));
    Tensor *out = workspace_tensor(ws, last);
    const float *logits = tensor_read(out, 0, pixels_of(&p, last), ws->step[last].scratch);
    double loss = loss_of(logits, lesson, classes, out->grad, correct);
    tensor_grad_written(out, 0, pixels_of(&p, last));
    backward(&p);
    return loss;
}

static float moved(float from, float to, int k)
{
    return from + (to - from) / (float)(k + 1);
}

void nn_recalibrate(Model *m, Workspace *ws, const float *images, int n, int k)
{
    LayerParams stats[NET_MAX_LAYERS] = {{0}};
    Model none = {0};
    Pass p = {.ws = ws, .model = m, .n = n, .grad = &none};
    size_t at = workspace_take(ws, m->n_stats);
    begin(&p, images);
    for (int i = 0; i < m->net.n_layers; i++)
        if (normed(&p, i)) {
            stats[i].mean = ws->block + at + (m->layer[i].mean - m->stats);
            stats[i].var = ws->block + at + (m->layer[i].var - m->stats);
        }
    forward(&p, stats);
    for (size_t i = 0; i < m->n_stats; i++)
        m->stats[i] = moved(m->stats[i], ws->block[at + i], k);
}
