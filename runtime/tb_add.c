#include "simd.h"
#include "simd_mve.h"

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

/* What any constants want. */
static void add_any(const TbOp *op, const int8_t *a, const int8_t *b, int8_t *out, int n)
{
    const Rescale first = rescale_of(op, 0), second = rescale_of(op, 1), both = rescale_of(op, 2);
    const int32_t zero = op->in_zero * (2 << LEFT_SHIFT), zero2 = op->in2_zero * (2 << LEFT_SHIFT);
    const int32_t out_zero = op->out_zero, low = op->act_min, high = op->act_max;

    for (int i = 0; i < n; i++) {
        const int32_t x = rescale(&first, a[i] * (2 << LEFT_SHIFT) - zero);
        const int32_t y = rescale(&second, b[i] * (2 << LEFT_SHIFT) - zero2);
        out[i] = tb_clamp(rescale(&both, 2 * (x + y)) + out_zero, low, high);
    }
}

/* TFLite scales inputs by their share of twice the larger scale: that one's is
 * exactly a half, and its input only shifted. For the other, q - zero and its
 * product have one sign, so the half that goes away from zero is known early;
 * what is added then also brings the first one's zero point, if there is room
 * for it above `right` bits. */
typedef struct {
    int32_t zero;       /* of the other input, doubled and shifted */
    int32_t multiplier; /* of it */
    int32_t round, right;
    TbQuick both;
} QuickAdd;

enum { HALF = 1 << 30, MOST_RIGHT = 4 };

TB_INLINE int is_half(const TbOp *op, int i)
{
    return op->multiplier[i] == HALF && op->shift[i] == 0;
}

/* halved: the input, 0 or 1, whose scale is the larger one. */
TB_INLINE int is_quick_add(const TbOp *op, int halved)
{
    const int other = 1 - halved, right = -op->shift[other];
    return is_half(op, halved) && right <= MOST_RIGHT &&
           (right > 0 ? op->multiplier[other] >= HALF : op->multiplier[other] == HALF) &&
           tb_is_quick(0, op->multiplier[2], op->shift[2]) && op->act_min == -128 &&
           op->act_max == 127;
}

/* A half of both is one of twice the largest multiplier there is: |q - zero| < 2^10. */
TB_INLINE QuickAdd quick_add(const TbOp *op, int halved)
{
    const int other = 1 - halved, equal = op->shift[other] == 0, right = equal - op->shift[other];
    const int32_t zero[] = {op->in_zero, op->in2_zero};
    const QuickAdd q = {
        zero[other] * (2 << LEFT_SHIFT),
        equal ? INT32_MAX : op->multiplier[other],
        (1 << (right - 1)) - zero[halved] * (1 << (LEFT_SHIFT - 1 + right)),
        right,
        tb_quick(op->multiplier[2], op->shift[2], op->out_zero),
    };
    return q;
}

TB_INLINE void add_values(const QuickAdd *q, const int8_t *halved, const int8_t *other, int8_t *out,
                          int n)
{
    TB_UNROLL
    for (int i = 0; i < n; i++) {
        const int32_t x = other[i] * (2 << LEFT_SHIFT) - q->zero;
        const int32_t y = (tb_high_mac(x, q->multiplier, q->round) + (x >> 31)) >> q->right;
        out[i] = (int8_t)tb_quick_output(&q->both, y + halved[i] * (1 << (LEFT_SHIFT - 1)));
    }
}

static void add_quickly(const QuickAdd *add, const int8_t *halved, const int8_t *other, int8_t *out,
                        int n)
{
    const QuickAdd q = *add;
    for (; n >= 4; n -= 4, halved += 4, other += 4, out += 4)
        add_values(&q, halved, other, out, 4);
    for (; n > 0; n--)
        add_values(&q, halved++, other++, out++, 1);
}

#if TB_MVE
/* One input of four, rescaled. */
TB_INLINE int32x4_t rescale_four(const TbOp *op, int i, int32x4_t x, int32_t zero)
{
    x = vshlq_n_s32(vsubq_n_s32(x, zero), LEFT_SHIFT);
    return tb_scale_same(x, op->multiplier[i], vdupq_n_s32(op->shift[i]));
}

TB_INLINE int32x4_t add_four(const TbOp *op, int32x4_t x, int32x4_t y)
{
    x = vaddq_s32(rescale_four(op, 0, x, op->in_zero), rescale_four(op, 1, y, op->in2_zero));
    x = tb_scale_same(x, op->multiplier[2], vdupq_n_s32(op->shift[2]));
    x = vmaxq_s32(vaddq_n_s32(x, op->out_zero), vdupq_n_s32(op->act_min));
    return vminq_s32(x, vdupq_n_s32(op->act_max));
}

/* Any constants; what is left of the last four under a predicate. */
static void add_fours(const TbOp *op, const int8_t *a, const int8_t *b, int8_t *out, int n)
{
    const int32_t multiplier[] = {op->multiplier[0], op->multiplier[1], op->multiplier[2]};
    const int8_t shift[] = {op->shift[0], op->shift[1], op->shift[2]};
    TbOp own = *op; /* which no output can lie over */
    own.multiplier = multiplier, own.shift = shift;
    for (; n >= 4; n -= 4, a += 4, b += 4, out += 4)
        vstrbq_s32(out, add_four(&own, vldrbq_s32(a), vldrbq_s32(b)));
    const mve_pred16_t left = vctp32q((uint32_t)n);
    const int32x4_t x = vldrbq_z_s32(a, left), y = vldrbq_z_s32(b, left);
    vstrbq_p_s32(out, add_four(&own, x, y), left);
}
#endif

/* out = (a * 2^20 scaled + b * 2^20 scaled) scaled; out may be one of the rows. */
void tb_add_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const int n = op->out_w * op->out_c, halved = !is_half(op, 0);
    (void)scratch;

#if TB_MVE
    add_fours(op, rows->in[0], rows->in[1], rows->out[0], n);
    return;
#endif
    if (TB_DSP && is_quick_add(op, halved)) {
        const QuickAdd q = quick_add(op, halved);
        add_quickly(&q, rows->in[halved], rows->in[1 - halved], rows->out[0], n);
    } else {
        add_any(op, rows->in[0], rows->in[1], rows->out[0], n);
    }
}
