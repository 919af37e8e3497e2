/* Hand-made tables of every kind of plan, each equal to the layers executed one
 * by one by the slow reference, in an arena of exactly the plan's bytes. */
#include "runtime/scratch.h"
#include "runtime/tb.h"

#include "tests/slow_kernels.h"
#include "tests/suite.h"

/* ---- a chain of layers ---- */

enum { MOST_LAYERS = 8, MOST_OPS = 32, MOST_TENSORS = 32, MOST_SEGMENTS = 16, GUARD = 64 };

/* Layer i reads layer i - 1, or the image; an add or a gate also layer `second`. */
typedef struct {
    int n, second;
    Sample layer[MOST_LAYERS];
} Chain;

static TbOp window(int k, int stride, int pad, int out_c)
{
    return (TbOp){.kh = (uint8_t)k, .kw = (uint8_t)k, .sh = (uint8_t)stride, .sw = (uint8_t)stride,
                  .pad_top = (uint8_t)pad, .pad_left = (uint8_t)pad, .out_c = (uint16_t)out_c};
}

/* Scales that keep the values in the range of int8, so that an error in one
 * row survives to the output. */
static void tame_requant(Sample *s, Rng *rng, int taps)
{
    const bool add = s->op.kernel == tb_add_row;
    int shift = -6;
    for (; taps > 1; taps /= 4)
        shift--;
    for (int i = 0; i < MOST_C; i++) {
        s->multiplier[i] = between(rng, 1 << 30, INT32_MAX);
        s->shift[i] = (int8_t)(add ? (i < 2 ? -1 : -19) : shift);
        s->bias[i] = between(rng, -2000, 2000);
    }
}

static void draw_weights(Sample *s, Rng *rng)
{
    TbOp *op = &s->op;
    int taps = op->kh * op->kw * (op->kernel == tb_depthwise_row ? 1 : op->in_c);
    s->weights = draw_tensor(rng, (size_t)taps * op->out_c);
    tame_requant(s, rng, taps);
    op->weights = s->weights, op->bias = s->bias;
    op->multiplier = s->multiplier, op->shift = s->shift;
}

static void image_begins(Chain *c, int h, int w, int channels)
{
    memset(c, 0, sizeof *c);
    TbOp *first = &c->layer[0].op;
    first->in_h = (uint16_t)h, first->in_w = (uint16_t)w, first->in_c = (uint16_t)channels;
    first->in_zero = -7;
}

/* window: what window() makes; out_c 0 is in_c. */
static void append(Chain *c, Rng *rng, TbKernel *kernel, TbOp shape)
{
    Sample *s = &c->layer[c->n];
    TbOp *op = &s->op;
    if (c->n > 0) {
        const TbOp *from = &c->layer[c->n - 1].op;
        op->in_h = from->out_h, op->in_w = from->out_w, op->in_c = from->out_c;
        op->in_zero = from->out_zero;
    }
    op->kernel = kernel, op->block = 1;
    op->kh = shape.kh, op->kw = shape.kw, op->sh = shape.sh, op->sw = shape.sw;
    op->pad_top = shape.pad_top, op->pad_left = shape.pad_left;
    op->out_h = (uint16_t)((op->in_h + 2 * op->pad_top - op->kh) / op->sh + 1);
    op->out_w = (uint16_t)((op->in_w + 2 * op->pad_left - op->kw) / op->sw + 1);
    op->out_c = shape.out_c ? shape.out_c : op->in_c;
    op->out_zero = (int8_t)between(rng, -20, 20);
    op->act_min = -128, op->act_max = 127;
    draw_weights(s, rng);
    c->n++;
}

static void append_add(Chain *c, Rng *rng, int second)
{
    append(c, rng, tb_add_row, window(1, 1, 0, 0));
    c->second = second;
    c->layer[c->n - 1].op.in2_zero = c->layer[second].op.out_zero;
}

static size_t output_bytes(const TbOp *op)
{
    return (size_t)op->out_h * op->out_w * op->out_c;
}

