#include "tb_tile.h"

#if TB_DSP
/* The bytes of quick channels from their sums, a pixel each: by the multipliers in r0 and r1, the
 * shifts in the halves of lr and the zero point in r2. */
#define TILE_BYTES(sums, first, multiplier, half)                                                  \
    ".irp a, " sums "\n" first "smmlar \\a, \\a, " multiplier ", \\a\n"                            \
    "add \\a, \\a, \\a, asr #31\n"                                                                 \
    "smlaw" half " \\a, \\a, lr, r2\n"                                                             \
    "ssat \\a, #8, \\a, asr #1\n"                                                                  \
    ".endr\n"
#define TILE_EVEN(sums) TILE_BYTES(sums, "", "r0", "b")
#define TILE_ODD(sums) TILE_BYTES(sums, "asr \\a, \\a, #8\n", "r1", "t")
#define TILE_CLOBBERS                                                                              \
    "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"

/* The requantisation of simd.h, its shift done by a product so that no sum is too large: sum ->
 * (sum >> (right - 1)) + 2 * zero + 1, halved. Halves go away from zero by an addition to what is
 * negative; a zero point of -128 makes all of that -128 in any case and could go without.
 *
 * Four pixels: r4-r7 and r8-r11 are the sums of the even and the odd channel, r12 the weights, lr
 * the taps. Aligned, as ADR counts from a word's beginning and -O0 and -Os align to half-words. */
__attribute__((aligned(4))) TB_APART void tb_tile_four(const TbTile *tile)
{
    register const TbTile *t __asm__("r0") = tile;
    __asm__ volatile(
        "push {r7}                    \n" /* may be the frame pointer */
        "ldm r0, {r1-r9}              \n"
        "mov r12, r8                  \n"
        "sub lr, r6, r7               \n"
        "asr lr, lr, #4               \n" /* pairs of taps, negative; the first is apart */
        "adds lr, lr, #1              \n"
        "and lr, lr, #15              \n" /* of a group skip so many at first */
        "mov r0, #48                  \n"
        "mul r0, r0, lr               \n"
        "adr.w r10, 2f + 1            \n"
        "add r10, r10, r0             \n"
        "it eq                        \n"
        "adreq.w r10, 3f + 1          \n"
        "adr.w r11, 50f + 1           \n"
        "cmn r9, #255                 \n"
        "it ne                        \n"
        "adrne.w r11, 51f + 1         \n"
        "push {r1-r7, r9-r11}         \n"

        "1:                           \n" /* the first pair of taps takes the biases */
        "ldr lr, [sp, #20]            \n"
        "ldrd r7, r11, [r12], #8      \n"
        "ldr r1, [r12], #4            \n"
        "ldrd r2, r3, [lr], #8        \n"
        "sxtb16 r0, r1                \n"
        "smlad r4, r2, r0, r7         \n"
        "smlad r8, r2, r1, r11        \n"
        "smlad r5, r3, r0, r7         \n"
        "smlad r9, r3, r1, r11        \n"
        "ldrd r2, r3, [lr], #8        \n"
        "smlad r6, r2, r0, r7         \n"
        "smlad r10, r2, r1, r11       \n"
        "smlad r7, r3, r0, r7         \n"
        "smlad r11, r3, r1, r11       \n"
        "ldr pc, [sp, #32]            \n"

        "2:                           \n"
        ".rept 16                     \n"
        "ldr r1, [r12], #4            \n"
        "ldrd r2, r3, [lr], #8        \n"
        "sxtb16 r0, r1                \n"
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
        "ldr r0, [sp, #24]            \n"
        "cmp lr, r0                   \n"
        "bne 2b                       \n"
        "3:                           \n"
        "ldr pc, [sp, #36]            \n"

        ".irp away, 0, 1              \n"
        ".p2align 2                   \n"
        "5\\away:                     \n"
        "ldrd r0, r1, [r12], #8       \n" /* multipliers */
        "ldr lr, [r12], #4            \n" /* shifts */
        "ldr r2, [sp, #28]            \n"
        "sub r8, r8, r4               \n"
        "sub r9, r9, r5               \n"
        "sub r10, r10, r6             \n"
        "sub r11, r11, r7             \n"
        ".irp a, r8, r9, r10, r11     \n"
        "asr \\a, \\a, #8             \n"
        "smmlar \\a, \\a, r1, \\a     \n"
        ".endr                        \n"
        ".irp a, r4, r5, r6, r7       \n"
        "smmlar \\a, \\a, r0, \\a     \n"
        ".endr                        \n"
        ".if \\away                   \n"
        ".irp a, r4, r5, r6, r7, r8, r9, r10, r11\n"
        "add \\a, \\a, \\a, asr #31   \n"
        ".endr                        \n"
        ".endif                       \n"
        ".irp a, r4, r5, r6, r7       \n"
        "smlawb \\a, \\a, lr, r2      \n"
        ".endr                        \n"
        ".irp a, r8, r9, r10, r11     \n"
        "smlawt \\a, \\a, lr, r2      \n"
        ".endr                        \n"
        ".irp a, r4, r5, r6, r7, r8, r9, r10, r11\n"
        "ssat \\a, #8, \\a, asr #1    \n"
        ".endr                        \n"
        "ldm sp, {r0-r3, lr}          \n"
        "strb r7, [r0, r3]            \n"
        "strb r6, [r0, r2]            \n"
        "strb r5, [r0, r1]            \n"
        "strb r4, [r0], #1            \n"
        "strb r11, [r0, r3]           \n"
        "strb r10, [r0, r2]           \n"
        "strb r9, [r0, r1]            \n"
        "strb r8, [r0], #1            \n"
        "str r0, [sp]                 \n"
        "cmp r0, lr                   \n"
        "bne.w 1b                     \n"
        ".if \\away == 0              \n"
        "b.w 6f                       \n"
        ".endif                       \n"
        ".endr                        \n"
        "6:                           \n"
        "add sp, sp, #40              \n"
        "pop {r7}                     \n"
        : "+r"(t)
        :
        : TILE_CLOBBERS);
}

