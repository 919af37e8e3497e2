/* What `thimble profile` says, by the numbers and as the command prints it. From the project's
 * root, so that configs/ is found. */
#define _GNU_SOURCE
#include "cli/profile_source.h"
#include "report/profile_json.h"
#include "report/profile_page.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/yaml.h"
#include "cli/command.h"
#include "config/config.h"
#include "report/memory_svg.h"
#include "tests/mcunet_space.h"
#include "tests/suite.h"

#include <glob.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>

#define OK(call) ck_assert_msg((call) == 0, "%s", error_text())
#define HAS(text, words) ck_assert_msg(strstr(text, words), "no '%s' in\n%s", words, text)

/* --- a network small enough to work out by hand */

static const char small_net[] = "resolution: 8\n"
                                "input_channels: 3\n"
                                "first_conv: {out: 4, k: 3, stride: 2, act: relu6}\n"
                                "blocks:\n"
                                "  - {in: 4, mid: 8, out: 4, k: 3, stride: 1, residual: true, "
                                "pw1: true, se: 0}\n"
                                "feature_mix: null\n"
                                "classifier: {in: 4, out: 2, bias: true}\n";

static char folder[] = "/tmp/thimble-profile-XXXXXX", net_path[64], db[64];

static void make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(net_path, sizeof net_path, "%s/small.yaml", folder);
    snprintf(db, sizeof db, "%s/t.db", folder);
    OK(file_write(net_path, small_net, strlen(small_net)));
}

