#define _GNU_SOURCE
#include "dataset/picture.h"
#include "dataset/reader.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Reads a file that the listing keeps. */
static const uint8_t *keep_file(Listing *l, const char *path, size_t *size)
{
    assert(l->n_files < LISTING_FILES);
    char *data = file_read(path, size);
    if (data)
        l->file[l->n_files++] = data;
    return (const uint8_t *)data;
}

static void name_classes(Listing *l, int n)
{
    l->n_classes = n;
    l->class_name = xmalloc((size_t)n * sizeof *l->class_name);
    for (int k = 0; k < n; k++)
        l->class_name[k] = xasprintf("%d", k);
}

/* --- CIFAR-10: records of a label byte, then 32x32 red, green and blue bytes ------------------ */

enum { CIFAR_SIDE = 32, CIFAR_PLANE = CIFAR_SIDE * CIFAR_SIDE, CIFAR_RECORD = 1 + 3 * CIFAR_PLANE };

/* The names stand one a line in batches.meta.txt, which may be missing. */
static int cifar_classes(Listing *l, const char *dir)
{
    char *path = xasprintf("%s/batches.meta.txt", dir), *text = NULL, *rest = NULL;
    if (file_exists(path) && !(text = file_read(path, NULL))) {
        free(path);
        return -1;
    }
    name_classes(l, 10);
    int k = 0;
    char *line = text ? strtok_r(text, "\r\n", &rest) : NULL;
    for (; line && k < 10; line = strtok_r(NULL, "\r\n", &rest)) {
        free(l->class_name[k]);
        l->class_name[k++] = xstrdup(line);
    }
    int status = text && k < 10 ? errorf("%s names %d classes, not 10", path, k) : 0;
    free(text);
    free(path);
    return status;
}

/* One batch file; a missing one is no error, `found` says so. */
static int cifar_batch(Listing *l, ExampleList *list, const char *dir, const char *name,
                       bool names_only, bool *found)
{
    char *path = xasprintf("%s/%s.bin", dir, name);
    size_t size = 0;
    const uint8_t *data = NULL;
    int status = 0;
    if (file_exists(path)) {
        *found = true;
        if (!names_only && !(data = keep_file(l, path, &size)))
            status = -1;
    }
    if (data && (size == 0 || size % CIFAR_RECORD))
        status = errorf("%s has %zu bytes, which is no multiple of %d", path, size, CIFAR_RECORD);
    for (size_t at = 0; data && status == 0 && at < size; at += CIFAR_RECORD)
        if (data[at] < 10)
            examples_add(list, (Example){.bytes = data + at + 1, .label = data[at]});
        else
            status = errorf("%s: the label of image %zu is %d, not below 10", path,
                            at / CIFAR_RECORD, data[at]);
    free(path);
    return status;
}

static int cifar_list(Listing *l, const DataOptions *o, bool names_only)
{
    if (!file_is_dir(o->path))
        return errorf("there is no folder %s", o->path);
    bool train = false, test = false;
    l->h = l->w = CIFAR_SIDE;
    l->c = 3;
    int status = cifar_classes(l, o->path);
    for (int i = 1; i <= 5 && status == 0; i++) {
        char name[] = {'d', 'a', 't', 'a', '_', 'b', 'a', 't', 'c', 'h', '_', (char)('0' + i), 0};
        status = cifar_batch(l, &l->train, o->path, name, names_only, &train);
    }
    if (status == 0)
        status = cifar_batch(l, &l->test, o->path, "test_batch", names_only, &test);
    if (status == 0 && !train && !test)
        return errorf("%s has neither data_batch_1.bin nor test_batch.bin", o->path);
    return status;
}

static int cifar_load(const Listing *l, const Example *e, const DataOptions *o, uint8_t *pixel)
{
    uint8_t mixed[CIFAR_PLANE * 3]; /* planes to pixels */
    for (int i = 0; i < CIFAR_PLANE; i++)
        for (int j = 0; j < 3; j++)
            mixed[3 * i + j] = e->bytes[j * CIFAR_PLANE + i];
    Picture picture = {l->h, l->w, l->c, mixed};
    picture_fit(&picture, o->h, o->w, o->c, pixel);
    return 0;
}

const Reader cifar10_reader = {cifar_list, cifar_load};

/* --- IDX: MNIST's files, a header of big-endian words, then bytes ----------------------------- */

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The file's path, yours, under either spelling; NULL with errorf(). */
static char *idx_path(const char *dir, const char *name, int dims)
{
    char *path = xasprintf("%s/%s-idx%d-ubyte", dir, name, dims);
    char *dotted = xasprintf("%s/%s.idx%d-ubyte", dir, name, dims);
    char *packed = xasprintf("%s.gz", path), *packed_dotted = xasprintf("%s.gz", dotted);
    char *found = file_exists(path) ? path : file_exists(dotted) ? dotted : NULL;
    if (!found && (file_exists(packed) || file_exists(packed_dotted)))
        errorf("%s is compressed, gunzip it first", file_exists(packed) ? packed : packed_dotted);
    else if (!found)
        errorf("there is no %s", path);
    free(found == path ? dotted : path);
    if (!found)
        free(dotted);
    free(packed);
    free(packed_dotted);
    return found;
}

