/* net.h - a network as the device sees it: a flat list of layers.
 *
 * Plain data, about 4 KB, copied with `=`. A layer names the layer it reads,
 * by its index or NET_IMAGE; an add and a gate name two. Layers stand in execution
 * order, so a layer reads only earlier ones. Batch norms are not layers: they
 * belong to the convolution before them until quant/ folds them away.
 *
 * Build one with net_begin() and the net_* functions below, each of which
 * appends a layer and returns its index. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stdint.h>

#define NET_MAX_LAYERS 128
#define NET_MAX_ROWS 64 /* of a kernel, and of the image a dense layer or a global pool reads */
#define NET_MAX_TENSOR (1 << 23)  /* bytes: sums over a whole network stay in 31 bits */
#define NET_MAX_WEIGHTS (1 << 30) /* of a whole network, likewise */
#define NET_IMAGE (-1)  /* input: the image */
#define NET_NOTHING (-2) /* input2 of everything but an add and a gate */

/* One list for the enum, the names and every table over operators. */
#define NET_OPS(X)                                                                               \
    X(CONV, "conv")               /* k x k, all channels                                    */   \
    X(DEPTHWISE, "depthwise")     /* k x k, out_c / in_c outputs of each channel            */   \
    X(POINTWISE, "pointwise")     /* 1 x 1, all channels, stride 1                          */   \
    X(ADD, "add")                 /* of two tensors of one shape                            */   \
    X(AVG_POOL, "avg_pool")       /* mean of the taps inside the image                      */   \
    X(MAX_POOL, "max_pool")                                                                      \
    X(GLOBAL_POOL, "global_pool") /* mean over h and w                                      */   \
    X(DENSE, "dense")             /* every input to every output                            */   \
    X(MEAN, "mean")               /* TFLite's, over whole rows, columns or both             */   \
    X(GATE, "gate")               /* times a vector [1][1][c]: squeeze-and-excite           */   \
    X(LOOKUP, "lookup")           /* any function of one value: a table of 256              */   \
    X(SOFTMAX, "softmax")         /* over the channels of each pixel                        */

typedef enum {
#define X(op, name) OP_##op,
    NET_OPS(X)
#undef X
    N_OPS
} Op;

typedef enum { ACT_NONE, ACT_RELU, ACT_RELU6 } Act;

/* What a layer is for within an inverted-bottleneck block (or outside of any). */
typedef enum { ROLE_NONE, ROLE_STEM, ROLE_EXPAND, ROLE_DEPTHWISE, ROLE_PROJECT, ROLE_ADD,
               ROLE_HEAD, ROLE_POOL, ROLE_CLASSIFIER } Role;

typedef struct {
    uint8_t op, act; /* Op, Act */
    uint8_t role;    /* Role */
    uint8_t stage;   /* 0 is the stem and the first block, stages count from 1 */
    uint8_t block;   /* within its stage, from 0 */
    uint8_t kh, kw, sh, sw;
    uint8_t pad_top, pad_left; /* below and right: what the output size needs */
    uint8_t unused;            /* 0: without padding inside, equal layers have equal bytes */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c;
    int16_t input, input2;
} Layer;

typedef struct {
    uint16_t h, w, c; /* of the image */
    uint16_t n_layers;
    Layer layer[NET_MAX_LAYERS];
} Net;

typedef struct {
    uint8_t h, w;
} Size2; /* a kernel or a stride */

static inline Size2 square(int k)
{
    return (Size2){(uint8_t)k, (uint8_t)k};
}

void net_begin(Net *net, int h, int w, int c);

/* Kernels are padded by k/2 on every side, as in PyTorch; out = (in + 2(k/2) - k)/s + 1.
 * The caller checks net_full() first where the number of layers is not known. */
int net_conv(Net *net, int input, int out_c, Size2 kernel, Size2 stride, Act act);
int net_depthwise(Net *net, int input, Size2 kernel, Size2 stride, Act act);
int net_pointwise(Net *net, int input, int out_c, Act act);
int net_add(Net *net, int input, int input2);
int net_pool(Net *net, Op op, int input, Size2 kernel, Size2 stride); /* unpadded */
int net_global_pool(Net *net, int input);
int net_dense(Net *net, int input, int out_c, Act act);
int net_mean(Net *net, int input, bool over_h, bool over_w);
int net_gate(Net *net, int input, int vector);
int net_lookup(Net *net, int input);
int net_softmax(Net *net, int input);
bool net_full(const Net *net, int more); /* true when `more` layers do not fit any more */

/* One inverted residual block (MobileNetV2; MCUNet App. D): 1x1 expansion to
 * `mid` channels unless mid equals the input's, depthwise, linear 1x1 to out_c,
 * add when `residual`. Returns its last layer. */
typedef struct {
    int mid, out_c;
    Size2 kernel, stride;
    bool residual, expands;
    int stage, block;
} BlockShape;
int net_block(Net *net, int input, const BlockShape *b);

const char *op_name(Op op);

/* Inline, some of these: the search asks them of every layer of every network. */
static inline bool op_has_weights(Op op)
{
    return op == OP_CONV || op == OP_DEPTHWISE || op == OP_POINTWISE || op == OP_DENSE;
}

static inline bool op_has_two_inputs(Op op)
{
    return op == OP_ADD || op == OP_GATE;
}

/* Of the last layer: the network's output. */
const Layer *net_output(const Net *net);
/* Bytes of the tensor a layer makes (int8); NET_IMAGE is the image. */
static inline uint32_t net_tensor_bytes(const Net *net, int layer)
{
    if (layer == NET_IMAGE)
        return (uint32_t)net->h * net->w * net->c;
    const Layer *l = &net->layer[layer];
    return (uint32_t)l->out_h * l->out_w * l->out_c;
}

/* The last layer that reads the tensor, or the producer itself when none does. */
int net_last_reader(const Net *net, int layer);

/* int8 weights, without biases. */
static inline uint32_t layer_weights(const Layer *l)
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
    case OP_MEAN:
    case OP_GATE:
    case OP_LOOKUP:
    case OP_SOFTMAX:
    case N_OPS:
        break;
    }
    return 0;
}

/* Bytes of int8 constants: weights, a lookup's table. */
static inline uint32_t layer_constants(const Layer *l)
{
    return l->op == OP_LOOKUP ? 256 : layer_weights(l);
}

/* As frameworks count: padding taps included. */
static inline uint64_t layer_macs(const Layer *l)
{
    return (uint64_t)layer_weights(l) * l->out_h * l->out_w;
}
uint64_t net_macs(const Net *net);
uint32_t net_weights(const Net *net);
uint32_t net_channels(const Net *net); /* of all layers with weights, out_c summed up */

/* -1 with errorf() when a layer reads a later one, shapes do not meet or do not
 * follow from kernel, stride and padding, a size is zero or beyond what the
 * runtime takes. What the builders make of an image large enough passes. What
 * passes can be planned and run, wherever it came from. */
int net_check(const Net *net);

#endif