static void remove_folder(void)
{
    char *command = xasprintf("rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static Profile *profile_of(const char *what, Policy policy, ImagePlace image)
{
    Profile *p = xcalloc(1, sizeof *p);
    ProfileSource source = {.what = what};
    ck_assert_msg(profile_load(p, &source) == 0, "%s", error_text());
    p->small = true; /* figures worked out by hand count no scratch */
    p->policy = (uint8_t)policy;
    p->image = (uint8_t)image;
    profile_make(p);
    return p;
}

static json_int_t number(const json_t *j, const char *key)
{
    const json_t *value = json_object_get(j, key);
    ck_assert_msg(json_is_integer(value), "no number '%s'", key);
    return json_integer_value(value);
}

/* Layer by layer the image of 8x8x3 = 192 becomes 4x4x4 = 64, expands to 128, which the depthwise
 * turns into 128 while the block's 64 wait for the add: 320 bytes at once. */
TEST(a_small_net_has_the_figures_one_works_out_by_hand)
{
    make_folder();
    Profile *p = profile_of(net_path, POLICY_LAYERWISE, IMAGE_RESIDENT);
    json_t *j = profile_json(p, (ProfileDetail){0});
    const json_t *flash = json_object_get(j, "flash"), *others = json_object_get(j, "others");
    const json_t *peak = json_object_get(j, "peak"), *layers = json_object_get(j, "layers");
    ck_assert_int_eq(number(j, "schema_version"), 1);
    ck_assert_int_eq(number(j, "n_layers"), 7);
    ck_assert_int_eq(number(j, "macs"), 16 * 108 + 16 * 32 + 16 * 72 + 16 * 32 + 8);
    ck_assert_int_eq(number(j, "weights"), 108 + 32 + 72 + 32 + 8);
    ck_assert_int_eq(number(j, "params"), 252 + 26);
    /* taps inside along an axis: 2+3+3+3 with stride 2 on 8 pixels, 2+3+3+2 with stride 1 on 4 */
    ck_assert_int_eq(number(j, "macs_inside"), 11 * 11 * 12 + 512 + 10 * 10 * 8 + 512 + 8);
    ck_assert_int_eq(number(j, "arena_bytes"), 320);
    ck_assert_int_eq(number(j, "arena_resident_bytes"), 320);
    ck_assert_int_eq(number(others, "tflm_arena_bytes"), 320);
    ck_assert_int_eq(number(others, "live_bytes"), 320);
    ck_assert_int_eq(number(flash, "weights"), 252);
    ck_assert_int_eq(number(flash, "biases"), 4 * 26);
    ck_assert_int_eq(number(flash, "requantisation"), 4 * (26 + 3) + 32);
    ck_assert_int_eq(number(peak, "segment"), 2);
    ck_assert_int_eq(number(peak, "live_bytes"), 320);
    ck_assert_uint_eq(json_array_size(json_object_get(peak, "parts")), 3);
    ck_assert_int_eq(number(json_array_get(layers, 0), "live_bytes"), 192 + 64);
    ck_assert(json_is_true(json_object_get(json_array_get(layers, 2), "peak")));
    ck_assert(json_is_false(json_object_get(json_array_get(layers, 1), "peak")));
    json_decref(j);
    free(p);
    remove_folder();
}
END

TEST(the_parts_of_the_peak_have_their_kinds)
{
    make_folder();
    Profile *p = profile_of(net_path, POLICY_LAYERWISE, IMAGE_RESIDENT);
    Part part[PROFILE_MAX_PARTS];
    ck_assert_int_eq(profile_parts(&p->net, &p->plan[IMAGE_RESIDENT], 2, part), 3);
    ck_assert(part[0].kind == PART_INPUT && part[0].layer == 1 && part[0].bytes == 128);
    ck_assert(part[1].kind == PART_OUTPUT && part[1].layer == 2 && part[1].bytes == 128);
    ck_assert(part[2].kind == PART_SKIP && part[2].layer == 0 && part[2].bytes == 64);
    ck_assert_int_eq(profile_parts(&p->net, &p->plan[IMAGE_OUTSIDE], 0, part), 2);
    ck_assert(part[0].kind == PART_OUTPUT && part[0].bytes == 64);
    ck_assert(part[1].kind == PART_RING && part[1].layer == NET_IMAGE && part[1].bytes == 3 * 24);
    free(p);
    remove_folder();
}
END

/* --- what holds for any network and schedule */

static void check_parts(const Net *net, const Plan *plan, uint8_t *touched, Part *part)
{
    for (int s = 0; s < plan->n_segments; s++) {
        uint32_t live = 0;
        int n = profile_parts(net, plan, s, part);
        memset(touched, 0, plan->arena);
        for (int i = 0; i < n; i++) {
            ck_assert_uint_le(part[i].offset + part[i].bytes, plan->arena);
            memset(touched + part[i].offset, 1, part[i].bytes);
        }
        for (uint32_t b = 0; b < plan->arena; b++)
            live += touched[b];
        ck_assert_uint_eq(live, plan_live(plan, net, s));
    }
}

TEST(parts_of_random_nets_cover_the_bytes_that_are_alive)
{
    Space space = mcunet_space();
    Rng rng = rng_make(5, 1);
    Profile *p = xcalloc(1, sizeof *p);
    uint8_t *touched = xmalloc(1 << 23);
    Part *part = xcalloc(PROFILE_MAX_PARTS, sizeof *part);
    for (int i = 0; i < 40; i++) {
        int width = (int)rng_below(&rng, 9), resolution = (int)rng_below(&rng, 6);
        Genotype g = genotype_sample(&space, width, resolution, &rng);
        genotype_expand(&space, &g, 10, &p->net);
        p->policy = (uint8_t)(i % N_POLICIES);
        p->recompute = i % 8 == POLICY_STREAM ? 0.1 : 0;
        p->graph.n_ops = 0;
        profile_make(p);
        for (int k = 0; k < N_IMAGES; k++)
            check_parts(&p->net, &p->plan[k], touched, part);
    }
    free(part);
    free(touched);
    free(p);
}
END

static void check_sums(const json_t *j)
{
    const json_t *layer, *value;
    const char *key;
    json_int_t macs = 0, flash = 0, most = 0, code = 0;
    double latency = 0, executed = 0;
    size_t i;
    json_array_foreach(json_object_get(j, "layers"), i, layer) {
        ck_assert_int_eq(number(layer, "layer"), (int)i);
        macs += number(layer, "macs");
        executed += (double)number(layer, "macs") *
                    json_real_value(json_object_get(layer, "work"));
        latency += json_real_value(json_object_get(layer, "latency"));
        most = number(layer, "live_bytes") > most ? number(layer, "live_bytes") : most;
    }
    json_array_foreach(json_object_get(j, "layers"), i, layer)
        if (json_is_true(json_object_get(layer, "peak")))
            ck_assert_int_eq(number(layer, "live_bytes"), most);
    json_object_foreach(json_object_get(json_object_get(j, "flash"), "code_by_kernel"), key, value)
        code += json_integer_value(value);
    json_object_foreach(json_object_get(j, "flash"), key, value)
        flash += json_integer_value(value);
    ck_assert_int_eq(code, number(json_object_get(j, "flash"), "code"));
    ck_assert_int_eq(flash, number(j, "flash_bytes"));
    ck_assert_int_eq(macs, number(j, "macs"));
    ck_assert_double_eq_tol(executed, (double)number(j, "macs_executed"), 1);
    ck_assert_double_eq_tol(latency / json_real_value(json_object_get(
                                          json_object_get(j, "latency"), "value")), 1, 1e-9);
    json_int_t arena = number(j, strcmp(json_string_value(json_object_get(j, "image")), "outside")
                                     ? "arena_resident_bytes" : "arena_bytes");
    json_int_t gaps = number(json_object_get(j, "peak"), "gaps_bytes");
    ck_assert_int_eq(number(json_object_get(j, "peak"), "live_bytes") + gaps, arena);
}

/* 100 MHz and 30 mW: 1,000 cycles are 10 us and 0.3 uJ; of instructions neither is known. */
TEST(time_and_energy_follow_from_cycles_and_from_nothing_else)
{
    make_folder();
    Profile *p = profile_of(net_path, POLICY_STREAM, IMAGE_RESIDENT);
    p->target.clock_hz = 100000000, p->target.active_mw = 30;
    for (int cycles = 0; cycles < 2; cycles++) {
        strcpy(p->target.latency.unit, cycles ? "cycles" : "instructions");
        profile_make(p);
        json_t *j = profile_json(p, (ProfileDetail){.schedules = true});
        json_t *l = json_object_get(j, "latency"), *layers = json_object_get(j, "layers"), *layer;
        double value = json_real_value(json_object_get(l, "value")), ms = 0, mj = 0;
        size_t i;
        json_array_foreach(layers, i, layer) {
            ck_assert(json_is_null(json_object_get(layer, "ms")) == !cycles);
            ms += json_real_value(json_object_get(layer, "ms"));
            mj += json_real_value(json_object_get(layer, "energy_mj"));
        }
        ck_assert_double_eq_tol(ms, cycles ? value / 1e5 : 0, 1e-9 * value);
        ck_assert_double_eq_tol(mj, cycles ? value * 3e-7 : 0, 1e-9 * value);
        ck_assert_double_eq_tol(json_real_value(json_object_get(l, "ms")), ms, 1e-9 * value);
        ck_assert_double_eq_tol(json_real_value(json_object_get(l, "energy_mj")), mj, 1e-9 * value);
        ck_assert_double_eq_tol(p->cost[p->image].energy, mj, 1e-9 * value);
        json_decref(j);
    }
    free(p);
    remove_folder();
}
END

TEST(the_parts_of_a_profile_add_up_to_its_totals)
{
    make_folder();
    for (int i = 0; i < N_POLICIES * N_IMAGES; i++) {
        Profile *p = profile_of(net_path, (Policy)(i / 2), (ImagePlace)(i % 2));
        json_t *j = profile_json(p, (ProfileDetail){0});
        check_sums(j);
        json_decref(j);
        free(p);
    }
    remove_folder();
}
END

/* --- published networks and models */

static char *line_with(const char *path, const char *word)
{
    char *text = file_read(path, NULL), *at = text ? strstr(text, word) : NULL;
    char *line = at ? strndup(at, strcspn(at, "\n")) : NULL;
    free(text);
    return line;
}

/* Its header's MACs, weights and TinyEngine's peak; the planner keeps what it promises. */
static void check_released(const char *path)
{
    unsigned long long macs, weights, peak;
    char *counts = line_with(path, "MACs="), *engine = line_with(path, "peak=");
    ck_assert(counts && engine);
    ck_assert_int_eq(sscanf(counts, "MACs=%llu weights=%llu", &macs, &weights), 2);
    ck_assert_int_eq(sscanf(engine, "peak=%llu", &peak), 1);
    Profile *p = profile_of(path, POLICY_STREAM, IMAGE_OUTSIDE);
    json_t *j = profile_json(p, (ProfileDetail){0});
    const json_t *tinyengine = json_object_get(json_object_get(j, "others"), "tinyengine");
    ck_assert_int_eq(number(j, "macs"), (json_int_t)macs);
    ck_assert_int_eq(number(j, "weights"), (json_int_t)weights);
    ck_assert_int_eq(number(tinyengine, "peak_bytes"), (json_int_t)peak);
    ck_assert_int_lt(number(j, "arena_bytes"), (json_int_t)peak);
    ck_assert_int_le(number(j, "arena_bytes"), number(j, "arena_resident_bytes"));
    check_sums(j);
    json_decref(j);
    free(p);
    free(counts);
    free(engine);
}

TEST(every_released_net_has_its_published_figures)
{
    SKIP_WITHOUT(shared_file("facts/nets"));
    glob_t files;
    char *pattern = xasprintf("%s/*.yaml", shared_file("facts/nets"));
    int seen = 0;
    ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        if (strstr(files.gl_pathv[i], "person-det"))
            continue;
        check_released(files.gl_pathv[i]);
        seen++;
    }
    globfree(&files);
    free(pattern);
    ck_assert_int_ge(seen, 20);
}
END

/* facts/streaming.md, section 5. */
TEST(streaming_takes_no_more_than_the_facts_say)
{
    static const struct {
        const char *net;
        int outside, resident;
    } facts[] = {{"mbv2-w0.35-r144_imagenet", 27216, 66816},
                 {"mcunet-5fps_vww", 15760, 21760},
                 {"mcunet-320kb-1mb_imagenet", 59840, 98560}};
    SKIP_WITHOUT(shared_file("facts/nets"));
    for (int i = 0; i < 3; i++) {
        char *name = xasprintf("facts/nets/%s.yaml", facts[i].net);
        Profile *p = profile_of(shared_file(name), POLICY_STREAM, IMAGE_OUTSIDE);
        ck_assert_int_le((int)p->cost[IMAGE_OUTSIDE].sram, facts[i].outside);
        ck_assert_int_le((int)p->cost[IMAGE_RESIDENT].sram, facts[i].resident);
        ck_assert_uint_eq(p->cost[IMAGE_OUTSIDE].macs, net_macs(&p->net));
        free(p);
        free(name);
    }
}
END

static json_int_t fact(const YamlNode *model, const char *key)
{
    const YamlNode *value = yaml_get(model, key);
    ck_assert_ptr_nonnull(value);
    return atoll(value->text);
}

TEST(imported_models_have_their_reference_figures)
{
    SKIP_WITHOUT(shared_file("facts/reference.yaml"));
    SKIP_WITHOUT(shared_file("data/models/ad01_int8.tflite"));
    YamlNode *root = yaml_read(shared_file("facts/reference.yaml"));
    ck_assert_msg(root != NULL, "%s", error_text());
    const YamlNode *models = yaml_get(root, "models");
    ck_assert_int_eq(models->n, 7);
    for (int i = 0; i < models->n; i++) {
        const YamlNode *m = models->child[i];
        char *name = xasprintf("data/models/%s", yaml_get(m, "file")->text);
        Profile *p = profile_of(shared_file(name), POLICY_STREAM, IMAGE_RESIDENT);
        json_t *j = profile_json(p, (ProfileDetail){0});
        const json_t *others = json_object_get(j, "others"), *file = json_object_get(j, "file");
        static const char *const same[] = {"ops", "macs", "macs_exact", "w_bytes", "b_bytes",
                                           "nscale", "params", "live", "tflm", "inpl_dw", "inpl",
                                           "f_live", "f_tflm", "f_inpl_dw", "f_inpl"};
        for (size_t k = 0; k < sizeof same / sizeof *same; k++)
            ck_assert_msg(number(file, same[k]) == fact(m, same[k]), "%s, %s: %lld", name, same[k],
                          (long long)number(file, same[k]));
        ck_assert_int_eq(number(j, "macs"), fact(m, "macs"));
        if (strstr(yaml_get(m, "kinds")->text, "PAD:")) /* folded, its pixels are outside */
            ck_assert_int_lt(number(j, "macs_inside"), fact(m, "macs_exact"));
        else
            ck_assert_int_eq(number(j, "macs_inside"), fact(m, "macs_exact"));
        ck_assert_int_eq(number(j, "weights"), fact(m, "w_bytes"));
        ck_assert_int_eq(number(others, "tflm_arena_bytes"), fact(m, "tflm"));
        ck_assert_int_eq(number(others, "live_bytes"), fact(m, "live"));
        ck_assert_int_le(number(j, "arena_resident_bytes"), fact(m, "f_live"));
        ck_assert_int_ge(number(json_array_get(json_object_get(j, "layers"), 0), "file_op"), 0);
        json_decref(j);
        free(p);
        free(name);
    }
    yaml_close(root);
}
END

/* --- budgets, side by side */

TEST(a_budget_is_kept_and_so_is_a_share_of_work)
{
    Space space = mcunet_space();
    Rng rng = rng_make(6, 1);
    Profile *p = xcalloc(1, sizeof *p);
    for (int i = 0; i < 20; i++) {
        Genotype g = genotype_sample(&space, 3, 6, &rng);
        genotype_expand(&space, &g, 10, &p->net);
        *p = (Profile){.net = p->net, .policy = POLICY_STREAM};
        profile_make(p);
        uint32_t least = p->cost[IMAGE_OUTSIDE].sram;
        p->recompute = 0.25;
        profile_make(p);
        ck_assert_uint_le(p->cost[IMAGE_OUTSIDE].sram, least);
        ck_assert_double_le((double)p->cost[IMAGE_OUTSIDE].macs, 1.25 * (double)net_macs(&p->net));
        uint32_t budget = (p->cost[IMAGE_OUTSIDE].sram + least) / 2;
        p->recompute = 0;
        p->sram = budget;
        profile_make(p);
        ck_assert_uint_le(p->cost[IMAGE_OUTSIDE].sram, budget);
    }
    free(p);
}
END

TEST(side_by_side_says_what_each_schedule_says_alone)
{
    make_folder();
    Profile *p = profile_of(net_path, POLICY_STREAM, IMAGE_OUTSIDE);
    json_t *list = profile_json_schedules(p);
    for (int policy = 0; policy < N_POLICIES; policy++) {
        Profile *alone = profile_of(net_path, (Policy)policy, IMAGE_OUTSIDE);
        const json_t *row = json_array_get(list, (size_t)policy);
        ck_assert_str_eq(json_string_value(json_object_get(row, "schedule")),
                         policy_name((Policy)policy));
        ck_assert_int_eq(number(row, "arena_bytes"), alone->cost[IMAGE_OUTSIDE].sram);
        ck_assert_int_eq(number(row, "arena_resident_bytes"), alone->cost[IMAGE_RESIDENT].sram);
        ck_assert_int_eq(number(row, "flash_bytes"), alone->cost[IMAGE_OUTSIDE].flash);
        ck_assert_int_eq(number(row, "macs"), (json_int_t)alone->cost[IMAGE_OUTSIDE].macs);
        free(alone);
    }
    const json_t *last = json_array_get(list, json_array_size(list) - 1);
    ck_assert_str_eq(json_string_value(json_object_get(last, "schedule")), "TinyEngine");
    ck_assert(json_is_null(json_object_get(last, "arena_bytes")));
    json_decref(list);
    free(p);
    remove_folder();
}
END

TEST(along_the_front_less_memory_takes_more_work)
{
    make_folder();
    Profile *p = profile_of(net_path, POLICY_STREAM, IMAGE_OUTSIDE);
    json_t *list = profile_json_front(p);
    ck_assert_uint_ge(json_array_size(list), 1);
    ck_assert_int_eq(number(json_array_get(list, 0), "arena_bytes"), p->cost[IMAGE_OUTSIDE].sram);
    for (size_t i = 1; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i - 1), *b = json_array_get(list, i);
        ck_assert_int_lt(number(b, "arena_bytes"), number(a, "arena_bytes"));
        ck_assert_int_gt(number(b, "macs"), number(a, "macs"));
    }
    json_decref(list);
    free(p);
    remove_folder();
}
END

