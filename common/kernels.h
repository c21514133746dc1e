/* kernels.h: the hot loops, on plain arrays.
 *
 * Every result is the same to the bit whatever the vector width, the compiler
 * and the number of threads, because the order of every sum is fixed here:
 *   - an element of a matrix product is one chain of fused multiply-adds over
 *     k = 0, 1, 2 ..., starting from 0 (or from C); vectors run across columns;
 *   - a sum or a dot product is kept in 16 virtual lanes (element i belongs to
 *     lane i mod 16), which are added up as a fixed tree.
 * Arrays must not overlap unless it is said.  Nothing here checks its
 * arguments: ops.h does. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "real.h"

enum { LANES = 16 }; /* of a sum */

/* A matrix inside an array: element (i, j) is data[i * row + j * column], so a
 * transposed matrix is the same array with the two strides exchanged. */
typedef struct {
    const real *data;
    int row, column;
} Strided;

/* A row-major matrix with COLUMNS columns, and its transpose. */
static inline Strided strided(const real *data, int columns)
{
    return (Strided){data, columns, 1};
}
static inline Strided strided_transposed(const real *data, int columns)
{
    return (Strided){data, 1, columns};
}

/* B (k x n) packed for the products below, which then read it where it lies: worth it where
 * several products use the same B.  They may use fewer of its rows, and fewer of its columns or more: up to
 * the next multiple of 16 they are zeros.  TO has room for kernel_packed_size elements. */
size_t kernel_packed_size(int n, int k);
Strided kernel_pack(int n, int k, Strided b, real *to);

/* C (m x n, row-major, C_ROW elements from row to row) = A (m x k) B (k x n);
 * with ADD, C += A B.  Uses at most THREADS threads, and one where the work is
 * too small to share. */
void kernel_matmul(int m, int n, int k, Strided a, Strided b, real *c, int c_row, bool add, int threads);

/* C = FROM + A B, one chain that starts from FROM, whose rows are FROM_ROW elements apart: 0
 * for one row that all start from. */
void kernel_matmul_onto(int m, int n, int k, Strided a, Strided b, const real *from, int from_row, real *c, int c_row,
                        int threads);

/* C = A B + BIAS [n], and PLUS (or NULL), laid out as C, is added to that: a linear layer
 * and a residual connection while the product is still in registers. */
void kernel_linear(int m, int n, int k, Strided a, Strided b, const real *bias, const real *plus, real *c, int c_row,
                   int threads);

/* The same by the three loops of the definition: what the fast one is tested
 * against, to the bit. */
void kernel_matmul_plain(int m, int n, int k, Strided a, Strided b, real *c, int c_row, bool add);

/* x . y, and the sum of x, over N elements; the largest element (N >= 1). */
real kernel_dot(const real *x, const real *y, int n);
real kernel_sum(const real *x, int n);
real kernel_max(const real *x, int n);

/* The sum of squares, in double: the square of a float that is fine may be 0 or
 * infinite in a float.  In the same 16 lanes. */
double kernel_squares(const real *x, int n);

/* y += a x;  the same, or y = a x without ADD */
void kernel_axpy(int n, real a, const real *x, real *y);
void kernel_put(int n, real a, const real *x, real *y, bool add);

/* y [n] (+)= a (sum of the ROWS rows of x), one chain from the first row to the last. */
void kernel_put_rows(int rows, int n, real a, const real *x, real *y, bool add);

/* A row of attention's weights, in place: the softmax of SCALE p (SCALE > 0) over the N elements.  From
 * the one numbered OPEN on (both are multiples of 16) those whose CEILING is -REAL_MAX get 0; it is infinite for the
 * others.  At least one gets more.  And the way back: DP becomes SCALE p (dp - p . dp). */
void kernel_softmax(int open, int n, real scale, const real *ceiling, real *p);
void kernel_softmax_backward(int n, real scale, const real *p, real *dp);

/* TO [columns, rows] = FROM [rows, columns] transposed; FROM_ROW and TO_ROW are the
 * elements from row to row. */
void kernel_transpose(int rows, int columns, const real *from, int from_row, real *to, int to_row);

#endif
