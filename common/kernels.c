/* kernels.c: the matrix product in register tiles, and sums in fixed lanes. */
#include "kernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "maths.h"
#include "memory.h"
#include "parallel.h"

/* The widest vector this build may use: zmm, ymm, or 16 bytes (NEON). */
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64, TILE_ROWS = 12 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32, TILE_ROWS = 6 };
#else
enum { VECTOR_BYTES = 16, TILE_ROWS = 6 };
#endif
enum {
    WIDTH = VECTOR_BYTES / sizeof(real), /* elements in a vector */
    TILE_VECTORS = 2,
    TILE_COLUMNS = TILE_VECTORS * WIDTH,
    DEPTH = 384, /* how much of k is packed at once: a strip of B stays in the first cache */
    LANES = 16,
    LANE_VECTORS = LANES / WIDTH,
};
typedef real Vector __attribute__((vector_size(VECTOR_BYTES)));

static inline Vector load(const real *p)
{
    Vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(real *p, Vector v)
{
    memcpy(p, &v, sizeof v);
}

static inline Vector broadcast(real x)
{
    return x - (Vector){0}; /* x - 0 keeps the sign of -0 */
}

/* a b + c in each element with one rounding: one instruction where there is one. */
static inline Vector multiply_add(Vector a, Vector b, Vector c)
{
    for (int i = 0; i < (int)WIDTH; i++)
        c[i] = m_fma(a[i], b[i], c[i]);
    return c;
}

/* ---- the matrix product ------------------------------------------------------ */

/* One tile of C, TILE_ROWS x TILE_COLUMNS, held in registers while k runs.  A is
 * packed as k columns of TILE_ROWS; B is k rows of TILE_COLUMNS, B_ROW apart. */
static void tile_product(int k, const real *a, const real *b, int b_row, real *c, int c_row, bool add)
{
    Vector sum[TILE_ROWS][TILE_VECTORS];
#pragma GCC unroll 12
    for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 2
        for (int j = 0; j < TILE_VECTORS; j++)
            sum[i][j] = add ? load(c + i * c_row + j * WIDTH) : (Vector){0};
    for (int p = 0; p < k; p++, a += TILE_ROWS, b += b_row) {
        Vector left = load(b), right = load(b + WIDTH);
#pragma GCC unroll 12
        for (int i = 0; i < TILE_ROWS; i++) {
            Vector x = broadcast(a[i]);
            sum[i][0] = multiply_add(x, left, sum[i][0]);
            sum[i][1] = multiply_add(x, right, sum[i][1]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 2
        for (int j = 0; j < TILE_VECTORS; j++)
            store(c + i * c_row + j * WIDTH, sum[i][j]);
}

/* A tile that sticks out of C is computed in a full one beside it. */
static void edge_product(int rows, int columns, int k, const real *a, const real *b, int b_row, real *c, int c_row,
                         bool add)
{
    real tile[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64))) = {0};
    if (add)
        for (int i = 0; i < rows; i++)
            memcpy(tile + i * TILE_COLUMNS, c + i * c_row, columns * sizeof(real));
    tile_product(k, a, b, b_row, tile, TILE_COLUMNS, add);
    for (int i = 0; i < rows; i++)
        memcpy(c + i * c_row, tile + i * TILE_COLUMNS, columns * sizeof(real));
}

/* Copies DEEP x LONG elements into strips of WIDE, zeros beyond the edge; deep
 * runs along k.  The same for A (strips of rows) and B (strips of columns). */
static void pack(int deep, int along, const real *from, int deep_stride, int along_stride, int wide, real *to)
{
    for (int start = 0; start < along; start += wide) {
        int here = along - start < wide ? along - start : wide;
        for (int p = 0; p < deep; p++, to += wide) {
            const real *source = from + (long)p * deep_stride + (long)start * along_stride;
            if (along_stride == 1)
                memcpy(to, source, here * sizeof(real));
            else
                for (int i = 0; i < here; i++)
                    to[i] = source[(long)i * along_stride];
            for (int i = here; i < wide; i++)
                to[i] = 0;
        }
    }
}

/* The part of one product that one thread computes: some rows of C. */
typedef struct {
    int m, n, k, c_row, rows_each;
    Strided a, b;
    real *c;
    bool add;
} Product;

static int round_up(int n, int multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* Packing space of each thread, kept from call to call, grown on demand, and
 * released when the thread ends (what a key's destructor is for). */
static pthread_key_t space_key;

static void make_space_key(void)
{
    pthread_key_create(&space_key, free);
}

static real *scratch(size_t elements)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local size_t size;
    pthread_once(&once, make_space_key);
    if (elements > size) {
        free(pthread_getspecific(space_key));
        pthread_setspecific(space_key, memory_new(elements, sizeof(real), "packed matrices"));
        size = elements;
    }
    return pthread_getspecific(space_key);
}

/* Whether B may be read where it lies: its rows are contiguous, and so few rows
 * of C use it that packing it would cost more than it saves. */
static bool reads_in_place(const Product *q, int m)
{
    enum { FEW_ROWS = 64 };
    return q->b.column == 1 && m <= FEW_ROWS;
}

/* Rows FIRST ... FIRST + M of C from DEEP packed elements of k. */
static void product_tiles(const Product *q, int first, int m, int start, int deep, const real *a_strips,
                          const real *b_strips)
{
    bool add = q->add || start > 0, in_place = reads_in_place(q, m);
    for (int j = 0; j < q->n; j += TILE_COLUMNS) {
        int columns = q->n - j < TILE_COLUMNS ? q->n - j : TILE_COLUMNS;
        bool direct = in_place && columns == TILE_COLUMNS;
        const real *b = direct     ? q->b.data + (long)start * q->b.row + j
                        : in_place ? b_strips
                                   : b_strips + (size_t)j * deep;
        int b_row = direct ? q->b.row : TILE_COLUMNS;
        for (int i = 0; i < m; i += TILE_ROWS) {
            int rows = m - i < TILE_ROWS ? m - i : TILE_ROWS;
            real *c = q->c + (long)(first + i) * q->c_row + j;
            if (rows == TILE_ROWS && columns == TILE_COLUMNS)
                tile_product(deep, a_strips + (size_t)i * deep, b, b_row, c, q->c_row, add);
            else
                edge_product(rows, columns, deep, a_strips + (size_t)i * deep, b, b_row, c, q->c_row, add);
        }
    }
}

static void product_rows(int part, void *context)
{
    const Product *q = context;
    int first = part * q->rows_each, m = q->m - first < q->rows_each ? q->m - first : q->rows_each;
    int packed_from = reads_in_place(q, m) ? q->n / TILE_COLUMNS * TILE_COLUMNS : 0; /* columns of B to pack */
    size_t a_size = (size_t)round_up(m, TILE_ROWS) * DEPTH;
    size_t b_size = (size_t)round_up(q->n - packed_from, TILE_COLUMNS) * DEPTH;
    real *a_strips = scratch(a_size + b_size), *b_strips = a_strips + a_size;
    for (int start = 0; start < q->k; start += DEPTH) {
        int deep = q->k - start < DEPTH ? q->k - start : DEPTH;
        const real *a = q->a.data + (long)first * q->a.row + (long)start * q->a.column;
        const real *b = q->b.data + (long)start * q->b.row + (long)packed_from * q->b.column;
        pack(deep, m, a, q->a.column, q->a.row, TILE_ROWS, a_strips);
        pack(deep, q->n - packed_from, b, q->b.row, q->b.column, TILE_COLUMNS, b_strips);
        product_tiles(q, first, m, start, deep, a_strips, b_strips);
    }
}

void kernel_matmul(int m, int n, int k, Strided a, Strided b, real *c, int c_row, bool add, int threads)
{
    enum { WORTH_SHARING = 1 << 21 }; /* multiply-adds; below, starting a thread costs more */
    if (k == 0 && !add)
        for (int i = 0; i < m; i++)
            memset(c + (long)i * c_row, 0, n * sizeof(real));
    if ((double)m * n * k < WORTH_SHARING || threads < 1)
        threads = 1;
    int rows_each = round_up((m + threads - 1) / threads, TILE_ROWS);
    Product product = {m, n, k, c_row, rows_each, a, b, c, add};
    parallel_for(threads, (m + rows_each - 1) / (rows_each ? rows_each : 1), product_rows, &product);
}

void kernel_matmul_plain(int m, int n, int k, Strided a, Strided b, real *c, int c_row, bool add)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            real sum = add ? c[i * c_row + j] : 0;
            for (int p = 0; p < k; p++)
                sum = m_fma(a.data[i * a.row + p * a.column], b.data[p * b.row + j * b.column], sum);
            c[i * c_row + j] = sum;
        }
}

/* ---- sums -------------------------------------------------------------------- */

/* The 16 lanes: 8 + 8, then 4 + 4, 2 + 2, 1 + 1. */
static real add_lanes(real lane[LANES])
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

real kernel_dot(const real *x, const real *y, int n)
{
    Vector sum[LANE_VECTORS] = {{0}};
    int whole = n / LANES * LANES;
    for (int i = 0; i < whole; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] = multiply_add(load(x + i + v * WIDTH), load(y + i + v * WIDTH), sum[v]);
    real lane[LANES];
    memcpy(lane, sum, sizeof lane);
    for (int i = whole; i < n; i++)
        lane[i - whole] = m_fma(x[i], y[i], lane[i - whole]);
    return add_lanes(lane);
}

real kernel_sum(const real *x, int n)
{
    Vector sum[LANE_VECTORS] = {{0}};
    int whole = n / LANES * LANES;
    for (int i = 0; i < whole; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++)
            sum[v] += load(x + i + v * WIDTH);
    real lane[LANES];
    memcpy(lane, sum, sizeof lane);
    for (int i = whole; i < n; i++)
        lane[i - whole] += x[i];
    return add_lanes(lane);
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

real kernel_max(const real *x, int n)
{
    real lane[LANES], largest = x[0];
    int whole = n / LANES * LANES;
    for (int l = 0; l < LANES; l++)
        lane[l] = x[0];
    for (int i = 0; i < whole; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    for (int l = 0; l < LANES; l++)
        largest = lane[l] > largest ? lane[l] : largest;
    for (int i = whole; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

void kernel_axpy(int n, real a, const real *x, real *y)
{
    for (int i = 0; i < n; i++)
        y[i] = m_fma(a, x[i], y[i]);
}
