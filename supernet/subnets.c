#include "supernet/subnets.h"

#include <assert.h>

bool shrink_is_order(const Shrink *shrink)
{
    unsigned named = 0;
    for (int i = 0; i < shrink->n; i++)
        named |= 1u << shrink->gene[i];
    return shrink->n == 0 || (shrink->n == N_SHRINK_GENES && named == (1u << N_SHRINK_GENES) - 1);
}

static int64_t opening(const Shrink *shrink, int place, int64_t steps)
{
    return steps * place / shrink->n;
}

static Choices *choices_of(Stage *stage, ShrinkGene gene)
{
    switch (gene) {
    case SHRINK_KERNEL:
        return &stage->kernel;
    case SHRINK_DEPTH:
        return &stage->depth;
    case SHRINK_EXPAND:
        return &stage->expansion;
    case N_SHRINK_GENES:
        break;
    }
    assert(!"a gene");
    return NULL;
}

static void keep_largest(Space *space, ShrinkGene gene)
{
    for (int s = 0; s < space->n_stages; s++) {
        Choices *c = choices_of(&space->stage[s], gene);
        *c = (Choices){1, {c->value[c->n - 1]}};
    }
}

Space shrink_open(const Space *space, const Shrink *shrink, int64_t step, int64_t steps)
{
    Space open = *space;
    for (int i = 0; i < shrink->n; i++)
        if (step < opening(shrink, i, steps))
            keep_largest(&open, (ShrinkGene)shrink->gene[i]);
    return open;
}

bool shrink_opens(const Shrink *shrink, ShrinkGene gene, int64_t step, int64_t steps)
{
    for (int i = 1; i < shrink->n; i++)
        if (shrink->gene[i] == (int)gene && step == opening(shrink, i, steps))
            return true;
    return false;
}

void subnets_draw(const Supernet *s, const Space *open, int resolution, bool sandwich, Rng *rng,
                  Net *net, int n)
{
    assert(n > 1 || !sandwich);
    for (int i = 0; i < n; i++) {
        Genotype g = genotype_sample(open, s->width, resolution, rng);
        if (sandwich && i == 0)
            g = genotype_largest(open, s->width, resolution);
        if (sandwich && i == n - 1)
            g = genotype_smallest(open, s->width, resolution);
        genotype_expand(open, &g, s->n_classes, &net[i]);
    }
}
