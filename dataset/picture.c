#define _GNU_SOURCE
#include "dataset/picture.h"

#include "base/alloc.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>
#include <png.h>

#define MAX_PIXELS (1u << 27) /* beyond this a header is more likely wrong than a camera good */

static const uint8_t jpeg_magic[] = {0xff, 0xd8, 0xff};
static const uint8_t png_magic[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

static bool is_jpeg(const uint8_t *file, size_t size)
{
    return size >= sizeof jpeg_magic && memcmp(file, jpeg_magic, sizeof jpeg_magic) == 0;
}

static bool is_png(const uint8_t *file, size_t size)
{
    return size >= sizeof png_magic && memcmp(file, png_magic, sizeof png_magic) == 0;
}

bool picture_magic(const uint8_t *file, size_t size)
{
    return is_jpeg(file, size) || is_png(file, size);
}

void picture_release(Picture *p)
{
    free(p->pixel);
    *p = (Picture){0};
}

/* --- JPEG ------------------------------------------------------------------------------------- */

typedef struct {
    struct jpeg_error_mgr manager; /* first: libjpeg gives us back its address */
    jmp_buf back;
    char text[JMSG_LENGTH_MAX];
} JpegError;

static void jpeg_stop(j_common_ptr jpeg)
{
    JpegError *error = (JpegError *)jpeg->err;
    error->manager.format_message(jpeg, error->text);
    longjmp(error->back, 1);
}

/* libjpeg warns (level -1) of data it had to invent; such a picture would teach nonsense. */
static void jpeg_message(j_common_ptr jpeg, int level)
{
    if (level < 0)
        jpeg_stop(jpeg);
}

static J_COLOR_SPACE jpeg_output(const struct jpeg_decompress_struct *jpeg, int c)
{
    switch ((int)jpeg->jpeg_color_space) {
    case JCS_CMYK:
    case JCS_YCCK:
        return JCS_CMYK;
    case JCS_GRAYSCALE:
        return JCS_GRAYSCALE;
    default:
        return c == 1 ? JCS_GRAYSCALE : JCS_RGB;
    }
}

/* The smallest of 1/8, 1/4, 1/2 that leaves at least 2h x 2w: the decoder averages
 * for us and reads large photographs several times faster. Twice, because the
 * reduced sides are rounded up, which moves the picture by less than a pixel. */
static unsigned jpeg_reduction(unsigned have_h, unsigned have_w, unsigned h, unsigned w)
{
    unsigned n = 1;
    while (n < 8 && (have_h * n / 8 < 2 * h || have_w * n / 8 < 2 * w))
        n *= 2;
    return n;
}

/* [n][4] to [n][3] in place. Adobe's programs store CMYK inverted. */
static void cmyk_to_rgb(uint8_t *pixel, size_t n, bool inverted)
{
    for (size_t i = 0; i < n; i++) {
        unsigned flip = inverted ? 0 : 255, k = pixel[4 * i + 3] ^ flip;
        for (size_t j = 0; j < 3; j++)
            pixel[3 * i + j] = (uint8_t)(((pixel[4 * i + j] ^ flip) * k + 127) / 255);
    }
}

static void read_jpeg(struct jpeg_decompress_struct *jpeg, Picture *p, int h, int w, int c)
{
    jpeg_read_header(jpeg, TRUE);
    jpeg->out_color_space = jpeg_output(jpeg, c);
    jpeg->scale_denom = 8;
    jpeg->scale_num =
        jpeg_reduction(jpeg->image_height, jpeg->image_width, (unsigned)h, (unsigned)w);
    jpeg_start_decompress(jpeg);
    if ((size_t)jpeg->output_width * jpeg->output_height > MAX_PIXELS)
        ERREXIT(jpeg, JERR_WIDTH_OVERFLOW);
    size_t row = (size_t)jpeg->output_width * (size_t)jpeg->output_components;
    p->h = (int)jpeg->output_height;
    p->w = (int)jpeg->output_width;
    p->pixel = xmalloc((size_t)p->h * row);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW line = p->pixel + jpeg->output_scanline * row;
        jpeg_read_scanlines(jpeg, &line, 1);
    }
    jpeg_finish_decompress(jpeg);
    p->c = jpeg->output_components;
    if (p->c == 4) {
        cmyk_to_rgb(p->pixel, (size_t)p->h * (size_t)p->w, jpeg->saw_Adobe_marker);
        p->c = 3;
    }
}

