#include "report/plot.h"

#include "base/alloc.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#define LINE_GRAY "#e4e4e4"

/* --- pages and texts */

/* Control characters have no place in XML. */
static void escaped(FILE *out, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        default:
            fputc((unsigned char)*s < ' ' ? ' ' : *s, out);
        }
}

void plot_begin(FILE *out, double w, double h, const char *title)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g "
            "%g\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n<title>",
            w, h, w, h);
    escaped(out, title);
    fputs("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", out);
}

void plot_end(FILE *out)
{
    fputs("</svg>\n", out);
}

void plot_text(FILE *out, double x, double y, TextStyle style, const char *format, ...)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%g\" fill=\"%s\" text-anchor=\"%s\"", x,
            y, style.size, style.colour ? style.colour : PLOT_INK, anchors[style.align + 1]);
    if (style.bold)
        fputs(" font-weight=\"bold\"", out);
    if (style.upwards)
        fprintf(out, " transform=\"rotate(-90 %.1f %.1f)\"", x, y);
    fputc('>', out);
    escaped(out, text);
    fputs("</text>\n", out);
}

static void line(FILE *out, double x0, double y0, double x1, double y1, const char *colour)
{
    fprintf(out, "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\"/>\n", x0, y0, x1, y1, colour);
}

/* --- frames */

double plot_range(double *low, double *high)
{
    if (*high <= *low) /* a single value, too, has a range around it */
        *high = *low + (*low > 0 ? *low * 0.1 : 1);
    double ten = pow(10, floor(log10((*high - *low) / 4))), step = ten;
    if (*high - *low >= 8 * ten) /* so that 4 to 11 of them hold the range */
        step = *high - *low >= 20 * ten ? 5 * ten : 2 * ten;
    *low = floor(*low / step + 1e-9) * step;
    *high = ceil(*high / step - 1e-9) * step;
    return step;
}

static double at_x(const Frame *f, double x)
{
    return f->x + f->w * (x - f->x_low) / (f->x_high - f->x_low);
}

static double at_y(const Frame *f, double y)
{
    return f->y + f->h * (f->y_high - y) / (f->y_high - f->y_low);
}

void plot_frame(FILE *out, const Frame *f)
{
    TextStyle number = {.size = 11, .colour = PLOT_GRAY}, title = {.size = 12};
    double low = f->x_low, high = f->x_high, step = plot_range(&low, &high);
    for (double x = low; x < f->x_high + step / 2; x += step) {
        line(out, at_x(f, x), f->y, at_x(f, x), f->y + f->h, LINE_GRAY);
        plot_text(out, at_x(f, x), f->y + f->h + 16, number, "%g", round(x / step) * step);
    }
    plot_text(out, f->x + f->w / 2, f->y + f->h + 36, title, "%s", f->x_title);
    low = f->y_low, high = f->y_high, step = plot_range(&low, &high);
    number.align = 1;
    for (double y = low; y < f->y_high + step / 2; y += step) {
        line(out, f->x, at_y(f, y), f->x + f->w, at_y(f, y), LINE_GRAY);
        plot_text(out, f->x - 7, at_y(f, y) + 4, number, "%g", round(y / step) * step);
    }
    title.upwards = true;
    plot_text(out, f->x - 38, f->y + f->h / 2, title, "%s", f->y_title);
    fprintf(out, "<path d=\"M%.1f %.1fv%.1fh%.1f\" fill=\"none\" stroke=\"%s\"/>\n", f->x, f->y,
            f->h, f->w, PLOT_INK);
}

/* --- curves */

static void one_curve(FILE *out, const Frame *f, const Curve *c)
{
    fprintf(out,
            "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%g\" stroke-linejoin=\"round\" "
            "stroke-linecap=\"round\" points=\"",
            c->colour, c->bold ? 3.2 : 1.6);
    for (int i = 0; i < c->n; i++)
        fprintf(out, "%s%.1f,%.1f", i ? " " : "", at_x(f, c->x[i]), at_y(f, c->y[i]));
    fputs("\"/>\n", out);
}

typedef struct {
    const Curve *curve;
    double end, lane; /* x of its end, and of the line that rises from there */
} Leader;

static int by_end(const void *a, const void *b)
{
    const Leader *l = a, *m = b;
    if (l->end != m->end)
        return l->end < m->end ? -1 : 1;
    return l->curve < m->curve ? -1 : l->curve > m->curve; /* qsort alone may turn equals around */
}

