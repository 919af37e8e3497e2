/* tb_depthwise_planes.c - all rows of a depthwise layer in one call.
 *
 * Its input is whole, so that rows need not be unpacked for each output again,
 * nor a channel's weights for each row. Four channels at a time, rows of the input
 * become padded rows of words of two columns, in scratch; then channel by channel
 * tiles of four outputs are summed up, a word of weights times a word of a row, and
 * requantised. When all outputs of these rows are made, the rows that the next ones
 * need too move up, and new ones follow.
 *
 * A row's last tile is made whole: what is too much lands in the next row, which is
 * made afterwards. So does it when the output lies exactly over the input, of which a
 * channel's next row is in its plane by then: a byte of the output belongs to the same
 * channel as the byte of the input it replaces, of the same row or one before.
 *
 * The sums are doubled where the quick requantisation allows it. */
#include "tb_depthwise_tile.h"

typedef struct {
    const TbOp *op;
    const int8_t *in;
    int8_t *out;
    int square;          /* 10 * k + stride */
    int in_row, out_row; /* bytes */
    int words, rows;     /* of a plane: of a row, and how many */
    int left;            /* words of a row that come before the image */
    int columns;         /* of the image that a row holds */
    int block;           /* rows of output while the plane's rows stay */
    int constants;       /* words of a channel's */
    int narrow;          /* the activation's range is narrower than an int8 */
    uint32_t padding;    /* four bytes of zero point */
    TbPair *weights;     /* [4][constants]: the bias, its pairs, and a TbPut */
    TbPair *planes;      /* [4][rows][words] */
    int8_t *spare;       /* of a row of outputs, whole tiles */
} Planes;

/* Some rows of one channel. */
typedef struct {
    const TbPair *x; /* the first row's first word */
    const TbPair *w; /* the channel's constants */
    int8_t *out;
    int rows, out_row; /* bytes from row to row of outputs */
    int end;           /* bytes at which a row has ended */
} Part;

/* ---- unpacking ---- */

/* Four channels of two pixels, one word each. */
TB_INLINE void put_words(TbPair *to, int lane, uint32_t a, uint32_t b)
{
    const TbPair low = tb_pair_lows(a, b), high = tb_pair_highs(a, b);
    to[0] = tb_even_bytes(low);
    to[lane] = tb_odd_bytes(low);
    to[2 * lane] = tb_even_bytes(high);
    to[3 * lane] = tb_odd_bytes(high);
}

/* Four channels of n times four pixels, n > 0; lane: words between two channels' planes. */
TB_INLINE void unpack_fours(TbPair *to, int lane, const int8_t *from, int step, int n)
{
#if TB_TILE_ASM
    TbPair *b = to + lane, *c = b + lane, *d = c + lane;
    __asm__ volatile("1: ldr r0, [%[from]]\n"
                     "   ldr r1, [%[from], %[step]]\n"
                     "   add %[from], %[from], %[step], lsl #1\n"
                     "   ldr r2, [%[from]]\n"
                     "   ldr r3, [%[from], %[step]]\n"
                     "   add %[from], %[from], %[step], lsl #1\n"
                     "   pkhbt r4, r0, r1, lsl #16\n"
                     "   pkhtb r0, r1, r0, asr #16\n"
                     "   pkhbt r5, r2, r3, lsl #16\n"
                     "   pkhtb r1, r3, r2, asr #16\n"
                     "   sxtb16 r2, r4\n"
                     "   sxtb16 r3, r5\n"
                     "   strd r2, r3, [%[a]], #8\n"
                     "   sxtb16 r4, r4, ror #8\n"
                     "   sxtb16 r5, r5, ror #8\n"
                     "   strd r4, r5, [%[b]], #8\n"
                     "   sxtb16 r2, r0\n"
                     "   sxtb16 r3, r1\n"
                     "   strd r2, r3, [%[c]], #8\n"
                     "   sxtb16 r0, r0, ror #8\n"
                     "   sxtb16 r1, r1, ror #8\n"
                     "   subs %[n], %[n], #1\n"
                     "   strd r0, r1, [%[d]], #8\n"
                     "   bne 1b\n"
                     : [from] "+r"(from), [a] "+r"(to), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),
                       [n] "+r"(n)
                     : [step] "r"(step)
                     : "r0", "r1", "r2", "r3", "r4", "r5", "cc", "memory");
