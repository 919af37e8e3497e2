/* main.c - the table of commands. */
#define _GNU_SOURCE
#include "cli/command.h"

#include "base/yaml.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const Command commands[] = {
    {"search", "find, train and prove the best network for a target", cmd_search},
    {"train", "one given network under a job's data and limits, to compare", cmd_train},
    {"space", "stage 1 alone: which width and resolution to search in", cmd_space},
    {"runs", "the runs in the database", cmd_runs},
    {"candidates", "the networks a run has evaluated", cmd_candidates},
    {"pareto", "the networks of a run that no other one beats", cmd_pareto},
    {"show", "a run or a network in detail", cmd_show},
    {"profile", "what a network takes on a target: memory by byte, flash, latency", cmd_profile},
    {"query", "any read-only SQL on the database", cmd_query},
    {"export", "a network as C with its runtime", cmd_export},
    {"run", "a network on the host or an emulated board: outputs, instructions, memory", cmd_run},
    {"calibrate", "a target's latency and code size, measured under QEMU or on its board", cmd_calibrate},
    {"targets", "the targets there are", cmd_targets},
    {"version", "how this program was built", cmd_version},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *out)
{
    fputs("Usage: thimble COMMAND [OPTION...]\n"
          "Finds, proves and ships neural networks for microcontrollers.\n\n",
          out);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`thimble COMMAND --help` explains one. Results go to stdout, progress to stderr.\n"
          "Exit status: 0, 1 the job failed, 2 wrong usage or configuration.\n",
          out);
}

static int unknown_command(const char *word)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = yaml_nearest(word, names, N_COMMANDS);
    fprintf(stderr,
            near ? "thimble: there is no command '%s', did you mean '%s'?\n"
                 : "thimble: there is no command '%s'; see thimble --help\n",
            word, near);
    return EXIT_USAGE;
}

/* Work is split by task over our own threads: OpenBLAS must not start more, and
 * waiting threads must sleep, not spin (on a busy machine spinning costs tenfold).
 * Both libraries read their environment when they are loaded, hence the new start. */
static void settle_threads(char **argv)
{
    if (getenv("OPENBLAS_NUM_THREADS") && getenv("OMP_WAIT_POLICY"))
        return;
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("OMP_WAIT_POLICY", "passive", 0);
    execv("/proc/self/exe", argv); /* where that fails, it is only slower */
}

int main(int argc, char **argv)
{
    settle_threads(argv);
    signal(SIGPIPE, SIG_DFL);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    static char help[] = "--help";
    if (argc > 2 && strcmp(argv[1], "help") == 0) { /* thimble help search */
        argv[1] = argv[2];
        argv[2] = help;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    const char *word = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            char name[64];
            snprintf(name, sizeof name, "thimble %s", commands[i].name);
            argv[1] = name;
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return unknown_command(word);
}
