/* bench_kernels.c - executed instructions of each kernel on the emulated boards, small ones and
 * those of pairs, on the layers on which other engines' kernels were counted.
 *
 * A layer's rows are made one by one, as in a stream; "whole": a pointwise on all pixels at once.
 * One line each: layer, kernel, instructions on a Cortex-M4 and M7, per MAC or input, stack. */
#define _GNU_SOURCE
#include "tests/kernel_runner.h"

#include "evaluator/device.h"
#include "tests/suite.h"

enum { MOST_OUT = 320 };

typedef struct {
    const char *name;
    TbKernel *kernel;
    int hw, c, out_c, k, s;
    bool pairs, whole;
} BenchLayer;

static const BenchLayer layers[] = {
    {"a conv 3x3 s2 3->16", tb_conv_row, 96, 3, 16, 3, 2, true, false},
    {"b pointwise 16->96", tb_pointwise_row, 48, 16, 96, 1, 1, true, false},
    {"b whole", tb_pointwise_row, 48, 16, 96, 1, 1, true, true},
    {"c depthwise 3x3 96", tb_depthwise_row, 48, 96, 96, 3, 1, true, false},
    {"d depthwise 3x3 s2", tb_depthwise_row, 48, 96, 96, 3, 2, true, false},
    {"e depthwise 5x5 144", tb_depthwise_row, 24, 144, 144, 5, 1, true, false},
    {"f depthwise 7x7 192", tb_depthwise_row, 12, 192, 192, 7, 1, true, false},
    {"  5x5 s2 144", tb_depthwise_row, 24, 144, 144, 5, 2, true, false},
    {"  7x7 s2 192", tb_depthwise_row, 12, 192, 192, 7, 2, true, false},
    {"  3x3 192 @6", tb_depthwise_row, 6, 192, 192, 3, 1, true, false},
    {"  5x5 192 @6", tb_depthwise_row, 6, 192, 192, 5, 1, true, false},
    {"  7x7 320 @6", tb_depthwise_row, 6, 320, 320, 7, 1, true, false},
    {"  5x5 320 @3", tb_depthwise_row, 3, 320, 320, 5, 1, true, false},
    {"  7x7 320 @3", tb_depthwise_row, 3, 320, 320, 7, 1, true, false},
    {"  3x3 64 @5", tb_depthwise_row, 5, 64, 64, 3, 1, true, false},
    {"g pointwise 144->24", tb_pointwise_row, 24, 144, 24, 1, 1, true, false},
    {"g whole", tb_pointwise_row, 24, 144, 24, 1, 1, true, true},
    {"h pointwise 192->64", tb_pointwise_row, 12, 192, 64, 1, 1, true, false},
    {"h whole", tb_pointwise_row, 12, 192, 64, 1, 1, true, true},
    {"i dense 320->10", tb_dense_row, 1, 320, 10, 1, 1, false, false},
    {"  dense 640->128", tb_dense_row, 1, 640, 128, 1, 1, false, false},
    {"j global pool 6x6", tb_avg_pool_row, 6, 320, 320, 6, 1, false, false},
    {"  max pool 2x2", tb_max_pool_row, 24, 24, 24, 2, 2, false, false},
    {"  average pool 3x3", tb_avg_pool_row, 24, 24, 24, 3, 1, false, false},
    {"  sum pool 6x6", tb_sum_pool_row, 6, 320, 320, 6, 1, false, false},
    {"k add 24x24x24", tb_add_row, 24, 24, 24, 1, 1, false, false},
    {"l mean 6x6", tb_mean_row, 6, 320, 320, 6, 1, false, false},
    {"m gate 12x12x192", tb_gate_row, 12, 192, 192, 1, 1, false, false},
    {"n lookup 12x12x192", tb_lookup_row, 12, 192, 192, 1, 1, false, false},
    {"o softmax 10", tb_softmax_row, 1, 10, 10, 1, 1, false, false},
};
enum { N_LAYERS = sizeof layers / sizeof *layers };

typedef struct {
    const BenchLayer *layer;
    TbOp op;
} BenchCase;

typedef struct {
    int32_t bias[MOST_OUT], folded[MOST_OUT], multiplier[MOST_OUT];
    int8_t shift[MOST_OUT];
    int8_t *weights, *packed;
} BenchConstants;

typedef struct {
    KernelCases cases;
    BenchCase of[3 * N_LAYERS];
} Bench;

static TbOp shape_of(const BenchLayer *l)
{
    TbOp op = {.kernel = l->kernel, .in_zero = -3, .in2_zero = 5, .out_zero = -7, .act_min = -128,
               .act_max = 127, .block = 1};
    op.in_h = op.in_w = (uint16_t)l->hw;
    op.in_c = (uint16_t)l->c, op.out_c = (uint16_t)l->out_c;
    op.kh = op.kw = (uint8_t)l->k, op.sh = op.sw = (uint8_t)l->s;
    const bool padded = l->kernel == tb_conv_row || l->kernel == tb_depthwise_row;
    op.pad_top = op.pad_left = (uint8_t)(padded ? (l->k - l->s) / 2 : 0);
    op.out_h = op.out_w = (uint16_t)(padded ? l->hw / l->s : (l->hw - l->k) / l->s + 1);
    if (l->whole) {
        op.in_w = op.out_w = (uint16_t)(op.in_w * op.in_h);
        op.in_h = op.out_h = 1;
    }
    return op;
}

