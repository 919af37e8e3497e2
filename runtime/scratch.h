/* scratch.h - bytes of memory each kernel wants beside its tensors, from its shapes.
 *
 * Beside the kernels, so that the estimator counts what they use: scratch in
 * the arena, and packed weights in flash. The kernels that are not named here
 * want no scratch, and the weights as they are: they walk the input rows where
 * they lie. The kernels of pairs unpack their inputs to int16, once a call; that
 * memory is free again when the call returns, so one place serves all layers of
 * a segment. The last two steps keep theirs from call to call. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdint.h>

/* A row of four pixels' windows, where it is padded; and behind it their taps as int16. */
static inline uint32_t tb_conv_padded(uint32_t kw, uint32_t sw, uint32_t in_c)
{
    return ((3 * sw + kw) * in_c + 3) / 4 * 4;
}

static inline uint32_t tb_conv_pairs_scratch(uint32_t kh, uint32_t kw, uint32_t sw, uint32_t in_c)
{
    return tb_conv_padded(kw, sw, in_c) + 16 * ((kh * kw * in_c + 1) / 2);
}

/* With a stride of 0 there is one pixel, as in a dense layer; its pairs of taps are in fours. */
static inline uint32_t tb_pointwise_pairs_scratch(uint32_t sw, uint32_t in_c)
{
    const uint32_t pairs = (in_c + 1) / 2;
    return sw == 0 ? (pairs + 3) / 4 * 16 : 16 * pairs;
}

/* A depthwise layer walks one strip of outputs after the other, in tiles of four.
 * Of the strip's window rows it unpacks four channels into planes, one for two rows
 * and each residue of the columns modulo the stride; a word is a column's pair. A
 * record is two words of four channels. Is the layer one of the usual squares, then
 * the last row has no partner: its pairs lie across, two columns each. */
enum { TB_STRIP_BYTES = 1280, TB_RECORD_BYTES = 32, TB_RUN_BYTES = 12 };

static inline int tb_depthwise_across(uint32_t kh, uint32_t kw, uint32_t sw)
{
    return kh == kw && (kh == 3 || kh == 5 || kh == 7) && sw <= 2;
}

static inline uint32_t tb_depthwise_planes(uint32_t kh, uint32_t kw, uint32_t sw)
{
    const uint32_t pairs = tb_depthwise_across(kh, kw, sw) ? kh / 2 : (kh + 1) / 2;
    return pairs * (sw < kw ? sw : kw);
}

/* Tiles in the longest strip. */
static inline uint32_t tb_depthwise_tiles(uint32_t kh, uint32_t kw, uint32_t sw, uint32_t out_w)
{
    const uint32_t planes = tb_depthwise_planes(kh, kw, sw);
    const uint32_t across = tb_depthwise_across(kh, kw, sw) ? sw : 0; /* its records in a tile */
    const uint32_t beside = planes * ((kw + sw - 1) / sw / 2), tile = 2 * planes + across;
    const uint32_t records = TB_STRIP_BYTES / TB_RECORD_BYTES;
    const uint32_t most = beside + tile < records ? (records - beside) / tile : 1;
    const uint32_t tiles = (out_w + 3) / 4, strips = (tiles + most - 1) / most;
    return (tiles + strips - 1) / strips;
}

/* Records of a plane of so many tiles; of the row across. */
static inline uint32_t tb_depthwise_records(uint32_t kw, uint32_t sw, uint32_t tiles)
{
    return 2 * tiles + (kw + sw - 1) / sw / 2;
}

static inline uint32_t tb_depthwise_across_records(uint32_t kw, uint32_t sw, uint32_t tiles)
{
    return sw == 1 ? tiles + (kw + 1) / 4 : tb_depthwise_records(kw, sw, tiles);
}

/* A channel's weights, as pairs. */
static inline uint32_t tb_depthwise_words(uint32_t kh, uint32_t kw, uint32_t sw)
{
    if (!tb_depthwise_across(kh, kw, sw))
        return (kh + 1) / 2 * kw;
    return kh / 2 * kw + (sw == 1 ? kw - 1 : (kw + 1) / 2);
}

/* Runs of neighbouring words that are unpacked in one go: one a plane, three of the row across, and
 * one that turns out to be padding; any other window goes plane by plane. */
static inline uint32_t tb_depthwise_runs(uint32_t kh, uint32_t kw, uint32_t sw)
{
    return tb_depthwise_across(kh, kw, sw) ? tb_depthwise_planes(kh, kw, sw) + 4 : 4;
}

/* Runs; bias, weights, constants and sums of a channel; and the planes. */
static inline uint32_t tb_depthwise_pairs_scratch(uint32_t kh, uint32_t kw, uint32_t sw,
                                                  uint32_t out_w)
{
    const uint32_t tiles = tb_depthwise_tiles(kh, kw, sw, out_w);
    const uint32_t across = tb_depthwise_across(kh, kw, sw)
                                ? tb_depthwise_across_records(kw, sw, tiles)
                                : 0;
    const uint32_t records =
        tb_depthwise_planes(kh, kw, sw) * tb_depthwise_records(kw, sw, tiles) + across;
    return TB_RUN_BYTES * tb_depthwise_runs(kh, kw, sw) +
           4 * (1 + tb_depthwise_words(kh, kw, sw) + 4) + 16 * tiles + TB_RECORD_BYTES * records;
}

/* Packed weights of a convolution of so many taps, with what its channels are scaled by: a word, and
 * of each pair of channels [pair of taps][4] and biases, multipliers and shifts (tb_tile.h). */
enum { TB_PAIRS_CONSTANTS = 20, TB_TILE_SHIFT = 64 };

static inline uint32_t tb_pairs_weights(uint32_t taps, uint32_t out_c)
{
    return 4 + (out_c + 1) / 2 * (TB_PAIRS_CONSTANTS + (taps + 1) / 2 * 4);
}

static inline uint32_t tb_depthwise_pairs_weights(uint32_t kh, uint32_t kw, uint32_t sw,
                                                  uint32_t c)
{
    return (tb_depthwise_words(kh, kw, sw) + 1) / 2 * 4 * c;
}

/* The sums of a global pool that sees one row at a time. */
static inline uint32_t tb_sum_pool_scratch(uint32_t c)
{
    return 4 * c;
}

/* A window of expanded pixels, kh rows of all outputs of a call, and one pixel
 * behind it. */
static inline uint32_t tb_block_scratch(uint32_t kh, uint32_t kw, uint32_t c_expanded)
{
    return (kh * kw + 1) * c_expanded;
}

#endif
