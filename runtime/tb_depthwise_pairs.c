/* tb_depthwise_pairs.c - a depthwise layer on pairs of int16.
 *
 * Four channels at a time the strip's window rows are unpacked to words in
 * scratch, which hold an input of one row and the one below it; so a word and a
 * word of weights give two products. Then channel by channel the tiles of four
 * outputs are summed up, each word of a tile loaded once; then requantised. The
 * sums are doubled where the quick requantisation allows it: that is one
 * instruction less for each output. */
#include "scratch.h"
#include "simd.h"

enum { TILE = 4, LANES = 4, RECORD = TB_RECORD_BYTES / 4 }; /* RECORD: words */

typedef struct Strip Strip;

/* Sums of all tiles of one lane, from `bias` on. */
typedef void Body(const Strip *s, int lane, int32_t bias);

struct Strip {
    const TbOp *op;
    const int8_t *const *rows;
    int x;                         /* column at which the first window begins */
    int tiles;                     /* of four outputs */
    int square;                    /* the last row's pairs lie across */
    int plane;                     /* words of a plane */
    const int8_t *padding;         /* four bytes: a pixel of padding */
    TbPair *weights;               /* of a channel */
    int32_t *sums;                 /* of a channel: [tiles][4] */
    TbPair *planes, *across;       /* [record][lane][2] */
};

/* ---- unpacking ---- */

/* Word i of lane 0 in a plane; the next lane is two words further. */
TB_INLINE TbPair *word_at(TbPair *plane, int i)
{
    return plane + i / 2 * RECORD + i % 2;
}

TB_INLINE void unpack_one(TbPair *to, const int8_t *a, const int8_t *b)
{
    const uint32_t wa = tb_word(a), wb = tb_word(b);
    const TbPair low = tb_pair_lows(wa, wb), high = tb_pair_highs(wa, wb);
    to[0] = tb_even_bytes(low);
    to[2] = tb_odd_bytes(low);
    to[4] = tb_even_bytes(high);
    to[6] = tb_odd_bytes(high);
}

TB_INLINE void unpack_two(TbPair *to, const int8_t *a, const int8_t *a2, const int8_t *b,
                          const int8_t *b2)
{
    const uint32_t wa = tb_word(a), wb = tb_word(b), wa2 = tb_word(a2), wb2 = tb_word(b2);
    const TbPair low = tb_pair_lows(wa, wb), low2 = tb_pair_lows(wa2, wb2);
    const TbPair high = tb_pair_highs(wa, wb), high2 = tb_pair_highs(wa2, wb2);
    to[0] = tb_even_bytes(low), to[1] = tb_even_bytes(low2);
    to[2] = tb_odd_bytes(low), to[3] = tb_odd_bytes(low2);
    to[4] = tb_even_bytes(high), to[5] = tb_even_bytes(high2);
    to[6] = tb_odd_bytes(high), to[7] = tb_odd_bytes(high2);
}

/* n records. */
TB_INLINE void unpack_records(TbPair *to, int n, const int8_t *a, int a_step, const int8_t *b,
                              int b_step)
{
#if TB_DSP
    uint32_t a1, b1;
    __asm__ volatile("1: ldr %[a1], [%[a]]\n"
                     "   ldr r0, [%[b]]\n"
                     "   ldr %[b1], [%[a], %[as]]\n"
                     "   ldr r1, [%[b], %[bs]]\n"
                     "   add %[a], %[a], %[as], lsl #1\n"
                     "   add %[b], %[b], %[bs], lsl #1\n"
                     "   pkhbt r2, %[a1], r0, lsl #16\n"
                     "   pkhbt r3, %[b1], r1, lsl #16\n"
                     "   pkhtb %[a1], r0, %[a1], asr #16\n"
                     "   pkhtb %[b1], r1, %[b1], asr #16\n"
                     "   sxtb16 r0, r2\n"
                     "   sxtb16 r1, r3\n"
                     "   sxtb16 r2, r2, ror #8\n"
                     "   sxtb16 r3, r3, ror #8\n"
                     "   stmia %[to]!, {r0, r1, r2, r3}\n"
                     "   subs %[n], %[n], #1\n"
                     "   sxtb16 r0, %[a1]\n"
                     "   sxtb16 r1, %[b1]\n"
                     "   sxtb16 r2, %[a1], ror #8\n"
                     "   sxtb16 r3, %[b1], ror #8\n"
                     "   stmia %[to]!, {r0, r1, r2, r3}\n"
                     "   bne 1b\n"
                     : [to] "+r"(to), [n] "+r"(n), [a] "+r"(a), [b] "+r"(b), [a1] "=&r"(a1),
                       [b1] "=&r"(b1)
                     : [as] "r"(a_step), [bs] "r"(b_step)
                     : "r0", "r1", "r2", "r3", "cc", "memory");
#else
    for (; n > 0; n--, to += RECORD, a += 2 * a_step, b += 2 * b_step)
        unpack_two(to, a, a + a_step, b, b + b_step);
#endif
}

