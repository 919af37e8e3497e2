#define _GNU_SOURCE
#include "results/results.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "results/listing.h"
#include "results/runlock.h"
#include "results/tables.h"

#include "tests/suite.h"

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* --- a database of its own for every test */

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static int turn;
    char *p = path[turn++ % 4];
    if (!*dir) {
        strcpy(dir, "/tmp/thimble_results_XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(dir));
    }
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void clean(void)
{
    char *command = xasprintf("rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
    free(command);
    *dir = 0;
}

#define OK(call) ck_assert_msg((call) == 0, "%s", error_text())
#define REFUSED(call, words)                                                                       \
    do {                                                                                           \
        ck_assert_int_eq(call, -1);                                                                \
        ck_assert_msg(strstr(error_text(), words), "'%s' says nothing of '%s'", error_text(),      \
                      words);                                                                      \
    } while (0)

static Results *opened(const char *name, bool read_only)
{
    Results *r;
    OK(results_open(&r, in_dir(name), read_only));
    return r;
}

static int64_t new_run(Results *r, const char *name)
{
    int64_t run;
    RunRow row = {.name = name,
                  .target = "m4",
                  .space = "tiny",
                  .config = "a: 1\n",
                  .version = "0.1",
                  .latency_unit = "instructions",
                  .policy = "stream",
                  .seed = 7};
    OK(results_run_new(r, &row, &run));
    return run;
}

static CandidateRow candidate(int number, double accuracy, int64_t sram, int64_t flash)
{
    return (CandidateRow){.number = number,
                          .genotype = "w0.5 k3",
                          .hash = 0x8000000000000000u + (unsigned)number,
                          .state = "done",
                          .parent = {-1, -1},
                          .fitness = accuracy,
                          .accuracy = accuracy,
                          .test_accuracy = -1,
                          .int8_accuracy = -1,
                          .sram = sram,
                          .flash = flash,
                          .macs = 1000,
                          .latency = 10};
}

/* What was printed on a tmpfile(), which it closes. */
static char *printed(FILE *out)
{
    long size = ftell(out);
    ck_assert_int_ge(size, 0);
    char *text = xcalloc((size_t)size + 1, 1);
    rewind(out);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, out), (size_t)size);
    fclose(out);
    return text;
}

static char *query(Results *r, Format format, const char *sql)
{
    FILE *out = tmpfile();
    OK(results_query(r, sql, NULL, 0, format, out));
    return printed(out);
}

static int64_t number(Results *r, const char *sql)
{
    char *csv = query(r, FORMAT_CSV, sql), *line = strchr(csv, '\n');
    int64_t n = strtoll(line + 1, NULL, 10);
    free(csv);
    return n;
}

/* --- rows */

TEST(a_run_is_read_as_it_was_written)
{
    Results *r = opened("a.db", false);
    int64_t last;
    OK(results_run_last(r, &last));
    ck_assert_int_eq(last, 0);
    int64_t run = new_run(r, "first"), second = new_run(r, "second");
    OK(results_run_last(r, &last));
    ck_assert_int_eq(last, second);
    OK(results_run_set(r, run, "failed", NULL));
    OK(results_run_set(r, run, NULL, "search"));
    OK(results_run_add_seconds(r, run, 1.5));
    OK(results_run_add_seconds(r, run, 2));
    RunRow row;
    OK(results_run_get(r, run, &row));
    ck_assert_int_eq(row.id, run);
    ck_assert_str_eq(row.name, "first");
    ck_assert_str_eq(row.state, "failed");
    ck_assert_str_eq(row.phase, "search");
    ck_assert_str_eq(row.config, "a: 1\n");
    ck_assert_str_eq(row.target, "m4");
    ck_assert_str_eq(row.space, "tiny");
    ck_assert_str_eq(row.version, "0.1");
    ck_assert_str_eq(row.latency_unit, "instructions");
    ck_assert_str_eq(row.policy, "stream");
    ck_assert_str_eq(row.image, "inside"); /* as where nothing is said of it */
    ck_assert_uint_eq(strlen(row.started), strlen("2026-11-21 00:52:52"));
    ck_assert_int_eq(row.seed, 7);
    ck_assert_int_eq(row.winner, 0);
    ck_assert_double_eq(row.seconds, 3.5);
    results_run_release(&row);
    ck_assert_int_eq(results_run_get(r, 99, &row), 1);
    results_close(r);
    clean();
}
END

TEST(a_run_that_failed_says_why_until_it_runs_again)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    OK(results_run_fail(r, run, "the disk is full"));
    OK(results_run_add_seconds(r, run, 1));
    OK(results_run_set(r, run, NULL, "search"));
    ck_assert_int_eq(number(r, "SELECT state = 'failed' AND error = 'the disk is full' FROM run"),
                     1);
    OK(results_run_set(r, run, "running", NULL));
    ck_assert_int_eq(number(r, "SELECT error IS NULL FROM run"), 1);
    CandidateRow c = candidate(0, 0.5, 1, 1);
    OK(results_begin(r)); /* what failed in the middle of a transaction is said all the same */
    OK(results_candidate_put(r, run, &c));
    c.state = "sleeping";
    REFUSED(results_candidate_put(r, run, &c), "CHECK");
    OK(results_run_fail(r, run, error_text()));
    ck_assert_int_eq(number(r, "SELECT error LIKE '%CHECK%' FROM run"), 1);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM candidate"), 0);
    REFUSED(results_run_fail(r, 99, "x"), "no run 99");
    results_close(r);
    clean();
}
END

TEST(what_belongs_to_a_run_that_is_not_there_is_refused)
{
    Results *r = opened("a.db", false);
    CandidateRow c = candidate(0, 0.5, 1, 1);
    int64_t run = new_run(r, "x"), other = new_run(r, "y");
    REFUSED(results_run_set(r, 99, "done", NULL), "no run 99");
    REFUSED(results_run_add_seconds(r, 99, 1), "no run 99");
    REFUSED(results_run_lock(r, 99), "no run 99");
    REFUSED(results_candidate_put(r, 99, &c), "is not there");
    REFUSED(results_space_put(r, 99, &(SpaceRow){.width = 1}), "is not there");
    REFUSED(results_epoch_put(r, 99, &(EpochRow){.phase = "largest"}), "is not there");
    REFUSED(results_generation_put(r, 99, &(GenerationRow){0}), "is not there");
    REFUSED(results_blob_put(r, 99, "w", "", 0), "is not there");
    REFUSED(results_measurement_put(r, &(MeasurementRow){.candidate = 99}), "is not there");
    REFUSED(results_layers_put(r, 99, &(LayerRow){.op = "conv", .shape = "1"}, 1), "is not there");
    OK(results_candidate_put(r, run, &c));
    REFUSED(results_run_set_winner(r, other, c.id), "no run");
    REFUSED(results_run_set(r, run, "sleeping", NULL), "CHECK");
    REFUSED(results_run_new(r, &(RunRow){.image = "resident"}, &other), "CHECK");
    c.state = "sleeping";
    REFUSED(results_candidate_put(r, run, &c), "CHECK");
    results_close(r);
    clean();
}
END

static void same_candidate(const CandidateRow *a, const CandidateRow *b)
{
    ck_assert_int_eq(a->id, b->id);
    ck_assert_int_eq(a->number, b->number);
    ck_assert_str_eq(a->genotype, b->genotype);
    ck_assert_uint_eq(a->hash, b->hash);
    ck_assert_str_eq(a->state, b->state);
    ck_assert_int_eq(a->generation, b->generation);
    ck_assert_int_eq(a->parent[0], b->parent[0]);
    ck_assert_int_eq(a->parent[1], b->parent[1]);
    ck_assert_double_eq(a->fitness, b->fitness);
    ck_assert_double_eq(a->accuracy, b->accuracy);
    ck_assert_double_eq(a->test_accuracy, b->test_accuracy);
    ck_assert_double_eq(a->int8_accuracy, b->int8_accuracy);
    ck_assert_int_eq(a->sram, b->sram);
    ck_assert_int_eq(a->flash, b->flash);
    ck_assert_int_eq(a->macs, b->macs);
    ck_assert_double_eq(a->latency, b->latency);
}

TEST(a_candidate_is_found_by_hash_by_number_and_by_id)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x"), other = new_run(r, "y"), owner;
    CandidateRow c = candidate(3, 1.0 / 3, 23456, 100), found;
    c.hash = 0xfedcba9876543210u; /* beyond what a signed 64-bit number holds */
    c.parent[0] = 1, c.generation = 2, c.macs = 5000000000, c.latency = 0.1;
    OK(results_candidate_put(r, run, &c));
    OK(results_candidate_by_hash(r, run, c.hash, &found));
    same_candidate(&c, &found);
    results_candidate_release(&found);
    OK(results_candidate_by_number(r, run, 3, &found));
    same_candidate(&c, &found);
    results_candidate_release(&found);
    OK(results_candidate_get(r, c.id, &found, &owner));
    same_candidate(&c, &found);
    ck_assert_int_eq(owner, run);
    results_candidate_release(&found);
    ck_assert_int_eq(results_candidate_by_hash(r, other, c.hash, &found), 1);
    ck_assert_int_eq(results_candidate_by_number(r, run, 4, &found), 1);
    ck_assert_int_eq(results_candidate_get(r, c.id + 1, &found, &owner), 1);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM candidate WHERE hash = 'fedcba9876543210'"),
                     1);
    results_close(r);
    clean();
}
END

