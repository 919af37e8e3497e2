/* tb_gate.c - TFLite's MUL of int8 by one value a channel, as a squeeze-and-
 * excite block ends: every pixel of the row with the vector that is the second
 * input. multiplier, shift: of in_scale * in2_scale / out_scale. */
#include "simd.h"

/* out may be the row. */
void tb_gate_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbRequant r = tb_requant(op);
    const int32_t zero = op->in_zero, zero2 = op->in2_zero;
    const int32_t multiplier = op->multiplier[0], shift = op->shift[0];
    const int channels = op->out_c, out_w = op->out_w;
    const int8_t *x = rows->in[0], *gate = rows->in[1];
    int8_t *out = rows->out[0];
    const int quickly = TB_DSP && tb_is_quick(0, multiplier, shift) && op->act_min == -128 &&
                        op->act_max == 127;
    const TbQuick none = {0, 0, 0}, q = quickly ? tb_quick(multiplier, shift, op->out_zero) : none;
    (void)scratch;

    for (int i = 0; i < out_w; i++, x += channels, out += channels)
        for (int c = 0; c < channels; c++) {
            const int32_t product = (x[c] - zero) * (gate[c] - zero2);
            out[c] = quickly ? (int8_t)tb_quick_output(&q, product)
                             : tb_moved(&r, tb_scale(product, multiplier, shift));
        }
}
