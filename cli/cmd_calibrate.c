#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/calibration_nets.h"
#include "cli/config.h"
#include "cli/version.h"
#include "evaluator/device.h"

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
    "weights under QEMU, each layer by layer and under a plan that streams, with and without a "
    "budget and the image, counts the instructions of every segment and fits the latency model; "
    "reads the bytes of every kernel from the ELF. Writes YAML that configs/targets include."
    "\vThe error printed is that of networks that were not used for the fit. Minutes; the unit is "
    "executed instructions, never milliseconds.\n\n"
    "Example:\n"
    "  thimble calibrate --target cortex-m4 -o configs/calibration/cortex-m4.yaml";

/* ---- their plans ---- */

/* One run of a network under a plan. */
typedef struct {
    Net net;
    PlanOptions options;
    Plan plan;
    DeviceRun run;
} Measured;

enum { PLANS = 2 }; /* of each network: layer by layer, and one that streams or has patches */

static PlanOptions options_of(const Net *net, int i, Rng *rng)
{
    PlanOptions o = {.policy = POLICY_LAYERWISE};
    if (i % PLANS == 0)
        return o;
    int kind = i / PLANS % 8;
    o.policy = kind == 7 ? POLICY_PATCH : POLICY_STREAM;
    o.image_outside = kind % 2 == 0;
    if (kind == 7 || kind < 2)
        return o;
    o.sram = (uint32_t)((0.4 + 0.5 * rng_uniform(rng)) * plan_arena(net, &o));
    return o;
}

static int measure(Measured *m, const Target *t, Rng *rng)
{
    QModel q;
    if (calibration_model(&m->net, rng, &q) != 0)
        return -1;
    size_t bytes = net_tensor_bytes(&m->net, NET_IMAGE);
    int8_t *image = xmalloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        image[i] = (int8_t)rng_next(rng);
    DeviceOptions o = {
        .target = t, .plan = m->options, .images = image, .n_images = 1, .timeout_s = 120};
    int status = device_run(&q, &o, &m->run);
    if (status == 0 && (m->run.n_equal != 1 || !m->run.canaries))
        status = errorf("the board's output differs from the host's: not worth timing");
    free(image);
    qmodel_release(&q);
    return status;
}

/* n random networks, each under all its plans; behind them one of every operator: their stack. */
static int measure_all(const CalibrateArgs *a, const Target *t, Measured *m, int n)
{
    Progress bar;
    int status = 0;
    progress_begin(&bar, "calibrate", n + N_OPS, 0);
    for (int i = 0; i < n + N_OPS && status == 0; i++) {
        Rng rng = rng_make(a->seed, (uint64_t)(i / PLANS));
        if (i < n) {
            calibration_net(&m[i].net, &rng);
            m[i].options = options_of(&m[i].net, i, &rng);
        } else {
            calibration_operator(&m[i].net, (Op)(i - n));
        }
        plan_make(&m[i].net, &m[i].options, &m[i].plan);
        status = measure(&m[i], t, &rng);
        progress_step(&bar, i + 1, "plans");
    }
    progress_end(&bar);
    return status;
}

/* ---- the fit ---- */

/* A plan has as many samples as segments; a board tells of so many entries at most. */
static int samples_of(const Measured *m, LatencySample *sample)
{
    int n = 0, entry = 0;
    for (; n < m->plan.n_segments; n++) {
        int end = entry + plan_runs(&m->plan, n);
        if (end > DEVICE_MAX_SEGMENTS)
            break;
        latency_features(&m->net, &m->plan, n, &sample[n]);
        for (sample[n].measured = 0; entry < end; entry++)
            sample[n].measured += (double)m->run.layer[entry];
    }
    return n;
}

/* What is between the segments, where all of them were told of. */
static double between_segments(const Measured *m, const LatencySample *sample, int n)
{
    double rest = (double)m->run.instructions;
    for (int i = 0; i < n; i++)
        rest -= sample[i].measured;
    return n == m->plan.n_segments ? rest : 0;
}

