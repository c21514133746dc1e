/* Tests of labs/02_word2vec: the trainer against its textbook version and
 * against central differences, files of vectors, the claims over five seeds,
 * the reference trace. */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "scratch.h"

int lab_02_main(int argc, char **argv);
#define main lab_02_main
#include "../labs/02_word2vec/main.c"
#undef main

#include "kernels.h"
#include "maths.h"
#include "memory.h"

/* ---- a small model ------------------------------------------------------------ */

static Text *small_text(uint64_t seed)
{
    Rng rng = rng_new(seed, "text");
    WordWorld *world = wordworld_new(1.2, 0.2);
    Text *text = text_of_world(world, &rng, 3000);
    wordworld_free(world);
    return text;
}

/* A model whose rows are all different from zero. */
static Model *small_model(Text *text, LossKind loss, int dimension)
{
    Setting setting = {.loss = loss, .dimension = dimension};
    Rng rng = rng_new(7, "model");
    Model *model = model_new(text, &setting, NULL, &rng);
    for (int w = 0; w < model->outputs; w++)
        for (int i = 0; i < dimension; i++)
            model->output[(size_t)w * model->stride + i] = rng_between(&rng, -1, 1);
    for (int w = 0; w < model->inputs; w++)
        for (int i = 0; i < dimension; i++)
            model->input[(size_t)w * model->stride + i] = rng_between(&rng, -1, 1);
    return model;
}

static size_t output_size(const Model *model)
{
    return (size_t)model->outputs * model->stride;
}

/* ---- fused equals plain, to the bit ------------------------------------------------ */

START_TEST(fused_equals_plain)
{
    Text *text = small_text(1);
    static const int dimensions[] = {1, 15, 16, 17, 100};
    static const int repeated[] = {3, 9, 3, 40, 41, 42, 43, 44, 45, 46, 47}; /* a noise word drawn twice */
    for (int loss = 0; loss < 3; loss++)
        for (int d = 0; d < 5; d++)
            for (int count = 0; count <= 11; count++) {
                Model *a = small_model(text, loss, dimensions[d]), *b = small_model(text, loss, dimensions[d]);
                real *ga = memory_new((size_t)a->stride, sizeof(real), "test"),
                     *gb = memory_new((size_t)a->stride, sizeof(real), "test");
                double x = learn_example(a, loss, a->input, 5 + count, repeated, count, (real)0.1, ga, false);
                double y = learn_example(b, loss, b->input, 5 + count, repeated, count, (real)0.1, gb, true);
                ck_assert(x == y);
                ck_assert(x > 0);
                ck_assert_mem_eq(ga, gb, a->stride * sizeof(real));
                ck_assert_mem_eq(a->output, b->output, output_size(a) * sizeof(real));
                free(ga);
                free(gb);
                model_free(a);
                model_free(b);
            }
    text_free(text);
}
END_TEST

/* ---- gradients ------------------------------------------------------------------------ */

/* The loss alone, at the model's present numbers. */
static double loss_at(Model *model, LossKind loss, real *h, int word, const int *negatives)
{
    return learn_example(model, loss, h, word, negatives, 5, 0, NULL, true);
}

