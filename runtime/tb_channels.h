/* tb_channels.h - kernels that keep channels apart go through them in blocks.
 *
 * A block's accumulators stay in registers while its taps are walked. 16
 * channels are what vectors want, 4 what the registers of a Cortex-M hold.
 * Private to the runtime. */
#ifndef TB_CHANNELS_H
#define TB_CHANNELS_H

#include "simd.h"
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

/* Sums of channels 0 and 2, and of 1 and 3. */
typedef struct {
    TbPair even, odd;
} TbPairSums;

enum { TB_PAIR_TAPS = 256 }; /* bytes whose sum a half can hold */

TB_INLINE void tb_add_word(TbPairSums *s, const int8_t *x)
{
    const uint32_t word = tb_word(x);
    s->even = tb_add_even_bytes(s->even, word), s->odd = tb_add_odd_bytes(s->odd, word);
}

/* taps >= 0 words, so many bytes apart. */
TB_INLINE void tb_add_words(TbPairSums *s, const int8_t *x, int step, int taps)
{
    if (taps & 1)
        tb_add_word(s, x), x += step;
    for (taps >>= 1; taps > 0; taps--, x += step) {
        tb_add_word(s, x);
        tb_add_word(s, x += step);
    }
}

TB_INLINE void tb_add_pair_sums(int32_t *sum, const TbPairSums *s)
{
    sum[0] += tb_low(s->even), sum[1] += tb_low(s->odd);
    sum[2] += tb_high(s->even), sum[3] += tb_high(s->odd);
}

/* tb_sum_taps() of four channels: at most TB_PAIR_TAPS. */
TB_INLINE int32_t tb_sum_words(const TbPixel *p, int channel, int32_t *sum)
{
    const int in_c = p->op->in_c, taps = p->taps.to - p->taps.from;
    const int from = (p->x + p->taps.from) * in_c + channel;
    const int8_t *const *const end = p->rows + p->op->kh;
    int32_t count = 0;
    TbPairSums pairs = {0, 0};
    for (const int8_t *const *row = p->rows; row < end; row++) {
        if (!*row)
            continue;
        count += taps;
        tb_add_words(&pairs, *row + from, in_c, taps);
    }
    tb_add_pair_sums(sum, &pairs);
    return count;
}

/* Adds the taps of n channels to their sums. How many taps: the rest is padding. */
TB_INLINE int32_t tb_sum_taps(const TbPixel *p, int channel, int n, int32_t *sum)
{
    const int in_c = p->op->in_c, kh = p->op->kh;
    int32_t count = 0;
    if (TB_DSP && n == 4 && kh * p->op->kw <= TB_PAIR_TAPS)
        return tb_sum_words(p, channel, sum);
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

/* The same of four channels, by words; `less`, a pair, is added to the inputs. */
TB_INLINE void tb_multiply_words(TbSums *s, const int8_t *x, int x_step, const int8_t *w,
                                 int w_step, int taps, TbPair less)
{
    int32_t a = s->a, b = s->b, c = s->c, d = s->d;
    for (; taps > 0; taps--, x += x_step, w += w_step) {
        const uint32_t inputs = tb_word(x), weights = tb_word(w);
        const TbPair even = tb_add_even_bytes(less, inputs), odd = tb_add_odd_bytes(less, inputs);
        const TbPair even_w = tb_even_bytes(weights), odd_w = tb_odd_bytes(weights);
        a = tb_mac_low_low(even, even_w, a), c = tb_mac_high_high(even, even_w, c);
        b = tb_mac_low_low(odd, odd_w, b), d = tb_mac_high_high(odd, odd_w, d);
    }
    s->a = a, s->b = b, s->c = c, s->d = d;
}

/* The channels from `first` on of all pixels of a row. `block` is inlined, and n a
 * constant in it; without `blocks` it is always 1. */
TB_INLINE void tb_channels_from(const TbOp *op, const TbRows *rows, TbBlock *block, int blocks,
                                int first)
{
    TbPixel p = {op, rows->in, rows->out[0], -op->pad_left, {0, 0}};
    const int channels = op->out_c, out_w = op->out_w;
    for (int i = 0; i < out_w && first < channels; i++, p.x += op->sw, p.out += channels) {
        int c = first;
        p.taps = tb_taps(p.x, op->kw, op->in_w);
        for (; TB_VECTORS && blocks && c + 16 <= channels; c += 16)
            block(&p, c, 16);
        for (; blocks && c + 4 <= channels; c += 4)
            block(&p, c, 4);
        for (; c < channels; c++)
            block(&p, c, 1);
    }
}

/* All of them. */
TB_INLINE void tb_channels_row(const TbOp *op, const TbRows *rows, TbBlock *block, int blocks)
{
    tb_channels_from(op, rows, block, blocks, 0);
}

#endif