static void fit(Target *t, const Measured *m, int n)
{
    LatencySample *samples = xcalloc((size_t)n * NET_MAX_LAYERS, sizeof *samples);
    int count = 0;
    double fixed = 0;
    for (int i = 0; i < n; i++) {
        int more = samples_of(&m[i], samples + count);
        fixed += between_segments(&m[i], samples + count, more) / n;
        count += more;
    }
    latency_fit(&t->latency, samples, count);
    t->latency.fixed = fixed > 0 ? fixed : 0;
    free(samples);
}

/* Four decimals are more than the fit knows, and a person reads them. */
static void round_coefficients(Latency *l)
{
    for (int step = 0; step < N_STEPS; step++)
        for (int f = 0; f < N_FEATURES; f++)
            l->weight[step][f] = round(l->weight[step][f] * 1e4) / 1e4;
    l->fixed = round(l->fixed);
    l->error = round(l->error * 1e4) / 1e4;
}

typedef struct {
    double mean, worst;
} Error;

/* Of every `step`th run. */
static Error error_of(const Target *t, const Measured *m, int n, int step)
{
    Error error = {0, 0};
    for (int i = 0; i < n; i += step) {
        double time = latency_plan(&t->latency, &m[i].net, &m[i].plan);
        double e = fabs(time / (double)m[i].run.instructions - 1);
        error.mean += e / ((n + step - 1) / step);
        error.worst = e > error.worst ? e : error.worst;
    }
    return error;
}

static void say(const CalibrateArgs *a, const Target *t, const Measured *judged, int n)
{
    Error layers = error_of(t, judged, n, PLANS), plans = error_of(t, judged + 1, n - 1, PLANS);
    log_info("%s: %d networks fitted, %d judged: mean error %.2f %%, worst %.2f %% layer by layer; "
             "mean %.2f %%, worst %.2f %% of other plans; peak stack %u bytes",
             a->target, a->nets - n / PLANS, n / PLANS, 100 * layers.mean, 100 * layers.worst,
             100 * plans.mean, 100 * plans.worst, t->code.stack);
}

/* A network's stack is the most of its kernels', so a kernel's is at most the least of all networks
 * that use it, and exactly that of the one that wants most. */
static void learn_stack(CodeSize *code, const Measured *m, int n)
{
    for (int i = 0; i < n; i++) {
        PlanSize size = plan_size(&m[i].net, &m[i].plan);
        code->stack = m[i].run.stack > code->stack ? m[i].run.stack : code->stack;
        for (int s = 0; s < N_STEPS; s++) {
            uint32_t *least = &code->kernel_stack[s];
            if (size.steps >> s & 1 && (*least == 0 || m[i].run.stack < *least))
                *least = m[i].run.stack;
        }
    }
    code->kernel_stack[OP_GLOBAL_POOL] = code->kernel_stack[OP_AVG_POOL]; /* one kernel */
}

static void learn(const CalibrateArgs *a, Target *t, const Measured *m, int n)
{
    int n_fit = a->nets * 2 / 3 * PLANS;
    memset(&t->latency, 0, sizeof t->latency);
    strcpy(t->latency.unit, "instructions");
    snprintf(t->latency.source, sizeof t->latency.source, "qemu %s -icount, runtime of thimble %s",
             t->machine, THIMBLE_NUMBER);
    fit(t, m, n_fit);
    round_coefficients(&t->latency);
    t->latency.error = error_of(t, m + n_fit, n - n_fit, 1).mean;
    round_coefficients(&t->latency);
    say(a, t, m + n_fit, n - n_fit);
}

static int write_result(const CalibrateArgs *a, const Target *t)
{
    char *coefficients = config_calibration(t);
    char *text = xasprintf("# Made by: thimble calibrate --target %s --nets %d --seed %llu\n"
                           "# What the coefficients are of: estimator/latency.h.\n%s",
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
    int n = a.nets * PLANS;
    Measured *m = xcalloc((size_t)n + N_OPS, sizeof *m);
    int status = device_code_size(t.core, &t.code);
    if (status == 0)
        status = measure_all(&a, &t, m, n);
    if (status == 0) {
        learn_stack(&t.code, m, n + N_OPS);
        learn(&a, &t, m, n);
        status = write_result(&a, &t);
    }
    free(m);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
