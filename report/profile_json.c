#include "report/profile_json.h"

#include "base/alloc.h"
#include "base/version.h"
#include "estimator/stream.h"
#include "estimator/tflm.h"
#include "estimator/tinyengine.h"

#include <stdlib.h>

/* --- names */

static const char *const roles[] = {
    [ROLE_NONE] = "",           [ROLE_STEM] = "stem",       [ROLE_EXPAND] = "expand",
    [ROLE_DEPTHWISE] = "depthwise", [ROLE_PROJECT] = "project", [ROLE_ADD] = "add",
    [ROLE_HEAD] = "head",       [ROLE_POOL] = "pool",       [ROLE_CLASSIFIER] = "classifier",
};

static const char *const image_names[N_IMAGES] = {"outside", "resident"};

static void set(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_real(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, json_real(value));
}

static void set_text(json_t *object, const char *key, const char *value)
{
    json_t *text = json_string(value); /* NULL for what is no UTF-8: a file's name may be */
    json_object_set_new(object, key, text ? text : json_string("?"));
}

static json_t *shape(int h, int w, int c)
{
    return json_pack("[iii]", h, w, c);
}

/* --- parts of the description */

static json_t *target_json(const Target *t)
{
    json_t *j = json_object();
    set_text(j, "name", t->name);
    set_text(j, "core", t->core);
    set(j, "sram_bytes", t->sram);
    set(j, "sram_reserve_bytes", t->sram_reserve);
    set(j, "flash_bytes", t->flash);
    set(j, "flash_reserve_bytes", t->flash_reserve);
    return j;
}

/* Left over of what may be taken; negative: lacking. */
static json_t *fit_json(const Profile *p, ImagePlace image)
{
    const Cost *cost = &p->cost[image];
    json_t *j = json_object();
    json_object_set_new(j, "fits", json_boolean(cost_fits(cost, &p->limits)));
    if (p->limits.sram)
        json_object_set_new(j, "sram_left_bytes",
                            json_integer((json_int_t)p->limits.sram - (json_int_t)cost->sram));
    if (p->limits.flash)
        json_object_set_new(j, "flash_left_bytes",
                            json_integer((json_int_t)p->limits.flash - (json_int_t)cost->flash));
    return j;
}

static json_t *verdict_json(const Profile *p)
{
    json_t *j = json_object();
    set(j, "sram_limit_bytes", p->limits.sram);
    set(j, "flash_limit_bytes", p->limits.flash);
    for (int i = 0; i < N_IMAGES; i++)
        json_object_set_new(j, image_names[i], fit_json(p, (ImagePlace)i));
    return j;
}

static json_t *flash_json(const Profile *p)
{
    PlanSize size = plan_size(&p->net, &p->plan[p->image]);
    ModelFlash model = flash_parts(&p->net, &size);
    json_t *j = json_object(), *code = json_object(), *unknown = json_array();
    set(j, "weights", model.weights);
    set(j, "biases", model.biases);
    set(j, "requantisation", model.requantisation);
    set(j, "tables", model.tables);
    set(j, "code", flash_of_code(&p->target.code, &size));
    set(code, "run", p->target.code.run);
    if (flash_of_tile(&p->target.code, &size))
        set(code, "tile", p->target.code.tile);
    for (int s = 0; s < N_STEPS; s++) {
        if (!(size.steps >> s & 1))
            continue;
        if (p->target.code.kernel[s])
            set(code, profile_step_name(s), p->target.code.kernel[s]);
        else
            json_array_append_new(unknown, json_string(profile_step_name(s)));
    }
    json_object_set_new(j, "code_by_kernel", code);
    json_object_set_new(j, "code_not_measured", unknown);
    return j;
}

