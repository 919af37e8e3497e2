#include "tb_inner.h"

TB_INLINE void look_up(const int8_t *table, const int8_t *x, int8_t *out, int n)
{
    TB_UNROLL
    for (int i = 0; i < n; i++)
        out[i] = table[x[i]];
}

/* Any function of one value: weights[128 + q]. out may be the row. */
void tb_lookup_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int8_t *table = op->weights + 128, *x = rows->in[0];
    int n = op->out_w * op->out_c;
    int8_t *out = rows->out[0];
    (void)scratch;

    for (; n >= 4; n -= 4, x += 4, out += 4)
        look_up(table, x, out, 4);
    look_up(table, x, out, n);
}
