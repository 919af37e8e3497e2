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

/* "operator 17 (CONV_2D) ...", and -1. */
int refuse(const Build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* tflite_layers.c: every operator in turn, and the layer that holds the result. */
int build_layers(Build *b);

/* tflite_tables.c: the tables of the finished net. */
int build_tables(Build *b, QModel *q);
/* The bounds of a fused activation, -1 with errorf() for one that we lack. */
int fused_range(const Build *b, int code, QTensor out, int *act_min, int *act_max);

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

/* The fused activation in an operator's options. */
static inline int fused_code(Build *b)
{
    const int code = current(b)->code;
    bool pool = code == TFLITE_AVERAGE_POOL_2D || code == TFLITE_MAX_POOL_2D;
    int field = code == TFLITE_CONV_2D ? 3 : code == TFLITE_DEPTHWISE_CONV_2D ? 4 : pool ? 5 : 0;
    return flat_u8(&b->file.flat, current(b)->options, field, 0);
}

#endif
