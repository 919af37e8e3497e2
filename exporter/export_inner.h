/* export_inner.h - how a folder of C comes about, for who writes one (export.c, export_bench.c). */
#ifndef EXPORT_INNER_H
#define EXPORT_INNER_H

/* write() fills a folder beside `dir`, which then takes its place; -1 with errorf(), and nothing
 * is changed, when that fails or `dir` holds what thimble did not write under this prefix (NULL:
 * model): PREFIX.h begins with PRINT_MARK. */
int export_folder(const char *dir, const char *prefix,
                  int (*write)(const char *dir, const void *what), const void *what);

/* The runtime, its boards, a main and a Makefile, which call the network by its prefix or model. */
int export_runtime(const char *dir, const char *prefix);
/* The sources in one of the runtime's folders. */
int export_part(const char *folder, const char *dir);

#endif
