/* simd_mve.h - sixteen multiply-accumulates an instruction: the vectors of a Cortex-M55.
 *
 * The one file that knows MVE (Helium). The kernels that read rows and weights
 * as they lie (tb_window.h, tb_depthwise.c, tb_add.c, sums of pools) have a body
 * of these where TB_MVE is 1, and need no scratch for it. Loops are assembly,
 * for gcc 12 makes neither low-overhead loops with a tail nor use of all eight
 * vectors; around them are intrinsics. clang 14 finds no registers for them and
 * takes the portable C. Nothing reads beyond a row or the weights, not a byte.
 *
 * The input's zero point. Products are of whole bytes, x and not x - zero, and
 * the sums begin with the bias and what that is too much: zero times the sum of
 * the weights, found once a row by a run over a pixel that is known. What
 * lies outside the image is the zero point then. Private to the runtime. */
#ifndef SIMD_MVE_H
#define SIMD_MVE_H

#include "tb_inner.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__ARM_FEATURE_MVE)
#define TB_MVE 1
#else
#define TB_MVE 0
#endif

#if TB_MVE
#include <arm_mve.h>

/* ---- outputs from sums --------------------------------------------------------------------- */

/* tb_scale() of four sums. right_only: all shifts are to the right, by 1 at least. */
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

/* The same with constants for all, and a shift that is not to the left. */
TB_INLINE int32x4_t tb_scale_same(int32x4_t x, int32_t multiplier, int32x4_t shift)
{
    x = vqrdmulhq_n_s32(x, multiplier);
    return vrshlq_s32(vaddq_s32(x, vshrq_n_s32(vandq_s32(x, shift), 31)), shift);
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
} TbLanes;

TB_INLINE TbLanes tb_lanes(const TbOp *op, int channel, int n)
{
    const TbRequant r = tb_requant(op);
    const mve_pred16_t there = vctp32q((uint32_t)n);
    TbLanes f = {vldrwq_z_s32(r.multiplier + channel, there),
                vldrbq_z_s32(r.shift + channel, there), vdupq_n_s32(r.low), vdupq_n_s32(r.high),
                r.zero, there, 0};
    f.plain = tb_right_only(f.shift); /* what is not there counts as 0 */
    return f;
}

TB_INLINE int32x4_t tb_lanes_limit(const TbLanes *f, int32x4_t y)
{
    return vaddq_n_s32(vminq_s32(vmaxq_s32(y, f->low), f->high), f->zero);
}

TB_INLINE void tb_lanes_out(const TbLanes *f, int32x4_t sum, int8_t *out)
{
    if (f->plain) {
        const int32x4_t y = tb_scale_four(sum, f->multiplier, f->shift, 1);
        vstrbq_s32(out, tb_lanes_limit(f, y));
    } else {
        const int32x4_t y = tb_scale_four(sum, f->multiplier, f->shift, 0);
        vstrbq_p_s32(out, tb_lanes_limit(f, y), f->there);
    }
}

