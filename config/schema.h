/* schema.h - YAML into structs and back, by tables.
 *
 * A table of Keys says for each key of a map its type, where the value goes in
 * a struct, its bounds and one line of help. Reading fills the struct and
 * leaves what the YAML does not name; anything unknown, of the wrong type or
 * out of bounds is an error with file, line and the nearest right word.
 * Printing writes the same struct as YAML that reads back to the same bytes. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "base/yaml.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum {
    KEY_END,     /* closes a table */
    KEY_INT,     /* integer; field of `size` bytes, signed when least < 0 */
    KEY_NUMBER,  /* double */
    KEY_BOOL,    /* true, false; field is bool */
    KEY_TEXT,    /* char[size] */
    KEY_BYTES,   /* uint64_t: 4096, 64KiB, 2MiB */
    KEY_COUNT,   /* uint64_t: 500, 60k, 25M, 1.5G (thousands) */
    KEY_AMOUNT,  /* as KEY_COUNT into a double */
    KEY_HERTZ,   /* uint64_t: 216MHz */
    KEY_WATTS,   /* double, in mW: 250mW, 1.2W */
    KEY_JOULES,  /* double, in mJ: 80uJ, 2.5mJ */
    KEY_PAIR,    /* 3 or 10x4, high x wide; two fields of size/2 bytes */
    KEY_CHOICE,  /* int: one of `words` */
    KEY_NUMBERS, /* double[size]: a list of exactly `size` numbers */
    KEY_MAP,     /* a struct: sub is its table; or the name of a file in configs/<folder>/ */
    KEY_LIST,    /* at most `room` elements of `size` bytes; sub[0] describes one, or sub its map */
    KEY_PLACE,   /* char[size], "file:line" of the map itself; no key of the YAML, never printed */
} KeyType;

typedef struct Key {
    const char *name;
    KeyType type;
    size_t offset, size;
    double least, most;       /* bounds of numbers; both 0: none */
    const char *help;
    const struct Key *sub;
    size_t count_offset;      /* KEY_LIST: where the uint8_t number of elements goes */
    int room;
    const char *const *words; /* KEY_CHOICE: NULL ends them */
    const char *folder;       /* KEY_MAP: where named files are; one replaces all `size` bytes */
    bool sparse;              /* with a size: not printed where all its bytes are 0 */
} Key;

/* Entries of a table: a value, one that is not printed where it is 0, a map of its own table. */
#define VALUE(key, kind, type_, field, low, high, text)                                            \
    {.name = key, .type = kind, .offset = offsetof(type_, field),                                  \
     .size = sizeof(((type_ *)0)->field), .least = low, .most = high, .help = text}
#define SPARSE(key, kind, type_, field, low, high, text)                                           \
    {.name = key, .type = kind, .offset = offsetof(type_, field), .sparse = true,                  \
     .size = sizeof(((type_ *)0)->field), .least = low, .most = high, .help = text}
#define MAP(type, field, table) .offset = offsetof(type, field), .sub = table

/* Finds configs/<folder>/<name>.yaml, or `name` itself when it is a path: near
 * the file that names it, in THIMBLE_CONFIGS, the source tree, the installed
 * share. `where` is NULL for a name from the command line. Yours to free; NULL
 * with errorf(), which lists what there is. */
char *schema_find(const YamlNode *where, const char *folder, const char *name);

/* The names in the first configs/<folder> there is. */
int schema_names(const char *folder, char ***names);

int schema_read(const YamlNode *map, const Key *keys, void *base);
/* One `a.b.c=value`, as on a command line. */
int schema_set(const char *assignment, const Key *keys, void *base);
void schema_print(FILE *out, const Key *keys, const void *base, int indent);

/* "65,536 B (64.0 KiB)" and the like, for people; a few buffers in turn. */
const char *text_bytes(uint64_t bytes);
const char *text_count(double n);

#endif
