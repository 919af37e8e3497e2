#define _GNU_SOURCE
#include "config/config.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "config/config_keys.h"
#include "runtime/tb.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUBNETS = 4 };

void config_defaults(Job *job)
{
    memset(job, 0, sizeof *job);
    strcpy(job->name, "job");
    job->seed = 1;
    job->checkpoint = 20;
    job->schedule = POLICY_STREAM;
    job->data = (DataOptions){.format = DATA_IMAGES,
                              .holdout = 0.1,
                              .c = 3,
                              .raw_scale = 1,
                              .synthetic_train = 4000,
                              .synthetic_test = 1000,
                              .synthetic_classes = 10};
    job->validation = 0.1;
    job->sweep = (SweepOptions){.samples = 1000, .min_feasible = 50, .resolutions = 1};
    TrainOptions t = {.epochs = 30,
                      .batch = 128,
                      .shards = 2,
                      .subnets = SUBNETS,
                      .rate = 0.1,
                      .warm_up = 1,
                      .momentum = 0.9,
                      .weight_decay = 5e-5,
                      .label_smoothing = 0.1,
                      .netaug = {.width = 1, .expansion = 1, .share = 1}};
    job->largest = job->supernet = job->teacher = job->finetune = t;
    job->teacher.epochs = 0;
    job->supernet.epochs = 60;
    job->search = (EvolveOptions){.algorithm = ALGORITHM_EVOLUTION};
    job->score_images = 10000;
    job->recalibration_batches = 20;
    job->recalibration_batch = 64;
    job->predictor.checked = 100;
    job->calibration_images = 500;
    job->device_images = 4;
}

/* A phase's options that are another's are nobody's, and would not be missed. */
static int check_place(const TrainOptions *o, const char *name)
{
    bool supernet = strcmp(name, "supernet") == 0, finetune = strcmp(name, "finetune") == 0;
    const struct {
        const char *key;
        bool lost;
        const char *why;
    } option[] = {
        {"subnets", o->subnets != SUBNETS && !supernet, "for supernet: there is one network here"},
        {"sandwich", o->sandwich && !supernet, "for supernet: there is one network here"},
        {"distill", o->distill && !supernet, "for supernet: there is one network here"},
        {"shrink", o->shrink.n > 0 && !supernet, "for supernet: there is one network here"},
        {"netaug", netaug_widens(&o->netaug) && !finetune, "for finetune, of the winner"},
        {"teaching", o->teaching > 0 && !finetune,
         "for finetune, after the largest network is trained"},
        {"all_images", o->all_images && !finetune && strcmp(name, "teacher") != 0,
         "for finetune, after the candidates were scored"}};
    for (size_t i = 0; i < sizeof option / sizeof *option; i++)
        if (option[i].lost)
            return errorf("train.%s: %s is %s", name, option[i].key, option[i].why);
    return 0;
}

static int check_phase(const TrainOptions *o, const char *name)
{
    if (check_place(o, name) != 0)
        return -1;
    if (o->batch / o->shards < 2)
        return errorf("train.%s: a batch of %d in %d shards leaves norms fewer than 2 images", name,
                      o->batch, o->shards);
    if (o->sandwich && o->subnets < 2)
        return errorf("train.%s: a sandwich has 2 subnets at least", name);
    if (o->distill && !o->sandwich)
        return errorf("train.%s: distill wants sandwich: the largest subnet teaches", name);
    if (!shrink_is_order(&o->shrink))
        return errorf("train.%s: shrink is an order of kernel, depth and expand, or []", name);
    return 0;
}

static int check_resolutions(const Job *job)
{
    int n = job->sweep.resolutions;
    if (n > 1 && job->data.format == DATA_RAW)
        return errorf("stage1.resolutions: raw tensors have one shape, nothing scales them");
    if (n > job->space.n_resolutions)
        return errorf("stage1.resolutions: the space '%s' has %d, not %d", job->space.name,
                      job->space.n_resolutions, n);
    return 0;
}

