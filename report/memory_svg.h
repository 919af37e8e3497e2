/* memory_svg.h - a picture of the arena over time, in SVG that needs nothing else.
 *
 * Two panels over one axis of layers. Above, bytes alive layer by layer (as in
 * MCUNetV2's figure 1) behind those of the profile's schedule, on one scale, with
 * both peaks and the target's limit. Below, the address map of the plan: each
 * tensor and ring a patch of colour from its address to its end, while it lives;
 * where an output runs into the input it consumes, the border between them is a slope. */
#ifndef MEMORY_SVG_H
#define MEMORY_SVG_H

#include "report/profile.h"

#include <stdio.h>

void memory_svg(const Profile *p, FILE *out);

#endif
