#define _GNU_SOURCE
#include "results/listing.h"

#include "base/alloc.h"
#include "base/error.h"
#include "results/formats.h"
#include "results/query.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Numbers as the text that query arguments are. */
typedef struct {
    char text[24];
} Number;

static Number number(int64_t i)
{
    Number n;
    snprintf(n.text, sizeof n.text, "%" PRId64, i);
    return n;
}

/* --- runs */

#define RUN_STATE                                                                                  \
    "CASE WHEN r.state = 'running' AND NOT"                                                        \
    " coalesce(process_lives(r.lock_pid, r.lock_start, r.lock_host), 0)"                           \
    " THEN 'interrupted' ELSE r.state END"

/* b: the winner, or the fittest so far; every figure of a line is this candidate's */
#define FROM_RUNS                                                                                  \
    " FROM run AS r LEFT JOIN best AS b ON b.run = r.id LEFT JOIN (SELECT run, count(*) AS"        \
    " evaluated FROM candidate WHERE state = 'done' GROUP BY run) AS c ON c.run = r.id"            \
    " ORDER BY r.id"

static const char RUNS_TABLE[] =
    "SELECT r.id, r.name, " RUN_STATE " AS state, r.phase, r.target,"
    " coalesce(c.evaluated, 0) AS evaluated, percent(b.accuracy) AS \"best %\","
    " percent(b.int8_accuracy) AS \"int8 %\", b.sram AS \"sram B\", kib(b.sram) AS \"KiB\","
    " r.image, b.flash AS \"flash B\", kib(b.flash) AS \"KiB\", elapsed(r.seconds) AS elapsed,"
    " datetime(r.started, 'localtime') AS started" FROM_RUNS;

static const char RUNS_DATA[] =
    "SELECT r.id, r.name, " RUN_STATE " AS state, r.phase, r.target,"
    " coalesce(c.evaluated, 0) AS evaluated, b.accuracy AS best_accuracy, b.int8_accuracy, b.sram,"
    " r.image, b.flash, r.seconds, r.started" FROM_RUNS;

static int count(Results *r, const char *sql, int64_t *n)
{
    return store_number(r, sql, n) < 0 ? -1 : 0;
}

int listing_runs(Results *r, Format format, FILE *out)
{
    int64_t n = 0;
    if (count(r, "SELECT count(*) FROM run", &n) != 0)
        return -1;
    if (n == 0)
        return errorf("%s holds no runs yet", r->path);
    const char *sql = format == FORMAT_TABLE ? RUNS_TABLE : RUNS_DATA;
    return query_print(r, sql, NULL, 0, format, out, NULL);
}

/* --- candidates */

static const char *const SORTS[] = {
    [SORT_FITNESS] = "fitness", [SORT_SRAM] = "sram",       [SORT_FLASH] = "flash",
    [SORT_MACS] = "macs",       [SORT_LATENCY] = "latency", [SORT_NUMBER] = "number",
};

int sort_parse(const char *name, Sort *sort)
{
    for (size_t i = 0; i < sizeof SORTS / sizeof *SORTS; i++)
        if (strcmp(name, SORTS[i]) == 0) {
            *sort = (Sort)i;
            return 0;
        }
    return errorf("cannot sort by '%s': fitness, sram, flash, macs, latency or number", name);
}

/* The columns of candidates and fronts. The unit of latency comes from the database, and into a
 * quoted name: %w doubles its quotes. */
static char *columns(const RunRow *run, bool state, bool finals, Format format)
{
    const char *status = state ? "c.state, " : "";
    if (format != FORMAT_TABLE)
        return sqlite3_mprintf("c.number, c.generation, %sc.fitness, c.accuracy,%s c.sram, c.flash,"
                               " c.macs, c.latency, %Q AS latency_unit, %Q AS image, c.genotype",
                               status, finals ? " c.final_fitness, c.final_accuracy," : "",
                               run->latency_unit, run->image);
    return sqlite3_mprintf(
        "c.number, c.generation AS gen, %sfraction(c.fitness) AS fitness,"
        " percent(c.accuracy) AS \"accuracy %%\",%s c.sram AS \"sram B\", kib(c.sram) AS \"KiB\","
        " c.flash AS \"flash B\", kib(c.flash) AS \"KiB\", c.macs,"
        " tidy(c.latency) AS \"latency%s%w%s\", c.genotype",
        status,
        finals ? " fraction(c.final_fitness) AS final, percent(c.final_accuracy) AS \"final %\"," : "",
        *run->latency_unit ? " [" : "", run->latency_unit, *run->latency_unit ? "]" : "");
}

