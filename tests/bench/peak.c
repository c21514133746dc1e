/* peak.c: how many multiply-adds a core can do when nothing touches memory: the
 * GFLOP/s that the shares in make bench's table are of.  Twelve independent
 * chains of the widest vector this build may use (more, with their two operands,
 * would not fit the sixteen registers of AVX2); the best of many windows. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
enum { WIDTH = BYTES / sizeof(float), CHAINS = 12, STEPS = 200000, WINDOWS = 200 };
typedef float Vector __attribute__((vector_size(BYTES)));

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline Vector multiply_add(Vector a, Vector b, Vector c)
{
    for (int i = 0; i < (int)WIDTH; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
}

static float run(Vector a, Vector b)
{
    Vector sum[CHAINS] = {{0}};
    for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = multiply_add(sum[i], a, b);
    float total = 0;
    for (int i = 0; i < CHAINS; i++)
        total += sum[i][0];
    return total;
}

int main(void)
{
    Vector a = (Vector){0} + 0.999f, b = (Vector){0} + 0.001f;
    double best = 0;
    volatile float kept = 0;
    for (int window = 0; window < WINDOWS; window++) {
        double start = seconds();
        kept = kept + run(a, b);
        double rate = 2.0 * WIDTH * CHAINS * STEPS / (seconds() - start) * 1e-9;
        best = rate > best ? rate : best;
    }
    printf("%.1f\n", best);
    return 0;
}
