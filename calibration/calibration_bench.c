#include "calibration/calibration_bench.h"

#include "base/alloc.h"
#include "base/error.h"
#include "calibration/calibration.h"
#include "calibration/calibration_nets.h"
#include "exporter/export_bench.h"

#include <stdlib.h>

typedef struct {
    CalibrationBench *bench;
    const Target *target;
    TimedPlan *timed;
    QModel *model;
    BenchPlan *plan;
} Chosen;

/* Twice the executor: the benchmark's own code. */
static uint64_t code_of(const CodeSize *code)
{
    uint64_t bytes = 2 * code->run + code->tile;
    for (int s = 0; s < N_STEPS; s++)
        bytes += code->kernel[s];
    return bytes;
}

static uint64_t flash_of(const TimedPlan *p)
{
    PlanSize size = plan_size(&p->net, &p->plan);
    return flash_of_model(&p->net, &size);
}

static bool fits(const Chosen *c, const TimedPlan *p)
{
    const Target *t = c->target;
    uint64_t flash = c->bench->flash + flash_of(p) + code_of(&t->code);
    return timed_plan_entries(p) <= DEVICE_MAX_SEGMENTS &&
           p->plan.arena + t->sram_reserve <= t->sram && flash + t->flash_reserve <= t->flash;
}

static int choose(Chosen *c, int number)
{
    CalibrationBench *b = c->bench;
    TimedPlan *p = &c->timed[b->taken];
    QModel *q = &c->model[b->taken];
    timed_plan_init(p, b->seed, number);
    if (!fits(c, p))
        return 0;
    if (calibration_model(&p->net, &p->rng, q) != 0)
        return -1;
    c->plan[b->taken++] = (BenchPlan){q, &p->plan, timed_plan_hash(p), number};
    b->flash += flash_of(p);
    return 0;
}

int calibration_bench(CalibrationBench *b, const Target *target)
{
    size_t most = (size_t)b->nets * CALIBRATION_PLANS;
    Chosen c = {.bench = b,
                .target = target,
                .timed = xcalloc(most, sizeof *c.timed),
                .model = xcalloc(most, sizeof *c.model),
                .plan = xcalloc(most, sizeof *c.plan)};
    BenchOptions o = {.dir = b->dir, .target = target, .seed = b->seed};
    int status = 0;
    for (int i = 0; i < (int)most && status == 0; i++)
        status = choose(&c, i);
    if (status == 0 && b->taken == 0)
        status = errorf("none of %zu plans fits %s", most, target->name);
    if (status == 0)
        status = export_bench(c.plan, b->taken, &o);
    for (int i = 0; i < b->taken; i++)
        qmodel_release(&c.model[i]);
    free(c.timed);
    free(c.model);
    free(c.plan);
    return status;
}
