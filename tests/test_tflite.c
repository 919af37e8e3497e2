#include "base/file.h"
#include "tests/suite.h"
#include "tests/tflite_models.h"
#include "tests/tflite_run.h"

static Maker k; /* the model that a test makes; too large for a stack, as is what is said of it */
static TfliteInfo info;

/* ---- models by hand -------------------------------------------------------------------------- */

/* From a block of exactly `size` bytes, so that ASan sees a read beyond it. */
static int load_exactly(QModel *q, const unsigned char *bytes, size_t size)
{
    unsigned char *block = malloc(size ? size : 1);
    memcpy(block, bytes, size);
    int status = tflite_load_bytes(q, &info, block, size);
    free(block);
    return status;
}

/* What k holds. */
static int load_made(QModel *q)
{
    size_t size;
    unsigned char *bytes = wm_bytes(&k.m, &size);
    int status = load_exactly(q, bytes, size);
    free(bytes);
    return status;
}

static int8_t *random_input(Rng *rng)
{
    int n = slow_elements(&k.m.tensor[k.m.input]);
    int8_t *image = xmalloc((size_t)n);
    for (int i = 0; i < n; i++)
        image[i] = (int8_t)((int)rng_below(rng, 256) - 128);
    return image;
}

/* What is folded, and run under every policy, is what the file's operators make one by one. */
static void check_made(uint64_t seed)
{
    QModel q;
    Rng rng = rng_make(seed, 8);
    ck_assert_msg(load_made(&q) == 0, "model %d: %s", (int)seed, error_text());
    int8_t *image = random_input(&rng), *expected = slow_run(&k.m, image);
    for (int policy = 0; policy < N_POLICIES; policy++) {
        int8_t *out = run_layers(&q, q.net.n_layers, policy, image);
        for (uint32_t i = 0; i < net_tensor_bytes(&q.net, q.net.n_layers - 1); i++)
            ck_assert_msg(out[i] == expected[i], "model %d, %s: output %u is %d, not %d", (int)seed,
                          policy_name((Policy)policy), i, out[i], expected[i]);
        free(out);
    }
    free(image);
    free(expected);
    qmodel_release(&q);
}

TEST(random_models_give_the_bytes_of_their_operators_one_by_one)
{
    for (uint64_t seed = 0; seed < 5000; seed++) {
        mk_random(&k, seed);
        check_made(seed);
    }
}
END

/* Loads what k holds and says whether its layers are those of the list, "conv pointwise". */
static void check_layers(QModel *q, const char *expected)
{
    char got[512] = "";
    ck_assert_msg(load_made(q) == 0, "%s", error_text());
    for (int l = 0; l < q->net.n_layers; l++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", l ? " " : "",
                 op_name((Op)q->net.layer[l].op));
    ck_assert_str_eq(got, expected);
}

static void begin(int h, int w, int c)
{
    memset(&k, 0, sizeof k);
    k.rng = rng_make(5, 5);
    wm_begin(&k.m, h, w, c);
}

TEST(a_pad_belongs_to_the_convolution_behind_it)
{
    QModel q;
    begin(8, 8, 3);
    int pad = mk_pad(&k, k.m.input, 1, 2, 0, 1);
    mk_conv(&k, pad, (MkConv){.kh = 3, .kw = 3, .s = 2, .channels = 4});
    check_layers(&q, "conv");
    const Layer *l = &q.net.layer[0];
    ck_assert(l->pad_top == 1 && l->pad_left == 0 && l->out_h == 5 && l->out_w == 4);
    ck_assert_int_eq(info.op[0].layer, -1);
    ck_assert_int_eq(info.op[1].layer, 0);
    ck_assert_uint_eq(info.macs, 5 * 4 * 4 * 27);
    ck_assert_uint_eq(info.macs_exact, info.macs); /* the padded tensor is a tensor there */
    check_made(1);
    qmodel_release(&q);
}
END

