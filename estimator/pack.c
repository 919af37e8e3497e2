#include "estimator/pack.h"

#include <assert.h>
#include <string.h>

/* Tensors are placed in the order they are born. What is already in the arena
 * leaves gaps; a new tensor goes to one end of a gap, and when a later one
 * finds no room within the capacity we come back and try the next place. The
 * capacity is first the most bytes alive at once, below which nothing fits;
 * nearly always the first place tried is right everywhere. When too many
 * places were tried in vain, the capacity grows. */

#define TRIES 500  /* places tried before the capacity grows */
#define PLACES 16  /* the best of those considered for one tensor */

/* Tensors in the arena, by ascending offset. */
typedef struct {
    int n;
    uint8_t tensor[PACK_TENSORS];
} Live;

typedef struct {
    uint32_t offset;
    int64_t rank; /* smallest first */
} Place;

typedef struct {
    const Packing *p;
    int tensor, n, most;
    uint32_t input; /* offset of what the layer reads */
    bool input_dies;
    Place place[PLACES + 1];
} Places;

static bool dies(const Packing *p, int tensor, int layer)
{
    return p->last[tensor] == layer;
}

/* The dying inputs that the layer's output may be written over. */
static inline int victims(const Packing *p, int layer, int tensor[2])
{
    const PackLayer *l = &p->layer[layer];
    int n = 0;
    if (l->overlap == PACK_APART)
        return 0;
    if (dies(p, l->input[0], layer))
        tensor[n++] = l->input[0];
    if (l->input[1] != l->input[0] && dies(p, l->input[1], layer))
        tensor[n++] = l->input[1];
    return n;
}

/* Below a tensor: what the outputs written over it one after the other need. */
static void set_room(Packing *p)
{
    memset(p->room, 0, sizeof p->room);
    for (int i = p->n_layers - 1, over[2]; i >= 0; i--)
        for (int v = victims(p, i, over) - 1; v >= 0; v--)
            p->room[over[v]] = p->layer[i].overlap + p->room[1 + i];
}

static uint32_t output_growth(const Packing *p, int layer)
{
    int over[2];
    if (victims(p, layer, over) == 0)
        return p->bytes[1 + layer];
    return p->layer[layer].overlap; /* as the outputs that are written over are not longer */
}

static uint32_t most_alive(const Packing *p)
{
    uint32_t alive = p->bytes[0], most = 0;
    for (int i = 0; i < p->n_layers; i++) {
        int in = p->layer[i].input[0], in2 = p->layer[i].input[1];
        uint32_t now = alive + output_growth(p, i) + p->layer[i].scratch;
        most = now > most ? now : most;
        alive += dies(p, 1 + i, i) ? 0 : p->bytes[1 + i];
        alive -= dies(p, in, i) ? p->bytes[in] : 0;
        alive -= in2 != in && dies(p, in2, i) ? p->bytes[in2] : 0;
    }
    return most;
}

/* ---- where a tensor may go ---- */

static inline void insert(Places *to, uint32_t offset, int64_t rank)
{
    int i = to->n;
    if (i == to->most && to->place[i - 1].rank <= rank)
        return;
    for (; i > 0 && to->place[i - 1].rank > rank; i--)
        to->place[i] = to->place[i - 1];
    to->place[i] = (Place){offset, rank};
    to->n += to->n < to->most;
}

/* Away from an input that dies, beside one that stays: so the free bytes stay together. */
static inline int64_t rank_of(const Places *to, uint32_t offset)
{
    int64_t distance = (int64_t)offset - to->input;
    distance = distance < 0 ? -distance : distance;
    return to->input_dies ? -distance : distance;
}

/* Both ends of [low, high], the offsets a gap allows. */
static inline void add_gap(Places *to, uint32_t low, uint32_t high)
{
    uint32_t room = to->p->room[to->tensor];
    if (room && high - low > room)
        insert(to, low + room, rank_of(to, low));
    insert(to, low, rank_of(to, low));
    if (high > low)
        insert(to, high, rank_of(to, high));
}

/* The gap below the i-th tensor in the arena is [below, above). */
static inline uint32_t below(const Packing *p, const Live *live, int i)
{
    return i == 0 ? 0 : p->offset[live->tensor[i - 1]] + p->bytes[live->tensor[i - 1]];
}