TEST(putting_a_candidate_again_updates_it_and_forgets_nothing_known)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x"), other = new_run(r, "y");
    CandidateRow c = candidate(0, -1, 10, 20), found;
    c.state = "running";
    OK(results_candidate_put(r, run, &c));
    int64_t id = c.id;
    c.state = "done", c.accuracy = c.fitness = 0.75, c.id = 0;
    OK(results_candidate_put(r, run, &c));
    ck_assert_int_eq(c.id, id);
    c.accuracy = c.fitness = -1, c.int8_accuracy = 0.5;
    OK(results_candidate_put(r, run, &c));
    OK(results_candidate_get(r, id, &found, NULL));
    c.accuracy = c.fitness = 0.75;
    same_candidate(&c, &found);
    results_candidate_release(&found);
    OK(results_candidate_put(r, other, &c)); /* the same network in another run is another row */
    ck_assert_int_ne(c.id, id);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM candidate"), 2);
    CandidateRow thief = candidate(0, 0.5, 1, 1);
    thief.hash = 5; /* two networks cannot both be number 0 */
    REFUSED(results_candidate_put(r, run, &thief), "UNIQUE");
    results_close(r);
    clean();
}
END

TEST(the_best_is_the_winner_or_the_fittest_so_far)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    CandidateRow best,
        rows[] = {candidate(0, 0.5, 1, 1), candidate(1, 0.9, 1, 1), candidate(2, 0.9, 1, 1),
                  candidate(3, 0.99, 1, 1), candidate(4, 0.7, 1, 1)};
    ck_assert_int_eq(results_candidate_best(r, run, &best), 1);
    rows[3].state = "failed";
    for (int i = 0; i < 5; i++)
        OK(results_candidate_put(r, run, &rows[i]));
    OK(results_candidate_best(r, run, &best));
    ck_assert_int_eq(best.number, 1); /* born before its equal */
    results_candidate_release(&best);
    OK(results_run_set_winner(r, run, rows[4].id));
    OK(results_candidate_best(r, run, &best));
    ck_assert_int_eq(best.number, 4);
    results_candidate_release(&best);
    results_close(r);
    clean();
}
END

TEST(spaces_epochs_generations_and_layers_replace_their_like)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    double cdf[] = {1, 2.5, 1e9 / 3};
    SpaceRow space = {.width = 0.3,
                      .h = 64,
                      .w = 48,
                      .samples = 10,
                      .feasible = 4,
                      .mean_macs = 1e6,
                      .cdf = cdf,
                      .n_cdf = 3};
    OK(results_space_put(r, run, &space));
    space.chosen = true;
    OK(results_space_put(r, run, &space));
    char *json = query(r, FORMAT_JSON, "SELECT width, h, w, feasible, cdf, chosen FROM space");
    ck_assert_str_eq(json, "[\n {\"width\": 0.3, \"h\": 64, \"w\": 48, \"feasible\": 4, \"cdf\": "
                           "\"[1,2.5,333333333.333333]\", \"chosen\": 1}\n]\n");
    free(json);
    EpochRow epoch = {.phase = "largest",
                      .epoch = 1,
                      .loss = 2,
                      .train_accuracy = 0.5,
                      .valid_accuracy = -1,
                      .rate = 0.1,
                      .seconds = 3};
    OK(results_epoch_put(r, run, &epoch));
    epoch.loss = 0.0 / 0.0; /* training may diverge */
    OK(results_epoch_put(r, run, &epoch));
    json = query(r, FORMAT_JSON, "SELECT epoch, loss, train_accuracy, valid_accuracy FROM epoch");
    ck_assert_str_eq(json, "[\n {\"epoch\": 1, \"loss\": null, \"train_accuracy\": 0.5, "
                           "\"valid_accuracy\": null}\n]\n");
    free(json);
    GenerationRow generation = {0, 5, 50, 20, 0.5, 0.25, -1, -1, 3, 1.5};
    OK(results_generation_put(r, run, &generation));
    generation = (GenerationRow){0, 5, 50, 20, 0.75, 0.25, 3, 0.625, 2, 0.25}; /* after a kill */
    OK(results_generation_put(r, run, &generation));
    char *csv = query(r, FORMAT_CSV, "SELECT * FROM generation");
    ck_assert_str_eq(csv, "run,generation,evaluated,drawn,fitting,best,median,front,hypervolume,"
                          "scored,seconds\r\n1,0,5,50,20,0.75,0.25,3,0.625,5,1.75\r\n");
    free(csv);
    int evaluated;
    double seconds;
    generation = (GenerationRow){1, 9, 90, 30, 0.75, 0.25, 3, 0.625, 4, 0.5};
    OK(results_generation_put(r, run, &generation));
    OK(results_generation_sum(r, run, &evaluated, &seconds));
    ck_assert_int_eq(evaluated, 9);
    ck_assert_double_eq(seconds, 2.25);
    OK(results_generation_sum(r, run + 1, &evaluated, &seconds)); /* of nothing */
    ck_assert(evaluated == 0 && seconds == 0);
    CandidateRow c = candidate(0, 0.5, 1, 1);
    OK(results_candidate_put(r, run, &c));
    LayerRow layers[] = {{.index = 0, .op = "conv", .shape = "8x8x4", .measured = -1},
                         {.index = 1, .op = "add", .shape = "8x8x4", .live = 7, .measured = 2}};
    OK(results_layers_put(r, c.id, layers, 2));
    OK(results_layers_put(r, c.id, layers, 2));
    ck_assert_int_eq(number(r, "SELECT count(*) FROM layer"), 2);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM layer WHERE measured IS NULL"), 1);
    ck_assert_int_eq(number(r, "SELECT sum(measured) = 2 AND max(live) = 7 FROM layer"
                               " GROUP BY candidate, segment"), 1);
    LayerRow twice[] = {{.index = 0, .op = "pool", .shape = "1"},
                        {.index = 0, .op = "pool", .shape = "1"}};
    REFUSED(results_layers_put(r, c.id, twice, 2), "UNIQUE");
    ck_assert_int_eq(number(r, "SELECT count(*) FROM layer WHERE op <> 'pool'"), 2); /* as before */
    results_close(r);
    clean();
}
END

TEST(measurements_and_calibrations_are_kept_one_after_the_other)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    CandidateRow c = candidate(0, 0.5, 1, 1);
    OK(results_candidate_put(r, run, &c));
    MeasurementRow m = {.candidate = c.id,
                        .source = "host",
                        .policy = "stream",
                        .instructions = -1,
                        .arena = 5,
                        .stack = -1,
                        .flash = -1,
                        .n_inputs = 3,
                        .n_equal = 3,
                        .predicted_arena = 5,
                        .predicted_flash = -1,
                        .predicted_stack = 0,
                        .predicted_latency = -1};
    OK(results_measurement_put(r, &m));
    OK(results_measurement_put(r, &m));
    ck_assert_int_eq(
        number(r, "SELECT count(*) FROM measurement WHERE instructions IS NULL AND arena = 5"
                  " AND predicted_arena = 5 AND predicted_flash IS NULL AND predicted_stack = 0"
                  " AND predicted_latency IS NULL"),
        2);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM measured"), 1);
    ck_assert_int_eq(number(r, "SELECT id FROM measured"), 2);
    m.policy = "inplace";
    OK(results_measurement_put(r, &m));
    m.policy = "stream", m.source = "board";
    OK(results_measurement_put(r, &m));
    m.image = "outside";
    OK(results_measurement_put(r, &m));
    ck_assert_int_eq(number(r, "SELECT count(*) FROM measured"), 4);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM measured WHERE image = 'inside'"), 3);
    CalibrationRow cal = {
        .target = "m4", .unit = "instructions", .coefficients = "1 2", .error = 0.02};
    OK(results_calibration_put(r, &cal));
    OK(results_calibration_put(r, &cal));
    ck_assert_int_eq(number(r, "SELECT count(*) FROM calibration WHERE error = 0.02"), 2);
    results_close(r);
    clean();
}
END

