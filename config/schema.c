#define _GNU_SOURCE
#include "config/schema.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#include <math.h>
#include <stdbool.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- reading */

static int read_value(const YamlNode *node, const Key *key, void *field);

static int wrong(const YamlNode *node, const Key *key, const char *wanted)
{
    const char *text = node->kind == YAML_SCALAR ? node->text
                       : node->kind == YAML_LIST ? "a list"
                                                 : "a map";
    return yaml_error(node, "%s%s'%s' is not %s", key->name ? key->name : "", key->name ? ": " : "",
                      text, wanted);
}

static int check_bounds(const YamlNode *node, const Key *key, double value)
{
    if ((key->least != 0 || key->most != 0) && !(value >= key->least && value <= key->most))
        return yaml_error(node, "%s%s%s is out of bounds, it must be %g to %g",
                          key->name ? key->name : "", key->name ? ": " : "", node->text, key->least,
                          key->most);
    return 0;
}

typedef struct {
    const char *text;
    double factor;
} Unit;

static const Unit no_units[] = {{"", 1}, {0}};
static const Unit byte_units[] = {{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {0}};
static const Unit count_units[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {0}};
static const Unit hertz_units[] = {{"Hz", 1}, {"kHz", 1e3}, {"MHz", 1e6}, {"GHz", 1e9}, {0}};
static const Unit watt_units[] = {{"mW", 1}, {"uW", 1e-3}, {"W", 1e3}, {0}};
static const Unit joule_units[] = {{"mJ", 1}, {"uJ", 1e-3}, {"J", 1e3}, {0}};

static int read_quantity(const YamlNode *node, const Key *key, const Unit *units,
                         const char *wanted, double *value)
{
    char *end;
    if (node->kind != YAML_SCALAR || !node->text[0])
        return wrong(node, key, wanted);
    errno = 0;
    double number = strtod(node->text, &end);
    if (end == node->text || errno || !isfinite(number))
        return wrong(node, key, wanted);
    while (*end == ' ')
        end++;
    for (const Unit *u = units; u->text; u++) {
        if (strcmp(end, u->text) == 0) {
            *value = number * u->factor;
            return check_bounds(node, key, *value);
        }
    }
    if (units == byte_units && (strcasecmp(end, "kb") == 0 || strcasecmp(end, "k") == 0))
        return yaml_error(node,
                          "%s: '%s' could be 1,000 or 1,024 bytes each: write KiB or plain bytes",
                          key->name, node->text);
    return wrong(node, key, wanted);
}

static void store_int(void *field, size_t size, int64_t value)
{
    if (size == 1)
        *(uint8_t *)field = (uint8_t)value;
    else if (size == 2)
        *(uint16_t *)field = (uint16_t)value;
    else if (size == 4)
        *(int32_t *)field = (int32_t)value;
    else
        *(int64_t *)field = value;
}

static int64_t load_int(const void *field, size_t size, bool is_signed)
{
    if (size == 1)
        return is_signed ? *(const int8_t *)field : *(const uint8_t *)field;
    if (size == 2)
        return is_signed ? *(const int16_t *)field : *(const uint16_t *)field;
    if (size == 4)
        return *(const int32_t *)field;
    return *(const int64_t *)field;
}

static int read_int(const YamlNode *node, const Key *key, void *field)
{
    char *end;
    if (node->kind != YAML_SCALAR || !node->text[0])
        return wrong(node, key, "an integer");
    errno = 0;
    long long value = strtoll(node->text, &end, 10);
    if (*end || errno)
        return wrong(node, key, "an integer");
    if (check_bounds(node, key, (double)value) != 0)
        return -1;
    store_int(field, key->size, value);
    return 0;
}

static int read_uint64(const YamlNode *node, const Key *key, const Unit *units, const char *wanted,
                       void *field)
{
    double value;
    if (read_quantity(node, key, units, wanted, &value) != 0)
        return -1;
    if (value < 0 || value > 9e15 || value != floor(value))
        return wrong(node, key, wanted);
    *(uint64_t *)field = (uint64_t)value;
    return 0;
}

static int read_bool(const YamlNode *node, const Key *key, void *field)
{
    const char *text = node->kind == YAML_SCALAR ? node->text : "";
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return wrong(node, key, "true or false");
    *(bool *)field = text[0] == 't';
    return 0;
}

static int read_text(const YamlNode *node, const Key *key, void *field)
{
    if (node->kind != YAML_SCALAR)
        return wrong(node, key, "a text");
    if (strlen(node->text) >= key->size)
        return yaml_error(node, "%s: longer than %zu characters", key->name, key->size - 1);
    memset(field, 0, key->size);
    memcpy(field, node->text, strlen(node->text));
    return 0;
}

static int read_pair(const YamlNode *node, const Key *key, void *field)
{
    int h, w, used = 0;
    const char *text = node->kind == YAML_SCALAR ? node->text : "";
    if (sscanf(text, "%dx%d%n", &h, &w, &used) != 2) {
        if (sscanf(text, "%d%n", &h, &used) != 1)
            return wrong(node, key, "a size, like 3 or 10x4 (high x wide)");
        w = h;
    }
    if (text[used])
        return wrong(node, key, "a size, like 3 or 10x4 (high x wide)");
    if (check_bounds(node, key, h) != 0 || check_bounds(node, key, w) != 0)
        return -1;
    store_int(field, key->size / 2, h);
    store_int((char *)field + key->size / 2, key->size / 2, w);
    return 0;
}

static int read_choice(const YamlNode *node, const Key *key, void *field)
{
    char all[256] = "";
    int n = 0;
    for (; key->words[n]; n++) {
        if (node->kind == YAML_SCALAR && strcmp(node->text, key->words[n]) == 0) {
            *(int *)field = n;
            return 0;
        }
        if (strlen(all) + strlen(key->words[n]) + 4 < sizeof all)
            strcat(strcat(all, n ? ", " : ""), key->words[n]);
    }
    char wanted[300];
    snprintf(wanted, sizeof wanted, "one of: %s", all);
    return wrong(node, key, wanted);
}

static int read_numbers(const YamlNode *node, const Key *key, void *field)
{
    if (node->kind != YAML_LIST || node->n != (int)key->size)
        return yaml_error(node, "%s: wants a list of %zu numbers", key->name, key->size);
    for (int i = 0; i < node->n; i++) {
        Key element = {.name = key->name, .type = KEY_NUMBER};
        if (read_value(node->child[i], &element, (double *)field + i) != 0)
            return -1;
    }
    return 0;
}

static int read_list(const YamlNode *node, const Key *key, void *base)
{
    if (node->kind != YAML_LIST)
        return wrong(node, key, "a list");
    if (node->n > key->room)
        return yaml_error(node, "%s: more than %d elements", key->name, key->room);
    char *element = (char *)base + key->offset;
    memset(element, 0, key->size * (size_t)key->room);
    for (int i = 0; i < node->n; i++, element += key->size) {
        int status = key->sub[0].name ? schema_read(node->child[i], key->sub, element)
                                      : read_value(node->child[i], key->sub, element);
        if (status != 0)
            return -1;
    }
    *((uint8_t *)base + key->count_offset) = (uint8_t)node->n;
    return 0;
}

/* A map in place, or the name of a file that holds it. */
static int read_map(const YamlNode *node, const Key *key, void *field)
{
    if (node->kind != YAML_SCALAR || !key->folder)
        return schema_read(node, key->sub, field);
    char *path = schema_find(node, key->folder, node->text);
    YamlNode *root = path ? yaml_read(path) : NULL;
    memset(field, 0, key->size); /* of what was there before nothing stays */
    int status = root ? schema_read(root, key->sub, field) : -1;
    yaml_close(root);
    free(path);
    return status;
}

static int read_value(const YamlNode *node, const Key *key, void *field)
{
    switch (key->type) {
    case KEY_INT:
        return read_int(node, key, field);
    case KEY_NUMBER:
        return read_quantity(node, key, no_units, "a number", field);
    case KEY_AMOUNT:
        return read_quantity(node, key, count_units, "a number, like 500, 60k or 25M", field);
    case KEY_BOOL:
        return read_bool(node, key, field);
    case KEY_TEXT:
        return read_text(node, key, field);
    case KEY_BYTES:
        return read_uint64(node, key, byte_units, "a size in bytes, like 60000, 64KiB or 2MiB",
                           field);
    case KEY_COUNT:
        return read_uint64(node, key, count_units, "a whole number, like 500, 60k or 25M", field);
    case KEY_HERTZ:
        return read_uint64(node, key, hertz_units, "a frequency, like 216MHz", field);
    case KEY_WATTS:
        return read_quantity(node, key, watt_units, "a power, like 250mW", field);
    case KEY_JOULES:
        return read_quantity(node, key, joule_units, "an energy, like 80uJ or 2.5mJ", field);
    case KEY_PAIR:
        return read_pair(node, key, field);
    case KEY_CHOICE:
        return read_choice(node, key, field);
    case KEY_NUMBERS:
        return read_numbers(node, key, field);
    case KEY_MAP:
        return read_map(node, key, field);
    case KEY_LIST: /* wants the struct, not the field: see schema_read */
    case KEY_PLACE:
    case KEY_END:
        break;
    }
    return -1;
}

static int unknown_key(const YamlNode *node, const Key *keys)
{
    const char *names[64];
    int n = 0;
    for (const Key *k = keys; k->type != KEY_END && n < 64; k++)
        if (k->type != KEY_PLACE)
            names[n++] = k->name;
    const char *near = yaml_nearest(node->key, names, n);
    if (near)
        return yaml_error(node, "unknown key '%s', did you mean '%s'?", node->key, near);
    return yaml_error(node, "unknown key '%s'", node->key);
}

/* `include: other.yaml`: its keys first, then what stands beside the include. */
static int read_include(const YamlNode *node, const Key *keys, void *base)
{
    if (node->kind != YAML_SCALAR)
        return yaml_error(node, "include: wants the name of a file");
    char *path = schema_find(node, "jobs", node->text);
    YamlNode *root = path ? yaml_read(path) : NULL;
    static _Thread_local int depth;
    int status = -1;
    if (root && depth >= 8)
        yaml_error(node, "include: files include each other");
    else if (root) {
        depth++;
        status = schema_read(root, keys, base);
        depth--;
    }
    yaml_close(root);
    free(path);
    return status;
}

static void note_place(const YamlNode *map, const Key *keys, void *base)
{
    for (const Key *k = keys; k->type != KEY_END; k++)
        if (k->type == KEY_PLACE)
            snprintf((char *)base + k->offset, k->size, map->line ? "%s:%d" : "%s", map->file,
                     map->line);
}

int schema_read(const YamlNode *map, const Key *keys, void *base)
{
    if (map->kind != YAML_MAP)
        return yaml_error(map, "wants a map of keys and values%s%s",
                          map->kind == YAML_SCALAR ? ", not " : "",
                          map->kind == YAML_SCALAR ? map->text : "");
    note_place(map, keys, base);
    const YamlNode *include = yaml_get(map, "include");
    if (include && read_include(include, keys, base) != 0)
        return -1;
    for (int i = 0; i < map->n; i++) {
        const YamlNode *node = map->child[i];
        const Key *k = keys;
        if (node == include)
            continue;
        while (k->type != KEY_END && (k->type == KEY_PLACE || strcmp(k->name, node->key) != 0))
            k++;
        if (k->type == KEY_END)
            return unknown_key(node, keys);
        int status = k->type == KEY_LIST ? read_list(node, k, base)
                                         : read_value(node, k, (char *)base + k->offset);
        if (status != 0)
            return -1;
    }
    return 0;
}

/* The value as a YAML scalar that nothing in it can break; lists and maps as they are. */
static char *quoted(const char *value)
{
    if (value[0] == '[' || value[0] == '{')
        return xstrdup(value);
    char *text = xmalloc(2 * strlen(value) + 3), *p = text;
    *p++ = '"';
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            *p++ = '\\';
        *p++ = *value;
    }
    *p++ = '"';
    *p = 0;
    return text;
}