static int find_fixed_space(Job *job)
{
    bool width = job->width > 0, resolution = job->resolution.h > 0;
    if (width != resolution)
        return errorf("stage1: width and resolution are given both, or neither");
    if (!width)
        return 0;
    for (int w = 0; w < job->space.n_widths; w++)
        for (int r = 0; r < job->space.n_resolutions; r++)
            if (fabs(job->space.width[w] - job->width) < 1e-6 &&
                job->space.resolution[r].h == job->resolution.h &&
                job->space.resolution[r].w == job->resolution.w)
                return 0;
    return errorf("stage1: the space '%s' has no width %g at resolution %dx%d", job->space.name,
                  job->width, job->resolution.h, job->resolution.w);
}

/* What lets the modules find one seed, one number of threads, one plan. */
static void spread(Job *job)
{
    int threads = job->threads;
    job->data.threads = job->sweep.threads = job->search.threads = threads;
    job->largest.threads = job->supernet.threads = threads;
    job->teacher.threads = job->finetune.threads = threads;
    uint64_t sram = job->limits.sram;
    job->plan = (PlanOptions){.policy = (uint8_t)job->schedule, .image_outside = job->image == 1,
                              .small = job->target.kernels == 1,
                              .sram = sram < UINT32_MAX ? (uint32_t)sram : 0};
    job->sweep.plan = job->search.plan = job->plan;
    job->data.seed = rng_stream(job->seed, 1);
    job->sweep.seed = rng_stream(job->seed, 2);
    job->largest.seed = rng_stream(job->seed, 3);
    job->supernet.seed = rng_stream(job->seed, 4);
    job->search.seed = rng_stream(job->seed, 5);
    job->finetune.seed = rng_stream(job->seed, 6);
    job->teacher.seed = rng_stream(job->seed, 10);
    job->space.in_c = (uint8_t)job->data.c;
}

static uint64_t left(uint64_t size, uint64_t reserve)
{
    return size > reserve ? size - reserve : 1;
}

static Limits own_limits(const Target *t)
{
    return (Limits){.sram = left(t->sram, t->sram_reserve), .flash = left(t->flash, t->flash_reserve)};
}

static void resolve_limits(Limits *limits, const Target *target)
{
    Limits own = own_limits(target);
    if (!limits->sram)
        limits->sram = own.sram;
    if (!limits->flash)
        limits->flash = own.flash;
}

/* What a run was allowed because its target has so much, says nothing about another target. */
static void forget_limits(Limits *limits, const Target *target)
{
    Limits own = own_limits(target);
    if (limits->sram == own.sram)
        limits->sram = 0;
    if (limits->flash == own.flash)
        limits->flash = 0;
}

/* What evolve_total() takes for granted. */
static int check_total(const EvolveOptions *o)
{
    double total = o->population + (double)o->generations * (o->crossovers + o->mutations);
    return total < INT32_MAX ? 0 : errorf("stage2: %.0f evaluations are too many", total);
}

/* Objectives into costs, sizes of 0 into the algorithm's own. Where none are given they are
 * accuracy and macs: front and hypervolume are counted in them, also where accuracy alone decides.
 * Aging takes what it is given as its fitness, so it is given no macs. */
static int resolve_search(Job *job)
{
    EvolveOptions *o = &job->search;
    bool accuracy = job->n_objectives == 0;
    o->costs = 0;
    for (int i = 0; i < job->n_objectives; i++) {
        accuracy |= job->objective[i] == 0;
        o->costs |= job->objective[i] ? 1U << (job->objective[i] - 1) : 0;
    }
    if (!accuracy)
        return errorf("stage2.objectives: accuracy is always one of them");
    if (o->costs & PARETO_LATENCY && !job->target.latency.unit[0])
        return errorf("stage2.objectives: the target '%s' has no latency model", job->target.name);
    if (o->algorithm == ALGORITHM_NSGA2 && job->n_objectives > 0 && o->costs == 0)
        return errorf("stage2.objectives: nsga2 wants a cost besides accuracy");
    if (job->n_objectives == 0 && o->algorithm != ALGORITHM_AGING)
        o->costs = PARETO_MACS;
    evolve_defaults(o);
    if (o->parents > o->population)
        return errorf("stage2: %d parents do not come from a population of %d", o->parents,
                      o->population);
    if (check_total(o) != 0)
        return -1;
    if (job->predictor.after >= evolve_total(o))
        return errorf("stage2.predictor: after %d evaluations there are no others to predict",
                      evolve_total(o));
    if (job->predictor.after > 0 && o->seconds > 0)
        return errorf("stage2: seconds would end the search anywhere, and a predictor learns after "
                      "a number of evaluations: only one of them");
    return 0;
}

