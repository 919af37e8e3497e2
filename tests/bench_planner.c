/* What the planner finds, and how long it takes: one figure a line,
 *     planner <what> <value> <unit>
 * "reference": what the prototype found whose sizes were published with the theory. One thread. */
#include "base/log.h"
#include "estimator/estimator.h"
#include "estimator/stream.h"

#include "tests/mcunet_space.h"
#include "tests/planner_nets.h"

#include <stdlib.h>

enum { NETS = 1000, ROUNDS = 5 };

/* The theory's tables count no scratch: kernels that want none. */
static const PlanOptions small_outside = {.policy = POLICY_STREAM, .image_outside = true,
                                          .small = true};

static void show_bytes(const char *name, const char *what, uint32_t bytes, uint32_t reference)
{
    printf("planner %s-%s %u bytes\n", name, what, bytes);
    printf("planner %s-%s-reference %u bytes\n", name, what, reference);
}

static uint32_t arena(const Net *net, bool outside)
{
    PlanOptions o = {.policy = POLICY_STREAM, .image_outside = outside, .small = true};
    return plan_arena(net, &o);
}

static void show_net(const PlannerNet *p)
{
    Net net;
    p->build(&net);
    printf("planner %s-macs %.3f M\n", p->name, 1e-6 * (double)net_macs(&net));
    show_bytes(p->name, "once", arena(&net, true), p->once);
    show_bytes(p->name, "5-percent-more", stream_sram(&net, &small_outside, 0.05), p->more5);
    show_bytes(p->name, "10-percent-more", stream_sram(&net, &small_outside, 0.10), p->more10);
    show_bytes(p->name, "25-percent-more", stream_sram(&net, &small_outside, 0.25), p->more25);
    show_bytes(p->name, "resident", arena(&net, false), p->resident);
}

static Net *random_nets(void)
{
    Space space = mcunet_space();
    Rng rng = rng_make(1, 0);
    Net *nets = malloc(NETS * sizeof *nets);
    for (int i = 0; i < NETS; i++) {
        Genotype g = genotype_sample(&space, i % space.n_widths,
                                     i / space.n_widths % space.n_resolutions, &rng);
        genotype_expand(&space, &g, 1000, &nets[i]);
    }
    return nets;
}

/* The fastest of a few rounds over all networks, in microseconds a network. share: of each
 * network's own least arena without computing twice, as the budget; 0: none. */
static double time_plans(const Net *nets, const PlanOptions *options, double share)
{
    uint32_t budget[NETS], sum = 0;
    double best = 1e9;
    for (int i = 0; i < NETS; i++)
        budget[i] = share > 0 ? (uint32_t)(share * plan_arena(&nets[i], options)) : 0;
    for (int r = 0; r < ROUNDS; r++) {
        double start = clock_seconds();
        for (int i = 0; i < NETS; i++) {
            PlanOptions o = *options;
            Plan plan;
            o.sram = budget[i];
            plan_make(&nets[i], &o, &plan);
            sum += plan.arena;
        }
        double took = clock_seconds() - start;
        best = took < best ? took : best;
    }
    return sum ? 1e6 * best / NETS : 0;
}

static void show_estimates(const Net *nets)
{
    Target target = {.name = "none"};
    for (int policy = 0; policy < N_POLICIES; policy++) {
        PlanOptions o = {.policy = (uint8_t)policy};
        uint64_t sum = 0;
        double best = 1e9;
        for (int r = 0; r < (policy <= POLICY_INPLACE ? 100 : ROUNDS); r++) {
            double start = clock_seconds();
            for (int i = 0; i < NETS; i++)
                sum += estimate(&nets[i], &target, &o).sram;
            double took = clock_seconds() - start;
            best = took < best ? took : best;
        }
        printf("planner estimate-%s %.0f networks/s\n", policy_name((Policy)policy),
               sum ? NETS / best : 0);
    }
}

int main(void)
{
    for (int i = 0; i < N_PLANNER_NETS; i++)
        show_net(&planner_nets[i]);
    Net *nets = random_nets();
    PlanOptions o = {.policy = POLICY_STREAM, .image_outside = true};
    printf("planner least-peak %.1f us\n", time_plans(nets, &o, 0));
    printf("planner least-work-in-90-percent %.1f us\n", time_plans(nets, &o, 0.9));
    printf("planner least-work-in-75-percent %.1f us\n", time_plans(nets, &o, 0.75));
    show_estimates(nets);
    free(nets);
    return 0;
}
