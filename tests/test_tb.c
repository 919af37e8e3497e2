#include "runtime/scratch.h"
#include "runtime/tb.h"

#include "tests/slow_kernels.h"
#include "tests/suite.h"

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
        const TbRows apart = {.in = {in, gate}, .out = {out}};
        const TbRows over = {.in = {in, gate}, .out = {in}};
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

SUITE(tb, conv_equals_the_reference, depthwise_equals_the_reference,
      pointwise_equals_the_reference, add_equals_the_reference, average_pool_equals_the_reference,
      max_pool_equals_the_reference, dense_equals_the_reference, mean_equals_the_reference,
      gate_equals_the_reference, lookup_equals_the_reference, softmax_equals_the_reference,
      depthwise_with_a_multiplier_equals_the_reference, a_mean_worked_out_by_hand,
      softmax_is_near_the_real_one, softmax_equals_tflite_micro,
      what_works_on_single_values_may_write_over_its_input, an_input_row_asks_for_its_columns,
      a_copy_may_overlap_what_it_copies, a_pool_that_sums_up_rows_equals_the_pool_of_the_whole,
      a_block_equals_its_three_layers, a_pointwise_worked_out_by_hand,
      halves_go_away_from_zero_in_an_average, an_add_may_write_over_either_input)
