/* Tests of lab 01: its claims over seeds that were not looked at while it was
 * written, its files, its reference trace, the student's own text, bad input,
 * and the n-gram model by itself. */
#define _GNU_SOURCE
int lab_01_main(int argc, char **argv);
#define main lab_01_main
#include "../labs/01_onehot/main.c"
#undef main

#include "../labs/01_onehot/ngram.h"
#include "maths.h"
#include "scratch.h"
#include "test.h"

static char *folder;

static void set_up(void)
{
    folder = scratch_folder();
}

static void tear_down(void)
{
    scratch_remove(folder);
}

/* Runs the lab, quick and quiet, with up to six more arguments. */
static int run_lab(const char *seed, const char *a, const char *b, const char *c, const char *d)
{
    char *arguments[] = {"01_onehot",  "--quick", "--quiet", "--out",   folder,    "--seed",
                         (char *)seed, (char *)a, (char *)b, (char *)c, (char *)d, NULL};
    int count = 0;
    while (arguments[count])
        count++;
    optind = 0; /* getopt from the start */
    return lab_01_main(count, arguments);
}

static char *ledger(void)
{
    char *text = slurp(in(folder, "01_onehot/claims.tsv"));
    ck_assert_str_ne(text, "");
    return text;
}

/* The verdict is the last cell of the line that begins with ID. */
static void check_verdict(const char *claims, const char *id, const char *verdict)
{
    char key[100];
    snprintf(key, sizeof key, "\n%s\t", id);
    const char *line = strstr(claims, key);
    ck_assert_msg(line, "no claim %s", id);
    const char *end = strchr(line + 1, '\n');
    size_t length = strlen(verdict);
    ck_assert_msg(end && strncmp(end - length, verdict, length) == 0, "%s is not `%s`: %.*s", id, verdict,
                  (int)(end - line), line + 1);
}

START_TEST(claims_hold_over_seeds)
{
    static const char *const seeds[] = {"1001", "1002", "1003", "1004", "1005"};
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        ck_assert_int_eq(run_lab(seeds[i], "--check", "--no-plots", NULL, NULL), 0);
        char *claims = ledger();
        ck_assert_ptr_null(strstr(claims, "\tfails\n"));
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
    char *arguments[] = {"01_onehot", "--quiet", "--no-plots", "--check", "--out", folder, "--seed", "2001", NULL};
    optind = 0;
    ck_assert_int_eq(lab_01_main(8, arguments), 0);
    char *claims = ledger();
    ck_assert_ptr_null(strstr(claims, "\tskipped\n"));
    check_verdict(claims, "u-curve-less-text", "holds");
    free(claims);
}
END_TEST

START_TEST(every_figure_is_drawn)
{
    static const char *const figures[] = {"onehot_matrix",        "cosine_onehot_vs_embedding",
                                          "memory_vs_vocabulary", "distance_concentration",
                                          "tfidf_heatmap",        "ngram_sparsity",
                                          "ngram_perplexity",     "zipf"};
    ck_assert_int_eq(run_lab("42", NULL, NULL, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        char name[100];
        snprintf(name, sizeof name, "01_onehot/%s.tsv", figures[i]);
        ck_assert_msg(exists(in(folder, name)), "%s is missing", name);
        snprintf(name, sizeof name, "01_onehot/%s.png", figures[i]);
        FILE *png = fopen(in(folder, name), "rb");
        unsigned char head[8] = {0};
        ck_assert_msg(png, "%s is missing", name);
        ck_assert_uint_eq(fread(head, 1, sizeof head, png), sizeof head);
        ck_assert_int_eq(memcmp(head, "\x89PNG\r\n\x1a\n", sizeof head), 0);
        fclose(png);
    }
}
END_TEST

START_TEST(trace_and_ledger_are_the_expected_ones)
{
    if (REAL_IS_DOUBLE)
        return;
    static const char *const names[] = {"01_onehot/trace.txt", "01_onehot/claims.tsv"};
    ck_assert_int_eq(run_lab("42", "--no-plots", NULL, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        char *expected = slurp(in("tests/expected", names[i]));
        char *written = slurp(in(folder, names[i]));
        ck_assert_str_ne(written, "");
        ck_assert_msg(strcmp(expected, written) == 0, "%s is not tests/expected/%s (after a change: make golden)",
                      names[i], names[i]);
        free(expected);
        free(written);
    }
}
END_TEST

/* Any step runs alone and writes the claims that it writes among the others. */
START_TEST(steps_run_alone)
{
    ck_assert_int_eq(run_lab("42", "--no-plots", NULL, NULL, NULL), 0);
    char *all = ledger();
    for (int step = 1; step <= 6; step++) {
        char number[16];
        snprintf(number, sizeof number, "%d", step);
        ck_assert_int_eq(run_lab("42", "--no-plots", "--step", number, NULL), 0);
        char *claims = ledger();
        char *lines = strchr(claims, '\n') + 1; /* behind the heading */
        ck_assert_msg(*lines && strstr(all, lines), "step %d alone: %s", step, lines);
        free(claims);
    }
    free(all);
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
    char *trace = slurp(in(folder, "01_onehot/trace.txt")), *claims = ledger();
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
    char *trace = slurp(in(folder, "01_onehot/trace.txt")), *claims = ledger();
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
    char *trace = slurp(in(folder, "01_onehot/trace.txt"));
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

static void add(Suite *suite, const char *name, const TTest *test, int status)
{
    TCase *test_case = tcase_create(name);
    tcase_set_timeout(test_case, 300);
    tcase_add_unchecked_fixture(test_case, set_up, tear_down); /* outside, so that an exit leaves no folder behind */
    tcase_add_exit_test(test_case, test, status);
    suite_add_tcase(suite, test_case);
}

int main(void)
{
    Suite *suite = suite_create("lab_01_onehot");
    add(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add(suite, "claims_hold_at_full_setting", claims_hold_at_full_setting, 0);
    add(suite, "every_figure_is_drawn", every_figure_is_drawn, 0);
    add(suite, "trace_and_ledger_are_the_expected_ones", trace_and_ledger_are_the_expected_ones, 0);
    add(suite, "steps_run_alone", steps_run_alone, 0);
    add(suite, "own_text_and_query", own_text_and_query, 0);
    add(suite, "one_word_is_enough", one_word_is_enough, 0);
    add(suite, "unknown_query_is_said", unknown_query_is_said, 0);
    add(suite, "bad_bytes_on_request", bad_bytes_on_request, 0);
    add(suite, "missing_text", missing_text, 1);
    add(suite, "empty_text", empty_text, 1);
    add(suite, "blank_text", blank_text, 1);
    add(suite, "folder_as_text", folder_as_text, 1);
    add(suite, "bad_bytes", bad_bytes, 1);
    add(suite, "empty_query", empty_query, 2);
    add(suite, "bad_query", bad_query, 2);
    add(suite, "no_such_step", no_such_step, 2);
    add(suite, "ngram_counts_by_hand", ngram_counts_by_hand, 0);
    add(suite, "ngram_probabilities_sum_to_one", ngram_probabilities_sum_to_one, 0);
    add(suite, "ngram_samples_follow_the_counts", ngram_samples_follow_the_counts, 0);
    add(suite, "ngram_counts_equal_brute_force", ngram_counts_equal_brute_force, 0);
    add(suite, "ngram_refuses_a_word_out_of_range", ngram_refuses_a_word_out_of_range, 1);
    return test_run(suite);
}
