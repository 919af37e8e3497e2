#include "calibration/calibration_nets.h"

#include "base/error.h"
#include "estimator/plan.h"

#include "tests/suite.h"

#include <string.h>

/* And under the plans of cli/cmd_calibrate.c every step. */
TEST(a_few_networks_have_every_operator_and_step)
{
    uint32_t steps = 0;
    for (int i = 0; i < 60; i++) {
        Rng rng = rng_make(1, (uint64_t)i);
        Net net;
        calibration_net(&net, &rng);
        ck_assert_msg(net_check(&net) == 0, "%s", error_text());
        for (int l = 0; l < net.n_layers; l++)
            steps |= 1u << net.layer[l].op;
        for (int half = 0; half < 2; half++) {
            PlanOptions o = {.policy = POLICY_STREAM, .image_outside = i % 2};
            Plan plan;
            o.sram = half ? plan_arena(&net, &o) / 2 : 0;
            plan_make(&net, &o, &plan);
            steps |= plan_size(&net, &plan).steps;
        }
    }
    ck_assert_uint_eq(steps, (1u << N_STEPS) - 1);
}
END

TEST(one_operator_stands_alone)
{
    for (int op = 0; op < N_OPS; op++) {
        Net net;
        calibration_operator(&net, (Op)op);
        ck_assert_msg(net_check(&net) == 0, "%s", error_text());
        ck_assert_int_eq(net_output(&net)->op, op);
        ck_assert_int_eq(net.n_layers, op == OP_GATE ? 2 : 1);
    }
}
END

TEST(models_can_be_run_and_repeat)
{
    for (int i = 0; i < 20; i++) {
        Rng rng = rng_make(2, (uint64_t)i), again = rng;
        Net net, other;
        QModel q, r;
        calibration_net(&net, &rng);
        calibration_net(&other, &again);
        ck_assert_mem_eq(&net, &other, sizeof net);
        ck_assert_msg(calibration_model(&net, &rng, &q) == 0, "%s", error_text());
        ck_assert_int_eq(calibration_model(&net, &again, &r), 0);
        ck_assert_int_eq(qmodel_check(&q), 0);
        for (int l = 0; l < net.n_layers; l++) {
            uint32_t bytes = layer_constants(&net.layer[l]);
            if (bytes > 0)
                ck_assert_mem_eq(q.layer[l].weights, r.layer[l].weights, bytes);
        }
        qmodel_release(&q);
        qmodel_release(&r);
    }
}
END

SUITE(calibration_nets, a_few_networks_have_every_operator_and_step, one_operator_stands_alone,
      models_can_be_run_and_repeat)
