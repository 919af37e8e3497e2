/* tflite_writer.h - small .tflite files, made by hand for tests and for the fuzzer's seeds.
 *
 *     Wm m = wm_begin(1, 4, 4, 2);            the input, int8 [1][4][4][2]
 *     int t = wm_tensor(&m, 4, (int[]){...}); what an operator makes
 *     wm_op(&m, TFLITE_ADD, t, 2, (int[]){m.input, m.input});
 *     bytes = wm_bytes(&m, &size);            yours to free; the last op's output is the model's
 *
 * Scales and zero points are 0.5 and 0 unless changed in m.tensor[t] before wm_bytes(). */
#ifndef TFLITE_WRITER_H
#define TFLITE_WRITER_H

#include "base/alloc.h"
#include "quant/tflite_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WM_TENSORS = 48, WM_OPS = 24, WM_OPTIONS = 8, WM_FIELDS = 12 };

typedef struct {
    int type, rank, shape[4];
    float scale, *scales; /* scales: n_scales of them instead of one; borrowed */
    int n_scales;
    int64_t zero;
    const void *data; /* of a constant; borrowed */
    uint32_t bytes;
} WmTensor;

typedef struct {
    int code, n_inputs, input[5], output;
    struct {
        char kind; /* 'b' a byte, 'i' an int, 'f' a float, 0 absent */
        int value;
        float real;
    } option[WM_OPTIONS];
} WmOp;

typedef struct {
    WmTensor tensor[WM_TENSORS];
    WmOp op[WM_OPS];
    int n_tensors, n_ops, input, output;
} Wm;

static inline int wm_tensor(Wm *m, int rank, const int *shape)
{
    WmTensor *t = &m->tensor[m->n_tensors];
    assert(m->n_tensors < WM_TENSORS && rank <= 4);
    *t = (WmTensor){.type = TYPE_INT8, .rank = rank, .scale = 0.5f};
    for (int d = 0; d < rank; d++)
        t->shape[d] = shape[d];
    return m->n_tensors++;
}

static inline int wm_constant(Wm *m, int type, int rank, const int *shape, const void *data)
{
    int t = wm_tensor(m, rank, shape);
    uint32_t bytes = type == TYPE_INT8 ? 1 : 4;
    for (int d = 0; d < rank; d++)
        bytes *= (uint32_t)shape[d];
    m->tensor[t].type = type;
    m->tensor[t].data = data;
    m->tensor[t].bytes = bytes;
    return t;
}

static inline int wm_integers(Wm *m, int n, const int32_t *data)
{
    return wm_constant(m, TYPE_INT32, 1, &n, data);
}

/* The operator's output is tensor `output`. */
static inline WmOp *wm_op(Wm *m, int code, int output, int n_inputs, const int *inputs)
{
    WmOp *op = &m->op[m->n_ops++];
    assert(m->n_ops <= WM_OPS && n_inputs <= 5);
    *op = (WmOp){.code = code, .n_inputs = n_inputs, .output = output};
    memcpy(op->input, inputs, (size_t)n_inputs * sizeof *inputs);
    m->output = output;
    return op;
}

static inline void wm_byte(WmOp *op, int field, int value)
{
    op->option[field].kind = 'b';
    op->option[field].value = value;
}

static inline void wm_int(WmOp *op, int field, int value)
{
    op->option[field].kind = 'i';
    op->option[field].value = value;
}

static inline void wm_float(WmOp *op, int field, float value)
{
    op->option[field].kind = 'f';
    op->option[field].real = value;
}

static inline void wm_begin(Wm *m, int h, int w, int c)
{
    memset(m, 0, sizeof *m);
    m->input = wm_tensor(m, 4, (int[]){1, h, w, c});
}

/* ---- FlatBuffers, written from the root on: what points comes before what it points to ------- */

typedef struct {
    uint8_t *bytes;
    uint32_t n;
} Wb;

static inline uint32_t wb_room(Wb *b, uint32_t n, uint32_t align)
{
    uint32_t at = (b->n + align - 1) / align * align;
    b->bytes = xrealloc(b->bytes, at + n);
    memset(b->bytes + b->n, 0, at + n - b->n);
    b->n = at + n;
    return at;
}

static inline void wb_put(Wb *b, uint32_t at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        b->bytes[at + (uint32_t)i] = (uint8_t)(v >> (8 * i));
}

static inline void wb_put_float(Wb *b, uint32_t at, float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    wb_put(b, at, bits, 4);
}

static inline void wb_link(Wb *b, uint32_t at, uint32_t to)
{
    wb_put(b, at, to - at, 4);
}

/* A table with fields of these sizes, 0 for an absent one; field[i]: where each is. */
static inline uint32_t wb_table(Wb *b, int n, const int *size, uint32_t *field)
{
    uint32_t vtable = wb_room(b, 4 + 2 * (uint32_t)n, 4), bytes = 4;
    uint32_t offset[WM_FIELDS] = {0};
    for (int i = 0; i < n; i++) {
        uint32_t s = (uint32_t)size[i];
        bytes = s ? (bytes + s - 1) / s * s : bytes;
        offset[i] = s ? bytes : 0;
        bytes += s;
    }
    uint32_t table = wb_room(b, bytes, 8);
    wb_put(b, vtable, 4 + 2 * (uint32_t)n, 2);
    wb_put(b, vtable + 2, bytes, 2);
    wb_put(b, table, table - vtable, 4);
    for (int i = 0; i < n; i++) {
        wb_put(b, vtable + 4 + 2 * (uint32_t)i, offset[i], 2);
        field[i] = table + offset[i];
    }
    return table;
}

