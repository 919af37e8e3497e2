/* tb_depthwise_pairs.c - a depthwise layer on pairs of int16.
 *
 * Four channels at a time the strip's window rows are unpacked to words in
 * scratch, which hold an input of one row and the one below it; so a word and a
 * word of weights give two products. Then channel by channel the tiles of four
 * outputs are summed up, each word of a tile loaded once; then requantised. The
 * sums are doubled where the quick requantisation allows it: that is one
 * instruction less for each output. */
#include "tb_depthwise_tile.h"

#ifdef __GNUC__
#define TB_APART __attribute__((noinline))
#else
#define TB_APART
#endif

typedef struct Strip Strip;

/* The sums of all tiles of a lane: the first `full` tiles become outputs, at `out` and so on; those
 * of the others are left in Strip.sums. */
typedef void Body(const Strip *s, int lane, int full, int8_t *out);

/* Words of a plane: of the bytes at a and b and then so many bytes further. A half of padding
 * stays where it is, for all words and channels. */
typedef struct {
    const int8_t *a, *b;
    int a_step, b_step;
    TbPair *plane;
    int from, n; /* words */
} Run;

enum { MOST_RUNS = 9 }; /* of a 7x7 at stride 2: six planes, and three parts of the row across */

struct Strip {
    const TbOp *op;
    const int8_t *const *rows;
    int x;                         /* column at which the first window begins */
    int tiles;                     /* of four outputs */
    int square;                    /* the last row's pairs lie across */
    int plane;                     /* words of a plane */
    int across_words;              /* words of a lane in the row across */
    int weight_bytes;              /* of a channel, packed */
    int narrow;                    /* the activation's range is narrower than an int8 */
    TbPut *put;
    const int8_t *padding;         /* four bytes: a pixel of padding */
    TbPair *weights;               /* of a channel: the bias, its pairs, and then a TbPut */
    int32_t *sums;                 /* of a channel: [tiles][4] */
    TbPair *planes, *across, *end; /* [record][lane][2] */
    int runs;
    Run run[MOST_RUNS];            /* of a square */
};

/* ---- unpacking ---- */

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

typedef struct {
    TbPair *to;
    const int8_t *a, *b;
} Places;

/* n records, n > 0; where they end. */
TB_INLINE Places unpack_records(TbPair *to, int n, const int8_t *a, int a_step, const int8_t *b,
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
    for (; n > 0; n--, to += TB_RECORD, a += 2 * a_step, b += 2 * b_step)
        unpack_two(to, a, a + a_step, b, b + b_step);
#endif
    const Places end = {to, a, b};
    return end;
}

/* Of a layer of fewer than four channels. */
static void unpack_few(const Run *r, int channels)
{
    const int8_t *a = r->a, *b = r->b;
    for (int i = r->from; i < r->from + r->n; i++, a += r->a_step, b += r->b_step)
        for (int lane = 0; lane < channels; lane++)
            tb_word_at(r->plane, i)[2 * lane] = tb_pair(a[lane], b[lane]);
}

TB_INLINE void unpack_run(const Run *r, int channel)
{
    const int a_step = r->a_step, b_step = r->b_step;
    const int8_t *a = r->a, *b = r->b;
    TbPair *to = tb_word_at(r->plane, r->from);
    int n = r->n;
    if (a_step)
        a += channel;
    if (b_step)
        b += channel;
    if (r->from & 1) {
        unpack_one(to, a, b);
        to += TB_RECORD - 1, a += a_step, b += b_step, n--;
    }
    if (n >> 1) {
        const Places p = unpack_records(to, n >> 1, a, a_step, b, b_step);
        to = p.to, a = p.a, b = p.b;
    }
    if (n & 1)
        unpack_one(to, a, b);
}

/* Four channels of n runs. */
static TB_APART void unpack(const Strip *s, const Run *run, int n, int channel)
{
    const int in_c = s->op->in_c;
    for (const Run *const end = run + n; run < end; run++)
        if (in_c >= TB_LANES)
            unpack_run(run, channel);
        else
            unpack_few(run, in_c);
}

