#include "supernet/train.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "nn/pass.h"
#include "supernet/mixup.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_ORDER, STREAM_IMAGES, STREAM_SUBNETS }; /* what randomness of a step is for */

static int64_t steps_an_epoch(const TrainOptions *o, int n)
{
    return n / o->batch > 0 ? n / o->batch
                            : 1; /* the rest of the order is left to the next epochs */
}

void train_state_init(TrainState *t, Model *model, const TrainOptions *o, int n_examples)
{
    *t = (TrainState){.steps = o->epochs * steps_an_epoch(o, n_examples), .model = model};
    t->velocity = xcalloc(model->n_params, sizeof(float));
    if (o->average > 0)
        model_init(&t->mean, &model->net);
}

void train_state_release(TrainState *t)
{
    free(t->velocity);
    model_release(&t->mean);
}

/* --- checkpoints: a header, then the state's floats */

typedef struct {
    char magic[8];
    uint64_t n_params, n_stats, hash; /* hash: of everything after the header */
    int64_t step, steps, seen, correct;
    double loss_sum, seconds;
} Header;

static const char magic[8] = "tbtrain1";

enum { N_PIECES = 5 };

typedef struct {
    float *at;
    size_t size; /* bytes */
} Piece;

/* In their order; of the mean only where there is one. Returns the bytes of all. */
static size_t list_pieces(const TrainState *t, Piece piece[N_PIECES])
{
    const Model *m = t->model, *mean = &t->mean;
    const Piece all[N_PIECES] = {{m->params, sizeof(float) * m->n_params},
                                 {m->stats, sizeof(float) * m->n_stats},
                                 {t->velocity, sizeof(float) * m->n_params},
                                 {mean->params, sizeof(float) * mean->n_params},
                                 {mean->stats, sizeof(float) * mean->n_stats}};
    size_t sum = 0;
    for (int i = 0; i < N_PIECES; i++) {
        piece[i] = all[i];
        sum += all[i].size;
    }
    return sum;
}

void *train_state_save(const TrainState *t, size_t *size)
{
    Piece piece[N_PIECES];
    size_t floats = list_pieces(t, piece);
    *size = sizeof(Header) + floats;
    char *data = xmalloc(*size), *p = data + sizeof(Header);
    for (int i = 0; i < N_PIECES; p += piece[i++].size)
        if (piece[i].size > 0)
            memcpy(p, piece[i].at, piece[i].size);
    Header h = {.n_params = t->model->n_params,
                .n_stats = t->model->n_stats,
                .step = t->step,
                .steps = t->steps,
                .seen = t->seen,
                .correct = t->correct,
                .loss_sum = t->loss_sum,
                .seconds = t->seconds,
                .hash = hash_bytes(HASH_START, data + sizeof h, floats)};
    memcpy(h.magic, magic, sizeof magic);
    memcpy(data, &h, sizeof h);
    return data;
}

int train_state_load(TrainState *t, const void *data, size_t size)
{
    Piece piece[N_PIECES];
    size_t floats = list_pieces(t, piece);
    const char *p = (const char *)data + sizeof(Header);
    Header h;
    if (size < sizeof h)
        return errorf("a checkpoint is cut short");
    memcpy(&h, data, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0 || h.n_params != t->model->n_params ||
        h.n_stats != t->model->n_stats || size != sizeof h + floats)
        return errorf("a checkpoint belongs to another network or other options");
    if (hash_bytes(HASH_START, p, floats) != h.hash)
        return errorf("a checkpoint is damaged");
    if (h.steps != t->steps)
        return errorf("a checkpoint is of a training of %lld steps, with the images that are there "
                      "now it has %lld: they have changed since",
                      (long long)h.steps, (long long)t->steps);
    for (int i = 0; i < N_PIECES; p += piece[i++].size)
        if (piece[i].size > 0)
            memcpy(piece[i].at, p, piece[i].size);
    t->step = h.step;
    t->seen = h.seen;
    t->correct = h.correct;
    t->loss_sum = h.loss_sum;
    t->seconds = h.seconds;
    return 0;
}

