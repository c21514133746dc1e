/* Tests of common/figure: the data, the pictures, hostile words, and a gnuplot
 * that is missing, fails, hangs or lies. */
#define _GNU_SOURCE
#include "figure.h"

#include <math.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "dies.h"
#include "picture.h"
#include "scratch.h"
#include "test.h"

enum { N = 12, LONG = 10000 };

static bool have_gnuplot(void)
{
    return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

/* ---- one figure with WORD in every place that takes a word ----------------------- */

static void fill_curves(Panel *panel, const char *word)
{
    real x[N], y[N], low[N], high[N];
    const char *words[N];
    for (int i = 0; i < N; i++) {
        x[i] = (real)i;
        y[i] = (real)(i * i) / 10;
        low[i] = y[i] - 1;
        high[i] = y[i] + 1;
        words[i] = word;
    }
    panel_line(panel, word, x, y, N);
    panel_band(panel, word, x, low, low, high, N);
    panel_reference(panel, word, x, high, N);
    panel_horizontal(panel, word, 3);
    panel_points(panel, word, x, high, words, 4);
}

static void fill_bars(Panel *panel, const char *word)
{
    const real values[] = {0.5, -0.25, 0.75}, errors[] = {0.1, 0.05, 0};
    const char *categories[] = {word, "plain", word};
    panel_bars(panel, word, categories, values, errors, 3);
    panel_bars(panel, "second", categories, values, NULL, 3);
    panel_horizontal(panel, word, 0.1);
}

static void fill_heatmap(Panel *panel, const char *word)
{
    const real cells[] = {0.1f, 0.9f, 0.5f, -0.4f, 0, 1};
    const char *rows[] = {word, "plain"}, *columns[] = {word, word, "plain"};
    panel_heatmap(panel, cells, 2, 3, rows, columns, SIGNED);
}

/* Draws three figures, of one kind each, and one of all three. */
static void draw_with(Figures *figures, const char *word)
{
    static void (*const fill[])(Panel *, const char *) = {fill_curves, fill_bars, fill_heatmap};
    static const char *const names[] = {"curves", "bars", "heatmap"};
    for (int i = 0; i < 3; i++) {
        Figure *figure = figure_begin(figures, names[i], word);
        Panel *panel = figure_panel(figure, word, word, word);
        if (i == 0)
            panel_key(panel, KEY_OUTSIDE);
        fill[i](panel, word);
        figure_end(figure);
    }
    Figure *figure = figure_begin(figures, "all", word);
    for (int i = 0; i < 3; i++) {
        Panel *panel = figure_panel(figure, word, word, word);
        if (i == 0)
            panel_key(panel, KEY_INSIDE);
        fill[i](panel, word);
    }
    figure_end(figure);
}

static const char *const figure_names[] = {"curves", "bars", "heatmap", "all"};

/* The script alone draws the same picture again, without a word of complaint. */
static void expect_redrawn(const char *folder, const char *name)
{
    char command[9000], picture[200];
    snprintf(picture, sizeof picture, "%s.png", name);
    Picture first = picture_open(in(folder, picture));
    unlink(in(folder, picture));
    snprintf(command, sizeof command, "cd '%s' && gnuplot %s.gp >says 2>&1", folder, name);
    ck_assert_int_eq(system(command), 0);
    char *says = slurp(in(folder, "says"));
    ck_assert_str_eq(says, "");
    free(says);
    unlink(in(folder, "says"));
    Picture second = picture_open(in(folder, picture));
    ck_assert_int_eq(first.width, second.width);
    ck_assert_int_eq(first.height, second.height);
    ck_assert_int_eq(memcmp(first.pixels, second.pixels, 3 * (size_t)first.width * (size_t)first.height), 0);
    picture_close(first);
    picture_close(second);
}

static void expect_good_picture(const char *folder, const char *name, int least_ink)
{
    char picture[200];
    snprintf(picture, sizeof picture, "%s.png", name);
    Picture seen = picture_open(in(folder, picture));
    ck_assert_msg(seen.width >= 300 && seen.width <= 2000 && seen.height >= 120 && seen.height <= 2000, "%s: %d x %d",
                  name, seen.width, seen.height);
    int ink = picture_ink(&seen), cut = picture_cut(&seen);
    ck_assert_msg(ink >= least_ink, "%s: %d pixels of ink", name, ink);
    ck_assert_msg(cut == 0, "%s: something is cut off at the edge (%d pixels)", name, cut);
    picture_close(seen);
}

static void keep_for_a_look(const char *folder, const char *as)
{
    const char *keep = getenv("KEEP_PICTURES"); /* a folder: for looking at them */
    char command[20000];
    if (!keep)
        return;
    snprintf(command, sizeof command, "for f in '%s'/*.png; do cp \"$f\" '%s'/'%s'-\"${f##*/}\"; done", folder, keep,
             as);
    if (system(command) != 0)
        fprintf(stderr, "could not keep the pictures\n");
}

static void try_word(const char *word, const char *as)
{
    char *folder = scratch_folder();
    Figures *figures = figures_new(folder, true);
    draw_with(figures, word);
    ck_assert_int_eq(figures_finish(figures), 0);
    figures_free(figures);
    keep_for_a_look(folder, as);
    if (have_gnuplot()) {
        for (int i = 0; i < 4; i++) {
            expect_good_picture(folder, figure_names[i], 5000);
            expect_redrawn(folder, figure_names[i]);
        }
    }
    /* Nothing else appeared: no word was executed. */
    ck_assert_int_eq(entries(folder), have_gnuplot() ? 12 : 8);
    ck_assert(!exists("pwned"));
    scratch_remove(folder);
}

static const char *const hostile[] = {
    "plain words for comparison",
    "`touch pwned`",
    "$(touch pwned) ${HOME} $words",
    "@words @GPFUN_say",
    "\"; system(\"touch pwned\"); \"",
    "'; system('touch pwned'); '",
    "')\nsystem('touch pwned')\n#",
    "a\\nb \\101 \\\\ \\",
    "100% %s %n %d %%",
    "{/Symbol a}_b^c &{x} ~y{z} {/*9 big}",
    "a\tb\nc\rd\033[31m\007\177",
    "END",
    "END\nsystem('touch pwned')",
    "# a comment",
    "은행 돈을 갤럭시 핸드폰 ㄱㄴ",
    "é ü ß ñ Ω → ∞ ① 日本語 中文",
    "😀 🏦 👩‍👩‍👧 emoji",
    "\xff\xfe broken \xc3( bytes \xed\xa0\x80",
    "שלום \xe2\x80\xae backwards \xe2\x80\xa8 line",
    "<b>&amp;</b> | <script>",
    "",
    " ",
    "=",
    "1e400 NaN",
};

START_TEST(hostile_words)
{
    char as[16];
    snprintf(as, sizeof as, "%02d", _i);
    try_word(hostile[_i], as);
}
END_TEST

START_TEST(a_word_of_ten_thousand_letters)
{
    static char word[LONG + 1], korean[3 * LONG + 1];
    for (int i = 0; i < LONG; i++) {
        word[i] = "abcdefghij"[i % 10];
        memcpy(korean + 3 * i, "한", 3);
    }
    try_word(word, "long");
    try_word(korean, "long-korean");
}
END_TEST

START_TEST(a_long_word_is_whole_in_the_tsv)
{
    static char word[LONG + 1];
    char *folder = scratch_folder();
    memset(word, 'x', LONG);
    Figures *figures = figures_new(folder, false);
    draw_with(figures, word);
    figures_free(figures);
    char *data = slurp(in(folder, "bars.tsv")), *script = slurp(in(folder, "bars.gp"));
    ck_assert(strstr(data, word));
    ck_assert(!strstr(script, word));
    ck_assert(strstr(script, "xxx…\n"));
    free(data);
    free(script);
    scratch_remove(folder);
}
END_TEST

/* ---- data ---------------------------------------------------------------------------- */

START_TEST(the_tsv_of_curves)
{
    char *folder = scratch_folder();
    Figures *figures = figures_new(folder, false);
    Figure *figure = figure_begin(figures, "f", "title");
    Panel *panel = figure_panel(figure, NULL, "x", "y");
    const real x[] = {1, 2}, y[] = {0.1f, NAN};
    const char *words[] = {"a\tb", "c\\d"};
    panel_line(panel, "first", x, y, 2);
    panel_points(panel, NULL, x, x, words, 2);
    panel_horizontal(panel, "chance", 0.25);
    figure_end(figure);
    figures_free(figures);
    char *text = slurp(in(folder, "f.tsv"));
    ck_assert_str_eq(text, "series\tkind\tx\ty\tword\n"
                           "first\tline\t1\t0.100000001\t\n"
                           "first\tline\t2\tNaN\t\n"
                           "\tpoints\t1\t1\ta\\tb\n"
                           "\tpoints\t2\t2\tc\\\\d\n"
                           "chance\thorizontal\t\t0.25\t\n");
    free(text);
    scratch_remove(folder);
}
END_TEST

START_TEST(the_tsv_of_a_heatmap_and_bars)
{
    char *folder = scratch_folder();
    Figures *figures = figures_new(folder, false);
    Figure *figure = figure_begin(figures, "f", NULL);
    const real cells[] = {1, 2, 3, 4};
    const char *labels[] = {"a", "b"};
    panel_heatmap(figure_panel(figure, "left", NULL, NULL), cells, 2, 2, labels, NULL, MAGNITUDE);
    panel_bars(figure_panel(figure, "right", NULL, NULL), "s", labels, cells, NULL, 2);
    figure_end(figure);
    figures_free(figures);
    char *text = slurp(in(folder, "f.tsv"));
    ck_assert_str_eq(text, "panel\tseries\tkind\trow\tcolumn\trow_label\tcategory\tvalue\n"
                           "left\t\t\t0\t0\ta\t\t1\n"
                           "left\t\t\t0\t1\ta\t\t2\n"
                           "left\t\t\t1\t0\tb\t\t3\n"
                           "left\t\t\t1\t1\tb\t\t4\n"
                           "right\ts\tbars\t\t\t\ta\t1\n"
                           "right\ts\tbars\t\t\t\tb\t2\n");
    free(text);
    scratch_remove(folder);
}
END_TEST

/* ---- odd data: every one must give a picture, without a complaint ----------------------- */

static void odd_ranges(Figures *figures)
{
    const real zero[] = {0, 0, 0}, huge[] = {1e30f, -1e30f, 1e-30f}, none[] = {NAN, INFINITY, -INFINITY};
    const real mixed[] = {-1, 0, 10}, same[] = {7, 7, 7};
    const real *const data[] = {zero, huge, none, mixed, same};
    Figure *figure = figure_begin(figures, "ranges", "odd ranges");
    for (int i = 0; i < 5; i++) {
        Panel *panel = figure_panel(figure, NULL, "x", "y");
        panel_line(panel, "line", mixed, data[i], 3);
        panel_points(panel, "points", data[i], mixed, NULL, 3);
        panel_band(panel, "band", mixed, data[i], data[i], data[i], 3);
        panel_horizontal(panel, "h", (double)data[i][0]);
        if (i % 2)
            panel_log_y(panel);
        if (i > 2)
            panel_log_x(panel);
    }
    figure_end(figure);
}

static void odd_bars(Figures *figures)
{
    static real many[300];
    for (int i = 0; i < 300; i++)
        many[i] = (real)i;
    const real none[] = {NAN, INFINITY}, tiny[] = {1e-9f, 2e-9f}, down[] = {-5, -7}, zero[] = {0, 0};
    const char *labels[] = {"a rather long label of a bar that has to be broken", "b"};
    const real *const data[] = {none, tiny, down, zero};
    Figure *figure = figure_begin(figures, "many_bars", "odd bars");
    for (int i = 0; i < 4; i++) {
        Panel *panel = figure_panel(figure, NULL, NULL, "value");
        if (i == 1)
            panel_log_y(panel);
        panel_bars(panel, NULL, labels, data[i], data[i], 2);
    }
    panel_bars(figure_panel(figure, NULL, NULL, NULL), NULL, NULL, many, NULL, 300);
    figure_end(figure);
}

static void odd_heatmaps(Figures *figures)
{
    static real cells[300 * 300];
    for (int i = 0; i < 300 * 300; i++)
        cells[i] = (real)(i % 300);
    const struct {
        const char *name;
        int rows, columns;
    } shapes[] = {
        {"one_cell", 1, 1}, {"one_row", 1, 40}, {"one_column", 40, 1}, {"wide", 2, 1500}, {"large", 300, 300}};
    for (int i = 0; i < 5; i++) {
        Figure *figure = figure_begin(figures, shapes[i].name, shapes[i].name);
        panel_heatmap(figure_panel(figure, NULL, "column", "row"), cells, shapes[i].rows, shapes[i].columns, NULL, NULL,
                      MAGNITUDE);
        figure_end(figure);
    }
    for (int i = 0; i < 9; i++)
        cells[i] = i % 2 ? NAN : 3;
    Figure *figure = figure_begin(figures, "gaps", "cells without a value");
    figure_layout(figure, 2, 500, 400);
    panel_heatmap(figure_panel(figure, "gaps", NULL, NULL), cells, 3, 3, NULL, NULL, MAGNITUDE);
    panel_heatmap(figure_panel(figure, "none", NULL, NULL), cells + 1, 1, 1, NULL, NULL, SIGNED);
    figure_end(figure);
}

START_TEST(odd_data)
{
    char *folder = scratch_folder();
    Figures *figures = figures_new(folder, true);
    odd_ranges(figures);
    odd_bars(figures);
    odd_heatmaps(figures);
    ck_assert_int_eq(figures_finish(figures), 0);
    for (int i = 0; have_gnuplot() && figures_name(figures, i); i++) {
        ck_assert(figures_drawn(figures, i));
        expect_good_picture(folder, figures_name(figures, i), 2000);
    }
    keep_for_a_look(folder, "odd");
    figures_free(figures);
    scratch_remove(folder);
}
END_TEST

/* Two points, but the line between them: the key goes where the line does not. */
START_TEST(a_key_inside_hides_no_curve)
{
    char *folder = scratch_folder();
    Figures *figures = figures_new(folder, false);
    const real x[] = {0, 1}, falling[] = {1, 0}, rising[] = {0, 1};
    double left[2];
    for (int i = 0; i < 2; i++) {
        Figure *figure = figure_begin(figures, i ? "rising" : "falling", NULL);
        Panel *panel = figure_panel(figure, NULL, NULL, NULL);
        panel_key(panel, KEY_INSIDE);
        panel_line(panel, "a label that takes some room", x, i ? rising : falling, 2);
        figure_end(figure);
        char *script = slurp(in(folder, i ? "rising.gp" : "falling.gp"));
        const char *box = strstr(script, "rectangle from screen ");
        ck_assert(box != NULL);
        left[i] = atof(box + strlen("rectangle from screen "));
        free(script);
    }
    ck_assert_double_gt(left[0], 0.4); /* the top right corner */
    ck_assert_double_lt(left[1], 0.3); /* the top left one */
    figures_free(figures);
    scratch_remove(folder);
}
END_TEST

START_TEST(the_size_is_what_the_lab_asks_for)
{
    char *folder = scratch_folder();
    Figures *figures = figures_new(folder, true);
    Figure *figure = figure_begin(figures, "f", NULL);
    figure_layout(figure, 3, 400, 300);
    for (int i = 0; i < 4; i++)
        fill_curves(figure_panel(figure, NULL, NULL, NULL), "w");
    figure_end(figure);
    figures_free(figures);
    if (have_gnuplot()) {
        Picture picture = picture_open(in(folder, "f.png"));
        ck_assert_int_eq(picture.width, 1200);
        ck_assert_int_ge(picture.height, 600);
        ck_assert_int_le(picture.height, 650);
        picture_close(picture);
    }
    scratch_remove(folder);
}
END_TEST

/* Where there is no place for each, numbers of rows are left out, as those of
 * columns are, and not made small. */
START_TEST(row_numbers_stay_large)
{
    char *folder = scratch_folder();
    static real cells[100 * 64];
    Figures *figures = figures_new(folder, false);
    Figure *figure = figure_begin(figures, "f", NULL);
    panel_heatmap(figure_panel(figure, NULL, NULL, NULL), cells, 100, 64, NULL, NULL, SIGNED);
    figure_end(figure);
    figures_free(figures);
    char *script = slurp(in(folder, "f.gp"));
    ck_assert_ptr_nonnull(strstr(script, ",14' tc"));
    for (int points = 1; points < 12; points++) {
        char small[32];
        snprintf(small, sizeof small, ",%d' tc", points);
        ck_assert_ptr_null(strstr(script, small));
    }
    free(script);
    scratch_remove(folder);
}
END_TEST

/* A heatmap that leaves room at its sides has its title above the middle of its
 * cells, not of the panel. */
START_TEST(a_title_is_above_its_heatmap)
{
    char *folder = scratch_folder();
    const real cells[] = {1, 2, 3, 4};
    const char *rows[] = {"a rather long label", "b"};
    double left, right, middle;
    Figures *figures = figures_new(folder, false);
    Figure *figure = figure_begin(figures, "f", NULL);
    figure_layout(figure, 1, 900, 300);
    panel_heatmap(figure_panel(figure, "S = Q K^T", NULL, NULL), cells, 2, 2, rows, NULL, SIGNED);
    figure_end(figure);
    figures_free(figures);
    char *script = slurp(in(folder, "f.gp"));
    const char *margin = strstr(script, "set lmargin at screen "), *title = strstr(script, "say(1) at screen ");
    ck_assert(margin && title);
    ck_assert_int_eq(sscanf(margin, "set lmargin at screen %lf set rmargin at screen %lf", &left, &right), 2);
    ck_assert_int_eq(sscanf(title, "say(1) at screen %lf", &middle), 1);
    ck_assert_double_eq_tol(middle, (left + right) / 2, 0.001);
    free(script);
    scratch_remove(folder);
}
END_TEST

/* ---- a gnuplot of our own --------------------------------------------------------------- */

/* The only gnuplot in PATH is a shell script. */
static void pretend_gnuplot(const char *folder, const char *script)
{
    char text[4096], path[9000];
    snprintf(text, sizeof text, "#!/bin/sh\nPATH=/usr/bin:/bin\n%s\n", script);
    mkdir(in(folder, "bin"), 0755);
    spit(in(folder, "bin/gnuplot"), text);
    chmod(in(folder, "bin/gnuplot"), 0755);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", folder);
    setenv("PATH", path, 1);
}

static Figures *draw_one(const char *folder, const char *name)
{
    Figures *figures = figures_new(folder, true);
    const real x[] = {1, 2};
    Figure *figure = figure_begin(figures, name, "t");
    panel_line(figure_panel(figure, NULL, NULL, NULL), "l", x, x, 2);
    figure_end(figure);
    return figures;
}

/* A gnuplot that behaves like SCRIPT: the figure fails, stderr says why, the
 * earlier picture stays, nothing is left over. */
static void expect_failure(const char *script, const char *reason)
{
    char *folder = scratch_folder();
    mkdir(in(folder, "out"), 0755);
    spit(in(folder, "out/f.png"), "earlier");
    pretend_gnuplot(folder, script);
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    ck_assert(freopen(in(folder, "stderr"), "w", stderr) != NULL);
    Figures *figures = draw_one(in(folder, "out"), "f");
    figures_patience(figures, 0.3);
    int failed = figures_finish(figures), again = figures_finish(figures);
    ck_assert(!figures_drawn(figures, 0));
    figures_free(figures);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    ck_assert_int_eq(failed, 1);
    ck_assert_int_eq(again, 1);
    char *says = slurp(in(folder, "stderr")), *earlier = slurp(in(folder, "out/f.png"));
    ck_assert_msg(strstr(says, "figure f: ") && strstr(says, reason), "said: %s", says);
    ck_assert_msg(strchr(says, '\n') == says + strlen(says) - 1, "more than a line: %s", says);
    ck_assert_str_eq(earlier, "earlier");
    ck_assert_int_eq(entries(in(folder, "out")), 3);
    free(says);
    free(earlier);
    scratch_remove(folder);
}

START_TEST(a_gnuplot_that_fails)
{
    expect_failure("echo; echo '   ^'; echo '\"f.gp\" line 3: unknown terminal' >&2; echo more; exit 1",
                   "status 1: \"f.gp\" line 3: unknown terminal");
}
END_TEST

START_TEST(a_gnuplot_that_crashes)
{
    expect_failure("kill -SEGV $$", "signal 11");
}
END_TEST

START_TEST(a_gnuplot_that_hangs)
{
    expect_failure("printf x >f.png.part; exec sleep 1000", "was stopped");
}
END_TEST

START_TEST(a_gnuplot_that_writes_half_a_picture)
{
    expect_failure("printf '\\211PNG\\r\\n\\032\\nhalf' >f.png.part", "did not write a whole picture");
}
END_TEST

START_TEST(a_gnuplot_that_writes_nothing)
{
    expect_failure("exit 0", "did not write a whole picture");
}
END_TEST

START_TEST(no_gnuplot)
{
    char *folder = scratch_folder();
    mkdir(in(folder, "out"), 0755);
    setenv("PATH", in(folder, "out"), 1);
    ck_assert(freopen(in(folder, "stderr"), "w", stderr) != NULL);
    Figures *figures = draw_one(in(folder, "out"), "f");
    draw_with(figures, "w");
    ck_assert_int_eq(figures_finish(figures), 0);
    ck_assert(!figures_drawn(figures, 0));
    figures_free(figures);
    fflush(stderr);
    char *says = slurp(in(folder, "stderr"));
    ck_assert_msg(strstr(says, "gnuplot is not installed") != NULL, "said: %s", says);
    ck_assert_msg(strchr(says, '\n') == says + strlen(says) - 1, "more than a line: %s", says);
    ck_assert_int_eq(entries(in(folder, "out")), 10);
    free(says);
    scratch_remove(folder);
}
END_TEST

START_TEST(two_at_a_time_and_the_lab_goes_on)
{
    char *folder = scratch_folder(), name[20];
    mkdir(in(folder, "out"), 0755);
    pretend_gnuplot(folder, "touch ../now.$$; [ $(ls .. | grep -c now) -le 2 ] || touch ../toomany; sleep 0.2; "
                            "rm ../now.$$; exit 7");
    ck_assert(freopen("/dev/null", "w", stderr) != NULL);
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    Figures *figures = draw_one(in(folder, "out"), "f");
    for (int i = 0; i < 5; i++) {
        const real x[] = {1};
        snprintf(name, sizeof name, "g%d", i);
        Figure *figure = figure_begin(figures, name, NULL);
        panel_line(figure_panel(figure, NULL, NULL, NULL), NULL, x, x, 1);
        figure_end(figure);
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
    ck_assert_msg(seconds < 0.19, "drawing held the lab up for %g s", seconds);
    ck_assert_int_eq(figures_finish(figures), 6);
    ck_assert(!exists(in(folder, "toomany")));
    figures_free(figures);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_figure_is_quick)
{
    char *folder = scratch_folder();
    struct timespec began, ended;
    Figures *figures = figures_new(folder, true);
    draw_with(figures, "warm");
    figures_finish(figures);
    figures_free(figures);
    clock_gettime(CLOCK_MONOTONIC, &began);
    figures = figures_new(folder, true);
    draw_with(figures, "은행");
    figures_finish(figures);
    figures_free(figures);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double seconds = (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
    ck_assert_msg(seconds < 4 * 0.5, "four figures took %g s", seconds);
    scratch_remove(folder);
}
END_TEST

/* ---- misuse ---------------------------------------------------------------------------------- */

START_TEST(a_name_with_a_slash)
{
    figure_begin(figures_new("/nonexistent", false), "../x", "t");
}
END_TEST

START_TEST(a_name_used_twice)
{
    Figures *figures = figures_new("/nonexistent", false);
    figure_begin(figures, "x", "t");
    figure_begin(figures, "x", "t");
}
END_TEST

START_TEST(no_panel)
{
    figure_end(figure_begin(figures_new("/nonexistent", false), "x", "t"));
}
END_TEST

START_TEST(an_empty_panel)
{
    Figure *figure = figure_begin(figures_new("/nonexistent", false), "x", "t");
    figure_panel(figure, NULL, NULL, NULL);
    figure_end(figure);
}
END_TEST

START_TEST(a_line_on_a_heatmap)
{
    const real x[] = {1};
    Panel *panel = figure_panel(figure_begin(figures_new("/nonexistent", false), "x", "t"), NULL, NULL, NULL);
    panel_heatmap(panel, x, 1, 1, NULL, NULL, SIGNED);
    panel_line(panel, "l", x, x, 1);
}
END_TEST

START_TEST(bars_that_do_not_match)
{
    const real x[] = {1, 2};
    const char *words[] = {"a", "b"};
    Panel *panel = figure_panel(figure_begin(figures_new("/nonexistent", false), "x", "t"), NULL, NULL, NULL);
    panel_bars(panel, "a", words, x, NULL, 2);
    panel_bars(panel, "b", words, x, NULL, 1);
}
END_TEST

START_TEST(refused)
{
    const real x[] = {1};
    Figure *figure = figure_begin(figures_new("/nonexistent", false), "x", "t");
    Panel *panel = figure_panel(figure, NULL, NULL, NULL);
    ASSERT_SAYS(DIES(1, (figure_layout(figure, -1, 100, 100), 0)), "figure x: a layout of -1 columns");
    ASSERT_SAYS(DIES(1, (figure_layout(figure, 1, -1, 100), 0)), "panels of -1 x 100 pixels");
    ASSERT_SAYS(DIES(1, (panel_line(panel, "l", x, x, 0), 0)), "figure x: a series of 0 points");
    ASSERT_SAYS(DIES(1, (panel_heatmap(panel, x, 0, 1, NULL, NULL, SIGNED), 0)), "a heatmap of 0 x 1 cells");
}
END_TEST

/* The axes of a panel are what the lab asks for. */
START_TEST(ranges_that_are_asked_for)
{
    char *folder = scratch_folder();
    const real x[] = {1, 2}, y[] = {-3, 40};
    Figures *figures = figures_new(folder, false);
    Figure *figure = figure_begin(figures, "f", "t");
    Panel *panel = figure_panel(figure, NULL, "x", "y");
    panel_line(panel, "l", x, y, 2);
    panel_range_x(panel, 0.5, 2.75);
    panel_range_y(panel, -10, 60);
    figure_end(figure);
    char *script = slurp(in(folder, "f.gp"));
    ck_assert(strstr(script, "set xrange [0.5:2.75]\n"));
    ck_assert(strstr(script, "set yrange [-10:60]\n"));
    free(script);
    figures_free(figures);
    scratch_remove(folder);
}
END_TEST

/* On a logarithmic axis bars stand on a power of ten, and the smallest can still be seen when it is just above one. */
START_TEST(smallest_bar_on_a_logarithmic_axis)
{
    static const struct {
        real smallest;
        const char *low;
    } cases[] = {{(real)1.01e-4, "set yrange [1e-05:"}, {(real)1.3e-4, "set yrange [0.0001:"}, {3, "set yrange [1:"}};
    const char *labels[] = {"a", "b"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = scratch_folder();
        const real values[] = {cases[i].smallest, 40};
        Figures *figures = figures_new(folder, false);
        Figure *figure = figure_begin(figures, "f", "t");
        Panel *panel = figure_panel(figure, NULL, NULL, "y");
        panel_log_y(panel);
        panel_bars(panel, NULL, labels, values, NULL, 2);
        figure_end(figure);
        char *script = slurp(in(folder, "f.gp"));
        ck_assert_msg(strstr(script, cases[i].low) != NULL, "bars from %g on", (double)cases[i].smallest);
        free(script);
        figures_free(figures);
        scratch_remove(folder);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("figure");
    TCase *words = tcase_create("hostile_words");
    tcase_set_timeout(words, 120);
    tcase_add_loop_test(words, hostile_words, 0, sizeof hostile / sizeof *hostile);
    suite_add_tcase(suite, words);
    test_add(suite, "a_word_of_ten_thousand_letters", a_word_of_ten_thousand_letters);
    test_add(suite, "a_long_word_is_whole_in_the_tsv", a_long_word_is_whole_in_the_tsv);
    test_add(suite, "the_tsv_of_curves", the_tsv_of_curves);
    test_add(suite, "row_numbers_stay_large", row_numbers_stay_large);
    test_add(suite, "a_title_is_above_its_heatmap", a_title_is_above_its_heatmap);
    test_add(suite, "the_tsv_of_a_heatmap_and_bars", the_tsv_of_a_heatmap_and_bars);
    test_add(suite, "odd_data", odd_data);
    test_add(suite, "a_key_inside_hides_no_curve", a_key_inside_hides_no_curve);
    test_add(suite, "the_size_is_what_the_lab_asks_for", the_size_is_what_the_lab_asks_for);
    test_add(suite, "a_gnuplot_that_fails", a_gnuplot_that_fails);
    test_add(suite, "a_gnuplot_that_crashes", a_gnuplot_that_crashes);
    test_add(suite, "a_gnuplot_that_hangs", a_gnuplot_that_hangs);
    test_add(suite, "a_gnuplot_that_writes_half_a_picture", a_gnuplot_that_writes_half_a_picture);
    test_add(suite, "a_gnuplot_that_writes_nothing", a_gnuplot_that_writes_nothing);
    test_add(suite, "no_gnuplot", no_gnuplot);
    test_add(suite, "two_at_a_time_and_the_lab_goes_on", two_at_a_time_and_the_lab_goes_on);
    test_add(suite, "a_figure_is_quick", a_figure_is_quick);
    test_add_exit(suite, "a_name_with_a_slash", a_name_with_a_slash, 1);
    test_add_exit(suite, "a_name_used_twice", a_name_used_twice, 1);
    test_add_exit(suite, "no_panel", no_panel, 1);
    test_add_exit(suite, "an_empty_panel", an_empty_panel, 1);
    test_add_exit(suite, "a_line_on_a_heatmap", a_line_on_a_heatmap, 1);
    test_add_exit(suite, "bars_that_do_not_match", bars_that_do_not_match, 1);
    test_add(suite, "refused", refused);
    test_add(suite, "ranges_that_are_asked_for", ranges_that_are_asked_for);
    test_add(suite, "smallest_bar_on_a_logarithmic_axis", smallest_bar_on_a_logarithmic_axis);
    return test_run(suite);
}
