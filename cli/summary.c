#include "cli/summary.h"

#include "base/error.h"
#include "cli/schema.h"
#include "results/listing.h"

#include <stdio.h>

static void print_front(Pipeline *p)
{
    printf("\nFront: no other candidate is better in one figure and as good in the others (float, "
           "supernet's weights, validation images; sram with the image %s)\n",
           pipeline_image(&p->job));
    fflush(stdout);
    listing_front(p->db, p->run, 12, stdout);
}

static void print_beside(const char *what, double predicted, double measured, const char *unit)
{
    double off = predicted > 0 ? 100 * (measured / predicted - 1) : 0;
    printf("  %-12s %14.0f %14.0f  %-13s", what, predicted, measured, unit);
    if (measured == predicted)
        printf("equal\n");
    else
        printf("%+.2f %%\n", off);
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
    print_beside("arena", cost->sram, d->arena, "bytes");
    print_beside("flash", cost->flash, d->flash, "bytes");
    print_beside("stack", cost->stack, d->stack, "bytes");
    print_beside("latency", cost->latency, (double)d->instructions, t->latency.unit);
    printf("  outputs      %d of %d inputs equal to the host's byte for byte; canaries %s\n",
           d->n_equal, d->n_inputs, d->canaries ? "untouched" : "OVERWRITTEN");
    return summary_verdict(cost, d);
}

int pipeline_summary(Pipeline *p)
{
    CandidateRow row;
    const Job *job = &p->job;
    if (pipeline_winner(p, &row) != 0)
        return -1;
    char at[RESOLUTIONS_TEXT];
    pipeline_resolutions_text(&job->space, &p->resolutions, at);
    const Cost *cost = &p->winner.cost;
    printf("Run %lld '%s' on %s\n", (long long)p->run, job->name, job->target.name);
    printf("Space: %s, width %g at %s\n", job->space.name, job->space.width[p->width], at);
    print_front(p);
    printf("\nWinner: %s\n", row.genotype);
    printf("  candidate    %lld:%d, generation %d; best by %s on the validation images\n",
           (long long)p->run, row.number, row.generation,
           job->score == SCORE_ACCURACY ? "accuracy" : "cross entropy");
    printf("  accuracy     %.2f %% float, %.2f %% int8 on %d test images (validation before "
           "fine-tuning "
           "%.2f %%)\n",
           100 * row.test_accuracy, 100 * row.int8_accuracy, p->data.test.n, 100 * row.accuracy);
    printf("  SRAM         %s of %s, image %s, schedule %s\n", text_bytes(cost->sram),
           text_bytes(job->limits.sram), pipeline_image(job), policy_name((Policy)job->plan.policy));
    printf("  flash        %s of %s, of it model %s\n", text_bytes(cost->flash),
           text_bytes(job->limits.flash), text_bytes(cost->model_flash));
    printf("  MACs         %s\n", text_count((double)cost->macs));
    results_candidate_release(&row);
    return p->device.n_inputs > 0 ? summary_device(&job->target, cost, &p->device) : 0;
}