static void draw_constants(BenchConstants *k, TbOp *op, Rng *rng)
{
    const size_t n = (size_t)op->kh * op->kw * op->in_c * op->out_c + TABLE;
    k->weights = draw_tensor(rng, n);
    for (int c = 0; c < op->out_c; c++) {
        k->bias[c] = between(rng, -20000, 20000);
        k->multiplier[c] = between(rng, 1 << 30, INT32_MAX);
        k->shift[c] = (int8_t)between(rng, -11, -8);
    }
    op->weights = k->weights, op->bias = k->bias;
    op->multiplier = k->multiplier, op->shift = k->shift;
    if (op->kernel == tb_softmax_row)
        k->shift[0] = 22;
    if (op->kernel == tb_add_row) { /* scales as 1 to 0.7 */
        k->multiplier[0] = 1 << 30;
        k->shift[0] = 0, k->shift[1] = -1, k->shift[2] = -18;
    }
}

static void add_case(Bench *b, const BenchLayer *l, const TbOp *op, const int8_t *in,
                     const int8_t *in2, const int8_t *expected)
{
    b->of[b->cases.n] = (BenchCase){l, *op};
    kernel_cases_add(&b->cases, op, in, in2, expected);
}

/* tb_sum_pool_row is asked for the rows of a global pool one by one. */
static void row_by_row(TbOp *op)
{
    op->kh = op->kw = 1;
    op->out_h = op->in_h;
}

static void add_pairs(Bench *b, const BenchLayer *l, const TbOp *natural, BenchConstants *k,
                      const int8_t *in, const int8_t *expected)
{
    TbOp op = pairs_op(natural, &k->packed, k->folded);
    add_case(b, l, &op, in, NULL, expected);
    free(k->packed);
    if (is_for_planes(natural)) {
        op = planes_op(natural, &k->packed, k->folded);
        add_case(b, l, &op, in, NULL, expected);
        free(k->packed);
    }
}

static void add_layer(Bench *b, const BenchLayer *l, Rng *rng)
{
    BenchConstants k = {0};
    TbOp op = shape_of(l);
    draw_constants(&k, &op, rng);
    const size_t n_in = (size_t)op.in_h * op.in_w * op.in_c;
    int8_t *in = draw_tensor(rng, n_in), *in2 = draw_tensor(rng, n_in);
    int8_t *expected = xmalloc((size_t)op.out_h * op.out_w * op.out_c);
    op.kernel = l->kernel == tb_sum_pool_row ? tb_avg_pool_row : l->kernel;
    slow_layer(&op, in, in2, expected);
    op.kernel = l->kernel;
    if (l->kernel == tb_sum_pool_row)
        row_by_row(&op);
    add_case(b, l, &op, in, in2, expected);
    if (l->pairs)
        add_pairs(b, l, &op, &k, in, expected);
    free(in), free(in2), free(expected), free(k.weights);
}

/* MACs, or inputs where there are no weights. */
static double work_of(const BenchLayer *l)
{
    const TbOp op = shape_of(l);
    const double out = (double)op.out_h * op.out_w * op.out_c;
    if (l->kernel == tb_conv_row || l->kernel == tb_pointwise_row || l->kernel == tb_dense_row)
        return out * op.kh * op.kw * op.in_c;
    return l->kernel == tb_depthwise_row ? out * op.kh * op.kw
                                         : (double)op.in_h * op.in_w * op.in_c;
}

static void print_case(const BenchCase *c, const KernelRun *m4, const KernelRun *m7)
{
    const bool ok = m4->wrong == -1 && m7->wrong == -1 && !m4->beside && !m7->beside;
    printf("%-20s %-22s %9llu %9llu %6.2f %4u%s\n", c->layer->name, kernel_name(c->op.kernel),
           (unsigned long long)m4->instructions, (unsigned long long)m7->instructions,
           (double)m4->instructions / work_of(c->layer), m4->stack, ok ? "" : "  WRONG");
}

/* A TEST, since all that is shared with the tests reports as they do. */
TEST(figures)
{
    const char *missing = device_missing();
    if (missing) {
        printf("SKIPPED: %s is not installed\n", missing);
        return;
    }
    Bench b = {.cases = kernel_cases_new()};
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < N_LAYERS; i++)
        add_layer(&b, &layers[i], &rng);
    KernelRun *m4 = kernel_cases_run(&b.cases, "cortex-m4", "mps2-an386");
    KernelRun *m7 = kernel_cases_run(&b.cases, "cortex-m7", "mps2-an500");
    printf("%-20s %-22s %9s %9s %6s %s\n", "layer", "kernel", "M4", "M7", "each", "stack");
    for (int i = 0; i < b.cases.n; i++)
        print_case(&b.of[i], &m4[i], &m7[i]);
    free(m4), free(m7);
    kernel_cases_free(&b.cases);
}
END

SUITE(kernels, figures)
