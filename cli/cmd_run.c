#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/imported.h"
#include "cli/job_args.h"
#include "evaluator/host.h"
#include "evaluator/inputs.h"
#include "job/pipeline.h"
#include "report/run_report.h"
#include "results/names.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_ON = 256, OPT_IMAGES, OPT_DATA, OPT_CLASSES, OPT_LAYOUT, OPT_PIXELS, OPT_RESIZE,
       OPT_THREADS = 't', OPT_FORMAT = 'f' };

typedef struct {
    NetArgs net;
    const char *on, *resize;
    InputOptions data;
    int images;
    Format format;
} RunArgs;

static const struct argp_option OPTIONS[] = {
    {"on", OPT_ON, "PLACE", 0, "host, or qemu:TARGET, e.g. qemu:cortex-m7 [host]", 0},
    {"data", OPT_DATA, "PATH", 0,
     "what to run on: class folders (test/ of them where there is one), a folder of files or one "
     "file; JPEG, PNG, raw int8 [a run's test images; on the board drawn inputs]", 1},
    {"classes", OPT_CLASSES, "NAMES", 0,
     "the outputs in their order, a,b,c or a file with a line each [the folders by alphabet]", 1},
    {"layout", OPT_LAYOUT, "NAME", 0, "images, raw, cifar10 or idx [as the files are]", 1},
    {"pixels", OPT_PIXELS, "REALS", 0,
     "what a .tflite was trained on: 0..1, -1..1, 0..255, MEAN:DEVIATION (one number or three), "
     "or int8, pixel - 128 [int8, which is all of the first three on most inputs]", 1},
    {"resize", OPT_RESIZE, "HOW", 0,
     "stretch (bilinear, as Pillow) or cover (area, cropped) [stretch; a run's cover]", 1},
    {"images", OPT_IMAGES, "N", 0, "so many, spread over all: on the host [all], on the board [4]",
     1},
    {"threads", OPT_THREADS, "N", 0, "on the host [one a core]", 2},
    {"format", OPT_FORMAT, "FORMAT", 0, "table, json or csv [table]", 2},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    RunArgs *a = state->input;
    DataFormat format;
    Pixels pixels;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->net;
        return 0;
    case OPT_ON:
        a->on = arg;
        return 0;
    case OPT_DATA:
        a->data.path = arg;
        return 0;
    case OPT_CLASSES:
        a->data.classes = arg;
        return 0;
    case OPT_LAYOUT:
        if (data_format_parse(arg, &format) != 0 || format == DATA_SYNTHETIC)
            argp_error(state, "--layout: '%s' is none of images, raw, cifar10, idx", arg);
        a->data.layout = arg;
        return 0;
    case OPT_PIXELS:
        if (pixels_parse(&pixels, arg) != 0)
            argp_error(state, "--pixels: %s", error_text());
        a->data.pixels = arg;
        return 0;
    case OPT_RESIZE:
        if (strcmp(arg, "stretch") != 0 && strcmp(arg, "cover") != 0)
            argp_error(state, "--resize: '%s' is neither stretch nor cover", arg);
        a->resize = arg;
        return 0;
    case OPT_IMAGES:
        a->images = (int)command_int(state, "--images", arg, 1, 1000000);
        return 0;
    case OPT_THREADS:
        a->data.threads = (int)command_int(state, "--threads", arg, 1, 1024);
        return 0;
    case OPT_FORMAT:
        a->format = command_format(state, arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Runs a network in int8: on this machine for its accuracy, or its outputs where the data has "
    "no labels; or as exported C on an emulated board, where outputs are compared with the host "
    "byte for byte and instructions, peak stack, arena and flash are measured. The network is one "
    "of a run, measured on the board for its database, or an int8 MODEL.tflite. QEMU counts "
    "instructions, never milliseconds."
    "\vExamples:\n"
    "  thimble run 1:best\n"
    "  thimble run 1:best --on qemu:cortex-m7 --images 10\n"
    "  thimble run kws.tflite --data speech --classes down,go,left,no,up,yes\n"
    "  thimble run vww.tflite --data photo.jpg --classes non_person,person -f json";

/* --- a network, its plan and what it is shown */

typedef struct {
    const char *model, *data;
    const QModel *q;
    PlanOptions plan;
    const Inputs *inputs;
} Subject;

static int8_t *int8_inputs(const Inputs *in, const Net *net, int n)
{
    size_t bytes = net_tensor_bytes(net, NET_IMAGE);
    int8_t *input = xmalloc((size_t)n * bytes);
    for (int i = 0; i < n; i++)
        dataset_int8(&in->set, host_picture(&in->set, n, i), input + (size_t)i * bytes);
    return input;
}

static int at_most(int n, const Inputs *in)
{
    return n > 0 && n < in->set.n ? n : in->set.n;
}

/* Also with one input in an arena of exactly the plan's bytes. */
static int run_on_host(const Subject *s, const RunArgs *a)
{
    const Net *net = &s->q->net;
    HostReport r = {.model = s->model, .data = s->data, .q = s->q, .plan = s->plan,
                    .inputs = s->inputs, .n = at_most(a->images, s->inputs)};
    Plan plan;
    plan_make(net, &s->plan, &plan);
    r.arena = plan.arena;
    size_t bytes = net_tensor_bytes(net, net->n_layers - 1);
    int8_t *output = xmalloc((size_t)r.n * bytes);
    int8_t *input = r.n > 0 ? int8_inputs(s->inputs, net, 1) : NULL;
    int status = input ? host_run(s->q, &plan, input, output, &r.touched) : 0;
    if (status == 0)
        status = host_outputs(s->q, &s->plan, &s->inputs->set, r.n, a->data.threads, output);
    r.output = output;
    if (status == 0)
        status = report_host(&r, a->format, stdout);
    free(input);
    free(output);
    if (status == 0 && r.touched != r.arena)
        status = errorf("the arena's high-water mark is not what was predicted");
    return status;
}

static int report(const Subject *s, const Target *target, const DeviceRun *d, Format format)
{
    Cost cost = estimate(&s->q->net, target, &s->plan);
    return report_board(&(BoardReport){.model = s->model, .target = target, .plan = s->plan,
                                       .cost = &cost, .device = d},
                        format, stdout);
}

static int run_on_board(const Subject *s, const Target *target, const RunArgs *a)
{
    DeviceRun d;
    DeviceOptions o = {.target = target, .plan = s->plan,
                       .n_images = at_most(a->images ? a->images : 4, s->inputs)};
    int8_t *input = int8_inputs(s->inputs, &s->q->net, o.n_images);
    o.images = input;
    int status = device_run(s->q, &o, &d);
    free(input);
    return status == 0 ? report(s, target, &d, a->format) : -1;
}

static bool on_board(const RunArgs *a)
{
    return strcmp(a->on, "host") != 0;
}

/* On the data that the options name. */
static int run_on_data(Subject *s, const Target *target, const RunArgs *a)
{
    Inputs in;
    if (!a->data.path)
        inputs_draw(&in, s->q, a->images ? a->images : 4);
    else if (inputs_open(&in, s->q, &a->data) != 0)
        return -1;
    s->inputs = &in;
    int status = on_board(a) ? run_on_board(s, target, a) : run_on_host(s, a);
    inputs_release(&in);
    return status;
}

/* --- a file */

static int run_imported(const RunArgs *a, const Target *target)
{
    Imported *m = xcalloc(1, sizeof *m);
    int status = imported_open(m, &a->net, on_board(a) ? target : NULL);
    if (status == 0) {
        Subject s = {.model = a->net.what, .data = a->data.path, .q = &m->q, .plan = m->plan};
        status = run_on_data(&s, target, a);
        imported_release(m);
    }
    free(m);
    return status;
}

/* --- a network of a run */

/* On its own test images; what a board shows is stored. */
static int run_on_test(Pipeline *p, const CandidateRow *row, Subject *s, const RunArgs *a)
{
    DeviceRun d;
    if (!p->has_data && pipeline_data(p) != 0)
        return -1;
    const Dataset *test = &p->data.test;
    const Inputs in = {.set = *test, .labelled = true, .class_name = test->class_name,
                       .n_classes = test->n_classes};
    s->inputs = &in;
    s->data = "its test images";
    if (!on_board(a))
        return run_on_host(s, a);
    if (pipeline_measure(p, s->q, row, a->images ? a->images : 4, &d) != 0)
        return -1;
    return report(s, &p->job.target, &d, a->format);
}

static int run_it(Pipeline *p, const CandidateRow *row, const RunArgs *a, const Target *target)
{
    QModel q;
    if (pipeline_qmodel(p, row, &q) != 0)
        return -1;
    int status = net_args_plan(&a->net, &q.net, on_board(a) ? target : &p->job.target,
                               &p->job.plan);
    if (on_board(a))
        p->job.target = *target;
    Subject s = {.model = row->genotype, .data = a->data.path, .q = &q, .plan = p->job.plan};
    if (status == 0)
        status = a->data.path ? run_on_data(&s, target, a) : run_on_test(p, row, &s, a);
    qmodel_release(&q);
    return status;
}

static int run_candidate(const RunArgs *a, const Target *target)
{
    Pipeline *p = xcalloc(1, sizeof *p);
    CandidateRow row;
    Results *r = NULL;
    int status = results_open(&r, names_db(a->net.db), !on_board(a));
    if (status == 0)
        status = pipeline_open(p, r, a->net.what, a->net.schedule, &row);
    if (status == 0) {
        status = run_it(p, &row, a, target);
        pipeline_release(p);
        results_candidate_release(&row);
    }
    results_close(r);
    free(p);
    return status;
}

static int check_usage(const RunArgs *a)
{
    bool board = strncmp(a->on, "qemu:", 5) == 0 && a->on[5];
    if (on_board(a) && !board)
        return errorf("--on %s: wants host or qemu:TARGET", a->on);
    if (!board && names_model_file(a->net.what) && !a->data.path)
        return errorf("which inputs? --data FOLDER or FILE");
    return 0;
}

/* What the options leave open depends on where the network is from: a run's has seen pictures as
 * dataset/ makes them. */
static void settle(RunArgs *a)
{
    bool imported = names_model_file(a->net.what);
    bool stretch = a->resize ? strcmp(a->resize, "stretch") == 0 : imported;
    a->data.resize = stretch ? RESIZE_STRETCH : RESIZE_COVER;
    if (!imported && !a->data.pixels)
        a->data.pixels = "int8";
    if (!a->data.threads)
        a->data.threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int cmd_run(int argc, char **argv)
{
    RunArgs a = {.on = "host"};
    const struct argp_child children[] = {{&net_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = OPTIONS,
                                 .parser = parse,
                                 .doc = DOC,
                                 .args_doc = "RUN:best|RUN:NUMBER|MODEL.tflite",
                                 .children = children},
                  argc, argv, &a);
    Target target;
    if (check_usage(&a) != 0)
        return command_fail(EXIT_USAGE);
    settle(&a);
    /* a wrong name is said before anything is read */
    int status = on_board(&a) ? config_target(&target, a.on + strlen("qemu:")) : 0;
    if (status == 0 && on_board(&a) && !target.machine[0])
        status = errorf("the target '%s' has no emulated board", target.name);
    if (status == 0)
        status = names_model_file(a.net.what) ? run_imported(&a, &target) : run_candidate(&a, &target);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
