/* openblas_peer.c: the matrix products of course.c with OpenBLAS.
 *
 *     openblas_peer sgemm-MxNxK[-nt|-tn] [THREADS [SECONDS]]
 *
 * prints one line in the format of course.c. */
#define _GNU_SOURCE
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

void openblas_set_num_threads(int);

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static float *numbers(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64); /* as memory_new does */
    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    return x;
}

enum { ROUNDS = 2000 };

int main(int argc, char **argv)
{
    int m, n, k, rounds = 0, threads = argc > 2 ? atoi(argv[2]) : 1;
    char turned[3] = "";
    if (argc < 2 || sscanf(argv[1], "sgemm-%dx%dx%d-%2s", &m, &n, &k, turned) < 3)
        return 3;
    int a_turned = turned[0] == 't', b_turned = turned[0] && turned[1] == 't';
    float *a = numbers((size_t)m * k), *b = numbers((size_t)k * n), *c = numbers((size_t)m * n);
    double flop = 2.0 * m * n * k, wall[ROUNDS], cpu[ROUNDS], end = 0;
    int inner = (int)(2e7 / flop) + 1;
    openblas_set_num_threads(threads);
    for (int round = -3; round < 20 || (round < ROUNDS && seconds_of(CLOCK_MONOTONIC) < end); round++) {
        double w = seconds_of(CLOCK_MONOTONIC), u = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
        end = end > 0 ? end : w + (argc > 3 ? strtod(argv[3], NULL) : 2);
        for (int i = 0; i < inner; i++)
            cblas_sgemm(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans, b_turned ? CblasTrans : CblasNoTrans, m, n,
                        k, 1, a, a_turned ? m : k, b, b_turned ? k : n, 0, c, n);
        rounds = round < 0 ? 0 : round;
        cpu[rounds] = (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - u) * 1e3 / inner;
        wall[rounds] = (seconds_of(CLOCK_MONOTONIC) - w) * 1e3 / inner;
    }
    qsort(wall, rounds + 1, sizeof *wall, ascending);
    qsort(cpu, rounds + 1, sizeof *cpu, ascending);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s openblas-%dt wall %.7f min %.7f max %.7f cpu %.7f gflop %.6f rss %.0f loss 0 0\n", argv[1], threads,
           wall[rounds / 2], wall[0], wall[rounds], cpu[rounds / 2], flop * 1e-9, (double)usage.ru_maxrss / 1024);
    free(a), free(b), free(c);
    return 0;
}