TEST(blobs_come_back_byte_for_byte)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    Rng rng = rng_make(1, 0);
    static unsigned char data[3000000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)rng_next(&rng);
    size_t sizes[] = {0, 1, 4096, sizeof data}, size;
    for (int i = 0; i < 4; i++) {
        void *back;
        OK(results_blob_put(r, run, "weights", data, sizes[i])); /* replaces */
        OK(results_blob_get(r, run, "weights", &back, &size));
        ck_assert_uint_eq(size, sizes[i]);
        ck_assert(memcmp(back, data, size) == 0);
        free(back);
    }
    void *none;
    ck_assert_int_eq(results_blob_get(r, run, "other", &none, &size), 1);
    OK(results_blob_delete(r, run, "weights"));
    OK(results_blob_delete(r, run, "weights"));
    ck_assert_int_eq(results_blob_get(r, run, "weights", &none, &size), 1);
    results_close(r);
    clean();
}
END

TEST(several_writes_are_one_or_none)
{
    Results *r = opened("a.db", false), *reader;
    int64_t run = new_run(r, "x");
    OK(results_open(&reader, in_dir("a.db"), true));
    OK(results_begin(r));
    for (int i = 0; i < 3; i++) {
        CandidateRow c = candidate(i, 0.5, 1, 1);
        OK(results_candidate_put(r, run, &c));
    }
    ck_assert_int_eq(number(reader, "SELECT count(*) FROM candidate"), 0);
    OK(results_commit(r));
    ck_assert_int_eq(number(reader, "SELECT count(*) FROM candidate"), 3);

    OK(results_begin(r));
    CandidateRow good = candidate(3, 0.5, 1, 1), bad = candidate(4, 0.5, 1, 1);
    bad.state = "nonsense";
    OK(results_candidate_put(r, run, &good));
    REFUSED(results_candidate_put(r, run, &bad), "CHECK");
    bad.state = "done";
    REFUSED(results_candidate_put(r, run, &bad), "CHECK"); /* too late */
    REFUSED(results_commit(r), "CHECK");
    ck_assert_int_eq(number(r, "SELECT count(*) FROM candidate"), 3);

    OK(results_begin(r)); /* and then it works again */
    OK(results_candidate_put(r, run, &bad));
    results_rollback(r);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM candidate"), 3);
    OK(results_candidate_put(r, run, &bad));
    ck_assert_int_eq(number(reader, "SELECT count(*) FROM candidate"), 4);
    results_close(reader);
    results_close(r);
    clean();
}
END

/* --- processes */

static int wait_for(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* Writes until it is killed; tells through the pipe how many candidates are committed. */
static void write_for_ever(int64_t run, int first, int tell)
{
    Results *r;
    static char weights[50000];
    if (results_open(&r, in_dir("kill.db"), false) != 0)
        _exit(3);
    for (int i = first;; i++) {
        CandidateRow c = candidate(i, 0.5, i, i);
        memset(weights, i, sizeof weights);
        if (results_begin(r) != 0 || results_candidate_put(r, run, &c) != 0 ||
            results_blob_put(r, run, "weights", weights, sizeof weights) != 0 ||
            results_commit(r) != 0)
            _exit(4);
        if (write(tell, &i, sizeof i) != sizeof i)
            _exit(5);
    }
}

TEST(a_writer_killed_at_any_moment_leaves_all_it_committed)
{
    Results *r = opened("kill.db", false);
    int64_t run = new_run(r, "x");
    results_close(r);
    Rng rng = rng_make(4, 0);
    int committed = -1;
    for (int round = 0; round < 20; round++) {
        int ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            write_for_ever(run, committed + 1, ends[1]);
        close(ends[1]);
        int last, got = (int)read(ends[0], &last, sizeof last);
        ck_assert_int_eq(got, sizeof last);
        usleep(rng_below(&rng, 8000));
        kill(child, SIGKILL);
        int status = wait_for(child);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        for (committed = last; read(ends[0], &last, sizeof last) == sizeof last;)
            committed = last;
        close(ends[0]);

        r = opened("kill.db", false);
        char *check = query(r, FORMAT_CSV, "PRAGMA integrity_check");
        ck_assert_str_eq(check, "integrity_check\r\nok\r\n");
        free(check);
        int64_t there = number(r, "SELECT count(*) FROM candidate");
        /* killed between commit and the message there may be one more */
        ck_assert_msg(there == committed + 1 || there == committed + 2, "%d told, %d there",
                      committed + 1, (int)there);
        committed = (int)there - 1;
        char *blob;
        size_t size;
        OK(results_blob_get(r, run, "weights", (void **)&blob, &size));
        ck_assert_uint_eq(size, 50000); /* of the same transaction as the last candidate */
        ck_assert_int_eq(blob[0], (char)committed);
        ck_assert_int_eq(blob[size - 1], (char)committed);
        free(blob);
        results_close(r);
    }
    clean();
}
END

TEST(a_reader_in_another_process_does_not_wait_for_a_writer)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    OK(results_begin(r));
    OK(results_run_set(r, run, "done", NULL));
    pid_t child = fork();
    if (child == 0) {
        Results *reader;
        double start = clock_seconds();
        RunRow row;
        bool ok = results_open(&reader, in_dir("a.db"), true) == 0 &&
                  results_run_get(reader, run, &row) == 0 && strcmp(row.state, "running") == 0 &&
                  clock_seconds() - start < 2;
        _exit(ok ? 0 : 1);
    }
    ck_assert_int_eq(wait_for(child), 0);
    OK(results_commit(r));
    results_close(r);
    clean();
}
END

TEST(an_open_reader_does_not_stop_a_writer)
{
    Results *r = opened("a.db", false), *reader = opened("a.db", false);
    int64_t run = new_run(r, "x");
    sqlite3 *raw;
    ck_assert_int_eq(sqlite3_open(in_dir("a.db"), &raw), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(raw, "BEGIN; SELECT count(*) FROM run", NULL, NULL, NULL),
                     SQLITE_OK);
    double start = clock_seconds();
    OK(results_run_set(r, run, "done", NULL));
    ck_assert_double_lt(clock_seconds() - start, 2);
    sqlite3_close(raw);
    results_close(reader);
    results_close(r);
    clean();
}
END

/* Each child opens the database, which may not exist yet, and adds its candidates. */
TEST(many_writers_wait_for_each_other)
{
    enum { WRITERS = 6, EACH = 40 };
    pid_t child[WRITERS];
    in_dir("many.db"); /* one folder for all of them */
    for (int i = 0; i < WRITERS; i++)
        if ((child[i] = fork()) == 0) {
            Results *r;
            int64_t run;
            if (results_open(&r, in_dir("many.db"), false) != 0 ||
                results_run_new(r, &(RunRow){.name = "x"}, &run) != 0)
                fprintf(stderr, "%s\n", error_text()), _exit(1);
            for (int k = 0; k < EACH; k++) {
                CandidateRow c = candidate(k, 0.5, 1, 1);
                if (results_begin(r) != 0 || results_candidate_put(r, run, &c) != 0)
                    fprintf(stderr, "%s\n", error_text()), _exit(1);
                usleep(k % 8 == 0 ? 1000 : 0); /* holding the lock */
                if (results_commit(r) != 0)
                    fprintf(stderr, "%s\n", error_text()), _exit(1);
            }
            results_close(r);
            _exit(0);
        }
    for (int i = 0; i < WRITERS; i++)
        ck_assert_int_eq(wait_for(child[i]), 0);
    Results *r = opened("many.db", true);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM run"), WRITERS);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM candidate"), WRITERS * EACH);
    results_close(r);
    clean();
}
END

/* --- the lock */

TEST(a_run_is_worked_on_by_one_process)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x"), other = new_run(r, "y");
    OK(results_run_lock(r, run));
    OK(results_run_lock(r, run)); /* we have it */
    pid_t child = fork();
    if (child == 0) {
        Results *mine;
        char pid[32];
        snprintf(pid, sizeof pid, "process %d ", (int)getppid());
        bool ok = results_open(&mine, in_dir("a.db"), false) == 0 &&
                  results_run_lock(mine, run) == -1 && strstr(error_text(), pid) &&
                  results_run_lock(mine, other) == 0 &&
                  results_run_unlock(mine, run) == 0 && /* not his to give back */
                  results_run_lock(mine, run) == -1;
        _exit(ok ? 0 : 1);
    }
    ck_assert_int_eq(wait_for(child), 0);
    OK(results_run_lock(r, other)); /* its holder has ended without giving it back */
    OK(results_run_unlock(r, run));
    ck_assert_int_eq(number(r, "SELECT count(*) FROM run WHERE lock_pid IS NULL"), 1);
    results_close(r);
    clean();
}
END

TEST(the_lock_of_a_killed_process_is_taken_over_before_anyone_waited_for_it)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        Results *mine;
        char ok =
            results_open(&mine, in_dir("a.db"), false) == 0 && results_run_lock(mine, run) == 0;
        if (write(ends[1], &ok, 1) != 1)
            _exit(1);
        pause();
    }
    char ok = 0;
    ck_assert_int_eq(read(ends[0], &ok, 1), 1);
    ck_assert_int_eq(ok, 1);
    REFUSED(results_run_lock(r, run), "is working on run");
    kill(child, SIGKILL);
    siginfo_t info; /* leaves it a zombie */
    ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    OK(results_run_lock(r, run));
    wait_for(child);
    results_close(r);
    clean();
}
END

