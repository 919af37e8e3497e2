/* results.h - everything a run found, in SQLite, as it finds it.
 *
 * One database holds any number of runs: configuration, stage 1's spaces, the
 * training curve, every candidate, every measurement, the trained weights. It
 * is WAL with a busy timeout: readers never block the writer, and a process
 * killed at any moment leaves a database that opens and a run that resumes.
 *
 * Writers call from one thread at a time. Every function returns -1 with
 * errorf() when the database refuses. */
#ifndef RESULTS_H
#define RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Results Results;

/* Opens and, unless read_only, creates. A database of an older thimble is brought up to date
 * (PRAGMA user_version), also for a reader: one that cannot be written is then refused. An error
 * names the file: missing, not a database, of a newer thimble, not writable. */
int results_open(Results **r, const char *path, bool read_only);
void results_close(Results *r);

/* Several writes as one: all or nothing. Once a write in between has failed, those after it
 * are refused too and the commit gives everything up: -1 with the first error. */
int results_begin(Results *r);
int results_commit(Results *r);
void results_rollback(Results *r);

/* --- runs. States: running, done, failed; a run whose process died stays 'running'. */
typedef struct {
    int64_t id;
    const char *name, *state;
    const char *phase;                /* space, train, search, finetune, quantize, export, done */
    const char *config;               /* the effective config, YAML */
    const char *target, *space, *version;
    const char *latency_unit;         /* of every latency in this run: "instructions", "cycles" */
    const char *policy;               /* the memory policy its sram was planned with: "stream" */
    const char *image;                /* "inside" or "outside" the arena: whether sram counts it */
    const char *started;              /* filled in by get: UTC, "2026-11-21 00:52:52" */
    int64_t seed;
    int64_t supernet;                 /* the run whose supernet it searched, 0: its own, or none */
    int64_t winner;                   /* candidate id, 0 before there is one */
    double seconds;                   /* of work so far, over all resumes */
} RunRow;

/* A NULL text is "", a NULL state running, a NULL phase space, a NULL image inside. */
int results_run_new(Results *r, const RunRow *row, int64_t *id);
/* NULL leaves the state or the phase as it is; running and done forget why it once failed. */
int results_run_set(Results *r, int64_t run, const char *state, const char *phase);
/* The state failed, and why, for people. Gives up what results_begin() began, if it is open. */
int results_run_fail(Results *r, int64_t run, const char *why);
int results_run_set_config(Results *r, int64_t run, const char *config);
int results_run_add_seconds(Results *r, int64_t run, double seconds);
int results_run_set_winner(Results *r, int64_t run, int64_t candidate);
/* Strings are yours until results_run_release(). 0 found, 1 no such run, -1 error. */
int results_run_get(Results *r, int64_t run, RunRow *row);
void results_run_release(RunRow *row);
int results_run_last(Results *r, int64_t *run); /* newest id, 0 when there is none */

/* One process at a time works on a run: takes the run's lock, -1 with errorf()
 * naming the process that holds it; a dead holder's lock is taken over. To have
 * it already is no error, nor is to give back what another process holds. */
int results_run_lock(Results *r, int64_t run);
int results_run_unlock(Results *r, int64_t run);

/* --- stage 1 */
typedef struct {
    double width;
    int h, w, samples, feasible;
    double mean_macs;
    const double *cdf; /* [n_cdf] */
    int n_cdf;
    bool chosen; /* searched: one, or several resolutions of one width */
} SpaceRow;
/* Replaces the same (run, width, h, w). */
int results_space_put(Results *r, int64_t run, const SpaceRow *row);
/* The chosen one, of several that with the most MACs. 0 found, 1 none yet, -1 error. */
int results_space_chosen(Results *r, int64_t run, double *width, int *h, int *w);

/* --- training: one row an epoch of a phase ("largest", "supernet", "finetune", "train") */
typedef struct {
    const char *phase;
    int epoch;
    double loss, train_accuracy, valid_accuracy; /* negative: not measured */
    double rate, seconds;
} EpochRow;
/* Replaces the same (run, phase, epoch). */
int results_epoch_put(Results *r, int64_t run, const EpochRow *row);

