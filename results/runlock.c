#define _GNU_SOURCE
#include "results/runlock.h"

#include "base/error.h"
#include "results/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* State and start of a process: fields 3 and 22 of /proc/PID/stat, counted behind the name in
 * parentheses, which may itself hold blanks and parentheses. */
static bool process_stat(int64_t pid, char *state, int64_t *start)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = 0;
    char *p = strrchr(line, ')');
    long long ticks;
    if (!p || sscanf(p + 1, " %c%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s %lld", state,
                     &ticks) != 2)
        return false;
    *start = ticks;
    return true;
}

Holder holder_self(void)
{
    Holder me = {.pid = getpid()};
    char state;
    process_stat(me.pid, &state, &me.start);
    gethostname(me.host, sizeof me.host - 1);
    return me;
}

static bool is_here(const Holder *holder)
{
    Holder me = holder_self();
    return strcmp(holder->host, me.host) == 0;
}

static bool same(const Holder *a, const Holder *b)
{
    return a->pid == b->pid && a->start == b->start && strcmp(a->host, b->host) == 0;
}

bool holder_lives(const Holder *holder)
{
    if (!is_here(holder))
        return true;
    if (holder->pid <= 0 || (kill((pid_t)holder->pid, 0) != 0 && errno == ESRCH))
        return false;
    char state;
    int64_t start;
    if (!process_stat(holder->pid, &state, &start))
        return true; /* it is there, but hidden from us */
    return start == holder->start && state != 'Z' && state != 'X'; /* a zombie works no more */
}

/* 0 someone, 1 nobody, -1 error: the run is not there either */
static int read_holder(Results *r, int64_t run, Holder *holder)
{
    sqlite3_stmt *s;
    if (store_prepare(r, "SELECT lock_pid, lock_start, lock_host FROM run WHERE id = ?1",
                      (Value[]){integer(run), {0}}, &s) != 0)
        return -1;
    int status = store_step(r, s);
    if (status == 0) {
        const char *host = (const char *)sqlite3_column_text(s, 2);
        *holder = (Holder){.pid = sqlite3_column_int64(s, 0), .start = sqlite3_column_int64(s, 1)};
        snprintf(holder->host, sizeof holder->host, "%s", host ? host : "");
        status = sqlite3_column_type(s, 0) == SQLITE_NULL;
    } else if (status == 1) {
        status = errorf("there is no run %lld in %s", (long long)run, r->path);
    }
    store_done(s);
    return status;
}

static int write_holder(Results *r, int64_t run, const Holder *h)
{
    return store_change(
        r, "UPDATE run SET lock_pid = ?2, lock_start = ?3, lock_host = ?4 WHERE id = ?1",
        (Value[]){integer(run), integer(h->pid), integer(h->start), text(h->host), {0}});
}

static int refuse(Results *r, int64_t run, const Holder *h)
{
    if (is_here(h))
        return errorf("process %lld is working on run %lld of %s", (long long)h->pid,
                      (long long)run, r->path);
    return errorf(
        "process %lld of host %s is working on run %lld of %s, as far as this host can tell;"
        " if it is gone: sqlite3 %s 'UPDATE run SET lock_pid = NULL WHERE id = %lld'",
        (long long)h->pid, h->host, (long long)run, r->path, r->path, (long long)run);
}

static int take(Results *r, int64_t run)
{
    Holder me = holder_self(), other;
    int status = read_holder(r, run, &other);
    if (status < 0)
        return -1;
    if (status == 0 && !same(&me, &other) && holder_lives(&other))
        return refuse(r, run, &other);
    return write_holder(r, run, &me);
}

/* Reading who holds it and writing ourselves are one transaction: two that come at once find
 * the lock one after the other. */
int results_run_lock(Results *r, int64_t run)
{
    return store_begin(r) == 0 ? store_end(r, take(r, run)) : -1;
}

int results_run_unlock(Results *r, int64_t run)
{
    Holder me = holder_self();
    return store_change(
        r,
        "UPDATE run SET lock_pid = NULL, lock_start = NULL, lock_host = NULL"
        " WHERE id = ?1 AND lock_pid = ?2 AND lock_start = ?3 AND lock_host = ?4",
        (Value[]){integer(run), integer(me.pid), integer(me.start), text(me.host), {0}});
}