TEST(of_many_that_come_at_once_one_gets_the_lock)
{
    Results *r = opened("a.db", false);
    for (int round = 0; round < 5; round++) {
        enum { N = 6 };
        int64_t run = new_run(r, "x");
        int go[2], done[2], winners = 0;
        char byte = 0;
        pid_t child[N];
        ck_assert(pipe(go) == 0 && pipe(done) == 0);
        for (int i = 0; i < N; i++)
            if ((child[i] = fork()) == 0) {
                Results *mine;
                close(go[1]);
                if (results_open(&mine, in_dir("a.db"), false) != 0 || read(go[0], &byte, 1) != 0)
                    _exit(9);
                byte = results_run_lock(mine, run) == 0        ? 1
                       : strstr(error_text(), "is working on") ? 0
                                                               : 9;
                if (write(done[1], &byte, 1) != 1)
                    _exit(9);
                pause(); /* alive until all have tried */
            }
        close(go[1]);
        for (int i = 0; i < N; i++) {
            ck_assert_int_eq(read(done[0], &byte, 1), 1);
            ck_assert_int_le(byte, 1);
            winners += byte;
        }
        for (int i = 0; i < N; i++) {
            kill(child[i], SIGKILL);
            wait_for(child[i]);
        }
        ck_assert_int_eq(winners, 1);
        close(go[0]), close(done[0]), close(done[1]);
    }
    results_close(r);
    clean();
}
END

TEST(a_pid_that_came_again_and_a_host_that_is_elsewhere)
{
    Holder me = holder_self(), reborn = me, elsewhere = me;
    ck_assert_int_gt(me.start, 0);
    ck_assert(holder_lives(&me));
    reborn.start--;
    ck_assert(!holder_lives(&reborn));
    snprintf(elsewhere.host, sizeof elsewhere.host, "not-%.200s", me.host);
    ck_assert(holder_lives(&elsewhere)); /* nobody here can tell */
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    sqlite3 *raw;
    ck_assert_int_eq(sqlite3_open(in_dir("a.db"), &raw), SQLITE_OK);
    sqlite3_exec(raw, "UPDATE run SET lock_pid = 5, lock_start = 6, lock_host = 'far.example'", 0,
                 0, 0);
    REFUSED(results_run_lock(r, run), "far.example");
    sqlite3_close(raw);
    results_close(r);
    clean();
}
END

/* --- files */

static void make_file(const char *name, const void *data, size_t size)
{
    OK(file_write(in_dir(name), data, size));
}

