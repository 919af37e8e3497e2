/* How many networks a second the search may ask about: one thread, MCUNet's
 * space, all (width, resolution) pairs in turn. */
#include "base/alloc.h"
#include "base/log.h"
#include "estimator/estimator.h"
#include "search/sweep.h"

#include "tests/mcunet_space.h"

#include <stdlib.h>

enum { NETS = 4000, ROUNDS = 5 };

static void show(const char *what, double took, int n)
{
    printf("%-38s %8.2f us a network %10.0f networks a second\n", what, 1e6 * took / n, n / took);
}

static void bench_sweep(const Space *space, const Target *target)
{
    static Sweep sweep;
    Limits limits = {.sram = 288 * 1024, .flash = 960 * 1024};
    SweepOptions o = {.samples = 1000, .min_feasible = 50, .n_classes = 1000, .threads = 1,
                      .seed = 1, .plan = {.policy = POLICY_INPLACE}};
    double start = clock_seconds();
    sweep_run(space, target, &limits, &o, &sweep);
    show("stage 1: sampled, expanded, estimated", clock_seconds() - start, sweep.n * o.samples);
}

typedef struct {
    const char *what;
    const Target *target; /* NULL: only the plan */
    PlanOptions plan;
    bool whole; /* plan_make() */
} Work;

static uint64_t work_on(const Net *net, const Work *w)
{
    Plan plan;
    if (w->target)
        return estimate(net, w->target, &w->plan).sram;
    if (!w->whole)
        return plan_arena(net, &w->plan);
    plan_make(net, &w->plan, &plan);
    return plan.arena;
}

/* The least time of some rounds: the machine has other things to do. */
static uint64_t bench(const Net *net, const Work *w)
{
    uint64_t sum = 0;
    double least = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double start = clock_seconds();
        for (int i = 0; i < NETS; i++)
            sum += work_on(&net[i], w);
        double took = clock_seconds() - start;
        least = took < least ? took : least;
    }
    show(w->what, least, NETS);
    return sum;
}

int main(void)
{
    Space space = mcunet_space();
    Target target = {.name = "none"}, timed = {.name = "timed", .latency = {.unit = "cycles"}};
    const Work work[] = {
        {.what = "plan_arena, layerwise", .plan = {.policy = POLICY_LAYERWISE}},
        {.what = "plan_arena, inplace", .plan = {.policy = POLICY_INPLACE}},
        {.what = "plan_make, inplace", .plan = {.policy = POLICY_INPLACE}, .whole = true},
        {.what = "estimate, layerwise", .target = &target, .plan = {.policy = POLICY_LAYERWISE}},
        {.what = "estimate, stream", .target = &target, .plan = {.policy = POLICY_STREAM}},
        {.what = "estimate, no latency model", .target = &target, .plan = {.policy = POLICY_INPLACE}},
        {.what = "estimate, with a latency model", .target = &timed, .plan = {.policy = POLICY_INPLACE}},
    };
    enum { WORKS = sizeof work / sizeof *work };
    Net *net = xmalloc(NETS * sizeof *net);
    uint64_t sum = 0; /* printed, so that nothing is left out */
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < NETS; i++) {
        Genotype g = genotype_sample(&space, i % 9, i / 9 % 12, &rng);
        genotype_expand(&space, &g, 1000, &net[i]);
    }
    for (int i = 0; i < WORKS; i++)
        sum += bench(net, &work[i]);
    bench_sweep(&space, &target);
    printf("mean arena %.0f bytes\n", (double)sum / NETS / ROUNDS / WORKS);
    free(net);
    return 0;
}
