/* bench_host.c - images per second of scoring a network: int8 on the vectors of this machine
 * (evaluator/host.h, its proof on the device's kernels included) against float (accuracy.h).
 *
 *     host int8 18.4M threads 1 int8 3261 float 1549 ratio 1.72
 *
 * The networks have the sizes of the two winners in README.md: of the space `cifar` at width
 * 0.75, the drawn one whose MACs are nearest. Both sides score the same 10,000 pictures, one
 * after the other; a figure is the median of the rounds, the ratio that of the pairs' ratios.
 *
 * bench_host [ROUNDS [ISA...]]: 3 rounds; int8 again with each instruction set that is named. */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "config/config.h"
#include "evaluator/accuracy.h"
#include "evaluator/host.h"
#include "evaluator/host_isa.h"
#include "tests/timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PICTURES = 10000, DRAWN = 4000, CALIBRATED = 256, MOST_ROUNDS = 50, CLASSES = 10 };

static const struct {
    int resolution;
    double macs;
} winners[] = {{32, 18.4e6}, {16, 2.0e6}};

/* ---- the networks ---- */

static int index_of(const Space *s, int resolution)
{
    int i = 0;
    while (s->resolution[i].h != resolution)
        i++;
    return i;
}

static int index_of_width(const Space *s, double width)
{
    int i = 0;
    while (s->width[i] != width)
        i++;
    return i;
}

static void draw_net(Net *net, int resolution, double macs)
{
    Space space;
    Rng rng = rng_make(1, 0);
    double nearest = 1e18;
    if (config_space(&space, "cifar") != 0)
        exit(1);
    for (int i = 0; i < DRAWN; i++) {
        Net drawn;
        Genotype g = genotype_sample(&space, index_of_width(&space, 0.75),
                                     index_of(&space, resolution), &rng);
        genotype_expand(&space, &g, CLASSES, &drawn);
        double apart = (double)net_macs(&drawn) - macs;
        apart = apart < 0 ? -apart : apart;
        if (apart < nearest) {
            nearest = apart;
            *net = drawn;
        }
    }
}

static Dataset draw_pictures(const Net *net)
{
    Rng rng = rng_make(2, 0);
    size_t bytes = (size_t)net->h * net->w * net->c;
    Dataset d = {.n = PICTURES, .h = net->h, .w = net->w, .c = net->c, .n_classes = CLASSES,
                 .zero = 120, .scale = 1.0F / 64};
    d.pixel = xmalloc(bytes * PICTURES);
    d.label = xmalloc(sizeof *d.label * PICTURES);
    for (size_t i = 0; i < bytes * PICTURES; i++)
        d.pixel[i] = (uint8_t)rng_below(&rng, 256);
    for (int i = 0; i < PICTURES; i++)
        d.label[i] = (uint16_t)rng_below(&rng, CLASSES);
    return d;
}

/* ---- both sides ---- */

typedef struct {
    Model model;
    QModel q;
    Dataset d;
    Workspace *ws[2];
    int index[PICTURES], threads;
} Bench;

static void bench_init(Bench *b, int which)
{
    Net net;
    Rng rng = rng_make(3, 0);
    float lo[NET_MAX_LAYERS], hi[NET_MAX_LAYERS];
    draw_net(&net, winners[which].resolution, winners[which].macs);
    b->d = draw_pictures(&net);
    for (int i = 0; i < PICTURES; i++)
        b->index[i] = i;
    for (int i = 0; i < 2; i++)
        b->ws[i] = workspace_new();
    model_init(&b->model, &net);
    model_randomise(&b->model, &rng);
    AccuracyProtocol p = {.train = &b->d, .valid = &b->d, .recalibrate = b->index, .batches = 1,
                          .batch = CALIBRATED, .score = b->index, .n_score = 1};
    accuracy_of(&b->model, b->ws[0], &p);
    accuracy_ranges(&b->model, b->ws[0], &b->d, b->index, CALIBRATED, lo, hi);
    if (qmodel_make(&b->q, &b->model, lo, hi, b->d.scale, b->d.zero - 128) != 0)
        exit(1);
}

static void bench_release(Bench *b)
{
    for (int i = 0; i < 2; i++)
        workspace_free(b->ws[i]);
    model_release(&b->model);
    qmodel_release(&b->q);
    free(b->d.pixel);
    free(b->d.label);
}

/* As candidates are scored: a network is one thread's, here each takes a share of the pictures. */
static void in_float(Bench *b)
{
    int share = PICTURES / b->threads;
#pragma omp parallel for num_threads(b->threads) schedule(static, 1)
    for (int i = 0; i < b->threads; i++) {
        AccuracyProtocol p = {.valid = &b->d, .score = b->index + i * share, .n_score = share};
        accuracy_of(&b->model, b->ws[i], &p);
    }
}

static void in_int8(Bench *b)
{
    HostScore score;
    PlanOptions plan = {.policy = POLICY_STREAM};
    if (host_accuracy(&b->q, &plan, &b->d, 0, b->threads, &score) != 0)
        exit(1);
}

/* ---- in pairs ---- */

static double rate(void (*work)(Bench *), Bench *b)
{
    double start = clock_seconds();
    work(b);
    return PICTURES / (clock_seconds() - start);
}

static void measure(Bench *b, int rounds, char **isa)
{
    double ours[MOST_ROUNDS], floats[MOST_ROUNDS], ratio[MOST_ROUNDS];
    for (int i = 0; i < rounds; i++) {
        ours[i] = rate(in_int8, b);
        floats[i] = rate(in_float, b);
        ratio[i] = ours[i] / floats[i];
    }
    printf("host int8 %.1fM threads %d int8 %.0f float %.0f ratio %.2f",
           1e-6 * (double)net_macs(&b->model.net), b->threads, median(ours, rounds),
           median(floats, rounds), median(ratio, rounds));
    for (; *isa; isa++) {
        setenv("THIMBLE_ISA", *isa, 1);
        printf(" %s %.0f", *isa, rate(in_int8, b));
        unsetenv("THIMBLE_ISA");
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 3;
    rounds = rounds < 1 ? 1 : rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds;
    if (getenv("OPENBLAS_CORETYPE") || !getenv("OMP_WAIT_POLICY")) {
        unsetenv("OPENBLAS_CORETYPE"); /* both are read when a library is loaded: start anew */
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv);
    }
    for (size_t i = 0; i < sizeof winners / sizeof *winners; i++) {
        Bench *b = xcalloc(1, sizeof *b);
        bench_init(b, (int)i);
        for (b->threads = 1; b->threads <= 2; b->threads++)
            measure(b, rounds, argv + (argc > 2 ? 2 : argc));
        bench_release(b);
        free(b);
    }
    return 0;
}