int config_resolve(Job *job)
{
    if (job->threads == 0)
        job->threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    const DataOptions *d = &job->data;
    if (d->format == DATA_RAW && (d->raw_h < 1 || d->raw_w < 1 || d->raw_c < 1))
        return errorf("data.raw: height, width and channels of a file's tensor are needed");
    if (d->format == DATA_RAW)
        job->data.c = d->raw_c;
    else if (d->c != 1 && d->c != 3)
        return errorf("data.channels: pictures have 1 or 3, not %d", d->c);
    resolve_limits(&job->limits, &job->target); /* a plan's budget is one of them */
    spread(job);
    if (!job->target.name[0])
        return errorf("the job names no target");
    if (!job->space.name[0])
        return errorf("the job names no space");
    if (job->limits.latency > 0 && !job->target.latency.unit[0])
        return errorf("limits.latency: the target '%s' has no latency model", job->target.name);
    if (job->limits.energy > 0 && target_mj(&job->target, 1) <= 0)
        return errorf("limits.energy: the target '%s' wants power, clock and a latency model in "
                      "cycles (thimble calibrate --log)", job->target.name);
    if (resolve_search(job) != 0)
        return -1;
    if (job->data.format != DATA_SYNTHETIC && !job->data.path[0])
        return errorf("data.path: where is the data?");
    if (check_phase(&job->largest, "largest") != 0 ||
        check_phase(&job->supernet, "supernet") != 0 ||
        check_phase(&job->teacher, "teacher") != 0 ||
        check_phase(&job->finetune, "finetune") != 0)
        return -1;
    return space_check(&job->space) == 0 && check_resolutions(job) == 0 ? find_fixed_space(job) : -1;
}

static int assign(Job *job, const char *const *sets, int n)
{
    int status = 0;
    for (int i = 0; i < n && status == 0; i++)
        status = schema_set(sets[i], job_keys, job);
    return status;
}

static void forget_sizes(EvolveOptions *o)
{
    o->population = o->parents = o->crossovers = o->mutations = 0;
    o->generations = o->evaluations = 0;
    o->mutation_rate = 0;
}

/* Stored runs are resumed and exported from anywhere: the data's path becomes absolute. No shell
 * sees the ~ of --set data.path=~/mnist. */
static int make_absolute(DataOptions *data)
{
    char *path = data->path, here[sizeof data->path];
    const char *home = getenv("HOME");
    bool at_home = path[0] == '~' && path[1] == '/' && home;
    if (!path[0] || path[0] == '/' || (!at_home && !getcwd(here, sizeof here)))
        return 0;
    char *whole = xasprintf("%s/%s", at_home ? home : here, path + (at_home ? 2 : 0));
    bool fits = strlen(whole) < sizeof data->path;
    if (fits)
        strcpy(path, whole);
    free(whole);
    return fits ? 0 : errorf("data.path: longer than %zu characters", sizeof data->path - 1);
}

int config_set(Job *job, const char *const *sets, int n)
{
    EvolveOptions before = job->search;
    Target target = job->target;
    if (assign(job, sets, n) != 0 || make_absolute(&job->data) != 0)
        return -1;
    if (strcmp(job->target.name, target.name) != 0) {
        forget_limits(&job->limits, &target);
        assign(job, sets, n); /* it went well before: those that are named, once more */
    }
    if (job->search.algorithm == before.algorithm)
        return 0;
    forget_sizes(&job->search);
    assign(job, sets, n);
    evolve_defaults(&before);
    if (check_total(&before) != 0)
        return -1;
    if (job->search.generations == 0 && job->search.evaluations == 0)
        job->search.evaluations = evolve_total(&before);
    return 0;
}

