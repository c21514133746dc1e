/* ops_shape.c: the same numbers in another arrangement, look-ups, and sums. */
#include "ops.h"

#include <string.h>

#include "kernels.h"

/* A tensor around one axis: OUTER blocks, each of LENGTH slices of INNER numbers. */
typedef struct {
    size_t outer, length, inner;
} Axis;

static Axis axis_of(Shape shape, int axis)
{
    Axis result = {1, (size_t)shape.dim[axis], 1};
    for (int i = 0; i < axis; i++)
        result.outer *= (size_t)shape.dim[i];
    for (int i = axis + 1; i < shape.rank; i++)
        result.inner *= (size_t)shape.dim[i];
    return result;
}

static void check_axis(Tape *tape, const char *operation, const Tensor *x, int axis)
{
    char text[SHAPE_TEXT];
    if (axis < 0 || axis >= x->shape.rank)
        die_misuse(tape_where(tape), "%s: '%s' %s has no axis %d", operation, x->name, shape_text(x->shape, text),
                   axis);
}

/* ---- reshape ---- */

static void reshape_backward(Node *node)
{
    Part dx = gradient_part(node->input[0]);
    kernel_put((int)node->output->size, 1, node->output->grad, dx.at, dx.add);
}

Tensor *(op_reshape)(Tape *tape, Tensor *x, Shape shape)
{
    char from[SHAPE_TEXT], to[SHAPE_TEXT];
    if (shape_size(shape) != x->size)
        die_misuse(tape_where(tape), "op_reshape: '%s' %s cannot take the shape %s: %zu numbers against %zu", x->name,
                   shape_text(x->shape, from), shape_text(shape, to), x->size, shape_size(shape));
    Tensor *y = tape_output(tape, "op_reshape", shape);
    tape_add(tape, "op_reshape", reshape_backward, y, &x, 1);
    memcpy(y->data, x->data, x->size * sizeof(real));
    return y;
}

/* ---- transpose: element (..., i, ..., j, ...) goes to (..., j, ..., i, ...) ---- */

/* to[...] (+)= from[...] with axes p and q exchanged; FROM has the shape given. */
static void exchange(Shape shape, int p, int q, const real *from, real *to, bool add)
{
    int dim[MOST_DIMENSIONS] = {1, 1, 1, 1}, step[MOST_DIMENSIONS] = {0}, first = MOST_DIMENSIONS - shape.rank;
    size_t stride = 1;
    Shape turned = shape;
    turned.dim[p] = shape.dim[q];
    turned.dim[q] = shape.dim[p];
    for (int i = shape.rank - 1; i >= 0; i--) { /* how far one index of FROM moves in TO */
        int source = i == p ? q : i == q ? p : i;
        step[first + source] = (int)stride;
        dim[first + i] = shape.dim[i];
        stride *= (size_t)turned.dim[i];
    }
    for (int a = 0; a < dim[0]; a++)
        for (int b = 0; b < dim[1]; b++)
            for (int c = 0; c < dim[2]; c++) {
                real *row = to + (size_t)a * step[0] + (size_t)b * step[1] + (size_t)c * step[2];
                for (int d = 0; d < dim[3]; d++, from++)
                    row[(size_t)d * step[3]] = add ? row[(size_t)d * step[3]] + *from : *from;
            }
}

typedef struct {
    int p, q;
} Exchange;

static void transpose_backward(Node *node)
{
    const Exchange *axes = node->saved;
    Part dx = gradient_part(node->input[0]);
    exchange(node->output->shape, axes->p, axes->q, node->output->grad, dx.at, dx.add);
}

