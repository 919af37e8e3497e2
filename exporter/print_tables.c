/* print_tables.c - model.c: where tensors lie, what is done, and the constants. */
#include "exporter/print.h"

#include <string.h>

enum { COLUMNS = 100 };

static uint32_t up_to_4(uint32_t n)
{
    return (n + 3) / 4 * 4;
}

/* ---- words about layers and tensors -------------------------------------------------------- */

static bool has_window(const Layer *l)
{
    return l->op == OP_CONV || l->op == OP_DEPTHWISE || l->op == OP_AVG_POOL ||
           l->op == OP_MAX_POOL || l->op == OP_MEAN;
}

typedef struct {
    char text[96];
} Words;

/* "layer 7, depthwise 5x5 stride 2" */
static const char *name_layer(const Net *net, int i, Words *words)
{
    const Layer *l = &net->layer[i];
    char *text = words->text;
    size_t size = sizeof words->text;
    int n = snprintf(text, size, "layer %d, %s", i, op_name((Op)l->op));
    if (!has_window(l))
        return text;
    n += snprintf(text + n, size - (size_t)n, " %dx%d", l->kh, l->kw);
    if (l->sh != l->sw)
        snprintf(text + n, size - (size_t)n, " stride %dx%d", l->sh, l->sw);
    else if (l->sh != 1)
        snprintf(text + n, size - (size_t)n, " stride %d", l->sh);
    return text;
}

/* "layer 7's", of the tensor that layer 7 makes. */
static const char *name_tensor(int t, Words *words)
{
    if (t == 0)
        return "the image";
    snprintf(words->text, sizeof words->text, "layer %d's", t - 1);
    return words->text;
}

static int channels_of(const Net *net, int t)
{
    return t == 0 ? net->c : net->layer[t - 1].out_c;
}

static const char *weights_shape(const Layer *l, int kernel)
{
    if (kernel == STEP_DEPTHWISE_PAIRS)
        return "packed (tb_depthwise_pairs.c)";
    if (kernel == STEP_DEPTHWISE_PLANES)
        return "[c][kh][kw]";
    if (kernel >= N_OPS)
        return "with bias and scale (tb_tile.h)";
    return l->op == OP_DEPTHWISE ? "[kh][kw][c]"
           : l->op == OP_POINTWISE ? "[out_c][in_c]"
           : l->op == OP_LOOKUP ? "[256], of -128 first" : "[out_c][kh][kw][in_c]";
}

/* ---- where a layer's constants lie in the arrays ------------------------------------------- */

typedef struct {
    uint32_t weights, bias, multiplier; /* shift as multiplier */
} Places;

/* Entries of a layer in the tables of biases and of multipliers. */
static uint32_t biases_of(const Layer *l, int kernel)
{
    return op_has_weights((Op)l->op) && !plan_packs_scales(kernel) ? l->out_c : 0;
}

static uint32_t multipliers_of(const Layer *l, int kernel)
{
    return plan_packs_scales(kernel) ? 0 : (uint32_t)qmodel_multipliers(l);
}

static void places_add(Places *p, const Layer *l, int kernel)
{
    p->weights += plan_weights(l, kernel);
    p->bias += biases_of(l, kernel);
    p->multiplier += multipliers_of(l, kernel);
}

/* Of layer i; of n_layers, how many there are. */
static Places places_of(const Listing *x, int i)
{
    Places p = {0, 0, 0};
    for (int l = 0; l < i; l++)
        places_add(&p, &x->q->net.layer[l], x->plan->kernel[l]);
    return p;
}

static void print_declarations(FILE *f, const Listing *x)
{
    Places end = places_of(x, x->q->net.n_layers);
    if (end.weights + end.multiplier == 0)
        return;
    fputs("/* The constants stand at the end of this file. */\n", f);
    if (end.weights > 0)
        fprintf(f, "static const int8_t weights[%u] TB_ALIGNED;\n", end.weights);
    if (end.bias > 0)
        fprintf(f, "static const int32_t bias[%u];\n", end.bias);
    if (end.multiplier > 0)
        fprintf(f, "static const int32_t multiplier[%u];\nstatic const int8_t shift[%u];\n",
                end.multiplier, up_to_4(end.multiplier));
    fputc('\n', f);
}

/* ---- tensors ------------------------------------------------------------------------------- */

static void print_planned(FILE *f, const Listing *x, int t)
{
    const PlanTensor *p = &x->plan->tensor[t];
    Words words;
    fprintf(f, "%s", name_tensor(t, &words));
    if (p->bytes == 0) {
        fputs(", inside a block", f);
        return;
    }
    if (p->rows < x->lowered->tensor[t].h)
        fprintf(f, ", a ring of %d", p->rows);
    fprintf(f, ", ends at %u", p->offset + p->bytes);
}

