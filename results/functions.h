/* functions.h - SQL functions for the tables people read; also there for `thimble query`.
 *
 *     percent(0.9123)    91.23         kib(23456)     22.9
 *     fraction(0.91234)  0.9123
 *     size(23456)        23,456 B (22.9 KiB)          elapsed(3725)  1:02:05
 *     tidy(12345.67)     12,346, and three decimals below 1000
 *     process_lives(pid, start, host)  0 when that process has surely ended
 *
 * NULL gives NULL. */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include <sqlite3.h>

void functions_register(sqlite3 *db);

#endif
