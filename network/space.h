/* space.h - a search space: every network that a genotype can name.
 *
 * MCUNet's inverted-bottleneck space (MCUNet, arXiv 2007.10319, App. D): a
 * stem convolution, a first block without expansion, then stages of blocks,
 * each block with its kernel, each stage with its depth; all channels are
 * scaled by the width multiplier and made divisible. The numbers come from
 * configs/spaces/<name>.yaml.
 *
 * TinyNAS's stage 1 compares (width, resolution) pairs; the Space of a run
 * lists the candidates of both, and everything below takes the pair by index.
 * The weights fit any resolution, so a run may search several at once, as
 * Once-for-all does: Choices of indices, in which the resolution is a gene. */
#ifndef SPACE_H
#define SPACE_H

#include "network/net.h"

#define SPACE_MAX_STAGES 8
#define SPACE_MAX_DEPTH 6
#define SPACE_MAX_CHOICES 8
#define SPACE_MAX_WIDTHS 16
#define SPACE_MAX_RESOLUTIONS 16

typedef struct {
    uint8_t n;
    uint8_t value[SPACE_MAX_CHOICES]; /* ascending */
} Choices;

typedef struct {
    uint16_t channels; /* before the width multiplier */
    Size2 stride;      /* of the first block */
    Choices kernel, expansion, depth;
} Stage;

typedef struct {
    uint16_t h, w;
} Resolution;

typedef struct {
    char name[32];
    uint8_t in_c;      /* channels of the image: 3, or 1 */
    uint8_t divisor;   /* channels are made divisible by it */
    uint8_t n_widths, n_resolutions, n_stages;
    double width[SPACE_MAX_WIDTHS];
    Resolution resolution[SPACE_MAX_RESOLUTIONS];
    struct {
        uint16_t channels;
        Size2 kernel, stride;
    } stem;
    struct {
        uint16_t channels; /* 0: there is no first block */
        Size2 kernel, stride;
    } first_block;
    Stage stage[SPACE_MAX_STAGES];
    uint16_t head; /* channels of a last 1x1 before the pool, 0: none; not scaled below width 1 */
} Space;

/* MobileNet's rule: to the nearest multiple of the divisor, never below it and
 * never losing more than 10 %. */
int make_divisible(double channels, int divisor);

static inline int choices_largest(const Choices *c)
{
    return c->value[c->n > 0 ? c->n - 1 : 0];
}

/* Pixels of an image. */
int space_pixels(const Space *space, int resolution);
/* That resolution and those nearest to it in pixels, as far as `open` has their bits: at most n,
 * as indices, the fewest pixels first. */
Choices space_near(const Space *space, int resolution, int n, unsigned open);

/* -1 with errorf() when a list is empty, or the largest network of some
 * (width, resolution) has too many layers or an empty tensor. */
int space_check(const Space *space);

#endif
