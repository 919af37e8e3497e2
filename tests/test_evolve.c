#define _GNU_SOURCE
#include "search/evolve.h"

#include "tests/mcunet_space.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

enum { MOST = 4000 };

/* All that happened in a run. `planted` is the genotype the fitness praises. */
typedef struct {
    Space space;
    Limits limits;
    EvolveOptions options;
    Genotype planted;
    Candidate seen[MOST]; /* by number: evaluated or known */
    bool done[MOST];
    int born, evaluated, remembered, reports;
    const void *memory; /* of a killed run, or NULL */
    int survived;             /* candidates of it that were remembered */
    EvolveReport last;
} Log;

/* Share of the planted genes that are there, minus what is there besides. */
static double resemblance(const Space *space, const Genotype *g, const Genotype *planted)
{
    int same = 0, genes = 0;
    for (int s = 0; s < space->n_stages; s++) {
        same += g->depth[s] == planted->depth[s];
        genes++;
        for (int b = 0; b < SPACE_MAX_DEPTH; b++) {
            bool counts = g->kernel[s][b] || planted->kernel[s][b];
            same += counts && g->kernel[s][b] == planted->kernel[s][b];
            same += counts && g->expansion[s][b] == planted->expansion[s][b];
            genes += 2 * counts;
        }
    }
    return (double)same / genes;
}

static double fitness(void *ctx, const Candidate *c)
{
    const Log *log = ctx;
    bool gene = log->options.resolutions.n > 1;
    return resemblance(&log->space, &c->genotype, &log->planted) +
           0.2 * (gene && c->genotype.resolution == log->planted.resolution);
}

static void born(void *ctx, const Candidate *c)
{
    Log *log = ctx;
    ck_assert_int_eq(c->number, log->born + log->remembered);
    ck_assert(!log->done[c->number]);
    log->born++;
}

static void evaluated(void *ctx, const Candidate *c)
{
    Log *log = ctx;
    ck_assert(!log->done[c->number]);
    log->seen[c->number] = *c;
    log->done[c->number] = true;
    log->evaluated++;
    ck_assert_int_le(log->evaluated, log->born);
}

static void generation(void *ctx, const EvolveReport *r)
{
    Log *log = ctx;
    ck_assert_int_eq(r->evaluated, log->evaluated + log->remembered);
    ck_assert_double_ge(r->best, log->last.best); /* the winner is never lost */
    ck_assert_double_ge(r->best, r->median);
    ck_assert_double_eq(r->winner->fitness, r->best);
    ck_assert(r->drawn >= r->fitting && r->fitting >= r->evaluated);
    ck_assert(r->front > 0 && r->front <= r->evaluated);
    ck_assert_double_ge(r->hypervolume, log->last.hypervolume);
    log->last = *r;
    log->reports++;
}

static Log *log_new(uint64_t seed)
{
    Log *log = calloc(1, sizeof *log);
    log->space = mcunet_space();
    log->options = (EvolveOptions){.population = 40, .parents = 10, .crossovers = 20,
                                   .mutations = 20, .mutation_rate = 0.1, .generations = 12,
                                   .costs = PARETO_SRAM | PARETO_MACS,
                                   .threads = 1, .seed = seed, .width = 2, .resolutions = {1, {3}},
                                   .n_classes = 10, .plan = {.policy = POLICY_INPLACE}};
    Rng rng = rng_make(seed, 77);
    log->planted = genotype_sample(&log->space, 2, 3, &rng);
    return log;
}

static int run(Log *log, const EvolveHooks *more, Candidate *winner)
{
    Target target = {.name = "none"};
    EvolveHooks hooks = {.ctx = log, .fitness = fitness, .born = born, .evaluated = evaluated,
                         .generation = generation};
    if (more)
        hooks.known = more->known, hooks.cost = more->cost;
    log->last.best = -INFINITY;
    return evolve(&log->space, &target, &log->limits, &log->options, &hooks, winner);
}

