/* maths.c: how far exp, log, tanh ... are from the true values, in units in the
 * last place, over samples of all floats; and the edges. */
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "maths.h"
#include "rng.h"
#include "test.h"

/* |got - want| in units of the last place of a float near WANT. */
static double float_ulps(float got, double want)
{
    if (isnan(want) && isnan(got))
        return 0;
    if (fabs(want) > FLT_MAX)
        return isinf(got) && (got > 0) == (want > 0) ? 0 : INFINITY;
    int exponent;
    frexp(want, &exponent);
    double unit = ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
    return fabs((double)got - want) / unit;
}

static double double_ulps(double got, long double want)
{
    int exponent;
    frexpl(want, &exponent);
    return (double)(fabsl((long double)got - want) / ldexpl(1, exponent - 53));
}

/* Every 97th float in [low, high], both signs if SIGNED: the worst error. */
static double worst_float(float (*ours)(float), double (*truth)(double), float low, float high, int with_negative)
{
    double worst = 0;
    for (int32_t bits = bits_of_float(low); bits <= bits_of_float(high); bits += 97) {
        float x = float_of_bits(bits);
        worst = fmax(worst, float_ulps(ours(x), truth(x)));
        if (with_negative)
            worst = fmax(worst, float_ulps(ours(-x), truth(-x)));
    }
    return worst;
}

static double true_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static float sin32(float x)
{
    return (float)sin64(x);
}

static float cos32(float x)
{
    return (float)cos64(x);
}

START_TEST(float_functions_are_within_two_ulps)
{
    const struct {
        const char *name;
        float (*ours)(float);
        double (*truth)(double);
        float low, high;
        int with_negative;
    } cases[] = {
        {"exp", exp32, exp, 0, 104, 1},        {"log", log32, log, 0, FLT_MAX, 0},
        {"tanh", tanh32, tanh, 0, 100, 1},     {"sigmoid", sigmoid32, true_sigmoid, 0, 86, 1},
        {"sin", sin32, sin, 0, 1e6f, 1},       {"cos", cos32, cos, 0, 1e6f, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double worst = worst_float(cases[i].ours, cases[i].truth, cases[i].low, cases[i].high, cases[i].with_negative);
        ck_assert_msg(worst <= 2, "%s is off by %.2f ulp", cases[i].name, worst);
    }
}
END_TEST

/* The normal distribution is within 2^-23 (one unit in the last place of 1) of the true value; below 0, where it
 * falls to 4e-36, also within (1 + x^2) 2^-22 of itself: rounding x^2 / 2 alone changes its exponential so much. */
START_TEST(normal_distribution)
{
    double worst = 0, worst_tail = 0, worst_bell = 0;
    for (int32_t bits = 0; bits <= bits_of_float(12.5f); bits += 97) {
        float x = float_of_bits(bits), bell;
        double tail = 0.5 * erfc(x * 0.70710678118654752440), square = (double)x * x;
        worst = fmax(worst, fabs(normal32(x, &bell) - (1 - tail)));
        worst_tail = fmax(worst_tail, fabs(normal32(-x, &bell) / tail - 1) / (1 + square));
        worst_bell = fmax(worst_bell, fabs(bell / exp(-0.5 * square) - 1) / (1 + square));
    }
    ck_assert_msg(worst <= 0x1p-23, "off by %g", worst);
    ck_assert_msg(worst_tail <= 0x1p-22, "the tail is off by %g", worst_tail);
    ck_assert_msg(worst_bell <= 0x1p-23, "the exponential is off by %g", worst_bell);
}
END_TEST

/* The exponentials of part of the numbers are the whole one, to the bit. */
START_TEST(exponentials_of_a_range_are_the_same_bits)
{
    int differ = 0; /* an assertion for each of 22 million numbers would take a minute */
    for (int32_t bits = 0; bits <= bits_of_float(INFINITY); bits += 97) {
        float x = float_of_bits(bits);
        differ += bits_of_float(exp32_negative(-x)) != bits_of_float(exp32(-x));
        if (x <= 87)
            differ += bits_of_float(exp32_moderate(x)) != bits_of_float(exp32(x)) ||
                      bits_of_float(exp32_moderate(-x)) != bits_of_float(exp32(-x));
    }
    ck_assert_int_eq(differ, 0);
    ck_assert(exp32_negative(-INFINITY) == 0);
    ck_assert(isnan(exp32_negative(NAN)) && isnan(exp32_moderate(NAN)));
}
END_TEST

START_TEST(double_functions_are_within_two_ulps)
{
    Rng rng = rng_new(1, "maths");
    double worst[4] = {0};
    for (int i = 0; i < 300000; i++) {
        double x = rng_uniform(&rng) * 1400 - 700, y = exp64(rng_uniform(&rng) * 200 - 100);
        double angle = (rng_uniform(&rng) - 0.5) * 2000;
        worst[0] = fmax(worst[0], double_ulps(exp64(x), expl(x)));
        worst[1] = fmax(worst[1], double_ulps(log64(y), logl(y)));
        /* Near a zero of sin the relative error of any two-part reduction grows: absolute there. */
        worst[2] = fmax(worst[2], fabs(sin64(angle) - (double)sinl(angle)) / DBL_EPSILON);
        worst[3] = fmax(worst[3], fabs(cos64(angle) - (double)cosl(angle)) / DBL_EPSILON);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_msg(worst[i] <= 2, "function %d is off by %.2f ulp", i, worst[i]);
}
END_TEST

START_TEST(edges)
{
    float bell;
    ck_assert(isnan(exp32(NAN)) && isnan(log32(NAN)) && isnan(tanh32(NAN)) && isnan(sigmoid32(NAN)) &&
              isnan(normal32(NAN, &bell)) && isnan(bell));
    ck_assert(exp32(INFINITY) == INFINITY && exp32(-INFINITY) == 0 && exp32(0) == 1);
    ck_assert(log32(0) == -INFINITY && log32(-0.0f) == -INFINITY && isnan(log32(-1)) && log32(INFINITY) == INFINITY && log32(1) == 0);
    ck_assert(tanh32(INFINITY) == 1 && tanh32(-INFINITY) == -1 && tanh32(0) == 0 && signbit(tanh32(-0.0f)));
    ck_assert(sigmoid32(INFINITY) == 1 && sigmoid32(0) == 0.5f);
    ck_assert(sigmoid32(-INFINITY) > 0 && sigmoid32(-INFINITY) < 2e-38f && sigmoid32(-FLT_MAX) == sigmoid32(-87));
    ck_assert(normal32(INFINITY, &bell) == 1 && normal32(-INFINITY, &bell) < 4e-36f);
    ck_assert(normal32(0, &bell) == 0.5f && bell == 1);
    ck_assert(exp64(0) == 1 && log64(1) == 0 && isnan(exp64(NAN)) && isnan(log64(NAN)) && isnan(sin64(INFINITY)));
    ck_assert(exp64(1000) == INFINITY && exp64(-1000) == 0 && log64(0) == -INFINITY && log64(INFINITY) == INFINITY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("maths");
    test_add(suite, "float_functions_are_within_two_ulps", float_functions_are_within_two_ulps);
    test_add(suite, "normal_distribution", normal_distribution);
    test_add(suite, "exponentials_of_a_range_are_the_same_bits", exponentials_of_a_range_are_the_same_bits);
    test_add(suite, "double_functions_are_within_two_ulps", double_functions_are_within_two_ulps);
    test_add(suite, "edges", edges);
    return test_run(suite);
}
