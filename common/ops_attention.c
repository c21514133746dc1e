/* ops_attention.c: scaled dot-product attention of all heads in one operation.
 *
 *     P = softmax(Q K^T / sqrt(d_k))    Y = P V
 *     V' = P^T Y'    P' = Y' V^T    S' = P (P' - row sums of P P')    Q' = S' K / sqrt(d_k)    K' = S'^T Q / sqrt(d_k)
 *
 * The heads lie side by side in the last dimension and are read and written
 * where they are.  The weights P of a short sequence are kept for the way back; those of a
 * long one exist for some rows of one head at a time and are computed again (as in Dao
 * 2022), which needs no memory.  Keys that a mask forbids to all of these rows are skipped.
 * tests/fused.c asserts that the result and the gradients are those of
 * the small operations. */
#include "ops.h"

#include <string.h>

#include "kernels.h"
#include "maths.h"
#include "parallel.h"

enum { ROWS = 48 }; /* queries at a time: whole tiles of every vector width */

typedef struct {
    int batch, heads, from, at, d_k, d_v; /* B, h, T, S; widths of one head */
    int p_row;                            /* elements from row to row of P in memory */
    real scale;
    int mask_rows;      /* rows of the mask, one after the other for all queries; without a mask one for all */
    int *seen;          /* for each of them, the keys up to the last one allowed */
    int *open;          /* and the first ones, in whole vectors, of which none is forbidden */
    int at_whole;       /* S rounded up to whole vectors */
    real *ceiling;      /* and what scores may be [mask_rows, at_whole]: anything, or minus infinity where forbidden */
    size_t packed_size; /* of the keys or values of a head where they are packed as they lie, or 0 */
    int parts;          /* how many threads share the heads */
    real *space;
    size_t space_each;
    Tensor *q, *k, *v, *y;
    Part dq, dk, dv;
    real *kept; /* P [B, h, T, p_row] from forward to backward, or NULL: it is computed again */
} Heads;

/* What one thread works with: packed matrices of a head, and some rows of P and P'. */
typedef struct {
    real *k_turned, *v_turned, *packed, *p, *dp;
} Space;

static Space space_of(const Heads *a, int part)
{
    real *k_turned = a->space + (size_t)part * a->space_each, *v_turned = k_turned + kernel_packed_size(a->at, a->d_k);
    real *packed = v_turned + kernel_packed_size(a->at, a->d_v), *p = packed + a->packed_size;
    return (Space){k_turned, v_turned, packed, p, p + (size_t)ROWS * a->p_row};
}

/* The next whole number of vectors of any processor. */
static int whole_vectors(int n)
{
    return (n + 15) / 16 * 16;
}

/* A head's first number in a matrix of rows of all heads. */
static size_t start_of(const Heads *a, int head, int rows, int width)
{
    return ((size_t)(head / a->heads) * rows * a->heads + head % a->heads) * width;
}

static int mask_row(const Heads *a, int head, int t)
{
    return (int)(((size_t)head * a->from + t) % a->mask_rows);
}

/* The keys that any of the rows t ... t + rows - 1 may look at. */
static int keys_seen(const Heads *a, int head, int t, int rows)
{
    int most = 0;
    for (int i = 0; i < rows; i++) {
        int seen = a->seen[mask_row(a, head, t + i)];
        most = seen > most ? seen : most;
    }
    return most;
}

/* Where the rows of P from T on lie. */
static real *weights_at(const Heads *a, int head, int t, const Space *space)
{
    return a->kept ? a->kept + ((size_t)head * a->from + t) * a->p_row : space->p;
}

/* K or V of one head as a product's right matrix: packed where many rows look at it. */
static Strided as_it_lies(const Heads *a, int width, int wide, const real *from, const Space *space)
{
    return a->packed_size ? kernel_pack(width, a->at, strided(from, wide), space->packed) : strided(from, wide);
}

