#define _GNU_SOURCE
#include "cli/pipeline.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/schema.h"
#include "evaluator/host.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_SECONDS 20 /* of training that a kill can cost */
#define EPOCH_IMAGES 1000     /* validation images looked at after an epoch */

void pipeline_init(Pipeline *p, const Job *job, Results *db, int64_t run)
{
    *p = (Pipeline){.job = *job, .db = db, .run = run, .counted = clock_seconds()};
    p->workspace = xcalloc((size_t)job->threads, sizeof(Workspace *));
    for (int i = 0; i < job->threads; i++)
        p->workspace[i] = workspace_new();
}

void pipeline_release(Pipeline *p)
{
    for (int i = 0; i < p->job.threads; i++)
        workspace_free(p->workspace[i]);
    free(p->workspace);
    if (p->has_supernet)
        supernet_release(&p->supernet);
    if (p->has_data)
        data_release(&p->data);
    free(p->fit);
    free(p->valid);
}

/* The time since the last call, added to the run's. */
static int count_time(Pipeline *p)
{
    double now = clock_seconds(), spent = now - p->counted;
    p->counted = now;
    return results_run_add_seconds(p->db, p->run, spent);
}

static int begin_phase(Pipeline *p, const char *phase)
{
    return count_time(p) == 0 ? results_run_set(p->db, p->run, "running", phase) : -1;
}

/* --- stage 1 */

int pipeline_record_sweep(Results *db, int64_t run, const Space *space, const Sweep *s)
{
    int status = results_begin(db);
    for (int i = 0; i < s->n && status == 0; i++) {
        const SweepRow *r = &s->row[i];
        Resolution res = space->resolution[r->resolution];
        SpaceRow row = {.width = space->width[r->width], .h = res.h, .w = res.w,
                        .samples = r->samples, .feasible = r->feasible, .mean_macs = r->mean_macs,
                        .cdf = r->cdf, .n_cdf = r->feasible ? SWEEP_CDF : 0, .chosen = i == s->best};
        status = results_space_put(db, run, &row);
    }
    return status == 0 ? results_commit(db) : -1;
}

static int find_pair(Pipeline *p, double width, Resolution r)
{
    const Space *s = &p->job.space;
    for (p->width = 0; p->width < s->n_widths; p->width++)
        for (p->resolution = 0; p->resolution < s->n_resolutions; p->resolution++)
            if (s->width[p->width] > width - 1e-9 && s->width[p->width] < width + 1e-9 &&
                s->resolution[p->resolution].h == r.h && s->resolution[p->resolution].w == r.w)
                return 0;
    return errorf("the space '%s' has no width %g at %dx%d", s->name, width, r.h, r.w);
}

static int no_space_fits(const Job *job, const Sweep *s)
{
    int most = 0;
    for (int i = 0; i < s->n; i++)
        most = s->row[i].feasible > most ? s->row[i].feasible : most;
    return errorf("no (width, resolution) of the space '%s' has %d of %d networks that fit %s of SRAM "
                  "and %s of flash (the best has %d): raise the limits or lower stage1.min_feasible",
                  job->space.name, job->sweep.min_feasible, job->sweep.samples,
                  text_bytes(job->limits.sram), text_bytes(job->limits.flash), most);
}

int pipeline_space(Pipeline *p)
{
    Job *job = &p->job;
    p->n_classes = data_classes(&job->data);
    if (p->n_classes < 0 || begin_phase(p, "space") != 0)
        return -1;
    if (p->n_classes == 1)
        return errorf("%s: there is one class, and nothing to tell it from", job->data.path);
    if (job->width > 0) { /* given by the job, or by the run whose supernet is searched */
        SpaceRow given = {.width = job->width, .h = job->resolution.h, .w = job->resolution.w,
                          .chosen = true};
        return results_space_put(p->db, p->run, &given) == 0
                   ? find_pair(p, job->width, job->resolution) : -1;
    }
    Sweep *s = xcalloc(1, sizeof *s);
    job->sweep.n_classes = p->n_classes;
    double start = clock_seconds();
    sweep_run(&job->space, &job->target, &job->limits, &job->sweep, s);
    int status = pipeline_record_sweep(p->db, p->run, &job->space, s);
    if (status == 0 && s->best < 0)
        status = no_space_fits(job, s);
    if (status == 0) {
        const SweepRow *best = &s->row[s->best];
        p->width = best->width;
        p->resolution = best->resolution;
        Resolution r = job->space.resolution[best->resolution];
        log_info("stage 1: %d spaces x %d networks in %.1f s: width %g at %dx%d, mean %s MACs, "
                 "%.1f %% fit", s->n, job->sweep.samples, clock_seconds() - start,
                 job->space.width[best->width], r.h, r.w, text_count(best->mean_macs),
                 100.0 * best->feasible / best->samples);
    }
    free(s);
    return status;
}

