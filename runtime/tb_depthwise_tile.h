/* tb_depthwise_tile.h - the sums of four outputs of a row, from words of two inputs.
 *
 * A plane is a row of words, and four neighbouring outputs begin at four
 * neighbouring words: each word is loaded once, and serves all sums it belongs to.
 * As assembly, since four sums, five weights and two words just fit into the
 * registers, and compilers spill; as C for cores without DSP. Weights are walked:
 * the pointer moves on. Private to the depthwise kernels. */
#ifndef TB_DEPTHWISE_TILE_H
#define TB_DEPTHWISE_TILE_H

#include "scratch.h"
#include "simd.h"

#ifdef __GNUC__
#define TB_APART __attribute__((noinline))
#else
#define TB_APART
#endif

/* Words of a plane lie in records: two of each of four channels, one after the other. */
enum { TB_TILE = 4, TB_LANES = 4, TB_RECORD = TB_RECORD_BYTES / 4 };

/* Without optimisation a compiler wants some registers for itself. */
#if TB_DSP && defined(__OPTIMIZE__) && !defined(TB_FEW_REGISTERS)
#define TB_TILE_ASM 1
#else
#define TB_TILE_ASM 0
#endif

/* Word i of lane 0 in a plane; the next lane is two words further. */
TB_INLINE TbPair *tb_word_at(TbPair *plane, int i)
{
    return plane + (i >> 1) * TB_RECORD + (i & 1);
}

#if TB_TILE_ASM
/* sum s = sum from + word x * weight */
#define TB_MAC(op, s, from, x, weight)                                                            \
    op " %[s" #s "], %[x" #x "], " #weight ", %[s" #from "]\n"
#define TB_ADD(s, x, weight) TB_MAC("smlad", s, s, x, weight)
#define TB_WORDS "ldrd %[x0], %[x1], [%[x]], #32\n"
#define TB_LAST_WORDS(step) "ldrd %[x0], %[x1], [%[x]], #" #step "\n"
#define TB_WEIGHTS(registers) "ldmia %[w]!, {" registers "}\n"
#define TB_WEIGHT(register) "ldr " register ", [%[w]], #4\n"

/* Columns: the first three, where sums p, q and r go on; a whole one; the last three. */
#define TB_BEGIN(p, q, r, a, b, c)                                                                \
    TB_WORDS TB_MAC("smlad", 0, p, 0, a) TB_ADD(0, 1, b) TB_MAC("smlad", 1, q, 1, a)              \
    TB_WORDS TB_ADD(0, 0, c) TB_ADD(1, 0, b) TB_MAC("smlad", 2, r, 0, a)
#define TB_COLUMN(x, a, b, c, d) TB_ADD(0, x, a) TB_ADD(1, x, b) TB_ADD(2, x, c) TB_ADD(3, x, d)
#define TB_END_ODD(step, a, b, c)                                                                 \
    TB_ADD(1, 1, a) TB_ADD(2, 1, b) TB_ADD(3, 1, c)                                               \
    TB_LAST_WORDS(step) TB_ADD(2, 0, a) TB_ADD(3, 0, b) TB_ADD(3, 1, a)
#define TB_END_EVEN(step, a, b, c)                                                                \
    TB_WORDS TB_ADD(1, 0, a) TB_ADD(2, 0, b) TB_ADD(3, 0, c) TB_ADD(2, 1, a) TB_ADD(3, 1, b)      \
    TB_LAST_WORDS(step) TB_ADD(3, 0, a)

#define TB_TAPS_1                                                                                 \
    TB_WEIGHT("r0") TB_WORDS TB_ADD(0, 0, r0) TB_ADD(1, 1, r0)                                   \
    TB_WORDS TB_ADD(2, 0, r0) TB_ADD(3, 1, r0)
#define TB_TAPS_2(p, q, r)                                                                        \
    TB_WEIGHTS("r0, r1")                                                                          \
    TB_WORDS TB_MAC("smlad", 0, p, 0, r0) TB_ADD(0, 1, r1) TB_MAC("smlad", 1, q, 1, r0)           \
    TB_WORDS TB_ADD(1, 0, r1) TB_MAC("smlad", 2, r, 0, r0) TB_ADD(2, 1, r1) TB_ADD(3, 1, r0)      \
    TB_LAST_WORDS(0) TB_ADD(3, 0, r1)
