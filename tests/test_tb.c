#include "runtime/tb.h"

#include "base/alloc.h"
#include "base/rng.h"

#include "tests/suite.h"

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
    int64_t sum = op->bias[oc];
    for (int ky = 0; ky < op->kh; ky++)
        for (int kx = 0; kx < op->kw; kx++)
            for (int ic = 0; ic < op->in_c; ic++) {
                int at = ((oc * op->kh + ky) * op->kw + kx) * op->in_c + ic, value;
                if (apart)
                    at = (ky * op->kw + kx) * op->in_c + ic;
                if ((!apart || ic == oc) && tap(op, in, oy, ox, ky, kx, ic, &value))
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

static void slow_layer(const TbOp *op, const int8_t *in, const int8_t *in2, int8_t *out)
{
    bool pool = op->kernel == tb_avg_pool_row || op->kernel == tb_max_pool_row;
    for (int y = 0; y < op->out_h; y++)
        for (int x = 0; x < op->out_w; x++)
            for (int c = 0; c < op->out_c; c++) {
                int at = (y * op->out_w + x) * op->out_c + c;
                if (op->kernel == tb_add_row)
                    out[at] = slow_add(op, in[at], in2[at]);
                else
                    out[at] = pool ? slow_pool(op, in, y, x, c) : slow_mac(op, in, y, x, c);
            }
}

/* ---- random layers ---- */

enum { MOST_C = 40 }; /* more than two blocks of channels */

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
    } else if (op->kernel != tb_pointwise_row && op->kernel != tb_add_row) {
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
    int n = op->out_c * op->kh * op->kw * op->in_c;
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
    if (op->kernel == tb_add_row)
        rows.in[1] = in2 + y * in_row;
    op->kernel(op, &rows, NULL);
}

static void kernel_equals_reference(TbKernel *kernel, uint64_t seed, int times)
{
    Rng rng = rng_make(seed, 0);
    for (int i = 0; i < times; i++) {
        Sample s;
        draw_op(&s, &rng, kernel);
        const TbOp *op = &s.op;
        size_t n_in = (size_t)op->in_h * op->in_w * op->in_c, row = (size_t)op->out_w * op->out_c;
        int8_t *in = draw_tensor(&rng, n_in), *in2 = draw_tensor(&rng, n_in);
        int8_t *expected = xmalloc(row * op->out_h), *out = xmalloc(row);
        slow_layer(op, in, in2, expected);
        for (int y = 0; y < op->out_h; y++) {
            fast_row(op, in, in2, y, out);
            ck_assert_msg(memcmp(out, expected + (size_t)y * row, row) == 0,
                          "sample %d row %d: %dx%dx%d -> %dx%dx%d k%dx%d s%dx%d", i, y, op->in_h,
                          op->in_w, op->in_c, op->out_h, op->out_w, op->out_c, op->kh, op->kw,
                          op->sh, op->sw);
        }
        free(in), free(in2), free(expected), free(out), free(s.weights);
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
      max_pool_equals_the_reference, dense_equals_the_reference, a_pointwise_worked_out_by_hand,
      halves_go_away_from_zero_in_an_average, an_add_may_write_over_either_input,
      a_streamed_block_equals_layer_by_layer_and_the_reference, a_ring_one_row_too_short_is_noticed,
      a_depthwise_may_write_over_its_dying_input)
