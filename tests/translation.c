/* Tests of translation.c: the grammar's French, the gold alignment, what is held
 * out of training, the batches. */
#include "translation.h"

#include "dies.h"
#include "test.h"

static Translation *small_corpus(uint64_t seed)
{
    return translation_new((TranslationSettings){.pairs = 800, .longest = 25}, seed);
}

/* English as the grammar reads it, with its French and its alignment. */
static const struct {
    const char *english, *french;
} known[] = {
    {"the black cat drank milk", "le chat noir a bu du lait"},
    {"The black cats drank the water", "les chats noirs ont bu l'eau"},
    {"a small black cow drank some beer", "une petite vache noire a bu de la bière"},
    {"some tired white horses ate some small cakes", "des chevaux blancs fatigués ont mangé de petits gâteaux"},
    {"the tired man drank hot coffee", "l'homme fatigué a bu du café chaud"},
    {"the happy girl drank water", "la fille heureuse a bu de l'eau"},
    {"an expensive car followed the bird", NULL}, /* follows no grammar: a car is no subject, but it parses */
    {"the young child that saw a bird loved expensive soup and the men sold the trees",
     "le jeune enfant qui a vu un oiseau a aimé de la soupe chère et les hommes ont vendu les arbres"},
};

START_TEST(known_sentences)
{
    Translation *translation = small_corpus(1);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int words[TRANSLATION_ENGLISH];
        char *unknown, text[TRANSLATION_TEXT];
        int n =
            translation_read(translation->english, known[i].english, "the test", words, TRANSLATION_ENGLISH, &unknown);
        Pair pair;
        ck_assert_ptr_null(unknown);
        ck_assert_msg(translation_parse(translation, words, n, &pair), "%s", known[i].english);
        if (known[i].french)
            ck_assert_str_eq(pair_french(translation, &pair, text), known[i].french);
    }
    translation_free(translation);
}
END_TEST

START_TEST(what_the_grammar_does_not_say)
{
    static const char *const wrong[] = {"cat drank milk",
                                        "the cat drank a milk",
                                        "a cats drank milk",
                                        "the black small cat drank milk",
                                        "an cat drank milk",
                                        "the cat drank milk and",
                                        "the cat milk drank",
                                        "the cat drank milk that saw the dog",
                                        "the the",
                                        "milk"};
    Translation *translation = small_corpus(1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int words[TRANSLATION_ENGLISH];
        int n = translation_read(translation->english, wrong[i], "the test", words, TRANSLATION_ENGLISH, NULL);
        Pair pair;
        ck_assert_msg(!translation_parse(translation, words, n, &pair), "%s", wrong[i]);
    }
    translation_free(translation);
}
END_TEST

START_TEST(gold_alignment)
{
    Translation *translation = small_corpus(1);
    int words[TRANSLATION_ENGLISH];
    int n = translation_read(translation->english, "the small black cat drank milk", "the test", words, 48, NULL);
    Pair pair;
    ck_assert(translation_parse(translation, words, n, &pair));
    /* le petit chat noir a bu du lait */
    static const int aligned[] = {0, 1, 3, 2, 4, 4, 5, 5}, governed[] = {3, 3, -1, 3, 3, -1, 5, -1};
    static const FrenchKind kind[] = {FRENCH_ARTICLE,   FRENCH_CONTENT, FRENCH_CONTENT, FRENCH_CONTENT,
                                      FRENCH_AUXILIARY, FRENCH_CONTENT, FRENCH_ARTICLE, FRENCH_CONTENT};
    ck_assert_int_eq(pair.target_length, 8);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(pair.aligned[i], aligned[i]);
        ck_assert_int_eq(pair.governed[i], governed[i]);
        ck_assert_int_eq(pair.kind[i], kind[i]);
    }
    translation_free(translation);
}
END_TEST

START_TEST(unknown_words)
{
    Translation *translation = small_corpus(1);
    int words[3];
    char *unknown;
    ck_assert_int_eq(translation_read(translation->english, "the Zebra drank <EOS> milk", "x", words, 3, &unknown), 7);
    ck_assert_str_eq(unknown, "zebra");
    ck_assert_int_eq(words[1], TRANSLATION_UNK);
    free(unknown);
    ck_assert_int_eq(translation_read(translation->english, " \t", "x", words, 3, &unknown), 0);
    ck_assert_ptr_null(unknown);
    ASSERT_SAYS(DIES(2, translation_read(translation->english, "caf\xe9", "--translate", words, 3, NULL)),
                "--translate");
    translation_free(translation);
}
END_TEST

