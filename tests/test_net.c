#include "evaluator/host.h"
#include "tests/int8_nets.h"
#include "tests/suite.h"

#include <stddef.h>

static void is_shape(const Net *net, int layer, int h, int w, int c)
{
    const Layer *l = &net->layer[layer];
    ck_assert_msg(l->out_h == h && l->out_w == w && l->out_c == c,
                  "layer %d makes %d x %d x %d, not %d x %d x %d", layer, l->out_h, l->out_w,
                  l->out_c, h, w, c);
    ck_assert_uint_eq(net_tensor_bytes(net, layer), (uint32_t)(h * w * c));
}

/* ---- builders ---------------------------------------------------------------------------- */

TEST(shapes_are_those_worked_out_by_hand)
{
    Net net;
    net_begin(&net, 32, 21, 3);
    ck_assert_uint_eq(net_tensor_bytes(&net, NET_IMAGE), 32 * 21 * 3);
    is_shape(&net, net_conv(&net, NET_IMAGE, 16, square(3), square(2), ACT_RELU6), 16, 11, 16);
    is_shape(&net, net_depthwise(&net, 0, (Size2){5, 7}, (Size2){1, 3}, ACT_RELU6), 16, 4, 16);
    is_shape(&net, net_pointwise(&net, 1, 24, ACT_NONE), 16, 4, 24);
    is_shape(&net, net_add(&net, 2, 2), 16, 4, 24);
    is_shape(&net, net_pool(&net, OP_MAX_POOL, 3, (Size2){3, 2}, square(2)), 7, 2, 24);
    /* an even kernel, padded by half of it on either side, makes one more */
    is_shape(&net, net_conv(&net, 4, 5, square(2), square(1), ACT_RELU), 8, 3, 5);
    is_shape(&net, net_global_pool(&net, 5), 1, 1, 5);
    is_shape(&net, net_dense(&net, 6, 10, ACT_NONE), 1, 1, 10);
    is_shape(&net, net_dense(&net, 5, 4, ACT_NONE), 1, 1, 4); /* of the whole 8 x 3 x 5 */
    ck_assert_int_eq(net.layer[8].kh, 8);
    ck_assert_int_eq(net.layer[8].kw, 3);
    ck_assert_int_eq(net.layer[1].pad_top, 2);
    ck_assert_int_eq(net.layer[1].pad_left, 3);
    ck_assert_int_eq(net.layer[4].pad_top, 0);
    ck_assert_ptr_eq(net_output(&net), &net.layer[8]);
    ck_assert_msg(net_check(&net) == 0, "%s", error_text());
}
END

TEST(a_block_is_up_to_four_layers)
{
    BlockShape b = {.mid = 24, .out_c = 8, .kernel = square(5), .stride = square(1),
                    .residual = true, .expands = true, .stage = 2, .block = 3};
    static const Role role[] = {ROLE_EXPAND, ROLE_DEPTHWISE, ROLE_PROJECT, ROLE_ADD};
    Net net;
    net_begin(&net, 6, 6, 8);
    ck_assert_int_eq(net_block(&net, NET_IMAGE, &b), 3);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(net.layer[i].role, role[i]);
        ck_assert_int_eq(net.layer[i].stage, 2);
        ck_assert_int_eq(net.layer[i].block, 3);
    }
    is_shape(&net, 0, 6, 6, 24);
    is_shape(&net, 1, 6, 6, 24);
    is_shape(&net, 2, 6, 6, 8);
    ck_assert_int_eq(net.layer[2].act, ACT_NONE);
    ck_assert_int_eq(net.layer[3].input, 2);
    ck_assert_int_eq(net.layer[3].input2, NET_IMAGE);
    b = (BlockShape){.mid = 8, .out_c = 5, .kernel = square(3), .stride = square(2)};
    ck_assert_int_eq(net_block(&net, 3, &b), 5); /* neither expands nor adds */
    is_shape(&net, 5, 3, 3, 5);
}
END

TEST(costs_are_those_worked_out_by_hand)
{
    Net net;
    net_begin(&net, 32, 32, 3);
    net_conv(&net, NET_IMAGE, 16, square(3), square(2), ACT_RELU6);
    net_depthwise(&net, 0, square(5), square(1), ACT_RELU6);
    net_pointwise(&net, 1, 24, ACT_NONE);
    net_add(&net, 2, 2);
    net_dense(&net, net_global_pool(&net, 3), 10, ACT_NONE);
    static const uint32_t weights[] = {16 * 9 * 3, 25 * 16, 16 * 24, 0, 0, 24 * 10};
    static const uint64_t macs[] = {432 * 256, 400 * 256, 384 * 256, 0, 0, 240};
    uint64_t sum = 0;
    uint32_t all = 0;
    for (int i = 0; i < net.n_layers; i++) {
        ck_assert_uint_eq(layer_weights(&net.layer[i]), weights[i]);
        ck_assert_uint_eq(layer_macs(&net.layer[i]), macs[i]);
        sum += macs[i];
        all += weights[i];
    }
    ck_assert_uint_eq(net_macs(&net), sum);
    ck_assert_uint_eq(net_weights(&net), all);
    ck_assert_uint_eq(net_channels(&net), 16 + 16 + 24 + 10);
}
END