/* --- data */

int pipeline_data(Pipeline *p)
{
    Resolution r = p->job.space.resolution[p->resolution];
    DataOptions *o = &p->job.data;
    o->h = r.h;
    o->w = r.w;
    double start = clock_seconds();
    if (data_open(&p->data, o) != 0)
        return -1;
    p->has_data = true;
    const Dataset *train = &p->data.train;
    if (train->n == 0 || p->data.test.n == 0)
        return errorf("%s: there are %d training and %d test images; a search needs both", o->path,
                      train->n, p->data.test.n);
    p->fit = xmalloc(sizeof(int) * (size_t)train->n);
    p->valid = xmalloc(sizeof(int) * (size_t)train->n);
    p->n_valid = dataset_split(train, p->job.validation, rng_stream(p->job.seed, 7), p->fit, p->valid);
    p->n_fit = train->n - p->n_valid;
    Rng rng = rng_make(p->job.seed, 8); /* so that the first n of either list is a fair sample */
    rng_shuffle(&rng, p->fit, p->n_fit);
    rng_shuffle(&rng, p->valid, p->n_valid);
    if (p->n_valid > p->job.score_images)
        p->n_valid = p->job.score_images;
    char left_out[48] = "";
    if (p->data.skipped)
        snprintf(left_out, sizeof left_out, "; %d damaged files left out", p->data.skipped);
    log_info("data: %d classes, %d images train, %d score candidates, %d test; %dx%dx%d%s (%.1f s)",
             train->n_classes, p->n_fit, p->n_valid, p->data.test.n, train->h, train->w, train->c,
             left_out, clock_seconds() - start);
    if (p->n_classes && train->n_classes != p->n_classes)
        return errorf("%s: the number of classes changed", o->path);
    if (p->n_fit < 2)
        return errorf("%s: of %d training images %d score candidates and %d are left to train: "
                      "too few", o->path, train->n, train->n - p->n_fit, p->n_fit);
    return 0;
}

/* --- training: largest, supernet, finetune */

typedef struct {
    Pipeline *p;
    const char *name;
    const TrainOptions *o;
    double saved;
    int status;
    Progress bar;
} Phase;

static int save_state(Phase *f, const TrainState *t)
{
    size_t size;
    void *data = train_state_save(t, &size);
    int status = results_begin(f->p->db);
    if (status == 0)
        status = results_blob_put(f->p->db, f->p->run, f->name, data, size);
    if (status == 0)
        status = count_time(f->p);
    if (status == 0)
        status = results_commit(f->p->db);
    f->saved = clock_seconds();
    free(data);
    return status;
}

static bool on_step(void *ctx, const TrainState *t)
{
    Phase *f = ctx;
    progress_step(&f->bar, t->step, "%s", "steps");
    if (clock_seconds() - f->saved > CHECKPOINT_SECONDS && save_state(f, t) != 0)
        f->status = -1;
    return f->status == 0;
}

/* Accuracy on some validation images with the running statistics; only one
 * network has them, a supernet has none. */
static double look(Phase *f, const TrainState *t)
{
    Pipeline *p = f->p;
    if (strcmp(f->name, "supernet") == 0)
        return -1;
    AccuracyProtocol protocol = {.valid = &p->data.train, .score = p->valid,
                                 .n_score = p->n_valid < EPOCH_IMAGES ? p->n_valid : EPOCH_IMAGES};
    return accuracy_of(t->model, p->workspace[0], &protocol).accuracy;
}

static void on_epoch(void *ctx, const TrainState *t, int epoch, double loss, double accuracy,
                     double rate)
{
    Phase *f = ctx;
    EpochRow row = {.phase = f->name, .epoch = epoch, .loss = loss, .train_accuracy = accuracy,
                    .valid_accuracy = look(f, t), .rate = rate, .seconds = t->seconds};
    if (results_epoch_put(f->p->db, f->p->run, &row) != 0)
        f->status = -1;
    char valid[32] = "";
    if (row.valid_accuracy >= 0)
        snprintf(valid, sizeof valid, ", validation %.2f %%", 100 * row.valid_accuracy);
    log_info("%s: epoch %d/%d, loss %.4f, training %.2f %%%s, %.0f images/s", f->name, epoch,
             f->o->epochs, loss, 100 * accuracy, valid, (double)t->seen / t->seconds);
}