/* Three pixels: r4-r6 and r7-r9 are their sums. Turns of eight pairs of taps. */
__attribute__((aligned(4))) TB_APART void tb_tile_three(const TbTile *tile)
{
    register const TbTile *t __asm__("r0") = tile;
    __asm__ volatile(
        "push {r7}                    \n"
        "ldm r0, {r1-r9}              \n"
        "ldr r4, [r0, #44]            \n" /* words */
        "mov r12, r8                  \n"
        "mov r11, r7                  \n"
        "rsb r4, r4, #0               \n"
        "and r4, r4, #7               \n" /* of a turn skip so many at first */
        "mov r8, #36                  \n"
        "mul r4, r4, r8               \n"
        "adr.w r8, 2f + 1             \n"
        "add r8, r8, r4               \n"
        "push {r1-r3, r5, r6, r8, r9} \n"

        "1:                           \n"
        "ldrd lr, r0, [sp, #16]       \n"
        "ldrd r4, r7, [r12], #8       \n"
        "mov r5, r4                   \n"
        "mov r6, r4                   \n"
        "mov r8, r7                   \n"
        "mov r9, r7                   \n"
        "bx r0                        \n"
        ".p2align 2                   \n"
        "2:                           \n"
        ".rept 8                      \n"
        "ldr r3, [r12], #4            \n"
        "ldmia.w lr!, {r0-r2}         \n"
        "sxtb16 r10, r3               \n"
        "smlad r7, r0, r3, r7         \n"
        "smlad r4, r0, r10, r4        \n"
        "smlad r8, r1, r3, r8         \n"
        "smlad r5, r1, r10, r5        \n"
        "smlad r9, r2, r3, r9         \n"
        "smlad r6, r2, r10, r6        \n"
        ".endr                        \n"
        "cmp lr, r11                  \n"
        "bne.w 2b                     \n"

        "ldrd r0, r1, [r12], #8       \n" /* multipliers */
        "ldr lr, [r12], #4            \n" /* shifts */
        "ldr r2, [sp, #24]            \n"
        "sub r7, r7, r4               \n"
        "sub r8, r8, r5               \n"
        "sub r9, r9, r6               \n"
        TILE_EVEN("r4, r5, r6")
        TILE_ODD("r7, r8, r9")
        "ldm sp, {r0-r3}              \n"
        "strb r6, [r0, r2]            \n"
        "strb r5, [r0, r1]            \n"
        "strb r4, [r0], #1            \n"
        "strb r9, [r0, r2]            \n"
        "strb r8, [r0, r1]            \n"
        "strb r7, [r0], #1            \n"
        "str r0, [sp]                 \n"
        "cmp r0, r3                   \n"
        "bne.w 1b                     \n"
        "add sp, sp, #28              \n"
        "pop {r7}                     \n"
        : "+r"(t)
        :
        : TILE_CLOBBERS);
}

/* Two pixels: r4, r5 and r6, r7 are their sums. Turns of four pairs of taps, two of which the first
 * turn may leave out. */
