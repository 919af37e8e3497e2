#include "estimator/stream_inner.h"

#include "estimator/plan_inner.h"

#include <assert.h>

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* ---- the network -------------------------------------------------------------------------- */

static bool begins_block(const Net *net, int i, const int16_t *last)
{
    if (i + 2 >= net->n_layers)
        return false;
    const Layer *e = &net->layer[i], *d = e + 1, *p = e + 2;
    return d->kh > 1 && e->op == OP_POINTWISE && d->op == OP_DEPTHWISE && p->op == OP_POINTWISE &&
           d->input == i && p->input == i + 1 && d->out_c == d->in_c && last[1 + i] == i + 1 &&
           last[2 + i] == i + 2 && (PLAN_MAX_BLOCK - 1) * d->sh + d->kh <= NET_MAX_ROWS;
}

static Step look(const Net *net, int i, bool small, const int16_t *last)
{
    const Layer *l = &net->layer[i];
    Step t = {.row = (uint32_t)l->out_w * l->out_c,
              .in_row = (uint32_t)l->in_w * l->in_c,
              .layer = l,
              .scratch = plan_aligned(plan_scratch(l, plan_kernel(l, small), l->out_w)),
              .kernel = (uint8_t)plan_kernel(l, small),
              .in_h = l->in_h, .in_w = l->in_w, .in_c = l->in_c,
              .out_h = l->out_h, .out_w = l->out_w, .out_c = l->out_c,
              .k = l->kh, .s = l->sh, .p = l->pad_top,
              .kw = l->kw, .sw = l->sw, .pw = l->pad_left,
              .add = l->op == OP_ADD,
              .sums = l->op == OP_GLOBAL_POOL,
              .same = plan_overlap(l, l->op) == PACK_SAME,
              .block = begins_block(net, i, last),
              .skip = NO_SKIP,
              .macs = (double)layer_macs(l)};
    bool reads_last = l->input == i - 1 || (t.add && l->input2 == i - 1);
    for (int rows = 1; rows <= PLAN_MAX_BLOCK && i > 0 && begins_block(net, i - 1, last); rows *= 2)
        t.again[rows] = plan_block_rows(l->in_h, l->out_h, l->kh, l->sh, l->pad_top, rows) /
                        (double)l->in_h;
    t.chained = reads_last && l->op != OP_GATE;
    t.tensor = plan_aligned(t.row * t.out_h);
    t.in_tensor = plan_aligned(t.in_row * t.in_h);
    if (t.add)
        t.skip = l->input == i - 1 ? l->input2 : l->input;
    return t;
}

/* Tensor t is alive before the layers behind it, up to its last reader. */
void stream_look(Step *step, const Net *net, bool small)
{
    int16_t last[NET_MAX_LAYERS + 1], change[NET_MAX_LAYERS + 2] = {0};
    int n = net->n_layers, alive = 0;
    for (int t = 0; t <= n; t++)
        last[t] = (int16_t)(t - 1); /* nobody */
    for (int i = 0; i < n; i++) {
        const Layer *l = &net->layer[i];
        last[1 + l->input] = (int16_t)i;
        if (op_has_two_inputs((Op)l->op))
            last[1 + l->input2] = (int16_t)i;
    }
    last[n] = (int16_t)n; /* the output stays */
    for (int t = NET_IMAGE; t < n; t++) {
        change[t + 1]++;
        change[last[1 + t] + 1]--;
    }
    for (int i = 0; i < n; i++) {
        step[i] = look(net, i, small, last);
        alive += change[i];
        step[i].cut = alive == 1 && last[i] >= i; /* it is what the layer before made */
    }
    step[0].cut = true;
    step[n].cut = true;
}

/* ---- strips ------------------------------------------------------------------------------- */

static void measure(Strips *s, int width)
{
    int sum = 0, most = 0;
    for (int i = 0; i < s->n; i++) {
        int columns = s->to[i] - s->from[i];
        sum += columns;
        most = columns > most ? columns : most;
    }
    s->widest = (uint32_t)most;
    s->share = (double)sum / width;
}

Strips strips_of(int n, int width)
{
    Strips s;
    s.n = n;
    for (int i = 0; i < n; i++) {
        s.from[i] = plan_cut(width, n, i);
        s.to[i] = plan_cut(width, n, i + 1);
    }
    measure(&s, width);
    return s;
}

void strips_widen(Strips *s, const Step *t)
{
    if (s->n == 1) {
        s->widest = s->to[0] = t->in_w;
        return;
    }
    for (int i = 0; i < s->n; i++) {
        int from = s->from[i] * t->sw - t->pw, to = (s->to[i] - 1) * t->sw - t->pw + t->kw;
        s->from[i] = (uint16_t)(from > 0 ? from : 0);
        s->to[i] = (uint16_t)(to < t->in_w ? to : t->in_w);
    }
    measure(s, t->in_w);
}

