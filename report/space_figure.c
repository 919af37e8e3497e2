#define _GNU_SOURCE
#include "report/space_figure.h"

#include "report/plot.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 1030, LEFT = 66, TOP = 118, GRID_LEFT = 648, GRID_W = 360, BOTTOM = 520 };

/* From the second best to the tenth: dark to light, all of them legible as text. */
static const char *const COLOURS[FIGURE_CURVES - 1] = {"#3b1466", "#3f3b8c", "#2f5d9c",
                                                       "#23799d", "#1f9197", "#27a583",
                                                       "#55b55a", "#8fb23c", "#b3a335"};

typedef struct {
    char text[48];
} Name;

static Name resolution_name(Resolution r)
{
    Name name;
    if (r.h == r.w)
        snprintf(name.text, sizeof name.text, "%d", r.h);
    else
        snprintf(name.text, sizeof name.text, "%dx%d", r.h, r.w);
    return name;
}

/* As MCUNet writes them: 0.5, 1.0. */
static Name width_name(double width)
{
    Name name;
    bool tenths = fabs(width * 10 - round(width * 10)) < 1e-9;
    snprintf(name.text, sizeof name.text, tenths ? "%.1f" : "%g", width);
    return name;
}

/* Digits after the point, for three in all. */
static int decimals(double x)
{
    return x < 9.995 ? 2 : x < 99.95 ? 1 : 0;
}

static bool counts(const Job *job, const SweepRow *row)
{
    return row->feasible > 0 && row->feasible >= job->sweep.min_feasible;
}

/* --- the curves */

static int by_mean(const void *a, const void *b)
{
    const SweepRow *r = *(const SweepRow *const *)a, *s = *(const SweepRow *const *)b;
    if (r->mean_macs != s->mean_macs)
        return r->mean_macs < s->mean_macs ? 1 : -1;
    return r < s ? -1 : r > s; /* of equals the first is the chosen one */
}

/* The rows with the largest means, largest first; returns how many. */
static int best_rows(const Job *job, const Sweep *s, const SweepRow **best)
{
    const SweepRow *rows[SWEEP_MAX];
    int n = 0;
    for (int i = 0; i < s->n; i++)
        if (counts(job, &s->row[i]))
            rows[n++] = &s->row[i];
    qsort(rows, (size_t)n, sizeof *rows, by_mean);
    n = n < FIGURE_CURVES ? n : FIGURE_CURVES;
    for (int i = 0; i < n; i++)
        best[i] = rows[i];
    return n;
}

static Name curve_label(const Space *space, const SweepRow *row, double unit)
{
    Name name;
    double macs = row->mean_macs / unit;
    Name width = width_name(space->width[row->width]);
    Name resolution = resolution_name(space->resolution[row->resolution]);
    snprintf(name.text, sizeof name.text, "w%.12s-r%.12s | %.*f%c", width.text, resolution.text,
             decimals(macs), macs, unit == 1e6 ? 'M' : 'k');
    return name;
}

static void draw_curves(FILE *out, const Job *job, const Sweep *s, double unit)
{
    const SweepRow *best[FIGURE_CURVES];
    double x[FIGURE_CURVES][SWEEP_CDF], y[SWEEP_CDF];
    Name label[FIGURE_CURVES];
    Curve curve[FIGURE_CURVES];
    int n = best_rows(job, s, best), labels = FIGURE_CURVES * PLOT_LABEL_STEP + 8;
    Frame f = {.x = LEFT, .y = TOP + labels, .w = 400, .h = BOTTOM - TOP - labels,
               .x_low = n ? INFINITY : 0, .x_high = 1, .y_high = 100,
               .x_title = unit == 1e6 ? "MACs (M)" : "MACs (k)",
               .y_title = "cumulative share of networks (%)"};
    for (int q = 0; q < SWEEP_CDF; q++)
        y[q] = 100.0 * q / (SWEEP_CDF - 1);
    for (int i = n - 1, at = 0; i >= 0; i--, at++) { /* the chosen one last, on top */
        for (int q = 0; q < SWEEP_CDF; q++)
            x[i][q] = best[i]->cdf[q] / unit;
        f.x_low = fmin(f.x_low, x[i][0]);
        f.x_high = at ? fmax(f.x_high, x[i][SWEEP_CDF - 1]) : x[i][SWEEP_CDF - 1];
        label[i] = curve_label(&job->space, best[i], unit);
        curve[at] = (Curve){label[i].text, i ? COLOURS[i - 1] : PLOT_RED, !i, SWEEP_CDF, x[i], y};
    }
    plot_range(&f.x_low, &f.x_high);
    plot_text(out, LEFT, TOP - 22, (TextStyle){.size = 13, .align = -1, .bold = true},
              "How large the networks that fit are");
    plot_text(out, LEFT, TOP - 6, (TextStyle){.size = 11, .colour = PLOT_GRAY, .align = -1},
              "%s | mean MACs", n > 1 ? "the spaces with the largest mean: width-resolution"
                                      : "width-resolution");
    plot_frame(out, &f);
    plot_curves(out, &f, curve, n);
}