static size_t image_bytes(const Chain *c)
{
    const TbOp *op = &c->layer[0].op;
    return (size_t)op->in_h * op->in_w * op->in_c;
}

/* What the last layer must give. */
static int8_t *slow_chain(const Chain *c, const int8_t *image)
{
    int8_t *made[MOST_LAYERS];
    for (int i = 0; i < c->n; i++) {
        const TbOp *op = &c->layer[i].op;
        made[i] = xmalloc(output_bytes(op));
        slow_layer(op, i ? made[i - 1] : image, made[c->second], made[i]);
    }
    for (int i = 0; i < c->n - 1; i++)
        free(made[i]);
    return made[c->n - 1];
}

static void release(Chain *c)
{
    for (int i = 0; i < c->n; i++)
        free(c->layer[i].weights);
}

/* ---- tables, an entry at a time ---- */

typedef struct {
    TbOp op[MOST_OPS];
    TbTensor tensor[MOST_TENSORS];
    TbSegment segment[MOST_SEGMENTS];
    uint16_t n_ops, n_tensors, n_segments;
    uint32_t arena;
} Tables;

static uint32_t reserve(Tables *t, uint32_t bytes)
{
    uint32_t offset = t->arena;
    t->arena += (bytes + TB_ALIGN - 1) / TB_ALIGN * TB_ALIGN;
    return offset;
}

/* A ring of so many rows; 0: all of them. */
static int ring(Tables *t, int h, int w, int c, int rows)
{
    uint32_t row = (uint32_t)w * (uint32_t)c;
    int kept = rows && rows < h ? rows : h;
    TbTensor tensor = {.row_bytes = row, .rows = (uint16_t)kept, .h = (uint16_t)h};
    tensor.offset = reserve(t, (uint32_t)kept * row);
    t->tensor[t->n_tensors] = tensor;
    return t->n_tensors++;
}

static int ring_of(Tables *t, const TbOp *op, int rows)
{
    return ring(t, op->out_h, op->out_w, op->out_c, rows);
}

/* The image, which is whole, or not in the arena at all. */
static int image_tensor(Tables *t, const Chain *c, bool outside)
{
    const TbOp *op = &c->layer[0].op;
    int image = ring(t, op->in_h, op->in_w, op->in_c, outside ? 1 : 0);
    t->arena = outside ? 0 : t->arena;
    return image;
}

/* The same bytes from a column of c channels on. */
static int view(Tables *t, int of, int column, int c)
{
    t->tensor[t->n_tensors] = t->tensor[of];
    t->tensor[t->n_tensors].offset += (uint32_t)(column * c);
    return t->n_tensors++;
}

static TbOp *push(Tables *t, const TbOp *layer, int input, int output)
{
    TbOp *op = &t->op[t->n_ops++];
    *op = *layer;
    op->input = op->input2 = (uint16_t)input;
    op->output = (uint16_t)output;
    return op;
}

/* All ops since the last segment. */
static void close_segment(Tables *t)
{
    int s = t->n_segments++;
    TbSegment before = s ? t->segment[s - 1] : (TbSegment){0, 0};
    t->segment[s].first = (uint16_t)(before.first + before.n);
    t->segment[s].n = (uint16_t)(t->n_ops - t->segment[s].first);
}

/* Rows of the image, columns [x0, x0 + w), into a ring of so many rows. */
static int push_input(Tables *t, const Chain *c, int x0, int w, int rows)
{
    const TbOp *first = &c->layer[0].op;
    int to = ring(t, first->in_h, w, first->in_c, rows);
    TbOp op = {.kernel = tb_input_row, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .block = 1,
               .in_h = 0, .in_w = (uint16_t)x0, .in_c = first->in_c, .out_h = first->in_h,
               .out_w = (uint16_t)w, .out_c = first->in_c};
    push(t, &op, 0, to);
    return to;
}

/* ---- running them ---- */

/* The image as a camera has it, and what was asked of it. */
typedef struct {
    const int8_t *image;
    int w, c, next, asked;
    bool rises;
} Camera;

