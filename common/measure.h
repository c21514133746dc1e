/* measure.h: what an experiment asks of rows of numbers. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>

#include "real.h"

/* Where the largest of x [n] is, n >= 1; of equal ones the first.  Greedy decoding
 * and every count of right answers: argmax over the logits is argmax over softmax. */
int argmax(const real *x, int n);

/* max over i of |a_i - b_i|; 0 for n = 0, NaN if one of them is
 * (two NaN are not equal). */
double largest_difference(const real *a, const real *b, size_t n);

#endif
