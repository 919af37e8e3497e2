/* tflite_windows.c - convolutions, dense layers, pools and means of a .tflite file. */
#include "quant/tflite_build.h"

#include <math.h>
#include <string.h>

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
    h->stride = option_int(b, STRIDE_H, 0);
    w->stride = option_int(b, STRIDE_W, 0);
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
    Shape s = file_shape(t);
    if (t->rank != 4 || !file_is_single(t) || s.h != h->out || s.w != w->out || s.c != channels)
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
    int dw = option_int(b, field, 1), dh = option_int(b, field + 1, 1);
    if ((dw != 1 && w->shape[2] != 1) || (dh != 1 && w->shape[1] != 1))
        return refuse(b, "with a dilation of %d x %d is not supported", dh, dw);
    return 0;
}

/* A convolution reads through a PAD: its zeros are the ones at the border of an image. */
static int conv_input(Build *b, int *layer, View **v)
{
    int tensor = 0;
    if (view_input(b, 0, &tensor, v) != 0)
        return -1;
    if (!view_in_order(*v))
        return refuse(b, "reads a transposed tensor, which is not supported");
    if (view_layer(b, tensor, layer) != 0)
        return -1;
    Shape is = file_shape(&b->file.tensor[tensor]);
    is.h -= (*v)->pad[PAD_TOP] + (*v)->pad[PAD_BOTTOM];
    is.w -= (*v)->pad[PAD_LEFT] + (*v)->pad[PAD_RIGHT];
    return view_check_image(b, &b->file.tensor[tensor], is, *layer);
}

int build_conv(Build *b)
{
    bool apart = current(b)->code == TFLITE_DEPTHWISE_CONV_2D;
    const FileTensor *weights = input_of(b, 1);
    int input = NET_IMAGE;
    View *v = NULL;
    if (check_weights(b, 4, apart ? 3 : 0) != 0 || conv_input(b, &input, &v) != 0 ||
        check_dilation(b, apart ? 5 : 4, weights) != 0 || option_check_fused(b) != 0)
        return -1;
    Shape in = view_layer_shape(b, input);
    int channels = weights->shape[apart ? 3 : 0];
    if (apart ? weights->shape[0] != 1 || channels % in.c != 0 : weights->shape[3] != in.c)
        return refuse(b, "has weights for %d channels, its input has %d, which is not supported",
                      apart ? channels : weights->shape[3], in.c);
    Window h = {.kernel = weights->shape[1]}, w = {.kernel = weights->shape[2]};
    if (slide_both(b, &h, &w, v, in) != 0 || check_made(b, &h, &w, channels) != 0 ||
        view_check_room(b) != 0)
        return -1;
    bool pixel = h.kernel == 1 && w.kernel == 1 && h.stride == 1 && w.stride == 1 &&
                 !view_is_padded(v);
    int l = apart   ? net_depthwise(&b->net, input, square(1), square(1), option_act(b))
            : pixel ? net_pointwise(&b->net, input, channels, option_act(b))
                    : net_conv(&b->net, input, channels, square(1), square(1), option_act(b));
    set_window(&b->net.layer[l], &h, &w);
    b->net.layer[l].out_c = (uint16_t)channels;
    memcpy(b->pad_of_layer[l], v->pad, sizeof v->pad);
    return view_layer_made(b, l);
}

/* All of the input to every output, or the last dimension of each pixel. */
int build_fully_connected(Build *b)
{
    enum { WEIGHTS_FORMAT = 1 };
    const FileTensor *weights = input_of(b, 1);
    int input;
    if (check_weights(b, 2, 0) != 0 || view_whole_input(b, 0, &input) != 0 ||
        option_check_fused(b) != 0 || view_check_room(b) != 0)
        return -1;
    if (flat_u8(&b->file.flat, current(b)->options, WEIGHTS_FORMAT, 0) != 0)
        return refuse(b, "has shuffled weights, which is not supported");
    Shape in = view_layer_shape(b, input);
    int channels = weights->shape[0], n = weights->shape[1];
    int64_t values = (int64_t)in.h * in.w * in.c;
    if (n == values && in.h <= NET_MAX_ROWS && in.w <= UINT8_MAX)
        return view_layer_made(b, net_dense(&b->net, input, channels, option_act(b)));
    if (n == in.c && n != values)
        return view_layer_made(b, net_pointwise(&b->net, input, channels, option_act(b)));
    return refuse(b, "has %d weights an output for an input of %d x %d x %d, which is not "
                     "supported", n, in.h, in.w, in.c);
}