/* n words from word i on, of the bytes at a and b, so far apart from word to word. */
static void unpack(TbPair *plane, int i, int n, const int8_t *a, int a_step, const int8_t *b,
                   int b_step)
{
    TbPair *to = word_at(plane, i);
    if (i & 1) {
        unpack_one(to, a, b);
        to += RECORD - 1, a += a_step, b += b_step, n--;
    }
    if (n >= 2)
        unpack_records(to, n / 2, a, a_step, b, b_step);
    if (n & 1)
        unpack_one(to + n / 2 * RECORD, a + (n - 1) * a_step, b + (n - 1) * b_step);
}

/* The same of a layer of fewer than four channels. */
static void unpack_few(TbPair *plane, int i, int n, const int8_t *a, int a_step, const int8_t *b,
                       int b_step, int channels)
{
    for (; n > 0; n--, i++, a += a_step, b += b_step)
        for (int lane = 0; lane < channels; lane++)
            word_at(plane, i)[2 * lane] = tb_pair(a[lane], b[lane]);
}

/* One half of the words of a plane: word i is column x + i * step of a row. */
typedef struct {
    const int8_t *row; /* NULL: padding */
    int x, from, to;   /* words [from, to) are inside the image */
} Half;

TB_INLINE Half half_of(const Strip *s, int row, int x, int step, int n)
{
    Half h = {s->rows[row], x, n, n};
    if (h.row) {
        const int w = s->op->in_w;
        h.from = x < 0 ? (step - 1 - x) / step : 0;
        h.to = x < w ? (w - x + step - 1) / step : 0;
        h.to = h.to < n ? h.to : n;
        h.from = h.from < h.to ? h.from : h.to;
    }
    return h;
}

/* Is word i inside? *end becomes what is next, if that is earlier. */
TB_INLINE int is_inside(const Half *h, int i, int *end)
{
    const int inside = i >= h->from && i < h->to, next = i < h->from ? h->from : h->to;
    if (next > i && next < *end)
        *end = next;
    return inside;
}

/* The plane of two halves; `padding`: the words that are padding, which four channels share with
 * the next four, else those that are not. */
static void unpack_plane(const Strip *s, TbPair *plane, Half a, Half b, int step, int n,
                         int channel, int padding)
{
    const int in_c = s->op->in_c, bytes = step * in_c;
    for (int i = 0, end; i < n; i = end) {
        end = n;
        const int a_in = is_inside(&a, i, &end), b_in = is_inside(&b, i, &end);
        if ((a_in || b_in) == padding)
            continue;
        const int8_t *pa = a_in ? a.row + (a.x + i * step) * in_c + channel : s->padding;
        const int8_t *pb = b_in ? b.row + (b.x + i * step) * in_c + channel : s->padding;
        if (in_c >= LANES)
            unpack(plane, i, end - i, pa, a_in ? bytes : 0, pb, b_in ? bytes : 0);
        else
            unpack_few(plane, i, end - i, pa, a_in ? bytes : 0, pb, b_in ? bytes : 0, in_c);
    }
}

