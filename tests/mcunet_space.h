/* mcunet_space.h - MCUNet's search space (arXiv 2007.10319, App. D) for tests
 * and benchmarks of the estimator and the search, and random networks. */
#ifndef MCUNET_SPACE_H
#define MCUNET_SPACE_H

#include "network/genotype.h"

#include <stdio.h>

/* 9 widths 0.2 ... 1.0, 12 resolutions 48 ... 224, 6 stages, no 1280-wide head. */
static inline Space mcunet_space(void)
{
    static const uint16_t channels[] = {24, 40, 80, 96, 192, 320};
    static const uint8_t stride[] = {2, 2, 2, 1, 2, 1};
    Space s = {.name = "mcunet", .in_c = 3, .divisor = 8, .n_widths = 9, .n_resolutions = 12,
               .n_stages = 6, .stem = {32, {3, 3}, {2, 2}}, .first_block = {16, {3, 3}, {1, 1}}};
    for (int i = 0; i < 9; i++)
        s.width[i] = (i + 2) / 10.0;
    for (int i = 0; i < 12; i++)
        s.resolution[i] = (Resolution){(uint16_t)(48 + 16 * i), (uint16_t)(48 + 16 * i)};
    for (int i = 0; i < 6; i++)
        s.stage[i] = (Stage){.channels = channels[i], .stride = square(stride[i]),
                             .kernel = {3, {3, 5, 7}}, .expansion = {3, {3, 4, 6}},
                             .depth = i < 5 ? (Choices){3, {2, 3, 4}} : (Choices){1, {1}}};
    return s;
}

/* A few stages on small images: e = 1 blocks, strides by axis, kernels to 7. */
static inline Space small_space(void)
{
    Space s = {.name = "small", .in_c = 3, .divisor = 2, .n_widths = 3, .n_resolutions = 3,
               .n_stages = 3, .width = {0.3, 0.5, 1.0},
               .resolution = {{16, 16}, {24, 10}, {19, 21}},
               .stem = {8, {3, 5}, {2, 1}}, .first_block = {6, {3, 3}, {1, 1}}};
    for (int i = 0; i < 3; i++)
        s.stage[i] = (Stage){.channels = (uint16_t)(6 + 4 * i),
                             .stride = {1, (uint8_t)(i == 1 ? 2 : 1)},
                             .kernel = {3, {3, 5, 7}}, .expansion = {3, {1, 3, 4}},
                             .depth = {3, {1, 2, 3}}};
    return s;
}

static inline int draw(Rng *rng, int low, int high)
{
    return low + (int)rng_below(rng, (uint32_t)(high - low + 1));
}

/* An add of the newest tensor and a random older one of its shape; -1 when there is none. */
static inline int add_from_far(Net *net, Rng *rng)
{
    const Layer *at = net_output(net);
    for (int tries = 0; tries < 8; tries++) {
        int other = draw(rng, 0, net->n_layers - 1);
        const Layer *o = &net->layer[other];
        if (o->out_h == at->out_h && o->out_w == at->out_w && o->out_c == at->out_c)
            return net_add(net, net->n_layers - 1, other);
    }
    return -1;
}

/* TFLite's SAME: half the missing rows above, the odd one below. */
static inline void pad_same(Layer *l)
{
    int missing = (l->out_h - 1) * l->sh + l->kh - l->in_h;
    l->pad_top = (uint8_t)(missing > 0 ? missing / 2 : 0);
}

static inline void append_random(Net *net, int at, Rng *rng)
{
    const Layer *l = &net->layer[at];
    Size2 stride = {(uint8_t)draw(rng, 1, 3), (uint8_t)draw(rng, 1, 2)};
    Size2 kernel = {(uint8_t)draw(rng, 1, 7), (uint8_t)draw(rng, 1, 5)};
    if (draw(rng, 0, 2))
        stride = square(1);
    switch (draw(rng, 0, 7)) {
    case 0:
        net_conv(net, at, draw(rng, 1, 9), kernel, stride, ACT_RELU);
        break;
    case 1:
    case 2:
        at = net_depthwise(net, at, kernel, stride, ACT_RELU6);
        if (kernel.h % 2 && stride.h <= 2 && draw(rng, 0, 1))
            pad_same(&net->layer[at]);
        break;
    case 3:
    case 4:
        net_pointwise(net, at, draw(rng, 0, 1) ? l->out_c : draw(rng, 1, 13), ACT_NONE);
        break;
    case 5:
    case 6:
        add_from_far(net, rng);
        break;
    case 7:
        if (l->out_h >= kernel.h && l->out_w >= kernel.w)
            net_pool(net, draw(rng, 0, 1) ? OP_AVG_POOL : OP_MAX_POOL, at, kernel, stride);
        break;
    }
}

/* A chain of anything, with adds from far and now and then a side branch. */
static inline void random_net(Net *net, Rng *rng)
{
    net_begin(net, draw(rng, 3, 25), draw(rng, 3, 19), draw(rng, 1, 4));
    net_conv(net, NET_IMAGE, draw(rng, 1, 7), square(3), square(draw(rng, 1, 2)), ACT_RELU6);
    for (int i = draw(rng, 0, 20); i > 0; i--) {
        int newest = net->n_layers - 1;
        append_random(net, newest > 0 && draw(rng, 0, 9) == 0 ? newest - 1 : newest, rng);
    }
    if (draw(rng, 0, 1))
        net_global_pool(net, net->n_layers - 1);
    if (draw(rng, 0, 1))
        net_dense(net, net->n_layers - 1, draw(rng, 1, 10), ACT_NONE);
}

#endif
