#include "results/tables.h"

#include "base/error.h"

#include <stdio.h>

static const char RUN_TABLES[] =
    "CREATE TABLE run (\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    name TEXT NOT NULL,\n"
    "    state TEXT NOT NULL          -- a run that was killed stays running\n"
    "        CHECK (state IN ('running', 'done', 'failed')),\n"
    "    phase TEXT NOT NULL,         -- space, train, search, finetune, quantize, export, done\n"
    "    config TEXT NOT NULL,        -- the effective configuration, YAML\n"
    "    target TEXT NOT NULL,\n"
    "    space TEXT NOT NULL,\n"
    "    version TEXT NOT NULL,       -- of thimble\n"
    "    latency_unit TEXT NOT NULL,  -- of every latency in this run: instructions or cycles\n"
    "    policy TEXT NOT NULL,        -- the memory policy sram was planned with\n"
    "    seed INTEGER NOT NULL,\n"
    "    winner INTEGER REFERENCES candidate (id) ON DELETE SET NULL,\n"
    "    seconds REAL NOT NULL,       -- of work so far, over all resumes\n"
    "    started TEXT NOT NULL DEFAULT (datetime('now')), -- UTC\n"
    "    updated TEXT NOT NULL DEFAULT (datetime('now')),\n"
    "    lock_pid INTEGER,            -- the process that works on it\n"
    "    lock_start INTEGER,          -- and its start, clock ticks since boot: pids come again\n"
    "    lock_host TEXT\n"
    ") STRICT;\n"
    "CREATE TABLE space (             -- stage 1: one row for every width and resolution\n"
    "    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
    "    width REAL NOT NULL,         -- multiplier\n"
    "    h INTEGER NOT NULL,          -- resolution, pixels\n"
    "    w INTEGER NOT NULL,\n"
    "    samples INTEGER NOT NULL,    -- networks drawn\n"
    "    feasible INTEGER NOT NULL,   -- of them fit the target\n"
    "    mean_macs REAL NOT NULL,     -- of those that fit: the space with most of it is chosen\n"
    "    cdf TEXT,                    -- JSON array: MACs at even quantiles of those that fit\n"
    "    chosen INTEGER NOT NULL CHECK (chosen IN (0, 1)),\n"
    "    PRIMARY KEY (run, width, h, w)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE epoch (             -- training\n"
    "    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
    "    phase TEXT NOT NULL,         -- largest, supernet, finetune\n"
    "    epoch INTEGER NOT NULL,\n"
    "    loss REAL,                   -- NULL: not measured, or not a number\n"
    "    train_accuracy REAL,         -- fractions\n"
    "    valid_accuracy REAL,\n"
    "    rate REAL,                   -- learning rate\n"
    "    seconds REAL,\n"
    "    PRIMARY KEY (run, phase, epoch)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE generation (        -- stage 2\n"
    "    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
    "    generation INTEGER NOT NULL, -- 0: the random population\n"
    "    evaluated INTEGER NOT NULL,  -- candidates so far\n"
    "    drawn INTEGER NOT NULL,      -- genotypes drawn so far\n"
    "    fitting INTEGER NOT NULL,    -- of them fit the target\n"
    "    best REAL,                   -- fitness: best so far\n"
    "    median REAL,                 -- of this generation\n"
    "    PRIMARY KEY (run, generation)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE blob (              -- weights, checkpoints, quantised models\n"
    "    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
    "    name TEXT NOT NULL,\n"
    "    data BLOB NOT NULL,\n"
    "    PRIMARY KEY (run, name)\n"
    ") STRICT;\n";

