/* small_database.h - a database with two runs: an empty one, and one with three candidates. */
#ifndef SMALL_DATABASE_H
#define SMALL_DATABASE_H

#include "base/alloc.h"
#include "results/results.h"
#include "tests/suite.h"

#include <string.h>

#define MADE(call) ck_assert_msg((call) == 0, "%s", error_text())

static char db[64];

static inline void make_database(void)
{
    Results *r;
    int64_t run;
    strcpy(db, "/tmp/thimble_command_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(db));
    strcat(db, "/t.db");
    MADE(results_open(&r, db, false));
    RunRow row = {.name = "faces",
                  .target = "m4",
                  .config = "a: 1\n",
                  .latency_unit = "cycles",
                  .policy = "stream"};
    MADE(results_run_new(r, &row, &run));
    MADE(results_run_new(r, &row, &run));
    for (int i = 0; i < 3; i++) {
        CandidateRow c = {.number = i,
                          .genotype = "g",
                          .hash = (uint64_t)i,
                          .state = "done",
                          .parent = {-1, -1},
                          .fitness = 0.5 + 0.1 * i,
                          .accuracy = 0.5 + 0.1 * i,
                          .test_accuracy = -1,
                          .int8_accuracy = -1,
                          .sram = 1000 + 100 * i,
                          .flash = 2000,
                          .macs = 3,
                          .latency = 4};
        MADE(results_candidate_put(r, run, &c));
    }
    results_close(r);
}

static inline void remove_database(void)
{
    *strrchr(db, '/') = 0;
    char *command = xasprintf("rm -rf '%s'", db);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

#endif