/* --- the picture */

/* Every element is closed, every text escaped: by a slow and simple reader. */
static void check_xml(const char *s)
{
    int depth = 0;
    while (*s) {
        if (*s == '&') {
            ck_assert(!strncmp(s, "&lt;", 4) || !strncmp(s, "&gt;", 4) || !strncmp(s, "&amp;", 5));
        } else if (*s == '<') {
            const char *end = strchr(s, '>');
            ck_assert_ptr_nonnull(end);
            ck_assert_ptr_null(memchr(s + 1, '<', (size_t)(end - s - 1)));
            depth += s[1] == '/' ? -1 : end[-1] == '/' ? 0 : 1;
            ck_assert_int_ge(depth, 0);
            s = end;
        }
        s++;
    }
    ck_assert_int_eq(depth, 0);
}

static char *drawn(const Profile *p)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    memory_svg(p, f);
    fclose(f);
    return text;
}

TEST(the_picture_is_xml_that_needs_nothing_else_and_says_the_arena)
{
    make_folder();
    for (int i = 0; i < N_POLICIES * N_IMAGES; i++) {
        Profile *p = profile_of(net_path, (Policy)(i / 2), (ImagePlace)(i % 2));
        char arena[64];
        p->source = "<a & \"b\">.yaml";
        char *text = drawn(p);
        check_xml(text);
        snprintf(arena, sizeof arena, "arena: %u B", (unsigned)p->cost[i % 2].sram);
        HAS(text, arena);
        HAS(text, "&lt;a &amp; ");
        ck_assert(!strstr(text, "<script") && !strstr(text, "href") && !strstr(text, "nan"));
        free(text);
        free(p);
    }
    remove_folder();
}
END

