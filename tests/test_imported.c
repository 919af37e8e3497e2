/* Models of others: what they are shown, how often they are right, and that an emulated board
 * gives the bytes of TensorFlow Lite Micro. From the project's root, so that configs/ is found. */
#define _GNU_SOURCE
#include "cli/imported.h"
#include "evaluator/inputs.h"
#include "report/run_report.h"

#include "base/file.h"
#include "cli/command.h"
#include "config/config.h"
#include "evaluator/host.h"
#include "tests/suite.h"
#include "tests/tflite_models.h"

#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#define OK(call) ck_assert_msg((call) == 0, "%s", error_text())
#define HAS(text, words) ck_assert_msg(strstr(text, words), "no '%s' in\n%s", words, text)

/* ---- a folder for each test ------------------------------------------------------------------ */

static char folder[64];

static void must(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void must(const char *format, ...)
{
    char *command;
    va_list args;
    va_start(args, format);
    ck_assert_int_ge(vasprintf(&command, format, args), 0);
    va_end(args);
    ck_assert_msg(system(command) == 0, "%s", command);
    free(command);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/thimble-imported-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    must("rm -rf %s", folder);
}

/* Its path; a few buffers in turn. */
static const char *put(const char *name, const void *data, size_t size)
{
    static char path[4][128];
    static int turn;
    char *p = path[turn = (turn + 1) % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    *strrchr(p, '/') = 0;
    OK(file_make_dirs(p));
    p[strlen(p)] = '/';
    OK(file_write(p, data, size));
    return p;
}

/* ---- pixels ---------------------------------------------------------------------------------- */

TEST(pixel_minus_128_is_what_the_usual_images_come_to)
{
    ck_assert_str_eq(pixels_usual((QTensor){1, -128}), "0..255");
    ck_assert_str_eq(pixels_usual((QTensor){1 / 255.0f, -128}), "0..1");
    ck_assert_str_eq(pixels_usual((QTensor){0.00783930719f, 0}), "-1..1"); /* te_vww */
    ck_assert_ptr_null(pixels_usual((QTensor){0.584702909f, 83}));         /* features */
    ck_assert_ptr_null(pixels_usual((QTensor){0.0187f, -14}));             /* of a unit deviation */
    for (int p = 0; p < 256; p++) {
        Pixels unit, plain;
        OK(pixels_parse(&unit, "0..1"));
        OK(pixels_parse(&plain, "int8"));
        ck_assert_int_eq(pixels_int8(&unit, (QTensor){1 / 255.0f, -128}, 0, p), p - 128);
        ck_assert_int_eq(pixels_int8(&plain, (QTensor){9, 9}, 0, p), p - 128);
    }
}
END

/* (100 - 123.5) / 58.75 = -0.4; at 0.02 that is -20, at zero point 7 it is -13. */
TEST(other_pixels_are_quantised_channel_by_channel)
{
    const QTensor in = {0.02f, 7};
    Pixels p;
    OK(pixels_parse(&p, "123.5:58.75"));
    ck_assert_int_eq(pixels_int8(&p, in, 2, 100), -13);
    OK(pixels_parse(&p, "123.5,100,0:58.75,50,255"));
    ck_assert_int_eq(pixels_int8(&p, in, 0, 100), -13);
    ck_assert_int_eq(pixels_int8(&p, in, 1, 150), 57);
    ck_assert_int_eq(pixels_int8(&p, in, 2, 255), 57);
    OK(pixels_parse(&p, "100:1"));
    ck_assert_int_eq(pixels_int8(&p, in, 0, 255), 127); /* clamped */
    ck_assert_int_eq(pixels_int8(&p, in, 0, 0), -128);
}
END

TEST(what_says_no_pixels_is_refused)
{
    static const char *const text[] = {"",    "0..2", "1",     "1:",       "1:0", "1:-2",
                                       "1,2:3", "a:b",  "1:2:3", "1,2,3,4:5", "1:2x", "nan:1"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        Pixels p;
        ck_assert_msg(pixels_parse(&p, text[i]) == -1, "'%s'", text[i]);
        HAS(error_text(), "MEAN:DEVIATION");
    }
}
END

/* ---- what a network is shown ----------------------------------------------------------------- */

/* Of no matter which weights. */
static void make_network(QModel *q, int h, int w, int c, int classes)
{
    Net net;
    net_begin(&net, h, w, c);
    net_dense(&net, NET_IMAGE, classes, ACT_NONE);
    qmodel_init(q, &net);
    q->tensor[0] = (QTensor){1, -128};
}

static void put_classes(void)
{
    put("data/train/bee/1", "1234567", 7); /* not read: of another size */
    put("data/train/ant/1", "1234567", 7);
    put("data/train/cat/1", "1234567", 7);
    put("data/test/ant/1", "ant-1.", 6);
    put("data/test/bee/1", "bee-1.", 6);
    put("data/test/bee/2", "bee-2.", 6);
    put("data/test/cat/1", "cat-1.", 6);
}

static char *in_folder(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

TEST(class_folders_are_labelled_in_the_networks_order)
{
    QModel q;
    Inputs in;
    int8_t image[6];
    make_folder();
    put_classes();
    make_network(&q, 1, 2, 3, 3);
    char *path = in_folder("data");
    const char *lines = put("order.txt", "cat\r\nant\n\nbee\n", 15);
    const char *order[] = {NULL, "cat,ant,bee", lines};
    static const int label[][4] = {{0, 1, 1, 2}, {1, 2, 2, 0}, {1, 2, 2, 0}};
    for (int i = 0; i < 3; i++) {
        OK(inputs_open(&in, &q, &(InputOptions){.path = path, .classes = order[i]}));
        ck_assert(in.labelled && in.set.n == 4 && in.n_classes == 3);
        for (int k = 0; k < 4; k++)
            ck_assert_int_eq(in.set.label[k], label[i][k]);
        ck_assert_str_eq(in.class_name[0], i ? "cat" : "ant");
        dataset_int8(&in.set, 2, image);
        ck_assert_mem_eq(image, "bee-2.", 6);
        inputs_release(&in);
    }
    free(path);
    qmodel_release(&q);
    remove_folder();
}
END

TEST(a_network_may_know_more_classes_than_the_data_has)
{
    QModel q;
    Inputs in;
    make_folder();
    put_classes();
    make_network(&q, 1, 2, 3, 4);
    char *path = in_folder("data");
    OK(inputs_open(&in, &q, &(InputOptions){.path = path, .classes = "none,ant,bee,cat"}));
    ck_assert(in.n_classes == 4 && in.set.label[0] == 1 && in.set.label[3] == 3);
    inputs_release(&in);
    free(path);
    qmodel_release(&q);
    remove_folder();
}
END

TEST(inputs_without_labels_are_files_in_order_and_raw_ones_may_hold_several)
{
    QModel q;
    Inputs in;
    int8_t image[6];
    make_folder();
    make_network(&q, 1, 2, 3, 2);
    put("some/b.bin", "\x80-2345" "second", 12);
    put("some/a.bin", "first.", 6);
    put("some/.hidden", "x", 1);
    char *path = in_folder("some");
    OK(inputs_open(&in, &q, &(InputOptions){.path = path}));
    ck_assert(!in.labelled && in.set.n == 3 && in.n_classes == 0);
    dataset_int8(&in.set, 0, image);
    ck_assert_mem_eq(image, "first.", 6);
    dataset_int8(&in.set, 1, image);
    ck_assert_mem_eq(image, "\x80-2345", 6);
    dataset_int8(&in.set, 2, image);
    ck_assert_mem_eq(image, "second", 6);
    HAS(in.name[0], "some/a.bin");
    HAS(in.name[2], "some/b.bin#2");
    inputs_release(&in);
    free(path);
    qmodel_release(&q);
    remove_folder();
}
END

/* A record of CIFAR-10: the label, then planes of red, green and blue. */
TEST(pictures_become_the_networks_pixels_and_raw_tensors_stay)
{
    QModel q;
    Inputs in;
    uint8_t record[3073];
    int8_t image[3072];
    record[0] = 7;
    for (int i = 0; i < 3072; i++)
        record[1 + i] = (uint8_t)(i * 7);
    make_folder();
    put("test_batch.bin", record, sizeof record);
    make_network(&q, 32, 32, 3, 10);
    q.tensor[0] = (QTensor){0.02f, 7};
    InputOptions o = {.path = folder, .layout = "cifar10", .pixels = "100,110,120:50,60,70"};
    OK(inputs_open(&in, &q, &o));
    ck_assert(in.set.n == 1 && in.set.label[0] == 7);
    dataset_int8(&in.set, 0, image);
    for (int i = 0; i < 3072; i++) {
        int c = i % 3;
        double real = (record[1 + c * 1024 + i / 3] - (100 + 10 * c)) / (50 + 10.0 * c);
        double slow = round(real / (double)0.02f) + 7;
        ck_assert_int_eq(image[i], slow > 127 ? 127 : slow < -128 ? -128 : (int)slow);
    }
    inputs_release(&in);
    const char *raw = put("raw/x.bin", record, 3072);
    OK(inputs_open(&in, &q, &(InputOptions){.path = raw, .pixels = o.pixels}));
    dataset_int8(&in.set, 0, image);
    ck_assert_mem_eq(image, record, 3072);
    inputs_release(&in);
    qmodel_release(&q);
    remove_folder();
}
END

static void refused(const QModel *q, InputOptions o, const char *words)
{
    Inputs in;
    char *path = in_folder(o.path);
    o.path = path;
    ck_assert_int_eq(inputs_open(&in, q, &o), -1);
    HAS(error_text(), words);
    free(path);
}

TEST(what_does_not_fit_the_network_is_said)
{
    QModel q;
    make_folder();
    put_classes();
    put("long/x", "1234567", 7);
    put("two/a.bin", "", 0);
    make_network(&q, 1, 2, 3, 3);
    refused(&q, (InputOptions){.path = "nowhere"}, "there is no");
    refused(&q, (InputOptions){.path = "long"}, "7 bytes; an input of 1 x 2 x 3 has 6");
    refused(&q, (InputOptions){.path = "two"}, "has 0 bytes");
    refused(&q, (InputOptions){.path = "data", .classes = "a,b"}, "names 2 classes");
    refused(&q, (InputOptions){.path = "data", .classes = "ant,bee,dog"}, "'cat'");
    refused(&q, (InputOptions){.path = "data", .classes = "ant,bee,ant"}, "'ant' comes twice");
    refused(&q, (InputOptions){.path = "data/test/ant", .layout = "raw"}, "no class folders");
    refused(&q, (InputOptions){.path = "data/train"}, "could be read");
    refused(&q, (InputOptions){.path = "data", .pixels = "1..3"}, "MEAN:DEVIATION");
    qmodel_release(&q);
    make_network(&q, 1, 2, 3, 5);
    refused(&q, (InputOptions){.path = "data"}, "has 3 classes, the network 5 outputs");
    qmodel_release(&q);
    remove_folder();
}
END

/* ---- counting -------------------------------------------------------------------------------- */

TEST(a_tally_counts_right_answers_ties_and_the_usual_mistake)
{
    static const int8_t output[6][3] = {{1, 2, 3}, {3, 3, 1}, {0, 9, 0}, {0, 0, 9}, {0, 9, 9},
                                        {0, 9, 1}};
    uint16_t label[] = {2, 0, 0, 0, 2, 0};
    const Inputs in = {.set = {.n = 6, .label = label, .n_classes = 3}, .labelled = true};
    Tally t;
    tally_make(&t, &in, 6, output[0], 3); /* said: 2 0 1 2 1 1 */
    ck_assert(t.n == 6 && t.correct == 2 && t.ties == 2);
    ck_assert(t.class[0].n == 4 && t.class[0].correct == 1);
    ck_assert(t.class[0].mistaken == 1 && t.class[0].times == 2);
    ck_assert(t.class[1].n == 0 && t.class[1].mistaken == -1);
    ck_assert(t.class[2].n == 2 && t.class[2].correct == 1 && t.class[2].mistaken == 1);
    tally_release(&t);
    tally_make(&t, &in, 2, output[0], 3); /* the first two answers, to pictures 0 and 3 */
    ck_assert(t.correct == 2 && t.class[0].n == 1 && t.class[2].n == 1);
    tally_release(&t);
}
END

/* ---- published accuracies -------------------------------------------------------------------- */

typedef struct {
    const char *model, *set, *classes;
    int n, correct, ties;
    const char *per_class; /* correct, in the network's order */
    const char *input_sha256, *output_sha256; /* of all, in order; the outputs' only where the
                                                 inputs are the same: JPEG decoders differ */
    bool jpeg;
} Published;

/* data/models/golden/accuracy.txt */
static const Published published[] = {
    {"kws_ref_model", "kws01", "down,go,left,no,off,on,right,stop,up,yes,_silence_,_unknown_", 1000,
     901, 3, "78 76 75 76 64 73 66 74 72 83 80 84 ",
     "9b7ee98e15a911dbbbe72d97e09aeaca6824545e6bc7effdeceb068610a6966e",
     "c25ae66df4e6465ddef182220627932a18074d9c7930a70b8a5e5f757a5c0187", false},
    {"pretrainedResnet_quant", "cifar10-raw500", NULL, 500, 441, 6,
     "46 51 43 32 44 43 51 37 46 48 ",
     "4ef619a40730d504e4587ca95db09bcc8b1e268b087ff3431c930e3c0add3738",
     "6dbbacc1462f3fbc27bba4be9ec6a64448775c7a7602f80b9f0753ece0bea3b9", false},
    {"vww_96_int8", "vww01", NULL, 1000, 854, 1, "463 391 ",
     "e4a36f5b56ad4efee202638be1378c520927dd93ffb6c52ce4de4cb9ec41ad29",
     "18eb36e14fed90c10fc32347e4b9b2b35165b9869fee2497ec44263a90805083", true},
    {"te_vww", "vww01", "non_person,person", 1000, 901, 17, "484 417 ",
     "cbc1360390a4b8e69b25123a40f8ae34a32c02beb061f327fef3cbe956aac7ec",
     "6d1396b86048fa9e3ced8d88437e283a9f5575a3c654cf24e31fe955e7dd2660", true},
};

static const char *shared_model(const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "data/models/%s.tflite", name);
    return shared_file(path);
}

static const char *shared_set(const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "data/%s.tar", name);
    return shared_file(path);
}

static bool has_sha256(const int8_t *bytes, size_t size, const char *expected)
{
    char line[80] = "", *command = xasprintf("sha256sum %s", put("bytes", bytes, size));
    FILE *f = popen(command, "r");
    ck_assert(f && fgets(line, sizeof line, f));
    pclose(f);
    free(command);
    return strncmp(line, expected, 64) == 0;
}

/* float32 borders: what is published are the reals. */
static bool is_published(const int8_t *q, size_t n, QTensor t, bool reals, const char *sha256)
{
    if (!reals)
        return has_sha256(q, n, sha256);
    float *real = xmalloc(n * sizeof *real);
    for (size_t i = 0; i < n; i++)
        real[i] = (float)(q[i] - t.zero) * t.scale;
    bool same = has_sha256((int8_t *)real, n * sizeof *real, sha256);
    free(real);
    return same;
}

/* What the network was shown, byte for byte. */
static bool same_inputs(const Inputs *in, const Published *p, QTensor t, bool reals)
{
    const Dataset *d = &in->set;
    size_t bytes = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    int8_t *all = xmalloc((size_t)d->n * bytes);
    for (int i = 0; i < d->n; i++)
        dataset_int8(d, i, all + (size_t)i * bytes);
    bool same = is_published(all, (size_t)d->n * bytes, t, reals, p->input_sha256);
    free(all);
    return same;
}

static void check_counts(const Published *p, const Inputs *in, const int8_t *output, int classes)
{
    char per_class[256] = "";
    Tally t;
    tally_make(&t, in, p->n, output, classes);
    for (int k = 0; k < classes; k++)
        snprintf(per_class + strlen(per_class), sizeof per_class - strlen(per_class), "%d ",
                 t.class[k].correct);
    ck_assert_int_eq(t.correct, p->correct);
    ck_assert_int_eq(t.ties, p->ties);
    ck_assert_str_eq(per_class, p->per_class);
    tally_release(&t);
}

/* `pixels` that come to the same inputs; stream and the image outside on every other. */
static void check_published(const Published *p, const char *pixels)
{
    static TfliteInfo info;
    QModel q;
    Inputs in;
    make_folder();
    must("tar -xf %s -C %s", shared_set(p->set), folder);
    OK(tflite_load(&q, &info, shared_model(p->model)));
    int threads = omp_get_max_threads();
    OK(inputs_open(&in, &q, &(InputOptions){.path = folder, .classes = p->classes, .pixels = pixels,
                                            .resize = RESIZE_STRETCH, .threads = threads}));
    ck_assert_int_eq(in.set.n, p->n);
    int classes = (int)net_tensor_bytes(&q.net, q.net.n_layers - 1);
    int8_t *output = xmalloc((size_t)(p->n * classes));
    PlanOptions plan = {.policy = POLICY_STREAM, .image_outside = p->jpeg};
    OK(host_outputs(&q, &plan, &in.set, 0, threads, output));
    bool reals = info.input.type == TYPE_FLOAT32;
    if (same_inputs(&in, p, q.tensor[0], reals)) {
        check_counts(p, &in, output, classes);
        ck_assert(is_published(output, (size_t)(p->n * classes), q.tensor[q.net.n_layers], reals,
                               p->output_sha256));
    } else {
        Tally t;
        tally_make(&t, &in, p->n, output, classes);
        ck_assert(p->jpeg); /* another decoder: a point either way */
        ck_assert_int_le(abs(t.correct - p->correct), p->n / 100);
        tally_release(&t);
    }
    free(output);
    inputs_release(&in);
    qmodel_release(&q);
    remove_folder();
}

TEST(keywords_are_recognised_as_published)
{
    SKIP_WITHOUT(shared_set("kws01"));
    check_published(&published[0], NULL);
}
END

TEST(small_pictures_are_recognised_as_published)
{
    SKIP_WITHOUT(shared_set("cifar10-raw500"));
    check_published(&published[1], "0..255");
}
END

TEST(persons_are_recognised_as_published)
{
    SKIP_WITHOUT(shared_set("vww01"));
    check_published(&published[2], "0..1");
}
END

TEST(mcunets_persons_are_recognised_as_published_at_another_size)
{
    SKIP_WITHOUT(shared_set("vww01"));
    check_published(&published[3], NULL);
}
END

/* ---- golden outputs on the board ------------------------------------------------------------- */

typedef struct {
    const char *model, *target;
    Policy policy;
    bool outside;
    int n; /* inputs, from 5 on: real samples */
} OnBoard;

typedef struct {
    QModel q;
    Target target;
    DeviceOptions device;
    Plan plan;
    int8_t *images;
    DeviceRun run;
    char *error; /* of device_run() */
} Board;

static int8_t *golden(const char *model, const char *what, int i, size_t bytes)
{
    char path[128];
    size_t size;
    snprintf(path, sizeof path, "data/models/golden/%s/%s_%d.bin", model, what, i);
    char *data = file_read(shared_file(path), &size);
    ck_assert_msg(data != NULL, "%s", error_text());
    ck_assert_uint_eq(size, bytes);
    return (int8_t *)data;
}

/* On the host with the file byte for byte; what the board says is then compared with the host. */
static void check_on_host(Board *board, const OnBoard *b, int i)
{
    const Net *net = &board->q.net;
    size_t bytes = net_tensor_bytes(net, NET_IMAGE);
    size_t output_bytes = net_tensor_bytes(net, net->n_layers - 1);
    uint32_t touched;
    int8_t *input = golden(b->model, "input", 5 + i, bytes);
    int8_t *expected = golden(b->model, "output", 5 + i, output_bytes);
    int8_t *output = xmalloc(output_bytes);
    OK(host_run(&board->q, &board->plan, input, output, &touched));
    ck_assert_mem_eq(output, expected, output_bytes);
    memcpy(board->images + (size_t)i * bytes, input, bytes);
    free(input);
    free(expected);
    free(output);
}

static void prepare(Board *board, const OnBoard *b)
{
    OK(tflite_load(&board->q, NULL, shared_model(b->model)));
    OK(config_target(&board->target, b->target));
    board->images = xmalloc((size_t)b->n * net_tensor_bytes(&board->q.net, NET_IMAGE));
    board->device = (DeviceOptions){.target = &board->target, .images = board->images,
                                    .n_images = b->n,
                                    .plan = {.policy = (uint8_t)b->policy,
                                             .image_outside = b->outside}};
    plan_make(&board->q.net, &board->device.plan, &board->plan);
    for (int i = 0; i < b->n; i++)
        check_on_host(board, b, i);
}

static void check_on_board(const Board *board, const OnBoard *b)
{
    const char *policy = policy_name(b->policy);
    ck_assert_msg(!board->error, "%s, %s: %s", b->model, policy, board->error);
    ck_assert_msg(board->run.n_equal == b->n, "%s, %s: %d of %d outputs are equal", b->model,
                  policy, board->run.n_equal, b->n);
    ck_assert(board->run.canaries);
    ck_assert_uint_eq(board->run.arena, board->plan.arena);
}

/* Building takes most of the time, so several at once. */
static void check_boards(const OnBoard *b, int n)
{
    Board *board = xcalloc((size_t)n, sizeof *board);
    for (int i = 0; i < n; i++)
        prepare(&board[i], &b[i]);
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < n; i++)
        if (device_run(&board[i].q, &board[i].device, &board[i].run) != 0)
            board[i].error = xstrdup(error_text());
    for (int i = 0; i < n; i++) {
        check_on_board(&board[i], &b[i]);
        qmodel_release(&board[i].q);
        free(board[i].images);
    }
    free(board);
}

