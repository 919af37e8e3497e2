/* stream.h - the optimiser of streamed plans (facts: a row ring instead of a tensor).
 *
 * A k x k layer needs its last k input rows only. So a network is cut into
 * segments; within one, rows flow through rings and nothing but the segment's
 * input and output is whole. Where a budget asks for it a segment is run strip
 * by strip, or the expanded tensor of a block is computed again, column by
 * column, instead of kept in a ring. Given the cuts, segments are independent:
 * the arena is their maximum, the work their sum, and dynamic programming over
 * the cuts finds the least of either (compare msf-CNN, NeurIPS 2025, which
 * does it without residual adds and without overlap).
 *
 * Bytes of a segment with input t_i and output t_j:
 *     IO     max(D + |t_i|, |t_j|): the output begins D bytes before the input
 *            it consumes; strips: |t_i| + |t_j|; image outside: |t_j|
 *     rings  of every tensor between that a window or an add reads
 *     shared one row for a tensor that a 1x1 layer reads at once (two when two
 *            such follow each other), or a block's window of expanded pixels:
 *            never alive together
 * Branches that are no residual adds are planned layer by layer. */
#ifndef STREAM_H
#define STREAM_H

#include "estimator/plan.h"

/* options->sram 0, or large enough: nothing computed twice, least arena. Else the
 * least work within it; and where even so nothing fits, the least work with small
 * kernels, and kernels of pairs where bytes are free. When nothing fits at all, again
 * the plan that computes nothing twice: stream_front() knows how far down one can go. */
void stream_make(const Net *net, const PlanOptions *options, Plan *plan);

typedef struct {
    uint32_t arena;
    uint64_t macs; /* as executed */
} StreamPoint;

/* options: image_outside and small. The front between memory and work, from nothing computed twice to the least
 * arena. Returns the number of points, at most `most`. */
int stream_front(const Net *net, const PlanOptions *options, StreamPoint *point, int most);
/* The budget to ask for when `share` more work (0.05: 5 %) is allowed: the
 * arena of the front's last such point. */
uint32_t stream_sram(const Net *net, const PlanOptions *options, double share);

#endif
