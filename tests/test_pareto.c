#include "search/pareto.h"

#include "base/rng.h"
#include "tests/suite.h"

#include <limits.h>
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

/* ---- the order behind the front ---- */

static double value_of(const Candidate *c, int objective)
{
    return pareto_point(c, PARETO_ALL).value[objective];
}

/* Peels front after front: whom nobody of those left beats. */
static void slow_ranks(const Candidate *c, int n, unsigned costs, int *rank)
{
    for (int i = 0; i < n; i++)
        rank[i] = -1;
    for (int r = 0, left = n; left > 0; r++) {
        bool front[100] = {false};
        for (int i = 0; i < n; i++) {
            front[i] = rank[i] < 0;
            for (int j = 0; j < n && front[i]; j++)
                front[i] = j == i || rank[j] >= 0 || !nowhere_worse(&c[j], &c[i], costs) ||
                           (nowhere_worse(&c[i], &c[j], costs) && c[i].number < c[j].number);
        }
        for (int i = 0; i < n; i++) {
            rank[i] = front[i] ? r : rank[i];
            left -= front[i];
        }
    }
}

/* Of candidate i along one objective: the nearest of its front before and behind it. */
static double slow_crowding(const Candidate *c, int n, const int *rank, int i, int objective)
{
    double least = INFINITY, most = -INFINITY, before = -INFINITY, behind = INFINITY;
    double here = value_of(&c[i], objective);
    for (int j = 0; j < n; j++) {
        double v = value_of(&c[j], objective);
        if (rank[j] != rank[i])
            continue;
        least = fmin(least, v);
        most = fmax(most, v);
        if (v < here || (v == here && c[j].number < c[i].number))
            before = fmax(before, v);
        if (v > here || (v == here && c[j].number > c[i].number))
            behind = fmin(behind, v);
    }
    return most > least ? (behind - before) / (most - least) : 0;
}

TEST(the_order_is_by_fronts_and_then_by_loneliness)
{
    enum { N = 60 };
    Candidate c[N];
    const Candidate *pointer[N];
    ParetoPlace place[N];
    int rank[N];
    Rng rng = rng_make(2, 0);
    for (int round = 0; round < 600; round++) {
        unsigned costs = (unsigned)round % (PARETO_ALL + 1);
        int n = round % N + 1;
        bool seen[N] = {false};
        random_candidates(c, n, 2 + round % 50, &rng);
        for (int i = 0; i < n; i++)
            pointer[i] = &c[i];
        pareto_sort(pointer, n, costs, place);
        slow_ranks(c, n, costs, rank);
        for (int k = 0; k < n; k++) {
            int i = place[k].index;
            double crowding = slow_crowding(c, n, rank, i, 0);
            for (int o = 1; o < PARETO_OBJECTIVES; o++)
                crowding += costs & (1U << (o - 1)) ? slow_crowding(c, n, rank, i, o) : 0;
            ck_assert(!seen[i]);
            seen[i] = true;
            ck_assert_int_eq(place[k].rank, rank[i]);
            ck_assert(place[k].crowding == crowding || fabs(place[k].crowding - crowding) < 1e-9);
            if (k == 0)
                continue;
            const ParetoPlace *p = &place[k - 1], *q = &place[k];
            ck_assert(p->rank < q->rank || (p->rank == q->rank && p->crowding >= q->crowding));
            ck_assert(p->rank < q->rank || p->crowding > q->crowding || p->index < q->index);
        }
    }
}
END

TEST(crowding_worked_out_by_hand)
{
    Candidate c[5] = {{.number = 0, .fitness = 1, .cost.macs = 10},
                      {.number = 1, .fitness = 2, .cost.macs = 20},
                      {.number = 2, .fitness = 5, .cost.macs = 30},
                      {.number = 3, .fitness = 5, .cost.macs = 60}, /* beaten by 2 */
                      {.number = 4, .fitness = NAN, .cost.macs = 1}};
    const Candidate *pointer[5] = {&c[0], &c[1], &c[2], &c[3], &c[4]};
    ParetoPlace place[5];
    pareto_sort(pointer, 5, PARETO_MACS, place);
    const int order[] = {0, 2, 1, 3, 4}, rank[] = {0, 0, 0, 1, INT_MAX};
    for (int k = 0; k < 5; k++) {
        ck_assert_int_eq(place[k].index, order[k]);
        ck_assert_int_eq(place[k].rank, rank[k]);
    }
    ck_assert(isinf(place[0].crowding) && isinf(place[1].crowding));
    ck_assert_double_eq(place[2].crowding, 2); /* (5 - 1) / 4 + (30 - 10) / 20 */
    ck_assert_double_eq(place[3].crowding, 0); /* alone in its front: nothing to measure by */
}
END

SUITE(pareto, the_front_is_what_the_definition_says,
      one_objective_has_one_best_and_no_number_never_wins,
      the_order_is_by_fronts_and_then_by_loneliness, crowding_worked_out_by_hand)
