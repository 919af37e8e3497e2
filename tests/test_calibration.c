#include "calibration/calibration.h"

#include "tests/suite.h"
#include "tests/timed_plans.h"

#include <stdlib.h>
#include <string.h>

TEST(a_plan_follows_from_its_seed_and_number_and_has_a_hash_of_its_own)
{
    enum { N = 60 };
    static uint64_t hash[2 * N];
    TimedPlan *a = xcalloc(2, sizeof *a), *b = a + 1;
    for (int i = 0; i < 2 * N; i++) {
        timed_plan_init(a, (uint64_t)(1 + i / N), i % N);
        timed_plan_init(b, (uint64_t)(1 + i / N), i % N);
        ck_assert_mem_eq(&a->net, &b->net, sizeof a->net);
        ck_assert_mem_eq(&a->plan, &b->plan, sizeof a->plan);
        hash[i] = timed_plan_hash(a);
        ck_assert_uint_eq(hash[i], timed_plan_hash(b));
        for (int j = 0; j < i - i % CALIBRATION_PLANS; j++) /* both of a network may be the same */
            ck_assert(hash[i] != hash[j]);
        b->plan.segment[0].columns++;
        ck_assert(timed_plan_hash(b) != hash[i]);
    }
    free(a);
}
END

TEST(every_network_comes_layer_by_layer_and_once_otherwise)
{
    TimedPlan *a = xcalloc(2, sizeof *a);
    uint32_t policies = 0;
    for (int i = 0; i < 40; i++) {
        timed_plan_init(&a[0], 1, 2 * i);
        timed_plan_init(&a[1], 1, 2 * i + 1);
        ck_assert_mem_eq(&a[0].net, &a[1].net, sizeof a->net);
        ck_assert_int_eq(a[0].options.policy, POLICY_LAYERWISE);
        ck_assert_int_eq(a[0].plan.n_segments, a[0].net.n_layers);
        policies |= 1u << a[1].options.policy;
    }
    ck_assert_uint_eq(policies, 1u << POLICY_PATCH | 1u << POLICY_STREAM);
    free(a);
}
END

TEST(seventy_two_plans_have_every_kernel_and_two_say_what_they_lack)
{
    Rng rng = rng_make(1, 0);
    Latency l = known_latency(&rng);
    TimedPlan *t = timed_plans(1, 72, &l);
    uint32_t missing = calibration_missing(t, 72), of_two = calibration_missing(t, 2);
    ck_assert_uint_eq(missing, 0);
    ck_assert(of_two >> STEP_BLOCK & 1);
    ck_assert(!(of_two >> STEP_CONV_PAIRS & 1));
    free(t);
}
END

TEST(the_fit_finds_the_model_that_made_the_times)
{
    Rng rng = rng_make(2, 0);
    Latency truth = known_latency(&rng), fitted = {.unit = "cycles"};
    TimedPlan *t = timed_plans(1, 120, &truth), *other = timed_plans(9, 20, &truth);
    CalibrationErrors e = calibration_fit(&fitted, t, 120);
    ck_assert_int_eq(e.of[0].judged + e.of[1].judged, 120);
    ck_assert_double_lt(fitted.worst, 0.01);
    ck_assert_double_eq(fitted.fixed, 10);
    for (int i = 0; i < 20; i++)
        ck_assert_double_eq_tol(latency_plan(&fitted, &other[i].net, &other[i].plan) /
                                    (double)other[i].whole, 1, 0.01);
    free(t);
    free(other);
}
END

/* The networks of one fold take three times as long as all others: a fit that never saw them says
 * a third, and one that did would say more. */
TEST(a_plan_is_judged_by_a_fit_that_has_not_seen_its_network)
{
    enum { N = 120, FOLD = 2 };
    Rng rng = rng_make(3, 0);
    Latency truth = known_latency(&rng), fitted = {.unit = "cycles"};
    TimedPlan *t = timed_plans(1, N, &truth), *others = xcalloc(N, sizeof *others);
    int n = 0;
    for (int i = 0; i < N; i++) {
        if (i / CALIBRATION_PLANS % CALIBRATION_FOLDS == FOLD)
            give_times(&t[i], &truth, 3);
        else
            others[n++] = t[i];
    }
    calibration_fit(&fitted, others, n);
    double worst = 0;
    for (int i = 0; i < N; i++)
        if (i / CALIBRATION_PLANS % CALIBRATION_FOLDS == FOLD)
            worst = fmax(worst, fabs(latency_plan(&fitted, &t[i].net, &t[i].plan) /
                                         (double)t[i].whole - 1));
    ck_assert_double_eq_tol(worst, 2.0 / 3, 0.01);
    CalibrationErrors e = calibration_fit(&fitted, t, N);
    ck_assert_double_ge(fitted.worst, 2.0 / 3 - 0.01);
    ck_assert_double_le(e.of[0].mean, e.of[0].worst);
    free(others);
    free(t);
}
END

SUITE(calibration, a_plan_follows_from_its_seed_and_number_and_has_a_hash_of_its_own,
      every_network_comes_layer_by_layer_and_once_otherwise,
      seventy_two_plans_have_every_kernel_and_two_say_what_they_lack,
      the_fit_finds_the_model_that_made_the_times,
      a_plan_is_judged_by_a_fit_that_has_not_seen_its_network)
