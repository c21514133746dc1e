/* ops_loss.c: softmax, layer norm, and the losses. */
#include "ops.h"

#include "kernels.h"
#include "maths.h"
#include "parallel.h"

/* y = e^(x - max) / sum over one row of n, whose LARGEST is the max; returns the sum of e^(x - max). */
static real softmax_row(int n, real largest, const real *x, real *y)
{
    for (int i = 0; i < n; i++)
        y[i] = m_exp_negative(x[i] - largest);
    real sum = kernel_sum(y, n);
    for (int i = 0; i < n; i++)
        y[i] /= sum;
    return sum;
}

/* The same over the elements whose mask is not 0; the others get exactly 0. */
static void masked_softmax_row(int n, const real *x, const real *mask, real *y)
{
    real largest = -INFINITY;
    for (int i = 0; i < n; i++)
        if (mask[i] != 0 && x[i] > largest)
            largest = x[i];
    for (int i = 0; i < n; i++)
        y[i] = mask[i] != 0 ? m_exp(x[i] - largest) : 0;
    real sum = kernel_sum(y, n);
    for (int i = 0; i < n; i++)
        y[i] = mask[i] != 0 ? y[i] / sum : 0;
}

/* ---- softmax ---- */

static void softmax_forward(int rows, int n, const real *x, const Tensor *mask, real *y)
{
    int mask_rows = mask ? (int)(mask->size / (size_t)n) : 1;
    for (int r = 0; r < rows; r++, x += n, y += n) {
        if (mask)
            masked_softmax_row(n, x, mask->data + (size_t)(r % mask_rows) * n, y);
        else
            softmax_row(n, kernel_max(x, n), x, y);
    }
}

/* The Jacobian of one row is diag(y) - y y^T:  x' += y (y' - y . y') */
static void softmax_backward(Node *node)
{
    const Tensor *out = node->output;
    int n = tensor_columns(out), rows = tensor_rows(out);
    const real *y = out->data, *dy = out->grad;
    Part dx = gradient_part(node->input[0]);
    for (int r = 0; r < rows; r++, y += n, dy += n, dx.at += n) {
        real dot = kernel_dot(y, dy, n);
        for (int i = 0; i < n; i++)
            dx.at[i] = m_fma(y[i], dy[i] - dot, dx.add ? dx.at[i] : 0);
    }
}

Tensor *(op_softmax)(Tape *tape, Tensor *x, const Tensor *mask)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    bool fits = tensor_columns(x) >= 1;
    for (int i = 1; mask && fits && i <= mask->shape.rank; i++)
        fits = i <= x->shape.rank && mask->shape.dim[mask->shape.rank - i] == x->shape.dim[x->shape.rank - i];
    if (!fits || (mask && mask->shape.rank == 0))
        die_misuse(tape_where(tape),
                   "op_softmax: '%s' %s needs a row of at least one, and a mask whose shape is a suffix%s%s", x->name,
                   shape_text(x->shape, a), mask ? ", not " : "", mask ? shape_text(mask->shape, b) : "");
    Tensor *y = tape_output(tape, "op_softmax", x->shape);
    tape_add(tape, "op_softmax", softmax_backward, y, &x, 1);
    softmax_forward(tensor_rows(x), tensor_columns(x), x->data, mask, y->data);
    return y;
}

/* ---- layer norm: y = gain z + bias, z = (x - mean) / sqrt(variance + epsilon) ---- */

typedef struct {
    int rows, n, threads;
    const real *x, *gain, *bias;
    real epsilon;
    real *mean, *inverse; /* of each row: mean and 1 / sqrt(variance + epsilon) */
    real *y;
    /* on the way back */
    const real *dy;
    real *dgain, *dbias;
    Part dx;
    real *space; /* two rows for each thread */
} Norm;

static void layer_norm_rows(int part, void *context)
{
    const Norm *l = context;
    int n = l->n, last = (int)((long)l->rows * (part + 1) / l->threads);
    for (int r = (int)((long)l->rows * part / l->threads); r < last; r++) {
        const real *x = l->x + (size_t)r * n;
        real *y = l->y + (size_t)r * n, mean = l->mean[r] = kernel_sum(x, n) / n;
        for (int i = 0; i < n; i++)
            y[i] = x[i] - mean;
        real inverse = l->inverse[r] = 1 / m_sqrt(kernel_dot(y, y, n) / n + l->epsilon);
        for (int i = 0; i < n; i++)
            y[i] = m_fma(l->gain[i], y[i] * inverse, l->bias[i]);
    }
}

/* With g = gain y':  x' += (g - mean(g) - z mean(g z)) / sqrt(variance + epsilon),
 * since moving one x moves the mean and the variance too. */
