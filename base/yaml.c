#define _GNU_SOURCE
#include "base/yaml.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_DEPTH 32

typedef struct {
    yaml_parser_t yaml;
    char *name;
} Reader;

static YamlNode *read_node(Reader *r, const yaml_event_t *event, int depth);

int yaml_error(const YamlNode *node, const char *format, ...)
{
    char why[768];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (node->line == 0)
        return errorf("%s: %s", node->file, why);
    return errorf("%s:%d: %s", node->file, node->line, why);
}

static int next_event(Reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->yaml, event))
        return 0;
    const yaml_parser_t *y = &r->yaml;
    size_t line = y->problem_mark.line ? y->problem_mark.line : y->context_mark.line;
    return errorf("%s:%zu: %s", r->name, line + 1, y->problem ? y->problem : "not YAML");
}

static YamlNode *new_node(Reader *r, YamlKind kind, const yaml_event_t *event)
{
    YamlNode *node = xcalloc(1, sizeof *node);
    node->kind = kind;
    node->file = r->name;
    node->line = (int)event->start_mark.line + 1;
    return node;
}

static void free_node(YamlNode *node)
{
    if (!node)
        return;
    for (int i = 0; i < node->n; i++)
        free_node(node->child[i]);
    free(node->child);
    free(node->key);
    free(node->text);
    free(node);
}

static void add_child(YamlNode *node, YamlNode *child)
{
    node->child = xrealloc(node->child, sizeof *node->child * (size_t)(node->n + 1));
    node->child[node->n++] = child;
}

/* One `key: value` of a map, after the key's event. */
static int read_entry(Reader *r, YamlNode *map, const yaml_event_t *key, int depth)
{
    yaml_event_t event;
    if (key->type != YAML_SCALAR_EVENT)
        return errorf("%s:%zu: a key must be a word", r->name, key->start_mark.line + 1);
    const char *word = (const char *)key->data.scalar.value;
    if (yaml_get(map, word))
        return errorf("%s:%zu: '%s' stands twice", r->name, key->start_mark.line + 1, word);
    if (next_event(r, &event) != 0)
        return -1;
    YamlNode *child = read_node(r, &event, depth);
    yaml_event_delete(&event);
    if (!child)
        return -1;
    child->line = (int)key->start_mark.line + 1;
    child->key = xstrdup(word);
    add_child(map, child);
    return 0;
}

static int read_children(Reader *r, YamlNode *node, yaml_event_type_t end, int depth)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event) != 0)
            return -1;
        int status = 0;
        bool ended = event.type == end;
        if (!ended && node->kind == YAML_MAP) {
            status = read_entry(r, node, &event, depth);
        } else if (!ended) {
            YamlNode *child = read_node(r, &event, depth);
            if (child)
                add_child(node, child);
            status = child ? 0 : -1;
        }
        yaml_event_delete(&event);
        if (ended || status != 0)
            return status;
    }
}

static YamlNode *read_node(Reader *r, const yaml_event_t *event, int depth)
{
    YamlNode *node = NULL;
    int status = 0;
    if (depth > MAX_DEPTH) {
        errorf("%s:%zu: nested too deeply", r->name, event->start_mark.line + 1);
    } else if (event->type == YAML_SCALAR_EVENT) {
        node = new_node(r, YAML_SCALAR, event);
        node->text = xstrdup((const char *)event->data.scalar.value);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        node = new_node(r, YAML_LIST, event);
        status = read_children(r, node, YAML_SEQUENCE_END_EVENT, depth + 1);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        node = new_node(r, YAML_MAP, event);
        status = read_children(r, node, YAML_MAPPING_END_EVENT, depth + 1);
    } else {
        errorf("%s:%zu: only words, lists and maps are understood here", r->name,
               event->start_mark.line + 1);
    }
    if (status != 0) {
        free_node(node);
        node = NULL;
    }
    return node;
}

/* Stream start, document start, the root, document end, stream end. */
static YamlNode *read_document(Reader *r)
{
    YamlNode *root = NULL;
    for (;;) {
        yaml_event_t event;
        if (next_event(r, &event) != 0)
            break;
        yaml_event_type_t type = event.type;
        bool content = type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                       type == YAML_MAPPING_START_EVENT || type == YAML_ALIAS_EVENT;
        bool second = content && root;
        if (second)
            errorf("%s:%zu: a second document", r->name, event.start_mark.line + 1);
        else if (content)
            root = read_node(r, &event, 0);
        else if (type == YAML_STREAM_END_EVENT && !root)
            root = new_node(r, YAML_MAP, &event);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return root;
        if (second || (content && !root))
            break;
    }
    free_node(root);
    return NULL;
}

YamlNode *yaml_parse(const char *text, size_t size, const char *name)
{
    Reader r = {.name = xstrdup(name)};
    if (!yaml_parser_initialize(&r.yaml))
        abort(); /* out of memory */
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, size);
    YamlNode *root = read_document(&r);
    yaml_parser_delete(&r.yaml);
    if (!root)
        free(r.name);
    return root;
}

YamlNode *yaml_read(const char *path)
{
    size_t size;
    char *text = file_read(path, &size);
    if (!text)
        return NULL;
    YamlNode *root = yaml_parse(text, size, path);
    free(text);
    return root;
}

void yaml_close(YamlNode *root)
{
    if (!root)
        return;
    free((char *)root->file);
    free_node(root);
}

const YamlNode *yaml_get(const YamlNode *map, const char *key)
{
    for (int i = 0; map->kind == YAML_MAP && i < map->n; i++)
        if (strcmp(map->child[i]->key, key) == 0)
            return map->child[i];
    return NULL;
}

/* Levenshtein 1966, two rows. */
static int distance(const char *a, const char *b)
{
    int before[64], row[64], nb = (int)strlen(b);
    if (nb > 62 || strlen(a) > 62)
        return 1000;
    for (int j = 0; j <= nb; j++)
        before[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            int swap = before[j - 1] + (a[i - 1] != b[j - 1]);
            int least = before[j] + 1 < row[j - 1] + 1 ? before[j] + 1 : row[j - 1] + 1;
            row[j] = swap < least ? swap : least;
        }
        memcpy(before, row, sizeof before);
    }
    return before[nb];
}

const char *yaml_nearest(const char *word, const char *const *candidates, int n)
{
    const char *best = NULL;
    int least = (int)strlen(word) / 2 + 2;
    for (int i = 0; i < n; i++) {
        int d = distance(word, candidates[i]);
        if (d < least) {
            least = d;
            best = candidates[i];
        }
    }
    return best;
}
