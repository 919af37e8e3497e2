#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int text_int(const char *text, int64_t least, int64_t most, int64_t *value)
{
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    bool whole = *text && !strchr(" \t\n\v\f\r", *text) && *end == 0 && errno == 0;
    if (!whole || x < least || x > most)
        return -1;
    *value = x;
    return 0;
}
