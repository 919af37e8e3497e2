/* text.h - numbers that people type. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>

/* The whole text as a number in [least, most]; -1 when it is none, without errorf(). */
int text_int(const char *text, int64_t least, int64_t most, int64_t *value);

#endif
