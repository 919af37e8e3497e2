#include "tb_channels.h"

/* Four channels, where words are compared byte by byte. */
TB_INLINE void max_pool_words(const TbPixel *p, int channel)
{
    const TbOp *op = p->op;
    const int in_c = op->in_c, from = (p->x + p->taps.from) * in_c + channel;
    const int8_t *const *const end = p->rows + op->kh;
    uint32_t most = tb_four_bytes(INT8_MIN);
    for (const int8_t *const *row = p->rows; row < end; row++) {
        if (!*row)
            continue;
        const int8_t *x = *row + from;
        for (int tap = p->taps.to - p->taps.from; tap > 0; tap--, x += in_c)
            most = tb_max_bytes(tb_word(x), most);
    }
    most = tb_min_bytes(tb_max_bytes(most, tb_four_bytes(op->act_min)), tb_four_bytes(op->act_max));
    tb_put_word(p->out + channel, most);
}

TB_INLINE void max_pool_block(const TbPixel *p, int channel, int n)
{
    const TbOp *op = p->op;
    const int in_c = op->in_c, kh = op->kh;
    int32_t most[TB_BLOCK];

    if (TB_DSP && n == 4) {
        max_pool_words(p, channel);
        return;
    }
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
