/* export_bench.h - writes a folder of C that times many plans on a board.
 *
 *   nets.c  nets.h     the list of them; nets/ holds a pair of files for each
 *   tb_bench.c  .h     runs them and prints a log: what to write for a board of one's own
 *   main.c             the same on an emulated board: make run > board.log
 *   tb.h  tb_*.c ...   the runtime, boards/, a Makefile: as export.h has them
 *
 * Written beside and renamed: a folder is complete or not there. */
#ifndef EXPORT_BENCH_H
#define EXPORT_BENCH_H

#include "estimator/estimator.h"
#include "quant/qmodel.h"

typedef struct {
    const QModel *q;
    const Plan *plan;
    uint64_t hash;
    int number; /* both are printed into the log */
} BenchPlan;

typedef struct {
    const char *dir;
    const Target *target;
    uint64_t seed;
} BenchOptions;

/* -1 with errorf(). A folder that is there is replaced when it is one of these, or empty. */
int export_bench(const BenchPlan *plans, int n, const BenchOptions *options);

#endif
