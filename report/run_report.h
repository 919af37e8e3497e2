/* run_report.h - what a run showed: how often a network was right, what it answered, what the
 * board took. For people, as JSON, and as CSV (of the one table there is). */
#ifndef RUN_REPORT_H
#define RUN_REPORT_H

#include "estimator/estimator.h"
#include "evaluator/device.h"
#include "evaluator/inputs.h"
#include "results/results.h"

/* A classifier's answers, counted. */
typedef struct {
    int n, correct;
    int mistaken, times; /* for which class most often, and how often; -1: never */
} ClassTally;

typedef struct {
    int n, correct;
    int ties;          /* largest score more than once: the first counts */
    int n_classes;
    ClassTally *class; /* [n_classes] */
} Tally;

/* output: [n][n_outputs], as host_outputs() made them of n of the inputs. */
void tally_make(Tally *t, const Inputs *in, int n, const int8_t *output, int n_outputs);
void tally_release(Tally *t);

typedef struct {
    const char *model, *data; /* as people call them */
    const QModel *q;
    PlanOptions plan;
    const Inputs *inputs;
    int n;                    /* of the inputs, spread over all */
    const int8_t *output;     /* [n][bytes of the last tensor] */
    uint32_t arena, touched;  /* predicted, and by host_run() */
} HostReport;

/* Accuracy where there are labels, else the outputs. -1 with errorf(). */
int report_host(const HostReport *r, Format format, FILE *out);

typedef struct {
    const char *model;
    const Target *target;
    PlanOptions plan;
    const Cost *cost;
    const DeviceRun *device;
} BoardReport;

/* -1 with errorf(), after all is printed, also when the board disagrees with host or plan. */
int report_board(const BoardReport *r, Format format, FILE *out);

#endif
