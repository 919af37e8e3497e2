#include "report/profile_page.h"

#include "base/alloc.h"
#include "config/schema.h"
#include "estimator/tflm.h"
#include "estimator/tinyengine.h"
#include "report/json_table.h"
#include "report/profile_json.h"

#include <stdlib.h>
#include <string.h>

static const char *const image_words[N_IMAGES] = {"image outside", "image resident"};

/* --- the summary */

static void print_memory(const Profile *p, FILE *out)
{
    TinyEngine e = tinyengine_memory(&p->net, true);
    const uint32_t stack = p->cost[p->image].stack;
    fprintf(out, "  arena         %s image outside; %s image resident\n",
            text_bytes(p->cost[IMAGE_OUTSIDE].sram), text_bytes(p->cost[IMAGE_RESIDENT].sram));
    if (!p->plan[IMAGE_OUTSIDE].image_outside)
        fprintf(out, "                (more layers than the first read the image: resident)\n");
    if (stack)
        fprintf(out, "  stack         %s beside the arena\n", text_bytes(stack));
    fprintf(out,
            "  others        image resident: TFLite Micro %s; TinyEngine %s (arena %u, im2col %u, "
            "kernels %u)\n",
            text_bytes(tflm_arena(&p->graph)), text_bytes(tinyengine_peak(&p->net)),
            (unsigned)e.arena, (unsigned)e.sbuf, (unsigned)e.kbuf);
}

static void print_code(const Profile *p, const PlanSize *size, FILE *out)
{
    const CodeSize *code = &p->target.code;
    char unknown[256] = "";
    if (!code->run)
        return;
    fprintf(out, "    code        %s: run %u", text_bytes(flash_of_code(code, size)),
            (unsigned)code->run);
    if (flash_of_tile(code, size))
        fprintf(out, ", tile %u", (unsigned)code->tile);
    for (int s = 0; s < N_STEPS; s++) {
        if (!(size->steps >> s & 1))
            continue;
        if (code->kernel[s])
            fprintf(out, ", %s %u", profile_step_name(s), (unsigned)code->kernel[s]);
        else
            snprintf(unknown + strlen(unknown), sizeof unknown - strlen(unknown), "%s%s",
                     unknown[0] ? ", " : "", profile_step_name(s));
    }
    fprintf(out, "\n");
    if (unknown[0])
        fprintf(out, "                not measured on %s yet and not counted: %s\n", p->target.core,
                unknown);
}

static void print_flash(const Profile *p, FILE *out)
{
    PlanSize size = plan_size(&p->net, &p->plan[p->image]);
    ModelFlash f = flash_parts(&p->net, &size);
    fprintf(out, "  flash         %s\n", text_bytes(p->cost[p->image].flash));
    fprintf(out, "    model       weights %u, biases %u, requantisation %u, tables %u\n",
            (unsigned)f.weights, (unsigned)f.biases, (unsigned)f.requantisation,
            (unsigned)f.tables);
    print_code(p, &size, out);
}

/* Cycles of instructions, and what cycles become where the target says how long one takes, and what it draws. */
static void print_time(const Profile *p, FILE *out)
{
    const Target *t = &p->target;
    const Cost *cost = &p->cost[p->image];
    double ms = target_ms(t, cost->latency);
    double cycles = latency_cycles(&t->latency, &p->net, &p->plan[p->image]);
    if (cycles > 0)
        fprintf(out, "                about %s cycles on a %s with zero-wait flash (by its manual's "
                "instruction classes, an estimate)\n", text_count(cycles), t->core);
    if (ms <= 0)
        return;
    fprintf(out, "  time          %.4g ms at %g MHz", ms, (double)t->clock_hz / 1e6);
    if (cost->energy > 0)
        fprintf(out, "; energy %.4g mJ at %g mW", cost->energy, t->active_mw);
    fputs("\n", out);
}

static void print_latency(const Profile *p, FILE *out)
{
    const Latency *l = &p->target.latency;
    const char *before = "                no coefficients yet, counted as 0: ";
    if (!l->unit[0]) {
        fprintf(out, "  latency       %s has no latency model\n", p->target.name);
        return;
    }
    fprintf(out, "  latency       %s %s, the model's error is %.2f %% (%s)\n",
            text_count(p->cost[p->image].latency), l->unit, 100 * l->error, l->source);
    print_time(p, out);
    for (int op = 0; op < N_OPS; op++) {
        if (!profile_uses(p, (Op)op) || profile_has_latency(l, (Op)op))
            continue;
        fprintf(out, "%s%s", before, op_name((Op)op));
        before = ", ";
    }
    fputs(before[0] == ',' ? "\n" : "", out);
}

/* "279,152 B (272.6 KiB) of SRAM left" or "... too much" */
static void print_margin(const char *what, uint64_t limit, uint64_t taken, FILE *out)
{
    if (limit)
        fprintf(out, ", %s of %s %s", text_bytes(limit > taken ? limit - taken : taken - limit),
                what, limit >= taken ? "left" : "too much");
}