/* P [rows, n] for the rows from t of a head. */
static void weights(const Heads *a, int head, int t, int rows, int n, Strided k_turned, const Space *space)
{
    real *p = weights_at(a, head, t, space);
    int width = a->heads * a->d_k;
    const real *q = a->q->data + start_of(a, head, a->from, a->d_k) + (size_t)t * width;
    kernel_matmul(rows, n, a->d_k, strided(q, width), k_turned, p, a->p_row, false, 1);
    for (int i = 0; i < rows; i++, p += a->p_row) {
        int row = mask_row(a, head, t + i), seen = whole_vectors(a->seen[row]);
        if (seen > 0) /* else nothing is allowed: all weights are 0 */
            kernel_softmax(a->open[row], seen, a->scale, a->ceiling + (size_t)row * a->at_whole, p);
        if (seen < n)
            memset(p + seen, 0, (n - seen) * sizeof(real));
    }
}

static void forward_head(const Heads *a, int head, const Space *space)
{
    int wide_k = a->heads * a->d_k, wide_v = a->heads * a->d_v;
    const real *k = a->k->data + start_of(a, head, a->at, a->d_k);
    real *y = a->y->data + start_of(a, head, a->from, a->d_v);
    Strided k_turned = kernel_pack(a->at, a->d_k, strided_transposed(k, wide_k), space->k_turned);
    Strided v = as_it_lies(a, a->d_v, wide_v, a->v->data + start_of(a, head, a->at, a->d_v), space);
    for (int t = 0; t < a->from; t += ROWS) {
        int rows = a->from - t < ROWS ? a->from - t : ROWS, n = keys_seen(a, head, t, rows);
        weights(a, head, t, rows, whole_vectors(n), k_turned, space);
        kernel_matmul(rows, a->d_v, n, strided(weights_at(a, head, t, space), a->p_row), v, y + (size_t)t * wide_v,
                      wide_v, false, 1);
    }
}

/* P' becomes S' / sqrt(d_k) */
static void scores_backward(const Heads *a, int rows, int n, const real *p, real *dp)
{
    for (int i = 0; i < rows; i++, p += a->p_row, dp += a->p_row)
        kernel_softmax_backward(n, a->scale, p, dp);
}

/* Clears a head's part of a gradient that nothing has been added to. */
static void clear_head(Part d, size_t start, int rows, int width, int wide)
{
    for (int i = 0; d.at && !d.add && i < rows; i++)
        memset(d.at + start + (size_t)i * wide, 0, width * sizeof(real));
}

static void backward_head(const Heads *a, int head, const Space *space)
{
    int wide_k = a->heads * a->d_k, wide_v = a->heads * a->d_v, s = a->at, p_row = a->p_row;
    size_t q_start = start_of(a, head, a->from, a->d_k), k_start = start_of(a, head, s, a->d_k);
    size_t v_start = start_of(a, head, s, a->d_v), y_start = start_of(a, head, a->from, a->d_v);
    const real *k_data = a->k->data + k_start, *v_data = a->v->data + v_start;
    Strided k_turned = {0}, v_turned = kernel_pack(s, a->d_v, strided_transposed(v_data, wide_v), space->v_turned);
    Strided k = as_it_lies(a, a->d_k, wide_k, k_data, space);
    clear_head(a->dq, q_start, a->from, a->d_k, wide_k);
    clear_head(a->dk, k_start, s, a->d_k, wide_k);
    clear_head(a->dv, v_start, s, a->d_v, wide_v);
    if (!a->kept)
        k_turned = kernel_pack(s, a->d_k, strided_transposed(k_data, wide_k), space->k_turned);
    for (int t = 0; t < a->from; t += ROWS) {
        int rows = a->from - t < ROWS ? a->from - t : ROWS, n = keys_seen(a, head, t, rows);
        int whole = whole_vectors(n);
        size_t q_row = q_start + (size_t)t * wide_k;
        const real *dy = a->y->grad + y_start + (size_t)t * wide_v;
        const real *p = weights_at(a, head, t, space);
        if (!a->kept)
            weights(a, head, t, rows, whole, k_turned, space);
        if (a->dv.at)
            kernel_matmul(n, a->d_v, rows, strided_transposed(p, p_row), strided(dy, wide_v), a->dv.at + v_start,
                          wide_v, true, 1);
        kernel_matmul(rows, whole, a->d_v, strided(dy, wide_v), v_turned, space->dp, p_row, false, 1);
        scores_backward(a, rows, whole, p, space->dp);
        if (a->dq.at)
            kernel_matmul(rows, a->d_k, n, strided(space->dp, p_row), k, a->dq.at + q_row, wide_k, true, 1);
        if (a->dk.at)
            kernel_matmul(n, a->d_k, rows, strided_transposed(space->dp, p_row), strided(a->q->data + q_row, wide_k),
                          a->dk.at + k_start, wide_k, true, 1);
    }
}

