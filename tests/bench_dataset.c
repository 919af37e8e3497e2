/* How many pictures a second are read, drawn and made into batches. The JPEG
 * and PNG files are written first: the built-in set at 96x96, shrunk to 32x32
 * while reading. */
#define _GNU_SOURCE
#include "dataset/dataset.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

enum { SIDE = 96, N = 1000, BATCH = 128 };

static void write_jpeg(const char *path, const uint8_t *pixel)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&error);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_height = jpeg.image_width = SIDE;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < SIDE) {
        JSAMPROW line = (JSAMPROW)pixel + jpeg.next_scanline * SIDE * 3;
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(bytes, 1, size, f);
        fclose(f);
    }
    free(bytes);
}

static void write_png(const char *path, const uint8_t *pixel)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE,
                       .format = PNG_FORMAT_RGB};
    png_image_write_to_file(&image, path, 0, pixel, 0, NULL);
}

static void write_folder(const Dataset *d, const char *root, const char *kind)
{
    for (int k = 0; k < d->n_classes; k++) {
        char *dir = xasprintf("%s/%s/%s", root, kind, d->class_name[k]);
        file_make_dirs(dir);
        free(dir);
    }
    for (int i = 0; i < d->n; i++) {
        char *path = xasprintf("%s/%s/%s/%d", root, kind, d->class_name[d->label[i]], i);
        const uint8_t *pixel = d->pixel + (size_t)i * SIDE * SIDE * 3;
        if (strcmp(kind, "png") == 0)
            write_png(path, pixel);
        else
            write_jpeg(path, pixel);
        free(path);
    }
}

/* Best of five; -1 when it cannot be opened. */
static double open_rate(DataOptions *o, int threads)
{
    double best = 0;
    o->threads = threads;
    for (int i = 0; i < 5; i++) {
        Data data;
        double start = clock_seconds();
        if (data_open(&data, o) == -1)
            return -1;
        double rate = (data.train.n + data.test.n) / (clock_seconds() - start);
        best = rate > best ? rate : best;
        data_release(&data);
    }
    return best;
}

static void report(const char *what, DataOptions *o)
{
    double one = open_rate(o, 1), two = open_rate(o, 2);
    if (one < 0 || two < 0)
        printf("%-28s %s\n", what, error_text());
    else
        printf("%-28s %8.0f images/s, 2 threads %8.0f (%.2f)\n", what, one, two, two / one);
}

static void report_batches(const char *what, const Augment *augment)
{
    DataOptions o = {.format = DATA_SYNTHETIC, .h = 32, .w = 32, .c = 3, .synthetic_train = N,
                     .synthetic_test = 10, .threads = 2};
    Data data;
    if (data_open(&data, &o) == -1)
        return;
    float *images = xmalloc(sizeof *images * BATCH * 32 * 32 * 3);
    int labels[BATCH], index[BATCH], rounds = 0;
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < BATCH; i++)
        index[i] = (int)rng_below(&rng, N);
    double start = clock_seconds(), now;
    for (; (now = clock_seconds()) - start < 0.5; rounds++)
        dataset_batch(&data.train, index, BATCH, augment, &rng, images, labels);
    printf("%-28s %8.0f batches/s of %d (%.0f images/s)\n", what, rounds / (now - start), BATCH,
           rounds * (double)BATCH / (now - start));
    free(images);
    data_release(&data);
}

int main(void)
{
    char root[] = "/tmp/thimble_bench_XXXXXX";
    if (!mkdtemp(root))
        return 1;
    DataOptions o = {.format = DATA_SYNTHETIC, .h = SIDE, .w = SIDE, .c = 3, .synthetic_train = N,
                     .synthetic_test = 10, .threads = 2};
    Data data;
    if (data_open(&data, &o) == -1)
        return 1;
    write_folder(&data.train, root, "jpeg");
    write_folder(&data.train, root, "png");
    data_release(&data);
    o.h = o.w = 32;
    report("synthetic, 32x32", &o);
    o.format = DATA_IMAGES;
    for (int i = 0; i < 2; i++) {
        snprintf(o.path, sizeof o.path, "%s/%s", root, i ? "png" : "jpeg");
        report(i ? "PNG 96x96 to 32x32" : "JPEG 96x96 to 32x32", &o);
    }
    report_batches("batch, plain", NULL);
    report_batches("batch, crop and flip", &(Augment){.crop = 4, .flip = true});
    char *command = xasprintf("rm -rf %s", root);
    int status = system(command);
    free(command);
    return status != 0;
}
