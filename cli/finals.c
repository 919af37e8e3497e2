#include "cli/searching.h"

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

/* Its row, scored now unless it was before. */
static int score_finalist(const Hunt *h, const Candidate *c, const AccuracyProtocol *protocol,
                          CandidateRow *row)
{
    Pipeline *p = h->p;
    int status;
#pragma omp critical(finals)
    status = results_candidate_by_hash(p->db, p->run, genotype_hash(&c->genotype), row);
    if (status != 0)
        return status < 0 ? -1 : errorf("a finalist is not in the database");
    if (row->final_fitness > 0)
        return 0;
    Accuracy a = hunt_score(h, &c->genotype, protocol);
    row->final_fitness = accuracy_worth(&a, protocol->by);
    row->final_accuracy = a.accuracy;
#pragma omp critical(finals)
    status = results_candidate_put(p->db, p->run, row);
    return status;
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

int finals(Hunt *h)
{
    Pipeline *p = h->p;
    AccuracyProtocol protocol = finals_scoring(p);
    double start = clock_seconds();
    int n = p->job.finalists < h->n ? p->job.finalists : h->n, status = 0;
    CandidateRow *row = xcalloc((size_t)n, sizeof *row);
    qsort(h->all, (size_t)h->n, sizeof *h->all, by_fitness);
#pragma omp parallel for schedule(dynamic, 1) num_threads(p->job.threads) reduction(| : status)
    for (int i = 0; i < n; i++)
        status |= score_finalist(h, &h->all[i].candidate, &protocol, &row[i]);
    int best = best_of(row, n);
    p->winner = h->all[best].candidate;
    if (status == 0)
        log_info("stage 2: %d finalists on all %d validation images, norms recalibrated on %d: %s, "
                 "number %d of the search, wins with an accuracy of %.2f %% (%.1f s)",
                 n, protocol.n_score, protocol.batches * protocol.batch, row[best].genotype,
                 best + 1, 100 * row[best].final_accuracy, clock_seconds() - start);
    for (int i = 0; i < n; i++)
        results_candidate_release(&row[i]);
    free(row);
    return status;
}
