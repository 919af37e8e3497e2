#include "job/searching.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                              .n_score = p->n_valid,
                              .by = (Score)p->job.score,
                              .sure = p->job.stop};
}

/* --- what a candidate is worth */

Accuracy hunt_score(const Hunt *h, const Genotype *g, const AccuracyProtocol *protocol)
{
    Model m;
    AccuracyProtocol own = *protocol; /* at the candidate's resolution */
    own.train = own.valid = &pipeline_at(h->p, g->resolution)->train;
    supernet_extract(&h->p->supernet, g, &m);
    Accuracy a = accuracy_of(&m, h->p->workspace[omp_get_thread_num()], &own);
    model_release(&m);
    return a;
}

static double fitness_of(void *ctx, const Candidate *c)
{
    Hunt *h = ctx;
    int status;
#pragma omp atomic read
    status = h->status;
    if (status != 0) /* the database refuses: nothing more is worth computing */
        return 0;
    Accuracy a = hunt_score(h, &c->genotype, &h->protocol);
    h->all[c->number].accuracy = a.n == h->protocol.n_score ? a.accuracy : -1;
    h->all[c->number].images = a.n;
    return accuracy_worth(&a, h->protocol.by);
}

/* Scored once more, for what each image costs it: one of a hundred evaluations, and nothing to
 * be remembered over a kill. */
static void on_bar(void *ctx, const Candidate *bar)
{
    Hunt *h = ctx;
    h->protocol.bar = NULL;
    if (h->p->job.stop <= 0 || !bar)
        return;
    if (bar->number != h->bar_number) {
        AccuracyProtocol protocol = h->protocol;
        protocol.loss = h->bar;
        hunt_score(h, &bar->genotype, &protocol);
        h->bar_number = bar->number;
    }
    h->protocol.bar = h->bar;
}

/* --- what is remembered */

static void put_candidate(Hunt *h, const Candidate *c, const char *state)
{
    char text[GENOTYPE_TEXT];
    bool done = strcmp(state, "done") == 0;
    const Scored *s = &h->all[c->number];
    genotype_text(&h->p->job.space, &c->genotype, text);
    CandidateRow row = {.number = c->number,
                        .genotype = text,
                        .hash = genotype_hash(&c->genotype),
                        .state = state,
                        .generation = c->generation,
                        .parent = {c->parent[0], c->parent[1]},
                        .fitness = done ? c->fitness : -1,
                        .accuracy = done ? s->accuracy : -1,
                        .test_accuracy = -1,
                        .int8_accuracy = -1,
                        .sram = c->cost.sram,
                        .flash = c->cost.flash,
                        .macs = (int64_t)c->cost.macs,
                        .latency = c->cost.latency,
                        .images = done ? s->images : 0};
    if (h->status == 0)
        h->status = results_candidate_put(h->p->db, h->p->run, &row);
}

static void on_born(void *ctx, const Candidate *c)
{
    put_candidate(ctx, c, "running");
}

static void take_in(Hunt *h, const Candidate *c)
{
    h->all[c->number].candidate = *c;
    h->n = c->number < h->n ? h->n : c->number + 1;
}

static void on_evaluated(void *ctx, const Candidate *c)
{
    Hunt *h = ctx;
    take_in(h, c);
    put_candidate(h, c, "done");
    h->n_scored++;
    h->images += h->all[c->number].images;
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
    Candidate known = *c;
    known.fitness = *fitness = row.fitness;
    if (done)
        take_in(h, &known);
    results_candidate_release(&row);
    return done;
}

/* --- what is told */

/* Seconds, as long as a candidate takes what those before it took: what was known took nothing,
 * and tells nothing. Negative: not known. */
static double time_left(const Hunt *h, const EvolveReport *r, double elapsed)
{
    double seconds = h->p->job.search.seconds, left = r->total - r->evaluated;
    if (left > 0)
        left = h->n_scored > 0 ? left * elapsed / h->n_scored : -1;
    return left > 0 && seconds > 0 ? fmin(left, fmax(seconds - elapsed, 0)) : left;
}

static void tell_generation(const Hunt *h, const EvolveReport *r, int scored, double seconds)
{
    double elapsed = clock_seconds() - h->start, left = time_left(h, r, elapsed);
    char of_time[32] = "", speed[48] = "", front[64] = "";
    if (r->front >= 0)
        snprintf(front, sizeof front, ", front %d, hypervolume %.4f", r->front, r->hypervolume);
    if (left >= 0)
        snprintf(of_time, sizeof of_time, ", left %.0f s", left);
    if (scored > 0 && seconds > 0)
        snprintf(speed, sizeof speed, ", %.0f evaluations a minute", 60 * scored / seconds);
    log_info("stage 2: generation %d, %d of %d evaluations, %.1f %% of drawn fit, %s best %.4f, "
             "median %.4f%s, elapsed %.0f s%s%s",
             r->generation, r->evaluated, r->total,
             r->drawn ? 100.0 * (double)r->fitting / (double)r->drawn : 0,
             h->p->job.score == SCORE_ACCURACY ? "accuracy" : "exp(-cross entropy)", r->best,
             r->median, front, elapsed, of_time, speed);
}

void hunt_begin(Hunt *h)
{
    h->from = clock_seconds();
    h->from_scored = h->n_scored;
}

