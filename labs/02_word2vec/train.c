/* train.c: the two networks of Word2Vec, one example at a time.
 *
 * Both are the same three lines.  With h the hidden vector (skip-gram: the
 * centre's; CBOW: the mean of the context's; n-grams: the mean of the pieces')
 * and rows u_t of the output matrix, each with a label y_t,
 *
 *     s_t = u_t . h              score
 *     e_t = y_t - p_t            error: p_t = sigmoid(s_t), or softmax(s)_t
 *     h  += rate sum_t e_t u_t,  u_t += rate e_t h
 *
 * What differs is which rows are asked.  Negative sampling: the word that was
 * there (y = 1) and k drawn from the noise (y = 0).  Hierarchical softmax: the
 * inner nodes on the path to the word, y = 1 where it goes left.  Full softmax:
 * all V words.
 *
 * Every sum has a fixed order (a dot product: 16 virtual lanes, kernels.h), so
 * the vectors are the same to the bit on every machine. */
#include "word2vec.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "die.h"
#include "kernels.h"
#include "maths.h"
#include "memory.h"

enum { LANES = 16 };

/* ---- fused loops ------------------------------------------------------------- */

#pragma GCC diagnostic ignored "-Wpsabi" /* wide vectors are passed inside this file only */

typedef real Lanes __attribute__((vector_size(LANES * sizeof(real))));

static inline Lanes load(const real *p)
{
    Lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(real *p, Lanes v)
{
    memcpy(p, &v, sizeof v);
}

/* a b + c in each lane, rounded once. */
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c)
{
    for (int l = 0; l < LANES; l++)
        c[l] = m_fma(a[l], b[l], c[l]);
    return c;
}

static inline Lanes broadcast(real x)
{
    return x - (Lanes){0};
}

/* kernel_dot's tree: 8 + 8, 4 + 4, 2 + 2, 1 + 1. */
static inline real add_lanes(Lanes sum)
{
    typedef real Half __attribute__((vector_size(8 * sizeof(real))));
    typedef real Quarter __attribute__((vector_size(4 * sizeof(real))));
    union {
        Lanes all;
        Half half[2];
    } a = {.all = sum};
    union {
        Half all;
        Quarter half[2];
    } b = {.all = a.half[0] + a.half[1]};
    Quarter c = b.half[0] + b.half[1];
    return (c[0] + c[2]) + (c[1] + c[3]);
}

/* BLOCK scores at once: their chains of additions run side by side. */
static inline __attribute__((always_inline)) void score_block(const real *h, const real *output, const int *rows,
                                                              int stride, real *score, const int block)
{
    Lanes sum[4];
    const real *row[4];
#pragma GCC unroll 4
    for (int t = 0; t < block; t++) {
        sum[t] = (Lanes){0};
        row[t] = output + (size_t)rows[t] * stride;
    }
    for (int i = 0; i < stride; i += LANES) {
        Lanes x = load(h + i);
#pragma GCC unroll 4
        for (int t = 0; t < block; t++)
            sum[t] = multiply_add(x, load(row[t] + i), sum[t]);
    }
#pragma GCC unroll 4
    for (int t = 0; t < block; t++)
        score[t] = add_lanes(sum[t]);
}

static void score_fused(const real *h, const real *output, const int *rows, int count, int stride, real *score)
{
    int t = 0;
    for (; t + 4 <= count; t += 4)
        score_block(h, output, rows + t, stride, score + t, 4);
    if (count - t == 3)
        score_block(h, output, rows + t, stride, score + t, 3);
    else if (count - t == 2)
        score_block(h, output, rows + t, stride, score + t, 2);
    else if (count - t == 1)
        score_block(h, output, rows + t, stride, score + t, 1);
}

/* gradient += sum_t step_t u_t, then u_t += step_t h. */
static void step_fused(const real *h, real *output, const int *rows, int count, int stride, const real *step,
                       real *gradient)
{
    for (int i = 0; i < stride && gradient; i += LANES) {
        Lanes sum = load(gradient + i);
        for (int t = 0; t < count; t++)
            sum = multiply_add(broadcast(step[t]), load(output + (size_t)rows[t] * stride + i), sum);
        store(gradient + i, sum);
    }
    for (int t = 0; t < count; t++) {
        real *row = output + (size_t)rows[t] * stride;
        Lanes a = broadcast(step[t]);
        for (int i = 0; i < stride; i += LANES)
            store(row + i, multiply_add(a, load(h + i), load(row + i)));
    }
}

/* ---- the same by the book ------------------------------------------------------ */

