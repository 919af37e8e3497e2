#include "nn/workspace.h"

#include "base/alloc.h"
#include "nn/matmul.h"

#include <stdlib.h>

Workspace *workspace_new(void)
{
    matmul_begin();
    return xcalloc(1, sizeof(Workspace));
}

void workspace_free(Workspace *ws)
{
    if (ws)
        free(ws->block);
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

void workspace_reserve(Workspace *ws)
{
    if (ws->taken > ws->floats) {
        free(ws->block);
        ws->block = xaligned(ws->taken * sizeof(float));
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
