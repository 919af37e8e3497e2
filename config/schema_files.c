/* schema_files.c - where the files of configs/ are. */
#define _GNU_SOURCE
#include "config/schema.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sets *found to folder/name or folder/name.yaml when it is there. */
static bool try_file(const char *dir, const char *folder, const char *name, char **found)
{
    char *path = xasprintf("%s/%s/%s.yaml", dir, folder, name);
    if (file_exists(path)) {
        *found = path;
        return true;
    }
    free(path);
    return false;
}

static int is_yaml(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && dot != entry->d_name && strcmp(dot, ".yaml") == 0;
}

/* The names of dir/folder/NAME.yaml, sorted; -1 when there is no such folder. */
static int names_in(const char *dir, const char *folder, char ***names)
{
    struct dirent **entry;
    char *path = xasprintf("%s/%s", dir, folder);
    int n = scandir(path, &entry, is_yaml, alphasort);
    free(path);
    if (n < 0)
        return -1;
    *names = xcalloc((size_t)n + 1, sizeof **names);
    for (int i = 0; i < n; i++) {
        (*names)[i] = strndup(entry[i]->d_name, strlen(entry[i]->d_name) - 5);
        free(entry[i]);
    }
    free(entry);
    return n;
}

/* Appends ", a, b" to the text, each name once. */
static void list_names(const char *dir, const char *folder, char *text, size_t room)
{
    char **names = NULL;
    int n = names_in(dir, folder, &names);
    for (int i = 0; i < n; i++) {
        if (!strstr(text, names[i]) && strlen(text) + strlen(names[i]) + 3 < room)
            strcat(strcat(text, text[0] ? ", " : ""), names[i]);
        free(names[i]);
    }
    free(names);
}

static char *folder_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash ? strndup(file, (size_t)(slash - file)) : xstrdup(".");
}

static void not_found(const YamlNode *where, const char *why)
{
    if (where)
        yaml_error(where, "%s", why);
    else
        errorf("%s", why);
}

/* THIMBLE_CONFIGS, or the folder that came with the program. */
static const char *configs_dir(void)
{
    const char *asked = getenv("THIMBLE_CONFIGS"), *own = file_own("configs");
    return asked ? asked : own ? own : "configs";
}

char *schema_find(const YamlNode *where, const char *folder, const char *name)
{
    char *near = folder_of(where ? where->file : ""), *found = NULL, why[640];
    if (strchr(name, '/') ||
        strstr(name, ".yaml")) { /* a path, from the file that names it or from here */
        char *beside = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", near, name);
        if (file_exists(beside))
            found = beside;
        else if (file_exists(name))
            found = xstrdup(name);
        if (found != beside)
            free(beside);
        snprintf(why, sizeof why, "there is no file %s", name);
        if (!found)
            not_found(where, why);
        free(near);
        return found;
    }
    char *up = xasprintf("%s/..", near);
    const char *dirs[] = {near, up, configs_dir()};
    char names[512] = "";
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs && !found; i++) {
        if (!try_file(dirs[i], folder, name, &found))
            list_names(dirs[i], folder, names, sizeof names);
    }
    snprintf(why, sizeof why, "there is no %s/%s.yaml; there are: %s", folder, name,
             names[0] ? names : "none");
    if (!found)
        not_found(where, why);
    free(up);
    free(near);
    return found;
}

int schema_names(const char *folder, char ***names)
{
    int n = names_in(configs_dir(), folder, names);
    if (n >= 0)
        return n;
    return errorf("there is no folder configs/%s; THIMBLE_CONFIGS may name it", folder);
}
