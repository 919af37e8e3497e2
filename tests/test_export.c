#define _GNU_SOURCE
#include "base/file.h"
#include "evaluator/host.h"
#include "exporter/export.h"
#include "exporter/print.h"
#include "runtime/tb_check.h"
#include "tests/random_plan.h"
#include "tests/suite.h"

#include <dirent.h>

/* ---- a folder for each test ---------------------------------------------------------------- */

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/thimble-export-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* Runs a shell command in the folder; what it wrote is yours to free. */
static char *shell(int *status, const char *command)
{
    char *line = xasprintf("cd %s && (%s) >%s.log 2>&1", folder, command, folder);
    char *log = xasprintf("%s.log", folder);
    *status = system(line);
    char *text = file_read(log, NULL);
    ck_assert_ptr_nonnull(text);
    free(line);
    free(log);
    return text;
}

static void must(const char *command)
{
    int status;
    char *text = shell(&status, command);
    ck_assert_msg(status == 0, "%s\n%s", command, text);
    free(text);
}

static bool have(const char *program)
{
    char *line = xasprintf("command -v %s >/dev/null 2>&1", program);
    int status = system(line);
    free(line);
    if (status != 0)
        printf("SKIPPED: %s is not there\n", program);
    return status == 0;
}

static void remove_folder(void)
{
    char *line = xasprintf("rm -rf %s %s.log", folder, folder);
    ck_assert_int_eq(system(line), 0);
    free(line);
}

static char *read_exported(const char *name)
{
    char *path = xasprintf("%s/out/%s", folder, name), *text = file_read(path, NULL);
    ck_assert_msg(text != NULL, "%s", error_text());
    free(path);
    return text;
}

/* ---- networks ------------------------------------------------------------------------------ */

static const Target target = {.name = "a target", .core = "cortex-m4",
                              .latency = {.unit = "instructions", .error = 0.05, .fixed = 1000}};

typedef struct {
    QModel q;
    int8_t *image;
    Plan plan;
} Case;

static Case case_of(const Net *net, const PlanOptions *options, uint64_t seed)
{
    Rng rng = rng_make(seed, 1);
    uint32_t bytes = net_tensor_bytes(net, NET_IMAGE);
    Case c = {.image = xmalloc(bytes)};
    for (uint32_t i = 0; i < bytes; i++)
        c.image[i] = random_int8(&rng);
    random_qmodel(&c.q, net, &rng);
    plan_make(net, options, &c.plan);
    return c;
}

static void case_release(Case *c)
{
    qmodel_release(&c->q);
    free(c->image);
}

static const PlanOptions inplace = {.policy = POLICY_INPLACE};
static const PlanOptions stream_outside = {.policy = POLICY_STREAM, .image_outside = true};

/* Every operator that is trained, both kinds of stride, a residual, odd sizes. */
static void every_operator(Net *net)
{
    net_begin(net, 15, 13, 3);
    int at = net_conv(net, NET_IMAGE, 7, square(3), (Size2){1, 2}, ACT_RELU6);
    BlockShape b = {.mid = 14, .out_c = 7, .kernel = {3, 5}, .stride = square(1), .residual = true,
                    .expands = true};
    at = net_block(net, at, &b);
    at = net_pool(net, OP_MAX_POOL, at, square(2), square(2));
    at = net_pool(net, OP_AVG_POOL, at, (Size2){3, 1}, square(1));
    at = net_depthwise(net, at, square(7), square(2), ACT_RELU);
    net_dense(net, net_global_pool(net, at), 5, ACT_NONE);
}

static int export_case(const Case *c, const char *title, const char *const *class_name,
                       bool with_sample)
{
    char *dir = xasprintf("%s/out/", folder);
    ExportOptions options = {.dir = dir, .title = title, .target = &target,
                             .class_name = class_name, .sample = with_sample ? c->image : NULL,
                             .sample_label = 2};
    int status = export_plan(&c->q, &c->plan, &options);
    free(dir);
    return status;
}

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = -2; /* . and .. */
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

/* ---- tests --------------------------------------------------------------------------------- */

