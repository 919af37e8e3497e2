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

static void print_bytes(FILE *f, const int8_t *v, uint32_t n, uint32_t padded)
{
    Row r = {.f = f};
    for (uint32_t i = 0; i < padded; i++)
        row_number(&r, i < n ? v[i] : 0);
    row_end(&r);
}

static void print_words(FILE *f, const int32_t *v, int n)
{
    Row r = {.f = f};
    for (int i = 0; i < n; i++)
        row_number(&r, v[i]);
    row_end(&r);
}

static uint32_t up_to_4(uint32_t n)
{
    return (n + 3) / 4 * 4;
}

/* ---- words about a layer --------------------------------------------------------------- */

static bool has_window(const Layer *l)
{
    return l->op == OP_CONV || l->op == OP_DEPTHWISE || l->op == OP_AVG_POOL ||
           l->op == OP_MAX_POOL;
}

/* "depthwise 5x5 stride 2" */
static void name_layer(const Layer *l, char *text, size_t size)
{
    int n = snprintf(text, size, "%s", op_name((Op)l->op));
    if (!has_window(l))
        return;
    n += snprintf(text + n, size - (size_t)n, " %dx%d", l->kh, l->kw);
    if (l->sh != l->sw)
        snprintf(text + n, size - (size_t)n, " stride %dx%d", l->sh, l->sw);
    else if (l->sh != 1)
        snprintf(text + n, size - (size_t)n, " stride %d", l->sh);
}

static int segment_of(const Plan *plan, int layer)
{
    int s = 0;
    while (layer >= plan->segment[s].first + plan->segment[s].n)
        s++;
    return s;
}

static const char *weights_shape(const Layer *l)
{
    return l->op == OP_DEPTHWISE ? "[kh][kw][c]"
           : l->op == OP_POINTWISE ? "[out_c][in_c]" : "[out_c][kh][kw][in_c]";
}

/* ---- where a layer's constants lie in the arrays ---------------------------------------- */

typedef struct {
    uint32_t weights, bias, multiplier; /* shift as multiplier */
} Places;

static void places_add(Places *p, const Layer *l)
{
    p->weights += up_to_4(layer_constants(l));
    p->bias += op_has_weights((Op)l->op) ? l->out_c : 0;
    p->multiplier += (uint32_t)qmodel_multipliers(l);
}

static Places places_of(const Net *net, int n_layers)
{
    Places p = {0, 0, 0};
    for (int i = 0; i < n_layers; i++)
        places_add(&p, &net->layer[i]);
    return p;
}

/* ---- model.c ---------------------------------------------------------------------------- */