TEST(evolution_finds_what_was_planted_far_better_than_random_search)
{
    double sum[N_ALGORITHMS] = {0};
    enum { SEEDS = 8 };
    for (int seed = 0; seed < SEEDS; seed++) {
        int n[N_ALGORITHMS];
        for (int a = 0; a < N_ALGORITHMS; a++) {
            Log *log = log_new((uint64_t)seed);
            Candidate winner;
            log->options.algorithm = (Algorithm)a;
            ck_assert_int_eq(run(log, NULL, &winner), 0);
            sum[a] += winner.fitness / SEEDS;
            n[a] = log->evaluated;
            free(log);
        }
        ck_assert_int_eq(n[0], 40 + 12 * 40);
        ck_assert_int_eq(n[0], n[1]);
    }
    printf("genes found: evolution %.3f, random %.3f\n", sum[ALGORITHM_EVOLUTION],
           sum[ALGORITHM_RANDOM]);
    ck_assert_double_gt(sum[ALGORITHM_EVOLUTION], sum[ALGORITHM_RANDOM] + 0.2);
}
END

static void check_same(const Log *a, const Log *b, int n)
{
    for (int i = 0; i < n; i++) {
        ck_assert(a->done[i] && b->done[i]);
        ck_assert(genotype_equal(&a->seen[i].genotype, &b->seen[i].genotype));
        ck_assert_double_eq(a->seen[i].fitness, b->seen[i].fitness);
        ck_assert_int_eq(a->seen[i].generation, b->seen[i].generation);
        ck_assert_int_eq(a->seen[i].parent[0], b->seen[i].parent[0]);
        ck_assert_int_eq(a->seen[i].parent[1], b->seen[i].parent[1]);
    }
}

TEST(threads_do_not_change_who_is_evaluated)
{
    for (int a = 0; a < N_ALGORITHMS; a++) {
        Log *one = log_new(5), *four = log_new(5);
        Candidate winner[2];
        one->options.algorithm = four->options.algorithm = (Algorithm)a;
        four->options.threads = 4;
        ck_assert_int_eq(run(one, NULL, &winner[0]), 0);
        ck_assert_int_eq(run(four, NULL, &winner[1]), 0);
        check_same(one, four, one->evaluated);
        ck_assert_int_eq(winner[0].number, winner[1].number);
        ck_assert_int_eq(one->evaluated, four->evaluated);
        free(one);
        free(four);
    }
}
END

/* ---- who need not be known exactly ---- */

typedef struct {
    Log *log;
    const Candidate *bar;
    Candidate of; /* what it pointed at */
    int below, bars;
} Barred;

static void set_bar(void *ctx, const Candidate *bar)
{
    Barred *b = ctx;
    ck_assert(!bar || b->log->done[bar->number]);
    b->bar = bar ? &b->of : NULL;
    if (bar)
        b->of = *bar, b->bars++;
}

/* Of who is worse than the bar no more is told than that. */
static double fitness_below_bar(void *ctx, const Candidate *c)
{
    Barred *b = ctx;
    double f = fitness(b->log, c);
    if (!b->bar || f >= b->bar->fitness)
        return f;
    b->below++;
    return b->bar->fitness - 1e-9 - c->number % 7;
}

static void born_below_bar(void *ctx, const Candidate *c)
{
    born(((Barred *)ctx)->log, c);
}

static void evaluated_below_bar(void *ctx, const Candidate *c)
{
    evaluated(((Barred *)ctx)->log, c);
}

TEST(a_fitness_below_the_bar_may_be_any_below_it_and_only_evolution_has_a_bar)
{
    for (int a = 0; a < N_ALGORITHMS; a++) {
        Log *whole = log_new(21), *barred = log_new(21);
        Barred b = {.log = barred};
        Target target = {.name = "none"};
        EvolveHooks hooks = {.ctx = &b, .fitness = fitness_below_bar, .bar = set_bar,
                             .born = born_below_bar, .evaluated = evaluated_below_bar};
        Candidate winner, same;
        whole->options.algorithm = barred->options.algorithm = (Algorithm)a;
        ck_assert_int_eq(run(whole, NULL, &winner), 0);
        ck_assert_int_eq(evolve(&barred->space, &target, &barred->limits, &barred->options, &hooks,
                                &same), 0);
        ck_assert_int_eq(winner.number, same.number);
        ck_assert_int_eq(whole->evaluated, barred->evaluated);
        for (int i = 0; i < whole->evaluated; i++)
            ck_assert(genotype_equal(&whole->seen[i].genotype, &barred->seen[i].genotype));
        ck_assert_int_eq(b.bars, a == ALGORITHM_EVOLUTION ? 12 : 0);
        ck_assert_int_eq(b.below > 100, a == ALGORITHM_EVOLUTION);
        free(whole);
        free(barred);
    }
}
END