/* --- the command, in a process of its own */

typedef struct {
    int status;
    char out[65536], err[4096];
} Ran;

static void take(FILE *f, char *text, size_t room)
{
    rewind(f);
    text[fread(text, 1, room - 1, f)] = 0;
    fclose(f);
}

static Ran *run(const char *const *words)
{
    char *argv[16] = {0};
    int argc = 0, status;
    static Ran ran;
    argv[argc++] = xstrdup("thimble profile");
    for (int i = 0; words[i]; i++)
        argv[argc++] = xstrdup(words[i]);
    FILE *out = tmpfile(), *err = tmpfile();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(out), 1), dup2(fileno(err), 2);
        exit(cmd_profile(argc, argv));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ran.status = WEXITSTATUS(status);
    take(out, ran.out, sizeof ran.out);
    take(err, ran.err, sizeof ran.err);
    while (argc > 0)
        free(argv[--argc]);
    return &ran;
}

#define RUN(...) run((const char *[]){__VA_ARGS__, NULL})

static int lines_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

TEST(the_page_says_both_conventions_the_peak_and_the_verdict)
{
    make_folder();
    Ran *r = RUN(net_path, "--schedule", "layerwise", "--kernels", "small");
    ck_assert_msg(r->status == 0, "%s", r->err);
    HAS(r->out, "320 B (0.3 KiB) image outside; 320 B (0.3 KiB) image resident");
    HAS(r->out, "image outside: fits, 294,592 B (287.7 KiB) of SRAM left");
    HAS(r->out, "peak          320 B (0.3 KiB) alive in segment 2, layers 2 to 2");
    HAS(r->out, "skip");
    HAS(r->out, "TFLite Micro 320 B");
    HAS(r->out, "< peak");
    HAS(r->out, "instructions");
    remove_folder();
}
END

