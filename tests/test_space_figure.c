/* Stage 1 as people see it: the figure, and what `thimble space` prints. */
#define _GNU_SOURCE
#include "cli/command.h"
#include "report/space_figure.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "tests/suite.h"
#include "tests/well_formed.h"

#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/wait.h>

/* --- the figure of a sweep that never ran */

static void load(Job *job)
{
    const char *sets[] = {"schedule=inplace"};
    ck_assert_msg(config_load(job, "configs/jobs/mcunet.yaml", sets, 1) == 0, "%s", error_text());
    job->sweep.n_classes = 1000;
}

/* Means grow with width and resolution, shares shrink: from some size on too few fit. */
static void invent(const Job *job, Sweep *s)
{
    const Space *space = &job->space;
    *s = (Sweep){.n = space->n_widths * space->n_resolutions, .best = -1};
    for (int i = 0; i < s->n; i++) {
        SweepRow *row = &s->row[i];
        row->width = i / space->n_resolutions;
        row->resolution = i % space->n_resolutions;
        row->samples = job->sweep.samples;
        row->feasible = job->sweep.samples - 8 * i;
        row->feasible = row->feasible < 0 ? 0 : row->feasible;
        row->mean_macs = row->feasible ? 1e6 * (1 + i) : 0;
        for (int q = 0; q < SWEEP_CDF; q++)
            row->cdf[q] = row->mean_macs * (0.5 + 0.05 * q);
        if (row->feasible >= job->sweep.min_feasible)
            s->best = i;
    }
}

/* Good until the next one. */
static const char *figure(const Job *job, const Sweep *s)
{
    static char text[1 << 17];
    FILE *out = fmemopen(text, sizeof text, "w");
    space_figure(out, job, s);
    fclose(out);
    ck_assert_msg(well_formed(text), "%s", text);
    return text;
}

TEST(the_figure_has_the_ten_largest_means_and_the_chosen_one_in_red)
{
    static Job job;
    static Sweep s;
    load(&job);
    invent(&job, &s);
    job.sweep.min_feasible = 200;
    s.best = 100; /* 1000 - 8 * 100 = 200 networks fit, 192 of the next: too few */
    const char *text = figure(&job, &s);
    char label[64];
    for (int i = 0; i < s.n; i++) { /* row 100: width 8, resolution 4; 101M */
        snprintf(label, sizeof label, ">w%.1f-r%d | %.*fM<", (i / 12 + 2) / 10.0,
                 48 + 16 * (i % 12), i + 1 < 100, i + 1.0);
        ck_assert_int_eq(occurrences(text, label), i > 90 && i <= 100);
    }
    ck_assert_int_eq(occurrences(text, "<polyline"), FIGURE_CURVES);
    ck_assert_ptr_nonnull(strstr(text, "font-weight=\"bold\">w1.0-r112 | 101M<"));
    const char *red = strstr(text, "<polyline fill=\"none\" stroke=\"#d0142c\"");
    ck_assert_int_eq(red ? occurrences(red, "<polyline") : 0, 1); /* on top of the others */
    ck_assert_int_eq(occurrences(text, "fill=\"rgb(250,250,250)\""), 7);
    ck_assert_ptr_nonnull(strstr(text, "flash \xe2\x89\xa4 960 KiB, schedule inplace"));
}
END

TEST(the_figure_of_nothing_is_a_figure)
{
    static Job job;
    static Sweep s;
    load(&job);
    invent(&job, &s);
    for (int i = 0; i < s.n; i++)
        s.row[i] = (SweepRow){.width = i / 12, .resolution = i % 12, .samples = 1000};
    s.best = -1;
    const char *text = figure(&job, &s);
    ck_assert_int_eq(occurrences(text, "<polyline"), 0);
    job.space.n_widths = job.space.n_resolutions = 1;
    job.space.resolution[0] = (Resolution){49, 10};
    invent(&job, &s);
    strcpy(job.space.name, "<b> & \"c\"");
    text = figure(&job, &s);
    ck_assert_int_eq(occurrences(text, ">w0.2-r49x10 | 1.00M<"), 1);
    ck_assert_int_eq(occurrences(text, "&lt;b&gt; &amp; "), 2);
}
END

/* --- the command */

/* What it prints on stdout, yours to free; a NULL ends the further words. */
static char *space(const char *format, const char *const *more, int wanted)
{
    char *argv[24] = {"thimble space", "configs/jobs/mcunet.yaml", "-f", (char *)format,
                      "--classes", "1000", "--threads", "1", "--set", "schedule=inplace",
                      "--set", "stage1.samples=60", "--set", "stage1.min_feasible=5"};
    int argc = 14, status;
    for (; more && *more; more++)
        argv[argc++] = (char *)*more;
    FILE *out = tmpfile();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(out), 1);
        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
        exit(cmd_space(argc, argv));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), wanted);
    long size = ftell(out);
    char *text = xcalloc(1, (size_t)size + 1);
    rewind(out);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, out), (size_t)size);
    fclose(out);
    return text;
}

/* width h w samples feasible share mean_macs, p0 to p100, chosen */
enum { COLUMNS = 7 + SWEEP_CDF + 1 };

/* The line as numbers, an empty field NAN; returns how many, and the next line. */
static int fields(const char **line, double *value)
{
    const char *at = *line, *end = strstr(at, "\r\n");
    int n = 0;
    ck_assert_ptr_nonnull(end);
    for (bool more = true; more; at++) {
        size_t length = strcspn(at, ",\r");
        char *stop;
        value[n++] = length ? strtod(at, &stop) : NAN;
        ck_assert(length == 0 || stop == at + length);
        at += length;
        more = *at == ',';
    }
    *line = end + 2;
    return n;
}