void hunt_record(Hunt *h, const EvolveReport *r)
{
    double seconds = clock_seconds() - h->from;
    GenerationRow row = {.generation = r->generation,
                         .evaluated = r->evaluated,
                         .drawn = r->drawn,
                         .fitting = r->fitting,
                         .best = r->best,
                         .median = r->median,
                         .front = r->front,
                         .hypervolume = r->hypervolume,
                         .scored = h->n_scored - h->from_scored,
                         .seconds = seconds};
    if (h->status == 0)
        h->status = results_generation_put(h->p->db, h->p->run, &row);
    tell_generation(h, r, row.scored, seconds);
    h->seconds += seconds;
    h->from += seconds; /* no moment is lost between two: together they are the time spent */
    h->from_scored = h->n_scored;
}

static void on_generation(void *ctx, const EvolveReport *r)
{
    Hunt *h = ctx;
    hunt_record(h, r);
    h->last = *r;
    h->last.winner = NULL;
}

static void tell_speed(const Hunt *h)
{
    const AccuracyProtocol *p = &h->protocol;
    char stopped[64] = "";
    if (h->n_scored == 0)
        return;
    if (h->p->job.stop > 0)
        snprintf(stopped, sizeof stopped, "; %.0f %% of them were needed",
                 100.0 * (double)h->images / h->n_scored / p->n_score);
    log_info("stage 2: %d evaluations in %.0f s, %.0f a minute: norms recalibrated on %d images, "
             "%s on %d%s",
             h->n_scored, h->seconds, 60 * h->n_scored / h->seconds, p->batches * p->batch,
             p->by == SCORE_ACCURACY ? "accuracy" : "cross entropy", p->n_score, stopped);
}

/* --- the whole */

static int store_winner(Pipeline *p)
{
    CandidateRow row;
    if (pipeline_winner(p, &row) != 0)
        return -1;
    int status = results_run_set_winner(p->db, p->run, row.id);
    results_candidate_release(&row);
    return status;
}

/* What is asked for and cannot be. */
static void warn(const Job *job)
{
    const EvolveOptions *o = &job->search;
    const char *algorithm = algorithm_name(o->algorithm);
    if (o->algorithm != ALGORITHM_RANDOM && job->predictor.after == 0 &&
        evolve_total(o) <= o->population)
        log_warn("stage 2: a population of %d takes all %d evaluations: %s draws at random and "
                 "breeds nothing; --set stage2.population=N for a smaller one",
                 o->population, evolve_total(o), algorithm);
    if (job->stop > 0 && o->algorithm != ALGORITHM_EVOLUTION)
        log_warn("stage2.stop: it is evolution's alone, %s scores all on all images", algorithm);
}

/* A search that was killed has what it left of its seconds. Where none are left it had ended, and
 * ends there again: the network that was fine-tuned since is that end's. */
static int take_off_spent(Pipeline *p)
{
    EvolveOptions *o = &p->job.search;
    int evaluated;
    double spent;
    if (results_generation_sum(p->db, p->run, &evaluated, &spent) != 0)
        return -1;
    if (o->seconds > spent) {
        o->seconds -= spent;
    } else if (o->seconds > 0) {
        o->seconds = 0;
        o->evaluations = evaluated;
    }
    return 0;
}

static int hunt(Hunt *h)
{
    Pipeline *p = h->p;
    const Job *job = &p->job;
    EvolveOptions o = job->search;
    if (job->predictor.after > 0)
        o.evaluations = job->predictor.after;
    int status = evolve(&job->space, &job->target, &job->limits, &o, &h->hooks, &p->winner);
    return status == 0 ? h->status : -1;
}

int pipeline_search(Pipeline *p)
{
    EvolveOptions *o = &p->job.search;
    warn(&p->job);
    if (pipeline_begin(p, "search") != 0 || take_off_spent(p) != 0)
        return -1;
    o->width = p->width;
    o->resolutions = p->resolutions;
    o->n_classes = p->n_classes;
    Hunt h = {.p = p,
              .protocol = pipeline_scoring(p),
              .start = clock_seconds(),
              .all = xcalloc((size_t)(evolve_total(o) + p->job.predictor.checked), sizeof(Scored)),
              .bar = xmalloc(sizeof(float) * (size_t)p->n_valid),
              .bar_number = -1};
    h.hooks = (EvolveHooks){.ctx = &h,
                            .fitness = fitness_of,
                            .known = remember,
                            .bar = on_bar,
                            .born = on_born,
                            .evaluated = on_evaluated,
                            .generation = on_generation};
    hunt_begin(&h);
    int status = hunt(&h);
    if (status == 0 && p->job.predictor.after > 0)
        status = guide(&h);
    tell_speed(&h);
    if (status == 0 && p->job.finalists > 0)
        status = finals(&h);
    free(h.all);
    free(h.bar);
    return status == 0 ? store_winner(p) : -1;
}

int pipeline_winner(Pipeline *p, CandidateRow *row)
{
    int found = p->is_given ? results_candidate_by_number(p->db, p->run, 0, row)
                            : results_candidate_by_hash(p->db, p->run,
                                                        genotype_hash(&p->winner.genotype), row);
    return found == 0 ? 0 : found < 0 ? -1 : errorf("the winner is not in the database");
}
