/* kernels.c: sums in fixed lanes, and transposing.  (The matrix product is matmul.c.) */
#include "kernels.h"

#include <string.h>

#include "maths.h"
#include "vectors.h"

/* ---- transposing --------------------------------------------------------------- */

static void transpose_eight(const real *from, long from_row, real *to, long to_row)
{
    for (int j = 0; j < 8; j += 4) {
        Eight column[4];
        four_columns(from + j, from_row, column);
        for (int i = 0; i < 4; i++)
            memcpy(to + (j + i) * to_row, &column[i], sizeof column[i]);
    }
}

/* Where 8 does not divide the rows or columns, the last blocks overlap those before. */
void kernel_transpose(int rows, int columns, const real *from, int from_row, real *to, int to_row)
{
    if (rows < 8 || columns < 8) {
        for (long i = 0; i < rows; i++)
            for (long j = 0; j < columns; j++)
                to[j * to_row + i] = from[i * from_row + j];
        return;
    }
    for (long i = 0; i < rows; i += 8)
        for (long j = 0; j < columns; j += 8) {
            long top = i < rows - 8 ? i : rows - 8, left = j < columns - 8 ? j : columns - 8;
            transpose_eight(from + top * from_row + left, from_row, to + left * to_row + top, to_row);
        }
}

/* ---- sums -------------------------------------------------------------------- */

/* The last elements, fewer than LANES, with zeros behind them: these change no sum. */
static inline void load_rest(const real *x, int n, Vector rest[LANE_VECTORS])
{
    real lane[LANES];
    for (int i = 0; i < LANES; i++)
        lane[i] = i < n ? x[i] : 0;
    memcpy(rest, lane, sizeof lane);
}

real kernel_dot(const real *x, const real *y, int n)
{
    Vector sum[LANE_VECTORS] = {{0}}, a[LANE_VECTORS], b[LANE_VECTORS];
    int whole = n / LANES * LANES;
    for (int i = 0; i < whole; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] = multiply_add(load(x + i + v * WIDTH), load(y + i + v * WIDTH), sum[v]);
    if (whole < n) {
        load_rest(x + whole, n - whole, a);
        load_rest(y + whole, n - whole, b);
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] = multiply_add(a[v], b[v], sum[v]);
    }
    return add_lanes(sum);
}

real kernel_sum(const real *x, int n)
{
    Vector sum[LANE_VECTORS] = {{0}}, rest[LANE_VECTORS];
    int whole = n / LANES * LANES;
    for (int i = 0; i < whole; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] += load(x + i + v * WIDTH);
    if (whole < n) {
        load_rest(x + whole, n - whole, rest);
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] += rest[v];
    }
    return add_lanes(sum);
}

