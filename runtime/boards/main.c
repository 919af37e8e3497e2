/* main.c - runs the model and says what it took, one fact a line:
 *
 *     output <hex>            the int8 outputs of one input, in the order of the inputs
 *     sample equal|differs    the self-check: as on the machine that exported it
 *     instructions <n>        one whole inference (or cycles: what the board's clock counts)
 *     segment <i> <n>         the same of each segment
 *     arena <bytes>           the end of the arena that was touched
 *     canaries ok|broken      64 bytes before and behind the arena
 *     stack <bytes>           the deepest the inference went
 *     done
 *
 * The inputs are raw int8 in the file inputs.bin (or the file named on the
 * command line), else the self-check's own. A board without a clock
 * or a painted stack leaves out their lines. Measured on the first input. */
#include "model.h"

#include "tb_board.h"

#include <stddef.h>

enum { CANARY = 64, CANARY_BYTE = 0x3C, FILL = 0xA5, OTHER_FILL = 0x5A };

static struct {
    int8_t before[CANARY];
    int8_t arena[MODEL_ARENA_BYTES];
    int8_t behind[CANARY];
} memory __attribute__((aligned(16))); /* the arena at a multiple of MODEL_ARENA_ALIGN */

static int8_t input[MODEL_INPUT_BYTES];

static void fill(int8_t *to, int value, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = (int8_t)value;
}

static void write_number(uint64_t n)
{
    char text[24], *p = text + sizeof text;
    *--p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    board_write(" ");
    board_write(p);
}

static void write_fact(const char *name, uint64_t n)
{
    board_write(name);
    write_number(n);
    board_write("\n");
}

static void write_output(const int8_t *output)
{
    board_write("output ");
    for (uint32_t i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        const uint8_t byte = (uint8_t)output[i];
        const char hex[] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15], 0};
        board_write(hex);
    }
    board_write("\n");
}

/* By words, as a camera's DMA would: the network is measured with it. */
static void copy(int8_t *to, const int8_t *from, uint32_t n)
{
    for (; n >= 4; n -= 4, to += 4, from += 4)
        __builtin_memcpy(to, from, 4);
    for (uint32_t i = 0; i < n; i++)
        to[i] = from[i];
}

#if MODEL_IMAGE_OUTSIDE
/* The input's rows as a camera would bring them: when the network asks. */
static void input_row(void *context, int y, int x0, int x1, int8_t *to)
{
    const int8_t *row = (const int8_t *)context + (uint32_t)y * MODEL_INPUT_W * MODEL_INPUT_C;
    copy(to, row + x0 * MODEL_INPUT_C, (uint32_t)(x1 - x0) * MODEL_INPUT_C);
}

static const TbInput outside = {input_row, input}, *const image = &outside;

static void prepare(int value)
{
    fill(memory.arena, value, MODEL_ARENA_BYTES);
}
#else
static const TbInput *const image = NULL; /* it is in the arena */

static void prepare(int value)
{
    fill(memory.arena, value, MODEL_ARENA_BYTES);
    copy(model_input(memory.arena), input, MODEL_INPUT_BYTES);
}
#endif

static uint32_t touched(int value)
{
    uint32_t end = MODEL_ARENA_BYTES;
    while (end > 0 && memory.arena[end - 1] == (int8_t)value)
        end--;
    return end;
}

static int canaries_ok(void)
{
    for (int i = 0; i < CANARY; i++)
        if (memory.before[i] != CANARY_BYTE || memory.behind[i] != CANARY_BYTE)
            return 0;
    return 1;
}

/* Two runs over two fills: what either changed was touched. */
static void measure_arena(void)
{
    prepare(OTHER_FILL);
    model_run(memory.arena, image);
    uint32_t end = touched(OTHER_FILL), other;
    prepare(FILL);
    model_run(memory.arena, image);
    other = touched(FILL);
    write_fact("arena", other > end ? other : end);
    board_write(canaries_ok() ? "canaries ok\n" : "canaries broken\n");
}

static void measure_stack(void)
{
    prepare(FILL);
    board_stack_paint();
    model_run(memory.arena, image);
    uint32_t used = board_stack_used();
    if (used)
        write_fact("stack", used);
}

static void measure_time(void)
{
    if (!board_clock_unit())
        return;
    prepare(FILL);
    board_clock_start();
    model_run(memory.arena, image);
    write_fact(board_clock_unit(), board_clock_stop());
    prepare(FILL);
    for (int i = 0; i < MODEL_N_SEGMENTS; i++) {
        board_clock_start();
        model_run_segment(i, memory.arena, image);
        const uint64_t n = board_clock_stop();
        board_write("segment");
        write_number((uint64_t)i);
        write_fact("", n);
    }
}

static void run(void)
{
    prepare(FILL);
    model_run(memory.arena, image);
    write_output(model_output(memory.arena));
}

/* The self-check's input, where the measurements look for theirs. */
static void use_sample(void)
{
    for (int y = 0; y < MODEL_INPUT_H; y++)
        model_check_row(NULL, y, 0, MODEL_INPUT_W, input + y * MODEL_INPUT_W * MODEL_INPUT_C);
}

static int sample_differs(void)
{
    const int differs = model_self_check(memory.arena);
    board_write(differs ? "sample differs\n" : "sample equal\n");
    return differs;
}

int main(int argc, char **argv)
{
    int status = 0;
    board_begin();
    fill(memory.before, CANARY_BYTE, CANARY);
    fill(memory.behind, CANARY_BYTE, CANARY);
    if (board_open(argc > 1 ? argv[1] : "inputs.bin") && board_read(input, sizeof input)) {
        measure_time();
        measure_arena();
        measure_stack();
        do
            run();
        while (board_read(input, sizeof input));
    } else {
        use_sample();
        measure_time();
        measure_arena();
        measure_stack();
        run();
        status = sample_differs();
    }
    status |= !canaries_ok();
    board_write("done\n");
    board_end(status);
    return status;
}
