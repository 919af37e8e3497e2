#include "supernet/train.h"

#include "base/alloc.h"
#include "nn/pass.h"
#include "tests/suite.h"

#include <malloc.h>
#include <math.h>
#include <string.h>

static Space example(void)
{
    Space s = {.name = "example", .in_c = 3, .divisor = 8, .n_widths = 1, .n_resolutions = 2,
               .n_stages = 1, .width = {1}, .resolution = {{16, 16}, {12, 10}}};
    s.stem.channels = 8;
    s.stem.kernel = square(3);
    s.stem.stride = square(2);
    s.stage[0] = (Stage){.channels = 16, .stride = square(2), .kernel = {2, {3, 5}},
                         .expansion = {2, {2, 3}}, .depth = {2, {1, 2}}};
    return s;
}

static TrainOptions options(int threads)
{
    return (TrainOptions){.epochs = 3, .batch = 32, .shards = 2, .subnets = 3, .rate = 0.05,
                          .warm_up = 0.5, .momentum = 0.9, .weight_decay = 1e-4,
                          .label_smoothing = 0.1, .augment = {.crop = 1, .flip = true}, .seed = 7,
                          .threads = threads};
}

typedef struct {
    Data data, small; /* at 16x16, at 12x10 */
    Dataset sizes[2]; /* of training, small first */
    int index[96];
    Supernet net;
    TrainState state;
} Bench;

static void bench_init(Bench *b, const TrainOptions *o)
{
    DataOptions d = {.format = DATA_SYNTHETIC, .h = 16, .w = 16, .c = 3, .seed = 1, .threads = 2,
                     .synthetic_train = 96, .synthetic_test = 10, .synthetic_classes = 4};
    Space space = example();
    ck_assert_msg(data_open(&b->data, &d) == 0, "%s", error_text());
    d.h = 12, d.w = 10;
    ck_assert_msg(data_open(&b->small, &d) == 0, "%s", error_text());
    b->sizes[0] = b->small.train;
    b->sizes[1] = b->data.train;
    for (int i = 0; i < 96; i++)
        b->index[i] = i;
    supernet_init(&b->net, &space, 0, &(Choices){1, {0}}, 4);
    Rng rng = rng_make(5, 0);
    model_randomise(&b->net.shared, &rng);
    train_state_init(&b->state, &b->net.shared, o, 96);
}

static void bench_release(Bench *b)
{
    train_state_release(&b->state);
    supernet_release(&b->net);
    data_release(&b->data);
    data_release(&b->small);
}

/* Bytes that are allocated now, by whichever allocator counts. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

typedef enum {
    ALONE,
    MIXED,
    TAUGHT,
    AVERAGED,
    PLAIN,
    SANDWICH,
    DISTILL,
    SHRINKING,
    SHRINKING_AVERAGED,
    ELASTIC,
    N_RECIPES
} Recipe;

static TrainOptions recipe_options(Recipe recipe, int threads)
{
    TrainOptions o = options(threads);
    o.mixup = recipe == MIXED || recipe >= SHRINKING ? 0.5 : 0;
    o.average = recipe == AVERAGED || recipe == SHRINKING_AVERAGED ? 1.5 : 0;
    o.teaching = recipe == TAUGHT ? 0.7 : 0;
    o.sandwich = recipe >= SANDWICH;
    o.distill = recipe >= DISTILL;
    if (recipe >= SHRINKING)
        o.shrink = (Shrink){3, {SHRINK_KERNEL, SHRINK_DEPTH, SHRINK_EXPAND}};
    return o;
}

/* On what the recipe trains. */
static const Dataset *data_for(Bench *b, Recipe recipe)
{
    if (recipe != ELASTIC)
        return &b->data.train;
    b->net.resolutions = (Choices){2, {1, 0}};
    return b->sizes;
}

static uint64_t trained(Recipe recipe, int threads)
{
    Bench b;
    TrainOptions o = recipe_options(recipe, threads);
    bench_init(&b, &o);
    Model teacher;
    model_init(&teacher, &b.net.shared.net);
    model_copy(&teacher, &b.net.shared);
    o.teacher = recipe == TAUGHT ? &teacher : NULL;
    ck_assert(train(&b.state, recipe < PLAIN ? NULL : &b.net, data_for(&b, recipe), b.index, 96,
                    &o, NULL));
    uint64_t hash = model_hash(&b.net.shared);
    model_release(&teacher);
    bench_release(&b);
    return hash;
}

