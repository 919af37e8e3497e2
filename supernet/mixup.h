/* mixup.h - pictures laid over each other, and labels with them (Zhang et al. 2018).
 *
 * A network that has seen 0.7 of a cat on 0.3 of a dog, and learnt that this
 * is 0.7 cat and 0.3 dog, is less sure of what it has not seen. */
#ifndef MIXUP_H
#define MIXUP_H

#include "base/rng.h"

#include <stddef.h>

/* A batch: pictures of `size` floats, and the probability of each class that is right for each. */
typedef struct {
    float *images;  /* [n][size] */
    float *targets; /* [n][classes] */
    int n, classes;
    size_t size;
} Mix;

/* targets: 1 - smoothing on the label, smoothing / classes on every class. */
void mixup_targets(const Mix *m, const int *labels, double smoothing);
/* Each picture, and its targets, take in a share of the next one in the batch, the last of the
 * first. Shares come from the beta distribution whose shapes are both alpha, in (0, 1], and are
 * at most a half, so that a picture stays what it mostly is. */
void mixup(const Mix *m, double alpha, Rng *rng);

#endif
