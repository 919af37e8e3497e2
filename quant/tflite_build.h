/* tflite_build.h - the half-made network while a .tflite file is read. Private to quant/tflite*.c.
 *
 * Every tensor of the file is a view of a layer's output (or of the image): the
 * same bytes under other dimensions, with a padding around that no layer has
 * made, or under a function of one value that no layer has computed yet. Views
 * cost nothing; a layer is made when an operator cannot do with less. */
#ifndef TFLITE_BUILD_H
#define TFLITE_BUILD_H

#include "quant/lookup.h"
#include "quant/tflite.h"

enum { NO_TABLE = -1, NO_LAYER = -2 };
enum { PAD_TOP, PAD_BOTTOM, PAD_LEFT, PAD_RIGHT, N_PADS };

/* What a dimension of a tensor runs over. AXIS_ONE: nothing, its size is 1. */
enum { AXIS_ONE, AXIS_H, AXIS_W, AXIS_C };

typedef struct {
    int16_t layer;  /* NET_IMAGE, or a layer; NO_LAYER: float or nothing yet */
    int16_t table;  /* the function of it that the tensor is, else NO_TABLE */
    int16_t lookup; /* the layer that computes that function, else NO_LAYER */
    int16_t op;     /* the operator that made it */
    uint16_t pad[N_PADS];
    uint8_t axis[TFLITE_MAX_RANK];
    bool flat; /* its dimensions are not those of the layer; only the order of values is */
} View;

typedef struct {
    TfliteFile file;
    View *view;    /* of each tensor of the file */
    Lookup *table; /* at most one an operator */
    int n_tables;
    int op; /* the operator that is being read, for messages */
    Net net;
    QTensor tensor[NET_MAX_LAYERS + 1];    /* as in QModel */
    int16_t op_of_layer[NET_MAX_LAYERS];   /* the operator that says how it is computed */
    int16_t table_of_layer[NET_MAX_LAYERS]; /* of a lookup */
    int16_t made_of[NET_MAX_LAYERS];       /* the tensor of the file that the layer is */
    uint16_t pad_of_layer[NET_MAX_LAYERS][N_PADS]; /* of its padding, the share of PADs before it */
    int16_t image, result; /* the int8 tensors between the borders */
} Build;

/* tflite_layers.c: every operator in turn, and the layer that holds the result. */
int build_layers(Build *b);

/* tflite_tables.c: the tables of the finished net. */
int build_tables(Build *b, QModel *q);
/* The bounds of a fused activation; -1 with errorf() for one that we lack. */
int fused_range(const Build *b, int code, QTensor out, int *act_min, int *act_max);

/* tflite_windows.c and tflite_values.c: the operator b->op. Everything that returns an int
 * here is 0, or -1 with errorf(). */
int build_conv(Build *b); /* of any kind */
int build_fully_connected(Build *b);
int build_pool(Build *b);
int build_mean(Build *b);
int build_softmax(Build *b);
int build_unary(Build *b);
int build_function(Build *b, Lookup table); /* the same; table: of what it reads */
int build_binary(Build *b);                 /* ADD and MUL */
int build_limit(Build *b);                  /* MAXIMUM and MINIMUM */

/* ---- tflite_views.c: what it reads ---------------------------------------------------------- */

/* "operator 17 (CONV_2D) ...", and -1. */
int refuse(const Build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* h, w and c of a tensor's own dimensions, or of what a layer makes. */
typedef struct {
    int h, w, c;
} Shape;
Shape file_shape(const FileTensor *t);
Shape view_layer_shape(const Build *b, int layer);
bool file_is_single(const FileTensor *t); /* a batch of one */
bool file_same_shape(const FileTensor *a, const FileTensor *b);

bool view_in_order(const View *v); /* not transposed */
bool view_is_padded(const View *v);
void view_set_axes(const Build *b, View *v, const FileTensor *t);

/* An int8 tensor with one scale, as everything that is computed has to be; a uint8 one where
 * it is a border. */
int view_check_int8(const Build *b, int tensor);

/* Input k, which has to be computed: its tensor and view; or the layer that has all of its
 * values in their order; or that besides has the very dimensions of the tensor. */
int view_input(Build *b, int k, int *tensor, View **view);
int view_whole_input(Build *b, int k, int *layer);
int view_image_input(Build *b, int k, int *layer);
int view_check_image(const Build *b, const FileTensor *t, Shape is, int layer);
/* The layer that has a tensor's values; makes the lookup that the view still lacks. */
int view_layer(Build *b, int tensor, int *layer);

int option_int(Build *b, int field, int otherwise);
int option_check_fused(Build *b);
Act option_act(Build *b);
/* Input k, a constant of n integers, any number when n is 0; and element i of it. */
int option_integers(const Build *b, int k, uint32_t n, const FileTensor **t);
int64_t file_integer(const FileTensor *t, uint32_t i);

/* ---- tflite_views.c: what it makes ---------------------------------------------------------- */

int view_check_room(const Build *b); /* for one more layer */
/* TFLite has only one output of some operators: of scale 1 / steps. */
int view_check_output(const Build *b, int steps, int zero);

/* The output is layer l, the last one; or a function of one value of input k, of the same shape
 * in unary_made; or a view of what an input is. */
int view_layer_made(Build *b, int l);
int view_function_made(Build *b, int k, const Lookup function);
int view_unary_made(Build *b, int k, const Lookup function);
View *view_output(Build *b, const View *of);

/* ---- what the operator b->op says ------------------------------------------------------------ */

static inline const FileOp *current(const Build *b)
{
    return &b->file.op[b->op];
}

/* Input k, NULL when it is left out. */
static inline const FileTensor *input_of(const Build *b, int k)
{
    const FileOp *op = current(b);
    bool there = k < op->n_inputs && op->input[k] != TFLITE_NO_TENSOR;
    return there ? &b->file.tensor[op->input[k]] : NULL;
}

static inline const FileTensor *output_of(const Build *b)
{
    return &b->file.tensor[current(b)->output];
}

/* Scale and zero point of a tensor; a uint8 border is int8 with everything 128 lower. */
static inline QTensor quantised(const FileTensor *t)
{
    int zero = t->zero - (t->type == TYPE_UINT8 ? 128 : 0);
    return (QTensor){t->scale, (int8_t)zero};
}

static inline bool same_quantisation(QTensor a, QTensor b)
{
    return a.zero == b.zero && a.scale == b.scale;
}

/* The fused activation in an operator's options. */
static inline int fused_code(Build *b)
{
    const int code = current(b)->code;
    bool pool = code == TFLITE_AVERAGE_POOL_2D || code == TFLITE_MAX_POOL_2D;
    int field = code == TFLITE_CONV_2D ? 3 : code == TFLITE_DEPTHWISE_CONV_2D ? 4 : pool ? 5 : 0;
    return flat_u8(&b->file.flat, current(b)->options, field, 0);
}

#endif