static void forget_lines(YamlNode *node)
{
    node->line = 0;
    for (int i = 0; i < node->n; i++)
        forget_lines(node->child[i]);
}

int schema_set(const char *assignment, const Key *keys, void *base)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return errorf("--set %s: wants key=value, like limits.sram=64KiB", assignment);
    char *path = strndup(assignment, (size_t)(equals - assignment)), *rest = path;
    char *text = xstrdup(""), *value = quoted(equals + 1);
    int depth = 0;
    for (char *part; (part = strsep(&rest, ".")); depth++) { /* a.b=v becomes {a: {b: v}} */
        char *longer = xasprintf("%s{%s: ", text, part);
        free(text);
        text = longer;
    }
    char *closing = xmalloc((size_t)depth + 1);
    memset(closing, '}', (size_t)depth);
    closing[depth] = 0;
    char *document = xasprintf("%s%s%s", text, value, closing);
    char *name = xasprintf("--set %s", assignment);
    YamlNode *root = yaml_parse(document, strlen(document), name);
    if (root)
        forget_lines(root);
    int status = root ? schema_read(root, keys, base) : -1;
    yaml_close(root);
    free(name);
    free(document);
    free(closing);
    free(value);
    free(text);
    free(path);
    return status;
}

/* --- printing */

/* The shortest text that reads back to the same number. */
static void print_number(FILE *out, double value)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

