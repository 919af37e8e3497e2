#define _GNU_SOURCE
#include "exporter/export.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "exporter/export_inner.h"
#include "exporter/print.h"
#include "exporter/rename.h"
#include "runtime/tb_check.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DRAWS = 8 }; /* inputs tried for the self-check */

/* ---- where the runtime's sources are ----------------------------------------------------- */

static bool holds_runtime(const char *dir)
{
    char *path = xasprintf("%s/tb.h", dir);
    bool found = file_exists(path);
    free(path);
    return found;
}

const char *runtime_dir(void)
{
    const char *asked = getenv("THIMBLE_RUNTIME");
    if (asked && asked[0]) {
        if (holds_runtime(asked))
            return asked;
        errorf("THIMBLE_RUNTIME is %s, where there is no tb.h", asked);
        return NULL;
    }
    const char *own = file_own("runtime");
    if (own && holds_runtime(own))
        return own;
    errorf("the runtime's sources are not found; THIMBLE_RUNTIME may name their folder");
    return NULL;
}

/* ---- files and folders ------------------------------------------------------------------- */

static int copy_file(const char *from, const char *to)
{
    size_t size;
    char *data = file_read(from, &size);
    FILE *f = data ? fopen(to, "wb") : NULL;
    int status = !data ? -1 : f ? 0 : errorf("cannot write %s: %s", to, strerror(errno));
    if (f && (fwrite(data, 1, size, f) != size) + (fclose(f) != 0) > 0)
        status = errorf("cannot write %s", to);
    free(data);
    return status;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static bool is_source(const char *name)
{
    return ends_with(name, ".c") || ends_with(name, ".h");
}

static bool is_any(const char *name)
{
    return name[0] != '.' && !ends_with(name, "~") && !ends_with(name, ".o") &&
           !ends_with(name, ".d");
}

/* Of the files in runtime/boards/ three belong to the exported folder itself. */
static const char *place_of(const char *name)
{
    return strcmp(name, "main.c") == 0 ? "../main.c"
           : strcmp(name, "PORTING.md") == 0 ? "../PORTING.md"
           : strcmp(name, "Makefile.export") == 0 ? "../Makefile" : name;
}

static const char *same_place(const char *name)
{
    return name;
}

/* Plain files only: there are no folders below. */
static int copy_files(const char *from, const char *to, bool (*wanted)(const char *name),
                      const char *(*place)(const char *name))
{
    DIR *dir = opendir(from);
    if (!dir)
        return errorf("cannot read the folder %s: %s", from, strerror(errno));
    int status = 0;
    for (struct dirent *e; status == 0 && (e = readdir(dir));) {
        char *source = xasprintf("%s/%s", from, e->d_name);
        char *target = xasprintf("%s/%s", to, place(e->d_name));
        if (wanted(e->d_name) && !file_is_dir(source))
            status = copy_file(source, target);
        free(source);
        free(target);
    }
    closedir(dir);
    return status;
}

/* Files copied into the folder that call the network by its name. */
static int rename_copies(const char *dir, const char *prefix)
{
    static const char *const name[] = {"main.c", "Makefile", "PORTING.md", "boards/sections.ld"};
    int status = 0;
    for (size_t i = 0; i < sizeof name / sizeof *name && status == 0; i++) {
        char *path = xasprintf("%s/%s", dir, name[i]), *text = file_read(path, NULL);
        char *renamed = text ? rename_text(text, prefix) : NULL;
        status = renamed ? file_write(path, renamed, strlen(renamed)) : -1;
        free(renamed);
        free(text);
        free(path);
    }
    return status;
}

int export_part(const char *folder, const char *dir)
{
    const char *runtime = runtime_dir();
    char *from = runtime ? xasprintf("%s/%s", runtime, folder) : NULL;
    int status = from ? copy_files(from, dir, is_source, same_place) : -1;
    free(from);
    return status;
}

int export_runtime(const char *to, const char *prefix)
{
    const char *runtime = runtime_dir();
    if (!runtime)
        return -1;
    char *from = xasprintf("%s/boards", runtime), *boards = xasprintf("%s/boards", to);
    int status = file_make_dirs(boards);
    if (status == 0)
        status = copy_files(runtime, to, is_source, same_place);
    if (status == 0)
        status = copy_files(from, boards, is_any, place_of);
    if (status == 0 && prefix)
        status = rename_copies(to, prefix);
    free(from);
    free(boards);
    return status;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_empty_dir(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;
    while (dir && n < 3 && readdir(dir)) /* . and .. */
        n++;
    if (dir)
        closedir(dir);
    return dir && n < 3;
}

static bool is_ours(const char *path, const char *prefix)
{
    char *header = xasprintf("%s/%s.h", path, prefix ? prefix : "model"), *text = NULL;
    char *mark = rename_text(PRINT_MARK, prefix ? prefix : "model");
    if (file_exists(header))
        text = file_read(header, NULL);
    bool ours = text && strncmp(text, mark, strlen(mark)) == 0;
    free(mark);
    free(text);
    free(header);
    return ours;
}

static int check_replaceable(const char *path, const char *prefix)
{
    struct stat st;
    if (lstat(path, &st) != 0 || is_empty_dir(path))
        return 0;
    if (!file_is_dir(path))
        return errorf("%s is a file; the network is written into a folder", path);
    if (!is_ours(path, prefix))
        return errorf("%s is a folder that thimble did not write: it is not replaced", path);
    return 0;
}

/* The old folder steps aside, the new one takes its place, the old one goes. */
static int take_place(const char *fresh, const char *path)
{
    if (rename(fresh, path) == 0) /* nothing there, or an empty folder */
        return 0;
    char *old = xasprintf("%s.%ld.old", path, (long)getpid());
    int status = 0;
    if (rename(path, old) != 0 || rename(fresh, path) != 0) {
        status = errorf("cannot replace %s: %s", path, strerror(errno));
        if (!file_exists(path))
            (void)!rename(old, path);
    } else {
        remove_tree(old);
    }
    free(old);
    return status;
}

/* ---- the folder -------------------------------------------------------------------------- */

static const char use_inside[] =
    "Use it\n"
    "------\n"
    "    #include \"model.h\"\n"
    "    static int8_t arena[MODEL_ARENA_BYTES] __attribute__((aligned(MODEL_ARENA_ALIGN)));\n"
    "\n"
    "    int8_t *image = model_input(arena);        /* fill: [h][w][c] */\n"
    "    model_run(arena, NULL);                    /* the image is overwritten */\n"
    "    const int8_t *score = model_output(arena); /* the class is the largest */\n";

static const char use_outside[] =
    "Use it\n"
    "------\n"
    "    #include \"model.h\"\n"
    "    static int8_t arena[MODEL_ARENA_BYTES] __attribute__((aligned(MODEL_ARENA_ALIGN)));\n"
    "\n"
    "    static void row(void *context, int y, int x0, int x1, int8_t *to); /* in what order:\n"
    "                       model.h. Columns [x0, x1) of row y, [x][c] */\n"
    "    const TbInput image = {row, NULL};\n"
    "    model_run(arena, &image);\n"
    "    const int8_t *score = model_output(arena); /* the class is the largest */\n";

static const char readme[] =
    "\n"
    "Try it\n"
    "------\n"
    "    make host && ./model_host    on this machine; it checks itself\n"
    "    make && make run             for the board in board.mk, under QEMU\n"
    "    make run BOARD=cortex-m4     or cortex-m0plus, -m3, -m7, -m33, -m55, riscv32\n"
    "\n"
    "Port it\n"
    "-------\n"
    "PORTING.md: which files and flags, where the arena goes, a camera's rows by DMA, tasks and\n"
    "stack, a cycle counter. model.h says what the call needs and promises. In short:\n"
    "\n"
    "1. model.c, model_check.c and tb*.c as C99 with -O2, all .h files beside them.\n"
    "2. The arena at a multiple of MODEL_ARENA_ALIGN, and the stack said above.\n"
    "3. With MODEL_SELF_CHECK defined, model_self_check(arena) returns 0 when all is well.\n";

static void print_readme(FILE *f, const Listing *x)
{
    fputs("An int8 network for a microcontroller, written by thimble\n"
          "==========================================================\n", f);
    print_line(f, x->options->title ? x->options->title : "a network");
    fputs("\n\n", f);
    print_shapes(f, x, "    ");
    print_costs(f, x, "    ");
    fprintf(f, "\n%s\nInput: ", x->plan->image_outside ? use_outside : use_inside);
    print_input(f, x);
    fputs(readme, f);
}

static void print_board(FILE *f, const Listing *x)
{
    fprintf(f, "BOARD ?= %s\n", x->options->target->core);
}

/* What a listing prints, under the network's name; yours to free. */
static char *printed(const Listing *x, void (*print)(FILE *f, const Listing *x))
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    print(f, x);
    if (fclose(f) != 0 || !x->options->prefix)
        return text;
    char *renamed = rename_text(text, x->options->prefix);
    free(text);
    return renamed;
}

static int write_listing(const char *dir, const char *name, const Listing *x,
                         void (*print)(FILE *f, const Listing *x))
{
    const char *prefix = x->options->prefix;
    char *file = rename_text(name, prefix ? prefix : "model");
    char *path = xasprintf("%s/%s", dir, file), *text = printed(x, print);
    FILE *f = text ? fopen(path, "w") : NULL;
    int status = f ? 0 : errorf("cannot write %s: %s", path, strerror(errno));
    if (f && (fputs(text, f) == EOF) + (fclose(f) != 0) > 0)
        status = errorf("cannot write %s: the disk may be full", path);
    free(text);
    free(path);
    free(file);
    return status;
}

static int write_folder(const char *dir, const void *what)
{
    const Listing *x = what;
    static const struct {
        const char *name;
        void (*print)(FILE *f, const Listing *x);
    } file[] = {
        {"model.c", print_model_c}, {"model.h", print_model_h}, {"model_check.c", print_check_c},
        {"README.md", print_readme}, {"board.mk", print_board},
    };
    if (file_make_dirs(dir) != 0 || export_runtime(dir, x->options->prefix) != 0)
        return -1;
    for (size_t i = 0; i < sizeof file / sizeof *file; i++)
        if (write_listing(dir, file[i].name, x, file[i].print) != 0)
            return -1;
    return 0;
}

/* ---- the answer that the self-check asks for ----------------------------------------------- */

/* How many different values there are that no limit cut off. */
static int variety(const int8_t *v, uint32_t n)
{
    bool seen[256] = {[0] = true, [255] = true};
    int count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += !seen[v[i] + 128];
        seen[v[i] + 128] = true;
    }
    return count;
}

