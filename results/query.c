#define _GNU_SOURCE
#include "results/query.h"

#include "base/error.h"
#include "results/formats.h"

#include <string.h>

/* PRAGMAs that only look; those marked also take an argument without changing anything. */
static bool pragma_looks(const char *name, const char *argument)
{
    static const struct {
        const char *name;
        bool argument;
    } all[] = {
        {"table_info", true},       {"table_xinfo", true},      {"table_list", true},
        {"index_list", true},       {"index_info", true},       {"index_xinfo", true},
        {"foreign_key_list", true}, {"foreign_key_check", true}, {"integrity_check", true},
        {"quick_check", true},      {"user_version", false},    {"application_id", false},
        {"page_count", false},      {"page_size", false},       {"freelist_count", false},
        {"database_list", false},   {"function_list", false},   {"pragma_list", false},
        {"compile_options", false}, {"encoding", false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (sqlite3_stricmp(name, all[i].name) == 0)
            return !argument || all[i].argument;
    return false;
}

/* Asked by SQLite while it compiles. ATTACH and BEGIN change no file, so that
 * sqlite3_stmt_readonly() lets them pass; here only what is read is allowed. */
static int only_reading(void *ctx, int action, const char *a, const char *b, const char *c,
                        const char *d)
{
    (void)ctx, (void)c, (void)d;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION: /* a is NULL, b the name */
        return sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
        return pragma_looks(a, b) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_UPDATE: /* SQLite asks so when a table-valued function is first used, and does not
                         * do it; a statement that really would is not read-only */
        return strcmp(a, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

/* Whether nothing but blanks, semicolons and comments is left: to compile it gives no statement. */
static bool is_empty(Results *r, const char *tail)
{
    sqlite3_stmt *more = NULL;
    while (*tail) {
        const char *next;
        if (sqlite3_prepare_v2(r->db, tail, -1, &more, &next) != SQLITE_OK || more)
            break;
        tail = next;
    }
    bool empty = *tail == 0;
    sqlite3_finalize(more);
    return empty;
}

static int cannot_compile(Results *r)
{
    if (sqlite3_errcode(r->db) == SQLITE_AUTH)
        return errorf("%s: a query only reads, this one would do more", r->path);
    return errorf("%s: %s", r->path, sqlite3_errmsg(r->db));
}

static int bind_args(Results *r, sqlite3_stmt *s, const char *const *args, int n)
{
    int wanted = sqlite3_bind_parameter_count(s);
    if (wanted > n)
        return errorf("%s: the query has %d parameters, %d are given", r->path, wanted, n);
    for (int i = 0; i < wanted; i++)
        sqlite3_bind_text(s, i + 1, args[i], -1, SQLITE_STATIC);
    return 0;
}

static int compile(Results *r, const char *sql, const char *const *args, int n_args,
                   sqlite3_stmt **s)
{
    const char *tail;
    if (sqlite3_prepare_v2(r->db, sql, -1, s, &tail) != SQLITE_OK)
        return cannot_compile(r);
    if (!*s)
        return errorf("the query is empty");
    if (!sqlite3_stmt_readonly(*s))
        return errorf("%s: a query only reads, this one would do more", r->path);
    if (!is_empty(r, tail))
        return errorf("%s: one statement at a time, please", r->path);
    return bind_args(r, *s, args, n_args);
}

static int outcome(Results *r, int code, FILE *out)
{
    if (code == SQLITE_AUTH)
        return cannot_compile(r);
    if (code != SQLITE_DONE)
        return errorf("%s: %s", r->path, sqlite3_errmsg(r->db));
    return fflush(out) == 0 && !ferror(out) ? 0 : errorf("cannot write the output");
}

int query_print(Results *r, const char *sql, const char *const *args, int n_args, Format format,
                FILE *out, int64_t *n_rows)
{
    sqlite3_stmt *s = NULL;
    sqlite3_set_authorizer(r->db, only_reading, NULL);
    int status = compile(r, sql, args, n_args, &s);
    if (status == 0)
        status = outcome(r, formats_print(s, format, out, n_rows), out);
    sqlite3_finalize(s);
    sqlite3_set_authorizer(r->db, NULL, NULL);
    return status;
}

int query_print_keys(Results *r, const char *sql, const char *const *args, int n_args, FILE *out)
{
    sqlite3_stmt *s = NULL;
    int status = compile(r, sql, args, n_args, &s);
    if (status == 0)
        status = outcome(r, formats_print_keys(s, out), out);
    sqlite3_finalize(s);
    return status;
}

int results_query(Results *r, const char *sql, const char *const *args, int n_args, Format format,
                  FILE *out)
{
    return query_print(r, sql, args, n_args, format, out, NULL);
}

int format_parse(const char *name, Format *format)
{
    static const char *const names[] = {
        [FORMAT_TABLE] = "table", [FORMAT_JSON] = "json", [FORMAT_CSV] = "csv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *format = (Format)i;
            return 0;
        }
    return errorf("unknown format '%s': table, json or csv", name);
}
