#include "exporter/constants.h"

#include "estimator/plan.h"

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

static void pack_depthwise(const Layer *l, const int8_t *natural, int8_t *packed)
{
    memcpy(packed, natural, (size_t)l->kh * l->kw * l->in_c);
}

void constants_pack(const Layer *l, int kernel, const int8_t *natural, int8_t *packed)
{
    assert(kernel >= N_OPS);
    if (kernel == STEP_DEPTHWISE_PAIRS)
        pack_depthwise(l, natural, packed);
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
