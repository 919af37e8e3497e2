#include "tb_inner.h"

enum { LEFT_SHIFT = 20 }; /* TFLite's headroom for sums of two int8 */

/* out = (a * 2^20 scaled + b * 2^20 scaled) scaled; out may be one of the rows. */
void tb_add_row(const TbOp *op, const int8_t *const *rows, int8_t *out, void *scratch)
{
    const int32_t *m = op->multiplier;
    const int8_t *shift = op->shift;
    const int32_t m0 = m[0], m1 = m[1], m2 = m[2];
    const int s0 = shift[0], s1 = shift[1], s2 = shift[2];
    const int32_t zero = op->in_zero, zero2 = op->in2_zero, out_zero = op->out_zero;
    const int32_t low = op->act_min, high = op->act_max;
    const int n = op->out_w * op->out_c;
    const int8_t *a = rows[0], *b = rows[1];
    (void)scratch;

    for (int i = 0; i < n; i++) {
        const int32_t x = tb_scale((a[i] - zero) * (1 << LEFT_SHIFT), m0, s0);
        const int32_t y = tb_scale((b[i] - zero2) * (1 << LEFT_SHIFT), m1, s1);
        const int32_t sum = (int32_t)((uint32_t)x + (uint32_t)y);
        out[i] = tb_clamp(tb_scale(sum, m2, s2) + out_zero, low, high);
    }
}
