#include "estimator/patches.h"

#include "tests/known_nets.h"
#include "tests/mcunet_space.h"
#include "tests/suite.h"

/* ---- sides -------------------------------------------------------------------------------- */

static void sides_are(const Net *net, int p, int n, const unsigned *want)
{
    PatchSide side[NET_MAX_LAYERS + 1];
    patches_sides(net, p, n, side);
    for (int t = 0; t <= n; t++) {
        ck_assert_uint_eq(side[t].h, want[t]);
        ck_assert_uint_eq(side[t].w, want[t]);
    }
}

/* The first layers of mcunetv2_large at 224 (facts/mcunet.md A7). */
TEST(a_patch_of_mcunetv2_large_goes_from_63_to_7)
{
    Net net;
    net_begin(&net, 224, 224, 3);
    int at = net_conv(&net, NET_IMAGE, 16, square(3), square(2), ACT_RELU6);
    at = net_pointwise(&net, at, 16, ACT_NONE);
    at = net_block(&net, at, &(BlockShape){.mid = 96, .out_c = 24, .kernel = square(3),
                                           .stride = square(2), .expands = true});
    at = net_block(&net, at, &(BlockShape){.mid = 96, .out_c = 40, .kernel = square(3),
                                           .stride = square(2), .expands = true});
    net_global_pool(&net, at);
    sides_are(&net, 4, 8, (const unsigned[]){63, 31, 31, 31, 15, 15, 15, 7, 7});
}
END

/* The stem and four blocks; the last ends with layer 12. */
TEST(a_patch_of_mobilenet_v2_sees_75_pixels_squared)
{
    Net net;
    build_mobilenet_v2(&net, 224);
    ck_assert_int_eq(net.layer[13].stage, 2);
    ck_assert_int_eq(net.layer[13].block, 1);
    ck_assert_int_eq(net.layer[12].out_h, 28);
    sides_are(&net, 4, 13,
              (const unsigned[]){75, 37, 35, 35, 35, 17, 17, 17, 15, 15, 15, 15, 7, 7});
}
END

TEST(rows_and_columns_have_sides_of_their_own)
{
    PatchSide side[NET_MAX_LAYERS + 1];
    Net net;
    net_begin(&net, 20, 9, 1);
    net_conv(&net, NET_IMAGE, 4, (Size2){5, 1}, (Size2){2, 1}, ACT_NONE); /* 10 x 9 */
    net_pointwise(&net, 0, 4, ACT_NONE);
    patches_sides(&net, 2, 1, side);
    ck_assert_uint_eq(side[1].h, 5);
    ck_assert_uint_eq(side[1].w, 5); /* the second has 4 */
    ck_assert_uint_eq(side[0].h, 13);
    ck_assert_uint_eq(side[0].w, 5);
}
END

TEST(a_stage_looks_at_windows_and_is_cut_where_no_skip_crosses)
{
    Net net;
    build_mobilenet_v2(&net, 224);
    ck_assert(!patches_possible(&net, 0));
    ck_assert(patches_possible(&net, 1));
    ck_assert(patches_possible(&net, 6)); /* block 2 ends, block 3 adds its output */
    ck_assert(!patches_possible(&net, 7));
    ck_assert(!patches_possible(&net, 9));
    ck_assert(patches_possible(&net, 10)); /* after the add */
    ck_assert(patches_possible(&net, net.n_layers - 2));
    ck_assert(!patches_possible(&net, net.n_layers - 1)); /* the global pool */
    ck_assert(!patches_possible(&net, net.n_layers));
}
END

/* ---- facts: mcunet.md 4.3 ----------------------------------------------------------------- */

/* Rounded to a whole number of units. */
static void says(uint64_t figure, uint64_t printed, uint64_t unit)
{
    ck_assert_uint_eq((figure + unit / 2) / unit, printed);
}

TEST(mobilenet_v2_in_patches_costs_what_mcunetv2_says)
{
    Net net;
    build_mobilenet_v2(&net, 224);
    Patches c = patches_count(&net, 4, 13);
    uint64_t whole = net_macs(&net);
    says(whole, 3008, 100000);
    says(c.macs, 913, 100000);
    says(c.unclipped, 1295, 100000);
    says(c.unclipped * 1000, 1419, c.macs); /* +41.9 % */
    says(whole - c.macs + c.unclipped, 3390, 100000);
    says(whole - c.macs + c.clipped, 3287, 100000);
}
END

TEST(mobilenet_v2_goes_from_1372_to_172_kib)
{
    Net net;
    build_mobilenet_v2(&net, 224);
    Patches c = patches_count(&net, 4, 13);
    ck_assert_uint_eq(c.output, 28 * 28 * 32);
    ck_assert_uint_eq(c.paired.patch, 35 * 35 * (16 + 96)); /* with the output about 162 kB */
    ck_assert_uint_eq(c.paired.rest, 175616);
    ck_assert_uint_eq(c.paired.peak, 175616);
    /* block 5 holds its input until its output is added to it */
    ck_assert_uint_eq(c.live.rest, 28 * 28 * (32 + 192 + 32));
    ck_assert_uint_eq(c.live.peak, 28 * 28 * (32 + 192 + 32));
    c = patches_count(&net, 1, 1); /* a single patch is the whole image */
    ck_assert_uint_eq(c.paired.rest, 1404928);
}
END

