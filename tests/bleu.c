/* Tests of bleu.c: NLTK's values, and the cases that are easily got wrong. */
#include "bleu.h"

#include "fixture.h"

enum { CASES = 10 };

/* Adds the sentences of one case: each is its length and its words. */
static Bleu corpus_of(const Fixtures *fixtures, const char *name)
{
    int *ours = fixture_ints(fixtures, name, ".translations"), *theirs = fixture_ints(fixtures, name, ".references");
    size_t size = fixture_get(fixtures, name, ".translations")->size;
    Bleu bleu = {0};
    for (size_t i = 0, j = 0; i < size; i += (size_t)ours[i] + 1, j += (size_t)theirs[j] + 1)
        bleu_add(&bleu, ours + i + 1, ours[i], theirs + j + 1, theirs[j]);
    free(ours);
    free(theirs);
    return bleu;
}

START_TEST(equals_nltk)
{
    Fixtures *fixtures = fixtures_read("bleu.txt");
    for (int i = 0; i < CASES; i++) {
        char name[16];
        snprintf(name, sizeof name, "bleu%d", i);
        Bleu bleu = corpus_of(fixtures, name);
        ck_assert_double_eq_tol(bleu_score(&bleu), fixture_get(fixtures, name, ".score")->value[0], 1e-9);
    }
    fixtures_free(fixtures);
}
END_TEST

/* Papineni 2002, section 2.1: "the the the the the the the" has precision 2/7. */
START_TEST(clipping)
{
    enum { THE = 1, CAT, IS, ON, MAT };
    Bleu bleu = {0};
    bleu_add(&bleu, (int[]){THE, THE, THE, THE, THE, THE, THE}, 7, (int[]){THE, CAT, IS, ON, THE, MAT}, 6);
    ck_assert_double_eq_tol(bleu_precision(&bleu, 1), 2.0 / 7, 1e-15);
    ck_assert_double_eq(bleu_precision(&bleu, 2), 0);
    ck_assert_double_eq(bleu_score(&bleu), 0);
}
END_TEST

START_TEST(perfect_empty_and_short)
{
    static const int words[] = {1, 2, 3, 4, 5, 6, 7, 8};
    Bleu perfect = {0}, empty = {0}, half = {0};
    bleu_add(&perfect, words, 8, words, 8);
    ck_assert_double_eq(bleu_score(&perfect), 100);
    ck_assert_double_eq(bleu_score(&empty), 0);
    bleu_add(&empty, words, 0, words, 8);
    ck_assert_double_eq(bleu_score(&empty), 0);
    ck_assert_double_eq(bleu_brevity(&empty), 0);
    bleu_add(&half, words, 4, words, 8); /* all that is there is right, but half is missing */
    ck_assert_double_eq_tol(bleu_score(&half), 100 * exp(1 - 2.0), 1e-12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("BLEU");
    test_add(suite, "equals_nltk", equals_nltk);
    test_add(suite, "clipping", clipping);
    test_add(suite, "perfect_empty_and_short", perfect_empty_and_short);
    return test_run(suite);
}
