/* fused.c: linear layers, feed-forward networks and attention in one operation
 * are the small operations, number by number: results and all gradients, with any
 * number of threads. */
#include "dies.h"
#include "kernels.h"
#include "transformer.h"
#include "weight_gradient.h"

enum { MOST_INPUTS_HERE = 6 };

typedef struct {
    int heads, threads;
    bool gelu;
    const int *lengths; /* padding */
    bool causal, rows_mask, random_mask;
} How;

typedef Tensor *Compute(Tape *tape, Tensor **x, const How *how);

/* The same random inputs, as variables, on another tape. */
static void fill(Tape *tape, int n, const Shape *shapes, Tensor **x)
{
    Rng rng = rng_new(7, "fused");
    for (int i = 0; i < n; i++) {
        x[i] = tape_variable(tape, "input", shapes[i], NULL);
        for (size_t j = 0; j < x[i]->size; j++)
            x[i]->data[j] = rng_normal(&rng);
    }
}

static void assert_equal(const char *what, int which, size_t n, const real *a, const real *b)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(a[i] == b[i], "%s of input %d differs at %zu: %.9g and %.9g", what, which, i, (double)a[i],
                      (double)b[i]);
}

/* Both ways give the same y, and the same gradients of L = sum of tanh(y) y. */
static void compare(Compute *fused, Compute *small, int n, const Shape *shapes, const How *how)
{
    Tape *tape[2] = {tape_new(how->threads), tape_new(1)};
    Tensor *x[2][MOST_INPUTS_HERE], *y[2];
    for (int way = 0; way < 2; way++) {
        fill(tape[way], n, shapes, x[way]);
        y[way] = (way ? small : fused)(tape[way], x[way], how);
        Tensor *loss = op_sum(tape[way], op_multiply(tape[way], op_tanh(tape[way], y[way]), y[way]));
        tape_backward(tape[way], loss);
    }
    ck_assert(shapes_equal(y[0]->shape, y[1]->shape));
    assert_equal("the result", -1, y[0]->size, y[0]->data, y[1]->data);
    for (int i = 0; i < n; i++)
        assert_equal("the gradient", i, x[0][i]->size, x[0][i]->grad, x[1][i]->grad);
    tape_free(tape[0]);
    tape_free(tape[1]);
}

/* ---- y = x W + b + plus -------------------------------------------------------- */

static Tensor *linear_fused(Tape *tape, Tensor **x, const How *how)
{
    (void)how;
    return op_linear(tape, x[0], x[1], x[2], x[3]);
}

static Tensor *linear_small(Tape *tape, Tensor **x, const How *how)
{
    (void)how;
    return op_add(tape, x[3], op_add(tape, op_matmul(tape, x[0], x[1]), x[2]));
}

START_TEST(linear_is_a_product_and_sums)
{
    const int sizes[][3] = {{1, 1, 1},      {6, 5, 7},   {20, 8, 16},   {33, 64, 40}, {70, 400, 33},
                            {130, 64, 256}, {13, 3, 17}, {300, 20, 270} /* its W' is summed up transposed */};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
        Shape shapes[] = {SHAPE(2, m, k), SHAPE(k, n), SHAPE(n), SHAPE(2, m, n)};
        for (int threads = 1; threads <= 3; threads += 2)
            compare(linear_fused, linear_small, 4, shapes, &(How){.threads = threads});
    }
}
END_TEST

/* In pieces, added to what is there or not, narrow or wide: the product x^T y', to the bit. */
START_TEST(a_weight_gradient_is_a_product)
{
    const int sizes[][3] = {/* k, n, rows */ {7, 5, 30}, {16, 257, 300}, {40, 300, 256}, {300, 40, 260}, {5, 260, 1}};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        int k = sizes[i / 2][0], n = sizes[i / 2][1], rows = sizes[i / 2][2], split = rows / 3;
        Tape *tape = tape_new(1);
        Tensor *x[3];
        fill(tape, 3, (Shape[]){SHAPE(rows, k), SHAPE(rows, n), SHAPE(k, n)}, x);
        Tensor *w = tape_variable(tape, "w", SHAPE(k, n), NULL);
        memcpy(w->grad, x[2]->data, w->size * sizeof(real));
        w->reached = i % 2; /* something is there */
        kernel_matmul(k, n, rows, strided_transposed(x[0]->data, k), strided(x[1]->data, n), x[2]->data, n, i % 2, 1);
        WeightGradient g = weight_gradient(w, rows, tape_arena(tape));
        weight_gradient_add(&g, split, x[0]->data, x[1]->data, 1);
        weight_gradient_add(&g, rows - split, x[0]->data + split * k, x[1]->data + split * n, 2);
        weight_gradient_end(&g);
        ck_assert_mem_eq(w->grad, x[2]->data, w->size * sizeof(real));
        tape_free(tape);
    }
}
END_TEST