TEST(what_is_evaluated_fits_is_new_and_has_its_parents)
{
    for (int i = 0; i < 2 * N_ALGORITHMS; i++) {
        int a = i % N_ALGORITHMS, kib = i < N_ALGORITHMS ? 90 : 16;
        Log *log = log_new(6);
        Candidate winner;
        log->options.algorithm = (Algorithm)a;
        log->limits = (Limits){.sram = (uint64_t)kib * 1024, .flash = 360 * 1024, .macs = 13000000};
        if (i >= N_ALGORITHMS)
            log->options.plan = (PlanOptions){.policy = POLICY_STREAM, .image_outside = true,
                                              .sram = (uint32_t)log->limits.sram};
        ck_assert_int_eq(run(log, NULL, &winner), 0);
        int n = log->evaluated, by_hand = 0, twice = 0;
        for (int k = 0; k < n; k++) {
            const Candidate *c = &log->seen[k];
            Net net;
            Target target = {.name = "none"};
            genotype_expand(&log->space, &c->genotype, 10, &net);
            Cost cost = estimate(&net, &target, &log->options.plan);
            ck_assert(genotype_in_space(&log->space, &c->genotype));
            ck_assert(cost_fits(&cost, &log->limits));
            ck_assert_uint_eq(c->cost.sram, cost.sram);
            ck_assert_uint_eq(c->cost.macs, cost.macs);
            twice += cost.macs > net_macs(&net);
            ck_assert_int_eq(c->number, k);
            for (int p = 0; p < 2; p++)
                ck_assert(c->parent[p] < 0 || log->seen[c->parent[p]].generation < c->generation);
            by_hand += c->parent[0] < 0;
            ck_assert(c->generation > 0 || c->parent[0] < 0);
            for (int j = 0; j < k; j++)
                ck_assert(!genotype_equal(&c->genotype, &log->seen[j].genotype));
            ck_assert(c->fitness < winner.fitness ||
                      (c->fitness == winner.fitness && c->number >= winner.number));
        }
        int population = log->options.population;
        ck_assert_int_ge(by_hand, a == ALGORITHM_RANDOM ? n : population);
        ck_assert_int_lt(by_hand, a == ALGORITHM_RANDOM ? n + 1 : n / 4); /* few in vain */
        ck_assert_int_lt(log->last.fitting, log->last.drawn); /* the limits did bind */
        ck_assert_int_eq(twice > 0, i >= N_ALGORITHMS); /* some fit only so */
        free(log);
    }
}
END

TEST(parents_are_the_best_so_far)
{
    Log *log = log_new(7);
    Candidate winner;
    ck_assert_int_eq(run(log, NULL, &winner), 0);
    for (int i = 0; i < log->evaluated; i++) {
        const Candidate *c = &log->seen[i];
        for (int p = 0; p < 2 && c->parent[p] >= 0; p++) {
            int before = 0; /* better candidates of earlier generations */
            for (int j = 0; j < log->evaluated; j++)
                before += log->seen[j].generation < c->generation &&
                          log->seen[j].fitness > log->seen[c->parent[p]].fitness;
            ck_assert_int_lt(before, log->options.parents);
        }
    }
    free(log);
}
END

/* ---- resuming ---- */

static bool known(void *ctx, const Candidate *c, double *value)
{
    Log *log = ctx;
    const Log *memory = log->memory;
    if (c->number >= log->survived || !memory->done[c->number])
        return false;
    ck_assert(genotype_equal(&c->genotype, &memory->seen[c->number].genotype));
    *value = memory->seen[c->number].fitness;
    log->seen[c->number] = *c;
    log->seen[c->number].fitness = *value;
    log->done[c->number] = true;
    log->remembered++;
    return true;
}

