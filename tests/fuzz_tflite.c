/* fuzz_tflite.c - any bytes whatever as a .tflite model (libFuzzer; `make fuzz-tflite`).
 *
 * What is accepted is planned under every policy, the image inside and outside the arena, and
 * while it is small run as well: in exactly the planned bytes between canaries, each time with
 * the same output. What is accepted also survives being saved and loaded. */
#include "evaluator/host.h"
#include "quant/tflite.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_MACS = 300000, SMALL_TENSOR = 1 << 14 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, error_text());
    abort();
}

static bool is_small(const Net *net)
{
    uint64_t work = net_macs(net);
    for (int l = NET_IMAGE; l < net->n_layers; l++) {
        uint64_t taps = l < 0 ? 1 : (uint64_t)net->layer[l].kh * net->layer[l].kw;
        if (net_tensor_bytes(net, l) > SMALL_TENSOR)
            return false;
        work += taps * net_tensor_bytes(net, l);
    }
    return work < SMALL_MACS;
}

static void run(const QModel *q, const Plan *plan, int8_t *output)
{
    uint32_t bytes = net_tensor_bytes(&q->net, NET_IMAGE), touched;
    int8_t *image = xmalloc(bytes);
    for (uint32_t i = 0; i < bytes; i++)
        image[i] = (int8_t)(i * 37 + i / 7);
    demand(host_run(q, plan, image, output, &touched) == 0, "a model that is accepted runs");
    demand(touched <= plan->arena, "it stays in its arena");
    free(image);
}

static void run_every_plan(const QModel *q, bool small)
{
    static Plan plan;
    uint32_t bytes = net_tensor_bytes(&q->net, q->net.n_layers - 1);
    int8_t *first = xcalloc(bytes, 1), *output = xcalloc(bytes, 1);
    for (int policy = 0; policy < 2 * N_POLICIES; policy++) {
        PlanOptions options = {.policy = (uint8_t)(policy % N_POLICIES),
                               .image_outside = policy >= N_POLICIES};
        plan_make(&q->net, &options, &plan);
        if (!small)
            continue;
        run(q, &plan, policy == 0 ? first : output);
        demand(policy == 0 || memcmp(first, output, bytes) == 0, "every plan gives the same bytes");
    }
    free(first);
    free(output);
}

static void save_and_load(const QModel *q)
{
    QModel back;
    size_t size;
    void *bytes = qmodel_save(q, &size);
    demand(qmodel_load(&back, bytes, size) == 0, "what is saved is loaded");
    qmodel_release(&back);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static TfliteInfo info;
    QModel q;
    if (tflite_load_bytes(&q, &info, data, size) != 0)
        return 0;
    run_every_plan(&q, is_small(&q.net));
    save_and_load(&q);
    qmodel_release(&q);
    return 0;
}
