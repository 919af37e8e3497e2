/* test_golden.c - the .tflite models of ../shared: their figures, and the bytes that TensorFlow
 * Lite Micro's reference kernels give for them, operator by operator. */
#include "base/file.h"
#include "estimator/tflm.h"
#include "tests/suite.h"
#include "tests/tflite_run.h"

/* What facts/reference.yaml says of them. */
typedef struct {
    const char *name;
    int ops, h, w, c;
    uint64_t macs, macs_exact;
    uint32_t w_bytes, b_bytes, nscale, params;
    uint32_t live, tflm, inpl_dw, inpl;
    int f_ops;
    uint32_t f_live, f_tflm, f_inpl_dw, f_inpl;
    const char *kinds;
} Known;

static const Known known[] = {
    {"ad01_int8", 10, 1, 1, 640, 264192, 264192, 264192, 6688, 10, 265864, 768, 768, 768, 768, 10,
     768, 768, 768, 768, "FULLY_CONNECTED:10"},
    {"kws_ref_model", 13, 49, 10, 1, 2656768, 2562432, 22016, 2352, 577, 22604, 16000, 16000, 16000,
     16000, 12, 16000, 16000, 16000, 16000,
     "CONV_2D:5 DEPTHWISE_CONV_2D:4 AVERAGE_POOL_2D:1 RESHAPE:1 FULLY_CONNECTED:1 SOFTMAX:1"},
    {"pretrainedResnet_quant", 16, 32, 32, 3, 12501632, 11574592, 77360, 1384, 337, 77706, 49152,
     49152, 49152, 49152, 15, 49152, 49152, 49152, 49152,
     "CONV_2D:9 ADD:3 AVERAGE_POOL_2D:1 RESHAPE:1 FULLY_CONNECTED:1 SOFTMAX:1"},
    {"vww_96_int8", 31, 96, 96, 3, 7489664, 7399464, 208112, 10952, 2737, 210850, 55296, 73728,
     55296, 55296, 30, 55296, 73728, 55296, 55296,
     "CONV_2D:14 DEPTHWISE_CONV_2D:13 AVERAGE_POOL_2D:1 RESHAPE:1 FULLY_CONNECTED:1 SOFTMAX:1"},
    {"micro_speech_quantized", 4, 49, 40, 1, 336000, 301760, 16640, 48, 9, 16652, 5960, 5968, 5960,
     5960, 3, 5960, 5968, 5960, 5960, "RESHAPE:1 DEPTHWISE_CONV_2D:1 FULLY_CONNECTED:1 SOFTMAX:1"},
    {"hello_world_int8", 3, 1, 1, 1, 288, 288, 288, 132, 3, 321, 32, 32, 32, 32, 3, 32, 32, 32, 32,
     "FULLY_CONNECTED:3"},
    /* two means, one axis each, where the facts count a merged one */
    {"te_vww", 63, 80, 80, 3, 11578816, 11116640, 420520, 24456, 6113, 426634, 161472, 161472,
     161472, 161472, 56, 96000, 96000, 89600, 89600,
     "QUANTIZE:1 PAD:4 CONV_2D:30 DEPTHWISE_CONV_2D:15 ADD:8 TRANSPOSE:1 MEAN:2 "
     "FULLY_CONNECTED:1 DEQUANTIZE:1"},
};

enum { N_KNOWN = sizeof known / sizeof *known, N_GOLDEN = 8 };

static const char *model_file(const Known *k)
{
    static char name[128];
    snprintf(name, sizeof name, "data/models/%s.tflite", k->name);
    return shared_file(name);
}

static const char *golden_file(const Known *k, const char *what)
{
    static char name[128];
    snprintf(name, sizeof name, "data/models/golden/%s/%s", k->name, what);
    return shared_file(name);
}

static int8_t *golden(const Known *k, const char *what, int input, size_t bytes)
{
    char name[32];
    size_t size;
    snprintf(name, sizeof name, "%s_%d.bin", what, input);
    char *data = file_read(golden_file(k, name), &size);
    ck_assert_msg(data != NULL, "%s", error_text());
    ck_assert_uint_eq(size, bytes);
    return (int8_t *)data;
}

static void load_known(const Known *k, QModel *q, TfliteInfo *info)
{
    ck_assert_msg(tflite_load(q, info, model_file(k)) == 0, "%s", error_text());
}