/* Words [from, to) of n whose columns x + i * step lie inside the image. */
typedef struct {
    int from, to;
} Range;

static Range inside(int x, int step, int width, int n)
{
    Range r = {x < 0 ? (step - 1 - x) / step : 0, x < width ? (width - x + step - 1) / step : 0};
    r.to = r.to < n ? r.to : n;
    r.from = r.from < r.to ? r.from : r.to;
    return r;
}

/* The words of two rows, NULL when they are padding, that are inside the image. */
static TB_APART Run run_of(const Strip *s, TbPair *plane, const int8_t *a, const int8_t *b, int residue)
{
    const TbOp *op = s->op;
    const int step = op->sw, bytes = step * op->in_c, x = s->x + residue;
    const Range in = inside(x, step, a || b ? op->in_w : 0, s->plane / TB_RECORD * 2);
    const int at = (x + in.from * step) * op->in_c;
    Run r = {a ? a + at : s->padding, b ? b + at : s->padding, a ? bytes : 0, b ? bytes : 0, plane,
             in.from, in.to - in.from};
    return r;
}

/* The last row of a square: words of two columns each, of which the image's edges may cut off one. */
static int runs_across(const Strip *s, Run *run)
{
    const TbOp *op = s->op;
    const int8_t *row = s->rows[op->kh - 1];
    const int x = s->x, in_c = op->in_c, n = s->across_words, width = row ? op->in_w : 0;
    const Range a = inside(x, 2, width, n), b = inside(x + 1, 2, width, n);
    const int head = b.from < a.from && b.from < b.to, tail = b.to < a.to && a.from < a.to;
    const Run both = {row + (x + 2 * a.from) * in_c, row + (x + 1 + 2 * a.from) * in_c, 2 * in_c,
                      2 * in_c, s->across, a.from, b.to - a.from};
    const Run right = {s->padding, row + (x + 1 + 2 * b.from) * in_c, 0, 1, s->across, b.from, 1};
    const Run left = {row + (x + 2 * b.to) * in_c, s->padding, 1, 0, s->across, b.to, 1};
    int runs = 0;
    if (head)
        run[runs++] = right;
    if (a.from < b.to)
        run[runs++] = both;
    if (tail)
        run[runs++] = left;
    return runs;
}

/* Writes padding to all words; what is inside the image is written over it for every four
 * channels. */
static TB_APART void pad_planes(const Strip *s)
{
    const TbPair pair = tb_even_bytes(tb_word(s->padding));
    for (TbPair *to = s->planes; to < s->end; to += 2)
        to[0] = to[1] = pair;
}

static TB_APART void runs_of_square(Strip *s)
{
    const TbOp *op = s->op;
    TbPair *plane = s->planes;
    s->runs = 0;
    for (int y = 0; y + 1 < op->kh; y += 2)
        for (int residue = 0; residue < op->sw; residue++, plane += s->plane) {
            const Run r = run_of(s, plane, s->rows[y], s->rows[y + 1], residue);
            if (r.n > 0)
                s->run[s->runs++] = r;
        }
    s->runs += runs_across(s, s->run + s->runs);
}

/* Any window: all rows in pairs, the last of an odd number with itself. */
static TB_APART void unpack_any(const Strip *s, int channel)
{
    const TbOp *op = s->op;
    const int last = op->kh - 1, residues = op->sw < op->kw ? op->sw : op->kw;
    TbPair *plane = s->planes;
    for (int y = 0; y <= last; y += 2)
        for (int residue = 0; residue < residues; residue++, plane += s->plane) {
            const Run r = run_of(s, plane, s->rows[y], s->rows[y < last ? y + 1 : y], residue);
            unpack(s, &r, r.n > 0, channel);
        }
}

/* ---- sums ---- */

