/* How well a supernet ranks networks: Kendall's tau between what twelve networks score with its
 * weights, as the search scores them, and their test accuracy when each is trained alone, with the
 * same recipe for as many steps. One line a recipe of the supernet, and one for MACs alone. Last,
 * what NetAug does for the smallest of the networks.
 *
 *     bench_ranking [FOLDER [EPOCHS [SEED]]]
 *
 * FOLDER holds class folders of pictures, CIFAR-10's for example; without it they are drawn. */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "evaluator/accuracy.h"
#include "supernet/predictor.h"
#include "supernet/train.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NETWORKS = 12, DRAWN = 2000, A_CLASS = 2400, SIDE = 16 };

typedef struct {
    Space space;
    Data data;
    int *fit, *valid, *test, n_fit, n_valid;
    Workspace *ws;
    TrainOptions o; /* of the supernet and of each network alone */
    Genotype genotype[NETWORKS]; /* MACs ascend */
    double macs[NETWORKS], alone[NETWORKS];
} Bench;

/* --- the task */

/* From the fewest MACs to the most a factor of ten: what is too small for the task is there. */
static Space small_space(void)
{
    Space s = {.name = "ranking", .in_c = 3, .divisor = 8, .n_widths = 1, .n_resolutions = 1,
               .n_stages = 3, .width = {1}, .resolution = {{SIDE, SIDE}}};
    s.stem.channels = 8;
    s.stem.kernel = square(3);
    s.stem.stride = square(1);
    for (int i = 0; i < 3; i++)
        s.stage[i] = (Stage){.channels = (uint16_t)(8 << i), .stride = square(2),
                             .kernel = {3, {3, 5, 7}}, .expansion = {3, {2, 4, 6}},
                             .depth = {3, {1, 2, 3}}};
    return s;
}

static int open_data(Bench *b, const char *folder)
{
    DataOptions d = {.format = folder ? DATA_IMAGES : DATA_SYNTHETIC, .seed = 1, .h = SIDE,
                     .w = SIDE, .c = 3, .limit = A_CLASS, .threads = omp_get_max_threads(),
                     .synthetic_train = 10 * A_CLASS, .synthetic_test = 4000,
                     .synthetic_classes = 10};
    if (folder)
        snprintf(d.path, sizeof d.path, "%s", folder);
    if (data_open(&b->data, &d) != 0)
        return -1;
    const Dataset *train_set = &b->data.train;
    b->fit = xcalloc((size_t)train_set->n, sizeof(int));
    b->valid = xcalloc((size_t)train_set->n, sizeof(int));
    b->test = xcalloc((size_t)b->data.test.n, sizeof(int));
    b->n_valid = dataset_split(train_set, 1.0 / 6, 2, b->fit, b->valid);
    b->n_fit = train_set->n - b->n_valid;
    Rng rng = rng_make(3, 0); /* the first ones recalibrate */
    rng_shuffle(&rng, b->fit, b->n_fit);
    for (int i = 0; i < b->data.test.n; i++)
        b->test[i] = i;
    return 0;
}

static double macs_of(const Bench *b, const Genotype *g)
{
    Net net;
    genotype_expand(&b->space, g, b->data.train.n_classes, &net);
    return (double)net_macs(&net);
}

/* Of many random networks those nearest to evenly spaced MACs, from the fewest to the most. */
static void choose_networks(Bench *b, uint64_t seed)
{
    static Genotype g[DRAWN];
    static double macs[DRAWN];
    double least = INFINITY, most = 0;
    Rng rng = rng_make(seed, 1);
    for (int i = 0; i < DRAWN; i++) {
        g[i] = genotype_sample(&b->space, 0, 0, &rng);
        macs[i] = macs_of(b, &g[i]);
        least = fmin(least, macs[i]);
        most = fmax(most, macs[i]);
    }
    for (int n = 0; n < NETWORKS; n++) {
        double wanted = least + (most - least) * n / (NETWORKS - 1);
        int best = 0;
        for (int i = 1; i < DRAWN; i++)
            if (fabs(macs[i] - wanted) < fabs(macs[best] - wanted))
                best = i;
        b->genotype[n] = g[best];
        b->macs[n] = macs[best];
        macs[best] = INFINITY; /* taken */
    }
}

/* --- training and scoring */

static TrainOptions recipe(int epochs, uint64_t seed)
{
    return (TrainOptions){.epochs = epochs, .batch = 64, .shards = 1, .subnets = 4, .rate = 0.1,
                          .warm_up = 1, .momentum = 0.9, .weight_decay = 1e-4,
                          .label_smoothing = 0.1, .augment = {.crop = 2, .flip = true},
                          .seed = seed, .threads = omp_get_max_threads()};
}

static void train_model(Bench *b, Model *m, const Supernet *s, const TrainOptions *o)
{
    TrainState t;
    train_state_init(&t, m, o, b->n_fit);
    train(&t, s, &b->data.train, b->fit, b->n_fit, o, NULL);
    train_state_release(&t);
}

static double test_accuracy(Bench *b, Model *m)
{
    AccuracyProtocol p = {.valid = &b->data.test, .score = b->test, .n_score = b->data.test.n};
    return accuracy_of(m, b->ws, &p).accuracy;
}

/* As the search does: norms recalibrated on training images, scored on those held out. */
static Accuracy score(Bench *b, Model *m)
{
    AccuracyProtocol p = {.train = &b->data.train, .valid = &b->data.train, .recalibrate = b->fit,
                          .batches = 6, .batch = 64, .score = b->valid, .n_score = b->n_valid};
    return accuracy_of(m, b->ws, &p);
}

