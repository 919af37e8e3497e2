/* calibration.h - a latency model from plans that ran, wherever they ran.
 *
 * The designed set: plan i of a seed is always the same random network under
 * the same options, so that a board's log only has to name them. Every network
 * comes twice, layer by layer and under a plan that streams or has patches.
 *
 *     TimedPlan *t = ...;                  n of them
 *     timed_plan_init(&t[i], seed, i);     then whoever ran it fills in its times
 *     calibration_fit(&latency, t, n);     coefficients and the error of the model */
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include "base/rng.h"
#include "estimator/latency.h"
#include "evaluator/device.h"

enum { CALIBRATION_PLANS = 2, CALIBRATION_FOLDS = 5 };

typedef struct {
    int number;      /* in the set */
    Net net;
    PlanOptions options;
    Plan plan;
    Rng rng;         /* what is left of it makes weights and image */
    uint64_t whole;  /* what one inference took */
    uint64_t entry[DEVICE_MAX_SEGMENTS]; /* what each entry of the segment table took */
    int n_entries;   /* of the table; those that were told of, where it has more than there is
                        room for */
} TimedPlan;

/* Entries that its segment table has. */
int timed_plan_entries(const TimedPlan *t);
void timed_plan_init(TimedPlan *t, uint64_t seed, int number);
/* Of network, options and segments: whether what ran is what we would make now. */
uint64_t timed_plan_hash(const TimedPlan *t);

/* How far predictions are from the times of plans that were not used for the fit. */
typedef struct {
    double mean, worst; /* relative */
    int judged;
} CalibrationError;

/* Coefficients from all plans; error and worst by cross-validation: the networks are dealt into
 * CALIBRATION_FOLDS parts, and each is judged by a fit to the others - but for plans with a kernel
 * that no other network has. Returns the error of the plans layer by layer [0], others [1]. */
typedef struct {
    CalibrationError of[CALIBRATION_PLANS];
} CalibrationErrors;
CalibrationErrors calibration_fit(Latency *latency, const TimedPlan *t, int n);
/* Of steps that no plan has, bit by bit: their coefficients stay what they were. */
uint32_t calibration_missing(const TimedPlan *t, int n);

#endif
