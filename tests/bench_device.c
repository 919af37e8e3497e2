/* bench_device.c - executed instructions of each kernel on the emulated boards.
 *
 * The layers a to k are the ones on which other engines' kernels were counted. */
#include "evaluator/device.h"

#include "base/error.h"
#include "tests/random_qmodel.h"

#include <stdio.h>
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
    DeviceOptions o = {.target = target, .policy = POLICY_LAYERWISE};
    one_layer(&net, c);
    random_qmodel(&q, &net, &rng);
    int status = device_run(&q, &o, run);
    *per_mac = (double)run->instructions / work(&net.layer[0]);
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
               cases[i].name, (unsigned long long)run.instructions, per_mac,
               code.kernel[cases[i].op], run.stack);
    }
    return 0;
}

int main(void)
{
    const char *missing = device_missing();
    if (missing) {
        printf("SKIPPED: %s is not installed\n", missing);
        return 0;
    }
    if (bench("cortex-m4", "mps2-an386") == 0 && bench("cortex-m7", "mps2-an500") == 0)
        return 0;
    fprintf(stderr, "%s\n", error_text());
    return 1;
}