static void print_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        if ((unsigned char)*text < ' ')
            fprintf(out, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void print_value(FILE *out, const Key *key, const void *field, int indent);

static void print_list(FILE *out, const Key *key, const void *base, int indent)
{
    const char *element = (const char *)base + key->offset;
    int n = *((const uint8_t *)base + key->count_offset);
    bool maps = key->sub[0].name != NULL;
    fputs(maps && n ? "\n" : " [", out);
    for (int i = 0; i < n; i++, element += key->size) {
        if (maps) {
            fprintf(out, "%*s-\n", indent + 2, "");
            schema_print(out, key->sub, element, indent + 4);
        } else {
            fputs(i ? ", " : "", out);
            print_value(out, key->sub, element, indent);
        }
    }
    fputs(maps && n ? "" : "]\n", out);
}

static void print_value(FILE *out, const Key *key, const void *field, int indent)
{
    switch (key->type) {
    case KEY_INT:
        fprintf(out, "%lld", (long long)load_int(field, key->size, key->least < 0));
        break;
    case KEY_NUMBER:
    case KEY_AMOUNT:
        print_number(out, *(const double *)field);
        break;
    case KEY_BOOL:
        fputs(*(const bool *)field ? "true" : "false", out);
        break;
    case KEY_TEXT:
        print_text(out, field);
        break;
    case KEY_BYTES:
    case KEY_COUNT:
        fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)field);
        break;
    case KEY_HERTZ:
        fprintf(out, "%lluHz", (unsigned long long)*(const uint64_t *)field);
        break;
    case KEY_WATTS:
    case KEY_JOULES:
        print_number(out, *(const double *)field);
        fputs(key->type == KEY_WATTS ? "mW" : "mJ", out);
        break;
    case KEY_PAIR:
        fprintf(out, "%lldx%lld", (long long)load_int(field, key->size / 2, false),
                (long long)load_int((const char *)field + key->size / 2, key->size / 2, false));
        break;
    case KEY_CHOICE:
        fputs(key->words[*(const int *)field], out);
        break;
    case KEY_NUMBERS:
        fputc('[', out);
        for (size_t i = 0; i < key->size; i++) {
            fputs(i ? ", " : "", out);
            print_number(out, ((const double *)field)[i]);
        }
        fputc(']', out);
        break;
    case KEY_MAP:
        fputc('\n', out);
        schema_print(out, key->sub, field, indent + 2);
        return;
    case KEY_LIST:
    case KEY_PLACE:
    case KEY_END:
        return;
    }
}

