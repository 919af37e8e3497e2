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
    uint16_t made[TB_MAX_SEGMENT]; /* rows of each op's output so far */
} Flow;

static int8_t *row_of(const Flow *f, int tensor, int y)
{
    const TbTensor *t = &f->model->tensor[tensor];
    return f->arena + t->offset + (uint32_t)(y % t->rows) * t->row_bytes;
}

/* One past the last input row that output row y needs. */
static int rows_needed(const TbOp *op, int y)
{
    const int end = y * op->sh - op->pad_top + op->kh;
    return end < op->in_h ? end : op->in_h;
}

/* The op of this segment that must run before op i has rows [0, need) of a
 * tensor, or i itself when they are there. */
static int behind(const Flow *f, int i, int tensor, int need)
{
    for (int p = i - 1; p >= 0; p--)
        if (f->op[p].output == tensor)
            return f->made[p] < need ? p : i;
    return i; /* complete before the segment began */
}

/* The op whose turn it is, so that the last one gets on. */
static int whose_turn(const Flow *f)
{
    int i = f->n - 1, at;
    do {
        const TbOp *op = &f->op[i];
        const int need = rows_needed(op, f->made[i]);
        at = i;
        i = behind(f, at, op->input, need);
        if (i == at)
            i = behind(f, at, op->input2, need);
    } while (i != at);
    return at;
}

/* The rows of the window, then row y of the second input, which only an add
 * (whose window is one row) looks at. */
static void make_row(Flow *f, int i)
{
    const TbOp *op = &f->op[i];
    const int y = f->made[i]++, first = y * op->sh - op->pad_top;
    const int8_t *rows[TB_MAX_ROWS + 1];
    for (int k = 0; k < op->kh; k++) {
        const int inside = first + k >= 0 && first + k < op->in_h;
        rows[k] = inside ? row_of(f, op->input, first + k) : NULL;
    }
    rows[op->kh] = row_of(f, op->input2, y);
    op->kernel(op, rows, row_of(f, op->output, y), f->arena + op->scratch);
}

void tb_run_segment(const TbModel *model, int segment, int8_t *arena)
{
    const TbSegment *s = &model->segment[segment];
    Flow f;
    f.model = model;
    f.op = &model->op[s->first];
    f.n = s->n;
    f.arena = arena;
    for (int i = 0; i < f.n; i++)
        f.made[i] = 0;
    while (f.made[f.n - 1] < f.op[f.n - 1].out_h)
        make_row(&f, whose_turn(&f));
}

void tb_run(const TbModel *model, int8_t *arena)
{
    for (int s = 0; s < model->n_segments; s++)
        tb_run_segment(model, s, arena);
}
