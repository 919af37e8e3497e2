/* bench_training.c - images per second of training, inference and norm recalibration, against
 * PyTorch on the same networks where it is installed (Debian: python3-torch), else ours alone.
 *
 *     train k5 threads 1 ours 712 torch 268 ratio 2.66 peak 254 GFLOP/s share 0.49
 *
 * A batch of 64 is two shards of 32, whatever the threads, so that one and two compute the same.
 * The rounds of the two sides alternate, a third of a second each; every figure is a median, the
 * ratio of the pairs' ratios. The peak is of one core's multiply-adds, measured in the same round;
 * the share is the useful part of it that one thread gets.
 *
 * bench_training [ROUNDS [NET...]]: 5 rounds of small, k5, k3 and k7. */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "nn/pass.h"
#include "nn/vec.h"
#include "tests/suite.h"
#include "tests/timing.h"

#include <signal.h>
#include <sys/wait.h>

enum { BATCH = 64, SHARDS = 2, SHARD = BATCH / SHARDS, CLASSES = 10, IMAGE = 32 * 32 * 3 };
enum { MOST_ROUNDS = 50 };

/* ---- the networks: train-small.txt and train-large.txt of the shared workplace ---- */

typedef struct {
    int in, mid, out, kernel, stride, size;
} Block;

static const Block small[] = {
    {16, 16, 8, 3, 1, 32},   {8, 32, 16, 3, 2, 32},   {16, 64, 16, 3, 1, 16},
    {16, 64, 32, 3, 2, 16},  {32, 128, 32, 3, 1, 8},  {32, 128, 32, 3, 1, 8},
    {32, 128, 64, 3, 2, 8},  {64, 256, 64, 3, 1, 4},  {64, 256, 64, 3, 1, 4}};
static const Block large[] = {
    {16, 16, 8, 3, 1, 32},   {8, 48, 16, 5, 2, 32},   {16, 96, 16, 5, 1, 16},
    {16, 96, 16, 5, 1, 16},  {16, 96, 16, 5, 1, 16},  {16, 96, 24, 5, 2, 16},
    {24, 144, 24, 5, 1, 8},  {24, 144, 24, 5, 1, 8},  {24, 144, 24, 5, 1, 8},
    {24, 144, 40, 5, 1, 8},  {40, 240, 40, 5, 1, 8},  {40, 240, 40, 5, 1, 8},
    {40, 240, 40, 5, 1, 8},  {40, 240, 48, 5, 1, 8},  {48, 288, 48, 5, 1, 8},
    {48, 288, 48, 5, 1, 8},  {48, 288, 48, 5, 1, 8},  {48, 288, 96, 5, 2, 8},
    {96, 576, 96, 5, 1, 4},  {96, 576, 96, 5, 1, 4},  {96, 576, 96, 5, 1, 4},
    {96, 576, 160, 5, 1, 4}};

typedef struct {
    const char *name;
    const Block *block;
    int n, kernel; /* in the place of 5; 3 stays */
} Network;

static const Network networks[] = {{"small", small, sizeof small / sizeof *small, 3},
                                   {"k5", large, sizeof large / sizeof *large, 5},
                                   {"k3", large, sizeof large / sizeof *large, 3},
                                   {"k7", large, sizeof large / sizeof *large, 7}};

static int kernel_of(const Network *w, int block)
{
    return w->block[block].kernel == 5 ? w->kernel : w->block[block].kernel;
}

static void make_net(Net *net, const Network *w)
{
    net_begin(net, 32, 32, 3);
    int at = net_conv(net, NET_IMAGE, w->block[0].in, square(3), square(1), ACT_RELU6);
    for (int i = 0; i < w->n; i++) {
        const Block *b = &w->block[i];
        at = net_block(net, at, &(BlockShape){.mid = b->mid, .out_c = b->out,
                                              .kernel = square(kernel_of(w, i)),
                                              .stride = square(b->stride),
                                              .residual = b->in == b->out && b->stride == 1,
                                              .expands = b->mid != b->in});
    }
    net_dense(net, net_global_pool(net, at), CLASSES, ACT_NONE);
}

/* ---- our side ---- */

typedef struct {
    Model model, grad[SHARDS], copy[SHARDS];
    Workspace *ws[SHARDS];
    float *images, *velocity, *logits;
    int labels[BATCH], threads;
} Bench;