static void print_verdict(const Profile *p, FILE *out)
{
    fprintf(out, "  limits        %s of SRAM, %s of flash; %s has %s and %s\n",
            text_bytes(p->limits.sram), text_bytes(p->limits.flash), p->target.name,
            text_bytes(p->target.sram), text_bytes(p->target.flash));
    for (int i = 0; i < N_IMAGES; i++) {
        const Cost *cost = &p->cost[i];
        fprintf(out, "    %s: %s", image_words[i],
                cost_fits(cost, &p->limits) ? "fits" : "does not fit");
        print_margin("SRAM", p->limits.sram, cost->sram, out);
        print_margin("flash", p->limits.flash, cost->flash, out);
        fprintf(out, "\n");
    }
}

/* What a part is the output or the scratch of: "layer 4, pointwise". */
static void print_part(const Profile *p, const Part *part, FILE *out)
{
    const PlanTensor *t = &p->plan[p->image].tensor[1 + part->layer];
    fprintf(out, "    %-8s  %9u B at %8u  ", part_name((PartKind)part->kind), (unsigned)part->bytes,
            (unsigned)part->offset);
    if (part->layer == NET_IMAGE)
        fprintf(out, "the image");
    else
        fprintf(out, "of layer %d, %s", part->layer, op_name((Op)p->net.layer[part->layer].op));
    if (part->kind != PART_SCRATCH)
        fprintf(out, ": %u row%s of %u B", (unsigned)t->rows, t->rows == 1 ? "" : "s",
                (unsigned)t->row_bytes);
    fprintf(out, "\n");
}

static void print_peak(const Profile *p, FILE *out)
{
    const Plan *plan = &p->plan[p->image];
    const PlanSegment *s = &plan->segment[plan->peak_segment];
    Part *part = xcalloc(PROFILE_MAX_PARTS, sizeof *part);
    int n = profile_parts(&p->net, plan, plan->peak_segment, part);
    uint32_t live = plan_live(plan, &p->net, plan->peak_segment);
    uint64_t sum = 0;
    fprintf(out, "  peak          %s alive in segment %d, layers %d to %d, %s\n", text_bytes(live),
            plan->peak_segment, s->first, s->first + s->n - 1, image_words[p->image]);
    for (int i = 0; i < n; i++) {
        print_part(p, &part[i], out);
        sum += part[i].bytes;
    }
    if (sum > live)
        fprintf(out,
                "    overlap   %9lld B              one lies over another that dies or rests\n",
                (long long)live - (long long)sum);
    if (plan->arena > live)
        fprintf(out, "    gaps      %9u B\n", (unsigned)(plan->arena - live));
    free(part);
}

int profile_print_summary(const Profile *p, FILE *out)
{
    const Cost *cost = &p->cost[p->image];
    uint64_t macs = net_macs(&p->net);
    fprintf(out, "%s, schedule %s on %s, in detail with the %s\n", p->source,
            policy_name((Policy)p->policy), p->target.name, image_words[p->image]);
    fprintf(out, "  input         %dx%dx%d int8, %s\n", p->net.h, p->net.w, p->net.c,
            text_bytes(net_tensor_bytes(&p->net, NET_IMAGE)));
    fprintf(out, "  layers        %d in %d segments\n", p->net.n_layers,
            p->plan[p->image].n_segments);
    fprintf(out, "  MACs          %s (%llu), %llu of them inside the image",
            text_count((double)macs), (unsigned long long)macs,
            (unsigned long long)profile_macs_inside(&p->net));
    if (cost->macs != macs)
        fprintf(out, "; executed %s, x%.3f", text_count((double)cost->macs),
                (double)cost->macs / (double)macs);
    fprintf(out, "\n  weights       %u; with %u biases %u parameters\n",
            (unsigned)net_weights(&p->net), (unsigned)net_channels(&p->net),
            (unsigned)(net_weights(&p->net) + net_channels(&p->net)));
    print_memory(p, out);
    print_flash(p, out);
    print_latency(p, out);
    print_verdict(p, out);
    print_peak(p, out);
    return 0;
}

/* --- tables: queries on the description */

#define GET(key) " json_extract(value, '$." key "') "
#define SHAPE(key) GET(key "[0]") "||'x'||" GET(key "[1]") "||'x'||" GET(key "[2]")

