/* tb_inner.h - what the kernels share: fixed-point arithmetic and clipping.
 *
 * Private to the runtime. Every body here is inlined into its kernel, so a
 * kernel that is not used costs no flash. */
#ifndef TB_INNER_H
#define TB_INNER_H

#include "tb.h"

#include <stddef.h>

/* With an FPU gcc cannot allocate the registers of our assembly, unless it is told to leave the
 * FPU's alone; from gcc 11 on it can be told. There is no float in here. */
#if defined(__arm__) && defined(__ARM_FP) && defined(__GNUC__) && !defined(__clang__)
#if defined(__ARM_FEATURE_MVE) /* whose vectors are there (simd_mve.h) */
#define TB_FEW_REGISTERS 1
#elif __GNUC__ >= 11
#pragma GCC target("general-regs-only")
#else
#define TB_FEW_REGISTERS 1
#endif
#endif

#ifdef __GNUC__
#define TB_INLINE static inline __attribute__((always_inline))
#else
#define TB_INLINE static inline
#endif

/* Does the compiler have vectors of a dozen lanes? Only block sizes depend on it. */
#if defined(__SSE2__) || defined(__ARM_NEON) || defined(__ARM_FEATURE_MVE)
enum { TB_VECTORS = 1 };
#else
enum { TB_VECTORS = 0 };
#endif

/* Unrolls the loop behind it: a block's accumulators become registers, and a
 * short body is not half overhead. */
#if defined(__GNUC__) && !defined(__clang__)
#define TB_UNROLL _Pragma("GCC unroll 4")
#else
#define TB_UNROLL
#endif

/* round(a * b / 2^31), halves up: gemmlowp's SaturatingRoundingDoublingHighMul,
 * whose nudge of 2^30 or 1 - 2^30 before a truncating division comes to the
 * same. Multipliers are not negative, so nothing saturates. */
TB_INLINE int32_t tb_high_mul(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* round(x / 2^n) for n >= 1, halves away from zero. Halving last keeps the sum
 * inside 32 bits. x > INT32_MIN, as tb_high_mul() returns it. */
TB_INLINE int32_t tb_round_shift(int32_t x, int n)
{
    return (((x + (x >> 31)) >> (n - 1)) + 1) >> 1;
}

/* x * multiplier * 2^(shift - 31): TFLite's MultiplyByQuantizedMultiplier. */
TB_INLINE int32_t tb_scale(int32_t x, int32_t multiplier, int shift)
{
    if (shift < 0)
        return tb_round_shift(tb_high_mul(x, multiplier), -shift);
    return tb_high_mul((int32_t)((uint32_t)x << shift), multiplier);
}

TB_INLINE int32_t tb_limit(int32_t x, int32_t low, int32_t high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

TB_INLINE int8_t tb_clamp(int32_t x, int32_t low, int32_t high)
{
    return (int8_t)tb_limit(x, low, high);
}

/* The mean of `count` values, halves away from zero. */
TB_INLINE int8_t tb_mean(const TbOp *op, int32_t sum, int32_t count)
{
    const int32_t half = sum < 0 ? -(count >> 1) : count >> 1;
    return tb_clamp((sum + half) / count, op->act_min, op->act_max);
}

/* What turns the sums of a layer into its output. Clamped first, moved to the
 * zero point then: no multiplier, however large, leaves 32 bits. */
typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int32_t zero, low, high; /* low, high: of what is then moved by zero */
} TbRequant;

TB_INLINE TbRequant tb_requant(const TbOp *op)
{
    const int32_t zero = op->out_zero;
    TbRequant r = {op->bias, op->multiplier, op->shift, zero, op->act_min - zero,
                   op->act_max - zero};
    return r;
}

TB_INLINE int8_t tb_moved(const TbRequant *r, int32_t scaled)
{
    return (int8_t)(tb_limit(scaled, r->low, r->high) + r->zero);
}

TB_INLINE int8_t tb_output(const TbRequant *r, int32_t sum, int channel)
{
    return tb_moved(r, tb_scale(sum, r->multiplier[channel], r->shift[channel]));
}

#ifdef __GNUC__
typedef uint32_t __attribute__((may_alias)) TbWord; /* four bytes of anything */
#else
typedef uint32_t TbWord;
#endif

/* n bytes to another place, which may overlap; by words where both are aligned. */
TB_INLINE void tb_move(int8_t *to, const int8_t *from, uint32_t n)
{
    const int aligned = (((uintptr_t)to | (uintptr_t)from) & 3) == 0;
    const uint32_t words = aligned ? n / 4 : 0;
    TbWord *t = (TbWord *)to;
    const TbWord *f = (const TbWord *)from;
    if (to < from) {
        for (uint32_t i = 0; i < words; i++)
            t[i] = f[i];
        for (uint32_t i = words * 4; i < n; i++)
            to[i] = from[i];
    } else {
        for (uint32_t i = n; i-- > words * 4;)
            to[i] = from[i];
        for (uint32_t i = words; i-- > 0;)
            t[i] = f[i];
    }
}

/* Taps [from, to) of a window of `kernel` columns at x that are inside a row of
 * `width` pixels; from == to when none is. */
typedef struct {
    int from, to;
} TbTaps;

TB_INLINE TbTaps tb_taps(int x, int kernel, int width)
{
    TbTaps t = {x < 0 ? -x : 0, width - x < kernel ? width - x : kernel};
    if (t.to <= t.from)
        t.from = t.to = 0;
    return t;
}

#endif
