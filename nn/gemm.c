#include "nn/gemm.h"

#include "nn/vec.h"

/* The tile's sums, a row of b and a number of a: 28 registers of 32, or 16 of 16. */
enum { TILE_SUMS = VEC_LANES == 16 ? 24 : 12, TILE_VECS = 3 };

int gemm_lanes(void)
{
    return VEC_LANES;
}

/* How the operands lie, for which tiles are compiled. */
typedef enum {
    LOOSE,  /* anyhow */
    PACKED, /* b as gemm_pack() left it, a in dense rows */
    PLANES  /* b as that, a in planes, its rows a constant apart */
} Kind;

/* Columns go in panels of up to TILE_VECS vectors; 4 are 2 and 2. */
typedef struct {
    int col, cols, vecs;
} Panel;

static Panel panel_at(int col, int cols)
{
    int left = cols - col, vecs = (left + VEC_LANES - 1) / VEC_LANES;
    if (vecs > TILE_VECS)
        vecs = vecs == TILE_VECS + 1 ? 2 : TILE_VECS;
    return (Panel){col, left < vecs * VEC_LANES ? left : vecs * VEC_LANES, vecs};
}

size_t gemm_packed(int depth, int cols)
{
    return (size_t)depth * (size_t)((cols + VEC_LANES - 1) / VEC_LANES * VEC_LANES);
}

void gemm_pack(float *packed, const float *b, int depth, int cols, size_t step, size_t col_step)
{
    for (int col = 0; col < cols;) {
        Panel panel = panel_at(col, cols);
        for (size_t p = 0; p < (size_t)depth; p++)
            for (int j = 0; j < panel.vecs * VEC_LANES; j++)
                *packed++ = j < panel.cols ? b[p * step + (size_t)(col + j) * col_step] : 0;
        col += panel.cols;
    }
}

typedef struct {
    const float *a, *b, *shift, *plus;
    float *c;
    size_t b_step, c_row, c_vec; /* from a row, a vector of c to the next */
    int lanes;                   /* of the panel's last vector */
} Tile;

/* How a tile is multiplied; most of it is known to the compiler. */
typedef struct {
    int rows, vecs, lanes;
    size_t a_row, a_step, b_step;
} Order;

/* What is left to do with a tile's sums. */
ALWAYS_INLINE void tile_store(const Gemm *g, const Tile *t, Vec *sum, int rows, int vecs)
{
    UNROLLED
    for (int j = 0; j < vecs; j++) {
        int n = j == vecs - 1 ? t->lanes : VEC_LANES;
        size_t at = (size_t)j * t->c_vec, c_row = t->c_row;
        if (t->plus)
            UNROLLED
            for (int i = 0; i < rows; i++)
                sum[i * vecs + j] += vec_load_part(t->plus + at + (size_t)i * c_row, n);
        if (g->finishes) {
            float lo = g->lo, hi = g->hi;
            UNROLLED
            for (int i = 0; i < rows; i++)
                sum[i * vecs + j] = vec_clamp(sum[i * vecs + j], lo, hi);
        }
        if (n == VEC_LANES)
            UNROLLED
            for (int i = 0; i < rows; i++)
                vec_store(t->c + at + (size_t)i * c_row, sum[i * vecs + j]);
        else
            UNROLLED
            for (int i = 0; i < rows; i++)
                vec_store_part(t->c + at + (size_t)i * c_row, sum[i * vecs + j], n);
    }
}

enum { APART = 3 }; /* rows that x86 reaches from one address: it and once and twice a distance */

/* gcc 12 would keep an address for each row, in more registers than there are. */
ALWAYS_INLINE const float *unknown(const float *p)
{
    __asm__("" : "+r"(p));
    return p;
}

/* A number of each row of a, `at` floats behind the first, times a row of b. */
ALWAYS_INLINE void multiply(const Order *o, const float **a, size_t at, const float *b, Vec *sum)
{
    Vec row[TILE_VECS];
    UNROLLED
    for (int j = 0; j < o->vecs; j++)
        row[j] = vec_load_part(b + j * VEC_LANES, j == o->vecs - 1 ? o->lanes : VEC_LANES);
    UNROLLED
    for (int i = 0; i < o->rows; i++) {
        Vec x = vec_all(a[i / APART][(size_t)(i % APART) * o->a_row + at]);
        UNROLLED
        for (int j = 0; j < o->vecs; j++)
            sum[i * o->vecs + j] += x * row[j];
    }
}

