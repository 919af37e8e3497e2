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

void tb_depthwise_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int channels = op->out_c, apart = channels == op->in_c;
    int c = 0;
    (void)scratch;
    for (; TB_DSP && apart && c + 4 <= channels; c += 4)
        depthwise_words(op, rows, c);
    tb_channels_from(op, rows, depthwise_block, !TB_DSP && apart, c);
}
