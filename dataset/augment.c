#include "dataset/augment.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    float *pixel;
    int h, w, c;
    float low, high;
    float blank; /* what stands where nothing is seen */
} Picture;

static double between(double low, double high, Rng *rng)
{
    return low + (high - low) * rng_uniform(rng);
}

/* A factor of 1 / (1 + most) to 1 + most: half of them shrink. No draw where there is no choice. */
static double factor(double most, Rng *rng)
{
    return most > 0 ? exp(between(-1, 1, rng) * log1p(most)) : 1;
}

static double either_way(double most, Rng *rng)
{
    return most > 0 ? between(-most, most, rng) : 0;
}

static int shift(int most, Rng *rng)
{
    return most > 0 ? (int)rng_below(rng, 2 * (uint32_t)most + 1) - most : 0;
}

static int clamp(int x, int n)
{
    return x < 0 ? 0 : x >= n ? n - 1 : x;
}

/* --- where a pixel comes from */

/* The pixel of `from` at y, x, or its nearest, or NULL for what lies outside. */
static const float *source(const Augment *a, const Picture *p, const float *from, int y, int x)
{
    bool outside = y < 0 || y >= p->h || x < 0 || x >= p->w;
    if (outside && !a->edge)
        return NULL;
    return from + (clamp(y, p->h) * p->w + clamp(x, p->w)) * p->c;
}

static void move(const Augment *a, const Picture *p, const float *from, int dy, int dx)
{
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
            const float *s = source(a, p, from, y - dy, x - dx);
            float *to = p->pixel + (y * p->w + x) * p->c;
            for (int j = 0; j < p->c; j++)
                to[j] = s ? s[j] : p->blank;
        }
}

/* Of the four pixels around y, x, by their nearness. */
static void interpolate(const Augment *a, const Picture *p, const float *from, double y, double x,
                        float *to)
{
    int top = (int)floor(y), left = (int)floor(x);
    double down = y - top, right = x - left;
    memset(to, 0, (size_t)p->c * sizeof *to);
    for (int k = 0; k < 4; k++) {
        const float *s = source(a, p, from, top + k / 2, left + k % 2);
        double share = (k / 2 ? down : 1 - down) * (k % 2 ? right : 1 - right);
        for (int j = 0; j < p->c; j++)
            to[j] += (float)share * (s ? s[j] : p->blank);
    }
}

/* Turned and scaled around the middle, then moved. */
static void warp(const Augment *a, Rng *rng, const Picture *p, const float *from, int dy, int dx)
{
    double zoom = factor(a->zoom, rng), stretch = sqrt(factor(a->stretch, rng));
    double angle = either_way(a->rotate, rng) * acos(-1) / 180;
    double tall = 1 / (zoom * stretch), wide = stretch / zoom, s = sin(angle), co = cos(angle);
    double middle_y = (p->h - 1) / 2.0, middle_x = (p->w - 1) / 2.0;
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
            double v = y - dy - middle_y, u = x - dx - middle_x;
            interpolate(a, p, from, middle_y + tall * (co * v + s * u),
                        middle_x + wide * (co * u - s * v), p->pixel + (y * p->w + x) * p->c);
        }
}

static void place(const Augment *a, Rng *rng, const Picture *p, const float *from)
{
    int dy = shift(a->crop, rng), dx = shift(a->crop, rng);
    dy += shift(a->slide, rng);
    if (a->zoom > 0 || a->stretch > 0 || a->rotate > 0)
        warp(a, rng, p, from, dy, dx);
    else
        move(a, p, from, dy, dx);
}

static void mirror(const Picture *p)
{
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w / 2; x++)
            for (int j = 0; j < p->c; j++) {
                float *left = p->pixel + (y * p->w + x) * p->c + j;
                float *right = p->pixel + (y * p->w + p->w - 1 - x) * p->c + j;
                float t = *left;
                *left = *right;
                *right = t;
            }
}

