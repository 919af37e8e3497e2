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

/* A depthwise layer of one of the usual squares. */
static inline int tb_depthwise_square(uint32_t kh, uint32_t kw, uint32_t sw)
{
    return kh == kw && (kh == 3 || kh == 5 || kh == 7) && sw <= 2;
}

/* It walks one strip of outputs after the other, in tiles of four. Of the strip's window rows it
 * unpacks four channels into planes, one for two rows and each residue of the columns modulo the
 * stride; a word is a column's pair. A record is two words of four channels. The last row has no
 * partner: its pairs lie across, two columns each. */
enum { TB_STRIP_BYTES = 1280, TB_RECORD_BYTES = 32, TB_RUN_BYTES = 12 };

static inline uint32_t tb_depthwise_planes(uint32_t k, uint32_t sw)
{
    return k / 2 * sw;
}

/* Tiles in the longest strip. */
static inline uint32_t tb_depthwise_tiles(uint32_t k, uint32_t sw, uint32_t out_w)
{
    const uint32_t planes = tb_depthwise_planes(k, sw);
    const uint32_t beside = planes * ((k + sw - 1) / sw / 2), tile = 2 * planes + sw;
    const uint32_t records = TB_STRIP_BYTES / TB_RECORD_BYTES;
    const uint32_t most = beside + tile < records ? (records - beside) / tile : 1;
    const uint32_t tiles = (out_w + 3) / 4, strips = (tiles + most - 1) / most;
    return (tiles + strips - 1) / strips;
}

/* Records of a plane of so many tiles; of the row across. */
static inline uint32_t tb_depthwise_records(uint32_t k, uint32_t sw, uint32_t tiles)
{
    return 2 * tiles + (k + sw - 1) / sw / 2;
}

static inline uint32_t tb_depthwise_across_records(uint32_t k, uint32_t sw, uint32_t tiles)
{
    return sw == 1 ? tiles + (k + 1) / 4 : tb_depthwise_records(k, sw, tiles);
}

/* A channel's weights, as pairs. */
static inline uint32_t tb_depthwise_words(uint32_t k, uint32_t sw)
{
    return k / 2 * k + (sw == 1 ? k - 1 : (k + 1) / 2);
}

/* Runs of neighbouring words that are unpacked in one go: one a plane, three of the row across, and
 * one that turns out to be padding. */
static inline uint32_t tb_depthwise_runs(uint32_t k, uint32_t sw)
{
    return tb_depthwise_planes(k, sw) + 4;
}

/* Runs; bias, weights, constants and sums of a channel; and the planes. */
static inline uint32_t tb_depthwise_pairs_scratch(uint32_t k, uint32_t sw, uint32_t out_w)
{
    const uint32_t tiles = tb_depthwise_tiles(k, sw, out_w);
    const uint32_t records = tb_depthwise_planes(k, sw) * tb_depthwise_records(k, sw, tiles) +
                             tb_depthwise_across_records(k, sw, tiles);
    return TB_RUN_BYTES * tb_depthwise_runs(k, sw) + 4 * (1 + tb_depthwise_words(k, sw) + 4) +
           16 * tiles + TB_RECORD_BYTES * records;
}

/* Of whole tensors one call makes all rows of a depthwise layer. It unpacks four channels into
 * planes, each of some padded rows whose words are two columns; so many rows that they take about
 * TB_PLANES_BYTES, the window's at least. Outputs begin in the half of a word that the code for their
 * square is written for, and what a row's last tile is too long ends up in the next row. */
enum { TB_PLANES_BYTES = 4096, TB_PLANES_WALK = 12 };

static inline int tb_depthwise_in_planes(uint32_t kh, uint32_t kw, uint32_t sh, uint32_t sw,
                                         uint32_t pad_left, uint32_t out_w)
{
    return tb_depthwise_square(kh, kw, sw) && sh <= kh && out_w >= 3 &&
           (sw == 2 || (pad_left + kw / 2) % 2 == 0);
}

/* Words of a plane's row; what the tiles read. */
static inline uint32_t tb_planes_words(uint32_t k, uint32_t sw, uint32_t out_w)
{
    const uint32_t tiles = (out_w + 3) / 4;
    return 2 * sw * (tiles - 1) + (sw == 1 ? (k + 5) / 4 * 2 : 3 + (k + 1) / 2);
}

/* Rows of output from the rows of input that are in a plane at a time. */
static inline uint32_t tb_planes_block(uint32_t k, uint32_t sh, uint32_t words, uint32_t out_h)
{
    const uint32_t rows = TB_PLANES_BYTES / (16 * words);
    const uint32_t block = rows > k ? (rows - k) / sh + 1 : 1;
    return block < out_h ? block : out_h;
}

/* Words of a channel's constants: its bias, its weights as pairs, and how its sums are scaled. */
static inline uint32_t tb_planes_constants(uint32_t k, uint32_t sw)
{
    return 1 + (sw == 1 ? k * (k - 1) : k * (k + 1) / 2) + TB_PLANES_WALK;
}

static inline uint32_t tb_planes_spare(uint32_t out_w)
{
    return out_w % 4 ? (out_w + 3) / 4 * 4 : 0;
}

/* Constants of four channels, a row of outputs that are no whole tiles, and planes. */
static inline uint32_t tb_depthwise_planes_scratch(uint32_t k, uint32_t sh, uint32_t sw,
                                                   uint32_t out_h, uint32_t out_w)
{
    const uint32_t words = tb_planes_words(k, sw, out_w);
    const uint32_t rows = (tb_planes_block(k, sh, words, out_h) - 1) * sh + k;
    return 16 * (tb_planes_constants(k, sw) + rows * words) + tb_planes_spare(out_w);
}

/* Packed weights of a convolution of so many taps, with what its channels are scaled by: a word, and
 * of each pair of channels [pair of taps][4] and biases, multipliers and shifts (tb_tile.h). */
enum { TB_PAIRS_CONSTANTS = 20, TB_TILE_SHIFT = 64 };

static inline uint32_t tb_pairs_weights(uint32_t taps, uint32_t out_c)
{
    return 4 + (out_c + 1) / 2 * (TB_PAIRS_CONSTANTS + (taps + 1) / 2 * 4);
}

static inline uint32_t tb_depthwise_pairs_weights(uint32_t k, uint32_t sw, uint32_t c)
{
    return (tb_depthwise_words(k, sw) + 1) / 2 * 4 * c;
}

/* A channel's rows one after the other; at stride 2 each is filled up to pairs. */
static inline uint32_t tb_depthwise_planes_weights(uint32_t k, uint32_t sw, uint32_t c)
{
    return (k * (sw == 1 ? k : k + 1) + 3) / 4 * 4 * c;
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
