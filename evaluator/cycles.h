/* cycles.h - what an emulated board cannot tell, as its core's manual has it: cycles.
 *
 * QEMU counts instructions. A plugin (runtime/qemu/m4_cycles.c) classes each as
 * the Cortex-M4's Technical Reference Manual does: an estimate, for flash
 * without wait states. */
#ifndef CYCLES_H
#define CYCLES_H

#include "estimator/estimator.h"

/* NULL for a core whose cycles the plugin knows, else why it does not. */
const char *cycles_missing(const Target *target);

/* Kernels that a function of the runtime is, or is a part of, bit by bit. */
uint32_t cycles_steps_of(const char *function);
/* Builds and runs a folder of export_bench() on the target's machine. per_instruction[s] becomes
 * the cycles an instruction of step s takes on average, and stays where none was executed. -1 with
 * errorf(). */
int cycles_measure(const char *dir, const Target *target, double per_instruction[N_STEPS]);

#endif
