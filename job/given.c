#define _GNU_SOURCE
#include "job/given.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "config/schema.h"
#include "job/pipeline.h"
#include "nn/pass.h"
#include "results/names.h"

#include <stdlib.h>
#include <string.h>

/* --- from wherever it is */

static int load_file(Given *g, const char *path, const Job *job, Resolution r)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (job->data.format == DATA_RAW)
        r = (Resolution){(uint16_t)job->data.raw_h, (uint16_t)job->data.raw_w};
    snprintf(g->name, sizeof g->name, "%.*s", (int)(strrchr(name, '.') - name), name);
    return config_net(&g->net, path, r);
}

static int load_genotype(Given *g, const char *text, const Space *space, int n_classes)
{
    Genotype genotype;
    if (genotype_parse(space, text, &genotype) != 0)
        return -1;
    genotype_text(space, &genotype, g->name);
    genotype_expand(space, &genotype, n_classes, &g->net);
    return 0;
}

static int load_run(Given *g, const char *what, const char *db)
{
    Pipeline *p = xcalloc(1, sizeof *p);
    CandidateRow row;
    Results *r = names_open(db);
    int status = r ? pipeline_open(p, r, what, NULL, &row) : -1;
    if (status == 0) {
        status = pipeline_net(p, &row, &g->net);
        snprintf(g->name, sizeof g->name, "%s", row.genotype);
        pipeline_release(p);
        results_candidate_release(&row);
    }
    results_close(r);
    free(p);
    return status;
}

static int load(Given *g, const char *what, const Job *job, Resolution r, const char *db,
                int n_classes)
{
    bool is_file = names_net_file(what);
    if (r.h && !is_file)
        return errorf("--resolution is for a NET.yaml: %s has its own", what);
    if (is_file)
        return load_file(g, what, job, r);
    if (names_run_net(what))
        return load_run(g, what, db);
    if (file_exists(what))
        return errorf("%s: what is trained is a NET.yaml, a genotype, RUN:best or RUN:NUMBER", what);
    return load_genotype(g, what, &job->space, n_classes);
}

/* --- made to fit the data */

static int take_classes(Net *net, int n_classes)
{
    Layer *last = &net->layer[net->n_layers - 1];
    if (last->op != OP_DENSE)
        return errorf("the last layer is no classifier");
    last->out_c = (uint16_t)n_classes;
    return net_check(net);
}

static int check(const Net *net, const Job *job)
{
    if (net->c != job->data.c)
        return errorf("it takes %d channels, the data has %d", net->c, job->data.c);
    for (int i = 0; i < net->n_layers; i++)
        if (!nn_trains((Op)net->layer[i].op))
            return errorf("its layer %d, a %s, is one that cannot be trained", i,
                          op_name((Op)net->layer[i].op));
    return 0;
}

int given_load(Given *g, const char *what, const Job *job, Resolution r, const char *db)
{
    int n_classes = pipeline_classes(&job->data);
    memset(g, 0, sizeof *g);
    if (n_classes < 0 || load(g, what, job, r, db, n_classes) != 0)
        return -1;
    if (take_classes(&g->net, n_classes) == 0 && check(&g->net, job) == 0)
        return 0;
    char *why = xstrdup(error_text());
    errorf("%s: %s", what, why);
    free(why);
    return -1;
}

/* --- what it costs */

static Cost cost_of(const Given *g, const Job *job)
{
    return estimate(&g->net, &job->target, &job->plan);
}

/* "; 80 KiB of SRAM, the limit is 64 KiB" */
static void add_excess(FILE *f, const char *what, const char *value, const char *limit)
{
    fprintf(f, "; %s of %s, the limit is %s", value, what, limit);
}

static int refuse(const Given *g, const Cost *c, const Limits *l)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (l->sram && c->sram > l->sram)
        add_excess(f, "SRAM", text_bytes(c->sram), text_bytes(l->sram));
    if (l->flash && c->flash > l->flash)
        add_excess(f, "flash", text_bytes(c->flash), text_bytes(l->flash));
    if (l->macs && c->macs > l->macs)
        add_excess(f, "MACs", text_count((double)c->macs), text_count((double)l->macs));
    if (l->latency > 0 && c->latency > l->latency)
        add_excess(f, "latency", text_count(c->latency), text_count(l->latency));
    fclose(f);
    errorf("%s does not fit: it takes %s%s", g->name, text[0] ? text + 2 : "more energy than allowed",
           "; --set limits.sram=... and the like allow more");
    free(text);
    return -1;
}

int given_fits(const Given *g, const Job *job)
{
    Cost c = cost_of(g, job);
    const Latency *latency = &job->target.latency;
    log_info("%s at %dx%d on %s: SRAM %s, flash %s, %s MACs, latency %s%s%s", g->name, g->net.h,
             g->net.w, job->target.name, text_bytes(c.sram), text_bytes(c.flash),
             text_count((double)c.macs), latency->unit[0] ? text_count(c.latency) : "not known",
             latency->unit[0] ? " " : "", latency->unit);
    return cost_fits(&c, &job->limits) ? 0 : refuse(g, &c, &job->limits);
}

/* --- in the database */

/* As an int8 model without numbers: that is how a network is stored. */
static int put_net(Results *r, int64_t run, const Net *net)
{
    QModel q;
    size_t size;
    qmodel_init(&q, net);
    void *data = qmodel_save(&q, &size);
    qmodel_release(&q);
    int status = results_blob_put(r, run, "network", data, size);
    free(data);
    return status;
}

int given_get(Results *r, int64_t run, Net *net)
{
    QModel q;
    void *data;
    size_t size;
    int found = results_blob_get(r, run, "network", &data, &size);
    if (found != 0)
        return found;
    int status = qmodel_load(&q, data, size);
    free(data);
    if (status != 0)
        return -1;
    *net = q.net;
    qmodel_release(&q);
    return 0;
}

int given_put(Results *r, int64_t run, const Given *g, const Job *job)
{
    Cost c = cost_of(g, job);
    CandidateRow row = {.genotype = g->name,
                        .hash = hash_bytes(HASH_START, &g->net, sizeof g->net),
                        .state = "running",
                        .parent = {-1, -1},
                        .fitness = -1,
                        .accuracy = -1,
                        .test_accuracy = -1,
                        .int8_accuracy = -1,
                        .sram = c.sram,
                        .flash = c.flash,
                        .macs = (int64_t)c.macs,
                        .latency = c.latency};
    if (put_net(r, run, &g->net) != 0 || results_candidate_put(r, run, &row) != 0)
        return -1;
    return results_run_set_winner(r, run, row.id);
}