TEST(weights_are_the_same_for_any_number_of_threads)
{
    uint64_t one[N_RECIPES];
    for (int recipe = 0; recipe < N_RECIPES; recipe++) {
        one[recipe] = trained(recipe, 1);
        ck_assert_uint_eq(one[recipe], trained(recipe, 2));
        ck_assert_uint_eq(one[recipe], trained(recipe, 3));
        for (int other = 0; other < recipe; other++)
            ck_assert_uint_ne(one[recipe], one[other]);
    }
}
END

/* In the first step, with a checkpoint in the making. */
static bool weigh(void *ctx, const TrainState *t)
{
    size_t size;
    void *saved = train_state_save(t, &size);
    *(size_t *)ctx = allocated();
    free(saved);
    return false;
}

/* As predicted: of one network what is allocated, of subnets no more than that. */
TEST(what_training_allocates_is_what_was_predicted)
{
    for (int recipe = 0; recipe < N_RECIPES; recipe++) {
        Bench b;
        TrainOptions o = recipe_options(recipe, 1);
        size_t taken = 0;
        TrainHooks hooks = {.ctx = &taken, .step = weigh};
        bench_init(&b, &o);
        const Model *m = &b.net.shared;
        const Supernet *supernet = recipe < PLAIN ? NULL : &b.net;
        o.teacher = recipe == TAUGHT ? m : NULL;
        TrainBytes p = train_bytes(&m->net, supernet, NULL, &b.data.train, 96, &o);
        size_t floats = 2 * m->n_params + m->n_stats;
        if (o.average > 0)
            floats += m->n_params + m->n_stats;
        size_t there = floats * sizeof(float), before = allocated();
        train(&b.state, supernet, data_for(&b, recipe), b.index, 96, &o, &hooks);
        double predicted = (double)(p.weights + p.batch + p.workspace - there);
        double share = (double)(taken - before) / predicted;
        ck_assert_msg(share < 1.01 && share > (supernet ? 0.5 : 0.99), "recipe %d: %.4f of %.0f bytes",
                      recipe, share, predicted);
        bench_release(&b);
    }
}
END

static bool stop_soon(void *ctx, const TrainState *t)
{
    return t->step != *(int *)ctx;
}

/* Stopped after so many steps; the rest from a checkpoint. */
static uint64_t trained_in_parts(Recipe recipe, int stop)
{
    Bench b, later;
    size_t size;
    TrainOptions o = recipe_options(recipe, 2);
    TrainHooks hooks = {.ctx = &stop, .step = stop_soon};
    bench_init(&b, &o);
    train(&b.state, recipe < PLAIN ? NULL : &b.net, data_for(&b, recipe), b.index, 96, &o, &hooks);
    void *saved = train_state_save(&b.state, &size);
    bench_release(&b);
    bench_init(&later, &o);
    ck_assert_msg(train_state_load(&later.state, saved, size) == 0, "%s", error_text());
    free(saved);
    ck_assert_int_eq(later.state.step, stop);
    ck_assert(train(&later.state, recipe < PLAIN ? NULL : &later.net, data_for(&later, recipe),
                    later.index, 96, &o, NULL));
    uint64_t hash = model_hash(&later.net.shared);
    bench_release(&later);
    return hash;
}

TEST(a_training_stopped_anywhere_goes_on_as_if_nothing_had_happened)
{
    const Recipe recipes[] = {SHRINKING, AVERAGED, SHRINKING_AVERAGED, ELASTIC};
    for (int i = 0; i < 4; i++) {
        uint64_t whole = trained(recipes[i], 2);
        for (int stop = 1 + i % 2; stop <= 9; stop += 2) /* of 9 steps */
            ck_assert_uint_eq(trained_in_parts(recipes[i], stop), whole);
    }
    ck_assert_uint_eq(trained_in_parts(AVERAGED, 9), trained(AVERAGED, 2));
}
END

/* A slow mean of what a training without one goes through: of the steps so far until they are
 * `wanted`, from there on each weighs a `wanted`-th. */
typedef struct {
    Model mean;
    int wanted;
} Watched;

static bool watch(void *ctx, const TrainState *t)
{
    Watched *w = ctx;
    const Model *m = t->model;
    double share = 1.0 / (double)(t->step < w->wanted ? t->step : w->wanted);
    for (size_t i = 0; i < m->n_params; i++)
        w->mean.params[i] = (float)((1 - share) * w->mean.params[i] + share * m->params[i]);
    for (size_t i = 0; i < m->n_stats; i++)
        w->mean.stats[i] = (float)((1 - share) * w->mean.stats[i] + share * m->stats[i]);
    return true;
}