/* All planes of four channels; the last of an odd number of rows is its own partner. */
static void unpack_strip(const Strip *s, int channel, int padding)
{
    const TbOp *op = s->op;
    const int n = s->plane / RECORD * 2, last = op->kh - 1, step = op->sw;
    TbPair *plane = s->planes;
    for (int y = 0; y <= last - s->square; y += 2)
        for (int residue = 0; residue < step && residue < op->kw; residue++) {
            const int x = s->x + residue, below = y < last ? y + 1 : y;
            unpack_plane(s, plane, half_of(s, y, x, step, n), half_of(s, below, x, step, n), step,
                         n, channel, padding);
            plane += s->plane;
        }
    if (s->square) {
        const int words = 2 * (int)tb_depthwise_across_records(op->kw, op->sw, (uint32_t)s->tiles);
        unpack_plane(s, s->across, half_of(s, last, s->x, 2, words),
                     half_of(s, last, s->x + 1, 2, words), 2, words, channel, padding);
    }
}

/* ---- sums ---- */

#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

#if TB_DSP
#define ORDERED(text, to, a, b, c)                                                               \
    __asm__ volatile(text " %0, %1, %2, %3" : "=r"(to) : "r"(a), "r"(b), "r"(c))
#endif

TB_INLINE void load_two(TbPair *to, const TbPair *from)
{
    to[0] = from[0], to[1] = from[1];
}

TB_INLINE void load_one(TbPair *to, const TbPair *from)
{
    to[0] = from[0];
}

TB_INLINE void load_weights(TbPair *w, const TbPair *from, int i, int n)
{
    if (i % 2 == 0 && i + 1 < n)
        load_two(&w[i], from + i);
    else if (i % 2 == 0 && i < n)
        load_one(&w[i], from + i);
}

TB_INLINE void mac_pairs(int32_t *to, TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    ORDERED("smlad", *to, x, w, sum);
#else
    *to = tb_mac_pairs(x, w, sum);
#endif
}

TB_INLINE void mac_low_high(int32_t *to, TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    ORDERED("smlabt", *to, x, w, sum);
#else
    *to = tb_mac_low_high(x, w, sum);
#endif
}

TB_INLINE void mac_high_low(int32_t *to, TbPair x, TbPair w, int32_t sum)
{
#if TB_DSP
    ORDERED("smlatb", *to, x, w, sum);
#else
    *to = tb_mac_high_low(x, w, sum);
#endif
}

/* Adds so many taps, a constant, of a plane's next words to four sums. */
TB_INLINE void add_taps(int32_t *sum, const TbPair *x, const TbPair *from, int taps)
{
    TbPair w[16], pair[2];
    UNROLL
    for (int i = 0; i < taps + TILE - 1; i++) {
        load_weights(w, from, i, taps);
        if (i % 2 == 0 && i + 1 < taps + TILE - 1)
            load_two(pair, x + i / 2 * RECORD);
        else if (i % 2 == 0)
            load_one(pair, x + i / 2 * RECORD);
        UNROLL
        for (int o = 0; o < TILE; o++)
            if (i - o >= 0 && i - o < taps)
                mac_pairs(&sum[o], pair[i % 2], w[i - o], sum[o]);
    }
}

/* The same of the row whose pairs lie across, at stride 1. Even outputs begin with the first half
 * of a word; odd ones with the second, and theirs are the weights from w[k / 2] on. */
TB_INLINE void add_across(int32_t *sum, const TbPair *x, const TbPair *from, int k)
{
    const int half = k / 2;
    TbPair w[16], pair[2];
    UNROLL
    for (int i = 0; i < k - 1; i++)
        load_weights(w, from, i, k - 1);
    UNROLL
    for (int i = 0; i <= half + 1; i++) {
        if (i % 2 == 0 && i < half + 1)
            load_two(pair, x + i / 2 * RECORD);
        else if (i % 2 == 0)
            load_one(pair, x + i / 2 * RECORD);
        UNROLL
        for (int o = 0; o < TILE; o++) {
            const int tap = i - o / 2;
            if (o % 2 == 0 && tap >= 0 && tap < half)
                mac_pairs(&sum[o], pair[i % 2], w[tap], sum[o]);
            if (o % 2 == 0 && tap == half)
                mac_low_high(&sum[o], pair[i % 2], w[k - 2], sum[o]);
            if (o % 2 == 1 && tap == 0)
                mac_high_low(&sum[o], pair[i % 2], w[0], sum[o]);
            if (o % 2 == 1 && tap >= 1 && tap <= half)
                mac_pairs(&sum[o], pair[i % 2], w[half + tap - 1], sum[o]);
        }
    }
}

