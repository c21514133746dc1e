/* faults.c: a run in which one call of the system fails, for each call in turn:
 * it ends well or with one clear line, and no file is half or lost.  (make faults
 * does the same with the labs.) */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>

#include "corpus.h"
#include "inject/inject.h"
#include "lab.h"
#include "nn.h"
#include "ops.h"
#include "optim.h"
#include "parallel.h"
#include "scratch.h"
#include "test.h"
#include "vocab.h"
#include "weights.h"

#define STEM "98_faults"

/* ---- a lab that uses all there is ------------------------------------------------ */

static void draw(Lab *lab, void *state)
{
    (void)state;
    Rng rng = lab_rng(lab, "draw");
    static const char *const words[] = {"은행", "tab\t", "c"};
    real x[3], y[3];
    char title[64];
    for (int i = 0; i < 3; i++) {
        x[i] = (real)(i + 1);
        y[i] = rng_normal(&rng);
    }
    snprintf(title, sizeof title, "은행 %d", (int)lab->seed);
    Figure *figure = figure_begin(lab->figures, "curves", title);
    Panel *panel = figure_panel(figure, "left", "x", "y");
    panel_line(panel, "line", x, y, 3);
    panel_points(panel, "points", x, y, words, 3);
    panel_heatmap(figure_panel(figure, "right", NULL, NULL), y, 1, 3, NULL, words, SIGNED);
    figure_end(figure);
    figure = figure_begin(lab->figures, "bars", title);
    panel_bars(figure_panel(figure, NULL, "word", "count"), NULL, words, y, NULL, 3);
    figure_end(figure);
    lab_raster(lab, "pixels", y, 1, 3, words, words, SIGNED, 4);
    trace_matrix(lab->trace, HERE, "y", y, 1, 3, NULL, words, 3);
    trace_table(lab->trace, "word\tnumber");
    for (int i = 0; i < 3; i++)
        trace_row(lab->trace, "%d\t%.3f", i, (double)y[i]);
    trace_table_end(lab->trace);
    claim(lab->claims, (Claim){.id = "drawn",
                               .statement = "a number that differs from seed to seed",
                               .source = "chance",
                               .measured = (double)y[0],
                               .test = AT_MOST,
                               .bound = 10});
}

static void count_word(Lab *lab, const char *path)
{
    int ids[8], n = 0, words = 0;
    Corpus *corpus = corpus_open(path, false);
    Vocab *vocab = vocab_new();
    corpus_count(corpus, vocab);
    vocab_sort_by_count(vocab, 1, 0);
    corpus_rewind(corpus);
    while ((n = corpus_sentence(corpus, vocab, -1, ids, 8)) >= 0)
        words += n;
    trace(lab->trace, "%d words, %d different\n", words, vocab->size);
    corpus_close(corpus);
    vocab_free(vocab);
}

static void half(int i, void *context)
{
    ((real *)context)[i] /= 2;
}

static void learn(Lab *lab, void *state)
{
    (void)state;
    Rng rng = lab_rng(lab, "learn");
    Parameters *parameters = parameters_new();
    Tensor *w = parameter_normal(parameters, "w", SHAPE(2, 2), 1, &rng);
    Tape *tape = tape_new(1);
    parallel_for(2, 4, half, w->data);
    op_matmul(tape, w, w);
    trace_vector(lab->trace, HERE, "w", w->data, 4, NULL, 4);
    weights_save("weights.safetensors", parameters);
    weights_load("weights.safetensors", parameters);
    tape_free(tape);
    parameters_free(parameters);
    count_word(lab, "corpus.txt");
}

static int faults_main(const char *seed)
{
    static const LabStep steps[] = {{"draw", "Figures", draw}, {"learn", "Files that are read", learn}, {0}};
    char *arguments[] = {(char *)STEM, (char[]){"--seed"}, (char *)seed, NULL};
    return lab_main(3, arguments, &(LabInfo){.stem = STEM, .title = "Faults", .question = "Which?", .steps = steps},
                    NULL);
}

