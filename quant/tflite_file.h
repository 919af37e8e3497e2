/* tflite_file.h - a .tflite file as plain lists of tensors and operators.
 *
 * The schema is TensorFlow Lite's (schema.fbs, version 3). Everything that is
 * needed of the first subgraph is taken out of the FlatBuffer once and checked:
 * indices are those of tensors, constants have as many bytes as their shape
 * says, every operator has one output that nobody made before, and reads only
 * what is there. What an operator means is tflite.c's business. */
#ifndef TFLITE_FILE_H
#define TFLITE_FILE_H

#include "quant/flatbuffer.h"

#define TFLITE_MAX_TENSORS 4096 /* constants included */
#define TFLITE_MAX_OPS 512
#define TFLITE_MAX_RANK 4
#define TFLITE_MAX_INPUTS 4 /* of an operator */
#define TFLITE_NO_TENSOR (-1)

typedef enum { /* TensorType of the schema */
    TYPE_FLOAT32 = 0,
    TYPE_INT32 = 2,
    TYPE_UINT8 = 3,
    TYPE_INT64 = 4,
    TYPE_INT8 = 9
} TensorType;

typedef enum { /* BuiltinOperator of the schema: those that we know to read */
    TFLITE_ADD = 0,
    TFLITE_AVERAGE_POOL_2D = 1,
    TFLITE_CONV_2D = 3,
    TFLITE_DEPTHWISE_CONV_2D = 4,
    TFLITE_DEQUANTIZE = 6,
    TFLITE_FULLY_CONNECTED = 9,
    TFLITE_LOGISTIC = 14,
    TFLITE_MAX_POOL_2D = 17,
    TFLITE_MUL = 18,
    TFLITE_RELU = 19,
    TFLITE_RELU_N1_TO_1 = 20,
    TFLITE_RELU6 = 21,
    TFLITE_RESHAPE = 22,
    TFLITE_SOFTMAX = 25,
    TFLITE_TANH = 28,
    TFLITE_PAD = 34,
    TFLITE_TRANSPOSE = 39,
    TFLITE_MEAN = 40,
    TFLITE_SQUEEZE = 43,
    TFLITE_MAXIMUM = 55,
    TFLITE_MINIMUM = 57,
    TFLITE_PADV2 = 60,
    TFLITE_EXPAND_DIMS = 70,
    TFLITE_LEAKY_RELU = 98,
    TFLITE_QUANTIZE = 114,
    TFLITE_HARD_SWISH = 117
} TfliteCode;

typedef struct {
    const uint8_t *data; /* of a constant; NULL for what is computed */
    uint32_t bytes;      /* elements * size of one */
    uint32_t elements;   /* at least 1 */
    uint8_t type;        /* TensorType, or another number of the schema */
    uint8_t rank;
    int32_t shape[TFLITE_MAX_RANK]; /* each at least 1 */
    float scale;                    /* the first of scales; 0 without quantisation */
    int32_t zero;                   /* the first of its zero points */
    FlatVector scales;              /* of float: none, one, or one a channel */
    FlatVector zeros;               /* of int64 */
    FlatTable table;                /* Tensor of the schema, for its name */
} FileTensor;

typedef struct {
    int code; /* BuiltinOperator */
    uint8_t n_inputs;
    int16_t input[TFLITE_MAX_INPUTS]; /* tensors; TFLITE_NO_TENSOR for one left out */
    int16_t output;
    FlatTable options; /* of the operator's own kind */
} FileOp;

typedef struct {
    Flat flat;
    int n_tensors, n_ops;
    FileTensor *tensor;
    FileOp *op;
    int16_t input, output; /* the network's only ones */
    FlatTable model;       /* Model of the schema, for its description */
} TfliteFile;

/* bytes are borrowed until release. -1 with errorf() when they are no model of
 * that form; then there is nothing to release. */
int tflite_file_init(TfliteFile *f, const void *bytes, size_t size);
void tflite_file_release(TfliteFile *f);

/* The schema's name of an operator, "operator 300" for one that is unknown. */
const char *tflite_op_name(int code);
const char *tflite_type_name(int type);

#endif
