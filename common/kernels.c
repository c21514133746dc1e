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
    DEPTH = 256, /* how much of k is packed at once: a strip of B stays in half the first cache */
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

/* Where a tile reads and writes: element (i, p) of A at a[i * a_row + p * a_step],
 * row p of B at b + p * b_row, row i of C at c + i * c_row. */
typedef struct {
    int k;
    const real *a;
    long a_row, a_step;
    const real *b;
    long b_row;
    real *c;
    long c_row;
    const real *from; /* what the sums start from, or NULL: zeros */
    long from_row;
    const real *bias, *plus; /* added at the end, or NULL; plus lies as C does */
} Tile;

/* ROWS x (VECTORS vectors) elements of C, held in registers while k runs.  ROWS
 * and VECTORS are constants where this is called, so that the loops unroll. */
static inline __attribute__((always_inline)) void tile_of(int rows, int vectors, const Tile *t)
{
    Vector sum[TILE_ROWS][TILE_VECTORS];
    const real *a = t->a, *b = t->b;
    long a_row = t->a_row, c_row = t->c_row;
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sum[i][j] = t->from ? load(t->from + i * t->from_row + j * WIDTH) : (Vector){0};
    for (int p = 0; p < t->k; p++, a += t->a_step, b += t->b_row) {
        Vector left = load(b), right = vectors > 1 ? load(b + WIDTH) : left;
        const real *a_i = a; /* moves on by three rows: one register and one stride reach all three */
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            Vector x = broadcast(a_i[(i % 3) * a_row]);
            sum[i][0] = multiply_add(x, left, sum[i][0]);
            if (vectors > 1)
                sum[i][1] = multiply_add(x, right, sum[i][1]);
            if (i % 3 == 2)
                a_i += 3 * a_row;
        }
    }
    if (t->bias)
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                sum[i][j] += load(t->bias + j * WIDTH);
    if (t->plus)
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                sum[i][j] += load(t->plus + i * c_row + j * WIDTH);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            store(t->c + i * c_row + j * WIDTH, sum[i][j]);
}

/* One compiled tile for each height and width. */
static void tile_product(int rows, int vectors, const Tile *t)
{
    switch (2 * rows + vectors) {
#define HEIGHT(n)                                                                                                      \
    case 2 * (n) + 1:                                                                                                  \
        tile_of(n, 1, t);                                                                                              \
        break;                                                                                                         \
    case 2 * (n) + 2:                                                                                                  \
        tile_of(n, 2, t);                                                                                              \
        break;
        HEIGHT(1)
        HEIGHT(2)
        HEIGHT(3)
        HEIGHT(4)
        HEIGHT(5)
        HEIGHT(6)
#if defined(__AVX512F__)
        HEIGHT(7) HEIGHT(8) HEIGHT(9) HEIGHT(10) HEIGHT(11) HEIGHT(12)
#endif
#undef HEIGHT
    }
}

