#include "evaluator/host_isa.h"

#include "tests/slow_kernels.h"
#include "tests/suite.h"

/* ---- a layer of a sample, on the vectors of an instruction set ---- */

static Op op_of_kernel(TbKernel *kernel)
{
    return kernel == tb_conv_row        ? OP_CONV
           : kernel == tb_depthwise_row ? OP_DEPTHWISE
           : kernel == tb_pointwise_row ? OP_POINTWISE
           : kernel == tb_add_row       ? OP_ADD
           : kernel == tb_avg_pool_row  ? OP_AVG_POOL
           : kernel == tb_max_pool_row  ? OP_MAX_POOL
           : kernel == tb_dense_row     ? OP_DENSE
           : kernel == tb_mean_row      ? OP_MEAN
           : kernel == tb_gate_row      ? OP_GATE
           : kernel == tb_lookup_row    ? OP_LOOKUP
                                        : OP_SOFTMAX;
}

/* Layer 1 of a net whose image and layer 0 are its inputs. */
static void qmodel_of(const Sample *s, QModel *q)
{
    const TbOp *op = &s->op;
    memset(q, 0, sizeof *q);
    q->net.n_layers = 2;
    q->net.layer[1] = (Layer){.op = (uint8_t)op_of_kernel(op->kernel),
                              .kh = op->kh, .kw = op->kw, .sh = op->sh, .sw = op->sw,
                              .pad_top = op->pad_top, .pad_left = op->pad_left,
                              .in_h = op->in_h, .in_w = op->in_w, .in_c = op->in_c,
                              .out_h = op->out_h, .out_w = op->out_w, .out_c = op->out_c,
                              .input = NET_IMAGE, .input2 = 0};
    q->tensor[0].zero = op->in_zero;
    q->tensor[1].zero = op->in2_zero;
    q->tensor[2].zero = op->out_zero;
    q->layer[1] = (QLayer){.weights = s->weights, .bias = (int32_t *)op->bias,
                           .multiplier = (int32_t *)op->multiplier, .shift = (int8_t *)op->shift,
                           .act_min = op->act_min, .act_max = op->act_max};
}

/* With bytes of anything beside its channels, and exactly the slack behind it. */
static uint8_t *wide_tensor(Rng *rng, const int8_t *from, int pixels, int channels)
{
    size_t n = (size_t)(pixels * host_step(channels)) + HOST_SLACK;
    uint8_t *t = (uint8_t *)draw_tensor(rng, n);
    host_widen(t, from, pixels, channels);
    return t;
}

static void fast_layer(const HostLayer *l, Rng *rng, const int8_t *in, const int8_t *in2,
                       int8_t *out)
{
    const Layer *s = &l->shape;
    int pixels = s->in_h * s->in_w, made = s->out_h * s->out_w;
    size_t n = (size_t)(made * l->out_step);
    uint8_t *wide = wide_tensor(rng, in, pixels, s->in_c);
    uint8_t *wide2 = wide_tensor(rng, in2, pixels, s->in_c);
    uint8_t *result = xmalloc(n + HOST_SLACK), *scratch = xaligned(l->scratch + HOST_SLACK);
    memset(result, 0x6B, n + HOST_SLACK);
    l->run(l, &(HostTensors){wide, wide2, result, scratch});
    for (int i = 0; i < HOST_SLACK; i++)
        ck_assert_msg(result[n + (size_t)i] == 0x6B, "%s writes behind its tensor", op_name(s->op));
    host_narrow(out, result, made, s->out_c);
    free(wide), free(wide2), free(result), free(scratch);
}

static void sample_equals_reference(const Sample *s, const HostIsa *const *isa, Rng *rng, int i)
{
    const TbOp *op = &s->op;
    size_t n = (size_t)op->in_h * op->in_w * op->in_c, m = (size_t)op->out_h * op->out_w * op->out_c;
    int8_t *in = draw_tensor(rng, n), *in2 = draw_tensor(rng, n);
    int8_t *expected = xmalloc(m), *out = xmalloc(m);
    QModel q;
    qmodel_of(s, &q);
    slow_layer(op, in, in2, expected);
    for (; *isa; isa++) {
        HostLayer l;
        host_layer_init(&l, *isa, &q, 1);
        fast_layer(&l, rng, in, in2, out);
        ck_assert_msg(memcmp(out, expected, m) == 0, "%s %s, sample %d: %dx%dx%d -> %dx%dx%d k%dx%d "
                      "s%dx%d", (*isa)->name, op_name((Op)l.shape.op), i, op->in_h, op->in_w,
                      op->in_c, op->out_h, op->out_w, op->out_c, op->kh, op->kw, op->sh, op->sw);
        host_layer_release(&l);
    }
    free(in), free(in2), free(expected), free(out);
}

/* ---- all that this processor has ---- */

#define X(name, isa) name,
static const char *const names[] = {HOST_ISAS(X)};
#undef X
enum { N_ISAS = sizeof names / sizeof *names };

static void present_isas(const HostIsa *isa[N_ISAS + 1])
{
    int n = 0;
    for (int i = 0; i < N_ISAS; i++)
        if (host_isa(names[i]))
            isa[n++] = host_isa(names[i]);
    isa[n] = NULL;
}

