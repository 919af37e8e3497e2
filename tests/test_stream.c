#include "estimator/estimator.h"
#include "estimator/stream.h"

#include "tests/mcunet_space.h"
#include "tests/planner_nets.h"
#include "tests/suite.h"

#include <string.h>

/* The theory's tables count no scratch: kernels that want none. */
static const PlanOptions small_outside = {.policy = POLICY_STREAM, .image_outside = true,
                                          .small = true};

static uint32_t arena(const Net *net, bool outside, uint32_t sram)
{
    PlanOptions o = {.policy = POLICY_STREAM, .image_outside = outside, .small = true,
                     .sram = sram};
    return plan_arena(net, &o);
}

/* The table's rings are not aligned; ours may take 3 bytes a ring more. */
static void at_most(const char *net, const char *what, uint32_t bytes, uint32_t reference)
{
    ck_assert_msg(bytes <= reference + 12, "%s, %s: %u bytes, the reference has %u", net, what, bytes,
                  reference);
}

TEST(plans_are_no_larger_than_the_published_ones)
{
    for (int i = 0; i < N_PLANNER_NETS; i++) {
        const PlannerNet *p = &planner_nets[i];
        Net net;
        p->build(&net);
        ck_assert_uint_eq(arena(&net, true, 0), p->once);
        at_most(p->name, "image resident", arena(&net, false, 0), p->resident);
        at_most(p->name, "5 % more work", stream_sram(&net, &small_outside, 0.05), p->more5);
        at_most(p->name, "10 % more work", stream_sram(&net, &small_outside, 0.10), p->more10);
        at_most(p->name, "25 % more work", stream_sram(&net, &small_outside, 0.25), p->more25);
    }
}
END

TEST(asking_for_the_bytes_gives_the_plan)
{
    for (int i = 0; i < N_PLANNER_NETS; i++) {
        Net net;
        Plan plan;
        planner_nets[i].build(&net);
        uint32_t sram = stream_sram(&net, &small_outside, 0.10);
        PlanOptions o = small_outside;
        o.sram = sram;
        plan_make(&net, &o, &plan);
        ck_assert_uint_le(plan.arena, sram);
        ck_assert(plan_macs(&net, &plan) <= 1.1001 * (double)net_macs(&net));
    }
}
END

TEST(the_front_goes_down_in_bytes_and_up_in_work)
{
    enum { MOST = 512 };
    static StreamPoint point[MOST];
    Net net;
    build_mbv2_035_144(&net);
    int n = stream_front(&net, &small_outside, point, MOST);
    ck_assert_int_gt(n, 10);
    ck_assert_uint_eq(point[0].arena, 27216);
    ck_assert_uint_eq(point[0].macs, net_macs(&net));
    for (int i = 1; i < n; i++) {
        ck_assert_uint_lt(point[i].arena, point[i - 1].arena);
        ck_assert_uint_gt(point[i].macs, point[i - 1].macs);
    }
    ck_assert_uint_lt(point[n - 1].arena, 9000);
}
END

static Net random_mcunet(const Space *space, int i, Rng *rng)
{
    Net net;
    Genotype g = genotype_sample(space, i % space->n_widths, i / 9 % space->n_resolutions, rng);
    genotype_expand(space, &g, 10, &net);
    return net;
}

/* Two buffers alive in one segment share bytes only as an output over the segment's input does,
 * or rows that are read at once. */
static void check_places(const Net *net, const Plan *plan)
{
    uint32_t most = 0;
    for (int s = 0; s < plan->n_segments; s++) {
        uint32_t live = plan_live(plan, net, s);
        most = live > most ? live : most;
        ck_assert_uint_le(live, plan->arena);
    }
    for (int t = 0; t <= net->n_layers; t++) {
        const PlanTensor *p = &plan->tensor[t];
        ck_assert_uint_le(p->offset + p->bytes, plan->arena);
        ck_assert_uint_eq(p->offset % PLAN_ALIGN, 0);
        if (p->move != PLAN_STAYS)
            ck_assert_uint_le(p->moved + p->bytes, plan->arena);
    }
}