static void print_shape(FILE *f, const char *what, int h, int w, int c, QTensor t)
{
    fprintf(f, " *   %-9s %d x %d x %d int8, real = (q %c %d) * %.6g\n", what, h, w, c,
            t.zero < 0 ? '+' : '-', abs(t.zero), (double)t.scale);
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

static void print_stack(FILE *f, const Target *target)
{
    if (target->code.stack > 0)
        fprintf(f, "keep 1 KiB; %u bytes were measured on %s, without interrupts\n",
                target->code.stack, target->name);
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
    fprintf(f, "%sarena     %s bytes (%.1f KiB), the image inside; the most in segment %d\n",
            margin, print_number(x->plan->arena, &n), x->plan->arena / 1024.0,
            x->plan->peak_segment);
    fprintf(f, "%spolicy    %s\n", margin, policy_name((Policy)x->plan->policy));
    fprintf(f, "%sflash     ", margin);
    print_flash(f, &x->cost);
    fprintf(f, "%sstack     ", margin);
    print_stack(f, x->options->target);
    fprintf(f, "%sMACs      %s\n", margin, print_number(x->cost.macs, &n));
    fprintf(f, "%stime      ", margin);
    print_time(f, x);
}

/* The facts of both headers: what goes in, what comes out, what it costs. */
static void print_facts(FILE *f, const Listing *x)
{
    const Net *net = &x->q->net;
    const Layer *last = net_output(net);
    fputs(" *\n *   title     ", f);
    print_line(f, x->options->title ? x->options->title : "a network");
    fputc('\n', f);
    print_shape(f, "input", net->h, net->w, net->c, x->q->tensor[0]);
    print_shape(f, "output", last->out_h, last->out_w, last->out_c, x->q->tensor[net->n_layers]);
    print_costs(f, x, " *   ");
}

static void print_declarations(FILE *f, const Net *net)
{
    Places end = places_of(net, net->n_layers);
    if (end.multiplier == 0)
        return;
    fputs("/* The constants stand at the end of this file. */\n", f);
    if (end.bias > 0)
        fprintf(f, "static const int8_t weights[%u];\nstatic const int32_t bias[%u];\n",
                end.weights, end.bias);
    fprintf(f, "static const int32_t multiplier[%u];\nstatic const int8_t shift[%u];\n\n",
            end.multiplier, up_to_4(end.multiplier));
}

static void print_tensor(FILE *f, const Listing *x, int t)
{
    const Net *net = &x->q->net;
    const TbTensor *tensor = &x->lowered->tensor[t];
    const PlanTensor *p = &x->plan->tensor[t];
    const Layer *l = t == 0 ? NULL : &net->layer[t - 1];
    char row[64], shape[32];
    snprintf(row, sizeof row, "{%u, %u, %u, %u},", tensor->offset, tensor->row_bytes, tensor->rows,
             tensor->h);
    snprintf(shape, sizeof shape, "%d x %d x %d", tensor->h, l ? l->out_w : net->w,
             l ? l->out_c : net->c);
    fprintf(f, "    %-28s /* %3d  %-16s ends at %u, segments %d to %d */\n", row, t, shape,
            p->offset + p->bytes, p->first, p->last);
}

static void print_tensors(FILE *f, const Listing *x)
{
    int n = x->lowered->model.n_tensors;
    fprintf(f,
            "/* Where every tensor lies in the arena: 0 is the image, 1 + i what op i makes.\n"
            " * Offset, bytes of a row, rows kept, rows in all; h x w x c, when it is alive. */\n"
            "static const TbTensor tensor[%d] = {\n",
            n);
    for (int t = 0; t < n; t++)
        print_tensor(f, x, t);
    fputs("};\n\n", f);
}

static void print_segments(FILE *f, const Listing *x)
{
    int n = x->lowered->model.n_segments;
    fprintf(f, "/* Ops through which rows flow together: first, how many. */\n"
               "static const TbSegment segment[%d] = {\n    ", n);
    for (int s = 0, column = 4; s < n; s++) {
        char text[16];
        int length = snprintf(text, sizeof text, "{%d, %d},", x->lowered->segment[s].first,
                              x->lowered->segment[s].n);
        if (column + 1 + length > COLUMNS) {
            fputs("\n    ", f);
            column = 4;
        }
        column += fprintf(f, "%s%s", column > 4 ? " " : "", text);
    }
    fputs("\n};\n\n", f);
}

static void print_op_comment(FILE *f, const Listing *x, int i)
{
    const Layer *l = &x->q->net.layer[i];
    int s = segment_of(x->plan, i);
    char name[64];
    Number n;
    name_layer(l, name, sizeof name);
    fprintf(f, "    /* %d  %s   %d x %d x %d -> %d x %d x %d%s\n     *    ", i, name, l->in_h,
            l->in_w, l->in_c, l->out_h, l->out_w, l->out_c,
            x->lowered->op[i].in_h != l->in_h ? "   as one row" : "");
    if (layer_macs(l) > 0)
        fprintf(f, "%s MACs   ", print_number(layer_macs(l), &n));
    fprintf(f, "%s bytes live%s */\n", print_number(plan_live(x->plan, &x->q->net, s), &n),
            s == x->plan->peak_segment ? ": the peak" : "");
}

static const char *const kernel_name[N_OPS] = {
#define X(op, kernel) [OP_##op] = #kernel,
    LOWER_KERNELS(X)
#undef X
};

static void print_pointers(FILE *f, const Layer *l, Places at)
{
    fprintf(f, "    {.kernel = %s,", kernel_name[l->op]);
    if (op_has_weights((Op)l->op))
        fprintf(f, " .weights = weights + %u, .bias = bias + %u,", at.weights, at.bias);
    if (qmodel_multipliers(l) > 0)
        fprintf(f, "\n     .multiplier = multiplier + %u, .shift = shift + %u,", at.multiplier,
                at.multiplier);
    fputc('\n', f);
}

static void print_op(FILE *f, const Listing *x, int i, Places at)
{
    const TbOp *op = &x->lowered->op[i];
    print_op_comment(f, x, i);
    print_pointers(f, &x->q->net.layer[i], at);
    fprintf(f, "     .in_h = %d, .in_w = %d, .in_c = %d, .out_h = %d, .out_w = %d, .out_c = %d,\n",
            op->in_h, op->in_w, op->in_c, op->out_h, op->out_w, op->out_c);
    fprintf(f, "     .kh = %d, .kw = %d, .sh = %d, .sw = %d, .pad_top = %d, .pad_left = %d,\n",
            op->kh, op->kw, op->sh, op->sw, op->pad_top, op->pad_left);
    fprintf(f,
            "     .in_zero = %d, .in2_zero = %d, .out_zero = %d, .act_min = %d, .act_max = %d,\n",
            op->in_zero, op->in2_zero, op->out_zero, op->act_min, op->act_max);
    fprintf(f, "     .input = %d, .input2 = %d, .output = %d, .scratch = %u,\n", op->input,
            op->input2, op->output, op->scratch);
    fprintf(f, "     .back = %d, .back2 = %d, .block = %d},\n", op->back, op->back2, op->block);
}

static void print_ops(FILE *f, const Listing *x)
{
    const Net *net = &x->q->net;
    Places at = {0, 0, 0};
    fputs("/* What is done, in this order. A 1x1 layer or an add on whole tensors is one row of\n"
          " * all its pixels. Bytes live: tensors somebody still needs, and the output. */\n", f);
    fprintf(f, "static const TbOp op[%d] = {\n", net->n_layers);
    for (int i = 0; i < net->n_layers; i++) {
        print_op(f, x, i, at);
        places_add(&at, &net->layer[i]);
    }
    fputs("};\n\n", f);
}

static void print_model(FILE *f, const TbModel *m)
{
    fprintf(f, "const TbModel model_tables = {\n"
               "    .op = op, .tensor = tensor, .segment = segment,\n"
               "    .n_ops = %d, .n_tensors = %d, .n_segments = %d,\n"
               "    .arena_bytes = MODEL_ARENA_BYTES,\n"
               "};\n", m->n_ops, m->n_tensors, m->n_segments);
}

static void print_constants_comment(FILE *f, const Layer *l, int i, uint32_t at)
{
    char name[64];
    name_layer(l, name, sizeof name);
    fprintf(f, "    /* op %d, %s, from %u */\n", i, name, at);
}

static void print_weights(FILE *f, const QModel *q)
{
    Places at = {0, 0, 0}, end = places_of(&q->net, q->net.n_layers);
    fprintf(f,
            "\n/* real = q * scale, a scale for each output channel; zeros fill up to 4 bytes. */\n"
            "static const int8_t weights[%u] = {\n",
            end.weights);
    for (int i = 0; i < q->net.n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        if (op_has_weights((Op)l->op)) {
            char name[64];
            name_layer(l, name, sizeof name);
            fprintf(f, "    /* op %d, %s %s, from %u */\n", i, name, weights_shape(l), at.weights);
            print_bytes(f, q->layer[i].weights, layer_constants(l), up_to_4(layer_constants(l)));
        }
        places_add(&at, l);
    }
    fputs("};\n", f);
}

static void print_biases(FILE *f, const QModel *q)
{
    Places at = {0, 0, 0}, end = places_of(&q->net, q->net.n_layers);
    fprintf(f, "\n/* In units of the input's scale times the channel's. */\n"
               "static const int32_t bias[%u] = {\n", end.bias);
    for (int i = 0; i < q->net.n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        if (op_has_weights((Op)l->op)) {
            print_constants_comment(f, l, i, at.bias);
            print_words(f, q->layer[i].bias, l->out_c);
        }
        places_add(&at, l);
    }
    fputs("};\n", f);
}

static void print_multipliers(FILE *f, const QModel *q)
{
    Places at = {0, 0, 0}, end = places_of(&q->net, q->net.n_layers);
    fprintf(f,
            "\n/* An accumulator becomes an output times multiplier * 2^(shift - 31); an add has\n"
            " * three: of either input and of the sum. */\n"
            "static const int32_t multiplier[%u] = {\n",
            end.multiplier);
    for (int i = 0; i < q->net.n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        if (qmodel_multipliers(l) > 0) {
            print_constants_comment(f, l, i, at.multiplier);
            print_words(f, q->layer[i].multiplier, qmodel_multipliers(l));
        }
        places_add(&at, l);
    }
    fputs("};\n", f);
}

static void print_shifts(FILE *f, const QModel *q)
{
    Places at = {0, 0, 0}, end = places_of(&q->net, q->net.n_layers);
    fprintf(f, "\nstatic const int8_t shift[%u] = {\n", up_to_4(end.multiplier));
    for (int i = 0; i < q->net.n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        uint32_t n = (uint32_t)qmodel_multipliers(l);
        if (n > 0) {
            print_constants_comment(f, l, i, at.multiplier);
            print_bytes(f, q->layer[i].shift, n, n);
        }
        places_add(&at, l);
    }
    fputs("};\n", f);
}

void print_model_c(FILE *f, const Listing *x)
{
    const QModel *q = x->q;
    Places end = places_of(&q->net, q->net.n_layers);
    fputs("/* model.c - the schedule and the weights of a network; thimble wrote it.\n", f);
    print_facts(f, x);
    fputs(" */\n#include \"model.h\"\n\n", f);
    print_declarations(f, &q->net);
    print_tensors(f, x);
    print_segments(f, x);
    print_ops(f, x);
    print_model(f, &x->lowered->model);
    if (end.bias > 0) {
        print_weights(f, q);
        print_biases(f, q);
    }
    if (end.multiplier > 0) {
        print_multipliers(f, q);
        print_shifts(f, q);
    }
}

/* ---- model.h ---------------------------------------------------------------------------- */

static void print_usage(FILE *f, const Listing *x)
{
    QTensor in = x->q->tensor[0];
    fputs(" *\n"
          " *     static int8_t arena[MODEL_ARENA_BYTES] "
          "__attribute__((aligned(MODEL_ARENA_ALIGN)));\n"
          " *\n"
          " *     fill model_input(arena) with MODEL_INPUT_BYTES: [h][w][c], int8 = pixel - 128\n"
          " *     model_run(arena, NULL);\n"
          " *     read MODEL_OUTPUT_BYTES at model_output(arena); the class is the largest\n"
          " *\n"
          " * The arena starts at a multiple of MODEL_ARENA_ALIGN and belongs to the network only\n"
          " * while it runs. The image is overwritten: fill it in again before the next run.\n"
          " * Nothing else is written: the model is constant and lives in flash.\n", f);
    fprintf(f, " * A pixel p of 0..255 means (p - %d) * %.6g to the network.\n", in.zero + 128,
            (double)in.scale);
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
    fprintf(f, "#define MODEL_INPUT_OFFSET %u\n", x->plan->tensor[0].offset);
    fprintf(f, "#define MODEL_OUTPUT_OFFSET %u\n", x->plan->tensor[n].offset);
    fprintf(f, "#define MODEL_N_SEGMENTS %u\n", x->plan->n_segments);
    fprintf(f, "#define MODEL_IMAGE_OUTSIDE %d\n\n", x->plan->image_outside);
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
          "static inline int8_t *model_input(int8_t *arena)\n{\n"
          "    return arena + MODEL_INPUT_OFFSET;\n}\n\n"
          "static inline void model_run(int8_t *arena, const TbInput *input)\n{\n"
          "    tb_run(&model_tables, arena, input);\n}\n\n"
          "/* One part of it, 0 <= segment < MODEL_N_SEGMENTS in this order: for a profiler. */\n"
          "static inline void model_run_segment(int segment, int8_t *arena, const TbInput *input)\n{\n"
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