/* k, stride: constants. */
TB_INLINE void sum_square(const Strip *s, int lane, int32_t bias, int k, int stride)
{
    const TbPair *x = s->planes + 2 * lane, *across = s->across + 2 * lane;
    const int plane = s->plane;
    int32_t *to = s->sums, *const end = to + s->tiles * TILE;
    for (; to < end; to += TILE) {
        int32_t sum[] = {bias, bias, bias, bias};
        const TbPair *w = s->weights, *from = x;
        UNROLL
        for (int pair = 0; pair < k / 2; pair++) {
            UNROLL
            for (int residue = 0; residue < stride; residue++) {
                const int taps = (k - residue + stride - 1) / stride;
                add_taps(sum, from, w, taps);
                w += taps, from += plane;
            }
        }
        if (stride == 1)
            add_across(sum, across, w, k);
        else
            add_taps(sum, across, w, k / 2 + 1);
        to[0] = sum[0], to[1] = sum[1], to[2] = sum[2], to[3] = sum[3];
        x += 2 * RECORD, across += stride * RECORD;
    }
}

static void sum_3x3(const Strip *s, int lane, int32_t bias)
{
    sum_square(s, lane, bias, 3, 1);
}

static void sum_3x3_2(const Strip *s, int lane, int32_t bias)
{
    sum_square(s, lane, bias, 3, 2);
}

static void sum_5x5(const Strip *s, int lane, int32_t bias)
{
    sum_square(s, lane, bias, 5, 1);
}

static void sum_5x5_2(const Strip *s, int lane, int32_t bias)
{
    sum_square(s, lane, bias, 5, 2);
}

static void sum_7x7(const Strip *s, int lane, int32_t bias)
{
    sum_square(s, lane, bias, 7, 1);
}

static void sum_7x7_2(const Strip *s, int lane, int32_t bias)
{
    sum_square(s, lane, bias, 7, 2);
}

static void sum_any(const Strip *s, int lane, int32_t bias)
{
    const TbOp *op = s->op;
    const int pairs = (op->kh + 1) / 2, stride = op->sw;
    for (int i = 0; i < s->tiles * TILE; i++) {
        TbPair *plane = s->planes + 2 * lane;
        const TbPair *w = s->weights;
        int32_t sum = bias;
        for (int pair = 0; pair < pairs; pair++)
            for (int residue = 0; residue < stride && residue < op->kw; residue++) {
                for (int x = residue, at = i; x < op->kw; x += stride, at++)
                    sum = tb_mac_pairs(*word_at(plane, at), *w++, sum);
                plane += s->plane;
            }
        s->sums[i] = sum;
    }
}

static Body *body_of(const TbOp *op)
{
    static Body *const squares[2][3] = {{sum_3x3, sum_5x5, sum_7x7},
                                        {sum_3x3_2, sum_5x5_2, sum_7x7_2}};
    return tb_depthwise_across(op->kh, op->kw, op->sw) ? squares[op->sw - 1][op->kw / 2 - 1]
                                                       : sum_any;
}

/* ---- a channel ---- */

static void unpack_weights(TbPair *to, const int8_t *packed, int words, int doubled)
{
    for (int i = 0; i < words; i += 2, packed += 4) {
        const uint32_t four = tb_word(packed);
        const TbPair a = tb_even_bytes(four), b = tb_odd_bytes(four);
        to[i] = doubled ? tb_add_pairs(a, a) : a;
        to[i + 1] = doubled ? tb_add_pairs(b, b) : b;
    }
}

