/* rng.c: the generator gives the published numbers, and its distributions have
 * the moments they should. */
#include <math.h>

#include "rng.h"
#include "test.h"

/* The first outputs of xoshiro256** from the state 1, 2, 3, 4 (computed by hand
 * from the authors' definition: rotl(s1 * 5, 7) * 9). */
START_TEST(xoshiro_is_the_published_one)
{
    Rng rng = {{1, 2, 3, 4}};
    ck_assert_uint_eq(rng_bits(&rng), 11520);
    ck_assert_uint_eq(rng_bits(&rng), 0);
    ck_assert_uint_eq(rng_bits(&rng), 1509978240);
    ck_assert_uint_eq(rng_bits(&rng), 1215971899390074240);
}
END_TEST

START_TEST(streams_differ_and_repeat)
{
    Rng a = rng_new(42, "weights"), b = rng_new(42, "weights"), c = rng_new(42, "data"), d = rng_new(43, "weights");
    uint64_t first = rng_bits(&a);
    ck_assert_uint_eq(first, rng_bits(&b));
    ck_assert_uint_ne(first, rng_bits(&c));
    ck_assert_uint_ne(first, rng_bits(&d));
}
END_TEST

START_TEST(moments)
{
    enum { N = 200000 };
    Rng rng = rng_new(7, "moments");
    double sum = 0, squares = 0, fourth = 0, uniform = 0;
    for (int i = 0; i < N; i++) {
        double x = rng_normal(&rng);
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
        uniform += rng_uniform(&rng);
    }
    ck_assert_double_eq_tol(sum / N, 0, 0.01);
    ck_assert_double_eq_tol(squares / N, 1, 0.02);
    ck_assert_double_eq_tol(fourth / N, 3, 0.1);
    ck_assert_double_eq_tol(uniform / N, 0.5, 0.005);
}
END_TEST

START_TEST(below_is_uniform)
{
    enum { SIDES = 7, THROWS = 70000 };
    Rng rng = rng_new(3, "dice");
    int count[SIDES] = {0};
    for (int i = 0; i < THROWS; i++)
        count[rng_below(&rng, SIDES)]++;
    double chi_square = 0;
    for (int i = 0; i < SIDES; i++)
        chi_square += pow(count[i] - THROWS / SIDES, 2) / (THROWS / SIDES);
    ck_assert_double_lt(chi_square, 22.5); /* 6 degrees of freedom, p = 0.001 */
}
END_TEST

START_TEST(choose_follows_the_weights)
{
    Rng rng = rng_new(5, "choose");
    real weight[] = {1, 0, 3};
    int count[3] = {0};
    for (int i = 0; i < 40000; i++)
        count[rng_choose(&rng, weight, 3)]++;
    ck_assert_int_eq(count[1], 0);
    ck_assert_double_eq_tol(count[0] / 40000.0, 0.25, 0.01);
}
END_TEST

START_TEST(shuffle_permutes)
{
    Rng rng = rng_new(9, "shuffle");
    int items[100], seen[100] = {0}, moved = 0;
    for (int i = 0; i < 100; i++)
        items[i] = i;
    rng_shuffle(&rng, items, 100);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(seen[items[i]]++, 0);
        moved += items[i] != i;
    }
    ck_assert_int_gt(moved, 80);
}
END_TEST

START_TEST(below_zero_is_misuse)
{
    Rng rng = rng_new(1, "misuse");
    rng_below(&rng, 0);
}
END_TEST

/* Of 3/4 2^64 sides, every third would come twice as often if no draw were made again. */
START_TEST(below_three_quarters_of_all)
{
    enum { THROWS = 30000 };
    Rng rng = rng_new(3, "many sides");
    int count[3] = {0};
    for (int i = 0; i < THROWS; i++)
        count[rng_below(&rng, 3ULL << 62) % 3]++;
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(count[i] / (double)THROWS, 1 / 3.0, 0.012);
}
END_TEST

/* Each of the six orders of three things comes equally often. */
START_TEST(shuffle_is_fair)
{
    enum { THROWS = 60000 };
    Rng rng = rng_new(9, "fair");
    int count[27] = {0};
    double chi_square = 0;
    for (int i = 0; i < THROWS; i++) {
        int items[] = {0, 1, 2};
        rng_shuffle(&rng, items, 3);
        count[9 * items[0] + 3 * items[1] + items[2]]++;
    }
    for (int i = 0; i < 27; i++)
        chi_square += count[i] ? pow(count[i] - THROWS / 6, 2) / (THROWS / 6) : 0;
    ck_assert_double_lt(chi_square, 20.5); /* 5 degrees of freedom, p = 0.001 */
}
END_TEST

START_TEST(streams_differ_by_every_letter)
{
    static const char *const names[] = {"data", "date", "fata", "dbta", "adta"};
    uint64_t first[5];
    for (int i = 0; i < 5; i++) {
        Rng rng = rng_new(42, names[i]);
        first[i] = rng_bits(&rng);
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(first[i], first[j]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rng");
    test_add(suite, "xoshiro_is_the_published_one", xoshiro_is_the_published_one);
    test_add(suite, "streams_differ_and_repeat", streams_differ_and_repeat);
    test_add(suite, "moments", moments);
    test_add(suite, "below_is_uniform", below_is_uniform);
    test_add(suite, "choose_follows_the_weights", choose_follows_the_weights);
    test_add(suite, "shuffle_permutes", shuffle_permutes);
    test_add_exit(suite, "below_zero_is_misuse", below_zero_is_misuse, 1);
    test_add(suite, "below_three_quarters_of_all", below_three_quarters_of_all);
    test_add(suite, "shuffle_is_fair", shuffle_is_fair);
    test_add(suite, "streams_differ_by_every_letter", streams_differ_by_every_letter);
    return test_run(suite);
}