static void camera_row(void *context, int y, int x0, int x1, int8_t *to)
{
    Camera *camera = context;
    memcpy(to, camera->image + (y * camera->w + x0) * camera->c, (size_t)((x1 - x0) * camera->c));
    camera->rises &= y == 0 || y == camera->next;
    camera->next = y + 1;
    camera->asked++;
}

typedef struct {
    int8_t *output;
    Camera camera;
} Outcome;

/* Of the last op's output; the arena is guarded and full of what nobody wrote. */
static Outcome run_tables(const Tables *t, const Chain *c, const int8_t *image)
{
    const TbModel model = {t->op, t->tensor, t->segment, t->n_ops, t->n_tensors, t->n_segments,
                           t->arena};
    const TbTensor *in = &t->tensor[0], *out = &t->tensor[t->op[t->n_ops - 1].output];
    const bool outside = in->rows < in->h;
    Outcome o = {.camera = {.image = image, .w = c->layer[0].op.in_w, .c = c->layer[0].op.in_c,
                            .rises = true}};
    const TbInput input = {camera_row, &o.camera};
    int8_t *memory = xmalloc(t->arena + 2 * GUARD), *arena = memory + GUARD;
    memset(memory, 0x55, t->arena + 2 * GUARD);
    if (!outside)
        memcpy(arena + in->offset, image, image_bytes(c));
    tb_run(&model, arena, outside ? &input : NULL);
    for (uint32_t i = 0; i < GUARD; i++)
        ck_assert(memory[i] == 0x55 && arena[t->arena + i] == 0x55);
    o.output = xmalloc(output_bytes(&c->layer[c->n - 1].op));
    memcpy(o.output, arena + out->offset, output_bytes(&c->layer[c->n - 1].op));
    free(memory);
    return o;
}

static bool equals_layers(const Tables *t, const Chain *c, Rng *rng, Camera *camera)
{
    int8_t *image = draw_tensor(rng, image_bytes(c)), *slow = slow_chain(c, image);
    Outcome o = run_tables(t, c, image);
    bool equal = memcmp(o.output, slow, output_bytes(&c->layer[c->n - 1].op)) == 0;
    if (camera)
        *camera = o.camera;
    free(image), free(slow), free(o.output);
    return equal;
}

/* ---- a stem and an inverted bottleneck ---- */

/* conv -> pointwise -> depthwise -> pointwise -> add with the conv's output. */
static void draw_bottleneck(Chain *c, Rng *rng)
{
    int narrow = between(rng, 1, 6), wide = between(rng, 1, 12), k = 2 * between(rng, 1, 3) + 1;
    image_begins(c, between(rng, 8, 20), between(rng, 8, 14), between(rng, 1, 3));
    append(c, rng, tb_conv_row, window(3, between(rng, 1, 2), 1, narrow));
    append(c, rng, tb_pointwise_row, window(1, 1, 0, wide));
    append(c, rng, tb_depthwise_row, window(k, 1, k / 2, 0));
    append(c, rng, tb_pointwise_row, window(1, 1, 0, narrow));
    append_add(c, rng, 0);
}

static void plan_layers(Tables *t, const Chain *c)
{
    memset(t, 0, sizeof *t);
    image_tensor(t, c, false);
    for (int i = 0; i < c->n; i++) {
        TbOp *op = push(t, &c->layer[i].op, i, ring_of(t, &c->layer[i].op, 0));
        if (op->kernel == tb_add_row)
            op->input2 = (uint16_t)(1 + c->second);
        close_segment(t);
    }
}

/* One segment, with rings of exactly what the readers need: the windows' rows,
 * and at the skip's source 1 + k/2 rows of delay. */
