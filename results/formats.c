#define _GNU_SOURCE
#include "results/formats.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- values */

/* Length of the valid UTF-8 sequence at p, 0 when there is none (Unicode 15, table 3-7). */
static size_t sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xc2 ? 0
               : p[0] < 0xe0 ? 2
               : p[0] < 0xf0 ? 3
               : p[0] < 0xf5 ? 4
                             : 0;
    if (n > left)
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* shorter forms exist */
    if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
        if (p[i] < low || p[i] > high)
            return 0;
    return n;
}

/* The shortest of up to `digits` digits that reads back as the same number. */
static void print_real(double x, int digits, FILE *out)
{
    char shortest[40];
    for (int n = digits < 15 ? digits : 15; n <= digits; n++) {
        snprintf(shortest, sizeof shortest, "%.*g", n, x);
        if (strtod(shortest, NULL) == x)
            break;
    }
    fputs(shortest, out);
}

static void print_hex(const unsigned char *p, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%02x", p[i]);
}

/* --- json */

static void json_text(const char *s, size_t n, FILE *out)
{
    const unsigned char *p = (const unsigned char *)s;
    fputc('"', out);
    for (size_t i = 0; i < n;) {
        size_t length = sequence(p + i, n - i);
        if (length == 0)
            fputs("\xef\xbf\xbd", out); /* U+FFFD for each byte that means nothing */
        else if (p[i] == '"' || p[i] == '\\')
            fprintf(out, "\\%c", p[i]);
        else if (p[i] < 0x20)
            fprintf(out, "\\u%04x", p[i]);
        else
            fwrite(p + i, 1, length, out);
        i += length ? length : 1;
    }
    fputc('"', out);
}

static void json_value(sqlite3_stmt *s, int c, FILE *out)
{
    switch (sqlite3_column_type(s, c)) {
    case SQLITE_INTEGER:
        fprintf(out, "%lld", sqlite3_column_int64(s, c));
        break;
    case SQLITE_FLOAT:
        if (isfinite(sqlite3_column_double(s, c)))
            print_real(sqlite3_column_double(s, c), 17, out);
        else
            fputs("null", out);
        break;
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(s, c);
        json_text(text, (size_t)sqlite3_column_bytes(s, c), out);
        break;
    }
    case SQLITE_BLOB: {
        const unsigned char *blob = sqlite3_column_blob(s, c);
        fputc('"', out);
        print_hex(blob, (size_t)sqlite3_column_bytes(s, c), out);
        fputc('"', out);
        break;
    }
    default:
        fputs("null", out);
    }
}

static void json_row(sqlite3_stmt *s, char *const *names, FILE *out)
{
    for (int c = 0; c < sqlite3_column_count(s); c++) {
        fputs(c ? ", " : "{", out);
        json_text(names[c], strlen(names[c]), out);
        fputs(": ", out);
        json_value(s, c, out);
    }
    fputc('}', out);
}

