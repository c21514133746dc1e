/* Tests of lab 01: its claims over seeds that were not looked at while it was
 * written, its files, its reference trace, the student's own text, bad input,
 * and the n-gram model by itself. */
#define _GNU_SOURCE
#define STEM "01_onehot"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/01_onehot/main.c"
#undef main

#include "../labs/01_onehot/ngram.h"
#include "maths.h"
#include "lab_runs.h"

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"1001", "1002", "1003", "1004", "1005"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        char *claims = ledger_of(seeds[i]);
        char *skipped = strstr(claims, "\tskipped\n"); /* one is not measured at --quick */
        ck_assert(skipped && !strstr(skipped + 1, "\tskipped\n"));
        check_verdict(claims, "u-curve-less-text", "skipped");
        check_verdict(claims, "sorted-encoder-matrix", "corrects");
        check_verdict(claims, "lookup-equals-product", "holds");
        check_verdict(claims, "onehot-dot", "holds");
        check_verdict(claims, "neighbours-know", "holds");
        check_verdict(claims, "u-curve-rises", "holds");
        free(claims);
    }
}
END_TEST

START_TEST(claims_hold_at_full_setting)
{
    ck_assert_int_eq(run("--no-plots", "--check", "--seed", "2001", NULL), 0);
    char *claims = written("claims.tsv");
    ck_assert_ptr_null(strstr(claims, "\tskipped\n"));
    check_verdict(claims, "u-curve-less-text", "holds");
    free(claims);
}
END_TEST

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {"onehot_matrix",        "cosine_onehot_vs_embedding",
                                          "memory_vs_vocabulary", "distance_concentration",
                                          "tfidf_heatmap",        "ngram_sparsity",
                                          "ngram_perplexity",     "zipf"};
    check_files(figures, sizeof figures / sizeof *figures);
}
END_TEST

START_TEST(steps_run_alone)
{
    check_steps_alone(6);
}
END_TEST

/* ---- a text of one's own ---- */

static const char *own_text(const char *bytes)
{
    const char *path = in(folder, "own.txt");
    spit(path, bytes);
    return path;
}

START_TEST(own_text_and_query)
{
    char *text = calloc(1, 100000);
    for (int i = 0; i < 300; i++)
        sprintf(text + strlen(text), "나는 오늘 %d번 버스를 탔다 .\nthe bus number %d is late\n", i % 17, i % 13);
    strcat(text, "배터리 용량 이 작다\n");
    ck_assert_int_eq(run_lab("42", "--corpus", own_text(text), "--query", "배터리 사이즈"), 0);
    char *trace = written("trace.txt"), *claims = written("claims.tsv");
    ck_assert_ptr_null(strstr(claims, "\tfails\n"));
    check_verdict(claims, "zipf-slope", "skipped");
    check_verdict(claims, "sorted-encoder-matrix", "corrects");
    ck_assert_ptr_nonnull(strstr(trace, "its 601 lines"));
    ck_assert_ptr_nonnull(strstr(trace, "배터리 용량 이 작다"));
    ck_assert_ptr_nonnull(strstr(trace, "1 of the query's 2 words"));
    free(trace);
    free(claims);
    free(text);
}
END_TEST

START_TEST(one_word_is_enough)
{
    ck_assert_int_eq(run_lab("42", "--no-plots", "--corpus", own_text("word"), NULL), 0);
    char *trace = written("trace.txt"), *claims = written("claims.tsv");
    ck_assert_ptr_nonnull(strstr(trace, "1 words, 1 of them different"));
    ck_assert_ptr_nonnull(strstr(trace, "has 1 sentence (a line is one).  A tenth"));
    ck_assert_ptr_null(strstr(claims, "\tfails\n"));
    free(trace);
    free(claims);
}
END_TEST

START_TEST(unknown_query_is_said)
{
    ck_assert_int_eq(run_lab("42", "--no-plots", "--step", "5", "--query=xylophone"), 0);
    char *trace = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(trace, "None of the words of \"xylophone\""));
    free(trace);
}
END_TEST

START_TEST(bad_bytes_on_request)
{
    char *text = calloc(1, 10000);
    for (int i = 0; i < 40; i++)
        strcat(text, "caf\xe9 au lait\n");
    ck_assert_int_eq(run_lab("42", "--no-plots", "--replace-bad-bytes", "--corpus", own_text(text)), 0);
    free(text);
}
END_TEST

#define BAD(name, ...)                                                                                                 \
    START_TEST(name)                                                                                                   \
    {                                                                                                                  \
        run_lab("42", "--no-plots", __VA_ARGS__);                                                                      \
    }                                                                                                                  \
    END_TEST
BAD(missing_text, "--corpus", in(folder, "nowhere.txt"), NULL)
BAD(empty_text, "--corpus", own_text(""), NULL)
BAD(blank_text, "--corpus", own_text(" \n "), NULL)
BAD(folder_as_text, "--corpus", folder, NULL)
BAD(bad_bytes, "--corpus", own_text("caf\xe9"), NULL)
BAD(empty_query, "--query", " ", NULL)
BAD(bad_query, "--query", "\xff", NULL)
BAD(no_such_step, "--step", "99", NULL)

/* ---- the n-gram model ---- */

static NGrams *small_model(void)
{
    /* a b a c | a b ; numbers: 0 </s>, 1 a, 2 b, 3 c */
    NGrams *grams = ngrams_new(4, 0);
    ngrams_add(grams, (int[]){1, 2, 1, 3}, 4);
    ngrams_add(grams, (int[]){1, 2}, 2);
    return grams;
}

START_TEST(ngram_counts_by_hand)
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

START_TEST(ngram_probabilities_sum_to_one)
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

START_TEST(ngram_samples_follow_the_counts)
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
START_TEST(ngram_counts_equal_brute_force)
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

START_TEST(ngram_refuses_a_word_out_of_range)
{
    static NGrams *grams;
    grams = ngrams_new(4, 0);
    ngrams_add(grams, (int[]){4}, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab_01_onehot");
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "claims_hold_at_full_setting", claims_hold_at_full_setting, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    add_run(suite, "steps_run_alone", steps_run_alone, 0);
    add_run(suite, "own_text_and_query", own_text_and_query, 0);
    add_run(suite, "one_word_is_enough", one_word_is_enough, 0);
    add_run(suite, "unknown_query_is_said", unknown_query_is_said, 0);
    add_run(suite, "bad_bytes_on_request", bad_bytes_on_request, 0);
    add_run(suite, "missing_text", missing_text, 1);
    add_run(suite, "empty_text", empty_text, 1);
    add_run(suite, "blank_text", blank_text, 1);
    add_run(suite, "folder_as_text", folder_as_text, 1);
    add_run(suite, "bad_bytes", bad_bytes, 1);
    add_run(suite, "empty_query", empty_query, 2);
    add_run(suite, "bad_query", bad_query, 2);
    add_run(suite, "no_such_step", no_such_step, 2);
    add_run(suite, "ngram_counts_by_hand", ngram_counts_by_hand, 0);
    add_run(suite, "ngram_probabilities_sum_to_one", ngram_probabilities_sum_to_one, 0);
    add_run(suite, "ngram_samples_follow_the_counts", ngram_samples_follow_the_counts, 0);
    add_run(suite, "ngram_counts_equal_brute_force", ngram_counts_equal_brute_force, 0);
    add_run(suite, "ngram_refuses_a_word_out_of_range", ngram_refuses_a_word_out_of_range, 1);
    return test_run(suite);
}
