#include "estimator/estimator.h"

#include "estimator/tinyengine.h"

#include <string.h>

/* What exporter/print.h lays down: bytes of the runtime's structs on a 32-bit
 * target. A test compiles tb.h for one and compares. */
enum { MODEL_BYTES = 24, OP_BYTES = 56, TENSOR_BYTES = 12, SEGMENT_BYTES = 4, WORD = 4 };

double target_ms(const Target *target, double latency)
{
    bool counts_cycles = strcmp(target->latency.unit, "cycles") == 0;
    return counts_cycles && target->clock_hz ? 1e3 * latency / (double)target->clock_hz : 0;
}

double target_mj(const Target *target, double latency)
{
    return target->active_mw * target_ms(target, latency) / 1e3;
}

static uint32_t words(uint32_t bytes)
{
    return (bytes + WORD - 1) / WORD * WORD;
}

ModelFlash flash_parts(const Net *net, const PlanSize *size)
{
    uint32_t n = net->n_layers, biases = 0, multipliers = 0;
    for (uint32_t i = 0; i < n; i++) {
        const Layer *l = &net->layer[i];
        uint32_t channels = op_has_weights((Op)l->op) ? l->out_c : 0;
        biases += channels;
        bool scales = l->op == OP_MEAN || l->op == OP_GATE || l->op == OP_SOFTMAX;
        multipliers += l->op == OP_ADD ? 3 : scales ? 1 : channels; /* add: both inputs, the sum */
    }
    biases -= size->scaled;
    multipliers -= size->scaled;
    return (ModelFlash){.weights = size->weights,
                        .biases = WORD * biases,
                        .requantisation = WORD * multipliers + words(multipliers),
                        .tables = MODEL_BYTES + OP_BYTES * size->n_ops +
                                  TENSOR_BYTES * size->n_tensors +
                                  SEGMENT_BYTES * size->n_segments};
}

uint32_t flash_of_model(const Net *net, const PlanSize *size)
{
    ModelFlash f = flash_parts(net, size);
    return f.weights + f.biases + f.requantisation + f.tables;
}

uint32_t flash_of_tile(const CodeSize *code, const PlanSize *size)
{
    const uint32_t convolutions = 1U << STEP_CONV_PAIRS | 1U << STEP_POINTWISE_PAIRS;
    return size->steps & convolutions ? code->tile : 0;
}

uint32_t flash_of_code(const CodeSize *code, const PlanSize *size)
{
    uint32_t bytes = code->run + flash_of_tile(code, size);
    for (int s = 0; s < N_STEPS; s++)
        bytes += size->steps >> s & 1 ? code->kernel[s] : 0;
    return bytes;
}

uint32_t stack_of_code(const CodeSize *code, const PlanSize *size)
{
    uint32_t most = 0;
    for (int s = 0; s < N_STEPS; s++) {
        uint32_t bytes = code->kernel_stack[s] ? code->kernel_stack[s] : code->stack;
        if (size->steps >> s & 1 && bytes > most)
            most = bytes;
    }
    return most;
}

Cost cost_of_plan(const Net *net, const Target *target, const Plan *plan)
{
    PlanSize size = plan_size(net, plan);
    Cost cost = {.sram = plan->arena,
                 .model_flash = flash_of_model(net, &size),
                 .stack = stack_of_code(&target->code, &size),
                 .macs = plan_macs(net, plan),
                 .latency = latency_plan(&target->latency, net, plan)};
    cost.flash = cost.model_flash + flash_of_code(&target->code, &size);
    cost.energy = target_mj(target, cost.latency);
    return cost;
}

/* Layer by layer everything but the arena follows from the layers: no plan is made. */
static Cost cost_of_layers(const Net *net, const Target *target, const PlanOptions *options)
{
    PlanSize size = plan_size_of_layers(net, options);
    Cost cost = {.sram = plan_arena(net, options),
                 .model_flash = flash_of_model(net, &size),
                 .stack = stack_of_code(&target->code, &size),
                 .macs = net_macs(net),
                 .latency = latency_net(&target->latency, net, options)};
    cost.flash = cost.model_flash + flash_of_code(&target->code, &size);
    cost.energy = target_mj(target, cost.latency);
    return cost;
}

/* As TinyEngine counts: the image inside, its own flash without code, no time. */
static Cost cost_of_tinyengine(const Net *net)
{
    uint32_t flash = tinyengine_flash(net);
    return (Cost){.sram = tinyengine_peak(net), .flash = flash, .model_flash = flash,
                  .macs = net_macs(net)};
}

Cost estimate(const Net *net, const Target *target, const PlanOptions *options)
{
    Plan plan;
    if (options->policy == POLICY_TINYENGINE)
        return cost_of_tinyengine(net);
    if (options->policy == POLICY_LAYERWISE || options->policy == POLICY_INPLACE)
        return cost_of_layers(net, target, options);
    plan_make(net, options, &plan);
    return cost_of_plan(net, target, &plan);
}

bool cost_fits(const Cost *cost, const Limits *limits)
{
    return (!limits->sram || cost->sram <= limits->sram) &&
           (!limits->flash || cost->flash <= limits->flash) &&
           (!limits->macs || cost->macs <= limits->macs) &&
           (limits->latency <= 0 || cost->latency <= limits->latency) &&
           (limits->energy <= 0 || cost->energy <= limits->energy);
}
