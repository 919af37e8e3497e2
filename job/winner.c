#include "job/pipeline.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "evaluator/host.h"
#include "job/given.h"
#include "results/names.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void recalibrate(Pipeline *p, Model *m)
{
    AccuracyProtocol protocol = pipeline_scoring(p);
    protocol.n_score = 1;
    accuracy_of(m, p->workspace[0], &protocol);
}

/* The winner's own weights, recalibrated. */
static void take_weights(Pipeline *p, const Genotype *g, Model *m)
{
    supernet_extract(&p->supernet, g, m);
    recalibrate(p, m);
}

static int quantize(Pipeline *p, const Model *m, QModel *q)
{
    float lo[NET_MAX_LAYERS], hi[NET_MAX_LAYERS];
    int n = p->job.calibration_images < p->n_fit ? p->job.calibration_images : p->n_fit;
    accuracy_ranges(m, p->workspace[0], &p->data.train, p->fit, n, lo, hi);
    return qmodel_make(q, m, lo, hi, p->data.train.scale, p->data.train.zero - 128);
}

static void blob_name(char name[32], int number)
{
    snprintf(name, 32, "int8:%d", number);
}

static int store_qmodel(Pipeline *p, const QModel *q, int number)
{
    char name[32];
    size_t size;
    void *data = qmodel_save(q, &size);
    blob_name(name, number);
    int status = results_blob_put(p->db, p->run, name, data, size);
    free(data);
    return status;
}

static LayerRow layer_row(const Pipeline *p, const Net *net, const Plan *plan, int layer)
{
    const Layer *l = &net->layer[layer];
    return (LayerRow){.index = layer,
                      .op = op_name((Op)l->op),
                      .weights = layer_weights(l),
                      .macs = llround((double)layer_macs(l) * plan_work(net, plan, layer)),
                      .in_bytes = (int64_t)l->in_h * l->in_w * l->in_c,
                      .out_bytes = net_tensor_bytes(net, layer),
                      .scratch = plan->scratch[layer].bytes,
                      .latency = latency_in_plan(&p->job.target.latency, net, plan, layer),
                      .measured = -1};
}

/* Of `n` entries of the executed table from `first`; -1 when the board did not tell of them all. */
static double measured_entries(const DeviceRun *measured, int first, int n)
{
    double sum = 0;
    if (!measured || first + n > measured->n_layers)
        return -1;
    for (int i = first; i < first + n; i++)
        sum += (double)measured->layer[i];
    return sum;
}

static int store_layers(Pipeline *p, int64_t candidate, const QModel *q, const DeviceRun *measured)
{
    LayerRow row[NET_MAX_LAYERS];
    char shape[NET_MAX_LAYERS][24];
    Plan plan;
    int entry = 0;
    plan_make(&q->net, &p->job.plan, &plan);
    for (int s = 0; s < plan.n_segments; s++) {
        int first = plan.segment[s].first, end = first + plan.segment[s].n;
        int runs = plan_runs(&plan, s);
        int64_t live = plan_live(&plan, &q->net, s);
        for (int i = first; i < end; i++) {
            const Layer *l = &q->net.layer[i];
            snprintf(shape[i], sizeof shape[i], "%dx%dx%d", l->out_h, l->out_w, l->out_c);
            row[i] = layer_row(p, &q->net, &plan, i);
            row[i].segment = s;
            row[i].shape = shape[i];
            row[i].live = live;
        }
        row[end - 1].measured = measured_entries(measured, entry, runs);
        entry += runs;
    }
    return results_layers_put(p->db, candidate, row, q->net.n_layers);
}

/* Whether this was predicted for the candidate, and not for the other schedule, budget or target
 * that `thimble run` may have asked for: its layers stand beside its own figures. */
static bool is_own(const CandidateRow *row, const Cost *cost)
{
    return row->sram == cost->sram && row->flash == cost->flash &&
           row->macs == (int64_t)cost->macs && row->latency == cost->latency;
}

int pipeline_measure(Pipeline *p, const QModel *q, const CandidateRow *row, int n, DeviceRun *run)
{
    const Dataset *test = &p->data.test;
    size_t image = (size_t)test->h * (size_t)test->w * (size_t)test->c;
    if (n > test->n)
        n = test->n;
    int8_t *images = xmalloc(image * (size_t)n);
    for (int i = 0; i < n; i++)
        dataset_int8(test, (int)((int64_t)i * test->n / n), images + (size_t)i * image);
    DeviceOptions o = {.target = &p->job.target,
                       .plan = p->job.plan,
                       .images = images,
                       .n_images = n,
                       .timeout_s = 600};
    int status = device_run(q, &o, run);
    free(images);
    if (status != 0)
        return -1;
    char source[64];
    snprintf(source, sizeof source, "qemu:%s", p->job.target.core);
    const Target *t = &p->job.target;
    Cost cost = estimate(&q->net, t, &p->job.plan);
    MeasurementRow m = {.candidate = row->id,
                        .source = source,
                        .policy = policy_name((Policy)p->job.plan.policy),
                        .image = pipeline_image(&p->job),
                        .instructions = (int64_t)run->instructions,
                        .arena = run->arena,
                        .stack = run->stack,
                        .flash = run->flash,
                        .n_inputs = run->n_inputs,
                        .n_equal = run->n_equal,
                        .predicted_arena = cost.sram,
                        .predicted_flash = cost.flash,
                        .predicted_stack = cost.stack ? (int64_t)cost.stack : -1,
                        .predicted_latency =
                            strcmp(t->latency.unit, "instructions") == 0 ? cost.latency : -1};
    if (results_measurement_put(p->db, &m) != 0)
        return -1;
    return is_own(row, &cost) ? store_layers(p, row->id, q, run) : 0;
}