TEST(a_cortex_m7_gives_the_golden_outputs_under_every_schedule)
{
    static const char *const model[] = {"te_vww",        "vww_96_int8",            "ad01_int8",
                                        "kws_ref_model", "pretrainedResnet_quant",
                                        "micro_speech_quantized", "hello_world_int8"};
    enum { MODELS = sizeof model / sizeof *model };
    static const Policy policy[] = {POLICY_LAYERWISE, POLICY_INPLACE, POLICY_STREAM};
    SKIP_WITHOUT(shared_model(model[0]));
    SKIP_LACKING(device_missing());
    OnBoard board[MODELS * 3];
    for (int i = 0; i < MODELS * 3; i++)
        board[i] = (OnBoard){.model = model[i / 3], .target = "cortex-m7", .policy = policy[i % 3],
                             .n = i / 3 < 2 ? 1 : 2};
    check_boards(board, MODELS * 3);
}
END

TEST(a_cortex_m4_does_too_and_with_the_image_outside)
{
    SKIP_WITHOUT(shared_model("kws_ref_model"));
    SKIP_LACKING(device_missing());
    check_boards((OnBoard[]){{"kws_ref_model", "cortex-m4", POLICY_LAYERWISE, false, 2},
                             {"kws_ref_model", "cortex-m4", POLICY_INPLACE, false, 2},
                             {"kws_ref_model", "cortex-m4", POLICY_STREAM, true, 2}},
                 3);
}
END

