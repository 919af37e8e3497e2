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
 * Weights are doubled, for the quick requantisation of sums that are (tb_depthwise_tile.h). */
#include "tb_depthwise_tile.h"

typedef struct {
    const TbOp *op;
    const int8_t *in;
    int8_t *out;
    int square;          /* 10 * k + stride */
    int in_row, out_row; /* bytes */
    int words, rows;     /* of a plane: of a row, and how many */
    int lane;            /* words of a plane */
    int left;            /* words of a row that come before the image */
    int columns;         /* of the image that a row holds */
    int block;           /* rows of output while the plane's rows stay */
    int constants;       /* words of a channel's */
    int weight_bytes;    /* of a channel, packed */
    int narrow;          /* the activation's range is narrower than an int8 */
    uint32_t padding;    /* four bytes of zero point */
    TbPair *weights;     /* [4][constants]: the bias, pairs of weights, and a Walk; the assembly
                            has two pairs before the bias */
    int8_t *spare;       /* of a row of outputs, whole tiles */
    TbPair *planes;      /* [4][rows][words] */
} Planes;

/* What makes a channel's outputs, behind its weights, and on a core with assembly where it is: out;
 * the weights; from a tile's last row back to the next tile; out at the end of its row; from there
 * to the next row of the plane and of the output; bytes of an output row; where to stop. */
typedef struct {
    TbPut put;
#if TB_TILE_ASM
    int8_t *out;
    const TbPair *w;
    int32_t x_back;
    int8_t *end;
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

#if TB_TILE_ASM && !defined(__clang__) /* which finds no 13 registers beside memory operands */
#define TB_UNPACK_ASM 1
#define TB_PUT_WORDS /* of pixels r0 and r1 */                                                    \
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
#else
/* Four channels of two pixels, one word each. */
TB_INLINE void put_words(TbPair *to, int lane, uint32_t a, uint32_t b)
{
    const TbPair low = tb_pair_lows(a, b), high = tb_pair_highs(a, b);
    to[0] = tb_even_bytes(low);
    to[lane] = tb_odd_bytes(low);
    to[2 * lane] = tb_even_bytes(high);
    to[3 * lane] = tb_odd_bytes(high);
}
#endif

/* Rows of the image, four channels of each: n pixels, the last alone with padding; in_row, words:
 * from row to row. */
typedef struct {
    const int8_t *from;
    TbPair *to;
    int n, rows, step, in_row, words, lane;
    uint32_t padding;
} Rows;

TB_INLINE void unpack_fours(const Rows *r)
{
    const int8_t *from = r->from;
    TbPair *to = r->to;
    const int step = r->step;
#ifdef TB_UNPACK_ASM
    const int32_t skip = r->in_row - r->n * step, next = 4 * (r->words - (r->n + 1) / 2);
    TbPair *b = to + r->lane, *c = b + r->lane, *d = c + r->lane;
    const uint32_t padding = r->padding, pixels = (uint32_t)r->n;
    uint32_t n, rows = (uint32_t)r->rows;
    __asm__ volatile("0: ldr %[n], %[pixels]\n"
                     "subs %[n], %[n], #4\n"
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
                     "ldr r1, %[padding]\n"
                     "add %[from], %[from], %[step]\n" TB_PUT_WORDS
                     "4: ldr r0, %[next]\n"
                     "ldr r1, %[skip]\n"
                     "ldr r2, %[rows]\n"
                     "add %[a], %[a], r0\n"
                     "add %[b], %[b], r0\n"
                     "add %[c], %[c], r0\n"
                     "add %[d], %[d], r0\n"
                     "add %[from], %[from], r1\n"
                     "subs r2, r2, #1\n"
                     "str r2, %[rows]\n"
                     "bne 0b\n"
                     : [from] "+r"(from), [a] "+r"(to), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),
                       [n] "=&r"(n), [rows] "+m"(rows)
                     : [step] "r"(step), [padding] "m"(padding), [pixels] "m"(pixels),
                       [skip] "m"(skip), [next] "m"(next)
                     : "r0", "r1", "r2", "r3", "r4", "r5", "cc", "memory");
#else
    for (int y = 0; y < r->rows; y++, from += r->in_row, to += r->words) {
        const int8_t *p = from;
        for (int x = 0; x < r->n; x += 2, p += 2 * step)
            put_words(to + x / 2, r->lane, tb_word(p),
                      x + 1 < r->n ? tb_word(p + step) : r->padding);
    }
#endif
}

/* Of a layer of fewer than four channels. */
static TB_APART void unpack_narrow(const Rows *r)
{
    const int8_t zero = (int8_t)(uint8_t)r->padding;
    for (int y = 0; y < r->rows; y++)
        for (int c = 0; c < r->step; c++)
            for (int x = 0; x < r->n; x += 2) {
                const int8_t *p = r->from + y * r->in_row + x * r->step + c;
                r->to[y * r->words + c * r->lane + x / 2] =
                    tb_pair(p[0], x + 1 < r->n ? p[r->step] : zero);
            }
}

