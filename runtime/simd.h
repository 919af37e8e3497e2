/* simd.h - two multiply-accumulates an instruction, where the core has them.
 *
 * The one file that knows the DSP extension of ARMv7E-M and ARMv8-M (Cortex-M4,
 * M7, M33): a word holds two int16, a `pair`. Without it the same functions are
 * plain C with the same results, so that a kernel written with them gives the
 * same bytes on every core. (MVE, on the Cortex-M55, has simd_mve.h.)
 *
 * Inline assembly rather than arm_acle.h: compilers before gcc 10 lack its DSP
 * intrinsics. Private to the runtime. */
#ifndef SIMD_H
#define SIMD_H

#include "tb_inner.h"

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define TB_DSP 1
#else
#define TB_DSP 0
#endif

typedef uint32_t TbPair; /* two int16: the first in the low half */

#ifdef __GNUC__
typedef struct __attribute__((packed, may_alias)) {
    uint32_t word;
} TbUnaligned;
#endif

/* Four bytes from any address; little-endian, as every core we know of is. */
TB_INLINE uint32_t tb_word(const void *from)
{
#ifdef __GNUC__
    return ((const TbUnaligned *)from)->word;
#else
    const uint8_t *b = (const uint8_t *)from;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
#endif
}

TB_INLINE void tb_put_word(void *to, uint32_t w)
{
#ifdef __GNUC__
    ((TbUnaligned *)to)->word = w;
#else
    uint8_t *b = (uint8_t *)to;
    b[0] = (uint8_t)w, b[1] = (uint8_t)(w >> 8), b[2] = (uint8_t)(w >> 16), b[3] = (uint8_t)(w >> 24);
#endif
}

/* Four times the same byte. */
TB_INLINE uint32_t tb_four_bytes(int8_t b)
{
    return (uint32_t)(uint8_t)b * 0x01010101u;
}

TB_INLINE int32_t tb_low(TbPair p)
{
    return (int16_t)(uint16_t)p;
}

TB_INLINE int32_t tb_high(TbPair p)
{
    return (int32_t)p >> 16;
}

TB_INLINE TbPair tb_pair(int32_t low, int32_t high)
{
    return (uint32_t)(uint16_t)low | (uint32_t)high << 16;
}

#if TB_DSP
#define TB_DSP_1(name, text, a)                                                                   \
    uint32_t name;                                                                                \
    __asm__(text : "=r"(name) : "r"(a))
#define TB_DSP_2(name, text, a, b)                                                                \
    uint32_t name;                                                                                \
    __asm__(text : "=r"(name) : "r"(a), "r"(b))
#define TB_DSP_3(name, text, a, b, c)                                                             \
    int32_t name;                                                                                 \
    __asm__(text : "=r"(name) : "r"(a), "r"(b), "r"(c))
#endif

/* Bytes 0 and 2 of a word, or 1 and 3, as a pair. */
TB_INLINE TbPair tb_even_bytes(uint32_t w)
{
#if TB_DSP
    TB_DSP_1(p, "sxtb16 %0, %1", w);
    return p;
#else
    return tb_pair((int8_t)(uint8_t)w, (int8_t)(uint8_t)(w >> 16));
#endif
}

TB_INLINE TbPair tb_odd_bytes(uint32_t w)
{
#if TB_DSP
    TB_DSP_1(p, "sxtb16 %0, %1, ror #8", w);
    return p;
#else
    return tb_pair((int8_t)(uint8_t)(w >> 8), (int8_t)(uint8_t)(w >> 24));
#endif
}

/* Bytes 0 and 2, or 1 and 3, added to a pair. */
TB_INLINE TbPair tb_add_even_bytes(TbPair to, uint32_t w)
{
#if TB_DSP
    TB_DSP_2(p, "sxtab16 %0, %1, %2", to, w);
    return p;
#else
    return tb_pair(tb_low(to) + tb_low(tb_even_bytes(w)), tb_high(to) + tb_high(tb_even_bytes(w)));
#endif
}

TB_INLINE TbPair tb_add_odd_bytes(TbPair to, uint32_t w)
{
#if TB_DSP
    TB_DSP_2(p, "sxtab16 %0, %1, %2, ror #8", to, w);
    return p;
#else
    return tb_add_even_bytes(to, w >> 8);
#endif
}

/* Of each byte, signed, the larger one, or the smaller one. */
TB_INLINE uint32_t tb_max_bytes(uint32_t a, uint32_t b)
{
#if TB_DSP
    uint32_t m;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(m) : "r"(a), "r"(b));
    return m;
#else
    uint32_t m = 0;
    for (int i = 0; i < 32; i += 8) {
        const int8_t x = (int8_t)(uint8_t)(a >> i), y = (int8_t)(uint8_t)(b >> i);
        m |= (uint32_t)(uint8_t)(x > y ? x : y) << i;
    }
    return m;
#endif
}

TB_INLINE uint32_t tb_min_bytes(uint32_t a, uint32_t b)
{
    return ~tb_max_bytes(~a, ~b);
}

