/* json_table.h - an array of JSON objects, printed as all tables of thimble are. */
#ifndef JSON_TABLE_H
#define JSON_TABLE_H

#include "results/results.h"

#include <jansson.h>

/* A query on the array, which is ?1: "SELECT json_extract(value, '$.name') FROM json_each(?1)".
 * The rows are released. -1 with errorf(). */
int json_table(json_t *rows, const char *sql, Format format, FILE *out);

#endif
