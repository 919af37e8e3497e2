/* tensor_graph.h - a network as memory planners see it: who reads what, and how large it is.
 *
 * The common form of our own nets and of imported models in their original
 * operators, so that one planner (tflm.h) and one count of live bytes serve
 * both. Plain data of about 14 KB: fill it in by hand, or from a Net. Operators
 * run in the order of the list; weights are not tensors here. */
#ifndef TENSOR_GRAPH_H
#define TENSOR_GRAPH_H

#include "network/net.h"

#define GRAPH_MAX_TENSORS 512
#define GRAPH_MAX_OPS 512
#define GRAPH_MAX_INPUTS 4

typedef enum { GRAPH_OTHER, GRAPH_DEPTHWISE, GRAPH_ADD } GraphKind;

typedef struct {
    uint8_t kind;     /* GraphKind */
    uint8_t n_inputs;
    uint16_t input[GRAPH_MAX_INPUTS]; /* tensors */
    uint16_t output;                  /* tensor */
} GraphOp;

typedef struct {
    uint32_t bytes;
    bool kept; /* an output of the network: alive to the end */
} GraphTensor;

typedef struct {
    int n_tensors, n_ops;
    GraphTensor tensor[GRAPH_MAX_TENSORS];
    GraphOp op[GRAPH_MAX_OPS];
} TensorGraph;

/* Tensor 0 is the image, tensor 1 + l the output of layer l. */
void tensor_graph_of_net(const Net *net, TensorGraph *g);

/* Operators during which a tensor is there, both included. One that nobody
 * makes is there from the start, one that nobody reads only while it is made. */
typedef struct {
    uint16_t first, last;
} Life;
void tensor_graph_lives(const TensorGraph *g, Life life[GRAPH_MAX_TENSORS]);

/* Whose output may take the place of an input that dies and is at least as long. */
typedef enum { SHARE_NOTHING, SHARE_DEPTHWISE, SHARE_DEPTHWISE_AND_ADD } Share;

/* The largest sum of the bytes of all tensors alive during an operator, input
 * included: what no planner that keeps the order can go below. */
uint32_t tensor_graph_live(const TensorGraph *g, Share share);

#endif
