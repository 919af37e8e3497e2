#define _GNU_SOURCE
#include "results/results.h"

#include "base/alloc.h"
#include "base/error.h"
#include "results/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- runs */

int results_run_new(Results *r, const RunRow *row, int64_t *id)
{
    static const char sql[] =
        "INSERT INTO run (name, state, phase, config, target, space, version, latency_unit, policy,"
        " image, seed, seconds, supernet) VALUES (coalesce(?1, ''), coalesce(?2, 'running'),"
        " coalesce(?3, 'space'), coalesce(?4, ''), coalesce(?5, ''), coalesce(?6, ''),"
        " coalesce(?7, ''), coalesce(?8, ''), coalesce(?9, ''), coalesce(?10, 'inside'), ?11, ?12,"
        " nullif(?13, 0))";
    if (store_change(r, sql,
                     (Value[]){text(row->name),
                               text(row->state),
                               text(row->phase),
                               text(row->config),
                               text(row->target),
                               text(row->space),
                               text(row->version),
                               text(row->latency_unit),
                               text(row->policy),
                               text(row->image),
                               integer(row->seed),
                               real(row->seconds),
                               integer(row->supernet),
                               {0}}) != 0)
        return -1;
    *id = sqlite3_last_insert_rowid(r->db);
    return 0;
}

static int no_run(Results *r, int64_t run)
{
    errorf("there is no run %" PRId64 " in %s", run, r->path);
    return store_spoilt(r);
}

/* A change of one run's row, the run bound to ?1. */
static int change_run(Results *r, const char *sql, const Value *values)
{
    if (store_change(r, sql, values) != 0)
        return -1;
    return store_changes(r) ? 0 : no_run(r, values[0].integer);
}

int results_run_set(Results *r, int64_t run, const char *state, const char *phase)
{
    return change_run(r,
                      "UPDATE run SET state = coalesce(?2, state), phase = coalesce(?3, phase),"
                      " error = iif(?2 IN ('running', 'done'), NULL, error),"
                      " updated = datetime('now') WHERE id = ?1",
                      (Value[]){integer(run), text(state), text(phase), {0}});
}

int results_run_fail(Results *r, int64_t run, const char *why)
{
    if (r->inside) /* what failed half-way is given up, this is kept */
        results_rollback(r);
    return change_run(r,
                      "UPDATE run SET state = 'failed', error = ?2, updated = datetime('now')"
                      " WHERE id = ?1",
                      (Value[]){integer(run), text(why), {0}});
}

int results_run_set_config(Results *r, int64_t run, const char *config)
{
    return store_change(r, "UPDATE run SET config = ?2, updated = datetime('now') WHERE id = ?1",
                        (Value[]){integer(run), text(config), {0}});
}

int results_run_add_seconds(Results *r, int64_t run, double seconds)
{
    return change_run(r,
                      "UPDATE run SET seconds = seconds + ?2, updated = datetime('now')"
                      " WHERE id = ?1",
                      (Value[]){integer(run), real(seconds), {0}});
}

int results_run_set_winner(Results *r, int64_t run, int64_t candidate)
{
    if (store_change(r,
                     "UPDATE run SET winner = ?2, updated = datetime('now') WHERE id = ?1"
                     " AND EXISTS (SELECT 1 FROM candidate WHERE id = ?2 AND run = ?1)",
                     (Value[]){integer(run), integer(candidate), {0}}) != 0)
        return -1;
    if (store_changes(r))
        return 0;
    errorf("there is no run %" PRId64 " with a candidate of id %" PRId64 " in %s", run, candidate,
           r->path);
    return store_spoilt(r);
}

static void read_run(sqlite3_stmt *s, RunRow *row)
{
    *row = (RunRow){
        .id = sqlite3_column_int64(s, 0),
        .name = store_text(s, 1),
        .state = store_text(s, 2),
        .phase = store_text(s, 3),
        .config = store_text(s, 4),
        .target = store_text(s, 5),
        .space = store_text(s, 6),
        .version = store_text(s, 7),
        .latency_unit = store_text(s, 8),
        .policy = store_text(s, 9),
        .image = store_text(s, 10),
        .started = store_text(s, 11),
        .seed = sqlite3_column_int64(s, 12),
        .winner = sqlite3_column_int64(s, 13), /* NULL is 0 */
        .seconds = sqlite3_column_double(s, 14),
        .supernet = sqlite3_column_int64(s, 15),
    };
}

