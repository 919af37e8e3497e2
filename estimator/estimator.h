/* estimator.h - what a network would cost on the target, without running it.
 *
 * The estimator predicts, the evaluator runs. Nothing here allocates, locks
 * or fails, so the search may call it from every thread. */
#ifndef ESTIMATOR_H
#define ESTIMATOR_H

#include "estimator/latency.h"
#include "estimator/plan.h"

/* Bytes of compiled code, as measured with the target's compiler and flags. */
typedef struct {
    uint32_t run;          /* tb_run and what is always linked */
    uint32_t tile;         /* what the convolutions of pairs share, counted once where there is one */
    uint32_t kernel[N_STEPS]; /* each operator's and step's kernel, counted once when used */
    char source[96];       /* compiler and flags it was measured with */
    uint32_t stack;        /* peak stack of one inference, bytes: the most of all kernels */
    uint32_t kernel_stack[N_STEPS]; /* the same with no other kernel; 0: not known, `stack` then */
} CodeSize;

typedef struct {
    char name[32];
    char core[32];          /* "cortex-m4", "cortex-m7", "cortex-m55": for the compiler */
    char machine[32];       /* QEMU's board, "" when the target can only be estimated */
    uint64_t sram, flash;   /* bytes on the chip */
    uint64_t sram_reserve;  /* bytes kept for stack, drivers, the application */
    uint64_t flash_reserve; /* bytes kept for the application's code */
    uint64_t clock_hz;
    int kernels;            /* 0: of pairs where there are such; 1: only small ones (PlanOptions) */
    double active_mw;       /* what it draws while it computes; 0: not known */
    CodeSize code;
    Latency latency;
} Target;

typedef struct {
    uint32_t sram;    /* bytes of the arena: image, activations, rings, scratch */
    uint32_t flash;   /* bytes of weights, biases, requantisation constants, tables and code */
    uint32_t model_flash; /* the part of it that is data: flash without code */
    uint32_t stack;   /* peak bytes beside the arena, of the kernels it uses; 0: not measured */
    uint64_t macs;
    double latency;   /* in the unit of the target's latency model; 0 when it has none */
    double energy;    /* mJ; 0: not known, see target_mj() */
} Cost;

/* Time and energy of so many cycles, where they are known: 0 unless the latency model counts
 * cycles, the target states its clock and, for energy, its power. Instructions have no duration. */
double target_ms(const Target *target, double latency);
double target_mj(const Target *target, double latency);

/* macs and latency count what the plan computes twice. */
Cost estimate(const Net *net, const Target *target, const PlanOptions *options);
Cost cost_of_plan(const Net *net, const Target *target, const Plan *plan);

/* Upper bounds; 0 means no bound. */
typedef struct {
    uint64_t sram, flash; /* bytes */
    uint64_t macs;
    double latency; /* in the unit of the target's latency model */
    double energy;  /* mJ */
} Limits;

bool cost_fits(const Cost *cost, const Limits *limits);
/* Flash of the tables and constants alone, exact: sizes on a 32-bit target. */
typedef struct {
    uint32_t weights, biases, requantisation, tables; /* bytes */
} ModelFlash;
ModelFlash flash_parts(const Net *net, const PlanSize *size);
uint32_t flash_of_model(const Net *net, const PlanSize *size);
uint32_t flash_of_code(const CodeSize *code, const PlanSize *size);
/* Of it what the convolutions of pairs share. */
uint32_t flash_of_tile(const CodeSize *code, const PlanSize *size);
uint32_t stack_of_code(const CodeSize *code, const PlanSize *size);

#endif
