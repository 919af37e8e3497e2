#include "search/hypervolume.h"

#include "base/rng.h"
#include "tests/suite.h"

#include <math.h>

enum { SIDE = 6, CELLS = SIDE * SIDE * SIDE * SIDE * SIDE };

/* Unit cells of a grid that some box covers. Gains are whole numbers up to SIDE. */
static int count_cells(const Gains *point, int n)
{
    int covered = 0;
    for (int cell = 0; cell < CELLS; cell++) {
        bool inside = false;
        for (int i = 0; i < n && !inside; i++) {
            inside = true;
            for (int k = 0, c = cell; k < PARETO_OBJECTIVES; k++, c /= SIDE)
                inside &= c % SIDE < point[i].gain[k];
        }
        covered += inside;
    }
    return covered;
}

/* The first few objectives are drawn, the others not compared: the gain of all cells is 1. */
static Gains random_gains(int objectives, Rng *rng)
{
    Gains g = {{1, 1, 1, 1, 1}};
    for (int k = 0; k < objectives; k++)
        g.gain[k] = 1 + rng_below(rng, SIDE);
    return g;
}

TEST(the_volume_is_the_number_of_cells_that_boxes_cover)
{
    Rng rng = rng_make(1, 0);
    for (int round = 0; round < 150; round++) {
        Gains point[24];
        Hypervolume h = {0};
        int n = 1 + round % 24;
        for (int i = 0; i < n; i++) {
            point[i] = random_gains(1 + round % PARETO_OBJECTIVES, &rng);
            double before = h.volume;
            bool grew = hypervolume_add(&h, &point[i]);
            ck_assert_int_eq(grew, h.volume > before + 0.5);
        }
        ck_assert_double_eq_tol(h.volume, count_cells(point, n), 1e-6);
        for (int i = 0; i < h.n; i++) /* the front alone has all of it */
            point[i] = h.front[i];
        ck_assert_double_eq_tol(h.volume, count_cells(point, h.n), 1e-6);
        hypervolume_release(&h);
    }
}
END

TEST(the_order_in_which_points_come_does_not_matter)
{
    Rng rng = rng_make(2, 0);
    for (int round = 0; round < 100; round++) {
        Gains point[40];
        int order[40];
        double volume[2];
        for (int i = 0; i < 40; i++) {
            order[i] = i;
            for (int k = 0; k < PARETO_OBJECTIVES; k++)
                point[i].gain[k] = rng_uniform(&rng) + 0.01;
        }
        for (int turn = 0; turn < 2; turn++) {
            Hypervolume h = {0};
            for (int i = 0; i < 40; i++)
                hypervolume_add(&h, &point[order[i]]);
            volume[turn] = h.volume;
            hypervolume_release(&h);
            rng_shuffle(&rng, order, 40);
        }
        ck_assert_double_eq_tol(volume[0], volume[1], 1e-9);
    }
}
END

TEST(who_is_not_better_than_the_reference_conquers_nothing)
{
    Hypervolume h = {0};
    const Gains none[] = {{{0, 1, 1, 1, 1}}, {{1, -1, -1, 1, 1}}, {{NAN, 1, 1, 1, 1}}};
    for (int i = 0; i < 3; i++)
        ck_assert(!hypervolume_add(&h, &none[i]));
    ck_assert_int_eq(h.n, 0);
    ck_assert(hypervolume_add(&h, &(Gains){{2, 3, 1, 1, 1}}));
    ck_assert(!hypervolume_add(&h, &(Gains){{2, 3, 1, 1, 1}}));
    ck_assert(hypervolume_add(&h, &(Gains){{4, 1, 1, 1, 1}}));
    ck_assert_double_eq(h.volume, 8); /* 2 x 3 and what is left of 4 x 1 */
    ck_assert_int_eq(h.n, 2);
    ck_assert(hypervolume_add(&h, &(Gains){{4, 3, 1, 1, 1}}));
    ck_assert_double_eq(h.volume, 12);
    ck_assert_int_eq(h.n, 1);
    hypervolume_release(&h);
}
END

SUITE(hypervolume, the_volume_is_the_number_of_cells_that_boxes_cover,
      the_order_in_which_points_come_does_not_matter,
      who_is_not_better_than_the_reference_conquers_nothing)
