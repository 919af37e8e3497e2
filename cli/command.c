#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "config/schema.h"

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

int64_t command_int(struct argp_state *state, const char *what, const char *text, int64_t least,
                    int64_t most)
{
    int64_t value = least;
    if (text_int(text, least, most, &value) != 0)
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
