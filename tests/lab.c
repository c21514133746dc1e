/* Tests of common/lab: the command line, the files of a run, and how it ends. */
#define _GNU_SOURCE
#include "lab.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "dies.h"
#include "scratch.h"
#include "test.h"

/* ---- a small lab ---------------------------------------------------------------- */

typedef struct {
    int window;
    double rate;
    const char *sentence, *model;
    bool fast;
} Toy;

static void step_numbers(Lab *lab, void *state)
{
    Toy *self = state;
    Rng rng = lab_rng(lab, "numbers");
    const real x[] = {rng_normal(&rng), 2};
    trace(lab->trace, "window %d, rate %g, sentence %s, model %s, fast %d, threads %d, work %d\n", self->window,
          self->rate, self->sentence ? self->sentence : "-", self->model, self->fast, lab->threads > 0,
          lab_choose(lab, 100, 20));
    trace_vector(lab->trace, (Where){"toy.c", 7}, "x", x, 2, NULL, 3);
    Figure *figure = figure_begin(lab->figures, "numbers", "Numbers");
    panel_line(figure_panel(figure, NULL, "x", "y"), "line", x, x, 2);
    figure_end(figure);
    claim(lab->claims, (Claim){.id = "two",
                               .statement = "two is two",
                               .source = "arithmetic",
                               .measured = (double)x[1],
                               .test = EQUALS,
                               .bound = 2});
    lab_raster(lab, "pixels", x, 1, 2, NULL, NULL, SIGNED, 4);
}

static void step_doubt(Lab *lab, void *state)
{
    (void)state;
    claim(lab->claims,
          (Claim){
              .id = "wrong", .statement = "one is two", .source = "nobody", .measured = 1, .test = EQUALS, .bound = 2});
    claim(lab->claims, (Claim){.id = "lecture",
                               .statement = "one is one, not two",
                               .source = "lecture 0",
                               .measured = 1,
                               .test = EQUALS,
                               .bound = 1,
                               .corrects = true});
    claim(lab->claims, (Claim){.id = "later",
                               .statement = "this takes long",
                               .source = "nobody",
                               .skipped = lab->quick ? "not at --quick" : NULL});
}

static void step_last(Lab *lab, void *state)
{
    (void)state;
    if (getenv("TOY_DIES"))
        die("the toy dies, as asked");
    if (getenv("TOY_WAITS")) {
        fprintf(stderr, "ready\n");
        for (;;)
            pause();
    }
    trace(lab->trace, "the last step\n");
}

static int toy_main(int argc, char **argv)
{
    Toy self = {.window = 2, .rate = 0.5, .model = "cbow"};
    static const char *const models[] = {"cbow", "skip-gram", NULL};
    static const LabStep steps[] = {{"numbers", "Some numbers", step_numbers},
                                    {"doubt", "Claims of all kinds", step_doubt},
                                    {"last", "The end 끝", step_last},
                                    {0}};
    const LabOption options[] = {
        {.name = "window", .value = "N", .help = "words on each side", .whole = &self.window, .low = 1, .high = 50},
        {.name = "rate", .value = "X", .help = "learning rate", .number = &self.rate, .low = 0, .high = 1},
        {.name = "sentence", .value = "TEXT", .help = "a sentence", .text = &self.sentence},
        {.name = "model", .value = "NAME", .help = "which model", .text = &self.model, .choices = models},
        {.name = "fast", .help = "be quick about it", .given = &self.fast},
        {0}};
    return lab_main(
        argc, argv,
        &(LabInfo){.stem = "99_toy", .title = "Toy", .question = "What is a toy?", .steps = steps, .options = options},
        &self);
}

/* ---- running it -------------------------------------------------------------------- */

enum { MOST_ARGUMENTS = 12 };

typedef struct {
    int status; /* of exit, or 1000 + the signal */
    char *out, *err;
} Run;

static int split(char *line, char *argv[])
{
    int argc = 0;
    for (char *word; (word = strsep(&line, " "));)
        argv[argc++] = word;
    argv[argc] = NULL;
    return argc;
}

