#include "runtime/scratch.h"
#include "runtime/tb.h"

#include "base/alloc.h"
#include "base/rng.h"

#include "tests/suite.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ---- a slow, obvious reference: gemmlowp's arithmetic as its papers say it ---- */

static int32_t slow_high_mul(int32_t a, int32_t b)
{
    int64_t product = (int64_t)a * b;
    int64_t nudge = product >= 0 ? 1LL << 30 : 1 - (1LL << 30);
    if (a == INT32_MIN && b == INT32_MIN)
        return INT32_MAX;
    return (int32_t)((product + nudge) / (1LL << 31));
}

static int32_t slow_round_shift(int32_t x, int n)
{
    int64_t size = 1LL << n, magnitude = x < 0 ? -(int64_t)x : x;
    int64_t rounded = (2 * magnitude + size) / (2 * size); /* halves up in magnitude */
    return (int32_t)(x < 0 ? -rounded : rounded);
}

static int32_t slow_scale(int32_t x, int32_t multiplier, int shift)
{
    int left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    int32_t wide = (int32_t)(uint32_t)((uint64_t)(uint32_t)x * (1ULL << left));
    return slow_round_shift(slow_high_mul(wide, multiplier), right);
}

static int8_t slow_clamp(int64_t x, const TbOp *op)
{
    return (int8_t)(x < op->act_min ? op->act_min : x > op->act_max ? op->act_max : x);
}

static int8_t slow_output(const TbOp *op, int64_t sum, int c)
{
    int32_t scaled = slow_scale((int32_t)sum, op->multiplier[c], op->shift[c]);
    return slow_clamp((int64_t)scaled + op->out_zero, op);
}

/* One tap of a padded tensor; false in the padding. */
static bool tap(const TbOp *op, const int8_t *in, int oy, int ox, int ky, int kx, int c, int *value)
{
    int y = oy * op->sh - op->pad_top + ky, x = ox * op->sw - op->pad_left + kx;
    if (y < 0 || y >= op->in_h || x < 0 || x >= op->in_w)
        return false;
    *value = in[((y * op->in_w) + x) * op->in_c + c];
    return true;
}

static int8_t slow_mac(const TbOp *op, const int8_t *in, int oy, int ox, int oc)
{
    bool apart = op->kernel == tb_depthwise_row;
    int multiplier = apart ? op->out_c / op->in_c : 1;
    int64_t sum = op->bias[oc];
    for (int ky = 0; ky < op->kh; ky++)
        for (int kx = 0; kx < op->kw; kx++)
            for (int ic = 0; ic < op->in_c; ic++) {
                int at = ((oc * op->kh + ky) * op->kw + kx) * op->in_c + ic, value;
                if (apart)
                    at = (ky * op->kw + kx) * op->out_c + oc;
                if ((!apart || ic == oc / multiplier) && tap(op, in, oy, ox, ky, kx, ic, &value))
                    sum += (value - op->in_zero) * op->weights[at];
            }
    return slow_output(op, sum, oc);
}

static int8_t slow_pool(const TbOp *op, const int8_t *in, int oy, int ox, int c)
{
    int sum = 0, count = 0, most = -128, value;
    for (int ky = 0; ky < op->kh; ky++)
        for (int kx = 0; kx < op->kw; kx++)
            if (tap(op, in, oy, ox, ky, kx, c, &value)) {
                sum += value;
                count++;
                most = value > most ? value : most;
            }
    if (op->kernel == tb_max_pool_row)
        return slow_clamp(most, op);
    if (count == 0)
        return slow_clamp(0, op);
    int magnitude = (2 * abs(sum) + count) / (2 * count);
    return slow_clamp(sum < 0 ? -magnitude : magnitude, op);
}

static int8_t slow_add(const TbOp *op, int a, int b)
{
    int32_t x = slow_scale((a - op->in_zero) * (1 << 20), op->multiplier[0], op->shift[0]);
    int32_t y = slow_scale((b - op->in2_zero) * (1 << 20), op->multiplier[1], op->shift[1]);
    int32_t sum = (int32_t)((uint32_t)x + (uint32_t)y);
    return slow_clamp((int64_t)slow_scale(sum, op->multiplier[2], op->shift[2]) + op->out_zero, op);
}

static int8_t slow_mean(const TbOp *op, const int8_t *in, int oy, int ox, int c)
{
    int64_t sum = 0;
    int value = 0;
    for (int ky = 0; ky < op->kh; ky++)
        for (int kx = 0; kx < op->kw; kx++) {
            ck_assert(tap(op, in, oy, ox, ky, kx, c, &value));
            sum += value - op->in_zero;
        }
    return slow_output(op, sum, 0);
}

static int8_t slow_gate(const TbOp *op, int a, int b)
{
    return slow_output(op, (a - op->in_zero) * (b - op->in2_zero), 0);
}

/* round(x * 2^bits): the constants of gemmlowp's polynomials, from what they mean */
static int32_t fixed(double x, int bits)
{
    return (int32_t)llround(ldexp(x, bits));
}

static int32_t saturated(int64_t x)
{
    return (int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
}

/* Q5.26 to Q0.31 */
static int32_t slow_exp(int32_t a)
{
    int32_t quarter = fixed(0.25, 26), part = a, times = 0;
    if (a == 0)
        return INT32_MAX;
    for (; part < -quarter; times++)
        part += quarter;
    int32_t x = saturated(32LL * part) + fixed(0.125, 31);
    int32_t x2 = slow_high_mul(x, x), x3 = slow_high_mul(x2, x), x4 = slow_high_mul(x2, x2);
    int32_t high = slow_high_mul(slow_round_shift(x4, 2) + x3, fixed(1.0 / 3, 31)) + x2;
    int32_t first = fixed(exp(-0.125), 31);
    int32_t e = first + slow_high_mul(first, x + slow_round_shift(high, 1));
    for (int bit = 0; bit < 7; bit++)
        if (times >> bit & 1)
            e = slow_high_mul(e, fixed(exp(-ldexp(1, bit - 2)), 31));
    return e;
}

/* 1 / (1 + x), Q0.31 */
static int32_t slow_reciprocal(int32_t x)
{
    int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2), one = fixed(1, 29);
    int32_t y = fixed(48.0 / 17, 29) + slow_high_mul(half, fixed(-32.0 / 17, 29));
    for (int i = 0; i < 3; i++)
        y += saturated(4LL * slow_high_mul(y, one - slow_high_mul(half, y)));
    return saturated(2LL * y);
}