/* What a student typed, translatable or one line. */
START_TEST(typed_words)
{
    Translation *translation = small_corpus(1);
    int words[TRANSLATION_ENGLISH];
    char many[400] = "cat";
    for (int i = 0; i < TRANSLATION_ENGLISH; i++)
        strcat(many, " cat");
    ck_assert_int_eq(translation_words(translation, "The cat", "--translate", words), 2);
    ck_assert_str_eq(translation->english->word[words[1]], "cat");
    ASSERT_SAYS(DIES(2, translation_words(translation, "the zebra", "--translate", words)),
                "--translate: \"zebra\" is not among the words");
    ASSERT_SAYS(DIES(2, translation_words(translation, "", "--translate", words)), "no word in it");
    ASSERT_SAYS(DIES(2, translation_words(translation, many, "--translate", words)), "49 words are too many");
    translation_free(translation);
}
END_TEST

/* Every training sentence parses back to itself and has no held-out combination;
 * tests all have one, and none is in training. */
START_TEST(combinations_are_held_out)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        Translation *translation = small_corpus(seed);
        Vocab *training = vocab_new();
        char text[TRANSLATION_TEXT];
        for (int i = 0; i < 800; i++) {
            const Pair *pair = &translation->training[i];
            Pair again;
            int words[TRANSLATION_ENGLISH];
            ck_assert_int_eq(pair->new_combinations, 0);
            ck_assert_int_le(pair->source_length, 25);
            for (int w = 0; w < pair->source_length; w++)
                words[w] = pair->source[w];
            ck_assert(translation_parse(translation, words, pair->source_length, &again));
            ck_assert_mem_eq(pair, &again, sizeof again);
            pair_english(translation, pair, text);
            ck_assert_ptr_null(strstr(text, "black cat"));
            ck_assert_int_eq(vocab_add(training, text, strlen(text)), i); /* all different */
        }
        static const int lengths[][2] = {{4, 8}, {9, 12}, {21, 25}, {26, 30}, {40, 48}};
        Rng rng = rng_new(seed, "tests");
        for (int l = 0; l < 5; l++) {
            Pair *tests = translation_tests(translation, lengths[l][0], lengths[l][1], 100, &rng);
            Vocab *different = vocab_new();
            for (int i = 0; i < 100; i++) {
                ck_assert_int_ge(tests[i].new_combinations, 1);
                ck_assert_int_ge(tests[i].source_length, lengths[l][0]);
                ck_assert_int_le(tests[i].source_length, lengths[l][1]);
                pair_english(translation, &tests[i], text);
                ck_assert_int_eq(vocab_find(training, text), VOCAB_NONE);
                ck_assert_int_eq(vocab_add(different, text, strlen(text)), i);
            }
            vocab_free(different);
            free(tests);
        }
        vocab_free(training);
        translation_free(translation);
    }
}
END_TEST

/* A corpus of short sentences holds out the same combinations as one of all. */
START_TEST(same_seed_same_combinations)
{
    Translation *all = small_corpus(7), *brief = translation_new((TranslationSettings){200, 10}, 7);
    for (int i = 0; i < 200; i++) {
        int words[TRANSLATION_ENGLISH];
        Pair pair;
        for (int w = 0; w < brief->training[i].source_length; w++)
            words[w] = brief->training[i].source[w];
        ck_assert(translation_parse(all, words, brief->training[i].source_length, &pair));
        ck_assert_int_eq(pair.new_combinations, 0);
        ck_assert_int_le(pair.source_length, 10);
    }
    translation_free(all);
    translation_free(brief);
}
END_TEST

/* Every word of both vocabularies is met in a corpus of the labs' size. */
START_TEST(all_words_are_trained)
{
    Translation *translation = translation_new((TranslationSettings){4000, 16}, 11);
    int met[2][400] = {{0}};
    for (int i = 0; i < 4000; i++) {
        for (int w = 0; w < translation->training[i].source_length; w++)
            met[0][translation->training[i].source[w]]++;
        for (int w = 0; w < translation->training[i].target_length; w++)
            met[1][translation->training[i].target[w]]++;
    }
    for (int w = TRANSLATION_SPECIAL; w < translation->english->size; w++)
        ck_assert_msg(met[0][w] >= 5, "%s %d", translation->english->word[w], met[0][w]);
    for (int w = TRANSLATION_SPECIAL; w < translation->french->size; w++)
        ck_assert_msg(met[1][w] >= 2, "%s %d", translation->french->word[w], met[1][w]);
    translation_free(translation);
}
END_TEST

