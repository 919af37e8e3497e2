/* tflite_run.h - a loaded model, or its first layers, on this machine. */
#ifndef TFLITE_RUN_H
#define TFLITE_RUN_H

#include "base/alloc.h"
#include "evaluator/host.h"
#include "quant/tflite.h"

#include <check.h>
#include <string.h>

/* Layers [0, n) of a model on an image, under a policy: bytes that are yours to free. */
static inline int8_t *run_layers(const QModel *q, int n, int policy, const int8_t *image)
{
    static QModel part;
    Plan plan;
    uint32_t touched;
    part = *q;
    part.net.n_layers = (uint16_t)n;
    int8_t *out = xmalloc(net_tensor_bytes(&part.net, n - 1));
    plan_make(&part.net, &(PlanOptions){.policy = (uint8_t)policy}, &plan);
    ck_assert_msg(host_run(&part, &plan, image, out, &touched) == 0, "%s", error_text());
    ck_assert_uint_eq(touched, plan.arena);
    return out;
}

#endif
