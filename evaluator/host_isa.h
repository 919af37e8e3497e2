/* host_isa.h - int8 layers on the vectors of this machine.
 *
 * A HostIsa is a set of kernels, one an operator, compiled for an instruction
 * set; host_isa() finds the best one that this processor has. All of them, the
 * portable one too, give the bytes of the device's kernels (runtime/tb.h).
 *
 * A kernel makes a whole tensor. Here a tensor is uint8 = int8 + 128, because
 * that is what dot products of bytes take, and a pixel has host_step() bytes:
 * its channels and up to three bytes of anything, so that all is read four
 * channels at a time. Behind a tensor HOST_SLACK bytes may be read. */
#ifndef HOST_ISA_H
#define HOST_ISA_H

#include "quant/qmodel.h"

enum { HOST_SLACK = 64 };

typedef struct HostLayer HostLayer;
typedef struct {
    const uint8_t *in, *in2; /* in2: of an add or a gate */
    uint8_t *out;
    uint8_t *scratch; /* of l->scratch bytes */
} HostTensors;
typedef void HostKernel(const HostLayer *l, const HostTensors *t);

typedef struct {
    const char *name;
    void (*prepare)(HostLayer *l, const QLayer *q); /* quads, weights, finish, scratch, block */
    HostKernel *kernel[N_OPS];
} HostIsa;

struct HostLayer {
    Layer shape;
    HostKernel *run;
    int in_step, out_step;           /* bytes of a pixel */
    int in_zero, in2_zero, out_zero; /* as all values here, 128 more than in the QModel */
    int low, high;                   /* of the output */
    bool plain;                      /* the short way from sums to outputs is exact */
    const void *weights;             /* as the kernel wants them; a lookup's uint8 [256] */
    const void *finish;              /* what makes outputs of sums */
    const int32_t *quad_at;          /* [quads] of a window that mixes channels, in bytes */
    int quads;
    const QLayer *q;                 /* borrowed */
    size_t scratch;
    void *block; /* owns weights, finish, quad_at */
};

/* Layer `layer` of q, which stays where it is. host_layer_release() frees it. */
void host_layer_init(HostLayer *l, const HostIsa *isa, const QModel *q, int layer);
void host_layer_release(HostLayer *l);

static inline int host_step(int channels)
{
    return (channels + 3) & ~3;
}

/* From the runtime's tensors and back. */
void host_widen(uint8_t *to, const int8_t *from, int pixels, int channels);
void host_narrow(int8_t *to, const uint8_t *from, int pixels, int channels);

/* Best first; a name, how it is called in C. */
#define HOST_ISAS(X)                                                                              \
    X("avx512", avx512)     /* 512 bits and VNNI */                                               \
    X("avx_vnni", avx_vnni) /* 256 bits and VNNI */                                               \
    X("avx2", avx2)                                                                               \
    X("portable", portable)

#define X(name, isa) extern const HostIsa host_##isa;
HOST_ISAS(X)
#undef X

/* The best one, or the named one; NULL when this machine does not have it. */
const HostIsa *host_isa(const char *name);

#endif
