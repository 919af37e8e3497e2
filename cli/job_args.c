#include "cli/job_args.h"

#include "base/alloc.h"
#include "cli/command.h"

#include <stdlib.h>

enum { OPT_DB = 'd', OPT_SET = 's', OPT_THREADS = 't', OPT_SEED = 512, OPT_SCHEDULE };

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

static error_t parse_net(int key, char *arg, struct argp_state *state)
{
    NetArgs *a = state->input;
    switch (key) {
    case OPT_DB:
        a->db = arg;
        return 0;
    case OPT_SCHEDULE:
        a->schedule = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->what)
            argp_error(state, "'%s' is one argument too many", arg);
        a->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->what)
            argp_error(state, "which network? RUN:best or RUN:NUMBER");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option net_options[] = {
    {"schedule", OPT_SCHEDULE, "NAME", 0, "layerwise or inplace [the run's]", 0},
    {"db", OPT_DB, "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {0}};

const struct argp net_args = {.options = net_options, .parser = parse_net};
