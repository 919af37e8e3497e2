/* plan_inner.h - what the policies' planners share. Private to estimator/. */
#ifndef PLAN_INNER_H
#define PLAN_INNER_H

#include "estimator/pack.h"
#include "estimator/plan.h"

static inline uint32_t plan_aligned(uint32_t bytes)
{
    return (bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

/* Bytes that the kernel wants for one call, which makes a row of so many pixels. */
uint32_t plan_scratch(const Layer *l, int kernel, int out_w);
/* The most of all tiles of its segment: a narrower one may want more. */
uint32_t plan_scratch_of_tiles(const Net *net, const PlanSegment *segment, int layer, int kernel);
/* Of a plan whose segments are made. */
uint32_t plan_scratch_in(const Net *net, const Plan *plan, int layer, int kernel);
/* Gives layers the kernels of pairs where their scratch is free in an arena of so many bytes, or of
 * what the plan takes if that is more. */
void plan_use_free(const Net *net, Plan *plan, uint32_t arena);
/* Of a block's window: rows x columns expanded pixels of c channels, and one more pixel. */
uint32_t plan_block_scratch(int rows, int columns, int c);
/* Rows of its expanded input that a block computes in all, `block` rows of its depthwise's output at
 * a time: every group's window, as far as it is inside. */
int plan_block_rows(int in_h, int out_h, int k, int s, int pad, int block);
/* Where part i of a tensor cut into parts begins. The first ones are the larger ones: at the border
 * part of their halo is missing. */
uint16_t plan_cut(int size, int parts, int i);
/* How a layer's output may lie over its dying input, as pack.h says it. */
uint32_t plan_overlap(const Layer *l, int kernel);
/* Layer by layer, in place where that helps, whatever the policy is called. */
void plan_set_kernels(const Net *net, bool small, Plan *plan);
void plan_make_layers(const Net *net, const PlanOptions *options, Plan *plan);

void plan_make_patches(const Net *net, const PlanOptions *options, Plan *plan);
/* The end of the last buffer. */
uint32_t plan_end(const Net *net, const Plan *plan);
/* First and last segment of every tensor, from the segments. */
void plan_set_lives(const Net *net, Plan *plan);

#endif
