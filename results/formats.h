/* formats.h - the rows of a statement, printed: for eyes, for programs, for spreadsheets.
 *
 * table  aligned, numbers right, a line under the header; NULL is -, a line
 *        break inside a value \n, a blob its size; real numbers to 10 digits
 * json   an array of objects, one a line; always valid UTF-8; a blob is its
 *        bytes in hexadecimal, an infinity null
 * csv    RFC 4180; NULL is nothing at all, an empty text ""
 *
 * Real numbers in json and csv are the shortest that read back as the same. A
 * column name that comes again gets _2, _3 in json, where it would hide the first. */
#ifndef FORMATS_H
#define FORMATS_H

#include "results/results.h"

#include <sqlite3.h>

/* Prints every row; SQLITE_DONE, or the error that ended it. *n_rows may be NULL. */
int formats_print(sqlite3_stmt *statement, Format format, FILE *out, int64_t *n_rows);

/* One row as aligned lines "name  value"; a column that is NULL is left out. */
int formats_print_keys(sqlite3_stmt *statement, FILE *out);

/* Text for a terminal: control characters and broken UTF-8 are spelt out, line breaks kept. */
void formats_print_text(const char *text, const char *indent, FILE *out);

#endif
