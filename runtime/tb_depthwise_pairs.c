/* tb_depthwise_pairs.c - a depthwise layer on pairs of int16.
 *
 * Four channels at a time the strip's window rows are unpacked to words in
 * scratch, which hold an input of one row and the one below it; so a word and a
 * word of weights give two products. Then channel by channel the tiles of four
 * outputs are summed up, each word of a tile loaded once; then requantised. The
 * sums are doubled where the quick requantisation allows it: that is one
 * instruction less for each output. */
#include "tb_depthwise_tile.h"

/* Neighbouring words of a plane: the first from the bytes at `at` in row a, and those of row b that
 * are as far in, or across the next pixel's; the others each a step further. A half of padding
 * stays where it is, for all words and channels. */
enum { RUN_A = 1, RUN_B = 2, RUN_ACROSS = 4, RUN_ODD = 8, RUN_FLAGS = 4 };

typedef struct {
    int32_t at;
    uint8_t a, b;    /* rows of the window */
    uint16_t record; /* of the first word, among all of the planes */
    uint16_t n;      /* words << RUN_FLAGS | which half is inside the image, is it the row across,
                        is the first word the second of its record? */
} Run; /* no pointers: TB_RUN_BYTES on every machine */

typedef struct {
    const TbOp *op;
    const int8_t *const *rows;
    int x;                         /* column at which the first window begins */
    int tiles;                     /* of four outputs */
    int square;                    /* 10 * k + stride */
    int plane;                     /* words of a plane */
    int across_words;              /* words of a lane in the row across */
    int weight_bytes;              /* of a channel, packed */
    int narrow;                    /* the activation's range is narrower than an int8 */
    int step[2];                   /* bytes from word to word: of planes, and of the row across */
    TbPut *put;
    const int8_t *padding;         /* four bytes: a pixel of padding */
    TbPair *weights;               /* of a channel: the bias, its pairs, and then a TbPut */
    int32_t *sums;                 /* of a channel: [tiles][4] */
    TbPair *planes, *across, *end; /* [record][lane][2] */
    int runs;
    Run *run;                      /* TB_RUN_BYTES each */
} Strip;

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

typedef struct {
    TbPair *to;
    const int8_t *a, *b;
} Places;

/* n records, n > 0; where they end. */
TB_INLINE Places unpack_records(TbPair *to, int n, const int8_t *a, int a_step, const int8_t *b,
                              int b_step)
{
#if TB_TILE_ASM
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
    for (; n > 0; n--, to += TB_RECORD, a += 2 * a_step, b += 2 * b_step) {
        unpack_one(to, a, b);
        unpack_one(to + 1, a + a_step, b + b_step);
    }
#endif
    const Places end = {to, a, b};
    return end;
}

typedef struct {
    const int8_t *a, *b;
    int a_step, b_step;
} Halves;

TB_INLINE Halves halves_of(const Strip *s, const Run *r, int channel)
{
    const int across = (r->n & RUN_ACROSS) != 0, step = s->step[across];
    Halves h = {s->padding, s->padding, 0, 0};
    if (r->n & RUN_A)
        h.a = s->rows[r->a] + r->at + channel, h.a_step = step;
    if (r->n & RUN_B)
        h.b = s->rows[r->b] + r->at + channel, h.b_step = step;
    if (across && h.b_step)
        h.b += s->op->in_c;
    return h;
}

TB_INLINE void unpack_run(const Strip *s, const Run *r, int channel)
{
    const Halves h = halves_of(s, r, channel);
    const int8_t *a = h.a, *b = h.b;
    const int a_step = h.a_step, b_step = h.b_step, flags = r->n;
    TbPair *to = s->planes + r->record * TB_RECORD;
    int n = flags >> RUN_FLAGS;
    if (flags & RUN_ODD) {
        unpack_one(to + 1, a, b);
        to += TB_RECORD, a += a_step, b += b_step, n--;
    }
    if (n >> 1) {
        const Places p = unpack_records(to, n >> 1, a, a_step, b, b_step);
        to = p.to, a = p.a, b = p.b;
    }
    if (n & 1)
        unpack_one(to, a, b);
}

/* Of a layer of fewer than four channels. */
static TB_APART void unpack_few(const Strip *s, const Run *r, int channels)
{
    const Halves h = halves_of(s, r, 0);
    const int odd = (r->n & RUN_ODD) != 0, n = r->n >> RUN_FLAGS;
    for (int i = 0; i < n; i++) {
        TbPair *to = tb_word_at(s->planes + r->record * TB_RECORD, odd + i);
        for (int lane = 0; lane < channels; lane++)
            to[2 * lane] = tb_pair(h.a[i * h.a_step + lane], h.b[i * h.b_step + lane]);
    }
}

