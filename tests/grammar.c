/* Tests of common/grammar.h and common/wordworld.h. */
#include "test.h"

#include "grammar.h"
#include "wordworld.h"

static const char RULES[] = "# a comment\n"
                            "sentence = the <animal> eats the <food> . | 3: <animal> sleeps .\n"
                            "animal ~ = cat dog horse\n"
                            "food ~0 = hay\n"
                            "  meat\n"
                            "nation ~1.5 = korea/seoul japan/tokyo france/paris\n"
                            "capital = <nation.2@n> is the capital of <nation.1@n> .\n"
                            "two = <nation.1@a> <nation.1@b> <nation.2@a> <nation.2@b>\n"
                            "korean = 은행 이/가 | 사과 이/가 | 지하철 으로/로 | 집 으로/로 | phone 은/는\n";

START_TEST(alternatives_by_weight)
{
    Grammar *grammar = grammar_new(RULES, 1);
    Rng rng = rng_new(1, "test");
    int rule = grammar_rule(grammar, "sentence"), sleeps = 0, n = 20000;
    const char *words[GRAMMAR_LONGEST];
    for (int i = 0; i < n; i++) {
        int size = grammar_sentence(grammar, rule, &rng, words, GRAMMAR_LONGEST);
        ck_assert(size == 3 || size == 6);
        sleeps += size == 3;
    }
    ck_assert_double_eq_tol((double)sleeps / n, 0.75, 0.012); /* four standard deviations */
    grammar_free(grammar);
}
END_TEST

START_TEST(categories_follow_zipf)
{
    Grammar *grammar = grammar_new(RULES, 1);
    Rng rng = rng_new(2, "test");
    const char *names[] = {"animal", "food", "nation"};
    const double first[] = {1 / (1 + 1 / 2. + 1 / 3.), .5, 1 / (1 + 0.35355339 + 0.19245009)};
    for (int c = 0; c < 3; c++) {
        int rule = grammar_rule(grammar, names[c]), hits = 0, n = 20000;
        const char *word, *top = grammar_entry(grammar, rule, 0, 1);
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(grammar_sentence(grammar, rule, &rng, &word, 1), 1);
            hits += strcmp(word, top) == 0;
        }
        ck_assert_double_eq_tol((double)hits / n, first[c], 0.015);
    }
    grammar_free(grammar);
}
END_TEST

START_TEST(labels_share_a_draw)
{
    Grammar *grammar = grammar_new(RULES, 1);
    Rng rng = rng_new(3, "test");
    int capital = grammar_rule(grammar, "capital"), two = grammar_rule(grammar, "two"), different = 0;
    const char *words[GRAMMAR_LONGEST];
    for (int i = 0; i < 300; i++) {
        grammar_sentence(grammar, capital, &rng, words, GRAMMAR_LONGEST);
        ck_assert_int_eq(strcmp(words[0], "seoul") == 0, strcmp(words[5], "korea") == 0);
        ck_assert_int_eq(strcmp(words[0], "paris") == 0, strcmp(words[5], "france") == 0);
        grammar_sentence(grammar, two, &rng, words, GRAMMAR_LONGEST);
        ck_assert_int_eq(strcmp(words[0], "japan") == 0, strcmp(words[2], "tokyo") == 0);
        ck_assert_int_eq(strcmp(words[1], "japan") == 0, strcmp(words[3], "tokyo") == 0);
        different += strcmp(words[0], words[1]) != 0;
    }
    ck_assert_int_gt(different, 50);
    grammar_free(grammar);
}
END_TEST

START_TEST(particles_fit_the_syllable)
{
    Grammar *grammar = grammar_new(RULES, 1);
    Rng rng = rng_new(4, "test");
    int rule = grammar_rule(grammar, "korean"), seen = 0;
    const char *pairs[][2] = {{"은행", "이"}, {"사과", "가"}, {"지하철", "로"}, {"집", "으로"}, {"phone", "는"}};
    char text[64], expected[64];
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(grammar_print(grammar, rule, &rng, text, sizeof text), 2);
        int found = -1;
        for (int p = 0; p < 5; p++) {
            snprintf(expected, sizeof expected, "%s %s", pairs[p][0], pairs[p][1]);
            if (strcmp(text, expected) == 0)
                found = p;
        }
        ck_assert_msg(found >= 0, "wrong particle: %s", text);
        seen |= 1 << found;
    }
    ck_assert_int_eq(seen, 31);
    grammar_free(grammar);
}
END_TEST

START_TEST(same_seed_same_text)
{
    WordWorld *world = wordworld_new(1.2, 0.2);
    char *text[3];
    for (int i = 0; i < 3; i++) {
        Rng rng = rng_new(i < 2 ? 5 : 6, "test");
        text[i] = wordworld_text(world, &rng, 2000);
    }
    ck_assert_str_eq(text[0], text[1]);
    ck_assert_str_ne(text[0], text[2]);
    for (int i = 0; i < 3; i++)
        free(text[i]);
    wordworld_free(world);
}
END_TEST