static void print_part(FILE *f, const LoweredTensor *from)
{
    Words words;
    PlanRange r = from->part;
    fprintf(f, "rows %d to %d, columns %d to %d of %s", r.y0, r.y1 - 1, r.x0, r.x1 - 1,
            name_tensor(from->tensor, &words));
}

static void print_tensor(FILE *f, const Listing *x, int i)
{
    const TbTensor *t = &x->lowered->tensor[i];
    const LoweredTensor *from = &x->lowered->tensor_from[i];
    char row[64], shape[32];
    Words words;
    snprintf(row, sizeof row, "{%u, %u, %u, %u},", t->offset, t->row_bytes, t->rows, t->h);
    snprintf(shape, sizeof shape, "%d x %d x %d", t->h, from->w,
             channels_of(&x->q->net, from->tensor));
    fprintf(f, "    %-26s /* %3d  %-14s ", row, i, shape);
    switch ((TensorKind)from->kind) {
    case TENSOR_OF_PLAN:
        print_planned(f, x, i);
        break;
    case TENSOR_MOVED:
        fprintf(f, "%s, moved here", name_tensor(from->tensor, &words));
        break;
    case TENSOR_VIEW:
        print_part(f, from);
        break;
    }
    fputs(" */\n", f);
}

static void print_tensors(FILE *f, const Listing *x)
{
    int n = x->lowered->model.n_tensors;
    fprintf(f,
            "/* Where every tensor lies in the arena: 0 is the image, 1 + i what layer i makes%s.\n"
            " * Offset, bytes of a row, rows kept, rows in all; h x w x c. */\n"
            "static const TbTensor tensor[%d] = {\n",
            n > x->q->net.n_layers + 1 ? ";\n * behind them what has moved, and parts" : "", n);
    for (int t = 0; t < n; t++)
        print_tensor(f, x, t);
    fputs("};\n\n", f);
}

/* ---- segments ------------------------------------------------------------------------------ */

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

static bool is_move(const Lowered *lowered, int segment)
{
    return lowered->op_from[lowered->segment[segment].first].step == STEP_COPY;
}

int print_peak_segment(const Listing *x)
{
    int s = 0;
    while (x->lowered->segment_from[s].segment != x->plan->peak_segment || is_move(x->lowered, s))
        s++;
    return s;
}

/* ", strip 2 of 4" */
static void print_tile(FILE *f, const PlanSegment *p, int tile)
{
    if (p->rows * p->columns > 1)
        fprintf(f, ", %s %d of %d", p->rows == 1 && !p->tiled ? "strip" : "patch", tile + 1,
                p->rows * p->columns);
}

static void print_layers(FILE *f, const PlanSegment *p)
{
    if (p->n == 1)
        fprintf(f, "layer %d", p->first);
    else
        fprintf(f, "layers %d to %d", p->first, p->first + p->n - 1);
}

/* "3 rows of 40 x 16" of every ring that an op of the segment fills. */
static void print_rings(FILE *f, const Listing *x, const TbSegment *s)
{
    const char *before = "\n     * rings: ";
    int column = 0;
    for (int i = s->first; i < s->first + s->n; i++) {
        int t = x->lowered->op[i].output;
        const TbTensor *ring = &x->lowered->tensor[t];
        const LoweredTensor *from = &x->lowered->tensor_from[t];
        if (ring->rows == 0 || ring->rows >= ring->h)
            continue;
        if (column > COLUMNS - 40) {
            before = ",\n     *        ";
            column = 0;
        }
        column += fprintf(f, "%s%d rows of %d x %d", before, ring->rows, from->w,
                          channels_of(&x->q->net, from->tensor));
        before = ", ";
    }
}

static void print_segment_comment(FILE *f, const Listing *x, int segment)
{
    const LoweredSegment *from = &x->lowered->segment_from[segment];
    const PlanSegment *p = &x->plan->segment[from->segment];
    Number n;
    fprintf(f, "\n    /* ---- segment %d: ", segment);
    if (is_move(x->lowered, segment)) {
        fputs("a tensor moves ---- */\n", f);
        return;
    }
    print_layers(f, p);
    print_tile(f, p, from->tile);
    fprintf(f, "; %s bytes live%s",
            print_number(plan_live(x->plan, &x->q->net, from->segment), &n),
            from->segment == x->plan->peak_segment ? ": the peak" : "");
    print_rings(f, x, &x->lowered->segment[segment]);
    fputs(" */\n", f);
}

/* ---- ops ----------------------------------------------------------------------------------- */