TEST(every_layer_is_in_one_segment_and_every_buffer_in_the_arena)
{
    Space space = mcunet_space();
    Rng rng = rng_make(5, 0);
    for (int i = 0; i < 200; i++) {
        Net net = random_mcunet(&space, i, &rng);
        Plan plan;
        uint32_t least = arena(&net, i % 2, 0);
        PlanOptions o = {.policy = POLICY_STREAM, .image_outside = i % 2,
                         .sram = i % 3 ? 0 : least * 3 / 4};
        plan_make(&net, &o, &plan);
        int next = 0;
        for (int s = 0; s < plan.n_segments; s++) {
            ck_assert_int_eq(plan.segment[s].first, next);
            next += plan.segment[s].n;
        }
        ck_assert_int_eq(next, net.n_layers);
        check_places(&net, &plan);
        ck_assert(o.sram == 0 || plan.arena <= o.sram || plan.arena == least);
    }
}
END

static bool has_kernels(const Net *net, const Plan *plan, bool small)
{
    for (int i = 0; i < net->n_layers; i++)
        if (plan_kernel(&net->layer[i], false) != net->layer[i].op &&
            (plan->kernel[i] == net->layer[i].op) == small)
            return true;
    return false;
}

/* Down to where no plan fits: at first all kernels have their scratch, then only where it is free. */
TEST(kernels_go_without_scratch_before_nothing_fits)
{
    Space space = mcunet_space();
    Rng rng = rng_make(8, 0);
    int pairs = 0, mixed = 0;
    for (int i = 0; i < 40; i++) {
        Net net = random_mcunet(&space, i, &rng);
        PlanOptions o = {.policy = POLICY_STREAM, .image_outside = true}, small = small_outside;
        Plan plan, without;
        o.sram = plan_arena(&net, &o);
        for (;;) {
            small.sram = o.sram;
            plan_make(&net, &o, &plan);
            plan_make(&net, &small, &without);
            ck_assert(plan.arena <= o.sram || without.arena > o.sram);
            if (plan.arena > o.sram)
                break;
            pairs += !has_kernels(&net, &plan, true);
            mixed += has_kernels(&net, &plan, true) && has_kernels(&net, &plan, false);
            o.sram = plan.arena - 4;
        }
    }
    ck_assert_int_gt(pairs, 40);
    ck_assert_int_gt(mixed, 20);
}
END

TEST(less_memory_costs_more_work_and_nothing_else)
{
    Space space = mcunet_space();
    Rng rng = rng_make(6, 0);
    for (int i = 0; i < 60; i++) {
        Net net = random_mcunet(&space, i, &rng);
        uint32_t least = arena(&net, true, 0);
        double work = 1;
        for (int share = 100; share >= 50; share -= 10) {
            PlanOptions o = {.policy = POLICY_STREAM, .image_outside = true, .small = true,
                             .sram = (uint32_t)((uint64_t)least * (uint64_t)share / 100)};
            Plan plan;
            plan_make(&net, &o, &plan);
            double now = (double)plan_macs(&net, &plan) / (double)net_macs(&net);
            if (plan.arena > o.sram) /* nothing fits */
                break;
            ck_assert_msg(now >= work - 0.002, "%d %%: %g after %g", share, now, work);
            work = now;
        }
    }
}
END

TEST(streaming_never_takes_more_than_layer_by_layer)
{
    Space space = mcunet_space();
    Rng rng = rng_make(7, 0);
    for (int i = 0; i < 300; i++) {
        Net net = random_mcunet(&space, i, &rng);
        PlanOptions inplace = {.policy = POLICY_INPLACE};
        ck_assert_uint_le(arena(&net, false, 0), plan_arena(&net, &inplace));
        ck_assert_uint_le(arena(&net, true, 0), arena(&net, false, 0));
    }
}
END

SUITE(stream, plans_are_no_larger_than_the_published_ones, asking_for_the_bytes_gives_the_plan,
      the_front_goes_down_in_bytes_and_up_in_work,
      every_layer_is_in_one_segment_and_every_buffer_in_the_arena,
      kernels_go_without_scratch_before_nothing_fits,
      less_memory_costs_more_work_and_nothing_else,
      streaming_never_takes_more_than_layer_by_layer)
