#include "exporter/constants.h"

#include "estimator/plan.h"
#include "runtime/scratch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Of a convolution all the taps of one output channel lie together. */
static int taps_of(const Layer *l)
{
    return l->kh * l->kw * l->in_c;
}

static int32_t folded_bias(const Layer *l, const LayerConstants *natural, int c)
{
    bool apart = l->op == OP_DEPTHWISE; /* [kh][kw][c] */
    int taps = apart ? l->kh * l->kw : taps_of(l);
    int32_t sum = 0;
    for (int k = 0; k < taps; k++)
        sum += natural->weights[apart ? k * l->out_c + c : c * taps + k];
    return natural->bias[c] - natural->zero * sum;
}

/* The tap that is unpacked as the kth: the fours of all rows of the window, each with its third tap
 * before its second, then what is left of the rows. */
static int tap_at(const Layer *l, int k)
{
    static const int of_four[] = {0, 2, 1, 3};
    int row = l->kw * l->in_c, fours = row / 4 * 4, left = row - fours, behind = k - l->kh * fours;
    if (behind < 0)
        return k / fours * row + k % fours / 4 * 4 + of_four[k % 4];
    return left ? behind / left * row + fours + behind % left : k;
}

/* What a kernel needs to know of two channels of a layer, from `channel` on. */
typedef struct {
    const Layer *l;
    const LayerConstants *of;
    int channel, n; /* 1: the last one alone */
} TwoChannels;

static int weight_of(const TwoChannels *two, int odd, int tap)
{
    int taps = taps_of(two->l);
    return odd < two->n && tap < taps
               ? two->of->weights[(two->channel + odd) * taps + tap_at(two->l, tap)]
               : 0;
}

/* The largest sum there may be, of inputs without their zero point. */
static int64_t largest_sum(const TwoChannels *two, int odd, int32_t bias)
{
    int64_t sum = llabs((int64_t)bias);
    for (int k = 0; k < taps_of(two->l); k++)
        sum += 128 * abs(weight_of(two, odd, k));
    return sum;
}

/* Bits a shift to the right may have; more of them where they leave 0 in any case. */
enum { FEWEST_RIGHT = 3, MOST_RIGHT = 17 };

static bool is_quick(const TwoChannels *two, int odd, int32_t bias)
{
    int64_t most = odd ? 1 << 23 : 1 << 29;
    int right = -two->of->shift[two->channel + odd];
    most = right > MOST_RIGHT ? 1 << (MOST_RIGHT - 1) : most;
    return two->of->multiplier[two->channel + odd] >= 1 << 30 && right >= FEWEST_RIGHT &&
           largest_sum(two, odd, bias) < most;
}

/* Without a carry out of 256 * b + a. */
static bool are_words(const TwoChannels *two)
{
    for (int k = 0; k < taps_of(two->l); k++)
        if (weight_of(two, 1, k) == -128 && weight_of(two, 0, k) < 0)
            return false;
    return true;
}

static int16_t packed_shift(const TwoChannels *two, int odd, bool quick)
{
    int shift = two->of->shift[two->channel + odd];
    if (!quick)
        return (int16_t)(shift - TB_TILE_SHIFT);
    return (int16_t)(1 << (shift < -MOST_RIGHT ? 0 : MOST_RIGHT + shift));
}

static int8_t *put(int8_t *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *to++ = (int8_t)(uint8_t)(value >> 8 * i);
    return to;
}

/* Two channels' biases, weights and scales: runtime/tb_tile.h has the layout. Are they quick? */
static bool pack_two(const TwoChannels *two, int8_t **to)
{
    int32_t a = folded_bias(two->l, two->of, two->channel);
    int32_t b = two->n > 1 ? folded_bias(two->l, two->of, two->channel + 1) : 0;
    bool quick = two->n > 1 && is_quick(two, 0, a) && is_quick(two, 1, b) && are_words(two);
    int8_t *at = put(*to, (uint32_t)a, 4);
    at = put(at, quick ? 256 * (uint32_t)b + (uint32_t)a : (uint32_t)b, 4);
    for (int k = 0; k < (taps_of(two->l) + 1) / 2 * 2; k++)
        at = put(at, (uint32_t)(256 * weight_of(two, 1, k) + weight_of(two, 0, k)), 2);
    for (int odd = 0; odd < 2; odd++)
        at = put(at, odd < two->n ? (uint32_t)two->of->multiplier[two->channel + odd] * 2 : 0, 4);
    for (int odd = 0; odd < 2; odd++)
        at = put(at, odd < two->n ? (uint16_t)packed_shift(two, odd, quick) : 0, 2);
    *to = at;
    return quick;
}