static void slow_softmax(const TbOp *op, const int8_t *in, int8_t *out)
{
    int n = op->out_c, most = -128, zeros = 0;
    int32_t e[4096], sum = 0;
    int64_t least = (31LL << 26) / (1LL << op->shift[0]);
    for (int c = 0; c < n; c++)
        most = in[c] > most ? in[c] : most;
    for (int c = 0; c < n; c++) {
        int32_t scaled = slow_high_mul((int32_t)saturated((int64_t)(in[c] - most) *
                                                          (1LL << op->shift[0])),
                                       op->multiplier[0]);
        e[c] = in[c] - most < -least ? 0 : slow_exp(scaled);
        sum += slow_round_shift(e[c], 12);
    }
    while (sum < 1LL << (31 - zeros - 1))
        zeros++;
    zeros++; /* the sign */
    int32_t scale = slow_reciprocal((int32_t)(((int64_t)sum << (zeros - 1)) * 2 - (1LL << 31)));
    for (int c = 0; c < n; c++) {
        int32_t q = slow_round_shift(slow_high_mul(scale, e[c]), 12 - zeros + 31 - 8);
        out[c] = (int8_t)(q - 128 > 127 ? 127 : q - 128);
    }
}

static int8_t slow_value(const TbOp *op, const int8_t *in, const int8_t *in2, int y, int x, int c)
{
    int at = (y * op->out_w + x) * op->out_c + c;
    if (op->kernel == tb_add_row)
        return slow_add(op, in[at], in2[at]);
    if (op->kernel == tb_gate_row)
        return slow_gate(op, in[at], in2[c]);
    if (op->kernel == tb_lookup_row)
        return op->weights[in[at] + 128];
    if (op->kernel == tb_mean_row)
        return slow_mean(op, in, y, x, c);
    if (op->kernel == tb_avg_pool_row || op->kernel == tb_max_pool_row)
        return slow_pool(op, in, y, x, c);
    return slow_mac(op, in, y, x, c);
}

static void slow_layer(const TbOp *op, const int8_t *in, const int8_t *in2, int8_t *out)
{
    for (int y = 0; y < op->out_h; y++)
        for (int x = 0; x < op->out_w; x++) {
            int at = (y * op->out_w + x) * op->out_c;
            if (op->kernel == tb_softmax_row)
                slow_softmax(op, in + at, out + at);
            else
                for (int c = 0; c < op->out_c; c++)
                    out[at + c] = slow_value(op, in, in2, y, x, c);
        }
}

/* ---- random layers ---- */

enum { MOST_C = 40 };  /* more than two blocks of channels */
enum { TABLE = 256 };  /* of a lookup */

typedef struct {
    TbOp op;
    int32_t bias[MOST_C], multiplier[MOST_C];
    int8_t shift[MOST_C];
    int8_t *weights;
} Sample;

static int between(Rng *rng, int low, int high)
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

static int8_t any_int8(Rng *rng)
{
    return (int8_t)between(rng, -128, 127);
}

/* Mostly what quantisation makes, now and then anything tb.h allows. */
static void draw_requant(Sample *s, Rng *rng, int n)
{
    bool wild = rng_below(rng, 4) == 0, add = s->op.kernel == tb_add_row;
    for (int i = 0; i < n; i++) {
        s->multiplier[i] = between(rng, 1 << 30, INT32_MAX);
        s->shift[i] = (int8_t)between(rng, -11, -1);
        s->bias[i] = between(rng, -20000, 20000);
        if (wild) {
            s->multiplier[i] = rng_below(rng, 5) ? (int32_t)(rng_next(rng) >> 33) : 0;
            s->shift[i] = (int8_t)between(rng, -31, add ? 0 : 30);
            s->bias[i] = (int32_t)(rng_next(rng) >> 32) / 2;
        }
    }
    if (s->op.kernel == tb_softmax_row) /* scales from 2^-10 to 1 */
        s->shift[0] = (int8_t)between(rng, 17, 26);
}

static void draw_window(TbOp *op, Rng *rng, int most)
{
    op->kh = (uint8_t)between(rng, 1, most);
    op->kw = (uint8_t)between(rng, 1, most);
    op->sh = (uint8_t)between(rng, 1, 3);
    op->sw = (uint8_t)between(rng, 1, 3);
    op->pad_top = (uint8_t)between(rng, 0, op->kh - 1);
    op->pad_left = (uint8_t)between(rng, 0, op->kw - 1);
    int bottom = between(rng, 0, op->kh - 1), right = between(rng, 0, op->kw - 1);
    int h = op->in_h + op->pad_top + bottom - op->kh, w = op->in_w + op->pad_left + right - op->kw;
    op->out_h = (uint16_t)(h < 0 ? 1 : h / op->sh + 1);
    op->out_w = (uint16_t)(w < 0 ? 1 : w / op->sw + 1);
}

static bool has_window(const TbOp *op)
{
    return op->kernel == tb_conv_row || op->kernel == tb_depthwise_row ||
           op->kernel == tb_avg_pool_row || op->kernel == tb_max_pool_row;
}

/* Over rows, columns, both or (a change of scale) neither. */
static void draw_mean(TbOp *op, Rng *rng)
{
    if (rng_below(rng, 3)) {
        op->kh = (uint8_t)op->in_h;
        op->out_h = 1;
    }
    if (rng_below(rng, 3)) {
        op->kw = (uint8_t)op->in_w;
        op->out_w = 1;
    }
}