static bool is_taken(char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static char **unique_names(sqlite3_stmt *s)
{
    int n = sqlite3_column_count(s);
    char **names = xcalloc((size_t)n, sizeof *names);
    for (int c = 0; c < n; c++) {
        names[c] = xstrdup(sqlite3_column_name(s, c));
        for (int turn = 2; is_taken(names, c, names[c]); turn++) {
            free(names[c]);
            names[c] = xasprintf("%s_%d", sqlite3_column_name(s, c), turn);
        }
    }
    return names;
}

static int print_json(sqlite3_stmt *s, int code, FILE *out, int64_t *n_rows)
{
    char **names = unique_names(s);
    fputc('[', out);
    for (; code == SQLITE_ROW; code = sqlite3_step(s)) {
        fputs((*n_rows)++ ? ",\n " : "\n ", out);
        json_row(s, names, out);
    }
    fputs(*n_rows ? "\n]\n" : "]\n", out);
    for (int c = 0; c < sqlite3_column_count(s); c++)
        free(names[c]);
    free(names);
    return code;
}

/* --- csv */

static void csv_text(const char *s, size_t n, FILE *out)
{
    bool quote = n == 0;
    for (size_t i = 0; i < n; i++)
        quote |= strchr(",\"\r\n", s[i]) && s[i];
    if (!quote) {
        fwrite(s, 1, n, out);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; i < n; i++)
        fputs(s[i] == '"' ? "\"\"" : (char[]){s[i], 0}, out);
    fputc('"', out);
}

static void csv_value(sqlite3_stmt *s, int c, FILE *out)
{
    int type = sqlite3_column_type(s, c);
    if (type == SQLITE_INTEGER) {
        fprintf(out, "%lld", sqlite3_column_int64(s, c));
    } else if (type == SQLITE_FLOAT) {
        print_real(sqlite3_column_double(s, c), 17, out);
    } else if (type == SQLITE_BLOB) {
        const unsigned char *blob = sqlite3_column_blob(s, c);
        print_hex(blob, (size_t)sqlite3_column_bytes(s, c), out);
    } else if (type == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_column_text(s, c);
        csv_text(text, (size_t)sqlite3_column_bytes(s, c), out);
    }
}

static int print_csv(sqlite3_stmt *s, int code, FILE *out, int64_t *n_rows)
{
    int n = sqlite3_column_count(s);
    for (int c = 0; c < n; c++) {
        const char *name = sqlite3_column_name(s, c);
        fputs(c ? "," : "", out);
        csv_text(name, strlen(name), out);
    }
    fputs("\r\n", out);
    for (; code == SQLITE_ROW; code = sqlite3_step(s), ++*n_rows)
        for (int c = 0; c < n; c++) {
            csv_value(s, c, out);
            fputs(c + 1 < n ? "," : "\r\n", out);
        }
    return code;
}

/* --- table */

/* What a terminal may safely be given. */
static void plain_text(const char *s, size_t n, bool keep_lines, FILE *out)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < n;) {
        size_t length = sequence(p + i, n - i);
        bool control = p[i] < 0x20 || p[i] == 0x7f || (p[i] == 0xc2 && length && p[i + 1] < 0xa0);
        if (length == 0)
            fprintf(out, "\\x%02x", p[i]);
        else if (keep_lines && (p[i] == '\n' || p[i] == '\t'))
            fputc(p[i], out);
        else if (p[i] == '\n' || p[i] == '\t' || p[i] == '\r')
            fprintf(out, "\\%c", p[i] == '\n' ? 'n' : p[i] == '\t' ? 't' : 'r');
        else if (control)
            fprintf(out, "\\x%02x", p[i + length - 1]);
        else
            fwrite(p + i, 1, length, out);
        i += length ? length : 1;
    }
}

static void table_value(sqlite3_stmt *s, int c, FILE *out)
{
    int type = sqlite3_column_type(s, c);
    if (type == SQLITE_NULL) {
        fputc('-', out);
    } else if (type == SQLITE_FLOAT) {
        print_real(sqlite3_column_double(s, c), 10, out);
    } else if (type == SQLITE_BLOB) {
        fprintf(out, "(%d bytes)", sqlite3_column_bytes(s, c));
    } else {
        const char *text = (const char *)sqlite3_column_text(s, c);
        plain_text(text, (size_t)sqlite3_column_bytes(s, c), false, out);
    }
}

static char *cell(sqlite3_stmt *s, int c)
{
    char *text;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    table_value(s, c, memory);
    fclose(memory);
    return text;
}