/* ---- the commands ---------------------------------------------------------------------------- */

typedef struct {
    int status;
    char out[32768], err[4096];
} Ran;

static void take(FILE *f, char *text, size_t room)
{
    rewind(f);
    text[fread(text, 1, room - 1, f)] = 0;
    fclose(f);
}

static Ran run_with(int (*command)(int, char **), const char *const *words)
{
    char *argv[24] = {0};
    int argc = 0, status;
    for (; words[argc]; argc++)
        argv[argc] = xstrdup(words[argc]);
    Ran ran = {0};
    FILE *out = tmpfile(), *err = tmpfile();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(out), 1), dup2(fileno(err), 2);
        exit(command(argc, argv));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ran.status = WEXITSTATUS(status);
    take(out, ran.out, sizeof ran.out);
    take(err, ran.err, sizeof ran.err);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return ran;
}

#define RUN(command, ...) run_with(command, (const char *[]){"thimble", __VA_ARGS__, NULL})

/* A file of a few layers, three outputs, made by hand; its path in the folder is yours to free. */
static char *put_model(const char *name)
{
    static Maker k;
    size_t size;
    memset(&k, 0, sizeof k);
    k.rng = rng_make(5, 0);
    wm_begin(&k.m, 4, 4, 3);
    MkConv conv = {.kh = 3, .kw = 3, .s = 1, .channels = 4, .same = true};
    int at = mk_conv(&k, k.m.input, conv);
    at = mk_pool(&k, TFLITE_AVERAGE_POOL_2D, at, 4, 4, 4, false);
    mk_dense(&k, at, 3);
    unsigned char *bytes = wm_bytes(&k.m, &size);
    char *path = xstrdup(put(name, bytes, size));
    free(bytes);
    return path;
}

