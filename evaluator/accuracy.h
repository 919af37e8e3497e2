/* accuracy.h - how good a network is in float.
 *
 * A subnet's running statistics are not its own, so a candidate's norms are
 * recalibrated first, on the same training images for every candidate, and it
 * is then scored on the same validation images (MCUNet App. D: 20 batches of
 * 64). One thread, one Workspace; callers evaluate several networks at once. */
#ifndef ACCURACY_H
#define ACCURACY_H

#include "dataset/dataset.h"
#include "nn/pass.h"

typedef struct {
    const Dataset *train, *valid; /* recalibration images, and those scored; may be one Dataset */
    const int *recalibrate;       /* [batches * batch] indices into train */
    int batches, batch;           /* 0 batches: the running statistics are good as they are */
    const int *score;             /* [n_score] indices into valid */
    int n_score;
} AccuracyProtocol;

typedef struct {
    double accuracy;      /* correct / n_score */
    double cross_entropy; /* mean, nats */
} Accuracy;

/* Recalibrates m's norms in place when the protocol says so. */
Accuracy accuracy_of(Model *m, Workspace *ws, const AccuracyProtocol *p);

/* Output ranges of every layer over n images, for quantisation: lo, hi [n_layers]. */
void accuracy_ranges(const Model *m, Workspace *ws, const Dataset *d, const int *index, int n,
                     float *lo, float *hi);

#endif