static void plan_streamed(Tables *t, const Chain *c, bool outside)
{
    const TbOp *conv = &c->layer[0].op;
    memset(t, 0, sizeof *t);
    int from = image_tensor(t, c, outside), stem = 0;
    if (outside)
        from = push_input(t, c, 0, conv->in_w, conv->kh);
    for (int i = 0; i < c->n; i++) {
        const TbOp *layer = &c->layer[i].op, *next = &c->layer[i + 1].op;
        int rows = i + 1 == c->n ? 0 : i == 0 ? 1 + c->layer[2].op.kh / 2 : next->kh;
        int to = ring_of(t, layer, rows);
        TbOp *op = push(t, layer, from, to);
        op->back = i > 0 || outside;
        stem = i == 0 ? to : stem;
        from = to;
    }
    t->op[t->n_ops - 1].input2 = (uint16_t)stem;
    t->op[t->n_ops - 1].back2 = (uint8_t)(c->n - 1);
    close_segment(t);
}

TEST(a_streamed_bottleneck_equals_layer_by_layer_and_the_reference)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 200; i++) {
        Chain c;
        Tables t;
        draw_bottleneck(&c, &rng);
        plan_layers(&t, &c);
        ck_assert_msg(equals_layers(&t, &c, &rng, NULL), "chain %d, layer by layer", i);
        plan_streamed(&t, &c, false);
        ck_assert_msg(equals_layers(&t, &c, &rng, NULL), "chain %d, streamed", i);
        release(&c);
    }
}
END

/* Each row once, in their order, and never more of them in memory than the stem reads. */
TEST(an_image_outside_is_pulled_row_by_row)
{
    Rng rng = rng_make(2, 0);
    for (int i = 0; i < 200; i++) {
        Chain c;
        Tables t;
        Camera camera;
        draw_bottleneck(&c, &rng);
        plan_streamed(&t, &c, true);
        ck_assert_msg(equals_layers(&t, &c, &rng, &camera), "chain %d", i);
        const TbOp *conv = &c.layer[0].op;
        int last = (conv->out_h - 1) * conv->sh - conv->pad_top + conv->kh;
        ck_assert_int_eq(camera.asked, last < conv->in_h ? last : conv->in_h);
        ck_assert(camera.rises);
        ck_assert_int_le(t.tensor[1].rows, 3);
        release(&c);
    }
}
END

/* One row fewer and somebody reads what is gone: the rings above are not larger
 * than they need to be. */
TEST(a_ring_one_row_too_short_is_noticed)
{
    enum { STEM = 1, EXPANDED = 2 };
    Rng rng = rng_make(3, 0);
    int wrong[2] = {0};
    for (int i = 0; i < 60; i++) {
        Chain c;
        Tables t;
        draw_bottleneck(&c, &rng);
        plan_streamed(&t, &c, false);
        t.tensor[i % 2 ? EXPANDED : STEM].rows--;
        wrong[i % 2] += !equals_layers(&t, &c, &rng, NULL);
        release(&c);
    }
    ck_assert_int_gt(wrong[0], 15);
    ck_assert_int_gt(wrong[1], 15);
}
END

/* ---- block recompute ---- */

/* The layer's own shape in the block op, that of one pixel in its parts. */
static void push_block(Tables *t, const Chain *c, int first, int block, int input, int output)
{
    TbOp part[3];
    for (int i = 0; i < 3; i++)
        part[i] = c->layer[first + i].op;
    const TbOp *layer = &c->layer[first + 1].op;
    TbOp op = *layer;
    op.kernel = tb_block_rows, op.block = (uint8_t)block;
    op.kh = (uint8_t)((block - 1) * layer->sh + layer->kh);
    op.in_c = part[0].in_c, op.out_c = part[2].out_c;
    op.scratch = reserve(t, tb_block_scratch(op.kh, op.kw, part[0].out_c));
    part[1].in_h = part[1].kh, part[1].in_w = part[1].kw;
    part[1].pad_top = part[1].pad_left = 0;
    for (int i = 0; i < 3; i++) {
        if (i != 1)
            part[i].in_h = part[i].in_w = 1;
        part[i].out_h = part[i].out_w = 1;
        push(t, &part[i], MOST_TENSORS - 1, MOST_TENSORS - 1); /* of which there is none */
    }
    push(t, &op, input, output)->back = 4; /* over its parts */
}

