#define _GNU_SOURCE
#include "dataset/dataset.h"
#include "dataset/picture.h"

#include "base/alloc.h"
#include "base/file.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include <jpeglib.h>
#include <png.h>

/* --- a folder to play in, files to put there -------------------------------------------------- */

static char folder[64];

static const char *make_folder(void)
{
    strcpy(folder, "/tmp/thimble_dataset_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    return folder;
}

static void remove_folder(void)
{
    char *command = xasprintf("rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

/* folder/name, its parents made. */
static char *in_folder(const char *name)
{
    char *path = xasprintf("%s/%s", folder, name), *slash = strrchr(path, '/');
    *slash = 0;
    ck_assert_int_eq(file_make_dirs(path), 0);
    *slash = '/';
    return path;
}

static void put(const char *name, const void *data, size_t size)
{
    char *path = in_folder(name);
    FILE *f = fopen(path, "wb"); /* file_write() would wait for the disk each time */
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    fclose(f);
    free(path);
}

/* A PNG of any kind; a palette is the one below. */
static void put_png(const char *name, int h, int w, int type, int bits, int interlaced,
                    const uint8_t *rows)
{
    static const png_color palette[] = {{10, 20, 30}, {200, 100, 50}, {0, 255, 0}, {9, 9, 9}};
    char *path = in_folder(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, (unsigned)w, (unsigned)h, bits, type,
                 interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, 0, 0);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 4);
    png_write_info(png, info);
    size_t row = png_get_rowbytes(png, info);
    png_bytep line[512];
    for (int y = 0; y < h; y++)
        line[y] = (png_bytep)rows + (size_t)y * row;
    png_write_image(png, line);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    free(path);
}

static void put_rgb(const char *name, int h, int w, const uint8_t *pixel)
{
    put_png(name, h, w, PNG_COLOR_TYPE_RGB, 8, 0, pixel);
}

static unsigned char *jpeg_bytes(int h, int w, J_COLOR_SPACE space, const uint8_t *pixel,
                                 unsigned long *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    unsigned char *bytes = NULL;
    *size = 0;
    jpeg.err = jpeg_std_error(&error);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, size);
    jpeg.image_height = (unsigned)h;
    jpeg.image_width = (unsigned)w;
    jpeg.input_components = space == JCS_CMYK ? 4 : space == JCS_RGB ? 3 : 1;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
        JSAMPROW line = (JSAMPROW)pixel + jpeg.next_scanline * jpeg.image_width *
                                              (unsigned)jpeg.input_components;
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return bytes;
}

/* Only the first `share` of the bytes, to damage it. */
static void put_jpeg(const char *name, int h, int w, J_COLOR_SPACE space, const uint8_t *pixel,
                     double share)
{
    unsigned long size;
    unsigned char *bytes = jpeg_bytes(h, w, space, pixel, &size);
    put(name, bytes, (size_t)((double)size * share));
    free(bytes);
}

static uint8_t *random_bytes(size_t n, uint64_t seed)
{
    Rng rng = rng_make(seed, 0);
    uint8_t *p = xmalloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_below(&rng, 256);
    return p;
}

static void put_noise(const char *name, int h, int w, uint64_t seed)
{
    uint8_t *pixel = random_bytes((size_t)(h * w * 3), seed);
    put_rgb(name, h, w, pixel);
    free(pixel);
}

/* Two classes of two pictures each in train and one in test, 8x8. */
static void put_small_set(void)
{
    put_noise("train/cat/b.png", 8, 8, 2);
    put_noise("train/cat/a.png", 8, 8, 1);
    put_noise("train/ant/d.png", 8, 8, 4);
    put_noise("train/ant/c.png", 8, 8, 3);
    put_noise("test/ant/e.png", 8, 8, 5);
    put_noise("test/cat/f.png", 8, 8, 6);
}

static DataOptions options(DataFormat format, int h, int w, int c)
{
    DataOptions o = {.format = format, .h = h, .w = w, .c = c, .threads = 2};
    snprintf(o.path, sizeof o.path, "%s", folder);
    return o;
}

static Data open_data(const DataOptions *o)
{
    Data data;
    ck_assert_msg(data_open(&data, o) == 0, "%s", error_text());
    return data;
}

static void refused(const DataOptions *o, const char *words)
{
    Data data;
    ck_assert_int_eq(data_open(&data, o), -1);
    ck_assert_msg(strstr(error_text(), words) != NULL, "'%s' should say '%s'", error_text(), words);
    ck_assert_ptr_null(data.train.pixel);
}

static const uint8_t *picture(const Dataset *d, int i)
{
    return d->pixel + (size_t)i * (size_t)(d->h * d->w * d->c);
}

static void same_noise(const Dataset *d, int i, uint64_t seed)
{
    size_t n = (size_t)(d->h * d->w * d->c);
    uint8_t *want = random_bytes(n, seed);
    ck_assert_mem_eq(picture(d, i), want, n);
    free(want);
}

/* --- class folders ---------------------------------------------------------------------------- */

TEST(class_folders_are_read_sorted_and_to_the_bit)
{
    make_folder();
    put_small_set();
    DataOptions o = options(DATA_IMAGES, 8, 8, 3);
    ck_assert_int_eq(data_classes(&o), 2);
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.n, 4);
    ck_assert_int_eq(data.test.n, 2);
    ck_assert_int_eq(data.skipped, 0);
    ck_assert_str_eq(data.train.class_name[0], "ant");
    ck_assert_str_eq(data.test.class_name[1], "cat");
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(data.train.label[i], i / 2);
        same_noise(&data.train, i, (uint64_t[]){3, 4, 1, 2}[i]);
    }
    same_noise(&data.test, 0, 5);
    same_noise(&data.test, 1, 6);
    data_release(&data);
    remove_folder();
}
END

TEST(val_and_validation_are_test_sets_too_and_test_may_stand_alone)
{
    const char *names[] = {"val", "validation", "test"};
    for (int i = 0; i < 3; i++) {
        make_folder();
        char *file = xasprintf("%s/a/1.png", names[i]);
        put_noise(file, 8, 8, 1);
        DataOptions o = options(DATA_IMAGES, 8, 8, 3);
        ck_assert_int_eq(data_classes(&o), 1);
        Data data = open_data(&o);
        ck_assert_int_eq(data.train.n, 0);
        ck_assert_int_eq(data.test.n, 1);
        ck_assert_int_gt(data.test.zero, 64); /* test's own statistics */
        ck_assert_int_eq(data.train.zero, data.test.zero);
        data_release(&data);
        free(file);
        remove_folder();
    }
}
END

TEST(without_a_test_folder_a_share_of_each_class_is_held_out)
{
    make_folder();
    for (int i = 0; i < 30; i++) {
        char *name = xasprintf("%s/%02d.png", i < 20 ? "train" : "b", i); /* a class called train */
        put_noise(name, 4, 4, (uint64_t)i);
        free(name);
    }
    DataOptions o = options(DATA_IMAGES, 4, 4, 3);
    o.holdout = 0.2;
    Data data = open_data(&o), again = open_data(&o);
    o.seed = 1;
    Data other = open_data(&o);
    ck_assert_str_eq(data.train.class_name[1], "train");
    ck_assert_int_eq(data.test.n, 2 + 4);
    ck_assert_int_eq(data.train.n, 8 + 16);
    ck_assert_mem_eq(data.test.pixel, again.test.pixel, 6 * 48);
    ck_assert_mem_ne(data.test.pixel, other.test.pixel, 6 * 48);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(data.test.label[i], i >= 2);
        for (int k = 0; k < data.train.n; k++)
            ck_assert_mem_ne(picture(&data.test, i), picture(&data.train, k), 48);
    }
    data_release(&data);
    data_release(&again);
    data_release(&other);
    o.holdout = 1;
    refused(&o, "held out");
    remove_folder();
}
END

