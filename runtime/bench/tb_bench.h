/* tb_bench.h - times this runtime on your board, for `thimble calibrate --log`.
 *
 * Write two functions, and call tb_bench() from your main() once the core's clock is up and a
 * serial line takes text, with no interrupts and no other tasks:
 *
 *     uint32_t tb_cycles(void)           counts cycles of the core, up, all 32 bits of it. On a
 *                                        Cortex-M3 or later:
 *                                            DEMCR |= 1 << 24; DWT_CTRL |= 1;   once, before
 *                                            return DWT_CYCCNT;
 *     void tb_print(const char *text)    sends it, as it is: "\n" ends a line
 *
 *     tb_bench("cycles", 216000000);     what tb_cycles() counts; the core's clock in Hz, 0 when
 *                                        it is not known
 *
 * Small networks run, each under a plan of its own. Lines that begin with "tb 1 " (1 is the version
 * of this format) are the log; what else comes over the line may stay in it.
 *
 *     tb 1 begin target <name> runtime <v> seed <s> plans <n> unit <unit> clock <Hz>
 *     tb 1 compiler <its version and flags>
 *     tb 1 model <hash> plan <number> segment <i> of <n> <unit> <count>     for each segment,
 *     tb 1 model <hash> plan <number> whole <unit> <count>                  then for all of them
 *     tb 1 end lines <how many before this one> sum <of all counts, modulo 2^32>
 *
 * <unit> is what tb_bench() was told. A count is the least of TB_BENCH_RUNS runs, less what two
 * calls of tb_cycles() take; no network runs for 2^32 cycles. <hash> is of the
 * network and its plan, so that a log cannot be taken for another one's. */
#ifndef TB_BENCH_H
#define TB_BENCH_H

#include "tb.h"

enum { TB_BENCH_RUNS = 3 };

uint32_t tb_cycles(void);
void tb_print(const char *text);
void tb_bench(const char *unit, uint32_t clock_hz);

/* What nets.c lists. */
typedef struct {
    const TbModel *model;
    const char *hash;
    uint16_t number;      /* of the plan */
    uint16_t pixel_bytes; /* of an image that is outside; 0: it is inside */
} TbBenchNet;

#endif
