/* board_host.c - this machine as a board: plain stdio, no clock worth the name. */
#include "tb_board.h"

#include <stdio.h>
#include <stdlib.h>

static FILE *inputs;

void board_begin(void)
{
}

void board_end(int status)
{
    if (inputs)
        fclose(inputs);
    exit(status);
}

void board_write(const char *text)
{
    fputs(text, stdout);
}

int board_open(const char *name)
{
    inputs = fopen(name, "rb");
    return inputs != NULL;
}

int board_read(void *to, uint32_t n)
{
    return fread(to, 1, n, inputs) == n;
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

void board_stack_paint(void)
{
}

uint32_t board_stack_used(void)
{
    return 0;
}