double kernel_squares(const real *x, int n)
{
    double lane[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int j = 0; j < LANES && i + j < n; j++)
            lane[j] += (double)x[i + j] * (double)x[i + j];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

static inline Vector larger(Vector a, Vector b)
{
    for (int i = 0; i < (int)WIDTH; i++)
        a[i] = a[i] > b[i] ? a[i] : b[i];
    return a;
}

real kernel_max(const real *x, int n)
{
    Vector most = broadcast(x[0]);
    int whole = n / WIDTH * WIDTH;
    for (int i = 0; i < whole; i += WIDTH)
        most = larger(load(x + i), most);
    real lane[WIDTH];
    store(lane, most);
    for (int half = WIDTH / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] = lane[i + half] > lane[i] ? lane[i + half] : lane[i];
    for (int i = whole; i < n; i++)
        lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    return lane[0];
}

void kernel_axpy(int n, real a, const real *x, real *y)
{
    for (int i = 0; i < n; i++)
        y[i] = m_fma(a, x[i], y[i]);
}

void kernel_put(int n, real a, const real *x, real *y, bool add)
{
    for (int i = 0; i < n; i++)
        y[i] = m_fma(a, x[i], add ? y[i] : 0);
}

/* Columns [from, from + VECTORS vectors) of all rows, kept in registers. */
static inline __attribute__((always_inline)) void put_columns(int vectors, int rows, long row, real a, const real *x,
                                                              real *y, bool add)
{
    Vector sum[4];
    for (int v = 0; v < vectors; v++)
        sum[v] = add ? load(y + v * WIDTH) : (Vector){0};
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            sum[v] = multiply_add(broadcast(a), load(x + i * row + v * WIDTH), sum[v]);
    for (int v = 0; v < vectors; v++)
        store(y + v * WIDTH, sum[v]);
}

void kernel_put_rows(int rows, int n, real a, const real *x, real *y, bool add)
{
    int j = 0;
    for (; j + 4 * (int)WIDTH <= n; j += 4 * WIDTH)
        put_columns(4, rows, n, a, x + j, y + j, add);
    for (; j + (int)WIDTH <= n; j += WIDTH)
        put_columns(1, rows, n, a, x + j, y + j, add);
    for (int i = 0; i < rows; i++)
        kernel_put(n - j, a, x + (long)i * n + j, y + j, add || i > 0);
    if (rows == 0 && !add)
        memset(y + j, 0, (n - j) * sizeof(real));
}

/* ---- softmax ------------------------------------------------------------------- */

static inline Vector smaller(Vector a, Vector b)
{
    for (int i = 0; i < (int)WIDTH; i++)
        a[i] = a[i] < b[i] ? a[i] : b[i];
    return a;
}

/* 8 against 8, then 4 against 4 ... */
static real largest_lane(const Vector most[LANE_VECTORS])
{
    Eight low, high;
    memcpy(&low, most, sizeof low);
    memcpy(&high, (const char *)most + sizeof low, sizeof high);
    for (int i = 0; i < 8; i++)
        low[i] = high[i] > low[i] ? high[i] : low[i];
    Four four = __builtin_shufflevector(low, low, 0, 1, 2, 3), rest = __builtin_shufflevector(low, low, 4, 5, 6, 7);
    for (int i = 0; i < 4; i++)
        four[i] = rest[i] > four[i] ? rest[i] : four[i];
    real even = four[2] > four[0] ? four[2] : four[0], odd = four[3] > four[1] ? four[3] : four[1];
    return odd > even ? odd : even;
}

/* e^(p - LARGEST) for 16 elements, 0 where p is -REAL_MAX: that is not passed to exp, whose
 * result below the smallest normal number takes a processor long. */
static inline void exp_of_lanes(real largest, real *p)
{
    for (int i = 0; i < LANES; i++) {
        bool forbidden = p[i] <= -REAL_MAX;
        real e = m_exp_negative(forbidden ? 0 : p[i] - largest);
        p[i] = forbidden ? 0 : e;
    }
}

/* The largest of SCALE p, and SCALE p itself where a ceiling is. */
static real largest_score(int open, int n, real scale, const real *ceiling, real *p)
{
    Vector most[LANE_VECTORS], factor = broadcast(scale);
    for (int v = 0; v < (int)LANE_VECTORS; v++)
        most[v] = broadcast(-REAL_MAX);
    for (int i = 0; i < open; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            most[v] = larger(factor * load(p + i + v * WIDTH), most[v]);
    for (int i = open; i < n; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++) {
            real *at = p + i + v * WIDTH;
            Vector x = smaller(factor * load(at), load(ceiling + i + v * WIDTH));
            store(at, x);
            most[v] = larger(x, most[v]);
        }
    return largest_lane(most);
}

void kernel_softmax(int open, int n, real scale, const real *ceiling, real *p)
{
    Vector sum[LANE_VECTORS] = {{0}};
    real largest = largest_score(open, n, scale, ceiling, p);
    for (int i = 0; i < n; i += LANES) {
        if (i < open)
            for (int j = i; j < i + LANES; j++)
                p[j] = m_exp_negative(scale * p[j] - largest);
        else
            exp_of_lanes(largest, p + i);
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] += load(p + i + v * WIDTH);
    }
    Vector all = broadcast(add_lanes(sum));
    for (int i = 0; i < n; i += WIDTH)
        store(p + i, load(p + i) / all);
}

void kernel_softmax_backward(int n, real scale, const real *p, real *dp)
{
    Vector sum[LANE_VECTORS] = {{0}};
    for (int i = 0; i < n; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] = multiply_add(load(p + i + v * WIDTH), load(dp + i + v * WIDTH), sum[v]);
    Vector dot = broadcast(add_lanes(sum)), factor = broadcast(scale);
    for (int i = 0; i < n; i += WIDTH)
        store(dp + i, factor * (load(p + i) * (load(dp + i) - dot)));
}
