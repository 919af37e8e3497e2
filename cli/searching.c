#include "cli/pipeline.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Pipeline *p;
    AccuracyProtocol protocol;
    double *accuracy; /* [number of a candidate] */
    int status;
    double start;
    int n_scored; /* of the candidates: the others were known */
} Hunt;

AccuracyProtocol pipeline_scoring(Pipeline *p)
{
    int batch = p->job.recalibration_batch, batches = p->job.recalibration_batches;
    if (batch > p->n_fit)
        batch = p->n_fit;
    if (batches > p->n_fit / batch)
        batches = p->n_fit / batch;
    return (AccuracyProtocol){.train = &p->data.train,
                              .valid = &p->data.train,
                              .recalibrate = p->fit,
                              .batches = batches,
                              .batch = batch,
                              .score = p->valid,
                              .n_score = p->n_valid};
}

static double fitness_of(void *ctx, const Candidate *c)
{
    Hunt *h = ctx;
    Model m;
    int status;
#pragma omp atomic read
    status = h->status;
    if (status != 0) /* the database refuses: nothing more is worth computing */
        return 0;
    supernet_extract(&h->p->supernet, &c->genotype, &m);
    AccuracyProtocol protocol = h->protocol; /* at the candidate's own resolution */
    protocol.train = protocol.valid = &pipeline_at(h->p, c->genotype.resolution)->train;
    Accuracy a = accuracy_of(&m, h->p->workspace[omp_get_thread_num()], &protocol);
    model_release(&m);
    h->accuracy[c->number] = a.accuracy;
    /* the geometric mean of the right answers' probabilities: ranks as cross entropy does */
    return h->p->job.score == SCORE_ACCURACY ? a.accuracy : exp(-a.cross_entropy);
}

static void put_candidate(Hunt *h, const Candidate *c, const char *state)
{
    char text[GENOTYPE_TEXT];
    bool done = strcmp(state, "done") == 0;
    genotype_text(&h->p->job.space, &c->genotype, text);
    CandidateRow row = {.number = c->number,
                        .genotype = text,
                        .hash = genotype_hash(&c->genotype),
                        .state = state,
                        .generation = c->generation,
                        .parent = {c->parent[0], c->parent[1]},
                        .fitness = done ? c->fitness : -1,
                        .accuracy = done ? h->accuracy[c->number] : -1,
                        .test_accuracy = -1,
                        .int8_accuracy = -1,
                        .sram = c->cost.sram,
                        .flash = c->cost.flash,
                        .macs = (int64_t)c->cost.macs,
                        .latency = c->cost.latency};
    if (h->status == 0)
        h->status = results_candidate_put(h->p->db, h->p->run, &row);
}

static void on_born(void *ctx, const Candidate *c)
{
    put_candidate(ctx, c, "running");
}

static void on_evaluated(void *ctx, const Candidate *c)
{
    Hunt *h = ctx;
    put_candidate(h, c, "done");
    h->n_scored++;
    if (h->status == 0 && clock_seconds() - h->p->counted > 1)
        h->status = pipeline_count_time(h->p);
}

static bool remember(void *ctx, const Candidate *c, double *fitness)
{
    Hunt *h = ctx;
    CandidateRow row;
    int found = results_candidate_by_hash(h->p->db, h->p->run, genotype_hash(&c->genotype), &row);
    if (found != 0) {
        h->status = found < 0 ? -1 : h->status;
        return false;
    }
    bool done = strcmp(row.state, "done") == 0;
    *fitness = row.fitness;
    h->accuracy[c->number] = row.accuracy;
    results_candidate_release(&row);
    return done;
}

/* Seconds, as long as a candidate takes what those before it took: what was known took nothing,
 * and tells nothing. Negative: not known. */
static double time_left(const Hunt *h, const EvolveReport *r, double elapsed)
{
    double seconds = h->p->job.search.seconds, left = r->total - r->evaluated;
    if (left > 0)
        left = h->n_scored > 0 ? left * elapsed / h->n_scored : -1;
    return left > 0 && seconds > 0 ? fmin(left, fmax(seconds - elapsed, 0)) : left;
}

static void tell_generation(const Hunt *h, const EvolveReport *r)
{
    double elapsed = clock_seconds() - h->start, left = time_left(h, r, elapsed);
    char of_time[32] = "";
    if (left >= 0)
        snprintf(of_time, sizeof of_time, ", left %.0f s", left);
    log_info("stage 2: generation %d, %d of %d evaluations, %.1f %% of drawn fit, %s best %.4f, "
             "median %.4f, front %d, hypervolume %.4f, elapsed %.0f s%s",
             r->generation, r->evaluated, r->total,
             r->drawn ? 100.0 * (double)r->fitting / (double)r->drawn : 0,
             h->p->job.score == SCORE_ACCURACY ? "accuracy" : "exp(-cross entropy)", r->best,
             r->median, r->front, r->hypervolume, elapsed, of_time);
}

static void on_generation(void *ctx, const EvolveReport *r)
{
    Hunt *h = ctx;
    GenerationRow row = {.generation = r->generation,
                         .evaluated = r->evaluated,
                         .drawn = r->drawn,
                         .fitting = r->fitting,
                         .best = r->best,
                         .median = r->median,
                         .front = r->front,
                         .hypervolume = r->hypervolume};
    if (h->status == 0)
        h->status = results_generation_put(h->p->db, h->p->run, &row);
    tell_generation(h, r);
}

static int store_winner(Pipeline *p)
{
    CandidateRow row;
    int found = results_candidate_by_hash(p->db, p->run, genotype_hash(&p->winner.genotype), &row);
    if (found != 0)
        return found < 0 ? -1 : errorf("the winner is not in the database");
    int status = results_run_set_winner(p->db, p->run, row.id);
    results_candidate_release(&row);
    return status;
}

int pipeline_search(Pipeline *p)
{
    EvolveOptions *o = &p->job.search;
    if (pipeline_begin(p, "search") != 0)
        return -1;
    o->width = p->width;
    o->resolutions = p->resolutions;
    o->n_classes = p->n_classes;
    Hunt h = {.p = p,
              .protocol = pipeline_scoring(p),
              .start = clock_seconds(),
              .accuracy = xcalloc((size_t)evolve_total(o), sizeof(double))};
    EvolveHooks hooks = {.ctx = &h,
                         .fitness = fitness_of,
                         .known = remember,
                         .born = on_born,
                         .evaluated = on_evaluated,
                         .generation = on_generation};
    int status = evolve(&p->job.space, &p->job.target, &p->job.limits, o, &hooks, &p->winner);
    free(h.accuracy);
    return status == 0 && h.status == 0 ? store_winner(p) : -1;
}

int pipeline_winner(Pipeline *p, CandidateRow *row)
{
    int found = p->is_given ? results_candidate_by_number(p->db, p->run, 0, row)
                            : results_candidate_by_hash(p->db, p->run,
                                                        genotype_hash(&p->winner.genotype), row);
    return found == 0 ? 0 : found < 0 ? -1 : errorf("the winner is not in the database");
}