/* --- the map */

static Cell map_cell(const Job *job, const SweepRow *row, double unit)
{
    Cell c = {.value = counts(job, row) ? row->mean_macs : NAN};
    double share = 100.0 * row->feasible / row->samples, macs = row->mean_macs / unit;
    if (!isnan(c.value))
        snprintf(c.above, sizeof c.above, "%.*f", decimals(macs), macs);
    if (row->feasible)
        snprintf(c.below, sizeof c.below, share < 9.95 ? "%.1f%%" : "%.0f%%", share);
    return c;
}

static void draw_map(FILE *out, const Job *job, const Sweep *s, double unit)
{
    const Space *space = &job->space;
    Cell cell[SWEEP_MAX];
    Name column[SPACE_MAX_RESOLUTIONS], row[SPACE_MAX_WIDTHS];
    const char *columns[SPACE_MAX_RESOLUTIONS], *rows[SPACE_MAX_WIDTHS];
    int n_r = space->n_resolutions, n_w = space->n_widths, last = (n_w - 1) * n_r;
    Grid g = {.x = GRID_LEFT, .y = TOP + 4, .columns = n_r, .rows = n_w, .cell = cell,
              .cell_w = fmin(GRID_W / (double)n_r, 64),
              .cell_h = fmin((BOTTOM - TOP - 4) / (double)n_w, 46),
              .column_name = columns, .row_name = rows, .x_title = "resolution",
              .y_title = "width multiplier", .marked = -1};
    for (int i = 0; i < s->n; i++) { /* the widest at the top */
        int at = last - s->row[i].width * n_r + s->row[i].resolution;
        cell[at] = map_cell(job, &s->row[i], unit);
        g.marked = i == s->best ? at : g.marked;
    }
    for (int i = 0; i < n_r; i++) {
        column[i] = resolution_name(space->resolution[i]);
        columns[i] = column[i].text;
    }
    for (int i = 0; i < n_w; i++) {
        row[i] = width_name(space->width[n_w - 1 - i]);
        rows[i] = row[i].text;
    }
    plot_text(out, g.x, TOP - 22, (TextStyle){.size = 13, .align = -1, .bold = true},
              "Mean MACs (%c), share of networks that fit", unit == 1e6 ? 'M' : 'k');
    plot_text(out, g.x, TOP - 6, (TextStyle){.size = 11, .colour = PLOT_GRAY, .align = -1},
              "no colour: fewer than %d of %d fit, too few to count", job->sweep.min_feasible,
              job->sweep.samples);
    plot_grid(out, &g);
}

/* --- the page */

static void bytes(FILE *out, const char *what, uint64_t n)
{
    if (n % 1024 == 0)
        fprintf(out, "%s \u2264 %llu KiB, ", what, (unsigned long long)n / 1024);
    else
        fprintf(out, "%s \u2264 %llu B, ", what, (unsigned long long)n);
}

/* Limits, schedule and samples, as one line. */
static void print_conditions(FILE *out, const Job *job)
{
    const Limits *l = &job->limits;
    if (l->sram)
        bytes(out, "SRAM", l->sram);
    if (l->flash)
        bytes(out, "flash", l->flash);
    if (l->macs)
        fprintf(out, "MACs \u2264 %g M, ", (double)l->macs * 1e-6);
    if (l->latency > 0)
        fprintf(out, "latency \u2264 %g M %s, ", l->latency * 1e-6, job->target.latency.unit);
    fprintf(out, "schedule %s, image %s; %d networks of each space, %d classes, seed %llu",
            policy_name((Policy)job->plan.policy),
            job->plan.image_outside ? "outside the arena" : "in the arena", job->sweep.samples,
            job->sweep.n_classes, (unsigned long long)job->seed);
}

void space_figure(FILE *out, const Job *job, const Sweep *sweep)
{
    char conditions[256], title[160];
    double largest = 0;
    for (int i = 0; i < sweep->n; i++)
        largest = fmax(largest, sweep->row[i].cdf[SWEEP_CDF - 1]);
    double unit = largest >= 1e6 ? 1e6 : 1e3;
    FILE *line = fmemopen(conditions, sizeof conditions, "w");
    print_conditions(line, job);
    fclose(line);
    snprintf(title, sizeof title, "Stage 1 in the space \u201c%s\u201d for %s", job->space.name,
             job->target.name);
    plot_begin(out, WIDTH, BOTTOM + 54, title);
    plot_text(out, LEFT - 46, 34, (TextStyle){.size = 18, .align = -1, .bold = true}, "%s", title);
    plot_text(out, LEFT - 46, 55, (TextStyle){.size = 12, .colour = PLOT_GRAY, .align = -1}, "%s",
              conditions);
    draw_curves(out, job, sweep, unit);
    draw_map(out, job, sweep, unit);
    plot_end(out);
}
