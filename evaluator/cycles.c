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

static void take_line(const char *line, double per_instruction[N_STEPS])
{
    char name[64];
    uint64_t instructions, cycles;
    if (sscanf(line, "%63s %" SCNu64 " %" SCNu64, name, &instructions, &cycles) != 3)
        return;
    for (int s = 0; s < N_STEPS; s++)
        if (kernel_name[s] && strcmp(name, kernel_name[s]) == 0 && instructions > 0)
            per_instruction[s] = (double)cycles / (double)instructions;
}

static int read_cycles(const char *dir, double per_instruction[N_STEPS])
{
    char *path = xasprintf("%s/cycles.txt", dir), *text = file_read(path, NULL), *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        take_line(line, per_instruction);
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
