#define _GNU_SOURCE
#include "evaluator/cycles.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "evaluator/device_inner.h"
#include "evaluator/process.h"
#include "exporter/export.h"
#include "exporter/lower.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where kernels are functions of their own. */
static const char *const kernel_name[N_STEPS] = {
#define X(step, kernel) [step] = #kernel,
    LOWER_KERNELS(X)
#undef X
};

/* Functions that compilers keep apart from them, or of two kernels that share them. */
static const struct {
    const char *name;
    uint32_t steps;
} parts[] = {
    {"tb_tile_channels", 1u << STEP_CONV_PAIRS | 1u << STEP_POINTWISE_PAIRS},
    {"tb_tile_four", 1u << STEP_CONV_PAIRS | 1u << STEP_POINTWISE_PAIRS},
    {"tb_tile_one", 1u << STEP_CONV_PAIRS | 1u << STEP_POINTWISE_PAIRS},
    {"tb_tile_pair", 1u << STEP_CONV_PAIRS | 1u << STEP_POINTWISE_PAIRS},
    {"tb_tile_three", 1u << STEP_CONV_PAIRS | 1u << STEP_POINTWISE_PAIRS},
    {"tb_tile_two", 1u << STEP_CONV_PAIRS | 1u << STEP_POINTWISE_PAIRS},
    {"pad", 1u << STEP_CONV_PAIRS},
    {"add_runs", 1u << STEP_DEPTHWISE_PAIRS},     {"prepare", 1u << STEP_DEPTHWISE_PAIRS},
    {"put_rest", 1u << STEP_DEPTHWISE_PAIRS},     {"put_slowly", 1u << STEP_DEPTHWISE_PAIRS},
    {"sum_3x3", 1u << STEP_DEPTHWISE_PAIRS},      {"sum_3x3_2", 1u << STEP_DEPTHWISE_PAIRS},
    {"sum_5x5", 1u << STEP_DEPTHWISE_PAIRS},      {"sum_5x5_2", 1u << STEP_DEPTHWISE_PAIRS},
    {"sum_7x7", 1u << STEP_DEPTHWISE_PAIRS},      {"sum_7x7_2", 1u << STEP_DEPTHWISE_PAIRS},
    {"unpack", 1u << STEP_DEPTHWISE_PAIRS},       {"unpack_few", 1u << STEP_DEPTHWISE_PAIRS},
    {"fill", 1u << STEP_DEPTHWISE_PLANES},        {"prepare_channel", 1u << STEP_DEPTHWISE_PLANES},
    {"make_rows", 1u << STEP_DEPTHWISE_PLANES},   {"make_slowly", 1u << STEP_DEPTHWISE_PLANES},
    {"make_3x3", 1u << STEP_DEPTHWISE_PLANES},    {"make_3x3_2", 1u << STEP_DEPTHWISE_PLANES},
    {"make_5x5", 1u << STEP_DEPTHWISE_PLANES},    {"make_5x5_2", 1u << STEP_DEPTHWISE_PLANES},
    {"make_7x7", 1u << STEP_DEPTHWISE_PLANES},    {"make_7x7_2", 1u << STEP_DEPTHWISE_PLANES},
    {"move_up", 1u << STEP_DEPTHWISE_PLANES},     {"unpack_rows", 1u << STEP_DEPTHWISE_PLANES},
    {"unpack_narrow", 1u << STEP_DEPTHWISE_PLANES},
    {"pointwise_pixel", 1u << STEP_BLOCK},
    {"exp_of", 1u << OP_SOFTMAX},
};

uint32_t cycles_steps_of(const char *function)
{
    size_t n = strcspn(function, "."); /* what compilers clone has a dot behind it */
    uint32_t steps = 0;
    for (int s = 0; s < N_STEPS; s++)
        if (kernel_name[s] && strncmp(kernel_name[s], function, n) == 0 && !kernel_name[s][n])
            steps |= 1u << s;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strncmp(parts[i].name, function, n) == 0 && !parts[i].name[n])
            steps |= parts[i].steps;
    return steps;
}

const char *cycles_missing(const Target *target)
{
    if (strcmp(target->core, "cortex-m4") != 0)
        return "only the Cortex-M4's manual says how long each instruction takes";
    return process_exists("cc") ? NULL : "cc is not installed, which compiles QEMU's plugin";
}

static int compile_plugin(const char *dir)
{
    const char *runtime = runtime_dir();
    char *path = runtime ? xasprintf("%s/qemu/m4_cycles.c", runtime) : NULL;
    char *source = path ? realpath(path, NULL) : NULL;
    const char *argv[] = {"cc", "-O2", "-shared", "-fPIC", "-o", "m4_cycles.so", source, NULL};
    int status = source ? device_program(argv, dir, 0, NULL)
                 : path ? errorf("cannot read %s", path) : -1;
    free(source);
    free(path);
    return status;
}

static int run(const char *dir, const Target *target)
{
    const char *argv[] = {"qemu-system-arm", "-M", target->machine, "-display", "none", "-monitor",
                          "none", "-serial", "none", "-chardev", "stdio,id=s0",
                          "-semihosting-config", "enable=on,target=native,chardev=s0", "-plugin",
                          "./m4_cycles.so,out=cycles.txt", "-kernel", "model.elf", NULL};
    return device_program(argv, dir, 0, NULL);
}

typedef struct {
    double instructions, cycles;
} Count;

static void take_line(const char *line, Count count[N_STEPS])
{
    char name[64];
    uint64_t instructions, cycles;
    if (sscanf(line, "%63s %" SCNu64 " %" SCNu64, name, &instructions, &cycles) != 3)
        return;
    for (int s = 0; s < N_STEPS; s++)
        if (cycles_steps_of(name) >> s & 1) {
            count[s].instructions += (double)instructions;
            count[s].cycles += (double)cycles;
        }
}

static int read_cycles(const char *dir, double per_instruction[N_STEPS])
{
    char *path = xasprintf("%s/cycles.txt", dir), *text = file_read(path, NULL), *rest = text;
    Count count[N_STEPS] = {{0, 0}};
    for (char *line; (line = strsep(&rest, "\n"));)
        take_line(line, count);
    for (int s = 0; s < N_STEPS; s++)
        if (count[s].instructions > 0)
            per_instruction[s] = count[s].cycles / count[s].instructions;
    free(path);
    int status = text ? 0 : -1;
    free(text);
    return status;
}

int cycles_measure(const char *dir, const Target *target, double per_instruction[N_STEPS])
{
    if (compile_plugin(dir) != 0 || device_build(dir, target, 0) != 0 || run(dir, target) != 0)
        return -1;
    return read_cycles(dir, per_instruction);
}
