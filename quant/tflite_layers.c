/* tflite_layers.c - the operators of a .tflite file as layers of ours, in turn. */
#include "quant/tflite_build.h"

#include "base/error.h"

#include <assert.h>
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

/* h, w and c of a tensor's own dimensions. */
typedef struct {
    int h, w, c;
} Shape;

static Shape declared(const FileTensor *t)
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

static bool is_batch_of_one(const FileTensor *t)
{
    return t->rank < 2 || t->shape[0] == 1;
}

static Shape layer_shape(const Build *b, int layer)
{
    if (layer == NET_IMAGE)
        return (Shape){b->net.h, b->net.w, b->net.c};
    const Layer *l = &b->net.layer[layer];
    return (Shape){l->out_h, l->out_w, l->out_c};
}

/* An int8 tensor with one scale, as everything that is computed has to be; a uint8 one where
 * it is a border. */
static int check_quantised(const Build *b, int tensor)
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

static bool same_quantisation(QTensor a, QTensor b)
{
    return a.zero == b.zero && a.scale == b.scale;
}

/* Which of the layer's axes each dimension runs over: those longer than 1 are the same in
 * the same order, or the view is flat. */
static void set_axes(const Build *b, View *v, const FileTensor *t)
{
    const Shape s = layer_shape(b, v->layer);
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
static bool in_order(const View *v)
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

static bool is_padded(const View *v)
{
    return v->pad[PAD_TOP] || v->pad[PAD_BOTTOM] || v->pad[PAD_LEFT] || v->pad[PAD_RIGHT];
}

/* Input k as it is computed, with a view of it. */
static int computed_input(Build *b, int k, int *tensor, View **view)
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
    return check_quantised(b, *tensor);
}

/* The layer that has a tensor's values; makes the lookup that the view still lacks. */
static int layer_of(Build *b, int tensor, int *layer)
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
static int whole_input(Build *b, int k, int *layer)
{
    int tensor = 0;
    View *v = NULL;
    if (computed_input(b, k, &tensor, &v) != 0)
        return -1;
    if (is_padded(v))
        return refuse(b, "reads the output of a PAD; only a convolution after it is supported");
    if (!in_order(v))
        return refuse(b, "reads a transposed tensor, which is not supported");
    return layer_of(b, tensor, layer);
}

/* A tensor that is read as an image has the very dimensions that its layer made. */
static int check_shape(const Build *b, const FileTensor *t, Shape is, int layer)
{
    Shape made = layer_shape(b, layer);
    if (t->rank != 4 || !is_batch_of_one(t) || is.h != made.h || is.w != made.w || is.c != made.c)
        return refuse(b, "reads a tensor of another shape than the %d x %d x %d it was made with",
                      made.h, made.w, made.c);
    return 0;
}

static int image_input(Build *b, int k, int *layer)
{
    if (whole_input(b, k, layer) != 0)
        return -1;
    return check_shape(b, input_of(b, k), declared(input_of(b, k)), *layer);
}

/* The output is a view of what an input is. */
static View *view_output(Build *b, const View *of)
{
    View *v = &b->view[current(b)->output];
    *v = *of;
    v->op = (int16_t)b->op;
    return v;
}

static int check_room(const Build *b)
{
    return net_full(&b->net, 1)
               ? refuse(b, "comes after %d layers, more are not supported", NET_MAX_LAYERS)
               : 0;
}

/* The output is layer l, the last one. */
static int layer_made(Build *b, int l)
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
    set_axes(b, v, t);
    return 0;
}

