#define _GNU_SOURCE
#include "evaluator/device.h"

#include "base/alloc.h"
#include "base/file.h"
#include "calibration/calibration_nets.h"
#include "config/config.h"
#include "evaluator/elf.h"
#include "evaluator/process.h"
#include "exporter/export.h"

#include "tests/random_qmodel.h"
#include "tests/suite.h"

#include <string.h>
#include <sys/stat.h>

/* One of every operator, kernels and strides that differ by axis, odd widths. */
static void every_operator(Net *net)
{
    net_begin(net, 17, 13, 3);
    int stem = net_conv(net, NET_IMAGE, 9, (Size2){3, 5}, (Size2){2, 1}, ACT_RELU6);
    int at = net_pointwise(net, stem, 21, ACT_RELU6);
    at = net_depthwise(net, at, square(5), square(1), ACT_RELU6);
    at = net_pointwise(net, at, 9, ACT_NONE);
    at = net_add(net, at, stem);
    at = net_pool(net, OP_MAX_POOL, at, square(2), square(1));
    at = net_pool(net, OP_AVG_POOL, at, (Size2){2, 3}, (Size2){1, 2});
    at = net_conv(net, at, 6, square(1), square(1), ACT_NONE);
    net_dense(net, net_global_pool(net, at), 5, ACT_NONE);
}

static Target board(const char *core, const char *machine)
{
    Target t = {.sram = 4 << 20, .flash = 4 << 20};
    snprintf(t.name, sizeof t.name, "%s", core);
    snprintf(t.core, sizeof t.core, "%s", core);
    snprintf(t.machine, sizeof t.machine, "%s", machine);
    return t;
}

enum { N_IMAGES = 3 };

static int run_every_operator(const Target *target, Policy policy, uint64_t seed, DeviceRun *run,
                              Plan *plan)
{
    const PlanOptions options = {.policy = (uint8_t)policy, .small = target->kernels == 1};
    Rng rng = rng_make(seed, 0);
    Net net;
    QModel q;
    every_operator(&net);
    random_qmodel(&q, &net, &rng);
    plan_make(&net, &options, plan);
    size_t n = (size_t)N_IMAGES * net_tensor_bytes(&net, NET_IMAGE);
    int8_t *images = xmalloc(n);
    for (size_t i = 0; i < n; i++)
        images[i] = random_int8(&rng);
    DeviceOptions o = {.target = target, .plan = options, .images = images,
                       .n_images = N_IMAGES, .timeout_s = 60};
    int status = device_run(&q, &o, run);
    free(images);
    qmodel_release(&q);
    return status;
}

static void check_board(const char *core, const char *machine, Policy policy)
{
    Target target = board(core, machine);
    DeviceRun run;
    Plan plan;
    uint64_t segments = 0;
    ck_assert_msg(run_every_operator(&target, policy, 1, &run, &plan) == 0, "%s", error_text());
    ck_assert_int_eq(run.n_inputs, N_IMAGES);
    ck_assert_int_eq(run.n_equal, N_IMAGES);
    ck_assert(run.canaries);
    ck_assert_uint_eq(run.arena, plan.arena); /* predicted is touched, to the byte */
    ck_assert_int_eq(run.n_layers, plan.n_segments);
    for (int i = 0; i < run.n_layers; i++) {
        ck_assert_uint_gt(run.layer[i], 0);
        segments += run.layer[i];
    }
    /* the loop over segments is all that is between: a dozen instructions each */
    ck_assert_uint_lt(segments, run.instructions + 20u * plan.n_segments);
    ck_assert_uint_lt(run.instructions, segments + 30u * plan.n_segments + 50);
    ck_assert_uint_gt(run.stack, 100);
    ck_assert_uint_lt(run.stack, 1024);
    ck_assert_uint_eq(run.data + run.bss, 0); /* no globals */
}

TEST(all_boards_answer_as_the_host_does)
{
    SKIP_LACKING(device_missing());
    check_board("cortex-m4", "mps2-an386", POLICY_LAYERWISE);
    check_board("cortex-m7", "mps2-an500", POLICY_INPLACE);
    check_board("cortex-m55", "mps3-an547", POLICY_LAYERWISE);
    check_board("cortex-m55", "mps3-an547", POLICY_INPLACE);
}
END

