/* weight_gradient.h: W' += x^T y' for a weight W [k, n], over rows of x [rows, k] and
 * y' [rows, n] that may come in several pieces.
 *
 * A wide W' is summed up as its transpose y'^T x and turned at the end: the product
 * copies its right matrix, and x is the narrower one.  An element is the same chain
 * of multiply-adds over the rows, so the bits are the same. */
#ifndef WEIGHT_GRADIENT_H
#define WEIGHT_GRADIENT_H

#include "tape.h"

typedef struct {
    int k, n;
    real *at; /* [k, n], or NULL: no gradient is wanted */
    bool add;
    real *turned; /* [n, k], or NULL */
} WeightGradient;

/* ROWS in all pieces together.  Space is taken from ARENA. */
WeightGradient weight_gradient(Tensor *weight, int rows, Arena *arena);

void weight_gradient_add(WeightGradient *gradient, int rows, const real *x, const real *dy, int threads);

/* After the last piece; there must have been one. */
void weight_gradient_end(const WeightGradient *gradient);

#endif
