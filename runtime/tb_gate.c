/* tb_gate.c - TFLite's MUL of int8 by one value a channel, as a squeeze-and-
 * excite block ends: every pixel of the row with the vector that is the second
 * input. multiplier, shift: of in_scale * in2_scale / out_scale. */
#include "tb_inner.h"

/* out may be the row. */
void tb_gate_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbRequant r = tb_requant(op);
    const int32_t zero = op->in_zero, zero2 = op->in2_zero;
    const int32_t multiplier = op->multiplier[0], shift = op->shift[0];
    const int channels = op->out_c, out_w = op->out_w;
    const int8_t *x = rows->in[0], *gate = rows->in[1];
    int8_t *out = rows->out[0];
    (void)scratch;

    for (int i = 0; i < out_w; i++, x += channels, out += channels)
        for (int c = 0; c < channels; c++)
            out[c] = tb_moved(&r, tb_scale((x[c] - zero) * (gate[c] - zero2), multiplier, shift));
}
