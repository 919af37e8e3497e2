/* bench_device.c - executed instructions on the emulated boards: of each kernel,
 * and of a whole network under several plans beside what was predicted.
 *
 * The layers a to k are the ones on which other engines' kernels were counted. Figures of plans
 * are one a line:
 *     device <network>-<plan>-<what> <value> <unit> [compared with] */
#include "evaluator/device.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/config.h"
#include "tests/planner_nets.h"
#include "tests/random_qmodel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    Op op;
    int hw, c, out_c, k, s;
} Case;

static const Case cases[] = {
    {"a conv 3x3 s2", OP_CONV, 96, 3, 16, 3, 2},
    {"b pointwise 16->96", OP_POINTWISE, 48, 16, 96, 1, 1},
    {"c depthwise 3x3 s1", OP_DEPTHWISE, 48, 96, 96, 3, 1},
    {"d depthwise 3x3 s2", OP_DEPTHWISE, 48, 96, 96, 3, 2},
    {"e depthwise 5x5", OP_DEPTHWISE, 24, 144, 144, 5, 1},
    {"f depthwise 7x7", OP_DEPTHWISE, 12, 192, 192, 7, 1},
    {"g pointwise 144->24", OP_POINTWISE, 24, 144, 24, 1, 1},
    {"h pointwise 192->64", OP_POINTWISE, 12, 192, 64, 1, 1},
    {"i dense 320->10", OP_DENSE, 1, 320, 10, 1, 1},
    {"j global pool 6x6", OP_GLOBAL_POOL, 6, 320, 320, 1, 1},
    {"k add 24x24x24", OP_ADD, 24, 24, 24, 1, 1},
    {"l mean 6x6", OP_MEAN, 6, 320, 320, 1, 1},
    {"m gate 12x12x192", OP_GATE, 12, 192, 192, 1, 1},
    {"n lookup 12x12x192", OP_LOOKUP, 12, 192, 192, 1, 1},
    {"o softmax 10", OP_SOFTMAX, 1, 10, 10, 1, 1},
};

static void one_layer(Net *net, const Case *c)
{
    Size2 k = square(c->k), s = square(c->s);
    net_begin(net, c->hw, c->hw, c->c);
    switch (c->op) {
    case OP_CONV:
        net_conv(net, NET_IMAGE, c->out_c, k, s, ACT_NONE);
        break;
    case OP_DEPTHWISE:
        net_depthwise(net, NET_IMAGE, k, s, ACT_NONE);
        break;
    case OP_POINTWISE:
        net_pointwise(net, NET_IMAGE, c->out_c, ACT_NONE);
        break;
    case OP_ADD:
        net_add(net, NET_IMAGE, NET_IMAGE);
        break;
    case OP_AVG_POOL:
    case OP_MAX_POOL:
        net_pool(net, c->op, NET_IMAGE, k, s);
        break;
    case OP_GLOBAL_POOL:
        net_global_pool(net, NET_IMAGE);
        break;
    case OP_DENSE:
        net_dense(net, NET_IMAGE, c->out_c, ACT_NONE);
        break;
    case OP_MEAN:
        net_mean(net, NET_IMAGE, true, true);
        break;
    case OP_GATE: /* and the pool that makes the vector */
        net_gate(net, NET_IMAGE, net_global_pool(net, NET_IMAGE));
        break;
    case OP_LOOKUP:
        net_lookup(net, NET_IMAGE);
        break;
    case OP_SOFTMAX:
        net_softmax(net, NET_IMAGE);
        break;
    case N_OPS:
        break;
    }
}

/* MACs, or what an operator without weights reads. */
static double work(const Layer *l)
{
    return layer_macs(l) ? (double)layer_macs(l) : (double)l->in_h * l->in_w * l->in_c;
}

static int measure(const Case *c, const Target *target, DeviceRun *run, double *per_mac)
{
    Rng rng = rng_make(1, 0);
    Net net;
    QModel q;
    DeviceOptions o = {.target = target, .plan = {.policy = POLICY_LAYERWISE}};
    one_layer(&net, c);
    random_qmodel(&q, &net, &rng);
    int status = device_run(&q, &o, run);
    *per_mac = (double)run->layer[run->n_layers - 1] / work(net_output(&net));
    qmodel_release(&q);
    return status;
}

