#include "tb_window.h"

/* One window, the whole input: there is no second one to pair with. */
void tb_dense_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const TbWindow window = {.kh = op->kh, .kw = op->kw};
    (void)scratch;
    tb_window_row(op, &window, rows->in, rows->out[0]);
}
