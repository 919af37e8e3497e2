#include "estimator/stream.h"

#include "estimator/plan_inner.h"
#include "estimator/stream_inner.h"

#include <math.h>
#include <string.h>

/* LONGEST: layers of a segment; with blocks and the image still below TB_MAX_SEGMENT ops. */
enum { LABELS = 6, LONGEST = 60 };

/* Segments that begin and end alike: those that are best in bytes or in work. */
typedef struct {
    Label label[LABELS];
    int n;
} Labels;

typedef struct {
    const Net *net;
    bool pulled; /* the image comes through a callback */
    bool small;  /* only kernels that want no scratch */
    int n;
    uint32_t budget; /* bytes no segment may take */
    bool again;      /* strips and blocks may compute things twice */
    bool least_peak; /* else least work */
    Step step[NET_MAX_LAYERS + 1];
    double least[NET_MAX_LAYERS + 1]; /* work of the layers before, done once */
    /* Of the layers before a cut. */
    double work[NET_MAX_LAYERS + 1];
    uint32_t peak[NET_MAX_LAYERS + 1]; /* UINT32_MAX: no way there */
    StreamCut cut[NET_MAX_LAYERS + 1];
} Search;

/* ---- labels ------------------------------------------------------------------------------- */

static uint32_t weight_of(const Label *l, uint32_t in_row)
{
    return l->rings + l->shared + l->need * in_row;
}

/* Unless one that is there is as good in both; those that it beats go. */
static void keep_label(Labels *list, const Label *l, uint32_t in_row)
{
    uint32_t weight = weight_of(l, in_row);
    int n = 0;
    for (int i = 0; i < list->n; i++) {
        const Label *other = &list->label[i];
        uint32_t theirs = weight_of(other, in_row);
        if (theirs <= weight && other->work <= l->work)
            return;
        if (theirs < weight || other->work < l->work)
            list->label[n++] = *other;
    }
    if (n == LABELS)
        n--; /* the newest is as good as any */
    list->label[n++] = *l;
    list->n = n;
}

/* ---- cuts --------------------------------------------------------------------------------- */

static void offer_cut(Search *s, int j, StreamCut cut, double work)
{
    int i = cut.from;
    if (s->peak[i] == UINT32_MAX || cut.bytes > s->budget)
        return;
    uint32_t peak = cut.bytes > s->peak[i] ? cut.bytes : s->peak[i];
    work += s->work[i];
    bool better = s->least_peak ? peak < s->peak[j] || (peak == s->peak[j] && work < s->work[j])
                                : s->peak[j] == UINT32_MAX || work < s->work[j];
    if (better) {
        s->peak[j] = peak;
        s->work[j] = work;
        s->cut[j] = cut;
    }
}

static void offer(Search *s, int i, int j, const Label *l, const Strips *columns)
{
    uint32_t distance;
    int input = s->net->layer[i].input;
    uint32_t bytes = label_bytes(l, &s->step[i], &s->step[j - 1], input, i == 0 && s->pulled,
                                 columns, &distance);
    StreamCut cut = {.from = (uint8_t)i, .columns = (uint8_t)columns->n, .blocks = l->blocks,
                     .bytes = bytes};
    if (bytes != UINT32_MAX)
        offer_cut(s, j, cut, l->work);
}

/* All that is before layer i takes at least the work of its layers. */
static bool too_much(const Search *s, int i, int j, double work)
{
    return !s->least_peak && s->least[i] + work >= s->work[j];
}

/* Can it still become part of the answer for the layers before j? */
static bool promises(const Search *s, int i, int j, const Label *l)
{
    uint32_t bytes = l->rings + l->shared + s->step[j - 1].tensor;
    return bytes <= s->budget && !too_much(s, i, j, l->work) &&
           (!s->least_peak || bytes < s->peak[j]);
}

/* The segments [i, j) from those that begin a layer or a block later. at[i % 4], columns[i % 4]:
 * those that begin at i, the columns of layer i's input. */
static void grow(Search *s, int i, int j, Labels *at, const Strips *columns)
{
    const Step *t = &s->step[i];
    const Labels *behind = &at[(i + 1) % 4], *far = &at[(i + 3) % 4];
    const Strips wanted[3] = {columns[(i + 3) % 4], columns[(i + 2) % 4], columns[(i + 1) % 4]};
    uint32_t in_row = columns[i % 4].widest * t->in_c;
    Labels *here = &at[i % 4];
    here->n = 0;
    for (int a = 0; a < behind->n; a++) {
        if (too_much(s, i, j, behind->label[a].work + t->macs) ||
            (behind->label[a].blocks && j - i > 32)) /* they are noted in 64 bits */
            continue;
        Label l = behind->label[a];
        if ((l.empty || s->step[i + 1].chained) && label_extend(&l, s->step, i, &wanted[2]) &&
            promises(s, i, j, &l))
            keep_label(here, &l, in_row);
    }
    if (s->again && t->block && i + 3 <= j && j - i <= 32)
        for (int a = 0; a < far->n; a++)
            for (int rows = 1; rows <= PLAN_MAX_BLOCK && rows <= s->step[i + 2].out_h; rows *= 2) {
                if (too_much(s, i, j, far->label[a].work + t[1].macs + t[2].macs))
                    break;
                Label l = far->label[a];
                if ((l.empty || s->step[i + 3].chained) &&
                    label_extend_block(&l, s->step, i, rows, wanted) &&
                    promises(s, i, j, &l))
                    keep_label(here, &l, in_row);
            }
}