/* The leftmost end has the longest way up, so no two lines meet. */
static void labels(FILE *out, const Frame *f, Leader *l, int n)
{
    const double apart = 5, bend = 9, gap = 12;
    qsort(l, (size_t)n, sizeof *l, by_end);
    for (int i = 0; i < n; i++)
        l[i].lane = i && l[i - 1].lane + apart > l[i].end ? l[i - 1].lane + apart : l[i].end;
    for (int i = 0; i < n; i++) {
        const Curve *c = l[i].curve;
        double y = f->y - bend - 4 - (n - 1 - i) * PLOT_LABEL_STEP, x = l[n - 1].lane + gap;
        double end_y = at_y(f, c->y[c->n - 1]);
        fprintf(out, "<path d=\"M%.1f %.1fL%.1f %.1fV%.1fH%.1f\" fill=\"none\" stroke=\"%s\" "
                     "stroke-width=\"%g\"/>\n",
                l[i].end, end_y, l[i].lane, f->y - bend, y, x, c->colour, c->bold ? 1.4 : 0.7);
        plot_text(out, x + 4, y + 4,
                  (TextStyle){.size = 11, .colour = c->colour, .align = -1, .bold = c->bold}, "%s",
                  c->label);
    }
}

void plot_curves(FILE *out, const Frame *f, const Curve *curves, int n)
{
    Leader *leader = xcalloc((size_t)n + 1, sizeof *leader);
    for (int i = 0; i < n; i++) {
        one_curve(out, f, &curves[i]);
        leader[i] = (Leader){&curves[i], .end = at_x(f, curves[i].x[curves[i].n - 1])};
    }
    if (n > 0)
        labels(out, f, leader, n);
    free(leader);
}

/* --- grids */

/* From nearly white through blue to nearly black, for shares from 0 to 1. */
static void shade(double share, int rgb[3])
{
    static const int stops[3][3] = {{238, 243, 248}, {107, 160, 205}, {12, 52, 102}};
    int from = share < 0.5 ? 0 : 1;
    double part = 2 * share - from;
    for (int i = 0; i < 3; i++)
        rgb[i] = (int)lround(stops[from][i] + part * (stops[from + 1][i] - stops[from][i]));
}

static void one_cell(FILE *out, const Grid *g, int i, double low, double high)
{
    const Cell *c = &g->cell[i];
    double x = g->x + i % g->columns * g->cell_w, y = g->y + i / g->columns * g->cell_h;
    double share = high > low ? (c->value - low) / (high - low) : 0.5;
    int rgb[3] = {250, 250, 250};
    if (!isnan(c->value))
        shade(share, rgb);
    const char *ink = isnan(c->value) ? "#a8a8a8" : share > 0.62 ? "white" : PLOT_INK;
    double middle = x + g->cell_w / 2, centre = y + g->cell_h / 2;
    fprintf(out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"rgb(%d,%d,%d)\" "
            "stroke=\"white\"/>\n",
            x, y, g->cell_w, g->cell_h, rgb[0], rgb[1], rgb[2]);
    if (*c->above)
        plot_text(out, middle, centre - 2, (TextStyle){.size = 11, .colour = ink}, "%s", c->above);
    if (*c->below)
        plot_text(out, middle, centre + 11, (TextStyle){.size = 9, .colour = ink}, "%s", c->below);
}

static void grid_names(FILE *out, const Grid *g)
{
    TextStyle name = {.size = 11, .colour = PLOT_GRAY}, title = {.size = 12};
    double w = g->columns * g->cell_w, h = g->rows * g->cell_h;
    for (int i = 0; i < g->columns; i++)
        plot_text(out, g->x + (i + 0.5) * g->cell_w, g->y + h + 16, name, "%s", g->column_name[i]);
    plot_text(out, g->x + w / 2, g->y + h + 36, title, "%s", g->x_title);
    name.align = 1;
    for (int i = 0; i < g->rows; i++)
        plot_text(out, g->x - 7, g->y + (i + 0.5) * g->cell_h + 4, name, "%s", g->row_name[i]);
    title.upwards = true;
    plot_text(out, g->x - 46, g->y + h / 2, title, "%s", g->y_title);
}

void plot_grid(FILE *out, const Grid *g)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < g->columns * g->rows; i++) {
        low = fmin(low, g->cell[i].value); /* fmin and fmax pass over a NAN */
        high = fmax(high, g->cell[i].value);
    }
    for (int i = 0; i < g->columns * g->rows; i++)
        one_cell(out, g, i, low, high);
    if (g->marked >= 0)
        fprintf(out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
                "stroke=\"%s\" stroke-width=\"2.5\"/>\n",
                g->x + g->marked % g->columns * g->cell_w,
                g->y + g->marked / g->columns * g->cell_h, g->cell_w, g->cell_h, PLOT_RED);
    grid_names(out, g);
}