/* Trains, or goes on, or finds it done. */
static int train_phase(Pipeline *p, const char *name, Model *model, const Supernet *supernet,
                       const TrainOptions *o)
{
    Phase f = {.p = p, .name = name, .o = o, .saved = clock_seconds()};
    TrainState t;
    train_state_init(&t, model, o, p->n_fit);
    void *data = NULL;
    size_t size;
    int found = results_blob_get(p->db, p->run, name, &data, &size);
    int status = found == 0 ? train_state_load(&t, data, size) : found < 0 ? -1 : 0;
    free(data);
    if (status == 0 && t.step < t.steps) {
        if (t.step > 0)
            log_info("%s: continues at step %lld of %lld", name, (long long)t.step, (long long)t.steps);
        progress_begin(&f.bar, name, t.steps, t.step);
        TrainHooks hooks = {.ctx = &f, .step = on_step, .epoch = on_epoch};
        train(&t, supernet, &p->data.train, p->fit, p->n_fit, o, &hooks);
        progress_end(&f.bar);
        status = f.status == 0 ? save_state(&f, &t) : -1;
    }
    train_state_release(&t);
    return status;
}

int pipeline_train(Pipeline *p)
{
    Job *job = &p->job;
    if (begin_phase(p, "train") != 0)
        return -1;
    supernet_init(&p->supernet, &job->space, p->width, p->resolution, p->n_classes);
    p->has_supernet = true;
    void *data = NULL;
    size_t size;
    int begun = results_blob_get(p->db, p->run, "supernet", &data, &size);
    free(data);
    if (begun < 0)
        return -1;
    if (begun == 1) { /* the supernet's own state takes over from the largest network's */
        Rng rng = rng_make(job->seed, 9);
        model_randomise(&p->supernet.shared, &rng);
        if (train_phase(p, "largest", &p->supernet.shared, NULL, &job->largest) != 0)
            return -1;
        supernet_sort_channels(&p->supernet);
    }
    if (train_phase(p, "supernet", &p->supernet.shared, &p->supernet, &job->supernet) != 0)
        return -1;
    log_info("supernet: %s parameters, hash %016llx", text_count((double)p->supernet.shared.n_params),
             (unsigned long long)model_hash(&p->supernet.shared));
    return 0;
}

/* --- stage 2 */

typedef struct {
    Pipeline *p;
    AccuracyProtocol protocol;
    double *accuracy; /* [number of a candidate] */
    int status;
    double start;
} Hunt;

static AccuracyProtocol scoring(Pipeline *p)
{
    int batch = p->job.recalibration_batch, batches = p->job.recalibration_batches;
    if (batch > p->n_fit)
        batch = p->n_fit;
    if (batches > p->n_fit / batch)
        batches = p->n_fit / batch;
    return (AccuracyProtocol){.train = &p->data.train, .valid = &p->data.train,
                              .recalibrate = p->fit, .batches = batches, .batch = batch,
                              .score = p->valid, .n_score = p->n_valid};
}

static double fitness_of(void *ctx, const Candidate *c)
{
    Hunt *h = ctx;
    Model m;
    int status;
#pragma omp atomic read
    status = h->status;
    if (status != 0) /* the database refuses: nothing more is worth computing */
        return 0;
    supernet_extract(&h->p->supernet, &c->genotype, &m);
    Accuracy a = accuracy_of(&m, h->p->workspace[omp_get_thread_num()], &h->protocol);
    model_release(&m);
    h->accuracy[c->number] = a.accuracy;
    /* the geometric mean of the right answers' probabilities: positive, and ranks as cross entropy does */
    return h->p->job.score == SCORE_ACCURACY ? a.accuracy : exp(-a.cross_entropy);
}

