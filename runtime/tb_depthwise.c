#include "tb_channels.h"

TB_INLINE void depthwise_block(const TbPixel *p, int channel, int n)
{
    const TbOp *op = p->op;
    const TbRequant r = tb_requant(op);
    const int in_c = op->in_c, kh = op->kh, kw = op->kw;
    const int8_t zero = op->in_zero;
    int32_t sum[TB_BLOCK];

    TB_UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = r.bias[channel + i];
    for (int y = 0; y < kh; y++) {
        if (!p->rows[y])
            continue;
        const int8_t *x = p->rows[y] + (p->x + p->taps.from) * in_c + channel;
        const int8_t *w = op->weights + (y * kw + p->taps.from) * in_c + channel;
        for (int tap = p->taps.from; tap < p->taps.to; tap++, x += in_c, w += in_c) {
            TB_UNROLL
            for (int i = 0; i < n; i++)
                sum[i] += (int16_t)(x[i] - zero) * w[i];
        }
    }
    TB_UNROLL
    for (int i = 0; i < n; i++)
        p->out[channel + i] = tb_output(&r, sum[i], channel + i);
}

void tb_depthwise_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    (void)scratch;
    tb_channels_row(op, rows, depthwise_block);
}
