/* tb_sum_pool.c - a global pool that forgets its rows: sums wait in scratch,
 * int32 [c], and the last row turns them into means, as tb_avg_pool_row() does. */
#include "tb_inner.h"

void tb_sum_pool_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int channels = op->in_c, in_w = op->in_w, count = op->in_h * in_w;
    int32_t *sums = scratch;

    for (int c = 0; c < channels; c++) {
        const int8_t *x = rows->in[0] + c;
        int32_t sum = rows->y == 0 ? 0 : sums[c];
        for (int i = 0; i < in_w; i++, x += channels)
            sum += *x;
        sums[c] = sum;
    }
    if (rows->y < op->in_h - 1)
        return;
    for (int c = 0; c < channels; c++)
        rows->out[0][c] = tb_mean(op, sums[c], count);
}
