#define _GNU_SOURCE
#include "cli/job_run.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/version.h"
#include "cli/command.h"
#include "report/summary.h"
#include "results/names.h"

#include <stdlib.h>
#include <string.h>

int job_run_config(Results *r, int64_t run, int threads, Job *job)
{
    RunRow row;
    if (results_run_get(r, run, &row) != 0)
        return -1;
    char *name = xasprintf("config of run %lld", (long long)run);
    int status = config_parse(job, row.config, name);
    free(name);
    results_run_release(&row);
    job->threads = threads;
    return status == 0 ? config_resolve(job) : -1;
}

/* --- the run of a job */

/* The config without what never changes the result. */
static char *identity(const Job *job)
{
    Job same = *job;
    same.threads = 1;
    same.checkpoint = 1;
    return config_text(&same);
}

static bool has_config(Results *r, int64_t run, const char *wanted)
{
    RunRow row;
    Job other;
    bool same = false;
    if (results_run_get(r, run, &row) != 0)
        return false;
    if (config_parse(&other, row.config, "stored config") == 0) {
        char *text = identity(&other);
        same = strcmp(text, wanted) == 0;
        free(text);
    }
    results_run_release(&row);
    return same;
}

static bool has_network(Results *r, int64_t run, const Given *given)
{
    Net net;
    int found = given_get(r, run, &net);
    return given ? found == 0 && memcmp(&net, &given->net, sizeof net) == 0 : found == 1;
}

int job_run_find(Results *r, Task *t)
{
    char *wanted = identity(&t->job);
    const Given *given = t->is_given ? &t->given : NULL;
    int status = results_run_last(r, &t->run);
    while (status == 0 && t->run > 0 &&
           !(has_config(r, t->run, wanted) && has_network(r, t->run, given)))
        t->run--;
    free(wanted);
    return status == 0 ? EXIT_OK : EXIT_JOB;
}

/* Where the run's latencies come from, for whoever reads them in the database. */
static int note_latency_model(Results *r, const Target *t)
{
    if (!t->latency.unit[0])
        return 0;
    char *coefficients = config_calibration(t);
    CalibrationRow row = {.target = t->name,
                          .unit = t->latency.unit,
                          .coefficients = coefficients,
                          .source = t->latency.source,
                          .error = t->latency.error};
    int status = results_calibration_put(r, &row);
    free(coefficients);
    return status;
}

static int copy_supernet(Results *r, int64_t from, int64_t to)
{
    void *data;
    size_t size;
    if (results_blob_get(r, from, "supernet", &data, &size) != 0)
        return -1;
    int status = results_blob_put(r, to, "supernet", data, size);
    free(data);
    return status;
}

/* A run that trains a network is never seen without it, nor one that has a supernet given. */
static int fill(Results *r, const Task *t, RunRow *row, int64_t *run)
{
    if (results_run_new(r, row, run) != 0 || note_latency_model(r, &t->job.target) != 0)
        return -1;
    if (t->is_given && given_put(r, *run, &t->given, &t->job) != 0)
        return -1;
    return t->supernet > 0 ? copy_supernet(r, t->supernet, *run) : 0;
}

static int make(Results *r, Task *t)
{
    const Job *job = &t->job;
    char *config = config_text(job);
    RunRow row = {.name = job->name,
                  .state = "running",
                  .phase = t->is_given ? "train" : "space",
                  .config = config,
                  .target = job->target.name,
                  .space = t->is_given ? "one network" : job->space.name,
                  .version = THIMBLE_VERSION,
                  .latency_unit = job->target.latency.unit,
                  .policy = policy_name((Policy)job->plan.policy),
                  .image = pipeline_image(job),
                  .seed = (int64_t)job->seed,
                  .supernet = t->supernet};
    int64_t run;
    int status = results_begin(r);
    if (status == 0)
        status = fill(r, t, &row, &run);
    free(config);
    if (status == 0)
        status = results_commit(r);
    else
        results_rollback(r);
    t->run = status == 0 ? run : 0;
    return status;
}

/* --- its work */

static bool is_done(Results *r, int64_t run)
{
    RunRow row;
    if (results_run_get(r, run, &row) != 0)
        return false;
    bool done = strcmp(row.state, "done") == 0;
    results_run_release(&row);
    return done;
}

