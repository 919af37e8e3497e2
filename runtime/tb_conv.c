#include "tb_window.h"

void tb_conv_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbWindow window = {op->kh, op->kw, op->sw, op->pad_left, 1};
    (void)scratch;
    tb_window_row(op, &window, rows->in, rows->out[0]);
}