TEST(a_killed_search_resumes_on_the_same_path)
{
    const int killed[] = {0, 1, 17, 40, 55, 200, 519, 520};
    for (int a = 0; a < N_ALGORITHMS; a++) {
        Log *whole = log_new(8);
        Candidate winner, again;
        whole->options.algorithm = (Algorithm)a;
        ck_assert_int_eq(run(whole, NULL, &winner), 0);
        for (int k = 0; k < 8; k++) {
            Log *log = log_new(8);
            EvolveHooks more = {.known = known};
            log->options.algorithm = (Algorithm)a;
            log->memory = whole;
            log->survived = killed[k];
            ck_assert_int_eq(run(log, &more, &again), 0);
            ck_assert_int_eq(log->remembered, killed[k]);
            ck_assert_int_eq(log->evaluated, whole->evaluated - killed[k]); /* nothing twice */
            ck_assert_int_eq(log->reports, whole->reports);
            check_same(whole, log, whole->evaluated);
            ck_assert_int_eq(winner.number, again.number);
            ck_assert_double_eq(winner.fitness, again.fitness);
            ck_assert_double_eq(whole->last.hypervolume, log->last.hypervolume);
            free(log);
        }
        free(whole);
    }
}
END

/* ---- several objectives ---- */

TEST(nsga2_conquers_more_than_aging_and_both_more_than_random_search)
{
    double sum[N_ALGORITHMS] = {0};
    for (int i = 0; i < 4 * N_ALGORITHMS; i++) {
        Log *log = log_new((uint64_t)i / N_ALGORITHMS);
        Candidate winner;
        EvolveOptions *o = &log->options;
        o->algorithm = (Algorithm)(i % N_ALGORITHMS);
        o->population = o->parents = o->crossovers = o->mutations = o->generations = 0;
        o->evaluations = 500;
        evolve_defaults(o);
        ck_assert_int_eq(run(log, NULL, &winner), 0);
        sum[i % N_ALGORITHMS] += log->last.hypervolume / 4;
        free(log);
    }
    printf("hypervolume: nsga2 %.4f, aging %.4f, random %.4f\n", sum[ALGORITHM_NSGA2],
           sum[ALGORITHM_AGING], sum[ALGORITHM_RANDOM]);
    ck_assert_double_gt(sum[ALGORITHM_NSGA2], sum[ALGORITHM_AGING]);
    ck_assert_double_gt(sum[ALGORITHM_AGING], sum[ALGORITHM_RANDOM]);
}
END

static int by_macs(const void *a, const void *b)
{
    const Candidate *p = a, *q = b;
    if (p->cost.macs != q->cost.macs)
        return p->cost.macs < q->cost.macs ? -1 : 1;
    return (p->fitness < q->fitness) - (p->fitness > q->fitness);
}

/* Area under the staircase; its steps: networks better than all of fewer MACs. */
static double staircase(Candidate *c, int n, double macs, int *steps)
{
    double area = 0, best = 0;
    qsort(c, (size_t)n, sizeof *c, by_macs);
    *steps = 0;
    for (int i = 0; i < n; i++) {
        if (c[i].fitness <= best)
            continue;
        area += (c[i].fitness - best) * (1 - (double)c[i].cost.macs / macs);
        best = c[i].fitness;
        ++*steps;
    }
    return area;
}