TEST(json_is_one_object_and_csv_has_a_row_a_layer)
{
    make_folder();
    json_error_t error;
    Ran *r = RUN(net_path, "--json", "--schedule", "all", "--front");
    ck_assert_int_eq(r->status, 0);
    json_t *j = json_loads(r->out, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(j != NULL, "%s", error.text);
    ck_assert_int_eq(number(j, "schema_version"), 1);
    ck_assert_int_gt(number(j, "arena_bytes"), 0);
    ck_assert_int_gt(number(j, "arena_resident_bytes"), 0);
    ck_assert(json_is_array(json_object_get(j, "schedules")));
    ck_assert(json_is_array(json_object_get(j, "front")));
    json_decref(j);
    r = RUN(net_path, "--csv");
    ck_assert_int_eq(r->status, 0);
    ck_assert_int_eq(lines_of(r->out), 1 + 7);
    r = RUN(net_path, "--csv", "--schedule", "all");
    HAS(r->out, "TinyEngine,,");
    remove_folder();
}
END

TEST(what_does_not_fit_is_said_and_only_with_check_a_failure)
{
    make_folder();
    Ran *r = RUN(net_path, "--schedule", "layerwise", "--sram", "300", "--kernels", "small");
    ck_assert_int_eq(r->status, 0);
    HAS(r->out, "image outside: does not fit, 20 B (0.0 KiB) of SRAM too much");
    r = RUN(net_path, "--schedule", "layerwise", "--sram", "300", "--check");
    ck_assert_int_eq(r->status, 1);
    HAS(r->err, "small.yaml does not fit");
    r = RUN(net_path, "--schedule", "layerwise", "--sram", "320", "--kernels", "small",
            "--check");
    ck_assert_int_eq(r->status, 0);
    remove_folder();
}
END

TEST(a_resolution_may_be_another)
{
    make_folder();
    Ran *r = RUN(net_path, "--schedule", "layerwise", "--resolution", "16", "--kernels", "small",
                 "--json");
    ck_assert_int_eq(r->status, 0);
    HAS(r->out, "\"arena_resident_bytes\": 1280,");
    r = RUN(net_path, "--schedule", "layerwise", "--resolution", "8x32", "--kernels", "small",
            "--json");
    HAS(r->out, "\"arena_resident_bytes\": 1280,"); /* as many pixels */
    remove_folder();
}
END

/* A network as text, in the folder's file; what is said of it. */
static Ran *run_net(const char *text)
{
    OK(file_write(net_path, text, strlen(text)));
    return RUN(net_path);
}

#define HEAD "resolution: 8\ninput_channels: 3\nfirst_conv: {out: 4, k: 3, stride: 2, act: relu6}\n"
#define TAIL "\nclassifier: {in: 4, out: 2, bias: true}\n"

TEST(a_net_that_is_wrong_is_refused_with_its_line)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {HEAD "blocks:\n  - {in: 5, mid: 8, out: 4, k: 3, stride: 1, pw1: true}" TAIL,
         "small.yaml:5: block 0 takes 5 channels, but gets 4"},
        {HEAD "blocks:\n  - {in: 4, mid: 8, out: 8, k: 3, stride: 1, pw1: true, residual: true}"
         TAIL,
         "small.yaml:5: block 0: a residual wants stride 1 and as many channels out as in"},
        {HEAD "blocks:\n  - {in: 4, mid: 8, out: 8, k: 3, stride: 1, pw1: false}" TAIL,
         "small.yaml:5: block 0: without pw1 its 4 channels do not become 8"},
        {HEAD "blocks:\n  - {in: 4, mid: 4, out: 8, k: 0, stride: 2, pw1: false}" TAIL,
         "small.yaml:5: block 0 has a stride, but no depthwise"},
        {HEAD "blocks:\n  - {in: 4, mdi: 8}" TAIL, "small.yaml:5: unknown key 'mdi', did you mean"},
        {"resolution: 8\n", "wants resolution, input_channels, first_conv, blocks"},
        {"input: [8, 8, 3]\nops:\n  - {op: CONV_2D}\n  - {op: RESIZE_BILINEAR}\n",
         "small.yaml:4: operator 1 (RESIZE_BILINEAR) is not supported"},
        {"a: [\n", "small.yaml:"},
    };
    make_folder();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Ran *r = run_net(bad[i].text);
        ck_assert_int_eq(r->status, 2);
        ck_assert_int_eq(lines_of(r->err), 1);
        HAS(r->err, bad[i].says);
    }
    remove_folder();
}
END

