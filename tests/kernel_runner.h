/* kernel_runner.h - kernels on the emulated boards, layer by layer, hundreds in one run.
 *
 *     KernelCases cases = kernel_cases_new();
 *     kernel_cases_add(&cases, &sample.op, in, in2, expected);    as often as you like
 *     KernelRun *runs = kernel_cases_run(&cases, "cortex-m4", "mps2-an386");
 *     ... runs[i].wrong, runs[i].instructions ...
 *     free(runs), kernel_cases_free(&cases);
 *
 * A layer is called once for each of its output rows. pairs_op() makes of a
 * layer the same for a kernel of pairs. A new kernel is
 * a line in kernel_case.h, and one in case_weights() or case_scratch() when it has these. */
#ifndef KERNEL_RUNNER_H
#define KERNEL_RUNNER_H

#include "runtime/scratch.h"
#include "tests/slow_kernels.h"

#include "tests/kernel_case.h"

#include "base/error.h"
#include "base/file.h"
#include "estimator/plan.h"
#include "evaluator/process.h"
#include "exporter/constants.h"

#include <stdio.h>
#include <unistd.h>

typedef struct {
    uint64_t instructions; /* of all calls */
    uint32_t stack;        /* peak, bytes, with the frame of the caller's loop */
    int wrong;             /* first byte of the output that differs, -1 when none does */
    int beside;            /* bytes around output and scratch that were touched */
} KernelRun;

typedef struct {
    FILE *file;
    char *bytes;
    size_t size;
    int n;
} KernelCases;

/* ---- what a kernel wants ---- */

static inline bool is_pairs(TbKernel *k)
{
    return k == tb_conv_pairs_row || k == tb_depthwise_pairs_row || k == tb_pointwise_pairs_row;
}

static inline bool mixes_channels(TbKernel *k)
{
    return k == tb_conv_row || k == tb_pointwise_row || k == tb_dense_row;
}

static inline uint32_t case_weights(const TbOp *op)
{
    const uint32_t taps = (uint32_t)(op->kh * op->kw), out_c = op->out_c;
    if (op->kernel == tb_depthwise_row)
        return taps * out_c;
    if (op->kernel == tb_depthwise_pairs_row)
        return tb_depthwise_pairs_weights(op->kw, op->sw, out_c);
    if (op->kernel == tb_depthwise_planes_rows)
        return tb_depthwise_planes_weights(op->kw, op->sw, out_c);
    if (is_pairs(op->kernel))
        return tb_pairs_weights(taps * op->in_c, out_c);
    return op->kernel == tb_lookup_row ? TABLE : mixes_channels(op->kernel) ? taps * op->in_c * out_c : 0;
}

/* Not inlined: gcc would warn of op[-3] where op is known to be no block's. */
static __attribute__((noinline, unused)) uint32_t case_scratch(const TbOp *op)
{
    if (op->kernel == tb_conv_pairs_row)
        return tb_conv_pairs_scratch(op->kh, op->kw, op->sw, op->in_c);
    if (op->kernel == tb_pointwise_pairs_row)
        return tb_pointwise_pairs_scratch(op->sw, op->in_c);
    if (op->kernel == tb_depthwise_pairs_row)
        return tb_depthwise_pairs_scratch(op->kw, op->sw, op->out_w);
    if (op->kernel == tb_depthwise_planes_rows)
        return tb_depthwise_planes_scratch(op->kw, op->sh, op->sw, op->out_h, op->out_w);
    if (op->kernel == tb_sum_pool_row)
        return tb_sum_pool_scratch(op->in_c);
    return op->kernel == tb_block_rows ? tb_block_scratch(op->kh, op->kw, op[-3].out_c) : 0;
}

/* Entries of multiplier and shift: of an add three, of what works on single values one. */
static inline uint32_t case_channels(const TbOp *op)
{
    const bool one = op->kernel == tb_mean_row || op->kernel == tb_gate_row ||
                     op->kernel == tb_softmax_row;
    return !op->multiplier ? 0 : op->kernel == tb_add_row ? 3 : one ? 1 : op->out_c;
}

static inline const char *kernel_name(TbKernel *kernel)
{
#define KERNEL_NAME(name) #name,
    static const char *const names[] = {KERNELS(KERNEL_NAME)};
    int i = 0;
    while (kernel_table[i] != kernel)
        i++;
    return names[i];
}