/* Cores without a latency model: what they answer counts, and that they fit. */
static void check_other_core(const char *name, Policy policy)
{
    Target target;
    DeviceRun run;
    Plan plan;
    const char *missing = device_missing_for(name);
    if (missing) {
        printf("SKIPPED %s: %s is not installed\n", name, missing);
        return;
    }
    ck_assert_msg(config_target(&target, name) == 0, "%s", error_text());
    ck_assert_msg(run_every_operator(&target, policy, 1, &run, &plan) == 0, "%s", error_text());
    ck_assert_int_eq(run.n_equal, N_IMAGES);
    ck_assert(run.canaries);
    ck_assert_uint_eq(run.arena, plan.arena);
    ck_assert_uint_gt(run.stack, 100);
    ck_assert_uint_le(run.stack, 1280); /* a quarter above what model.h says of gcc's -O2 */
    ck_assert_uint_eq(run.data + run.bss, 0);
    ck_assert((run.instructions > 0) == (strcmp(target.machine, "microbit") != 0));
}

TEST(a_cortex_m0plus_answers_as_the_host_does)
{
    check_other_core("cortex-m0plus", POLICY_STREAM);
}
END

TEST(a_cortex_m3_and_a_cortex_m33_do)
{
    check_other_core("cortex-m3", POLICY_INPLACE);
    check_other_core("cortex-m33", POLICY_STREAM);
}
END

TEST(a_32_bit_riscv_does)
{
    check_other_core("riscv32", POLICY_STREAM);
}
END

TEST(counts_repeat)
{
    SKIP_LACKING(device_missing());
    Target target = board("cortex-m4", "mps2-an386");
    DeviceRun a, b;
    Plan plan;
    ck_assert_msg(run_every_operator(&target, POLICY_INPLACE, 2, &a, &plan) == 0, "%s",
                  error_text());
    ck_assert_msg(run_every_operator(&target, POLICY_INPLACE, 2, &b, &plan) == 0, "%s",
                  error_text());
    ck_assert_mem_eq(&a, &b, sizeof a);
}
END

TEST(the_code_of_all_kernels_is_the_firmwares_text)
{
    SKIP_LACKING(device_missing());
    Target target = board("cortex-m7", "mps2-an500");
    DeviceRun run;
    Plan plan;
    CodeSize code;
    ck_assert_msg(device_code_size("cortex-m7", &code) == 0, "%s", error_text());
    ck_assert_msg(run_every_operator(&target, POLICY_LAYERWISE, 3, &run, &plan) == 0, "%s",
                  error_text());
    Net net;
    every_operator(&net);
    PlanSize size = plan_size(&net, &plan);
    for (int s = 0; s < N_STEPS; s++)
        ck_assert_uint_gt(code.kernel[s], 20);
    ck_assert_uint_eq(code.kernel[OP_GLOBAL_POOL], code.kernel[OP_AVG_POOL]);
    ck_assert_uint_eq(flash_of_code(&code, &size), (run.text + 3) / 4 * 4);
    ck_assert_ptr_nonnull(strstr(code.source, "-mcpu=cortex-m7"));
}
END

TEST(the_flash_that_was_predicted_is_the_flash_that_is_linked)
{
    SKIP_LACKING(device_missing());
    Target target = board("cortex-m4", "mps2-an386");
    DeviceRun run;
    Plan plan;
    Net net;
    every_operator(&net);
    ck_assert_msg(run_every_operator(&target, POLICY_LAYERWISE, 4, &run, &plan) == 0, "%s",
                  error_text());
    PlanSize size = plan_size(&net, &plan);
    ck_assert_uint_eq(run.rodata, flash_of_model(&net, &size));
}
END

/* A stem, blocks with and without shortcuts, now and then a pool: odd widths, kernels and
 * strides that differ by axis. */