/* What a run has predicted with other kernels' times, what is to come cannot be compared with. */
static bool may_go_on(Results *r, int64_t run, const Job *job)
{
    Net net;
    if (is_done(r, run) || config_check_runtime(&job->target) == 0)
        return true;
    char *why = xstrdup(error_text());
    if (given_get(r, run, &net) == 0)
        errorf("%s; then train run %lld's network anew", why, (long long)run);
    else
        errorf("%s; then search its supernet again: --supernet %lld --set target=%s", why,
               (long long)run, job->target.name);
    free(why);
    return false;
}

/* Its images may lie elsewhere by now, and are found there from now on. */
static int move_data(Results *r, const JobArgs *a, Task *t)
{
    if (a->n_sets == 0)
        return 0;
    if (config_set(&t->job, (const char *const *)a->set, a->n_sets) != 0)
        return -1;
    char *config = config_text(&t->job);
    int status = results_run_set_config(r, t->run, config);
    free(config);
    return status;
}

int job_run_resume(Results *r, const JobArgs *a, const char *what, Task *t)
{
    for (int i = 0; i < a->n_sets; i++)
        if (strncmp(a->set[i], "data.path=", 10) != 0) {
            errorf("a resumed run keeps its job: --set and the options that set a key, like "
                   "--seed, are for new runs; but for data.path, where the images have moved to");
            return EXIT_USAGE;
        }
    bool known = names_run(r, what ? what : "last", &t->run) == 0 &&
                 job_run_config(r, t->run, a->threads, &t->job) == 0 &&
                 may_go_on(r, t->run, &t->job) && move_data(r, a, t) == 0;
    return known ? EXIT_OK : EXIT_JOB;
}

/* Before hours of training: will there be memory for it? */
static int load_data(Pipeline *p)
{
    return pipeline_data(p) == 0 ? pipeline_memory(p, memory_free("")) : -1;
}

static int do_search(Pipeline *p)
{
    int trained = pipeline_trained(p->db, p->run);
    p->is_trained = trained == 1;
    if (trained < 0 || pipeline_space(p) != 0 || load_data(p) != 0 || pipeline_train(p) != 0 ||
        pipeline_search(p) != 0 || pipeline_finish(p) != 0)
        return -1;
    return pipeline_summary(p);
}

static int do_phases(Pipeline *p)
{
    if (pipeline_given(p) != 0)
        return -1;
    if (!p->is_given)
        return do_search(p);
    return load_data(p) == 0 && pipeline_finish_given(p) == 0 ? pipeline_summary(p) : -1;
}

static int work(Results *r, const Job *job, int64_t run)
{
    Pipeline *p = xcalloc(1, sizeof *p);
    pipeline_init(p, job, r, run);
    int status = do_phases(p);
    char *why = xstrdup(error_text());
    if (status != 0)
        results_run_fail(r, run, why);
    pipeline_release(p);
    free(p);
    results_run_unlock(r, run);
    errorf("%s", why);
    free(why);
    return status;
}

/* All that is left to do of it, and its summary on stdout. */
static int go_on(Results *r, const Task *t, const JobCommand *c)
{
    bool elsewhere = strcmp(c->db, names_db(NULL)) != 0;
    const char *option = elsewhere ? " --db " : "", *db = elsewhere ? c->db : "";
    long long run = t->run;
    if (is_done(r, t->run)) {
        printf("run %lld is done: thimble show %lld%s%s\n", run, run, option, db);
        return 0;
    }
    if (results_run_lock(r, t->run) != 0)
        return -1;
    log_info("run %lld in %s; when it is interrupted: thimble %s --resume %lld%s%s", run, c->db,
             c->name, run, option, db);
    return work(r, &t->job, t->run);
}

/* --- the whole */

int job_run_load(const JobArgs *a, const char *path, Job *job)
{
    if (config_load(job, path, (const char *const *)a->set, a->n_sets) != 0)
        return EXIT_USAGE;
    job->threads = a->threads ? a->threads : job->threads;
    return config_resolve(job) == 0 && pipeline_check(job) == 0 ? EXIT_OK : EXIT_USAGE;
}

int job_run(const JobCommand *c)
{
    Task *t = xcalloc(1, sizeof *t);
    Results *r = NULL;
    int status = c->load(c->args, t);
    if (status == EXIT_OK && results_open(&r, c->db, false) != 0)
        status = EXIT_JOB;
    if (status == EXIT_OK)
        status = c->find(c->args, r, t);
    if (status == EXIT_OK && t->run == 0 && make(r, t) != 0)
        status = EXIT_JOB;
    if (status == EXIT_OK && go_on(r, t, c) != 0)
        status = EXIT_JOB;
    if (status != EXIT_OK)
        command_fail(status);
    results_close(r);
    free(t);
    return status;
}
