/* main.c - the benchmark on an emulated board, which counts instructions and no cycles. On yours
 * this file stays behind: see tb_bench.h. */
#include "tb_bench.h"

#include "tb_board.h"

/* It comes back at an edge of the board's timer, so that from the second of two calls on it is
 * good to a few instructions (board_qemu.c). */
uint32_t tb_cycles(void)
{
    return (uint32_t)board_clock_stop();
}

void tb_print(const char *text)
{
    board_write(text);
}

int main(void)
{
    board_begin();
    tb_print("an emulated board: it counts executed instructions, and no cycles\n");
    tb_bench(board_clock_unit(), 0);
    board_end(0);
    return 0;
}
