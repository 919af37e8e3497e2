/* picture.h - JPEG and PNG files to 8-bit pixels, and pixels to another size.
 *
 * Knows nothing of labels or folders; safe to call from many threads. */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int h, w, c;    /* c is 1 (gray) or 3 (RGB) */
    uint8_t *pixel; /* [h][w][c] */
} Picture;

/* Do the first bytes of a file belong to a JPEG or a PNG? */
bool picture_magic(const uint8_t *file, size_t size);

/* Decodes a whole file in memory; `name` is for the error. CMYK becomes RGB,
 * 16 bits become 8, transparency is laid over white. c is the caller's wish: a
 * coloured JPEG wanted gray gives its luma, everything else keeps its channels.
 * A large JPEG may come out reduced by 2, 4 or 8, but not below 2h x 2w. -1 with
 * errorf() for anything that is not whole: a truncated JPEG of which libjpeg
 * could show a part is damaged too. */
int picture_decode(Picture *p, const uint8_t *file, size_t size, const char *name, int h, int w,
                   int c);
void picture_release(Picture *p);

/* Scales p to cover h x w and crops the rest away evenly: area averages when
 * shrinking, bilinear when growing, the very same pixels when nothing is to be
 * scaled. Gray is repeated for c = 3, colour becomes luma (BT.601) for c = 1. */
void picture_fit(const Picture *p, int h, int w, int c, uint8_t *out);

/* Stretches p to h x w, whatever its sides were: each output pixel is the mean under a triangle
 * that is two output pixels wide, or two source pixels when growing. What many call bilinear with
 * antialiasing, and to the bit what Pillow's BILINEAR makes of 8-bit pixels: across first,
 * weights in 22 bits, rounded after either side. Colours as above. */
void picture_stretch(const Picture *p, int h, int w, int c, uint8_t *out);

#endif
