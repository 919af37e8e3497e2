#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/pipeline.h"
#include "cli/version.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_DB = 'd', OPT_SET = 's', OPT_THREADS = 't', OPT_QUIET = 'q', OPT_SEED = 256, OPT_RESUME,
       OPT_ALGORITHM, OPT_SUPERNET };

typedef struct {
    const char *what, *db, *supernet;
    bool resume;
    int threads; /* 0: as the job says */
    const char *set[64];
    int n_sets;
} SearchArgs;

static const struct argp_option OPTIONS[] = {
    {"db", OPT_DB, "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {"set", OPT_SET, "KEY=VALUE", 0, "sets a key of the job, e.g. limits.sram=64KiB; may be repeated", 0},
    {"seed", OPT_SEED, "N", 0, "same as --set seed=N [1]", 0},
    {"algorithm", OPT_ALGORITHM, "NAME", 0, "evolution, or random: the baseline [evolution]", 0},
    {"supernet", OPT_SUPERNET, "RUN", 0, "search in the supernet that RUN trained, for another target or other limits", 0},
    {"resume", OPT_RESUME, 0, 0, "continue RUN, or the newest run of this very JOB, or the newest run", 0},
    {"threads", OPT_THREADS, "N", 0, "never changes the result [one a core]", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress", 0},
    {0}};

static void add_set(SearchArgs *a, const char *set, struct argp_state *state)
{
    if (a->n_sets == (int)(sizeof a->set / sizeof *a->set))
        argp_error(state, "too many --set");
    a->set[a->n_sets++] = set;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    SearchArgs *a = state->input;
    switch (key) {
    case OPT_DB:
        a->db = arg;
        return 0;
    case OPT_SET:
        add_set(a, arg, state);
        return 0;
    case OPT_SEED:
        command_int(state, "--seed", arg, 0, 9000000000000000);
        add_set(a, xasprintf("seed=%s", arg), state);
        return 0;
    case OPT_ALGORITHM:
        add_set(a, xasprintf("stage2.algorithm=%s", arg), state);
        return 0;
    case OPT_SUPERNET:
        a->supernet = arg;
        return 0;
    case OPT_RESUME:
        a->resume = true;
        return 0;
    case OPT_THREADS:
        a->threads = (int)command_int(state, "--threads", arg, 1, 1024);
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

/* A run's own job, with threads as asked now. */
static int job_of_run(Results *r, int64_t run, const SearchArgs *a, Job *job)
{
    RunRow row;
    if (results_run_get(r, run, &row) != 0)
        return -1;
    char *name = xasprintf("config of run %lld", (long long)run);
    int status = config_parse(job, row.config, name);
    free(name);
    results_run_release(&row);
    job->threads = a->threads;
    return status == 0 ? config_resolve(job) : -1;
}

/* The config without what never changes the result. */
static char *identity(const Job *job)
{
    Job same = *job;
    same.threads = 1;
    return config_text(&same);
}

/* The newest run of exactly this job, 0 when there is none. */
static int find_run(Results *r, const Job *job, int64_t *run)
{
    char *wanted = identity(job);
    int status = results_run_last(r, run);
    for (; status == 0 && *run > 0; --*run) {
        RunRow row;
        Job other;
        int got = results_run_get(r, *run, &row);
        bool same = false;
        if (got == 0 && config_parse(&other, row.config, "stored config") == 0) {
            char *text = identity(&other);
            same = strcmp(text, wanted) == 0;
            free(text);
        }
        if (got == 0)
            results_run_release(&row);
        if (same)
            break;
        status = got < 0 ? -1 : 0;
    }
    free(wanted);
    return status;
}

/* Where the run's latencies come from, for whoever reads them in the database. */
static int note_latency_model(Results *r, const Target *t)
{
    if (!t->latency.unit[0])
        return 0;
    char *coefficients = config_calibration(t);
    CalibrationRow row = {.target = t->name, .unit = t->latency.unit, .coefficients = coefficients,
                          .source = t->latency.source, .error = t->latency.error};
    int status = results_calibration_put(r, &row);
    free(coefficients);
    return status;
}

static int new_run(Results *r, const Job *job, int64_t *run)
{
    char *config = config_text(job);
    RunRow row = {.name = job->name, .state = "running", .phase = "space", .config = config,
                  .target = job->target.name, .space = job->space.name, .version = THIMBLE_VERSION,
                  .latency_unit = job->target.latency.unit,
                  .policy = policy_name((Policy)job->policy), .seed = (int64_t)job->seed};
    int status = results_run_new(r, &row, run);
    free(config);
    return status == 0 ? note_latency_model(r, &job->target) : -1;
}

/* What the supernet's training has fixed comes from its run; the rest is the new job's. */
static int take_supernet(Results *r, int64_t from, Job *job)
{
    Job trained;
    SearchArgs plain = {.threads = job->threads};
    int h, w;
    if (job_of_run(r, from, &plain, &trained) != 0)
        return -1;
    if (results_space_chosen(r, from, &trained.width, &h, &w) != 0)
        return errorf("run %lld has not chosen its space yet", (long long)from);
    trained.resolution = (Resolution){(uint16_t)h, (uint16_t)w};
    if (strcmp(trained.space.name, job->space.name) != 0)
        return errorf("run %lld trained a supernet of the space '%s', the job searches in '%s'",
                      (long long)from, trained.space.name, job->space.name);
    job->space = trained.space;
    job->seed = trained.seed; /* the same images train and validate */
    job->data = trained.data;
    job->validation = trained.validation;
    job->largest = trained.largest;
    job->supernet = trained.supernet;
    job->width = trained.width;
    job->resolution = trained.resolution;
    log_info("run %lld gives seed, data, validation, space, stage1, train.largest, train.supernet",
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

/* The job: of a file, of a run to resume, or of the run whose supernet is searched. *run is
 * the run to continue, 0 for a new one. The exit status. */
static int find_job(Results *r, const SearchArgs *a, Job *job, int64_t *run, int64_t *supernet)
{
    const char *from = a->supernet ? a->supernet : is_run(a->what) ? (a->what ? a->what : "last") : NULL;
    bool file = a->what && !is_run(a->what);
    *run = *supernet = 0;
    if (file && config_load(job, a->what, a->set, a->n_sets) != 0)
        return EXIT_USAGE;
    if (file && a->threads)
        job->threads = a->threads;
    if (file && config_resolve(job) != 0)
        return EXIT_USAGE;
    if (file && a->resume)
        return find_run(r, job, run) == 0 ? EXIT_OK : EXIT_JOB;
    if (file && !a->supernet)
        return EXIT_OK;
    int64_t id;
    if (command_run(r, from, &id) != 0 || (!file && job_of_run(r, id, a, job) != 0))
        return EXIT_JOB;
    if (a->resume) {
        if (a->n_sets > 0) {
            errorf("a resumed run keeps its job: --set, --seed and --algorithm are for new runs");
            return EXIT_USAGE;
        }
        *run = id;
        return EXIT_OK;
    }
    if (!a->supernet) {
        errorf("%s: to continue a run, say --resume", a->what);
        return EXIT_USAGE;
    }
    *supernet = id;
    for (int i = 0; !file && i < a->n_sets; i++)
        if (config_set(job, a->set[i]) != 0)
            return EXIT_USAGE;
    return take_supernet(r, id, job) == 0 ? EXIT_OK : EXIT_JOB;
}

static int do_phases(Pipeline *p)
{
    if (pipeline_space(p) != 0 || pipeline_data(p) != 0 || pipeline_train(p) != 0 ||
        pipeline_search(p) != 0 || pipeline_finish(p) != 0)
        return -1;
    return pipeline_summary(p);
}

static int work(Results *r, const Job *job, int64_t run, const char *db)
{
    if (results_run_lock(r, run) != 0)
        return -1;
    log_info("run %lld in %s; when it is interrupted: thimble search --resume %lld", (long long)run,
             db, (long long)run);
    Pipeline *p = xcalloc(1, sizeof *p);
    pipeline_init(p, job, r, run);
    int status = do_phases(p);
    char *why = xstrdup(error_text());
    if (status != 0)
        results_run_set(r, run, "failed", NULL);
    pipeline_release(p);
    free(p);
    results_run_unlock(r, run);
    errorf("%s", why);
    free(why);
    return status;
}

static bool is_done(Results *r, int64_t run)
{
    RunRow row;
    if (results_run_get(r, run, &row) != 0)
        return false;
    bool done = strcmp(row.state, "done") == 0;
    results_run_release(&row);
    return done;
}

int cmd_search(int argc, char **argv)
{
    SearchArgs a = {0};
    command_parse(&(struct argp){.options = OPTIONS, .parser = parse, .args_doc = "JOB.yaml|RUN", .doc = DOC},
                  argc, argv, &a);
    Job *job = xcalloc(1, sizeof *job);
    Results *r = NULL;
    int64_t run, supernet;
    const char *db = command_db(a.db);
    /* what is wrong with the job or its data is said before a run is made for it */
    bool file = a.what && !is_run(a.what);
    int wrong = 0;
    if (file && config_load(job, a.what, a.set, a.n_sets) != 0)
        wrong = EXIT_USAGE;
    else if (file && !a.supernet && data_classes(&job->data) < 0)
        wrong = EXIT_JOB;
    if (wrong) {
        free(job);
        return command_fail(wrong);
    }
    if (results_open(&r, db, false) != 0) {
        free(job);
        return command_fail(EXIT_JOB);
    }
    int exit_status = find_job(r, &a, job, &run, &supernet);
    if (exit_status == EXIT_OK && run > 0 && is_done(r, run)) {
        printf("run %lld is done: thimble show %lld\n", (long long)run, (long long)run);
    } else if (exit_status == EXIT_OK) {
        int status = run > 0 ? 0 : new_run(r, job, &run);
        if (status == 0 && supernet > 0)
            status = copy_supernet(r, supernet, run);
        exit_status = status == 0 && work(r, job, run, db) == 0 ? EXIT_OK : EXIT_JOB;
    }
    if (exit_status != EXIT_OK)
        command_fail(exit_status);
    results_close(r);
    free(job);
    return exit_status;
}
