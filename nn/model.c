#include "nn/model.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *taken(float **at, size_t n)
{
    float *p = *at;
    *at += n;
    return p;
}

/* Points every layer into the two blocks, one layer after the other. */
static void place(Model *m, float *params, float *stats)
{
    for (int i = 0; i < m->net.n_layers; i++) {
        const Layer *l = &m->net.layer[i];
        LayerParams *p = &m->layer[i];
        if (!op_has_weights((Op)l->op))
            continue;
        p->w = taken(&params, layer_weights(l));
        if (l->op == OP_DENSE) {
            p->bias = taken(&params, l->out_c);
            continue;
        }
        p->gamma = taken(&params, l->out_c);
        p->beta = taken(&params, l->out_c);
        p->mean = taken(&stats, l->out_c);
        p->var = taken(&stats, l->out_c);
    }
}

void model_measure(Model *m, const Net *net)
{
    memset(m, 0, sizeof *m);
    m->net = *net;
    for (int i = 0; i < m->net.n_layers; i++) {
        const Layer *l = &m->net.layer[i];
        if (!op_has_weights((Op)l->op))
            continue;
        m->n_params += layer_weights(l) + (l->op == OP_DENSE ? 1u : 2u) * l->out_c;
        m->n_stats += l->op == OP_DENSE ? 0 : 2u * l->out_c;
    }
}

static void fill(float *p, int n, float value)
{
    for (int i = 0; i < n; i++)
        p[i] = value;
}

void model_init(Model *m, const Net *net)
{
    model_measure(m, net);
    m->params = xaligned((m->n_params + m->n_stats + 1) * sizeof(float));
    m->stats = m->params + m->n_params;
    place(m, m->params, m->stats);
    for (int i = 0; i < net->n_layers; i++)
        if (m->layer[i].gamma) {
            fill(m->layer[i].gamma, net->layer[i].out_c, 1);
            fill(m->layer[i].var, net->layer[i].out_c, 1);
        }
}

void model_release(Model *m)
{
    free(m->params);
    memset(m, 0, sizeof *m);
}

/* Standard deviation of a layer's first weights. A depthwise filter sees one
 * channel and feeds one, so that its fan out is its k x k taps. */
static double deviation(const Layer *l)
{
    if (l->op == OP_DENSE)
        return 0.01;
    int fan = l->op == OP_DEPTHWISE ? l->kh * l->kw : l->kh * l->kw * l->in_c;
    return sqrt(2.0 / fan);
}

void model_randomise(Model *m, Rng *rng)
{
    for (int i = 0; i < m->net.n_layers; i++) {
        const Layer *l = &m->net.layer[i];
        LayerParams *p = &m->layer[i];
        uint32_t n = layer_weights(l);
        for (uint32_t j = 0; j < n; j++)
            p->w[j] = (float)(deviation(l) * rng_normal(rng));
        if (p->bias)
            fill(p->bias, l->out_c, 0);
        if (p->gamma) {
            fill(p->gamma, l->out_c, 1);
            fill(p->beta, l->out_c, 0);
        }
    }
}

void model_copy(Model *to, const Model *from)
{
    assert(to->n_params == from->n_params && to->n_stats == from->n_stats);
    memcpy(to->params, from->params, from->n_params * sizeof(float));
    memcpy(to->stats, from->stats, from->n_stats * sizeof(float));
}

uint64_t model_hash(const Model *m)
{
    uint64_t hash = hash_bytes(HASH_START, m->params, m->n_params * sizeof(float));
    return hash_bytes(hash, m->stats, m->n_stats * sizeof(float));
}
