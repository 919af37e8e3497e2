/* board_riscv.c - the clock of QEMU's virt board with a 32-bit RISC-V: minstret counts
 * the instructions themselves, exactly so under -icount. */
#include "tb_board.h"

static uint64_t started, own_cost;

static uint64_t now(void)
{
    uint32_t low, high, again;
    __asm__ volatile(".option push\n"
                     ".option arch, +zicsr\n"
                     "1: csrr %1, minstreth\n"
                     "   csrr %0, minstret\n"
                     "   csrr %2, minstreth\n"
                     "   bne %1, %2, 1b\n"
                     ".option pop\n"
                     : "=&r"(low), "=&r"(high), "=&r"(again));
    return (uint64_t)high << 32 | low;
}

const char *board_clock_unit(void)
{
    return "instructions";
}

void board_clock_start(void)
{
    started = now();
}

uint64_t board_clock_stop(void)
{
    return now() - started - own_cost;
}

void board_begin(void)
{
    board_clock_start();
    own_cost = board_clock_stop(); /* of nothing: what the two calls take */
}