__attribute__((aligned(4))) TB_APART void tb_tile_two(const TbTile *tile)
{
    register const TbTile *t __asm__("r0") = tile;
    __asm__ volatile(
        "push {r7}                    \n"
        "ldm r0, {r1-r10}             \n"
        "mov r12, r8                  \n"
        "mov r11, r7                  \n"
        "sub r3, r7, r6               \n"
        "adr.w r7, 2f + 1             \n"
        "tst r3, #16                  \n"
        "it ne                        \n"
        "adrne.w r7, 3f + 1           \n"
        "push {r1, r2, r5-r7, r9, r10}\n"

        "1:                           \n"
        "ldr lr, [sp, #12]            \n"
        "ldrd r4, r6, [r12], #8       \n"
        "mov r5, r4                   \n"
        "mov r7, r6                   \n"
        "ldr pc, [sp, #16]            \n"
        ".p2align 2                   \n"
        ".irp turn, 2, 3              \n"
        "\\turn:                      \n"
        "ldm lr!, {r0-r3}             \n"
        "ldrd r8, r9, [r12], #8       \n"
        "sxtb16 r10, r8               \n"
        "smlad r4, r0, r10, r4        \n"
        "smlad r5, r1, r10, r5        \n"
        "smlad r6, r0, r8, r6         \n"
        "smlad r7, r1, r8, r7         \n"
        "sxtb16 r10, r9               \n"
        "smlad r4, r2, r10, r4        \n"
        "smlad r5, r3, r10, r5        \n"
        "smlad r6, r2, r9, r6         \n"
        "smlad r7, r3, r9, r7         \n"
        ".endr                        \n"
        "cmp lr, r11                  \n"
        "bne 2b                       \n"

        "ldrd r2, r3, [sp, #20]       \n" /* zero, beyond */
        "sub r12, r12, r3             \n"
        "ldrd r0, r1, [r12], #8       \n"
        "ldr lr, [r12], #4            \n"
        "sub r6, r6, r4               \n"
        "sub r7, r7, r5               \n"
        TILE_EVEN("r4, r5")
        TILE_ODD("r6, r7")
        "ldm sp, {r0-r2}              \n"
        "strb r5, [r0, r1]            \n"
        "strb r4, [r0], #1            \n"
        "strb r7, [r0, r1]            \n"
        "strb r6, [r0], #1            \n"
        "str r0, [sp]                 \n"
        "cmp r0, r2                   \n"
        "bne.w 1b                     \n"
        "add sp, sp, #28              \n"
        "pop {r7}                     \n"
        : "+r"(t)
        :
        : TILE_CLOBBERS);
}

/* One pixel: r4 and r5 are its sums. Turns of eight pairs of taps, four of which the first turn may
 * leave out. */
__attribute__((aligned(4))) TB_APART void tb_tile_one(const TbTile *tile)
{
    register const TbTile *t __asm__("r0") = tile;
    __asm__ volatile(
        "push {r7}                    \n"
        "ldm r0, {r1-r10}             \n"
        "mov r12, r8                  \n"
        "mov r11, r7                  \n"
        "sub r3, r7, r6               \n"
        "adr.w r7, 2f + 1             \n"
        "tst r3, #16                  \n"
        "it ne                        \n"
        "adrne.w r7, 3f + 1           \n"
        "push {r1, r5-r7, r9, r10}    \n"

        "1:                           \n"
        "ldr lr, [sp, #8]             \n"
        "ldrd r4, r5, [r12], #8       \n"
        "ldr pc, [sp, #12]            \n"
        ".p2align 2                   \n"
        ".irp turn, 2, 3              \n"
        "\\turn:                      \n"
        "ldm lr!, {r0-r3}             \n"
        "ldm r12!, {r6-r9}            \n"
        "sxtb16 r10, r6               \n"
        "smlad r4, r0, r10, r4        \n"
        "smlad r5, r0, r6, r5         \n"
        "sxtb16 r10, r7               \n"
        "smlad r4, r1, r10, r4        \n"
        "smlad r5, r1, r7, r5         \n"
        "sxtb16 r10, r8               \n"
        "smlad r4, r2, r10, r4        \n"
        "smlad r5, r2, r8, r5         \n"
        "sxtb16 r10, r9               \n"
        "smlad r4, r3, r10, r4        \n"
        "smlad r5, r3, r9, r5         \n"
        ".endr                        \n"
        "cmp lr, r11                  \n"
        "bne 2b                       \n"

        "ldrd r2, r3, [sp, #16]       \n" /* zero, beyond */
        "sub r12, r12, r3             \n"
        "ldrd r0, r1, [r12], #8       \n"
        "ldr lr, [r12], #4            \n"
        "sub r5, r5, r4               \n"
        TILE_EVEN("r4")
        TILE_ODD("r5")
        "ldrd r0, r1, [sp]            \n"
        "strb r4, [r0], #1            \n"
        "strb r5, [r0], #1            \n"
        "str r0, [sp]                 \n"
        "cmp r0, r1                   \n"
        "bne 1b                       \n"
        "add sp, sp, #24              \n"
        "pop {r7}                     \n"
        : "+r"(t)
        :
        : TILE_CLOBBERS);
}
#endif

/* ---- the same in C ------------------------------------------------------------------------- */