TEST(the_folder_has_everything_and_nothing_stays_beside_it)
{
    static const char *const file[] = {"model.c", "model.h", "model_check.c", "README.md", "tb.h",
                                       "PORTING.md", "board.mk", "main.c", "Makefile", "tb_run.c", "scratch.h",
                                       "boards/tb_board.h"};
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, 1);
    make_folder();
    ck_assert_msg(export_case(&c, "first", NULL, true) == 0, "%s", error_text());
    for (size_t i = 0; i < sizeof file / sizeof *file; i++)
        free(read_exported(file[i]));
    ck_assert_int_eq(entries(folder), 1);
    char *board = read_exported("board.mk");
    ck_assert_str_eq(board, "BOARD ?= cortex-m4\n");
    free(board);
    remove_folder();
    case_release(&c);
}
END

TEST(only_what_thimble_wrote_is_replaced)
{
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, 1);
    make_folder();
    must("mkdir out && touch out/letters");
    ck_assert_int_eq(export_case(&c, "first", NULL, true), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "did not write"));
    must("test -f out/letters && test ! -e out/model.c && rm -r out && touch out");
    ck_assert_int_eq(export_case(&c, "first", NULL, true), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "is a file"));
    must("rm out && mkdir out"); /* an empty folder is free */
    ck_assert_int_eq(export_case(&c, "the first", NULL, true), 0);
    must("grep -q 'the first' out/model.c && touch out/stale");
    ck_assert_int_eq(export_case(&c, "the second", NULL, true), 0);
    must("grep -q 'the second' out/model.c && test ! -e out/stale");
    ck_assert_int_eq(entries(folder), 1);
    remove_folder();
    case_release(&c);
}
END

TEST(the_same_network_gives_the_same_text)
{
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, 1);
    make_folder();
    ck_assert_int_eq(export_case(&c, "title", NULL, true), 0);
    must("cp -r out first");
    ck_assert_int_eq(export_case(&c, "title", NULL, true), 0);
    must("diff -r first out");
    remove_folder();
    case_release(&c);
}
END

/* What a careful user's compiler might be told. Not -Wcast-align: the runtime casts where it has
 * looked at the address. */
#define STRICT                                                                                     \
    "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wmissing-prototypes "                 \
    "-Wstrict-prototypes -Werror"

/* A title and class names that would end a comment or a string. */
TEST(what_is_printed_compiles_without_a_warning)
{
    static const char *const name[] = {"cat", "a \"dog\"", "back\\slash", "new\nline", "?\?/ */"};
    Net net;
    every_operator(&net);
    make_folder();
    for (int sample = 0; sample < 2; sample++) {
        Case c = case_of(&net, sample ? &stream_outside : &inplace, 1);
        const char *title = "a */ b /* c\n#error \\";
        ck_assert_int_eq(export_case(&c, title, name, sample), 0);
        must("cd out && gcc -std=c99 " STRICT " -c model.c model_check.c tb_*.c");
        must("cd out && gcc -std=gnu11 -DMODEL_SELF_CHECK " STRICT " -c model_check.c");
        must("cd out && echo '#include \"model.h\"\n const char *const n[] = MODEL_CLASS_NAMES;' "
             "> c.c && gcc -std=c99 -Wall -Wextra -Werror -c c.c");
        if (have("clang"))
            must("cd out && clang -std=c99 -DMODEL_SELF_CHECK " STRICT
                 " -c model.c model_check.c tb_*.c");
        must("! grep -nE '^.{101}' out/model.h out/README.md");
        case_release(&c);
    }
    remove_folder();
}
END

/* The first has every operator; plans are made and random in turn. */
static Case random_case(uint64_t i, Rng *rng)
{
    Net net;
    if (i == 0)
        every_operator(&net);
    else
        random_chain(&net, rng);
    Case c = case_of(&net, &stream_outside, i);
    if (i % 2)
        random_plan(&net, &c.plan, rng);
    else if (i > 0)
        made_plan(&net, &c.plan, rng);
    return c;
}

static void write_image(const Case *c, const char *name)
{
    char *path = xasprintf("%s/out/%s", folder, name);
    ck_assert_int_eq(file_write(path, c->image, net_tensor_bytes(&c->q.net, NET_IMAGE)), 0);
    free(path);
}

