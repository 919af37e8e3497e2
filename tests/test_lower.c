#include "evaluator/host.h"
#include "tests/int8_nets.h"
#include "tests/suite.h"

static const PlanOptions layerwise = {.policy = POLICY_LAYERWISE, .small = true};
static const PlanOptions inplace = {.policy = POLICY_INPLACE, .small = true};

/* A random net, quantised, run both ways. */
static void check_net(const Net *net, Rng *rng, Policy policy, bool image_outside)
{
    const PlanOptions options = {.policy = (uint8_t)policy, .image_outside = image_outside,
                                 .small = rng_below(rng, 3) == 0};
    QModel q;
    Plan plan;
    uint32_t touched, bytes = net_tensor_bytes(net, net->n_layers - 1);
    int8_t *image = random_image(net, rng), *output = xmalloc(bytes);
    ck_assert_msg(random_qmodel(&q, net, image, rng) == 0, "%s", error_text());
    plan_make(net, &options, &plan);
    ck_assert_msg(host_run(&q, &plan, image, output, &touched) == 0, "%s", error_text());
    int8_t **expected = int8_run(&q, image);
    ck_assert(memcmp(output, expected[net->n_layers], bytes) == 0);
    ck_assert_uint_eq(touched, plan.arena);
    int8_free(net, expected);
    qmodel_release(&q);
    free(output);
    free(image);
}

TEST(random_nets_run_as_the_slow_interpreter_says_in_exactly_the_planned_bytes)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 1000; i++) {
        Net net;
        random_net(&net, &rng);
        ck_assert_msg(net_check(&net) == 0, "%s", error_text());
        for (int policy = 0; policy < N_POLICIES; policy++)
            check_net(&net, &rng, (Policy)policy, i % 2);
    }
}
END

/* MCUNet's kind of net, larger than the random ones. */
TEST(a_chain_of_blocks_runs_as_the_slow_interpreter_says)
{
    Rng rng = rng_make(2, 0);
    Net net;
    net_begin(&net, 21, 30, 3);
    int at = net_conv(&net, NET_IMAGE, 8, square(3), square(2), ACT_RELU6);
    for (int b = 0; b < 6; b++) {
        BlockShape block = {.mid = 8 + 24, .out_c = b < 3 ? 8 : 16, .expands = true,
                            .kernel = square(3 + 2 * (b % 3)), .stride = square(b == 3 ? 2 : 1),
                            .residual = b != 3, .stage = b / 3, .block = b % 3};
        at = net_block(&net, at, &block);
    }
    net_dense(&net, net_global_pool(&net, at), 10, ACT_NONE);
    for (int policy = 0; policy < 2 * N_POLICIES; policy++)
        check_net(&net, &rng, (Policy)(policy % N_POLICIES), policy >= N_POLICIES);
}
END

/* Rings of k rows and a delay line, planned by hand: conv, depthwise, pointwise and the
 * add of the conv's output stream through one segment; then the pool. */
static Plan streamed(const Net *net)
{
    static const uint16_t ring[] = {9, 4, 1, 1}; /* of the image all, of the conv 3 and one late */
    Plan p;
    uint32_t at = 0;
    plan_make(net, &layerwise, &p);
    for (int t = 0; t < 4; t++) {
        p.tensor[t].rows = ring[t];
        p.tensor[t].bytes = ring[t] * p.tensor[t].row_bytes;
    }
    for (int t = 0; t <= net->n_layers; t++) {
        p.tensor[t].offset = at;
        at += (p.tensor[t].bytes + 3) / 4 * 4;
    }
    p.arena = at;
    p.n_segments = 2;
    p.segment[0] = (PlanSegment){.first = 0, .n = 4, .rows = 1, .columns = 1};
    p.segment[1] = (PlanSegment){.first = 4, .n = 1, .rows = 1, .columns = 1};
    return p;
}