/* Three classes whose files are what the network itself takes them for, but for one. */
static char *put_taught(const char *model)
{
    QModel q;
    Rng rng = rng_make(4, 0);
    uint32_t touched;
    Plan plan;
    int seen[3] = {0};
    OK(tflite_load(&q, NULL, model));
    plan_make(&q.net, &(PlanOptions){.policy = POLICY_LAYERWISE}, &plan);
    for (int i = 0; i < 400; i++) {
        int8_t image[48], output[3];
        char name[48];
        for (int k = 0; k < 48; k++)
            image[k] = (int8_t)((int)rng_below(&rng, 256) - 128);
        OK(host_run(&q, &plan, image, output, &touched));
        int said = host_argmax(output, 3);
        if (seen[said]++ >= 5)
            continue;
        int label = said == 0 && seen[0] == 1 ? 2 : said; /* one is wrong */
        snprintf(name, sizeof name, "data/%c/%d.bin", "xyz"[label], i);
        put(name, image, 48);
    }
    ck_assert(seen[0] >= 5 && seen[1] >= 5 && seen[2] >= 5);
    qmodel_release(&q);
    return in_folder("data");
}

TEST(run_says_how_often_a_file_is_right)
{
    make_folder();
    char *model = put_model("m.tflite"), *data = put_taught(model);
    Ran r = RUN(cmd_run, model, "--data", data, "--layout", "raw");
    ck_assert_msg(r.status == EXIT_OK, "%s", r.err);
    HAS(r.out, "93.33 %  (14 of 15 test images, int8)");
    HAS(r.out, "schedule stream, image inside");
    HAS(r.out, "x (1)");
    r = RUN(cmd_run, model, "--data", data, "--classes", "x,y,z", "-f", "csv", "--schedule",
            "layerwise", "--image", "outside");
    ck_assert_str_eq(r.out, "class,inputs,correct,accuracy,mistaken_for,times\r\n"
                            "x,4,4,1,,\r\ny,5,5,1,,\r\nz,6,5,0.8333333333333334,x,1\r\n");
    r = RUN(cmd_run, model, "--data", data, "-f", "json", "--images", "3");
    HAS(r.out, "\"n\": 3,");
    HAS(r.out, "\"schedule\": \"stream\"");
    free(model);
    free(data);
    remove_folder();
}
END

