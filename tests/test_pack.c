#include "estimator/pack.h"

#include "base/rng.h"
#include "tests/suite.h"

#include <string.h>

enum { ALIGN = 4 };

static uint32_t draw(Rng *rng, uint32_t n)
{
    return rng_below(rng, n);
}

/* Lifetimes follow from who reads what; sizes 4 .. 4 * most. */
static void random_problem(Packing *p, int n_layers, uint32_t most, Rng *rng)
{
    memset(p, 0, sizeof *p);
    p->n_layers = n_layers;
    p->align = ALIGN;
    p->bytes[0] = ALIGN * (1 + draw(rng, most));
    for (int i = 0; i < n_layers; i++) {
        PackLayer *l = &p->layer[i];
        int newest = i, older = draw(rng, 4) ? i : (int)draw(rng, (uint32_t)i + 1);
        bool add = draw(rng, 3) == 0 && p->bytes[older] == p->bytes[newest];
        l->input[0] = (uint8_t)newest;
        l->input[1] = (uint8_t)(add ? older : newest);
        l->scratch = draw(rng, 2) ? ALIGN * draw(rng, most / 2 + 1) : 0;
        p->bytes[1 + i] = add ? p->bytes[newest] : ALIGN * (1 + draw(rng, most));
        l->overlap = add ? PACK_SAME : PACK_APART;
        if (!add && draw(rng, 2)) { /* at least what the longer output sticks out */
            uint32_t out = p->bytes[1 + i], in = p->bytes[newest];
            uint32_t least = out > in ? out - in : ALIGN;
            l->overlap = least + ALIGN * draw(rng, (out - least) / ALIGN + 1);
        }
        if (draw(rng, 4) == 0)
            l->overlap = PACK_APART;
        p->last[1 + i] = p->last[l->input[0]] = p->last[l->input[1]] = (uint8_t)i;
    }
}

static int first_of(int tensor)
{
    return tensor ? tensor - 1 : 0;
}

static bool is_dying_input(const Packing *p, int tensor, int layer)
{
    const PackLayer *l = &p->layer[layer];
    return (tensor == l->input[0] || tensor == l->input[1]) && p->last[tensor] == layer;
}

static bool apart(uint32_t a, uint32_t a_bytes, uint32_t b, uint32_t b_bytes)
{
    return a + a_bytes <= b || b + b_bytes <= a;
}

/* a was born before b, and both are alive when b is. */
static bool may_lie_so(const Packing *p, int a, uint32_t at_a, int b, uint32_t at_b)
{
    uint32_t overlap = p->layer[b - 1].overlap;
    if (apart(at_a, p->bytes[a], at_b, p->bytes[b]))
        return true;
    if (overlap == PACK_APART || !is_dying_input(p, a, b - 1))
        return false;
    return overlap == PACK_SAME ? at_a == at_b : at_b + overlap <= at_a;
}

static bool scratch_fits(const Packing *p, int layer, const uint32_t *offset, uint32_t at)
{
    for (int t = 0; t <= 1 + layer; t++)
        if (p->last[t] >= layer && !apart(offset[t], p->bytes[t], at, p->layer[layer].scratch))
            return false;
    return true;
}

TEST(whatever_is_alive_together_lies_apart_or_overlaps_as_allowed)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 3000; i++) {
        Packing p;
        random_problem(&p, 1 + (int)draw(&rng, 30), 1 + draw(&rng, 40), &rng);
        pack_tensors(&p);
        ck_assert_uint_ge(p.capacity, p.least);
        for (int b = 1; b <= p.n_layers; b++) {
            ck_assert_uint_eq(p.offset[b] % ALIGN, 0);
            ck_assert_uint_le(p.offset[b] + p.bytes[b], p.capacity);
            for (int a = 0; a < b; a++)
                ck_assert(p.last[a] < first_of(b) ||
                          may_lie_so(&p, a, p.offset[a], b, p.offset[b]));
            uint32_t at = p.scratch_offset[b - 1], bytes = p.layer[b - 1].scratch;
            ck_assert(bytes == 0 || scratch_fits(&p, b - 1, p.offset, at));
            ck_assert_uint_le(at + bytes, p.capacity);
        }
    }
}
END

/* Every offset of every tensor. */
static bool fits_somehow(const Packing *p, int tensor, uint32_t capacity, uint32_t *offset)
{
    if (tensor > p->n_layers)
        return true;
    for (uint32_t at = 0; at + p->bytes[tensor] <= capacity; at += ALIGN) {
        bool right = true;
        for (int a = 0; a < tensor && right; a++)
            right = p->last[a] < first_of(tensor) || may_lie_so(p, a, offset[a], tensor, at);
        offset[tensor] = at;
        uint32_t bytes = tensor ? p->layer[tensor - 1].scratch : 0;
        bool scratch = bytes == 0;
        for (uint32_t s = 0; right && !scratch && s + bytes <= capacity; s += ALIGN)
            scratch = scratch_fits(p, tensor - 1, offset, s);
        if (right && scratch && fits_somehow(p, tensor + 1, capacity, offset))
            return true;
    }
    return false;
}

/* The rest is mostly chains of overlaps, each a little longer than what it saves. */
TEST(hardly_ever_is_there_a_smaller_arena)
{
    enum { N = 1500 };
    Rng rng = rng_make(2, 0);
    int smaller = 0, above_least = 0;
    for (int i = 0; i < N; i++) {
        Packing p;
        uint32_t offset[PACK_TENSORS];
        random_problem(&p, 1 + (int)draw(&rng, 6), 6, &rng);
        pack_tensors(&p);
        ck_assert(p.least == ALIGN || !fits_somehow(&p, 0, p.least - ALIGN, offset));
        if (p.capacity > p.least) {
            above_least++;
            smaller += fits_somehow(&p, 0, p.capacity - ALIGN, offset);
        }
    }
    printf("of %d: %d above the bound, %d of them needlessly\n", N, above_least, smaller);
    ck_assert_int_le(smaller, N / 100);
}
END

SUITE(pack, whatever_is_alive_together_lies_apart_or_overlaps_as_allowed,
      hardly_ever_is_there_a_smaller_arena)