/* ---- y = f(x W1 + b1) W2 + b2 + plus ------------------------------------------- */

static Tensor *feed_forward_fused(Tape *tape, Tensor **x, const How *how)
{
    return op_feed_forward(tape, x[0], x[1], x[2], x[3], x[4], how->gelu, x[5]);
}

static Tensor *feed_forward_small(Tape *tape, Tensor **x, const How *how)
{
    Tensor *a = op_add(tape, op_matmul(tape, x[0], x[1]), x[2]);
    a = how->gelu ? op_gelu(tape, a) : op_relu(tape, a);
    return op_add(tape, x[5], op_add(tape, op_matmul(tape, a, x[3]), x[4]));
}

START_TEST(feed_forward_is_two_linear_layers)
{
    const int sizes[][4] = {{1, 1, 1, 1}, {7, 5, 9, 5}, {20, 8, 32, 8}, {150, 16, 500, 24}, {1100, 8, 300, 9}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int m = sizes[i][0], d = sizes[i][1], f = sizes[i][2], e = sizes[i][3];
        Shape shapes[] = {SHAPE(m, d), SHAPE(d, f), SHAPE(f), SHAPE(f, e), SHAPE(e), SHAPE(m, e)};
        for (int way = 0; way < 4; way++)
            compare(feed_forward_fused, feed_forward_small, 6, shapes,
                    &(How){.gelu = way & 1, .threads = way & 2 ? 3 : 1});
    }
}
END_TEST

/* The residual connection may be the input itself. */
static Tensor *self_fused(Tape *tape, Tensor **x, const How *how)
{
    return op_linear(tape, op_feed_forward(tape, x[0], x[1], x[2], x[3], x[4], how->gelu, x[0]), x[5], x[4], x[0]);
}

static Tensor *self_small(Tape *tape, Tensor **x, const How *how)
{
    Tensor *with[] = {x[0], x[1], x[2], x[3], x[4], x[0]};
    Tensor *h = feed_forward_small(tape, with, how);
    return op_add(tape, x[0], op_add(tape, op_matmul(tape, h, x[5]), x[4]));
}

START_TEST(a_residual_of_the_input_itself)
{
    Shape shapes[] = {SHAPE(9, 6), SHAPE(6, 20), SHAPE(20), SHAPE(20, 6), SHAPE(6), SHAPE(6, 6)};
    compare(self_fused, self_small, 6, shapes, &(How){.gelu = true, .threads = 1});
    Tape *tape = tape_new(1);
    Tensor *x[6];
    fill(tape, 6, shapes, x);
    ASSERT_SAYS(DIES(1, op_linear(tape, x[0], x[1], x[4], NULL)), "op_linear: 'input' [9, 6], weight");
    ASSERT_SAYS(DIES(1, op_linear(tape, x[0], x[1], x[2], x[0])), "is added to a result of the shape [9, 20]");
    ASSERT_SAYS(DIES(1, op_feed_forward(tape, x[0], x[1], x[2], x[1], x[4], true, NULL)), "op_feed_forward:");
    tape_free(tape);
}
END_TEST

/* ---- attention ----------------------------------------------------------------- */

