#define _GNU_SOURCE
#include "cli/config.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/schema.h"
#include "runtime/tb.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the tables */

#define VALUE(key, kind, type_, field, low, high, text)                                            \
    {.name = key, .type = kind, .offset = offsetof(type_, field),                                  \
     .size = sizeof(((type_ *)0)->field), .least = low, .most = high, .help = text}
#define SPARSE(key, kind, type_, field, low, high, text)                                           \
    {.name = key, .type = kind, .offset = offsetof(type_, field), .sparse = true,                  \
     .size = sizeof(((type_ *)0)->field), .least = low, .most = high, .help = text}
#define MAP(type, field, table) .offset = offsetof(type, field), .sub = table

#define X(x, name) name,
static const char *const policies[] = {PLAN_POLICIES(X) "tinyengine", NULL};
static const char *const images[] = {"resident", "outside", NULL};
static const char *const kernels[] = {"pairs", "small", NULL};
static const char *const formats[] = {DATA_FORMATS(X) NULL};
static const char *const algorithms[] = {ALGORITHMS(X) NULL};
static const char *const scores[] = {SCORES(X) NULL};
static const char *const genes[] = {SHRINK_GENES(X) NULL};
#undef X
#define X(x, name, field) name,
static const char *const objectives[] = {"accuracy", PARETO_COSTS(X) NULL};
#undef X

static const Key byte_element[] = {{.type = KEY_INT, .size = 1, .least = 1, .most = 255}};
static const Key width_element[] = {{.type = KEY_NUMBER, .least = 0.01, .most = 8}};
static const Key resolution_element[] = {
    {.type = KEY_PAIR, .size = sizeof(Resolution), .least = 1, .most = 1024}};

#define CHOICES(type_, field, text)                                                                \
    .type = KEY_LIST, .offset = offsetof(type_, field.value), .size = 1,                           \
    .count_offset = offsetof(type_, field.n), .room = SPACE_MAX_CHOICES, .sub = byte_element,      \
    .help = text

static const Key stage_keys[] = {
    VALUE("channels", KEY_INT, Stage, channels, 1, 4096, "before the width multiplier"),
    VALUE("stride", KEY_PAIR, Stage, stride, 1, 8, "of the stage's first block"),
    {.name = "kernels", CHOICES(Stage, kernel, "of the depthwise, odd")},
    {.name = "expansions", CHOICES(Stage, expansion, "middle channels / input channels")},
    {.name = "depths", CHOICES(Stage, depth, "blocks")},
    {.type = KEY_END}};

static const Key stem_keys[] = {
    VALUE("channels", KEY_INT, Space, stem.channels, 1, 4096, ""),
    VALUE("kernel", KEY_PAIR, Space, stem.kernel, 1, 15, ""),
    VALUE("stride", KEY_PAIR, Space, stem.stride, 1, 8, ""),
    {.type = KEY_END}};

static const Key first_keys[] = {
    VALUE("channels", KEY_INT, Space, first_block.channels, 0, 4096, "0: none"),
    VALUE("kernel", KEY_PAIR, Space, first_block.kernel, 1, 15, ""),
    VALUE("stride", KEY_PAIR, Space, first_block.stride, 1, 8, ""),
    {.type = KEY_END}};

static const Key space_keys[] = {
    VALUE("name", KEY_TEXT, Space, name, 0, 0, ""),
    {.name = "widths", .type = KEY_LIST, .offset = offsetof(Space, width), .size = sizeof(double),
     .count_offset = offsetof(Space, n_widths), .room = SPACE_MAX_WIDTHS, .sub = width_element},
    {.name = "resolutions", .type = KEY_LIST, .offset = offsetof(Space, resolution),
     .size = sizeof(Resolution), .count_offset = offsetof(Space, n_resolutions),
     .room = SPACE_MAX_RESOLUTIONS, .sub = resolution_element},
    VALUE("divisor", KEY_INT, Space, divisor, 1, 64, "channels are made divisible by it"),
    {.name = "stem", .type = KEY_MAP, .sub = stem_keys},
    {.name = "first_block", .type = KEY_MAP, .sub = first_keys},
    {.name = "stages", .type = KEY_LIST, .offset = offsetof(Space, stage), .size = sizeof(Stage),
     .count_offset = offsetof(Space, n_stages), .room = SPACE_MAX_STAGES, .sub = stage_keys},
    VALUE("head", KEY_INT, Space, head, 0, 4096, "channels of a last 1x1, 0 for none"),
    {.type = KEY_END}};

