#include "cli/job_args.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "config/schema.h"
#include "estimator/stream.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_DB = 'd', OPT_QUIET = 'q', OPT_SET = 's', OPT_THREADS = 't', OPT_SEED = 512, OPT_SCHEDULE, OPT_IMAGE,
       OPT_KERNELS, OPT_SRAM, OPT_RECOMPUTE, OPT_RESUME };

void job_args_add(JobArgs *a, const char *key, const char *value, struct argp_state *state)
{
    if (a->n_sets == (int)(sizeof a->set / sizeof *a->set))
        argp_error(state, "too many --set");
    a->set[a->n_sets++] = key ? xasprintf("%s=%s", key, value) : xstrdup(value);
}

void job_args_release(JobArgs *a)
{
    for (int i = 0; i < a->n_sets; i++)
        free(a->set[i]);
}

static error_t parse_job(int key, char *arg, struct argp_state *state)
{
    JobArgs *a = state->input;
    switch (key) {
    case OPT_SET:
        job_args_add(a, NULL, arg, state);
        return 0;
    case OPT_SEED:
        command_int(state, "--seed", arg, 0, 9000000000000000);
        job_args_add(a, "seed", arg, state);
        return 0;
    case OPT_THREADS:
        a->threads = (int)command_int(state, "--threads", arg, 1, 1024);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option job_options[] = {
    {"set", OPT_SET, "KEY=VALUE", 0, "sets a key of the job, e.g. limits.sram=64KiB; repeatable",
     0},
    {"seed", OPT_SEED, "N", 0, "same as --set seed=N [1]", 0},
    {"threads", OPT_THREADS, "N", 0, "never changes the result [one a core]", 0},
    {0}};

const struct argp job_args = {.options = job_options, .parser = parse_job};

static error_t parse_resume(int key, char *arg, struct argp_state *state)
{
    ResumeArgs *a = state->input;
    switch (key) {
    case OPT_DB:
        a->db = arg;
        return 0;
    case OPT_RESUME:
        a->resume = true;
        return 0;
    case OPT_QUIET:
        log_quiet(true);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option resume_options[] = {
    {"db", OPT_DB, "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {"resume", OPT_RESUME, 0, 0,
     "continue RUN, or the newest run of just these arguments, or the newest run; with --set "
     "data.path=DIR when its images have moved", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress", 0},
    {0}};

const struct argp resume_args = {.options = resume_options, .parser = parse_resume};

static void parse_schedule(struct argp_state *state, NetArgs *a, const char *text)
{
    Policy policy;
    if (policy_parse(text, &policy) != 0)
        argp_error(state, "%s", error_text());
    a->schedule = text;
}

static error_t parse_net(int key, char *arg, struct argp_state *state)
{
    NetArgs *a = state->input;
    switch (key) {
    case OPT_DB:
        a->db = arg;
        return 0;
    case OPT_SCHEDULE:
        parse_schedule(state, a, arg);
        return 0;
    case OPT_IMAGE:
        a->image = command_image(state, arg);
        return 0;
    case OPT_KERNELS:
        a->kernels = command_kernels(state, arg);
        return 0;
    case OPT_SRAM:
        a->sram = (uint32_t)command_sram(state, arg);
        return 0;
    case OPT_RECOMPUTE:
        a->recompute = (int)command_int(state, "--recompute", arg, 1, 1000);
        return 0;
    case ARGP_KEY_ARG:
        if (a->what)
            argp_error(state, "'%s' is one argument too many", arg);
        a->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->what)
            argp_error(state, "which network? RUN:best, RUN:NUMBER or MODEL.tflite");
        if (a->sram && a->recompute)
            argp_error(state, "--sram and --recompute: one budget at a time");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option net_options[] = {
    {"schedule", OPT_SCHEDULE, "NAME", 0,
     "layerwise, inplace, patch or stream [stream; a run's own]", 0},
    {"image", OPT_IMAGE, "PLACE", 0,
     "resident in the arena, or outside: asked for row by row [resident; a run's own]", 0},
    {"kernels", OPT_KERNELS, "WHICH", 0,
     "pairs, or small: no scratch, slower [pairs]", 0},
    {"sram", OPT_SRAM, "SIZE", 0, "the arena's limit; stream recomputes to keep it", 0},
    {"recompute", OPT_RECOMPUTE, "PERCENT", 0, "stream: the least arena with so many more MACs", 0},
    {"db", OPT_DB, "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {0}};

const struct argp net_args = {.options = net_options, .parser = parse_net};

int net_args_plan(const NetArgs *a, const Net *net, const Target *target, PlanOptions *plan)
{
    Policy policy;
    if (a->schedule && policy_parse(a->schedule, &policy) == 0)
        plan->policy = (uint8_t)policy;
    if (a->image)
        plan->image_outside = strcmp(a->image, "outside") == 0;
    if (a->kernels || target)
        plan->small = a->kernels ? strcmp(a->kernels, "small") == 0 : target->kernels == 1;
    if (a->recompute && plan->policy != POLICY_STREAM)
        return errorf("--recompute is for --schedule stream");
    if (a->recompute)
        plan->sram = stream_sram(net, plan, a->recompute / 100.0);
    if (!a->sram)
        return 0;
    plan->sram = a->sram;
    uint32_t arena = plan_arena(net, plan);
    return arena <= a->sram ? 0
                            : errorf("the arena takes %s under %s, --sram is %s", text_bytes(arena),
                                     policy_name((Policy)plan->policy), text_bytes(a->sram));
}