static int decode_jpeg(Picture *p, const uint8_t *file, size_t size, const char *name, int h,
                       int w, int c)
{
    struct jpeg_decompress_struct jpeg;
    JpegError error;
    jpeg.err = jpeg_std_error(&error.manager);
    error.manager.error_exit = jpeg_stop;
    error.manager.emit_message = jpeg_message;
    if (setjmp(error.back)) {
        jpeg_destroy_decompress(&jpeg);
        picture_release(p);
        return errorf("%s is damaged: %s", name, error.text);
    }
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, file, size);
    read_jpeg(&jpeg, p, h, w, c);
    jpeg_destroy_decompress(&jpeg);
    return 0;
}

/* --- PNG -------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *next, *end;
    jmp_buf back;
    char text[128];
} PngInput;

static void png_stop(png_structp png, png_const_charp text)
{
    PngInput *input = png_get_error_ptr(png);
    snprintf(input->text, sizeof input->text, "%s", text);
    longjmp(input->back, 1);
}

static void png_ignore(png_structp png, png_const_charp text)
{
    (void)png; /* odd colour profiles and the like: the pixels are whole */
    (void)text;
}

static void png_feed(png_structp png, png_bytep out, size_t n)
{
    PngInput *input = png_get_io_ptr(png);
    if ((size_t)(input->end - input->next) < n)
        png_error(png, "the file ends too early");
    memcpy(out, input->next, n);
    input->next += n;
}

/* [n][c + 1] with alpha to [n][c] in place, as a browser would show it: over white. */
static void drop_alpha(uint8_t *pixel, size_t n, size_t c)
{
    for (size_t i = 0; i < n; i++) {
        unsigned alpha = pixel[i * (c + 1) + c];
        for (size_t j = 0; j < c; j++) {
            unsigned sum = pixel[i * (c + 1) + j] * alpha + 255 * (255 - alpha);
            pixel[i * c + j] = (uint8_t)((sum + 127) / 255);
        }
    }
}

static void read_png(png_structp png, png_infop info, Picture *p)
{
    png_read_info(png, info);
    png_set_expand(png); /* palettes, 1 to 4 bits and transparent colours to whole channels */
    png_set_scale_16(png);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t row = png_get_rowbytes(png, info);
    int channels = png_get_channels(png, info);
    p->h = (int)png_get_image_height(png, info);
    p->w = (int)png_get_image_width(png, info);
    if ((size_t)p->h * (size_t)p->w > MAX_PIXELS)
        png_error(png, "it is too large");
    p->pixel = xmalloc((size_t)p->h * row);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < p->h; y++)
            png_read_row(png, p->pixel + (size_t)y * row, NULL);
    png_read_end(png, NULL);
    p->c = channels < 3 ? 1 : 3;
    if (channels != p->c)
        drop_alpha(p->pixel, (size_t)p->h * (size_t)p->w, (size_t)p->c);
}

static int decode_png(Picture *p, const uint8_t *file, size_t size, const char *name)
{
    PngInput input = {.next = file, .end = file + size};
    png_structp png =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, &input, png_stop, png_ignore);
    if (!png)
        return errorf("cannot read %s: libpng does not start", name);
    png_infop info = png_create_info_struct(png);
    if (setjmp(input.back)) {
        png_destroy_read_struct(&png, &info, NULL);
        picture_release(p);
        return errorf("%s is damaged: %s", name, input.text);
    }
    png_set_read_fn(png, &input, png_feed);
    read_png(png, info, p);
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
}

int picture_decode(Picture *p, const uint8_t *file, size_t size, const char *name, int h, int w,
                   int c)
{
    *p = (Picture){0};
    if (size == 0)
        return errorf("%s is empty", name);
    if (is_jpeg(file, size))
        return decode_jpeg(p, file, size, name, h, w, c);
    if (is_png(file, size))
        return decode_png(p, file, size, name);
    return errorf("%s is neither a JPEG nor a PNG file", name);
}