/* "output 00ff...\n", as main.c prints it. */
static char *expected_line(const Case *c)
{
    uint32_t n = net_tensor_bytes(&c->q.net, c->q.net.n_layers - 1), touched;
    int8_t *output = xmalloc(n);
    ck_assert_msg(host_run(&c->q, &c->plan, c->image, output, &touched) == 0, "%s", error_text());
    char *line = xcalloc(1, 2 * n + 16);
    int length = sprintf(line, "output ");
    for (uint32_t i = 0; i < n; i++)
        length += sprintf(line + length, "%02x", (uint8_t)output[i]);
    strcpy(line + length, "\n");
    free(output);
    return line;
}

static void check_host_build(const Case *c)
{
    int status;
    char *line = expected_line(c), *fact = NULL;
    ck_assert_int_eq(export_case(c, "a net", NULL, true), 0);
    must("make -s -C out host HOST_CC='gcc -Werror -fsanitize=address,undefined' "
         "HOST_CFLAGS='-std=c99 -Wall -Wextra -I. -Iboards'");
    char *text = shell(&status, "cd out && ./model_host");
    ck_assert_msg(status == 0 && strstr(text, line) && strstr(text, "sample equal"), "%s%s", line,
                  text);
    fact = xasprintf("arena %u\n", c->plan.arena);
    ck_assert_msg(strstr(text, fact) && strstr(text, "canaries ok"), "%s%s", fact, text);
    free(text);
    write_image(c, "other.bin");
    text = shell(&status, "cd out && ./model_host other.bin");
    ck_assert_msg(status == 0 && strstr(text, line), "%s%s", line, text);
    free(text);
    free(fact);
    free(line);
}

TEST(the_exported_program_answers_as_the_host_does)
{
    Rng rng = rng_make(5, 0);
    make_folder();
    for (uint64_t i = 0; i < 4; i++) {
        Case c = random_case(i, &rng);
        check_host_build(&c);
        case_release(&c);
    }
    remove_folder();
}
END

static const char caller[] =
    "#include \"model.h\"\n#include <cstdio>\n"
    "alignas(TB_ALIGN) static int8_t arena[MODEL_ARENA_BYTES];\n"
    "int main()\n{\n"
    "    model_check_row(NULL, 0, 0, MODEL_INPUT_H * MODEL_INPUT_W, model_input(arena));\n"
    "    model_run(arena, NULL);\n"
    "    std::printf(\"first %d\\n\", model_output(arena)[0]);\n"
    "    if (model_self_check(arena) != 0)\n"
    "        return 1;\n"
    "    std::printf(\"%d %d %d %d %.9g %d %.9g %d\\n\", MODEL_INPUT_H, MODEL_INPUT_W,\n"
    "                MODEL_INPUT_C, MODEL_N_SEGMENTS, MODEL_INPUT_SCALE, MODEL_INPUT_ZERO,\n"
    "                MODEL_OUTPUT_SCALE, MODEL_OUTPUT_ZERO);\n"
    "    return 0;\n}\n";

static int first_output(const Case *c)
{
    int8_t output[64];
    uint32_t touched;
    ck_assert_uint_le(net_tensor_bytes(&c->q.net, c->q.net.n_layers - 1), sizeof output);
    ck_assert_msg(host_run(&c->q, &c->plan, c->image, output, &touched) == 0, "%s", error_text());
    return output[0];
}

TEST(a_cpp_program_calls_it)
{
    if (!have("g++"))
        return;
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, 3);
    const QTensor *in = &c.q.tensor[0], *out = &c.q.tensor[net.n_layers];
    make_folder();
    ck_assert_int_eq(export_case(&c, "a net", NULL, true), 0);
    char *path = xasprintf("%s/out/caller.cpp", folder);
    ck_assert_int_eq(file_write(path, caller, strlen(caller)), 0);
    must("cd out && gcc -std=c99 -DMODEL_SELF_CHECK -c model.c model_check.c tb_*.c && "
         "g++ -std=c++11 -Wall -Wextra -Wpedantic -Wundef -Werror -DMODEL_SELF_CHECK "
         "-o caller caller.cpp *.o");
    int status;
    char *text = shell(&status, "cd out && ./caller");
    char *line = xasprintf("first %d\n15 13 3 %d %.9g %d %.9g %d\n", first_output(&c), net.n_layers, (double)in->scale,
                           in->zero, (double)out->scale, out->zero);
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(text, line);
    free(line);
    free(text);
    free(path);
    remove_folder();
    case_release(&c);
}
END

