#include "supernet/netaug.h"

#include "supernet/supernet.h"
#include "tests/suite.h"

#include <string.h>

static const NetAug netaug = {.width = 1.9, .expansion = 2.8, .share = 1};

/* With a stride, a residual, a first block without expansion, a head; widths of 4, 12, 20 that are
 * no multiples of 8. */
static Space example(void)
{
    Space s = {.name = "example", .in_c = 3, .divisor = 4, .n_widths = 1, .n_resolutions = 1,
               .n_stages = 2, .width = {1}, .resolution = {{12, 12}}, .head = 36};
    s.stem.channels = 12;
    s.stem.kernel = square(3);
    s.stem.stride = square(1);
    s.first_block.channels = 4;
    s.first_block.kernel = square(3);
    s.first_block.stride = square(1);
    for (int i = 0; i < 2; i++)
        s.stage[i] = (Stage){.channels = i ? 20 : 12, .stride = square(2), .kernel = {2, {3, 5}},
                             .expansion = {3, {1, 2, 3}}, .depth = {2, {1, 3}}};
    return s;
}

static Net random_net(Rng *rng)
{
    Space space = example();
    Net net;
    Genotype g = genotype_sample(&space, 0, 0, rng);
    genotype_expand(&space, &g, 5, &net);
    return net;
}

TEST(what_is_drawn_lies_between_the_network_and_the_widest)
{
    Rng rng = rng_make(1, 0);
    for (int n = 0; n < 100; n++) {
        Net net = random_net(&rng), widest, drawn;
        netaug_widest(&net, &netaug, &widest);
        netaug_draw(&net, &netaug, &rng, &drawn);
        ck_assert_msg(net_check(&widest) == 0 && net_check(&drawn) == 0, "%s", error_text());
        for (int i = 0; i < net.n_layers; i++) {
            const Layer *l = &net.layer[i], *d = &drawn.layer[i], *w = &widest.layer[i];
            ck_assert(l->out_c <= d->out_c && d->out_c <= w->out_c);
            ck_assert(l->in_c <= d->in_c && d->in_c <= w->in_c);
            ck_assert(d->op == l->op && d->kh == l->kh && d->sw == l->sw && d->out_h == l->out_h);
        }
        ck_assert_int_eq(net_output(&widest)->out_c, 5);
    }
}
END

TEST(the_widest_has_its_factors_to_the_next_multiple_of_8)
{
    Space space = example();
    Genotype g = genotype_largest(&space, 0, 0);
    Net net, wide;
    genotype_expand(&space, &g, 5, &net);
    netaug_widest(&net, &netaug, &wide);
    ck_assert_int_eq(wide.layer[0].out_c, 24); /* 12 * 1.9 = 22.8 */
    for (int i = 0; i < net.n_layers; i++) {
        const Layer *l = &net.layer[i];
        double factor = l->role == ROLE_EXPAND ? 1.9 * 2.8 : 1.9, wanted = l->out_c * factor;
        if (l->role == ROLE_EXPAND || l->role == ROLE_PROJECT)
            ck_assert_double_eq_tol(wide.layer[i].out_c, wanted, 4);
    }
}
END

TEST(all_widths_and_expansions_are_drawn_the_networks_own_among_them)
{
    Rng rng = rng_make(2, 0);
    Space space = example();
    Genotype g = genotype_largest(&space, 0, 0);
    Net net, drawn;
    int stems[4] = {0}, middles = 0, expand = 0;
    genotype_expand(&space, &g, 5, &net);
    while (net.layer[expand].role != ROLE_EXPAND)
        expand++;
    for (int n = 0; n < 400; n++) {
        netaug_draw(&net, &netaug, &rng, &drawn);
        int c = drawn.layer[0].out_c; /* 12 times 1, 1.3, 1.6, 1.9: 12, 16, 16, 24 */
        ck_assert(c == 12 || c == 16 || c == 24);
        stems[c / 8]++;
        middles += drawn.layer[expand].out_c == net.layer[expand].out_c;
    }
    ck_assert(stems[1] > 60 && stems[1] < 140 && stems[3] > 60 && stems[3] < 140);
    ck_assert(stems[2] > 140 && stems[2] < 260);
    ck_assert(middles > 10 && middles < 50); /* 1 of 16 */
}
END

TEST(without_factors_nothing_is_wider)
{
    Rng rng = rng_make(3, 0);
    NetAug one = {.width = 1, .expansion = 1, .share = 1}, none = {.width = 0};
    Net net = random_net(&rng), drawn;
    netaug_draw(&net, &one, &rng, &drawn);
    ck_assert(memcmp(&drawn, &net, sizeof net) == 0);
    ck_assert(!netaug_widens(&one) && !netaug_widens(&none) && netaug_widens(&netaug));
}
END

TEST(the_network_comes_out_of_the_wider_one_as_it_went_in)
{
    Rng rng = rng_make(4, 0);
    for (int n = 0; n < 20; n++) {
        Net net = random_net(&rng);
        Model m, wide, back;
        model_init(&m, &net);
        for (size_t i = 0; i < m.n_params; i++)
            m.params[i] = (float)rng_normal(&rng);
        netaug_widen(&m, &netaug, &rng, &wide);
        supernet_slice(&wide, &net, &back);
        ck_assert(wide.n_params > m.n_params);
        ck_assert(memcmp(back.params, m.params, sizeof(float) * m.n_params) == 0);
        model_release(&m);
        model_release(&wide);
        model_release(&back);
    }
}
END

SUITE(netaug, what_is_drawn_lies_between_the_network_and_the_widest,
      the_widest_has_its_factors_to_the_next_multiple_of_8,
      all_widths_and_expansions_are_drawn_the_networks_own_among_them,
      without_factors_nothing_is_wider, the_network_comes_out_of_the_wider_one_as_it_went_in)