/* Adds sixteen channels of `taps` pixels, `step` bytes apart, to their sums. */
TB_INLINE void tb_sum_sixteen(int32_t *sum, const int8_t *x, int step, int taps)
{
    int32x4_t a = vldrwq_s32(sum), b = vldrwq_s32(sum + 4);
    int32x4_t c = vldrwq_s32(sum + 8), d = vldrwq_s32(sum + 12);
    for (; taps > 0; taps--, x += step) {
        a = vaddq_s32(a, vldrbq_s32(x)), b = vaddq_s32(b, vldrbq_s32(x + 4));
        c = vaddq_s32(c, vldrbq_s32(x + 8)), d = vaddq_s32(d, vldrbq_s32(x + 12));
    }
    vstrwq_s32(sum, a), vstrwq_s32(sum + 4, b), vstrwq_s32(sum + 8, c), vstrwq_s32(sum + 12, d);
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
#define TB_DOT_REGISTERS(of_x, pointer)                                                            \
    [a] "+Te"(s->a), [b] "+Te"(s->b), [c] "+Te"(s->c), [d] "+Te"(s->d), [x] of_x(x),               \
        [wa] pointer(wa), [wb] pointer(wb), [wc] pointer(wc), [wd] pointer(wd), [vx] "=&w"(vx),    \
        [v] "=&w"(v), [u] "=&w"(u)

#define TB_DOT_SIXTEEN                                                                             \
    "   dlstp.8 lr, %[n]\n"                                                                        \
    "2: vldrb.u8 %q[vx], [%[x]], #16\n"                                                            \
    "   vldrb.u8 %q[v], [%[wa]], #16\n"                                                            \
    "   vmladava.s8 %[a], %q[vx], %q[v]\n"                                                         \
    "   vldrb.u8 %q[u], [%[wb]], #16\n"                                                            \
    "   vmladava.s8 %[b], %q[vx], %q[u]\n"                                                         \
    "   vldrb.u8 %q[v], [%[wc]], #16\n"                                                            \
    "   vmladava.s8 %[c], %q[vx], %q[v]\n"                                                         \
    "   vldrb.u8 %q[u], [%[wd]], #16\n"                                                            \
    "   vmladava.s8 %[d], %q[vx], %q[u]\n"                                                         \
    "   letp lr, 2b\n"

/* Adds n products each, n > 0: as many times sixteen as it takes, the last one a part of that. */
TB_INLINE void tb_dot_four(TbDots *s, const int8_t *x, const int8_t *const w[4], int n)
{
    const int8_t *wa = w[0], *wb = w[1], *wc = w[2], *wd = w[3];
    int8x16_t vx, v, u;
    __asm__ volatile(TB_DOT_SIXTEEN : TB_DOT_REGISTERS("+r", "+r") : [n] "r"(n) : "lr", "memory");
}

/* The same of `height` > 0 rows, in each from `at` on, with weights one behind the other. */
TB_INLINE void tb_dot_four_rows(TbDots *s, const int8_t *const *rows, int height, int at,
                                const int8_t *const w[4], int n)
{
    const int8_t *wa = w[0], *wb = w[1], *wc = w[2], *wd = w[3], *x;
    const int8_t *const *const end = rows + height;
    const int back = n - (n + 15) / 16 * 16; /* from behind the last sixteen to the next row */
    int8x16_t vx, v, u;
    __asm__ volatile("1: ldr %[x], [%[rows]], #4\n"
                     "   ldr lr, %[at]\n"
                     "   add %[x], %[x], lr\n" TB_DOT_SIXTEEN "   ldr lr, %[back]\n"
                     "   add %[wa], %[wa], lr\n"
                     "   add %[wb], %[wb], lr\n"
                     "   add %[wc], %[wc], lr\n"
                     "   add %[wd], %[wd], lr\n"
                     "   ldr lr, %[end]\n"
                     "   cmp %[rows], lr\n"
                     "   bne 1b\n"
                     : TB_DOT_REGISTERS("=&r", "+r"), [rows] "+r"(rows)
                     : [n] "r"(n), [at] "m"(at), [back] "m"(back), [end] "m"(end)
                     : "lr", "cc", "memory");
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
                     : TB_DOT_REGISTERS("+l", "+l")
                     : [n] "r"(n), [zeros] "w"(zeros)
                     : "lr", "memory");
}

/* ---- sixteen channels kept apart ------------------------------------------------------------- */

/* Sums of channels 0, 4, 8, 12; 2, 6, ...; 1, 5, ...; 3, 7, ...: products of bytes widen twice, each
 * time the even ones and the odd ones. */
typedef struct {
    int32x4_t a, b, c, d;
} TbApart;

/* Text of a load of pixels and weights; of fewer channels under a predicate. */
#define TB_LOAD(then, t, x, w)                                                                     \
    then "   vldrb" t ".u8 %q[v], [%[" x "]]\n"                                                    \
         "   vldrb" t ".u8 %q[u], [%[" w "]]\n"
/* Adds products of even and of odd channels, or sums of two, which fit in 16 bits. */
#define TB_WIDEN                                                                                   \
    "   vmovlb.s16 %q[v], %q[even]\n"                                                              \
    "   vmovlt.s16 %q[even], %q[even]\n"                                                           \
    "   vadd.i32 %q[a], %q[a], %q[v]\n"                                                            \
    "   vmovlb.s16 %q[v], %q[odd]\n"                                                               \
    "   vadd.i32 %q[b], %q[b], %q[even]\n"                                                         \
    "   vmovlt.s16 %q[odd], %q[odd]\n"                                                             \
    "   vadd.i32 %q[c], %q[c], %q[v]\n"                                                            \
    "   vadd.i32 %q[d], %q[d], %q[odd]\n"