TB_INLINE int8_t quick_output(int32_t sum, int32_t multiplier, const TbQuick *q)
{
    const int32_t a = tb_high_mac(sum, multiplier, q->round) + (sum >> 31);
    return (int8_t)tb_saturate8(a >> q->shift);
}

/* Outputs of doubled sums. */
static void put_quick(const TbOp *op, const int32_t *sum, int channel, int8_t *out, int n)
{
    const int32_t multiplier = op->multiplier[channel];
    const TbQuick q = tb_quick(multiplier, op->shift[channel], op->out_zero);
    const int out_c = op->out_c;
    for (; n >= 4; n -= 4, sum += 4) {
        const int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
        *out = quick_output(a, multiplier, &q), out += out_c;
        *out = quick_output(b, multiplier, &q), out += out_c;
        *out = quick_output(c, multiplier, &q), out += out_c;
        *out = quick_output(d, multiplier, &q), out += out_c;
    }
    for (; n > 0; n--, sum++, out += out_c)
        *out = quick_output(*sum, multiplier, &q);
}

static void put(const TbOp *op, const int32_t *sum, int channel, int8_t *out, int n)
{
    const TbRequant r = tb_requant(op);
    for (int i = 0; i < n; i++, out += op->out_c)
        *out = tb_output(&r, sum[i], channel);
}

static void clamp(const TbOp *op, int8_t *out, int n)
{
    for (; n > 0; n--, out += op->out_c)
        *out = tb_clamp(*out, op->act_min, op->act_max);
}

static void make_channel(const Strip *s, Body *body, int lane, int channel, int8_t *out, int n)
{
    const TbOp *op = s->op;
    const int words = (int)tb_depthwise_words(op->kh, op->kw, op->sw);
    const int32_t bias = op->bias[channel];
    const int quick = tb_is_quick(bias, op->multiplier[channel], op->shift[channel]);
    unpack_weights(s->weights, op->weights + channel * ((words + 1) / 2 * 4), words, quick);
    body(s, lane, quick ? 2 * bias : bias);
    if (quick)
        put_quick(op, s->sums, channel, out + channel, n);
    else
        put(op, s->sums, channel, out + channel, n);
    if (quick && (op->act_min > -128 || op->act_max < 127))
        clamp(op, out + channel, n);
}

static void make_strip(const Strip *s, Body *body, int8_t *out, int n)
{
    const int channels = s->op->out_c;
    unpack_strip(s, 0, 1);
    for (int channel = 0; channel < channels;) {
        const int rest = channels - channel, few = rest < LANES && channels >= LANES;
        const int first = few ? channels - LANES : channel; /* the last four, some of them again */
        unpack_strip(s, first, 0);
        for (; channel < channels && channel < first + LANES; channel++)
            make_channel(s, body, channel - first, channel, out, n);
    }
}

void tb_depthwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const uint32_t kh = op->kh, kw = op->kw, sw = op->sw;
    const int8_t padding[] = {op->in_zero, op->in_zero, op->in_zero, op->in_zero};
    const int tiles = (int)tb_depthwise_tiles(kh, kw, sw, op->out_w);
    Strip s = {op, rows->in, -op->pad_left, tiles, tb_depthwise_across(kh, kw, sw),
               (int)tb_depthwise_records(kw, sw, (uint32_t)tiles) * RECORD, padding, NULL, NULL,
               NULL, NULL};
    s.weights = (TbPair *)scratch;
    s.sums = (int32_t *)(s.weights + (tb_depthwise_words(kh, kw, sw) + 1) / 2 * 2);
    s.planes = (TbPair *)(s.sums + tiles * TILE);
    s.across = s.planes + (int)tb_depthwise_planes(kh, kw, sw) * s.plane;

    for (int i = 0; i < op->out_w; i += tiles * TILE) {
        const int rest = op->out_w - i, n = rest < tiles * TILE ? rest : tiles * TILE;
        s.x = i * op->sw - op->pad_left;
        make_strip(&s, body_of(op), rows->out[0] + i * op->out_c, n);
    }
}
