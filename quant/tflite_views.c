/* tflite_views.c - tensors of a .tflite file as views of layers, and what operators ask of them. */
#include "quant/tflite_build.h"

#include "base/error.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int refuse(const Build *b, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return errorf("operator %d (%s) %s", b->op, tflite_op_name(current(b)->code), what);
}

/* ---- tensors --------------------------------------------------------------------------------- */

Shape file_shape(const FileTensor *t)
{
    const int32_t *d = t->shape;
    switch (t->rank) {
    case 0:
        return (Shape){1, 1, 1};
    case 1:
        return (Shape){1, 1, d[0]};
    case 2:
        return (Shape){1, 1, d[1]};
    case 3:
        return (Shape){1, d[1], d[2]};
    }
    return (Shape){d[1], d[2], d[3]};
}

bool file_is_single(const FileTensor *t)
{
    return t->rank < 2 || t->shape[0] == 1;
}

Shape view_layer_shape(const Build *b, int layer)
{
    if (layer == NET_IMAGE)
        return (Shape){b->net.h, b->net.w, b->net.c};
    const Layer *l = &b->net.layer[layer];
    return (Shape){l->out_h, l->out_w, l->out_c};
}

/* An int8 tensor with one scale, as everything that is computed has to be; a uint8 one where
 * it is a border. */
int view_check_int8(const Build *b, int tensor)
{
    const FileTensor *t = &b->file.tensor[tensor];
    bool border = tensor == b->file.input || tensor == b->file.output;
    int zero = t->zero - (t->type == TYPE_UINT8 ? 128 : 0);
    if (t->type != TYPE_INT8 && !(t->type == TYPE_UINT8 && border))
        return refuse(b, "works on %s, only int8 is supported", tflite_type_name(t->type));
    if (t->scales.n != 1 || !isfinite(t->scale) || t->scale < FLT_MIN)
        return refuse(b, "has a tensor with %u scales, the first is %g", t->scales.n,
                      (double)t->scale);
    if (zero < INT8_MIN || zero > INT8_MAX)
        return refuse(b, "has a tensor with the zero point %d", t->zero);
    return 0;
}

/* Which of the layer's axes each dimension runs over: those longer than 1 are the same in
 * the same order, or the view is flat. */
void view_set_axes(const Build *b, View *v, const FileTensor *t)
{
    const Shape s = view_layer_shape(b, v->layer);
    const int size[] = {1, s.h, s.w, s.c};
    int axis = AXIS_ONE;
    bool fits = true;
    memset(v->axis, AXIS_ONE, sizeof v->axis);
    for (int d = 0; d < t->rank; d++) {
        if (t->shape[d] == 1)
            continue;
        do
            axis++;
        while (axis <= AXIS_C && size[axis] == 1);
        fits = fits && axis <= AXIS_C && size[axis] == t->shape[d];
        v->axis[d] = (uint8_t)(fits ? axis : AXIS_ONE);
    }
    v->flat = !fits;
}

/* The values stand in the layer's order: nothing was transposed. */
bool view_in_order(const View *v)
{
    int last = AXIS_ONE;
    for (int d = 0; d < TFLITE_MAX_RANK; d++) {
        if (v->axis[d] == AXIS_ONE)
            continue;
        if (v->axis[d] <= last)
            return false;
        last = v->axis[d];
    }
    return true;
}

bool view_is_padded(const View *v)
{
    return v->pad[PAD_TOP] || v->pad[PAD_BOTTOM] || v->pad[PAD_LEFT] || v->pad[PAD_RIGHT];
}

/* Input k as it is computed, with a view of it. */
int view_input(Build *b, int k, int *tensor, View **view)
{
    const FileTensor *t = input_of(b, k);
    if (!t)
        return refuse(b, "has no input %d", k);
    *tensor = current(b)->input[k];
    *view = &b->view[*tensor];
    if (t->data)
        return refuse(b, "reads a constant where the network's values are expected");
    if ((*view)->layer == NO_LAYER)
        return refuse(b, "works on %s, only int8 is supported", tflite_type_name(t->type));
    return view_check_int8(b, *tensor);
}

/* The layer that has a tensor's values; makes the lookup that the view still lacks. */
int view_layer(Build *b, int tensor, int *layer)
{
    View *v = &b->view[tensor];
    *layer = v->layer;
    if (v->table == NO_TABLE)
        return 0;
    if (v->lookup == NO_LAYER) {
        if (net_full(&b->net, 1))
            return refuse(b, "comes after %d layers, more are not supported", NET_MAX_LAYERS);
        int l = net_lookup(&b->net, v->layer);
        b->op_of_layer[l] = v->op;
        b->table_of_layer[l] = v->table;
        b->made_of[l] = (int16_t)tensor;
        b->tensor[1 + l] = quantised(&b->file.tensor[tensor]);
        v->lookup = (int16_t)l;
    }
    *layer = v->lookup;
    return 0;
}

/* The layer whose values input k is, all of them and in their order. */
int view_whole_input(Build *b, int k, int *layer)
{
    int tensor = 0;
    View *v = NULL;
    if (view_input(b, k, &tensor, &v) != 0)
        return -1;
    if (view_is_padded(v))
        return refuse(b, "reads the output of a PAD; only a convolution after it is supported");
    if (!view_in_order(v))
        return refuse(b, "reads a transposed tensor, which is not supported");
    return view_layer(b, tensor, layer);
}