static TB_APART void fill(TbPair *to, int n, uint32_t padding)
{
    const TbPair pair = tb_even_bytes(padding);
    for (; n >= 4; n -= 4, to += 4)
        to[0] = to[1] = to[2] = to[3] = pair;
    while (n-- > 0)
        *to++ = pair;
}

/* Padding for n rows of the planes from `first` on. */
static void fill_rows(const Planes *s, int first, int n)
{
    const int lane = s->lane;
    for (int l = 0; n > 0 && l < TB_LANES; l++)
        fill(s->planes + l * lane + first * s->words, n * s->words, s->padding);
}

/* The rows that the next outputs need too: the last n. */
static TB_APART void move_up(const Planes *s, int n)
{
    typedef struct {
        TbPair w[4];
    } Four;
    const int lane = s->lane, words = n * s->words;
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
    const int below = s->op->in_h - y; /* the first row below the image */
    const int begin = from > -y ? from : to < -y ? to : -y;
    const int end = begin > below ? begin : to < below ? to : below;
    const Rows r = {s->in + (y + begin) * s->in_row + channel,
                    s->planes + begin * s->words + s->left, s->columns, end - begin, s->op->in_c,
                    s->in_row, s->words, s->lane, s->padding};
    if (s->block < s->op->out_h) { /* or nothing else has ever been there */
        fill_rows(s, from, begin - from);
        fill_rows(s, end, to - end);
    }
    if (r.rows > 0 && r.step >= TB_LANES)
        unpack_fours(&r);
    else if (r.rows > 0)
        unpack_narrow(&r);
}

/* ---- a channel's constants ---- */

/* Twice four weights, as the even ones and the odd ones. */
typedef struct {
    TbPair even, odd;
} Weights;

TB_INLINE Weights four_weights(const int8_t *w)
{
    const uint32_t four = tb_word(w);
    Weights f = {tb_add_even_bytes(tb_even_bytes(four), four),
                 tb_add_odd_bytes(tb_odd_bytes(four), four)};
    return f;
}

/* Of four weights the three pairs of neighbours. */
TB_INLINE void put_neighbours(TbPair *to, const int8_t *w)
{
    const Weights f = four_weights(w);
    to[0] = tb_pair_lows(f.even, f.odd);
    to[1] = tb_pair_low_high(f.odd, f.even);
    to[2] = tb_pair_highs(f.even, f.odd);
}

/* Of each row of k weights all pairs of neighbours, and of 3 one that the next writes over; at
 * stride 2 pair after pair. */
