#define _GNU_SOURCE
#include "cli/command.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/job_run.h"
#include "job/pipeline.h"
#include "results/names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_ALGORITHM = 256, OPT_SUPERNET };

typedef struct {
    JobArgs job;
    ResumeArgs run;
    const char *what, *supernet;
} SearchArgs;

static const struct argp_option OPTIONS[] = {
    {"algorithm", OPT_ALGORITHM, "NAME", 0,
     "evolution, nsga2, or a baseline: random, aging; it brings its own sizes, and makes as many "
     "evaluations as the job's own would [evolution]", 0},
    {"supernet", OPT_SUPERNET, "RUN", 0,
     "search in the supernet that RUN trained, for another target or other limits", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    SearchArgs *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->job;
        state->child_inputs[1] = &a->run;
        return 0;
    case OPT_ALGORITHM:
        job_args_add(&a->job, "stage2.algorithm", arg, state);
        return 0;
    case OPT_SUPERNET:
        a->supernet = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->what)
            argp_error(state, "'%s' is one argument too many", arg);
        a->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->what && !a->run.resume && !a->supernet)
            argp_error(state, "which JOB.yaml? configs/jobs has some");
        if (a->run.resume && a->supernet)
            argp_error(state, "--resume and --supernet do not go together");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "The whole job of a JOB.yaml, or of a name in configs/jobs: chooses width and resolution, "
    "trains the supernet, evolves the best network that fits, fine-tunes it, quantises it to int8 "
    "and proves it on an emulated board. Everything is recorded in the database as it happens; a "
    "job that was killed continues with --resume as if nothing had happened."
    "\vExamples:\n"
    "  thimble search configs/jobs/demo.yaml\n"
    "  thimble search cifar10 --set data.path=data/cifar10 --seed 2\n"
    "  thimble search --resume 3\n"
    "  thimble search --supernet 1 --set limits.sram=16KiB --set limits.flash=128KiB";

static bool is_run(const char *what)
{
    return !what || strcmp(what, "last") == 0 || strspn(what, "0123456789") == strlen(what);
}

static bool has_job(const SearchArgs *a)
{
    return a->what && !is_run(a->what);
}

/* --- another run's supernet */

static int check_trained(Results *r, int64_t from)
{
    Net net;
    if (given_get(r, from, &net) == 0)
        return errorf("run %lld trained one network alone, no supernet", (long long)from);
    int trained = pipeline_trained(r, from);
    if (trained == 0)
        return errorf("run %lld has not trained its supernet yet: thimble search --resume %lld",
                      (long long)from, (long long)from);
    return trained == 1 ? 0 : -1;
}

/* What the training has fixed; its images may have moved since. */
static void take_training(const Job *trained, Job *job)
{
    char path[sizeof job->data.path];
    memcpy(path, job->data.path, sizeof path);
    job->data = trained->data;
    memcpy(job->data.path, path, sizeof path);
    job->seed = trained->seed; /* the same images train and validate */
    job->validation = trained->validation;
    job->largest = trained->largest;
    job->supernet = trained->supernet;
}

/* The weights fit any resolution, so stage 1 chooses that again, at their width. */
static int take_width(Results *r, int64_t from, Space *space)
{
    double width;
    int h, w;
    if (results_space_chosen(r, from, &width, &h, &w) != 0)
        return errorf("run %lld has not chosen its space yet", (long long)from);
    for (int i = 0; i < space->n_widths; i++)
        if (fabs(space->width[i] - width) < 1e-6) {
            space->n_widths = 1;
            space->width[0] = width;
            return 0;
        }
    return errorf("run %lld trained a supernet of width %g, which is none of the job's space '%s'",
                  (long long)from, width, space->name);
}

/* Nobody shall believe that an option counted which did not. */
static int refuse_taken(int64_t from, const Job *trained, const Job *job, const JobArgs *a)
{
    int status = 0;
    for (int i = 0; i < a->n_sets && status == 0; i++) {
        Job asked = *job, taken;
        config_set(&asked, (const char *const *)&a->set[i], 1); /* which went well before */
        taken = asked;
        take_training(trained, &taken);
        char *x = config_text(&asked), *y = config_text(&taken);
        if (strcmp(x, y) != 0)
            status = errorf("%s: the supernet of run %lld was not trained so; its seed, data, "
                            "validation, train.largest and train.supernet stay as they are",
                            a->set[i], (long long)from);
        free(x);
        free(y);
    }
    return status;
}

static int take_supernet(Results *r, const JobArgs *a, Task *t)
{
    Job trained, *job = &t->job;
    int64_t from = t->supernet;
    if (job_run_config(r, from, job->threads, &trained) != 0)
        return EXIT_JOB;
    if (!config_same_blocks(&trained.space, &job->space)) {
        errorf("run %lld trained a supernet of the space '%s', the job's '%s' has other blocks",
               (long long)from, trained.space.name, job->space.name);
        return EXIT_JOB;
    }
    take_training(&trained, job);
    if (refuse_taken(from, &trained, job, a) != 0)
        return EXIT_USAGE;
    if (take_width(r, from, &job->space) != 0)
        return EXIT_JOB;
    log_info("run %lld gives seed, data, validation, width, train.largest, train.supernet",
             (long long)from);
    return config_resolve(job) == 0 ? EXIT_OK : EXIT_JOB;
}

/* Without a file the job is that of the supernet's run, with options. */
static int reuse_supernet(Results *r, const SearchArgs *a, Task *t)
{
    if (names_run(r, a->supernet, &t->supernet) != 0 || check_trained(r, t->supernet) != 0)
        return EXIT_JOB;
    if (!has_job(a) && job_run_config(r, t->supernet, a->job.threads, &t->job) != 0)
        return EXIT_JOB;
    if (!has_job(a) && config_set(&t->job, (const char *const *)a->job.set, a->job.n_sets) != 0)
        return EXIT_USAGE;
    if (config_check_runtime(&t->job.target) != 0 || pipeline_check(&t->job) != 0)
        return EXIT_USAGE;
    int status = take_supernet(r, &a->job, t);
    return status != EXIT_OK || data_classes(&t->job.data) > 0 ? status : EXIT_JOB;
}

/* --- what is to be done */

static int load(const void *args, Task *t)
{
    const SearchArgs *a = args;
    if (!has_job(a))
        return EXIT_OK;
    int status = job_run_load(&a->job, a->what, &t->job);
    return status != EXIT_OK || a->supernet || data_classes(&t->job.data) > 0 ? status : EXIT_JOB;
}

static int find(const void *args, Results *r, Task *t)
{
    const SearchArgs *a = args;
    if (a->run.resume)
        return has_job(a) ? job_run_find(r, t) : job_run_resume(r, &a->job, a->what, t);
    if (a->what && !has_job(a)) {
        errorf("%s: to continue a run, say --resume", a->what);
        return EXIT_USAGE;
    }
    return a->supernet ? reuse_supernet(r, a, t) : EXIT_OK;
}

int cmd_search(int argc, char **argv)
{
    SearchArgs a = {0};
    const struct argp_child children[] = {{&job_args, 0, NULL, 0}, {&resume_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = OPTIONS,
                                 .parser = parse,
                                 .args_doc = "JOB.yaml|RUN",
                                 .doc = DOC,
                                 .children = children},
                  argc, argv, &a);
    int status = job_run(&(JobCommand){"search", names_db(a.run.db), &a, load, find});
    job_args_release(&a.job);
    return status;
}
