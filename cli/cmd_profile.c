#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/profile_source.h"
#include "report/memory_svg.h"
#include "report/profile_json.h"
#include "report/profile_page.h"
#include "results/names.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_SCHEDULE = 256, OPT_TARGET, OPT_SRAM, OPT_RECOMPUTE, OPT_RESOLUTION, OPT_IMAGE, OPT_KERNELS,
       OPT_JSON, OPT_CSV, OPT_SVG, OPT_FRONT, OPT_CHECK };

typedef struct {
    CommonOptions common;
    const char *schedule, *target, *image, *kernels, *svg;
    uint64_t sram;
    int recompute;
    Resolution resolution;
    bool all, front, check;
} ProfileArgs;

static const struct argp_option OPTIONS[] = {
    {"schedule", OPT_SCHEDULE, "NAME", 0,
     "layerwise, inplace, patch, stream; all: side by side [stream; a run's own]", 0},
    {"image", OPT_IMAGE, "PLACE", 0,
     "outside or resident in the arena, for what is shown in detail [outside; a run's own]", 0},
    {"target", OPT_TARGET, "T", 0,
     "a name of `thimble targets`, or a file [stm32f746; a run's own]", 0},
    {"kernels", OPT_KERNELS, "WHICH", 0,
     "pairs, or small: no scratch, slower [pairs; the target's]", 0},
    {"sram", OPT_SRAM, "SIZE", 0,
     "the arena's limit, e.g. 16KiB; stream computes twice what it must to stay below", 0},
    {"recompute", OPT_RECOMPUTE, "PERCENT", 0, "stream: the least arena with so many more MACs", 0},
    {"resolution", OPT_RESOLUTION, "N|HxW", 0, "of a NET.yaml [its own]", 0},
    {"format", 'f', "FORMAT", 0, "table, json or csv (the table of layers) [table]", 1},
    {"json", OPT_JSON, 0, 0, "same as -f json", 1},
    {"csv", OPT_CSV, 0, 0, "same as -f csv", 1},
    {"svg", OPT_SVG, "FILE", 0, "also draws memory over time", 1},
    {"front", OPT_FRONT, 0, 0, "stream: what less memory costs in MACs", 1},
    {"check", OPT_CHECK, 0, 0, "exit status 1 when it does not fit", 1},
    {"db", 'd', "FILE", 0, "database [$THIMBLE_DB, else thimble.db]", 2},
    {0}};

static void parse_schedule(struct argp_state *state, ProfileArgs *a, const char *text)
{
    Policy policy;
    a->all = strcmp(text, "all") == 0;
    a->schedule = a->all ? NULL : text;
    if (!a->all && policy_parse(text, &policy) != 0)
        argp_error(state, "%s; or all", error_text());
}

static void check_together(struct argp_state *state, const ProfileArgs *a)
{
    bool streams = !a->schedule || strcmp(a->schedule, "stream") == 0;
    if (a->sram && a->recompute)
        argp_error(state, "--sram and --recompute: one budget at a time");
    if (!streams && (a->recompute || a->front))
        argp_error(state, "%s is for --schedule stream", a->front ? "--front" : "--recompute");
    if (a->all && a->front && a->common.format == FORMAT_CSV)
        argp_error(state, "csv is one table: --schedule all or --front");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    ProfileArgs *a = state->input;
    switch (key) {
    case OPT_SCHEDULE:
        parse_schedule(state, a, arg);
        return 0;
    case OPT_IMAGE:
        a->image = command_image(state, arg);
        return 0;
    case OPT_KERNELS:
        a->kernels = command_kernels(state, arg);
        return 0;
    case OPT_TARGET:
        a->target = arg;
        return 0;
    case OPT_SRAM:
        a->sram = command_sram(state, arg);
        return 0;
    case OPT_RECOMPUTE:
        a->recompute = (int)command_int(state, "--recompute", arg, 1, 1000);
        return 0;
    case OPT_RESOLUTION:
        a->resolution = command_resolution(state, arg);
        return 0;
    case OPT_JSON:
    case OPT_CSV:
        a->common.format = key == OPT_JSON ? FORMAT_JSON : FORMAT_CSV;
        return 0;
    case OPT_SVG:
        a->svg = arg;
        return 0;
    case OPT_FRONT:
        a->front = true;
        return 0;
    case OPT_CHECK:
        a->check = true;
        return 0;
    case ARGP_KEY_SUCCESS:
        check_together(state, a);
        return 0;
    default:
        return command_common(key, arg, state, &a->common,
                              "which network? NET.yaml, MODEL.tflite, RUN:best or RUN:NUMBER");
    }
}

