/* command.h - what every command is made of.
 *
 * A command is a file cmd_<name>.c with one function, listed in main.c's table.
 * It parses its arguments with argp (glibc), prints results on stdout and
 * progress on stderr, and returns the exit status: 0, 1 the job failed, 2 bad
 * usage or configuration. */
#ifndef COMMAND_H
#define COMMAND_H

#include <argp.h>
#include <stdint.h>

#include "network/space.h"
#include "results/results.h"

enum { EXIT_OK = 0, EXIT_JOB = 1, EXIT_USAGE = 2 };

typedef struct {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is "thimble <name>" */
} Command;

int cmd_search(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_space(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_candidates(int argc, char **argv);
int cmd_pareto(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_profile(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_targets(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* Prints "thimble: <error_text()>" on stderr; returns status. */
int command_fail(int status);

/* argp_parse with our conventions: exit status 2 and one line on a wrong
 * option or number of arguments, --help to stdout with status 0. */
void command_parse(const struct argp *argp, int argc, char **argv, void *input);

/* For option parsers: stops with status 2 and one sentence unless the whole
 * text is a number in [least, most]. */
int64_t command_int(struct argp_state *state, const char *what, const char *text, int64_t least,
                    int64_t most);
Format command_format(struct argp_state *state, const char *text);
/* --sram: bytes of an arena, as the configs say sizes: 4096, 64KiB. */
uint64_t command_sram(struct argp_state *state, const char *text);
/* --resolution: a side, or high x wide, as the configs say them: 96, 49x10. */
Resolution command_resolution(struct argp_state *state, const char *text);
/* --image: outside or resident, and nothing else. */
const char *command_image(struct argp_state *state, const char *text);
const char *command_kernels(struct argp_state *state, const char *text); /* pairs, small */

/* What the commands that only look share: --db, -f and one argument. Their option
 * parser calls command_common() for the keys it does not know itself; `missing` is
 * asked of who gives no argument, NULL where none is wanted. */
typedef struct {
    const char *db, *what;
    Format format;
} CommonOptions;
error_t command_common(int key, char *arg, struct argp_state *state, CommonOptions *o,
                       const char *missing);

#endif
