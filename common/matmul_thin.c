/* matmul_thin.c: one row times a matrix, and one column times a row. */
#include "matmul_thin.h"

#include "vectors.h"

/* ---- B's rows are contiguous ------------------------------------------------------- */

/* Sums of so many vectors side by side: a multiply-add takes five cycles or so, and two begin in each. */
enum { MOST_VECTORS = 8, MOST_OUTER = 4 };

/* Vector V of a row, of the LAST one what MASK names; zeros if there is no row. */
static inline __attribute__((always_inline)) Vector vector_of(const real *row, int v, int last, Mask mask)
{
    if (!row)
        return (Vector){0};
    return v < last ? load(row + v * WIDTH) : load_first(row + v * WIDTH, mask);
}

/* VECTORS of C in registers while k runs, of the last one only the first REST elements.  VECTORS is a
 * constant where this is called. */
static inline __attribute__((always_inline)) void vectors_of_row(int vectors, int rest, int k, const real *x,
                                                                 long x_step, const real *b, long b_row,
                                                                 const real *from, real *c)
{
    int last = vectors - 1;
    Mask mask = first(rest);
    Vector sum[MOST_VECTORS];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++)
        sum[v] = vector_of(from, v, last, mask);
    for (int p = 0; p < k; p++, x += x_step, b += b_row) {
        Vector factor = broadcast(*x);
#pragma GCC unroll 8
        for (int v = 0; v < last; v++)
            sum[v] = multiply_add(factor, load(b + v * WIDTH), sum[v]);
        sum[last] = multiply_add(factor, load_first(b + last * WIDTH, mask), sum[last]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < last; v++)
        store(c + v * WIDTH, sum[v]);
    if (rest == WIDTH)
        store(c + last * WIDTH, sum[last]);
    else
        store_first(c + last * WIDTH, mask, sum[last]);
}

void row_times_rows(int n, int k, const real *x, long x_step, const real *b, long b_row, const real *from, real *c)
{
    int vectors = (n + WIDTH - 1) / WIDTH, parts = (vectors + MOST_VECTORS - 1) / MOST_VECTORS;
    for (int part = 0, done = 0, these; part < parts; part++, done += these) {
        these = vectors / parts + (part < vectors % parts); /* nearly equal parts */
        int at = done * WIDTH, rest = n - at - (these - 1) * (int)WIDTH;
        rest = rest < (int)WIDTH ? rest : (int)WIDTH;
        const real *start = from ? from + at : NULL;
        switch (these) {
#define VECTORS(count)                                                                                                 \
    case count:                                                                                                        \
        vectors_of_row(count, rest, k, x, x_step, b + at, b_row, start, c + at);                                       \
        break;
            VECTORS(1)
            VECTORS(2)
            VECTORS(3)
            VECTORS(4)
            VECTORS(5)
            VECTORS(6)
            VECTORS(7)
            VECTORS(8)
#undef VECTORS
        }
    }
}

/* ---- B's columns are contiguous ------------------------------------------------------ */

enum { MOST_EIGHTS = 4 }; /* eight columns each, side by side */

static inline Eight load_eight(const real *p)
{
    Eight v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline Eight add_product(real a, Eight b, Eight c)
{
    for (int i = 0; i < 8; i++)
        c[i] = m_fma(a, b[i], c[i]);
    return c;
}

/* Adds x B to EIGHTS times eight sums, whose columns begin at B[i]; four steps of k are turned into
 * columns at a time.  EIGHTS is a constant where this is called. */
static inline __attribute__((always_inline)) void eights_of_row(int eights, int k, const real *x, long x_step,
                                                                const real *const b[], long b_column, Eight sum[])
{
    int p = 0;
    for (; p + 4 <= k; p += 4)
#pragma GCC unroll 4
        for (int e = 0; e < eights; e++) {
            Eight step[4];
            four_columns(b[e] + p, b_column, step);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                sum[e] = add_product(x[(p + i) * x_step], eight_in_register(step[i]), sum[e]);
        }
    for (; p < k; p++)
        for (int e = 0; e < eights; e++)
            for (int i = 0; i < 8; i++)
                sum[e][i] = m_fma(x[p * x_step], b[e][i * b_column + p], sum[e][i]);
}

/* The last eight columns overlap those before where 8 does not divide N: what they start from
 * is read first. */
void row_times_columns(int n, int k, const real *x, long x_step, const real *b, long b_column, const real *from,
                       real *c)
{
    Eight last = from ? load_eight(from + n - 8) : (Eight){0};
    int all = (n + 7) / 8, these;
    for (int first = 0; first < all; first += these) {
        const real *column[MOST_EIGHTS];
        int at[MOST_EIGHTS];
        Eight sum[MOST_EIGHTS] = {{0}};
        these = all - first < MOST_EIGHTS ? all - first : MOST_EIGHTS;
        for (int e = 0; e < these; e++) {
            at[e] = first + e == all - 1 ? n - 8 : 8 * (first + e);
            column[e] = b + at[e] * b_column;
            if (from)
                sum[e] = first + e == all - 1 ? last : load_eight(from + at[e]);
        }
        switch (these) {
#define EIGHTS(count)                                                                                                  \
    case count:                                                                                                        \
        eights_of_row(count, k, x, x_step, column, b_column, sum);                                                     \
        break;
            EIGHTS(1)
            EIGHTS(2)
            EIGHTS(3)
            EIGHTS(4)
#undef EIGHTS
        }
        for (int e = 0; e < these; e++)
            memcpy(c + at[e], &sum[e], sizeof sum[e]);
    }
}

/* ---- one step of k --------------------------------------------------------------------- */

/* VECTORS of all rows of C, of the last one the first REST elements; as above. */
static inline __attribute__((always_inline)) void vectors_of_outer(int vectors, int rest, int m, const real *x,
                                                                   long x_step, const real *y, const real *from,
                                                                   long from_row, const real *bias, real *c, long c_row)
{
    int last = vectors - 1;
    Mask mask = first(rest);
    Vector right[MOST_OUTER], plus[MOST_OUTER];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
        right[v] = vector_of(y, v, last, mask);
        plus[v] = vector_of(bias, v, last, mask);
    }
    static const real zeros[MOST_OUTER * WIDTH];
    if (!from)
        from = zeros, from_row = 0;
    for (int i = 0; i < m; i++, c += c_row, from += from_row) {
        Vector left = broadcast(x[i * x_step]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            Vector sum = multiply_add(left, right[v], vector_of(from, v, last, mask));
            sum = bias ? sum + plus[v] : sum;
            if (v < last || rest == WIDTH)
                store(c + v * WIDTH, sum);
            else
                store_first(c + v * WIDTH, mask, sum);
        }
    }
}

void outer_product(int m, int n, const real *x, long x_step, const real *y, const real *from, long from_row,
                   const real *bias, real *c, long c_row)
{
    enum { TOGETHER = MOST_OUTER * WIDTH };
    int j = 0;
    for (; j + TOGETHER <= n; j += TOGETHER)
        vectors_of_outer(MOST_OUTER, WIDTH, m, x, x_step, y + j, from ? from + j : NULL, from_row,
                         bias ? bias + j : NULL, c + j, c_row);
    for (; j < n; j += WIDTH)
        vectors_of_outer(1, n - j < (int)WIDTH ? n - j : (int)WIDTH, m, x, x_step, y + j, from ? from + j : NULL,
                         from_row, bias ? bias + j : NULL, c + j, c_row);
}
