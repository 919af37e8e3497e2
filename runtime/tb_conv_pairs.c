#include "tb_tile.h"

/* The window of a pixel in one row of the image. */
typedef struct {
    const int8_t *row; /* NULL: padding */
    int column;        /* its first one, which may be outside */
} Run;

/* Its pixel so many columns on, NULL outside the image. */
TB_INLINE const int8_t *pixel_of(const TbOp *op, Run run, int column)
{
    const int at = run.column + column;
    return run.row && at >= 0 && at < op->in_w ? run.row + at * op->in_c : NULL;
}

/* The first n taps of a run, with in_zero for what is outside, four at every 16 bytes. */
static void stage(const TbOp *op, Run run, int n, int8_t *to)
{
    const int in_c = op->in_c;
    for (int column = 0, k = 0; k < n; column++) {
        const int8_t *from = pixel_of(op, run, column);
        for (int c = 0; c < in_c && k < n; c++, k++)
            to[k / 4 * 16 + k % 4] = from ? from[c] : op->in_zero;
    }
}

static int8_t tap(const TbOp *op, Run run, int k)
{
    const int8_t *from = pixel_of(op, run, k / op->in_c);
    return from ? from[k % op->in_c] : op->in_zero;
}

/* Runs that are not all in the image are first put together in the second half of where they will
 * be unpacked to: a four of taps is read from there before its place is written. */
TB_INLINE void gather(const TbOp *op, const TbRows *rows, const int pixel[TB_TILE], TbWord *to)
{
    const int in_c = op->in_c, kh = op->kh, taps = op->kw * in_c, fours = taps / 4;
    TbWord *left = to + kh * fours * 8;
    int column[TB_TILE], k = 0;
    for (int i = 0; i < TB_TILE; i++)
        column[i] = pixel[i] * op->sw - op->pad_left;
    const int inside = column[0] >= 0 && column[TB_TILE - 1] + op->kw <= op->in_w;
    for (int y = 0; y < kh; y++) {
        const int8_t *row = rows->in[y], *from[TB_TILE];
        const int direct = inside && row;
        int8_t *staged = (int8_t *)(to + fours * 4);
        for (int i = 0; i < TB_TILE; i++) {
            const Run run = {row, column[i]};
            from[i] = direct ? row + column[i] * in_c : staged + i * 4;
            if (!direct)
                stage(op, run, fours * 4, staged + i * 4);
        }
        to = tb_tile_unpack(to, from, direct ? 4 : 16, fours);
        for (int t = fours * 4; t < taps; t++, k++)
            for (int i = 0; i < TB_TILE; i++) {
                const Run run = {row, column[i]};
                *tb_tile_left(left, k, i) = direct ? from[i][t] : tap(op, run, t);
            }
    }
    tb_tile_even(left, k);
}

void tb_conv_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    tb_tile_row(op, rows, (TbWord *)scratch, op->kh * op->kw * op->in_c, gather);
}
