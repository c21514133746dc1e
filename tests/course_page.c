/* Tests of docs/course_page.sh: one ledger and one page over all labs, in which
 * words are words.  Run from the top folder, as make does. */
#define _GNU_SOURCE
#include <stdbool.h>

#include "scratch.h"
#include "test.h"

static bool have(const char *program)
{
    char command[200];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

/* Runs the script on FOLDER/out; what it says goes to FOLDER/says. */
static int make_page(const char *folder)
{
    char command[20000];
    snprintf(command, sizeof command, "sh docs/course_page.sh '%s/out' >'%s/says' 2>&1", folder, folder);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *const names[] = {"90_first", "91_second"};

static void write_lab(const char *folder, int i, const char *claims, const char *trace)
{
    char path[200], text[20000];
    snprintf(path, sizeof path, "out/%s", names[i]);
    mkdir(in(folder, path), 0755);
    snprintf(path, sizeof path, "out/%s/claims.tsv", names[i]);
    snprintf(text, sizeof text, "id\tstatement\tsource\texpected\tmeasured\tverdict\n%s", claims);
    spit(in(folder, path), text);
    snprintf(path, sizeof path, "out/%s/trace.txt", names[i]);
    spit(in(folder, path), trace);
}

static char *two_labs(void)
{
    char *folder = scratch_folder();
    mkdir(in(folder, "out"), 0755);
    write_lab(folder, 0,
              "a\tone holds\tlecture\t>= 1\t2\tholds\n"
              "b\t<script>x</script> | `touch pwned` & *b* _c_ $x$ [l](u) 은행 \\n \"q\" 'q' ~~s~~ ^2^ #1\tL | 2\t= 0 "
              "exactly\t0\tcorrects\n",
              "\nLab 90. First | of <two>\n=====\n\nseed 42, full setting\n\n  ``` ~~~ </details> <b> | 은행\n\tx\n");
    write_lab(folder, 1, "c\tone fails\tpaper\t0.5 ... 1\t0.25\tfails\nd\tlater\tpaper\t>= 1\tneeds time\tskipped\n",
              "\nLab 91. Second\n\nseed 1, quick setting\n");
    spit(in(folder, "out/90_first/curve.tsv"), "x\n1\n");
    spit(in(folder, "out/90_first/curve.gp"), "x");
    spit(in(folder, "out/90_first/curve.png"), "x");
    spit(in(folder, "out/90_first/timing.tsv"), "name\tvalue\tunit\nstep 1 | x\t0.5\ts\n");
    return folder;
}

static void expect_in(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no %s in:\n%.2000s", part, text);
}

START_TEST(the_ledger_on_the_terminal)
{
    char *folder = two_labs();
    ck_assert_int_eq(make_page(folder), 0);
    char *says = slurp(in(folder, "says"));
    expect_in(says, "  90_first                       1         1       0        0\n");
    expect_in(says, "  91_second                      0         0       1        1\n");
    expect_in(says, "  all                            1         1       1        1\n");
    expect_in(says, "  fails   91_second, c: measured 0.25, expected 0.5 ... 1\n          one fails\n");
    free(says);
    scratch_remove(folder);
}
END_TEST

START_TEST(words_stay_words)
{
    char *folder = two_labs();
    ck_assert_int_eq(make_page(folder), 0);
    char *page = slurp(in(folder, "out/index.html"));
    if (have("pandoc")) {
        const char *statement = "<td>&lt;script&gt;x&lt;/script&gt; | `touch pwned` &amp; *b* _c_ $x$ [l](u) 은행 \\n "
                                "\"q\" 'q' ~~s~~ ^2^ #1</td>";
        expect_in(page, statement);
        expect_in(strstr(page, statement) + 1, statement); /* in both ledgers */
        ck_assert(!strstr(page, "<script"));
        expect_in(page, "<span class=\"corrects\">corrects</span>");
        expect_in(page, "First | of &lt;two&gt;</h1>");
        expect_in(page, "  ``` ~~~ &lt;/details&gt; &lt;b&gt; | 은행\n        x</code>");
        expect_in(page, "<img src=\"90_first/curve.png\"");
        expect_in(page, "href=\"90_first/curve.gp\"");
        expect_in(page, "<td style=\"text-align: left;\">all</td>\n<td style=\"text-align: right;\">1</td>\n"
                        "<td style=\"text-align: right;\">1</td>\n<td style=\"text-align: right;\">1</td>\n"
                        "<td style=\"text-align: right;\">1</td>");
        expect_in(page, "<td>step 1 | x</td>");
        expect_in(page, "<style>");
        ck_assert(!strstr(page, "src=\"http") && !strstr(page, "href=\"http")); /* opens without a network */
    }
    ck_assert(!exists("pwned"));
    ck_assert(!exists(in(folder, "out/index.html.part")));
    free(page);
    scratch_remove(folder);
}
END_TEST

START_TEST(labs_that_have_not_run)
{
    char *folder = scratch_folder();
    mkdir(in(folder, "out"), 0755);
    mkdir(in(folder, "out/92_never"), 0755);
    ck_assert_int_eq(make_page(folder), 0);
    char *page = slurp(in(folder, "out/index.html")), *says = slurp(in(folder, "says"));
    if (have("pandoc"))
        expect_in(page, "This lab has not run yet: <code>make 92</code>");
    expect_in(says, "  all                            0         0       0        0\n");
    free(page);
    free(says);
    scratch_remove(folder);
}
END_TEST

START_TEST(no_folder)
{
    char *folder = scratch_folder();
    ck_assert_int_eq(make_page(folder), 1);
    char *says = slurp(in(folder, "says"));
    expect_in(says, "run a lab first");
    free(says);
    scratch_remove(folder);
}
END_TEST

START_TEST(no_pandoc)
{
    char *folder = two_labs(), command[9000];
    static const char *const needed[] = {"sh", "dirname", "basename", "grep",   "sort", "awk",
                                         "ls", "sed",     "cat",      "mktemp", "rm",   "mv"};
    mkdir(in(folder, "bin"), 0755);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        snprintf(command, sizeof command, "ln -s \"$(command -v %s)\" '%s/bin/%s'", needed[i], folder, needed[i]);
        ck_assert_int_eq(system(command), 0);
    }
    setenv("PATH", in(folder, "bin"), 1);
    ck_assert_int_eq(make_page(folder), 0);
    char *says = slurp(in(folder, "says"));
    expect_in(says, "pandoc is not installed");
    expect_in(says, "  91_second ");
    free(says);
    scratch_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("course_page");
    test_add(suite, "the_ledger_on_the_terminal", the_ledger_on_the_terminal);
    test_add(suite, "words_stay_words", words_stay_words);
    test_add(suite, "labs_that_have_not_run", labs_that_have_not_run);
    test_add(suite, "no_folder", no_folder);
    test_add(suite, "no_pandoc", no_pandoc);
    return test_run(suite);
}
