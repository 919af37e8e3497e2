#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/version.h"
#include "calibration/board_log.h"
#include "calibration/calibration.h"
#include "calibration/calibration_bench.h"
#include "calibration/calibration_nets.h"
#include "config/config.h"
#include "evaluator/cycles.h"
#include "evaluator/device.h"
#include "evaluator/device_inner.h"
#include "report/profile.h"
#include "runtime/tb.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_TARGET = 256, OPT_NETS, OPT_OUT = 'o', OPT_SEED, OPT_EXPORT, OPT_LOG };

typedef struct {
    const char *target, *out, *export, *log;
    int nets;
    uint64_t seed;
    bool has_set; /* --nets or --seed: a log says them itself */
} CalibrateArgs;

static const struct argp_option OPTIONS[] = {
    {"target", OPT_TARGET, "NAME", 0, "whose core and board [cortex-m7]", 0},
    {"nets", OPT_NETS, "N", 0, "networks that run, each under two plans [36]", 0},
    {"seed", OPT_SEED, "N", 0, "of the networks [1]", 0},
    {"output", OPT_OUT, "FILE", 0, "where to write the coefficients [stdout]", 0},
    {"export", OPT_EXPORT, "DIR", 0,
     "for a real board: writes the benchmark as C, of as many plans as fit it; nothing runs", 1},
    {"log", OPT_LOG, "FILE", 0, "what that benchmark printed there: fits to its cycles", 1},
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
        a->has_set = true;
        return 0;
    case OPT_SEED:
        a->seed = (uint64_t)command_int(state, "--seed", arg, 0, INT64_MAX);
        a->has_set = true;
        return 0;
    case OPT_OUT:
        a->out = arg;
        return 0;
    case OPT_EXPORT:
        a->export = arg;
        return 0;
    case OPT_LOG:
        a->log = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is one argument too many", arg);
        return 0;
    case ARGP_KEY_SUCCESS:
        if (a->export && (a->log || a->out))
            argp_error(state, "--export writes a folder and fits nothing: first this, then --log");
        if (a->log && a->has_set)
            argp_error(state, "--nets and --seed are those of the log");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Measures what the runtime takes on a target's core: executes random networks with random "
    "weights under QEMU, each layer by layer and under a plan that streams, with and without a "
    "budget and the image, counts the instructions of every segment and fits the latency model; "
    "reads the bytes of every kernel from the ELF. Writes YAML that configs/targets include. On a "
    "real board the same networks count its cycles: --export, run it there, --log."
    "\vThe error is by cross-validation: that of networks the fit has not seen. Minutes; under "
    "QEMU the unit is executed instructions, never milliseconds.\n\n"
    "Examples:\n"
    "  thimble calibrate --target cortex-m4 -o configs/calibration/cortex-m4.yaml\n"
    "  thimble calibrate --target my_board.yaml --export bench     then tb_bench.h says how\n"
    "  thimble calibrate --target my_board.yaml --log board.log -o my_cycles.yaml";

/* ---- under QEMU ---- */

static int8_t *random_image(const Net *net, Rng *rng)
{
    size_t bytes = net_tensor_bytes(net, NET_IMAGE);
    int8_t *image = xmalloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        image[i] = (int8_t)rng_next(rng);
    return image;
}

static int measure(const Net *net, const PlanOptions *plan, const Target *t, Rng *rng,
                   DeviceRun *run)
{
    QModel q;
    if (calibration_model(net, rng, &q) != 0)
        return -1;
    int8_t *image = random_image(net, rng);
    DeviceOptions o = {
        .target = t, .plan = *plan, .images = image, .n_images = 1, .timeout_s = 120};
    int status = device_run(&q, &o, run);
    if (status == 0 && (run->n_equal != 1 || !run->canaries))
        status = errorf("the board's output differs from the host's: not worth timing");
    free(image);
    qmodel_release(&q);
    return status;
}

static void keep_times(TimedPlan *t, const DeviceRun *run)
{
    t->whole = run->instructions;
    t->n_entries = run->n_layers;
    memcpy(t->entry, run->layer, sizeof t->entry);
}

/* A network's stack is the most of its kernels', so a kernel's is at most the least of all networks
 * that use it, and exactly that of the one that wants most. */
static void learn_stack(CodeSize *code, const Net *net, const Plan *plan, uint32_t stack)
{
    PlanSize size = plan_size(net, plan);
    code->stack = stack > code->stack ? stack : code->stack;
    for (int s = 0; s < N_STEPS; s++) {
        uint32_t *least = &code->kernel_stack[s];
        if (size.steps >> s & 1 && (*least == 0 || stack < *least))
            *least = stack;
    }
    code->kernel_stack[OP_GLOBAL_POOL] = code->kernel_stack[OP_AVG_POOL]; /* one kernel */
}

/* What a kernel of pairs takes depends on the window and on how the channels are scaled, which a plan
 * does not know: the most there was. */
static void bound_stack(CodeSize *code)
{
    for (int s = STEP_CONV_PAIRS; s < N_STEPS; s++)
        code->kernel_stack[s] = code->stack;
}

static int measure_plan(uint64_t seed, int number, Target *t, TimedPlan *p, DeviceRun *run)
{
    timed_plan_init(p, seed, number);
    int status = measure(&p->net, &p->options, t, &p->rng, run);
    keep_times(p, run);
    learn_stack(&t->code, &p->net, &p->plan, run->stack);
    return status;
}

/* Alone, with either kernel where it has two. */
static int measure_operator(Op op, bool small, Target *t, Rng *rng, DeviceRun *run)
{
    const PlanOptions o = {.policy = POLICY_LAYERWISE, .small = small};
    Net net;
    Plan plan;
    calibration_operator(&net, op);
    if (small && plan_kernel(&net.layer[0], false) == net.layer[0].op)
        return 0;
    plan_make(&net, &o, &plan);
    int status = measure(&net, &o, t, rng, run);
    learn_stack(&t->code, &net, &plan, run->stack);
    return status;
}

/* The n plans of the set; behind them one of every operator: its stack. */
static int measure_all(const CalibrateArgs *a, Target *t, TimedPlan *timed, int n)
{
    Progress bar;
    DeviceRun *run = xcalloc(1, sizeof *run);
    int status = 0;
    progress_begin(&bar, "calibrate", n + 2 * N_OPS, 0);
    for (int i = 0; i < n + 2 * N_OPS && status == 0; i++) {
        Rng rng = rng_make(a->seed, (uint64_t)i);
        status = i < n ? measure_plan(a->seed, i, t, &timed[i], run)
                       : measure_operator((Op)((i - n) / 2), (i - n) % 2, t, &rng, run);
        progress_step(&bar, i + 1, "plans");
    }
    bound_stack(&t->code);
    progress_end(&bar);
    free(run);
    return status;
}

/* ---- what comes out ---- */

static void say_error(const char *what, CalibrationError e)
{
    if (e.judged)
        log_info("%s: mean error %.2f %%, worst %.2f %% of %d plans by cross-validation", what,
                 100 * e.mean, 100 * e.worst, e.judged);
}

static void say(const Target *t, const CalibrationErrors *errors, uint32_t missing)
{
    say_error("layer by layer", errors->of[0]);
    say_error("other plans", errors->of[1]);
    if (t->code.stack)
        log_info("peak stack %u bytes", t->code.stack);
    for (int s = 0; s < N_STEPS; s++)
        if (missing >> s & 1)
            log_warn("no plan has a kernel for %s: its time is not known", profile_step_name(s));
}

/* The model of what ran; unit, source and compiler are there. */
static void learn(Target *t, const TimedPlan *timed, int n)
{
    t->latency.runtime = TB_VERSION;
    CalibrationErrors errors = calibration_fit(&t->latency, timed, n);
    say(t, &errors, calibration_missing(timed, n));
}

static int write_result(const CalibrateArgs *a, const Target *t, const char *how)
{
    char *coefficients = config_calibration(t);
    char *text = xasprintf("# Made by: thimble calibrate --target %s %s\n"
                           "# What the coefficients are of: estimator/latency.h.\n%s",
                           a->target, how, coefficients);
    int status = 0;
    if (a->out)
        status = file_write(a->out, text, strlen(text));
    else
        fputs(text, stdout);
    free(text);
    free(coefficients);
    return status;
}

/* Beside the instructions, where a core's manual says how long each takes; without a compiler for
 * QEMU's plugin there is no estimate, and that is all. */
static void estimate_cycles(const CalibrateArgs *a, Target *t)
{
    const char *missing = cycles_missing(t);
    char *dir = missing ? NULL : device_dir_new(), *bench = dir ? xasprintf("%s/bench", dir) : NULL;
    CalibrationBench b = {.dir = bench, .nets = a->nets, .seed = a->seed};
    if (missing)
        log_info("no estimate of cycles: %s", missing);
    else if (!dir || calibration_bench(&b, t) != 0 ||
             cycles_measure(bench, t, t->latency.cycles_per_instruction) != 0)
        log_warn("no estimate of cycles: %s", error_text());
    free(bench);
    if (dir)
        device_dir_free(dir);
}

static int calibrate_on_qemu(const CalibrateArgs *a, Target *t)
{
    int n = a->nets * CALIBRATION_PLANS;
    TimedPlan *timed = xcalloc((size_t)n, sizeof *timed);
    Latency *l = &t->latency;
    int status = device_code_size(t->core, &t->code);
    if (status == 0)
        status = measure_all(a, t, timed, n);
    if (status == 0) {
        *l = (Latency){.unit = "instructions"};
        snprintf(l->source, sizeof l->source, "qemu %s -icount, runtime of thimble %s", t->machine,
                 THIMBLE_NUMBER);
        snprintf(l->compiler, sizeof l->compiler, "%s", t->code.source);
        estimate_cycles(a, t);
        learn(t, timed, n);
        char *how = xasprintf("--nets %d --seed %llu", a->nets, (unsigned long long)a->seed);
        status = write_result(a, t, how);
        free(how);
    }
    free(timed);
    return status;
}

/* ---- a real board ---- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int calibrate_from_log(const CalibrateArgs *a, Target *t)
{
    BoardLog log;
    Latency *l = &t->latency;
    if (board_log_read(&log, a->log, t) != 0)
        return -1;
    *l = (Latency){.clock_hz = log.clock_hz};
    snprintf(l->unit, sizeof l->unit, "%s", log.unit);
    snprintf(l->compiler, sizeof l->compiler, "%s", log.compiler);
    snprintf(l->source, sizeof l->source, "the board %s, %s, %d plans, runtime of thimble %s",
             t->name, file_name(a->log), log.n, THIMBLE_NUMBER);
    if (!t->code.run && device_code_size(t->core, &t->code) != 0)
        log_warn("bytes of code are not known: %s", error_text());
    learn(t, log.plan, log.n);
    char *how = xasprintf("--log %s", file_name(a->log));
    int status = write_result(a, t, how);
    free(how);
    board_log_release(&log);
    return status;
}

static int export(const CalibrateArgs *a, const Target *t)
{
    CalibrationBench b = {.dir = a->export, .nets = a->nets, .seed = a->seed};
    if (calibration_bench(&b, t) != 0)
        return -1;
    printf("%s: %d of %d plans, %llu bytes of flash beside the code; tb_bench.h says what to write "
           "for your board\n", b.dir, b.taken, b.nets * CALIBRATION_PLANS,
           (unsigned long long)b.flash);
    return 0;
}

int cmd_calibrate(int argc, char **argv)
{
    CalibrateArgs a = {.target = "cortex-m7", .nets = 36, .seed = 1};
    command_parse(&(struct argp){.options = OPTIONS, .parser = parse, .doc = DOC}, argc, argv, &a);
    Target t;
    if (config_stale_target(&t, a.target) != 0)
        return command_fail(EXIT_USAGE);
    int status = a.export ? export(&a, &t)
                 : a.log  ? calibrate_from_log(&a, &t)
                          : calibrate_on_qemu(&a, &t);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
