/* listing.h - the tables people look at: runs, candidates, a front, one of them in full.
 *
 * As a table sizes are exact bytes with KiB beside them and accuracies percent;
 * as json and csv they are plain numbers: bytes and fractions. sram is the
 * arena, and beside it or below stands whether the input image is inside it or
 * outside. -1 with errorf(); nothing to show is an error as well, one that says
 * so. */
#ifndef LISTING_H
#define LISTING_H

#include "results/results.h"

/* Every run, with the figures of its winner (before there is one, the fittest so far); one that
 * is running in a process that is gone is shown as interrupted. */
int listing_runs(Results *r, Format format, FILE *out);

typedef enum {
    SORT_FITNESS, /* highest first, finalists before all; all others lowest first */
    SORT_SRAM,
    SORT_FLASH,
    SORT_MACS,
    SORT_LATENCY,
    SORT_NUMBER
} Sort;
int sort_parse(const char *name, Sort *sort); /* -1 with errorf() */

/* The first `limit` evaluated candidates; limit 0: all of them, and those that
 * run or failed, with their state. */
int listing_candidates(Results *r, int64_t run, Sort sort, int limit, Format format, FILE *out);

/* Some of SORT_SRAM to SORT_LATENCY as bits, 1 << Sort, from words like "sram,macs"; -1 with
 * errorf(). */
int costs_parse(const char *words, unsigned *costs);

/* What no other candidate beats in accuracy and these costs together; 0: in all four. */
int listing_pareto(Results *r, int64_t run, unsigned costs, Format format, FILE *out);

/* The most accurate `limit` of all costs' front in few columns, for the end of a job. */
int listing_front(Results *r, int64_t run, int limit, FILE *out);

/* Stage 1: every width and resolution, largest mean MACs first. A table has the quantiles at 20,
 * 50 and 80 %, or with `cdf` all that are recorded, and says where fewer than min_feasible fit;
 * json and csv always have all quantiles, p0 to p100. */
int listing_spaces(Results *r, int64_t run, int min_feasible, bool cdf, Format format, FILE *out);

/* Everything about one run or candidate (its row's id), as a page to read. The newest measurement
 * of each source, policy and image stands beside its own prediction; error % is 100 (measured / predicted
 * - 1), as in all of thimble. */
int listing_run(Results *r, int64_t run, FILE *out);
int listing_candidate(Results *r, int64_t candidate, FILE *out);

#endif