static void draw_shape(TbOp *op, Rng *rng)
{
    op->in_h = (uint16_t)between(rng, 1, 9);
    op->in_w = (uint16_t)between(rng, 1, 11);
    op->in_c = (uint16_t)between(rng, 1, MOST_C);
    op->out_c = op->in_c;
    op->out_h = op->in_h;
    op->out_w = op->in_w;
    op->kh = op->kw = op->sh = op->sw = op->block = 1;
    if (op->kernel == tb_dense_row) {
        op->kh = (uint8_t)op->in_h;
        op->kw = (uint8_t)op->in_w;
        op->out_h = op->out_w = 1;
    } else if (op->kernel == tb_mean_row) {
        draw_mean(op, rng);
    } else if (has_window(op)) {
        draw_window(op, rng, 7);
    }
    if (op->kernel == tb_dense_row || op->kernel == tb_pointwise_row || op->kernel == tb_conv_row)
        op->out_c = (uint16_t)between(rng, 1, MOST_C);
}

static void draw_op(Sample *s, Rng *rng, TbKernel *kernel)
{
    memset(s, 0, sizeof *s);
    TbOp *op = &s->op;
    op->kernel = kernel;
    draw_shape(op, rng);
    op->in_zero = any_int8(rng);
    op->in2_zero = any_int8(rng);
    op->out_zero = any_int8(rng);
    op->act_min = rng_below(rng, 2) ? -128 : any_int8(rng);
    op->act_max = (int8_t)(rng_below(rng, 2) ? 127 : between(rng, op->act_min, 127));
    int n = op->out_c * op->kh * op->kw * op->in_c + (kernel == tb_lookup_row ? TABLE : 0);
    s->weights = xmalloc((size_t)n);
    for (int i = 0; i < n; i++)
        s->weights[i] = any_int8(rng);
    draw_requant(s, rng, op->out_c < 3 ? 3 : op->out_c);
    op->weights = s->weights;
    op->bias = s->bias;
    op->multiplier = s->multiplier;
    op->shift = s->shift;
}

static int8_t *draw_tensor(Rng *rng, size_t n)
{
    int8_t *t = xmalloc(n); /* exactly n, so that a sanitizer sees a step aside */
    for (size_t i = 0; i < n; i++)
        t[i] = any_int8(rng);
    return t;
}

/* ---- kernels ---- */

static void fast_row(const TbOp *op, const int8_t *in, const int8_t *in2, int y, int8_t *out)
{
    TbRows rows = {.out = {out}, .y = y};
    int in_row = op->in_w * op->in_c;
    for (int k = 0; k < op->kh; k++) {
        int at = y * op->sh - op->pad_top + k;
        rows.in[k] = at >= 0 && at < op->in_h ? in + at * in_row : NULL;
    }
    if (op->kernel == tb_add_row || op->kernel == tb_gate_row)
        rows.in[1] = in2 + (op->kernel == tb_gate_row ? 0 : y * in_row);
    op->kernel(op, &rows, NULL);
}

/* A row between two guards, which nobody may touch. */
enum { GUARD = 24 };

static int8_t *guarded(size_t n)
{
    int8_t *memory = xmalloc(n + 2 * GUARD);
    memset(memory, 0x6B, n + 2 * GUARD);
    return memory + GUARD;
}

static bool guards_stand(const int8_t *row, size_t n)
{
    for (int i = 0; i < GUARD; i++)
        if (row[-1 - i] != 0x6B || row[n + (size_t)i] != 0x6B)
            return false;
    return true;
}

static void free_guarded(int8_t *row)
{
    free(row - GUARD);
}

static void sample_equals_reference(const TbOp *op, Rng *rng, int i)
{
    size_t n_in = (size_t)op->in_h * op->in_w * op->in_c, row = (size_t)op->out_w * op->out_c;
    int8_t *in = draw_tensor(rng, n_in), *in2 = draw_tensor(rng, n_in);
    int8_t *expected = xmalloc(row * op->out_h), *out = guarded(row);
    slow_layer(op, in, in2, expected);
    for (int y = 0; y < op->out_h; y++) {
        fast_row(op, in, in2, y, out);
        ck_assert_msg(memcmp(out, expected + (size_t)y * row, row) == 0,
                      "sample %d row %d: %dx%dx%d -> %dx%dx%d k%dx%d s%dx%d", i, y, op->in_h,
                      op->in_w, op->in_c, op->out_h, op->out_w, op->out_c, op->kh, op->kw, op->sh,
                      op->sw);
        ck_assert_msg(guards_stand(out, row), "sample %d row %d writes beside it", i, y);
    }
    free(in), free(in2), free(expected), free_guarded(out);
}

static void kernel_equals_reference(TbKernel *kernel, uint64_t seed, int times)
{
    Rng rng = rng_make(seed, 0);
    for (int i = 0; i < times; i++) {
        Sample s;
        draw_op(&s, &rng, kernel);
        sample_equals_reference(&s.op, &rng, i);
        free(s.weights);
    }
}

TEST(conv_equals_the_reference)
{
    kernel_equals_reference(tb_conv_row, 1, 400);
}
END

TEST(depthwise_equals_the_reference)
{
    kernel_equals_reference(tb_depthwise_row, 2, 600);
}
END

TEST(pointwise_equals_the_reference)
{
    kernel_equals_reference(tb_pointwise_row, 3, 1500);
}
END

TEST(add_equals_the_reference)
{
    kernel_equals_reference(tb_add_row, 4, 1500);
}
END

TEST(average_pool_equals_the_reference)
{
    kernel_equals_reference(tb_avg_pool_row, 5, 1500);
}
END

TEST(max_pool_equals_the_reference)
{
    kernel_equals_reference(tb_max_pool_row, 6, 1500);
}
END

TEST(dense_equals_the_reference)
{
    kernel_equals_reference(tb_dense_row, 7, 1000);
}
END

TEST(mean_equals_the_reference)
{
    kernel_equals_reference(tb_mean_row, 12, 1500);
}
END

TEST(gate_equals_the_reference)
{
    kernel_equals_reference(tb_gate_row, 13, 1000);
}
END

TEST(lookup_equals_the_reference)
{
    kernel_equals_reference(tb_lookup_row, 14, 300);
}
END

TEST(softmax_equals_the_reference)
{
    kernel_equals_reference(tb_softmax_row, 15, 300);
}
END

