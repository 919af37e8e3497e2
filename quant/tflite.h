/* tflite.h - an int8 model of TensorFlow Lite becomes a network of ours.
 *
 * tflite_load() reads a .tflite file, from anywhere and in any state, and makes
 * the int8 model whose bytes are those of TensorFlow Lite Micro's reference
 * kernels (double rounding). What our operators say otherwise is folded:
 *
 *   PAD                          into the convolution that reads it
 *   QUANTIZE, DEQUANTIZE         at the borders: the image and the output are int8
 *   RESHAPE, SQUEEZE, TRANSPOSE  where they only rename; the image has the shape
 *                                that the first operator reads
 *   TRANSPOSE + MEAN + MEAN      a mean over rows and one over columns
 *   activations, constants       chains of functions of one value are one lookup;
 *                                MUL by a [1][1][c] vector is a gate
 *
 * An operator or a form of it that we lack is an error with its index and name. */
#ifndef TFLITE_H
#define TFLITE_H

#include "quant/qmodel.h"
#include "quant/tflite_file.h"

#define TFLITE_MAX_KINDS 32 /* different operators in one model that is supported */
#define TFLITE_NAME 64

/* What goes in or comes out, as the file declares it. */
typedef struct {
    char name[TFLITE_NAME];
    uint8_t type; /* TensorType: int8, or what a border QUANTIZE or DEQUANTIZE stands before */
    uint8_t rank;
    int32_t shape[TFLITE_MAX_RANK];
    float scale; /* of the int8 tensor behind that border */
    int zero;    /* likewise */
} TfliteBorder;

/* The file's own graph, before anything is folded. Only tensors that are computed. */
typedef struct {
    int code; /* BuiltinOperator: tflite_op_name() */
    uint8_t n_inputs;
    uint16_t input[TFLITE_MAX_INPUTS], output; /* into tensor[] below */
    int16_t layer; /* the last of ours that is part of it; -1: folded away */
} TfliteOp;

typedef struct {
    uint32_t bytes;
    int16_t number; /* in the file */
} TfliteTensor;

typedef struct {
    char description[TFLITE_NAME];
    TfliteBorder input, output;
    int n_ops, n_tensors;
    TfliteOp op[TFLITE_MAX_OPS];
    TfliteTensor tensor[TFLITE_MAX_OPS + 1]; /* [0] the input; op i makes [1 + i] */
    int output_tensor;                       /* of these */
    int n_kinds;
    struct {
        int code, n;
    } kind[TFLITE_MAX_KINDS]; /* how many of which operator, in the order they appear */
    uint64_t macs;       /* as frameworks count: padding taps included */
    uint64_t macs_exact; /* only taps inside the tensor that is read, a PAD's output included */
    uint32_t weight_bytes, bias_bytes;
    uint32_t n_scales; /* scales of weights: one a channel or one a tensor */
    uint32_t params;   /* weights and biases */
    int16_t op_of_layer[NET_MAX_LAYERS];
    int16_t logits; /* the layer that the final softmax reads, else the last one */
} TfliteInfo;

/* -1 with errorf() when the file cannot be read or is not such a model; then there
 * is nothing to release. info may be NULL. */
int tflite_load(QModel *q, TfliteInfo *info, const char *path);
int tflite_load_bytes(QModel *q, TfliteInfo *info, const void *bytes, size_t size);

#endif
