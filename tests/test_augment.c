#include "dataset/augment.h"

#include "tests/suite.h"

#include <math.h>
#include <string.h>

enum { H = 9, W = 8, N = H * W * 3 };

typedef struct {
    float from[N], to[N];
} Pair;

static const PictureShape shape = {H, W, 3, -8, 8};

static void draw(Pair *p, uint64_t seed)
{
    Rng rng = rng_make(seed, 3);
    for (int i = 0; i < N; i++)
        p->from[i] = (float)rng_normal(&rng);
}

static Pair augmented(const Augment *a, uint64_t seed)
{
    Pair p;
    Rng rng = rng_make(seed, 5);
    draw(&p, seed);
    augment_picture(a, &rng, &shape, p.from, p.to);
    return p;
}

static double mean(const float *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)x[i];
    return sum / n;
}

static bool is_zero(const float *pixel)
{
    return pixel[0] == 0 && pixel[1] == 0 && pixel[2] == 0;
}

TEST(a_picture_of_which_nothing_is_asked_stays_as_it_is)
{
    Augment none = {0};
    Pair p = augmented(&none, 1);
    ck_assert_mem_eq(p.from, p.to, sizeof p.from);
}
END

TEST(a_picture_follows_from_its_generator_alone)
{
    Augment all = {3, true, 2, 2, true, true, 0.5, 2, 0.5, 0.5, 0.3, 30, 1, 0.5, 0.5, 0.5, 90, 0.2, 0.1, 3, 2, 0};
    Pair a = augmented(&all, 1), b = augmented(&all, 1), c = augmented(&all, 2);
    ck_assert_mem_eq(a.to, b.to, sizeof a.to);
    ck_assert_mem_ne(a.to, c.to, sizeof a.to);
}
END

/* The same on a picture of a quarter of the pixels as half the numbers say. */
TEST(pixels_are_those_of_the_picture_that_was_meant)
{
    Augment plain = {.crop = 2, .slide = 2, .cutout = 3, .mask_rows = 1, .mask_columns = 2, .blur = 1};
    Augment meant = {.crop = 4, .slide = 4, .cutout = 6, .mask_rows = 2, .mask_columns = 4, .blur = 2,
                     .whole = 4 * H * W};
    Augment same = plain;
    same.whole = H * W;
    for (uint64_t seed = 0; seed < 20; seed++) {
        Pair a = augmented(&plain, seed), b = augmented(&meant, seed), c = augmented(&same, seed);
        ck_assert_mem_eq(a.to, b.to, sizeof a.to);
        ck_assert_mem_eq(a.to, c.to, sizeof a.to);
        meant.whole = 0;
        b = augmented(&meant, seed);
        ck_assert_mem_ne(a.to, b.to, sizeof a.to);
        meant.whole = 4 * H * W;
    }
}
END

TEST(a_slide_moves_rows_and_the_edge_may_be_repeated)
{
    for (int round = 0; round < 40; round++) {
        Augment a = {.slide = 4, .edge = round % 2};
        Pair p = augmented(&a, (uint64_t)round);
        Rng rng = rng_make((uint64_t)round, 5);
        int dy = (int)rng_below(&rng, 9) - 4;
        for (int y = 0; y < H; y++) {
            int from = y - dy, near = from < 0 ? 0 : from >= H ? H - 1 : from;
            for (int i = 0; i < W * 3; i++)
                ck_assert(p.to[y * W * 3 + i] ==
                          (from == near || a.edge ? p.from[near * W * 3 + i] : 0));
        }
    }
}
END

