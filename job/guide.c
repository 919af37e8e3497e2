#include "job/searching.h"

#include "base/alloc.h"
#include "base/log.h"
#include "supernet/predictor.h"

#include <math.h>
#include <stdlib.h>

/* --- an evolution that asks */

typedef struct {
    const Predictor *predictor;
    Candidate *all; /* [n] by number; fitness as guessed */
    int n;
} Asking;

static double guess_of(void *ctx, const Candidate *c)
{
    return predictor_ask(((const Asking *)ctx)->predictor, &c->genotype);
}

static void on_guessed(void *ctx, const Candidate *c)
{
    Asking *a = ctx;
    a->all[c->number] = *c;
    a->n = c->number < a->n ? a->n : c->number + 1;
}

/* With the job's algorithm and sizes, but as many evaluations as those come to. */
static int ask(Hunt *h, Asking *a)
{
    const Job *job = &h->p->job;
    EvolveOptions o = job->search;
    EvolveHooks hooks = {.ctx = a, .fitness = guess_of, .evaluated = on_guessed};
    Candidate best;
    o.seconds = 0;
    a->all = xcalloc((size_t)evolve_total(&o), sizeof *a->all);
    return evolve(&job->space, &job->target, &job->limits, &o, &hooks, &best);
}

/* --- those it thinks best */

static bool was_scored(const Hunt *h, const Genotype *g)
{
    for (int i = 0; i < h->n; i++)
        if (genotype_equal(&h->all[i].candidate.genotype, g))
            return true;
    return false;
}

/* The first `most` in the order of the job's objectives that were not scored: the next numbers. */
static int choose(const Hunt *h, const Asking *a, Candidate *chosen, int most)
{
    const EvolveOptions *o = &h->p->job.search;
    const Candidate **pool = xmalloc(sizeof *pool * (size_t)a->n);
    ParetoPlace *place = xmalloc(sizeof *place * (size_t)a->n);
    int n = 0;
    for (int i = 0; i < a->n; i++)
        pool[i] = &a->all[i];
    pareto_sort(pool, a->n, o->algorithm == ALGORITHM_NSGA2 ? o->costs : 0, place);
    for (int i = 0; i < a->n && n < most; i++) {
        Candidate c = *pool[place[i].index];
        if (was_scored(h, &c.genotype))
            continue;
        c.number = h->n + n;
        c.generation = h->last.generation + 1;
        c.parent[0] = c.parent[1] = -1; /* never evaluated */
        chosen[n++] = c;
    }
    free(place);
    free(pool);
    return n;
}

static int descending(const void *a, const void *b)
{
    double x = ((const Candidate *)a)->fitness, y = ((const Candidate *)b)->fitness;
    return (x < y) - (x > y);
}

/* As one more generation of the search. */
static void score_chosen(Hunt *h, Candidate *chosen, int n)
{
    double guess = chosen[0].fitness;
    hunt_begin(h);
    evolve_evaluate(&h->hooks, NULL, chosen, n, h->p->job.threads);
    qsort(chosen, (size_t)n, sizeof *chosen, descending);
    if (chosen[0].fitness > h->p->winner.fitness)
        h->p->winner = chosen[0];
    EvolveReport r = h->last;
    r.generation++;
    r.evaluated += n;
    r.total = r.evaluated;
    r.best = h->p->winner.fitness;
    r.median = chosen[n / 2].fitness;
    r.front = -1;
    r.hypervolume = -1;
    hunt_record(h, &r);
    log_info("stage 2: %d of those that the predictor thought best, of %.4f at most, were worth "
             "%.4f at most", n, guess, chosen[0].fitness);
}

static Known *known_of(const Hunt *h)
{
    Known *known = xmalloc(sizeof *known * (size_t)h->n);
    for (int i = 0; i < h->n; i++) {
        double fitness = h->all[i].candidate.fitness;
        known[i] = (Known){h->all[i].candidate.genotype, isnan(fitness) ? 0 : fitness};
    }
    return known;
}

int guide(Hunt *h)
{
    const Job *job = &h->p->job;
    double start = clock_seconds();
    uint64_t seed = rng_stream(job->seed, 11);
    Predictor predictor;
    Asking a = {.predictor = &predictor};
    Known *known = known_of(h);
    double tau = predictor_tau(&job->space, known, h->n, seed);
    predictor_init(&predictor, &job->space, known, h->n, seed);
    double learnt = clock_seconds();
    int status = ask(h, &a);
    log_info("stage 2: a predictor learnt from %d candidates in %.1f s, Kendall's tau %.2f on %d "
             "it did not see; %d networks asked about in %.1f s",
             h->n, learnt - start, tau, h->n / 5, a.n, clock_seconds() - learnt);
    Candidate *chosen = xcalloc((size_t)job->predictor.checked, sizeof *chosen);
    int n = choose(h, &a, chosen, job->predictor.checked);
    if (status == 0 && n > 0)
        score_chosen(h, chosen, n);
    free(chosen);
    free(a.all);
    free(known);
    predictor_release(&predictor);
    return status == 0 ? h->status : -1;
}
