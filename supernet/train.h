/* train.h - SGD on one network, alone or inside wider ones, or on a supernet's subnets.
 *
 * MCUNet's recipe (App. D): first the largest network alone, then each batch
 * goes through `subnets` random subnets whose gradients are averaged; momentum
 * SGD, cosine rate. One network is the case with no supernet. subnets.h has the
 * other recipes; where the largest subnet is always there, it may teach the
 * others (BigNAS, in-place distillation): they learn its probabilities of the
 * same images instead of the labels.
 *
 * Where a supernet has several resolutions, each step draws one for all of its
 * subnets (Once-for-all); it has the same examples at each of them.
 *
 * A step is a fixed list of tasks, (subnet, shard of the batch); each task
 * runs in one thread and the gradients are summed in the tasks' order. What a
 * step does follows from the seed and its number. So the weights are the same
 * for any number of threads, and a TrainState put back where it was goes on as
 * if nothing had happened. */
#ifndef TRAIN_H
#define TRAIN_H

#include "dataset/dataset.h"
#include "supernet/netaug.h"
#include "supernet/subnets.h"

typedef struct {
    int epochs;
    int batch;             /* images a step */
    int shards;            /* norms see batch / shards images; part of the result, unlike threads */
    int subnets;           /* a step, for a supernet [4] */
    bool sandwich;         /* the largest and the smallest are always among them */
    bool distill;          /* the largest teaches the others; with the sandwich only */
    Shrink shrink;         /* which choices are open, and when */
    NetAug netaug;         /* of train_inside() */
    double rate;           /* peak learning rate */
    double warm_up;        /* epochs */
    double momentum, weight_decay, label_smoothing;
    double average;        /* epochs: what comes out is the mean of the weights over about as many,
                            * exponential (Polyak and Juditsky 1992); 0: the last ones */
    double mixup;          /* mixup.h's alpha, 0 to 1; 0: none */
    bool all_images;       /* of the winner: those too that scored candidates */
    Augment augment;
    const Model *teacher;  /* answers too what is right, with its running statistics; borrowed, or
                            * NULL */
    double teaching;       /* the teacher's share in that, the labels have the rest; 0 to 1 */
    uint64_t seed;
    int threads;
} TrainOptions;

/* All that a step changes. */
typedef struct {
    int64_t step, steps;   /* done, in all */
    double loss_sum;       /* over the tasks of this epoch */
    int64_t seen, correct; /* images of this epoch, summed over tasks */
    double seconds;        /* spent in this epoch */
    Model *model;          /* trained in place; the supernet's shared weights, or a network */
    float *velocity;       /* [model->n_params] */
    Model mean;            /* over the steps so far, and after the last one `model` itself;
                            * without parameters where none is asked for */
} TrainState;

/* The most that training takes, in bytes; with subnets it is as if each were the whole. */
typedef struct {
    size_t weights;   /* model, momentum, gradients, what subnets borrow; a checkpoint */
    size_t batch;     /* images and what is right about them */
    size_t workspace; /* of each thread */
} TrainBytes;
/* whole: the network, a supernet's largest or the widest around `inside`. */
TrainBytes train_bytes(const Net *whole, const Supernet *supernet, const Net *inside,
                       const Dataset *d, int n_examples, const TrainOptions *o);

void train_state_init(TrainState *t, Model *model, const TrainOptions *o, int n_examples);
void train_state_release(TrainState *t);
/* To bytes and back (block yours to free); load: -1 with errorf() when the
 * bytes belong to another network or are damaged. */
void *train_state_save(const TrainState *t, size_t *size);
int train_state_load(TrainState *t, const void *data, size_t size);
bool train_state_done(const void *data, size_t size); /* such bytes, of the last step */

typedef struct {
    void *ctx;
    /* after every step: false stops the training, the state is whole; may be NULL */
    bool (*step)(void *ctx, const TrainState *t);
    /* after every epoch: its number from 1, mean loss, training accuracy, rate; may be NULL */
    void (*epoch)(void *ctx, const TrainState *t, int epoch, double loss, double accuracy,
                  double rate);
} TrainHooks;

/* Trains on d's images `index` [n] from t->step on. supernet: whose subnets, and then d has a
 * Dataset for each of its resolutions, or NULL for t->model itself. True when all epochs are done, false when a hook stopped it. */
bool train(TrainState *t, const Supernet *supernet, const Dataset *d, const int *index, int n,
           const TrainOptions *o, const TrainHooks *hooks);

/* The same for `net`, which o->netaug trains inside t->model, netaug_widen()'s. Loss and accuracy
 * are net's; its norms want recalibration. */
bool train_inside(TrainState *t, const Net *net, const Dataset *d, const int *index, int n,
                  const TrainOptions *o, const TrainHooks *hooks);

#endif
