/* Tests of lab 01: its claims over seeds that were not looked at while it was
 * written, its files, its reference trace, the student's own text, and bad input. */
#define _GNU_SOURCE
#define STEM "01_onehot"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/01_onehot/main.c"
#undef main

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
    return test_run(suite);
}