static const char CANDIDATE_TABLES[] =
    "CREATE TABLE candidate (\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,\n"
    "    number INTEGER NOT NULL,     -- order of birth in its run\n"
    "    genotype TEXT NOT NULL,\n"
    "    hash TEXT NOT NULL CHECK (length(hash) = 16), -- of the genotype, hexadecimal\n"
    "    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),\n"
    "    generation INTEGER NOT NULL, -- 0: the random population\n"
    "    parent_a INTEGER,            -- numbers\n"
    "    parent_b INTEGER,\n"
    "    fitness REAL,                -- what evolution maximises\n"
    "    accuracy REAL,               -- fractions: float weights, validation images\n"
    "    test_accuracy REAL,          -- float weights, test images\n"
    "    int8_accuracy REAL,          -- int8 through the runtime, test images\n"
    "    sram INTEGER NOT NULL,       -- predicted bytes of the arena; run.image: is the image in it\n"
    "    flash INTEGER NOT NULL,      -- predicted bytes of weights, constants and code\n"
    "    macs INTEGER NOT NULL,       -- as executed: what a plan computes twice counts twice\n"
    "    latency REAL NOT NULL,       -- predicted, in the run's latency_unit\n"
    "    UNIQUE (run, hash),\n"
    "    UNIQUE (run, number)\n"
    ") STRICT;\n"
    "CREATE INDEX candidate_costs     -- all that the view pareto compares\n"
    "    ON candidate (run, state, accuracy, sram, flash, macs, latency);\n"
    "CREATE TABLE layer (\n"
    "    candidate INTEGER NOT NULL REFERENCES candidate (id) ON DELETE CASCADE,\n"
    "    number INTEGER NOT NULL,     -- from 0, in order of execution\n"
    "    op TEXT NOT NULL,\n"
    "    shape TEXT NOT NULL,         -- of the output: 24x24x96\n"
    "    weights INTEGER NOT NULL,    -- bytes\n"
    "    macs INTEGER NOT NULL,       -- as executed\n"
    "    in_bytes INTEGER NOT NULL,\n"
    "    out_bytes INTEGER NOT NULL,\n"
    "    scratch INTEGER NOT NULL,    -- bytes\n"
    "    live INTEGER NOT NULL,       -- bytes of the arena while its segment runs; largest: the peak\n"
    "    latency REAL,                -- predicted\n"
    "    measured REAL,               -- of the whole segment, at its last layer; NULL at others\n"
    "    PRIMARY KEY (candidate, number)\n"
    ") STRICT, WITHOUT ROWID;\n"
    "CREATE TABLE measurement (       -- what a candidate took where it ran\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    candidate INTEGER NOT NULL REFERENCES candidate (id) ON DELETE CASCADE,\n"
    "    date TEXT NOT NULL DEFAULT (datetime('now')), -- UTC\n"
    "    source TEXT NOT NULL,        -- qemu:cortex-m7, host, board\n"
    "    policy TEXT NOT NULL,        -- memory policy of what ran\n"
    "    instructions INTEGER,\n"
    "    arena INTEGER,               -- bytes touched: to be compared with candidate.sram\n"
    "    stack INTEGER,               -- bytes, deepest\n"
    "    flash INTEGER,               -- bytes linked: to be compared with candidate.flash\n"
    "    n_inputs INTEGER,            -- images it ran\n"
    "    n_equal INTEGER              -- of them gave the host's outputs, byte for byte\n"
    ") STRICT;\n"
    "CREATE INDEX measurement_by_candidate ON measurement (candidate);\n"
    "CREATE TABLE calibration (       -- where a target's latency coefficients come from\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    target TEXT NOT NULL,\n"
    "    unit TEXT NOT NULL,          -- instructions or cycles\n"
    "    date TEXT NOT NULL DEFAULT (datetime('now')), -- UTC\n"
    "    coefficients TEXT NOT NULL,\n"
    "    error REAL,                  -- mean relative error of the fit, a fraction\n"
    "    source TEXT NOT NULL         -- what was measured, compiler and flags\n"
    ") STRICT;\n";

static const char VIEWS[] =
    "CREATE VIEW feasible AS -- what was evaluated: only candidates that fit the target are\n"
    "    SELECT c.run, c.number, c.generation, c.accuracy, c.test_accuracy, c.int8_accuracy,\n"
    "           c.sram, round(c.sram / 1024.0, 1) AS sram_kib,\n"
    "           c.flash, round(c.flash / 1024.0, 1) AS flash_kib,\n"
    "           c.macs, c.latency, r.latency_unit, c.fitness, c.genotype, c.hash, c.id\n"
    "    FROM candidate AS c JOIN run AS r ON r.id = c.run\n"
    "    WHERE c.state = 'done';\n"
    "CREATE VIEW pareto AS   -- of each run what nothing beats: accuracy up, all else down\n"
    "    SELECT f.* FROM feasible AS f\n"
    "    WHERE f.accuracy IS NOT NULL AND NOT EXISTS (\n"
    "        SELECT 1 FROM candidate AS d\n"
    "        WHERE d.run = f.run AND d.state = 'done' AND d.accuracy >= f.accuracy\n"
    "          AND d.sram <= f.sram AND d.flash <= f.flash\n"
    "          AND d.macs <= f.macs AND d.latency <= f.latency\n"
    "          AND (d.accuracy, d.sram, d.flash, d.macs, d.latency)\n"
    "              <> (f.accuracy, f.sram, f.flash, f.macs, f.latency));\n"
    "CREATE VIEW best AS     -- one candidate a run: the winner, else the highest fitness so far\n"
    "    SELECT f.* FROM run AS r CROSS JOIN feasible AS f -- CROSS: runs first, they are few\n"
    "    ON f.id = coalesce(r.winner, (\n"
    "        SELECT c.id FROM candidate AS c WHERE c.run = r.id AND c.state = 'done'\n"
    "        ORDER BY c.fitness DESC, c.number LIMIT 1));\n";

