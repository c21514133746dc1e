/* matmul.c: the matrix product in register tiles.
 *
 * C is cut into tiles that fit the registers: while k runs, a tile's elements stay
 * there, and each step reads one row of B and one column of A.  B is copied
 * ("packed") into strips as wide as a tile, so that its elements lie in the order in
 * which they are used, at most DEPTH of k at a time, so that a strip is still in a
 * cache when the next tile below needs it.  (Goto and van de Geijn 2008, "Anatomy of
 * high-performance matrix multiplication".)  Between two depths the sums wait in C: each
 * is one chain of fused multiply-adds, however C is cut. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "memory.h"
#include "parallel.h"
#include "vectors.h"

/* A tile is two vectors wide and at most TILE_ROWS high, or one wide and at most NARROW_ROWS high:
 * so many sums, two vectors of B and an element of A fit the registers. */
#if defined(__AVX512F__)
enum { TILE_ROWS = 12, NARROW_ROWS = 24 };
#else
enum { TILE_ROWS = 6, NARROW_ROWS = 12 };
#endif
enum {
    TILE_COLUMNS = 2 * WIDTH,
    DEPTH = 1024,         /* the most of k that is packed at once: a strip of B stays in the second cache */
    DEPTH_IN_PLACE = 256, /* rows of B that are read where they lie, often a power of two apart */
    ROWS = 1024,          /* of A at a time: enough to pay for packing a strip, few enough to be packed themselves */
    APART = 16,
};

