/* profile.h - what a network takes on a target, before anything of it runs.
 *
 * A Profile holds a network and its plan twice: with the image outside of the
 * arena, pulled row by row, and with the image resident in it. Both are always
 * said; one of them, `image`, is shown in detail. Fill in the first fields,
 * then profile_make(); what follows reads it. Numbers only: profile_json.c
 * describes them, profile_page.c prints them, memory_svg.c draws them. */
#ifndef PROFILE_H
#define PROFILE_H

#include "estimator/estimator.h"
#include "estimator/tensor_graph.h"

typedef enum { IMAGE_OUTSIDE, IMAGE_RESIDENT, N_IMAGES } ImagePlace;

typedef struct {
    const char *source; /* as the user named the network */
    Net net;
    TensorGraph graph;  /* a file's own operators, for others' planners; n_ops 0: the net's */
    bool imported;      /* from a file whose operators are not ours: */
    int16_t file_op[NET_MAX_LAYERS]; /* index there of the operator that a layer comes from */
    struct {
        int ops;
        uint64_t macs, macs_exact; /* exact: taps inside what the file's operator reads */
        uint32_t weights, biases;  /* bytes */
        uint32_t scales, params;
    } file;             /* what is in it, before anything is folded */
    Target target;
    Limits limits;      /* what the arena and the flash may take */
    uint8_t policy;     /* Policy */
    bool small;         /* only kernels that want no scratch (PlanOptions) */
    uint32_t sram;      /* budget for stream (PlanOptions), 0: nothing is computed twice */
    double recompute;   /* above 0: instead of a budget, the share of more work allowed (0.05) */
    uint8_t image;      /* ImagePlace: which plan is shown in detail */
    /* found: */
    Plan plan[N_IMAGES];
    Cost cost[N_IMAGES];
} Profile;

void profile_make(Profile *p);
/* The options that a plan of this profile is made with. */
PlanOptions profile_options(const Profile *p, Policy policy, ImagePlace image);

/* Of the plan in detail: the largest sum of bytes alive, and so where the arena is needed. */
bool profile_is_peak(const Profile *p, int layer);
int profile_segment_of(const Plan *plan, int layer);
/* "rows" through rings, "4 strips", "3x3 patches", "block of 2" rows, "" layer by layer; a few
 * buffers in turn. */
const char *profile_runs_as(const Plan *plan, int layer);
/* Of a kernel: an operator's name or a step's. */
const char *profile_step_name(int step);
/* MACs without those on padding, which no kernel computes. */
uint64_t profile_macs_inside(const Net *net);
/* Estimated, with what is computed twice; negative when the target's model has no such operator. */
double profile_latency_of_layer(const Profile *p, int layer);
bool profile_uses(const Profile *p, Op op);
bool profile_has_latency(const Latency *latency, Op op);

/* What lies in the arena during a segment. */
#define PROFILE_PARTS(X)                                                                          \
    X(INPUT, "input")     /* a whole tensor that the segment reads                   */           \
    X(OUTPUT, "output")   /* the whole tensor it makes                               */           \
    X(RING, "ring")       /* the rows of a tensor between that are still needed      */           \
    X(TILE, "tile")       /* of a patch: its part of a tensor                        */           \
    X(SKIP, "skip")       /* a whole tensor that a later add, gate or segment reads  */           \
    X(SCRATCH, "scratch") /* of a kernel                                             */

typedef enum {
#define X(part, name) PART_##part,
    PROFILE_PARTS(X)
#undef X
    N_PARTS
} PartKind;
const char *part_name(PartKind kind);

typedef struct {
    uint8_t kind;    /* PartKind */
    int16_t layer;   /* whose output or scratch; NET_IMAGE */
    uint32_t offset, bytes;
} Part;

#define PROFILE_MAX_PARTS (2 * NET_MAX_LAYERS + 1)
/* By kind, then by layer. Where one lies over another their sum is more than plan_live(). */
int profile_parts(const Net *net, const Plan *plan, int segment, Part part[PROFILE_MAX_PARTS]);

/* The same network under every policy, and as others would count it. */
typedef struct {
    char name[48];
    uint32_t arena[N_IMAGES]; /* 0: there is no such figure */
    uint32_t flash;           /* likewise */
    uint64_t macs;            /* as executed */
    double latency;
} Way;

#define PROFILE_MAX_WAYS 16
int profile_ways(const Profile *p, Way way[PROFILE_MAX_WAYS]);

#endif