/* All segments that end before layer j, run in so many strips. */
static void end_segments(Search *s, int j, int n_strips)
{
    Labels at[4]; /* large: only what is used is set */
    Strips columns[4];
    for (int a = 0; a < 4; a++)
        at[a].n = 0;
    at[j % 4].label[0] = label_empty(&s->step[j - 1]);
    at[j % 4].n = 1;
    columns[j % 4] = strips_of(n_strips, s->step[j - 1].out_w);
    columns[(j + 1) % 4] = columns[(j + 2) % 4] = columns[j % 4];
    for (int i = j - 1; i >= 0; i--) {
        columns[i % 4] = columns[(i + 1) % 4];
        strips_widen(&columns[i % 4], &s->step[i]);
        grow(s, i, j, at, columns);
        const Labels *here = &at[i % 4];
        for (int a = 0; a < here->n && s->step[i].cut; a++) {
            Label l = here->label[a];
            if (i == j - 1)
                label_whole(&l, &s->step[i]);
            offer(s, i, j, &l, &columns[i % 4]);
        }
        if ((!here->n && !at[(i + 1) % 4].n && !at[(i + 2) % 4].n) || j - i == LONGEST)
            break;
    }
}

/* ---- branches ----------------------------------------------------------------------------- */

/* The layers [i, j), of which none but the first input and the last output is alive outside. */
static void describe_group(const Net *net, int i, int j, bool pulled, bool small, Packing *p)
{
    int input = net->layer[i].input;
    p->n_layers = j - i;
    p->align = PLAN_ALIGN;
    p->bytes[0] = plan_aligned(net_tensor_bytes(net, input));
    p->last[0] = 0;
    for (int m = i; m < j; m++) {
        const Layer *l = &net->layer[m];
        int in = l->input == input ? 0 : 1 + l->input - i, in2 = in;
        if (op_has_two_inputs((Op)l->op))
            in2 = l->input2 == input ? 0 : 1 + l->input2 - i;
        p->layer[m - i] = (PackLayer){{(uint8_t)in, (uint8_t)(l->op == OP_ADD ? in2 : in)},
                                      plan_overlap(l, l->op),
                                      plan_aligned(plan_scratch(l, plan_kernel(l, small), l->out_w))};
        p->bytes[1 + m - i] = plan_aligned(net_tensor_bytes(net, m));
        p->last[1 + m - i] = p->last[in] = p->last[in2] = (uint8_t)(m - i);
    }
    if (pulled) { /* a ring of rows, which only the first layer reads */
        const Layer *l = &net->layer[i];
        uint32_t rows = l->kh < l->in_h ? l->kh : l->in_h;
        p->bytes[0] = plan_aligned(rows * l->in_w * l->in_c);
        p->layer[0].overlap = PACK_APART;
    }
}

uint32_t stream_pack(const Net *net, int i, int j, bool pulled, bool small, Packing *p)
{
    uint32_t end = 0;
    describe_group(net, i, j, pulled, small, p);
    pack_tensors(p);
    for (int t = 0; t <= p->n_layers; t++) {
        uint32_t e = p->offset[t] + p->bytes[t];
        end = e > end ? e : end;
        e = t < p->n_layers ? p->scratch_offset[t] + p->layer[t].scratch : 0;
        end = e > end ? e : end;
    }
    return end;
}

/* Can the layers [i, j) run in one pass? */
static bool streams(const Search *s, int i, int j)
{
    Label l = label_empty(&s->step[j - 1]);
    Strips all = strips_of(1, s->step[j - 1].out_w);
    uint32_t distance;
    if (j - i > LONGEST)
        return false;
    for (int m = j - 1; m >= i; m--) {
        if (!l.empty && !s->step[m + 1].chained)
            return false;
        if (s->net->layer[m].op == OP_GATE || !label_extend(&l, s->step, m, &all))
            return false;
        strips_widen(&all, &s->step[m]);
    }
    return label_bytes(&l, &s->step[i], &s->step[j - 1], s->net->layer[i].input,
                       i == 0 && s->pulled, &all, &distance) != UINT32_MAX;
}