static const char both[] =
    "#include \"kws.h\"\n#include \"vww.h\"\n"
    "static int8_t arena[KWS_ARENA_BYTES > VWW_ARENA_BYTES ? KWS_ARENA_BYTES : VWW_ARENA_BYTES]\n"
    "    __attribute__((aligned(TB_ALIGN)));\n"
    "int main(void)\n{\n"
    "    return kws_self_check(arena) | vww_self_check(arena);\n}\n";

/* Class names that look like our own stay as they are. */
static void export_as(const char *prefix, uint64_t seed)
{
    static const char *const name[] = {"model_t", "MODEL_", "model.h", "b", "c"};
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, seed);
    char *dir = xasprintf("%s/%s", folder, prefix);
    ExportOptions options = {.dir = dir, .prefix = prefix, .target = &target, .sample = c.image,
                             .class_name = name};
    for (int again = 0; again < 2; again++)
        ck_assert_msg(export_plan(&c.q, &c.plan, &options) == 0, "%s", error_text());
    free(dir);
    case_release(&c);
}

TEST(two_networks_share_a_program)
{
    make_folder();
    export_as("kws", 5);
    export_as("vww", 6);
    char *path = xasprintf("%s/both.c", folder);
    ck_assert_int_eq(file_write(path, both, strlen(both)), 0);
    must("gcc -std=c99 -Wall -Wextra -Werror -DKWS_SELF_CHECK -DVWW_SELF_CHECK -Ikws -Ivww -o both "
         "both.c kws/kws*.c vww/vww*.c kws/tb_*.c && ./both");
    must("make -s -C kws host && cd kws && ./kws_host | grep 'sample equal'");
    must("! grep -rniE '(^|[^a-z0-9_\"])model_' kws && "
         "grep '\"model_t\"' kws/kws.h && test ! -e kws/model.c");
    if (have("arm-none-eabi-gcc"))
        must("make -s -C vww && arm-none-eabi-size -A vww/vww.elf | grep tb_rodata");
    ExportOptions options = {.dir = "nowhere", .prefix = "9", .target = &target};
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, 5);
    ck_assert_int_eq(export_plan(&c.q, &c.plan, &options), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "'9' cannot begin"));
    case_release(&c);
    free(path);
    remove_folder();
}
END

/* The check that one network was exported with, beside another. */
static void make_with_old_check(const char *says)
{
    int status;
    must("cp check.c out/model_check.c && make -s -C out host");
    char *text = shell(&status, "cd out && ./model_host");
    ck_assert_msg(strstr(text, says) != NULL, "%s", text);
    ck_assert_int_eq(status == 0, strcmp(says, "sample equal") == 0);
    free(text);
}

TEST(the_self_check_hears_one_wrong_weight)
{
    make_folder();
    for (int sample = 0; sample < 2; sample++) {
        Net net;
        every_operator(&net);
        Case c = case_of(&net, sample ? &inplace : &stream_outside, 7);
        ck_assert_msg(export_case(&c, "right", NULL, sample) == 0, "%s", error_text());
        must("cp out/model_check.c check.c");
        make_with_old_check("sample equal");
        int8_t *weight = c.q.layer[sample ? 0 : net.n_layers - 1].weights;
        *weight = (int8_t)(*weight ^ 0x40);
        ck_assert_int_eq(export_case(&c, "wrong", NULL, sample), 0);
        make_with_old_check("sample differs");
        case_release(&c);
    }
    remove_folder();
}
END