/* in_c channels become m * in_c, whose weights are drawn anew. */
TEST(depthwise_with_a_multiplier_equals_the_reference)
{
    Rng rng = rng_make(16, 0);
    for (int i = 0; i < 600; i++) {
        Sample s;
        draw_op(&s, &rng, tb_depthwise_row);
        int m = between(&rng, 2, 8), c = between(&rng, 1, MOST_C / m);
        s.op.in_c = (uint16_t)c;
        s.op.out_c = (uint16_t)(m * c);
        free(s.weights);
        s.op.weights = s.weights = draw_tensor(&rng, (size_t)s.op.kh * s.op.kw * s.op.out_c);
        draw_requant(&s, &rng, MOST_C);
        sample_equals_reference(&s.op, &rng, i);
        free(s.weights);
    }
}
END

/* TFLite's division by 9 of scales that are the same: 2^30 * 2^(1 - 31) = 1 becomes
 * floor(2^30 * 2^3 / 9) and a shift of 1 - 3. */
TEST(a_mean_worked_out_by_hand)
{
    const int8_t in[] = {10, 20, 30, -40, -1, 7, 6, 5, 5};
    const int32_t multiplier = 954437176;
    const int8_t shift = -2;
    int8_t out[1];
    TbOp op = {.kernel = tb_mean_row, .multiplier = &multiplier, .shift = &shift, .in_h = 3,
               .in_w = 3, .in_c = 1, .out_h = 1, .out_w = 1, .out_c = 1, .kh = 3, .kw = 3,
               .sh = 1, .sw = 1, .in_zero = -3, .out_zero = 100, .act_min = -128, .act_max = 127};
    const TbRows rows = {.in = {in, in + 3, in + 6}, .out = {out}};
    tb_mean_row(&op, &rows, NULL);
    ck_assert_int_eq(out[0], 108); /* (42 + 27) / 9 = 7.67, and 100 */
}
END

/* What fixed point makes of it is at most one step from the real number. */
TEST(softmax_is_near_the_real_one)
{
    Rng rng = rng_make(17, 0);
    for (int i = 0; i < 300; i++) {
        const double scale = ldexp(1, -between(&rng, 1, 9)) * (1 + between(&rng, 0, 99) / 100.0);
        int exponent, n = between(&rng, 1, 300);
        const int32_t multiplier = (int32_t)(frexp(scale * (1 << 26), &exponent) * 2147483648.0);
        const int8_t shift = (int8_t)exponent;
        int8_t *in = draw_tensor(&rng, (size_t)n), *out = guarded((size_t)n);
        TbOp op = {.multiplier = &multiplier, .shift = &shift, .out_w = 1, .out_c = (uint16_t)n};
        const TbRows rows = {.in = {in}, .out = {out}};
        double sum = 0;
        for (int c = 0; c < n; c++)
            sum += exp(in[c] * scale);
        tb_softmax_row(&op, &rows, NULL);
        for (int c = 0; c < n; c++) {
            double real = 256 * exp(in[c] * scale) / sum;
            ck_assert_double_le(fabs(out[c] + 128 - (real > 255 ? 255 : real)), 1);
        }
        ck_assert(guards_stand(out, (size_t)n));
        free(in), free_guarded(out);
    }
}
END

static int read_bytes(const char *path, int8_t *to, int most)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    int n = (int)fread(to, 1, (size_t)most, f);
    fclose(f);
    return n;
}

/* The scale of the logits is a fact of the model; beta is 1. */
static void softmax_equals_golden(const char *model, float scale)
{
    int exponent;
    const double real = (double)scale * (1 << 26);
    const int32_t multiplier = (int32_t)llround(frexp(real, &exponent) * 2147483648.0);
    const int8_t shift = (int8_t)exponent;
    for (int k = 0; k < 8; k++) {
        char name[128];
        int8_t in[64], expected[64], out[64];
        snprintf(name, sizeof name, "data/models/golden/%s/logits_%d.bin", model, k);
        int n = read_bytes(shared_file(name), in, sizeof in);
        snprintf(name, sizeof name, "data/models/golden/%s/output_%d.bin", model, k);
        ck_assert_int_eq(read_bytes(shared_file(name), expected, sizeof expected), n);
        TbOp op = {.multiplier = &multiplier, .shift = &shift, .out_w = 1, .out_c = (uint16_t)n};
        const TbRows rows = {.in = {in}, .out = {out}};
        tb_softmax_row(&op, &rows, NULL);
        ck_assert_msg(memcmp(out, expected, (size_t)n) == 0, "%s, input %d", model, k);
    }
}

TEST(softmax_equals_tflite_micro)
{
    SKIP_WITHOUT(shared_file("data/models/golden/kws_ref_model/logits_0.bin"));
    softmax_equals_golden("kws_ref_model", 0.14469251036643982f);
    softmax_equals_golden("vww_96_int8", 0.014636218547821045f);
    softmax_equals_golden("pretrainedResnet_quant", 0.17185351252555847f);
    softmax_equals_golden("micro_speech_quantized", 0.09173192083835602f);
}
END

TEST(a_pointwise_worked_out_by_hand)
{
    /* 0.25 = 2^30 * 2^(-1 - 31): halves away from zero after the multiplication */
    const int8_t weights[] = {1, 2, -3, 0, 0, 4}, in[] = {5, -1, 9};
    const int32_t bias[] = {0, -2}, multiplier[] = {1 << 30, 1 << 30};
    const int8_t shift[] = {-1, -1};
    TbOp op = {.kernel = tb_pointwise_row, .weights = weights, .bias = bias,
               .multiplier = multiplier, .shift = shift, .in_h = 1, .in_w = 1, .in_c = 3,
               .out_h = 1, .out_w = 1, .out_c = 2, .kh = 1, .kw = 1, .sh = 1, .sw = 1,
               .in_zero = -1, .out_zero = 10, .act_min = -128, .act_max = 127};
    int8_t out[2];
    const TbRows rows = {.in = {in}, .out = {out}};
    tb_pointwise_row(&op, &rows, NULL);
    ck_assert_int_eq(out[0], 10 - 6); /* (6 + 0 - 30) / 4 */
    ck_assert_int_eq(out[1], 10 + 10); /* (40 - 2) / 4 = 9.5 */
    op.act_max = 12;
    tb_pointwise_row(&op, &rows, NULL);
    ck_assert_int_eq(out[1], 12);
}
END

