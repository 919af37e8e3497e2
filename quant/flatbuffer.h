/* flatbuffer.h - reading a FlatBuffer that nobody vouches for.
 *
 * A table is a place in the file: it begins with the distance back to its
 * vtable, which says where each field is, or 0 for a field that is absent.
 * A vector is its length and then its elements; tables and strings are named
 * by their distance from the place of the name. Little-endian throughout.
 *
 * Every access is held against the end of the bytes. What lies beyond it reads
 * as absent - 0, an empty vector - and sets `damaged`, which the caller asks
 * for where it can say something useful. So reading needs no error handling
 * step by step, and whatever the bytes, nothing outside them is read. */
#ifndef FLATBUFFER_H
#define FLATBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *bytes;
    size_t size;
    bool damaged; /* something pointed beyond the end */
} Flat;

typedef struct {
    uint32_t at;     /* 0: there is no such table */
    uint32_t vtable; /* of n_fields offsets of 2 bytes, from here */
    uint32_t n_fields;
} FlatTable;

typedef struct {
    uint32_t at; /* of the first element */
    uint32_t n;  /* elements */
} FlatVector;

/* The root table of a file with this identifier of 4 characters; absent for any other file. */
FlatTable flat_root(Flat *f, const char *identifier);

/* Field i of a table, in the order of the schema; the default when it is absent. */
uint8_t flat_u8(Flat *f, FlatTable t, int i, uint8_t otherwise);
int32_t flat_i32(Flat *f, FlatTable t, int i, int32_t otherwise);
uint64_t flat_u64(Flat *f, FlatTable t, int i, uint64_t otherwise);
float flat_float(Flat *f, FlatTable t, int i, float otherwise);
FlatTable flat_table(Flat *f, FlatTable t, int i);
FlatVector flat_vector(Flat *f, FlatTable t, int i, uint32_t element_bytes);

/* Element i < n of a vector that flat_vector() found with elements of this size. */
int32_t flat_i32_at(const Flat *f, FlatVector v, uint32_t i);
int64_t flat_i64_at(const Flat *f, FlatVector v, uint32_t i);
float flat_float_at(const Flat *f, FlatVector v, uint32_t i);
FlatTable flat_table_at(Flat *f, FlatVector v, uint32_t i);

/* A string as far as it fits, unprintable characters as '?'; "" when it is absent. */
void flat_string(Flat *f, FlatTable t, int i, char *to, size_t size);

#endif
