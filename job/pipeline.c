#define _GNU_SOURCE
#include "job/pipeline.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "config/schema.h"
#include "job/given.h"

#include <assert.h>
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
    for (int i = 0; i < p->n_sizes; i++)
        data_release(&p->size[i]);
    free(p->fit);
    free(p->valid);
}

int pipeline_given(Pipeline *p)
{
    int found = given_get(p->db, p->run, &p->given);
    p->is_given = found == 0;
    if (p->is_given)
        p->n_classes = net_output(&p->given)->out_c;
    return found < 0 ? -1 : 0;
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

void pipeline_limits_text(const Job *job, char text[LIMITS_TEXT])
{
    const Limits *l = &job->limits;
    char *p = text, *end = text + LIMITS_TEXT;
    p += snprintf(p, (size_t)(end - p), "%s of SRAM, %s of flash", text_bytes(l->sram),
                  text_bytes(l->flash));
    if (l->macs > 0)
        p += snprintf(p, (size_t)(end - p), ", %s MACs", text_count((double)l->macs));
    if (l->latency > 0)
        p += snprintf(p, (size_t)(end - p), ", %s %s", text_count(l->latency),
                      job->target.latency.unit);
    if (l->energy > 0)
        snprintf(p, (size_t)(end - p), ", %.4g mJ", l->energy);
}

void pipeline_sweep(const Job *job, Sweep *s)
{
    Progress bar;
    SweepOptions o = job->sweep;
    char limits[LIMITS_TEXT];
    pipeline_limits_text(job, limits);
    o.progress = show_sweep;
    o.ctx = &bar;
    progress_begin(&bar, "stage 1", job->space.n_widths * job->space.n_resolutions, 0);
    sweep_run(&job->space, &job->target, &job->limits, &o, s);
    progress_end(&bar);
    log_info("stage 1: %d spaces x %d networks in %.2f s; limits %s, schedule %s, image %s; "
             "a space counts when %d fit",
             s->n, o.samples, clock_seconds() - bar.start, limits,
             policy_name((Policy)job->plan.policy), pipeline_image(job), o.min_feasible);
    if (s->best < 0)
        return;
    const SweepRow *best = &s->row[s->best];
    Resolution r = job->space.resolution[best->resolution];
    log_info("stage 1: width %g at %dx%d, mean %s MACs, %.1f %% fit",
             job->space.width[best->width], r.h, r.w, text_count(best->mean_macs),
             100.0 * best->feasible / best->samples);
}

void pipeline_resolutions_text(const Space *space, const Choices *c, char text[RESOLUTIONS_TEXT])
{
    char *p = text, *end = text + RESOLUTIONS_TEXT;
    for (int i = 0; i < c->n; i++) {
        Resolution r = space->resolution[c->value[i]];
        const char *before = i == 0 ? "" : i < c->n - 1 ? ", " : " and ";
        p += snprintf(p, (size_t)(end - p), "%s%dx%d", before, r.h, r.w);
    }
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
                        .chosen = sweep_chose(s, r)};
        status = results_space_put(db, run, &row);
    }
    return status == 0 ? results_commit(db) : -1;
}

static int find_pair(Pipeline *p, double width, Resolution r)
{
    const Space *s = &p->job.space;
    for (p->width = 0; p->width < s->n_widths; p->width++)
        for (int i = 0; i < s->n_resolutions; i++)
            if (s->width[p->width] > width - 1e-9 && s->width[p->width] < width + 1e-9 &&
                s->resolution[i].h == r.h && s->resolution[i].w == r.w)
                return i;
    return errorf("the space '%s' has no width %g at %dx%d", s->name, width, r.h, r.w);
}

/* Given by the job, or by the run whose supernet is searched. */
static int take_given_space(Pipeline *p)
{
    const Job *job = &p->job;
    int resolution = find_pair(p, job->width, job->resolution), status = 0;
    if (resolution < 0)
        return -1;
    p->resolutions = space_near(&job->space, resolution, job->sweep.resolutions, ~0U);
    for (int i = 0; i < p->resolutions.n && status == 0; i++) {
        Resolution r = job->space.resolution[p->resolutions.value[i]];
        SpaceRow given = {.width = job->width, .h = r.h, .w = r.w, .chosen = true};
        status = results_space_put(p->db, p->run, &given);
    }
    return status;
}

