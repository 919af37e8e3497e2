/* yaml.h - a YAML document as a tree that remembers its lines.
 *
 * Parsed by libyaml; here only the tree, so that an error in a config can name
 * file and line. Anchors, tags and several documents are refused. */
#ifndef BASE_YAML_H
#define BASE_YAML_H /* YAML_H is libyaml's */

#include <stddef.h>

typedef enum { YAML_SCALAR, YAML_LIST, YAML_MAP } YamlKind;

typedef struct YamlNode YamlNode;
struct YamlNode {
    YamlKind kind;
    const char *file; /* as the user named it; lives as long as the tree */
    int line;         /* from 1; 0 where lines mean nothing, as on a command line */
    char *key;        /* of an entry of a map, else NULL */
    char *text;       /* scalar */
    int n;
    YamlNode **child; /* list, map: [n] */
};

/* The root, yours until yaml_close(); NULL with errorf("file:line: why"). An
 * empty document is an empty map. A key that stands twice in a map is an error. */
YamlNode *yaml_read(const char *path);
YamlNode *yaml_parse(const char *text, size_t size, const char *name);
void yaml_close(YamlNode *root); /* not yaml_free: libyaml has one, and calls it */

/* NULL when the map has no such key. */
const YamlNode *yaml_get(const YamlNode *map, const char *key);

/* -1 with errorf("file:line: ..."): for everything that is wrong with a node. */
int yaml_error(const YamlNode *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The candidate nearest to the word by edit distance, or NULL when none is near. */
const char *yaml_nearest(const char *word, const char *const *candidates, int n);

#endif
