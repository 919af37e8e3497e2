#define _GNU_SOURCE
#include "exporter/export_bench.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "exporter/export_inner.h"
#include "exporter/print.h"
#include "exporter/rename.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const BenchPlan *plan;
    int n;
    const BenchOptions *options;
} Bench;

/* ---- a network's two files ---- */

static int write_printed(const char *dir, const char *prefix, const Listing *x, char kind)
{
    char *text = NULL, *path = xasprintf("%s/nets/%s.%c", dir, prefix, kind);
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (kind == 'c')
        print_model_c(f, x);
    else
        print_model_h(f, x);
    fclose(f);
    char *renamed = rename_text(text, prefix);
    int status = file_write(path, renamed, strlen(renamed));
    free(renamed);
    free(text);
    free(path);
    return status;
}

static int write_net(const char *dir, const Bench *b, const BenchPlan *p)
{
    Lowered lowered;
    if (lower(p->q, p->plan, &lowered) != 0)
        return -1;
    char *prefix = xasprintf("net%d", p->number);
    ExportOptions options = {.title = "one of a benchmark", .prefix = prefix,
                             .target = b->options->target};
    Listing x = {.q = p->q, .plan = p->plan, .lowered = &lowered, .options = &options,
                 .cost = cost_of_plan(&p->q->net, b->options->target, p->plan)};
    int status = write_printed(dir, prefix, &x, 'c');
    if (status == 0)
        status = write_printed(dir, prefix, &x, 'h');
    free(prefix);
    lowered_release(&lowered);
    return status;
}

/* ---- the list of them ---- */

static void print_nets_h(FILE *f, const Bench *b)
{
    uint32_t arena = 0;
    int segments = 0;
    for (int i = 0; i < b->n; i++) {
        int n = 0;
        for (int s = 0; s < b->plan[i].plan->n_segments; s++)
            n += plan_runs(b->plan[i].plan, s);
        arena = b->plan[i].plan->arena > arena ? b->plan[i].plan->arena : arena;
        segments = n > segments ? n : segments;
    }
    char *mark = rename_text(PRINT_MARK, "nets");
    fprintf(f, "%s Many of them, to time (tb_bench.h). */\n"
               "#ifndef NETS_H\n#define NETS_H\n\n#include \"tb_bench.h\"\n\n", mark);
    fprintf(f, "#define NETS_N %d\n#define NETS_ARENA_BYTES %u\n#define NETS_MAX_SEGMENTS %d\n",
            b->n, arena, segments);
    fprintf(f, "#define NETS_SEED \"%" PRIu64 "\"\n#define NETS_TARGET \"%s\"\n\n",
            b->options->seed, b->options->target->name);
    fputs("extern const TbBenchNet nets[NETS_N];\n\n#endif\n", f);
    free(mark);
}

static void print_nets_c(FILE *f, const Bench *b)
{
    fputs("/* nets.c - the plans that tb_bench.c runs; thimble wrote it. */\n"
          "#include \"nets.h\"\n\n", f);
    for (int i = 0; i < b->n; i++)
        fprintf(f, "#include \"nets/net%d.h\"\n", b->plan[i].number);
    fputs("\n/* tables, hash, number, bytes of a pixel of an image that is outside */\n"
          "const TbBenchNet nets[NETS_N] = {\n", f);
    for (int i = 0; i < b->n; i++) {
        const BenchPlan *p = &b->plan[i];
        fprintf(f, "    {&net%d_tables, \"%016" PRIx64 "\", %d, %d},\n", p->number, p->hash,
                p->number, p->plan->image_outside ? p->q->net.c : 0);
    }
    fputs("};\n", f);
}

/* What the Makefile asks for: the board it is for and the objects that make the program. */
static void print_board_mk(FILE *f, const Bench *b)
{
    fprintf(f, "BOARD ?= %s\nCHECK =\nMODELS = nets.o", b->options->target->core);
    for (int i = 0; i < b->n; i++)
        fprintf(f, " net%d.o", b->plan[i].number);
    fputc('\n', f);
}

static int write_file(const char *dir, const char *name, const Bench *b,
                      void (*print)(FILE *f, const Bench *b))
{
    char *text = NULL, *path = xasprintf("%s/%s", dir, name);
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    print(f, b);
    fclose(f);
    int status = file_write(path, text, size);
    free(text);
    free(path);
    return status;
}

/* ---- the folder ---- */

static int write_bench(const char *dir, const void *what)
{
    const Bench *b = what;
    char *nets = xasprintf("%s/nets", dir);
    int status = file_make_dirs(nets);
    if (status == 0)
        status = export_runtime(dir, NULL);
    if (status == 0)
        status = export_part("bench", dir); /* its main.c takes the place of the other one */
    for (int i = 0; i < b->n && status == 0; i++)
        status = write_net(dir, b, &b->plan[i]);
    if (status == 0)
        status = write_file(dir, "nets.h", b, print_nets_h);
    if (status == 0)
        status = write_file(dir, "nets.c", b, print_nets_c);
    if (status == 0)
        status = write_file(dir, "board.mk", b, print_board_mk);
    free(nets);
    return status;
}

int export_bench(const BenchPlan *plans, int n, const BenchOptions *options)
{
    Bench b = {.plan = plans, .n = n, .options = options};
    return export_folder(options->dir, "nets", write_bench, &b);
}
