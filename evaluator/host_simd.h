/* host_simd.h - the vectors of the host's int8 kernels; the one file here that
 * knows instruction sets. Which one, the compiler's flags say (Makefile).
 *
 *   Sums     LANES int32
 *   Quads    LANES times four uint8, inputs
 *   Weights  LANES times four int8
 *
 * Private to host_kernels.h. */
#ifndef HOST_SIMD_H
#define HOST_SIMD_H

#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Before a loop of up to 24 turns over sums that must stay in registers. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 24")
#endif

#if defined(__AVX512VNNI__) || defined(__AVX2__)
#include <immintrin.h>

ALWAYS_INLINE uint32_t four_bytes(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}
#endif

#if defined(__AVX512VNNI__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef int32_t Sums __attribute__((vector_size(4 * LANES)));
typedef uint32_t Wrapping __attribute__((vector_size(4 * LANES)));

ALWAYS_INLINE Sums sums_all(int32_t x)
{
    return x - (Sums){0};
}

/* Sums may wrap on their way to one that fits. */
ALWAYS_INLINE Sums sums_add(Sums a, Sums b)
{
    return (Sums)((Wrapping)a + (Wrapping)b);
}

ALWAYS_INLINE Sums sums_sub(Sums a, Sums b)
{
    return (Sums)((Wrapping)a - (Wrapping)b);
}

ALWAYS_INLINE Sums sums_mul(Sums a, Sums b)
{
    return (Sums)((Wrapping)a * (Wrapping)b);
}

ALWAYS_INLINE Sums sums_left(Sums a, Sums n)
{
    return (Sums)((Wrapping)a << (Wrapping)n);
}

ALWAYS_INLINE Sums sums_right(Sums a, Sums n)
{
    return a >> n;
}

/* 1 or 0. */
ALWAYS_INLINE Sums sums_is_negative(Sums a)
{
    return (Sums)((Wrapping)a >> 31);
}

#if defined(__AVX512VNNI__)
enum { TILE_PIXELS = 8, TILE_VECTORS = 3 }; /* 28 registers of 32 */

ALWAYS_INLINE Sums sums_of_bytes(const uint8_t *p)
{
    return (Sums)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}

/* The low bytes of the first n, which is a multiple of 4. */
ALWAYS_INLINE void sums_store(uint8_t *p, Sums s, int n)
{
    __m128i bytes = _mm512_cvtepi32_epi8((__m512i)s);
    if (n >= LANES)
        _mm_storeu_si128((__m128i *)p, bytes);
    else
        _mm_mask_storeu_epi8(p, (__mmask16)((1U << n) - 1), bytes);
}

ALWAYS_INLINE Sums sums_min(Sums a, Sums b)
{
    return (Sums)_mm512_min_epi32((__m512i)a, (__m512i)b);
}

