#include "estimator/tensor_graph.h"

#include "config/config.h"
#include "tests/known_nets.h"
#include "tests/mcunet_space.h"
#include "tests/suite.h"

/* ---- by hand ------------------------------------------------------------------------------ */

TEST(a_net_becomes_a_graph_of_its_layers)
{
    Net net;
    TensorGraph g;
    net_begin(&net, 4, 4, 2);
    net_pointwise(&net, NET_IMAGE, 2, ACT_NONE);
    net_depthwise(&net, 0, square(3), square(1), ACT_NONE);
    net_add(&net, 1, NET_IMAGE);
    tensor_graph_of_net(&net, &g);
    ck_assert_int_eq(g.n_ops, 3);
    ck_assert_int_eq(g.n_tensors, 4);
    ck_assert_int_eq(g.op[0].kind, GRAPH_OTHER);
    ck_assert_int_eq(g.op[1].kind, GRAPH_DEPTHWISE);
    ck_assert_int_eq(g.op[2].kind, GRAPH_ADD);
    ck_assert_int_eq(g.op[1].n_inputs, 1);
    ck_assert_int_eq(g.op[2].n_inputs, 2);
    ck_assert_int_eq(g.op[2].input[0], 2);
    ck_assert_int_eq(g.op[2].input[1], 0);
    ck_assert_int_eq(g.op[2].output, 3);
    for (int t = 0; t < 4; t++) {
        ck_assert_uint_eq(g.tensor[t].bytes, 32);
        ck_assert_int_eq(g.tensor[t].kept, t == 3);
    }
}
END

/* Image 16; op 0 makes 40, op 1 makes 10 that nobody reads, op 2 makes the output, 5, from
 * the image and 40; op 3 makes 3 from it. Both of the last are outputs. */
static TensorGraph branching(void)
{
    return (TensorGraph){.n_tensors = 5,
                         .n_ops = 4,
                         .tensor = {{16, false}, {40, false}, {10, false}, {5, true}, {3, true}},
                         .op = {{GRAPH_OTHER, 1, {0}, 1},
                                {GRAPH_OTHER, 1, {1}, 2},
                                {GRAPH_OTHER, 2, {0, 1}, 3},
                                {GRAPH_OTHER, 1, {3}, 4}}};
}

TEST(a_tensor_lives_from_its_producer_to_its_last_reader)
{
    static const Life want[] = {{0, 2}, {0, 2}, {1, 1}, {2, 3}, {3, 3}};
    TensorGraph g = branching();
    Life life[GRAPH_MAX_TENSORS];
    g.tensor[3].kept = false;
    tensor_graph_lives(&g, life);
    for (int t = 0; t < 5; t++) {
        ck_assert_int_eq(life[t].first, want[t].first);
        ck_assert_int_eq(life[t].last, want[t].last);
    }
}
END

TEST(an_output_in_the_middle_lives_to_the_end)
{
    TensorGraph g = branching();
    Life life[GRAPH_MAX_TENSORS];
    g.tensor[2].kept = true; /* 10 bytes more during op 2: 71 there, 66 during op 1 */
    tensor_graph_lives(&g, life);
    ck_assert_int_eq(life[2].last, 3);
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_NOTHING), 71);
    g.tensor[2].kept = false;
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_NOTHING), 66);
}
END

TEST(a_depthwise_saves_its_output_only_where_the_input_dies_and_is_long_enough)
{
    TensorGraph g = {.n_tensors = 3,
                     .n_ops = 2,
                     .tensor = {{100, false}, {60, false}, {1, true}},
                     .op = {{GRAPH_DEPTHWISE, 1, {0}, 1}, {GRAPH_OTHER, 1, {1}, 2}}};
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_NOTHING), 160);
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE), 100);
    g.tensor[1].bytes = 101; /* a depth multiplier */
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE), 201);
    g.tensor[1].bytes = 60;
    g.op[1].n_inputs = 2; /* which also reads the input */
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE), 161);
}
END

TEST(an_add_takes_the_place_of_either_input)
{
    TensorGraph g = {.n_tensors = 4,
                     .n_ops = 3,
                     .tensor = {{50, false}, {50, false}, {50, false}, {50, true}},
                     .op = {{GRAPH_OTHER, 1, {0}, 1},
                            {GRAPH_ADD, 2, {0, 1}, 2},
                            {GRAPH_ADD, 2, {0, 2}, 3}}};
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE), 150);
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE_AND_ADD), 100);
}
END

/* ---- against the slow and obvious --------------------------------------------------------- */

static bool reads(const Net *net, int layer, int tensor)
{
    return net->layer[layer].input == tensor || net->layer[layer].input2 == tensor;
}