/* ---- a segment grows ---------------------------------------------------------------------- */

int stream_block(uint64_t blocks, int i)
{
    int code = (int)(blocks >> (2 * (i % 32)) & 3);
    return code == 3 ? PLAN_MAX_BLOCK : code;
}

Label label_empty(const Step *last)
{
    return (Label){.empty = true, .skip = NO_SKIP, .made = {1, 1, last->out_h}};
}

/* Rows of a layer's input from rows of its output. */
static Rows before(Rows made, const Step *t)
{
    int most = (made.most - 1) * t->s - t->p + t->k;
    bool all = made.most >= t->out_h || most > t->in_h;
    return (Rows){made.slope * t->s, (made.shift - 1) * t->s - t->p + t->k, all ? t->in_h : most};
}

/* The tensor between the head and its producer, which makes `rows` at once: a ring, or a row
 * that is read at once and shares its place with others, but not with the next such row. */
static uint32_t add_tensor(Label *l, const Step *producer, int tensor, uint32_t row, int rows)
{
    uint32_t kept = l->need;
    bool ring = kept > 1;
    if (l->skip == tensor) {
        kept = larger(kept, l->keep);
        l->skip = NO_SKIP;
        ring = true;
    }
    kept += (uint32_t)rows - 1;
    kept = kept < producer->out_h ? kept : producer->out_h;
    ring = ring || kept > 1;
    if (l->ring)
        l->ring[tensor] = (Ring){(uint16_t)kept, row, !ring};
    if (ring) {
        l->rings += plan_aligned(kept * row);
        return 0;
    }
    l->shared = larger(l->shared, plan_aligned(row) + l->at_once);
    return plan_aligned(row);
}

/* An add's second row is that of the skip's source which is still there. One skip at a time. */
static bool begin_skip(Label *l, const Step *t)
{
    if (!t->add)
        return true;
    if (l->skip != NO_SKIP)
        return false;
    l->skip = t->skip;
    l->keep = 1;
    l->added = l->made;
    l->added.shift -= l->alone; /* it reads the row while it writes the segment's output */
    return true;
}

/* While a skip waits for its source, the source is so many rows ahead of the add. */
static bool lengthen_skip(Label *l, const Step *t, int rows)
{
    if (l->skip == NO_SKIP)
        return true;
    l->keep = (uint16_t)(l->keep + t->k - 1 - t->p + rows - 1);
    return t->s == 1;
}

static void set_head(Label *l, int k, const Step *t, int rows)
{
    l->need = (uint16_t)k;
    l->s = t->s;
    l->p = t->p;
    l->head = (uint8_t)rows;
    l->alone = l->empty;
    l->empty = false;
}

static uint32_t scratch_of(const Step *t, const Strips *columns)
{
    uint32_t most = 0;
    if (columns->n == 1)
        return t->scratch;
    for (int i = 0; i < columns->n; i++)
        most = larger(most, plan_scratch(t->layer, t->kernel, columns->to[i] - columns->from[i]));
    return plan_aligned(most);
}

bool label_extend(Label *l, const Step *step, int i, const Strips *columns)
{
    const Step *t = &step[i];
    int k = t->k, calls = t->out_h;
    if (t->sums) { /* a global pool ends its segment and adds its rows up as they come */
        if (!l->empty)
            return false;
        l->rings = plan_aligned(4u * t->in_c);
        k = 1;
        calls = t->in_h;
    }
    if (!l->empty) {
        l->at_once = add_tensor(l, t, i, columns->widest * t->out_c, 1);
        l->made = before(l->made, &step[i + 1]);
    }
    set_head(l, k, t, 1);
    l->scratch = larger(l->scratch, scratch_of(t, columns));
    if (!begin_skip(l, t) || !lengthen_skip(l, t, 1))
        return false;
    l->work += t->macs * columns->share + ROW_WORK * (double)calls * columns->n;
    return true;
}

void label_whole(Label *l, const Step *t)
{
    if (t->sums) {
        l->rings = 0;
        l->need = t->k;
    }
}

