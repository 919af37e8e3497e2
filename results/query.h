/* query.h - read-only statements; what results_query() and the listings share. */
#ifndef QUERY_H
#define QUERY_H

#include "results/store.h"

/* Like results_query(), and counts the rows; n_rows may be NULL. */
int query_print(Results *r, const char *sql, const char *const *args, int n_args, Format format,
                FILE *out, int64_t *n_rows);

/* The first row as lines "name  value"; nothing when there is none. */
int query_print_keys(Results *r, const char *sql, const char *const *args, int n_args, FILE *out);

#endif
