#define _GNU_SOURCE
#include "base/memory.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

/* The number behind `key` at a line's start of a file, "" for the file's first; UINT64_MAX: there
 * is none, also where it says "max". */
static uint64_t number_in(const char *path, const char *key)
{
    uint64_t n = UINT64_MAX;
    char *text = file_exists(path) ? file_read(path, NULL) : NULL, *rest = text;
    for (char *line; text && n == UINT64_MAX && (line = strsep(&rest, "\n"));) {
        char *value = line + strlen(key), *end;
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        unsigned long long v = strtoull(value, &end, 10);
        if (end != value)
            n = v;
    }
    free(text);
    return n;
}

/* A kind of control group: where its folders are, and the names of its files. */
typedef struct {
    const char *line; /* how its line in /proc/self/cgroup goes on after the number */
    const char *folder, *limit, *used, *cached;
} Kind;

static const Kind kinds[] = {
    {"::", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "},
    {":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_inactive_file "}};

static uint64_t in_group(const Kind *k, const char *root, const char *group, const char *file,
                         const char *key)
{
    char *path = xasprintf("%s%s%s/%s", root, k->folder, group, file);
    uint64_t n = number_in(path, key);
    free(path);
    return n;
}

static uint64_t left_in(const Kind *k, const char *root, const char *group)
{
    uint64_t limit = in_group(k, root, group, k->limit, "");
    uint64_t used = in_group(k, root, group, k->used, "");
    uint64_t cached = in_group(k, root, group, "memory.stat", k->cached);
    if (limit == UINT64_MAX || used == UINT64_MAX)
        return UINT64_MAX;
    used -= cached < used ? cached : 0;
    return limit > used ? limit - used : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* In the group and in all around it: every one may have a limit. */
static uint64_t left_around(const Kind *k, const char *root, char *group)
{
    uint64_t left = UINT64_MAX;
    for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
        *end = 0;
        left = least(left, left_in(k, root, group));
    }
    return left;
}

static uint64_t left_in_groups(const char *root)
{
    uint64_t left = UINT64_MAX;
    char *path = xasprintf("%s/proc/self/cgroup", root);
    char *text = file_exists(path) ? file_read(path, NULL) : NULL, *rest = text;
    for (char *line; text && (line = strsep(&rest, "\n"));) {
        line += strspn(line, "0123456789");
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (strncmp(line, kinds[i].line, strlen(kinds[i].line)) == 0)
                left = least(left, left_around(&kinds[i], root, line + strlen(kinds[i].line)));
    }
    free(text);
    free(path);
    return left;
}

uint64_t memory_free(const char *root)
{
    char *path = xasprintf("%s/proc/meminfo", root);
    uint64_t kib = number_in(path, "MemAvailable:"), left = left_in_groups(root);
    free(path);
    return kib == UINT64_MAX ? left : least(left, kib * 1024);
}
