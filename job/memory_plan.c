#include "job/pipeline.h"

#include "base/error.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* What one phase holds at once, in bytes. */
typedef struct {
    const char *name;
    size_t weights, batch, workspaces; /* of all threads */
} Need;

static size_t total(const Need *n)
{
    return n->weights + n->batch + n->workspaces;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t model_bytes(const Net *net)
{
    Model m;
    model_measure(&m, net);
    return (m.n_params + m.n_stats) * sizeof(float);
}

static size_t image_bytes(const Dataset *d)
{
    size_t image = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    size_t beside = sizeof *d->label + (d->group ? sizeof *d->group : 0);
    return (size_t)d->n * (image + beside);
}

/* Of a thread that recalibrates and scores networks up to `net`. */
static size_t scoring_bytes(const Pipeline *p, const Net *net)
{
    int n = p->job.recalibration_batch;
    return larger(nn_recalibrate_bytes(net, n), nn_infer_bytes(net, n));
}

static Need training(const Pipeline *p, const char *name, const Net *net, const TrainOptions *o,
                     const Supernet *supernet)
{
    Net wide = *net;
    bool inside = netaug_widens(&o->netaug) && !supernet;
    if (inside)
        netaug_widest(net, &o->netaug, &wide);
    int n = o->all_images ? p->data.train.n : p->n_fit;
    TrainBytes b = train_bytes(&wide, supernet, inside ? net : NULL, &p->data.train, n, o);
    return (Need){name, b.weights, b.batch, (size_t)o->threads * b.workspace};
}

/* After every epoch some images are looked at; inside wider networks after a recalibration. */
static Need given_training(const Pipeline *p)
{
    const TrainOptions *o = &p->job.finetune;
    Need n = training(p, "train", &p->given, o, NULL);
    n.workspaces += netaug_widens(&o->netaug)
                        ? scoring_bytes(p, &p->given)
                        : nn_infer_bytes(&p->given, p->job.recalibration_batch);
    return n;
}

/* The largest network again, beside the supernet. */
static Need teacher_training(const Pipeline *p, const Net *net)
{
    Need n = training(p, "teacher", net, &p->job.teacher, NULL);
    n.weights += model_bytes(net);
    return n;
}

/* Beside the supernet, a teacher, and the workspaces that scored the candidates. */
static Need winner_training(const Pipeline *p, const Net *net)
{
    const TrainOptions *o = &p->job.finetune;
    Need n = training(p, "finetune", net, o, NULL);
    n.workspaces += (size_t)p->job.threads * scoring_bytes(p, net);
    n.weights += (o->teaching > 0 ? 2 : 1) * model_bytes(net);
    return n;
}

static Need stage_2(const Pipeline *p, const Net *net)
{
    size_t threads = (size_t)p->job.threads;
    return (Need){"stage 2", (1 + threads) * model_bytes(net), 0, threads * scoring_bytes(p, net)};
}

static void keep_larger(Need *most, Need other)
{
    if (total(&other) > total(most))
        *most = other;
}

/* With the largest network, of which every other one is a part. */
static Need search_need(const Pipeline *p)
{
    Net net;
    const Supernet *some = &p->supernet; /* only whether there is one matters */
    Genotype g = genotype_largest(&p->job.space, p->width, choices_largest(&p->resolutions));
    genotype_expand(&p->job.space, &g, p->n_classes, &net);
    Need most = stage_2(p, &net);
    if (!p->is_trained) {
        keep_larger(&most, training(p, "largest", &net, &p->job.largest, NULL));
        keep_larger(&most, training(p, "supernet", &net, &p->job.supernet, some));
    }
    if (p->job.finetune.teaching > 0 && p->job.teacher.epochs > 0)
        keep_larger(&most, teacher_training(p, &net));
    keep_larger(&most, winner_training(p, &net));
    return most;
}

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

static int refuse(const Need *n, uint64_t free, const char *phase)
{
    char key[64];
    snprintf(key, sizeof key, "train.%s.batch or more shards", phase);
    bool scores = strcmp(n->name, "stage 2") == 0;
    return errorf("%s will take %.0f MiB besides the images, and %.0f MiB are free: fewer --threads, "
                  "a smaller %s take less", n->name, mib(total(n)), mib((size_t)free),
                  scores ? "stage2.recalibration_batch" : key);
}

int pipeline_memory(const Pipeline *p, uint64_t free)
{
    size_t images = 0;
    for (int i = 0; i < p->n_sizes; i++)
        images += image_bytes(&p->size[i].train) + image_bytes(&p->size[i].test);
    Need n = p->is_given ? given_training(p) : search_need(p);
    char left[48] = "";
    if (free < UINT64_MAX)
        snprintf(left, sizeof left, "; %.0f MiB are free", mib((size_t)free));
    log_info("memory: at most %.0f MiB, in %s: images %.0f and %.1f a step, weights, momentum, "
             "gradients and checkpoint %.1f, workspaces of %d threads %.0f%s",
             mib(images + total(&n)), n.name, mib(images), mib(n.batch), mib(n.weights),
             p->job.threads, mib(n.workspaces), left);
    return total(&n) <= free ? 0 : refuse(&n, free, p->is_given ? "finetune" : n.name);
}