/* Characters, not bytes; a wide or combining one counts as one too. */
static int width_of(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* A text that percent() or tidy() made is a number to the eye. */
static bool looks_like_a_number(const char *s)
{
    size_t sign = strspn(s, "+-");
    return sign < 2 && s[sign] >= '0' && s[sign] <= '9' &&
           strspn(s, "+-0123456789.,e%:") == strlen(s);
}

typedef struct {
    int columns;
    int64_t n, room;
    char **cells; /* [n][columns], the header first */
    int *width;   /* [columns] */
    bool *right;  /* [columns] nothing but numbers */
} Table;

static void table_row(Table *t, sqlite3_stmt *s, bool header)
{
    if (t->n == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->cells = xrealloc(t->cells, (size_t)t->room * (size_t)t->columns * sizeof *t->cells);
    }
    char **row = t->cells + t->n++ * t->columns;
    for (int c = 0; c < t->columns; c++) {
        row[c] = header ? xstrdup(sqlite3_column_name(s, c)) : cell(s, c);
        int width = width_of(row[c]);
        t->width[c] = width > t->width[c] ? width : t->width[c];
        if (!header && sqlite3_column_type(s, c) != SQLITE_NULL)
            t->right[c] &= looks_like_a_number(row[c]);
    }
}

static void print_cells(const Table *t, char *const *row, FILE *out)
{
    for (int c = 0; c < t->columns; c++) {
        int padding = t->width[c] - width_of(row[c]);
        if (t->right[c])
            fprintf(out, "%*s", padding, "");
        fputs(row[c], out);
        if (c + 1 < t->columns) /* no blanks at the end of a line */
            fprintf(out, "%*s  ", t->right[c] ? 0 : padding, "");
    }
    fputc('\n', out);
}

static void print_line(const Table *t, FILE *out)
{
    for (int c = 0; c < t->columns; c++) {
        for (int i = 0; i < t->width[c]; i++)
            fputc('-', out);
        fputs(c + 1 < t->columns ? "  " : "\n", out);
    }
}

static int print_table(sqlite3_stmt *s, int code, FILE *out, int64_t *n_rows)
{
    Table t = {.columns = sqlite3_column_count(s)};
    t.width = xcalloc((size_t)t.columns, sizeof *t.width);
    t.right = xcalloc((size_t)t.columns, sizeof *t.right);
    memset(t.right, 1, (size_t)t.columns * sizeof *t.right);
    table_row(&t, s, true);
    for (; code == SQLITE_ROW; code = sqlite3_step(s))
        table_row(&t, s, false);
    for (int64_t i = 0; i < t.n; i++) {
        print_cells(&t, t.cells + i * t.columns, out);
        if (i == 0)
            print_line(&t, out);
    }
    for (int64_t i = 0; i < t.n * t.columns; i++)
        free(t.cells[i]);
    *n_rows = t.n - 1;
    free(t.cells);
    free(t.width);
    free(t.right);
    return code;
}

/* --- all of them */

int formats_print(sqlite3_stmt *statement, Format format, FILE *out, int64_t *n_rows)
{
    int64_t n = 0;
    int code = sqlite3_step(statement); /* what fails at once prints nothing */
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        switch (format) {
        case FORMAT_TABLE:
            code = print_table(statement, code, out, &n);
            break;
        case FORMAT_JSON:
            code = print_json(statement, code, out, &n);
            break;
        case FORMAT_CSV:
            code = print_csv(statement, code, out, &n);
            break;
        }
    }
    if (n_rows)
        *n_rows = n;
    return code;
}

int formats_print_keys(sqlite3_stmt *statement, FILE *out)
{
    int code = sqlite3_step(statement), width = 0;
    if (code != SQLITE_ROW)
        return code;
    int n = sqlite3_column_count(statement);
    for (int c = 0; c < n; c++) {
        int w = width_of(sqlite3_column_name(statement, c));
        width = w > width ? w : width;
    }
    for (int c = 0; c < n; c++) {
        if (sqlite3_column_type(statement, c) == SQLITE_NULL)
            continue;
        const char *name = sqlite3_column_name(statement, c);
        fprintf(out, "%s%*s  ", name, width - width_of(name), "");
        table_value(statement, c, out);
        fputc('\n', out);
    }
    return SQLITE_DONE;
}

void formats_print_text(const char *text, const char *indent, FILE *out)
{
    for (const char *end; *text; text = end) {
        end = strchrnul(text, '\n');
        fputs(indent, out);
        plain_text(text, (size_t)(end - text), true, out);
        fputc('\n', out);
        end += *end == '\n';
    }
}