/* Float and int8 accuracy on all test images, into the winner's row. */
static int judge(Pipeline *p, Model *m, const QModel *q, CandidateRow *row)
{
    int n = p->data.test.n;
    int *all = xmalloc(sizeof(int) * (size_t)n);
    for (int i = 0; i < n; i++)
        all[i] = i;
    AccuracyProtocol protocol = {.valid = &p->data.test, .score = all, .n_score = n};
    row->test_accuracy = accuracy_of(m, p->workspace[0], &protocol).accuracy;
    free(all);
    HostScore score;
    if (host_accuracy(q, &p->job.plan, &p->data.test, 0, p->job.threads, &score) != 0)
        return -1;
    row->int8_accuracy = score.accuracy;
    log_info("%s: test accuracy %.2f %% in float, %.2f %% in int8 on all %d images",
             p->is_given ? "network" : "winner", 100 * row->test_accuracy, 100 * row->int8_accuracy, n);
    return results_candidate_put(p->db, p->run, row);
}

/* Of the training and its checkpoint: a given network has nothing to be tuned yet. */
static const char *name_of(const Pipeline *p)
{
    return p->is_given ? "train" : "finetune";
}

/* Inside wider networks, of which m alone is kept. */
static int finetune_inside(Pipeline *p, Model *m)
{
    const TrainOptions *o = &p->job.finetune;
    Net net = m->net;
    Rng rng = rng_make(o->seed, 0);
    Model wide;
    netaug_widen(m, &o->netaug, &rng, &wide);
    Training inside = {name_of(p), &wide, .inside = &net, .o = o};
    int status = pipeline_train_phase(p, &inside);
    model_release(m);
    supernet_slice(&wide, &net, m);
    recalibrate(p, m);
    model_release(&wide);
    return status;
}

/* The largest network, from the supernet's weights on. */
static int make_teacher(Pipeline *p, Model *teacher)
{
    Genotype g = genotype_largest(&p->job.space, p->width, p->winner.genotype.resolution);
    Training training = {"teacher", teacher, .o = &p->job.teacher};
    take_weights(p, &g, teacher);
    return p->job.teacher.epochs > 0 ? pipeline_train_phase(p, &training) : 0;
}

static int finetune_with(Pipeline *p, Model *m, const Model *teacher)
{
    p->job.finetune.teacher = teacher;
    Training alone = {name_of(p), m, .o = &p->job.finetune};
    return netaug_widens(&p->job.finetune.netaug) ? finetune_inside(p, m)
                                                  : pipeline_train_phase(p, &alone);
}

static int finetune(Pipeline *p, Model *m)
{
    if (pipeline_begin(p, name_of(p)) != 0)
        return -1;
    if (p->job.finetune.teaching <= 0)
        return finetune_with(p, m, NULL);
    Model teacher;
    int status = make_teacher(p, &teacher);
    if (status == 0)
        status = finetune_with(p, m, &teacher);
    model_release(&teacher);
    return status;
}

/* A winner's are those it was chosen by; a given network has none before it is trained. */
static void score_given(Pipeline *p, Model *m, CandidateRow *row)
{
    AccuracyProtocol protocol = pipeline_scoring(p);
    protocol.batches = 0;
    free((char *)row->state);
    row->state = xstrdup("done");
    if (p->job.finetune.all_images)
        return;
    Accuracy a = accuracy_of(m, p->workspace[0], &protocol);
    row->accuracy = a.accuracy;
    row->fitness = p->job.score == SCORE_ACCURACY ? a.accuracy : exp(-a.cross_entropy);
}

static int finish_model(Pipeline *p, Model *m, CandidateRow *row)
{
    if (finetune(p, m) != 0 || pipeline_begin(p, "quantize") != 0)
        return -1;
    if (p->is_given)
        score_given(p, m, row);
    QModel q;
    if (quantize(p, m, &q) != 0)
        return -1;
    int status = judge(p, m, &q, row);
    if (status == 0)
        status = store_qmodel(p, &q, row->number);
    if (status == 0)
        status = pipeline_begin(p, "measure");
    const char *missing = p->job.target.machine[0] ? device_missing() : "an emulated board";
    if (status == 0 && !missing)
        status = pipeline_measure(p, &q, row, p->job.device_images, &p->device);
    if (missing) /* a workstation without the cross compiler still gets its network */
        log_warn("not measured on the target: there is no %s", missing);
    if (status == 0 && missing)
        status = store_layers(p, row->id, &q, NULL);
    qmodel_release(&q);
    return status;
}

