#include "base/rng.h"

#include <assert.h>
#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_stream(uint64_t a, uint64_t b)
{
    uint64_t state = a;
    state = splitmix(&state) ^ b;
    return splitmix(&state);
}

Rng rng_make(uint64_t seed, uint64_t stream)
{
    Rng rng;
    uint64_t state = rng_stream(seed, stream);
    for (int i = 0; i < 4; i++)
        rng.s[i] = splitmix(&state);
    return rng;
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_next(Rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t rng_below(Rng *rng, uint32_t n)
{
    assert(n > 0);
    uint32_t threshold = -n % n; /* Lemire 2019: reject the few that would bias */
    for (;;) {
        uint64_t m = (rng_next(rng) >> 32) * n;
        if ((uint32_t)m >= threshold)
            return (uint32_t)(m >> 32);
    }
}

double rng_uniform(Rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

double rng_normal(Rng *rng)
{
    double u = 1.0 - rng_uniform(rng), v = rng_uniform(rng); /* Box and Muller 1958 */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void rng_shuffle(Rng *rng, int *items, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)rng_below(rng, (uint32_t)i + 1), t = items[i];
        items[i] = items[j];
        items[j] = t;
    }
}
