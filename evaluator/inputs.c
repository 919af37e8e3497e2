#define _GNU_SOURCE
#include "evaluator/inputs.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "dataset/picture.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static size_t input_bytes(const Dataset *d)
{
    return (size_t)d->h * (size_t)d->w * (size_t)d->c;
}

static bool takes_pictures(const Dataset *d)
{
    return d->c == 1 || d->c == 3;
}

/* --- names of classes */

static void names_free(char **name, int n)
{
    for (int i = 0; i < n; i++)
        free(name[i]);
    free(name);
}

static int find_name(char *const *name, int n, const char *wanted)
{
    for (int i = 0; i < n; i++)
        if (strcmp(name[i], wanted) == 0)
            return i;
    return -1;
}

static int add_class(Inputs *in, const char *name)
{
    if (find_name(in->class_name, in->n_classes, name) >= 0)
        return errorf("--classes: '%s' comes twice", name);
    in->class_name = xrealloc(in->class_name, (size_t)(in->n_classes + 1) * sizeof *in->class_name);
    in->class_name[in->n_classes++] = xstrdup(name);
    return 0;
}

/* "cat,dog", or the lines of a file of that name. */
static int read_classes(Inputs *in, const char *classes, int n_outputs)
{
    bool is_file = file_exists(classes) && !file_is_dir(classes);
    char *text = is_file ? file_read(classes, NULL) : xstrdup(classes), *rest = text;
    int status = text ? 0 : -1;
    for (char *word; status == 0 && (word = strsep(&rest, is_file ? "\n" : ","));) {
        word[strcspn(word, "\r")] = 0;
        if (word[0])
            status = add_class(in, word);
    }
    free(text);
    if (status == 0 && in->n_classes != n_outputs)
        status = errorf("--classes names %d classes, the network has %d outputs", in->n_classes,
                        n_outputs);
    return status;
}

/* Labels that count folders become labels that count outputs. */
static int take_labels(Inputs *in, const char *path, int n_outputs)
{
    Dataset *d = &in->set;
    if (in->n_classes == 0 && d->n_classes != n_outputs)
        return errorf("%s has %d classes, the network %d outputs: --classes names them, in their "
                      "order", path, d->n_classes, n_outputs);
    for (int k = 0; in->n_classes < n_outputs && k < d->n_classes; k++)
        if (add_class(in, d->class_name[k]) != 0)
            return -1;
    int *output = xmalloc((size_t)d->n_classes * sizeof *output), status = 0;
    for (int k = 0; k < d->n_classes && status == 0; k++) {
        output[k] = find_name(in->class_name, in->n_classes, d->class_name[k]);
        if (output[k] < 0)
            status = errorf("%s has a class '%s' that --classes does not name", path,
                            d->class_name[k]);
    }
    for (int i = 0; i < d->n && status == 0; i++)
        d->label[i] = (uint16_t)output[d->label[i]];
    free(output);
    return status;
}

/* --- what a pixel is */

/* Of pictures [from, n). */
static void translate(Inputs *in, QTensor input, int from)
{
    Dataset *d = &in->set;
    uint8_t table[3][256];
    if (in->pixels.plain)
        return;
    for (int c = 0; c < 3; c++)
        for (int p = 0; p < 256; p++)
            table[c][p] = (uint8_t)(pixels_int8(&in->pixels, input, c, p) + 128);
    for (size_t i = (size_t)from * input_bytes(d); i < (size_t)d->n * input_bytes(d); i++)
        d->pixel[i] = table[i % (size_t)d->c][d->pixel[i]];
}

static void warn_of_pixels(QTensor input, const InputOptions *o)
{
    if (!o->pixels && !pixels_usual(input))
        log_warn("the input's scale %.6g and zero %d fit no pixels of 0..1, -1..1 or 0..255; int8 "
                 "= pixel - 128 is taken, --pixels may say better",
                 (double)input.scale, input.zero);
}

/* --- with labels */

static int may_be_folder(const struct dirent *e)
{
    return e->d_name[0] != '.' && e->d_type != DT_REG;
}