static void layer_norm_rows_backward(const Norm *l, int part, int first, int last)
{
    int n = l->n;
    real *restrict z = l->space + (size_t)part * 2 * n, *restrict g = z + n;
    for (int r = first; r < last; r++) {
        const real *x = l->x + (size_t)r * n, *dy = l->dy + (size_t)r * n;
        real *dx = l->dx.at + (size_t)r * n, mean = l->mean[r], inverse = l->inverse[r];
        for (int i = 0; i < n; i++) {
            z[i] = (x[i] - mean) * inverse;
            g[i] = l->gain[i] * dy[i];
        }
        real g_mean = kernel_sum(g, n) / n, along = kernel_dot(g, z, n) / n;
        for (int i = 0; i < n; i++)
            dx[i] = (l->dx.add ? dx[i] : 0) + inverse * (g[i] - g_mean - z[i] * along);
    }
}

/* gain' += z y' and bias' += y' over some rows, for a part of the columns. */
static void layer_norm_columns_backward(const Norm *l, int part, int first_row, int last_row)
{
    int n = l->n, first = (int)((long)n * part / l->threads), last = (int)((long)n * (part + 1) / l->threads);
    for (int r = first_row; r < last_row; r++) {
        const real *x = l->x + (size_t)r * n, *dy = l->dy + (size_t)r * n;
        real mean = l->mean[r], inverse = l->inverse[r], *dgain = l->dgain, *dbias = l->dbias;
        for (int i = first; dgain && i < last; i++)
            dgain[i] = m_fma((x[i] - mean) * inverse, dy[i], dgain[i]);
        for (int i = first; dbias && i < last; i++)
            dbias[i] += dy[i];
    }
}

static void layer_norm_part_backward(int part, void *context)
{
    const Norm *l = context;
    int rows = l->rows, of = l->threads, i = part - of;
    if (part < of)
        layer_norm_columns_backward(l, part, 0, rows);
    else if (l->dx.at)
        layer_norm_rows_backward(l, i, (int)((long)rows * i / of), (int)((long)rows * (i + 1) / of));
}

/* One thread takes some rows at a time, so that both find them in the first cache. */
static void layer_norm_alone_backward(const Norm *l)
{
    enum { FIRST_CACHE = 1 << 12 }; /* numbers of y' */
    int each = FIRST_CACHE / l->n + 1;
    for (int first = 0; first < l->rows; first += each) {
        int last = first + each < l->rows ? first + each : l->rows;
        layer_norm_columns_backward(l, 0, first, last);
        if (l->dx.at)
            layer_norm_rows_backward(l, 0, first, last);
    }
}

static void layer_norm_backward(Node *node)
{
    Norm *l = node->saved;
    Tensor *x = node->input[0], *gain = node->input[1], *bias = node->input[2];
    l->dy = node->output->grad;
    l->dgain = gradient_sum(gain);
    l->dbias = gradient_sum(bias);
    l->dx = gradient_part(x);
    if (x == gain || x == bias) /* one row */
        l->threads = 1;
    l->space = arena_get(tape_arena(node->tape), (size_t)l->threads * 2 * l->n * sizeof(real));
    if (l->threads == 1)
        layer_norm_alone_backward(l);
    else
        parallel_for(l->threads, 2 * l->threads, layer_norm_part_backward, l);
}

Tensor *(op_layer_norm)(Tape *tape, Tensor *x, Tensor *gain, Tensor *bias, real epsilon)
{
    enum { WORTH_SHARING = 1 << 17 };
    char a[SHAPE_TEXT], b[SHAPE_TEXT], c[SHAPE_TEXT];
    int n = tensor_columns(x);
    if (x->shape.rank < 1 || n < 1 || !shapes_equal(gain->shape, SHAPE(n)) || !shapes_equal(bias->shape, SHAPE(n)))
        die_misuse(tape_where(tape),
                   "op_layer_norm: gain '%s' %s and bias '%s' %s must have the last dimension of '%s' %s", gain->name,
                   shape_text(gain->shape, a), bias->name, shape_text(bias->shape, b), x->name,
                   shape_text(x->shape, c));
    Tensor *y = tape_output(tape, "op_layer_norm", x->shape);
    Norm *l = arena_get(tape_arena(tape), sizeof *l);
    *l = (Norm){.rows = tensor_rows(x), .n = n, .x = x->data, .gain = gain->data, .bias = bias->data, .y = y->data};
    l->epsilon = epsilon;
    l->threads = x->size < WORTH_SHARING || tape_threads(tape) < 1 ? 1 : tape_threads(tape);
    l->mean = arena_get(tape_arena(tape), l->rows * sizeof(real));
    l->inverse = arena_get(tape_arena(tape), l->rows * sizeof(real));
    Node *node = tape_add(tape, "op_layer_norm", layer_norm_backward, y, (Tensor *[]){x, gain, bias}, 3);
    if (node)
        node->saved = l;
    parallel_for(l->threads, l->threads, layer_norm_rows, l);
    return y;
}

