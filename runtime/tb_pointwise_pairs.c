#include "tb_tile.h"

/* The pixel itself is all the window there is. */
TB_INLINE void gather(const TbOp *op, const TbRows *rows, const int pixel[TB_TILE], TbWord *to)
{
    const int in_c = op->in_c, fours = in_c / 4;
    const int8_t *in = rows->in[0];
    const int8_t *const from[] = {in + pixel[0] * in_c, in + pixel[1] * in_c, in + pixel[2] * in_c,
                                  in + pixel[3] * in_c};
    to = tb_tile_unpack(to, from, 4, fours);
    for (int k = 0; k < in_c % 4; k++)
        for (int i = 0; i < TB_TILE; i++)
            *tb_tile_left(to, k, i) = from[i][fours * 4 + k];
    tb_tile_even(to, in_c % 4);
}

void tb_pointwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    tb_tile_row(op, rows, (TbWord *)scratch, op->in_c, gather);
}
