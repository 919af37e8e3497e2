#define _GNU_SOURCE
#include "dataset/dataset.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "dataset/reader.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const char *const format_names[] = {
#define X(format, name) [DATA_##format] = name,
    DATA_FORMATS(X)
#undef X
};

static const Reader *const readers[N_DATA_FORMATS] = {
    [DATA_IMAGES] = &images_reader,
    [DATA_CIFAR10] = &cifar10_reader,
    [DATA_IDX] = &idx_reader,
    [DATA_RAW] = &raw_reader,
    [DATA_SYNTHETIC] = &synthetic_reader,
};

const char *data_format_name(DataFormat format)
{
    assert(format < N_DATA_FORMATS);
    return format_names[format];
}

int data_format_parse(const char *name, DataFormat *format)
{
    for (int i = 0; i < N_DATA_FORMATS; i++)
        if (strcmp(name, format_names[i]) == 0) {
            *format = (DataFormat)i;
            return 0;
        }
    return errorf("unknown data format '%s': images, cifar10, idx, raw or synthetic", name);
}

/* --- lists of examples ------------------------------------------------------------------------ */

void examples_add(ExampleList *list, Example example)
{
    if ((list->n & (list->n - 1)) == 0) /* room doubles at powers of two */
        list->item =
            xrealloc(list->item, (size_t)(list->n ? 2 * list->n : 1) * sizeof *list->item);
    list->item[list->n++] = example;
}

static void examples_release(ExampleList *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->item[i].path);
    free(list->item);
    *list = (ExampleList){0};
}

static void names_free(char **name, int n)
{
    for (int k = 0; k < n; k++)
        free(name[k]);
    free(name);
}

static void listing_release(Listing *l)
{
    examples_release(&l->train);
    examples_release(&l->test);
    for (int i = 0; i < l->n_files; i++)
        free(l->file[i]);
    names_free(l->class_name, l->n_classes);
    *l = (Listing){0};
}

/* Members of one class among label[0..n), shuffled: all choices begin here.
 * Returns how many. */
static int shuffled_class(const uint16_t *label, int n, int class, uint64_t seed, int *member)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        if (label[i] == class)
            member[count++] = i;
    Rng rng = rng_make(seed, (uint64_t)class);
    rng_shuffle(&rng, member, count);
    return count;
}

static uint16_t *labels_of(const ExampleList *list)
{
    uint16_t *label = xmalloc(((size_t)list->n + 1) * sizeof *label);
    for (int i = 0; i < list->n; i++)
        label[i] = (uint16_t)list->item[i].label;
    return label;
}

/* Keeps what is not marked; the marked go to `other`, or away when it is NULL. */
static void examples_part(ExampleList *list, const bool *marked, ExampleList *other)
{
    int kept = 0;
    for (int i = 0; i < list->n; i++) {
        if (!marked[i])
            list->item[kept++] = list->item[i];
        else if (other)
            examples_add(other, list->item[i]);
        else
            free(list->item[i].path);
    }
    list->n = kept;
    /* examples_add() is not called on this list again: its room no longer matches */
}

static int hold_out(Listing *l, const DataOptions *o)
{
    double share = o->holdout > 0 ? o->holdout : 0.1;
    if (share >= 1)
        return errorf("a share of %g of %s cannot be held out", share, o->path);
    uint16_t *label = labels_of(&l->train);
    bool *marked = xcalloc((size_t)l->train.n, sizeof *marked);
    int *member = xmalloc((size_t)l->train.n * sizeof *member), status = 0;
    for (int k = 0; k < l->n_classes && status == 0; k++) {
        int n = shuffled_class(label, l->train.n, k, o->seed, member);
        int held = (int)lround(share * n);
        if (n == 1)
            status = errorf("class '%s' of %s has one example, none can be held out as test set",
                            l->class_name[k], o->path);
        held = held < 1 ? 1 : held > n - 1 ? n - 1 : held;
        for (int i = 0; i < held && i < n; i++)
            marked[member[i]] = true;
    }
    if (status == 0)
        examples_part(&l->train, marked, &l->test);
    free(member);
    free(marked);
    free(label);
    return status;
}

