#include "evaluator/accuracy.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

#define CHUNK 64 /* images at a time: their activations stay in the caches */

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

Accuracy accuracy_of(Model *m, Workspace *ws, const AccuracyProtocol *p)
{
    if (p->batches > 0)
        recalibrate(m, ws, p);
    Batch b = batch_new(p->valid, CHUNK);
    double loss = 0;
    int correct = 0;
    for (int i = 0; i < p->n_score; i += CHUNK) {
        int n = p->n_score - i < CHUNK ? p->n_score - i : CHUNK, right;
        dataset_batch(p->valid, p->score + i, n, NULL, NULL, b.images, b.labels);
        nn_infer(m, ws, b.images, n, b.logits);
        loss += nn_score(b.logits, b.labels, n, p->valid->n_classes, &right) * n;
        correct += right;
    }
    batch_free(&b);
    return (Accuracy){(double)correct / p->n_score, loss / p->n_score};
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