static int read_job(Job *job, YamlNode *root, const char *const *sets, int n_sets)
{
    int status = root ? schema_read(root, job_keys, job) : -1;
    char *file = root ? xstrdup(root->file) : NULL;
    yaml_close(root);
    if (status == 0)
        status = config_set(job, sets, n_sets);
    if (status == 0 && config_resolve(job) != 0) {
        char *why = xstrdup(error_text());
        status = errorf("%s: %s", file, why);
        free(why);
    }
    free(file);
    return status;
}

/* What is found beyond the chip's size fits nowhere. */
static int check_chip(const Limits *limits, const Target *t)
{
    const struct {
        const char *key;
        uint64_t limit, size;
    } memory[] = {{"sram", limits->sram, t->sram}, {"flash", limits->flash, t->flash}};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i].size && memory[i].limit > memory[i].size)
            return errorf("limits.%s: %s is more than %s has, %s", memory[i].key,
                          text_bytes(memory[i].limit), t->name, text_bytes(memory[i].size));
    return 0;
}

int config_load(Job *job, const char *name, const char *const *sets, int n_sets)
{
    config_defaults(job);
    bool is_path = strchr(name, '/') || strstr(name, ".yaml") || file_exists(name);
    char *path = is_path ? xstrdup(name) : schema_find(NULL, "jobs", name);
    int status = path ? read_job(job, yaml_read(path), sets, n_sets) : -1;
    free(path);
    if (status == 0)
        status = check_chip(&job->limits, &job->target);
    return status == 0 ? config_check_runtime(&job->target) : status;
}

int config_parse(Job *job, const char *text, const char *name)
{
    config_defaults(job);
    return read_job(job, yaml_parse(text, strlen(text), name), NULL, 0);
}

int config_names(const char *folder, char ***names)
{
    return schema_names(folder, names);
}

static int read_named(const char *folder, const char *name, const Key *keys, void *base)
{
    char *path = schema_find(NULL, folder, name);
    YamlNode *root = path ? yaml_read(path) : NULL;
    int status = root ? schema_read(root, keys, base) : -1;
    yaml_close(root);
    free(path);
    return status;
}

int config_stale_target(Target *target, const char *name)
{
    memset(target, 0, sizeof *target);
    return read_named("targets", name, target_keys, target);
}

int config_target(Target *target, const char *name)
{
    return config_stale_target(target, name) == 0 ? config_check_runtime(target) : -1;
}

int config_check_runtime(const Target *target)
{
    const Latency *l = &target->latency;
    char of[48] = "says of no runtime version";
    if (!l->unit[0] || l->runtime == TB_VERSION)
        return 0;
    if (l->runtime)
        snprintf(of, sizeof of, "is of runtime %d", l->runtime);
    return errorf("%s: this latency model %s, but kernels are now those of runtime %d; fit it anew "
                  "with thimble calibrate --target %s", l->place, of, TB_VERSION, target->name);
}

/* A struct as YAML; yours to free. */
static char *printed(const Key *keys, const void *base)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    schema_print(f, keys, base, 0);
    fclose(f);
    return text;
}

/* As YAML, without name, widths and resolutions; yours to free. */
static char *printed_blocks(const Space *space)
{
    Space blocks = *space;
    blocks.name[0] = 0;
    blocks.n_widths = blocks.n_resolutions = 0;
    return printed(space_keys, &blocks);
}

bool config_same_blocks(const Space *a, const Space *b)
{
    char *x = printed_blocks(a), *y = printed_blocks(b);
    bool same = strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

char *config_text(const Job *job)
{
    return printed(job_keys, job);
}

char *config_calibration(const Target *target)
{
    const Key *keys = target_keys;
    while (strcmp(keys->name, "code") != 0)
        keys++;
    return printed(keys, target); /* the table's end: code, latency */
}

int config_space(Space *space, const char *name)
{
    memset(space, 0, sizeof *space);
    space->in_c = 3;
    return read_named("spaces", name, space_keys, space) == 0 ? space_check(space) : -1;
}
