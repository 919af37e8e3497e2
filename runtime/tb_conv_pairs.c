#include "scratch.h"
#include "tb_tile.h"

static int8_t *fill(int8_t *to, int8_t value, int n)
{
    while (n-- > 0)
        *to++ = value;
    return to;
}

static int8_t *copy(int8_t *to, const int8_t *from, int n)
{
    for (; n >= 4; n -= 4, to += 4, from += 4)
        tb_put_word(to, tb_word(from));
    while (n-- > 0)
        *to++ = *from++;
    return to;
}

/* Columns [x, x + n) of a row, with in_zero for what is outside the image. */
TB_APART void pad(const TbOp *op, const int8_t *row, int x, int n, int8_t *to)
{
    const int in_c = op->in_c;
    const TbTaps inside = row ? tb_taps(x, n, op->in_w) : (TbTaps){n, n};
    to = fill(to, op->in_zero, inside.from * in_c);
    if (inside.to > inside.from)
        to = copy(to, row + (x + inside.from) * in_c, (inside.to - inside.from) * in_c);
    fill(to, op->in_zero, (n - inside.to) * in_c);
}

TB_INLINE int padded_bytes(const TbOp *op)
{
    return (int)tb_conv_padded(op->kw, op->sw, op->in_c);
}

/* Windows that are not all in the image are first put together, before the unpacked taps. */
TB_INLINE void gather(const TbOp *op, const TbRows *rows, int x, int n, TbWord *to)
{
    const int in_c = op->in_c, kh = op->kh, taps = op->kw * in_c, fours = taps / 4;
    const int first = x * op->sw - op->pad_left, columns = (n - 1) * op->sw + op->kw;
    const int inside = first >= 0 && first + columns <= op->in_w, step = op->sw * in_c;
    TbWord *left = to + kh * fours * 2 * n;
    int8_t *padded = (int8_t *)to - padded_bytes(op);
    for (int y = 0; y < kh; y++) {
        const int8_t *in = inside && rows->in[y] ? rows->in[y] + first * in_c : padded;
        if (in == padded)
            pad(op, rows->in[y], first, columns, padded);
        tb_tile_unpack(&to, in, step, fours, n);
        tb_tile_unpack_left(left, y * (taps % 4), in + 4 * fours, step, taps % 4, n);
    }
}

void tb_conv_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const uint32_t bytes = tb_conv_pairs_scratch(op->kh, op->kw, op->sw, op->in_c);
    tb_tile_row(op, rows, (int8_t *)scratch + bytes, op->kh * op->kw * op->in_c, gather);
}
