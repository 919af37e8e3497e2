/* genotype.h - one network of a space, in 100 bytes.
 *
 * The genes are the values themselves (a kernel of 5 is a 5), zero where there
 * is no such block: two genotypes name the same network exactly when their
 * bytes are equal. Plain data, copied with `=`.
 *
 * The text form is one line without blanks, made to be grepped and typed:
 *     w0.5-r32x32/k3e4,k5e6/k7e3,k3e3,k3e6
 * width, resolution, then a stage after each slash and a block after each comma. */
#ifndef GENOTYPE_H
#define GENOTYPE_H

#include "base/rng.h"
#include "network/space.h"

typedef struct {
    uint8_t width, resolution; /* indices into the space's lists */
    uint8_t depth[SPACE_MAX_STAGES];
    uint8_t kernel[SPACE_MAX_STAGES][SPACE_MAX_DEPTH];
    uint8_t expansion[SPACE_MAX_STAGES][SPACE_MAX_DEPTH];
} Genotype;

#define GENOTYPE_TEXT 512 /* bytes that hold any genotype's text */

/* Every gene uniform and independent. */
Genotype genotype_sample(const Space *space, int width, int resolution, Rng *rng);
/* The network with all the largest choices, or all the smallest. */
Genotype genotype_largest(const Space *space, int width, int resolution);
Genotype genotype_smallest(const Space *space, int width, int resolution);
/* Every gene is drawn again with the given probability (MCUNet: 0.1). Blocks
 * that a deeper stage gains are drawn too. The width stays, and the resolution
 * too unless there are several to draw it from. */
Genotype genotype_mutate(const Space *space, const Choices *resolutions, const Genotype *g,
                         double probability, Rng *rng);
/* Uniform crossover: every gene from either parent, of one width. A stage's depth
 * comes from one of them, and blocks only one parent has come from that one. */
Genotype genotype_cross(const Space *space, const Genotype *a, const Genotype *b, Rng *rng);

bool genotype_equal(const Genotype *a, const Genotype *b);
uint64_t genotype_hash(const Genotype *g);
/* Every gene is one of the space's choices. */
bool genotype_in_space(const Space *space, const Genotype *g);

void genotype_text(const Space *space, const Genotype *g, char text[GENOTYPE_TEXT]);
/* -1 with errorf() naming the place when the text is not a network of the space. */
int genotype_parse(const Space *space, const char *text, Genotype *g);

/* The network itself, with a classifier of n_classes. Layers carry their
 * stage, block and role, so that supernet/ finds where their weights live. */
void genotype_expand(const Space *space, const Genotype *g, int n_classes, Net *net);

#endif
