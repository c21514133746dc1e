/* Tests of common/trace: what a student reads, and what trace.txt holds. */
#define _GNU_SOURCE
#include "trace.h"

#include <fcntl.h>
#include <math.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>

#include "dies.h"
#include "scratch.h"
#include "test.h"

/* What trace.txt holds after BODY. */
static char *written(void (*body)(Trace *))
{
    char *folder = scratch_folder();
    Trace *t = trace_open(folder, true);
    body(t);
    trace_close(t);
    char *text = slurp(in(folder, "trace.txt"));
    scratch_remove(folder);
    return text;
}

static void expect(void (*body)(Trace *), const char *text)
{
    char *found = written(body);
    ck_assert_str_eq(found, text);
    free(found);
}

static void some_text(Trace *t)
{
    trace_heading(t, "Step 1. 은행 and bank");
    trace(t, "%d pairs\n", 7);
    trace_equation(t, (Where){"labs/02_word2vec.c", 123}, "h = x W");
}

START_TEST(text_and_equations)
{
    expect(some_text, "\nStep 1. 은행 and bank\n=====================\n\n7 pairs\n"
                      "    h = x W                                                             02_word2vec.c:123\n");
}
END_TEST

static void small_matrix(Trace *t)
{
    const real x[] = {1, -0.25f, 3, 0.0001f, 10, -0.0001f};
    const char *rows[] = {"은행", "bank"}, *columns[] = {"a", "갤럭시", "c"};
    trace_matrix(t, (Where){"x.c", 1}, "X", x, 2, 3, rows, columns, 2);
}

START_TEST(a_matrix_with_labels)
{
    expect(small_matrix, "    X [2 x 3]                                                           x.c:1\n"
                         "               a  갤럭시     c\n"
                         "      은행  1.00   -0.25  3.00\n"
                         "      bank  0.00   10.00  0.00\n");
}
END_TEST

static void not_numbers(Trace *t)
{
    const real x[] = {NAN, -INFINITY, INFINITY};
    trace_vector(t, (Where){"x.c", 1}, "x", x, 3, NULL, 1);
}

START_TEST(numbers_that_are_none)
{
    expect(not_numbers, "    x [3]                                                               x.c:1\n"
                        "        nan  -inf  inf\n");
}
END_TEST

static void large_matrix(Trace *t)
{
    enum { N = 100 };
    static real x[N * N];
    for (int i = 0; i < N * N; i++)
        x[i] = (real)i;
    trace_matrix(t, (Where){"x.c", 1}, "X", x, N, N, NULL, NULL, 0);
}

START_TEST(a_large_matrix_is_cut_and_says_so)
{
    char *text = written(large_matrix);
    ck_assert(strstr(text, "           0     1     2     3     4     5  ...    94    95    96    97    98    99\n"));
    ck_assert(strstr(text, "\n        9900  9901  9902  9903  9904  9905  ...  9994  9995  9996  9997  9998  9999\n"));
    ck_assert(strstr(text, "(rows 7 to 94 of 100 are not shown)"));
    ck_assert(strstr(text, "(columns 7 to 94 of 100 are not shown)"));
    free(text);
}
END_TEST

static void one_table(Trace *t)
{
    trace_table(t, "word\tcosine\tcount\tnote");
    trace_row(t, "%s\t%.3f\t%d\t%s", "핸드폰", 0.5, 12, "near");
    trace_row(t, "%s\t%.3f\t%d", "phone", -0.25, 3456);
    trace_row(t, "%s\t%s\t%s\t%s", "-", "-", "", "far away");
    trace_table_end(t);
}

START_TEST(a_table_is_aligned)
{
    expect(one_table, "    word    cosine  count  note\n"
                      "    핸드폰   0.500     12  near\n"
                      "    phone   -0.250   3456\n"
                      "    -            -         far away\n");
}
END_TEST

static void control_bytes(Trace *t)
{
    trace(t, "a\033[31mb%s\n", "\007\x7f\001");
    const char *words[] = {"x\ty\n"};
    trace_vector(t, (Where){"x.c", 1}, "\033]0;title\007", (const real[]){1}, 1, words, 0);
    trace_table(t, "\033a\tb");
    trace_row(t, "\002\nx\t1\n");
    trace_table_end(t);
    trace(t, "\xc2\x9b"
             "31m\n");
}

START_TEST(control_bytes_are_made_visible)
{
    char *text = written(control_bytes);
    for (const char *c = text; *c; c++)
        ck_assert((unsigned char)*c >= 0x20 || *c == '\n');
    ck_assert(strstr(text, "a␛[31mb␇␡␁\n"));
    ck_assert(strstr(text, "x␉y␊"));
    ck_assert(strstr(text, "␂␊x"));
    ck_assert(strstr(text, "\n\xef\xbf\xbd"
                           "31m\n"));
    free(text);
}
END_TEST

static void wrapped(Trace *t)
{
    trace_wrapped(t, 2, 12, "aaa bbb ccc 은행 은행 dddddddddddddddddd e");
}

START_TEST(wrapped_text)
{
    expect(wrapped, "  aaa bbb\n  ccc 은행\n  은행\n  dddddddddddddddddd\n  e\n");
}
END_TEST

