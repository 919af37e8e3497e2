#include "report/summary.h"

#include "base/error.h"
#include "config/schema.h"
#include "results/listing.h"

#include <stdio.h>
#include <string.h>

static void print_front(Pipeline *p)
{
    printf("\nFront: no other candidate is better in one figure and as good in the others (float, "
           "supernet's weights, validation images; sram with the image %s)\n",
           pipeline_image(&p->job));
    fflush(stdout);
    listing_front(p->db, p->run, 12, stdout);
}

void summary_figures(const Target *t, const Cost *cost, const DeviceRun *d,
                     BoardFigure figure[BOARD_FIGURES])
{
    bool counts = strcmp(t->latency.unit, "instructions") == 0; /* cycles are no board's of QEMU's */
    figure[0] = (BoardFigure){"arena", "bytes", cost->sram, d->arena};
    figure[1] = (BoardFigure){"flash", "bytes", t->code.run ? (double)cost->flash : -1, d->flash};
    figure[2] = (BoardFigure){"stack", "bytes", cost->stack ? (double)cost->stack : -1, d->stack};
    figure[3] = (BoardFigure){"latency", "instructions", counts ? cost->latency : -1,
                              (double)d->instructions};
}

static void print_figure(const BoardFigure *f)
{
    char predicted[32] = "-";
    if (f->predicted >= 0)
        snprintf(predicted, sizeof predicted, "%.0f", f->predicted);
    printf("  %-12s %14s %14.0f  %-13s", f->what, predicted, f->measured, f->unit);
    if (f->predicted < 0)
        printf("no calibration\n");
    else if (f->measured == f->predicted)
        printf("equal\n");
    else
        printf("%+.2f %%\n", 100 * (f->measured / f->predicted - 1));
}

int summary_verdict(const Cost *cost, const DeviceRun *d)
{
    if (d->n_equal != d->n_inputs || !d->canaries || d->arena != cost->sram)
        return errorf("the board disagrees with the host or with the plan");
    return 0;
}

int summary_device(const Target *t, const Cost *cost, const DeviceRun *d)
{
    printf("\n  on qemu:%-4s %14s %14s\n", t->core, "predicted", "measured");
    BoardFigure figure[BOARD_FIGURES];
    summary_figures(t, cost, d, figure);
    for (int i = 0; i < BOARD_FIGURES; i++)
        print_figure(&figure[i]);
    printf("  outputs      %d of %d inputs equal to the host's byte for byte; canaries %s\n",
           d->n_equal, d->n_inputs, d->canaries ? "untouched" : "OVERWRITTEN");
    return summary_verdict(cost, d);
}

static bool is_finalist(const CandidateRow *row)
{
    return row->final_fitness > 0;
}

static void print_found(Pipeline *p, const CandidateRow *row)
{
    const Job *job = &p->job;
    char at[RESOLUTIONS_TEXT];
    pipeline_resolutions_text(&job->space, &p->resolutions, at);
    printf("Space: %s, width %g at %s\n", job->space.name, job->space.width[p->width], at);
    print_front(p);
    printf("\nWinner: %s\n", row->genotype);
    printf("  candidate    %lld:%d, generation %d; best%s by %s on %sthe validation images\n",
           (long long)p->run, row->number, row->generation, is_finalist(row) ? " finalist" : "",
           job->score == SCORE_ACCURACY ? "accuracy" : "cross entropy",
           is_finalist(row) ? "all " : "");
}

static void print_given(const Pipeline *p, const CandidateRow *row)
{
    printf("Network: %s at %dx%d, trained alone\n", row->genotype, p->given.h, p->given.w);
    printf("  candidate    %lld:%d\n", (long long)p->run, row->number);
}

static void print_accuracy(const Pipeline *p, const CandidateRow *row)
{
    printf("  accuracy     %.2f %% float, %.2f %% int8 on %d test images", 100 * row->test_accuracy,
           100 * row->int8_accuracy, p->data.test.n);
    if (row->accuracy >= 0) /* none where those images trained a given network */
        printf(" (validation%s %.2f %%)", p->is_given ? "" : " before fine-tuning",
               100 * (is_finalist(row) ? row->final_accuracy : row->accuracy));
    printf("\n");
}

/* " of 60.0M", where there is a limit. */
static void print_amount(const char *what, double amount, double limit, const char *unit)
{
    printf("  %-12s %s%s%s%s%s\n", what, text_count(amount), limit > 0 ? " of " : "",
           limit > 0 ? text_count(limit) : "", *unit ? " " : "", unit);
}

int pipeline_summary(Pipeline *p)
{
    CandidateRow row;
    const Job *job = &p->job;
    if (pipeline_winner(p, &row) != 0)
        return -1;
    const Cost *cost = &p->winner.cost;
    printf("Run %lld '%s' on %s\n", (long long)p->run, job->name, job->target.name);
    if (p->is_given)
        print_given(p, &row);
    else
        print_found(p, &row);
    print_accuracy(p, &row);
    printf("  SRAM         %s of %s, image %s, schedule %s\n", text_bytes(cost->sram),
           text_bytes(job->limits.sram), pipeline_image(job), policy_name((Policy)job->plan.policy));
    printf("  flash        %s of %s, of it model %s\n", text_bytes(cost->flash),
           text_bytes(job->limits.flash), text_bytes(cost->model_flash));
    print_amount("MACs", (double)cost->macs, (double)job->limits.macs, "");
    if (job->target.latency.unit[0])
        print_amount("latency", cost->latency, job->limits.latency, job->target.latency.unit);
    results_candidate_release(&row);
    return p->device.n_inputs > 0 ? summary_device(&job->target, cost, &p->device) : 0;
}