#define TB_FIRST(then, t)                                                                          \
    TB_LOAD(then, t, "x", "w")                                                                     \
    "   add %[x], %[x], %[x_step]\n"                                                               \
    "   add %[w], %[w], %[w_step]\n"                                                               \
    "   vmullb.s8 %q[even], %q[v], %q[u]\n"                                                        \
    "   vmullt.s8 %q[odd], %q[v], %q[u]\n"
/* Two products of -128 * -128 would not fit in 16 bits: the second x is complemented and its product
 * subtracted. That fits, and is too much by the weight: so is the run over the zero point. */
#define TB_SECOND(then, again, t)                                                                  \
    TB_LOAD(then, t, "x2", "w2")                                                                   \
    "   vmvn %q[v], %q[v]\n"                                                                       \
    "   add %[x2], %[x2], %[x_step]\n"                                                             \
    "   vmullb.s8 %q[u], %q[v], %q[u]\n"                                                           \
    "   vsub.i16 %q[even], %q[even], %q[u]\n" again                                                \
    "   vldrb" t ".u8 %q[u], [%[w2]]\n"                                                            \
    "   add %[w2], %[w2], %[w_step]\n"                                                             \
    "   vmullt.s8 %q[v], %q[v], %q[u]\n"                                                           \
    "   vsub.i16 %q[odd], %q[odd], %q[v]\n"
#define TB_PART "   vctp.8 %[n]\n"
/* The next two rows, and where their weights are; lr is free between loops. */
#define TB_TWO_ROWS                                                                                \
    "   lsrs %[pairs], %[pairs], #1\n"                                                             \
    "   beq 3f\n"                                                                                  \
    "1: ldrd %[x], %[x2], [%[rows]]\n"                                                             \
    "   ldr lr, %[rows_step]\n"                                                                    \
    "   add %[rows], %[rows], lr\n"                                                                \
    "   ldr lr, %[row]\n"                                                                          \
    "   add %[w2], %[w], lr\n"                                                                     \
    "   ldr lr, %[taps]\n"                                                                         \
    "   add %[x], %[x], %[at]\n"                                                                   \
    "   add %[x2], %[x2], %[at]\n"                                                                 \
    "   dls lr, lr\n"                                                                              \
    "2:"
#define TB_NEXT_TWO                                                                                \
    TB_WIDEN                                                                                       \
    "   le lr, 2b\n"                                                                               \
    "   ldr lr, %[gap]\n"                                                                          \
    "   add %[w], %[w2], lr\n"                                                                     \
    "   subs %[pairs], %[pairs], #1\n"                                                             \
    "   bne 1b\n"
/* The last one, where their number is odd. */
#define TB_ONE_ROW                                                                                 \
    "3: ldr lr, %[height]\n"                                                                       \
    "   tst lr, #1\n"                                                                              \
    "   beq 5f\n"                                                                                  \
    "   ldr %[x], [%[rows]]\n"                                                                     \
    "   ldr lr, %[taps]\n"                                                                         \
    "   add %[x], %[x], %[at]\n"                                                                   \
    "   dls lr, lr\n"                                                                              \
    "4:"
#define TB_DONE                                                                                    \
    TB_WIDEN                                                                                       \
    "   le lr, 4b\n"                                                                               \
    "5:"

/* All rows of a window, or some of them, and their weights: what its parts have in common. */
typedef struct {
    int height, row; /* row: bytes of weights from one row to the next */
} TbWalk;

/* Some columns of them. */
typedef struct {
    const int8_t *const *rows; /* rows_step bytes from two to the next two */
    const int8_t *w;           /* gap bytes from behind a row's taps to the next row */
    int rows_step, gap;
    int x_step, taps;          /* from one tap to the next, and how many in a row */
    int at;                    /* of the first tap, in each row */
} TbPart;

#define TB_APART(text)                                                                             \
    __asm__ volatile(text                                                                          \
                     : [a] "+w"(s->a), [b] "+w"(s->b), [c] "+w"(s->c), [d] "+w"(s->d),             \
                       [v] "=&w"(v), [u] "=&w"(u), [even] "=&w"(even), [odd] "=&w"(odd),           \
                       [x] "=&r"(x), [x2] "=&r"(x2), [w] "+r"(w), [w2] "=&r"(w2),                  \
                       [rows] "+r"(rows), [pairs] "+l"(pairs)                                      \
                     : [x_step] "r"(p->x_step), [w_step] "r"(w_step), [taps] "m"(p->taps),         \
                       [at] "r"(p->at), [rows_step] "m"(p->rows_step), [height] "m"(walk->height), \
                       [row] "m"(walk->row), [gap] "m"(p->gap), [n] "r"(n)                         \
                     : "lr", "cc", "memory")

