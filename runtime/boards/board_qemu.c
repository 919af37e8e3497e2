/* board_qemu.c - QEMU's mps2-an386 (Cortex-M4), mps2-an500 (M7) and mps3-an547 (M55).
 *
 * Files and text go through Arm's semihosting. Under -icount shift=0 one
 * instruction takes one nanosecond of virtual time and the board's timer ticks
 * once in 30 or 40 of them. Counting starts at an edge of the timer, and at the
 * end a loop of four instructions counts up to the next edge, so the figure is
 * good to a few instructions and not to 40. */
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

#ifdef __ARM_FEATURE_MVE /* the SSE-300's system counter, 32 MHz */
enum { UP = 1, TICK = 125 };
static volatile uint32_t *const timer_control = (volatile uint32_t *)0x58100000;
static volatile uint32_t *const timer = (volatile uint32_t *)0x58100008;
#else /* a CMSDK timer, 25 MHz; the register behind its value is what it starts from */
enum { UP = 0, TICK = 160 };
static volatile uint32_t *const timer_control = (volatile uint32_t *)0x40000000;
static volatile uint32_t *const timer = (volatile uint32_t *)0x40000004;
#endif
enum { PART = 4, SPIN = 4 }; /* TICK: so many parts of an instruction; turns of spin_to_edge() */

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
    return (int64_t)ticks * TICK / PART - (int64_t)turns * SPIN;
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

/* ---- the stack ---- */

enum { PAINT = 0x5713AC5 };

extern uint32_t stack_limit[]; /* of the linker script */
static uint32_t *painted_from;

/* One piece of assembly: for a loop of its own the compiler may push registers
 * after it has asked for the stack pointer. */
__attribute__((noinline)) void board_stack_paint(void)
{
    uint32_t *p = stack_limit, *sp;
    __asm__ volatile("   mov %1, sp\n"
                     "1: cmp %0, %1\n"
                     "   itt lo\n"
                     "   strlo %2, [%0], #4\n"
                     "   blo 1b\n"
                     : "+r"(p), "=&r"(sp)
                     : "r"(PAINT)
                     : "cc", "memory");
    painted_from = sp;
}

__attribute__((noinline)) uint32_t board_stack_used(void)
{
    const volatile uint32_t *p = stack_limit;
    while (p < painted_from && *p == PAINT)
        p++;
    return (uint32_t)((const volatile char *)painted_from - (const volatile char *)p);
}
