#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/config.h"
#include "cli/version.h"
#include "evaluator/device.h"
#include "nn/pass.h"
#include "quant/qmodel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_TARGET = 256, OPT_NETS, OPT_OUT = 'o', OPT_SEED };

typedef struct {
    const char *target, *out;
    int nets;
    uint64_t seed;
} CalibrateArgs;

static const struct argp_option OPTIONS[] = {
    {"target", OPT_TARGET, "NAME", 0, "whose core and board [cortex-m7]", 0},
    {"nets", OPT_NETS, "N", 0, "networks that run, a third of them only to judge the fit [36]", 0},
    {"seed", OPT_SEED, "N", 0, "of the networks [1]", 0},
    {"output", OPT_OUT, "FILE", 0, "where to write the coefficients [stdout]", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    CalibrateArgs *a = state->input;
    switch (key) {
    case OPT_TARGET:
        a->target = arg;
        return 0;
    case OPT_NETS:
        a->nets = (int)command_int(state, "--nets", arg, 6, 10000);
        return 0;
    case OPT_SEED:
        a->seed = (uint64_t)command_int(state, "--seed", arg, 0, INT64_MAX);
        return 0;
    case OPT_OUT:
        a->out = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is one argument too many", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Measures what the runtime takes on a target's core: executes random networks with random "
    "weights under QEMU, counts the instructions of every layer and fits the latency model; reads "
    "the bytes of every kernel from the ELF. Writes YAML that configs/targets include."
    "\vThe error printed is that of networks that were not used for the fit. Minutes; the unit is "
    "executed instructions, never milliseconds.\n\n"
    "Example:\n"
    "  thimble calibrate --target cortex-m4 -o configs/calibration/cortex-m4.yaml";

/* A network that has every operator and shapes from wide to tiny: a random stem,
 * random blocks, a pool of each kind. */
static void random_net(Net *net, Rng *rng)
{
    int r = 12 + (int)rng_below(rng, 30), k = 1 + 2 * (int)rng_below(rng, 3);
    net_begin(net, r, r, rng_below(rng, 4) ? 3 : 1);
    int at = net_conv(net, NET_IMAGE, 8 * (1 + (int)rng_below(rng, 4)), square(k ? k : 3),
                      square(1 + (int)rng_below(rng, 2)), ACT_RELU6);
    int blocks = 3 + (int)rng_below(rng, 4);
    for (int b = 0; b < blocks; b++) {
        const Layer *in = &net->layer[at];
        bool stride = in->out_h >= 6 && rng_below(rng, 3) == 0, same = !stride && rng_below(rng, 2);
        BlockShape shape = {.expands = rng_below(rng, 6) != 0,
                            .out_c = same ? in->out_c : 8 * (1 + (int)rng_below(rng, 8)),
                            .kernel = square(3 + 2 * (int)rng_below(rng, 3)),
                            .stride = square(stride ? 2 : 1),
                            .residual = same};
        shape.mid = shape.expands ? in->out_c * (2 + (int)rng_below(rng, 5)) : in->out_c;
        at = net_block(net, at, &shape);
        if (net->layer[at].out_h >= 4 && rng_below(rng, 4) == 0)
            at = net_pool(net, rng_below(rng, 2) ? OP_AVG_POOL : OP_MAX_POOL, at,
                          square(2 + (int)rng_below(rng, 2)), square(1 + (int)rng_below(rng, 2)));
    }
    at = net_global_pool(net, at);
    net_dense(net, at, 2 + (int)rng_below(rng, 20), ACT_NONE);
}

/* Random weights and the ranges that random images give. */
static int random_model(const Net *net, Rng *rng, QModel *q)
{
    enum { IMAGES = 4 };
    Model m;
    float lo[NET_MAX_LAYERS], hi[NET_MAX_LAYERS];
    size_t n = (size_t)IMAGES * net_tensor_bytes(net, NET_IMAGE);
    float *images = xmalloc(sizeof(float) * n);
    for (size_t i = 0; i < n; i++)
        images[i] = (float)rng_normal(rng);
    for (int i = 0; i < net->n_layers; i++) {
        lo[i] = INFINITY;
        hi[i] = -INFINITY;
    }
    Workspace *ws = workspace_new();
    model_init(&m, net);
    model_randomise(&m, rng);
    nn_recalibrate(&m, ws, images, IMAGES, 0);
    nn_ranges(&m, ws, images, IMAGES, lo, hi);
    int status = qmodel_make(q, &m, lo, hi, 1.0f / 64, 0);
    model_release(&m);
    workspace_free(ws);
    free(images);
    return status;
}

static int measure(const Net *net, const Target *t, Rng *rng, DeviceRun *run)
{
    QModel q;
    if (random_model(net, rng, &q) != 0)
        return -1;
    size_t bytes = net_tensor_bytes(net, NET_IMAGE);
    int8_t *image = xmalloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        image[i] = (int8_t)rng_next(rng);
    DeviceOptions o = {
        .target = t, .plan = {.policy = POLICY_LAYERWISE}, .images = image, .n_images = 1, .timeout_s = 120};
    int status = device_run(&q, &o, run);
    if (status == 0 && (run->n_equal != 1 || !run->canaries))
        status = errorf("the board's output differs from the host's: not worth timing");
    free(image);
    qmodel_release(&q);
    return status;
}

typedef struct {
    Net net;
    DeviceRun run;
} Measured;

static void fit(Target *t, const Measured *m, int n)
{
    LatencySample *samples = xcalloc((size_t)n * NET_MAX_LAYERS, sizeof *samples);
    int count = 0;
    double fixed = 0;
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int l = 0; l < m[i].net.n_layers; l++) {
            samples[count++] = (LatencySample){m[i].net.layer[l], (double)m[i].run.layer[l]};
            sum += (double)m[i].run.layer[l];
        }
        fixed += ((double)m[i].run.instructions - sum) / n;
    }
    latency_fit(&t->latency, samples, count);
    t->latency.fixed = fixed > 0 ? fixed : 0;
    free(samples);
}

/* Four decimals are more than the fit knows, and a person reads them. */
static void round_coefficients(Latency *l)
{
    for (int op = 0; op < N_OPS; op++)
        for (int f = 0; f < N_FEATURES; f++)
            l->weight[op][f] = round(l->weight[op][f] * 1e4) / 1e4;
    l->fixed = round(l->fixed);
    l->error = round(l->error * 1e4) / 1e4;
}

static double mean_error(const Target *t, const Measured *m, int n, double *worst)
{
    double sum = 0;
    *worst = 0;
    for (int i = 0; i < n; i++) {
        double e = fabs(latency_net(&t->latency, &m[i].net) / (double)m[i].run.instructions - 1);
        sum += e / n;
        *worst = e > *worst ? e : *worst;
    }
    return sum;
}

static int measure_all(const CalibrateArgs *a, const Target *t, Measured *m)
{
    Progress bar;
    int status = 0;
    progress_begin(&bar, "calibrate", a->nets, 0);
    for (int i = 0; i < a->nets && status == 0; i++) {
        Rng rng = rng_make(a->seed, (uint64_t)i);
        random_net(&m[i].net, &rng);
        status = measure(&m[i].net, t, &rng, &m[i].run);
        progress_step(&bar, i + 1, "networks");
    }
    progress_end(&bar);
    return status;
}

static int write_result(const CalibrateArgs *a, const Target *t)
{
    char *coefficients = config_calibration(t);
    char *text = xasprintf("# Made by: thimble calibrate --target %s --nets %d --seed %llu\n"
                           "# Coefficients: call, row, output pixel, output, MAC inside the image "
                           "(estimator/latency.h).\n%s",
                           a->target, a->nets, (unsigned long long)a->seed, coefficients);
    int status = 0;
    if (a->out)
        status = file_write(a->out, text, strlen(text));
    else
        fputs(text, stdout);
    free(text);
    free(coefficients);
    return status;
}

int cmd_calibrate(int argc, char **argv)
{
    CalibrateArgs a = {.target = "cortex-m7", .nets = 36, .seed = 1};
    command_parse(&(struct argp){.options = OPTIONS, .parser = parse, .doc = DOC}, argc, argv, &a);
    Target t;
    if (config_target(&t, a.target) != 0)
        return command_fail(EXIT_USAGE);
    int n_fit = a.nets * 2 / 3;
    Measured *m = xcalloc((size_t)a.nets, sizeof *m);
    int status = device_code_size(t.core, &t.code);
    if (status == 0)
        status = measure_all(&a, &t, m);
    if (status == 0) {
        double worst;
        memset(&t.latency, 0, sizeof t.latency);
        strcpy(t.latency.unit, "instructions");
        snprintf(t.latency.source, sizeof t.latency.source,
                 "qemu %s -icount, runtime of thimble %s", t.machine, THIMBLE_NUMBER);
        fit(&t, m, n_fit);
        round_coefficients(&t.latency);
        t.latency.error = mean_error(&t, m + n_fit, a.nets - n_fit, &worst);
        round_coefficients(&t.latency);
        for (int i = 0; i < a.nets; i++)
            t.code.stack = m[i].run.stack > t.code.stack ? m[i].run.stack : t.code.stack;
        log_info("%s: %d networks fitted, %d judged: mean error %.2f %%, worst %.2f %%; peak stack "
                 "%u bytes",
                 a.target, n_fit, a.nets - n_fit, 100 * t.latency.error, 100 * worst, t.code.stack);
        status = write_result(&a, &t);
    }
    free(m);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