TEST(the_test_set_alone_is_all_there_is_where_there_is_none)
{
    make_folder();
    put_noise("a/1.png", 4, 4, 1);
    put_noise("b/1.png", 4, 4, 2);
    put_noise("b/2.png", 4, 4, 3);
    DataOptions o = options(DATA_IMAGES, 4, 4, 3);
    o.only_test = true;
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.n, 0);
    ck_assert_int_eq(data.test.n, 3);
    ck_assert(data.test.label[0] == 0 && data.test.label[1] == 1 && data.test.label[2] == 1);
    data_release(&data);
    remove_folder();
    make_folder();
    put_noise("train/a/1.png", 4, 4, 1);
    put("train/a/2.png", "damaged, and never read", 9);
    put_noise("test/a/3.png", 4, 4, 3);
    o = options(DATA_IMAGES, 4, 4, 3);
    o.only_test = true;
    data = open_data(&o);
    ck_assert(data.train.n == 0 && data.test.n == 1 && data.skipped == 0);
    data_release(&data);
    remove_folder();
}
END

TEST(pictures_are_covered_or_stretched_as_asked)
{
    make_folder();
    put_noise("a/1.png", 6, 9, 1);
    DataOptions o = options(DATA_IMAGES, 4, 4, 3);
    o.only_test = true;
    for (int stretch = 0; stretch < 2; stretch++) {
        uint8_t *noise = random_bytes(6 * 9 * 3, 1), expected[48];
        Picture p = {6, 9, 3, noise};
        o.resize = stretch ? RESIZE_STRETCH : RESIZE_COVER;
        Data data = open_data(&o);
        (stretch ? picture_stretch : picture_fit)(&p, 4, 4, 3, expected);
        ck_assert_mem_eq(data.test.pixel, expected, 48);
        data_release(&data);
        free(noise);
    }
    remove_folder();
}
END

TEST(a_class_with_one_picture_cannot_be_split_and_is_named)
{
    make_folder();
    put_noise("a/1.png", 4, 4, 1);
    put_noise("b/1.png", 4, 4, 1);
    put_noise("b/2.png", 4, 4, 1);
    DataOptions o = options(DATA_IMAGES, 4, 4, 3);
    refused(&o, "'a'");
    remove_folder();
}
END

TEST(links_lead_to_classes_and_other_files_are_passed_over)
{
    make_folder();
    put_small_set();
    put("train/cat/notes.txt", "no picture", 10);
    put("train/cat/.hidden.png", "", 0);
    put_noise("train/cat/.git/x.png", 8, 8, 9);
    put_noise("train/cat/deeper/x.png", 8, 8, 9);
    put("train/readme.md", "hello", 5);
    put_noise(".trash/cat/x.png", 8, 8, 9);
    put_noise("train/cat/c_without_extension", 8, 8, 7);
    put_noise("train/cat/d_is_a_png.JPG", 8, 8, 8);
    put_noise("elsewhere/x.png", 8, 8, 10);
    for (int i = 0; i < 2; i++) {
        char *link = in_folder(i ? "train/bee" : "test/bee");
        ck_assert_int_eq(symlink("../elsewhere", link), 0);
        free(link);
    }
    DataOptions o = options(DATA_IMAGES, 8, 8, 3);
    Data data = open_data(&o);
    ck_assert_int_eq(data.skipped, 0);
    ck_assert_int_eq(data.train.n_classes, 3);
    ck_assert_str_eq(data.train.class_name[1], "bee");
    ck_assert_int_eq(data.train.n, 2 + 1 + 4);
    same_noise(&data.train, 2, 10);
    same_noise(&data.train, 5, 7);
    same_noise(&data.train, 6, 8);
    data_release(&data);
    remove_folder();
}
END

TEST(damaged_pictures_are_skipped_and_counted)
{
    make_folder();
    put_small_set();
    uint8_t *noise = random_bytes(64 * 64 * 3, 1);
    put_jpeg("train/ant/x0.jpg", 64, 64, JCS_RGB, noise, 0.5);
    put_jpeg("train/ant/x1.jpg", 64, 64, JCS_RGB, noise, 0.9999); /* only the last marker lost */
    put_jpeg("train/ant/x2.jpg", 64, 64, JCS_RGB, noise, 0.01);
    put("train/ant/x3.jpg", "", 0);
    put("train/ant/x4.png", "<html>not found</html>", 22);
    put_rgb("train/ant/x5.png", 64, 64, noise);
    char *path = in_folder("train/ant/x5.png");
    size_t size;
    char *png = file_read(path, &size);
    put("train/ant/x5.png", png, size / 2);
    put("train/ant/x6.png", png, size - 12); /* the end chunk lost */
    png[size / 2] ^= 1;
    put("train/ant/x7.png", png, size);
    put("test/cat/x8.png", png, 9);
    free(png);
    free(path);
    free(noise);
    DataOptions o = options(DATA_IMAGES, 8, 8, 3);
    Data data = open_data(&o);
    ck_assert_int_eq(data.skipped, 9);
    ck_assert_int_eq(data.train.n, 4);
    ck_assert_int_eq(data.test.n, 2);
    same_noise(&data.train, 0, 3);
    same_noise(&data.train, 3, 2);
    ck_assert_int_eq(data.train.label[3], 1);
    data_release(&data);
    remove_folder();
}
END

TEST(what_is_wrong_with_a_folder_is_said_by_name)
{
    make_folder();
    DataOptions o = options(DATA_IMAGES, 8, 8, 3);
    refused(&o, folder); /* no class at all */
    snprintf(o.path, sizeof o.path, "%.60s/nowhere", folder);
    refused(&o, "there is no folder");
    ck_assert_int_eq(data_classes(&o), -1);
    o = options(DATA_IMAGES, 8, 8, 3);
    put_small_set();
    put("train/bee/notes.txt", "no picture", 10);
    refused(&o, "train/bee has no images");
    ck_assert_int_eq(data_classes(&o), -1);
    put_noise("train/bee/1.png", 8, 8, 1);
    refused(&o, "test has no class 'bee'");
    put_noise("test/bee/1.png", 8, 8, 1);
    put_noise("test/dog/1.png", 8, 8, 1);
    refused(&o, "'dog'");
    ck_assert_ptr_nonnull(strstr(error_text(), "/train does not have"));
    put("train/dog/broken.png", "", 0);
    refused(&o, "'dog'"); /* nothing of it is left */
    o.c = 2;
    refused(&o, "1 or 3 channels");
    o.c = 3;
    o.h = 0;
    refused(&o, "0x8");
    snprintf(o.path, sizeof o.path, "%.60s/train/cat/a.png", folder);
    o.h = 8;
    refused(&o, "is not a folder");
    remove_folder();
}
END

TEST(one_thread_and_two_read_the_same_bytes)
{
    make_folder();
    uint8_t *noise = random_bytes(90 * 90 * 3, 1);
    for (int i = 0; i < 40; i++) {
        char *name = xasprintf("%c/%02d", 'a' + i % 3, i);
        int h = 20 + 7 * (i % 10), w = 89 - 6 * (i % 9);
        if (i % 2)
            put_jpeg(name, h, w, JCS_RGB, noise, i == 7 ? 0.7 : 1);
        else
            put_rgb(name, h, w, noise);
        free(name);
    }
    free(noise);
    DataOptions o = options(DATA_IMAGES, 32, 24, 3);
    o.threads = 1;
    Data one = open_data(&o);
    o.threads = 2;
    Data two = open_data(&o);
    ck_assert_int_eq(one.skipped, 1);
    ck_assert_int_eq(two.skipped, 1);
    ck_assert_int_eq(one.train.n, two.train.n);
    ck_assert_int_eq(one.train.n + one.test.n, 39);
    ck_assert_mem_eq(one.train.pixel, two.train.pixel, (size_t)one.train.n * 32 * 24 * 3);
    ck_assert_mem_eq(one.test.pixel, two.test.pixel, (size_t)one.test.n * 32 * 24 * 3);
    ck_assert_mem_eq(one.train.label, two.train.label, (size_t)one.train.n * 2);
    data_release(&one);
    data_release(&two);
    remove_folder();
}
END