/* k, stride: constants. */
TB_INLINE void sum_square(const Strip *s, int lane, int full, int8_t *out, int k, int stride)
{
    const TbPair *x = s->planes + 2 * lane, *across = s->across + 2 * lane;
    const TbPair *const last = x + full * 2 * TB_RECORD;
    const TbPair *const end = x + s->tiles * 2 * TB_RECORD;
    const int next = s->plane - 2 * TB_RECORD; /* plane, from the tile behind this one */
    int32_t *to = s->sums;
    do {
        TbTile t;
        const TbPair *from;
        t.w = s->weights;
        x = tb_tile_begin(&t, x, stride == 1 ? k : (k + 1) / 2);
        from = x;
        for (int pair = 0; pair < k / 2; pair++)
            for (int residue = pair == 0; residue < stride; residue++)
                from = tb_tile_add(&t, from + next, (k - residue + stride - 1) / stride);
        if (stride == 1)
            across = tb_tile_across(&t, across, k);
        else
            across = tb_tile_add(&t, across, k / 2 + 1);
        if (x <= last) {
            out = tb_tile_put(&t, out);
        } else {
            to[0] = t.s[0], to[1] = t.s[1], to[2] = t.s[2], to[3] = t.s[3];
            to += TB_TILE;
        }
    } while (x < end);
}

static void sum_3x3(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 3, 1);
}

static void sum_3x3_2(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 3, 2);
}

static void sum_5x5(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 5, 1);
}

static void sum_5x5_2(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 5, 2);
}

static void sum_7x7(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 7, 1);
}

static void sum_7x7_2(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 7, 2);
}

