#define _GNU_SOURCE
#include "report/plot.h"

#include "base/rng.h"
#include "tests/suite.h"
#include "tests/well_formed.h"

#include <math.h>

TEST(the_reader_of_these_tests_knows_what_is_well_formed)
{
    const char *good[] = {"<a/>", "<a><b c=\"1\" d=\"&lt;\"/>x &amp; y<b></b></a>\n",
                          "<a>\xe2\x89\xa4</a>"};
    const char *bad[] = {"",           "x",          "<a>",        "<a></b>",       "<a/><a/>",
                         "<a>&</a>",   "<a b=1/>",   "<a>\1</a>",  "<a b=\"<\"/>",  "<a/>x",
                         "<a></aa>",   "<aa></a>",   "<a>&x;</a>", "<a b=\"1\"c=\"2\"/>",
                         "</a>",       "<a",         "< a/>",      "<a b=\"1\" b=\"2\"/>"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(well_formed(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!well_formed(bad[i]), "%s", bad[i]);
}
END

TEST(a_range_is_round_and_has_four_to_eleven_steps)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 10000; i++) {
        double scale = pow(10, rng_uniform(&rng) * 12 - 4);
        double from = scale * rng_uniform(&rng), to = from + scale * (0.001 + rng_uniform(&rng));
        double low = from, high = to, step = plot_range(&low, &high), n = (high - low) / step;
        double digit = step / pow(10, floor(log10(step * 1.000001)));
        ck_assert_double_le(low, from + 1e-8 * step);
        ck_assert_double_ge(high, to - 1e-8 * step);
        ck_assert_double_ge(n, 3.99);
        ck_assert_double_le(n, 11.01);
        ck_assert_double_eq_tol(low / step, round(low / step), 1e-6);
        ck_assert(fabs(digit - 1) < 1e-6 || fabs(digit - 2) < 1e-6 || fabs(digit - 5) < 1e-6);
    }
    double low = 23, high = 78;
    ck_assert_double_eq(plot_range(&low, &high), 10);
    ck_assert_double_eq(low, 20);
    ck_assert_double_eq(high, 80);
}
END

TEST(a_range_of_one_value_lies_around_it)
{
    double values[] = {0, 1, 52e6, 0.003};
    for (int i = 0; i < 4; i++) {
        double low = values[i], high = values[i];
        ck_assert_double_gt(plot_range(&low, &high), 0);
        ck_assert_double_le(low, values[i]);
        ck_assert_double_gt(high, values[i]);
    }
}
END

static char *page(void (*draw)(FILE *, void *), void *ctx)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    plot_begin(out, 400, 300, "page");
    draw(out, ctx);
    plot_end(out);
    fclose(out);
    ck_assert_msg(well_formed(text), "%s", text);
    return text;
}

static void draw_hostile(FILE *out, void *ctx)
{
    plot_text(out, 1, 2, (TextStyle){.size = 10, .upwards = true}, "%s", (const char *)ctx);
}

TEST(any_name_is_a_text)
{
    char *text = page(draw_hostile, "a<b> & </svg> \"q\" 'r' \x1b[31m\n%s \xe2\x89\xa4");
    ck_assert_ptr_nonnull(strstr(text, "a&lt;b&gt; &amp; &lt;/svg&gt; \"q\" 'r'  [31m %s "
                                       "\xe2\x89\xa4</text>"));
    ck_assert_int_eq(occurrences(text, "</svg>"), 1);
    free(text);
}
END

/* --- curves */

enum { MOST = 12 };

typedef struct {
    int n;
    double x[MOST][2], y[2];
    Curve curve[MOST];
} Curves;

static const Frame frame = {.x = 50, .y = 200, .w = 100, .h = 80, .x_high = 100, .y_high = 1,
                            .x_title = "x & x", .y_title = "y"};

static void draw_curves(FILE *out, void *ctx)
{
    Curves *c = ctx;
    plot_frame(out, &frame);
    plot_curves(out, &frame, c->curve, c->n);
}

static void random_curves(Curves *c, Rng *rng)
{
    static const char *const labels[MOST] = {"a0", "a1", "a2", "a3", "a4", "a5",
                                             "a6", "a7", "a8", "a9", "aa", "ab"};
    c->n = (int)rng_below(rng, MOST + 1);
    c->y[1] = 1;
    for (int i = 0; i < c->n; i++) {
        c->x[i][1] = (double)rng_below(rng, 40) * 2.5; /* some end at the same place */
        c->curve[i] = (Curve){labels[i], "black", false, 2, c->x[i], c->y};
    }
}

