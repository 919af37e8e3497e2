#include "evaluator/host_net.h"

#include "estimator/plan.h"

#include <assert.h>

/* The layer-by-layer plan of the net whose pixels are so wide as they are here. */
static Plan plan_wide(const Net *net)
{
    Net wide = *net;
    Plan plan;
    wide.c = (uint16_t)host_step(wide.c);
    for (int i = 0; i < wide.n_layers; i++) {
        wide.layer[i].in_c = (uint16_t)host_step(wide.layer[i].in_c);
        wide.layer[i].out_c = (uint16_t)host_step(wide.layer[i].out_c);
    }
    plan_make(&wide, &(PlanOptions){.policy = POLICY_LAYERWISE}, &plan);
    return plan;
}

static size_t round_up(size_t n)
{
    return (n + 63) / 64 * 64; /* vectors are aligned in scratch */
}

void host_net_init(HostNet *h, const QModel *q, const HostIsa *isa)
{
    Plan plan = plan_wide(&q->net);
    size_t scratch = 0;
    h->net = &q->net;
    for (int t = 0; t <= q->net.n_layers; t++) {
        assert(plan.tensor[t].move == PLAN_STAYS);
        h->offset[t] = plan.tensor[t].offset;
    }
    for (int i = 0; i < q->net.n_layers; i++) {
        host_layer_init(&h->layer[i], isa, q, i);
        scratch = h->layer[i].scratch > scratch ? h->layer[i].scratch : scratch;
    }
    h->scratch = round_up(plan.arena + HOST_SLACK);
    h->workspace = h->scratch + round_up(scratch + HOST_SLACK);
}

void host_net_release(HostNet *h)
{
    for (int i = 0; i < h->net->n_layers; i++)
        host_layer_release(&h->layer[i]);
}

void host_net_run(const HostNet *h, const int8_t *image, uint8_t *workspace, int8_t *output)
{
    const Net *net = h->net;
    const Layer *last = net_output(net);
    host_widen(workspace + h->offset[0], image, net->h * net->w, net->c);
    for (int i = 0; i < net->n_layers; i++) {
        const HostLayer *l = &h->layer[i];
        int second = op_has_two_inputs((Op)l->shape.op) ? l->shape.input2 : l->shape.input;
        HostTensors t = {.in = workspace + h->offset[1 + l->shape.input],
                         .in2 = workspace + h->offset[1 + second],
                         .out = workspace + h->offset[1 + i],
                         .scratch = workspace + h->scratch};
        l->run(l, &t);
    }
    host_narrow(output, workspace + h->offset[net->n_layers], last->out_h * last->out_w,
                last->out_c);
}
