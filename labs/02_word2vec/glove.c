/* glove.c: vectors from counts (GloVe: Pennington, Socher & Manning 2014).
 *
 *     J = sum over i, j of f(X_ij) (w_i . c_j + b_i + d_j - log X_ij)^2
 *
 * X_ij: how often word j stands within the window of word i, each time weighted
 * by 1 / distance.  f(x) = (x / x_max)^(3/4), at most 1: rare pairs say little. */
#include "word2vec.h"

#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "maths.h"
#include "memory.h"

real *count_neighbours(const Text *text, int window, bool by_distance)
{
    size_t words = (size_t)text->vocab->size;
    real *counts = memory_new(words * words, sizeof *counts, "the co-occurrence matrix");
    for (int s = 0; s < text->sentences; s++)
        for (long i = text->start[s]; i < text->start[s + 1]; i++)
            for (long j = i + 1; j <= i + window && j < text->start[s + 1]; j++) {
                real weight = by_distance ? 1 / (real)(j - i) : 1;
                counts[(size_t)text->ids[i] * words + (size_t)text->ids[j]] += weight;
                counts[(size_t)text->ids[j] * words + (size_t)text->ids[i]] += weight;
            }
    return counts;
}

/* What is learned: a vector and a bias a word, as centre and as context, and
 * AdaGrad's sum of squared gradients of each number (Duchi et al. 2011). */
typedef struct {
    int words, dimension, stride; /* a row: vector, then bias, then padding */
    real *centre, *context, *centre_squares, *context_squares;
} Glove;

/* x -= rate g / sqrt(squares), squares += g^2, for N numbers of w with gradient
 * slope c and as many of c with gradient slope w. */
static void adagrad(int n, real rate, real slope, real *restrict w, real *restrict w_squares, real *restrict c,
                    real *restrict c_squares)
{
    for (int k = 0; k < n; k++) {
        real gradient_w = slope * c[k], gradient_c = slope * w[k];
        w[k] -= rate * gradient_w / m_sqrt(w_squares[k]);
        c[k] -= rate * gradient_c / m_sqrt(c_squares[k]);
        w_squares[k] += gradient_w * gradient_w;
        c_squares[k] += gradient_c * gradient_c;
    }
}

static void move_bias(real *bias, real *squares, real slope, real rate)
{
    *bias -= rate * slope / m_sqrt(*squares);
    *squares += slope * slope;
}

/* One cell of the matrix; returns its share of J. */
static real learn_cell(Glove *glove, int i, int j, real log_count, real weight, real rate)
{
    size_t a = (size_t)i * glove->stride, b = (size_t)j * glove->stride;
    real *w = glove->centre + a, *c = glove->context + b;
    int d = glove->dimension;
    real error = kernel_dot(w, c, d) + w[d] + c[d] - log_count, slope = weight * error;
    adagrad(d, rate, slope, w, glove->centre_squares + a, c, glove->context_squares + b);
    move_bias(w + d, glove->centre_squares + a + d, slope, rate);
    move_bias(c + d, glove->context_squares + b + d, slope, rate);
    return weight * error * error;
}

static Glove glove_new(int words, int dimension, Rng *rng)
{
    int stride = (dimension + 1 + 15) / 16 * 16;
    size_t n = (size_t)words * stride;
    real *memory = memory_new(4 * n, sizeof *memory, "GloVe's vectors");
    Glove glove = {words, dimension, stride, memory, memory + n, memory + 2 * n, memory + 3 * n};
    for (size_t i = 0; i < 2 * n; i++) {
        memory[i] = rng_between(rng, (real)-0.5, (real)0.5) / (real)dimension;
        memory[2 * n + i] = 1;
    }
    return glove;
}

Vectors *glove_train(const Text *text, const real *counts, int dimension, int epochs, Rng rng, real *loss)
{
    const real x_max = 10, rate = (real)0.05;
    int words = text->vocab->size, cells = 0;
    int *cell = memory_new((size_t)words * words, sizeof *cell, "the co-occurrence matrix");
    for (int i = 0; i < words * words; i++)
        if (counts[i] > 0)
            cell[cells++] = i;
    Glove glove = glove_new(words, dimension, &rng);
    for (int epoch = 0; epoch < epochs; epoch++) {
        double sum = 0;
        rng_shuffle(&rng, cell, (size_t)cells);
        for (int n = 0; n < cells; n++) {
            real x = counts[cell[n]], part = x < x_max ? x / x_max : 1;
            real weight = m_exp((real)0.75 * m_log(part));
            sum += (double)learn_cell(&glove, cell[n] / words, cell[n] % words, m_log(x), weight, rate);
        }
        loss[epoch] = (real)(sum / cells);
    }
    /* The paper's vectors: w + c. */
    for (int w = 0; w < words; w++)
        for (int k = 0; k < dimension; k++)
            glove.centre[(size_t)w * glove.stride + k] += glove.context[(size_t)w * glove.stride + k];
    Vectors *vectors = vectors_of_matrix(text->vocab, glove.centre, dimension, glove.stride);
    free(glove.centre);
    free(cell);
    return vectors;
}
