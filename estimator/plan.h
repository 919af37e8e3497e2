/* plan.h - where each byte of the arena is, and when.
 *
 * One Plan says how a network is executed: in which segments, where every
 * tensor lies in the single arena, where each kernel's scratch is, and so the
 * peak. The search reads its peak, the exporter prints it, the host runs it.
 * Plain data; plan_make() never allocates, so every thread may plan.
 *
 * A segment is a run of layers through which rows flow: inside it a tensor is
 * a ring of the few rows that are still needed. A segment of one layer is
 * layer-by-layer execution. Between segments whole tensors lie in the arena.
 *
 * Two conventions for the image, both always printed. Resident: it lies in the
 * arena and is counted. Outside: its rows are pulled through a callback (a
 * camera, a decoder) into a ring as they are needed. */
#ifndef PLAN_H
#define PLAN_H

#include "network/net.h"

#define PLAN_POLICIES(X)                                                                          \
    X(LAYERWISE, "layerwise") /* a layer at a time, its inputs and output apart              */  \
    X(INPLACE, "inplace")     /* depthwise, adds and pools write over their dying input      */  \
    X(PATCH, "patch")         /* the first layers patch by patch, halos computed again (MCUNetV2) */ \
    X(STREAM, "stream")       /* segments of streamed rows (estimator/stream.h)              */

typedef enum {
#define X(policy, name) POLICY_##policy,
    PLAN_POLICIES(X)
#undef X
    N_POLICIES,
    /* Not planned and not executed, only estimated: what TinyEngine would take (tinyengine.h). */
    POLICY_TINYENGINE = N_POLICIES
} Policy;

typedef struct {
    uint8_t policy;
    bool image_outside; /* the image is pulled row by row and not in the arena */
    bool small;         /* only kernels that want no scratch: a little less memory, twice the
                           instructions */
    uint32_t sram;      /* stream: bytes the arena may take, so that more is computed twice, and
                           kernels go without scratch, only where they must; 0: nothing computed
                           twice, least arena then. Where nothing fits the plan is larger: look
                           at its arena */
} PlanOptions;

/* What a plan does beside layers, and kernels that a layer may have instead of its operator's; in
 * tables over kernels they stand after the operators. */
#define PLAN_STEPS(X)                                                                             \
    X(INPUT, "input")       /* pulls a row of an image that is outside                       */   \
    X(COPY, "copy")         /* moves a tensor within the arena                               */   \
    X(SUM_POOL, "sum_pool") /* a global pool of a tensor whose rows are not kept             */   \
    X(BLOCK, "block")       /* an expansion, depthwise and projection, column by column      */   \
    X(CONV_PAIRS, "conv_pairs")           /* on pairs of int16, with scratch (runtime/tb.h)  */   \
    X(DEPTHWISE_PAIRS, "depthwise_pairs")                                                         \
    X(DEPTHWISE_PLANES, "depthwise_planes") /* all rows at once, of whole tensors            */   \
    X(POINTWISE_PAIRS, "pointwise_pairs")

enum {
    STEP_BEFORE = N_OPS - 1,
#define X(step, name) STEP_##step,
    PLAN_STEPS(X)
#undef X
    N_STEPS
};

#define PLAN_STAYS UINT8_MAX

typedef struct {
    uint32_t offset;     /* bytes from the start of the arena, multiple of PLAN_ALIGN */
    uint32_t bytes;      /* rows * row_bytes; 0: it has no place of its own (inside a block) */
    uint32_t row_bytes;  /* w * c, of the widest strip in a ring */
    uint16_t rows;       /* rows kept: the tensor's h, or fewer for a ring */
    uint8_t first, last; /* segments during which it is alive, both included */
    uint8_t move;        /* before this segment it is moved to `moved` and stays; PLAN_STAYS: never */
    uint32_t moved;      /* offset from then on */
} PlanTensor;

/* The last layer's output is cut into rows x columns tiles of about equal size;
 * for each, all layers run over just what it needs of them, halos again and
 * again. columns alone are strips: rows still flow through rings. With `tiled`
 * a tile's tensors are whole, one layer after the other (patches). */
typedef struct {
    uint8_t first, n; /* layers [first, first + n) */
    uint8_t rows, columns;
    bool tiled;
} PlanSegment;

