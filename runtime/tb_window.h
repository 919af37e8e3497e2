/* tb_window.h - convolution, pointwise and dense are one loop.
 *
 * A window row is one contiguous run of taps * in_c bytes in the input row and
 * in the weights, so all of them are sums of dot products; a pointwise has a
 * window of one pixel, a dense layer one window. The body is inlined with what
 * the caller knows as constants. Private to the runtime. */
#ifndef TB_WINDOW_H
#define TB_WINDOW_H

#include "simd.h"
#include "simd_mve.h"

/* Channels whose sums are kept for a pixel, so that vectors can turn them into
 * outputs; without vectors just the four that are summed together. */
enum { TB_GROUP = TB_VECTORS ? 16 : 4 };

/* A run of n inputs, each of which serves four products, and four of weights.
 * int16 values in int32 products: that is what a compiler turns into dot
 * product instructions. */
TB_INLINE void tb_dot(TbSums *s, const int8_t *x, const int8_t *const w[4], int n, int8_t zero)
{
    const int8_t *wa = w[0], *wb = w[1], *wc = w[2], *wd = w[3];
    int32_t a = s->a, b = s->b, c = s->c, d = s->d;
    for (int i = 0; i < n; i++) {
        const int16_t value = (int16_t)(x[i] - zero);
        a += value * wa[i];
        b += value * wb[i];
        c += value * wc[i];
        d += value * wd[i];
    }
    s->a = a, s->b = b, s->c = c, s->d = d;
}

/* For one or two channels: n a multiple of 4. */
TB_INLINE void tb_dot_two(TbSums *s, const int8_t *x, const int8_t *const w[4], int n, int8_t zero)
{
    const TbPair less = tb_pair(-zero, -zero);
    const int8_t *wa = w[0], *wb = w[1];
    int32_t a = s->a, b = s->b;
    for (const int8_t *end = x + n; x < end; x += 4, wa += 4, wb += 4) {
        const uint32_t word = tb_word(x);
        const TbPair even = tb_add_even_bytes(less, word), odd = tb_add_odd_bytes(less, word);
        a = tb_mac_bytes(even, odd, tb_word(wa), a);
        b = tb_mac_bytes(even, odd, tb_word(wb), b);
    }
    s->a = a, s->b = b;
}

/* The same on pairs, four inputs at once. Of four channels' weights the second lie as far from
 * the first as the fourth from the third; of fewer the fourth are the second. */
TB_INLINE void tb_dot_words(TbSums *s, const int8_t *x, const int8_t *const w[4], int n,
                            int8_t zero)
{
    const int words = n & ~3;
    if (w[3] == w[1])
        tb_dot_two(s, x, w, words, zero);
    else if (words > 0)
        tb_mac_words(s, x, words, tb_pair(-zero, -zero), w[0], w[2], w[1] - w[0]);
    const int8_t *const rest[] = {w[0] + words, w[1] + words, w[2] + words, w[3] + words};
    tb_dot(s, x + words, rest, n - words, zero);
}

/* The same with a second pixel, for vectors, which widen weights at a cost. */
TB_INLINE void tb_dot_pair(TbSums *s, const int8_t *x, const int8_t *x2, const int8_t *const w[4],
                           int n, int8_t zero)
{
    const int8_t *wa = w[0], *wb = w[1], *wc = w[2], *wd = w[3];
    int32_t a = s[0].a, b = s[0].b, c = s[0].c, d = s[0].d;
    int32_t a2 = s[1].a, b2 = s[1].b, c2 = s[1].c, d2 = s[1].d;
    for (int i = 0; i < n; i++) {
        const int16_t value = (int16_t)(x[i] - zero), value2 = (int16_t)(x2[i] - zero);
        a += value * wa[i], a2 += value2 * wa[i];
        b += value * wb[i], b2 += value2 * wb[i];
        c += value * wc[i], c2 += value2 * wc[i];
        d += value * wd[i], d2 += value2 * wd[i];
    }
    s[0].a = a, s[0].b = b, s[0].c = c, s[0].d = d;
    s[1].a = a2, s[1].b = b2, s[1].c = c2, s[1].d = d2;
}

/* What the kernels know, mostly as constants. */
typedef struct {
    int kh, kw, stride, pad_left; /* stride 0: there is one window */
    int padded; /* a window may reach over the edges of the image */
} TbWindow;

#if TB_MVE