TEST(a_tensor_lives_until_its_last_reader)
{
    Net net;
    net_begin(&net, 4, 4, 2);
    net_pointwise(&net, NET_IMAGE, 2, ACT_NONE); /* 0 */
    net_pointwise(&net, 0, 2, ACT_NONE);         /* 1 */
    net_add(&net, 1, 0);                         /* 2 */
    net_add(&net, 2, NET_IMAGE);                 /* 3 */
    net_pointwise(&net, 0, 7, ACT_NONE);         /* 4, and nobody reads 3 */
    ck_assert_int_eq(net_last_reader(&net, NET_IMAGE), 3);
    ck_assert_int_eq(net_last_reader(&net, 0), 4);
    ck_assert_int_eq(net_last_reader(&net, 1), 2);
    ck_assert_int_eq(net_last_reader(&net, 2), 3);
    ck_assert_int_eq(net_last_reader(&net, 3), 3);
    ck_assert_int_eq(net_last_reader(&net, 4), 4);
}
END

TEST(equal_networks_have_equal_bytes)
{
    Net a, b;
    Rng rng = rng_make(1, 0), again = rng_make(1, 0);
    memset(&a, 0x11, sizeof a);
    memset(&b, 0xEE, sizeof b);
    random_net(&a, &rng);
    random_net(&b, &again);
    ck_assert_mem_eq(&a, &b, sizeof a);
}
END

TEST(a_network_has_room_for_its_layers_and_no_more)
{
    Net net;
    net_begin(&net, 1, 1, 1);
    ck_assert_int_eq(net_check(&net), -1); /* none */
    for (int i = 0; i < NET_MAX_LAYERS; i++) {
        ck_assert(!net_full(&net, 1));
        net_pointwise(&net, i - 1, 1, ACT_NONE);
    }
    ck_assert(net_full(&net, 1));
    ck_assert(!net_full(&net, 0));
    ck_assert_int_eq(net_check(&net), 0);
    net.n_layers++;
    ck_assert_int_eq(net_check(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "1 to 128 layers, this one 129"));
}
END

/* ---- net_check() ------------------------------------------------------------------------- */

enum { STEM, WIDE, DEEP, NARROW, SUM, MEAN, MOST, ALL, SCORES };

static void every_operator(Net *net)
{
    net_begin(net, 17, 13, 3);
    net_conv(net, NET_IMAGE, 8, (Size2){3, 5}, (Size2){2, 1}, ACT_RELU6); /* 9 x 13 */
    net_pointwise(net, STEM, 20, ACT_RELU6);
    net_depthwise(net, WIDE, square(5), square(1), ACT_RELU6);
    net_pointwise(net, DEEP, 8, ACT_NONE);
    net_add(net, NARROW, STEM);
    net_pool(net, OP_AVG_POOL, SUM, square(2), square(2)); /* 4 x 6 */
    net_pool(net, OP_MAX_POOL, MEAN, square(3), square(1)); /* 2 x 4 */
    net_global_pool(net, MOST);
    net_dense(net, ALL, 5, ACT_NONE);
}

#define FIELD(name) offsetof(Layer, name), sizeof(((Layer *)0)->name)