TEST(halves_go_away_from_zero_in_an_average)
{
    const int8_t in[] = {1, 2, -1, -2, 127, 126, -128, -127};
    int8_t out[4];
    const TbRows rows = {.in = {in}, .out = {out}};
    TbOp op = {.kernel = tb_avg_pool_row, .in_h = 1, .in_w = 8, .in_c = 1, .out_h = 1, .out_w = 4,
               .out_c = 1, .kh = 1, .kw = 2, .sh = 1, .sw = 2, .act_min = -128, .act_max = 127};
    tb_avg_pool_row(&op, &rows, NULL);
    const int8_t expected[] = {2, -2, 127, -128};
    ck_assert_mem_eq(out, expected, 4);
}
END

TEST(an_add_may_write_over_either_input)
{
    Rng rng = rng_make(8, 0);
    for (int i = 0; i < 500; i++) {
        Sample s;
        draw_op(&s, &rng, tb_add_row);
        size_t n = (size_t)s.op.out_w * s.op.out_c;
        int8_t *in[2] = {draw_tensor(&rng, n), draw_tensor(&rng, n)}, *out = xmalloc(n);
        const TbRows apart = {.in = {in[0], in[1]}, .out = {out}};
        const TbRows over = {.in = {in[0], in[1]}, .out = {in[i % 2]}};
        tb_add_row(&s.op, &apart, NULL);
        tb_add_row(&s.op, &over, NULL);
        ck_assert_mem_eq(out, in[i % 2], n);
        free(in[0]), free(in[1]), free(out), free(s.weights);
    }
}
END

TEST(what_works_on_single_values_may_write_over_its_input)
{
    TbKernel *const kernel[] = {tb_gate_row, tb_lookup_row, tb_softmax_row};
    Rng rng = rng_make(18, 0);
    for (int i = 0; i < 300; i++) {
        Sample s;
        draw_op(&s, &rng, kernel[i % 3]);
        size_t n = (size_t)s.op.out_w * s.op.out_c;
        int8_t *in = draw_tensor(&rng, n), *gate = draw_tensor(&rng, s.op.out_c), *out = xmalloc(n);
        const TbRows apart = {.in = {in, gate}, .out = {out}}, over = {.in = {in, gate}, .out = {in}};
        s.op.kernel(&s.op, &apart, NULL);
        s.op.kernel(&s.op, &over, NULL);
        ck_assert_mem_eq(out, in, n);
        free(in), free(gate), free(out), free(s.weights);
    }
}
END

/* ---- steps of a plan ---- */

typedef struct {
    int y, x0, x1, calls;
} Asked;

static void remember(void *context, int y, int x0, int x1, int8_t *to)
{
    Asked *a = context;
    *a = (Asked){y, x0, x1, a->calls + 1};
    *to = 77;
}

TEST(an_input_row_asks_for_its_columns)
{
    Asked asked = {0};
    int8_t out[6] = {0};
    const TbInput input = {remember, &asked};
    const TbRows rows = {.out = {out}, .y = 5, .input = &input};
    const TbOp op = {.in_h = 10, .in_w = 3, .in_c = 3, .out_h = 8, .out_w = 2, .out_c = 3};
    tb_input_row(&op, &rows, NULL);
    ck_assert_int_eq(asked.calls, 1);
    ck_assert_int_eq(asked.y, 15);
    ck_assert_int_eq(asked.x0, 3);
    ck_assert_int_eq(asked.x1, 5);
    ck_assert_int_eq(out[0], 77);
}
END

/* Any distance, any alignment: the bytes arrive as if there were no overlap, and
 * no others change. */
TEST(a_copy_may_overlap_what_it_copies)
{
    enum { SPACE = 160 };
    Rng rng = rng_make(19, 0);
    for (int i = 0; i < 5000; i++) {
        int step = rng_below(&rng, 2) ? 4 : 1, w = between(&rng, 1, 8), c = between(&rng, 1, 8);
        int from = between(&rng, 0, 80 / step) * step, to = between(&rng, 0, 80 / step) * step;
        _Alignas(4) int8_t bytes[SPACE], expected[SPACE];
        for (int b = 0; b < SPACE; b++)
            bytes[b] = expected[b] = any_int8(&rng);
        memmove(expected + to, expected + from, (size_t)(w * c));
        const TbOp op = {.in_h = 1, .in_w = (uint16_t)w, .in_c = (uint16_t)c};
        const TbRows rows = {.in = {bytes + from}, .out = {bytes + to}};
        tb_copy_row(&op, &rows, NULL);
        ck_assert_mem_eq(bytes, expected, SPACE);
    }
}
END

TEST(a_pool_that_sums_up_rows_equals_the_pool_of_the_whole)
{
    Rng rng = rng_make(20, 0);
    for (int i = 0; i < 500; i++) {
        Sample s;
        draw_op(&s, &rng, tb_avg_pool_row);
        TbOp *op = &s.op;
        size_t row = (size_t)op->in_w * op->in_c, n = op->in_c;
        int8_t *in = draw_tensor(&rng, row * op->in_h), *whole = guarded(n), *summed = guarded(n);
        void *sums = xmalloc(tb_sum_pool_scratch(op->in_c));
        memset(sums, 0x33, tb_sum_pool_scratch(op->in_c));
        op->kh = (uint8_t)op->in_h, op->kw = (uint8_t)op->in_w;
        op->out_h = op->out_w = 1, op->pad_top = op->pad_left = 0;
        fast_row(op, in, NULL, 0, whole);
        op->kernel = tb_sum_pool_row, op->kh = op->kw = op->sh = op->sw = 1, op->out_h = op->in_h;
        for (int y = 0; y < op->in_h; y++) {
            const TbRows rows = {.in = {in + (size_t)y * row}, .out = {summed}, .y = y};
            ck_assert(y == 0 || summed[0] == 0x6B); /* written by the last call */
            tb_sum_pool_row(op, &rows, sums);
        }
        ck_assert_mem_eq(summed, whole, n);
        ck_assert(guards_stand(summed, n));
        free(in), free_guarded(whole), free_guarded(summed), free(sums), free(s.weights);
    }
}
END