TEST(the_hypervolume_is_the_area_under_fitness_and_spared_macs)
{
    for (int limited = 0; limited < 2; limited++) {
        Log *log = log_new(12);
        Candidate winner;
        Net net;
        int steps;
        log->options.algorithm = ALGORITHM_NSGA2;
        log->options.costs = PARETO_MACS;
        log->limits.macs = limited ? 13000000 : 0;
        Genotype largest = genotype_largest(&log->space, 2, 3);
        genotype_expand(&log->space, &largest, 10, &net);
        ck_assert_int_eq(run(log, NULL, &winner), 0);
        double area = staircase(log->seen, log->evaluated,
                                limited ? 13000000 : (double)net_macs(&net), &steps);
        ck_assert_double_eq_tol(log->last.hypervolume, area, 1e-9);
        ck_assert_int_eq(log->last.front, steps);
        free(log);
    }
}
END

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Who may be a parent after a generation, in order of birth: by the definition. */
static int slow_parents(const Log *log, const int *before, int n_before, int first, int end,
                        int *parents)
{
    const Candidate *pool[MOST];
    ParetoPlace place[MOST];
    int n = 0, room = log->options.population;
    if (log->options.algorithm == ALGORITHM_AGING) {
        for (int i = end > room ? end - room : 0; i < end; i++)
            parents[n++] = i;
        return n;
    }
    for (int i = 0; i < n_before; i++)
        pool[n++] = &log->seen[before[i]];
    for (int i = first; i < end; i++)
        pool[n++] = &log->seen[i];
    pareto_sort(pool, n, log->options.costs, place);
    for (int i = 0; i < n && i < room; i++)
        parents[i] = pool[place[i].index]->number;
    n = n < room ? n : room;
    qsort(parents, (size_t)n, sizeof *parents, compare);
    return n;
}

TEST(parents_are_the_front_of_nsga2_and_the_youngest_of_aging)
{
    const Algorithm algorithms[] = {ALGORITHM_NSGA2, ALGORITHM_AGING};
    for (int a = 0; a < 2; a++) {
        Log *log = log_new(13);
        Candidate winner;
        int parents[2][MOST], n = 0, end = 0;
        log->options.algorithm = algorithms[a];
        log->options.mutations = 7; /* the youngest are of several generations */
        log->options.crossovers = 6;
        ck_assert_int_eq(run(log, NULL, &winner), 0);
        for (int g = 0, children = 0; g <= log->options.generations; g++) {
            int first = end, *now = parents[g % 2], *before = parents[1 - g % 2];
            for (; end < log->evaluated && log->seen[end].generation == g; end++)
                for (int p = 0; p < 2 && log->seen[end].parent[p] >= 0; p++, children++)
                    ck_assert_ptr_nonnull(bsearch(&log->seen[end].parent[p], before, (size_t)n,
                                                  sizeof *before, compare));
            n = slow_parents(log, before, n, first, end, now);
            ck_assert(g == 0 || children > 0);
        }
        ck_assert_int_eq(end, 40 + 12 * 13);
        free(log);
    }
}
END

/* ---- what does not fit ---- */

/* 8 % more MACs than the smallest network: random search draws 100,000 in vain. */
TEST(limits_that_no_random_network_meets_are_reached_through_those_that_exceed_them_least)
{
    for (int a = 0; a < N_ALGORITHMS; a++) {
        Log *log = log_new(14);
        Candidate winner;
        Net net;
        Genotype smallest = genotype_smallest(&log->space, 2, 3);
        genotype_expand(&log->space, &smallest, 10, &net);
        log->options.algorithm = (Algorithm)a;
        log->limits.macs = net_macs(&net) * 108 / 100;
        int status = run(log, NULL, &winner);
        ck_assert_int_eq(status, a == ALGORITHM_RANDOM ? -1 : 0);
        if (status == 0) {
            ck_assert_int_gt(log->evaluated, 100);
            ck_assert_uint_le(winner.cost.macs, log->limits.macs);
            ck_assert_int_eq(log->seen[0].parent[0], -1); /* a stray has no number */
            ck_assert_int_gt(log->seen[0].generation, 0);
        }
        free(log);
    }
}
END

/* ---- budgets ---- */

TEST(a_budget_of_evaluations_is_kept_to_the_last_one)
{
    const int budgets[] = {1, 40, 41, 10000};
    for (int i = 0; i < 4 * N_ALGORITHMS; i++) {
        Log *log = log_new(15), *whole = log_new(15);
        Candidate winner;
        int budget = budgets[i % 4];
        log->options.algorithm = whole->options.algorithm = (Algorithm)(i / 4);
        log->options.evaluations = budget;
        ck_assert_int_eq(run(log, NULL, &winner), 0);
        ck_assert_int_eq(run(whole, NULL, &winner), 0);
        ck_assert_int_eq(log->evaluated, budget < 520 ? budget : 520);
        ck_assert_int_eq(log->last.total, log->evaluated);
        ck_assert_int_eq(evolve_total(&log->options), log->evaluated);
        check_same(log, whole, log->evaluated); /* as far as it goes, the same path */
        free(log);
        free(whole);
    }
}
END