ALWAYS_INLINE Sums sums_max(Sums a, Sums b)
{
    return (Sums)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

/* round(a * b / 2^31), halves up: tb_high_mul(). */
ALWAYS_INLINE Sums sums_high_mul(Sums x, Sums y)
{
    const __m512i a = (__m512i)x, b = (__m512i)y;
    const __m512i half = _mm512_set1_epi64(1 << 30);
    __m512i even = _mm512_add_epi64(_mm512_mul_epi32(a, b), half);
    __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    odd = _mm512_add_epi64(odd, half);
    return (Sums)_mm512_mask_mov_epi32(_mm512_srli_epi64(even, 31), 0xAAAA, _mm512_add_epi64(odd, odd));
}

typedef __m512i Quads, Weights;

ALWAYS_INLINE Quads quads_all(const uint8_t *p)
{
    return _mm512_set1_epi32((int)four_bytes(p));
}

ALWAYS_INLINE Quads quads_load(const uint8_t *p)
{
    return _mm512_load_si512(p);
}

/* Lane i becomes byte i of each of four rows. */
ALWAYS_INLINE void quads_gather(uint8_t *to, const uint8_t *const row[4])
{
    __m128i a = _mm_loadu_si128((const __m128i *)row[0]);
    __m128i b = _mm_loadu_si128((const __m128i *)row[1]);
    __m128i c = _mm_loadu_si128((const __m128i *)row[2]);
    __m128i d = _mm_loadu_si128((const __m128i *)row[3]);
    __m128i low = _mm_unpacklo_epi8(a, b), low2 = _mm_unpacklo_epi8(c, d);
    __m128i high = _mm_unpackhi_epi8(a, b), high2 = _mm_unpackhi_epi8(c, d);
    __m128i *quads = (__m128i *)to;
    _mm_store_si128(quads + 0, _mm_unpacklo_epi16(low, low2));
    _mm_store_si128(quads + 1, _mm_unpackhi_epi16(low, low2));
    _mm_store_si128(quads + 2, _mm_unpacklo_epi16(high, high2));
    _mm_store_si128(quads + 3, _mm_unpackhi_epi16(high, high2));
}

ALWAYS_INLINE Sums sums_dot(Sums s, Quads x, Weights w)
{
    return (Sums)_mm512_dpbusd_epi32((__m512i)s, x, w);
}

#elif defined(__AVX2__)
ALWAYS_INLINE Sums sums_of_bytes(const uint8_t *p)
{
    return (Sums)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

/* The low bytes of the first n, which is a multiple of 4; all are 0..255. */
ALWAYS_INLINE void sums_store(uint8_t *p, Sums s, int n)
{
    __m256i words = _mm256_packus_epi32((__m256i)s, (__m256i)s), bytes = _mm256_packus_epi16(words, words);
    __m128i eight = _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes),
                                       _mm256_extracti128_si256(bytes, 1));
    int32_t four = _mm_cvtsi128_si32(eight);
    if (n >= LANES)
        _mm_storel_epi64((__m128i *)p, eight);
    else
        memcpy(p, &four, sizeof four);
}

ALWAYS_INLINE Sums sums_min(Sums a, Sums b)
{
    return (Sums)_mm256_min_epi32((__m256i)a, (__m256i)b);
}

ALWAYS_INLINE Sums sums_max(Sums a, Sums b)
{
    return (Sums)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

ALWAYS_INLINE Sums sums_high_mul(Sums x, Sums y)
{
    const __m256i a = (__m256i)x, b = (__m256i)y;
    const __m256i half = _mm256_set1_epi64x(1 << 30);
    __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    odd = _mm256_add_epi64(odd, half);
    return (Sums)_mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_add_epi64(odd, odd), 0xAA);
}

ALWAYS_INLINE void quads_gather(uint8_t *to, const uint8_t *const row[4])
{
    __m128i a = _mm_loadl_epi64((const __m128i *)row[0]);
    __m128i b = _mm_loadl_epi64((const __m128i *)row[1]);
    __m128i c = _mm_loadl_epi64((const __m128i *)row[2]);
    __m128i d = _mm_loadl_epi64((const __m128i *)row[3]);
    __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    _mm_store_si128((__m128i *)to, _mm_unpacklo_epi16(ab, cd));
    _mm_store_si128((__m128i *)to + 1, _mm_unpackhi_epi16(ab, cd));
}

#if defined(__AVXVNNI__)
enum { TILE_PIXELS = 4, TILE_VECTORS = 3 }; /* all 16 registers */
typedef __m256i Quads, Weights;

ALWAYS_INLINE Quads quads_all(const uint8_t *p)
{
    return _mm256_set1_epi32((int)four_bytes(p));
}

ALWAYS_INLINE Quads quads_load(const uint8_t *p)
{
    return _mm256_load_si256((const __m256i *)p);
}

ALWAYS_INLINE Sums sums_dot(Sums s, Quads x, Weights w)
{
    return (Sums)_mm256_dpbusd_avx_epi32((__m256i)s, x, w);
}