/* Network i with its first weights. */
static void begin_alone(const Bench *b, int i, Model *m)
{
    Net net;
    Rng rng = rng_make(b->o.seed, 10 + (uint64_t)i);
    genotype_expand(&b->space, &b->genotype[i], b->data.train.n_classes, &net);
    model_init(m, &net);
    model_randomise(m, &rng);
}

static void train_alone(Bench *b)
{
    TrainOptions o = b->o;
    o.shards = 2; /* the work of two threads */
    for (int i = 0; i < NETWORKS; i++) {
        Model m;
        char text[GENOTYPE_TEXT];
        begin_alone(b, i, &m);
        train_model(b, &m, NULL, &o);
        b->alone[i] = test_accuracy(b, &m);
        genotype_text(&b->space, &b->genotype[i], text);
        printf("network %d macs %.0f alone %.4f %s\n", i, b->macs[i], b->alone[i], text);
        fflush(stdout);
        model_release(&m);
    }
}

/* The smallest network again, from the same weights, inside wider ones. */
static void train_netaug(Bench *b)
{
    Model m, wide;
    TrainState t;
    TrainOptions o = b->o;
    Rng rng = rng_make(o.seed, 3);
    o.shards = 2;
    o.netaug = (NetAug){.width = 1.6, .expansion = 2.2, .share = 1};
    begin_alone(b, 0, &m);
    netaug_widen(&m, &o.netaug, &rng, &wide);
    train_state_init(&t, &wide, &o, b->n_fit);
    train_inside(&t, &m.net, &b->data.train, b->fit, b->n_fit, &o, NULL);
    Net net = m.net;
    model_release(&m);
    supernet_slice(&wide, &net, &m);
    score(b, &m); /* for the norms */
    printf("netaug network 0 alone %.4f inside %.4f\n", b->alone[0], test_accuracy(b, &m));
    train_state_release(&t);
    model_release(&wide);
    model_release(&m);
}

/* --- ranking */

static double mean_of(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i];
    return sum / n;
}

/* `largest`: the weights every recipe begins with, trained and sorted. */
static void rank(Bench *b, const char *name, const Model *largest, TrainOptions o)
{
    Supernet s;
    double start = clock_seconds(), nearness[NETWORKS], accuracy[NETWORKS];
    supernet_init(&s, &b->space, 0, &(Choices){1, {0}}, b->data.train.n_classes);
    model_copy(&s.shared, largest);
    train_model(b, &s.shared, &s, &o);
    double seconds = clock_seconds() - start;
    printf("shared %s", name);
    for (int i = 0; i < NETWORKS; i++) {
        Model m;
        supernet_extract(&s, &b->genotype[i], &m);
        Accuracy a = score(b, &m);
        nearness[i] = -a.cross_entropy;
        accuracy[i] = a.accuracy;
        printf(" %.4f", accuracy[i]);
        model_release(&m);
    }
    printf("\nranking %s kendall-tau %.2f networks %d by-accuracy %.2f mean-accuracy %.4f "
           "mean-cross-entropy %.4f seconds %.0f\n",
           name, kendall_tau(nearness, b->alone, NETWORKS), NETWORKS,
           kendall_tau(accuracy, b->alone, NETWORKS), mean_of(accuracy, NETWORKS),
           -mean_of(nearness, NETWORKS), seconds);
    fflush(stdout);
    supernet_release(&s);
}

static void rank_recipes(Bench *b)
{
    Supernet s;
    TrainOptions o = b->o;
    Rng rng = rng_make(o.seed, 2);
    supernet_init(&s, &b->space, 0, &(Choices){1, {0}}, b->data.train.n_classes);
    model_randomise(&s.shared, &rng);
    o.epochs = (o.epochs + 1) / 2;
    o.shards = 2;
    train_model(b, &s.shared, NULL, &o);
    supernet_sort_channels(&s.shared);
    o = b->o;
    rank(b, "plain", &s.shared, o);
    o.sandwich = true;
    rank(b, "sandwich", &s.shared, o);
    o.distill = true;
    rank(b, "sandwich+distill", &s.shared, o);
    o = b->o;
    o.shrink = (Shrink){3, {SHRINK_KERNEL, SHRINK_DEPTH, SHRINK_EXPAND}};
    rank(b, "shrink", &s.shared, o);
    supernet_release(&s);
}

int main(int argc, char **argv)
{
    static Bench b;
    if (!getenv("OMP_WAIT_POLICY")) { /* read when the library is loaded: start anew */
        setenv("OMP_WAIT_POLICY", "passive", 1);
        execv("/proc/self/exe", argv);
    }
    int epochs = argc > 2 ? atoi(argv[2]) : 16;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    b.space = small_space();
    if (open_data(&b, argc > 1 ? argv[1] : NULL) != 0) {
        printf("bench_ranking: %s\n", error_text());
        return 1;
    }
    b.ws = workspace_new();
    b.o = recipe(epochs, seed);
    choose_networks(&b, seed);
    printf("task %s train %d validation %d test %d side %d epochs %d seed %llu\n",
           argc > 1 ? "folder" : "synthetic", b.n_fit, b.n_valid, b.data.test.n, SIDE, epochs,
           (unsigned long long)seed);
    train_alone(&b);
    printf("ranking macs kendall-tau %.2f networks %d\n",
           kendall_tau(b.macs, b.alone, NETWORKS), NETWORKS);
    rank_recipes(&b);
    train_netaug(&b);
    workspace_free(b.ws);
    data_release(&b.data);
    free(b.fit);
    free(b.valid);
    free(b.test);
    return 0;
}
