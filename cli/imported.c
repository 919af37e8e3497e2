#define _GNU_SOURCE
#include "cli/imported.h"

#include "base/alloc.h"
#include "evaluator/pixels.h"

#include <stdlib.h>
#include <string.h>

static char *title_of(const char *path, const TfliteInfo *info)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return info->description[0] ? xasprintf("%s: %s", name, info->description) : xstrdup(name);
}

/* Of pictures the usual reals; of anything else the formula. */
static char *input_of(const QModel *q, const TfliteInfo *info)
{
    QTensor in = q->tensor[0];
    const char *usual = q->net.c == 1 || q->net.c == 3 ? pixels_usual(in) : NULL;
    const char *was = info->input.type == TYPE_INT8 ? "" : "; the file takes that as float";
    if (usual)
        return xasprintf("int8 = pixel - 128 (real = pixel as %s%s)", usual, was);
    return xasprintf("int8 = round(real / %.9g) %c %d%s", (double)in.scale, in.zero < 0 ? '-' : '+',
                     abs(in.zero), was);
}

int imported_open(Imported *m, const NetArgs *a, const Target *target)
{
    memset(m, 0, sizeof *m);
    if (tflite_load(&m->q, &m->info, a->what) != 0)
        return -1;
    m->plan = (PlanOptions){.policy = POLICY_STREAM};
    if (net_args_plan(a, &m->q.net, target, &m->plan) != 0) {
        qmodel_release(&m->q);
        return -1;
    }
    m->title = title_of(a->what, &m->info);
    m->input = input_of(&m->q, &m->info);
    return 0;
}

void imported_release(Imported *m)
{
    qmodel_release(&m->q);
    free(m->title);
    free(m->input);
}
