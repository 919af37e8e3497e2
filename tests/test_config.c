#define _GNU_SOURCE
#include "config/config.h"

#include "base/alloc.h"
#include "base/file.h"
#include "config/schema.h"
#include "runtime/tb.h"
#include "tests/suite.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TEST(every_job_and_target_that_comes_along_loads)
{
    const char *patterns[] = {"configs/jobs/*.yaml", "configs/targets/*.yaml", "configs/spaces/*.yaml"};
    for (int kind = 0; kind < 3; kind++) {
        glob_t files;
        ck_assert_int_eq(glob(patterns[kind], 0, NULL, &files), 0);
        for (size_t i = 0; i < files.gl_pathc; i++) {
            Job job;
            Target target;
            Space space;
            const char *path = files.gl_pathv[i];
            int status = kind == 0   ? config_load(&job, path, NULL, 0)
                         : kind == 1 ? config_target(&target, path)
                                     : config_space(&space, path);
            ck_assert_msg(status == 0, "%s", error_text());
        }
        globfree(&files);
    }
}
END

TEST(the_effective_config_reads_back_to_itself)
{
    Job job, back;
    const char *sets[] = {"seed=12345678901", "limits.latency=1.5M", "stage1.width=0.5",
                          "stage1.resolution=32", "data.path=/a b/\"c\"\\d, {e}: [f] # g",
                          "train.supernet.rate=0.123456789012345", "target=stm32f746",
                          "train.supernet.shrink=[depth, kernel, expand]",
                          "train.finetune.netaug={width: 1.5}", "data.groups=-_",
                          "train.finetune={all_images: true, mixup: 0.2, teaching: 0.5, average: 20}",
                          "train.teacher={epochs: 3, augment: {fill: true, hue: 20, slide: 4}}"};
    ck_assert_msg(config_load(&job, "configs/jobs/cifar10.yaml", sets, 12) == 0, "%s", error_text());
    ck_assert_str_eq(job.data.path, "/a b/\"c\"\\d, {e}: [f] # g");
    ck_assert_uint_eq(job.seed, 12345678901u);
    ck_assert_double_eq(job.limits.latency, 1.5e6);
    ck_assert_uint_eq(job.target.sram, 320 * 1024);
    char *text = config_text(&job);
    ck_assert_msg(config_parse(&back, text, "text") == 0, "%s", error_text());
    char *again = config_text(&back);
    ck_assert_str_eq(text, again);
    ck_assert_double_eq(back.supernet.rate, 0.123456789012345);
    ck_assert(memcmp(&job.space, &back.space, sizeof job.space) == 0);
    ck_assert_int_eq(back.supernet.shrink.gene[0], SHRINK_DEPTH);
    ck_assert_double_eq(back.finetune.netaug.width, 1.5);
    ck_assert_str_eq(back.data.groups, "-_");
    ck_assert(back.finetune.average == 20 && back.largest.average == 0);
    ck_assert(back.finetune.all_images && back.finetune.mixup == 0.2 && !back.supernet.all_images);
    ck_assert(back.teacher.augment.fill && back.teacher.augment.hue == 20);
    ck_assert_int_eq(back.teacher.augment.slide, 4);
    free(text);
    free(again);
}
END

TEST(a_job_is_found_by_name_and_its_data_from_any_folder)
{
    Job job;
    char here[256], *beside;
    const char *relative[] = {"data.path=some/mnist"}, *home[] = {"data.path=~/mnist"};
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_msg(config_load(&job, "demo", relative, 1) == 0, "%s", error_text());
    ck_assert_str_eq(job.name, "demo");
    beside = xasprintf("%s/some/mnist", here);
    ck_assert_str_eq(job.data.path, beside);
    setenv("HOME", "/home/ada", 1);
    ck_assert_msg(config_load(&job, "configs/jobs/demo.yaml", home, 1) == 0, "%s", error_text());
    ck_assert_str_eq(job.data.path, "/home/ada/mnist");
    free(beside);
}
END

TEST(a_limit_that_is_left_out_is_the_targets_less_its_reserve)
{
    Job job;
    const char *sets[] = {"target=stm32f746", "limits.sram=0", "limits.flash=0", "threads=3"};
    ck_assert_msg(config_load(&job, "configs/jobs/demo.yaml", sets, 4) == 0, "%s", error_text());
    ck_assert_uint_eq(job.limits.sram, (320 - 32) * 1024);
    ck_assert_uint_eq(job.limits.flash, (1024 - 64) * 1024);
    ck_assert_uint_eq(job.plan.sram, job.limits.sram); /* where plans compute things twice, too */
    ck_assert_uint_eq(job.search.plan.sram, job.limits.sram);
    ck_assert_int_eq(job.supernet.threads, 3);
    ck_assert_int_eq(job.search.threads, 3);
}
END