#define TB_TAPS_3(p, q, r)                                                                        \
    TB_WEIGHTS("r0, r1, r2") TB_BEGIN(p, q, r, r0, r1, r2) TB_END_ODD(0, r2, r1, r0)
#define TB_TAPS_4(p, q, r)                                                                        \
    TB_WEIGHTS("r0, r1, r2, r3") TB_BEGIN(p, q, r, r0, r1, r2) TB_COLUMN(1, r3, r2, r1, r0)       \
    TB_END_EVEN(-32, r3, r2, r1)
#define TB_TAPS_5(p, q, r)                                                                        \
    TB_WEIGHTS("r0, r1, r2, r3, r4") TB_BEGIN(p, q, r, r0, r1, r2) TB_COLUMN(1, r3, r2, r1, r0)   \
    TB_WORDS TB_COLUMN(0, r4, r3, r2, r1) TB_END_ODD(-32, r4, r3, r2)
#define TB_TAPS_7(p, q, r)                                                                        \
    TB_WEIGHTS("r0, r1, r2, r3") TB_BEGIN(p, q, r, r0, r1, r2) TB_COLUMN(1, r3, r2, r1, r0)       \
    TB_WEIGHTS("r0, r4") TB_WORDS TB_COLUMN(0, r0, r3, r2, r1) TB_COLUMN(1, r4, r0, r3, r2)       \
    TB_WEIGHT("r1") TB_WORDS TB_COLUMN(0, r1, r4, r0, r3) TB_END_ODD(-64, r1, r4, r0)

/* Weights on whole words, from the first half and from the second; a half each at the ends. */
#define TB_LAST(s, x, weight) TB_MAC("smlabt", s, s, x, weight)
#define TB_FIRST(s, x, weight) TB_MAC("smlatb", s, s, x, weight)
#define TB_ACROSS_3                                                                               \
    TB_WEIGHTS("r0, r1")                                                                          \
    TB_WORDS TB_ADD(0, 0, r0) TB_FIRST(1, 0, r0)                                                  \
    TB_LAST(0, 1, r1) TB_ADD(1, 1, r1) TB_ADD(2, 1, r0) TB_FIRST(3, 1, r0)                        \
    TB_LAST_WORDS(0) TB_LAST(2, 0, r1) TB_ADD(3, 0, r1)
#define TB_ACROSS_5                                                                               \
    TB_WEIGHTS("r0, r1, r2, r3")                                                                  \
    TB_WORDS TB_ADD(0, 0, r0) TB_FIRST(1, 0, r0)                                                  \
    TB_ADD(0, 1, r1) TB_ADD(1, 1, r2) TB_ADD(2, 1, r0) TB_FIRST(3, 1, r0)                         \
    TB_LAST_WORDS(0) TB_LAST(0, 0, r3) TB_ADD(1, 0, r3) TB_ADD(2, 0, r1) TB_ADD(3, 0, r2)         \
    TB_LAST(2, 1, r3) TB_ADD(3, 1, r3)
#define TB_ACROSS_7                                                                               \
    TB_WEIGHTS("r0, r1, r2, r3, r4")                                                              \
    TB_WORDS TB_ADD(0, 0, r0) TB_FIRST(1, 0, r0)                                                  \
    TB_ADD(0, 1, r1) TB_ADD(1, 1, r3) TB_ADD(2, 1, r0) TB_FIRST(3, 1, r0) TB_WEIGHT("r0")        \
    TB_WORDS TB_ADD(0, 0, r2) TB_ADD(1, 0, r4) TB_ADD(2, 0, r1) TB_ADD(3, 0, r3)                  \
    TB_LAST(0, 1, r0) TB_ADD(1, 1, r0) TB_ADD(2, 1, r2) TB_ADD(3, 1, r4)                          \
    TB_LAST_WORDS(-32) TB_LAST(2, 0, r0) TB_ADD(3, 0, r0)

/* Sums that go on where they are, or that begin with what w points at, which sum 3 holds until its
 * turn comes. Afterwards x is at the next tile. */
