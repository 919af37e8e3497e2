#include "job/searching.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>

/* MCUNet's batches to recalibrate on (App. D). */
enum { BATCHES = 20, BATCH = 64 };

static AccuracyProtocol finals_scoring(Pipeline *p)
{
    AccuracyProtocol protocol = pipeline_scoring(p);
    protocol.batch = p->n_fit < BATCH ? p->n_fit : BATCH;
    protocol.batches = p->n_fit / protocol.batch < BATCHES ? p->n_fit / protocol.batch : BATCHES;
    protocol.n_score = p->n_held;
    return protocol;
}

static int by_fitness(const void *a, const void *b)
{
    const Candidate *p = &((const Scored *)a)->candidate, *q = &((const Scored *)b)->candidate;
    return p->fitness != q->fitness ? (p->fitness < q->fitness) - (p->fitness > q->fitness)
                                    : p->number - q->number;
}

/* The rows of the n best. */
static int read_finalists(const Hunt *h, CandidateRow *row, int n)
{
    int found = 0;
    for (int i = 0; i < n && found == 0; i++)
        found = results_candidate_by_hash(h->p->db, h->p->run,
                                          genotype_hash(&h->all[i].candidate.genotype), &row[i]);
    return found > 0 ? errorf("a finalist is not in the database") : found;
}

/* Scored unless it was before. The reason of a -1 stays with the thread that met it. */
static int score_finalist(const Hunt *h, const Genotype *g, const AccuracyProtocol *protocol,
                          CandidateRow *row)
{
    int status;
    if (row->final_fitness > 0)
        return 0;
    Accuracy a = hunt_score(h, g, protocol);
    row->final_fitness = accuracy_worth(&a, protocol->by);
    row->final_accuracy = a.accuracy;
#pragma omp critical(finals)
    status = results_candidate_put(h->p->db, h->p->run, row);
    return status;
}

static int score_finalists(const Hunt *h, const AccuracyProtocol *protocol, CandidateRow *row,
                           int n)
{
    int status = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(h->p->job.threads) reduction(| : status)
    for (int i = 0; i < n; i++)
        status |= score_finalist(h, &h->all[i].candidate.genotype, protocol, &row[i]);
    return status == 0 ? 0 : errorf("the database did not take what a finalist is worth");
}

/* Of equal ones the one that came first before is first. */
static int best_of(const CandidateRow *row, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (row[i].final_fitness > row[best].final_fitness)
            best = i;
    return best;
}

static void tell_winner(const AccuracyProtocol *p, const CandidateRow *row, int n, int best,
                        double seconds)
{
    log_info("stage 2: %d finalists on all %d validation images, norms recalibrated on %d: %s, "
             "number %d of the search, wins with an accuracy of %.2f %% (%.1f s)",
             n, p->n_score, p->batches * p->batch, row[best].genotype, best + 1,
             100 * row[best].final_accuracy, seconds);
}

int finals(Hunt *h)
{
    Pipeline *p = h->p;
    AccuracyProtocol protocol = finals_scoring(p);
    double start = clock_seconds();
    int n = p->job.finalists < h->n ? p->job.finalists : h->n;
    CandidateRow *row = xcalloc((size_t)n, sizeof *row);
    qsort(h->all, (size_t)h->n, sizeof *h->all, by_fitness);
    int status = read_finalists(h, row, n);
    if (status == 0)
        status = score_finalists(h, &protocol, row, n);
    if (status == 0) {
        int best = best_of(row, n);
        p->winner = h->all[best].candidate;
        tell_winner(&protocol, row, n, best, clock_seconds() - start);
    }
    for (int i = 0; i < n; i++)
        results_candidate_release(&row[i]);
    free(row);
    return status;
}
