#include "estimator/tinyengine.h"

#include "config/config.h"
#include "tests/known_nets.h"
#include "tests/mcunet_space.h"
#include "tests/stage1.h"
#include "tests/suite.h"

#include <math.h>

/* ---- by hand ------------------------------------------------------------------------------ */

TEST(an_expanded_block_is_counted_as_by_hand)
{
    Net net;
    net_begin(&net, 16, 16, 3); /* image 768 */
    int at = net_conv(&net, NET_IMAGE, 8, square(3), square(2), ACT_RELU6); /* 512 */
    net_block(&net, at, &(BlockShape){.mid = 24, .out_c = 8, .kernel = square(5),
                                      .stride = square(1), .residual = true, .expands = true});
    /* 1536 expanded and kept through the depthwise, with 512 in, 512 projected, 512 added:
     * image at 0, 1536 at 0; the input of both at 1536; projected at 2048; the sum at 0. */
    TinyEngine m = tinyengine_memory(&net, true);
    ck_assert_uint_eq(m.arena, 1536 + 512 + 512);
    ck_assert_uint_eq(m.sbuf, 2 * (8 + 4) * (8 + 4)); /* 4 * 27 and 4 * 24 are less */
    ck_assert_uint_eq(m.kbuf, 2 * 8 * 3 * 9);
    ck_assert_uint_eq(tinyengine_peak(&net), 2560 + 288 + 432);
    m = tinyengine_memory(&net, false);
    ck_assert_uint_eq(m.arena, 1536 + 1536 + 512);
    ck_assert_uint_eq(m.sbuf, 2 * 25 * 24);
    ck_assert_uint_eq(tinyengine_flash(&net), 8 * 27 + 24 * 8 + 24 * 25 + 8 * 24 + 8 * 64);
    ck_assert_uint_eq(tinyengine_params(&net), 8 * 27 + 24 * 8 + 24 * 25 + 8 * 24 + 2 * 64);
}
END

TEST(a_quarter_is_left_after_a_depthwise_of_stride_two)
{
    Net net;
    net_begin(&net, 9, 9, 5); /* 405; as a depthwise's tensor 102 from then on */
    int at = net_depthwise(&net, NET_IMAGE, square(3), square(2), ACT_NONE); /* 125 */
    net_pointwise(&net, at, 10, ACT_NONE); /* 250 at 102 */
    ck_assert_uint_eq(tinyengine_memory(&net, true).arena, 405);
    net.layer[1].out_c = 14; /* 350 at 102 */
    ck_assert_uint_eq(tinyengine_memory(&net, true).arena, 102 + 350);
    net.layer[0].sw = 1; /* only 2 x 2 leaves a quarter */
    ck_assert_uint_eq(tinyengine_memory(&net, true).arena, 405 + 350);
}
END

TEST(a_depthwise_leaves_an_input_alone_that_is_read_again)
{
    Net net;
    net_begin(&net, 8, 8, 4);
    int at = net_pointwise(&net, NET_IMAGE, 4, ACT_NONE);
    net_add(&net, net_depthwise(&net, at, square(3), square(1), ACT_NONE), at);
    ck_assert_uint_eq(tinyengine_memory(&net, true).arena, 3 * 256);
}
END

/* ---- against the slow and obvious --------------------------------------------------------- */

enum { MOST = NET_MAX_LAYERS + 1 };

typedef struct {
    int n;
    struct {
        int begin, end, quarter_from; /* layers, the end not included */
        uint32_t bytes, offset;
        bool placed;
    } t[MOST];
} Slow;

static void gather(const Net *net, Slow *s)
{
    int of[MOST] = {0};
    s->n = 0;
    for (int tensor = NET_IMAGE; tensor < net->n_layers; tensor++) {
        const Layer *l = tensor >= 0 ? &net->layer[tensor] : NULL;
        int end = net_last_reader(net, tensor) + 1;
        if (l && l->op == OP_DEPTHWISE && net_last_reader(net, l->input) == tensor) {
            int merged = of[1 + l->input];
            of[1 + tensor] = merged;
            s->t[merged].end = end;
            if (l->sh == 2 && l->sw == 2)
                s->t[merged].quarter_from = tensor + 1;
            continue;
        }
        of[1 + tensor] = s->n;
        s->t[s->n].begin = l ? tensor : 0;
        s->t[s->n].end = end;
        s->t[s->n].quarter_from = 1000;
        s->t[s->n].bytes = net_tensor_bytes(net, tensor);
        s->t[s->n++].placed = false;
    }
}

