#define _GNU_SOURCE
#include "evaluator/device.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "evaluator/device_inner.h"
#include "evaluator/elf.h"
#include "evaluator/host.h"
#include "evaluator/process.h"
#include "exporter/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT = 600 };

/* What a core is compiled with and emulated by, as boards/Makefile.export has it. */
typedef struct {
    const char *compiler, *emulator;
} Tools;

static Tools tools_of(const char *core)
{
    const Tools arm = {"arm-none-eabi-gcc", "qemu-system-arm"};
    const Tools riscv = {"riscv64-unknown-elf-gcc", "qemu-system-riscv32"};
    return strncmp(core, "riscv", 5) == 0 ? riscv : arm;
}

const char *device_missing_for(const char *core)
{
    const Tools tools = tools_of(core);
    const char *const program[] = {"make", tools.compiler, tools.emulator};
    for (size_t i = 0; i < sizeof program / sizeof *program; i++)
        if (!process_exists(program[i]))
            return program[i];
    return NULL;
}

const char *device_missing(void)
{
    return device_missing_for("cortex-m7");
}

/* ---- building ---- */

/* Where the line begins in which `at` is. */
static const char *line_of(const char *start, const char *at)
{
    while (at > start && at[-1] != '\n')
        at--;
    return at;
}

/* One line for the user: the first that says "error", or the last. collect2 only
 * says that ld failed; the line before it says why. */
static char *telling_line(const char *output)
{
    const char *at = output ? strstr(output, "error") : NULL;
    if (!output || !output[0])
        return xstrdup("nothing was said");
    if (!at)
        at = output + strlen(output) - (output[strlen(output) - 1] == '\n');
    at = line_of(output, at);
    if (at > output && strncmp(at, "collect2", 8) == 0)
        at = line_of(output, at - 1);
    return xasprintf("%.*s", (int)strcspn(at, "\n"), at);
}

int device_program(const char *const *argv, const char *dir, int timeout_s, char **output)
{
    Process p = {.argv = argv, .dir = dir, .timeout_s = timeout_s ? timeout_s : TIMEOUT};
    char *heard, *line;
    int status = process_run(&p, &heard);
    if (status > 0) {
        line = telling_line(heard);
        status = errorf("%s failed (%d): %s", argv[0], status, line);
        free(line);
    }
    if (output && status == 0)
        *output = heard;
    else
        free(heard);
    return status;
}

int device_build(const char *dir, const Target *target, int timeout_s)
{
    char *board = xasprintf("BOARD=%s", target->core);
    const char *argv[] = {"make", "-s", "SRC=.", board, "model.elf", NULL};
    int status = device_program(argv, dir, timeout_s, NULL);
    free(board);
    return status;
}

/* ---- running ---- */

/* What main.c printed, in *output. It ends with status 1 when something differs
 * or a canary is broken: that is a result, and no error. */
static int emulate(const char *dir, const Target *target, int timeout_s, char **output)
{
    const char *argv[] = {tools_of(target->core).emulator, "-M", target->machine, "-bios", "none",
                          "-display", "none", "-monitor", "none", "-serial", "none", "-chardev",
                          "stdio,id=s0", "-semihosting-config", "enable=on,target=native,chardev=s0",
                          "-icount", "shift=0", "-kernel", "model.elf", NULL};
    Process p = {.argv = argv, .dir = dir, .timeout_s = timeout_s ? timeout_s : TIMEOUT};
    int status = process_run(&p, output);
    bool faulted = *output && strstr(*output, "fault\n");
    bool done = *output && strstr(*output, "\ndone\n");
    if (status == 0 || (status == 1 && done))
        return 0;
    if (status < 0) {
        errorf("the board did not finish: %s", error_text());
    } else if (faulted) {
        errorf("the board stopped at a fault (an address or an instruction it does not have)");
    } else {
        char *line = telling_line(*output);
        errorf("%s failed (%d): %s", argv[0], status, line);
        free(line);
    }
    free(*output);
    *output = NULL;
    return -1;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool same_bytes(const char *hex, const int8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, hex += 2) {
        int high = hex_digit(hex[0]), low = high < 0 ? -1 : hex_digit(hex[1]);
        if (low < 0 || (uint8_t)(high * 16 + low) != (uint8_t)bytes[i])
            return false;
    }
    return *hex == 0;
}