/* HOST_SHAPES=100000 in the environment: as many random layers in all. */
static int shapes(int of_thousands)
{
    const char *all = getenv("HOST_SHAPES");
    return (all ? atoi(all) : 5000) / 1000 * of_thousands;
}

static void kernel_equals_reference(TbKernel *kernel, uint64_t seed, int times)
{
    const HostIsa *isa[N_ISAS + 1];
    Rng rng = rng_make(seed, 0);
    present_isas(isa);
    for (int i = 0; i < times; i++) {
        Sample s;
        draw_op(&s, &rng, kernel);
        sample_equals_reference(&s, isa, &rng, i);
        free(s.weights);
    }
    printf("%s: %d random layers\n", op_name(op_of_kernel(kernel)), times);
}

TEST(each_kernel_equals_the_reference)
{
    static const struct {
        TbKernel *kernel;
        int share; /* of a thousand layers in all */
    } row[] = {{tb_conv_row, 150},    {tb_depthwise_row, 200}, {tb_pointwise_row, 200},
               {tb_add_row, 100},     {tb_avg_pool_row, 50},   {tb_max_pool_row, 50},
               {tb_dense_row, 100},   {tb_mean_row, 50},       {tb_gate_row, 50},
               {tb_lookup_row, 25},   {tb_softmax_row, 25}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        kernel_equals_reference(row[i].kernel, i + 1, shapes(row[i].share));
}
END

/* More channels than a panel of vectors, fewer than a vector; several outputs of a channel. */
static void widen_sample(Sample *s, Rng *rng, int32_t *words, int8_t *shifts)
{
    TbOp *op = &s->op;
    bool apart = op->kernel == tb_depthwise_row;
    op->in_c = (uint16_t)between(rng, 1, apart ? 60 : 150);
    op->out_c = (uint16_t)(apart ? op->in_c * between(rng, 1, 3) : between(rng, 1, 200));
    if (!apart)
        op->kh = op->kw = op->kernel == tb_conv_row && op->in_h > 1 && op->in_w > 1 ? 2 : 1;
    if (op->kernel == tb_conv_row)
        op->pad_top = op->pad_left = 0, op->out_h = op->out_w = 1;
    free(s->weights);
    op->weights = s->weights = draw_tensor(rng, (size_t)op->out_c * op->kh * op->kw * op->in_c);
    for (int c = 0; c < op->out_c; c++) {
        words[c] = between(rng, -200000, 200000);
        words[c + op->out_c] = between(rng, 1 << 30, INT32_MAX);
        shifts[c] = (int8_t)between(rng, -14, -7);
    }
    op->bias = words, op->multiplier = words + op->out_c, op->shift = shifts;
}

TEST(many_channels_equal_the_reference)
{
    TbKernel *const kernel[] = {tb_pointwise_row, tb_depthwise_row, tb_conv_row};
    const HostIsa *isa[N_ISAS + 1];
    Rng rng = rng_make(12, 0);
    int times = shapes(120);
    present_isas(isa);
    for (int i = 0; i < times; i++) {
        Sample s;
        int32_t words[400];
        int8_t shifts[200];
        draw_op(&s, &rng, kernel[i % 3]);
        widen_sample(&s, &rng, words, shifts);
        sample_equals_reference(&s, isa, &rng, i);
        free(s.weights);
    }
    printf("of many channels: %d random layers\n", times);
}
END

/* Sums near 31 bits, and shifts about the longest and the shortest: around what divides the two
 * ways from sums to outputs. */
TEST(both_ways_to_an_output_equal_the_reference)
{
    const HostIsa *isa[N_ISAS + 1];
    Rng rng = rng_make(13, 0);
    int plain = 0, times = shapes(40);
    present_isas(isa);
    for (int i = 0; i < times; i++) {
        Sample s;
        QModel q;
        HostLayer l;
        draw_op(&s, &rng, tb_pointwise_row);
        for (int c = 0; c < s.op.out_c; c++) {
            const int most = 255 * 128 * s.op.in_c;
            s.shift[c] = (int8_t)between(&rng, i % 2 ? -20 - i / 2 % 2 : -3, i % 8 == 6 ? 0 : -1);
            s.bias[c] = i % 3 == 2   ? INT32_MAX - most
                        : i % 3 == 1 ? (1 << 30) - between(&rng, 0, most)
                                     : (1 << 30) - most;
            s.bias[c] = rng_below(&rng, 2) ? s.bias[c] : -s.bias[c];
            s.multiplier[c] = INT32_MAX - between(&rng, 0, 3);
        }
        qmodel_of(&s, &q);
        host_layer_init(&l, isa[0], &q, 1);
        plain += l.plain;
        host_layer_release(&l);
        sample_equals_reference(&s, isa, &rng, i);
        free(s.weights);
    }
    ck_assert_int_gt(plain, times / 8);
    ck_assert_int_lt(plain, times / 2);
}
END

TEST(every_machine_has_the_portable_kernels_and_none_has_others_than_the_list)
{
    ck_assert_str_eq(host_isa("portable")->name, "portable");
    ck_assert_ptr_nonnull(host_isa(NULL));
    ck_assert_ptr_null(host_isa("sse9"));
}
END

SUITE(host_kernels, each_kernel_equals_the_reference, many_channels_equal_the_reference,
      both_ways_to_an_output_equal_the_reference,
      every_machine_has_the_portable_kernels_and_none_has_others_than_the_list)
