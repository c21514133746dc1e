/* maths.c: the double versions, made as the float ones in maths.h are. */
#include "maths.h"

static double double_of_bits(int64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int64_t bits_of_double(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Horner's rule: c[0] + c[1] x + ... + c[n-1] x^(n-1). */
static double polynomial(const double *c, int n, double x)
{
    double p = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        p = __builtin_fma(p, x, c[i]);
    return p;
}

/* x / step rounded to a whole number; adding 1.5 x 2^52 drops the fraction. */
static double whole_steps(double x, double steps_per_unit)
{
    const double round = 0x1.8p52;
    return __builtin_fma(x, steps_per_unit, round) - round;
}

double exp64(double x)
{
    static const double c[] = {0x1p-1,
                               0x1.5555555555557p-3,
                               0x1.5555555555556p-5,
                               0x1.11111111100bep-7,
                               0x1.6c16c16c162c3p-10,
                               0x1.a01a01abf85abp-13,
                               0x1.a01a01a6e1e2ap-16,
                               0x1.71de01fdbf9cap-19,
                               0x1.27e4db46cddd1p-22,
                               0x1.af4e554377204p-26,
                               0x1.1f7340dbc337ep-29};
    if (x != x)
        return x;
    x = x > 710 ? 710 : x < -746 ? -746 : x;
    double n = whole_steps(x, 0x1.71547652b82fep0);
    double r = __builtin_fma(-n, 0x1.62e42fefa0000p-1, x);
    r = __builtin_fma(-n, 0x1.cf79abc9e3b3ap-40, r);
    double y = 1 + __builtin_fma(r * r, polynomial(c, 11, r), r);
    int64_t k = (int64_t)n, half = k >> 1;
    return y * double_of_bits((half + 1023) << 52) * double_of_bits((k - half + 1023) << 52);
}

/* log(1 + f) = 2 atanh(s) with s = f / (2 + f), a fast series in s^2. */
double log64(double x)
{
    static const double c[] = {0x1.5555555555555p-2, 0x1.9999999999a43p-3, 0x1.249249247513dp-3, 0x1.c71c7204621fep-4,
                               0x1.745cf7c1d5dafp-4, 0x1.3b1c79943fca2p-4, 0x1.0fb77bcdefa76p-4, 0x1.0c4d8297b1431p-4};
    const int64_t low = 0x3fe6a09e667f3bcd; /* the bits of sqrt(1/2) */
    if (!(x > 0))
        return x == 0 ? -INFINITY : NAN;
    if (x > DBL_MAX)
        return x;
    int tiny = x < DBL_MIN;
    int64_t bits = bits_of_double(tiny ? x * 0x1p54 : x);
    int64_t e = (bits - low) >> 52;
    double f = double_of_bits((int64_t)((uint64_t)bits - ((uint64_t)e << 52))) - 1;
    double exponent = (double)(e - (tiny ? 54 : 0));
    double s = f / (2 + f), z = s * s;
    double correction = s * z * 2 * polynomial(c, 8, z); /* log(1+f) - 2s */
    /* 2s = f - s f, which keeps the digits of f. */
    double rest = __builtin_fma(-s, f, correction + exponent * 0x1.cf79abc9e3b3ap-40);
    return __builtin_fma(exponent, 0x1.62e42fefa0000p-1, f + rest);
}

/* Sine (quadrant 0) or cosine (quadrant 1) of x: x = n pi/2 + r, and each
 * quarter turn swaps the two and their signs. */
static double sine_from(double x, int quadrant)
{
    static const double s[] = {-0x1.5555555555555p-3, 0x1.1111111111110p-7,   -0x1.a01a01a019926p-13,
                               0x1.71de3a545e700p-19, -0x1.ae64540f0ba18p-26, 0x1.61217c1864fa1p-33,
                               -0x1.ab161757f0c63p-41};
    static const double c[] = {0x1.5555555555555p-5,   -0x1.6c16c16c16c16p-10, 0x1.a01a01a019d02p-16,
                               -0x1.27e4fb7711e1dp-22, 0x1.1eed8de9ef73ep-29,  -0x1.9394b76d1f265p-37,
                               0x1.ab76cf6e9b365p-45};
    if (!(x > -1e15 && x < 1e15))
        return NAN;
    double n = whole_steps(x, 0x1.45f306dc9c883p-1);
    double r = __builtin_fma(-n, 0x1.921fb54442d18p0, x); /* pi/2 in two parts */
    r = __builtin_fma(-n, 0x1.1a62633145c07p-54, r);
    double z = r * r;
    int turn = (int)(((int64_t)n + quadrant) & 3);
    double sine = __builtin_fma(r * z, polynomial(s, 7, z), r);
    double cosine = __builtin_fma(z * z, polynomial(c, 7, z), __builtin_fma(-0.5, z, 1));
    double y = turn & 1 ? cosine : sine;
    return turn & 2 ? -y : y;
}

double sin64(double x)
{
    return sine_from(x, 0);
}

double cos64(double x)
{
    return sine_from(x, 1);
}