/* A part of a and of b, in turns of so many steps; returns where b's next part begins. */
ALWAYS_INLINE const float *multiply_part(const Order *o, const float *first, const float *b,
                                         int depth, Vec *sum, int steps)
{
    const float *a[TILE_SUMS / 2 / APART];
    UNROLLED
    for (int i = 0; i < o->rows; i += APART)
        a[i / APART] = first + (size_t)i * o->a_row;
    for (int p = 0; p < depth; p += steps) {
        UNROLLED
        for (int q = 0; q < steps; q++, b += o->b_step)
            multiply(o, a, (size_t)q * o->a_step, b, sum);
        UNROLLED
        for (int i = 0; i < o->rows; i += APART)
            a[i / APART] = unknown(a[i / APART] + (size_t)steps * o->a_step);
    }
    return b;
}

ALWAYS_INLINE void tile_as(const Gemm *g, const Tile *t, int rows, int vecs, Kind kind)
{
    Vec sum[TILE_SUMS];
    Order o = {.rows = rows, .vecs = vecs, .a_row = kind == PLANES ? VEC_LANES : g->a_row,
               .a_step = kind == LOOSE ? g->a_step : 1,
               .b_step = kind == LOOSE ? t->b_step : (size_t)(vecs * VEC_LANES),
               .lanes = kind == LOOSE ? t->lanes : VEC_LANES};
    int part = kind == PLANES ? VEC_LANES : g->a_part ? g->a_part : g->depth;
    UNROLLED
    for (int j = 0; j < vecs; j++) {
        Vec first = vec_all(0);
        if (g->finishes)
            first = vec_load_part(t->shift + j * VEC_LANES, j == vecs - 1 ? t->lanes : VEC_LANES);
        UNROLLED
        for (int i = 0; i < rows; i++)
            sum[i * vecs + j] = first;
    }
    const float *a = t->a, *b = t->b;
    for (int first = 0; first < g->depth; first += part, a += g->a_jump) {
        int depth = g->depth - first < part ? g->depth - first : part;
        if (kind == PLANES && depth == VEC_LANES) /* short turns, so short a part, cost a tenth */
            b = multiply_part(&o, a, b, VEC_LANES, sum, 4);
        else
            b = multiply_part(&o, a, b, depth, sum, 1);
    }
    tile_store(g, t, sum, rows, vecs);
}

ALWAYS_INLINE int tiles_of(const Gemm *g, Tile *t, int row, int rows, int vecs, Kind kind)
{
    for (; row + rows <= g->rows; row += rows) {
        tile_as(g, t, rows, vecs, kind);
        t->a += (size_t)rows * g->a_row;
        t->c += (size_t)rows * t->c_row;
        t->plus += t->plus ? (size_t)rows * t->c_row : 0;
    }
    return row;
}

/* As many rows as there are registers for, then fewer and fewer. */
ALWAYS_INLINE void panel_as(const Gemm *g, Tile t, int vecs, Kind kind)
{
    int row = 0;
    if (kind != LOOSE && vecs < TILE_VECS)
        row = tiles_of(g, &t, 0, TILE_SUMS / 2, vecs, kind);
    row = tiles_of(g, &t, row, TILE_SUMS / TILE_VECS, vecs, kind);
    row = tiles_of(g, &t, row, TILE_SUMS / TILE_VECS / 2, vecs, kind);
    tiles_of(g, &t, row, 1, vecs, kind);
}

ALWAYS_INLINE void panel_of(const Gemm *g, Tile t, int vecs)
{
    if (g->b_step || g->a_step != 1)
        panel_as(g, t, vecs, LOOSE);
    else if (g->a_part == VEC_LANES && g->a_row == VEC_LANES)
        panel_as(g, t, vecs, PLANES);
    else
        panel_as(g, t, vecs, PACKED);
}

void gemm(const Gemm *g)
{
    const float *packed = g->b;
    for (int col = 0; col < g->cols;) {
        Panel panel = panel_at(col, g->cols);
        size_t at = g->c_plane ? (size_t)(col / VEC_LANES) * g->c_plane : (size_t)col;
        Tile t = {.a = g->a, .b = g->b_step ? g->b + col : packed, .c = g->c + at,
                  .plus = g->plus ? g->plus + at : NULL,
                  .b_step = g->b_step ? g->b_step : (size_t)(panel.vecs * VEC_LANES),
                  .c_row = g->c_plane ? VEC_LANES : (size_t)g->cols,
                  .c_vec = g->c_plane ? g->c_plane : VEC_LANES,
                  .shift = g->finishes ? g->shift + col : NULL,
                  .lanes = g->c_plane ? VEC_LANES : panel.cols - (panel.vecs - 1) * VEC_LANES};
        if (panel.vecs == 1)
            panel_of(g, t, 1);
        else if (panel.vecs == 2)
            panel_of(g, t, 2);
        else
            panel_of(g, t, 3);
        packed += (size_t)g->depth * (size_t)(panel.vecs * VEC_LANES);
        col += panel.cols;
    }
}
