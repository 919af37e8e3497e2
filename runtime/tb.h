/* tb.h - the thimble runtime: int8 networks on a microcontroller.
 *
 * Freestanding C99: no heap, no libc, no globals. The same files run on the
 * host and on the device. An exported model is constant tables (TbModel) and
 * weights; tb_run() executes it in an arena the caller owns, of exactly
 * TbModel.arena_bytes, aligned to TB_ALIGN.
 *
 * The device computes rows: every kernel makes an output row from the input
 * rows it needs. A tensor is a ring of rows in the arena; when it keeps all
 * its rows it is an ordinary tensor. A segment is a run of ops through which
 * rows flow; a segment of one op is layer-by-layer execution. A strip of a
 * tensor is a view: another TbTensor over the same bytes.
 *
 * Arithmetic: TFLite's int8 reference to the bit (gemmlowp: saturating
 * rounding doubling high multiply, then rounding right shift). There is no
 * error path: what could fail was checked when the network was exported. */
#ifndef TB_H
#define TB_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by one whenever the tables below change their meaning or a kernel its speed: latency
 * models are fitted to one version and refused with another (`thimble calibrate`). */
#define TB_VERSION 2

#define TB_ALIGN 4
#ifdef __GNUC__
#define TB_ALIGNED __attribute__((aligned(TB_ALIGN))) /* weights, which are read by words */
#else
#define TB_ALIGNED
#endif
#define TB_MAX_ROWS 64    /* input rows one call may need: window rows <= TB_MAX_ROWS */
#define TB_MAX_SEGMENT 96 /* ops in one segment */
#define TB_MAX_BLOCK 4    /* output rows one call may make */
#define TB_ALL_ROWS 0     /* but for a kernel that makes all of them, of whole tensors */

/* Where the rows of an image that is not in the arena come from: columns [x0, x1) of row y, to
 * `to`, (x1 - x0) * c bytes. Called with rising y within a pass; strips ask for rows again. */
typedef void TbInputRow(void *context, int y, int x0, int x1, int8_t *to);
typedef struct {
    TbInputRow *row;
    void *context;
} TbInput;

/* What one call of a kernel reads and writes. */
typedef struct {
    const int8_t *in[TB_MAX_ROWS + 1]; /* the op's window rows, NULL for a row of padding; then
                                          one row of the second input */
    int8_t *out[TB_MAX_BLOCK];         /* op->block output rows from y on, NULL beyond the last; of
                                          TB_ALL_ROWS the first, without gaps behind it the others */
    int y;                             /* the (first) output row */
    const TbInput *input;
} TbRows;

typedef struct TbOp TbOp;

/* An output row may lie where the plan allows, even over input rows that are not needed again. */
typedef void TbKernel(const TbOp *op, const TbRows *rows, void *scratch);

struct TbOp {
    TbKernel *kernel;
    const int8_t *weights;     /* conv, dense [out_c][kh][kw][in_c]; pointwise [out_c][in_c];
                                  depthwise [kh][kw][out_c]; lookup [256], of -128 first; others
                                  NULL */
    const int32_t *bias;       /* [out_c]; others NULL */
    const int32_t *multiplier; /* [out_c], Q31; add: [3] input, input2, output; mean, gate,
                                  softmax: [1]; others NULL */
    const int8_t *shift;       /* as multiplier; positive shifts left, which no add does */
    uint32_t scratch;          /* offset in the arena of this op's scratch (scratch.h) */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c; /* out_h: rows of output, or calls of an op that sums up rows */
    uint16_t input, input2, output; /* indices into TbModel.tensor; input2 == input when it has
                                       one */
    uint8_t kh, kw, sh, sw;
    uint8_t pad_top, pad_left;
    int8_t in_zero, in2_zero, out_zero;
    int8_t act_min, act_max;
    uint8_t back, back2; /* its inputs are made by the op so many before it, in this segment; 0:
                            they are complete before the segment begins */
    uint8_t block;       /* output rows a call makes: 1, up to TB_MAX_BLOCK of a tb_block_rows, or
                            TB_ALL_ROWS of a tb_depthwise_planes_rows */
};

typedef struct {
    uint32_t offset;    /* of the ring in the arena */
    uint32_t row_bytes; /* from one row to the next: w * c, of the whole tensor in a view */
    uint16_t rows;      /* rows kept, 1 at least; row y is at offset + (y % rows) * row_bytes */
    uint16_t h;         /* rows in all */
} TbTensor;

typedef struct {
    uint16_t first, n; /* ops [first, first + n) */
} TbSegment;

typedef struct {
    const TbOp *op;
    const TbTensor *tensor; /* [0] is the image; the last op's output is the network's */
    const TbSegment *segment;
    uint16_t n_ops, n_tensors, n_segments;
    uint32_t arena_bytes;
} TbModel;

/* input: NULL when the image is resident: at arena + tensor[0].offset, where it may be overwritten.
 * Afterwards the output is at arena + the offset that model.h gives: the last op's, unless that one
 * only makes a strip of it. */
void tb_run(const TbModel *model, int8_t *arena, const TbInput *input);
/* One segment; tb_run() is a loop over these, and a profiler can put its timer between them. */
void tb_run_segment(const TbModel *model, int segment, int8_t *arena, const TbInput *input);

TbKernel tb_conv_row, tb_depthwise_row, tb_pointwise_row, tb_add_row, tb_dense_row;
TbKernel tb_avg_pool_row, tb_max_pool_row; /* global pool: tb_avg_pool_row */
TbKernel tb_mean_row, tb_gate_row, tb_lookup_row, tb_softmax_row;

/* The same layers on pairs of int16, two multiply-accumulates an instruction: for more scratch
 * (scratch.h) about half the instructions. Their bias is less in_zero times the sum of the channel's
 * weights, and these are packed as the kernel walks them (exporter/constants.h). At most
 * 2^14 taps; a depthwise has out_c == in_c. The other two have biases, multipliers and shifts among
 * their weights too, and a pointwise with sw = 0 is a dense layer of one pixel. */
TbKernel tb_conv_pairs_row, tb_pointwise_pairs_row, tb_depthwise_pairs_row;

/* The same for all rows of a depthwise at once, with less unpacking: one call on tensors that keep
 * their rows without gaps, pad_top < kh, of a shape that tb_depthwise_in_planes() takes. Its output
 * is apart from its input, or begins exactly where it does. */
TbKernel tb_depthwise_planes_rows;

/* Steps a plan needs beside the layers.
 * tb_input_row: row y of the image, columns [in_w, in_w + out_w), rows from in_h on, through
 *   TbInput.
 * tb_copy_row: in_w * in_c bytes to another place, which may overlap (one row: a whole tensor).
 * tb_sum_pool_row: a global pool of a tensor whose rows are not kept. Called in_h times, each
 *   time with the next row; the sums are in scratch; the last call writes the output. kh = 1.
 * tb_block_rows: expansion, depthwise and projection (the three ops before it in the table, which
 *   the executor never calls and whose kernel may be NULL), `block` output rows at a time, the
 *   expanded tensor only kh x kw pixels at a time; its own kh, sh are those of all rows of a
 *   call: kh = (block - 1) * s + k, sh = s. */
TbKernel tb_input_row, tb_copy_row, tb_sum_pool_row, tb_block_rows;

#ifdef __cplusplus
}
#endif
#endif