/* Sums of four channels of the window at x, of x - zero; its rows may be NULL. */
TB_INLINE int32x4_t tb_window_once(const TbOp *op, const TbWindow *k, const int8_t *const *rows,
                                   const int8_t *const w[4], int x)
{
    const int in_c = op->in_c;
    const TbTaps whole = {0, k->kw}, t = k->padded ? tb_taps(x, k->kw, op->in_w) : whole;
    const int n = (t.to - t.from) * in_c;
    TbDots s = {0, 0, 0, 0};
    for (int y = 0; y < k->kh; y++) {
        if (k->padded && (!rows[y] || n == 0))
            continue;
        const int at = (y * k->kw + t.from) * in_c;
        const int8_t *const row[] = {w[0] + at, w[1] + at, w[2] + at, w[3] + at};
        tb_dot_four_less(&s, rows[y] + (x + t.from) * in_c, row, n, op->in_zero);
    }
    return tb_dots(s);
}

/* Rows [from, to) of a window are not NULL. */
TB_INLINE TbTaps tb_window_height(const TbWindow *k, const int8_t *const *rows)
{
    TbTaps t = {0, k->kh};
    while (k->padded && t.from < t.to && !rows[t.from])
        t.from++;
    while (k->padded && t.from < t.to && !rows[t.to - 1])
        t.to--;
    return t;
}

/* The same of x itself, with all columns inside and n = kw * in_c; w: of the first row inside. */
TB_INLINE int32x4_t tb_window_whole(const TbWindow *k, const int8_t *const *rows, TbTaps height,
                                    const int8_t *const w[4], int at, int n)
{
    TbDots s = {0, 0, 0, 0};
    if (k->kh == 1 && !k->padded)
        tb_dot_four(&s, rows[0] + at, w, n);
    else if (height.from < height.to)
        tb_dot_four_rows(&s, rows + height.from, height.to - height.from, at, w, n);
    return tb_dots(s);
}

/* Pixels whose window is all inside the row, when they are worth the quick way; else none. */
TB_INLINE TbTaps tb_window_inside(const TbOp *op, const TbWindow *k, int pixels)
{
    enum { WORTH = 3 };
    const int stride = k->stride > 0 ? k->stride : 1, room = op->in_w + k->pad_left - k->kw;
    TbTaps inside = {0, pixels};
    if (k->padded) {
        inside.from = (k->pad_left + stride - 1) / stride;
        inside.to = room < 0 ? 0 : room / stride + 1;
        inside.to = inside.to < pixels ? inside.to : pixels;
    }
    if (inside.to - inside.from < WORTH)
        inside.from = inside.to = pixels;
    return inside;
}

/* Four channels, or the n there are, of all pixels. */
TB_INLINE void tb_window_channels(const TbOp *op, const TbWindow *k, const int8_t *const *rows,
                                  int8_t *out, int pixels, int channel, int n)
{
    const int in_c = op->in_c, run = k->kw * in_c;
    const ptrdiff_t size = k->kh * run;
    const int8_t *a = op->weights + channel * size, *b = n > 1 ? a + size : a;
    const int8_t *c = n > 2 ? b + size : b, *const w[] = {a, b, c, n > 3 ? c + size : c};
    const TbTaps height = tb_window_height(k, rows), inside = tb_window_inside(op, k, pixels);
    const int first = height.from * run;
    const int8_t *const from[] = {w[0] + first, w[1] + first, w[2] + first, w[3] + first};
    const TbLanes lanes = tb_lanes(op, channel, n);
    const int32x4_t bias = vldrwq_z_s32(op->bias + channel, lanes.there);
    const int stride = k->stride, out_c = op->out_c, left = k->pad_left;
    int32x4_t begin = bias;

    out += channel;
    for (int i = 0; i < pixels; i = i == inside.from ? inside.to : i + 1) {
        const int x = i * stride - left;
        const int32x4_t sum = vaddq_s32(bias, tb_window_once(op, k, rows, w, x));
        if (i == inside.from)
            begin = vsubq_s32(sum, tb_window_whole(k, rows, height, from, x * in_c, run));
        tb_lanes_out(&lanes, sum, out + i * out_c);
    }
    out += (inside.from + 1) * out_c;
    for (int i = inside.from + 1, at = (i * stride - left) * in_c; i < inside.to; i++) {
        tb_lanes_out(&lanes, vaddq_s32(begin, tb_window_whole(k, rows, height, from, at, run)), out);
        at += stride * in_c, out += out_c;
    }
}

/* Groups of channels outside, pixels inside, as below. The last group goes back so far that it has
 * four. */
TB_INLINE void tb_window_pixels(const TbOp *op, const TbWindow *k, const int8_t *const *rows,
                                int8_t *out, int pixels)
{
    const int out_c = op->out_c, n = out_c < 4 ? out_c : 4;
    for (int c = 0; c < out_c; c += 4)
        tb_window_channels(op, k, rows, out, pixels, c + n <= out_c ? c : out_c - n, n);
}

