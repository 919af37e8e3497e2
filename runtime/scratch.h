/* scratch.h - bytes of memory each kernel wants beside its tensors, from its shapes.
 *
 * Beside the kernels, so that the estimator counts what they use: scratch in
 * the arena, and packed weights in flash. The kernels that are not named here
 * want no scratch, and the weights as they are: they walk the input rows where
 * they lie. The kernels of pairs unpack their inputs to int16, once a call; that
 * memory is free again when the call returns, so one place serves all layers of
 * a segment. The last two steps keep theirs from call to call. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdint.h>

/* Four pixels' taps as int16. */
static inline uint32_t tb_conv_pairs_scratch(uint32_t kh, uint32_t kw, uint32_t in_c)
{
    return 16 * ((kh * kw * in_c + 1) / 2);
}

static inline uint32_t tb_pointwise_pairs_scratch(uint32_t in_c)
{
    return 16 * ((in_c + 1) / 2);
}

static inline uint32_t tb_depthwise_pairs_scratch(uint32_t kh, uint32_t kw, uint32_t sw,
                                                  uint32_t out_w)
{
    (void)kh, (void)kw, (void)sw, (void)out_w;
    return 0;
}

/* Packed weights of a convolution of so many taps: [pair of channels][pair of taps][4]. */
static inline uint32_t tb_pairs_weights(uint32_t taps, uint32_t out_c)
{
    return (out_c + 1) / 2 * ((taps + 1) / 2) * 4;
}

static inline uint32_t tb_depthwise_pairs_weights(uint32_t kh, uint32_t kw, uint32_t c)
{
    return kh * kw * c;
}

/* The sums of a global pool that sees one row at a time. */
static inline uint32_t tb_sum_pool_scratch(uint32_t c)
{
    return 4 * c;
}

/* A window of expanded pixels, kh rows of all outputs of a call, and one pixel
 * behind it. */
static inline uint32_t tb_block_scratch(uint32_t kh, uint32_t kw, uint32_t c_expanded)
{
    return (kh * kw + 1) * c_expanded;
}

#endif
