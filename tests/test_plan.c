#include "estimator/plan.h"

#include "runtime/scratch.h"
#include "tests/mcunet_space.h"
#include "tests/suite.h"

#include <string.h>

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static uint32_t words(int64_t bytes)
{
    return (uint32_t)((bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN);
}

static void plan_with(const Net *net, Policy policy, Plan *plan)
{
    PlanOptions o = {.policy = (uint8_t)policy, .small = true};
    plan_make(net, &o, plan);
}

static uint32_t arena_of(const Net *net, Policy policy)
{
    PlanOptions o = {.policy = (uint8_t)policy, .small = true};
    return plan_arena(net, &o);
}

TEST(a_chain_worked_out_by_hand)
{
    Net net;
    net_begin(&net, 8, 8, 3);                                      /* 192 */
    net_conv(&net, NET_IMAGE, 16, square(3), square(2), ACT_RELU6); /* 4 x 4 x 16: 256 */
    net_pointwise(&net, 0, 24, ACT_RELU6);                          /* 384 */
    net_depthwise(&net, 1, square(3), square(1), ACT_RELU6);        /* 384 */
    net_pointwise(&net, 2, 8, ACT_NONE);                            /* 128 */
    net_global_pool(&net, 3);
    net_dense(&net, 4, 10, ACT_NONE);
    Plan plan;
    plan_with(&net, POLICY_LAYERWISE, &plan);
    ck_assert_uint_eq(plan.arena, 384 + 384);
    ck_assert_int_eq(plan.peak_segment, 2);
    ck_assert_uint_eq(plan_live(&plan, &net, 0), 192 + 256);
    ck_assert_uint_eq(plan_live(&plan, &net, 1), 256 + 384);
    ck_assert_uint_eq(plan_live(&plan, &net, 5), 8 + 10);
    plan_with(&net, POLICY_INPLACE, &plan);
    ck_assert_uint_eq(plan.arena, 256 + 384); /* now the expansion: the depthwise wants */
    ck_assert_int_eq(plan.peak_segment, 1);
    ck_assert_uint_eq(plan_live(&plan, &net, 2), 384 + 2 * 4 * 24); /* two more rows */
}
END

TEST(a_residual_is_held_while_its_block_runs)
{
    Net net;
    net_begin(&net, 4, 4, 16);                               /* 256, held until the add */
    net_pointwise(&net, NET_IMAGE, 32, ACT_RELU6);           /* 512 */
    net_depthwise(&net, 0, square(3), square(1), ACT_RELU6); /* 512 */
    net_pointwise(&net, 1, 16, ACT_NONE);                    /* 256 */
    net_add(&net, 2, NET_IMAGE);
    Plan plan;
    plan_with(&net, POLICY_LAYERWISE, &plan);
    ck_assert_uint_eq(plan.arena, 256 + 512 + 512);
    ck_assert_uint_eq(plan_live(&plan, &net, 3), 3 * 256);
    plan_with(&net, POLICY_INPLACE, &plan);
    ck_assert_uint_eq(plan.arena, 256 + 512 + 2 * 4 * 32);
    ck_assert_uint_eq(plan_live(&plan, &net, 3), 2 * 256); /* the sum lies on an addend */
}
END

TEST(a_stride_of_two_needs_half_a_row_and_a_tall_kernel_more)
{
    Net net;
    net_begin(&net, 8, 8, 8); /* rows of 64 */
    net_depthwise(&net, NET_IMAGE, square(3), square(2), ACT_NONE);
    ck_assert_uint_eq(arena_of(&net, POLICY_INPLACE), 8 * 64 + 32);
    net_begin(&net, 8, 8, 8);
    net_depthwise(&net, NET_IMAGE, square(7), square(1), ACT_NONE);
    ck_assert_uint_eq(arena_of(&net, POLICY_INPLACE), 8 * 64 + 4 * 64);
    net_begin(&net, 8, 8, 8);
    net_pool(&net, OP_MAX_POOL, NET_IMAGE, square(2), square(2));
    ck_assert_uint_eq(arena_of(&net, POLICY_INPLACE), 8 * 64 + 32);
}
END

/* Row by row what the header of the runtime promises. */
static uint32_t slow_overlap(const Layer *l)
{
    int64_t most = 0, row_out = (int64_t)l->out_w * l->out_c, row_in = (int64_t)l->in_w * l->in_c;
    for (int y = 0; y < l->out_h; y++) {
        int dead = y * l->sh - l->pad_top;
        dead = dead < 0 ? 0 : dead > l->in_h ? l->in_h : dead;
        int64_t d = (y + 1) * row_out - dead * row_in;
        most = d > most ? d : most;
    }
    return words(most);
}

TEST(one_layer_in_place_takes_its_input_and_the_least_overlap)
{
    Rng rng = rng_make(1, 0);
    for (int i = 0; i < 5000; i++) {
        Net net;
        net_begin(&net, draw(&rng, 7, 40), draw(&rng, 7, 20), draw(&rng, 1, 9));
        Size2 kernel = {(uint8_t)draw(&rng, 1, 7), (uint8_t)draw(&rng, 1, 7)};
        Size2 stride = {(uint8_t)draw(&rng, 1, 4), (uint8_t)draw(&rng, 1, 4)};
        if (i % 3)
            net_depthwise(&net, NET_IMAGE, kernel, stride, ACT_NONE);
        else
            net_pool(&net, i % 2 ? OP_AVG_POOL : OP_MAX_POOL, NET_IMAGE, kernel, stride);
        if (i % 3 == 1 && kernel.h % 2)
            pad_same(&net.layer[0]);
        if (i % 5 == 0) /* an importer may pad below as it likes */
            net.layer[0].out_h = (uint16_t)(net.layer[0].out_h + draw(&rng, 1, 9));
        int64_t in = net_tensor_bytes(&net, NET_IMAGE), out = net_tensor_bytes(&net, 0);
        uint32_t over = slow_overlap(&net.layer[0]);
        uint32_t least = over + (uint32_t)in < (uint32_t)out ? (uint32_t)out : over + (uint32_t)in;
        Plan plan;
        plan_with(&net, POLICY_INPLACE, &plan);
        ck_assert_uint_lt(plan.arena, least + PLAN_ALIGN); /* which tensor ends the arena, and */
        ck_assert_uint_gt(plan.arena + PLAN_ALIGN, least); /* so loses nothing, is left open */
        ck_assert_uint_eq(plan.arena, arena_of(&net, POLICY_INPLACE));
        uint32_t image = plan.tensor[0].offset, output = plan.tensor[1].offset;
        ck_assert(output + over <= image || output >= image + (uint32_t)in);
    }
}
END

/* ---- execution, byte by byte ---- */

/* Every byte of the arena says which byte of which tensor it holds. */
typedef struct {
    uint32_t *tag;
    const Net *net;
    const Plan *plan;
} Arena;

static uint32_t tag_of(int tensor, uint32_t byte)
{
    return (uint32_t)(tensor + 1) << 24 | byte;
}

static void write_bytes(Arena *a, int tensor, uint32_t from, uint32_t n)
{
    uint32_t at = a->plan->tensor[tensor].offset + from;
    ck_assert_uint_le(at + n, a->plan->arena);
    for (uint32_t i = 0; i < n; i++)
        a->tag[at + i] = tag_of(tensor, from + i);
}

static void read_bytes(const Arena *a, int tensor, uint32_t from, uint32_t n)
{
    uint32_t at = a->plan->tensor[tensor].offset + from, wrong = 0;
    for (uint32_t i = 0; i < n; i++)
        wrong += a->tag[at + i] != tag_of(tensor, from + i);
    ck_assert_msg(wrong == 0, "%u bytes of tensor %d were destroyed", wrong, tensor);
}

static void write_scratch(Arena *a, int layer)
{
    uint32_t at = a->plan->scratch[layer].offset, n = a->plan->scratch[layer].bytes;
    ck_assert_uint_le(at + n, a->plan->arena);
    for (uint32_t i = 0; i < n; i++)
        a->tag[at + i] = 0;
}

static bool apart(uint32_t a, uint32_t a_bytes, uint32_t b, uint32_t b_bytes)
{
    return a + a_bytes <= b || b + b_bytes <= a;
}

/* Kernels may write in any order within a row: all reading, then all writing,
 * is right only when the row touches none of the rows read. */
static void run_rows(Arena *a, int layer)
{
    const Layer *l = &a->net->layer[layer];
    const PlanTensor *in = &a->plan->tensor[1 + l->input], *out = &a->plan->tensor[1 + layer];
    for (int y = 0; y < l->out_h; y++) {
        uint32_t row = out->offset + (uint32_t)y * out->row_bytes;
        for (int k = 0; k < l->kh; k++) {
            int r = y * l->sh - l->pad_top + k;
            if (r < 0 || r >= l->in_h)
                continue;
            read_bytes(a, 1 + l->input, (uint32_t)r * in->row_bytes, in->row_bytes);
            ck_assert(apart(row, out->row_bytes, in->offset + (uint32_t)r * in->row_bytes,
                            in->row_bytes));
        }
        write_scratch(a, layer);
        write_bytes(a, 1 + layer, (uint32_t)y * out->row_bytes, out->row_bytes);
    }
}

static void run_whole(Arena *a, int layer, int input)
{
    const PlanTensor *in = &a->plan->tensor[1 + input], *out = &a->plan->tensor[1 + layer];
    bool on_it = a->net->layer[layer].op == OP_ADD && out->offset == in->offset;
    read_bytes(a, 1 + input, 0, in->bytes);
    ck_assert(on_it || apart(in->offset, in->bytes, out->offset, out->bytes));
}

static void run_layer(Arena *a, int layer)
{
    const Layer *l = &a->net->layer[layer];
    if (l->op != OP_POINTWISE && l->op != OP_ADD) {
        run_rows(a, layer);
        return;
    }
    run_whole(a, layer, l->input);
    if (l->op == OP_ADD)
        run_whole(a, layer, l->input2);
    write_scratch(a, layer);
    write_bytes(a, 1 + layer, 0, a->plan->tensor[1 + layer].bytes);
}

static void execute(const Net *net, const Plan *plan)
{
    Arena a = {.tag = calloc(plan->arena, sizeof *a.tag), .net = net, .plan = plan};
    write_bytes(&a, 0, 0, plan->tensor[0].bytes);
    for (int i = 0; i < net->n_layers; i++)
        run_layer(&a, i);
    read_bytes(&a, net->n_layers, 0, plan->tensor[net->n_layers].bytes);
    free(a.tag);
}

static void check_plan(const Net *net, const Plan *plan)
{
    uint32_t most = 0, peak = 0, end = 0;
    ck_assert_int_eq(plan->n_segments, net->n_layers);
    for (int t = 0; t <= net->n_layers; t++) {
        const PlanTensor *p = &plan->tensor[t];
        bool is_output = t == net->n_layers;
        ck_assert_uint_eq(p->offset % PLAN_ALIGN, 0);
        ck_assert_uint_eq(p->bytes, net_tensor_bytes(net, t - 1));
        ck_assert_uint_eq(p->bytes, p->row_bytes * p->rows);
        ck_assert_int_eq(p->first, larger(0, t - 1));
        ck_assert_int_eq(p->last, is_output ? net->n_layers - 1 : net_last_reader(net, t - 1));
        end = p->offset + p->bytes > end ? p->offset + p->bytes : end;
    }
    for (int i = 0; i < net->n_layers; i++) {
        uint32_t live = plan_live(plan, net, i);
        uint32_t scratch = plan->scratch[i].offset + plan->scratch[i].bytes;
        ck_assert_uint_eq(plan->scratch[i].offset % PLAN_ALIGN, 0);
        end = plan->scratch[i].bytes && scratch > end ? scratch : end;
        peak = live > most ? (uint32_t)i : peak;
        most = live > most ? live : most;
    }
    ck_assert_uint_eq(plan->arena, end);
    ck_assert_uint_eq(plan->peak_segment, peak);
    ck_assert_uint_ge(plan->arena, most);
}

static void plan_and_execute(const Net *net)
{
    uint32_t arena[N_POLICIES];
    ck_assert_msg(net_check(net) == 0, "%s", error_text());
    for (int policy = 0; policy <= POLICY_INPLACE; policy++) { /* the others: test_plan_fuzz.c */
        PlanOptions o = {.policy = (uint8_t)policy, .small = true};
        Plan plan;
        plan_make(net, &o, &plan);
        ck_assert_int_eq(plan.policy, policy);
        check_plan(net, &plan);
        execute(net, &plan);
        arena[policy] = plan.arena;
        ck_assert_uint_eq(plan.arena, plan_arena(net, &o));
    }
    ck_assert_uint_lt(arena[POLICY_INPLACE], arena[POLICY_LAYERWISE] + PLAN_ALIGN);
}

TEST(no_write_destroys_a_byte_that_is_still_to_be_read)
{
    Rng rng = rng_make(2, 0);
    Space space = small_space();
    for (int i = 0; i < 1500; i++) {
        Net net;
        random_net(&net, &rng);
        plan_and_execute(&net);
        if (i % 3)
            continue;
        Genotype g = genotype_sample(&space, i % 7 % 3, i % 5 % 3, &rng);
        genotype_expand(&space, &g, 10, &net);
        plan_and_execute(&net);
    }
}
END

TEST(an_add_of_a_tensor_to_itself_and_of_one_still_needed)
{
    Net net;
    net_begin(&net, 4, 4, 4);
    net_pointwise(&net, NET_IMAGE, 4, ACT_NONE);
    net_add(&net, 0, 0);
    net_add(&net, 1, NET_IMAGE); /* over the image or over 1 */
    net_add(&net, 2, 2);
    net_add(&net, 3, 2); /* wrong unless 2 was kept while 3 was made */
    plan_and_execute(&net);
    ck_assert_uint_eq(arena_of(&net, POLICY_INPLACE), 2 * 64);
    ck_assert_uint_eq(arena_of(&net, POLICY_LAYERWISE), 3 * 64);
}
END

/* ---- how good ---- */

/* Bytes alive at once, from the definition: no arena can be smaller. */
static uint32_t slow_least(const Net *net, bool in_place)
{
    uint32_t least = 0;
    for (int s = 0; s < net->n_layers; s++) {
        const Layer *l = &net->layer[s];
        bool over = in_place && (l->op == OP_DEPTHWISE || l->op == OP_GLOBAL_POOL) &&
                    net_last_reader(net, l->input) == s;
        over |= in_place && l->op == OP_ADD &&
                (net_last_reader(net, l->input) == s || net_last_reader(net, l->input2) == s);
        uint32_t now = words(net_tensor_bytes(net, s));
        if (over)
            now = l->op == OP_ADD ? 0 : slow_overlap(l);
        for (int t = NET_IMAGE; t < s; t++)
            if (net_last_reader(net, t) >= s)
                now += words(net_tensor_bytes(net, t));
        least = now > least ? now : least;
    }
    return least;
}

TEST(every_network_of_mcunets_space_gets_the_least_arena_there_is)
{
    Space space = mcunet_space();
    Rng rng = rng_make(3, 0);
    for (int i = 0; i < 2160; i++) {
        Net net;
        Genotype g = genotype_sample(&space, i % 9, i / 9 % 12, &rng);
        genotype_expand(&space, &g, 1000, &net);
        ck_assert_uint_eq(arena_of(&net, POLICY_LAYERWISE), slow_least(&net, false));
        ck_assert_uint_eq(arena_of(&net, POLICY_INPLACE), slow_least(&net, true));
    }
}
END

TEST(the_same_net_gives_the_same_bytes)
{
    Rng rng = rng_make(4, 0);
    for (int i = 0; i < 200; i++) {
        Net net;
        Plan a, b;
        random_net(&net, &rng);
        memset(&a, 1, sizeof a);
        memset(&b, 2, sizeof b);
        PlanOptions o = {.policy = (uint8_t)(i % N_POLICIES), .small = i % 5};
        plan_make(&net, &o, &a);
        plan_make(&net, &o, &b);
        ck_assert_mem_eq(&a, &b, sizeof a);
    }
}
END

TEST(a_policy_is_found_by_its_name)
{
    Policy policy;
    for (int i = 0; i < N_POLICIES; i++) {
        ck_assert_int_eq(policy_parse(policy_name((Policy)i), &policy), 0);
        ck_assert_int_eq(policy, i);
    }
    ck_assert_int_eq(policy_parse("in place", &policy), -1);
    ck_assert_ptr_nonnull(strstr(error_text(), "in place"));
}
END

SUITE(plan, a_chain_worked_out_by_hand, a_residual_is_held_while_its_block_runs,
      a_stride_of_two_needs_half_a_row_and_a_tall_kernel_more,
      one_layer_in_place_takes_its_input_and_the_least_overlap,
      no_write_destroys_a_byte_that_is_still_to_be_read,
      an_add_of_a_tensor_to_itself_and_of_one_still_needed,
      every_network_of_mcunets_space_gets_the_least_arena_there_is,
      the_same_net_gives_the_same_bytes, a_policy_is_found_by_its_name)
