/* mlp.h - three hidden layers that learn a number: y = f(x), by least squares.
 *
 * Layers are dense with ReLU between them, the last has one output. Adam
 * (Kingma and Ba 2015) trains it with a cosine rate. One thread; the same
 * examples and seed give the same weights. */
#ifndef MLP_H
#define MLP_H

#include "base/rng.h"

#include <stddef.h>

enum { MLP_LAYERS = 4 };

typedef struct {
    int width[MLP_LAYERS + 1]; /* inputs, hidden, hidden, hidden, 1 */
    size_t n_params;
    float *params;             /* of each layer weights [n][k], then biases [n] */
    float *packed;             /* the weights in the order of use, of mlp_pack() */
} Mlp;

typedef struct {
    const float *x; /* [n][inputs] */
    const float *y; /* [n] */
    int n;
} Examples;

void mlp_init(Mlp *m, int inputs, int hidden, Rng *rng); /* He et al. 2015; biases 0 */
void mlp_release(Mlp *m);

/* After params were changed by others than mlp_train(). */
void mlp_pack(Mlp *m);
/* y [n] of x [n][inputs]. From several threads at once. */
void mlp_answer(const Mlp *m, const float *x, int n, float *y);
/* Mean squared error; its gradient goes to grad [n_params]. */
double mlp_gradient(const Mlp *m, const Examples *e, float *grad);
/* Packed afterwards. */
void mlp_train(Mlp *m, const Examples *e, int epochs, Rng *rng);

#endif
