#define _GNU_SOURCE
#include "results/store.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "results/functions.h"
#include "results/tables.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

/* --- errors */

static int sentence(const char *path, int code, const char *sqlite_says)
{
    if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
        return errorf("%s: the run or candidate this row belongs to is not there", path);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return errorf("%s: another program has kept the database locked for %d s", path,
                      PATIENCE_MS / 1000);
    case SQLITE_NOTADB:
        return errorf("%s is not an SQLite database", path);
    case SQLITE_CORRUPT:
        return errorf("%s is damaged: %s", path, sqlite_says);
    case SQLITE_READONLY:
        return errorf("%s cannot be written", path);
    case SQLITE_CANTOPEN:
        return errorf("cannot open the database %s", path);
    case SQLITE_FULL:
        return errorf("%s: no room left on the disk", path);
    default:
        return errorf("%s: %s", path, sqlite_says);
    }
}

int store_spoilt(Results *r)
{
    if (r->inside && !r->why)
        r->why = xstrdup(error_text());
    return -1;
}

int store_refused(Results *r)
{
    sentence(r->path, sqlite3_extended_errcode(r->db), sqlite3_errmsg(r->db));
    return store_spoilt(r);
}

/* --- statements */

static sqlite3_stmt *kept(Results *r, const char *sql)
{
    for (int i = 0; i < r->n_prepared; i++)
        if (r->prepared[i].sql == sql && !sqlite3_stmt_busy(r->prepared[i].statement))
            return r->prepared[i].statement;
    return NULL;
}

