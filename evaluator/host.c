#include "evaluator/host.h"

#include "base/alloc.h"
#include "base/error.h"
#include "evaluator/host_net.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { CANARY = 64, CANARY_BYTE = 0xC7 };

int host_argmax(const int8_t *score, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (score[i] > score[best])
            best = i;
    return best;
}

/* Spread: they often stand class by class. */
int host_picture(const Dataset *d, int n, int i)
{
    return (int)((int64_t)i * d->n / n);
}

static int how_many(const Dataset *d, int n)
{
    return n > 0 && n < d->n ? n : d->n;
}

static int check_data(const Net *net, const Dataset *d)
{
    if (d->h != net->h || d->w != net->w || d->c != net->c)
        return errorf("the network takes images of %d x %d x %d, the data has %d x %d x %d", net->h,
                      net->w, net->c, d->h, d->w, d->c);
    return d->n > 0 ? 0 : errorf("there is no picture to classify");
}

/* n pictures of d, one after the other to each thread that is free. */
typedef struct {
    const QModel *q;
    const Dataset *d;
    int n, threads;
} Pictures;

static const HostIsa *chosen_isa(void)
{
    const char *name = getenv("THIMBLE_ISA");
    const HostIsa *isa = host_isa(name && *name ? name : NULL);
    if (!isa)
        errorf("THIMBLE_ISA: this machine has no '%s'", name);
    return isa;
}

static int run_fast(const Pictures *p, int8_t *output)
{
    const Net *net = &p->q->net;
    const size_t bytes = net_tensor_bytes(net, net->n_layers - 1);
    const HostIsa *isa = chosen_isa();
    HostNet h;
    if (!isa)
        return -1;
    host_net_init(&h, p->q, isa);
#pragma omp parallel num_threads(p->threads)
    {
        uint8_t *workspace = xaligned(h.workspace);
        int8_t *image = xmalloc(net_tensor_bytes(net, NET_IMAGE));
#pragma omp for schedule(dynamic, 8)
        for (int i = 0; i < p->n; i++) {
            dataset_int8(p->d, host_picture(p->d, p->n, i), image);
            host_net_run(&h, image, workspace, output + (size_t)i * bytes);
        }
        free(workspace);
        free(image);
    }
    host_net_release(&h);
    return 0;
}

/* Whether the device's plan and kernels answer the same to the first pictures. */
static int prove(const Pictures *p, const PlanOptions *options, const int8_t *output)
{
    const Net *net = &p->q->net;
    const size_t bytes = net_tensor_bytes(net, net->n_layers - 1);
    int others = 0, n = p->n < HOST_PROVED ? p->n : HOST_PROVED;
    Plan plan;
    Lowered lowered;
    plan_make(net, options, &plan);
    if (lower(p->q, &plan, &lowered) != 0)
        return -1;
#pragma omp parallel num_threads(p->threads)
    {
        int8_t *arena = xaligned(plan.arena), *image = xmalloc(net_tensor_bytes(net, NET_IMAGE));
#pragma omp for schedule(dynamic, 1) reduction(+ : others)
        for (int i = 0; i < n; i++) {
            dataset_int8(p->d, host_picture(p->d, p->n, i), image);
            const int8_t *answer = lowered_run(&lowered, net, image, arena);
            others += memcmp(answer, output + (size_t)i * bytes, bytes) != 0;
        }
        free(arena);
        free(image);
    }
    lowered_release(&lowered);
    if (others > 0)
        return errorf("the host's vectors answer otherwise than the device's kernels to %d of %d "
                      "pictures", others, n);
    return 0;
}

int host_outputs(const QModel *q, const PlanOptions *options, const Dataset *d, int n, int threads,
                 int8_t *output)
{
    Pictures p = {.q = q, .d = d, .n = how_many(d, n),
                  .threads = threads > 0 ? threads : omp_get_max_threads()};
    if (check_data(&q->net, d) != 0 || net_check(&q->net) != 0 || run_fast(&p, output) != 0)
        return -1;
    return prove(&p, options, output);
}

int host_accuracy(const QModel *q, const PlanOptions *options, const Dataset *d, int n, int threads,
                  HostScore *score)
{
    const size_t classes = net_tensor_bytes(&q->net, q->net.n_layers - 1);
    int correct = 0;
    n = how_many(d, n);
    int8_t *output = xmalloc((size_t)n * classes);
    int status = host_outputs(q, options, d, n, threads, output);
    for (int i = 0; i < n && status == 0; i++)
        correct += host_argmax(output + (size_t)i * classes, (int)classes) ==
                   d->label[host_picture(d, n, i)];
    free(output);
    if (status == 0)
        *score = (HostScore){.correct = correct, .n = n, .accuracy = (double)correct / n};
    return status;
}

/* One run in an arena full of `fill`. Raises *touched to the end of the bytes
 * that differ from it afterwards. */
static int run_filled(const Lowered *lowered, const Net *net, const int8_t *image, uint8_t *block,
                      uint8_t fill, uint32_t *touched)
{
    uint32_t bytes = lowered->model.arena_bytes;
    uint8_t *arena = block + CANARY;
    memset(block, CANARY_BYTE, (size_t)bytes + 2 * CANARY);
    memset(arena, fill, bytes);
    lowered_run(lowered, net, image, (int8_t *)arena);
    for (int i = 0; i < CANARY; i++)
        if (block[i] != CANARY_BYTE || arena[bytes + (uint32_t)i] != CANARY_BYTE)
            return errorf("the network wrote %s its arena of %u bytes",
                          block[i] != CANARY_BYTE ? "before" : "behind", bytes);
    for (uint32_t i = bytes; i > *touched; i--)
        if (arena[i - 1] != fill)
            *touched = i;
    return 0;
}

/* A byte that the network wrote holds the same value after both runs, so it
 * differs from at least one of the two fills. */
static int run_twice(const Lowered *lowered, const Net *net, const int8_t *image, int8_t *output,
                     uint32_t *touched)
{
    size_t output_bytes = net_tensor_bytes(net, net->n_layers - 1);
    uint8_t *block = xaligned((size_t)lowered->model.arena_bytes + 2 * CANARY);
    const uint8_t *result = block + CANARY + lowered->tensor[lowered->output].offset;
    int status = run_filled(lowered, net, image, block, 0xA5, touched);
    memcpy(output, result, output_bytes);
    if (status == 0)
        status = run_filled(lowered, net, image, block, 0x5A, touched);
    if (status == 0 && memcmp(output, result, output_bytes) != 0)
        status = errorf("the network's output depends on what its arena held before");
    free(block);
    return status;
}

int host_run(const QModel *q, const Plan *plan, const int8_t *image, int8_t *output,
             uint32_t *touched)
{
    Lowered lowered;
    *touched = 0;
    if (lower(q, plan, &lowered) != 0)
        return -1;
    int status = run_twice(&lowered, &q->net, image, output, touched);
    lowered_release(&lowered);
    return status;
}
