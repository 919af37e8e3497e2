#include "tb_inner.h"

/* A row of the image comes in. */
void tb_input_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbInput *input = rows->input;
    (void)scratch;
    input->row(input->context, op->in_h + rows->y, op->in_w, op->in_w + op->out_w, rows->out[0]);
}
