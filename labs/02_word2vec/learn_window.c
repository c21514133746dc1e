/* learn_window.c: all pairs of a window at once, against the same noise words.
 *
 * The n words around a centre are n pairs.  When each pair draws noise words of
 * its own, six rows of the output matrix are touched for each; when all share
 * one draw, six in all.  With H the rows of the n words and U those of the centre
 * (first) and of the noise words, the window is three small matrix products:
 *
 *     S = H U^T                     scores       [n, 1 + k]
 *     E = rate (Y - sigmoid(S))     errors, Y = (1, 0, ..., 0) in each row
 *     H += E U,  U += E^T H         both with the rows as they were before
 *
 * This is pWord2Vec (Ji, Satish, Li & Dubey 2016, "Parallelizing Word2Vec in
 * Shared and Distributed Memory").  As in the original program the words around
 * predict the centre: over a text the pairs are the same, for whoever has me in
 * the window is in mine. */
#include "lanes.h"
#include "learn.h"

#include <stdlib.h>

#include "kernels.h"
#include "memory.h"

typedef real Sixteen __attribute__((vector_size(16 * sizeof(real))));

enum { STEPS = 8 }; /* elements from row to row of E, for six rows */

struct Window {
    int rows;         /* of U */
    int stride;       /* of all rows */
    real **input;     /* the n rows of H */
    real *h;          /* n x stride: H as it was */
    real *dh;         /* stride: a row of E U */
    real *step;       /* E */
    double *product;  /* LANES products of probabilities of right answers; then their logarithms are added to LOGS */
    unsigned factors; /* of each lane's product, in all */
    Logs logs;
};

Window *window_new(int pairs, int negatives, int stride)
{
    Window *window = memory_new(1, sizeof *window, "a window");
    size_t n = (size_t)pairs + 1, rows = (size_t)negatives + 1;
    window->rows = (int)rows;
    window->stride = stride;
    window->input = memory_new(n, sizeof *window->input, "a window");
    window->h = memory_new(n * stride, sizeof(real), "a window");
    window->dh = memory_new((size_t)stride, sizeof(real), "a window");
    window->step = memory_new(n * (rows > STEPS ? rows : STEPS), sizeof(real), "a window");
    window->product = memory_new(LANES, sizeof(double), "a window");
    window->logs.product = 1;
    for (int l = 0; l < LANES; l++)
        window->product[l] = 1;
    return window;
}

void window_free(Window *window)
{
    if (!window)
        return;
    free(window->input);
    free(window->h);
    free(window->dh);
    free(window->step);
    free(window->product);
    free(window);
}

/* ---- the loss ------------------------------------------------------------------------ */

static void add_logarithms(Window *window)
{
    for (int l = 0; l < LANES; l++) {
        window->logs.sum += log64(window->product[l]);
        window->product[l] = 1;
    }
}

/* at_least_tiny for a whole vector: 1 - p stays what it is. */
static inline real above_zero(real p)
{
    return p < (real)1e-37 ? (real)1e-37 : p;
}

enum { FEW = 4 }; /* such factors times 1e-140 are still a normal number */

static void keep_products_normal(Window *window)
{
    bool small = false;
    for (int l = 0; l < LANES; l++)
        small |= window->product[l] < 1e-140;
    if (small)
        add_logarithms(window);
}

double window_loss(Window *window)
{
    add_logarithms(window);
    double loss = -(window->logs.sum + log64(window->logs.product));
    window->logs = (Logs){.product = 1};
    return loss;
}

/* ---- by the book --------------------------------------------------------------- */

static void window_plain(Window *window, const Model *model, const int *inputs, int pairs, const int *rows, real rate)
{
    int stride = model->stride, n = window->rows;
    for (int e = 0; e < pairs; e++) {
        real *h = window->h + (size_t)e * stride;
        memcpy(h, model->input + (size_t)inputs[e] * stride, stride * sizeof(real));
        for (int t = 0; t < n; t++) {
            real sign = t == 0 ? 1 : -1;
            real p = m_sigmoid(sign * kernel_dot(h, model->output + (size_t)rows[t] * stride, stride));
            window->step[(size_t)e * n + t] = rate * sign * (1 - p);
            logs_add(&window->logs, at_least_tiny((double)p));
        }
    }
    for (int e = 0; e < pairs; e++) {
        for (int t = 0; t < n; t++)
            kernel_put(stride, window->step[(size_t)e * n + t], model->output + (size_t)rows[t] * stride, window->dh,
                       t > 0);
        kernel_axpy(stride, 1, window->dh, model->input + (size_t)inputs[e] * stride);
    }
    for (int t = 0; t < n; t++)
        for (int e = 0; e < pairs; e++)
            kernel_axpy(stride, window->step[(size_t)e * n + t], window->h + (size_t)e * stride,
                        model->output + (size_t)rows[t] * stride);
}

/* ---- six rows, the usual number -------------------------------------------------- */

/* S of two pairs: that with row t in element six_at[t], and 8 behind it for the
 * second.  Their rows are copied to H and the one behind it. */
