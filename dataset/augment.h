/* augment.h - a training picture as it might have looked otherwise.
 *
 * Works on what a network sees, floats [h][w][c] of mean 0 and deviation 1, so
 * that the same words serve photographs and the features of a sound, whose rows
 * are moments and whose columns are frequencies. All zeros leave a picture as
 * it is. A picture is placed, mirrored, faded outside a spot, blurred, coloured,
 * lit, made noisy, masked and cut, by its Rng alone. */
#ifndef AUGMENT_H
#define AUGMENT_H

#include "base/rng.h"

#include <stdbool.h>

typedef struct {
    int crop;            /* pixels of padding by which a picture is shifted at random */
    bool flip;           /* mirrored left to right every other time */
    int cutout;          /* side of a square set to 0, the mean */
    int slide;           /* rows by which it is shifted besides, up or down */
    bool edge;           /* what comes in from outside repeats the edge, instead of 0 */
    bool fill;           /* and else, as what is cut out, a gray drawn for the picture */
    double spot;         /* share of pictures of which an ellipse near the middle is seen, the rest
                          * fading to what comes in: whatever stood behind a thing is gone */
    int blur;            /* largest distance over which pixels are averaged, twice */
    double invert;       /* share of pictures that become their negative, around their mean */
    double zoom;         /* 0.5: scaled by up to 1.5, either way */
    double stretch;      /* height against width, likewise */
    double rotate;       /* degrees, either way */
    double level;        /* the picture's mean becomes one of up to this, either way, whatever it was */
    double brightness;   /* added, in deviations of the training set, either way */
    double contrast;     /* 0.5: times up to 1.5 around the picture's mean, either way */
    double saturation;   /* likewise the distance of a colour from its gray; three channels */
    double hue;          /* degrees around the gray axis, either way; three channels */
    double gray;         /* share of pictures that become gray; three channels */
    double noise;        /* largest deviation of noise on every value */
    int mask_rows;       /* as many rows in a row at most are set to 0 (SpecAugment, time) */
    int mask_columns;    /* and columns (frequency) */
    int whole;           /* pixels of the picture that is meant where something above counts pixels:
                          * on another those are scaled by the ratio of sides; 0: they never are */
} Augment;

typedef struct {
    int h, w, c;
    float low, high; /* what a pixel can be: brighter than white is white */
} PictureShape;

/* from and to [h][w][c], which may not overlap. */
void augment_picture(const Augment *a, Rng *rng, const PictureShape *shape, const float *from,
                     float *to);

#endif
