/* tb_sum_pool.c - a global pool that forgets its rows: sums wait in scratch,
 * int32 [c], and the last row turns them into means, as tb_avg_pool_row() does. */
#include "tb_channels.h"

/* Adds a row to the sums; how many channels it could take four by four. */
static int sum_words(int32_t *sums, const int8_t *x, int in_w, int channels)
{
    int c = 0;
    for (; TB_DSP && in_w <= TB_PAIR_TAPS && c + 4 <= channels; c += 4) {
        TbPairSums pairs = {0, 0};
        tb_add_words(&pairs, x + c, channels, in_w);
        tb_add_pair_sums(sums + c, &pairs);
    }
    return c;
}

static void sum_row(int32_t *sums, const int8_t *row, int in_w, int channels)
{
    for (int c = sum_words(sums, row, in_w, channels); c < channels; c++) {
        const int8_t *x = row + c;
        int32_t sum = sums[c];
        for (int i = 0; i < in_w; i++, x += channels)
            sum += *x;
        sums[c] = sum;
    }
}

void tb_sum_pool_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int channels = op->in_c, in_w = op->in_w, count = op->in_h * in_w;
    int32_t *sums = scratch;

    for (int c = 0; rows->y == 0 && c < channels; c++)
        sums[c] = 0;
    sum_row(sums, rows->in[0], in_w, channels);
    if (rows->y < op->in_h - 1)
        return;
    for (int c = 0; c < channels; c++)
        rows->out[0][c] = tb_mean(op, sums[c], count);
}
