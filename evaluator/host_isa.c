#include "evaluator/host_isa.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

/* Compilers learnt its name late. */
static bool has_avx_vnni(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#else
static bool has_avx512(void)
{
    return false;
}

static bool has_avx2(void)
{
    return false;
}

static bool has_avx_vnni(void)
{
    return false;
}
#endif

static bool has_portable(void)
{
    return true;
}

const HostIsa *host_isa(const char *name)
{
#define X(of, isa)                                                                                \
    if ((!name || strcmp(name, of) == 0) && has_##isa())                                          \
        return &host_##isa;
    HOST_ISAS(X)
#undef X
    return NULL;
}

void host_layer_init(HostLayer *l, const HostIsa *isa, const QModel *q, int layer)
{
    const Layer *s = &q->net.layer[layer];
    const QLayer *t = &q->layer[layer];
    int second = op_has_two_inputs((Op)s->op) ? s->input2 : s->input;
    *l = (HostLayer){.shape = *s,
                     .run = isa->kernel[s->op],
                     .in_step = host_step(s->in_c),
                     .out_step = host_step(s->out_c),
                     .in_zero = q->tensor[1 + s->input].zero + 128,
                     .in2_zero = q->tensor[1 + second].zero + 128,
                     .out_zero = q->tensor[1 + layer].zero + 128,
                     .low = t->act_min + 128,
                     .high = t->act_max + 128,
                     .q = t};
    isa->prepare(l, t);
}

void host_layer_release(HostLayer *l)
{
    free(l->block);
    l->block = NULL;
}

void host_widen(uint8_t *to, const int8_t *from, int pixels, int channels)
{
    int step = host_step(channels);
    for (int i = 0; i < pixels; i++, to += step, from += channels)
        for (int c = 0; c < channels; c++)
            to[c] = (uint8_t)(from[c] + 128);
}

void host_narrow(int8_t *to, const uint8_t *from, int pixels, int channels)
{
    int step = host_step(channels);
    for (int i = 0; i < pixels; i++, from += step, to += channels)
        for (int c = 0; c < channels; c++)
            to[c] = (int8_t)(from[c] - 128);
}