static bool collides(const Slow *s, int k, uint32_t at)
{
    for (int i = 0; i < s->n; i++) {
        if (!s->t[i].placed || s->t[i].begin >= s->t[k].end || s->t[k].begin >= s->t[i].end)
            continue;
        uint32_t bytes = s->t[k].begin >= s->t[i].quarter_from ? (s->t[i].bytes + 3) / 4
                                                               : s->t[i].bytes;
        if (s->t[i].offset < at + s->t[k].bytes && at < s->t[i].offset + bytes)
            return true;
    }
    return false;
}

static uint32_t arena_slowly(const Net *net)
{
    Slow s;
    uint32_t arena = 0;
    gather(net, &s);
    for (int turn = 0; turn < s.n; turn++) {
        int next = -1;
        for (int i = 0; i < s.n; i++)
            if (!s.t[i].placed && (next < 0 || s.t[i].bytes > s.t[next].bytes))
                next = i;
        uint32_t at = 0;
        while (collides(&s, next, at))
            at++;
        s.t[next].offset = at;
        s.t[next].placed = true;
        arena = at + s.t[next].bytes > arena ? at + s.t[next].bytes : arena;
    }
    return arena;
}

TEST(arenas_of_random_nets_are_those_of_trying_every_byte)
{
    Rng rng = rng_make(3, 0);
    for (int i = 0; i < 400; i++) {
        Net net;
        random_net(&net, &rng);
        ck_assert_uint_eq(tinyengine_memory(&net, true).arena, arena_slowly(&net));
    }
}
END

/* ---- facts: mcunet.md 3.4 ---------------------------------------------------------------- */

typedef struct {
    const char *name;
    int resolution; /* 0: the file's */
    uint64_t macs;
    uint32_t weights, params, arena, sbuf, kbuf;
    double apart; /* KiB without depthwise in place, to a tenth; 0: not known */
    uint32_t flash;
} Row;

static const Row rows[] = {
    {"mbv2-w0.3-r80_imagenet", 0, 7299968, 621776, 634408, 89600, 3528, 864, 99.7, 676304},
    {"mbv2-w0.35-r144_imagenet", 0, 23499152, 736864, 750280, 290304, 10952, 864, 310.5, 794528},
    {"proxyless-w0.25-r112_imagenet", 0, 10691008, 559240, 569600, 100352, 7200, 432, 126.0,
     604680},
    {"proxyless-w0.3-r176_imagenet", 0, 38282216, 741680, 754280, 247808, 16928, 864, 340.1,
     796080},
    {"mcunet-10fps_imagenet", 0, 6364224, 735176, 749840, 46080, 2688, 1296, 68.1, 797832},
    {"mcunet-5fps_imagenet", 0, 12790096, 623216, 636232, 92160, 5000, 864, 113.8, 679280},
    {"mcunet-256kb-1mb_imagenet", 0, 67287200, 712904, 729392, 204800, 14112, 864, 349.3, 782856},
    {"mcunet-320kb-1mb_imagenet", 0, 81785520, 721032, 737408, 247808, 17672, 864, 409.8, 790536},
    {"mcunet-512kb-2mb_imagenet", 0, 125874400, 1710232, 1732640, 409600, 14792, 1728, 556.8,
     1803864},
    {"mcunet-10fps_vww", 0, 5958400, 358744, 368970, 57344, 2592, 864, 97.6, 399656},
    {"mcunet-5fps_vww", 0, 11578816, 420520, 432746, 89600, 3528, 864, 122.2, 469432},
    {"mcunet-320kb-1mb_vww", 0, 55771280, 621032, 639258, 165888, 10952, 864, 287.5, 693944},
    {"mcunet-256kb-1mb-int4_imagenet", 0, 134492600, 1384328, 1404688, 409600, 14792, 1728, 536.1,
     1469768},
    {"mcunet-320kb-1mb-int4_imagenet", 0, 169952528, 1379400, 1400448, 495616, 17672, 1728, 704.3,
     1467592},
    {"mcunet-512kb-2mb-int4_imagenet", 0, 466767552, 3228880, 3262488, 884736, 20808, 2592, 1165.2,
     3367312},
    {"proxyless_mobile", 0, 320427584, 4045016, 4080512, 802816, 26912, 1728, 1091.9, 4191000},
    {"tinytraining-mcunet-5fps-r128", 0, 22613504, 623216, 636232, 163840, 8712, 864, 183.8,
     679280},
    {"tinytraining-mbv2-w0.35-r128", 0, 16758912, 350688, 363208, 229376, 8712, 864, 246.8,
     404768},
    {"tinytraining-proxyless-w0.3-r128", 0, 18715904, 416816, 428648, 131072, 9248, 864, 197.6,
     468144},
    /* rows of the README that are a file at another resolution; reference.yaml */
    {"mbv2-w0.3-r80_imagenet", 64, 4542080, 621776, 634408, 57344, 2312, 864, 0, 676304},
};
enum { ROWS = sizeof rows / sizeof *rows };

