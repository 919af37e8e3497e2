#include "supernet/mlp.h"

#include "base/alloc.h"

#include "tests/suite.h"

#include <math.h>
#include <string.h>

enum { INPUTS = 5, HIDDEN = 7, ROWS = 6 };

static void draw(Rng *rng, float *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = (float)rng_normal(rng);
}

/* A forward pass as the definition says it, in double. */
static double slow_answer(const Mlp *m, const float *x)
{
    double in[64], out[64];
    const float *p = m->params;
    for (int i = 0; i < m->width[0]; i++)
        in[i] = (double)x[i];
    for (int l = 0; l < MLP_LAYERS; l++) {
        int k = m->width[l], n = m->width[l + 1];
        for (int i = 0; i < n; i++) {
            out[i] = (double)p[n * k + i];
            for (int j = 0; j < k; j++)
                out[i] += (double)p[i * k + j] * in[j];
            out[i] = l < MLP_LAYERS - 1 ? fmax(out[i], 0) : out[i];
        }
        memcpy(in, out, sizeof in);
        p += n * k + n;
    }
    return out[0];
}

static double slow_loss(const Mlp *m, const Examples *e)
{
    double loss = 0;
    for (int i = 0; i < e->n; i++) {
        double off = slow_answer(m, e->x + i * m->width[0]) - (double)e->y[i];
        loss += off * off / e->n;
    }
    return loss;
}

TEST(answers_and_gradients_are_those_of_the_definition)
{
    Rng rng = rng_make(1, 0);
    Mlp m;
    float x[ROWS * INPUTS], y[ROWS], answer[ROWS];
    Examples e = {x, y, ROWS};
    mlp_init(&m, INPUTS, HIDDEN, &rng);
    draw(&rng, x, ROWS * INPUTS);
    draw(&rng, y, ROWS);
    for (size_t i = 0; i < m.n_params; i++)
        m.params[i] += 0.1F * (float)rng_normal(&rng); /* biases too */
    mlp_pack(&m);
    mlp_answer(&m, x, ROWS, answer);
    for (int i = 0; i < ROWS; i++)
        ck_assert_double_eq_tol((double)answer[i], slow_answer(&m, x + i * INPUTS), 1e-5);
    float *grad = xmalloc(m.n_params * sizeof *grad);
    ck_assert_double_eq_tol(mlp_gradient(&m, &e, grad), slow_loss(&m, &e), 1e-5);
    double size = 0;
    for (size_t i = 0; i < m.n_params; i++) {
        float was = m.params[i], step = 1e-3F;
        m.params[i] = was + step;
        double above = slow_loss(&m, &e);
        m.params[i] = was - step;
        double slope = (above - slow_loss(&m, &e)) / (2 * (double)step);
        m.params[i] = was;
        ck_assert_double_eq_tol((double)grad[i], slope, 2e-3);
        size += fabs(slope);
    }
    ck_assert_double_gt(size, 1);
    free(grad);
    mlp_release(&m);
}
END

/* A bend between two inputs, which no straight line fits. */
TEST(it_learns_what_is_not_linear_and_the_same_twice)
{
    enum { N = 200 };
    static float x[N * 2], y[N];
    float answer[2][N];
    Rng draws = rng_make(2, 0);
    draw(&draws, x, N * 2);
    for (int i = 0; i < N; i++)
        y[i] = fabsf(x[2 * i] - x[2 * i + 1]) - 1;
    for (int turn = 0; turn < 2; turn++) {
        Rng rng = rng_make(3, 0);
        Mlp m;
        mlp_init(&m, 2, 24, &rng);
        mlp_train(&m, &(Examples){x, y, N}, 60, &rng);
        mlp_answer(&m, x, N, answer[turn]);
        mlp_release(&m);
    }
    double error = 0, spread = 0;
    for (int i = 0; i < N; i++) {
        error += pow((double)(answer[0][i] - y[i]), 2) / N;
        spread += pow((double)y[i], 2) / N;
    }
    ck_assert_double_lt(error, 0.05 * spread);
    ck_assert_mem_eq(answer[0], answer[1], sizeof answer[0]);
}
END

SUITE(mlp, answers_and_gradients_are_those_of_the_definition,
      it_learns_what_is_not_linear_and_the_same_twice)
