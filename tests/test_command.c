#define _GNU_SOURCE
#include "cli/command.h"

#include "tests/small_database.h"

#include <string.h>
#include <sys/wait.h>

#define HAS(text, words) ck_assert_msg(strstr(text, words), "no '%s' in\n%s", words, text)

/* --- a command in a process of its own, with what it printed */

typedef struct {
    int status;
    char out[16384], err[4096];
} Ran;

static void take(FILE *f, char *text, size_t room)
{
    rewind(f);
    text[fread(text, 1, room - 1, f)] = 0;
    fclose(f);
}

static Ran run_with(const char *input, int (*command)(int, char **), const char *const *words)
{
    char *argv[16] = {0};
    int argc = 0;
    for (; words[argc]; argc++)
        argv[argc] = xstrdup(words[argc]);
    Ran ran = {0};
    FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
    fputs(input, in);
    rewind(in);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(in), 0), dup2(fileno(out), 1), dup2(fileno(err), 2);
        exit(command(argc, argv));
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ran.status = WEXITSTATUS(status);
    take(out, ran.out, sizeof ran.out);
    take(err, ran.err, sizeof ran.err);
    fclose(in);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return ran;
}

#define RUN(command, ...) run_with("", command, (const char *[]){__VA_ARGS__, NULL})

static int lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static struct {
    int64_t number;
} parsed;

static error_t parse_number(int key, char *arg, struct argp_state *state)
{
    if (key == 'n')
        parsed.number = command_int(state, "--number", arg, -5, 1000);
    else if (key == ARGP_KEY_ARG)
        return 0;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static int number_command(int argc, char **argv)
{
    static const struct argp_option options[] = {{"number", 'n', "N", 0, "a number", 0}, {0}};
    command_parse(&(struct argp){.options = options, .parser = parse_number, .doc = "Says it."},
                  argc, argv, NULL);
    printf("%d\n", (int)parsed.number);
    return EXIT_OK;
}

TEST(a_number_is_the_whole_text_and_in_its_range)
{
    static const char *const good[] = {"0", "-5", "1000", "7", "+7", "007"};
    static const char *const bad[] = {
        "", "x", "7x", "-6", "1001", "1.5", " 7", "7 ", "99999999999999999999", "0x7"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "%d\n", atoi(good[i]));
        Ran ran = RUN(number_command, "thimble number", "-n", good[i]);
        ck_assert_int_eq(ran.status, 0);
        ck_assert_str_eq(ran.out, expected);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Ran ran = RUN(number_command, "thimble number", "-n", bad[i]);
        ck_assert_int_eq(ran.status, 2);
        ck_assert_str_eq(ran.out, "");
        ck_assert_int_eq(lines(ran.err), 1);
        HAS(ran.err, "thimble number: --number must be a whole number from -5 to 1000");
    }
}
END

TEST(wrong_usage_is_one_line_and_status_2)
{
    make_database();
    const Ran wrong[] = {
        RUN(cmd_runs, "thimble runs", "--colour"),
        RUN(cmd_runs, "thimble runs", "-z"),
        RUN(cmd_runs, "thimble runs", "3"),
        RUN(cmd_runs, "thimble runs", "-f", "xml"),
        RUN(cmd_runs, "thimble runs", "-f"),
        RUN(cmd_candidates, "thimble candidates"),
        RUN(cmd_candidates, "thimble candidates", "1", "2"),
        RUN(cmd_candidates, "thimble candidates", "1", "--sort", "beauty"),
        RUN(cmd_candidates, "thimble candidates", "1", "--limit", "0"),
        RUN(cmd_pareto, "thimble pareto"),
        RUN(cmd_show, "thimble show"),
        RUN(cmd_query, "thimble query"),
        RUN(cmd_query, "thimble query", "SELECT", "1"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(wrong[i].status == 2, "%d: status %d: %s", (int)i, wrong[i].status,
                      wrong[i].err);
        ck_assert_msg(lines(wrong[i].err) == 1, "%d: %s", (int)i, wrong[i].err);
        ck_assert_msg(strncmp(wrong[i].err, "thimble ", 8) == 0, "%s", wrong[i].err);
        ck_assert_str_eq(wrong[i].out, "");
    }
    remove_database();
}
END

TEST(help_is_one_screen_on_stdout)
{
    int (*const all[])(int, char **) = {cmd_runs, cmd_candidates, cmd_pareto, cmd_show, cmd_query};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        Ran ran = RUN(all[i], "thimble x", "--help");
        ck_assert_int_eq(ran.status, 0);
        ck_assert_str_eq(ran.err, "");
        HAS(ran.out, "Usage: thimble x");
        HAS(ran.out, "[$THIMBLE_DB, else");
        HAS(ran.out, "Examples:\n  thimble ");
        ck_assert_int_le(lines(ran.out), 40);
    }
}
END