static json_t *known(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

/* Of a latency in the model's unit; null where cycles, clock or power are not known. */
static void set_time(const Profile *p, json_t *j, double latency)
{
    json_object_set_new(j, "ms", known(target_ms(&p->target, latency)));
    json_object_set_new(j, "energy_mj", known(target_mj(&p->target, latency)));
}

static json_t *latency_json(const Profile *p)
{
    const Latency *l = &p->target.latency;
    if (!l->unit[0])
        return json_null();
    json_t *j = json_object(), *unknown = json_array();
    set_real(j, "value", p->cost[p->image].latency);
    set_text(j, "unit", l->unit);
    set_time(p, j, p->cost[p->image].latency);
    json_object_set_new(j, "cycles_estimate",
                        known(latency_cycles(l, &p->net, &p->plan[p->image])));
    set_real(j, "calibration_error", l->error);
    json_object_set_new(j, "calibration_worst", known(l->worst));
    set_text(j, "source", l->source);
    set_text(j, "compiler", l->compiler);
    set(j, "runtime", (uint64_t)l->runtime);
    for (int op = 0; op < N_OPS; op++)
        if (profile_uses(p, (Op)op) && !profile_has_latency(l, (Op)op))
            json_array_append_new(unknown, json_string(op_name((Op)op)));
    json_object_set_new(j, "not_in_it", unknown); /* operators the model does not know */
    return j;
}

static json_t *others_json(const Profile *p)
{
    TinyEngine e = tinyengine_memory(&p->net, true);
    json_t *j = json_object(), *engine = json_object();
    set(j, "tflm_arena_bytes", tflm_arena(&p->graph));
    set(j, "live_bytes", tensor_graph_live(&p->graph, SHARE_NOTHING));
    set(engine, "arena_bytes", e.arena);
    set(engine, "im2col_bytes", e.sbuf);
    set(engine, "kernel_bytes", e.kbuf);
    set(engine, "peak_bytes", tinyengine_peak(&p->net));
    set(engine, "flash_bytes", tinyengine_flash(&p->net));
    json_object_set_new(j, "tinyengine", engine);
    return j;
}

static void set_graph(json_t *j, const char *prefix, const TensorGraph *g)
{
    static const char *const name[] = {"live", "inpl_dw", "inpl"};
    char key[16];
    for (int share = SHARE_NOTHING; share <= SHARE_DEPTHWISE_AND_ADD; share++) {
        snprintf(key, sizeof key, "%s%s", prefix, name[share]);
        set(j, key, tensor_graph_live(g, (Share)share));
    }
    snprintf(key, sizeof key, "%stflm", prefix);
    set(j, key, tflm_arena(g));
}

/* What was counted before us, operator by operator: bytes of tensors alive (live), with depthwise
 * layers in place, with adds in place too, TFLite Micro's arena; f_: of the folded network. */
static json_t *file_json(const Profile *p)
{
    json_t *j = json_object();
    TensorGraph *folded = xcalloc(1, sizeof *folded);
    set(j, "ops", (uint64_t)p->file.ops);
    set(j, "macs", p->file.macs);
    set(j, "macs_exact", p->file.macs_exact);
    set(j, "w_bytes", p->file.weights);
    set(j, "b_bytes", p->file.biases);
    set(j, "nscale", p->file.scales);
    set(j, "params", p->file.params);
    set_graph(j, "", &p->graph);
    tensor_graph_of_net(&p->net, folded);
    set_graph(j, "f_", folded);
    free(folded);
    return j;
}

static json_t *part_json(const Profile *p, const Part *part)
{
    json_t *j = json_object();
    set_text(j, "part", part_name((PartKind)part->kind));
    json_object_set_new(j, "layer", json_integer(part->layer));
    set_text(j, "of",
             part->layer == NET_IMAGE ? "image" : op_name((Op)p->net.layer[part->layer].op));
    set(j, "bytes", part->bytes);
    set(j, "address", part->offset);
    const PlanTensor *t = &p->plan[p->image].tensor[1 + part->layer];
    if (part->kind != PART_SCRATCH) {
        set(j, "rows", t->rows);
        set(j, "row_bytes", t->row_bytes);
    }
    return j;
}

json_t *profile_json_peak(const Profile *p)
{
    const Plan *plan = &p->plan[p->image];
    Part *part = xcalloc(PROFILE_MAX_PARTS, sizeof *part);
    int s = plan->peak_segment, n = profile_parts(&p->net, plan, s, part);
    json_t *j = json_object(), *list = json_array();
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) {
        json_array_append_new(list, part_json(p, &part[i]));
        sum += part[i].bytes;
    }
    free(part);
    uint32_t live = plan_live(plan, &p->net, s);
    set(j, "segment", (uint64_t)s);
    set(j, "live_bytes", live);
    set(j, "overlapping_bytes", sum - live); /* where one part lies over another */
    set(j, "gaps_bytes", plan->arena - live);
    json_object_set_new(j, "parts", list);
    return j;
}