static void make_database(const char *name, const char *sql)
{
    sqlite3 *raw;
    ck_assert_int_eq(sqlite3_open(in_dir(name), &raw), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(raw);
}

/* Refused for reading and for writing, with a sentence that names the file, and untouched. */
static void stays_out(const char *name, const char *words)
{
    char *path = xstrdup(in_dir(name));
    size_t before, after;
    char *old = file_is_dir(path) ? NULL : file_read(path, &before);
    for (int read_only = 0; read_only < 2; read_only++) {
        Results *r;
        REFUSED(results_open(&r, path, read_only), words);
        ck_assert_ptr_null(r);
        ck_assert_msg(strstr(error_text(), path), "'%s' does not name %s", error_text(), path);
    }
    if (old) {
        char *now = file_read(path, &after);
        ck_assert_uint_eq(before, after);
        ck_assert(memcmp(old, now, before) == 0);
        free(now);
    }
    free(old);
    free(path);
}

TEST(wrong_files_are_named_and_left_alone)
{
    make_file("text.db",
              "this is no database, but it is long enough to be looked at as one ........"
              "..........................................................",
              130);
    stays_out("text.db", "not an SQLite database");
    make_database("other.db", "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    stays_out("other.db", "not one of thimble's");
    make_database("foreign.db", "PRAGMA application_id = 99");
    stays_out("foreign.db", "not one of thimble's");
    make_database("newer.db", "PRAGMA application_id = 0x74686d62; PRAGMA user_version = 1000");
    stays_out("newer.db", "newer thimble");
    stays_out(".", "is a folder");
    Results *r;
    REFUSED(results_open(&r, in_dir("no/such/x.db"), false), "there is no folder");
    REFUSED(results_open(&r, in_dir("none.db"), true), "there is no database");
    ck_assert(!file_exists(in_dir("none.db")));
    REFUSED(results_open(&r, "/dev/null", false), "is not a file");
    make_file("empty.db", "", 0);
    REFUSED(results_open(&r, in_dir("empty.db"), true), "is empty");
    clean();
}
END

TEST(a_damaged_database_is_an_error_and_no_crash)
{
    Results *r = opened("whole.db", false);
    int64_t run = new_run(r, "x");
    for (int i = 0; i < 200; i++) {
        CandidateRow c = candidate(i, 0.5, i, i);
        OK(results_candidate_put(r, run, &c));
    }
    results_close(r);
    size_t size;
    char *whole = file_read(in_dir("whole.db"), &size);
    Rng rng = rng_make(9, 0);
    int refused = 0;
    for (int round = 0; round < 100; round++) {
        char *broken = xmalloc(size);
        memcpy(broken, whole, size);
        for (int i = 0; i < 200; i++)
            broken[100 + rng_below(&rng, (uint32_t)size - 100)] = (char)rng_next(&rng);
        size_t kept = round % 2 ? size : size / 4096 / 2 * 4096;
        make_file("broken.db", broken, kept);
        free(broken);
        if (results_open(&r, in_dir("broken.db"), true) != 0) {
            refused++;
            continue;
        }
        FILE *nowhere = fopen("/dev/null", "w");
        RunRow row;
        CandidateRow c;
        refused += listing_runs(r, FORMAT_TABLE, nowhere) != 0;
        listing_pareto(r, run, 0, FORMAT_JSON, nowhere);
        listing_run(r, run, nowhere);
        if (results_run_get(r, run, &row) == 0)
            results_run_release(&row);
        if (results_candidate_by_number(r, run, 100, &c) == 0)
            results_candidate_release(&c);
        fclose(nowhere);
        results_close(r);
    }
    ck_assert_int_gt(refused, 0);
    free(whole);
    clean();
}
END

/* As another user when we are root, whom no permission stops. */
static int without_privileges(int (*f)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(77);
        _exit(f());
    }
    return WEXITSTATUS(wait_for(child));
}

static int read_only_file(void)
{
    Results *r;
    int bad = results_open(&r, in_dir("a.db"), false) != -1 ||
              !strstr(error_text(), "cannot write") || !strstr(error_text(), in_dir("a.db"));
    if (results_open(&r, in_dir("a.db"), true) != 0) {
        fprintf(stderr, "%s\n", error_text());
        return 2;
    }
    bad |= number(r, "SELECT count(*) FROM run") != 1;
    results_close(r);
    bad |= results_open(&r, in_dir("new.db"), false) != -1 || !strstr(error_text(), "cannot make");
    return bad;
}

static int unreadable_file(void)
{
    Results *r;
    return results_open(&r, in_dir("a.db"), true) != -1 || !strstr(error_text(), "cannot read");
}

TEST(what_cannot_be_written_can_still_be_read)
{
    Results *r = opened("a.db", false);
    new_run(r, "x");
    results_close(r);
    ck_assert_int_eq(chmod(in_dir("a.db"), 0444), 0);
    ck_assert_int_eq(chmod(dir, 0555), 0); /* nor can a -shm be made beside it */
    ck_assert_int_eq(without_privileges(read_only_file), 0);
    ck_assert_int_eq(chmod(in_dir("a.db"), 0200), 0);
    ck_assert_int_eq(without_privileges(unreadable_file), 0);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    clean();
}
END

/* --- databases of older versions */

/* As the first version made and filled it: a run planned for a board with one policy, measured
 * there, there with another policy, and on another board. Maybe an update to a later one. */
static void make_version(int version, const char *name)
{
    Results r = {.path = xstrdup(in_dir(name))};
    ck_assert_int_eq(sqlite3_open(r.path, &r.db), SQLITE_OK);
    OK(tables_take_steps(&r, 0, 1));
    OK(store_exec(
        &r, "PRAGMA journal_mode = WAL;"
            "INSERT INTO run (name, state, phase, config, target, space, version, latency_unit,"
            " policy, seed, seconds) VALUES ('old', 'done', 'done', 'a: 1', 'cortex-m7', 'tiny',"
            " '0.1', 'instructions', 'inplace', 7, 1);"
            "INSERT INTO candidate (run, number, genotype, hash, state, generation, fitness,"
            " accuracy, sram, flash, macs, latency)"
            " VALUES (1, 0, 'g', '0123456789abcdef', 'done', 0, 0.5, 0.75, 100, 200, 300, 400);"
            "INSERT INTO measurement (candidate, source, policy, instructions, arena, stack, flash)"
            " VALUES (1, 'qemu:cortex-m7', 'inplace', 440, 100, 5, 190),"
            "        (1, 'qemu:cortex-m7', 'layerwise', 450, 120, 5, 180),"
            "        (1, 'qemu:cortex-m4', 'inplace', 500, 100, 5, 170);"
            "INSERT INTO generation VALUES (1, 0, 5, 50, 20, 0.5, 0.25);"
            "INSERT INTO layer VALUES (1, 0, 'conv', '2x2x2', 1, 2, 3, 4, 5, 100, 7, 8),"
            "                         (1, 1, 'add', '2x2x2', 1, 2, 3, 4, 5, 60, NULL, 9);"));
    OK(tables_take_steps(&r, 1, version));
    sqlite3_close(r.db);
    free(r.path);
}

static void is_whole(Results *r)
{
    ck_assert_int_eq(number(r, "PRAGMA user_version"), 6);
    char *text = query(r, FORMAT_CSV, "SELECT predicted_arena AS a, predicted_flash AS f,"
                                      " predicted_stack AS s, predicted_latency AS l"
                                      " FROM measured ORDER BY id");
    ck_assert_str_eq(text, "a,f,s,l\r\n100,200,,400\r\n,,,\r\n100,,,\r\n");
    free(text);
    text = query(r, FORMAT_CSV, "SELECT number, segment, live, measured FROM layer");
    ck_assert_str_eq(text, "number,segment,live,measured\r\n0,0,100,8\r\n1,1,60,9\r\n");
    free(text);
    text = query(r, FORMAT_CSV, "SELECT DISTINCT f.image, m.image FROM feasible AS f, measured AS m");
    ck_assert_str_eq(text, "image,image\r\ninside,inside\r\n");
    free(text);
    text = query(r, FORMAT_CSV, "SELECT best, median, front, hypervolume FROM generation");
    ck_assert_str_eq(text, "best,median,front,hypervolume\r\n0.5,0.25,,\r\n");
    free(text);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM best, pareto WHERE best.id = pareto.id"), 1);
    ck_assert_int_eq(number(r, "SELECT count(*) FROM run WHERE error IS NULL AND supernet IS NULL"), 1);
    text = query(r, FORMAT_CSV, "PRAGMA integrity_check");
    ck_assert_str_eq(text, "integrity_check\r\nok\r\n");
    free(text);
}

TEST(a_database_of_any_version_is_brought_up_to_date_by_writer_and_reader)
{
    for (int i = 0; i < 12; i++) {
        const char *names[] = {"write1.db", "read1.db",  "write2.db", "read2.db",
                               "write3.db", "read3.db",  "write4.db", "read4.db",
                               "write5.db", "read5.db", "write.db",  "read.db"};
        const char *name = names[i];
        bool read_only = i % 2;
        make_version(1 + i / 2, name);
        Results *r = opened(name, read_only);
        is_whole(r);
        if (read_only)
            REFUSED(results_run_set(r, 1, "failed", NULL), "cannot be written");
        else
            OK(results_run_fail(r, 1, "once more"));
        results_close(r);
        r = opened(name, false);
        OK(results_run_set(r, 1, "done", NULL));
        is_whole(r);
        results_close(r);
    }
    clean();
}
END

/* Two processes come at once; both find it whole. */
TEST(an_old_database_that_two_open_is_updated_once)
{
    for (int round = 0; round < 10; round++) {
        make_version(1 + round % 5, "both.db");
        pid_t child[2];
        for (int i = 0; i < 2; i++) {
            fflush(NULL);
            child[i] = fork();
            if (child[i] == 0) {
                Results *r;
                if (results_open(&r, in_dir("both.db"), true) != 0) {
                    fprintf(stderr, "%s\n", error_text());
                    _exit(1);
                }
                is_whole(r);
                results_close(r);
                _exit(0);
            }
        }
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(wait_for(child[i]), 0);
        clean();
    }
}
END

static int old_and_read_only(void)
{
    Results *r;
    const char *says = "cannot be updated before it is read: ";
    return results_open(&r, in_dir("old.db"), true) != -1 || !strstr(error_text(), says) ||
           !strstr(error_text(), in_dir("old.db")) || !strstr(error_text(), "copy it");
}

TEST(an_old_database_that_cannot_be_written_says_what_to_do)
{
    make_version(1, "old.db");
    ck_assert_int_eq(chmod(in_dir("old.db"), 0444), 0);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_int_eq(without_privileges(old_and_read_only), 0);
    ck_assert_int_eq(chmod(in_dir("old.db"), 0666), 0); /* but nothing can be made beside it */
    ck_assert_int_eq(chmod(dir, 0555), 0);
    ck_assert_int_eq(without_privileges(old_and_read_only), 0);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    clean();
}
END

TEST(an_empty_database_becomes_ours_and_an_opened_one_stays)
{
    make_file("a.db", "", 0);
    make_database("b.db", "PRAGMA application_id = 0x74686d62"); /* ours, before its first step */
    const char *names[] = {"a.db", "b.db"};
    for (int i = 0; i < 2; i++) {
        Results *r = opened(names[i], false);
        ck_assert_int_eq(number(r, "PRAGMA user_version"), 6);
        ck_assert_int_eq(number(r, "PRAGMA application_id"), 0x74686d62);
        ck_assert_int_eq(number(r, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 9);
        ck_assert_int_eq(
            number(r, "SELECT sum(strict) = 9 FROM pragma_table_list WHERE schema = 'main'"
                      " AND type = 'table' AND name NOT LIKE 'sqlite%'"),
            1);
        new_run(r, "x");
        results_close(r);
        r = opened(names[i], false);
        ck_assert_int_eq(number(r, "SELECT count(*) FROM run"), 1);
        results_close(r);
        sqlite3 *raw;
        sqlite3_stmt *s;
        sqlite3_open(in_dir(names[i]), &raw);
        sqlite3_prepare_v2(raw, "PRAGMA journal_mode", -1, &s, NULL);
        ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
        ck_assert_str_eq((const char *)sqlite3_column_text(s, 0), "wal");
        sqlite3_finalize(s);
        sqlite3_close(raw);
    }
    clean();
}
END

/* --- views */

enum { ALL_COSTS = 1 << SORT_SRAM | 1 << SORT_FLASH | 1 << SORT_MACS | 1 << SORT_LATENCY };

static double cost(const CandidateRow *c, Sort which)
{
    double costs[] = {[SORT_SRAM] = (double)c->sram, [SORT_FLASH] = (double)c->flash,
                      [SORT_MACS] = (double)c->macs, [SORT_LATENCY] = c->latency};
    return costs[which];
}

static bool dominates(const CandidateRow *a, const CandidateRow *b, unsigned costs)
{
    bool no_worse = a->accuracy >= b->accuracy, better = a->accuracy > b->accuracy;
    for (int k = SORT_SRAM; k <= SORT_LATENCY; k++)
        if (costs & 1U << k) {
            no_worse = no_worse && cost(a, k) <= cost(b, k);
            better = better || cost(a, k) < cost(b, k);
        }
    return no_worse && better;
}

static bool counts(const CandidateRow *c)
{
    return strcmp(c->state, "done") == 0 && c->accuracy >= 0;
}

static bool in_front(const CandidateRow *all, int n, int i, unsigned costs)
{
    bool beaten = !counts(&all[i]);
    for (int k = 0; k < n && !beaten; k++)
        beaten = counts(&all[k]) && dominates(&all[k], &all[i], costs);
    return !beaten;
}

/* Lines that begin with a number, all of them in the front. */
static int listed_front(Results *r, int64_t run, const CandidateRow *all, int n, unsigned costs)
{
    FILE *out = tmpfile();
    OK(listing_pareto(r, run, costs, FORMAT_CSV, out));
    char *text = printed(out), *line = text;
    int lines = 0;
    for (; (line = strstr(line, "\n")) && line[1]; lines++)
        ck_assert(in_front(all, n, atoi(++line), costs ? costs : ALL_COSTS));
    free(text);
    return lines;
}

TEST(costs_are_named_by_words)
{
    unsigned costs;
    OK(costs_parse("sram, macs", &costs));
    ck_assert_uint_eq(costs, 1 << SORT_SRAM | 1 << SORT_MACS);
    OK(costs_parse("latency,flash", &costs));
    ck_assert_uint_eq(costs, 1 << SORT_LATENCY | 1 << SORT_FLASH);
    REFUSED(costs_parse("sram,number", &costs), "'number' is no cost");
    REFUSED(costs_parse("accuracy", &costs), "'accuracy' is no cost");
    REFUSED(costs_parse(" ", &costs), "which costs?");
}
END

TEST(the_front_is_what_nothing_dominates)
{
    enum { N = 120 };
    Results *r = opened("a.db", false);
    Rng rng = rng_make(5, 0);
    for (int round = 0; round < 6; round++) {
        int64_t run = new_run(r, "x");
        CandidateRow c[N];
        uint32_t range = round % 2 ? 6 : 1000; /* many equal, few equal */
        OK(results_begin(r));
        for (int i = 0; i < N; i++) {
            c[i] = candidate(i, rng_below(&rng, range) / 1000.0, rng_below(&rng, range),
                             rng_below(&rng, range));
            c[i].macs = rng_below(&rng, range);
            c[i].latency = round < 4 ? 0 : rng_below(&rng, range);
            c[i].state = i % 10 == 3 ? "failed" : i % 10 == 4 ? "running" : "done";
            c[i].accuracy = i % 10 == 5 ? -1 : c[i].accuracy; /* not known */
            OK(results_candidate_put(r, run, &c[i]));
        }
        OK(results_commit(r));
        int front = 0;
        for (int i = 0; i < N; i++) {
            bool is_in_front = in_front(c, N, i, ALL_COSTS);
            char sql[128];
            snprintf(sql, sizeof sql, "SELECT count(*) FROM pareto WHERE run = %d AND number = %d",
                     (int)run, i);
            ck_assert_int_eq(number(r, sql), is_in_front);
            front += is_in_front;
        }
        ck_assert_int_gt(front, 0);
        ck_assert_int_lt(front, N);
        ck_assert_int_eq(listed_front(r, run, c, N, 0), front);
        for (unsigned costs = 1 << SORT_SRAM; costs <= ALL_COSTS; costs += 1 << SORT_SRAM) {
            int slow = 0;
            for (int i = 0; i < N; i++)
                slow += in_front(c, N, i, costs);
            ck_assert_int_eq(listed_front(r, run, c, N, costs), slow);
        }
    }
    ck_assert_int_eq(number(r, "SELECT count(*) FROM feasible"), 6 * N * 8 / 10);
    ck_assert_int_eq(
        number(r, "SELECT count(*) FROM feasible WHERE abs(sram_kib * 1024 - sram) > 52"), 0);
    results_close(r);
    clean();
}
END

/* --- queries */

static void prints(Results *r, Format format, const char *sql, const char *expected)
{
    char *text = query(r, format, sql);
    ck_assert_str_eq(text, expected);
    free(text);
}

TEST(json_is_an_array_of_objects)
{
    Results *r = opened("a.db", false);
    prints(r, FORMAT_JSON, "SELECT 1 AS a WHERE 0", "[]\n");
    prints(r, FORMAT_JSON,
           "SELECT 1 AS a, 0.1 AS b, NULL AS c, 'x' AS d UNION ALL SELECT -9223372036854775807, "
           "1e300, 2.0, ''",
           "[\n {\"a\": 1, \"b\": 0.1, \"c\": null, \"d\": \"x\"},\n"
           " {\"a\": -9223372036854775807, \"b\": 1e+300, \"c\": 2, \"d\": \"\"}\n]\n");
    prints(r, FORMAT_JSON, "SELECT 'say \"hi\"\\' || char(10, 9, 1) AS \"a\"\"b\"",
           "[\n {\"a\\\"b\": \"say \\\"hi\\\"\\\\\\u000a\\u0009\\u0001\"}\n]\n");
    prints(r, FORMAT_JSON, "SELECT 'gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\xa7\xb5' AS t",
           "[\n {\"t\": \"gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\xa7\xb5\"}\n]\n");
    /* broken, overlong, a surrogate, beyond Unicode, cut short: a replacement for each byte */
    prints(r, FORMAT_JSON,
           "SELECT CAST(x'41ff42' AS TEXT) AS t, CAST(x'c0af' AS TEXT) AS u, CAST(x'eda080' AS "
           "TEXT) AS v,"
           " CAST(x'f4908080' AS TEXT) AS w, CAST(x'e697' AS TEXT) AS x",
           "[\n {\"t\": \"A\xef\xbf\xbd\x42\", \"u\": \"\xef\xbf\xbd\xef\xbf\xbd\", "
           "\"v\": \"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\", \"w\": "
           "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\", "
           "\"x\": \"\xef\xbf\xbd\xef\xbf\xbd\"}\n]\n");
    prints(r, FORMAT_JSON, "SELECT x'00ff' AS b, 9e999 AS i, 1.0/3 AS third",
           "[\n {\"b\": \"00ff\", \"i\": null, \"third\": 0.3333333333333333}\n]\n");
    prints(r, FORMAT_JSON, "SELECT 1 AS id, 2 AS id, 3 AS id",
           "[\n {\"id\": 1, \"id_2\": 2, \"id_3\": 3}\n]\n");
    results_close(r);
    clean();
}
END

TEST(csv_is_rfc_4180)
{
    Results *r = opened("a.db", false);
    prints(r, FORMAT_CSV, "SELECT 1 AS a, 'x' AS b WHERE 0", "a,b\r\n");
    prints(r, FORMAT_CSV,
           "SELECT 1 AS \"a,b\", NULL AS n, '' AS e, 'plain text' AS p, 0.25 AS r, x'0a' AS h",
           "\"a,b\",n,e,p,r,h\r\n1,,\"\",plain text,0.25,0a\r\n");
    prints(r, FORMAT_CSV,
           "SELECT 'a,b', 'say \"hi\"', 'two' || char(10) || 'lines', char(13), 'gr\xc3\xbcn'",
           "\"'a,b'\",\"'say \"\"hi\"\"'\",'two' || char(10) || 'lines',char(13),'gr\xc3\xbcn'\r\n"
           "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"\r\",gr\xc3\xbcn\r\n");
    results_close(r);
    clean();
}
END

TEST(tables_are_aligned_with_numbers_to_the_right)
{
    Results *r = opened("a.db", false);
    prints(r, FORMAT_TABLE,
           "SELECT 'gr\xc3\xbcn' AS name, 7 AS sram, 1.5 AS x, NULL AS n, 'a' AS last"
           " UNION ALL SELECT 'x', 12345, 10.25, NULL, 'long'",
           "name   sram      x  n  last\n"
           "----  -----  -----  -  ----\n"
           "gr\xc3\xbcn      7    1.5  -  a\n"
           "x     12345  10.25  -  long\n");
    prints(r, FORMAT_TABLE, "SELECT 'a' || char(10) || 'b' || char(27) || '[2J' AS t, x'0102' AS b",
           "t            b\n"
           "-----------  ---------\n"
           "a\\nb\\x1b[2J  (2 bytes)\n");
    prints(r, FORMAT_TABLE,
           "SELECT percent(0.91234) AS p, kib(23456) AS k, size(23456) AS s, elapsed(3725.4) AS e,"
           " tidy(12345.6) AS t, tidy(0.5) AS u, percent(NULL) AS n",
           "    p     k  s                          e       t      u  n\n"
           "-----  ----  -------------------  -------  ------  -----  -\n"
           "91.23  22.9  23,456 B (22.9 KiB)  1:02:05  12,346  0.500  -\n");
    prints(r, FORMAT_TABLE, "SELECT 1 AS a WHERE 0", "a\n-\n");
    results_close(r);
    clean();
}
END

TEST(a_query_is_given_its_arguments)
{
    Results *r = opened("a.db", false);
    new_run(r, "first"), new_run(r, "it's; DROP TABLE run");
    FILE *out = tmpfile();
    const char *args[] = {"it's; DROP TABLE run", "2"};
    OK(results_query(r, "SELECT id FROM run WHERE name = ?1 AND id = ?2", args, 2, FORMAT_CSV,
                     out));
    REFUSED(results_query(r, "SELECT ?1, ?2, ?3", args, 2, FORMAT_CSV, out), "3 parameters");
    char *text = printed(out);
    ck_assert_str_eq(text, "id\r\n2\r\n");
    free(text);
    Format f;
    OK(format_parse("csv", &f));
    ck_assert_int_eq(f, FORMAT_CSV);
    REFUSED(format_parse("xml", &f), "xml");
    results_close(r);
    clean();
}
END

TEST(a_query_that_would_write_is_refused_and_changes_nothing)
{
    const char *const writes[] = {
        "DELETE FROM run",
        "UPDATE run SET name = 'x'",
        "INSERT INTO run (id) VALUES (9)",
        "DROP TABLE run",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ALTER TABLE run ADD COLUMN x",
        "WITH a AS (SELECT 1) DELETE FROM run",
        "REPLACE INTO run (id) VALUES (1)",
        "EXPLAIN DELETE FROM run",
        "DELETE FROM run RETURNING id",
        "ATTACH '/tmp/thimble_attached.db' AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO '/tmp/thimble_vacuum.db'",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA journal_mode",
        "PRAGMA wal_checkpoint",
        "PRAGMA writable_schema = 1",
        "PRAGMA optimize",
        "PRAGMA application_id(3)",
        "PRAGMA foreign_keys = OFF",
        "SELECT 1; DELETE FROM run",
        "UPDATE sqlite_schema SET sql = NULL",
        "UPDATE sqlite_master SET type = ''",
        "SELECT 1; SELECT 2",
        "SELECT load_extension('x')",
        "",
        "  -- nothing",
        "SELEC 1",
        "SELECT no_such_column FROM run",
        "SELECT \"no_such_column\" FROM run",
    };
    Results *r = opened("a.db", false);
    new_run(r, "x");
    results_close(r);
    for (int read_only = 0; read_only < 2; read_only++) {
        r = opened("a.db", read_only);
        char *before = query(r, FORMAT_JSON, "SELECT * FROM run, sqlite_schema");
        for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
            FILE *out = tmpfile();
            ck_assert_msg(results_query(r, writes[i], NULL, 0, FORMAT_JSON, out) == -1,
                          "'%s' was not refused", writes[i]);
            char *text = printed(out);
            ck_assert_msg(*text == 0, "'%s' printed %s", writes[i], text);
            free(text);
        }
        char *after = query(r, FORMAT_JSON, "SELECT * FROM run, sqlite_schema");
        ck_assert_str_eq(before, after);
        ck_assert_int_eq(number(r, "PRAGMA user_version"), 6);
        free(before);
        free(after);
        results_close(r);
    }
    ck_assert(!file_exists("/tmp/thimble_attached.db") && !file_exists("/tmp/thimble_vacuum.db"));
    r = opened("a.db", true);
    prints(r, FORMAT_CSV, "SELECT 1 AS a; -- and nothing else\n ;", "a\r\n1\r\n"); /* these read */
    free(query(r, FORMAT_CSV, "PRAGMA table_info(run)"));
    free(query(r, FORMAT_CSV, "SELECT name FROM pragma_table_info('run')"));
    free(query(r, FORMAT_CSV, "EXPLAIN QUERY PLAN SELECT * FROM pareto"));
    prints(r, FORMAT_CSV,
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3)"
           " SELECT sum(value) AS s FROM n, json_each('[1,2]')",
           "s\r\n9\r\n");
    REFUSED(results_run_set(r, 1, "done", NULL), "cannot be written");
    results_close(r);
    clean();
}
END