Tensor *(op_transpose)(Tape *tape, Tensor *x, int axis, int other)
{
    check_axis(tape, "op_transpose", x, axis);
    check_axis(tape, "op_transpose", x, other);
    Shape shape = x->shape;
    shape.dim[axis] = x->shape.dim[other];
    shape.dim[other] = x->shape.dim[axis];
    Tensor *y = tape_output(tape, "op_transpose", shape);
    Node *node = tape_add(tape, "op_transpose", transpose_backward, y, &x, 1);
    if (node) {
        Exchange *saved = node->saved = arena_get(tape_arena(tape), sizeof *saved);
        *saved = (Exchange){axis, other};
    }
    exchange(x->shape, axis, other, x->data, y->data, false);
    return y;
}

/* ---- slice: y = x[..., from:to, ...] ---- */

typedef struct {
    Axis axis; /* of x */
    size_t from, count;
} Slice;

static void slice_forward(const Slice *s, const real *x, real *y)
{
    size_t run = s->count * s->axis.inner;
    for (size_t o = 0; o < s->axis.outer; o++)
        memcpy(y + o * run, x + (o * s->axis.length + s->from) * s->axis.inner, run * sizeof(real));
}

static void slice_backward(Node *node)
{
    const Slice *s = node->saved;
    size_t run = s->count * s->axis.inner;
    real *dx = gradient_sum(node->input[0]);
    for (size_t o = 0; o < s->axis.outer; o++)
        kernel_axpy((int)run, 1, node->output->grad + o * run, dx + (o * s->axis.length + s->from) * s->axis.inner);
}

Tensor *(op_slice)(Tape *tape, Tensor *x, int axis, int from, int to)
{
    char text[SHAPE_TEXT];
    check_axis(tape, "op_slice", x, axis);
    if (from < 0 || to > x->shape.dim[axis] || from >= to)
        die_misuse(tape_where(tape), "op_slice: %d to %d is not inside axis %d of '%s' %s", from, to, axis, x->name,
                   shape_text(x->shape, text));
    Shape shape = x->shape;
    shape.dim[axis] = to - from;
    Slice slice = {axis_of(x->shape, axis), (size_t)from, (size_t)(to - from)};
    Tensor *y = tape_output(tape, "op_slice", shape);
    Node *node = tape_add(tape, "op_slice", slice_backward, y, &x, 1);
    if (node) {
        Slice *saved = node->saved = arena_get(tape_arena(tape), sizeof slice);
        *saved = slice;
    }
    slice_forward(&slice, x->data, y->data);
    return y;
}

/* ---- concatenation: the parts side by side along one axis ---- */

typedef struct {
    int axis, n;
    Tensor **part;
} Concat;

static void concat_forward(const Concat *c, Tensor *y)
{
    Axis whole = axis_of(y->shape, c->axis);
    size_t at = 0;
    for (int i = 0; i < c->n; i++) {
        size_t run = (size_t)c->part[i]->shape.dim[c->axis] * whole.inner;
        for (size_t o = 0; o < whole.outer; o++)
            memcpy(y->data + o * whole.length * whole.inner + at, c->part[i]->data + o * run, run * sizeof(real));
        at += run;
    }
}

static void concat_backward(Node *node)
{
    const Concat *c = node->saved;
    Axis whole = axis_of(node->output->shape, c->axis);
    size_t at = 0;
    for (int i = 0; i < c->n; i++) {
        size_t run = (size_t)c->part[i]->shape.dim[c->axis] * whole.inner;
        Part dx = gradient_part(c->part[i]);
        for (size_t o = 0; dx.at && o < whole.outer; o++)
            kernel_put((int)run, 1, node->output->grad + o * whole.length * whole.inner + at, dx.at + o * run, dx.add);
        at += run;
    }
}

static void check_part(Tape *tape, const Tensor *first, const Tensor *part, int axis)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    bool fits = part->shape.rank == first->shape.rank;
    for (int d = 0; fits && d < first->shape.rank; d++)
        fits = d == axis || part->shape.dim[d] == first->shape.dim[d];
    if (!fits)
        die_misuse(tape_where(tape), "op_concat: '%s' %s and '%s' %s must be equal in all axes but axis %d",
                   first->name, shape_text(first->shape, a), part->name, shape_text(part->shape, b), axis);
}

