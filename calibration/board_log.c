#define _GNU_SOURCE
#include "calibration/board_log.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "runtime/tb.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PLANS = 20000 };

/* Of a plan the segments come first, one by one, then the whole; of a log the plans. */
typedef struct {
    BoardLog *log;
    const Target *target;
    const char *path;
    int line, n_lines;  /* of the file; of ours */
    int done;           /* plans that are complete */
    uint32_t sum;       /* of all counts */
    bool begun, ended;
} Reader;

static int wrong(const Reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(const Reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *why = NULL;
    if (vasprintf(&why, format, args) < 0)
        why = NULL;
    va_end(args);
    int status = errorf("%s:%d: %s", r->path, r->line, why ? why : format);
    free(why);
    return status;
}

/* Did sscanf() get all n values, and to the end of the line? */
static bool is_all(int got, int n, const char *line, int used)
{
    return got == n && used > 0 && line[used] == 0;
}

/* ---- the first line ---- */

static int check_begin(const Reader *r, int runtime)
{
    const BoardLog *log = r->log;
    uint64_t clock = r->target->clock_hz;
    if (runtime != TB_VERSION)
        return wrong(r, "the board ran kernels of runtime %d and this program has runtime %d: "
                     "export the benchmark again", runtime, TB_VERSION);
    if (strcmp(log->target, r->target->name) != 0)
        return wrong(r, "this is a log of the target %s, not of %s", log->target, r->target->name);
    if (strcmp(log->unit, "cycles") != 0 && strcmp(log->unit, "instructions") != 0)
        return wrong(r, "the unit is cycles or instructions, not %s", log->unit);
    if (log->clock_hz && clock && fabs((double)log->clock_hz / (double)clock - 1) > 0.01)
        return wrong(r, "the board ran at %" PRIu64 " Hz, the target %s says %" PRIu64 " Hz",
                     log->clock_hz, log->target, clock);
    if (log->n < 1 || log->n > MOST_PLANS)
        return wrong(r, "%d plans are no benchmark", log->n);
    return 0;
}

static int read_begin(Reader *r, const char *line)
{
    BoardLog *log = r->log;
    int runtime = 0, used = 0;
    int got = sscanf(line, "tb 1 begin target %31s runtime %d seed %" SCNu64 " plans %d unit %15s "
                     "clock %" SCNu64 "%n", log->target, &runtime, &log->seed, &log->n, log->unit,
                     &log->clock_hz, &used);
    if (!is_all(got, 6, line, used))
        return wrong(r, "this line is garbled: %.60s", line);
    if (r->begun)
        return wrong(r, "the benchmark begins again: keep the lines of one run");
    r->begun = true;
    if (check_begin(r, runtime) != 0)
        return -1;
    log->plan = xcalloc((size_t)log->n, sizeof *log->plan);
    return 0;
}

/* ---- lines of a plan ---- */

static int begin_plan(Reader *r, const char *line)
{
    TimedPlan *t = &r->log->plan[r->done];
    int number = -1, last = r->done ? t[-1].number : -1;
    if (sscanf(line, "tb 1 model %*s plan %d", &number) != 1 || number <= last ||
        number > MOST_PLANS)
        return wrong(r, "this line is garbled: %.60s", line);
    timed_plan_init(t, r->log->seed, number);
    return 0;
}

static bool is_foreign(const TimedPlan *t, const char *hash)
{
    char ours[24];
    snprintf(ours, sizeof ours, "%016" PRIx64, timed_plan_hash(t));
    return strcmp(hash, ours) != 0;
}

static int foreign(const Reader *r)
{
    return wrong(r, "plan %d is not the one that this program makes of seed %" PRIu64
                 ": export the benchmark again", r->log->plan[r->done].number, r->log->seed);
}

static int read_segment(Reader *r, const char *line)
{
    TimedPlan *t = &r->log->plan[r->done];
    int number, segment, of, used = 0;
    char hash[24], unit[16];
    uint64_t took;
    int got = sscanf(line, "tb 1 model %23s plan %d segment %d of %d %15s %" SCNu64 "%n", hash,
                     &number, &segment, &of, unit, &took, &used);
    if (!is_all(got, 6, line, used) || strcmp(unit, r->log->unit) != 0)
        return wrong(r, "this line is garbled: %.60s", line);
    if (number != t->number || segment != t->n_entries)
        return wrong(r, "plan %d, segment %d is missing", t->number, t->n_entries);
    if (is_foreign(t, hash) || of != timed_plan_entries(t))
        return foreign(r);
    if (took == 0)
        return wrong(r, "segment %d took no time: does tb_cycles() count?", segment);
    if (t->n_entries < DEVICE_MAX_SEGMENTS)
        t->entry[t->n_entries] = took;
    t->n_entries++;
    r->sum += (uint32_t)took;
    return 0;
}

static double sum_of(const TimedPlan *t)
{
    double sum = 0;
    for (int i = 0; i < t->n_entries; i++)
        sum += (double)t->entry[i];
    return sum;
}

static int read_whole(Reader *r, const char *line)
{
    TimedPlan *t = &r->log->plan[r->done];
    int number, used = 0;
    char hash[24], unit[16];
    int got = sscanf(line, "tb 1 model %23s plan %d whole %15s %" SCNu64 "%n", hash, &number, unit,
                     &t->whole, &used);
    if (!is_all(got, 4, line, used) || strcmp(unit, r->log->unit) != 0)
        return wrong(r, "this line is garbled: %.60s", line);
    if (number != t->number || t->n_entries != timed_plan_entries(t))
        return wrong(r, "plan %d, segment %d is missing", t->number, t->n_entries);
    if (is_foreign(t, hash))
        return foreign(r);
    if (fabs(sum_of(t) / (double)t->whole - 1) > 0.5)
        return wrong(r, "the whole took %" PRIu64 ", its segments together %.0f: is the counter of "
                     "tb_cycles() 32 bits wide, and nothing else running?", t->whole, sum_of(t));
    r->done++;
    r->sum += (uint32_t)t->whole;
    return 0;
}

static int read_model(Reader *r, const char *line)
{
    const TimedPlan *t = &r->log->plan[r->done];
    if (r->done == r->log->n)
        return wrong(r, "there are more plans than the %d of the first line", r->log->n);
    if (t->n_entries == 0 && begin_plan(r, line) != 0)
        return -1;
    if (timed_plan_entries(t) > DEVICE_MAX_SEGMENTS)
        return wrong(r, "plan %d has more segments than a log may have", t->number);
    return strstr(line, " whole ") ? read_whole(r, line) : read_segment(r, line);
}

/* ---- the whole ---- */

static int read_end(Reader *r, const char *line)
{
    int n = 0, used = 0;
    uint32_t sum;
    int got = sscanf(line, "tb 1 end lines %d sum %" SCNu32 "%n", &n, &sum, &used);
    if (!is_all(got, 2, line, used))
        return wrong(r, "this line is garbled: %.60s", line);
    if (r->done != r->log->n || n != r->n_lines)
        return wrong(r, "the board printed %d lines of %d plans, here are %d of %d", n, r->log->n,
                     r->n_lines, r->done);
    if (sum != r->sum)
        return wrong(r, "the counts of the board add up to %" PRIu32 ", those here to %" PRIu32
                     ": a digit is not what it was", sum, r->sum);
    r->ended = true;
    return 0;
}

static bool begins(const char *line, const char *words)
{
    return strncmp(line, words, strlen(words)) == 0;
}

static int read_line(Reader *r, const char *line)
{
    static const char compiler[] = "tb 1 compiler ";
    if (r->ended)
        return wrong(r, "a line behind the end: keep the lines of one run");
    if (begins(line, "tb 1 end "))
        return r->begun ? read_end(r, line) : wrong(r, "the beginning is missing");
    r->n_lines++;
    if (begins(line, "tb 1 begin "))
        return read_begin(r, line);
    if (!r->begun)
        return wrong(r, "the beginning is missing");
    if (begins(line, "tb 1 model "))
        return read_model(r, line);
    if (!begins(line, compiler))
        return wrong(r, "this line is garbled: %.60s", line);
    snprintf(r->log->compiler, sizeof r->log->compiler, "%s", line + strlen(compiler));
    return 0;
}

static int read_lines(Reader *r, char *text)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        r->line += text || line[0]; /* not behind the last end of a line */
        line[strcspn(line, "\r")] = 0;
        if (begins(line, "tb ") && read_line(r, line) != 0)
            return -1;
    }
    if (!r->begun)
        return errorf("%s: no line begins with 'tb 1 begin': it is no log of thimble's benchmark",
                      r->path);
    return r->ended ? 0 : wrong(r, "the log stops here, before 'tb 1 end'");
}

int board_log_read(BoardLog *log, const char *path, const Target *target)
{
    memset(log, 0, sizeof *log);
    Reader r = {.log = log, .target = target, .path = path};
    char *text = file_read(path, NULL);
    int status = text ? read_lines(&r, text) : -1;
    free(text);
    if (status != 0)
        board_log_release(log);
    return status;
}

void board_log_release(BoardLog *log)
{
    free(log->plan);
    log->plan = NULL;
}