TEST(a_segment_of_several_layers_streams_through_rings)
{
    Rng rng = rng_make(3, 0);
    Net net;
    net_begin(&net, 9, 7, 3);
    int conv = net_conv(&net, NET_IMAGE, 8, square(3), square(1), ACT_RELU);
    int at = net_depthwise(&net, conv, square(3), square(1), ACT_RELU6);
    at = net_add(&net, net_pointwise(&net, at, 8, ACT_NONE), conv);
    net_global_pool(&net, at);
    Plan plan = streamed(&net);
    QModel q;
    uint32_t touched;
    int8_t output[8], *image = random_image(&net, &rng);
    ck_assert(random_qmodel(&q, &net, image, &rng) == 0);
    ck_assert_msg(host_run(&q, &plan, image, output, &touched) == 0, "%s", error_text());
    int8_t **expected = int8_run(&q, image);
    ck_assert(memcmp(output, expected[net.n_layers], sizeof output) == 0);
    int8_free(&net, expected);
    qmodel_release(&q);
    free(image);
}
END

TEST(a_1x1_layer_and_an_add_on_whole_tensors_are_one_row)
{
    Net net;
    Plan plan;
    QModel q;
    Lowered lowered;
    net_begin(&net, 6, 5, 4);
    int a = net_pointwise(&net, NET_IMAGE, 4, ACT_RELU);
    int b = net_pointwise(&net, a, 4, ACT_RELU);
    net_conv(&net, net_add(&net, b, a), 2, square(1), square(1), ACT_NONE);
    qmodel_init(&q, &net);
    plan_make(&net, &inplace, &plan);
    ck_assert(lower(&q, &plan, &lowered) == 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(lowered.op[i].in_h, 1);
        ck_assert_int_eq(lowered.op[i].in_w, 30);
        ck_assert_int_eq(lowered.op[i].out_h, 1);
        ck_assert_int_eq(lowered.op[i].out_w, 30);
    }
    ck_assert_int_eq(lowered.op[3].out_h, 6);
    ck_assert_int_eq(lowered.model.n_ops, 4);
    ck_assert_int_eq(lowered.model.n_tensors, 5);
    ck_assert_uint_eq(lowered.model.arena_bytes, plan.arena);
    lowered_release(&lowered);
    qmodel_release(&q);
}
END

/* One segment over all layers, everything apart and whole, to be changed by hand. */
static Plan one_segment(const Net *net)
{
    Plan p;
    plan_make(net, &layerwise, &p);
    p.n_segments = 1;
    p.segment[0] = (PlanSegment){.first = 0, .n = (uint8_t)net->n_layers, .rows = 1, .columns = 1};
    return p;
}

static Lowered lower_plan(const Net *net, const Plan *plan, QModel *q)
{
    Lowered lowered;
    qmodel_init(q, net);
    ck_assert_msg(lower(q, plan, &lowered) == 0, "%s", error_text());
    return lowered;
}

static void end(Lowered *lowered, QModel *q)
{
    lowered_release(lowered);
    qmodel_release(q);
}

/* A 3x3 layer in strips of columns 0 to 3 and 4 to 7 needs columns 0 to 4 and 3 to 7: padded at
 * the image's border alone. */
TEST(a_strip_is_a_view_padded_at_the_border_of_the_image)
{
    Net net;
    QModel q;
    net_begin(&net, 6, 8, 2);
    net_conv(&net, NET_IMAGE, 3, square(3), square(1), ACT_NONE);
    Plan plan = one_segment(&net);
    plan.segment[0].columns = 2;
    Lowered t = lower_plan(&net, &plan, &q);
    uint32_t image = plan.tensor[0].offset, out = plan.tensor[1].offset;
    ck_assert_int_eq(t.model.n_segments, 2);
    ck_assert_int_eq(t.model.n_tensors, 2 + 2 * 2);
    for (int strip = 0; strip < 2; strip++) {
        const TbOp *op = &t.op[strip];
        const TbTensor *in = &t.tensor[op->input];
        ck_assert_uint_eq(in->offset, image + (strip ? 3 * 2 : 0));
        ck_assert_uint_eq(in->row_bytes, 8 * 2);
        ck_assert_int_eq(in->rows, 6);
        ck_assert_int_eq(op->in_w, 5);
        ck_assert_int_eq(op->pad_left, strip ? 0 : 1);
        ck_assert_int_eq(op->pad_top, 1);
        ck_assert_int_eq(op->out_w, 4);
        ck_assert_uint_eq(t.tensor[op->output].offset, out + (strip ? 4 * 3 : 0));
        ck_assert_uint_eq(t.tensor[op->output].row_bytes, 8 * 3);
    }
    ck_assert_int_eq(t.output, 1); /* all of it, not the last strip */
    end(&t, &q);
}
END

