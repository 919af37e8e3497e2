/* profile_source.h - where the network of a profile comes from.
 *
 * A block list (NET.yaml), an int8 MODEL.tflite, or a network that a run has
 * evaluated (RUN:best, RUN:NUMBER), which brings target, limits, schedule and
 * image with it. The other two get a schedule of stream, the image outside. */
#ifndef PROFILE_SOURCE_H
#define PROFILE_SOURCE_H

#include "network/space.h"
#include "quant/tflite.h"
#include "report/profile.h"

typedef struct {
    const char *what;   /* as above */
    const char *db;     /* of a run; NULL: names_db()'s */
    const char *target; /* a name or a file; NULL: the run's, else stm32f746 */
    Resolution resolution; /* of a NET.yaml; 0x0: its own */
} ProfileSource;

/* Fills in what a Profile begins with, up to and with `image`. Limits are what the target has
 * less its reserves, or the run's. -1 with errorf(). */
int profile_load(Profile *p, const ProfileSource *source);

/* The file's own operators for others' planners. */
void tensor_graph_of_tflite(const TfliteInfo *info, TensorGraph *g);

#endif
