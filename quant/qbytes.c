/* qbytes.c - an int8 model as bytes, for results/.
 *
 *   "thimbleQ"  u32 version  u32 size of what follows  u64 FNV-1a of it
 *   net         h w c n_layers, then every layer's fields in the order of net.h
 *   tensors     n_layers + 1 times: scale (IEEE single), zero
 *   layers      act_min act_max, bias, multiplier, shift, weights
 *
 * Little-endian, without padding. The checksum finds accidents; every count is
 * checked all the same, so that no bytes whatever are read or allocated beyond
 * what was given. */
#include "quant/qmodel.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = "thimbleQ";
enum { VERSION = 1, HEADER = 24, LAYER_BYTES = 27 };

/* Both directions are one walk over the fields: writing it copies out of them,
 * reading it into them. */
typedef struct {
    uint8_t *at, *end;
    bool writes;
    bool short_of_bytes; /* reading came to the end */
} Bytes;

static void bytes_field(Bytes *b, uint64_t *value, int size)
{
    if (b->end - b->at < size) {
        b->short_of_bytes = true;
        *value = 0;
        return;
    }
    uint64_t read = 0;
    for (int i = 0; i < size; i++) {
        if (b->writes)
            b->at[i] = (uint8_t)(*value >> (8 * i));
        read |= (uint64_t)b->at[i] << (8 * i);
    }
    b->at += size;
    if (!b->writes)
        *value = read;
}

static void field_u8(Bytes *b, uint8_t *v)
{
    uint64_t value = *v;
    bytes_field(b, &value, 1);
    *v = (uint8_t)value;
}

static void field_i8(Bytes *b, int8_t *v)
{
    uint64_t value = (uint8_t)*v;
    bytes_field(b, &value, 1);
    *v = (int8_t)(uint8_t)value;
}

static void field_u16(Bytes *b, uint16_t *v)
{
    uint64_t value = *v;
    bytes_field(b, &value, 2);
    *v = (uint16_t)value;
}

static void field_i16(Bytes *b, int16_t *v)
{
    uint64_t value = (uint16_t)*v;
    bytes_field(b, &value, 2);
    *v = (int16_t)(uint16_t)value;
}

static void field_i32(Bytes *b, int32_t *v)
{
    uint64_t value = (uint32_t)*v;
    bytes_field(b, &value, 4);
    *v = (int32_t)(uint32_t)value;
}

static void field_float(Bytes *b, float *v)
{
    uint32_t bits;
    memcpy(&bits, v, sizeof bits);
    uint64_t value = bits;
    bytes_field(b, &value, 4);
    bits = (uint32_t)value;
    memcpy(v, &bits, sizeof bits);
}

static void layer_fields(Bytes *b, Layer *l)
{
    uint8_t *small[] = {&l->op, &l->act, &l->role, &l->stage, &l->block, &l->kh,
                        &l->kw, &l->sh, &l->sw, &l->pad_top, &l->pad_left};
    uint16_t *shape[] = {&l->in_h, &l->in_w, &l->in_c, &l->out_h, &l->out_w, &l->out_c};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        field_u8(b, small[i]);
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        field_u16(b, shape[i]);
    field_i16(b, &l->input);
    field_i16(b, &l->input2);
}

static void net_fields(Bytes *b, Net *net)
{
    field_u16(b, &net->h);
    field_u16(b, &net->w);
    field_u16(b, &net->c);
    field_u16(b, &net->n_layers);
    for (int l = 0; l < net->n_layers && l < NET_MAX_LAYERS; l++)
        layer_fields(b, &net->layer[l]);
}

static void table_fields(Bytes *b, QModel *q)
{
    for (int t = 0; t <= q->net.n_layers; t++) {
        field_float(b, &q->tensor[t].scale);
        field_i8(b, &q->tensor[t].zero);
    }
    for (int l = 0; l < q->net.n_layers; l++) {
        const Layer *layer = &q->net.layer[l];
        QLayer *t = &q->layer[l];
        int n = qmodel_multipliers(layer), channels = t->bias ? layer->out_c : 0;
        uint32_t weights = layer_constants(layer);
        field_i8(b, &t->act_min);
        field_i8(b, &t->act_max);
        for (int i = 0; i < channels; i++)
            field_i32(b, &t->bias[i]);
        for (int i = 0; i < n; i++)
            field_i32(b, &t->multiplier[i]);
        for (int i = 0; i < n; i++)
            field_i8(b, &t->shift[i]);
        for (uint32_t i = 0; i < weights; i++)
            field_i8(b, &t->weights[i]);
    }
}

static uint64_t table_bytes(const Net *net)
{
    uint64_t n = 5 * ((uint64_t)net->n_layers + 1) + 4 * (uint64_t)net_channels(net);
    for (int i = 0; i < net->n_layers; i++)
        n += 2 + 5 * (uint64_t)qmodel_multipliers(&net->layer[i]) + layer_constants(&net->layer[i]);
    return n;
}

static void put_header(uint8_t *data, uint64_t size)
{
    uint64_t version = VERSION, hash = hash_bytes(HASH_START, data + HEADER, size);
    Bytes b = {.at = data + sizeof magic, .end = data + HEADER, .writes = true};
    memcpy(data, magic, sizeof magic);
    bytes_field(&b, &version, 4);
    bytes_field(&b, &size, 4);
    bytes_field(&b, &hash, 8);
}

