#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int command_fail(int status)
{
    fflush(stdout); /* what was printed before comes first where both go to one place */
    fprintf(stderr, "thimble: %s\n", error_text());
    return status;
}

/* --- arguments */

/* A command's own parser and input, behind ours. */
typedef struct {
    argp_parser_t parser;
    void *input;
} Wrapped;

/* argp follows every complaint with "Try `thimble x --help' ...", on as many lines as the name
 * needs, and ends: one line is enough. The stream is buffered, so all of it comes at once. */
static ssize_t without_advice(void *cookie, const char *text, size_t size)
{
    (void)cookie;
    const char *advice = memmem(text, size, "Try `", 5);
    bool starts_a_line = advice && (advice == text || advice[-1] == '\n');
    fwrite(text, 1, starts_a_line ? (size_t)(advice - text) : size, stderr);
    return (ssize_t)size;
}

static error_t parse_wrapped(int key, char *arg, struct argp_state *state)
{
    const Wrapped *command = state->input;
    state->input = command->input; /* argp sets it again before every call */
    if (key == ARGP_KEY_INIT) {
        FILE *quiet = fopencookie(NULL, "w", (cookie_io_functions_t){.write = without_advice});
        if (quiet)
            state->err_stream = quiet; /* open until the program ends, as stderr is */
    }
    return command->parser ? command->parser(key, arg, state) : ARGP_ERR_UNKNOWN;
}

void command_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    Wrapped command = {argp->parser, input};
    struct argp wrapped = *argp;
    wrapped.parser = parse_wrapped;
    argp_err_exit_status = EXIT_USAGE;
    error_t error = argp_parse(&wrapped, argc, argv, 0, NULL, &command);
    if (error == 0)
        return;
    fprintf(stderr, "%s: %s\n", argv[0], strerror(error));
    exit(EXIT_USAGE);
}

/* The whole text as a number in [least, most]. */
static int parse_int(const char *text, int64_t least, int64_t most, int64_t *value)
{
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    bool whole = *text && !strchr(" \t\n\v\f\r", *text) && *end == 0 && errno == 0;
    if (!whole || x < least || x > most)
        return -1;
    *value = x;
    return 0;
}

int64_t command_int(struct argp_state *state, const char *what, const char *text, int64_t least,
                    int64_t most)
{
    int64_t value = least;
    if (parse_int(text, least, most, &value) != 0)
        argp_error(state, "%s must be a whole number from %" PRId64 " to %" PRId64 ", not '%s'",
                   what, least, most, text);
    return value;
}

const char *command_image(struct argp_state *state, const char *text)
{
    if (strcmp(text, "outside") != 0 && strcmp(text, "resident") != 0)
        argp_error(state, "--image: '%s' is neither outside nor resident", text);
    return text;
}

const char *command_kernels(struct argp_state *state, const char *text)
{
    if (strcmp(text, "pairs") != 0 && strcmp(text, "small") != 0)
        argp_error(state, "--kernels: '%s' is neither pairs nor small", text);
    return text;
}

/* The text as a job's YAML would have it; keys: the one, and the end. */
static void read_as_key(struct argp_state *state, const Key *keys, const char *text, void *value)
{
    char *assignment = xasprintf("%s=%s", keys->name, text);
    if (schema_set(assignment, keys, value) != 0)
        argp_error(state, "%s", error_text());
    free(assignment);
}

uint64_t command_sram(struct argp_state *state, const char *text)
{
    uint64_t sram = 0;
    static const Key keys[] = {{.name = "--sram", .type = KEY_BYTES, .size = sizeof sram},
                               {.type = KEY_END}};
    read_as_key(state, keys, text, &sram);
    if (sram == 0 || sram > UINT32_MAX)
        argp_error(state, "--sram: '%s' is no arena's size: from 1 byte to 4 GiB", text);
    return sram;
}

Resolution command_resolution(struct argp_state *state, const char *text)
{
    Resolution r = {0};
    static const Key keys[] = {{.name = "--resolution", .type = KEY_PAIR, .size = sizeof r,
                                .least = 1, .most = 1024}, {.type = KEY_END}};
    read_as_key(state, keys, text, &r);
    return r;
}

Format command_format(struct argp_state *state, const char *text)
{
    Format format = FORMAT_TABLE;
    if (format_parse(text, &format) != 0)
        argp_error(state, "%s", error_text());
    return format;
}

error_t command_common(int key, char *arg, struct argp_state *state, CommonOptions *o,
                       const char *missing)
{
    switch (key) {
    case 'd':
        o->db = arg;
        return 0;
    case 'f':
        o->format = command_format(state, arg);
        return 0;
    case ARGP_KEY_ARG:
        if (!missing || o->what)
            argp_error(state, "'%s' is one argument too many", arg);
        o->what = arg;
        return 0;
    case ARGP_KEY_END:
        if (missing && !o->what)
            argp_error(state, "%s", missing);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- the database and what is in it */

const char *command_db(const char *option)
{
    const char *variable = getenv("THIMBLE_DB");
    return option ? option : variable && *variable ? variable : "thimble.db";
}

Results *command_open(const char *option)
{
    Results *r;
    return results_open(&r, command_db(option), true) == 0 ? r : NULL;
}

static int last_run(Results *r, int64_t *run)
{
    if (results_run_last(r, run) != 0)
        return -1;
    return *run ? 0 : errorf("the database holds no runs yet");
}

int command_run(Results *r, const char *text, int64_t *run)
{
    if (strcmp(text, "last") == 0)
        return last_run(r, run);
    if (parse_int(text, 1, INT64_MAX, run) != 0)
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

int command_candidate(Results *r, const char *text, int64_t *run, CandidateRow *row)
{
    char *id = xstrdup(text), *colon = strchr(id, ':');
    if (colon)
        *colon = 0;
    int status = command_run(r, id, run);
    free(id);
    if (status != 0)
        return -1;
    const char *which = colon ? strchr(text, ':') + 1 : "best";
    if (strcmp(which, "best") == 0)
        return best_of(r, *run, row);
    int64_t number;
    if (parse_int(which, 0, INT_MAX, &number) != 0)
        return errorf("'%s' is no candidate: RUN:NUMBER, or RUN:best", text);
    status = results_candidate_by_number(r, *run, (int)number, row);
    return status == 1 ? errorf("run %" PRId64 " has no candidate %" PRId64, *run, number) : status;
}
