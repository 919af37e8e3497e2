#include "network/net.h"

#include "base/error.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {
#define X(op, name) [OP_##op] = name,
    NET_OPS(X)
#undef X
};

const char *op_name(Op op)
{
    assert(op < N_OPS);
    return names[op];
}

bool op_has_weights(Op op)
{
    return op == OP_CONV || op == OP_DEPTHWISE || op == OP_POINTWISE || op == OP_DENSE;
}

void net_begin(Net *net, int h, int w, int c)
{
    memset(net, 0, sizeof *net); /* the padding too: nets are compared with memcmp */
    net->h = (uint16_t)h;
    net->w = (uint16_t)w;
    net->c = (uint16_t)c;
}

bool net_full(const Net *net, int more)
{
    return net->n_layers + more > NET_MAX_LAYERS;
}

static int append(Net *net, Layer l)
{
    assert(!net_full(net, 1));
    assert(l.input < (int)net->n_layers && l.input >= NET_IMAGE);
    net->layer[net->n_layers] = l;
    return net->n_layers++;
}

/* A layer with the shape of its input filled in and one output the same. */
static Layer reading(const Net *net, Op op, int input)
{
    Layer l = {.op = (uint8_t)op, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .input = (int16_t)input,
               .input2 = NET_NOTHING};
    if (input == NET_IMAGE) {
        l.in_h = net->h;
        l.in_w = net->w;
        l.in_c = net->c;
    } else {
        const Layer *from = &net->layer[input];
        l.in_h = from->out_h;
        l.in_w = from->out_w;
        l.in_c = from->out_c;
    }
    l.out_h = l.in_h;
    l.out_w = l.in_w;
    l.out_c = l.in_c;
    return l;
}

static uint16_t slid(int in, int pad, int k, int s)
{
    return in + 2 * pad < k ? 0 : (uint16_t)((in + 2 * pad - k) / s + 1);
}

static void set_window(Layer *l, Size2 kernel, Size2 stride, bool padded)
{
    l->kh = kernel.h;
    l->kw = kernel.w;
    l->sh = stride.h;
    l->sw = stride.w;
    l->pad_top = padded ? kernel.h / 2 : 0;
    l->pad_left = padded ? kernel.w / 2 : 0;
    l->out_h = slid(l->in_h, l->pad_top, kernel.h, stride.h);
    l->out_w = slid(l->in_w, l->pad_left, kernel.w, stride.w);
}

int net_conv(Net *net, int input, int out_c, Size2 kernel, Size2 stride, Act act)
{
    Layer l = reading(net, OP_CONV, input);
    set_window(&l, kernel, stride, true);
    l.out_c = (uint16_t)out_c;
    l.act = (uint8_t)act;
    return append(net, l);
}

int net_depthwise(Net *net, int input, Size2 kernel, Size2 stride, Act act)
{
    Layer l = reading(net, OP_DEPTHWISE, input);
    set_window(&l, kernel, stride, true);
    l.act = (uint8_t)act;
    return append(net, l);
}

int net_pointwise(Net *net, int input, int out_c, Act act)
{
    Layer l = reading(net, OP_POINTWISE, input);
    l.out_c = (uint16_t)out_c;
    l.act = (uint8_t)act;
    return append(net, l);
}

int net_add(Net *net, int input, int input2)
{
    Layer l = reading(net, OP_ADD, input);
    l.input2 = (int16_t)input2;
    return append(net, l);
}

int net_pool(Net *net, Op op, int input, Size2 kernel, Size2 stride)
{
    assert(op == OP_AVG_POOL || op == OP_MAX_POOL);
    Layer l = reading(net, op, input);
    set_window(&l, kernel, stride, false);
    return append(net, l);
}

int net_global_pool(Net *net, int input)
{
    Layer l = reading(net, OP_GLOBAL_POOL, input);
    l.kh = (uint8_t)l.in_h;
    l.kw = (uint8_t)l.in_w;
    l.out_h = l.out_w = 1;
    return append(net, l);
}

int net_dense(Net *net, int input, int out_c, Act act)
{
    Layer l = reading(net, OP_DENSE, input);
    l.kh = (uint8_t)l.in_h;
    l.kw = (uint8_t)l.in_w;
    l.out_h = l.out_w = 1;
    l.out_c = (uint16_t)out_c;
    l.act = (uint8_t)act;
    return append(net, l);
}

