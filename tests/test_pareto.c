#include "search/pareto.h"

#include "base/rng.h"
#include "tests/suite.h"

#include <math.h>

/* Few different values, so that there are ties of every kind. */
static void random_candidates(Candidate *c, int n, int values, Rng *rng)
{
    for (int i = 0; i < n; i++) {
        uint32_t v[5];
        for (int k = 0; k < 5; k++)
            v[k] = rng_below(rng, (uint32_t)values);
        c[i] = (Candidate){.number = i, .fitness = v[0]};
        c[i].cost = (Cost){.sram = v[1], .flash = v[2], .macs = v[3], .latency = v[4]};
    }
}

static bool nowhere_worse(const Candidate *a, const Candidate *b, unsigned costs)
{
    return a->fitness >= b->fitness &&
           (!(costs & PARETO_SRAM) || a->cost.sram <= b->cost.sram) &&
           (!(costs & PARETO_FLASH) || a->cost.flash <= b->cost.flash) &&
           (!(costs & PARETO_MACS) || a->cost.macs <= b->cost.macs) &&
           (!(costs & PARETO_LATENCY) || a->cost.latency <= b->cost.latency);
}

static bool in_slow_front(const Candidate *c, int n, int i, unsigned costs)
{
    for (int j = 0; j < n; j++)
        if (j != i && nowhere_worse(&c[j], &c[i], costs) &&
            (!nowhere_worse(&c[i], &c[j], costs) || c[j].number < c[i].number))
            return false;
    return true;
}

TEST(the_front_is_what_the_definition_says)
{
    enum { N = 60 };
    Candidate c[N];
    int front[N];
    Rng rng = rng_make(1, 0);
    for (int round = 0; round < 600; round++) {
        unsigned costs = (unsigned)round % (PARETO_ALL + 1);
        int n = round % N + 1, expected = 0, values = 2 + round % 50;
        bool member[N] = {false};
        random_candidates(c, n, values, &rng);
        int kept = pareto_front(c, n, costs, front);
        for (int k = 0; k < kept; k++) {
            ck_assert(!member[front[k]]);
            member[front[k]] = true;
            if (k > 0)
                ck_assert_double_ge(c[front[k - 1]].fitness, c[front[k]].fitness);
        }
        for (int i = 0; i < n; i++) {
            bool right = in_slow_front(c, n, i, costs);
            ck_assert_int_eq(member[i], right);
            expected += right;
        }
        ck_assert_int_eq(kept, expected);
    }
}
END

TEST(one_objective_has_one_best_and_no_number_never_wins)
{
    Candidate c[4] = {{.number = 0, .fitness = 1}, {.number = 1, .fitness = NAN},
                      {.number = 2, .fitness = 3}, {.number = 3, .fitness = 3}};
    int front[4];
    ck_assert_int_eq(pareto_front(c, 4, 0, front), 1);
    ck_assert_int_eq(front[0], 2);
    ck_assert_int_eq(pareto_front(c + 1, 1, PARETO_ALL, front), 0);
    ck_assert_int_eq(pareto_front(c, 0, PARETO_ALL, front), 0);
}
END

SUITE(pareto, the_front_is_what_the_definition_says,
      one_objective_has_one_best_and_no_number_never_wins)
