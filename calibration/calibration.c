#include "calibration/calibration.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "calibration/calibration_nets.h"
#include "estimator/stream.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- the set ---- */

/* Kinds of networks and of their second plans, in turn. */
enum { KINDS = 8, WITHOUT_BUDGET = 2, PATCHES = 7 };

enum { SMALL = 3 }; /* every third network has the kernels that want no scratch */

static bool is_chain(int kind)
{
    return kind == 3 || kind == 4 || kind == 5;
}

/* Budgets that can be kept, for some more work: only then something is computed twice. */
static PlanOptions options_of(const Net *net, int number, Rng *rng)
{
    PlanOptions o = {.policy = POLICY_LAYERWISE,
                     .small = number / CALIBRATION_PLANS % SMALL == SMALL - 1};
    int kind = number / CALIBRATION_PLANS % KINDS;
    if (number % CALIBRATION_PLANS == 0)
        return o;
    o.policy = kind == PATCHES ? POLICY_PATCH : POLICY_STREAM;
    o.image_outside = kind % 2 == 0;
    if (kind >= WITHOUT_BUDGET && kind < PATCHES)
        o.sram = stream_sram(net, &o, 0.05 + 0.6 * rng_uniform(rng));
    return o;
}

void timed_plan_init(TimedPlan *t, uint64_t seed, int number)
{
    memset(t, 0, sizeof *t);
    t->number = number;
    t->rng = rng_make(seed, (uint64_t)(number / CALIBRATION_PLANS));
    if (is_chain(number / CALIBRATION_PLANS % KINDS))
        calibration_chain(&t->net, &t->rng);
    else
        calibration_net(&t->net, &t->rng);
    t->options = options_of(&t->net, number, &t->rng);
    plan_make(&t->net, &t->options, &t->plan);
}

int timed_plan_entries(const TimedPlan *t)
{
    int n = 0;
    for (int s = 0; s < t->plan.n_segments; s++)
        n += plan_runs(&t->plan, s);
    return n;
}

uint64_t timed_plan_hash(const TimedPlan *t)
{
    const Net *net = &t->net;
    uint64_t h = hash_bytes(HASH_START, net, offsetof(Net, layer) + net->n_layers * sizeof(Layer));
    h = hash_bytes(h, &t->plan.image_outside, 1);
    for (int s = 0; s < t->plan.n_segments; s++) {
        const PlanSegment *p = &t->plan.segment[s];
        const uint8_t what[] = {p->first, p->n, p->rows, p->columns, p->tiled};
        h = hash_bytes(h, what, sizeof what);
    }
    h = hash_bytes(h, t->plan.kernel, net->n_layers);
    return hash_bytes(h, t->plan.block, net->n_layers);
}

/* Of all that a plan does, bit by bit. */
static uint32_t steps_of(const TimedPlan *t)
{
    uint32_t steps = 0;
    for (int s = 0; s < t->plan.n_segments; s++) {
        LatencySample sample;
        latency_features(&t->net, &t->plan, s, &sample);
        for (int step = 0; step < N_STEPS; step++)
            for (int f = 0; f < N_FEATURES; f++)
                steps |= sample.features[step][f] > 0 ? 1u << step : 0;
    }
    return steps;
}

uint32_t calibration_missing(const TimedPlan *t, int n)
{
    uint32_t steps = 0;
    for (int i = 0; i < n; i++)
        steps |= steps_of(&t[i]);
    return (uint32_t)((1ull << N_STEPS) - 1) & ~steps;
}

/* ---- the fit ---- */

/* A plan has as many samples as segments whose entries were all told of. */
static int samples_of(const TimedPlan *t, LatencySample *sample)
{
    int n = 0, entry = 0;
    for (; n < t->plan.n_segments; n++) {
        int end = entry + plan_runs(&t->plan, n);
        if (end > t->n_entries)
            break;
        latency_features(&t->net, &t->plan, n, &sample[n]);
        for (sample[n].measured = 0; entry < end; entry++)
            sample[n].measured += (double)t->entry[entry];
    }
    return n;
}

/* What is between the segments, where all of them were told of. */
static double between_segments(const TimedPlan *t, const LatencySample *sample, int n)
{
    double rest = (double)t->whole;
    for (int i = 0; i < n; i++)
        rest -= sample[i].measured;
    return n == t->plan.n_segments ? rest : 0;
}

static int fold_of(const TimedPlan *t)
{
    return t->number / CALIBRATION_PLANS % CALIBRATION_FOLDS;
}

/* To all plans but those of one fold. */
static void fit_without(Latency *latency, const TimedPlan *t, int n, int fold)
{
    LatencySample *samples = xcalloc((size_t)n * NET_MAX_LAYERS, sizeof *samples);
    int count = 0, plans = 0;
    double rest = 0;
    for (int i = 0; i < n; i++) {
        if (fold_of(&t[i]) == fold)
            continue;
        int more = samples_of(&t[i], samples + count);
        rest += between_segments(&t[i], samples + count, more);
        count += more;
        plans++;
    }
    latency_fit(latency, samples, count);
    latency->fixed = plans && rest > 0 ? rest / plans : 0;
    free(samples);
}

static void judge(CalibrationError *error, const Latency *latency, const TimedPlan *t)
{
    double time = latency_plan(latency, &t->net, &t->plan);
    double e = fabs(time / (double)t->whole - 1);
    error->mean += (e - error->mean) / ++error->judged;
    error->worst = e > error->worst ? e : error->worst;
}

static void judge_fold(CalibrationErrors *errors, const Latency *latency, const TimedPlan *t, int n,
                       int fold)
{
    Latency fitted = *latency;
    uint32_t known = 0;
    fit_without(&fitted, t, n, fold);
    for (int i = 0; i < n; i++)
        if (fold_of(&t[i]) != fold)
            known |= steps_of(&t[i]);
    for (int i = 0; i < n; i++)
        if (fold_of(&t[i]) == fold && (steps_of(&t[i]) & ~known) == 0)
            judge(&errors->of[t[i].number % CALIBRATION_PLANS], &fitted, &t[i]);
}

static double four_decimals(double x)
{
    return round(x * 1e4) / 1e4;
}

/* They are more than the fit knows, and a person reads them. */
static void round_coefficients(Latency *l)
{
    for (int step = 0; step < N_STEPS; step++) {
        for (int f = 0; f < N_FEATURES; f++)
            l->weight[step][f] = four_decimals(l->weight[step][f]);
        l->cycles_per_instruction[step] = four_decimals(l->cycles_per_instruction[step]);
    }
    l->fixed = round(l->fixed);
    l->error = four_decimals(l->error);
    l->worst = four_decimals(l->worst);
}

CalibrationErrors calibration_fit(Latency *latency, const TimedPlan *t, int n)
{
    CalibrationErrors errors;
    memset(&errors, 0, sizeof errors);
    for (int fold = 0; fold < CALIBRATION_FOLDS; fold++)
        judge_fold(&errors, latency, t, n, fold);
    fit_without(latency, t, n, CALIBRATION_FOLDS);
    int judged = 0;
    latency->error = latency->worst = 0;
    for (int i = 0; i < CALIBRATION_PLANS; i++) {
        judged += errors.of[i].judged;
        latency->error += errors.of[i].mean * errors.of[i].judged;
        latency->worst = fmax(latency->worst, errors.of[i].worst);
    }
    latency->error /= judged ? judged : 1;
    round_coefficients(latency);
    return errors;
}