/* --- lists */

static json_t *layer_json(const Profile *p, int i)
{
    const Layer *l = &p->net.layer[i];
    const Plan *plan = &p->plan[p->image];
    const PlanTensor *t = &plan->tensor[1 + i];
    int s = profile_segment_of(plan, i);
    double work = plan_work(&p->net, plan, i);
    json_t *j = json_object();
    set(j, "layer", (uint64_t)i);
    set_text(j, "op", op_name((Op)l->op));
    set_text(j, "role", roles[l->role]);
    json_object_set_new(j, "kernel", json_pack("[ii]", l->kh, l->kw));
    json_object_set_new(j, "stride", json_pack("[ii]", l->sh, l->sw));
    json_object_set_new(j, "input", shape(l->in_h, l->in_w, l->in_c));
    json_object_set_new(j, "output", shape(l->out_h, l->out_w, l->out_c));
    json_object_set_new(j, "reads", op_has_two_inputs((Op)l->op)
                                        ? json_pack("[ii]", l->input, l->input2)
                                        : json_pack("[i]", l->input));
    if (p->imported)
        json_object_set_new(j, "file_op", json_integer(p->file_op[i]));
    set(j, "segment", (uint64_t)s);
    set_text(j, "runs_as", profile_runs_as(plan, i));
    set_text(j, "runtime_kernel", profile_step_name(plan->kernel[i]));
    set(j, "output_rows", t->bytes ? t->rows : 0); /* kept at once */
    set(j, "macs", layer_macs(l));
    set_real(j, "work", work);
    set(j, "weights", layer_weights(l));
    set(j, "live_bytes", plan_live(plan, &p->net, s));
    double latency = profile_latency_of_layer(p, i);
    json_object_set_new(j, "latency", latency < 0 ? json_null() : json_real(latency));
    set_time(p, j, latency);
    json_object_set_new(j, "peak", json_boolean(profile_is_peak(p, i)));
    return j;
}

json_t *profile_json_layers(const Profile *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->net.n_layers; i++)
        json_array_append_new(list, layer_json(p, i));
    return list;
}

