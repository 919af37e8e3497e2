/* stage1.h - MCUNet's choice of a search space, re-derived (facts/mcunet.md 1.3, A6).
 *
 * 108 spaces, some networks of each; those count whose TinyEngine peak leaves
 * 32 KiB of SRAM and whose weights and constants leave 64 KiB of flash. The
 * space with the largest mean MACs wins; below one network in twenty it does
 * not count. One sampling serves all devices. */
#ifndef STAGE1_H
#define STAGE1_H

#include "estimator/tinyengine.h"
#include "tests/mcunet_space.h"

enum { DEVICES = 3, SPACES = 108, RESOLUTIONS = 12 };

typedef struct {
    const char *name, *published; /* the space of the net that was released for it */
    uint32_t sram, flash;         /* bytes, reserves taken off */
    int width, resolution;        /* of the published, indices */
} Device;

static const Device devices[DEVICES] = {
    {"256 KiB, 1 MiB", "w0.5-r160", 224 * 1024, 960 * 1024, 3, 7},
    {"320 KiB, 1 MiB", "w0.5-r176", 288 * 1024, 960 * 1024, 3, 8},
    {"512 KiB, 2 MiB", "w1.0-r160", 480 * 1024, 1984 * 1024, 8, 7},
};

typedef struct {
    int feasible;
    double macs; /* sum of the feasible */
} Tally;

typedef struct {
    int samples;
    Tally tally[DEVICES][SPACES]; /* [][width * RESOLUTIONS + resolution] */
} Stage1;

static inline void stage1_count(const Space *space, int pair, uint64_t seed, Stage1 *s)
{
    for (int i = 0; i < s->samples; i++) {
        Net net;
        Rng rng = rng_make(rng_stream(seed, (uint64_t)pair), (uint64_t)i);
        Genotype g = genotype_sample(space, pair / RESOLUTIONS, pair % RESOLUTIONS, &rng);
        genotype_expand(space, &g, 1000, &net);
        uint32_t sram = tinyengine_peak(&net), flash = tinyengine_flash(&net);
        for (int d = 0; d < DEVICES; d++) {
            Tally *tally = &s->tally[d][pair];
            bool fits = sram <= devices[d].sram && flash <= devices[d].flash;
            tally->feasible += fits;
            tally->macs += fits ? (double)net_macs(&net) : 0;
        }
    }
}

static inline void stage1_run(uint64_t seed, int samples, Stage1 *s)
{
    Space space = mcunet_space();
    *s = (Stage1){.samples = samples};
#pragma omp parallel for schedule(dynamic)
    for (int pair = 0; pair < SPACES; pair++)
        stage1_count(&space, pair, seed, s);
}

/* Mean MACs, 0 when too few fit. */
static inline double stage1_mean(const Stage1 *s, int device, int pair)
{
    const Tally *tally = &s->tally[device][pair];
    return tally->feasible * 20 < s->samples ? 0 : tally->macs / tally->feasible;
}

/* The space with the largest mean but for `without` (-1: of all). */
static inline int stage1_best(const Stage1 *s, int device, int without)
{
    int best = -1;
    for (int pair = 0; pair < SPACES; pair++)
        if (pair != without &&
            (best < 0 || stage1_mean(s, device, pair) > stage1_mean(s, device, best)))
            best = pair;
    return best;
}

#endif
