#include "report/memory_svg.h"

#include "base/alloc.h"
#include "config/schema.h"
#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The page, in pixels. */
enum { WIDTH = 1200, LEFT = 92, RIGHT = 24, ABOVE_TOP = 92, ABOVE = 260, BELOW_TOP = 448,
       BELOW = 330, HEIGHT = 868 };

#define BEFORE "#cdd5df"      /* bytes alive layer by layer */
#define BEFORE_PEAK "#8594a8"
#define AFTER "#1f6fb2"       /* under the profile's schedule */
#define GRID "#e6e6e6"

static const char *const colours[N_PARTS] = {
    [PART_INPUT] = "#7fb2dd", [PART_OUTPUT] = "#3f87c4", [PART_RING] = "#f2a65a",
    [PART_TILE] = "#e7c45c",  [PART_SKIP] = "#8fbf78",   [PART_SCRATCH] = "#b69ad1",
};

typedef struct {
    const Profile *p;
    const Plan *plan;
    FILE *out;
    double step; /* pixels of a layer */
} Picture;

static double x_of(const Picture *f, double layer)
{
    return LEFT + layer * f->step;
}

static void rectangle(const Picture *f, double x, double y, double w, double h, const char *fill)
{
    fprintf(f->out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", x,
            y, w, h, fill);
}

static void line(const Picture *f, double x0, double y0, double x1, double y1, const char *style)
{
    fprintf(f->out, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" %s/>\n", x0, y0, x1, y1,
            style);
}

/* --- the axes both panels have */

/* KiB from 0 to `most` bytes, at a height of `h` pixels from `bottom` upwards; returns the bytes
 * at the top. */
static double axis(const Picture *f, double most, double bottom, double h, const char *title)
{
    double low = 0, high = most / 1024, step = plot_range(&low, &high);
    for (double v = 0; v <= high + step / 2; v += step) {
        double y = bottom - h * v / high;
        line(f, LEFT, y, WIDTH - RIGHT, y, "stroke=\"" GRID "\"");
        plot_text(f->out, LEFT - 8, y + 4, (TextStyle){.size = 11, .colour = PLOT_GRAY, .align = 1},
                  "%g", v);
    }
    plot_text(f->out, 30, bottom - h / 2,
              (TextStyle){.size = 12, .colour = PLOT_GRAY, .upwards = true}, "%s", title);
    return high * 1024;
}

static void layer_numbers(const Picture *f, double y)
{
    int n = f->p->net.n_layers, every = n <= 40 ? 1 : n <= 80 ? 2 : 5;
    for (int l = 0; l < n; l += every)
        plot_text(f->out, x_of(f, l + 0.5), y, (TextStyle){.size = 10, .colour = PLOT_GRAY}, "%d",
                  l);
    plot_text(f->out, LEFT, y + 18, (TextStyle){.size = 12, .colour = PLOT_GRAY, .align = -1},
              "layer, in the order of execution");
}

/* --- above: bytes alive */

static uint32_t live_of_layer(const Picture *f, const Plan *plan, int layer)
{
    return plan_live(plan, &f->p->net, profile_segment_of(plan, layer));
}

static uint32_t most_alive(const Picture *f, const Plan *plan, int *layer)
{
    uint32_t most = 0;
    for (int l = 0; l < f->p->net.n_layers; l++) {
        uint32_t live = live_of_layer(f, plan, l);
        if (live > most)
            *layer = l;
        most = live > most ? live : most;
    }
    return most;
}

static void bars(const Picture *f, const Plan *plan, double top, const char *fill)
{
    for (int l = 0; l < f->p->net.n_layers; l++) {
        double h = ABOVE * live_of_layer(f, plan, l) / top, gap = 0.12 * f->step;
        rectangle(f, x_of(f, l) + gap, ABOVE_TOP + ABOVE - h, f->step - 2 * gap, h, fill);
    }
}

/* One outline over all layers: those of a segment are alive together. */
static void outline(const Picture *f, const Plan *plan, double top, const char *fill)
{
    fprintf(f->out, "<path d=\"M%d %d", LEFT, ABOVE_TOP + ABOVE);
    for (int l = 0; l < f->p->net.n_layers; l++)
        fprintf(f->out, "V%.2fH%.2f",
                ABOVE_TOP + ABOVE * (1 - live_of_layer(f, plan, l) / top), x_of(f, l + 1));
    fprintf(f->out, "V%dZ\" fill=\"%s\"/>\n", ABOVE_TOP + ABOVE, fill);
}