static void random_blocks(Net *net, Rng *rng)
{
    net_begin(net, 9 + (int)rng_below(rng, 20), 9 + (int)rng_below(rng, 20),
              1 + (int)rng_below(rng, 3));
    int at = net_conv(net, NET_IMAGE, 3 + (int)rng_below(rng, 14), square(3),
                      (Size2){2, (uint8_t)(1 + rng_below(rng, 2))}, ACT_RELU6);
    for (int b = 2 + (int)rng_below(rng, 4); b > 0; b--) {
        const Layer *in = net_output(net);
        bool same = rng_below(rng, 2);
        uint8_t step = !same && in->out_h > 6 ? 2 : 1;
        int out_c = same ? in->out_c : 3 + (int)rng_below(rng, 30);
        Size2 kernel = {(uint8_t)(3 + 2 * rng_below(rng, 3)), (uint8_t)(3 + 2 * rng_below(rng, 2))};
        BlockShape shape = {.expands = rng_below(rng, 4) != 0, .out_c = out_c, .kernel = kernel,
                            .stride = {step, 1}, .residual = same};
        shape.mid = shape.expands ? in->out_c * (1 + (int)rng_below(rng, 5)) : in->out_c;
        at = net_block(net, at, &shape);
        if (in->out_h >= 4 && in->out_w >= 4 && rng_below(rng, 4) == 0)
            at = net_pool(net, rng_below(rng, 2) ? OP_AVG_POOL : OP_MAX_POOL, at, square(2),
                          square(1));
    }
    if (rng_below(rng, 2))
        at = net_global_pool(net, at);
    net_dense(net, at, 2 + (int)rng_below(rng, 9), ACT_NONE);
}

/* As configs/ has it, which knows code, stack and time of one compiler's firmware only. */
static Target calibrated(const char *core, bool *same_compiler)
{
    Target t;
    CodeSize here;
    ck_assert_msg(config_target(&t, core) == 0, "%s", error_text());
    ck_assert_msg(device_code_size(core, &here) == 0, "%s", error_text());
    *same_compiler = strcmp(here.source, t.code.source) == 0;
    if (!*same_compiler)
        t.code = here;
    return t;
}

static void check_prediction(const Net *net, const Target *target, PlanOptions options,
                             bool same_compiler, Rng *rng)
{
    QModel q;
    Plan plan;
    DeviceRun run;
    size_t n = (size_t)N_IMAGES * net_tensor_bytes(net, NET_IMAGE);
    int8_t *images = xmalloc(n);
    for (size_t i = 0; i < n; i++)
        images[i] = random_int8(rng);
    ck_assert_msg(calibration_model(net, rng, &q) == 0, "%s", error_text()); /* scales as trained */
    plan_make(net, &options, &plan);
    Cost cost = estimate(net, target, &options);
    DeviceOptions o = {.target = target, .plan = options, .images = images,
                       .n_images = N_IMAGES, .timeout_s = 60};
    ck_assert_msg(device_run(&q, &o, &run) == 0, "%s", error_text());
    ck_assert_uint_eq(cost.sram, plan.arena);
    ck_assert_uint_eq(run.arena, plan.arena);
    ck_assert(run.canaries);
    ck_assert_int_eq(run.n_inputs, N_IMAGES);
    ck_assert_int_eq(run.n_equal, N_IMAGES);
    ck_assert_uint_eq(run.rodata, cost.model_flash);
    ck_assert_msg(labs((long)cost.flash - (long)run.flash) * 50 <= (long)run.flash,
                  "predicted %u bytes of flash, linked %u", cost.flash, run.flash);
    if (same_compiler) {
        ck_assert_uint_le(run.stack, cost.stack + 8); /* it depends on how channels are scaled */
        ck_assert_uint_ge(run.stack + 80, cost.stack);
        ck_assert_uint_le(run.stack, 1024);
        ck_assert_double_eq_tol(cost.latency / (double)run.instructions, 1,
                                target->latency.worst + 0.05);
    }
    free(images);
    qmodel_release(&q);
}

TEST(what_is_predicted_of_random_networks_is_what_the_boards_take)
{
    SKIP_LACKING(device_missing());
    bool same[2];
    Target target[] = {calibrated("cortex-m4", &same[0]), calibrated("cortex-m7", &same[1])};
    for (int i = 0; i < 12; i++) { /* both boards with all policies, in turn */
        Rng rng = rng_make(8, (uint64_t)i);
        Net net;
        random_blocks(&net, &rng);
        ck_assert_msg(net_check(&net) == 0, "%s", error_text());
        PlanOptions options = {.policy = (uint8_t)(i / 2 % N_POLICIES), .image_outside = i / 2 % 3};
        if (i >= 8) { /* so little that something is computed twice */
            options.policy = POLICY_STREAM;
            options.sram = plan_arena(&net, &options) / 4 * 3;
        }
        check_prediction(&net, &target[i % 2], options, same[i % 2], &rng);
    }
}
END

