#include "quant/flatbuffer.h"

#include <assert.h>
#include <string.h>

static bool inside(const Flat *f, uint64_t at, uint64_t bytes)
{
    return at <= f->size && bytes <= f->size - at;
}

/* Up to 8 bytes, which the caller knows to be inside. */
static uint64_t number(const Flat *f, size_t at, int bytes)
{
    uint64_t v = 0;
    assert(inside(f, at, (uint64_t)bytes));
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)f->bytes[at + (size_t)i] << (8 * i);
    return v;
}

static uint64_t checked(Flat *f, uint64_t at, int bytes)
{
    if (inside(f, at, (uint64_t)bytes))
        return number(f, (size_t)at, bytes);
    f->damaged = true;
    return 0;
}

/* Where the offset at `at` points to; 0 when that is nowhere. */
static uint32_t follow(Flat *f, uint64_t at)
{
    uint64_t to = at + checked(f, at, 4);
    if (f->damaged || to == at || !inside(f, to, 4)) {
        f->damaged = true;
        return 0;
    }
    return (uint32_t)to;
}

static FlatTable table_of(Flat *f, uint32_t at)
{
    const FlatTable absent = {0, 0, 0};
    if (at == 0)
        return absent;
    int64_t vtable = (int64_t)at - (int32_t)(uint32_t)checked(f, at, 4);
    if (vtable < 0 || !inside(f, (uint64_t)vtable, 4)) {
        f->damaged = true;
        return absent;
    }
    uint64_t bytes = number(f, (size_t)vtable, 2); /* its own size and the table's, then fields */
    if (bytes < 4 || !inside(f, (uint64_t)vtable, bytes)) {
        f->damaged = true;
        return absent;
    }
    return (FlatTable){at, (uint32_t)vtable + 4, (uint32_t)(bytes - 4) / 2};
}

FlatTable flat_root(Flat *f, const char *identifier)
{
    const FlatTable absent = {0, 0, 0};
    if (f->size < 8 || f->size > INT32_MAX || memcmp(f->bytes + 4, identifier, 4) != 0)
        return absent;
    return table_of(f, follow(f, 0));
}

/* Where field i is; 0 when it is absent. */
static uint64_t place(const Flat *f, FlatTable t, int i)
{
    if (t.at == 0 || (uint32_t)i >= t.n_fields)
        return 0;
    uint64_t offset = number(f, t.vtable + 2 * (size_t)i, 2);
    return offset ? t.at + offset : 0;
}

static uint64_t scalar(Flat *f, FlatTable t, int i, int bytes, uint64_t otherwise)
{
    uint64_t at = place(f, t, i);
    return at ? checked(f, at, bytes) : otherwise;
}

uint8_t flat_u8(Flat *f, FlatTable t, int i, uint8_t otherwise)
{
    return (uint8_t)scalar(f, t, i, 1, otherwise);
}

int32_t flat_i32(Flat *f, FlatTable t, int i, int32_t otherwise)
{
    return (int32_t)(uint32_t)scalar(f, t, i, 4, (uint32_t)otherwise);
}

uint64_t flat_u64(Flat *f, FlatTable t, int i, uint64_t otherwise)
{
    return scalar(f, t, i, 8, otherwise);
}

static float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

float flat_float(Flat *f, FlatTable t, int i, float otherwise)
{
    uint64_t at = place(f, t, i);
    return at ? float_of((uint32_t)checked(f, at, 4)) : otherwise;
}

FlatTable flat_table(Flat *f, FlatTable t, int i)
{
    uint64_t at = place(f, t, i);
    return table_of(f, at ? follow(f, at) : 0);
}

FlatVector flat_vector(Flat *f, FlatTable t, int i, uint32_t element_bytes)
{
    const FlatVector empty = {0, 0};
    uint64_t at = place(f, t, i);
    uint32_t to = at ? follow(f, at) : 0;
    if (to == 0)
        return empty;
    uint64_t n = number(f, to, 4);
    if (!inside(f, (uint64_t)to + 4, n * element_bytes)) {
        f->damaged = true;
        return empty;
    }
    return (FlatVector){to + 4, (uint32_t)n};
}

int32_t flat_i32_at(const Flat *f, FlatVector v, uint32_t i)
{
    assert(i < v.n);
    return (int32_t)(uint32_t)number(f, v.at + 4 * (size_t)i, 4);
}

int64_t flat_i64_at(const Flat *f, FlatVector v, uint32_t i)
{
    assert(i < v.n);
    return (int64_t)number(f, v.at + 8 * (size_t)i, 8);
}

float flat_float_at(const Flat *f, FlatVector v, uint32_t i)
{
    assert(i < v.n);
    return float_of((uint32_t)number(f, v.at + 4 * (size_t)i, 4));
}

FlatTable flat_table_at(Flat *f, FlatVector v, uint32_t i)
{
    assert(i < v.n);
    return table_of(f, follow(f, v.at + 4 * (uint64_t)i));
}

void flat_string(Flat *f, FlatTable t, int i, char *to, size_t size)
{
    FlatVector v = flat_vector(f, t, i, 1);
    size_t n = v.n < size - 1 ? v.n : size - 1;
    for (size_t k = 0; k < n; k++) {
        uint8_t c = f->bytes[v.at + k];
        to[k] = c >= ' ' && c <= '~' ? (char)c : '?';
    }
    to[n] = '\0';
}