TEST(what_the_job_cannot_do_is_one_sentence_and_status_1)
{
    make_database();
    const struct {
        Ran ran;
        const char *words;
    } cases[] = {
        {RUN(cmd_runs, "thimble runs", "--db", "/nowhere/x.db"),
         "there is no database /nowhere/x.db"},
        {RUN(cmd_candidates, "thimble candidates", "9", "--db", db), "there is no run 9"},
        {RUN(cmd_candidates, "thimble candidates", "1", "--db", db), "no candidates yet"},
        {RUN(cmd_pareto, "thimble pareto", "1", "--db", db), "no evaluated candidates"},
        {RUN(cmd_show, "thimble show", "2:9", "--db", db), "no candidate 9"},
        {RUN(cmd_query, "thimble query", "DELETE FROM run", "--db", db), "only reads"},
        {RUN(cmd_query, "thimble query", "SELECT x FROM run", "--db", db), "no such column: x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(cases[i].ran.status == 1, "%d: %s", (int)i, cases[i].ran.err);
        ck_assert_str_eq(cases[i].ran.out, "");
        ck_assert_int_eq(lines(cases[i].ran.err), 1);
        ck_assert(strncmp(cases[i].ran.err, "thimble: ", 9) == 0);
        HAS(cases[i].ran.err, cases[i].words);
    }
    remove_database();
}
END

TEST(the_commands_print_what_is_in_the_database)
{
    make_database();
    Ran ran = RUN(cmd_runs, "thimble runs", "--db", db, "-f", "csv");
    ck_assert_int_eq(ran.status, 0);
    HAS(ran.out, "2,faces,interrupted,space,m4,3,0.7,,1200,inside,2000,0,");
    ran = RUN(cmd_candidates, "thimble candidates", "last", "--db", db, "--sort", "sram", "--limit",
              "1");
    ck_assert_int_eq(ran.status, 0);
    HAS(ran.out, "latency [cycles]");
    HAS(ran.out,
        "     0    0   0.5000       50.00    1000  1.0     2000  2.0     3             4.000  g\n");
    HAS(ran.out, "1 of 3 candidates");
    ran = RUN(cmd_candidates, "thimble candidates", "2", "--all", "--db", db, "-f", "json");
    ck_assert_int_eq(ran.status, 0);
    ck_assert_int_eq(lines(ran.out), 5);
    ran = RUN(cmd_pareto, "thimble pareto", "2", "--db", db, "-f", "csv");
    ck_assert_int_eq(ran.status, 0);
    ck_assert_int_eq(lines(ran.out), 4); /* more accuracy for more sram: all three */
    ran = RUN(cmd_show, "thimble show", "2", "--db", db);
    ck_assert_int_eq(ran.status, 0);
    HAS(ran.out, "configuration\n  a: 1\n");
    ran = RUN(cmd_pareto, "thimble pareto", "2", "--db", db);
    ck_assert_int_eq(ran.status, 0);
    HAS(ran.out, "     2    0   0.7000       70.00    1200");
    ran = RUN(cmd_show, "thimble show", "2:best", "--db", db);
    ck_assert_int_eq(ran.status, 0);
    HAS(ran.out, "70.00 %");
    setenv("THIMBLE_DB", db, 1);
    ran = RUN(cmd_query, "thimble query", "SELECT count(*) AS n FROM candidate", "-f", "json");
    ck_assert_str_eq(ran.out, "[\n {\"n\": 3}\n]\n");
    ran = run_with("SELECT count(*) AS n\nFROM run;\n", cmd_query,
                   (const char *[]){"thimble query", "-", "-f", "csv", NULL});
    ck_assert_str_eq(ran.out, "n\r\n2\r\n");
    ck_assert_int_eq(ran.status, 0);
    unsetenv("THIMBLE_DB");
    remove_database();
}
END

SUITE(command,
      a_number_is_the_whole_text_and_in_its_range,
      wrong_usage_is_one_line_and_status_2,
      help_is_one_screen_on_stdout,
      what_the_job_cannot_do_is_one_sentence_and_status_1,
      the_commands_print_what_is_in_the_database)