TEST(plans_are_streamed_with_the_image_inside_where_nothing_else_is_asked_for)
{
    static const char base[] = "target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n";
    static const struct {
        const char *text;
        PlanOptions plan;
    } jobs[] = {{"", {.policy = POLICY_STREAM}},
                {"image: outside\n", {.policy = POLICY_STREAM, .image_outside = true}},
                {"schedule: patch\nimage: resident\n", {.policy = POLICY_PATCH}},
                {"schedule: tinyengine\n", {.policy = POLICY_TINYENGINE}}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        Job job, back;
        char *text = xasprintf("%s%slimits: {sram: 20KiB}\n", base, jobs[i].text);
        ck_assert_msg(config_parse(&job, text, "text") == 0, "%s", error_text());
        char *whole = config_text(&job);
        ck_assert_msg(config_parse(&back, whole, "whole") == 0, "%s", error_text());
        const PlanOptions *plans[] = {&job.plan, &job.sweep.plan, &job.search.plan, &back.plan};
        for (int k = 0; k < 4; k++) {
            ck_assert_uint_eq(plans[k]->policy, jobs[i].plan.policy);
            ck_assert(plans[k]->image_outside == jobs[i].plan.image_outside);
            ck_assert_uint_eq(plans[k]->sram, 20 * 1024);
        }
        free(whole);
        free(text);
    }
}
END

TEST(an_algorithm_has_sizes_and_objectives_of_its_own)
{
    static const char base[] = "target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n";
    static const struct {
        const char *text;
        int population, crossovers, evaluations;
        unsigned costs;
    } jobs[] = {{"", 100, 50, 3100, PARETO_MACS},
                {"stage2: {objectives: [accuracy]}", 100, 50, 3100, 0},
                {"stage2: {algorithm: random, objectives: [accuracy, flash]}", 100, 50, 3100,
                 PARETO_FLASH},
                {"stage2: {algorithm: nsga2}", 20, 10, 3100, PARETO_MACS},
                {"stage2: {algorithm: nsga2, objectives: [latency, accuracy, sram], evaluations: 9000}",
                 20, 10, 9000, PARETO_SRAM | PARETO_LATENCY},
                {"stage2: {algorithm: aging, population: 30, generations: 2}", 30, 0, 50, 0}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        Job job, back;
        char *text = xasprintf("%s%s\n", base, jobs[i].text);
        ck_assert_msg(config_parse(&job, text, "text") == 0, "%s", error_text());
        char *whole = config_text(&job);
        ck_assert_msg(config_parse(&back, whole, "whole") == 0, "%s", error_text());
        for (int k = 0; k < 2; k++) {
            const EvolveOptions *o = k ? &back.search : &job.search;
            ck_assert_int_eq(o->population, jobs[i].population);
            ck_assert_int_eq(o->crossovers, jobs[i].crossovers);
            ck_assert_int_eq(evolve_total(o), jobs[i].evaluations);
            ck_assert_uint_eq(o->costs, jobs[i].costs);
        }
        free(whole);
        free(text);
    }
}
END

