/* ops_linear.c: linear layers, and the two of a Transformer's feed-forward network.
 *
 * The same numbers as the small operations (op_matmul, op_add, op_gelu ...) to
 * the bit, which tests/ops.c asserts.  What they save is memory traffic, the
 * better part of the time of a small Transformer: a bias and a residual
 * connection are added while the product is in registers, and the wide inner
 * layer of a feed-forward network exists only for some rows at a time. */
#include "ops.h"

#include "kernels.h"
#include "maths.h"

static _Noreturn void die_shapes(Tape *tape, const char *operation, const Tensor *x, const Tensor *weight,
                                 const Tensor *bias)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT], c[SHAPE_TEXT];
    die_misuse(tape_where(tape), "%s: '%s' %s, weight '%s' %s and bias '%s' %s do not fit: [..., k], [k, n] and [n]",
               operation, x->name, shape_text(x->shape, a), weight->name, shape_text(weight->shape, b), bias->name,
               shape_text(bias->shape, c));
}

/* The shape of x W + b. */
static Shape linear_shape(Tape *tape, const char *operation, const Tensor *x, Shape shape, const Tensor *weight,
                          const Tensor *bias)
{
    if (shape.rank < 1 || weight->shape.rank != 2 || shape.dim[shape.rank - 1] != weight->shape.dim[0] ||
        !shapes_equal(bias->shape, SHAPE(weight->shape.dim[1])))
        die_shapes(tape, operation, x, weight, bias);
    shape.dim[shape.rank - 1] = weight->shape.dim[1];
    return shape;
}

static void check_plus(Tape *tape, const char *operation, const Tensor *plus, Shape shape)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (plus && !shapes_equal(plus->shape, shape))
        die_misuse(tape_where(tape), "%s: '%s' %s is added to a result of the shape %s", operation, plus->name,
                   shape_text(plus->shape, a), shape_text(shape, b));
}

/* plus' += y' */
static void plus_backward(const Tensor *y, Tensor *plus)
{
    Part part = plus ? gradient_part(plus) : (Part){0};
    if (part.at)
        kernel_put((int)y->size, 1, y->grad, part.at, part.add);
}

/* ---- y = x W + b + plus:  x' += y' W^T    W' += x^T y'    b' += y' over the rows ---- */

static void linear_backward(Node *node)
{
    const Tensor *y = node->output;
    Tensor *x = node->input[0], *w = node->input[1], *b = node->input[2];
    int rows = tensor_rows(y), n = tensor_columns(y), k = tensor_columns(x), threads = tape_threads(node->tape);
    plus_backward(y, node->input[3]);
    Part db = gradient_part(b);
    if (db.at)
        kernel_put_rows(rows, n, 1, y->grad, db.at, db.add);
    Part dx = gradient_part(x);
    if (dx.at)
        kernel_matmul(rows, k, n, strided(y->grad, n), strided_transposed(w->data, n), dx.at, k, dx.add, threads);
    Part dw = gradient_part(w);
    if (dw.at)
        kernel_matmul(k, n, rows, strided_transposed(x->data, k), strided(y->grad, n), dw.at, n, dw.add, threads);
}

Tensor *(op_linear)(Tape *tape, Tensor *x, Tensor *weight, Tensor *bias, Tensor *plus)
{
    Shape shape = linear_shape(tape, "op_linear", x, x->shape, weight, bias);
    check_plus(tape, "op_linear", plus, shape);
    Tensor *y = tape_output(tape, "op_linear", shape);
    tape_add(tape, "op_linear", linear_backward, y, (Tensor *[]){x, weight, bias, plus}, 4);
    int n = tensor_columns(y), k = tensor_columns(x);
    kernel_linear(tensor_rows(y), n, k, strided(x->data, k), strided(weight->data, n), bias->data,
                  plus ? plus->data : NULL, y->data, n, tape_threads(tape));
    return y;
}

/* ---- y = f(x W1 + b1) W2 + b2 + plus, f = ReLU or GELU --------------------------- */

typedef struct {
    int rows, d, inner, out; /* x [rows, d], a = x W1 + b1 [rows, inner], y [rows, out] */
    int rows_each;           /* of a at a time, so that they stay in the second cache */
    bool gelu;
    int threads;
    real *a;
} FeedForward;

static void activate(bool gelu, int n, const real *restrict a, real *restrict h)
{
    for (int i = 0; gelu && i < n; i++)
        h[i] = m_gelu(a[i]);
    for (int i = 0; !gelu && i < n; i++)
        h[i] = a[i] <= 0 ? 0 : a[i]; /* a NaN is not <= 0 and stays visible */
}

/* h = f(a) again, and dh becomes da = dh f'(a) */
static void activate_backward(bool gelu, int n, const real *restrict a, real *restrict h, real *restrict dh)
{
    for (int i = 0; gelu && i < n; i++) {
        h[i] = m_gelu(a[i]); /* the compiler computes Phi(a) once for both */
        dh[i] = dh[i] * m_gelu_slope(a[i]);
    }
    for (int i = 0; !gelu && i < n; i++) {
        h[i] = a[i] <= 0 ? 0 : a[i];
        dh[i] = a[i] > 0 ? dh[i] : 0;
    }
}