typedef struct {
    uint32_t n, h, w; /* h = w = 1 for labels */
    const uint8_t *data;
} Idx;

static int idx_check(Idx *idx, const char *path, const uint8_t *file, size_t size, int dims)
{
    size_t head = 4 + 4 * (size_t)dims;
    if (size < head || big_endian(file) != 0x800u + (uint32_t)dims)
        return errorf("%s is no IDX file of bytes in %d dimension%s", path, dims,
                      dims > 1 ? "s" : "");
    *idx = (Idx){big_endian(file + 4), 1, 1, file + head};
    if (dims == 3) {
        idx->h = big_endian(file + 8);
        idx->w = big_endian(file + 12);
    }
    if (idx->h == 0 || idx->w == 0 || idx->h > 65535 || idx->w > 65535 || idx->n > INT32_MAX)
        return errorf("%s claims %u images of %ux%u", path, idx->n, idx->h, idx->w);
    uint64_t each = (uint64_t)idx->h * idx->w; /* below 2^32 */
    if (size - head != idx->n * each)
        return errorf("%s has %zu bytes, but its header promises %llu", path, size,
                      (unsigned long long)(head + idx->n * each));
    return 0;
}

static int idx_read(Listing *l, Idx *idx, const char *dir, const char *name, int dims)
{
    char *path = idx_path(dir, name, dims);
    if (!path)
        return -1;
    size_t size;
    const uint8_t *file = keep_file(l, path, &size);
    int status = file ? idx_check(idx, path, file, size, dims) : -1;
    free(path);
    return status;
}

/* Labels alone, or labels and images, of "train" or "t10k". */
static int idx_part(Listing *l, ExampleList *list, const char *dir, const char *part,
                    bool names_only, int *n_classes)
{
    Idx images = {0}, labels = {0};
    char *name = xasprintf("%s-labels", part), *image_name = xasprintf("%s-images", part);
    int status = idx_read(l, &labels, dir, name, 1);
    if (status == 0 && !names_only)
        status = idx_read(l, &images, dir, image_name, 3);
    free(name);
    free(image_name);
    if (status == -1)
        return -1;
    if (!names_only && images.n != labels.n)
        return errorf("%s/%s-images has %u images, but there are %u labels", dir, part, images.n,
                      labels.n);
    if (!names_only && l->h && ((uint32_t)l->h != images.h || (uint32_t)l->w != images.w))
        return errorf("%s: train and test images differ in size", dir);
    l->h = (int)images.h;
    l->w = (int)images.w;
    l->c = 1;
    for (uint32_t i = 0; i < labels.n; i++) {
        int label = labels.data[i];
        *n_classes = label >= *n_classes ? label + 1 : *n_classes;
        if (!names_only)
            examples_add(list, (Example){.label = label,
                                         .bytes = images.data + (size_t)i * images.h * images.w});
    }
    return 0;
}

static bool idx_has(const char *dir, const char *part)
{
    static const char *const ending[] = {"-idx1-ubyte", ".idx1-ubyte", "-idx1-ubyte.gz",
                                         ".idx1-ubyte.gz"};
    bool found = false;
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        char *path = xasprintf("%s/%s-labels%s", dir, part, ending[i]);
        found |= file_exists(path);
        free(path);
    }
    return found;
}

/* Either half may be missing: without t10k a share of train is held out. */
static int idx_list(Listing *l, const DataOptions *o, bool names_only)
{
    if (!file_is_dir(o->path))
        return errorf("there is no folder %s", o->path);
    int n_classes = 0, status = 0;
    bool test = idx_has(o->path, "t10k"), train = idx_has(o->path, "train") || !test;
    if (train)
        status = idx_part(l, &l->train, o->path, "train", names_only, &n_classes);
    if (test && status == 0)
        status = idx_part(l, &l->test, o->path, "t10k", names_only, &n_classes);
    if (status == 0 && n_classes == 0)
        status = errorf("the IDX files of %s hold no example", o->path);
    if (status == 0)
        name_classes(l, n_classes);
    return status;
}

static int idx_load(const Listing *l, const Example *e, const DataOptions *o, uint8_t *pixel)
{
    Picture picture = {l->h, l->w, l->c, (uint8_t *)e->bytes}; /* only read */
    picture_fit(&picture, o->h, o->w, o->c, pixel);
    return 0;
}

const Reader idx_reader = {idx_list, idx_load};