/* With rate 1 a step is the negative gradient itself. */
START_TEST(gradient_is_the_derivative)
{
    enum { DIMENSION = 6, WORD = 11 };
    static const int negatives[] = {2, 30, 31, 100, 200};
    /* Central differences are as good as the numbers they are made of. */
    const double e = REAL_IS_DOUBLE ? 1e-5 : 1e-2, tolerance = REAL_IS_DOUBLE ? 1e-6 : 5e-3;
    Text *text = small_text(2);
    for (int loss = 0; loss < 3; loss++) {
        Model *model = small_model(text, loss, DIMENSION), *moved = small_model(text, loss, DIMENSION);
        real *h = model->input, gradient[16] = {0};
        learn_example(moved, loss, moved->input, WORD, negatives, 5, 1, gradient, false);
        for (int i = 0; i < DIMENSION; i++) {
            real keep = h[i];
            h[i] = keep + (real)e;
            double above = loss_at(model, loss, h, WORD, negatives);
            h[i] = keep - (real)e;
            double below = loss_at(model, loss, h, WORD, negatives);
            h[i] = keep;
            ck_assert_double_eq_tol(-(double)gradient[i], (above - below) / (2 * e), tolerance);
        }
        for (int w = 0; w < model->outputs; w += loss == HIERARCHICAL_SOFTMAX ? 1 : 3)
            for (int i = 0; i < DIMENSION; i++) {
                real *x = &model->output[(size_t)w * model->stride + i], keep = *x;
                double step = (double)(moved->output[(size_t)w * model->stride + i] - keep);
                *x = keep + (real)e;
                double above = loss_at(model, loss, h, WORD, negatives);
                *x = keep - (real)e;
                double below = loss_at(model, loss, h, WORD, negatives);
                *x = keep;
                ck_assert_double_eq_tol(-step, (above - below) / (2 * e), tolerance);
            }
        model_free(model);
        model_free(moved);
    }
    text_free(text);
}
END_TEST

/* ---- what is asked ------------------------------------------------------------------ */

START_TEST(huffman_codes_are_the_best)
{
    /* 9 5 3 2 1 1: by hand, code lengths 1 2 3 4 5 5. */
    static const uint64_t counts[] = {9, 5, 3, 2, 1, 1};
    static const int lengths[] = {1, 2, 3, 4, 5, 5};
    Huffman *tree = huffman_new(counts, 6);
    double kraft = 0;
    for (int w = 0; w < 6; w++) {
        ck_assert_int_eq(tree->begin[w + 1] - tree->begin[w], lengths[w]);
        kraft += 1.0 / (1 << lengths[w]);
        ck_assert_int_eq(tree->node[tree->begin[w]], 4); /* the root is the last inner node */
    }
    ck_assert(kraft == 1);
    huffman_free(tree);
}
END_TEST

START_TEST(noise_follows_the_counts)
{
    static const uint64_t counts[] = {1000, 100, 10, 1};
    enum { DRAWS = 400000 };
    Sampler *sampler = sampler_new(counts, 4, 0.75);
    Rng rng = rng_new(3, "noise");
    double seen[4] = {0}, sum = 0, share[4];
    for (int i = 0; i < DRAWS; i++)
        seen[sampler_draw(sampler, &rng)]++;
    for (int w = 0; w < 4; w++)
        sum += share[w] = exp64(0.75 * log64((double)counts[w]));
    for (int w = 0; w < 4; w++) {
        double p = share[w] / sum;
        ck_assert_double_eq_tol(seen[w] / DRAWS, p, 4 * __builtin_sqrt(p * (1 - p) / DRAWS));
    }
    sampler_free(sampler);
}
END_TEST

/* Windows of all sizes up to 3 are drawn evenly: distance d is kept with
 * probability (3 - d + 1) / 3. */
START_TEST(windows_of_all_sizes)
{
    Text *text = small_text(4);
    Setting setting = {.model = SKIPGRAM, .loss = FULL_SOFTMAX, .window = 3, .epochs = 4};
    double all[4] = {0}, seen = 0;
    for (int s = 0; s < text->sentences; s++) {
        int n = (int)(text->start[s + 1] - text->start[s]);
        for (int d = 1; d <= 3; d++)
            all[d] += n > d ? 2 * (n - d) * 4 : 0;
    }
    Reader *reader = reader_new(text, &setting, rng_new(5, "windows"));
    for (const Batch *batch; (batch = reader_next(reader));)
        seen += batch->examples;
    double expected = all[1] + all[2] * 2 / 3 + all[3] / 3;
    ck_assert_double_eq_tol(seen / expected, 1, 0.01);
    reader_free(reader);
    text_free(text);
}
END_TEST

/* ---- threads -------------------------------------------------------------------------- */