/* The halves of a less those of b, modulo 2^16. */
TB_INLINE TbPair tb_less_pairs(TbPair a, TbPair b)
{
#if TB_DSP
    TB_DSP_2(p, "ssub16 %0, %1, %2", a, b);
    return p;
#else
    return tb_pair(tb_low(a) - tb_low(b), tb_high(a) - tb_high(b));
#endif
}

/* The low halves of two pairs as one, or the high ones. */
TB_INLINE TbPair tb_pair_lows(TbPair first, TbPair second)
{
#if TB_DSP
    TB_DSP_2(p, "pkhbt %0, %1, %2, lsl #16", first, second);
    return p;
#else
    return (first & 0xffffu) | second << 16;
#endif
}

TB_INLINE TbPair tb_pair_highs(TbPair first, TbPair second)
{
#if TB_DSP
    TB_DSP_2(p, "pkhtb %0, %2, %1, asr #16", first, second);
    return p;
#else
    return first >> 16 | (second & 0xffff0000u);
#endif
}

/* The low half of one, and the high half of the other. */
TB_INLINE TbPair tb_pair_low_high(TbPair low, TbPair high)
{
#if TB_DSP
    TB_DSP_2(p, "pkhbt %0, %1, %2", low, high);
    return p;
#else
    return (low & 0xffffu) | (high & 0xffff0000u);
#endif
}

/* sum + x.low * w.low + x.high * w.high */
TB_INLINE int32_t tb_mac_pairs(TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    TB_DSP_3(s, "smlad %0, %1, %2, %3", x, w, sum);
    return s;
#else
    return sum + tb_low(x) * tb_low(w) + tb_high(x) * tb_high(w);
#endif
}

/* sum + four inputs, as pairs of the even and the odd ones, times a word of weights */
TB_INLINE int32_t tb_mac_bytes(TbPair even, TbPair odd, uint32_t w, int32_t sum)
{
    return tb_mac_pairs(odd, tb_odd_bytes(w), tb_mac_pairs(even, tb_even_bytes(w), sum));
}

/* sum + one half of x times one half of w: low or high of x, then of w. */
TB_INLINE int32_t tb_mac_low_low(TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    TB_DSP_3(s, "smlabb %0, %1, %2, %3", x, w, sum);
    return s;
#else
    return sum + tb_low(x) * tb_low(w);
#endif
}

TB_INLINE int32_t tb_mac_low_high(TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    TB_DSP_3(s, "smlabt %0, %1, %2, %3", x, w, sum);
    return s;
#else
    return sum + tb_low(x) * tb_high(w);
#endif
}

TB_INLINE int32_t tb_mac_high_low(TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    TB_DSP_3(s, "smlatb %0, %1, %2, %3", x, w, sum);
    return s;
#else
    return sum + tb_high(x) * tb_low(w);
#endif
}

TB_INLINE int32_t tb_mac_high_high(TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    TB_DSP_3(s, "smlatt %0, %1, %2, %3", x, w, sum);
    return s;
#else
    return sum + tb_high(x) * tb_high(w);
#endif
}

typedef struct {
    int32_t a, b, c, d; /* of four output channels */
} TbSums;

#if TB_DSP && defined(__OPTIMIZE__) && !defined(__clang__) && !defined(TB_FEW_REGISTERS)
#define TB_MAC_WORDS_IN_ASSEMBLY 1
/* Four inputs' pairs times a word of each channel's weights: 23 instructions for 16 products. */
#define TB_MAC_WORD                                                                                \
    "ldr    %[even], [%[x]], #4\n"                                                                 \
    "sxtab16 %[odd], %[less], %[even], ror #8\n"                                                   \
    "sxtab16 %[even], %[less], %[even]\n" TB_MAC_CHANNEL("[%[w], %[step]]", "b")                   \
        TB_MAC_CHANNEL("[%[w]], #4", "a") TB_MAC_CHANNEL("[%[w3], %[step]]", "d")                  \
            TB_MAC_CHANNEL("[%[w3]], #4", "c")
#define TB_MAC_CHANNEL(address, sum)                                                               \
    "ldr    %[t], " address "\n"                                                                   \
    "sxtb16 %[u], %[t], ror #8\n"                                                                  \
    "sxtb16 %[t], %[t]\n"                                                                          \
    "smlad  %[" sum "], %[t], %[even], %[" sum "]\n"                                               \
    "smlad  %[" sum "], %[u], %[odd], %[" sum "]\n"
#endif

/* Adds the products of n inputs, n > 0 a multiple of 4, plus `less` with four channels' weights:
 * at w, w + step, w3, w3 + step. In assembly, for gcc's own code spills; an odd word enters in the
 * middle. It takes 13 registers, which clang, or gcc without optimisation, does not have. */