/* The second strip of the skip's ring begins one column before what the add makes. */
TEST(an_add_reads_the_wider_ring_of_its_skip_from_a_later_column)
{
    Net net;
    QModel q;
    net_begin(&net, 6, 8, 2);
    int skip = net_pointwise(&net, NET_IMAGE, 4, ACT_NONE);
    net_add(&net, net_depthwise(&net, skip, square(3), square(1), ACT_NONE), skip);
    Plan plan = one_segment(&net);
    plan.segment[0].columns = 2;
    plan.tensor[1].rows = 3;
    Lowered t = lower_plan(&net, &plan, &q);
    ck_assert_int_eq(t.model.n_tensors, 4 + 2 * 4 + 1);
    const TbOp *add = &t.op[2], *later = &t.op[5];
    const TbTensor *ring = &t.tensor[t.op[3].output], *in2 = &t.tensor[later->input2];
    ck_assert_int_eq(add->input2, t.op[0].output); /* the first strip begins where they all do */
    ck_assert_uint_eq(ring->row_bytes, 5 * 4);
    ck_assert_uint_eq(in2->offset, ring->offset + 4);
    ck_assert_uint_eq(in2->row_bytes, 5 * 4);
    ck_assert_int_eq(in2->rows, 3);
    ck_assert_int_eq(later->back, 1);
    ck_assert_int_eq(later->back2, 2);
    end(&t, &q);
}
END

/* Layers of a patch stand alone; what they need of the rows is cut off too. */
TEST(a_patch_is_a_segment_a_layer)
{
    Net net;
    QModel q;
    net_begin(&net, 8, 8, 1);
    int at = net_conv(&net, NET_IMAGE, 2, square(3), square(1), ACT_NONE);
    net_depthwise(&net, at, square(3), square(2), ACT_NONE); /* 4 x 4 */
    Plan plan = one_segment(&net);
    plan.segment[0].rows = plan.segment[0].columns = 2;
    plan.segment[0].tiled = true;
    plan.tensor[1].rows = 5; /* of 2 outputs: rows 3 to 7 */
    Lowered t = lower_plan(&net, &plan, &q);
    ck_assert_int_eq(t.model.n_segments, 4 * 2);
    const TbOp *conv = &t.op[6], *depthwise = &t.op[7]; /* of the last patch */
    ck_assert_int_eq(conv->in_h, 6); /* rows 2 to 7 for rows 3 to 7 */
    ck_assert_int_eq(conv->in_w, 6);
    ck_assert_int_eq(conv->pad_top + conv->pad_left, 0);
    ck_assert_int_eq(conv->out_h, 5);
    ck_assert_uint_eq(t.tensor[conv->input].offset, plan.tensor[0].offset + 2 * 8 + 2);
    ck_assert_uint_eq(t.tensor[conv->output].row_bytes, 5 * 2);
    ck_assert_int_eq(depthwise->back, 0);
    ck_assert_int_eq(depthwise->out_h, 2);
    ck_assert_uint_eq(t.tensor[depthwise->output].offset, plan.tensor[2].offset + (2 * 4 + 2) * 2);
    end(&t, &q);
}
END