static void put_candidate(Hunt *h, const Candidate *c, const char *state)
{
    char text[GENOTYPE_TEXT];
    bool done = strcmp(state, "done") == 0;
    genotype_text(&h->p->job.space, &c->genotype, text);
    CandidateRow row = {.number = c->number, .genotype = text, .hash = genotype_hash(&c->genotype),
                        .state = state, .generation = c->generation,
                        .parent = {c->parent[0], c->parent[1]}, .fitness = done ? c->fitness : -1,
                        .accuracy = done ? h->accuracy[c->number] : -1, .test_accuracy = -1,
                        .int8_accuracy = -1, .sram = c->cost.sram, .flash = c->cost.flash,
                        .macs = (int64_t)c->cost.macs, .latency = c->cost.latency};
    if (h->status == 0)
        h->status = results_candidate_put(h->p->db, h->p->run, &row);
}

static void on_born(void *ctx, const Candidate *c)
{
    put_candidate(ctx, c, "running");
}

static void on_evaluated(void *ctx, const Candidate *c)
{
    Hunt *h = ctx;
    put_candidate(h, c, "done");
    if (h->status == 0 && clock_seconds() - h->p->counted > 1)
        h->status = count_time(h->p);
}

static bool remember(void *ctx, const Candidate *c, double *fitness)
{
    Hunt *h = ctx;
    CandidateRow row;
    int found = results_candidate_by_hash(h->p->db, h->p->run, genotype_hash(&c->genotype), &row);
    if (found != 0) {
        h->status = found < 0 ? -1 : h->status;
        return false;
    }
    bool done = strcmp(row.state, "done") == 0;
    *fitness = row.fitness;
    h->accuracy[c->number] = row.accuracy;
    results_candidate_release(&row);
    return done;
}

static void on_generation(void *ctx, const EvolveReport *r)
{
    Hunt *h = ctx;
    if (h->status == 0)
        h->status = results_generation_put(h->p->db, h->p->run, r->generation, r->evaluated, r->drawn,
                                           r->fitting, r->best, r->median);
    double elapsed = clock_seconds() - h->start;
    log_info("stage 2: generation %d/%d, %d evaluations, %.1f %% of drawn fit, best %.4f, median %.4f, "
             "elapsed %.0f s, left %.0f s", r->generation, r->generations, r->evaluated,
             r->drawn ? 100.0 * (double)r->fitting / (double)r->drawn : 0, r->best, r->median, elapsed,
             r->evaluated ? elapsed * (r->total - r->evaluated) / r->evaluated : 0);
}

static int store_winner(Pipeline *p)
{
    CandidateRow row;
    int found = results_candidate_by_hash(p->db, p->run, genotype_hash(&p->winner.genotype), &row);
    if (found != 0)
        return found < 0 ? -1 : errorf("the winner is not in the database");
    int status = results_run_set_winner(p->db, p->run, row.id);
    results_candidate_release(&row);
    return status;
}

int pipeline_search(Pipeline *p)
{
    EvolveOptions *o = &p->job.search;
    if (begin_phase(p, "search") != 0)
        return -1;
    o->width = p->width;
    o->resolution = p->resolution;
    o->n_classes = p->n_classes;
    size_t most = (size_t)o->population + (size_t)o->generations * (size_t)(o->crossovers + o->mutations);
    Hunt h = {.p = p, .protocol = scoring(p), .start = clock_seconds(),
              .accuracy = xcalloc(most + 1, sizeof(double))};
    EvolveHooks hooks = {.ctx = &h, .fitness = fitness_of, .known = remember, .born = on_born,
                         .evaluated = on_evaluated, .generation = on_generation};
    int status = evolve(&p->job.space, &p->job.target, &p->job.limits, o, &hooks, &p->winner);
    free(h.accuracy);
    return status == 0 && h.status == 0 ? store_winner(p) : -1;
}

/* --- the winner */