typedef struct {
    uint8_t policy;
    bool image_outside;
    uint8_t n_segments;
    uint8_t peak_segment; /* the first segment during which the most bytes are alive */
    uint32_t arena;       /* bytes: largest offset + size of everything below */
    PlanSegment segment[NET_MAX_LAYERS];
    PlanTensor tensor[NET_MAX_LAYERS + 1]; /* [0] the image, [1 + l] the output of layer l */
    struct {
        uint32_t offset, bytes;
    } scratch[NET_MAX_LAYERS];      /* of layer l, alive during its segment; a kernel of pairs
                                       shares it with others that run there */
    uint8_t kernel[NET_MAX_LAYERS]; /* of layer l: its operator, or the step of pairs */
    /* Not 0 for a projection whose expansion and depthwise (the two layers before it) are computed
     * with it, column by column, `block` output rows at a time: no ring of the expanded tensor,
     * its columns are in the projection's scratch (runtime/tb_block.c). */
    uint8_t block[NET_MAX_LAYERS];
} Plan;

#define PLAN_ALIGN 4     /* == TB_ALIGN */
#define PLAN_MAX_BLOCK 4 /* == TB_MAX_BLOCK */

void plan_make(const Net *net, const PlanOptions *options, Plan *plan);
/* Only the peak: the same number as plan_make(), without the rest. */
uint32_t plan_arena(const Net *net, const PlanOptions *options);
/* Bytes alive during a segment: tensors, rings and scratch; one over the other counts once. */
uint32_t plan_live(const Plan *plan, const Net *net, int segment);
/* Where a tensor lies during a segment. */
uint32_t plan_offset(const Plan *plan, int tensor, int segment);

/* Rows [y0, y1) and columns [x0, x1) of a tensor. */
typedef struct {
    uint16_t y0, y1, x0, x1;
} PlanRange;

/* What a tile (0 <= tile < rows * columns, row by row) needs of every tensor of a segment:
 * range[0] of the segment's input, range[1 + i] of the output of layer first + i. */
void plan_ranges(const Net *net, const PlanSegment *segment, int tile, PlanRange *range);

/* Whether what a layer needs of an input for `out` begins later than the part of it a tile
 * has, `in`, because other layers need more: it reads through a view of its own. */
bool plan_reads_later(const Layer *l, PlanRange in, PlanRange out);

/* Whether a layer's global pool adds rows up as they come, in a scratch of sums, rather
 * than read a whole tensor: when it ends a segment of several layers. */
bool plan_sums(const Net *net, const Plan *plan, int layer);

/* Entries of the tables a plan becomes (exporter/lower.h): their flash is exact. */
typedef struct {
    uint32_t n_ops, n_tensors, n_segments;
    uint32_t steps;   /* bit s is set when the kernel of operator or step s is used */
    uint32_t weights; /* bytes, every layer's a multiple of 4, as the kernels want them */
    uint32_t scaled;  /* channels whose biases and scales are among these */
} PlanSize;
PlanSize plan_size(const Net *net, const Plan *plan);
/* The same of a layer-by-layer plan, from the layers alone. */
PlanSize plan_size_of_layers(const Net *net, const PlanOptions *options);

/* The kernel of a layer whose rows flow: of pairs where there is one, unless only small ones are
 * wanted; and of one that is alone on whole tensors, apart from each other or exactly the same. */
int plan_kernel(const Layer *l, bool small);
int plan_kernel_alone(const Layer *l, bool small);
/* Whether a depthwise on planes may write exactly over its input: of what it covers, its channel is
 * in a plane by then. */
bool plan_may_cover(const Layer *l);
/* Of a layer-by-layer plan. */
int plan_kernel_of_layers(const Net *net, const PlanOptions *options, int layer);
/* Does that kernel have biases and scales among its weights? */
bool plan_packs_scales(int kernel);
/* Bytes of weights, or of a lookup's table, as that kernel wants them. */
uint32_t plan_weights(const Layer *l, int kernel);

/* Entries of the segment table that a segment of the plan becomes, in order of execution: the
 * tensors that move before it, then one a tile, or one a layer of a tile. */
int plan_runs(const Plan *plan, int segment);

/* Multiply-accumulates of a layer as executed (halos and blocks computed again included), over
 * those of the layer run once: 1 when nothing is computed twice. */
double plan_work(const Net *net, const Plan *plan, int layer);
uint64_t plan_macs(const Net *net, const Plan *plan);

const char *policy_name(Policy policy);
int policy_parse(const char *name, Policy *policy); /* one that is executed; -1 with errorf() */

#endif