static inline uint32_t above(const Packing *p, const Live *live, int i)
{
    return i == live->n ? p->capacity : p->offset[live->tensor[i]];
}

/* The output may lie in the i-th gap and run over the dying input above it. */
static void add_overlapping(Places *to, const Live *live, int i, uint32_t overlap)
{
    uint32_t low = below(to->p, live, i), input = above(to->p, live, i);
    uint32_t end = above(to->p, live, i + 1), bytes = to->p->bytes[to->tensor];
    if (input < low + overlap || end < low + bytes)
        return;
    uint32_t high = input - overlap < end - bytes ? input - overlap : end - bytes;
    insert(to, high, INT64_MIN); /* least of all new bytes */
    if (high > low)
        insert(to, low, rank_of(to, low));
}

static inline void find_places(const Packing *p, int layer, const Live *live, Places *to)
{
    const PackLayer *l = &p->layer[layer];
    int over[2], n_over = victims(p, layer, over);
    bool same = l->overlap == PACK_SAME;
    uint32_t bytes = p->bytes[1 + layer];
    to->p = p;
    to->tensor = 1 + layer;
    to->n = 0;
    to->input = p->offset[l->input[0]];
    to->input_dies = dies(p, l->input[0], layer);
    for (int v = 0; v < n_over && same; v++)
        insert(to, p->offset[over[v]], INT64_MIN);
    for (int i = 0; i <= live->n; i++) {
        uint32_t low = below(p, live, i), high = above(p, live, i);
        if (n_over && !same && i < live->n && live->tensor[i] == over[0])
            add_overlapping(to, live, i, l->overlap);
        else if (high - low >= bytes)
            add_gap(to, low, high - bytes);
    }
}

/* ---- the search ---- */

static void drop_dead(const Packing *p, const Live *before, int layer, Live *now)
{
    int n = 0; /* both may be the same */
    for (int i = 0; i < before->n; i++)
        if (p->last[before->tensor[i]] >= layer)
            now->tensor[n++] = before->tensor[i];
    now->n = n;
}

static void copy_with(const Packing *p, const Live *live, int tensor, Live *with)
{
    int i = live->n;
    for (; i > 0 && p->offset[live->tensor[i - 1]] > p->offset[tensor]; i--)
        with->tensor[i] = live->tensor[i - 1];
    with->tensor[i] = (uint8_t)tensor;
    memcpy(with->tensor, live->tensor, (size_t)i);
    with->n = live->n + 1;
}

/* Scratch is forgotten after its layer: the first gap will do. */
static bool place_scratch(Packing *p, int layer, const Live *live)
{
    uint32_t end = 0, bytes = p->layer[layer].scratch;
    p->scratch_offset[layer] = 0;
    if (bytes == 0)
        return true;
    for (int i = 0; i < live->n && p->offset[live->tensor[i]] < end + bytes; i++) {
        int t = live->tensor[i];
        if (p->offset[t] + p->bytes[t] > end)
            end = p->offset[t] + p->bytes[t];
    }
    p->scratch_offset[layer] = end;
    return end + bytes <= p->capacity;
}

static bool place_from(Packing *p, int layer, const Live *before)
{
    if (layer == p->n_layers)
        return true;
    Live live, with;
    Places places;
    places.most = PLACES;
    drop_dead(p, before, layer, &live);
    find_places(p, layer, &live, &places);
    for (int i = 0; i < places.n && p->tries > 0; i++) {
        p->tries--;
        p->offset[1 + layer] = places.place[i].offset;
        copy_with(p, &live, 1 + layer, &with);
        if (place_scratch(p, layer, &with) && place_from(p, layer + 1, &with))
            return true;
    }
    return false;
}

static void keep_in_order(const Packing *p, Live *live, int tensor)
{
    int i = live->n++;
    for (; i > 0 && p->offset[live->tensor[i - 1]] > p->offset[tensor]; i--)
        live->tensor[i] = live->tensor[i - 1];
    live->tensor[i] = (uint8_t)tensor;
}