START_TEST(threads_change_nothing)
{
    Text *text = small_text(6);
    for (int kind = 0; kind < 4; kind++) {
        Model *model[2];
        for (int t = 0; t < 2; t++) {
            Setting setting = {.model = kind / 2,
                               .loss = kind % 2,
                               .dimension = 20,
                               .window = 4,
                               .negatives = 3,
                               .epochs = 3,
                               .rate = (real)0.05,
                               .subsample = 1e-3,
                               .noise_power = 0.75,
                               .threads = t + 1};
            model[t] = train(text, &setting, NULL, rng_new(1, "threads"), NULL, NULL);
        }
        ck_assert_mem_eq(model[0]->input, model[1]->input, (size_t)model[0]->inputs * model[0]->stride * sizeof(real));
        ck_assert_mem_eq(model[0]->output, model[1]->output, output_size(model[0]) * sizeof(real));
        model_free(model[0]);
        model_free(model[1]);
    }
    text_free(text);
}
END_TEST

/* ---- files of vectors ------------------------------------------------------------------- */

START_TEST(vectors_round_trip)
{
    char *folder = scratch_folder();
    Text *text = small_text(8);
    Model *model = small_model(text, NEGATIVE_SAMPLING, 19);
    model->input[0] = REAL_EPSILON * REAL_EPSILON;
    Vectors *vectors = vectors_of_model(model, text->vocab);
    vectors_save(vectors, in(folder, "v.txt"));
    Vectors *again = vectors_load(in(folder, "v.txt"));
    ck_assert_int_eq(again->words, vectors->words);
    ck_assert_int_eq(again->dimension, 19);
    for (int w = 0; w < again->words; w++)
        ck_assert_str_eq(again->vocab->word[w], vectors->vocab->word[w]);
    ck_assert_mem_eq(again->raw, vectors->raw, (size_t)again->words * again->stride * sizeof(real));
    ck_assert_mem_eq(again->unit, vectors->unit, (size_t)again->words * again->stride * sizeof(real));
    vectors_free(vectors);
    vectors_free(again);
    model_free(model);
    text_free(text);
    scratch_remove(folder);
}
END_TEST

/* Runs JOB in a child; returns its exit status, or 1000 + the signal that
 * ended it.  What it says on stderr is in MESSAGE. */
static int status_of(void (*job)(const char *), const char *argument, char *message, size_t size)
{
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(ends[1], 2);
        dup2(nowhere, 1);
        close(ends[0]);
        job(argument);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], message + length, size - 1 - length)) > 0;)
        length += (size_t)got;
    message[length] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void load(const char *path)
{
    vectors_free(vectors_load(path));
}

/* Each is refused with one line that says where, and nothing is written. */
START_TEST(hostile_vectors)
{
    static const char *const hostile[][2] = {
        {"", "line 1"},
        {"hello\n", "line 1"},
        {"2\n", "line 1"},
        {"-1 3\na 1 2 3\n", "line 1"},
        {"2 3x\na 1 2 3\n", "line 1"},
        {"0 3\n", "at least 1 word"},
        {"1 0\na\n", "at least 1 word"},
        {"1 100001\na 1\n", "dimensions"},
        {"99999999999999999999 2\na 1 2\n", "more than the file"},
        {"1000000000 1000\na 1 2\n", "more than the file"},
        {"2 2\na 1 2\n", "more than the file"},
        {"2 2\na 1.0000 2.00000\n", "ends after 1"},
        {"1 3\na 1.0 2.0\n", "2 numbers instead of 3"},
        {"1 2\na 1 2 3\n", "3 numbers instead of 2"},
        {"1 2\na 1 nan\n", "not a coordinate"},
        {"1 2\na inf 1\n", "not a coordinate"},
        {"1 2\na 1 1e99\n", "not a coordinate"},
        {"1 2\na 1 two\n", "not a number"},
        {"1 2\na 1 2x\n", "not a number"},
        {"1 2\n 1 2 \n", "begins with a space"},
        {"2 2\na 1 2\na 3 4\n", "a second time"},
        {"1 2\na 1 2\nb 3 4\n", "more words than"},
        {"1 2\n\xff\xfe 1 2\n", "not valid UTF-8"},
    };
    char *folder = scratch_folder(), message[4096];
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        spit(in(folder, "v.txt"), hostile[i][0]);
        int status = status_of(load, in(folder, "v.txt"), message, sizeof message);
        ck_assert_msg(status == 1, "file %zu: status %d, %s", i, status, message);
        ck_assert_msg(strstr(message, hostile[i][1]) != NULL, "file %zu: %s", i, message);
        ck_assert_msg(strchr(message, '\n') == message + strlen(message) - 1, "not one line: %s", message);
    }
    ck_assert_int_eq(status_of(load, folder, message, sizeof message), 1);
    ck_assert_ptr_nonnull(strstr(message, "folder"));
    ck_assert_int_eq(status_of(load, in(folder, "none"), message, sizeof message), 1);
    spit(in(folder, "v.txt"), "2 2\nfine 1 2 \n  \n"); /* a blank line is no word */
    ck_assert_int_eq(status_of(load, in(folder, "v.txt"), message, sizeof message), 1);
    spit(in(folder, "v.txt"), "1 2\r\nfine 1 2 \r\n\r\n"); /* Windows, and the original program's space */
    ck_assert_msg(status_of(load, in(folder, "v.txt"), message, sizeof message) == 0, "%s", message);
    scratch_remove(folder);
}
END_TEST

