#include "estimator/latency.h"

#include <assert.h>
#include <math.h>

/* Along one axis: taps that fall inside the image, summed over all outputs. */
static int64_t taps_inside(int in, int out, int k, int s, int pad)
{
    int64_t taps = 0;
    for (int o = 0; o < out; o++) {
        int from = o * s - pad, to = from + k;
        from = from > 0 ? from : 0;
        to = to < in ? to : in;
        taps += to > from ? to - from : 0;
    }
    return taps;
}

/* Multiply-accumulates the kernel really does: of a pool, values it looks at. */
static double macs_inside(const Layer *l)
{
    double taps = (double)taps_inside(l->in_h, l->out_h, l->kh, l->sh, l->pad_top) *
                  (double)taps_inside(l->in_w, l->out_w, l->kw, l->sw, l->pad_left);
    switch ((Op)l->op) {
    case OP_CONV:
    case OP_POINTWISE:
    case OP_DENSE:
        return taps * l->in_c * l->out_c;
    case OP_DEPTHWISE:
    case OP_AVG_POOL:
    case OP_MAX_POOL:
    case OP_GLOBAL_POOL:
    case OP_MEAN:
        return taps * l->out_c;
    case OP_ADD:
    case OP_GATE:
    case OP_LOOKUP:
    case OP_SOFTMAX:
    case N_OPS:
        break;
    }
    return 0;
}

void layer_features(const Layer *l, double features[N_FEATURES])
{
    double pixels = (double)l->out_h * l->out_w;
    features[FEATURE_CALL] = 1;
    features[FEATURE_ROW] = l->out_h;
    features[FEATURE_PIXEL] = pixels;
    features[FEATURE_OUTPUT] = pixels * l->out_c;
    features[FEATURE_MAC] = macs_inside(l);
}

double latency_layer(const Latency *latency, const Layer *l)
{
    double features[N_FEATURES], time = 0;
    assert(l->op < N_OPS);
    layer_features(l, features);
    for (int f = 0; f < N_FEATURES; f++)
        time += latency->weight[l->op][f] * features[f];
    return time;
}

double latency_net(const Latency *latency, const Net *net)
{
    if (!latency->unit[0])
        return 0;
    double time = latency->fixed;
    for (int i = 0; i < net->n_layers; i++)
        time += latency_layer(latency, &net->layer[i]);
    return time;
}

double latency_plan(const Latency *latency, const Net *net, const Plan *plan)
{
    if (!latency->unit[0])
        return 0;
    double time = latency->fixed;
    for (int i = 0; i < net->n_layers; i++)
        time += latency_layer(latency, &net->layer[i]) * plan_work(net, plan, i);
    return time;
}

/* ---- the fit ---- */

/* Sums over the samples of one operator. A sample's row is its features over
 * its measured time, so that 1 is the right prediction and errors are relative. */
typedef struct {
    double a[N_FEATURES][N_FEATURES], b[N_FEATURES]; /* row' row, row' 1 */
    double n;
} Normal;

static Normal normal_of(const LatencySample *samples, int n, int op)
{
    Normal sum = {.n = 0};
    for (int i = 0; i < n; i++) {
        if (samples[i].layer.op != op || samples[i].measured <= 0)
            continue;
        double row[N_FEATURES];
        layer_features(&samples[i].layer, row);
        for (int f = 0; f < N_FEATURES; f++)
            row[f] /= samples[i].measured;
        for (int f = 0; f < N_FEATURES; f++) {
            sum.b[f] += row[f];
            for (int g = 0; g < N_FEATURES; g++)
                sum.a[f][g] += row[f] * row[g];
        }
        sum.n++;
    }
    return sum;
}

/* Every feature scaled to unit length: the pivots below compare with 1. */
static void scale(Normal *sum, double length[N_FEATURES])
{
    for (int f = 0; f < N_FEATURES; f++)
        length[f] = sum->a[f][f] > 0 ? sqrt(sum->a[f][f]) : 1;
    for (int f = 0; f < N_FEATURES; f++) {
        sum->b[f] /= length[f];
        for (int g = 0; g < N_FEATURES; g++)
            sum->a[f][g] /= length[f] * length[g];
    }
}

/* Gauss-Jordan on the features in `chosen`, the others zero; symmetric and
 * positive, so without exchanging rows. False when they depend on each other. */
static bool solve(const Normal *sum, unsigned chosen, double x[N_FEATURES])
{
    Normal m = *sum;
    for (int f = 0; f < N_FEATURES; f++) {
        if (!(chosen >> f & 1))
            continue;
        if (m.a[f][f] < 1e-12)
            return false;
        for (int r = 0; r < N_FEATURES; r++) {
            if (r == f || !(chosen >> r & 1))
                continue;
            double factor = m.a[r][f] / m.a[f][f];
            for (int c = 0; c < N_FEATURES; c++)
                m.a[r][c] -= factor * m.a[f][c];
            m.b[r] -= factor * m.b[f];
        }
    }
    for (int f = 0; f < N_FEATURES; f++)
        x[f] = chosen >> f & 1 ? m.b[f] / m.a[f][f] : 0;
    return true;
}

/* Sum of squared relative errors. */
static double squares(const Normal *sum, const double x[N_FEATURES])
{
    double s = sum->n;
    for (int f = 0; f < N_FEATURES; f++) {
        s -= 2 * x[f] * sum->b[f];
        for (int g = 0; g < N_FEATURES; g++)
            s += x[f] * x[g] * sum->a[f][g];
    }
    return s;
}

static bool none_negative(const double x[N_FEATURES])
{
    for (int f = 0; f < N_FEATURES; f++)
        if (x[f] < 0)
            return false;
    return true;
}

/* The best solution without negative coefficients is the plain least squares
 * of those that are not zero: with five features we try all 31 subsets. */
static void solve_not_negative(const Normal *sum, double best[N_FEATURES])
{
    double least = INFINITY, x[N_FEATURES];
    for (unsigned chosen = 1; chosen < 1u << N_FEATURES; chosen++) {
        if (!solve(sum, chosen, x) || !none_negative(x))
            continue;
        double s = squares(sum, x);
        if (s < least - 1e-9 * sum->n) { /* of equals the one with the fewest features */
            least = s;
            for (int f = 0; f < N_FEATURES; f++)
                best[f] = x[f];
        }
    }
}

void latency_fit(Latency *latency, const LatencySample *samples, int n)
{
    for (int op = 0; op < N_OPS; op++) {
        Normal sum = normal_of(samples, n, op);
        double length[N_FEATURES], x[N_FEATURES] = {0};
        if (sum.n == 0)
            continue;
        scale(&sum, length);
        solve_not_negative(&sum, x);
        for (int f = 0; f < N_FEATURES; f++)
            latency->weight[op][f] = x[f] / length[f];
    }
}