static void graph_of_file(const TfliteInfo *info, TensorGraph *g)
{
    memset(g, 0, sizeof *g);
    g->n_tensors = info->n_tensors;
    g->n_ops = info->n_ops;
    for (int t = 0; t < info->n_tensors; t++)
        g->tensor[t].bytes = info->tensor[t].bytes;
    g->tensor[info->output_tensor].kept = true;
    for (int i = 0; i < info->n_ops; i++) {
        const TfliteOp *op = &info->op[i];
        GraphKind kind = op->code == TFLITE_DEPTHWISE_CONV_2D ? GRAPH_DEPTHWISE
                         : op->code == TFLITE_ADD             ? GRAPH_ADD
                                                              : GRAPH_OTHER;
        g->op[i] = (GraphOp){.kind = (uint8_t)kind, .n_inputs = op->n_inputs, .output = op->output};
        memcpy(g->op[i].input, op->input, sizeof op->input);
    }
}

TEST(the_models_of_the_field_have_the_known_figures)
{
    static TfliteInfo info;
    SKIP_WITHOUT(model_file(&known[0]));
    for (const Known *k = known; k < known + N_KNOWN; k++) {
        QModel q;
        char kinds[256] = "";
        load_known(k, &q, &info);
        for (int i = 0; i < info.n_kinds; i++)
            snprintf(kinds + strlen(kinds), sizeof kinds - strlen(kinds), "%s%s:%d", i ? " " : "",
                     tflite_op_name(info.kind[i].code), info.kind[i].n);
        ck_assert_str_eq(kinds, k->kinds);
        ck_assert_int_eq(info.n_ops, k->ops);
        ck_assert_int_eq(q.net.n_layers, k->f_ops);
        ck_assert(q.net.h == k->h && q.net.w == k->w && q.net.c == k->c);
        ck_assert_uint_eq(info.macs, k->macs);
        ck_assert_uint_eq(net_macs(&q.net), k->macs);
        ck_assert_uint_eq(info.macs_exact, k->macs_exact);
        ck_assert_uint_eq(info.weight_bytes, k->w_bytes);
        ck_assert_uint_eq(info.bias_bytes, k->b_bytes);
        ck_assert_uint_eq(info.n_scales, k->nscale);
        ck_assert_uint_eq(info.params, k->params);
        qmodel_release(&q);
    }
}
END

TEST(the_models_of_the_field_need_the_known_memory)
{
    static TfliteInfo info;
    static TensorGraph g;
    SKIP_WITHOUT(model_file(&known[0]));
    for (const Known *k = known; k < known + N_KNOWN; k++) {
        QModel q;
        load_known(k, &q, &info);
        graph_of_file(&info, &g);
        ck_assert_uint_eq(tensor_graph_live(&g, SHARE_NOTHING), k->live);
        ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE), k->inpl_dw);
        ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE_AND_ADD), k->inpl);
        ck_assert_uint_eq(tflm_arena(&g), k->tflm);
        tensor_graph_of_net(&q.net, &g);
        ck_assert_uint_eq(tensor_graph_live(&g, SHARE_NOTHING), k->f_live);
        ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE), k->f_inpl_dw);
        ck_assert_uint_eq(tensor_graph_live(&g, SHARE_DEPTHWISE_AND_ADD), k->f_inpl);
        ck_assert_uint_eq(tflm_arena(&g), k->f_tflm);
        qmodel_release(&q);
    }
}
END

/* ---- running --------------------------------------------------------------------------------- */

static void compare(const Known *k, const char *what, int input, int policy, const int8_t *got,
                    size_t bytes)
{
    int8_t *expected = golden(k, what, input, bytes);
    for (size_t i = 0; i < bytes; i++)
        ck_assert_msg(got[i] == expected[i], "%s, input %d, %s: %s[%zu] is %d, not %d", k->name,
                      input, policy_name((Policy)policy), what, i, got[i], expected[i]);
    free(expected);
}

TEST(outputs_are_those_of_tflite_micro_under_every_policy)
{
    static TfliteInfo info;
    SKIP_WITHOUT(golden_file(&known[0], "index.txt"));
    for (const Known *k = known; k < known + N_KNOWN; k++) {
        QModel q;
        load_known(k, &q, &info);
        int n = q.net.n_layers, logits = info.logits;
        for (int i = 0; i < N_GOLDEN; i++) {
            int8_t *image = golden(k, "input", i, net_tensor_bytes(&q.net, NET_IMAGE));
            for (int policy = 0; policy < N_POLICIES; policy++) {
                int8_t *out = run_layers(&q, n, policy, image);
                compare(k, "output", i, policy, out, net_tensor_bytes(&q.net, n - 1));
                free(out);
            }
            if (logits < n - 1) {
                int8_t *out = run_layers(&q, logits + 1, POLICY_LAYERWISE, image);
                compare(k, "logits", i, POLICY_LAYERWISE, out, net_tensor_bytes(&q.net, logits));
                free(out);
            }
            free(image);
        }
        qmodel_release(&q);
    }
}
END