#else
    for (; n > 0; n--, to += 2, from += 4 * step) {
        put_words(to, lane, tb_word(from), tb_word(from + step));
        put_words(to + 1, lane, tb_word(from + 2 * step), tb_word(from + 3 * step));
    }
#endif
}

/* Of a layer of fewer than four channels. */
static TB_APART void unpack_few(const Planes *s, const int8_t *from, TbPair *to)
{
    const int channels = s->op->in_c, lane = s->rows * s->words;
    for (int c = 0; c < channels; c++)
        for (int x = 0; x < s->columns; x += 2) {
            const int8_t *p = from + x * channels + c;
            to[c * lane + x / 2] = tb_pair(p[0], x + 1 < s->columns ? p[channels] : s->op->in_zero);
        }
}

/* Four channels of a row of the image; to: the word of its first two pixels. */
static void unpack_row(const Planes *s, const int8_t *from, TbPair *to)
{
    const int step = s->op->in_c, lane = s->rows * s->words, fours = s->columns >> 2;
    const int8_t *rest = from + 4 * fours * step;
    if (step < TB_LANES) {
        unpack_few(s, from, to);
        return;
    }
    if (fours)
        unpack_fours(to, lane, from, step, fours);
    to += 2 * fours;
    if (s->columns & 2) {
        put_words(to++, lane, tb_word(rest), tb_word(rest + step));
        rest += 2 * step;
    }
    if (s->columns & 1)
        put_words(to, lane, tb_word(rest), s->padding);
}

static TB_APART void pad(const Planes *s, TbPair *to, int n)
{
    const TbPair pair = tb_even_bytes(s->padding);
    for (int i = 0; i < n; i++)
        to[i] = pair;
}

/* The rows that the next outputs need too; n of them, `by` rows up. */
static void move_up(const Planes *s, int by, int n)
{
    const int lane = s->rows * s->words;
    for (int l = 0; l < TB_LANES; l++) {
        TbPair *to = s->planes + l * lane;
        const TbPair *from = to + by * s->words;
        TB_UNROLL
        for (int i = 0; i < n * s->words; i++)
            to[i] = from[i];
    }
}

/* Rows [from, to) of the planes, the first of which is row y of the image, of four channels. */
static TB_APART void unpack(const Planes *s, int channel, int y, int from, int to)
{
    const int lane = s->rows * s->words;
    for (int i = from; i < to; i++) {
        TbPair *row = s->planes + i * s->words;
        if (y + i >= 0 && y + i < s->op->in_h)
            unpack_row(s, s->in + (y + i) * s->in_row + channel, row + s->left);
        else if (s->block < s->op->out_h) /* or nothing else has ever been there */
            for (int l = 0; l < TB_LANES; l++)
                pad(s, row + l * lane, s->words);
    }
}

/* ---- a channel's constants ---- */

/* Of four weights the three pairs of neighbours, doubled or not. */
TB_INLINE void put_neighbours(TbPair *to, const int8_t *w, int doubled)
{
    const uint32_t four = tb_word(w), again = doubled ? four : 0;
    const TbPair even = tb_add_even_bytes(tb_even_bytes(four), again);
    const TbPair odd = tb_add_odd_bytes(tb_odd_bytes(four), again);
    to[0] = tb_pair_lows(even, odd);
    to[1] = tb_pair_low_high(odd, even);
    to[2] = tb_pair_highs(even, odd);
}

