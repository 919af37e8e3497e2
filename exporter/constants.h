/* constants.h - a layer's weights and biases as its kernel walks them.
 *
 * Natural layouts are those of TbOp.weights (runtime/tb.h). The kernels of pairs
 * multiply inputs as they are, without their zero point, so what that adds up
 * to is taken from the bias:
 *
 *     sum w * (x - zero) + bias = sum w * x + (bias - zero * sum w)
 *
 *     conv_pairs, pointwise_pairs   of two channels each, with bias and scale, as runtime/tb_tile.h
 *                                   says; zeros where there is no tap or channel
 *     depthwise_pairs               [c][pairs / 2][4]: of rows 0 and 1, then of 2 and 3...; of two
 *                                   pairs the even and the odd bytes, as above; runtime/scratch.h
 *                                   says how many, pack_depthwise_channel() in which order
 *     depthwise_planes              [c][kh][kw], of a channel a multiple of 4; at stride 2 rows are
 *                                   one longer, by a zero where no column of a word's is */
#ifndef CONSTANTS_H
#define CONSTANTS_H

#include "network/net.h"

/* A layer's, as TbOp has them; zero: of the input. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int zero;
} LayerConstants;

/* kernel: an operator or step of the plan. packed: plan_weights() bytes. */
void constants_pack(const Layer *l, int kernel, const LayerConstants *natural, int8_t *packed);
/* folded: [out_c] */
void constants_fold(const Layer *l, const LayerConstants *natural, int32_t *folded);

#endif
