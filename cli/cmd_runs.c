#include "cli/command.h"
#include "results/listing.h"
#include "results/names.h"

#include <stdio.h>

static const struct argp_option OPTIONS[] = {
    {"db", 'd', "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {"format", 'f', "FORMAT", 0, "table, json or csv [table]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return command_common(key, arg, state, state->input, NULL);
}

static const char DOC[] =
    "The runs in a database: state, candidates evaluated, and of the winner (before there is one, "
    "of the fittest so far) the validation accuracy, the int8 test accuracy, sram and flash."
    "\vA run is running, done, failed or interrupted: its process is gone, and "
    "`thimble search --resume ID` goes on where it was. sram is the arena; image says "
    "whether the input image is inside it. In json and csv accuracies are fractions and times seconds.\n\n"
    "Examples:\n"
    "  thimble runs\n"
    "  thimble runs --db old.db -f csv > runs.csv";

int cmd_runs(int argc, char **argv)
{
    CommonOptions o = {0};
    command_parse(&(struct argp){.options = OPTIONS, .parser = parse, .doc = DOC}, argc, argv, &o);
    Results *r = names_open(o.db);
    if (!r)
        return command_fail(EXIT_JOB);
    int status = listing_runs(r, o.format, stdout);
    results_close(r);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
