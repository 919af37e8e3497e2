/* stream_inner.h - what the parts of the stream optimiser share.
 *
 *     stream_label.c   bytes and work of a segment, updated as it grows backwards
 *     stream.c         the dynamic programme over cuts
 *     stream_place.c   addresses: cuts become a Plan
 */
#ifndef STREAM_INNER_H
#define STREAM_INNER_H

#include "estimator/pack.h"
#include "estimator/stream.h"

/* ROW_WORK: a kernel's call, in MACs. BLOCK_WORK: of a block's kernels, over those of pairs. */
enum { MAX_STRIPS = 6, NO_SKIP = -3, ROW_WORK = 64, BLOCK_WORK = 2 };

/* Of a layer, what is asked again and again. Rows: k, s, p; columns: kw, sw, pw. */
typedef struct {
    uint32_t row, tensor;       /* bytes of its output: a row, all of it (aligned) */
    uint32_t in_row, in_tensor; /* the same of its input */
    const Layer *layer;
    uint32_t scratch; /* of its kernel, for whole rows; */
    uint8_t kernel;
    uint16_t in_h, in_w, in_c, out_h, out_w, out_c;
    uint8_t k, s, p, kw, sw, pw;
    bool add, sums;  /* sums: a global pool, whose rows need not be kept */
    bool same;       /* value by value: its output may lie on the very bytes of its input */
    bool chained;    /* it can stream in a segment with the layer before it */
    bool block;      /* with the next two it is an expansion, depthwise and projection */
    bool cut;        /* one tensor alone is alive before it */
    int16_t skip;    /* the tensor an add reads besides the layer before it, else NO_SKIP */
    double macs;
    double again[PLAN_MAX_BLOCK + 1]; /* of a block's depthwise, by rows at once: rows of its input
                                         that are computed, over those there are */
} Step;

/* Columns of one tensor, of every strip. */
typedef struct {
    int n;
    uint16_t from[MAX_STRIPS], to[MAX_STRIPS];
    uint32_t widest; /* columns */
    double share;    /* of all strips together, over the tensor's columns */
} Strips;

/* What became of the tensor between two layers, where somebody wants to know it. */
typedef struct {
    uint16_t rows;      /* 0: inside a block */
    uint32_t row_bytes;
    bool at_once;       /* one row in the shared place */
} Ring;

/* Rows as a function of the segment's output row y: min(most, slope * y + shift). */
typedef struct {
    int32_t slope, shift, most;
} Rows;

/* The layers [i, j) of a segment; its head is layer i, or the block that begins there. */
typedef struct {
    uint32_t rings;    /* bytes of rings and sums */
    uint32_t shared;   /* bytes of rows that are read at once and of blocks' windows */
    uint32_t scratch;  /* bytes of the kernel that wants most */
    uint32_t at_once;  /* bytes of a row of the head's output, when that is read at once */
    double work;       /* MACs and calls */
    uint64_t blocks;   /* rows of blocks, coded: stream_block() */
    Rows made, added;  /* rows of the head's output there are, and rows of the skip's source that
                          were added, when output row y is written */
    int16_t skip;      /* tensor an add reads that the segment has not reached, or NO_SKIP */
    uint16_t keep;     /* rows of it that are kept */
    uint16_t need;     /* rows of its input the head needs at once */
    uint8_t s, p;      /* the head's next window begins at made * s - p */
    uint8_t head;      /* output rows a call of the head makes */
    bool empty;        /* i == j */
    bool alone;        /* one layer or one block */
    Ring *ring;        /* [n_layers] to note rings in, or NULL */
} Label;

/* A segment that ends before some layer, and begins at `from`. */
typedef struct {
    uint8_t from, columns;
    bool group;       /* layer by layer, packed: it cannot stream */
    uint64_t blocks;
    uint32_t bytes;   /* of the arena */
} StreamCut;

void stream_look(Step *step, const Net *net, bool small);

Strips strips_of(int n, int width);
void strips_widen(Strips *s, const Step *t); /* from a layer's output to its input */

Label label_empty(const Step *last);
/* [i + 1, j) -> [i, j) by layer i; columns of its output. False: that does not stream. */
bool label_extend(Label *l, const Step *step, int i, const Strips *columns);
/* A segment of a single layer reads a whole tensor, also when that is a global pool. */
void label_whole(Label *l, const Step *t);
/* [i + 3, j) -> [i, j) by a block making so many rows at once; columns of the outputs of the
 * projection, the depthwise, the expansion. */
bool label_extend_block(Label *l, const Step *step, int i, int rows, const Strips columns[3]);
/* The whole segment once more, as a cut describes it. columns: of its input, at the end. */
Label label_replay(const Step *step, const StreamCut *cut, int j, Ring *ring, Strips *columns);
/* Rows of an image that is pulled. */
uint32_t label_image_rows(const Label *l, const Step *head);
/* Bytes of the segment; UINT32_MAX when an add reads something before it. input: the tensor it
 * reads; pulled: that is an image outside the arena; columns: of it. *distance: bytes that the output
 * begins before the input. */
uint32_t label_bytes(const Label *l, const Step *head, const Step *last, int input, bool pulled,
                     const Strips *columns, uint32_t *distance);

/* Output rows at once of the block that begins at layer i; 0: it is none. */
int stream_block(uint64_t blocks, int i);

/* pulled: the image comes through a callback; small: as PlanOptions says it. The layers [i, j), of which only the first input and the last output is alive outside, packed
 * layer by layer. Returns the bytes. */
uint32_t stream_pack(const Net *net, int i, int j, bool pulled, bool small, Packing *p);

/* Cuts, the last segment's at cut[n_layers], to addresses. */
void stream_place(const Net *net, const Step *step, bool pulled, bool small, const StreamCut *cut,
                  Plan *plan);

#endif
