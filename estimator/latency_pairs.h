/* latency_pairs.h - what the kernels of pairs do, for the latency model. Private to estimator/.
 *
 * They work in tiles of four pixels, a convolution at the end of a row also in smaller ones. It gathers a tile's taps once and then makes two channels of it at a time; a depthwise layer unpacks four channels
 * of a strip of tiles, and makes them channel by channel. The features, in the five
 * places of latency.h:
 *
 *                      op               row             pixel          output          mac
 *     conv_pairs,      taps left of     calls           taps           tiles times     pairs of taps of
 *     pointwise_pairs  a row's fours                    gathered       pairs of        them
 *                                                                      channels
 *     depthwise_pairs  channels of      their weights   words          tiles of a      dual
 *                      all strips       unpacked        unpacked       channel         multiply-adds
 *     depthwise_planes parts of         weights of      words          the same        the same, and
 *                      channels         all channels    unpacked                       loads */
#ifndef LATENCY_PAIRS_H
#define LATENCY_PAIRS_H

#include "estimator/latency.h"

/* Of a row of output, all its strips or patches together. */
typedef struct {
    double calls, tiles;
    double ends[4]; /* tiles of a convolution: [0] those of four pixels, [1] to [3] smaller */
    double strips; /* a depthwise layer goes over */
    double words;  /* it unpacks of a channel */
} PairsRow;

/* One call for w pixels more. */
void pairs_row_add(PairsRow *row, const Layer *l, int kernel, int w);
void pairs_features(const Layer *l, int kernel, double rows, const PairsRow *row,
                    double features[N_FEATURES]);
/* Of all rows at once. */
void planes_features(const Layer *l, double features[N_FEATURES]);

#endif