/* Of k weights all pairs of neighbours, and of 3 one that the next row writes over. */
TB_INLINE void put_weights(TbPair *to, const int8_t *w, int k, int stride, int doubled)
{
    if (stride == 1)
        for (int y = 0; y < k; y++, to += k - 1, w += k) {
            put_neighbours(to, w, doubled);
            if (k > 3)
                put_neighbours(to + k - 4, w + k - 4, doubled);
        }
    else
        for (int i = 0; i < k * (k + 1); i += 4, to += 2, w += 4) {
            const uint32_t four = tb_word(w), again = doubled ? four : 0;
            const TbPair even = tb_add_even_bytes(tb_even_bytes(four), again);
            const TbPair odd = tb_add_odd_bytes(tb_odd_bytes(four), again);
            to[0] = tb_pair_lows(even, odd);
            to[1] = tb_pair_highs(even, odd);
        }
}

TB_INLINE int is_quick(const TbOp *op, int channel)
{
    return tb_is_quick(op->bias[channel], op->multiplier[channel], op->shift[channel]);
}

static TB_APART void prepare(const Planes *s, int channel, TbPair *w)
{
    const TbOp *op = s->op;
    const int k = op->kw, stride = op->sw, quick = is_quick(op, channel);
    const int8_t *packed =
        op->weights + channel * (int)tb_depthwise_planes_weights(op->kw, op->sw, 1);
    TbPut *const put = (TbPut *)(w + s->constants) - 1;
    w[0] = (uint32_t)op->bias[channel] << quick;
    if (quick)
        put_weights(w + 1, packed, k, stride, 1);
    else
        put_weights(w + 1, packed, k, stride, 0);
    if (quick) {
        const TbQuick q = tb_quick(op->multiplier[channel], op->shift[channel], op->out_zero);
        put->multiplier = op->multiplier[channel], put->round = q.round, put->shift = q.shift;
    }
    put->out_c = op->out_c;
}

/* ---- sums ---- */

/* One row's products of one output. At stride 1 its window begins in the second half of x[0] where
 * `odd`; w: pairs of all neighbours. At stride 2 it begins with x[0], and so do pairs of weights. */
TB_INLINE int32_t sum_row(const TbPair *x, const TbPair *w, int32_t sum, int k, int stride, int odd)
{
    if (stride == 2) {
        for (int i = 0; i < (k + 1) / 2; i++)
            sum = tb_mac_pairs(x[i], w[i], sum);
        return sum;
    }
    sum = odd ? tb_mac_high_low(x[0], w[0], sum) : tb_mac_low_high(x[k / 2], w[k - 2], sum);
    for (int i = 0; i < k / 2; i++)
        sum = tb_mac_pairs(x[i + odd], w[2 * i + odd], sum);
    return sum;
}

/* Output o of a tile. */
TB_INLINE int32_t sum_output(const TbPair *x, const TbPair *w, int words, int o, int k, int stride)
{
    const int odd = stride == 1 ? o + k / 2 % 2 : 0; /* halves from the first word on */
    const int pairs = stride == 1 ? k - 1 : (k + 1) / 2;
    int32_t sum = (int32_t)*w++;
    x += stride == 1 ? odd / 2 : o;
    for (int y = 0; y < k; y++, x += words, w += pairs)
        sum = sum_row(x, w, sum, k, stride, odd % 2);
    return sum;
}

#if TB_TILE_ASM
#define TB_OF(op, s, from, x, w) op " %[s" #s "], " #x ", " #w ", %[s" #from "]\n"
#define TB_TO(s, x, w) TB_OF("smlad", s, s, x, w)
#define TB_TAIL(s, x, w) TB_OF("smlabt", s, s, x, w) /* the last weight alone */
#define TB_HEAD(s, x, w) TB_OF("smlatb", s, s, x, w) /* the first */
#define TB_X "ldmia %[x], {r0, r1, r2, r3}\n"
#define TB_XY(a, b, at) "ldrd " #a ", " #b ", [%[x], #" #at "]\n"
#define TB_W2 "ldrd r4, r5, [%[w]], #8\n"
#define TB_W1 "ldr r4, [%[w]], #4\n"
#define TB_NEXT "add %[x], %[x], %[row]\n"

