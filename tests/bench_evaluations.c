/* bench_evaluations.c - how many subnets stage 2 scores a minute, two at a time, a thread each.
 *
 *     evaluations paper 17 a minute, with a bar 20, images 86 %, by CPU time 215 and 244
 *     evaluations cheap 136 a minute, with a bar 166, images 85 %, by CPU time 1629 and 1838
 *
 * The paper's protocol recalibrates on 1,280 images and takes the accuracy on 5,000, the cheap one
 * recalibrates on 256 and takes the cross entropy on 512. The subnets are random ones of the space
 * `cifar` at width 0.5 and 24x24, of 4.5M to 5.5M MACs, in a supernet of one epoch's training: what
 * stops early (evaluator/accuracy.h) stops at a fifth of them, as evolution's children do at its
 * parents. The best of the rounds, the protocols by turns. By CPU time is what two idle cores would
 * do: on a busy machine the others' work counts in the first figures.
 *
 * bench_evaluations [FOLDER [ROUNDS]]: FOLDER holds CIFAR-10 as class folders of pictures; without
 * it, or where it is "-", they are drawn. */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 2, NETWORKS = 30, A_CLASS = 1200, SCORED = 5000, SIDE = 24 };

typedef struct {
    Space space;
    int width, resolution;
    Data data;
    int *fit, *valid, n_fit, n_valid;
    Supernet supernet;
    Workspace *ws[THREADS];
    Genotype genotype[NETWORKS];
} Bench;

typedef struct {
    const char *name;
    AccuracyProtocol p;
    int networks;                /* evaluated in a round */
    float bar[SCORED];
    double best[2], cpu[2];      /* evaluations a minute, without and with a bar */
    double images;               /* share scored with a bar */
} Protocol;

/* ---- the task ---- */

static int open_data(Bench *b, const char *folder)
{
    DataOptions d = {.format = folder ? DATA_IMAGES : DATA_SYNTHETIC, .seed = 1, .h = SIDE,
                     .w = SIDE, .c = 3, .limit = A_CLASS, .threads = THREADS,
                     .synthetic_train = 10 * A_CLASS, .synthetic_test = 10,
                     .synthetic_classes = 10};
    if (folder)
        snprintf(d.path, sizeof d.path, "%s", folder);
    if (data_open(&b->data, &d) != 0)
        return -1;
    const Dataset *all = &b->data.train;
    b->fit = xcalloc((size_t)all->n, sizeof(int));
    b->valid = xcalloc((size_t)all->n, sizeof(int));
    b->n_valid = dataset_split(all, (double)SCORED / all->n, 2, b->fit, b->valid);
    b->n_fit = all->n - b->n_valid;
    Rng rng = rng_make(3, 0);
    rng_shuffle(&rng, b->fit, b->n_fit);
    rng_shuffle(&rng, b->valid, b->n_valid);
    return 0;
}

static void choose_networks(Bench *b)
{
    Rng rng = rng_make(4, 0);
    for (int n = 0; n < NETWORKS;) {
        Net net;
        Genotype g = genotype_sample(&b->space, b->width, b->resolution, &rng);
        genotype_expand(&b->space, &g, b->data.train.n_classes, &net);
        if (fabs((double)net_macs(&net) - 5e6) < 5e5)
            b->genotype[n++] = g;
    }
}

static void train_supernet(Bench *b)
{
    Rng rng = rng_make(5, 0);
    TrainState t;
    TrainOptions o = {.epochs = 1, .batch = 64, .shards = 1, .subnets = 4, .rate = 0.1,
                      .momentum = 0.9, .seed = 6, .threads = THREADS};
    supernet_init(&b->supernet, &b->space, b->width, &(Choices){1, {(uint8_t)b->resolution}},
                  b->data.train.n_classes);
    model_randomise(&b->supernet.shared, &rng);
    train_state_init(&t, &b->supernet.shared, &o, b->n_fit);
    train(&t, &b->supernet, &b->data.train, b->fit, b->n_fit, &o, NULL);
    train_state_release(&t);
}

/* ---- evaluations ---- */

