/* matmul.c: the matrix product in register tiles.
 *
 * C is cut into tiles that fit the registers: while k runs, a tile's elements stay
 * there, and each step reads one row of B and one column of A.  B is copied
 * ("packed") into strips as wide as a tile, so that its elements lie in the order in
 * which they are used, at most DEPTH of k at a time, so that a strip is still in a
 * cache when the next tile below needs it.  (Goto and van de Geijn 2008, "Anatomy of
 * high-performance matrix multiplication".)  Between two depths the sums wait in C: each
 * is one chain of fused multiply-adds, however C is cut. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "matmul_thin.h"
#include "memory.h"
#include "parallel.h"
#include "vectors.h"

/* A tile is two vectors wide and at most TILE_ROWS high, or one wide and at most NARROW_ROWS high:
 * so many sums, two vectors of B and an element of A fit the registers.  The blocks are of the caches that
 * processors with such vectors have: a second one of 1 MB or more with AVX-512, half of that elsewhere. */
#if defined(__AVX512F__)
enum {
    TILE_ROWS = 12,
    NARROW_ROWS = 24,
    DEPTH = 1024,    /* the most of k that is packed at once: a strip of B stays in the second cache */
    ROWS = 1024,     /* of A at a time: enough to pay for packing a strip, few enough to be packed themselves */
    PANEL = 1 << 15, /* numbers of B that are packed for all these rows */
    LONG = INT_MAX,  /* columns of A, one after the other, from which on it is worth turning: never */
    TOGETHER = 1,    /* steps of k, where a row of A is contiguous: more are as fast */
};
#else
enum {
    TILE_ROWS = 6,
    NARROW_ROWS = 12,
    DEPTH = 256, /* a strip of B stays in the first cache */
    ROWS = 192,  /* of A stay in the second */
    PANEL = 1 << 18,
    LONG = 512,
    TOGETHER = 4,
};
#endif
enum {
    TILE_COLUMNS = 2 * WIDTH,
    DEPTH_IN_PLACE = 256, /* rows of B that are read where they lie, often a power of two apart */
    DEEP = 512,           /* rows of B, so many that they come from beyond the second cache */
    APART = 16,
};

/* How many pieces of at most EACH make N. */
static int pieces(int n, int each)
{
    return (n + each - 1) / each;
}

