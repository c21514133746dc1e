/* Tests of labs/02_word2vec: the trainer against its textbook version and
 * against central differences, files of vectors, the claims over five seeds,
 * the reference trace. */
#define _GNU_SOURCE
#define STEM "02_word2vec"
int lab_under_test(int argc, char **argv);
#define main lab_under_test
#include "../labs/02_word2vec/main.c"
#undef main

#define LLVMFuzzerTestOneInput fuzz_vectors
#include "fuzz/vectors.c"

#include "dies.h"
#include "fuzz/replay.h"
#include "kernels.h"
#include "lab_runs.h"
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
            for (int count = 0; count <= 12; count++) {
                const int *noise = count <= 11 ? repeated : repeated + 1; /* at last five words without a repetition */
                int k = count <= 11 ? count : 5;
                Model *a = small_model(text, loss, dimensions[d]), *b = small_model(text, loss, dimensions[d]);
                real *ga = memory_new((size_t)a->stride, sizeof(real), "test"),
                     *gb = memory_new((size_t)a->stride, sizeof(real), "test");
                double x = learn_example(a, loss, a->input, 5 + count, noise, k, (real)0.1, ga, false);
                double y = learn_example(b, loss, b->input, 5 + count, noise, k, (real)0.1, gb, true);
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

/* A window against shared noise: words that stand in it twice, noise words drawn
 * twice, odd and even numbers of pairs. */
START_TEST(window_fused_equals_plain)
{
    Text *text = small_text(1);
    static const int inputs[] = {7, 7, 12, 30, 12, 7, 50, 51, 52, 53, 54}, noise[] = {3, 9, 3, 40, 41, 42, 43};
    static const int dimensions[] = {1, 15, 16, 17, 100};
    for (int d = 0; d < 5; d++)
        for (int pairs = 1; pairs <= 11; pairs++)
            for (int from = 0; from < 2; from++) { /* from 1: five different words */
                int count = from ? 5 : 1 + pairs % 6;
                Model *a = small_model(text, NEGATIVE_SAMPLING, dimensions[d]);
                Model *b = small_model(text, NEGATIVE_SAMPLING, dimensions[d]);
                double x = learn_window_once(a, inputs, pairs, 60, noise + from, count, (real)0.1, false);
                double y = learn_window_once(b, inputs, pairs, 60, noise + from, count, (real)0.1, true);
                ck_assert_double_eq_tol(x, y, 1e-14 * y);
                ck_assert_mem_eq(a->input, b->input, (size_t)a->inputs * a->stride * sizeof(real));
                ck_assert_mem_eq(a->output, b->output, output_size(a) * sizeof(real));
                model_free(a);
                model_free(b);
            }
    text_free(text);
}
END_TEST

/* The loss of a window is the sum of its pairs' losses, and its step the sum of
 * their steps, each computed by learn_example from the rows as they were. */
START_TEST(window_is_the_sum_of_its_pairs)
{
    enum { DIMENSION = 20, WORD = 11, PAIRS = 5 };
    static const int inputs[PAIRS] = {4, 8, 4, 90, 17}, noise[] = {2, 30, 31, 100, 200};
    Text *text = small_text(3);
    Model *before = small_model(text, NEGATIVE_SAMPLING, DIMENSION),
          *sum = small_model(text, NEGATIVE_SAMPLING, DIMENSION);
    Model *window = small_model(text, NEGATIVE_SAMPLING, DIMENSION);
    double loss = 0, all = learn_window_once(window, inputs, PAIRS, WORD, noise, 5, (real)0.1, false);
    for (int e = 0; e < PAIRS; e++) {
        Model *pair = small_model(text, NEGATIVE_SAMPLING, DIMENSION);
        real gradient[32] = {0};
        size_t h = (size_t)inputs[e] * before->stride;
        loss += learn_example(pair, NEGATIVE_SAMPLING, before->input + h, WORD, noise, 5, (real)0.1, gradient, true);
        for (size_t i = 0; i < output_size(pair); i++)
            sum->output[i] += pair->output[i] - before->output[i];
        for (int i = 0; i < DIMENSION; i++)
            sum->input[h + i] += gradient[i];
        model_free(pair);
    }
    ck_assert_double_eq_tol(all, loss, 1e-9 * loss);
    for (size_t i = 0; i < output_size(sum); i++)
        ck_assert_double_eq_tol((double)window->output[i], (double)sum->output[i], 1e-5);
    for (size_t i = 0; i < (size_t)sum->inputs * sum->stride; i++)
        ck_assert_double_eq_tol((double)window->input[i], (double)sum->input[i], 1e-5);
    model_free(before);
    model_free(sum);
    model_free(window);
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
    for (int kind = 0; kind < 5; kind++) { /* the last: skip-gram, noise of a window */
        Model *model[2];
        for (int t = 0; t < 2; t++) {
            Setting setting = {.model = kind / 2 % 2,
                               .loss = kind % 2,
                               .dimension = 20,
                               .window = 4,
                               .negatives = 3,
                               .epochs = 3,
                               .rate = (real)0.05,
                               .subsample = 1e-3,
                               .noise_power = 0.75,
                               .shared_noise = kind == 4,
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
}
END_TEST

static void load(const char *bytes)
{
    spit(in(folder, "v.txt"), bytes);
    vectors_free(vectors_load(in(folder, "v.txt")));
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
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        ASSERT_SAYS(DIES(1, (load(hostile[i][0]), 0)), hostile[i][1]);
    ASSERT_SAYS(DIES(1, vectors_load(folder)), "folder");
    ASSERT_SAYS(DIES(1, vectors_load(in(folder, "none"))), "none");
    ck_assert_int_eq(mkfifo(in(folder, "fifo"), 0666), 0); /* nobody writes into it */
    ASSERT_SAYS(DIES(1, vectors_load(in(folder, "fifo"))), "a device or a pipe");
    ASSERT_SAYS(DIES(1, (load("2 2\nfine 1 2 \n  \n"), 0)), "line 3"); /* a blank line is no word */
    load("1 2\r\nfine 1 2 \r\n\r\n");                                  /* Windows, and the original program's space */
}
END_TEST

/* ---- the lab ----------------------------------------------------------------------------- */

START_TEST(trace_ledger_and_figures)
{
    static const char *const figures[] = {
        "training_pairs",   "loss_curves", "cost_vs_vocabulary", "embedding_map",           "cosine_heatmap",
        "rare_vs_frequent", "pmi_scatter", "cooccurrence",       "cost_vs_vocabulary_time", "analogy_map"};
    enum { FIGURES = sizeof figures / sizeof *figures };
    check_files(figures, FIGURES);
    for (int i = 0; i < FIGURES; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.tsv", figures[i]);
        char *data = written(name);
        ck_assert_msg(!strstr(data, "NaN"), "%s has a NaN", name);
        free(data);
    }
}
END_TEST

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 1 }; /* a run takes a minute there */
#else
enum { SEEDS = 5 };
#endif

/* Seeds that were not looked at while the lab was written. */
START_TEST(claims_hold_over_seeds)
{
    for (int i = 0; i < SEEDS; i++) {
        char seed[16];
        snprintf(seed, sizeof seed, "%d", 90001 + i);
        free(ledger_of(seed));
    }
}
END_TEST

START_TEST(bad_options)
{
    static const char *const wrong[][2] = {
        {"--window", "0"},     {"--window", "51"},  {"--dimension", "0"},  {"--dimension", "1000000"},
        {"--dimension", "-3"}, {"--epochs", "0"},   {"--negatives", "51"}, {"--min-count", "0"},
        {"--model", "lstm"},   {"--loss", "hinge"}, {"--noise", "word"},   {"--rate", "0"},
        {"--rate", "nan"},     {"--step", "99"},    {"--seed", "x"},       {"--nonsense", NULL}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ASSERT_SAYS(DIES(2, exit(run(wrong[i][0], wrong[i][1], NULL))), wrong[i][0] + 2);
}
END_TEST

static int run_on(const char *option, const char *path, const char *similar)
{
    return run("--step", "own", option, path, similar ? "--similar" : NULL, similar, NULL);
}

START_TEST(bad_texts)
{
    static const char *const texts[][2] = {{"one.txt", "word word word word word word word word word\n"},
                                           {"empty.txt", ""},
                                           {"blank.txt", " \n\n  \n"},
                                           {"binary.txt", "hello \xff\xfe world\n"},
                                           {"rare.txt", "every word of this text is seen once\n"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *path = in(folder, texts[i][0]);
        spit(path, texts[i][1]);
        ASSERT_SAYS(DIES(1, exit(run_on("--corpus", path, NULL))), texts[i][0]);
    }
    ASSERT_SAYS(DIES(1, exit(run_on("--corpus", in(folder, "missing.txt"), NULL))), "missing.txt");
    ASSERT_SAYS(DIES(1, exit(run_on("--corpus", folder, NULL))), "folder");
}
END_TEST

/* Vectors that grow without bound end in a line that says what to do, not in a file of NaNs:
 * for each way to learn (noise of a window, of a pair, and what learn_six.c leaves to learn.c). */
START_TEST(divergence)
{
    static const char *const ways[][2] = {{"--noise", "window"}, {"--noise", "pair"}, {"--negatives", "4"}};
    Rng rng = rng_new(9, "text");
    WordWorld *world = wordworld_new(1.2, 0.2);
    char *text = wordworld_text(world, &rng, 20000);
    spit(in(folder, "text.txt"), text);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        ASSERT_SAYS(DIES(1, exit(run("--step", "own", "--corpus", in(folder, "text.txt"), "--rate", "10", "--epochs",
                                     "20", ways[i][0], ways[i][1], NULL))),
                    "no longer finite");
    free(text);
    wordworld_free(world);
}
END_TEST

/* A small text of one's own, in bounded memory, and its vectors read back. */
START_TEST(own_text)
{
    Rng rng = rng_new(9, "text");
    WordWorld *world = wordworld_new(1.2, 0.2);
    char *text = wordworld_text(world, &rng, 20000);
    spit(in(folder, "text.txt"), text);
    ck_assert_int_eq(run_on("--corpus", in(folder, "text.txt"), "은행"), 0);
    char *said = written("trace.txt");
    ck_assert_ptr_nonnull(strstr(said, "금융"));
    free(said);
    ck_assert_int_eq(run_on("--vectors", in(folder, STEM "/vectors.txt"), "은헹"), 0);
    said = written("trace.txt");
    ck_assert_msg(strstr(said, "\"은헹\" is not among") && strstr(said, "은행"), "%s", said);
    free(said);
    free(text);
    wordworld_free(world);
}
END_TEST

/* What fuzzing found worth keeping. */
START_TEST(fuzzed)
{
    replay("tests/fuzz/vectors", fuzz_vectors, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lab 02");
    test_add(suite, "fused_equals_plain", fused_equals_plain);
    test_add(suite, "window_fused_equals_plain", window_fused_equals_plain);
    test_add(suite, "window_is_the_sum_of_its_pairs", window_is_the_sum_of_its_pairs);
    test_add(suite, "gradient_is_the_derivative", gradient_is_the_derivative);
    test_add(suite, "huffman_codes_are_the_best", huffman_codes_are_the_best);
    test_add(suite, "noise_follows_the_counts", noise_follows_the_counts);
    test_add(suite, "windows_of_all_sizes", windows_of_all_sizes);
    test_add(suite, "threads_change_nothing", threads_change_nothing);
    add_run(suite, "vectors_round_trip", vectors_round_trip, 0);
    add_run(suite, "hostile_vectors", hostile_vectors, 0);
    test_add(suite, "fuzzed", fuzzed);
    add_run(suite, "own_text", own_text, 0);
    add_run(suite, "bad_options", bad_options, 0);
    add_run(suite, "divergence", divergence, 0);
    add_run(suite, "bad_texts", bad_texts, 0);
    add_run(suite, "claims_hold_over_seeds", claims_hold_over_seeds, 0);
    add_run(suite, "trace_ledger_and_figures", trace_ledger_and_figures, 0);
    return test_run(suite);
}