#else
/* vpmaddubsw saturates. So the bytes of a quad become two pairs of int16, the
 * first and third, the second and fourth; weights lie in memory like that. */
enum { TILE_PIXELS = 4, TILE_VECTORS = 2 };
typedef struct {
    __m256i even, odd;
} Quads;
typedef Quads Weights;

ALWAYS_INLINE Quads quads_apart(__m256i x)
{
    return (Quads){_mm256_and_si256(x, _mm256_set1_epi16(255)), _mm256_srli_epi16(x, 8)};
}

ALWAYS_INLINE Quads quads_all(const uint8_t *p)
{
    return quads_apart(_mm256_set1_epi32((int)four_bytes(p)));
}

ALWAYS_INLINE Quads quads_load(const uint8_t *p)
{
    return quads_apart(_mm256_load_si256((const __m256i *)p));
}

ALWAYS_INLINE Sums sums_dot(Sums s, Quads x, Weights w)
{
    s = sums_add(s, (Sums)_mm256_madd_epi16(x.even, w.even));
    return sums_add(s, (Sums)_mm256_madd_epi16(x.odd, w.odd));
}
#endif

#else
/* Without vectors of a known kind: loops that any compiler knows. */
enum { TILE_PIXELS = 2, TILE_VECTORS = 1 };
typedef struct {
    uint8_t of[LANES][4];
} Quads;
typedef struct {
    int8_t of[LANES][4];
} Weights;

#define EACH_LANE(expression)                                                                     \
    Sums r;                                                                                       \
    for (int i = 0; i < LANES; i++)                                                               \
        r[i] = (int32_t)(expression);                                                          \
    return r

ALWAYS_INLINE Sums sums_of_bytes(const uint8_t *p)
{
    EACH_LANE(p[i]);
}

ALWAYS_INLINE void sums_store(uint8_t *p, Sums s, int n)
{
    for (int i = 0; i < LANES && i < n; i++)
        p[i] = (uint8_t)s[i];
}

ALWAYS_INLINE Sums sums_min(Sums a, Sums b)
{
    EACH_LANE(a[i] < b[i] ? a[i] : b[i]);
}

ALWAYS_INLINE Sums sums_max(Sums a, Sums b)
{
    EACH_LANE(a[i] > b[i] ? a[i] : b[i]);
}

ALWAYS_INLINE Sums sums_high_mul(Sums a, Sums b)
{
    EACH_LANE(((int64_t)a[i] * b[i] + (1 << 30)) >> 31);
}

ALWAYS_INLINE Quads quads_load(const uint8_t *p)
{
    Quads x;
    memcpy(&x, p, sizeof x);
    return x;
}

ALWAYS_INLINE Quads quads_all(const uint8_t *p)
{
    Quads x;
    for (int i = 0; i < LANES; i++)
        memcpy(x.of[i], p, 4);
    return x;
}

ALWAYS_INLINE void quads_gather(uint8_t *to, const uint8_t *const row[4])
{
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < 4; j++)
            to[4 * i + j] = row[j][i];
}

ALWAYS_INLINE Sums sums_dot(Sums s, Quads x, Weights w)
{
    EACH_LANE((uint32_t)s[i] + (uint32_t)(x.of[i][0] * w.of[i][0] + x.of[i][1] * w.of[i][1] +
                                             x.of[i][2] * w.of[i][2] + x.of[i][3] * w.of[i][3]));
}
#endif

/* Four weights of a lane, to where they lie in memory. */
ALWAYS_INLINE void weights_put(Weights *vector, int lane, int i, int8_t w)
{
    if (sizeof(Weights) == 4 * LANES)
        ((int8_t *)vector)[4 * lane + i] = w;
    else
        ((int16_t *)vector)[(i % 2 * LANES + lane) * 2 + i / 2] = w;
}

#endif
