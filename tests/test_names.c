#define _GNU_SOURCE
#include "results/names.h"

#include "tests/small_database.h"

#define HAS(text, words) ck_assert_msg(strstr(text, words), "no '%s' in\n%s", words, text)

TEST(what_is_a_file_and_what_a_network_of_a_run)
{
    ck_assert(names_net_file("a.yaml") && names_net_file("b/a.YML"));
    ck_assert(!names_net_file("yaml") && !names_net_file("a.tflite"));
    ck_assert(names_model_file("a.tflite") && !names_model_file("1:best"));
    ck_assert(names_run_net("1:best") && names_run_net("last"));
    ck_assert(!names_run_net("a.yaml") && !names_run_net("a.tflite") && !names_run_net("b/a"));
    ck_assert(!names_run_net("README.md") || access("README.md", R_OK) != 0);
}
END

TEST(the_database_is_the_option_else_the_variable_else_thimble_db)
{
    unsetenv("THIMBLE_DB");
    ck_assert_str_eq(names_db(NULL), "thimble.db");
    setenv("THIMBLE_DB", "", 1);
    ck_assert_str_eq(names_db(NULL), "thimble.db");
    setenv("THIMBLE_DB", "of/mine.db", 1);
    ck_assert_str_eq(names_db(NULL), "of/mine.db");
    ck_assert_str_eq(names_db("given.db"), "given.db");
}
END

TEST(runs_and_candidates_are_found_by_what_people_type)
{
    make_database();
    Results *r = names_open(db);
    ck_assert_ptr_nonnull(r);
    static const struct {
        const char *text;
        int run, number; /* -1: refused */
        const char *words;
    } cases[] = {
        {"2", 2, 2, ""},
        {"2:best", 2, 2, ""},
        {"last", 2, 2, ""},
        {"last:1", 2, 1, ""},
        {"2:0", 2, 0, ""},
        {"2:7", 2, -1, "no candidate 7"},
        {"1", 1, -1, "no eval"},
        {"1:best", 1, -1, "no eval"},
        {"3", 0, -1, "no run 3"},
        {"x", 0, -1, "'x'"},
        {"", 0, -1, "no run"},
        {":1", 0, -1, "no run"},
        {"2:", 2, -1, "'2:'"},
        {"2:x", 2, -1, "'2:x'"},
        {"2:1x", 2, -1, "'2:1x'"},
        {"2:-1", 2, -1, "'2:-1'"},
        {"0", 0, -1, "no run"},
        {"-2", 0, -1, "no run"},
        {" 2", 0, -1, "' 2'"},
        {"2:99999999999", 2, -1, "no candidate"},
        {"99999999999999999999", 0, -1, "no run"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t run;
        CandidateRow row;
        int status = names_candidate(r, cases[i].text, &run, &row);
        ck_assert_msg(status == (cases[i].number < 0 ? -1 : 0), "'%s': %s", cases[i].text,
                      error_text());
        if (status == 0) {
            ck_assert_int_eq(run, cases[i].run);
            ck_assert_int_eq(row.number, cases[i].number);
            results_candidate_release(&row);
        } else {
            HAS(error_text(), cases[i].words);
        }
    }
    results_close(r);
    remove_database();
}
END

SUITE(names,
      what_is_a_file_and_what_a_network_of_a_run,
      the_database_is_the_option_else_the_variable_else_thimble_db,
      runs_and_candidates_are_found_by_what_people_type)