int results_run_get(Results *r, int64_t run, RunRow *row)
{
    sqlite3_stmt *s;
    if (store_prepare(r,
                      "SELECT id, name, state, phase, config, target, space, version, latency_unit,"
                      " policy, image, started, seed, winner, seconds,"
                      " supernet FROM run WHERE id = ?1",
                      (Value[]){integer(run), {0}}, &s) != 0)
        return -1;
    int status = store_step(r, s);
    if (status == 0)
        read_run(s, row);
    store_done(s);
    return status;
}

void results_run_release(RunRow *row)
{
    const char *texts[] = {row->name,    row->state,        row->phase,  row->config,
                           row->target,  row->space,        row->version, row->latency_unit,
                           row->policy,  row->image,        row->started};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free((char *)texts[i]);
    *row = (RunRow){0};
}

int results_run_last(Results *r, int64_t *run)
{
    return store_number(r, "SELECT coalesce(max(id), 0) FROM run", run) == 0 ? 0 : -1;
}

/* --- spaces, epochs, generations */

static char *json_numbers(const double *x, int n)
{
    char *list = xstrdup("[");
    for (int i = 0; i < n; i++) {
        char *longer = xasprintf("%s%s%.15g", list, i ? "," : "", x[i]);
        free(list);
        list = longer;
    }
    char *closed = xasprintf("%s]", list);
    free(list);
    return closed;
}

int results_space_put(Results *r, int64_t run, const SpaceRow *row)
{
    char *cdf = row->n_cdf > 0 ? json_numbers(row->cdf, row->n_cdf) : NULL;
    int status =
        store_change(r, "INSERT OR REPLACE INTO space VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                     (Value[]){integer(run),
                               real(row->width),
                               integer(row->h),
                               integer(row->w),
                               integer(row->samples),
                               integer(row->feasible),
                               real(row->mean_macs),
                               text(cdf),
                               integer(row->chosen),
                               {0}});
    free(cdf);
    return status;
}

int results_space_chosen(Results *r, int64_t run, double *width, int *h, int *w)
{
    sqlite3_stmt *statement;
    if (store_prepare(r, "SELECT width, h, w FROM space WHERE run = ?1 AND chosen ORDER BY mean_macs DESC",
                      (Value[]){integer(run), {0}}, &statement) != 0)
        return -1;
    int status = store_step(r, statement);
    if (status == 0) {
        *width = sqlite3_column_double(statement, 0);
        *h = sqlite3_column_int(statement, 1);
        *w = sqlite3_column_int(statement, 2);
    }
    store_done(statement);
    return status;
}

int results_epoch_put(Results *r, int64_t run, const EpochRow *row)
{
    return store_change(r, "INSERT OR REPLACE INTO epoch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        (Value[]){integer(run),
                                  text(row->phase),
                                  integer(row->epoch),
                                  known(row->loss),
                                  known(row->train_accuracy),
                                  known(row->valid_accuracy),
                                  known(row->rate),
                                  known(row->seconds),
                                  {0}});
}

int results_generation_put(Results *r, int64_t run, const GenerationRow *row)
{
    return store_change(
        r,
        "INSERT INTO generation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        " ON CONFLICT DO UPDATE SET evaluated = excluded.evaluated, drawn = excluded.drawn,"
        " fitting = excluded.fitting, best = excluded.best, median = excluded.median,"
        " front = excluded.front, hypervolume = excluded.hypervolume,"
        " scored = coalesce(scored, 0) + excluded.scored,"
        " seconds = coalesce(seconds, 0) + excluded.seconds",
        (Value[]){integer(run),
                  integer(row->generation),
                  integer(row->evaluated),
                  integer(row->drawn),
                  integer(row->fitting),
                  known(row->best),
                  known(row->median),
                  known_integer(row->front),
                  known(row->hypervolume),
                  integer(row->scored),
                  real(row->seconds),
                  {0}});
}

int results_generation_sum(Results *r, int64_t run, int *evaluated, double *seconds)
{
    sqlite3_stmt *s;
    if (store_prepare(r, "SELECT max(evaluated), total(seconds) FROM generation WHERE run = ?1",
                      (Value[]){integer(run), {0}}, &s) != 0)
        return -1;
    int status = store_step(r, s);
    if (status == 0) {
        *evaluated = sqlite3_column_int(s, 0);
        *seconds = sqlite3_column_double(s, 1);
    }
    store_done(s);
    return status;
}

/* --- candidates */

/* Of what cannot be 0. */
static Value positive(double x)
{
    return known(x > 0 ? x : -1);
}

static void hash_text(uint64_t hash, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, hash);
}