TEST(a_limit_keeps_some_of_every_class_for_training)
{
    make_folder();
    for (int i = 0; i < 30; i++) {
        char *name = xasprintf("%s/%c/%02d.png", i % 3 ? "train" : "test", 'a' + i % 2, i);
        put_noise(name, 4, 4, (uint64_t)i);
        free(name);
    }
    DataOptions o = options(DATA_IMAGES, 4, 4, 3);
    o.limit = 4;
    Data data = open_data(&o);
    ck_assert_int_eq(data.test.n, 10);
    ck_assert_int_eq(data.train.n, 8);
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(data.train.label[i], i / 4);
    data_release(&data);
    remove_folder();
}
END

/* --- kinds of files --------------------------------------------------------------------------- */

/* Decodes folder/name at its own size, which must be h x w. */
static Picture decode(const char *name, int h, int w, int c)
{
    char *path = in_folder(name);
    size_t size;
    char *file = file_read(path, &size);
    Picture p;
    ck_assert_msg(picture_decode(&p, (uint8_t *)file, size, name, h, w, c) == 0, "%s",
                  error_text());
    ck_assert_int_eq(p.h, h);
    ck_assert_int_eq(p.w, w);
    free(file);
    free(path);
    return p;
}

static void has_pixels(const char *name, int h, int w, int c, const uint8_t *want, int tolerance)
{
    Picture p = decode(name, h, w, c);
    ck_assert_int_eq(p.c, c);
    for (int i = 0; i < h * w * c; i++)
        ck_assert_msg(abs(p.pixel[i] - want[i]) <= tolerance, "%s: pixel %d is %d, not %d", name, i,
                      p.pixel[i], want[i]);
    picture_release(&p);
}

TEST(every_kind_of_png_becomes_8_bit_gray_or_colour)
{
    make_folder();
    uint8_t gray16[] = {0, 0, 128, 0, 255, 255, 1, 1}; /* big-endian */
    put_png("a.png", 2, 2, PNG_COLOR_TYPE_GRAY, 16, 0, gray16);
    has_pixels("a.png", 2, 2, 1, (uint8_t[]){0, 128, 255, 1}, 0);
    uint8_t bits[] = {0xa0, 0x50}; /* 101, 010 */
    put_png("b.png", 2, 3, PNG_COLOR_TYPE_GRAY, 1, 0, bits);
    has_pixels("b.png", 2, 3, 1, (uint8_t[]){255, 0, 255, 0, 255, 0}, 0);
    uint8_t index[] = {0x10, 0x80}; /* 2 bits: 0 1, 2 0 */
    put_png("c.png", 2, 2, PNG_COLOR_TYPE_PALETTE, 2, 0, index);
    has_pixels("c.png", 2, 2, 3, (uint8_t[]){10, 20, 30, 200, 100, 50, 0, 255, 0, 10, 20, 30}, 0);
    uint8_t rgba[] = {10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 51, 7, 7, 7, 255};
    put_png("d.png", 2, 2, PNG_COLOR_TYPE_RGB_ALPHA, 8, 0, rgba);
    has_pixels("d.png", 2, 2, 3, /* a fifth of 0, 100, 200 over white: 204, 224, 244 */
               (uint8_t[]){10, 20, 30, 255, 255, 255, 204, 224, 244, 7, 7, 7}, 0);
    uint8_t ga[] = {100, 255, 100, 0};
    put_png("e.png", 1, 2, PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0, ga);
    has_pixels("e.png", 1, 2, 1, (uint8_t[]){100, 255}, 0);
    uint8_t *noise = random_bytes(13 * 11 * 3, 5);
    put_png("f.png", 13, 11, PNG_COLOR_TYPE_RGB, 8, 1, noise);
    has_pixels("f.png", 13, 11, 3, noise, 0);
    free(noise);
    remove_folder();
}
END

TEST(gray_and_cmyk_jpegs_are_read)
{
    make_folder();
    uint8_t gray[16 * 16], rgb[16 * 16 * 3], cmyk[16 * 16 * 4], luma[16 * 16], dark[16 * 16 * 3];
    for (int i = 0; i < 16 * 16; i++) {
        gray[i] = (uint8_t)(i / 2 + 20);
        memcpy(rgb + 3 * i, (uint8_t[]){200, 100, 50}, 3);
        luma[i] = 124; /* 0.299 * 200 + 0.587 * 100 + 0.114 * 50 */
        memcpy(cmyk + 4 * i, (uint8_t[]){255, 128, 51, 204}, 4); /* as Adobe: inverted */
        memcpy(dark + 3 * i, (uint8_t[]){204, 102, 41}, 3);      /* times 204 / 255 */
    }
    put_jpeg("gray.jpg", 16, 16, JCS_GRAYSCALE, gray, 1);
    has_pixels("gray.jpg", 16, 16, 1, gray, 2);
    put_jpeg("rgb.jpg", 16, 16, JCS_RGB, rgb, 1);
    has_pixels("rgb.jpg", 16, 16, 3, rgb, 2);
    has_pixels("rgb.jpg", 16, 16, 1, luma, 2);
    put_jpeg("cmyk.jpg", 16, 16, JCS_CMYK, cmyk, 1);
    has_pixels("cmyk.jpg", 16, 16, 3, dark, 3);
    remove_folder();
}
END

TEST(a_large_jpeg_is_reduced_while_decoding_and_looks_the_same)
{
    enum { H = 300, W = 400 };
    uint8_t *pixel = xmalloc(H * W * 3), full[32 * 32 * 3], quick[32 * 32 * 3];
    for (int i = 0; i < H * W * 3; i++) {
        int y = i / 3 / W, x = i / 3 % W;
        pixel[i] = (uint8_t)(127 + 100 * sin(y * 0.05 + i % 3) * cos(x * 0.04));
    }
    unsigned long size;
    unsigned char *jpeg = jpeg_bytes(H, W, JCS_RGB, pixel, &size);
    Picture p;
    ck_assert_int_eq(picture_decode(&p, jpeg, size, "x", 32, 32, 3), 0);
    ck_assert_int_eq(p.h, 75); /* of 38, 75, 150, 300 the first that covers 64 */
    ck_assert_int_eq(p.w, 100);
    picture_fit(&p, 32, 32, 3, quick);
    picture_fit(&(Picture){H, W, 3, pixel}, 32, 32, 3, full);
    double sum = 0;
    for (int i = 0; i < 32 * 32 * 3; i++) {
        ck_assert_int_le(abs(full[i] - quick[i]), 5);
        sum += abs(full[i] - quick[i]);
    }
    ck_assert_double_lt(sum / (32 * 32 * 3), 1);
    picture_release(&p);
    free(jpeg);
    free(pixel);
}
END