static void expect(const char *dir, const char *const *argv, const char *line)
{
    char *output;
    int status = process_run(&(Process){.argv = argv, .dir = dir, .timeout_s = 100}, &output);
    ck_assert_msg(status == 0, "%s %s: %d: %s", argv[0], argv[1], status,
                  status < 0 ? error_text() : output);
    ck_assert_msg(!line || strstr(output, line), "%s %s: %s", argv[0], argv[1], output);
    ck_assert_msg(line || output[0] == 0, "%s %s is not silent: %s", argv[0], argv[1], output);
    free(output);
}

enum { WITH_SAMPLE = 1, WRONG_WEIGHT = 2 };

/* An exported folder of a random network. */
static void export_folder(const char *dir, uint64_t seed, int how)
{
    Target target = board("cortex-m7", "mps2-an500");
    Rng rng = rng_make(seed, 0);
    Net net;
    QModel q;
    int8_t sample[17 * 13 * 3];
    every_operator(&net);
    random_qmodel(&q, &net, &rng);
    if (how & WRONG_WEIGHT)
        q.layer[0].weights[0] ^= 0x40;
    for (size_t i = 0; i < sizeof sample; i++)
        sample[i] = random_int8(&rng);
    ExportOptions o = {.dir = dir, .target = &target, .sample = how & WITH_SAMPLE ? sample : NULL};
    ck_assert_msg(export_model(&q, &o) == 0, "%s", error_text());
    qmodel_release(&q);
}

#define STRICT "WARN=-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Werror"

static void builds_and_checks_itself(const char *dir, const char *core, const char *flags)
{
    char *board_is = xasprintf("BOARD=%s", core), *warn = xasprintf(STRICT " %s", flags);
    const char *build[] = {"make", "-s", warn, board_is, NULL};
    const char *run[] = {"make", "-s", board_is, "run", NULL};
    if (!device_missing_for(core)) {
        expect(dir, build, NULL);
        expect(dir, run, "sample equal\n");
    }
    free(warn);
    free(board_is);
}

/* The folder as a user meets it: make, make host, make run, make size, for every board, with
 * the options of a careful user and the float ABI of a project that uses the FPU. */
TEST(an_exported_folder_builds_without_a_word_and_checks_itself)
{
    SKIP_LACKING(device_missing());
    char dir[] = "/tmp/thimble-test-XXXXXX";
    const char *host[] = {"make", "-s", STRICT, "host", NULL};
    const char *run_m7[] = {"make", "-s", "run", NULL}; /* as board.mk says */
    const char *run_hard[] = {"make", "-s", "run", "CPU=-mcpu=cortex-m7 -mthumb -mfloat-abi=hard",
                              NULL};
    const char *self[] = {"./model_host", NULL}, *size[] = {"make", "-s", "size", NULL};
    const char *away[] = {"rm", "-rf", dir, NULL}, *clean[] = {"make", "-s", "clean", NULL};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    export_folder(dir, 7, WITH_SAMPLE);
    expect(dir, host, NULL);
    expect(dir, self, "sample equal\n");
    builds_and_checks_itself(dir, "cortex-m4", "");
    builds_and_checks_itself(dir, "cortex-m7", "");
    expect(dir, run_m7, "instructions ");
    expect(dir, size, ".tb_rodata");
    builds_and_checks_itself(dir, "cortex-m0plus", "-Os");
    builds_and_checks_itself(dir, "cortex-m33", "-O3 -std=gnu11");
    builds_and_checks_itself(dir, "riscv32", "");
    expect(dir, clean, NULL);
    builds_and_checks_itself(dir, "cortex-m4", "-O1 -flto -std=gnu99");
    expect(dir, clean, NULL);
    builds_and_checks_itself(dir, "cortex-m4", "-O0");
    expect(dir, clean, NULL);
    expect(dir, run_hard, "sample equal\n");
    expect("/", away, NULL);
}
END

