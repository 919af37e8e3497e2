#include "tb_tile.h"

/* The pixel itself is all the window there is. */
TB_INLINE void gather(const TbOp *op, const TbRows *rows, int x, int n, TbWord *to)
{
    const int in_c = op->in_c, fours = in_c / 4;
    const int8_t *in = rows->in[0] + x * in_c;
    tb_tile_unpack(&to, in, in_c, fours, n);
    tb_tile_unpack_left(to, 0, in + 4 * fours, in_c, in_c % 4, n);
}

void tb_pointwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const uint32_t bytes = tb_pointwise_pairs_scratch(op->sw, op->in_c);
    tb_tile_row(op, rows, (int8_t *)scratch + bytes, op->in_c, gather);
}
