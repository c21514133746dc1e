/* train.c: a training: batches of examples from the reader, each learned from in
 * its turn.
 *
 * Every sum has a fixed order (a dot product: 16 virtual lanes, kernels.h), so
 * the vectors are the same to the bit on every machine. */
#include "learn.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "kernels.h"
#include "memory.h"

/* ---- a batch ------------------------------------------------------------------- */

/* The rows of the input matrix whose mean is the hidden vector. */
typedef struct {
    const int *row;
    int count;
} Inputs;

static inline Inputs inputs_of(const Model *model, const Batch *batch, int e)
{
    const int *word = batch->input + batch->begin[e];
    if (!model->pieces)
        return (Inputs){word, batch->begin[e + 1] - batch->begin[e]};
    const Pieces *pieces = model->pieces;
    return (Inputs){pieces->rows + pieces->begin[*word], pieces->begin[*word + 1] - pieces->begin[*word]};
}

static const real *hidden_vector(const Model *model, Inputs inputs, real *mean)
{
    int stride = model->stride;
    if (inputs.count == 1)
        return model->input + (size_t)inputs.row[0] * stride;
    memset(mean, 0, stride * sizeof *mean);
    for (int i = 0; i < inputs.count; i++)
        kernel_axpy(stride, 1 / (real)inputs.count, model->input + (size_t)inputs.row[i] * stride, mean);
    return mean;
}

/* Rows are asked for some examples early, so that they are in the cache in time. */
static inline void fetch_row(const real *row, int stride)
{
    for (int i = 0; i < stride; i += 64 / (int)sizeof(real))
        __builtin_prefetch(row + i, 1);
}

static inline void fetch_ahead(const Model *model, const Batch *batch, int e, int negatives)
{
    if (e >= batch->examples)
        return;
    const int *negative = batch->negative + (size_t)e * negatives;
    fetch_row(model->input + (size_t)batch->input[batch->begin[e + 1] - 1] * model->stride, model->stride);
    fetch_row(model->output + (size_t)batch->predicted[e] * model->stride, model->stride);
    for (int t = 0; t < negatives; t++)
        fetch_row(model->output + (size_t)negative[t] * model->stride, model->stride);
}

/* Each input word is given the whole gradient of h, as in the original program
 * (that of a mean would be divided by their number; it learns more slowly). */
static __attribute__((noinline)) void learn_and_add(const Model *model, const Setting *setting, Inputs inputs, int word,
                                                    const int *negative, real rate, real *mean, real *gradient,
                                                    Logs *logs)
{
    int stride = model->stride;
    const real *h = hidden_vector(model, inputs, mean);
    memset(gradient, 0, stride * sizeof *gradient);
    learn(model, setting->loss, h, word, negative, setting->negatives, rate, gradient, false, logs);
    for (int i = 0; i < inputs.count; i++)
        kernel_axpy(stride, 1, gradient, model->input + (size_t)inputs.row[i] * stride);
}

/* Of one example: its pairs, the rows of the output matrix that it asked, and
 * the rows of the input matrix that it read and moved. */
typedef struct {
    double pairs, rows, inputs;
} Work;

static Work learn_one(const Model *model, const Setting *setting, const Batch *batch, int e, real *mean, real *gradient,
                      Window *window, Logs *logs)
{
    Inputs inputs = inputs_of(model, batch, e);
    int word = batch->predicted[e], n = inputs.count, k = setting->negatives;
    const int *negative = batch->negative + (size_t)e * k;
    if (window) {
        learn_window(window, model, inputs.row, n, word, negative, batch->rate, false);
        return (Work){n, (double)n * (k + 1), n};
    }
    bool noise = setting->loss == NEGATIVE_SAMPLING;
    if (!noise || k != FIVE || n != 1 || !(batch->rate > 0) ||
        !learn_pair(model, model->input + (size_t)inputs.row[0] * model->stride, word, negative, batch->rate, logs))
        learn_and_add(model, setting, inputs, word, negative, batch->rate, mean, gradient, logs);
    return (Work){1,
                  noise                                   ? k + 1
                  : setting->loss == HIERARCHICAL_SOFTMAX ? model->tree->begin[word + 1] - model->tree->begin[word]
                                                          : model->words,
                  n > 1 ? 2 * n : 1};
}

enum { AHEAD = 3, WINDOWS_AHEAD = 2 };

