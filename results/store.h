/* store.h - SQLite as the rest of results/ uses it; nobody else includes this.
 *
 * A statement is prepared with its values in one call:
 *
 *     store_change(r, "UPDATE run SET phase = ?2 WHERE id = ?1",
 *                  (Value[]){integer(run), text(phase), {0}});
 *
 * What SQLite refuses becomes one sentence that names the file. */
#ifndef STORE_H
#define STORE_H

#include "results/results.h"

#include <sqlite3.h>

#define STORE_STATEMENTS 48

struct Results {
    sqlite3 *db;
    char *path;
    bool inside;   /* between results_begin and results_commit */
    char *why;     /* the first error in there, or NULL */
    struct {
        const char *sql; /* a literal: compared by address */
        sqlite3_stmt *statement;
    } prepared[STORE_STATEMENTS];
    int n_prepared;
};

/* What a ? is bound to; a list of them ends with {0}. */
typedef struct {
    enum { VALUE_END, VALUE_NULL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_BYTES } type;
    int64_t integer;
    double real;
    const void *data;
    size_t size;
} Value;

static inline Value integer(int64_t i)
{
    return (Value){.type = VALUE_INTEGER, .integer = i};
}

static inline Value real(double x)
{
    return (Value){.type = VALUE_REAL, .real = x};
}

static inline Value text(const char *s) /* NULL is NULL */
{
    return (Value){.type = s ? VALUE_TEXT : VALUE_NULL, .data = s};
}

static inline Value bytes(const void *data, size_t size)
{
    return (Value){.type = VALUE_BYTES, .data = data, .size = size};
}

/* Contracts say "negative: not known"; the database says NULL. */
static inline Value known(double x)
{
    return x >= 0 ? real(x) : (Value){.type = VALUE_NULL};
}

static inline Value known_integer(int64_t i)
{
    return i >= 0 ? integer(i) : (Value){.type = VALUE_NULL};
}

/* A literal is prepared once and kept. Give it back with store_done(). */
int store_prepare(Results *r, const char *sql, const Value *values, sqlite3_stmt **statement);
/* 0 a row, 1 no more, -1 error */
int store_step(Results *r, sqlite3_stmt *statement);
void store_done(sqlite3_stmt *statement);

/* Runs a statement that gives no rows; store_changes() counts what the last one touched. */
int store_change(Results *r, const char *sql, const Value *values);
int store_changes(const Results *r);
int store_exec(Results *r, const char *sql); /* several statements, without values */
/* The first column of the first row: 0 found, 1 no row, -1 error. */
int store_number(Results *r, const char *sql, int64_t *number);

/* A write transaction around several statements, unless the caller of results/
 * already holds one. store_end commits when status is 0, else rolls back; it
 * returns status, or -1. */
int store_begin(Results *r);
int store_end(Results *r, int status);

/* errorf() with what SQLite says last about this file; -1. */
int store_refused(Results *r);
/* Remembers error_text() when inside a transaction; -1. */
int store_spoilt(Results *r);

/* A column as text of its own, "" when NULL; as a number, negative when NULL. */
char *store_text(sqlite3_stmt *statement, int column);
double store_known(sqlite3_stmt *statement, int column);
int64_t store_known_integer(sqlite3_stmt *statement, int column);

#endif
