/* rng.h - random numbers that repeat.
 *
 * xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64. Whoever needs
 * randomness is given an Rng. Work that is split between threads gives every
 * task its own Rng, made from the run's seed and the task's number, so the
 * result does not depend on who did what. */
#ifndef RNG_H
#define RNG_H

#include <stdint.h>

typedef struct {
    uint64_t s[4];
} Rng;

/* The same (seed, stream) always gives the same sequence; different streams of
 * one seed are independent. Streams of nested work: rng_stream(a, b). */
Rng rng_make(uint64_t seed, uint64_t stream);
uint64_t rng_stream(uint64_t a, uint64_t b);

uint64_t rng_next(Rng *rng);
uint32_t rng_below(Rng *rng, uint32_t n); /* uniform in [0, n), n > 0, unbiased */
double rng_uniform(Rng *rng);             /* [0, 1) */
double rng_normal(Rng *rng);              /* mean 0, deviation 1 */
void rng_shuffle(Rng *rng, int *items, int n);

#endif