/* A row, to sums that begin with p, q, r, and the last with itself. */
#define TB_ROW_31(p, q, r)                                                                        \
    TB_X TB_W2 TB_OF("smlatb", 0, p, r0, r4) TB_OF("smlad", 1, q, r1, r4)                         \
    TB_OF("smlatb", 2, r, r1, r4) TB_TO(3, r2, r4)                                                \
    TB_TO(0, r1, r5) TB_TAIL(1, r2, r5) TB_TO(2, r2, r5) TB_TAIL(3, r3, r5)
#define TB_ROW_51(p, q, r)                                                                        \
    TB_X TB_W2 TB_OF("smlad", 0, p, r0, r4) TB_OF("smlatb", 1, q, r0, r4)                         \
    TB_OF("smlad", 2, r, r1, r4) TB_HEAD(3, r1, r4) TB_TO(1, r1, r5) TB_TO(3, r2, r5)             \
    TB_W2 TB_TO(0, r1, r4) TB_TO(2, r2, r4)                                                       \
    TB_TAIL(0, r2, r5) TB_TO(1, r2, r5) TB_TAIL(2, r3, r5) TB_TO(3, r3, r5)
#define TB_ROW_71(p, q, r)                                                                        \
    TB_X TB_W2 TB_OF("smlatb", 0, p, r0, r4) TB_OF("smlad", 1, q, r1, r4)                         \
    TB_OF("smlatb", 2, r, r1, r4) TB_TO(3, r2, r4) TB_TO(0, r1, r5) TB_TO(2, r2, r5)              \
    TB_XY(r0, r1, 16) TB_W2 TB_TO(1, r2, r4) TB_TO(3, r3, r4) TB_TO(0, r2, r5) TB_TO(2, r3, r5)   \
    TB_W2 TB_TO(1, r3, r4) TB_TO(3, r0, r4)                                                       \
    TB_TO(0, r3, r5) TB_TO(2, r0, r5) TB_TAIL(1, r0, r5) TB_TAIL(3, r1, r5)
#define TB_TWO_2(p, q, r)                                                                         \
    TB_X TB_W2 TB_OF("smlad", 0, p, r0, r4) TB_OF("smlad", 1, q, r1, r4)                          \
    TB_OF("smlad", 2, r, r2, r4) TB_TO(3, r3, r4) TB_TO(0, r1, r5)
#define TB_ROW_32(p, q, r)                                                                        \
    TB_TWO_2(p, q, r) "ldr r0, [%[x], #16]\n"                                                     \
    TB_TO(1, r2, r5) TB_TO(2, r3, r5) TB_TO(3, r0, r5)
#define TB_THREE_2(p, q, r)                                                                       \
    TB_TWO_2(p, q, r) TB_XY(r0, r1, 16) TB_TO(1, r2, r5) TB_TO(2, r3, r5) TB_TO(3, r0, r5)
#define TB_ROW_52(p, q, r)                                                                        \
    TB_THREE_2(p, q, r) TB_W1 TB_TO(0, r2, r4) TB_TO(1, r3, r4) TB_TO(2, r0, r4) TB_TO(3, r1, r4)
#define TB_ROW_72(p, q, r)                                                                        \
    TB_THREE_2(p, q, r) TB_W2 TB_TO(0, r2, r4) TB_TO(1, r3, r4) TB_TO(2, r0, r4) TB_TO(3, r1, r4) \
    "ldr r2, [%[x], #24]\n" TB_TO(0, r3, r5) TB_TO(1, r0, r5) TB_TO(2, r1, r5) TB_TO(3, r2, r5)
#define TB_MORE(row) TB_NEXT row(0, 1, 2)
#define TB_MORE_2(row) TB_MORE(row) TB_MORE(row)

/* The bias is in sum 3 until its turn comes. */
#define TB_SQUARE(text)                                                                           \
    __asm__ volatile("ldr %[s3], [%[w]], #4\n" text                                               \
                     : [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3),            \
                       [x] "+r"(x), [w] "+r"(w)                                                   \
                     : [row] "r"(row)                                                             \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "memory")