/* One field made wrong, and what is said of it. */
static const struct {
    int layer;
    size_t offset, size;
    int value;
    const char *said;
} wrong[] = {
    {WIDE, FIELD(op), N_OPS, "layer 1: unknown operator 12"},
    {WIDE, FIELD(act), 3, "unknown activation"},
    {WIDE, FIELD(role), ROLE_CLASSIFIER + 1, "unknown role"},
    {STEM, FIELD(input), -3, "reads layer -3, which does not come before it"},
    {STEM, FIELD(input), NET_NOTHING, "reads layer -2, which does not come before it"},
    {DEEP, FIELD(input), DEEP, "reads layer 2, which does not come before it"},
    {DEEP, FIELD(input), SCORES, "reads layer 8, which does not come before it"},
    {DEEP, FIELD(input), STEM, "does not fit the shape of what it reads"},
    {DEEP, FIELD(input2), STEM, "a second input, which only an add or a gate has"},
    {SUM, FIELD(input2), NET_NOTHING, "adds or multiplies layer -2, which does not come before it"},
    {SUM, FIELD(input2), -30000, "adds or multiplies layer -30000, which does not come before it"},
    {SUM, FIELD(input2), SUM, "adds or multiplies layer 4, which does not come before it"},
    {SUM, FIELD(input2), WIDE, "adds tensors of different shapes"},
    {DEEP, FIELD(in_c), 19, "does not fit the shape of what it reads"},
    {SCORES, FIELD(out_c), 0, "the image of 17 x 13 is too small"},
    {STEM, FIELD(kh), 0, "a kernel or a stride of 0"},
    {STEM, FIELD(sw), 0, "a kernel or a stride of 0"},
    {STEM, FIELD(kh), 65, "needs 65 input rows at once, the runtime holds at most 64"},
    {STEM, FIELD(pad_top), 3, "a padding of 3 x 2 a window of 3 x 5 misses the image"},
    {STEM, FIELD(pad_left), 5, "misses the image"},
    {STEM, FIELD(out_h), 7, "does not make 7 x 13 of 17 x 13"},   /* one more would fit */
    {STEM, FIELD(out_h), 10, "does not make 10 x 13 of 17 x 13"}, /* begins below the image */
    {STEM, FIELD(sh), 1, "stride 1 x 1, padding 1 x 2 does not make 9 x 13"},
    {STEM, FIELD(sh), 3, "does not make"},
    {STEM, FIELD(sw), 2, "does not make"},
    {DEEP, FIELD(sh), 2, "does not make"},
    {DEEP, FIELD(out_c), 41, "keeps its 20 channels and cannot make 41"},
    {SUM, FIELD(out_c), 4, "keeps its 8 channels"},
    {MEAN, FIELD(out_c), 9, "keeps its 8 channels"},
    {MOST, FIELD(out_c), 7, "keeps its 8 channels"},
    {ALL, FIELD(out_c), 1, "keeps its 8 channels"},
    {MEAN, FIELD(out_w), 8, "does not make 4 x 8 of 9 x 13"},
    {MEAN, FIELD(sh), 4, "does not make"},
    {WIDE, FIELD(kh), 3, "is 1 x 1 with stride 1, not 3 x 1"},
    {WIDE, FIELD(sw), 2, "is 1 x 1 with stride 1, not 1 x 1 with stride 1 x 2"},
    {WIDE, FIELD(out_h), 10, "does not make 10 x 13"},
    {SUM, FIELD(sh), 2, "is 1 x 1 with stride 1"},
    {SUM, FIELD(out_w), 12, "does not make 9 x 12"},
    {ALL, FIELD(kh), 1, "an image of 2 x 4 through a window of 1 x 4"},
    {ALL, FIELD(pad_left), 1, "through a window"},
    {ALL, FIELD(out_w), 2, "an output of 1 x 1, not 1 x 2"},
    {SCORES, FIELD(kw), 2, "an image of 1 x 1 through a window of 1 x 2"},
    {SCORES, FIELD(sh), 2, "has one window"},
    {SCORES, FIELD(out_h), 3, "an output of 1 x 1, not 3 x 1"},
};

static void set_field(Layer *l, size_t offset, size_t size, int value)
{
    uint8_t byte = (uint8_t)value;
    uint16_t word = (uint16_t)value;
    memcpy((char *)l + offset, size == 1 ? (void *)&byte : (void *)&word, size);
}

TEST(each_impossible_layer_has_its_sentence)
{
    Net right;
    every_operator(&right);
    ck_assert_msg(net_check(&right) == 0, "%s", error_text());
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Net net = right;
        set_field(&net.layer[wrong[i].layer], wrong[i].offset, wrong[i].size, wrong[i].value);
        ck_assert_msg(net_check(&net) == -1, "accepted: %s", wrong[i].said);
        ck_assert_msg(strstr(error_text(), wrong[i].said) != NULL, "'%s' does not say '%s'",
                      error_text(), wrong[i].said);
    }
}
END

TEST(what_is_too_large_is_refused)
{
    Net net;
    net_begin(&net, 65, 4, 1);
    net_global_pool(&net, NET_IMAGE);
    ck_assert_int_eq(net_check(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "needs 65 input rows at once"));
    net_begin(&net, 64, 255, 1);
    net_dense(&net, NET_IMAGE, 2, ACT_NONE);
    ck_assert_msg(net_check(&net) == 0, "%s", error_text());
    net_begin(&net, 4, 256, 1);
    net_dense(&net, NET_IMAGE, 2, ACT_NONE);
    ck_assert_int_eq(net_check(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "windows are at most 255 wide"));
    net_begin(&net, 60000, 60000, 60000);
    net_pointwise(&net, NET_IMAGE, 1, ACT_NONE);
    ck_assert_int_eq(net_check(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "a tensor of more than 8388608 bytes"));
    net_begin(&net, 1, 1, 60000);
    int at = net_pointwise(&net, NET_IMAGE, 17895, ACT_NONE); /* 1,073,700,000 weights */
    ck_assert_msg(net_check(&net) == 0, "%s", error_text());
    net_pointwise(&net, at, 3, ACT_NONE);
    ck_assert_int_eq(net_check(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "layer 1 (pointwise): with its weights"));
}
END

