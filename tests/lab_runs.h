/* lab_runs.h: what the tests of every lab do: run it quick and quiet in a folder
 * of its own, and look at what it wrote.  Before it, a suite includes the lab
 * with its main renamed, and says which lab it is:
 *
 *     #define STEM "03_vanishing_gradients"
 *     int lab_under_test(int argc, char **argv);
 *     #define main lab_under_test
 *     #include "../labs/03_vanishing_gradients/main.c"
 *     #undef main
 *     #include "lab_runs.h"
 *
 * Suites run from the root of the repository. */
#ifndef LAB_RUNS_H
#define LAB_RUNS_H

#include <getopt.h>
#include <stdarg.h>

#include "real.h"
#include "scratch.h"
#include "test.h"

static char *folder;

static inline void set_up(void)
{
    folder = scratch_folder();
}

static inline void tear_down(void)
{
    scratch_remove(folder);
}

/* Runs the lab with the arguments given, ended by NULL, into the test's folder;
 * returns its exit status. */
static inline int run_with(const char *first, va_list rest)
{
    enum { MOST = 32 };
    char *arguments[MOST] = {STEM, "--quiet", "--out", folder};
    int count = 4;
    for (const char *argument = first; argument && count < MOST - 1; argument = va_arg(rest, const char *))
        arguments[count++] = (char *)argument;
    optind = 0; /* getopt from the start */
    return lab_under_test(count, arguments);
}

/* run("--quick", "--seed", "7", NULL) */
static inline int run(const char *first, ...)
{
    va_list rest;
    va_start(rest, first);
    int status = run_with(first, rest);
    va_end(rest);
    return status;
}

/* A quick run with SEED and up to four more arguments, the last ones NULL. */
static inline int run_lab(const char *seed, const char *a, const char *b, const char *c, const char *d)
{
    return run("--quick", "--seed", seed, a, b, c, d, NULL);
}

/* What the lab wrote under NAME; free() it. */
static inline char *written(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", STEM, name);
    char *text = slurp(in(folder, path));
    ck_assert_msg(*text, "%s is empty or missing", path);
    return text;
}

/* The verdict is the last cell of the line that begins with ID. */
static inline void check_verdict(const char *claims, const char *id, const char *verdict)
{
    char key[128];
    snprintf(key, sizeof key, "\n%s\t", id);
    const char *line = strstr(claims, key);
    ck_assert_msg(line, "no claim %s", id);
    const char *end = strchr(line + 1, '\n');
    size_t length = strlen(verdict);
    ck_assert_msg(end && strncmp(end - length, verdict, length) == 0, "%s is not `%s`: %.*s", id, verdict,
                  (int)(end - line), line + 1);
}

/* The ledger of a quick run with SEED, in which no claim fails; free() it. */
static inline char *ledger_of(const char *seed)
{
    ck_assert_int_eq(run("--quick", "--no-plots", "--check", "--seed", seed, NULL), 0);
    char *claims = written("claims.tsv");
    ck_assert_ptr_null(strstr(claims, "\tfails\n"));
    return claims;
}

/* Trace and ledger are byte for byte those of tests/expected (float builds). */
static inline void check_expected(void)
{
    static const char *const names[] = {"trace.txt", "claims.tsv"};
    for (int i = 0; i < 2 && !REAL_IS_DOUBLE; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", STEM, names[i]);
        char *own = written(names[i]), *expected = slurp(in("tests/expected", path));
        ck_assert_msg(strcmp(expected, own) == 0, "%s is not tests/expected/%s (after a change: make golden)", path,
                      path);
        free(expected);
        free(own);
    }
}

/* Runs with seed 42 once with one thread and without pictures, once with two
 * and with them: trace, ledger and each figure's data are the same bytes, the
 * expected ones, and every picture is there. */
static inline void check_files(const char *const *figures, int n)
{
    char *data[64], name[128];
    ck_assert_int_le(n, 64);
    ck_assert_int_eq(run("--quick", "--no-plots", "--threads", "1", NULL), 0);
    check_expected();
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s.tsv", figures[i]);
        data[i] = written(name);
    }
    ck_assert_int_eq(run("--quick", "--threads", "2", NULL), 0);
    check_expected();
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s.tsv", figures[i]);
        char *again = written(name);
        bool times = strlen(figures[i]) > 5 && strcmp(figures[i] + strlen(figures[i]) - 5, "_time") == 0;
        ck_assert_msg(times || strcmp(data[i], again) == 0, "%s differs from run to run", name);
        snprintf(name, sizeof name, "%s.png", figures[i]);
        char *png = written(name);
        ck_assert_msg(memcmp(png, "\x89PNG\r\n\x1a\n", 8) == 0, "%s is no picture", name);
        free(png);
        free(again);
        free(data[i]);
    }
}

/* Any of COUNT steps runs alone and writes the claims that it writes among the others. */
static inline void check_steps_alone(int count)
{
    char *all = slurp("tests/expected/" STEM "/claims.tsv");
    for (int step = 1; step <= count && !REAL_IS_DOUBLE; step++) {
        char number[16];
        snprintf(number, sizeof number, "%d", step);
        ck_assert_int_eq(run("--quick", "--no-plots", "--step", number, NULL), 0);
        char *claims = written("claims.tsv");
        char *lines = strchr(claims, '\n') + 1; /* behind the heading */
        ck_assert_msg(*lines && strstr(all, lines), "step %d alone: %s", step, lines);
        free(claims);
    }
    free(all);
}

/* Adds a test that has a folder of its own and ends with STATUS, 0 unless bad
 * input is tested.  The folder is made outside of the test, so that an exit
 * leaves none behind. */
static inline void add_run(Suite *suite, const char *name, const TTest *test, int status)
{
    TCase *test_case = tcase_create(name);
    tcase_set_timeout(test_case, 900);
    tcase_add_unchecked_fixture(test_case, set_up, tear_down);
    tcase_add_exit_test(test_case, test, status);
    suite_add_tcase(suite, test_case);
}

#endif