/* The winner's own weights, recalibrated. */
static void take_weights(Pipeline *p, const Genotype *g, Model *m)
{
    AccuracyProtocol protocol = scoring(p);
    protocol.n_score = 1;
    supernet_extract(&p->supernet, g, m);
    accuracy_of(m, p->workspace[0], &protocol);
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

static int store_layers(Pipeline *p, int64_t candidate, const QModel *q, const DeviceRun *measured)
{
    LayerRow rows[NET_MAX_LAYERS];
    char shape[NET_MAX_LAYERS][24];
    Plan plan;
    plan_make(&q->net, (Policy)p->job.policy, &plan);
    for (int i = 0; i < q->net.n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        snprintf(shape[i], sizeof shape[i], "%dx%dx%d", l->out_h, l->out_w, l->out_c);
        rows[i] = (LayerRow){.index = i, .op = op_name((Op)l->op), .shape = shape[i],
                             .weights = layer_weights(l), .macs = (int64_t)layer_macs(l),
                             .in_bytes = (int64_t)l->in_h * l->in_w * l->in_c,
                             .out_bytes = net_tensor_bytes(&q->net, i),
                             .scratch = plan.scratch[i].bytes, .live = plan_live(&plan, &q->net, i),
                             .latency = latency_layer(&p->job.target.latency, l), .measured = -1};
        if (measured && i < measured->n_layers)
            rows[i].measured = (double)measured->layer[i];
    }
    return results_layers_put(p->db, candidate, rows, q->net.n_layers);
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
    DeviceOptions o = {.target = &p->job.target, .policy = (Policy)p->job.policy, .images = images,
                       .n_images = n, .timeout_s = 600};
    int status = device_run(q, &o, run);
    free(images);
    if (status != 0)
        return 1;
    char source[64];
    snprintf(source, sizeof source, "qemu:%s", p->job.target.core);
    MeasurementRow m = {.candidate = row->id, .source = source,
                        .policy = policy_name((Policy)p->job.policy),
                        .instructions = (int64_t)run->instructions, .arena = run->arena,
                        .stack = run->stack, .flash = run->flash, .n_inputs = run->n_inputs,
                        .n_equal = run->n_equal};
    if (results_measurement_put(p->db, &m) != 0)
        return -1;
    return store_layers(p, row->id, q, run);
}

static int winner_row(Pipeline *p, CandidateRow *row)
{
    int found = results_candidate_by_hash(p->db, p->run, genotype_hash(&p->winner.genotype), row);
    return found == 0 ? 0 : found < 0 ? -1 : errorf("the winner is not in the database");
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
    if (host_accuracy(q, (Policy)p->job.policy, &p->data.test, 0, p->job.threads, &score) != 0)
        return -1;
    row->int8_accuracy = score.accuracy;
    log_info("winner: test accuracy %.2f %% in float, %.2f %% in int8 on all %d images",
             100 * row->test_accuracy, 100 * row->int8_accuracy, n);
    return results_candidate_put(p->db, p->run, row);
}

static int finish_model(Pipeline *p, Model *m, CandidateRow *row)
{
    if (begin_phase(p, "finetune") != 0 ||
        train_phase(p, "finetune", m, NULL, &p->job.finetune) != 0 ||
        begin_phase(p, "quantize") != 0)
        return -1;
    QModel q;
    if (quantize(p, m, &q) != 0)
        return -1;
    int status = judge(p, m, &q, row);
    if (status == 0)
        status = store_qmodel(p, &q, row->number);
    if (status == 0)
        status = begin_phase(p, "measure");
    if (status == 0 && p->job.target.machine[0])
        status = pipeline_measure(p, &q, row, p->job.device_images, &p->device);
    else if (status == 0)
        status = store_layers(p, row->id, &q, NULL);
    if (status == 1) { /* a workstation without the cross compiler still gets its network */
        log_warn("not measured: %s", error_text());
        status = store_layers(p, row->id, &q, NULL);
    }
    qmodel_release(&q);
    return status;
}

int pipeline_finish(Pipeline *p)
{
    CandidateRow row;
    if (winner_row(p, &row) != 0)
        return -1;
    Model m;
    take_weights(p, &p->winner.genotype, &m);
    int status = finish_model(p, &m, &row);
    model_release(&m);
    results_candidate_release(&row);
    if (status == 0)
        status = count_time(p);
    return status == 0 ? results_run_set(p->db, p->run, "done", "done") : -1;
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
    if (genotype_parse(&p->job.space, row->genotype, &g) != 0 || pipeline_data(p) != 0)
        return -1;
    if (results_blob_get(p->db, p->run, "supernet", &data, &size) != 0)
        return errorf("run %lld has no trained supernet yet", (long long)p->run);
    p->n_classes = p->data.train.n_classes;
    log_info("candidate %d was not fine-tuned: its weights are the supernet's", row->number);
    supernet_init(&p->supernet, &p->job.space, g.width, g.resolution, p->n_classes);
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

static int open_job(Pipeline *p, Results *db, int64_t run, const char *schedule, const char *genotype)
{
    RunRow row;
    Job job;
    Genotype g;
    if (results_run_get(db, run, &row) != 0)
        return -1;
    int status = config_parse(&job, row.config, "the run's config");
    results_run_release(&row);
    Policy policy = (Policy)job.policy;
    if (status != 0 || (schedule && policy_parse(schedule, &policy) != 0) ||
        genotype_parse(&job.space, genotype, &g) != 0)
        return -1;
    job.policy = (int)policy;
    if (config_resolve(&job) != 0)
        return -1;
    pipeline_init(p, &job, db, run);
    p->width = g.width;
    p->resolution = g.resolution;
    return 0;
}

int pipeline_open(Pipeline *p, Results *db, const char *what, const char *schedule, CandidateRow *row)
{
    int64_t run;
    if (command_candidate(db, what, &run, row) != 0)
        return -1;
    int status = open_job(p, db, run, schedule, row->genotype);
    if (status != 0)
        results_candidate_release(row);
    return status;
}

/* --- summary */

static void print_front(Pipeline *p)
{
    char run[32];
    snprintf(run, sizeof run, "%lld", (long long)p->run);
    const char *args[] = {run};
    printf("\nFront: no other candidate is better in one figure and as good in the others (float, "
           "supernet's weights, validation images)\n");
    fflush(stdout);
    results_query(p->db,
                  "SELECT number, printf('%.2f', 100 * accuracy) AS \"accuracy %\", sram, flash, macs, "
                  "genotype FROM pareto WHERE run = ?1 ORDER BY accuracy DESC LIMIT 12",
                  args, 1, FORMAT_TABLE, stdout);
}

static void print_beside(const char *what, double predicted, double measured, const char *unit)
{
    double off = predicted > 0 ? 100 * (measured / predicted - 1) : 0;
    printf("  %-12s %14.0f %14.0f  %-13s", what, predicted, measured, unit);
    if (measured == predicted)
        printf("equal\n");
    else
        printf("%+.2f %%\n", off);
}

static void print_device(const Pipeline *p, const Cost *cost)
{
    const DeviceRun *d = &p->device;
    const Target *t = &p->job.target;
    printf("\n  on qemu:%-4s %14s %14s\n", t->core, "predicted", "measured");
    print_beside("arena", cost->sram, d->arena, "bytes");
    print_beside("flash", cost->flash, d->flash, "bytes");
    print_beside("stack", t->code.stack, d->stack, "bytes");
    print_beside("latency", cost->latency, (double)d->instructions, t->latency.unit);
    printf("  outputs      %d of %d inputs equal to the host's byte for byte; canaries %s\n", d->n_equal,
           d->n_inputs, d->canaries ? "untouched" : "OVERWRITTEN");
}

int pipeline_summary(Pipeline *p)
{
    CandidateRow row;
    const Job *job = &p->job;
    if (winner_row(p, &row) != 0)
        return -1;
    Resolution r = job->space.resolution[p->resolution];
    const Cost *cost = &p->winner.cost;
    printf("Run %lld '%s' on %s\n", (long long)p->run, job->name, job->target.name);
    printf("Space: %s, width %g at %dx%d\n", job->space.name, job->space.width[p->width], r.h, r.w);
    print_front(p);
    printf("\nWinner: %s\n", row.genotype);
    printf("  candidate    %lld:%d, generation %d; best by %s on the validation images\n",
           (long long)p->run, row.number, row.generation,
           job->score == SCORE_ACCURACY ? "accuracy" : "cross entropy");
    printf("  accuracy     %.2f %% float, %.2f %% int8 on %d test images (validation before fine-tuning "
           "%.2f %%)\n", 100 * row.test_accuracy, 100 * row.int8_accuracy, p->data.test.n,
           100 * row.accuracy);
    printf("  SRAM         %s of %s, image inside, %s\n", text_bytes(cost->sram),
           text_bytes(job->limits.sram), policy_name((Policy)job->policy));
    printf("  flash        %s of %s, of it model %s\n", text_bytes(cost->flash),
           text_bytes(job->limits.flash), text_bytes(cost->model_flash));
    printf("  MACs         %s\n", text_count((double)cost->macs));
    results_candidate_release(&row);
    const DeviceRun *d = &p->device;
    if (d->n_inputs == 0)
        return 0;
    print_device(p, cost);
    if (d->n_equal != d->n_inputs || !d->canaries || d->arena != cost->sram)
        return errorf("the board disagrees with the host or with the plan");
    return 0;
}