/* The output is a function of one value of what input k is. */
static int function_made(Build *b, int k, const Lookup function)
{
    int tensor = 0;
    View *from = NULL;
    if (computed_input(b, k, &tensor, &from) != 0 || check_quantised(b, current(b)->output) != 0)
        return -1;
    if (is_padded(from))
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

static bool same_shape(const FileTensor *a, const FileTensor *b)
{
    return a->rank == b->rank && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

/* The same of an operator that keeps the shape. */
static int unary_made(Build *b, int k, const Lookup function)
{
    if (!same_shape(input_of(b, k), output_of(b)))
        return refuse(b, "makes another shape than it reads");
    return function_made(b, k, function);
}

/* ---- constants ------------------------------------------------------------------------------- */

static int64_t integer_at(const FileTensor *t, uint32_t i)
{
    uint32_t bytes = t->bytes / t->elements;
    uint64_t v = 0;
    for (uint32_t k = 0; k < bytes; k++)
        v |= (uint64_t)t->data[i * bytes + k] << (8 * k);
    return bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

/* Input k, a constant of n integers (any number when n is 0). */
static int integers(const Build *b, int k, uint32_t n, const FileTensor **t)
{
    *t = input_of(b, k);
    if (!*t || !(*t)->data || ((*t)->type != TYPE_INT32 && (*t)->type != TYPE_INT64))
        return refuse(b, "needs a constant of integers as input %d", k);
    if (n != 0 && (*t)->elements != n)
        return refuse(b, "needs %u integers as input %d and has %u", n, k, (*t)->elements);
    return 0;
}

static int option(Build *b, int field, int otherwise)
{
    return flat_i32(&b->file.flat, current(b)->options, field, otherwise);
}

static Act fused_act(Build *b)
{
    enum { FUSED_RELU = 1, FUSED_RELU6 = 3 };
    int code = fused_code(b);
    return code == FUSED_RELU ? ACT_RELU : code == FUSED_RELU6 ? ACT_RELU6 : ACT_NONE;
}

static int check_fused(Build *b)
{
    int low, high;
    if (check_quantised(b, current(b)->output) != 0)
        return -1;
    return fused_range(b, fused_code(b), quantised(output_of(b)), &low, &high);
}

/* ---- windows --------------------------------------------------------------------------------- */

typedef struct {
    int kernel, stride;
    int before, after; /* what a PAD put around */
    int pad, out;      /* found */
} Window;

/* TensorFlow's SAME puts the odd pixel of its padding behind. */
static int slide(const Build *b, Window *w, int in, bool same)
{
    int padded = in + w->before + w->after, more = 0;
    if (w->stride < 1 || w->stride > UINT8_MAX || w->kernel > UINT8_MAX || w->kernel < 1)
        return refuse(b, "with a kernel of %d and a stride of %d is not supported", w->kernel,
                      w->stride);
    if (same) {
        w->out = (padded + w->stride - 1) / w->stride;
        more = (w->out - 1) * w->stride + w->kernel - padded;
        more = more > 0 ? more : 0;
    } else {
        w->out = padded < w->kernel ? 0 : (padded - w->kernel) / w->stride + 1;
    }
    w->pad = w->before + more / 2;
    if (w->out < 1 || w->out > UINT16_MAX || w->pad > UINT8_MAX)
        return refuse(b, "slides a window of %d over %d with a padding of %d", w->kernel, in,
                      w->pad);
    return 0;
}

static int slide_both(Build *b, Window *h, Window *w, const View *v, Shape in)
{
    enum { PADDING, STRIDE_W, STRIDE_H, SAME = 0, VALID };
    int padding = flat_u8(&b->file.flat, current(b)->options, PADDING, SAME);
    h->stride = option(b, STRIDE_H, 0);
    w->stride = option(b, STRIDE_W, 0);
    h->before = v->pad[PAD_TOP];
    h->after = v->pad[PAD_BOTTOM];
    w->before = v->pad[PAD_LEFT];
    w->after = v->pad[PAD_RIGHT];
    if (padding > VALID)
        return refuse(b, "has an unknown padding %d", padding);
    return slide(b, h, in.h, padding == SAME) != 0 ? -1 : slide(b, w, in.w, padding == SAME);
}

static void set_window(Layer *l, const Window *h, const Window *w)
{
    l->kh = (uint8_t)h->kernel;
    l->kw = (uint8_t)w->kernel;
    l->sh = (uint8_t)h->stride;
    l->sw = (uint8_t)w->stride;
    l->pad_top = (uint8_t)h->pad;
    l->pad_left = (uint8_t)w->pad;
    l->out_h = (uint16_t)h->out;
    l->out_w = (uint16_t)w->out;
}

/* The output has the four dimensions that the window makes. */
static int check_made(const Build *b, const Window *h, const Window *w, int channels)
{
    const FileTensor *t = output_of(b);
    Shape s = declared(t);
    if (t->rank != 4 || !is_batch_of_one(t) || s.h != h->out || s.w != w->out || s.c != channels)
        return refuse(b, "makes %d x %d x %d, which the file does not say", h->out, w->out,
                      channels);
    return 0;
}

/* ---- operators with weights ------------------------------------------------------------------ */

/* Weights of `rank` dimensions, symmetric int8; scales along dimension `axis` or a single one. */
static int check_weights(const Build *b, int rank, int axis)
{
    const FileTensor *w = input_of(b, 1), *bias = input_of(b, 2);
    if (!w || !w->data || w->type != TYPE_INT8 || w->rank != rank)
        return refuse(b, "needs constant int8 weights of %d dimensions", rank);
    if (w->scales.n != 1 && w->scales.n != (uint32_t)w->shape[axis])
        return refuse(b, "has %u scales for %d channels of weights", w->scales.n, w->shape[axis]);
    for (uint32_t i = 0; i < w->zeros.n; i++)
        if (flat_i64_at(&b->file.flat, w->zeros, i) != 0)
            return refuse(b, "has weights with a zero point, which is not supported");
    if (w->shape[axis] > UINT16_MAX)
        return refuse(b, "with %d channels is not supported", w->shape[axis]);
    if (bias && (!bias->data || bias->type != TYPE_INT32 ||
                 bias->elements != (uint32_t)w->shape[axis]))
        return refuse(b, "needs a constant int32 bias for each of %d channels", w->shape[axis]);
    return 0;
}

/* Dilation, the same as none along a kernel of 1. */
static int check_dilation(Build *b, int field, const FileTensor *w)
{
    int dw = option(b, field, 1), dh = option(b, field + 1, 1);
    if ((dw != 1 && w->shape[2] != 1) || (dh != 1 && w->shape[1] != 1))
        return refuse(b, "with a dilation of %d x %d is not supported", dh, dw);
    return 0;
}

/* A convolution reads through a PAD: its zeros are the ones at the border of an image. */
static int conv_input(Build *b, int *layer, View **v)
{
    int tensor = 0;
    if (computed_input(b, 0, &tensor, v) != 0)
        return -1;
    if (!in_order(*v))
        return refuse(b, "reads a transposed tensor, which is not supported");
    if (layer_of(b, tensor, layer) != 0)
        return -1;
    Shape is = declared(&b->file.tensor[tensor]);
    is.h -= (*v)->pad[PAD_TOP] + (*v)->pad[PAD_BOTTOM];
    is.w -= (*v)->pad[PAD_LEFT] + (*v)->pad[PAD_RIGHT];
    return check_shape(b, &b->file.tensor[tensor], is, *layer);
}

static int add_conv(Build *b)
{
    bool apart = current(b)->code == TFLITE_DEPTHWISE_CONV_2D;
    const FileTensor *weights = input_of(b, 1);
    int input = NET_IMAGE;
    View *v = NULL;
    if (check_weights(b, 4, apart ? 3 : 0) != 0 || conv_input(b, &input, &v) != 0 ||
        check_dilation(b, apart ? 5 : 4, weights) != 0 || check_fused(b) != 0)
        return -1;
    Shape in = layer_shape(b, input);
    int channels = weights->shape[apart ? 3 : 0];
    if (apart ? weights->shape[0] != 1 || channels % in.c != 0 : weights->shape[3] != in.c)
        return refuse(b, "has weights for %d channels, its input has %d, which is not supported",
                      apart ? channels : weights->shape[3], in.c);
    Window h = {.kernel = weights->shape[1]}, w = {.kernel = weights->shape[2]};
    if (slide_both(b, &h, &w, v, in) != 0 || check_made(b, &h, &w, channels) != 0 ||
        check_room(b) != 0)
        return -1;
    bool pixel = h.kernel == 1 && w.kernel == 1 && h.stride == 1 && w.stride == 1 &&
                 !is_padded(v);
    int l = apart   ? net_depthwise(&b->net, input, square(1), square(1), fused_act(b))
            : pixel ? net_pointwise(&b->net, input, channels, fused_act(b))
                    : net_conv(&b->net, input, channels, square(1), square(1), fused_act(b));
    set_window(&b->net.layer[l], &h, &w);
    b->net.layer[l].out_c = (uint16_t)channels;
    memcpy(b->pad_of_layer[l], v->pad, sizeof v->pad);
    return layer_made(b, l);
}

/* All of the input to every output, or the last dimension of each pixel. */
static int add_fully_connected(Build *b)
{
    enum { WEIGHTS_FORMAT = 1 };
    const FileTensor *weights = input_of(b, 1);
    int input;
    if (check_weights(b, 2, 0) != 0 || whole_input(b, 0, &input) != 0 || check_fused(b) != 0 ||
        check_room(b) != 0)
        return -1;
    if (flat_u8(&b->file.flat, current(b)->options, WEIGHTS_FORMAT, 0) != 0)
        return refuse(b, "has shuffled weights, which is not supported");
    Shape in = layer_shape(b, input);
    int channels = weights->shape[0], n = weights->shape[1];
    int64_t values = (int64_t)in.h * in.w * in.c;
    if (n == values && in.h <= NET_MAX_ROWS && in.w <= UINT8_MAX)
        return layer_made(b, net_dense(&b->net, input, channels, fused_act(b)));
    if (n == in.c && n != values)
        return layer_made(b, net_pointwise(&b->net, input, channels, fused_act(b)));
    return refuse(b, "has %d weights an output for an input of %d x %d x %d, which is not "
                     "supported", n, in.h, in.w, in.c);
}

/* ---- pools and means ------------------------------------------------------------------------- */

static int add_pool(Build *b)
{
    enum { FILTER_W = 3, FILTER_H = 4 };
    bool average = current(b)->code == TFLITE_AVERAGE_POOL_2D;
    int input;
    if (image_input(b, 0, &input) != 0 || check_fused(b) != 0 || check_room(b) != 0)
        return -1;
    Shape in = layer_shape(b, input);
    QTensor from = quantised(input_of(b, 0)), to = quantised(output_of(b));
    if (from.zero != to.zero || fabs((double)from.scale - (double)to.scale) > 1e-6)
        return refuse(b, "changes the scale, which is not supported");
    Window h = {.kernel = option(b, FILTER_H, 0)}, w = {.kernel = option(b, FILTER_W, 0)};
    if (slide_both(b, &h, &w, &(View){.flat = false}, in) != 0 || check_made(b, &h, &w, in.c) != 0)
        return -1;
    bool global = average && h.kernel == in.h && w.kernel == in.w && h.out == 1 && w.out == 1;
    if (global && h.kernel <= NET_MAX_ROWS)
        return layer_made(b, net_global_pool(&b->net, input));
    int l = net_pool(&b->net, average ? OP_AVG_POOL : OP_MAX_POOL, input, square(1), square(1));
    set_window(&b->net.layer[l], &h, &w);
    return layer_made(b, l);
}

/* Which dimensions the mean goes over: over[d]. */
static int reduced_dimensions(const Build *b, bool over[TFLITE_MAX_RANK])
{
    const FileTensor *t = input_of(b, 0), *axes;
    if (integers(b, 1, 0, &axes) != 0)
        return -1;
    for (uint32_t i = 0; i < axes->elements; i++) {
        int64_t d = integer_at(axes, i);
        d += d < 0 ? t->rank : 0;
        if (d < 0 || d >= t->rank)
            return refuse(b, "goes over dimension %lld of %d", (long long)integer_at(axes, i),
                          t->rank);
        over[d] = true;
    }
    return 0;
}

/* The dimensions that are left keep their axes, in whatever order they stand. */
static int set_reduced_axes(const Build *b, View *out, const View *in, const bool *over)
{
    const FileTensor *from = input_of(b, 0), *to = output_of(b);
    bool keeps = to->rank == from->rank;
    int n = 0;
    memset(out->axis, AXIS_ONE, sizeof out->axis);
    for (int d = 0; d < from->rank; d++) {
        if (over[d] && !keeps)
            continue;
        if (n >= to->rank || to->shape[n] != (over[d] ? 1 : from->shape[d]))
            return refuse(b, "makes another shape than the file says");
        out->axis[n++] = over[d] ? AXIS_ONE : in->axis[d];
    }
    out->flat = false;
    return n == to->rank ? 0 : refuse(b, "makes another shape than the file says");
}

static int add_mean(Build *b)
{
    bool over[TFLITE_MAX_RANK] = {false}, along[] = {false, false, false, false};
    int tensor = 0, input;
    View *v = NULL;
    if (computed_input(b, 0, &tensor, &v) != 0 || reduced_dimensions(b, over) != 0 ||
        check_quantised(b, current(b)->output) != 0 || layer_of(b, tensor, &input) != 0 ||
        check_room(b) != 0)
        return -1;
    Shape in = layer_shape(b, input);
    for (int d = 0; d < b->file.tensor[tensor].rank; d++)
        along[v->axis[d]] = along[v->axis[d]] || over[d];
    bool over_h = along[AXIS_H], over_w = along[AXIS_W];
    if (!over_h && !over_w) { /* over one pixel: still TFLite's rounding */
        over_h = in.h == 1;
        over_w = in.w == 1;
    }
    if (v->flat || is_padded(v) || along[AXIS_C] || (!over_h && !over_w))
        return refuse(b, "over anything but rows and columns is not supported");
    if ((over_h && in.h > NET_MAX_ROWS) || (over_w && in.w > UINT8_MAX))
        return refuse(b, "over %d x %d pixels is not supported", in.h, in.w);
    const View from = *v;
    if (layer_made(b, net_mean(&b->net, input, over_h, over_w)) != 0)
        return -1;
    return set_reduced_axes(b, &b->view[current(b)->output], &from, over);
}

/* TFLite has only one output of such an operator. */
static int check_output(const Build *b, int steps, int zero)
{
    QTensor out = quantised(output_of(b));
    if (out.zero == zero && out.scale == 1 / (float)steps)
        return 0;
    return refuse(b, "has an output of scale %g and zero point %d instead of 1/%d and %d",
                  (double)out.scale, out.zero, steps, zero);
}

static int add_softmax(Build *b)
{
    int input;
    if (whole_input(b, 0, &input) != 0 || check_quantised(b, current(b)->output) != 0 ||
        check_room(b) != 0)
        return -1;
    const FileTensor *t = input_of(b, 0);
    if (t->rank < 1 || t->shape[t->rank - 1] != layer_shape(b, input).c)
        return refuse(b, "over anything but the channels is not supported");
    if (check_output(b, 256, -128) != 0)
        return -1;
    return layer_made(b, net_softmax(&b->net, input));
}

/* ---- what only moves or renames -------------------------------------------------------------- */

/* PAD, and PADV2 with the zero point: the convolution that comes does it. */
static int add_pad(Build *b)
{
    const FileTensor *t = input_of(b, 0), *pads, *value = input_of(b, 2);
    int tensor = 0;
    View *from = NULL;
    if (computed_input(b, 0, &tensor, &from) != 0 || check_quantised(b, current(b)->output) != 0)
        return -1;
    if (t->rank != 4 || integers(b, 1, 8, &pads) != 0)
        return t->rank == 4 ? -1 : refuse(b, "of %d dimensions is not supported", t->rank);
    QTensor q = quantised(t);
    if (!same_quantisation(q, quantised(output_of(b))))
        return refuse(b, "changes the scale, which is not supported");
    if (value && (!value->data || value->type != TYPE_INT8 || value->elements != 1 ||
                  (int8_t)value->data[0] != q.zero))
        return refuse(b, "with anything but zeros is not supported");
    View *v = view_output(b, from);
    for (uint32_t i = 0; i < 8; i++) {
        int64_t n = integer_at(pads, i);
        int d = (int)i / 2;
        if (n < 0 || n > UINT8_MAX || (n != 0 && (d == 0 || d == 3)))
            return refuse(b, "of %lld along dimension %d is not supported", (long long)n, d);
        if (output_of(b)->rank != 4 || (i % 2 && output_of(b)->shape[d] !=
                                            t->shape[d] + n + integer_at(pads, i - 1)))
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
    if (computed_input(b, 0, &tensor, &from) != 0 || check_quantised(b, current(b)->output) != 0)
        return -1;
    const FileTensor *in = &b->file.tensor[tensor], *out = output_of(b);
    if (is_padded(from) || !in_order(from) || in->type != out->type)
        return refuse(b, "reads a padded or transposed tensor, which is not supported");
    if (in->elements != out->elements)
        return refuse(b, "makes %u values of %u", out->elements, in->elements);
    if (in->zero != out->zero) {
        Lookup same;
        lookup_identity(same);
        if (function_made(b, 0, same) != 0)
            return -1;
        set_axes(b, &b->view[current(b)->output], out);
    } else {
        set_axes(b, view_output(b, from), out);
    }
    return 0;
}

static int add_transpose(Build *b)
{
    const FileTensor *t = input_of(b, 0), *out = output_of(b), *order;
    int tensor = 0;
    View *from = NULL;
    bool seen[TFLITE_MAX_RANK] = {false};
    if (computed_input(b, 0, &tensor, &from) != 0 || check_quantised(b, current(b)->output) != 0 ||
        integers(b, 1, t->rank, &order) != 0)
        return -1;
    if (is_padded(from) || from->flat || out->rank != t->rank ||
        !same_quantisation(quantised(t), quantised(out)))
        return refuse(b, "of this tensor is not supported");
    View was = *from, *v = view_output(b, from);
    for (int d = 0; d < t->rank; d++) {
        int64_t k = integer_at(order, (uint32_t)d);
        if (k < 0 || k >= t->rank || seen[k] || out->shape[d] != t->shape[k])
            return refuse(b, "does not make the shape that the file says");
        seen[k] = true;
        v->axis[d] = was.axis[k];
    }
    return 0;
}

/* ---- functions of one value ------------------------------------------------------------------ */

/* RELU and its like, and QUANTIZE between int8 scales: another scale, clamped. */
static int rescaling(const Build *b, QTensor in, QTensor out, Lookup table)
{
    enum { FUSED_NONE, FUSED_RELU, FUSED_RELU_N1_TO_1, FUSED_RELU6 };
    const int code = current(b)->code;
    int act_min, act_max, like = code == TFLITE_RELU           ? FUSED_RELU
                                 : code == TFLITE_RELU6        ? FUSED_RELU6
                                 : code == TFLITE_RELU_N1_TO_1 ? FUSED_RELU_N1_TO_1
                                                               : FUSED_NONE;
    if (fused_range(b, like, out, &act_min, &act_max) != 0)
        return -1;
    lookup_rescale(table, in, out, act_min, act_max);
    return 0;
}

static int leaky_relu(Build *b, QTensor in, QTensor out, Lookup table)
{
    enum { ALPHA = 0 };
    float alpha = flat_float(&b->file.flat, current(b)->options, ALPHA, 0);
    if (!isfinite(alpha * in.scale / out.scale))
        return refuse(b, "has the slope %g", (double)alpha);
    lookup_leaky_relu(table, in, out, alpha);
    return 0;
}

static int function_of(Build *b, QTensor in, QTensor out, Lookup table)
{
    switch (current(b)->code) {
    case TFLITE_LOGISTIC:
        lookup_logistic(table, in);
        return check_output(b, 256, -128);
    case TFLITE_TANH:
        lookup_tanh(table, in);
        return check_output(b, 128, 0);
    case TFLITE_LEAKY_RELU:
        return leaky_relu(b, in, out, table);
    case TFLITE_HARD_SWISH:
        if (lookup_hard_swish(table, in, out))
            return 0;
        return refuse(b, "has an output scale of %g for an input scale of %g", (double)out.scale,
                      (double)in.scale);
    }
    return rescaling(b, in, out, table);
}

static int add_function(Build *b, Lookup table)
{
    int tensor = 0;
    View *v = NULL;
    if (computed_input(b, 0, &tensor, &v) != 0 || check_quantised(b, current(b)->output) != 0)
        return -1;
    QTensor in = quantised(&b->file.tensor[tensor]), out = quantised(output_of(b));
    return function_of(b, in, out, table) == 0 ? unary_made(b, 0, table) : -1;
}

static int add_unary(Build *b)
{
    Lookup table;
    return add_function(b, table);
}

/* A constant of one int8 value. */
static bool is_scalar(const FileTensor *t)
{
    return t && t->data && t->type == TYPE_INT8 && t->elements == 1;
}

/* Input k as a table of values by the value of layer `base`: a constant, or a function of it. */
static void values_of(const Build *b, int k, Lookup table)
{
    const FileTensor *t = input_of(b, k);
    const View *v = &b->view[current(b)->input[k]];
    if (t->data)
        memset(table, (int8_t)t->data[0], LOOKUP_SIZE);
    else if (v->table == NO_TABLE)
        lookup_identity(table);
    else
        memcpy(table, b->table[v->table], LOOKUP_SIZE);
}

/* ADD and MUL whose inputs are both functions of the same value, or one of them a constant. */
static int add_binary_function(Build *b, int varying)
{
    Lookup x, y, table;
    AddScales s;
    int act_min, act_max, tensor = current(b)->input[varying];
    QTensor qx = quantised(input_of(b, 0)), qy = quantised(input_of(b, 1));
    QTensor out = quantised(output_of(b));
    if (fused_range(b, fused_code(b), out, &act_min, &act_max) != 0)
        return -1;
    values_of(b, 0, x);
    values_of(b, 1, y);
    if (current(b)->code == TFLITE_MUL)
        lookup_mul(table, x, qx, y, qy, out, act_min, act_max);
    else if (add_scales(&s, qx.scale, qy.scale, out.scale))
        lookup_add(table, x, qx, y, qy, out, &s, act_min, act_max);
    else
        return refuse(b, "has an output scale of %g for inputs of %g and %g", (double)out.scale,
                      (double)qx.scale, (double)qy.scale);
    View *from = &b->view[tensor];
    View was = *from;
    from->table = NO_TABLE; /* the table is of the layer's own values already */
    int status = unary_made(b, varying, table);
    *from = was;
    return status;
}

static bool same_view(const View *a, const View *b)
{
    return a->layer == b->layer && a->flat == b->flat && !is_padded(a) && !is_padded(b) &&
           memcmp(a->axis, b->axis, sizeof a->axis) == 0;
}

/* The input that varies when an ADD or MUL is a function of one value, else -1. */
static int varying_input(const Build *b)
{
    const FileTensor *x = input_of(b, 0), *y = input_of(b, 1);
    if (is_scalar(y) && !x->data)
        return 0;
    if (is_scalar(x) && !y->data)
        return 1;
    const View *v = &b->view[current(b)->input[0]], *w = &b->view[current(b)->input[1]];
    bool mul = current(b)->code == TFLITE_MUL;
    bool tables = mul || v->table != NO_TABLE || w->table != NO_TABLE;
    return !x->data && !y->data && tables && same_view(v, w) ? 0 : -1;
}

/* Input k of layer l is [1][1][c], as an image or flattened. */
static bool is_vector(const Build *b, int k, int l)
{
    Shape made = layer_shape(b, l), is = declared(input_of(b, k));
    return made.h == 1 && made.w == 1 && is.h == 1 && is.w == 1 && is.c == made.c;
}

/* x * y, one of them [1][1][c]. */
static int add_gate(Build *b, const int layer[2])
{
    for (int k = 0; k < 2; k++) {
        const FileTensor *t = input_of(b, 1 - k);
        Shape image = layer_shape(b, layer[1 - k]), vector = layer_shape(b, layer[k]);
        if (is_vector(b, k, layer[k]) && vector.c == image.c &&
            check_shape(b, t, declared(t), layer[1 - k]) == 0)
            return layer_made(b, net_gate(&b->net, layer[1 - k], layer[k]));
    }
    return refuse(b, "of anything but an image and a factor for each of its channels is not "
                     "supported");
}

static int add_sum(Build *b, const int layer[2])
{
    AddScales s;
    Shape x = layer_shape(b, layer[0]), y = layer_shape(b, layer[1]);
    float in = input_of(b, 0)->scale, in2 = input_of(b, 1)->scale, out = output_of(b)->scale;
    if (!same_shape(input_of(b, 0), input_of(b, 1)) || x.h != y.h || x.w != y.w || x.c != y.c)
        return refuse(b, "of tensors of different shapes is not supported");
    if (!add_scales(&s, in, in2, out))
        return refuse(b, "has an output scale of %g for inputs of %g and %g", (double)out,
                      (double)in, (double)in2);
    return layer_made(b, net_add(&b->net, layer[0], layer[1]));
}

static int add_binary(Build *b)
{
    int layer[2];
    if (current(b)->n_inputs != 2 || !input_of(b, 0) || !input_of(b, 1))
        return refuse(b, "needs two inputs");
    if (check_quantised(b, current(b)->input[0]) != 0 ||
        check_quantised(b, current(b)->input[1]) != 0 || check_fused(b) != 0)
        return -1;
    int varying = varying_input(b);
    if (varying >= 0)
        return add_binary_function(b, varying);
    if (input_of(b, 0)->data || input_of(b, 1)->data)
        return refuse(b, "with a constant of several values is not supported");
    for (int k = 0; k < 2; k++)
        if (whole_input(b, k, &layer[k]) != 0)
            return -1;
    if (check_room(b) != 0)
        return -1;
    if ((current(b)->code == TFLITE_MUL ? add_gate(b, layer) : add_sum(b, layer)) != 0)
        return -1;
    b->net.layer[b->net.n_layers - 1].act = (uint8_t)fused_act(b);
    return 0;
}

/* MAXIMUM and MINIMUM with a constant compare bytes: all three scales are the same. */
static int add_limit(Build *b)
{
    if (current(b)->n_inputs != 2 || !input_of(b, 0) || !input_of(b, 1))
        return refuse(b, "needs two inputs");
    int varying = is_scalar(input_of(b, 0)) ? 1 : 0;
    const FileTensor *x = input_of(b, varying), *limit = input_of(b, 1 - varying);
    if (!is_scalar(limit) || x->data)
        return refuse(b, "of anything but a constant is not supported");
    if (check_quantised(b, current(b)->input[0]) != 0 ||
        check_quantised(b, current(b)->input[1]) != 0 ||
        check_quantised(b, current(b)->output) != 0)
        return -1;
    if (!same_quantisation(quantised(x), quantised(limit)) ||
        !same_quantisation(quantised(x), quantised(output_of(b))))
        return refuse(b, "with different scales is not supported");
    Lookup table;
    int8_t at = (int8_t)limit->data[0];
    lookup_identity(table);
    for (int i = 0; i < LOOKUP_SIZE; i++)
        if (current(b)->code == TFLITE_MAXIMUM ? table[i] < at : table[i] > at)
            table[i] = at;
    return unary_made(b, varying, table);
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
    if (add_function(b, table) != 0)
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
    return whole_input(b, 0, &layer);
}

/* ---- all ------------------------------------------------------------------------------------- */

static int add_operator(Build *b)
{
    switch ((TfliteCode)current(b)->code) {
    case TFLITE_CONV_2D:
    case TFLITE_DEPTHWISE_CONV_2D:
        return add_conv(b);
    case TFLITE_FULLY_CONNECTED:
        return add_fully_connected(b);
    case TFLITE_AVERAGE_POOL_2D:
    case TFLITE_MAX_POOL_2D:
        return add_pool(b);
    case TFLITE_MEAN:
        return add_mean(b);
    case TFLITE_SOFTMAX:
        return add_softmax(b);
    case TFLITE_ADD:
    case TFLITE_MUL:
        return add_binary(b);
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
        return add_unary(b);
    case TFLITE_MAXIMUM:
    case TFLITE_MINIMUM:
        return add_limit(b);
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
        return declared(&f->tensor[tensor]);
    Shape own = declared(&f->tensor[b->image]);
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
    if (check_quantised(b, b->image) != 0)
        return -1;
    t = &f->tensor[b->image];
    Shape s = image_shape(b);
    if (!is_batch_of_one(t) || s.h > UINT16_MAX || s.w > UINT16_MAX || s.c > UINT16_MAX ||
        (int64_t)s.h * s.w * s.c != t->elements)
        return errorf("an input of %u values as %d x %d x %d is not supported", t->elements, s.h,
                      s.w, s.c);
    net_begin(&b->net, s.h, s.w, s.c);
    b->tensor[0] = quantised(t);
    View *v = &b->view[b->image];
    *v = (View){.layer = NET_IMAGE, .table = NO_TABLE, .lookup = NO_LAYER, .op = NO_LAYER};
    set_axes(b, v, t);
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
    if (v->layer == NO_LAYER || is_padded(v) || !in_order(v))
        return refuse(b, "does not make the model's output, or pads or transposes it");
    if (layer_of(b, b->result, &layer) != 0)
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
