#include "evaluator/accuracy.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

#define CHUNK 64 /* images at a time: their activations stay in the caches */
#define LEAST 128 /* images before anything is said of a difference */

typedef struct {
    float *images, *logits;
    int *labels;
} Batch;

static Batch batch_new(const Dataset *d, int n)
{
    size_t image = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    return (Batch){.images = xaligned(sizeof(float) * image * (size_t)n),
                   .logits = xmalloc(sizeof(float) * (size_t)d->n_classes * (size_t)n),
                   .labels = xmalloc(sizeof(int) * (size_t)n)};
}

static void batch_free(Batch *b)
{
    free(b->images);
    free(b->logits);
    free(b->labels);
}

static void recalibrate(Model *m, Workspace *ws, const AccuracyProtocol *p)
{
    Batch b = batch_new(p->train, p->batch);
    for (int k = 0; k < p->batches; k++) {
        dataset_batch(p->train, p->recalibrate + k * p->batch, p->batch, NULL, NULL, b.images,
                      b.labels);
        nn_recalibrate(m, ws, b.images, p->batch, k);
    }
    batch_free(&b);
}

/* What is known after n images. */
typedef struct {
    const AccuracyProtocol *p;
    double cross_entropy;      /* sums */
    double loss;
    double apart, apart_squared; /* of the differences from the bar */
    int n, correct;
} Tally;

static void count_image(Tally *t, const float *logits, int label)
{
    int right;
    double nats = nn_score(logits, &label, 1, t->p->valid->n_classes, &right);
    double loss = t->p->by == SCORE_ACCURACY ? 1 - right : nats;
    float rounded = (float)loss; /* so that a network is not apart from itself */
    double apart = t->p->bar ? (double)rounded - (double)t->p->bar[t->n] : 0;
    if (t->p->loss)
        t->p->loss[t->n] = rounded;
    t->cross_entropy += nats;
    t->correct += right;
    t->loss += loss;
    t->apart += apart;
    t->apart_squared += apart * apart;
    t->n++;
}

/* The images come without replacement: the mean over all of them is known the better the fewer
 * are left. */
static bool hopeless(const Tally *t)
{
    double n = t->n, mean = t->apart / n, left = 1 - n / t->p->n_score;
    double variance = (t->apart_squared - n * mean * mean) / (n - 1);
    return t->p->bar && t->n >= LEAST && left > 0 && mean > 0 &&
           mean * mean > t->p->sure * t->p->sure * variance / n * left;
}

static double loss_of_all(const Tally *t)
{
    const AccuracyProtocol *p = t->p;
    double bar = 0;
    if (t->n == p->n_score)
        return t->loss / t->n;
    for (int i = 0; i < p->n_score; i++)
        bar += (double)p->bar[i];
    return bar / p->n_score + t->apart / t->n;
}

Accuracy accuracy_of(Model *m, Workspace *ws, const AccuracyProtocol *p)
{
    if (p->batches > 0)
        recalibrate(m, ws, p);
    Batch b = batch_new(p->valid, CHUNK);
    Tally t = {.p = p};
    while (t.n < p->n_score && !hopeless(&t)) {
        int left = p->n_score - t.n, n = left < CHUNK ? left : CHUNK;
        dataset_batch(p->valid, p->score + t.n, n, NULL, NULL, b.images, b.labels);
        nn_infer(m, ws, b.images, n, b.logits);
        for (int i = 0; i < n; i++)
            count_image(&t, b.logits + i * p->valid->n_classes, b.labels[i]);
    }
    batch_free(&b);
    return (Accuracy){(double)t.correct / t.n, t.cross_entropy / t.n, loss_of_all(&t), t.n};
}

double accuracy_worth(const Accuracy *a, Score by)
{
    return by == SCORE_ACCURACY ? 1 - a->loss : exp(-a->loss);
}

void accuracy_ranges(const Model *m, Workspace *ws, const Dataset *d, const int *index, int n,
                     float *lo, float *hi)
{
    Batch b = batch_new(d, CHUNK);
    for (int l = 0; l < m->net.n_layers; l++) {
        lo[l] = INFINITY;
        hi[l] = -INFINITY;
    }
    for (int i = 0; i < n; i += CHUNK) {
        int count = n - i < CHUNK ? n - i : CHUNK;
        dataset_batch(d, index + i, count, NULL, NULL, b.images, b.labels);
        nn_ranges(m, ws, b.images, count, lo, hi);
    }
    batch_free(&b);
}