/* A line at the peak with its number, above it or below. */
static void peak_line(const Picture *f, double bytes, double top, const char *colour,
                      const char *what, bool below)
{
    char style[96];
    double y = ABOVE_TOP + ABOVE * (1 - bytes / top);
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"1.5\"", colour);
    line(f, LEFT, y, WIDTH - RIGHT, y, style);
    plot_text(f->out, WIDTH - RIGHT - 4, below ? y + 16 : y - 6,
              (TextStyle){.size = 13, .colour = colour, .align = 1, .bold = true}, "%s: %s", what,
              text_bytes((uint64_t)bytes));
}

/* The target's limit, or words alone when it lies above the picture. Its words go below where a
 * peak's line is close above. */
static void limit_line(const Picture *f, double peak, double top)
{
    double limit = (double)f->p->limits.sram, y = ABOVE_TOP + ABOVE * (1 - limit / top);
    if (limit <= 0)
        return;
    TextStyle style = {.size = 12, .colour = PLOT_RED, .align = -1};
    char words[128];
    snprintf(words, sizeof words, "limit of %s: %s", f->p->sram ? "the arena" : f->p->target.name,
             text_bytes(f->p->limits.sram));
    if (limit > top) {
        plot_text(f->out, LEFT + 6, ABOVE_TOP - 6, style, "%s, above this picture", words);
        return;
    }
    line(f, LEFT, y, WIDTH - RIGHT, y,
         "stroke=\"" PLOT_RED "\" stroke-width=\"1.5\" stroke-dasharray=\"7 5\"");
    double above = ABOVE * (peak - limit) / top;
    plot_text(f->out, LEFT + 6, above > 0 && above < 22 ? y + 15 : y - 6, style, "%s", words);
}

static void draw_alive(const Picture *f)
{
    Plan *before = xmalloc(sizeof *before);
    PlanOptions o = profile_options(f->p, POLICY_LAYERWISE, (ImagePlace)f->p->image);
    bool same = f->p->policy == POLICY_LAYERWISE;
    int layer = 0;
    plan_make(&f->p->net, &o, before);
    double most = most_alive(f, before, &layer), now = most_alive(f, f->plan, &layer);
    double limit = (double)f->p->limits.sram, highest = fmax(most, now);
    double top = axis(f, limit < 1.6 * highest ? fmax(limit * 1.04, highest) : highest,
                      ABOVE_TOP + ABOVE, ABOVE, "KiB alive");
    if (!same)
        bars(f, before, top, BEFORE);
    if (f->plan->n_segments == f->p->net.n_layers)
        bars(f, f->plan, top, AFTER);
    else
        outline(f, f->plan, top, AFTER);
    if (!same)
        peak_line(f, most, top, BEFORE_PEAK, "layer by layer", false);
    bool close = (!same && most >= now && ABOVE * (most - now) / top < 22) ||
                 (limit > now && ABOVE * (limit - now) / top < 22);
    peak_line(f, now, top, AFTER, policy_name((Policy)f->p->policy), close);
    limit_line(f, highest, top);
    free(before);
}

/* --- below: the address map */

typedef struct {
    double x, y;
} Point;

static double y_of(double address, double top)
{
    return BELOW_TOP + BELOW * (1 - address / top);
}

static void polygon(const Picture *f, const Point *point, int n, const char *fill)
{
    fputs("<polygon points=\"", f->out);
    for (int i = 0; i < n; i++)
        fprintf(f->out, "%s%.2f,%.2f", i ? " " : "", point[i].x, point[i].y);
    fprintf(f->out, "\" fill=\"%s\" stroke=\"white\" stroke-width=\"0.7\"/>\n", fill);
}