/* ---- pools and means ------------------------------------------------------------------------- */

int build_pool(Build *b)
{
    enum { FILTER_W = 3, FILTER_H = 4 };
    bool average = current(b)->code == TFLITE_AVERAGE_POOL_2D;
    int input;
    if (view_image_input(b, 0, &input) != 0 || option_check_fused(b) != 0 ||
        view_check_room(b) != 0)
        return -1;
    Shape in = view_layer_shape(b, input);
    QTensor from = quantised(input_of(b, 0)), to = quantised(output_of(b));
    if (from.zero != to.zero || fabs((double)from.scale - (double)to.scale) > 1e-6)
        return refuse(b, "changes the scale, which is not supported");
    Window h = {.kernel = option_int(b, FILTER_H, 0)}, w = {.kernel = option_int(b, FILTER_W, 0)};
    if (slide_both(b, &h, &w, &(View){.flat = false}, in) != 0 || check_made(b, &h, &w, in.c) != 0)
        return -1;
    bool global = average && h.kernel == in.h && w.kernel == in.w && h.out == 1 && w.out == 1;
    if (global && h.kernel <= NET_MAX_ROWS)
        return view_layer_made(b, net_global_pool(&b->net, input));
    int l = net_pool(&b->net, average ? OP_AVG_POOL : OP_MAX_POOL, input, square(1), square(1));
    set_window(&b->net.layer[l], &h, &w);
    return view_layer_made(b, l);
}

/* Which dimensions the mean goes over: over[d]. */
static int reduced_dimensions(const Build *b, bool over[TFLITE_MAX_RANK])
{
    const FileTensor *t = input_of(b, 0), *axes;
    if (option_integers(b, 1, 0, &axes) != 0)
        return -1;
    for (uint32_t i = 0; i < axes->elements; i++) {
        int64_t d = file_integer(axes, i);
        d += d < 0 ? t->rank : 0;
        if (d < 0 || d >= t->rank)
            return refuse(b, "goes over dimension %lld of %d", (long long)file_integer(axes, i),
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

int build_mean(Build *b)
{
    bool over[TFLITE_MAX_RANK] = {false}, along[] = {false, false, false, false};
    int tensor = 0, input;
    View *v = NULL;
    if (view_input(b, 0, &tensor, &v) != 0 || reduced_dimensions(b, over) != 0 ||
        view_check_int8(b, current(b)->output) != 0 || view_layer(b, tensor, &input) != 0 ||
        view_check_room(b) != 0)
        return -1;
    Shape in = view_layer_shape(b, input);
    for (int d = 0; d < b->file.tensor[tensor].rank; d++)
        along[v->axis[d]] = along[v->axis[d]] || over[d];
    bool over_h = along[AXIS_H], over_w = along[AXIS_W];
    if (!over_h && !over_w) { /* over one pixel: still TFLite's rounding */
        over_h = in.h == 1;
        over_w = in.w == 1;
    }
    if (v->flat || view_is_padded(v) || along[AXIS_C] || (!over_h && !over_w))
        return refuse(b, "over anything but rows and columns is not supported");
    if ((over_h && in.h > NET_MAX_ROWS) || (over_w && in.w > UINT8_MAX))
        return refuse(b, "over %d x %d pixels is not supported", in.h, in.w);
    const View from = *v;
    if (view_layer_made(b, net_mean(&b->net, input, over_h, over_w)) != 0)
        return -1;
    return set_reduced_axes(b, &b->view[current(b)->output], &from, over);
}

int build_softmax(Build *b)
{
    int input;
    if (view_whole_input(b, 0, &input) != 0 || view_check_int8(b, current(b)->output) != 0 ||
        view_check_room(b) != 0)
        return -1;
    const FileTensor *t = input_of(b, 0);
    if (t->rank < 1 || t->shape[t->rank - 1] != view_layer_shape(b, input).c)
        return refuse(b, "over anything but the channels is not supported");
    if (view_check_output(b, 256, -128) != 0)
        return -1;
    return view_layer_made(b, net_softmax(&b->net, input));
}
