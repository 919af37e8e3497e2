/* tb_tile.h - a convolution in tiles of four pixels and two channels.
 *
 * The taps of a tile's pixels are unpacked to int16 once, into scratch, and then
 * serve all channels; what is left of a row has a tile of one to three:
 *
 *     scratch   [pair of taps][pixel]   a word each: two int16
 *     weights   a word: 1 when all pairs of channels are quick
 *               [pair of channels], of channels a and b:
 *                   int32 bias a, bias b
 *                   [pair of taps] int16 256 * b + a of either tap
 *                   uint32 2 * multiplier of a, of b
 *                   int16 2^(17 - right) of a, of b, when both are quick,
 *                         or shift - TB_TILE_SHIFT
 *
 * A row of the window has its taps in fours, of which the first and the third
 * are a pair, and the second and the fourth: so SXTB16 takes them from a word.
 * What is left of all rows, up to three taps of each, follows in plain order.
 *
 * A word of weights is of use as it is: its products with the inputs are those
 * of a plus 256 times those of b, and SXTB16 makes those of a alone. So a pair
 * of taps takes 12 instructions for 16 multiply-accumulates. The sums of b must
 * stay below 2^23; a quick b has a bias in that form too, 256 * b + a.
 *
 * The tile's eight sums and what feeds them take all fourteen registers of the
 * core, so that its loop is in assembly. The same in C serves other cores, a
 * last channel alone, and channels that are not quick (exporter/constants.c
 * says which). Private to the runtime. */
#ifndef TB_TILE_H
#define TB_TILE_H

#include "scratch.h"
#include "simd.h"

enum { TB_TILE = 4 };

#ifdef __GNUC__
typedef int16_t __attribute__((may_alias)) TbHalf;
#define TB_APART static __attribute__((noinline)) /* so that the loops keep their registers */
#else
typedef int16_t TbHalf;
#define TB_APART static
#endif

/* The pixels of a tile and an even number of channels. The assembly knows the order of the fields. */
typedef struct {
    int8_t *out;                   /* the first pixel's */
    int32_t second, third, fourth; /* where the others are from there */
    int8_t *out_end;               /* out + channels */
    TbWord *x, *x_end;             /* unpacked taps */
    const int8_t *weights;
    int32_t zero;                  /* 2 * out_zero + 1 */
    int32_t beyond;                /* bytes of a pair's weights that x_end is beyond their end */
    int pixels;                    /* 1 to TB_TILE */
    int words;                     /* of weights: pairs of taps */
} TbTile;

TB_INLINE int tb_tile_pairs(int taps)
{
    return (taps + 1) / 2;
}

/* Pairs of taps with those that fill up a turn of the loop. */
TB_INLINE int tb_tile_padded(int pairs, int pixels)
{
    return pixels == 1 ? (pairs + 3) & ~3 : pixels == 2 ? (pairs + 1) & ~1 : pairs;
}

/* Puts two words and steps over them. */
TB_INLINE void tb_tile_put(TbWord **to, TbPair first, TbPair second)
{
#if TB_DSP
    __asm__ volatile("strd %1, %2, [%0], #8" : "+r"(*to) : "r"(first), "r"(second) : "memory");
#else
    (*to)[0] = first, (*to)[1] = second;
    *to += 2;
#endif
}

/* Unpacks so many times four taps of four pixels, `step` bytes apart, and steps over them. */
TB_INLINE void tb_tile_unpack_four(TbWord **to, const int8_t *from, int step, int fours)
{
    const int8_t *a_from = from, *b_from = a_from + step;
    const int8_t *c_from = b_from + step, *d_from = c_from + step;
    for (; fours > 0; fours--, a_from += 4, b_from += 4, c_from += 4, d_from += 4) {
        const uint32_t a = tb_word(a_from), b = tb_word(b_from);
        const uint32_t c = tb_word(c_from), d = tb_word(d_from);
        tb_tile_put(to, tb_even_bytes(a), tb_even_bytes(b));
        tb_tile_put(to, tb_even_bytes(c), tb_even_bytes(d));
        tb_tile_put(to, tb_odd_bytes(a), tb_odd_bytes(b));
        tb_tile_put(to, tb_odd_bytes(c), tb_odd_bytes(d));
    }
}

