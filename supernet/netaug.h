/* netaug.h - a small network trained inside wider ones.
 *
 * NetAug (Cai et al., ICLR 2022, arXiv 2110.08890): a small network underfits,
 * so it is not regularised but helped. It is the leading channels of a wider
 * network, and each step adds to its own loss that of one wider network drawn at
 * random, share * L(wider), through the weights they have in common. Only the
 * small one is kept. Depth and kernels are its own throughout. */
#ifndef NETAUG_H
#define NETAUG_H

#include "nn/model.h"

typedef struct {
    double width;     /* most channels that a wider network's blocks put out; 1: the network's */
    double expansion; /* and most that they have in the middle, besides; both are factors */
    double share;     /* of the wider network's loss: the paper's alpha, 1 */
} NetAug;

bool netaug_widens(const NetAug *a);
/* The largest network around net, whose weights all the others share. */
void netaug_widest(const Net *net, const NetAug *a, Net *wide);
/* A network between the two: one width for all blocks, so that residuals still add, and an
 * expansion for each, of four equal steps from 1 to the most. */
void netaug_draw(const Net *net, const NetAug *a, Rng *rng, Net *wider);
/* A model of the widest network with m as its leading channels and the rest random. `wide` is
 * initialised here, yours to release; supernet_slice() takes the network out again. */
void netaug_widen(const Model *m, const NetAug *a, Rng *rng, Model *wide);

#endif