/* --- listings */

static char *listed(int (*list)(Results *r, int64_t id, FILE *out), Results *r, int64_t id)
{
    FILE *out = tmpfile();
    OK(list(r, id, out));
    return printed(out);
}

#define HAS(text, words) ck_assert_msg(strstr(text, words), "no '%s' in\n%s", words, text)

TEST(a_run_whose_process_is_gone_is_listed_as_interrupted)
{
    Results *r = opened("a.db", false);
    FILE *out = tmpfile();
    REFUSED(listing_runs(r, FORMAT_TABLE, out), "holds no runs");
    int64_t ours = new_run(r, "ours"), dead = new_run(r, "dead"), done = new_run(r, "done");
    OK(results_run_lock(r, ours));
    OK(results_run_set(r, done, "done", "done"));
    pid_t child = fork();
    if (child == 0) {
        Results *mine;
        _exit(results_open(&mine, in_dir("a.db"), false) != 0 || results_run_lock(mine, dead) != 0);
    }
    ck_assert_int_eq(wait_for(child), 0);
    CandidateRow c = candidate(0, 0.5, 2048, 4096), better = candidate(1, 0.75, 3072, 5120);
    OK(results_candidate_put(r, done, &c));
    OK(results_candidate_put(r, done, &better));
    OK(results_run_set_winner(r, done, c.id));
    OK(listing_runs(r, FORMAT_CSV, out));
    char *text = printed(out);
    HAS(text, "1,ours,running,space,m4,0,,,,inside,,0,");
    HAS(text, "2,dead,interrupted,space,m4,0,,,,inside,,0,");
    HAS(text, "3,done,done,done,m4,2,0.5,,2048,inside,4096,0,"); /* the winner's, though not the best */
    free(text);
    c.int8_accuracy = 0.4375;
    OK(results_candidate_put(r, done, &c));
    OK(results_candidate_put(r, dead, &better)); /* no winner yet: the fittest so far */
    c.fitness = 0.875;
    OK(results_candidate_put(r, dead, &c));
    out = tmpfile();
    OK(listing_runs(r, FORMAT_CSV, out));
    OK(listing_runs(r, FORMAT_TABLE, out));
    text = printed(out);
    HAS(text, "2,dead,interrupted,space,m4,2,0.5,0.4375,2048,inside,4096,0,");
    HAS(text, "3,done,done,done,m4,2,0.5,0.4375,2048,inside,4096,0,");
    HAS(text, "evaluated  best %  int8 %  sram B");
    HAS(text, "        2   50.00   43.75    2048");
    free(text);
    results_close(r);
    clean();
}
END

