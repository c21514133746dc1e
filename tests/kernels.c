/* kernels.c: the fast matrix product is the three plain loops, to the bit; sums
 * are the 16 lanes of their definition. */
#define _GNU_SOURCE
#include "kernels.h"

#include <math.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "maths.h"
#include "memory.h"
#include "rng.h"
#include "test.h"

static real *random_numbers(Rng *rng, size_t n)
{
    real *x = memory_new(n, sizeof *x, "a test");
    for (size_t i = 0; i < n; i++)
        x[i] = rng_normal(rng);
    return x;
}

/* All four ways to read A and B, with and without adding, C in wider rows (the
 * columns beyond must stay as they are), by 1 ... THREADS threads. */
static void compare_products(Rng *rng, int m, int n, int k, int threads)
{
    int c_row = n + 3;
    size_t c_size = (size_t)(m + 1) * c_row;
    real *a = random_numbers(rng, (size_t)m * k), *b = random_numbers(rng, (size_t)k * n);
    real *c = random_numbers(rng, c_size), *fast = memory_new(c_size, sizeof(real), "a test");
    real *plain = memory_new(c_size, sizeof(real), "a test");
    real *packed = memory_new(kernel_packed_size(n, k), sizeof(real), "a test");
    for (int way = 0; way < 8; way++) {
        Strided left = way & 1 ? strided_transposed(a, m) : strided(a, k);
        Strided right = way & 2 ? strided_transposed(b, k) : strided(b, n);
        memcpy(plain, c, c_size * sizeof(real));
        kernel_matmul_plain(m, n, k, left, right, plain, c_row, way & 4);
        for (int t = 1; t <= threads; t++) {
            memcpy(fast, c, c_size * sizeof(real));
            kernel_matmul(m, n, k, left, right, fast, c_row, way & 4, t);
            ck_assert_msg(memcmp(fast, plain, c_size * sizeof(real)) == 0, "%d x %d x %d, way %d, %d threads", m, n, k,
                          way, t);
        }
        memcpy(fast, c, c_size * sizeof(real));
        kernel_matmul(m, n, k, left, kernel_pack(n, k, right, packed), fast, c_row, way & 4, threads);
        ck_assert_msg(memcmp(fast, plain, c_size * sizeof(real)) == 0, "%d x %d x %d, way %d, packed", m, n, k, way);
    }
    free(a), free(b), free(c), free(fast), free(plain), free(packed);
}

/* A B + bias and A B + bias + plus of every shape: the plain product, then the plain sums. */
static void compare_linear(Rng *rng, int m, int n, int k)
{
    real *a = random_numbers(rng, (size_t)m * k), *b = random_numbers(rng, (size_t)k * n);
    real *bias = random_numbers(rng, n), *plus = random_numbers(rng, (size_t)m * n);
    real *fast = memory_new((size_t)m * n, sizeof(real), "a test");
    real *plain = memory_new((size_t)m * n, sizeof(real), "a test");
    for (int way = 0; way < 8; way++) {
        Strided left = way & 1 ? strided_transposed(a, m) : strided(a, k);
        Strided right = way & 2 ? strided_transposed(b, k) : strided(b, n);
        bool adds = way & 4;
        kernel_matmul_plain(m, n, k, left, right, plain, n, false);
        for (int i = 0; i < m * n; i++)
            plain[i] = plain[i] + bias[i % n] + (adds ? plus[i] : 0);
        kernel_linear(m, n, k, left, right, bias, adds ? plus : NULL, fast, n, 1);
        ck_assert_msg(memcmp(fast, plain, (size_t)m * n * sizeof(real)) == 0, "%d x %d x %d, way %d", m, n, k, way);
    }
    free(a), free(b), free(bias), free(plus), free(fast), free(plain);
}

START_TEST(product_of_small_sizes)
{
    Rng rng = rng_new(1, "kernels");
    const int sizes[] = {0, 1, 2, 5, 6, 7, 12, 13, 16, 17, 32, 33, 40};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int i = 0; i < SIZES; i++)
        for (int j = 0; j < SIZES; j++)
            for (int k = 0; k < SIZES; k++)
                compare_products(&rng, sizes[i], sizes[j], sizes[k], 1);
}
END_TEST

