/* summary.h - what a finished job says, on stdout: for people. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "job/pipeline.h"

/* Space, front, winner, predicted beside measured. -1 with errorf() when the
 * board disagreed with the host or with the plan. */
int pipeline_summary(Pipeline *p);

/* -1 with errorf() when outputs, canaries or arena are not as they should be. */
int summary_verdict(const Cost *cost, const DeviceRun *d);
/* A figure as it was predicted and as the emulated board has it. */
typedef struct {
    const char *what, *unit;
    double predicted; /* negative: the target has no calibration that says it */
    double measured;
} BoardFigure;
enum { BOARD_FIGURES = 4 };
void summary_figures(const Target *t, const Cost *cost, const DeviceRun *d,
                     BoardFigure figure[BOARD_FIGURES]);

/* Prints arena, flash, stack and latency as they were predicted and as they are. Returns
 * summary_verdict(). */
int summary_device(const Target *t, const Cost *cost, const DeviceRun *d);

#endif