TEST(convolutions_become_what_they_are)
{
    QModel q;
    begin(6, 6, 2);
    int at = mk_conv(&k, k.m.input, (MkConv){3, 1, 1, 3, .apart = true, .same = true});
    at = mk_pixel(&k, at, 5, 3);
    at = mk_conv(&k, at, (MkConv){1, 1, 2, 4, .act = 1});
    at = mk_pool(&k, TFLITE_AVERAGE_POOL_2D, at, 3, 3, 3, false);
    mk_dense(&k, at, 2);
    check_layers(&q, "depthwise pointwise conv global_pool dense");
    ck_assert_int_eq(q.net.layer[0].out_c, 6); /* three of each channel */
    ck_assert_int_eq(q.net.layer[1].act, ACT_RELU6);
    ck_assert_int_eq(q.net.layer[2].act, ACT_RELU);
    ck_assert_uint_eq(info.weight_bytes, 3 * 6 + 6 * 5 + 5 * 4 + 4 * 2);
    ck_assert_uint_eq(info.bias_bytes, 4 * (6 + 5 + 4 + 2));
    ck_assert_str_eq(info.description, "by hand");
    ck_assert_str_eq(info.input.name, "tensor");
    ck_assert_int_eq(info.logits, 4);
    check_made(2);
    qmodel_release(&q);
}
END

/* The chain of the hard sigmoid is one lookup; x * hard_sigmoid(x) too. */
TEST(functions_of_one_value_are_one_lookup)
{
    QModel q;
    begin(4, 4, 3);
    int at = mk_conv(&k, k.m.input, (MkConv){3, 3, 1, 6, .same = true});
    at = mk_binary(&k, TFLITE_MUL, at, mk_hard_sigmoid(&k, at), 0.03f, 0);
    at = mk_squeeze(&k, at);
    mk_dense(&k, at, 3);
    check_layers(&q, "conv lookup mean pointwise pointwise lookup gate dense");
    ck_assert_int_eq(q.net.layer[6].input, 1);
    ck_assert_int_eq(q.net.layer[6].input2, 5);
    check_made(3);
    qmodel_release(&q);
}
END

/* In the layout of PyTorch. */
static void make_two_means(void)
{
    begin(2, 2, 1);
    int nchw = wm_tensor(&k.m, 4, (int[]){1, 1, 2, 2}), rows = wm_tensor(&k.m, 3, (int[]){1, 1, 2});
    int mean = wm_tensor(&k.m, 2, (int[]){1, 1});
    wm_op(&k.m, TFLITE_TRANSPOSE, nchw, 2,
          (int[]){k.m.input, mk_integers(&k, 4, (int32_t[]){0, 3, 1, 2})});
    wm_op(&k.m, TFLITE_MEAN, rows, 2, (int[]){nchw, mk_integers(&k, 1, (int32_t[]){3})});
    wm_op(&k.m, TFLITE_MEAN, mean, 2, (int[]){rows, mk_integers(&k, 1, (int32_t[]){-1})});
}

/* [1 2; 1 1]: along the columns 1.5, that is 2, and 1; of these 1.5, that is 2 again. The mean
 * of all four, 1.25, would be 1. */
TEST(two_means_round_twice)
{
    static const int8_t image[] = {1, 2, 1, 1};
    QModel q;
    make_two_means();
    check_layers(&q, "mean mean");
    int8_t *out = run_layers(&q, 2, POLICY_LAYERWISE, image);
    ck_assert_int_eq(out[0], 2);
    free(out);
    qmodel_release(&q);
}
END

/* The image has the shape of whoever reads it first; a flat one stays flat. */
TEST(an_input_is_reshaped_before_it_is_there)
{
    QModel q;
    begin(1, 1, 48);
    k.m.tensor[k.m.input].rank = 2;
    k.m.tensor[k.m.input].shape[1] = 48;
    int image = wm_tensor(&k.m, 4, (int[]){1, 4, 6, 2});
    wm_op(&k.m, TFLITE_RESHAPE, image, 1, &k.m.input);
    mk_conv(&k, image, (MkConv){.kh = 3, .kw = 3, .s = 1, .channels = 2, .same = true});
    check_layers(&q, "conv");
    ck_assert(q.net.h == 4 && q.net.w == 6 && q.net.c == 2);
    qmodel_release(&q);

    begin(70, 3, 1); /* more rows than a dense layer can see at once */
    mk_dense(&k, k.m.input, 3);
    check_layers(&q, "dense");
    ck_assert(q.net.h == 1 && q.net.w == 1 && q.net.c == 210);
    check_made(5);
    qmodel_release(&q);
}
END

