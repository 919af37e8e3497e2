/* calibration_bench.h - the designed set (calibration.h) as one program for a board. */
#ifndef CALIBRATION_BENCH_H
#define CALIBRATION_BENCH_H

#include "estimator/estimator.h"

typedef struct {
    const char *dir;
    int nets;
    uint64_t seed;
    /* found: */
    int taken;      /* plans that fit the target, one after the other */
    uint64_t flash; /* bytes of these, without code */
} CalibrationBench;

/* Writes the folder (exporter/export_bench.h). -1 with errorf(). */
int calibration_bench(CalibrationBench *bench, const Target *target);

#endif