static int run_of(Results *r, int64_t id, RunRow *run)
{
    int status = results_run_get(r, id, run);
    return status == 1 ? errorf("there is no run %" PRId64 " in %s", id, r->path) : status;
}

static void footnote(const RunRow *run, int64_t shown, int64_t all, FILE *out)
{
    fprintf(out, "\nsram: the arena%s%s%s, input image %s; sizes and latency are predicted\n",
            *run->policy ? " planned as '" : "", run->policy, *run->policy ? "'" : "", run->image);
    if (shown < all)
        fprintf(out, "%" PRId64 " of %" PRId64 " candidates; --all shows the others too\n", shown,
                all);
}

/* Who decides is first: of a run with finals the finalists, by what they were worth there. */
#define BY_FITNESS "c.final_fitness DESC NULLS LAST, c.fitness DESC"

/* Numbers of a run's candidates, and whether some were finalists. */
static int count_candidates(Results *r, int64_t run, int64_t *all, bool *finals)
{
    sqlite3_stmt *s;
    if (store_prepare(r, "SELECT count(*), count(final_fitness) FROM candidate WHERE run = ?1",
                      (Value[]){integer(run), {0}}, &s) != 0)
        return -1;
    int status = store_step(r, s);
    *all = sqlite3_column_int64(s, 0);
    *finals = sqlite3_column_int64(s, 1) > 0;
    store_done(s);
    return status;
}

static int print_candidates(Results *r, const RunRow *run, Sort sort, int limit, Format format,
                            FILE *out)
{
    int64_t shown = 0, all;
    bool finals;
    if (count_candidates(r, run->id, &all, &finals) != 0)
        return -1;
    if (all == 0)
        return errorf("run %" PRId64 " has no candidates yet", run->id);
    char *what = columns(run, limit == 0, finals, format);
    char *sql = sqlite3_mprintf("SELECT %s FROM candidate AS c WHERE c.run = ?1 %s"
                                " ORDER BY %s%s NULLS LAST, c.number LIMIT CAST(?2 AS INTEGER)",
                                what, limit ? "AND c.state = 'done'" : "",
                                sort == SORT_FITNESS ? BY_FITNESS : "c.",
                                sort == SORT_FITNESS ? "" : SORTS[sort]);
    Number id = number(run->id), most = number(limit ? limit : -1); /* LIMIT -1: none */
    int status =
        query_print(r, sql, (const char *[]){id.text, most.text}, 2, format, out, &shown);
    if (status == 0 && format == FORMAT_TABLE)
        footnote(run, shown, all, out);
    sqlite3_free(sql);
    sqlite3_free(what);
    return status;
}

int listing_candidates(Results *r, int64_t run, Sort sort, int limit, Format format, FILE *out)
{
    RunRow row;
    if (run_of(r, run, &row) != 0)
        return -1;
    int status = print_candidates(r, &row, sort, limit, format, out);
    results_run_release(&row);
    return status;
}

static int has_candidates(Results *r, int64_t run)
{
    CandidateRow best;
    int status = results_candidate_best(r, run, &best);
    if (status == 0)
        results_candidate_release(&best);
    return status == 1 ? errorf("run %" PRId64 " has no evaluated candidates yet", run) : status;
}

int listing_front(Results *r, int64_t run, int limit, FILE *out)
{
    Number id = number(run), most = number(limit);
    fflush(out);
    return results_query(
        r,
        "SELECT number, printf('%.2f', 100 * accuracy) AS \"accuracy %\", sram, flash, macs, "
        "tidy(latency) AS latency, genotype FROM pareto WHERE run = ?1 ORDER BY accuracy DESC LIMIT CAST(?2 AS INTEGER)",
        (const char *[]){id.text, most.text}, 2, FORMAT_TABLE, out);
}

int costs_parse(const char *words, unsigned *costs)
{
    char *copy = xstrdup(words), *rest;
    int status = 0;
    *costs = 0;
    for (char *w = strtok_r(copy, ", ", &rest); w && status == 0; w = strtok_r(NULL, ", ", &rest)) {
        Sort sort = SORT_FITNESS;
        if (sort_parse(w, &sort) != 0 || sort < SORT_SRAM || sort > SORT_LATENCY)
            status = errorf("'%s' is no cost: they are sram, flash, macs and latency", w);
        *costs |= 1U << sort;
    }
    free(copy);
    return status == 0 && *costs == 0 ? errorf("which costs? sram, flash, macs, latency") : status;
}

