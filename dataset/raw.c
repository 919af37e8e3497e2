#define _GNU_SOURCE
#include "dataset/reader.h"

#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>

static bool any_file(const char *path)
{
    (void)path;
    return true;
}

static int raw_list(Listing *listing, const DataOptions *o, bool names_only)
{
    if (!names_only && (o->raw_h != o->h || o->raw_w != o->w || o->raw_c != o->c))
        return errorf("%s: raw tensors of %dx%dx%d cannot become %dx%dx%d", o->path, o->raw_h,
                      o->raw_w, o->raw_c, o->h, o->w, o->c);
    return folder_list(listing, o->path, any_file, "files");
}

static int raw_load(const Listing *listing, const Example *example, const DataOptions *o,
                    uint8_t *pixel)
{
    (void)listing;
    size_t size, want = (size_t)o->raw_h * (size_t)o->raw_w * (size_t)o->raw_c;
    char *file = file_read(example->path, &size);
    if (!file)
        return -1;
    for (size_t i = 0; size == want && i < want; i++) /* ^ 128 is + 128 of an int8 */
        pixel[i] = (uint8_t)((uint8_t)file[i] ^ (o->raw_unsigned ? 0 : 128));
    free(file);
    if (size != want)
        return errorf("%s has %zu bytes, a tensor of %dx%dx%d has %zu", example->path, size,
                      o->raw_h, o->raw_w, o->raw_c, want);
    return 0;
}

const Reader raw_reader = {raw_list, raw_load};