/* The bottleneck's rows stay until the add has them: one window of a group is enough. */
static void plan_block(Tables *t, const Chain *c, int block)
{
    const TbOp *conv = &c->layer[0].op, *depthwise = &c->layer[2].op, *add = &c->layer[4].op;
    memset(t, 0, sizeof *t);
    int from = image_tensor(t, c, true);
    from = push_input(t, c, 0, conv->in_w, conv->kh);
    int stem = ring_of(t, conv, (block - 1) * depthwise->sh + depthwise->kh);
    push(t, conv, from, stem)->back = 1;
    int projected = ring_of(t, &c->layer[3].op, block);
    push_block(t, c, 1, block, stem, projected);
    TbOp *op = push(t, add, projected, ring_of(t, add, 0));
    op->back = 1;
    op->input2 = (uint16_t)stem, op->back2 = 5;
    close_segment(t);
}

TEST(a_recomputed_block_with_its_residual_equals_the_layers)
{
    Rng rng = rng_make(4, 0);
    for (int i = 0; i < 300; i++) {
        Chain c;
        Tables t;
        draw_bottleneck(&c, &rng);
        int block = between(&rng, 1, TB_MAX_BLOCK);
        plan_block(&t, &c, block);
        ck_assert_msg(equals_layers(&t, &c, &rng, NULL), "chain %d, block %d", i, block);
        release(&c);
    }
}
END

/* ---- strips ---- */

/* Columns [from, to) of each tensor of a chain: [0] the image, [1 + i] layer i. */
typedef struct {
    int from[MOST_LAYERS + 1], to[MOST_LAYERS + 1];
} Strip;

static Strip strip_of(const Chain *c, int from, int to)
{
    Strip s = {.from = {0}};
    s.from[c->n] = from, s.to[c->n] = to;
    for (int i = c->n - 1; i >= 0; i--) {
        const TbOp *op = &c->layer[i].op;
        int a = s.from[i + 1] * op->sw - op->pad_left;
        int b = (s.to[i + 1] - 1) * op->sw - op->pad_left + op->kw;
        s.from[i] = a < 0 ? 0 : a;
        s.to[i] = b > op->in_w ? op->in_w : b;
    }
    return s;
}

/* A layer whose tensors are only as wide as the strip. */
static TbOp cut(const TbOp *layer, const Strip *s, int i)
{
    TbOp op = *layer;
    op.pad_left = (uint8_t)(s->from[i] - (s->from[i + 1] * op.sw - op.pad_left));
    op.in_w = (uint16_t)(s->to[i] - s->from[i]);
    op.out_w = (uint16_t)(s->to[i + 1] - s->from[i + 1]);
    return op;
}

static int push_strip(Tables *t, const Chain *c, const Strip *s, int whole, bool outside)
{
    const TbOp *first = &c->layer[0].op, *last = &c->layer[c->n - 1].op;
    uint32_t arena = t->arena;
    int from = outside ? push_input(t, c, s->from[0], s->to[0] - s->from[0], first->kh)
                       : view(t, 0, s->from[0], first->in_c);
    for (int i = 0; i < c->n; i++) {
        TbOp op = cut(&c->layer[i].op, s, i);
        int to = i + 1 < c->n ? ring_of(t, &op, c->layer[i + 1].op.kh)
                              : view(t, whole, s->from[c->n], last->out_c);
        push(t, &op, from, to)->back = i > 0 || outside;
        from = to;
    }
    close_segment(t);
    uint32_t end = t->arena;
    t->arena = arena; /* the next strip's rings take the place of these */
    return (int)end;
}

