/* tb_mean.c - TFLite's MEAN of int8 over whole rows, whole columns or both.
 *
 * The window is what the mean is taken over, kh x kw taps without padding; the
 * output has a scale of its own. TFLite divides in the multiplier: with m and s
 * its QuantizeMultiplier(in_scale / out_scale) and n = kh * kw,
 *
 *     k = min(floor(log2(n)), 31 + s)
 *     multiplier[0] = floor(m * 2^k / n)      shift[0] = s - k
 *
 * and out = (sum of (q - in_zero)) * multiplier * 2^(shift - 31) + out_zero. */
#include "tb_channels.h"

TB_INLINE void mean_block(const TbPixel *p, int channel, int n)
{
    const TbOp *op = p->op;
    const TbRequant r = tb_requant(op);
    const int32_t zeros = op->in_zero * op->kh * op->kw;
    const int32_t multiplier = op->multiplier[0], shift = op->shift[0];
    int32_t sum[TB_BLOCK];

    TB_UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = -zeros;
    tb_sum_taps(p, channel, n, sum);
    TB_UNROLL
    for (int i = 0; i < n; i++)
        p->out[channel + i] = tb_moved(&r, tb_scale(sum[i], multiplier, shift));
}

void tb_mean_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    (void)scratch;
    tb_channels_row(op, rows, mean_block, 1);
}
