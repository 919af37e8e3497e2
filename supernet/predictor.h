/* predictor.h - guesses what a network is worth from its genes.
 *
 * As in MCUNet and Once-for-all: three layers of 400 on the genes, an input for
 * each choice of each gene, learn from networks that were evaluated. To ask
 * takes microseconds where an evaluation takes a tenth of a second. What a guess
 * is good for is Kendall's tau between the guesses and what they are of, for
 * networks it has not learnt from. */
#ifndef PREDICTOR_H
#define PREDICTOR_H

#include "network/genotype.h"
#include "supernet/mlp.h"

typedef struct {
    Space space;
    Mlp mlp;
    double mean, deviation; /* of what it learnt: the mlp knows it with 0 and 1 */
} Predictor;

typedef struct {
    Genotype genotype;
    double worth;
} Known;

/* Learns from n networks of the space, one at least. */
void predictor_init(Predictor *p, const Space *space, const Known *known, int n, uint64_t seed);
void predictor_release(Predictor *p);
/* From several threads at once. */
double predictor_ask(const Predictor *p, const Genotype *g);

/* Kendall's tau of predictors that learn from four fifths of n networks, on the last fifth. */
double predictor_tau(const Space *space, const Known *known, int n, uint64_t seed);

/* Of all pairs, the share in the same order less that in the other. */
double kendall_tau(const double *x, const double *y, int n);

#endif