TEST(a_block_stands_behind_its_parts_and_looks_past_them)
{
    Net net;
    QModel q;
    net_begin(&net, 9, 9, 3);
    int at = net_conv(&net, NET_IMAGE, 4, square(3), square(1), ACT_NONE);
    BlockShape shape = {.mid = 12, .out_c = 4, .kernel = {5, 3}, .stride = {2, 1}, .expands = true};
    net_pointwise(&net, net_block(&net, at, &shape), 2, ACT_NONE);
    Plan plan = one_segment(&net);
    plan.block[3] = 2;
    plan.scratch[3].offset = 400;
    Lowered t = lower_plan(&net, &plan, &q);
    const TbOp *block = &t.op[4];
    ck_assert_int_eq(t.model.n_ops, 6);
    ck_assert_ptr_eq(block->kernel, tb_block_rows);
    ck_assert_ptr_eq(block[-3].kernel, tb_pointwise_row);
    ck_assert_ptr_eq(block[-2].weights, q.layer[2].weights);
    ck_assert_int_eq(block[-2].out_w, 1); /* a part has the shape of a pixel */
    ck_assert_int_eq(block->kh, 2 + 5);
    ck_assert_int_eq(block->kw, 3);
    ck_assert_int_eq(block->sh, 2);
    ck_assert_int_eq(block->pad_top, 2);
    ck_assert_int_eq(block->block, 2);
    ck_assert_int_eq(block->back, 4);
    ck_assert_int_eq(block->input, 1);
    ck_assert_int_eq(block->output, 4);
    ck_assert_int_eq(block->out_h, 5);
    ck_assert_uint_eq(block->scratch, 400);
    ck_assert_int_eq(t.op[5].back, 1);
    end(&t, &q);
}
END

TEST(rows_of_an_image_outside_come_in_before_the_first_layer)
{
    Net net;
    QModel q;
    net_begin(&net, 10, 7, 3);
    net_conv(&net, NET_IMAGE, 4, square(3), square(2), ACT_NONE);
    Plan plan = one_segment(&net);
    plan.image_outside = true;
    plan.tensor[0].rows = 3;
    Lowered t = lower_plan(&net, &plan, &q);
    ck_assert_int_eq(t.model.n_ops, 2);
    ck_assert_ptr_eq(t.op[0].kernel, tb_input_row);
    ck_assert_int_eq(t.op[0].in_h + t.op[0].in_w, 0); /* from the top left on */
    ck_assert_int_eq(t.op[0].out_h, 10);
    ck_assert_int_eq(t.op[0].out_w, 7);
    ck_assert_int_eq(t.op[1].back, 1);
    ck_assert_int_eq(t.tensor[0].rows, 3);
    end(&t, &q);
}
END

TEST(a_pool_that_ends_a_segment_is_called_for_each_row)
{
    Net net;
    QModel q;
    net_begin(&net, 6, 5, 3);
    net_global_pool(&net, net_pointwise(&net, NET_IMAGE, 4, ACT_NONE));
    Plan plan = one_segment(&net);
    plan.tensor[1].rows = 1;
    plan.scratch[1].offset = 120;
    Lowered t = lower_plan(&net, &plan, &q);
    ck_assert_ptr_eq(t.op[1].kernel, tb_sum_pool_row);
    ck_assert_int_eq(t.op[1].kh, 1);
    ck_assert_int_eq(t.op[1].out_h, 6);
    ck_assert_int_eq(t.tensor[2].rows, 1);
    ck_assert_uint_eq(t.op[1].scratch, 120);
    end(&t, &q);
}
END