/* Pointwise, reshape, dense, softmax; the reshape's zero point is moved by `zero`. */
static int make_reshape(int zero)
{
    begin(2, 2, 3);
    int at = mk_pixel(&k, k.m.input, 4, 0), flat = wm_tensor(&k.m, 2, (int[]){1, 16});
    k.m.tensor[flat].zero = k.m.tensor[at].zero + zero;
    wm_op(&k.m, TFLITE_RESHAPE, flat, 1, &at);
    int logits = mk_dense(&k, flat, 2), out = mk_like(&k, logits, 1.0f / 256, -128);
    wm_float(wm_op(&k.m, TFLITE_SOFTMAX, out, 1, &logits), 0, 1);
    return flat;
}

/* A RESHAPE that says another scale: who reads it computes with that one. Another zero point
 * is a lookup that changes nothing but its name. */
TEST(a_reshape_may_say_another_scale)
{
    QModel q;
    for (int zero = 0; zero < 2; zero++) {
        int flat = make_reshape(3 * zero);
        check_layers(&q, zero ? "pointwise lookup dense softmax" : "pointwise dense softmax");
        ck_assert_int_eq(info.logits, 1 + zero);
        WmTensor *w = &k.m.tensor[k.m.op[2].input[1]];
        const QLayer *dense = &q.layer[info.logits];
        double real = ldexp(dense->multiplier[0], dense->shift[0] - 31);
        ck_assert_double_eq_tol(real, 0.5 * (double)w->scale / 0.5, 1e-8);
        qmodel_release(&q);
        k.m.output = flat; /* the model's own output */
        k.m.n_ops = 2;
        ck_assert(load_made(&q) == 0);
        ck_assert(q.tensor[q.net.n_layers].scale == 0.5f);
        ck_assert_int_eq(q.tensor[q.net.n_layers].zero, (int)k.m.tensor[flat].zero);
        qmodel_release(&q);
    }
}
END

static void make_borders(int type)
{
    begin(3, 3, 2);
    k.m.tensor[k.m.input].type = type;
    k.m.tensor[k.m.input].zero = 128;
    int inner = mk_like(&k, k.m.input, 0.5f, 0);
    wm_op(&k.m, TFLITE_QUANTIZE, inner, 1, &k.m.input);
    int at = mk_conv(&k, inner, (MkConv){.kh = 3, .kw = 3, .s = 1, .channels = 2});
    int out = mk_like(&k, at, k.m.tensor[at].scale, k.m.tensor[at].zero + 128);
    k.m.tensor[out].type = type;
    wm_op(&k.m, type == TYPE_FLOAT32 ? TFLITE_DEQUANTIZE : TFLITE_QUANTIZE, out, 1, &at);
}

/* float32 or uint8 outside, int8 inside: the same layers. */
TEST(borders_are_dropped)
{
    static const int type[] = {TYPE_FLOAT32, TYPE_UINT8};
    QModel q;
    for (int i = 0; i < 2; i++) {
        make_borders(type[i]);
        check_layers(&q, "conv");
        ck_assert_int_eq(info.input.type, type[i]);
        ck_assert_int_eq(info.output.type, type[i]);
        ck_assert_int_eq(info.output.zero, (int)k.m.tensor[k.m.op[1].output].zero);
        ck_assert_int_eq(q.tensor[0].zero, 0);
        ck_assert_uint_eq(info.tensor[0].bytes, i == 0 ? 72 : 18);
        qmodel_release(&q);
    }
}
END

/* A negative scale of weights is that of their negatives. */
TEST(weights_may_have_a_negative_scale)
{
    static float scales[] = {-0.25f, 0.25f};
    static const int8_t image[] = {40, -20};
    QModel q;
    begin(1, 1, 2);
    int at = mk_pixel(&k, k.m.input, 2, 0);
    WmTensor *w = &k.m.tensor[k.m.op[0].input[1]];
    w->scales = scales;
    w->n_scales = 2;
    w->data = (int8_t[]){3, 4, 3, 4};
    k.m.tensor[k.m.op[0].input[2]].data = (int32_t[]){8, 8};
    k.m.tensor[at].scale = 0.5f;
    k.m.tensor[at].zero = 1;
    check_layers(&q, "pointwise"); /* 40 * 3 - 20 * 4 + 8 = 48, a quarter is 12 */
    int8_t *out = run_layers(&q, 1, POLICY_LAYERWISE, image);
    ck_assert_int_eq(out[0], 1 - 12);
    ck_assert_int_eq(out[1], 1 + 12);
    free(out);
    qmodel_release(&q);
}
END

