/* board_qemu.c - the clock of QEMU's MPS2 boards: mps2-an386 (Cortex-M4), mps2-an500 (Cortex-M7),
 * mps2-an385 (Cortex-M3), mps2-an505 (Cortex-M33) and mps3-an547 (Cortex-M55): of the last two a line
 * of the Makefile says where it is.
 *
 * Under -icount shift=0 one instruction takes one nanosecond of virtual time and
 * the board's CMSDK timer ticks at 25 MHz, once in 40 instructions; an M55 has
 * the SSE-300's system counter, 32 MHz. Counting starts at an edge of the timer,
 * and at the end a loop of four instructions counts up to the next edge, so the
 * figure is good to a few instructions and not to 40. */
#include "tb_board.h"

#ifdef QEMU_COUNTER
enum { UP = 1, TICK = 125 };
static volatile uint32_t *const timer_control = (volatile uint32_t *)QEMU_COUNTER;
static volatile uint32_t *const timer = (volatile uint32_t *)QEMU_COUNTER + 2;
#else
#ifndef QEMU_TIMER
#define QEMU_TIMER 0x40000000
#define QEMU_TICK 40
#endif
enum { UP = 0, TICK = 4 * QEMU_TICK };
static volatile uint32_t *const timer_control = (volatile uint32_t *)QEMU_TIMER;
static volatile uint32_t *const timer = (volatile uint32_t *)QEMU_TIMER + 1; /* then its reload */
#endif
/* TICK: quarters of an instruction; SPIN: instructions in one turn of spin_to_edge() */
enum { QUARTERS = 4, SPIN = 4 };

static uint32_t started;
static int64_t own_cost;

/* Waits until the timer leaves `now`; how many turns that took. */
static uint32_t spin_to_edge(uint32_t now)
{
    uint32_t turns = 0, value;
    __asm__ volatile("1: add %0, %0, #1\n"
                     "   ldr %1, [%2]\n"
                     "   cmp %1, %3\n"
                     "   beq 1b\n"
                     : "+r"(turns), "=&r"(value)
                     : "r"(timer), "r"(now)
                     : "cc");
    return turns;
}

const char *board_clock_unit(void)
{
    return "instructions";
}

void board_clock_start(void)
{
    spin_to_edge(*timer);
    started = *timer;
}

static int64_t since_start(void)
{
    const uint32_t now = *timer, turns = spin_to_edge(now);
    const uint32_t ticks = (UP ? now - started : started - now) + 1;
    return (int64_t)ticks * TICK / QUARTERS - (int64_t)turns * SPIN;
}

uint64_t board_clock_stop(void)
{
    const int64_t n = since_start() - own_cost;
    return n > 0 ? (uint64_t)n : 0;
}

void board_begin(void)
{
    if (!UP)
        timer[0] = timer[1] = UINT32_MAX;
    *timer_control = 1;
    board_clock_start();
    own_cost = since_start(); /* of nothing: what the two calls take */
}
