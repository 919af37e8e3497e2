#include "tb_inner.h"

/* TFLite gives the sum of two int8 a headroom of 20 bits. No shift is positive,
 * so inputs stay below 2^28 and sums below 2^29. That leaves room to double
 * them, and then gemmlowp's high multiply is the high word of one product. */
enum { LEFT_SHIFT = 20 };

/* One of the three rescalings: tb_scale() with its constants made once a row. */
typedef struct {
    int32_t multiplier;
    int32_t half, away; /* of 2^right; -1 when there are halves, which go away from zero */
    int right;
} Rescale;

TB_INLINE Rescale rescale_of(const TbOp *op, int i)
{
    const int right = -op->shift[i];
    const Rescale r = {op->multiplier[i], right > 0 ? 1 << (right - 1) : 0, -(right > 0), right};
    return r;
}

TB_INLINE int32_t rescale(const Rescale *r, int32_t twice_x)
{
    const int64_t product = (int64_t)twice_x * r->multiplier;
    const int32_t x = (int32_t)(product >> 32) + (int32_t)((uint32_t)product >> 31);
    return (x + r->half + ((x >> 31) & r->away)) >> r->right;
}

/* out = (a * 2^20 scaled + b * 2^20 scaled) scaled; out may be one of the rows. */
void tb_add_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const Rescale first = rescale_of(op, 0), second = rescale_of(op, 1), both = rescale_of(op, 2);
    const int32_t zero = op->in_zero * (2 << LEFT_SHIFT), zero2 = op->in2_zero * (2 << LEFT_SHIFT);
    const int32_t out_zero = op->out_zero, low = op->act_min, high = op->act_max;
    const int n = op->out_w * op->out_c;
    const int8_t *a = rows->in[0], *b = rows->in[1];
    int8_t *out = rows->out[0];
    (void)scratch;

    for (int i = 0; i < n; i++) {
        const int32_t x = rescale(&first, a[i] * (2 << LEFT_SHIFT) - zero);
        const int32_t y = rescale(&second, b[i] * (2 << LEFT_SHIFT) - zero2);
        out[i] = tb_clamp(rescale(&both, 2 * (x + y)) + out_zero, low, high);
    }
}