TEST(what_has_moved_is_read_where_it_is)
{
    Net net;
    QModel q;
    net_begin(&net, 300, 250, 2); /* more pixels than 16 bits count */
    int a = net_conv(&net, NET_IMAGE, 2, square(1), square(1), ACT_NONE);
    net_add(&net, net_conv(&net, a, 2, square(1), square(1), ACT_NONE), a);
    Plan plan;
    plan_make(&net, &layerwise, &plan);
    plan.tensor[1].move = 2;
    plan.tensor[1].moved = 12;
    Lowered t = lower_plan(&net, &plan, &q);
    const TbOp *copy = &t.op[2];
    ck_assert_int_eq(t.model.n_segments, 4);
    ck_assert_ptr_eq(copy->kernel, tb_copy_row);
    ck_assert_int_eq(copy->in_w * copy->in_c, 300 * 250 * 2);
    ck_assert_int_eq(copy->out_h, 1);
    ck_assert_int_eq(copy->input, 1);
    ck_assert_int_eq(t.op[1].input, 1);
    ck_assert_int_eq(t.op[3].input2, copy->output);
    ck_assert_uint_eq(t.tensor[copy->output].offset, 12);
    end(&t, &q);
}
END

TEST(an_image_of_more_pixels_than_a_row_has_goes_by_rows)
{
    Net net;
    Plan plan;
    QModel q;
    Lowered lowered;
    net_begin(&net, 300, 300, 1);
    net_pointwise(&net, NET_IMAGE, 1, ACT_NONE);
    qmodel_init(&q, &net);
    plan_make(&net, &layerwise, &plan);
    ck_assert(lower(&q, &plan, &lowered) == 0);
    ck_assert_int_eq(lowered.op[0].out_h, 300);
    ck_assert_int_eq(lowered.op[0].out_w, 300);
    lowered_release(&lowered);
    qmodel_release(&q);
}
END

static int lower_net(const Net *net)
{
    Plan plan;
    QModel q;
    Lowered lowered;
    qmodel_init(&q, net);
    plan_make(net, &layerwise, &plan);
    int status = lower(&q, &plan, &lowered);
    if (status == 0)
        lowered_release(&lowered);
    qmodel_release(&q);
    return status;
}

TEST(what_the_runtime_cannot_hold_is_refused_with_a_reason)
{
    Net net;
    net_begin(&net, 100, 8, 1);
    net_global_pool(&net, NET_IMAGE);
    ck_assert_int_eq(lower_net(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "100 input rows"));
    net_begin(&net, 70, 70, 1);
    net_conv(&net, NET_IMAGE, 1, square(65), square(1), ACT_NONE);
    ck_assert_int_eq(lower_net(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "65 input rows"));
    net_begin(&net, 8, 300, 1);
    net_dense(&net, NET_IMAGE, 2, ACT_NONE);
    ck_assert_int_eq(lower_net(&net), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "8 x 300"));
    net_begin(&net, 64, 8, 1);
    net_dense(&net, net_global_pool(&net, NET_IMAGE), 2, ACT_NONE);
    ck_assert_int_eq(lower_net(&net), 0);
}
END

/* ---- the host ------------------------------------------------------------------------------ */

enum { PICTURES = 40 };

static Dataset random_pictures(const Net *net, Rng *rng)
{
    Dataset d = {.n = PICTURES, .h = net->h, .w = net->w, .c = net->c, .n_classes = 4};
    size_t bytes = (size_t)PICTURES * net_tensor_bytes(net, NET_IMAGE);
    d.pixel = xmalloc(bytes);
    d.label = xcalloc(PICTURES, sizeof *d.label);
    for (size_t i = 0; i < bytes; i++)
        d.pixel[i] = (uint8_t)rng_next(rng);
    for (int i = 0; i < PICTURES; i++)
        d.label[i] = (uint16_t)rng_below(rng, 4);
    return d;
}

/* n pictures spread over all, counted with the slow interpreter; the first of equal scores is
 * the answer. */