/* Every height of a tile, in strips that end within a vector, at its end and behind it. */
START_TEST(product_of_every_height)
{
    Rng rng = rng_new(10, "kernels");
    for (int m = 1; m <= 26; m++)
        for (int n = 1; n <= 49; n += n == 1 ? 3 : 4) { /* 1, 4, 8 ...: also whole vectors */
            compare_products(&rng, m, n, 9, 1);
            compare_linear(&rng, m, n, 9);
        }
}
END_TEST

/* k beyond the depth that is packed at once, rows or columns a page apart, and enough work to share. */
START_TEST(product_of_large_sizes)
{
    Rng rng = rng_new(2, "kernels");
    const int sizes[][3] = {{5, 9, 1023},     {5, 9, 1024},    {5, 9, 1025},    {13, 33, 1000},  {1, 1, 5000},
                            {1, 200, 2049},   {200, 1, 769},   {33, 70, 1100},  {255, 257, 40},  {3000, 7, 110},
                            {7, 3000, 110},   {400, 300, 60},  {30, 300, 1024}, {1024, 300, 30}, {40, 20, 257},
                            {200, 1030, 260}, {1100, 70, 1030}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        compare_products(&rng, sizes[i][0], sizes[i][1], sizes[i][2], 3);
}
END_TEST

/* A packed matrix serves products of fewer rows, and of any number of columns up to the zeros' end. */
START_TEST(product_of_a_part_of_a_packed_matrix)
{
    enum { M = 7, N = 37, NARROW = 20, PADDED = 48, K = 1100 };
    Rng rng = rng_new(7, "kernels");
    real *a = random_numbers(&rng, M * K), *b = random_numbers(&rng, K * N),
         *b_padded = memory_new(K * PADDED, sizeof(real), "a test");
    real *packed = random_numbers(&rng, kernel_packed_size(N, K)), fast[M * PADDED], plain[M * PADDED];
    for (int p = 0; p < K; p++)
        memcpy(b_padded + p * PADDED, b + p * N, N * sizeof(real));
    real *b_turned = memory_new(K * N, sizeof(real), "a test");
    kernel_transpose(K, N, b, N, b_turned, K);
    for (int turned = 0; turned < 2; turned++) {
        Strided b_packed = kernel_pack(N, K, turned ? strided_transposed(b_turned, K) : strided(b, N), packed);
        for (int k = 1; k <= K; k += 157)
            for (int n = NARROW; n <= PADDED; n += PADDED - NARROW) {
                kernel_matmul(M, n, k, strided(a, K), b_packed, fast, n, false, 1);
                kernel_matmul_plain(M, n, k, strided(a, K), strided(b_padded, PADDED), plain, n, false);
                ck_assert_msg(memcmp(fast, plain, M * n * sizeof(real)) == 0, "%d columns, %d rows of %d", n, k, K);
            }
    }
    free(a), free(b), free(b_padded), free(b_turned), free(packed);
}
END_TEST

/* A column of C is computed as a row. */
START_TEST(product_of_one_column)
{
    enum { M = 70, K = 33 };
    Rng rng = rng_new(8, "kernels");
    real *a = random_numbers(&rng, M * K), *b = random_numbers(&rng, K * 3), *c = random_numbers(&rng, M), fast[M],
         plain[M];
    for (int way = 0; way < 8; way++) {
        Strided left = way & 1 ? strided_transposed(a, M) : strided(a, K);
        Strided right = way & 2 ? (Strided){b, 3, 1} : strided_transposed(b, K);
        memcpy(plain, c, sizeof plain);
        memcpy(fast, c, sizeof fast);
        kernel_matmul_plain(M, 1, K, left, right, plain, 1, way & 4);
        kernel_matmul(M, 1, K, left, right, fast, 1, way & 4, 1);
        ck_assert_mem_eq(fast, plain, sizeof fast);
    }
    free(a), free(b), free(c);
}
END_TEST

/* One row and one step of k: from another row or matrix, with biases, and from what C holds. */
START_TEST(thin_products)
{
    enum { MOST = 150 };
    Rng rng = rng_new(11, "kernels");
    for (int n = 1; n <= MOST; n += n < 40 ? 1 : 11)
        for (int other = 1; other <= 23; other += 11) {
            int m[2] = {1, other}, k[2] = {other, 1};
            real *from = random_numbers(&rng, (size_t)other * n), *bias = random_numbers(&rng, n);
            real *fast = memory_new((size_t)other * n, sizeof(real), "a test");
            real *plain = memory_new((size_t)other * n, sizeof(real), "a test");
            for (int way = 0; way < 4; way++) {
                int rows = m[way & 1], deep = k[way & 1];
                real *a = random_numbers(&rng, (size_t)rows * deep), *b = random_numbers(&rng, (size_t)deep * n);
                Strided left = strided(a, deep), right = way & 2 ? strided_transposed(b, deep) : strided(b, n);
                size_t size = (size_t)rows * n * sizeof(real);
                memcpy(plain, from, size);
                kernel_matmul_plain(rows, n, deep, left, right, plain, n, true);
                kernel_matmul_onto(rows, n, deep, left, right, from, n, fast, n, 1);
                ck_assert_msg(memcmp(fast, plain, size) == 0, "%d x %d x %d, way %d, from", rows, n, deep, way);
                memcpy(fast, from, size);
                kernel_matmul(rows, n, deep, left, right, fast, n, true, 1);
                ck_assert_msg(memcmp(fast, plain, size) == 0, "%d x %d x %d, way %d, onto itself", rows, n, deep, way);
                kernel_matmul_plain(rows, n, deep, left, right, plain, n, false);
                for (int i = 0; i < rows * n; i++)
                    plain[i] = plain[i] + bias[i % n] + from[i];
                kernel_linear(rows, n, deep, left, right, bias, from, fast, n, 1);
                ck_assert_msg(memcmp(fast, plain, size) == 0, "%d x %d x %d, way %d, biases", rows, n, deep, way);
                free(a), free(b);
            }
            free(from), free(bias), free(fast), free(plain);
        }
}
END_TEST

/* A matrix inside a larger one: strides that are neither 1 nor the width. */
START_TEST(product_of_strided_parts)
{
    enum { M = 20, N = 30, K = 25 };
    Rng rng = rng_new(3, "kernels");
    real *a = random_numbers(&rng, M * K * 6), *b = random_numbers(&rng, K * N * 10);
    real fast[M * N], plain[M * N];
    Strided left = {a, 3 * K, 2}, right = {b + 7, 5, 5 * K};
    kernel_matmul(M, N, K, left, right, fast, N, false, 1);
    kernel_matmul_plain(M, N, K, left, right, plain, N, false);
    ck_assert_mem_eq(fast, plain, sizeof fast);
    free(a), free(b);
}
END_TEST

/* Room for N numbers that end where the process's memory does. */
static real *numbers_before_a_wall(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (n * sizeof(real) + page - 1) / page * page;
    char *start = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    ck_assert(start != MAP_FAILED && mprotect(start + room, page, PROT_NONE) == 0);
    return (real *)(start + room) - n;
}

/* Tensors may end where the memory of the process does: a read or a write beyond ends the test. */
START_TEST(product_reads_only_its_operands)
{
    enum { M = 13, MOST = 41 };
    for (int n = 1; n <= MOST; n++) {
        real *a = numbers_before_a_wall(M * n), *b = numbers_before_a_wall(n * n), *c = numbers_before_a_wall(M * n);
        real *bias = numbers_before_a_wall(n), *plus = numbers_before_a_wall(M * n);
        for (int i = 0; i < n; i++)
            b[i * n + i] = 1;
        for (int way = 0; way < 4; way++) {
            Strided left = way & 1 ? strided_transposed(a, M) : strided(a, n);
            Strided right = way & 2 ? strided_transposed(b, n) : strided(b, n);
            for (int m = 1; m <= M; m += M - 1)
                for (int k = 1; k <= n; k += n > 1 ? n - 1 : 1) { /* also one row alone, and one step of k */
                    kernel_matmul(m, n, k, left, right, c, n, true, 1);
                    kernel_linear(m, n, k, left, right, bias, plus, c, n, 1);
                    kernel_matmul_onto(m, n, k, left, right, bias, 0, c, n, 1);
                }
        }
    }
}
END_TEST

START_TEST(product_passes_on_what_is_not_finite)
{
    enum { N = 17 };
    real a[N * N] = {0}, b[N * N] = {0}, c[N * N];
    a[3 * N + 2] = (real)NAN;
    b[2 * N + 5] = (real)INFINITY; /* 0 x infinity is NaN in every row */
    kernel_matmul(N, N, N, strided(a, N), strided(b, N), c, N, false, 1);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            ck_assert_int_eq(isnan(c[i * N + j]) != 0, i == 3 || j == 5);
}
END_TEST

/* The definition in kernels.h, written plainly. */
static real plain_lanes(const real *x, const real *y, int n)
{
    real lane[16] = {0};
    for (int i = 0; i < n; i++)
        lane[i % 16] = y ? m_fma(x[i], y[i], lane[i % 16]) : lane[i % 16] + x[i];
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

START_TEST(sums_are_sixteen_lanes)
{
    Rng rng = rng_new(4, "kernels");
    for (int n = 0; n < 200; n++) {
        real *x = random_numbers(&rng, (size_t)n + 1), *y = random_numbers(&rng, (size_t)n + 1);
        real dot = kernel_dot(x, y, n), sum = kernel_sum(x, n), same = plain_lanes(x, y, n);
        ck_assert_mem_eq(&dot, &same, sizeof same);
        same = plain_lanes(x, NULL, n);
        ck_assert_mem_eq(&sum, &same, sizeof same);
        free(x), free(y);
    }
}
END_TEST

/* The same by the loops of the definition: exp where CEILING allows, in 16 lanes. */
START_TEST(softmax_in_whole_vectors)
{
    Rng rng = rng_new(6, "kernels");
    const real scale = (real)0.37;
    for (int n = 16; n <= 96; n += 16)
        for (int allowed = 1; allowed <= n; allowed += 3) {
            int open = allowed / 2 / LANES * LANES;
            real *p = random_numbers(&rng, (size_t)n), *dp = random_numbers(&rng, (size_t)n), ceiling[96], want[96];
            real largest = -INFINITY;
            for (int i = 0; i < n; i++) {
                ceiling[i] = i < open || (i < allowed && i % 5 != 3) ? INFINITY : -REAL_MAX;
                largest = ceiling[i] > 0 && scale * p[i] > largest ? scale * p[i] : largest;
            }
            for (int i = 0; i < n; i++)
                want[i] = ceiling[i] > 0 ? m_exp(scale * p[i] - largest) : 0;
            real sum = plain_lanes(want, NULL, n);
            for (int i = 0; i < n; i++)
                want[i] /= sum;
            kernel_softmax(open, n, scale, ceiling, p);
            ck_assert_mem_eq(p, want, n * sizeof(real));
            real dot = plain_lanes(p, dp, n);
            for (int i = 0; i < n; i++)
                want[i] = scale * (p[i] * (dp[i] - dot));
            kernel_softmax_backward(n, scale, p, dp);
            ck_assert_mem_eq(dp, want, n * sizeof(real));
            free(p), free(dp);
        }
}
END_TEST

START_TEST(largest_element)
{
    Rng rng = rng_new(5, "kernels");
    for (int n = 1; n < 100; n++) {
        real *x = random_numbers(&rng, (size_t)n);
        int at = (int)rng_below(&rng, (uint64_t)n);
        x[at] = 100;
        ck_assert(kernel_max(x, n) == 100);
        x[at] = -100;
        ck_assert(n == 1 ? kernel_max(x, n) == -100 : kernel_max(x, n) > -100);
        free(x);
    }
}
END_TEST

START_TEST(axpy)
{
    Rng rng = rng_new(6, "kernels");
    for (int n = 0; n < 70; n++) {
        real *x = random_numbers(&rng, (size_t)n + 1), *y = random_numbers(&rng, (size_t)n + 1);
        real after = y[n], *want = memory_new((size_t)n + 1, sizeof *want, "a test");
        for (int i = 0; i < n; i++)
            want[i] = m_fma((real)0.3, x[i], y[i]);
        want[n] = after;
        kernel_axpy(n, (real)0.3, x, y);
        ck_assert_mem_eq(want, y, (n + 1) * sizeof *want);
        free(x), free(y), free(want);
    }
}
END_TEST

/* Squares of small and large floats leave the range of a float; the norm of
 * gradients that vanish or explode must not become 0 or infinity. */
START_TEST(squares_are_summed_in_double)
{
    real x[37];
    for (int i = 0; i < 37; i++)
        x[i] = (real)3e-30;
    ck_assert_double_eq_tol(kernel_squares(x, 37) / (37 * 9e-60), 1, 1e-6);
    for (int i = 0; i < 37; i++)
        x[i] = (real)-2e30;
    ck_assert_double_eq_tol(kernel_squares(x, 37) / (37 * 4e60), 1, 1e-6);
    ck_assert(kernel_squares(x, 0) == 0);
    double lane[16] = {0};
    Rng rng = rng_new(7, "kernels");
    for (int i = 0; i < 37; i++) {
        x[i] = rng_normal(&rng);
        lane[i % 16] += (double)x[i] * (double)x[i];
    }
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    ck_assert(kernel_squares(x, 37) == lane[0]);
}
END_TEST

#ifdef __GLIBC__ /* which can say how much memory is in use */
static void *product_in_a_thread(void *numbers)
{
    real c[64 * 64];
    kernel_matmul(64, 64, 64, strided(numbers, 64), strided(numbers, 64), c, 64, false, 1);
    return NULL;
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Threads come and go with each product; their packing space must go with them. */
START_TEST(threads_leave_no_memory_behind)
{
    enum { N = 160 };
    Rng rng = rng_new(8, "kernels");
    real *a = random_numbers(&rng, N * N), *c = random_numbers(&rng, N * N);
    size_t after_first = 0;
    for (int round = 0; round < 60; round++) {
        pthread_t thread;
        kernel_matmul(N, N, N, strided(a, N), strided(a, N), c, N, false, 3);
        ck_assert_int_eq(pthread_create(&thread, NULL, product_in_a_thread, a), 0);
        pthread_join(thread, NULL);
        if (round == 9)
            after_first = bytes_in_use();
    }
    ck_assert_msg(bytes_in_use() < after_first + 100000, "%zu bytes more after 50 products",
                  bytes_in_use() - after_first);
    free(a), free(c);
}
END_TEST
#endif

START_TEST(no_threads_means_one)
{
    enum { N = 150 };
    Rng rng = rng_new(9, "kernels");
    real *a = random_numbers(&rng, N * N), one[N * N], none[N * N];
    kernel_matmul(N, N, N, strided(a, N), strided(a, N), one, N, false, 1);
    kernel_matmul(N, N, N, strided(a, N), strided(a, N), none, N, false, 0);
    ck_assert_mem_eq(one, none, sizeof one);
    free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels");
    test_add(suite, "product_of_small_sizes", product_of_small_sizes);
    test_add(suite, "product_of_every_height", product_of_every_height);
    test_add(suite, "product_of_large_sizes", product_of_large_sizes);
    test_add(suite, "product_of_strided_parts", product_of_strided_parts);
    test_add(suite, "product_of_a_part_of_a_packed_matrix", product_of_a_part_of_a_packed_matrix);
    test_add(suite, "product_of_one_column", product_of_one_column);
    test_add(suite, "thin_products", thin_products);
    test_add(suite, "product_reads_only_its_operands", product_reads_only_its_operands);
    test_add(suite, "product_passes_on_what_is_not_finite", product_passes_on_what_is_not_finite);
    test_add(suite, "sums_are_sixteen_lanes", sums_are_sixteen_lanes);
    test_add(suite, "largest_element", largest_element);
    test_add(suite, "axpy", axpy);
    test_add(suite, "softmax_in_whole_vectors", softmax_in_whole_vectors);
    test_add(suite, "squares_are_summed_in_double", squares_are_summed_in_double);
#ifdef __GLIBC__
    test_add(suite, "threads_leave_no_memory_behind", threads_leave_no_memory_behind);
#endif
    test_add(suite, "no_threads_means_one", no_threads_means_one);
    return test_run(suite);
}
