/* supernet.h - one set of weights, many networks.
 *
 * The shared weights are those of the largest network of a (width, resolution)
 * (MCUNet App. D; Once-for-all): a smaller kernel is the larger one's centre,
 * fewer channels are the leading ones, fewer blocks the leading ones of their
 * stage; at any resolution they are the same. supernet_extract() hands out an ordinary nn model; recalibration,
 * evaluation, fine-tuning and quantisation never hear of weight sharing. */
#ifndef SUPERNET_H
#define SUPERNET_H

#include "network/genotype.h"
#include "nn/model.h"

typedef struct {
    Space space;
    int width, n_classes;
    Choices resolutions; /* at least one, fewest pixels first */
    Model shared;        /* of the largest network at the largest of them */
} Supernet;

void supernet_init(Supernet *s, const Space *space, int width, const Choices *resolutions,
                   int n_classes);
void supernet_release(Supernet *s);

/* The network of g with its share of the weights and running statistics; the
 * statistics are the largest network's and want recalibration. `out` is
 * initialised here, yours to release. */
void supernet_extract(const Supernet *s, const Genotype *g, Model *out);
/* The same for any network whose layers are, by stage, block and role, layers of
 * `shared`, and nowhere larger. */
void supernet_slice(const Model *shared, const Net *net, Model *out);
/* And back: shared gets the parameters of such a network where they belong; statistics stay. */
void supernet_put(Model *shared, const Model *net);

/* sum += share * grad: adds a subnet's gradient where its weights live. sum is
 * a Model of the largest network, grad a subnet's. Statistics are left alone. */
void supernet_add_gradient(Model *sum, const Model *grad, float share);

/* Sorts the channels inside every block by importance, the L1 norm of the
 * projection weights that read them, so that the leading channels are the ones
 * to keep (Once-for-all, elastic width). The largest network computes the same. */
void supernet_sort_channels(Model *shared);

#endif