TEST(no_damage_to_a_file_does_more_than_make_it_fail)
{
    uint8_t *noise = random_bytes(24 * 24 * 3, 1), *file[2];
    size_t size[2];
    unsigned long jpeg_size;
    make_folder();
    put_png("x.png", 24, 24, PNG_COLOR_TYPE_RGB, 8, 0, noise);
    char *path = in_folder("x.png");
    file[0] = (uint8_t *)file_read(path, &size[0]);
    file[1] = jpeg_bytes(24, 24, JCS_RGB, noise, &jpeg_size);
    size[1] = jpeg_size;
    Rng rng = rng_make(1, 0);
    for (int round = 0; round < 1000; round++) {
        uint8_t *damaged = xmalloc(size[round % 2]);
        memcpy(damaged, file[round % 2], size[round % 2]);
        size_t left = round % 4 < 2 ? size[round % 2] : rng_below(&rng, (uint32_t)size[round % 2]);
        for (int i = 0; left > 0 && i < 1 + round % 3; i++) /* headers more often than data */
            damaged[rng_below(&rng, (uint32_t)(i % 2 ? left : 1 + left / 8))] ^=
                (uint8_t)(1 + rng_below(&rng, 255));
        Picture p;
        uint8_t fitted[8 * 8 * 3];
        if (picture_decode(&p, damaged, left, "it", 8, 8, 3) == 0)
            picture_fit(&p, 8, 8, 3, fitted);
        else
            ck_assert_ptr_nonnull(strstr(error_text(), "it is "));
        picture_release(&p);
        free(damaged);
    }
    free(file[0]);
    free(file[1]);
    free(path);
    free(noise);
    remove_folder();
}
END

/* --- resizing --------------------------------------------------------------------------------- */

TEST(a_picture_of_the_right_size_is_left_alone_and_a_crop_does_not_blur)
{
    uint8_t *noise = random_bytes(9 * 14 * 3, 1), out[9 * 14 * 3];
    Picture p = {9, 14, 3, noise};
    picture_fit(&p, 9, 14, 3, out);
    ck_assert_mem_eq(out, noise, sizeof out);
    picture_fit(&p, 9, 9, 3, out); /* 5 columns too many: 2 fall away at the left */
    for (int y = 0; y < 9; y++)
        ck_assert_mem_eq(out + y * 27, noise + (y * 14 + 2) * 3, 27);
    free(noise);
}
END

TEST(halving_averages_and_doubling_interpolates)
{
    uint8_t four[] = {0, 10, 20, 30, 40, 50, 60, 71, 1, 2, 3, 4, 5, 6, 8, 8}, half[4];
    picture_fit(&(Picture){4, 4, 1, four}, 2, 2, 1, half);
    ck_assert_mem_eq(half, ((uint8_t[]){25, 45, 4, 6}), 4); /* 45.25; 3.5, 5.75 */
    uint8_t two[] = {0, 100, 200, 40}, twice[16];
    picture_fit(&(Picture){2, 2, 1, two}, 4, 4, 1, twice);
    ck_assert_mem_eq(twice, ((uint8_t[]){0, 25, 75, 100}), 4);
    ck_assert_mem_eq(twice + 4, ((uint8_t[]){50, 59, 76, 85}), 4); /* 3/4, 1/4 of the rows */
    uint8_t wide[] = {9, 9, 0, 10, 20, 30, 9, 9};
    picture_fit(&(Picture){2, 4, 1, wide}, 1, 1, 1, half); /* the middle 2x2: 9 0; 30 9 */
    ck_assert_int_eq(half[0], (9 + 0 + 30 + 9 + 2) / 4);
}
END

/* The same by its definition: every output pixel is the integral over its box. */
static double slow_pixel(const Picture *p, double top, double left, double step, int channel)
{
    double sum = 0;
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
            double h = fmin(top + step, y + 1) - fmax(top, y);
            double w = fmin(left + step, x + 1) - fmax(left, x);
            if (h > 0 && w > 0)
                sum += h * w * p->pixel[(y * p->w + x) * p->c + channel];
        }
    return sum / (step * step);
}

TEST(shrinking_is_the_integral_over_each_pixels_box)
{
    Rng rng = rng_make(1, 0);
    for (int round = 0; round < 60; round++) {
        int h = 1 + (int)rng_below(&rng, 20), w = 1 + (int)rng_below(&rng, 20);
        int in_h = h + (int)rng_below(&rng, 30), in_w = w + (int)rng_below(&rng, 30);
        int c = round % 2 ? 3 : 1;
        double step = fmin((double)in_h / h, (double)in_w / w);
        Picture p = {in_h, in_w, c, random_bytes((size_t)(in_h * in_w * c), (uint64_t)round)};
        uint8_t out[20 * 20 * 3];
        picture_fit(&p, h, w, c, out);
        double top = (in_h - h * step) / 2, left = (in_w - w * step) / 2;
        if (step == 1) {
            top = floor(top);
            left = floor(left);
        }
        for (int i = 0; i < h * w * c; i++) {
            double want =
                slow_pixel(&p, top + i / c / w * step, left + i / c % w * step, step, i % c);
            ck_assert_double_eq_tol(out[i], want, 0.502);
        }
        free(p.pixel);
    }
}
END

TEST(a_flat_picture_stays_flat_at_every_size)
{
    uint8_t flat[30 * 30], out[64 * 64 * 3], wide[64 * 64 * 3];
    memset(flat, 255, sizeof flat);
    for (int h = 1; h <= 30; h += 3)
        for (int w = 1; w <= 64; w += 7) {
            picture_fit(&(Picture){h, 31 - h, 1, flat}, w, 65 - w, 3, out);
            picture_stretch(&(Picture){h, 31 - h, 1, flat}, w, 65 - w, 3, wide);
            for (int i = 0; i < w * (65 - w) * 3; i++)
                ck_assert(out[i] == 255 && wide[i] == 255);
        }
}
END

/* Halved: triangles of two pixels each way, 3 3 1 of 7 at the ends. Doubled: 3/4 and 1/4. */
TEST(stretching_weighs_pixels_by_a_triangle)
{
    uint8_t row[] = {10, 20, 90, 40}, half[2], two[] = {0, 200}, twice[4];
    picture_stretch(&(Picture){1, 4, 1, row}, 1, 2, 1, half);
    ck_assert_int_eq(half[0], (3 * 10 + 3 * 20 + 90 + 3) / 7); /* 25.7 */
    ck_assert_int_eq(half[1], (20 + 3 * 90 + 3 * 40 + 3) / 7); /* 58.6 */
    picture_stretch(&(Picture){2, 1, 1, two}, 4, 1, 1, twice);
    ck_assert_mem_eq(twice, ((uint8_t[]){0, 50, 150, 200}), 4);
}
END

/* The weighted mean by its definition, of pixels whose weights are looked up one by one. */
static double slow_stretched(const Picture *p, double y, double x, double step_y, double step_x,
                             int channel)
{
    double sum = 0, weights = 0, reach_y = fmax(step_y, 1), reach_x = fmax(step_x, 1);
    for (int i = 0; i < p->h; i++)
        for (int j = 0; j < p->w; j++) {
            double h = 1 - fabs(i + 0.5 - y) / reach_y, w = 1 - fabs(j + 0.5 - x) / reach_x;
            double weight = fmax(h, 0) * fmax(w, 0);
            sum += weight * p->pixel[(i * p->w + j) * p->c + channel];
            weights += weight;
        }
    return sum / weights;
}

TEST(stretching_is_the_mean_under_a_triangle_to_any_shape)
{
    Rng rng = rng_make(2, 0);
    for (int round = 0; round < 60; round++) {
        int h = 1 + (int)rng_below(&rng, 20), w = 1 + (int)rng_below(&rng, 20);
        int in_h = 1 + (int)rng_below(&rng, 40), in_w = 1 + (int)rng_below(&rng, 40);
        int c = round % 2 ? 3 : 1;
        double sy = (double)in_h / h, sx = (double)in_w / w;
        Picture p = {in_h, in_w, c, random_bytes((size_t)(in_h * in_w * c), (uint64_t)round)};
        uint8_t out[20 * 20 * 3];
        picture_stretch(&p, h, w, c, out);
        for (int i = 0; i < h * w * c; i++) {
            double y = (i / c / w + 0.5) * sy, x = (i / c % w + 0.5) * sx;
            double want = slow_stretched(&p, y, x, sy, sx, i % c);
            ck_assert_double_eq_tol(out[i], want, 1.01); /* rounded twice */
        }
        free(p.pixel);
    }
}
END