/* What the host made of the same images. */
typedef struct {
    int8_t *output; /* [n_images][bytes] */
    int n;
    uint32_t bytes;
} Expected;

/* One line of main.c; those it does not know are not for us. */
static void read_fact(const char *line, DeviceRun *run, const Expected *expected)
{
    unsigned long long n;
    unsigned i;
    char word[8];
    if (sscanf(line, "instructions %llu", &n) == 1) {
        run->instructions = n;
    } else if (sscanf(line, "segment %u %llu", &i, &n) == 2 && i < DEVICE_MAX_SEGMENTS) {
        run->layer[i] = n;
        run->n_layers = (int)i + 1;
    } else if (sscanf(line, "arena %llu", &n) == 1) {
        run->arena = (uint32_t)n;
    } else if (sscanf(line, "stack %llu", &n) == 1) {
        run->stack = (uint32_t)n;
    } else if (sscanf(line, "canaries %7s", word) == 1) {
        run->canaries = strcmp(word, "ok") == 0;
    } else if (strncmp(line, "output ", 7) == 0 && run->n_inputs < expected->n) {
        const int8_t *output = expected->output + (size_t)run->n_inputs * expected->bytes;
        run->n_equal += same_bytes(line + 7, output, expected->bytes);
        run->n_inputs++;
    }
}

static int read_facts(char *text, DeviceRun *run, const Expected *expected)
{
    bool done = false;
    for (char *line; (line = strsep(&text, "\n"));) {
        line[strcspn(line, "\r")] = 0;
        done = done || strcmp(line, "done") == 0;
        read_fact(line, run, expected);
    }
    if (!done)
        return errorf("the board stopped before it was done");
    if (run->n_inputs != expected->n)
        return errorf("the board answered %d of %d inputs", run->n_inputs, expected->n);
    return 0;
}

static int read_sizes(const char *dir, DeviceRun *run)
{
    const struct {
        const char *section;
        uint32_t *bytes;
    } part[] = {{".tb_text", &run->text}, {".tb_rodata", &run->rodata}, {".tb_data", &run->data},
                {".tb_bss", &run->bss}};
    char *elf = xasprintf("%s/model.elf", dir);
    int64_t n = 0;
    for (size_t i = 0; i < sizeof part / sizeof *part && n >= 0; i++) {
        n = elf_section_bytes(elf, part[i].section);
        *part[i].bytes = (uint32_t)n;
    }
    run->flash = run->text + run->rodata + run->data;
    free(elf);
    return n < 0 ? -1 : 0;
}

/* ---- the whole ---- */

static int write_inputs(const char *dir, const QModel *q, const DeviceOptions *o)
{
    char *path = xasprintf("%s/inputs.bin", dir);
    size_t bytes = (size_t)o->n_images * net_tensor_bytes(&q->net, NET_IMAGE);
    int status = o->n_images ? file_write(path, o->images, bytes) : 0;
    free(path);
    return status;
}

static int run_on_host(const QModel *q, const DeviceOptions *o, Expected *expected)
{
    const uint32_t image = net_tensor_bytes(&q->net, NET_IMAGE);
    Plan plan;
    plan_make(&q->net, &o->plan, &plan);
    for (int i = 0; i < expected->n; i++) {
        uint32_t touched;
        if (host_run(q, &plan, o->images + (size_t)i * image,
                     expected->output + (size_t)i * expected->bytes, &touched) != 0)
            return -1;
    }
    return 0;
}

static int run_in(const char *dir, const QModel *q, const DeviceOptions *o,
                  const Expected *expected, DeviceRun *run)
{
    ExportOptions export = {.dir = dir, .title = "a measurement", .target = o->target,
                            .plan = o->plan};
    char *output = NULL;
    if (export_model(q, &export) != 0 || write_inputs(dir, q, o) != 0 ||
        device_build(dir, o->target, o->timeout_s) != 0 ||
        emulate(dir, o->target, o->timeout_s, &output) != 0)
        return -1;
    int status = read_facts(output, run, expected);
    free(output);
    return status == 0 ? read_sizes(dir, run) : -1;
}

static int check_target(const Target *target)
{
    const char *missing = device_missing_for(target->core);
    if (!target->machine[0])
        return errorf("target %s has no machine that QEMU emulates", target->name);
    if (missing)
        return errorf("%s is not installed", missing);
    return 0;
}