static void pack_channels(const Layer *l, const LayerConstants *natural, int8_t *packed)
{
    int8_t *at = packed + 4;
    bool quick = true;
    for (int c = 0; c < l->out_c; c += 2) {
        TwoChannels two = {l, natural, c, l->out_c - c < 2 ? 1 : 2};
        bool these = pack_two(&two, &at);
        quick = quick && (these || two.n == 1);
    }
    put(packed, quick, 4);
}

/* A channel of a depthwise layer, and where its next pair of weights goes. */
typedef struct {
    const Layer *l;
    const int8_t *natural; /* the channel's first weight */
    int8_t *packed;        /* the channel's first */
    int n;                 /* pairs so far */
} DepthwisePacker;

static int8_t tap_of(const DepthwisePacker *p, int y, int x)
{
    const Layer *l = p->l;
    return y < l->kh && x < l->kw ? p->natural[(y * l->kw + x) * l->in_c] : 0;
}

/* Two pairs make a word: its even bytes are the first, its odd bytes the second. */
static void add_pair(DepthwisePacker *p, int8_t low, int8_t high)
{
    int8_t *at = p->packed + p->n / 2 * 4 + p->n % 2;
    at[0] = low;
    at[2] = high;
    p->n++;
}

/* Pairs of two rows, the columns in the order of their residue modulo the stride; and the last row's,
 * those from even columns, then those from odd ones. */
static void pack_depthwise_channel(DepthwisePacker *p)
{
    const Layer *l = p->l;
    int last = l->kh - 1;
    for (int y = 0; y < last; y += 2)
        for (int residue = 0; residue < l->sw; residue++)
            for (int x = residue; x < l->kw; x += l->sw)
                add_pair(p, tap_of(p, y, x), tap_of(p, y + 1, x));
    for (int x = 0; x < l->kw - (l->sw == 1); x += 2)
        add_pair(p, tap_of(p, last, x), tap_of(p, last, x + 1));
    for (int x = 1; x < l->kw && l->sw == 1; x += 2)
        add_pair(p, tap_of(p, last, x), tap_of(p, last, x + 1));
}

static void pack_depthwise(const Layer *l, const int8_t *natural, int8_t *packed)
{
    uint32_t bytes = tb_depthwise_pairs_weights(l->kw, l->sw, 1);
    memset(packed, 0, (size_t)bytes * l->in_c);
    for (int c = 0; c < l->in_c; c++) {
        DepthwisePacker p = {l, natural + c, packed + (size_t)c * bytes, 0};
        pack_depthwise_channel(&p);
        assert(p.n == (int)tb_depthwise_words(l->kw, l->sw));
    }
}

/* Row after row; at stride 2 each of an even number, so that pairs begin where words do. */
static void pack_planes(const Layer *l, const int8_t *natural, int8_t *packed)
{
    uint32_t bytes = tb_depthwise_planes_weights(l->kw, l->sw, 1);
    int row = l->sw == 1 ? l->kw : l->kw + 1, before = l->sw == 1 ? 0 : l->pad_left % 2;
    memset(packed, 0, (size_t)bytes * l->in_c);
    for (int c = 0; c < l->in_c; c++)
        for (int y = 0; y < l->kh; y++)
            for (int x = 0; x < l->kw; x++)
                packed[c * (int)bytes + y * row + before + x] =
                    natural[(y * l->kw + x) * l->in_c + c];
}

void constants_pack(const Layer *l, int kernel, const LayerConstants *natural, int8_t *packed)
{
    assert(kernel >= N_OPS);
    if (kernel == STEP_DEPTHWISE_PAIRS)
        pack_depthwise(l, natural->weights, packed);
    else if (kernel == STEP_DEPTHWISE_PLANES)
        pack_planes(l, natural->weights, packed);
    else
        pack_channels(l, natural, packed);
}

void constants_fold(const Layer *l, const LayerConstants *natural, int32_t *folded)
{
    for (int c = 0; c < l->out_c; c++)
        folded[c] = folded_bias(l, natural, c);
}
