#include "exporter/constants.h"

#include "estimator/plan.h"
#include "runtime/scratch.h"

#include <assert.h>
#include <string.h>

/* Of a convolution all the taps of one output channel lie together. */
static int taps_of(const Layer *l)
{
    return l->kh * l->kw * l->in_c;
}

static int8_t weight_of(const int8_t *natural, int taps, int out_c, int channel, int tap)
{
    return channel < out_c && tap < taps ? natural[channel * taps + tap] : 0;
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

static void pack_channels(const Layer *l, const int8_t *natural, int8_t *packed)
{
    int taps = taps_of(l);
    for (int c = 0; c < l->out_c; c += 2)
        for (int k = 0; k < taps; k += 2, packed += 4)
            for (int i = 0; i < 4; i++)
                packed[i] = weight_of(natural, taps, l->out_c, c + i % 2, tap_at(l, k + i / 2));
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

void constants_pack(const Layer *l, int kernel, const int8_t *natural, int8_t *packed)
{
    assert(kernel >= N_OPS);
    if (kernel == STEP_DEPTHWISE_PAIRS)
        pack_depthwise(l, natural, packed);
    else if (kernel == STEP_DEPTHWISE_PLANES)
        pack_planes(l, natural, packed);
    else
        pack_channels(l, natural, packed);
}

void constants_fold(const Layer *l, const int8_t *natural, const int32_t *bias, int zero,
                    int32_t *folded)
{
    bool apart = l->op == OP_DEPTHWISE; /* [kh][kw][c] */
    int taps = apart ? l->kh * l->kw : taps_of(l);
    for (int c = 0; c < l->out_c; c++) {
        int32_t sum = 0;
        for (int k = 0; k < taps; k++)
            sum += natural[apart ? k * l->out_c + c : c * taps + k];
        folded[c] = bias[c] - zero * sum;
    }
}
