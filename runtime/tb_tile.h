/* tb_tile.h - a convolution in tiles of four pixels and two channels.
 *
 * The taps of four pixels are unpacked to int16 once, into scratch, and then
 * serve all channels:
 *
 *     scratch   [pair of taps][4 pixels]   a word each: two int16
 *     weights   [pair of channels][pair of taps][4]   (exporter/constants.h)
 *
 * A row of the window has its taps in fours, of which the first and the third
 * are a pair, and the second and the fourth: so SXTB16 takes them from a word.
 * What is left of all rows, up to three taps of each, follows in plain order.
 *
 * The tile's eight sums and what feeds them take all fourteen registers of the
 * core, so that its loop is in assembly: 13 instructions for 16
 * multiply-accumulates. The same in C serves other cores, and the channels
 * whose scale the quick requantisation cannot do. Private to the runtime. */
#ifndef TB_TILE_H
#define TB_TILE_H

#include "simd.h"

enum { TB_TILE = 4 };

#ifdef __GNUC__
typedef int16_t __attribute__((may_alias)) TbHalf;
#define TB_APART static __attribute__((noinline)) /* so that the loops keep their registers */
#else
typedef int16_t TbHalf;
#define TB_APART static
#endif

/* Four pixels and an even number of channels. tb_tile_quick() knows the order of the fields. */
typedef struct {
    int8_t *out;                   /* the first pixel's */
    int32_t second, third, fourth; /* where the others are from there */
    const TbWord *x;               /* unpacked taps */
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    const TbWord *x_end;
    const int8_t *weights;
    int32_t zero;                  /* 2 * out_zero + 1 */
    int8_t *out_end;               /* out + channels */
} TbTile;

/* The taps of four pixels. */
typedef struct {
    const int8_t *a, *b, *c, *d;
} TbTaps4;