static inline void score_two(const real *one, const real *other, real *const *u, int stride, real *h, real *score)
{
    Vector lane[2 * SIX][LANE_VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < (int)LANE_VECTORS; v++) {
        Vector sum[2 * SIX];
#pragma GCC unroll 12
        for (int t = 0; t < 2 * SIX; t++)
            sum[t] = (Vector){0};
        for (int i = v * WIDTH; i < stride; i += LANES) {
            Vector x = load(one + i), y = load(other + i);
            store(h + i, x);
            store(h + stride + i, y);
#pragma GCC unroll 6
            for (int t = 0; t < SIX; t++) {
                Vector z = load(u[t] + i);
                sum[t] = multiply_add(x, z, sum[t]);
                sum[SIX + t] = multiply_add(y, z, sum[SIX + t]);
            }
        }
#pragma GCC unroll 12
        for (int t = 0; t < 2 * SIX; t++)
            lane[t][v] = sum[t];
    }
    Eight a = add_six(lane), b = add_six(lane + SIX);
    if (LANE_VECTORS > 1) {
        memcpy(score, &a, sizeof a);
        memcpy(score + 8, &b, sizeof b);
        return;
    }
    /* In one piece: what loads it next would wait for two stores. */
    Sixteen both = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    memcpy(score, &both, sizeof both);
}

/* The questions of two pairs, and of one: in an element without any, a score of 40
 * is certainty, whose logarithm is 0. */
typedef struct {
    real sign[LANES], sure[LANES];
} Questions;
static const Questions two_pairs = {.sign = {1, -1, -1, 0, -1, -1, -1, 0, 1, -1, -1, 0, -1, -1, -1, 0},
                                    .sure = {[3] = 40, [7] = 40, [11] = 40, [15] = 40}};
static const Questions one_pair = {.sign = {1, -1, -1, 0, -1, -1, -1},
                                   .sure = {[3] = 40, [7] = 40, 40, 40, 40, 40, 40, 40, 40, 40}};

/* S of two pairs, or of one, becomes E. */
static inline void answer_two(Window *window, bool one, real rate, real *score)
{
    const Questions *ask = one ? &one_pair : &two_pairs;
    double *product = window->product;
    for (int l = 0; l < LANES; l++) {
        real p = above_zero(m_sigmoid(score[l] * ask->sign[l] + ask->sure[l]));
        score[l] = rate * ask->sign[l] * (1 - p);
        product[l] *= (double)p;
    }
    if (++window->factors % FEW == 0)
        keep_products_normal(window);
}

/* One vector of each row: H += E U for COUNT pairs from E on, and new += E^T H. */
static inline __attribute__((always_inline)) void move_pairs(Window *window, real *const *u, Vector *new, int e, int i,
                                                             const int count)
{
    const real *step = window->step + (size_t)e * STEPS, *old = window->h + (size_t)e * window->stride + i;
    Vector x[2], dh[2];
#pragma GCC unroll 2
    for (int n = 0; n < count; n++)
        x[n] = load(old + n * window->stride);
#pragma GCC unroll 6
    for (int t = 0; t < SIX; t++) {
        Vector row = load(u[t] + i);
#pragma GCC unroll 2
        for (int n = 0; n < count; n++) {
            Vector a = broadcast(step[n * STEPS + six_at[t]]);
            dh[n] = t == 0 ? a * row : multiply_add(a, row, dh[n]);
            new[t] = multiply_add(a, x[n], new[t]);
        }
    }
#pragma GCC unroll 2
    for (int n = 0; n < count; n++) /* one after the other: both may be the same word */
        store(window->input[e + n] + i, load(window->input[e + n] + i) + dh[n]);
}

/* H += E U, U += E^T H. */
static void move_six(Window *window, real *const *u, int pairs)
{
    for (int i = 0; i < window->stride; i += WIDTH) {
        Vector new[SIX];
        int e = 0;
#pragma GCC unroll 6
        for (int t = 0; t < SIX; t++)
            new[t] = load(u[t] + i);
        for (; e + 1 < pairs; e += 2)
            move_pairs(window, u, new, e, i, 2);
        if (e < pairs)
            move_pairs(window, u, new, e, i, 1);
#pragma GCC unroll 6
        for (int t = 0; t < SIX; t++)
            store(u[t] + i, new[t]);
    }
}

static void window_of_six(Window *window, const Model *model, const int *inputs, int pairs, const int *rows, real rate)
{
    int stride = model->stride;
    real *u[SIX];
#pragma GCC unroll 6
    for (int t = 0; t < SIX; t++)
        u[t] = model->output + (size_t)rows[t] * stride;
    for (int e = 0; e < pairs; e += 2) { /* an odd one is scored twice */
        bool one = e + 1 == pairs;
        real *step = window->step + (size_t)e * STEPS;
        window->input[e] = model->input + (size_t)inputs[e] * stride;
        window->input[e + 1] = model->input + (size_t)inputs[one ? e : e + 1] * stride;
        score_two(window->input[e], window->input[e + 1], u, stride, window->h + (size_t)e * stride, step);
        answer_two(window, one, rate, step);
    }
    move_six(window, u, pairs);
}

void learn_window(Window *window, const Model *model, const int *inputs, int pairs, int word, const int *negatives,
                  real rate, bool plain)
{
    int rows[ROWS];
    rows[0] = word;
    for (int t = 1; t < window->rows; t++)
        rows[t] = negatives[t - 1];
    if (plain || window->rows != SIX || !all_different(rows))
        window_plain(window, model, inputs, pairs, rows, rate);
    else
        window_of_six(window, model, inputs, pairs, rows, rate);
}

double learn_window_once(const Model *model, const int *inputs, int pairs, int word, const int *negatives, int count,
                         real rate, bool plain)
{
    Window *window = window_new(pairs, count, model->stride);
    learn_window(window, model, inputs, pairs, word, negatives, rate, plain);
    double loss = window_loss(window);
    window_free(window);
    return loss;
}