/* Four channels of the strip's runs. */
static TB_APART void unpack(const Strip *s, int channel)
{
    const Run *r = s->run, *const end = r + s->runs;
    const int in_c = s->op->in_c;
    for (; in_c >= TB_LANES && r < end; r++)
        unpack_run(s, r, channel);
    for (; r < end; r++)
        unpack_few(s, r, in_c);
}

/* One half of the words of a plane: word i is column x + i * step of a row of the window. */
typedef struct {
    int row, x;
} Half;

/* The words [from, to) of one that are inside the image. */
typedef struct {
    int from, to;
} Words;

TB_INLINE Words inside(const Strip *s, Half h, int step, int n)
{
    const int width = s->rows[h.row] ? s->op->in_w : 0;
    Words w = {h.x < 0 ? (step - 1 - h.x) / step : 0,
               h.x < width ? (width - h.x + step - 1) / step : 0};
    w.to = w.to < n ? w.to : n;
    w.from = w.from < w.to ? w.from : w.to;
    return w;
}

/* What changes after word i, in one half, if it is before `end`. */
TB_INLINE int next_change(Words w, int i, int end)
{
    const int next = i < w.from ? w.from : w.to;
    return next > i && next < end ? next : end;
}

/* The words of a plane that are not mere padding. */
static TB_APART void add_runs(Strip *s, const TbPair *plane, Half a, Half b, int across)
{
    const int n = across ? s->across_words : s->plane / TB_RECORD * 2;
    const int columns = across ? 2 : s->op->sw;
    const Words wa = inside(s, a, columns, n), wb = inside(s, b, columns, n);
    const int record = (int)(plane - s->planes) / TB_RECORD;
    for (int i = 0, end; i < n; i = end) {
        const int a_in = i >= wa.from && i < wa.to, b_in = i >= wb.from && i < wb.to;
        Run *r = &s->run[s->runs];
        end = next_change(wa, i, next_change(wb, i, n));
        r->at = a.x * s->op->in_c + i * s->step[across];
        r->a = (uint8_t)a.row, r->b = (uint8_t)b.row;
        r->record = (uint16_t)(record + (i >> 1));
        r->n = (uint16_t)((end - i) << RUN_FLAGS | a_in * RUN_A | b_in * RUN_B |
                          across * RUN_ACROSS | (i & 1) * RUN_ODD);
        s->runs += a_in || b_in;
    }
}

/* All runs, for all channels. */
static void find_runs(Strip *s)
{
    const int last = s->op->kh - 1;
    const TbPair *plane = s->planes;
    s->runs = 0;
    for (int y = 0; y < last; y += 2)
        for (int residue = 0; residue < s->op->sw; residue++, plane += s->plane) {
            const Half above = {y, s->x + residue}, below = {y + 1, s->x + residue};
            add_runs(s, plane, above, below, 0);
        }
    const Half first = {last, s->x}, second = {last, s->x + 1};
    add_runs(s, s->across, first, second, 1);
}

/* Padding for all words. What is inside the image is written over it, for every four channels. */
static void pad_planes(const Strip *s)
{
    const TbPair pair = tb_even_bytes(tb_word(s->padding));
    for (TbPair *to = s->planes; to < s->end; to += 2)
        to[0] = to[1] = pair;
}

/* ---- sums ---- */

/* The sums of a tile at stride 1 and the next tile's words: k / 2 planes, and the row across. k: a
 * constant. */
TB_INLINE const TbPair *add_square(TbTile *t, const TbPair *x, const TbPair **across, int next,
                                   int k)
{
    const TbPair *const after = tb_tile_begin(t, x, k), *from = after;
    if (k > 3)
        from = tb_tile_add(t, from + next, k);
    if (k > 5)
        tb_tile_add(t, from + next, k);
    *across = tb_tile_across(t, *across, k);
    return after;
}

/* The same at stride 2: even columns and odd columns, and then pairs that lie across, from every
 * second column too. */