static Accuracy evaluate(Bench *b, int network, int thread, const AccuracyProtocol *p)
{
    Model m;
    supernet_extract(&b->supernet, &b->genotype[network], &m);
    Accuracy a = accuracy_of(&m, b->ws[thread], p);
    model_release(&m);
    return a;
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(Bench *b, Protocol *p, bool stops)
{
    AccuracyProtocol protocol = p->p;
    double start = clock_seconds(), cpu = cpu_seconds(), scored = 0;
    protocol.bar = stops ? p->bar : NULL;
#pragma omp parallel for num_threads(THREADS) schedule(dynamic, 1) reduction(+ : scored)
    for (int i = 0; i < p->networks; i++)
        scored += evaluate(b, i, omp_get_thread_num(), &protocol).n;
    p->best[stops] = fmax(p->best[stops], 60 * p->networks / (clock_seconds() - start));
    p->cpu[stops] = fmax(p->cpu[stops], 60 * p->networks * THREADS / (cpu_seconds() - cpu));
    p->images = scored / p->networks / p->p.n_score;
}

typedef struct {
    double loss;
    int network;
} Ranked;

static int by_loss(const void *a, const void *b)
{
    double x = ((const Ranked *)a)->loss, y = ((const Ranked *)b)->loss;
    return (x > y) - (x < y);
}

/* The images' losses of the one that a fifth of the networks beat. */
static void set_bar(Bench *b, Protocol *p)
{
    Ranked r[NETWORKS];
    for (int i = 0; i < p->networks; i++)
        r[i] = (Ranked){evaluate(b, i, 0, &p->p).loss, i};
    qsort(r, (size_t)p->networks, sizeof *r, by_loss);
    AccuracyProtocol protocol = p->p;
    protocol.loss = p->bar;
    evaluate(b, r[p->networks / 5].network, 0, &protocol);
}

static void bench_protocols(Bench *b, int rounds)
{
    AccuracyProtocol common = {.train = &b->data.train, .valid = &b->data.train,
                               .recalibrate = b->fit, .batch = 64, .score = b->valid, .sure = 3};
    static Protocol protocol[2] = {{.name = "paper", .networks = 10},
                                   {.name = "cheap", .networks = NETWORKS}};
    protocol[0].p = protocol[1].p = common;
    protocol[0].p.batches = 20, protocol[0].p.n_score = SCORED;
    protocol[1].p.batches = 4, protocol[1].p.n_score = 512;
    protocol[1].p.by = SCORE_CROSS_ENTROPY;
    for (int i = 0; i < 2; i++)
        set_bar(b, &protocol[i]);
    for (int i = 0; i < 4 * rounds; i++)
        measure(b, &protocol[i / 2 % 2], i % 2);
    for (const Protocol *p = protocol; p < protocol + 2; p++)
        printf("evaluations %s %.0f a minute, with a bar %.0f, images %.0f %%, by CPU time %.0f and "
               "%.0f\n", p->name, p->best[0], p->best[1], 100 * p->images, p->cpu[0], p->cpu[1]);
}

int main(int argc, char **argv)
{
    if (getenv("OPENBLAS_CORETYPE") || !getenv("OMP_WAIT_POLICY")) {
        unsetenv("OPENBLAS_CORETYPE"); /* both are read when a library is loaded: start anew */
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv);
    }
    Bench b = {.width = 1, .resolution = 2}; /* 0.5 and 24x24 */
    const char *folder = argc > 1 && strcmp(argv[1], "-") != 0 ? argv[1] : NULL;
    if (config_space(&b.space, "cifar") != 0 || open_data(&b, folder) != 0) {
        printf("bench_evaluations: %s\n", error_text());
        return 1;
    }
    choose_networks(&b);
    train_supernet(&b);
    for (int i = 0; i < THREADS; i++)
        b.ws[i] = workspace_new();
    bench_protocols(&b, argc > 2 ? atoi(argv[2]) : 3);
    for (int i = 0; i < THREADS; i++)
        workspace_free(b.ws[i]);
    supernet_release(&b.supernet);
    data_release(&b.data);
    free(b.fit);
    free(b.valid);
    return 0;
}
