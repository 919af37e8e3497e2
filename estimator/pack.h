/* pack.h - where in the arena the tensors of a layer-by-layer schedule lie.
 *
 * A problem and its solution in one struct of plain data: fill in the problem,
 * call pack_tensors(), read the offsets. Tensor 0 is the image, tensor 1 + l is born in
 * layer l; the layer's scratch lives during that layer alone. All sizes are
 * multiples of the alignment, and so are all offsets then.
 *
 * A layer may write over a dying input (one whose last layer it is) when its
 * output begins `overlap` bytes or more before it; that is never less than the
 * bytes by which the output is longer. */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stdint.h>

#define PACK_LAYERS 128
#define PACK_TENSORS (PACK_LAYERS + 1)
#define PACK_APART UINT32_MAX /* overlap: the output may not touch the input */
#define PACK_SAME 0           /* overlap: it may lie on the very same bytes, or apart */

typedef struct {
    uint8_t input[2];  /* tensors; both the same unless the layer is an add */
    uint32_t overlap;
    uint32_t scratch;  /* bytes */
} PackLayer;

typedef struct {
    int n_layers;
    uint32_t align;
    PackLayer layer[PACK_LAYERS];
    uint32_t bytes[PACK_TENSORS];
    uint8_t last[PACK_TENSORS]; /* layer during which it is still needed */

    uint32_t least;             /* bytes alive at once: no placement needs less */
    uint32_t capacity;          /* bytes found to be enough: nearly always the least */
    uint32_t offset[PACK_TENSORS];
    uint32_t scratch_offset[PACK_LAYERS];

    uint32_t room[PACK_TENSORS]; /* its own: bytes wanted free below a tensor */
    int tries;
} Packing;

/* Never fails. The problem's part stays as it is. */
void pack_tensors(Packing *p);

#endif