TEST(one_wrong_weight_in_flash_fails_the_self_check_on_the_board)
{
    SKIP_LACKING(device_missing());
    char dir[] = "/tmp/thimble-test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *check = xasprintf("%s.c", dir);
    const char *keep[] = {"cp", "model_check.c", check, NULL};
    const char *put[] = {"cp", check, "model_check.c", NULL};
    const char *run[] = {"sh", "-c", "make -s run || true", NULL};
    const char *away[] = {"rm", "-rf", dir, check, NULL};
    export_folder(dir, 7, 0);
    expect(dir, keep, NULL);
    expect(dir, run, "sample equal\n");
    export_folder(dir, 7, WRONG_WEIGHT);
    expect(dir, put, NULL);
    expect(dir, run, "sample differs\n");
    expect("/", away, NULL);
    free(check);
}
END

TEST(what_cannot_be_built_or_run_is_said)
{
    SKIP_LACKING(device_missing());
    DeviceRun run;
    Plan plan;
    Target nowhere = board("cortex-m4", "");
    ck_assert_int_eq(run_every_operator(&nowhere, POLICY_LAYERWISE, 5, &run, &plan), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "no machine"));
    Target unknown = board("cortex-m99", "mps2-an386");
    ck_assert_int_eq(run_every_operator(&unknown, POLICY_LAYERWISE, 5, &run, &plan), -1);
    ck_assert_msg(strstr(error_text(), "make failed") && strstr(error_text(), "cortex-m99"), "%s",
                  error_text());
    Target machine = board("cortex-m4", "no-such-board");
    ck_assert_int_eq(run_every_operator(&machine, POLICY_LAYERWISE, 5, &run, &plan), -1);
    ck_assert_msg(strstr(error_text(), "qemu-system-arm failed"), "%s", error_text());
}
END

/* A script that answers to the name of one of the tools, ahead of it in PATH. */
static void pretend(const char *dir, const char *tool, const char *script)
{
    char *path = xasprintf("%s/%s", dir, tool), *text = xasprintf("#!/bin/sh\n%s\n", script);
    ck_assert_msg(file_write(path, text, strlen(text)) == 0, "%s", error_text());
    ck_assert_int_eq(chmod(path, 0755), 0);
    free(path);
    free(text);
}

static void gives(const char *dir, const char *tool, const char *script, const char *said)
{
    Target target = board("cortex-m4", "mps2-an386");
    Rng rng = rng_make(9, 0);
    Net net;
    QModel q;
    DeviceRun run;
    net_begin(&net, 2, 2, 1);
    net_dense(&net, NET_IMAGE, 2, ACT_NONE);
    random_qmodel(&q, &net, &rng);
    pretend(dir, tool, script);
    DeviceOptions o = {.target = &target, .plan = {.policy = POLICY_LAYERWISE},
                       .timeout_s = said ? 1 : 60}; /* without a word it really builds */
    int status = device_run(&q, &o, &run);
    ck_assert_int_eq(status, said ? -1 : 0);
    ck_assert_msg(!said || strcmp(error_text(), said) == 0, "'%s' is not '%s'", error_text(), said);
    ck_assert(said || !run.canaries);
    qmodel_release(&q);
}

TEST(a_board_that_hangs_faults_or_does_not_build_has_one_sentence)
{
    SKIP_LACKING(device_missing());
    char dir[] = "/tmp/thimble-test-XXXXXX";
    const char *qemu = "qemu-system-arm", *gcc = "arm-none-eabi-gcc";
    const char *away[] = {"rm", "-rf", dir, NULL};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *path = xasprintf("%s:%s", dir, getenv("PATH"));
    setenv("PATH", path, 1);
    pretend(dir, "make", ""); /* what is built does not matter yet */
    gives(dir, qemu, "echo instructions 7; sleep 100 & wait",
          "the board did not finish: qemu-system-arm was stopped after 1 s");
    gives(dir, qemu, "kill -9 $$", "the board did not finish: qemu-system-arm ended by signal 9");
    gives(dir, qemu, "echo instructions 7; echo fault; exit 2",
          "the board stopped at a fault (an address or an instruction it does not have)");
    gives(dir, qemu, "echo instructions 7", "the board stopped before it was done");
    gives(dir, qemu, "exit 1", "qemu-system-arm failed (1): nothing was said");
    gives(dir, "make", "sleep 100 & wait", "make was stopped after 1 s");
    ck_assert_int_eq(system("rm $(echo $PATH | cut -d: -f1)/make"), 0);
    gives(dir, gcc, "echo 'model.c:3: error: no such type' >&2; exit 1",
          "make failed (2): model.c:3: error: no such type");
    gives(dir, gcc, "case \"$*\" in *-nostdlib*) echo \"ld: region FLASH overflowed by 8 bytes\";"
          "echo 'collect2: error: ld returned 1 exit status'; exit 1;; esac",
          "make failed (2): ld: region FLASH overflowed by 8 bytes");
    ck_assert_int_eq(system("rm $(echo $PATH | cut -d: -f1)/arm-none-eabi-gcc"), 0);
    gives(dir, qemu, "echo canaries broken; echo done; exit 1", NULL); /* a result, no error */
    free(path);
    expect("/", away, NULL);
}
END

