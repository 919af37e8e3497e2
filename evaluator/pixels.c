#define _GNU_SOURCE
#include "evaluator/pixels.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double mean, deviation;
} usual[] = {{"0..1", 0, 255}, {"-1..1", 127.5, 127.5}, {"0..255", 0, 1}};

enum { N_USUAL = sizeof usual / sizeof *usual };

static Pixels usual_pixels(int i)
{
    Pixels p = {0};
    for (int c = 0; c < 3; c++) {
        p.mean[c] = usual[i].mean;
        p.deviation[c] = usual[i].deviation;
    }
    return p;
}

/* One number for all channels or three with commas, up to `end`. Where it stopped, or NULL. */
static const char *parse_channels(const char *text, char end, double value[3])
{
    int n = 0;
    for (; n < 3; n++) {
        char *stop;
        value[n] = strtod(text, &stop);
        if (stop == text || !isfinite(value[n]))
            return NULL;
        text = stop;
        if (*text != ',')
            break;
        text++;
    }
    if (n == 0)
        value[1] = value[2] = value[0];
    return (n == 0 || n == 2) && *text == end ? text : NULL;
}

int pixels_parse(Pixels *p, const char *text)
{
    *p = (Pixels){.plain = true};
    if (strcmp(text, "int8") == 0)
        return 0;
    for (int i = 0; i < N_USUAL; i++)
        if (strcmp(text, usual[i].name) == 0) {
            *p = usual_pixels(i);
            return 0;
        }
    const char *colon = parse_channels(text, ':', p->mean);
    p->plain = false;
    if (!colon || !parse_channels(colon + 1, 0, p->deviation) || p->deviation[0] <= 0 ||
        p->deviation[1] <= 0 || p->deviation[2] <= 0)
        return errorf("'%s' says no pixels: int8, 0..1, -1..1, 0..255 or MEAN:DEVIATION, each one "
                      "number or three", text);
    return 0;
}

int8_t pixels_int8(const Pixels *p, QTensor input, int channel, int pixel)
{
    if (p->plain)
        return (int8_t)(pixel - 128);
    double real = (pixel - p->mean[channel % 3]) / p->deviation[channel % 3];
    double q = round(real / (double)input.scale) + input.zero;
    return (int8_t)fmin(fmax(q, -128), 127);
}

const char *pixels_usual(QTensor input)
{
    for (int i = 0; i < N_USUAL; i++) {
        Pixels p = usual_pixels(i);
        int off = 0;
        for (int pixel = 0; pixel < 256; pixel++) {
            int distance = abs(pixels_int8(&p, input, 0, pixel) - (pixel - 128));
            off = distance > off ? distance : off;
        }
        if (off <= 1)
            return usual[i].name;
    }
    return NULL;
}
