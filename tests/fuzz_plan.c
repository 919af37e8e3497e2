/* fuzz_plan.c - random networks with random plans, and with plans that are made, against
 * layer-by-layer execution, byte for byte.
 *
 *     fuzz_plan [N [SEED]]    N cases, of seeds from SEED (0) on; without N until one fails
 *
 * Even cases have random plans, odd ones made plans. Ends at the first failure, whose seed,
 * network and plan it prints; of a crash only the seed. */
#include "tests/random_plan.h"

#include <signal.h>

static volatile uint64_t running;

static void say_seed(int signal_number)
{
    printf("seed %llu: stopped by signal %d\n", (unsigned long long)running, signal_number);
    fflush(stdout);
    _Exit(1);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : UINT64_MAX;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    signal(SIGABRT, say_seed);
    signal(SIGSEGV, say_seed);
    for (running = first; running - first < n; running++) {
        if (!plan_case(running, running % 2))
            return 1;
        if ((running - first + 1) % 10000 == 0)
            fprintf(stderr, "%llu pairs\n", (unsigned long long)(running - first + 1));
    }
    printf("fuzz_plan %llu pairs, none differs\n", (unsigned long long)n);
    return 0;
}
