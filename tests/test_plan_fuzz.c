#include "tests/random_plan.h"
#include "tests/suite.h"

/* Pairs of each kind, unless THIMBLE_FUZZ says how many; under a sanitizer a pair takes ten times
 * as long. */
#ifdef __SANITIZE_ADDRESS__
enum { PAIRS = 600 };
#else
enum { PAIRS = 6000 };
#endif

static int pairs(void)
{
    const char *asked = getenv("THIMBLE_FUZZ");
    return asked ? atoi(asked) : PAIRS;
}

TEST(random_plans_give_the_bytes_of_layer_by_layer_in_exactly_their_arena)
{
    for (int i = 0; i < pairs(); i++)
        ck_assert(plan_case((uint64_t)i, false));
}
END

TEST(plans_of_every_policy_and_budget_do_too)
{
    for (int i = 0; i < pairs(); i++)
        ck_assert(plan_case((uint64_t)i + PAIRS, true));
}
END

/* What the estimator prices is what is made, kernels and entries. */
TEST(the_tables_have_the_entries_the_estimator_counts)
{
    for (uint64_t i = 0; i < 2000; i++) {
        Rng rng = rng_make(i, 18);
        Net net;
        QModel q;
        Plan plan;
        Lowered t;
        uint32_t steps = 0;
        random_chain(&net, &rng);
        if (i % 2)
            random_plan(&net, &plan, &rng);
        else
            made_plan(&net, &plan, &rng);
        qmodel_init(&q, &net);
        ck_assert_msg(lower(&q, &plan, &t) == 0, "%s", error_text());
        PlanSize size = plan_size(&net, &plan);
        for (int op = 0; op < t.model.n_ops; op++)
            steps |= 1u << (t.op_from[op].step == OP_GLOBAL_POOL ? OP_AVG_POOL : t.op_from[op].step);
        ck_assert_uint_eq(size.n_ops, t.model.n_ops);
        ck_assert_uint_eq(size.n_tensors, t.model.n_tensors);
        ck_assert_uint_eq(size.n_segments, t.model.n_segments);
        for (int s = 0, entry = 0; s < plan.n_segments; s++)
            for (int n = plan_runs(&plan, s); n > 0; n--)
                ck_assert_int_eq(t.segment_from[entry++].segment, s);
        ck_assert_uint_eq(size.steps & ~steps, 0);
        ck_assert_uint_eq(steps & ~size.steps, 0);
        lowered_release(&t);
        qmodel_release(&q);
    }
}
END

SUITE(plan_fuzz, random_plans_give_the_bytes_of_layer_by_layer_in_exactly_their_arena,
      plans_of_every_policy_and_budget_do_too,
      the_tables_have_the_entries_the_estimator_counts)
