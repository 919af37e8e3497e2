/* tb.h - the thimble runtime: int8 networks on a microcontroller.
 *
 * Freestanding C99: no heap, no libc, no globals. The same files run on the
 * host and on the device. An exported model is constant tables (TbModel) and
 * weights; tb_run() executes it in an arena the caller owns, of exactly
 * TbModel.arena_bytes, aligned to TB_ALIGN.
 *
 * The device computes rows: every kernel makes one output row from the input
 * rows it needs. A tensor is a ring of rows in the arena; when it keeps all
 * its rows it is an ordinary tensor. A segment is a run of ops through which
 * rows flow; a segment of one op is layer-by-layer execution.
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

#define TB_ALIGN 4
#define TB_MAX_ROWS 64    /* input rows one output row may need: kh <= TB_MAX_ROWS */
#define TB_MAX_SEGMENT 64 /* ops in one segment */

typedef struct TbOp TbOp;

/* rows: op->kh row pointers, NULL for a row of padding; an add gets one row of
 * each of its two inputs. out: one row of op->out_w * op->out_c bytes. It may
 * lie where the plan allows, even over input rows that are not needed again. */
typedef void TbKernel(const TbOp *op, const int8_t *const *rows, int8_t *out, void *scratch);

struct TbOp {
    TbKernel *kernel;
    const int8_t *weights;     /* conv, dense [out_c][kh][kw][in_c]; pointwise [out_c][in_c];
                                  depthwise [kh][kw][c]; others NULL */
    const int32_t *bias;       /* [out_c]; others NULL */
    const int32_t *multiplier; /* [out_c], Q31; add: [3] input, input2, output; pools NULL */
    const int8_t *shift;       /* as multiplier; positive shifts left, which no add does */
    uint32_t scratch;          /* offset in the arena of this op's scratch (scratch.h) */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c;
    uint8_t kh, kw, sh, sw;
    uint8_t pad_top, pad_left;
    int8_t in_zero, in2_zero, out_zero;
    int8_t act_min, act_max;
    uint8_t input, input2, output; /* indices into TbModel.tensor; input2 == input unless an add */
};

typedef struct {
    uint32_t offset;    /* of the ring in the arena */
    uint32_t row_bytes; /* w * c */
    uint16_t rows;      /* rows kept; row y is at offset + (y % rows) * row_bytes */
    uint16_t h;         /* rows in all */
} TbTensor;

typedef struct {
    uint8_t first, n; /* ops [first, first + n) */
} TbSegment;

typedef struct {
    const TbOp *op;
    const TbTensor *tensor; /* [0] is the image, resident; the last op's output is the network's */
    const TbSegment *segment;
    uint8_t n_ops, n_tensors, n_segments;
    uint32_t arena_bytes;
} TbModel;

/* The image is at arena + tensor[0].offset and may be overwritten; afterwards
 * the output is at arena + tensor[op[n_ops - 1].output].offset. */
void tb_run(const TbModel *model, int8_t *arena);
/* One segment; tb_run() is a loop over these, and a profiler can put its timer between them. */
void tb_run_segment(const TbModel *model, int segment, int8_t *arena);

TbKernel tb_conv_row, tb_depthwise_row, tb_pointwise_row, tb_add_row;
TbKernel tb_avg_pool_row, tb_max_pool_row, tb_dense_row; /* global pool: tb_avg_pool_row */

#ifdef __cplusplus
}
#endif
#endif