/* Between pixels a plane is a plane: what is interpolated of it is known exactly. */
TEST(a_warped_plane_is_the_plane_where_each_pixel_came_from)
{
    float from[N], to[N];
    for (int i = 0; i < N; i++)
        from[i] = (float)(i / (W * 3) * 2 - i / 3 % W + i % 3);
    int inside = 0;
    for (int round = 0; round < 50; round++) {
        Augment a = {.zoom = 0.5, .stretch = round % 2 ? 0.4 : 0, .rotate = round % 3 ? 40 : 0};
        Rng rng = rng_make((uint64_t)round, 0), replay = rng;
        augment_picture(&a, &rng, &shape, from, to);
        double zoom = pow(1.5, 2 * rng_uniform(&replay) - 1);
        double stretch = a.stretch > 0 ? pow(1.4, 2 * rng_uniform(&replay) - 1) : 1;
        double angle = a.rotate > 0 ? 40 * (2 * rng_uniform(&replay) - 1) * acos(-1) / 180 : 0;
        for (int i = 0; i < H * W; i++) {
            double v = i / W - 4, u = i % W - 3.5;
            double y = 4 + (cos(angle) * v + sin(angle) * u) / (zoom * sqrt(stretch));
            double x = 3.5 + (cos(angle) * u - sin(angle) * v) * sqrt(stretch) / zoom;
            if (y < 0 || y > H - 1 || x < 0 || x > W - 1)
                continue;
            inside++;
            for (int j = 0; j < 3; j++)
                ck_assert_float_eq_tol(to[i * 3 + j], (float)(2 * y - x + j), 1e-4f);
        }
    }
    ck_assert_int_gt(inside, 50 * H * W / 2);
}
END

/* Distance of a colour from its gray, squared. */
static double chroma(const float *pixel)
{
    double gray = mean(pixel, 3), sum = 0;
    for (int j = 0; j < 3; j++)
        sum += ((double)pixel[j] - gray) * ((double)pixel[j] - gray);
    return sum;
}

TEST(colours_keep_their_gray_and_all_change_alike)
{
    Augment kinds[] = {{.hue = 180}, {.saturation = 1}, {.hue = 60, .saturation = 0.5}};
    for (int round = 0; round < 60; round++) {
        const Augment *a = &kinds[round % 3];
        Pair p = augmented(a, (uint64_t)round);
        double most = (1 + a->saturation) * (1 + a->saturation), first = -1;
        for (int i = 0; i < N; i += 3) {
            ck_assert_float_eq_tol((float)mean(p.from + i, 3), (float)mean(p.to + i, 3), 1e-5f);
            double ratio = chroma(p.to + i) / chroma(p.from + i);
            first = first < 0 ? ratio : first;
            ck_assert_msg(fabs(ratio / first - 1) < 1e-3, "%g, %g", ratio, first);
            ck_assert(ratio > 0.999 / most && ratio < 1.001 * most);
        }
        ck_assert_mem_ne(p.from, p.to, sizeof p.from);
    }
}
END

TEST(so_many_pictures_become_gray_as_were_asked_for)
{
    Augment a = {.gray = 0.25};
    int gray = 0;
    for (int round = 0; round < 400; round++) {
        Pair p = augmented(&a, (uint64_t)round);
        bool is_gray = chroma(p.to) < 1e-9;
        gray += is_gray;
        for (int i = 0; i < N; i++)
            ck_assert_float_eq_tol(p.to[i], is_gray ? (float)mean(p.from + i / 3 * 3, 3) : p.from[i],
                                   1e-5f);
    }
    ck_assert_int_gt(gray, 70);
    ck_assert_int_lt(gray, 130);
}
END

TEST(contrast_keeps_the_mean_and_brightness_moves_it)
{
    for (int round = 0; round < 50; round++) {
        Augment contrast = {.contrast = 1}, brightness = {.brightness = 0.5};
        Pair c = augmented(&contrast, (uint64_t)round), b = augmented(&brightness, (uint64_t)round);
        double middle = mean(c.from, N), gain = ((double)c.to[0] - middle) / ((double)c.from[0] - middle);
        float moved = b.to[0] - b.from[0];
        ck_assert(gain > 0.499 && gain < 2.001 && moved >= -0.5f && moved <= 0.5f);
        for (int i = 0; i < N; i++) {
            ck_assert_float_eq_tol(c.to[i], (float)(middle + gain * ((double)c.from[i] - middle)), 1e-4f);
            ck_assert_float_eq_tol(b.to[i] - b.from[i], moved, 1e-5f);
        }
    }
}
END

