#include "results/functions.h"

#include "results/runlock.h"

#include <stddef.h>

typedef void Function(sqlite3_context *out, int n, sqlite3_value **v);

static void give(sqlite3_context *out, char *text)
{
    sqlite3_result_text(out, text, -1, sqlite3_free);
}

static void percent(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    if (sqlite3_value_type(v[0]) != SQLITE_NULL)
        give(out, sqlite3_mprintf("%.2f", 100 * sqlite3_value_double(v[0])));
}

static void fraction(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    if (sqlite3_value_type(v[0]) != SQLITE_NULL)
        give(out, sqlite3_mprintf("%.4f", sqlite3_value_double(v[0])));
}

static void kib(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    if (sqlite3_value_type(v[0]) != SQLITE_NULL)
        give(out, sqlite3_mprintf("%.1f", sqlite3_value_double(v[0]) / 1024));
}

static void size(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    if (sqlite3_value_type(v[0]) != SQLITE_NULL)
        give(out, sqlite3_mprintf("%,lld B (%.1f KiB)", sqlite3_value_int64(v[0]),
                                  sqlite3_value_double(v[0]) / 1024));
}

static void elapsed(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    if (sqlite3_value_type(v[0]) == SQLITE_NULL)
        return;
    sqlite3_int64 t = (sqlite3_int64)(sqlite3_value_double(v[0]) + 0.5);
    give(out, sqlite3_mprintf("%lld:%02lld:%02lld", t / 3600, t / 60 % 60, t % 60));
}

static void tidy(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    double x = sqlite3_value_double(v[0]);
    if (sqlite3_value_type(v[0]) == SQLITE_NULL)
        return;
    if (x > -1000 && x < 1000)
        give(out, sqlite3_mprintf("%.3f", x));
    else
        give(out, sqlite3_mprintf("%,lld", (sqlite3_int64)(x + (x < 0 ? -0.5 : 0.5))));
}

static void process_lives(sqlite3_context *out, int n, sqlite3_value **v)
{
    (void)n;
    if (sqlite3_value_type(v[0]) == SQLITE_NULL)
        return;
    const char *host = (const char *)sqlite3_value_text(v[2]);
    Holder holder = {.pid = sqlite3_value_int64(v[0]), .start = sqlite3_value_int64(v[1])};
    sqlite3_snprintf(sizeof holder.host, holder.host, "%s", host ? host : "");
    sqlite3_result_int(out, holder_lives(&holder));
}

void functions_register(sqlite3 *db)
{
    static const struct {
        const char *name;
        int n;
        Function *function;
    } all[] = {
        {"percent", 1, percent}, {"fraction", 1, fraction}, {"kib", 1, kib}, {"size", 1, size},
        {"elapsed", 1, elapsed}, {"tidy", 1, tidy}, {"process_lives", 3, process_lives},
    };
    /* DIRECTONLY: not from a stranger's view */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sqlite3_create_function(db, all[i].name, all[i].n, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
                                all[i].function, NULL, NULL);
}
