/* host.h - the int8 network on this machine.
 *
 * host_run() goes through the very runtime, with the device's plan and kernels.
 * host_outputs() and host_accuracy() take the vectors of this machine
 * (host_net.h), which give the same bytes: the first HOST_PROVED pictures are
 * computed in both ways, and a difference is an error. */
#ifndef HOST_H
#define HOST_H

#include "dataset/dataset.h"
#include "exporter/lower.h"

enum { HOST_PROVED = 32 };

typedef struct {
    int correct, n;
    double accuracy; /* correct / n */
} HostScore;

/* What the network answers to n pictures of d (0: all of them), in parallel: output [n][bytes of
 * the last tensor]. They are spread over all, the i-th is picture host_picture(d, n, i). threads
 * 0: one a core. options: of the device's plan. THIMBLE_ISA in the environment names one
 * of HOST_ISAS instead of the best. -1 with errorf(). */
int host_outputs(const QModel *q, const PlanOptions *options, const Dataset *d, int n, int threads,
                 int8_t *output);
int host_picture(const Dataset *d, int n, int i);
/* The largest of n scores; of several the first, as elsewhere. */
int host_argmax(const int8_t *score, int n);

/* Every picture of d (or n of them, spread over all, when n > 0), in parallel. -1 with errorf(). */
int host_accuracy(const QModel *q, const PlanOptions *options, const Dataset *d, int n, int threads,
                  HostScore *score);

/* One input through tb_run() in an arena of exactly the plan's bytes between
 * canaries. image: int8 [h][w][c]; output: int8 [classes]. *touched: the
 * arena's high-water mark in bytes, found by filling it with two patterns.
 * -1 with errorf() when a canary was overwritten. */
int host_run(const QModel *q, const Plan *plan, const int8_t *image, int8_t *output,
             uint32_t *touched);

#endif