/* The view pareto, of fewer costs; yours to free. */
static char *front_sql(const char *what, unsigned costs)
{
    char *sql;
    size_t size;
    FILE *f = open_memstream(&sql, &size);
    fprintf(f, "SELECT %s FROM feasible AS c WHERE c.run = ?1 AND c.accuracy IS NOT NULL AND NOT "
               "EXISTS (SELECT 1 FROM candidate AS d WHERE d.run = c.run AND d.state = 'done' AND "
               "d.accuracy >= c.accuracy", what);
    for (int s = SORT_SRAM; s <= SORT_LATENCY; s++)
        if (costs & 1U << s)
            fprintf(f, " AND d.%s <= c.%s", SORTS[s], SORTS[s]);
    fprintf(f, " AND (d.accuracy > c.accuracy");
    for (int s = SORT_SRAM; s <= SORT_LATENCY; s++)
        if (costs & 1U << s)
            fprintf(f, " OR d.%s < c.%s", SORTS[s], SORTS[s]);
    fprintf(f, ")) ORDER BY c.accuracy DESC, c.sram, c.number");
    fclose(f);
    return sql;
}

int listing_pareto(Results *r, int64_t run, unsigned costs, Format format, FILE *out)
{
    RunRow row;
    if (run_of(r, run, &row) != 0)
        return -1;
    char *what = columns(&row, false, false, format);
    char *sql = front_sql(what, costs ? costs : ~0U);
    Number id = number(run);
    int status = has_candidates(r, run);
    if (status == 0)
        status = query_print(r, sql, (const char *[]){id.text}, 1, format, out, NULL);
    if (status == 0 && format == FORMAT_TABLE)
        footnote(&row, 0, 0, out);
    free(sql);
    sqlite3_free(what);
    results_run_release(&row);
    return status;
}

/* --- stage 1 */

enum { QUANTILES = 21, TABLE_STEP = 6 }; /* every 5 %; a table has the 4th, 10th and 16th */

/* A column for each quantile; without rows that fit they are NULL. */
static char *quantiles(bool all, Format format)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    for (int i = all ? 0 : 4; i < QUANTILES; i += all ? 1 : TABLE_STEP)
        sqlite3_str_appendf(s, format == FORMAT_TABLE
                                   ? ", round(json_extract(cdf, '$[%d]') * 1e-6, 3) AS \"p%d M\""
                                   : ", json_extract(cdf, '$[%d]') AS p%d",
                            i, i * 100 / (QUANTILES - 1));
    return sqlite3_str_finish(s);
}

#define SPACES_TABLE                                                                               \
    "SELECT width, h, w, samples, feasible, round(100.0 * feasible / samples, 1) AS \"fits %%\"," \
    " round(mean_macs * 1e-6, 3) AS \"mean MMACs\"%s,"                                            \
    " CASE WHEN chosen AND mean_macs < max(mean_macs) FILTER (WHERE chosen) OVER () THEN 'also'"  \
    " WHEN chosen THEN 'best' WHEN feasible BETWEEN 1 AND ?2 - 1 THEN 'too few fit'"               \
    " ELSE '' END AS chosen"

#define SPACES_DATA                                                                                \
    "SELECT width, h, w, samples, feasible, 1.0 * feasible / samples AS share, mean_macs%s, chosen"

int listing_spaces(Results *r, int64_t run, int min_feasible, bool cdf, Format format, FILE *out)
{
    Number id = number(run), least = number(min_feasible);
    bool table = format == FORMAT_TABLE;
    char *columns_of_cdf = quantiles(cdf || !table, format);
    char *what = sqlite3_mprintf(table ? SPACES_TABLE : SPACES_DATA, columns_of_cdf);
    char *sql = sqlite3_mprintf(
        "%s FROM space WHERE run = ?1 ORDER BY mean_macs DESC, width, h, w", what);
    const char *args[] = {id.text, least.text}; /* only the table has a ?2 */
    int status = query_print(r, sql, args, table ? 2 : 1, format, out, NULL);
    sqlite3_free(sql);
    sqlite3_free(what);
    sqlite3_free(columns_of_cdf);
    return status;
}

/* --- one run */

#define THE_SPACE " FROM space AS s WHERE s.run = r.id AND s.chosen = 1 \
                   ORDER BY s.mean_macs DESC LIMIT 1)"

