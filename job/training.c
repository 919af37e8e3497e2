#include "job/pipeline.h"

#include "base/error.h"
#include "base/log.h"
#include "config/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_IMAGES 1000 /* validation images looked at after an epoch */

typedef struct {
    Pipeline *p;
    const Training *what;
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
        status = results_blob_put(f->p->db, f->p->run, f->what->name, data, size);
    if (status == 0)
        status = pipeline_count_time(f->p);
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
    if (clock_seconds() - f->saved >= f->p->job.checkpoint && save_state(f, t) != 0)
        f->status = -1;
    return f->status == 0;
}

/* Accuracy on some validation images; a supernet has none, nor has who learns them. What trains inside wider networks has
 * its norms recalibrated for it. */
static double look(const Phase *f)
{
    Pipeline *p = f->p;
    AccuracyProtocol protocol = pipeline_scoring(p);
    if (protocol.n_score > EPOCH_IMAGES)
        protocol.n_score = EPOCH_IMAGES;
    if (f->what->supernet || f->what->o->all_images)
        return -1;
    if (!f->what->inside) {
        protocol.batches = 0;
        return accuracy_of(f->what->model, p->workspace[0], &protocol).accuracy;
    }
    Model m;
    supernet_slice(f->what->model, f->what->inside, &m);
    double accuracy = accuracy_of(&m, p->workspace[0], &protocol).accuracy;
    model_release(&m);
    return accuracy;
}

static void on_epoch(void *ctx, const TrainState *t, int epoch, double loss, double accuracy,
                     double rate)
{
    Phase *f = ctx;
    EpochRow row = {.phase = f->what->name,
                    .epoch = epoch,
                    .loss = loss,
                    .train_accuracy = accuracy,
                    .valid_accuracy = look(f),
                    .rate = rate,
                    .seconds = t->seconds};
    if (results_epoch_put(f->p->db, f->p->run, &row) != 0)
        f->status = -1;
    char valid[32] = "";
    if (row.valid_accuracy >= 0)
        snprintf(valid, sizeof valid, ", validation %.2f %%", 100 * row.valid_accuracy);
    log_info("%s: epoch %d/%d, loss %.4f, training %.2f %%%s, %.0f images/s", f->what->name, epoch,
             f->what->o->epochs, loss, 100 * accuracy, valid, (double)t->seen / t->seconds);
}

/* Of the images in p->fit, as many are trained on. */
static int images_of(const Pipeline *p, const TrainOptions *o)
{
    return o->all_images ? p->data.train.n : p->n_fit;
}

static void go_on(Phase *f, TrainState *t)
{
    const Training *w = f->what;
    Pipeline *p = f->p;
    int n = images_of(p, w->o);
    TrainHooks hooks = {.ctx = f, .step = on_step, .epoch = on_epoch};
    Dataset sizes[SPACE_MAX_CHOICES];
    for (int i = 0; i < p->n_sizes; i++)
        sizes[i] = p->size[i].train;
    if (t->step > 0)
        log_info("%s: continues at step %lld of %lld", w->name, (long long)t->step,
                 (long long)t->steps);
    progress_begin(&f->bar, w->name, t->steps, t->step);
    if (w->inside)
        train_inside(t, w->inside, &p->data.train, p->fit, n, w->o, &hooks);
    else
        train(t, w->supernet, w->supernet ? sizes : &p->data.train, p->fit, n, w->o, &hooks);
    progress_end(&f->bar);
}

int pipeline_train_phase(Pipeline *p, const Training *what)
{
    Phase f = {.p = p, .what = what, .saved = clock_seconds()};
    TrainState t;
    train_state_init(&t, what->model, what->o, images_of(p, what->o));
    void *data = NULL;
    size_t size;
    int found = results_blob_get(p->db, p->run, what->name, &data, &size);
    int status = found == 0 ? train_state_load(&t, data, size) : found < 0 ? -1 : 0;
    free(data);
    if (status == 0 && t.step < t.steps) {
        go_on(&f, &t);
        status = f.status == 0 ? save_state(&f, &t) : -1;
    }
    train_state_release(&t);
    return status;
}

int pipeline_trained(Results *db, int64_t run)
{
    void *data;
    size_t size;
    int found = results_blob_get(db, run, "supernet", &data, &size);
    if (found != 0)
        return found < 0 ? -1 : 0;
    bool done = train_state_done(data, size);
    free(data);
    return done;
}

int pipeline_train(Pipeline *p)
{
    Job *job = &p->job;
    Model *shared = &p->supernet.shared;
    Training largest = {"largest", shared, .o = &job->largest},
             supernet = {"supernet", shared, .supernet = &p->supernet, .o = &job->supernet};
    if (pipeline_begin(p, "train") != 0)
        return -1;
    supernet_init(&p->supernet, &job->space, p->width, &p->resolutions, p->n_classes);
    p->has_supernet = true;
    void *data = NULL;
    size_t size;
    int begun = results_blob_get(p->db, p->run, "supernet", &data, &size);
    free(data);
    if (begun < 0)
        return -1;
    if (begun == 1) { /* the supernet's own state takes over from the largest network's */
        Rng rng = rng_make(job->seed, 9);
        model_randomise(shared, &rng);
        if (pipeline_train_phase(p, &largest) != 0)
            return -1;
        supernet_sort_channels(shared);
    }
    if (pipeline_train_phase(p, &supernet) != 0)
        return -1;
    log_info("supernet: %s parameters, hash %016llx", text_count((double)shared->n_params),
             (unsigned long long)model_hash(shared));
    return 0;
}