/* The same layer for another kernel, of that step. *packed is yours to free; folded: [out_c]. */
static inline TbOp packed_op(const TbOp *natural, int step, TbKernel *kernel, int8_t **packed,
                             int32_t *folded)
{
    TbOp op = *natural;
    Layer l = {.op = op.kernel == tb_depthwise_row ? OP_DEPTHWISE
                     : op.kernel == tb_conv_row    ? OP_CONV
                                                   : OP_POINTWISE,
               .in_c = op.in_c, .out_c = op.out_c};
    l.kh = op.kh, l.kw = op.kw, l.sw = op.sw, l.pad_left = op.pad_left;
    op.kernel = kernel;
    *packed = xcalloc(case_weights(&op), 1);
    const LayerConstants constants = {op.weights, op.bias, op.multiplier, op.shift, op.in_zero};
    constants_pack(&l, step, &constants, *packed);
    constants_fold(&l, &constants, folded);
    op.weights = *packed, op.bias = folded;
    if (plan_packs_scales(step))
        op.bias = op.multiplier = NULL, op.shift = NULL;
    return op;
}

static inline TbOp pairs_op(const TbOp *natural, int8_t **packed, int32_t *folded)
{
    if (natural->kernel == tb_depthwise_row)
        return packed_op(natural, STEP_DEPTHWISE_PAIRS, tb_depthwise_pairs_row, packed, folded);
    if (natural->kernel == tb_conv_row)
        return packed_op(natural, STEP_CONV_PAIRS, tb_conv_pairs_row, packed, folded);
    return packed_op(natural, STEP_POINTWISE_PAIRS, tb_pointwise_pairs_row, packed, folded);
}

static inline TbOp planes_op(const TbOp *natural, int8_t **packed, int32_t *folded)
{
    TbOp op = packed_op(natural, STEP_DEPTHWISE_PLANES, tb_depthwise_planes_rows, packed, folded);
    op.block = TB_ALL_ROWS;
    return op;
}

static inline bool is_for_planes(const TbOp *op)
{
    return op->kernel == tb_depthwise_row && op->in_c == op->out_c && op->pad_top < op->kh &&
           tb_depthwise_in_planes(op->kh, op->kw, op->sh, op->sw, op->pad_left, op->out_w);
}

static inline bool is_for_pairs(const TbOp *op)
{
    return op->in_c == op->out_c && tb_depthwise_square(op->kh, op->kw, op->sw);
}

/* Any depthwise layer that fits; its weights are yours to free. */
static inline void draw_depthwise(Sample *s, Rng *rng, bool (*fits)(const TbOp *op))
{
    TbOp *op = &s->op;
    draw_op(s, rng, tb_depthwise_row);
    free(s->weights);
    op->in_c = op->out_c = (uint16_t)between(rng, 1, rng_below(rng, 3) ? 9 : MOST_C);
    do {
        op->in_h = (uint16_t)between(rng, 1, 20);
        op->in_w = (uint16_t)between(rng, 1, rng_below(rng, 4) ? 16 : 70);
        op->kh = op->kw = (uint8_t)(3 + 2 * between(rng, 0, 2));
        draw_strides(op, rng);
    } while (!fits(op));
    s->weights = draw_tensor(rng, (size_t)op->kh * op->kw * op->in_c);
    op->weights = s->weights;
}

/* ---- writing cases ---- */

static inline KernelCases kernel_cases_new(void)
{
    KernelCases c = {0};
    return c;
}

/* n bytes behind the others, from a multiple of 4 on and with `skew` bytes before; where they are. */
static inline uint32_t case_append(int8_t *bytes, uint32_t *n_bytes, uint32_t skew,
                                   const void *from, uint32_t n)
{
    const uint32_t at = (*n_bytes + 3) / 4 * 4 + skew;
    if (n && from)
        memcpy(bytes + at, from, n);
    *n_bytes = at + n;
    return at;
}

static inline CaseOp case_op(const TbOp *op, int8_t *bytes, uint32_t *n)
{
    const uint32_t channels = case_channels(op), weights = case_weights(op);
    CaseOp c = {0};
    while (c.kernel < N_KERNELS && kernel_table[c.kernel] != op->kernel)
        c.kernel++;
    ck_assert_uint_lt(c.kernel, N_KERNELS);
    memcpy(c.fields, &op->scratch, CASE_FIELDS);
    c.weights = case_append(bytes, n, 0, op->weights, weights);
    c.bias = case_append(bytes, n, 0, op->bias, weights && op->bias ? 4u * op->out_c : 0);
    c.multiplier = case_append(bytes, n, 0, op->multiplier, 4 * channels);
    c.shift = case_append(bytes, n, 0, op->shift, channels);
    return c;
}

static inline void case_ops(CaseHead *head, const TbOp *op, int8_t *bytes)
{
    head->n_ops = op->kernel == tb_block_rows ? 4 : 1;
    for (uint32_t i = 0; i < head->n_ops; i++)
        head->op[i] = case_op(op + 1 - head->n_ops + i, bytes, &head->bytes);
}

/* in: the whole input; in2: of an add and a gate. Both end up at any address. Of a block `op` is
 * the last of the four. */
