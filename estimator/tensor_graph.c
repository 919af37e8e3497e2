#include "estimator/tensor_graph.h"

#include <assert.h>
#include <string.h>

_Static_assert(GRAPH_MAX_OPS >= NET_MAX_LAYERS && GRAPH_MAX_TENSORS > NET_MAX_LAYERS,
               "every network has a graph");

static GraphKind kind_of(const Layer *l)
{
    return l->op == OP_DEPTHWISE ? GRAPH_DEPTHWISE : l->op == OP_ADD ? GRAPH_ADD : GRAPH_OTHER;
}

void tensor_graph_of_net(const Net *net, TensorGraph *g)
{
    assert(net->n_layers > 0);
    memset(g, 0, sizeof *g);
    g->n_ops = net->n_layers;
    g->n_tensors = 1 + net->n_layers;
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        g->tensor[1 + i].bytes = net_tensor_bytes(net, i);
        g->op[i] = (GraphOp){.kind = (uint8_t)kind_of(l),
                             .n_inputs = l->input2 == NET_NOTHING ? 1 : 2,
                             .input = {(uint16_t)(1 + l->input), (uint16_t)(1 + l->input2)},
                             .output = (uint16_t)(1 + i)};
    }
    g->tensor[0].bytes = net_tensor_bytes(net, NET_IMAGE);
    g->tensor[net->n_layers].kept = true;
}

void tensor_graph_lives(const TensorGraph *g, Life life[GRAPH_MAX_TENSORS])
{
    assert(g->n_ops > 0 && g->n_ops <= GRAPH_MAX_OPS && g->n_tensors <= GRAPH_MAX_TENSORS);
    memset(life, 0, (size_t)g->n_tensors * sizeof *life);
    for (int i = 0; i < g->n_ops; i++) {
        const GraphOp *op = &g->op[i];
        life[op->output] = (Life){(uint16_t)i, (uint16_t)i}; /* later readers come later */
        for (int k = 0; k < op->n_inputs; k++)
            life[op->input[k]].last = (uint16_t)i;
    }
    for (int t = 0; t < g->n_tensors; t++)
        if (g->tensor[t].kept)
            life[t].last = (uint16_t)(g->n_ops - 1);
}

/* Bytes that the output saves by taking the place of a dying input. */
static uint32_t shared_bytes(const TensorGraph *g, const Life *life, int i, Share share)
{
    const GraphOp *op = &g->op[i];
    uint32_t out = g->tensor[op->output].bytes;
    bool shares = (op->kind == GRAPH_DEPTHWISE && share >= SHARE_DEPTHWISE) ||
                  (op->kind == GRAPH_ADD && share == SHARE_DEPTHWISE_AND_ADD);
    for (int k = 0; shares && k < op->n_inputs; k++)
        if (life[op->input[k]].last == i && !g->tensor[op->input[k]].kept &&
            g->tensor[op->input[k]].bytes >= out)
            return out;
    return 0;
}

uint32_t tensor_graph_live(const TensorGraph *g, Share share)
{
    Life life[GRAPH_MAX_TENSORS];
    uint32_t begins[GRAPH_MAX_OPS] = {0}, ends[GRAPH_MAX_OPS] = {0}, alive = 0, most = 0;
    tensor_graph_lives(g, life);
    for (int t = 0; t < g->n_tensors; t++) {
        begins[life[t].first] += g->tensor[t].bytes;
        ends[life[t].last] += g->tensor[t].bytes;
    }
    for (int i = 0; i < g->n_ops; i++) {
        alive += begins[i];
        uint32_t now = alive - shared_bytes(g, life, i, share);
        most = now > most ? now : most;
        alive -= ends[i];
    }
    return most;
}