/* Adds the products of n channels, up to 16; w_step: bytes of weights from one tap to the next. */
TB_INLINE void tb_apart_add(TbApart *s, const TbWalk *walk, const TbPart *p, int w_step, int n)
{
    const int8_t *const *rows = p->rows, *w = p->w, *x, *x2, *w2;
    int8x16_t v, u, even, odd;
    int pairs = walk->height;
    if (n == 16)
        TB_APART(TB_TWO_ROWS TB_FIRST("", "") TB_SECOND("", "", "") TB_NEXT_TWO
                     TB_ONE_ROW TB_FIRST("", "") TB_DONE);
    else
        TB_APART(TB_PART TB_TWO_ROWS TB_FIRST("   vpstt\n", "t")
                     TB_SECOND("   vpstt\n", "   vpst\n", "t") TB_NEXT_TWO
                         TB_ONE_ROW TB_FIRST("   vpstt\n", "t") TB_DONE);
}

/* What turns these sums into outputs, in their order. */
typedef struct {
    int8_t shift[16]; /* first: loads that widen reach not far */
    int32_t begin[16], multiplier[16];
    int32_t zero;
    int8_t low, high;
    int8_t plain; /* all shifts are to the right, and the whole range of int8 is there */
} TbSixteen;

/* Those of n channels that vector i of the four has, as lanes and as their first. */
TB_INLINE mve_pred16_t tb_sixteen_lanes(int i, int n, int *first)
{
    *first = (i >> 1) + (i & 1) * 2;
    return vctp32q((uint32_t)(n - *first + 3) / 4);
}

/* Of n channels; the sums begin with 0 then. */
TB_INLINE void tb_sixteen(TbSixteen *k, const TbOp *op, int channel, int n)
{
    const uint32x4_t fours = vmulq_n_u32(vidupq_n_u32(0, 1), 4);
    k->zero = op->out_zero, k->low = op->act_min, k->high = op->act_max;
    k->plain = k->low == -128 && k->high == 127;
    for (int i = 0, first; i < 4; i++) {
        const mve_pred16_t there = tb_sixteen_lanes(i, n, &first);
        const int32_t *multiplier = op->multiplier + channel + first;
        const int32x4_t shift =
            vldrbq_gather_offset_z_s32(op->shift + channel + first, fours, there);
        k->plain &= vmaxvq_p_s32(INT32_MIN, shift, there) < 0;
        vstrbq_s32(k->shift + 4 * i, shift);
        vstrwq_s32(k->multiplier + 4 * i,
                   vldrwq_gather_shifted_offset_z_s32(multiplier, fours, there));
        vstrwq_s32(k->begin + 4 * i, vdupq_n_s32(0));
    }
}

/* They begin with the bias, less what the zero point's run has summed up. */
TB_INLINE void tb_sixteen_begin(TbSixteen *k, const int32_t *bias, const TbApart *zeros, int n)
{
    const uint32x4_t fours = vmulq_n_u32(vidupq_n_u32(0, 1), 4);
    vstrwq_s32(k->begin, zeros->a), vstrwq_s32(k->begin + 4, zeros->b);
    vstrwq_s32(k->begin + 8, zeros->c), vstrwq_s32(k->begin + 12, zeros->d);
    for (int i = 0, first; i < 4; i++) {
        const mve_pred16_t there = tb_sixteen_lanes(i, n, &first);
        int32_t *begin = k->begin + 4 * i;
        vstrwq_s32(begin, vsubq_s32(vldrwq_gather_shifted_offset_z_s32(bias + first, fours, there),
                                    vldrwq_s32(begin)));
    }
}

/* This and the next are in assembly for their addresses: gcc keeps each in a place of its own. */
TB_INLINE TbApart tb_sixteen_sums(const TbSixteen *k)
{
    TbApart s;
    __asm__ volatile("vldrw.u32 %q0, [%4, #16]\n"
                     "vldrw.u32 %q1, [%4, #32]\n"
                     "vldrw.u32 %q2, [%4, #48]\n"
                     "vldrw.u32 %q3, [%4, #64]\n"
                     : "=&w"(s.a), "=&w"(s.b), "=&w"(s.c), "=&w"(s.d)
                     : "r"(k)
                     : "memory");
    return s;
}

