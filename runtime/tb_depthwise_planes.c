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
    int weight_bytes;    /* of a channel, packed */
    int narrow;          /* the activation's range is narrower than an int8 */
    uint32_t padding;    /* four bytes of zero point */
    TbPair *weights;     /* [4][constants]: the bias, its pairs, and a TbPut */
    int8_t *spare;       /* of a row of outputs, whole tiles */
    TbPair *planes;      /* [4][rows][words] */
} Planes;

/* What makes a channel's outputs, behind its weights, and on a core with assembly where it is: out,
 * and the end of its row; from a row's end to the next row in the plane and in the output; bytes of
 * a row; where to stop. */
typedef struct {
    TbPut put;
#if TB_TILE_ASM
    int8_t *out, *end;
    int32_t x_step, out_step, out_row;
    int8_t *last;
#endif
} Walk;

/* Some rows of one channel. */
typedef struct {
    const TbPair *x; /* the first row's first word */
    TbPair *w;       /* the channel's constants */
    int8_t *out;
    int rows;
} Part;

/* ---- unpacking ---- */

#if TB_TILE_ASM
#define TB_PUT_WORDS /* of pixels r0 and r1 */                                                     \
    "pkhbt r2, r0, r1, lsl #16\n"                                                                 \
    "pkhtb r3, r1, r0, asr #16\n"                                                                 \
    "sxtb16 r0, r2\n"                                                                             \
    "sxtb16 r2, r2, ror #8\n"                                                                     \
    "sxtb16 r1, r3\n"                                                                             \
    "sxtb16 r3, r3, ror #8\n"                                                                     \
    "str r0, [%[a]], #4\n"                                                                        \
    "str r2, [%[b]], #4\n"                                                                        \
    "str r1, [%[c]], #4\n"                                                                        \
    "str r3, [%[d]], #4\n"
#endif

/* Four channels of two pixels, one word each. */
TB_INLINE void put_words(TbPair *to, int lane, uint32_t a, uint32_t b)
{
    const TbPair low = tb_pair_lows(a, b), high = tb_pair_highs(a, b);
    to[0] = tb_even_bytes(low);
    to[lane] = tb_odd_bytes(low);
    to[2 * lane] = tb_even_bytes(high);
    to[3 * lane] = tb_odd_bytes(high);
}

/* Four channels of n pixels, `step` bytes apart, the last alone with padding; lane: words between
 * two channels' planes. */
TB_INLINE void unpack_row(TbPair *to, int lane, const int8_t *from, int step, int n,
                          uint32_t padding)
{
#if TB_TILE_ASM
    TbPair *b = to + lane, *c = b + lane, *d = c + lane;
    __asm__ volatile("subs %[n], %[n], #4\n"
                     "blo 2f\n"
                     "1: ldr r0, [%[from]]\n"
                     "ldr r1, [%[from], %[step]]\n"
                     "add %[from], %[from], %[step], lsl #1\n"
                     "ldr r2, [%[from]]\n"
                     "ldr r3, [%[from], %[step]]\n"
                     "add %[from], %[from], %[step], lsl #1\n"
                     "pkhbt r4, r0, r1, lsl #16\n"
                     "pkhtb r0, r1, r0, asr #16\n"
                     "pkhbt r5, r2, r3, lsl #16\n"
                     "pkhtb r1, r3, r2, asr #16\n"
                     "sxtb16 r2, r4\n"
                     "sxtb16 r3, r5\n"
                     "strd r2, r3, [%[a]], #8\n"
                     "sxtb16 r4, r4, ror #8\n"
                     "sxtb16 r5, r5, ror #8\n"
                     "strd r4, r5, [%[b]], #8\n"
                     "sxtb16 r2, r0\n"
                     "sxtb16 r3, r1\n"
                     "strd r2, r3, [%[c]], #8\n"
                     "sxtb16 r0, r0, ror #8\n"
                     "sxtb16 r1, r1, ror #8\n"
                     "subs %[n], %[n], #4\n"
                     "strd r0, r1, [%[d]], #8\n"
                     "bhs 1b\n"
                     "2: tst %[n], #2\n"
                     "beq 3f\n"
                     "ldr r0, [%[from]]\n"
                     "ldr r1, [%[from], %[step]]\n"
                     "add %[from], %[from], %[step], lsl #1\n" TB_PUT_WORDS
                     "3: tst %[n], #1\n"
                     "beq 4f\n"
                     "ldr r0, [%[from]]\n"
                     "ldr r1, %[padding]\n" TB_PUT_WORDS
                     "4:\n"
                     : [from] "+r"(from), [a] "+r"(to), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),
                       [n] "+r"(n)
                     : [step] "r"(step), [padding] "m"(padding)
                     : "r0", "r1", "r2", "r3", "r4", "r5", "cc", "memory");