static const Tensor *mask_of(Tape *tape, Tensor **x, const How *how)
{
    int batch = x[0]->shape.dim[0], from = x[0]->shape.dim[1], at = x[1]->shape.dim[1];
    if (how->random_mask) { /* each row ends anywhere, and has holes */
        Tensor *mask = tape_input(tape, "mask", SHAPE(how->heads, from, at), NULL);
        Rng rng = rng_new(8, "fused");
        for (size_t row = 0; row < mask->size; row += at)
            for (int s = 0, end = (int)rng_below(&rng, at + 1); s < end; s++)
                mask->data[row + s] = (real)rng_below(&rng, 2);
        return mask;
    }
    if (how->rows_mask) { /* keys 1, 2, 4 ... of every row */
        Tensor *mask = tape_input(tape, "mask", SHAPE(at), NULL);
        for (int s = 1; s < at; s *= 2)
            mask->data[s] = 1;
        return mask;
    }
    if (!how->causal && !how->lengths)
        return NULL;
    if (!how->lengths && from == at)
        return mask_causal(tape, from);
    return mask_padding(tape, how->lengths, batch, how->heads, from, at, how->causal);
}

static Tensor *attention_fused(Tape *tape, Tensor **x, const How *how)
{
    return op_attention(tape, x[0], x[1], x[2], mask_of(tape, x, how), how->heads);
}

/* [B, T, d] -> [B, h, T, d / h] */
static Tensor *heads_of(Tape *tape, Tensor *x, int heads)
{
    Shape shape = SHAPE(x->shape.dim[0], x->shape.dim[1], heads, x->shape.dim[2] / heads);
    return op_transpose(tape, op_reshape(tape, x, shape), 1, 2);
}

static Tensor *attention_small(Tape *tape, Tensor **x, const How *how)
{
    Tensor *weights;
    Tensor *y = scaled_dot_product_attention(tape, heads_of(tape, x[0], how->heads), heads_of(tape, x[1], how->heads),
                                             heads_of(tape, x[2], how->heads), mask_of(tape, x, how), &weights);
    return op_reshape(tape, op_transpose(tape, y, 1, 2),
                      SHAPE(x[0]->shape.dim[0], x[0]->shape.dim[1], x[2]->shape.dim[2]));
}

START_TEST(attention_is_products_and_a_softmax)
{
    const int lengths[] = {3, 0, 70}; /* 0: a row that may look nowhere */
    const int sizes[][5] = {/* heads, T, S, d, d_v */ {1, 1, 1, 1, 1},
                            {2, 5, 5, 8, 6},
                            {4, 20, 20, 32, 32},
                            {4, 70, 70, 32, 20},
                            {3, 40, 75, 48, 3},
                            {1, 37, 130, 64, 40},
                            {2, 64, 64, 32, 32},
                            {2, 161, 150, 16, 34},
                            {8, 210, 215, 16, 8} /* too many weights to be kept */};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int heads = sizes[i][0], from = sizes[i][1], at = sizes[i][2], d = sizes[i][3], d_v = sizes[i][4];
        Shape shapes[] = {SHAPE(3, from, d), SHAPE(3, at, d), SHAPE(3, at, d_v)};
        for (int way = 0; way < 12; way++)
            compare(attention_fused, attention_small, 3, shapes,
                    &(How){.heads = heads,
                           .threads = way % 2 ? 3 : 1,
                           .causal = way / 2 & 1,
                           .lengths = way / 2 & 2 ? lengths : NULL,
                           .rows_mask = way / 2 == 4,
                           .random_mask = way / 2 == 5});
    }
}
END_TEST

/* One tensor may be queries, keys and values. */
static Tensor *itself_fused(Tape *tape, Tensor **x, const How *how)
{
    return op_attention(tape, x[0], x[0], x[0], NULL, how->heads);
}

START_TEST(attention_of_a_tensor_to_itself)
{
    enum { B = 2, T = 50, D = 12 };
    Tape *tape = tape_new(1);
    Tensor *one, *three[3];
    fill(tape, 1, (Shape[]){SHAPE(B, T, D)}, &one);
    for (int i = 0; i < 3; i++)
        three[i] = tape_variable(tape, "copy", one->shape, one->data);
    How how = {.heads = 3};
    tape_backward(tape, op_mean(tape, itself_fused(tape, &one, &how)));
    tape_backward(tape, op_mean(tape, attention_fused(tape, three, &how)));
    real *parts = arena_get(tape_arena(tape), one->size * sizeof(real));
    for (size_t i = 0; i < one->size; i++)
        parts[i] = three[0]->grad[i] + three[1]->grad[i] + three[2]->grad[i];
    tape_backward(tape, op_mean(tape, itself_fused(tape, &one, &how)));
    for (size_t i = 0; i < one->size; i++)
        ck_assert_double_eq_tol((double)one->grad[i], (double)parts[i], 1e-7);
    tape_free(tape);
}
END_TEST

