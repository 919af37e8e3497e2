#include "config/config_keys.h"

#include "config/config.h"

#include <stddef.h>

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

const Key space_keys[] = {
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

/* KERNEL(index, word) for every kernel there is: operators, then steps. */
#define OPERATOR(op, word) KERNEL(OP_##op, word)
#define STEP(step, word) KERNEL(STEP_##step, word)
#define KERNELS NET_OPS(OPERATOR) PLAN_STEPS(STEP)

static const Key cycles_keys[] = {
#define KERNEL(index, word)                                                                       \
    {.name = word, .type = KEY_NUMBER, .offset = (index) * sizeof(double),                        \
     .size = sizeof(double), .most = 100, .sparse = true,                                         \
     .help = "cycles an instruction of it takes, 0: not known"},
    KERNELS
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
#define KERNEL(index, word)                                                                       \
    {.name = word, .type = KEY_NUMBERS, .offset = offsetof(Latency, weight[index]),               \
     .size = N_FEATURES, .help = "see estimator/latency.h"},
    KERNELS
#undef KERNEL
    {.name = "cycles_per_instruction", .type = KEY_MAP, .sparse = true,
     .size = sizeof(((Latency *)0)->cycles_per_instruction),
     MAP(Latency, cycles_per_instruction, cycles_keys)},
    {.type = KEY_PLACE, .offset = offsetof(Latency, place), .size = sizeof(((Latency *)0)->place)},
    {.type = KEY_END}};

static const Key stack_keys[] = {
#define KERNEL(index, word)                                                                       \
    {.name = word, .type = KEY_INT, .offset = (index) * sizeof(uint32_t),                         \
     .size = sizeof(uint32_t), .most = 1e6, .help = "peak bytes with no other kernel"},
    KERNELS
#undef KERNEL
    {.type = KEY_END}};

static const Key code_keys[] = {
    VALUE("source", KEY_TEXT, CodeSize, source, 0, 0, "compiler and flags"),
    VALUE("run", KEY_INT, CodeSize, run, 0, 1e6, "bytes of the executor"),
    VALUE("tile", KEY_INT, CodeSize, tile, 0, 1e6, "bytes that conv_pairs and pointwise_pairs share"),
    VALUE("stack", KEY_INT, CodeSize, stack, 0, 1e6, "peak bytes of one inference"),
#define KERNEL(index, word) VALUE(word, KEY_INT, CodeSize, kernel[index], 0, 1e6, "bytes of the kernel"),
    KERNELS
#undef KERNEL
    {.name = "kernel_stack", .type = KEY_MAP, MAP(CodeSize, kernel_stack, stack_keys)},
    {.type = KEY_END}};

const Key target_keys[] = {
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
    VALUE("channels", KEY_INT, DataOptions, raw_c, 0, UINT8_MAX, ""),
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
    VALUE("resolutions", KEY_INT, Job, sweep.resolutions, 1, SPACE_MAX_CHOICES,
          "searched at once: the chosen one and its nearest"),
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
    SPARSE("average", KEY_NUMBER, TrainOptions, average, 0, 1e5, "epochs whose weights are averaged; 0: the last"),
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

static const Key predictor_keys[] = {
    VALUE("after", KEY_INT, Job, predictor.after, 0, 1e6, "evaluations it learns from; 0: no predictor"),
    VALUE("checked", KEY_INT, Job, predictor.checked, 1, 1e6, "networks it thinks best that are evaluated"),
    {.type = KEY_END}};

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
    VALUE("stop", KEY_NUMBER, Job, stop, 0, 100, "standard errors below the parents; 0: all images are scored"),
    {.name = "predictor", .type = KEY_MAP, .sub = predictor_keys},
    VALUE("finalists", KEY_INT, Job, finalists, 0, 1e6, "the best, again on all validation images; 0: none"),
    {.type = KEY_END}};

static const Key quantize_keys[] = {
    VALUE("calibration_images", KEY_INT, Job, calibration_images, 1, 1e9, "training images for int8 ranges"),
    {.type = KEY_END}};

static const Key device_keys[] = {
    VALUE("images", KEY_INT, Job, device_images, 1, 10000, "run on the emulated board, compared with the host"),
    {.type = KEY_END}};

const Key job_keys[] = {
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