#define TB_SQUARE_3(row) TB_SQUARE(row(3, 3, 3) TB_MORE_2(row))
#define TB_SQUARE_5(row) TB_SQUARE(row(3, 3, 3) TB_MORE_2(row) TB_MORE_2(row))
#define TB_SQUARE_7(row) TB_SQUARE(row(3, 3, 3) TB_MORE_2(row) TB_MORE_2(row) TB_MORE_2(row))
#endif

/* The sums of a tile; afterwards t->w is behind the weights. k, stride: constants. */
TB_INLINE void sum_tile(TbTile *t, const TbPair *x, const TbPair *w, int words, int k, int stride)
{
#if TB_TILE_ASM
    const int row = 4 * words;
    int32_t s0, s1, s2, s3;
    if (k == 3 && stride == 1)
        TB_SQUARE_3(TB_ROW_31);
    else if (k == 3)
        TB_SQUARE_3(TB_ROW_32);
    else if (k == 5 && stride == 1)
        TB_SQUARE_5(TB_ROW_51);
    else if (k == 5)
        TB_SQUARE_5(TB_ROW_52);
    else if (stride == 1)
        TB_SQUARE_7(TB_ROW_71);
    else
        TB_SQUARE_7(TB_ROW_72);
    t->s[0] = s0, t->s[1] = s1, t->s[2] = s2, t->s[3] = s3;
    t->w = w;
#else
    for (int o = 0; o < TB_TILE; o++)
        t->s[o] = sum_output(x, w, words, o, k, stride);
    t->w = w + 1 + k * (stride == 1 ? k - 1 : (k + 1) / 2);
#endif
}

/* k, stride: constants. */
TB_INLINE void make_part(const Planes *s, const Part *p, int k, int stride)
{
    const TbPair *row = p->x;
    int8_t *first = p->out;
    for (int y = 0; y < p->rows; y++, row += s->op->sh * s->words, first += p->out_row) {
        int8_t *out = first, *const end = first + p->end;
        const TbPair *x = row;
        do {
            TbTile t;
            sum_tile(&t, x, p->w, s->words, k, stride);
            out = tb_tile_put(&t, out);
            x += 2 * stride;
        } while (out < end);
    }
}

static TB_APART void make_3x3(const Planes *s, const Part *p)
{
    make_part(s, p, 3, 1);
}

static TB_APART void make_3x3_2(const Planes *s, const Part *p)
{
    make_part(s, p, 3, 2);
}

static TB_APART void make_5x5(const Planes *s, const Part *p)
{
    make_part(s, p, 5, 1);
}

static TB_APART void make_5x5_2(const Planes *s, const Part *p)
{
    make_part(s, p, 5, 2);
}

static TB_APART void make_7x7(const Planes *s, const Part *p)
{
    make_part(s, p, 7, 1);
}

static TB_APART void make_7x7_2(const Planes *s, const Part *p)
{
    make_part(s, p, 7, 2);
}

/* No table of functions: constants are the model's alone. */
static TB_APART void make(const Planes *s, const Part *p)
{
    switch (s->square) {
    case 31:
        make_3x3(s, p);
        return;
    case 32:
        make_3x3_2(s, p);
        return;
    case 51:
        make_5x5(s, p);
        return;
    case 52:
        make_5x5_2(s, p);
        return;
    case 71:
        make_7x7(s, p);
        return;
    default:
        make_7x7_2(s, p);
    }
}

/* A channel whose requantisation is not the quick one: output by output. */
static TB_APART void make_slowly(const Planes *s, const Part *p, int channel)
{
    const TbOp *op = s->op;
    const TbRequant r = tb_requant(op);
    for (int y = 0; y < p->rows; y++)
        for (int i = 0; i < op->out_w; i++) {
            const TbPair *x = p->x + y * op->sh * s->words + i / TB_TILE * 2 * op->sw;
            const int32_t sum = sum_output(x, p->w, s->words, i % TB_TILE, op->kw, op->sw);
            p->out[y * s->out_row + i * op->out_c] = tb_output(&r, sum, channel);
        }
}