static void print_step_comment(FILE *f, const Listing *x, int i)
{
    const TbOp *op = &x->lowered->op[i];
    const LoweredOp *from = &x->lowered->op_from[i];
    Words words;
    if (from->step == STEP_INPUT)
        fprintf(f, "rows of the image come in: %d from row %d on, columns %d to %d", op->out_h,
                op->in_h, op->in_w, op->in_w + op->out_w - 1);
    if (from->step == STEP_COPY)
        fprintf(f, "%s output, from %u to %u", name_tensor(1 + from->layer, &words),
                x->lowered->tensor[op->input].offset, x->lowered->tensor[op->output].offset);
    if (from->step == STEP_BLOCK)
        fprintf(f, "the three above as one, %d output row%s at a time, the expansion's pixels in\n"
                   "     *    a window of %d x %d: %.2f times its MACs", op->block,
                op->block > 1 ? "s" : "", op->kh, op->kw,
                (double)op->kh / (op->block * op->sh));
}

static bool in_block(const Lowered *lowered, int i)
{
    for (int b = i + 1; b <= i + 3 && b < lowered->model.n_ops; b++)
        if (lowered->op_from[b].step == STEP_BLOCK)
            return true;
    return false;
}

static void print_layer_comment(FILE *f, const Listing *x, int i)
{
    const Net *net = &x->q->net;
    const TbOp *op = &x->lowered->op[i];
    int layer = x->lowered->op_from[i].layer;
    const Layer *l = &net->layer[layer];
    const LoweredTensor *in = &x->lowered->tensor_from[op->input];
    uint64_t macs = (uint64_t)layer_weights(l) * op->out_h * op->out_w;
    Words words;
    Number n;
    fprintf(f, "%s", name_layer(net, layer, &words));
    if (in_block(x->lowered, i)) {
        fputs(", computed by the block below", f);
        return;
    }
    fprintf(f, "   %d x %d x %d -> %d x %d x %d", x->lowered->tensor[op->input].h, in->w, l->in_c,
            x->lowered->tensor[op->output].h, x->lowered->tensor_from[op->output].w, l->out_c);
    if (x->lowered->op_from[i].step == STEP_SUM_POOL)
        fputs(", a row at a time", f);
    else if (op->in_h != x->lowered->tensor[op->input].h)
        fputs(" as one row", f);
    if (macs > 0)
        fprintf(f, "   %s MACs", print_number(macs, &n));
}

static const char *const kernel_name[N_STEPS] = {
#define X(step, kernel) [step] = #kernel,
    LOWER_KERNELS(X)
#undef X
};

/* Not something that a plan does beside them. */
static bool is_layer(int step)
{
    return step != STEP_INPUT && step != STEP_COPY && step != STEP_BLOCK;
}

static void print_pointers(FILE *f, const Listing *x, const LoweredOp *from)
{
    fprintf(f, "    {.kernel = %s,", kernel_name[from->step]);
    if (!is_layer(from->step)) {
        fputc('\n', f);
        return;
    }
    const Layer *l = &x->q->net.layer[from->layer];
    Places at = places_of(x, from->layer);
    const int kernel = x->plan->kernel[from->layer];
    if (layer_constants(l) > 0)
        fprintf(f, " .weights = weights + %u,", at.weights);
    if (biases_of(l, kernel) > 0)
        fprintf(f, " .bias = bias + %u,", at.bias);
    if (multipliers_of(l, kernel) > 0)
        fprintf(f, "\n     .multiplier = multiplier + %u, .shift = shift + %u,", at.multiplier,
                at.multiplier);
    fputc('\n', f);
}

static void print_op(FILE *f, const Listing *x, int i)
{
    const TbOp *op = &x->lowered->op[i];
    const LoweredOp *from = &x->lowered->op_from[i];
    fprintf(f, "    /* %d  ", i);
    if (is_layer(from->step))
        print_layer_comment(f, x, i);
    else
        print_step_comment(f, x, i);
    fputs(" */\n", f);
    print_pointers(f, x, from);
    fprintf(f, "     .in_h = %d, .in_w = %d, .in_c = %d, .out_h = %d, .out_w = %d, .out_c = %d,\n",
            op->in_h, op->in_w, op->in_c, op->out_h, op->out_w, op->out_c);
    fprintf(f, "     .kh = %d, .kw = %d, .sh = %d, .sw = %d, .pad_top = %d, .pad_left = %d,\n",
            op->kh, op->kw, op->sh, op->sw, op->pad_top, op->pad_left);
    fprintf(f,
            "     .in_zero = %d, .in2_zero = %d, .out_zero = %d, .act_min = %d, .act_max = %d,\n",
            op->in_zero, op->in2_zero, op->out_zero, op->act_min, op->act_max);
    fprintf(f, "     .input = %d, .input2 = %d, .output = %d, .back = %d, .back2 = %d, .block = %d,"
               "\n     .scratch = %u},\n", op->input, op->input2, op->output, op->back, op->back2,
            op->block, op->scratch);
}

