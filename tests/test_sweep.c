#include "search/sweep.h"

#include "tests/mcunet_space.h"
#include "tests/suite.h"

static SweepOptions options(void)
{
    return (SweepOptions){.samples = 120, .min_feasible = 6, .n_classes = 1000, .threads = 1,
                          .seed = 1, .plan = {.policy = POLICY_INPLACE}};
}

static void run(const Limits *limits, const SweepOptions *o, Sweep *sweep)
{
    Space space = mcunet_space();
    Target target = {.name = "none"};
    sweep_run(&space, &target, limits, o, sweep);
}

TEST(any_number_of_threads_finds_the_same)
{
    static Sweep one, two;
    Limits limits = {.sram = 224 * 1024, .flash = 960 * 1024};
    SweepOptions o = options();
    run(&limits, &o, &one);
    o.threads = 2;
    run(&limits, &o, &two);
    ck_assert_mem_eq(&one, &two, sizeof one);
    o.seed = 2;
    run(&limits, &o, &two);
    ck_assert_mem_ne(&one, &two, sizeof one);
}
END

TEST(the_chosen_space_has_the_largest_mean_of_those_that_count)
{
    static Sweep sweep;
    Limits limits = {.sram = 288 * 1024, .flash = 960 * 1024};
    SweepOptions o = options();
    run(&limits, &o, &sweep);
    ck_assert_int_eq(sweep.n, 108);
    ck_assert_int_ge(sweep.best, 0);
    const SweepRow *best = &sweep.row[sweep.best];
    int left_out = 0;
    for (int i = 0; i < sweep.n; i++) {
        const SweepRow *row = &sweep.row[i];
        ck_assert_int_eq(row->width, i / 12);
        ck_assert_int_eq(row->resolution, i % 12);
        ck_assert_int_eq(row->samples, 120);
        if (row->feasible >= 6)
            ck_assert_double_le(row->mean_macs, best->mean_macs);
        left_out += row->feasible < 6 && row->mean_macs > best->mean_macs;
    }
    ck_assert_int_ge(best->feasible, 6);
    o.min_feasible = 0;
    run(&limits, &o, &sweep);
    ck_assert_int_eq(sweep.row[sweep.best].mean_macs > best->mean_macs, left_out > 0);
}
END

TEST(the_best_resolution_is_searched_with_the_nearest_that_count)
{
    static Sweep sweep;
    Limits limits = {.sram = 288 * 1024, .flash = 960 * 1024};
    SweepOptions o = options();
    run(&limits, &o, &sweep);
    ck_assert_int_eq(sweep.resolutions.n, 1);
    ck_assert_int_eq(sweep.resolutions.value[0], sweep.row[sweep.best].resolution);
    for (o.resolutions = 2; o.resolutions <= SPACE_MAX_CHOICES; o.resolutions++) {
        run(&limits, &o, &sweep);
        const SweepRow *best = &sweep.row[sweep.best];
        int chosen = 0, count = 0;
        for (int i = 0; i < sweep.n; i++) {
            const SweepRow *row = &sweep.row[i];
            bool counts = row->width == best->width && row->feasible >= 6;
            ck_assert(!sweep_chose(&sweep, row) || counts);
            chosen += sweep_chose(&sweep, row);
            count += counts;
        }
        ck_assert(sweep_chose(&sweep, best));
        ck_assert_int_eq(chosen, sweep.resolutions.n);
        ck_assert_int_eq(chosen, count < o.resolutions ? count : o.resolutions);
    }
}
END

TEST(without_limits_everything_fits_and_the_largest_wins)
{
    static Sweep sweep;
    Limits none = {0};
    SweepOptions o = options();
    o.samples = 40;
    run(&none, &o, &sweep);
    ck_assert_int_eq(sweep.best, 107);
    for (int i = 0; i < sweep.n; i++) {
        const SweepRow *row = &sweep.row[i];
        ck_assert_int_eq(row->feasible, 40);
        for (int q = 1; q < SWEEP_CDF; q++)
            ck_assert_double_ge(row->cdf[q], row->cdf[q - 1]);
        ck_assert_double_gt(row->mean_macs, row->cdf[0]);
        ck_assert_double_lt(row->mean_macs, row->cdf[SWEEP_CDF - 1]);
    }
}
END

/* Drawn and judged one by one, as the header says. */
TEST(mean_and_quantiles_are_those_of_the_fitting_samples)
{
    Space space = mcunet_space();
    static Sweep sweep;
    Target target = {.name = "none"};
    Limits limits = {.macs = 20000000};
    SweepOptions o = options();
    o.samples = 1;
    o.min_feasible = 1;
    sweep_run(&space, &target, &limits, &o, &sweep);
    for (int i = 0; i < sweep.n; i++) { /* of one sample all quantiles are the mean */
        const SweepRow *row = &sweep.row[i];
        ck_assert_double_le(row->mean_macs, 20000000);
        ck_assert_int_eq(row->feasible, row->mean_macs > 0);
        for (int q = 0; q < SWEEP_CDF; q++)
            ck_assert_double_eq(row->cdf[q], row->mean_macs);
    }
    o.samples = 21; /* a sample a quantile, so the mean of the quantiles is the mean */
    sweep_run(&space, &target, &(Limits){0}, &o, &sweep);
    for (int i = 0; i < sweep.n; i++) {
        double sum = 0;
        for (int q = 0; q < SWEEP_CDF; q++)
            sum += sweep.row[i].cdf[q];
        ck_assert_double_eq_tol(sum / SWEEP_CDF, sweep.row[i].mean_macs, 1);
    }
}
END

