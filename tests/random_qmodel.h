/* random_qmodel.h - an int8 network with random weights whose activations stay
 * lively: what a wrong byte anywhere does, reaches the output. */
#ifndef RANDOM_QMODEL_H
#define RANDOM_QMODEL_H

#include "base/rng.h"
#include "quant/qmodel.h"

#include <math.h>

static inline int8_t random_int8(Rng *rng)
{
    return (int8_t)((int)rng_below(rng, 256) - 128);
}

static inline double random_scale(const Layer *l, int i)
{
    if (l->op == OP_ADD)
        return i < 2 ? 0.45 : 1.0 / (1 << 19);
    if (l->op == OP_MEAN)
        return 1.5 / (l->kh * l->kw);
    if (l->op == OP_GATE)
        return 0.02;
    if (l->op == OP_SOFTMAX) /* of values 2^-5 apart, 5 integer bits */
        return 1 << 21;
    return 0.012 / sqrt((double)layer_weights(l) / l->out_c);
}

static inline void random_layer(QLayer *t, const Layer *l, Rng *rng)
{
    for (uint32_t i = 0; i < layer_constants(l); i++)
        t->weights[i] = random_int8(rng);
    for (int i = 0; i < qmodel_multipliers(l); i++)
        quantize_multiplier(random_scale(l, i) * (0.8 + 0.4 * rng_uniform(rng)), &t->multiplier[i],
                            &t->shift[i]);
    for (int i = 0; i < l->out_c && op_has_weights((Op)l->op); i++)
        t->bias[i] = (int)rng_below(rng, 2001) - 1000;
}

/* qmodel_release() frees it. Pools keep their input's zero point. */
static inline void random_qmodel(QModel *q, const Net *net, Rng *rng)
{
    qmodel_init(q, net);
    for (int i = 0; i <= net->n_layers; i++)
        q->tensor[i].zero = (int8_t)((int)rng_below(rng, 41) - 20);
    for (int i = 0; i < net->n_layers; i++) {
        const Layer *l = &q->net.layer[i];
        random_layer(&q->layer[i], l, rng);
        if (l->op == OP_AVG_POOL || l->op == OP_MAX_POOL || l->op == OP_GLOBAL_POOL)
            q->tensor[1 + i] = q->tensor[1 + l->input];
    }
}

#endif