bool label_extend_block(Label *l, const Step *step, int i, int rows, const Strips columns[3])
{
    const Step *e = &step[i], *d = e + 1, *p = e + 2;
    int k = (rows - 1) * d->s + d->k;
    uint32_t window = plan_aligned(plan_block_scratch(k, d->kw, e->out_c)), at_once = 0;
    if (!l->empty) {
        at_once = add_tensor(l, p, i + 2, columns[0].widest * p->out_c, rows);
        l->made = before(l->made, e + 3);
    }
    l->shared = larger(l->shared, window + at_once);
    l->at_once = 0;
    set_head(l, k, d, rows);
    double macs = p->macs * columns[0].share + d->macs * columns[1].share +
                  e->macs * columns[2].share * d->again[rows];
    l->work += (d->kernel == OP_DEPTHWISE ? 1 : BLOCK_WORK) * macs +
               ROW_WORK * (double)(e->out_h + d->out_h + p->out_h) * columns[0].n;
    l->blocks |= (uint64_t)(rows == PLAN_MAX_BLOCK ? 3 : rows) << (2 * (i % 32));
    return lengthen_skip(l, d, rows);
}

/* ---- its bytes ---------------------------------------------------------------------------- */

/* max over y of (y + 1) * row_out - dead(y) * row_in: dead(y) rows of the input are not needed
 * any more when output row y is written, all of them when dead.most is reached. It is piecewise
 * linear in y: its corners suffice. */
static uint32_t ahead(Rows dead, const Step *last, const Step *head)
{
    dead.most = dead.most <= head->in_h ? dead.most : head->in_h + 1; /* it may be without end */
    int zero = dead.shift < 0 ? -dead.shift / dead.slope : 0;
    int end = (dead.most - dead.shift) / dead.slope;
    int corner[] = {0, zero, zero + 1, end - 1, end, end + 1, last->out_h - 1};
    int64_t most = 0;
    for (int c = 0; c < 7; c++) {
        int y = corner[c] < last->out_h ? corner[c] : last->out_h - 1;
        y = y > 0 ? y : 0;
        int64_t rows = (int64_t)dead.slope * y + dead.shift;
        rows = rows < 0 ? 0 : rows >= dead.most || rows > head->in_h ? head->in_h : rows;
        int64_t a = (int64_t)(y + 1) * last->row - rows * head->in_row;
        most = a > most ? a : most;
    }
    return plan_aligned((uint32_t)most);
}

/* How far the output runs into the input it is made of. */
static uint32_t overlap(const Label *l, const Step *head, const Step *last, bool skips)
{
    Rows made = l->made, dead = {made.slope * l->s, made.shift * l->s - l->p, made.most * l->s - l->p};
    if (l->alone) { /* its window is read while the row is written, or the last of a block's rows */
        dead.shift -= l->head * l->s;
        dead.most = INT32_MAX;
    }
    uint32_t most = l->alone && head->same ? 0 : ahead(dead, last, head);
    if (skips && (most > 0 || !last->same)) /* a last add may write over the very row it adds */
        most = larger(most, ahead(l->added, last, head));
    return most;
}

uint32_t label_image_rows(const Label *l, const Step *head)
{
    uint32_t rows = l->skip == NET_IMAGE ? larger(l->need, l->keep) : l->need;
    return rows < head->in_h ? rows : head->in_h;
}

Label label_replay(const Step *step, const StreamCut *cut, int j, Ring *ring, Strips *columns)
{
    Label l = label_empty(&step[j - 1]);
    l.ring = ring;
    *columns = strips_of(cut->columns, step[j - 1].out_w);
    for (int m = j; m > cut->from;) {
        int rows = m - 3 >= cut->from ? stream_block(cut->blocks, m - 3) : 0, n = rows ? 3 : 1;
        Strips wanted[3];
        for (int a = 0; a < n; a++) {
            wanted[a] = *columns;
            strips_widen(columns, &step[m - 1 - a]);
        }
        bool grows = rows ? label_extend_block(&l, step, m - 3, rows, wanted)
                          : label_extend(&l, step, m - 1, &wanted[0]);
        assert(grows);
        (void)grows;
        m -= n;
    }
    if (j == cut->from + 1)
        label_whole(&l, &step[cut->from]);
    return l;
}

uint32_t label_bytes(const Label *l, const Step *head, const Step *last, int input, bool pulled,
                     const Strips *columns, uint32_t *distance)
{
    bool skips = l->skip == input;
    uint32_t inside = l->rings + l->scratch, shared = l->shared;
    *distance = 0;
    if (l->skip != NO_SKIP && !skips)
        return UINT32_MAX;
    if (pulled)
        return inside + shared + last->tensor +
               plan_aligned(label_image_rows(l, head) * columns->widest * head->in_c);
    if (columns->n > 1)
        return inside + shared + head->in_tensor + last->tensor;
    *distance = overlap(l, head, last, skips);
    return inside + shared + larger(*distance + head->in_tensor, last->tensor);
}
