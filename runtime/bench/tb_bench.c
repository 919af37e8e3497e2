/* tb_bench.c - runs every plan of nets.c a few times and prints what its segments took. */
#include "tb_bench.h"

#include "nets.h"

#include <stddef.h>

#ifndef TB_COMPILER
#define TB_COMPILER __VERSION__
#endif

static struct {
    int8_t arena[NETS_ARENA_BYTES];
} memory __attribute__((aligned(16)));

static uint32_t least[1 + NETS_MAX_SEGMENTS]; /* [0] of the whole */
static uint32_t lines, sum, own_cost;

/* ---- lines ---- */

static void print_number(const char *before, uint32_t n)
{
    char text[12], *p = text + sizeof text;
    *--p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    tb_print(before);
    tb_print(p);
}

static void end_line(void)
{
    tb_print("\n");
    lines++;
}

static void print_head(const char *unit, uint32_t clock_hz)
{
    tb_print("tb 1 begin target " NETS_TARGET);
    print_number(" runtime ", TB_VERSION);
    tb_print(" seed " NETS_SEED);
    print_number(" plans ", NETS_N);
    tb_print(" unit ");
    tb_print(unit);
    print_number(" clock ", clock_hz);
    end_line();
    tb_print("tb 1 compiler " TB_COMPILER);
    end_line();
}

static void begin_line(const TbBenchNet *net)
{
    tb_print("tb 1 model ");
    tb_print(net->hash);
    print_number(" plan ", net->number);
}

static void print_count(const char *unit, uint32_t count)
{
    tb_print(" ");
    tb_print(unit);
    print_number(" ", count);
    end_line();
    sum += count;
}

static void print_times(const TbBenchNet *net, const char *unit)
{
    for (int i = 1; i <= net->model->n_segments; i++) {
        begin_line(net);
        print_number(" segment ", (uint32_t)i - 1);
        print_number(" of ", net->model->n_segments);
        print_count(unit, least[i]);
    }
    begin_line(net);
    tb_print(" whole");
    print_count(unit, least[0]);
}

/* ---- runs ---- */

/* Any image will do, but not zeros: what some kernels take depends on their data. */
static void fill_arena(void)
{
    uint32_t x = 1;
    for (uint32_t i = 0; i < NETS_ARENA_BYTES; i++) {
        x = x * 1664525u + 1013904223u;
        memory.arena[i] = (int8_t)(x >> 24);
    }
}

/* Rows of an image that is outside, from a frame in RAM, by words. */
static int8_t frame[256];

static void input_row(void *context, int y, int x0, int x1, int8_t *to)
{
    const uint32_t n = (uint32_t)(x1 - x0) * ((const TbBenchNet *)context)->pixel_bytes;
    uint32_t i = 0;
    (void)y;
    for (; i + 4 <= n; i += 4)
        __builtin_memcpy(to + i, frame + i % sizeof frame, 4);
    for (; i < n; i++)
        to[i] = frame[i % sizeof frame];
}

/* Of a segment, or of all for -1. The first call of the clock is not looked at: it warms up the
 * code, and one that ticks slowly comes back at a tick. */
static uint32_t time_of(const TbBenchNet *net, int segment)
{
    const TbInput outside = {input_row, (void *)net}, *image = net->pixel_bytes ? &outside : NULL;
    tb_cycles();
    const uint32_t start = tb_cycles();
    if (segment < 0)
        tb_run(net->model, memory.arena, image);
    else
        tb_run_segment(net->model, segment, memory.arena, image);
    const uint32_t took = tb_cycles() - start;
    return took > own_cost ? took - own_cost : 0;
}

static uint32_t time_of_nothing(void)
{
    uint32_t took = UINT32_MAX;
    for (int run = 0; run < TB_BENCH_RUNS; run++) {
        tb_cycles();
        const uint32_t start = tb_cycles(), now = tb_cycles() - start;
        took = now < took ? now : took;
    }
    return took;
}

static void keep_least(int i, uint32_t took)
{
    least[i] = took < least[i] ? took : least[i];
}

static void time_net(const TbBenchNet *net)
{
    for (int i = 0; i <= net->model->n_segments; i++)
        least[i] = UINT32_MAX;
    for (int run = 0; run < TB_BENCH_RUNS; run++) {
        fill_arena();
        keep_least(0, time_of(net, -1));
        fill_arena();
        for (int i = 0; i < net->model->n_segments; i++)
            keep_least(1 + i, time_of(net, i));
    }
}

void tb_bench(const char *unit, uint32_t clock_hz)
{
    lines = sum = 0;
    for (uint32_t i = 0; i < sizeof frame; i++)
        frame[i] = (int8_t)(i * 37);
    own_cost = time_of_nothing();
    print_head(unit, clock_hz);
    for (int i = 0; i < NETS_N; i++) {
        time_net(&nets[i]);
        print_times(&nets[i], unit);
    }
    print_number("tb 1 end lines ", lines);
    print_number(" sum ", sum);
    tb_print("\n");
}