static double slow_fitness(void *ctx, const Candidate *c)
{
    usleep(2000);
    return fitness(ctx, c);
}

TEST(a_budget_of_seconds_ends_the_search_with_a_generation)
{
    Log *log = log_new(16);
    Candidate winner;
    Target target = {.name = "none"};
    EvolveHooks hooks = {.ctx = log, .fitness = slow_fitness, .born = born,
                         .evaluated = evaluated, .generation = generation};
    log->options.seconds = 0.1; /* a generation takes at least 0.08 */
    log->last.best = -INFINITY;
    ck_assert_int_eq(evolve(&log->space, &target, &log->limits, &log->options, &hooks, &winner), 0);
    ck_assert(log->evaluated == 40 || log->evaluated == 80);
    ck_assert_int_eq(log->last.total, log->evaluated);
    ck_assert_int_eq(log->reports, log->evaluated / 40);
    free(log);
}
END

TEST(the_sizes_of_an_algorithm_take_3100_evaluations_or_those_that_are_given)
{
    for (int a = 0; a < N_ALGORITHMS; a++) {
        EvolveOptions own = {.algorithm = (Algorithm)a}, few = own, given = own;
        evolve_defaults(&own);
        ck_assert_int_eq(evolve_total(&own), 3100);
        ck_assert_int_le(own.parents, own.population);
        few.evaluations = 12345;
        evolve_defaults(&few);
        ck_assert_int_eq(evolve_total(&few), 12345);
        given.population = 7;
        given.crossovers = 3;
        given.generations = 2;
        evolve_defaults(&given);
        ck_assert_int_eq(evolve_total(&given), 7 + 2 * 3);
        ck_assert_int_le(given.parents, 7);
    }
}
END

static Cost cost_by_hand(void *ctx, const Genotype *g)
{
    (void)ctx;
    return (Cost){.macs = 1000 + genotype_hash(g) % 1000};
}

TEST(costs_may_come_from_elsewhere)
{
    Log *log = log_new(17);
    Candidate winner;
    EvolveHooks more = {.cost = cost_by_hand};
    log->options.algorithm = ALGORITHM_NSGA2;
    log->limits.macs = 1500;
    ck_assert_int_eq(run(log, &more, &winner), 0);
    ck_assert_int_eq(log->evaluated, 520);
    for (int i = 0; i < log->evaluated; i++) {
        const Candidate *c = &log->seen[i];
        ck_assert_uint_eq(c->cost.macs, 1000 + genotype_hash(&c->genotype) % 1000);
        ck_assert_uint_le(c->cost.macs, 1500);
        ck_assert_uint_eq(c->cost.sram, 0);
    }
    free(log);
}
END

/* ---- resolutions ---- */

TEST(of_several_resolutions_the_one_that_was_planted_is_found)
{
    for (int a = 0; a < N_ALGORITHMS; a++) {
        Log *log = log_new(11);
        Candidate winner;
        int of[SPACE_MAX_RESOLUTIONS] = {0}, others = 0;
        log->options.algorithm = (Algorithm)a;
        log->options.resolutions = (Choices){3, {1, 3, 6}};
        log->limits.sram = 300000; /* not all of the largest fit */
        ck_assert_int_eq(run(log, NULL, &winner), 0);
        ck_assert_int_eq(winner.genotype.resolution, 3);
        for (int i = 0; i < log->evaluated; i++) {
            const Candidate *c = &log->seen[i];
            Target target = {.name = "none"};
            Net net;
            genotype_expand(&log->space, &c->genotype, 10, &net);
            Cost cost = estimate(&net, &target, &log->options.plan);
            ck_assert_int_eq(net.h, log->space.resolution[c->genotype.resolution].h);
            ck_assert_uint_eq(c->cost.macs, cost.macs);
            ck_assert_uint_eq(c->cost.sram, cost.sram);
            of[c->genotype.resolution]++;
        }
        for (int r = 0; r < SPACE_MAX_RESOLUTIONS; r++)
            others += r != 1 && r != 3 && r != 6 ? of[r] : 0;
        ck_assert_int_eq(others, 0);
        ck_assert(of[1] > 0 && of[3] > 0 && of[6] > 0);
        free(log);
    }
}
END

