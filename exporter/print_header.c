/* print_header.c - model.h: the page that whoever calls the network reads. */
#include "exporter/print.h"

#include <ctype.h>

/* ---- the call ------------------------------------------------------------------------------ */

static const char call_inside[] =
    " *     int8_t *image = model_input(arena);         fill MODEL_INPUT_BYTES: [h][w][c]\n"
    " *     model_run(arena, NULL);\n"
    " *     const int8_t *score = model_output(arena);  MODEL_OUTPUT_BYTES; the class is the largest\n"
    " *\n";

static const char call_outside[] =
    " *     static void row(void *context, int y, int x0, int x1, int8_t *to)\n"
    " *     {\n"
    " *         columns [x0, x1) of row y of the image: (x1 - x0) * MODEL_INPUT_C bytes, [x][c]\n"
    " *     }\n"
    " *     const TbInput image = {row, context};       context: whatever row() wants\n"
    " *     model_run(arena, &image);\n"
    " *     const int8_t *score = model_output(arena);  MODEL_OUTPUT_BYTES; the class is the largest\n"
    " *\n";

/* In what order rows are asked for follows from the segment that pulls them. */
static void print_row_order(FILE *f, const Listing *x)
{
    const PlanSegment *s = &x->plan->segment[0];
    int tiles = s->rows * s->columns;
    if (tiles == 1)
        fputs(" *             Asked for are whole rows from the top down, each at most once, so that a\n"
              " *             camera may bring them while the network runs.\n", f);
    else
        fprintf(f,
                " *             Asked for are %d %s, rows from the top down in each. They overlap,\n"
                " *             so the image has to be there as a whole until model_run() returns.\n",
                tiles, s->rows == 1 ? "strips" : "patches");
}

static void print_image(FILE *f, const Listing *x)
{
    if (!x->plan->image_outside) {
        fputs(" *   image     lies in the arena at MODEL_INPUT_OFFSET and is overwritten: fill it in\n"
              " *             again before the next run.\n", f);
        return;
    }
    fputs(" *   image     is not in the arena: model_run() calls row() when it needs some and goes on\n"
          " *             when that returns, so it may wait for a DMA or decode a line. It writes all\n"
          " *             of `to`, which may lie at any address, and nothing else.\n", f);
    print_row_order(f, x);
}

/* ---- what it needs ------------------------------------------------------------------------- */

static const char rules[] =
    " *   arena     starts at a multiple of MODEL_ARENA_ALIGN, best in the fastest RAM. What it held\n"
    " *             before does not matter. It is the network's from the first byte of the image\n"
    " *             until the output has been read; after that it may serve something else.\n"
    " *   stack     is free below the caller of model_run(): the figure above for gcc at -O2, a quarter\n"
    " *             more for other compilers and levels; beside it what interrupts%s need.\n"
    " *   flash     holds everything else. All is constant, the tables too; there are no globals, no\n"
    " *             heap, and of libc at most memcpy() and memset(), when the compiler calls them.\n"
    " *   threads   are free to call model_run(), so are interrupts, several at once with an arena\n"
    " *             each: it has no state but its arguments. It cannot fail.\n"
    " *   C++       may include this file; the .c files are C99.\n";

static const char self_check[] =
    "/* Does this build, on this chip, answer as the machine did that exported it? Compile with\n"
    " * MODEL_SELF_CHECK defined and call it while the arena is free: 0 when the CRC-32 of the output\n"
    " * for a known input is the stored one. Without the macro model_check.c is empty. */\n"
    "#ifdef MODEL_SELF_CHECK\n"
    "int model_self_check(int8_t *arena);\n"
    "/* That input, a TbInputRow. */\n"
    "void model_check_row(void *context, int y, int x0, int x1, int8_t *to);\n"
    "#endif\n\n";

static void print_usage(FILE *f, const Listing *x)
{
    fputs(" *\n"
          " *     static int8_t arena[MODEL_ARENA_BYTES] "
          "__attribute__((aligned(MODEL_ARENA_ALIGN)));\n"
          " *\n", f);
    fputs(x->plan->image_outside ? call_outside : call_inside, f);
    fputs(" *   input     ", f);
    print_input(f, x);
    print_image(f, x);
    fprintf(f, rules, x->plan->image_outside ? " and row()" : "");
}

/* ---- the figures --------------------------------------------------------------------------- */

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
          "extern const TbModel model_tables;\n\n", f);
    if (!x->plan->image_outside)
        fputs("static inline int8_t *model_input(int8_t *arena)\n{\n"
              "    return arena + MODEL_INPUT_OFFSET;\n}\n\n", f);
    fprintf(f, "/* %s. */\n", x->plan->image_outside ? "input: where the image's rows come from"
                                                      : "input: NULL, the image is in the arena");
    fputs("static inline void model_run(int8_t *arena, const TbInput *input)\n{\n"
          "    tb_run(&model_tables, arena, input);\n}\n\n"
          "/* One part of it, 0 <= segment < MODEL_N_SEGMENTS in this order: for a profiler. */\n"
          "static inline void model_run_segment(int segment, int8_t *arena, const TbInput *input)\n"
          "{\n"
          "    tb_run_segment(&model_tables, segment, arena, input);\n}\n\n"
          "static inline const int8_t *model_output(const int8_t *arena)\n{\n"
          "    return arena + MODEL_OUTPUT_OFFSET;\n}\n\n", f);
    fputs(self_check, f);
    fputs("#ifdef __cplusplus\n}\n#endif\n#endif\n", f);
}
