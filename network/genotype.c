#include "network/genotype.h"

#include "base/error.h"
#include "base/hash.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Genotype empty(int width, int resolution)
{
    return (Genotype){.width = (uint8_t)width, .resolution = (uint8_t)resolution};
}

static uint8_t draw(const Choices *c, Rng *rng)
{
    return c->value[rng_below(rng, c->n)];
}

static void draw_block(const Stage *stage, Genotype *g, int s, int b, Rng *rng)
{
    g->kernel[s][b] = draw(&stage->kernel, rng);
    g->expansion[s][b] = draw(&stage->expansion, rng);
}

Genotype genotype_sample(const Space *space, int width, int resolution, Rng *rng)
{
    Genotype g = empty(width, resolution);
    for (int s = 0; s < space->n_stages; s++) {
        g.depth[s] = draw(&space->stage[s].depth, rng);
        for (int b = 0; b < g.depth[s]; b++)
            draw_block(&space->stage[s], &g, s, b, rng);
    }
    return g;
}

static uint8_t extreme(const Choices *c, bool largest)
{
    return c->value[largest ? c->n - 1 : 0];
}

static Genotype genotype_extreme(const Space *space, int width, int resolution, bool largest)
{
    Genotype g = empty(width, resolution);
    for (int s = 0; s < space->n_stages; s++) {
        const Stage *stage = &space->stage[s];
        g.depth[s] = extreme(&stage->depth, largest);
        for (int b = 0; b < g.depth[s]; b++) {
            g.kernel[s][b] = extreme(&stage->kernel, largest);
            g.expansion[s][b] = extreme(&stage->expansion, largest);
        }
    }
    return g;
}

Genotype genotype_largest(const Space *space, int width, int resolution)
{
    return genotype_extreme(space, width, resolution, true);
}

Genotype genotype_smallest(const Space *space, int width, int resolution)
{
    return genotype_extreme(space, width, resolution, false);
}

Genotype genotype_mutate(const Space *space, const Choices *resolutions, const Genotype *parent,
                         double probability, Rng *rng)
{
    Genotype g = empty(parent->width, parent->resolution);
    if (resolutions->n > 1 && rng_uniform(rng) < probability)
        g.resolution = draw(resolutions, rng);
    for (int s = 0; s < space->n_stages; s++) {
        const Stage *stage = &space->stage[s];
        g.depth[s] = rng_uniform(rng) < probability ? draw(&stage->depth, rng) : parent->depth[s];
        for (int b = 0; b < g.depth[s]; b++) {
            bool born = b >= parent->depth[s];
            bool k = born || rng_uniform(rng) < probability;
            bool e = born || rng_uniform(rng) < probability;
            g.kernel[s][b] = k ? draw(&stage->kernel, rng) : parent->kernel[s][b];
            g.expansion[s][b] = e ? draw(&stage->expansion, rng) : parent->expansion[s][b];
        }
    }
    return g;
}

Genotype genotype_cross(const Space *space, const Genotype *a, const Genotype *b, Rng *rng)
{
    const Genotype *parent[2] = {a, b};
    Genotype g = empty(a->width, a->resolution);
    if (a->resolution != b->resolution)
        g.resolution = parent[rng_below(rng, 2)]->resolution;
    for (int s = 0; s < space->n_stages; s++) {
        g.depth[s] = parent[rng_below(rng, 2)]->depth[s];
        for (int i = 0; i < g.depth[s]; i++) {
            const Genotype *k = parent[rng_below(rng, 2)], *e = parent[rng_below(rng, 2)];
            const Genotype *deeper = a->depth[s] > b->depth[s] ? a : b;
            g.kernel[s][i] = (i < k->depth[s] ? k : deeper)->kernel[s][i];
            g.expansion[s][i] = (i < e->depth[s] ? e : deeper)->expansion[s][i];
        }
    }
    return g;
}

bool genotype_equal(const Genotype *a, const Genotype *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* bytes only: no padding */
}

uint64_t genotype_hash(const Genotype *g)
{
    return hash_bytes(HASH_START, g, sizeof *g);
}

static bool offered(const Choices *c, int value)
{
    for (int i = 0; i < c->n; i++)
        if (c->value[i] == value)
            return true;
    return false;
}

bool genotype_in_space(const Space *space, const Genotype *g)
{
    Genotype seen = empty(g->width, g->resolution);
    if (g->width >= space->n_widths || g->resolution >= space->n_resolutions)
        return false;
    for (int s = 0; s < space->n_stages; s++) {
        const Stage *stage = &space->stage[s];
        if (!offered(&stage->depth, g->depth[s]))
            return false;
        seen.depth[s] = g->depth[s];
        for (int b = 0; b < g->depth[s]; b++) {
            if (!offered(&stage->kernel, g->kernel[s][b]) ||
                !offered(&stage->expansion, g->expansion[s][b]))
                return false;
            seen.kernel[s][b] = g->kernel[s][b];
            seen.expansion[s][b] = g->expansion[s][b];
        }
    }
    return genotype_equal(&seen, g); /* nothing beyond the depths */
}

