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

/* -1 with errorf() when the runtime cannot run a layer (a kernel too tall). */
int lower(const QModel *q, const Plan *plan, Lowered *out);

#endif
