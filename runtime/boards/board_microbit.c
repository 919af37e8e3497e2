/* board_microbit.c - QEMU's microbit, a Cortex-M0 with 16 KiB of RAM: no clock that
 * counts instructions evenly, so none. */
#include "tb_board.h"

#include <stddef.h>

void board_begin(void)
{
}

const char *board_clock_unit(void)
{
    return NULL;
}

void board_clock_start(void)
{
}

uint64_t board_clock_stop(void)
{
    return 0;
}
