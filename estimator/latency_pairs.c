#include "estimator/latency_pairs.h"

#include "runtime/scratch.h"

/* Instructions of tb_tile.h for tiles of four pixels, and of one to three: gathering four taps, a turn
 * of the loop, and what stands around it for two channels; in units of the first. And that without
 * the rounding of what is negative, which a zero point of -128 makes needless. A last channel alone
 * goes without assembly. */
typedef struct {
    double gather, loop, around;
} TileCost;

static const TileCost cost[] = {
    {1, 1, 1},
    {9.0 / 21, 3.75 / 12.2, 24.0 / 59},
    {17.0 / 21, 6.5 / 12.2, 37.0 / 59},
    {24.0 / 21, 9.3 / 12.2, 53.0 / 59},
};

#define ROUNDS_AWAY (51.0 / 59)
#define ALONE 3

void pairs_row_add(PairsRow *row, const Layer *l, int kernel, int w)
{
    uint32_t k = l->kw, sw = l->sw;
    row->calls++;
    row->tiles += (w + 3) / 4;
    row->ends[0] += w / 4;
    row->ends[w % 4] += w % 4 > 0;
    if (kernel != STEP_DEPTHWISE_PAIRS)
        return;
    uint32_t most = tb_depthwise_tiles(k, sw, (uint32_t)w);
    for (uint32_t left = ((uint32_t)w + 3) / 4; left > 0;) {
        uint32_t tiles = left < most ? left : most;
        row->words += 2 * tb_depthwise_planes(k, sw) * tb_depthwise_records(k, sw, tiles);
        row->words += 2 * tb_depthwise_across_records(k, sw, tiles);
        row->strips++;
        left -= tiles;
    }
}

/* A layer that is cut off at zero has its zero point at the end of the range. */
static bool rounds_away(const Layer *l)
{
    return l->act == ACT_NONE;
}

static TileCost tiles_of(const Layer *l, const PairsRow *row)
{
    TileCost sum = {0, 0, rounds_away(l) ? 0 : -(1 - ROUNDS_AWAY) * row->ends[0]};
    for (int i = 0; i < 4; i++) {
        sum.gather += cost[i].gather * row->ends[i];
        sum.loop += cost[i].loop * row->ends[i];
        sum.around += cost[i].around * row->ends[i];
    }
    return sum;
}

static void tile_features(const Layer *l, double rows, const PairsRow *row, double *f)
{
    double taps = (double)l->kh * l->kw * l->in_c, pairs = (int)(taps + 1) / 2;
    double channels = l->out_c / 2 + ALONE * (l->out_c % 2);
    TileCost tiles = tiles_of(l, row);
    f[FEATURE_CALL] = rows * row->tiles * l->kh * (l->kw * l->in_c % 4);
    f[FEATURE_ROW] = rows * row->calls;
    f[FEATURE_PIXEL] = rows * tiles.gather * taps;
    f[FEATURE_OUTPUT] = rows * tiles.around * channels;
    f[FEATURE_MAC] = rows * tiles.loop * channels * pairs;
}

static void depthwise_features(const Layer *l, double rows, const PairsRow *row, double *f)
{
    double words = tb_depthwise_words(l->kw, l->sw), c = l->out_c;
    f[FEATURE_CALL] = rows * row->strips * c;
    f[FEATURE_ROW] = rows * row->strips * c * words;
    f[FEATURE_PIXEL] = rows * row->words * c;
    f[FEATURE_OUTPUT] = rows * row->tiles * c;
    f[FEATURE_MAC] = rows * row->tiles * c * 4 * ((l->kh * l->kw + 1) / 2);
}

void pairs_features(const Layer *l, int kernel, double rows, const PairsRow *row,
                    double features[N_FEATURES])
{
    if (kernel == STEP_DEPTHWISE_PAIRS)
        depthwise_features(l, rows, row, features);
    else
        tile_features(l, rows, row, features);
}

/* What a word that moves up costs of one that is unpacked, and the rest of a row of them; a row of
 * outputs of a tile; and one that is made beside its place of a part. */
#define MOVED 0.4
#define ROW_WORDS 5
#define ROW_TILES 0.3
#define LAST_PART 2

void planes_features(const Layer *l, double f[N_FEATURES])
{
    uint32_t k = l->kw, words = tb_planes_words(k, l->sw, l->out_w);
    int block = (int)tb_planes_block(k, l->sh, words, l->out_h);
    double blocks = (l->out_h + block - 1) / block, tiles = (double)((l->out_w + 3) / 4) * l->out_h;
    double fours = (l->out_c + 3) / 4, c = l->out_c;
    double loads = l->sw == 1 ? k / 2 + 2 : 4; /* of words and weights, a row of a tile */
    f[FEATURE_CALL] = c * (blocks + LAST_PART * (l->out_w % 4 > 0));
    f[FEATURE_ROW] = c * (3 + k * ((k + 2) / 4)); /* words of four weights */
    f[FEATURE_PIXEL] = fours * l->in_h * ((l->in_w + 1) / 2 + ROW_WORDS) +
                       fours * (blocks - 1) * (k - l->sh) * words * MOVED;
    f[FEATURE_OUTPUT] = c * (tiles + ROW_TILES * l->out_h);
    f[FEATURE_MAC] = c * tiles * k * (4 * ((k + 1) / 2) + loads);
}
