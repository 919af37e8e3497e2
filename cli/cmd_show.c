#include "cli/command.h"
#include "results/listing.h"
#include "results/names.h"

#include <stdio.h>
#include <string.h>

static const struct argp_option OPTIONS[] = {
    {"db", 'd', "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return command_common(key, arg, state, state->input, "which ID? RUN, RUN:NUMBER or RUN:best");
}

static const char DOC[] =
    "Everything about one run or one candidate. ID is RUN, RUN:NUMBER or RUN:best; RUN is a number "
    "or last."
    "\vA run: its state, why it failed, times, chosen space, winner, the last epoch of each phase "
    "of training, and the configuration. A candidate: its accuracies, sizes and latency, its "
    "layers with the peak of sram marked, and the newest measurement of each place and memory "
    "policy beside what was predicted for it; error % is 100 (measured / predicted - 1). Rows flow "
    "through all layers of a segment: what was measured is the segment's, at its last layer.\n\n"
    "Examples:\n"
    "  thimble show 3\n"
    "  thimble show 3:best\n"
    "  thimble show last:17";

static int show_candidate(Results *r, const char *id)
{
    int64_t run;
    CandidateRow row;
    if (names_candidate(r, id, &run, &row) != 0)
        return -1;
    int status = listing_candidate(r, row.id, stdout);
    results_candidate_release(&row);
    return status;
}

static int show_run(Results *r, const char *id)
{
    int64_t run;
    return names_run(r, id, &run) == 0 ? listing_run(r, run, stdout) : -1;
}

int cmd_show(int argc, char **argv)
{
    CommonOptions o = {0};
    command_parse(&(struct argp){.options = OPTIONS, .parser = parse, .args_doc = "ID", .doc = DOC},
                  argc, argv, &o);
    int status = -1;
    Results *r = names_open(o.db);
    if (r)
        status = strchr(o.what, ':') ? show_candidate(r, o.what) : show_run(r, o.what);
    results_close(r);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