#define TB_SCALE_RIGHT(sum, multiplier, shift)                                                     \
    "vldrw.u32 %q[v], [%[k], #" multiplier "]\n"                                                   \
    "vqrdmulh.s32 %q[" sum "], %q[" sum "], %q[v]\n"                                               \
    "vldrb.s32 %q[u], [%[k], #" shift "]\n"                                                        \
    "vshr.s32 %q[v], %q[" sum "], #31\n"                                                           \
    "vadd.i32 %q[" sum "], %q[" sum "], %q[v]\n"                                                   \
    "vrshl.s32 %q[" sum "], %q[" sum "], %q[u]\n"
#define TB_SCALE_ANY(sum, multiplier, shift)                                                       \
    "vldrb.s32 %q[u], [%[k], #" shift "]\n"                                                        \
    "vmax.s32 %q[v], %q[u], %q[none]\n"                                                            \
    "vmin.s32 %q[u], %q[u], %q[none]\n"                                                            \
    "vshl.s32 %q[" sum "], %q[" sum "], %q[v]\n"                                                   \
    "vldrw.u32 %q[v], [%[k], #" multiplier "]\n"                                                   \
    "vqrdmulh.s32 %q[" sum "], %q[" sum "], %q[v]\n"                                               \
    "vand %q[v], %q[" sum "], %q[u]\n"                                                             \
    "vshr.s32 %q[v], %q[v], #31\n"                                                                 \
    "vadd.i32 %q[" sum "], %q[" sum "], %q[v]\n"                                                   \
    "vrshl.s32 %q[" sum "], %q[" sum "], %q[u]\n"
#define TB_SCALE_SIXTEEN(scale, ...)                                                               \
    __asm__ volatile(scale("a", "80", "0") scale("b", "96", "4") scale("c", "112", "8")            \
                         scale("d", "128", "12")                                                   \
                     : [a] "+w"(s->a), [b] "+w"(s->b), [c] "+w"(s->c), [d] "+w"(s->d),             \
                       [v] "=&w"(v), [u] "=&w"(u)                                                  \
                     : [k] "l"(k)__VA_ARGS__                                                       \
                     : "memory")

/* tb_scale_four() of all of them. */
TB_INLINE void tb_sixteen_scale(const TbSixteen *k, TbApart *s)
{
    int32x4_t v, u;
    if (k->plain) {
        TB_SCALE_SIXTEEN(TB_SCALE_RIGHT, );
    } else {
        const int32x4_t none = vdupq_n_s32(0);
        TB_SCALE_SIXTEEN(TB_SCALE_ANY, , [none] "w"(none));
    }
}

/* Narrowing saturates, far enough from int8 for the zero point; every second lane each time. */
TB_INLINE int8x16_t tb_sixteen_narrow(const TbApart *s, int32_t zero)
{
    int8x16_t y = vreinterpretq_s8_s32(s->a);
    int32x4_t odd = s->c;
    __asm__("vqmovnb.s32 %q[y], %q[y]\n"
            "vqmovnt.s32 %q[y], %q[b]\n"
            "vqmovnb.s32 %q[odd], %q[odd]\n"
            "vqmovnt.s32 %q[odd], %q[d]\n"
            "vqadd.s16 %q[y], %q[y], %[zero]\n"
            "vqadd.s16 %q[odd], %q[odd], %[zero]\n"
            "vqmovnb.s16 %q[y], %q[y]\n"
            "vqmovnt.s16 %q[y], %q[odd]\n"
            : [y] "+w"(y), [odd] "+w"(odd)
            : [b] "w"(s->b), [d] "w"(s->d), [zero] "r"(zero));
    return y;
}

TB_INLINE void tb_sixteen_out(const TbSixteen *k, TbApart *s, int8_t *out, int n)
{
    tb_sixteen_scale(k, s);
    int8x16_t y = tb_sixteen_narrow(s, k->zero);
    if (!k->plain)
        y = vminq_s8(vmaxq_s8(y, vdupq_n_s8(k->low)), vdupq_n_s8(k->high));
    vstrbq_p_s8(out, y, vctp8q((uint32_t)n));
}

#endif
#endif