bool train_state_done(const void *data, size_t size)
{
    Header h;
    if (size < sizeof h)
        return false;
    memcpy(&h, data, sizeof h);
    return h.step == h.steps;
}

/* --- one step */

typedef struct {
    Model grad;
    double loss;
    int correct, subnet, shard;
    bool has_grad;
} Task;

typedef struct {
    const Supernet *supernet; /* whose subnets are trained, or NULL */
    const Net *inside;        /* the network trained inside wider ones, or NULL */
    const Dataset *sizes;     /* of each of the supernet's resolutions */
    const Dataset *data;      /* of this step, first the largest */
    const TrainOptions *o;
    int shard_size, n_subnets, n_tasks, threads;
    int64_t per_epoch;
    int *order; /* this epoch's examples */
    float *images;
    int *labels;
    Net *net; /* [n_subnets] of this step; NULL: the whole model is trained */
    float *targets; /* [images][classes] of this step; NULL: the labels say what is right */
    float *answers; /* [images][classes], the first subnet's; NULL: it teaches nobody */
    Task *task;
    int *turn; /* [n_tasks] the order of work */
    Workspace **workspace; /* [threads] */
    Model sum;
} Trainer;

/* The numbers of a Trainer that knows what is trained; returns the images of a step. */
static size_t split_work(Trainer *r, int n)
{
    const TrainOptions *o = r->o;
    int batch = n < o->batch ? n : o->batch;
    int shards = o->shards < batch ? o->shards : batch;
    assert(n > 0 && o->batch > 0 && o->shards > 0 && o->threads > 0);
    r->threads = o->threads;
    r->shard_size = batch / shards;
    r->n_subnets = r->supernet ? o->subnets : r->inside ? 2 : 1;
    r->n_tasks = r->n_subnets * shards;
    r->per_epoch = steps_an_epoch(o, n);
    return (size_t)r->shard_size * (size_t)shards;
}

/* Floats for the images of a step, then those for as many targets, or answers. */
static size_t batch_floats(const Dataset *d, size_t images)
{
    return images * (size_t)d->h * (size_t)d->w * (size_t)d->c;
}

static size_t answer_floats(const Dataset *d, size_t images)
{
    return images * (size_t)d->n_classes;
}

