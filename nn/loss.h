/* loss.h - cross entropy and its gradient. */
#ifndef LOSS_H
#define LOSS_H

#include "nn/pass.h"

/* Mean loss over the lesson's n rows of logits, whose answers it fills in. grad
 * [n][n_classes] and correct may be NULL; grad may not be the teacher's rows. */
double loss_of(const float *logits, const Lesson *lesson, int n_classes, float *grad, int *correct);

#endif
