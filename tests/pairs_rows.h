/* pairs_rows.h - layers on the kernels of pairs, row by row, against slow_kernels.h. */
#ifndef PAIRS_ROWS_H
#define PAIRS_ROWS_H

#include "tests/kernel_runner.h"

enum { GUARD_ROOM = 24 };

/* n bytes between two of GUARD_ROOM that nobody may write. */
static inline int8_t *guarded(size_t n)
{
    int8_t *memory = xmalloc(n + 2 * GUARD_ROOM);
    memset(memory, 0x6B, n + 2 * GUARD_ROOM);
    return memory + GUARD_ROOM;
}

static inline bool stands(const int8_t *guarded, size_t n)
{
    bool all = true;
    for (int i = 0; i < GUARD_ROOM; i++)
        all = all && guarded[-1 - i] == 0x6B && guarded[n + (size_t)i] == 0x6B;
    return all;
}

/* The window's rows of output row y, each in a block of exactly its size. */
static inline void row_copies(const TbOp *op, const int8_t *in, int y, int8_t **copy, TbRows *rows)
{
    size_t bytes = (size_t)op->in_w * op->in_c;
    for (int k = 0; k < op->kh; k++) {
        int at = y * op->sh - op->pad_top + k;
        bool inside = at >= 0 && at < op->in_h;
        copy[k] = inside ? xmalloc(bytes) : NULL;
        if (inside)
            memcpy(copy[k], in + (size_t)at * bytes, bytes);
        rows->in[k] = copy[k];
    }
}

static inline void row_is_exact(const TbOp *op, const int8_t *in, int y, const int8_t *expected,
                                int i)
{
    size_t n = (size_t)op->out_w * op->out_c;
    uint32_t scratch_bytes = case_scratch(op);
    int8_t *copy[TB_MAX_ROWS], *out = guarded(n), *scratch = guarded(scratch_bytes);
    TbRows rows = {.out = {out}, .y = y};
    row_copies(op, in, y, copy, &rows);
    op->kernel(op, &rows, scratch);
    ck_assert_msg(memcmp(out, expected, n) == 0,
                  "layer %d row %d: %dx%d -> %dx%d, k%dx%d s%d pad %d", i, y, op->in_w, op->in_c,
                  op->out_w, op->out_c, op->kh, op->kw, op->sw, op->pad_left);
    ck_assert_msg(stands(out, n), "layer %d row %d writes beside its output", i, y);
    ck_assert_msg(stands(scratch, scratch_bytes), "layer %d row %d: scratch", i, y);
    for (int k = 0; k < op->kh; k++)
        free(copy[k]);
    free(out - GUARD_ROOM), free(scratch - GUARD_ROOM);
}

/* natural: a convolution, pointwise or depthwise layer of at most MOST_C channels. */
static inline void pairs_are_exact(const TbOp *natural, Rng *rng, int i)
{
    int32_t folded[MOST_C];
    int8_t *packed, *in = draw_tensor(rng, (size_t)natural->in_h * natural->in_w * natural->in_c);
    size_t row = (size_t)natural->out_w * natural->out_c;
    int8_t *expected = xmalloc(row * natural->out_h);
    slow_layer(natural, in, NULL, expected);
    TbOp op = pairs_op(natural, &packed, folded);
    for (int y = 0; y < op.out_h; y++)
        row_is_exact(&op, in, y, expected + (size_t)y * row, i);
    free(in), free(packed), free(expected);
}

#endif