#else
    for (; n > 1; n -= 2, from += 2 * step)
        put_words(to++, lane, tb_word(from), tb_word(from + step));
    if (n)
        put_words(to, lane, tb_word(from), padding);
#endif
}

/* Of a layer of fewer than four channels. */
static TB_APART void unpack_narrow(TbPair *to, int lane, const int8_t *from, int channels, int n,
                                int8_t zero)
{
    for (int c = 0; c < channels; c++)
        for (int x = 0; x < n; x += 2) {
            const int8_t *p = from + x * channels + c;
            to[c * lane + x / 2] = tb_pair(p[0], x + 1 < n ? p[channels] : zero);
        }
}

static TB_APART void fill(TbPair *to, int n, uint32_t padding)
{
    const TbPair pair = tb_even_bytes(padding);
    for (int i = 0; i < n; i++)
        to[i] = pair;
}

/* Padding for n rows of the planes from `first` on. */
static void pad_rows(const Planes *s, int first, int n)
{
    const int lane = s->rows * s->words;
    for (int l = 0; n > 0 && l < TB_LANES; l++)
        fill(s->planes + l * lane + first * s->words, n * s->words, s->padding);
}

/* The rows that the next outputs need too: the last n. */
static TB_APART void move_up(const Planes *s, int n)
{
    typedef struct {
        TbPair w[4];
    } Four;
    const int lane = s->rows * s->words, words = n * s->words;
    for (int l = 0; l < TB_LANES; l++) {
        TbPair *to = s->planes + l * lane;
        const TbPair *from = to + lane - words;
        int i = 0;
        for (; i + 4 <= words; i += 4)
            *(Four *)(to + i) = *(const Four *)(from + i);
        for (; i < words; i++)
            to[i] = from[i];
    }
}

/* Rows [from, to) of the planes, the first of which is row y of the image, of four channels. */
static TB_APART void unpack_rows(const Planes *s, int channel, int y, int from, int to)
{
    const int step = s->op->in_c, words = s->words, lane = s->rows * words, n = s->columns;
    const int in_row = s->in_row, below = s->op->in_h - y; /* the first row below the image */
    const int begin = from < -y ? (to < -y ? to : -y) : from, end = to < below ? to : below;
    const int8_t *in = s->in + (y + begin) * in_row + channel;
    TbPair *row = s->planes + begin * words + s->left;
    const uint32_t padding = s->padding;
    if (s->block < s->op->out_h) { /* or nothing else has ever been there */
        pad_rows(s, from, begin - from);
        pad_rows(s, end > from ? end : from, to - (end > from ? end : from));
    }
    for (int i = begin; i < end; i++, in += in_row, row += words)
        if (step >= TB_LANES)
            unpack_row(row, lane, in, step, n, padding);
        else
            unpack_narrow(row, lane, in, step, n, s->op->in_zero);
}

/* ---- a channel's constants ---- */

/* Four weights, doubled or not, as the even ones and the odd ones. */
typedef struct {
    TbPair even, odd;
} Weights;

TB_INLINE Weights four_weights(const int8_t *w, uint32_t doubled)
{
    const uint32_t four = tb_word(w), again = four & doubled;
    Weights f = {tb_add_even_bytes(tb_even_bytes(four), again),
                 tb_add_odd_bytes(tb_odd_bytes(four), again)};
    return f;
}

/* Of four weights the three pairs of neighbours. */
TB_INLINE void put_neighbours(TbPair *to, const int8_t *w, uint32_t doubled)
{
    const Weights f = four_weights(w, doubled);
    to[0] = tb_pair_lows(f.even, f.odd);
    to[1] = tb_pair_low_high(f.odd, f.even);
    to[2] = tb_pair_highs(f.even, f.odd);
}

