#define _GNU_SOURCE
#include "base/memory.h"

#include "base/alloc.h"
#include "base/file.h"
#include "tests/suite.h"

#include <string.h>

static char root[] = "/tmp/thimble-memory-XXXXXX";

static void put(const char *path, const char *text)
{
    char *whole = xasprintf("%s/%s", root, path), *folder = xstrdup(whole);
    *strrchr(folder, '/') = 0;
    ck_assert_int_eq(file_make_dirs(folder), 0);
    ck_assert_int_eq(file_write(whole, text, strlen(text)), 0);
    free(folder);
    free(whole);
}

static void clean(void)
{
    char *command = xasprintf("rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

TEST(the_machine_says_what_is_available)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_uint_eq(memory_free(root), UINT64_MAX); /* nobody says anything */
    put("proc/meminfo", "MemTotal:       8000 kB\nMemFree:   10 kB\nMemAvailable:    4000 kB\n");
    ck_assert_uint_eq(memory_free(root), 4000 * 1024);
    clean();
    ck_assert_uint_gt(memory_free(""), 1 << 20);
}
END

TEST(a_control_group_or_one_around_it_may_leave_less)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    put("proc/meminfo", "MemAvailable: 4000 kB\n");
    put("proc/self/cgroup", "0::/job/inner\n");
    put("sys/fs/cgroup/job/inner/memory.max", "max\n");
    put("sys/fs/cgroup/job/inner/memory.current", "100000\n");
    ck_assert_uint_eq(memory_free(root), 4000 * 1024);
    put("sys/fs/cgroup/job/memory.max", "1000000\n");
    put("sys/fs/cgroup/job/memory.current", "300000\n");
    ck_assert_uint_eq(memory_free(root), 700000);
    put("sys/fs/cgroup/job/memory.stat", "anon 1\ninactive_file 50000\nactive_file 7\n");
    ck_assert_uint_eq(memory_free(root), 750000); /* cached files give way */
    put("sys/fs/cgroup/memory.max", "200000\n");
    put("sys/fs/cgroup/memory.current", "300000\n");
    ck_assert_uint_eq(memory_free(root), 0);
    clean();
}
END

TEST(groups_of_the_first_version_count_too)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    put("proc/meminfo", "MemAvailable: 4000 kB\n");
    put("proc/self/cgroup", "5:cpu:/x\n4:memory:/gone/inside\n0::/\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000\n");
    put("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 100000\n");
    ck_assert_uint_eq(memory_free(root), 1600000);
    clean();
}
END

SUITE(memory, the_machine_says_what_is_available, a_control_group_or_one_around_it_may_leave_less,
      groups_of_the_first_version_count_too)