static const char DOC[] =
    "What a network takes before anything of it runs: the arena to the byte with the image outside "
    "and inside, what the peak is made of, flash by part, MACs, latency, and whether it fits the "
    "target. The network is a block list (NET.yaml), an int8 MODEL.tflite, or one a run has "
    "evaluated."
    "\vThe exit status is 0 also when the network does not fit, unless --check is given. In json "
    "arena_bytes is with the image outside, arena_resident_bytes with it inside; schema_version "
    "grows when a key changes its meaning.\n\n"
    "Examples:\n"
    "  thimble profile net.yaml --target stm32f412 --schedule all\n"
    "  thimble profile model.tflite --sram 16KiB --svg memory.svg\n"
    "  thimble profile 1:best -f json | jq .arena_bytes\n"
    "  thimble profile net.yaml --recompute 10 --front";

/* Options over what the source says. */
static int load(Profile *p, const ProfileArgs *a)
{
    Policy policy;
    ProfileSource source = {.what = a->common.what, .db = a->common.db, .target = a->target,
                            .resolution = a->resolution};
    if (profile_load(p, &source) != 0)
        return -1;
    if (a->schedule && policy_parse(a->schedule, &policy) == 0)
        p->policy = (uint8_t)policy;
    if (a->image)
        p->image = strcmp(a->image, "outside") == 0 ? IMAGE_OUTSIDE : IMAGE_RESIDENT;
    p->small = a->kernels ? strcmp(a->kernels, "small") == 0 : p->target.kernels == 1;
    if (a->sram)
        p->limits.sram = p->sram = (uint32_t)a->sram;
    if (a->recompute)
        p->recompute = a->recompute / 100.0;
    return 0;
}

/* --- what comes out */

static int write_svg(const Profile *p, const char *path)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    memory_svg(p, f);
    fclose(f);
    int status = file_write(path, text, size);
    free(text);
    return status;
}

static int print_json(const Profile *p, const ProfileArgs *a)
{
    json_t *j = profile_json(p, (ProfileDetail){.schedules = a->all, .front = a->front});
    int status = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    fputc('\n', stdout);
    json_decref(j);
    return status == 0 ? 0 : errorf("the profile could not be written as JSON");
}

static int print_csv(const Profile *p, const ProfileArgs *a)
{
    if (a->all)
        return profile_print_schedules(p, FORMAT_CSV, stdout);
    return a->front ? profile_print_front(p, FORMAT_CSV, stdout)
                    : profile_print_layers(p, FORMAT_CSV, stdout);
}

static int print_page(const Profile *p, const ProfileArgs *a)
{
    int status = profile_print_summary(p, stdout);
    if (status == 0 && a->all) {
        printf("\n");
        status = profile_print_schedules(p, FORMAT_TABLE, stdout);
    }
    if (status == 0 && a->front) {
        printf("\nstream, image %s\n", p->image == IMAGE_OUTSIDE ? "outside" : "resident");
        status = profile_print_front(p, FORMAT_TABLE, stdout);
    }
    if (status == 0 && !a->all && !a->front) {
        printf("\n");
        status = profile_print_layers(p, FORMAT_TABLE, stdout);
    }
    return status;
}

static int print(const Profile *p, const ProfileArgs *a)
{
    switch (a->common.format) {
    case FORMAT_TABLE:
        return print_page(p, a);
    case FORMAT_JSON:
        return print_json(p, a);
    case FORMAT_CSV:
        return print_csv(p, a);
    }
    return 0;
}

int cmd_profile(int argc, char **argv)
{
    ProfileArgs a = {0};
    command_parse(&(struct argp){.options = OPTIONS,
                                 .parser = parse,
                                 .doc = DOC,
                                 .args_doc = "NET.yaml|MODEL.tflite|RUN:best|RUN:NUMBER"},
                  argc, argv, &a);
    Profile *p = xcalloc(1, sizeof *p);
    int status = load(p, &a);
    int exit_status = names_run_net(a.common.what) ? EXIT_JOB : EXIT_USAGE;
    bool fits = true;
    if (status == 0) {
        profile_make(p);
        fits = cost_fits(&p->cost[p->image], &p->limits);
        exit_status = EXIT_JOB;
        status = a.svg ? write_svg(p, a.svg) : 0; /* first: whoever reads stdout may stop early */
        if (status == 0)
            status = print(p, &a);
    }
    free(p);
    if (status == 0 && a.check && !fits)
        status = errorf("%s does not fit", a.common.what);
    return status == 0 ? EXIT_OK : command_fail(exit_status);
}
