#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "config/config.h"
#include "config/schema.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' is one argument too many", arg);
    return ARGP_ERR_UNKNOWN;
}

static const char DOC[] =
    "The targets in configs/targets: cores, memory, what is kept for the application, and where "
    "the latency model comes from."
    "\vA job names one of them, a file of its own, or gives the keys in place.";

#define COLUMNS(n) "%-14s  %-14s  %-14s  %8" n "  %8" n "  %7" n "  %7" n "  %4" n "  "

static int print_target(const char *name)
{
    Target t;
    if (config_target(&t, name) != 0)
        return -1;
    printf(COLUMNS("llu"), t.name, t.core,
           t.machine[0] ? t.machine : "-", (unsigned long long)t.sram, (unsigned long long)t.flash,
           (unsigned long long)t.sram_reserve, (unsigned long long)t.flash_reserve,
           (unsigned long long)(t.clock_hz / 1000000));
    if (t.latency.unit[0])
        printf("%s, error %.1f %%\n", t.latency.unit, 100 * t.latency.error);
    else
        printf("none\n");
    return 0;
}

int cmd_targets(int argc, char **argv)
{
    command_parse(&(struct argp){.parser = parse, .doc = DOC}, argc, argv, NULL);
    char **names = NULL;
    int n = config_names("targets", &names), status = 0;
    if (n < 0)
        return command_fail(EXIT_JOB);
    printf(COLUMNS("s") "%s\n", "name", "core", "machine", "sram B", "flash B", "kept", "kept", "MHz",
           "latency model");
    for (int i = 0; i < n && status == 0; i++)
        status = print_target(names[i]);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
