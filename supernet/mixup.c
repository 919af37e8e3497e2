#include "supernet/mixup.h"

#include "base/alloc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void mixup_targets(const Mix *m, const int *labels, double smoothing)
{
    for (int i = 0; i < m->n; i++)
        for (int j = 0; j < m->classes; j++)
            m->targets[i * m->classes + j] =
                (float)(smoothing / m->classes + (j == labels[i] ? 1 - smoothing : 0));
}

/* Joehnk 1964: two powers of uniform numbers, if their sum is no more than one. */
static double beta(double alpha, Rng *rng)
{
    for (;;) {
        double x = pow(rng_uniform(rng), 1 / alpha), y = pow(rng_uniform(rng), 1 / alpha);
        if (x + y > 0 && x + y <= 1)
            return x / (x + y);
    }
}

static void blend(float *a, const float *b, size_t n, float share)
{
    for (size_t i = 0; i < n; i++)
        a[i] += share * (b[i] - a[i]);
}

void mixup(const Mix *m, double alpha, Rng *rng)
{
    size_t classes = (size_t)m->classes;
    float *image = xmalloc((m->size + classes) * sizeof *image), *target = image + m->size;
    memcpy(image, m->images, m->size * sizeof *image);
    memcpy(target, m->targets, classes * sizeof *target);
    for (int i = 0; i < m->n; i++) {
        double share = beta(alpha, rng);
        bool last = i == m->n - 1;
        float least = (float)fmin(share, 1 - share);
        float *a = m->images + (size_t)i * m->size, *t = m->targets + (size_t)i * classes;
        blend(a, last ? image : a + m->size, m->size, least);
        blend(t, last ? target : t + classes, classes, least);
    }
    free(image);
}