TEST(an_average_is_of_the_steps_a_training_without_one_makes)
{
    Bench plain, averaged;
    TrainOptions o = options(2);
    Watched w = {.wanted = 6};
    TrainHooks hooks = {.ctx = &w, .step = watch};
    bench_init(&plain, &o);
    model_init(&w.mean, &plain.net.shared.net);
    ck_assert(train(&plain.state, NULL, &plain.data.train, plain.index, 96, &o, &hooks));
    o.average = 2; /* epochs of 3 steps */
    bench_init(&averaged, &o);
    ck_assert(train(&averaged.state, NULL, &averaged.data.train, averaged.index, 96, &o, NULL));
    const Model *m = &averaged.net.shared;
    for (size_t i = 0; i < m->n_params; i++)
        ck_assert_float_eq_tol(m->params[i], w.mean.params[i], 1e-6f);
    for (size_t i = 0; i < m->n_stats; i++)
        ck_assert_float_eq_tol(m->stats[i], w.mean.stats[i], 1e-5f);
    model_release(&w.mean);
    bench_release(&plain);
    bench_release(&averaged);
}
END

static bool stays_near(void *ctx, const TrainState *t)
{
    double *farthest = ctx;
    for (size_t i = 0; i < t->model->n_params; i++)
        *farthest = fmax(*farthest, fabs(t->model->params[i] - t->mean.params[i]));
    return true;
}

TEST(channels_that_are_sorted_are_sorted_in_the_average)
{
    Bench b;
    TrainOptions o = recipe_options(SHRINKING_AVERAGED, 2);
    double farthest = 0;
    TrainHooks hooks = {.ctx = &farthest, .step = stays_near};
    o.rate = 1e-3;
    bench_init(&b, &o);
    ck_assert(train(&b.state, &b.net, &b.data.train, b.index, 96, &o, &hooks));
    ck_assert_msg(farthest > 0 && farthest < 0.1, "%g", farthest); /* weights differ by 1 and more */
    bench_release(&b);
}
END

TEST(a_checkpoint_without_a_mean_is_none_of_a_training_with_one)
{
    Bench without, with;
    TrainOptions o = options(1);
    size_t size;
    bench_init(&without, &o);
    o.average = 1;
    bench_init(&with, &o);
    void *saved = train_state_save(&without.state, &size);
    ck_assert_int_eq(train_state_load(&with.state, saved, size), -1);
    free(saved);
    saved = train_state_save(&with.state, &size);
    ck_assert_int_eq(train_state_load(&without.state, saved, size), -1);
    free(saved);
    bench_release(&without);
    bench_release(&with);
}
END

/* Of one step, whose subnets are the largest and the smallest, at some of the resolutions. */
static uint64_t after_a_step(const Choices *resolutions, const Dataset *sizes, uint64_t seed)
{
    Bench b;
    TrainOptions o = recipe_options(SANDWICH, 1);
    o.epochs = 1, o.batch = 96, o.subnets = 2, o.warm_up = 0, o.seed = seed;
    bench_init(&b, &o);
    b.net.resolutions = *resolutions;
    ck_assert(train(&b.state, &b.net, sizes, b.index, 96, &o, NULL));
    uint64_t hash = model_hash(&b.net.shared);
    bench_release(&b);
    return hash;
}

TEST(a_step_trains_all_its_subnets_at_one_resolution_and_each_has_its_turn)
{
    Bench b;
    TrainOptions o = options(1);
    int turns[2] = {0};
    bench_init(&b, &o);
    for (uint64_t seed = 0; seed < 12; seed++) {
        uint64_t small = after_a_step(&(Choices){1, {1}}, &b.sizes[0], seed);
        uint64_t large = after_a_step(&(Choices){1, {0}}, &b.sizes[1], seed);
        uint64_t drawn = after_a_step(&(Choices){2, {1, 0}}, b.sizes, seed);
        ck_assert_uint_ne(small, large);
        ck_assert(drawn == small || drawn == large);
        turns[drawn == large]++;
    }
    ck_assert(turns[0] > 0 && turns[1] > 0);
    bench_release(&b);
}
END