/* ---- the lab ----------------------------------------------------------------------------- */

/* Runs the lab's main with ARGUMENTS (words with a space between). */
static void run(const char *arguments)
{
    char *copy = strdup(arguments), *argv[32] = {"02_word2vec"};
    int argc = 1;
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    exit(lab_02_main(argc, argv));
}

static int run_status(char *message, size_t size, const char *format, ...)
{
    char arguments[8192];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    return status_of(run, arguments, message, size);
}

/* Every figure has its data, without a NaN, and its script. */
static void check_figures(const char *folder)
{
    static const char *const names[] = {
        "training_pairs",   "loss_curves", "cost_vs_vocabulary", "embedding_map",           "cosine_heatmap",
        "rare_vs_frequent", "pmi_scatter", "cooccurrence",       "cost_vs_vocabulary_time", "analogy_map"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[128];
        snprintf(name, sizeof name, "02_word2vec/%s.tsv", names[i]);
        char *data = slurp(in(folder, name));
        ck_assert_msg(strlen(data) > 50, "%s", name);
        ck_assert_msg(strstr(data, "NaN") == NULL, "%s has a NaN", name);
        free(data);
        snprintf(name, sizeof name, "02_word2vec/%s.gp", names[i]);
        ck_assert_msg(exists(in(folder, name)), "%s", name);
    }
}

/* The whole lab at the reference seed: every byte as expected. */
START_TEST(reference_trace)
{
    char *folder = scratch_folder(), message[4096];
    int status = run_status(message, sizeof message, "--quick --quiet --no-plots --seed 42 --out %s", folder);
    ck_assert_msg(status == 0, "%s", message);
    static const char *const files[] = {"trace.txt", "claims.tsv"};
    for (int i = 0; i < 2; i++) {
        char name[64];
        snprintf(name, sizeof name, "02_word2vec/%s", files[i]);
        char *found = slurp(in(folder, name)), *expected = slurp(in("tests/expected", name));
        ck_assert_msg(strcmp(found, expected) == 0, "%s differs from tests/expected/%s (see make golden)", files[i],
                      name);
        free(found);
        free(expected);
    }
    check_figures(folder);
    scratch_remove(folder);
}
END_TEST

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 1 }; /* a run takes a minute there */
#else
enum { SEEDS = 5 };
#endif

/* Seeds that were not looked at while the lab was written. */
START_TEST(claims_hold)
{
    char *folder = scratch_folder(), message[4096];
    int status = run_status(message, sizeof message, "--quick --quiet --no-plots --check --seed %d --out %s",
                            90001 + _i, folder);
    ck_assert_msg(status == 0, "%s", message);
    scratch_remove(folder);
}
END_TEST