static bool has_folders(const char *path)
{
    struct dirent **entry;
    int n = scandir(path, &entry, may_be_folder, NULL), folders = 0;
    for (int i = 0; i < n; i++) {
        char *sub = xasprintf("%s/%s", path, entry[i]->d_name);
        folders += file_is_dir(sub);
        free(sub);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
    return folders > 0;
}

static int choose_format(DataOptions *data, const InputOptions *o)
{
    if (o->layout)
        return data_format_parse(o->layout, &data->format);
    data->format = DATA_IMAGES;
    if ((data->c != 1 && data->c != 3) || data_classes(data) < 0)
        data->format = DATA_RAW;
    return 0;
}

static int open_labelled(Inputs *in, const QModel *q, const InputOptions *o)
{
    const Net *net = &q->net;
    Data data;
    DataOptions d = {.only_test = true, .resize = o->resize, .threads = o->threads,
                     .h = net->h, .w = net->w, .c = net->c,
                     .raw_h = net->h, .raw_w = net->w, .raw_c = net->c};
    if (strlen(o->path) >= sizeof d.path)
        return errorf("--data: longer than %zu characters", sizeof d.path - 1);
    strcpy(d.path, o->path);
    if (choose_format(&d, o) != 0 || data_open(&data, &d) != 0)
        return -1;
    in->set = data.test; /* train is empty, and test has its own of all but the names */
    in->labelled = true;
    if (d.format != DATA_RAW) {
        warn_of_pixels(q->tensor[0], o);
        translate(in, q->tensor[0], 0);
    }
    return take_labels(in, o->path, (int)net_tensor_bytes(net, net->n_layers - 1));
}

/* --- without */

/* Room for n more, their names "file" or "file#1", "file#2"...; where the first goes. */
static uint8_t *add_inputs(Inputs *in, const char *file, int n)
{
    Dataset *d = &in->set;
    size_t total = (size_t)(d->n + n);
    d->pixel = xrealloc(d->pixel, total * input_bytes(d));
    in->name = xrealloc(in->name, total * sizeof *in->name);
    for (int i = 0; i < n; i++)
        in->name[d->n + i] = n == 1 ? xstrdup(file) : xasprintf("%s#%d", file, i + 1);
    d->n += n;
    return d->pixel + (total - (size_t)n) * input_bytes(d);
}

static int add_picture(Inputs *in, const QModel *q, const InputOptions *o, const char *path,
                       const char *bytes, size_t size)
{
    Dataset *d = &in->set;
    Picture p;
    if (picture_decode(&p, (const uint8_t *)bytes, size, path, d->h, d->w, d->c) != 0)
        return -1;
    uint8_t *pixel = add_inputs(in, path, 1);
    if (o->resize == RESIZE_STRETCH)
        picture_stretch(&p, d->h, d->w, d->c, pixel);
    else
        picture_fit(&p, d->h, d->w, d->c, pixel);
    picture_release(&p);
    translate(in, q->tensor[0], d->n - 1);
    return 0;
}

static int add_raw(Inputs *in, const char *path, const char *bytes, size_t size)
{
    Dataset *d = &in->set;
    size_t one = input_bytes(d), n = size / one;
    if (size == 0 || size % one != 0 || n > INT32_MAX / 2)
        return errorf("%s has %zu bytes; an input of %d x %d x %d has %zu", path, size, d->h, d->w,
                      d->c, one);
    uint8_t *pixel = add_inputs(in, path, (int)n);
    for (size_t i = 0; i < size; i++)
        pixel[i] = (uint8_t)((uint8_t)bytes[i] ^ 128); /* int8 + 128 */
    return 0;
}

static int add_file(Inputs *in, const QModel *q, const InputOptions *o, const char *path)
{
    size_t size;
    char *bytes = file_read(path, &size);
    if (!bytes)
        return -1;
    bool picture = takes_pictures(&in->set) && picture_magic((uint8_t *)bytes, size);
    if (picture && in->set.n == 0)
        warn_of_pixels(q->tensor[0], o);
    int status = picture ? add_picture(in, q, o, path, bytes, size)
                         : add_raw(in, path, bytes, size);
    free(bytes);
    return status;
}

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(Inputs *in, const QModel *q, const InputOptions *o)
{
    struct dirent **entry;
    int n = scandir(o->path, &entry, is_visible, by_bytes), status = 0;
    if (n < 0)
        return errorf("cannot open the folder %s", o->path);
    for (int i = 0; i < n; i++) {
        char *path = xasprintf("%s/%s", o->path, entry[i]->d_name);
        if (status == 0)
            status = add_file(in, q, o, path);
        free(path);
        free(entry[i]);
    }
    free(entry);
    return n == 0 ? errorf("%s is empty", o->path) : status;
}

/* --- either */

static void begin(Inputs *in, const QModel *q)
{
    *in = (Inputs){.set = {.h = q->net.h, .w = q->net.w, .c = q->net.c}, .pixels.plain = true};
}

static int open_it(Inputs *in, const QModel *q, const InputOptions *o)
{
    if (o->pixels && pixels_parse(&in->pixels, o->pixels) != 0)
        return -1;
    if (o->classes &&
        read_classes(in, o->classes, (int)net_tensor_bytes(&q->net, q->net.n_layers - 1)) != 0)
        return -1;
    if (!file_exists(o->path))
        return errorf("--data: there is no %s", o->path);
    if (!file_is_dir(o->path))
        return add_file(in, q, o, o->path);
    return o->layout || has_folders(o->path) ? open_labelled(in, q, o) : add_folder(in, q, o);
}

int inputs_open(Inputs *in, const QModel *q, const InputOptions *o)
{
    begin(in, q);
    int status = open_it(in, q, o);
    if (status != 0)
        inputs_release(in);
    return status;
}

void inputs_draw(Inputs *in, const QModel *q, int n)
{
    Rng rng = rng_make(1, 0);
    begin(in, q);
    uint8_t *pixel = add_inputs(in, "drawn", n);
    for (size_t i = 0; i < (size_t)n * input_bytes(&in->set); i++)
        pixel[i] = (uint8_t)rng_below(&rng, 256);
}

void inputs_release(Inputs *in)
{
    names_free(in->name, in->name ? in->set.n : 0);
    names_free(in->class_name, in->n_classes);
    names_free(in->set.class_name, in->set.n_classes);
    free(in->set.pixel);
    free(in->set.label);
    *in = (Inputs){0};
}