static void score_plain(const real *h, const real *output, const int *rows, int count, int stride, real *score)
{
    for (int t = 0; t < count; t++)
        score[t] = kernel_dot(output + (size_t)rows[t] * stride, h, stride);
}

static void step_plain(const real *h, real *output, const int *rows, int count, int stride, const real *step,
                       real *gradient)
{
    for (int t = 0; t < count && gradient; t++)
        kernel_axpy(stride, step[t], output + (size_t)rows[t] * stride, gradient);
    for (int t = 0; t < count; t++)
        kernel_axpy(stride, step[t], h, output + (size_t)rows[t] * stride);
}

/* ---- losses ------------------------------------------------------------------- */

enum { ROWS = 64 }; /* a path of a Huffman tree is shorter for fewer than 10^13 words */

/* A sum of logarithms is the logarithm of a product, which costs one logarithm
 * for hundreds of factors instead of one each. */
typedef struct {
    double product, sum;
} Logs;

static inline double at_least_tiny(double p)
{
    return p > 1e-40 ? p : 1e-40;
}

/* FACTOR: of at most six probabilities, each at_least_tiny. */
static inline void logs_add(Logs *logs, double factor)
{
    logs->product *= factor;
    if (logs->product < 1e-60) {
        logs->sum += log64(logs->product);
        logs->product = 1;
    }
}

/* p = sigmoid(s), for N a multiple of 16: whole vectors at a time. */
static __attribute__((noinline)) void sigmoids(const real *restrict s, real *restrict p, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = m_sigmoid(s[i]);
}

/* Yes-or-no questions: p_t = sigmoid(+-s_t) is the probability of the right
 * answer, the loss is -sum_t log p_t.  SCORE, which becomes the STEP, gets
 * rate (y_t - sigmoid(s_t)) = +-rate (1 - p_t). */
static inline __attribute__((always_inline)) void answer_questions(real *score, const real *sign, int count, real rate,
                                                                   Logs *logs)
{
    real p[ROWS] __attribute__((aligned(64)));
    int padded = (count + LANES - 1) / LANES * LANES;
    for (int t = 0; t < padded; t++)
        score[t] *= sign[t];
    sigmoids(score, p, padded);
    for (int t = 0; t < padded; t++)
        score[t] = rate * sign[t] * (1 - p[t]);
    for (int t = 0; t < count; t++)
        logs_add(logs, at_least_tiny((double)p[t])); // NOLINT(clang-analyzer-core.CallAndMessage): sigmoids set it
}

/* The rows that one example asks, and the right answers. */
typedef struct {
    int count;
    int rows[ROWS];
    real sign[ROWS] __attribute__((aligned(64))); /* 1: yes, -1: no; the rest is zero */
} Questions;

static inline void ask_noise(Questions *ask, int word, const int *negatives, int count)
{
    ask->count = count + 1;
    ask->rows[0] = word;
    ask->sign[0] = 1;
    for (int t = 0; t < count; t++) {
        ask->rows[t + 1] = negatives[t];
        ask->sign[t + 1] = -1;
    }
}

static inline void ask_path(Questions *ask, const Huffman *tree, int word)
{
    int begin = tree->begin[word];
    ask->count = tree->begin[word + 1] - begin;
    for (int t = 0; t < ask->count; t++) {
        ask->rows[t] = tree->node[begin + t];
        ask->sign[t] = tree->side[begin + t] ? -1 : 1;
    }
}

static inline __attribute__((always_inline)) void learn_questions(const Model *model, const real *h,
                                                                  const Questions *ask, real rate, real *gradient,
                                                                  bool plain, Logs *logs)
{
    real score[ROWS] __attribute__((aligned(64))); /* becomes the step of each row */
    int stride = model->stride;
    memset(score, 0, sizeof score);
    (plain ? score_plain : score_fused)(h, model->output, ask->rows, ask->count, stride, score);
    answer_questions(score, ask->sign, ask->count, rate, logs);
    if (rate > 0)
        (plain ? step_plain : step_fused)(h, model->output, ask->rows, ask->count, stride, score, gradient);
}

/* ---- six questions at once ------------------------------------------------------- */

/* One word and five noise words, the usual number: the same results to the bit
 * as by learn_questions, but the scores of all six rows are one vector, which
 * goes from the dot products through the sigmoids to the steps in registers, and
 * each row is read twice instead of three times. */
enum { SIX = 6 };

