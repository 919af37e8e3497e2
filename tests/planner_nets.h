/* planner_nets.h - the five networks whose streamed plans have published sizes:
 * block lists of MCUNet's zoo, MobileNetV1 and MobileNetV2. */
#ifndef PLANNER_NETS_H
#define PLANNER_NETS_H

#include "tests/known_nets.h"

/* An inverted-bottleneck block; mid == in: without expansion. A residual add where shapes allow
 * it, as in all of MCUNet's zoo. */
typedef struct {
    int mid, out, k, s;
} ZooBlock;

static inline void build_zoo(Net *net, int resolution, int stem, const ZooBlock *b, int n, int head,
                             int classes)
{
    net_begin(net, resolution, resolution, 3);
    int at = net_conv(net, NET_IMAGE, stem, square(3), square(2), ACT_RELU6), in = stem;
    for (int i = 0; i < n; in = b[i++].out)
        at = net_block(net, at, &(BlockShape){.mid = b[i].mid, .out_c = b[i].out,
                                              .kernel = square(b[i].k), .stride = square(b[i].s),
                                              .residual = b[i].s == 1 && b[i].out == in && i > 0,
                                              .expands = i > 0});
    if (head)
        at = net_pointwise(net, at, head, ACT_RELU6);
    net_dense(net, net_global_pool(net, at), classes, ACT_NONE);
}

static inline void build_mbv2_035_144(Net *net)
{
    static const ZooBlock b[] = {
        {16, 8, 3, 1},   {48, 8, 3, 2},   {48, 8, 3, 1},   {48, 16, 3, 2},  {96, 16, 3, 1},
        {96, 16, 3, 1},  {96, 24, 3, 2},  {144, 24, 3, 1}, {144, 24, 3, 1}, {144, 24, 3, 1},
        {144, 32, 3, 1}, {192, 32, 3, 1}, {192, 32, 3, 1}, {192, 56, 3, 2}, {336, 56, 3, 1},
        {336, 56, 3, 1}, {336, 112, 3, 1}};
    build_zoo(net, 144, 16, b, 17, 448, 1000);
}

static inline void build_mcunet_vww1(Net *net)
{
    static const ZooBlock b[] = {
        {16, 8, 3, 1},   {48, 16, 3, 2},  {48, 16, 3, 1},  {48, 16, 3, 1},  {48, 24, 7, 2},
        {144, 24, 3, 1}, {120, 24, 5, 1}, {144, 40, 7, 2}, {240, 40, 7, 1}, {240, 48, 3, 1},
        {192, 48, 3, 1}, {240, 96, 5, 2}, {480, 96, 3, 1}, {384, 96, 3, 1}, {288, 160, 7, 1}};
    build_zoo(net, 80, 16, b, 15, 0, 2);
}

static inline void build_mcunet_in1(Net *net)
{
    static const ZooBlock b[] = {
        {16, 8, 3, 1},   {32, 16, 3, 2},  {48, 16, 3, 1},  {48, 24, 7, 2},  {120, 24, 3, 1},
        {120, 40, 3, 2}, {160, 40, 7, 1}, {160, 48, 5, 1}, {144, 48, 3, 1}, {192, 48, 3, 1},
        {240, 96, 7, 2}, {384, 96, 5, 1}, {384, 96, 5, 1}, {576, 160, 3, 1}};
    build_zoo(net, 96, 16, b, 14, 0, 1000);
}

static inline void build_mcunet_in3(Net *net)
{
    static const ZooBlock b[] = {
        {16, 8, 3, 1},   {24, 16, 7, 2},  {80, 16, 3, 1},  {80, 16, 7, 1},  {64, 16, 5, 1},
        {80, 24, 5, 2},  {120, 24, 5, 1}, {120, 24, 5, 1}, {120, 40, 3, 2}, {240, 40, 7, 1},
        {160, 40, 5, 1}, {200, 48, 5, 1}, {240, 48, 7, 1}, {240, 48, 3, 1}, {288, 96, 3, 2},
        {480, 96, 7, 1}, {384, 96, 3, 1}, {480, 160, 7, 1}};
    build_zoo(net, 176, 16, b, 18, 0, 1000);
}

static inline void build_mbv2_224(Net *net)
{
    build_mobilenet_v2(net, 224);
}

/* What ../shared/facts/streaming.md section 5 has of each, bytes; image outside except where said. */
typedef struct {
    const char *name;
    void (*build)(Net *net);
    uint32_t once, more5, more10, more25, resident;
} PlannerNet;

static const PlannerNet planner_nets[] = {
    {"mbv2-0.35-r144", build_mbv2_035_144, 27216, 13584, 12659, 10203, 66816},
    {"mcunet-vww1-r80", build_mcunet_vww1, 15760, 12688, 10800, 10000, 21760},
    {"mcunet-in3-r176", build_mcunet_in3, 59840, 53680, 45760, 39760, 98560},
    {"mbv1-0.25-r96", build_mobilenet_v1, 14304, 10277, 9536, 7552, 28155},
    {"mbv2-1.0-r224", build_mbv2_224, 125664, 56555, 51219, 40512, 198912},
};
enum { N_PLANNER_NETS = 5 };

#endif