/* A word of two categories would make the truth ambiguous. */
START_TEST(world_has_one_category_a_word)
{
    WordWorld *world = wordworld_new(1.2, 0.2);
    int words = 0;
    const char *word;
    ck_assert_int_eq(wordworld_categories(), 20);
    for (int c = 0; c < wordworld_categories(); c++)
        for (int i = 0; (word = wordworld_category_word(world, c, i)); i++, words++)
            ck_assert_msg(wordworld_category_of(world, word) == c, "%s is in two categories", word);
    ck_assert_int_ge(words, 265);
    ck_assert_int_le(words, 285);
    ck_assert_int_eq(wordworld_category_of(world, "the"), -1);
    wordworld_free(world);
}
END_TEST

/* Each category word is met in the text, in its own category's sentences: the
 * words next to a noun are not nouns of another category unless they are noise. */
START_TEST(world_keeps_categories_apart)
{
    WordWorld *world = wordworld_new(1.2, 0);
    Rng rng = rng_new(7, "test");
    const char *words[GRAMMAR_LONGEST];
    int mixed = 0, sentences = 5000;
    for (int s = 0; s < sentences; s++) {
        int n = wordworld_sentence(world, &rng, words, GRAMMAR_LONGEST), first = -1;
        ck_assert_int_ge(n, 4);
        for (int i = 0; i < n; i++) {
            int category = wordworld_category_of(world, words[i]);
            if (category >= 0 && first >= 0 && category != first)
                mixed++;
            if (category >= 0)
                first = category;
        }
    }
    /* 한국 의 수도 는 서울 이다 is the one rule that means to. */
    ck_assert_int_gt(mixed, 0);
    ck_assert_int_lt(mixed, sentences / 25);
    wordworld_free(world);
}
END_TEST

START_TEST(world_knows_its_pairs)
{
    WordWorld *world = wordworld_new(1.2, 0.2);
    const int least[] = {15, 12, 14};
    for (int f = 0; f < WORDWORLD_FAMILIES; f++) {
        int pairs = 0;
        for (; wordworld_pair(world, f, pairs, 1); pairs++) {
            ck_assert_int_ge(wordworld_category_of(world, wordworld_pair(world, f, pairs, 1)), 0);
            ck_assert_int_ge(wordworld_category_of(world, wordworld_pair(world, f, pairs, 2)), 0);
        }
        ck_assert_int_eq(pairs, least[f]);
    }
    for (int s = 0; s < WORDWORLD_SYNONYMS; s++)
        ck_assert_int_eq(wordworld_category_of(world, wordworld_synonyms[s][0]),
                         wordworld_category_of(world, wordworld_synonyms[s][1]));
    wordworld_free(world);
}
END_TEST

static const char *const WRONG[] = {
    "a = <b>",          "a = b\na = c",
    "a b = c",          "a",
    "a = | b",          "a =",
    "a = <b\nb ~ = c",  "a = <a>",
    "a = <b>\nb = <a>", "a = <b.2>\nb ~ = c",
    "a = <b@x>\nb = c", "a = <b.0>\nb ~ = c",
};
enum { WRONG_COUNT = sizeof WRONG / sizeof WRONG[0] };

START_TEST(misuse)
{
    grammar_new(WRONG[_i], 1);
}
END_TEST

START_TEST(misuse_too_long)
{
    const char *words[3];
    Rng rng = rng_new(1, "test");
    Grammar *grammar = grammar_new("a = one two three four", 1);
    grammar_sentence(grammar, grammar_rule(grammar, "a"), &rng, words, 3);
}
END_TEST

START_TEST(misuse_unknown_rule)
{
    static Grammar *grammar; /* the sanitizer finds it again */
    grammar = grammar_new(RULES, 1);
    grammar_rule(grammar, "nothing");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grammar");
    test_add(suite, "alternatives_by_weight", alternatives_by_weight);
    test_add(suite, "categories_follow_zipf", categories_follow_zipf);
    test_add(suite, "labels_share_a_draw", labels_share_a_draw);
    test_add(suite, "particles_fit_the_syllable", particles_fit_the_syllable);
    test_add(suite, "same_seed_same_text", same_seed_same_text);
    test_add(suite, "world_has_one_category_a_word", world_has_one_category_a_word);
    test_add(suite, "world_keeps_categories_apart", world_keeps_categories_apart);
    test_add(suite, "world_knows_its_pairs", world_knows_its_pairs);
    TCase *exits = tcase_create("misuse");
    tcase_add_loop_exit_test(exits, misuse, 1, 0, WRONG_COUNT);
    tcase_add_exit_test(exits, misuse_too_long, 1);
    tcase_add_exit_test(exits, misuse_unknown_rule, 1);
    suite_add_tcase(suite, exits);
    return test_run(suite);
}
