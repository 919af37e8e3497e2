/* plot.h - figures as SVG: curves with a label at each end, and grids of coloured cells.
 *
 *     plot_begin(out, 900, 500, "what the figure shows");
 *     plot_frame(out, &frame);
 *     plot_curves(out, &frame, curves, n);
 *     plot_end(out);
 *
 * Lengths are pixels of the page, y downwards. What is written stands alone: no
 * script, no font of its own; texts (UTF-8) are escaped, so any name will do. */
#ifndef PLOT_H
#define PLOT_H

#include <stdbool.h>
#include <stdio.h>

#define PLOT_INK "#222222"
#define PLOT_GRAY "#6b6b6b"
#define PLOT_RED "#d0142c"

void plot_begin(FILE *out, double w, double h, const char *title);
void plot_end(FILE *out);

typedef struct {
    double size;        /* pixels */
    const char *colour; /* NULL: PLOT_INK */
    int align;          /* x is where the text begins (-1), its middle (0), its end (1) */
    bool bold, upwards; /* upwards: turned by a quarter to the left */
} TextStyle;

void plot_text(FILE *out, double x, double y, TextStyle style, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A frame and the numbers at its edges. */
typedef struct {
    double x, y, w, h;
    double x_low, x_high, y_low, y_high;
    const char *x_title, *y_title;
} Frame;

/* A range of round numbers with 4 to 11 steps that holds [low, high]; returns the step. */
double plot_range(double *low, double *high);
void plot_frame(FILE *out, const Frame *f); /* grid lines, numbers, titles */

typedef struct {
    const char *label, *colour;
    bool bold;
    int n;
    const double *x, *y; /* in the frame's numbers */
} Curve;

#define PLOT_LABEL_STEP 15

/* The last one on top. Curves that rise to the frame's upper edge end close together, so the
 * labels stand above it as stairs, PLOT_LABEL_STEP pixels each, joined to the ends by lines that
 * do not cross. */
void plot_curves(FILE *out, const Frame *f, const Curve *curves, int n);

typedef struct {
    double value;            /* decides the colour; NAN: none */
    char above[12], below[12]; /* what is written in it, two lines */
} Cell;

typedef struct {
    double x, y, cell_w, cell_h;
    int columns, rows;
    const Cell *cell; /* [rows][columns], the first row at the top */
    const char *const *column_name, *const *row_name;
    const char *x_title, *y_title;
    int marked; /* the outlined cell, -1 none */
} Grid;

void plot_grid(FILE *out, const Grid *g); /* the darker the larger */

#endif