static void limit_classes(Listing *l, const DataOptions *o)
{
    uint16_t *label = labels_of(&l->train);
    bool *marked = xcalloc((size_t)l->train.n + 1, sizeof *marked);
    int *member = xmalloc(((size_t)l->train.n + 1) * sizeof *member);
    for (int k = 0; k < l->n_classes; k++) {
        int n = shuffled_class(label, l->train.n, k, rng_stream(o->seed, 1), member);
        for (int i = o->limit; i < n; i++)
            marked[member[i]] = true;
    }
    examples_part(&l->train, marked, NULL);
    free(member);
    free(marked);
    free(label);
}

static void leave_test(Listing *l)
{
    if (l->test.n == 0) {
        l->test = l->train;
        l->train = (ExampleList){0};
    }
    examples_release(&l->train);
}

int data_classes(const DataOptions *options)
{
    Listing listing = {0};
    int status = readers[options->format]->list(&listing, options, true);
    int n = listing.n_classes;
    listing_release(&listing);
    return status == -1 ? -1 : n;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Decodes the whole list in parallel; warning[i] stays NULL where all is well. */
static void load_all(const Listing *l, const ExampleList *list, const DataOptions *o,
                     uint8_t *pixel, char **warning)
{
    const Reader *reader = readers[o->format];
    size_t size = (size_t)o->h * (size_t)o->w * (size_t)o->c;
    Progress progress;
    int done = 0;
    progress_begin(&progress, "reading", list->n, 0);
#pragma omp parallel for schedule(dynamic, 16) num_threads(o->threads > 0 ? o->threads : 1)
    for (int i = 0; i < list->n; i++) {
        if (reader->load(l, &list->item[i], o, pixel + (size_t)i * size) == -1)
            warning[i] = xstrdup(error_text());
        int sum;
#pragma omp atomic capture
        sum = ++done;
        if (omp_get_thread_num() == 0 && i % 16 == 0) /* asking the terminal takes a while */
            progress_step(&progress, sum, "%s", o->path);
    }
    progress_end(&progress);
}

#define NAMED 100 /* damaged files; a wrong shape of raw tensors damages all of them */

/* Closes the gaps that damaged examples leave; each is counted and the first are named. A
 * class of which nothing is left is an error. */
static int keep_whole(Dataset *d, const Listing *l, const ExampleList *list, const DataOptions *o,
                      char **warning, int *skipped)
{
    size_t size = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    int *lost = xcalloc((size_t)l->n_classes, sizeof *lost), status = 0;
    int *kept = xcalloc((size_t)l->n_classes, sizeof *kept), before = *skipped;
    for (int i = 0; i < list->n; i++) {
        int k = list->item[i].label;
        if (warning[i]) {
            if (++*skipped - before <= NAMED && !o->again)
                log_warn("%s; it is left out", warning[i]);
            lost[k]++;
            continue;
        }
        if (d->n < i)
            memcpy(d->pixel + (size_t)d->n * size, d->pixel + (size_t)i * size, size);
        if (d->group)
            d->group[d->n] = d->group[i];
        d->label[d->n++] = (uint16_t)k;
        kept[k]++;
    }
    if (*skipped - before > NAMED && !o->again)
        log_warn("%d more files are damaged and left out", *skipped - before - NAMED);
    for (int k = 0; k < l->n_classes && status == 0; k++)
        if (lost[k] && !kept[k])
            status = errorf("%s: of %d files of class '%s' not one could be read", o->path, lost[k],
                            l->class_name[k]);
    free(lost);
    free(kept);
    return status;
}

/* The same number for names of files that agree up to one of the characters `ends`. */
static uint64_t group_of(const char *path, const char *ends)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return hash_bytes(HASH_START, name, strcspn(name, ends));
}

static void note_groups(Dataset *d, const ExampleList *list, const char *ends)
{
    if (!ends[0] || !list->item[0].path)
        return;
    d->group = xmalloc((size_t)list->n * sizeof *d->group);
    for (int i = 0; i < list->n; i++)
        d->group[i] = group_of(list->item[i].path, ends);
}

