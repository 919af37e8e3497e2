#include "nn/gemm.h"

#include "nn/vec.h"

/* The tile's sums, a row of b and a number of a: 28 registers of 32, or 16 of 16. */
enum { TILE_ROWS = VEC_LANES == 16 ? 8 : 4, TILE_VECS = 3 };

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

/* What is left to do with a tile's sums. */
ALWAYS_INLINE void tile_store(const Gemm *g, const Tile *t, Vec *sum, int rows, int vecs,
                              int lanes)
{
    UNROLLED
    for (int j = 0; j < vecs; j++) {
        int n = j == vecs - 1 ? lanes : VEC_LANES;
        size_t at = (size_t)j * t->c_vec;
        if (t->plus)
            UNROLLED
            for (int i = 0; i < rows; i++)
                sum[i * vecs + j] += vec_load_part(t->plus + at + (size_t)i * t->c_row, n);
        if (g->finishes) {
            Vec shift = vec_load_part(t->shift + j * VEC_LANES, n);
            UNROLLED
            for (int i = 0; i < rows; i++)
                sum[i * vecs + j] = vec_clamp(sum[i * vecs + j] + shift, g->lo, g->hi);
        }
        UNROLLED
        for (int i = 0; i < rows; i++)
            vec_store_part(t->c + at + (size_t)i * t->c_row, sum[i * vecs + j], n);
    }
}

ALWAYS_INLINE void tile_as(const Gemm *g, const Tile *t, int rows, int vecs, int lanes)
{
    Vec sum[TILE_ROWS * TILE_VECS];
    const float *b = t->b;
    size_t a_row = g->a_row, a_step = g->a_step, b_step = t->b_step;
    int part = g->a_part ? g->a_part : g->depth;
    UNROLLED
    for (int i = 0; i < rows * vecs; i++)
        sum[i] = vec_all(0);
    for (int first = 0; first < g->depth; first += part) {
        const float *a = t->a + (size_t)(first / part) * g->a_jump;
        int end = g->depth - first < part ? g->depth - first : part;
        for (int p = 0; p < end; p++, a += a_step, b += b_step) {
            Vec row[TILE_VECS];
            UNROLLED
            for (int j = 0; j < vecs; j++)
                row[j] = vec_load_part(b + j * VEC_LANES, j == vecs - 1 ? lanes : VEC_LANES);
            UNROLLED
            for (int i = 0; i < rows; i++) {
                Vec x = vec_all(a[(size_t)i * a_row]);
                UNROLLED
                for (int j = 0; j < vecs; j++)
                    sum[i * vecs + j] += x * row[j];
            }
        }
    }
    tile_store(g, t, sum, rows, vecs, g->c_plane ? VEC_LANES : lanes);
}

ALWAYS_INLINE int tiles_of(const Gemm *g, Tile *t, int row, int rows, int vecs, int lanes)
{
    for (; row + rows <= g->rows; row += rows) {
        tile_as(g, t, rows, vecs, lanes);
        t->a += (size_t)rows * g->a_row;
        t->c += (size_t)rows * t->c_row;
        t->plus += t->plus ? (size_t)rows * t->c_row : 0;
    }
    return row;
}

ALWAYS_INLINE void rows_as(const Gemm *g, Tile t, int vecs, int lanes)
{
    int row = tiles_of(g, &t, 0, TILE_ROWS, vecs, lanes);
    tiles_of(g, &t, row, 1, vecs, lanes);
}

/* Whole vectors compile without the masks. */
ALWAYS_INLINE void panel_as(const Gemm *g, Tile t, int vecs)
{
    if (t.lanes == VEC_LANES)
        rows_as(g, t, vecs, VEC_LANES);
    else
        rows_as(g, t, vecs, t.lanes);
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
                  .lanes = panel.cols - (panel.vecs - 1) * VEC_LANES};
        if (g->c_plane && !g->b_step)
            t.lanes = VEC_LANES;
        if (panel.vecs == 1)
            panel_as(g, t, 1);
        else if (panel.vecs == 2)
            panel_as(g, t, 2);
        else
            panel_as(g, t, 3);
        packed += (size_t)g->depth * (size_t)(panel.vecs * VEC_LANES);
        col += panel.cols;
    }
}
