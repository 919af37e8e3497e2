#include "nn/op.h"

#include "nn/matmul.h"

#include <string.h>

static size_t add_piece(const Layer *l)
{
    return CHUNK_FLOATS / l->out_c + 1;
}

static size_t add_scratch(const Layer *l)
{
    return add_piece(l) * l->out_c;
}

static size_t piece_of(size_t at, size_t total, size_t piece)
{
    return total - at < piece ? total - at : piece;
}

static void add_forward(const Step *s, int images)
{
    const Layer *l = s->layer;
    size_t total = (size_t)images * l->out_h * l->out_w, piece = add_piece(l);
    for (size_t at = 0; at < total; at += piece) {
        size_t n = piece_of(at, total, piece), floats = n * l->out_c;
        float *out = s->out->raw + at * l->out_c;
        const float *a = tensor_read(s->in[0], at, n, out);
        const float *b = tensor_read(s->in[1], at, n, s->scratch);
#pragma omp simd
        for (size_t i = 0; i < floats; i++)
            out[i] = a[i] + b[i];
        tensor_written(s->out, at, n);
    }
}

static void add_give(const Step *s, int which, size_t at, size_t n)
{
    size_t c = s->layer->out_c;
    const float *dy = s->out->grad + at * c;
    float *dx = s->in[which]->grad + at * c;
    if (!s->share[which].wanted)
        return;
    if (s->share[which].adds)
#pragma omp simd
        for (size_t i = 0; i < n * c; i++)
            dx[i] += dy[i];
    else if (dx != dy) /* else they share one place: pass.c */
        memcpy(dx, dy, n * c * sizeof(float));
    op_give(s, which, at, n);
}

static void add_backward(const Step *s, int images)
{
    const Layer *l = s->layer;
    size_t total = (size_t)images * l->out_h * l->out_w, piece = add_piece(l);
    for (size_t at = 0; at < total; at += piece)
        for (int which = 0; which < 2; which++)
            add_give(s, which, at, piece_of(at, total, piece));
}

static const struct {
    size_t (*scratch)(const Layer *l);
    void (*forward)(const Step *s, int images);
    void (*backward)(const Step *s, int images);
} operators[N_OPS] = {
    [OP_CONV]        = {conv_scratch,      conv_forward,      conv_backward},
    [OP_DEPTHWISE]   = {depthwise_scratch, depthwise_forward, depthwise_backward},
    [OP_POINTWISE]   = {matmul_scratch,    matmul_forward,    matmul_backward},
    [OP_ADD]         = {add_scratch,       add_forward,       add_backward},
    [OP_AVG_POOL]    = {pool_scratch,      pool_forward,      pool_backward},
    [OP_MAX_POOL]    = {pool_scratch,      pool_forward,      pool_backward},
    [OP_GLOBAL_POOL] = {pool_scratch,      pool_forward,      pool_backward},
    [OP_DENSE]       = {matmul_scratch,    matmul_forward,    matmul_backward},
}; /* the others come with imported models, which are int8 already */

bool op_trains(Op op)
{
    return operators[op].backward != NULL;
}

size_t op_scratch(const Layer *l)
{
    return operators[l->op].scratch(l);
}

static MatmulShape product_of(const Layer *l)
{
    int taps = l->op == OP_DENSE ? l->in_h * l->in_w : l->kh * l->kw;
    return (MatmulShape){.k = taps * l->in_c, .n = l->out_c};
}

static bool packs(const Layer *l)
{
    return l->op == OP_POINTWISE || l->op == OP_DENSE || l->op == OP_CONV;
}

size_t op_packed(const Layer *l)
{
    return packs(l) ? matmul_packed(product_of(l)) : 0;
}

void op_pack(const Layer *l, const float *w, float *packed)
{
    matmul_pack(product_of(l), w, packed);
}

void op_forward(const Step *s, int images)
{
    operators[s->layer->op].forward(s, images);
}

void op_backward(const Step *s, int images)
{
    operators[s->layer->op].backward(s, images);
}

void op_give(const Step *s, int which, size_t first, size_t pixels)
{
    if (s->share[which].closes)
        tensor_grad_written(s->in[which], first, pixels);
}
