/* tflite_layers.c - the operators of a .tflite file as layers of ours, in turn. */
#include "quant/tflite_build.h"

#include "base/error.h"

#include <string.h>

/* ---- what only moves or renames -------------------------------------------------------------- */

/* PAD, and PADV2 with the zero point: the convolution that comes does it. */
static int add_pad(Build *b)
{
    const FileTensor *t = input_of(b, 0), *pads, *value = input_of(b, 2);
    int tensor = 0;
    View *from = NULL;
    if (view_input(b, 0, &tensor, &from) != 0 || view_check_int8(b, current(b)->output) != 0)
        return -1;
    if (t->rank != 4 || option_integers(b, 1, 8, &pads) != 0)
        return t->rank == 4 ? -1 : refuse(b, "of %d dimensions is not supported", t->rank);
    QTensor q = quantised(t);
    if (!same_quantisation(q, quantised(output_of(b))))
        return refuse(b, "changes the scale, which is not supported");
    if (value && (!value->data || value->type != TYPE_INT8 || value->elements != 1 ||
                  (int8_t)value->data[0] != q.zero))
        return refuse(b, "with anything but zeros is not supported");
    View *v = view_output(b, from);
    for (uint32_t i = 0; i < 8; i++) {
        int64_t n = file_integer(pads, i);
        int d = (int)i / 2;
        if (n < 0 || n > UINT8_MAX || (n != 0 && (d == 0 || d == 3)))
            return refuse(b, "of %lld along dimension %d is not supported", (long long)n, d);
        if (output_of(b)->rank != 4 || (i % 2 && output_of(b)->shape[d] !=
                                            t->shape[d] + n + file_integer(pads, i - 1)))
            return refuse(b, "makes another shape than the file says");
        if (n != 0)
            v->pad[i - 2] = (uint16_t)(v->pad[i - 2] + n);
    }
    return 0;
}

/* The same values under other dimensions. A file may give them another scale, which then holds
 * for who reads them; another zero point needs a layer that says so. */
static int add_reshape(Build *b)
{
    int tensor = 0;
    View *from = NULL;
    if (view_input(b, 0, &tensor, &from) != 0 || view_check_int8(b, current(b)->output) != 0)
        return -1;
    const FileTensor *in = &b->file.tensor[tensor], *out = output_of(b);
    if (view_is_padded(from) || !view_in_order(from) || in->type != out->type)
        return refuse(b, "reads a padded or transposed tensor, which is not supported");
    if (in->elements != out->elements)
        return refuse(b, "makes %u values of %u", out->elements, in->elements);
    if (in->zero != out->zero) {
        Lookup same;
        lookup_identity(same);
        if (view_function_made(b, 0, same) != 0)
            return -1;
        view_set_axes(b, &b->view[current(b)->output], out);
    } else {
        view_set_axes(b, view_output(b, from), out);
    }
    return 0;
}

static int add_transpose(Build *b)
{
    const FileTensor *t = input_of(b, 0), *out = output_of(b), *order;
    int tensor = 0;
    View *from = NULL;
    bool seen[TFLITE_MAX_RANK] = {false};
    if (view_input(b, 0, &tensor, &from) != 0 || view_check_int8(b, current(b)->output) != 0 ||
        option_integers(b, 1, t->rank, &order) != 0)
        return -1;
    if (view_is_padded(from) || from->flat || out->rank != t->rank ||
        !same_quantisation(quantised(t), quantised(out)))
        return refuse(b, "of this tensor is not supported");
    View was = *from, *v = view_output(b, from);
    for (int d = 0; d < t->rank; d++) {
        int64_t k = file_integer(order, (uint32_t)d);
        if (k < 0 || k >= t->rank || seen[k] || out->shape[d] != t->shape[k])
            return refuse(b, "does not make the shape that the file says");
        seen[k] = true;
        v->axis[d] = was.axis[k];
    }
    return 0;
}

/* ---- borders --------------------------------------------------------------------------------- */

/* From float at the border: its output is the image, which begin_image() has made. Between
 * int8 scales it is a function of one value. */
static int add_quantize(Build *b)
{
    const FileTensor *t = input_of(b, 0);
    if (t && t->type == TYPE_FLOAT32) {
        if (current(b)->output == b->image)
            return 0;
        return refuse(b, "of anything but the model's input is not supported");
    }
    Lookup table;
    if (build_function(b, table) != 0)
        return -1;
    View *v = &b->view[current(b)->output], *from = &b->view[current(b)->input[0]];
    Lookup same;
    lookup_identity(same);
    bool renames = memcmp(table, same, sizeof same) == 0 &&
                   same_quantisation(quantised(t), quantised(output_of(b)));
    if (renames) { /* uint8 at the border becomes int8 */
        b->n_tables--;
        *v = *from;
    }
    return 0;
}

