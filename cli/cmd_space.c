#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/job_args.h"
#include "cli/pipeline.h"
#include "cli/schema.h"
#include "cli/version.h"
#include "results/listing.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_FORMAT = 'f', OPT_CLASSES = 256 };

typedef struct {
    JobArgs options;
    const char *job;
    int classes;
    Format format;
} SpaceArgs;

static const struct argp_option OPTIONS[] = {
    {"classes", OPT_CLASSES, "N", 0, "instead of counting them in the data", 0},
    {"format", OPT_FORMAT, "FORMAT", 0, "table, json or csv [table]", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    SpaceArgs *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->options;
        return 0;
    case OPT_CLASSES:
        a->classes = (int)command_int(state, "--classes", arg, 1, 65535);
        return 0;
    case OPT_FORMAT:
        a->format = command_format(state, arg);
        return 0;
    case ARGP_KEY_ARG:
        if (a->job)
            argp_error(state, "'%s' is one argument too many", arg);
        a->job = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->job)
            argp_error(state, "which JOB.yaml? configs/jobs has some");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Stage 1 of a JOB.yaml alone (TinyNAS, MCUNet 3.1): for each width and resolution, the share "
    "of "
    "sampled networks that fit the limits, and the mean and quantiles of their MACs. The best has "
    "the largest mean. Nothing is trained or stored."
    "\vExample:\n"
    "  thimble space demo --set space=mcunet --set target=stm32f746 --set limits.sram=0 \\\n"
    "      --set limits.flash=0 --classes 1000 -f csv";

static int print_sweep(const Job *job, const Sweep *s, Format format)
{
    Results *r;
    int64_t run;
    RunRow row = {.name = job->name,
                  .config = "",
                  .target = job->target.name,
                  .space = job->space.name,
                  .version = THIMBLE_VERSION};
    if (results_open(&r, ":memory:", false) != 0) /* the database's printing, without a database */
        return -1;
    int status = results_run_new(r, &row, &run);
    if (status == 0)
        status = pipeline_record_sweep(r, run, &job->space, s);
    if (status == 0)
        status = listing_spaces(r, run, format, stdout);
    results_close(r);
    return status;
}

int cmd_space(int argc, char **argv)
{
    SpaceArgs a = {0};
    const struct argp_child children[] = {{&job_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = OPTIONS,
                                 .parser = parse,
                                 .args_doc = "JOB.yaml",
                                 .doc = DOC,
                                 .children = children},
                  argc, argv, &a);
    Job *job = xcalloc(1, sizeof *job);
    int status = config_load(job, a.job, (const char *const *)a.options.set, a.options.n_sets),
        exit_status = EXIT_USAGE;
    if (status == 0) {
        exit_status = EXIT_JOB;
        job->sweep.threads = a.options.threads ? a.options.threads : job->threads;
        job->sweep.n_classes = a.classes ? a.classes : data_classes(&job->data);
        status = job->sweep.n_classes > 0 ? 0 : -1;
        if (status != 0) {
            char *why = xstrdup(error_text());
            errorf("%s; --classes N needs no data", why);
            free(why);
        }
    }
    if (status == 0) {
        Sweep *s = xcalloc(1, sizeof *s);
        double start = clock_seconds();
        sweep_run(&job->space, &job->target, &job->limits, &job->sweep, s);
        log_info("%d spaces x %d networks in %.2f s; limits %s of SRAM, %s of flash, schedule %s; "
                 "the best has the largest mean of those where at least %d fit",
                 s->n, job->sweep.samples, clock_seconds() - start, text_bytes(job->limits.sram),
                 text_bytes(job->limits.flash), policy_name((Policy)job->policy),
                 job->sweep.min_feasible);
        status = print_sweep(job, s, a.format);
        if (status == 0 && s->best < 0)
            status =
                errorf("no width and resolution has %d networks that fit", job->sweep.min_feasible);
        free(s);
    }
    free(job);
    job_args_release(&a.options);
    return status == 0 ? EXIT_OK : command_fail(exit_status);
}
