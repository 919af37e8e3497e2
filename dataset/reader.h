/* reader.h - what the readers of one format have to know; private to dataset/.
 *
 * A reader works in two steps. list() finds the examples and their labels
 * without decoding any; data_open() then chooses among them (hold-out, limit)
 * and load() makes pixels of those that are left, from many threads at once.
 * A new format is two functions and a line in the table of dataset.c. */
#ifndef READER_H
#define READER_H

#include "dataset/dataset.h"

#include <stddef.h>

typedef struct {
    char *path;           /* class folders: the file; freed with the list */
    const uint8_t *bytes; /* binary sets: where the example lies in Listing.file */
    uint64_t number;      /* synthetic: which scene */
    int label;
} Example;

typedef struct {
    Example *item;
    int n;
} ExampleList;

#define LISTING_FILES 8

typedef struct {
    char **class_name; /* [n_classes] */
    int n_classes;
    ExampleList train, test; /* an empty test means: hold some of train out */
    int h, w, c;             /* binary sets: shape of a stored example */
    char *file[LISTING_FILES]; /* binary sets: contents, alive until the examples are loaded */
    int n_files;
} Listing;

typedef struct {
    /* Zeroed listing in; -1 with errorf(). names_only: the classes are enough,
     * the lists may stay empty and large files unread. */
    int (*list)(Listing *listing, const DataOptions *options, bool names_only);
    /* One example as pixel[h][w][c]; -1 with errorf() when it is damaged. */
    int (*load)(const Listing *listing, const Example *example, const DataOptions *options,
                uint8_t *pixel);
} Reader;

extern const Reader images_reader, raw_reader, cifar10_reader, idx_reader, synthetic_reader;

/* Takes ownership of example.path. */
void examples_add(ExampleList *list, Example example);

/* Class folders below path or below its train/ and test/: fills the class names
 * and both lists with the files that accepts() likes, all sorted by name.
 * `what` names such files in errors: "images". -1 with errorf(). */
int folder_list(Listing *listing, const char *path, bool (*accepts)(const char *path),
                const char *what);

#endif
