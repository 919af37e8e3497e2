#include "estimator/estimator.h"

#include "tests/mcunet_space.h"
#include "tests/suite.h"

/* conv 3x3 3 -> 5, pointwise 5 -> 5, add, global pool, dense 5 -> 3 */
static Net example(void)
{
    Net net;
    net_begin(&net, 6, 6, 3);
    net_conv(&net, NET_IMAGE, 5, square(3), square(1), ACT_RELU6);
    net_pointwise(&net, 0, 5, ACT_NONE);
    net_add(&net, 1, 0);
    net_global_pool(&net, 2);
    net_dense(&net, 3, 3, ACT_NONE);
    return net;
}

TEST(flash_is_what_the_tables_take_on_a_32_bit_target)
{
    Net net = example();
    PlanSize layers = plan_size_of_layers(&net, &(PlanOptions){.small = true}), fewer = layers;
    uint32_t tables = 24 + 5 * 56 + 6 * 12 + 5 * 4;
    uint32_t weights = 136 + 28 + 16;             /* 135, 25 and 15, in words */
    uint32_t biases = 4 * 13, multipliers = 4 * 16, shifts = 16; /* 13 channels, 3 of the add */
    fewer.n_segments = 2;
    ck_assert_uint_eq(flash_of_model(&net, &layers),
                      tables + weights + biases + multipliers + shifts);
    ck_assert_uint_eq(flash_of_model(&net, &fewer), flash_of_model(&net, &layers) - 12);
}
END

/* The estimator's sizes are constants: here the target's compiler checks them. */
TEST(the_target_s_compiler_agrees_about_the_tables)
{
    if (system("command -v arm-none-eabi-gcc >/dev/null 2>&1") != 0) {
        printf("SKIPPED %s: arm-none-eabi-gcc is not there\n", __func__);
        return;
    }
    const char *check = "printf '%s\\n' '#include \"runtime/tb.h\"' "
                        "'_Static_assert(sizeof(TbModel) == 24, \"TbModel\");' "
                        "'_Static_assert(sizeof(TbOp) == 56, \"TbOp\");' "
                        "'_Static_assert(sizeof(TbTensor) == 12, \"TbTensor\");' "
                        "'_Static_assert(sizeof(TbSegment) == 4, \"TbSegment\");' "
                        "| arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -I. -xc -fsyntax-only -";
    ck_assert_int_eq(system(check), 0);
}
END

TEST(code_is_counted_once_an_operator)
{
    Net net = example();
    CodeSize code = {.run = 1000};
    for (int op = 0; op < N_OPS; op++)
        code.kernel[op] = 1u << op;
    net_dense(&net, 4, 3, ACT_NONE); /* a second dense */
    uint32_t used = 1u << OP_CONV | 1u << OP_POINTWISE | 1u << OP_ADD | 1u << OP_DENSE |
                    1u << OP_AVG_POOL; /* whose kernel is the global pool's too */
    PlanSize size = plan_size_of_layers(&net, &(PlanOptions){.small = true});
    ck_assert_uint_eq(flash_of_code(&code, &size), 1000 + used);
    size = plan_size_of_layers(&net, &(PlanOptions){.small = true, .image_outside = true});
    code.kernel[STEP_INPUT] = 77;
    ck_assert_uint_eq(flash_of_code(&code, &size), 1000 + used + 77);
    code.tile = 5000; /* shared by two kernels of pairs, and by no small one */
    ck_assert_uint_eq(flash_of_tile(&code, &size), 0);
    size = plan_size_of_layers(&net, &(PlanOptions){0});
    ck_assert(size.steps >> STEP_CONV_PAIRS & 1 && size.steps >> STEP_POINTWISE_PAIRS & 1);
    uint32_t apart = 0;
    for (int s = 0; s < N_STEPS; s++)
        apart += size.steps >> s & 1 ? code.kernel[s] : 0;
    ck_assert_uint_eq(flash_of_code(&code, &size), 1000 + 5000 + apart);
}
END