/* Pool, two dense layers, a lookup and a gate: 5 more layers, 2 * 8 * 2 more weights. */
TEST(squeeze_and_excite_stands_between_depthwise_and_projection)
{
    make_folder();
    const char *text = HEAD "blocks:\n  - {in: 4, mid: 8, out: 4, k: 3, stride: 1, residual: true, "
                            "pw1: true, se: 2}" TAIL;
    OK(file_write(net_path, text, strlen(text)));
    Profile *p = profile_of(net_path, POLICY_LAYERWISE, IMAGE_RESIDENT);
    static const Op ops[] = {OP_CONV,  OP_POINTWISE, OP_DEPTHWISE, OP_GLOBAL_POOL,
                             OP_DENSE, OP_DENSE,     OP_LOOKUP,    OP_GATE,
                             OP_POINTWISE, OP_ADD,   OP_GLOBAL_POOL, OP_DENSE};
    ck_assert_int_eq(p->net.n_layers, 12);
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(p->net.layer[i].op, ops[i]);
    ck_assert_int_eq(p->net.layer[7].input, 2);
    ck_assert_int_eq(p->net.layer[9].input2, 0);
    ck_assert_uint_eq(net_weights(&p->net), 252 + 2 * 8 * 2);
    free(p);
    remove_folder();
}
END

