/* latency_fit.c - least squares without negative coefficients.
 *
 * A segment is the sum of all that runs in it, so all coefficients are found
 * together: Lawson and Hanson's method (Solving Least Squares Problems, ch. 23)
 * on the normal equations. Coefficients are let in one by one, those that turn
 * negative leave again; it ends where letting one in would not help. */
#include "estimator/latency.h"

#include <math.h>
#include <string.h>

enum { N_WEIGHTS = N_STEPS * N_FEATURES };
#define DEPENDENT 1e-10 /* what is left of a feature's square that others explain */
#define NO_GAIN 1e-9    /* of a sample's error, a gradient so small */

/* Sums over the samples. A sample's row is its features over its measured time,
 * so that 1 is the right prediction and errors are relative. */
typedef struct {
    double a[N_WEIGHTS][N_WEIGHTS], b[N_WEIGHTS]; /* row' row, row' 1 */
    double length[N_WEIGHTS]; /* of every feature, which then is scaled to 1; 0: in no sample */
    double n;
} Normal;

static void add_sample(Normal *sum, const LatencySample *sample)
{
    const double *feature = &sample->features[0][0];
    double row[N_WEIGHTS];
    int used[N_WEIGHTS], n = 0;
    for (int f = 0; f < N_WEIGHTS; f++) {
        row[f] = feature[f] / sample->measured;
        if (row[f] > 0)
            used[n++] = f;
    }
    for (int i = 0; i < n; i++) {
        sum->b[used[i]] += row[used[i]];
        for (int j = 0; j < n; j++)
            sum->a[used[i]][used[j]] += row[used[i]] * row[used[j]];
    }
    sum->n++;
}

static void scale(Normal *sum)
{
    for (int f = 0; f < N_WEIGHTS; f++)
        sum->length[f] = sqrt(sum->a[f][f]);
    for (int f = 0; f < N_WEIGHTS; f++) {
        for (int g = 0; g < N_WEIGHTS && sum->length[f] > 0; g++)
            sum->a[f][g] /= sum->length[g] > 0 ? sum->length[f] * sum->length[g] : 1;
        sum->b[f] /= sum->length[f] > 0 ? sum->length[f] : 1;
    }
}

/* Gauss-Jordan on the coefficients in `in`, the others zero; symmetric and
 * positive, so without exchanging rows. False when they depend on each other. */
static bool solve(const Normal *sum, const bool *in, double *x)
{
    double m[N_WEIGHTS][N_WEIGHTS + 1];
    int at[N_WEIGHTS], n = 0;
    for (int f = 0; f < N_WEIGHTS; f++) {
        x[f] = 0;
        if (in[f])
            at[n++] = f;
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            m[i][j] = sum->a[at[i]][at[j]];
        m[i][n] = sum->b[at[i]];
    }
    for (int i = 0; i < n; i++) {
        if (m[i][i] < DEPENDENT)
            return false;
        for (int r = 0; r < n; r++) {
            double factor = m[r][i] / m[i][i];
            for (int c = i; r != i && c <= n; c++)
                m[r][c] -= factor * m[i][c];
        }
    }
    for (int i = 0; i < n; i++)
        x[at[i]] = m[i][n] / m[i][i];
    return true;
}

/* Of those outside the one that would lower the sum of squares fastest, or -1. */
static int best_outside(const Normal *sum, const bool *in, const bool *barred, const double *x)
{
    double most = NO_GAIN * sum->n;
    int best = -1;
    for (int f = 0; f < N_WEIGHTS; f++) {
        double gain = sum->b[f];
        for (int g = 0; g < N_WEIGHTS; g++)
            gain -= sum->a[f][g] * x[g];
        if (!in[f] && !barred[f] && sum->length[f] > 0 && gain > most) {
            most = gain;
            best = f;
        }
    }
    return best;
}

/* From x as far towards z as nothing becomes negative; who arrives at zero leaves. */
static bool step_towards(double *x, const double *z, bool *in)
{
    double share = 1;
    for (int f = 0; f < N_WEIGHTS; f++)
        if (in[f] && z[f] <= 0 && x[f] / (x[f] - z[f]) < share)
            share = x[f] / (x[f] - z[f]);
    for (int f = 0; f < N_WEIGHTS; f++) {
        x[f] += share * (z[f] - x[f]);
        if (share < 1 && in[f] && z[f] <= 0 && x[f] <= 1e-12) {
            x[f] = 0;
            in[f] = false;
        }
    }
    return share < 1;
}

static void solve_not_negative(const Normal *sum, double *x)
{
    bool in[N_WEIGHTS] = {false}, barred[N_WEIGHTS] = {false};
    double z[N_WEIGHTS];
    memset(x, 0, sizeof(double) * N_WEIGHTS);
    for (int best; (best = best_outside(sum, in, barred, x)) >= 0;) {
        in[best] = true;
        if (!solve(sum, in, z) || z[best] <= 0) { /* it only seemed to help */
            in[best] = false;
            barred[best] = true;
            continue;
        }
        while (step_towards(x, z, in))
            solve(sum, in, z);
        memset(barred, 0, sizeof barred);
    }
}

void latency_fit(Latency *latency, const LatencySample *samples, int n)
{
    Normal sum;
    double x[N_WEIGHTS], *weight = &latency->weight[0][0];
    memset(&sum, 0, sizeof sum);
    for (int i = 0; i < n; i++)
        if (samples[i].measured > 0)
            add_sample(&sum, &samples[i]);
    scale(&sum);
    solve_not_negative(&sum, x);
    for (int f = 0; f < N_WEIGHTS; f++) {
        const double *length = &sum.length[f / N_FEATURES * N_FEATURES];
        bool occurs = false;
        for (int k = 0; k < N_FEATURES; k++)
            occurs = occurs || length[k] > 0;
        if (occurs)
            weight[f] = sum.length[f] > 0 ? x[f] / sum.length[f] : 0;
    }
}