/* A sample's answer is what it is. Of drawn inputs we take the one whose answer has the most
 * values that mean something: a network saturated by noise would hide how it was built. */
static void find_answer(const QModel *q, Listing *x)
{
    const uint32_t in = net_tensor_bytes(&q->net, NET_IMAGE);
    const uint32_t out = net_tensor_bytes(&q->net, q->net.n_layers - 1);
    int8_t *arena = xaligned(x->lowered->model.arena_bytes), *input = xmalloc(in);
    int best = -1;
    for (uint32_t draw = 0; draw < (x->options->sample ? 1 : DRAWS); draw++) {
        for (uint32_t i = 0; i < in; i++)
            input[i] = x->options->sample ? x->options->sample[i] : tb_drawn(draw, i);
        const int8_t *output = lowered_run(x->lowered, &q->net, input, arena);
        int found = variety(output, out);
        if (found > best) {
            best = found;
            x->check_draw = draw;
            x->check_crc = tb_crc32(output, out);
        }
    }
    free(input);
    free(arena);
}

/* Without the slashes at its end, so that something can be put beside it. */
static char *folder_name(const char *dir)
{
    char *path = xstrdup(dir);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
    return path;
}

int export_folder(const char *dir, const char *prefix,
                  int (*write)(const char *dir, const void *what), const void *what)
{
    char *path = folder_name(dir), *fresh = xasprintf("%s.%ld.tmp", path, (long)getpid());
    int status = check_replaceable(path, prefix);
    if (status == 0) {
        status = write(fresh, what);
        if (status == 0)
            status = take_place(fresh, path);
        if (status != 0)
            remove_tree(fresh);
    }
    free(fresh);
    free(path);
    return status;
}

int export_plan(const QModel *q, const Plan *plan, const ExportOptions *options)
{
    Lowered lowered;
    if ((options->prefix && rename_check(options->prefix) != 0) || lower(q, plan, &lowered) != 0)
        return -1;
    Listing x = {.q = q, .plan = plan, .lowered = &lowered, .options = options,
                 .cost = cost_of_plan(&q->net, options->target, plan)};
    find_answer(q, &x);
    int status = export_folder(options->dir, options->prefix, write_folder, &x);
    lowered_release(&lowered);
    return status;
}

int export_model(const QModel *q, const ExportOptions *options)
{
    Plan plan;
    plan_make(&q->net, &options->plan, &plan);
    return export_plan(q, &plan, options);
}