TEST(a_level_is_the_new_mean_whatever_the_old_one_was)
{
    float from[N], to[N];
    double lowest = 8, highest = -8;
    for (int round = 0; round < 100; round++) {
        Augment a = {.level = 2};
        Rng rng = rng_make((uint64_t)round, 0), replay = rng;
        for (int i = 0; i < N; i++)
            from[i] = (float)(round % 7 - 3 + 0.01 * (i % 50));
        augment_picture(&a, &rng, &shape, from, to);
        double level = mean(to, N);
        ck_assert_double_eq_tol(level, 4 * rng_uniform(&replay) - 2, 1e-5);
        ck_assert_float_eq_tol(to[9] - to[3], from[9] - from[3], 1e-5f);
        lowest = fmin(lowest, level);
        highest = fmax(highest, level);
    }
    ck_assert(lowest < -1.8 && highest > 1.8);
}
END

TEST(noise_is_no_larger_than_was_asked_for)
{
    Augment a = {.noise = 0.2};
    double largest = 0;
    for (int round = 0; round < 100; round++) {
        Pair p = augmented(&a, (uint64_t)round);
        double sum = 0;
        for (int i = 0; i < N; i++)
            sum += pow((double)p.to[i] - (double)p.from[i], 2);
        largest = fmax(largest, sqrt(sum / N));
    }
    ck_assert(largest > 0.15 && largest < 0.25);
}
END

TEST(masks_hide_neighbouring_rows_and_columns)
{
    int hidden_rows = 0, hidden_columns = 0;
    for (int round = 0; round < 100; round++) {
        Augment rows = {.mask_rows = 4}, columns = {.mask_columns = 3};
        Pair r = augmented(&rows, (uint64_t)round), c = augmented(&columns, (uint64_t)round);
        int n_rows = 0, n_columns = 0, edges = 0;
        for (int i = 0; i < H * W; i++) {
            bool dark = is_zero(r.to + i * 3), dark_c = is_zero(c.to + i * 3);
            n_rows += dark && i % W == 0;
            n_columns += dark_c && i < W;
            ck_assert(dark == is_zero(r.to + i / W * W * 3) && dark_c == is_zero(c.to + i % W * 3));
            ck_assert(dark || memcmp(r.to + i * 3, r.from + i * 3, 12) == 0);
            ck_assert(dark_c || memcmp(c.to + i * 3, c.from + i * 3, 12) == 0);
            edges += i % W == 0 && i > 0 && dark != is_zero(r.to + (i - W) * 3);
        }
        ck_assert(n_rows <= 4 && n_columns <= 3 && edges <= 2);
        hidden_rows += n_rows;
        hidden_columns += n_columns;
    }
    ck_assert_int_gt(hidden_rows, 120);   /* 2 a picture, less what falls over the edge */
    ck_assert_int_gt(hidden_columns, 90);
}
END

TEST(outside_a_spot_is_nothing_and_its_middle_stays)
{
    int faded = 0;
    for (int round = 0; round < 200; round++) {
        Augment a = {.spot = 0.5};
        Pair p = augmented(&a, (uint64_t)round);
        const float *old = p.from + (4 * W + 4) * 3, *middle = p.to + (4 * W + 4) * 3;
        bool all = memcmp(p.from, p.to, sizeof p.from) == 0;
        faded += !all;
        ck_assert(memcmp(old, middle, 12) == 0 && (all || fabsf(p.to[0]) < fabsf(p.from[0])));
        for (int i = 0; i < N; i++) { /* all approach 0, none passes it */
            float share = p.to[i] / p.from[i];
            ck_assert(share >= 0 && share <= 1);
        }
    }
    ck_assert(faded > 70 && faded < 130);
}
END

