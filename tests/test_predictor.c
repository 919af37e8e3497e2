#include "supernet/predictor.h"

#include "tests/mcunet_space.h"
#include "tests/suite.h"

#include <math.h>

enum { N = 150, NEW = 60 };

/* More of everything is better, by less and less, the first stages by the most. */
static double worth_of(const Space *s, const Genotype *g)
{
    double worth = 0;
    for (int i = 0; i < s->n_stages; i++)
        for (int b = 0; b < g->depth[i]; b++)
            worth += (sqrt(g->kernel[i][b]) + sqrt(g->expansion[i][b])) / (1 + i);
    return 0.5 + 0.01 * worth;
}

static void draw_known(const Space *s, uint64_t stream, Known *known, int n)
{
    Rng rng = rng_make(9, stream);
    for (int i = 0; i < n; i++) {
        known[i].genotype = genotype_sample(s, 1, 2, &rng);
        known[i].worth = worth_of(s, &known[i].genotype);
    }
}

TEST(it_ranks_networks_it_has_not_seen_and_knows_how_well)
{
    static Known known[N], other[NEW];
    Space space = mcunet_space();
    Predictor p;
    double guess[NEW], worth[NEW], off = 0;
    draw_known(&space, 0, known, N);
    draw_known(&space, 1, other, NEW);
    predictor_init(&p, &space, known, N, 5);
    for (int i = 0; i < NEW; i++) {
        guess[i] = predictor_ask(&p, &other[i].genotype);
        worth[i] = other[i].worth;
        off += fabs(guess[i] - worth[i]) / NEW;
    }
    double tau = kendall_tau(guess, worth, NEW);
    ck_assert_double_gt(tau, 0.6);
    ck_assert_double_lt(off, p.deviation); /* in the worths' own unit */
    ck_assert_double_eq_tol(predictor_tau(&space, known, N, 5), tau, 0.3);
    predictor_release(&p);
}
END

TEST(the_same_networks_and_seed_give_the_same_guesses)
{
    static Known known[N];
    Space space = mcunet_space();
    double guess[3];
    draw_known(&space, 0, known, N);
    for (int i = 0; i < 3; i++) {
        Predictor p;
        predictor_init(&p, &space, known, 40, i < 2 ? 5 : 6);
        guess[i] = predictor_ask(&p, &known[N - 1].genotype);
        predictor_release(&p);
    }
    ck_assert_double_eq(guess[0], guess[1]);
    ck_assert_double_ne(guess[0], guess[2]);
}
END

TEST(networks_of_equal_worth_are_all_guessed_alike)
{
    static Known known[N];
    Space space = mcunet_space();
    Predictor p;
    draw_known(&space, 0, known, N);
    for (int i = 0; i < N; i++)
        known[i].worth = 0.25;
    predictor_init(&p, &space, known, N, 5);
    ck_assert_double_eq_tol(predictor_ask(&p, &known[3].genotype), 0.25, 0.2);
    predictor_release(&p);
}
END

TEST(kendalls_tau_counts_pairs)
{
    double up[] = {1, 2, 3, 4}, down[] = {4, 3, 2, 1};
    double swapped[] = {1, 3, 2, 4}, tie[] = {1, 1, 2, 3};
    ck_assert_double_eq(kendall_tau(up, up, 4), 1);
    ck_assert_double_eq(kendall_tau(up, down, 4), -1);
    ck_assert_double_eq_tol(kendall_tau(up, swapped, 4), 4.0 / 6, 1e-12);
    ck_assert_double_eq_tol(kendall_tau(up, tie, 4), 5.0 / 6, 1e-12);
    ck_assert_double_eq(kendall_tau(up, up, 1), 0);
}
END

SUITE(predictor, it_ranks_networks_it_has_not_seen_and_knows_how_well,
      the_same_networks_and_seed_give_the_same_guesses,
      networks_of_equal_worth_are_all_guessed_alike, kendalls_tau_counts_pairs)
