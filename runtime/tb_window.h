/* tb_window.h - convolution, pointwise and dense are one loop.
 *
 * A window row is one contiguous run of taps * in_c bytes in the input row and
 * in the weights, so all of them are sums of dot products; a pointwise has a
 * window of one pixel, a dense layer one window. The body is inlined with what
 * the caller knows as constants. Private to the runtime. */
#ifndef TB_WINDOW_H
#define TB_WINDOW_H

#include "tb_inner.h"

/* Channels whose sums are kept for a pixel, so that vectors can turn them into
 * outputs; without vectors just the pair. */
enum { TB_GROUP = TB_VECTORS ? 16 : 2 };

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

/* n channels of one pixel. */
TB_INLINE void tb_output_pixel(const TbRequant *r, const int32_t *sum, int channel, int n,
                               int8_t *out)
{
    for (int i = 0; i < n; i++)
        out[i] = tb_output(r, sum[i], channel + i);
}

/* Groups of channels outside, pixels inside: weights stream from flash once a
 * row. Where a pair is cut short (the last channel, a window that is clipped),
 * both halves are the same one. */
TB_INLINE void tb_window_row(const TbOp *op, const TbWindow *k, const int8_t *const *rows,
                             int8_t *out)
{
    const TbRequant r = tb_requant(op);
    const int in_w = op->in_w, out_c = op->out_c, out_w = op->out_w;
    const int size = k->kh * k->kw * op->in_c;
    int32_t sum[2][TB_GROUP];

    for (int c = 0; c < out_c; c += TB_GROUP) {
        const int n = out_c - c < TB_GROUP ? out_c - c : TB_GROUP;
        for (int pixel = 0, pair; pixel < out_w; pixel += 1 + pair) {
            const int x = pixel * k->stride - k->pad_left;
            pair = k->paired && pixel + 1 < out_w &&
                   (!k->padded || (x >= 0 && x + k->stride + k->kw <= in_w));
            for (int i = 0; i < n; i += 2) {
                const int j = i + (i + 1 < n); /* the pair's second channel */
                const int8_t *w = op->weights + (ptrdiff_t)(c + i) * size;
                TbSums s = {r.bias[c + i], r.bias[c + i], r.bias[c + j], r.bias[c + j]};
                tb_window_sums(&s, op, k, rows, w, (j - i) * size, x, pair);
                sum[0][i] = s.a0, sum[0][j] = s.b0;
                sum[1][i] = s.a1, sum[1][j] = s.b1;
            }
            int8_t *to = out + pixel * out_c + c;
            for (int p = 0; p <= pair; p++)
                tb_output_pixel(&r, sum[p], c, n, to + p * out_c);
        }
    }
}

#endif