/* demo.yaml's are 50, 10, 25, 25 and 12: 650 evaluations. */
TEST(another_algorithm_brings_its_own_sizes_and_keeps_the_number_of_evaluations)
{
    static const struct {
        const char *set[4];
        int population, crossovers, mutations, evaluations;
        double rate;
    } jobs[] = {{{"stage2.algorithm=evolution"}, 50, 25, 25, 650, 0.1},
                {{"stage2.algorithm=nsga2"}, 20, 10, 10, 650, 0.05},
                {{"stage2.algorithm=aging", "stage2.objectives=[accuracy, sram]"},
                 100, 0, 10, 650, 0.1},
                {{"stage2.algorithm=random"}, 100, 50, 50, 650, 0.1},
                {{"stage2.population=30", "stage2.algorithm=nsga2"}, 30, 10, 10, 650, 0.05},
                {{"stage2.algorithm=nsga2", "stage2.mutations=5"}, 20, 0, 5, 650, 0.05},
                {{"stage2.algorithm=nsga2", "stage2.evaluations=200"}, 20, 10, 10, 200, 0.05},
                {{"stage2.algorithm=nsga2", "stage2.generations=4"}, 20, 10, 10, 100, 0.05}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        Job job[2]; /* of the file, and of a run that is stored, as for --supernet */
        int n = 0;
        while (jobs[i].set[n])
            n++;
        ck_assert_msg(config_load(&job[0], "demo", jobs[i].set, n) == 0, "%s", error_text());
        ck_assert_msg(config_load(&job[1], "demo", NULL, 0) == 0, "%s", error_text());
        ck_assert_msg(config_set(&job[1], jobs[i].set, n) == 0, "%s", error_text());
        ck_assert_msg(config_resolve(&job[1]) == 0, "%s", error_text());
        for (int k = 0; k < 2; k++) {
            const EvolveOptions *o = &job[k].search;
            ck_assert_int_eq(o->population, jobs[i].population);
            ck_assert_int_eq(o->crossovers, jobs[i].crossovers);
            ck_assert_int_eq(o->mutations, jobs[i].mutations);
            ck_assert_int_eq(evolve_total(o), jobs[i].evaluations);
            ck_assert_double_eq(o->mutation_rate, jobs[i].rate);
        }
        char *texts[] = {config_text(&job[0]), config_text(&job[1])};
        ck_assert_str_eq(texts[0], texts[1]);
        free(texts[0]);
        free(texts[1]);
    }
}
END

static char *first_line_with(const char *path, const char *word)
{
    char *text = file_read(path, NULL), *at = text ? strstr(text, word) : NULL;
    char *line = at ? strndup(at, strcspn(at, "\n")) : NULL;
    free(text);
    return line;
}

/* facts/mcunet.md A1: multiply-accumulates and weights of the published networks, as their
 * files state them. */
TEST(published_networks_have_their_published_macs_and_weights)
{
    char pattern[600];
    SKIP_WITHOUT(shared_file("facts/nets"));
    snprintf(pattern, sizeof pattern, "%s/*.yaml", shared_file("facts/nets"));
    glob_t files;
    int seen = 0;
    ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *path = files.gl_pathv[i];
        unsigned long long macs;
        unsigned weights;
        Net net;
        if (strstr(path, "person-det") || strstr(path, "-se-")) /* a list of ops; squeeze-and-excite */
            continue;
        char *line = first_line_with(path, "MACs=");
        ck_assert_ptr_nonnull(line);
        ck_assert_int_eq(sscanf(line, "MACs=%llu weights=%u", &macs, &weights), 2);
        ck_assert_msg(config_net(&net, path, (Resolution){0}) == 0, "%s", error_text());
        ck_assert_msg(net_macs(&net) == macs, "%s: %llu MACs", path, (unsigned long long)net_macs(&net));
        ck_assert_uint_eq(net_weights(&net), weights);
        free(line);
        seen++;
    }
    globfree(&files);
    ck_assert_int_ge(seen, 18);
}
END

typedef struct {
    const char *text, *message; /* what config_parse says, or a part of it */
} Wrong;

