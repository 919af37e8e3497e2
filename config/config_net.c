/* config_net.c - networks as block lists, one YAML file each. */
#include "config/config.h"

#include "base/alloc.h"
#include "base/error.h"
#include "config/schema.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int in, mid, out, k, se;
    Size2 stride;
    bool residual, pw1;
    double expand;
} Block;

typedef struct {
    char name[96];
    Resolution resolution;
    int input_channels;
    struct {
        int out;
        Size2 k, stride;
        int act; /* Act */
    } first_conv;
    Block block[40];
    uint8_t n_blocks;
    struct {
        int out, k, act;
    } feature_mix;
    struct {
        int in, out;
        bool bias;
    } classifier;
} BlockList;

static const char *const acts[] = {
    [ACT_NONE] = "none", [ACT_RELU] = "relu", [ACT_RELU6] = "relu6", NULL};

static const Key block_keys[] = {
    VALUE("in", KEY_INT, Block, in, 1, 65535, ""),
    VALUE("mid", KEY_INT, Block, mid, 1, 65535, ""),
    VALUE("out", KEY_INT, Block, out, 1, 65535, ""),
    VALUE("expand", KEY_NUMBER, Block, expand, 0, 1000, ""),
    VALUE("k", KEY_INT, Block, k, 0, 255, "0: no depthwise"),
    VALUE("stride", KEY_PAIR, Block, stride, 1, 255, ""),
    VALUE("residual", KEY_BOOL, Block, residual, 0, 0, ""),
    VALUE("pw1", KEY_BOOL, Block, pw1, 0, 0, "has the expanding 1x1"),
    VALUE("se", KEY_INT, Block, se, 0, 65535, "squeeze-and-excite width"),
    {.type = KEY_END}};

static const Key first_conv_keys[] = {
    VALUE("out", KEY_INT, BlockList, first_conv.out, 1, 65535, ""),
    VALUE("k", KEY_PAIR, BlockList, first_conv.k, 1, 255, ""),
    VALUE("stride", KEY_PAIR, BlockList, first_conv.stride, 1, 255, ""),
    {.name = "act", .type = KEY_CHOICE, .offset = offsetof(BlockList, first_conv.act), .words = acts},
    {.type = KEY_END}};

static const Key mix_keys[] = {VALUE("out", KEY_INT, BlockList, feature_mix.out, 1, 65535, ""),
                               VALUE("k", KEY_INT, BlockList, feature_mix.k, 1, 1, ""),
                               {.name = "act", .type = KEY_CHOICE,
                                .offset = offsetof(BlockList, feature_mix.act), .words = acts},
                               {.type = KEY_END}};

static const Key classifier_keys[] = {
    VALUE("in", KEY_INT, BlockList, classifier.in, 1, 65535, ""),
    VALUE("out", KEY_INT, BlockList, classifier.out, 1, 65535, ""),
    VALUE("bias", KEY_BOOL, BlockList, classifier.bias, 0, 0, ""),
    {.type = KEY_END}};

static const Key net_keys[] = {
    VALUE("name", KEY_TEXT, BlockList, name, 0, 0, ""),
    VALUE("resolution", KEY_PAIR, BlockList, resolution, 1, 1024, ""),
    VALUE("input_channels", KEY_INT, BlockList, input_channels, 1, 64, ""),
    {.name = "first_conv", .type = KEY_MAP, .sub = first_conv_keys},
    {.name = "blocks",
     .type = KEY_LIST,
     .offset = offsetof(BlockList, block),
     .size = sizeof(Block),
     .count_offset = offsetof(BlockList, n_blocks),
     .room = 40,
     .sub = block_keys},
    {.name = "feature_mix", .type = KEY_MAP, .sub = mix_keys},
    {.name = "classifier", .type = KEY_MAP, .sub = classifier_keys},
    {.type = KEY_END}};

static int with_role(Net *net, int layer, Role role)
{
    net->layer[layer].role = (uint8_t)role;
    return layer;
}

/* Squeeze-and-excite: each channel times a hard sigmoid of what two dense layers make of the
 * channels' means (MobileNetV3, arXiv 1905.02244). */
static int build_excite(Net *net, int at, int width)
{
    int c = net->layer[at].out_c;
    int vector = net_dense(net, net_global_pool(net, at), width, ACT_RELU);
    vector = net_dense(net, vector, c, ACT_NONE);
    return net_gate(net, at, net_lookup(net, vector));
}

static int layers_of(const Block *b)
{
    return b->pw1 + (b->k > 0) + 5 * (b->se > 0) + 1 + b->residual;
}

