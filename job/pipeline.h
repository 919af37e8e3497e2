/* pipeline.h - the main job as a journey of data, one phase after the other.
 *
 *     space      stage 1: the (width, resolution)
 *     train      the largest network, then the supernet
 *     search     stage 2: candidates that fit, scored with the supernet's weights
 *     finetune   the winner alone
 *     quantize   int8, accuracy through the runtime on the host
 *     measure    the exported C on the emulated board
 *
 * A run that is given its network has neither space nor search: it trains that
 * one as a winner is fine-tuned, and goes on with quantize.
 *
 * Every phase leaves what it made in the database, and a phase that finds its
 * result there does not work again. So a job that was killed continues by
 * running the phases from the start. */
#ifndef PIPELINE_H
#define PIPELINE_H

#include "config/config.h"
#include "evaluator/accuracy.h"
#include "evaluator/device.h"
#include "quant/qmodel.h"
#include "results/results.h"

typedef struct {
    Job job;
    Results *db;
    int64_t run;
    int width;             /* what stage 1 chose, indices into the space */
    Choices resolutions;   /* fewest pixels first */
    Net given;             /* where the run trains one network alone (given.h), */
    bool is_given;         /* which has its own input and knows no space */
    int n_classes;
    Data size[SPACE_MAX_CHOICES]; /* [n_sizes] the same images at each of the resolutions */
    int n_sizes;
    Data data;             /* borrowed of them: the largest, then the winner's */
    bool has_data;
    int *fit, n_fit;       /* training images that train; behind them in `fit` the others */
    int *valid, n_valid;   /* training images that score candidates, of the others */
    int n_held;            /* and all the others, behind them in `valid`, score finalists */
    Supernet supernet;
    bool has_supernet;
    bool is_trained;       /* the supernet was, in this run or another: it is only read */
    Workspace **workspace; /* [threads] */
    Candidate winner;
    DeviceRun device;      /* of the winner; n_inputs is 0 when it was not measured */
    double counted;        /* when time was last added to the run */
} Pipeline;

/* "16,384 B (16.0 KiB) of SRAM, 49,152 B (48.0 KiB) of flash, 60.0M instructions" */
#define LIMITS_TEXT 192
void pipeline_limits_text(const Job *job, char text[LIMITS_TEXT]);
/* Stage 1 of a job, with its progress and a line about its end on stderr. */
void pipeline_sweep(const Job *job, Sweep *s);
/* "24x24, 28x28 and 32x32" */
#define RESOLUTIONS_TEXT 128
void pipeline_resolutions_text(const Space *space, const Choices *c, char text[RESOLUTIONS_TEXT]);
int pipeline_record_sweep(Results *db, int64_t run, const Space *space, const Sweep *s);

/* -1 with errorf() when the job's schedule is one that is never executed. */
int pipeline_check(const Job *job);
/* Of its data: two or more; -1 with errorf(). */
int pipeline_classes(const DataOptions *data);
/* Where its plan has the input image: "inside" the arena or "outside". */
const char *pipeline_image(const Job *job);

/* Everything after it is released by pipeline_release(), whatever failed. */
void pipeline_init(Pipeline *p, const Job *job, Results *db, int64_t run);
void pipeline_release(Pipeline *p);
/* A network that a run has evaluated, by "RUN:best" or "RUN:NUMBER": the run's job, width and
 * resolution, ready for pipeline_qmodel(). schedule: another policy, or NULL. On -1 nothing is
 * left to release. */
int pipeline_open(Pipeline *p, Results *db, const char *what, const char *schedule,
                  CandidateRow *row);

int pipeline_given(Pipeline *p);    /* whether the run has a network given, and which */
int pipeline_space(Pipeline *p);    /* stage 1, recorded */
int pipeline_data(Pipeline *p);     /* images at the chosen resolutions, split */
/* Says what the hungriest of the phases to come takes, at most; -1 with errorf() when it is more
 * than `free` bytes, memory_free()'s. The images are there already. */
int pipeline_memory(const Pipeline *p, uint64_t free);
/* Whether a run's supernet is trained: 1 yes, 0 no, -1 error. */
int pipeline_trained(Results *db, int64_t run);
int pipeline_train(Pipeline *p);    /* largest, then supernet; their weights become blobs */
int pipeline_search(Pipeline *p);   /* winner */
int pipeline_finish(Pipeline *p);   /* fine-tune, quantise, measure the winner */
int pipeline_finish_given(Pipeline *p); /* the same with the given network, from random weights */

/* The int8 model of a candidate of this run: the fine-tuned winner's as it was
 * stored, another's made now from the supernet's weights. -1 with errorf(). */
int pipeline_qmodel(Pipeline *p, const CandidateRow *row, QModel *q);

/* A candidate as a network alone: no weights, and once the run has its winner no data either. */
int pipeline_net(Pipeline *p, const CandidateRow *row, Net *net);

/* Compares the exported C with the host on `n` test images and stores the
 * measurement. -1 with errorf(). */
int pipeline_measure(Pipeline *p, const QModel *q, const CandidateRow *row, int n, DeviceRun *run);

/* --- what the phases share (pipeline.c, training.c, searching.c, winner.c) */

int pipeline_count_time(Pipeline *p);               /* adds the time since the last call */
int pipeline_begin(Pipeline *p, const char *phase); /* notes the phase and the time */
const Data *pipeline_at(const Pipeline *p, int resolution); /* the images, of an index */
/* The images that recalibrate and score a candidate, as p->data has them. */
AccuracyProtocol pipeline_scoring(Pipeline *p);
/* What a training phase trains: a model; where it is shared, a supernet's networks, or one. */
typedef struct {
    const char *name; /* of the phase and its checkpoint */
    Model *model;
    const Supernet *supernet; /* train()'s, or NULL */
    const Net *inside;        /* train_inside()'s, or NULL */
    const TrainOptions *o;
} Training;

/* Trains from the checkpoint of this name, or goes on, or finds it done. */
int pipeline_train_phase(Pipeline *p, const Training *what);
int pipeline_winner(Pipeline *p, CandidateRow *row); /* its row, yours to release */

#endif
