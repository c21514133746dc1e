/* Tests of ngram.c: counts by hand and by brute force, and that probabilities are probabilities. */
#include "ngram.h"

#include "test.h"

static NGrams *small_model(void)
{
    /* a b a c | a b ; numbers: 0 </s>, 1 a, 2 b, 3 c */
    NGrams *grams = ngrams_new(4, 0);
    ngrams_add(grams, (int[]){1, 2, 1, 3}, 4);
    ngrams_add(grams, (int[]){1, 2}, 2);
    return grams;
}

START_TEST(counts_by_hand)
{
    NGrams *grams = small_model();
    NGramWalk walk = ngrams_begin(grams);
    ck_assert_uint_eq(ngrams_history(grams, &walk, 1), 8); /* 6 words and two ends */
    ck_assert_uint_eq(ngrams_count(grams, &walk, 1, 1), 3);
    ck_assert_uint_eq(ngrams_history(grams, &walk, 2), 2); /* <s> */
    ck_assert_uint_eq(ngrams_count(grams, &walk, 2, 1), 2);
    ck_assert_uint_eq(ngrams_count(grams, &walk, 5, 1), 2);
    ngrams_advance(grams, &walk, 1);
    ck_assert_uint_eq(ngrams_history(grams, &walk, 2), 3); /* a */
    ck_assert_uint_eq(ngrams_count(grams, &walk, 2, 2), 2);
    ck_assert_uint_eq(ngrams_count(grams, &walk, 2, 3), 1);
    ck_assert_uint_eq(ngrams_count(grams, &walk, 2, 0), 0);
    ck_assert_uint_eq(ngrams_history(grams, &walk, 3), 2); /* <s> a */
    ck_assert_uint_eq(ngrams_count(grams, &walk, 3, 3), 0);
    ngrams_advance(grams, &walk, 3); /* <s> a c was never seen, a c was */
    ck_assert_uint_eq(ngrams_history(grams, &walk, 3), 1);
    ck_assert_uint_eq(ngrams_history(grams, &walk, 4), 0);
    ck_assert_uint_eq(ngrams_count(grams, &walk, 4, 0), 0);
    ck_assert_uint_eq(ngrams_count(grams, &walk, 3, 0), 1);
    ck_assert_int_eq(grams->distinct[1], 4);
    ck_assert_int_eq(grams->distinct[2], 6); /* <s>a ab ba ac c</s> b</s> */
    ngrams_free(grams);
}
END_TEST

START_TEST(probabilities_sum_to_one)
{
    NGrams *grams = small_model();
    static const int context[] = {1, 2, 1, 3};
    NGramWalk walk = ngrams_begin(grams);
    for (int t = 0; t < 4; t++) {
        for (int n = 1; n <= NGRAM_MOST; n++) {
            double add = 0, mixed = 0, likelihood = 0;
            for (int w = 0; w < 4; w++) {
                double p = 0.25;
                for (int m = 1; m <= n; m++)
                    p = probability_interpolate(p, ngrams_count(grams, &walk, m, w), ngrams_history(grams, &walk, m),
                                                0.7);
                uint32_t count = ngrams_count(grams, &walk, n, w), history = ngrams_history(grams, &walk, n);
                add += probability_add_k(count, history, 0.1, 4);
                likelihood += probability_likelihood(count, history);
                mixed += p;
            }
            ck_assert_double_eq_tol(add, 1, 1e-12);
            ck_assert_double_eq_tol(mixed, 1, 1e-12);
            ck_assert_double_eq_tol(likelihood, ngrams_history(grams, &walk, n) > 0, 1e-12);
        }
        ngrams_advance(grams, &walk, context[t]);
    }
    ngrams_free(grams);
}
END_TEST

START_TEST(samples_follow_the_counts)
{
    enum { DRAWS = 30000 };
    NGrams *grams = small_model();
    NGramWalk walk = ngrams_begin(grams);
    ngrams_advance(grams, &walk, 1);
    Rng rng = rng_new(7, "test");
    int drawn[4] = {0};
    for (int i = 0; i < DRAWS; i++)
        drawn[ngrams_sample(grams, &walk, 2, &rng)]++;
    ck_assert_int_eq(drawn[0] + drawn[1], 0);
    ck_assert_double_eq_tol((double)drawn[2] / DRAWS, 2.0 / 3, 0.02);
    ngrams_free(grams);
}
END_TEST

/* Against a count by brute force, in a text long enough to make the tables grow. */
START_TEST(counts_equal_brute_force)
{
    enum { WORDS = 3000, V = 9 };
    int *text = malloc((WORDS + 8) * sizeof *text), *padded = malloc((WORDS + 8) * sizeof *padded);
    Rng rng = rng_new(3, "brute");
    for (int i = 0; i < 4; i++)
        padded[i] = V; /* <s> */
    for (int i = 0; i < WORDS; i++)
        padded[4 + i] = text[i] = 1 + (int)rng_below(&rng, V - 1);
    padded[4 + WORDS] = 0;
    NGrams *grams = ngrams_new(V, 0);
    ngrams_add(grams, text, WORDS);
    NGramWalk walk = ngrams_begin(grams);
    for (int t = 0; t < 60; t++) {
        for (int n = 1; n <= NGRAM_MOST; n++) {
            uint32_t count = 0, history = 0;
            for (int u = 4; u <= 4 + WORDS; u++) {
                size_t size = (size_t)(n - 1) * sizeof *padded;
                if (memcmp(padded + u - n + 1, padded + 4 + t - n + 1, size) == 0) {
                    history++;
                    count += padded[u] == padded[4 + t];
                }
            }
            ck_assert_uint_eq(ngrams_count(grams, &walk, n, padded[4 + t]), count);
            ck_assert_uint_eq(ngrams_history(grams, &walk, n), history);
        }
        ngrams_advance(grams, &walk, padded[4 + t]);
    }
    ngrams_free(grams);
    free(text);
    free(padded);
}
END_TEST

START_TEST(refuses_a_word_out_of_range)
{
    static NGrams *grams;
    grams = ngrams_new(4, 0);
    ngrams_add(grams, (int[]){4}, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("n-grams");
    test_add(suite, "counts_by_hand", counts_by_hand);
    test_add(suite, "probabilities_sum_to_one", probabilities_sum_to_one);
    test_add(suite, "samples_follow_the_counts", samples_follow_the_counts);
    test_add(suite, "counts_equal_brute_force", counts_equal_brute_force);
    test_add_exit(suite, "refuses_a_word_out_of_range", refuses_a_word_out_of_range, 1);
    return test_run(suite);
}