/* --- what is around it, and how sharp it is */

/* 0 inside the spot, 1 where its fade ends. */
static double faded(double y, double x, double soft)
{
    double beyond = (sqrt(y * y + x * x) - 1) / soft;
    return beyond < 0 ? 0 : beyond > 1 ? 1 : beyond;
}

static void spot(const Augment *a, Rng *rng, const Picture *p)
{
    if (!(a->spot > 0) || rng_uniform(rng) >= a->spot)
        return;
    double y0 = p->h * between(0.4, 0.6, rng), x0 = p->w * between(0.4, 0.6, rng);
    double tall = p->h * between(0.3, 0.6, rng), wide = p->w * between(0.3, 0.6, rng);
    double soft = between(0.1, 0.6, rng);
    for (int i = 0; i < p->h * p->w; i++) {
        float share = (float)faded((i / p->w - y0) / tall, (i % p->w - x0) / wide, soft);
        for (int j = 0; j < p->c; j++)
            p->pixel[i * p->c + j] += share * (p->blank - p->pixel[i * p->c + j]);
    }
}

/* The mean of n values `step` apart with their neighbours as far as `radius`. */
static void smooth(float *line, int n, int step, int radius, float *room)
{
    for (int i = 0; i < n; i++)
        room[i] = line[i * step];
    for (int i = 0; i < n; i++) {
        float sum = 0;
        for (int k = i - radius; k <= i + radius; k++)
            sum += room[clamp(k, n)];
        line[i * step] = sum / (float)(2 * radius + 1);
    }
}

static void blur(const Augment *a, Rng *rng, const Picture *p)
{
    int radius = a->blur > 0 ? (int)rng_below(rng, (uint32_t)a->blur + 1) : 0;
    if (radius == 0)
        return;
    float *room = xmalloc(sizeof *room * (size_t)(p->h > p->w ? p->h : p->w));
    for (int twice = 0; twice < 2; twice++) {
        for (int i = 0; i < p->h * p->c; i++)
            smooth(p->pixel + i / p->c * p->w * p->c + i % p->c, p->w, p->c, radius, room);
        for (int i = 0; i < p->w * p->c; i++)
            smooth(p->pixel + i, p->h, p->w * p->c, radius, room);
    }
    free(room);
}

/* --- what colour it has */

/* Colours turn around the gray axis and approach or leave it, which is linear:
 * every channel becomes keep * itself + next * the next one + last * the third. */
static void colour(const Picture *p, double saturation, double degrees)
{
    double angle = degrees * acos(-1) / 180;
    double along = saturation * cos(angle) / 3, across = saturation * sin(angle) / sqrt(3);
    float keep = (float)(1 / 3.0 + 2 * along), next = (float)(1 / 3.0 - along - across);
    float last = (float)(1 / 3.0 - along + across);
    float *pixel = p->pixel;
    for (int i = 0; i < p->h * p->w; i++, pixel += 3) {
        float r = pixel[0], g = pixel[1], b = pixel[2];
        pixel[0] = keep * r + next * g + last * b;
        pixel[1] = keep * g + next * b + last * r;
        pixel[2] = keep * b + next * r + last * g;
    }
}

static void recolour(const Augment *a, Rng *rng, const Picture *p)
{
    if (p->c != 3 || !(a->saturation > 0 || a->hue > 0 || a->gray > 0))
        return;
    double saturation = factor(a->saturation, rng), degrees = either_way(a->hue, rng);
    bool gray = rng_uniform(rng) < a->gray;
    colour(p, gray ? 0 : saturation, degrees);
}