/* --- candidates. States: running, done, failed. Unique by (run, hash). */
typedef struct {
    int64_t id;             /* filled in by put */
    int number;             /* order of birth in its run */
    const char *genotype;   /* text */
    uint64_t hash;
    const char *state;
    int generation;
    int parent[2];          /* numbers, -1 none */
    double fitness;         /* and accuracies: negative when not known */
    double accuracy;        /* float, validation images */
    double test_accuracy, int8_accuracy; /* float and int8, test images */
    int64_t sram, flash, macs; /* macs: as executed, what a plan computes twice included */
    double latency;
    int images;             /* validation images that fitness comes from; 0: not known */
    double final_fitness, final_accuracy; /* on all of them; 0: it was no finalist */
} CandidateRow;
/* Inserts, or updates the candidate of this hash: what the row does not know
 * (fitness and accuracies below 0, images and finals of 0) stays as it was. */
int results_candidate_put(Results *r, int64_t run, CandidateRow *row);
/* 0 found (row->genotype and state are yours to free), 1 none, -1 error */
int results_candidate_by_hash(Results *r, int64_t run, uint64_t hash, CandidateRow *row);
int results_candidate_get(Results *r, int64_t id, CandidateRow *row, int64_t *run);
int results_candidate_by_number(Results *r, int64_t run, int number, CandidateRow *row);
/* The run's winner; before there is one, the done candidate of the highest fitness. */
int results_candidate_best(Results *r, int64_t run, CandidateRow *row);
void results_candidate_release(CandidateRow *row);

/* --- layers of a candidate: replaces what was there. Rows flow through all layers of a segment, so
 * live bytes and what was measured are the segment's. */
typedef struct {
    int index, segment;
    const char *op, *shape; /* "24x24x96" */
    int64_t weights, macs;  /* macs: as executed */
    int64_t in_bytes, out_bytes, scratch;
    int64_t live;     /* while its segment runs */
    double latency;   /* predicted */
    double measured;  /* of the segment, at its last layer; negative: not known */
} LayerRow;
int results_layers_put(Results *r, int64_t candidate, const LayerRow *rows, int n);

/* --- generations of stage 2 */
typedef struct {
    int generation;         /* 0: the random population */
    int evaluated;          /* candidates so far */
    int64_t drawn, fitting; /* genotypes so far, and those of them that fit */
    double best, median;    /* fitness: best so far, of this generation; negative: not known */
    int front;              /* candidates so far that no other beats; negative: not known */
    double hypervolume;     /* of the front; negative: not known */
    int scored;             /* candidates evaluated now, and the seconds it took: added to those */
    double seconds;         /* of the same generation before a kill */
} GenerationRow;
/* Replaces the same (run, generation), but for what is added. */
int results_generation_put(Results *r, int64_t run, const GenerationRow *row);
/* All of them together: the candidates, and the seconds that they took. */
int results_generation_sum(Results *r, int64_t run, int *evaluated, double *seconds);

/* --- measurements: what something took where it ran, and what was predicted for just that */
typedef struct {
    int64_t candidate;
    const char *source;   /* "qemu:cortex-m7", "host", "board" */
    const char *policy;
    const char *image;    /* "inside" or "outside" the arena; NULL: inside */
    int64_t instructions, arena, stack, flash; /* negative: not measured */
    int64_t n_inputs, n_equal;
    int64_t predicted_arena, predicted_flash, predicted_stack; /* negative: not known */
    double predicted_latency; /* instructions; negative: not known, or only known in cycles */
} MeasurementRow;
int results_measurement_put(Results *r, const MeasurementRow *row);

/* --- calibrations: where latency coefficients come from; the newest of a target counts */
typedef struct {
    const char *target, *unit;  /* "instructions" */
    const char *coefficients;   /* text, as in the target's YAML */
    const char *source;         /* what was measured, with compiler and flags */
    double error;               /* mean relative error of the fit; negative: not known */
} CalibrationRow;
int results_calibration_put(Results *r, const CalibrationRow *row);

/* --- blobs: weights, checkpoints, quantised models, by name within a run */
int results_blob_put(Results *r, int64_t run, const char *name, const void *data, size_t size);
/* 0 found (*data is yours to free), 1 none, -1 error. */
int results_blob_get(Results *r, int64_t run, const char *name, void **data, size_t *size);
int results_blob_delete(Results *r, int64_t run, const char *name);

/* --- queries: any read-only SQL, as table, json or csv on a FILE (json: an array of objects) */
typedef enum { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV } Format;
/* One statement; one that would write, attach or begin is refused. args: text
 * bound to ?1, ?2 ... */
int results_query(Results *r, const char *sql, const char *const *args, int n_args, Format format,
                  FILE *out);
int format_parse(const char *name, Format *format);

#endif
