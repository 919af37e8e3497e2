/* kernel_case.h - one layer for one kernel: kernel_runner.h writes it on the
 * host, kernel_board.c reads it on the board.
 *
 * A CaseHead, then `bytes` as they shall lie in the board's memory, from an
 * address that is a multiple of 4: of each op weights, bias, multiplier and
 * shift, each filled up to a multiple of 4, and the inputs at `in`, `in2`. Then
 * the output that is expected, of `out` bytes. Include tb.h before this. */
#ifndef KERNEL_CASE_H
#define KERNEL_CASE_H

#include <stddef.h>

#define KERNELS(X)                                                                                 \
    X(tb_conv_row)                                                                                 \
    X(tb_depthwise_row)                                                                            \
    X(tb_pointwise_row)                                                                            \
    X(tb_conv_pairs_row)                                                                           \
    X(tb_depthwise_pairs_row)                                                                      \
    X(tb_depthwise_planes_rows)                                                                    \
    X(tb_pointwise_pairs_row)                                                                      \
    X(tb_dense_row)                                                                                \
    X(tb_add_row)                                                                                  \
    X(tb_avg_pool_row)                                                                             \
    X(tb_max_pool_row)                                                                             \
    X(tb_sum_pool_row)                                                                             \
    X(tb_mean_row)                                                                                 \
    X(tb_gate_row)                                                                                 \
    X(tb_lookup_row)                                                                               \
    X(tb_softmax_row)                                                                              \
    X(tb_copy_row)                                                                                 \
    X(tb_block_rows)

#define KERNEL_ENTRY(name) name,
static TbKernel *const kernel_table[] = {KERNELS(KERNEL_ENTRY)};
enum { N_KERNELS = sizeof kernel_table / sizeof *kernel_table };

enum {
    CASE_MAX_OPS = 4,     /* a block is made of four */
    CASE_MAX_CALLS = 128, /* output rows */
    CASE_MAX_BYTES = 2 << 20,
    /* What stands behind TbOp's pointers lies alike on both machines. */
    CASE_FIELDS = offsetof(TbOp, block) + 1 - offsetof(TbOp, scratch)
};

typedef struct {
    uint32_t kernel;                           /* index into kernel_table */
    uint32_t weights, bias, multiplier, shift; /* where in the bytes */
    uint8_t fields[(CASE_FIELDS + 3) / 4 * 4];
} CaseOp;

typedef struct {
    uint32_t bytes, in, in2, out;
    uint32_t scratch;  /* bytes the kernel may use */
    uint32_t out_skew; /* 0 to 3: bytes the output is away from a multiple of 4 */
    uint32_t n_ops;    /* the last one is called */
    CaseOp op[CASE_MAX_OPS];
} CaseHead;

#endif