static void print_ops(FILE *f, const Listing *x)
{
    const TbModel *m = &x->lowered->model;
    fputs("/* What is done, in this order. Within a segment rows flow: an op runs when a later\n"
          " * one needs its next row. Layers that look at a pixel at a time are, on whole tensors,\n"
          " * one row of all pixels. Bytes live: tensors still needed, rings, scratch. */\n",
          f);
    fprintf(f, "static const TbOp op[%d] = {", m->n_ops);
    for (int s = 0; s < m->n_segments; s++) {
        print_segment_comment(f, x, s);
        for (int i = 0; i < m->segment[s].n; i++)
            print_op(f, x, m->segment[s].first + i);
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

/* ---- constants ----------------------------------------------------------------------------- */

static void print_weights(FILE *f, const Listing *x)
{
    const Net *net = &x->q->net;
    Places at = {0, 0, 0}, end = places_of(x, net->n_layers);
    fprintf(f,
            "\n/* real = q * scale, a scale for each output channel; zeros fill up to 4 bytes. */\n"
            "static const int8_t weights[%u] TB_ALIGNED = {\n",
            end.weights);
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        int kernel = x->plan->kernel[i];
        uint32_t bytes = plan_weights(l, kernel);
        Words words;
        if (bytes > 0) {
            fprintf(f, "    /* %s %s, from %u */\n", name_layer(net, i, &words),
                    weights_shape(l, kernel), at.weights);
            print_bytes(f, x->lowered->constants[i].weights,
                        kernel < N_OPS ? layer_constants(l) : bytes, bytes);
        }
        places_add(&at, l, kernel);
    }
    fputs("};\n", f);
}

static void print_biases(FILE *f, const Listing *x)
{
    const Net *net = &x->q->net;
    Places at = {0, 0, 0}, end = places_of(x, net->n_layers);
    fprintf(f, "\n/* In units of the input's scale times the channel's; of depthwise pairs less the\n"
               " * input's zero point times the sum of the weights. */\n"
               "static const int32_t bias[%u] = {\n", end.bias);
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &net->layer[i];
        Words words;
        if (biases_of(l, x->plan->kernel[i]) > 0) {
            fprintf(f, "    /* %s, from %u */\n", name_layer(net, i, &words), at.bias);
            print_words(f, x->lowered->constants[i].bias, l->out_c);
        }
        places_add(&at, l, x->plan->kernel[i]);
    }
    fputs("};\n", f);
}

static void print_multipliers(FILE *f, const Listing *x)
{
    const QModel *q = x->q;
    Places at = {0, 0, 0}, end = places_of(x, q->net.n_layers);
    fprintf(f,
            "\n/* An accumulator becomes an output times multiplier * 2^(shift - 31); an add has\n"
            " * three: of either input and of the sum. */\n"
            "static const int32_t multiplier[%u] = {\n",
            end.multiplier);
    for (int i = 0; i < q->net.n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        Words words;
        if (multipliers_of(l, x->plan->kernel[i]) > 0) {
            fprintf(f, "    /* %s, from %u */\n", name_layer(&q->net, i, &words), at.multiplier);
            print_words(f, q->layer[i].multiplier, qmodel_multipliers(l));
        }
        places_add(&at, l, x->plan->kernel[i]);
    }
    fputs("};\n", f);
}

static void print_shifts(FILE *f, const Listing *x)
{
    const QModel *q = x->q;
    Places at = {0, 0, 0}, end = places_of(x, q->net.n_layers);
    fprintf(f, "\nstatic const int8_t shift[%u] = {\n", up_to_4(end.multiplier));
    for (int i = 0; i < q->net.n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        uint32_t n = multipliers_of(l, x->plan->kernel[i]);
        Words words;
        if (n > 0) {
            fprintf(f, "    /* %s, from %u */\n", name_layer(&q->net, i, &words), at.multiplier);
            print_bytes(f, q->layer[i].shift, n, n);
        }
        places_add(&at, l, x->plan->kernel[i]);
    }
    fputs("};\n", f);
}

void print_model_c(FILE *f, const Listing *x)
{
    const QModel *q = x->q;
    Places end = places_of(x, q->net.n_layers);
    fputs("/* model.c - the schedule and the weights of a network; thimble wrote it.\n", f);
    print_facts(f, x);
    fputs(" */\n#include \"model.h\"\n\n", f);
    print_declarations(f, x);
    print_tensors(f, x);
    print_segments(f, x);
    print_ops(f, x);
    print_model(f, &x->lowered->model);
    if (end.weights > 0)
        print_weights(f, x);
    if (end.bias > 0)
        print_biases(f, x);
    if (end.multiplier > 0) {
        print_multipliers(f, x);
        print_shifts(f, x);
    }
}
