#include "tb_window.h"

void tb_pointwise_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbWindow window = {.kh = 1, .kw = 1, .stride = 1};
    (void)scratch;
    tb_window_row(op, &window, rows->in, rows->out[0]);
}
