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
 * that is what a compiler turns into dot product instructions. `both` is a
 * constant: without it pixel 1 is left alone. */
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

/* Channels outside, pixels inside: weights stream from flash once a row. Where
 * a pair is cut short (the last channel, a pixel whose window is clipped), both
 * halves are the same one. */
TB_INLINE void tb_window_row(const TbOp *op, const int8_t *const *rows, int8_t *out, int kh,
                             int kw, int pad_left, int both)
{
    const TbRequant r = tb_requant(op);
    const int in_c = op->in_c, in_w = op->in_w, out_c = op->out_c, out_w = op->out_w;
    const int stride = op->sw, size = kh * kw * in_c;
    const int8_t zero = op->in_zero;

    for (int c = 0; c < out_c; c += 2) {
        const int d = c + 1 < out_c; /* to the pair's second channel */
        const int8_t *weights = op->weights + (ptrdiff_t)c * size;
        for (int pixel = 0, pair; pixel < out_w; pixel += 1 + pair) {
            const int x = pixel * stride - pad_left;
            const TbTaps t = tb_taps(x, kw, in_w);
            pair = both && pixel + 1 < out_w && x >= 0 && x + stride + kw <= in_w;
            TbSums s = {r.bias[c], r.bias[c], r.bias[c + d], r.bias[c + d]};
            for (int y = 0; y < kh; y++) {
                if (!rows[y])
                    continue;
                const int8_t *x0 = rows[y] + (x + t.from) * in_c;
                const int8_t *w = weights + (y * kw + t.from) * in_c;
                tb_dot(&s, x0, x0 + pair * stride * in_c, w, w + d * size, (t.to - t.from) * in_c,
                       zero, both);
            }
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
