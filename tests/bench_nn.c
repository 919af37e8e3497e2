/* bench_nn.c - images per second of training and inference, one thread, on the
 * two networks that shared/bench/torch_baseline.py gives to PyTorch. */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "nn/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 64, CLASSES = 10, ROUNDS = 9 };

typedef struct {
    int in, mid, out, kernel, stride;
} Block;

/* train-small.txt and train-large.txt of the shared workplace. */
static const Block small[] = {{16, 16, 8, 3, 1},   {8, 32, 16, 3, 2},   {16, 64, 16, 3, 1},
                              {16, 64, 32, 3, 2},  {32, 128, 32, 3, 1}, {32, 128, 32, 3, 1},
                              {32, 128, 64, 3, 2}, {64, 256, 64, 3, 1}, {64, 256, 64, 3, 1}};
static const Block large[] = {
    {16, 16, 8, 3, 1},   {8, 48, 16, 5, 2},   {16, 96, 16, 5, 1},  {16, 96, 16, 5, 1},
    {16, 96, 16, 5, 1},  {16, 96, 24, 5, 2},  {24, 144, 24, 5, 1}, {24, 144, 24, 5, 1},
    {24, 144, 24, 5, 1}, {24, 144, 40, 5, 1}, {40, 240, 40, 5, 1}, {40, 240, 40, 5, 1},
    {40, 240, 40, 5, 1}, {40, 240, 48, 5, 1}, {48, 288, 48, 5, 1}, {48, 288, 48, 5, 1},
    {48, 288, 48, 5, 1}, {48, 288, 96, 5, 2}, {96, 576, 96, 5, 1}, {96, 576, 96, 5, 1},
    {96, 576, 96, 5, 1}, {96, 576, 160, 5, 1}};

static void make_net(Net *net, const Block *block, int n)
{
    net_begin(net, 32, 32, 3);
    int at = net_conv(net, NET_IMAGE, block[0].in, square(3), square(1), ACT_RELU6);
    for (int i = 0; i < n; i++) {
        const Block *b = &block[i];
        at = net_block(net, at, &(BlockShape){.mid = b->mid, .out_c = b->out,
                                              .kernel = square(b->kernel),
                                              .stride = square(b->stride),
                                              .residual = b->in == b->out && b->stride == 1,
                                              .expands = b->mid != b->in});
    }
    net_dense(net, net_global_pool(net, at), CLASSES, ACT_NONE);
}

typedef struct {
    Model model, grad;
    Workspace *ws;
    float *images, *velocity, *logits;
    int labels[BATCH];
} Bench;

static void train(Bench *b)
{
    Lesson lesson = {
        .images = b->images, .labels = b->labels, .n = BATCH, .label_smoothing = 0.1};
    nn_train_pass(&b->model, b->ws, &lesson, &b->grad, NULL);
    sgd_step(&b->model, b->velocity, &b->grad, 0.05, 0.9, 1e-4);
    model_track_stats(&b->model, &b->grad, 0.1);
}

static void infer(Bench *b)
{
    nn_infer(&b->model, b->ws, b->images, BATCH, b->logits);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of some rounds, each at least 50 ms long, after one to warm up. */
static double rate(void (*work)(Bench *), Bench *b)
{
    double rates[ROUNDS];
    work(b);
    for (int i = 0; i < ROUNDS; i++) {
        int n = 0;
        double start = seconds(), took;
        do {
            work(b);
            n += BATCH;
            took = seconds() - start;
        } while (took < 0.05);
        rates[i] = n / took;
    }
    qsort(rates, ROUNDS, sizeof *rates, by_size);
    return rates[ROUNDS / 2];
}

static void measure(const char *name, const Block *block, int n)
{
    Bench b = {.ws = workspace_new()};
    Net net;
    Rng rng = rng_make(1, 0);
    make_net(&net, block, n);
    model_init(&b.model, &net);
    model_init(&b.grad, &net);
    model_randomise(&b.model, &rng);
    b.images = xaligned(BATCH * 32 * 32 * 3 * sizeof(float));
    b.velocity = xaligned(b.model.n_params * sizeof(float));
    b.logits = xaligned(BATCH * CLASSES * sizeof(float));
    for (int i = 0; i < BATCH * 32 * 32 * 3; i++)
        b.images[i] = (float)rng_normal(&rng);
    for (int i = 0; i < BATCH; i++)
        b.labels[i] = (int)rng_below(&rng, CLASSES);
    printf("train %s threads 1 ours %.0f\n", name, rate(train, &b));
    printf("infer %s threads 1 ours %.0f\n", name, rate(infer, &b));
    model_release(&b.model);
    model_release(&b.grad);
    free(b.images);
    free(b.velocity);
    free(b.logits);
    workspace_free(b.ws);
}

int main(void)
{
    measure("small", small, sizeof small / sizeof *small);
    measure("large", large, sizeof large / sizeof *large);
    return 0;
}