static void train(Bench *b)
{
#pragma omp parallel for num_threads(b->threads) schedule(dynamic, 1)
    for (int i = 0; i < SHARDS; i++) {
        Lesson lesson = {.images = b->images + (size_t)i * SHARD * IMAGE,
                         .labels = b->labels + i * SHARD,
                         .n = SHARD,
                         .label_smoothing = 0.1};
        nn_train_pass(&b->model, b->ws[i], &lesson, &b->grad[i], NULL);
    }
    for (size_t i = 0; i < b->model.n_params; i++)
        b->grad[0].params[i] = 0.5F * (b->grad[0].params[i] + b->grad[1].params[i]);
    sgd_step(&b->model, b->velocity, &b->grad[0], 0.05, 0.9, 1e-4);
    model_track_stats(&b->model, &b->grad[0], 0.1);
}

/* Every image for itself: a thread takes its share in one call. */
static void infer(Bench *b)
{
    int share = BATCH / b->threads;
#pragma omp parallel for num_threads(b->threads) schedule(dynamic, 1)
    for (int i = 0; i < b->threads; i++)
        nn_infer(&b->model, b->ws[i], b->images + (size_t)(i * share) * IMAGE, share,
                 b->logits + i * share * CLASSES);
}

static void recalibrate(Bench *b)
{
#pragma omp parallel for num_threads(b->threads) schedule(dynamic, 1)
    for (int i = 0; i < SHARDS; i++)
        nn_recalibrate(&b->copy[i], b->ws[i], b->images + (size_t)i * SHARD * IMAGE, SHARD, 0);
}

static void bench_init(Bench *b, const Network *w)
{
    Net net;
    Rng rng = rng_make(1, 0);
    *b = (Bench){.threads = 1};
    make_net(&net, w);
    model_init(&b->model, &net);
    model_randomise(&b->model, &rng);
    for (int i = 0; i < SHARDS; i++) {
        b->ws[i] = workspace_new();
        model_init(&b->grad[i], &net);
        model_init(&b->copy[i], &net);
        model_copy(&b->copy[i], &b->model);
    }
    b->images = xaligned((size_t)BATCH * IMAGE * sizeof(float));
    b->velocity = xaligned(b->model.n_params * sizeof(float));
    b->logits = xaligned((size_t)BATCH * CLASSES * sizeof(float));
    for (int i = 0; i < BATCH * IMAGE; i++)
        b->images[i] = (float)rng_normal(&rng);
    for (int i = 0; i < BATCH; i++)
        b->labels[i] = (int)rng_below(&rng, CLASSES);
    for (size_t i = 0; i < b->model.n_params; i++)
        b->velocity[i] = 0;
}

static void bench_release(Bench *b)
{
    for (int i = 0; i < SHARDS; i++) {
        workspace_free(b->ws[i]);
        model_release(&b->grad[i]);
        model_release(&b->copy[i]);
    }
    model_release(&b->model);
    free(b->images);
    free(b->velocity);
    free(b->logits);
}

/* Images a second over a third of one. */
static double rate(void (*work)(Bench *), Bench *b)
{
    work(b);
    int n = 0;
    double start = clock_seconds(), took;
    do {
        work(b);
        n += BATCH;
        took = clock_seconds() - start;
    } while (took < 0.3);
    return n / took;
}

/* Floating-point operations a second of one core: independent sums, all in registers. */
static double peak(void)
{
    enum { SUMS = 12, TURNS = 1000000 };
    Vec sum[SUMS];
    volatile float one = 0.999F;
    Vec a = vec_all(one), b = vec_all(one);
    for (int i = 0; i < SUMS; i++)
        sum[i] = vec_all((float)i);
    double start = clock_seconds();
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < SUMS; i++)
            sum[i] = sum[i] * a + b;
    double took = clock_seconds() - start;
    for (int i = 1; i < SUMS; i++)
        sum[0] += sum[i];
    volatile float keep = sum[0][0];
    (void)keep;
    return 2.0 * VEC_LANES * SUMS * TURNS / took;
}

/* ---- PyTorch's side: a process that measures a round when asked ---- */

typedef struct {
    pid_t pid;
    FILE *ask, *answer; /* NULL: PyTorch is not here */
    char network[32];
} Torch;

static void write_network(char *name, const Network *w)
{
    strcpy(name, "/tmp/bench_training.XXXXXX");
    FILE *f = fdopen(mkstemp(name), "w");
    fprintf(f, "%d\n", w->n);
    for (int i = 0; i < w->n; i++)
        fprintf(f, "%d %d %d %d %d %d\n", w->block[i].in, w->block[i].mid, w->block[i].out,
                kernel_of(w, i), w->block[i].stride, w->block[i].size);
    fclose(f);
}

