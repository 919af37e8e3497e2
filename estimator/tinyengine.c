#include "estimator/tinyengine.h"

#include <assert.h>

/* What is placed: a depthwise in place and its input are one, with one life. */
typedef struct {
    uint32_t bytes, offset;
    uint8_t first, last; /* layers, both included */
    uint8_t quarter;     /* from the layer after this one on, a quarter of it counts */
} Tensor;

enum { NEVER = NET_MAX_LAYERS, MAX_TENSORS = NET_MAX_LAYERS + 1 };
_Static_assert(NEVER <= UINT8_MAX, "layers are counted in a byte");

static bool writes_over(const Net *net, int i, const uint8_t *last_reader)
{
    const Layer *l = &net->layer[i];
    return l->op == OP_DEPTHWISE && l->out_c == l->in_c && last_reader[1 + l->input] == i;
}

/* [0] the image, [1 + l] the output of layer l. */
static void find_last_readers(const Net *net, uint8_t *last_reader)
{
    last_reader[0] = 0;
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        last_reader[1 + i] = (uint8_t)i; /* later readers come later */
        last_reader[1 + l->input] = (uint8_t)i;
        if (l->input2 != NET_NOTHING)
            last_reader[1 + l->input2] = (uint8_t)i;
    }
}

static int find_tensors(const Net *net, bool in_place, Tensor *tensor)
{
    uint8_t last_reader[MAX_TENSORS], of[MAX_TENSORS];
    int n = 0;
    find_last_readers(net, last_reader);
    of[0] = 0;
    tensor[n++] = (Tensor){.bytes = net_tensor_bytes(net, NET_IMAGE),
                           .last = last_reader[0],
                           .quarter = NEVER};
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        if (in_place && writes_over(net, i, last_reader)) {
            of[1 + i] = of[1 + l->input];
            Tensor *t = &tensor[of[1 + i]];
            t->last = last_reader[1 + i];
            t->quarter = l->sh == 2 && l->sw == 2 ? (uint8_t)i : t->quarter;
        } else {
            of[1 + i] = (uint8_t)n;
            tensor[n++] = (Tensor){.bytes = net_tensor_bytes(net, i),
                                   .first = (uint8_t)i,
                                   .last = last_reader[1 + i],
                                   .quarter = NEVER};
        }
    }
    return n;
}

/* Largest first, earlier first among equals. */
static void sort_by_size(Tensor *tensor, int n)
{
    for (int k = 1; k < n; k++) {
        Tensor t = tensor[k];
        int at = k;
        for (; at > 0 && tensor[at - 1].bytes < t.bytes; at--)
            tensor[at] = tensor[at - 1];
        tensor[at] = t;
    }
}

/* What a tensor occupies for one that begins at layer `first`. */
static uint32_t occupied(const Tensor *t, int first)
{
    return first > t->quarter ? (t->bytes + 3) / 4 : t->bytes;
}

/* The lowest free place; those already placed stand by ascending offset. */
static uint32_t first_fit(const Tensor *const *placed, int n, const Tensor *t)
{
    uint32_t offset = 0;
    for (int k = 0; k < n && placed[k]->offset < offset + t->bytes; k++) {
        const Tensor *p = placed[k];
        if (p->first > t->last || t->first > p->last)
            continue;
        uint32_t end = p->offset + occupied(p, t->first);
        offset = end > offset ? end : offset;
    }
    return offset;
}

static uint32_t arena_of(const Net *net, bool in_place)
{
    Tensor tensor[MAX_TENSORS];
    const Tensor *placed[MAX_TENSORS];
    uint32_t arena = 0;
    int n = find_tensors(net, in_place, tensor);
    sort_by_size(tensor, n);
    for (int k = 0; k < n; k++) {
        Tensor *t = &tensor[k];
        t->offset = first_fit(placed, k, t);
        arena = t->offset + t->bytes > arena ? t->offset + t->bytes : arena;
        int at = k;
        for (; at > 0 && placed[at - 1]->offset > t->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = t;
    }
    return arena;
}

/* A dense layer is a 1 x 1 convolution of all its inputs: the same bytes. */
static uint32_t sbuf_of(const Layer *l, bool in_place)
{
    uint32_t taps = (uint32_t)l->kh * l->kw;
    if (l->op == OP_DEPTHWISE && in_place)
        return 2 * (l->in_h + 2u * l->pad_top) * (l->in_w + 2u * l->pad_left);
    if (l->op == OP_DEPTHWISE)
        return 2 * taps * l->in_c;
    return op_has_weights((Op)l->op) ? 4 * taps * l->in_c : 0;
}

static uint32_t kbuf_of(const Layer *l)
{
    return l->op == OP_CONV && l->kh * l->kw > 1 ? 2 * layer_weights(l) : 0;
}

TinyEngine tinyengine_memory(const Net *net, bool in_place)
{
    TinyEngine m = {.arena = arena_of(net, in_place)};
    assert(net->n_layers > 0);
    for (int i = 0; i < net->n_layers; i++) {
        uint32_t sbuf = sbuf_of(&net->layer[i], in_place), kbuf = kbuf_of(&net->layer[i]);
        m.sbuf = sbuf > m.sbuf ? sbuf : m.sbuf;
        m.kbuf = kbuf > m.kbuf ? kbuf : m.kbuf;
    }
    return m;
}

uint32_t tinyengine_peak(const Net *net)
{
    TinyEngine m = tinyengine_memory(net, true);
    return m.arena + m.sbuf + m.kbuf;
}

uint32_t tinyengine_flash(const Net *net)
{
    return net_weights(net) + 8 * net_channels(net);
}

/* The layers of squeeze-and-excite: on one pixel, and for what multiplies a tensor. */
static void find_squeeze(const Net *net, bool *squeezes)
{
    for (int i = 0; i < net->n_layers; i++) {
        int at = net->layer[i].op == OP_ADD ? NET_NOTHING : net->layer[i].input2;
        squeezes[i] = false;
        for (; at >= 0 && net->layer[at].in_h * net->layer[at].in_w == 1; at = net->layer[at].input)
            squeezes[at] = true;
    }
}

uint32_t tinyengine_params(const Net *net)
{
    bool squeezes[NET_MAX_LAYERS];
    uint32_t n = net_weights(net);
    find_squeeze(net, squeezes);
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        if (op_has_weights((Op)l->op) && !squeezes[i])
            n += l->op == OP_DENSE ? l->out_c : 2u * l->out_c;
    }
    return n;
}
