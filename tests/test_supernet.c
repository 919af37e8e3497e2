#include "supernet/supernet.h"

#include "nn/pass.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

static Space example(void)
{
    Space s = {.name = "example", .in_c = 3, .divisor = 8, .n_widths = 1, .n_resolutions = 1,
               .n_stages = 2, .width = {0.5}, .resolution = {{12, 12}}, .head = 40};
    s.stem.channels = 16;
    s.stem.kernel = square(3);
    s.stem.stride = square(1);
    s.first_block.channels = 16;
    s.first_block.kernel = square(3);
    s.first_block.stride = square(1);
    for (int i = 0; i < 2; i++)
        s.stage[i] = (Stage){.channels = i ? 48 : 32, .stride = square(2), .kernel = {3, {3, 5, 7}},
                             .expansion = {4, {1, 2, 3, 4}}, .depth = {3, {1, 2, 3}}};
    return s;
}

/* Parameters and statistics of no special value, statistics positive. */
static void fill(Model *m, Rng *rng)
{
    for (size_t i = 0; i < m->n_params; i++)
        m->params[i] = (float)rng_normal(rng);
    for (size_t i = 0; i < m->n_stats; i++)
        m->stats[i] = (float)(0.5 + rng_uniform(rng));
}

TEST(the_largest_subnet_is_the_shared_network)
{
    Space space = example();
    Supernet s;
    Model m;
    supernet_init(&s, &space, 0, &(Choices){1, {0}}, 5);
    Rng rng = rng_make(1, 0);
    fill(&s.shared, &rng);
    Genotype g = genotype_largest(&space, 0, 0);
    supernet_extract(&s, &g, &m);
    ck_assert_uint_eq(m.n_params, s.shared.n_params);
    ck_assert_uint_eq(model_hash(&m), model_hash(&s.shared));
    model_release(&m);
    supernet_release(&s);
}
END

/* Written from the definition, one weight at a time. */
static float shared_weight(const Model *big, const Layer *small, int o, int y, int x, int i)
{
    for (int n = 0; n < big->net.n_layers; n++) {
        const Layer *b = &big->net.layer[n];
        if (b->stage != small->stage || b->block != small->block || b->role != small->role)
            continue;
        int by = y + (b->kh - small->kh) / 2, bx = x + (b->kw - small->kw) / 2;
        if (b->op == OP_DEPTHWISE)
            return big->layer[n].w[(by * b->kw + bx) * b->in_c + i];
        return big->layer[n].w[((o * b->kh + by) * b->kw + bx) * b->in_c + i];
    }
    return NAN;
}

TEST(a_subnet_has_the_centre_of_kernels_and_the_leading_channels)
{
    Space space = example();
    Supernet s;
    supernet_init(&s, &space, 0, &(Choices){1, {0}}, 5);
    Rng rng = rng_make(2, 0);
    fill(&s.shared, &rng);
    for (int n = 0; n < 30; n++) {
        Genotype g = genotype_sample(&space, 0, 0, &rng);
        Model m;
        supernet_extract(&s, &g, &m);
        for (int l = 0; l < m.net.n_layers; l++) {
            const Layer *layer = &m.net.layer[l];
            bool dw = layer->op == OP_DEPTHWISE;
            if (!op_has_weights((Op)layer->op))
                continue;
            const float *w = m.layer[l].w;
            for (int o = 0; o < (dw ? 1 : layer->out_c); o++)
                for (int y = 0; y < layer->kh; y++)
                    for (int x = 0; x < layer->kw; x++)
                        for (int i = 0; i < layer->in_c; i++)
                            ck_assert(*w++ == shared_weight(&s.shared, layer, o, y, x, i));
        }
        model_release(&m);
    }
    supernet_release(&s);
}
END

static double dot(const Model *a, const Model *b)
{
    double sum = 0;
    for (size_t i = 0; i < a->n_params; i++)
        sum += (double)a->params[i] * (double)b->params[i];
    return sum;
}

/* Extraction is linear in the shared weights, W -> E W, so the gradient goes
 * back by its transpose: <E W, G> = <W, E' G> for any W and G. */
TEST(the_gradient_goes_back_where_the_weights_came_from)
{
    Space space = example();
    Supernet s;
    supernet_init(&s, &space, 0, &(Choices){1, {0}}, 5);
    Rng rng = rng_make(3, 0);
    for (int n = 0; n < 30; n++) {
        Genotype g = genotype_sample(&space, 0, 0, &rng);
        Model m, grad, sum;
        fill(&s.shared, &rng);
        supernet_extract(&s, &g, &m);
        model_init(&grad, &m.net);
        fill(&grad, &rng);
        model_init(&sum, &s.shared.net);
        memset(sum.params, 0, sizeof(float) * sum.n_params);
        supernet_add_gradient(&sum, &grad, 0.5f);
        supernet_add_gradient(&sum, &grad, 0.5f);
        double there = dot(&m, &grad), back = dot(&s.shared, &sum);
        ck_assert_double_eq_tol(there, back, 1e-4 * (1 + fabs(there)));
        model_release(&m);
        model_release(&grad);
        model_release(&sum);
    }
    supernet_release(&s);
}
END

TEST(sorted_channels_descend_and_compute_the_same)
{
    enum { IMAGES = 3, CLASSES = 5 };
    Space space = example();
    Supernet s;
    supernet_init(&s, &space, 0, &(Choices){1, {0}}, CLASSES);
    Rng rng = rng_make(4, 0);
    model_randomise(&s.shared, &rng);
    for (size_t i = 0; i < s.shared.n_stats; i++)
        s.shared.stats[i] = (float)(0.5 + rng_uniform(&rng));
    float images[IMAGES * 12 * 12 * 3], before[IMAGES * CLASSES], after[IMAGES * CLASSES];
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        images[i] = (float)rng_normal(&rng);
    Workspace *ws = workspace_new();
    uint64_t hash = model_hash(&s.shared);
    nn_infer(&s.shared, ws, images, IMAGES, before);
    supernet_sort_channels(&s.shared);
    nn_infer(&s.shared, ws, images, IMAGES, after);
    ck_assert_uint_ne(model_hash(&s.shared), hash);
    for (int i = 0; i < IMAGES * CLASSES; i++)
        ck_assert_float_eq_tol(before[i], after[i], 1e-4f * (1 + fabsf(before[i])));
    for (int l = 0; l < s.shared.net.n_layers; l++) {
        const Layer *p = &s.shared.net.layer[l];
        float last = INFINITY;
        if (p->role != ROLE_PROJECT || s.shared.net.layer[l - 2].role != ROLE_EXPAND)
            continue;
        for (int c = 0; c < p->in_c; c++) {
            float sum = 0;
            for (int o = 0; o < p->out_c; o++)
                sum += fabsf(s.shared.layer[l].w[o * p->in_c + c]);
            ck_assert(sum <= last * (1 + 1e-5f));
            last = sum;
        }
    }
    workspace_free(ws);
    supernet_release(&s);
}
END

SUITE(supernet, the_largest_subnet_is_the_shared_network,
      a_subnet_has_the_centre_of_kernels_and_the_leading_channels,
      the_gradient_goes_back_where_the_weights_came_from,
      sorted_channels_descend_and_compute_the_same)