static void read_net(const char *name, int resolution, Net *net)
{
    char path[160];
    snprintf(path, sizeof path, "facts/nets/%s.yaml", name);
    Resolution r = {(uint16_t)resolution, (uint16_t)resolution};
    ck_assert_msg(config_net(net, shared_file(path), r) == 0, "%s", error_text());
}

/* mcunetv2-large-se-r224, the blocks of its file: in, mid, out, kernel, stride, width of the SE. */
static void build_mcunetv2_large(Net *net)
{
    static const int block[][6] = {
        {16, 96, 24, 3, 2, 0},    {24, 96, 40, 3, 2, 0},    {40, 240, 40, 5, 1, 10},
        {40, 240, 40, 5, 1, 10},  {40, 120, 40, 3, 1, 10},  {40, 240, 64, 5, 2, 10},
        {64, 256, 64, 5, 1, 16},  {64, 192, 64, 3, 1, 16},  {64, 256, 64, 7, 1, 16},
        {64, 384, 96, 5, 1, 16},  {96, 384, 96, 5, 1, 24},  {96, 288, 96, 5, 1, 24},
        {96, 384, 144, 7, 2, 24}, {144, 576, 144, 3, 1, 36}, {144, 576, 144, 3, 1, 36},
        {144, 576, 240, 5, 1, 0}};
    net_begin(net, 224, 224, 3);
    int at = net_conv(net, NET_IMAGE, 16, square(3), square(2), ACT_RELU6);
    at = net_pointwise(net, at, 16, ACT_NONE);
    for (unsigned i = 0; i < sizeof block / sizeof *block; i++) {
        const int *b = block[i], before = at;
        at = net_pointwise(net, at, b[1], ACT_RELU6);
        at = net_depthwise(net, at, square(b[3]), square(b[4]), ACT_RELU6);
        if (b[5]) {
            int squeezed = net_pointwise(net, net_global_pool(net, at), b[5], ACT_RELU);
            at = net_gate(net, at, net_lookup(net, net_pointwise(net, squeezed, b[1], ACT_NONE)));
        }
        at = net_pointwise(net, at, b[2], ACT_NONE);
        if (b[0] == b[2] && b[4] == 1)
            at = net_add(net, at, before);
    }
    at = net_pointwise(net, at, 384, ACT_RELU6);
    net_dense(net, net_global_pool(net, at), 1000, ACT_NONE);
}

TEST(squeeze_and_excite_is_counted_as_in_mcunetv2_large)
{
    Net net;
    build_mcunetv2_large(&net);
    TinyEngine m = tinyengine_memory(&net, true), apart = tinyengine_memory(&net, false);
    ck_assert_uint_eq(net_macs(&net), 216815264);
    ck_assert_uint_eq(net_weights(&net), 1782200);
    ck_assert_uint_eq(tinyengine_params(&net), 1806448);
    ck_assert_uint_eq(tinyengine_flash(&net), 1918264);
    ck_assert_uint_eq(m.arena, 1404928);
    ck_assert_uint_eq(m.sbuf, 25992);
    ck_assert_uint_eq(m.kbuf, 864);
    ck_assert_double_eq_tol((apart.arena + apart.sbuf + apart.kbuf) / 1024.0, 1507.6, 0.05);
}
END

TEST(released_nets_have_the_published_macs_and_parameters)
{
    SKIP_WITHOUT(shared_file("facts/nets"));
    for (int i = 0; i < ROWS; i++) {
        const Row *r = &rows[i];
        Net net;
        read_net(r->name, r->resolution, &net);
        ck_assert_msg(net_macs(&net) == r->macs, "%s: %llu MACs", r->name,
                      (unsigned long long)net_macs(&net));
        ck_assert_msg(net_weights(&net) == r->weights, "%s: %u weights", r->name,
                      net_weights(&net));
        ck_assert_msg(tinyengine_params(&net) == r->params, "%s: %u parameters", r->name,
                      tinyengine_params(&net));
    }
}
END

