#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/job_run.h"
#include "job/pipeline.h"
#include "results/names.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_DB = 'd', OPT_QUIET = 'q', OPT_RESUME = 256, OPT_ALGORITHM, OPT_SUPERNET };

typedef struct {
    JobArgs job;
    const char *what, *db, *supernet;
    bool resume;
} SearchArgs;

static const struct argp_option OPTIONS[] = {
    {"db", OPT_DB, "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {"algorithm", OPT_ALGORITHM, "NAME", 0,
     "evolution, nsga2, or a baseline: random, aging; it brings its own sizes, and makes as many "
     "evaluations as the job's own would [evolution]", 0},
    {"supernet", OPT_SUPERNET, "RUN", 0,
     "search in the supernet that RUN trained, for another target or other limits", 0},
    {"resume", OPT_RESUME, 0, 0,
     "continue RUN, or the newest run of this very JOB, or the newest run", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    SearchArgs *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->job;
        return 0;
    case OPT_DB:
        a->db = arg;
        return 0;
    case OPT_ALGORITHM:
        job_args_add(&a->job, "stage2.algorithm", arg, state);
        return 0;
    case OPT_SUPERNET:
        a->supernet = arg;
        return 0;
    case OPT_RESUME:
        a->resume = true;
        return 0;
    case OPT_QUIET:
        log_quiet(true);
        return 0;
    case ARGP_KEY_ARG:
        if (a->what)
            argp_error(state, "'%s' is one argument too many", arg);
        a->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->what && !a->resume && !a->supernet)
            argp_error(state, "which JOB.yaml? configs/jobs has some");
        if (a->resume && a->supernet)
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

/* What the supernet's training has fixed comes from its run; the rest is the new job's. The
 * weights fit any resolution, so stage 1 chooses that again, at the supernet's width. */
static int take_supernet(Results *r, int64_t from, Job *job)
{
    Job trained;
    double width;
    int h, w;
    if (job_run_config(r, from, job->threads, &trained) != 0)
        return -1;
    if (results_space_chosen(r, from, &width, &h, &w) != 0)
        return errorf("run %lld has not chosen its space yet", (long long)from);
    if (!config_same_blocks(&trained.space, &job->space))
        return errorf("run %lld trained a supernet of the space '%s', the job's '%s' has other blocks",
                      (long long)from, trained.space.name, job->space.name);
    job->space.n_widths = 1;
    job->space.width[0] = width;
    memcpy(trained.data.path, job->data.path, sizeof trained.data.path); /* it may have moved */
    job->data = trained.data;
    job->seed = trained.seed; /* the same images train and validate */
    job->validation = trained.validation;
    job->largest = trained.largest;
    job->supernet = trained.supernet;
    log_info("run %lld gives seed, data, validation, width, train.largest, train.supernet",
             (long long)from);
    return config_resolve(job);
}

static int copy_supernet(Results *r, int64_t from, int64_t to)
{
    void *data;
    size_t size;
    int found = results_blob_get(r, from, "supernet", &data, &size);
    if (found != 0)
        return found < 0 ? -1 : errorf("run %lld has no trained supernet", (long long)from);
    int status = results_blob_put(r, to, "supernet", data, size);
    free(data);
    return status;
}

/* What is to be done. */
typedef struct {
    Job job;
    int64_t run;      /* the run to continue, 0 for a new one */
    int64_t supernet; /* the run whose supernet is searched, 0 for one's own */
} Task;

/* The job of a file, with options. What is wrong with it or its data is said before a
 * database is opened or a run made for it. The exit status, as of all below. */
static int load_job(const SearchArgs *a, Job *job)
{
    if (config_load(job, a->what, (const char *const *)a->job.set, a->job.n_sets) != 0)
        return EXIT_USAGE;
    job->threads = a->job.threads ? a->job.threads : job->threads;
    if (config_resolve(job) != 0 || pipeline_check(job) != 0)
        return EXIT_USAGE;
    return a->supernet || data_classes(&job->data) > 0 ? EXIT_OK : EXIT_JOB;
}

/* Without a file the job is that of the supernet's run, with options. */
static int reuse_supernet(Results *r, const SearchArgs *a, bool has_job, Task *t)
{
    if (names_run(r, a->supernet, &t->supernet) != 0)
        return EXIT_JOB;
    if (!has_job && job_run_config(r, t->supernet, a->job.threads, &t->job) != 0)
        return EXIT_JOB;
    if (!has_job && config_set(&t->job, (const char *const *)a->job.set, a->job.n_sets) != 0)
        return EXIT_USAGE;
    if (config_check_runtime(&t->job.target) != 0 || pipeline_check(&t->job) != 0)
        return EXIT_USAGE;
    if (take_supernet(r, t->supernet, &t->job) != 0)
        return EXIT_JOB;
    return data_classes(&t->job.data) > 0 ? EXIT_OK : EXIT_JOB;
}

static int find_task(Results *r, const SearchArgs *a, bool has_job, Task *t)
{
    if (a->resume && has_job)
        return job_run_find(r, &t->job, NULL, &t->run) == 0 ? EXIT_OK : EXIT_JOB;
    if (a->resume)
        return job_run_resume(r, &a->job, a->what, &t->run, &t->job);
    if (a->supernet)
        return reuse_supernet(r, a, has_job, t);
    if (has_job)
        return EXIT_OK;
    errorf("%s: to continue a run, say --resume", a->what);
    return EXIT_USAGE;
}

static int do_task(Results *r, Task *t, const char *db)
{
    int status = t->run > 0 ? 0 : job_run_new(r, &t->job, NULL, &t->run);
    if (status == 0 && t->supernet > 0)
        status = copy_supernet(r, t->supernet, t->run);
    return status == 0 && job_run_work(r, &t->job, t->run, db, "search") == 0 ? EXIT_OK : EXIT_JOB;
}

int cmd_search(int argc, char **argv)
{
    SearchArgs a = {0};
    const struct argp_child children[] = {{&job_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = OPTIONS,
                                 .parser = parse,
                                 .args_doc = "JOB.yaml|RUN",
                                 .doc = DOC,
                                 .children = children},
                  argc, argv, &a);
    Task *t = xcalloc(1, sizeof *t);
    Results *r = NULL;
    const char *db = names_db(a.db);
    bool has_job = a.what && !is_run(a.what);
    int status = has_job ? load_job(&a, &t->job) : EXIT_OK;
    if (status == EXIT_OK && results_open(&r, db, false) != 0)
        status = EXIT_JOB;
    if (status == EXIT_OK)
        status = find_task(r, &a, has_job, t);
    if (status == EXIT_OK)
        status = do_task(r, t, db);
    if (status != EXIT_OK)
        command_fail(status);
    results_close(r);
    free(t);
    job_args_release(&a.job);
    return status;
}
