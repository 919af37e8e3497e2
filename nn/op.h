/* op.h - how each operator runs forward and backward over images.
 *
 * A Step is one layer bound to its tensors and weights. Forward writes the
 * output's raw[] for `images` images, backward reads the output's gradient,
 * adds to the weights' gradient and gives every input its share. Both work in
 * pieces and report each to the tensors (tensor.h). Adding an operator is a
 * line in the table of op.c. */
#ifndef OP_H
#define OP_H

#include "nn/tensor.h"

typedef struct {
    bool wanted; /* false: of the image, or of nothing that matters */
    bool adds;   /* to what another reader wrote, else it overwrites */
    bool closes; /* the last of the readers */
} Share;         /* in the gradient of an input */

typedef struct {
    const Layer *layer;
    Tensor *in[2], *out; /* in[1]: of an add */
    const float *w;
    const float *packed; /* the same as op_pack() left it, or NULL: the operator does it */
    float *dw, *d_bias;
    float *scratch;      /* op_scratch() floats, aligned to 64 bytes */
    Share share[2];
} Step;

bool op_trains(Op op);
size_t op_scratch(const Layer *l);
size_t op_packed(const Layer *l); /* floats; 0: does not pack */
void op_pack(const Layer *l, const float *w, float *packed);
void op_forward(const Step *s, int images);
void op_backward(const Step *s, int images);

/* A piece of an input's gradient is there; closes it when this was the last reader. */
void op_give(const Step *s, int which, size_t first, size_t pixels);

/* matmul.c: pointwise and dense; conv.c; depthwise.c; pool.c */
size_t matmul_scratch(const Layer *l);
void matmul_forward(const Step *s, int images);
void matmul_backward(const Step *s, int images);
size_t conv_scratch(const Layer *l);
void conv_forward(const Step *s, int images);
void conv_backward(const Step *s, int images);
size_t depthwise_scratch(const Layer *l);
void depthwise_forward(const Step *s, int images);
void depthwise_backward(const Step *s, int images);
size_t pool_scratch(const Layer *l);
void pool_forward(const Step *s, int images);
void pool_backward(const Step *s, int images);

#endif