static int bench(const char *core, const char *machine)
{
    Target target = {.sram = 4 << 20, .flash = 4 << 20};
    CodeSize code;
    strcpy(target.core, core);
    strcpy(target.machine, machine);
    if (device_code_size(core, &code) != 0)
        return -1;
    printf("%s, %s: executor %u bytes of code\n", core, code.source, code.run);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DeviceRun run;
        double per_mac;
        if (measure(&cases[i], &target, &run, &per_mac) != 0)
            return -1;
        printf("  %-20s %9llu instructions %6.2f a MAC, kernel %4u bytes, stack %u\n",
               cases[i].name, (unsigned long long)run.layer[run.n_layers - 1], per_mac,
               code.kernel[cases[i].op], run.stack);
    }
    return 0;
}

/* ---- plans ---- */

typedef struct {
    const char *name;
    PlanOptions plan;
} Way;

/* What ../shared/facts/streaming.md section 5 promises: nothing computed twice, and 5 % more. */
static const Way ways[] = {
    {"layerwise", {.policy = POLICY_LAYERWISE}},
    {"stream", {.policy = POLICY_STREAM, .image_outside = true}},
    {"stream-resident", {.policy = POLICY_STREAM}},
    {"stream-13600", {.policy = POLICY_STREAM, .image_outside = true, .sram = 13600}},
};

static int run_way(const char *name, const QModel *q, const Target *t, const Way *way,
                   DeviceRun *run)
{
    uint32_t bytes = net_tensor_bytes(&q->net, NET_IMAGE);
    int8_t *image = xmalloc(bytes);
    Rng rng = rng_make(3, 0);
    for (uint32_t i = 0; i < bytes; i++)
        image[i] = random_int8(&rng);
    DeviceOptions o = {.target = t, .plan = way->plan, .images = image, .n_images = 1};
    int status = device_run(q, &o, run);
    free(image);
    if (status != 0)
        return -1;
    Cost cost = estimate(&q->net, t, &way->plan);
    double n = (double)run->instructions;
    printf("device %s-%s-instructions %.0f instructions (predicted %.0f, %+.2f %%)\n", name,
           way->name, n, cost.latency, 100 * cost.latency / n - 100);
    printf("device %s-%s-arena %u bytes (predicted %u)\n", name, way->name, run->arena, cost.sram);
    printf("device %s-%s-flash %u bytes (predicted %u)\n", name, way->name, run->flash, cost.flash);
    printf("device %s-%s-stack %u bytes (predicted %u)\n", name, way->name, run->stack, cost.stack);
    printf("device %s-%s-outputs %s\n", name, way->name,
           run->n_equal == run->n_inputs && run->canaries ? "equal" : "DIFFERENT");
    return 0;
}

static int bench_plans(const char *name, void (*make)(Net *net), const char *target)
{
    Rng rng = rng_make(2, 0);
    Target t;
    Net net;
    QModel q;
    double layerwise = 0;
    int status = config_target(&t, target);
    make(&net);
    random_qmodel(&q, &net, &rng);
    for (size_t i = 0; i < sizeof ways / sizeof *ways && status == 0; i++) {
        DeviceRun run;
        status = run_way(name, &q, &t, &ways[i], &run);
        layerwise = i == 0 ? (double)run.instructions : layerwise;
        if (i > 0 && status == 0)
            printf("device %s-%s-more %.2f %% (instructions over layer by layer)\n", name,
                   ways[i].name, 100 * (double)run.instructions / layerwise - 100);
    }
    qmodel_release(&q);
    return status;
}

int main(void)
{
    const char *missing = device_missing();
    if (missing) {
        printf("SKIPPED: %s is not installed\n", missing);
        return 0;
    }
    if (bench("cortex-m4", "mps2-an386") == 0 && bench("cortex-m7", "mps2-an500") == 0 &&
        bench_plans("mbv2-0.35-r144", build_mbv2_035_144, "cortex-m7") == 0)
        return 0;
    fprintf(stderr, "%s\n", error_text());
    return 1;
}