/* The strips' outputs stand side by side in one tensor, which a last layer reads. */
static void plan_strips(Tables *t, const Chain *c, int n, bool outside)
{
    Chain front = *c;
    const TbOp *last = &c->layer[--front.n].op;
    int w = last->in_w, most = 0;
    memset(t, 0, sizeof *t);
    image_tensor(t, c, outside);
    int out = ring_of(t, last, 0), whole = ring_of(t, &c->layer[front.n - 1].op, 0);
    for (int i = 0; i < n; i++) {
        Strip s = strip_of(&front, w * i / n, w * (i + 1) / n);
        int end = push_strip(t, &front, &s, whole, outside);
        most = end > most ? end : most;
    }
    t->arena = (uint32_t)most;
    push(t, last, whole, out);
    close_segment(t);
}

static void draw_front(Chain *c, Rng *rng)
{
    int k = 2 * between(rng, 1, 2) + 1;
    image_begins(c, between(rng, 8, 20), between(rng, 16, 24), between(rng, 1, 3));
    append(c, rng, tb_conv_row, window(3, between(rng, 1, 2), 1, between(rng, 1, 8)));
    append(c, rng, tb_depthwise_row, window(k, between(rng, 1, 2), k / 2, 0));
    append(c, rng, tb_pointwise_row, window(1, 1, 0, between(rng, 1, 8)));
    append(c, rng, tb_max_pool_row, window(3, 1, 1, 0));
    append(c, rng, tb_pointwise_row, window(1, 1, 0, between(rng, 1, 8)));
}

TEST(strips_of_a_tensor_equal_the_whole)
{
    Rng rng = rng_make(5, 0);
    for (int i = 0; i < 300; i++) {
        Chain c;
        Tables t;
        Camera camera;
        draw_front(&c, &rng);
        int n = between(&rng, 2, 3);
        bool outside = rng_below(&rng, 2);
        plan_strips(&t, &c, n, outside);
        ck_assert_msg(equals_layers(&t, &c, &rng, &camera), "chain %d, %d strips", i, n);
        ck_assert(camera.rises); /* within each strip */
        release(&c);
    }
}
END

static void draw_bare_bottleneck(Chain *c, Rng *rng)
{
    int k = 2 * between(rng, 1, 3) + 1;
    image_begins(c, between(rng, 8, 20), between(rng, 12, 20), between(rng, 1, 6));
    append(c, rng, tb_pointwise_row, window(1, 1, 0, between(rng, 1, 12)));
    append(c, rng, tb_depthwise_row, window(k, between(rng, 1, 2), k / 2, 0));
    append(c, rng, tb_pointwise_row, window(1, 1, 0, between(rng, 1, 8)));
    append(c, rng, tb_pointwise_row, window(1, 1, 0, between(rng, 1, 8)));
}

static void plan_block_strips(Tables *t, const Chain *c, int block)
{
    Chain front = *c, strip_chain;
    const TbOp *first = &c->layer[0].op, *project = &c->layer[2].op, *last = &c->layer[3].op;
    front.n = 3;
    memset(t, 0, sizeof *t);
    image_tensor(t, c, false);
    int whole = ring_of(t, project, 0);
    for (int i = 0; i < 2; i++) {
        Strip s = strip_of(&front, project->out_w * i / 2, project->out_w * (i + 1) / 2);
        strip_chain = front;
        for (int l = 0; l < 3; l++)
            strip_chain.layer[l].op = cut(&c->layer[l].op, &s, l);
        push_block(t, &strip_chain, 0, block, view(t, 0, s.from[0], first->in_c),
                   view(t, whole, s.from[3], project->out_c));
        t->op[t->n_ops - 1].back = 0;
        close_segment(t);
    }
    push(t, last, whole, ring_of(t, last, 0));
    close_segment(t);
}

/* What is computed is padded beside the image, and never beside a strip. */
TEST(strips_of_recomputed_blocks_equal_the_whole)
{
    Rng rng = rng_make(6, 0);
    for (int i = 0; i < 200; i++) {
        Chain c;
        Tables t;
        int block = between(&rng, 1, TB_MAX_BLOCK);
        draw_bare_bottleneck(&c, &rng);
        plan_block_strips(&t, &c, block);
        ck_assert_msg(equals_layers(&t, &c, &rng, NULL), "chain %d, block %d", i, block);
        release(&c);
    }
}
END

