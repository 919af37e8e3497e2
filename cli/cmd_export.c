#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/imported.h"
#include "cli/job_args.h"
#include "config/schema.h"
#include "exporter/export.h"
#include "job/pipeline.h"
#include "results/names.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_TARGET = 256, OPT_PREFIX };

typedef struct {
    NetArgs net;
    const char *out, *target, *prefix;
} ExportArgs;

static const struct argp_option ARGP_OPTIONS[] = {
    {"output", 'o', "DIR", 0, "the folder to write, made anew", 0},
    {"target", OPT_TARGET, "T", 0,
     "a name of `thimble targets`, or a file [stm32f746; a run's own]", 0},
    {"prefix", OPT_PREFIX, "NAME", 0,
     "files and symbols begin with it, so that several networks fit into one firmware [model]", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    ExportArgs *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->net;
        return 0;
    case 'o':
        a->out = arg;
        return 0;
    case OPT_TARGET:
        a->target = arg;
        return 0;
    case OPT_PREFIX:
        a->prefix = arg;
        return 0;
    case ARGP_KEY_SUCCESS:
        if (!a->out)
            argp_error(state, "where to? -o DIR");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Writes a network as int8 C with its runtime, a Makefile and a main for the board: a network "
    "of a run, or an int8 MODEL.tflite. The winner (RUN:best) comes with its fine-tuned weights; "
    "another candidate with the supernet's."
    "\vA run's network checks itself with a test image, a .tflite file's with an input drawn by "
    "chance. Its float inputs and outputs are int8 here; README.md says their scales.\n\n"
    "Examples:\n"
    "  thimble export 1:best -o out\n"
    "  thimble export model.tflite -o out --image outside --sram 32KiB --prefix kws\n"
    "  make -C out && make -C out run     builds for the board, runs under QEMU\n"
    "  make -C out host                   the same network on this machine";

static int write_it(const ExportArgs *a, const QModel *q, const ExportOptions *o)
{
    if (export_model(q, o) != 0)
        return -1;
    const char *name = a->prefix ? a->prefix : "model";
    Cost cost = estimate(&q->net, o->target, &o->plan);
    printf("%s: %s.c, %s.h, the runtime, a main and a Makefile; make -C %s\n", a->out, name, name,
           a->out);
    printf("arena %s, %s, image %s; flash %s with the code\n", text_bytes(cost.sram),
           policy_name((Policy)o->plan.policy), o->plan.image_outside ? "outside" : "inside",
           text_bytes(cost.flash));
    return 0;
}

/* --- a network of a run */

static int write_candidate(Pipeline *p, const CandidateRow *row, const QModel *q,
                           const ExportArgs *a)
{
    if (!p->has_data &&
        pipeline_data(p) != 0) { /* without the data there is no sample to check with */
        fprintf(stderr, "thimble: exported without a sample input: %s\n", error_text());
    }
    char *title = xasprintf("%s, run %lld, candidate %d: %s", p->job.name, (long long)p->run,
                            row->number, row->genotype);
    int8_t *sample = p->has_data ? xmalloc(net_tensor_bytes(&q->net, NET_IMAGE)) : NULL;
    if (sample)
        dataset_int8(&p->data.test, 0, sample);
    ExportOptions o = {.dir = a->out,
                       .title = title,
                       .prefix = a->prefix,
                       .target = &p->job.target,
                       .plan = p->job.plan,
                       .sample = sample,
                       .sample_label = sample ? p->data.test.label[0] : 0,
                       .class_name = sample ? (const char *const *)p->data.test.class_name : NULL};
    int status = write_it(a, q, &o);
    free(sample);
    free(title);
    return status;
}

static int export_candidate(const ExportArgs *a)
{
    Pipeline *p = xcalloc(1, sizeof *p);
    CandidateRow row;
    QModel q;
    Results *r = names_open(a->net.db);
    int status = r ? pipeline_open(p, r, a->net.what, a->net.schedule, &row) : -1;
    if (status == 0) {
        if (a->target)
            status = config_target(&p->job.target, a->target);
        if (status == 0)
            status = pipeline_qmodel(p, &row, &q);
        if (status == 0) {
            status = net_args_plan(&a->net, &q.net, &p->job.target, &p->job.plan);
            if (status == 0)
                status = write_candidate(p, &row, &q, a);
            qmodel_release(&q);
        }
        pipeline_release(p);
        results_candidate_release(&row);
    }
    results_close(r);
    free(p);
    return status;
}

/* --- a file */

static int export_imported(const ExportArgs *a)
{
    Target target;
    Imported *m = xcalloc(1, sizeof *m);
    int status = config_target(&target, a->target ? a->target : "stm32f746");
    if (status == 0)
        status = imported_open(m, &a->net, &target);
    if (status == 0) {
        ExportOptions o = {.dir = a->out, .title = m->title, .prefix = a->prefix,
                           .target = &target, .plan = m->plan, .input = m->input};
        status = write_it(a, &m->q, &o);
        imported_release(m);
    }
    free(m);
    return status;
}

int cmd_export(int argc, char **argv)
{
    ExportArgs a = {0};
    const struct argp_child children[] = {{&net_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = ARGP_OPTIONS,
                                 .parser = parse,
                                 .doc = DOC,
                                 .args_doc = "RUN:best|RUN:NUMBER|MODEL.tflite -o DIR",
                                 .children = children},
                  argc, argv, &a);
    int status = names_model_file(a.net.what) ? export_imported(&a) : export_candidate(&a);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
