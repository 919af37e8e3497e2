#include "nn/loss.h"

#include "nn/pass.h"

#include <assert.h>
#include <math.h>

typedef struct {
    int best;
    double log_sum, sum; /* log of the sum of exponentials; sum of the logits */
} Row;

static Row row_of(const float *logits, int n)
{
    Row r = {0};
    double exponentials = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[r.best])
            r.best = i;
    double top = (double)logits[r.best];
    for (int i = 0; i < n; i++) {
        exponentials += exp((double)logits[i] - top);
        r.sum += (double)logits[i];
    }
    r.log_sum = top + log(exponentials);
    return r;
}

double loss_smoothed(const float *logits, const int *labels, int n, int n_classes,
                     double smoothing, float *grad, int *correct)
{
    double loss = 0, rest = smoothing / n_classes;
    int right = 0;
    for (int i = 0; i < n; i++, logits += n_classes) {
        assert(labels[i] >= 0 && labels[i] < n_classes);
        Row r = row_of(logits, n_classes);
        loss += r.log_sum - (1 - smoothing) * (double)logits[labels[i]] - rest * r.sum;
        right += r.best == labels[i];
        for (int j = 0; grad && j < n_classes; j++) {
            double target = rest + (j == labels[i] ? 1 - smoothing : 0);
            *grad++ = (float)((exp((double)logits[j] - r.log_sum) - target) / n);
        }
    }
    if (correct)
        *correct = right;
    return loss / n;
}

double nn_score(const float *logits, const int *labels, int n, int n_classes, int *correct)
{
    return loss_smoothed(logits, labels, n, n_classes, 0, NULL, correct);
}