TEST(when_nothing_fits_there_is_no_best)
{
    static Sweep sweep;
    Limits limits = {.sram = 1000};
    SweepOptions o = options();
    o.samples = 10;
    o.min_feasible = 0;
    run(&limits, &o, &sweep);
    ck_assert_int_eq(sweep.best, -1);
    for (int i = 0; i < sweep.n; i++) {
        ck_assert_int_eq(sweep.row[i].feasible, 0);
        ck_assert_double_eq(sweep.row[i].mean_macs, 0);
    }
}
END

/* One choice a gene, so that the network of a pair is known. */
static void one_network_a_space(Space *space)
{
    for (int s = 0; s < space->n_stages; s++)
        space->stage[s].kernel.n = space->stage[s].expansion.n = space->stage[s].depth.n = 1;
}

/* All nets of a space with one choice a gene are one net: all rows of a width tie. */
TEST(of_equals_the_first_is_chosen)
{
    Space space = mcunet_space();
    static Sweep sweep;
    Target target = {.name = "none"};
    one_network_a_space(&space);
    space.n_widths = space.n_resolutions = 3;
    for (int i = 0; i < 3; i++) {
        space.width[i] = 0.5;
        space.resolution[i] = (Resolution){64, 64};
    }
    SweepOptions o = options();
    sweep_run(&space, &target, &(Limits){0}, &o, &sweep);
    ck_assert_int_eq(sweep.n, 9);
    ck_assert_int_eq(sweep.best, 0);
    ck_assert_double_eq(sweep.row[8].mean_macs, sweep.row[0].mean_macs);
}
END

static void count_up(void *ctx, int done)
{
    int *last = ctx;
    ck_assert_int_eq(done, *last + 1);
    *last = done;
}

TEST(progress_is_told_after_each_space_whatever_the_threads)
{
    static Sweep quiet, told;
    Limits limits = {.sram = 288 * 1024, .flash = 960 * 1024};
    SweepOptions o = options();
    o.samples = 5;
    run(&limits, &o, &quiet);
    for (o.threads = 1; o.threads <= 4; o.threads++) {
        int last = 0;
        o.progress = count_up;
        o.ctx = &last;
        run(&limits, &o, &told);
        ck_assert_int_eq(last, 108);
        ck_assert_mem_eq(&told, &quiet, sizeof told);
    }
}
END

/* In 60 % of the least arena without it, where that is possible at all. */
TEST(what_a_plan_computes_twice_is_no_capacity)
{
    Space space = mcunet_space();
    static Sweep sweep;
    Target target = {.name = "none"};
    SweepOptions o = options();
    int squeezed = 0;
    one_network_a_space(&space);
    o.samples = o.min_feasible = 1;
    for (int r = 2; r < 12; r += 3) {
        Net net;
        Rng rng = rng_make(1, 0);
        Genotype g = genotype_sample(&space, 8, r, &rng);
        genotype_expand(&space, &g, 10, &net);
        PlanOptions once = {.policy = POLICY_STREAM, .image_outside = true}, twice = once;
        Limits limits = {.sram = estimate(&net, &target, &once).sram * 6 / 10};
        twice.sram = (uint32_t)limits.sram;
        Cost cost = estimate(&net, &target, &twice);
        if (!cost_fits(&cost, &limits))
            continue;
        squeezed++;
        ck_assert_uint_gt(cost.macs, net_macs(&net));
        o.n_classes = 10;
        o.plan = twice;
        sweep_run(&space, &target, &limits, &o, &sweep);
        ck_assert_double_eq(sweep.row[8 * 12 + r].mean_macs, (double)net_macs(&net));
    }
    ck_assert_int_gt(squeezed, 0);
}
END

/* Every sample drawn, planned and judged, with the random numbers sweep_run() gives it. */
TEST(what_is_left_unplanned_would_not_have_fitted)
{
    Space space = mcunet_space();
    static Sweep sweep;
    Target target = {.name = "none", .code = {.run = 20000}};
    Limits limits[] = {
        {.flash = 400 * 1024}, {.macs = 30000000}, {.flash = 300 * 1024, .sram = 100000}};
    SweepOptions o = options();
    o.samples = 20;
    for (int k = 0; k < 3; k++) {
        sweep_run(&space, &target, &limits[k], &o, &sweep);
        for (int i = 0; i < sweep.n; i++) {
            int fit = 0, pair = i / 12 * SPACE_MAX_RESOLUTIONS + i % 12;
            for (int s = 0; s < o.samples; s++) {
                Net net;
                Rng rng = rng_make(rng_stream(o.seed, (uint64_t)pair), (uint64_t)s);
                Genotype g = genotype_sample(&space, i / 12, i % 12, &rng);
                genotype_expand(&space, &g, o.n_classes, &net);
                Cost cost = estimate(&net, &target, &o.plan);
                fit += cost_fits(&cost, &limits[k]);
            }
            ck_assert_int_eq(sweep.row[i].feasible, fit);
        }
    }
}
END

SUITE(sweep, any_number_of_threads_finds_the_same,
      the_chosen_space_has_the_largest_mean_of_those_that_count,
      the_best_resolution_is_searched_with_the_nearest_that_count,
      without_limits_everything_fits_and_the_largest_wins,
      mean_and_quantiles_are_those_of_the_fitting_samples, when_nothing_fits_there_is_no_best,
      of_equals_the_first_is_chosen, progress_is_told_after_each_space_whatever_the_threads,
      what_a_plan_computes_twice_is_no_capacity, what_is_left_unplanned_would_not_have_fitted)
