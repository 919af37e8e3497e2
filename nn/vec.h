/* vec.h - the widest vector of floats the machine has, for nn/ alone.
 *
 * A Vec is loaded from and stored to any float address. Arithmetic on it is
 * written with + - *; gcc and clang know the rest. Only loops that keep their
 * sums in registers need it, the others are left to `omp simd`. */
#ifndef VEC_H
#define VEC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VEC_LANES 16
#elif defined(__AVX__)
#include <immintrin.h>
#define VEC_LANES 8
#else
#define VEC_LANES 4
#endif

/* Before a loop of up to 24 turns over sums that must stay in registers. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 24")
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef float Vec __attribute__((vector_size(4 * VEC_LANES), aligned(4), may_alias));
typedef int32_t VecBits __attribute__((vector_size(4 * VEC_LANES), aligned(4), may_alias));

ALWAYS_INLINE Vec vec_load(const float *p)
{
    return *(const Vec *)p;
}

ALWAYS_INLINE void vec_store(float *p, Vec v)
{
    *(Vec *)p = v;
}

#if VEC_LANES == 8
/* All bits of the first n lanes. */
ALWAYS_INLINE VecBits vec_first(int n)
{
    return (VecBits){0, 1, 2, 3, 4, 5, 6, 7} < n;
}
#endif

/* The first n lanes, the others zero. */
ALWAYS_INLINE Vec vec_load_part(const float *p, int n)
{
    if (n == VEC_LANES)
        return vec_load(p);
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
#elif defined(__AVX__)
    return (Vec)_mm256_maskload_ps(p, (__m256i)vec_first(n));
#else
    Vec v = {0};
    memcpy(&v, p, (size_t)n * sizeof(float));
    return v;
#endif
}

/* All lanes, or zeros and p is not touched. */
ALWAYS_INLINE Vec vec_load_if(const float *p, bool there)
{
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps((__mmask16)-there, p);
#elif defined(__AVX__)
    return (Vec)_mm256_maskload_ps(p, _mm256_set1_epi32(-there));
#else
    return there ? vec_load(p) : (Vec){0};
#endif
}

ALWAYS_INLINE void vec_store_part(float *p, Vec v, int n)
{
    if (n == VEC_LANES)
        vec_store(p, v);
    else
#if defined(__AVX512F__)
        _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)v);
#elif defined(__AVX__)
        _mm256_maskstore_ps(p, (__m256i)vec_first(n), (__m256)v);
#else
        memcpy(p, &v, (size_t)n * sizeof(float));
#endif
}

ALWAYS_INLINE Vec vec_all(float x)
{
    return x - (Vec){0};
}

/* v where the mask's bits are set, zero elsewhere. */
ALWAYS_INLINE Vec vec_keep(VecBits mask, Vec v)
{
    return (Vec)((VecBits)v & mask);
}

/* A loop over the lanes, because that becomes a minimum and a maximum, which
 * comparing vectors does not. */
ALWAYS_INLINE Vec vec_clamp(Vec v, float lo, float hi)
{
    union {
        Vec v;
        float lane[VEC_LANES];
    } u = {.v = v};
#pragma omp simd
    for (int i = 0; i < VEC_LANES; i++) {
        float x = u.lane[i] < lo ? lo : u.lane[i];
        u.lane[i] = x > hi ? hi : x;
    }
    return u.v;
}

#endif