TEST(colour_becomes_luma_and_gray_is_repeated)
{
    uint8_t rgb[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255}, gray[4], back[12];
    picture_fit(&(Picture){2, 2, 3, rgb}, 2, 2, 1, gray);
    ck_assert_mem_eq(gray, ((uint8_t[]){77, 149, 29, 255}), 4); /* 0.299, 0.587, 0.114 of 255 */
    picture_fit(&(Picture){2, 2, 1, gray}, 2, 2, 3, back);
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(back[i], gray[i / 3]);
}
END

/* --- binary sets ------------------------------------------------------------------------------ */

enum { RECORD = 3073 };

static void put_cifar(const char *name, int n, uint64_t seed)
{
    uint8_t *data = random_bytes((size_t)(n * RECORD), seed);
    for (int i = 0; i < n; i++)
        data[i * RECORD] = (uint8_t)(i % 10);
    put(name, data, (size_t)(n * RECORD));
    free(data);
}

TEST(cifar_batches_are_planes_of_colour_with_a_label_before)
{
    make_folder();
    put_cifar("data_batch_1.bin", 20, 1);
    put_cifar("data_batch_3.bin", 10, 3);
    put_cifar("test_batch.bin", 10, 9);
    DataOptions o = options(DATA_CIFAR10, 32, 32, 3);
    ck_assert_int_eq(data_classes(&o), 10);
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.n, 30);
    ck_assert_int_eq(data.test.n, 10);
    ck_assert_str_eq(data.train.class_name[3], "3");
    uint8_t *raw = random_bytes(20 * RECORD, 1);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(data.train.label[i], i % 10);
        for (int at = 0; at < 3072; at++)
            ck_assert_int_eq(picture(&data.train, i)[at],
                             raw[i * RECORD + 1 + at % 3 * 1024 + at / 3]);
    }
    free(raw);
    data_release(&data);
    const char *names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    put("batches.meta.txt", names, strlen(names));
    o.limit = 1;
    data = open_data(&o);
    ck_assert_str_eq(data.train.class_name[9], "truck");
    ck_assert_int_eq(data.train.n, 10);
    data_release(&data);
    remove_folder();
}
END

TEST(a_broken_cifar_file_is_named)
{
    make_folder();
    DataOptions o = options(DATA_CIFAR10, 32, 32, 3);
    refused(&o, "data_batch_1.bin");
    put("data_batch_2.bin", "short", 5);
    refused(&o, "data_batch_2.bin has 5 bytes");
    uint8_t record[RECORD] = {10};
    put("data_batch_2.bin", record, sizeof record);
    refused(&o, "label of image 0 is 10");
    put_cifar("data_batch_2.bin", 10, 1);
    put("batches.meta.txt", "a\nb\n", 4);
    refused(&o, "batches.meta.txt names 2 classes");
    remove_folder();
}
END

/* n images of h x w, label i % classes, pixel i + position. */
static void put_idx(const char *images, const char *labels, int n, int h, int w, int classes,
                    int lost)
{
    size_t size = (size_t)(n * h * w);
    uint8_t *file = xcalloc(16 + size, 1);
    uint8_t head[16] = {0, 0, 8, 3, 0, 0, (uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, (uint8_t)h,
                        0, 0, 0, (uint8_t)w};
    memcpy(file, head, 16);
    for (int i = 0; i < (int)size; i++)
        file[16 + i] = (uint8_t)(i / (h * w) + i % (h * w));
    put(images, file, 16 + size - (size_t)lost);
    file[3] = 1;
    for (int i = 0; i < n; i++)
        file[8 + i] = (uint8_t)(i % classes);
    put(labels, file, 8 + (size_t)n);
    free(file);
}

/* As the pictures that the files hold, h x w of 3 channels, become at other shapes. */
static void check_shapes(DataFormat format, int h, int w)
{
    static const struct {
        int h, w, c;
    } shape[] = {{12, 40, 1}, {40, 12, 3}, {16, 20, 1}, {33, 32, 1}};
    DataOptions o = options(format, h, w, 3);
    Data whole = open_data(&o);
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
        uint8_t want[40 * 40 * 3];
        o = options(format, shape[s].h, shape[s].w, shape[s].c);
        Data data = open_data(&o);
        ck_assert_int_eq(data.train.n, whole.train.n);
        for (int i = 0; i < data.train.n; i++) {
            Picture p = {h, w, 3, (uint8_t *)picture(&whole.train, i)};
            picture_fit(&p, o.h, o.w, o.c, want);
            ck_assert_mem_eq(picture(&data.train, i), want, (size_t)(o.h * o.w * o.c));
        }
        data_release(&data);
    }
    data_release(&whole);
}

TEST(every_format_of_pictures_opens_wide_or_tall_and_gray)
{
    make_folder();
    put_cifar("data_batch_1.bin", 10, 1);
    put_cifar("test_batch.bin", 10, 9);
    check_shapes(DATA_CIFAR10, 32, 32);
    remove_folder();
    make_folder();
    for (uint64_t i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%d.png", i % 2 ? "ant" : "cat", (int)i);
        put_noise(name, 14, 30, i);
    }
    check_shapes(DATA_IMAGES, 14, 30);
    remove_folder();
    make_folder();
    put_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 20, 15, 21, 3, 0);
    put_idx("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", 10, 15, 21, 3, 0);
    check_shapes(DATA_IDX, 15, 21);
    remove_folder();
}
END

TEST(idx_files_are_read_under_either_name)
{
    make_folder();
    put_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 300, 5, 7, 3, 0);
    put_idx("t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", 40, 5, 7, 4, 0);
    DataOptions o = options(DATA_IDX, 5, 7, 3);
    ck_assert_int_eq(data_classes(&o), 4);
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.n, 300);
    ck_assert_int_eq(data.test.n, 40);
    ck_assert_int_eq(data.test.n_classes, 4);
    ck_assert_str_eq(data.test.class_name[2], "2");
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(data.train.label[i], i % 3);
        for (int k = 0; k < 105; k++)
            ck_assert_int_eq(picture(&data.train, i)[k], (uint8_t)(i + k / 3));
    }
    data_release(&data);
    o = options(DATA_IDX, 10, 14, 1);
    data = open_data(&o);
    ck_assert_int_eq(picture(&data.test, 5)[0], 5);
    ck_assert_int_eq(picture(&data.test, 5)[10 * 14 - 1], 5 + 34);
    data_release(&data);
    remove_folder();
}
END

TEST(a_broken_or_packed_idx_file_is_named)
{
    make_folder();
    DataOptions o = options(DATA_IDX, 5, 7, 1);
    refused(&o, "train-labels-idx1-ubyte");
    put("train-labels-idx1-ubyte.gz", "x", 1);
    refused(&o, "gunzip");
    put_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 30, 5, 7, 3, 1);
    refused(&o, "train-images-idx3-ubyte has 1065 bytes, but its header promises 1066");
    put_idx("train-images-idx3-ubyte", "other", 29, 5, 7, 3, 0);
    refused(&o, "29 images, but there are 30 labels");
    put("train-images-idx3-ubyte", "PK", 2);
    refused(&o, "no IDX file");
    put_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 30, 5, 7, 3, 0);
    Data data = open_data(&o); /* no t10k: a tenth of each class is held out */
    ck_assert_int_eq(data.test.n, 3);
    data_release(&data);
    put_idx("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 30, 7, 5, 3, 0);
    refused(&o, "differ in size");
    remove_folder();
}
END