/* ---- threads ------------------------------------------------------------------- */

static Tensor *through_lstm(Tape *tape, Tensor **x, const How *how)
{
    return op_lstm(tape, x[0], x[1], x[2], x[3], (Sequence){how->lengths, how->causal}, NULL);
}

static Tensor *through_gru(Tape *tape, Tensor **x, const How *how)
{
    return op_gru(tape, x[0], x[1], x[2], x[3], (Sequence){how->lengths, how->causal});
}

static Tensor *through_norm(Tape *tape, Tensor **x, const How *how)
{
    (void)how;
    return op_layer_norm(tape, x[0], x[1], x[2], (real)1e-5);
}

/* Work large enough to be shared out gives what one thread gives. */
START_TEST(the_number_of_threads_changes_nothing)
{
    enum { T = 60, B = 32, H = 64, N = 128 };
    int lengths[B];
    for (int b = 0; b < B; b++)
        lengths[b] = b * 7 % (T + 1);
    Shape lstm[] = {SHAPE(T, B, 4 * H), SHAPE(H, 4 * H), SHAPE(B, H), SHAPE(B, H)};
    Shape gru[] = {SHAPE(T, B, 3 * H), SHAPE(H, 3 * H), SHAPE(3 * H), SHAPE(B, H)};
    Shape norm[] = {SHAPE(1025, N), SHAPE(N), SHAPE(N)};
    for (int threads = 2; threads <= 7; threads += 5) {
        How how = {.threads = threads}, ragged = {.threads = threads, .lengths = lengths, .causal = true};
        compare(through_lstm, through_lstm, 4, lstm, &how);
        compare(through_lstm, through_lstm, 4, lstm, &ragged);
        compare(through_gru, through_gru, 4, gru, &how);
        compare(through_gru, through_gru, 4, gru, &ragged);
        compare(through_norm, through_norm, 3, norm, &how);
    }
}
END_TEST

START_TEST(shapes_that_do_not_fit_are_named)
{
    Tape *tape = tape_new(1);
    Tensor *x[3];
    fill(tape, 3, (Shape[]){SHAPE(2, 5, 8), SHAPE(2, 6, 8), SHAPE(2, 7, 8)}, x);
    ASSERT_SAYS(DIES(1, op_attention(tape, x[0], x[1], x[2], NULL, 2)), "op_attention: queries 'input' [2, 5, 8]");
    ASSERT_SAYS(DIES(1, op_attention(tape, x[0], x[1], x[1], NULL, 3)), "3 heads must divide");
    ASSERT_SAYS(DIES(1, op_attention(tape, x[0], x[1], x[1], x[2], 2)), "must be a suffix of [2, 2, 5, 6]");
    tape_free(tape);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fused");
    test_add(suite, "linear_is_a_product_and_sums", linear_is_a_product_and_sums);
    test_add(suite, "a_weight_gradient_is_a_product", a_weight_gradient_is_a_product);
    test_add(suite, "feed_forward_is_two_linear_layers", feed_forward_is_two_linear_layers);
    test_add(suite, "a_residual_of_the_input_itself", a_residual_of_the_input_itself);
    test_add(suite, "attention_is_products_and_a_softmax", attention_is_products_and_a_softmax);
    test_add(suite, "attention_of_a_tensor_to_itself", attention_of_a_tensor_to_itself);
    test_add(suite, "the_number_of_threads_changes_nothing", the_number_of_threads_changes_nothing);
    test_add(suite, "shapes_that_do_not_fit_are_named", shapes_that_do_not_fit_are_named);
    return test_run(suite);
}