TEST(run_says_what_a_file_answers)
{
    QModel q;
    Plan plan;
    uint32_t touched;
    int8_t output[3];
    static const int8_t image[96] = {1, 2, 3, -4, 5};
    make_folder();
    char *model = put_model("m.tflite");
    const char *data = put("two.bin", image, 96);
    OK(tflite_load(&q, NULL, model));
    plan_make(&q.net, &(PlanOptions){.policy = POLICY_LAYERWISE}, &plan);
    OK(host_run(&q, &plan, image, output, &touched));
    char *bytes = xasprintf(",%d %d %d\r\n", output[0], output[1], output[2]);
    Ran r = RUN(cmd_run, model, "--data", data, "-f", "csv", "--classes", "a,b,c");
    ck_assert_msg(r.status == EXIT_OK, "%s", r.err);
    HAS(r.out, bytes);
    HAS(r.out, "two.bin#2,");
    r = RUN(cmd_run, model, "--data", data);
    HAS(r.out, "real = (int8 ");
    r = RUN(cmd_run, model, "--data", data, "-f", "json");
    HAS(r.out, "\"output_scale\"");
    ck_assert_ptr_null(strstr(r.out, "shown"));
    free(bytes);
    qmodel_release(&q);
    free(model);
    remove_folder();
}
END

