/* loss.h - label-smoothed cross entropy and its gradient. */
#ifndef LOSS_H
#define LOSS_H

/* Mean loss over n rows of logits; the target is 1 - smoothing + smoothing / n_classes on the
 * label and smoothing / n_classes elsewhere (Szegedy et al. 2016, 7). grad [n][n_classes] and
 * correct may be NULL. */
double loss_smoothed(const float *logits, const int *labels, int n, int n_classes,
                     double smoothing, float *grad, int *correct);

#endif
