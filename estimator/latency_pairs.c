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
    uint32_t kh = l->kh, kw = l->kw, sw = l->sw;
    row->calls++;
    row->tiles += (w + 3) / 4;
    row->ends[0] += w / 4;
    row->ends[w % 4] += w % 4 > 0;
    if (kernel != STEP_DEPTHWISE_PAIRS)
        return;
    uint32_t most = tb_depthwise_tiles(kh, kw, sw, (uint32_t)w);
    for (uint32_t left = ((uint32_t)w + 3) / 4; left > 0;) {
        uint32_t tiles = left < most ? left : most;
        row->words += 2 * tb_depthwise_planes(kh, kw, sw) * tb_depthwise_records(kw, sw, tiles);
        if (tb_depthwise_across(kh, kw, sw))
            row->words += 2 * tb_depthwise_across_records(kw, sw, tiles);
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
    double words = tb_depthwise_words(l->kh, l->kw, l->sw), c = l->out_c;
    bool across = tb_depthwise_across(l->kh, l->kw, l->sw);
    f[FEATURE_CALL] = rows * row->strips * c;
    f[FEATURE_ROW] = rows * row->strips * c * words;
    f[FEATURE_PIXEL] = rows * row->words * c;
    f[FEATURE_OUTPUT] = rows * row->tiles * c;
    f[FEATURE_MAC] = rows * row->tiles * c * 4 * (across ? (l->kh * l->kw + 1) / 2 : words);
}

void pairs_features(const Layer *l, int kernel, double rows, const PairsRow *row,
                    double features[N_FEATURES])
{
    if (kernel == STEP_DEPTHWISE_PAIRS)
        depthwise_features(l, rows, row, features);
    else
        tile_features(l, rows, row, features);
}