/* Lanes of x (0 to 15) and of y (16 to 31), in the order given. */
#ifdef __clang__
#define PICK(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
typedef __typeof__(__builtin_choose_expr(REAL_IS_DOUBLE, (int64_t)0, (int32_t)0)) Place; /* as wide as a real */
typedef Place Places __attribute__((vector_size(LANES * sizeof(Place))));
#define PICK(x, y, ...) __builtin_shuffle(x, y, (Places){__VA_ARGS__})
#endif

/* The trees of add_lanes for six vectors side by side: lane t is the sum of vector t. */
static inline Lanes add_lanes_of_six(const Lanes *v)
{
    Lanes pair[3], four, two, all;
#pragma GCC unroll 3
    for (int t = 0; t < 3; t++) /* 8 + 8: the halves of two vectors */
        pair[t] = PICK(v[2 * t], v[2 * t + 1], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                  PICK(v[2 * t], v[2 * t + 1], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    four = PICK(pair[0], pair[1], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) + /* 4 + 4 */
           PICK(pair[0], pair[1], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    two = PICK(pair[2], pair[2], 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11) +
          PICK(pair[2], pair[2], 4, 5, 6, 7, 12, 13, 14, 15, 4, 5, 6, 7, 12, 13, 14, 15);
    all = PICK(four, two, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 16, 17, 20, 21) + /* 2 + 2 */
          PICK(four, two, 2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 18, 19, 22, 23);
    return PICK(all, all, 0, 2, 4, 6, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) + /* 1 + 1 */
           PICK(all, all, 1, 3, 5, 7, 9, 11, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
}

static inline Lanes score_six(const real *h, real *const *row, int stride)
{
    Lanes sum[SIX];
#pragma GCC unroll 6
    for (int t = 0; t < SIX; t++)
        sum[t] = (Lanes){0};
    for (int i = 0; i < stride; i += LANES) {
        Lanes x = load(h + i);
#pragma GCC unroll 6
        for (int t = 0; t < SIX; t++)
            sum[t] = multiply_add(x, load(row[t] + i), sum[t]);
    }
    return add_lanes_of_six(sum);
}

/* gradient += sum_t step_t u_t and u_t += step_t h in one pass, for six different
 * rows.  IN_PLACE: the gradient is h itself, to which the whole sum is added. */
static inline __attribute__((always_inline)) void step_six(const real *h, real *const *row, int stride,
                                                           const real *step, real *gradient, const bool in_place)
{
    for (int i = 0; i < stride; i += LANES) {
        Lanes x = load(h + i), sum = in_place ? broadcast(0) : load(gradient + i);
#pragma GCC unroll 6
        for (int t = 0; t < SIX; t++) {
            Lanes u = load(row[t] + i), a = broadcast(step[t]);
            sum = multiply_add(a, u, sum);
            store(row[t] + i, multiply_add(a, x, u));
        }
        store(gradient + i, in_place ? x + sum : sum);
    }
}

static inline bool all_different(const int *rows)
{
    bool equal = false;
#pragma GCC unroll 6
    for (int t = 1; t < SIX; t++)
#pragma GCC unroll 6
        for (int s = 0; s < t; s++)
            equal |= rows[s] == rows[t];
    return !equal;
}

/* False, with nothing done, where two rows are the same: the gradient must see
 * both before their steps. */
static inline __attribute__((always_inline)) bool learn_six(const Model *model, const real *h, int word,
                                                            const int *negatives, real rate, real *gradient,
                                                            const bool in_place, Logs *logs)
{
    const int rows[SIX] = {word, negatives[0], negatives[1], negatives[2], negatives[3], negatives[4]};
    if (!all_different(rows))
        return false;
    real *row[SIX], p[LANES] __attribute__((aligned(64))), step[LANES] __attribute__((aligned(64)));
#pragma GCC unroll 6
    for (int t = 0; t < SIX; t++)
        row[t] = model->output + (size_t)rows[t] * model->stride;
    const Lanes sign = {1, -1, -1, -1, -1, -1};
    store(step, score_six(h, row, model->stride) * sign);
    for (int t = 0; t < LANES; t++)
        p[t] = m_sigmoid(step[t]);
    store(step, broadcast(rate) * sign * (1 - load(p)));
    step_six(h, row, model->stride, step, gradient, in_place);
    double q[SIX];
#pragma GCC unroll 6
    for (int t = 0; t < SIX; t++)
        q[t] = at_least_tiny((double)p[t]);
    logs_add(logs, ((q[0] * q[1]) * (q[2] * q[3])) * (q[4] * q[5]));
    return true;
}

/* Softmax over all words: p = exp(s - max) / sum. */
static void learn_softmax(const Model *model, const real *h, int word, real rate, real *gradient, bool plain,
                          Logs *logs)
{
    int words = model->words, stride = model->stride;
    real *score = memory_new(2 * (size_t)words, sizeof *score, "the scores of all words"), *step = score + words;
    int *rows = memory_new(words, sizeof *rows, "the scores of all words");
    for (int w = 0; w < words; w++)
        rows[w] = w;
    (plain ? score_plain : score_fused)(h, model->output, rows, words, stride, score);
    real largest = kernel_max(score, words);
    for (int w = 0; w < words; w++)
        step[w] = m_exp(score[w] - largest);
    real sum = kernel_sum(step, words);
    logs_add(logs, at_least_tiny((double)(step[word] / sum)));
    for (int w = 0; w < words; w++)
        step[w] = rate * ((w == word) - step[w] / sum);
    if (rate > 0)
        (plain ? step_plain : step_fused)(h, model->output, rows, words, stride, step, gradient);
    free(rows);
    free(score);
}

static inline __attribute__((always_inline)) void learn(const Model *model, LossKind loss, const real *h, int word,
                                                        const int *negatives, int count, real rate, real *gradient,
                                                        bool plain, Logs *logs)
{
    Questions ask;
    if (loss == NEGATIVE_SAMPLING && count + 1 == SIX && rate > 0 && gradient && !plain &&
        learn_six(model, h, word, negatives, rate, gradient, false, logs))
        return;
    memset(ask.sign, 0, sizeof ask.sign);
    if (loss == FULL_SOFTMAX) {
        learn_softmax(model, h, word, rate, gradient, plain, logs);
        return;
    }
    if (loss == NEGATIVE_SAMPLING)
        ask_noise(&ask, word, negatives, count);
    else
        ask_path(&ask, model->tree, word);
    learn_questions(model, h, &ask, rate, gradient, plain, logs);
}

double learn_example(const Model *model, LossKind loss, const real *h, int word, const int *negatives, int count,
                     real rate, real *gradient, bool plain)
{
    Logs logs = {.product = 1};
    learn(model, loss, h, word, negatives, count, rate, gradient, plain, &logs);
    return -(logs.sum + log64(logs.product));
}

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

enum { AHEAD = 3 };

/* The rows of the example AHEAD of this one come into the cache while this one is computed. */
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
    fetch_row(model->input + (size_t)batch->input[batch->begin[e]] * model->stride, model->stride);
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

static double learn_batch(Model *model, const Setting *setting, const Batch *batch, real *mean, real *gradient,
                          Course *course)
{
    int stride = model->stride, k = setting->negatives;
    bool noise = setting->loss == NEGATIVE_SAMPLING;
    Logs logs = {.product = 1};
    double rows = 0, inputs_used = 0;
    for (int e = 0; e < batch->examples; e++) {
        Inputs inputs = inputs_of(model, batch, e);
        int word = batch->predicted[e];
        const int *negative = batch->negative + (size_t)e * k;
        real *row = model->input + (size_t)inputs.row[0] * stride;
        if (noise)
            fetch_ahead(model, batch, e + AHEAD, k);
        if (!noise || k + 1 != SIX || inputs.count != 1 || !(batch->rate > 0) ||
            !learn_six(model, row, word, negative, batch->rate, row, true, &logs))
            learn_and_add(model, setting, inputs, word, negative, batch->rate, mean, gradient, &logs);
        inputs_used += inputs.count > 1 ? 2 * inputs.count : 1;
        rows += noise                                   ? k + 1
                : setting->loss == HIERARCHICAL_SOFTMAX ? model->tree->begin[word + 1] - model->tree->begin[word]
                                                        : model->words;
    }
    course->examples += batch->examples;
    course->multiply_adds += (3 * rows + inputs_used) * model->dimension; /* score, gradient, step */
    return -(logs.sum + log64(logs.product));
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

/* Input rows uniform in +-1 / (2 dimension), output rows zero, as in the
 * original program. */
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
            model->input[(size_t)w * model->stride + i] = rng_between(rng, (real)-0.5, (real)0.5) / (real)dimension;
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
    double start = clock_seconds(), tokens = (double)text->tokens, loss = 0, examples = 0;
    const Batch *batch;
    for (int epoch = 0; (batch = reader_next(reader));) {
        loss += learn_batch(model, setting, batch, mean, mean + model->stride, c);
        examples += batch->examples;
        c->words = batch->words;
        if (progress)
            progress_update(progress, batch->words, "%.0f words/s  loss %.3f", batch->words / (clock_seconds() - start + 1e-9),
                            loss / examples);
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
    free(mean);
    reader_free(reader);
    return model;
}