static const Wrong wrongs[] = {
    {"sead: 3", "bad.yaml:1: unknown key 'sead', did you mean 'seed'?"},
    {"name: x\nlimits:\n  sarm: 64KiB", "bad.yaml:3: unknown key 'sarm', did you mean 'sram'?"},
    {"limits: {sram: 64KX}", "bad.yaml:1: sram: '64KX' is not a size in bytes"},
    {"limits: {sram: 64kB}", "could be 1,000 or 1,024 bytes each"},
    {"limits: {flash: -1}", "flash: '-1' is not a size"},
    {"limits: {energy: 3}", "energy: '3' is not an energy, like 80uJ or 2.5mJ"},
    {"target: {name: t, power: 3}", "power: '3' is not a power, like 250mW"},
    {"target: {name: t, latency: {place: here}}", "unknown key 'place'"},
    {"limits: {macs: 12Q}", "macs: '12Q' is not a whole number"},
    {"limits: 64KiB", "bad.yaml:1: wants a map of keys and values, not 64KiB"},
    {"seed: one", "bad.yaml:1: seed: 'one' is not an integer"},
    {"seed: 1.5", "seed: '1.5' is not an integer"},
    {"threads: -2", "threads: -2 is out of bounds, it must be 0 to 1024"},
    {"schedule: streem", "schedule: 'streem' is not one of: layerwise, inplace, patch, stream, tinyengine"},
    {"image: inside", "image: 'inside' is not one of: resident, outside"},
    {"target: cortex-m9", "there is no targets/cortex-m9.yaml; there are: "},
    {"space: mcunett", "there is no spaces/mcunett.yaml; there are: "},
    {"target: ./nowhere.yaml", "there is no file ./nowhere.yaml"},
    {"train: {largest: {augment: {flip: yes}}}", "flip: 'yes' is not true or false"},
    {"train: {largest: {epochs: [1, 2]}}", "epochs: 'a list' is not an integer"},
    {"train: {largest: {rate: fast}}", "rate: 'fast' is not a number"},
    {"space: {name: s, widths: 0.5}", "widths: '0.5' is not a list"},
    {"space: {name: s, resolutions: [32y32]}", "'32y32' is not a size"},
    {"space: {name: s, stages: [{chanels: 8}]}", "unknown key 'chanels', did you mean 'channels'?"},
    {"seed: 1\nseed: 2", "bad.yaml:2: 'seed' stands twice"},
    {"seed: [1", "bad.yaml:2: did not find expected"},
    {"a: &x 1\nb: *x", "bad.yaml:2: only words, lists and maps are understood"},
    {"--- 1\n--- 2", "bad.yaml:2: a second document"},
    {"include: missing", "there is no jobs/missing.yaml"},
    {"target: cortex-m7\nspace: tiny", "data.path: where is the data?"},
    {"target: cortex-m7\ndata: {format: synthetic}", "the job names no space"},
    {"space: tiny\ndata: {format: synthetic}", "the job names no target"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\nstage1: {width: 0.5}",
     "width and resolution are given both, or neither"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\nstage1: {width: 0.3, resolution: 16}",
     "has no width 0.3 at resolution 16x16"},
    {"stage1: {resolutions: 9}", "resolutions: 9 is out of bounds, it must be 1 to 8"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\nstage1: {resolutions: 6}",
     "stage1.resolutions: the space 'tiny' has 5, not 6"},
    {"target: cortex-m7\nspace: speech\nstage1: {resolutions: 2}\n"
     "data: {format: raw, path: x, raw: {height: 49, width: 10, channels: 1}}",
     "stage1.resolutions: raw tensors have one shape"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\nstage2: {objectives: [macs]}",
     "accuracy is always one of them"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "stage2: {algorithm: nsga2, objectives: [accuracy]}",
     "a cost besides accuracy"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\nstage2: {parents: 500}",
     "500 parents do not come from a population of 100"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "stage2: {generations: 1000000, mutations: 1000000}",
     "stage2: 1000000000100 evaluations are too many"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "stage2: {evaluations: 200, predictor: {after: 200}}",
     "stage2.predictor: after 200 evaluations there are no others to predict"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "stage2: {seconds: 60, predictor: {after: 200}}",
     "only one of them"},
    {"stage2: {predictor: {checked: 0}}", "checked: 0 is out of bounds"},
    {"stage2: {predictor: {befor: 3}}", "unknown key 'befor'"},
    {"stage2: {finalists: -1}", "finalists"},
    {"stage2: {stop: yes}", "stop"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\ntrain: {supernet: {batch: 8, shards: 8}}",
     "leaves norms fewer than 2 images"},
    {"train: {supernet: {shrink: [kernel, width]}}", "'width' is not one of: kernel, depth, expand"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\ntrain: {supernet: {shrink: [kernel, depth]}}",
     "train.supernet: shrink is an order of kernel, depth and expand, or []"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\ntrain: {supernet: {distill: true}}",
     "train.supernet: distill wants sandwich"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "train: {supernet: {sandwich: true, subnets: 1}}",
     "train.supernet: a sandwich has 2 subnets at least"},
    {"data: {groups: abcdefgh}", "groups: longer than 7 characters"},
    {"train: {finetune: {mixup: 2}}", "mixup: 2 is out of bounds"},
    {"train: {finetune: {average: -1}}", "average: -1 is out of bounds"},
    {"train: {finetune: {average: true}}", "average"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "train: {supernet: {all_images: true}}",
     "train.supernet: all_images is for finetune, after the candidates were scored"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "train: {teacher: {teaching: 0.5}}",
     "train.teacher: teaching is for finetune, after the largest network is trained"},
    {"train: {finetune: {netaug: {width: 0.5}}}", "width: 0.5 is out of bounds"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "train: {supernet: {netaug: {width: 2}}}",
     "train.supernet: netaug is for finetune"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "train: {largest: {sandwich: true}}",
     "train.largest: sandwich is for supernet"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "train: {finetune: {subnets: 8}}",
     "train.finetune: subnets is for supernet"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: synthetic}\n"
     "train: {finetune: {shrink: [kernel, depth, expand]}}",
     "train.finetune: shrink is for supernet"},
    {"target: cortex-m7\nspace: tiny\ndata: {format: images, path: x, channels: 2}",
     "data.channels: pictures have 1 or 3, not 2"},
};