static int fill(Dataset *d, const Listing *l, const ExampleList *list, const DataOptions *o,
                int *skipped)
{
    size_t size = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    if (list->n == 0)
        return 0;
    d->pixel = xmalloc((size_t)list->n * size);
    d->label = xmalloc((size_t)list->n * sizeof *d->label);
    note_groups(d, list, o->groups);
    char **warning = xcalloc((size_t)list->n, sizeof *warning);
    load_all(l, list, o, d->pixel, warning);
    int status = keep_whole(d, l, list, o, warning, skipped);
    for (int i = 0; i < list->n; i++)
        free(warning[i]);
    free(warning);
    return status;
}

/* Mean 0 and deviation 1, but for the rounding of the mean that keeps int8
 * inputs exact. A flat set (deviation below one level) is not blown up. */
static void normalise(Data *data)
{
    const Dataset *from = data->train.n ? &data->train : &data->test;
    size_t n = (size_t)from->n * (size_t)from->h * (size_t)from->w * (size_t)from->c;
    uint64_t sum = 0, squares = 0; /* integers: the same in any order */
    for (size_t i = 0; i < n; i++) {
        uint32_t p = from->pixel[i];
        sum += p;
        squares += p * p;
    }
    double mean = (double)sum / (double)n;
    double variance = fmax((double)squares / (double)n - mean * mean, 0);
    data->train.zero = data->test.zero = (int)lround(mean);
    data->train.scale = data->test.scale = (float)(1 / fmax(sqrt(variance), 1));
}

static int check_options(const DataOptions *o)
{
    if (o->h < 1 || o->w < 1 || o->h > 4096 || o->w > 4096)
        return errorf("pictures of %dx%d cannot be made, sides go from 1 to 4096", o->h, o->w);
    if (o->format == DATA_RAW ? o->c < 1 || o->c > 4096 : o->c != 1 && o->c != 3)
        return errorf("pictures have 1 or 3 channels, not %d", o->c);
    return 0;
}

static int open_listing(Data *data, Listing *l, const DataOptions *o)
{
    if (readers[o->format]->list(l, o, false) == -1)
        return -1;
    if (o->only_test)
        leave_test(l);
    if (l->test.n == 0 && l->train.n > 0 && hold_out(l, o) == -1)
        return -1;
    if (o->limit > 0)
        limit_classes(l, o);
    data->train.class_name = data->test.class_name = l->class_name;
    data->train.n_classes = data->test.n_classes = l->n_classes;
    if (fill(&data->train, l, &l->train, o, &data->skipped) == -1 ||
        fill(&data->test, l, &l->test, o, &data->skipped) == -1)
        return -1;
    l->class_name = NULL; /* they are data's from here */
    l->n_classes = 0;
    normalise(data);
    return 0;
}

int data_open(Data *data, const DataOptions *options)
{
    *data = (Data){0};
    if (check_options(options) == -1)
        return -1;
    data->train.h = data->test.h = options->h;
    data->train.w = data->test.w = options->w;
    data->train.c = data->test.c = options->c;
    Listing listing = {0};
    int status = open_listing(data, &listing, options);
    if (status == -1) {
        if (listing.class_name) /* the listing still owns the names */
            data->train.class_name = data->test.class_name = NULL;
        data_release(data);
    }
    listing_release(&listing);
    return status;
}

void data_release(Data *data)
{
    if (data->train.class_name)
        names_free(data->train.class_name, data->train.n_classes); /* test's are the same */
    free(data->train.pixel);
    free(data->train.label);
    free(data->train.group);
    free(data->test.pixel);
    free(data->test.label);
    free(data->test.group);
    *data = (Data){0};
}

/* --- use -------------------------------------------------------------------------------------- */

static int wanted(double share, int n)
{
    int w = (int)lround(share * n);
    return w < 1 ? 1 : w > n - 1 && n > 1 ? n - 1 : w;
}

static void mark_examples(const Dataset *d, double share, uint64_t seed, bool *marked)
{
    int *member = xmalloc(((size_t)d->n + 1) * sizeof *member);
    for (int k = 0; k < d->n_classes; k++) {
        int n = shuffled_class(d->label, d->n, k, seed, member);
        for (int i = 0; i < wanted(share, n) && i < n; i++)
            marked[member[i]] = true;
    }
    free(member);
}

typedef struct {
    uint64_t group;
    int index;
} Member;

