/* subnets.h - which of a supernet's networks a step trains.
 *
 * Random ones, every gene uniform (MCUNet App. D). With the sandwich rule
 * (BigNAS, arXiv 2003.11142, 3.1) the first is the largest and the last the
 * smallest there is, so that training holds the range from both ends.
 *
 * Progressive shrinking (Once-for-all, arXiv 1908.09791, 3.2): the training
 * has as many equal parts as there are genes, and each part opens the choices
 * of one more; a gene that is not open yet has its largest value alone. */
#ifndef SUBNETS_H
#define SUBNETS_H

#include "supernet/supernet.h"

#define SHRINK_GENES(X) X(KERNEL, "kernel") X(DEPTH, "depth") X(EXPAND, "expand")
typedef enum {
#define X(gene, name) SHRINK_##gene,
    SHRINK_GENES(X)
#undef X
    N_SHRINK_GENES
} ShrinkGene;

typedef struct {
    uint8_t n;                /* 0: all choices are open from the start; or all genes */
    int gene[N_SHRINK_GENES]; /* ShrinkGene, in the order in which they open */
} Shrink;

/* Every gene once, or none. */
bool shrink_is_order(const Shrink *shrink);
/* The part of the space that is open at `step` of `steps`. */
Space shrink_open(const Space *space, const Shrink *shrink, int64_t step, int64_t steps);
/* Does a gene open right before this step, while others were trained before it? */
bool shrink_opens(const Shrink *shrink, ShrinkGene gene, int64_t step, int64_t steps);

/* n networks of the open part of s's space, all at one resolution (an index); the sandwich wants
 * two at least. */
void subnets_draw(const Supernet *s, const Space *open, int resolution, bool sandwich, Rng *rng,
                  Net *net, int n);

#endif