static int slow_correct(const QModel *q, const Dataset *d, int n)
{
    size_t bytes = net_tensor_bytes(&q->net, NET_IMAGE);
    int8_t *image = xmalloc(bytes);
    int correct = 0;
    for (int j = 0; j < n; j++) {
        int i = j * d->n / n;
        for (size_t k = 0; k < bytes; k++)
            image[k] = (int8_t)(d->pixel[(size_t)i * bytes + k] - 128);
        int8_t **t = int8_run(q, image), *score = t[q->net.n_layers];
        int best = 0;
        for (int c = 1; c < 4; c++)
            best = score[c] > score[best] ? c : best;
        correct += best == d->label[i];
        int8_free(&q->net, t);
    }
    free(image);
    return correct;
}

TEST(accuracy_is_the_slow_count_at_any_number_of_threads)
{
    Rng rng = rng_make(4, 0);
    Net net;
    net_begin(&net, 8, 8, 3);
    int at = net_conv(&net, NET_IMAGE, 6, square(3), square(2), ACT_RELU6);
    net_dense(&net, net_global_pool(&net, at), 4, ACT_NONE);
    Dataset d = random_pictures(&net, &rng);
    QModel q;
    int8_t *image = random_image(&net, &rng);
    ck_assert(random_qmodel(&q, &net, image, &rng) == 0);
    for (int threads = 1; threads <= 3; threads++)
        for (int n = 0; n <= PICTURES + 10; n += 10) {
            HostScore score;
            PlanOptions options = {.policy = POLICY_STREAM, .image_outside = threads == 2};
            int pictures = n > 0 && n < PICTURES ? n : PICTURES;
            ck_assert(host_accuracy(&q, &options, &d, n, threads, &score) == 0);
            ck_assert_int_eq(score.n, pictures);
            ck_assert_int_eq(score.correct, slow_correct(&q, &d, pictures));
            ck_assert_double_eq(score.accuracy, (double)score.correct / pictures);
        }
    d.w = 9;
    HostScore score;
    ck_assert_int_eq(host_accuracy(&q, &inplace, &d, 0, 1, &score), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "8 x 8 x 3"));
    free(d.pixel);
    free(d.label);
    free(image);
    qmodel_release(&q);
}
END

/* A plan that promises too little, or lays one tensor over another, is found out. */
TEST(a_wrong_plan_is_found_out)
{
    Rng rng = rng_make(5, 0);
    Net net;
    Plan plan;
    QModel q;
    uint32_t touched;
    net_begin(&net, 8, 8, 3);
    net_conv(&net, NET_IMAGE, 6, square(3), square(1), ACT_NONE);
    int8_t output[8 * 8 * 6], *image = random_image(&net, &rng);
    ck_assert(random_qmodel(&q, &net, image, &rng) == 0);
    plan_make(&net, &layerwise, &plan);
    plan.arena -= 4;
    ck_assert_int_eq(host_run(&q, &plan, image, output, &touched), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "behind its arena"));
    plan_make(&net, &layerwise, &plan);
    plan.arena += 8; /* nobody needs these */
    ck_assert_int_eq(host_run(&q, &plan, image, output, &touched), 0);
    ck_assert_uint_eq(touched, plan.arena - 8);
    free(image);
    qmodel_release(&q);
}
END

SUITE(lower, random_nets_run_as_the_slow_interpreter_says_in_exactly_the_planned_bytes,
      a_chain_of_blocks_runs_as_the_slow_interpreter_says,
      a_segment_of_several_layers_streams_through_rings,
      a_1x1_layer_and_an_add_on_whole_tensors_are_one_row,
      a_strip_is_a_view_padded_at_the_border_of_the_image,
      an_add_reads_the_wider_ring_of_its_skip_from_a_later_column, a_patch_is_a_segment_a_layer,
      a_block_stands_behind_its_parts_and_looks_past_them,
      rows_of_an_image_outside_come_in_before_the_first_layer,
      a_pool_that_ends_a_segment_is_called_for_each_row, what_has_moved_is_read_where_it_is,
      an_image_of_more_pixels_than_a_row_has_goes_by_rows,
      what_the_runtime_cannot_hold_is_refused_with_a_reason,
      accuracy_is_the_slow_count_at_any_number_of_threads, a_wrong_plan_is_found_out)