typedef struct {
    double end, end_y, lane, bend_y, y, x;
} Line;

/* The lines from the ends to the labels, as the page has them. */
static int read_lines(const char *text, Line *l)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, "<path d=\"M")); at++)
        n += sscanf(at, "<path d=\"M%lf %lfL%lf %lfV%lfH%lf", &l[n].end, &l[n].end_y, &l[n].lane,
                    &l[n].bend_y, &l[n].y, &l[n].x) == 6;
    return n;
}

TEST(each_curve_has_its_label_once_and_no_two_lines_to_labels_meet)
{
    Rng rng = rng_make(2, 0);
    for (int round = 0; round < 300; round++) {
        Curves c = {0};
        Line l[4 * MOST];
        random_curves(&c, &rng);
        char *text = page(draw_curves, &c), label[8];
        int n = read_lines(text, l);
        ck_assert_int_eq(n, c.n);
        ck_assert_int_eq(occurrences(text, "<polyline"), c.n);
        for (int i = 0; i < c.n; i++) {
            snprintf(label, sizeof label, ">%s<", c.curve[i].label);
            ck_assert_int_eq(occurrences(text, label), 1);
        }
        for (int i = 1; i < n; i++) { /* left to right: ends, then lanes, apart, and lower labels */
            ck_assert_double_ge(l[i].end, l[i - 1].end);
            ck_assert_double_ge(l[i].lane, l[i - 1].lane + 4.9);
            ck_assert_double_ge(l[i].y, l[i - 1].y + PLOT_LABEL_STEP - 0.2);
            ck_assert_double_eq(l[i].x, l[0].x);
        }
        for (int i = 0; i < n; i++) {
            ck_assert_double_eq(l[i].end_y, frame.y);
            ck_assert(l[i].bend_y < frame.y && l[i].y < l[i].bend_y && l[i].lane < l[i].x);
        }
        free(text);
    }
}
END

TEST(a_curve_goes_through_its_points)
{
    Curves c = {.n = 1, .y = {0.25, 1}, .x = {{10, 60}}};
    c.curve[0] = (Curve){"one", PLOT_RED, true, 2, c.x[0], c.y};
    char *text = page(draw_curves, &c); /* 1 is a pixel to the right, and 0.01 is 0.8 upwards */
    ck_assert_ptr_nonnull(strstr(text, "points=\"60.0,260.0 110.0,200.0\""));
    ck_assert_ptr_nonnull(strstr(text, ">x &amp; x<"));
    free(text);
}
END

/* --- grids */

static void draw_grid(FILE *out, void *ctx)
{
    plot_grid(out, ctx);
}

TEST(a_grid_is_the_darker_the_larger_and_marks_one)
{
    const char *columns[] = {"c0", "c1"}, *rows[] = {"r0", "r1"};
    Cell cell[4] = {{1, "one", ""}, {3, "three", ""}, {NAN, "", "none"}, {2, "two", "half"}};
    const char *written[] = {">one<", ">three<", ">none<", ">half<"};
    Grid g = {.x = 10, .y = 20, .cell_w = 30, .cell_h = 40, .columns = 2, .rows = 2, .cell = cell,
              .column_name = columns, .row_name = rows, .x_title = "x", .y_title = "y",
              .marked = 3};
    char *text = page(draw_grid, &g);
    const char *at = text;
    int dark[4];
    for (int i = 0; i < 4; i++) { /* the page itself has a rectangle without rgb() */
        int red, green, blue;
        at = strstr(at, "fill=\"rgb(");
        ck_assert_ptr_nonnull(at);
        ck_assert_int_eq(sscanf(at++, "fill=\"rgb(%d,%d,%d)", &red, &green, &blue), 3);
        dark[i] = 765 - red - green - blue;
    }
    ck_assert(dark[2] < dark[0] && dark[0] < dark[3] && dark[3] < dark[1]);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(occurrences(text, written[i]), 1);
    ck_assert_int_eq(occurrences(text, PLOT_RED), 1);
    ck_assert_ptr_nonnull(strstr(text, "<rect x=\"40.0\" y=\"60.0\" width=\"30.0\" height=\"40.0\" "
                                       "fill=\"none\" stroke=\"" PLOT_RED "\""));
    free(text);
}
END

SUITE(plot, the_reader_of_these_tests_knows_what_is_well_formed,
      a_range_is_round_and_has_four_to_eleven_steps, a_range_of_one_value_lies_around_it,
      any_name_is_a_text, each_curve_has_its_label_once_and_no_two_lines_to_labels_meet,
      a_curve_goes_through_its_points, a_grid_is_the_darker_the_larger_and_marks_one)