TEST(released_nets_take_the_sram_tinyengine_reports)
{
    SKIP_WITHOUT(shared_file("facts/nets"));
    for (int i = 0; i < ROWS; i++) {
        const Row *r = &rows[i];
        Net net;
        read_net(r->name, r->resolution, &net);
        TinyEngine m = tinyengine_memory(&net, true);
        ck_assert_msg(m.arena == r->arena && m.sbuf == r->sbuf && m.kbuf == r->kbuf,
                      "%s: arena %u, sbuf %u, kbuf %u", r->name, m.arena, m.sbuf, m.kbuf);
        ck_assert_uint_eq(tinyengine_peak(&net), r->arena + r->sbuf + r->kbuf);
    }
}
END

TEST(released_nets_take_more_with_depthwise_apart)
{
    SKIP_WITHOUT(shared_file("facts/nets"));
    for (int i = 0; i < ROWS; i++) {
        Net net;
        read_net(rows[i].name, rows[i].resolution, &net);
        TinyEngine m = tinyengine_memory(&net, false);
        double kib = (m.arena + m.sbuf + m.kbuf) / 1024.0;
        if (rows[i].apart > 0)
            ck_assert_msg(fabs(kib - rows[i].apart) <= 0.05001, "%s: %.2f KiB", rows[i].name, kib);
    }
}
END

/* README of TinyEngine, SRAM on an STM32H743, in KiB. */
TEST(peaks_are_the_published_sram_figures)
{
    static const struct {
        const char *name;
        int resolution;
        unsigned kib;
    } published[] = {{"mcunet-10fps_imagenet", 0, 49},     {"mcunet-5fps_imagenet", 0, 96},
                     {"mcunet-256kb-1mb_imagenet", 0, 215}, {"mcunet-320kb-1mb_imagenet", 0, 260},
                     {"mcunet-512kb-2mb_imagenet", 0, 416}, {"mcunet-10fps_vww", 0, 59},
                     {"mcunet-5fps_vww", 0, 92},            {"mcunet-320kb-1mb_vww", 0, 174},
                     {"proxyless-w0.3-r176_imagenet", 0, 259},
                     {"proxyless-w0.3-r176_imagenet", 64, 35}};
    SKIP_WITHOUT(shared_file("facts/nets"));
    for (unsigned i = 0; i < sizeof published / sizeof *published; i++) {
        Net net;
        read_net(published[i].name, published[i].resolution, &net);
        ck_assert_uint_eq((tinyengine_peak(&net) + 512) / 1024, published[i].kib);
    }
}
END

TEST(flash_is_tinyengines_model_size)
{
    SKIP_WITHOUT(shared_file("facts/nets"));
    for (int i = 0; i < ROWS; i++) {
        Net net;
        read_net(rows[i].name, 0, &net);
        ck_assert_uint_eq(tinyengine_flash(&net), rows[i].flash);
    }
}
END

TEST(stage_1_chooses_the_spaces_of_the_published_nets)
{
    static Stage1 s;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        stage1_run(seed, 1000, &s);
        for (int d = 0; d < DEVICES; d++) {
            int want = devices[d].width * RESOLUTIONS + devices[d].resolution;
            ck_assert_msg(stage1_best(&s, d, -1) == want, "%s, seed %d: space %d, not %s",
                          devices[d].name, (int)seed, stage1_best(&s, d, -1),
                          devices[d].published);
        }
    }
}
END

SUITE(tinyengine, an_expanded_block_is_counted_as_by_hand,
      a_quarter_is_left_after_a_depthwise_of_stride_two,
      a_depthwise_leaves_an_input_alone_that_is_read_again,
      arenas_of_random_nets_are_those_of_trying_every_byte,
      squeeze_and_excite_is_counted_as_in_mcunetv2_large,
      released_nets_have_the_published_macs_and_parameters,
      released_nets_take_the_sram_tinyengine_reports, released_nets_take_more_with_depthwise_apart,
      peaks_are_the_published_sram_figures, flash_is_tinyengines_model_size,
      stage_1_chooses_the_spaces_of_the_published_nets)
