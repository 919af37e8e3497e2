#define _GNU_SOURCE
#include "nn/workspace.h"

#include "base/alloc.h"
#include "nn/matmul.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

Workspace *workspace_new(void)
{
    matmul_begin();
    return xcalloc(1, sizeof(Workspace));
}

void workspace_free(Workspace *ws)
{
    if (ws)
        free(ws->memory);
    free(ws);
}

static bool meet(const Span *a, const Span *b)
{
    return a->from <= b->to && b->from <= a->to && a->at < b->at + b->floats &&
           b->at < a->at + a->floats;
}

/* First fit: behind every buffer that is in the way, until none is. */
size_t spans_place(Span *span, int n)
{
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        span[i].at = 0;
        for (int j = 0; j < i; j++)
            if (meet(&span[i], &span[j])) {
                span[i].at = span[j].at + span[j].floats;
                j = -1;
            }
        size_t end = span[i].at + span[i].floats;
        total = end > total ? end : total;
    }
    return total;
}

size_t workspace_take(Workspace *ws, size_t floats)
{
    size_t at = ws->taken;
    ws->taken += (floats + 15) / 16 * 16;
    return at;
}

/* Pages of 2 MB, asked for before the first touch: a hundred megabytes of small ones take longer
 * to be mapped than a pass, and miss the TLB ever after. A kernel without them says no, and no
 * harm is done. */
static float *on_huge_pages(void *memory, size_t bytes)
{
    uintptr_t start = ((uintptr_t)memory + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    (void)madvise((void *)start, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return (float *)start;
}

static size_t block_bytes(size_t floats)
{
    return floats ? floats * sizeof(float) + HUGE_PAGE : 0;
}

size_t workspace_room(size_t floats)
{
    return sizeof(Workspace) + block_bytes(floats);
}

size_t workspace_bytes(const Workspace *ws)
{
    return workspace_room(ws->floats);
}

void workspace_reserve(Workspace *ws)
{
    if (ws->taken > ws->floats) {
        free(ws->memory);
        ws->memory = xmalloc(block_bytes(ws->taken));
        ws->block = on_huge_pages(ws->memory, ws->taken * sizeof(float));
        ws->floats = ws->taken;
    }
    ws->taken = 0;
}

size_t layer_floats(const Layer *l)
{
    return (size_t)l->out_h * l->out_w * l->out_c;
}

size_t net_scratch(const Net *net)
{
    size_t most = 0;
    for (int i = 0; i < net->n_layers; i++) {
        size_t floats = op_scratch(&net->layer[i]);
        most = floats > most ? floats : most;
    }
    return most;
}
