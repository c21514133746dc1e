/* ops_elementwise.c: sums, products and activation functions. */
#include "ops.h"

#include "kernels.h"
#include "maths.h"

/* Dies unless B has A's shape or a suffix of it. */
static void check_suffix(Tape *tape, const char *operation, const Tensor *a, const Tensor *b)
{
    char a_text[SHAPE_TEXT], b_text[SHAPE_TEXT];
    int offset = a->shape.rank - b->shape.rank;
    bool fits = offset >= 0;
    for (int i = 0; fits && i < b->shape.rank; i++)
        fits = a->shape.dim[offset + i] == b->shape.dim[i];
    if (!fits)
        die_misuse(tape_where(tape), "%s: the shape of '%s' %s must be that of '%s' %s or a suffix of it", operation,
                   b->name, shape_text(b->shape, b_text), a->name, shape_text(a->shape, a_text));
}

/* The tensor for a OP b, recorded. */
static Tensor *binary(Tape *tape, const char *operation, BackwardFunction *backward, Tensor *a, Tensor *b)
{
    check_suffix(tape, operation, a, b);
    Tensor *y = tape_output(tape, operation, a->shape);
    tape_add(tape, operation, backward, y, (Tensor *[]){a, b}, 2);
    return y;
}

static Tensor *unary(Tape *tape, const char *operation, BackwardFunction *backward, Tensor *x)
{
    Tensor *y = tape_output(tape, operation, x->shape);
    tape_add(tape, operation, backward, y, &x, 1);
    return y;
}

/* ---- y = a + b ---- */

static void add_forward(size_t n, size_t m, const real *a, const real *b, real *y)
{
    for (size_t row = 0; row < n; row += m)
        for (size_t i = 0; i < m; i++)
            y[row + i] = a[row + i] + b[i];
}

/* x' += factor * from, where the N numbers of FROM are rows of x's size. */
static void add_rows(size_t n, real factor, const real *from, Tensor *x)
{
    Part part = gradient_part(x);
    if (part.at && x->size)
        kernel_put_rows((int)(n / x->size), (int)x->size, factor, from, part.at, part.add);
}

static void add_backward(Node *node)
{
    const Tensor *y = node->output;
    add_rows(y->size, 1, y->grad, node->input[0]);
    add_rows(y->size, 1, y->grad, node->input[1]);
}

Tensor *(op_add)(Tape *tape, Tensor *a, Tensor *b)
{
    Tensor *y = binary(tape, "op_add", add_backward, a, b);
    add_forward(y->size, b->size, a->data, b->data, y->data);
    return y;
}

/* ---- y = a - b ---- */

static void subtract_forward(size_t n, size_t m, const real *a, const real *b, real *y)
{
    for (size_t row = 0; row < n; row += m)
        for (size_t i = 0; i < m; i++)
            y[row + i] = a[row + i] - b[i];
}

static void subtract_backward(Node *node)
{
    const Tensor *y = node->output;
    add_rows(y->size, 1, y->grad, node->input[0]);
    add_rows(y->size, -1, y->grad, node->input[1]);
}

Tensor *(op_subtract)(Tape *tape, Tensor *a, Tensor *b)
{
    Tensor *y = binary(tape, "op_subtract", subtract_backward, a, b);
    subtract_forward(y->size, b->size, a->data, b->data, y->data);
    return y;
}

/* ---- y = a b ---- */

static void multiply_forward(size_t n, size_t m, const real *a, const real *b, real *y)
{
    for (size_t row = 0; row < n; row += m)
        for (size_t i = 0; i < m; i++)
            y[row + i] = a[row + i] * b[i];
}

static void multiply_backward(Node *node)
{
    Tensor *a = node->input[0], *b = node->input[1], *y = node->output;
    Part da = gradient_part(a);
    for (size_t row = 0; da.at && row < y->size; row += b->size)
        for (size_t i = 0; i < b->size; i++)
            da.at[row + i] = m_fma(b->data[i], y->grad[row + i], da.add ? da.at[row + i] : 0);
    Part db = gradient_part(b);
    for (size_t row = 0; db.at && row < y->size; row += b->size, db.add = true)
        for (size_t i = 0; i < b->size; i++)
            db.at[i] = m_fma(a->data[row + i], y->grad[row + i], db.add ? db.at[i] : 0);
}

Tensor *(op_multiply)(Tape *tape, Tensor *a, Tensor *b)
{
    Tensor *y = binary(tape, "op_multiply", multiply_backward, a, b);
    multiply_forward(y->size, b->size, a->data, b->data, y->data);
    return y;
}

/* ---- y = factor x ---- */

static void scale_forward(size_t n, real factor, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = factor * x[i];
}

static void scale_backward(Node *node)
{
    const real *factor = node->saved;
    add_rows(node->output->size, *factor, node->output->grad, node->input[0]);
}

Tensor *(op_scale)(Tape *tape, Tensor *x, real factor)
{
    Tensor *y = tape_output(tape, "op_scale", x->shape);
    Node *node = tape_add(tape, "op_scale", scale_backward, y, &x, 1);
    if (node) {
        real *saved = node->saved = arena_get(tape_arena(tape), sizeof(real));
        *saved = factor;
    }
    scale_forward(y->size, factor, x->data, y->data);
    return y;
}

