/* kernel_board.c - calls kernels on the emulated board with the layers that are
 * in the file cases.bin (kernel_case.h), one line each:
 *
 *     case <instructions> <stack> <first wrong byte, or -1> <bytes beside it that were touched>
 *
 * and "done". Counted are the calls of the kernel alone, one for each output row. */
#include "tb.h"
#include "tb_board.h"

#include "kernel_case.h"

enum { GUARD = 16, GUARD_BYTE = 0x6B };

static CaseHead head;
static TbOp op[CASE_MAX_OPS];
static TbRows rows[CASE_MAX_CALLS];
static int8_t memory[CASE_MAX_BYTES] __attribute__((aligned(8)));

typedef struct {
    int8_t *out, *scratch, *expected;
} Place;

static void make_op(const CaseOp *from, TbOp *to)
{
    uint8_t *fields = (uint8_t *)&to->scratch;
    for (int i = 0; i < CASE_FIELDS; i++)
        fields[i] = from->fields[i];
    to->kernel = kernel_table[from->kernel];
    to->weights = memory + from->weights;
    to->bias = (const int32_t *)(memory + from->bias);
    to->multiplier = (const int32_t *)(memory + from->multiplier);
    to->shift = memory + from->shift;
}

static void make_rows(const TbOp *o, TbRows *r, int y, int8_t *out)
{
    const int in_row = o->in_w * o->in_c, out_row = o->out_w * o->out_c;
    for (int k = 0; k < o->kh; k++) {
        const int at = y * o->sh - o->pad_top + k;
        r->in[k] = at >= 0 && at < o->in_h ? memory + head.in + at * in_row : NULL;
    }
    r->in[o->kh] = memory + head.in2 + (o->kernel == tb_gate_row ? 0 : y * in_row);
    r->out[0] = out + y * out_row;
    for (int i = 1; i < o->block; i++)
        r->out[i] = y + i < o->out_h ? out + (y + i) * out_row : NULL;
    if (o->kernel == tb_sum_pool_row)
        r->out[0] = out;
    r->y = y;
}

/* guard, output, guard, scratch, guard, expected */
static Place place(void)
{
    int8_t *at = memory + (head.bytes + 3) / 4 * 4, *end;
    Place p;
    p.out = at + GUARD + head.out_skew;
    p.scratch = p.out + (head.out + GUARD + 7 - head.out_skew) / 4 * 4 - head.out_skew;
    p.expected = p.scratch + head.scratch + GUARD;
    end = p.expected;
    while (at < end)
        *at++ = GUARD_BYTE;
    return p;
}

static int touched(const int8_t *from, const int8_t *to)
{
    int n = 0;
    while (from < to)
        n += *from++ != GUARD_BYTE;
    return n;
}

static int first_wrong(const Place *p)
{
    for (uint32_t i = 0; i < head.out; i++)
        if (p->out[i] != p->expected[i])
            return (int)i;
    return -1;
}

static int beside(const Place *p)
{
    return touched(p->out - GUARD, p->out) + touched(p->out + head.out, p->scratch) +
           touched(p->scratch + head.scratch, p->expected);
}

static void write_number(int64_t n)
{
    char text[24], *p = text + sizeof text;
    const int minus = n < 0;
    uint64_t rest = (uint64_t)(minus ? -n : n);
    *--p = 0;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (minus)
        *--p = '-';
    *--p = ' ';
    board_write(p);
}

static void run_case(void)
{
    const TbOp *o = &op[head.n_ops - 1];
    const Place p = place();
    int calls = 0;
    board_read(p.expected, head.out);
    for (uint32_t i = 0; i < head.n_ops; i++)
        make_op(&head.op[i], &op[i]);
    for (int y = 0; y < o->out_h; y += o->block == TB_ALL_ROWS ? o->out_h : o->block)
        make_rows(o, &rows[calls++], y, p.out);
    board_stack_paint();
    board_clock_start();
    for (int i = 0; i < calls; i++)
        o->kernel(o, &rows[i], p.scratch);
    const uint64_t instructions = board_clock_stop();
    const uint32_t stack = board_stack_used();
    board_write("case");
    write_number((int64_t)instructions);
    write_number((int64_t)stack);
    write_number(first_wrong(&p));
    write_number(beside(&p));
    board_write("\n");
}

int main(int argc, char **argv)
{
    (void)argc, (void)argv;
    board_begin();
    if (!board_open("cases.bin"))
        board_end(1);
    while (board_read(&head, sizeof head) && board_read(memory, head.bytes))
        run_case();
    board_write("done\n");
    board_end(0);
    return 0;
}
