#include "supernet/mixup.h"

#include "tests/suite.h"

#include <math.h>
#include <string.h>

enum { N = 8, SIZE = 5, CLASSES = 3 };

typedef struct {
    float images[N * SIZE], targets[N * CLASSES], old_images[N * SIZE], old_targets[N * CLASSES];
} Batch;

static Mix prepare(Batch *b)
{
    int labels[N];
    for (int i = 0; i < N; i++)
        labels[i] = i % CLASSES;
    for (int i = 0; i < N * SIZE; i++)
        b->images[i] = (float)(i * i % 17);
    Mix m = {b->images, b->targets, N, CLASSES, SIZE};
    mixup_targets(&m, labels, 0.3);
    memcpy(b->old_images, b->images, sizeof b->images);
    memcpy(b->old_targets, b->targets, sizeof b->targets);
    return m;
}

TEST(targets_are_smoothed_labels)
{
    Batch b;
    prepare(&b);
    for (int i = 0; i < N * CLASSES; i++)
        ck_assert_float_eq_tol(b.targets[i], i / CLASSES % CLASSES == i % CLASSES ? 0.8f : 0.1f, 1e-6f);
}
END

TEST(a_picture_and_its_targets_take_in_the_same_share_of_the_next)
{
    for (int round = 0; round < 50; round++) {
        Batch b;
        Mix m = prepare(&b);
        Rng rng = rng_make(1, (uint64_t)round);
        mixup(&m, 1, &rng);
        for (int i = 0; i < N; i++) {
            int next = (i + 1) % N, at = i * CLASSES + i % CLASSES; /* of its own class */
            float share = (b.targets[at] - b.old_targets[at]) /
                          (b.old_targets[next * CLASSES + i % CLASSES] - b.old_targets[at]);
            if (next % CLASSES == i % CLASSES)
                continue; /* equal targets do not tell the share */
            ck_assert(share >= 0 && share <= 0.5f + 1e-5f);
            for (int j = 0; j < SIZE; j++) {
                float own = b.old_images[i * SIZE + j], other = b.old_images[next * SIZE + j];
                ck_assert_float_eq_tol(b.images[i * SIZE + j], own + share * (other - own), 1e-4f);
            }
        }
    }
}
END

/* A beta distribution of equal shapes varies by 1 / (4 (2 alpha + 1)) around a half. */
TEST(shares_are_of_the_beta_distribution)
{
    const double alphas[] = {0.2, 0.5, 1};
    for (int k = 0; k < 3; k++) {
        double sum = 0;
        int n = 0;
        for (int round = 0; round < 4000; round++) {
            float images[2] = {0, 1}, targets[2] = {0, 1};
            Mix m = {images, targets, 2, 1, 1};
            Rng rng = rng_make(2, (uint64_t)(round * 3 + k));
            mixup(&m, alphas[k], &rng);
            ck_assert(images[0] >= 0 && images[0] <= 0.5f && images[1] >= 0.5f && images[1] <= 1);
            sum += pow((double)images[0] - 0.5, 2) + pow((double)images[1] - 0.5, 2);
            n += 2;
        }
        ck_assert_double_eq_tol(sum / n, 1 / (4 * (2 * alphas[k] + 1)), 0.005);
    }
}
END

SUITE(mixup, targets_are_smoothed_labels,
      a_picture_and_its_targets_take_in_the_same_share_of_the_next,
      shares_are_of_the_beta_distribution)