static const char RUN_KEYS[] =
    "SELECT r.id AS run, r.name, " RUN_STATE " AS state, r.error, r.phase, r.target, r.space,"
    " nullif(r.policy, '') AS policy, r.seed, nullif(r.version, '') AS thimble,"
    " datetime(r.started, 'localtime') AS started, datetime(r.updated, 'localtime') AS updated,"
    " elapsed(r.seconds) AS elapsed, 'of run ' || r.supernet AS supernet,"
    " (SELECT count(*) || ' tried' FROM space AS s WHERE s.run = r.id HAVING count(*) > 0) AS "
    "spaces,"
    " (SELECT printf('width %g, %dx%d: %d of %d networks fit, on average %.2f M MACs', s.width, "
    "s.h,"
    " s.w, s.feasible, s.samples, s.mean_macs / 1e6)" THE_SPACE " AS \"chosen space\","
    " (SELECT group_concat(h || 'x' || w, ', ') FROM (SELECT h, w FROM space AS s"
    " WHERE s.run = r.id AND s.chosen ORDER BY h * w) HAVING count(*) > 1) AS resolutions,"
    " (SELECT printf('%,d done, %,d running, %,d failed', sum(state = 'done'), sum(state = "
    "'running'),"
    " sum(state = 'failed')) FROM candidate AS c WHERE c.run = r.id HAVING count(*) > 0)"
    " AS candidates,"
    " (SELECT printf('%d; %,d genotypes drawn, %,d of them fit (%.1f %%)', generation, drawn,"
    " fitting, 100.0 * fitting / max(drawn, 1)) FROM generation AS g WHERE g.run = r.id"
    " ORDER BY generation DESC LIMIT 1) AS generation,"
    " (SELECT printf('%,d candidates, hypervolume %.4f', front, hypervolume) FROM generation AS g"
    " WHERE g.run = r.id AND front IS NOT NULL ORDER BY generation DESC LIMIT 1) AS front,"
    " (SELECT printf('%.0f evaluations a minute', 60.0 * sum(scored) / sum(seconds)) FROM generation"
    " AS g WHERE g.run = r.id AND scored > 0 HAVING sum(seconds) > 0) AS speed,"
    " CASE WHEN r.winner IS NULL THEN 'none yet; the best so far is ' ELSE '' END"
    " || r.id || ':' || b.number AS winner, fraction(b.fitness) AS fitness,"
    " percent(b.accuracy) || ' % of the validation images, float' AS accuracy,"
    " percent(b.test_accuracy) || ' % of the test images, float' AS \"test accuracy\","
    " percent(b.int8_accuracy) || ' % of the test images, int8' AS \"int8 accuracy\","
    " size(b.sram) || ', input image ' || r.image AS sram, size(b.flash) AS flash,"
    " iif(b.macs IS NULL, NULL, printf('%,d', b.macs)) AS macs,"
    " tidy(b.latency) || ' ' || nullif(r.latency_unit, '') AS latency, b.genotype"
    " FROM run AS r LEFT JOIN best AS b ON b.run = r.id WHERE r.id = ?1";

/* Where each phase of the training stands: SQLite gives the bare columns of the row with max(). */
static const char RUN_EPOCHS[] =
    "SELECT phase, max(epoch) AS epoch, loss, percent(train_accuracy) AS \"train %\","
    " percent(valid_accuracy) AS \"valid %\", elapsed((SELECT sum(seconds) FROM epoch AS e"
    " WHERE e.run = epoch.run AND e.phase = epoch.phase)) AS elapsed"
    " FROM epoch WHERE run = ?1 GROUP BY phase"
    " ORDER BY CASE phase WHEN 'largest' THEN 1 WHEN 'supernet' THEN 2 WHEN 'teacher' THEN 3"
    " ELSE 4 END";

static int has_rows(Results *r, const char *sql, int64_t id)
{
    sqlite3_stmt *s;
    if (store_prepare(r, sql, (Value[]){integer(id), {0}}, &s) != 0)
        return -1;
    int status = store_step(r, s);
    store_done(s);
    return status < 0 ? -1 : status == 0;
}

/* A titled table, unless it would be empty. */
static int section(Results *r, const char *title, const char *sql, int64_t id, FILE *out)
{
    int rows = has_rows(r, sql, id);
    if (rows <= 0)
        return rows;
    fprintf(out, "\n%s\n", title);
    Number n = number(id);
    return query_print(r, sql, (const char *[]){n.text}, 1, FORMAT_TABLE, out, NULL);
}

