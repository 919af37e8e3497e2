#include "estimator/latency_pairs.h"

#include "runtime/scratch.h"

/* Instructions of tb_tile.h's loops for four pixels and for two; of its requantisation with and
 * without the rounding of what is negative, which a zero point of -128 makes needless; and of a last
 * channel alone, which goes without assembly. */
#define SHORT_LOOP (9.0 / 13)
#define ROUNDS_AWAY (66.0 / 74)
#define ALONE 3

void pairs_row_add(PairsRow *row, const Layer *l, int kernel, int w)
{
    uint32_t kh = l->kh, kw = l->kw, sw = l->sw;
    row->calls++;
    row->tiles += (w + 3) / 4;
    row->shorts += w % 4 == 1 || w % 4 == 2;
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

static void tile_features(const Layer *l, double rows, const PairsRow *row, double *f)
{
    double taps = (double)l->kh * l->kw * l->in_c, pairs = (int)(taps + 1) / 2;
    double channels = l->out_c / 2 + ALONE * (l->out_c % 2);
    double tiles = rows * row->tiles, shorts = rows * row->shorts;
    f[FEATURE_CALL] = rows * row->calls * l->out_c;
    f[FEATURE_ROW] = rows * row->calls;
    f[FEATURE_PIXEL] = tiles * taps;
    f[FEATURE_OUTPUT] = tiles * channels * (rounds_away(l) ? 1 : ROUNDS_AWAY);
    f[FEATURE_MAC] = (tiles - (1 - SHORT_LOOP) * shorts) * channels * pairs;
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