static int no_space_fits(const Job *job, const Sweep *s)
{
    int most = 0;
    for (int i = 0; i < s->n; i++)
        most = s->row[i].feasible > most ? s->row[i].feasible : most;
    char limits[LIMITS_TEXT];
    pipeline_limits_text(job, limits);
    return errorf("no (width, resolution) of the space '%s' has %d of %d networks that fit %s "
                  "(the best has %d): raise the limits or lower stage1.min_feasible",
                  job->space.name, job->sweep.min_feasible, job->sweep.samples, limits, most);
}

static int choose_space(Pipeline *p)
{
    Job *job = &p->job;
    Sweep *s = xcalloc(1, sizeof *s);
    job->sweep.n_classes = p->n_classes;
    pipeline_sweep(job, s);
    int status = pipeline_record_sweep(p->db, p->run, &job->space, s);
    if (status == 0 && s->best < 0)
        status = no_space_fits(job, s);
    if (status == 0) {
        p->width = s->row[s->best].width;
        p->resolutions = s->resolutions;
    }
    free(s);
    return status;
}

/* Pixels in a job are those of the largest pictures. */
static void scale_augmentation(Pipeline *p)
{
    TrainOptions *phase[] = {&p->job.largest, &p->job.supernet, &p->job.teacher, &p->job.finetune};
    for (size_t i = 0; i < sizeof phase / sizeof *phase; i++)
        phase[i]->augment.whole = space_pixels(&p->job.space, choices_largest(&p->resolutions));
}

int pipeline_classes(const DataOptions *data)
{
    int n = data_classes(data);
    return n == 1 ? errorf("%s: there is one class, and nothing to tell it from", data->path) : n;
}

int pipeline_space(Pipeline *p)
{
    Job *job = &p->job;
    p->n_classes = pipeline_classes(&job->data);
    if (p->n_classes < 0 || pipeline_begin(p, "space") != 0)
        return -1;
    if ((job->width > 0 ? take_given_space(p) : choose_space(p)) != 0)
        return -1;
    scale_augmentation(p);
    return 0;
}

/* --- data */

static int open_size(Pipeline *p, Resolution r)
{
    DataOptions *o = &p->job.data;
    o->h = r.h;
    o->w = r.w;
    o->again = p->n_sizes > 0;
    if (data_open(&p->size[p->n_sizes], o) != 0)
        return -1;
    const Data *d = &p->size[p->n_sizes++];
    return d->train.n == p->size[0].train.n && d->test.n == p->size[0].test.n
               ? 0
               : errorf("%s: the number of images changed", o->path);
}

/* A given network has one input, and no other may take its place. */
static int open_sizes(Pipeline *p)
{
    if (p->is_given)
        return open_size(p, (Resolution){p->given.h, p->given.w});
    const Choices *c = &p->resolutions;
    char text[RESOLUTIONS_TEXT];
    for (int i = 0; i < c->n; i++)
        if (open_size(p, p->job.space.resolution[c->value[i]]) != 0)
            return -1;
    pipeline_resolutions_text(&p->job.space, c, text);
    if (c->n > 1)
        log_info("data: the resolution is a gene, the images are there at %s", text);
    return 0;
}

const Data *pipeline_at(const Pipeline *p, int resolution)
{
    int i = 0;
    while (i < p->n_sizes && p->resolutions.value[i] != resolution)
        i++;
    assert(i < p->n_sizes);
    return &p->size[i];
}

int pipeline_data(Pipeline *p)
{
    const DataOptions *o = &p->job.data;
    double start = clock_seconds();
    if (open_sizes(p) != 0)
        return -1;
    p->data = p->size[p->n_sizes - 1];
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
    p->n_held = p->n_valid;
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
