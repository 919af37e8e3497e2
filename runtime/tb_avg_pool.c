#include "tb_channels.h"

/* The mean of the taps inside the image; scale and zero point of the output
 * are the input's. */
TB_INLINE void avg_pool_block(const TbPixel *p, int channel, int n)
{
    int32_t sum[TB_BLOCK];

    TB_UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = 0;
    int32_t count = tb_sum_taps(p, channel, n, sum);
    count += count == 0; /* a window beside the image: zeros */
    TB_UNROLL
    for (int i = 0; i < n; i++)
        p->out[channel + i] = tb_mean(p->op, sum[i], count);
}

void tb_avg_pool_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    (void)scratch;
    tb_channels_row(op, rows, avg_pool_block, 1);
}
