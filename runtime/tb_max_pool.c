#include "tb_channels.h"

TB_INLINE void max_pool_block(const TbPixel *p, int channel, int n)
{
    const TbOp *op = p->op;
    const int in_c = op->in_c, kh = op->kh;
    int32_t most[TB_BLOCK];

    TB_UNROLL
    for (int i = 0; i < n; i++)
        most[i] = INT8_MIN; /* what a window beside the image gives */
    for (int y = 0; y < kh; y++) {
        if (!p->rows[y])
            continue;
        const int8_t *x = p->rows[y] + (p->x + p->taps.from) * in_c + channel;
        for (int tap = p->taps.from; tap < p->taps.to; tap++, x += in_c) {
            TB_UNROLL
            for (int i = 0; i < n; i++)
                most[i] = x[i] > most[i] ? x[i] : most[i];
        }
    }
    TB_UNROLL
    for (int i = 0; i < n; i++)
        p->out[channel + i] = tb_clamp(most[i], op->act_min, op->act_max);
}

void tb_max_pool_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    (void)scratch;
    tb_channels_row(op, rows, max_pool_block, 1);
}
