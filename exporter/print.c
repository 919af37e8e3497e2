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

static void print_string(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(f, "\\%c", *c);
        else if (iscntrl(*c) || *c == '?') /* no trigraphs */
            fprintf(f, "\\%03o", *c);
        else
            fputc(*c, f);
    }
    fputc('"', f);
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

/* The runtime's code is only known where it was measured. */
static void print_flash(FILE *f, const Cost *cost)
{
    Number n;
    fprintf(f, "%s bytes of tables and weights", print_number(cost->model_flash, &n));
    if (cost->flash > cost->model_flash)
        fprintf(f, ", %s with the runtime's code", print_number(cost->flash, &n));
    fputc('\n', f);
}

static void print_stack(FILE *f, const Cost *cost, const Target *target)
{
    if (cost->stack > 0)
        fprintf(f, "keep 1 KiB; %u bytes were measured on %s, without interrupts\n",
                cost->stack, target->name);
    else
        fputs("keep 1 KiB\n", f);
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
    fprintf(f, "%sflash     ", margin);
    print_flash(f, &x->cost);
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

/* ---- model.h ---------------------------------------------------------------------------- */

static const char usage_inside[] =
    " *     fill model_input(arena) with MODEL_INPUT_BYTES: [h][w][c]\n"
    " *     model_run(arena, NULL);\n"
    " *     read MODEL_OUTPUT_BYTES at model_output(arena); the class is the largest\n"
    " *\n"
    " * The image lies in the arena and is overwritten: fill it in again before the next run.\n";

static const char usage_outside[] =
    " *     static void row(void *context, int y, int x0, int x1, int8_t *to)\n"
    " *     {\n"
    " *         columns [x0, x1) of row y: (x1 - x0) * MODEL_INPUT_C bytes\n"
    " *     }\n"
    " *     const TbInput image = {row, context};\n"
    " *\n"
    " *     model_run(arena, &image);\n"
    " *     read MODEL_OUTPUT_BYTES at model_output(arena); the class is the largest\n"
    " *\n"
    " * The image is not in the arena: its rows are asked for when the network needs them,\n";

/* In what order rows are asked for follows from the segment that pulls them. */
static void print_row_order(FILE *f, const Listing *x)
{
    const PlanSegment *s = &x->plan->segment[0];
    int tiles = s->rows * s->columns;
    if (tiles == 1)
        fputs(" * from the top down, whole, each at most once, so that a camera may bring them.\n",
              f);
    else
        fprintf(f, " * in %d %s, rows from the top down in each and some asked for again, so that\n"
                   " * it has to be there as a whole.\n", tiles,
                s->rows == 1 ? "strips" : "patches");
}

static void print_usage(FILE *f, const Listing *x)
{
    fputs(" *\n"
          " *     static int8_t arena[MODEL_ARENA_BYTES] "
          "__attribute__((aligned(MODEL_ARENA_ALIGN)));\n"
          " *\n", f);
    fputs(x->plan->image_outside ? usage_outside : usage_inside, f);
    if (x->plan->image_outside)
        print_row_order(f, x);
    fputs(" * The arena starts at a multiple of MODEL_ARENA_ALIGN and belongs to the network only\n"
          " * while it runs. Nothing else is written: the model is constant and lives in flash.\n",
          f);
    fputs(" * Input: ", f);
    print_input(f, x);
}

static void print_sizes(FILE *f, const Listing *x)
{
    const Net *net = &x->q->net;
    int n = net->n_layers;
    QTensor in = x->q->tensor[0], out = x->q->tensor[n];
    Number s;
    fprintf(f, "#define MODEL_ARENA_BYTES %u\n", x->plan->arena);
    fprintf(f, "#define MODEL_ARENA_ALIGN %d\n", PLAN_ALIGN);
    fprintf(f, "#define MODEL_INPUT_BYTES %u\n", net_tensor_bytes(net, NET_IMAGE));
    fprintf(f, "#define MODEL_OUTPUT_BYTES %u\n", net_tensor_bytes(net, n - 1));
    fprintf(f, "#define MODEL_IMAGE_OUTSIDE %d\n", x->plan->image_outside);
    if (!x->plan->image_outside)
        fprintf(f, "#define MODEL_INPUT_OFFSET %u\n", x->plan->tensor[0].offset);
    fprintf(f, "#define MODEL_OUTPUT_OFFSET %u\n",
            x->lowered->tensor[x->lowered->output].offset);
    fprintf(f, "#define MODEL_N_SEGMENTS %u\n\n", x->lowered->model.n_segments);
    fprintf(f, "#define MODEL_INPUT_H %d\n#define MODEL_INPUT_W %d\n#define MODEL_INPUT_C %d\n\n",
            net->h, net->w, net->c);
    fputs("/* real = (q - ZERO) * SCALE */\n", f);
    fprintf(f, "#define MODEL_INPUT_SCALE %s\n", print_float(in.scale, &s));
    fprintf(f, "#define MODEL_INPUT_ZERO (%d)\n", in.zero);
    fprintf(f, "#define MODEL_OUTPUT_SCALE %s\n", print_float(out.scale, &s));
    fprintf(f, "#define MODEL_OUTPUT_ZERO (%d)\n\n", out.zero);
}

/* An initialiser and no array: a program that wants no names pays nothing. */
static void print_classes(FILE *f, const Listing *x)
{
    const char *const *name = x->options->class_name;
    int n = net_output(&x->q->net)->out_c;
    if (!name)
        return;
    fputs("/* static const char *const class_name[] = MODEL_CLASS_NAMES; */\n"
          "#define MODEL_CLASS_NAMES { \\\n", f);
    for (int i = 0; i < n; i++) {
        fputs("    ", f);
        print_string(f, name[i]);
        fputs(", \\\n", f);
    }
    fputs("}\n\n", f);
}

void print_model_h(FILE *f, const Listing *x)
{
    fputs(PRINT_MARK "\n", f);
    print_facts(f, x);
    print_usage(f, x);
    fputs(" */\n#ifndef MODEL_H\n#define MODEL_H\n\n#include \"tb.h\"\n\n", f);
    print_sizes(f, x);
    print_classes(f, x);
    fputs("#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
          "extern const TbModel model_tables;\n\n"
          "#if !MODEL_IMAGE_OUTSIDE\n"
          "static inline int8_t *model_input(int8_t *arena)\n{\n"
          "    return arena + MODEL_INPUT_OFFSET;\n}\n#endif\n\n"
          "/* input: NULL when the image is inside. */\n"
          "static inline void model_run(int8_t *arena, const TbInput *input)\n{\n"
          "    tb_run(&model_tables, arena, input);\n}\n\n"
          "/* One part of it, 0 <= segment < MODEL_N_SEGMENTS in this order: for a profiler. */\n"
          "static inline void model_run_segment(int segment, int8_t *arena, const TbInput *input)\n"
          "{\n"
          "    tb_run_segment(&model_tables, segment, arena, input);\n}\n\n"
          "static inline const int8_t *model_output(const int8_t *arena)\n{\n"
          "    return arena + MODEL_OUTPUT_OFFSET;\n}\n\n"
          "#ifdef __cplusplus\n}\n#endif\n#endif\n", f);
}

/* ---- model_sample.h --------------------------------------------------------------------- */

void print_sample_h(FILE *f, const Listing *x)
{
    const Net *net = &x->q->net;
    const int8_t *input = x->options->sample;
    uint32_t in = net_tensor_bytes(net, NET_IMAGE);
    uint32_t out = net_tensor_bytes(net, net->n_layers - 1);
    bool has = input && x->sample_output;
    fputs("/* model_sample.h - an input and what the network must answer, byte for byte. */\n"
          "#ifndef MODEL_SAMPLE_H\n#define MODEL_SAMPLE_H\n\n#include \"model.h\"\n\n", f);
    fprintf(f, "#define MODEL_HAS_SAMPLE %d\n#define MODEL_SAMPLE_LABEL (%d)\n", has,
            has ? x->options->sample_label : -1);
    if (has) {
        fputs("\nstatic const int8_t model_sample_input[MODEL_INPUT_BYTES] = {\n", f);
        print_bytes(f, input, in, in);
        fputs("};\n\nstatic const int8_t model_sample_output[MODEL_OUTPUT_BYTES] = {\n", f);
        print_bytes(f, x->sample_output, out, out);
        fputs("};\n", f);
    }
    fputs("\n#endif\n", f);
}