/* ---- y = tanh x ---- */

static void tanh_forward(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = m_tanh(x[i]);
}

static void tanh_backward(Node *node)
{
    const Tensor *y = node->output;
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < y->size; i++)
        dx.at[i] = (dx.add ? dx.at[i] : 0) + y->grad[i] * (1 - y->data[i] * y->data[i]);
}

Tensor *(op_tanh)(Tape *tape, Tensor *x)
{
    Tensor *y = unary(tape, "op_tanh", tanh_backward, x);
    tanh_forward(y->size, x->data, y->data);
    return y;
}

/* ---- y = sigmoid x ---- */

static void sigmoid_forward(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = m_sigmoid(x[i]);
}

static void sigmoid_backward(Node *node)
{
    const Tensor *y = node->output;
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < y->size; i++)
        dx.at[i] = (dx.add ? dx.at[i] : 0) + y->grad[i] * y->data[i] * (1 - y->data[i]);
}

Tensor *(op_sigmoid)(Tape *tape, Tensor *x)
{
    Tensor *y = unary(tape, "op_sigmoid", sigmoid_backward, x);
    sigmoid_forward(y->size, x->data, y->data);
    return y;
}

/* ---- y = max(x, 0) ---- */

static void relu_forward(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] <= 0 ? 0 : x[i]; /* a NaN is not <= 0 and stays visible */
}

static void relu_backward(Node *node)
{
    size_t n = node->output->size;
    const real *y = node->output->data, *dy = node->output->grad;
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < n; i++) {
        real passed = dy[i]; /* read in any case, so that this becomes vector code */
        passed = y[i] > 0 ? passed : 0;
        dx.at[i] = (dx.add ? dx.at[i] : 0) + passed;
    }
}

Tensor *(op_relu)(Tape *tape, Tensor *x)
{
    Tensor *y = unary(tape, "op_relu", relu_backward, x);
    relu_forward(y->size, x->data, y->data);
    return y;
}

/* ---- y = x Phi(x), Phi being the normal distribution function ---- */

static void gelu_forward(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = m_gelu(x[i]);
}

static void gelu_backward(Node *node)
{
    const Tensor *y = node->output;
    const real *x = node->input[0]->data;
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < y->size; i++)
        dx.at[i] = (dx.add ? dx.at[i] : 0) + y->grad[i] * m_gelu_slope(x[i]);
}

Tensor *(op_gelu)(Tape *tape, Tensor *x)
{
    Tensor *y = unary(tape, "op_gelu", gelu_backward, x);
    gelu_forward(y->size, x->data, y->data);
    return y;
}

/* ---- y = e^x ---- */

static void exp_forward(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = m_exp(x[i]);
}

static void exp_backward(Node *node)
{
    const Tensor *y = node->output;
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < y->size; i++)
        dx.at[i] = m_fma(y->grad[i], y->data[i], dx.add ? dx.at[i] : 0);
}

Tensor *(op_exp)(Tape *tape, Tensor *x)
{
    Tensor *y = unary(tape, "op_exp", exp_backward, x);
    exp_forward(y->size, x->data, y->data);
    return y;
}

/* ---- y = log x ---- */

static void log_forward(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = m_log(x[i]);
}

static void log_backward(Node *node)
{
    const Tensor *y = node->output, *x = node->input[0];
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < y->size; i++)
        dx.at[i] = (dx.add ? dx.at[i] : 0) + y->grad[i] / x->data[i];
}

Tensor *(op_log)(Tape *tape, Tensor *x)
{
    Tensor *y = unary(tape, "op_log", log_backward, x);
    log_forward(y->size, x->data, y->data);
    return y;
}

/* ---- y = x keep / (1 - p) ---- */

/* 64 random bits decide about two elements, 32 about each. */
static void dropout_forward(size_t n, real p, Rng *rng, const real *x, real *keep, real *y)
{
    const uint64_t below = (uint64_t)((double)p * 0x1p32);
    const real scale = 1 / (1 - p);
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits = i % 2 ? bits >> 32 : rng_bits(rng);
        keep[i] = (bits & 0xffffffff) < below ? 0 : scale;
    }
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * keep[i];
}

static void dropout_backward(Node *node)
{
    const real *keep = node->saved;
    const Tensor *y = node->output;
    Part dx = gradient_part(node->input[0]);
    for (size_t i = 0; i < y->size; i++)
        dx.at[i] = m_fma(y->grad[i], keep[i], dx.add ? dx.at[i] : 0);
}

Tensor *(op_dropout)(Tape *tape, Tensor *x, real p, Rng *rng)
{
    if (!(p >= 0 && p < 1))
        die_misuse(tape_where(tape), "op_dropout: the probability must be at least 0 and below 1, not %g", (double)p);
    Tensor *y = tape_output(tape, "op_dropout", x->shape);
    real *keep = arena_get(tape_arena(tape), x->size * sizeof(real));
    Node *node = tape_add(tape, "op_dropout", dropout_backward, y, &x, 1);
    if (node)
        node->saved = keep;
    dropout_forward(y->size, p, rng, x->data, keep, y->data);
    return y;
}