TEST(stack_is_the_most_of_the_kernels_that_are_used)
{
    Net net;
    CodeSize code = {.stack = 900};
    net_begin(&net, 8, 8, 3);
    net_dense(&net, net_conv(&net, NET_IMAGE, 4, square(3), square(1), ACT_NONE), 2, ACT_NONE);
    PlanSize size = plan_size_of_layers(&net, &(PlanOptions){.small = true});
    code.kernel_stack[OP_CONV] = 700;
    code.kernel_stack[OP_DENSE] = 600;
    code.kernel_stack[OP_ADD] = 800;
    ck_assert_uint_eq(stack_of_code(&code, &size), 700);
    code.kernel_stack[OP_CONV] = 0; /* not known */
    ck_assert_uint_eq(stack_of_code(&code, &size), 900);
}
END

TEST(a_cost_is_the_sum_of_what_each_part_says)
{
    Space space = mcunet_space();
    Rng rng = rng_make(1, 0);
    Target target = {.code = {.run = 500, .kernel = {[OP_CONV] = 300, [OP_MAX_POOL] = 7}},
                     .latency = {.unit = "cycles", .fixed = 40}};
    target.latency.weight[OP_POINTWISE][FEATURE_MAC] = 2;
    for (int i = 0; i < 100; i++) {
        Net net;
        Plan plan;
        Genotype g = genotype_sample(&space, i % 9, i % 12, &rng);
        genotype_expand(&space, &g, 10, &net);
        PlanOptions o = {.policy = (uint8_t)(i % N_POLICIES), .image_outside = i % 3 == 0,
                         .small = true};
        plan_make(&net, &o, &plan);
        PlanSize size = plan_size(&net, &plan);
        Cost cost = estimate(&net, &target, &o);
        ck_assert_uint_eq(cost.sram, plan.arena);
        ck_assert_uint_eq(cost.macs, plan_macs(&net, &plan));
        ck_assert_uint_eq(cost.model_flash, flash_of_model(&net, &size));
        ck_assert_uint_eq(cost.flash, cost.model_flash + 800);
        double cycles = 40;
        for (int l = 0; l < net.n_layers; l++)
            if (net.layer[l].op == OP_POINTWISE)
                cycles += 2.0 * (double)layer_macs(&net.layer[l]) * plan_work(&net, &plan, l);
        ck_assert_double_eq_tol(cost.latency, cycles, 1e-9 * cycles);
    }
}
END

/* By hand: 6 MHz make 3,000,000 cycles in half a second, at 20 mW. */
TEST(energy_is_power_times_time_where_cycles_clock_and_power_are_known)
{
    Target t = {.clock_hz = 6000000, .active_mw = 20, .latency = {.unit = "cycles", .fixed = 3e6}};
    PlanOptions options[] = {{.policy = POLICY_INPLACE}, {.policy = POLICY_STREAM}};
    Net net;
    net_begin(&net, 4, 4, 4);
    net_add(&net, NET_IMAGE, NET_IMAGE);
    ck_assert_double_eq_tol(target_ms(&t, 3e6), 500, 1e-9);
    for (int i = 0; i < 2; i++)
        ck_assert_double_eq_tol(estimate(&net, &t, &options[i]).energy, 10, 1e-9);
    Target lacks[] = {t, t, t};
    lacks[0].clock_hz = 0;
    lacks[1].active_mw = 0;
    strcpy(lacks[2].latency.unit, "instructions"); /* they have no duration */
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq(estimate(&net, &lacks[i], &options[0]).energy, 0);
    ck_assert_double_eq(target_ms(&lacks[2], 3e6), 0);
}
END

TEST(a_limit_is_the_last_value_that_fits_and_zero_is_none)
{
    Cost cost = {.sram = 10, .flash = 20, .macs = 30, .latency = 40, .energy = 50};
    Limits exact = {10, 20, 30, 40, 50}, none = {0};
    Limits tight[] = {{.sram = 9}, {.flash = 19}, {.macs = 29}, {.latency = 39.9}, {.energy = 49.9}};
    ck_assert(cost_fits(&cost, &exact));
    ck_assert(cost_fits(&cost, &none));
    for (int i = 0; i < 5; i++)
        ck_assert(!cost_fits(&cost, &tight[i]));
}
END

SUITE(estimator, flash_is_what_the_tables_take_on_a_32_bit_target,
      the_target_s_compiler_agrees_about_the_tables, code_is_counted_once_an_operator,
      stack_is_the_most_of_the_kernels_that_are_used,
      a_cost_is_the_sum_of_what_each_part_says,
      energy_is_power_times_time_where_cycles_clock_and_power_are_known,
      a_limit_is_the_last_value_that_fits_and_zero_is_none)
