#include "nn/loss.h"

#include <assert.h>
#include <math.h>

typedef struct {
    int best;
    double log_sum; /* log of the sum of exponentials */
} Row;

static Row row_of(const float *logits, int n)
{
    Row r = {0};
    double exponentials = 0;
    for (int i = 1; i < n; i++)
        if (logits[i] > logits[r.best])
            r.best = i;
    double top = (double)logits[r.best];
    for (int i = 0; i < n; i++)
        exponentials += exp((double)logits[i] - top);
    r.log_sum = top + log(exponentials);
    return r;
}

/* The probability that class j of example i should get. */
static double target_of(const Lesson *lesson, int n_classes, int i, int j)
{
    double smoothing = lesson->label_smoothing;
    if (lesson->teacher)
        return (double)lesson->teacher[(size_t)i * (size_t)n_classes + (size_t)j];
    return smoothing / n_classes + (j == lesson->labels[i] ? 1 - smoothing : 0);
}

double loss_of(const float *logits, const Lesson *lesson, int n_classes, float *grad, int *correct)
{
    double loss = 0;
    float *answers = lesson->answers;
    int right = 0;
    for (int i = 0; i < lesson->n; i++, logits += n_classes) {
        assert(lesson->labels[i] >= 0 && lesson->labels[i] < n_classes);
        Row r = row_of(logits, n_classes);
        right += r.best == lesson->labels[i];
        for (int j = 0; j < n_classes; j++) {
            double target = target_of(lesson, n_classes, i, j);
            double log_p = (double)logits[j] - r.log_sum, p = exp(log_p);
            loss -= target * log_p;
            if (grad)
                *grad++ = (float)((p - target) / lesson->n);
            if (answers)
                *answers++ = (float)p;
        }
    }
    if (correct)
        *correct = right;
    return loss / lesson->n;
}

double nn_score(const float *logits, const int *labels, int n, int n_classes, int *correct)
{
    Lesson lesson = {.labels = labels, .n = n};
    return loss_of(logits, &lesson, n_classes, NULL, correct);
}

void nn_probabilities(float *logits, int n, int n_classes)
{
    for (int i = 0; i < n; i++, logits += n_classes) {
        Row r = row_of(logits, n_classes);
        for (int j = 0; j < n_classes; j++)
            logits[j] = (float)exp((double)logits[j] - r.log_sum);
    }
}
