/* scratch.h - bytes of scratch memory each kernel wants, from its shapes.
 *
 * Beside the kernels, so that the estimator counts what they use. SRAM is what
 * this runtime saves: the portable kernels walk the input rows where they lie
 * (a window row of a convolution is one contiguous run of kw * in_c bytes), keep
 * their accumulators in registers and so need none, but for two steps of a plan
 * that trade scratch for rows: the last two here. Faster kernels that unpack
 * or transpose will answer here, and every plan follows. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdint.h>

static inline uint32_t tb_conv_scratch(uint32_t kh, uint32_t kw, uint32_t in_c)
{
    (void)kh, (void)kw, (void)in_c;
    return 0;
}

static inline uint32_t tb_depthwise_scratch(uint32_t kh, uint32_t kw, uint32_t c)
{
    (void)kh, (void)kw, (void)c;
    return 0;
}

static inline uint32_t tb_pointwise_scratch(uint32_t in_c, uint32_t out_c)
{
    (void)in_c, (void)out_c;
    return 0;
}

static inline uint32_t tb_dense_scratch(uint32_t inputs, uint32_t out_c)
{
    (void)inputs, (void)out_c;
    return 0;
}

static inline uint32_t tb_pool_scratch(uint32_t kh, uint32_t kw, uint32_t c)
{
    (void)kh, (void)kw, (void)c;
    return 0;
}

static inline uint32_t tb_add_scratch(uint32_t row_bytes)
{
    (void)row_bytes;
    return 0;
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
