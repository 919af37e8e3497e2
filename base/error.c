#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[1024];

int errorf(const char *format, ...)
{
    char fresh[sizeof text]; /* the arguments may point into the old text */
    va_list args;
    va_start(args, format);
    vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    memcpy(text, fresh, sizeof text);
    return -1;
}

const char *error_text(void)
{
    return text;
}
