/* MCUNet's stage 1 with TinyEngine's accounting: which of 108 spaces x 1000
 * networks wins for three devices, on three seeds, and how long it takes. */
#include "base/log.h"
#include "tests/stage1.h"

enum { SAMPLES = 1000, NETS = 4000, ROUNDS = 5 };

static void name_of(int pair, char name[16])
{
    double width = (pair / RESOLUTIONS + 2) / 10.0;
    snprintf(name, 16, "w%.1f-r%d", width, 48 + 16 * (pair % RESOLUTIONS));
}

static void show(const Stage1 *s, int device)
{
    char best[16], second[16];
    int b = stage1_best(s, device, -1), r = stage1_best(s, device, b);
    name_of(b, best);
    name_of(r, second);
    printf("  %-15s %s (published %s) mean %.1fM, %.0f %% fit; then %s %.1fM, %.0f %%\n",
           devices[device].name, best, devices[device].published, stage1_mean(s, device, b) * 1e-6,
           100.0 * s->tally[device][b].feasible / s->samples, second,
           stage1_mean(s, device, r) * 1e-6, 100.0 * s->tally[device][r].feasible / s->samples);
}

/* One thread; the least of some rounds: the machine has other things to do. */
static void bench_peak(void)
{
    static Net net[NETS];
    Space space = mcunet_space();
    Rng rng = rng_make(1, 0);
    uint64_t sum = 0; /* printed, so that nothing is left out */
    double least = 1e9;
    for (int i = 0; i < NETS; i++) {
        Genotype g = genotype_sample(&space, i % 9, i / 9 % RESOLUTIONS, &rng);
        genotype_expand(&space, &g, 1000, &net[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        double start = clock_seconds();
        for (int i = 0; i < NETS; i++)
            sum += tinyengine_peak(&net[i]);
        double took = clock_seconds() - start;
        least = took < least ? took : least;
    }
    printf("tinyengine_peak %.2f us a network; mean peak %.0f bytes\n", 1e6 * least / NETS,
           (double)sum / NETS / ROUNDS);
}

int main(void)
{
    bench_peak();
    for (uint64_t seed = 1; seed <= 3; seed++) {
        static Stage1 s;
        double start = clock_seconds();
        stage1_run(seed, SAMPLES, &s);
        printf("stage 1, seed %d: %d x %d networks in %.2f s\n", (int)seed, SPACES, SAMPLES,
               clock_seconds() - start);
        for (int d = 0; d < DEVICES; d++)
            show(&s, d);
    }
    return 0;
}
