#define _GNU_SOURCE
#include "tests/kernel_runner.h"

#include "evaluator/device.h"
#include "tests/suite.h"

enum { TIMES = 300 }; /* layers for each kernel */

typedef struct {
    KernelCases cases;
    TbKernel *kernel[(N_KERNELS + 3) * TIMES]; /* of each case */
} Batch;

static void add(Batch *b, const TbOp *op, const int8_t *in, const int8_t *in2,
                const int8_t *expected)
{
    b->kernel[b->cases.n] = op->kernel;
    kernel_cases_add(&b->cases, op, in, in2, expected);
}

/* ---- random layers ---- */

typedef TbOp Sister(const TbOp *natural, int8_t **packed, int32_t *folded);

/* The layer, and where there is one its sister on pairs, which owes the same output. */
static void add_sample(Batch *b, const Sample *s, Rng *rng, Sister *sister)
{
    const TbOp *op = &s->op;
    size_t n_in = (size_t)op->in_h * op->in_w * op->in_c;
    size_t n_out = (size_t)op->out_h * op->out_w * op->out_c;
    int8_t *in = draw_tensor(rng, n_in), *in2 = draw_tensor(rng, n_in);
    int8_t *expected = xmalloc(n_out);
    slow_layer(op, in, in2, expected);
    add(b, op, in, in2, expected);
    if (sister) {
        int32_t folded[MOST_C];
        int8_t *packed;
        TbOp other = sister(op, &packed, folded);
        add(b, &other, in, in2, expected);
        free(packed);
    }
    free(in), free(in2), free(expected);
}

static void add_family(Batch *b, Rng *rng, TbKernel *kernel, Sister *sister)
{
    for (int i = 0; i < TIMES; i++) {
        Sample s;
        draw_op(&s, rng, kernel);
        add_sample(b, &s, rng, sister);
        free(s.weights);
    }
}

/* The usual squares, as the kernels of their own make them. */
static void add_squares(Batch *b, Rng *rng, bool (*fits)(const TbOp *op), Sister *sister)
{
    for (int i = 0; i < TIMES; i++) {
        Sample s;
        draw_depthwise(&s, rng, fits);
        add_sample(b, &s, rng, sister);
        free(s.weights);
    }
}

/* A global pool, as the kernel that sums up rows does it. */
static void add_sum_pools(Batch *b, Rng *rng)
{
    for (int i = 0; i < TIMES; i++) {
        Sample s;
        draw_op(&s, rng, tb_avg_pool_row);
        TbOp op = s.op;
        op.kh = (uint8_t)op.in_h, op.kw = (uint8_t)op.in_w;
        op.out_h = op.out_w = 1, op.pad_top = op.pad_left = 0;
        int8_t *in = draw_tensor(rng, (size_t)op.in_h * op.in_w * op.in_c), expected[MOST_C];
        slow_layer(&op, in, NULL, expected);
        op.kernel = tb_sum_pool_row, op.kh = op.kw = op.sh = op.sw = 1, op.out_h = op.in_h;
        add(b, &op, in, NULL, expected);
        free(in), free(s.weights);
    }
}

/* Windows whose sums just fit into 16 bits, and those that do not. */
static void add_wide_pools(Batch *b, Rng *rng)
{
    for (int h = 15; h <= 18; h++) {
        Sample s;
        draw_op(&s, rng, tb_avg_pool_row);
        TbOp op = s.op;
        op.in_h = op.kh = (uint8_t)h, op.in_w = op.kw = 16, op.in_c = op.out_c = 5;
        op.out_h = op.out_w = 1, op.pad_top = op.pad_left = 0, op.act_min = -128;
        int8_t in[18 * 16 * 5], expected[5];
        memset(in, -128, sizeof in);
        slow_layer(&op, in, NULL, expected);
        add(b, &op, in, NULL, expected);
        free(s.weights);
    }
}

static void add_block(Batch *b, Bottleneck *block, Rng *rng)
{
    int8_t *made[4] = {draw_tensor(rng, (size_t)block->op[0].in_h * block->op[0].in_w *
                                            block->op[0].in_c)};
    for (int l = 0; l < 3; l++) {
        const TbOp *op = &block->op[l];
        made[l + 1] = xmalloc((size_t)op->out_h * op->out_w * op->out_c);
        slow_layer(op, made[l], NULL, made[l + 1]);
    }
    make_block(block, between(rng, 1, TB_MAX_BLOCK));
    add(b, &block->op[3], made[0], NULL, made[3]);
    free(made[0]), free(made[1]), free(made[2]), free(made[3]);
}

static void add_blocks(Batch *b, Rng *rng)
{
    for (int i = 0; i < TIMES / 3; i++) {
        Bottleneck block;
        draw_layers(&block, rng);
        add_block(b, &block, rng);
        for (int l = 0; l < 3; l++)
            free(block.sample[l].weights);
    }
}

static void add_everything(Batch *b)
{
    TbKernel *const with_pairs[] = {tb_conv_row, tb_pointwise_row};
    TbKernel *const single[] = {tb_depthwise_row, tb_dense_row, tb_add_row,
                                tb_avg_pool_row,  tb_max_pool_row, tb_mean_row,
                                tb_gate_row,      tb_lookup_row,   tb_softmax_row};
    Rng rng = rng_make(31, 0);
    for (size_t i = 0; i < sizeof with_pairs / sizeof *with_pairs; i++)
        add_family(b, &rng, with_pairs[i], pairs_op);
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        add_family(b, &rng, single[i], NULL);
    add_squares(b, &rng, is_for_pairs, pairs_op);
    add_squares(b, &rng, is_for_planes, planes_op);
    add_sum_pools(b, &rng);
    add_wide_pools(b, &rng);
    add_blocks(b, &rng);
}

/* ---- on the boards ---- */

static void every_kernel_is_exact(const char *core, const char *machine)
{
    const char *missing = device_missing();
    if (missing) {
        printf("SKIPPED %s: %s is not installed\n", core, missing);
        return;
    }
    Batch *b = xcalloc(1, sizeof *b);
    b->cases = kernel_cases_new();
    add_everything(b);
    KernelRun *runs = kernel_cases_run(&b->cases, core, machine);
    for (int i = 0; i < b->cases.n; i++) {
        const char *name = kernel_name(b->kernel[i]);
        ck_assert_msg(runs[i].wrong == -1, "case %d, %s: byte %d is wrong", i, name, runs[i].wrong);
        ck_assert_msg(runs[i].beside == 0, "case %d, %s writes beside its output", i, name);
        ck_assert_msg(runs[i].stack > 0 && runs[i].stack < 800, "case %d, %s: stack %u", i, name,
                      runs[i].stack);
        ck_assert_uint_gt(runs[i].instructions, 0);
    }
    free(runs);
    kernel_cases_free(&b->cases);
    free(b);
}

TEST(every_kernel_is_exact_on_a_cortex_m4)
{
    every_kernel_is_exact("cortex-m4", "mps2-an386");
}
END

TEST(every_kernel_is_exact_on_a_cortex_m7)
{
    every_kernel_is_exact("cortex-m7", "mps2-an500");
}
END

/* Vectors of the core's own; QEMU knows its board since 7.0. */
TEST(every_kernel_is_exact_on_a_cortex_m55)
{
    every_kernel_is_exact("cortex-m55", "mps3-an547");
}
END

SUITE(device_kernels, every_kernel_is_exact_on_a_cortex_m4, every_kernel_is_exact_on_a_cortex_m7,
      every_kernel_is_exact_on_a_cortex_m55)