/* A tensor that is read as an image has the very dimensions that its layer made. */
int view_check_image(const Build *b, const FileTensor *t, Shape is, int layer)
{
    Shape made = view_layer_shape(b, layer);
    if (t->rank != 4 || !file_is_single(t) || is.h != made.h || is.w != made.w || is.c != made.c)
        return refuse(b, "reads a tensor of another shape than the %d x %d x %d it was made with",
                      made.h, made.w, made.c);
    return 0;
}

int view_image_input(Build *b, int k, int *layer)
{
    if (view_whole_input(b, k, layer) != 0)
        return -1;
    return view_check_image(b, input_of(b, k), file_shape(input_of(b, k)), *layer);
}

/* The output is a view of what an input is. */
View *view_output(Build *b, const View *of)
{
    View *v = &b->view[current(b)->output];
    *v = *of;
    v->op = (int16_t)b->op;
    return v;
}

int view_check_room(const Build *b)
{
    return net_full(&b->net, 1)
               ? refuse(b, "comes after %d layers, more are not supported", NET_MAX_LAYERS)
               : 0;
}

/* The output is layer l, the last one. */
int view_layer_made(Build *b, int l)
{
    const FileTensor *t = output_of(b);
    b->op_of_layer[l] = (int16_t)b->op;
    b->table_of_layer[l] = NO_TABLE;
    b->made_of[l] = current(b)->output;
    b->tensor[1 + l] = quantised(t);
    View *v = view_output(b, &(View){.layer = (int16_t)l, .table = NO_TABLE, .lookup = NO_LAYER});
    if (net_check(&b->net) != 0)
        return refuse(b, "is not supported: %s", error_text());
    if (t->elements != net_tensor_bytes(&b->net, l))
        return refuse(b, "makes %u values where the file says %u", net_tensor_bytes(&b->net, l),
                      t->elements);
    view_set_axes(b, v, t);
    return 0;
}

/* The output is a function of one value of what input k is. */
int view_function_made(Build *b, int k, const Lookup function)
{
    int tensor = 0;
    View *from = NULL;
    if (view_input(b, k, &tensor, &from) != 0 || view_check_int8(b, current(b)->output) != 0)
        return -1;
    if (view_is_padded(from))
        return refuse(b, "reads the output of a PAD; only a convolution after it is supported");
    int8_t *table = b->table[b->n_tables];
    const int8_t *inner = from->table == NO_TABLE ? NULL : b->table[from->table];
    for (int i = 0; i < LOOKUP_SIZE; i++)
        table[i] = inner ? function[inner[i] - INT8_MIN] : function[i];
    View *v = view_output(b, from);
    v->table = (int16_t)b->n_tables++;
    v->lookup = NO_LAYER;
    return 0;
}

bool file_same_shape(const FileTensor *a, const FileTensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

/* The same of an operator that keeps the shape. */
int view_unary_made(Build *b, int k, const Lookup function)
{
    if (!file_same_shape(input_of(b, k), output_of(b)))
        return refuse(b, "makes another shape than it reads");
    return view_function_made(b, k, function);
}

/* TFLite has only one output of such an operator. */
int view_check_output(const Build *b, int steps, int zero)
{
    QTensor out = quantised(output_of(b));
    if (out.zero == zero && out.scale == 1 / (float)steps)
        return 0;
    return refuse(b, "has an output of scale %g and zero point %d instead of 1/%d and %d",
                  (double)out.scale, out.zero, steps, zero);
}

/* ---- constants and options ------------------------------------------------------------------ */

int64_t file_integer(const FileTensor *t, uint32_t i)
{
    uint32_t bytes = t->bytes / t->elements;
    uint64_t v = 0;
    for (uint32_t k = 0; k < bytes; k++)
        v |= (uint64_t)t->data[i * bytes + k] << (8 * k);
    return bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

/* Input k, a constant of n integers (any number when n is 0). */
int option_integers(const Build *b, int k, uint32_t n, const FileTensor **t)
{
    *t = input_of(b, k);
    if (!*t || !(*t)->data || ((*t)->type != TYPE_INT32 && (*t)->type != TYPE_INT64))
        return refuse(b, "needs a constant of integers as input %d", k);
    if (n != 0 && (*t)->elements != n)
        return refuse(b, "needs %u integers as input %d and has %u", n, k, (*t)->elements);
    return 0;
}

int option_int(Build *b, int field, int otherwise)
{
    return flat_i32(&b->file.flat, current(b)->options, field, otherwise);
}

Act option_act(Build *b)
{
    enum { FUSED_RELU = 1, FUSED_RELU6 = 3 };
    int code = fused_code(b);
    return code == FUSED_RELU ? ACT_RELU : code == FUSED_RELU6 ? ACT_RELU6 : ACT_NONE;
}

int option_check_fused(Build *b)
{
    int low, high;
    if (view_check_int8(b, current(b)->output) != 0)
        return -1;
    return fused_range(b, fused_code(b), quantised(output_of(b)), &low, &high);
}