TEST(what_is_wrong_gets_file_line_and_the_right_word)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        Job job;
        ck_assert_msg(config_parse(&job, wrongs[i].text, "bad.yaml") == -1, "%s", wrongs[i].text);
        ck_assert_msg(strstr(error_text(), wrongs[i].message) != NULL, "%s\n  said   %s\n  wanted %s",
                      wrongs[i].text, error_text(), wrongs[i].message);
    }
}
END

TEST(limits_that_were_the_targets_own_follow_another_target)
{
    const char *own[] = {"target=stm32f746", "limits.sram=0", "limits.flash=128KiB"},
               *other[] = {"target=stm32f412"}, *named[] = {"target=stm32f746", "limits.sram=224KiB"};
    Job job; /* as a run is stored */
    ck_assert_msg(config_load(&job, "demo", own, 3) == 0, "%s", error_text());
    ck_assert_uint_eq(job.limits.sram, 288 * 1024);
    ck_assert_int_eq(config_set(&job, other, 1), 0);
    ck_assert_int_eq(config_resolve(&job), 0);
    ck_assert_uint_eq(job.limits.sram, 224 * 1024);
    ck_assert_uint_eq(job.limits.flash, 128 * 1024);
    ck_assert_int_eq(config_set(&job, named, 2), 0);
    ck_assert_int_eq(config_resolve(&job), 0);
    ck_assert_uint_eq(job.limits.sram, 224 * 1024);
    ck_assert_uint_eq(job.limits.flash, 128 * 1024);
}
END

TEST(assignments_are_checked_like_the_file)
{
    Job job;
    const char *bad[][2] = {{"limits.sarm=1", "--set limits.sarm=1: unknown key 'sarm', did you mean 'sram'"}, {"seed", "wants key=value"},
                            {"=3", "wants key=value"}, {"seed.x=3", "'a map' is not an integer"},
                            {"stage1.samples=0", "out of bounds"},
                            {"a.b.c.d.e.f.g.h.i.j.k=1", "unknown key 'a'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(config_load(&job, "configs/jobs/demo.yaml", &bad[i][0], 1), -1);
        ck_assert_msg(strstr(error_text(), bad[i][1]) != NULL, "%s: %s", bad[i][0], error_text());
    }
}
END

TEST(files_that_include_each_other_are_an_error)
{
    char dir[] = "/tmp/thimble-config-XXXXXX", a[64], b[64];
    Job job;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(a, sizeof a, "%s/a.yaml", dir);
    snprintf(b, sizeof b, "%s/b.yaml", dir);
    ck_assert_int_eq(file_write(a, "include: b.yaml\n", 16), 0);
    ck_assert_int_eq(file_write(b, "include: a.yaml\n", 16), 0);
    ck_assert_int_eq(config_load(&job, a, NULL, 0), -1);
    ck_assert_msg(strstr(error_text(), "include each other") != NULL, "%s", error_text());
    unlink(a);
    unlink(b);
    rmdir(dir);
}
END

TEST(random_bytes_never_crash_the_reader)
{
    char *text = file_read("configs/jobs/demo.yaml", NULL);
    size_t size = strlen(text);
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 2000; i++) {
        Job job;
        char *bad = xmalloc(size + 1);
        memcpy(bad, text, size + 1);
        for (int k = 1 + (int)rng_below(&rng, 4); k > 0; k--)
            bad[rng_below(&rng, (uint32_t)size)] = (char)(1 + rng_below(&rng, 255));
        if (config_parse(&job, bad, "fuzz") != 0)
            ck_assert_str_ne(error_text(), "");
        free(bad);
    }
    free(text);
}
END

/* A target in a folder of its own, with a latency model that ends in these lines. */
static void write_target(const char *path, const char *more)
{
    char *text = xasprintf("name: mine\ncore: cortex-m4\nsram: 64KiB\nflash: 1MiB\nclock: 80MHz\n"
                           "power: 1.5W\nlatency:\n  unit: cycles\n  error: 0.02\n%s", more);
    ck_assert_int_eq(file_write(path, text, strlen(text)), 0);
    free(text);
}

