#include "supernet/supernet.h"

#include "base/alloc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void supernet_init(Supernet *s, const Space *space, int width, const Choices *resolutions,
                   int n_classes)
{
    assert(resolutions->n > 0);
    *s = (Supernet){
        .space = *space, .width = width, .resolutions = *resolutions, .n_classes = n_classes};
    Genotype largest = genotype_largest(space, width, choices_largest(resolutions));
    Net net;
    genotype_expand(space, &largest, n_classes, &net);
    model_init(&s->shared, &net);
}

void supernet_release(Supernet *s)
{
    model_release(&s->shared);
}

/* The layer of the largest network whose weights a subnet's layer shares. */
static int home_of(const Net *largest, const Layer *l)
{
    for (int i = 0; i < largest->n_layers; i++) {
        const Layer *big = &largest->layer[i];
        if (big->stage == l->stage && big->block == l->block && big->role == l->role)
            return i;
    }
    assert(!"a subnet's layer has a home in the largest network");
    return -1;
}

typedef struct {
    float *small, *big; /* floats in a row, n of them */
    int n;
} Run;

typedef void OnRun(Run run, float share);

static void take(Run run, float share)
{
    (void)share;
    memcpy(run.small, run.big, sizeof(float) * (size_t)run.n);
}

static void put(Run run, float share)
{
    (void)share;
    memcpy(run.big, run.small, sizeof(float) * (size_t)run.n);
}

static void give(Run run, float share)
{
    for (int i = 0; i < run.n; i++)
        run.big[i] += share * run.small[i];
}

/* Visits every stretch of weights that both layers have: the kernel's centre,
 * the leading channels. */
static void visit_weights(const Layer *s, const Layer *b, float *small, float *big, OnRun *on,
                          float share)
{
    bool depthwise = s->op == OP_DEPTHWISE;
    int n_out = depthwise ? 1 : s->out_c, top = (b->kh - s->kh) / 2, left = (b->kw - s->kw) / 2;
    for (int o = 0; o < n_out; o++) {
        for (int y = 0; y < s->kh; y++) {
            for (int x = 0; x < s->kw; x++) {
                size_t from =
                    (((size_t)o * b->kh + (size_t)(y + top)) * b->kw + (size_t)(x + left)) *
                    b->in_c;
                size_t to = (((size_t)o * s->kh + (size_t)y) * s->kw + (size_t)x) * s->in_c;
                on((Run){small + to, big + from, s->in_c}, share);
            }
        }
    }
}

static void visit(float *small, float *big, int n, OnRun *on, float share)
{
    if (small)
        on((Run){small, big, n}, share);
}

/* Every parameter that a subnet shares with the largest network. */
static void visit_params(Model *small, Model *big, OnRun *on, float share)
{
    for (int i = 0; i < small->net.n_layers; i++) {
        const Layer *l = &small->net.layer[i];
        if (!op_has_weights((Op)l->op))
            continue;
        int home = home_of(&big->net, l);
        LayerParams *s = &small->layer[i], *b = &big->layer[home];
        visit_weights(l, &big->net.layer[home], s->w, b->w, on, share);
        visit(s->bias, b->bias, l->out_c, on, share);
        visit(s->gamma, b->gamma, l->out_c, on, share);
        visit(s->beta, b->beta, l->out_c, on, share);
    }
}

static void take_stats(Model *small, Model *big)
{
    for (int i = 0; i < small->net.n_layers; i++) {
        const Layer *l = &small->net.layer[i];
        if (!op_has_weights((Op)l->op))
            continue;
        int home = home_of(&big->net, l);
        visit(small->layer[i].mean, big->layer[home].mean, l->out_c, take, 1);
        visit(small->layer[i].var, big->layer[home].var, l->out_c, take, 1);
    }
}

void supernet_slice(const Model *shared, const Net *net, Model *out)
{
    model_init(out, net);
    Model big = *shared; /* the visitors may write either side; `take` writes the small one */
    visit_params(out, &big, take, 1);
    take_stats(out, &big);
}

void supernet_extract(const Supernet *s, const Genotype *g, Model *out)
{
    Net net;
    genotype_expand(&s->space, g, s->n_classes, &net);
    supernet_slice(&s->shared, &net, out);
}

void supernet_put(Model *shared, const Model *net)
{
    Model small = *net;
    visit_params(&small, shared, put, 1);
}

void supernet_add_gradient(Model *sum, const Model *grad, float share)
{
    Model small = *grad;
    visit_params(&small, sum, give, share);
}

typedef struct {
    float importance;
    int channel;
} Ranked;

static int by_importance(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->importance != y->importance)
        return x->importance < y->importance ? 1 : -1;
    return x->channel - y->channel;
}

/* rows[i] <- old rows[order[i].channel], rows of `width` floats */
static void permute_rows(float *rows, int n, int width, const Ranked *order)
{
    size_t bytes = sizeof(float) * (size_t)n * (size_t)width;
    float *old = xmalloc(bytes);
    memcpy(old, rows, bytes);
    for (int i = 0; i < n; i++)
        memcpy(rows + (size_t)i * (size_t)width, old + (size_t)order[i].channel * (size_t)width,
               sizeof(float) * (size_t)width);
    free(old);
}

static void permute_columns(float *rows, int n_rows, int n, const Ranked *order)
{
    float *old = xmalloc(sizeof(float) * (size_t)n);
    for (int r = 0; r < n_rows; r++) {
        float *row = rows + (size_t)r * (size_t)n;
        memcpy(old, row, sizeof(float) * (size_t)n);
        for (int i = 0; i < n; i++)
            row[i] = old[order[i].channel];
    }
    free(old);
}

static void permute_norm(LayerParams *p, int n, const Ranked *order)
{
    float *all[] = {p->gamma, p->beta, p->mean, p->var};
    for (int i = 0; i < 4; i++)
        permute_rows(all[i], n, 1, order);
}

/* Layers expand, depthwise, project at i, i+1, i+2. */
static void sort_block(Model *m, int i)
{
    const Layer *expand = &m->net.layer[i], *dw = &m->net.layer[i + 1],
                *project = &m->net.layer[i + 2];
    int mid = dw->out_c;
    LayerParams *e = &m->layer[i], *d = &m->layer[i + 1], *p = &m->layer[i + 2];
    Ranked *order = xmalloc(sizeof *order * (size_t)mid);
    for (int c = 0; c < mid; c++) {
        order[c] = (Ranked){0, c};
        for (int o = 0; o < project->out_c; o++)
            order[c].importance += fabsf(p->w[(size_t)o * (size_t)mid + (size_t)c]);
    }
    qsort(order, (size_t)mid, sizeof *order, by_importance);
    permute_rows(e->w, mid, expand->in_c, order);
    permute_norm(e, mid, order);
    permute_columns(d->w, dw->kh * dw->kw, mid, order);
    permute_norm(d, mid, order);
    permute_columns(p->w, project->out_c, mid, order);
    free(order);
}

void supernet_sort_channels(Model *shared)
{
    for (int i = 0; i < shared->net.n_layers; i++)
        if (shared->net.layer[i].role == ROLE_EXPAND)
            sort_block(shared, i);
}
