#include "cli/command.h"

#include "base/version.h"
#include "nn/blas.h"

#include <png.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' is one argument too many", arg);
    return ARGP_ERR_UNKNOWN;
}

int cmd_version(int argc, char **argv)
{
    command_parse(&(struct argp){.parser = parse, .doc = "How this program was built."}, argc, argv,
                  NULL);
    printf("thimble   %s\n", THIMBLE_VERSION);
    printf("compiler  %s %s\n",
#ifdef __clang__
           "clang", __clang_version__
#else
           "gcc", __VERSION__
#endif
    );
    printf("blas      %s\n", blas_description());
    printf("libyaml   %s\nsqlite    %s\nlibpng    %s\n", yaml_get_version_string(),
           sqlite3_libversion(), png_get_libpng_ver(NULL));
    const char *warning = blas_warning();
    if (warning)
        fprintf(stderr, "warning: %s\n", warning);
    return EXIT_OK;
}
