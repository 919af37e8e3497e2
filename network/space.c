#include "network/space.h"

#include "base/error.h"
#include "network/genotype.h"

#include <assert.h>
#include <math.h>

int make_divisible(double channels, int divisor)
{
    int rounded = (int)(channels + divisor / 2.0) / divisor * divisor;
    if (rounded < divisor)
        rounded = divisor;
    return rounded < 0.9 * channels ? rounded + divisor : rounded;
}

int space_pixels(const Space *space, int resolution)
{
    return space->resolution[resolution].h * space->resolution[resolution].w;
}

/* Of those whose bits are set, or -1; of equally near ones the smaller. */
static int nearest(const Space *space, int resolution, unsigned open)
{
    double wanted = log(space_pixels(space, resolution)), least = INFINITY;
    int best = -1;
    for (int r = 0; r < space->n_resolutions; r++) {
        double away = fabs(log(space_pixels(space, r)) - wanted);
        if (open >> r & 1 && (away < least || (away == least && space_pixels(space, r) <
                                                                    space_pixels(space, best)))) {
            least = away;
            best = r;
        }
    }
    return best;
}

static void insert(const Space *space, Choices *c, int resolution)
{
    int at = c->n++;
    for (; at > 0 && space_pixels(space, c->value[at - 1]) > space_pixels(space, resolution); at--)
        c->value[at] = c->value[at - 1];
    c->value[at] = (uint8_t)resolution;
}

Choices space_near(const Space *space, int resolution, int n, unsigned open)
{
    Choices near = {.n = 0};
    assert(n > 0 && n <= SPACE_MAX_CHOICES);
    for (int r = resolution; r >= 0 && near.n < n; r = nearest(space, resolution, open)) {
        insert(space, &near, r);
        open &= ~(1U << r);
    }
    return near;
}

static int layers_of_largest(const Space *space)
{
    int n = 1 + (space->first_block.channels ? 3 : 0) + (space->head ? 1 : 0) + 2;
    for (int s = 0; s < space->n_stages; s++)
        n += 4 * space->stage[s].depth.value[space->stage[s].depth.n - 1];
    return n;
}

static int check_choices(const Choices *c, int stage, const char *what, int most)
{
    if (c->n == 0)
        return errorf("stage %d has no choice of %s", stage + 1, what);
    for (int i = 0; i < c->n; i++)
        if (c->value[i] == 0 || c->value[i] > most || (i > 0 && c->value[i] <= c->value[i - 1]))
            return errorf("stage %d: the choices of %s must ascend from 1 to at most %d", stage + 1,
                          what, most);
    return 0;
}

int space_check(const Space *space)
{
    if (!space->n_widths || !space->n_resolutions || !space->n_stages)
        return errorf("the space '%s' needs at least one width, one resolution and one stage",
                      space->name);
    for (int s = 0; s < space->n_stages; s++) {
        const Stage *stage = &space->stage[s];
        if (check_choices(&stage->kernel, s, "kernels", 15) != 0 ||
            check_choices(&stage->expansion, s, "expansions", 16) != 0 ||
            check_choices(&stage->depth, s, "depths", SPACE_MAX_DEPTH) != 0)
            return -1;
        for (int i = 0; i < stage->kernel.n; i++)
            if (stage->kernel.value[i] % 2 == 0)
                return errorf("stage %d: kernels are odd (the smaller is the larger's centre)",
                              s + 1);
    }
    if (layers_of_largest(space) > NET_MAX_LAYERS)
        return errorf("the largest network of the space '%s' has more than %d layers", space->name,
                      NET_MAX_LAYERS);
    for (int w = 0; w < space->n_widths; w++) {
        for (int r = 0; r < space->n_resolutions; r++) {
            Net net;
            Genotype g = genotype_largest(space, w, r);
            genotype_expand(space, &g, 2, &net);
            if (net_check(&net) != 0)
                return -1;
        }
    }
    return 0;
}
