#define _GNU_SOURCE
#include "evaluator/host.h"
#include "evaluator/host_net.h"

#include "tests/int8_nets.h"
#include "tests/suite.h"

#define X(name, isa) name,
static const char *const names[] = {HOST_ISAS(X)};
#undef X
enum { N_ISAS = sizeof names / sizeof *names, PICTURES = 40 };

static void check_isa(const QModel *q, const HostIsa *isa, const int8_t *image,
                      const int8_t *expected, int i)
{
    HostNet h;
    host_net_init(&h, q, isa);
    size_t n = net_tensor_bytes(&q->net, q->net.n_layers - 1);
    uint8_t *workspace = xaligned(h.workspace); /* no byte more */
    int8_t *output = xmalloc(n);
    memset(workspace, 0x5A, h.workspace);
    host_net_run(&h, image, workspace, output);
    ck_assert_msg(memcmp(output, expected, n) == 0, "%s, network %d", isa->name, i);
    free(workspace), free(output);
    host_net_release(&h);
}

TEST(random_nets_answer_as_the_slow_interpreter_says_on_every_instruction_set)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 300; i++) {
        Net net;
        QModel q;
        random_net(&net, &rng);
        int8_t *image = random_image(&net, &rng);
        ck_assert(random_qmodel(&q, &net, image, &rng) == 0);
        int8_t **t = int8_run(&q, image);
        for (int a = 0; a < N_ISAS; a++)
            if (host_isa(names[a]))
                check_isa(&q, host_isa(names[a]), image, t[net.n_layers], i);
        int8_free(&net, t), free(image);
        qmodel_release(&q);
    }
}
END

static Dataset random_pictures(const Net *net, Rng *rng)
{
    Dataset d = {.n = PICTURES, .h = net->h, .w = net->w, .c = net->c, .n_classes = 2};
    size_t bytes = (size_t)PICTURES * net_tensor_bytes(net, NET_IMAGE);
    d.pixel = xmalloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        d.pixel[i] = (uint8_t)rng_below(rng, 256);
    return d;
}

/* The environment chooses the way, threads share the work, and the bytes are the same. */
TEST(outputs_are_the_same_in_every_way_and_at_any_number_of_threads)
{
    Rng rng = rng_make(2, 0);
    Net net;
    QModel q;
    PlanOptions options = {.policy = POLICY_STREAM};
    net_begin(&net, 12, 9, 3);
    int at = net_conv(&net, NET_IMAGE, 10, square(3), square(2), ACT_RELU6);
    at = net_block(&net, at, &(BlockShape){.mid = 30, .out_c = 10, .kernel = square(5),
                                           .stride = square(1), .residual = true, .expands = true});
    net_dense(&net, net_global_pool(&net, at), 7, ACT_NONE);
    Dataset d = random_pictures(&net, &rng);
    int8_t *image = random_image(&net, &rng);
    ck_assert(random_qmodel(&q, &net, image, &rng) == 0);
    int8_t expected[PICTURES * 7], output[PICTURES * 7];
    ck_assert(host_outputs(&q, &options, &d, 0, 1, expected) == 0);
    for (int a = 0; a < N_ISAS; a++)
        for (int threads = 1; threads <= 3 && host_isa(names[a]); threads++) {
            setenv("THIMBLE_ISA", names[a], 1);
            memset(output, 0, sizeof output);
            ck_assert_msg(host_outputs(&q, &options, &d, 0, threads, output) == 0, "%s",
                          error_text());
            ck_assert_mem_eq(output, expected, sizeof expected);
        }
    setenv("THIMBLE_ISA", "sse9", 1);
    ck_assert_int_eq(host_outputs(&q, &options, &d, 0, 1, output), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "sse9"));
    free(d.pixel), free(image);
    qmodel_release(&q);
}
END

SUITE(host_net, random_nets_answer_as_the_slow_interpreter_says_on_every_instruction_set,
      outputs_are_the_same_in_every_way_and_at_any_number_of_threads)
