#define _GNU_SOURCE
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p, size_t size)
{
    if (!p && size) {
        fprintf(stderr, "thimble: out of memory (%zu bytes wanted)\n", size);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size), size);
}

void *xcalloc(size_t n, size_t size)
{
    return checked(calloc(n, size), n && size ? 1 : 0);
}

void *xrealloc(void *p, size_t size)
{
    return checked(realloc(p, size), size);
}

void *xaligned(size_t size)
{
    size_t rounded = (size + 63) / 64 * 64;
    void *p = checked(aligned_alloc(64, rounded), rounded);
    return p ? memset(p, 0, rounded) : p;
}

char *xstrdup(const char *s)
{
    return checked(strdup(s), 1);
}

char *xasprintf(const char *format, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&s, format, args);
    va_end(args);
    return checked(n < 0 ? NULL : s, 1);
}