int results_candidate_put(Results *r, int64_t run, CandidateRow *row)
{
    static const char sql[] =
        "INSERT INTO candidate (run, number, genotype, hash, state, generation, parent_a, parent_b,"
        " fitness, accuracy, test_accuracy, int8_accuracy, sram, flash, macs, latency, images,"
        " final_fitness, final_accuracy) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
        " ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
        " ON CONFLICT (run, hash) DO UPDATE SET number = excluded.number,"
        " genotype = excluded.genotype, state = excluded.state, generation = excluded.generation,"
        " parent_a = excluded.parent_a, parent_b = excluded.parent_b,"
        " fitness = coalesce(excluded.fitness, fitness),"
        " accuracy = coalesce(excluded.accuracy, accuracy),"
        " test_accuracy = coalesce(excluded.test_accuracy, test_accuracy),"
        " int8_accuracy = coalesce(excluded.int8_accuracy, int8_accuracy),"
        " sram = excluded.sram, flash = excluded.flash, macs = excluded.macs,"
        " latency = excluded.latency, images = coalesce(excluded.images, images),"
        " final_fitness = coalesce(excluded.final_fitness, final_fitness),"
        " final_accuracy = coalesce(excluded.final_accuracy, final_accuracy) RETURNING id";
    char hash[17];
    hash_text(row->hash, hash);
    sqlite3_stmt *s;
    if (r->why) /* as in store_change() */
        return errorf("%s", r->why);
    if (store_prepare(r, sql,
                      (Value[]){integer(run),
                                integer(row->number),
                                text(row->genotype),
                                text(hash),
                                text(row->state),
                                integer(row->generation),
                                known_integer(row->parent[0]),
                                known_integer(row->parent[1]),
                                known(row->fitness),
                                known(row->accuracy),
                                known(row->test_accuracy),
                                known(row->int8_accuracy),
                                integer(row->sram),
                                integer(row->flash),
                                integer(row->macs),
                                real(row->latency),
                                known_integer(row->images > 0 ? row->images : -1),
                                positive(row->final_fitness),
                                positive(row->final_accuracy),
                                {0}},
                      &s) != 0)
        return -1;
    int status = store_step(r, s);
    int64_t id = status == 0 ? sqlite3_column_int64(s, 0) : 0;
    if (status == 0)
        status = store_step(r, s) == 1 ? 0 : -1; /* to its end: only then it is committed */
    store_done(s);
    if (status == 0)
        row->id = id;
    return status;
}

#define CANDIDATE_COLUMNS                                                                          \
    "SELECT id, number, genotype, hash, state, generation, parent_a, parent_b, fitness, accuracy," \
    " test_accuracy, int8_accuracy, sram, flash, macs, latency, run, images, final_fitness,"        \
    " final_accuracy FROM candidate "

static void read_candidate(sqlite3_stmt *s, CandidateRow *row)
{
    const char *hash = (const char *)sqlite3_column_text(s, 3);
    *row = (CandidateRow){
        .id = sqlite3_column_int64(s, 0),
        .number = sqlite3_column_int(s, 1),
        .genotype = store_text(s, 2),
        .hash = strtoull(hash ? hash : "0", NULL, 16),
        .state = store_text(s, 4),
        .generation = sqlite3_column_int(s, 5),
        .parent = {(int)store_known_integer(s, 6), (int)store_known_integer(s, 7)},
        .fitness = store_known(s, 8),
        .accuracy = store_known(s, 9),
        .test_accuracy = store_known(s, 10),
        .int8_accuracy = store_known(s, 11),
        .sram = sqlite3_column_int64(s, 12),
        .flash = sqlite3_column_int64(s, 13),
        .macs = sqlite3_column_int64(s, 14),
        .latency = sqlite3_column_double(s, 15),
        .images = sqlite3_column_int(s, 17),
        .final_fitness = sqlite3_column_double(s, 18),
        .final_accuracy = sqlite3_column_double(s, 19),
    };
}

static int find_candidate(Results *r, const char *sql, const Value *values, CandidateRow *row,
                          int64_t *run)
{
    sqlite3_stmt *s;
    if (store_prepare(r, sql, values, &s) != 0)
        return -1;
    int status = store_step(r, s);
    if (status == 0) {
        read_candidate(s, row);
        if (run)
            *run = sqlite3_column_int64(s, 16);
    }
    store_done(s);
    return status;
}

int results_candidate_by_hash(Results *r, int64_t run, uint64_t hash, CandidateRow *row)
{
    char key[17];
    hash_text(hash, key);
    return find_candidate(r, CANDIDATE_COLUMNS "WHERE run = ?1 AND hash = ?2",
                          (Value[]){integer(run), text(key), {0}}, row, NULL);
}

