/* tb_window.h - convolution, pointwise and dense are one loop.
 *
 * A window row is one contiguous run of taps * in_c bytes in the input row and
 * in the weights, so all of them are sums of dot products; a pointwise has a
 * window of one pixel, a dense layer one window. The body is inlined with what
 * the caller knows as constants. Private to the runtime. */
#ifndef TB_WINDOW_H
#define TB_WINDOW_H

#include "tb_inner.h"

/* Sums of two neighbouring pixels (0, 1) and two output channels (a, b): every
 * loaded value serves two products. */
typedef struct {
    int32_t a0, a1, b0, b1;
} TbSums;

/* Two runs of n inputs and two of n weights. int16 values in int32 products:
 * that is what a compiler turns into dot product instructions. Without `both`,
 * a constant, pixel 1 is left alone. */
TB_INLINE void tb_dot(TbSums *s, const int8_t *x0, const int8_t *x1, const int8_t *a,
                      const int8_t *b, int n, int8_t zero, int both)
{
    int32_t a0 = s->a0, a1 = s->a1, b0 = s->b0, b1 = s->b1;
    for (int i = 0; i < n; i++) {
        int16_t x = (int16_t)(x0[i] - zero), wa = a[i], wb = b[i];
        a0 += x * wa;
        b0 += x * wb;
        if (both) {
            int16_t next = (int16_t)(x1[i] - zero);
            a1 += next * wa;
            b1 += next * wb;
        }
    }
    s->a0 = a0, s->a1 = a1, s->b0 = b0, s->b1 = b1;
}

/* What the kernels know, mostly as constants. */
typedef struct {
    int kh, kw, stride, pad_left;
    int padded; /* a window may reach over the edges of the image */
    int paired; /* there are neighbouring windows */
} TbWindow;

/* The sums of one or two windows, x pixels from the row's beginning, and two
 * channels, whose weights are w and w + next. */
TB_INLINE void tb_window_sums(TbSums *s, const TbOp *op, const TbWindow *k,
                              const int8_t *const *rows, const int8_t *w, int next, int x, int pair)
{
    const int in_c = op->in_c;
    const TbTaps whole = {0, k->kw}, t = k->padded ? tb_taps(x, k->kw, op->in_w) : whole;
    for (int y = 0; y < k->kh; y++) {
        if (k->padded && !rows[y])
            continue;
        const int8_t *x0 = rows[y] + (x + t.from) * in_c;
        const int8_t *a = w + (y * k->kw + t.from) * in_c;
        tb_dot(s, x0, x0 + pair * k->stride * in_c, a, a + next, (t.to - t.from) * in_c,
               op->in_zero, k->paired);
    }
}

/* Channels outside, pixels inside: weights stream from flash once a row. Where
 * a pair is cut short (the last channel, a window that is clipped), both halves
 * are the same one. */
TB_INLINE void tb_window_row(const TbOp *op, const TbWindow *k, const int8_t *const *rows,
                             int8_t *out)
{
    const TbRequant r = tb_requant(op);
    const int in_w = op->in_w, out_c = op->out_c, out_w = op->out_w;
    const int size = k->kh * k->kw * op->in_c;

    for (int c = 0; c < out_c; c += 2) {
        const int d = c + 1 < out_c; /* to the pair's second channel */
        const int8_t *w = op->weights + (ptrdiff_t)c * size;
        for (int pixel = 0, pair; pixel < out_w; pixel += 1 + pair) {
            const int x = pixel * k->stride - k->pad_left;
            pair = k->paired && pixel + 1 < out_w &&
                   (!k->padded || (x >= 0 && x + k->stride + k->kw <= in_w));
            TbSums s = {r.bias[c], r.bias[c], r.bias[c + d], r.bias[c + d]};
            tb_window_sums(&s, op, k, rows, w, d * size, x, pair);
            int8_t *to = out + pixel * out_c + c;
            to[0] = tb_output(&r, s.a0, c);
            to[d] = tb_output(&r, s.b0, c + d);
            if (pair) {
                to[out_c] = tb_output(&r, s.a1, c);
                to[out_c + d] = tb_output(&r, s.b1, c + d);
            }
        }
    }
}

#endif
