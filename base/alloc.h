/* alloc.h - memory that is there, or the program stops.
 *
 * A search on a workstation has nothing better to do when memory ends. All of
 * it is given back with free(). */
#ifndef ALLOC_H
#define ALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size); /* zeroed; the product is checked */
void *xrealloc(void *p, size_t size);
void *xaligned(size_t size); /* zeroed, starts on a 64-byte cache line */
char *xstrdup(const char *s);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