static int finish(Pipeline *p, Model *m)
{
    CandidateRow row;
    if (pipeline_winner(p, &row) != 0)
        return -1;
    int status = finish_model(p, m, &row);
    results_candidate_release(&row);
    if (status == 0)
        status = pipeline_count_time(p);
    return status == 0 ? results_run_set(p->db, p->run, "done", "done") : -1;
}

int pipeline_finish(Pipeline *p)
{
    Model m;
    p->data = *pipeline_at(p, p->winner.genotype.resolution);
    take_weights(p, &p->winner.genotype, &m);
    int status = finish(p, &m);
    model_release(&m);
    return status;
}

int pipeline_finish_given(Pipeline *p)
{
    Model m;
    Rng rng = rng_make(p->job.seed, 9); /* as the largest network begins */
    p->winner.cost = estimate(&p->given, &p->job.target, &p->job.plan);
    model_init(&m, &p->given);
    model_randomise(&m, &rng);
    int status = finish(p, &m);
    model_release(&m);
    return status;
}

int pipeline_qmodel(Pipeline *p, const CandidateRow *row, QModel *q)
{
    char name[32];
    void *data = NULL;
    size_t size;
    blob_name(name, row->number);
    int found = results_blob_get(p->db, p->run, name, &data, &size);
    if (found <= 0) {
        int status = found == 0 ? qmodel_load(q, data, size) : -1;
        free(data);
        return status;
    }
    Genotype g;
    if (p->is_given)
        return errorf("run %lld has not trained its network yet: thimble train --resume %lld",
                      (long long)p->run, (long long)p->run);
    if (genotype_parse(&p->job.space, row->genotype, &g) != 0 || pipeline_data(p) != 0)
        return -1;
    if (results_blob_get(p->db, p->run, "supernet", &data, &size) != 0)
        return errorf("run %lld has no trained supernet yet", (long long)p->run);
    p->n_classes = p->data.train.n_classes;
    log_info("candidate %d was not fine-tuned: its weights are the supernet's", row->number);
    supernet_init(&p->supernet, &p->job.space, p->width, &p->resolutions, p->n_classes);
    p->has_supernet = true;
    TrainState t;
    train_state_init(&t, &p->supernet.shared, &p->job.supernet, p->n_fit);
    int status = train_state_load(&t, data, size);
    train_state_release(&t);
    free(data);
    if (status != 0)
        return -1;
    Model m;
    take_weights(p, &g, &m);
    status = quantize(p, &m, q);
    model_release(&m);
    return status;
}

/* Classes of the run's data: as its winner was stored with, or counted. */
static int classes_of(Pipeline *p)
{
    CandidateRow best;
    void *data = NULL;
    size_t size;
    QModel q;
    char name[32];
    if (results_candidate_best(p->db, p->run, &best) != 0)
        return -1;
    blob_name(name, best.number);
    results_candidate_release(&best);
    int found = results_blob_get(p->db, p->run, name, &data, &size), n = -1;
    if (found == 0 && qmodel_load(&q, data, size) == 0) {
        n = net_output(&q.net)->out_c;
        qmodel_release(&q);
    }
    free(data);
    return found == 1 ? data_classes(&p->job.data) : n;
}

int pipeline_net(Pipeline *p, const CandidateRow *row, Net *net)
{
    Genotype g;
    if (p->is_given) {
        *net = p->given;
        return 0;
    }
    int n = classes_of(p);
    if (n < 0 || genotype_parse(&p->job.space, row->genotype, &g) != 0)
        return -1;
    genotype_expand(&p->job.space, &g, n, net);
    return 0;
}

static int open_job(Pipeline *p, Results *db, int64_t run, const char *schedule,
                    const char *genotype)
{
    RunRow row;
    Job job;
    Genotype g = {0};
    Net given = {0};
    if (results_run_get(db, run, &row) != 0)
        return -1;
    int status = config_parse(&job, row.config, "the run's config");
    results_run_release(&row);
    Policy policy = (Policy)job.schedule;
    if (status != 0 || (schedule && policy_parse(schedule, &policy) != 0))
        return -1;
    int found = given_get(db, run, &given);
    if (found < 0 || (found == 1 && genotype_parse(&job.space, genotype, &g) != 0))
        return -1;
    job.schedule = (int)policy;
    if (config_resolve(&job) != 0 || pipeline_check(&job) != 0)
        return -1;
    if (config_check_runtime(&job.target) != 0)
        log_warn("%s", error_text());
    pipeline_init(p, &job, db, run);
    p->width = g.width;
    p->resolutions = (Choices){1, {g.resolution}};
    p->given = given;
    p->is_given = found == 0;
    return 0;
}

int pipeline_open(Pipeline *p, Results *db, const char *what, const char *schedule,
                  CandidateRow *row)
{
    int64_t run;
    if (names_candidate(db, what, &run, row) != 0)
        return -1;
    int status = open_job(p, db, run, schedule, row->genotype);
    if (status != 0)
        results_candidate_release(row);
    return status;
}