Tensor *(op_concat)(Tape *tape, Tensor *const *parts, int n, int axis)
{
    if (n < 1)
        die_misuse(tape_where(tape), "op_concat: there is nothing to concatenate");
    check_axis(tape, "op_concat", parts[0], axis);
    Shape shape = parts[0]->shape;
    shape.dim[axis] = 0;
    for (int i = 0; i < n; i++) {
        check_part(tape, parts[0], parts[i], axis);
        shape.dim[axis] += parts[i]->shape.dim[axis];
    }
    Concat *concat = arena_get(tape_arena(tape), sizeof *concat);
    *concat = (Concat){axis, n, arena_get(tape_arena(tape), n * sizeof *parts)}; // NOLINT: pointers
    memcpy(concat->part, parts, n * sizeof *parts);                              // NOLINT: pointers
    Tensor *y = tape_output(tape, "op_concat", shape);
    Node *node = tape_add(tape, "op_concat", concat_backward, y, parts, n);
    if (node)
        node->saved = concat;
    concat_forward(concat, y);
    return y;
}

/* ---- embedding: y[i] = table[ids[i]] ---- */

static void embedding_forward(const Tensor *table, const int *ids, size_t n, real *y)
{
    size_t d = (size_t)tensor_columns(table);
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * d, table->data + (size_t)ids[i] * d, d * sizeof(real));
}

static void embedding_backward(Node *node)
{
    const int *ids = node->saved;
    size_t d = (size_t)tensor_columns(node->output), n = d ? node->output->size / d : 0;
    real *table = gradient_sum(node->input[0]);
    for (size_t i = 0; i < n; i++)
        kernel_axpy((int)d, 1, node->output->grad + i * d, table + (size_t)ids[i] * d);
}

Tensor *(op_embedding)(Tape *tape, Tensor *table, const int *ids, Shape shape)
{
    char text[SHAPE_TEXT];
    size_t n = shape_size(shape);
    if (table->shape.rank != 2 || shape.rank >= MOST_DIMENSIONS)
        die_misuse(tape_where(tape),
                   "op_embedding: '%s' %s must be a table of rows, and the numbers have at most %d axes", table->name,
                   shape_text(table->shape, text), MOST_DIMENSIONS - 1);
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 0)
            die_misuse(tape_where(tape), "op_embedding: the shape %s of the numbers has a negative dimension",
                       shape_text(shape, text));
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= table->shape.dim[0])
            die_misuse(tape_where(tape), "op_embedding: there is no row %d in '%s' %s", ids[i], table->name,
                       shape_text(table->shape, text));
    shape.dim[shape.rank++] = table->shape.dim[1];
    Tensor *y = tape_output(tape, "op_embedding", shape);
    Node *node = tape_add(tape, "op_embedding", embedding_backward, y, &table, 1);
    if (node) {
        node->saved = arena_get(tape_arena(tape), n * sizeof *ids);
        memcpy(node->saved, ids, n * sizeof *ids);
    }
    embedding_forward(table, ids, n, y->data);
    return y;
}

/* ---- sum and mean of all numbers ---- */

static void sum_backward(Node *node)
{
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < node->input[0]->size; i++)
        dx.at[i] = (dx.add ? dx.at[i] : 0) + node->output->grad[0];
}

Tensor *(op_sum)(Tape *tape, Tensor *x)
{
    Tensor *y = tape_output(tape, "op_sum", SCALAR);
    tape_add(tape, "op_sum", sum_backward, y, &x, 1);
    y->data[0] = kernel_sum(x->data, (int)x->size);
    return y;
}

Tensor *(op_mean)(Tape *tape, Tensor *x)
{
    return (op_scale)(tape, (op_sum)(tape, x), 1 / (real)x->size);
}
