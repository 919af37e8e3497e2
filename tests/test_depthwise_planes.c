#define _GNU_SOURCE
#include "tests/pairs_rows.h"

#include "tests/suite.h"

/* One call, with its output apart or where the input begins: nothing else may change. */
static void planes_are_exact(const TbOp *natural, const int8_t *in, bool over, int i)
{
    const size_t n_in = (size_t)natural->in_h * natural->in_w * natural->in_c;
    const size_t n = (size_t)natural->out_h * natural->out_w * natural->out_c;
    int32_t folded[MOST_C];
    int8_t *packed, *expected = xmalloc(n), *image = guarded(n_in), *out = guarded(n);
    TbOp op = planes_op(natural, &packed, folded);
    const uint32_t scratch_bytes = case_scratch(&op);
    int8_t *scratch = guarded(scratch_bytes), *to = over ? image : out;
    TbRows rows = {.in = {NULL}, .out = {to}};
    memcpy(image, in, n_in);
    slow_layer(natural, in, NULL, expected);
    for (int k = op.pad_top; k < op.kh && k - op.pad_top < op.in_h; k++)
        rows.in[k] = image + (size_t)(k - op.pad_top) * op.in_w * op.in_c;
    op.kernel(&op, &rows, scratch);
    ck_assert_msg(memcmp(to, expected, n) == 0,
                  "layer %d%s: %dx%dx%d -> %dx%d, k%d s%dx%d pad %dx%d", i, over ? " in place" : "",
                  op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.kh, op.sh, op.sw, op.pad_top,
                  op.pad_left);
    ck_assert_msg(stands(to, over ? n_in : n), "layer %d writes beside its output", i);
    ck_assert_msg(stands(scratch, scratch_bytes), "layer %d: scratch", i);
    ck_assert(over ? memcmp(image + n, in + n, n_in - n) == 0 : memcmp(image, in, n_in) == 0);
    free(image - GUARD_ROOM), free(out - GUARD_ROOM), free(scratch - GUARD_ROOM);
    free(packed), free(expected);
}

static bool may_cover(const TbOp *op)
{
    Layer l = {.in_h = op->in_h, .in_w = op->in_w, .out_h = op->out_h, .out_w = op->out_w};
    l.kh = op->kh, l.pad_top = op->pad_top;
    return plan_may_cover(&l);
}

TEST(any_shape_equals_the_reference_apart_and_in_place)
{
    Rng rng = rng_make(73, 0);
    int covered = 0, in_blocks = 0;
    for (int i = 0; i < 2000; i++) {
        Sample s;
        draw_depthwise(&s, &rng, is_for_planes);
        int8_t *in = draw_tensor(&rng, (size_t)s.op.in_h * s.op.in_w * s.op.in_c);
        planes_are_exact(&s.op, in, false, i);
        if (may_cover(&s.op))
            planes_are_exact(&s.op, in, true, i);
        const uint32_t words = tb_planes_words(s.op.kw, s.op.sw, s.op.out_w);
        covered += may_cover(&s.op);
        in_blocks += tb_planes_block(s.op.kw, s.op.sh, words, s.op.out_h) < s.op.out_h;
        free(in), free(s.weights);
    }
    ck_assert_int_gt(covered, 200);
    ck_assert_int_gt(in_blocks, 200); /* rows that stay in the planes move up */
}
END

/* What a layer wants beyond TB_PLANES_BYTES: constants, spare outputs, and a row more than fits. */
TEST(scratch_is_modest)
{
    for (uint32_t k = 3; k <= 7; k += 2)
        for (uint32_t stride = 1; stride <= 2; stride++)
            for (uint32_t size = 3; size <= 224; size++) {
                uint32_t bytes = tb_depthwise_planes_scratch(k, stride, stride, size, size);
                uint32_t window = 16 * k * tb_planes_words(k, stride, size);
                uint32_t planes = window > TB_PLANES_BYTES ? window : TB_PLANES_BYTES;
                ck_assert_uint_le(bytes, planes + 16 * 59 + size + 4);
            }
}
END

/* By hand: two channels, whose rows are 1 2 3, 4 5 6, 7 8 9 and the same negative. */
TEST(weights_lie_channel_by_channel_and_by_two_a_zero_makes_pairs)
{
    int8_t natural[18], packed[24];
    const int8_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, -1, -2, -3, -4, -5, -6, -7, -8, -9};
    const int8_t even[] = {1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, -1};
    const int8_t odd[] = {0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, -1};
    const LayerConstants constants = {.weights = natural};
    Layer l = {.op = OP_DEPTHWISE, .in_c = 2, .out_c = 2};
    for (int i = 0; i < 9; i++)
        natural[2 * i] = (int8_t)(i + 1), natural[2 * i + 1] = (int8_t)(-i - 1);
    l.kh = l.kw = 3, l.sh = l.sw = 1, l.pad_left = 1;
    constants_pack(&l, STEP_DEPTHWISE_PLANES, &constants, packed);
    ck_assert_mem_eq(packed, rows, sizeof rows);
    l.sw = 2, l.pad_left = 0;
    constants_pack(&l, STEP_DEPTHWISE_PLANES, &constants, packed);
    ck_assert_mem_eq(packed, even, sizeof even);
    l.pad_left = 1;
    constants_pack(&l, STEP_DEPTHWISE_PLANES, &constants, packed);
    ck_assert_mem_eq(packed, odd, sizeof odd);
}
END

SUITE(depthwise_planes, any_shape_equals_the_reference_apart_and_in_place, scratch_is_modest,
      weights_lie_channel_by_channel_and_by_two_a_zero_makes_pairs)
