#define _GNU_SOURCE
#include "report/run_report.h"

#include "base/alloc.h"
#include "base/error.h"
#include "config/schema.h"
#include "evaluator/host.h"
#include "report/json_table.h"
#include "report/summary.h"

#include <stdlib.h>

/* --- counting */

static bool is_tie(const int8_t *score, int n, int best)
{
    for (int i = best + 1; i < n; i++)
        if (score[i] == score[best])
            return true;
    return false;
}

/* confused: [n_classes][n_classes], what was said of which. */
static void most_mistaken(Tally *t, const int *confused)
{
    for (int k = 0; k < t->n_classes; k++) {
        ClassTally *class = &t->class[k];
        class->mistaken = -1;
        for (int said = 0; said < t->n_classes; said++) {
            int times = confused[k * t->n_classes + said];
            if (said == k || times <= class->times)
                continue;
            class->mistaken = said;
            class->times = times;
        }
    }
}

void tally_make(Tally *t, const Inputs *in, int n, const int8_t *output, int n_outputs)
{
    *t = (Tally){.n = n, .n_classes = n_outputs};
    t->class = xcalloc((size_t)n_outputs, sizeof *t->class);
    int *confused = xcalloc((size_t)n_outputs * (size_t)n_outputs, sizeof *confused);
    for (int i = 0; i < n; i++, output += n_outputs) {
        int label = in->set.label[host_picture(&in->set, n, i)];
        int said = host_argmax(output, n_outputs);
        t->ties += is_tie(output, n_outputs, said);
        t->correct += said == label;
        t->class[label].n++;
        t->class[label].correct += said == label;
        confused[label * n_outputs + said]++;
    }
    most_mistaken(t, confused);
    free(confused);
}

void tally_release(Tally *t)
{
    free(t->class);
    *t = (Tally){0};
}

/* --- how often it was right */

#define GET(key) " json_extract(value, '$." key "') "

static const char classes_table[] =
    "SELECT" GET("class") "AS class," GET("n") "AS inputs," GET("correct") "AS correct,"
    " printf('%.2f %%', 100 *" GET("accuracy") ") AS accuracy,"
    GET("mistaken_for") "||' ('||" GET("times") "||')' AS \"most often taken for\""
    " FROM json_each(?1)";
static const char classes_csv[] =
    "SELECT" GET("class") "AS class," GET("n") "AS inputs," GET("correct") "AS correct,"
    GET("accuracy") "AS accuracy," GET("mistaken_for") "AS mistaken_for," GET("times")
    "AS times FROM json_each(?1)";

/* Of the classes that the data has. */
static json_t *json_classes(const Tally *t, const Inputs *in)
{
    json_t *rows = json_array();
    for (int k = 0; k < t->n_classes; k++) {
        const ClassTally *class = &t->class[k];
        if (class->n == 0)
            continue;
        json_t *row = json_pack("{s:s, s:i, s:i, s:f}", "class", in->class_name[k], "n", class->n,
                                "correct", class->correct, "accuracy",
                                (double)class->correct / class->n);
        if (class->mistaken >= 0) {
            json_object_set_new(row, "mistaken_for", json_string(in->class_name[class->mistaken]));
            json_object_set_new(row, "times", json_integer(class->times));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *json_run(const HostReport *r)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:i, s:I, s:I}", "model", r->model, "data", r->data,
                     "schedule", policy_name((Policy)r->plan.policy), "image_outside",
                     r->plan.image_outside, "n", r->n, "arena_bytes", (json_int_t)r->arena,
                     "arena_touched", (json_int_t)r->touched);
}

/* Released. */
static int print_object(json_t *j, FILE *out)
{
    int status = json_dumpf(j, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(j);
    return status == 0 && fputc('\n', out) != EOF ? 0 : errorf("the JSON could not be written");
}

static void print_arena(const HostReport *r, FILE *out)
{
    fprintf(out, "arena      %s predicted, %s touched\n", text_bytes(r->arena),
            text_bytes(r->touched));
}

static int print_tally(const HostReport *r, const Tally *t, Format format, FILE *out)
{
    if (format == FORMAT_CSV)
        return json_table(json_classes(t, r->inputs), classes_csv, format, out);
    if (format == FORMAT_JSON) {
        json_t *j = json_run(r);
        json_object_set_new(j, "correct", json_integer(t->correct));
        json_object_set_new(j, "accuracy", json_real((double)t->correct / t->n));
        json_object_set_new(j, "ties", json_integer(t->ties));
        json_object_set_new(j, "classes", json_classes(t, r->inputs));
        return print_object(j, out);
    }
    fprintf(out, "accuracy   %.2f %%  (%d of %d test images, int8)\n", 100.0 * t->correct / t->n,
            t->correct, t->n);
    print_arena(r, out);
    fprintf(out, "ties       %d of the largest score; the first of equal ones counts\n\n", t->ties);
    return json_table(json_classes(t, r->inputs), classes_table, format, out);
}

/* --- what it answered */

enum { SHOWN = 12 }; /* outputs in a table */

static const char outputs_table[] =
    "SELECT" GET("input") "AS input," GET("largest") "AS largest," GET("class") "AS class,"
    " round(" GET("real") ", 4) AS real," GET("shown") "AS \"int8 outputs\" FROM json_each(?1)";
static const char outputs_csv[] =
    "SELECT" GET("input") "AS input," GET("largest") "AS largest," GET("class") "AS class,"
    GET("real") "AS real, (SELECT group_concat(output.value, ' ')"
    " FROM json_each(answer.value, '$.int8') AS output) AS int8 FROM json_each(?1) AS answer";

/* "-128 127 ... of 640" */
static char *shown_outputs(const int8_t *output, int n)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    for (int i = 0; i < n && i < SHOWN; i++)
        fprintf(f, "%s%d", i ? " " : "", output[i]);
    if (n > SHOWN)
        fprintf(f, " ... of %d", n);
    fclose(f);
    return text;
}

