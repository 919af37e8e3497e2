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

int job_run_find(Results *r, const Job *job, const Given *given, int64_t *run)
{
    char *wanted = identity(job);
    int status = results_run_last(r, run);
    while (status == 0 && *run > 0 &&
           !(has_config(r, *run, wanted) && has_network(r, *run, given)))
        --*run;
    free(wanted);
    return status;
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

int job_run_new(Results *r, const Job *job, const Given *given, int64_t *run)
{
    char *config = config_text(job);
    RunRow row = {.name = job->name,
                  .state = "running",
                  .phase = given ? "train" : "space",
                  .config = config,
                  .target = job->target.name,
                  .space = given ? "one network" : job->space.name,
                  .version = THIMBLE_VERSION,
                  .latency_unit = job->target.latency.unit,
                  .policy = policy_name((Policy)job->plan.policy),
                  .image = pipeline_image(job),
                  .seed = (int64_t)job->seed};
    int status = results_begin(r); /* a run that trains a network is never seen without it */
    if (status == 0)
        status = results_run_new(r, &row, run);
    if (status == 0 && given)
        status = given_put(r, *run, given, job);
    if (status == 0)
        status = note_latency_model(r, &job->target);
    free(config);
    if (status == 0)
        return results_commit(r);
    results_rollback(r);
    return -1;
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

int job_run_resume(Results *r, const JobArgs *a, const char *what, int64_t *run, Job *job)
{
    if (a->n_sets > 0) {
        errorf("a resumed run keeps its job: --set and the options that set a key, like --seed, "
               "are for new runs");
        return EXIT_USAGE;
    }
    bool known = names_run(r, what ? what : "last", run) == 0 &&
                 job_run_config(r, *run, a->threads, job) == 0 && may_go_on(r, *run, job);
    return known ? EXIT_OK : EXIT_JOB;
}

/* Before hours of training: will there be memory for it? */
static int load_data(Pipeline *p)
{
    return pipeline_data(p) == 0 ? pipeline_memory(p, memory_free("")) : -1;
}

static int do_search(Pipeline *p)
{
    if (pipeline_space(p) != 0 || load_data(p) != 0 || pipeline_train(p) != 0 ||
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

int job_run_work(Results *r, const Job *job, int64_t run, const char *db, const char *command)
{
    if (is_done(r, run)) {
        printf("run %lld is done: thimble show %lld\n", (long long)run, (long long)run);
        return 0;
    }
    if (results_run_lock(r, run) != 0)
        return -1;
    log_info("run %lld in %s; when it is interrupted: thimble %s --resume %lld", (long long)run,
             db, command, (long long)run);
    return work(r, job, run);
}