static pid_t start(const char *folder, const char *arguments)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char line[1000], *argv[MOST_ARGUMENTS];
        if (chdir(folder) != 0)
            _exit(99);
        dup2(open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDOUT_FILENO);
        dup2(open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
        dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
        snprintf(line, sizeof line, *arguments ? "99_toy %s" : "99_toy", arguments);
        exit(toy_main(split(line, argv), argv));
    }
    return child;
}

static Run finish(const char *folder, pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return (Run){WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), slurp(in(folder, "stdout")),
                 slurp(in(folder, "stderr"))};
}

static Run run(const char *folder, const char *arguments)
{
    return finish(folder, start(folder, arguments));
}

/* Until a toy that waits (TOY_WAITS) has said so. */
static void wait_until_ready(const char *folder)
{
    for (bool ready = false; !ready;) {
        char *err = slurp(in(folder, "stderr"));
        ready = strstr(err, "ready") != NULL;
        free(err);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void free_run(Run run)
{
    free(run.out);
    free(run.err);
}

/* ---- the command line ------------------------------------------------------------------ */

/* ARGUMENTS are refused with one line that holds WORDS, status 2, no output. */
static const struct {
    const char *arguments, *words;
} wrong[] = {
    {"--windw 3", "there is no option --windw; did you mean --window?"},
    {"--chekc", "did you mean --check?"},
    {"--xyzzy", "there is no option --xyzzy"},
    {"--qui", "--qui could be --quick or --quiet"},
    {"-x", "there is no option -x"},
    {"--step 99", "there is no step 99; this lab has steps 1 to 3 (see --list)"},
    {"--step 0", "there is no step 0"},
    {"--step 99999999999999999999999", "there is no step 99999999999999999999999"},
    {"--step x", "not 'x'"},
    {"--step 3-1", "--step 3-1 counts backwards"},
    {"--step 1-", "--step takes"},
    {"--step 1,,2", "--step takes"},
    {"--step -1", "--step takes"},
    {"--step", "--step needs a value: --step N"},
    {"--seed x", "--seed takes a whole number"},
    {"--seed -1", "--seed takes a whole number"},
    {"--seed 18446744073709551616", "--seed takes a whole number"},
    {"--seed 1e3", "--seed takes a whole number"},
    {"--threads 0", "--threads takes a whole number from 1 to 64, not '0'"},
    {"--quick=3", "--quick takes no value"},
    {"--window 0", "--window takes a whole number from 1 to 50, not '0'"},
    {"--window 51", "--window takes a whole number from 1 to 50, not '51'"},
    {"--window 99999999999999999999", "--window takes a whole number from 1 to 50"},
    {"--window 3x", "not '3x'"},
    {"--rate 1.5", "--rate takes a number from 0 to 1, not '1.5'"},
    {"--rate nan", "--rate takes a number from 0 to 1, not 'nan'"},
    {"--rate 0x1", "not '0x1'"},
    {"--model glove", "--model takes one of cbow, skip-gram; not 'glove'"},
    {"--sentence a\xff", "--sentence: byte 1 of its value is not valid UTF-8"},
    {"--out=", "--out needs the name of a folder"},
    {"3", "'3' is not an option"},
};

START_TEST(a_wrong_command_line)
{
    char *folder = scratch_folder();
    Run toy = run(folder, wrong[_i].arguments);
    ck_assert_msg(toy.status == 2, "%s: status %d", wrong[_i].arguments, toy.status);
    ck_assert_msg(strstr(toy.err, wrong[_i].words) != NULL, "%s: %s", wrong[_i].arguments, toy.err);
    ck_assert_msg(strchr(toy.err, '\n') == toy.err + strlen(toy.err) - 1, "more than a line: %s", toy.err);
    ck_assert_str_eq(toy.out, "");
    ck_assert(!exists(in(folder, "outputs")));
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

/* What the trace says about the steps that ran. */
static const struct {
    const char *arguments;
    bool numbers, doubt, last;
} chosen[] = {
    {"--no-plots", true, true, true},
    {"--no-plots --step 2", false, true, false},
    {"--no-plots -s 1,3", true, false, true},
    {"--no-plots -s2-3", false, true, true},
    {"--no-plots --step=3,1-1", true, false, true},
    {"--no-plots --step last", false, false, true},
    {"--no-plots --step doubt,1", true, true, false},
    {"--no-plots --step 1 --step 2", true, true, false},
};

START_TEST(steps_are_chosen)
{
    char *folder = scratch_folder();
    Run toy = run(folder, chosen[_i].arguments);
    ck_assert_msg(toy.status == 0, "%s", toy.err);
    ck_assert_int_eq(strstr(toy.out, "Step 1 of 3. Some numbers") != NULL, chosen[_i].numbers);
    ck_assert_int_eq(strstr(toy.out, "Step 2 of 3. Claims") != NULL, chosen[_i].doubt);
    ck_assert_int_eq(strstr(toy.out, "Step 3 of 3. The end") != NULL, chosen[_i].last);
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

START_TEST(help_list_and_version)
{
    char *folder = scratch_folder();
    Run toy = run(folder, "--window 7 --help");
    ck_assert_int_eq(toy.status, 0);
    ck_assert(strstr(toy.out, "99_toy: Toy\n\nWhat is a toy?\n"));
    ck_assert(strstr(toy.out, "--window N          words on each side (1 to 50, default 2)\n"));
    ck_assert(strstr(toy.out, "(one of cbow, skip-gram; default cbow)"));
    ck_assert(strstr(toy.out, "Exit status: 0 fine"));
    static const char *const all[] = {"--step",    "--list", "--quick",       "--seed",    "--pause",
                                      "--check",   "--out",  "--no-plots",    "--threads", "--quiet",
                                      "--version", "--help", "outputs/99_toy"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ck_assert_msg(strstr(toy.out, all[i]) != NULL, "no %s", all[i]);
    for (char *line = strtok(toy.out, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_msg(strlen(line) <= 100, "too wide: %s", line);
    free_run(toy);
    toy = run(folder, "-l");
    ck_assert_str_eq(toy.out,
                     "  1  numbers  Some numbers\n  2  doubt    Claims of all kinds\n  3  last     The end 끝\n");
    free_run(toy);
    toy = run(folder, "--version");
    ck_assert(strncmp(toy.out, "99_toy ", 7) == 0);
    ck_assert_int_eq(toy.status, 0);
    free_run(toy);
    ck_assert(!exists(in(folder, "outputs")));
    scratch_remove(folder);
}
END_TEST

START_TEST(options_reach_the_lab)
{
    char *folder = scratch_folder();
    Run toy = run(folder, "--window 7 --rate=0.25 --sentence 은행 --model skip-gram --fast --quick --no-plots");
    ck_assert(strstr(toy.out, "window 7, rate 0.25, sentence 은행, model skip-gram, fast 1, threads 1, work 20\n"));
    ck_assert(strstr(toy.out, "seed 42, quick setting, --window 7, --rate 0.25, --sentence 은행, --model skip-gram, "
                              "--fast\n"));
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

/* ---- files ---------------------------------------------------------------------------------- */

START_TEST(a_run_and_its_files)
{
    char *folder = scratch_folder();
    Run toy = run(folder, "");
    ck_assert_msg(toy.status == 0, "%s", toy.err);
    char *text = slurp(in(folder, "outputs/99_toy/trace.txt"));
    ck_assert(strstr(text, "Lab 99. Toy\n==========="));
    ck_assert(strstr(text, "  corrects  lecture: measured 1, expected = 1 exactly\n"
                           "            one is one, not two (lecture 0)\n"));
    ck_assert(strstr(text, "  2 hold, 1 correct the lecture, 1 fail, 0 skipped\n"));
    ck_assert(!strstr(text, "outputs/99_toy")); /* no path: the same bytes wherever it runs */
    ck_assert(strstr(toy.out, "Written to outputs/99_toy:"));
    ck_assert(strstr(toy.out, "numbers."));
    ck_assert(strstr(toy.out, "pixels.png"));
    free(text);
    text = slurp(in(folder, "outputs/99_toy/timing.tsv"));
    ck_assert(strstr(text, "\nstep 1, numbers\t"));
    free(text);
    text = slurp(in(folder, "outputs/99_toy/claims.tsv"));
    ck_assert(strstr(text, "\nwrong\tone is two\tnobody\t= 2 exactly\t1\tfails\n"));
    free(text);
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

START_TEST(the_same_seed_the_same_bytes)
{
    static const char *const names[] = {"trace.txt", "claims.tsv", "numbers.tsv", "pixels.tsv"};
    char *folder = scratch_folder(), path[100];
    free_run(run(folder, "--no-plots --out a --seed 7"));
    free_run(run(folder, "--no-plots --out b/c --seed 7 --threads 1"));
    free_run(run(folder, "--no-plots --out d --seed 8"));
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "a/99_toy/%s", names[i]);
        char *a = slurp(in(folder, path));
        snprintf(path, sizeof path, "b/c/99_toy/%s", names[i]);
        char *b = slurp(in(folder, path));
        ck_assert_str_eq(a, b);
        ck_assert_int_gt((int)strlen(a), 5);
        free(a);
        free(b);
    }
    char *a = slurp(in(folder, "a/99_toy/numbers.tsv")), *d = slurp(in(folder, "d/99_toy/numbers.tsv"));
    ck_assert_str_ne(a, d);
    free(a);
    free(d);
    scratch_remove(folder);
}
END_TEST

START_TEST(quiet_and_check)
{
    char *folder = scratch_folder();
    Run toy = run(folder, "--no-plots --quiet");
    ck_assert_int_eq(toy.status, 0);
    ck_assert_str_eq(toy.out, "");
    ck_assert_str_eq(toy.err, "");
    ck_assert(exists(in(folder, "outputs/99_toy/trace.txt")));
    free_run(toy);
    toy = run(folder, "--no-plots --quiet --check");
    ck_assert_int_eq(toy.status, 1);
    ck_assert_str_eq(toy.err, "claim wrong fails: measured 1, expected = 2 exactly: one is two\n");
    ck_assert(exists(in(folder, "outputs/99_toy/claims.tsv")));
    free_run(toy);
    toy = run(folder, "--no-plots --check --step 1");
    ck_assert_int_eq(toy.status, 0);
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

START_TEST(skipped_at_quick)
{
    char *folder = scratch_folder();
    Run toy = run(folder, "--no-plots --quick");
    ck_assert(strstr(toy.out, "  skipped   later: not at --quick\n"));
    ck_assert(strstr(toy.out, "1 skipped\n"));
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

/* ---- ways to end ------------------------------------------------------------------------------ */

static void expect_earlier_files(const char *folder)
{
    static const char *const names[] = {"trace.txt", "claims.tsv", "timing.tsv"};
    char path[100];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "outputs/99_toy/%s", names[i]);
        char *text = slurp(in(folder, path));
        ck_assert_str_eq(text, "earlier");
        free(text);
        snprintf(path, sizeof path, "outputs/99_toy/%s.part", names[i]);
        ck_assert(!exists(in(folder, path)));
    }
}

static char *with_earlier_files(void)
{
    char *folder = scratch_folder();
    mkdir(in(folder, "outputs"), 0755);
    mkdir(in(folder, "outputs/99_toy"), 0755);
    spit(in(folder, "outputs/99_toy/trace.txt"), "earlier");
    spit(in(folder, "outputs/99_toy/claims.tsv"), "earlier");
    spit(in(folder, "outputs/99_toy/timing.tsv"), "earlier");
    return folder;
}

START_TEST(a_run_that_fails_leaves_the_earlier_files)
{
    char *folder = with_earlier_files();
    setenv("TOY_DIES", "1", 1);
    Run toy = run(folder, "");
    ck_assert_int_eq(toy.status, 1);
    ck_assert(strstr(toy.err, "the toy dies, as asked"));
    expect_earlier_files(folder);
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

START_TEST(signals_leave_the_earlier_files)
{
    static const int deadly[] = {SIGINT, SIGTERM, SIGHUP};
    char *folder = with_earlier_files();
    setenv("TOY_WAITS", "1", 1);
    pid_t child = start(folder, "");
    wait_until_ready(folder);
    kill(child, deadly[_i]);
    Run toy = finish(folder, child);
    ck_assert_int_eq(toy.status, 1000 + deadly[_i]);
    expect_earlier_files(folder);
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written)
{
    char *folder = scratch_folder();
    spit(in(folder, "outputs"), "precious");
    Run toy = run(folder, "");
    ck_assert_int_eq(toy.status, 1);
    ck_assert(strstr(toy.err, "cannot create the folder 'outputs': Not a directory; "));
    ck_assert_str_eq(toy.out, "");
    free_run(toy);
    toy = run(folder, "--out outputs/x");
    ck_assert_int_eq(toy.status, 1);
    ck_assert(strchr(toy.err, '\n') == toy.err + strlen(toy.err) - 1);
    free_run(toy);
    toy = run(folder, "--out /proc/nowhere");
    ck_assert_int_eq(toy.status, 1);
    ck_assert(strchr(toy.err, '\n') == toy.err + strlen(toy.err) - 1);
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

START_TEST(two_runs_do_not_mix)
{
    char *folder = with_earlier_files();
    setenv("TOY_WAITS", "1", 1);
    pid_t first = start(folder, "--no-plots");
    wait_until_ready(folder);
    unsetenv("TOY_WAITS");
    Run second = run(folder, "--no-plots");
    ck_assert_int_eq(second.status, 1);
    ck_assert(strstr(second.err, "another run is writing to 'outputs/99_toy' now"));
    free_run(second);
    kill(first, SIGKILL);
    free_run(finish(folder, first));
    second = run(folder, "--no-plots"); /* the lock and the .part files of a killed run are no hindrance */
    ck_assert_msg(second.status == 0, "%s", second.err);
    ck_assert(!exists(in(folder, "outputs/99_toy/trace.txt.part")));
    free_run(second);
    scratch_remove(folder);
}
END_TEST

START_TEST(standard_output_is_closed)
{
    char *folder = with_earlier_files();
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    close(ends[0]);
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = {(char[]){"99_toy"}, (char[]){"--no-plots"}, NULL};
        if (chdir(folder) != 0)
            _exit(99);
        dup2(open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        if (_i)
            signal(SIGPIPE, SIG_IGN);
        exit(toy_main(2, argv));
    }
    waitpid(child, &status, 0);
    close(ends[1]);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    char *err = slurp(in(folder, "stderr"));
    ck_assert_str_eq(err, "");
    free(err);
    expect_earlier_files(folder);
    scratch_remove(folder);
}
END_TEST

START_TEST(a_figure_that_fails)
{
    char *folder = scratch_folder(), path[9000];
    mkdir(in(folder, "bin"), 0755);
    spit(in(folder, "bin/gnuplot"), "#!/bin/sh\necho no terminal >&2\nexit 1\n");
    chmod(in(folder, "bin/gnuplot"), 0755);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", folder);
    setenv("PATH", path, 1);
    Run toy = run(folder, "");
    ck_assert_int_eq(toy.status, 1);
    ck_assert(strstr(toy.err, "figure numbers: gnuplot failed with status 1: no terminal\n"));
    ck_assert(strstr(toy.out, "the last step"));
    ck_assert(strstr(toy.out, "numbers.tsv pixels.png"));
    ck_assert(exists(in(folder, "outputs/99_toy/trace.txt")));
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

/* Ctrl-C while gnuplot is drawing: neither it nor its half picture stays. */
START_TEST(a_signal_while_gnuplot_draws)
{
    char *folder = with_earlier_files(), path[9000];
    mkdir(in(folder, "bin"), 0755);
    spit(in(folder, "bin/gnuplot"), "#!/bin/sh\necho half >numbers.png.part\necho $$ >../../pid\nexec sleep 1000\n");
    chmod(in(folder, "bin/gnuplot"), 0755);
    snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", folder);
    setenv("PATH", path, 1);
    pid_t child = start(folder, "");
    int gnuplot = 0;
    while (gnuplot == 0) {
        char *text = slurp(in(folder, "pid"));
        gnuplot = atoi(text);
        free(text);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kill(child, SIGINT);
    Run toy = finish(folder, child);
    ck_assert_int_eq(toy.status, 1000 + SIGINT);
    ck_assert_int_eq(kill(gnuplot, 0), -1);
    ck_assert(!exists(in(folder, "outputs/99_toy/numbers.png.part")));
    expect_earlier_files(folder);
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

START_TEST(no_gnuplot)
{
    char *folder = scratch_folder();
    setenv("PATH", folder, 1);
    Run toy = run(folder, "");
    ck_assert_int_eq(toy.status, 0);
    ck_assert(strstr(toy.err, "gnuplot is not installed"));
    ck_assert(strchr(toy.err, '\n') == toy.err + strlen(toy.err) - 1);
    ck_assert(exists(in(folder, "outputs/99_toy/numbers.gp")));
    ck_assert(exists(in(folder, "outputs/99_toy/pixels.png")));
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

/* ---- at a terminal ------------------------------------------------------------------------------ */

/* Types KEYS, one for each pause; returns what the terminal showed. */
static char *at_terminal(const char *folder, const char *keys)
{
    int master;
    static char seen[1 << 16];
    size_t size = 0;
    pid_t child = forkpty(&master, NULL, NULL, NULL);
    if (child == 0) {
        char *argv[] = {(char[]){"99_toy"}, (char[]){"--pause"}, (char[]){"--no-plots"}, NULL};
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
        if (chdir(folder) != 0)
            _exit(99);
        exit(toy_main(3, argv));
    }
    int pauses = 0;
    for (ssize_t got; (got = read(master, seen + size, sizeof seen - 1 - size)) > 0;) {
        size += (size_t)got;
        seen[size] = '\0';
        int shown = 0;
        for (const char *at = seen; (at = strstr(at, "-- Enter for step")); at++)
            shown++;
        if (shown > pauses && keys[pauses]) {
            char line[] = {keys[pauses++], '\n'};
            if (write(master, line[0] == '\n' ? "\n" : line, line[0] == '\n' ? 1 : 2) < 0)
                break;
        }
    }
    waitpid(child, NULL, 0);
    close(master);
    return seen;
}

START_TEST(pauses_for_a_class)
{
    char *folder = scratch_folder();
    const char *seen = at_terminal(folder, "\n\n");
    ck_assert(strstr(seen, "-- Enter for step 2 of 3: Claims of all kinds"));
    ck_assert(strstr(seen, "-- Enter for step 3 of 3: The end 끝"));
    ck_assert(strstr(seen, "the last step"));
    ck_assert(strstr(seen, "\033[32mholds\033[0m"));
    ck_assert(strstr(seen, "\033[31mfails\033[0m"));
    char *text = slurp(in(folder, "outputs/99_toy/trace.txt"));
    ck_assert(!strstr(text, "Enter") && !strchr(text, '\033'));
    free(text);
    seen = at_terminal(folder, "\nq");
    ck_assert(!strstr(seen, "the last step"));
    ck_assert(strstr(seen, "The ledger"));
    scratch_remove(folder);
}
END_TEST

START_TEST(a_pause_without_a_terminal)
{
    char *folder = scratch_folder();
    Run toy = run(folder, "--pause --no-plots");
    ck_assert_int_eq(toy.status, 0);
    ck_assert(strstr(toy.err, "--pause needs a terminal"));
    ck_assert(strstr(toy.out, "the last step"));
    free_run(toy);
    scratch_remove(folder);
}
END_TEST

/* ---- for tests, and for authors -------------------------------------------------------------------- */

START_TEST(a_lab_without_a_command_line)
{
    char *folder = scratch_folder();
    Toy self = {.window = 1, .model = "cbow"};
    Lab *lab = lab_open(in(folder, "x/y"), 3, true, false);
    ck_assert(lab->quick && !lab->plots && lab->seed == 3);
    step_numbers(lab, &self);
    step_doubt(lab, &self);
    ck_assert_int_eq(claims_verdict(lab->claims, "two"), HOLDS);
    ck_assert_int_eq(claims_verdict(lab->claims, "later"), SKIPPED);
    ck_assert_int_eq(lab_close(lab), 0);
    ck_assert(exists(in(folder, "x/y/trace.txt")));
    ck_assert(exists(in(folder, "x/y/numbers.tsv")));
    ck_assert(!exists(in(folder, "x/y/numbers.png")));
    scratch_remove(folder);
}
END_TEST

static void nothing(Lab *lab, void *state)
{
    (void)lab, (void)state;
}

static void run_with(const LabOption *options)
{
    static const LabStep steps[] = {{"a", "A", nothing}, {0}};
    char *argv[] = {(char[]){"lab"}, NULL};
    lab_main(1, argv, &(LabInfo){.stem = "99_toy", .title = "T", .steps = steps, .options = options}, NULL);
}

START_TEST(an_option_without_a_target)
{
    run_with((LabOption[]){{.name = "x", .value = "N", .help = "h"}, {0}});
}
END_TEST

START_TEST(an_option_that_every_lab_has)
{
    bool given;
    run_with((LabOption[]){{.name = "quick", .help = "h", .given = &given}, {0}});
}
END_TEST

START_TEST(the_first_line_is_out_at_once)
{
    char *folder = scratch_folder();
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    struct timespec began, first;
    clock_gettime(CLOCK_MONOTONIC, &began);
    setenv("TOY_WAITS", "1", 1);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        char *argv[] = {(char[]){"99_toy"}, NULL};
        dup2(ends[1], STDOUT_FILENO);
        if (chdir(folder) != 0)
            _exit(99);
        exit(toy_main(1, argv));
    }
    char byte;
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    clock_gettime(CLOCK_MONOTONIC, &first);
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    double seconds = (double)(first.tv_sec - began.tv_sec) + 1e-9 * (double)(first.tv_nsec - began.tv_nsec);
    ck_assert_msg(seconds < 0.2, "the first byte came after %g s", seconds); /* 0.02 on an idle machine */
    scratch_remove(folder);
}
END_TEST

static void note_begin(Lab *lab, void *state)
{
    trace(lab->trace, "%s begins\n", (const char *)state);
}

static void note_end(Lab *lab, void *state)
{
    trace(lab->trace, "%s ends\n", (const char *)state);
}

/* What is done before the first step and after the last, whichever they are. */
START_TEST(before_and_after_the_steps)
{
    char *folder = scratch_folder();
    static const LabStep steps[] = {{"a", "A", nothing}, {"b", "B", nothing}, {0}};
    char *argv[] = {(char[]){"lab"}, (char[]){"--quiet"}, (char[]){"--step=2"}, (char[]){"--out"}, folder, NULL};
    LabInfo info = {.stem = "99_toy", .title = "T", .steps = steps, .begin = note_begin, .end = note_end};
    ck_assert_int_eq(lab_main(5, argv, &info, (char[]){"x"}), 0);
    char *text = slurp(in(folder, "99_toy/trace.txt"));
    const char *begins = strstr(text, "x begins\n"), *step = strstr(text, "Step 2 of 2. B"),
               *ends = strstr(text, "x ends\n");
    ck_assert(begins && step && ends && begins < step && step < ends && !strstr(text, "Step 1"));
    free(text);
    scratch_remove(folder);
}
END_TEST

static void run_info(const LabInfo *info, const char *argument)
{
    char *argv[] = {(char[]){"lab"}, (char *)argument, NULL};
    lab_main(2, argv, info, NULL);
}

START_TEST(labs_that_are_none)
{
    static LabStep many[40];
    static LabOption options[70];
    int numbers[70];
    static const LabStep steps[] = {{"a", "A", nothing}, {0}};
    for (int i = 0; i < 33; i++)
        many[i] = steps[0];
    for (int i = 0; i < 65; i++)
        options[i] = (LabOption){.name = "x", .value = "N", .help = "h", .whole = &numbers[i]};
    ASSERT_SAYS(DIES(1, (run_info(&(LabInfo){.stem = "s", .steps = steps}, "-l"), 0)), "a lab needs a stem, a title");
    ASSERT_SAYS(DIES(1, (run_info(&(LabInfo){.stem = "s", .title = "t", .steps = many}, "-l"), 0)),
                "lab s has 33 steps; it should have 1 to 32");
    ASSERT_SAYS(DIES(1, (run_info(&(LabInfo){.stem = "s", .title = "t", .steps = steps, .options = options}, "-l"), 0)),
                "lab s has more than 64 options");
}
END_TEST

/* Numbers without bounds: their help, and what they refuse. */
START_TEST(numbers_without_bounds)
{
    int count = 3;
    double number = 0.25;
    static const LabStep steps[] = {{"a", "A", nothing}, {0}};
    const LabOption options[] = {
        {.name = "a-very-long-name-of-an-option", .value = "N", .help = "how many", .whole = &count},
        {.name = "number", .value = "X", .help = "how much", .number = &number},
        {0}};
    LabInfo info = {.stem = "s", .title = "t", .steps = steps, .options = options};
    ASSERT_SAYS(DIES(2, (run_info(&info, "--number=x"), 0)), "--number takes a number, not 'x'");
    ASSERT_SAYS(DIES(2, (run_info(&info, "--number=1e999"), 0)), "--number takes a number, not '1e999'");
    ASSERT_SAYS(DIES(2, (run_info(&info, "--a-very-long-name-of-an-option=3000000000"), 0)),
                "takes a whole number from -2147483648 to 2147483647, not '3000000000'");
    char *folder = scratch_folder();
    pid_t child = fork();
    if (child == 0) {
        dup2(open(in(folder, "help"), O_WRONLY | O_CREAT, 0666), STDOUT_FILENO);
        run_info(&info, "--help");
    }
    waitpid(child, NULL, 0);
    char *help = slurp(in(folder, "help"));
    ck_assert(
        strstr(help, "      --a-very-long-name-of-an-option N\n                          how many (default 3)\n"));
    ck_assert(strstr(help, "how much (default 0.25)\n"));
    free(help);
    scratch_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab");
    TCase *lines = tcase_create("a_wrong_command_line");
    tcase_add_loop_test(lines, a_wrong_command_line, 0, sizeof wrong / sizeof *wrong);
    suite_add_tcase(suite, lines);
    TCase *steps = tcase_create("steps_are_chosen");
    tcase_add_loop_test(steps, steps_are_chosen, 0, sizeof chosen / sizeof *chosen);
    suite_add_tcase(suite, steps);
    TCase *signals = tcase_create("signals_leave_the_earlier_files");
    tcase_add_loop_test(signals, signals_leave_the_earlier_files, 0, 3);
    suite_add_tcase(suite, signals);
    TCase *closed = tcase_create("standard_output_is_closed");
    tcase_add_loop_test(closed, standard_output_is_closed, 0, 2);
    suite_add_tcase(suite, closed);
    test_add(suite, "help_list_and_version", help_list_and_version);
    test_add(suite, "options_reach_the_lab", options_reach_the_lab);
    test_add(suite, "a_run_and_its_files", a_run_and_its_files);
    test_add(suite, "the_same_seed_the_same_bytes", the_same_seed_the_same_bytes);
    test_add(suite, "quiet_and_check", quiet_and_check);
    test_add(suite, "skipped_at_quick", skipped_at_quick);
    test_add(suite, "a_run_that_fails_leaves_the_earlier_files", a_run_that_fails_leaves_the_earlier_files);
    test_add(suite, "a_folder_that_cannot_be_written", a_folder_that_cannot_be_written);
    test_add(suite, "two_runs_do_not_mix", two_runs_do_not_mix);
    test_add(suite, "a_figure_that_fails", a_figure_that_fails);
    test_add(suite, "a_signal_while_gnuplot_draws", a_signal_while_gnuplot_draws);
    test_add(suite, "no_gnuplot", no_gnuplot);
    test_add(suite, "pauses_for_a_class", pauses_for_a_class);
    test_add(suite, "a_pause_without_a_terminal", a_pause_without_a_terminal);
    test_add(suite, "a_lab_without_a_command_line", a_lab_without_a_command_line);
    test_add_exit(suite, "an_option_without_a_target", an_option_without_a_target, 1);
    test_add_exit(suite, "an_option_that_every_lab_has", an_option_that_every_lab_has, 1);
    test_add(suite, "the_first_line_is_out_at_once", the_first_line_is_out_at_once);
    test_add(suite, "before_and_after_the_steps", before_and_after_the_steps);
    test_add(suite, "labs_that_are_none", labs_that_are_none);
    test_add(suite, "numbers_without_bounds", numbers_without_bounds);
    return test_run(suite);
}
