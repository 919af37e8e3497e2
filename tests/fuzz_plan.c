/* fuzz_plan.c - random networks with random plans, and with plans that are made, against
 * layer-by-layer execution, byte for byte.
 *
 *     fuzz_plan [N [FIRST]]    N cases from seed FIRST (0) on; without N until one fails
 *
 * Ends at the first failure, whose seed, network and plan it prints. */
#include "tests/random_plan.h"

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : UINT64_MAX;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    for (uint64_t i = 0; i < n; i++) {
        if (!plan_case(first + i, i % 2))
            return 1;
        if ((i + 1) % 10000 == 0)
            fprintf(stderr, "%llu pairs\n", (unsigned long long)(i + 1));
    }
    printf("fuzz_plan %llu pairs, none differs\n", (unsigned long long)n);
    return 0;
}
