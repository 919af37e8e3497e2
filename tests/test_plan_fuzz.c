#include "tests/random_plan.h"
#include "tests/suite.h"

/* Pairs of each kind, unless THIMBLE_FUZZ says how many; under a sanitizer a pair takes ten times
 * as long. */
#ifdef __SANITIZE_ADDRESS__
enum { PAIRS = 1000 };
#else
enum { PAIRS = 10000 };
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

SUITE(plan_fuzz, random_plans_give_the_bytes_of_layer_by_layer_in_exactly_their_arena,
      plans_of_every_policy_and_budget_do_too)
