/* accuracy.h - how good a network is in float.
 *
 * A subnet's running statistics are not its own, so a candidate's norms are
 * recalibrated first, on the same training images for every candidate, and it
 * is then scored on the same validation images (MCUNet App. D: 20 batches of
 * 64). One thread, one Workspace; callers evaluate several networks at once.
 *
 * Scoring may stop early, at a bar: the losses of another network on the same
 * images, image by image. Most of what an image costs it costs both networks, so
 * their difference is known well long before either mean is. A network is
 * stopped when the mean difference so far is worse than nothing by more than
 * `sure` standard errors of what all images could still make of it. Its loss is
 * then the bar's plus that difference, so that it always ranks below the bar. */
#ifndef ACCURACY_H
#define ACCURACY_H

#include "dataset/dataset.h"
#include "nn/pass.h"

#define SCORES(X) X(ACCURACY, "accuracy") X(CROSS_ENTROPY, "cross_entropy")
typedef enum {
#define X(score, name) SCORE_##score,
    SCORES(X)
#undef X
    N_SCORES
} Score;

typedef struct {
    const Dataset *train, *valid; /* recalibration images, and those scored; may be one Dataset */
    const int *recalibrate;       /* [batches * batch] indices into train */
    int batches, batch;           /* 0 batches: the running statistics are good as they are */
    const int *score;             /* [n_score] indices into valid */
    int n_score;
    Score by;         /* an image's loss: 0 right and 1 wrong, or -log of the label's probability */
    float *loss;      /* [n_score] gets the images' losses; may be NULL */
    const float *bar; /* [n_score] the losses to stop at; NULL: all images are scored */
    double sure;      /* standard errors */
} AccuracyProtocol;

typedef struct {
    double accuracy;      /* of the images that were scored */
    double cross_entropy; /* their mean, nats */
    double loss;          /* mean over all images; where it was stopped, an estimate */
    int n;                /* images scored: n_score, or fewer where it was stopped */
} Accuracy;

/* What a search makes large: accuracy, or the geometric mean of the labels' probabilities. */
double accuracy_worth(const Accuracy *a, Score by);

/* Recalibrates m's norms in place when the protocol says so. */
Accuracy accuracy_of(Model *m, Workspace *ws, const AccuracyProtocol *p);

/* Output ranges of every layer over n images, for quantisation: lo, hi [n_layers]. */
void accuracy_ranges(const Model *m, Workspace *ws, const Dataset *d, const int *index, int n,
                     float *lo, float *hi);

#endif