/* expansion, depthwise, projection, and the op that does all three */
typedef struct {
    Sample sample[3];
    TbOp op[4];
} Bottleneck;

/* What the layers are when they are executed one by one. */
static void draw_layers(Bottleneck *b, Rng *rng)
{
    static TbKernel *const kernel[] = {tb_pointwise_row, tb_depthwise_row, tb_pointwise_row};
    int k = 2 * between(rng, 1, 3) + 1, s = between(rng, 1, 2), wide = between(rng, 1, MOST_C);
    int h = between(rng, k, 14), w = between(rng, k, 12), c = between(rng, 1, 12);
    int top = between(rng, 0, k - 1), left = between(rng, 0, 1) * between(rng, 0, k - 1);
    int bottom = between(rng, 0, k - 1), right = between(rng, 0, k - 1);
    for (int i = 0; i < 3; i++) {
        draw_op(&b->sample[i], rng, kernel[i]);
        b->op[i] = b->sample[i].op;
        TbOp *op = &b->op[i];
        op->in_h = op->out_h = (uint16_t)h, op->in_w = op->out_w = (uint16_t)w;
        op->in_c = (uint16_t)(i == 0 ? c : wide), op->out_c = (uint16_t)(i < 2 ? wide : op->out_c);
        op->kh = op->kw = op->sh = op->sw = 1, op->pad_top = op->pad_left = 0;
        if (i == 1) {
            op->kh = op->kw = (uint8_t)k, op->sh = op->sw = (uint8_t)s;
            op->pad_top = (uint8_t)top, op->pad_left = (uint8_t)left;
            op->out_h = (uint16_t)(h = (h + top + bottom - k) / s + 1);
            op->out_w = (uint16_t)(w = (w + left + right - k) / s + 1);
        }
        free(b->sample[i].weights);
        op->weights = b->sample[i].weights =
            draw_tensor(rng, (size_t)op->out_c * (i == 1 ? k * k : op->in_c));
        op->bias = b->sample[i].bias, op->multiplier = b->sample[i].multiplier;
        op->shift = b->sample[i].shift;
    }
    b->op[1].in_zero = b->op[0].out_zero;
}

/* The fourth op, and what it wants of the three. */
static void make_block(Bottleneck *b, int block)
{
    TbOp *expand = &b->op[0], *depthwise = &b->op[1], *project = &b->op[2], *op = &b->op[3];
    *op = (TbOp){.kernel = tb_block_rows, .in_h = expand->in_h, .in_w = expand->in_w,
                 .in_c = expand->in_c, .out_h = project->out_h, .out_w = project->out_w,
                 .out_c = project->out_c, .kw = depthwise->kw, .sh = depthwise->sh,
                 .sw = depthwise->sw, .pad_top = depthwise->pad_top,
                 .pad_left = depthwise->pad_left, .block = (uint8_t)block};
    op->kh = (uint8_t)((block - 1) * depthwise->sh + depthwise->kh);
    expand->in_h = expand->in_w = expand->out_h = expand->out_w = 1;
    project->in_h = project->in_w = project->out_h = project->out_w = 1;
    depthwise->in_h = depthwise->kh, depthwise->in_w = depthwise->kw;
    depthwise->out_h = depthwise->out_w = 1, depthwise->pad_top = depthwise->pad_left = 0;
}

/* The last group of rows may be a part of one. */
static void run_block(const TbOp *op, const int8_t *in, int8_t *const *out, void *scratch)
{
    for (int y = 0; y < op->out_h; y += op->block) {
        TbRows rows = {.y = y};
        for (int k = 0; k < op->kh; k++) {
            int at = y * op->sh - op->pad_top + k;
            rows.in[k] = at >= 0 && at < op->in_h ? in + at * op->in_w * op->in_c : NULL;
        }
        for (int r = 0; r < op->block && y + r < op->out_h; r++)
            rows.out[r] = out[y + r];
        op->kernel(op, &rows, scratch);
    }
}

static void block_equals_layers(Bottleneck *b, Rng *rng, int i)
{
    int8_t *in = draw_tensor(rng, (size_t)b->op[0].in_h * b->op[0].in_w * b->op[0].in_c);
    int8_t *made[3], *out[64];
    for (int l = 0; l < 3; l++) {
        made[l] = xmalloc((size_t)b->op[l].out_h * b->op[l].out_w * b->op[l].out_c);
        slow_layer(&b->op[l], l == 0 ? in : made[l - 1], NULL, made[l]);
    }
    make_block(b, between(rng, 1, TB_MAX_BLOCK));
    const TbOp *op = &b->op[3];
    size_t row = (size_t)op->out_w * op->out_c;
    uint32_t bytes = tb_block_scratch(op->kh, op->kw, b->op[0].out_c);
    int8_t *scratch = guarded(bytes);
    for (int y = 0; y < op->out_h; y++)
        out[y] = guarded(row);
    run_block(op, in, out, scratch);
    for (int y = 0; y < op->out_h; y++) {
        ck_assert_msg(memcmp(out[y], made[2] + (size_t)y * row, row) == 0,
                      "sample %d row %d: %dx%dx%d -> %dx%dx%d k%d s%d block %d", i, y, op->in_h,
                      op->in_w, op->in_c, op->out_h, op->out_w, op->out_c, op->kw, op->sw,
                      op->block);
        ck_assert(guards_stand(out[y], row));
        free_guarded(out[y]);
    }
    ck_assert(guards_stand(scratch, bytes));
    free_guarded(scratch), free(in), free(made[0]), free(made[1]), free(made[2]);
}

TEST(a_block_equals_its_three_layers)
{
    Rng rng = rng_make(21, 0);
    for (int i = 0; i < 400; i++) {
        Bottleneck b;
        draw_layers(&b, &rng);
        block_equals_layers(&b, &rng, i);
        for (int l = 0; l < 3; l++)
            free(b.sample[l].weights);
    }
}
END