TB_INLINE void tb_window_row(const TbOp *op, const TbWindow *k, const int8_t *const *rows,
                             int8_t *out)
{
    tb_window_pixels(op, k, rows, out, op->out_w);
}

#else

/* Four channels, the last ones made twice where there are fewer. */
typedef struct {
    const int8_t *w[4];
    TbSums begin;
} TbFour;

/* Of the input, kept from being read again after every output. */
typedef struct {
    const int8_t *const *rows;
    int width, channels;
    int8_t zero;
} TbInputs;

TB_INLINE TbFour tb_four(const TbOp *op, int size, int channel, int n)
{
    const int8_t *w = op->weights + (ptrdiff_t)channel * size;
    const int32_t *bias = op->bias + channel;
    const int b = n > 1, c = n > 2 ? 2 : b, d = n > 3 ? 3 : c;
    const TbFour f = {{w, w + b * size, w + c * size, w + d * size},
                      {bias[0], bias[b], bias[c], bias[d]}};
    return f;
}

/* Of the window x pixels from the row's beginning, and with `pair`, a constant,
 * of the next one. */
TB_INLINE void tb_window_sums(TbSums *s, const TbInputs *in, const TbWindow *k,
                              const int8_t *const w[4], int x, int pair)
{
    const int in_c = in->channels;
    const TbTaps whole = {0, k->kw}, t = k->padded ? tb_taps(x, k->kw, in->width) : whole;
    for (int y = 0; y < k->kh; y++) {
        if (k->padded && !in->rows[y])
            continue;
        const int at = (y * k->kw + t.from) * in_c, n = (t.to - t.from) * in_c;
        const int8_t *from = in->rows[y] + (x + t.from) * in_c;
        const int8_t *const row[] = {w[0] + at, w[1] + at, w[2] + at, w[3] + at};
        if (pair)
            tb_dot_pair(s, from, from + k->stride * in_c, row, n, in->zero);
        else
            TB_DSP ? tb_dot_words(s, from, row, n, in->zero) : tb_dot(s, from, row, n, in->zero);
    }
}

/* n channels of one or two pixels, four at a time. */
TB_INLINE void tb_window_group(int32_t (*sum)[TB_GROUP], const TbFour *four, const TbInputs *in,
                               const TbWindow *k, int n, int x, int pair)
{
    for (int c = 0; c < n; c += 4, four++) {
        TbSums s[] = {four->begin, four->begin};
        tb_window_sums(s, in, k, four->w, x, pair);
        for (int i = 0; i <= pair; i++) {
            int32_t *to = sum[i] + c;
            to[0] = s[i].a, to[1] = s[i].b, to[2] = s[i].c, to[3] = s[i].d;
        }
    }
}

/* Channels that are summed together, of so many that are left: words want four, two or one. */
TB_INLINE int tb_group(int left)
{
    if (left >= TB_GROUP)
        return TB_GROUP;
    return TB_DSP && left > 1 ? 2 : TB_DSP ? 1 : left;
}

/* Groups of channels outside, pixels inside: weights stream from flash once a row. */
TB_INLINE void tb_window_row(const TbOp *op, const TbWindow *k, const int8_t *const *rows,
                             int8_t *out)
{
    const TbRequant r = tb_requant(op);
    const TbInputs in = {rows, op->in_w, op->in_c, op->in_zero};
    const int out_c = op->out_c, out_w = op->out_w, size = k->kh * k->kw * op->in_c;
    int32_t sum[2][TB_GROUP];
    TbFour four[TB_GROUP / 4];
    TbQuick quick[TB_GROUP];

    for (int c = 0, n; c < out_c; c += n) {
        n = tb_group(out_c - c);
        for (int i = 0; i < n; i += 4)
            four[i / 4] = tb_four(op, size, c + i, n - i);
        const int quickly = TB_DSP && k->stride > 0 && tb_quick_channels(quick, op, size, c, n);
        int8_t *to = out + c;
        for (int pixel = 0, x = -k->pad_left, pair; pixel < out_w; x += k->stride * (1 + pair)) {
            pair = TB_VECTORS && pixel + 1 < out_w &&
                   (!k->padded || (x >= 0 && x + k->stride + k->kw <= in.width));
            if (pair)
                tb_window_group(sum, four, &in, k, n, x, 1);
            else
                tb_window_group(sum, four, &in, k, n, x, 0);
            for (int p = 0; p <= pair; p++, pixel++, to += out_c)
                if (quickly && n == 4)
                    tb_quick_four(to, quick, sum[p]);
                else
                    for (int i = 0; i < n; i++)
                        to[i] = tb_output(&r, sum[p][i], c + i);
        }
    }
}

#endif
#endif
