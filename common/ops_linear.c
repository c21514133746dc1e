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
#include "parallel.h"
#include "weight_gradient.h"

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

static int at_most(int n, int most)
{
    return n < most ? n : most;
}

static Strided packed(Arena *arena, int n, int k, Strided weight)
{
    return kernel_pack(n, k, weight, arena_get(arena, kernel_packed_size(n, k) * sizeof(real)));
}

static Part part_of(Tensor *tensor)
{
    return tensor ? gradient_part(tensor) : (Part){0};
}

/* ---- y = x W + b + plus:  x' += y' W^T    W' += x^T y'    b' += y' over the rows ---- */

/* Where y' goes that needs no product, for ROWS rows from FIRST on: plus' += y'  b' += y' over the rows. */
static void sums_backward(int first, int rows, int n, const real *dy, Part plus, Part *bias)
{
    const real *from = dy + (size_t)first * n;
    if (plus.at)
        kernel_put(rows * n, 1, from, plus.at + (size_t)first * n, plus.add);
    if (bias->at)
        kernel_put_rows(rows, n, 1, from, bias->at, bias->add);
    bias->add = true;
}

/* Some rows at a time, whose y' stays in the second cache while all four read it. */
static void linear_backward(Node *node)
{
    enum { TOGETHER = 256 };
    const Tensor *y = node->output;
    Tensor *x = node->input[0], *w = node->input[1], *plus = node->input[3];
    int all = tensor_rows(y), n = tensor_columns(y), k = tensor_columns(x), threads = tape_threads(node->tape);
    Part dplus = part_of(plus), db = gradient_part(node->input[2]), dx = gradient_part(x);
    WeightGradient dw = weight_gradient(w, w == plus ? 0 : all, tape_arena(node->tape));
    Strided turned = strided_transposed(w->data, n); // NOLINT: W is never NULL, unlike plus
    if (dx.at && all > TOGETHER)
        turned = packed(tape_arena(node->tape), k, n, turned);
    int each = w == x || w == plus ? all : TOGETHER * (threads > 1 ? threads : 1);
    for (int first = 0; first == 0 || first < all; first += each) {
        int rows = at_most(each, all - first);
        const real *dy = y->grad + (size_t)first * n;
        sums_backward(first, rows, n, y->grad, dplus, &db);
        if (dx.at)
            kernel_matmul(rows, k, n, strided(dy, n), turned, dx.at + (size_t)first * k, k, dx.add, threads);
        weight_gradient_add(&dw, rows, x->data + (size_t)first * k, dy, threads);
    }
    weight_gradient_end(&dw);
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
    int rows_together;       /* on the way back, by all threads, before the weights' gradients */
    bool gelu;
    int threads;
    real *a;
    Tensor *const *in; /* x, W1, b1, W2, b2, plus */
    Strided w1, w2;    /* packed; on the way back their transposes */
    real *h, *da;      /* forward: rows_each of h for each thread; backward: rows_together */
    real *y;
    const real *dy;
    Part dx;
    int first; /* backward: the first of the rows together */
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

/* Some of N rows, [first, last), for one of the threads: whole tiles, but for the last. */
static void share(const FeedForward *f, int n, int part, int *first, int *last)
{
    int each = ((n + f->threads - 1) / f->threads + 11) / 12 * 12;
    *first = at_most(part * each, n);
    *last = at_most(*first + each, n);
}

static void feed_forward_part(int part, void *context)
{
    const FeedForward *f = context;
    int last, row, rows;
    real *h = f->h + (size_t)part * f->rows_each * f->inner;
    for (share(f, f->rows, part, &row, &last); row < last; row += rows) {
        rows = at_most(f->rows_each, last - row);
        real *a = f->a + (size_t)row * f->inner;
        size_t at_y = (size_t)row * f->out;
        kernel_linear(rows, f->inner, f->d, strided(f->in[0]->data + (size_t)row * f->d, f->d), f->w1, f->in[2]->data,
                      NULL, a, f->inner, 1);
        activate(f->gelu, rows * f->inner, a, h);
        kernel_linear(rows, f->out, f->inner, strided(h, f->inner), f->w2, f->in[4]->data,
                      f->in[5] ? f->in[5]->data + at_y : NULL, f->y + at_y, f->out, 1);
    }
}

/* For some rows: h' = y' W2^T, a' = h' f'(a), x' += a' W1^T. */
static void feed_forward_part_backward(int part, void *context)
{
    const FeedForward *f = context;
    int last, i, rows, d = f->d, inner = f->inner, out = f->out;
    for (share(f, at_most(f->rows_together, f->rows - f->first), part, &i, &last); i < last; i += rows) {
        size_t row = (size_t)f->first + i;
        real *h = f->h + (size_t)i * inner, *da = f->da + (size_t)i * inner;
        rows = at_most(f->rows_each, last - i);
        kernel_matmul(rows, inner, out, strided(f->dy + row * out, out), f->w2, da, inner, false, 1);
        activate_backward(f->gelu, rows * inner, f->a + row * inner, h, da);
        if (f->dx.at)
            kernel_matmul(rows, d, inner, strided(da, inner), f->w1, f->dx.at + row * d, d, f->dx.add, 1);
    }
}

/* W2' += h^T y'    W1' += x^T a'    b1' += a', for the rows together. */
static void feed_forward_weights_backward(const FeedForward *f, WeightGradient *dw1, WeightGradient *dw2)
{
    int rows = at_most(f->rows_together, f->rows - f->first), d = f->d, inner = f->inner, out = f->out;
    const real *x = f->in[0]->data + (size_t)f->first * d, *dy = f->dy + (size_t)f->first * out;
    weight_gradient_add(dw2, rows, f->h, dy, f->threads);
    weight_gradient_add(dw1, rows, x, f->da, f->threads);
    Part db1 = gradient_part(f->in[2]);
    if (db1.at)
        kernel_put_rows(rows, inner, 1, f->da, db1.at, db1.add);
}

static void feed_forward_backward(Node *node)
{
    FeedForward *f = node->saved;
    size_t together = (size_t)f->rows_together * f->inner;
    f->in = node->input;
    f->h = arena_get(tape_arena(node->tape), together * sizeof(real));
    f->da = arena_get(tape_arena(node->tape), together * sizeof(real));
    f->w1 = packed(tape_arena(node->tape), f->d, f->inner, strided_transposed(f->in[1]->data, f->inner));
    f->w2 = packed(tape_arena(node->tape), f->inner, f->out, strided_transposed(f->in[3]->data, f->out));
    f->dy = node->output->grad;
    Part dplus = part_of(node->input[5]), db2 = gradient_part(node->input[4]);
    f->dx = gradient_part(node->input[0]);
    WeightGradient dw2 = weight_gradient(node->input[3], f->rows, tape_arena(node->tape));
    WeightGradient dw1 = weight_gradient(node->input[1], f->rows, tape_arena(node->tape));
    f->first = 0;
    do {
        sums_backward(f->first, at_most(f->rows_together, f->rows - f->first), f->out, f->dy, dplus, &db2);
        parallel_for(f->threads, f->threads, feed_forward_part_backward, f);
        feed_forward_weights_backward(f, &dw1, &dw2);
    } while ((f->first += f->rows_together) < f->rows);
    weight_gradient_end(&dw2);
    weight_gradient_end(&dw1);
}

Tensor *(op_feed_forward)(Tape *tape, Tensor *x, Tensor *w1, Tensor *b1, Tensor *w2, Tensor *b2, bool gelu,
                          Tensor *plus)
{
    enum {
        SECOND_CACHE = 1 << 15, /* numbers of one block of the inner layer: 128 kB of floats */
        WORTH_SHARING = 1 << 18 /* numbers of the inner layer */
    };
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
    if ((double)f->rows * f->inner < WORTH_SHARING || f->threads < 1)
        f->threads = 1;
    f->rows_each = at_most(SECOND_CACHE / (f->inner + 1) / 12 * 12 + 12, f->rows);
    f->rows_together = f->threads > 1 ? 8 * f->threads * f->rows_each : f->rows_each;
    f->a = arena_get(tape_arena(tape), (size_t)f->rows * f->inner * sizeof(real));
    Tensor *inputs[] = {x, w1, b1, w2, b2, plus};
    Node *node = tape_add(tape, "op_feed_forward", feed_forward_backward, y, inputs, 6);
    if (node)
        node->saved = f;
    f->in = inputs;
    ArenaMark mark = arena_mark(tape_arena(tape));
    f->h = arena_get(tape_arena(tape), (size_t)f->threads * f->rows_each * f->inner * sizeof(real));
    f->w1 = packed(tape_arena(tape), f->inner, f->d, strided(w1->data, f->inner));
    f->w2 = packed(tape_arena(tape), f->out, f->inner, strided(w2->data, f->out));
    f->y = y->data;
    parallel_for(f->threads, f->threads, feed_forward_part, f);
    arena_release(tape_arena(tape), mark);
    return y;
}
