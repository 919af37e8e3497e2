/* lower.h - an int8 model and a plan become the runtime's tables.
 *
 * The one place that says how a Net maps to TbOps: the host runs these tables
 * as they are, print.c prints the same ones as C. Nothing is decided here: a
 * ring is as long and lies where the plan says.
 *
 *   tensor   the plan's, [0] the image, [1 + l] what layer l makes; behind them,
 *            as they come up, moved tensors and the views of tiles
 *   op       in order of execution; a row of the image that is pulled and a
 *            tensor that moves are ops too; a block's three layers stand before
 *            the op that computes all of them
 *   segment  one for a segment of the plan; of tiles one a tile, or one a layer
 *            of a tile; a move has its own */
#ifndef LOWER_H
#define LOWER_H

#include "estimator/plan.h"
#include "quant/qmodel.h"
#include "runtime/tb.h"

/* What an entry of the tables stands for, for people who read them. */
typedef struct {
    uint8_t step;  /* operator or step of the plan */
    int16_t layer; /* or NET_IMAGE; a block's projection, the one whose tensor is copied */
} LoweredOp;
typedef enum { TENSOR_OF_PLAN, TENSOR_MOVED, TENSOR_VIEW } TensorKind;
typedef struct {
    uint8_t kind;
    uint8_t tensor; /* of the plan */
    uint16_t w;     /* pixels of a row */
    PlanRange part; /* of the tensor that a view shows */
} LoweredTensor;
typedef struct {
    uint8_t segment; /* of the plan */
    uint16_t tile;
} LoweredSegment;

typedef struct {
    TbModel model; /* points into the blocks below and into the QModel: keep that where it is */
    TbOp *op;
    TbTensor *tensor;
    TbSegment *segment;
    LoweredOp *op_from;
    LoweredTensor *tensor_from;
    LoweredSegment *segment_from;
    struct {
        const int8_t *weights; /* plan_weights() bytes but for zeros at the end */
        const int32_t *bias;   /* [out_c]; NULL where it is among the weights */
    } constants[NET_MAX_LAYERS]; /* of layers, as their kernels want them: exporter/constants.h */
    bool image_outside;
    uint16_t output; /* the network's output in tensor[] */
    void *block;     /* owns everything above, */
    void *packed;    /* but for packed weights and folded biases */
} Lowered;

/* One list for the pointers and their names in print.c: operator or step, kernel. */
#define LOWER_KERNELS(X)                                                                          \
    X(OP_CONV, tb_conv_row)                                                                       \
    X(OP_DEPTHWISE, tb_depthwise_row)                                                             \
    X(OP_POINTWISE, tb_pointwise_row)                                                             \
    X(OP_ADD, tb_add_row)                                                                         \
    X(OP_AVG_POOL, tb_avg_pool_row)                                                               \
    X(OP_MAX_POOL, tb_max_pool_row)                                                               \
    X(OP_GLOBAL_POOL, tb_avg_pool_row) /* the window is the image */                              \
    X(OP_DENSE, tb_dense_row)                                                                     \
    X(OP_MEAN, tb_mean_row)                                                                       \
    X(OP_GATE, tb_gate_row)                                                                       \
    X(OP_LOOKUP, tb_lookup_row)                                                                   \
    X(OP_SOFTMAX, tb_softmax_row)                                                                 \
    X(STEP_INPUT, tb_input_row)                                                                   \
    X(STEP_COPY, tb_copy_row)                                                                     \
    X(STEP_SUM_POOL, tb_sum_pool_row)                                                             \
    X(STEP_BLOCK, tb_block_rows)                                                                  \
    X(STEP_CONV_PAIRS, tb_conv_pairs_row)                                                         \
    X(STEP_DEPTHWISE_PAIRS, tb_depthwise_pairs_row)                                               \
    X(STEP_DEPTHWISE_PLANES, tb_depthwise_planes_rows)                                            \
    X(STEP_POINTWISE_PAIRS, tb_pointwise_pairs_row)

/* Allocates the tables, plan_size() entries each; lowered_release() frees them. -1 with
 * errorf(), and nothing to release, when net_check() refuses the net (a kernel too tall for
 * the runtime) or a segment is too long. */
int lower(const QModel *q, const Plan *plan, Lowered *out);
void lowered_release(Lowered *lowered);

/* One inference on this machine. image: int8 [h][w][c] of the net; it is put into the arena,
 * or pulled from where it is when the plan has it outside. Returns where the output lies. */
const int8_t *lowered_run(const Lowered *lowered, const Net *net, const int8_t *image,
                          int8_t *arena);

#endif
