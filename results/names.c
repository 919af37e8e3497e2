#define _GNU_SOURCE
#include "results/names.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- files and networks */

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

bool names_net_file(const char *what)
{
    return ends_in(what, ".yaml") || ends_in(what, ".yml");
}

bool names_model_file(const char *what)
{
    return ends_in(what, ".tflite");
}

bool names_run_net(const char *what)
{
    return !names_net_file(what) && !names_model_file(what) && !strchr(what, '/') &&
           !file_exists(what);
}

/* --- the database and what is in it */

const char *names_db(const char *option)
{
    const char *variable = getenv("THIMBLE_DB");
    return option ? option : variable && *variable ? variable : "thimble.db";
}

Results *names_open(const char *option)
{
    Results *r;
    return results_open(&r, names_db(option), true) == 0 ? r : NULL;
}

static int last_run(Results *r, int64_t *run)
{
    if (results_run_last(r, run) != 0)
        return -1;
    return *run ? 0 : errorf("the database holds no runs yet");
}

int names_run(Results *r, const char *text, int64_t *run)
{
    if (strcmp(text, "last") == 0)
        return last_run(r, run);
    if (text_int(text, 1, INT64_MAX, run) != 0)
        return errorf("'%s' is no run: a number as in `thimble runs`, or last", text);
    RunRow row;
    int status = results_run_get(r, *run, &row);
    if (status == 0)
        results_run_release(&row);
    return status == 1 ? errorf("there is no run %" PRId64 "; `thimble runs` lists them", *run)
                       : status;
}

static int best_of(Results *r, int64_t run, CandidateRow *row)
{
    int status = results_candidate_best(r, run, row);
    return status == 1 ? errorf("run %" PRId64 " has no evaluated candidates yet", run) : status;
}

int names_candidate(Results *r, const char *text, int64_t *run, CandidateRow *row)
{
    char *id = xstrdup(text), *colon = strchr(id, ':');
    if (colon)
        *colon = 0;
    int status = names_run(r, id, run);
    free(id);
    if (status != 0)
        return -1;
    const char *which = colon ? strchr(text, ':') + 1 : "best";
    if (strcmp(which, "best") == 0)
        return best_of(r, *run, row);
    int64_t number;
    if (text_int(which, 0, INT_MAX, &number) != 0)
        return errorf("'%s' is no candidate: RUN:NUMBER, or RUN:best", text);
    status = results_candidate_by_number(r, *run, (int)number, row);
    return status == 1 ? errorf("run %" PRId64 " has no candidate %" PRId64, *run, number) : status;
}
