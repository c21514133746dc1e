/* vectors.h: the widest vector this build may use; for the hot loops only.
 *
 * GCC's vector types are most of it: + and * work on all elements, on any
 * processor.  Two things need more: a multiply-add with one rounding, and
 * reading or writing a vector's first elements alone, where a row of a matrix
 * ends inside it. */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdint.h>
#include <string.h>

#include "kernels.h"
#include "maths.h"

/* zmm, ymm, or 16 bytes (NEON). */
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
enum { WIDTH = VECTOR_BYTES / sizeof(real) }; /* elements in a vector */
typedef real Vector __attribute__((vector_size(VECTOR_BYTES)));

static inline Vector load(const real *p)
{
    Vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(real *p, Vector v)
{
    memcpy(p, &v, sizeof v);
}

static inline Vector broadcast(real x)
{
    return x - (Vector){0}; /* x - 0 keeps the sign of -0 */
}

/* Two hints for loops that take several steps at once.  Without the first gcc reads V from memory
 * again at each use; without the second it keeps a pointer for each step where one that moves on would do. */
static inline Vector in_register(Vector v)
{
#if defined(__AVX__)
    __asm__("" : "+v"(v));
#endif
    return v;
}

static inline const real *pointer_in_register(const real *p)
{
    __asm__("" : "+r"(p));
    return p;
}

/* a b + c in each element with one rounding: one instruction where there is one. */
static inline Vector multiply_add(Vector a, Vector b, Vector c)
{
    for (int i = 0; i < (int)WIDTH; i++)
        c[i] = m_fma(a[i], b[i], c[i]);
    return c;
}

/* ---- sums in 16 lanes (kernels.h) ------------------------------------------------ */

enum { LANE_VECTORS = LANES / WIDTH };
typedef real Eight __attribute__((vector_size(8 * sizeof(real))));
typedef real Four __attribute__((vector_size(4 * sizeof(real))));

/* The lanes are added as a tree: 8 + 8, then 4 + 4, 2 + 2, 1 + 1. */
static inline Eight add_halves(const Vector lane[LANE_VECTORS])
{
    union {
        Vector lane[LANE_VECTORS];
        Eight half[2];
    } all;
    for (int v = 0; v < (int)LANE_VECTORS; v++)
        all.lane[v] = lane[v];
    return all.half[0] + all.half[1];
}

static inline real add_lanes(const Vector lane[LANE_VECTORS])
{
    Eight eight = add_halves(lane);
    Four four = __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* As in_register: without it gcc builds a column from single numbers where it knows what is done with it. */
static inline Eight eight_in_register(Eight v)
{
#if defined(__AVX__) && !(defined(REAL_DOUBLE) && !defined(__AVX512F__))
    __asm__("" : "+v"(v));
#endif
    return v;
}

/* ---- columns ----------------------------------------------------------------------- */

/* 4 columns of 8 rows: row i and, behind it, row i + 4 are interleaved with row i + 2 and its;
 * after two times each vector is a column. */
static inline void four_columns(const real *from, long from_row, Eight column[4])
{
    Eight y[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        Four low, high;
        memcpy(&low, from + i * from_row, sizeof low);
        memcpy(&high, from + (i + 4) * from_row, sizeof high);
        column[i] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
    }
    for (int times = 0; times < 2; times++) {
        for (int i = 0; i < 2; i++) {
            y[2 * i] = __builtin_shufflevector(column[i], column[i + 2], 0, 8, 1, 9, 4, 12, 5, 13);
            y[2 * i + 1] = __builtin_shufflevector(column[i], column[i + 2], 2, 10, 3, 11, 6, 14, 7, 15);
        }
        memcpy(column, y, sizeof y);
    }
}

/* ---- the first elements of a vector -------------------------------------------- */

/* load_first reads the elements that MASK names, and zeros for the others, which
 * may lie where no memory is; store_first leaves the others as they are. */
#if defined(__AVX512F__)
#include <immintrin.h>

typedef __mmask16 Mask;

static inline Mask first(int n)
{
    return (Mask)((1u << n) - 1);
}

static inline Vector load_first(const void *p, Mask mask)
{
    return REAL_IS_DOUBLE ? (Vector)_mm512_maskz_loadu_pd((__mmask8)mask, p) : (Vector)_mm512_maskz_loadu_ps(mask, p);
}

static inline void store_first(void *p, Mask mask, Vector v)
{
    if (REAL_IS_DOUBLE)
        _mm512_mask_storeu_pd(p, (__mmask8)mask, (__m512d)v);
    else
        _mm512_mask_storeu_ps(p, mask, (__m512)v);
}

#elif defined(__AVX__)
#include <immintrin.h>

typedef struct {
    __m256i bits; /* the highest bit of each element */
    int bytes;    /* that the first elements take: 32 all of them */
} Mask;

static inline Mask first(int n)
{
    static const int32_t bits[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    int bytes = n * (int)sizeof(real);
    return (Mask){_mm256_loadu_si256((const void *)(bits + 8 - bytes / 4)), bytes};
}

static inline Vector load_first(const void *p, Mask mask)
{
    return REAL_IS_DOUBLE ? (Vector)_mm256_maskload_pd(p, mask.bits) : (Vector)_mm256_maskload_ps(p, mask.bits);
}

/* Piece by piece: AMD's processors take dozens of cycles for a masked store, though not for a masked load. */
static inline void store_first(void *p, Mask mask, Vector v)
{
    char *to = p;
    __m128i part = _mm256_castsi256_si128((__m256i)v);
    if (mask.bytes & 16) {
        _mm_storeu_si128((void *)to, part);
        part = (__m128i)_mm256_extractf128_ps((__m256)v, 1);
        to += 16;
    }
    if (mask.bytes & 8) {
        _mm_storel_epi64((void *)to, part);
        part = _mm_unpackhi_epi64(part, part);
        to += 8;
    }
    if (mask.bytes & 4) {
        int32_t last = _mm_cvtsi128_si32(part);
        memcpy(to, &last, sizeof last);
    }
}

#else
typedef int Mask;

static inline Mask first(int n)
{
    return n;
}

static inline Vector load_first(const real *p, Mask n)
{
    Vector v = {0};
    for (int i = 0; i < n; i++)
        v[i] = p[i];
    return v;
}

static inline void store_first(real *p, Mask n, Vector v)
{
    for (int i = 0; i < n; i++)
        p[i] = v[i];
}
#endif

#endif
