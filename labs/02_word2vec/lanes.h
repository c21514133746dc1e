/* lanes.h: vectors of 16 elements, of which the hot loops of lab 02 are made, and
 * their sum in kernel_dot's order.  Included once in each file that computes with
 * them: the vectors are wider than what functions of other files may be given. */
#ifndef LANES_H
#define LANES_H

#include <stdint.h>
#include <string.h>

#include "maths.h"
#include "word2vec.h"

#pragma GCC diagnostic ignored "-Wpsabi" /* wide vectors are passed inside one file only */

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

#endif
