/* test.h: what every suite of tests needs: one main, fork mode, exit tests.
 *
 *     START_TEST(adds) { ck_assert_int_eq(1 + 1, 2); } END_TEST
 *
 *     int main(void)
 *     {
 *         Suite *suite = suite_create("sums");
 *         test_add(suite, "adds", adds);
 *         return test_run(suite);
 *     }
 *
 * CK_RUN_CASE=NAME runs one test. */
#ifndef TEST_H
#define TEST_H

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each test is a test case of its own name, so that CK_RUN_CASE selects it. */
static inline void test_add(Suite *suite, const char *name, const TTest *test)
{
    TCase *test_case = tcase_create(name);
    tcase_set_timeout(test_case, 300);
    tcase_add_test(test_case, test);
    suite_add_tcase(suite, test_case);
}

/* A test whose body must end the program with STATUS: 1 or 2. */
static inline void test_add_exit(Suite *suite, const char *name, const TTest *test, int status)
{
    TCase *test_case = tcase_create(name);
    tcase_set_timeout(test_case, 300);
    tcase_add_exit_test(test_case, test, status);
    suite_add_tcase(suite, test_case);
}

static inline int test_run(Suite *suite)
{
    /* In the background, or under nohup, some signals arrive ignored, and stay so
     * in every child: here each test finds what a terminal would give it. */
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