TEST(candidates_are_sorted_limited_and_say_what_is_left_out)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "x");
    FILE *out = tmpfile();
    REFUSED(listing_candidates(r, run, SORT_FITNESS, 20, FORMAT_CSV, out), "no candidates yet");
    REFUSED(listing_pareto(r, run, 0, FORMAT_CSV, out), "no evaluated candidates yet");
    REFUSED(listing_candidates(r, 9, SORT_FITNESS, 20, FORMAT_CSV, out), "no run 9");
    CandidateRow rows[] = {candidate(0, 0.5, 30, 1), candidate(1, 0.9, 10, 2),
                           candidate(2, 0.7, 20, 3), candidate(3, -1, 5, 4)};
    rows[3].state = "running";
    for (int i = 0; i < 4; i++)
        OK(results_candidate_put(r, run, &rows[i]));
    OK(listing_candidates(r, run, SORT_SRAM, 2, FORMAT_CSV, out));
    OK(listing_candidates(r, run, SORT_FITNESS, 0, FORMAT_CSV, out));
    OK(listing_candidates(r, run, SORT_FITNESS, 2, FORMAT_TABLE, out));
    char *text = printed(out);
    ck_assert_str_eq(
        text,
        "number,generation,fitness,accuracy,sram,flash,macs,latency,latency_unit,image,genotype\r\n"
        "1,0,0.9,0.9,10,2,1000,10,instructions,inside,w0.5 k3\r\n"
        "2,0,0.7,0.7,20,3,1000,10,instructions,inside,w0.5 k3\r\n"
        "number,generation,state,fitness,accuracy,sram,flash,macs,latency,latency_unit,image,genotype\r\n"
        "1,0,done,0.9,0.9,10,2,1000,10,instructions,inside,w0.5 k3\r\n"
        "2,0,done,0.7,0.7,20,3,1000,10,instructions,inside,w0.5 k3\r\n"
        "0,0,done,0.5,0.5,30,1,1000,10,instructions,inside,w0.5 k3\r\n"
        "3,0,running,,,5,4,1000,10,instructions,inside,w0.5 k3\r\n"
        "number  gen  fitness  accuracy %  sram B  KiB  flash B  KiB  macs  latency "
        "[instructions]  genotype\n"
        "------  ---  -------  ----------  ------  ---  -------  ---  ----  "
        "----------------------  --------\n"
        "     1    0   0.9000       90.00      10  0.0        2  0.0  1000                  10.000"
        "  w0.5 k3\n"
        "     2    0   0.7000       70.00      20  0.0        3  0.0  1000                  10.000"
        "  w0.5 k3\n"
        "\nsram: the arena planned as 'stream', input image inside; sizes and latency are "
        "predicted\n"
        "2 of 4 candidates; --all shows the others too\n");
    free(text);
    Sort sort;
    OK(sort_parse("latency", &sort));
    ck_assert_int_eq(sort, SORT_LATENCY);
    REFUSED(sort_parse("beauty", &sort), "beauty");
    results_close(r);
    clean();
}
END

TEST(an_image_outside_the_arena_is_said_wherever_sram_is)
{
    Results *r = opened("a.db", false);
    int64_t run;
    RunRow row;
    OK(results_run_new(r, &(RunRow){.name = "x", .policy = "stream", .image = "outside"}, &run));
    OK(results_run_get(r, run, &row));
    ck_assert_str_eq(row.image, "outside");
    results_run_release(&row);
    CandidateRow c = candidate(0, 0.5, 2048, 1);
    OK(results_candidate_put(r, run, &c));
    ck_assert_int_eq(number(r, "SELECT count(*) FROM pareto WHERE image = 'outside'"), 1);
    FILE *out = tmpfile();
    OK(listing_runs(r, FORMAT_TABLE, out));
    OK(listing_pareto(r, run, 0, FORMAT_TABLE, out));
    OK(listing_candidates(r, run, SORT_SRAM, 1, FORMAT_JSON, out));
    OK(listing_run(r, run, out));
    OK(listing_candidate(r, c.id, out));
    char *text = printed(out);
    ck_assert_ptr_null(strstr(text, "inside"));
    HAS(text, "2.0  outside ");
    HAS(text, "planned as 'stream', input image outside; sizes");
    HAS(text, "\"sram\": 2048,");
    HAS(text, "\"image\": \"outside\"");
    HAS(text, "2,048 B (2.0 KiB), input image outside\n");
    HAS(text, "2,048 B (2.0 KiB), input image outside, policy stream\n");
    free(text);
    results_close(r);
    clean();
}
END

