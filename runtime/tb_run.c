/* tb_run.c - rows are made when somebody needs them.
 *
 * Of a segment all rows of the last output are wanted. Whatever op lacks an
 * input row sends its producer ahead, so every tensor between is at most one
 * window ahead of its slowest reader, and a ring of rows is enough. A residual
 * add finds its second row still in the ring of the tensor it skips from: a
 * delay line. A segment of one op is the plain loop over rows. */
#include "tb_inner.h"

typedef struct {
    const TbModel *model;
    const TbOp *op;                /* of the segment */
    int n;
    int8_t *arena;
    const TbInput *input;
    uint16_t made[TB_MAX_SEGMENT]; /* rows of each op's output so far */
} Flow;

static int8_t *row_of(const Flow *f, int tensor, int y)
{
    const TbTensor *t = &f->model->tensor[tensor];
    return f->arena + t->offset + (uint32_t)(y % t->rows) * t->row_bytes;
}

/* Does the producer so many ops before op i still owe rows [0, need)? */
static int behind(const Flow *f, int i, int back, int need)
{
    return back > 0 && f->made[i - back] < need;
}

/* Of the second input row y, or the only one (a gate's vector). */
static int rows_needed2(const Flow *f, const TbOp *op, int y)
{
    const int h = f->model->tensor[op->input2].h;
    return y + 1 < h ? y + 1 : h;
}

/* The op whose turn it is, so that the last one gets on. */
static int whose_turn(const Flow *f)
{
    int i = f->n - 1;
    for (;;) {
        const TbOp *op = &f->op[i];
        const int y = f->made[i], end = y * op->sh - op->pad_top + op->kh;
        if (behind(f, i, op->back, end < op->in_h ? end : op->in_h))
            i -= op->back;
        else if (op->back2 > 0 && behind(f, i, op->back2, rows_needed2(f, op, y)))
            i -= op->back2;
        else
            return i;
    }
}

/* The rows of the window, then row y of the second input, which only an op
 * whose window is one row looks at. */
static void make_rows(Flow *f, int i)
{
    const TbOp *op = &f->op[i];
    const int y = f->made[i], first = y * op->sh - op->pad_top;
    TbRows rows;
    for (int k = 0; k < op->kh; k++) {
        const int inside = first + k >= 0 && first + k < op->in_h;
        rows.in[k] = inside ? row_of(f, op->input, first + k) : NULL;
    }
    rows.in[op->kh] = row_of(f, op->input2, y);
    rows.out[0] = row_of(f, op->output, y);
    for (int r = 1; r < op->block; r++)
        rows.out[r] = y + r < op->out_h ? row_of(f, op->output, y + r) : NULL;
    rows.y = y;
    rows.input = f->input;
    op->kernel(op, &rows, f->arena + op->scratch);
    f->made[i] = op->block != TB_ALL_ROWS && y + op->block < op->out_h ? (uint16_t)(y + op->block)
                                                                       : op->out_h;
}

void tb_run_segment(const TbModel *model, int segment, int8_t *arena, const TbInput *input)
{
    const TbSegment *s = &model->segment[segment];
    Flow f;
    f.model = model;
    f.op = &model->op[s->first];
    f.n = s->n;
    f.arena = arena;
    f.input = input;
    for (int i = 0; i < f.n; i++)
        f.made[i] = 0;
    while (f.made[f.n - 1] < f.op[f.n - 1].out_h)
        make_rows(&f, whose_turn(&f));
}

void tb_run(const TbModel *model, int8_t *arena, const TbInput *input)
{
    for (int s = 0; s < model->n_segments; s++)
        tb_run_segment(model, s, arena, input);
}
