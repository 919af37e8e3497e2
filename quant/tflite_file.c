#include "quant/tflite_file.h"

#include "base/alloc.h"
#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields by their number in schema.fbs. */
enum { MODEL_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { CODE_OLD = 0, CODE_NEW = 3 };
enum { GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS };
enum { TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_QUANTIZATION };
enum { QUANTIZATION_SCALE = 2, QUANTIZATION_ZERO = 3 };
enum { OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS = 4 };
enum { BUFFER_DATA, BUFFER_OFFSET };

/* BuiltinOperator, in its order. */
static const char *const op_names[] = {
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP",
    "L2_NORMALIZATION", "L2_POOL_2D", "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION",
    "LSTM", "MAX_POOL_2D", "MUL", "RELU", "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
    "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH", "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL",
    "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD", "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER",
    "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN", "SUB", "DIV", "SQUEEZE",
    "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP",
    "TOPK_V2", "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU",
    "MAXIMUM", "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL",
    "LESS_EQUAL", "SELECT", "SLICE", "SIN", "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE",
    "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG", "SUM", "SQRT", "RSQRT", "SHAPE", "POW", "ARG_MIN",
    "FAKE_QUANT", "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT", "LOGICAL_AND",
    "LOGICAL_NOT", "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE",
    "FILL", "FLOOR_MOD", "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE",
    "MIRROR_PAD", "ABS", "SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS",
    "WHERE", "RANK", "ELU", "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG",
    "ROUND", "HARD_SWISH", "IF", "WHILE", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5",
    "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM", "BATCH_MATMUL", "operator 127", "CUMSUM",
    "CALL_ONCE", "BROADCAST_TO", "RFFT2D", "CONV_3D", "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE",
    "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "REDUCE_ALL", "CONV_3D_TRANSPOSE",
    "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS", "RANDOM_STANDARD_NORMAL",
    "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE", "RELU_0_TO_1",
};

static const char *const type_names[] = {"float32", "float16", "int32",     "uint8", "int64",
                                         "string",  "bool",    "int16",     "complex64",
                                         "int8",    "float64", "complex128"};

const char *tflite_op_name(int code)
{
    static _Thread_local char unknown[32];
    if (code >= 0 && (size_t)code < sizeof op_names / sizeof *op_names)
        return op_names[code];
    snprintf(unknown, sizeof unknown, "operator %d", code);
    return unknown;
}

const char *tflite_type_name(int type)
{
    bool known = type >= 0 && (size_t)type < sizeof type_names / sizeof *type_names;
    return known ? type_names[type] : "an unknown type";
}

/* 0 for the types that nothing here can be made of. */
static uint32_t type_bytes(int type)
{
    return type == TYPE_INT8 || type == TYPE_UINT8     ? 1
           : type == TYPE_FLOAT32 || type == TYPE_INT32 ? 4
           : type == TYPE_INT64                         ? 8
                                                        : 0;
}

static int read_shape(TfliteFile *f, int i)
{
    FileTensor *t = &f->tensor[i];
    FlatVector shape = flat_vector(&f->flat, t->table, TENSOR_SHAPE, 4);
    uint64_t elements = 1;
    if (shape.n > TFLITE_MAX_RANK)
        return errorf("tensor %d has %u dimensions, more than %d are not supported", i, shape.n,
                      TFLITE_MAX_RANK);
    t->rank = (uint8_t)shape.n;
    for (int k = 0; k < t->rank; k++) {
        t->shape[k] = flat_i32_at(&f->flat, shape, (uint32_t)k);
        if (t->shape[k] < 1)
            return errorf("tensor %d has the size %d along dimension %d", i, t->shape[k], k);
        elements *= (uint64_t)t->shape[k];
        if (elements > INT32_MAX / 8)
            return errorf("tensor %d has too many elements", i);
    }
    t->elements = (uint32_t)elements;
    t->bytes = t->elements * type_bytes(t->type);
    return 0;
}

static int read_quantization(TfliteFile *f, int i)
{
    FileTensor *t = &f->tensor[i];
    FlatTable q = flat_table(&f->flat, t->table, TENSOR_QUANTIZATION);
    t->scales = flat_vector(&f->flat, q, QUANTIZATION_SCALE, 4);
    t->zeros = flat_vector(&f->flat, q, QUANTIZATION_ZERO, 8);
    if (t->zeros.n > 0) {
        int64_t zero = flat_i64_at(&f->flat, t->zeros, 0);
        if (zero < INT32_MIN || zero > INT32_MAX)
            return errorf("tensor %d has the zero point %lld", i, (long long)zero);
        t->zero = (int32_t)zero;
    }
    if (t->scales.n > 0)
        t->scale = flat_float_at(&f->flat, t->scales, 0);
    return 0;
}

/* A tensor whose buffer has bytes is a constant. */
static int read_constant(TfliteFile *f, int i, FlatVector buffers)
{
    FileTensor *t = &f->tensor[i];
    uint32_t index = (uint32_t)flat_i32(&f->flat, t->table, TENSOR_BUFFER, 0);
    if (index >= buffers.n)
        return errorf("tensor %d names buffer %u of %u", i, index, buffers.n);
    FlatTable buffer = flat_table_at(&f->flat, buffers, index);
    FlatVector data = flat_vector(&f->flat, buffer, BUFFER_DATA, 1);
    if (flat_u64(&f->flat, buffer, BUFFER_OFFSET, 0) > 1)
        return errorf("the constants are outside the FlatBuffer, which is not supported");
    if (data.n == 0)
        return 0;
    if (type_bytes(t->type) > 0 && data.n != t->bytes)
        return errorf("tensor %d needs %u bytes and has %u", i, t->bytes, data.n);
    t->data = f->flat.bytes + data.at;
    return 0;
}

static int read_tensors(TfliteFile *f, FlatVector tensors, FlatVector buffers)
{
    if (tensors.n > TFLITE_MAX_TENSORS)
        return errorf("the model has %u tensors, at most %d are supported", tensors.n,
                      TFLITE_MAX_TENSORS);
    f->n_tensors = (int)tensors.n;
    f->tensor = xcalloc(tensors.n + 1, sizeof *f->tensor);
    for (int i = 0; i < f->n_tensors; i++) {
        FileTensor *t = &f->tensor[i];
        t->table = flat_table_at(&f->flat, tensors, (uint32_t)i);
        t->type = flat_u8(&f->flat, t->table, TENSOR_TYPE, TYPE_FLOAT32);
        if (read_shape(f, i) != 0 || read_quantization(f, i) != 0 ||
            read_constant(f, i, buffers) != 0)
            return -1;
    }
    return 0;
}

/* Operators beyond 127 are in a second field; older files have only the first. */
static int read_code(TfliteFile *f, FlatTable operator, FlatVector codes, int i)
{
    uint32_t index = (uint32_t)flat_i32(&f->flat, operator, OPERATOR_CODE, 0);
    if (index >= codes.n)
        return errorf("operator %d has the code %u of %u", i, index, codes.n);
    FlatTable code = flat_table_at(&f->flat, codes, index);
    int old = flat_u8(&f->flat, code, CODE_OLD, 0);
    int new = flat_i32(&f->flat, code, CODE_NEW, 0);
    f->op[i].code = new > old ? new : old;
    return 0;
}

static int read_op(TfliteFile *f, FlatTable operator, FlatVector codes, int i)
{
    FileOp *op = &f->op[i];
    FlatVector inputs = flat_vector(&f->flat, operator, OPERATOR_INPUTS, 4);
    FlatVector outputs = flat_vector(&f->flat, operator, OPERATOR_OUTPUTS, 4);
    if (read_code(f, operator, codes, i) != 0)
        return -1;
    const char *name = tflite_op_name(op->code);
    if (inputs.n > TFLITE_MAX_INPUTS || outputs.n != 1)
        return errorf("operator %d (%s) with %u inputs and %u outputs is not supported", i, name,
                      inputs.n, outputs.n);
    op->n_inputs = (uint8_t)inputs.n;
    op->options = flat_table(&f->flat, operator, OPERATOR_OPTIONS);
    for (uint32_t k = 0; k < inputs.n; k++) {
        int32_t t = flat_i32_at(&f->flat, inputs, k);
        if (t < TFLITE_NO_TENSOR || t >= f->n_tensors)
            return errorf("operator %d (%s) names tensor %d of %d", i, name, t, f->n_tensors);
        op->input[k] = (int16_t)t;
    }
    int32_t made = flat_i32_at(&f->flat, outputs, 0);
    op->output = (int16_t)made;
    if (made < 0 || made >= f->n_tensors)
        return errorf("operator %d (%s) makes tensor %d of %d", i, name, made, f->n_tensors);
    return 0;
}

static int read_ops(TfliteFile *f, FlatVector operators, FlatVector codes)
{
    if (operators.n == 0 || operators.n > TFLITE_MAX_OPS)
        return errorf("the model has %u operators, 1 to %d are supported", operators.n,
                      TFLITE_MAX_OPS);
    f->n_ops = (int)operators.n;
    f->op = xcalloc(operators.n, sizeof *f->op);
    for (int i = 0; i < f->n_ops; i++)
        if (read_op(f, flat_table_at(&f->flat, operators, (uint32_t)i), codes, i) != 0)
            return -1;
    return 0;
}

static int read_border(TfliteFile *f, FlatVector v, const char *what, int16_t *tensor)
{
    if (v.n != 1)
        return errorf("the model has %u %ss, one is supported", v.n, what);
    int32_t t = flat_i32_at(&f->flat, v, 0);
    if (t < 0 || t >= f->n_tensors)
        return errorf("the model's %s is tensor %d of %d", what, t, f->n_tensors);
    *tensor = (int16_t)t;
    return 0;
}

/* Operators stand in the order of execution, and each tensor is made once. */
static int check_order(const TfliteFile *f)
{
    bool there[TFLITE_MAX_TENSORS] = {false};
    for (int t = 0; t < f->n_tensors; t++)
        there[t] = f->tensor[t].data != NULL || t == f->input;
    for (int i = 0; i < f->n_ops; i++) {
        const FileOp *op = &f->op[i];
        const char *name = tflite_op_name(op->code);
        for (int k = 0; k < op->n_inputs; k++)
            if (op->input[k] != TFLITE_NO_TENSOR && !there[op->input[k]])
                return errorf("operator %d (%s) reads tensor %d before it is there", i, name,
                              op->input[k]);
        if (there[op->output])
            return errorf("operator %d (%s) makes tensor %d, which is there already", i, name,
                          op->output);
        there[op->output] = true;
    }
    return there[f->output] ? 0 : errorf("nothing makes the model's output, tensor %d", f->output);
}

static int read_all(TfliteFile *f)
{
    Flat *flat = &f->flat;
    f->model = flat_root(flat, "TFL3");
    if (f->model.at == 0)
        return errorf("this is not a .tflite model");
    FlatVector subgraphs = flat_vector(flat, f->model, MODEL_SUBGRAPHS, 4);
    if (subgraphs.n != 1)
        return errorf("the model has %u subgraphs, one is supported", subgraphs.n);
    FlatTable graph = flat_table_at(flat, subgraphs, 0);
    if (read_tensors(f, flat_vector(flat, graph, GRAPH_TENSORS, 4),
                     flat_vector(flat, f->model, MODEL_BUFFERS, 4)) != 0 ||
        read_ops(f, flat_vector(flat, graph, GRAPH_OPERATORS, 4),
                 flat_vector(flat, f->model, MODEL_CODES, 4)) != 0 ||
        read_border(f, flat_vector(flat, graph, GRAPH_INPUTS, 4), "input", &f->input) != 0 ||
        read_border(f, flat_vector(flat, graph, GRAPH_OUTPUTS, 4), "output", &f->output) != 0)
        return -1;
    return check_order(f);
}

/* A damaged file says so, whatever else seemed wrong with what was read of it. */
int tflite_file_init(TfliteFile *f, const void *bytes, size_t size)
{
    memset(f, 0, sizeof *f);
    f->flat = (Flat){.bytes = bytes, .size = size};
    int status = read_all(f);
    if (f->flat.damaged)
        status = errorf("the .tflite model is damaged or truncated: something in it is beyond "
                        "its end at %zu bytes", size);
    if (status != 0)
        tflite_file_release(f);
    return status;
}

void tflite_file_release(TfliteFile *f)
{
    free(f->tensor);
    free(f->op);
    f->tensor = NULL;
    f->op = NULL;
}