/* ---- ends ---- */

/* Two blocks, each of 2 kernels and 3 expansions: 36 networks in all. */
static void make_tiny(Log *log)
{
    log->space.n_stages = 2;
    for (int s = 0; s < 2; s++) {
        log->space.stage[s].kernel = (Choices){2, {3, 5}};
        log->space.stage[s].expansion = (Choices){3, {3, 4, 6}};
        log->space.stage[s].depth = (Choices){1, {1}};
    }
    log->options.resolutions = (Choices){1, {0}};
    log->options.population = 10;
    log->options.crossovers = log->options.mutations = 8;
}

TEST(an_exhausted_space_ends_the_search_early)
{
    for (int a = 0; a < N_ALGORITHMS; a++) {
        Log *log = log_new(9);
        Candidate winner;
        make_tiny(log);
        log->options.algorithm = (Algorithm)a;
        ck_assert_int_eq(run(log, NULL, &winner), 0);
        ck_assert_int_eq(log->evaluated, 36);
        ck_assert_int_eq(log->last.total, 36);
        ck_assert_int_lt(log->last.generation, log->options.generations);
        free(log);
    }
}
END

TEST(when_nothing_fits_the_error_says_what_the_smallest_takes)
{
    Log *log = log_new(10);
    Candidate winner;
    make_tiny(log);
    log->limits.sram = 2000;
    ck_assert_int_eq(run(log, NULL, &winner), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "48x48"));
    ck_assert_int_eq(log->born + log->reports, 0);
    free(log);
}
END

static double no_number(void *ctx, const Candidate *c)
{
    (void)ctx;
    return c->number % 2 ? 1 : NAN;
}

TEST(a_fitness_that_is_no_number_is_the_worst_and_ties_go_to_the_first)
{
    Log *log = log_new(11);
    Candidate winner;
    Target target = {.name = "none"};
    EvolveHooks hooks = {.ctx = log, .fitness = no_number};
    make_tiny(log);
    ck_assert_int_eq(evolve(&log->space, &target, &log->limits, &log->options, &hooks, &winner), 0);
    ck_assert_int_eq(winner.number, 1);
    free(log);
}
END

TEST(an_algorithm_is_found_by_its_name)
{
    Algorithm algorithm;
    for (int i = 0; i < N_ALGORITHMS; i++) {
        ck_assert_int_eq(algorithm_parse(algorithm_name((Algorithm)i), &algorithm), 0);
        ck_assert_int_eq(algorithm, i);
    }
    ck_assert_int_eq(algorithm_parse("annealing", &algorithm), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "annealing"));
}
END

SUITE(evolve, evolution_finds_what_was_planted_far_better_than_random_search,
      threads_do_not_change_who_is_evaluated, what_is_evaluated_fits_is_new_and_has_its_parents,
      parents_are_the_best_so_far, a_killed_search_resumes_on_the_same_path,
      nsga2_conquers_more_than_aging_and_both_more_than_random_search,
      the_hypervolume_is_the_area_under_fitness_and_spared_macs,
      parents_are_the_front_of_nsga2_and_the_youngest_of_aging,
      limits_that_no_random_network_meets_are_reached_through_those_that_exceed_them_least,
      of_several_resolutions_the_one_that_was_planted_is_found,
      a_budget_of_evaluations_is_kept_to_the_last_one,
      a_fitness_below_the_bar_may_be_any_below_it_and_only_evolution_has_a_bar,
      a_budget_of_seconds_ends_the_search_with_a_generation,
      the_sizes_of_an_algorithm_take_3100_evaluations_or_those_that_are_given,
      costs_may_come_from_elsewhere, an_exhausted_space_ends_the_search_early,
      when_nothing_fits_the_error_says_what_the_smallest_takes,
      a_fitness_that_is_no_number_is_the_worst_and_ties_go_to_the_first,
      an_algorithm_is_found_by_its_name)
