#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/file.h"
#include "evaluator/device_inner.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static char tmp[] = "/tmp/thimble_device_dir_XXXXXX";

/* A folder with a file in it, as old as that. */
static char *make_dir(const char *prefix, int pid, int hours)
{
    char *dir = xasprintf("%s/%s%d-abcdef", tmp, prefix, pid), *path = xasprintf("%s/a.o", dir);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(file_write(path, "x", 1), 0);
    struct timespec then = {.tv_sec = time(NULL) - 3600L * hours};
    ck_assert_int_eq(utimensat(AT_FDCWD, dir, (struct timespec[]){then, then}, 0), 0);
    free(path);
    return dir;
}

static int dead_process(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    return child;
}

TEST(the_next_folder_is_made_where_those_of_killed_processes_go)
{
    ck_assert_ptr_nonnull(mkdtemp(tmp));
    setenv("TMPDIR", tmp, 1);
    int dead = dead_process();
    char *left = make_dir("thimble-", dead, 3), *young = make_dir("thimble-9", dead, 0);
    char *mine = make_dir("thimble-", (int)getpid(), 3), *other = make_dir("other-", dead, 3);
    char *dir = device_dir_new();
    ck_assert_ptr_nonnull(dir);
    ck_assert(file_is_dir(dir) && strncmp(dir, tmp, strlen(tmp)) == 0);
    ck_assert(!file_exists(left));
    ck_assert(file_exists(young) && file_exists(mine) && file_exists(other));
    char *path = xasprintf("%s/b.o", dir);
    ck_assert_int_eq(file_write(path, "x", 1), 0);
    free(path);
    path = xstrdup(dir);
    device_dir_free(dir);
    ck_assert(!file_exists(path));
    char *command = xasprintf("rm -rf '%s'", tmp);
    ck_assert_int_eq(system(command), 0);
    free(command);
    free(path);
    free(left), free(young), free(mine), free(other);
}
END

SUITE(device_dir, the_next_folder_is_made_where_those_of_killed_processes_go)
