#include "network/genotype.h"

#include "tests/suite.h"

#include <string.h>

static Space example(void)
{
    Space s = {.name = "example", .in_c = 3, .divisor = 8, .n_widths = 2, .n_resolutions = 2,
               .n_stages = 3, .width = {0.5, 1.0}, .resolution = {{32, 32}, {64, 48}}, .head = 0};
    s.stem.channels = 32;
    s.stem.kernel = square(3);
    s.stem.stride = square(2);
    s.first_block.channels = 16;
    s.first_block.kernel = square(3);
    s.first_block.stride = square(1);
    uint16_t channels[] = {24, 40, 80};
    for (int i = 0; i < 3; i++)
        s.stage[i] = (Stage){.channels = channels[i], .stride = square(i == 2 ? 1 : 2),
                             .kernel = {3, {3, 5, 7}}, .expansion = {3, {3, 4, 6}},
                             .depth = {3, {1, 2, 3}}};
    return s;
}

static const Choices fixed = {1, {1}}, several = {2, {0, 1}};

TEST(a_sample_is_in_its_space_and_its_text_names_it)
{
    Space s = example();
    ck_assert_msg(space_check(&s) == 0, "%s", error_text());
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 1000; i++) {
        Genotype g = genotype_sample(&s, i % 2, i / 2 % 2, &rng), back;
        char text[GENOTYPE_TEXT];
        genotype_text(&s, &g, text);
        ck_assert(genotype_in_space(&s, &g));
        ck_assert_msg(genotype_parse(&s, text, &back) == 0, "%s", error_text());
        ck_assert(genotype_equal(&g, &back));
        ck_assert_uint_eq(genotype_hash(&g), genotype_hash(&back));
    }
}
END

TEST(children_are_in_the_space_and_have_their_parents_genes)
{
    Space s = example();
    Rng rng = rng_make(2, 0);
    for (int i = 0; i < 1000; i++) {
        Genotype a = genotype_sample(&s, 0, 1, &rng), b = genotype_sample(&s, 0, 1, &rng);
        Genotype child = genotype_cross(&s, &a, &b, &rng), same = genotype_cross(&s, &a, &a, &rng);
        Genotype mutant = genotype_mutate(&s, &fixed, &a, 0.1, &rng), still = genotype_mutate(&s, &fixed, &a, 0, &rng);
        ck_assert(genotype_in_space(&s, &child));
        ck_assert(genotype_in_space(&s, &mutant));
        ck_assert(genotype_equal(&same, &a));
        ck_assert(genotype_equal(&still, &a));
        for (int t = 0; t < s.n_stages; t++)
            for (int d = 0; d < child.depth[t]; d++)
                ck_assert(child.kernel[t][d] == a.kernel[t][d] || child.kernel[t][d] == b.kernel[t][d]);
    }
}
END

TEST(a_tenth_of_the_genes_is_drawn_again)
{
    Space s = example();
    Rng rng = rng_make(3, 0);
    int changed = 0, genes = 0;
    for (int i = 0; i < 4000; i++) {
        Genotype a = genotype_largest(&s, 0, 0), m = genotype_mutate(&s, &fixed, &a, 0.1, &rng);
        ck_assert_int_eq(m.resolution, 0);
        for (int t = 0; t < s.n_stages; t++)
            for (int d = 0; d < m.depth[t]; d++, genes++)
                changed += m.kernel[t][d] != a.kernel[t][d];
    }
    double share = (double)changed / genes; /* 0.1 drawn, 2 of 3 draws differ */
    ck_assert_double_eq_tol(share, 0.1 * 2 / 3, 0.005);
}
END

TEST(where_there_are_several_the_resolution_is_a_gene_like_the_others)
{
    Space s = example();
    Rng rng = rng_make(4, 0);
    int changed = 0, from_b = 0;
    for (int i = 0; i < 4000; i++) {
        Genotype a = genotype_sample(&s, 0, 0, &rng), b = genotype_sample(&s, 0, 1, &rng);
        Genotype m = genotype_mutate(&s, &several, &a, 0.3, &rng);
        Genotype still = genotype_mutate(&s, &several, &a, 0, &rng);
        Genotype child = genotype_cross(&s, &a, &b, &rng);
        ck_assert(genotype_in_space(&s, &m) && genotype_in_space(&s, &child));
        ck_assert(genotype_equal(&still, &a));
        ck_assert_int_eq(m.width, 0);
        changed += m.resolution != a.resolution;
        from_b += child.resolution == b.resolution;
    }
    ck_assert_double_eq_tol(changed / 4000.0, 0.3 / 2, 0.02); /* half of the draws differ */
    ck_assert_double_eq_tol(from_b / 4000.0, 0.5, 0.03);
}
END

