#include "supernet/mlp.h"

#include "base/alloc.h"
#include "nn/matmul.h"
#include "nn/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32 };

/* ---- places ---- */

static MatmulShape shape_of(const Mlp *m, int layer, int rows)
{
    return (MatmulShape){.rows = rows, .k = m->width[layer], .n = m->width[layer + 1]};
}

static size_t weights_of(const Mlp *m, int layer)
{
    return (size_t)m->width[layer] * (size_t)m->width[layer + 1];
}

static size_t place_of(const Mlp *m, int layer)
{
    size_t at = 0;
    for (int l = 0; l < layer; l++)
        at += weights_of(m, l) + (size_t)m->width[l + 1];
    return at;
}

static size_t packed_place(const Mlp *m, int layer)
{
    size_t at = 0;
    for (int l = 0; l < layer; l++)
        at += matmul_packed(shape_of(m, l, 1));
    return at;
}

void mlp_init(Mlp *m, int inputs, int hidden, Rng *rng)
{
    *m = (Mlp){.width = {inputs, hidden, hidden, hidden, 1}};
    matmul_begin();
    m->n_params = place_of(m, MLP_LAYERS);
    m->params = xcalloc(m->n_params, sizeof(float));
    m->packed = xaligned(sizeof(float) * packed_place(m, MLP_LAYERS));
    for (int l = 0; l < MLP_LAYERS; l++)
        for (size_t i = 0; i < weights_of(m, l); i++)
            m->params[place_of(m, l) + i] = (float)(rng_normal(rng) * sqrt(2.0 / m->width[l]));
    mlp_pack(m);
}

void mlp_release(Mlp *m)
{
    free(m->params);
    free(m->packed);
}

void mlp_pack(Mlp *m)
{
    for (int l = 0; l < MLP_LAYERS; l++)
        matmul_pack(shape_of(m, l, 1), m->params + place_of(m, l), m->packed + packed_place(m, l));
}

/* ---- passes ---- */

/* The layers' outputs of some rows, and the gradients of one after the other, in one block. */
typedef struct {
    float *out[MLP_LAYERS];
    float *grad[2]; /* of what a layer put out, and of what it read */
    float *packed;  /* weights of one layer for the way back */
} Room;

static float *take(float **block, size_t floats)
{
    float *at = *block;
    *block += (floats + 15) / 16 * 16;
    return at;
}

/* Room for n rows; returns the block to free. */
static float *room_new(const Mlp *m, int n, bool back, Room *r)
{
    size_t rows = (size_t)n, widest = 0, packed = 0;
    for (int l = 0; l < MLP_LAYERS; l++) {
        size_t p = matmul_packed(shape_of(m, l, 1)), w = (size_t)m->width[l];
        packed = p > packed ? p : packed;
        widest = w > widest ? w : widest;
    }
    size_t one = rows * widest + 16, floats = MLP_LAYERS * one + (back ? 2 * one + packed : 0);
    float *block = xaligned(sizeof(float) * floats), *at = block;
    for (int l = 0; l < MLP_LAYERS; l++)
        r->out[l] = take(&at, rows * widest);
    for (int i = 0; i < 2 && back; i++)
        r->grad[i] = take(&at, rows * widest);
    r->packed = back ? at : NULL;
    return block;
}

static void forward(const Mlp *m, const float *x, int n, const Room *r)
{
    for (int l = 0; l < MLP_LAYERS; l++) {
        const float *bias = m->params + place_of(m, l) + weights_of(m, l);
        size_t width = (size_t)m->width[l + 1];
        float *y = r->out[l];
        matmul(shape_of(m, l, n), l ? r->out[l - 1] : x, m->packed + packed_place(m, l), y, NULL);
        for (size_t i = 0; i < (size_t)n * width; i++) {
            y[i] += bias[i % width];
            y[i] = l < MLP_LAYERS - 1 && y[i] < 0 ? 0 : y[i];
        }
    }
}

void mlp_answer(const Mlp *m, const float *x, int n, float *y)
{
    Room r;
    float *block = room_new(m, n, false, &r);
    forward(m, x, n, &r);
    memcpy(y, r.out[MLP_LAYERS - 1], sizeof(float) * (size_t)n);
    free(block);
}