TEST(raw_tensors_keep_their_values_and_wrong_sizes_are_skipped)
{
    make_folder();
    int8_t a[6] = {-128, -1, 0, 1, 83, 127};
    put("train/no/1.bin", a, 6);
    put("train/no/2.bin", a, 5);
    put("train/yes/1", a, 6);
    put("test/no/1", a, 6);
    put("test/yes/1", a, 6);
    DataOptions o = options(DATA_RAW, 3, 2, 1);
    refused(&o, "0x0x0");
    o.raw_h = 3;
    o.raw_w = 2;
    o.raw_c = 1;
    Data data = open_data(&o);
    ck_assert_int_eq(data.skipped, 1);
    ck_assert_int_eq(data.train.n, 2);
    ck_assert_mem_eq(data.train.pixel, ((uint8_t[]){0, 127, 128, 129, 211, 255}), 6);
    int8_t back[6];
    dataset_int8(&data.test, 1, back);
    ck_assert_mem_eq(back, a, 6);
    data_release(&data);
    o.raw_unsigned = true;
    data = open_data(&o);
    ck_assert_mem_eq(data.train.pixel, a, 6);
    data_release(&data);
    remove_folder();
}
END

/* --- what the network sees -------------------------------------------------------------------- */

static Dataset example(uint8_t *pixel, uint16_t *label, int n, int h, int w, int c, int n_classes)
{
    for (int i = 0; i < n; i++)
        label[i] = (uint16_t)(i * i % n_classes);
    for (int i = 0; i < n * h * w * c; i++)
        pixel[i] = (uint8_t)(i * 37 + i / 256);
    return (Dataset){.n = n, .h = h, .w = w, .c = c, .n_classes = n_classes, .pixel = pixel,
                     .label = label, .zero = 100, .scale = 0.25f};
}

TEST(zero_and_scale_are_the_training_sets_mean_and_deviation)
{
    make_folder();
    uint8_t train[] = {10, 20, 30, 41}, test[] = {250, 250, 250, 250};
    put("train/a/1", train, 4);
    put("test/a/1", test, 4);
    DataOptions o = options(DATA_RAW, 2, 2, 1);
    o.raw_h = o.raw_w = 2;
    o.raw_c = 1;
    o.raw_unsigned = true;
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.zero, 25); /* 25.25 */
    double variance = 3081.0 / 4 - 25.25 * 25.25; /* mean of squares - square of the mean */
    ck_assert_float_eq_tol(data.train.scale, (float)(1 / sqrt(variance)), 1e-6);
    ck_assert_int_eq(data.test.zero, 25);
    ck_assert(data.test.scale == data.train.scale);
    data_release(&data);
    put("train/a/1", test, 4); /* a flat set is not blown up */
    data = open_data(&o);
    ck_assert_int_eq(data.train.zero, 250);
    ck_assert(data.train.scale == 1);
    data_release(&data);
    remove_folder();
}
END

TEST(a_plain_batch_is_pixel_minus_zero_times_scale)
{
    uint8_t pixel[5 * 24];
    uint16_t label[5];
    Dataset d = example(pixel, label, 5, 4, 3, 2, 3);
    int index[] = {4, 0, 4}, labels[3];
    float images[3 * 24];
    dataset_batch(&d, index, 3, NULL, NULL, images, labels);
    for (int i = 0; i < 3 * 24; i++)
        ck_assert(images[i] == (float)(pixel[index[i / 24] * 24 + i % 24] - 100) * 0.25f);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(labels[i], label[index[i]]);
    int8_t device[24];
    dataset_int8(&d, 4, device);
    for (int i = 0; i < 24; i++) /* real = (int8 - (zero - 128)) * scale */
        ck_assert(images[i] == (float)(device[i] - (d.zero - 128)) * d.scale);
}
END

/* One augmented value by its definition, from where it must have come. */
static float slow_value(const Dataset *d, int picked, int y, int x, int j, int dy, int dx,
                        bool flipped, const int *cut)
{
    if (y >= cut[0] && y < cut[0] + cut[2] && x >= cut[1] && x < cut[1] + cut[2])
        return 0;
    int from_x = (flipped ? d->w - 1 - x : x) - dx, from_y = y - dy;
    if (from_x < 0 || from_x >= d->w || from_y < 0 || from_y >= d->h)
        return 0;
    return (float)(picture(d, picked)[(from_y * d->w + from_x) * d->c + j] - d->zero) * d->scale;
}

TEST(an_augmented_picture_is_shifted_then_mirrored_then_cut)
{
    uint8_t pixel[4 * 7 * 6 * 3];
    uint16_t label[4];
    Dataset d = example(pixel, label, 4, 7, 6, 3, 2);
    Augment kinds[] = {{.crop = 2}, {.flip = true}, {.cutout = 3},
                       {.crop = 2, .flip = true, .cutout = 4}, {.crop = 9, .flip = true}};
    int flips = 0;
    for (int round = 0; round < 200; round++) {
        Augment a = kinds[round % 5];
        Rng rng = rng_make(7, (uint64_t)round), replay = rng;
        int index[] = {round % 4, 3}, labels[2];
        float images[2 * 7 * 6 * 3];
        dataset_batch(&d, index, 2, &a, &rng, images, labels);
        for (int i = 0; i < 2; i++) {
            int dy = a.crop ? (int)rng_below(&replay, (uint32_t)(2 * a.crop + 1)) - a.crop : 0;
            int dx = a.crop ? (int)rng_below(&replay, (uint32_t)(2 * a.crop + 1)) - a.crop : 0;
            bool flipped = a.flip && rng_below(&replay, 2);
            int cut[3] = {0, 0, a.cutout};
            if (a.cutout) {
                cut[0] = (int)rng_below(&replay, 7) - a.cutout / 2;
                cut[1] = (int)rng_below(&replay, 6) - a.cutout / 2;
            }
            flips += flipped;
            for (int k = 0; k < 7 * 6 * 3; k++)
                ck_assert(images[i * 7 * 6 * 3 + k] ==
                          slow_value(&d, index[i], k / 18, k / 3 % 6, k % 3, dy, dx, flipped, cut));
        }
    }
    ck_assert_int_gt(flips, 80); /* of 240 */
    ck_assert_int_lt(flips, 160);
}
END

TEST(a_split_is_disjoint_and_takes_the_share_of_every_class)
{
    enum { N = 500 };
    uint8_t pixel[N];
    uint16_t label[N];
    Dataset d = example(pixel, label, N, 1, 1, 1, 7); /* squares modulo 7: 0, 1, 2, 4 */
    int first[N], second[N], again[N], of_class[7] = {0}, taken[7] = {0}, seen[N] = {0};
    int n = dataset_split(&d, 0.2, 5, first, second);
    for (int i = 0; i < N; i++)
        of_class[label[i]]++;
    for (int i = 0; i < n; i++)
        taken[label[second[i]]]++;
    for (int i = 0; i < N; i++)
        seen[i < n ? second[i] : first[i - n]]++;
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(seen[i], 1);
    for (int k = 0; k < 7; k++)
        ck_assert_int_eq(taken[k], (int)lround(0.2 * of_class[k]));
    ck_assert_int_eq(dataset_split(&d, 0.2, 5, first, again), n);
    ck_assert_mem_eq(second, again, (size_t)n * sizeof *second);
    ck_assert_int_eq(dataset_split(&d, 0.2, 6, first, again), n);
    ck_assert_mem_ne(second, again, (size_t)n * sizeof *second);
    ck_assert_int_eq(dataset_split(&d, 0, 5, first, second), 4); /* one of each at least */
}
END

