/* host_net.h - an int8 network on the vectors of this machine.
 *
 * For accuracy on many images: layer by layer over whole tensors, in an arena
 * of its own, with the kernels of a HostIsa. The device's plan and kernels are
 * lower.h's and give the same bytes. A HostNet is read only: several threads
 * share one, each with a workspace of its own. */
#ifndef HOST_NET_H
#define HOST_NET_H

#include "evaluator/host_isa.h"

typedef struct {
    const Net *net;
    HostLayer layer[NET_MAX_LAYERS];
    uint32_t offset[NET_MAX_LAYERS + 1]; /* in the workspace: [0] the image, [1 + l] of layer l */
    size_t scratch;                      /* offset of the kernels' scratch */
    size_t workspace;                    /* bytes */
} HostNet;

/* q stays where it is and passes qmodel_check(). host_net_release() frees it. */
void host_net_init(HostNet *h, const QModel *q, const HostIsa *isa);
void host_net_release(HostNet *h);

/* image: int8 [h][w][c]; output: int8, the bytes of the last tensor; workspace: xaligned(). */
void host_net_run(const HostNet *h, const int8_t *image, uint8_t *workspace, int8_t *output);

#endif