#define TB_TILE_ON(text, ...)                                                                     \
    __asm__ volatile(text : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3),           \
                     [x] "+r"(x), [w] "+r"(w), [x0] "=&r"(x0), [x1] "=&r"(x1)                     \
                     : : __VA_ARGS__, "memory")
#define TB_TILE_NEW(text, ...)                                                                    \
    __asm__ volatile("ldr %[s3], [%[w]], #4\n" text                                               \
                     : [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3),            \
                     [x] "+r"(x), [w] "+r"(w), [x0] "=&r"(x0), [x1] "=&r"(x1)                     \
                     : : __VA_ARGS__, "memory")
#endif

/* Four sums, and what is walked. */
typedef struct {
    int32_t s[TB_TILE];
    const TbPair *w;
} TbTile;

#if TB_TILE_ASM
#define TB_TILE_IN                                                                                \
    int32_t s0 = tile->s[0], s1 = tile->s[1], s2 = tile->s[2], s3 = tile->s[3];                   \
    const TbPair *w = tile->w;                                                                    \
    TbPair x0, x1
#define TB_TILE_OUT                                                                               \
    tile->s[0] = s0, tile->s[1] = s1, tile->s[2] = s2, tile->s[3] = s3;                           \
    tile->w = w
#else
static inline void tb_tile_sums(TbTile *tile, const TbPair *x, int taps)
{
    for (int o = 0; o < TB_TILE; o++)
        for (int t = 0; t < taps; t++)
            tile->s[o] = tb_mac_pairs(x[(o + t) / 2 * TB_RECORD + (o + t) % 2], tile->w[t],
                                      tile->s[o]);
    tile->w += taps;
}
#endif

/* Adds the taps of a plane: 1 to 4, 5 or 7, a constant. x: the words of the first output; returns
 * those of the next tile. */
TB_INLINE const TbPair *tb_tile_add(TbTile *tile, const TbPair *x, int taps)
{
#if TB_TILE_ASM
    TB_TILE_IN;
    if (taps == 1)
        TB_TILE_ON(TB_TAPS_1, "r0");
    else if (taps == 2)
        TB_TILE_ON(TB_TAPS_2(0, 1, 2), "r0", "r1");
    else if (taps == 3)
        TB_TILE_ON(TB_TAPS_3(0, 1, 2), "r0", "r1", "r2");
    else if (taps == 4)
        TB_TILE_ON(TB_TAPS_4(0, 1, 2), "r0", "r1", "r2", "r3");
    else if (taps == 5)
        TB_TILE_ON(TB_TAPS_5(0, 1, 2), "r0", "r1", "r2", "r3", "r4");
    else
        TB_TILE_ON(TB_TAPS_7(0, 1, 2), "r0", "r1", "r2", "r3", "r4");
    TB_TILE_OUT;
    return x;
#else
    tb_tile_sums(tile, x, taps);
    return x + 2 * TB_RECORD;
#endif
}

/* The same for the first plane, 2 to 5 or 7 taps: the bias is before its weights. */
TB_INLINE const TbPair *tb_tile_begin(TbTile *tile, const TbPair *x, int taps)
{
#if TB_TILE_ASM
    const TbPair *w = tile->w;
    int32_t s0, s1, s2, s3;
    TbPair x0, x1;
    if (taps == 2)
        TB_TILE_NEW(TB_TAPS_2(3, 3, 3), "r0", "r1");
    else if (taps == 3)
        TB_TILE_NEW(TB_TAPS_3(3, 3, 3), "r0", "r1", "r2");
    else if (taps == 4)
        TB_TILE_NEW(TB_TAPS_4(3, 3, 3), "r0", "r1", "r2", "r3");
    else if (taps == 5)
        TB_TILE_NEW(TB_TAPS_5(3, 3, 3), "r0", "r1", "r2", "r3", "r4");
    else
        TB_TILE_NEW(TB_TAPS_7(3, 3, 3), "r0", "r1", "r2", "r3", "r4");
    TB_TILE_OUT;
    return x;
#else
    for (int o = 0; o < TB_TILE; o++)
        tile->s[o] = (int32_t)tile->w[0];
    tile->w++;
    tb_tile_sums(tile, x, taps);
    return x + 2 * TB_RECORD;
#endif
}

