#define _GNU_SOURCE
#include "cli/command.h"

#include "base/error.h"
#include "cli/job_run.h"
#include "job/pipeline.h"
#include "results/names.h"

enum { OPT_EPOCHS = 256, OPT_RESOLUTION };

typedef struct {
    JobArgs job;
    ResumeArgs run;
    const char *word[2]; /* NET JOB.yaml, or with --resume RUN, or nothing */
    int n_words;
    Resolution resolution;
} TrainArgs;

static const struct argp_option OPTIONS[] = {
    {"epochs", OPT_EPOCHS, "N", 0, "same as --set train.finetune.epochs=N", 0},
    {"resolution", OPT_RESOLUTION, "N|HxW", 0, "input of a NET.yaml [its own; raw data's shape]", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    TrainArgs *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->job;
        state->child_inputs[1] = &a->run;
        return 0;
    case OPT_EPOCHS:
        command_int(state, "--epochs", arg, 1, 100000);
        job_args_add(&a->job, "train.finetune.epochs", arg, state);
        return 0;
    case OPT_RESOLUTION:
        a->resolution = command_resolution(state, arg);
        return 0;
    case ARGP_KEY_ARG:
        if (a->n_words == 2)
            argp_error(state, "'%s' is one argument too many", arg);
        a->word[a->n_words++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->n_words == 0 && !a->run.resume)
            argp_error(state, "which NET? a NET.yaml, RUN:NUMBER or a genotype");
        if (a->n_words == 1 && !a->run.resume)
            argp_error(state, "on what? NET JOB.yaml, whose data, limits and target are taken");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Trains one network alone, from random weights, under a JOB.yaml's data, limits and target, as "
    "`thimble search` trains its winner: by train.finetune, then int8, then proved on an emulated "
    "board and recorded as the only candidate of a run. So a network made by hand compares with "
    "a found one. NET is a YAML list of blocks (as for profile), whose classifier gets the data's "
    "classes, RUN:best, RUN:NUMBER, or a genotype of the job's space. What it costs is said first; "
    "beyond the limits it is not trained."
    "\vExamples:\n"
    "  thimble train mobilenetv2.yaml cifar10 --set data.path=DIR --epochs 30\n"
    "  thimble train 1:best cifar10 --seed 2    a winner without its supernet\n"
    "  thimble train --resume 3\n"
    "  thimble show 3:best";

static bool has_job(const TrainArgs *a)
{
    return a->n_words == 2;
}

/* What is wrong with job, network or data is said before a run is made for them. */
static int load(const void *args, Task *t)
{
    const TrainArgs *a = args;
    t->is_given = true;
    int status = has_job(a) ? job_run_load(&a->job, a->word[1], &t->job) : EXIT_OK;
    if (status != EXIT_OK || !has_job(a))
        return status;
    if (t->job.finetune.teaching > 0) {
        errorf("train.finetune.teaching: there is no supernet whose largest network could teach; "
               "--set train.finetune.teaching=0");
        return EXIT_USAGE;
    }
    if (given_load(&t->given, a->word[0], &t->job, a->resolution, a->run.db) != 0)
        return EXIT_JOB;
    return given_fits(&t->given, &t->job) == 0 ? EXIT_OK : EXIT_JOB;
}

static int find(const void *args, Results *r, Task *t)
{
    const TrainArgs *a = args;
    if (!has_job(a))
        return job_run_resume(r, &a->job, a->word[0], t);
    return a->run.resume ? job_run_find(r, t) : EXIT_OK;
}

int cmd_train(int argc, char **argv)
{
    TrainArgs a = {0};
    const struct argp_child children[] = {{&job_args, 0, NULL, 0}, {&resume_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = OPTIONS,
                                 .parser = parse,
                                 .args_doc = "NET JOB.yaml",
                                 .doc = DOC,
                                 .children = children},
                  argc, argv, &a);
    int status = job_run(&(JobCommand){"train", names_db(a.run.db), &a, load, find});
    job_args_release(&a.job);
    return status;
}