TEST(without_the_macro_the_self_check_is_nothing)
{
    int status;
    if (!have("arm-none-eabi-gcc"))
        return;
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, 1);
    make_folder();
    ck_assert_int_eq(export_case(&c, "a net", NULL, true), 0);
    char *text = shell(&status, "cd out && arm-none-eabi-gcc -O2 -mcpu=cortex-m4 -c model_check.c && "
                                "arm-none-eabi-nm model_check.o && arm-none-eabi-size model_check.o "
                                "| grep -c '^ *0[^0-9]*0[^0-9]*0[^0-9]*0'");
    ck_assert_int_eq(status, 0);
    ck_assert_str_eq(text, "1\n"); /* no symbol at all, and a line of zeros */
    free(text);
    remove_folder();
    case_release(&c);
}
END

TEST(drawn_inputs_are_spread_over_all_bytes_and_differ)
{
    int count[256] = {0}, same = 0;
    for (uint32_t i = 0; i < 25600; i++) {
        count[tb_drawn(0, i) + 128]++;
        same += tb_drawn(0, i) == tb_drawn(1, i);
    }
    for (int v = 0; v < 256; v++) {
        ck_assert_int_gt(count[v], 50);
        ck_assert_int_lt(count[v], 150);
    }
    ck_assert_int_lt(same, 25600 / 64);
    ck_assert_uint_eq(tb_crc32((const int8_t *)"123456789", 9), 0xCBF43926u); /* as published */
    ck_assert_uint_eq(tb_crc32(NULL, 0), 0);
}
END

/* The pieces of C in PORTING.md, one after the other, are a file. */
#define PIECES "sed -n '/^```c$/,/^```$/p' out/PORTING.md | grep -v '^```' > out/pieces.c"

TEST(what_the_porting_page_says_compiles)
{
    make_folder();
    for (int outside = 0; outside < 2; outside++) {
        Net net;
        every_operator(&net);
        Case c = case_of(&net, outside ? &stream_outside : &inplace, 1);
        ck_assert_int_eq(export_case(&c, "a net", NULL, true), 0);
        must(PIECES " && test $(wc -l < out/pieces.c) -gt 50");
        if (have("arm-none-eabi-gcc"))
            must("cd out && arm-none-eabi-gcc -std=c99 -O2 -mcpu=cortex-m4 -mthumb -Wall -Wextra "
                 "-Wpedantic -Wshadow -Wconversion -Werror -DMODEL_SELF_CHECK -c pieces.c && "
                 "arm-none-eabi-nm pieces.o | grep -q ' T look' && "
                 "arm-none-eabi-nm pieces.o | grep -q ' T tb_cycles'");
        must("! grep -nE '^.{121}' out/PORTING.md");
        case_release(&c);
    }
    remove_folder();
}
END

/* Every way to optimise gives the same answer, and no more to say. */
TEST(however_it_is_compiled_it_answers_the_same)
{
    static const char *const flags[] = {"-O0", "-Os", "-O3 -flto", "-O1 -std=gnu11 -funsigned-char"};
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &stream_outside, 2);
    make_folder();
    ck_assert_int_eq(export_case(&c, "a net", NULL, false), 0);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        char *line = xasprintf("make -s -B -C out host HOST_CFLAGS='-std=c99 -I. -Iboards " STRICT
                               " %s' && out/model_host | grep -q 'sample equal'", flags[i]);
        must(line);
        free(line);
    }
    if (have("gcc-11")) /* the oldest that the distribution has */
        must("cd out && gcc-11 -std=c99 -O2 " STRICT " -c model.c model_check.c tb_*.c");
    remove_folder();
    case_release(&c);
}
END

/* size -A: name, bytes, address. */
static unsigned long section_bytes(const char *text, const char *prefix)
{
    unsigned long sum = 0;
    char name[64];
    for (const char *line = text; line; line = strchr(line, '\n')) {
        unsigned long bytes = 0;
        line += *line == '\n';
        if (sscanf(line, "%63s %lu", name, &bytes) == 2 &&
            strncmp(name, prefix, strlen(prefix)) == 0)
            sum += bytes;
    }
    return sum;
}

