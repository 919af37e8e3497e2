/* tinyengine.h - what TinyEngine would report for a network, to the byte.
 *
 * MCUNet's engine (arXiv 2007.10319; its public code generator) counts an
 * arena, an im2col buffer and a kernel buffer; with their sum MCUNet's stage 1
 * and its published "SRAM" come out. Our own runtime needs less: see plan.h.
 *
 *   arena  the image is a tensor; a depthwise writes over its input, and where
 *          its stride is 2 x 2 a quarter of that tensor counts from then on;
 *          the largest tensors are placed first, at the lowest address that is free
 *   sbuf   the most of: two int16 columns in two pixels' width, 4 k k c bytes,
 *          for a convolution; one padded int16 plane for a depthwise in place
 *   kbuf   an int16 copy of the weights of the largest convolution with k > 1
 *
 * Nothing here allocates or fails; a network takes a few microseconds. */
#ifndef TINYENGINE_H
#define TINYENGINE_H

#include "network/net.h"

typedef struct {
    uint32_t arena, sbuf, kbuf; /* bytes */
} TinyEngine;

/* in_place: depthwise layers write over their input, as TinyEngine does unless told otherwise. */
TinyEngine tinyengine_memory(const Net *net, bool in_place);
/* arena + sbuf + kbuf, depthwise in place: MCUNet's SRAM. */
uint32_t tinyengine_peak(const Net *net);
/* Its MODEL_SIZE: weights, and 4 bytes of bias and 4 of scale a channel; no code. */
uint32_t tinyengine_flash(const Net *net);
/* Parameters as MCUNet's model zoo counts them, in float: weights, two numbers
 * of batch norm a channel (none in squeeze-and-excite), and biases of dense layers. */
uint32_t tinyengine_params(const Net *net);

#endif