/* Without these two its large tensors are mapped and unmapped at every step. */
static void run_torch(const int *from, const int *to, const char *network, int threads)
{
    char n[12];
    snprintf(n, sizeof n, "%d", threads);
    dup2(from[0], 0);
    dup2(to[1], 1);
    for (int i = 0; i < 2; i++) {
        close(from[i]);
        close(to[i]);
    }
    setenv("MALLOC_MMAP_THRESHOLD_", "4294967296", 1);
    setenv("MALLOC_TRIM_THRESHOLD_", "17179869184", 1);
    execl("/usr/bin/python3", "python3", "tests/torch_rounds.py",
          shared_file("bench/torch_baseline.py"), network, n, (char *)NULL);
    _exit(1);
}

static bool torch_there(void)
{
    return access(shared_file("bench/torch_baseline.py"), R_OK) == 0 &&
           system("/usr/bin/python3 -c 'import torch' 2>/dev/null") == 0;
}

static void torch_open(Torch *t, const Network *w, int threads)
{
    int from[2], to[2];
    char ready[16];
    write_network(t->network, w);
    if (pipe(from) != 0 || pipe(to) != 0)
        abort();
    fflush(NULL);
    t->pid = fork();
    if (t->pid == 0)
        run_torch(from, to, t->network, threads);
    close(from[0]);
    close(to[1]);
    t->ask = fdopen(from[1], "w");
    t->answer = fdopen(to[0], "r");
    if (!fgets(ready, sizeof ready, t->answer))
        fprintf(stderr, "bench_training: PyTorch did not start\n");
}

static void torch_close(Torch *t)
{
    if (!t->ask)
        return;
    fclose(t->ask);
    fclose(t->answer);
    waitpid(t->pid, NULL, 0);
    unlink(t->network);
}

static double torch_rate(Torch *t, const char *what)
{
    char line[64];
    fprintf(t->ask, "%s\n", what);
    fflush(t->ask);
    return fgets(line, sizeof line, t->answer) ? atof(line) : 0;
}

/* ---- in pairs ---- */

static const struct {
    const char *name;
    void (*work)(Bench *);
    int products; /* a multiply-add of the network is done this many times */
} measures[] = {{"train", train, 3}, {"infer", infer, 1}, {"recalibrate", recalibrate, 1}};

static void measure(Bench *b, Torch *t, const char *net, size_t which, int rounds)
{
    double ours[MOST_ROUNDS], its[MOST_ROUNDS], ratio[MOST_ROUNDS], top[MOST_ROUNDS];
    double share[MOST_ROUNDS];
    double work = 2.0 * measures[which].products * (double)net_macs(&b->model.net);
    for (int i = 0; i < rounds; i++) {
        top[i] = peak();
        ours[i] = rate(measures[which].work, b);
        share[i] = ours[i] * work / top[i] / b->threads;
        its[i] = t->ask ? torch_rate(t, measures[which].name) : 0;
        ratio[i] = ours[i] / its[i];
    }
    printf("%s %s threads %d ours %.0f", measures[which].name, net, b->threads,
           median(ours, rounds));
    if (t->ask)
        printf(" torch %.0f ratio %.2f", median(its, rounds), median(ratio, rounds));
    printf(" peak %.0f GFLOP/s share %.2f\n", 1e-9 * median(top, rounds), median(share, rounds));
    fflush(stdout);
}

static void bench(const Network *w, bool with_torch, int rounds)
{
    Bench b;
    bench_init(&b, w);
    for (b.threads = 1; b.threads <= 2; b.threads++) {
        Torch t = {0};
        if (with_torch)
            torch_open(&t, w, b.threads);
        for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
            measure(&b, &t, w->name, i, rounds);
        torch_close(&t);
    }
    bench_release(&b);
}

static bool chosen(const char *name, int argc, char **argv)
{
    bool any = argc <= 2;
    for (int i = 2; i < argc; i++)
        any |= strcmp(argv[i], name) == 0;
    return any;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    rounds = rounds < 1 ? 1 : rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    if (getenv("OPENBLAS_CORETYPE") || !getenv("OMP_WAIT_POLICY")) {
        unsetenv("OPENBLAS_CORETYPE"); /* both are read when a library is loaded: start anew */
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv);
    }
    signal(SIGPIPE, SIG_IGN);
    bool with_torch = torch_there();
    if (!with_torch)
        fprintf(stderr, "bench_training: no PyTorch here, ours alone\n");
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if (chosen(networks[i].name, argc, argv))
            bench(&networks[i], with_torch, rounds);
    return 0;
}
