/* learn.c: the two networks of Word2Vec, one example at a time.
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
#include "lanes.h"
#include "learn.h"

#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "memory.h"

/* ---- fused loops ------------------------------------------------------------- */
/* BLOCK scores at once. */
static inline __attribute__((always_inline)) void score_block(const real *h, const real *output, const int *rows,
                                                              int stride, real *score, const int block)
{
    Vector lane[4][LANE_VECTORS];
    const real *row[4];
#pragma GCC unroll 4
    for (int t = 0; t < block; t++)
        row[t] = output + (size_t)rows[t] * stride;
    dot_lanes(h, row, block, stride, lane);
#pragma GCC unroll 4
    for (int t = 0; t < block; t++)
        score[t] = add_lanes(lane[t]);
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
    for (int i = 0; i < stride && gradient; i += WIDTH) {
        Vector sum = load(gradient + i);
        for (int t = 0; t < count; t++)
            sum = multiply_add(broadcast(step[t]), load(output + (size_t)rows[t] * stride + i), sum);
        store(gradient + i, sum);
    }
    for (int t = 0; t < count; t++) {
        real *row = output + (size_t)rows[t] * stride;
        Vector a = broadcast(step[t]);
        for (int i = 0; i < stride; i += WIDTH)
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

void learn(const Model *model, LossKind loss, const real *h, int word, const int *negatives, int count, real rate,
           real *gradient, bool plain, Logs *logs)
{
    Questions ask;
    if (loss == NEGATIVE_SAMPLING && count == FIVE && rate > 0 && gradient && !plain &&
        learn_six(model, h, word, negatives, rate, gradient, logs))
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