TB_INLINE void put_weights(TbPair *to, const int8_t *w, int k, int stride)
{
    const TbPair *const end = to + (stride == 1 ? k * (k - 1) : k * (k + 1) / 2);
    for (; stride == 2 && to < end; to += 2, w += 4) {
        const Weights f = four_weights(w);
        to[0] = tb_pair_lows(f.even, f.odd);
        to[1] = tb_pair_highs(f.even, f.odd);
    }
    for (; k == 3 && to < end; to += 2, w += 3)
        put_neighbours(to, w);
    for (; to < end; to += k - 1, w += k) {
        put_neighbours(to, w);
        put_neighbours(to + k - 4, w + k - 4);
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
    const int shift = op->shift[channel];
    TbPut *const put = put_of(s, w);
    put_weights(w + 1, op->weights + channel * s->weight_bytes, op->kw, op->sw);
    put->out_c = op->out_c;
    put->multiplier = 0;
    w[0] = 0;
    if (tb_is_quick(bias, multiplier, shift)) {
        const TbQuick q = tb_quick(multiplier, shift, op->out_zero);
        put->multiplier = multiplier, put->round = q.round, put->shift = q.shift;
        w[0] = 2 * (uint32_t)bias;
#if TB_TILE_ASM
        const TbPair first = w[1], second = w[2];
        w[2] = w[0], w[0] = first, w[1] = second;
#endif
    }
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
#define TB_W2_BIAS "ldmia %[w]!, {r4, r5, %[s3]}\n"
#define TB_W1 "ldr r4, [%[w]], #4\n"
#define TB_NEXT "add %[x], %[x], %[row]\n"

/* A row, whose first weights w loads, to sums that begin with p, q, r, and the last with itself. */
#define TB_ROW_31(w, p, q, r)                                                                     \
    TB_X w TB_OF("smlatb", 0, p, r0, r4) TB_OF("smlad", 1, q, r1, r4)                             \
    TB_OF("smlatb", 2, r, r1, r4) TB_TO(3, r2, r4)                                                \
    TB_TO(0, r1, r5) TB_TAIL(1, r2, r5) TB_TO(2, r2, r5) TB_TAIL(3, r3, r5)
#define TB_ROW_51(w, p, q, r)                                                                     \
    TB_X w TB_OF("smlad", 0, p, r0, r4) TB_OF("smlatb", 1, q, r0, r4)                             \
    TB_OF("smlad", 2, r, r1, r4) TB_HEAD(3, r1, r4) TB_TO(1, r1, r5) TB_TO(3, r2, r5)             \
    TB_W2 TB_TO(0, r1, r4) TB_TO(2, r2, r4)                                                       \
    TB_TAIL(0, r2, r5) TB_TO(1, r2, r5) TB_TAIL(2, r3, r5) TB_TO(3, r3, r5)
#define TB_ROW_71(w, p, q, r)                                                                     \
    TB_X w TB_OF("smlatb", 0, p, r0, r4) TB_OF("smlad", 1, q, r1, r4)                             \
    TB_OF("smlatb", 2, r, r1, r4) TB_TO(3, r2, r4) TB_TO(0, r1, r5) TB_TO(2, r2, r5)              \
    TB_XY(r0, r1, 16) TB_W2 TB_TO(1, r2, r4) TB_TO(3, r3, r4) TB_TO(0, r2, r5) TB_TO(2, r3, r5)   \
    TB_W2 TB_TO(1, r3, r4) TB_TO(3, r0, r4)                                                       \
    TB_TO(0, r3, r5) TB_TO(2, r0, r5) TB_TAIL(1, r0, r5) TB_TAIL(3, r1, r5)
#define TB_TWO_2(w, p, q, r)                                                                      \
    TB_X w TB_OF("smlad", 0, p, r0, r4) TB_OF("smlad", 1, q, r1, r4)                              \
    TB_OF("smlad", 2, r, r2, r4) TB_TO(3, r3, r4) TB_TO(0, r1, r5)
#define TB_ROW_32(w, p, q, r)                                                                     \
    TB_TWO_2(w, p, q, r) "ldr r0, [%[x], #16]\n"                                                  \
    TB_TO(1, r2, r5) TB_TO(2, r3, r5) TB_TO(3, r0, r5)
#define TB_THREE_2(w, p, q, r)                                                                    \
    TB_TWO_2(w, p, q, r) TB_XY(r0, r1, 16) TB_TO(1, r2, r5) TB_TO(2, r3, r5) TB_TO(3, r0, r5)
#define TB_ROW_52(w, p, q, r)                                                                     \
    TB_THREE_2(w, p, q, r) TB_W1 TB_TO(0, r2, r4) TB_TO(1, r3, r4) TB_TO(2, r0, r4) TB_TO(3, r1, r4)
#define TB_ROW_72(w, p, q, r)                                                                     \
    TB_THREE_2(w, p, q, r) TB_W2 TB_TO(0, r2, r4) TB_TO(1, r3, r4) TB_TO(2, r0, r4) TB_TO(3, r1, r4) \
    "ldr r2, [%[x], #24]\n" TB_TO(0, r3, r5) TB_TO(1, r0, r5) TB_TO(2, r1, r5) TB_TO(3, r2, r5)
#define TB_MORE(row) TB_NEXT row(TB_W2, 0, 1, 2)
#define TB_MORE_2(row) TB_MORE(row) TB_MORE(row)

/* All tiles of some rows; the Walk is `size` bytes from the first weight. The bias is in sum 3 until
 * its turn comes. */
#define TB_SQUARE(rows)                                                                           \
    __asm__ volatile("1:\n" rows                                                                  \
                     "ldmia %[w], {r0, r1, r2, r3, r5, %[w]}\n"                                   \
                     TB_OUTPUT(0) "strb r4, [r5]\n"                                               \
                     TB_OUTPUT(1) "strb r4, [r5, r3]\n"                                           \
                     "add r5, r5, r3, lsl #1\n"                                                   \
                     TB_OUTPUT(2) "strb r4, [r5]\n"                                               \
                     TB_OUTPUT(3) "strb r4, [r5, r3]\n"                                           \
                     "add r5, r5, r3, lsl #1\n"                                                   \
                     "ldrd r0, r4, [%[w], %[size] + 24]\n"                                        \
                     "str r5, [%[w], %[size] + 16]\n"                                             \
                     "sub %[x], %[x], r0\n"                                                       \
                     "cmp r5, r4\n"                                                               \
                     "blo 1b\n"                                                                   \
                     "ldrd r0, r1, [%[w], %[size] + 32]\n"                                        \
                     "ldrd r2, r3, [%[w], %[size] + 40]\n"                                        \
                     "add r5, r5, r1\n"                                                           \
                     "add r4, r4, r2\n"                                                           \
                     "add %[x], %[x], r0\n"                                                       \
                     "str r5, [%[w], %[size] + 16]\n"                                             \
                     "str r4, [%[w], %[size] + 28]\n"                                             \
                     "cmp r5, r3\n"                                                               \
                     "bne 1b\n"                                                                   \
                     : [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3),            \
                       [x] "+r"(x), [w] "+r"(w)                                                   \
                     : [row] "r"(row), [size] "i"(4 * (1 + pairs))                                \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "cc", "memory")
#define TB_SQUARE_3(row) TB_SQUARE(row(TB_W2_BIAS, 3, 3, 3) TB_MORE_2(row))
#define TB_SQUARE_5(row) TB_SQUARE(row(TB_W2_BIAS, 3, 3, 3) TB_MORE_2(row) TB_MORE_2(row))
#define TB_SQUARE_7(row)                                                                          \
    TB_SQUARE(row(TB_W2_BIAS, 3, 3, 3) TB_MORE_2(row) TB_MORE_2(row) TB_MORE_2(row))
#endif

/* k, stride: constants. */
TB_INLINE void make_part(const Planes *s, const Part *p, int k, int stride)
{
    const int pairs = k * (stride == 1 ? k - 1 : (k + 1) / 2);
    const int tiles = (s->op->out_w + TB_TILE - 1) / TB_TILE, down = s->op->sh * s->words;
    Walk *const walk = (Walk *)(p->w + 1 + pairs);
    const int out_c = walk->put.out_c, out_row = s->op->out_w * out_c;
#if TB_TILE_ASM
    const TbPair *x = p->x, *w = p->w;
    const int row = 4 * s->words;
    int32_t s0, s1, s2, s3;
    walk->out = p->out, walk->end = p->out + out_row, walk->last = p->out + p->rows * out_row;
    walk->w = p->w, walk->x_back = (k - 1) * row - 8 * stride;
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
TB_INLINE void make(const Planes *s, const Part *p)
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
            const int32_t twice = sum_output(x, p->w, s->words, i % TB_TILE, op->kw, op->sw);
            p->out[y * s->out_row + i * op->out_c] =
                tb_output(&r, (twice >> 1) + op->bias[channel], channel);
        }
}

/* From beside its place. */
TB_INLINE void put_spare(const Planes *s, int8_t *out)
{
    const int out_c = s->op->out_c;
    for (int i = 0; i < s->op->out_w; i++, out += out_c)
        *out = s->spare[i];
}

/* Output rows [y, y + n) of a channel. Of the last row of all not all of the last tile may be
 * written: it is made beside its place. */
static TB_APART void make_rows(const Planes *s, int channel, int lane, int y, int n)
{
    const TbOp *op = s->op;
    const int spills = op->out_w % TB_TILE && y + n == op->out_h;
    int8_t *const out = s->out + y * s->out_row + channel;
    Part p = {s->planes + lane * s->lane, s->weights + lane * s->constants, out, n - spills};
    TbPut *const put = put_of(s, p.w);
    if (put->multiplier == 0) {
        p.rows = n;
        make_slowly(s, &p, channel);
        return;
    }
    for (int left = n; left > 0; left -= p.rows) {
        if (p.rows == 0 || left < n) {
            p.x += p.rows * op->sh * s->words;
            p.out = s->spare, p.rows = 1;
            put->out_c = 1;
        }
        make(s, &p);
    }
    if (spills) {
        put->out_c = op->out_c;
        put_spare(s, out + (n - 1) * s->out_row);
    }
    if (s->narrow)
        tb_tile_clamp(op, out, n * op->out_w);
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
        unpack_rows(s, first, y * op->sh - op->pad_top, y > 0 ? kept : 0,
                    (rows - 1) * op->sh + op->kh);
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
    s.lane = s.rows * s.words;
    s.left = (op->pad_left + 1) / 2;
    s.columns = s.words - s.left < (op->in_w + 1) / 2 ? 2 * (s.words - s.left) : op->in_w;
    s.constants = (int)tb_planes_constants(k, op->sw);
    s.weight_bytes = (int)tb_depthwise_planes_weights(k, op->sw, 1);
    s.narrow = op->act_min > -128 || op->act_max < 127;
    s.padding = tb_four_bytes(op->in_zero);
    s.weights = (TbPair *)scratch;
    s.spare = (int8_t *)(s.weights + TB_LANES * s.constants);
    s.planes = (TbPair *)(void *)(s.spare + tb_planes_spare(op->out_w));
    fill(s.planes, TB_LANES * s.lane, s.padding);
    for (int channel = 0; channel < channels; channel += TB_LANES) {
        const int left = channels - channel, n = left < TB_LANES ? left : TB_LANES;
        make_channels(&s, channels < TB_LANES ? 0 : channel + n - TB_LANES, channel, n);
    }
}
