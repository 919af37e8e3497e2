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

int net_mean(Net *net, int input, bool over_h, bool over_w)
{
    assert(over_h || over_w);
    Layer l = reading(net, OP_MEAN, input);
    set_window(&l, (Size2){over_h ? (uint8_t)l.in_h : 1, over_w ? (uint8_t)l.in_w : 1}, square(1),
               false);
    return append(net, l);
}

int net_gate(Net *net, int input, int vector)
{
    Layer l = reading(net, OP_GATE, input);
    l.input2 = (int16_t)vector;
    return append(net, l);
}

int net_lookup(Net *net, int input)
{
    return append(net, reading(net, OP_LOOKUP, input));
}

int net_softmax(Net *net, int input)
{
    return append(net, reading(net, OP_SOFTMAX, input));
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

int net_last_reader(const Net *net, int layer)
{
    int last = layer;
    for (int i = layer + 1; i < net->n_layers; i++)
        if (net->layer[i].input == layer || net->layer[i].input2 == layer)
            last = i;
    return last;
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

/* What a layer reads is there before it, and of the shape the layer says. */
static int check_inputs(const Net *net, int i, const char *name)
{
    const Layer *l = &net->layer[i];
    if (l->input < NET_IMAGE || l->input >= i)
        return errorf("layer %d (%s) reads layer %d, which does not come before it", i, name,
                      l->input);
    if (!op_has_two_inputs((Op)l->op) && l->input2 != NET_NOTHING)
        return errorf("layer %d (%s) has a second input, which only an add or a gate has", i, name);
    if (op_has_two_inputs((Op)l->op) && (l->input2 < NET_IMAGE || l->input2 >= i))
        return errorf("layer %d (%s) adds or multiplies layer %d, which does not come before it", i,
                      name, l->input2);
    if (!same_shape(net, l->input, l->in_h, l->in_w, l->in_c))
        return errorf("layer %d (%s) does not fit the shape of what it reads", i, name);
    if (l->op == OP_ADD && !same_shape(net, l->input2, l->in_h, l->in_w, l->in_c))
        return errorf("layer %d (%s) adds tensors of different shapes", i, name);
    if (l->op == OP_GATE && !same_shape(net, l->input2, 1, 1, l->in_c))
        return errorf("layer %d (%s) wants a factor for each of its %d channels", i, name, l->in_c);
    return 0;
}

/* Are there `out` windows of k along `in` pixels? Padded by 0 to k - 1 behind
 * the end, so that all of them meet the image and none that fits is missing. */
static bool slides(int in, int out, int k, int s, int pad)
{
    int least = in + pad < k ? 1 : (in + pad - k) / s + 1, most = (in + pad - 1) / s + 1;
    return least <= out && out <= most;
}

static int check_window(const Layer *l, int i, const char *name)
{
    if (!l->kh || !l->kw || !l->sh || !l->sw)
        return errorf("layer %d (%s) has a kernel or a stride of 0", i, name);
    if (l->kh > NET_MAX_ROWS)
        return errorf("layer %d (%s) needs %d input rows at once, the runtime holds at most %d", i,
                      name, l->kh, NET_MAX_ROWS);
    if (l->pad_top >= l->kh || l->pad_left >= l->kw)
        return errorf("layer %d (%s): with a padding of %d x %d a window of %d x %d misses the "
                      "image", i, name, l->pad_top, l->pad_left, l->kh, l->kw);
    if (!slides(l->in_h, l->out_h, l->kh, l->sh, l->pad_top) ||
        !slides(l->in_w, l->out_w, l->kw, l->sw, l->pad_left))
        return errorf("layer %d (%s): a window of %d x %d, stride %d x %d, padding %d x %d does "
                      "not make %d x %d of %d x %d", i, name, l->kh, l->kw, l->sh, l->sw,
                      l->pad_top, l->pad_left, l->out_h, l->out_w, l->in_h, l->in_w);
    return 0;
}

/* Global pool and dense: one window, which is the image. */
static int check_whole(const Layer *l, int i, const char *name)
{
    if (l->in_h > NET_MAX_ROWS)
        return errorf("layer %d (%s) needs %d input rows at once, the runtime holds at most %d", i,
                      name, l->in_h, NET_MAX_ROWS);
    if (l->kh != l->in_h || l->kw != l->in_w || l->pad_top || l->pad_left)
        return errorf("layer %d (%s) reads an image of %d x %d through a window of %d x %d; "
                      "windows are at most 255 wide", i, name, l->in_h, l->in_w, l->kh, l->kw);
    if (l->out_h != 1 || l->out_w != 1 || l->sh != 1 || l->sw != 1)
        return errorf("layer %d (%s) has one window and so an output of 1 x 1, not %d x %d", i,
                      name, l->out_h, l->out_w);
    return 0;
}

/* What an operator asks of its shape; check_window() asks the rest of all of them. */
static int check_operator(const Layer *l, int i, const char *name)
{
    bool mixes = l->op == OP_CONV || l->op == OP_POINTWISE || l->op == OP_DENSE;
    bool by_pixel = l->op == OP_POINTWISE || l->op == OP_ADD || l->op == OP_GATE ||
                    l->op == OP_LOOKUP || l->op == OP_SOFTMAX;
    bool repeats = l->op == OP_DEPTHWISE && l->out_c % l->in_c == 0;
    if (by_pixel && (l->kh != 1 || l->kw != 1 || l->sh != 1 || l->sw != 1))
        return errorf("layer %d (%s) is 1 x 1 with stride 1, not %d x %d with stride %d x %d", i,
                      name, l->kh, l->kw, l->sh, l->sw);
    if (!mixes && !repeats && l->out_c != l->in_c)
        return errorf("layer %d (%s) keeps its %d channels and cannot make %d of them", i, name,
                      l->in_c, l->out_c);
    if (l->op == OP_MEAN && ((l->kh != 1 && l->kh != l->in_h) || (l->kw != 1 && l->kw != l->in_w)))
        return errorf("layer %d (%s) goes over all rows or one, all columns or one", i, name);
    return l->op == OP_GLOBAL_POOL || l->op == OP_DENSE ? check_whole(l, i, name) : 0;
}

static int check_layer(const Net *net, int i)
{
    const Layer *l = &net->layer[i];
    if (l->op >= N_OPS)
        return errorf("layer %d: unknown operator %d", i, l->op);
    const char *name = op_name((Op)l->op);
    if (check_inputs(net, i, name) != 0)
        return -1;
    if (!l->in_h || !l->in_w || !l->in_c || !l->out_h || !l->out_w || !l->out_c)
        return errorf("layer %d (%s) has an empty tensor: the image of %d x %d is too small", i,
                      name, net->h, net->w);
    if ((uint64_t)l->in_h * l->in_w * l->in_c > NET_MAX_TENSOR ||
        (uint64_t)l->out_h * l->out_w * l->out_c > NET_MAX_TENSOR)
        return errorf("layer %d (%s) has a tensor of more than %d bytes", i, name, NET_MAX_TENSOR);
    if (l->act > ACT_RELU6 || l->role > ROLE_CLASSIFIER)
        return errorf("layer %d (%s) has an unknown %s", i, name,
                      l->act > ACT_RELU6 ? "activation" : "role");
    if (check_operator(l, i, name) != 0)
        return -1;
    return check_window(l, i, name);
}

/* In 64 bits: a layer's product is below 2^48. */
static uint64_t weights_of_any_shape(const Layer *l)
{
    uint64_t taps = (uint64_t)l->kh * l->kw * (l->op == OP_DEPTHWISE ? 1u : l->in_c);
    return op_has_weights((Op)l->op) ? taps * l->out_c : 0;
}

int net_check(const Net *net)
{
    uint64_t weights = 0;
    if (net->n_layers == 0 || net->n_layers > NET_MAX_LAYERS)
        return errorf("a network has 1 to %d layers, this one %d", NET_MAX_LAYERS, net->n_layers);
    for (int i = 0; i < net->n_layers; i++) {
        if (check_layer(net, i) != 0)
            return -1;
        weights += weights_of_any_shape(&net->layer[i]);
        if (weights > NET_MAX_WEIGHTS)
            return errorf("layer %d (%s): with its weights the network has more than %d", i,
                          op_name((Op)net->layer[i].op), NET_MAX_WEIGHTS);
    }
    return 0;
}