static void light(const Augment *a, Rng *rng, const Picture *p)
{
    int n = p->h * p->w * p->c;
    double mean = 0;
    if (!(a->level > 0 || a->brightness > 0 || a->contrast > 0 || a->invert > 0))
        return;
    for (int i = 0; i < n; i++)
        mean += (double)p->pixel[i] / n;
    double gain = factor(a->contrast, rng);
    if (a->invert > 0 && rng_uniform(rng) < a->invert)
        gain = -gain;
    double level = a->level > 0 ? either_way(a->level, rng) : mean;
    double add = level - mean * gain + either_way(a->brightness, rng);
    for (int i = 0; i < n; i++)
        p->pixel[i] = (float)fmin(fmax(gain * (double)p->pixel[i] + add, p->low), p->high);
}

/* Near enough to normal: four uniform numbers of 16 bits, summed; mean 0, deviation 1. */
static double noise(Rng *rng)
{
    uint64_t bits = rng_next(rng), sum = 0;
    for (int i = 0; i < 4; i++)
        sum += bits >> 16 * i & 0xffff;
    return ((double)sum / 65535 - 2) * sqrt(3);
}

static void add_noise(const Augment *a, Rng *rng, const Picture *p)
{
    if (!(a->noise > 0))
        return;
    double deviation = between(0, a->noise, rng);
    for (int i = 0; i < p->h * p->w * p->c; i++)
        p->pixel[i] += (float)(deviation * noise(rng));
}

/* --- what is hidden */

/* Rows top to bottom and columns left to right, as far as they are there. */
static void hide(const Picture *p, int top, int left, int bottom, int right, float value)
{
    for (int y = top < 0 ? 0 : top; y < bottom && y < p->h; y++)
        for (int x = left < 0 ? 0 : left; x < right && x < p->w; x++)
            for (int j = 0; j < p->c; j++)
                p->pixel[(y * p->w + x) * p->c + j] = value;
}

static void cut_out(const Picture *p, int side, Rng *rng)
{
    int top = (int)rng_below(rng, (uint32_t)p->h) - side / 2;
    int left = (int)rng_below(rng, (uint32_t)p->w) - side / 2;
    hide(p, top, left, top + side, left + side, p->blank);
}

static void mask(const Augment *a, Rng *rng, const Picture *p)
{
    if (a->mask_rows > 0) {
        int n = (int)rng_below(rng, (uint32_t)a->mask_rows + 1);
        int top = (int)rng_below(rng, (uint32_t)p->h);
        hide(p, top, 0, top + n, p->w, 0);
    }
    if (a->mask_columns > 0) {
        int n = (int)rng_below(rng, (uint32_t)a->mask_columns + 1);
        int left = (int)rng_below(rng, (uint32_t)p->w);
        hide(p, 0, left, p->h, left + n, 0);
    }
}

/* On half the side half as many pixels, so that it looks the same. */
static Augment scaled_to(const PictureShape *shape, const Augment *a)
{
    Augment s = *a;
    if (a->whole <= 0 || a->whole == shape->h * shape->w)
        return s;
    double side = sqrt((double)shape->h * shape->w / a->whole);
    int *count[] = {&s.crop, &s.cutout, &s.slide, &s.blur, &s.mask_rows, &s.mask_columns};
    for (size_t i = 0; i < sizeof count / sizeof *count; i++)
        *count[i] = (int)lround(*count[i] * side);
    return s;
}

void augment_picture(const Augment *meant, Rng *rng, const PictureShape *shape, const float *from,
                     float *to)
{
    Augment scaled = scaled_to(shape, meant), *a = &scaled;
    Picture p = {to, shape->h, shape->w, shape->c, shape->low, shape->high, 0};
    if (a->fill)
        p.blank = (float)between(p.low, p.high, rng);
    place(a, rng, &p, from);
    if (a->flip && rng_below(rng, 2))
        mirror(&p);
    spot(a, rng, &p);
    blur(a, rng, &p);
    recolour(a, rng, &p);
    light(a, rng, &p);
    add_noise(a, rng, &p);
    mask(a, rng, &p);
    if (a->cutout > 0)
        cut_out(&p, a->cutout, rng);
}
