/* tb_block.c - an inverted bottleneck that never keeps its expanded rows.
 *
 * A window of kh x kw expanded pixels slides along the rows, in scratch as
 * [kh][kw][c]: for every output column the pixels of the new columns are
 * expanded, and `block` output pixels below each other are made of it. Behind
 * the window lies what the depthwise layer makes of it, one pixel. Padding is
 * not computed: it is the zero point, which the depthwise layer subtracts, so
 * a window needs no clipping and all its taps are `c` bytes apart. */
#include "tb_channels.h"
#include "tb_window.h"

typedef struct {
    const TbOp *op, *expand, *depthwise, *project;
    const TbRows *rows;
    int8_t *window, *pixel;
    int height; /* rows of the window that the outputs of this call need */
} Block;

/* n channels, 4 or 1, of a 1x1 layer. */
TB_INLINE void pointwise_channels(const TbOp *op, const TbRequant *r, const int8_t *x,
                                  const int8_t *w, int8_t *out, int channel, int n)
{
    const int in_c = op->in_c, next = n == 4 ? in_c : 0;
    const int32_t *bias = r->bias + channel;
    const int8_t *const of[] = {w, w + next, w + 2 * next, w + 3 * next};
    TbSums s = {bias[0], bias[n / 4], bias[n / 4 * 2], bias[n / 4 * 3]};
    TB_DSP ? tb_dot_words(&s, x, of, in_c, op->in_zero) : tb_dot(&s, x, of, in_c, op->in_zero);
    const int32_t sum[] = {s.a, s.b, s.c, s.d};
    for (int i = 0; i < n; i++)
        out[channel + i] = tb_output(r, sum[i], channel + i);
}

/* A 1x1 layer of one pixel. */
static void pointwise_pixel(const TbOp *op, const int8_t *x, int8_t *out)
{
    const TbRequant r = tb_requant(op);
    const int in_c = op->in_c, out_c = op->out_c;
    const int8_t *w = op->weights;
    int c = 0;
    for (; c + 4 <= out_c; c += 4, w += 4 * in_c)
        pointwise_channels(op, &r, x, w, out, c, 4);
    for (; c < out_c; c++, w += in_c)
        pointwise_channels(op, &r, x, w, out, c, 1);
}

TB_INLINE void depthwise_channels(const TbOp *op, const int8_t *x, int8_t *out, int channel, int n)
{
    const TbRequant r = tb_requant(op);
    const int channels = op->in_c, taps = op->kh * op->kw;
    const int32_t *bias = r.bias + channel;
    const int8_t *w = op->weights + channel;
    int32_t sum[TB_BLOCK];

    x += channel;
    if (TB_DSP && n == 4) {
        TbSums s = {bias[0], bias[1], bias[2], bias[3]};
        tb_multiply_words(&s, x, channels, w, channels, taps, tb_pair(-op->in_zero, -op->in_zero));
        sum[0] = s.a, sum[1] = s.b, sum[2] = s.c, sum[3] = s.d;
    } else {
        TB_UNROLL
        for (int i = 0; i < n; i++)
            sum[i] = bias[i];
        tb_multiply_taps(sum, x, channels, w, channels, taps, n, op->in_zero);
    }
    TB_UNROLL
    for (int i = 0; i < n; i++)
        out[channel + i] = tb_output(&r, sum[i], channel + i);
}

/* x: the window, all of it inside or padded. */
static void depthwise_pixel(const TbOp *op, const int8_t *x, int8_t *out)
{
    const int channels = op->in_c;
    int c = 0;
    for (; c + TB_BLOCK <= channels; c += TB_BLOCK)
        depthwise_channels(op, x, out, c, TB_BLOCK);
    for (; c < channels; c++)
        depthwise_channels(op, x, out, c, 1);
}

/* One pixel of the window, x columns from the beginning of the input row. */
static void expand_pixel(const Block *b, const int8_t *row, int x, int8_t *to)
{
    if (row && x >= 0 && x < b->op->in_w) {
        pointwise_pixel(b->expand, row + x * b->op->in_c, to);
        return;
    }
    for (int c = 0; c < b->expand->out_c; c++)
        to[c] = b->depthwise->in_zero;
}

/* The window's columns from x on: `kept` are there, so many columns to the right. */
static void slide(const Block *b, int x, int kept)
{
    const int kw = b->op->kw, c = b->expand->out_c;
    for (int k = 0; k < b->height; k++) {
        int8_t *row = b->window + k * kw * c;
        tb_move(row, row + (kw - kept) * c, (uint32_t)(kept * c));
        for (int i = kept; i < kw; i++)
            expand_pixel(b, b->rows->in[k], x + i, row + i * c);
    }
}

static void make_column(const Block *b, int column)
{
    const TbOp *op = b->op;
    const int row = op->kw * b->expand->out_c;
    for (int r = 0; r < op->block && b->rows->out[r]; r++) {
        depthwise_pixel(b->depthwise, b->window + r * op->sh * row, b->pixel);
        pointwise_pixel(b->project, b->pixel, b->rows->out[r] + column * op->out_c);
    }
}

void tb_block_rows(const TbOp *op, const TbRows *rows, void *scratch)
{
    Block b = {op, op - 3, op - 2, op - 1, rows, scratch, NULL, 0};
    const int kept = op->sw < op->kw ? op->kw - op->sw : 0;
    int x = -op->pad_left, made = 1;

    while (made < op->block && rows->out[made])
        made++;
    b.height = (made - 1) * op->sh + b.depthwise->kh;
    b.pixel = b.window + op->kh * op->kw * b.expand->out_c;
    for (int column = 0; column < op->out_w; column++, x += op->sw) {
        slide(&b, x, column > 0 ? kept : 0);
        make_column(&b, column);
    }
}