int device_run(const QModel *q, const DeviceOptions *options, DeviceRun *run)
{
    const uint32_t bytes = net_tensor_bytes(&q->net, q->net.n_layers - 1);
    Expected expected = {.n = options->n_images, .bytes = bytes};
    memset(run, 0, sizeof *run);
    if (check_target(options->target) != 0)
        return -1;
    char *own = options->keep_dir ? NULL : device_dir_new();
    const char *dir = options->keep_dir ? options->keep_dir : own;
    if (!dir)
        return -1;
    expected.output = xcalloc((size_t)expected.n + 1, bytes);
    int status = run_on_host(q, options, &expected);
    if (status == 0)
        status = run_in(dir, q, options, &expected, run);
    free(expected.output);
    if (own)
        device_dir_free(own);
    return status;
}

/* ---- the size of the code ---- */

static const char *const kernel_file[N_STEPS] = {
    [OP_CONV] = "tb_conv",            [OP_DEPTHWISE] = "tb_depthwise",
    [OP_POINTWISE] = "tb_pointwise",  [OP_ADD] = "tb_add",
    [OP_AVG_POOL] = "tb_avg_pool",    [OP_MAX_POOL] = "tb_max_pool",
    [OP_GLOBAL_POOL] = "tb_avg_pool", [OP_DENSE] = "tb_dense",
    [OP_MEAN] = "tb_mean",            [OP_GATE] = "tb_gate",
    [OP_LOOKUP] = "tb_lookup",        [OP_SOFTMAX] = "tb_softmax",
    [STEP_INPUT] = "tb_input",        [STEP_COPY] = "tb_copy",
    [STEP_SUM_POOL] = "tb_sum_pool",  [STEP_BLOCK] = "tb_block",
    [STEP_CONV_PAIRS] = "tb_conv_pairs",
    [STEP_DEPTHWISE_PAIRS] = "tb_depthwise_pairs",
    [STEP_DEPTHWISE_PLANES] = "tb_depthwise_planes",
    [STEP_POINTWISE_PAIRS] = "tb_pointwise_pairs",
};

static int read_object(const char *dir, const char *core, const char *name, uint32_t *bytes)
{
    char *path = xasprintf("%s/%s-obj/%s.o", dir, core, name);
    int64_t n = elf_flash_bytes(path);
    free(path);
    *bytes = n < 0 ? 0 : (uint32_t)n;
    return n < 0 ? -1 : 0;
}

static int read_objects(const char *dir, const char *core, CodeSize *code)
{
    int status = read_object(dir, core, "tb_run", &code->run);
    if (status == 0)
        status = read_object(dir, core, "tb_tile", &code->tile);
    for (int s = 0; s < N_STEPS && status == 0; s++)
        status = read_object(dir, core, kernel_file[s], &code->kernel[s]);
    return status;
}

/* `make code` in dir, from the runtime's own folder. */
static int compile_runtime(const char *dir, const char *core, CodeSize *code)
{
    const char *runtime = runtime_dir();
    char *source = runtime ? realpath(runtime, NULL) : NULL, *flags = NULL;
    if (!source)
        return runtime ? errorf("cannot read the folder %s", runtime) : -1;
    char *file = xasprintf("%s/boards/Makefile.export", source);
    char *src = xasprintf("SRC=%s", source), *board = xasprintf("BOARD=%s", core);
    const char *argv[] = {"make", "-s", "-f", file, src, board, "code", "flags", NULL};
    int status = device_program(argv, dir, 0, &flags);
    if (status == 0)
        snprintf(code->source, sizeof code->source, "%.*s", (int)strcspn(flags, "\n"), flags);
    free(flags);
    free(file), free(src), free(board), free(source);
    return status;
}

int device_code_size(const char *core, CodeSize *code)
{
    memset(code, 0, sizeof *code);
    if (!process_exists("make") || !process_exists("arm-none-eabi-gcc"))
        return errorf("arm-none-eabi-gcc and make are needed to measure the runtime's code");
    char *dir = device_dir_new();
    int status = dir ? compile_runtime(dir, core, code) : -1;
    if (status == 0)
        status = read_objects(dir, core, code);
    if (dir)
        device_dir_free(dir);
    return status;
}
