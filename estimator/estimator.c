#include "estimator/estimator.h"

/* What exporter/print.h lays down: bytes of the runtime's structs on a 32-bit
 * target. A test compiles tb.h for one and compares. */
enum { MODEL_BYTES = 20, OP_BYTES = 52, TENSOR_BYTES = 12, SEGMENT_BYTES = 2, WORD = 4 };

static uint32_t words(uint32_t bytes)
{
    return (bytes + WORD - 1) / WORD * WORD;
}

uint32_t flash_of_model(const Net *net, int n_segments)
{
    uint32_t n = net->n_layers, weights = 0, biases = 0, multipliers = 0;
    for (uint32_t i = 0; i < n; i++) {
        const Layer *l = &net->layer[i];
        uint32_t channels = op_has_weights((Op)l->op) ? l->out_c : 0;
        weights += words(layer_weights(l));
        biases += channels;
        multipliers += l->op == OP_ADD ? 3 : channels; /* of both inputs and of the sum */
    }
    uint32_t tables = MODEL_BYTES + OP_BYTES * n + TENSOR_BYTES * (n + 1) +
                      words(SEGMENT_BYTES * (uint32_t)n_segments);
    return tables + weights + WORD * biases + WORD * multipliers + words(multipliers);
}

uint32_t flash_of_code(const Net *net, const CodeSize *code)
{
    bool counted[N_OPS] = {false};
    uint32_t bytes = code->run;
    for (int i = 0; i < net->n_layers; i++) {
        int op = net->layer[i].op == OP_GLOBAL_POOL ? OP_AVG_POOL : net->layer[i].op; /* one kernel */
        bytes += counted[op] ? 0 : code->kernel[op];
        counted[op] = true;
    }
    return bytes;
}

Cost estimate(const Net *net, const Target *target, Policy policy)
{
    Cost cost = {.sram = plan_arena(net, policy),
                 .model_flash = flash_of_model(net, net->n_layers), /* a segment a layer */
                 .macs = net_macs(net),
                 .latency = latency_net(&target->latency, net)};
    cost.flash = cost.model_flash + flash_of_code(net, &target->code);
    return cost;
}

bool cost_fits(const Cost *cost, const Limits *limits)
{
    return (!limits->sram || cost->sram <= limits->sram) &&
           (!limits->flash || cost->flash <= limits->flash) &&
           (!limits->macs || cost->macs <= limits->macs) &&
           (limits->latency <= 0 || cost->latency <= limits->latency);
}