int net_block(Net *net, int input, const BlockShape *b)
{
    int first = net->n_layers, at = input;
    if (b->expands) {
        at = net_pointwise(net, at, b->mid, ACT_RELU6);
        net->layer[at].role = ROLE_EXPAND;
    }
    at = net_depthwise(net, at, b->kernel, b->stride, ACT_RELU6);
    net->layer[at].role = ROLE_DEPTHWISE;
    at = net_pointwise(net, at, b->out_c, ACT_NONE);
    net->layer[at].role = ROLE_PROJECT;
    if (b->residual) {
        at = net_add(net, at, input);
        net->layer[at].role = ROLE_ADD;
    }
    for (int i = first; i < net->n_layers; i++) {
        net->layer[i].stage = (uint8_t)b->stage;
        net->layer[i].block = (uint8_t)b->block;
    }
    return at;
}

const Layer *net_output(const Net *net)
{
    assert(net->n_layers > 0);
    return &net->layer[net->n_layers - 1];
}

uint32_t net_tensor_bytes(const Net *net, int layer)
{
    if (layer == NET_IMAGE)
        return (uint32_t)net->h * net->w * net->c;
    const Layer *l = &net->layer[layer];
    return (uint32_t)l->out_h * l->out_w * l->out_c;
}

int net_last_reader(const Net *net, int layer)
{
    int last = layer;
    for (int i = layer + 1; i < net->n_layers; i++)
        if (net->layer[i].input == layer || net->layer[i].input2 == layer)
            last = i;
    return last;
}

uint32_t layer_weights(const Layer *l)
{
    switch ((Op)l->op) {
    case OP_CONV:
    case OP_DENSE:
    case OP_POINTWISE:
        return (uint32_t)l->out_c * l->kh * l->kw * l->in_c;
    case OP_DEPTHWISE:
        return (uint32_t)l->out_c * l->kh * l->kw;
    case OP_ADD:
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
    case N_OPS:
        break;
    }
    return 0;
}

uint64_t layer_macs(const Layer *l)
{
    return (uint64_t)layer_weights(l) * l->out_h * l->out_w;
}

uint64_t net_macs(const Net *net)
{
    uint64_t macs = 0;
    for (int i = 0; i < net->n_layers; i++)
        macs += layer_macs(&net->layer[i]);
    return macs;
}

uint32_t net_weights(const Net *net)
{
    uint32_t n = 0;
    for (int i = 0; i < net->n_layers; i++)
        n += layer_weights(&net->layer[i]);
    return n;
}

uint32_t net_channels(const Net *net)
{
    uint32_t n = 0;
    for (int i = 0; i < net->n_layers; i++)
        if (op_has_weights((Op)net->layer[i].op))
            n += net->layer[i].out_c;
    return n;
}

static bool same_shape(const Net *net, int from, int h, int w, int c)
{
    if (from == NET_IMAGE)
        return net->h == h && net->w == w && net->c == c;
    const Layer *l = &net->layer[from];
    return l->out_h == h && l->out_w == w && l->out_c == c;
}

int net_check(const Net *net)
{
    if (net->n_layers == 0 || net->n_layers > NET_MAX_LAYERS)
        return errorf("a network has 1 to %d layers, this one %d", NET_MAX_LAYERS, net->n_layers);
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        if (l->op >= N_OPS)
            return errorf("layer %d: unknown operator %d", i, l->op);
        const char *name = op_name((Op)l->op);
        if (l->input < NET_IMAGE || l->input >= i)
            return errorf("layer %d (%s) reads layer %d, which does not come before it", i, name,
                          l->input);
        if ((l->op == OP_ADD) != (l->input2 != NET_NOTHING) || l->input2 >= i)
            return errorf("layer %d (%s) has a wrong second input %d", i, name, l->input2);
        if (!same_shape(net, l->input, l->in_h, l->in_w, l->in_c) ||
            (l->op == OP_ADD && !same_shape(net, l->input2, l->in_h, l->in_w, l->in_c)))
            return errorf("layer %d (%s) does not fit the shape of what it reads", i, name);
        if (!l->in_h || !l->in_w || !l->in_c || !l->out_h || !l->out_w || !l->out_c)
            return errorf("layer %d (%s) has an empty tensor: the image of %d x %d is too small", i,
                          name, net->h, net->w);
        if (!l->kh || !l->kw || !l->sh || !l->sw || l->pad_top >= l->kh || l->pad_left >= l->kw)
            return errorf("layer %d (%s) has a wrong kernel, stride or padding", i, name);
    }
    return 0;
}