static const Key cycles_keys[] = {
#define KERNEL(index, word)                                                                       \
    {.name = word, .type = KEY_NUMBER, .offset = (index) * sizeof(double),                        \
     .size = sizeof(double), .most = 100, .sparse = true,                                         \
     .help = "cycles an instruction of it takes, 0: not known"},
#define X(op, word) KERNEL(OP_##op, word)
    NET_OPS(X)
#undef X
#define X(step, word) KERNEL(STEP_##step, word)
    PLAN_STEPS(X)
#undef X
#undef KERNEL
    {.type = KEY_END}};

static const Key latency_keys[] = {
    VALUE("unit", KEY_TEXT, Latency, unit, 0, 0, "instructions or cycles"),
    VALUE("source", KEY_TEXT, Latency, source, 0, 0, "how it was measured"),
    VALUE("compiler", KEY_TEXT, Latency, compiler, 0, 0, "of the kernels, and its flags"),
    VALUE("runtime", KEY_INT, Latency, runtime, 0, 1e9, "version of the kernels: TB_VERSION"),
    SPARSE("clock", KEY_HERTZ, Latency, clock_hz, 0, 0, "of the board that was measured"),
    VALUE("error", KEY_NUMBER, Latency, error, 0, 100, "mean relative error on other networks"),
    SPARSE("worst", KEY_NUMBER, Latency, worst, 0, 1000, "of one of them, 0: not known"),
    VALUE("fixed", KEY_NUMBER, Latency, fixed, 0, 0, "once a network"),
#define X(op, word)                                                                               \
    {.name = word, .type = KEY_NUMBERS, .offset = offsetof(Latency, weight[OP_##op]),             \
     .size = N_FEATURES, .help = "op, row, pixel, output, mac"},
    NET_OPS(X)
#undef X
#define X(step, word)                                                                             \
    {.name = word, .type = KEY_NUMBERS, .offset = offsetof(Latency, weight[STEP_##step]),         \
     .size = N_FEATURES, .help = "see estimator/latency.h"},
    PLAN_STEPS(X)
#undef X
    {.name = "cycles_per_instruction", .type = KEY_MAP, .sparse = true,
     .size = sizeof(((Latency *)0)->cycles_per_instruction),
     MAP(Latency, cycles_per_instruction, cycles_keys)},
    {.type = KEY_PLACE, .offset = offsetof(Latency, place), .size = sizeof(((Latency *)0)->place)},
    {.type = KEY_END}};

static const Key stack_keys[] = {
#define KERNEL(index, word)                                                                       \
    {.name = word, .type = KEY_INT, .offset = (index) * sizeof(uint32_t),                         \
     .size = sizeof(uint32_t), .most = 1e6, .help = "peak bytes with no other kernel"},
#define X(op, word) KERNEL(OP_##op, word)
    NET_OPS(X)
#undef X
#define X(step, word) KERNEL(STEP_##step, word)
    PLAN_STEPS(X)
#undef X
#undef KERNEL
    {.type = KEY_END}};

static const Key code_keys[] = {
    VALUE("source", KEY_TEXT, CodeSize, source, 0, 0, "compiler and flags"),
    VALUE("run", KEY_INT, CodeSize, run, 0, 1e6, "bytes of the executor"),
    VALUE("stack", KEY_INT, CodeSize, stack, 0, 1e6, "peak bytes of one inference"),
#define X(op, word) VALUE(word, KEY_INT, CodeSize, kernel[OP_##op], 0, 1e6, "bytes of the kernel"),
    NET_OPS(X)
#undef X
#define X(step, word) VALUE(word, KEY_INT, CodeSize, kernel[STEP_##step], 0, 1e6, "bytes of the kernel"),
    PLAN_STEPS(X)
#undef X
    {.name = "kernel_stack", .type = KEY_MAP, MAP(CodeSize, kernel_stack, stack_keys)},
    {.type = KEY_END}};

static const Key target_keys[] = {
    VALUE("name", KEY_TEXT, Target, name, 0, 0, ""),
    VALUE("core", KEY_TEXT, Target, core, 0, 0, "cortex-m4, cortex-m7, cortex-m55"),
    VALUE("machine", KEY_TEXT, Target, machine, 0, 0, "QEMU's board, empty: estimates only"),
    VALUE("sram", KEY_BYTES, Target, sram, 0, 0, "on the chip"),
    VALUE("flash", KEY_BYTES, Target, flash, 0, 0, "on the chip"),
    VALUE("sram_reserve", KEY_BYTES, Target, sram_reserve, 0, 0, "for stack and application"),
    VALUE("flash_reserve", KEY_BYTES, Target, flash_reserve, 0, 0, "for the application's code"),
    VALUE("clock", KEY_HERTZ, Target, clock_hz, 0, 0, ""),
    {.name = "kernels", .type = KEY_CHOICE, .offset = offsetof(Target, kernels), .words = kernels},
    SPARSE("power", KEY_WATTS, Target, active_mw, 0, 1e9, "while it computes; 0: not known"),
    {.name = "code", .type = KEY_MAP, MAP(Target, code, code_keys)},
    {.name = "latency", .type = KEY_MAP, MAP(Target, latency, latency_keys)},
    {.type = KEY_END}};

static const Key limits_keys[] = {
    VALUE("sram", KEY_BYTES, Limits, sram, 0, 0, "of the arena; 0: the target's less its reserve"),
    VALUE("flash", KEY_BYTES, Limits, flash, 0, 0, "of model and runtime; 0: the target's less its reserve"),
    VALUE("macs", KEY_COUNT, Limits, macs, 0, 0, "0: no limit"),
    VALUE("latency", KEY_AMOUNT, Limits, latency, 0, 1e15, "in the unit of the target's model; 0: no limit"),
    SPARSE("energy", KEY_JOULES, Limits, energy, 0, 1e15, "of one inference; 0: no limit"),
    {.type = KEY_END}};

static const Key raw_keys[] = {
    VALUE("height", KEY_INT, DataOptions, raw_h, 0, 4096, "of a file's tensor"),
    VALUE("width", KEY_INT, DataOptions, raw_w, 0, 4096, ""),
    VALUE("channels", KEY_INT, DataOptions, raw_c, 0, 4096, ""),
    VALUE("unsigned", KEY_BOOL, DataOptions, raw_unsigned, 0, 0, "uint8 instead of int8"),
    VALUE("zero_point", KEY_INT, DataOptions, raw_zero, -128, 255, "real = (value - zero_point) * scale"),
    VALUE("scale", KEY_NUMBER, DataOptions, raw_scale, 0, 0, ""),
    {.type = KEY_END}};

static const Key synthetic_keys[] = {
    VALUE("train", KEY_INT, DataOptions, synthetic_train, 1, 1e7, "images drawn"),
    VALUE("test", KEY_INT, DataOptions, synthetic_test, 1, 1e7, ""),
    VALUE("classes", KEY_INT, DataOptions, synthetic_classes, 2, 12, ""),
    {.type = KEY_END}};

static const Key data_keys[] = {
    {.name = "format", .type = KEY_CHOICE, .offset = offsetof(DataOptions, format), .words = formats},
    VALUE("path", KEY_TEXT, DataOptions, path, 0, 0, "the folder"),
    VALUE("holdout", KEY_NUMBER, DataOptions, holdout, 0.001, 0.9, "test share where there is no test/"),
    VALUE("channels", KEY_INT, DataOptions, c, 1, 64, "3, or 1 for gray"),
    VALUE("groups", KEY_TEXT, DataOptions, groups, 0, 0, "names that agree up to one of these show the same"),
    VALUE("limit", KEY_INT, DataOptions, limit, 0, 1e9, "training images a class, 0: all"),
    {.name = "raw", .type = KEY_MAP, .sub = raw_keys},
    {.name = "synthetic", .type = KEY_MAP, .sub = synthetic_keys},
    {.type = KEY_END}};

static const Key sweep_keys[] = {
    VALUE("samples", KEY_INT, Job, sweep.samples, 1, 1e6, "networks a (width, resolution)"),
    VALUE("min_feasible", KEY_INT, Job, sweep.min_feasible, 1, 1e6, "fewer fitting networks do not count"),
    VALUE("width", KEY_NUMBER, Job, width, 0, 8, "with resolution: no stage 1; 0: let it choose"),
    VALUE("resolution", KEY_PAIR, Job, resolution, 0, 1024, ""),
    {.type = KEY_END}};

static const Key augment_keys[] = {
    VALUE("crop", KEY_INT, Augment, crop, 0, 64, "pixels a picture is shifted at most"),
    VALUE("flip", KEY_BOOL, Augment, flip, 0, 0, "left to right, every other picture"),
    VALUE("cutout", KEY_INT, Augment, cutout, 0, 512, "side of a blank square, 0: none"),
    VALUE("slide", KEY_INT, Augment, slide, 0, 512, "rows it is shifted besides, at most"),
    VALUE("edge", KEY_BOOL, Augment, edge, 0, 0, "what comes in from outside repeats the edge"),
    VALUE("fill", KEY_BOOL, Augment, fill, 0, 0, "and else a gray drawn for the picture, as a cutout"),
    VALUE("spot", KEY_NUMBER, Augment, spot, 0, 1, "share of pictures seen near the middle alone"),
    VALUE("blur", KEY_INT, Augment, blur, 0, 64, "pixels averaged either side, at most"),
    VALUE("invert", KEY_NUMBER, Augment, invert, 0, 1, "share of pictures that become negatives"),
    VALUE("zoom", KEY_NUMBER, Augment, zoom, 0, 4, "0.5: scaled by up to 1.5, either way"),
    VALUE("stretch", KEY_NUMBER, Augment, stretch, 0, 4, "height against width, likewise"),
    VALUE("rotate", KEY_NUMBER, Augment, rotate, 0, 180, "degrees at most, either way"),
    VALUE("level", KEY_NUMBER, Augment, level, 0, 4, "means of pictures become any up to this"),
    VALUE("brightness", KEY_NUMBER, Augment, brightness, 0, 4, "added at most, in deviations"),
    VALUE("contrast", KEY_NUMBER, Augment, contrast, 0, 4, "0.5: times up to 1.5, either way"),
    VALUE("saturation", KEY_NUMBER, Augment, saturation, 0, 4, "likewise, of colours"),
    VALUE("hue", KEY_NUMBER, Augment, hue, 0, 180, "degrees at most, either way"),
    VALUE("gray", KEY_NUMBER, Augment, gray, 0, 1, "share of pictures that become gray"),
    VALUE("noise", KEY_NUMBER, Augment, noise, 0, 4, "largest deviation of normal noise"),
    VALUE("mask_rows", KEY_INT, Augment, mask_rows, 0, 512, "at most so many side by side are blank"),
    VALUE("mask_columns", KEY_INT, Augment, mask_columns, 0, 512, "likewise"),
    {.type = KEY_END}};

static const Key gene_element[] = {{.type = KEY_CHOICE, .size = sizeof(int), .words = genes}};

static const Key netaug_keys[] = {
    VALUE("width", KEY_NUMBER, NetAug, width, 1, 8, "most channels of wider networks, times the winner's"),
    VALUE("expansion", KEY_NUMBER, NetAug, expansion, 1, 8, "and in the middle of their blocks, besides"),
    VALUE("share", KEY_NUMBER, NetAug, share, 0, 100, "of the wider network's loss"),
    {.type = KEY_END}};

static const Key train_keys[] = {
    VALUE("epochs", KEY_INT, TrainOptions, epochs, 0, 1e5, ""),
    VALUE("batch", KEY_INT, TrainOptions, batch, 2, 65536, "images a step"),
    VALUE("shards", KEY_INT, TrainOptions, shards, 1, 1024, "parts of a batch with norms of their own"),
    VALUE("subnets", KEY_INT, TrainOptions, subnets, 1, 64, "random subnets a step (supernet)"),
    VALUE("sandwich", KEY_BOOL, TrainOptions, sandwich, 0, 0, "largest and smallest always among them (supernet)"),
    VALUE("distill", KEY_BOOL, TrainOptions, distill, 0, 0, "the largest teaches the others (supernet)"),
    {.name = "shrink", .type = KEY_LIST, .offset = offsetof(TrainOptions, shrink.gene), .size = sizeof(int),
     .count_offset = offsetof(TrainOptions, shrink.n), .room = N_SHRINK_GENES, .sub = gene_element,
     .help = "order in which choices open; []: all from the start (supernet)"},
    {.name = "netaug", .type = KEY_MAP, MAP(TrainOptions, netaug, netaug_keys)},
    VALUE("rate", KEY_NUMBER, TrainOptions, rate, 1e-9, 100, "peak learning rate"),
    VALUE("warm_up", KEY_NUMBER, TrainOptions, warm_up, 0, 1000, "epochs"),
    VALUE("momentum", KEY_NUMBER, TrainOptions, momentum, 0, 0.9999, ""),
    VALUE("weight_decay", KEY_NUMBER, TrainOptions, weight_decay, 0, 1, ""),
    VALUE("label_smoothing", KEY_NUMBER, TrainOptions, label_smoothing, 0, 0.9, ""),
    VALUE("mixup", KEY_NUMBER, TrainOptions, mixup, 0, 1, "alpha of pictures laid over each other; 0: none"),
    VALUE("all_images", KEY_BOOL, TrainOptions, all_images, 0, 0, "those too that scored candidates (finetune)"),
    VALUE("teaching", KEY_NUMBER, TrainOptions, teaching, 0, 1, "share of the largest network's answers (finetune)"),
    {.name = "augment", .type = KEY_MAP, MAP(TrainOptions, augment, augment_keys)},
    {.type = KEY_END}};

static const Key phases_keys[] = {
    {.name = "largest", .type = KEY_MAP, MAP(Job, largest, train_keys)},
    {.name = "supernet", .type = KEY_MAP, MAP(Job, supernet, train_keys)},
    {.name = "teacher", .type = KEY_MAP, MAP(Job, teacher, train_keys)},
    {.name = "finetune", .type = KEY_MAP, MAP(Job, finetune, train_keys)},
    {.type = KEY_END}};

static const Key objective_element[] = {
    {.type = KEY_CHOICE, .size = sizeof(int), .words = objectives}};

static const Key search_keys[] = {
    {.name = "algorithm", .type = KEY_CHOICE, .offset = offsetof(Job, search.algorithm), .words = algorithms},
    {.name = "objectives", .type = KEY_LIST, .offset = offsetof(Job, objective), .size = sizeof(int),
     .count_offset = offsetof(Job, n_objectives), .room = PARETO_OBJECTIVES, .sub = objective_element,
     .help = "accuracy and costs to be made small: of nsga2, aging, front and hypervolume"},
    VALUE("population", KEY_INT, Job, search.population, 0, 1e6, "0, here and below: the algorithm's own"),
    VALUE("parents", KEY_INT, Job, search.parents, 0, 1e6, ""),
    VALUE("crossovers", KEY_INT, Job, search.crossovers, 0, 1e6, "children a generation"),
    VALUE("mutations", KEY_INT, Job, search.mutations, 0, 1e6, "children a generation"),
    VALUE("mutation_rate", KEY_NUMBER, Job, search.mutation_rate, 0, 1, "a gene"),
    VALUE("generations", KEY_INT, Job, search.generations, 0, 1e6, "at most, after the first population"),
    VALUE("evaluations", KEY_INT, Job, search.evaluations, 0, 1e6, "at most; 0: those of the generations"),
    VALUE("seconds", KEY_NUMBER, Job, search.seconds, 0, 1e9, "ends with the generation they pass in; 0: no bound"),
    {.name = "score", .type = KEY_CHOICE, .offset = offsetof(Job, score), .words = scores},
    VALUE("score_images", KEY_INT, Job, score_images, 1, 1e9, "validation images, at most"),
    VALUE("recalibration_batches", KEY_INT, Job, recalibration_batches, 1, 1e6, ""),
    VALUE("recalibration_batch", KEY_INT, Job, recalibration_batch, 2, 65536, "images"),
    {.type = KEY_END}};

static const Key quantize_keys[] = {
    VALUE("calibration_images", KEY_INT, Job, calibration_images, 1, 1e9, "training images for int8 ranges"),
    {.type = KEY_END}};

static const Key device_keys[] = {
    VALUE("images", KEY_INT, Job, device_images, 1, 10000, "run on the emulated board, compared with the host"),
    {.type = KEY_END}};

static const Key job_keys[] = {
    VALUE("name", KEY_TEXT, Job, name, 0, 0, ""),
    VALUE("seed", KEY_INT, Job, seed, 0, 9e15, "the same seed gives the same result"),
    VALUE("threads", KEY_INT, Job, threads, 0, 1024, "0: one a core; not part of the result"),
    VALUE("checkpoint", KEY_NUMBER, Job, checkpoint, 0, 3600, "seconds of training a kill can cost"),
    {.name = "schedule", .type = KEY_CHOICE, .offset = offsetof(Job, schedule), .words = policies},
    {.name = "image", .type = KEY_CHOICE, .offset = offsetof(Job, image), .words = images},
    {.name = "target", .type = KEY_MAP, MAP(Job, target, target_keys), .folder = "targets",
     .size = sizeof(Target)},
    {.name = "limits", .type = KEY_MAP, MAP(Job, limits, limits_keys)},
    {.name = "space", .type = KEY_MAP, MAP(Job, space, space_keys), .folder = "spaces"},
    {.name = "data", .type = KEY_MAP, MAP(Job, data, data_keys)},
    VALUE("validation", KEY_NUMBER, Job, validation, 0.001, 0.9, "share of the training images that scores candidates"),
    {.name = "stage1", .type = KEY_MAP, .sub = sweep_keys},
    {.name = "train", .type = KEY_MAP, .sub = phases_keys},
    {.name = "stage2", .type = KEY_MAP, .sub = search_keys},
    {.name = "quantize", .type = KEY_MAP, .sub = quantize_keys},
    {.name = "device", .type = KEY_MAP, .sub = device_keys},
    {.type = KEY_END}};

/* --- jobs */

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
    job->sweep = (SweepOptions){.samples = 1000, .min_feasible = 50};
    TrainOptions t = {.epochs = 30,
                      .batch = 128,
                      .shards = 2,
                      .subnets = 4,
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
    job->calibration_images = 500;
    job->device_images = 4;
}

static int check_phase(const TrainOptions *o, const char *name)
{
    if (o->teaching > 0 && strcmp(name, "finetune") != 0)
        return errorf("train.%s: teaching is for finetune, after the largest network is trained",
                      name);
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

/* Nobody may learn what candidates are scored on before they are. */
static int check_before_winner(const TrainOptions *o, const char *name)
{
    if (o->all_images)
        return errorf("train.%s: all_images is for finetune, after the candidates were scored", name);
    return check_phase(o, name);
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

static void resolve_limits(Limits *limits, const Target *target)
{
    if (!limits->sram)
        limits->sram =
            target->sram > target->sram_reserve ? target->sram - target->sram_reserve : 1;
    if (!limits->flash)
        limits->flash =
            target->flash > target->flash_reserve ? target->flash - target->flash_reserve : 1;
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
    return check_total(o);
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
    if (check_before_winner(&job->largest, "largest") != 0 ||
        check_before_winner(&job->supernet, "supernet") != 0 ||
        check_phase(&job->teacher, "teacher") != 0 ||
        check_phase(&job->finetune, "finetune") != 0)
        return -1;
    return space_check(&job->space) == 0 ? find_fixed_space(job) : -1;
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

int config_set(Job *job, const char *const *sets, int n)
{
    EvolveOptions before = job->search;
    if (assign(job, sets, n) != 0)
        return -1;
    if (job->search.algorithm == before.algorithm)
        return 0;
    forget_sizes(&job->search);
    assign(job, sets, n); /* it went well before: those that are named, once more */
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

int config_load(Job *job, const char *name, const char *const *sets, int n_sets)
{
    config_defaults(job);
    bool is_path = strchr(name, '/') || strstr(name, ".yaml") || file_exists(name);
    char *path = is_path ? xstrdup(name) : schema_find(NULL, "jobs", name);
    int status = path ? read_job(job, yaml_read(path), sets, n_sets) : -1;
    free(path);
    if (status == 0)
        status = config_check_runtime(&job->target);
    return status == 0 ? make_absolute(&job->data) : -1;
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

/* --- networks as block lists */

typedef struct {
    int in, mid, out, k, se;
    Size2 stride;
    bool residual, pw1;
    double expand;
} Block;

typedef struct {
    char name[96];
    int resolution, input_channels;
    struct {
        int out;
        Size2 k, stride;
        int act; /* Act */
    } first_conv;
    Block block[40];
    uint8_t n_blocks;
    struct {
        int out, k, act;
    } feature_mix;
    struct {
        int in, out;
        bool bias;
    } classifier;
} BlockList;

static const char *const acts[] = {
    [ACT_NONE] = "none", [ACT_RELU] = "relu", [ACT_RELU6] = "relu6", NULL};

static const Key block_keys[] = {
    VALUE("in", KEY_INT, Block, in, 1, 65535, ""),
    VALUE("mid", KEY_INT, Block, mid, 1, 65535, ""),
    VALUE("out", KEY_INT, Block, out, 1, 65535, ""),
    VALUE("expand", KEY_NUMBER, Block, expand, 0, 1000, ""),
    VALUE("k", KEY_INT, Block, k, 0, 255, "0: no depthwise"),
    VALUE("stride", KEY_PAIR, Block, stride, 1, 255, ""),
    VALUE("residual", KEY_BOOL, Block, residual, 0, 0, ""),
    VALUE("pw1", KEY_BOOL, Block, pw1, 0, 0, "has the expanding 1x1"),
    VALUE("se", KEY_INT, Block, se, 0, 65535, "squeeze-and-excite width"),
    {.type = KEY_END}};

static const Key first_conv_keys[] = {
    VALUE("out", KEY_INT, BlockList, first_conv.out, 1, 65535, ""),
    VALUE("k", KEY_PAIR, BlockList, first_conv.k, 1, 255, ""),
    VALUE("stride", KEY_PAIR, BlockList, first_conv.stride, 1, 255, ""),
    {.name = "act", .type = KEY_CHOICE, .offset = offsetof(BlockList, first_conv.act), .words = acts},
    {.type = KEY_END}};

static const Key mix_keys[] = {VALUE("out", KEY_INT, BlockList, feature_mix.out, 1, 65535, ""),
                               VALUE("k", KEY_INT, BlockList, feature_mix.k, 1, 1, ""),
                               {.name = "act", .type = KEY_CHOICE,
                                .offset = offsetof(BlockList, feature_mix.act), .words = acts},
                               {.type = KEY_END}};

static const Key classifier_keys[] = {
    VALUE("in", KEY_INT, BlockList, classifier.in, 1, 65535, ""),
    VALUE("out", KEY_INT, BlockList, classifier.out, 1, 65535, ""),
    VALUE("bias", KEY_BOOL, BlockList, classifier.bias, 0, 0, ""),
    {.type = KEY_END}};

static const Key net_keys[] = {
    VALUE("name", KEY_TEXT, BlockList, name, 0, 0, ""),
    VALUE("resolution", KEY_INT, BlockList, resolution, 1, 1024, ""),
    VALUE("input_channels", KEY_INT, BlockList, input_channels, 1, 64, ""),
    {.name = "first_conv", .type = KEY_MAP, .sub = first_conv_keys},
    {.name = "blocks",
     .type = KEY_LIST,
     .offset = offsetof(BlockList, block),
     .size = sizeof(Block),
     .count_offset = offsetof(BlockList, n_blocks),
     .room = 40,
     .sub = block_keys},
    {.name = "feature_mix", .type = KEY_MAP, .sub = mix_keys},
    {.name = "classifier", .type = KEY_MAP, .sub = classifier_keys},
    {.type = KEY_END}};

static int with_role(Net *net, int layer, Role role)
{
    net->layer[layer].role = (uint8_t)role;
    return layer;
}

/* Squeeze-and-excite: each channel times a hard sigmoid of what two dense layers make of the
 * channels' means (MobileNetV3, arXiv 1905.02244). */
static int build_excite(Net *net, int at, int width)
{
    int c = net->layer[at].out_c;
    int vector = net_dense(net, net_global_pool(net, at), width, ACT_RELU);
    vector = net_dense(net, vector, c, ACT_NONE);
    return net_gate(net, at, net_lookup(net, vector));
}

static int layers_of(const Block *b)
{
    return b->pw1 + (b->k > 0) + 5 * (b->se > 0) + 1 + b->residual;
}

/* Like net_block(), where the depthwise may be missing and squeeze-and-excite may follow it. */
static int build_block(Net *net, const Block *b, int number, int input)
{
    int first = net->n_layers, at = input;
    if (b->pw1)
        at = with_role(net, net_pointwise(net, at, b->mid, ACT_RELU6), ROLE_EXPAND);
    if (b->k)
        at = with_role(net, net_depthwise(net, at, square(b->k), b->stride, ACT_RELU6),
                       ROLE_DEPTHWISE);
    if (b->se)
        at = build_excite(net, at, b->se);
    at = with_role(net, net_pointwise(net, at, b->out, ACT_NONE), ROLE_PROJECT);
    if (b->residual)
        at = with_role(net, net_add(net, at, input), ROLE_ADD);
    for (int i = first; i < net->n_layers; i++) {
        net->layer[i].stage = 1;
        net->layer[i].block = (uint8_t)number;
    }
    return at;
}

static int check_block(const Net *net, const Block *b, int number, int at, const YamlNode *node)
{
    int in_c = net->layer[at].out_c, behind = 3; /* feature mix, pool, classifier */
    if (b->in != in_c)
        return yaml_error(node, "block %d takes %d channels, but gets %d", number, b->in, in_c);
    if (!b->out || !b->stride.h)
        return yaml_error(node, "block %d wants in, mid, out, k and stride", number);
    if (b->pw1 ? !b->mid : b->mid && b->mid != b->in)
        return yaml_error(node, "block %d: without pw1 its %d channels do not become %d", number,
                          b->in, b->mid);
    if (!b->k && (b->stride.h > 1 || b->stride.w > 1))
        return yaml_error(node, "block %d has a stride, but no depthwise (k: 0) to make it", number);
    bool same = b->out == b->in && b->stride.h == 1 && b->stride.w == 1;
    if (b->residual && !same)
        return yaml_error(node, "block %d: a residual wants stride 1 and as many channels out as in",
                          number);
    if (net_full(net, layers_of(b) + behind))
        return yaml_error(node, "with block %d the network has more than %d layers", number,
                          NET_MAX_LAYERS);
    return 0;
}

static int build_net(Net *net, const BlockList *b, int resolution, const YamlNode *root)
{
    const YamlNode *blocks = yaml_get(root, "blocks");
    if (!b->resolution || !b->input_channels || !b->first_conv.out || !b->classifier.out)
        return errorf("%s: wants resolution, input_channels, first_conv, blocks and classifier",
                      root->file);
    int r = resolution ? resolution : b->resolution;
    net_begin(net, r, r, b->input_channels);
    int at = net_conv(net, NET_IMAGE, b->first_conv.out, b->first_conv.k, b->first_conv.stride,
                      (Act)b->first_conv.act);
    with_role(net, at, ROLE_STEM);
    for (int i = 0; i < b->n_blocks; i++) {
        if (check_block(net, &b->block[i], i, at, blocks->child[i]) != 0)
            return -1;
        at = build_block(net, &b->block[i], i, at);
    }
    if (b->feature_mix.out)
        at = with_role(net, net_pointwise(net, at, b->feature_mix.out, (Act)b->feature_mix.act),
                       ROLE_HEAD);
    at = with_role(net, net_global_pool(net, at), ROLE_POOL);
    with_role(net, net_dense(net, at, b->classifier.out, ACT_NONE), ROLE_CLASSIFIER);
    if (net_check(net) == 0)
        return 0;
    char *why = xstrdup(error_text());
    errorf("%s: %s", root->file, why);
    free(why);
    return -1;
}

/* A list of operators is another form; we say so, and which operator we lack, if any. */
static int refuse_operators(const YamlNode *ops)
{
    static const char *const known[] = {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D",
                                        "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX", "MEAN"};
    enum { N_KNOWN = sizeof known / sizeof *known };
    for (int i = 0; ops->kind == YAML_LIST && i < ops->n; i++) {
        const YamlNode *op = yaml_get(ops->child[i], "op");
        int k = 0;
        while (op && op->text && k < N_KNOWN && strcmp(known[k], op->text) != 0)
            k++;
        if (k == N_KNOWN)
            return yaml_error(op, "operator %d (%s) is not supported; and a network is a list of "
                              "blocks, not of operators", i, op->text);
    }
    return yaml_error(ops, "a network is a list of blocks, not of operators");
}

static int read_blocks(BlockList *b, YamlNode *root)
{
    const YamlNode *ops = root->kind == YAML_MAP ? yaml_get(root, "ops") : NULL;
    if (ops)
        return refuse_operators(ops);
    for (int i = 0; i < root->n; i++) /* `feature_mix: null`: there is none */
        if (root->kind == YAML_MAP && root->child[i]->kind == YAML_SCALAR &&
            strcmp(root->child[i]->key, "feature_mix") == 0)
            root->child[i]->kind = YAML_MAP;
    return schema_read(root, net_keys, b);
}

int config_net(Net *net, const char *path, int resolution)
{
    BlockList b = {.first_conv = {.stride = {1, 1}, .k = {3, 3}, .act = ACT_RELU6},
                   .feature_mix = {.act = ACT_RELU6}};
    YamlNode *root = yaml_read(path);
    int status = root ? read_blocks(&b, root) : -1;
    if (status == 0)
        status = build_net(net, &b, resolution, root);
    yaml_close(root);
    return status;
}