/* ---- steps beside the layers ---- */

static void draw_classifier(Chain *c, Rng *rng)
{
    image_begins(c, between(rng, 3, 20), between(rng, 3, 14), between(rng, 1, 3));
    append(c, rng, tb_conv_row, window(3, between(rng, 1, 2), 1, between(rng, 1, MOST_C)));
    append(c, rng, tb_avg_pool_row, window(1, 1, 0, 0));
    TbOp *pool = &c->layer[1].op;
    pool->kh = (uint8_t)pool->in_h, pool->kw = (uint8_t)pool->in_w;
    pool->out_h = pool->out_w = 1;
    append(c, rng, tb_dense_row, window(1, 1, 0, between(rng, 1, 10)));
}

/* Of the tensor before the pool, one row is kept. */
TEST(a_pool_at_the_end_sums_up_rows_that_are_forgotten)
{
    Rng rng = rng_make(7, 0);
    for (int i = 0; i < 300; i++) {
        Chain c;
        Tables t;
        draw_classifier(&c, &rng);
        const TbOp *conv = &c.layer[0].op, *dense = &c.layer[2].op;
        memset(&t, 0, sizeof t);
        image_tensor(&t, &c, true);
        int image = push_input(&t, &c, 0, conv->in_w, conv->kh), row = ring_of(&t, conv, 1);
        int mean = ring_of(&t, &c.layer[1].op, 0);
        push(&t, conv, image, row)->back = 1;
        TbOp *pool = push(&t, &c.layer[1].op, row, mean);
        pool->kernel = tb_sum_pool_row, pool->back = 1;
        pool->out_h = pool->in_h, pool->kh = pool->kw = 1;
        pool->scratch = reserve(&t, tb_sum_pool_scratch(pool->in_c));
        close_segment(&t);
        push(&t, dense, mean, ring_of(&t, dense, 0));
        close_segment(&t);
        ck_assert_msg(equals_layers(&t, &c, &rng, NULL), "chain %d", i);
        release(&c);
    }
}
END

/* A whole tensor, as one row, to a place that overlaps its own. */
TEST(a_moved_tensor_is_the_same_tensor)
{
    Rng rng = rng_make(8, 0);
    for (int i = 0; i < 300; i++) {
        Chain c;
        Tables t;
        image_begins(&c, between(&rng, 4, 12), between(&rng, 4, 12), between(&rng, 1, 3));
        append(&c, &rng, tb_conv_row, window(3, 1, 1, between(&rng, 1, 8)));
        append(&c, &rng, tb_depthwise_row, window(3, 2, 1, 0));
        const TbOp *conv = &c.layer[0].op, *depthwise = &c.layer[1].op;
        uint32_t distance = (uint32_t)between(&rng, 1, 10) * TB_ALIGN;
        memset(&t, 0, sizeof t);
        image_tensor(&t, &c, false);
        int made = ring_of(&t, conv, 0), moved = view(&t, made, 0, 0);
        t.tensor[rng_below(&rng, 2) ? made : moved].offset += distance;
        reserve(&t, distance);
        push(&t, conv, 0, made);
        close_segment(&t);
        TbOp copy = {.kernel = tb_copy_row, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .block = 1,
                     .in_h = 1, .out_h = 1, .in_w = (uint16_t)(conv->out_h * conv->out_w),
                     .in_c = conv->out_c};
        push(&t, &copy, made, moved);
        close_segment(&t);
        push(&t, depthwise, moved, ring_of(&t, depthwise, 0));
        close_segment(&t);
        ck_assert_msg(equals_layers(&t, &c, &rng, NULL), "chain %d", i);
        release(&c);
    }
}
END

/* depthwise -> pool -> dense -> gate of the depthwise: the vector is pulled in
 * the middle of the gate's segment, and it has one row. */
