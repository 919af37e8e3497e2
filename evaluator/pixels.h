/* pixels.h - what a pixel is to a network: the int8 input of a picture.
 *
 * A network trained on reals = (pixel - mean) / deviation takes the int8
 * q = real / scale + zero. An image that fills the range of int8 ends up at
 * q = pixel - 128, whatever those reals were: 0..1, -1..1 and 0..255 do so to
 * within a level of rounding. Where they do not, the file alone cannot say what
 * its network was trained on, and the user has to. */
#ifndef PIXELS_H
#define PIXELS_H

#include "quant/qmodel.h"

typedef struct {
    bool plain;                  /* q = pixel - 128, and nothing else matters */
    double mean[3], deviation[3]; /* of a channel */
} Pixels;

/* "int8", "0..1", "-1..1", "0..255", or MEAN:DEVIATION, either one number or three ("124,116,104").
 * -1 with errorf(). */
int pixels_parse(Pixels *p, const char *text);
/* The input of a pixel of 0..255 of that channel. */
int8_t pixels_int8(const Pixels *p, QTensor input, int channel, int pixel);
/* Which of the usual reals, "0..1", are pixel - 128 to within a level for such an input? NULL:
 * none of them. */
const char *pixels_usual(QTensor input);

#endif
