/* memory.h - how much memory this process may still take. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>

/* Bytes: what the machine has available (MemAvailable), or less where a control group of this
 * process, or one around it, has a limit (cgroups v2 and v1; files it has cached and could give
 * back count as free). UINT64_MAX where nobody knows. root: where /proc and /sys are, "" but in
 * tests. */
uint64_t memory_free(const char *root);

#endif