/* ---- the executor ---- */

/* conv -> pointwise -> depthwise -> pointwise -> add with the conv's output:
 * a stem and an inverted bottleneck. */
enum { N_CHAIN = 5 };

typedef struct {
    Sample sample[N_CHAIN];
    TbOp op[N_CHAIN];
    TbTensor tensor[N_CHAIN + 1];
    TbSegment segment[N_CHAIN];
    TbModel model;
} Chain;

static void link_shape(Sample *s, const TbOp *from, TbOp shape)
{
    TbOp *op = &s->op;
    op->in_h = from->out_h, op->in_w = from->out_w, op->in_c = from->out_c;
    op->kh = shape.kh, op->kw = shape.kw, op->sh = shape.sh, op->sw = shape.sw;
    op->pad_top = shape.pad_top, op->pad_left = shape.pad_left;
    op->out_h = (uint16_t)((op->in_h + 2 * op->pad_top - op->kh) / op->sh + 1);
    op->out_w = (uint16_t)((op->in_w + 2 * op->pad_left - op->kw) / op->sw + 1);
    op->out_c = shape.out_c;
}

static TbOp window(int k, int stride, int pad, int out_c)
{
    return (TbOp){.kh = (uint8_t)k, .kw = (uint8_t)k, .sh = (uint8_t)stride, .sw = (uint8_t)stride,
                  .pad_top = (uint8_t)pad, .pad_left = (uint8_t)pad, .out_c = (uint16_t)out_c};
}

/* Scales that keep the values in the range of int8, so that an error in one
 * row survives to the output. */
static void tame_requant(Sample *s, Rng *rng, size_t taps)
{
    const bool add = s->op.kernel == tb_add_row;
    int shift = -6;
    for (; taps > 1; taps /= 4)
        shift--;
    draw_requant(s, rng, MOST_C);
    for (int i = 0; i < MOST_C; i++) {
        s->multiplier[i] = between(rng, 1 << 30, INT32_MAX);
        s->shift[i] = (int8_t)(add ? (i < 2 ? -1 : -19) : shift);
        s->bias[i] = between(rng, -2000, 2000);
    }
    s->op.in_zero = (int8_t)between(rng, -20, 20);
    s->op.out_zero = (int8_t)between(rng, -20, 20);
    s->op.act_min = -128, s->op.act_max = 127;
}

static void draw_chain(Chain *c, Rng *rng)
{
    TbKernel *const kernel[] = {tb_conv_row, tb_pointwise_row, tb_depthwise_row, tb_pointwise_row,
                                tb_add_row};
    int narrow = between(rng, 1, 6), wide = between(rng, 1, 12), k = 2 * between(rng, 1, 3) + 1;
    TbOp image = {.out_h = (uint16_t)between(rng, 8, 20), .out_w = (uint16_t)between(rng, 8, 14),
                  .out_c = (uint16_t)between(rng, 1, 3)};
    const TbOp shape[] = {window(3, between(rng, 1, 2), 1, narrow), window(1, 1, 0, wide),
                          window(k, 1, k / 2, wide), window(1, 1, 0, narrow),
                          window(1, 1, 0, narrow)};
    memset(c, 0, sizeof *c);
    for (int i = 0; i < N_CHAIN; i++) {
        Sample *s = &c->sample[i];
        draw_op(s, rng, kernel[i]);
        link_shape(s, i ? &c->sample[i - 1].op : &image, shape[i]);
        free(s->weights);
        size_t taps = (size_t)s->op.kh * s->op.kw * (i == 2 ? 1 : s->op.in_c);
        s->op.weights = s->weights = draw_tensor(rng, taps * s->op.out_c);
        tame_requant(s, rng, taps);
        s->op.input = s->op.input2 = (uint16_t)i;
        s->op.output = (uint16_t)(i + 1);
        c->op[i] = s->op;
    }
    c->op[N_CHAIN - 1].input2 = 1;
    c->model = (TbModel){.op = c->op, .tensor = c->tensor, .segment = c->segment,
                         .n_ops = N_CHAIN, .n_tensors = N_CHAIN + 1};
}

static void place(Chain *c, int t, int rows)
{
    const TbOp *reader = &c->op[t < N_CHAIN ? t : 0], *writer = &c->op[t ? t - 1 : 0];
    TbTensor *tensor = &c->tensor[t];
    tensor->h = t ? writer->out_h : reader->in_h;
    tensor->row_bytes = t ? (uint32_t)writer->out_w * writer->out_c
                          : (uint32_t)reader->in_w * reader->in_c;
    tensor->rows = (uint16_t)(rows && rows < tensor->h ? rows : tensor->h);
    tensor->offset = c->model.arena_bytes;
    c->model.arena_bytes += (tensor->rows * tensor->row_bytes + 3) / 4 * 4;
}

/* Layer by layer, or (streamed) one segment with rings of exactly what the
 * readers need: the depthwise's k rows, one row between 1x1 layers, and at the
 * skip's source 1 + k/2 rows of delay. */
static void plan_chain(Chain *c, bool streamed)
{
    int k = c->op[2].kh;
    const int ring[N_CHAIN + 1] = {0, 1 + k / 2, k, 1, 1, 0};
    c->model.arena_bytes = 0;
    for (int t = 0; t <= N_CHAIN; t++)
        place(c, t, streamed ? ring[t] : 0);
    c->model.n_segments = streamed ? 1 : N_CHAIN;
    for (int i = 0; i < c->model.n_segments; i++)
        c->segment[i] = (TbSegment){(uint16_t)i, streamed ? N_CHAIN : 1};
    for (int i = 0; i < N_CHAIN; i++)
        c->op[i].back = streamed && i > 0;
    c->op[N_CHAIN - 1].back2 = streamed ? N_CHAIN - 1 : 0; /* the conv */
}

static int8_t *run_chain(const Chain *c, const int8_t *image)
{
    int8_t *arena = xmalloc(c->model.arena_bytes);
    memset(arena, 0x55, c->model.arena_bytes);
    memcpy(arena + c->tensor[0].offset, image, c->tensor[0].row_bytes * c->tensor[0].h);
    tb_run(&c->model, arena, NULL);
    const TbTensor *t = &c->tensor[N_CHAIN];
    int8_t *out = xmalloc(t->row_bytes * t->h);
    memcpy(out, arena + t->offset, t->row_bytes * t->h);
    free(arena);
    return out;
}

