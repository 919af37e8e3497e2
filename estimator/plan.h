/* plan.h - where each byte of the arena is, and when.
 *
 * One Plan says how a network is executed: in which segments, where every
 * tensor lies in the single arena, where each kernel's scratch is, and so the
 * peak. The search reads its peak, the exporter prints it, the host runs it.
 * Plain data; plan_make() never allocates, so every thread may plan.
 *
 * The arena holds the image (image resident), all activations and scratch. */
#ifndef PLAN_H
#define PLAN_H

#include "network/net.h"

#define PLAN_POLICIES(X)                                                                          \
    X(LAYERWISE, "layerwise") /* a layer at a time, its inputs and output apart              */  \
    X(INPLACE, "inplace")     /* depthwise, adds and pools write over their dying input      */

typedef enum {
#define X(policy, name) POLICY_##policy,
    PLAN_POLICIES(X)
#undef X
    N_POLICIES
} Policy;

typedef struct {
    uint32_t offset;    /* bytes from the start of the arena, multiple of PLAN_ALIGN */
    uint32_t bytes;     /* rows * row_bytes */
    uint32_t row_bytes; /* w * c */
    uint16_t rows;      /* rows kept: the tensor's h, or fewer for a ring */
    uint8_t first, last; /* segments during which it is alive, both included */
} PlanTensor;

typedef struct {
    uint8_t first, n; /* layers [first, first + n): one for layer-by-layer execution */
} PlanSegment;

typedef struct {
    uint8_t policy;
    uint8_t n_segments;
    uint8_t peak_segment; /* the first segment during which the most bytes are alive */
    uint32_t arena;       /* bytes: largest offset + size of everything below */
    PlanSegment segment[NET_MAX_LAYERS];
    PlanTensor tensor[NET_MAX_LAYERS + 1]; /* [0] the image, [1 + l] the output of layer l */
    struct {
        uint32_t offset, bytes;
    } scratch[NET_MAX_LAYERS]; /* of layer l, alive during its segment */
} Plan;

#define PLAN_ALIGN 4 /* == TB_ALIGN */

void plan_make(const Net *net, Policy policy, Plan *plan);
/* Only the peak: the same number as plan_make(), without the rest. */
uint32_t plan_arena(const Net *net, Policy policy);
/* Bytes alive during a segment: tensors and scratch. */
uint32_t plan_live(const Plan *plan, const Net *net, int segment);

const char *policy_name(Policy policy);
int policy_parse(const char *name, Policy *policy); /* -1 with errorf() */

#endif