static int by_group(const void *a, const void *b)
{
    const Member *x = a, *y = b;
    return x->group != y->group ? (x->group > y->group ? 1 : -1) : x->index - y->index;
}

/* How much nearer these bring every class to what it still wants; left [n_classes]. Takes them
 * from left when that is more than nothing. */
static bool take_group(const Dataset *d, const Member *member, int n, int *left)
{
    int nearer = 0;
    for (int i = 0; i < n; i++)
        nearer += left[d->label[member[i].index]]-- > 0 ? 1 : -1;
    for (int i = 0; i < n && nearer <= 0; i++)
        left[d->label[member[i].index]]++;
    return nearer > 0;
}

static void count_wanted(const Dataset *d, double share, int *left)
{
    for (int i = 0; i < d->n; i++)
        left[d->label[i]]++;
    for (int k = 0; k < d->n_classes; k++)
        left[k] = left[k] ? wanted(share, left[k]) : 0;
}

static void mark_groups(const Dataset *d, double share, uint64_t seed, bool *marked)
{
    Member *member = xmalloc(((size_t)d->n + 1) * sizeof *member);
    int *first = xmalloc(((size_t)d->n + 1) * sizeof *first), n_groups = 0;
    int *left = xcalloc((size_t)d->n_classes, sizeof *left);
    for (int i = 0; i < d->n; i++)
        member[i] = (Member){d->group[i], i};
    qsort(member, (size_t)d->n, sizeof *member, by_group);
    for (int i = 0; i < d->n; i++)
        if (i == 0 || member[i].group != member[i - 1].group)
            first[n_groups++] = i;
    Rng rng = rng_make(seed, 0);
    rng_shuffle(&rng, first, n_groups);
    count_wanted(d, share, left);
    for (int g = 0; g < n_groups; g++) {
        int from = first[g], to = from;
        while (to < d->n && member[to].group == member[from].group)
            to++;
        bool taken = take_group(d, member + from, to - from, left);
        for (int i = from; i < to; i++)
            marked[member[i].index] = taken;
    }
    free(left);
    free(first);
    free(member);
}

int dataset_split(const Dataset *d, double share, uint64_t seed, int *first, int *second)
{
    bool *marked = xcalloc((size_t)d->n + 1, sizeof *marked);
    (d->group ? mark_groups : mark_examples)(d, share, seed, marked);
    int n_first = 0, n_second = 0;
    for (int i = 0; i < d->n; i++)
        if (marked[i])
            second[n_second++] = i;
        else
            first[n_first++] = i;
    free(marked);
    return n_second;
}

static const uint8_t *picture_of(const Dataset *d, int index)
{
    assert(index >= 0 && index < d->n);
    return d->pixel + (size_t)index * (size_t)d->h * (size_t)d->w * (size_t)d->c;
}

/* What a network sees of a pixel: `zero` is 0. */
static float value_of(const Dataset *d, int pixel)
{
    return (float)(pixel - d->zero) * d->scale;
}

static void write_floats(const Dataset *d, int index, float *out)
{
    const uint8_t *p = picture_of(d, index);
    for (int i = 0; i < d->h * d->w * d->c; i++)
        out[i] = value_of(d, p[i]);
}

void dataset_batch(const Dataset *d, const int *index, int n, const Augment *augment, Rng *rng,
                   float *images, int *labels)
{
    size_t size = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    bool as_is = !augment || !rng;
    PictureShape shape = {d->h, d->w, d->c, value_of(d, 0), value_of(d, 255)};
    float *plain = as_is ? NULL : xmalloc(size * sizeof *plain);
    for (int i = 0; i < n; i++) {
        float *image = images + (size_t)i * size;
        write_floats(d, index[i], as_is ? image : plain);
        if (!as_is)
            augment_picture(augment, rng, &shape, plain, image);
        labels[i] = d->label[index[i]];
    }
    free(plain);
}

void dataset_int8(const Dataset *d, int index, int8_t *image)
{
    const uint8_t *p = picture_of(d, index);
    size_t size = (size_t)d->h * (size_t)d->w * (size_t)d->c;
    for (size_t i = 0; i < size; i++)
        image[i] = (int8_t)(p[i] - 128);
}