/* One thread's share of the heads of all sequences. */
static void share(const Heads *a, int part, void (*of_head)(const Heads *, int, const Space *))
{
    int all = a->batch * a->heads;
    Space space = space_of(a, part);
    for (int head = (int)((long)all * part / a->parts); head < (long)all * (part + 1) / a->parts; head++)
        of_head(a, head, &space);
}

static void forward_part(int part, void *context)
{
    share(context, part, forward_head);
}

static void backward_part(int part, void *context)
{
    share(context, part, backward_head);
}

static void attention_backward(Node *node)
{
    Heads *a = node->saved;
    a->space = arena_get(tape_arena(node->tape), a->parts * a->space_each * sizeof(real));
    a->dq = gradient_part(a->q); /* each head clears its own part of each before it adds, so they may be one tensor */
    a->dk = gradient_part(a->k);
    a->dv = gradient_part(a->v);
    parallel_for(a->parts, a->parts, backward_part, a);
}

/* What each row of MASK (or NULL) allows, in whole vectors: ragged loops would take longer. */
static void read_mask(Heads *a, const Tensor *mask, Arena *arena)
{
    a->mask_rows = mask ? (int)(mask->size / (size_t)a->at) : 1;
    a->seen = arena_get(arena, a->mask_rows * sizeof(int));
    a->open = arena_get(arena, a->mask_rows * sizeof(int));
    a->ceiling = arena_get(arena, (size_t)a->mask_rows * a->at_whole * sizeof(real));
    for (int row = 0; row < a->mask_rows; row++) {
        real *ceiling = a->ceiling + (size_t)row * a->at_whole;
        for (int s = 0; s < a->at_whole; s++)
            ceiling[s] = s < a->at && (!mask || mask->data[(size_t)row * a->at + s] != 0) ? INFINITY : -REAL_MAX;
        int seen = a->at, open = 0;
        while (seen > 0 && ceiling[seen - 1] < 0)
            seen--;
        while (open < seen && ceiling[open] > 0)
            open++;
        a->seen[row] = seen;
        a->open[row] = open / LANES * LANES;
    }
}

static void check_attention(Tape *tape, const Tensor *q, const Tensor *k, const Tensor *v, int heads)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT], c[SHAPE_TEXT];
    int rank = q->shape.rank;
    bool fits = heads >= 1 && rank >= 2 && k->shape.rank == rank && v->shape.rank == rank;
    for (int i = 0; fits && i < rank - 1; i++)
        fits = k->shape.dim[i] == v->shape.dim[i] && (i == rank - 2 || k->shape.dim[i] == q->shape.dim[i]);
    if (!fits || tensor_columns(q) != tensor_columns(k) || tensor_columns(q) % heads || tensor_columns(v) % heads ||
        tensor_columns(q) < 1 || k->shape.dim[rank - 2] < 1)
        die_misuse(tape_where(tape),
                   "op_attention: queries '%s' %s, keys '%s' %s and values '%s' %s must be [B, T, d], [B, S, d] and "
                   "[B, S, d_v], and %d heads must divide both widths",
                   q->name, shape_text(q->shape, a), k->name, shape_text(k->shape, b), v->name, shape_text(v->shape, c),
                   heads);
}

