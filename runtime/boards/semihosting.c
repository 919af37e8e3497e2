/* semihosting.c - text, files, the end and the stack, on every board that QEMU emulates.
 *
 * Semihosting is a trap that the debugger answers, here QEMU: an operation, and
 * its arguments in a block. Arm's and RISC-V's differ in the instruction only. */
#include "tb_board.h"

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_RB = 1, EXIT_BY_APPLICATION = 0x20026 };

#ifdef __riscv
static int32_t host(int operation, const void *arguments)
{
    register int32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = arguments;
    __asm__ volatile(".balign 16\n" /* the three must be in one page */
                     ".option push\n"
                     ".option norvc\n"
                     "slli x0, x0, 0x1f\n"
                     "ebreak\n"
                     "srai x0, x0, 7\n"
                     ".option pop\n"
                     : "+r"(a0) : "r"(a1) : "memory");
    return a0;
}

static inline uint32_t *stack_pointer(void)
{
    uint32_t *sp;
    __asm__ volatile("mv %0, sp" : "=r"(sp));
    return sp;
}
#else
static int32_t host(int operation, const void *arguments)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static inline uint32_t *stack_pointer(void)
{
    uint32_t *sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}
#endif

/* ---- text, files, the end ---- */

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

/* ---- the stack ---- */

enum { PAINT = 0x5713AC5 };
enum { OWN = 8 }; /* words that the compiler may push for the loop that paints */

extern uint32_t stack_limit[]; /* of the linker script */
static uint32_t *painted_from;

__attribute__((noinline)) void board_stack_paint(void)
{
    painted_from = stack_pointer();
    for (volatile uint32_t *p = stack_limit; p < painted_from - OWN; p++)
        *p = PAINT;
}

__attribute__((noinline)) uint32_t board_stack_used(void)
{
    const volatile uint32_t *p = stack_limit;
    while (p < painted_from && *p == PAINT)
        p++;
    return (uint32_t)((const volatile char *)painted_from - (const volatile char *)p);
}