TEST(limits_by_a_constant_are_lookups)
{
    static const int8_t image[] = {-128, -3, 5, 127};
    QModel q;
    begin(2, 2, 1);
    int low = mk_scalar(&k, -5, 0.5f), high = mk_scalar(&k, 4, 0.5f);
    int at = mk_like(&k, k.m.input, 0.5f, 0), out = mk_like(&k, at, 0.5f, 0);
    wm_op(&k.m, TFLITE_MAXIMUM, at, 2, (int[]){k.m.input, low});
    wm_op(&k.m, TFLITE_MINIMUM, out, 2, (int[]){high, at});
    check_layers(&q, "lookup");
    int8_t *got = run_layers(&q, 1, POLICY_LAYERWISE, image);
    ck_assert(got[0] == -5 && got[1] == -3 && got[2] == 4 && got[3] == 4);
    free(got);
    qmodel_release(&q);
}
END

/* ---- what is refused, and the sentence ------------------------------------------------------- */

/* A model of two layers that is fine; the cases below spoil it. Tensors: 0 the input, then
 * weights, bias, output of the conv; then those of the fully connected layer. */
static void begin_fine(void)
{
    begin(4, 4, 2);
    int at = mk_conv(&k, k.m.input, (MkConv){3, 3, 1, 3, .same = true});
    mk_dense(&k, at, 2);
}

static void check_refused(const char *said)
{
    QModel q;
    ck_assert_msg(load_made(&q) == -1, "accepted in spite of '%s'", said);
    ck_assert_msg(strstr(error_text(), said) != NULL, "'%s', not '%s'", error_text(), said);
}

TEST(what_we_lack_is_named_with_its_index)
{
    QModel q;
    WmTensor *t = k.m.tensor;
    begin_fine();
    ck_assert(load_made(&q) == 0);
    qmodel_release(&q);
    k.m.op[1].code = 23;
    check_refused("operator 1 (RESIZE_BILINEAR) is not supported");
    k.m.op[1].code = 300;
    check_refused("operator 1 (operator 300) is not supported");
    begin_fine(), t[3].type = TYPE_FLOAT32;
    check_refused("operator 0 (CONV_2D) works on float32, only int8 is supported");
    begin_fine(), t[0].type = TYPE_FLOAT32;
    check_refused("operator 0 (CONV_2D) works on float32");
    begin_fine(), t[1].type = TYPE_UINT8, t[1].bytes = 54;
    check_refused("operator 0 (CONV_2D) needs constant int8 weights of 4 dimensions");
    begin_fine(), t[1].zero = 1;
    check_refused("has weights with a zero point");
    begin_fine(), wm_int(&k.m.op[0], 4, 2);
    check_refused("operator 0 (CONV_2D) with a dilation of 1 x 2 is not supported");
    begin_fine(), wm_byte(&k.m.op[0], 3, 4);
    check_refused("operator 0 (CONV_2D) has the fused activation 4");
    begin_fine(), t[0].scale = 0;
    check_refused("has a tensor with 0 scales");
    begin_fine(), t[3].scale = NAN;
    check_refused("operator 0 (CONV_2D) has a tensor with 1 scales, the first is");
    begin_fine(), t[3].zero = 128;
    check_refused("has a tensor with the zero point 128");
    begin_fine(), wm_int(&k.m.op[0], 1, 0);
    check_refused("with a kernel of 3 and a stride of 0");
    begin_fine(), wm_int(&k.m.op[0], 2, 2);
    check_refused("makes 2 x 4 x 3, which the file does not say");
    begin_fine(), t[0].shape[0] = 2;
    check_refused("is not supported");
    begin_fine(), k.m.op[1].input[0] = 0;
    check_refused("operator 1 (FULLY_CONNECTED) has 48 weights an output for an input of 4 x 4");
    begin_fine(), k.m.op[0].n_inputs = 5;
    check_refused("operator 0 (CONV_2D) with 5 inputs and 1 outputs");
    begin_fine(), k.m.op[0].input[0] = 99;
    check_refused("operator 0 (CONV_2D) names tensor 99 of 7");
    begin_fine(), k.m.op[0].input[0] = 6;
    check_refused("operator 0 (CONV_2D) reads tensor 6 before it is there");
    begin_fine(), k.m.op[1].output = 3;
    check_refused("operator 1 (FULLY_CONNECTED) makes tensor 3, which is there already");
    begin_fine(), t[1].bytes--;
    check_refused("tensor 1 needs 54 bytes and has 53");
    begin_fine(), t[3].shape[1] = -1;
    check_refused("tensor 3 has the size -1 along dimension 1");
    begin_fine(), k.m.output = 3;
    check_refused("operator 1 (FULLY_CONNECTED) comes after the model's output");
    begin_fine(), k.m.output = 0;
    check_refused("comes after the model's output");
    begin_fine(), k.m.tensor[2].data = (int32_t[]){0, INT32_MAX, 0};
    check_refused("layer 0 of the int8 model sums up to more than 32 bits in channel 1");
}
END