static bool is_suffix(Shape part, Shape whole)
{
    bool fits = part.rank >= 1 && part.rank <= whole.rank;
    for (int i = 1; fits && i <= part.rank; i++)
        fits = part.dim[part.rank - i] == whole.dim[whole.rank - i];
    return fits;
}

/* The scores are [B, heads, T, S]; with one head also [..., T, S]. */
static void check_mask(Tape *tape, const Tensor *mask, const Heads *a)
{
    char text[SHAPE_TEXT];
    Shape single = a->q->shape;
    single.dim[single.rank - 1] = a->at;
    if (!is_suffix(mask->shape, SHAPE(a->batch, a->heads, a->from, a->at)) &&
        !(a->heads == 1 && is_suffix(mask->shape, single)))
        die_misuse(tape_where(tape), "op_attention: the shape of the mask '%s' %s must be a suffix of [%d, %d, %d, %d]",
                   mask->name, shape_text(mask->shape, text), a->batch, a->heads, a->from, a->at);
}

Tensor *(op_attention)(Tape *tape, Tensor *q, Tensor *k, Tensor *v, const Tensor *mask, int heads)
{
    enum {
        WORTH_SHARING = 1 << 16, /* weights */
        WORTH_KEEPING = 1 << 20, /* at most: 4 MB of floats */
        WORTH_PACKING = 256,     /* queries */
        ROUND = 256              /* a row of so many would meet the next in one set of the first cache */
    };
    check_attention(tape, q, k, v, heads);
    int rank = q->shape.rank, batch = 1;
    for (int i = 0; i < rank - 2; i++)
        batch *= q->shape.dim[i];
    Shape shape = q->shape;
    shape.dim[rank - 1] = tensor_columns(v);
    Tensor *y = tape_output(tape, "op_attention", shape);
    Heads *a = arena_get(tape_arena(tape), sizeof *a);
    *a = (Heads){.batch = batch,
                 .heads = heads,
                 .from = q->shape.dim[rank - 2],
                 .at = k->shape.dim[rank - 2],
                 .d_k = tensor_columns(q) / heads,
                 .d_v = tensor_columns(v) / heads,
                 .q = q,
                 .k = k,
                 .v = v,
                 .y = y};
    a->scale = 1 / m_sqrt((real)a->d_k);
    a->at_whole = whole_vectors(a->at);
    a->p_row = a->at_whole + (a->at_whole % ROUND == 0 ? LANES : 0);
    int widest = a->d_k > a->d_v ? a->d_k : a->d_v;
    a->packed_size = a->from >= WORTH_PACKING ? kernel_packed_size(widest, a->at) : 0;
    if (mask)
        check_mask(tape, mask, a);
    read_mask(a, mask, tape_arena(tape));
    bool small = (double)batch * heads * a->from * a->at < WORTH_SHARING;
    a->parts = small || tape_threads(tape) < 1 ? 1 : tape_threads(tape);
    a->space_each = kernel_packed_size(a->at, a->d_k + a->d_v) + a->packed_size + (size_t)2 * ROWS * a->p_row;
    Node *node = tape_add(tape, "op_attention", attention_backward, y, (Tensor *[]){q, k, v}, 3);
    size_t all_weights = (size_t)batch * heads * a->from * a->p_row;
    if (node)
        node->saved = a;
    if (node && all_weights <= WORTH_KEEPING)
        a->kept = arena_get(tape_arena(tape), all_weights * sizeof(real));
    ArenaMark mark = arena_mark(tape_arena(tape));
    a->space = arena_get(tape_arena(tape), a->parts * a->space_each * sizeof(real));
    parallel_for(a->parts, a->parts, forward_part, a);
    arena_release(tape_arena(tape), mark);
    return y;
}
