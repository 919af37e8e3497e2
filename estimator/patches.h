/* patches.h - MCUNetV2's patch-based inference, by count alone.
 *
 * MCUNetV2 (arXiv 2110.15352): the first n layers run on a p x p grid of
 * patches of their last output, which is kept whole; each patch computes what
 * it needs of the layers before, halos included, so neighbours compute those
 * twice. The other layers run one by one. The image is not kept whole (it is
 * decoded patch by patch); what a patch sees of it counts. Depthwise layers
 * work in place.
 *
 * This is the accounting, for comparison; nothing here is executed. */
#ifndef PATCHES_H
#define PATCHES_H

#include "network/net.h"

typedef struct {
    uint32_t h, w;
} PatchSide;

typedef struct {
    uint32_t patch; /* bytes of one patch's tiles, without its share of the stage's output */
    uint32_t rest;  /* bytes of the layers after the stage, the stage's output included */
    uint32_t peak;  /* the larger of rest and of patch with the stage's whole output */
} PatchMemory;

typedef struct {
    uint64_t macs;      /* of layers [0, n), executed whole */
    uint64_t unclipped; /* in patches of full size: TinyEngine's formula */
    uint64_t clipped;   /* in patches cut at the border of each tensor */
    uint32_t output;    /* bytes of the stage's output */
    PatchMemory paired; /* a layer's inputs and output: the paper's peak */
    PatchMemory live;   /* and the tensors that wait for an add */
} Patches;

/* Are the first n layers a stage of patches? They look at a window or a pixel
 * each, and what comes after reads nothing before the last of them. */
bool patches_possible(const Net *net, int n);

/* Sides of a full patch: [0] of the image, [1 + l] of what layer l < n makes.
 * Backwards from ceil(output / p): t <- (t - 1) * stride + kernel. */
void patches_sides(const Net *net, int p, int n, PatchSide side[NET_MAX_LAYERS + 1]);

/* p >= 1 patches a side, the first n layers; asserts patches_possible(). */
Patches patches_count(const Net *net, int p, int n);

#endif