/* ---- cross-entropy: the mean over counted rows of -log softmax(logits)[target] ---- */

typedef struct {
    int *targets;
    int counted;
    real *probabilities;
} CrossEntropy;

/* -log softmax(x)[t] = log sum e^(x - max) - (x_t - max): the largest logit is
 * not added back, which would cost the loss of a sure answer its digits.  SUM and BELOW are space for
 * the two terms of each row: all logarithms in one loop become vector code. */
static real cross_entropy_forward(int rows, int n, const real *logits, CrossEntropy *saved, real *sum, real *below)
{
    real total = 0;
    for (int r = 0; r < rows; r++) {
        const real *x = logits + (size_t)r * n;
        real largest = kernel_max(x, n);
        int target = saved->targets[r];
        sum[r] = softmax_row(n, largest, x, saved->probabilities + (size_t)r * n);
        below[r] = target >= 0 ? x[target] - largest : 0;
        saved->counted += target >= 0;
    }
    for (int r = 0; r < rows; r++)
        sum[r] = m_log(sum[r]);
    for (int r = 0; r < rows; r++)
        if (saved->targets[r] >= 0)
            total += sum[r] - below[r];
    return saved->counted ? total / saved->counted : 0;
}

/* logits' += (softmax - one-hot of the target) / rows counted */
static void cross_entropy_backward(Node *node)
{
    const CrossEntropy *saved = node->saved;
    Tensor *logits = node->input[0];
    int n = tensor_columns(logits), rows = tensor_rows(logits);
    real share = saved->counted ? node->output->grad[0] / saved->counted : 0;
    Part all = gradient_part(logits);
    for (int r = 0; r < rows; r++) {
        real *dx = all.at + (size_t)r * n;
        bool counts = saved->targets[r] >= 0;
        kernel_put(n, counts ? share : 0, saved->probabilities + (size_t)r * n, dx, all.add);
        if (counts)
            dx[saved->targets[r]] -= share;
    }
}

Tensor *(op_cross_entropy)(Tape *tape, Tensor *logits, const int *targets)
{
    char text[SHAPE_TEXT];
    int n = tensor_columns(logits), rows = tensor_rows(logits);
    if (logits->shape.rank < 1 || n < 1)
        die_misuse(tape_where(tape), "op_cross_entropy: '%s' %s needs at least one class", logits->name,
                   shape_text(logits->shape, text));
    CrossEntropy *saved = arena_get(tape_arena(tape), sizeof *saved);
    saved->counted = 0;
    saved->targets = arena_get(tape_arena(tape), rows * sizeof(int));
    saved->probabilities = arena_get(tape_arena(tape), logits->size * sizeof(real));
    for (int r = 0; r < rows; r++) {
        if (targets[r] < -1 || targets[r] >= n)
            die_misuse(tape_where(tape), "op_cross_entropy: target %d of row %d is not a class of '%s' %s (or -1)",
                       targets[r], r, logits->name, shape_text(logits->shape, text));
        saved->targets[r] = targets[r];
    }
    Tensor *loss = tape_output(tape, "op_cross_entropy", SCALAR);
    Node *node = tape_add(tape, "op_cross_entropy", cross_entropy_backward, loss, &logits, 1);
    if (node)
        node->saved = saved;
    ArenaMark mark = arena_mark(tape_arena(tape));
    real *space = arena_get(tape_arena(tape), 2 * (size_t)rows * sizeof(real));
    loss->data[0] = cross_entropy_forward(rows, n, logits->data, saved, space, space + rows);
    arena_release(tape_arena(tape), mark);
    return loss;
}

/* ---- mean squared error ---- */

Tensor *(op_mean_squared_error)(Tape *tape, Tensor *prediction, Tensor *target)
{
    char a[SHAPE_TEXT], b[SHAPE_TEXT];
    if (!shapes_equal(prediction->shape, target->shape))
        die_misuse(tape_where(tape), "op_mean_squared_error: '%s' %s and '%s' %s must have equal shapes",
                   prediction->name, shape_text(prediction->shape, a), target->name, shape_text(target->shape, b));
    Tensor *error = (op_subtract)(tape, prediction, target);
    return (op_mean)(tape, (op_multiply)(tape, error, error));
}
