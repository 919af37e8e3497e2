#define _GNU_SOURCE
#include "nn/blas.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *blas_description(void)
{
    static char text[160];
    snprintf(text, sizeof text, "%s, core %s", openblas_get_config(), openblas_get_corename());
    return text;
}

const char *blas_warning(void)
{
    static char text[200];
    const char *forced = getenv("OPENBLAS_CORETYPE");
    if (!forced || !__builtin_cpu_supports("avx512f") || strcasecmp(forced, "Haswell") != 0)
        return NULL;
    snprintf(text, sizeof text, "OPENBLAS_CORETYPE=%s halves the speed of training on this machine: unset it",
             forced);
    return text;
}
