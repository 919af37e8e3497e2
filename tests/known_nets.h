/* known_nets.h - networks everybody knows, built by hand: the folded graphs of
 * MLPerf Tiny's models (what ../shared/facts/reference.yaml measures as f_*),
 * and MobileNetV2. */
#ifndef KNOWN_NETS_H
#define KNOWN_NETS_H

#include "network/net.h"

/* MobileNetV1 at width 0.25 on 96 x 96, two classes (vww_96_int8). */
static inline void build_mobilenet_v1(Net *net)
{
    static const int channels[] = {16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256};
    static const int stride[] = {1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1};
    net_begin(net, 96, 96, 3);
    int at = net_conv(net, NET_IMAGE, 8, square(3), square(2), ACT_RELU6);
    for (int i = 0; i < 13; i++) {
        at = net_depthwise(net, at, square(3), square(stride[i]), ACT_RELU6);
        at = net_pointwise(net, at, channels[i], ACT_RELU6);
    }
    net_dense(net, net_global_pool(net, at), 2, ACT_NONE);
}

/* DS-CNN on 49 frames of 10 coefficients, twelve words (kws_ref_model). */
static inline void build_ds_cnn(Net *net)
{
    net_begin(net, 49, 10, 1);
    int at = net_conv(net, NET_IMAGE, 64, (Size2){10, 4}, square(2), ACT_RELU);
    Layer *first = &net->layer[at]; /* TFLite's SAME: 9 rows and 2 columns missing */
    first->pad_top = 4;
    first->pad_left = 1;
    first->out_w = 5;
    for (int i = 0; i < 4; i++) {
        at = net_depthwise(net, at, square(3), square(1), ACT_RELU);
        at = net_pointwise(net, at, 64, ACT_RELU);
    }
    net_dense(net, net_global_pool(net, at), 12, ACT_NONE);
}

/* ResNet of eight layers on 32 x 32, ten classes (pretrainedResnet_quant). */
static inline void build_resnet8(Net *net)
{
    net_begin(net, 32, 32, 3);
    int at = net_conv(net, NET_IMAGE, 16, square(3), square(1), ACT_RELU);
    for (int i = 0; i < 3; i++) {
        int c = 16 << i, s = i ? 2 : 1;
        int deep = net_conv(net, at, c, square(3), square(s), ACT_RELU);
        deep = net_conv(net, deep, c, square(3), square(1), ACT_NONE);
        at = i ? net_conv(net, at, c, square(1), square(s), ACT_NONE) : at;
        at = net_add(net, at, deep);
    }
    net_dense(net, net_global_pool(net, at), 10, ACT_NONE);
}

/* An autoencoder of ten dense layers on 640 numbers (ad01_int8). */
static inline void build_autoencoder(Net *net)
{
    static const int width[] = {128, 128, 128, 128, 8, 128, 128, 128, 128, 640};
    net_begin(net, 1, 1, 640);
    for (int i = 0, at = NET_IMAGE; i < 10; i++)
        at = net_dense(net, at, width[i], i < 9 ? ACT_RELU : ACT_NONE);
}

/* One convolution of 10 x 8 and a dense layer; four words (micro_speech_quantized). */
static inline void build_micro_speech(Net *net)
{
    net_begin(net, 49, 40, 1);
    int at = net_conv(net, NET_IMAGE, 8, (Size2){10, 8}, square(2), ACT_RELU);
    net->layer[at].pad_top = 4;
    net->layer[at].pad_left = 3;
    net->layer[at].out_w = 20;
    net_dense(net, at, 4, ACT_NONE);
}

/* MobileNetV2 at width 1 (arXiv 1801.04381, table 2), 1000 classes. */
static inline void build_mobilenet_v2(Net *net, int resolution)
{
    static const struct {
        int t, c, n, s;
    } stage[] = {{1, 16, 1, 1},  {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    net_begin(net, resolution, resolution, 3);
    int at = net_conv(net, NET_IMAGE, 32, square(3), square(2), ACT_RELU6);
    for (int i = 0; i < 7; i++) {
        for (int k = 0; k < stage[i].n; k++) {
            int in_c = net->layer[at].out_c;
            at = net_block(net, at, &(BlockShape){.mid = stage[i].t * in_c,
                                                  .out_c = stage[i].c,
                                                  .kernel = square(3),
                                                  .stride = square(k ? 1 : stage[i].s),
                                                  .expands = stage[i].t > 1,
                                                  .residual = k > 0,
                                                  .stage = i,
                                                  .block = k});
        }
    }
    at = net_pointwise(net, at, 1280, ACT_RELU6);
    net_dense(net, net_global_pool(net, at), 1000, ACT_NONE);
}

#endif