/* What was said before it ran stands beside what it took: a candidate may run on other boards and
 * with other policies than its run was planned for. An arena depends on the policy alone, so the
 * older measurements that the run's own prediction is for are given it. The comments are of the
 * kind that ends: ALTER TABLE puts the text before the table's closing bracket. */
static const char PREDICTIONS[] =
    "ALTER TABLE measurement ADD COLUMN predicted_arena INTEGER /* bytes, as planned */;\n"
    "ALTER TABLE measurement ADD COLUMN predicted_flash INTEGER /* for where it ran */;\n"
    "ALTER TABLE measurement ADD COLUMN predicted_stack INTEGER;\n"
    "ALTER TABLE measurement ADD COLUMN predicted_latency REAL /* instructions */;\n"
    "UPDATE measurement SET predicted_arena = c.sram\n"
    "    FROM candidate AS c JOIN run AS r ON r.id = c.run\n"
    "    WHERE c.id = measurement.candidate AND r.policy = measurement.policy;\n"
    "UPDATE measurement SET predicted_flash = c.flash,\n"
    "        predicted_latency = iif(r.latency_unit = 'instructions', c.latency, NULL)\n"
    "    FROM candidate AS c JOIN run AS r ON r.id = c.run\n"
    "    WHERE c.id = measurement.candidate AND r.policy = measurement.policy\n"
    "      AND measurement.source = 'qemu:' || r.target;\n"
    "ALTER TABLE run ADD COLUMN error TEXT /* why it failed */;\n";

static const char NEWEST_VIEW[] =
    "CREATE VIEW measured AS -- the newest measurement of each candidate, source and policy\n"
    "    SELECT m.* FROM measurement AS m WHERE m.id = (\n"
    "        SELECT max(n.id) FROM measurement AS n\n"
    "        WHERE n.candidate = m.candidate AND n.source = m.source AND n.policy = m.policy);\n";

/* Streamed plans: several layers run as one segment, and the input image may be outside the arena.
 * Before, every plan had a segment a layer and the image inside. */
static const char SEGMENTS[] =
    "ALTER TABLE run ADD COLUMN image TEXT NOT NULL DEFAULT 'inside'\n"
    "    CHECK (image IN ('inside', 'outside')) /* of the arena: whether sram counts it */;\n"
    "ALTER TABLE measurement ADD COLUMN image TEXT NOT NULL DEFAULT 'inside'\n"
    "    CHECK (image IN ('inside', 'outside')) /* of the arena, in what ran */;\n"
    "ALTER TABLE layer ADD COLUMN segment INTEGER NOT NULL DEFAULT 0\n"
    "    /* of the plan, from 0: live and measured are the segment's, GROUP BY candidate, segment */;\n"
    "UPDATE layer SET segment = number;\n";

static const char IMAGE_VIEWS[] =
    "DROP VIEW feasible;\n"
    "CREATE VIEW feasible AS -- what was evaluated: only candidates that fit the target are\n"
    "    SELECT c.run, c.number, c.generation, c.accuracy, c.test_accuracy, c.int8_accuracy,\n"
    "           c.sram, round(c.sram / 1024.0, 1) AS sram_kib, r.image,\n"
    "           c.flash, round(c.flash / 1024.0, 1) AS flash_kib,\n"
    "           c.macs, c.latency, r.latency_unit, c.fitness, c.genotype, c.hash, c.id\n"
    "    FROM candidate AS c JOIN run AS r ON r.id = c.run\n"
    "    WHERE c.state = 'done';\n"
    "DROP VIEW measured;\n"
    "CREATE VIEW measured AS -- the newest measurement of each candidate, source, policy and image\n"
    "    SELECT m.* FROM measurement AS m WHERE m.id = (\n"
    "        SELECT max(n.id) FROM measurement AS n\n"
    "        WHERE n.candidate = m.candidate AND n.source = m.source AND n.policy = m.policy\n"
    "          AND n.image = m.image);\n";