/* Every tensor whole, by the slow reference. */
static int8_t *slow_chain(const Chain *c, const int8_t *image)
{
    int8_t *made[N_CHAIN];
    for (int i = 0; i < N_CHAIN; i++) {
        const TbOp *op = &c->op[i];
        made[i] = xmalloc((size_t)op->out_h * op->out_w * op->out_c);
        slow_layer(op, i ? made[i - 1] : image, made[0], made[i]);
    }
    for (int i = 0; i < N_CHAIN - 1; i++)
        free(made[i]);
    return made[N_CHAIN - 1];
}

static void release_chain(Chain *c)
{
    for (int i = 0; i < N_CHAIN; i++)
        free(c->sample[i].weights);
}

TEST(a_streamed_block_equals_layer_by_layer_and_the_reference)
{
    Rng rng = rng_make(9, 0);
    for (int i = 0; i < 200; i++) {
        Chain c;
        draw_chain(&c, &rng);
        plan_chain(&c, false);
        int8_t *image = draw_tensor(&rng, c.tensor[0].row_bytes * c.tensor[0].h);
        int8_t *layerwise = run_chain(&c, image), *slow = slow_chain(&c, image);
        plan_chain(&c, true);
        int8_t *streamed = run_chain(&c, image);
        size_t n = c.tensor[N_CHAIN].row_bytes * c.tensor[N_CHAIN].h;
        ck_assert_msg(memcmp(layerwise, slow, n) == 0, "chain %d, layer by layer", i);
        ck_assert_msg(memcmp(streamed, slow, n) == 0, "chain %d, streamed", i);
        free(image), free(layerwise), free(slow), free(streamed);
        release_chain(&c);
    }
}
END

/* One row fewer in the delay line and the add must read what is gone: the
 * rings above are not larger than they need to be. */
TEST(a_ring_one_row_too_short_is_noticed)
{
    Rng rng = rng_make(10, 0);
    int wrong[2] = {0};
    for (int i = 0; i < 60; i++) {
        Chain c;
        draw_chain(&c, &rng);
        plan_chain(&c, true);
        int8_t *image = draw_tensor(&rng, c.tensor[0].row_bytes * c.tensor[0].h);
        int8_t *slow = slow_chain(&c, image);
        int t = 1 + i % 2; /* the skip's source, the depthwise's ring */
        c.tensor[t].rows--;
        int8_t *streamed = run_chain(&c, image);
        size_t n = c.tensor[N_CHAIN].row_bytes * c.tensor[N_CHAIN].h;
        wrong[i % 2] += memcmp(streamed, slow, n) != 0;
        free(image), free(slow), free(streamed);
        release_chain(&c);
    }
    ck_assert_int_gt(wrong[0], 15);
    ck_assert_int_gt(wrong[1], 15);
}
END

/* Stride 1, padded: output row y may lie D = pad rows and a bit before the
 * input, where the rows it needs have not begun. */
TEST(a_depthwise_may_write_over_its_dying_input)
{
    Rng rng = rng_make(11, 0);
    for (int i = 0; i < 200; i++) {
        Sample s;
        draw_op(&s, &rng, tb_depthwise_row);
        TbOp *op = &s.op;
        op->sh = op->sw = 1;
        op->pad_top = (uint8_t)(op->kh / 2), op->pad_left = (uint8_t)(op->kw / 2);
        op->out_h = (uint16_t)(op->in_h + 2 * op->pad_top - op->kh + 1);
        op->out_w = (uint16_t)(op->in_w + 2 * op->pad_left - op->kw + 1);
        op->output = 1;
        uint32_t in_row = (uint32_t)op->in_w * op->in_c, out_row = (uint32_t)op->out_w * op->out_c;
        uint32_t before = 0;
        for (uint32_t y = 0; y < op->out_h; y++) {
            uint32_t dead = y > op->pad_top ? (y - op->pad_top) * in_row : 0;
            before = (y + 1) * out_row > dead + before ? (y + 1) * out_row - dead : before;
        }
        TbTensor tensor[] = {{before, in_row, op->in_h, op->in_h},
                             {0, out_row, op->out_h, op->out_h}};
        TbSegment segment = {0, 1};
        TbModel model = {op, tensor, &segment, 1, 2, 1, before + in_row * op->in_h};
        int8_t *image = draw_tensor(&rng, in_row * op->in_h), *arena = xmalloc(model.arena_bytes);
        int8_t *expected = xmalloc(out_row * op->out_h);
        slow_layer(op, image, NULL, expected);
        memcpy(arena + before, image, in_row * op->in_h);
        tb_run(&model, arena, NULL);
        ck_assert_mem_eq(arena, expected, out_row * op->out_h);
        free(image), free(arena), free(expected), free(s.weights);
    }
}
END

SUITE(tb, conv_equals_the_reference, depthwise_equals_the_reference,
      pointwise_equals_the_reference, add_equals_the_reference, average_pool_equals_the_reference,
      max_pool_equals_the_reference, dense_equals_the_reference, mean_equals_the_reference,
      gate_equals_the_reference, lookup_equals_the_reference, softmax_equals_the_reference,
      depthwise_with_a_multiplier_equals_the_reference, a_mean_worked_out_by_hand,
      softmax_is_near_the_real_one, softmax_equals_tflite_micro,
      what_works_on_single_values_may_write_over_its_input, an_input_row_asks_for_its_columns,
      a_copy_may_overlap_what_it_copies, a_pool_that_sums_up_rows_equals_the_pool_of_the_whole,
      a_block_equals_its_three_layers, a_pointwise_worked_out_by_hand,
      halves_go_away_from_zero_in_an_average, an_add_may_write_over_either_input,
      a_streamed_block_equals_layer_by_layer_and_the_reference, a_ring_one_row_too_short_is_noticed,
      a_depthwise_may_write_over_its_dying_input)
