#include "supernet/predictor.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

enum { HIDDEN = 400, EPOCHS = 60 };

/* ---- genes as numbers ---- */

/* An input a choice: 1 for the gene's value, 0 for the others, and for all of a block that is
 * not there. */
static float *write_choices(const Choices *c, int value, float *x)
{
    for (int i = 0; i < c->n; i++)
        *x++ = c->value[i] == value;
    return x;
}

static int inputs_of(const Space *s)
{
    int n = s->n_resolutions;
    for (int i = 0; i < s->n_stages; i++) {
        const Stage *st = &s->stage[i];
        n += st->depth.n + st->depth.value[st->depth.n - 1] * (st->kernel.n + st->expansion.n);
    }
    return n;
}

static void write_genes(const Space *s, const Genotype *g, float *x)
{
    for (int r = 0; r < s->n_resolutions; r++)
        *x++ = r == g->resolution;
    for (int i = 0; i < s->n_stages; i++) {
        const Stage *st = &s->stage[i];
        x = write_choices(&st->depth, g->depth[i], x);
        for (int b = 0; b < st->depth.value[st->depth.n - 1]; b++) {
            x = write_choices(&st->kernel, g->kernel[i][b], x);
            x = write_choices(&st->expansion, g->expansion[i][b], x);
        }
    }
}

/* ---- learning and asking ---- */

static void standardise(Predictor *p, const Known *known, int n)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += known[i].worth;
    p->mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (known[i].worth - p->mean) * (known[i].worth - p->mean);
    p->deviation = squares > 0 ? sqrt(squares / n) : 1;
}

void predictor_init(Predictor *p, const Space *space, const Known *known, int n, uint64_t seed)
{
    int inputs = inputs_of(space);
    Rng rng = rng_make(seed, 0);
    float *x = xmalloc(sizeof(float) * (size_t)inputs * (size_t)n);
    float *y = xmalloc(sizeof(float) * (size_t)n);
    p->space = *space;
    standardise(p, known, n);
    for (int i = 0; i < n; i++) {
        write_genes(space, &known[i].genotype, x + (size_t)i * (size_t)inputs);
        y[i] = (float)((known[i].worth - p->mean) / p->deviation);
    }
    mlp_init(&p->mlp, inputs, HIDDEN, &rng);
    mlp_train(&p->mlp, &(Examples){x, y, n}, EPOCHS, &rng);
    free(x);
    free(y);
}

void predictor_release(Predictor *p)
{
    mlp_release(&p->mlp);
}

double predictor_ask(const Predictor *p, const Genotype *g)
{
    float *x = xmalloc(sizeof(float) * (size_t)inputs_of(&p->space)), y;
    write_genes(&p->space, g, x);
    mlp_answer(&p->mlp, x, 1, &y);
    free(x);
    return p->mean + p->deviation * (double)y;
}

/* ---- how good the guesses are ---- */

double predictor_tau(const Space *space, const Known *known, int n, uint64_t seed)
{
    int learnt = n - n / 5, asked = n - learnt;
    Predictor p;
    double *guess = xmalloc(sizeof(double) * (size_t)(2 * asked + 1)), *worth = guess + asked;
    int *order = xmalloc(sizeof(int) * (size_t)n);
    Known *shuffled = xmalloc(sizeof *shuffled * (size_t)n);
    Rng rng = rng_make(seed, 1);
    for (int i = 0; i < n; i++)
        order[i] = i;
    rng_shuffle(&rng, order, n);
    for (int i = 0; i < n; i++)
        shuffled[i] = known[order[i]];
    predictor_init(&p, space, shuffled, learnt, seed);
    for (int i = 0; i < asked; i++) {
        guess[i] = predictor_ask(&p, &shuffled[learnt + i].genotype);
        worth[i] = shuffled[learnt + i].worth;
    }
    double tau = kendall_tau(guess, worth, asked);
    predictor_release(&p);
    free(guess);
    free(order);
    free(shuffled);
    return tau;
}

double kendall_tau(const double *x, const double *y, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            double product = (x[i] - x[j]) * (y[i] - y[j]);
            sum += (product > 0) - (product < 0);
        }
    return n > 1 ? 2.0 * (double)sum / ((double)n * (n - 1)) : 0;
}