TEST(a_process_is_heard_waited_for_and_stopped_in_time)
{
    char *output;
    const char *says[] = {"sh", "-c", "echo one; echo two >&2; exit 3", NULL};
    ck_assert_int_eq(process_run(&(Process){.argv = says, .timeout_s = 20}, &output), 3);
    ck_assert_str_eq(output, "one\ntwo\n");
    free(output);
    const char *hangs[] = {"sh", "-c", "echo here; sleep 100 & wait", NULL};
    ck_assert_int_eq(process_run(&(Process){.argv = hangs, .timeout_s = 1}, &output), -1);
    ck_assert_str_eq(output, "here\n");
    ck_assert_ptr_nonnull(strstr(error_text(), "stopped after 1 s"));
    free(output);
    const char *missing[] = {"no-such-program-here", NULL};
    ck_assert_int_eq(process_run(&(Process){.argv = missing}, &output), -1);
    free(output);
    const char *where[] = {"pwd", NULL};
    ck_assert_int_eq(process_run(&(Process){.argv = where, .dir = "/"}, &output), 0);
    ck_assert_str_eq(output, "/\n");
    free(output);
    ck_assert(process_exists("sh") && !process_exists("no-such-program-here"));
}
END

TEST(a_damaged_elf_is_refused_or_measured_but_never_overrun)
{
    char path[] = "/tmp/thimble-elf-XXXXXX";
    Rng rng = rng_make(6, 0);
    close(mkstemp(path));
    for (int i = 0; i < 300; i++) { /* a header that looks right, then anything */
        char data[512] = {127, 'E', 'L', 'F', 1, 1, 1};
        size_t size = 40 + rng_below(&rng, sizeof data - 40);
        for (size_t k = 16; k < size; k++)
            data[k] = (char)(rng_below(&rng, 3) ? 0 : rng_below(&rng, 256));
        data[46] = 40, data[47] = 0; /* e_shentsize */
        FILE *f = fopen(path, "wb");
        ck_assert(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
        elf_section_bytes(path, ".text");
        elf_flash_bytes(path);
    }
    FILE *f = fopen(path, "wb");
    ck_assert(f && fputs("no ELF", f) >= 0 && fclose(f) == 0);
    ck_assert_int_eq(elf_flash_bytes(path), -1);
    ck_assert_int_eq(elf_section_bytes("/no/such/file", ".text"), -1);
    unlink(path);
}
END

SUITE(device, all_boards_answer_as_the_host_does, a_cortex_m0plus_answers_as_the_host_does,
      a_cortex_m3_and_a_cortex_m33_do, a_32_bit_riscv_does, counts_repeat,
      an_exported_folder_builds_without_a_word_and_checks_itself,
      one_wrong_weight_in_flash_fails_the_self_check_on_the_board,
      the_code_of_all_kernels_is_the_firmwares_text,
      the_flash_that_was_predicted_is_the_flash_that_is_linked,
      what_is_predicted_of_random_networks_is_what_the_boards_take,
      what_cannot_be_built_or_run_is_said,
      a_board_that_hangs_faults_or_does_not_build_has_one_sentence,
      a_process_is_heard_waited_for_and_stopped_in_time,
      a_damaged_elf_is_refused_or_measured_but_never_overrun)
