#define _GNU_SOURCE
#include "dataset/reader.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    char **name; /* sorted */
    int n;
} Names;

static void names_release(Names *names)
{
    for (int i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (Names){0};
}

/* Bytes, not the locale's order: the classes are the same on every machine. */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Is it a folder (or a regular file)? A link counts as what it leads to. */
static bool entry_is(const char *dir, const struct dirent *entry, bool folder)
{
    if (entry->d_type == DT_DIR || entry->d_type == DT_REG)
        return (entry->d_type == DT_DIR) == folder;
    struct stat st;
    char *path = xasprintf("%s/%s", dir, entry->d_name);
    bool found = stat(path, &st) == 0 && (folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
    free(path);
    return found;
}

/* The folders or the files in dir; hidden ones stay hidden. */
static int names_read(Names *names, const char *dir, bool folders)
{
    *names = (Names){0};
    DIR *d = opendir(dir);
    if (!d)
        return errorf("cannot open the folder %s: %s", dir, strerror(errno));
    for (struct dirent *entry; (entry = readdir(d));) {
        if (entry->d_name[0] == '.' || !entry_is(dir, entry, folders))
            continue;
        if ((names->n & (names->n - 1)) == 0) /* room doubles at powers of two */
            names->name = xrealloc(names->name, (size_t)(names->n ? 2 * names->n : 1) *
                                                    sizeof *names->name);
        names->name[names->n++] = xstrdup(entry->d_name);
    }
    closedir(d);
    if (names->n)
        qsort(names->name, (size_t)names->n, sizeof *names->name, by_bytes);
    return 0;
}

static int class_files(ExampleList *list, const char *dir, int label,
                       bool (*accepts)(const char *path), const char *what)
{
    Names files;
    if (names_read(&files, dir, false) == -1)
        return -1;
    int before = list->n;
    for (int i = 0; i < files.n; i++) {
        char *path = xasprintf("%s/%s", dir, files.name[i]);
        if (accepts(path))
            examples_add(list, (Example){.path = path, .label = label});
        else
            free(path);
    }
    names_release(&files);
    if (list->n == before)
        return errorf("the class folder %s has no %s", dir, what);
    return 0;
}

/* The first name that stands in a and not in b; both sorted. */
static const char *missing(const Names *a, const Names *b)
{
    for (int i = 0; i < a->n; i++)
        if (!b->n || !bsearch(&a->name[i], b->name, (size_t)b->n, sizeof *b->name, by_bytes))
            return a->name[i];
    return NULL;
}

/* One folder of class folders. The first one read gives the listing its
 * classes; the second must have the same. */
static int read_part(Listing *l, ExampleList *list, const char *dir, const char *other,
                     bool (*accepts)(const char *path), const char *what)
{
    Names classes, known = {l->class_name, l->n_classes};
    if (names_read(&classes, dir, true) == -1)
        return -1;
    int status = 0;
    const char *name;
    if (!classes.n)
        status = errorf("%s has no class folders with %s", dir, what);
    else if (classes.n > UINT16_MAX)
        status = errorf("%s has %d class folders, more than %d", dir, classes.n, UINT16_MAX);
    else if (known.n && (name = missing(&classes, &known)))
        status = errorf("%s has a class '%s' that %s does not have", dir, name, other);
    else if (known.n && (name = missing(&known, &classes)))
        status = errorf("%s has no class '%s', but %s has", dir, name, other);
    for (int k = 0; k < classes.n && status == 0; k++) {
        char *path = xasprintf("%s/%s", dir, classes.name[k]);
        status = class_files(list, path, k, accepts, what);
        free(path);
    }
    if (known.n || status == -1) {
        names_release(&classes);
    } else {
        l->class_name = classes.name;
        l->n_classes = classes.n;
    }
    return status;
}

/* path/name where that is a folder of folders, else NULL. A class may be called
 * "train" too (a picture of a locomotive): that one holds files only. */
static char *part(const char *path, const char *name)
{
    char *dir = xasprintf("%s/%s", path, name);
    Names folders = {0};
    bool found = file_is_dir(dir) && names_read(&folders, dir, true) == 0 && folders.n > 0;
    names_release(&folders);
    if (found)
        return dir;
    free(dir);
    return NULL;
}

int folder_list(Listing *l, const char *path, bool (*accepts)(const char *path), const char *what)
{
    if (!file_is_dir(path))
        return errorf(file_exists(path) ? "%s is not a folder" : "there is no folder %s", path);
    char *train = part(path, "train"), *test = part(path, "test");
    if (!test)
        test = part(path, "val");
    if (!test)
        test = part(path, "validation");
    int status = 0;
    if (!train && !test)
        status = read_part(l, &l->train, path, NULL, accepts, what);
    if (train)
        status = read_part(l, &l->train, train, NULL, accepts, what);
    if (test && status == 0)
        status = read_part(l, &l->test, test, train, accepts, what);
    free(train);
    free(test);
    return status;
}
