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
    const float *a, *b, *shift;
    float *c;
    size_t b_step;
    int lanes; /* of the panel's last vector */
} Tile;

ALWAYS_INLINE void tile_store(const Gemm *g, const float *shift, float *c, Vec v, int lanes)
{
    if (g->adds)
        v += vec_load_part(c, lanes);
    if (g->finishes)
        v = vec_clamp(v + vec_load_part(shift, lanes), g->lo, g->hi);
    vec_store_part(c, v, lanes);
}

ALWAYS_INLINE void tile_as(const Gemm *g, const Tile *t, int rows, int vecs,
                           int lanes)
{
    Vec sum[TILE_ROWS][TILE_VECS];
    const float *a = t->a, *b = t->b;
    size_t a_row = g->a_row, a_step = g->a_step, b_step = t->b_step;
    UNROLLED
    for (int i = 0; i < rows; i++)
        UNROLLED
        for (int j = 0; j < vecs; j++)
            sum[i][j] = vec_all(0);
    for (int p = 0; p < g->depth; p++, a += a_step, b += b_step) {
        Vec row[TILE_VECS];
        UNROLLED
        for (int j = 0; j < vecs; j++)
            row[j] = vec_load_part(b + j * VEC_LANES, j == vecs - 1 ? lanes : VEC_LANES);
        UNROLLED
        for (int i = 0; i < rows; i++) {
            Vec x = vec_all(a[(size_t)i * a_row]);
            UNROLLED
            for (int j = 0; j < vecs; j++)
                sum[i][j] += x * row[j];
        }
    }
    UNROLLED
    for (int i = 0; i < rows; i++)
        UNROLLED
        for (int j = 0; j < vecs; j++)
            tile_store(g, t->shift + j * VEC_LANES, t->c + i * g->cols + j * VEC_LANES, sum[i][j],
                       j == vecs - 1 ? lanes : VEC_LANES);
}

ALWAYS_INLINE void tiles_of(const Gemm *g, Tile t, int vecs, int lanes)
{
    int row = 0;
    size_t c_row = (size_t)g->cols;
    for (; row + TILE_ROWS <= g->rows; row += TILE_ROWS) {
        tile_as(g, &t, TILE_ROWS, vecs, lanes);
        t.a += TILE_ROWS * g->a_row;
        t.c += TILE_ROWS * c_row;
    }
    for (; row < g->rows; row++, t.a += g->a_row, t.c += c_row)
        tile_as(g, &t, 1, vecs, lanes);
}

ALWAYS_INLINE void panel_as(const Gemm *g, Tile t, int vecs)
{
    if (t.lanes == VEC_LANES)
        tiles_of(g, t, vecs, VEC_LANES);
    else
        tiles_of(g, t, vecs, t.lanes);
}

void gemm(const Gemm *g)
{
    const float *packed = g->b;
    for (int col = 0; col < g->cols;) {
        Panel panel = panel_at(col, g->cols);
        Tile t = {.a = g->a, .b = g->b_step ? g->b + col : packed, .c = g->c + col,
                  .b_step = g->b_step ? g->b_step : (size_t)(panel.vecs * VEC_LANES),
                  .shift = g->finishes ? g->shift + col : g->b,
                  .lanes = panel.cols - (panel.vecs - 1) * VEC_LANES};
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