static inline void kernel_cases_add(KernelCases *c, const TbOp *op, const int8_t *in,
                                    const int8_t *in2, const int8_t *expected)
{
    const uint32_t n_in = (uint32_t)op->in_h * op->in_w * op->in_c;
    const uint32_t n_in2 = op->kernel == tb_add_row ? n_in : op->kernel == tb_gate_row ? op->in_c : 0;
    const uint32_t rows = op->kernel == tb_sum_pool_row ? 1 : op->out_h;
    int8_t *bytes = xcalloc(CASE_MAX_BYTES, 1);
    CaseHead head = {.out = rows * op->out_w * op->out_c, .scratch = case_scratch(op),
                     .out_skew = (uint32_t)c->n / 4 % 4};
    ck_assert_int_le(op->out_h, CASE_MAX_CALLS);
    ck_assert_uint_lt(n_in + n_in2 + 2 * head.out + head.scratch, CASE_MAX_BYTES / 2);
    case_ops(&head, op, bytes);
    head.in = case_append(bytes, &head.bytes, (uint32_t)c->n % 4, in, n_in);
    head.in2 = case_append(bytes, &head.bytes, (uint32_t)c->n / 2 % 4, in2, n_in2);
    if (!c->file)
        c->file = open_memstream(&c->bytes, &c->size);
    fwrite(&head, sizeof head, 1, c->file);
    fwrite(bytes, 1, head.bytes, c->file);
    fwrite(expected, 1, head.out, c->file);
    free(bytes);
    c->n++;
}

static inline void kernel_cases_free(KernelCases *c)
{
    if (c->file)
        fclose(c->file);
    free(c->bytes);
    *c = (KernelCases){0};
}

/* ---- running them ---- */

/* Runs a program; what it said, yours to free. A failure ends the test. */
static inline char *case_program(const char *const *argv, const char *dir)
{
    Process p = {.argv = argv, .dir = dir, .timeout_s = 300};
    char *said;
    int status = process_run(&p, &said);
    ck_assert_msg(status == 0, "%s: %d, %s\n%s", argv[0], status, error_text(), said);
    return said;
}

/* The export's Makefile with this harness in place of a model and its self-test. */
static inline void case_build(const char *dir, const char *core)
{
    const char *runtime = file_own("runtime");
    ck_assert_ptr_nonnull(runtime);
    char *source = realpath(runtime, NULL), *board = xasprintf("BOARD=%s", core);
    char *script = xasprintf("ln -s %s/boards boards && cp %s/../tests/kernel_board.c "
                             "%s/../tests/kernel_case.h .", source, source, source);
    char *file = xasprintf("%s/boards/Makefile.export", source), *src = xasprintf("SRC=%s", source);
    const char *prepare[] = {"sh", "-c", script, NULL};
    const char *make[] = {"make", "-s", "-j2", "-f", file, src, board,
                          "MODEL=$(RUNTIME:%.c=$(OBJ)/%.o)",
                          "HARNESS=$(OBJ)/kernel_board.o $(OBJ)/board_qemu.o $(OBJ)/start.o",
                          "model.elf", NULL};
    free(case_program(prepare, dir));
    free(case_program(make, dir));
    free(source), free(board), free(script), free(file), free(src);
}

static inline void read_run(const char *line, KernelRun *run)
{
    unsigned long long instructions;
    ck_assert_msg(sscanf(line, "case %llu %u %d %d", &instructions, &run->stack, &run->wrong,
                         &run->beside) == 4, "the board stopped with: %s", line);
    run->instructions = instructions;
}

static inline KernelRun *read_runs(char *text, int n)
{
    KernelRun *runs = xcalloc((size_t)n, sizeof *runs);
    for (int i = 0; i < n; i++)
        read_run(strsep(&text, "\n"), &runs[i]);
    ck_assert_int_eq(strncmp(text, "done", 4), 0);
    return runs;
}

/* One result a case, yours to free. */
static inline KernelRun *kernel_cases_run(const KernelCases *c, const char *core,
                                          const char *machine)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = xasprintf("%s/kernels-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *cases = xasprintf("%s/cases.bin", dir);
    const char *qemu[] = {"qemu-system-arm", "-M", machine, "-display", "none", "-monitor", "none",
                          "-serial", "none", "-chardev", "stdio,id=s0", "-semihosting-config",
                          "enable=on,target=native,chardev=s0", "-icount", "shift=0", "-kernel",
                          "model.elf", NULL};
    const char *clean[] = {"rm", "-rf", dir, NULL};
    case_build(dir, core);
    fflush(c->file);
    ck_assert_int_eq(file_write(cases, c->bytes, c->size), 0);
    char *said = case_program(qemu, dir);
    KernelRun *runs = read_runs(said, c->n);
    free(case_program(clean, NULL));
    free(said), free(cases), free(dir);
    return runs;
}

#endif