START_TEST(times_are_not_in_the_trace)
{
    char *folder = scratch_folder();
    Trace *t = trace_open(folder, true);
    trace(t, "x\n");
    trace_timing(t, "skip-gram", 123456.7, "words/s");
    trace_timing(t, "step 1", 0.25, "s");
    trace_close(t);
    char *text = slurp(in(folder, "trace.txt")), *timing = slurp(in(folder, "timing.tsv"));
    ck_assert_str_eq(text, "x\n");
    ck_assert_str_eq(timing, "name\tvalue\tunit\nskip-gram\t123457\twords/s\nstep 1\t0.25\ts\n");
    free(text);
    free(timing);
    scratch_remove(folder);
}
END_TEST

/* What a terminal (or a pipe) gets when BODY traces to it. */
static char *shown_on(bool terminal, const char *no_colour)
{
    static char seen[65536];
    size_t size = 0;
    int master = -1, slave = -1, ends[2];
    if (terminal) {
        ck_assert_int_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
    } else {
        ck_assert_int_eq(pipe(ends), 0);
        master = ends[0], slave = ends[1];
    }
    pid_t child = fork();
    if (child == 0) {
        dup2(slave, STDOUT_FILENO);
        close(master);
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        if (no_colour)
            setenv("NO_COLOR", no_colour, 1);
        char *folder = scratch_folder();
        Trace *t = trace_open(folder, false);
        some_text(t);
        trace_mark(t, TRACE_GOOD, "holds", 8, "x\n");
        trace_aside(t, "not in the file\n");
        trace_close(t);
        char *text = slurp(in(folder, "trace.txt"));
        bool clean = !strchr(text, '\033') && !strstr(text, "not in the file");
        scratch_remove(folder);
        _exit(clean ? 0 : 1);
    }
    close(slave);
    for (ssize_t got; (got = read(master, seen + size, sizeof seen - 1 - size)) > 0;)
        size += (size_t)got;
    seen[size] = '\0';
    close(master);
    int status;
    waitpid(child, &status, 0);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return seen;
}

START_TEST(colour_only_on_a_terminal)
{
    ck_assert(strstr(shown_on(true, NULL), "\033[32mholds\033[0m   x"));
    ck_assert(strstr(shown_on(true, NULL), "not in the file"));
    ck_assert(!strchr(shown_on(true, "1"), '\033'));
    ck_assert(strchr(shown_on(true, ""), '\033')); /* no-color.org: set and not empty */
    ck_assert(!strchr(shown_on(false, NULL), '\033'));
    ck_assert(strstr(shown_on(false, NULL), "7 pairs"));
}
END_TEST

static void write_to_full(const char *folder)
{
    if (!freopen("/dev/full", "w", stdout))
        _exit(99);
    Trace *t = trace_open(folder, false);
    trace(t, "x\n");
    trace_close(t);
}

START_TEST(a_full_standard_output_is_said)
{
    char *folder = scratch_folder();
    ASSERT_SAYS(DIES(1, (write_to_full(folder), 0)), "cannot write to standard output: No space left on device");
    scratch_remove(folder);
}
END_TEST

START_TEST(a_row_with_too_many_cells)
{
    char *folder = scratch_folder();
    Trace *t = trace_open(folder, true);
    trace_table(t, "a\tb");
    unlink(in(folder, "trace.txt.part"));
    scratch_remove(folder);
    trace_row(t, "1\t2\t3");
}
END_TEST

static void open_tables(Trace *t)
{
    trace_table(t, "a\tb");
    trace_row(t, "1");
    trace_table(t, "c"); /* ends the first */
    trace_row(t, "2");
} /* and the end of the trace ends the second */

START_TEST(a_table_left_open)
{
    expect(open_tables, "    a  b\n    1\n    c\n    2\n");
}
END_TEST

START_TEST(tables_that_are_none)
{
    char *folder = scratch_folder(), columns[65] = "";
    Trace *t = trace_open(folder, true);
    ASSERT_SAYS(DIES(1, (trace_row(t, "1"), 0)), "trace_row outside of trace_table");
    memset(columns, '\t', 64);
    ASSERT_SAYS(DIES(1, (trace_table(t, columns), 0)), "a trace table has 65 columns; the most is 64");
    trace_close(t);
    scratch_remove(folder);
}
END_TEST

static void korean_table(Trace *t)
{
    trace_table(t, "word\twhat");
    trace_row(t, "은행\tbank");
    trace_row(t, "river\tb");
    trace_table_end(t);
}

START_TEST(korean_cells_are_two_columns_a_syllable)
{
    expect(korean_table, "    word   what\n    은행   bank\n    river  b\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    test_add(suite, "text_and_equations", text_and_equations);
    test_add(suite, "a_matrix_with_labels", a_matrix_with_labels);
    test_add(suite, "numbers_that_are_none", numbers_that_are_none);
    test_add(suite, "a_large_matrix_is_cut_and_says_so", a_large_matrix_is_cut_and_says_so);
    test_add(suite, "a_table_is_aligned", a_table_is_aligned);
    test_add(suite, "control_bytes_are_made_visible", control_bytes_are_made_visible);
    test_add(suite, "wrapped_text", wrapped_text);
    test_add(suite, "times_are_not_in_the_trace", times_are_not_in_the_trace);
    test_add(suite, "colour_only_on_a_terminal", colour_only_on_a_terminal);
    test_add(suite, "a_full_standard_output_is_said", a_full_standard_output_is_said);
    test_add_exit(suite, "a_row_with_too_many_cells", a_row_with_too_many_cells, 1);
    test_add(suite, "a_table_left_open", a_table_left_open);
    test_add(suite, "tables_that_are_none", tables_that_are_none);
    test_add(suite, "korean_cells_are_two_columns_a_syllable", korean_cells_are_two_columns_a_syllable);
    return test_run(suite);
}