static int bind(sqlite3_stmt *s, int i, const Value *v)
{
    switch (v->type) {
    case VALUE_END:
    case VALUE_NULL:
        return sqlite3_bind_null(s, i);
    case VALUE_INTEGER:
        return sqlite3_bind_int64(s, i, v->integer);
    case VALUE_REAL:
        return sqlite3_bind_double(s, i, v->real);
    case VALUE_TEXT:
        return sqlite3_bind_text(s, i, v->data, -1, SQLITE_STATIC);
    case VALUE_BYTES: /* no bytes are still a blob, not NULL */
        return sqlite3_bind_blob64(s, i, v->size ? v->data : "", v->size, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

int store_prepare(Results *r, const char *sql, const Value *values, sqlite3_stmt **statement)
{
    sqlite3_stmt *s = kept(r, sql);
    if (!s) {
        assert(r->n_prepared < STORE_STATEMENTS);
        if (sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
            return store_refused(r);
        r->prepared[r->n_prepared].sql = sql;
        r->prepared[r->n_prepared++].statement = s;
    }
    for (int i = 0; values && values[i].type != VALUE_END; i++)
        if (bind(s, i + 1, &values[i]) != SQLITE_OK) {
            store_refused(r);
            store_done(s);
            return -1;
        }
    *statement = s;
    return 0;
}

int store_step(Results *r, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    return code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? 1 : store_refused(r);
}

void store_done(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

int store_change(Results *r, const char *sql, const Value *values)
{
    sqlite3_stmt *s;
    if (r->why) /* SQLite may have ended the transaction: this must not become one of its own */
        return errorf("%s", r->why);
    if (store_prepare(r, sql, values, &s) != 0)
        return -1;
    int status = store_step(r, s);
    store_done(s);
    return status < 0 ? -1 : 0;
}

int store_changes(const Results *r)
{
    return sqlite3_changes(r->db);
}

int store_exec(Results *r, const char *sql)
{
    return sqlite3_exec(r->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_refused(r);
}

int store_number(Results *r, const char *sql, int64_t *number)
{
    sqlite3_stmt *s;
    if (store_prepare(r, sql, NULL, &s) != 0)
        return -1;
    int status = store_step(r, s);
    if (status == 0)
        *number = sqlite3_column_int64(s, 0);
    store_done(s);
    return status;
}

char *store_text(sqlite3_stmt *statement, int column)
{
    const char *s = (const char *)sqlite3_column_text(statement, column);
    return xstrdup(s ? s : "");
}

double store_known(sqlite3_stmt *statement, int column)
{
    bool null = sqlite3_column_type(statement, column) == SQLITE_NULL;
    return null ? -1 : sqlite3_column_double(statement, column);
}

int64_t store_known_integer(sqlite3_stmt *statement, int column)
{
    bool null = sqlite3_column_type(statement, column) == SQLITE_NULL;
    return null ? -1 : sqlite3_column_int64(statement, column);
}

/* --- transactions */

/* IMMEDIATE: who reads first and writes later could lose to another writer in between. */
static int begin(Results *r)
{
    return store_exec(r, "BEGIN IMMEDIATE");
}

static void rollback(Results *r)
{
    if (!sqlite3_get_autocommit(r->db)) /* else SQLite has rolled back by itself */
        sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}

static int commit(Results *r)
{
    if (store_exec(r, "COMMIT") == 0)
        return 0;
    rollback(r);
    return -1;
}

int store_begin(Results *r)
{
    if (r->inside)
        return r->why ? errorf("%s", r->why) : 0;
    return begin(r);
}

int store_end(Results *r, int status)
{
    if (r->inside)
        return status == 0 ? 0 : store_spoilt(r);
    if (status == 0)
        return commit(r);
    rollback(r);
    return status;
}

int results_begin(Results *r)
{
    assert(!r->inside);
    if (begin(r) != 0)
        return -1;
    r->inside = true;
    return 0;
}

void results_rollback(Results *r)
{
    rollback(r);
    r->inside = false;
    free(r->why);
    r->why = NULL;
}

int results_commit(Results *r)
{
    assert(r->inside);
    int status = r->why ? errorf("%s", r->why) : commit(r);
    results_rollback(r); /* after a commit there is nothing to roll back */
    return status;
}

/* --- opening */

/* What SQLite itself would report as one and the same "unable to open". */
static int look_at(const char *path, bool read_only)
{
    struct stat st;
    if (strcmp(path, ":memory:") == 0)
        return 0;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return errorf("%s is a folder, not a database", path);
        if (!S_ISREG(st.st_mode))
            return errorf("%s is not a file", path);
        if (access(path, R_OK) != 0)
            return errorf("cannot read the database %s: %s", path, strerror(errno));
        return read_only || access(path, W_OK) == 0
                   ? 0
                   : errorf("cannot write the database %s: %s", path, strerror(errno));
    }
    if (errno != ENOENT)
        return errorf("cannot open the database %s: %s", path, strerror(errno));
    if (read_only)
        return errorf("there is no database %s", path);
    char *dir = xstrdup(path), *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = 0;
    int status = 0;
    if (slash && !file_is_dir(dir))
        status = errorf("cannot make the database %s: there is no folder %s", path, dir);
    else if (access(slash ? dir : ".", W_OK) != 0)
        status = errorf("cannot make the database %s: %s", path, strerror(errno));
    free(dir);
    return status;
}

static void disconnect(Results *r)
{
    for (int i = 0; i < r->n_prepared; i++)
        sqlite3_finalize(r->prepared[i].statement);
    r->n_prepared = 0;
    sqlite3_close(r->db);
    r->db = NULL;
}

/* The schema of a stranger's file runs nothing of ours, and a misspelt "column" is no text. */
static void harden(sqlite3 *db)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
}

static int connect(Results *r, const char *name, int flags)
{
    if (sqlite3_open_v2(name, &r->db, flags, NULL) != SQLITE_OK)
        return store_refused(r);
    sqlite3_busy_timeout(r->db, PATIENCE_MS);
    harden(r->db);
    functions_register(r->db);
    int64_t ignored; /* SQLite looks at the file when it is first asked something */
    return store_number(r, "SELECT count(*) FROM sqlite_schema", &ignored);
}

/* WAL needs a -shm file beside the database even to read. Where none can be made (a read-only
 * disk) and no -wal waits, nobody writes either: the file may be taken as it is. */
static int connect_to_read(Results *r)
{
    if (connect(r, r->path, SQLITE_OPEN_READONLY) == 0)
        return 0;
    char *wal = xasprintf("%s-wal", r->path);
    int code = sqlite3_errcode(r->db) & 0xff;
    bool try_as_it_is =
        (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && access(wal, F_OK) != 0;
    free(wal);
    if (!try_as_it_is)
        return -1;
    disconnect(r);
    char *escaped = sqlite3_mprintf("%s", ""), *name;
    for (const char *p = r->path; *p; p++) {
        char *longer = strchr("%?#", *p) ? sqlite3_mprintf("%s%%%02x", escaped, *p)
                                         : sqlite3_mprintf("%s%c", escaped, *p);
        sqlite3_free(escaped);
        escaped = longer;
    }
    name = sqlite3_mprintf("file:%s?immutable=1", escaped);
    int status = connect(r, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    sqlite3_free(name);
    sqlite3_free(escaped);
    return status;
}

/* Two processes that make a database at the same moment: going to WAL fails at once with
 * SQLITE_BUSY, whatever the timeout. */
static int go_wal(Results *r)
{
    int code;
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        code = sqlite3_exec(r->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if ((code & 0xff) != SQLITE_BUSY)
            break;
        usleep(10000);
    }
    return code == SQLITE_OK ? 0 : store_refused(r);
}

static int open_to_write(Results *r)
{
    if (connect(r, r->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) != 0)
        return -1;
    if (tables_check(r, false) != 0) /* before anything in a stranger's file is touched */
        return -1;
    if (sqlite3_db_readonly(r->db, "main") == 1)
        return errorf("cannot write the database %s", r->path);
    if (go_wal(r) != 0)
        return -1;
    if (store_exec(r, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
                      "PRAGMA journal_size_limit = 67108864;") != 0)
        return -1;
    return tables_migrate(r);
}

static int no_update(const Results *r, const char *reason)
{
    return errorf("%s is of an older thimble and cannot be updated before it is read: %s; copy it "
                  "to where it can be written and read the copy",
                  r->path, reason);
}

/* An older database is updated first, once, which a reader may do where it could also write. */
static int update_to_read(Results *r)
{
    disconnect(r);
    if (access(r->path, W_OK) != 0)
        return no_update(r, strerror(errno));
    if (open_to_write(r) != 0) {
        char *reason = xstrdup(error_text());
        no_update(r, reason);
        free(reason);
        return -1;
    }
    disconnect(r);
    return connect_to_read(r);
}

static int open_to_read(Results *r)
{
    if (connect_to_read(r) != 0)
        return -1;
    int status = tables_check(r, true);
    return status == 1 ? update_to_read(r) : status;
}

int results_open(Results **r, const char *path, bool read_only)
{
    *r = NULL;
    if (look_at(path, read_only) != 0)
        return -1;
    Results *fresh = xcalloc(1, sizeof *fresh);
    fresh->path = xstrdup(path);
    if ((read_only ? open_to_read(fresh) : open_to_write(fresh)) != 0) {
        results_close(fresh);
        return -1;
    }
    *r = fresh;
    return 0;
}

void results_close(Results *r)
{
    if (!r)
        return;
    disconnect(r);
    free(r->why);
    free(r->path);
    free(r);
}