/* ---- one run ---------------------------------------------------------------------- */

static const char *const files[] = {"trace.txt", "claims.tsv", "timing.tsv", "curves.tsv", "curves.gp", "curves.png",
                                    "bars.tsv",  "bars.gp",    "bars.png",   "pixels.tsv", "pixels.png"};
enum { FILES = sizeof files / sizeof *files, TIMING = 2 };

typedef struct {
    int number;
    bool lasting;
} Fault;

/* A gnuplot whose picture tells one run from another, and an fc-list. */
static void install_programs(const char *folder)
{
    char path[9000];
    mkdir(in(folder, "bin"), 0755);
    spit(in(folder, "bin/gnuplot"),
         "#!/bin/sh\neval \"$3\"\n"
         "{ printf '\\211PNG\\r\\n\\032\\n'; /bin/cat \"${4%.gp}.tsv\"; printf 'IEND1234'; } >\"$picture\"\n");
    spit(in(folder, "bin/fc-list"), "#!/bin/sh\necho 'TrueType|NanumGothic|20-10ffff'\n");
    chmod(in(folder, "bin/gnuplot"), 0755);
    chmod(in(folder, "bin/fc-list"), 0755);
    snprintf(path, sizeof path, "%s/bin", folder);
    setenv("PATH", path, 1);
    spit(in(folder, "corpus.txt"), "a bank is a bank .\n은행 은 은행 .\n");
}

static void name_fault(void)
{
    const char *name = fault_name();
    fault_plan(0, false, false);
    if (name)
        spit("failed", name);
}

/* Runs the lab with a fault; returns its status.  FOLDER/count: how many calls
 * there were; FOLDER/failed: which function failed. */
static int run(const char *folder, const char *seed, Fault fault)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (chdir(folder) != 0)
            _exit(99);
        dup2(open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDOUT_FILENO);
        dup2(open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
        unlink("weights.safetensors");
        unlink("failed");
        atexit(name_fault);
        fault_plan(fault.number, false, fault.lasting);
        int ended = faults_main(seed), calls = fault_count();
        name_fault();
        FILE *count = fopen("count", "w");
        fprintf(count, "%d", calls);
        fclose(count);
        exit(ended);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static const char *output(const char *folder, const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "outputs/%s/%s", STEM, name);
    return in(folder, path);
}

/* ---- what it left ------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    struct stat of_a, of_b;
    if (stat(a, &of_a) != 0 || stat(b, &of_b) != 0 || of_a.st_size != of_b.st_size)
        return false;
    char *x = slurp(a), *y = slurp(b);
    bool result = memcmp(x, y, (size_t)of_a.st_size) == 0;
    free(x);
    free(y);
    return result;
}

/* Of files that depend on the fonts that were found: the end is there. */
static bool is_whole(const char *path)
{
    char *text = slurp(path);
    size_t length = strlen(text);
    bool script = strstr(path, ".gp"), picture = strstr(path, ".png");
    bool result = (script && strstr(text, "END\n") && strstr(text, "plot ") && text[length - 1] == '\n') ||
                  (picture && length > 8 && strcmp(text + length - 8, "IEND1234") == 0);
    free(text);
    return result;
}