/* Like net_block(), where the depthwise may be missing and squeeze-and-excite may follow it. */
static int build_block(Net *net, const Block *b, int number, int input)
{
    int first = net->n_layers, at = input;
    if (b->pw1)
        at = with_role(net, net_pointwise(net, at, b->mid, ACT_RELU6), ROLE_EXPAND);
    if (b->k)
        at = with_role(net, net_depthwise(net, at, square(b->k), b->stride, ACT_RELU6),
                       ROLE_DEPTHWISE);
    if (b->se)
        at = build_excite(net, at, b->se);
    at = with_role(net, net_pointwise(net, at, b->out, ACT_NONE), ROLE_PROJECT);
    if (b->residual)
        at = with_role(net, net_add(net, at, input), ROLE_ADD);
    for (int i = first; i < net->n_layers; i++) {
        net->layer[i].stage = 1;
        net->layer[i].block = (uint8_t)number;
    }
    return at;
}

static int check_block(const Net *net, const Block *b, int number, int at, const YamlNode *node)
{
    int in_c = net->layer[at].out_c, behind = 3; /* feature mix, pool, classifier */
    if (b->in != in_c)
        return yaml_error(node, "block %d takes %d channels, but gets %d", number, b->in, in_c);
    if (!b->out || !b->stride.h)
        return yaml_error(node, "block %d wants in, mid, out, k and stride", number);
    if (b->pw1 ? !b->mid : b->mid && b->mid != b->in)
        return yaml_error(node, "block %d: without pw1 its %d channels do not become %d", number,
                          b->in, b->mid);
    if (!b->k && (b->stride.h > 1 || b->stride.w > 1))
        return yaml_error(node, "block %d has a stride, but no depthwise (k: 0) to make it", number);
    bool same = b->out == b->in && b->stride.h == 1 && b->stride.w == 1;
    if (b->residual && !same)
        return yaml_error(node, "block %d: a residual wants stride 1 and as many channels out as in",
                          number);
    if (net_full(net, layers_of(b) + behind))
        return yaml_error(node, "with block %d the network has more than %d layers", number,
                          NET_MAX_LAYERS);
    return 0;
}

static int build_net(Net *net, const BlockList *b, Resolution r, const YamlNode *root)
{
    const YamlNode *blocks = yaml_get(root, "blocks");
    if (!b->resolution.h || !b->input_channels || !b->first_conv.out || !b->classifier.out)
        return errorf("%s: wants resolution, input_channels, first_conv, blocks and classifier",
                      root->file);
    if (!r.h)
        r = b->resolution;
    net_begin(net, r.h, r.w, b->input_channels);
    int at = net_conv(net, NET_IMAGE, b->first_conv.out, b->first_conv.k, b->first_conv.stride,
                      (Act)b->first_conv.act);
    with_role(net, at, ROLE_STEM);
    for (int i = 0; i < b->n_blocks; i++) {
        if (check_block(net, &b->block[i], i, at, blocks->child[i]) != 0)
            return -1;
        at = build_block(net, &b->block[i], i, at);
    }
    if (b->feature_mix.out)
        at = with_role(net, net_pointwise(net, at, b->feature_mix.out, (Act)b->feature_mix.act),
                       ROLE_HEAD);
    at = with_role(net, net_global_pool(net, at), ROLE_POOL);
    with_role(net, net_dense(net, at, b->classifier.out, ACT_NONE), ROLE_CLASSIFIER);
    if (net_check(net) == 0)
        return 0;
    char *why = xstrdup(error_text());
    errorf("%s: %s", root->file, why);
    free(why);
    return -1;
}

/* A list of operators is another form; we say so, and which operator we lack, if any. */
static int refuse_operators(const YamlNode *ops)
{
    static const char *const known[] = {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MAX_POOL_2D",
                                        "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX", "MEAN"};
    enum { N_KNOWN = sizeof known / sizeof *known };
    for (int i = 0; ops->kind == YAML_LIST && i < ops->n; i++) {
        const YamlNode *op = yaml_get(ops->child[i], "op");
        int k = 0;
        while (op && op->text && k < N_KNOWN && strcmp(known[k], op->text) != 0)
            k++;
        if (k == N_KNOWN)
            return yaml_error(op, "operator %d (%s) is not supported; and a network is a list of "
                              "blocks, not of operators", i, op->text);
    }
    return yaml_error(ops, "a network is a list of blocks, not of operators");
}

static int read_blocks(BlockList *b, YamlNode *root)
{
    const YamlNode *ops = root->kind == YAML_MAP ? yaml_get(root, "ops") : NULL;
    if (ops)
        return refuse_operators(ops);
    for (int i = 0; i < root->n; i++) /* `feature_mix: null`: there is none */
        if (root->kind == YAML_MAP && root->child[i]->kind == YAML_SCALAR &&
            strcmp(root->child[i]->key, "feature_mix") == 0)
            root->child[i]->kind = YAML_MAP;
    return schema_read(root, net_keys, b);
}

int config_net(Net *net, const char *path, Resolution r)
{
    BlockList b = {.first_conv = {.stride = {1, 1}, .k = {3, 3}, .act = ACT_RELU6},
                   .feature_mix = {.act = ACT_RELU6}};
    YamlNode *root = yaml_read(path);
    int status = root ? read_blocks(&b, root) : -1;
    if (status == 0)
        status = build_net(net, &b, r, root);
    yaml_close(root);
    return status;
}
