/* matmul_thin.h: products with one row or one step of k, in which tiles would be nearly empty.
 *
 * As in matmul.c each element is one chain of fused multiply-adds from k = 0 on; vectors run along
 * the row.  FROM [n] is what the chains start from: NULL for zeros, and it may be C itself. */
#ifndef MATMUL_THIN_H
#define MATMUL_THIN_H

#include "kernels.h"

/* C [n] = FROM + x B, x [k] with X_STEP elements from one to the next, B (k x n) with
 * contiguous rows, B_ROW elements apart. */
void row_times_rows(int n, int k, const real *x, long x_step, const real *b, long b_row, const real *from, real *c);

/* The same where the columns of B are contiguous, B_COLUMN elements apart.  At least FEWEST_COLUMNS of them. */
enum { FEWEST_COLUMNS = 8 };
void row_times_columns(int n, int k, const real *x, long x_step, const real *b, long b_column, const real *from,
                       real *c);

/* C (m x n) = FROM + x y, x [m] and y [n], and BIAS [n] (or NULL) is added to each row. */
void outer_product(int m, int n, const real *x, long x_step, const real *y, const real *from, long from_row,
                   const real *bias, real *c, long c_row);

#endif