TEST(a_split_keeps_groups_whole_and_comes_near_the_shares)
{
    enum { N = 600, GROUPS = 60 };
    uint8_t pixel[N];
    uint16_t label[N];
    uint64_t group[N];
    Dataset d = example(pixel, label, N, 1, 1, 1, 3);
    d.group = group;
    for (uint64_t seed = 0; seed < 20; seed++) {
        int first[N], second[N], again[N], of_class[3] = {0}, taken[3] = {0}, side[GROUPS] = {0};
        Rng rng = rng_make(seed, 1);
        for (int i = 0; i < N; i++) {
            group[i] = rng_below(&rng, GROUPS);
            label[i] = (uint16_t)(i % 3);
            of_class[label[i]]++;
        }
        int n = dataset_split(&d, 0.2, seed, first, second);
        for (int i = 0; i < N; i++) {
            int index = i < n ? second[i] : first[i - n], where = i < n ? 1 : 2;
            side[group[index]] |= where;
            taken[label[index]] += i < n;
        }
        for (int g = 0; g < GROUPS; g++)
            ck_assert_int_ne(side[g], 3);
        for (int k = 0; k < 3; k++)
            ck_assert_int_le(abs(taken[k] - of_class[k] / 5), 12);
        ck_assert_int_eq(dataset_split(&d, 0.2, seed, first, again), n);
        ck_assert_mem_eq(second, again, (size_t)n * sizeof *second);
    }
    memset(group, 0, sizeof group); /* all of one thing: nothing can be held out */
    int first[N], second[N];
    ck_assert_int_eq(dataset_split(&d, 0.2, 1, first, second), 0);
}
END

TEST(files_are_of_one_group_whose_names_agree_so_far)
{
    make_folder();
    int8_t a[1] = {1};
    const char *names[] = {"train/no/ann-1.bin", "train/no/ann_2.bin", "train/no/bob-1.bin",
                           "train/no/bobby", "train/yes/ann-9.bin", "train/yes/bob.bin",
                           "test/no/ann-1", "test/yes/ann-1"};
    for (int i = 0; i < 8; i++)
        put(names[i], a, i == 2 ? 0 : 1); /* bob-1 is damaged, and left out */
    DataOptions o = options(DATA_RAW, 1, 1, 1);
    o.raw_h = o.raw_w = o.raw_c = 1;
    Data data = open_data(&o);
    ck_assert_ptr_null(data.train.group);
    data_release(&data);
    strcpy(o.groups, "-_");
    data = open_data(&o);
    const uint64_t *g = data.train.group; /* ann ann bobby ann bob.bin */
    ck_assert_int_eq(data.train.n, 5);
    ck_assert(g[0] == g[1] && g[0] == g[3] && g[2] != g[0] && g[4] != g[0] && g[2] != g[4]);
    data_release(&data);
    remove_folder();
}
END

/* --- the built-in set ------------------------------------------------------------------------- */

static Data draw_set(int side, int c, int train, int test, uint64_t seed, int threads)
{
    DataOptions o = {.format = DATA_SYNTHETIC, .h = side, .w = side, .c = c, .seed = seed,
                     .threads = threads, .synthetic_train = train, .synthetic_test = test};
    return open_data(&o);
}

TEST(the_synthetic_set_repeats_by_seed_whatever_the_threads)
{
    Data a = draw_set(24, 3, 60, 20, 3, 1), b = draw_set(24, 3, 60, 20, 3, 2);
    Data c = draw_set(24, 3, 60, 20, 4, 2), longer = draw_set(24, 3, 90, 20, 3, 2);
    size_t size = 60 * 24 * 24 * 3;
    ck_assert_mem_eq(a.train.pixel, b.train.pixel, size);
    ck_assert_mem_eq(a.train.pixel, longer.train.pixel, size);
    ck_assert_mem_eq(a.test.pixel, longer.test.pixel, size / 3);
    ck_assert_mem_ne(a.train.pixel, c.train.pixel, size);
    ck_assert_mem_ne(a.train.pixel, a.test.pixel, size / 3);
    int count[10] = {0};
    for (int i = 0; i < a.train.n; i++)
        count[a.train.label[i]]++;
    for (int k = 0; k < 10; k++)
        ck_assert_int_eq(count[k], 6);
    data_release(&a);
    data_release(&b);
    data_release(&c);
    data_release(&longer);
}
END

TEST(a_scene_is_the_same_at_every_resolution)
{
    Data large = draw_set(64, 3, 40, 10, 1, 2), small = draw_set(16, 3, 40, 10, 1, 2);
    Data gray = draw_set(64, 1, 40, 10, 1, 2);
    for (int i = 0; i < 40; i++) {
        uint8_t fitted[16 * 16 * 3], luma[64 * 64];
        Picture p = {64, 64, 3, (uint8_t *)picture(&large.train, i)};
        double difference = 0;
        picture_fit(&p, 16, 16, 3, fitted);
        for (int k = 0; k < 16 * 16 * 3; k++)
            difference += abs(fitted[k] - picture(&small.train, i)[k]);
        ck_assert_double_lt(difference / (16 * 16 * 3), 3); /* levels; samples lie elsewhere */
        picture_fit(&p, 64, 64, 1, luma);
        for (int k = 0; k < 64 * 64; k++)
            ck_assert_int_le(abs(luma[k] - picture(&gray.train, i)[k]), 8); /* but for clipping */
    }
    data_release(&large);
    data_release(&small);
    data_release(&gray);
}
END

TEST(the_synthetic_set_has_2_to_12_classes_and_any_shape)
{
    DataOptions o = {.format = DATA_SYNTHETIC, .h = 20, .w = 33, .c = 1, .synthetic_train = 24,
                     .synthetic_test = 12};
    ck_assert_int_eq(data_classes(&o), 10);
    for (o.synthetic_classes = 2; o.synthetic_classes <= 12; o.synthetic_classes++) {
        ck_assert_int_eq(data_classes(&o), o.synthetic_classes);
        Data data = open_data(&o);
        ck_assert_int_eq(data.train.n_classes, o.synthetic_classes);
        for (int i = 0; i < 24; i++)
            ck_assert_int_eq(data.train.label[i], i % o.synthetic_classes);
        data_release(&data);
    }
    refused(&o, "not 13");
    o.synthetic_classes = 1;
    refused(&o, "not 1");
    o.synthetic_classes = 12;
    o.synthetic_test = 5;
    refused(&o, "12 classes");
}
END

