#define _GNU_SOURCE
#include "base/file.h"

#include "base/alloc.h"
#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef THIMBLE_SOURCE_DIR
#define THIMBLE_SOURCE_DIR "."
#endif

char *file_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f || file_is_dir(path)) {
        errorf("cannot read %s: %s", path, f ? "it is a folder" : strerror(errno));
        if (f)
            fclose(f);
        return NULL;
    }
    size_t n = 0, room = 1 << 16;
    char *data = xmalloc(room);
    for (size_t got; (got = fread(data + n, 1, room - n - 1, f)) > 0;) {
        n += got;
        if (room - n < 2)
            data = xrealloc(data, room *= 2);
    }
    int bad = ferror(f);
    fclose(f);
    if (bad) {
        free(data);
        errorf("cannot read %s", path);
        return NULL;
    }
    data[n] = 0;
    if (size)
        *size = n;
    return data;
}

int file_write(const char *path, const void *data, size_t size)
{
    char *fresh = xasprintf("%s.%ld.tmp", path, (long)getpid());
    FILE *f = fopen(fresh, "wb");
    int ok = f && fwrite(data, 1, size, f) == size && fflush(f) == 0 && fsync(fileno(f)) == 0;
    int why = errno;
    if (f && fclose(f) != 0)
        ok = 0;
    if (ok && rename(fresh, path) != 0) {
        ok = 0;
        why = errno;
    }
    if (!ok) {
        unlink(fresh);
        errorf("cannot write %s: %s", path, strerror(why));
    }
    free(fresh);
    return ok ? 0 : -1;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "../share/thimble" beside the program; "" when the system does not say where that is. */
static void installed_dir(char dir[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 32);
    dir[n > 0 ? n : 0] = 0;
    char *slash = strrchr(dir, '/');
    if (slash)
        strcpy(slash, "/../share/thimble");
}

const char *file_own(const char *folder)
{
    static _Thread_local char path[2 * PATH_MAX];
    char installed[PATH_MAX];
    installed_dir(installed);
    const char *dirs[] = {installed, THIMBLE_SOURCE_DIR, "."};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        snprintf(path, sizeof path, "%s/%s", dirs[i], folder);
        if (file_is_dir(path))
            return path;
    }
    return NULL;
}

int file_make_dirs(const char *path)
{
    char *p = xstrdup(path);
    for (char *c = p + 1;; c++) {
        if (*c != '/' && *c != 0)
            continue;
        char end = *c;
        *c = 0;
        if (mkdir(p, 0777) != 0 && errno != EEXIST) {
            errorf("cannot make the folder %s: %s", p, strerror(errno));
            free(p);
            return -1;
        }
        *c = end;
        if (!end)
            break;
    }
    free(p);
    return file_is_dir(path) ? 0 : errorf("%s is not a folder", path);
}