/* From the gradient of a layer's output to those of its parameters and of its input. */
static void layer_back(const Mlp *m, int l, const float *x, int n, const Room *r, float *grad)
{
    MatmulShape s = shape_of(m, l, n);
    size_t weights = weights_of(m, l), width = (size_t)s.n;
    float *dw = grad + place_of(m, l), *dy = r->grad[l % 2], *dx = r->grad[1 - l % 2];
    float *sum = xcalloc(weights, sizeof *sum);
    matmul_dw(s, dy, x, sum);
    matmul_dw_end(s, sum, dw);
    free(sum);
    for (size_t i = 0; i < (size_t)n * width; i++)
        dw[weights + i % width] += dy[i];
    if (l == 0)
        return;
    matmul_pack_dx(s, m->params + place_of(m, l), r->packed);
    matmul_dx(s, dy, r->packed, dx, false);
    for (size_t i = 0; i < (size_t)n * (size_t)s.k; i++)
        dx[i] = x[i] > 0 ? dx[i] : 0;
}

double mlp_gradient(const Mlp *m, const Examples *e, float *grad)
{
    Room r;
    float *block = room_new(m, e->n, true, &r), *answer = r.out[MLP_LAYERS - 1];
    double loss = 0;
    memset(grad, 0, m->n_params * sizeof *grad);
    forward(m, e->x, e->n, &r);
    for (int i = 0; i < e->n; i++) {
        float off = answer[i] - e->y[i];
        loss += (double)off * (double)off / e->n;
        r.grad[(MLP_LAYERS - 1) % 2][i] = 2 * off / (float)e->n;
    }
    for (int l = MLP_LAYERS - 1; l >= 0; l--)
        layer_back(m, l, l ? r.out[l - 1] : e->x, e->n, &r, grad);
    free(block);
    return loss;
}

/* ---- training ---- */

/* Adam's, with weights that decay apart from it (Loshchilov and Hutter 2019). */
static void step(Mlp *m, const float *grad, float *first, float *second, int t, double rate)
{
    double unbiased = sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t));
    float move = (float)(rate * unbiased), decay = (float)(1 - rate * 0.01);
    for (size_t i = 0; i < m->n_params; i++) {
        first[i] = 0.9F * first[i] + 0.1F * grad[i];
        second[i] = 0.999F * second[i] + 0.001F * grad[i] * grad[i];
        m->params[i] = m->params[i] * decay - move * first[i] / (sqrtf(second[i]) + 1e-8F);
    }
    mlp_pack(m);
}

/* A batch of those that `order` names, copied together. */
static Examples gather(const Mlp *m, const Examples *e, const int *order, int n, float *x, float *y)
{
    size_t inputs = (size_t)m->width[0];
    for (int i = 0; i < n; i++) {
        memcpy(x + (size_t)i * inputs, e->x + (size_t)order[i] * inputs, inputs * sizeof *x);
        y[i] = e->y[order[i]];
    }
    return (Examples){x, y, n};
}

void mlp_train(Mlp *m, const Examples *e, int epochs, Rng *rng)
{
    int batches = (e->n + BATCH - 1) / BATCH, steps = epochs * batches, t = 0;
    float *grad = xmalloc(m->n_params * sizeof(float));
    float *moments = xcalloc(2 * m->n_params, sizeof(float));
    float *x = xmalloc(sizeof(float) * BATCH * (size_t)m->width[0]), y[BATCH];
    int *order = xmalloc(sizeof(int) * (size_t)e->n);
    for (int i = 0; i < e->n; i++)
        order[i] = i;
    for (int epoch = 0; epoch < epochs; epoch++) {
        rng_shuffle(rng, order, e->n);
        for (int at = 0; at < e->n; at += BATCH, t++) {
            int n = e->n - at < BATCH ? e->n - at : BATCH;
            Examples batch = gather(m, e, order + at, n, x, y);
            mlp_gradient(m, &batch, grad);
            step(m, grad, moments, moments + m->n_params, t + 1, cosine_rate(1e-3, t, steps, 0));
        }
    }
    free(grad);
    free(moments);
    free(x);
    free(order);
}
