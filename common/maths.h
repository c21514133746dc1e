/* maths.h: exp, log, tanh ... the same to the last bit on every machine.
 *
 * The C library's versions differ in their last digits from system to system,
 * and one flipped bit in training becomes another network after a thousand
 * steps.  These are made of IEEE operations alone (+, -, x, /, fused
 * multiply-add), in the branch-free form that a compiler turns into vector
 * code, and are within 2 units in the last place of the true value (tests/maths.c
 * measures it), but for the normal distribution, whose error is measured against 1.  The polynomials are minimax fits
 * made for this file.
 *
 * m_exp, m_log ... work on `real`; the names ending in 64 are doubles in every
 * build, for statistics such as a perplexity.  The double build takes tanh and
 * erfc from the C library: there the point is the gradient, not the bits. */
#ifndef MATHS_H
#define MATHS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "real.h"

/* exp(x), overflowing to infinity above 709.78 and to 0 below -745. */
double exp64(double x);
/* Natural logarithm; -infinity at 0, NaN below. */
double log64(double x);
/* Sine and cosine for |x| < 1e6 (angles of positions and phases). */
double sin64(double x);
double cos64(double x);

static inline float float_of_bits(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int32_t bits_of_float(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* 2^n for -126 <= n <= 127: n goes straight into the exponent's bits. */
static inline float power_of_two(int32_t n)
{
    return float_of_bits((int32_t)((uint32_t)(n + 127) << 23)); /* unsigned: exp32 of a NaN comes here too */
}

/* e^r - 1, where e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2; n + BIAS is left in the low bits of
 * *SHIFTED. */
static inline float exp32_reduced(float x, float bias, float *shifted)
{
    const float round = 0x1.8p23f + bias; /* adding it leaves the nearest whole number in the low bits */
    *shifted = __builtin_fmaf(x, 0x1.715476p0f, round);
    float whole = *shifted - round;
    float r = __builtin_fmaf(-whole, 0x1.62e400p-1f, x); /* ln 2 in two parts, the first short enough to be exact */
    r = __builtin_fmaf(-whole, 0x1.7f7d1cp-20f, r);
    float p = 0.0013926250394433737f;
    p = __builtin_fmaf(p, r, 0.00836323294788599f);
    p = __builtin_fmaf(p, r, 0.04166655242443085f);
    p = __builtin_fmaf(p, r, 0.16666576266288757f);
    p = __builtin_fmaf(p, r, 0.5f);
    return __builtin_fmaf(r * r, p, r);
}

/* 2^(n - 127), where n stands in the lowest eight bits of SHIFTED: those above fall off. */
static inline float power_of_shifted(float shifted)
{
    return float_of_bits((int32_t)((uint32_t)bits_of_float(shifted) << 23));
}

/* e^x */
static inline float exp32(float x)
{
    float shifted;
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    float y = 1.0f + exp32_reduced(x, 0, &shifted);
    /* In two factors, so that results below the smallest normal number come out right. */
    int32_t n = bits_of_float(shifted) - bits_of_float(0x1.8p23f), half = n >> 1;
    return y * power_of_two(half) * power_of_two(n - half);
}

/* The same bits with less work: where x <= 0 (the result may be below the smallest normal
 * number, so the last factor is one that rounds), and where |x| <= 87. */
static inline float exp32_negative(float x)
{
    float shifted, y = 1.0f + exp32_reduced(x < -104.0f ? -104.0f : x, 127 + 64, &shifted);
    return y * power_of_shifted(shifted) * 0x1p-64f;
}
static inline float exp32_moderate(float x)
{
    float shifted, y = 1.0f + exp32_reduced(x, 127, &shifted);
    return y * power_of_shifted(shifted);
}

/* log x = e ln 2 + log(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2). */
static inline float log32(float x)
{
    const int32_t low = 0x3f3504f3; /* the bits of sqrt(1/2) */
    int tiny = x < FLT_MIN;
    float scaled = tiny ? x * 0x1p25f : x;
    int32_t bits = bits_of_float(scaled);
    int32_t e = (int32_t)((uint32_t)bits - (uint32_t)low) >> 23; /* -0 comes here too */
    float f = float_of_bits((int32_t)((uint32_t)bits - ((uint32_t)e << 23))) - 1.0f;
    float exponent = (float)(e - (tiny ? 25 : 0));
    float p = -0.0790274366736412f;
    p = __builtin_fmaf(p, f, 0.12622319161891937f);
    p = __builtin_fmaf(p, f, -0.12998183071613312f);
    p = __builtin_fmaf(p, f, 0.14214496314525604f);
    p = __builtin_fmaf(p, f, -0.166412815451622f);
    p = __builtin_fmaf(p, f, 0.20001044869422913f);
    p = __builtin_fmaf(p, f, -0.25000306963920593f);
    p = __builtin_fmaf(p, f, 0.3333333134651184f);
    float square = f * f;
    float rest = __builtin_fmaf(square * f, p, __builtin_fmaf(-0.5f, square, exponent * -0x1.05c610p-29f));
    float y = __builtin_fmaf(exponent, 0x1.62e43p-1f, f + rest);
    y = x > FLT_MAX ? x : y;
    y = x == 0.0f ? -INFINITY : y;
    return x >= 0.0f ? y : NAN;
}

/* tanh x = m / (m + 2) with m = e^2x - 1 = 2^n (e^r - 1) + 2^n - 1, which loses digits near 0; there a polynomial. */
static inline float tanh32(float x)
{
    float size = __builtin_fabsf(x), z = x * x, shifted;
    float p = -0.05007558315992355f;
    p = __builtin_fmaf(p, z, 0.13311666250228882f);
    p = __builtin_fmaf(p, z, -0.3333298861980438f);
    float small = __builtin_fmaf(size * z, p, size);
    float q = exp32_reduced(size > 10.0f ? 20.0f : 2.0f * size, 127, &shifted); /* beyond, tanh is 1 */
    float power = power_of_shifted(shifted), m = __builtin_fmaf(power, q, power - 1.0f);
    return __builtin_copysignf(size < 0.3125f ? small : m / (m + 2.0f), x);
}

/* 1 / (1 + e^-x), where e^-x = 2^n (e^r - 1) + 2^n.  Beyond 87 as there: 1, and below -87 2e-38. */
static inline float sigmoid32(float x)
{
    float shifted, y = x < -87.0f ? 87.0f : -x;
    float q = exp32_reduced(y < -87.0f ? -87.0f : y, 127, &shifted), power = power_of_shifted(shifted);
    return 1.0f / (__builtin_fmaf(power, q, 1.0f) + power);
}

/* Phi(x), the normal distribution function (the probability of less than x), and *BELL = e^(-x^2 / 2).
 * With s = |x|, Phi(-s) = BELL M(s), where M falls slowly from 1/2 (Mills's ratio over sqrt(2 pi)): a polynomial in
 * s / (4 + s).  Below -12.5 as there, 4e-36. */
static inline float normal32(float x, float *bell)
{
    float s = __builtin_fabsf(x);
    s = s > 12.5f ? 12.5f : s;
    *bell = exp32_moderate(-0.5f * s * s);
    float v = s / (4.0f + s);
    float p = 0.09699852588899552f;
    p = __builtin_fmaf(p, v, -0.311254583501064f);
    p = __builtin_fmaf(p, v, 0.1503481573080683f);
    p = __builtin_fmaf(p, v, 0.8607887693088635f);
    p = __builtin_fmaf(p, v, -2.1050580774959253f);
    p = __builtin_fmaf(p, v, 2.4041371549305595f);
    p = __builtin_fmaf(p, v, -1.5957670936335397f);
    p = __builtin_fmaf(p, v, 0.5f);
    float tail = *bell * p;
    return x < 0.0f ? tail : 1.0f - tail;
}

#if REAL_IS_DOUBLE
static inline real m_exp(real x)
{
    return exp64(x);
}
static inline real m_exp_negative(real x)
{
    return exp64(x);
}
static inline real m_log(real x)
{
    return log64(x);
}
static inline real m_tanh(real x)
{
    return tanh(x);
}
static inline real m_sigmoid(real x)
{
    return 1 / (1 + exp64(-x));
}
static inline real m_normal(real x, real *bell)
{
    *bell = exp64((real)-0.5 * x * x);
    return (real)0.5 * erfc(x * (real)-0.70710678118654752);
}
static inline real m_sqrt(real x)
{
    return sqrt(x);
}
static inline real m_fma(real a, real b, real c)
{
    return __builtin_fma(a, b, c);
}
#else
static inline real m_exp(real x)
{
    return exp32(x);
}
static inline real m_exp_negative(real x)
{
    return exp32_negative(x);
}
static inline real m_log(real x)
{
    return log32(x);
}
static inline real m_tanh(real x)
{
    return tanh32(x);
}
static inline real m_sigmoid(real x)
{
    return sigmoid32(x);
}
static inline real m_normal(real x, real *bell)
{
    return normal32(x, bell);
}
static inline real m_sqrt(real x)
{
    return __builtin_sqrtf(x);
}
static inline real m_fma(real a, real b, real c)
{
    return __builtin_fmaf(a, b, c);
}
#endif

/* x Phi(x), Phi being the normal distribution function (Hendrycks 2016) */
static inline real m_gelu(real x)
{
    real bell;
    return x * m_normal(x, &bell);
}

/* Its derivative: Phi(x) + x phi(x), phi(x) = e^(-x^2 / 2) / sqrt(2 pi) the density. */
static inline real m_gelu_slope(real x)
{
    real bell, distribution = m_normal(x, &bell);
    return distribution + x * ((real)0.39894228040143268 * bell);
}

static inline real m_sin(real x)
{
    return (real)sin64(x);
}

static inline real m_cos(real x)
{
    return (real)cos64(x);
}

static inline real m_abs(real x)
{
    return x < 0 ? -x : x;
}

#endif