/* What a run without the gene has always drawn. */
TEST(of_one_resolution_no_draw_is_made)
{
    Space s = example();
    Rng one = rng_make(5, 0), two = one;
    Genotype a = genotype_largest(&s, 0, 1), b = genotype_smallest(&s, 0, 1);
    Genotype same = genotype_mutate(&s, &fixed, &a, 0, &one);
    for (int genes = 0; genes < 3 * (1 + 2 * 3); genes++) /* a number for each of 3 stages' genes */
        rng_next(&two);
    ck_assert(genotype_equal(&same, &a));
    ck_assert_uint_eq(rng_next(&one), rng_next(&two));
    genotype_cross(&s, &a, &b, &one);
    ck_assert_int_eq(genotype_cross(&s, &b, &a, &one).resolution, 1);
}
END

TEST(resolutions_near_another_are_nearest_in_pixels_and_fewest_first)
{
    Space s = {.n_resolutions = 6,
               .resolution = {{64, 64}, {16, 16}, {48, 12}, {32, 32}, {28, 28}, {20, 20}}};
    static const struct {
        int resolution, n;
        unsigned open;
        Choices near;
    } wanted[] = {{3, 1, ~0U, {1, {3}}},
                  {3, 2, ~0U, {2, {4, 3}}},
                  {3, 3, ~0U, {3, {2, 4, 3}}}, /* 576 of 1,024 pixels are nearer than 400 */
                  {3, 3, 1 | 1 << 3 | 1 << 5, {3, {5, 3, 0}}},
                  {0, 3, ~0U, {3, {4, 3, 0}}},
                  {1, 2, 1 << 1, {1, {1}}}, /* no other is open */
                  {4, 8, ~0U, {6, {1, 5, 2, 4, 3, 0}}}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        Choices near = space_near(&s, wanted[i].resolution, wanted[i].n, wanted[i].open);
        ck_assert_msg(memcmp(&near, &wanted[i].near, sizeof near) == 0, "case %zu", i);
    }
}
END

TEST(a_wrong_text_is_refused_and_says_where)
{
    Space s = example();
    Genotype g;
    const char *wrong[] = {"", "w0.5", "w0.7-r32x32/k3e3/k3e3/k3e3", "w0.5-r32x32/k4e3/k3e3/k3e3",
                           "w0.5-r32x32/k3e3/k3e3", "w0.5-r32x32/k3e3/k3e3/k3e3/k3e3",
                           "w0.5-r32x32/k3e3,k3e3,k3e3,k3e3/k3e3/k3e3", "w0.5-r32x32k3e3",
                           "w0.5-r32x32/k3e3/k3e3/k3e3 ", "w0.5-r32x32,k3e3/k3e3/k3e3"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(genotype_parse(&s, wrong[i], &g) == -1, "%s", wrong[i]);
        ck_assert_str_ne(error_text(), "");
    }
}
END

TEST(the_expanded_network_has_the_genotypes_shapes)
{
    Space s = example();
    Genotype g;
    Net net;
    ck_assert(genotype_parse(&s, "w0.5-r64x48/k5e3,k3e4/k7e6/k3e3", &g) == 0);
    genotype_expand(&s, &g, 7, &net);
    ck_assert_msg(net_check(&net) == 0, "%s", error_text());
    /* stem 16, first block 8 (2 layers), 3, 4 with the add, 3, 3, pool, dense */
    ck_assert_int_eq(net.n_layers, 1 + 2 + 3 + 4 + 3 + 3 + 2);
    const Layer *dw = &net.layer[4], *add = &net.layer[9];
    ck_assert_int_eq(dw->op, OP_DEPTHWISE);
    ck_assert_int_eq(dw->kh, 5);
    ck_assert_int_eq(dw->in_c, 24); /* 8 * 3 */
    ck_assert_int_eq(dw->in_h, 32);
    ck_assert_int_eq(dw->out_h, 16);
    ck_assert_int_eq(dw->out_w, 12);
    ck_assert_int_eq(add->op, OP_ADD);
    ck_assert_int_eq(add->input2, 5);
    ck_assert_int_eq(add->stage, 1);
    ck_assert_int_eq(add->block, 1);
    ck_assert_int_eq(net_output(&net)->out_c, 7);
    ck_assert_int_eq(net_last_reader(&net, 5), 9);
}
END

SUITE(genotype, a_sample_is_in_its_space_and_its_text_names_it,
      children_are_in_the_space_and_have_their_parents_genes, a_tenth_of_the_genes_is_drawn_again,
      where_there_are_several_the_resolution_is_a_gene_like_the_others,
      of_one_resolution_no_draw_is_made,
      resolutions_near_another_are_nearest_in_pixels_and_fewest_first,
      a_wrong_text_is_refused_and_says_where, the_expanded_network_has_the_genotypes_shapes)
