#include "supernet/subnets.h"

#include "tests/suite.h"

#include <string.h>

enum { CLASSES = 4, STEPS = 31 };

static Space example(void)
{
    Space s = {.name = "example", .in_c = 3, .divisor = 8, .n_widths = 1, .n_resolutions = 1,
               .n_stages = 2, .width = {1}, .resolution = {{16, 16}}};
    s.stem.channels = 8;
    s.stem.kernel = square(3);
    s.stem.stride = square(2);
    for (int i = 0; i < 2; i++)
        s.stage[i] = (Stage){.channels = 16, .stride = square(2), .kernel = {3, {3, 5, 7}},
                             .expansion = {2, {2, 3}}, .depth = {3, {1, 2, 3}}};
    return s;
}

static const Shrink in_order = {3, {SHRINK_KERNEL, SHRINK_DEPTH, SHRINK_EXPAND}};

static Net net_of(const Space *space, const Genotype *g)
{
    Net net;
    memset(&net, 0, sizeof net);
    genotype_expand(space, g, CLASSES, &net);
    return net;
}

static void draw(const Supernet *s, bool sandwich, uint64_t seed, Net *net, int n)
{
    Rng rng = rng_make(seed, 0);
    memset(net, 0, sizeof *net * (size_t)n);
    subnets_draw(s, &s->space, 0, sandwich, &rng, net, n);
}

TEST(random_subnets_are_those_of_the_space)
{
    Space space = example();
    Supernet s;
    Net net[3];
    supernet_init(&s, &space, 0, &(Choices){1, {0}}, CLASSES);
    for (uint64_t seed = 0; seed < 50; seed++) {
        Rng rng = rng_make(seed, 0);
        draw(&s, false, seed, net, 3);
        for (int i = 0; i < 3; i++) {
            Genotype g = genotype_sample(&space, 0, 0, &rng);
            Net wanted = net_of(&space, &g);
            ck_assert(memcmp(&net[i], &wanted, sizeof wanted) == 0);
        }
    }
    supernet_release(&s);
}
END

TEST(a_sandwich_begins_with_the_largest_and_ends_with_the_smallest)
{
    Space space = example();
    Supernet s;
    Net net[4];
    supernet_init(&s, &space, 0, &(Choices){1, {0}}, CLASSES);
    Genotype most = genotype_largest(&space, 0, 0), least = genotype_smallest(&space, 0, 0);
    Net largest = net_of(&space, &most), smallest = net_of(&space, &least);
    for (int n = 2; n <= 4; n++) {
        draw(&s, true, 1, net, n);
        ck_assert(memcmp(&net[0], &largest, sizeof largest) == 0);
        ck_assert(memcmp(&net[n - 1], &smallest, sizeof smallest) == 0);
        for (int i = 1; i < n - 1; i++)
            ck_assert(net_macs(&net[i]) < net_macs(&largest) &&
                      net_macs(&net[i]) > net_macs(&smallest));
    }
    supernet_release(&s);
}
END

TEST(choices_open_one_gene_after_the_other_in_equal_parts)
{
    Space space = example();
    for (int64_t step = 0; step < STEPS; step++) {
        Space open = shrink_open(&space, &in_order, step, STEPS);
        for (int s = 0; s < space.n_stages; s++) {
            const Stage *stage = &open.stage[s];
            ck_assert_int_eq(stage->kernel.n, 3);
            ck_assert_int_eq(stage->depth.n, step < 10 ? 1 : 3);
            ck_assert_int_eq(stage->expansion.n, step < 20 ? 1 : 2);
            ck_assert_int_eq(stage->depth.value[stage->depth.n - 1], 3);
            ck_assert_int_eq(stage->expansion.value[stage->expansion.n - 1], 3);
        }
    }
}
END

TEST(what_is_open_lies_in_the_space_and_is_all_of_it_at_the_end)
{
    Space space = example();
    Rng rng = rng_make(3, 0);
    for (int64_t step = 0; step < STEPS; step++) {
        Space open = shrink_open(&space, &in_order, step, STEPS);
        Genotype g = genotype_sample(&open, 0, 0, &rng), most = genotype_largest(&open, 0, 0);
        Genotype largest = genotype_largest(&space, 0, 0);
        ck_assert(genotype_in_space(&space, &g));
        ck_assert(genotype_equal(&most, &largest));
        if (step >= 20) {
            Genotype least = genotype_smallest(&open, 0, 0);
            Genotype smallest = genotype_smallest(&space, 0, 0);
            ck_assert(genotype_equal(&least, &smallest));
        }
    }
}
END

TEST(without_an_order_everything_is_open_from_the_start)
{
    Space space = example();
    Shrink none = {.n = 0};
    Space open = shrink_open(&space, &none, 0, STEPS);
    ck_assert(memcmp(&open, &space, sizeof space) == 0);
    for (int64_t step = 0; step < STEPS; step++)
        ck_assert(!shrink_opens(&none, SHRINK_EXPAND, step, STEPS));
}
END

TEST(a_gene_opens_once_and_the_first_has_nothing_before_it)
{
    int opened[N_SHRINK_GENES] = {0};
    for (int64_t step = 0; step < STEPS; step++)
        for (int gene = 0; gene < N_SHRINK_GENES; gene++)
            opened[gene] += shrink_opens(&in_order, (ShrinkGene)gene, step, STEPS);
    ck_assert_int_eq(opened[SHRINK_KERNEL], 0);
    ck_assert_int_eq(opened[SHRINK_DEPTH], 1);
    ck_assert_int_eq(opened[SHRINK_EXPAND], 1);
    ck_assert(shrink_opens(&in_order, SHRINK_EXPAND, 20, STEPS));
}
END

TEST(an_order_names_every_gene_once_or_none)
{
    Shrink none = {.n = 0}, two = {2, {SHRINK_KERNEL, SHRINK_DEPTH}},
           twice = {3, {SHRINK_KERNEL, SHRINK_DEPTH, SHRINK_KERNEL}};
    ck_assert(shrink_is_order(&none));
    ck_assert(shrink_is_order(&in_order));
    ck_assert(!shrink_is_order(&two));
    ck_assert(!shrink_is_order(&twice));
}
END

SUITE(subnets, random_subnets_are_those_of_the_space,
      a_sandwich_begins_with_the_largest_and_ends_with_the_smallest,
      choices_open_one_gene_after_the_other_in_equal_parts,
      what_is_open_lies_in_the_space_and_is_all_of_it_at_the_end,
      without_an_order_everything_is_open_from_the_start,
      a_gene_opens_once_and_the_first_has_nothing_before_it,
      an_order_names_every_gene_once_or_none)
