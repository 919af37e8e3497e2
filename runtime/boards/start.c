/* start.c - from reset to main(), without a libc. */
#include "tb_board.h"

#include <stddef.h>

int main(int argc, char **argv);
void start(void);
void fault(void);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

extern uint32_t data_load[], data_begin[], data_end[], bss_begin[], bss_end[];

/* The vectors of an M55 are coprocessors that are off at reset (CPACR), and its
 * loops without a branch want CCR.LOB. */
static void enable_vectors(void)
{
#ifdef __ARM_FEATURE_MVE
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    *(volatile uint32_t *)0xE000ED14 |= 1u << 19;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
}

static __attribute__((noinline)) void begin(void)
{
    const uint32_t *from = data_load;
    for (uint32_t *p = data_begin; p < data_end; p++)
        *p = *from++;
    for (uint32_t *p = bss_begin; p < bss_end; p++)
        *p = 0;
    main(0, NULL);
}

void start(void)
{
    enable_vectors();
    begin(); /* apart: whatever it takes to use vectors comes after that */
}

/* No interrupt is enabled: whatever comes here is a fault. */
void fault(void)
{
    board_write("fault\n");
    board_end(2);
}

/* A freestanding compiler may still call these two for copies of structs. */
void *memcpy(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;
    while (n--)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int value, size_t n)
{
    char *t = to;
    while (n--)
        *t++ = (char)value;
    return to;
}