/* ---- against the slow and obvious --------------------------------------------------------- */

enum { LAYERS = 24, SIDE = 32 };

/* Pixels of each tensor that a patch wants, marked one by one; image and margins included. */
typedef struct {
    bool wanted[LAYERS + 1][3 * SIDE][3 * SIDE]; /* [tensor][SIDE + y][SIDE + x] */
} Marks;

static void mark_window(Marks *m, const Layer *l, int y, int x)
{
    for (int ky = 0; ky < l->kh; ky++)
        for (int kx = 0; kx < l->kw; kx++)
            m->wanted[1 + l->input][SIDE + y * l->sh - l->pad_top + ky]
                     [SIDE + x * l->sw - l->pad_left + kx] = true;
    if (l->input2 != NET_NOTHING)
        m->wanted[1 + l->input2][SIDE + y][SIDE + x] = true;
}

/* Pixels of layer i's output that the patch computes, inside the tensor; marks what they read. */
static uint64_t compute(Marks *m, const Net *net, int i)
{
    const Layer *l = &net->layer[i];
    uint64_t n = 0;
    for (int y = 0; y < l->out_h; y++) {
        for (int x = 0; x < l->out_w; x++) {
            if (!m->wanted[1 + i][SIDE + y][SIDE + x])
                continue;
            n++;
            mark_window(m, l, y, x);
        }
    }
    return n;
}

static uint64_t clipped_slowly(const Net *net, int p, int n)
{
    static Marks m;
    const Layer *last = &net->layer[n - 1];
    int h = (last->out_h + p - 1) / p, w = (last->out_w + p - 1) / p;
    uint64_t macs = 0;
    for (int patch = 0; patch < p * p; patch++) {
        m = (Marks){0};
        for (int y = patch / p * h; y < (patch / p + 1) * h && y < last->out_h; y++)
            for (int x = patch % p * w; x < (patch % p + 1) * w && x < last->out_w; x++)
                m.wanted[n][SIDE + y][SIDE + x] = true;
        for (int i = n - 1; i >= 0; i--)
            macs += compute(&m, net, i) * layer_weights(&net->layer[i]);
    }
    return macs;
}

/* Inverted bottlenecks with kernels and strides of their own by axis. */
static void random_chain(Net *net, Rng *rng)
{
    net_begin(net, draw(rng, 9, 31), draw(rng, 9, 31), 3);
    int at = net_conv(net, NET_IMAGE, draw(rng, 1, 4), square(3), square(draw(rng, 1, 2)),
                      ACT_RELU);
    for (int i = draw(rng, 1, 4); i > 0; i--) {
        int in_c = net->layer[at].out_c;
        bool residual = draw(rng, 0, 1);
        Size2 kernel = {(uint8_t)(1 + 2 * draw(rng, 1, 2)), (uint8_t)(1 + 2 * draw(rng, 1, 2))};
        Size2 stride = {(uint8_t)draw(rng, 1, 2), (uint8_t)draw(rng, 1, 2)};
        at = net_block(net, at, &(BlockShape){.mid = 2 * in_c,
                                              .out_c = residual ? in_c : draw(rng, 1, 5),
                                              .kernel = kernel,
                                              .stride = residual ? square(1) : stride,
                                              .expands = true,
                                              .residual = residual});
    }
    net_dense(net, net_global_pool(net, at), 2, ACT_NONE);
}

TEST(clipped_macs_are_those_counted_pixel_by_pixel)
{
    Rng rng = rng_make(8, 0);
    int counted = 0;
    for (int round = 0; round < 100; round++) {
        Net net;
        random_chain(&net, &rng);
        for (int n = 1; n < net.n_layers; n++) {
            int p = draw(&rng, 1, 4);
            if (!patches_possible(&net, n))
                continue;
            ck_assert_uint_eq(patches_count(&net, p, n).clipped, clipped_slowly(&net, p, n));
            counted++;
        }
    }
    ck_assert_int_gt(counted, 300);
}
END

TEST(one_patch_costs_nothing_extra_when_clipped)
{
    Rng rng = rng_make(9, 0);
    for (int round = 0; round < 200; round++) {
        Net net;
        random_chain(&net, &rng);
        for (int n = 1; n < net.n_layers; n++) {
            if (!patches_possible(&net, n))
                continue;
            Patches c = patches_count(&net, 1, n);
            ck_assert_uint_le(c.clipped, c.macs); /* a stride may leave pixels at the end unread */
            ck_assert_uint_ge(c.unclipped, c.clipped);
            ck_assert_uint_ge(c.live.patch, c.paired.patch);
            ck_assert_uint_ge(c.live.rest, c.paired.rest);
        }
    }
}
END

SUITE(patches, a_patch_of_mcunetv2_large_goes_from_63_to_7,
      a_patch_of_mobilenet_v2_sees_75_pixels_squared, rows_and_columns_have_sides_of_their_own,
      a_stage_looks_at_windows_and_is_cut_where_no_skip_crosses,
      mobilenet_v2_in_patches_costs_what_mcunetv2_says, mobilenet_v2_goes_from_1372_to_172_kib,
      clipped_macs_are_those_counted_pixel_by_pixel, one_patch_costs_nothing_extra_when_clipped)