static bool needed_from(const Net *net, int tensor, int layer)
{
    for (int i = layer; i < net->n_layers; i++)
        if (reads(net, i, tensor))
            return true;
    return tensor == net->n_layers - 1;
}

/* Every tensor is asked during every layer whether it is there and still wanted. */
static uint32_t live_slowly(const Net *net, Share share)
{
    uint32_t most = 0;
    for (int i = 0; i < net->n_layers; i++) {
        uint32_t sum = net_tensor_bytes(net, i);
        bool saves = false;
        for (int t = NET_IMAGE; t < i; t++) {
            sum += needed_from(net, t, i) ? net_tensor_bytes(net, t) : 0;
            saves |= reads(net, i, t) && !needed_from(net, t, i + 1) &&
                     net_tensor_bytes(net, t) >= net_tensor_bytes(net, i);
        }
        Op op = (Op)net->layer[i].op;
        if (saves && ((op == OP_DEPTHWISE && share) || (op == OP_ADD && share > SHARE_DEPTHWISE)))
            sum -= net_tensor_bytes(net, i);
        most = sum > most ? sum : most;
    }
    return most;
}

TEST(live_bytes_of_random_nets_are_those_counted_one_by_one)
{
    Rng rng = rng_make(5, 0);
    for (int i = 0; i < 2000; i++) {
        Net net;
        TensorGraph g;
        random_net(&net, &rng);
        tensor_graph_of_net(&net, &g);
        for (Share s = SHARE_NOTHING; s <= SHARE_DEPTHWISE_AND_ADD; s++)
            ck_assert_uint_eq(tensor_graph_live(&g, s), live_slowly(&net, s));
    }
}
END

/* ---- facts: ../shared/facts/reference.yaml, f_* --------------------------------------- */

static void has_live(const Net *net, uint32_t live, uint32_t depthwise, uint32_t add)
{
    TensorGraph g;
    tensor_graph_of_net(net, &g);
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_NOTHING), live);
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE), depthwise);
    ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE_AND_ADD), add);
}

TEST(known_models_have_the_live_bytes_of_the_reference)
{
    Net net;
    build_mobilenet_v1(&net);
    has_live(&net, 55296, 55296, 55296);
    build_ds_cnn(&net);
    has_live(&net, 16000, 16000, 16000);
    build_resnet8(&net);
    has_live(&net, 49152, 49152, 49152);
    build_autoencoder(&net);
    has_live(&net, 768, 768, 768);
    build_micro_speech(&net);
    has_live(&net, 5960, 5960, 5960);
}
END

TEST(mcunet_vww1_has_the_live_bytes_of_the_reference)
{
    Net net;
    const char *path = shared_file("facts/nets/mcunet-5fps_vww.yaml");
    SKIP_WITHOUT(path);
    ck_assert_msg(config_net(&net, path, (Resolution){0}) == 0, "%s", error_text());
    has_live(&net, 96000, 89600, 89600);
}
END

/* Its act_sum: the "activation" size of MCUNet's model zoo, skip tensors held. */
TEST(live_bytes_are_the_activation_sizes_of_the_zoo)
{
    static const struct {
        const char *name;
        uint32_t act_sum;
    } zoo[] = {{"mcunet-10fps_imagenet", 46080},      {"mcunet-5fps_imagenet", 92160},
               {"mcunet-320kb-1mb_imagenet", 340736}, {"mcunet-512kb-2mb_imagenet", 422400},
               {"proxyless-w0.3-r176_imagenet", 247808}};
    for (unsigned i = 0; i < sizeof zoo / sizeof *zoo; i++) {
        Net net;
        TensorGraph g;
        char name[128];
        snprintf(name, sizeof name, "facts/nets/%s.yaml", zoo[i].name);
        SKIP_WITHOUT(shared_file(name));
        ck_assert_msg(config_net(&net, shared_file(name), (Resolution){0}) == 0, "%s", error_text());
        tensor_graph_of_net(&net, &g);
        ck_assert_uint_eq(tensor_graph_live(&g, SHARE_NOTHING), zoo[i].act_sum);
    }
}
END

SUITE(tensor_graph, a_net_becomes_a_graph_of_its_layers,
      a_tensor_lives_from_its_producer_to_its_last_reader, an_output_in_the_middle_lives_to_the_end,
      a_depthwise_saves_its_output_only_where_the_input_dies_and_is_long_enough,
      an_add_takes_the_place_of_either_input,
      live_bytes_of_random_nets_are_those_counted_one_by_one,
      known_models_have_the_live_bytes_of_the_reference,
      mcunet_vww1_has_the_live_bytes_of_the_reference,
      live_bytes_are_the_activation_sizes_of_the_zoo)