START_TEST(order_is_a_permutation_by_length)
{
    enum { N = 830, BATCH = 16 };
    Translation *translation = translation_new((TranslationSettings){N, 25}, 3);
    int order[N], met[N] = {0}, apart = 0;
    Rng rng = rng_new(1, "order");
    translation_order(translation->training, N, BATCH, &rng, order);
    for (int i = 0; i < N; i++)
        met[order[i]]++;
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(met[i], 1);
    for (int from = 0; from + BATCH <= N; from += BATCH) {
        int low = 99, high = 0;
        for (int i = from; i < from + BATCH; i++) {
            int length = translation->training[order[i]].source_length;
            low = length < low ? length : low;
            high = length > high ? length : high;
        }
        apart += high - low;
    }
    ck_assert_msg(apart <= 3 * (N / BATCH), "%d", apart);
    translation_free(translation);
}
END_TEST

START_TEST(batches_in_both_layouts)
{
    Translation *translation = small_corpus(4);
    static const int order[] = {5, 17, 200};
    for (BatchLayout layout = TIME_FIRST; layout <= BATCH_FIRST; layout++) {
        TranslationBatch batch = translation_batch(translation->training, order, 3, layout);
        for (int row = 0; row < 3; row++) {
            const Pair *pair = &translation->training[order[row]];
            int s = batch.source_steps, t = batch.target_steps, n = pair->target_length;
            ck_assert_int_eq(batch.source_lengths[row], pair->source_length);
            ck_assert_int_eq(batch.target_lengths[row], n + 1);
            for (int i = 0; i < s; i++)
                ck_assert_int_eq(batch.source[layout == TIME_FIRST ? i * 3 + row : row * s + i],
                                 i < pair->source_length ? pair->source[i] : TRANSLATION_PAD);
            for (int i = 0; i < t; i++) {
                int at = layout == TIME_FIRST ? i * 3 + row : row * t + i;
                ck_assert_int_eq(batch.target_out[at], i < n ? pair->target[i] : i == n ? TRANSLATION_EOS : -1);
                ck_assert_int_eq(batch.target_in[at], i == 0   ? TRANSLATION_SOS
                                                      : i <= n ? pair->target[i - 1]
                                                               : TRANSLATION_PAD);
            }
        }
        translation_batch_free(&batch);
    }
    translation_free(translation);
}
END_TEST

START_TEST(scores)
{
    Translation *translation = small_corpus(5);
    TranslationScore score = {0};
    for (int i = 0; i < 10; i++) {
        const Pair *pair = &translation->training[i];
        int words[TRANSLATION_FRENCH];
        for (int w = 0; w < pair->target_length; w++)
            words[w] = i == 1 && w == pair->target_length - 1 ? TRANSLATION_UNK : pair->target[w];
        translation_score(&score, pair, words, pair->target_length - (i == 0));
    }
    ck_assert_double_eq(translation_exact(&score), 0.8); /* one is cut short, one ends with another word */
    ck_assert(bleu_score(&score.bleu) < 100 && bleu_score(&score.bleu) > 95);
    translation_free(translation);
}
END_TEST

START_TEST(refuses_a_corpus_that_is_too_large)
{
    translation_new((TranslationSettings){50000, 4}, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("translation");
    test_add(suite, "known_sentences", known_sentences);
    test_add(suite, "what_the_grammar_does_not_say", what_the_grammar_does_not_say);
    test_add(suite, "gold_alignment", gold_alignment);
    test_add(suite, "unknown_words", unknown_words);
    test_add(suite, "typed_words", typed_words);
    test_add(suite, "combinations_are_held_out", combinations_are_held_out);
    test_add(suite, "same_seed_same_combinations", same_seed_same_combinations);
    test_add(suite, "all_words_are_trained", all_words_are_trained);
    test_add(suite, "order_is_a_permutation_by_length", order_is_a_permutation_by_length);
    test_add(suite, "batches_in_both_layouts", batches_in_both_layouts);
    test_add(suite, "scores", scores);
    test_add_exit(suite, "refuses_a_corpus_that_is_too_large", refuses_a_corpus_that_is_too_large, 1);
    return test_run(suite);
}