/* A tile narrower than its vectors is computed in whole ones beside C. */
static void edge_product(int rows, int columns, const Tile *t)
{
    real whole[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
    int vectors = (columns + WIDTH - 1) / WIDTH;
    Tile inside = *t;
    inside.c = whole;
    inside.c_row = TILE_COLUMNS;
    inside.bias = inside.plus = NULL;
    if (t->from) {
        inside.from = whole;
        inside.from_row = TILE_COLUMNS;
    }
    for (int i = 0; t->from && i < rows; i++)
        for (int j = 0; j < vectors * (int)WIDTH; j++)
            whole[i * TILE_COLUMNS + j] = j < columns ? t->from[i * t->from_row + j] : 0;
    tile_product(rows, vectors, &inside);
    for (int i = 0; i < rows; i++) {
        real *inner = whole + i * TILE_COLUMNS;
        for (int j = 0; t->bias && j < columns; j++)
            inner[j] += t->bias[j];
        for (int j = 0; t->plus && j < columns; j++)
            inner[j] += t->plus[i * t->c_row + j];
        memcpy(t->c + i * t->c_row, inner, columns * sizeof(real));
    }
}

/* ---- transposing --------------------------------------------------------------- */

typedef real Eight __attribute__((vector_size(8 * sizeof(real))));

/* 8 x 8 elements: interleaving row i with row i + 4 moves the highest bit of a
 * row's number to the lowest of the column's; after three times they are exchanged. */
static void transpose_eight(const real *from, long from_row, real *to, long to_row)
{
    Eight x[8], y[8];
    for (int i = 0; i < 8; i++)
        memcpy(&x[i], from + i * from_row, sizeof x[i]);
    for (int times = 0; times < 3; times++) {
        for (int i = 0; i < 4; i++) {
            y[2 * i] = __builtin_shufflevector(x[i], x[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        memcpy(x, y, sizeof x);
    }
    for (int i = 0; i < 8; i++)
        memcpy(to + i * to_row, &x[i], sizeof x[i]);
}

void kernel_transpose(int rows, int columns, const real *from, int from_row, real *to, int to_row)
{
    int whole_rows = rows / 8 * 8, whole_columns = columns / 8 * 8;
    for (long i = 0; i < whole_rows; i += 8)
        for (long j = 0; j < whole_columns; j += 8)
            transpose_eight(from + i * from_row + j, from_row, to + j * to_row + i, to_row);
    for (long i = 0; i < rows; i++)
        for (long j = i < whole_rows ? whole_columns : 0; j < columns; j++)
            to[j * to_row + i] = from[i * from_row + j];
}

static int round_up(int n, int multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

/* Copies one strip of B, K x COLUMNS elements, into rows of whole vectors, with
 * zeros beyond the edge. */
static void pack_strip(int k, int columns, Strided b, real *to)
{
    int width = round_up(columns, WIDTH);
    if (b.row == 1 && b.column != 1) {
        kernel_transpose(columns, k, b.data, b.column, to, width);
    } else if (b.column == 1 && columns == TILE_COLUMNS) {
        for (int p = 0; p < k; p++)
            memcpy(to + (long)p * TILE_COLUMNS, b.data + (long)p * b.row, TILE_COLUMNS * sizeof(real));
        return;
    } else {
        for (int p = 0; p < k; p++)
            for (int j = 0; j < columns; j++)
                to[p * width + j] = b.data[(long)p * b.row + (long)j * b.column];
    }
    for (int p = 0; p < k && columns < width; p++)
        for (int j = columns; j < width; j++)
            to[p * width + j] = 0;
}

/* Copies K x COLUMNS elements of B into strips of TILE_COLUMNS, the last of which may be narrower. */
static void pack_columns(int k, int columns, Strided b, real *to)
{
    for (int start = 0; start < columns; start += TILE_COLUMNS, to += (long)k * TILE_COLUMNS) {
        int here = columns - start < TILE_COLUMNS ? columns - start : TILE_COLUMNS;
        pack_strip(k, here, (Strided){b.data + (long)start * b.column, b.row, b.column}, to);
    }
}

/* A packed matrix is told by strides that no other one has. */
static bool is_packed(Strided b)
{
    return b.row == 0 && b.column == 0;
}

size_t kernel_packed_size(int n, int k)
{
    return (size_t)round_up(n, WIDTH) * k;
}

Strided kernel_pack(int n, int k, Strided b, real *to)
{
    real *at = to;
    for (int start = 0; start < k; start += DEPTH) {
        int deep = k - start < DEPTH ? k - start : DEPTH;
        pack_columns(deep, n, (Strided){b.data + (long)start * b.row, b.row, b.column}, at);
        at += kernel_packed_size(n, deep);
    }
    return (Strided){to, 0, 0};
}

/* The height of tile I where M rows are cut into tiles as nearly equal as can be. */
static int tile_height(int m, int i)
{
    int tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
    return m / tiles + (i < m % tiles);
}

/* Copies M x K elements of A, tile after tile, each as k columns of its height. */
static void pack_rows(int m, int k, Strided a, real *to)
{
    for (int i = 0, row = 0; row < m; row += tile_height(m, i++)) {
        int height = tile_height(m, i);
        for (int p = 0; p < k; p++, to += height)
            for (int r = 0; r < height; r++)
                to[r] = a.data[(long)(row + r) * a.row + (long)p * a.column];
    }
}

/* The part of one product that one thread computes: some rows of C. */
typedef struct {
    int m, n, k, c_row, rows_each;
    Strided a, b;
    real *c;
    const real *from;
    int from_row;
    const real *bias, *plus;
} Product;

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

/* The columns of B that may be read where they lie: its rows are contiguous, and
 * so few rows of C use it that packing it would cost more than it saves. */
static int columns_in_place(const Product *q, int m)
{
    enum { FEW_ROWS = 64 };
    return q->b.column == 1 && m <= FEW_ROWS ? q->n / (int)WIDTH * (int)WIDTH : 0;
}

/* A is packed where many strips of columns read it again, and it is not already
 * read along its rows. */
static bool packs_rows(const Product *q)
{
    enum { MANY_STRIPS = 8 };
    return q->n > MANY_STRIPS * TILE_COLUMNS && q->a.column != 1;
}

/* The tiles of one strip of columns, from the top of the thread's rows to their end. */
static void strip_product(int m, int columns, bool packed, Tile tile)
{
    for (int i = 0, row = 0; row < m; row += tile_height(m, i++)) {
        int rows = tile_height(m, i);
        if (packed)
            tile.a_step = rows;
        if (columns % WIDTH == 0)
            tile_product(rows, columns / WIDTH, &tile);
        else
            edge_product(rows, columns, &tile);
        tile.a += packed ? (long)rows * tile.k : rows * tile.a_row;
        tile.c += rows * tile.c_row;
        tile.from = tile.from ? tile.from + rows * tile.from_row : NULL;
        tile.plus = tile.plus ? tile.plus + rows * tile.c_row : NULL;
    }
}

static void product_rows(int part, void *context)
{
    const Product *q = context;
    int first = part * q->rows_each, m = q->m - first < q->rows_each ? q->m - first : q->rows_each;
    int in_place = columns_in_place(q, m);
    bool packed = packs_rows(q);
    size_t b_size = is_packed(q->b) ? 0 : (size_t)round_up(q->n - in_place, TILE_COLUMNS) * DEPTH;
    real *space = scratch(b_size + (packed ? (size_t)m * DEPTH : 0)), *a_tiles = space + b_size;
    for (int start = 0; start < q->k; start += DEPTH) {
        int deep = q->k - start < DEPTH ? q->k - start : DEPTH;
        Strided a = q->a, b = q->b;
        a.data += (long)first * a.row + (long)start * a.column;
        b.data += (long)start * b.row;
        const real *b_strips = is_packed(b) ? b.data + kernel_packed_size(q->n, start) : space;
        if (!is_packed(b))
            pack_columns(deep, q->n - in_place, (Strided){b.data + (long)in_place * b.column, b.row, b.column}, space);
        if (packed)
            pack_rows(m, deep, a, a_tiles);
        for (int j = 0, columns; j < q->n; j += columns) {
            bool direct = j < in_place;
            columns = (direct ? in_place : q->n) - j;
            columns = columns < TILE_COLUMNS ? columns : TILE_COLUMNS;
            Tile tile = {.k = deep, .c = q->c + (long)first * q->c_row + j, .c_row = q->c_row};
            tile.a = packed ? a_tiles : a.data;
            tile.a_row = packed ? 1 : a.row;
            tile.a_step = a.column;
            tile.b = direct ? b.data + j : b_strips + (size_t)(j - in_place) * deep;
            tile.b_row = direct ? b.row : round_up(columns, WIDTH);
            if (start > 0) {
                tile.from = tile.c;
                tile.from_row = tile.c_row;
            } else if (q->from) {
                tile.from = q->from + (long)first * q->from_row + j;
                tile.from_row = q->from_row;
            }
            if (start + deep == q->k) {
                tile.bias = q->bias ? q->bias + j : NULL;
                tile.plus = q->plus ? q->plus + (tile.c - q->c) : NULL;
            }
            strip_product(m, columns, packed, tile);
        }
    }
}

static void share_rows(Product *product, int threads)
{
    enum {
        WORTH_SHARING = 1 << 21, /* multiply-adds: tens of microseconds; below, one thread is as fast */
        MOST_ROWS = 960          /* of A at a time, so that they stay in the second cache */
    };
    int m = product->m;
    if ((double)m * product->n * product->k < WORTH_SHARING || threads < 1)
        threads = 1;
    int rows_each = round_up((m + threads - 1) / threads, TILE_ROWS);
    product->rows_each = rows_each < MOST_ROWS ? rows_each : MOST_ROWS;
    parallel_for(threads, m ? (m + product->rows_each - 1) / product->rows_each : 0, product_rows, product);
}

void kernel_matmul(int m, int n, int k, Strided a, Strided b, real *c, int c_row, bool add, int threads)
{
    if (k == 0 && !add)
        for (int i = 0; i < m; i++)
            memset(c + (long)i * c_row, 0, n * sizeof(real));
    Product product = {.m = m, .n = n, .k = k, .c_row = c_row, .a = a, .b = b, .c = c};
    product.from = add ? c : NULL;
    product.from_row = c_row;
    share_rows(&product, threads);
}

void kernel_matmul_onto(int m, int n, int k, Strided a, Strided b, const real *from, int from_row, real *c, int c_row,
                        int threads)
{
    for (int i = 0; k == 0 && i < m; i++)
        memcpy(c + (long)i * c_row, from + (long)i * from_row, n * sizeof(real));
    Product product = {.m = m, .n = n, .k = k, .c_row = c_row, .a = a, .b = b, .c = c};
    product.from = from;
    product.from_row = from_row;
    share_rows(&product, threads);
}

void kernel_linear(int m, int n, int k, Strided a, Strided b, const real *bias, const real *plus, real *c, int c_row,
                   int threads)
{
    for (int i = 0; k == 0 && i < m; i++)
        for (int j = 0; j < n; j++)
            c[(long)i * c_row + j] = bias[j] + (plus ? plus[(long)i * c_row + j] : 0);
    Product product = {.m = m, .n = n, .k = k, .c_row = c_row, .a = a, .b = b, .c = c, .bias = bias, .plus = plus};
    share_rows(&product, threads);
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
static real add_lanes(const Vector sum[LANE_VECTORS])
{
    typedef real Four __attribute__((vector_size(4 * sizeof(real))));
    Eight low, high;
    memcpy(&low, sum, sizeof low);
    memcpy(&high, (const char *)sum + sizeof low, sizeof high);
    low += high;
    Four four = __builtin_shufflevector(low, low, 0, 1, 2, 3) + __builtin_shufflevector(low, low, 4, 5, 6, 7);
    return (four[0] + four[2]) + (four[1] + four[3]);
}

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
    typedef real Four __attribute__((vector_size(4 * sizeof(real))));
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

void kernel_softmax(int n, real scale, const real *ceiling, real *p)
{
    Vector most[LANE_VECTORS], sum[LANE_VECTORS] = {{0}};
    for (int v = 0; v < (int)LANE_VECTORS; v++)
        most[v] = broadcast(-REAL_MAX);
    for (int i = 0; i < n; i += LANES)
        for (int v = 0; v < (int)LANE_VECTORS; v++) {
            real *at = p + i + v * WIDTH;
            Vector x = smaller(broadcast(scale) * load(at), load(ceiling + i + v * WIDTH));
            store(at, x);
            most[v] = larger(x, most[v]);
        }
    real largest = largest_lane(most);
    for (int i = 0; i < n; i += LANES) {
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
