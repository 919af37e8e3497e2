#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/job_args.h"
#include "cli/pipeline.h"
#include "exporter/export.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    NetArgs net;
    const char *out;
} ExportArgs;

static const struct argp_option ARGP_OPTIONS[] = {
    {"output", 'o', "DIR", 0, "the folder to write, made anew", 0}, {0}};

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
    case ARGP_KEY_SUCCESS:
        if (!a->out)
            argp_error(state, "where to? -o DIR");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Writes a network of a run as int8 C with its runtime, a Makefile and a main for the board. "
    "The "
    "winner (RUN:best) comes with its fine-tuned weights; another candidate with the supernet's."
    "\vExamples:\n"
    "  thimble export 1:best -o out\n"
    "  make -C out && make -C out run     builds for the board, runs under QEMU\n"
    "  make -C out host                   the same network on this machine";

static int export_it(Pipeline *p, const CandidateRow *row, const char *dir)
{
    QModel q;
    if (pipeline_qmodel(p, row, &q) != 0)
        return -1;
    if (!p->has_data &&
        pipeline_data(p) != 0) { /* without the data there is no sample to check with */
        fprintf(stderr, "thimble: exported without a sample input: %s\n", error_text());
    }
    char *title = xasprintf("%s, run %lld, candidate %d: %s", p->job.name, (long long)p->run,
                            row->number, row->genotype);
    int8_t *sample = p->has_data ? xmalloc(net_tensor_bytes(&q.net, NET_IMAGE)) : NULL;
    if (sample)
        dataset_int8(&p->data.test, 0, sample);
    ExportOptions o = {.dir = dir,
                       .title = title,
                       .target = &p->job.target,
                       .plan = p->job.plan,
                       .sample = sample,
                       .sample_label = sample ? p->data.test.label[0] : 0,
                       .class_name = sample ? (const char *const *)p->data.test.class_name : NULL};
    int status = export_model(&q, &o);
    free(sample);
    free(title);
    qmodel_release(&q);
    return status;
}

int cmd_export(int argc, char **argv)
{
    ExportArgs a = {0};
    const struct argp_child children[] = {{&net_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = ARGP_OPTIONS,
                                 .parser = parse,
                                 .doc = DOC,
                                 .args_doc = "RUN:best|RUN:NUMBER -o DIR",
                                 .children = children},
                  argc, argv, &a);
    Pipeline *p = xcalloc(1, sizeof *p);
    CandidateRow row;
    Results *r = command_open(a.net.db);
    int status = r ? pipeline_open(p, r, a.net.what, a.net.schedule, &row) : -1;
    if (status == 0) {
        status = export_it(p, &row, a.out);
        pipeline_release(p);
        results_candidate_release(&row);
    }
    if (status == 0)
        printf("%s: model.c, model.h, the runtime, a main and a Makefile; make -C %s\n", a.out,
               a.out);
    results_close(r);
    free(p);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