int results_candidate_get(Results *r, int64_t id, CandidateRow *row, int64_t *run)
{
    return find_candidate(r, CANDIDATE_COLUMNS "WHERE id = ?1", (Value[]){integer(id), {0}}, row,
                          run);
}

int results_candidate_by_number(Results *r, int64_t run, int number, CandidateRow *row)
{
    return find_candidate(r, CANDIDATE_COLUMNS "WHERE run = ?1 AND number = ?2",
                          (Value[]){integer(run), integer(number), {0}}, row, NULL);
}

int results_candidate_best(Results *r, int64_t run, CandidateRow *row)
{
    return find_candidate(r, CANDIDATE_COLUMNS "WHERE id = (SELECT id FROM best WHERE run = ?1)",
                          (Value[]){integer(run), {0}}, row, NULL);
}

void results_candidate_release(CandidateRow *row)
{
    free((char *)row->genotype);
    free((char *)row->state);
    *row = (CandidateRow){0};
}

/* --- layers, measurements, calibrations */

static int put_layers(Results *r, int64_t candidate, const LayerRow *rows, int n)
{
    int status = store_change(r, "DELETE FROM layer WHERE candidate = ?1",
                              (Value[]){integer(candidate), {0}});
    for (int i = 0; i < n && status == 0; i++) {
        const LayerRow *l = &rows[i];
        status = store_change(
            r, "INSERT INTO layer VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            (Value[]){integer(candidate),
                      integer(l->index),
                      text(l->op),
                      text(l->shape),
                      integer(l->weights),
                      integer(l->macs),
                      integer(l->in_bytes),
                      integer(l->out_bytes),
                      integer(l->scratch),
                      integer(l->live),
                      known(l->latency),
                      known(l->measured),
                      integer(l->segment),
                      {0}});
    }
    return status;
}

int results_layers_put(Results *r, int64_t candidate, const LayerRow *rows, int n)
{
    return store_begin(r) == 0 ? store_end(r, put_layers(r, candidate, rows, n)) : -1;
}

int results_measurement_put(Results *r, const MeasurementRow *row)
{
    return store_change(
        r,
        "INSERT INTO measurement (candidate, source, policy, image, instructions, arena, stack,"
        " flash, n_inputs, n_equal, predicted_arena, predicted_flash, predicted_stack,"
        " predicted_latency) VALUES (?1, coalesce(?2, ''), coalesce(?3, ''),"
        " coalesce(?4, 'inside'), ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        (Value[]){integer(row->candidate),
                  text(row->source),
                  text(row->policy),
                  text(row->image),
                  known_integer(row->instructions),
                  known_integer(row->arena),
                  known_integer(row->stack),
                  known_integer(row->flash),
                  known_integer(row->n_inputs),
                  known_integer(row->n_equal),
                  known_integer(row->predicted_arena),
                  known_integer(row->predicted_flash),
                  known_integer(row->predicted_stack),
                  known(row->predicted_latency),
                  {0}});
}

int results_calibration_put(Results *r, const CalibrationRow *row)
{
    return store_change(r,
                        "INSERT INTO calibration (target, unit, coefficients, source, error)"
                        " VALUES (?1, ?2, ?3, coalesce(?4, ''), ?5)",
                        (Value[]){text(row->target),
                                  text(row->unit),
                                  text(row->coefficients),
                                  text(row->source),
                                  known(row->error),
                                  {0}});
}

/* --- blobs */

int results_blob_put(Results *r, int64_t run, const char *name, const void *data, size_t size)
{
    return store_change(r, "INSERT OR REPLACE INTO blob VALUES (?1, ?2, ?3)",
                        (Value[]){integer(run), text(name), bytes(data, size), {0}});
}

int results_blob_get(Results *r, int64_t run, const char *name, void **data, size_t *size)
{
    sqlite3_stmt *s;
    if (store_prepare(r, "SELECT data FROM blob WHERE run = ?1 AND name = ?2",
                      (Value[]){integer(run), text(name), {0}}, &s) != 0)
        return -1;
    int status = store_step(r, s);
    if (status == 0) {
        const void *stored = sqlite3_column_blob(s, 0); /* NULL when it has no bytes */
        *size = (size_t)sqlite3_column_bytes(s, 0);
        *data = xmalloc(*size + 1);
        if (*size)
            memcpy(*data, stored, *size);
    }
    store_done(s);
    return status;
}

int results_blob_delete(Results *r, int64_t run, const char *name)
{
    return store_change(r, "DELETE FROM blob WHERE run = ?1 AND name = ?2",
                        (Value[]){integer(run), text(name), {0}});
}
