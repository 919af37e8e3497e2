/* bench_runtime.c - executed instructions on the emulated boards: of the layers on which other
 * engines' kernels were counted, of whole networks, layer by layer and streamed, and how far
 * the latency model is off. What ../shared/facts/kernels.md has of others stands beside:
 *
 *     cortex-m4 layer-b 4970000 instructions, CMSIS-NN 13170000, TinyEngine 9620000
 *     cortex-m55 layer-b 1200000 instructions, CMSIS-NN 3730000
 *     cortex-m7 net-mcunet-in1 17400000 instructions
 *     cortex-m7 net-mcunet-in1-streamed 17500000 instructions, +0.5 %
 *     latency-model cortex-m4 nets-mean 1.4 percent
 *
 * Arguments: which of layers, nets and model [all], and of which core. */
#include "evaluator/device.h"

#include "base/alloc.h"
#include "base/error.h"
#include "calibration/calibration_nets.h"
#include "config/config.h"
#include "network/genotype.h"
#include "tests/mcunet_space.h"
#include "tests/planner_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Others' counts, batch 1: on the Cortex-M4 CMSIS-NN, and TinyEngine with float requantisation,
 * which is not bit-exact; on the M55 CMSIS-NN with MVE; in instructions. */
typedef struct {
    const char *name;
    Op op;
    int hw, c, out_c, k, s;
    double cmsis, tinyengine, cmsis_mve;
} Case;

