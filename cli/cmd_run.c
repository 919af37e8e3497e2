#define _GNU_SOURCE
#include "cli/command.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/job_args.h"
#include "cli/pipeline.h"
#include "cli/schema.h"
#include "cli/summary.h"
#include "evaluator/host.h"

#include <stdlib.h>
#include <string.h>

enum { OPT_ON = 256, OPT_IMAGES, OPT_THREADS = 't' };

typedef struct {
    NetArgs net;
    const char *on;
    int images, threads;
} RunArgs;

static const struct argp_option OPTIONS[] = {
    {"on", OPT_ON, "PLACE", 0, "host, or qemu:TARGET (qemu:cortex-m4, qemu:cortex-m7) [host]", 0},
    {"images", OPT_IMAGES, "N", 0, "test images: on the host [all], on the board [4]", 0},
    {"threads", OPT_THREADS, "N", 0, "on the host [one a core]", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    RunArgs *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->net;
        return 0;
    case OPT_ON:
        a->on = arg;
        return 0;
    case OPT_IMAGES:
        a->images = (int)command_int(state, "--images", arg, 1, 1000000);
        return 0;
    case OPT_THREADS:
        a->threads = (int)command_int(state, "--threads", arg, 1, 1024);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char DOC[] =
    "Runs a network of a run in int8: on this machine for its accuracy on the test images, or as "
    "exported C on an emulated board, where outputs are compared with the host byte for byte and "
    "instructions, peak stack, arena and flash are measured and stored. QEMU counts instructions, "
    "never milliseconds."
    "\vExamples:\n"
    "  thimble run 1:best\n"
    "  thimble run 1:best --on qemu:cortex-m7 --images 10";

static int run_on_host(Pipeline *p, const QModel *q, const RunArgs *a)
{
    Plan plan;
    HostScore score;
    uint32_t touched;
    plan_make(&q->net, &p->job.plan, &plan);
    int8_t *image = xmalloc(net_tensor_bytes(&q->net, NET_IMAGE));
    int8_t *output = xmalloc(net_tensor_bytes(&q->net, q->net.n_layers - 1));
    dataset_int8(&p->data.test, 0, image);
    int status = host_run(q, &plan, image, output, &touched);
    free(image);
    free(output);
    if (status != 0 || host_accuracy(q, &p->job.plan, &p->data.test, a->images,
                                     a->threads ? a->threads : p->job.threads, &score) != 0)
        return -1;
    printf("accuracy   %.2f %%  (%d of %d test images, int8)\n", 100 * score.accuracy,
           score.correct, score.n);
    printf("arena      %s predicted, %s touched\n", text_bytes(plan.arena), text_bytes(touched));
    return touched == plan.arena ? 0
                                 : errorf("the arena's high-water mark is not what was predicted");
}

static int run_on_board(Pipeline *p, const QModel *q, const CandidateRow *row, const RunArgs *a)
{
    DeviceRun d;
    if (config_target(&p->job.target, a->on + strlen("qemu:")) != 0)
        return -1;
    if (!p->job.target.machine[0])
        return errorf("the target '%s' has no emulated board", p->job.target.name);
    int status = pipeline_measure(p, q, row, a->images ? a->images : 4, &d);
    if (status != 0)
        return -1;
    Cost cost = estimate(&q->net, &p->job.target, &p->job.plan);
    printf("%s, schedule %s\n", row->genotype, policy_name((Policy)p->job.plan.policy));
    return summary_device(&p->job.target, &cost, &d);
}

static int run_it(Pipeline *p, const CandidateRow *row, const RunArgs *a)
{
    QModel q;
    if (pipeline_qmodel(p, row, &q) != 0)
        return -1;
    int status = p->has_data ? 0 : pipeline_data(p);
    if (status == 0)
        status = strcmp(a->on, "host") == 0 ? run_on_host(p, &q, a) : run_on_board(p, &q, row, a);
    qmodel_release(&q);
    return status;
}

int cmd_run(int argc, char **argv)
{
    RunArgs a = {.on = "host"};
    const struct argp_child children[] = {{&net_args, 0, NULL, 0}, {0}};
    command_parse(&(struct argp){.options = OPTIONS,
                                 .parser = parse,
                                 .doc = DOC,
                                 .args_doc = "RUN:best|RUN:NUMBER",
                                 .children = children},
                  argc, argv, &a);
    bool board = strncmp(a.on, "qemu:", 5) == 0 && a.on[5]; /* what a board shows is stored */
    if (strcmp(a.on, "host") != 0 && !board) {
        errorf("--on %s: wants host or qemu:TARGET", a.on);
        return command_fail(EXIT_USAGE);
    }
    Pipeline *p = xcalloc(1, sizeof *p);
    CandidateRow row;
    Results *r = NULL;
    Target target; /* a wrong name is said before anything is read */
    int status = board ? config_target(&target, a.on + strlen("qemu:")) : 0;
    if (status == 0)
        status = results_open(&r, command_db(a.net.db), !board);
    if (status == 0)
        status = pipeline_open(p, r, a.net.what, a.net.schedule, &row);
    if (status == 0) {
        status = run_it(p, &row, &a);
        pipeline_release(p);
        results_candidate_release(&row);
    }
    results_close(r);
    free(p);
    return status == 0 ? EXIT_OK : command_fail(EXIT_JOB);
}
