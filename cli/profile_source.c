#define _GNU_SOURCE
#include "cli/profile_source.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "job/pipeline.h"
#include "results/names.h"

#include <stdlib.h>
#include <string.h>

static const char default_target[] = "stm32f746";

/* --- a run */

static void take_job(Profile *p, const Job *job)
{
    p->target = job->target;
    p->limits = job->limits;
    p->policy = job->plan.policy;
    p->sram = job->plan.sram;
    p->image = job->plan.image_outside ? IMAGE_OUTSIDE : IMAGE_RESIDENT;
}

static int load_run(Profile *p, const ProfileSource *source)
{
    Pipeline *run = xcalloc(1, sizeof *run);
    CandidateRow row;
    Results *r = names_open(source->db);
    int status = r ? pipeline_open(run, r, source->what, NULL, &row) : -1;
    if (status == 0) {
        status = pipeline_net(run, &row, &p->net);
        take_job(p, &run->job);
        pipeline_release(run);
        results_candidate_release(&row);
    }
    results_close(r);
    free(run);
    return status;
}

/* --- a .tflite file */

static GraphKind kind_of(int code)
{
    return code == TFLITE_DEPTHWISE_CONV_2D ? GRAPH_DEPTHWISE
           : code == TFLITE_ADD             ? GRAPH_ADD
                                            : GRAPH_OTHER;
}

void tensor_graph_of_tflite(const TfliteInfo *info, TensorGraph *g)
{
    memset(g, 0, sizeof *g);
    if (info->n_tensors > GRAPH_MAX_TENSORS || info->n_ops > GRAPH_MAX_OPS)
        return;
    g->n_tensors = info->n_tensors;
    g->n_ops = info->n_ops;
    for (int t = 0; t < info->n_tensors; t++)
        g->tensor[t] = (GraphTensor){info->tensor[t].bytes, t == info->output_tensor};
    for (int i = 0; i < info->n_ops; i++) {
        const TfliteOp *op = &info->op[i];
        g->op[i] = (GraphOp){.kind = (uint8_t)kind_of(op->code), .n_inputs = op->n_inputs,
                             .output = op->output};
        for (int k = 0; k < op->n_inputs; k++)
            g->op[i].input[k] = op->input[k];
    }
}

static int load_tflite(Profile *p, const char *path)
{
    QModel q;
    TfliteInfo *info = xcalloc(1, sizeof *info);
    int status = tflite_load(&q, info, path);
    if (status == 0) {
        p->net = q.net;
        p->imported = true;
        memcpy(p->file_op, info->op_of_layer, sizeof p->file_op);
        tensor_graph_of_tflite(info, &p->graph);
        p->file.ops = info->n_ops;
        p->file.macs = info->macs;
        p->file.macs_exact = info->macs_exact;
        p->file.weights = info->weight_bytes;
        p->file.biases = info->bias_bytes;
        p->file.scales = info->n_scales;
        p->file.params = info->params;
        qmodel_release(&q);
    }
    free(info);
    return status;
}

/* --- any of them */

static int load_net(Profile *p, const ProfileSource *source)
{
    const char *what = source->what;
    if (source->resolution.h && !names_net_file(what))
        return errorf("--resolution is for a NET.yaml: %s has its own", what);
    if (names_net_file(what))
        return config_net(&p->net, what, source->resolution);
    if (names_model_file(what))
        return load_tflite(p, what);
    if (names_run_net(what))
        return load_run(p, source);
    return errorf("%s: wants a NET.yaml, a MODEL.tflite, RUN:best or RUN:NUMBER", what);
}

int profile_load(Profile *p, const ProfileSource *source)
{
    p->source = source->what;
    p->policy = POLICY_STREAM;
    p->image = IMAGE_OUTSIDE;
    if (load_net(p, source) != 0)
        return -1;
    if (!source->target && p->target.name[0])
        return 0;
    const Target *t = &p->target;
    if (config_target(&p->target, source->target ? source->target : default_target) != 0)
        return -1;
    p->limits = (Limits){.sram = t->sram > t->sram_reserve ? t->sram - t->sram_reserve : 1,
                         .flash = t->flash > t->flash_reserve ? t->flash - t->flash_reserve : 1};
    return 0;
}