/* Half of the steps, then, from a checkpoint, the rest; the smallest subnet inside wider ones. */
static void train_in_halves(double share, int threads, Model *out)
{
    Bench b;
    TrainOptions o = options(threads);
    Model m, wide, fresh;
    TrainState t;
    size_t size;
    int half = 4;
    o.netaug = (NetAug){.width = 1.5, .expansion = 2, .share = share};
    bench_init(&b, &o);
    Genotype g = genotype_smallest(&b.net.space, 0, 0);
    Rng rng = rng_make(1, 0);
    supernet_extract(&b.net, &g, &m);
    netaug_widen(&m, &o.netaug, &rng, &wide);
    model_init(&fresh, &wide.net);
    train_state_init(&t, &wide, &o, 96);
    TrainHooks hooks = {.ctx = &half, .step = stop_soon};
    ck_assert(!train_inside(&t, &m.net, &b.data.train, b.index, 96, &o, &hooks));
    void *saved = train_state_save(&t, &size);
    train_state_release(&t);
    train_state_init(&t, &fresh, &o, 96);
    ck_assert_msg(train_state_load(&t, saved, size) == 0, "%s", error_text());
    ck_assert(train_inside(&t, &m.net, &b.data.train, b.index, 96, &o, NULL));
    supernet_slice(&fresh, &m.net, out);
    free(saved);
    train_state_release(&t);
    model_release(&m);
    model_release(&wide);
    model_release(&fresh);
    bench_release(&b);
}

static void train_alone(Model *out)
{
    Bench b;
    TrainOptions o = options(2);
    TrainState t;
    bench_init(&b, &o);
    Genotype g = genotype_smallest(&b.net.space, 0, 0);
    supernet_extract(&b.net, &g, out);
    train_state_init(&t, out, &o, 96);
    ck_assert(train(&t, NULL, &b.data.train, b.index, 96, &o, NULL));
    train_state_release(&t);
    bench_release(&b);
}

TEST(a_network_inside_wider_ones_of_no_weight_learns_as_it_does_alone)
{
    Model alone, inside;
    train_alone(&alone);
    train_in_halves(0, 2, &inside);
    ck_assert(memcmp(alone.params, inside.params, sizeof(float) * alone.n_params) == 0);
    model_release(&alone);
    model_release(&inside);
}
END

TEST(a_network_inside_wider_ones_is_the_same_for_any_number_of_threads)
{
    Model one, three, other;
    train_in_halves(1, 1, &one);
    train_in_halves(1, 3, &three);
    train_in_halves(0.5, 1, &other);
    ck_assert_uint_eq(model_hash(&one), model_hash(&three));
    ck_assert_uint_ne(model_hash(&one), model_hash(&other));
    model_release(&one);
    model_release(&three);
    model_release(&other);
}
END

/* One step by hand: the largest learns the labels, the smallest what the largest says. */
TEST(the_largest_subnet_teaches_the_others)
{
    Bench b;
    TrainOptions o = recipe_options(DISTILL, 2);
    o.epochs = 1, o.batch = 96, o.shards = 1, o.subnets = 2, o.warm_up = 0;
    o.augment = (Augment){0};
    bench_init(&b, &o);
    Genotype g[2] = {genotype_largest(&b.net.space, 0, 0), genotype_smallest(&b.net.space, 0, 0)};
    float *images = xmalloc(sizeof(float) * 96 * 16 * 16 * 3), answers[96 * 4];
    int labels[96];
    Model sum, hand;
    Workspace *ws = workspace_new();
    model_init(&sum, &b.net.shared.net);
    model_init(&hand, &b.net.shared.net);
    memset(sum.params, 0, sizeof(float) * sum.n_params);
    model_copy(&hand, &b.net.shared);
    dataset_batch(&b.data.train, b.index, 96, NULL, NULL, images, labels);
    Lesson lesson[2] = {{images, labels, 96, .label_smoothing = 0.1, .answers = answers},
                        {images, labels, 96, .teacher = answers}};
    for (int i = 0; i < 2; i++) {
        Model m, grad;
        supernet_extract(&b.net, &g[i], &m);
        model_init(&grad, &m.net);
        nn_train_pass(&m, ws, &lesson[i], &grad, NULL);
        supernet_add_gradient(&sum, &grad, 0.5f);
        model_release(&m);
        model_release(&grad);
    }
    float *velocity = xcalloc(hand.n_params, sizeof(float));
    sgd_step(&hand, velocity, &sum, 0.05, 0.9, 1e-4);
    ck_assert(train(&b.state, &b.net, &b.data.train, b.index, 96, &o, NULL));
    for (size_t i = 0; i < hand.n_params; i++) /* the images stand in another order there */
        ck_assert_float_eq_tol(hand.params[i], b.net.shared.params[i], 2e-5f);
    free(velocity);
    free(images);
    workspace_free(ws);
    model_release(&sum);
    model_release(&hand);
    bench_release(&b);
}
END

