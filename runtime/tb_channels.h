/* tb_channels.h - kernels that keep channels apart go through them in blocks.
 *
 * A block's accumulators stay in registers while its taps are walked. 16
 * channels are what vectors want, 4 what the registers of a Cortex-M hold.
 * Private to the runtime. */
#ifndef TB_CHANNELS_H
#define TB_CHANNELS_H

#include "simd_mve.h"

enum { TB_BLOCK = TB_VECTORS ? 16 : 4 };

/* One output pixel and its window, whose first column is x. */
typedef struct {
    const TbOp *op;
    const int8_t *const *rows;
    int8_t *out; /* the pixel */
    int x;
    TbTaps taps; /* columns of the window inside the image */
} TbPixel;

/* Makes n channels of a pixel, from `channel` on. */
typedef void TbBlock(const TbPixel *p, int channel, int n);

/* Adds the taps of n channels to their sums. How many taps: the rest is padding. */
TB_INLINE int32_t tb_sum_taps(const TbPixel *p, int channel, int n, int32_t *sum)
{
    const int in_c = p->op->in_c, kh = p->op->kh;
    int32_t count = 0;
    for (int y = 0; y < kh; y++) {
        if (!p->rows[y])
            continue;
        const int8_t *x = p->rows[y] + (p->x + p->taps.from) * in_c + channel;
        count += p->taps.to - p->taps.from;
#if TB_MVE
        if (n == 16) {
            tb_sum_sixteen(sum, x, in_c, p->taps.to - p->taps.from);
            continue;
        }
#endif
        for (int tap = p->taps.from; tap < p->taps.to; tap++, x += in_c) {
            TB_UNROLL
            for (int i = 0; i < n; i++)
                sum[i] += x[i];
        }
    }
    return count;
}

/* Adds `taps` products to the sums of n channels: pixels and weights of these
 * channels, so many bytes from one tap to the next. */
TB_INLINE void tb_multiply_taps(int32_t *sum, const int8_t *x, int x_step, const int8_t *w,
                                int w_step, int taps, int n, int8_t zero)
{
    for (int tap = 0; tap < taps; tap++, x += x_step, w += w_step) {
        TB_UNROLL
        for (int i = 0; i < n; i++)
            sum[i] += (int16_t)(x[i] - zero) * w[i];
    }
}

/* All channels of all pixels of a row. `block` is inlined, and n a constant in
 * it; without `blocks` it is always 1. */
TB_INLINE void tb_channels_row(const TbOp *op, const TbRows *rows, TbBlock *block, int blocks)
{
    TbPixel p = {op, rows->in, rows->out[0], -op->pad_left, {0, 0}};
    const int channels = op->out_c, out_w = op->out_w;
    for (int i = 0; i < out_w; i++, p.x += op->sw, p.out += channels) {
        int c = 0;
        p.taps = tb_taps(p.x, op->kw, op->in_w);
        for (; TB_VECTORS && blocks && c + 16 <= channels; c += 16)
            block(&p, c, 16);
        for (; blocks && c + 4 <= channels; c += 4)
            block(&p, c, 4);
        for (; c < channels; c++)
            block(&p, c, 1);
    }
}

#endif
