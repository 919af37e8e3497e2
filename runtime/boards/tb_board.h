/* tb_board.h - what main.c asks of the place it runs on.
 *
 * Two answers are here: board_qemu.c, an emulated Cortex-M that talks to the
 * host through semihosting and counts instructions, and board_host.c, this
 * machine. For a board of your own write these functions once more: a UART for
 * board_write(), no inputs, and a cycle counter for the clock - on a Cortex-M3
 * or later
 *
 *     DEMCR |= 1 << 24; DWT_CTRL |= 1;             once, in board_begin()
 *     start = DWT_CYCCNT;                          board_clock_start()
 *     return (uint32_t)(DWT_CYCCNT - start);       board_clock_stop() */
#ifndef TB_BOARD_H
#define TB_BOARD_H

#include <stdint.h>

void board_begin(void);
void board_end(int status); /* does not return; 0 when all is well */

void board_write(const char *text);

/* A file of raw inputs: 1 when it is there. board_read() fills all n bytes or returns 0. */
int board_open(const char *name);
int board_read(void *to, uint32_t n);

/* What the clock counts, "instructions" or "cycles"; NULL when there is none. */
const char *board_clock_unit(void);
void board_clock_start(void);
uint64_t board_clock_stop(void); /* since the start, without its own cost */

/* Paints the free stack below the caller, and afterwards finds how deep the
 * calls in between went: bytes, 0 when the board cannot tell. */
void board_stack_paint(void);
uint32_t board_stack_used(void);

#endif
