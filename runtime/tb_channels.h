/* tb_channels.h - kernels that keep channels apart go through them in blocks.
 *
 * A block's accumulators stay in registers while its taps are walked. 16
 * channels are what vectors want, 4 what the registers of a Cortex-M hold.
 * Private to the runtime. */
#ifndef TB_CHANNELS_H
#define TB_CHANNELS_H

#include "tb_inner.h"

enum { TB_BLOCK = TB_VECTORS ? 16 : 4 };

/* Unrolls the loop over a block, so that its accumulators become registers. */
#if defined(__GNUC__) && !defined(__clang__)
#define TB_UNROLL _Pragma("GCC unroll 4")
#else
#define TB_UNROLL
#endif

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

/* All channels of all pixels of a row. `block` is inlined, and n a constant in it. */
TB_INLINE void tb_channels_row(const TbOp *op, const TbRows *rows, TbBlock *block)
{
    TbPixel p = {op, rows->in, rows->out[0], -op->pad_left, {0, 0}};
    const int channels = op->out_c, out_w = op->out_w;
    for (int i = 0; i < out_w; i++, p.x += op->sw, p.out += channels) {
        int c = 0;
        p.taps = tb_taps(p.x, op->kw, op->in_w);
        for (; TB_VECTORS && c + 16 <= channels; c += 16)
            block(&p, c, 16);
        for (; c + 4 <= channels; c += 4)
            block(&p, c, 4);
        for (; c < channels; c++)
            block(&p, c, 1);
    }
}

#endif
