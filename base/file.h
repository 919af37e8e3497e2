/* file.h - whole files: read at once, written all or not at all. */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The contents, followed by a 0 that *size does not count; yours to free.
 * NULL with errorf() when it cannot be read. */
char *file_read(const char *path, size_t *size);

/* Writes beside the file, syncs, then renames: a reader sees the old contents
 * or the new, never a part. -1 with errorf(). */
int file_write(const char *path, const void *data, size_t size);

bool file_exists(const char *path);
bool file_is_dir(const char *path);
int file_make_dirs(const char *path); /* like mkdir -p */

/* A folder that comes with this program ("configs", "runtime"): in ../share/thimble beside
 * the program where it is installed, else in the source tree it was built in, else here.
 * NULL when it is nowhere. */
const char *file_own(const char *folder);

#endif