int listing_run(Results *r, int64_t run, FILE *out)
{
    RunRow row;
    if (run_of(r, run, &row) != 0)
        return -1;
    Number id = number(run);
    int status = query_print_keys(r, RUN_KEYS, (const char *[]){id.text}, 1, out);
    if (status == 0)
        status = section(r, "training, the last epoch of each phase", RUN_EPOCHS, run, out);
    if (status == 0 && *row.config) {
        fputs("\nconfiguration\n", out);
        formats_print_text(row.config, "  ", out);
    }
    results_run_release(&row);
    return status;
}

/* --- one candidate */

static const char CANDIDATE_KEYS[] =
    "SELECT c.run || ':' || c.number AS candidate, r.name AS run, c.state,"
    " CASE WHEN r.winner = c.id THEN 'of this run' END AS winner, c.generation,"
    " c.parent_a || coalesce(' and ' || c.parent_b, '') AS parents, c.genotype, c.hash,"
    " fraction(c.fitness) || coalesce(' on ' || c.images || ' validation images', '')"
    " || iif(c.accuracy IS NULL AND c.images > 0, ', stopped early', '') AS fitness,"
    " percent(c.accuracy) || ' % of the validation images, float' AS accuracy,"
    " fraction(c.final_fitness) || ', ' || percent(c.final_accuracy)"
    " || ' % of all validation images, float' AS final,"
    " percent(c.test_accuracy) || ' % of the test images, float' AS \"test accuracy\","
    " percent(c.int8_accuracy) || ' % of the test images, int8' AS \"int8 accuracy\","
    " r.target, size(c.sram) || ', input image ' || r.image"
    " || coalesce(', policy ' || nullif(r.policy, ''), '') AS sram,"
    " size(c.flash) AS flash, printf('%,d', c.macs) AS macs,"
    " tidy(c.latency) || ' ' || nullif(r.latency_unit, '')"
    " || coalesce((SELECT ' (calibrated ' || date(date)"
    " || coalesce(', mean error ' || percent(error) || ' %', '') || ')' FROM calibration"
    " WHERE target = r.target AND unit = r.latency_unit ORDER BY id DESC LIMIT 1), '') AS latency"
    " FROM candidate AS c JOIN run AS r ON r.id = c.run WHERE c.id = ?1";

static const char CANDIDATE_LAYERS[] =
    "SELECT number AS \"#\", segment, op, shape, weights AS \"weights B\", macs, in_bytes AS \"in B\","
    " out_bytes AS \"out B\", scratch AS \"scratch B\", live AS \"live B\","
    " tidy(latency) AS latency, tidy(measured) AS measured,"
    " CASE WHEN live = max(live) OVER () THEN '<- peak' ELSE '' END AS \"\""
    " FROM layer WHERE candidate = ?1 ORDER BY number";

/* Each quantity of each newest measurement is a line, beside what was predicted for that run. */
static const char CANDIDATE_MEASUREMENTS[] =
    "WITH m AS (SELECT * FROM measured WHERE candidate = ?1),"
    " line(id, place, source, policy, image, what, predicted, measured) AS ("
    " SELECT id, 1, source, policy, image, 'sram B', predicted_arena, arena FROM m"
    " UNION ALL SELECT id, 2, source, policy, image, 'flash B', predicted_flash, flash FROM m"
    " UNION ALL SELECT id, 3, source, policy, image, 'stack B', predicted_stack, stack FROM m"
    " UNION ALL SELECT id, 4, source, policy, image, 'instructions', predicted_latency,"
    " instructions FROM m"
    " UNION ALL SELECT id, 5, source, policy, image, 'equal outputs of ' || n_inputs, n_inputs,"
    " n_equal FROM m)"
    " SELECT source, policy, image, what, iif(predicted IS NULL, NULL, printf('%,d', round(predicted)))"
    " AS predicted, printf('%,d', measured) AS measured, iif(predicted > 0,"
    " printf('%+.2f', 100.0 * (measured / (1.0 * predicted) - 1)), NULL) AS \"error %\""
    " FROM line WHERE measured IS NOT NULL ORDER BY id, place";

int listing_candidate(Results *r, int64_t candidate, FILE *out)
{
    Number id = number(candidate);
    if (query_print_keys(r, CANDIDATE_KEYS, (const char *[]){id.text}, 1, out) != 0)
        return -1;
    if (section(r, "layers; live is while the segment runs, measured is the whole segment's, at its "
                   "last layer", CANDIDATE_LAYERS, candidate, out) != 0)
        return -1;
    return section(r, "predicted and measured", CANDIDATE_MEASUREMENTS, candidate, out);
}