static int lines(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

static void no_parts(const char *path, const char *what)
{
    DIR *open = opendir(path);
    for (struct dirent *entry; open && (entry = readdir(open));)
        ck_assert_msg(!strstr(entry->d_name, ".part"), "%s left %s", what, entry->d_name);
    if (open)
        closedir(open);
}

/* Each file is the one of the run before or the one of this run, whole; after a
 * run that ended well it is this run's, but for a picture that a warning names. */
static void check_files(const char *folder, const char *good, const char *earlier, int status, const char *err,
                        const char *what)
{
    no_parts(output(folder, ""), what);
    no_parts(folder, what);
    for (int i = 0; i < FILES; i++) {
        bool picture = strstr(files[i], ".png") && *err, fonts = strstr(err, "Korean words");
        bool is_new =
            same(output(folder, files[i]), output(good, files[i])) || (fonts && is_whole(output(folder, files[i])));
        bool is_old = same(output(folder, files[i]), output(earlier, files[i]));
        if (i == TIMING)
            continue;
        ck_assert_msg(is_new || (is_old && (status || picture)), "%s, status %d: %s is %s", what, status, files[i],
                      is_old ? "the earlier one" : "neither the earlier one nor a whole one");
    }
    ck_assert_msg(!exists(in(folder, "weights.safetensors")) ||
                      same(in(folder, "weights.safetensors"), in(good, "weights.safetensors")),
                  "%s, status %d: the weights are not whole", what, status);
    char *timing = slurp(output(folder, files[TIMING]));
    ck_assert_msg(lines(timing) == 4 && timing[strlen(timing) - 1] == '\n', "%s: timing.tsv is %s", what, timing);
    free(timing);
}

/* The files of an earlier run, without writing them again. */
static void put_earlier(const char *folder, const char *earlier)
{
    for (int i = 0; i < FILES; i++) {
        unlink(output(folder, files[i]));
        ck_assert_int_eq(link(output(earlier, files[i]), output(folder, files[i])), 0);
    }
}

static void run_well(const char *folder, const char *seed)
{
    install_programs(folder);
    int status = run(folder, seed, (Fault){0});
    char *err = slurp(in(folder, "stderr"));
    ck_assert_msg(status == 0 && !*err, "status %d without a fault: %s", status, err);
    free(err);
}

static void check_fault(const char *folder, const char *good, const char *earlier, Fault fault)
{
    char what[200];
    put_earlier(folder, earlier);
    int status = run(folder, "42", fault);
    char *err = slurp(in(folder, "stderr"));
    char *failed = slurp(in(folder, "failed"));
    snprintf(what, sizeof what, "call %d%s, %s, failed (%.100s)", fault.number, fault.lasting ? "+" : "", failed, err);
    free(failed);
    ck_assert_msg(status == 0 || status == 1, "%s: ended with status %d", what, status);
    ck_assert_msg(lines(err) == 1 || (lines(err) == 0 && status == 0) || (lines(err) > 1 && fault.lasting),
                  "%s, status %d, says: %s", what, status, err);
    ck_assert_msg(!*err || err[strlen(err) - 1] == '\n', "%s: half a line: %s", what, err);
    check_files(folder, good, earlier, status, err, what);
    free(err);
}

/* Every call of a good run fails once. */
static void check_all(bool lasting)
{
    char *good = scratch_folder(), *earlier = scratch_folder(), *folder = scratch_folder();
    run_well(good, "42");
    run_well(earlier, "7");
    run_well(folder, "42");
    for (int i = 0; i < FILES; i++)
        ck_assert_msg(i == TIMING || (same(output(good, files[i]), output(folder, files[i])) &&
                                      !same(output(good, files[i]), output(earlier, files[i]))),
                      "%s tells runs not apart", files[i]);
    char *count = slurp(in(folder, "count"));
    int calls = atoi(count);
    free(count);
    ck_assert_int_gt(calls, 100);
    for (int k = 1; k <= calls; k++)
        check_fault(folder, good, earlier, (Fault){k, lasting});
    scratch_remove(folder);
    scratch_remove(earlier);
    scratch_remove(good);
}

START_TEST(a_call_that_fails)
{
    check_all(false);
}
END_TEST

START_TEST(calls_that_fail_from_then_on)
{
    check_all(true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    test_add(suite, "a_call_that_fails", a_call_that_fails);
    test_add(suite, "calls_that_fail_from_then_on", calls_that_fail_from_then_on);
    return test_run(suite);
}
