#define _GNU_SOURCE
#include "calibration/board_log.h"

#include "base/file.h"
#include "config/config.h"
#include "runtime/tb.h"
#include "tests/suite.h"
#include "tests/timed_plans.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PLANS = 6, LINES = 400 };

static const Target board = {.name = "a_board", .clock_hz = 100000000};
static char path[] = "/tmp/thimble-log-XXXXXX";

/* ---- a log as tb_bench.c prints it, line by line, so that a test can spoil one ---- */

typedef struct {
    char *line[LINES];
    int n;
    uint32_t sum;
} Log;

static void add(Log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(Log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ck_assert_int_lt(log->n, LINES);
    ck_assert_int_gt(vasprintf(&log->line[log->n++], format, args), 0);
    va_end(args);
}

static void add_plan(Log *log, const TimedPlan *t)
{
    uint64_t hash = timed_plan_hash(t);
    for (int i = 0; i < t->n_entries; i++) {
        add(log, "tb 1 model %016" PRIx64 " plan %d segment %d of %d cycles %" PRIu64, hash,
            t->number, i, t->n_entries, t->entry[i]);
        log->sum += (uint32_t)t->entry[i];
    }
    add(log, "tb 1 model %016" PRIx64 " plan %d whole cycles %" PRIu64, hash, t->number, t->whole);
    log->sum += (uint32_t)t->whole;
}

static void make_log(Log *log, const TimedPlan *t)
{
    memset(log, 0, sizeof *log);
    add(log, "tb 1 begin target a_board runtime %d seed 5 plans %d unit cycles clock 100000000",
        TB_VERSION, PLANS);
    add(log, "tb 1 compiler gcc 1.2.3 -O2, or so");
    for (int i = 0; i < PLANS; i++)
        add_plan(log, &t[i]);
    add(log, "tb 1 end lines %d sum %" PRIu32, log->n, log->sum);
}

static void release_log(Log *log)
{
    for (int i = 0; i < log->n; i++)
        free(log->line[i]);
}

/* Lines [from, to), each followed by `end`. */
static void write_log(const Log *log, int from, int to, const char *end)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    for (int i = from; i < to; i++)
        fprintf(f, "%s%s", log->line[i], end);
    fclose(f);
}

static TimedPlan *made_log(Log *log)
{
    Rng rng = rng_make(1, 0);
    Latency truth = known_latency(&rng);
    TimedPlan *t = timed_plans(5, PLANS, &truth);
    make_log(log, t);
    close(mkstemp(path));
    return t;
}

/* Refused, with the file and this line (0: any) and these words. */
static void refused(int line, const char *words)
{
    BoardLog read;
    char where[64];
    snprintf(where, sizeof where, line ? "%s:%d: " : "%s", path, line);
    ck_assert_msg(board_log_read(&read, path, &board) == -1, "%s is accepted", path);
    ck_assert_msg(strstr(error_text(), where) && strstr(error_text(), words),
                  "wanted %s%s, said %s", where, words, error_text());
}

/* ---- tests ---- */

static void check_same(const BoardLog *read, const TimedPlan *t)
{
    ck_assert_int_eq(read->n, PLANS);
    for (int i = 0; i < PLANS; i++) {
        const TimedPlan *r = &read->plan[i];
        ck_assert_int_eq(r->number, t[i].number);
        ck_assert_uint_eq(r->whole, t[i].whole);
        ck_assert_int_eq(r->n_entries, t[i].n_entries);
        ck_assert_mem_eq(r->entry, t[i].entry, sizeof t[i].entry);
        ck_assert_mem_eq(&r->plan, &t[i].plan, sizeof t[i].plan);
    }
}

TEST(a_log_is_read_back_whatever_else_came_over_the_line)
{
    Log log;
    BoardLog read;
    TimedPlan *t = made_log(&log);
    const char *ends[] = {"\n", "\r\n", "\n\n[42] hello\ntemperature 30\n"};
    for (int i = 0; i < 3; i++) {
        write_log(&log, 0, log.n, ends[i]);
        ck_assert_msg(board_log_read(&read, path, &board) == 0, "%s", error_text());
        check_same(&read, t);
        ck_assert_str_eq(read.unit, "cycles");
        ck_assert_str_eq(read.compiler, "gcc 1.2.3 -O2, or so");
        ck_assert_uint_eq(read.clock_hz, 100000000);
        board_log_release(&read);
    }
    release_log(&log);
    free(t);
    unlink(path);
}
END