/* Adds the last row of a square of k columns, 3, 5 or 7: its words are two columns each, so that
 * two outputs begin in a word. Even outputs take k / 2 pairs of weights and the second half of the
 * very last one; odd ones the first half of the first, and then the other k / 2. */
TB_INLINE const TbPair *tb_tile_across(TbTile *tile, const TbPair *x, int k)
{
#if TB_TILE_ASM
    TB_TILE_IN;
    if (k == 3)
        TB_TILE_ON(TB_ACROSS_3, "r0", "r1");
    else if (k == 5)
        TB_TILE_ON(TB_ACROSS_5, "r0", "r1", "r2", "r3");
    else
        TB_TILE_ON(TB_ACROSS_7, "r0", "r1", "r2", "r3", "r4");
    TB_TILE_OUT;
#else
    const int half = k / 2;
    const TbPair *w = tile->w;
    for (int o = 0; o < TB_TILE; o++) {
        const int first = o / 2, last = first + half;
        int32_t sum = tile->s[o];
        if (o % 2)
            sum = tb_mac_high_low(x[first / 2 * TB_RECORD + first % 2], w[0], sum);
        else
            sum = tb_mac_low_high(x[last / 2 * TB_RECORD + last % 2], w[k - 2], sum);
        for (int t = 0; t < half; t++) {
            const int i = first + t + o % 2;
            sum = tb_mac_pairs(x[i / 2 * TB_RECORD + i % 2], w[t + o % 2 * half], sum);
        }
        tile->s[o] = sum;
    }
    tile->w += k - 1;
    x += TB_RECORD;
#endif
    return x;
}

/* What makes outputs of doubled sums, as it stands behind the weights: to the bit what
 * tb_quick_output() makes of single ones. The sign is the sum's, not the product's; where these
 * differ the product is 0, and half a step less one rounds to 0 as well. */
typedef struct {
    int32_t multiplier, round, shift, out_c;
} TbPut;

TB_INLINE int8_t tb_put_one(int32_t sum, const TbPut *p)
{
    const int32_t a = tb_high_mac(sum, p->multiplier, p->round) + (sum >> 31);
    return (int8_t)tb_saturate8(a >> p->shift);
}

#if TB_TILE_ASM
#define TB_OUTPUT(s)                                                                              \
    "smmlar r4, %[s" #s "], r0, r1\n"                                                             \
    "add r4, r4, %[s" #s "], asr #31\n"                                                           \
    "asr r4, r4, r2\n"                                                                            \
    "ssat r4, #8, r4\n"
#endif

/* Four outputs by the TbPut behind the weights; returns where the next one goes. */
TB_INLINE int8_t *tb_tile_put(const TbTile *tile, int8_t *out)
{
    const TbPut *p = (const TbPut *)tile->w;
#if TB_TILE_ASM
    __asm__ volatile("ldmia %[p], {r0, r1, r2, r3}\n"
                     TB_OUTPUT(0) "strb r4, [%[out]]\n"
                     TB_OUTPUT(1) "strb r4, [%[out], r3]\n"
                     "add %[out], %[out], r3, lsl #1\n"
                     TB_OUTPUT(2) "strb r4, [%[out]]\n"
                     TB_OUTPUT(3) "strb r4, [%[out], r3]\n"
                     "add %[out], %[out], r3, lsl #1\n"
                     : [out] "+r"(out)
                     : [s0] "r"(tile->s[0]), [s1] "r"(tile->s[1]), [s2] "r"(tile->s[2]),
                       [s3] "r"(tile->s[3]), [p] "r"(p)
                     : "r0", "r1", "r2", "r3", "r4", "cc", "memory");
#else
    for (int o = 0; o < TB_TILE; o++, out += p->out_c)
        *out = tb_put_one(tile->s[o], p);
#endif
    return out;
}

/* n outputs of a channel into the activation's range. */
TB_INLINE void tb_tile_clamp(const TbOp *op, int8_t *out, int n)
{
    for (; n > 0; n--, out += op->out_c)
        *out = tb_clamp(*out, op->act_min, op->act_max);
}

#endif
