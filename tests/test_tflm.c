#include "estimator/tflm.h"

#include "config/config.h"
#include "tests/known_nets.h"
#include "tests/mcunet_space.h"
#include "tests/suite.h"

static bool meet(const TflmBuffer *a, const TflmBuffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static uint32_t up(uint32_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

/* ---- by hand ------------------------------------------------------------------------------ */

TEST(the_largest_is_placed_first_and_each_in_the_first_gap)
{
    TflmBuffer b[] = {{64, 0, 0, 0}, {48, 0, 1, 0}, {96, 1, 2, 0}, {16, 2, 3, 0}, {32, 3, 3, 0}};
    /* 96 at 0; 64 at 0; 48 above both, at 96; 32 at 0; 16 meets 96 and 32: at 96 */
    ck_assert_uint_eq(tflm_plan(b, 5), 144);
    ck_assert_uint_eq(b[2].offset, 0);
    ck_assert_uint_eq(b[0].offset, 0);
    ck_assert_uint_eq(b[1].offset, 96);
    ck_assert_uint_eq(b[4].offset, 0);
    ck_assert_uint_eq(b[3].offset, 96);
}
END

TEST(of_equals_the_later_comes_first)
{
    TflmBuffer b[] = {{32, 0, 1, 0}, {32, 1, 2, 0}, {30, 2, 3, 0}}; /* 30 is 32 as well */
    ck_assert_uint_eq(tflm_plan(b, 3), 64);
    ck_assert_uint_eq(b[2].offset, 0);
    ck_assert_uint_eq(b[1].offset, 32);
    ck_assert_uint_eq(b[0].offset, 0);
}
END

TEST(a_gap_that_fits_exactly_is_taken)
{
    TflmBuffer b[] = {{80, 0, 0, 0}, {64, 0, 1, 0}, {48, 1, 1, 0}, {1, 0, 2, 0}, {20, 1, 2, 0}};
    /* 80 at 0, 64 at 80, 48 at 0, 20 (as 32) in [48, 80), 1 above all it meets */
    ck_assert_uint_eq(tflm_plan(b, 5), 160);
    ck_assert_uint_eq(b[1].offset, 80);
    ck_assert_uint_eq(b[2].offset, 0);
    ck_assert_uint_eq(b[4].offset, 48);
    ck_assert_uint_eq(b[3].offset, 144);
}
END

/* ---- against the slow and obvious --------------------------------------------------------- */

static bool free_at(const TflmBuffer *b, const bool *placed, int n, int k, uint32_t offset)
{
    for (int i = 0; i < n; i++)
        if (placed[i] && meet(&b[i], &b[k]) && b[i].offset < offset + up(b[k].bytes) &&
            offset < b[i].offset + up(b[i].bytes))
            return false;
    return true;
}

/* The next is found by asking all, its place by trying every 16 bytes. */
static uint32_t plan_slowly(TflmBuffer *b, int n)
{
    bool placed[64] = {false};
    uint32_t arena = 0;
    for (int turn = 0; turn < n; turn++) {
        int next = -1;
        for (int i = 0; i < n; i++)
            if (!placed[i] && (next < 0 || up(b[i].bytes) >= up(b[next].bytes)))
                next = i;
        uint32_t offset = 0;
        while (!free_at(b, placed, n, next, offset))
            offset += 16;
        b[next].offset = offset;
        placed[next] = true;
        arena = offset + up(b[next].bytes) > arena ? offset + up(b[next].bytes) : arena;
    }
    return arena;
}

TEST(random_buffers_lie_where_trying_every_place_puts_them)
{
    Rng rng = rng_make(11, 0);
    for (int round = 0; round < 1000; round++) {
        TflmBuffer b[64], slow[64];
        int n = draw(&rng, 1, 64), sizes = draw(&rng, 1, 30) * 16;
        for (int i = 0; i < n; i++) {
            int first = draw(&rng, 0, 30);
            b[i] = (TflmBuffer){(uint32_t)draw(&rng, 1, sizes), (uint16_t)first,
                                (uint16_t)(first + draw(&rng, 0, 6)), 0};
            slow[i] = b[i];
        }
        ck_assert_uint_eq(tflm_plan(b, n), plan_slowly(slow, n));
        for (int i = 0; i < n; i++)
            ck_assert_uint_eq(b[i].offset, slow[i].offset);
    }
}
END

TEST(no_arena_is_smaller_than_what_is_alive)
{
    Rng rng = rng_make(12, 0);
    for (int i = 0; i < 500; i++) {
        Net net;
        TensorGraph g;
        random_net(&net, &rng);
        tensor_graph_of_net(&net, &g);
        ck_assert_uint_ge(tflm_arena(&g), tensor_graph_live(&g, SHARE_NOTHING));
    }
}
END

/* ---- facts: ../shared/facts/reference.yaml, f_tflm --------------------------------------- */

static uint32_t arena_of(const Net *net)
{
    TensorGraph g;
    tensor_graph_of_net(net, &g);
    return tflm_arena(&g);
}

TEST(known_models_have_the_arenas_of_the_reference)
{
    Net net;
    build_mobilenet_v1(&net);
    ck_assert_uint_eq(arena_of(&net), 73728);
    build_ds_cnn(&net);
    ck_assert_uint_eq(arena_of(&net), 16000);
    build_resnet8(&net);
    ck_assert_uint_eq(arena_of(&net), 49152);
    build_autoencoder(&net);
    ck_assert_uint_eq(arena_of(&net), 768);
    build_micro_speech(&net);
    ck_assert_uint_eq(arena_of(&net), 5968);
}
END

TEST(mcunet_vww1_has_the_arena_of_the_reference)
{
    Net net;
    const char *path = shared_file("facts/nets/mcunet-5fps_vww.yaml");
    SKIP_WITHOUT(path);
    ck_assert_msg(config_net(&net, path, (Resolution){0}) == 0, "%s", error_text());
    ck_assert_uint_eq(arena_of(&net), 96000);
}
END

SUITE(tflm, the_largest_is_placed_first_and_each_in_the_first_gap, of_equals_the_later_comes_first,
      a_gap_that_fits_exactly_is_taken, random_buffers_lie_where_trying_every_place_puts_them,
      no_arena_is_smaller_than_what_is_alive, known_models_have_the_arenas_of_the_reference,
      mcunet_vww1_has_the_arena_of_the_reference)