/* The same of any number of pixels. */
TB_INLINE void tb_tile_unpack(TbWord **to, const int8_t *from, int step, int fours, int pixels)
{
    if (pixels == TB_TILE) {
        tb_tile_unpack_four(to, from, step, fours);
        return;
    }
    for (int i = 0; i < pixels; i++, from += step) {
        const int8_t *taps = from;
        TbWord *at = *to + i;
        for (int k = 0; k < fours; k++, taps += 4) {
            const uint32_t four = tb_word(taps);
            at[0] = tb_even_bytes(four), at += pixels;
            at[0] = tb_odd_bytes(four), at += pixels;
        }
    }
    *to += 2 * fours * pixels;
}

/* Unpacks n taps more, from the kth on of those that are in plain order. The first of a pair is
 * put as a word, so that there is a second one in any case; of the last its weights are zeros. */
TB_INLINE void tb_tile_unpack_left(TbWord *left, int k, const int8_t *from, int step, int n,
                                   int pixels)
{
    for (const int8_t *const end = from + n; from < end; from++, k++) {
        TbWord *const to = left + k / 2 * pixels;
        TbHalf *const second = (TbHalf *)to + 1;
        const int8_t *tap = from;
        for (int i = 0; i < pixels && k % 2; i++, tap += step)
            second[2 * i] = *tap;
        for (int i = 0; i < pixels && k % 2 == 0; i++, tap += step)
            to[i] = (TbWord)(int32_t)*tap;
    }
}

/* All channels of a tile, into its pixels of `out`. Shared by the convolutions, so that its code is
 * there once (tb_tile.c). */
void tb_tile_channels(TbTile *t, const TbOp *op, int8_t *out);

/* Activations narrower than an int8. */
TB_INLINE void tb_tile_clamp(const TbOp *op, int8_t *out)
{
    if (op->act_min == -128 && op->act_max == 127)
        return;
    for (int i = 0, n = op->out_w * op->out_c; i < n; i++)
        out[i] = tb_clamp(out[i], op->act_min, op->act_max);
}

/* Unpacks the windows of n output pixels from x on. */
typedef void TbTileGather(const TbOp *op, const TbRows *rows, int x, int n, TbWord *to);

/* Makes ready for n pixels; what fills up their last turn of the loop is zeros. They end where scratch
 * does: so it is touched to its last byte, as plans say. */
TB_INLINE void tb_tile_begin(TbTile *t, int n)
{
    const int padded = tb_tile_padded(t->words, n);
    t->pixels = n;
    t->x = t->x_end - padded * n, t->beyond = (padded - t->words) * 4;
    for (TbWord *word = t->x + t->words * n; word < t->x_end; word++)
        *word = 0;
}

/* A row of output, of windows of so many taps; end: of the scratch. */
TB_INLINE void tb_tile_row(const TbOp *op, const TbRows *rows, void *end, int taps,
                           TbTileGather *gather)
{
    const int out_c = op->out_c, out_w = op->out_w;
    int8_t *out = rows->out[0];
    TbTile t;
    t.x_end = (TbWord *)end, t.words = tb_tile_pairs(taps), t.zero = 2 * op->out_zero + 1;
    t.second = out_c, t.third = 2 * out_c, t.fourth = 3 * out_c;
    for (int x = 0; x < out_w; x += TB_TILE, out += TB_TILE * out_c) {
        const int n = out_w - x < TB_TILE ? out_w - x : TB_TILE;
        tb_tile_begin(&t, n);
        gather(op, rows, x, n, t.x);
        tb_tile_channels(&t, op, out);
    }
    tb_tile_clamp(op, rows->out[0]);
}

#endif
