#include "supernet/netaug.h"

#include "supernet/supernet.h"

#include <assert.h>

enum { STEPS = 3, DIVISOR = 8 };

bool netaug_widens(const NetAug *a)
{
    return a->width > 1 || a->expansion > 1;
}

/* To the nearest multiple of the divisor, but never fewer: equal channels stay equal. */
static int widened(int channels, double factor)
{
    if (factor <= 1)
        return channels;
    int wide = (int)(channels * factor + DIVISOR / 2.0) / DIVISOR * DIVISOR;
    assert(wide <= UINT16_MAX);
    return wide > channels ? wide : channels;
}

static int widened_out(const Layer *l, double width, double expansion)
{
    switch ((Role)l->role) {
    case ROLE_STEM:
    case ROLE_PROJECT:
    case ROLE_HEAD:
        return widened(l->out_c, width);
    case ROLE_EXPAND:
        return widened(l->out_c, width * expansion);
    case ROLE_DEPTHWISE:
    case ROLE_ADD:
    case ROLE_POOL:
        return l->in_c;
    case ROLE_CLASSIFIER:
    case ROLE_NONE:
        break;
    }
    return l->out_c;
}

/* expansion: [layers] */
static void widen(const Net *net, double width, const double *expansion, Net *out)
{
    *out = *net;
    for (int i = 0; i < net->n_layers; i++) {
        Layer *l = &out->layer[i];
        if (l->input >= 0)
            l->in_c = out->layer[l->input].out_c;
        l->out_c = (uint16_t)widened_out(l, width, expansion[i]);
    }
}

void netaug_widest(const Net *net, const NetAug *a, Net *wide)
{
    double expansion[NET_MAX_LAYERS];
    for (int i = 0; i < net->n_layers; i++)
        expansion[i] = a->expansion;
    widen(net, a->width, expansion, wide);
}

static double draw(double most, Rng *rng)
{
    return 1 + (most - 1) * rng_below(rng, STEPS + 1) / STEPS;
}

void netaug_draw(const Net *net, const NetAug *a, Rng *rng, Net *wider)
{
    double width = draw(a->width, rng), expansion[NET_MAX_LAYERS];
    for (int i = 0; i < net->n_layers; i++)
        expansion[i] = draw(a->expansion, rng);
    widen(net, width, expansion, wider);
}

void netaug_widen(const Model *m, const NetAug *a, Rng *rng, Model *wide)
{
    Net net;
    netaug_widest(&m->net, a, &net);
    model_init(wide, &net);
    model_randomise(wide, rng);
    supernet_put(wide, m);
}