TB_INLINE void tb_mac_words(TbSums *s, const int8_t *x, int n, TbPair less, const int8_t *w,
                            const int8_t *w3, ptrdiff_t step)
{
    const int8_t *const end = x + n;
#ifdef TB_MAC_WORDS_IN_ASSEMBLY
    TbPair even, odd, t, u;
    __asm__("ldr    %[t], %[end]\n"
            "sub    %[t], %[t], %[x]\n"
            "tst    %[t], #4\n"
            "bne    1f\n"
            "0:\n" TB_MAC_WORD "1:\n" TB_MAC_WORD "ldr    %[t], %[end]\n"
            "cmp    %[x], %[t]\n"
            "bne    0b\n"
            : [a] "+r"(s->a), [b] "+r"(s->b), [c] "+r"(s->c), [d] "+r"(s->d), [x] "+r"(x),
              [w] "+r"(w), [w3] "+r"(w3), [even] "=&r"(even), [odd] "=&r"(odd), [t] "=&r"(t),
              [u] "=&r"(u)
            : [less] "r"(less), [step] "r"(step), [end] "m"(end)
            : "cc", "memory");
#else
    for (; x < end; x += 4, w += 4, w3 += 4) {
        const TbPair even = tb_add_even_bytes(less, tb_word(x));
        const TbPair odd = tb_add_odd_bytes(less, tb_word(x));
        s->a = tb_mac_bytes(even, odd, tb_word(w), s->a);
        s->b = tb_mac_bytes(even, odd, tb_word(w + step), s->b);
        s->c = tb_mac_bytes(even, odd, tb_word(w3), s->c);
        s->d = tb_mac_bytes(even, odd, tb_word(w3 + step), s->d);
    }
#endif
}

/* sum + the high word of a * b, rounded, halves up */
TB_INLINE int32_t tb_high_mac(int32_t a, int32_t b, int32_t sum)
{
#if TB_DSP
    TB_DSP_3(s, "smmlar %0, %1, %2, %3", a, b, sum);
    return s;
#else
    return sum + (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
#endif
}

/* ---- the quick requantisation -------------------------------------------------------------- */

/* sum -> output in five instructions, to the bit what tb_output() gives:
 *
 *     a = (sum * 2m) >> 32, rounded      a saturating rounding doubling high multiply by m: 2m - 2^32
 *                                        fits an int32 when m >= 2^30, and sum is added (SMMLAR)
 *     a = a + (a >> 31)                  halves go away from zero
 *     a = (a + round) >> shift           round has the half and the zero point
 *     saturate to 8 bits
 *
 * when multiplier >= 2^30 and 1 <= shift right <= 22 and |sum| < 2^30 (tb_is_quick());
 * any other channel takes the general form. */
typedef struct {
    int32_t twice; /* 2 * multiplier - 2^32 */
    int32_t round; /* 2^(shift - 1) + zero * 2^shift */
    int32_t shift; /* to the right */
} TbQuick;

/* A layer of up to 2^14 taps adds less than 2^29 to its bias. */
enum { TB_QUICK_TAPS = 1 << 14 };

TB_INLINE int tb_is_quick(int32_t bias, int32_t multiplier, int shift)
{
    return multiplier >= 1 << 30 && shift <= -1 && shift >= -22 && bias < 1 << 29 &&
           bias > -(1 << 29);
}

TB_INLINE TbQuick tb_quick(int32_t multiplier, int shift, int32_t zero)
{
    const int right = -shift;
    TbQuick q = {(int32_t)((uint32_t)multiplier << 1),
                 (1 << (right - 1)) + (int32_t)((uint32_t)zero << right), right};
    return q;
}

TB_INLINE int32_t tb_saturate8(int32_t x)
{
#if TB_DSP
    int32_t s;
    __asm__("ssat %0, #8, %1" : "=r"(s) : "r"(x));
    return s;
#else
    return tb_limit(x, -128, 127);
#endif
}

/* An int8; clamp it when the layer's activation is narrower. */
TB_INLINE int32_t tb_quick_output(const TbQuick *q, int32_t sum)
{
#if TB_DSP
    TB_DSP_3(a, "smmlar %0, %1, %2, %3", sum, q->twice, sum);
#else
    const int32_t a =
        (int32_t)(((int64_t)sum * (((int64_t)1 << 32) + q->twice) + ((int64_t)1 << 31)) >> 32);
#endif
    return tb_saturate8((a + (a >> 31) + q->round) >> q->shift);
}

TB_INLINE void tb_quick_four(int8_t *out, const TbQuick *q, const int32_t *sum)
{
    TB_UNROLL
    for (int i = 0; i < 4; i++)
        out[i] = (int8_t)tb_quick_output(&q[i], sum[i]);
}

/* Have all n channels from `channel` on the quick form, and the whole range of int8? Then quick[n]. */
TB_INLINE int tb_quick_channels(TbQuick *quick, const TbOp *op, int taps, int channel, int n)
{
    int all = taps <= TB_QUICK_TAPS && op->act_min == -128 && op->act_max == 127;
    for (int i = 0; i < n && all; i++) {
        const int32_t multiplier = op->multiplier[channel + i];
        const int shift = op->shift[channel + i];
        all = tb_is_quick(op->bias[channel + i], multiplier, shift);
        quick[i] = all ? tb_quick(multiplier, shift, op->out_zero) : quick[i];
    }
    return all;
}

#endif
