/* suite.h - a test file is a list of sentences.
 *
 *     TEST(each_layer_reads_what_the_last_one_wrote) { ck_assert_int_eq(...); }
 *     SUITE(net, each_layer_reads_what_the_last_one_wrote, ...)
 *
 * SUITE makes the file's main(), which runs every test in its own process
 * (check.h) and returns 0 when all passed. shared_file() finds the real data
 * sets and models of this project's workplace; a test that needs one that is
 * not there returns through SKIP_WITHOUT, which says so; one whose tools are
 * not installed, through SKIP_LACKING. */
#ifndef SUITE_H
#define SUITE_H

#include "base/error.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEST(name) START_TEST(name)
#define END END_TEST

#define SUITE(name, ...)                                                                          \
    int main(void)                                                                                \
    {                                                                                             \
        Suite *suite = suite_create(#name);                                                       \
        TCase *all = tcase_create("all");                                                         \
        const TTest *tests[] = {__VA_ARGS__};                                                     \
        tcase_set_timeout(all, 900);                                                              \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)                                 \
            tcase_add_test(all, tests[i]);                                                        \
        suite_add_tcase(suite, all);                                                              \
        SRunner *runner = srunner_create(suite);                                                  \
        srunner_run_all(runner, CK_ENV);                                                          \
        int failed = srunner_ntests_failed(runner);                                               \
        srunner_free(runner);                                                                     \
        return failed != 0;                                                                       \
    }

/* A file of the shared workplace beside the checkout (THIMBLE_SHARED, or ../shared). */
static inline const char *shared_file(const char *name)
{
    static char path[2][512];
    static int turn;
    const char *dir = getenv("THIMBLE_SHARED");
    char *p = path[turn ^= 1];
    snprintf(p, sizeof path[0], "%s/%s", dir ? dir : "../shared", name);
    return p;
}

#define SKIP_WITHOUT(path)                                                                        \
    do {                                                                                          \
        if (access(path, R_OK) != 0) {                                                            \
            printf("SKIPPED %s: %s is not there\n", __func__, path);                              \
            return;                                                                               \
        }                                                                                         \
    } while (0)

/* missing: a program that the test needs, or NULL. */
#define SKIP_LACKING(missing)                                                                     \
    do {                                                                                          \
        const char *program = (missing);                                                          \
        if (program) {                                                                            \
            printf("SKIPPED %s: %s is not installed\n", __func__, program);                       \
            return;                                                                               \
        }                                                                                         \
    } while (0)

#endif