TEST(csv_has_monotone_quantiles_and_chooses_the_largest_mean_that_counts)
{
    char *text = space("csv", NULL, 0);
    const char *header = "width,h,w,samples,feasible,share,mean_macs,p0,p5,p10,", *line = text;
    ck_assert_int_eq(strncmp(text, header, strlen(header)), 0);
    line = strstr(text, ",p95,p100,chosen\r\n");
    ck_assert_ptr_nonnull(line);
    line = strchr(line, '\n') + 1;
    double largest = 0, chosen = -1, last = INFINITY;
    int rows = 0, n_chosen = 0, none = 0;
    for (double v[COLUMNS + 1]; *line; rows++) {
        ck_assert_int_eq(fields(&line, v), COLUMNS);
        double *cdf = v + 7, sum = 0;
        ck_assert_double_eq_tol(v[5], v[4] / 60, 1e-12);
        ck_assert_double_le(v[6], last);
        last = v[6];
        for (int q = 1; q < SWEEP_CDF && v[4] > 0; q++)
            ck_assert_double_ge(cdf[q], cdf[q - 1]);
        for (int q = 0; q < SWEEP_CDF; q++)
            sum += cdf[q] / SWEEP_CDF;
        if (v[4] == 0)
            ck_assert(v[6] == 0 && isnan(cdf[0]) && isnan(cdf[20]));
        else
            ck_assert_double_eq_tol(sum / v[6], 1, 0.1);
        none += v[4] == 0;
        if (v[4] >= 5)
            largest = v[6] > largest ? v[6] : largest;
        if (v[COLUMNS - 1] == 1) {
            chosen = v[6];
            n_chosen++;
            ck_assert_double_ge(v[4], 5);
        }
    }
    ck_assert_int_eq(rows, 108);
    ck_assert_int_gt(none, 0);
    ck_assert_int_eq(n_chosen, 1);
    ck_assert_double_eq(chosen, largest);
    free(text);
}
END

TEST(json_has_the_numbers_of_csv)
{
    char *csv = space("csv", NULL, 0), *json = space("json", NULL, 0);
    json_error_t error;
    json_t *rows = json_loads(json, JSON_DECODE_ANY, &error), *row;
    ck_assert_msg(rows != NULL, "%s", error.text);
    ck_assert_uint_eq(json_array_size(rows), 108);
    const char *line = strchr(csv, '\n') + 1, *key;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        double v[COLUMNS + 1];
        json_t *value;
        int n = 0;
        ck_assert_int_eq(fields(&line, v), COLUMNS);
        ck_assert_uint_eq(json_object_size(row), COLUMNS);
        json_object_foreach(row, key, value)
        {
            bool same = json_is_null(value) ? isnan(v[n]) : json_number_value(value) == v[n];
            ck_assert_msg(same, "%s", key);
            n++;
        }
    }
    json_decref(rows);
    free(csv);
    free(json);
}
END

TEST(the_table_marks_the_chosen_one_and_has_all_quantiles_when_asked)
{
    char *few = space("table", NULL, 0), *all = space("table", (const char *[]){"--cdf", NULL}, 0);
    ck_assert_int_eq(occurrences(few, "  best"), 1);
    ck_assert_int_eq(occurrences(all, "  best"), 1);
    for (int q = 0; q <= 100; q += 5) {
        char *name = xasprintf(" p%d M ", q);
        ck_assert_int_eq(occurrences(all, name), 1);
        ck_assert_int_eq(occurrences(few, name), q == 20 || q == 50 || q == 80);
        free(name);
    }
    free(few);
    free(all);
}
END

TEST(rows_that_do_not_count_say_so)
{
    const char *sets[] = {"--set", "stage1.min_feasible=40", NULL};
    char *csv = space("csv", sets, 0), *text = space("table", sets, 0);
    const char *line = strchr(csv, '\n') + 1;
    int few = 0;
    for (double v[COLUMNS + 1]; *line; few += v[4] > 0 && v[4] < 40)
        fields(&line, v);
    ck_assert_int_gt(few, 0);
    ck_assert_int_eq(occurrences(text, "  too few fit\n"), few);
    free(csv);
    free(text);
}
END

TEST(the_figure_is_a_file_beside_the_table)
{
    char path[] = "/tmp/thimble_space_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    char *text = space("csv", (const char *[]){"--svg", path, NULL}, 0);
    ck_assert_int_eq(occurrences(text, "svg"), 0);
    char *svg = file_read(path, NULL);
    ck_assert_ptr_nonnull(svg);
    ck_assert(well_formed(svg));
    ck_assert_int_eq(occurrences(svg, "<polyline"), FIGURE_CURVES);
    free(text);
    free(svg);
    unlink(path);
    free(space("csv", (const char *[]){"--svg", "/no/such/folder/a.svg", NULL}, 1));
}
END

SUITE(space_figure, the_figure_has_the_ten_largest_means_and_the_chosen_one_in_red,
      the_figure_of_nothing_is_a_figure,
      csv_has_monotone_quantiles_and_chooses_the_largest_mean_that_counts,
      json_has_the_numbers_of_csv, the_table_marks_the_chosen_one_and_has_all_quantiles_when_asked,
      rows_that_do_not_count_say_so, the_figure_is_a_file_beside_the_table)
