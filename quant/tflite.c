#include "quant/tflite.h"

#include "quant/tflite_build.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the file says of itself ------------------------------------------------------------ */

enum { MODEL_DESCRIPTION = 3, TENSOR_NAME = 3 };

static void describe_border(Build *b, int tensor, int inner, TfliteBorder *border)
{
    const FileTensor *t = &b->file.tensor[tensor];
    QTensor q = quantised(&b->file.tensor[inner]);
    *border = (TfliteBorder){.type = t->type, .rank = t->rank, .scale = q.scale, .zero = q.zero};
    memcpy(border->shape, t->shape, sizeof t->shape);
    flat_string(&b->file.flat, t->table, TENSOR_NAME, border->name, sizeof border->name);
}

/* The last layer that an operator has a part in. */
static int16_t layer_of_op(const Build *b, int op)
{
    int16_t last = -1;
    for (int l = 0; l < b->net.n_layers; l++)
        if (b->op_of_layer[l] == op)
            last = (int16_t)l;
    return last;
}

static int graph_tensor(const TfliteInfo *info, int number)
{
    for (int t = 0; t < info->n_tensors; t++)
        if (info->tensor[t].number == number)
            return t;
    return -1; /* a constant */
}

static void add_graph_tensor(const Build *b, TfliteInfo *info, int number)
{
    info->tensor[info->n_tensors++] =
        (TfliteTensor){.bytes = b->file.tensor[number].bytes, .number = (int16_t)number};
}

static void describe_graph(const Build *b, TfliteInfo *info)
{
    const TfliteFile *f = &b->file;
    add_graph_tensor(b, info, f->input);
    for (int i = 0; i < f->n_ops; i++) {
        TfliteOp *op = &info->op[info->n_ops++];
        *op = (TfliteOp){.code = f->op[i].code, .layer = layer_of_op(b, i)};
        for (int k = 0; k < f->op[i].n_inputs; k++) {
            int t = graph_tensor(info, f->op[i].input[k]);
            if (t >= 0)
                op->input[op->n_inputs++] = (uint16_t)t;
        }
        op->output = (uint16_t)info->n_tensors;
        add_graph_tensor(b, info, f->op[i].output);
    }
    info->output_tensor = graph_tensor(info, f->output);
}

/* ---- counts ---------------------------------------------------------------------------------- */

static void count_kinds(TfliteInfo *info)
{
    for (int i = 0; i < info->n_ops; i++) {
        int k = 0;
        while (k < info->n_kinds && info->kind[k].code != info->op[i].code)
            k++;
        info->kind[k].code = info->op[i].code;
        info->kind[k].n++;
        info->n_kinds += k == info->n_kinds;
    }
}

/* Taps of all windows along an axis that are inside the image. */
static uint64_t taps_inside(int in, int out, int k, int s, int pad)
{
    uint64_t n = 0;
    for (int i = 0; i < out; i++)
        for (int tap = i * s - pad; tap < i * s - pad + k; tap++)
            n += tap >= 0 && tap < in;
    return n;
}

/* What a PAD put around is inside: the operator reads it as a tensor of its own. */
static uint64_t exact_macs(const Build *b, int l)
{
    const Layer *layer = &b->net.layer[l];
    const uint16_t *pad = b->pad_of_layer[l];
    uint64_t taps = taps_inside(layer->in_h + pad[PAD_TOP] + pad[PAD_BOTTOM], layer->out_h,
                                layer->kh, layer->sh, layer->pad_top - pad[PAD_TOP]) *
                    taps_inside(layer->in_w + pad[PAD_LEFT] + pad[PAD_RIGHT], layer->out_w,
                                layer->kw, layer->sw, layer->pad_left - pad[PAD_LEFT]);
    return taps * (layer_weights(layer) / ((uint32_t)layer->kh * layer->kw));
}

static void count_work(const Build *b, TfliteInfo *info)
{
    for (int l = 0; l < b->net.n_layers; l++) {
        const Layer *layer = &b->net.layer[l];
        const FileOp *op = &b->file.op[b->op_of_layer[l]];
        info->op_of_layer[l] = b->op_of_layer[l];
        if (!op_has_weights((Op)layer->op))
            continue;
        bool bias = op->n_inputs > 2 && op->input[2] != TFLITE_NO_TENSOR;
        info->macs += layer_macs(layer);
        info->macs_exact += exact_macs(b, l);
        info->weight_bytes += layer_weights(layer);
        info->bias_bytes += bias ? 4u * layer->out_c : 0;
        info->n_scales += b->file.tensor[op->input[1]].scales.n;
    }
    info->params = info->weight_bytes + info->bias_bytes / 4;
}

static int16_t logits_of(const Net *net)
{
    const Layer *last = net_output(net);
    return (int16_t)(last->op == OP_SOFTMAX && last->input >= 0 ? last->input : net->n_layers - 1);
}

static void describe(Build *b, TfliteInfo *info)
{
    memset(info, 0, sizeof *info);
    flat_string(&b->file.flat, b->file.model, MODEL_DESCRIPTION, info->description,
                sizeof info->description);
    describe_border(b, b->file.input, b->image, &info->input);
    describe_border(b, b->file.output, b->result, &info->output);
    describe_graph(b, info);
    count_kinds(info);
    count_work(b, info);
    info->logits = logits_of(&b->net);
}

/* ---- loading --------------------------------------------------------------------------------- */

static int load(Build *b, QModel *q, TfliteInfo *info)
{
    b->view = xcalloc((size_t)b->file.n_tensors, sizeof *b->view);
    b->table = xcalloc((size_t)b->file.n_ops, sizeof *b->table);
    int status = build_layers(b) == 0 ? build_tables(b, q) : -1;
    if (status == 0 && info)
        describe(b, info);
    free(b->view);
    free(b->table);
    return status;
}

int tflite_load_bytes(QModel *q, TfliteInfo *info, const void *bytes, size_t size)
{
    memset(q, 0, sizeof *q);
    Build *b = xcalloc(1, sizeof *b);
    int status = tflite_file_init(&b->file, bytes, size);
    if (status == 0) {
        status = load(b, q, info);
        if (b->file.flat.damaged && status == 0) { /* an option or a name beyond the end */
            qmodel_release(q);
            status = errorf("the .tflite model is damaged or truncated");
        }
        tflite_file_release(&b->file);
    }
    free(b);
    return status;
}

int tflite_load(QModel *q, TfliteInfo *info, const char *path)
{
    size_t size;
    char *bytes = file_read(path, &size);
    if (!bytes)
        return -1;
    int status = tflite_load_bytes(q, info, bytes, size);
    free(bytes);
    return status == 0 ? 0 : errorf("%s: %s", path, error_text());
}
