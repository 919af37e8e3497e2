#include "nn/workspace.h"

#include "tests/suite.h"

static bool alive_together(const Span *a, const Span *b)
{
    return a->from <= b->to && b->from <= a->to;
}

TEST(buffers_alive_at_once_never_overlap)
{
    Rng rng = rng_make(1, 0);
    for (int round = 0; round < 300; round++) {
        Span span[40];
        int n = 1 + (int)rng_below(&rng, 40);
        for (int i = 0; i < n; i++) {
            int from = (int)rng_below(&rng, 50);
            span[i] = (Span){.floats = rng_below(&rng, 100), .from = from,
                             .to = from + (int)rng_below(&rng, 8)};
        }
        size_t total = spans_place(span, n), peak = 0;
        for (int i = 0; i < n; i++) {
            ck_assert_uint_le(span[i].at + span[i].floats, total);
            for (int j = 0; j < i; j++)
                ck_assert(!alive_together(&span[i], &span[j]) ||
                          span[i].at >= span[j].at + span[j].floats ||
                          span[j].at >= span[i].at + span[i].floats);
        }
        for (int time = 0; time < 60; time++) {
            size_t alive = 0;
            for (int i = 0; i < n; i++)
                alive += span[i].from <= time && time <= span[i].to ? span[i].floats : 0;
            peak = alive > peak ? alive : peak;
        }
        ck_assert_uint_ge(total, peak);
    }
}
END

TEST(a_chain_takes_the_place_of_its_two_largest_neighbours)
{
    Span chain[] = {{.floats = 30, .from = 0, .to = 1}, {.floats = 20, .from = 1, .to = 2},
                    {.floats = 30, .from = 2, .to = 3}, {.floats = 10, .from = 3, .to = 4}};
    ck_assert_uint_eq(spans_place(chain, 4), 50);
    ck_assert_uint_eq(chain[2].at, 0);
}
END

TEST(places_are_taken_in_cache_lines_and_memory_only_grows)
{
    Workspace *ws = workspace_new();
    ck_assert_uint_eq(workspace_take(ws, 1), 0);
    ck_assert_uint_eq(workspace_take(ws, 17), 16);
    ck_assert_uint_eq(workspace_take(ws, 0), 48);
    workspace_reserve(ws);
    const float *block = ws->block;
    ck_assert_uint_eq((uintptr_t)block % 64, 0);
    ck_assert_uint_eq(workspace_take(ws, 48), 0);
    workspace_reserve(ws);
    ck_assert_ptr_eq(ws->block, block);
    ck_assert_uint_eq(ws->floats, 48);
    workspace_free(ws);
}
END

SUITE(workspace, buffers_alive_at_once_never_overlap,
      a_chain_takes_the_place_of_its_two_largest_neighbours,
      places_are_taken_in_cache_lines_and_memory_only_grows)
