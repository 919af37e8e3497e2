/* tables.h - the tables, and how an older database becomes a new one.
 *
 * The tables themselves are in tables.c, with a comment on every column: they
 * are what a user sees with .schema. PRAGMA user_version counts the steps a
 * database has behind it, application_id says that it is ours. */
#ifndef TABLES_H
#define TABLES_H

#include "results/store.h"

#define TABLES_APPLICATION 0x74686d62 /* "thmb" */

/* -1 with errorf() when the file is not ours or of a newer thimble, or empty when it is to be
 * read; 1 when it is of an older thimble and must be migrated before it can be read. */
int tables_check(Results *r, bool to_read);

/* Takes the steps that are missing, all or none; two processes may try at once. */
int tables_migrate(Results *r);

/* The steps from one version to a later one; the caller holds the transaction. */
int tables_take_steps(Results *r, int64_t from, int64_t to);

#endif
