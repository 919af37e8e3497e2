#include "tb_channels.h"

/* A single channel may be one of several that read the same input channel; a
 * block of them never is. */
TB_INLINE void depthwise_block(const TbPixel *p, int channel, int n)
{
    const TbOp *op = p->op;
    const TbRequant r = tb_requant(op);
    const int in_c = op->in_c, kh = op->kh, kw = op->kw, out_c = n == 1 ? op->out_c : in_c;
    const int in_channel = n == 1 ? channel / (out_c / in_c) : channel;
    int32_t sum[TB_BLOCK];

    TB_UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = r.bias[channel + i];
    for (int y = 0; y < kh; y++) {
        if (!p->rows[y])
            continue;
        const int8_t *x = p->rows[y] + (p->x + p->taps.from) * in_c + in_channel;
        const int8_t *w = op->weights + (y * kw + p->taps.from) * out_c + channel;
        tb_multiply_taps(sum, x, in_c, w, out_c, p->taps.to - p->taps.from, n, op->in_zero);
    }
    TB_UNROLL
    for (int i = 0; i < n; i++)
        p->out[channel + i] = tb_output(&r, sum[i], channel + i);
}

void tb_depthwise_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    (void)scratch;
    tb_channels_row(op, rows, depthwise_block, op->out_c == op->in_c);
}