TEST(a_latency_model_of_another_runtime_is_refused_where_it_stands)
{
    char dir[] = "/tmp/thimble-config-XXXXXX", path[64], job_text[256], mine[32];
    const char *words[][2] = {{"  runtime: 99999\n", "is of runtime 99999, but kernels are now"},
                              {"", "says of no runtime version"}};
    Target t;
    Job job;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/mine.yaml", dir);
    snprintf(job_text, sizeof job_text, "target=%s", path);
    for (int i = 0; i < 2; i++) {
        const char *sets[] = {job_text};
        write_target(path, words[i][0]);
        ck_assert_int_eq(config_target(&t, path), -1);
        for (int k = 0; k < 2; k++) {
            ck_assert_msg(strstr(error_text(), "mine.yaml:7") || strstr(error_text(), "mine.yaml:8"),
                          "%s", error_text());
            ck_assert_msg(strstr(error_text(), words[i][1]), "%s", error_text());
            ck_assert_msg(strstr(error_text(), "thimble calibrate --target mine"), "%s",
                          error_text());
            ck_assert_int_eq(config_load(&job, "demo", sets, 1), -1);
        }
        ck_assert_int_eq(config_stale_target(&t, path), 0); /* for who makes a new one */
        ck_assert_uint_eq(t.sram, 65536);
    }
    snprintf(mine, sizeof mine, "  runtime: %d\n", TB_VERSION);
    write_target(path, mine);
    ck_assert_msg(config_target(&t, path) == 0, "%s", error_text());
    ck_assert_double_eq(t.active_mw, 1500);
    unlink(path);
    rmdir(dir);
}
END

TEST(a_stored_config_is_read_whatever_its_runtime_was)
{
    Job job, back;
    ck_assert_msg(config_load(&job, "demo", NULL, 0) == 0, "%s", error_text());
    job.target.latency.runtime = TB_VERSION + 1;
    char *text = config_text(&job);
    ck_assert_msg(config_parse(&back, text, "text") == 0, "%s", error_text());
    ck_assert_int_eq(config_check_runtime(&back.target), -1);
    ck_assert_msg(strstr(error_text(), "text:"), "%s", error_text());
    free(text);
}
END

TEST(a_limit_of_energy_wants_cycles_a_clock_and_power)
{
    char dir[] = "/tmp/thimble-config-XXXXXX", path[64], target[80], runtime[32];
    Job job;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/mine.yaml", dir);
    snprintf(target, sizeof target, "target=%s", path);
    snprintf(runtime, sizeof runtime, "  runtime: %d\n", TB_VERSION);
    write_target(path, runtime);
    const char *sets[] = {target, "limits.energy=250uJ"};
    ck_assert_msg(config_load(&job, "demo", sets, 2) == 0, "%s", error_text());
    ck_assert_double_eq(job.limits.energy, 0.25);
    char *text = config_text(&job);
    ck_assert_ptr_nonnull(strstr(text, "energy: 0.25mJ"));
    free(text);
    sets[0] = "target=cortex-m4"; /* instructions */
    ck_assert_int_eq(config_load(&job, "demo", sets, 2), -1);
    ck_assert_msg(strstr(error_text(), "limits.energy: the target 'cortex-m4' wants power"), "%s",
                  error_text());
    unlink(path);
    rmdir(dir);
}
END

SUITE(config, a_latency_model_of_another_runtime_is_refused_where_it_stands,
      a_stored_config_is_read_whatever_its_runtime_was,
      a_limit_of_energy_wants_cycles_a_clock_and_power, an_algorithm_has_sizes_and_objectives_of_its_own,
      another_algorithm_brings_its_own_sizes_and_keeps_the_number_of_evaluations,
      every_job_and_target_that_comes_along_loads, the_effective_config_reads_back_to_itself,
      a_job_is_found_by_name_and_its_data_from_any_folder,
      a_limit_that_is_left_out_is_the_targets_less_its_reserve,
      plans_are_streamed_with_the_image_inside_where_nothing_else_is_asked_for,
      published_networks_have_their_published_macs_and_weights,
      what_is_wrong_gets_file_line_and_the_right_word, limits_that_were_the_targets_own_follow_another_target, assignments_are_checked_like_the_file,
      files_that_include_each_other_are_an_error, random_bytes_never_crash_the_reader)
