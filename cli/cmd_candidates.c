#include "base/error.h"
#include "cli/command.h"
#include "results/listing.h"
#include "results/names.h"

#include <limits.h>
#include <stdio.h>

typedef struct {
    CommonOptions common;
    Sort sort;
    int limit; /* 0: all */
} Options;

static const struct argp_option OPTIONS[] = {
    {"sort", 's', "KEY", 0, "fitness, sram, flash, macs, latency or number [fitness]", 0},
    {"limit", 'n', "N", 0, "how many [20]", 0},
    {"all", 'a', 0, 0, "every candidate, also those running or failed", 0},
    {"db", 'd', "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {"format", 'f', "FORMAT", 0, "table, json or csv [table]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    switch (key) {
    case 's':
        if (sort_parse(arg, &o->sort) != 0)
            argp_error(state, "%s", error_text());
        return 0;
    case 'n':
        o->limit = (int)command_int(state, "--limit", arg, 1, INT_MAX);
        return 0;
    case 'a':
        o->limit = 0;
        return 0;
    default:
        return command_common(key, arg, state, &o->common, "which RUN? `thimble runs` lists them");
    }
}

static const char DOC[] =
    "The candidates of a RUN (its number, or last), best first."
    "\vBy fitness the highest comes first, by anything else the lowest. Fitness is what the "
    "winner is chosen by: the accuracy, or with score cross_entropy exp(-cross entropy); where "
    "there were finals, what they came to on all validation images: final. Accuracy is that of the validation images; sram is the arena; the table says "
    "whether the input image is inside. Sizes and latency are predicted. In json and csv accuracies are fractions.\n\n"
    "Examples:\n"
    "  thimble candidates 3\n"
    "  thimble candidates last --sort sram --limit 5\n"
    "  thimble candidates 3 --all -f csv > candidates.csv";

int cmd_candidates(int argc, char **argv)
{
    Options o = {.limit = 20};
    command_parse(
        &(struct argp){.options = OPTIONS, .parser = parse, .args_doc = "RUN", .doc = DOC}, argc,
        argv, &o);
    int64_t run;
    Results *r = names_open(o.common.db);
    int status = r ? names_run(r, o.common.what, &run) : -1;
    if (status == 0)
        status = listing_candidates(r, run, o.sort, o.limit, o.common.format, stdout);
    results_close(r);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
