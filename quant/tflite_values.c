/* tflite_values.c - what a .tflite file computes value by value.
 *
 * Functions of one value, ADD and MUL. Where both operands follow from the same value, or one
 * is a constant, they are a function of one value as well. */
#include "quant/tflite_build.h"

#include <math.h>
#include <string.h>

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
        return view_check_output(b, 256, -128);
    case TFLITE_TANH:
        lookup_tanh(table, in);
        return view_check_output(b, 128, 0);
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

int build_function(Build *b, Lookup table)
{
    int tensor = 0;
    View *v = NULL;
    if (view_input(b, 0, &tensor, &v) != 0 || view_check_int8(b, current(b)->output) != 0)
        return -1;
    QTensor in = quantised(&b->file.tensor[tensor]), out = quantised(output_of(b));
    return function_of(b, in, out, table) == 0 ? view_unary_made(b, 0, table) : -1;
}

int build_unary(Build *b)
{
    Lookup table;
    return build_function(b, table);
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
    int status = view_unary_made(b, varying, table);
    *from = was;
    return status;
}

static bool same_view(const View *a, const View *b)
{
    return a->layer == b->layer && a->flat == b->flat && !view_is_padded(a) && !view_is_padded(b) &&
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
    Shape made = view_layer_shape(b, l), is = file_shape(input_of(b, k));
    return made.h == 1 && made.w == 1 && is.h == 1 && is.w == 1 && is.c == made.c;
}

/* x * y, one of them [1][1][c]. */
static int add_gate(Build *b, const int layer[2])
{
    for (int k = 0; k < 2; k++) {
        const FileTensor *t = input_of(b, 1 - k);
        Shape image = view_layer_shape(b, layer[1 - k]), vector = view_layer_shape(b, layer[k]);
        if (is_vector(b, k, layer[k]) && vector.c == image.c &&
            view_check_image(b, t, file_shape(t), layer[1 - k]) == 0)
            return view_layer_made(b, net_gate(&b->net, layer[1 - k], layer[k]));
    }
    return refuse(b, "of anything but an image and a factor for each of its channels is not "
                     "supported");
}

static int add_sum(Build *b, const int layer[2])
{
    AddScales s;
    Shape x = view_layer_shape(b, layer[0]), y = view_layer_shape(b, layer[1]);
    float in = input_of(b, 0)->scale, in2 = input_of(b, 1)->scale, out = output_of(b)->scale;
    if (!file_same_shape(input_of(b, 0), input_of(b, 1)) || x.h != y.h || x.w != y.w || x.c != y.c)
        return refuse(b, "of tensors of different shapes is not supported");
    if (!add_scales(&s, in, in2, out))
        return refuse(b, "has an output scale of %g for inputs of %g and %g", (double)out,
                      (double)in, (double)in2);
    return view_layer_made(b, net_add(&b->net, layer[0], layer[1]));
}

int build_binary(Build *b)
{
    int layer[2];
    if (current(b)->n_inputs != 2 || !input_of(b, 0) || !input_of(b, 1))
        return refuse(b, "needs two inputs");
    if (view_check_int8(b, current(b)->input[0]) != 0 ||
        view_check_int8(b, current(b)->input[1]) != 0 || option_check_fused(b) != 0)
        return -1;
    int varying = varying_input(b);
    if (varying >= 0)
        return add_binary_function(b, varying);
    if (input_of(b, 0)->data || input_of(b, 1)->data)
        return refuse(b, "with a constant of several values is not supported");
    for (int k = 0; k < 2; k++)
        if (view_whole_input(b, k, &layer[k]) != 0)
            return -1;
    if (view_check_room(b) != 0)
        return -1;
    if ((current(b)->code == TFLITE_MUL ? add_gate(b, layer) : add_sum(b, layer)) != 0)
        return -1;
    b->net.layer[b->net.n_layers - 1].act = (uint8_t)option_act(b);
    return 0;
}

/* MAXIMUM and MINIMUM with a constant compare bytes: all three scales are the same. */
int build_limit(Build *b)
{
    if (current(b)->n_inputs != 2 || !input_of(b, 0) || !input_of(b, 1))
        return refuse(b, "needs two inputs");
    int varying = is_scalar(input_of(b, 0)) ? 1 : 0;
    const FileTensor *x = input_of(b, varying), *limit = input_of(b, 1 - varying);
    if (!is_scalar(limit) || x->data)
        return refuse(b, "of anything but a constant is not supported");
    if (view_check_int8(b, current(b)->input[0]) != 0 ||
        view_check_int8(b, current(b)->input[1]) != 0 ||
        view_check_int8(b, current(b)->output) != 0)
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
    return view_unary_made(b, varying, table);
}
