/* simd_mve.h - sixteen multiply-accumulates an instruction: the vectors of a Cortex-M55.
 *
 * The one file that knows MVE (Helium). The kernels that read rows and weights
 * as they lie (tb_window.h, tb_depthwise.c, tb_block.c, tb_add.c, the pools)
 * have a body of these where TB_MVE is 1, and need no scratch for it. Loops are
 * assembly, for gcc 12 makes neither low-overhead loops with a tail nor use of
 * all eight vectors; around them are intrinsics. Nothing reads beyond a row or
 * the weights, not even a byte.
 *
 * The input's zero point. Products are of whole bytes, x and not x - zero, and
 * the sums begin with the bias and what that is too much: zero times the sum of
 * the weights, found once a row by a run over a pixel that is known. What
 * lies outside the image is the zero point then. Private to the runtime. */
#ifndef SIMD_MVE_H
#define SIMD_MVE_H

#include "tb_inner.h"

#if defined(__GNUC__) && defined(__ARM_FEATURE_MVE)
#define TB_MVE 1
#else
#define TB_MVE 0
#endif

#if TB_MVE
#include <arm_mve.h>

/* ---- outputs from sums --------------------------------------------------------------------- */

/* tb_scale() of four sums. right_only: no shift is to the left or none at all. */
TB_INLINE int32x4_t tb_scale_four(int32x4_t sum, int32x4_t multiplier, int32x4_t shift,
                                  int right_only)
{
    const int32x4_t none = vdupq_n_s32(0);
    int32x4_t right = shift, x, halves; /* -1 where halves go down: away from zero */
    if (right_only) {
        x = vqrdmulhq_s32(sum, multiplier);
        halves = vshrq_n_s32(x, 31);
    } else {
        right = vminq_s32(shift, none);
        x = vqrdmulhq_s32(vshlq_s32(sum, vmaxq_s32(shift, none)), multiplier);
        halves = vshrq_n_s32(vandq_s32(x, right), 31);
    }
    return vrshlq_s32(vaddq_s32(x, halves), right);
}

TB_INLINE int tb_right_only(int32x4_t shift)
{
    return vmaxvq_s32(INT32_MIN, shift) < 0;
}

/* What turns the sums of four channels into outputs; the first n, when there are fewer. */
typedef struct {
    int32x4_t multiplier, shift, low, high;
    int32_t zero;
    mve_pred16_t there;
    int plain; /* all four are there, and shifted to the right */
} TbFour;

TB_INLINE TbFour tb_four(const TbOp *op, int channel, int n)
{
    const TbRequant r = tb_requant(op);
    const mve_pred16_t there = vctp32q((uint32_t)n);
    TbFour f = {vldrwq_z_s32(r.multiplier + channel, there),
                vldrbq_z_s32(r.shift + channel, there), vdupq_n_s32(r.low), vdupq_n_s32(r.high),
                r.zero, there, 0};
    f.plain = tb_right_only(f.shift); /* what is not there counts as 0 */
    return f;
}

TB_INLINE int32x4_t tb_four_limit(const TbFour *f, int32x4_t y)
{
    return vaddq_n_s32(vminq_s32(vmaxq_s32(y, f->low), f->high), f->zero);
}

TB_INLINE void tb_four_out(const TbFour *f, int32x4_t sum, int8_t *out)
{
    if (f->plain) {
        const int32x4_t y = tb_scale_four(sum, f->multiplier, f->shift, 1);
        vstrbq_s32(out, tb_four_limit(f, y));
    } else {
        const int32x4_t y = tb_scale_four(sum, f->multiplier, f->shift, 0);
        vstrbq_p_s32(out, tb_four_limit(f, y), f->there);
    }
}

/* ---- dot products: one run of inputs, four of weights ------------------------------------------ */

typedef struct {
    int32_t a, b, c, d;
} TbDots;

TB_INLINE int32x4_t tb_dots(TbDots s)
{
    int32x4_t v;
    __asm__("vmov %q0[2], %q0[0], %1, %3\n"
            "vmov %q0[3], %q0[1], %2, %4"
            : "=&w"(v)
            : "r"(s.a), "r"(s.b), "r"(s.c), "r"(s.d));
    return v;
}

/* Sums are in even registers, and a load that widens wants a low one for its pointer. */
#define TB_DOT_REGISTERS(pointer)                                                                  \
    [a] "+Te"(s->a), [b] "+Te"(s->b), [c] "+Te"(s->c), [d] "+Te"(s->d), [x] pointer(x),            \
        [wa] pointer(wa), [wb] pointer(wb), [wc] pointer(wc), [wd] pointer(wd), [vx] "=&w"(vx),    \
        [v] "=&w"(v), [u] "=&w"(u)

/* Adds n products each, n > 0, as many times sixteen as it takes and then a part of that. */
TB_INLINE void tb_dot_four(TbDots *s, const int8_t *x, const int8_t *const w[4], int n)
{
    const int8_t *wa = w[0], *wb = w[1], *wc = w[2], *wd = w[3];
    int8x16_t vx, v, u;
    __asm__ volatile("   dlstp.8 lr, %[n]\n"
                     "1: vldrb.u8 %q[vx], [%[x]], #16\n"
                     "   vldrb.u8 %q[v], [%[wa]], #16\n"
                     "   vmladava.s8 %[a], %q[vx], %q[v]\n"
                     "   vldrb.u8 %q[u], [%[wb]], #16\n"
                     "   vmladava.s8 %[b], %q[vx], %q[u]\n"
                     "   vldrb.u8 %q[v], [%[wc]], #16\n"
                     "   vmladava.s8 %[c], %q[vx], %q[v]\n"
                     "   vldrb.u8 %q[u], [%[wd]], #16\n"
                     "   vmladava.s8 %[d], %q[vx], %q[u]\n"
                     "   letp lr, 1b\n"
                     : TB_DOT_REGISTERS("+r")
                     : [n] "r"(n)
                     : "lr", "memory");
}

/* The same of x - zero, in int16 and so at twice the price: for a window that comes once. */
TB_INLINE void tb_dot_four_less(TbDots *s, const int8_t *x, const int8_t *const w[4], int n,
                                int8_t zero)
{
    const int16x8_t zeros = vdupq_n_s16(zero);
    const int8_t *wa = w[0], *wb = w[1], *wc = w[2], *wd = w[3];
    int16x8_t vx, v, u;
    __asm__ volatile("   dlstp.16 lr, %[n]\n"
                     "1: vldrb.s16 %q[vx], [%[x]], #8\n"
                     "   vsub.i16 %q[vx], %q[vx], %q[zeros]\n"
                     "   vldrb.s16 %q[v], [%[wa]], #8\n"
                     "   vmladava.s16 %[a], %q[vx], %q[v]\n"
                     "   vldrb.s16 %q[u], [%[wb]], #8\n"
                     "   vmladava.s16 %[b], %q[vx], %q[u]\n"
                     "   vldrb.s16 %q[v], [%[wc]], #8\n"
                     "   vmladava.s16 %[c], %q[vx], %q[v]\n"
                     "   vldrb.s16 %q[u], [%[wd]], #8\n"
                     "   vmladava.s16 %[d], %q[vx], %q[u]\n"
                     "   letp lr, 1b\n"
                     : TB_DOT_REGISTERS("+l")
                     : [n] "r"(n), [zeros] "w"(zeros)
                     : "lr", "memory");
}

#endif
#endif
