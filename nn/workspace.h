/* workspace.h - one block of memory for everything a pass needs.
 *
 * A pass first asks for places (offsets, in floats), then reserves the sum and
 * turns places into pointers. Nothing is allocated while the block is large
 * enough, so that after the first pass no page is touched for the first time. */
#ifndef WORKSPACE_H
#define WORKSPACE_H

#include "nn/op.h"
#include "nn/pass.h"

struct Workspace {
    void *memory;                       /* holds the block */
    float *block;                       /* on a huge page's start */
    size_t floats;
    size_t taken;                       /* of the pass being laid out */
    Tensor tensor[NET_MAX_LAYERS + 1];  /* [0] the image, [1 + l] the output of layer l */
    Step step[NET_MAX_LAYERS];
};

/* A buffer alive from one time to another, both included. */
typedef struct {
    size_t floats, at;
    int from, to;
} Span;

/* Sets every span's `at` so that no two alive at once overlap; returns the floats of all. */
size_t spans_place(Span *span, int n);

size_t workspace_take(Workspace *ws, size_t floats); /* a place, aligned to 64 bytes */
void workspace_reserve(Workspace *ws);               /* makes room for all that was taken */
size_t workspace_room(size_t floats);                /* bytes of a Workspace with such a block */

static inline Tensor *workspace_tensor(Workspace *ws, int layer)
{
    return layer == NET_NOTHING ? NULL : &ws->tensor[layer + 1];
}

/* Floats of one image of what a layer makes. */
size_t layer_floats(const Layer *l);
/* Floats of scratch enough for every layer. */
size_t net_scratch(const Net *net);

#endif
