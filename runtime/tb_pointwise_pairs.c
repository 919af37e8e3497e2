#include "tb_tile.h"

/* The pixel itself is all the window there is. */
TB_INLINE void gather(const TbOp *op, const TbRows *rows, int x, int n, int pixels, TbWord *to)
{
    const int in_c = op->in_c;
    const int8_t *in = rows->in[0] + x * in_c;
    const TbSpread spread = tb_tile_spread(n, in_c);
    TbTaps4 from = {in, in + spread.second, in + spread.third, in + spread.fourth};
    tb_tile_unpack(&to, &from, in_c / 4, pixels);
    tb_tile_unpack_left(to, 0, &from, in_c % 4, pixels);
}

void tb_pointwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    tb_tile_row(op, rows, (TbWord *)scratch, op->in_c, gather);
}