static void make_seed(int seed)
{
    static const int type[] = {TYPE_FLOAT32, TYPE_UINT8};
    if (seed < 20)
        mk_random(&k, (uint64_t)seed);
    else if (seed < 22)
        make_borders(type[seed - 20]);
    else if (seed < 24)
        make_reshape(3 * (seed - 22));
    else
        make_two_means();
}

/* To write them anew: THIMBLE_SEEDS=tests/corpus/tflite. */
TEST(the_seeds_of_the_fuzzer_are_models_made_here)
{
    const char *given = getenv("THIMBLE_SEEDS"), *folder = given ? given : "tests/corpus/tflite";
    for (int seed = 0; seed < 25; seed++) {
        char path[512];
        size_t size, there;
        make_seed(seed);
        unsigned char *bytes = wm_bytes(&k.m, &size);
        snprintf(path, sizeof path, "%s/made_%02d.tflite", folder, seed);
        if (given)
            ck_assert_msg(file_write(path, bytes, size) == 0, "%s", error_text());
        char *seen = file_read(path, &there);
        ck_assert_msg(seen != NULL, "%s", error_text());
        ck_assert(there == size && memcmp(seen, bytes, size) == 0);
        free(seen);
        free(bytes);
    }
}
END

/* ---- damage ---------------------------------------------------------------------------------- */

/* A prefix is refused - at the end stands an empty buffer that nobody reads - and so is what is
 * altered, unless it is another model that can be run. */
TEST(a_truncated_or_altered_file_does_no_harm)
{
    Rng rng = rng_make(11, 0);
    int refused = 0, run = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        QModel q;
        size_t size;
        mk_random(&k, seed);
        unsigned char *bytes = wm_bytes(&k.m, &size);
        for (size_t n = 0; n < size - 32; n += 1 + n / 500)
            ck_assert_msg(load_exactly(&q, bytes, n) == -1, "%zu of %zu bytes are a model", n,
                          size);
        for (int i = 0; i < 1500; i++) {
            size_t at = rng_below(&rng, (uint32_t)size);
            unsigned char was = bytes[at];
            bytes[at] = rng_below(&rng, 2) ? (unsigned char)rng_next(&rng) : was ^ 1;
            if (load_exactly(&q, bytes, size) == 0) {
                ck_assert(net_check(&q.net) == 0 && qmodel_check(&q) == 0);
                qmodel_release(&q);
                run++;
            } else {
                refused++;
            }
            bytes[at] = was;
        }
        free(bytes);
    }
    ck_assert_int_gt(refused, 1000);
    ck_assert_int_gt(run, 1000); /* a changed weight is still a model */
}
END

TEST(what_is_no_model_is_refused)
{
    static const char text[] = "TFL3TFL3TFL3TFL3TFL3TFL3TFL3TFL3";
    QModel q;
    ck_assert_int_eq(tflite_load_bytes(&q, &info, text, sizeof text), -1);
    ck_assert_int_eq(tflite_load_bytes(&q, &info, text, 0), -1);
    ck_assert_int_eq(tflite_load(&q, &info, "/nowhere/model.tflite"), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "/nowhere/model.tflite"));
}
END

SUITE(tflite, random_models_give_the_bytes_of_their_operators_one_by_one,
      a_pad_belongs_to_the_convolution_behind_it, convolutions_become_what_they_are,
      functions_of_one_value_are_one_lookup, two_means_round_twice,
      an_input_is_reshaped_before_it_is_there, a_reshape_may_say_another_scale,
      borders_are_dropped, weights_may_have_a_negative_scale, limits_by_a_constant_are_lookups,
      what_we_lack_is_named_with_its_index, a_truncated_or_altered_file_does_no_harm,
      what_is_no_model_is_refused, the_seeds_of_the_fuzzer_are_models_made_here)