TEST(a_latency_unit_cannot_break_out_of_its_column_name)
{
    Results *r = opened("a.db", false);
    int64_t run;
    OK(results_run_new(r, &(RunRow){.latency_unit = "a\"b'c%d"}, &run));
    CandidateRow c = candidate(0, 0.5, 1, 1);
    OK(results_candidate_put(r, run, &c));
    for (Format f = FORMAT_TABLE; f <= FORMAT_CSV; f++) {
        FILE *nowhere = fopen("/dev/null", "w");
        OK(listing_pareto(r, run, 0, f, nowhere));
        fclose(nowhere);
    }
    results_close(r);
    clean();
}
END

TEST(a_run_and_a_candidate_are_shown_in_full)
{
    Results *r = opened("a.db", false);
    int64_t run = new_run(r, "faces");
    char *text = listed(listing_run, r, run); /* with nothing in it yet */
    HAS(text, "faces");
    HAS(text, "  a: 1\n");
    free(text);
    double cdf[] = {1};
    OK(results_space_put(r, run,
                         &(SpaceRow){.width = 0.5,
                                     .h = 64,
                                     .w = 48,
                                     .samples = 1000,
                                     .feasible = 312,
                                     .mean_macs = 31.25e6,
                                     .cdf = cdf,
                                     .n_cdf = 1,
                                     .chosen = true}));
    OK(results_epoch_put(r, run,
                         &(EpochRow){.phase = "supernet",
                                     .epoch = 1,
                                     .loss = 2,
                                     .train_accuracy = 0.25,
                                     .valid_accuracy = -1,
                                     .seconds = 60}));
    OK(results_epoch_put(r, run,
                         &(EpochRow){.phase = "supernet",
                                     .epoch = 2,
                                     .loss = 1.5,
                                     .train_accuracy = 0.5,
                                     .valid_accuracy = 0.375,
                                     .seconds = 65}));
    CandidateRow c = candidate(0, 0.875, 23456, 204800);
    c.test_accuracy = 0.75, c.macs = 12345678, c.latency = 1000;
    OK(results_candidate_put(r, run, &c));
    LayerRow layers[] = {{0, 0, "conv", "32x32x8", 216, 100, 10, 20, 0, 500, 1.5, 2},
                         {1, 1, "depthwise", "16x16x8", 72, 200, 20, 30, 4, 900, 2.5, -1},
                         {2, 1, "pointwise", "16x16x8", 64, 200, 20, 30, 0, 900, 2.5, 4}};
    OK(results_layers_put(r, c.id, layers, 3));
    OK(results_calibration_put(
        r, &(CalibrationRow){
               .target = "m4", .unit = "instructions", .coefficients = "x", .error = 0.025}));
    MeasurementRow m7 = {c.id, "qemu:cortex-m7", "stream", NULL, 9, 9, 9, 9, 10, 9, 9, 9, 9, 9};
    MeasurementRow m4 = {c.id, "qemu:cortex-m4", "inplace", "outside", 1500, 30000, 880, 210000,
                         4,    4,                30000,     -1,   800,   1200};
    OK(results_measurement_put(r, &m7)); /* the next one counts */
    OK(results_measurement_put(r, &m4));
    m7 = (MeasurementRow){c.id, "qemu:cortex-m7", "stream", "inside", 1250, 23456, 900, -1,
                          10,   10,               23456,    -1,   -1,    1000};
    OK(results_measurement_put(r, &m7));
    GenerationRow generation = {0, 12, 1500, 600, 0.875, 0.5, -1, -1, 12, 6};
    OK(results_generation_put(r, run, &generation));
    text = listed(listing_run, r, run);
    HAS(text, "generation     0; 1,500 genotypes drawn, 600 of them fit (40.0 %)\n");
    ck_assert_ptr_null(strstr(text, "hypervolume")); /* of a search before it was recorded */
    free(text);
    generation = (GenerationRow){1, 24, 3000, 1200, 0.875, 0.75, 1234, 0.65432, 8, 4};
    OK(results_generation_put(r, run, &generation));
    OK(results_run_fail(r, run, "no more\nroom"));
    text = listed(listing_run, r, run);
    HAS(text, "failed\n");
    HAS(text, "error          no more");
    free(text);
    OK(results_run_set(r, run, "running", NULL));
    text = listed(listing_run, r, run);
    ck_assert_ptr_null(strstr(text, "no more"));
    HAS(text, "interrupted");
    HAS(text, "width 0.5, 64x48: 312 of 1000 networks fit, on average 31.25 M MACs");
    HAS(text, "front          1,234 candidates, hypervolume 0.6543\n");
    HAS(text, "none yet; the best so far is 1:0");
    HAS(text, "23,456 B (22.9 KiB), input image inside");
    HAS(text, "supernet      2   1.5    50.00    37.50  0:02:05");
    free(text);
    OK(results_run_set_winner(r, run, c.id));
    text = listed(listing_candidate, r, c.id);
    HAS(text, "of this run");
    HAS(text, "87.50 % of the validation images, float");
    HAS(text, "75.00 % of the test images, float");
    HAS(text, "23,456 B (22.9 KiB), input image inside, policy stream");
    HAS(text, "12,345,678");
    HAS(text, "1,000 instructions (calibrated 20");
    HAS(text, "mean error 2.50 %)");
    HAS(text, "500    1.500     2.000");
    HAS(text, "900    2.500         -  <- peak\n"); /* of a segment of two layers */
    HAS(text, "900    2.500     4.000  <- peak\n");
    HAS(text, "\n"
              "qemu:cortex-m4  inplace  outside  sram B                  30,000    30,000    +0.00\n"
              "qemu:cortex-m4  inplace  outside  flash B                      -   210,000        -\n"
              "qemu:cortex-m4  inplace  outside  stack B                    800       880   +10.00\n"
              "qemu:cortex-m4  inplace  outside  instructions             1,200     1,500   +25.00\n"
              "qemu:cortex-m4  inplace  outside  equal outputs of 4           4         4    +0.00\n"
              "qemu:cortex-m7  stream   inside   sram B                  23,456    23,456    +0.00\n"
              "qemu:cortex-m7  stream   inside   stack B                      -       900        -\n"
              "qemu:cortex-m7  stream   inside   instructions             1,000     1,250   +25.00\n"
              "qemu:cortex-m7  stream   inside   equal outputs of 10         10        10    +0.00\n");
    ck_assert_ptr_null(strstr(text, "     9 "));
    free(text);
    results_close(r);
    clean();
}
END

SUITE(results,
      a_run_is_read_as_it_was_written,
      a_run_that_failed_says_why_until_it_runs_again,
      what_belongs_to_a_run_that_is_not_there_is_refused,
      a_candidate_is_found_by_hash_by_number_and_by_id,
      putting_a_candidate_again_updates_it_and_forgets_nothing_known,
      the_best_is_the_winner_or_the_fittest_so_far,
      spaces_epochs_generations_and_layers_replace_their_like,
      measurements_and_calibrations_are_kept_one_after_the_other,
      blobs_come_back_byte_for_byte,
      several_writes_are_one_or_none,
      a_writer_killed_at_any_moment_leaves_all_it_committed,
      a_reader_in_another_process_does_not_wait_for_a_writer,
      an_open_reader_does_not_stop_a_writer,
      many_writers_wait_for_each_other,
      a_run_is_worked_on_by_one_process,
      the_lock_of_a_killed_process_is_taken_over_before_anyone_waited_for_it,
      of_many_that_come_at_once_one_gets_the_lock,
      a_pid_that_came_again_and_a_host_that_is_elsewhere,
      wrong_files_are_named_and_left_alone,
      a_damaged_database_is_an_error_and_no_crash,
      what_cannot_be_written_can_still_be_read,
      a_database_of_any_version_is_brought_up_to_date_by_writer_and_reader,
      an_old_database_that_two_open_is_updated_once,
      an_old_database_that_cannot_be_written_says_what_to_do,
      an_empty_database_becomes_ours_and_an_opened_one_stays,
      costs_are_named_by_words, the_front_is_what_nothing_dominates,
      json_is_an_array_of_objects,
      csv_is_rfc_4180,
      tables_are_aligned_with_numbers_to_the_right,
      a_query_is_given_its_arguments,
      a_query_that_would_write_is_refused_and_changes_nothing,
      a_run_whose_process_is_gone_is_listed_as_interrupted,
      candidates_are_sorted_limited_and_say_what_is_left_out,
      an_image_outside_the_arena_is_said_wherever_sram_is,
      a_latency_unit_cannot_break_out_of_its_column_name,
      a_run_and_a_candidate_are_shown_in_full)
