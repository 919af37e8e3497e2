#define _GNU_SOURCE
#include "dataset/picture.h"
#include "dataset/reader.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* By its name a picture, or by its first bytes: a .jpg that is none will be
 * named as damaged, a notes.txt is passed over in silence. */
static bool is_picture(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot && (!strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg") || !strcasecmp(dot, ".png")))
        return true;
    uint8_t head[8];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(head, 1, sizeof head, f) : 0;
    if (f)
        fclose(f);
    return picture_magic(head, n);
}

static int images_list(Listing *listing, const DataOptions *options, bool names_only)
{
    (void)names_only; /* file names are all we read here */
    return folder_list(listing, options->path, is_picture, "images");
}

static int images_load(const Listing *listing, const Example *example, const DataOptions *options,
                       uint8_t *pixel)
{
    (void)listing;
    size_t size;
    char *file = file_read(example->path, &size);
    if (!file)
        return -1;
    Picture picture;
    int status = picture_decode(&picture, (uint8_t *)file, size, example->path, options->h,
                                options->w, options->c);
    free(file);
    if (status == -1)
        return -1;
    if (options->resize == RESIZE_STRETCH)
        picture_stretch(&picture, options->h, options->w, options->c, pixel);
    else
        picture_fit(&picture, options->h, options->w, options->c, pixel);
    picture_release(&picture);
    return 0;
}

const Reader images_reader = {images_list, images_load};
