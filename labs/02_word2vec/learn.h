/* learn.h: one step of learning, for train.c. */
#ifndef LEARN_H
#define LEARN_H

#include "maths.h"
#include "word2vec.h"

enum { ROWS = 64 }; /* a path of a Huffman tree is shorter for fewer than 10^13 words */

/* A sum of logarithms is the logarithm of a product, which costs one logarithm
 * for hundreds of factors instead of one each. */
typedef struct {
    double product, sum;
} Logs;

/* A NaN stays one, for the loss to say so (train.c). */
static inline double at_least_tiny(double p)
{
    return p < 1e-40 ? 1e-40 : p;
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

/* The step of one example and its loss, as learn_example (word2vec.h). */
void learn(const Model *model, LossKind loss, const real *h, int word, const int *negatives, int count, real rate,
           real *gradient, bool plain, Logs *logs);

/* ---- learn_six.c: the same with five noise words ----------------------------------- */

enum { FIVE = 5, SIX = FIVE + 1 };

static inline bool all_different(const int rows[SIX])
{
    bool equal = false;
#pragma GCC unroll 6
    for (int t = 1; t < SIX; t++)
#pragma GCC unroll 6
        for (int s = 0; s < t; s++)
            equal |= rows[s] == rows[t];
    return !equal;
}

/* As learn, with a gradient.  False, with nothing done, where WORD and NEGATIVES
 * are not six different words. */
bool learn_six(const Model *model, const real *h, int word, const int *negatives, real rate, real *gradient,
               Logs *logs);
/* The same for a row of the input matrix, which takes its step itself. */
bool learn_pair(const Model *model, real *h, int word, const int *negatives, real rate, Logs *logs);

/* ---- learn_window.c: all pairs of a window at once ----------------------------------- */

/* Room for windows of PAIRS pairs. */
typedef struct Window Window;
Window *window_new(int pairs, int negatives, int stride);
void window_free(Window *window);

/* WORD is predicted from each of the PAIRS input rows INPUTS[0] ... against the
 * same noise words; all of these rows take their steps, computed from the rows
 * as they were before.  PLAIN: by the definition; the rows are the same to the bit. */
void learn_window(Window *window, const Model *model, const int *inputs, int pairs, int word, const int *negatives,
                  real rate, bool plain);
/* The loss of all pairs since this was asked last. */
double window_loss(Window *window);

#endif