static int round_up(int n, int multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* ---- one tile ------------------------------------------------------------------ */

/* Where a tile reads and writes: element (i, p) of A at a[i * a_row + p * a_step],
 * row p of B at b + p * b_row, row i of C at c + i * c_row. */
typedef struct {
    int k, last; /* LAST: how many columns its last vector has */
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

typedef Vector Sums[NARROW_ROWS][2];

static inline __attribute__((always_inline)) Vector read_vector(const real *p, bool part, Mask mask)
{
    return part ? load_first(p, mask) : load(p);
}

/* Adds BIAS and PLUS and writes C. */
static inline __attribute__((always_inline)) void tile_end(int rows, int vectors, bool ragged, const Tile *t, Sums sum)
{
    Mask mask = first(t->last);
    const real *bias = t->bias, *plus = t->plus;
    real *c = t->c;
    long c_row = t->c_row;
    if (bias)
#pragma GCC unroll 24
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                sum[i][j] += read_vector(bias + j * WIDTH, ragged && j == vectors - 1, mask);
    if (plus)
#pragma GCC unroll 24
        for (int i = 0; i < rows; i++, plus += c_row)
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                sum[i][j] += read_vector(plus + j * WIDTH, ragged && j == vectors - 1, mask);
#pragma GCC unroll 24
    for (int i = 0; i < rows; i++, c += c_row)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            if (ragged && j == vectors - 1)
                store_first(c + j * WIDTH, mask, sum[i][j]);
            else
                store(c + j * WIDTH, sum[i][j]);
}

/* ROWS x (VECTORS vectors) elements of C, held in registers while k runs; the last
 * vector may be RAGGED, that is not whole.  These three are constants where this is
 * called, so that the loops unroll. */
static inline __attribute__((always_inline)) void tile_of(int rows, int vectors, bool ragged, const Tile *t)
{
    Sums sum;
    Mask mask = first(t->last);
    const real *a = t->a, *b = t->b, *from = t->from;
    long a_row = t->a_row, a_step = t->a_step, b_row = t->b_row;
#pragma GCC unroll 24
    for (int i = 0; i < rows; i++, from += from ? t->from_row : 0)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sum[i][j] = from ? read_vector(from + j * WIDTH, ragged && j == vectors - 1, mask) : (Vector){0};
    for (int p = t->k; p > 0; p--, a += a_step, b += b_row) {
        Vector left = read_vector(b, ragged && vectors == 1, mask);
        Vector right = vectors > 1 ? read_vector(b + WIDTH, ragged, mask) : left;
        const real *a_i = a; /* moves on by three rows: one register and one stride reach all three */
#pragma GCC unroll 24
        for (int i = 0; i < rows; i++) {
            Vector x = broadcast(a_i[(i % 3) * a_row]);
            sum[i][0] = multiply_add(x, left, sum[i][0]);
            if (vectors > 1)
                sum[i][1] = multiply_add(x, right, sum[i][1]);
            if (i % 3 == 2)
                a_i += 3 * a_row;
        }
    }
    tile_end(rows, vectors, ragged, t, sum);
}

/* The tile that is ROWS high: a constant here, too. */
static inline __attribute__((always_inline)) void tile_high(int rows, int vectors, const Tile *t)
{
    bool ragged = t->last < (int)WIDTH;
    if (rows <= TILE_ROWS && vectors == 2) {
        if (ragged)
            tile_of(rows, 2, true, t);
        else
            tile_of(rows, 2, false, t);
    } else {
        if (ragged)
            tile_of(rows, 1, true, t);
        else
            tile_of(rows, 1, false, t);
    }
}

/* One compiled tile for each height and width. */
static void tile_product(int rows, int vectors, const Tile *t)
{
    switch (rows) {
#define HEIGHT(n)                                                                                                      \
    case n:                                                                                                            \
        tile_high(n, vectors, t);                                                                                      \
        break;
        HEIGHT(1)
        HEIGHT(2)
        HEIGHT(3)
        HEIGHT(4)
        HEIGHT(5)
        HEIGHT(6)
        HEIGHT(7)
        HEIGHT(8)
        HEIGHT(9)
        HEIGHT(10)
        HEIGHT(11)
        HEIGHT(12)
#if defined(__AVX512F__)
        HEIGHT(13)
        HEIGHT(14)
        HEIGHT(15)
        HEIGHT(16)
        HEIGHT(17)
        HEIGHT(18)
        HEIGHT(19)
        HEIGHT(20)
        HEIGHT(21)
        HEIGHT(22)
        HEIGHT(23)
        HEIGHT(24)
#endif
#undef HEIGHT
    }
}

/* The height of tile I where M rows are cut into tiles of at most MOST, as nearly equal as can be. */
static int tile_height(int m, int most, int i)
{
    int tiles = (m + most - 1) / most;
    return m / tiles + (i < m % tiles);
}

/* ---- packing ------------------------------------------------------------------- */

/* Copies one strip of B, K x COLUMNS elements, into rows of whole vectors; what lies
 * beyond the edge is never read. */
static void pack_strip(int k, int columns, Strided b, real *to)
{
    int width = round_up(columns, WIDTH);
    if (b.row == 1 && b.column != 1) {
        kernel_transpose(columns, k, b.data, b.column, to, width);
    } else if (b.column == 1 && columns == TILE_COLUMNS) { /* a constant size is copied faster */
        for (int p = 0; p < k; p++)
            memcpy(to + (long)p * TILE_COLUMNS, b.data + (long)p * b.row, TILE_COLUMNS * sizeof(real));
    } else {
        for (int p = 0; p < k; p++)
            for (int j = 0; j < columns; j++)
                to[p * width + j] = b.data[(long)p * b.row + (long)j * b.column]; // NOLINT: there is room for N > 0
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
        int deep = least(k - start, DEPTH);
        for (int j = 0, columns; j < n; j += columns, at += kernel_packed_size(columns, deep)) {
            columns = least(n - j, TILE_COLUMNS);
            pack_strip(deep, columns, (Strided){b.data + (long)start * b.row + (long)j * b.column, b.row, b.column},
                       at);
        }
    }
    return (Strided){to, 0, 0};
}

/* Copies M x K elements of A whose rows or columns are contiguous: rows so that they are not
 * a power of two apart, columns tile after tile, each as k columns of its height. */
static Strided pack_rows(int m, int k, Strided a, real *to)
{
    Strided packed = a.column == 1 ? (Strided){to, k + APART, 1} : (Strided){to, 0, 0};
    for (int i = 0; a.column == 1 && i < m; i++)
        memcpy(to + (long)i * packed.row, a.data + (long)i * a.row, k * sizeof(real));
    for (int i = 0, row = 0; a.column != 1 && row < m; row += tile_height(m, TILE_ROWS, i++)) {
        int height = tile_height(m, TILE_ROWS, i);
        const real *from = a.data + row;
        for (int p = 0; p < k; p++, to += height, from += a.column)
            for (int r = 0; r < height; r += WIDTH) {
                Mask mask = first(least(height - r, WIDTH));
                store_first(to + r, mask, load_first(from + r, mask));
            }
    }
    return packed;
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

/* ---- a block of C ---------------------------------------------------------------- */

/* One product, or the part of it that one thread computes. */
typedef struct {
    int m, n, k;
    Strided a, b;
    const real *from; /* as in Tile */
    int from_row;
    const real *bias, *plus;
    real *c;
    int c_row;
    int left, all; /* this part's first column in a packed B, which has ALL columns */
    int rows_each, columns_each;
} Product;

/* B may be read where it lies if its rows are contiguous, and is if so few rows of C
 * use it that packing it would cost more than it saves. */
static bool reads_b_in_place(const Product *q)
{
    enum { FEW_ROWS = 64 };
    return q->b.column == 1 && q->m <= FEW_ROWS;
}

/* A is packed where many strips of columns read it again and its rows (or columns) are a
 * multiple of a page apart: these would all meet in one set of the first cache. */
static bool packs_a(const Product *q)
{
    enum { MANY_STRIPS = 8, PAGE = 4096 / sizeof(real) };
    int apart = q->a.column == 1 ? q->a.row : q->a.row == 1 ? q->a.column : 1;
    return q->n > MANY_STRIPS * TILE_COLUMNS && apart % PAGE == 0;
}

/* The tiles of one strip of columns, from the top to the bottom.  IN_TILES: A is packed tile after tile. */
static void strip_product(int m, int vectors, bool in_tiles, Tile tile)
{
    int most = vectors == 2 || in_tiles ? TILE_ROWS : NARROW_ROWS;
    for (int i = 0, row = 0; row < m; row += tile_height(m, most, i++)) {
        int rows = tile_height(m, most, i);
        if (in_tiles)
            tile.a_step = rows;
        tile_product(rows, vectors, &tile);
        tile.a += in_tiles ? (long)rows * tile.k : rows * tile.a_row;
        tile.c += rows * tile.c_row;
        tile.from = tile.from ? tile.from + rows * tile.from_row : NULL;
        tile.plus = tile.plus ? tile.plus + rows * tile.c_row : NULL;
    }
}

/* Rows [ROW, ROW + M) of C for DEEP of k from START on.  Each strip of B is packed into STRIP just before
 * its use, so that it never leaves the second cache; where STRIP is NULL it is packed or read in place. */
static void rows_product(const Product *q, int row, int m, int start, int deep, Strided a, Strided b, real *strip)
{
    bool in_tiles = is_packed(a), in_strips = is_packed(b);
    for (int j = 0; j < q->n; j += TILE_COLUMNS) {
        int columns = least(q->n - j, TILE_COLUMNS), vectors = 1 + (columns > (int)WIDTH);
        long at = (long)row * q->c_row + j;
        Tile tile = {.k = deep, .last = columns - (vectors - 1) * WIDTH, .c = q->c + at, .c_row = q->c_row};
        tile.a = a.data;
        tile.a_row = in_tiles ? 1 : a.row;
        tile.a_step = a.column;
        tile.b = strip ? strip : b.data + (in_strips ? (long)j * deep : j);
        tile.b_row = strip || in_strips ? vectors * WIDTH : b.row;
        if (strip)
            pack_strip(deep, columns, (Strided){b.data + (long)j * b.column, b.row, b.column}, strip);
        if (start > 0) {
            tile.from = tile.c;
            tile.from_row = tile.c_row;
        } else if (q->from) {
            tile.from = q->from + (long)row * q->from_row + j;
            tile.from_row = q->from_row;
        }
        if (start + deep == q->k) {
            tile.bias = q->bias ? q->bias + j : NULL;
            tile.plus = q->plus ? q->plus + at : NULL;
        }
        strip_product(m, vectors, in_tiles, tile);
    }
}

static void block_product(const Product *q)
{
    bool pack_a = packs_a(q), in_place = reads_b_in_place(q), pack_b = !is_packed(q->b) && !in_place;
    int depth = in_place ? DEPTH_IN_PLACE : DEPTH, deepest = least(q->k, depth);
    size_t a_size = pack_a ? (size_t)least(q->m, ROWS) * (deepest + APART) : 0;
    size_t b_size = pack_b ? kernel_packed_size(least(q->n, TILE_COLUMNS), deepest) : 0;
    real *space = a_size + b_size ? scratch(a_size + b_size) : NULL;
    for (int start = 0; start < q->k; start += depth) {
        int deep = least(q->k - start, depth);
        Strided b = q->b;
        b.data +=
            is_packed(b) ? (long)(kernel_packed_size(q->all, start) + (size_t)q->left * deep) : (long)start * b.row;
        for (int row = 0, rows; row < q->m; row += rows) {
            Strided a = q->a;
            rows = least(q->m - row, ROWS);
            a.data += (long)row * a.row + (long)start * a.column;
            if (pack_a)
                a = pack_rows(rows, deep, a, space + b_size);
            rows_product(q, row, rows, start, deep, a, b, pack_b ? space : NULL);
        }
    }
}

/* ---- sharing it out -------------------------------------------------------------- */

static void part_product(int part, void *context)
{
    Product q = *(const Product *)context;
    int across = (q.n + q.columns_each - 1) / q.columns_each;
    int row = part / across * q.rows_each, column = part % across * q.columns_each;
    q.m = least(q.m - row, q.rows_each);
    q.n = least(q.n - column, q.columns_each);
    q.left = column;
    q.a.data += (long)row * q.a.row;
    q.b.data += (long)column * q.b.column;
    q.c += (long)row * q.c_row + column;
    q.from = q.from ? q.from + (long)row * q.from_row + column : NULL;
    q.bias = q.bias ? q.bias + column : NULL;
    q.plus = q.plus ? q.plus + (long)row * q.c_row + column : NULL;
    block_product(&q);
}

/* The longer side of C is cut, columns in whole strips. */
static void product(Product *q, int threads)
{
    enum { WORTH_SHARING = 1 << 21 }; /* multiply-adds: tens of microseconds; below, one thread is as fast */
    q->all = q->n;
    if (threads <= 1 || (double)q->m * q->n * q->k < WORTH_SHARING) {
        block_product(q);
        return;
    }
    bool rows = q->m > q->n;
    q->rows_each = rows ? (q->m + threads - 1) / threads : q->m;
    q->columns_each = rows ? q->n : round_up((q->n + threads - 1) / threads, TILE_COLUMNS);
    int parts = rows ? (q->m + q->rows_each - 1) / q->rows_each : (q->n + q->columns_each - 1) / q->columns_each;
    parallel_for(threads, parts, part_product, q);
}

/* B's members one by one: a copy in one vector would wait until those that the caller has just
 * written have left for the cache, behind all of the last product. */
static Product product_of(int m, int n, int k, Strided a, Strided b, real *c, int c_row)
{
    return (Product){.m = m, .n = n, .k = k, .a = a, .b = {b.data, b.row, b.column}, .c = c, .c_row = c_row};
}

void kernel_matmul(int m, int n, int k, Strided a, Strided b, real *c, int c_row, bool add, int threads)
{
    if (k == 0 && !add)
        for (int i = 0; i < m; i++)
            memset(c + (long)i * c_row, 0, n * sizeof(real));
    Product q = product_of(m, n, k, a, b, c, c_row);
    q.from = add ? c : NULL;
    q.from_row = c_row;
    product(&q, threads);
}

void kernel_matmul_onto(int m, int n, int k, Strided a, Strided b, const real *from, int from_row, real *c, int c_row,
                        int threads)
{
    for (int i = 0; k == 0 && i < m; i++)
        memcpy(c + (long)i * c_row, from + (long)i * from_row, n * sizeof(real));
    Product q = product_of(m, n, k, a, b, c, c_row);
    q.from = from;
    q.from_row = from_row;
    product(&q, threads);
}

void kernel_linear(int m, int n, int k, Strided a, Strided b, const real *bias, const real *plus, real *c, int c_row,
                   int threads)
{
    for (int i = 0; k == 0 && i < m; i++)
        for (int j = 0; j < n; j++)
            c[(long)i * c_row + j] = bias[j] + (plus ? plus[(long)i * c_row + j] : 0);
    Product q = product_of(m, n, k, a, b, c, c_row);
    q.bias = bias;
    q.plus = plus;
    product(&q, threads);
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
