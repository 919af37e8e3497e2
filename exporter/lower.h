/* lower.h - an int8 model and a plan become the runtime's tables.
 *
 * The one place that says how a Net maps to TbOps: the host runs these tables
 * as they are, print.c prints the same ones as C. */
#ifndef LOWER_H
#define LOWER_H

#include "estimator/plan.h"
#include "quant/qmodel.h"
#include "runtime/tb.h"

typedef struct {
    TbModel model; /* points into the arrays below and into the QModel: keep both where they are */
    TbOp op[NET_MAX_LAYERS];
    TbTensor tensor[NET_MAX_LAYERS + 1];
    TbSegment segment[NET_MAX_LAYERS];
} Lowered;

/* One list for the pointers and their names in print.c: operator, kernel. */
#define LOWER_KERNELS(X)                                                                          \
    X(CONV, tb_conv_row)                                                                          \
    X(DEPTHWISE, tb_depthwise_row)                                                                \
    X(POINTWISE, tb_pointwise_row)                                                                \
    X(ADD, tb_add_row)                                                                            \
    X(AVG_POOL, tb_avg_pool_row)                                                                  \
    X(MAX_POOL, tb_max_pool_row)                                                                  \
    X(GLOBAL_POOL, tb_avg_pool_row) /* the window is the image */                                 \
    X(DENSE, tb_dense_row)

/* -1 with errorf() when net_check() refuses the net (a kernel too tall for the
 * runtime) or a segment is too long. */
int lower(const QModel *q, const Plan *plan, Lowered *out);

#endif