/* Its classifier alone: whatever it is shown, the teacher is sure of class 2. */
static void make_sure_of_two(Model *m)
{
    int last = m->net.n_layers - 1;
    memset(m->layer[last].w, 0, sizeof(float) * layer_weights(&m->net.layer[last]));
    m->layer[last].bias[2] = 20;
}

TEST(a_network_learns_what_its_teacher_says_as_far_as_it_is_asked)
{
    for (int asked = 0; asked < 2; asked++) {
        Bench b;
        TrainOptions o = options(2);
        Model teacher;
        o.epochs = 20, o.rate = 0.1, o.teaching = asked;
        bench_init(&b, &o);
        model_init(&teacher, &b.net.shared.net);
        make_sure_of_two(&teacher);
        o.teacher = &teacher;
        ck_assert(train(&b.state, NULL, &b.data.train, b.index, 96, &o, NULL));
        float *images = xmalloc(sizeof(float) * 96 * 16 * 16 * 3), logits[96 * 4];
        int labels[96], two[96], correct;
        Workspace *ws = workspace_new();
        for (int i = 0; i < 96; i++)
            two[i] = 2;
        dataset_batch(&b.data.train, b.index, 96, NULL, NULL, images, labels);
        nn_infer(&b.net.shared, ws, images, 96, logits);
        nn_score(logits, two, 96, 4, &correct);
        ck_assert(asked ? correct == 96 : correct < 60);
        workspace_free(ws);
        free(images);
        model_release(&teacher);
        bench_release(&b);
    }
}
END

TEST(a_damaged_checkpoint_is_refused)
{
    Bench b;
    TrainOptions o = options(1);
    size_t size;
    bench_init(&b, &o);
    char *saved = train_state_save(&b.state, &size);
    uint64_t hash = model_hash(&b.net.shared);
    ck_assert_int_eq(train_state_load(&b.state, saved, 10), -1);
    ck_assert_int_eq(train_state_load(&b.state, saved, size - 1), -1);
    saved[size / 2] ^= 1;
    ck_assert_int_eq(train_state_load(&b.state, saved, size), -1);
    saved[size / 2] ^= 1;
    saved[0] ^= 1;
    ck_assert_int_eq(train_state_load(&b.state, saved, size), -1);
    saved[0] ^= 1;
    ck_assert_int_eq(train_state_load(&b.state, saved, size), 0);
    ck_assert_uint_eq(model_hash(&b.net.shared), hash);
    b.state.steps++; /* someone has put more pictures there */
    ck_assert_int_eq(train_state_load(&b.state, saved, size), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "they have changed since"));
    free(saved);
    bench_release(&b);
}
END

typedef struct {
    double first, last;
    int epochs;
} Losses;

static void note_loss(void *ctx, const TrainState *t, int epoch, double loss, double accuracy,
                      double rate)
{
    Losses *l = ctx;
    ck_assert_int_eq(t->seen, 96);
    ck_assert(accuracy >= 0 && accuracy <= 1 && rate >= 0);
    ck_assert_int_eq(epoch, ++l->epochs);
    if (epoch == 1)
        l->first = loss;
    l->last = loss;
}

TEST(the_loss_falls_and_every_image_is_seen_once_an_epoch)
{
    Bench b;
    Losses losses = {0};
    TrainOptions o = options(2);
    o.epochs = 50;
    o.rate = 0.1;
    TrainHooks hooks = {.ctx = &losses, .epoch = note_loss};
    bench_init(&b, &o);
    train(&b.state, NULL, &b.data.train, b.index, 96, &o, &hooks);
    ck_assert_int_eq(losses.epochs, 50);
    ck_assert_msg(losses.last < 0.8 * losses.first, "%g -> %g", losses.first, losses.last);
    bench_release(&b);
}
END

SUITE(train, weights_are_the_same_for_any_number_of_threads,
      what_training_allocates_is_what_was_predicted,
      a_training_stopped_anywhere_goes_on_as_if_nothing_had_happened,
      an_average_is_of_the_steps_a_training_without_one_makes,
      channels_that_are_sorted_are_sorted_in_the_average,
      a_checkpoint_without_a_mean_is_none_of_a_training_with_one,
      a_step_trains_all_its_subnets_at_one_resolution_and_each_has_its_turn,
      a_network_inside_wider_ones_of_no_weight_learns_as_it_does_alone,
      a_network_inside_wider_ones_is_the_same_for_any_number_of_threads,
      the_largest_subnet_teaches_the_others,
      a_network_learns_what_its_teacher_says_as_far_as_it_is_asked, a_damaged_checkpoint_is_refused,
      the_loss_falls_and_every_image_is_seen_once_an_epoch)
