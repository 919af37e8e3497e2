#include "nn/pass.h"

#include <math.h>

static void step_floats(float *p, float *velocity, const float *grad, size_t n, float rate,
                        float momentum, float decay)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g = grad[i] + decay * p[i];
        velocity[i] = momentum * velocity[i] + g;
        p[i] -= rate * (g + momentum * velocity[i]);
    }
}

/* Nesterov's momentum as Sutskever et al. 2013 and PyTorch write it. */
void sgd_step(Model *m, float *velocity, const Model *grad, double rate, double momentum,
              double weight_decay)
{
    for (int i = 0; i < m->net.n_layers; i++) {
        const Layer *l = &m->net.layer[i];
        const LayerParams *p = &m->layer[i];
        if (!p->w)
            continue;
        size_t at = (size_t)(p->w - m->params), n = layer_weights(l);
        size_t others = (p->bias ? 1u : 2u) * (size_t)l->out_c; /* they follow the weights */
        step_floats(p->w, velocity + at, grad->params + at, n, (float)rate, (float)momentum,
                    (float)weight_decay);
        step_floats(p->w + n, velocity + at + n, grad->params + at + n, others, (float)rate,
                    (float)momentum, 0);
    }
}

static void track_floats(float *mean, const float *p, size_t n, float share)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        mean[i] += share * (p[i] - mean[i]);
}

void model_track_stats(Model *m, const Model *grad, double share)
{
    track_floats(m->stats, grad->stats, m->n_stats, (float)share);
}

void model_average(Model *mean, const Model *m, double share)
{
    track_floats(mean->params, m->params, m->n_params, (float)share);
    track_floats(mean->stats, m->stats, m->n_stats, (float)share);
}

double cosine_rate(double base, int64_t step, int64_t total, int64_t warm_up)
{
    if (step < warm_up)
        return base * (double)(step + 1) / (double)warm_up;
    if (step >= total)
        return 0;
    double done = (double)(step - warm_up) / (double)(total - warm_up);
    return base * 0.5 * (1 + cos(3.14159265358979323846 * done));
}
