/* board_log.h - what a board's benchmark printed (runtime/bench/tb_bench.h), read back.
 *
 * Nothing in a log is taken on trust: its plans are made again from the seed it
 * names and must have the hashes it names; every segment must be there once and
 * in order; it must have ended. What is wrong is said with file and line. */
#ifndef BOARD_LOG_H
#define BOARD_LOG_H

#include "calibration/calibration.h"

typedef struct {
    char target[32];
    char unit[16];      /* "cycles"; "instructions" of an emulated board */
    char compiler[160];
    uint64_t seed, clock_hz;
    int n;
    TimedPlan *plan;    /* [n] */
} BoardLog;

/* For the target it is to calibrate. -1 with errorf(), and nothing to release. */
int board_log_read(BoardLog *log, const char *path, const Target *target);
void board_log_release(BoardLog *log);

#endif