START_TEST(bad_input)
{
    char *folder = scratch_folder(), message[4096];
    static const char *const wrong[] = {"--window 0",     "--window 51",  "--dimension 0",  "--dimension 1000000",
                                        "--dimension -3", "--epochs 0",   "--negatives 51", "--min-count 0",
                                        "--model lstm",   "--loss hinge", "--rate 0",       "--rate nan",
                                        "--step 99",      "--seed x",     "--nonsense"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int status = run_status(message, sizeof message, "%s --out %s", wrong[i], folder);
        ck_assert_msg(status == 2, "%s: status %d", wrong[i], status);
        ck_assert_msg(strchr(message, '\n') == message + strlen(message) - 1, "%s: not one line: %s", wrong[i],
                      message);
    }
    spit(in(folder, "one.txt"), "word word word word word word word word word\n");
    spit(in(folder, "empty.txt"), "");
    spit(in(folder, "blank.txt"), " \n\n  \n");
    spit(in(folder, "binary.txt"), "hello \xff\xfe world\n");
    spit(in(folder, "rare.txt"), "every word of this text is seen once\n");
    static const char *const files[] = {"one.txt",  "empty.txt",   "blank.txt", "binary.txt",
                                        "rare.txt", "missing.txt", ""};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int status = run_status(message, sizeof message, "--step own --quiet --corpus %s --out %s",
                                in(folder, files[i]), folder);
        ck_assert_msg(status == 1, "%s: status %d", files[i], status);
        ck_assert_msg(strchr(message, '\n') == message + strlen(message) - 1, "%s: not one line: %s", files[i],
                      message);
    }
    scratch_remove(folder);
}
END_TEST

/* A small text of one's own, in bounded memory, and its vectors read back. */
START_TEST(own_text)
{
    char *folder = scratch_folder(), message[4096];
    Rng rng = rng_new(9, "text");
    WordWorld *world = wordworld_new(1.2, 0.2);
    char *text = wordworld_text(world, &rng, 20000);
    spit(in(folder, "text.txt"), text);
    int status = run_status(message, sizeof message, "--step own --quiet --corpus %s --similar 은행 --out %s",
                            in(folder, "text.txt"), folder);
    ck_assert_msg(status == 0, "%s", message);
    char *trace_text = slurp(in(folder, "02_word2vec/trace.txt"));
    ck_assert_ptr_nonnull(strstr(trace_text, "금융"));
    free(trace_text);
    status = run_status(message, sizeof message, "--step own --quiet --vectors %s --similar 은헹 --out %s",
                        in(folder, "02_word2vec/vectors.txt"), folder);
    ck_assert_msg(status == 0, "%s", message);
    trace_text = slurp(in(folder, "02_word2vec/trace.txt"));
    ck_assert_msg(strstr(trace_text, "\"은헹\" is not among") != NULL && strstr(trace_text, "은행") != NULL, "%s",
                  trace_text);
    free(trace_text);
    free(text);
    wordworld_free(world);
    scratch_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab 02");
    test_add(suite, "fused_equals_plain", fused_equals_plain);
    test_add(suite, "gradient_is_the_derivative", gradient_is_the_derivative);
    test_add(suite, "huffman_codes_are_the_best", huffman_codes_are_the_best);
    test_add(suite, "noise_follows_the_counts", noise_follows_the_counts);
    test_add(suite, "windows_of_all_sizes", windows_of_all_sizes);
    test_add(suite, "threads_change_nothing", threads_change_nothing);
    test_add(suite, "vectors_round_trip", vectors_round_trip);
    test_add(suite, "hostile_vectors", hostile_vectors);
    test_add(suite, "own_text", own_text);
    test_add(suite, "bad_input", bad_input);
    TCase *seeds = tcase_create("claims_hold");
    tcase_set_timeout(seeds, 300);
    tcase_add_loop_test(seeds, claims_hold, 0, SEEDS);
    suite_add_tcase(suite, seeds);
    test_add(suite, "reference_trace", reference_trace);
    return test_run(suite);
}
