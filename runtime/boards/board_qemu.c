/* board_qemu.c - the clock of QEMU's MPS2 boards: mps2-an386 (Cortex-M4), mps2-an500 (Cortex-M7),
 * mps2-an385 (Cortex-M3) and mps2-an505 (Cortex-M33, whose Makefile line says where and how fast).
 *
 * Under -icount shift=0 one instruction takes one nanosecond of virtual time and
 * the board's CMSDK timer ticks at 25 MHz, once in 40 instructions. Counting
 * starts at an edge of the timer, and at the end a loop of four instructions
 * counts up to the next edge, so the figure is good to a few instructions and
 * not to 40. */
#include "tb_board.h"

#ifndef QEMU_TIMER
#define QEMU_TIMER 0x40000000
#define QEMU_TICK 40
#endif

enum { TICK = QEMU_TICK, SPIN = 4 }; /* instructions in a tick, in one turn of spin_to_edge() */

typedef struct {
    volatile uint32_t control, value, reload, status;
} Timer;

static Timer *const timer = (Timer *)QEMU_TIMER;
static uint32_t started;
static int64_t own_cost;

/* Waits until the timer, which counts down, leaves `now`; how many turns that took. */
static uint32_t spin_to_edge(uint32_t now)
{
    uint32_t turns = 0, value;
    __asm__ volatile("1: add %0, %0, #1\n"
                     "   ldr %1, [%2]\n"
                     "   cmp %1, %3\n"
                     "   beq 1b\n"
                     : "+r"(turns), "=&r"(value)
                     : "r"(&timer->value), "r"(now)
                     : "cc");
    return turns;
}

const char *board_clock_unit(void)
{
    return "instructions";
}

void board_clock_start(void)
{
    spin_to_edge(timer->value);
    started = timer->value;
}

static int64_t since_start(void)
{
    const uint32_t now = timer->value, turns = spin_to_edge(now);
    return (int64_t)(started - now + 1) * TICK - (int64_t)turns * SPIN;
}

uint64_t board_clock_stop(void)
{
    const int64_t n = since_start() - own_cost;
    return n > 0 ? (uint64_t)n : 0;
}

void board_begin(void)
{
    timer->reload = UINT32_MAX;
    timer->value = UINT32_MAX;
    timer->control = 1;
    board_clock_start();
    own_cost = since_start(); /* of nothing: what the two calls take */
}