static json_t *segments_json(const Profile *p)
{
    const Plan *plan = &p->plan[p->image];
    json_t *list = json_array();
    for (int i = 0; i < plan->n_segments; i++) {
        const PlanSegment *s = &plan->segment[i];
        json_t *j = json_object();
        set(j, "first_layer", s->first);
        set(j, "n_layers", s->n);
        set(j, "rows", s->rows);
        set(j, "columns", s->columns);
        json_object_set_new(j, "tiled", json_boolean(s->tiled));
        set(j, "live_bytes", plan_live(plan, &p->net, i));
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *tensors_json(const Profile *p)
{
    const Plan *plan = &p->plan[p->image];
    json_t *list = json_array();
    for (int i = 0; i <= p->net.n_layers; i++) {
        const PlanTensor *t = &plan->tensor[i];
        json_t *j = json_object();
        json_object_set_new(j, "layer", json_integer(i - 1));
        set(j, "address", t->offset);
        set(j, "bytes", t->bytes);
        set(j, "tensor_bytes", net_tensor_bytes(&p->net, i - 1));
        set(j, "rows", t->rows);
        set(j, "row_bytes", t->row_bytes);
        set(j, "first_segment", t->first);
        set(j, "last_segment", t->last);
        if (t->move != PLAN_STAYS) {
            set(j, "moved_before_segment", t->move);
            set(j, "moved_address", t->moved);
        }
        json_array_append_new(list, j);
    }
    return list;
}

json_t *profile_json_schedules(const Profile *p)
{
    Way way[PROFILE_MAX_WAYS];
    int n = profile_ways(p, way);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *j = json_object();
        set_text(j, "schedule", way[i].name);
        json_object_set_new(j, "arena_bytes", way[i].arena[0] ? json_integer(way[i].arena[0])
                                                              : json_null());
        set(j, "arena_resident_bytes", way[i].arena[1]);
        set(j, "macs", way[i].macs);
        json_object_set_new(j, "latency", known(way[i].latency));
        set_time(p, j, way[i].latency);
        json_object_set_new(j, "flash_bytes", way[i].flash ? json_integer(way[i].flash)
                                                           : json_null());
        json_array_append_new(list, j);
    }
    return list;
}

json_t *profile_json_front(const Profile *p)
{
    enum { MOST = 256 };
    StreamPoint *point = xcalloc(MOST, sizeof *point);
    PlanOptions o = profile_options(p, POLICY_STREAM, p->image);
    int n = stream_front(&p->net, &o, point, MOST);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        json_t *j = json_object();
        set(j, "arena_bytes", point[i].arena);
        set(j, "macs", point[i].macs);
        set_real(j, "work", (double)point[i].macs / (double)net_macs(&p->net));
        json_array_append_new(list, j);
    }
    free(point);
    return list;
}

/* --- all of it */

static void add_totals(const Profile *p, json_t *j)
{
    set(j, "n_layers", p->net.n_layers);
    set(j, "macs", net_macs(&p->net));
    set(j, "macs_inside", profile_macs_inside(&p->net)); /* without those on padding */
    set(j, "macs_executed", p->cost[p->image].macs);
    set(j, "weights", net_weights(&p->net));
    set(j, "params", net_weights(&p->net) + net_channels(&p->net)); /* and biases */
    set(j, "stack_bytes", p->cost[p->image].stack);
    set(j, "flash_bytes", p->cost[p->image].flash);
    json_object_set_new(j, "flash", flash_json(p));
    json_object_set_new(j, "latency", latency_json(p));
}

json_t *profile_json(const Profile *p, ProfileDetail detail)
{
    json_t *j = json_object();
    set(j, "schema_version", PROFILE_SCHEMA);
    set_text(j, "thimble", THIMBLE_NUMBER);
    set_text(j, "source", p->source);
    set_text(j, "schedule", policy_name((Policy)p->policy));
    set(j, "arena_bytes", p->cost[IMAGE_OUTSIDE].sram);
    set(j, "arena_resident_bytes", p->cost[IMAGE_RESIDENT].sram);
    set_text(j, "image", image_names[p->image]); /* where it is in all that follows */
    json_object_set_new(j, "input", shape(p->net.h, p->net.w, p->net.c));
    json_object_set_new(j, "target", target_json(&p->target));
    json_object_set_new(j, "verdict", verdict_json(p));
    add_totals(p, j);
    json_object_set_new(j, "others", others_json(p));
    if (p->imported)
        json_object_set_new(j, "file", file_json(p));
    json_object_set_new(j, "peak", profile_json_peak(p));
    json_object_set_new(j, "segments", segments_json(p));
    json_object_set_new(j, "layers", profile_json_layers(p));
    json_object_set_new(j, "tensors", tensors_json(p));
    if (detail.schedules)
        json_object_set_new(j, "schedules", profile_json_schedules(p));
    if (detail.front)
        json_object_set_new(j, "front", profile_json_front(p));
    return j;
}
