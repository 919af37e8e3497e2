#define _GNU_SOURCE
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static bool is_quiet; /* set once by main before any thread starts */
static bool bar_on_line;

void log_quiet(bool quiet)
{
    is_quiet = quiet;
}

double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_line(const char *prefix, const char *format, va_list args)
{
    flockfile(stderr);
    if (bar_on_line)
        fputs("\r\033[K", stderr);
    bar_on_line = false;
    fputs(prefix, stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
}

void log_info(const char *format, ...)
{
    if (is_quiet)
        return;
    va_list args;
    va_start(args, format);
    print_line("", format, args);
    va_end(args);
}

void log_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line("warning: ", format, args);
    va_end(args);
}

void progress_begin(Progress *p, const char *what, int64_t total, int64_t already_done)
{
    double now = clock_seconds();
    *p =
        (Progress){.what = what, .start = now, .shown = now, .first = already_done, .total = total};
}

static void print_seconds(double s)
{
    long t = (long)(s + 0.5);
    if (t >= 3600)
        fprintf(stderr, "%ld:%02ld:%02ld", t / 3600, t / 60 % 60, t % 60);
    else
        fprintf(stderr, "%ld:%02ld", t / 60, t % 60);
}

void progress_step(Progress *p, int64_t done, const char *format, ...)
{
    double now = clock_seconds();
    bool tty = isatty(STDERR_FILENO);
    if (is_quiet || now - p->shown < (tty ? 0.2 : 30))
        return;
    p->shown = now;
    double elapsed = now - p->start, share = p->total ? (double)done / (double)p->total : 1;
    flockfile(stderr);
    if (tty) {
        fprintf(stderr, "\r\033[K%s [", p->what);
        for (int i = 0; i < 20; i++)
            fputc(i < (int)(share * 20) ? '#' : '.', stderr);
        fputs("] ", stderr);
    } else {
        fprintf(stderr, "%s: ", p->what);
    }
    fprintf(stderr, "%lld/%lld", (long long)done, (long long)p->total);
    if (format) {
        va_list args;
        va_start(args, format);
        fputc(' ', stderr);
        vfprintf(stderr, format, args);
        va_end(args);
    }
    fputs("  elapsed ", stderr);
    print_seconds(elapsed);
    if (done > p->first) {
        fputs(" left ", stderr);
        print_seconds(elapsed / (double)(done - p->first) * (double)(p->total - done));
    }
    fputs(tty ? "" : "\n", stderr);
    bar_on_line = tty;
    funlockfile(stderr);
}

void progress_end(Progress *p)
{
    (void)p;
    if (bar_on_line)
        fputs("\r\033[K", stderr);
    bar_on_line = false;
}