static bool is_left_out(const Key *key, const void *field)
{
    const char *byte = field;
    for (size_t i = 0; i < key->size; i++)
        if (byte[i])
            return false;
    return key->sparse;
}

void schema_print(FILE *out, const Key *keys, const void *base, int indent)
{
    for (const Key *k = keys; k->type != KEY_END; k++) {
        if (k->type == KEY_PLACE || is_left_out(k, (const char *)base + k->offset))
            continue;
        fprintf(out, "%*s%s:", indent, "", k->name);
        if (k->type == KEY_LIST) {
            print_list(out, k, base, indent);
            continue;
        }
        fputs(k->type == KEY_MAP ? "" : " ", out);
        print_value(out, k, (const char *)base + k->offset, indent);
        fputs(k->type == KEY_MAP ? "" : "\n", out);
    }
}

/* --- for people */

static char *text_buffer(void)
{
    static _Thread_local char text[16][64];
    static _Thread_local int turn;
    return text[turn = (turn + 1) % 16];
}

const char *text_count(double n)
{
    char *t = text_buffer();
    if (n >= 1e9)
        snprintf(t, 64, "%.2fG", n * 1e-9);
    else if (n >= 1e6)
        snprintf(t, 64, "%.2fM", n * 1e-6);
    else if (n >= 1e4)
        snprintf(t, 64, "%.1fk", n * 1e-3);
    else
        snprintf(t, 64, "%.0f", n);
    return t;
}

const char *text_bytes(uint64_t bytes)
{
    char digits[32], *t = text_buffer(), *p = t;
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)bytes);
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    snprintf(p, 24, " B (%.1f KiB)", (double)bytes / 1024);
    return t;
}