/* place_from() without a way back: nearly always the best places are right, and then this is all. */
static bool place_at_once(Packing *p)
{
    Live live; /* large: only what is used is set */
    Places places;
    places.most = 1;
    live.n = 1;
    live.tensor[0] = 0;
    for (int layer = 0; layer < p->n_layers; layer++) {
        drop_dead(p, &live, layer, &live);
        find_places(p, layer, &live, &places);
        if (places.n == 0)
            return false;
        p->offset[1 + layer] = places.place[0].offset;
        keep_in_order(p, &live, 1 + layer);
        if (!place_scratch(p, layer, &live))
            return false;
    }
    return true;
}

typedef struct {
    uint32_t from, to;
    uint8_t last;
} Span;

/* Either end of a gap, whichever is nearer to the input, or farther from one that dies. */
static uint32_t best_end(uint32_t from, uint32_t to, uint32_t input, bool dies, uint32_t *distance)
{
    uint32_t low = from > input ? from - input : input - from;
    uint32_t high = to > input ? to - input : input - to;
    bool take_high = dies ? high > low : high < low;
    *distance = take_high ? high : low;
    return take_high ? to : from;
}

/* Before which of those alive a tensor finds its place; -1: there is none. */
static int find_span(const Span *live, int n, uint32_t capacity, uint32_t bytes, uint32_t input,
                     bool dying, uint32_t *place)
{
    uint32_t end = 0, best = 0, distance;
    int at = -1;
    for (int i = 0; i <= n; i++) {
        uint32_t next = i < n ? live[i].from : capacity;
        if (next - end >= bytes) {
            uint32_t offset = best_end(end, next - bytes, input, dying, &distance);
            if (at < 0 || (dying ? distance > best : distance < best)) {
                at = i;
                best = distance;
                *place = offset;
            }
        }
        end = i < n ? live[i].to : end;
    }
    return at;
}

/* Scratch in the first gap of what is alive. */
static bool fit_scratch(Packing *p, int layer, const Span *live, int n)
{
    uint32_t end = 0, bytes = p->layer[layer].scratch;
    int i = 0;
    while (bytes && i < n && live[i].from - end < bytes)
        end = live[i++].to;
    p->scratch_offset[layer] = end;
    return end + bytes <= p->capacity;
}

/* place_at_once() where no output may lie over an input: what stage 1 asks of near a million
 * networks a second. */
static bool place_apart(Packing *p)
{
    Span live[PACK_TENSORS];
    int n = 1;
    p->offset[0] = 0;
    live[0] = (Span){0, p->bytes[0], p->last[0]};
    for (int layer = 0; layer < p->n_layers; layer++) {
        int input = p->layer[layer].input[0], kept = 0;
        uint32_t bytes = p->bytes[1 + layer], place = 0;
        for (int i = 0; i < n; i++)
            if (live[i].last >= layer)
                live[kept++] = live[i];
        int at = find_span(live, kept, p->capacity, bytes, p->offset[input], dies(p, input, layer),
                           &place);
        if (at < 0)
            return false;
        for (int i = kept; i > at; i--)
            live[i] = live[i - 1];
        n = kept + 1;
        live[at] = (Span){place, place + bytes, p->last[1 + layer]};
        p->offset[1 + layer] = place;
        if (!fit_scratch(p, layer, live, n))
            return false;
    }
    return true;
}

static bool all_apart(const Packing *p)
{
    for (int i = 0; i < p->n_layers; i++)
        if (p->layer[i].overlap != PACK_APART)
            return false;
    return true;
}

/* The image lies at the bottom with room below, at the very bottom, or at the top. */
static bool place_all(Packing *p)
{
    Live image = {.n = 1, .tensor = {0}};
    uint32_t top = p->capacity - p->bytes[0];
    uint32_t start[] = {p->room[0] < top ? p->room[0] : 0, 0, top};
    for (int i = 0; i < 3; i++) {
        p->tries = TRIES;
        p->offset[0] = start[i];
        if (place_at_once(p) || place_from(p, 0, &image))
            return true;
    }
    return false;
}

void pack_tensors(Packing *p)
{
    assert(p->n_layers > 0 && p->n_layers <= PACK_LAYERS);
    p->least = p->capacity = most_alive(p);
    if (all_apart(p) && place_apart(p))
        return;
    set_room(p);
    while (!place_all(p))
        p->capacity += (p->capacity / 64 / p->align + 1) * p->align;
}