TEST(a_log_that_stops_or_lacks_a_line_or_has_one_twice_is_refused)
{
    Log log;
    TimedPlan *t = made_log(&log);
    for (int i = 0; i < log.n; i++) {
        write_log(&log, 0, i, "\n");
        refused(i, i ? "the log stops here, before 'tb 1 end'" : "no line begins with");
        write_log(&log, i + 1, log.n, "\n");
        refused(0, "");
        char *line = log.line[i];
        log.line[i] = "";
        write_log(&log, 0, log.n, "\n");
        refused(0, "");
        log.line[i] = line;
        ck_assert_int_gt(asprintf(&log.line[i], "%s\n%s", line, line), 0);
        write_log(&log, 0, log.n, "\n");
        refused(0, "");
        free(log.line[i]);
        log.line[i] = line;
    }
    release_log(&log);
    free(t);
    unlink(path);
}
END

/* But for the compiler's name, of which nothing depends, and the last digits of the clock. */
TEST(no_letter_of_a_log_can_be_another)
{
    Log log;
    TimedPlan *t = made_log(&log);
    for (int i = 0; i < log.n; i++) {
        size_t n = i == 1 ? 0 : strlen(log.line[i]) - (i == 0 ? 7 : 0);
        for (size_t at = 0; at < n; at += i % 7 ? 5 : 1) {
            char was = log.line[i][at];
            if (was == ' ')
                continue;
            log.line[i][at] = was == '7' ? '8' : '7';
            write_log(&log, 0, log.n, "\n");
            refused(0, "");
            log.line[i][at] = was;
        }
    }
    release_log(&log);
    free(t);
    unlink(path);
}
END

/* Line `at` (from 1) instead of the log's own. */
static void spoiled(Log *log, int at, const char *line, const char *words)
{
    char *was = log->line[at - 1];
    log->line[at - 1] = (char *)line;
    write_log(log, 0, log->n, "\n");
    refused(at, words);
    log->line[at - 1] = was;
}

TEST(what_is_wrong_is_said_with_its_line)
{
    Log log;
    TimedPlan *t = made_log(&log);
    char line[160];
    spoiled(&log, 1, "tb 1 begin target a_board runtime 0 seed 5 plans 6 unit cycles clock 0",
            "the board ran kernels of runtime 0");
    snprintf(line, sizeof line, "tb 1 begin target moon runtime %d seed 5 plans 6 unit cycles "
             "clock 0", TB_VERSION);
    spoiled(&log, 1, line, "this is a log of the target moon, not of a_board");
    snprintf(line, sizeof line, "tb 1 begin target a_board runtime %d seed 5 plans 6 unit cycles "
             "clock 84000000", TB_VERSION);
    spoiled(&log, 1, line, "the board ran at 84000000 Hz, the target a_board says 100000000 Hz");
    snprintf(line, sizeof line, "tb 1 begin target a_board runtime %d seed 6 plans 6 unit cycles "
             "clock 0", TB_VERSION);
    char *was = log.line[0];
    log.line[0] = line;
    write_log(&log, 0, log.n, "\n");
    refused(3, "plan 0 is not the one that this program makes of seed 6");
    log.line[0] = was;
    snprintf(line, sizeof line, "tb 1 model %016" PRIx64 " plan 0 segment 0 of %d cycles 0",
             timed_plan_hash(t), t->n_entries);
    spoiled(&log, 3, line, "segment 0 took no time: does tb_cycles() count?");
    snprintf(line, sizeof line, "tb 1 model %016" PRIx64 " plan 0 whole cycles %" PRIu64,
             timed_plan_hash(t), t->whole / 3);
    spoiled(&log, 3 + t->n_entries, line, "is the counter of tb_cycles() 32 bits wide");
    release_log(&log);
    free(t);
    unlink(path);
}
END

/* tests/boards/cortex-m4.log is of an emulated board; `make board-log` makes it anew, which it
 * wants when this fails after a change of the kernels, of the planner or of the networks. */
TEST(the_example_fits)
{
    BoardLog log;
    Target m4;
    ck_assert_msg(config_target(&m4, "cortex-m4") == 0, "%s", error_text());
    ck_assert_msg(board_log_read(&log, "tests/boards/cortex-m4.log", &m4) == 0,
                  "%s; make board-log", error_text());
    Latency fitted = {.unit = "instructions"};
    calibration_fit(&fitted, log.plan, log.n);
    ck_assert_str_eq(log.unit, "instructions");
    ck_assert_double_lt(fitted.error, 0.02);
    ck_assert_double_gt(fitted.weight[OP_CONV][FEATURE_MAC], 0);
    board_log_release(&log);
}
END

SUITE(board_log, a_log_is_read_back_whatever_else_came_over_the_line,
      a_log_that_stops_or_lacks_a_line_or_has_one_twice_is_refused,
      no_letter_of_a_log_can_be_another, what_is_wrong_is_said_with_its_line, the_example_fits)