static const Case cases[] = {
    {"a", OP_CONV, 96, 3, 16, 3, 2, 4.57e6, 1.97e6, 1.35e6},
    {"b", OP_POINTWISE, 48, 16, 96, 1, 1, 13.17e6, 9.62e6, 3.73e6},
    {"c", OP_DEPTHWISE, 48, 96, 96, 3, 1, 15.62e6, 12.29e6, 4.33e6},
    {"d", OP_DEPTHWISE, 48, 96, 96, 3, 2, 3.91e6, 3.79e6, 1.08e6},
    {"e", OP_DEPTHWISE, 24, 144, 144, 5, 1, 17.79e6, 9.38e6, 3.54e6},
    {"f", OP_DEPTHWISE, 12, 192, 192, 7, 1, 10.16e6, 4.86e6, 1.99e6},
    {"g", OP_POINTWISE, 24, 144, 24, 1, 1, 3.35e6, 3.65e6, 0.542e6},
    {"h", OP_POINTWISE, 12, 192, 64, 1, 1, 2.89e6, 3.04e6, 0.435e6},
    {"i", OP_DENSE, 1, 320, 10, 1, 1, 6.65e3, 10.0e3, 2.1e3},
    {"j", OP_GLOBAL_POOL, 6, 320, 320, 1, 1, 74.0e3, 103e3, 15.6e3},
    {"k", OP_ADD, 24, 24, 24, 1, 1, 0.77e6, 1.03e6, 190e3},
    {"l", OP_MEAN, 6, 320, 320, 1, 1, 0, 0, 0},
    {"m", OP_GATE, 12, 192, 192, 1, 1, 0, 0, 0},
    {"n", OP_LOOKUP, 12, 192, 192, 1, 1, 0, 0, 0},
    {"o", OP_SOFTMAX, 1, 10, 10, 1, 1, 0, 0, 0},
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

static int measure(const Net *net, const Target *target, const PlanOptions *plan, DeviceRun *run)
{
    Rng rng = rng_make(2, 0);
    QModel q;
    if (calibration_model(net, &rng, &q) != 0)
        return -1;
    uint32_t bytes = net_tensor_bytes(net, NET_IMAGE);
    int8_t *image = xmalloc(bytes);
    for (uint32_t i = 0; i < bytes; i++)
        image[i] = (int8_t)rng_next(&rng);
    DeviceOptions o = {.target = target, .plan = *plan, .images = image, .n_images = 1};
    int status = device_run(&q, &o, run);
    if (status == 0 && (run->n_equal != 1 || !run->canaries))
        status = errorf("the board's outputs differ from the host's");
    free(image);
    qmodel_release(&q);
    return status;
}

/* ---- layers ---- */

static int bench_layers(const Target *target, bool small)
{
    PlanOptions plan = {.policy = POLICY_LAYERWISE, .small = small || target->kernels == 1};
    const bool mve = strcmp(target->core, "cortex-m55") == 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        DeviceRun run;
        Net net;
        one_layer(&net, &cases[i]);
        if (small && plan_kernel(&net.layer[0], false) == net.layer[0].op)
            continue;
        if (measure(&net, target, &plan, &run) != 0)
            return -1;
        printf("%s layer-%s%s %llu instructions", target->core, cases[i].name,
               small ? "-small" : "", (unsigned long long)run.layer[run.n_layers - 1]);
        if (mve && cases[i].cmsis > 0)
            printf(", CMSIS-NN %.0f", cases[i].cmsis_mve);
        else if (cases[i].cmsis > 0)
            printf(", CMSIS-NN %.0f, TinyEngine %.0f", cases[i].cmsis, cases[i].tinyengine);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}

/* ---- networks ---- */

static void build_mbv2(Net *net)
{
    build_mbv2_035_144(net);
}

static const struct {
    const char *name;
    void (*build)(Net *net);
} nets[] = {
    {"mcunet-in1", build_mcunet_in1},    {"mcunet-in3", build_mcunet_in3},
    {"mbv2-0.35-144", build_mbv2},       {"mlperf-vww", build_mobilenet_v1},
    {"mlperf-kws", build_ds_cnn},        {"mlperf-ic", build_resnet8},
};

static int bench_net(const Target *target, int i)
{
    const bool small = target->kernels == 1;
    const PlanOptions layers = {.policy = POLICY_LAYERWISE, .small = small};
    const PlanOptions stream = {.policy = POLICY_STREAM, .image_outside = true, .small = small};
    const PlanOptions *way[] = {&layers, &stream};
    double alone = 0;
    Net net;
    nets[i].build(&net);
    for (int w = 0; w < 2; w++) {
        DeviceRun run;
        if (measure(&net, target, way[w], &run) != 0)
            return -1;
        Cost cost = estimate(&net, target, way[w]);
        const char *core = target->core, *name = nets[i].name, *streamed = w ? "-streamed" : "";
        double n = (double)run.instructions;
        alone = w ? alone : n;
        printf("%s net-%s%s %.0f instructions", core, name, streamed, n);
        if (w)
            printf(", %+.2f %%", 100 * n / alone - 100);
        printf(" (predicted %+.2f %%)\n", 100 * cost.latency / n - 100);
        printf("%s arena-%s%s %u bytes (predicted %u)\n", core, name, streamed, run.arena, cost.sram);
        printf("%s flash-%s%s %u bytes (predicted %u, of which code %u)\n", core, name, streamed,
               run.flash, cost.flash, cost.flash - cost.model_flash);
        printf("%s stack-%s%s %u bytes (predicted %u)\n", core, name, streamed, run.stack,
               cost.stack);
        fflush(stdout);
    }
    return 0;
}

/* ---- the latency model, on networks it was not fitted to ---- */

enum { JUDGED = 60 };

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean, worst and the share within 10 percent of n relative errors. */
static void say_errors(const char *core, const char *what, double *error, int n)
{
    double sum = 0;
    int within = 0;
    for (int i = 0; i < n; i++) {
        sum += error[i];
        within += error[i] <= 0.10;
    }
    qsort(error, (size_t)n, sizeof *error, compare_doubles);
    printf("latency-model %s %s-mean %.2f percent\n", core, what, 100 * sum / n);
    printf("latency-model %s %s-worst %.2f percent\n", core, what, 100 * error[n - 1]);
    printf("latency-model %s %s-within-10 %.1f percent of %d\n", core, what, 100.0 * within / n, n);
    fflush(stdout);
}

static int bench_model(const Target *target)
{
    static double net_error[JUDGED], layer_error[JUDGED * NET_MAX_LAYERS];
    const PlanOptions layers = {.policy = POLICY_LAYERWISE, .small = target->kernels == 1};
    Space space = mcunet_space();
    int n_layers = 0;
    for (int i = 0; i < JUDGED; i++) {
        Rng rng = rng_make(77, (uint64_t)i);
        Net net;
        Plan plan;
        DeviceRun run;
        Genotype g = genotype_sample(&space, (int)rng_below(&rng, 4), (int)rng_below(&rng, 6), &rng);
        genotype_expand(&space, &g, 10, &net);
        if (measure(&net, target, &layers, &run) != 0)
            return -1;
        plan_make(&net, &layers, &plan);
        net_error[i] = fabs(latency_plan(&target->latency, &net, &plan) /
                            (double)run.instructions - 1);
        for (int l = 0; l < net.n_layers; l++)
            layer_error[n_layers++] = fabs(latency_in_plan(&target->latency, &net, &plan, l) /
                                           (double)run.layer[l] - 1);
    }
    say_errors(target->core, "nets", net_error, JUDGED);
    say_errors(target->core, "layers", layer_error, n_layers);
    return 0;
}

/* ---- all of it ---- */

typedef struct {
    bool layers, nets, model, small;
    const char *core; /* NULL: all */
} What;

static int bench(const char *core, const What *what)
{
    Target target;
    int status = 0;
    if (what->core && strcmp(what->core, core) != 0)
        return 0;
    if (config_target(&target, core) != 0)
        return -1;
    if (what->layers)
        status = bench_layers(&target, what->small);
    for (size_t i = 0; what->nets && status == 0 && i < sizeof nets / sizeof *nets; i++)
        status = bench_net(&target, (int)i);
    if (what->model && status == 0)
        status = bench_model(&target);
    return status;
}

int main(int argc, char **argv)
{
    What what = {0};
    const char *missing = device_missing();
    for (int i = 1; i < argc; i++) {
        what.layers |= strcmp(argv[i], "layers") == 0;
        what.nets |= strcmp(argv[i], "nets") == 0;
        what.model |= strcmp(argv[i], "model") == 0;
        what.small |= strcmp(argv[i], "small") == 0;
        what.core = strncmp(argv[i], "cortex", 6) == 0 ? argv[i] : what.core;
    }
    if (!what.layers && !what.nets && !what.model)
        what.layers = what.nets = what.model = true;
    if (missing) {
        printf("SKIPPED: %s is not installed\n", missing);
        return 0;
    }
    if (bench("cortex-m4", &what) == 0 && bench("cortex-m7", &what) == 0 &&
        bench("cortex-m55", &what) == 0)
        return 0;
    fprintf(stderr, "%s\n", error_text());
    return 1;
}