static void sum_any(const Strip *s, int lane, int full, int8_t *out)
{
    const TbOp *op = s->op;
    const int pairs = (op->kh + 1) / 2, stride = op->sw, done = full * TB_TILE;
    for (int i = 0; i < s->tiles * TB_TILE; i++) {
        TbPair *plane = s->planes + 2 * lane;
        const TbPair *w = s->weights;
        int32_t sum = (int32_t)*w++;
        for (int pair = 0; pair < pairs; pair++)
            for (int residue = 0; residue < stride && residue < op->kw; residue++) {
                for (int x = residue, at = i; x < op->kw; x += stride, at++)
                    sum = tb_mac_pairs(*tb_word_at(plane, at), *w++, sum);
                plane += s->plane;
            }
        if (i < done)
            *out = tb_put_one(sum, s->put), out += op->out_c;
        else
            s->sums[i - done] = sum;
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

/* Pairs of weights, two in four bytes, doubled or not: up to `end`, or one more. */
TB_INLINE void unpack_weights(TbPair *to, const TbPair *end, const int8_t *packed, int doubled)
{
#if TB_TILE_ASM
    while (doubled && to < end - 2)
        __asm__ volatile("ldmia %[packed]!, {r1, r3}\n"
                         "sxtb16 r0, r1\n"
                         "sxtab16 r0, r0, r1\n"
                         "sxtb16 r2, r1, ror #8\n"
                         "sxtab16 r1, r2, r1, ror #8\n"
                         "sxtb16 r2, r3\n"
                         "sxtab16 r2, r2, r3\n"
                         "sxtb16 r4, r3, ror #8\n"
                         "sxtab16 r3, r4, r3, ror #8\n"
                         "stmia %[to]!, {r0, r1, r2, r3}\n"
                         : [to] "+r"(to), [packed] "+r"(packed)
                         :
                         : "r0", "r1", "r2", "r3", "r4", "memory");
#endif
    for (; to < end; to += 2, packed += 4) {
        const uint32_t four = tb_word(packed), again = doubled ? four : 0;
        to[0] = tb_add_even_bytes(tb_even_bytes(four), again);
        to[1] = tb_add_odd_bytes(tb_odd_bytes(four), again);
    }
}

static TB_APART void clamp(const TbOp *op, int8_t *out, int n)
{
    for (; n > 0; n--, out += op->out_c)
        *out = tb_clamp(*out, op->act_min, op->act_max);
}

/* Bias, weights and constants of a channel. Is its requantisation the quick one? */
static TB_APART int prepare(const Strip *s, int channel)
{
    const TbOp *op = s->op;
    const int8_t *packed = op->weights + channel * s->weight_bytes;
    const int32_t bias = op->bias[channel], multiplier = op->multiplier[channel];
    const int shift = op->shift[channel];
    TbPair *const w = s->weights;
    TbPut *const put = s->put;
    if (!tb_is_quick(bias, multiplier, shift)) {
        w[0] = (uint32_t)bias;
        unpack_weights(w + 1, (const TbPair *)put, packed, 0);
        return 0;
    }
    const TbQuick q = tb_quick(multiplier, shift, op->out_zero);
    w[0] = 2 * (uint32_t)bias;
    unpack_weights(w + 1, (const TbPair *)put, packed, 1);
    put->multiplier = multiplier, put->round = q.round, put->shift = q.shift;
    return 1;
}

/* A channel whose requantisation is not the quick one. */
static TB_APART void put_slowly(const Strip *s, int channel, int8_t *out, int n)
{
    const TbOp *op = s->op;
    const TbRequant r = tb_requant(op);
    for (int i = 0; i < n; i++, out += op->out_c)
        *out = tb_output(&r, s->sums[i], channel);
}

/* The outputs that are no full tile, and those outside the activation's range. */
static TB_APART void put_rest(const Strip *s, int8_t *out, int full, int n)
{
    const TbOp *op = s->op;
    for (int i = full; i < n; i++)
        out[i * op->out_c] = tb_put_one(s->sums[i - full], s->put);
    if (s->narrow)
        clamp(op, out, n);
}

static void make_strip(Strip *s, Body *body, int8_t *out, int n)
{
    const int channels = s->op->out_c, full = n / TB_TILE, rest = n % TB_TILE || s->narrow;
    pad_planes(s);
    if (s->square)
        runs_of_square(s);
    for (int channel = 0; channel < channels;) {
        const int few = channels - channel < TB_LANES && channels >= TB_LANES;
        const int first = few ? channels - TB_LANES : channel; /* some of the last four once more */
        if (s->square)
            unpack(s, s->run, s->runs, first);
        else
            unpack_any(s, first);
        for (; channel < channels && channel < first + TB_LANES; channel++) {
            const int quick = prepare(s, channel);
            body(s, channel - first, quick ? full : 0, out + channel);
            if (!quick)
                put_slowly(s, channel, out + channel, n);
            else if (rest)
                put_rest(s, out + channel, full * TB_TILE, n);
        }
    }
}

void tb_depthwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const uint32_t kh = op->kh, kw = op->kw, sw = op->sw;
    const uint32_t tiles = tb_depthwise_tiles(kh, kw, sw, op->out_w);
    const int8_t padding[] = {op->in_zero, op->in_zero, op->in_zero, op->in_zero};
    const int outputs = (int)tiles * TB_TILE;
    Body *body = body_of(op);
    Strip s;
    s.op = op, s.rows = rows->in, s.padding = padding;
    s.tiles = (int)tiles;
    s.square = tb_depthwise_across(kh, kw, sw);
    s.plane = (int)tb_depthwise_records(kw, sw, tiles) * TB_RECORD;
    s.across_words = 2 * (int)tb_depthwise_across_records(kw, sw, tiles);
    s.weights = (TbPair *)scratch;
    s.weight_bytes = (int)tb_depthwise_pairs_weights(kh, kw, sw, 1);
    s.narrow = op->act_min > -128 || op->act_max < 127;
    s.put = (TbPut *)(s.weights + 1 + tb_depthwise_words(kh, kw, sw));
    s.put->out_c = op->out_c;
    s.sums = (int32_t *)(s.put + 1);
    s.planes = (TbPair *)(s.sums + outputs);
    s.across = s.planes + (int)tb_depthwise_planes(kh, kw, sw) * s.plane;
    s.end = s.across + (s.square ? s.across_words * TB_LANES : 0);

    for (int i = 0; i < op->out_w; i += outputs) {
        s.x = i * op->sw - op->pad_left;
        make_strip(&s, body, rows->out[0] + i * op->out_c,
                   op->out_w - i < outputs ? op->out_w - i : outputs);
    }
}
