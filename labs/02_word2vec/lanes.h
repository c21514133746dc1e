/* lanes.h: the dot products of one row with up to six others, side by side: each in
 * kernel_dot's lanes, and six added up together by its tree.  Included once in each file that computes
 * with them: the vectors are wider than what functions of other files may be given. */
#ifndef LANES_H
#define LANES_H

#include "vectors.h"

#pragma GCC diagnostic ignored "-Wpsabi" /* wide vectors are passed inside one file only */

/* The lanes of H's dot products with the ROWS (at most six, a constant) rows, whose chains of
 * additions run side by side. */
static inline __attribute__((always_inline)) void dot_lanes(const real *h, const real *const *row, const int rows,
                                                            int stride, Vector (*lane)[LANE_VECTORS])
{
#pragma GCC unroll 4
    for (int v = 0; v < (int)LANE_VECTORS; v++) {
        Vector sum[6];
#pragma GCC unroll 6
        for (int t = 0; t < rows; t++)
            sum[t] = (Vector){0};
        for (int i = v * WIDTH; i < stride; i += LANES) {
            Vector x = load(h + i);
#pragma GCC unroll 6
            for (int t = 0; t < rows; t++)
                sum[t] = multiply_add(x, load(row[t] + i), sum[t]);
        }
#pragma GCC unroll 6
        for (int t = 0; t < rows; t++)
            lane[t][v] = sum[t];
    }
}

/* Sum t lies in element six_at[t], where the fewest exchanges leave it; 3 and 7 are
 * copies of others. */
static const int six_at[] = {0, 4, 1, 5, 2, 6};

static inline Eight add_six(const Vector lane[6][LANE_VECTORS])
{
    Eight four[3];
#pragma GCC unroll 3
    for (int t = 0; t < 3; t++) { /* 4 + 4 of two sums */
        Eight a = add_halves(lane[2 * t]), b = add_halves(lane[2 * t + 1]);
        four[t] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
                  __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
    /* 2 + 2: 0 0 2 2 and 1 1 3 3, then 4 4 4 4 and 5 5 5 5. */
    Eight two = __builtin_shufflevector(four[0], four[1], 0, 1, 8, 9, 4, 5, 12, 13) +
                __builtin_shufflevector(four[0], four[1], 2, 3, 10, 11, 6, 7, 14, 15);
    Eight rest = __builtin_shufflevector(four[2], four[2], 0, 1, 0, 1, 4, 5, 4, 5) +
                 __builtin_shufflevector(four[2], four[2], 2, 3, 2, 3, 6, 7, 6, 7);
    return __builtin_shufflevector(two, rest, 0, 2, 8, 10, 4, 6, 12, 14) + /* 1 + 1 */
           __builtin_shufflevector(two, rest, 1, 3, 9, 11, 5, 7, 13, 15);
}

#endif
