/* Tests of common/vocab. */
#include "vocab.h"

#include "test.h"

static void add_all(Vocab *vocab, const char *words)
{
    char *copy = strdup(words);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        vocab_add(vocab, word, strlen(word));
    free(copy);
}

START_TEST(first_seen_first_numbered)
{
    Vocab *vocab = vocab_new();
    add_all(vocab, "hotel conference walk hotel 은행 walk hotel");
    ck_assert_int_eq(vocab->size, 4);
    ck_assert_uint_eq(vocab->total, 7);
    ck_assert_str_eq(vocab->word[0], "hotel");
    ck_assert_str_eq(vocab->word[3], "은행");
    ck_assert_uint_eq(vocab->count[0], 3);
    ck_assert_int_eq(vocab_find(vocab, "walk"), 2);
    ck_assert_int_eq(vocab_find(vocab, "wal"), VOCAB_NONE);
    ck_assert_int_eq(vocab_find(vocab, "walks"), VOCAB_NONE);
    ck_assert_int_eq(vocab_find(vocab, ""), VOCAB_NONE);
    ck_assert_int_eq(vocab_find_bytes(vocab, "walking", 4), 2);
    vocab_free(vocab);
    vocab_free(NULL);
}
END_TEST

START_TEST(nothing_is_found_in_an_empty_one)
{
    Vocab *vocab = vocab_new();
    ck_assert_int_eq(vocab_find(vocab, "a"), VOCAB_NONE);
    vocab_sort_by_count(vocab, 1, 0);
    vocab_sort_by_word(vocab);
    ck_assert_int_eq(vocab->size, 0);
    vocab_free(vocab);
}
END_TEST

START_TEST(sort_by_word_is_code_point_order)
{
    Vocab *vocab = vocab_new();
    add_all(vocab, "hotel conference 은행 walk é zoo hotel");
    vocab_sort_by_word(vocab);
    const char *sorted[] = {"conference", "hotel", "walk", "zoo", "é", "은행"};
    for (int i = 0; i < 6; i++) {
        ck_assert_str_eq(vocab->word[i], sorted[i]);
        ck_assert_int_eq(vocab_find(vocab, sorted[i]), i);
    }
    ck_assert_uint_eq(vocab->count[1], 2);
    ck_assert_int_eq(vocab_add(vocab, "new", 3), 6); /* it goes on growing */
    vocab_free(vocab);
}
END_TEST

START_TEST(sort_by_count_drops_the_rare)
{
    Vocab *vocab = vocab_new();
    add_all(vocab, "b a c a b d a b e e");
    vocab_sort_by_count(vocab, 2, 0); /* a 3, b 3, e 2: the tie by bytes */
    ck_assert_int_eq(vocab->size, 3);
    ck_assert_uint_eq(vocab->total, 8);
    ck_assert_str_eq(vocab->word[0], "a");
    ck_assert_str_eq(vocab->word[1], "b");
    ck_assert_str_eq(vocab->word[2], "e");
    ck_assert_int_eq(vocab_find(vocab, "c"), VOCAB_NONE);
    vocab_sort_by_count(vocab, 0, 2);
    ck_assert_int_eq(vocab->size, 2);
    ck_assert_int_eq(vocab_find(vocab, "e"), VOCAB_NONE);
    ck_assert_int_eq(vocab_find(vocab, "b"), 1);
    ck_assert_int_eq(vocab_add(vocab, "c", 1), 2);
    vocab_free(vocab);
}
END_TEST

/* The rest keeps its order, is found, and can be added to. */
START_TEST(forgetting_keeps_the_order)
{
    enum { WORDS = 30000 };
    Vocab *vocab = vocab_new();
    char word[16];
    uint64_t kept = 0;
    for (int i = 0; i < WORDS; i++)
        for (int n = 0; n <= i % 4; n++)
            vocab_add(vocab, word, (size_t)sprintf(word, "w%d", i));
    vocab_forget(vocab, 3);
    ck_assert_int_eq(vocab->size, WORDS / 2);
    for (int i = 0, id = 0; i < WORDS; i++) {
        sprintf(word, "w%d", i);
        ck_assert_int_eq(vocab_find(vocab, word), i % 4 >= 2 ? id : VOCAB_NONE);
        if (i % 4 < 2)
            continue;
        ck_assert_str_eq(vocab->word[id], word);
        ck_assert_uint_eq(vocab->count[id++], (uint64_t)(i % 4 + 1));
        kept += (uint64_t)(i % 4 + 1);
    }
    ck_assert_uint_eq(vocab->total, kept);
    ck_assert_int_eq(vocab_add(vocab, "w0", 2), WORDS / 2);
    vocab_forget(vocab, UINT64_MAX);
    ck_assert_int_eq(vocab->size, 0);
    ck_assert_uint_eq(vocab->total, 0);
    vocab_free(vocab);
}
END_TEST

START_TEST(a_million_words)
{
    enum { MANY = 1200000 };
    Vocab *vocab = vocab_new();
    char word[32];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            int n = snprintf(word, sizeof word, "w%d", i);
            if (vocab_add(vocab, word, (size_t)n) != i)
                ck_abort_msg("%s in round %d", word, round);
        }
    ck_assert_int_eq(vocab->size, MANY);
    ck_assert_uint_eq(vocab->total, 2 * MANY);
    vocab_add(vocab, "w7", 2);
    vocab_sort_by_count(vocab, 1, 0);
    ck_assert_int_eq(vocab_find(vocab, "w7"), 0);
    ck_assert_str_eq(vocab->word[1], "w0");
    ck_assert_str_eq(vocab->word[2], "w1");
    ck_assert_str_eq(vocab->word[3], "w10");
    for (int i = 0; i < MANY; i++)
        if (vocab_find(vocab, vocab->word[i]) != i)
            ck_abort_msg("%s is lost", vocab->word[i]);
    vocab_free(vocab);
}
END_TEST

START_TEST(words_of_every_length)
{
    Vocab *vocab = vocab_new();
    char *word = malloc(100001);
    memset(word, 'x', 100000);
    for (size_t n = 0; n < 300; n++)
        ck_assert_int_eq(vocab_add(vocab, word, n), (int)n);
    ck_assert_int_eq(vocab_add(vocab, word, 100000), 300); /* larger than a block */
    ck_assert_int_eq(vocab_add(vocab, "y", 1), 301);
    word[100000] = '\0';
    ck_assert_str_eq(vocab->word[300], word);
    for (size_t n = 0; n < 300; n++)
        ck_assert_int_eq(vocab_find_bytes(vocab, word, n), (int)n);
    free(word);
    vocab_free(vocab);
}
END_TEST

START_TEST(a_zero_byte_is_refused)
{
    vocab_add(vocab_new(), "a\0b", 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vocab");
    test_add(suite, "first_seen_first_numbered", first_seen_first_numbered);
    test_add(suite, "nothing_is_found_in_an_empty_one", nothing_is_found_in_an_empty_one);
    test_add(suite, "sort_by_word_is_code_point_order", sort_by_word_is_code_point_order);
    test_add(suite, "sort_by_count_drops_the_rare", sort_by_count_drops_the_rare);
    test_add(suite, "forgetting_keeps_the_order", forgetting_keeps_the_order);
    test_add(suite, "a_million_words", a_million_words);
    test_add(suite, "words_of_every_length", words_of_every_length);
    test_add_exit(suite, "a_zero_byte_is_refused", a_zero_byte_is_refused, 1);
    return test_run(suite);
}
