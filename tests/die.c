/* die.c: each way to end early: one line, the right status. */
#define _GNU_SOURCE
#include "die.h"

#include "dies.h"

START_TEST(three_ways)
{
    ck_assert_str_eq(DIES(1, (die("cannot read '%s': %s", "a%s.txt", "gone"), 0)),
                     "die: cannot read 'a%s.txt': gone\n");
    ck_assert_str_eq(DIES(2, (die_usage("--step %d: there are %d steps", 99, 6), 0)),
                     "die: --step 99: there are 6 steps\n");
    ck_assert_str_eq(DIES(1, (die_misuse((Where){"labs/06_self_attention.c", 123}, "op_add: no"), 0)),
                     "die: 06_self_attention.c:123: op_add: no\n");
}
END_TEST

START_TEST(file_without_folders)
{
    ck_assert_str_eq(where_file((Where){"labs/02_word2vec/main.c", 1}), "main.c");
    ck_assert_str_eq(where_file((Where){"main.c", 1}), "main.c");
    ck_assert_str_eq(where_file(HERE), "die.c");
    ck_assert_int_eq(HERE.line, __LINE__);
}
END_TEST

START_TEST(a_message_is_one_line)
{
    ASSERT_SAYS(DIES(1, (die("the word '%s'", "a\n\033[31mb\177"), 0)), "the word 'a??[31mb?'");
    ASSERT_SAYS(DIES(2, (die_usage("not '%s'", "\r은행\t"), 0)), "not '?은행?'");
    char word[3000];
    memset(word, 'x', sizeof word);
    word[sizeof word - 1] = '\0';
    ASSERT_SAYS(DIES(1, (die_misuse(HERE, "%s", word), 0)), "xxxxxxxxxx");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("die");
    test_add(suite, "three_ways", three_ways);
    test_add(suite, "file_without_folders", file_without_folders);
    test_add(suite, "a_message_is_one_line", a_message_is_one_line);
    return test_run(suite);
}