static const char layers_table[] =
    "SELECT" GET("layer") "AS \"#\"," GET("op") "||' '||"
    " CASE WHEN" GET("kernel[0]") "*" GET("kernel[1]") "*" GET("stride[0]") "> 1 THEN"
    GET("kernel[0]") "||'x'||"
    GET("kernel[1]") "ELSE '' END ||"
    " CASE WHEN" GET("stride[0]") "<>" GET("stride[1]") "THEN '/'||" GET("stride[0]") "||'x'||"
    GET("stride[1]") "WHEN" GET("stride[0]") "> 1 THEN '/'||" GET("stride[0]")
    "ELSE '' END AS layer,"
    " nullif(" GET("role") ", '') AS role,"
    SHAPE("input") "AS input," SHAPE("output") "AS output," GET("segment") "AS segment,"
    GET("runs_as") "AS \"as\","
    " CASE WHEN" GET("runtime_kernel") "LIKE '%%pairs' THEN 'pairs' WHEN" GET("op")
    "IN ('conv', 'depthwise', 'pointwise') THEN 'small' END AS kernel,"
    " CASE" GET("output_rows") "WHEN" GET("output[0]") "THEN 'all' WHEN 0 THEN NULL ELSE"
    GET("output_rows") "END AS rows,"
    GET("macs") "AS MACs, CASE WHEN" GET("work") "> 1.0005 THEN 'x' || round(" GET("work")
    ", 2) END AS again,"
    GET("weights") "AS weights," GET("live_bytes") "AS \"live B\", tidy(" GET("latency")
    ") AS \"%s\"%s, CASE WHEN" GET("peak") "THEN '< peak' ELSE '' END AS \"\""
    " FROM json_each(?1)";

static const char layers_csv[] =
    "SELECT" GET("layer") "AS layer," GET("op") "AS op," GET("role") "AS role,"
    GET("kernel[0]") "AS kernel_h," GET("kernel[1]") "AS kernel_w,"
    GET("stride[0]") "AS stride_h," GET("stride[1]") "AS stride_w,"
    GET("input[0]") "AS in_h," GET("input[1]") "AS in_w," GET("input[2]") "AS in_c,"
    GET("output[0]") "AS out_h," GET("output[1]") "AS out_w," GET("output[2]") "AS out_c,"
    GET("segment") "AS segment," GET("runs_as") "AS runs_as,"
    GET("runtime_kernel") "AS runtime_kernel," GET("output_rows") "AS output_rows,"
    GET("macs") "AS macs," GET("work") "AS work," GET("weights") "AS weights,"
    GET("live_bytes") "AS live_bytes," GET("latency") "AS latency," GET("ms") "AS ms,"
    GET("energy_mj") "AS energy_mj," GET("peak") "AS peak"
    " FROM json_each(?1)";

#define MS ", round(" GET("ms") ", 3) AS ms"
#define MJ ", round(" GET("energy_mj") ", 4) AS mJ"

/* Behind the latency, where they are known. */
static const char *more_columns(const Profile *p)
{
    return target_mj(&p->target, 1) > 0 ? MS MJ : target_ms(&p->target, 1) > 0 ? MS : "";
}

/* A table's heading in SQL: the latency's unit, of which only letters are taken. */
static char *with_unit(const Profile *p, const char *sql)
{
    char unit[sizeof p->target.latency.unit] = "latency";
    size_t n = strspn(p->target.latency.unit, "abcdefghijklmnopqrstuvwxyz_ ");
    if (n > 0)
        snprintf(unit, sizeof unit, "%.*s", (int)n, p->target.latency.unit);
    return xasprintf(sql, unit, more_columns(p));
}

static int print_table(const Profile *p, json_t *rows, const char *sql, FILE *out)
{
    char *titled = with_unit(p, sql);
    int status = json_table(rows, titled, FORMAT_TABLE, out);
    free(titled);
    return status;
}

int profile_print_layers(const Profile *p, Format format, FILE *out)
{
    json_t *rows = profile_json_layers(p);
    return format == FORMAT_TABLE ? print_table(p, rows, layers_table, out)
                                  : json_table(rows, layers_csv, format, out);
}

static const char schedules_table[] =
    "SELECT" GET("schedule") "AS schedule," GET("arena_bytes") "AS \"arena B, image outside\","
    GET("arena_resident_bytes") "AS \"resident\"," GET("macs") "AS \"MACs executed\", tidy("
    GET("latency") ") AS \"%s\"%s," GET("flash_bytes") "AS \"flash B\" FROM json_each(?1)";

static const char schedules_csv[] =
    "SELECT" GET("schedule") "AS schedule," GET("arena_bytes") "AS arena_bytes,"
    GET("arena_resident_bytes") "AS arena_resident_bytes," GET("macs") "AS macs,"
    GET("latency") "AS latency," GET("ms") "AS ms," GET("energy_mj") "AS energy_mj,"
    GET("flash_bytes") "AS flash_bytes FROM json_each(?1)";

int profile_print_schedules(const Profile *p, Format format, FILE *out)
{
    json_t *rows = profile_json_schedules(p);
    return format == FORMAT_TABLE ? print_table(p, rows, schedules_table, out)
                                  : json_table(rows, schedules_csv, format, out);
}

static const char front_table[] =
    "SELECT" GET("arena_bytes") "AS \"arena B\", kib(" GET("arena_bytes") ") AS KiB," GET("macs")
    "AS \"MACs executed\", 'x' || printf('%.3f'," GET("work") ") AS work FROM json_each(?1)";

static const char front_csv[] = "SELECT" GET("arena_bytes") "AS arena_bytes," GET("macs")
    "AS macs," GET("work") "AS work FROM json_each(?1)";

int profile_print_front(const Profile *p, Format format, FILE *out)
{
    return json_table(profile_json_front(p), format == FORMAT_TABLE ? front_table : front_csv,
                      format, out);
}
