/* tflm.h - the arena that TensorFlow Lite for Microcontrollers would need, for comparison.
 *
 * Its greedy memory planner (GreedyMemoryPlanner in the public sources) places
 * the largest buffers first, later ones first among equals, each into the
 * lowest gap between the buffers it meets in time that is long enough. Sizes
 * are rounded up to 16 bytes. It is not optimal: MobileNetV1-0.25 at 96 x 96
 * has 55,296 bytes alive at once and gets an arena of 73,728. Tensors only: the
 * interpreter's own structures and the kernels' scratch come on top. */
#ifndef TFLM_H
#define TFLM_H

#include "estimator/tensor_graph.h"

#define TFLM_ALIGN 16
#define TFLM_MAX_BUFFERS 1024

typedef struct {
    uint32_t bytes;
    uint16_t first, last; /* operators during which it is needed, both included */
    uint32_t offset;      /* found: a multiple of TFLM_ALIGN */
} TflmBuffer;

/* Finds the offsets; returns the bytes of the arena. */
uint32_t tflm_plan(TflmBuffer *buffer, int n);
/* The arena of a graph's tensors. */
uint32_t tflm_arena(const TensorGraph *g);

#endif
