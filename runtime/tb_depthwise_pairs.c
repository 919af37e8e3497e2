#include "simd.h"

static int32_t tap(const TbOp *op, const TbRows *rows, int x, int y, int c)
{
    if (!rows->in[y] || x < 0 || x >= op->in_w)
        return op->in_zero;
    return rows->in[y][x * op->in_c + c];
}

void tb_depthwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbRequant r = tb_requant(op);
    (void)scratch;
    for (int x = 0; x < op->out_w; x++)
        for (int c = 0; c < op->out_c; c++) {
            int32_t sum = op->bias[c];
            for (int k = 0; k < op->kh * op->kw; k++)
                sum += op->weights[k * op->in_c + c] *
                       tap(op, rows, x * op->sw - op->pad_left + k % op->kw, k / op->kw, c);
            rows->out[0][x * op->out_c + c] = tb_output(&r, sum, c);
        }
}
