/* space_figure.h - what stage 1 saw, as one page of SVG.
 *
 * On the left MCUNet's figure 3 (arXiv 2007.10319): for the spaces with the
 * largest mean, how the MACs of the networks that fit are distributed, the
 * chosen one red. On the right every width and resolution: that mean and the
 * share that fits, no colour where too few do to count. The paper says FLOPs
 * for what we count as multiply-accumulates. */
#ifndef SPACE_FIGURE_H
#define SPACE_FIGURE_H

#include "config/config.h"

#include <stdio.h>

#define FIGURE_CURVES 10

/* The sweep is that of the job. */
void space_figure(FILE *out, const Job *job, const Sweep *sweep);

#endif
