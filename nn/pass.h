/* pass.h - forward and backward over a batch.
 *
 * Every function works in one thread, on one Workspace; callers run several at
 * once, one Workspace a thread. The same arguments give the same bits.
 * Images are NHWC floats, [n][h][w][c]. */
#ifndef PASS_H
#define PASS_H

#include "nn/model.h"

typedef struct Workspace Workspace; /* activations and scratch; grows to the largest net it met */

Workspace *workspace_new(void);
void workspace_free(Workspace *ws);
size_t workspace_bytes(const Workspace *ws);

/* What a Workspace will have taken after each of the functions below, in bytes, by the very sums
 * it is allocated by. It keeps the largest. */
size_t nn_infer_bytes(const Net *net, int n);
size_t nn_train_bytes(const Net *net, int n);
size_t nn_recalibrate_bytes(const Net *net, int n);

/* Whether an operator has floats at all: some come with imported models only, which are int8. */
bool nn_trains(Op op);

/* Logits [n][classes] with the model's running statistics. Any n. */
void nn_infer(const Model *m, Workspace *ws, const float *images, int n, float *logits);

/* A batch, and what is right about it: the labels, smoothed (Szegedy et al.
 * 2016, 7), or what a teacher says (Hinton et al. 2015, at temperature 1). */
typedef struct {
    const float *images;
    const int *labels;      /* [n]; with a teacher they only count right answers */
    int n;
    double label_smoothing; /* 1 - smoothing on the label, smoothing / classes on every class */
    const float *teacher;   /* [n][classes], probabilities; NULL: the labels teach */
    float *answers;         /* [n][classes], gets the network's own probabilities; may be NULL */
} Lesson;

/* One training pass: forward with the batch's own statistics, cross entropy
 * (mean over the batch), backward; nothing flows back into a teacher. grad is
 * overwritten: gradients of all parameters, and in grad->stats the batch's
 * mean and (unbiased) variance. Returns the mean loss; *correct may be NULL. */
double nn_train_pass(const Model *m, Workspace *ws, const Lesson *lesson, Model *grad,
                     int *correct);

/* Recalibration of the norms (MCUNet 2.3 / Slimmable networks): forward with
 * batch statistics; the k-th call (k from 0) makes m's running statistics the
 * mean over the k + 1 batches so far. */
void nn_recalibrate(Model *m, Workspace *ws, const float *images, int n, int k);

/* Smallest and largest value of every layer's output (after norm, activation),
 * with running statistics, widening lo[layer] and hi[layer]; for quant/. */
void nn_ranges(const Model *m, Workspace *ws, const float *images, int n, float *lo, float *hi);

/* Mean cross entropy without smoothing, and the number of correct answers. */
double nn_score(const float *logits, const int *labels, int n, int n_classes, int *correct);

/* Logits [n][n_classes] become probabilities in place. */
void nn_probabilities(float *logits, int n, int n_classes);

/* SGD with Nesterov's momentum; weight decay on the weights `w` alone, not on
 * norms and biases. velocity has m->n_params floats. */
void sgd_step(Model *m, float *velocity, const Model *grad, double rate, double momentum,
              double weight_decay);
/* running = (1 - share) * running + share * batch */
void model_track_stats(Model *m, const Model *grad, double share);
/* Cosine to zero with a linear warm-up, both in steps. */
double cosine_rate(double base, int64_t step, int64_t total, int64_t warm_up);

#endif
