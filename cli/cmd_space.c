#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/version.h"
#include "cli/job_args.h"
#include "job/pipeline.h"
#include "report/space_figure.h"
#include "results/listing.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_FORMAT = 'f', OPT_CLASSES = 256, OPT_CDF, OPT_SVG };

typedef struct {
    JobArgs options;
    const char *job, *svg;
    int classes;
    bool cdf;
    Format format;
} SpaceArgs;

static const struct argp_option OPTIONS[] = {
    {"classes", OPT_CLASSES, "N", 0, "instead of counting them in the data", 0},
    {"cdf", OPT_CDF, 0, 0, "all quantiles of the MACs in the table too; json and csv have them", 0},
    {"format", OPT_FORMAT, "FORMAT", 0, "table, json or csv [table]", 0},
    {"svg", OPT_SVG, "FILE", 0, "a figure of it as well", 0},
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
    case OPT_CDF:
        a->cdf = true;
        return 0;
    case OPT_SVG:
        a->svg = arg;
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
    "of sampled networks that fit the limits, and the mean and quantiles of their MACs (the "
    "paper's FLOPs). The best has the largest mean. Nothing is trained or stored."
    "\vExamples; the second draws MCUNet's figure 3 for its device:\n"
    "  thimble space cifar10 --set data.path=data/cifar10 -f csv\n"
    "  thimble space mcunet --classes 1000 --svg space.svg";

/* The database's printing, without a database. */
static int print_sweep(const Job *job, const Sweep *s, const SpaceArgs *a)
{
    Results *r;
    int64_t run;
    RunRow row = {.name = job->name,
                  .config = "",
                  .target = job->target.name,
                  .space = job->space.name,
                  .version = THIMBLE_VERSION};
    if (results_open(&r, ":memory:", false) != 0)
        return -1;
    int status = results_run_new(r, &row, &run);
    if (status == 0)
        status = pipeline_record_sweep(r, run, &job->space, s);
    if (status == 0)
        status = listing_spaces(r, run, job->sweep.min_feasible, a->cdf, a->format, stdout);
    results_close(r);
    return status;
}

static int write_figure(const Job *job, const Sweep *s, const char *path)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    space_figure(out, job, s);
    fclose(out);
    int status = file_write(path, text, size);
    free(text);
    return status;
}

/* What no option says comes from the data. */
static int find_classes(Job *job, int classes)
{
    job->sweep.n_classes = classes ? classes : data_classes(&job->data);
    if (job->sweep.n_classes > 0)
        return 0;
    char *why = xstrdup(error_text());
    errorf("%s; --classes N needs no data", why);
    free(why);
    return -1;
}

static int space_job(Job *job, const SpaceArgs *a)
{
    if (find_classes(job, a->classes) != 0)
        return -1;
    Sweep *s = xcalloc(1, sizeof *s);
    job->sweep.threads = a->options.threads ? a->options.threads : job->threads;
    pipeline_sweep(job, s);
    int status = a->svg ? write_figure(job, s, a->svg) : 0; /* first: stdout's reader may stop early */
    if (status == 0)
        status = print_sweep(job, s, a);
    if (status == 0 && s->best < 0)
        status =
            errorf("no width and resolution has %d networks that fit", job->sweep.min_feasible);
    free(s);
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
    int exit_status = EXIT_OK;
    if (config_load(job, a.job, (const char *const *)a.options.set, a.options.n_sets) != 0)
        exit_status = EXIT_USAGE;
    else if (space_job(job, &a) != 0)
        exit_status = EXIT_JOB;
    free(job);
    job_args_release(&a.options);
    return exit_status == EXIT_OK ? EXIT_OK : command_fail(exit_status);
}
