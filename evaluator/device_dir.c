#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/error.h"
#include "evaluator/device_inner.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Beyond what any build or emulation may take: a process that is not seen from here, as in
 * another container, is not robbed. */
enum { OLD = 3600 };

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void remove_dir(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_left(const char *path, const char *name)
{
    struct stat st;
    int pid;
    char next;
    if (sscanf(name, "thimble-%d-%c", &pid, &next) != 2 || pid <= 0 || lstat(path, &st) != 0)
        return false;
    return S_ISDIR(st.st_mode) && st.st_uid == getuid() && time(NULL) - st.st_mtime > OLD &&
           kill(pid, 0) != 0 && errno == ESRCH;
}

/* What processes left that were killed at their work. */
static void remove_left(const char *tmp)
{
    DIR *all = opendir(tmp);
    for (struct dirent *e; all && (e = readdir(all));) {
        char *path = xasprintf("%s/%s", tmp, e->d_name);
        if (is_left(path, e->d_name))
            remove_dir(path);
        free(path);
    }
    if (all)
        closedir(all);
}

char *device_dir_new(void)
{
    const char *variable = getenv("TMPDIR"), *tmp = variable && variable[0] ? variable : "/tmp";
    char *dir = xasprintf("%s/thimble-%d-XXXXXX", tmp, (int)getpid());
    remove_left(tmp);
    if (mkdtemp(dir))
        return dir;
    errorf("cannot make a folder like %s", dir);
    free(dir);
    return NULL;
}

void device_dir_free(char *dir)
{
    remove_dir(dir);
    free(dir);
}