/* Of two channels the constants that lie behind `words` words of weights. */
typedef struct {
    int32_t bias[2], multiplier[2], shift[2];
} TbTileScales;

TB_INLINE TbTileScales tb_tile_scales(const int8_t *weights, int words)
{
    const int8_t *behind = weights + 8 + 4 * words;
    const uint32_t a = tb_word(weights), b = tb_word(weights + 4);
    const TbPair shifts = tb_word(behind + 8);
    const int quick = tb_low(shifts) > 0;
    const TbTileScales s = {{(int32_t)a, quick ? (int32_t)(b - a) >> 8 : (int32_t)b},
                            {(int32_t)(tb_word(behind) >> 1), (int32_t)(tb_word(behind + 4) >> 1)},
                            {tb_low(shifts), tb_high(shifts)}};
    return s;
}

/* The sums of two channels of so many pixels. */
TB_INLINE void tb_tile_sums(int32_t sum[2][TB_TILE], const TbTile *t, int pixels)
{
    const int8_t *weights = t->weights + 8;
    const TbWord *x = t->x, *const end = x + t->words * pixels;
    for (; x < end; x += pixels, weights += 4) {
        const uint32_t w = tb_word(weights);
        const TbPair a = tb_even_bytes(w), b = tb_odd_bytes(tb_less_pairs(w, a));
        for (int i = 0; i < pixels; i++) {
            sum[0][i] = tb_mac_pairs(x[i], a, sum[0][i]);
            sum[1][i] = tb_mac_pairs(x[i], b, sum[1][i]);
        }
    }
}

/* Of a quick channel, or of any. */
TB_INLINE int8_t tb_tile_output(const TbRequant *r, int32_t sum, int32_t multiplier, int32_t shift)
{
    if (shift <= 0)
        return tb_moved(r, tb_scale(sum, multiplier, shift + TB_TILE_SHIFT));
    const int32_t scaled = tb_high_mul(sum, multiplier);
    const int64_t product = (int64_t)(scaled + (scaled >> 31)) * shift;
    return tb_moved(r, ((int32_t)(product >> 16) + 1) >> 1);
}

/* One or two channels of a tile, whatever their scale. */
TB_INLINE void tb_tile_general(const TbOp *op, const TbTile *t, int8_t *out, int n)
{
    const TbRequant r = tb_requant(op);
    const TbTileScales s = tb_tile_scales(t->weights, t->words);
    const int32_t to[TB_TILE] = {0, t->second, t->third, t->fourth};
    int32_t sum[2][TB_TILE];
    for (int i = 0; i < TB_TILE; i++)
        sum[0][i] = s.bias[0], sum[1][i] = s.bias[1];
    if (t->pixels == TB_TILE)
        tb_tile_sums(sum, t, TB_TILE);
    else
        tb_tile_sums(sum, t, t->pixels);
    for (int i = 0; i < t->pixels; i++)
        for (int j = 0; j < n; j++)
            out[to[i] + j] = tb_tile_output(&r, sum[j][i], s.multiplier[j], s.shift[j]);
}

/* Points to the weights of so many channels more. */
TB_INLINE void tb_tile_next(TbTile *t, int channels)
{
    t->weights += channels / 2 * (TB_PAIRS_CONSTANTS + 4 * t->words);
}

/* Channels c and c + 1, or the last one alone. */
TB_APART void tb_tile_pair(TbTile *t, const TbOp *op, int8_t *out, int c)
{
    tb_tile_general(op, t, out + c, op->out_c - c < 2 ? 1 : 2);
    tb_tile_next(t, 2);
}

/* An even number of channels that are all quick. */
TB_INLINE void tb_tile_quickly(TbTile *t, int8_t *out, int channels)
{
#if TB_DSP
    t->out = out, t->out_end = out + channels;
    if (t->pixels == 1)
        tb_tile_one(t);
    else if (t->pixels == 2)
        tb_tile_two(t);
    else if (t->pixels == 3)
        tb_tile_three(t);
    else
        tb_tile_four(t);
#else
    (void)out;
#endif
    tb_tile_next(t, channels);
}

/* Are the next two channels quick? */
TB_INLINE int tb_tile_is_quick(const TbTile *t)
{
    return TB_DSP && tb_low(tb_word(t->weights + 8 + 4 * t->words + 8)) > 0;
}

/* All channels. */
void tb_tile_channels(TbTile *t, const TbOp *op, int8_t *out)
{
    const int pairs = op->out_c & ~1, all = TB_DSP && tb_word(op->weights) != 0 && pairs > 0;
    t->weights = op->weights + 4;
    if (all)
        tb_tile_quickly(t, out, pairs);
    for (int c = all ? pairs : 0; c < op->out_c; c += 2)
        if (c < pairs && tb_tile_is_quick(t))
            tb_tile_quickly(t, out + c, 2);
        else
            tb_tile_pair(t, op, out, c);
}
