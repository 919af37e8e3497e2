/* dataset.h - labelled images in memory, whatever they came from.
 *
 * data_open() reads a folder or files into two Datasets, train and test, of
 * one shape: every picture is decoded and resized once, in parallel, and kept
 * as uint8. A raw int8 tensor is kept as value + 128. The same files give the
 * same bytes with any number of threads.
 *
 * Class folders lie below train/ and test/ (or val/, or validation/), or right
 * below the path, and then a share of each class is held out. test/ alone is
 * fine: train is empty, its n is 0. Files are pictures by their contents or by
 * their ending; hidden ones and others are passed over. A picture is scaled to
 * cover the wanted shape and cropped in the middle, or stretched to it.
 *
 * What a network sees is real = (pixel - zero) * scale, with one integer zero
 * and one scale for all channels, so that the device's int8 input is simply
 * pixel - 128, without a table or a division. */
#ifndef DATASET_H
#define DATASET_H

#include "dataset/augment.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int n, h, w, c, n_classes;
    uint8_t *pixel;   /* [n][h][w][c] */
    uint16_t *label;  /* [n] */
    uint64_t *group;  /* [n], the same for pictures of the same thing; NULL: nobody knows */
    char **class_name; /* [n_classes] */
    int zero;         /* 0..255 */
    float scale;      /* 1 / deviation of the training set; zero is its mean */
} Dataset;

#define DATA_FORMATS(X)                                                                           \
    X(IMAGES, "images")   /* class folders of JPEG or PNG, maybe below train/ and test/       */  \
    X(CIFAR10, "cifar10") /* data_batch_1.bin ... test_batch.bin                              */  \
    X(IDX, "idx")         /* MNIST's four files                                               */  \
    X(RAW, "raw")         /* class folders of raw tensors                                     */  \
    X(SYNTHETIC, "synthetic") /* built in: drawn shapes, at any resolution                    */

typedef enum {
#define X(format, name) DATA_##format,
    DATA_FORMATS(X)
#undef X
    N_DATA_FORMATS
} DataFormat;

typedef enum {
    RESIZE_COVER,  /* area averages, what is too much is cropped: picture_fit() */
    RESIZE_STRETCH /* the triangle filter, sides apart: picture_stretch() */
} DataResize;

typedef struct {
    DataFormat format;
    char path[512];
    bool only_test;       /* train stays empty; all there is is test where nothing else is */
    DataResize resize;    /* of pictures in files */
    double holdout;       /* share of each class to test on where there is no test set; 0: 0.1 */
    uint64_t seed;        /* of the hold-out and of the synthetic set */
    int threads;          /* 0: one */
    int h, w;             /* wanted; raw tensors must have it */
    int c;                /* 3, or 1: pictures are converted to gray */
    int raw_h, raw_w, raw_c; /* raw: shape of a file */
    bool raw_unsigned;    /* raw: uint8 instead of int8 */
    int raw_zero;         /* raw: real = (value - zero) * scale */
    double raw_scale;
    int synthetic_train, synthetic_test, synthetic_classes; /* 0: 4000, 1000, 10 of 12 */
    char groups[8];       /* files whose names agree up to one of these show the same; "": unknown */
    bool again;           /* the files were read before: damaged ones were named then */
    int limit;            /* at most so many training examples a class, 0 for all */
} DataOptions;

typedef struct {
    Dataset train, test;
    int skipped; /* files that could not be decoded; each was named by a warning */
} Data;

const char *data_format_name(DataFormat format);
int data_format_parse(const char *name, DataFormat *format);

/* Classes without reading any picture: what stage 1 needs. The class order is
 * alphabetical for folders. -1 with errorf(): no such folder, no class, an
 * empty class, a folder without images. */
int data_classes(const DataOptions *options);

/* -1 with errorf(). Train and test have the same classes, zero and scale; test's
 * own where train is empty. Of limit and hold-out `seed` chooses the examples. */
int data_open(Data *data, const DataOptions *options);
void data_release(Data *data);

/* Splits 0..n-1 into two lists, `share` of every class (at least one) going to
 * the second and, of two or more, at least one to the first, by the seed. Groups
 * stay whole: then shares are met as nearly as they can, and the second may be
 * empty. Both arrays hold d->n ints; returns the size of the second. */
int dataset_split(const Dataset *d, double share, uint64_t seed, int *first, int *second);

/* Pictures index[0..n) as floats for nn/: images [n][h][w][c], labels [n].
 * augment and rng may be NULL: no augmentation. `zero` becomes 0. */
void dataset_batch(const Dataset *d, const int *index, int n, const Augment *augment, Rng *rng,
                   float *images, int *labels);
/* One picture as the device's int8 input, pixel - 128: [h][w][c]. */
void dataset_int8(const Dataset *d, int index, int8_t *image);

#endif
