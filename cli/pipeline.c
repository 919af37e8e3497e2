#define _GNU_SOURCE
#include "cli/pipeline.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/schema.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

int pipeline_check(const Job *job)
{
    if (job->schedule < N_POLICIES)
        return 0;
    return errorf("schedule: %s is an account of memory for `thimble space`, not a plan that runs",
                  policy_name((Policy)job->schedule));
}

const char *pipeline_image(const Job *job)
{
    bool outside = job->plan.image_outside && job->plan.policy != POLICY_TINYENGINE;
    return outside ? "outside" : "inside";
}

void pipeline_init(Pipeline *p, const Job *job, Results *db, int64_t run)
{
    *p = (Pipeline){.job = *job, .db = db, .run = run, .counted = clock_seconds()};
    p->workspace = xcalloc((size_t)job->threads, sizeof(Workspace *));
    for (int i = 0; i < job->threads; i++)
        p->workspace[i] = workspace_new();
}

void pipeline_release(Pipeline *p)
{
    for (int i = 0; i < p->job.threads; i++)
        workspace_free(p->workspace[i]);
    free(p->workspace);
    if (p->has_supernet)
        supernet_release(&p->supernet);
    if (p->has_data)
        data_release(&p->data);
    free(p->fit);
    free(p->valid);
}

int pipeline_count_time(Pipeline *p)
{
    double now = clock_seconds(), spent = now - p->counted;
    p->counted = now;
    return results_run_add_seconds(p->db, p->run, spent);
}

int pipeline_begin(Pipeline *p, const char *phase)
{
    return pipeline_count_time(p) == 0 ? results_run_set(p->db, p->run, "running", phase) : -1;
}

/* --- stage 1 */

static void show_sweep(void *bar, int done)
{
    progress_step(bar, done, "spaces");
}

void pipeline_sweep(const Job *job, Sweep *s)
{
    Progress bar;
    SweepOptions o = job->sweep;
    o.progress = show_sweep;
    o.ctx = &bar;
    progress_begin(&bar, "stage 1", job->space.n_widths * job->space.n_resolutions, 0);
    sweep_run(&job->space, &job->target, &job->limits, &o, s);
    progress_end(&bar);
    log_info("stage 1: %d spaces x %d networks in %.2f s; limits %s of SRAM, %s of flash, schedule "
             "%s, image %s; a space counts when %d fit",
             s->n, o.samples, clock_seconds() - bar.start, text_bytes(job->limits.sram),
             text_bytes(job->limits.flash), policy_name((Policy)job->plan.policy),
             pipeline_image(job), o.min_feasible);
    if (s->best < 0)
        return;
    const SweepRow *best = &s->row[s->best];
    Resolution r = job->space.resolution[best->resolution];
    log_info("stage 1: width %g at %dx%d, mean %s MACs, %.1f %% fit",
             job->space.width[best->width], r.h, r.w, text_count(best->mean_macs),
             100.0 * best->feasible / best->samples);
}

int pipeline_record_sweep(Results *db, int64_t run, const Space *space, const Sweep *s)
{
    int status = results_begin(db);
    for (int i = 0; i < s->n && status == 0; i++) {
        const SweepRow *r = &s->row[i];
        Resolution res = space->resolution[r->resolution];
        SpaceRow row = {.width = space->width[r->width],
                        .h = res.h,
                        .w = res.w,
                        .samples = r->samples,
                        .feasible = r->feasible,
                        .mean_macs = r->mean_macs,
                        .cdf = r->cdf,
                        .n_cdf = r->feasible ? SWEEP_CDF : 0,
                        .chosen = i == s->best};
        status = results_space_put(db, run, &row);
    }
    return status == 0 ? results_commit(db) : -1;
}

static int find_pair(Pipeline *p, double width, Resolution r)
{
    const Space *s = &p->job.space;
    for (p->width = 0; p->width < s->n_widths; p->width++)
        for (p->resolution = 0; p->resolution < s->n_resolutions; p->resolution++)
            if (s->width[p->width] > width - 1e-9 && s->width[p->width] < width + 1e-9 &&
                s->resolution[p->resolution].h == r.h && s->resolution[p->resolution].w == r.w)
                return 0;
    return errorf("the space '%s' has no width %g at %dx%d", s->name, width, r.h, r.w);
}