static double learn_batch(const Model *model, const Setting *setting, const Batch *batch, real *mean, real *gradient,
                          Window *window, Course *course)
{
    Logs logs = {.product = 1};
    Work sum = {0};
    for (int e = 0; e < batch->examples; e++) {
        if (setting->loss == NEGATIVE_SAMPLING)
            fetch_ahead(model, batch, e + (window ? WINDOWS_AHEAD : AHEAD), setting->negatives);
        Work work = learn_one(model, setting, batch, e, mean, gradient, window, &logs);
        sum = (Work){sum.pairs + work.pairs, sum.rows + work.rows, sum.inputs + work.inputs};
    }
    course->examples += sum.pairs;
    course->multiply_adds += (3 * sum.rows + sum.inputs) * model->dimension; /* score, gradient, step */
    return window ? window_loss(window) : -(logs.sum + log64(logs.product));
}

/* ---- a training ------------------------------------------------------------------ */

/* In large pages: rows are visited in no order. */
static real *zero_matrix(int rows, int stride, const char *what)
{
    size_t bytes;
    if (__builtin_mul_overflow((size_t)rows * (size_t)stride, sizeof(real), &bytes))
        bytes = SIZE_MAX;
    return memset(memory_large(bytes, what), 0, bytes);
}

/* Input rows uniform in +-1 / dimension, output rows zero, as in gensim and fastText.
 * (The original program draws from half as wide a range; the wider one answers more
 * analogies after a short training.) */
Model *model_new(Text *text, const Setting *setting, const Pieces *pieces, Rng *rng)
{
    Model *model = memory_new(1, sizeof *model, "the model");
    int words = text->vocab->size, dimension = setting->dimension;
    model->words = words;
    model->dimension = dimension;
    model->stride = (dimension + LANES - 1) / LANES * LANES;
    model->inputs = words + (pieces ? pieces->buckets : 0);
    model->outputs = setting->loss == HIERARCHICAL_SOFTMAX ? words - 1 : words;
    model->input = zero_matrix(model->inputs, model->stride, "the word vectors");
    model->output = zero_matrix(model->outputs, model->stride, "the output vectors");
    model->pieces = pieces;
    if (setting->loss == HIERARCHICAL_SOFTMAX)
        model->tree = huffman_new(text->vocab->count, words);
    for (int w = 0; w < model->inputs; w++)
        for (int i = 0; i < dimension; i++)
            model->input[(size_t)w * model->stride + i] = rng_between(rng, -1, 1) / (real)dimension;
    return model;
}

void model_free(Model *model)
{
    if (!model)
        return;
    huffman_free(model->tree);
    free(model->input);
    free(model->output);
    free(model);
}

static void stop_unless_finite(double loss, const Setting *setting)
{
    if (!(loss < 1e30))
        die("the loss is no longer finite (%g): the learning rate %g is too high for these vectors; try --rate %g",
            loss, (double)setting->rate, (double)setting->rate / 4);
}

Model *train(Text *text, const Setting *setting, const Pieces *pieces, Rng rng, Progress *progress, Course *course)
{
    Course unasked = {0}, *c = course ? course : &unasked;
    *c = (Course){.epochs = setting->epochs};
    c->loss = memory_new((size_t)setting->epochs, sizeof *c->loss, "the loss curve");
    Model *model = model_new(text, setting, pieces, &rng);
    Reader *reader = reader_new(text, setting, rng);
    real *mean = memory_new(2 * (size_t)model->stride, sizeof *mean, "a hidden vector");
    bool windows = setting->shared_noise && setting->model == SKIPGRAM && setting->loss == NEGATIVE_SAMPLING;
    Window *window = windows ? window_new(2 * setting->window, setting->negatives, model->stride) : NULL;
    double start = clock_seconds(), tokens = (double)text->tokens, loss = 0, examples = 0;
    const Batch *batch;
    for (int epoch = 0; (batch = reader_next(reader));) {
        double before = c->examples;
        loss += learn_batch(model, setting, batch, mean, mean + model->stride, window, c);
        examples += c->examples - before;
        c->words = batch->words;
        if (progress)
            progress_update(progress, batch->words, "%.0f words/s  loss %.3f",
                            batch->words / (clock_seconds() - start + 1e-9), loss / examples);
        stop_unless_finite(loss, setting);
        c->loss[epoch] = (real)(loss / examples);
        if (batch->words >= tokens * (epoch + 1) && epoch + 1 < setting->epochs) {
            epoch++;
            loss = examples = 0;
        }
    }
    c->seconds = clock_seconds() - start;
    if (!course)
        free(c->loss);
    window_free(window);
    free(mean);
    reader_free(reader);
    return model;
}