TEST(wrong_options_are_usage_and_wrong_data_a_failed_job)
{
    make_folder();
    char *model = put_model("m.tflite");
    static const struct {
        int status;
        const char *word[4], *says;
    } cases[] = {
        {EXIT_USAGE, {NULL}, "--data FOLDER or FILE"},
        {EXIT_USAGE, {"--on", "moon"}, "wants host or qemu:TARGET"},
        {EXIT_USAGE, {"--schedule", "tinyengine"}, "tinyengine"},
        {EXIT_USAGE, {"--image", "beside"}, "neither outside nor resident"},
        {EXIT_USAGE, {"--sram", "12 apples"}, "apples"},
        {EXIT_USAGE, {"--sram", "1KiB", "--recompute", "5"}, "one budget"},
        {EXIT_USAGE, {"--pixels", "many"}, "MEAN:DEVIATION"},
        {EXIT_USAGE, {"--layout", "synthetic"}, "none of"},
        {EXIT_JOB, {"--data", "/nowhere"}, "/nowhere"},
        {EXIT_JOB, {"--on", "qemu:moon"}, "moon"},
        {EXIT_JOB, {"--data", "README.md", "--sram", "40"}, "--sram is 40 B"},
        {EXIT_JOB, {"--data", "README.md", "--sram", "9KiB"}, "an input of 4 x 4 x 3 has 48"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *w = cases[i].word;
        Ran r = RUN(cmd_run, model, w[0], w[1], w[2], w[3]);
        ck_assert_msg(r.status == cases[i].status, "%zu: %d %s", i, r.status, r.err);
        HAS(r.err, cases[i].says);
        ck_assert_str_eq(r.out, "");
    }
    free(model);
    remove_folder();
}
END

TEST(run_compares_a_file_on_the_board_with_what_was_predicted)
{
    SKIP_LACKING(device_missing());
    make_folder();
    char *model = put_model("m.tflite");
    Ran r = RUN(cmd_run, model, "--on", "qemu:cortex-m4", "--images", "3", "--image", "outside");
    ck_assert_msg(r.status == EXIT_OK, "%s%s", r.out, r.err);
    HAS(r.out, "schedule stream, image outside");
    HAS(r.out, "3 of 3 inputs equal to the host's byte for byte; canaries untouched");
    r = RUN(cmd_run, model, "--on", "qemu:cortex-m4", "-f", "csv", "--schedule", "inplace");
    HAS(r.out, "what,predicted,measured,unit\r\narena,");
    HAS(r.out, "outputs equal,4,4,inputs\r\n");
    free(model);
    remove_folder();
}
END

TEST(an_exported_file_builds_and_says_how_to_feed_it)
{
    make_folder();
    char *model = put_model("m.tflite"), *out = in_folder("out");
    Ran r = RUN(cmd_export, model, "-o", out, "--target", "stm32f412");
    ck_assert_msg(r.status == EXIT_OK, "%s", r.err);
    HAS(r.out, "model.c");
    HAS(r.out, "stream, image inside");
    must("cd %s && grep -q '4 x 4 x 3 int8, real = (q - 0) \\* 0.5' README.md model.h && "
         "grep -q 'int8 = round(real / 0.5) + 0' README.md && "
         "grep -q 'int8 = round(real / 0.5) + 0' model.h && "
         "! grep -q 'pixel - 128' model.h README.md && grep -q cortex-m4 board.mk", out);
    must("cd %s && make -s host HOST_CFLAGS='-std=c99 -Wall -Wextra -Werror -I. -Iboards' && "
         "./model_host | grep -q 'sample equal'", out);
    r = RUN(cmd_export, model, "-o", out, "--image", "outside", "--recompute", "50");
    ck_assert_msg(r.status == EXIT_OK, "%s", r.err);
    must("cd %s && grep -q 'MODEL_IMAGE_OUTSIDE 1' model.h && make -s host && "
         "./model_host | grep -q 'sample equal'", out);
    r = RUN(cmd_export, model, "-o", out, "--schedule", "layerwise", "--recompute", "50");
    ck_assert_int_eq(r.status, EXIT_JOB);
    HAS(r.err, "--recompute is for --schedule stream");
    r = RUN(cmd_export, model);
    ck_assert_int_eq(r.status, EXIT_USAGE);
    free(model);
    free(out);
    remove_folder();
}
END

/* Both in one program, each as golden as alone. */
TEST(two_models_of_the_field_share_a_firmware)
{
    static const char main_c[] =
        "#include \"kws.h\"\n#include \"micro.h\"\n#include <stdio.h>\n"
        "static int8_t arena[KWS_ARENA_BYTES > MICRO_ARENA_BYTES ? KWS_ARENA_BYTES : "
        "MICRO_ARENA_BYTES] __attribute__((aligned(KWS_ARENA_ALIGN)));\n"
        "int main(void)\n{\n"
        "    if (fread(kws_input(arena), 1, KWS_INPUT_BYTES, stdin) != KWS_INPUT_BYTES)\n"
        "        return 1;\n"
        "    kws_run(arena, NULL);\n"
        "    fwrite(kws_output(arena), 1, KWS_OUTPUT_BYTES, stdout);\n"
        "    if (fread(micro_input(arena), 1, MICRO_INPUT_BYTES, stdin) != MICRO_INPUT_BYTES)\n"
        "        return 1;\n"
        "    micro_run(arena, NULL);\n"
        "    fwrite(micro_output(arena), 1, MICRO_OUTPUT_BYTES, stdout);\n"
        "    return 0;\n}\n";
    char kws[512], micro[512];
    SKIP_WITHOUT(shared_model("kws_ref_model"));
    make_folder();
    char *a = in_folder("kws"), *b = in_folder("micro");
    strcpy(kws, shared_file("data/models/golden/kws_ref_model"));
    strcpy(micro, shared_file("data/models/golden/micro_speech_quantized"));
    Ran r = RUN(cmd_export, shared_model("kws_ref_model"), "-o", a, "--prefix", "kws");
    ck_assert_msg(r.status == EXIT_OK, "%s", r.err);
    r = RUN(cmd_export, shared_model("micro_speech_quantized"), "-o", b, "--prefix", "micro");
    ck_assert_msg(r.status == EXIT_OK, "%s", r.err);
    put("main.c", main_c, strlen(main_c));
    must("cd %s && gcc -std=c99 -O1 -Wall -Wextra -Werror -Ikws -Imicro -o both main.c kws/kws.c "
         "micro/micro.c kws/tb_*.c", folder);
    must("cat %s/input_5.bin %s/input_6.bin | %s/both >%s/out && "
         "cat %s/output_5.bin %s/output_6.bin | cmp - %s/out",
         kws, micro, folder, folder, kws, micro, folder);
    if (!device_missing())
        must("cd %s && arm-none-eabi-gcc -std=c99 -O2 -mcpu=cortex-m4 -mthumb -ffreestanding "
             "-nostdlib -r -Ikws -Imicro -o both.o kws/kws.c micro/micro.c kws/tb_*.c", folder);
    free(a);
    free(b);
    remove_folder();
}
END

SUITE(imported, pixel_minus_128_is_what_the_usual_images_come_to,
      other_pixels_are_quantised_channel_by_channel, what_says_no_pixels_is_refused,
      class_folders_are_labelled_in_the_networks_order,
      a_network_may_know_more_classes_than_the_data_has,
      inputs_without_labels_are_files_in_order_and_raw_ones_may_hold_several,
      pictures_become_the_networks_pixels_and_raw_tensors_stay,
      what_does_not_fit_the_network_is_said,
      a_tally_counts_right_answers_ties_and_the_usual_mistake, keywords_are_recognised_as_published,
      small_pictures_are_recognised_as_published, persons_are_recognised_as_published,
      mcunets_persons_are_recognised_as_published_at_another_size,
      a_cortex_m7_gives_the_golden_outputs_under_every_schedule,
      a_cortex_m4_does_too_and_with_the_image_outside, run_says_how_often_a_file_is_right,
      run_says_what_a_file_answers, wrong_options_are_usage_and_wrong_data_a_failed_job,
      run_compares_a_file_on_the_board_with_what_was_predicted,
      an_exported_file_builds_and_says_how_to_feed_it, two_models_of_the_field_share_a_firmware)
