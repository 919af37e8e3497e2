#include "tb_inner.h"

/* Any function of one value: weights[128 + q]. out may be the row. */
void tb_lookup_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int8_t *table = op->weights + 128, *x = rows->in[0];
    const int n = op->out_w * op->out_c;
    int8_t *out = rows->out[0];
    (void)scratch;

    for (int i = 0; i < n; i++)
        out[i] = table[x[i]];
}
