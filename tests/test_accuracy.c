#include "evaluator/accuracy.h"

#include "base/alloc.h"

#include "tests/mcunet_space.h"
#include "tests/suite.h"

#include <math.h>

enum { IMAGES = 500, CLASSES = 10 };

typedef struct {
    Dataset d;
    Model m;
    Workspace *ws;
    int index[IMAGES];
    float loss[IMAGES], bar[IMAGES];
    AccuracyProtocol p;
} Case;

/* A network with random weights on random pictures. */
static void case_init(Case *c, Score by)
{
    Space space = mcunet_space();
    Genotype g = genotype_smallest(&space, 0, 0);
    Net net;
    Rng rng = rng_make(1, 0);
    genotype_expand(&space, &g, CLASSES, &net);
    model_init(&c->m, &net);
    model_randomise(&c->m, &rng);
    size_t bytes = (size_t)IMAGES * net.h * net.w * net.c;
    c->d = (Dataset){.n = IMAGES, .h = net.h, .w = net.w, .c = net.c, .n_classes = CLASSES,
                     .zero = 128, .scale = 1.0F / 64};
    c->d.pixel = xmalloc(bytes);
    c->d.label = xmalloc(sizeof *c->d.label * IMAGES);
    for (size_t i = 0; i < bytes; i++)
        c->d.pixel[i] = (uint8_t)rng_below(&rng, 256);
    for (int i = 0; i < IMAGES; i++) {
        c->d.label[i] = (uint16_t)rng_below(&rng, CLASSES);
        c->index[i] = i;
    }
    c->ws = workspace_new();
    c->p = (AccuracyProtocol){.train = &c->d, .valid = &c->d, .recalibrate = c->index, .batches = 1,
                              .batch = 32, .score = c->index, .n_score = IMAGES, .by = by,
                              .loss = c->loss, .sure = 3};
    accuracy_of(&c->m, c->ws, &c->p);
    c->p.batches = 0; /* again it would move the last bits */
}

static void case_release(Case *c)
{
    workspace_free(c->ws);
    model_release(&c->m);
    free(c->d.pixel);
    free(c->d.label);
}

static double mean(const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i];
    return sum / n;
}

TEST(the_losses_of_the_images_are_what_the_means_are_of)
{
    static Case c;
    for (int by = 0; by < N_SCORES; by++) {
        case_init(&c, (Score)by);
        Accuracy a = accuracy_of(&c.m, c.ws, &c.p);
        ck_assert_int_eq(a.n, IMAGES);
        ck_assert_double_eq_tol(a.loss, mean(c.loss, IMAGES), 1e-5);
        double worth = by == SCORE_ACCURACY ? a.accuracy : exp(-a.cross_entropy);
        ck_assert_double_eq_tol(accuracy_worth(&a, (Score)by), worth, 1e-12);
        ck_assert_double_gt(a.cross_entropy, 1); /* it guesses */
        case_release(&c);
    }
}
END

TEST(who_is_as_good_as_the_bar_or_better_is_scored_on_all_images)
{
    static Case c;
    for (int by = 0; by < N_SCORES; by++) {
        case_init(&c, (Score)by);
        Accuracy alone = accuracy_of(&c.m, c.ws, &c.p);
        for (int better = 0; better < 2; better++) {
            for (int i = 0; i < IMAGES; i++)
                c.bar[i] = c.loss[i] + (float)better; /* of the bar, of the last turn */
            c.p.bar = c.bar;
            Accuracy a = accuracy_of(&c.m, c.ws, &c.p);
            ck_assert_int_eq(a.n, IMAGES);
            ck_assert_double_eq(a.loss, alone.loss);
            ck_assert_double_eq(a.accuracy, alone.accuracy);
        }
        case_release(&c);
    }
}
END

/* The bar is a little better on every image, by more on every third one: the difference varies
 * much less than the losses do. */
TEST(who_is_worse_stops_early_and_ranks_below_the_bar_by_the_mean_difference_so_far)
{
    static Case c;
    case_init(&c, SCORE_CROSS_ENTROPY);
    double alone = accuracy_of(&c.m, c.ws, &c.p).loss;
    for (int i = 0; i < IMAGES; i++)
        c.bar[i] = c.loss[i] - (i % 3 == 0 ? 0.08F : 0.03F);
    c.p.bar = c.bar;
    Accuracy a = accuracy_of(&c.m, c.ws, &c.p);
    ck_assert_int_lt(a.n, IMAGES);
    double apart = mean(c.loss, a.n) - mean(c.bar, a.n);
    ck_assert_double_eq_tol(a.loss, mean(c.bar, IMAGES) + apart, 1e-5);
    ck_assert_double_gt(a.loss, mean(c.bar, IMAGES));
    ck_assert_double_eq_tol(a.loss, alone, 0.01);
    case_release(&c);
}
END

/* Apart by 0.05 on the mean, but by 10 on one image of twenty and by -0.47 on the others. */
TEST(who_may_still_come_out_ahead_is_not_stopped)
{
    static Case c;
    case_init(&c, SCORE_CROSS_ENTROPY);
    accuracy_of(&c.m, c.ws, &c.p);
    for (int i = 0; i < IMAGES; i++)
        c.bar[i] = c.loss[i] - (i % 20 == 0 ? 10.0F : -0.47F);
    c.p.bar = c.bar;
    ck_assert_int_eq(accuracy_of(&c.m, c.ws, &c.p).n, IMAGES);
    c.p.sure = 0; /* whoever is behind stops */
    ck_assert_int_lt(accuracy_of(&c.m, c.ws, &c.p).n, IMAGES);
    case_release(&c);
}
END

SUITE(accuracy, the_losses_of_the_images_are_what_the_means_are_of,
      who_is_as_good_as_the_bar_or_better_is_scored_on_all_images,
      who_is_worse_stops_early_and_ranks_below_the_bar_by_the_mean_difference_so_far,
      who_may_still_come_out_ahead_is_not_stopped)
