#include "search/births.h"

#include "tests/mcunet_space.h"
#include "tests/suite.h"

#include <string.h>

enum { ROOM = 24, MOST = 120000 };

/* Every network that the search asked the cost of, once. */
typedef struct {
    Stray asked[MOST];
    int n;
    Limits limits;
} Asked;

/* Costs spread as the genotype's hash; some networks have equal ones. */
static Cost cost_by_hash(const Genotype *g)
{
    uint64_t h = genotype_hash(g);
    return (Cost){.sram = 1100 + h % 64, .flash = 900 + h / 64 % 128, .macs = 5000 + h / 8192 % 8,
                  .latency = 3, .energy = 1 + h / 65536 % 3};
}

/* By hand: SRAM and MACs exceed, flash and energy sometimes, latency has no limit. */
static double excess_by_hand(const Cost *c)
{
    double flash = c->flash > 1000 ? c->flash / 1000.0 - 1 : 0;
    double energy = c->energy > 2 ? 0.5 : 0;
    return c->sram / 1000.0 - 1 + flash + ((double)c->macs / 4000.0 - 1) + energy;
}

static Cost ask(void *ctx, const Genotype *g)
{
    Asked *a = ctx;
    Cost c = cost_by_hash(g);
    ck_assert_int_lt(a->n, MOST);
    a->asked[a->n++] = (Stray){*g, excess_by_hand(&c)};
    return c;
}

static double no_fitness(void *ctx, const Candidate *c)
{
    (void)ctx, (void)c;
    return 0;
}

/* How many networks of those asked for, counted once each, exceed the limits less. */
static int nearer(const Asked *a, double excess)
{
    int n = 0;
    for (int i = 0; i < a->n; i++) {
        bool first = a->asked[i].excess < excess;
        for (int j = 0; j < i && first; j++)
            first = !genotype_equal(&a->asked[i].genotype, &a->asked[j].genotype);
        n += first;
    }
    return n;
}

static void check_strays(const Births *b, const Asked *a)
{
    ck_assert_int_eq(b->n, 0);
    ck_assert_int_eq(b->n_strays, ROOM);
    for (int i = 0; i < ROOM; i++) {
        const Stray *s = &b->stray[i];
        Cost c = cost_by_hash(&s->genotype);
        ck_assert_double_eq_tol(s->excess, excess_by_hand(&c), 1e-12);
        ck_assert(i == 0 || b->stray[i - 1].excess <= s->excess);
        ck_assert_int_le(nearer(a, s->excess - 1e-12), i);
        for (int j = 0; j < i; j++)
            ck_assert(!genotype_equal(&b->stray[j].genotype, &s->genotype));
    }
}

TEST(the_strays_are_those_that_exceed_the_limits_least)
{
    static Asked asked;
    Space space = mcunet_space();
    Limits limits = {.sram = 1000, .flash = 1000, .macs = 4000, .energy = 2};
    EvolveHooks hooks = {.ctx = &asked, .cost = ask, .fitness = no_fitness};
    for (int tiny = 0; tiny < 2; tiny++) {
        EvolveOptions o = {.algorithm = ALGORITHM_NSGA2, .population = ROOM, .parents = 2,
                           .crossovers = 5, .mutations = 5, .mutation_rate = 0.1, .generations = 3};
        Births b;
        if (tiny) /* 36 networks, each drawn again and again */
            space.n_stages = 2;
        for (int s = 0; s < space.n_stages && tiny; s++) {
            space.stage[s].kernel = (Choices){2, {3, 5}};
            space.stage[s].expansion = (Choices){3, {3, 4, 6}};
            space.stage[s].depth = (Choices){1, {1}};
        }
        asked.n = 0;
        births_init(&b, &o);
        b.space = &space;
        b.limits = &limits;
        b.hooks = &hooks;
        births_generation(&b, 0);
        ck_assert(b.exhausted);
        check_strays(&b, &asked);
        births_generation(&b, 1); /* children of strays: nearer, or as near */
        check_strays(&b, &asked);
        births_release(&b);
    }
}
END

SUITE(births, the_strays_are_those_that_exceed_the_limits_least)