TEST(a_blurred_step_is_a_ramp_and_what_is_flat_stays)
{
    float from[N], to[N];
    int sharp = 0;
    for (int i = 0; i < N; i++)
        from[i] = i / 3 % W < 4 ? 0 : 9;
    for (int round = 0; round < 40; round++) {
        Augment a = {.blur = 1};
        Rng rng = rng_make((uint64_t)round, 1);
        const float ramp[] = {0, 0, 1, 3, 6, 8, 9, 9};
        augment_picture(&a, &rng, &shape, from, to);
        bool same = memcmp(from, to, sizeof from) == 0;
        sharp += same;
        for (int i = 0; i < N && !same; i++)
            ck_assert_float_eq_tol(to[i], ramp[i / 3 % W], 1e-4f);
    }
    ck_assert(sharp > 8 && sharp < 32);
}
END

TEST(a_negative_has_the_mean_of_its_picture)
{
    int negatives = 0;
    for (int round = 0; round < 100; round++) {
        Augment a = {.invert = 0.5};
        Pair p = augmented(&a, (uint64_t)round);
        double middle = mean(p.from, N);
        double sign = ((double)p.to[0] - middle) * ((double)p.from[0] - middle) > 0 ? 1 : -1;
        negatives += sign < 0;
        for (int i = 0; i < N; i++)
            ck_assert_float_eq_tol(p.to[i], (float)(middle + sign * ((double)p.from[i] - middle)), 1e-4f);
    }
    ck_assert(negatives > 30 && negatives < 70);
}
END

TEST(what_is_brighter_than_white_is_white)
{
    Augment a = {.brightness = 40};
    int white = 0, black = 0;
    for (int round = 0; round < 50; round++) {
        Pair p = augmented(&a, (uint64_t)round);
        for (int i = 0; i < N; i++) {
            ck_assert(p.to[i] >= -8 && p.to[i] <= 8);
            white += p.to[i] == 8;
            black += p.to[i] == -8;
        }
    }
    ck_assert(white > 10 * N && black > 10 * N);
}
END

TEST(what_comes_in_from_outside_may_have_any_gray)
{
    double low = 8, high = -8;
    for (int round = 0; round < 100; round++) {
        Augment a = {.crop = 12, .fill = true};
        Pair p = augmented(&a, (uint64_t)round);
        Rng rng = rng_make((uint64_t)round, 5);
        float gray = (float)(-8 + 16 * rng_uniform(&rng));
        int dy = (int)rng_below(&rng, 25) - 12, dx = (int)rng_below(&rng, 25) - 12;
        for (int i = 0; i < N; i++) {
            int y = i / 3 / W - dy, x = i / 3 % W - dx;
            bool inside = y >= 0 && y < H && x >= 0 && x < W;
            ck_assert(p.to[i] == (inside ? p.from[(y * W + x) * 3 + i % 3] : gray));
        }
        low = fmin(low, (double)gray);
        high = fmax(high, (double)gray);
    }
    ck_assert(low < -7 && high > 7);
}
END

SUITE(augment, a_picture_of_which_nothing_is_asked_stays_as_it_is,
      a_picture_follows_from_its_generator_alone, pixels_are_those_of_the_picture_that_was_meant,
      a_slide_moves_rows_and_the_edge_may_be_repeated,
      a_warped_plane_is_the_plane_where_each_pixel_came_from,
      colours_keep_their_gray_and_all_change_alike,
      so_many_pictures_become_gray_as_were_asked_for,
      contrast_keeps_the_mean_and_brightness_moves_it,
      a_level_is_the_new_mean_whatever_the_old_one_was, noise_is_no_larger_than_was_asked_for,
      outside_a_spot_is_nothing_and_its_middle_stays,
      a_blurred_step_is_a_ramp_and_what_is_flat_stays, a_negative_has_the_mean_of_its_picture,
      what_is_brighter_than_white_is_white, what_comes_in_from_outside_may_have_any_gray,
      masks_hide_neighbouring_rows_and_columns)