/* ---- anything at all --------------------------------------------------------------------- */

static const struct {
    size_t offset, size;
} fields[] = {{FIELD(op)},      {FIELD(act)},      {FIELD(role)},  {FIELD(kh)},    {FIELD(kw)},
              {FIELD(sh)},      {FIELD(sw)},       {FIELD(in_h)},  {FIELD(in_w)},  {FIELD(in_c)},
              {FIELD(pad_top)}, {FIELD(pad_left)}, {FIELD(out_h)}, {FIELD(out_w)}, {FIELD(out_c)},
              {FIELD(input)},   {FIELD(input2)}};

/* A step up or down, or anything. */
static void mutate(Net *net, Rng *rng)
{
    Layer *l = &net->layer[rng_below(rng, net->n_layers)];
    size_t f = rng_below(rng, sizeof fields / sizeof *fields);
    uint8_t byte = *((uint8_t *)l + fields[f].offset);
    int step = rng_below(rng, 2) ? 1 : -1, any = (int)rng_below(rng, 65536);
    set_field(l, fields[f].offset, fields[f].size, rng_below(rng, 4) ? byte + step : any);
}

/* Every layer takes the shape of what it reads, so that a wrong size spreads. */
static void reconnect(Net *net)
{
    for (int i = 0; i < net->n_layers; i++) {
        Layer *l = &net->layer[i];
        bool reads = l->input >= 0 && l->input < i;
        const Layer *from = reads ? &net->layer[l->input] : NULL;
        l->in_h = reads ? from->out_h : net->h;
        l->in_w = reads ? from->out_w : net->w;
        l->in_c = reads ? from->out_c : net->c;
        if (l->op == OP_POINTWISE || l->op == OP_ADD) {
            l->out_h = l->in_h;
            l->out_w = l->in_w;
        }
    }
}

/* Planned, executed between canaries, and nothing beyond the plan is touched. */
static void can_run(const Net *net, Rng *rng)
{
    QModel q;
    qmodel_init(&q, net);
    int8_t *image = random_image(net, rng);
    int8_t *output = xmalloc(net_tensor_bytes(net, net->n_layers - 1));
    for (int policy = 0; policy < N_POLICIES; policy++) {
        PlanOptions o = {.policy = (uint8_t)policy, .image_outside = rng_below(rng, 2)};
        Plan plan;
        uint32_t touched;
        plan_make(net, &o, &plan);
        ck_assert_uint_eq(plan_arena(net, &o), plan.arena);
        ck_assert_msg(host_run(&q, &plan, image, output, &touched) == 0, "%s", error_text());
        ck_assert_uint_le(touched, plan.arena);
    }
    qmodel_release(&q);
    free(image);
    free(output);
}

TEST(whatever_is_accepted_can_be_planned_and_run)
{
    Rng rng = rng_make(2, 0);
    int accepted = 0, times = 20000;
    for (int i = 0; i < times; i++) {
        Net net;
        random_net(&net, &rng);
        for (int n = 1 + (int)rng_below(&rng, 4); n > 0; n--)
            mutate(&net, &rng);
        if (rng_below(&rng, 2))
            reconnect(&net);
        if (net_check(&net) != 0) {
            ck_assert_str_ne(error_text(), "");
            continue;
        }
        accepted++;
        can_run(&net, &rng);
    }
    ck_assert_int_gt(accepted, times / 20); /* and not only refusals */
    ck_assert_int_lt(accepted, times);
}
END

TEST(noise_is_refused)
{
    Rng rng = rng_make(3, 0);
    for (int i = 0; i < 1000; i++) {
        Net net;
        for (size_t k = 0; k < sizeof net; k++)
            ((uint8_t *)&net)[k] = (uint8_t)rng_next(&rng);
        net.n_layers = (uint16_t)(1 + rng_below(&rng, NET_MAX_LAYERS));
        ck_assert_int_eq(net_check(&net), -1);
    }
}
END

SUITE(net, shapes_are_those_worked_out_by_hand, a_block_is_up_to_four_layers,
      costs_are_those_worked_out_by_hand, a_tensor_lives_until_its_last_reader,
      equal_networks_have_equal_bytes, a_network_has_room_for_its_layers_and_no_more,
      each_impossible_layer_has_its_sentence, what_is_too_large_is_refused,
      whatever_is_accepted_can_be_planned_and_run, noise_is_refused)
