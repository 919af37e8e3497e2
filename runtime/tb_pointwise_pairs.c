#include "simd.h"

/* One tap of the window; in_zero beyond the image. */
static int32_t tap(const TbOp *op, const TbRows *rows, int x, int k)
{
    const int per_row = op->kw * op->in_c, y = k / per_row, column = x + k % per_row / op->in_c;
    if (!rows->in[y] || column < 0 || column >= op->in_w)
        return op->in_zero;
    return rows->in[y][column * op->in_c + k % op->in_c];
}

void tb_pointwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbRequant r = tb_requant(op);
    const int taps = op->kh * op->kw * op->in_c, words = (taps + 1) / 2;
    (void)scratch;
    for (int x = 0; x < op->out_w; x++)
        for (int c = 0; c < op->out_c; c++) {
            const int8_t *w = op->weights + c / 2 * words * 4 + c % 2;
            int32_t sum = op->bias[c];
            for (int k = 0; k < taps; k++)
                sum += w[k / 2 * 4 + k % 2 * 2] * tap(op, rows, x * op->sw - op->pad_left, k);
            rows->out[0][x * op->out_c + c] = tb_output(&r, sum, c);
        }
}