TEST(a_gate_pulls_its_vector)
{
    Rng rng = rng_make(9, 0);
    for (int i = 0; i < 200; i++) {
        Chain c;
        Tables t;
        draw_classifier(&c, &rng);
        TbOp *conv = &c.layer[0].op, *dense = &c.layer[2].op, gate = *conv;
        free(c.layer[2].weights);
        dense->out_c = conv->out_c;
        draw_weights(&c.layer[2], &rng);
        memset(&t, 0, sizeof t);
        int image = image_tensor(&t, &c, false), x = ring_of(&t, conv, 0);
        int mean = ring_of(&t, &c.layer[1].op, 0), vector = ring_of(&t, dense, 0);
        gate.kernel = tb_gate_row, gate.kh = gate.kw = gate.sh = gate.sw = 1;
        gate.pad_top = gate.pad_left = 0;
        gate.in_h = conv->out_h, gate.in_w = conv->out_w, gate.in_c = conv->out_c;
        push(&t, conv, image, x);
        push(&t, &c.layer[1].op, x, mean)->back = 1;
        push(&t, dense, mean, vector)->back = 1;
        TbOp *op = push(&t, &gate, x, ring_of(&t, conv, 0));
        op->back = 3, op->input2 = (uint16_t)vector, op->back2 = 1;
        close_segment(&t);

        int8_t *pixels = draw_tensor(&rng, image_bytes(&c)), *factors = slow_chain(&c, pixels);
        int8_t *in = xmalloc(output_bytes(conv)), *expected = xmalloc(output_bytes(conv));
        slow_layer(conv, pixels, NULL, in);
        slow_layer(&gate, in, factors, expected);
        c.n = 1; /* the output has the conv's shape */
        Outcome o = run_tables(&t, &c, pixels);
        ck_assert_msg(memcmp(o.output, expected, output_bytes(conv)) == 0, "chain %d", i);
        free(pixels), free(factors), free(in), free(expected), free(o.output);
        c.n = 3;
        release(&c);
    }
}
END

/* ---- overlap ---- */

/* Stride 1, padded: output row y may lie D = pad rows and a bit before the
 * input, where the rows it needs have not begun. */
TEST(a_depthwise_may_write_over_its_dying_input)
{
    Rng rng = rng_make(10, 0);
    for (int i = 0; i < 200; i++) {
        Chain c;
        Tables t;
        int k = between(&rng, 1, 7);
        image_begins(&c, between(&rng, k, 9), between(&rng, k, 11), between(&rng, 1, MOST_C));
        append(&c, &rng, tb_depthwise_row, window(k, 1, k / 2, 0));
        const TbOp *op = &c.layer[0].op;
        uint32_t in_row = (uint32_t)op->in_w * op->in_c, out_row = (uint32_t)op->out_w * op->out_c;
        uint32_t before = 0;
        for (uint32_t y = 0; y < op->out_h; y++) {
            uint32_t dead = y > op->pad_top ? (y - op->pad_top) * in_row : 0;
            before = (y + 1) * out_row > dead + before ? (y + 1) * out_row - dead : before;
        }
        memset(&t, 0, sizeof t);
        reserve(&t, before);
        int in = image_tensor(&t, &c, false), out = view(&t, in, 0, 0);
        t.tensor[out] = (TbTensor){0, out_row, op->out_h, op->out_h};
        push(&t, op, in, out);
        close_segment(&t);
        ck_assert_msg(equals_layers(&t, &c, &rng, NULL), "sample %d", i);
        release(&c);
    }
}
END

SUITE(run, a_streamed_bottleneck_equals_layer_by_layer_and_the_reference,
      an_image_outside_is_pulled_row_by_row, a_ring_one_row_too_short_is_noticed,
      a_recomputed_block_with_its_residual_equals_the_layers, strips_of_a_tensor_equal_the_whole,
      strips_of_recomputed_blocks_equal_the_whole,
      a_pool_at_the_end_sums_up_rows_that_are_forgotten, a_moved_tensor_is_the_same_tensor,
      a_gate_pulls_its_vector, a_depthwise_may_write_over_its_dying_input)