/* Generations before this have none of either. */
static const char FRONTS[] =
    "ALTER TABLE generation ADD COLUMN front INTEGER\n"
    "    /* candidates so far that no other beats in the objectives */;\n"
    "ALTER TABLE generation ADD COLUMN hypervolume REAL\n"
    "    /* of these: fitness x the share of each cost's limit that is not used */;\n";

/* What stage 2's evaluations took, and what the finalists are worth on all validation images.
 * Before this every candidate was scored on the same images and there were no finals. */
static const char EVALUATIONS[] =
    "ALTER TABLE generation ADD COLUMN scored INTEGER\n"
    "    /* candidates evaluated, not taken from before a kill: 60.0 * scored / seconds a minute */;\n"
    "ALTER TABLE generation ADD COLUMN seconds REAL /* that took, on all threads together */;\n"
    "ALTER TABLE candidate ADD COLUMN images INTEGER\n"
    "    /* validation images fitness comes from; where scoring stopped early accuracy is NULL */;\n"
    "ALTER TABLE candidate ADD COLUMN final_fitness REAL\n"
    "    /* of a finalist: on all validation images, the best is the winner */;\n"
    "ALTER TABLE candidate ADD COLUMN final_accuracy REAL /* and its accuracy on them */;\n";

/* Runs before this do not say whose weights they searched in. */
static const char SUPERNETS[] =
    "ALTER TABLE run ADD COLUMN supernet INTEGER REFERENCES run (id) ON DELETE SET NULL\n"
    "    /* the run whose supernet it searched; NULL: its own, or it has none */;\n";

/* A step takes a database from the version of its place to the next one: never change a step
 * that was released but for its comments, add one. Its parts run one after the other. */
enum { STEP_PARTS = 3 };
static const char *const STEPS[][STEP_PARTS] = {
    {RUN_TABLES, CANDIDATE_TABLES, VIEWS},
    {PREDICTIONS, NEWEST_VIEW},
    {SEGMENTS, IMAGE_VIEWS},
    {FRONTS},
    {EVALUATIONS},
    {SUPERNETS},
};
enum { VERSION = sizeof STEPS / sizeof *STEPS };

typedef struct {
    int64_t application, version, objects;
} Identity;

/* In one statement: another process may be creating the tables right now. */
static int identify(Results *r, Identity *id)
{
    sqlite3_stmt *s;
    if (store_prepare(r,
                      "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
                      " FROM pragma_application_id, pragma_user_version",
                      NULL, &s) != 0)
        return -1;
    int status = store_step(r, s);
    if (status == 0)
        *id = (Identity){sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
                         sqlite3_column_int64(s, 2)};
    store_done(s);
    return status == 0 ? 0 : -1;
}

int tables_check(Results *r, bool to_read)
{
    Identity id;
    if (identify(r, &id) != 0)
        return -1;
    bool empty = id.application == 0 && id.version == 0 && id.objects == 0;
    if (!empty && id.application != TABLES_APPLICATION)
        return errorf("%s is an SQLite database, but not one of thimble's", r->path);
    if (id.version > VERSION)
        return errorf("%s is of a newer thimble: its version is %lld, this program knows %d",
                      r->path, (long long)id.version, VERSION);
    if (to_read && empty)
        return errorf("%s is empty: no run has written to it yet", r->path);
    if (to_read && id.version < VERSION)
        return 1;
    return 0;
}

int tables_take_steps(Results *r, int64_t from, int64_t to)
{
    for (int64_t version = from; version < to; version++)
        for (int part = 0; part < STEP_PARTS && STEPS[version][part]; part++)
            if (store_exec(r, STEPS[version][part]) != 0)
                return -1;
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %lld",
             TABLES_APPLICATION, (long long)to);
    return store_exec(r, sql);
}

int tables_migrate(Results *r)
{
    Identity id;
    if (identify(r, &id) != 0)
        return -1;
    if (id.application == TABLES_APPLICATION && id.version == VERSION)
        return 0;
    if (store_begin(r) != 0)
        return -1;
    int status = identify(r, &id); /* again: now nobody else can change it */
    if (status == 0 && id.version < VERSION)
        status = tables_take_steps(r, id.version, VERSION);
    return store_end(r, status);
}