/* The largest of an input's outputs, and all of them. */
static json_t *json_answer(const HostReport *r, int i, const int8_t *output, int n)
{
    const Inputs *in = r->inputs;
    const QTensor t = r->q->tensor[r->q->net.n_layers];
    int best = host_argmax(output, n);
    char *shown = shown_outputs(output, n);
    json_t *bytes = json_array();
    for (int k = 0; k < n; k++)
        json_array_append_new(bytes, json_integer(output[k]));
    json_t *row = json_pack("{s:s, s:i, s:f, s:s, s:o}", "input",
                            in->name[host_picture(&in->set, r->n, i)], "largest", best, "real",
                            (output[best] - t.zero) * (double)t.scale, "shown", shown, "int8",
                            bytes);
    if (in->n_classes > 0)
        json_object_set_new(row, "class", json_string(in->class_name[best]));
    free(shown);
    return row;
}

static json_t *json_answers(const HostReport *r)
{
    int n = (int)net_tensor_bytes(&r->q->net, r->q->net.n_layers - 1);
    json_t *rows = json_array();
    for (int i = 0; i < r->n; i++)
        json_array_append_new(rows, json_answer(r, i, r->output + (size_t)i * (size_t)n, n));
    return rows;
}

static int print_answers(const HostReport *r, Format format, FILE *out)
{
    const QTensor t = r->q->tensor[r->q->net.n_layers];
    if (format == FORMAT_CSV)
        return json_table(json_answers(r), outputs_csv, format, out);
    if (format == FORMAT_JSON) {
        json_t *j = json_run(r), *rows = json_answers(r);
        size_t i;
        json_t *row;
        json_array_foreach(rows, i, row)
            json_object_del(row, "shown");
        json_object_set_new(j, "output_scale", json_real((double)t.scale));
        json_object_set_new(j, "output_zero", json_integer(t.zero));
        json_object_set_new(j, "outputs", rows);
        return print_object(j, out);
    }
    print_arena(r, out);
    fprintf(out, "outputs    real = (int8 %c %d) * %.6g\n\n", t.zero < 0 ? '+' : '-', abs(t.zero),
            (double)t.scale);
    return json_table(json_answers(r), outputs_table, format, out);
}

int report_host(const HostReport *r, Format format, FILE *out)
{
    if (format == FORMAT_TABLE)
        fprintf(out, "%s on %s, schedule %s, image %s\n", r->model, r->data,
                policy_name((Policy)r->plan.policy), r->plan.image_outside ? "outside" : "inside");
    if (!r->inputs->labelled)
        return print_answers(r, format, out);
    Tally t;
    tally_make(&t, r->inputs, r->n, r->output,
               (int)net_tensor_bytes(&r->q->net, r->q->net.n_layers - 1));
    int status = print_tally(r, &t, format, out);
    tally_release(&t);
    return status;
}

/* --- what the board took */

static const char board_csv[] = "SELECT" GET("what") "AS what," GET("predicted") "AS predicted,"
    GET("measured") "AS measured," GET("unit") "AS unit FROM json_each(?1)";

/* predicted: negative where it is not known. */
static json_t *json_beside(const char *what, double predicted, double measured, const char *unit)
{
    json_t *known = predicted < 0 ? json_null() : json_integer((json_int_t)(predicted + 0.5));
    return json_pack("{s:s, s:o, s:I, s:s}", "what", what, "predicted", known, "measured",
                     (json_int_t)measured, "unit", unit);
}

static json_t *json_board(const BoardReport *r)
{
    const DeviceRun *d = r->device;
    BoardFigure figure[BOARD_FIGURES];
    summary_figures(r->target, r->cost, d, figure);
    json_t *rows = json_array();
    for (int i = 0; i < BOARD_FIGURES; i++)
        json_array_append_new(rows, json_beside(figure[i].what, figure[i].predicted,
                                                figure[i].measured, figure[i].unit));
    json_array_append_new(rows, json_beside("outputs equal", d->n_inputs, d->n_equal, "inputs"));
    json_array_append_new(rows, json_beside("canaries untouched", 1, d->canaries, "bool"));
    return rows;
}

int report_board(const BoardReport *r, Format format, FILE *out)
{
    int status;
    if (format == FORMAT_TABLE) {
        fprintf(out, "%s, schedule %s, image %s\n", r->model,
                policy_name((Policy)r->plan.policy), r->plan.image_outside ? "outside" : "inside");
        return summary_device(r->target, r->cost, r->device);
    }
    if (format == FORMAT_CSV)
        status = json_table(json_board(r), board_csv, format, out);
    else
        status = print_object(json_pack("{s:s, s:s, s:s, s:b, s:o}", "model", r->model, "target",
                                        r->target->name, "schedule",
                                        policy_name((Policy)r->plan.policy), "image_outside",
                                        r->plan.image_outside, "figures", json_board(r)), out);
    return status == 0 ? summary_verdict(r->cost, r->device) : -1;
}