TEST(hello_world_is_right_for_every_input)
{
    static TfliteInfo info;
    const Known *hello = &known[5];
    SKIP_WITHOUT(golden_file(hello, "output_all.bin"));
    QModel q;
    size_t size;
    load_known(hello, &q, &info);
    int8_t *expected = (int8_t *)file_read(golden_file(hello, "output_all.bin"), &size);
    ck_assert_uint_eq(size, 256);
    for (int x = -128; x < 128; x++) {
        int8_t image = (int8_t)x;
        int8_t *out = run_layers(&q, q.net.n_layers, POLICY_STREAM, &image);
        ck_assert_int_eq(out[0], expected[x + 128]);
        free(out);
    }
    free(expected);
    qmodel_release(&q);
}
END

static uint32_t crc32_of(const int8_t *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint8_t)bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/* The output of a layer as a tensor that the file calls [1][c][pixels], the other way round. */
static void transpose(const Layer *l, const char *shape, int8_t *out)
{
    int c, w;
    char more;
    if (sscanf(shape, "1x%dx%d%c", &c, &w, &more) != 2 || c != l->out_c || w != l->out_h * l->out_w)
        return;
    int8_t *copy = xmalloc((size_t)(w * c));
    memcpy(copy, out, (size_t)(w * c));
    for (int i = 0; i < w * c; i++)
        out[i % c * w + i / c] = copy[i];
    free(copy);
}

/* tensors.txt: "op operator tensor shape dtype" and the CRC for each input, of the file's own
 * operators. Those that are a layer of ours have to agree, each on its own: the first that does
 * not is the wrong one. A PAD's output is no tensor of ours, nor is a float. */
static int compare_tensors(const Known *k, const QModel *q, const TfliteInfo *info, int input)
{
    int compared = 0;
    char line[512], name[64], shape[32], type[16];
    FILE *f = fopen(golden_file(k, "tensors.txt"), "r");
    ck_assert_ptr_nonnull(f);
    int8_t *image = golden(k, "input", input, net_tensor_bytes(&q->net, NET_IMAGE));
    while (fgets(line, sizeof line, f)) {
        int op, tensor, at;
        unsigned expected;
        if (sscanf(line, "%d %63s %d %31s %15s%n", &op, name, &tensor, shape, type, &at) != 5)
            continue;
        ck_assert_str_eq(name, tflite_op_name(info->op[op].code));
        ck_assert_int_eq(tensor, info->tensor[info->op[op].output].number);
        int layer = info->op[op].layer;
        if (layer < 0)
            continue;
        for (int i = 0; i <= input; i++) {
            int used;
            ck_assert_int_eq(sscanf(line + at, " %x%n", &expected, &used), 1);
            at += used;
        }
        int8_t *out = run_layers(q, layer + 1, POLICY_LAYERWISE, image);
        transpose(&q->net.layer[layer], shape, out);
        uint32_t crc = crc32_of(out, net_tensor_bytes(&q->net, layer));
        ck_assert_msg(crc == expected, "%s: operator %d (%s), layer %d is the first wrong one",
                      k->name, op, name, layer);
        compared++;
        free(out);
    }
    free(image);
    fclose(f);
    return compared;
}

TEST(every_operator_makes_the_tensor_of_tflite_micro)
{
    static TfliteInfo info;
    SKIP_WITHOUT(golden_file(&known[0], "tensors.txt"));
    for (const Known *k = known; k < known + N_KNOWN; k++) {
        QModel q;
        load_known(k, &q, &info);
        ck_assert_int_ge(compare_tensors(k, &q, &info, 5), q.net.n_layers);
        qmodel_release(&q);
    }
}
END

SUITE(golden, the_models_of_the_field_have_the_known_figures,
      the_models_of_the_field_need_the_known_memory,
      outputs_are_those_of_tflite_micro_under_every_policy, hello_world_is_right_for_every_input,
      every_operator_makes_the_tensor_of_tflite_micro)