static void end_group(Search *s, int j)
{
    int i = j - 1;
    while (!s->step[i].cut)
        i--;
    if (streams(s, i, j))
        return;
    Packing p;
    StreamCut cut = {.from = (uint8_t)i, .columns = 1, .group = true,
                     .bytes = stream_pack(s->net, i, j, i == 0 && s->pulled, s->small, &p)};
    double work = 0;
    for (int m = i; m < j; m++)
        work += s->step[m].macs;
    offer_cut(s, j, cut, work);
}

/* ---- the two goals ------------------------------------------------------------------------ */

static void run(Search *s, uint32_t budget, bool again, bool least_peak)
{
    s->budget = budget;
    s->again = again;
    s->least_peak = least_peak;
    s->work[0] = s->least[0] = 0;
    s->peak[0] = 0;
    for (int j = 1; j <= s->n; j++) {
        s->least[j] = s->least[j - 1] + s->step[j - 1].macs + ROW_WORK * s->step[j - 1].out_h;
        s->peak[j] = UINT32_MAX;
        s->work[j] = INFINITY;
        if (!s->step[j].cut)
            continue;
        end_group(s, j);
        end_segments(s, j, 1);
        for (int n = 2; again && n <= MAX_STRIPS && s->step[j - 1].out_w >= 2 * n; n += 1 + n / 4)
            end_segments(s, j, n); /* 2, 3, 4, 6 */
    }
}

static void look_at(Search *s, const Net *net, bool image_outside, bool small)
{
    s->net = net;
    s->n = net->n_layers;
    s->pulled = image_outside && net_last_reader(net, NET_IMAGE) == 0;
    s->small = small;
    stream_look(s->step, net, small);
}

/* Is there a plan within the budget? Then the one with the least work is found. */
static bool reaches(Search *s, uint32_t budget, bool again)
{
    run(s, budget, again, false);
    return s->peak[s->n] != UINT32_MAX;
}

/* Least arena without computing twice, then the least work in that arena. */
static void search_once(Search *s)
{
    run(s, UINT32_MAX - 1, false, true);
    run(s, s->peak[s->n], false, false);
}

/* Whether a plan within the budget was found; else the one that computes nothing twice. */
static bool make(Search *s, const Net *net, const PlanOptions *o, bool small)
{
    look_at(s, net, o->image_outside, small);
    if (o->sram && (reaches(s, o->sram, false) || reaches(s, o->sram, true)))
        return true;
    search_once(s);
    return false;
}

void stream_make(const Net *net, const PlanOptions *o, Plan *plan)
{
    Search s;
    bool found = make(&s, net, o, o->small), small = o->small;
    if (o->sram && !found && !small) {
        small = true;
        make(&s, net, o, small);
        plan_set_kernels(net, small, plan);
    }
    stream_place(net, s.step, s.pulled, small, s.cut, plan);
    if (!o->small)
        plan_use_free(net, plan, o->sram);
}

/* ---- the front ---------------------------------------------------------------------------- */

/* Less and less memory, until no plan is found. `most_macs`: the walk ends beyond it. */
static int walk(const Net *net, const PlanOptions *o, uint64_t most_macs, StreamPoint *point, int most)
{
    Search s;
    Plan plan;
    int n = 0;
    look_at(&s, net, o->image_outside, o->small);
    search_once(&s);
    while (n < most && s.peak[s.n] != UINT32_MAX) {
        memset(&plan, 0, sizeof plan);
        plan.image_outside = s.pulled;
        stream_place(net, s.step, s.pulled, s.small, s.cut, &plan);
        StreamPoint p = {.arena = plan.arena, .macs = plan_macs(net, &plan)};
        if (p.macs > most_macs)
            break;
        point[n++] = p;
        if (s.peak[s.n] <= PLAN_ALIGN)
            break;
        run(&s, s.peak[s.n] - PLAN_ALIGN, true, false);
    }
    return n;
}

int stream_front(const Net *net, const PlanOptions *o, StreamPoint *point, int most)
{
    int n = walk(net, o, UINT64_MAX, point, most), kept = 0;
    for (int i = 0; i < n; i++) { /* the same work in less memory replaces what went before */
        while (kept > 0 && point[kept - 1].macs >= point[i].macs)
            kept--;
        point[kept++] = point[i];
    }
    return kept;
}

uint32_t stream_sram(const Net *net, const PlanOptions *o, double share)
{
    enum { POINTS = 2048 };
    StreamPoint point[POINTS];
    uint64_t most = (uint64_t)((double)net_macs(net) * (1 + share));
    int n = walk(net, o, most, point, POINTS);
    return point[n - 1].arena;
}
