#include "cli/command.h"

#include "base/error.h"
#include "results/listing.h"
#include "results/names.h"

#include <stdio.h>

typedef struct {
    CommonOptions common;
    unsigned by; /* listing_pareto()'s costs */
} Options;

static const struct argp_option OPTIONS[] = {
    {"by", 'b', "COSTS", 0, "some of sram, flash, macs, latency: the front of accuracy and these "
     "alone, e.g. sram,macs [all four]", 0},
    {"db", 'd', "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {"format", 'f', "FORMAT", 0, "table, json or csv [table]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    Options *o = state->input;
    if (key != 'b')
        return command_common(key, arg, state, &o->common, "which RUN? `thimble runs` lists them");
    if (costs_parse(arg, &o->by) != 0)
        argp_error(state, "--by: %s", error_text());
    return 0;
}

static const char DOC[] =
    "The Pareto front of a RUN (its number, or last): the candidates that no other one beats in "
    "accuracy, sram, flash, MACs and latency together."
    "\vMost accurate first. Fitness is what the winner is chosen by: the accuracy, or with score "
    "cross_entropy exp(-cross entropy). Accuracy is that of the validation images; sram is the "
    "arena; the table says whether the input image is inside. Sizes and latency are predicted. In json and csv accuracies are "
    "fractions. Without --by the rows are those of the view `pareto` in the database.\n\n"
    "Examples:\n"
    "  thimble pareto last\n"
    "  thimble pareto 3 --by sram            of a search for accuracy and sram\n"
    "  thimble pareto 3 -f json | jq '.[].sram'";

int cmd_pareto(int argc, char **argv)
{
    Options o = {0};
    command_parse(
        &(struct argp){.options = OPTIONS, .parser = parse, .args_doc = "RUN", .doc = DOC}, argc,
        argv, &o);
    int64_t run;
    Results *r = names_open(o.common.db);
    int status = r ? names_run(r, o.common.what, &run) : -1;
    if (status == 0)
        status = listing_pareto(r, run, o.by, o.common.format, stdout);
    results_close(r);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