static int rows_at(const FeedForward *f, int row)
{
    return f->rows - row < f->rows_each ? f->rows - row : f->rows_each;
}

static void feed_forward_forward(const FeedForward *f, Tensor *const *in, Arena *arena, real *y)
{
    const real *x = in[0]->data, *w1 = in[1]->data, *b1 = in[2]->data, *w2 = in[3]->data, *b2 = in[4]->data;
    real *h = arena_get(arena, (size_t)f->rows_each * f->inner * sizeof(real));
    for (int row = 0; row < f->rows; row += f->rows_each) {
        int rows = rows_at(f, row);
        real *a = f->a + (size_t)row * f->inner;
        const real *plus = in[5] ? in[5]->data + (size_t)row * f->out : NULL;
        kernel_linear(rows, f->inner, f->d, strided(x + (size_t)row * f->d, f->d), strided(w1, f->inner), b1, NULL, a,
                      f->inner, f->threads);
        activate(f->gelu, rows * f->inner, a, h);
        kernel_linear(rows, f->out, f->inner, strided(h, f->inner), strided(w2, f->out), b2, plus,
                      y + (size_t)row * f->out, f->out, f->threads);
    }
}

/* One block of rows: h' = y' W2^T, a' = h' f'(a), and what a linear layer does. */
static void feed_forward_rows_backward(const FeedForward *f, Tensor *const *in, int row, const real *dy, real *h,
                                       real *da, Part dx)
{
    int rows = rows_at(f, row), d = f->d, inner = f->inner, out = f->out, threads = f->threads;
    const real *x = in[0]->data + (size_t)row * d;
    kernel_matmul(rows, inner, out, strided(dy, out), strided_transposed(in[3]->data, out), da, inner, false, threads);
    activate_backward(f->gelu, rows * inner, f->a + (size_t)row * inner, h, da);
    Part dw2 = gradient_part(in[3]);
    if (dw2.at)
        kernel_matmul(inner, out, rows, strided_transposed(h, inner), strided(dy, out), dw2.at, out, dw2.add, threads);
    Part dw1 = gradient_part(in[1]);
    if (dw1.at)
        kernel_matmul(d, inner, rows, strided_transposed(x, d), strided(da, inner), dw1.at, inner, dw1.add, threads);
    Part db1 = gradient_part(in[2]);
    if (db1.at)
        kernel_put_rows(rows, inner, 1, da, db1.at, db1.add);
    if (dx.at)
        kernel_matmul(rows, d, inner, strided(da, inner), strided_transposed(in[1]->data, inner),
                      dx.at + (size_t)row * d, d, dx.add, threads);
}

static void feed_forward_backward(Node *node)
{
    const FeedForward *f = node->saved;
    const Tensor *y = node->output;
    size_t block = (size_t)f->rows_each * f->inner;
    real *h = arena_get(tape_arena(node->tape), block * sizeof(real));
    real *da = arena_get(tape_arena(node->tape), block * sizeof(real));
    plus_backward(y, node->input[5]);
    Part db2 = gradient_part(node->input[4]);
    if (db2.at)
        kernel_put_rows(f->rows, f->out, 1, y->grad, db2.at, db2.add);
    Part dx = gradient_part(node->input[0]);
    for (int row = 0; row < f->rows; row += f->rows_each)
        feed_forward_rows_backward(f, node->input, row, y->grad + (size_t)row * f->out, h, da, dx);
}

Tensor *(op_feed_forward)(Tape *tape, Tensor *x, Tensor *w1, Tensor *b1, Tensor *w2, Tensor *b2, bool gelu,
                          Tensor *plus)
{
    enum { SECOND_CACHE = 1 << 15 }; /* numbers of one block of the inner layer: 128 kB of floats */
    Shape inner = linear_shape(tape, "op_feed_forward", x, x->shape, w1, b1);
    Shape shape = linear_shape(tape, "op_feed_forward", x, inner, w2, b2);
    check_plus(tape, "op_feed_forward", plus, shape);
    Tensor *y = tape_output(tape, "op_feed_forward", shape);
    FeedForward *f = arena_get(tape_arena(tape), sizeof *f);
    *f = (FeedForward){.rows = tensor_rows(x),
                       .d = tensor_columns(x),
                       .inner = w1->shape.dim[1],
                       .out = w2->shape.dim[1],
                       .gelu = gelu,
                       .threads = tape_threads(tape)};
    f->rows_each = SECOND_CACHE * f->threads / (f->inner + 1) / 12 * 12 + 12;
    f->rows_each = f->rows_each < f->rows ? f->rows_each : f->rows;
    f->a = arena_get(tape_arena(tape), (size_t)f->rows * f->inner * sizeof(real));
    Tensor *inputs[] = {x, w1, b1, w2, b2, plus};
    Node *node = tape_add(tape, "op_feed_forward", feed_forward_backward, y, inputs, 6);
    if (node)
        node->saved = f;
    feed_forward_forward(f, inputs, tape_arena(tape), y->data);
    return y;
}