void genotype_text(const Space *space, const Genotype *g, char text[GENOTYPE_TEXT])
{
    Resolution r = space->resolution[g->resolution];
    char *p = text, *end = text + GENOTYPE_TEXT;
    p += snprintf(p, (size_t)(end - p), "w%g-r%dx%d", space->width[g->width], r.h, r.w);
    for (int s = 0; s < space->n_stages; s++)
        for (int b = 0; b < g->depth[s]; b++)
            p += snprintf(p, (size_t)(end - p), "%sk%de%d", b ? "," : "/", g->kernel[s][b],
                          g->expansion[s][b]);
    assert(p < end);
}

static int find_width(const Space *space, double width)
{
    for (int i = 0; i < space->n_widths; i++)
        if (width > space->width[i] - 1e-6 && width < space->width[i] + 1e-6)
            return i;
    return -1;
}

static int find_resolution(const Space *space, int h, int w)
{
    for (int i = 0; i < space->n_resolutions; i++)
        if (space->resolution[i].h == h && space->resolution[i].w == w)
            return i;
    return -1;
}

int genotype_parse(const Space *space, const char *text, Genotype *g)
{
    double width;
    int h, w, used = 0;
    if (sscanf(text, "w%lf-r%dx%d%n", &width, &h, &w, &used) != 3)
        return errorf("'%s' is not a genotype: it begins like w0.5-r32x32", text);
    int wi = find_width(space, width), ri = find_resolution(space, h, w);
    if (wi < 0 || ri < 0)
        return errorf("the space '%s' has no width %g at resolution %dx%d", space->name, width, h,
                      w);
    *g = empty(wi, ri);
    const char *p = text + used;
    for (int s = -1; *p;) {
        int k, e;
        if (*p == '/')
            s++;
        if (s < 0 || s >= space->n_stages || (*p != '/' && *p != ',') ||
            sscanf(p + 1, "k%de%d%n", &k, &e, &used) != 2 || g->depth[s] >= SPACE_MAX_DEPTH ||
            k < 0 || k > 255 || e < 0 || e > 255)
            return errorf("'%s' is not a genotype: '%s' is no block", text, p);
        g->kernel[s][g->depth[s]] = (uint8_t)k;
        g->expansion[s][g->depth[s]++] = (uint8_t)e;
        p += 1 + used;
    }
    return genotype_in_space(space, g)
               ? 0
               : errorf("'%s' is not a network of the space '%s'", text, space->name);
}

static int scaled(const Space *space, const Genotype *g, int channels)
{
    return make_divisible(channels * space->width[g->width], space->divisor);
}

static int expand_stage(const Space *space, const Genotype *g, int s, int at, Net *net)
{
    const Stage *stage = &space->stage[s];
    for (int b = 0; b < g->depth[s]; b++) {
        int in_c = net->layer[at].out_c, out_c = scaled(space, g, stage->channels);
        Size2 stride = b == 0 ? stage->stride : square(1);
        int e = g->expansion[s][b];
        BlockShape shape = {.mid = make_divisible(in_c * e, space->divisor),
                            .out_c = out_c,
                            .kernel = square(g->kernel[s][b]),
                            .stride = stride,
                            .expands = e > 1,
                            .residual = in_c == out_c && stride.h == 1 && stride.w == 1,
                            .stage = s + 1,
                            .block = b};
        at = net_block(net, at, &shape);
    }
    return at;
}

void genotype_expand(const Space *space, const Genotype *g, int n_classes, Net *net)
{
    Resolution r = space->resolution[g->resolution];
    net_begin(net, r.h, r.w, space->in_c);
    int at = net_conv(net, NET_IMAGE, scaled(space, g, space->stem.channels), space->stem.kernel,
                      space->stem.stride, ACT_RELU6);
    net->layer[at].role = ROLE_STEM;
    if (space->first_block.channels) { /* no expansion, no residual (MCUNet App. D) */
        BlockShape first = {.mid = net->layer[at].out_c,
                            .out_c = scaled(space, g, space->first_block.channels),
                            .kernel = space->first_block.kernel,
                            .stride = space->first_block.stride};
        at = net_block(net, at, &first);
    }
    for (int s = 0; s < space->n_stages; s++)
        at = expand_stage(space, g, s, at, net);
    if (space->head) { /* MobileNetV2's rule: a narrow network keeps the full head */
        double width = space->width[g->width];
        at = net_pointwise(net, at,
                           make_divisible(space->head * (width > 1 ? width : 1), space->divisor),
                           ACT_RELU6);
        net->layer[at].role = ROLE_HEAD;
    }
    at = net_global_pool(net, at);
    net->layer[at].role = ROLE_POOL;
    at = net_dense(net, at, n_classes, ACT_NONE);
    net->layer[at].role = ROLE_CLASSIFIER;
}
