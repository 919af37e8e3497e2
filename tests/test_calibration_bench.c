/* The benchmark for real boards on an emulated one, against what else counts there. */
#define _GNU_SOURCE
#include "calibration/calibration_bench.h"

#include "base/alloc.h"
#include "base/file.h"
#include "calibration/board_log.h"
#include "calibration/calibration_nets.h"
#include "config/config.h"
#include "evaluator/cycles.h"
#include "evaluator/process.h"
#include "tests/suite.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NETS = 2, RUNS = 3 }; /* RUNS: TB_BENCH_RUNS, each once as a whole and once by segments */

static char folder[] = "/tmp/thimble-bench-XXXXXX";

static bool tools_missing(const char *test)
{
    const char *missing = device_missing();
    if (missing)
        printf("SKIPPED %s: %s is not installed\n", test, missing);
    return missing;
}

static CalibrationBench bench_for(const Target *t)
{
    CalibrationBench b = {.nets = NETS, .seed = 2};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    b.dir = xasprintf("%s/bench", folder);
    ck_assert_msg(calibration_bench(&b, t) == 0, "%s", error_text());
    return b;
}

static void remove_bench(const CalibrationBench *b)
{
    char *command = xasprintf("rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
    free(command);
    free((char *)b->dir);
}

/* As a user does it: make, make run > board.log */
static void run_bench(const CalibrationBench *b, const char *log)
{
    char *output;
    const char *build[] = {"make", "-s", NULL}, *run[] = {"make", "-s", "run", NULL};
    Process p = {.argv = build, .dir = b->dir, .timeout_s = 300};
    ck_assert_int_eq(process_run(&p, &output), 0);
    ck_assert_str_eq(output, ""); /* no warning either */
    free(output);
    p.argv = run;
    ck_assert_int_eq(process_run(&p, &output), 0);
    ck_assert_int_eq(file_write(log, output, strlen(output)), 0);
    free(output);
}

static uint64_t instructions_of(const TimedPlan *p, const Target *t)
{
    TimedPlan *again = xcalloc(1, sizeof *again);
    DeviceRun *run = xcalloc(1, sizeof *run);
    QModel q;
    timed_plan_init(again, 2, p->number);
    ck_assert_int_eq(calibration_model(&again->net, &again->rng, &q), 0);
    int8_t *image = xcalloc(1, net_tensor_bytes(&again->net, NET_IMAGE));
    DeviceOptions o = {.target = t, .plan = again->options, .images = image, .n_images = 1};
    ck_assert_msg(device_run(&q, &o, run) == 0, "%s", error_text());
    uint64_t n = run->instructions;
    free(image);
    qmodel_release(&q);
    free(run);
    free(again);
    return n;
}

TEST(the_benchmark_counts_what_an_exported_network_counts)
{
    if (tools_missing(__func__))
        return;
    Target t;
    BoardLog log;
    ck_assert_msg(config_target(&t, "cortex-m7") == 0, "%s", error_text());
    CalibrationBench b = bench_for(&t);
    char *path = xasprintf("%s/board.log", folder);
    run_bench(&b, path);
    ck_assert_msg(board_log_read(&log, path, &t) == 0, "%s", error_text());
    ck_assert_int_eq(log.n, b.taken);
    ck_assert_str_eq(log.compiler, t.latency.compiler);
    for (int i = 0; i < 2; i++) { /* the second one pulls its image */
        double n = (double)instructions_of(&log.plan[i], &t);
        ck_assert_double_eq_tol((double)log.plan[i].whole / n, 1, 0.005);
    }
    board_log_release(&log);
    free(path);
    remove_bench(&b);
}
END

/* What the plugin counted of kernels and executor, in all runs of all plans. */
static double counted_instructions(const CalibrationBench *b)
{
    char *path = xasprintf("%s/cycles.txt", b->dir), *text = file_read(path, NULL), *rest = text;
    double sum = 0;
    ck_assert_ptr_nonnull(text);
    for (char *line; (line = strsep(&rest, "\n"));) {
        char name[64];
        uint64_t n;
        if (sscanf(line, "%63s %" SCNu64, name, &n) == 2 &&
            (cycles_steps_of(name) || strncmp(name, "tb_run", 6) == 0))
            sum += (double)n;
    }
    free(path);
    free(text);
    return sum;
}

TEST(the_plugin_counts_the_same_instructions_and_more_cycles)
{
    Target t;
    double per[N_STEPS] = {0}, whole = 0;
    if (tools_missing(__func__))
        return;
    ck_assert_msg(config_target(&t, "cortex-m4") == 0, "%s", error_text());
    if (cycles_missing(&t)) {
        printf("SKIPPED %s: %s\n", __func__, cycles_missing(&t));
        return;
    }
    CalibrationBench b = bench_for(&t);
    char *path = xasprintf("%s/board.log", folder);
    BoardLog log;
    ck_assert_msg(cycles_measure(b.dir, &t, per) == 0, "%s", error_text());
    run_bench(&b, path);
    ck_assert_msg(board_log_read(&log, path, &t) == 0, "%s", error_text());
    for (int i = 0; i < log.n; i++)
        whole += 2.0 * RUNS * (double)log.plan[i].whole;
    ck_assert_double_eq_tol(counted_instructions(&b) / whole, 1, 0.005);
    ck_assert_double_gt(per[STEP_CONV_PAIRS], 1.1);
    ck_assert_double_lt(per[STEP_CONV_PAIRS], 2); /* more than half of all touch no memory */
    for (int s = 0; s < N_STEPS; s++)
        if (per[s] > 0 && strcmp(t.latency.compiler, log.compiler) == 0)
            ck_assert_double_eq_tol(per[s] / t.latency.cycles_per_instruction[s], 1, 0.1);
    board_log_release(&log);
    free(path);
    remove_bench(&b);
}
END

TEST(only_plans_that_fit_are_taken)
{
    Target t;
    ck_assert_msg(config_target(&t, "cortex-m4") == 0, "%s", error_text());
    t.sram = 16 << 10;
    t.flash = 64 << 10;
    CalibrationBench b = {.nets = 30, .seed = 1};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    b.dir = xasprintf("%s/bench", folder);
    ck_assert_msg(calibration_bench(&b, &t) == 0, "%s", error_text());
    ck_assert_int_gt(b.taken, 2);
    ck_assert_int_lt(b.taken, 60);
    ck_assert_uint_lt(b.flash, t.flash);
    t.flash = 2000;
    b.taken = 0, b.flash = 0;
    ck_assert_int_eq(calibration_bench(&b, &t), -1);
    ck_assert_msg(strstr(error_text(), "none of 60 plans fits cortex-m4"), "%s", error_text());
    remove_bench(&b);
}
END

SUITE(calibration_bench, the_benchmark_counts_what_an_exported_network_counts,
      the_plugin_counts_the_same_instructions_and_more_cycles, only_plans_that_fit_are_taken)
