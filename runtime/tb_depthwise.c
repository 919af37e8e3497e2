#include "tb_channels.h"

/* A single channel may be one of several that read the same input channel; a
 * block of them never is. */
TB_INLINE void depthwise_block(const TbPixel *p, int channel, int n)
{
    const TbOp *op = p->op;
    const TbRequant r = tb_requant(op);
    const int in_c = op->in_c, kh = op->kh, kw = op->kw, out_c = n == 1 ? op->out_c : in_c;
    const int in_channel = n == 1 ? channel / (out_c / in_c) : channel;
    int32_t sum[TB_BLOCK];

    TB_UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = r.bias[channel + i];
    for (int y = 0; y < kh; y++) {
        if (!p->rows[y])
            continue;
        const int8_t *x = p->rows[y] + (p->x + p->taps.from) * in_c + in_channel;
        const int8_t *w = op->weights + (y * kw + p->taps.from) * out_c + channel;
        tb_multiply_taps(sum, x, in_c, w, out_c, p->taps.to - p->taps.from, n, op->in_zero);
    }
    TB_UNROLL
    for (int i = 0; i < n; i++)
        p->out[channel + i] = tb_output(&r, sum[i], channel + i);
}

/* Four channels of all pixels, by words: what they want is found once a row. */
TB_INLINE void depthwise_words(const TbOp *op, const TbRows *rows, int channel)
{
    const TbRequant r = tb_requant(op);
    const int channels = op->in_c, kh = op->kh, kw = op->kw, in_w = op->in_w, stride = op->sw;
    const int row = kw * channels, out_w = op->out_w;
    const int32_t *bias = op->bias + channel;
    const TbSums begin = {bias[0], bias[1], bias[2], bias[3]};
    const TbPair less = tb_pair(-op->in_zero, -op->in_zero);
    const int8_t *weights = op->weights + channel;
    int8_t *out = rows->out[0] + channel;
    TbQuick quick[4];
    const int quickly = tb_quick_channels(quick, op, kh * kw, channel, 4);

    for (int i = 0, x = -op->pad_left; i < out_w; i++, x += stride, out += channels) {
        const TbTaps t = tb_taps(x, kw, in_w);
        const int from = (x + t.from) * channels + channel;
        const int8_t *w = weights + t.from * channels;
        TbSums s = begin;
        for (int y = 0; y < kh; y++, w += row)
            if (rows->in[y])
                tb_multiply_words(&s, rows->in[y] + from, channels, w, channels, t.to - t.from, less);
        const int32_t sum[] = {s.a, s.b, s.c, s.d};
        if (quickly)
            tb_quick_four(out, quick, sum);
        else
            for (int j = 0; j < 4; j++)
                out[j] = tb_output(&r, sum[j], channel + j);
    }
}

#if TB_MVE

/* The rows of a window that are inside the image, from `first` on, and one beside it. */
typedef struct {
    const TbOp *op;
    const int8_t *const *rows, *const *outside;
    TbWalk walk;
    int first, channel;
} Window;

/* Of the window at x the columns outside on the left, those inside and those on the right. */
enum { LEFT, INSIDE, RIGHT, N_PARTS };

static __attribute__((noinline)) void take_part(const Window *k, TbPart *part, int x, int which)
{
    const int c = k->op->in_c, kw = k->op->kw, inside = which == INSIDE;
    const TbTaps t = tb_taps(x, kw, k->op->in_w);
    const int from = which == LEFT ? 0 : inside ? t.from : t.to;
    const int to = which == LEFT ? t.from : inside ? t.to : kw;
    part->rows = inside ? k->rows + k->first : k->outside;
    part->rows_step = inside ? 2 * (int)sizeof *k->rows : 0;
    part->w = k->op->weights + (k->first * kw + from) * c + k->channel;
    part->gap = (kw - to + from) * c;
    part->x_step = inside ? c : 0;
    part->taps = to - from;
    part->at = inside ? (x + from) * c + k->channel : 0;
}

/* n channels of all pixels. The first turn is over a window that is all outside. */
TB_INLINE void channels(const Window *k, int8_t *out, int n)
{
    const TbOp *op = k->op;
    const int c = op->in_c, kw = op->kw, last = op->in_w - kw;
    TbPart part;
    int ready = 0; /* the part, for windows that are inside */
    TbSixteen sixteen;
    tb_sixteen(&sixteen, op, k->channel, n);
    for (int i = -1, x = -kw; i < op->out_w; i++) {
        const int whole = x >= 0 && x <= last;
        TbApart s = tb_sixteen_sums(&sixteen);
        if (whole && !ready)
            take_part(k, &part, x, INSIDE);
        if (whole) {
            part.at = x * c + k->channel;
            tb_apart_add(&s, &k->walk, &part, c, n);
        }
        for (int which = LEFT; which < N_PARTS && !whole; which++) {
            take_part(k, &part, x, which);
            if (part.taps > 0)
                tb_apart_add(&s, &k->walk, &part, c, n);
        }
        ready = whole;
        if (i < 0) {
            tb_sixteen_begin(&sixteen, op->bias + k->channel, &s, n);
            x = -op->pad_left;
        } else {
            tb_sixteen_out(&sixteen, &s, out, n);
            x += op->sw, out += c;
        }
    }
}

/* Sixteen channels at a time; the last go back so far that they are sixteen. */
static __attribute__((noinline)) void row_by_channels(const TbOp *op, const int8_t *const *rows,
                                                      int8_t *out)
{
    const int8x16_t zeros = vdupq_n_s8(op->in_zero);
    const int8_t *const outside[] = {(const int8_t *)&zeros, (const int8_t *)&zeros};
    const int in_c = op->in_c, n = in_c < 16 ? in_c : 16;
    Window k = {op, rows, outside, {op->kh, op->kw * in_c}, 0, 0};
    while (k.first < op->kh && !rows[k.first])
        k.first++, k.walk.height--;
    while (k.walk.height > 0 && !rows[k.first + k.walk.height - 1])
        k.walk.height--;
    for (int c = 0; c < in_c; c += 16) {
        k.channel = c + n <= in_c ? c : in_c - n;
        channels(&k, out + k.channel, n);
    }
}

#endif

void tb_depthwise_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int channels = op->out_c, apart = channels == op->in_c;
    int c = 0;
    (void)scratch;
#if TB_MVE
    if (apart) {
        row_by_channels(op, rows->in, rows->out[0]);
        return;
    }
#endif
    for (; TB_DSP && apart && c + 4 <= channels; c += 4)
        depthwise_words(op, rows, c);
    tb_channels_from(op, rows, depthwise_block, !TB_DSP && apart, c);
}