static int round_up(int n, int multiple)
{
    return pieces(n, multiple) * multiple;
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

/* One step of k: a column of A, whose elements are A_ROW apart, times a row of B. */
static inline __attribute__((always_inline)) void tile_step(int rows, int vectors, bool ragged, Mask mask,
                                                            const real *a, long a_row, const real *b, Sums sum)
{
    Vector left = in_register(read_vector(b, ragged && vectors == 1, mask));
    Vector right = vectors > 1 ? in_register(read_vector(b + WIDTH, ragged, mask)) : left;
#pragma GCC unroll 24
    for (int i = 0; i < rows; i++) {
        Vector x = broadcast(a[(i % 3) * a_row]);
        sum[i][0] = multiply_add(x, left, sum[i][0]);
        if (vectors > 1)
            sum[i][1] = multiply_add(x, right, sum[i][1]);
        if (i % 3 == 2) /* moves on by three rows: one register and one stride reach all three */
            a += 3 * a_row;
    }
}

/* ROWS x (VECTORS vectors) elements of C, held in registers while k runs; the last
 * vector may be RAGGED, that is not whole.  These three are constants where this is
 * called, so that the loops unroll, and so are what is known of A's strides and how
 * many steps are taken TOGETHER: the fewer instructions there are besides multiply-adds,
 * the less a neighbour on the same core takes away. */
static inline __attribute__((always_inline)) void tile_of(int rows, int vectors, bool ragged, const Tile *t, long a_row,
                                                          long a_step, int together)
{
    Sums sum;
    Mask mask = first(t->last);
    const real *a = t->a, *b = t->b, *from = t->from;
    long b_row = t->b_row;
#pragma GCC unroll 24
    for (int i = 0; i < rows; i++, from += from ? t->from_row : 0)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sum[i][j] = from ? read_vector(from + j * WIDTH, ragged && j == vectors - 1, mask) : (Vector){0};
    int p = t->k;
    for (; together > 1 && p >= together; p -= together, a += together * a_step)
#pragma GCC unroll 4
        for (int i = 0; i < together; i++, b = pointer_in_register(b + b_row))
            tile_step(rows, vectors, ragged, mask, a + i * a_step, a_row, b, sum);
    for (; p > 0; p--, a += a_step, b += b_row)
        tile_step(rows, vectors, ragged, mask, a, a_row, b, sum);
    tile_end(rows, vectors, ragged, t, sum);
}

/* The tile that is ROWS high: a constant here, too. */
static inline __attribute__((always_inline)) void tile_high(int rows, int vectors, const Tile *t)
{
    bool ragged = t->last < (int)WIDTH;
    if (rows <= TILE_ROWS && vectors == 2) {
        if (ragged)
            tile_of(rows, 2, true, t, t->a_row, t->a_step, 1);
        else if (t->a_step == 1)
            tile_of(rows, 2, false, t, t->a_row, 1, TOGETHER);
        else if (t->a_row == 1)
            tile_of(rows, 2, false, t, 1, t->a_step, 1);
        else
            tile_of(rows, 2, false, t, t->a_row, t->a_step, 1);
    } else {
        if (ragged)
            tile_of(rows, 1, true, t, t->a_row, t->a_step, 1);
        else
            tile_of(rows, 1, false, t, t->a_row, t->a_step, 1);
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
    int tiles = pieces(m, most);
    return m / tiles + (i < m % tiles);
}

/* ---- packing ------------------------------------------------------------------- */

/* Copies one strip of B, K x COLUMNS elements, into rows that begin TO_ROW elements apart. */
static void pack_strip(int k, int columns, Strided b, int to_row, real *to)
{
    if (b.row == 1 && b.column != 1) {
        kernel_transpose(columns, k, b.data, b.column, to, to_row);
    } else if (b.column == 1 && columns == TILE_COLUMNS) { /* a constant size is copied faster */
        for (int p = 0; p < k; p++)
            memcpy(to + (long)p * TILE_COLUMNS, b.data + (long)p * b.row, TILE_COLUMNS * sizeof(real));
    } else {
        for (int p = 0; p < k; p++)
            for (int j = 0; j < columns; j++)
                to[p * to_row + j] = b.data[(long)p * b.row + (long)j * b.column]; // NOLINT: there is room for N > 0
    }
}

/* A packed matrix is told by a number of rows below zero where others have what lies between two: {to, -k, n}. */
static bool is_packed(Strided b)
{
    return b.row < 0;
}

size_t kernel_packed_size(int n, int k)
{
    return (size_t)round_up(n, LANES) * k;
}

/* The elements of a row of the packed strip that begins at column J of N. */
static int packed_width(int n, int j)
{
    return least(round_up(n, LANES) - j, TILE_COLUMNS);
}

Strided kernel_pack(int n, int k, Strided b, real *to)
{
    for (int start = 0; start < k; start += DEPTH) {
        int deep = least(k - start, DEPTH);
        for (int j = 0; j < round_up(n, LANES); j += TILE_COLUMNS) {
            int width = packed_width(n, j), columns = j < n ? least(n - j, width) : 0;
            if (columns > 0)
                pack_strip(deep, columns, (Strided){b.data + (long)start * b.row + (long)j * b.column, b.row, b.column},
                           width, to);
            for (int p = 0; p < deep; p++)
                for (int i = columns; i < width; i++)
                    to[(long)p * width + i] = 0;
            to += (long)deep * width;
        }
    }
    return (Strided){to - kernel_packed_size(n, k), -k, n};
}

/* Copies M x K elements of A, whose rows or columns are contiguous, as rows that are not a power of two apart. */
static Strided pack_rows(int m, int k, Strided a, real *to)
{
    Strided packed = {to, k + APART, 1};
    if (a.column != 1)
        kernel_transpose(k, m, a.data, a.column, to, packed.row);
    for (int i = 0; a.column == 1 && i < m; i++)
        memcpy(to + (long)i * packed.row, a.data + (long)i * a.row, k * sizeof(real));
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
    int left; /* this part's first column in a packed B */
    int rows_each, columns_each;
} Product;

/* B may be read where it lies if its rows are contiguous, and is if so few rows of C
 * use it that packing it would cost more than it saves. */
static bool reads_b_in_place(const Product *q)
{
    enum { FEW_ROWS = 64 };
    return !is_packed(q->b) && q->b.column == 1 && q->m <= FEW_ROWS;
}

/* A is packed where many strips of columns read it again and its rows (or columns) are a multiple of a
 * page apart: these would all meet in one set of the first cache.  Many contiguous columns are more than it holds. */
static bool packs_a(const Product *q)
{
    enum { MANY_STRIPS = 8, PAGE = 4096 / sizeof(real) };
    int apart = q->a.column == 1 ? q->a.row : q->a.row == 1 ? q->a.column : 1;
    bool turned = q->a.column != 1 && apart > 1 && q->k >= LONG;
    return turned ? q->n >= MANY_STRIPS * TILE_COLUMNS : q->n > MANY_STRIPS * TILE_COLUMNS && apart % PAGE == 0;
}

/* Brings rows of C, or of what its sums start from, nearer while a tile is computed: they lie far apart. */
static void fetch(const real *from, long apart, int rows, bool write)
{
    for (int i = 0; i < rows; i++, from += apart)
        if (write)
            __builtin_prefetch(from, 1);
        else
            __builtin_prefetch(from, 0);
}

/* Rows of the next strip of B, where it lies; with each tile of this strip some are fetched. */
typedef struct {
    const real *b;
    long apart;
    int rows, columns;
} Ahead;

static void fetch_ahead(Ahead *ahead, int rows)
{
    enum { LINE = 64 / sizeof(real) };
    rows = least(ahead->rows, rows);
    for (int j = 0; j < ahead->columns; j += LINE)
        fetch(ahead->b + j, ahead->apart, rows, false);
    ahead->b += rows * ahead->apart;
    ahead->rows -= rows;
}

/* The tiles of one strip of columns, from the top to the bottom. */
static void strip_product(int m, int vectors, Tile tile, Ahead *ahead)
{
    enum { WORTH_FETCHING = 128 }; /* of k: a shorter tile ends before anything has come */
    int most = vectors == 2 ? TILE_ROWS : NARROW_ROWS, each = ahead ? pieces(ahead->rows, pieces(m, most)) : 0;
    for (int i = 0, row = 0, rows = tile_height(m, most, 0), next; row < m; row += rows, rows = next) {
        next = row + rows < m ? tile_height(m, most, ++i) : 0;
        if (tile.k >= WORTH_FETCHING && tile.from && tile.from_row > 0)
            fetch(tile.from + rows * tile.from_row, tile.from_row, next, tile.from == tile.c);
        if (tile.k >= WORTH_FETCHING && tile.from != tile.c)
            fetch(tile.c, tile.c_row, rows, true);
        if (ahead)
            fetch_ahead(ahead, each);
        tile_product(rows, vectors, &tile);
        tile.a += rows * tile.a_row;
        tile.c += rows * tile.c_row;
        tile.from = tile.from ? tile.from + rows * tile.from_row : NULL;
        tile.plus = tile.plus ? tile.plus + rows * tile.c_row : NULL;
    }
}

/* Rows [row, row + m) and columns [left, left + n) of C for DEEP of k from START on. */
typedef struct {
    int row, m, left, n, start, deep;
    Strided a, b;      /* these rows of A, which may be packed, and these rows of B */
    real *strips;      /* where strips of B are packed, or NULL: it is packed or read in place */
    long strips_apart; /* 0: all in the same place */
    bool pack;         /* now, each just before its use, so that it is still in the first caches; else they have been */
} Block;

/* Where the strip of B from column J on is read, and how far its rows are apart. */
static const real *strip_of(const Product *q, const Block *block, int j, int columns, long *apart)
{
    Strided b = block->b;
    if (is_packed(b)) { /* it may be deeper than the product */
        *apart = packed_width(b.column, q->left + j);
        return b.data + (long)(q->left + j) * least(-b.row - block->start, DEPTH);
    }
    if (!block->strips) {
        *apart = b.row;
        return b.data + j;
    }
    real *strip = block->strips + (j - block->left) / TILE_COLUMNS * block->strips_apart;
    *apart = round_up(columns, WIDTH);
    if (block->pack)
        pack_strip(block->deep, columns, (Strided){b.data + (long)j * b.column, b.row, b.column}, (int)*apart, strip);
    return strip;
}

/* The strip after that of column J, if rows of B, whole or to be copied, are read from far away. */
static Ahead strip_after(const Block *block, int j)
{
    int columns = least(block->left + block->n - j, 2 * TILE_COLUMNS) - TILE_COLUMNS;
    return (Ahead){block->b.data + j + TILE_COLUMNS, block->b.row, columns > 0 ? block->deep : 0, columns};
}

static void rows_product(const Product *q, const Block *block)
{
    bool far = q->k >= DEEP && block->b.column == 1 && block->pack && !is_packed(block->b);
    for (int j = block->left; j < block->left + block->n; j += TILE_COLUMNS) {
        int columns = least(block->left + block->n - j, TILE_COLUMNS), vectors = 1 + (columns > (int)WIDTH);
        long at = (long)block->row * q->c_row + j;
        Tile tile = {.k = block->deep, .last = columns - (vectors - 1) * WIDTH, .c = q->c + at, .c_row = q->c_row};
        tile.a = block->a.data;
        tile.a_row = block->a.row;
        tile.a_step = block->a.column;
        tile.b = strip_of(q, block, j, columns, &tile.b_row);
        if (block->start > 0) {
            tile.from = tile.c;
            tile.from_row = tile.c_row;
        } else if (q->from) {
            tile.from = q->from + (long)block->row * q->from_row + j;
            tile.from_row = q->from_row;
        }
        if (block->start + block->deep == q->k) {
            tile.bias = q->bias ? q->bias + j : NULL;
            tile.plus = q->plus ? q->plus + at : NULL;
        }
        if (far) { /* apart from the other call: products of a few columns are 3 % faster without it */
            Ahead ahead = strip_after(block, j);
            strip_product(block->m, vectors, tile, &ahead);
        } else {
            strip_product(block->m, vectors, tile, NULL);
        }
    }
}

/* All rows of some columns of C, for some of k. */
static void columns_product(const Product *q, Block block, real *space_a)
{
    block.strips_apart = q->m > ROWS ? (long)TILE_COLUMNS * block.deep : 0;
    for (; block.row < q->m; block.row += block.m) {
        Strided a = q->a;
        block.m = least(q->m - block.row, ROWS);
        a.data += (long)block.row * a.row + (long)block.start * a.column;
        block.a = space_a ? pack_rows(block.m, block.deep, a, space_a) : a;
        block.pack = block.row == 0;
        rows_product(q, &block);
    }
}

/* ---- products in which tiles would be nearly empty (matmul_thin.h) -------------------- */

static void add_row(int n, const real *x, real *c)
{
    for (int j = 0; x && j < n; j++)
        c[j] += x[j];
}

static bool one_row(const Product *q)
{
    if (q->b.column == 1)
        row_times_rows(q->n, q->k, q->a.data, q->a.column, q->b.data, q->b.row, q->from, q->c);
    else if (q->b.row == 1 && q->n >= FEWEST_COLUMNS)
        row_times_columns(q->n, q->k, q->a.data, q->a.column, q->b.data, q->b.column, q->from, q->c);
    else
        return false;
    add_row(q->n, q->bias, q->c);
    add_row(q->n, q->plus, q->c);
    return true;
}

static bool one_step(const Product *q)
{
    if (q->b.column != 1)
        return false;
    outer_product(q->m, q->n, q->a.data, q->a.row, q->b.data, q->from, q->from_row, q->bias, q->c, q->c_row);
    for (int i = 0; q->plus && i < q->m; i++)
        add_row(q->n, q->plus + (long)i * q->c_row, q->c + (long)i * q->c_row);
    return true;
}

static bool thin_product(const Product *q)
{
    return !is_packed(q->b) && ((q->m == 1 && one_row(q)) || (q->k == 1 && one_step(q)));
}

static void block_product(const Product *q)
{
    if (thin_product(q))
        return;
    bool in_place = reads_b_in_place(q), pack_a = packs_a(q), pack_b = !is_packed(q->b) && !in_place;
    int depth = in_place ? DEPTH_IN_PLACE : DEPTH, deepest = least(q->k, depth);
    int across = pack_b && q->m > ROWS ? round_up(PANEL / (deepest + 1) + 1, TILE_COLUMNS) : q->n;
    size_t a_size = pack_a ? (size_t)least(q->m, ROWS) * (deepest + APART) : 0;
    size_t b_size =
        pack_b ? kernel_packed_size(q->m > ROWS ? least(q->n, across) : least(q->n, TILE_COLUMNS), deepest) : 0;
    real *space = a_size + b_size ? scratch(a_size + b_size) : NULL;
    for (int start = 0; start < q->k; start += depth) {
        Block block = {.start = start, .deep = least(q->k - start, depth), .b = q->b, .strips = pack_b ? space : NULL};
        block.b.data += is_packed(q->b) ? (long)kernel_packed_size(q->b.column, start) : (long)start * q->b.row;
        for (; block.left < q->n; block.left += block.n) {
            block.n = least(q->n - block.left, across);
            columns_product(q, block, pack_a ? space + b_size : NULL);
        }
    }
}

/* ---- sharing it out -------------------------------------------------------------- */

static void part_product(int part, void *context)
{
    Product q = *(const Product *)context;
    int across = pieces(q.n, q.columns_each);
    int row = part / across * q.rows_each, column = part % across * q.columns_each;
    q.m = least(q.m - row, q.rows_each);
    q.n = least(q.n - column, q.columns_each);
    q.left = column;
    q.a.data += (long)row * q.a.row;
    if (!is_packed(q.b))
        q.b.data += (long)column * q.b.column;
    q.c += (long)row * q.c_row + column;
    q.from = q.from ? q.from + (long)row * q.from_row + column : NULL;
    q.bias = q.bias ? q.bias + column : NULL;
    q.plus = q.plus ? q.plus + (long)row * q.c_row + column : NULL;
    block_product(&q);
}

/* A column as a row, its sums the same: vectors run along it. */
static void turn_column(Product *q)
{
    Strided a = q->a;
    if (q->n != 1 || q->c_row != 1 || is_packed(q->b) || q->bias || q->plus || (q->from && q->from_row != 1))
        return;
    q->a = (Strided){q->b.data, q->b.column, q->b.row};
    q->b = (Strided){a.data, a.column, a.row};
    q->n = q->c_row = q->from_row = q->m;
    q->m = 1;
}

/* The longer side of C is cut, columns in whole strips. */
static void product(Product *q, int threads)
{
    enum { WORTH_SHARING = 1 << 21 }; /* multiply-adds: tens of microseconds; below, one thread is as fast */
    turn_column(q);
    if (threads <= 1 || (double)q->m * q->n * q->k < WORTH_SHARING) {
        block_product(q);
        return;
    }
    bool rows = q->m > q->n;
    q->rows_each = rows ? pieces(q->m, threads) : q->m;
    q->columns_each = rows ? q->n : round_up(pieces(q->n, threads), TILE_COLUMNS);
    int parts = rows ? pieces(q->m, q->rows_each) : pieces(q->n, q->columns_each);
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