/* A vector at the end, named by the field: where its elements are. */
static inline uint32_t wb_vector(Wb *b, uint32_t field, uint32_t n, uint32_t size)
{
    uint32_t align = size > 4 ? 8 : 4, at = wb_room(b, align + n * size, align) + align - 4;
    wb_put(b, at, n, 4);
    wb_link(b, field, at);
    return at + 4;
}

static inline void wb_ints(Wb *b, uint32_t field, int n, const int *v)
{
    uint32_t at = wb_vector(b, field, (uint32_t)n, 4);
    for (int i = 0; i < n; i++)
        wb_put(b, at + 4 * (uint32_t)i, (uint32_t)v[i], 4);
}

static inline void wb_bytes(Wb *b, uint32_t field, const void *data, uint32_t n)
{
    uint32_t at = wb_vector(b, field, n, 1);
    if (n > 0)
        memcpy(b->bytes + at, data, n);
}

/* ---- the model ------------------------------------------------------------------------------- */

static inline void wb_tensor(Wb *b, uint32_t from, const WmTensor *t, int index)
{
    uint32_t f[5], q[4];
    wb_link(b, from, wb_table(b, 5, (int[]){4, 1, 4, 4, 4}, f));
    wb_ints(b, f[0], t->rank, t->shape);
    wb_put(b, f[1], (uint64_t)t->type, 1);
    wb_put(b, f[2], t->data ? (uint64_t)index + 1 : 0, 4);
    wb_bytes(b, f[3], "tensor", 6);
    wb_link(b, f[4], wb_table(b, 4, (int[]){0, 0, 4, 4}, q));
    int n = t->scales ? t->n_scales : t->scale != 0;
    uint32_t scale = wb_vector(b, q[2], (uint32_t)n, 4);
    for (int i = 0; i < n; i++)
        wb_put_float(b, scale + 4 * (uint32_t)i, t->scales ? t->scales[i] : t->scale);
    uint32_t zero = wb_vector(b, q[3], 1, 8);
    wb_put(b, zero, (uint64_t)t->zero, 8);
}

static inline void wb_op(Wb *b, uint32_t from, const WmOp *op, int index)
{
    uint32_t f[5], o[WM_OPTIONS];
    int size[WM_OPTIONS];
    wb_link(b, from, wb_table(b, 5, (int[]){4, 4, 4, 0, 4}, f));
    wb_put(b, f[0], (uint64_t)index, 4);
    wb_ints(b, f[1], op->n_inputs, op->input);
    wb_ints(b, f[2], 1, &op->output);
    for (int i = 0; i < WM_OPTIONS; i++)
        size[i] = op->option[i].kind == 0 ? 0 : op->option[i].kind == 'b' ? 1 : 4;
    wb_link(b, f[4], wb_table(b, WM_OPTIONS, size, o));
    for (int i = 0; i < WM_OPTIONS; i++) {
        if (op->option[i].kind == 'f')
            wb_put_float(b, o[i], op->option[i].real);
        else if (op->option[i].kind != 0)
            wb_put(b, o[i], (uint32_t)op->option[i].value, size[i]);
    }
}

static inline void wb_graph(Wb *b, uint32_t from, const Wm *m)
{
    uint32_t f[4];
    wb_link(b, from, wb_table(b, 4, (int[]){4, 4, 4, 4}, f));
    uint32_t tensors = wb_vector(b, f[0], (uint32_t)m->n_tensors, 4);
    wb_ints(b, f[1], 1, &m->input);
    wb_ints(b, f[2], 1, &m->output);
    uint32_t ops = wb_vector(b, f[3], (uint32_t)m->n_ops, 4);
    for (int i = 0; i < m->n_tensors; i++)
        wb_tensor(b, tensors + 4 * (uint32_t)i, &m->tensor[i], i);
    for (int i = 0; i < m->n_ops; i++)
        wb_op(b, ops + 4 * (uint32_t)i, &m->op[i], i);
}

/* Operator i has code i and tensor i buffer i + 1: buffer 0 is the empty one. */
static inline unsigned char *wm_bytes(const Wm *m, size_t *size)
{
    Wb b = {0};
    uint32_t f[5], field[4];
    wb_room(&b, 8, 4);
    memcpy(b.bytes + 4, "TFL3", 4);
    wb_link(&b, 0, wb_table(&b, 5, (int[]){4, 4, 4, 4, 4}, f));
    wb_put(&b, f[0], 3, 4);
    uint32_t codes = wb_vector(&b, f[1], (uint32_t)m->n_ops, 4);
    for (int i = 0; i < m->n_ops; i++) {
        int code = m->op[i].code;
        wb_link(&b, codes + 4 * (uint32_t)i, wb_table(&b, 4, (int[]){1, 0, 4, 4}, field));
        wb_put(&b, field[0], (uint64_t)(code < 127 ? code : 127), 1);
        wb_put(&b, field[2], 1, 4);
        wb_put(&b, field[3], (uint64_t)code, 4);
    }
    wb_graph(&b, wb_vector(&b, f[2], 1, 4), m);
    wb_bytes(&b, f[3], "by hand", 7);
    uint32_t buffers = wb_vector(&b, f[4], (uint32_t)m->n_tensors + 1, 4);
    for (int i = 0; i <= m->n_tensors; i++) {
        const WmTensor *t = &m->tensor[i ? i - 1 : 0];
        wb_link(&b, buffers + 4 * (uint32_t)i, wb_table(&b, 1, (int[]){4}, field));
        wb_bytes(&b, field[0], t->data, i && t->data ? t->bytes : 0);
    }
    *size = b.n;
    return b.bytes;
}

#endif