static long distance(const uint8_t *a, const uint8_t *b, int n)
{
    long sum = 0;
    for (int i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static int nearest(const Dataset *train, const uint8_t *picked)
{
    int n = train->h * train->w * train->c, best = 0;
    long least = -1;
    for (int i = 0; i < train->n; i++) {
        long far = distance(picked, picture(train, i), n);
        if (least < 0 || far < least) {
            least = far;
            best = i;
        }
    }
    return train->label[best];
}

TEST(comparing_raw_pixels_does_not_solve_the_synthetic_set)
{
    Data data = draw_set(24, 3, 1000, 200, 0, 2);
    int right = 0;
    for (int i = 0; i < data.test.n; i++)
        right += nearest(&data.train, picture(&data.test, i)) == data.test.label[i];
    ck_assert_int_lt(right, 100); /* of 200 */
    data_release(&data);
}
END

/* --- the real sets ---------------------------------------------------------------------------- */

static void unpack(const char *archive)
{
    make_folder();
    char *command = xasprintf("tar -xf %s -C %s", archive, folder);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

TEST(cifar10_mini_opens_with_all_its_images)
{
    const char *archive = shared_file("data/cifar10-mini.tar");
    SKIP_WITHOUT(archive);
    unpack(archive);
    DataOptions o = options(DATA_IMAGES, 32, 32, 3);
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.n, 2000);
    ck_assert_int_eq(data.test.n, 500);
    ck_assert_int_eq(data.skipped, 0);
    ck_assert_str_eq(data.train.class_name[0], "airplane");
    ck_assert_int_eq(data.train.zero, 120); /* CIFAR-10's mean is 0.473 of 255 */
    ck_assert_float_eq_tol(data.train.scale, 1 / (0.2515 * 255), 1e-3);
    data_release(&data);
    remove_folder();
}
END

TEST(mnist_mini_opens_gray_or_repeated)
{
    const char *archive = shared_file("data/mnist-mini.tar.gz");
    SKIP_WITHOUT(archive);
    unpack(archive);
    DataOptions o = options(DATA_IMAGES, 28, 28, 1);
    Data gray = open_data(&o);
    o.c = 3;
    Data repeated = open_data(&o);
    ck_assert_int_eq(gray.train.n, 3000);
    ck_assert_int_eq(gray.test.n, 1000);
    ck_assert_int_eq(gray.train.zero, repeated.train.zero);
    for (int i = 0; i < 1000 * 28 * 28; i++)
        ck_assert(gray.test.pixel[i] == repeated.test.pixel[3 * i + i % 3]);
    data_release(&gray);
    data_release(&repeated);
    remove_folder();
}
END

TEST(horsehuman_opens_at_another_size)
{
    const char *archive = shared_file("data/horsehuman96.tar");
    SKIP_WITHOUT(archive);
    unpack(archive);
    DataOptions o = options(DATA_IMAGES, 64, 48, 3);
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.n, 1027);
    ck_assert_int_eq(data.test.n, 256);
    ck_assert_int_eq(data.train.n_classes, 2);
    ck_assert_int_eq(data.skipped, 0);
    data_release(&data);
    remove_folder();
}
END

TEST(speech_features_open_as_raw_tensors)
{
    const char *archive = shared_file("data/gsc12-mfcc.tar.gz");
    SKIP_WITHOUT(archive);
    unpack(archive);
    DataOptions o = options(DATA_RAW, 49, 10, 1);
    o.raw_h = 49;
    o.raw_w = 10;
    o.raw_c = 1;
    ck_assert_int_eq(data_classes(&o), 12);
    Data data = open_data(&o);
    ck_assert_int_eq(data.train.n, 3250);
    ck_assert_int_eq(data.test.n, 1640);
    ck_assert_str_eq(data.train.class_name[11], "yes");
    data_release(&data);
    remove_folder();
}
END

/* The whole test set as int8, summed by sha256sum: the figure beside the golden models. */
static void has_sum(const DataOptions *o, const char *want)
{
    Data data = open_data(o);
    size_t size = (size_t)(data.test.h * data.test.w * data.test.c);
    int8_t *all = xmalloc(size * (size_t)data.test.n);
    for (int i = 0; i < data.test.n; i++)
        dataset_int8(&data.test, i, all + (size_t)i * size);
    put("all", all, size * (size_t)data.test.n);
    char *command = xasprintf("sha256sum %s/all", folder), got[65] = "";
    FILE *f = popen(command, "r");
    ck_assert_uint_eq(fread(got, 1, 64, f), 64);
    pclose(f);
    ck_assert_str_eq(got, want);
    free(command);
    free(all);
    data_release(&data);
}

TEST(lossless_sets_are_the_bytes_the_reference_was_given)
{
    const char *images = shared_file("data/cifar10-raw500.tar");
    SKIP_WITHOUT(images);
    unpack(images);
    DataOptions o = options(DATA_IMAGES, 32, 32, 3);
    has_sum(&o, "4ef619a40730d504e4587ca95db09bcc8b1e268b087ff3431c930e3c0add3738");
    remove_folder();
    const char *photographs = shared_file("data/vww01.tar");
    SKIP_WITHOUT(photographs);
    unpack(photographs);
    o = options(DATA_IMAGES, 96, 96, 3);
    has_sum(&o, "e4a36f5b56ad4efee202638be1378c520927dd93ffb6c52ce4de4cb9ec41ad29");
    remove_folder();
    const char *features = shared_file("data/kws01.tar");
    SKIP_WITHOUT(features);
    unpack(features);
    o = options(DATA_RAW, 49, 10, 1);
    o.raw_h = 49;
    o.raw_w = 10;
    o.raw_c = 1;
    has_sum(&o, "9b7ee98e15a911dbbbe72d97e09aeaca6824545e6bc7effdeceb068610a6966e");
    remove_folder();
}
END

TEST(formats_are_found_by_their_names)
{
    for (int i = 0; i < N_DATA_FORMATS; i++) {
        DataFormat back;
        ck_assert_int_eq(data_format_parse(data_format_name((DataFormat)i), &back), 0);
        ck_assert_int_eq((int)back, i);
    }
    DataFormat back;
    ck_assert_int_eq(data_format_parse("imagenet", &back), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "'imagenet'"));
}
END

SUITE(dataset, class_folders_are_read_sorted_and_to_the_bit,
      val_and_validation_are_test_sets_too_and_test_may_stand_alone,
      without_a_test_folder_a_share_of_each_class_is_held_out,
      the_test_set_alone_is_all_there_is_where_there_is_none,
      pictures_are_covered_or_stretched_as_asked,
      a_class_with_one_picture_cannot_be_split_and_is_named,
      links_lead_to_classes_and_other_files_are_passed_over,
      damaged_pictures_are_skipped_and_counted,
      what_is_wrong_with_a_folder_is_said_by_name, one_thread_and_two_read_the_same_bytes,
      a_limit_keeps_some_of_every_class_for_training,
      every_kind_of_png_becomes_8_bit_gray_or_colour, gray_and_cmyk_jpegs_are_read,
      a_large_jpeg_is_reduced_while_decoding_and_looks_the_same,
      no_damage_to_a_file_does_more_than_make_it_fail,
      a_picture_of_the_right_size_is_left_alone_and_a_crop_does_not_blur,
      halving_averages_and_doubling_interpolates,
      shrinking_is_the_integral_over_each_pixels_box, a_flat_picture_stays_flat_at_every_size,
      stretching_weighs_pixels_by_a_triangle,
      stretching_is_the_mean_under_a_triangle_to_any_shape,
      colour_becomes_luma_and_gray_is_repeated,
      cifar_batches_are_planes_of_colour_with_a_label_before, a_broken_cifar_file_is_named,
      every_format_of_pictures_opens_wide_or_tall_and_gray,
      idx_files_are_read_under_either_name, a_broken_or_packed_idx_file_is_named,
      raw_tensors_keep_their_values_and_wrong_sizes_are_skipped,
      zero_and_scale_are_the_training_sets_mean_and_deviation,
      a_plain_batch_is_pixel_minus_zero_times_scale,
      an_augmented_picture_is_shifted_then_mirrored_then_cut,
      a_split_is_disjoint_and_takes_the_share_of_every_class,
      a_split_keeps_groups_whole_and_comes_near_the_shares,
      files_are_of_one_group_whose_names_agree_so_far,
      the_synthetic_set_repeats_by_seed_whatever_the_threads,
      a_scene_is_the_same_at_every_resolution,
      the_synthetic_set_has_2_to_12_classes_and_any_shape,
      comparing_raw_pixels_does_not_solve_the_synthetic_set, cifar10_mini_opens_with_all_its_images,
      mnist_mini_opens_gray_or_repeated, horsehuman_opens_at_another_size,
      speech_features_open_as_raw_tensors, lossless_sets_are_the_bytes_the_reference_was_given,
      formats_are_found_by_their_names)
