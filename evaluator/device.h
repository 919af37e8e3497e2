/* device.h - the exported C on an emulated board: what it really takes.
 *
 * Builds the exported folder with the core's gcc, runs it under QEMU with
 * instruction counting, and reads back outputs and marks. QEMU counts
 * instructions; it knows nothing of cycles or milliseconds. */
#ifndef DEVICE_H
#define DEVICE_H

#include "estimator/estimator.h"
#include "quant/qmodel.h"

enum { DEVICE_MAX_SEGMENTS = 1024 };

typedef struct {
    uint64_t instructions;       /* of one inference, executed; 0: the board cannot count */
    uint64_t layer[DEVICE_MAX_SEGMENTS]; /* of each segment that is executed (plan_runs()), in
                                            order; 0 beyond */
    int n_layers;                /* how many, as far as there is room */
    uint32_t arena;              /* high-water mark, bytes, by canaries and two fills */
    uint32_t stack;              /* peak, bytes, by painting */
    uint32_t text, rodata, data, bss; /* of model and runtime in the ELF; no start-up, no libc */
    uint32_t flash;              /* text + rodata + data of those */
    int n_inputs, n_equal;       /* outputs equal to the host's, byte for byte */
    bool canaries;               /* untouched */
} DeviceRun;

typedef struct {
    const Target *target;  /* with a QEMU machine */
    PlanOptions plan;
    const int8_t *images;  /* [n_images][h][w][c] */
    int n_images;
    const char *keep_dir;  /* where to leave the exported folder, NULL for a temporary one */
    int timeout_s;         /* [600] */
} DeviceOptions;

/* Exports, builds, runs, compares with host_run(). -1 with errorf(): no
 * compiler, no QEMU, a build error, a time-out, a fault on the board. */
int device_run(const QModel *q, const DeviceOptions *options, DeviceRun *run);

/* NULL when device_run() has the programs it needs for a core, else the one that is missing;
 * device_missing(): for the Cortex-M. */
const char *device_missing_for(const char *core);
const char *device_missing(void);

/* Bytes of tb_run and of every kernel, compiled for a core as the exported
 * Makefile does it. -1 with errorf(). */
int device_code_size(const char *core, CodeSize *code);

#endif