static int no_space_fits(const Job *job, const Sweep *s)
{
    int most = 0;
    for (int i = 0; i < s->n; i++)
        most = s->row[i].feasible > most ? s->row[i].feasible : most;
    return errorf(
        "no (width, resolution) of the space '%s' has %d of %d networks that fit %s of SRAM "
        "and %s of flash (the best has %d): raise the limits or lower stage1.min_feasible",
        job->space.name, job->sweep.min_feasible, job->sweep.samples, text_bytes(job->limits.sram),
        text_bytes(job->limits.flash), most);
}

int pipeline_space(Pipeline *p)
{
    Job *job = &p->job;
    p->n_classes = data_classes(&job->data);
    if (p->n_classes < 0 || pipeline_begin(p, "space") != 0)
        return -1;
    if (p->n_classes == 1)
        return errorf("%s: there is one class, and nothing to tell it from", job->data.path);
    if (job->width > 0) { /* given by the job, or by the run whose supernet is searched */
        SpaceRow given = {
            .width = job->width, .h = job->resolution.h, .w = job->resolution.w, .chosen = true};
        return results_space_put(p->db, p->run, &given) == 0
                   ? find_pair(p, job->width, job->resolution)
                   : -1;
    }
    Sweep *s = xcalloc(1, sizeof *s);
    job->sweep.n_classes = p->n_classes;
    pipeline_sweep(job, s);
    int status = pipeline_record_sweep(p->db, p->run, &job->space, s);
    if (status == 0 && s->best < 0)
        status = no_space_fits(job, s);
    if (status == 0) {
        const SweepRow *best = &s->row[s->best];
        p->width = best->width;
        p->resolution = best->resolution;
    }
    free(s);
    return status;
}

/* --- data */

int pipeline_data(Pipeline *p)
{
    Resolution r = p->job.space.resolution[p->resolution];
    DataOptions *o = &p->job.data;
    o->h = r.h;
    o->w = r.w;
    double start = clock_seconds();
    if (data_open(&p->data, o) != 0)
        return -1;
    p->has_data = true;
    const Dataset *train = &p->data.train;
    if (train->n == 0 || p->data.test.n == 0)
        return errorf("%s: there are %d training and %d test images; a search needs both", o->path,
                      train->n, p->data.test.n);
    p->fit = xmalloc(sizeof(int) * (size_t)train->n);
    p->valid = xmalloc(sizeof(int) * (size_t)train->n);
    p->n_valid =
        dataset_split(train, p->job.validation, rng_stream(p->job.seed, 7), p->fit, p->valid);
    p->n_fit = train->n - p->n_valid;
    Rng rng = rng_make(p->job.seed, 8); /* so that the first n of either list is a fair sample */
    rng_shuffle(&rng, p->fit, p->n_fit);
    rng_shuffle(&rng, p->valid, p->n_valid);
    memcpy(p->fit + p->n_fit, p->valid, sizeof(int) * (size_t)p->n_valid);
    if (p->n_valid > p->job.score_images)
        p->n_valid = p->job.score_images;
    char left_out[48] = "";
    if (p->data.skipped)
        snprintf(left_out, sizeof left_out, "; %d damaged files left out", p->data.skipped);
    log_info("data: %d classes, %d images train, %d score candidates, %d test; %dx%dx%d%s (%.1f s)",
             train->n_classes, p->n_fit, p->n_valid, p->data.test.n, train->h, train->w, train->c,
             left_out, clock_seconds() - start);
    if (p->n_classes && train->n_classes != p->n_classes)
        return errorf("%s: the number of classes changed", o->path);
    if (p->n_valid < 1)
        return errorf("%s: no group of files is so small that a share of %g scores candidates",
                      o->path, p->job.validation);
    if (p->n_fit < 2)
        return errorf("%s: of %d training images %d score candidates and %d are left to train: "
                      "too few",
                      o->path, train->n, train->n - p->n_fit, p->n_fit);
    return 0;
}

/* --- stage 2 */

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
    Accuracy a = accuracy_of(&m, h->p->workspace[omp_get_thread_num()], &h->protocol);
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
    o->resolution = p->resolution;
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
    int found = results_candidate_by_hash(p->db, p->run, genotype_hash(&p->winner.genotype), row);
    return found == 0 ? 0 : found < 0 ? -1 : errorf("the winner is not in the database");
}