/* The last row of all, of whose last tile not all may be written: beside its place, and then there. */
static TB_APART void make_last(const Planes *s, Part *p)
{
    int8_t *const out = p->out, *const spare = s->spare;
    TbPut *const put = (TbPut *)(p->w + s->constants) - 1;
    const int out_c = s->op->out_c;
    put->out_c = 1;
    p->out = spare, p->rows = 1, p->end = s->op->out_w;
    make(s, p);
    put->out_c = out_c;
    for (int i = 0; i < s->op->out_w; i++)
        out[i * out_c] = spare[i];
}

static TB_APART void clamp(const TbOp *op, int8_t *out, int n)
{
    for (; n > 0; n--, out += op->out_c)
        *out = tb_clamp(*out, op->act_min, op->act_max);
}

/* Output rows [y, y + n) of a channel. */
static void make_rows(const Planes *s, int channel, int lane, int y, int n)
{
    const TbOp *op = s->op;
    const int spills = op->out_w % TB_TILE && y + n == op->out_h;
    int8_t *const out = s->out + y * s->out_row + channel;
    Part p;
    p.x = s->planes + lane * s->rows * s->words;
    p.w = s->weights + lane * s->constants;
    p.out = out, p.out_row = p.end = s->out_row, p.rows = n - spills;
    if (!is_quick(op, channel)) {
        p.rows = n;
        make_slowly(s, &p, channel);
        return;
    }
    if (p.rows)
        make(s, &p);
    if (spills) {
        p.x += p.rows * op->sh * s->words, p.out += p.rows * s->out_row;
        make_last(s, &p);
    }
    if (s->narrow)
        clamp(op, out, n * op->out_w);
}

/* Channels [channel, channel + n), the last ones of the four from `first` on. */
static void make_channels(const Planes *s, int first, int channel, int n)
{
    const TbOp *op = s->op;
    const int lane = channel - first, kept = op->kh - op->sh;
    for (int i = 0; i < n; i++)
        prepare(s, channel + i, s->weights + (lane + i) * s->constants);
    for (int y = 0; y < op->out_h; y += s->block) {
        const int rows = op->out_h - y < s->block ? op->out_h - y : s->block;
        if (y > 0)
            move_up(s, s->block * op->sh, kept);
        unpack(s, first, y * op->sh - op->pad_top, y > 0 ? kept : 0, (rows - 1) * op->sh + op->kh);
        for (int i = 0; i < n; i++)
            make_rows(s, channel + i, lane + i, y, rows);
    }
}

void tb_depthwise_planes_rows(const TbOp *op, const TbRows *rows, void *scratch)
{
    const uint32_t k = op->kw, words = tb_planes_words(k, op->sw, op->out_w);
    const int channels = op->out_c;
    Planes s;
    s.op = op, s.in = rows->in[op->pad_top], s.out = rows->out[0];
    s.square = op->kw * 10 + op->sw;
    s.in_row = op->in_w * channels, s.out_row = op->out_w * channels;
    s.words = (int)words;
    s.block = (int)tb_planes_block(k, op->sh, words, op->out_h);
    s.rows = (s.block - 1) * op->sh + op->kh;
    s.left = (op->pad_left + 1) / 2;
    s.columns = s.words - s.left < (op->in_w + 1) / 2 ? 2 * (s.words - s.left) : op->in_w;
    s.constants = (int)tb_planes_constants(k, op->sw);
    s.narrow = op->act_min > -128 || op->act_max < 127;
    s.padding = tb_four_bytes(op->in_zero);
    s.weights = (TbPair *)scratch;
    s.planes = s.weights + TB_LANES * s.constants;
    s.spare = (int8_t *)(s.planes + TB_LANES * s.rows * s.words);
    pad(&s, s.planes, TB_LANES * s.rows * s.words);
    for (int channel = 0; channel < channels; channel += TB_LANES) {
        const int left = channels - channel, n = left < TB_LANES ? left : TB_LANES;
        make_channels(&s, channels < TB_LANES ? 0 : channel + n - TB_LANES, channel, n);
    }
}