TB_INLINE int tb_tile_pairs(int taps)
{
    return (taps + 1) / 2;
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

/* Unpacks `fours` times four taps of each pixel and steps over them. */
TB_INLINE void tb_tile_unpack(TbWord **to, TbTaps4 *from, int fours)
{
    for (; fours > 0; fours--, from->a += 4, from->b += 4, from->c += 4, from->d += 4) {
        const uint32_t a = tb_word(from->a), b = tb_word(from->b);
        const uint32_t c = tb_word(from->c), d = tb_word(from->d);
        tb_tile_put(to, tb_even_bytes(a), tb_even_bytes(b));
        tb_tile_put(to, tb_even_bytes(c), tb_even_bytes(d));
        tb_tile_put(to, tb_odd_bytes(a), tb_odd_bytes(b));
        tb_tile_put(to, tb_odd_bytes(c), tb_odd_bytes(d));
    }
}

/* Unpacks n taps more, from the kth on of those that are in plain order. Is there no last half of a
 * pair, then anything may stand there: its weights are zeros. */
TB_INLINE void tb_tile_unpack_left(TbWord *left, int k, const TbTaps4 *from, int n)
{
    for (int tap = 0; tap < n; tap++, k++) {
        TbHalf *to = (TbHalf *)left + k / 2 * 8 + k % 2;
        to[0] = from->a[tap], to[2] = from->b[tap], to[4] = from->c[tap], to[6] = from->d[tap];
    }
}

/* Can all channels be scaled the quick way, with multipliers that have their highest bit and
 * shifts to the right? */
TB_INLINE int tb_tile_is_quick(const int32_t *multiplier, const int8_t *shift, int channels)
{
    const int32_t *const end = multiplier + channels;
    uint32_t m = 1u << 30, s = 0x80808080u;
    for (; end - multiplier >= 4; multiplier += 4, shift += 4) {
        const int32_t four = multiplier[0] & multiplier[1] & multiplier[2] & multiplier[3];
        m &= (uint32_t)four;
        s &= tb_word(shift);
    }
    for (; multiplier < end; multiplier++, shift++) {
        const int32_t one = *shift;
        m &= (uint32_t)*multiplier, s &= (uint32_t)one;
    }
    return m != 0 && s == 0x80808080u;
}

#if TB_DSP
/* r4-r7 and r8-r11 are the sums of the even and the odd channel, r12 the weights, lr the taps.
 *
 * The requantisation is that of simd.h with the shift done in two parts, so that one number serves
 * all channels, and no sum is too large: sum -> (sum >> (right - 1)) + 2 * zero + 1, halved. Halves
 * go away from zero by an addition to what is negative; a zero point of -128 makes all of that -128
 * in any case and goes without. Aligned, as ADR counts from a word's beginning and -O0 and -Os
 * align to half-words. */
__attribute__((aligned(4))) TB_APART void tb_tile_quick(const TbTile *tile)
{
    register const TbTile *t __asm__("r0") = tile;
    __asm__ volatile(
        "push {r7}                    \n" /* may be the frame pointer */
        "ldm r0, {r1-r12}             \n"
        "sub lr, r5, r9               \n"
        "asr lr, lr, #4               \n" /* pairs of taps, negative; the first is apart */
        "add lr, lr, #1               \n"
        "cmp r2, r3                   \n"
        "ittee ne                     \n" /* of a group skip so many at first */
        "andne lr, lr, #7             \n"
        "movne r0, #52                \n"
        "andeq lr, lr, #3             \n"
        "moveq r0, #32                \n"
        "mul r0, r0, lr               \n"
        "ite ne                       \n"
        "adrne.w lr, 2f               \n"
        "adreq.w lr, 3f               \n" /* no third pixel: the loop of two */
        "add lr, lr, r0               \n"
        "sub r0, r9, r5               \n"
        "cmp r0, #16                  \n"
        "it eq                        \n"
        "adreq.w lr, 4f               \n"
        "mov r0, r10                  \n"
        "add r10, lr, #1              \n"
        "adr.w lr, 50f                \n"
        "cmn r11, #255                \n"
        "it ne                        \n"
        "adrne.w lr, 51f              \n"
        "add lr, lr, #1               \n"
        "push {r1-r12, lr}            \n"
        "mov r12, r0                  \n"

        "1:                           \n" /* the first pair of taps takes the biases */
        "ldrd lr, r0, [sp, #16]       \n"
        "ldrd r7, r11, [r0], #8       \n"
        "str r0, [sp, #20]            \n"
        "ldr r1, [r12], #4            \n"
        "ldrd r2, r3, [lr], #8        \n"
        "sxtb16 r0, r1                \n"
        "sxtb16 r1, r1, ror #8        \n"
        "smlad r4, r2, r0, r7         \n"
        "smlad r8, r2, r1, r11        \n"
        "smlad r5, r3, r0, r7         \n"
        "smlad r9, r3, r1, r11        \n"
        "ldrd r2, r3, [lr], #8        \n"
        "smlad r6, r2, r0, r7         \n"
        "smlad r10, r2, r1, r11       \n"
        "smlad r7, r3, r0, r7         \n"
        "smlad r11, r3, r1, r11       \n"
        "ldr pc, [sp, #36]            \n"

        "2:                           \n"
        ".rept 8                      \n"
        "ldr r1, [r12], #4            \n"
        "ldrd r2, r3, [lr], #8        \n"
        "sxtb16 r0, r1                \n"
        "sxtb16 r1, r1, ror #8        \n"
        "smlad r4, r2, r0, r4         \n"
        "smlad r8, r2, r1, r8         \n"
        "smlad r5, r3, r0, r5         \n"
        "smlad r9, r3, r1, r9         \n"
        "ldrd r2, r3, [lr], #8        \n"
        "smlad r6, r2, r0, r6         \n"
        "smlad r10, r2, r1, r10       \n"
        "smlad r7, r3, r0, r7         \n"
        "smlad r11, r3, r1, r11       \n"
        ".endr                        \n"
        "ldr r0, [sp, #32]            \n"
        "cmp lr, r0                   \n"
        "bne 2b                       \n"
        "4:                           \n"
        "ldr pc, [sp, #48]            \n"

        "3:                           \n"
        ".rept 4                      \n"
        "ldr r1, [r12], #4            \n"
        "ldrd r2, r3, [lr], #16       \n"
        "sxtb16 r0, r1                \n"
        "sxtb16 r1, r1, ror #8        \n"
        "smlad r4, r2, r0, r4         \n"
        "smlad r8, r2, r1, r8         \n"
        "smlad r5, r3, r0, r5         \n"
        "smlad r9, r3, r1, r9         \n"
        ".endr                        \n"
        "ldr r0, [sp, #32]            \n"
        "cmp lr, r0                   \n"
        "bne 3b                       \n"
        "ldr pc, [sp, #48]            \n"

        ".irp away, 0, 1              \n"
        "5\\away:                     \n"
        "ldrd r2, r3, [sp, #24]       \n"
        "ldrd r0, r1, [r2], #8        \n" /* multipliers */
        "ldrh lr, [r3], #2            \n" /* shifts */
        "strd r2, r3, [sp, #24]       \n"
        "ldr r2, [sp, #40]            \n"
        "lsl r0, r0, #1               \n"
        "lsl r1, r1, #1               \n"
        "mvn lr, lr                   \n" /* right - 1, in its byte */
        ".irp a, r4, r5, r6, r7       \n"
        "smmlar \\a, \\a, r0, \\a     \n"
        ".endr                        \n"
        ".irp a, r8, r9, r10, r11     \n"
        "smmlar \\a, \\a, r1, \\a     \n"
        ".endr                        \n"
        ".if \\away                   \n"
        ".irp a, r4, r5, r6, r7, r8, r9, r10, r11\n"
        "add \\a, \\a, \\a, asr #31   \n"
        ".endr                        \n"
        ".endif                       \n"
        ".irp a, r4, r5, r6, r7       \n"
        "asr \\a, \\a, lr             \n"
        ".endr                        \n"
        "lsr lr, lr, #8               \n"
        ".irp a, r8, r9, r10, r11     \n"
        "asr \\a, \\a, lr             \n"
        ".endr                        \n"
        ".irp a, r4, r5, r6, r7, r8, r9, r10, r11\n"
        "qadd \\a, \\a, r2            \n"
        ".endr                        \n"
        ".irp a, r4, r5, r6, r7, r8, r9, r10, r11\n"
        "ssat \\a, #8, \\a, asr #1    \n"
        ".endr                        \n"
        "ldm sp, {r0-r3}              \n"
        "strb r7, [r0, r3]            \n" /* backwards: where pixels are missing, the */
        "strb r6, [r0, r2]            \n" /* others are in the same place */
        "strb r5, [r0, r1]            \n"
        "strb r4, [r0], #1            \n"
        "strb r11, [r0, r3]           \n"
        "strb r10, [r0, r2]           \n"
        "strb r9, [r0, r1]            \n"
        "strb r8, [r0], #1            \n"
        "str r0, [sp]                 \n"
        "ldr r1, [sp, #44]            \n"
        "cmp r0, r1                   \n"
        "bne.w 1b                     \n"
        ".if \\away == 0              \n"
        "b.w 6f                       \n"
        ".endif                       \n"
        ".endr                        \n"
        "6:                           \n"
        "add sp, sp, #52              \n"
        "pop {r7}                     \n"
        : "+r"(t)
        :
        : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
          "memory");
}
#endif

/* The sums of two channels of four pixels. */
TB_INLINE void tb_tile_sums(int32_t sum[2][TB_TILE], const TbWord *x, const TbWord *end,
                            const int8_t *weights)
{
    for (; x < end; x += TB_TILE, weights += 4) {
        const uint32_t w = tb_word(weights);
        const TbPair a = tb_even_bytes(w), b = tb_odd_bytes(w);
        for (int i = 0; i < TB_TILE; i++) {
            sum[0][i] = tb_mac_pairs(x[i], a, sum[0][i]);
            sum[1][i] = tb_mac_pairs(x[i], b, sum[1][i]);
        }
    }
}

/* One or two channels of a tile, whatever their scale. */
TB_INLINE void tb_tile_general(const TbOp *op, const TbTile *t, int c)
{
    const TbRequant r = tb_requant(op);
    const int32_t to[TB_TILE] = {0, t->second, t->third, t->fourth};
    const int n = op->out_c - c < 2 ? 1 : 2;
    int32_t sum[2][TB_TILE];
    for (int i = 0; i < TB_TILE; i++)
        sum[0][i] = r.bias[c], sum[1][i] = r.bias[c + n - 1];
    tb_tile_sums(sum, t->x, t->x_end, t->weights);
    for (int i = 0; i < TB_TILE; i++)
        for (int j = 0; j < n; j++)
            t->out[to[i] + j] = tb_output(&r, sum[j][i], c + j);
}

/* Points a tile to n channels from c on. */
TB_INLINE void tb_tile_point(TbTile *t, const TbOp *op, int8_t *out, int c, int n)
{
    t->out = out + c, t->out_end = out + c + n;
    t->bias = op->bias + c, t->multiplier = op->multiplier + c, t->shift = op->shift + c;
    t->weights = op->weights + (ptrdiff_t)(c / 2) * (t->x_end - t->x);
}

/* Channels c and c + 1, or the last one alone. */
TB_APART void tb_tile_pair(TbTile *t, const TbOp *op, int8_t *out, int c)
{
    const int n = op->out_c - c < 2 ? 1 : 2;
    tb_tile_point(t, op, out, c, n);
#if TB_DSP
    if (n == 2 && tb_tile_is_quick(t->multiplier, t->shift, 2)) {
        tb_tile_quick(t);
        return;
    }
#endif
    tb_tile_general(op, t, c);
}

/* All channels; the first `quick` ones can all be scaled the quick way. */
TB_INLINE void tb_tile_channels(TbTile *t, const TbOp *op, int8_t *out, int quick)
{
#if TB_DSP
    if (quick) {
        tb_tile_point(t, op, out, 0, quick);
        tb_tile_quick(t);
    }
#endif
    for (int c = quick; c < op->out_c; c += 2)
        tb_tile_pair(t, op, out, c);
}

/* Activations narrower than an int8. */
TB_INLINE void tb_tile_clamp(const TbOp *op, int8_t *out)
{
    if (op->act_min == -128 && op->act_max == 127)
        return;
    for (int i = 0, n = op->out_w * op->out_c; i < n; i++)
        out[i] = tb_clamp(out[i], op->act_min, op->act_max);
}

/* From the first of n pixels to the other three, `step` bytes each. Beyond the last it stands for
 * those that are not there. */
typedef struct {
    int second, third, fourth;
} TbSpread;

TB_INLINE TbSpread tb_tile_spread(int n, int step)
{
    TbSpread s = {n > 1 ? step : 0, 0, 0};
    s.third = n > 2 ? 2 * step : s.second;
    s.fourth = n > 3 ? 3 * step : s.third;
    return s;
}

/* Unpacks the windows of output pixels [x, x + n), n <= TB_TILE, which are `spread` apart. */
typedef void TbTileGather(const TbOp *op, const TbRows *rows, int x, int n, TbSpread spread,
                          TbWord *to);

/* A row of output. A window is `taps` long, the next one `step` bytes on in the input. */
TB_INLINE void tb_tile_row(const TbOp *op, const TbRows *rows, TbWord *scratch, int taps, int step,
                           TbTileGather *gather)
{
    const int out_c = op->out_c, out_w = op->out_w;
    const int all_quick = TB_DSP && tb_tile_is_quick(op->multiplier, op->shift, out_c);
    int8_t *out = rows->out[0];
    TbTile t;
    t.x = scratch, t.x_end = scratch + tb_tile_pairs(taps) * TB_TILE;
    t.zero = 2 * op->out_zero + 1;
    for (int x = 0; x < out_w; x += TB_TILE, out += TB_TILE * out_c) {
        const int n = out_w - x < TB_TILE ? out_w - x : TB_TILE;
        const TbSpread to = tb_tile_spread(n, out_c);
        t.second = to.second, t.third = to.third, t.fourth = to.fourth;
        gather(op, rows, x, n, tb_tile_spread(n, step), scratch);
        tb_tile_channels(&t, op, out, all_quick ? out_c & ~1 : 0);
    }
    tb_tile_clamp(op, rows->out[0]);
}

#endif
