/* board_qemu.c - QEMU's mps2-an386 (Cortex-M4) and mps2-an500 (Cortex-M7).
 *
 * Files and text go through Arm's semihosting. Under -icount shift=0 one
 * instruction takes one nanosecond of virtual time and the board's CMSDK timer
 * ticks at 25 MHz, once in 40 instructions. Counting starts at an edge of the
 * timer, and at the end a loop of four instructions counts up to the next edge,
 * so the figure is good to a few instructions and not to 40. */
#include "tb_board.h"

#include <stddef.h>

/* ---- semihosting: operation in r0, its arguments in a block at r1 ---- */

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_RB = 1, EXIT_BY_APPLICATION = 0x20026 };

static int32_t host(int operation, const void *arguments)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int32_t inputs = -1;

void board_write(const char *text)
{
    host(SYS_WRITE0, text);
}

int board_open(const char *name)
{
    uint32_t n = 0;
    while (name[n])
        n++;
    const uint32_t block[] = {(uint32_t)name, MODE_RB, n};
    inputs = host(SYS_OPEN, block);
    return inputs != -1;
}

int board_read(void *to, uint32_t n)
{
    const uint32_t block[] = {(uint32_t)inputs, (uint32_t)to, n};
    return host(SYS_READ, block) == 0; /* bytes that were not read */
}

void board_end(int status)
{
    const uint32_t block[] = {EXIT_BY_APPLICATION, (uint32_t)status};
    for (;;)
        host(SYS_EXIT_EXTENDED, block);
}

/* ---- the clock ---- */

enum { TICK = 40, SPIN = 4 }; /* instructions in a tick, in one turn of spin_to_edge() */

typedef struct {
    volatile uint32_t control, value, reload, status;
} Timer;

static Timer *const timer = (Timer *)0x40000000;
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

/* ---- the stack ---- */

enum { PAINT = 0x5713AC5 };

extern uint32_t stack_limit[]; /* of the linker script */
static uint32_t *painted_from;

static inline uint32_t *stack_pointer(void)
{
    uint32_t *sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

__attribute__((noinline)) void board_stack_paint(void)
{
    painted_from = stack_pointer();
    for (volatile uint32_t *p = stack_limit; p < painted_from; p++)
        *p = PAINT;
}

__attribute__((noinline)) uint32_t board_stack_used(void)
{
    const volatile uint32_t *p = stack_limit;
    while (p < painted_from && *p == PAINT)
        p++;
    return (uint32_t)((const volatile char *)painted_from - (const volatile char *)p);
}