static void check_flash(const Case *c, const char *flags)
{
    int status;
    PlanSize size = plan_size(&c->q.net, &c->plan);
    ck_assert_int_eq(export_case(c, "a net", NULL, true), 0);
    char *command = xasprintf("cd out && arm-none-eabi-gcc -std=c99 -mcpu=cortex-m4 -mthumb %s -c "
                              "model.c && arm-none-eabi-size -A model.o", flags);
    char *text = shell(&status, command);
    ck_assert_msg(status == 0, "%s", text);
    ck_assert_uint_eq(section_bytes(text, ".rodata"), flash_of_model(&c->q.net, &size));
    ck_assert_uint_eq(section_bytes(text, ".text") + section_bytes(text, ".data") +
                          section_bytes(text, ".bss"), 0);
    free(text);
    free(command);
}

TEST(the_predicted_flash_is_the_size_of_the_object)
{
    static const char *const flags[] = {"-O2", "-Os -fdata-sections", "-O3", "-O0"};
    if (!have("arm-none-eabi-gcc"))
        return;
    Rng rng = rng_make(6, 0);
    make_folder();
    for (uint64_t i = 0; i < 10; i++) {
        Case c = random_case(i, &rng);
        check_flash(&c, flags[i % 4]);
        case_release(&c);
    }
    remove_folder();
}
END

/* No constants at all: the arrays are left out. */
TEST(a_network_of_one_pool_is_a_network)
{
    Net net;
    net_begin(&net, 6, 6, 2);
    net_global_pool(&net, NET_IMAGE);
    Case c = case_of(&net, &inplace, 4);
    make_folder();
    check_host_build(&c);
    if (have("arm-none-eabi-gcc"))
        check_flash(&c, "-O2");
    remove_folder();
    case_release(&c);
}
END

TEST(the_runtime_is_looked_for_where_the_user_says)
{
    setenv("THIMBLE_RUNTIME", "/nowhere", 1);
    ck_assert_ptr_null(runtime_dir());
    ck_assert_ptr_nonnull(strstr(error_text(), "/nowhere"));
    Net net;
    every_operator(&net);
    Case c = case_of(&net, &inplace, 1);
    make_folder();
    ck_assert_int_eq(export_case(&c, "a net", NULL, true), -1);
    ck_assert_int_eq(entries(folder), 0); /* nothing half done */
    setenv("THIMBLE_RUNTIME", "runtime", 1);
    ck_assert_str_eq(runtime_dir(), "runtime");
    unsetenv("THIMBLE_RUNTIME");
    ck_assert_ptr_nonnull(runtime_dir());
    remove_folder();
    case_release(&c);
}
END

TEST(numbers_are_printed_as_people_and_compilers_read_them)
{
    Number n;
    ck_assert_str_eq(print_number(0, &n), "0");
    ck_assert_str_eq(print_number(999, &n), "999");
    ck_assert_str_eq(print_number(1000, &n), "1,000");
    ck_assert_str_eq(print_number(1234567, &n), "1,234,567");
    ck_assert_str_eq(print_number(UINT64_MAX, &n), "18,446,744,073,709,551,615");
    ck_assert_str_eq(print_float(1, &n), "1.0f");
    ck_assert_str_eq(print_float(0.5f, &n), "0.5f");
    ck_assert_str_eq(print_float(1e-20f, &n), "9.99999968e-21f");
    Rng rng = rng_make(8, 0);
    for (int i = 0; i < 1000; i++) {
        float f = (float)ldexp(rng_uniform(&rng), (int)rng_below(&rng, 60) - 40);
        ck_assert(strtof(print_float(f, &n), NULL) == f);
    }
}
END

SUITE(export, the_folder_has_everything_and_nothing_stays_beside_it,
      only_what_thimble_wrote_is_replaced, the_same_network_gives_the_same_text,
      what_is_printed_compiles_without_a_warning, the_exported_program_answers_as_the_host_does,
      a_cpp_program_calls_it, two_networks_share_a_program,
      the_self_check_hears_one_wrong_weight, without_the_macro_the_self_check_is_nothing,
      drawn_inputs_are_spread_over_all_bytes_and_differ, what_the_porting_page_says_compiles,
      however_it_is_compiled_it_answers_the_same,
      the_predicted_flash_is_the_size_of_the_object,
      a_network_of_one_pool_is_a_network, the_runtime_is_looked_for_where_the_user_says,
      numbers_are_printed_as_people_and_compilers_read_them)