TB_INLINE const TbPair *add_square_by_two(TbTile *t, const TbPair *x, const TbPair **across,
                                          int next, int k)
{
    const TbPair *const after = tb_tile_begin(t, x, k / 2 + 1), *from = after;
    for (int pair = 1; pair < k / 2; pair++) {
        from = tb_tile_add(t, from + next, k / 2);
        from = tb_tile_add(t, from + next, k / 2 + 1);
    }
    tb_tile_add(t, from + next, k / 2);
    *across = tb_tile_add(t, *across, k / 2 + 1);
    return after;
}

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
        t.w = s->weights;
        if (stride == 1)
            x = add_square(&t, x, &across, next, k);
        else
            x = add_square_by_two(&t, x, &across, next, k);
        if (x <= last) {
            out = tb_tile_put(&t, out);
        } else {
            to[0] = t.s[0], to[1] = t.s[1], to[2] = t.s[2], to[3] = t.s[3];
            to += TB_TILE;
        }
    } while (x < end);
}

static TB_APART void sum_3x3(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 3, 1);
}

static TB_APART void sum_3x3_2(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 3, 2);
}

static TB_APART void sum_5x5(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 5, 1);
}

static TB_APART void sum_5x5_2(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 5, 2);
}

static TB_APART void sum_7x7(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 7, 1);
}

static TB_APART void sum_7x7_2(const Strip *s, int lane, int full, int8_t *out)
{
    sum_square(s, lane, full, out, 7, 2);
}

/* The sums of all tiles of a lane: the first `full` tiles become outputs, at `out` and so on; those
 * of the others are left in Strip.sums. No table of functions: constants are the model's alone. */
static void sum(const Strip *s, int lane, int full, int8_t *out)
{
    switch (s->square) {
    case 31:
        sum_3x3(s, lane, full, out);
        return;
    case 32:
        sum_3x3_2(s, lane, full, out);
        return;
    case 51:
        sum_5x5(s, lane, full, out);
        return;
    case 52:
        sum_5x5_2(s, lane, full, out);
        return;
    case 71:
        sum_7x7(s, lane, full, out);
        return;
    default:
        sum_7x7_2(s, lane, full, out);
    }
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
        tb_tile_clamp(op, out, n);
}

static void make_strip(Strip *s, int8_t *out, int n)
{
    const int channels = s->op->out_c, full = n / TB_TILE, rest = n % TB_TILE || s->narrow;
    pad_planes(s);
    find_runs(s);
    for (int channel = 0; channel < channels;) {
        const int few = channels - channel < TB_LANES && channels >= TB_LANES;
        const int first = few ? channels - TB_LANES : channel; /* some of the last four once more */
        unpack(s, first);
        for (; channel < channels && channel < first + TB_LANES; channel++) {
            const int quick = prepare(s, channel);
            sum(s, channel - first, quick ? full : 0, out + channel);
            if (!quick)
                put_slowly(s, channel, out + channel, n);
            else if (rest)
                put_rest(s, out + channel, full * TB_TILE, n);
        }
    }
}

void tb_depthwise_pairs_row(const TbOp *op, const TbRows *rows, void *scratch)
{
    const uint32_t k = op->kw, sw = op->sw, tiles = tb_depthwise_tiles(k, sw, op->out_w);
    const int8_t padding[] = {op->in_zero, op->in_zero, op->in_zero, op->in_zero};
    const int outputs = (int)tiles * TB_TILE;
    Strip s;
    s.op = op, s.rows = rows->in, s.padding = padding;
    s.square = op->kw * 10 + op->sw;
    s.plane = (int)tb_depthwise_records(k, sw, tiles) * TB_RECORD;
    s.across_words = 2 * (int)tb_depthwise_across_records(k, sw, tiles);
    s.weight_bytes = (int)tb_depthwise_pairs_weights(k, sw, 1);
    s.narrow = op->act_min > -128 || op->act_max < 127;
    s.step[0] = op->sw * op->in_c, s.step[1] = 2 * op->in_c;
    s.run = (Run *)scratch;
    s.weights = (TbPair *)scratch + TB_RUN_BYTES / 4 * tb_depthwise_runs(k, sw);
    s.put = (TbPut *)(s.weights + 1 + tb_depthwise_words(k, sw));
    s.put->out_c = op->out_c;
    s.sums = (int32_t *)(s.put + 1);
    s.planes = (TbPair *)(s.sums + outputs);
    s.across = s.planes + (int)tb_depthwise_planes(k, sw) * s.plane;
    s.end = s.across + s.across_words * TB_LANES;

    for (int i = 0; i < op->out_w; i += outputs) {
        const int n = op->out_w - i < outputs ? op->out_w - i : outputs;
        s.x = i * op->sw - op->pad_left;
        s.tiles = (n + TB_TILE - 1) / TB_TILE;
        make_strip(&s, rows->out[0] + i * op->out_c, n);
    }
}