static bool has_targets(const TrainOptions *o)
{
    return o->mixup > 0 || o->teacher;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

TrainBytes train_bytes(const Net *whole, const Supernet *supernet, const Net *inside,
                       const Dataset *d, int n_examples, const TrainOptions *o)
{
    Model m;
    Trainer r = {.supernet = supernet, .inside = inside, .data = d, .o = o};
    size_t images = split_work(&r, n_examples), tasks = (size_t)r.n_tasks;
    model_measure(&m, whole);
    size_t momentum = m.n_params * sizeof(float), model = momentum + m.n_stats * sizeof(float);
    size_t borrowed = supernet || inside ? (size_t)r.threads : 0;
    size_t sets = (size_t)has_targets(o) + (supernet && o->distill);
    size_t models = 3 + tasks + borrowed + (o->average > 0 ? 2 : 0); /* a mean, in a checkpoint too */
    TrainBytes b = {.weights = models * model + 2 * momentum + tasks * sizeof(Task),
                    .batch = (batch_floats(d, images) + sets * answer_floats(d, images)) *
                                 sizeof(float) +
                             (images + (size_t)n_examples) * sizeof(int),
                    .workspace = nn_train_bytes(whole, r.shard_size)};
    if (o->teacher)
        b.workspace = larger(b.workspace, nn_infer_bytes(&o->teacher->net, r.shard_size));
    return b;
}

static void trainer_init(Trainer *r, const TrainState *t, int n)
{
    const TrainOptions *o = r->o;
    const Dataset *d = r->data;
    size_t images = split_work(r, n);
    int shards = r->n_tasks / r->n_subnets;
    r->order = xmalloc(sizeof(int) * (size_t)n);
    r->images = xaligned(sizeof(float) * batch_floats(d, images));
    r->labels = xcalloc(images, sizeof(int));
    if (r->supernet || r->inside)
        r->net = xcalloc((size_t)r->n_subnets, sizeof(Net));
    if (has_targets(o))
        r->targets = xcalloc(answer_floats(d, images), sizeof(float));
    if (r->supernet && o->distill)
        r->answers = xcalloc(answer_floats(d, images), sizeof(float));
    r->task = xcalloc((size_t)r->n_tasks, sizeof(Task));
    r->turn = xcalloc((size_t)r->n_tasks, sizeof(int));
    for (int i = 0; i < r->n_tasks; i++) {
        r->turn[i] = i;
        r->task[i].subnet = i / shards;
        r->task[i].shard = i % shards;
    }
    r->workspace = xcalloc((size_t)r->threads, sizeof(Workspace *));
    for (int i = 0; i < r->threads; i++)
        r->workspace[i] = workspace_new();
    model_init(&r->sum, &t->model->net);
}

static void trainer_release(Trainer *r)
{
    for (int i = 0; i < r->threads; i++)
        workspace_free(r->workspace[i]);
    for (int i = 0; i < r->n_tasks; i++)
        if (r->task[i].has_grad)
            model_release(&r->task[i].grad);
    model_release(&r->sum);
    free(r->workspace);
    free(r->turn);
    free(r->task);
    free(r->answers);
    free(r->targets);
    free(r->net);
    free(r->labels);
    free(r->images);
    free(r->order);
}

static Rng step_rng(const TrainOptions *o, int purpose, int64_t number, int part)
{
    uint64_t stream = rng_stream((uint64_t)purpose, (uint64_t)number);
    return rng_make(o->seed, rng_stream(stream, (uint64_t)part));
}

static void order_epoch(Trainer *r, int64_t epoch, const int *index, int n)
{
    memcpy(r->order, index, sizeof(int) * (size_t)n);
    Rng rng = step_rng(r->o, STREAM_ORDER, epoch, 0);
    rng_shuffle(&rng, r->order, n);
}

/* For all subnets of the step: the same pictures are the work of each. */
static int draw_resolution(Trainer *r, Rng *rng)
{
    const Choices *c = &r->supernet->resolutions;
    uint32_t place = c->n > 1 ? rng_below(rng, c->n) : 0;
    r->data = &r->sizes[place];
    return c->value[place];
}

static void draw_subnets(Trainer *r, TrainState *t, Rng *rng)
{
    const TrainOptions *o = r->o;
    Space open = shrink_open(&r->supernet->space, &o->shrink, t->step, t->steps);
    if (shrink_opens(&o->shrink, SHRINK_EXPAND, t->step, t->steps)) {
        supernet_sort_channels(t->model); /* the momentum was that of other channels */
        memset(t->velocity, 0, sizeof(float) * t->model->n_params);
        if (o->average > 0) /* and so was the mean */
            model_copy(&t->mean, t->model);
    }
    int resolution = draw_resolution(r, rng);
    subnets_draw(r->supernet, &open, resolution, o->sandwich, rng, r->net, r->n_subnets);
}

static void draw_nets(Trainer *r, TrainState *t)
{
    Rng rng = step_rng(r->o, STREAM_SUBNETS, t->step, 0);
    if (r->supernet)
        draw_subnets(r, t, &rng);
    if (r->inside) {
        r->net[0] = *r->inside;
        netaug_draw(r->inside, &r->o->netaug, &rng, &r->net[1]);
    }
}

/* What a teacher says takes its share of the targets. */
static void ask_teacher(const Trainer *r, const Mix *m)
{
    size_t n = (size_t)(m->n * m->classes);
    float *p = xmalloc(n * sizeof *p), share = (float)r->o->teaching;
    nn_infer(r->o->teacher, r->workspace[omp_get_thread_num()], m->images, m->n, p);
    nn_probabilities(p, m->n, m->classes);
    for (size_t i = 0; i < n; i++)
        m->targets[i] += share * (p[i] - m->targets[i]);
    free(p);
}

static void make_targets(const Trainer *r, const Mix *m, const int *labels, Rng *rng)
{
    mixup_targets(m, labels, r->o->label_smoothing);
    if (r->o->mixup > 0)
        mixup(m, r->o->mixup, rng);
    if (r->o->teacher)
        ask_teacher(r, m);
}

static void prepare_shard(Trainer *r, int64_t step, int shard)
{
    Rng rng = step_rng(r->o, STREAM_IMAGES, step, shard);
    size_t image = (size_t)r->data->h * (size_t)r->data->w * (size_t)r->data->c;
    int first = shard * r->shard_size, shards = r->n_tasks / r->n_subnets;
    const int *index = r->order + step % r->per_epoch * (r->shard_size * shards) + first;
    dataset_batch(r->data, index, r->shard_size, &r->o->augment, &rng,
                  r->images + (size_t)first * image, r->labels + first);
    Mix mix = {.images = r->images + (size_t)first * image,
               .n = r->shard_size,
               .classes = r->data->n_classes,
               .size = image};
    if (r->targets) {
        mix.targets = r->targets + first * r->data->n_classes;
        make_targets(r, &mix, r->labels + first, &rng);
    }
}

static Lesson lesson_of(const Trainer *r, const Task *task)
{
    size_t image = (size_t)r->data->h * (size_t)r->data->w * (size_t)r->data->c;
    int first = task->shard * r->shard_size;
    Lesson lesson = {.images = r->images + (size_t)first * image,
                     .labels = r->labels + first,
                     .n = r->shard_size,
                     .label_smoothing = r->o->label_smoothing};
    float *answers = r->answers ? r->answers + first * r->data->n_classes : NULL;
    if (task->subnet == 0)
        lesson.answers = answers;
    if (task->subnet > 0 && answers)
        lesson.teacher = answers;
    else if (r->targets)
        lesson.teacher = r->targets + first * r->data->n_classes;
    return lesson;
}

static void do_task(Trainer *r, Task *task, const Model *whole)
{
    Model net = *whole;
    if (r->net) {
        supernet_slice(whole, &r->net[task->subnet], &net);
        if (task->has_grad)
            model_release(&task->grad);
        task->has_grad = false;
    }
    if (!task->has_grad) {
        model_init(&task->grad, &net.net);
        task->has_grad = true;
    }
    Lesson lesson = lesson_of(r, task);
    task->loss = nn_train_pass(&net, r->workspace[omp_get_thread_num()], &lesson, &task->grad,
                               &task->correct);
    if (r->net)
        model_release(&net);
}

/* Long ones first, so that at the end of a step no thread waits long for another: where four
 * subnets differ by 40 % around their mean and two threads share them, 4 % instead of 9 % of it. */
static void order_tasks(Trainer *r, int first)
{
    for (int i = first; r->net && i < r->n_tasks; i++) {
        int task = r->turn[i], at = i;
        uint64_t macs = net_macs(&r->net[r->task[task].subnet]);
        for (; at > first && net_macs(&r->net[r->task[r->turn[at - 1]].subnet]) < macs; at--)
            r->turn[at] = r->turn[at - 1];
        r->turn[at] = task;
    }
}

/* By all threads of a parallel region, which wait for each other at the end. */
static void do_tasks(Trainer *r, int from, int to, const Model *whole)
{
#pragma omp for schedule(dynamic, 1)
    for (int i = from; i < to; i++)
        do_task(r, &r->task[r->turn[i]], whole);
}

/* Of a task's loss in the step's. */
static float share_of(const Trainer *r, const Task *task)
{
    int shards = r->n_tasks / r->n_subnets;
    if (r->inside)
        return (task->subnet == 0 ? 1.0f : (float)r->o->netaug.share) / (float)shards;
    return 1.0f / (float)r->n_tasks;
}

/* Sums the tasks' gradients in their order: the same bits for any number of threads. */
static void sum_gradients(Trainer *r)
{
    memset(r->sum.params, 0, sizeof(float) * r->sum.n_params);
    memset(r->sum.stats, 0, sizeof(float) * r->sum.n_stats);
    for (int i = 0; i < r->n_tasks; i++) {
        const Model *grad = &r->task[i].grad;
        float share = share_of(r, &r->task[i]);
        if (r->net) {
            supernet_add_gradient(&r->sum, grad, share);
            continue;
        }
        for (size_t j = 0; j < grad->n_params; j++)
            r->sum.params[j] += share * grad->params[j];
        for (size_t j = 0; j < grad->n_stats; j++)
            r->sum.stats[j] += share * grad->stats[j];
    }
}

static double rate_at(const Trainer *r, const TrainState *t)
{
    return cosine_rate(r->o->rate, t->step, t->steps,
                       (int64_t)(r->o->warm_up * (double)r->per_epoch));
}

/* A plain mean of the first steps, until they are as many as are asked for. */
static void average(const Trainer *r, TrainState *t)
{
    double wanted = r->o->average * (double)r->per_epoch;
    double steps = (double)t->step < wanted ? (double)t->step : wanted;
    model_average(&t->mean, t->model, steps > 1 ? 1 / steps : 1);
    if (t->step == t->steps)
        model_copy(t->model, &t->mean);
}

static void do_step(Trainer *r, TrainState *t)
{
    int shards = r->n_tasks / r->n_subnets, teachers = r->answers ? shards : 0;
    draw_nets(r, t);
    order_tasks(r, teachers);
#pragma omp parallel num_threads(r->threads)
    {
#pragma omp for schedule(dynamic, 1)
        for (int i = 0; i < shards; i++)
            prepare_shard(r, t->step, i);
        do_tasks(r, 0, teachers, t->model);
        do_tasks(r, teachers, r->n_tasks, t->model);
    }
    sum_gradients(r);
    sgd_step(t->model, t->velocity, &r->sum, rate_at(r, t), r->o->momentum, r->o->weight_decay);
    if (!r->net) /* shared statistics belong to no network: what shares them is recalibrated */
        model_track_stats(t->model, &r->sum, 0.1);
    for (int i = 0; i < (r->inside ? shards : r->n_tasks); i++) {
        t->loss_sum += r->task[i].loss;
        t->correct += r->task[i].correct;
        t->seen += r->shard_size;
    }
    t->step++;
    if (r->o->average > 0)
        average(r, t);
}

static void finish_epoch(const Trainer *r, TrainState *t, const TrainHooks *hooks)
{
    double tasks = (double)t->seen / r->shard_size;
    if (hooks && hooks->epoch)
        hooks->epoch(hooks->ctx, t, (int)(t->step / r->per_epoch), t->loss_sum / tasks,
                     (double)t->correct / (double)t->seen, rate_at(r, t));
    t->loss_sum = t->seconds = 0;
    t->seen = t->correct = 0;
}

static bool run(Trainer *r, TrainState *t, const int *index, int n, const TrainHooks *hooks)
{
    trainer_init(r, t, n);
    bool go_on = true;
    int64_t ordered = -1;
    while (go_on && t->step < t->steps) {
        double start = clock_seconds();
        if (t->step / r->per_epoch != ordered)
            order_epoch(r, ordered = t->step / r->per_epoch, index, n);
        do_step(r, t);
        t->seconds += clock_seconds() - start;
        if (t->step % r->per_epoch == 0)
            finish_epoch(r, t, hooks);
        if (hooks && hooks->step)
            go_on = hooks->step(hooks->ctx, t);
    }
    trainer_release(r);
    return t->step == t->steps;
}

bool train(TrainState *t, const Supernet *supernet, const Dataset *d, const int *index, int n,
           const TrainOptions *o, const TrainHooks *hooks)
{
    assert(!supernet || o->sandwich || !o->distill);
    const Dataset *largest = supernet ? &d[supernet->resolutions.n - 1] : d;
    return run(&(Trainer){.supernet = supernet, .sizes = d, .data = largest, .o = o}, t, index, n,
               hooks);
}

bool train_inside(TrainState *t, const Net *net, const Dataset *d, const int *index, int n,
                  const TrainOptions *o, const TrainHooks *hooks)
{
    return run(&(Trainer){.inside = net, .data = d, .o = o}, t, index, n, hooks);
}