/* The result of what it reads is int8; only the model's output may be float. */
static int add_dequantize(Build *b)
{
    int layer;
    if (current(b)->output != b->file.output || output_of(b)->type != TYPE_FLOAT32)
        return refuse(b, "of anything but the model's output is not supported");
    return view_whole_input(b, 0, &layer);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int add_operator(Build *b)
{
    switch ((TfliteCode)current(b)->code) {
    case TFLITE_CONV_2D:
    case TFLITE_DEPTHWISE_CONV_2D:
        return build_conv(b);
    case TFLITE_FULLY_CONNECTED:
        return build_fully_connected(b);
    case TFLITE_AVERAGE_POOL_2D:
    case TFLITE_MAX_POOL_2D:
        return build_pool(b);
    case TFLITE_MEAN:
        return build_mean(b);
    case TFLITE_SOFTMAX:
        return build_softmax(b);
    case TFLITE_ADD:
    case TFLITE_MUL:
        return build_binary(b);
    case TFLITE_PAD:
    case TFLITE_PADV2:
        return add_pad(b);
    case TFLITE_RESHAPE:
    case TFLITE_SQUEEZE:
    case TFLITE_EXPAND_DIMS:
        return add_reshape(b);
    case TFLITE_TRANSPOSE:
        return add_transpose(b);
    case TFLITE_RELU:
    case TFLITE_RELU_N1_TO_1:
    case TFLITE_RELU6:
    case TFLITE_LOGISTIC:
    case TFLITE_TANH:
    case TFLITE_HARD_SWISH:
    case TFLITE_LEAKY_RELU:
        return build_unary(b);
    case TFLITE_MAXIMUM:
    case TFLITE_MINIMUM:
        return build_limit(b);
    case TFLITE_QUANTIZE:
        return add_quantize(b);
    case TFLITE_DEQUANTIZE:
        return add_dequantize(b);
    }
    return refuse(b, "is not supported");
}

/* The first operator from b->op on that reads a tensor; n_ops when there is none. */
static int reader_of(const Build *b, int tensor, int from)
{
    const TfliteFile *f = &b->file;
    for (int i = from; i < f->n_ops; i++)
        for (int k = 0; k < f->op[i].n_inputs; k++)
            if (f->op[i].input[k] == tensor)
                return i;
    return f->n_ops;
}

static bool renames_only(int code)
{
    return code == TFLITE_RESHAPE || code == TFLITE_SQUEEZE || code == TFLITE_EXPAND_DIMS;
}

static bool can_be_dense(Shape s)
{
    return s.h <= NET_MAX_ROWS && s.w <= UINT8_MAX;
}

/* The image has the shape in which the first operator reads it that is no reshape. A fully
 * connected one takes the model's own shape where its window may be that large, else a row. */
static Shape image_shape(const Build *b)
{
    const TfliteFile *f = &b->file;
    int tensor = b->image, i = reader_of(b, tensor, 0);
    while (i < f->n_ops && renames_only(f->op[i].code)) {
        tensor = f->op[i].output;
        i = reader_of(b, tensor, i + 1);
    }
    if (i == f->n_ops || f->op[i].code != TFLITE_FULLY_CONNECTED)
        return file_shape(&f->tensor[tensor]);
    Shape own = file_shape(&f->tensor[b->image]);
    if (can_be_dense(own))
        return own;
    return (Shape){1, 1, (int)f->tensor[b->image].elements};
}

/* A float input is quantised by the operator that reads it first. */
static int begin_image(Build *b)
{
    const TfliteFile *f = &b->file;
    const FileTensor *t = &f->tensor[f->input];
    b->image = f->input;
    b->op = reader_of(b, f->input, 0);
    if (b->op == f->n_ops)
        return errorf("no operator reads the model's input");
    if (t->type == TYPE_FLOAT32) {
        if (current(b)->code != TFLITE_QUANTIZE)
            return refuse(b, "works on float32, only int8 is supported");
        b->image = current(b)->output;
    }
    if (view_check_int8(b, b->image) != 0)
        return -1;
    t = &f->tensor[b->image];
    Shape s = image_shape(b);
    if (!file_is_single(t) || s.h > UINT16_MAX || s.w > UINT16_MAX || s.c > UINT16_MAX ||
        (int64_t)s.h * s.w * s.c != t->elements)
        return errorf("an input of %u values as %d x %d x %d is not supported", t->elements, s.h,
                      s.w, s.c);
    net_begin(&b->net, s.h, s.w, s.c);
    b->tensor[0] = quantised(t);
    View *v = &b->view[b->image];
    *v = (View){.layer = NET_IMAGE, .table = NO_TABLE, .lookup = NO_LAYER, .op = NO_LAYER};
    view_set_axes(b, v, t);
    return 0;
}

/* The int8 tensor that is the model's output, without a border; the last layer has to have it. */
static int end_result(Build *b)
{
    const TfliteFile *f = &b->file;
    int layer;
    b->result = f->output;
    b->op = f->n_ops - 1;
    if (current(b)->code == TFLITE_DEQUANTIZE && current(b)->output == f->output)
        b->result = current(b)->input[0];
    View *v = &b->view[b->result];
    if (v->layer == NO_LAYER || view_is_padded(v) || !view_in_order(v))
        return refuse(b, "does not make the model's output, or pads or transposes it");
    if (view_layer(b, b->result, &layer) != 0)
        return -1;
    if (layer == NET_IMAGE || layer != b->net.n_layers - 1)
        return refuse(b, "comes after the model's output, which is not supported");
    b->tensor[1 + layer] = quantised(&f->tensor[b->result]); /* a RESHAPE may say another scale */
    return net_check(&b->net);
}

int build_layers(Build *b)
{
    for (int t = 0; t < b->file.n_tensors; t++)
        b->view[t] = (View){.layer = NO_LAYER, .table = NO_TABLE, .lookup = NO_LAYER};
    if (begin_image(b) != 0)
        return -1;
    for (b->op = 0; b->op < b->file.n_ops; b->op++)
        if (add_operator(b) != 0)
            return -1;
    return end_result(b);
}
