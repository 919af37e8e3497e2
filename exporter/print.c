#include "exporter/print.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 100 };

const char *print_number(uint64_t n, Number *number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    char *out = number->text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = 0;
    return number->text;
}

const char *print_float(float value, Number *number)
{
    int n = snprintf(number->text, sizeof number->text, "%.9g", (double)value);
    bool whole = strcspn(number->text, ".e") == (size_t)n;
    snprintf(number->text + n, sizeof number->text - (size_t)n, whole ? ".0f" : "f");
    return number->text;
}

void print_line(FILE *f, const char *text)
{
    for (const char *c = text; *c; c++) {
        bool bounds = *c == '/' && (c[1] == '*' || (c > text && c[-1] == '*'));
        fputc(bounds || iscntrl((unsigned char)*c) ? ' ' : *c, f);
    }
}

/* ---- numbers in rows ------------------------------------------------------------------- */

typedef struct {
    FILE *f;
    int column; /* 0 before the first number of a line */
} Row;

static void row_number(Row *r, long value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld,", value);
    if (r->column > 0 && r->column + 1 + n > COLUMNS) {
        fputc('\n', r->f);
        r->column = 0;
    }
    r->column += fprintf(r->f, "%s%s", r->column == 0 ? "    " : " ", text);
}

static void row_end(Row *r)
{
    if (r->column > 0)
        fputc('\n', r->f);
    r->column = 0;
}

void print_bytes(FILE *f, const int8_t *v, uint32_t n, uint32_t padded)
{
    Row r = {.f = f};
    for (uint32_t i = 0; i < padded; i++)
        row_number(&r, i < n ? v[i] : 0);
    row_end(&r);
}

void print_words(FILE *f, const int32_t *v, int n)
{
    Row r = {.f = f};
    for (int i = 0; i < n; i++)
        row_number(&r, v[i]);
    row_end(&r);
}

/* ---- what it is and what it costs ---------------------------------------------------------- */

static void print_shape(FILE *f, const char *what, int h, int w, int c, QTensor t)
{
    fprintf(f, "%-9s %d x %d x %d int8, real = (q %c %d) * %.6g\n", what, h, w, c,
            t.zero < 0 ? '+' : '-', abs(t.zero), (double)t.scale);
}

void print_shapes(FILE *f, const Listing *x, const char *margin)
{
    const Net *net = &x->q->net;
    const Layer *last = net_output(net);
    fputs(margin, f);
    print_shape(f, "input", net->h, net->w, net->c, x->q->tensor[0]);
    fputs(margin, f);
    print_shape(f, "output", last->out_h, last->out_w, last->out_c, x->q->tensor[net->n_layers]);
}

void print_input(FILE *f, const Listing *x)
{
    QTensor in = x->q->tensor[0];
    if (x->options->input)
        fprintf(f, "%s.\n", x->options->input);
    else
        fprintf(f, "int8 = pixel - 128; a pixel p of 0..255 is (p - %d) * %.6g to the network.\n",
                in.zero + 128, (double)in.scale);
}

/* In parts; the runtime's code is only known where it was measured. */
static void print_flash(FILE *f, const Listing *x, const char *margin)
{
    PlanSize size = plan_size(&x->q->net, x->plan);
    ModelFlash part = flash_parts(&x->q->net, &size);
    const uint32_t code = x->cost.flash - x->cost.model_flash;
    Number n;
    fprintf(f, "%sflash     %s bytes", margin, print_number(x->cost.flash, &n));
    if (code > 0)
        fprintf(f, ", %s of them the runtime's code;\n", print_number(code, &n));
    else
        fputs(" and the runtime's code;\n", f);
    fprintf(f, "%s          weights %s", margin, print_number(part.weights, &n));
    fprintf(f, ", biases %s", print_number(part.biases, &n));
    fprintf(f, ", scales %s", print_number(part.requantisation, &n));
    fprintf(f, ", tables %s\n", print_number(part.tables, &n));
}

static void print_stack(FILE *f, const Cost *cost, const Target *target)
{
    fprintf(f, "keep %u KiB", cost->stack > 1024 ? (cost->stack + 1023) / 1024 : 1);
    if (cost->stack > 0)
        fprintf(f, "; %u bytes were measured on %s, without interrupts", cost->stack, target->name);
    fputc('\n', f);
}

static void print_time(FILE *f, const Listing *x)
{
    const Target *target = x->options->target;
    Number n;
    if (x->cost.latency > 0 && target->latency.unit[0])
        fprintf(f, "about %s %s on %s (estimate, error %.1f %%)\n",
                print_number((uint64_t)(x->cost.latency + 0.5), &n), target->latency.unit,
                target->name, 100 * target->latency.error);
    else
        fprintf(f, "not estimated: %s has no latency model\n", target->name);
}

void print_costs(FILE *f, const Listing *x, const char *margin)
{
    Number n;
    fprintf(f, "%sarena     %s bytes (%.1f KiB), the image %s; the most in segment %d\n", margin,
            print_number(x->plan->arena, &n), x->plan->arena / 1024.0,
            x->plan->image_outside ? "outside" : "inside", print_peak_segment(x));
    fprintf(f, "%spolicy    %s\n", margin, policy_name((Policy)x->plan->policy));
    print_flash(f, x, margin);
    fprintf(f, "%sstack     ", margin);
    print_stack(f, &x->cost, x->options->target);
    fprintf(f, "%sMACs      %s", margin, print_number(x->cost.macs, &n));
    if (x->cost.macs > net_macs(&x->q->net))
        fprintf(f, ", %.3f times those of the layers: some are computed again",
                (double)x->cost.macs / (double)net_macs(&x->q->net));
    fputc('\n', f);
    fprintf(f, "%stime      ", margin);
    print_time(f, x);
}

void print_facts(FILE *f, const Listing *x)
{
    fputs(" *\n *   title     ", f);
    print_line(f, x->options->title ? x->options->title : "a network");
    fputc('\n', f);
    print_shapes(f, x, " *   ");
    print_costs(f, x, " *   ");
}