TEST(a_run_that_is_not_there_is_a_failed_job)
{
    make_folder();
    Ran *r = RUN("1:best", "--db", db);
    ck_assert_int_eq(r->status, 1);
    ck_assert_int_eq(lines_of(r->err), 1);
    HAS(r->err, db);
    remove_folder();
}
END

TEST(wrong_usage_is_said_in_one_line)
{
    static const struct {
        const char *words[6];
        const char *says;
    } bad[] = {
        {{NULL}, "which network? NET.yaml, MODEL.tflite, RUN:best or RUN:NUMBER"},
        {{"a.yaml", "b.yaml"}, "'b.yaml' is one argument too many"},
        {{"a.yaml", "--schedule", "fast"}, "unknown policy 'fast'"},
        {{"a.yaml", "--image", "here"}, "--image: 'here' is neither outside nor resident"},
        {{"a.yaml", "--sram", "16kB"}, "--sram: '16kB'"},
        {{"a.yaml", "--sram", "0"}, "--sram: '0' is no arena's size"},
        {{"a.yaml", "--sram", "16KiB", "--recompute", "5"}, "one budget at a time"},
        {{"a.yaml", "--schedule", "patch", "--front"}, "--front is for --schedule stream"},
        {{"a.yaml", "--resolution", "0"}, "--resolution: 0 is out of bounds, it must be 1 to 1024"},
        {{"a.yaml", "--resolution", "8y8"}, "--resolution: '8y8' is not a size, like 3 or 10x4"},
        {{"a.yaml"}, "a.yaml: No such file"},
        {{"a.tflite"}, "a.tflite"},
        {{"Makefile"}, "Makefile: wants a NET.yaml, a MODEL.tflite, RUN:best or RUN:NUMBER"},
        {{"a.tflite", "--resolution", "96"}, "--resolution is for a NET.yaml"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Ran *r = run(bad[i].words);
        ck_assert_msg(r->status == 2, "%s: status %d, %s", bad[i].says, r->status, r->err);
        ck_assert_int_eq(lines_of(r->err), 1);
        HAS(r->err, bad[i].says);
    }
}
END

/* --- a run's network */

TEST(a_candidate_comes_with_its_runs_target_limits_and_schedule)
{
    make_folder();
    Job *job = xcalloc(1, sizeof *job);
    const char *sets[] = {"threads=1", "schedule=inplace", "image=outside", "limits.sram=20000"};
    OK(config_load(job, "demo", sets, 4));
    Rng rng = rng_make(3, 1);
    Genotype g = genotype_sample(&job->space, 1, 2, &rng);
    char text[GENOTYPE_TEXT], *config = config_text(job);
    genotype_text(&job->space, &g, text);
    Results *r;
    int64_t id;
    OK(results_open(&r, db, false));
    OK(results_run_new(r, &(RunRow){.name = "demo", .config = config}, &id));
    CandidateRow row = {.number = 4, .genotype = text, .hash = 1, .state = "done", .fitness = 0.5,
                        .parent = {-1, -1}};
    OK(results_candidate_put(r, id, &row));
    results_close(r);
    Profile *p = xcalloc(1, sizeof *p);
    Net expected;
    genotype_expand(&job->space, &g, 10, &expected);
    OK(profile_load(p, &(ProfileSource){.what = "1:4", .db = db}));
    ck_assert_mem_eq(&p->net, &expected, sizeof expected);
    ck_assert_str_eq(p->target.name, "cortex-m7");
    ck_assert_uint_eq(p->limits.sram, 20000);
    ck_assert_int_eq(p->policy, POLICY_INPLACE);
    ck_assert_int_eq(p->image, IMAGE_OUTSIDE);
    profile_make(p); /* as stage 2 saw it */
    Cost cost = estimate(&expected, &job->target, &job->plan);
    ck_assert_uint_eq(p->cost[IMAGE_OUTSIDE].sram, cost.sram);
    ck_assert_uint_eq(p->cost[IMAGE_OUTSIDE].flash, cost.flash);
    ck_assert_int_eq(profile_load(p, &(ProfileSource){.what = "1:9", .db = db}), -1);
    HAS(error_text(), "run 1 has no candidate 9");
    free(p);
    free(job);
    free(config);
    remove_folder();
}
END

SUITE(profile, a_small_net_has_the_figures_one_works_out_by_hand,
      the_parts_of_the_peak_have_their_kinds,
      parts_of_random_nets_cover_the_bytes_that_are_alive,
      time_and_energy_follow_from_cycles_and_from_nothing_else,
      the_parts_of_a_profile_add_up_to_its_totals, every_released_net_has_its_published_figures,
      streaming_takes_no_more_than_the_facts_say, imported_models_have_their_reference_figures,
      a_budget_is_kept_and_so_is_a_share_of_work,
      side_by_side_says_what_each_schedule_says_alone, along_the_front_less_memory_takes_more_work,
      the_picture_is_xml_that_needs_nothing_else_and_says_the_arena,
      the_page_says_both_conventions_the_peak_and_the_verdict,
      json_is_one_object_and_csv_has_a_row_a_layer,
      what_does_not_fit_is_said_and_only_with_check_a_failure, a_resolution_may_be_another,
      a_net_that_is_wrong_is_refused_with_its_line,
      squeeze_and_excite_stands_between_depthwise_and_projection,
      a_run_that_is_not_there_is_a_failed_job, wrong_usage_is_said_in_one_line,
      a_candidate_comes_with_its_runs_target_limits_and_schedule)
