#include "tb_channels.h"

/* The mean of the taps inside the image, halves away from zero; scale and zero
 * point of the output are the input's. */
TB_INLINE int8_t mean(const TbOp *op, int32_t sum, int32_t count)
{
    const int32_t half = sum < 0 ? -(count / 2) : count / 2;
    return tb_clamp((sum + half) / count, op->act_min, op->act_max);
}

TB_INLINE void avg_pool_block(const TbPixel *p, int channel, int n)
{
    const TbOp *op = p->op;
    const int in_c = op->in_c, kh = op->kh;
    int32_t count = 0, sum[TB_BLOCK];

    TB_UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = 0;
    for (int y = 0; y < kh; y++) {
        if (!p->rows[y])
            continue;
        const int8_t *x = p->rows[y] + (p->x + p->taps.from) * in_c + channel;
        count += p->taps.to - p->taps.from;
        for (int tap = p->taps.from; tap < p->taps.to; tap++, x += in_c) {
            TB_UNROLL
            for (int i = 0; i < n; i++)
                sum[i] += x[i];
        }
    }
    count += count == 0; /* a window beside the image: zeros */
    TB_UNROLL
    for (int i = 0; i < n; i++)
        p->out[channel + i] = mean(op, sum[i], count);
}

void tb_avg_pool_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    (void)scratch;
    tb_channels_row(op, rows, avg_pool_block);
}
