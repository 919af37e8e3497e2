#include "estimator/tflm.h"

#include <assert.h>

static uint32_t aligned(uint32_t bytes)
{
    return (bytes + TFLM_ALIGN - 1) / TFLM_ALIGN * TFLM_ALIGN;
}

/* Largest first, later first among equals. */
static void sort_by_size(const TflmBuffer *buffer, int n, uint16_t *order)
{
    for (int k = 0; k < n; k++) {
        int at = k;
        for (; at > 0 && aligned(buffer[order[at - 1]].bytes) <= aligned(buffer[k].bytes); at--)
            order[at] = order[at - 1];
        order[at] = (uint16_t)k;
    }
}

/* The first gap between those already placed, which stand by ascending offset. */
static uint32_t first_gap(const TflmBuffer *buffer, const uint16_t *placed, int n,
                          const TflmBuffer *b)
{
    uint32_t offset = 0;
    for (int k = 0; k < n; k++) {
        const TflmBuffer *other = &buffer[placed[k]];
        if (other->first > b->last || b->first > other->last)
            continue;
        if (other->offset >= offset + aligned(b->bytes))
            break;
        uint32_t end = other->offset + aligned(other->bytes);
        offset = end > offset ? end : offset;
    }
    return offset;
}

uint32_t tflm_plan(TflmBuffer *buffer, int n)
{
    uint16_t order[TFLM_MAX_BUFFERS], placed[TFLM_MAX_BUFFERS];
    uint32_t arena = 0;
    assert(n <= TFLM_MAX_BUFFERS);
    sort_by_size(buffer, n, order);
    for (int k = 0; k < n; k++) {
        TflmBuffer *b = &buffer[order[k]];
        b->offset = first_gap(buffer, placed, k, b);
        uint32_t end = b->offset + aligned(b->bytes);
        arena = end > arena ? end : arena;
        int at = k;
        for (; at > 0 && buffer[placed[at - 1]].offset > b->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = order[k];
    }
    return arena;
}

uint32_t tflm_arena(const TensorGraph *g)
{
    TflmBuffer buffer[GRAPH_MAX_TENSORS];
    Life life[GRAPH_MAX_TENSORS];
    tensor_graph_lives(g, life);
    for (int t = 0; t < g->n_tensors; t++)
        buffer[t] = (TflmBuffer){.bytes = g->tensor[t].bytes, .first = life[t].first,
                                 .last = life[t].last};
    return tflm_plan(buffer, g->n_tensors);
}