void *qmodel_save(const QModel *q, size_t *size)
{
    uint64_t body = 8 + (uint64_t)LAYER_BYTES * q->net.n_layers + table_bytes(&q->net);
    uint8_t *data = xmalloc(HEADER + body);
    QModel copy = *q; /* the walk wants to be able to write; its arrays are only read */
    Bytes b = {.at = data + HEADER, .end = data + HEADER + body, .writes = true};
    net_fields(&b, &copy.net);
    table_fields(&b, &copy);
    put_header(data, body);
    *size = HEADER + body;
    return data;
}

static int check_header(const uint8_t *data, size_t size)
{
    uint64_t version = 0, body = 0, hash = 0;
    if (size < HEADER || memcmp(data, magic, sizeof magic) != 0)
        return errorf("these %zu bytes are not an int8 model of thimble", size);
    Bytes b = {.at = (uint8_t *)(uintptr_t)data + sizeof magic,
               .end = (uint8_t *)(uintptr_t)data + HEADER};
    bytes_field(&b, &version, 4);
    bytes_field(&b, &body, 4);
    bytes_field(&b, &hash, 8);
    if (version != VERSION)
        return errorf("the int8 model is of version %llu, this program reads %d",
                      (unsigned long long)version, VERSION);
    if (body != size - HEADER)
        return errorf("the int8 model should have %llu bytes and has %zu",
                      (unsigned long long)body + HEADER, size);
    if (hash != hash_bytes(HASH_START, data + HEADER, body))
        return errorf("the int8 model is damaged: its checksum is wrong");
    return 0;
}

/* No sum of products and bias may leave 32 bits: nothing on the device would notice. */
static int check_sums(const QModel *q, int l)
{
    const Layer *layer = &q->net.layer[l];
    const QLayer *t = &q->layer[l];
    bool apart = layer->op == OP_DEPTHWISE;
    uint32_t n = layer_weights(layer) / layer->out_c, step = apart ? layer->out_c : 1;
    for (uint32_t c = 0; t->bias && c < layer->out_c; c++) {
        const int8_t *w = t->weights + (apart ? c : c * n);
        int64_t most = 0;
        for (uint32_t i = 0; i < n; i++)
            most += abs(w[i * step]);
        most = 255 * most + llabs((int64_t)t->bias[c]);
        if (most > INT32_MAX)
            return errorf("layer %d of the int8 model sums up to more than 32 bits in channel %u",
                          l, c);
    }
    return 0;
}

/* An add shifts to the right only, a softmax to the left, by as much as its 31 bits. */
static int check_multipliers(const QModel *q, int l)
{
    const QLayer *t = &q->layer[l];
    const Op op = (Op)q->net.layer[l].op;
    const int least = op == OP_SOFTMAX ? 0 : -31;
    const int most = op == OP_ADD ? 0 : op == OP_SOFTMAX ? 31 : 30;
    for (int i = 0; i < qmodel_multipliers(&q->net.layer[l]); i++)
        if (t->shift[i] < least || t->shift[i] > most || t->multiplier[i] < 0)
            return errorf("layer %d of the int8 model has a wrong multiplier", l);
    return 0;
}

int qmodel_check(const QModel *q)
{
    for (int t = 0; t <= q->net.n_layers; t++)
        if (!isfinite(q->tensor[t].scale) || q->tensor[t].scale < FLT_MIN)
            return errorf("tensor %d of the int8 model has the scale %g", t, q->tensor[t].scale);
    for (int l = 0; l < q->net.n_layers; l++) {
        const Layer *layer = &q->net.layer[l];
        const QLayer *t = &q->layer[l];
        if (t->act_min > t->act_max)
            return errorf("layer %d of the int8 model has an empty range of outputs", l);
        if (layer->op == OP_SOFTMAX && layer->out_c > QMODEL_MAX_SOFTMAX)
            return errorf("layer %d is a softmax over %d channels, at most %d are supported", l,
                          layer->out_c, QMODEL_MAX_SOFTMAX);
        if (check_multipliers(q, l) != 0 || check_sums(q, l) != 0)
            return -1;
    }
    return 0;
}

int qmodel_load(QModel *q, const void *data, size_t size)
{
    memset(q, 0, sizeof *q);
    if (check_header(data, size) != 0)
        return -1;
    uint8_t *start = (uint8_t *)(uintptr_t)data; /* only read */
    Bytes b = {.at = start + HEADER, .end = start + size};
    Net net;
    memset(&net, 0, sizeof net);
    net_fields(&b, &net);
    if (b.short_of_bytes)
        return errorf("the int8 model ends within its layers");
    if (net_check(&net) != 0)
        return -1;
    if (table_bytes(&net) != (uint64_t)(b.end - b.at))
        return errorf("the int8 model has %zu bytes of tables where its layers need %llu",
                      (size_t)(b.end - b.at), (unsigned long long)table_bytes(&net));
    qmodel_init(q, &net);
    table_fields(&b, q);
    if (qmodel_check(q) != 0) {
        qmodel_release(q);
        return -1;
    }
    return 0;
}
