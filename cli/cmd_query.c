#define _GNU_SOURCE
#include "base/alloc.h"
#include "cli/command.h"
#include "results/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option OPTIONS[] = {
    {"db", 'd', "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 0},
    {"format", 'f', "FORMAT", 0, "table, json or csv [table]", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return command_common(key, arg, state, state->input,
                          "which SQL statement? - reads it from standard input");
}

static const char DOC[] =
    "Any read-only SQL statement on the database; - reads it from standard input. One that would "
    "write is refused."
    "\vTables: run, space, epoch, generation, candidate, layer, measurement, calibration, blob. "
    "Views: feasible (evaluated candidates, sizes also in KiB), pareto (each run's front), best "
    "(one candidate a run). Functions beside SQLite's own: percent, kib, size, elapsed, tidy.\n\n"
    "Examples:\n"
    "  thimble query \"SELECT * FROM best\"\n"
    "  thimble query \"SELECT sram, percent(accuracy) FROM pareto WHERE run = 3\"\n"
    "  thimble query -f csv \"SELECT sql FROM sqlite_schema\"\n"
    "  thimble query - < report.sql";

static char *read_all(FILE *in)
{
    char *text = NULL;
    size_t room = 0;
    if (getdelim(&text, &room, 0, in) < 0) {
        free(text);
        return xstrdup("");
    }
    return text;
}

int cmd_query(int argc, char **argv)
{
    CommonOptions o = {0};
    command_parse(
        &(struct argp){.options = OPTIONS, .parser = parse, .args_doc = "SQL", .doc = DOC}, argc,
        argv, &o);
    char *sql = strcmp(o.what, "-") == 0 ? read_all(stdin) : xstrdup(o.what);
    Results *r = names_open(o.db);
    int status = r ? results_query(r, sql, NULL, 0, o.format, stdout) : -1;
    results_close(r);
    free(sql);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