/* Of each row of k weights all pairs of neighbours, and of 3 one that the next writes over; at
 * stride 2 pair after pair. */
static TB_APART void put_weights(TbPair *to, const int8_t *w, int k, int stride, uint32_t doubled)
{
    for (int y = 0; stride == 1 && y < k; y++, to += k - 1, w += k) {
        put_neighbours(to, w, doubled);
        if (k > 3)
            put_neighbours(to + k - 4, w + k - 4, doubled);
    }
    for (int i = 0; stride == 2 && i < k * (k + 1); i += 4, to += 2, w += 4) {
        const Weights f = four_weights(w, doubled);
        to[0] = tb_pair_lows(f.even, f.odd);
        to[1] = tb_pair_highs(f.even, f.odd);
    }
}

TB_INLINE TbPut *put_of(const Planes *s, TbPair *w)
{
    return (TbPut *)(w + s->constants - TB_PLANES_WALK);
}

/* Afterwards its multiplier is 0 if its requantisation is not the quick one. */
static TB_APART void prepare_channel(const Planes *s, int channel, TbPair *w)
{
    const TbOp *op = s->op;
    const int32_t bias = op->bias[channel], multiplier = op->multiplier[channel];
    const int shift = op->shift[channel], quick = tb_is_quick(bias, multiplier, shift);
    const TbQuick q = tb_quick(multiplier, shift, op->out_zero);
    TbPut *const put = put_of(s, w);
    w[0] = (uint32_t)bias << quick;
    put_weights(w + 1, op->weights + channel * s->weight_bytes, op->kw, op->sw, -(uint32_t)quick);
    put->multiplier = quick ? multiplier : 0;
    put->round = q.round, put->shift = q.shift, put->out_c = op->out_c;
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

/* All tiles of some rows: w is behind the weights, at a Walk. The bias is in sum 3 until its turn
 * comes; `back` takes x from a tile's last row to the next tile. */
#define TB_SQUARE(rows, back)                                                                     \
    __asm__ volatile("1: sub %[w], %[w], %[size]\n"                                               \
                     "ldr %[s3], [%[w]], #4\n" rows                                               \
                     "ldmia %[w], {r0, r1, r2, r3, r5}\n"                                         \
                     TB_OUTPUT(0) "strb r4, [r5]\n"                                               \
                     TB_OUTPUT(1) "strb r4, [r5, r3]\n"                                           \
                     "add r5, r5, r3, lsl #1\n"                                                   \
                     TB_OUTPUT(2) "strb r4, [r5]\n"                                               \
                     TB_OUTPUT(3) "strb r4, [r5, r3]\n"                                           \
                     "add r5, r5, r3, lsl #1\n"                                                   \
                     "ldr r4, [%[w], #20]\n" back                                                 \
                     "add %[x], %[x], %[tile]\n"                                                  \
                     "cmp r5, r4\n"                                                               \
                     "str r5, [%[w], #16]\n"                                                      \
                     "blo 1b\n"                                                                   \
                     "ldrd r0, r1, [%[w], #24]\n"                                                 \
                     "ldrd r2, r3, [%[w], #32]\n"                                                 \
                     "add r5, r5, r1\n"                                                           \
                     "add r4, r4, r2\n"                                                           \
                     "add %[x], %[x], r0\n"                                                       \
                     "cmp r5, r3\n"                                                               \
                     "strd r5, r4, [%[w], #16]\n"                                                 \
                     "bne 1b\n"                                                                   \
                     : [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3),            \
                       [x] "+r"(x), [w] "+r"(w)                                                   \
                     : [row] "r"(row), [size] "i"(4 * (1 + pairs)), [tile] "i"(8 * stride)        \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "cc", "memory")
#define TB_BACK_2 "sub %[x], %[x], %[row], lsl #1\n"
#define TB_BACK_4 "sub %[x], %[x], %[row], lsl #2\n"
#define TB_SQUARE_3(row) TB_SQUARE(row(3, 3, 3) TB_MORE_2(row), TB_BACK_2)
#define TB_SQUARE_5(row) TB_SQUARE(row(3, 3, 3) TB_MORE_2(row) TB_MORE_2(row), TB_BACK_4)
#define TB_SQUARE_7(row)                                                                          \
    TB_SQUARE(row(3, 3, 3) TB_MORE_2(row) TB_MORE_2(row) TB_MORE_2(row), TB_BACK_2 TB_BACK_4)
#endif

/* k, stride: constants. */
TB_INLINE void make_part(const Planes *s, const Part *p, int k, int stride)
{
    const int pairs = k * (stride == 1 ? k - 1 : (k + 1) / 2);
    const int tiles = (s->op->out_w + TB_TILE - 1) / TB_TILE, down = s->op->sh * s->words;
    Walk *const walk = (Walk *)(p->w + 1 + pairs);
    const int out_c = walk->put.out_c, out_row = s->op->out_w * out_c;
#if TB_TILE_ASM
    const TbPair *x = p->x, *w = p->w + 1 + pairs;
    const int row = 4 * s->words;
    int32_t s0, s1, s2, s3;
    walk->out = p->out, walk->end = p->out + out_row;
    walk->last = p->out + p->rows * out_row;
    walk->x_step = 4 * (down - tiles * 2 * stride);
    walk->out_step = out_row - tiles * TB_TILE * out_c, walk->out_row = out_row;
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
#else
    for (int y = 0; y < p->rows; y++)
        for (int i = 0; i < tiles * TB_TILE; i++) {
            const TbPair *x = p->x + y * down + i / TB_TILE * 2 * stride;
            const int32_t sum = sum_output(x, p->w, s->words, i % TB_TILE, k, stride);
            p->out[y * out_row + i * out_c] = tb_put_one(sum, &walk->put);
        }
#endif
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
static void make_last(const Planes *s, const Part *p)
{
    TbPut *const put = put_of(s, p->w);
    const int out_c = s->op->out_c, n = s->op->out_w;
    Part last = {p->x + p->rows * s->op->sh * s->words, p->w, s->spare, 1};
    int8_t *to = p->out + p->rows * s->out_row;
    put->out_c = 1;
    make(s, &last);
    put->out_c = out_c;
    for (int i = 0; i < n; i++, to += out_c)
        *to = s->spare[i];
}

/* Output rows [y, y + n) of a channel. */
static TB_APART void make_rows(const Planes *s, int channel, int lane, int y, int n)
{
    const TbOp *op = s->op;
    const int spills = op->out_w % TB_TILE && y + n == op->out_h;
    Part p = {s->planes + lane * s->rows * s->words, s->weights + lane * s->constants,
              s->out + y * s->out_row + channel, n};
    if (put_of(s, p.w)->multiplier == 0) {
        make_slowly(s, &p, channel);
        return;
    }
    p.rows -= spills;
    if (p.rows)
        make(s, &p);
    if (spills)
        make_last(s, &p);
    if (s->narrow)
        tb_tile_clamp(op, s->out + y * s->out_row + channel, n * op->out_w);
}

/* Channels [channel, channel + n), the last ones of the four from `first` on. */
static void make_channels(const Planes *s, int first, int channel, int n)
{
    const TbOp *op = s->op;
    const int lane = channel - first, kept = op->kh - op->sh;
    for (int i = 0; i < n; i++)
        prepare_channel(s, channel + i, s->weights + (lane + i) * s->constants);
    for (int y = 0; y < op->out_h; y += s->block) {
        const int rows = op->out_h - y < s->block ? op->out_h - y : s->block;
        if (y > 0)
            move_up(s, kept);
        unpack_rows(s, first, y * op->sh - op->pad_top, y > 0 ? kept : 0, (rows - 1) * op->sh + op->kh);
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
    s.weight_bytes = (int)tb_depthwise_planes_weights(k, op->sw, 1);
    s.narrow = op->act_min > -128 || op->act_max < 127;
    s.padding = tb_four_bytes(op->in_zero);
    s.weights = (TbPair *)scratch;
    s.spare = (int8_t *)(s.weights + TB_LANES * s.constants);
    s.planes = (TbPair *)(void *)(s.spare + tb_planes_spare(op->out_w));
    fill(s.planes, TB_LANES * s.rows * s.words, s.padding);
    for (int channel = 0; channel < channels; channel += TB_LANES) {
        const int left = channels - channel, n = left < TB_LANES ? left : TB_LANES;
        make_channels(&s, channels < TB_LANES ? 0 : channel + n - TB_LANES, channel, n);
    }
}