static bool meet(const Part *a, const Part *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* The part of this kind that another lies over, if any. */
static const Part *over(const Part *part, int n, const Part *a, PartKind kind)
{
    for (int i = 0; i < n; i++)
        if (part[i].kind == kind && meet(&part[i], a))
            return &part[i];
    return NULL;
}

/* Does this part, kept for a later layer, lie in its place during another segment, too? */
static bool is_kept(const Picture *f, const Part *a, int segment)
{
    Part part[PROFILE_MAX_PARTS];
    int n = segment < 0 || segment >= f->plan->n_segments
                ? 0 : profile_parts(&f->p->net, f->plan, segment, part);
    for (int i = 0; i < n; i++)
        if (part[i].kind == PART_SKIP && part[i].layer == a->layer && part[i].offset == a->offset)
            return true;
    return false;
}

/* A part's shape during its segment: an output that runs into the input it consumes is what is
 * written of it by then, the input what is left. Where a shape is a triangle its middle is not
 * the box's. */
typedef struct {
    Point corner[4];
    int n;
    double x, y, w, h; /* where words fit: their middle, and the room around it */
} Shape;

/* Layers [from, to) during which a part is there: its segment; a tile only from its layer to the
 * last that reads it; what is kept, as long as it stays where it is. */
static void extent_of(const Picture *f, const Part *a, int segment, int *from, int *to)
{
    const PlanSegment *s = &f->plan->segment[segment];
    *from = s->first;
    *to = s->first + s->n;
    if (s->tiled && (a->kind == PART_TILE || (a->kind == PART_RING && a->layer == NET_IMAGE))) {
        *from = a->layer == NET_IMAGE ? s->first : a->layer;
        *to = net_last_reader(&f->p->net, a->layer) + 1;
    }
    for (int next = segment + 1; a->kind == PART_SKIP && is_kept(f, a, next); next++)
        *to = f->plan->segment[next].first + f->plan->segment[next].n;
}

static Shape shape_of(const Picture *f, const Part *part, int n, const Part *a, int segment,
                      double top)
{
    int from, to;
    extent_of(f, a, segment, &from, &to);
    double x0 = x_of(f, from), x1 = x_of(f, to), w = x1 - x0;
    double low = y_of(a->offset, top), high = y_of(a->offset + a->bytes, top), h = low - high;
    double half_w = w / 2, half_h = h / 2;
    if (a->kind == PART_OUTPUT && over(part, n, a, PART_INPUT)) /* grows */
        return (Shape){{{x0, low}, {x1, low}, {x1, high}}, 3, x1 - w / 3, low - h / 3,
                       half_w, half_h};
    if (a->kind == PART_INPUT && over(part, n, a, PART_OUTPUT)) /* dies */
        return (Shape){{{x0, low}, {x0, high}, {x1, high}}, 3, x0 + w / 3, high + h / 3,
                       half_w, half_h};
    return (Shape){{{x0, low}, {x1, low}, {x1, high}, {x0, high}}, 4, x0 + half_w, low - half_h,
                   w, h};
}

static void words_of(const Picture *f, const Part *a, char *text, size_t room)
{
    int rows = f->plan->tensor[1 + a->layer].rows;
    const char *name =
        a->layer == NET_IMAGE ? "image" : op_name((Op)f->p->net.layer[a->layer].op);
    if (a->kind == PART_SCRATCH)
        snprintf(text, room, "scratch of %d", a->layer);
    else if (a->layer == NET_IMAGE)
        snprintf(text, room, a->kind == PART_RING ? "image, %d rows" : "image", rows);
    else if (a->kind == PART_RING)
        snprintf(text, room, "%d %s, %d row%s", a->layer, name, rows, rows == 1 ? "" : "s");
    else
        snprintf(text, room, "%d %s", a->layer, name);
}

/* Along or upwards; false when there is no room. */
static bool write_words(const Picture *f, const Part *a, const Shape *s, const char *words)
{
    TextStyle style = {.size = 10, .colour = a->kind == PART_OUTPUT ? "#ffffff" : "#1b2733"};
    double wide = 6.3 * (double)strlen(words) + 4;
    if (s->h >= 11 && s->w >= wide) {
        plot_text(f->out, s->x, s->y + 3.5, style, "%s", words);
        return true;
    }
    style.upwards = true;
    if (s->w >= 11 && s->h >= wide)
        plot_text(f->out, s->x + 3.5, s->y, style, "%s", words);
    return s->w >= 11 && s->h >= wide;
}

/* What it is, where there is room to write it; or its layer's number alone. */
static void label(const Picture *f, const Part *a, const Shape *s)
{
    char words[64];
    words_of(f, a, words, sizeof words);
    if (write_words(f, a, s, words) || a->layer == NET_IMAGE)
        return;
    snprintf(words, sizeof words, "%d", a->layer);
    write_words(f, a, s, words);
}

/* Is another one of its kind drawn in its place, as of rows that are never alive together? Or was
 * it written on before, as an output in at least as much room? */
static bool is_said(const Picture *f, const Part *part, int i, int segment)
{
    bool shares = part[i].kind == PART_RING || part[i].kind == PART_SCRATCH;
    for (int k = 0; k < i && shares; k++)
        if (part[k].kind == part[i].kind && meet(&part[k], &part[i]))
            return true;
    const PlanTensor *t = &f->plan->tensor[1 + part[i].layer];
    return part[i].kind == PART_INPUT && part[i].layer != NET_IMAGE &&
           f->plan->segment[t->first].n >= f->plan->segment[segment].n;
}

static int parts_of(const Picture *f, int segment, Part part[PROFILE_MAX_PARTS])
{
    return profile_parts(&f->p->net, f->plan, segment, part);
}

static void draw_map(const Picture *f)
{
    Part *part = xcalloc(PROFILE_MAX_PARTS, sizeof *part);
    double top = axis(f, f->plan->arena, BELOW_TOP + BELOW, BELOW, "address in the arena, KiB");
    for (int pass = 0; pass < 2; pass++) { /* words over all shapes */
        for (int s = 0; s < f->plan->n_segments; s++) {
            int n = parts_of(f, s, part);
            for (int i = 0; i < n; i++) {
                if (part[i].kind == PART_SKIP && is_kept(f, &part[i], s - 1))
                    continue; /* drawn there */
                Shape shape = shape_of(f, part, n, &part[i], s, top);
                if (pass == 0)
                    polygon(f, shape.corner, shape.n, colours[part[i].kind]);
                else if (!is_said(f, part, i, s))
                    label(f, &part[i], &shape);
            }
        }
    }
    double y = y_of(f->plan->arena, top);
    line(f, LEFT, y, WIDTH - RIGHT, y, "stroke=\"" PLOT_INK "\" stroke-width=\"1.2\"");
    plot_text(f->out, WIDTH - RIGHT - 4, y - 6,
              (TextStyle){.size = 12, .align = 1, .bold = true}, "arena: %s",
              text_bytes(f->plan->arena));
    free(part);
}

/* Segments of several layers, as ticks under the map. */
static void segment_marks(const Picture *f, double y)
{
    for (int s = 0; s < f->plan->n_segments; s++) {
        const PlanSegment *g = &f->plan->segment[s];
        double x0 = x_of(f, g->first), x1 = x_of(f, g->first + g->n);
        rectangle(f, x0 + 1, y, x1 - x0 - 2, 4, s == f->plan->peak_segment ? PLOT_RED : PLOT_GRAY);
    }
}

static void legend(const Picture *f, double y)
{
    static const char *const words[N_PARTS] = {
        "input of a segment", "its output",          "ring of rows",
        "tile of a patch",    "kept for a later layer", "scratch"};
    bool used[N_PARTS] = {false};
    Part *part = xcalloc(PROFILE_MAX_PARTS, sizeof *part);
    double x = WIDTH - RIGHT;
    for (int s = 0; s < f->plan->n_segments; s++)
        for (int i = parts_of(f, s, part); i-- > 0;)
            used[part[i].kind] = true;
    for (int k = N_PARTS - 1; k >= 0; k--) {
        if (!used[k])
            continue;
        x -= 7.4 * (double)strlen(words[k]) + 32;
        rectangle(f, x, y - 10, 12, 12, colours[k]);
        plot_text(f->out, x + 17, y, (TextStyle){.size = 12, .align = -1}, "%s", words[k]);
    }
    free(part);
}

static void titles(const Picture *f)
{
    const Profile *p = f->p;
    const char *name = strrchr(p->source, '/') ? strrchr(p->source, '/') + 1 : p->source;
    TextStyle small = {.size = 13, .colour = PLOT_GRAY, .align = -1};
    plot_text(f->out, LEFT, 36, (TextStyle){.size = 19, .align = -1, .bold = true}, "%s", name);
    plot_text(f->out, LEFT, 58, small,
              "%dx%dx%d, %s MACs (executed x%.2f), schedule %s in %d segments, image %s", p->net.h,
              p->net.w, p->net.c, text_count((double)net_macs(&p->net)),
              (double)p->cost[p->image].macs / (double)net_macs(&p->net),
              policy_name((Policy)p->policy), f->plan->n_segments,
              p->image == IMAGE_OUTSIDE ? "outside the arena" : "resident in the arena");
    plot_text(f->out, LEFT, BELOW_TOP - 34,
              (TextStyle){.size = 15, .align = -1, .bold = true}, "Where everything lies");
    plot_text(f->out, LEFT, BELOW_TOP - 14, small,
              "slopes: rows of the output take the place of rows of the input; red: the segment of "
              "the peak");
}

void memory_svg(const Profile *p, FILE *out)
{
    Picture f = {.p = p, .plan = &p->plan[p->image], .out = out};
    f.step = (double)(WIDTH - LEFT - RIGHT) / p->net.n_layers;
    plot_begin(out, WIDTH, HEIGHT, p->source);
    titles(&f);
    draw_alive(&f);
    layer_numbers(&f, ABOVE_TOP + ABOVE + 16);
    draw_map(&f);
    segment_marks(&f, BELOW_TOP + BELOW + 3);
    layer_numbers(&f, BELOW_TOP + BELOW + 22);
    legend(&f, BELOW_TOP + BELOW + 62);
    plot_end(out);
}
